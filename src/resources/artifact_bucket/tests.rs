//! One row per state and reason of the artifact bucket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::crd::status::Placement;
use crate::domain::identity::{Owned, Ownership};
use crate::domain::platform::Seeds;
use crate::domain::problem::Problem;
use crate::domain::seal::Seals;
use crate::domain::secret::FingerprintKey;
use crate::fixture::{account, bare_platform, elsewhere, owner, place, region, seals, sum_of};

fn platform(owned: bool) -> Platform {
    let own = Identity::own_bucket_name(&owner(), &account(), &region("eu-west-1"));
    let place = Placement { bucket: if owned { own } else { "theirs".into() }, bucket_owned: owned, ..place() };
    let tags = (0..12).map(|n| (format!("tag-{n:02}"), "v".to_owned())).collect();
    Platform { tags, ..bare_platform(Identity { owner: owner(), placement: place, seals: seals() }) }
}

fn wanted(platform: &Platform) -> Desired {
    ArtifactBucket::desired(platform, &OperatorPrincipal { arn: String::new() })
}

/// The bucket as it should be.
fn as_declared(platform: &Platform) -> ObservedBucket {
    let wanted = wanted(platform);
    let see = |object: &Object| ObservedObject {
        key: object.key.clone(),
        sha256: Some(object.sha256.clone()),
        tags: object.tags.clone(),
    };
    let version = |object: &Object| ObjectVersion { key: object.key.clone(), id: "v1".into(), size: 1 };
    ObservedBucket {
        settings: wanted.settings.clone(),
        objects: wanted.objects.iter().map(see).collect(),
        versions: wanted.objects.iter().map(version).collect(),
        more: false,
    }
}

/// A decision as text: the reason and the actions, each with why.
fn told(platform: &Platform, goal: &Goal<Desired>, observed: &Observed) -> String {
    let id = &platform.identity;
    match ArtifactBucket::decide(id, goal, observed, Timestamp::UNIX_EPOCH, &Attempts::default()) {
        Decision::InSync(artifacts) => {
            assert_eq!(artifacts, wanted(platform).artifacts);
            "InSync".into()
        }
        Decision::Gone | Decision::GoneBut(_) => "Gone".into(),
        Decision::Stuck(Problem { reason, message, hint, .. }) => {
            assert!(message.contains(&id.placement.bucket) && !hint.is_empty());
            format!("Stuck {reason}")
        }
        Decision::Wait(_) => panic!("S3 has nothing to wait for"),
        Decision::Act(steps) => {
            let name = |action: &Action| match action {
                Action::CreateBucket => "create",
                Action::PutTags(_) => "tags",
                Action::EnableVersioning => "versioning",
                Action::PutEncryption(_) => "encryption",
                Action::BlockPublicAccess => "public-access",
                Action::PutPolicy(_) => "policy",
                Action::PutObject(_) => "put-object",
                Action::TagObject(..) => "tag-object",
                Action::DeleteVersions(_) => "delete-versions",
                Action::DeleteObjects(_) => "delete-objects",
                Action::DeleteBucket => "delete-bucket",
            };
            let texts: Vec<String> =
                steps.iter().map(|step| format!("{}/{}", name(&step.action), step.reason)).collect();
            texts.join(" ")
        }
    }
}

type Case = (&'static str, bool, Box<dyn Fn(&mut ObservedBucket)>, &'static str);

fn settings_of(observed: &mut ObservedBucket) -> &mut Settings {
    observed.settings.as_mut().unwrap()
}

fn claim_bucket(observed: &mut ObservedBucket) {
    let id = elsewhere(&platform(true).identity);
    settings_of(observed).tags.extend(id.owner_tags(Owned::Bucket));
}

fn claim_object(observed: &mut ObservedBucket) {
    let id = elsewhere(&platform(observed.settings.is_some()).identity);
    observed.objects[0].tags.extend(id.owner_tags(Owned::Artifacts));
}

