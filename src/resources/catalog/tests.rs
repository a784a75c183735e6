//! One row for each state and reason of the catalog product: what was seen, and what is done about it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::crd::identifiers::Sha256;
use crate::crd::status::Intent;
use crate::domain::identity::{Owned, OwnerKey};
use crate::domain::problem::Problem;
use crate::fixture::{elsewhere, place, portfolio_id, product_id, role_arn, seals, sum_of};

const SHA: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const ROLE: &str = "arn:aws:iam::111122223333:role/launch";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn identity() -> Identity {
    let owner = OwnerKey { cluster: "c".into(), kind: "MlopsProject".into(), namespace: "n".into(), name: "p".into() };
    Identity { owner, placement: place(), seals: seals() }
}

fn sum(text: &str) -> Sha256 {
    Sha256::parse(text).unwrap()
}

fn principal(arn: &str) -> Principal {
    Principal { arn: arn.into(), kind: "IAM".into() }
}

fn desired() -> Desired {
    let tags: BTreeMap<String, String> = identity().owner_tags(Owned::Portfolio);
    let mut product_tags = identity().owner_tags(Owned::Product);
    product_tags.insert("sagemaker:studio-visibility".into(), "true".into());
    Desired {
        portfolio: Portfolio { name: "team".into(), provider: "platform".into(), description: String::new(), tags },
        product: Product {
            name: "churn".into(),
            owner: "platform".into(),
            description: String::new(),
            support_description: String::new(),
            support_email: String::new(),
            support_url: String::new(),
            tags: product_tags,
        },
        version: Version { sha256: sum(SHA), url: "https://b.s3.us-east-1.amazonaws.com/t.yaml".into() },
        launch_role: role_arn(ROLE),
        principals: BTreeSet::from([principal("operator")]),
    }
}

fn version(id: &str, sha256: &str) -> ObservedVersion {
    let wanted = Version { sha256: sum(sha256), url: String::new() };
    ObservedVersion {
        id: id.into(),
        name: wanted.name(),
        description: wanted.description(),
        active: true,
        deprecated: false,
        provisioning_status: ProvisioningStatus::Ready,
    }
}

fn observed() -> Observed {
    let Desired { portfolio, product, principals, .. } = desired();
    Observed {
        portfolio: Some(ObservedPortfolio {
            id: portfolio_id("port-1"),
            name: portfolio.name,
            provider: portfolio.provider,
            description: portfolio.description,
            tags: portfolio.tags,
        }),
        product: Some(ObservedProduct {
            id: product_id("prod-1"),
            provisioning_status: ProvisioningStatus::Ready,
            name: product.name,
            owner: product.owner,
            description: product.description,
            support_description: product.support_description,
            support_email: product.support_email,
            support_url: product.support_url,
            tags: product.tags,
        }),
        versions: vec![version("pa-1", SHA)],
        associated: true,
        constraint: Some(ObservedConstraint {
            id: "cons-1".into(),
            provisioning_status: ProvisioningStatus::Ready,
            role_arn: Some(ROLE.into()),
        }),
        other_constraints: Vec::new(),
        principals,
        launch_path: LaunchPath::Open,
        twins: Vec::new(),
        missing: Vec::new(),
    }
}

fn intent(resource: &str, n: i32, id: Option<&str>) -> Intent {
    Intent { resource: resource.into(), n, id: id.map(Into::into) }
}

/// Everything is written down.
fn attempts() -> Attempts {
    let ids = [
        (resource_name::PORTFOLIO, "port-1"),
        (resource_name::PRODUCT, "prod-1"),
        (resource_name::VERSION, "pa-1"),
        (resource_name::CONSTRAINT, "cons-1"),
    ];
    Attempts {
        intents: ids.iter().map(|(resource, id)| intent(resource, 0, Some(id))).collect(),
        ..Attempts::default()
    }
}

