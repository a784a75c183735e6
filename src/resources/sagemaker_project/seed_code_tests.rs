//! Seed code as parameters: what each source asks for, and which archives a project keeps when the operator is newer.

use super::*;
use crate::crd::status::Reason;
use crate::domain::project::{Repository, SeedCode};
use crate::fixture::{placed, platform};

const FOLDER: &str = "s3://mlops-artifacts/";

/// A project whose build repository gets this seed code, and the others none.
fn seeding(seed_code: SeedCode) -> Project {
    let mut owner = owner();
    placed(&mut owner, |placement| placement.bucket = "mlops-artifacts".into());
    platform(&mut owner).roles.usage = role("use");
    owner.repositories.build.seed_code = seed_code;
    owner
}

fn given(owner: &Project) -> BTreeMap<String, String> {
    let plain = |(name, value): (String, ParameterValue)| match value {
        ParameterValue::Plain(text) => (name, text),
        ParameterValue::Sealed(_) => (name, "sealed".to_owned()),
    };
    SagemakerProject::desired(owner, &target()).parameters.into_iter().map(plain).collect()
}

/// A project that was launched with these parameters and tags as it asked for.
fn launched(owner: &Project) -> ObservedProject {
    let wanted = SagemakerProject::desired(owner, &target());
    ObservedProject { parameters: given(owner), tags: wanted.tags, ..project("CreateCompleted") }
}

/// What is done with a project that is as `observed` where `owner` asks for something: the decision and the parameters of
/// the update, if there is one.
fn update(owner: &Project, observed: ObservedProject) -> (String, BTreeMap<String, String>) {
    let goal = Goal::Present(SagemakerProject::desired(owner, &target()));
    let observed = Observed { project: Some(observed), data: None };
    let decision = SagemakerProject::decide(&owner.identity, &goal, &observed, at(NOW), &written_down());
    let mut parameters = BTreeMap::new();
    if let Decision::Act(steps) = &decision {
        for step in steps {
            if let Action::Update { provisioning: Some((_, given)), .. } = &step.action {
                for (name, value) in given {
                    let ParameterValue::Plain(text) = value else { panic!("{name} is sealed") };
                    parameters.insert(name.clone(), text.clone());
                }
            }
        }
    }
    (said(decision), parameters)
}

/// The same project as an operator has made it that bundled other archives.
fn of_an_earlier_operator(owner: &Project) -> ObservedProject {
    let mut observed = launched(owner);
    for (name, value) in &mut observed.parameters {
        if name.ends_with("SeedCodeSha256") && !value.is_empty() {
            *value = "0".repeat(64);
        } else if let Some(at) = value.rfind('/').filter(|_| value.ends_with(".zip")) {
            *value = format!("{}/{}.zip", &value[..at], "0".repeat(64));
        }
    }
    observed
}

#[test]
fn the_fingerprint_of_a_seeded_project_is_the_same_in_every_release() {
    let seeded = SagemakerProject::desired(&seeding(SeedCode::BuiltIn), &target());
    assert!(!seeded.bundled.is_empty(), "archives of the operator's own are among the parameters");
    assert_eq!(
        seeded.fingerprint, "7b5130dae6f273404933ee301696a989",
        "with another one, an upgrade updates every project that exists"
    );
}

#[test]
fn each_source_of_seed_code_has_its_parameters() {
    let sha256 = sum_of('a');
    let archive = SeedCode::Archive { url: "https://example.com/seed.zip".into(), sha256: sha256.clone() };
    let bundled = &crate::domain::project::RepositoryRole::Build.bundled_archive().sha256;
    let folder = format!("{FOLDER}{}seed/build/", identity().bucket_prefix());
    let rows = [
        ("none", SeedCode::None, "false", String::new(), "", ""),
        ("built in", SeedCode::BuiltIn, "true", format!("{folder}{bundled}.zip"), bundled.as_str(), "mlops-artifacts"),
        ("an archive", archive, "true", "https://example.com/seed.zip".into(), &sha256, "mlops-artifacts"),
    ];
    for (case, seed_code, required, url, sum, bucket) in rows {
        let given = given(&seeding(seed_code));
        assert_eq!(given["ModelBuildCodeRepositoryIsSeedcodeRequired"], required, "{case}");
        assert_eq!(given["ModelBuildCodeRepositorySeedCodeUrl"], url, "{case}");
        assert_eq!(given["ModelBuildCodeRepositorySeedCodeSha256"], sum, "{case}");
        assert_eq!(given["SeedCodeBootstrapBucket"], bucket, "{case}");
        assert_eq!(given["SeedCodeBootstrapKey"].is_empty(), bucket.is_empty(), "{case}");
        assert_eq!(given["UseRoleArn"], "arn:aws:iam::111122223333:role/use", "{case}");
        assert_eq!(given["CheckInRoleArn"], "", "{case}: the template's own default stands, the use role");
        assert_eq!(given["ModelDeployCodeRepositoryIsSeedcodeRequired"], "false", "{case}");
    }
}