#[test]
fn what_differs_is_corrected_and_says_why() {
    let cases: Vec<Case> = vec![
        ("as declared", true, Box::new(|_| {}), "InSync"),
        ("a given bucket as declared", false, Box::new(|_| {}), "InSync"),
        (
            "between create and tag",
            true,
            Box::new(|observed| {
                *observed = ObservedBucket { settings: Some(Settings::default()), ..ObservedBucket::default() }
            }),
            "public-access/Missing versioning/Missing encryption/Missing policy/Missing put-object/Missing tags/Missing",
        ),
        (
            "another object's",
            true,
            Box::new(|observed| _ = settings_of(observed).tags.insert(Owned::Bucket.tag(), "other".into())),
            "Stuck ForeignOwner",
        ),
        ("another installation's", true, Box::new(claim_bucket), "Stuck ClusterClaimed"),
        ("an object in it is another installation's", true, Box::new(claim_object), "Stuck ClusterClaimed"),
        ("an object in a given one is", false, Box::new(claim_object), "Stuck ClusterClaimed"),
        (
            "versioning was suspended",
            true,
            Box::new(|observed| settings_of(observed).versioned = false),
            "versioning/Drifted",
        ),
        (
            "public access was let in",
            true,
            Box::new(|observed| settings_of(observed).blocks_public_access = false),
            "public-access/Drifted",
        ),
        (
            "the policy was removed",
            true,
            Box::new(|observed| settings_of(observed).policy = Value::Null),
            "policy/Drifted",
        ),
        (
            "somebody added a tag",
            true,
            Box::new(|observed| _ = settings_of(observed).tags.insert("more".into(), "1".into())),
            "InSync",
        ),
        (
            "the spec names another key now",
            true,
            Box::new(|observed| {
                let settings = settings_of(observed);
                settings.encryption = Encryption::Kms("old".into());
                settings.tags.insert(FINGERPRINT_TAG.into(), "old".into());
            }),
            "encryption/SpecChanged tags/SpecChanged",
        ),
        ("the template is not there", true, Box::new(|observed| observed.objects.clear()), "put-object/Missing"),
        (
            "the template was overwritten",
            false,
            Box::new(|observed| observed.objects[0].sha256 = Some(sum_of('0'))),
            "put-object/Drifted",
        ),
        (
            "the template's tags were changed",
            true,
            Box::new(|observed| observed.objects[0].tags.clear()),
            "tag-object/Drifted",
        ),
        (
            "an older template is still there",
            false,
            Box::new(|observed| {
                let old =
                    ObservedObject { key: "mlops-operator/x/templates/old.yaml".into(), ..observed.objects[0].clone() };
                observed.objects.push(old);
            }),
            "delete-objects/SpecChanged",
        ),
    ];
    for (name, owned, spoil, told_so) in cases {
        let platform = platform(owned);
        let mut observed = as_declared(&platform);
        spoil(&mut observed);
        assert_eq!(told(&platform, &Goal::Present(wanted(&platform)), &Observed::Present(observed)), told_so, "{name}");
    }
}

#[test]
fn a_bucket_that_cannot_be_worked_with_has_its_own_reason() {
    let made = "create/Missing public-access/Missing versioning/Missing encryption/Missing policy/Missing put-object/Missing tags/Missing";
    let elsewhere = || Observed::Elsewhere("us-east-1".into());
    let rows = [
        ("our own is made", true, Observed::Absent, made, "Gone"),
        ("a given one is not", false, Observed::Absent, "Stuck BucketMissing", "Gone"),
        ("our name is taken", true, Observed::Foreign, "Stuck BucketNameTaken", "Gone"),
        ("a given one is another account's", false, Observed::Foreign, "Stuck ForeignOwner", "Gone"),
        ("our name is taken in another region", true, elsewhere(), "Stuck BucketNameTaken", "Gone"),
        ("a given one is in another region", false, elsewhere(), "Stuck BucketMissing", "Gone"),
        ("ours may not be looked at", true, Observed::Forbidden, "Stuck AccessDenied", "Stuck AccessDenied"),
        ("a given one may not be looked at", false, Observed::Forbidden, "Stuck AccessDenied", "Stuck AccessDenied"),
        ("it may be anybody's", true, Observed::Undisclosed, "Stuck AccessDenied", "Stuck AccessDenied"),
        ("a given one may be anybody's", false, Observed::Undisclosed, "Stuck AccessDenied", "Stuck AccessDenied"),
    ];
    for (name, owned, observed, present, absent) in rows {
        let platform = platform(owned);
        assert_eq!(told(&platform, &Goal::Present(wanted(&platform)), &observed), present, "{name}");
        assert_eq!(told(&platform, &Goal::Absent, &observed), absent, "{name}, deleted");
    }
}