/// A decision in one line: what it is, why, and the summaries of its steps with the numbers of their intents.
fn told(decision: Decision<Action, ProvisioningTarget>) -> String {
    match decision {
        Decision::InSync(output) => {
            format!("in sync: {} {} {}", output.portfolio_id, output.product_id, output.artifact_id)
        }
        Decision::Gone | Decision::GoneBut(_) => "gone".into(),
        Decision::Act(steps) => {
            let steps = steps.into_iter().map(|step| {
                let n = step.intent.map(|intent| format!(" #{}", intent.n)).unwrap_or_default();
                format!("{:?}: {}{n}", step.reason, step.summary)
            });
            steps.collect::<Vec<_>>().join("; ")
        }
        Decision::Wait(Wait { reason, .. }) => format!("wait: {reason}"),
        Decision::Stuck(Problem { reason, hint, .. }) => {
            assert!(!hint.is_empty());
            format!("stuck: {reason}")
        }
    }
}

type Scene = fn(&mut Desired, &mut Observed, &mut Attempts);

/// Each row changes what was seen of a product that is all as declared, and says what is decided then.
fn check(rows: &[(&str, Scene, &str)]) {
    for (what, change, expected) in rows {
        let (mut desired, mut observed, mut attempts) = (desired(), observed(), attempts());
        change(&mut desired, &mut observed, &mut attempts);
        let decision = CatalogProduct::decide(&identity(), &Goal::Present(desired), &observed, at(0), &attempts);
        assert_eq!(told(decision), *expected, "{what}");
    }
}

#[test]
fn the_portfolio() {
    check(&[
        (
            "a portfolio that is gone for longer than reads lag is made under the next number",
            |_, observed, attempts| {
                observed.portfolio = None;
                observed.missing = vec!["port-1".into()];
                attempts.missing_since.insert("port-1".into(), at(-15));
                observed.associated = false;
                observed.constraint = None;
                observed.principals.clear();
            },
            "Missing: create portfolio \"team\" #1",
        ),
        (
            "a renamed portfolio is updated, not replaced",
            |desired, _, _| desired.portfolio.name = "crew".into(),
            "Drifted: update portfolio \"crew\": name",
        ),
        (
            "somebody added a tag to the portfolio and changed its provider",
            |_, observed, _| {
                let portfolio = observed.portfolio.as_mut().unwrap();
                portfolio.tags.insert("x".into(), "y".into());
                portfolio.provider = "z".into();
            },
            "Drifted: update portfolio \"team\": provider name",
        ),
        (
            "tags of AWS itself are left alone",
            |_, observed, _| {
                observed.portfolio.as_mut().unwrap().tags.insert("aws:x".into(), "y".into());
            },
            "in sync: port-1 prod-1 pa-1",
        ),
    ]);
}

#[test]
fn the_product() {
    check(&[
        (
            "the product lost its visibility and its support address changes",
            |desired, observed, _| {
                desired.product.support_email = "help@example.com".into();
                observed.product.as_mut().unwrap().tags.remove("sagemaker:studio-visibility");
            },
            "Drifted: update product \"churn\": support email, tags",
        ),
        (
            "the product is still being created: what needs it waits, principals do not",
            |_, observed, _| {
                observed.product.as_mut().unwrap().provisioning_status = ProvisioningStatus::Creating;
                observed.principals.clear();
                observed.associated = false;
            },
            "Missing: let operator launch",
        ),
        (
            "the product is still being created",
            |_, observed, _| observed.product.as_mut().unwrap().provisioning_status = ProvisioningStatus::Creating,
            "wait: Progressing",
        ),
        (
            "the product could not be created: it goes with what hangs on it",
            |_, observed, _| observed.product.as_mut().unwrap().provisioning_status = ProvisioningStatus::Failed,
            "Deleting: delete constraint cons-1; Deleting: take product prod-1 out of portfolio port-1; \
             CatalogFailed: delete product \"churn\"",
        ),
        (
            "the product could not be created, twice",
            |_, observed, attempts| {
                observed.product.as_mut().unwrap().provisioning_status = ProvisioningStatus::Failed;
                (attempts.failed_creations, attempts.last_failed_creation) = (2, Some(at(-59)));
            },
            "stuck: CatalogFailed",
        ),
        (
            "the product could not be created, twice, a minute ago",
            |_, observed, attempts| {
                (observed.constraint, observed.associated) = (None, false);
                observed.product.as_mut().unwrap().provisioning_status = ProvisioningStatus::Failed;
                (attempts.failed_creations, attempts.last_failed_creation) = (2, Some(at(-60)));
            },
            "CatalogFailed: delete product \"churn\"",
        ),
    ]);
}