#[test]
fn seed_code_is_checked_in_as_the_role_that_is_named_for_it_or_not_at_all() {
    let rows = [
        ("a template that takes the role", SeedCode::BuiltIn, true, None),
        ("one that does not, and would use the use role", SeedCode::BuiltIn, false, Some(Reason::UnknownParameter)),
        ("one that does not, without seed code", SeedCode::None, false, None),
    ];
    for (case, seed_code, takes, problem) in rows {
        let mut owner = seeding(seed_code);
        platform(&mut owner).roles.check_in = Some(role("check-in"));
        if !takes {
            let text = owner.platform.catalog.template.text.replace("CheckInRoleArn", "SomeOtherRoleArn");
            let template = owner.platform.catalog.template.with_text(&text);
            platform(&mut owner).catalog.template = template;
        }
        let desired = SagemakerProject::desired(&owner, &target());
        assert_eq!(desired.problem.map(|problem| problem.reason), problem, "{case}");
        let sent = given(&owner).remove("CheckInRoleArn");
        assert_eq!(sent.as_deref(), takes.then_some("arn:aws:iam::111122223333:role/check-in"), "{case}");
    }
}

#[test]
fn a_project_without_endpoint_repository_says_so_in_full() {
    let group = |given: &BTreeMap<String, String>| -> Vec<String> {
        let parts = ["Url", "Branch", "Fullname", "CodestarConnectionArn", "IsSeedcodeRequired", "SeedCodeUrl"];
        parts.map(|part| given[&format!("ModelDeployEndpointCodeRepository{part}")].clone()).to_vec()
    };
    let mut owner = seeding(SeedCode::None);
    assert_eq!(group(&given(&owner)), ["", "main", "", "", "false", ""]);
    owner.repositories.endpoint = Some(Repository { branch: "live".into(), ..owner.repositories.deploy.clone() });
    let deploy = owner.repositories.deploy.clone();
    assert_eq!(group(&given(&owner)), [&deploy.url, "live", &deploy.full_name, &deploy.connection_arn, "false", ""]);
}

#[test]
fn newer_archives_alone_update_no_project() {
    let owner = seeding(SeedCode::BuiltIn);
    let earlier = of_an_earlier_operator(&owner);
    assert_ne!(earlier.parameters, launched(&owner).parameters);
    assert_eq!(update(&owner, earlier).0, "in sync p-abc");
}

#[test]
fn an_update_for_another_reason_keeps_the_archives_of_the_project() {
    let mut owner = seeding(SeedCode::BuiltIn);
    let earlier = of_an_earlier_operator(&owner);
    owner.repositories.deploy.branch = "release".into();
    let (decision, parameters) = update(&owner, earlier.clone());
    assert!(decision.starts_with("Update SpecChanged: update version and parameters"), "{decision}");
    assert_eq!(parameters["ModelDeployCodeRepositoryBranch"], "release");
    for name in
        ["ModelBuildCodeRepositorySeedCodeUrl", "ModelBuildCodeRepositorySeedCodeSha256", "SeedCodeBootstrapKey"]
    {
        assert_eq!(parameters[name], earlier.parameters[name], "{name}");
    }
}