#[test]
fn deletion_takes_what_is_ours_and_nothing_else() {
    let cases: Vec<Case> = vec![
        ("our own with objects", true, Box::new(|_| {}), "delete-versions/Deleting delete-bucket/Deleting"),
        ("our own with more than a page", true, Box::new(|observed| observed.more = true), "delete-versions/Deleting"),
        ("our own, empty", true, Box::new(|observed| observed.versions.clear()), "delete-bucket/Deleting"),
        (
            "our own without tags",
            true,
            Box::new(|observed| settings_of(observed).tags.clear()),
            "delete-versions/Deleting delete-bucket/Deleting",
        ),
        (
            "another object's",
            true,
            Box::new(|observed| _ = settings_of(observed).tags.insert(Owned::Bucket.tag(), "other".into())),
            "Gone",
        ),
        ("another installation's", true, Box::new(claim_bucket), "Stuck ClusterClaimed"),
        ("an object in it is another installation's", true, Box::new(claim_object), "Stuck ClusterClaimed"),
        ("an object in a given one is", false, Box::new(claim_object), "Stuck ClusterClaimed"),
        (
            "without tags, with something that is not ours",
            true,
            Box::new(|observed| {
                settings_of(observed).tags.clear();
                observed.versions.push(ObjectVersion { key: "data.csv".into(), id: "v1".into(), size: 1 });
            }),
            "Stuck OwnershipUnproven",
        ),
        (
            "without tags, with an object of unknown origin under the prefix",
            true,
            Box::new(|observed| {
                settings_of(observed).tags.clear();
                observed.objects[0].tags.clear();
            }),
            "Stuck OwnershipUnproven",
        ),
        (
            "a given one with something else under the prefix",
            false,
            Box::new(|observed| observed.objects[0].tags.clear()),
            "Stuck OwnershipUnproven",
        ),
        ("a given one with objects of ours", false, Box::new(|_| {}), "delete-versions/Deleting"),
        ("a given one without", false, Box::new(|observed| observed.versions.clear()), "Gone"),
    ];
    for (name, owned, spoil, told_so) in cases {
        let platform = platform(owned);
        let mut observed = as_declared(&platform);
        spoil(&mut observed);
        assert_eq!(told(&platform, &Goal::Absent, &Observed::Present(observed)), told_so, "{name}");
    }
}

#[test]
fn the_template_has_a_key_a_url_and_tags_that_aws_takes() {
    let mut platform = platform(true);
    let object = wanted(&platform).objects[0].clone();
    assert_eq!(object.sha256, Sha256::of(&object.body));
    assert!(
        object.key.starts_with(&platform.identity.bucket_prefix())
            && object.key.ends_with(&format!("{}.yaml", object.sha256))
    );
    assert_eq!(object.tags.len(), 10, "S3 takes ten tags on an object");
    assert_eq!(platform.identity.ownership(Owned::Artifacts, &object.tags), Ownership::Ours, "the owner's come first");
    let bucket = platform.identity.placement.bucket.clone();
    let url = wanted(&platform).artifacts.template_url;
    assert_eq!(url, format!("https://{bucket}.s3.eu-west-1.amazonaws.com/{}", object.key));
    for (name, host) in
        [("cn-north-1", "cn-north-1.amazonaws.com.cn"), ("eusc-de-east-1", "eusc-de-east-1.amazonaws.eu")]
    {
        platform.identity.placement.region = region(name);
        let url = wanted(&platform).artifacts.template_url;
        assert!(url.starts_with(&format!("https://{bucket}.s3.{host}/")), "{url}");
    }
}