#[test]
fn the_version() {
    check(&[
        (
            "a new template gets a version of its own under the next number",
            |desired, _, _| desired.version.sha256 = sum_of('a'),
            "Missing: create version v-aaaaaaaaaaaa #1",
        ),
        (
            "the version's create was announced but its id is not known",
            |desired, _, attempts| {
                desired.version.sha256 = sum_of('a');
                attempts.intents.retain(|intent| intent.resource != resource_name::VERSION);
                attempts.intents.push(intent(resource_name::VERSION, 4, None));
            },
            "Missing: create version v-aaaaaaaaaaaa #4",
        ),
        (
            "the new version is being created: the old one stays as it is",
            |desired, observed, _| {
                desired.version.sha256 = sum_of('a');
                observed.versions.push(ObservedVersion {
                    provisioning_status: ProvisioningStatus::Creating,
                    ..version("pa-2", &"a".repeat(64))
                });
            },
            "wait: Progressing",
        ),
        (
            "the new version is ready: the old one is deprecated",
            |desired, observed, attempts| {
                desired.version.sha256 = sum_of('a');
                observed.versions.push(version("pa-2", &"a".repeat(64)));
                attempts.intents.retain(|intent| intent.resource != resource_name::VERSION);
                attempts.intents.push(intent(resource_name::VERSION, 1, Some("pa-2")));
            },
            "SpecChanged: deprecate version v-0123456789ab (pa-1)",
        ),
        (
            "a version that somebody else made is left alone",
            |_, observed, _| {
                observed.versions.push(ObservedVersion {
                    description: "mine".into(),
                    name: "v9".into(),
                    ..version("pa-9", SHA)
                });
            },
            "in sync: port-1 prod-1 pa-1",
        ),
    ]);
}

#[test]
fn a_version_that_is_not_as_it_should_be() {
    check(&[
        (
            "the version was switched off and renamed",
            |_, observed, _| {
                observed.versions[0].active = false;
                observed.versions[0].name = "x".into();
            },
            "Drifted: update version v-0123456789ab: name, active",
        ),
        (
            "the version was deprecated",
            |_, observed, _| observed.versions[0].deprecated = true,
            "Drifted: update version v-0123456789ab: guidance",
        ),
        (
            "the version could not be created and is not the last",
            |_, observed, _| {
                observed
                    .versions
                    .push(ObservedVersion { provisioning_status: ProvisioningStatus::Failed, ..version("pa-2", SHA) });
                observed.versions.remove(0);
                observed.versions.push(version("pa-0", &"b".repeat(64)));
            },
            "CatalogFailed: delete version v-0123456789ab (pa-2)",
        ),
        (
            "the last version could not be created",
            |_, observed, _| observed.versions[0].provisioning_status = ProvisioningStatus::Failed,
            "stuck: CatalogFailed",
        ),
    ]);
}

#[test]
fn what_ties_them() {
    check(&[
        (
            "the product is in no portfolio of ours, without constraint or principal: all in one go",
            |_, observed, attempts| {
                (observed.associated, observed.constraint) = (false, None);
                observed.principals.clear();
                attempts.intents.retain(|intent| intent.resource != resource_name::CONSTRAINT);
            },
            "Missing: let operator launch; Missing: put product prod-1 into portfolio port-1; \
             Missing: create launch constraint with role arn:aws:iam::111122223333:role/launch #0",
        ),
        (
            "a foreign principal leaves, a wanted one comes",
            |desired, observed, _| {
                desired.principals.insert(principal("new"));
                observed.principals.insert(principal("old"));
            },
            "Missing: let new launch; Drifted: let old launch no more",
        ),
        (
            "the launch role changed",
            |_, observed, _| observed.constraint.as_mut().unwrap().role_arn = None,
            "Drifted: update launch constraint: role arn:aws:iam::111122223333:role/launch",
        ),
        (
            "the constraint is being created",
            |_, observed, _| observed.constraint.as_mut().unwrap().provisioning_status = ProvisioningStatus::Creating,
            "wait: Progressing",
        ),
        (
            "the constraint could not be created",
            |_, observed, _| observed.constraint.as_mut().unwrap().provisioning_status = ProvisioningStatus::Failed,
            "CatalogFailed: delete constraint cons-1",
        ),
        (
            "the constraint could not be created, again and again",
            |_, observed, attempts| {
                observed.constraint.as_mut().unwrap().provisioning_status = ProvisioningStatus::Failed;
                (attempts.failed_creations, attempts.last_failed_creation) = (3, Some(at(0)));
            },
            "stuck: CatalogFailed",
        ),
        (
            "a deleted constraint is made under the next number",
            |_, observed, attempts| {
                observed.constraint = None;
                observed.missing = vec!["cons-1".into()];
                attempts.missing_since.insert("cons-1".into(), at(-20));
            },
            "Missing: create launch constraint with role arn:aws:iam::111122223333:role/launch #1",
        ),
    ]);
}