#[test]
fn what_a_user_changes_about_seed_code_is_an_ordinary_update() {
    let archive = |digit: char| SeedCode::Archive { url: "s3://own/seed.zip".into(), sha256: sum_of(digit) };
    let sha256 = "ModelBuildCodeRepositorySeedCodeSha256";
    let newest = given(&seeding(SeedCode::BuiltIn))[sha256].clone();
    let rows = [
        ("no longer wanted", SeedCode::BuiltIn, SeedCode::None, String::new()),
        ("an archive of the user's own", SeedCode::BuiltIn, archive('1'), "1".repeat(64)),
        ("another archive", archive('1'), archive('2'), "2".repeat(64)),
        ("the built-in code after all", SeedCode::None, SeedCode::BuiltIn, newest.clone()),
        ("the built-in code in the place of an archive", archive('1'), SeedCode::BuiltIn, newest),
    ];
    for (case, before, after, wanted) in rows {
        let observed = launched(&seeding(before));
        let (decision, parameters) = update(&seeding(after), observed);
        assert!(decision.starts_with("Update SpecChanged: update version and parameters"), "{case}: {decision}");
        assert_eq!(parameters[sha256], wanted, "{case}");
    }
}

#[test]
fn an_archive_that_no_operator_has_named_is_not_kept() {
    let owner = seeding(SeedCode::BuiltIn);
    let right = launched(&owner).parameters["ModelBuildCodeRepositorySeedCodeUrl"].clone();
    let foreign = ["s3://another/seed.zip".to_owned(), right.replace(".zip", ".tar"), format!("{FOLDER}seed.zip")];
    for url in foreign {
        let mut observed = launched(&owner);
        observed.parameters.insert("ModelBuildCodeRepositorySeedCodeUrl".into(), url.clone());
        let (decision, parameters) = update(&owner, observed);
        assert!(decision.starts_with("Update Drifted"), "{url}: {decision}");
        assert_eq!(parameters["ModelBuildCodeRepositorySeedCodeUrl"], right, "{url}");
    }
}

#[test]
fn a_failed_update_is_tried_again_with_the_newest_archives() {
    let owner = seeding(SeedCode::BuiltIn);
    let failed =
        ObservedProject { status: Status::UpdateFailed, modified: at(NOW - 600), ..of_an_earlier_operator(&owner) };
    let (decision, parameters) = update(&owner, failed);
    assert!(decision.starts_with("Update ProjectUpdateFailed"), "{decision}");
    assert_eq!(parameters, given(&owner));
}

#[test]
fn a_failed_check_in_says_what_to_correct() {
    let rows = [
        ("ModelBuildSeedCodeCheckIn: the branch main is protected", true),
        ("MlOpsArtifactsBucket: SeedCodeCheckIn is in its name", false),
        ("", false),
    ];
    for (cause, about_repositories) in rows {
        let observed = ObservedProject { cause: cause.into(), modified: at(NOW - 5), ..project("CreateFailed") };
        let goal = Goal::Present(wanted());
        let observed = Observed { project: Some(observed), data: None };
        match SagemakerProject::decide(&identity(), &goal, &observed, at(NOW), &written_down()) {
            Decision::Stuck(Problem { reason: Reason::ProjectFailed, message, hint, .. }) => {
                assert!(message.contains(cause) && hint.contains("the operator then"), "{cause}: {message}; {hint}");
                assert_eq!(hint.contains("spec.repositories"), about_repositories, "{cause}: {hint}");
            }
            _ => panic!("{cause}: not stuck"),
        }
    }
}

#[test]
fn a_template_that_checks_no_code_in_gets_none_and_an_archive_for_it_is_refused() {
    let text =
        "Parameters: {SageMakerProjectName: {Type: String}, SageMakerProjectId: {Type: String}}\nResources: {}\n";
    let archive = SeedCode::Archive { url: "s3://own/seed.zip".into(), sha256: sum_of('1') };
    for (case, seed_code, stuck) in [("built in", SeedCode::BuiltIn, false), ("an archive", archive, true)] {
        let mut owner = seeding(seed_code);
        let template = crate::domain::platform::Template::new("own", "of ConfigMap ours".into(), text.into());
        owner.repositories = owner.repositories.clone().fitted(|name| template.declared.contains_key(name));
        platform(&mut owner).catalog.template = template;
        assert_eq!(owner.repositories.seeded(), stuck, "{case}");
        let problem = SagemakerProject::desired(&owner, &target()).problem;
        let message = problem.map(|problem| problem.message).unwrap_or_default();
        assert_eq!(message.contains("it checks no seed code into repositories.build"), stuck, "{case}: {message}");
    }
}