/// The names of the objects that are asked for, and whether their keys hold their checksums.
fn names(platform: &Platform) -> Vec<String> {
    let prefix = platform.identity.bucket_prefix();
    let name = |object: &Object| {
        assert_eq!(object.sha256, Sha256::of(&object.body));
        let key = object.key.strip_prefix(&prefix).unwrap();
        key.replace(&*object.sha256, "SHA")
    };
    wanted(platform).objects.iter().map(name).collect()
}

#[test]
fn the_archives_that_are_asked_for_are_there_and_no_others() {
    const TEMPLATE: &str = "templates/jenkins-git-v1/SHA.yaml";
    let both = BTreeSet::from([RepositoryRole::Build, RepositoryRole::Endpoint]);
    let rows = [
        ("no seed code", Seeds::default(), vec![TEMPLATE]),
        ("archives of users' own alone", Seeds { any: true, ..Seeds::default() }, vec![TEMPLATE, "bootstrap/SHA.zip"]),
        (
            "that of two repositories",
            Seeds { any: true, bundled: both },
            vec![TEMPLATE, "bootstrap/SHA.zip", "seed/build/SHA.zip", "seed/endpoint/SHA.zip"],
        ),
    ];
    for (case, seeds, wanted) in rows {
        let platform = Platform { seeds, ..platform(true) };
        assert_eq!(names(&platform), wanted, "{case}");
    }
}

#[test]
fn after_a_lost_key_what_a_project_may_still_name_is_sealed_anew_too() {
    let before = platform(true);
    let mut platform = platform(true);
    platform.identity.seals = Seals::new(FingerprintKey::new("a new one"), true);
    let key = format!("{}seed/build/old.zip", platform.identity.bucket_prefix());
    let mut observed = as_declared(&platform);
    let tags = before.identity.owner_tags(Owned::Artifacts);
    observed.objects.push(ObservedObject { key, sha256: None, tags });
    let goal = Goal::Present(wanted(&platform));
    assert_eq!(told(&platform, &goal, &Observed::Present(observed)), "tag-object/Drifted");
}

#[test]
fn what_a_project_may_still_name_stays_and_an_old_template_goes() {
    let platform = platform(false);
    let prefix = platform.identity.bucket_prefix();
    let ours = || platform.identity.owner_tags(Owned::Artifacts);
    let rows = [
        ("an earlier template", "templates/jenkins-git-v1/old.yaml", ours(), "delete-objects/SpecChanged"),
        ("seed code of an earlier operator", "seed/build/old.zip", ours(), "InSync"),
        ("a check-in of an earlier operator", "bootstrap/old.zip", ours(), "InSync"),
        ("what is no archive", "seeds.zip", ours(), "delete-objects/SpecChanged"),
        ("what the operator did not put there", "theirs.csv", BTreeMap::new(), "InSync"),
    ];
    for (case, key, tags, told_so) in rows {
        let mut observed = as_declared(&platform);
        let object = ObservedObject { key: format!("{prefix}{key}"), sha256: None, tags };
        observed.objects.push(object);
        let goal = Goal::Present(wanted(&platform));
        assert_eq!(told(&platform, &goal, &Observed::Present(observed)), told_so, "{case}");
    }
}

#[test]
fn what_is_the_triggers_is_told_from_what_is_the_buckets_and_a_list_goes_past_it() {
    let id = platform(true).identity;
    let prefix = id.bucket_prefix();
    let rows = [
        ("routes/taxi-p-1.json", true, "routes0"),
        ("events/taxi-p-1/2026-e", true, "events0"),
        ("starting/2026-e/deploy", true, "starting0"),
        ("templates/own/1.yaml", false, "templates/own/1.yaml"),
        ("routesother/x", false, "routesother/x"),
    ];
    for (name, of_the_trigger, after) in rows {
        let key = format!("{prefix}{name}");
        assert_eq!(is_of_the_trigger(&id, &key), of_the_trigger, "{name}");
        assert_eq!(goes_on_after(&id, &key), format!("{prefix}{after}"), "{name}");
        assert!(!of_the_trigger || goes_on_after(&id, &key) > key, "{name}");
    }
    assert!(!is_of_the_trigger(&id, "routes/taxi-p-1.json"), "only under our prefix");
}