#[test]
fn the_whole() {
    check(&[
        ("all is as declared", |_, _, _| {}, "in sync: port-1 prod-1 pa-1"),
        (
            "another installation's portfolio is neither changed nor made a second time",
            |_, observed, _| {
                let tags = elsewhere(&identity()).owner_tags(Owned::Portfolio);
                observed.portfolio.as_mut().unwrap().tags.extend(tags);
            },
            "stuck: ClusterClaimed",
        ),
        (
            "nor its product",
            |_, observed, _| {
                let tags = elsewhere(&identity()).owner_tags(Owned::Product);
                observed.product.as_mut().unwrap().tags.extend(tags);
            },
            "stuck: ClusterClaimed",
        ),
        (
            "nothing exists and nothing was tried: both shelves at once",
            |_, observed, attempts| {
                *observed = Observed::default();
                attempts.intents.clear();
            },
            "Missing: create portfolio \"team\" #0; Missing: create product \"churn\" #0",
        ),
        (
            "the create was announced but its id is not known: the same create again",
            |_, observed, attempts| {
                observed.portfolio = None;
                attempts.intents = vec![intent(resource_name::PORTFOLIO, 3, None)];
                observed.product = None;
            },
            "Missing: create portfolio \"team\" #3; Missing: create product \"churn\" #0",
        ),
        (
            "what was just made does not show yet",
            |_, observed, _| {
                *observed = Observed { missing: vec!["port-1".into(), "prod-1".into()], ..Observed::default() };
            },
            "wait: ConfirmingAbsence",
        ),
        (
            "ids that the status lost are written down again",
            |_, _, attempts| attempts.intents.clear(),
            "Drifted: write down that port-1 is ours #0; Drifted: write down that prod-1 is ours #0; \
             Drifted: write down that pa-1 is ours #0; Drifted: write down that cons-1 is ours #0",
        ),
        (
            "more tags than Service Catalog takes",
            |desired, _, _| {
                desired.product.tags.extend((0..17).map(|n| (format!("k{n}"), "v".to_owned())));
            },
            "stuck: InvalidSpec",
        ),
    ]);
}

#[test]
fn the_launch_path() {
    check(&[
        ("none leads to it yet", |_, observed, _| observed.launch_path = LaunchPath::None, "wait: Propagating"),
        (
            "the operator may not ask yet",
            |_, observed, _| observed.launch_path = LaunchPath::Denied,
            "wait: Propagating",
        ),
        (
            "none comes within the time that AWS needs",
            |_, observed, attempts| {
                observed.launch_path = LaunchPath::None;
                attempts.propagating_since = Some(at(-120));
            },
            "stuck: NoLaunchPath",
        ),
        (
            "the denial stays",
            |_, observed, attempts| {
                observed.launch_path = LaunchPath::Denied;
                attempts.propagating_since = Some(at(-120));
            },
            "stuck: AccessDenied",
        ),
        (
            "it came at last",
            |_, _, attempts| attempts.propagating_since = Some(at(-120)),
            "in sync: port-1 prod-1 pa-1",
        ),
    ]);
}

type Removal = fn(&mut Observed, &mut Attempts);

#[test]
fn absent() {
    let gone: Removal =
        |observed, _| *observed = Observed { missing: vec!["port-1".into(), "prod-1".into()], ..Observed::default() };
    assert_eq!(removal(gone), "wait: ConfirmingAbsence", "the ids do not exist, but reads lag");
    let cases: Vec<(&str, Removal, &str)> = vec![
        (
            "all of it goes, from the outside in",
            |observed, _| observed.other_constraints.push("cons-2".into()),
            "Deleting: delete constraint cons-1; Deleting: delete constraint cons-2; Deleting: let operator launch no more; \
             Deleting: take product prod-1 out of portfolio port-1; Deleting: delete portfolio \"team\"",
        ),
        (
            "only the portfolio is left",
            |observed, _| *observed = Observed { portfolio: observed.portfolio.take(), ..Observed::default() },
            "Deleting: delete portfolio \"team\"",
        ),
        (
            "only the product is left",
            |observed, _| *observed = Observed { product: observed.product.take(), ..Observed::default() },
            "Deleting: delete product \"churn\"",
        ),
        (
            "the ids do not exist for longer than reads lag",
            |observed, attempts| {
                *observed = Observed { missing: vec!["port-1".into(), "prod-1".into()], ..Observed::default() };
                attempts.missing_since.extend([("port-1".to_owned(), at(-15)), ("prod-1".to_owned(), at(-15))]);
            },
            "gone",
        ),
        (
            "the ids were seen in this process and do not exist any more",
            |observed, attempts| {
                *observed = Observed { missing: vec!["port-1".into(), "prod-1".into()], ..Observed::default() };
                attempts.sighted = BTreeSet::from(["port-1".into(), "prod-1".into()]);
            },
            "gone",
        ),
        (
            "nothing is written down and nothing found: lists lag",
            |observed, attempts| {
                *observed = Observed::default();
                (attempts.intents, attempts.absent_since) = (Vec::new(), Some(at(-14)));
            },
            "wait: ConfirmingAbsence",
        ),
        (
            "nothing is written down and nothing found for longer than lists lag",
            |observed, attempts| {
                *observed = Observed::default();
                (attempts.intents, attempts.absent_since) = (Vec::new(), Some(at(-15)));
            },
            "gone",
        ),
        (
            "a product was announced and is not found: lists lag",
            |observed, attempts| {
                *observed = Observed { missing: vec!["port-1".into()], ..Observed::default() };
                attempts.missing_since.insert("port-1".into(), at(-15));
                attempts.intents =
                    vec![intent(resource_name::PORTFOLIO, 0, Some("port-1")), intent(resource_name::PRODUCT, 0, None)];
                attempts.absent_since = Some(at(-10));
            },
            "wait: ConfirmingAbsence",
        ),
    ];
    for (what, scene, expected) in cases {
        assert_eq!(removal(scene), expected, "{what}");
    }
}

fn removal(scene: Removal) -> String {
    let (mut observed, mut attempts) = (observed(), attempts());
    scene(&mut observed, &mut attempts);
    told(CatalogProduct::decide(&identity(), &Goal::Absent, &observed, at(0), &attempts))
}

#[test]
fn a_status_of_aws_is_ready_failed_or_on_its_way() {
    let cases = [
        ("AVAILABLE", ProvisioningStatus::Ready),
        ("CREATED", ProvisioningStatus::Ready),
        ("FAILED", ProvisioningStatus::Failed),
        ("CREATING", ProvisioningStatus::Creating),
        ("NEW", ProvisioningStatus::Creating),
    ];
    for (status, provisioning_status) in cases {
        assert_eq!(ProvisioningStatus::parse(status), provisioning_status, "{status}");
    }
}

#[test]
fn old_versions_are_pruned_long_before_the_quota() {
    let mut observed = observed();
    for n in 0..25 {
        observed
            .versions
            .insert(0, ObservedVersion { deprecated: true, ..version(&format!("pa-old-{n}"), &format!("{n:064}")) });
    }
    let decision = CatalogProduct::decide(&identity(), &Goal::Present(desired()), &observed, at(0), &attempts());
    let told = told(decision);
    assert_eq!(told.matches("delete version").count(), 6, "{told}");
    assert!(told.contains("(pa-old-24)") && !told.contains("(pa-old-18)"), "the oldest go first: {told}");
}

#[test]
fn every_status_of_service_catalog_is_known() {
    use ProvisioningStatus::{Creating, Failed, Ready};
    let rows = [("AVAILABLE", Ready), ("CREATED", Ready), ("CREATING", Creating), ("FAILED", Failed)];
    for (status, expected) in rows {
        assert_eq!(ProvisioningStatus::parse(status), expected, "{status}");
    }
}
