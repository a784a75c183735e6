//! One row for each status of a project, each goal and each difference.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::civil::date;

use super::*;
use crate::crd::status::Intent;
use crate::crd::status::Placement;
use crate::crd::status::Reason;
use crate::domain::external_resource::{Amount, Step, Wait};
use crate::domain::identity::{FINGERPRINT_TAG, Owned, OwnerKey};
use crate::domain::platform::Template;
use crate::domain::secret::{SealedSecret, Secret};
use crate::fixture::{
    bare, bare_platform, elsewhere, place_in, platform, portfolio_id, product_id, repositories, role, seals, sum_of,
};
use crate::template_lint::{filled_by_operator, refusal};

const NOW: i64 = 1_800_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn identity() -> Identity {
    let owner = |text: &str| text.to_owned();
    Identity {
        owner: OwnerKey {
            cluster: owner("c"),
            kind: owner("MlopsProject"),
            namespace: owner("n"),
            name: owner("churn"),
        },
        placement: Placement { project_name: "churn".into(), ..place_in("us-east-1") },
        seals: seals(),
    }
}

fn sealed(text: &str) -> SealedSecret {
    SealedSecret { value: Secret::new(text), fingerprint: format!("f-{text}") }
}

fn owner() -> Project {
    let bare = bare(identity().placement);
    Project {
        platform: std::sync::Arc::new(bare_platform(identity())),
        identity: identity(),
        description: "churn of customers".into(),
        tags: BTreeMap::from([("team".into(), "red".into())]),
        repositories: repositories("arn:aws:codeconnections:us-east-1:111122223333:connection/c"),
        ..bare
    }
}

fn target() -> ProvisioningTarget {
    let text = |text: &str| text.to_owned();
    ProvisioningTarget {
        portfolio_id: portfolio_id("port-1"),
        product_id: product_id("prod-1"),
        artifact_id: text("pa-1"),
        artifact_name: text("v1"),
    }
}

fn wanted() -> Desired {
    SagemakerProject::desired(&owner(), &target())
}

/// The project as [`wanted`] asks for it, in a status it took up a minute ago.
fn project(status: &str) -> ObservedProject {
    let wanted = wanted();
    let plain = |value: &ParameterValue| match value {
        ParameterValue::Plain(text) => text.clone(),
        ParameterValue::Sealed(_) => "****".to_owned(),
    };
    ObservedProject {
        id: "p-abc".into(),
        arn: identity().project_arn(),
        description: wanted.description.clone(),
        status: Status::parse(status),
        cause: String::new(),
        left: Vec::new(),
        product_id: Some(product_id("prod-1")),
        of_our_product: false,
        artifact_id: Some("pa-1".into()),
        parameters: wanted.parameters.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        tags: wanted.tags,
        created: at(NOW - 120),
        modified: at(NOW - 60),
        seeded: None,
        provisioned_id: None,
        provisioned: None,
    }
}

/// The project's id stands in the status.
fn written_down() -> Attempts {
    let intent = Intent { resource: RESOURCE.into(), n: 0, id: Some("p-abc".into()) };
    Attempts { intents: vec![intent], ..Attempts::default() }
}

#[path = "seed_code_tests.rs"]
mod seed_code_tests;

/// A decision as one line.
fn said(decision: Decision<Action, Provisioned>) -> String {
    match decision {
        Decision::InSync(observed) => format!("in sync {}", observed.project_ref.project_id),
        Decision::Gone | Decision::GoneBut(_) => "gone".into(),
        Decision::Act(steps) => steps
            .iter()
            .map(|step| format!("{:?} {}: {}", step.change, step.reason, step.summary))
            .collect::<Vec<_>>()
            .join("; "),
        Decision::Wait(Wait { reason, message, since, early, .. }) => {
            let since = since.map_or(0, |since| NOW - since.as_second());
            format!("wait {reason} {since} s{}: {message}", if early.is_some() { " early" } else { "" })
        }
        Decision::Stuck(Problem { reason, message, .. }) => format!("stuck {reason}: {message}"),
    }
}

fn decide(goal: Goal<Desired>, observed: Observed, attempts: &Attempts) -> String {
    said(SagemakerProject::decide(&identity(), &goal, &observed, at(NOW), attempts))
}

type Edit = fn(&mut ObservedProject);

#[test]
fn each_status_has_its_move_while_the_project_is_wanted() {
    let none: Edit = |_| {};
    let other_fingerprint: Edit = |project| {
        project.tags.insert(FINGERPRINT_TAG.into(), "before".into());
    };
    let old: Edit = |project| project.modified = at(NOW - 600);
    let cases: [(&str, &str, Edit, &str); 18] = [
        ("pending", "Pending", none, "wait Progressing 120 s early: SageMaker is creating the project"),
        ("creating", "CreateInProgress", none, "wait Progressing 120 s early: SageMaker is creating the project"),
        ("created", "CreateCompleted", none, "in sync p-abc"),
        ("updating", "UpdateInProgress", none, "wait Progressing 60 s early: SageMaker is updating the project"),
        ("updated", "UpdateCompleted", none, "in sync p-abc"),
        (
            "being deleted by somebody",
            "DeleteInProgress",
            none,
            "wait Progressing 60 s: SageMaker is deleting the project",
        ),
        ("a record of a deleted one", "DeleteCompleted", none, "Create Missing: create SageMaker project \"churn\""),
        (
            "creation failed a moment ago",
            "CreateFailed",
            |project| {
                project.modified = at(NOW - 5);
                project.cause = "bucket exists".into();
            },
            "stuck ProjectFailed: SageMaker could not create the project \"churn\": bucket exists",
        ),
        (
            "creation failed, and AWS does not say why",
            "CreateFailed",
            |project| project.modified = at(NOW - 5),
            "stuck ProjectFailed: SageMaker could not create the project \"churn\", and AWS gives no cause",
        ),
        (
            "creation failed long enough ago",
            "CreateFailed",
            none,
            "Delete ProjectFailed: delete SageMaker project \"churn\", which could not be created",
        ),
        (
            "creation failed, and the spec has changed",
            "CreateFailed",
            |project| {
                project.modified = at(NOW - 5);
                project.tags.insert(FINGERPRINT_TAG.into(), "before".into());
            },
            "Delete ProjectFailed: delete SageMaker project \"churn\", which could not be created",
        ),
        (
            "the update failed",
            "UpdateFailed",
            |project| (project.cause, project.modified) = ("no such key".into(), at(NOW - 5)),
            "stuck ProjectUpdateFailed: SageMaker could not update the project \"churn\": no such key",
        ),
        (
            "the update failed long ago",
            "UpdateFailed",
            old,
            "Update ProjectUpdateFailed: update version and parameters of SageMaker project \"churn\"",
        ),
        (
            "the update failed, and the spec has changed",
            "UpdateFailed",
            other_fingerprint,
            "Update SpecChanged: update version and parameters of SageMaker project \"churn\"; Update Drifted: set tags mlops-operator.io/fingerprint of SageMaker project \"churn\"",
        ),
        (
            "a deletion failed",
            "DeleteFailed",
            |project| (project.cause, project.modified) = ("role is gone".into(), at(NOW - 5)),
            "stuck ProjectDeleteFailed: SageMaker could not delete the project \"churn\": role is gone",
        ),
        (
            "a deletion failed long ago",
            "DeleteFailed",
            old,
            "Delete ProjectDeleteFailed: delete SageMaker project \"churn\"",
        ),
        (
            "a status of the future",
            "Paused",
            none,
            "stuck Unexpected: the SageMaker project \"churn\" is in status Paused, which the operator does not know",
        ),
        (
            "somebody else's",
            "CreateCompleted",
            |project| (project.id, project.tags) = ("p-other".into(), BTreeMap::new()),
            "stuck ForeignOwner: the SageMaker project \"churn\" exists and belongs to somebody else",
        ),
    ];
    for (case, status, edit, expected) in cases {
        let mut project = project(status);
        edit(&mut project);
        let observed = Observed { project: Some(project), data: None };
        assert_eq!(decide(Goal::Present(wanted()), observed, &written_down()), expected, "{case}");
    }
    let absent = decide(Goal::Present(wanted()), Observed::default(), &written_down());
    assert_eq!(absent, "Create Missing: create SageMaker project \"churn\"");
}

#[test]
fn each_difference_has_its_update() {
    let cases: [(&str, Edit, &str); 9] = [
        (
            "another description",
            |project| project.description = String::new(),
            "Update SpecChanged: update description of SageMaker project \"churn\"",
        ),
        (
            "another version",
            |project| project.artifact_id = Some("pa-0".into()),
            "Update Drifted: update version and parameters of SageMaker project \"churn\"",
        ),
        (
            "another parameter",
            |project| {
                project.parameters.insert("ModelBuildCodeRepositoryBranch".into(), "old".into());
            },
            "Update Drifted: update version and parameters of SageMaker project \"churn\"",
        ),
        (
            "a parameter more",
            |project| {
                project.parameters.insert("ArtifactBucketKmsKeyArn".into(), "k".into());
            },
            "Update Drifted: update version and parameters of SageMaker project \"churn\"",
        ),
        (
            "another spec than that of the fingerprint, and another description",
            |project| {
                project.tags.insert(FINGERPRINT_TAG.into(), "before".into());
                project.description = String::new();
            },
            "Update SpecChanged: update version, parameters and description of SageMaker project \"churn\"; Update Drifted: set tags mlops-operator.io/fingerprint of SageMaker project \"churn\"",
        ),
        (
            "a tag with another value",
            |project| {
                project.tags.insert("team".into(), "blue".into());
            },
            "Update Drifted: set tags team of SageMaker project \"churn\"",
        ),
        (
            "a tag that an earlier spec asked for",
            |project| {
                project.tags.insert("cost".into(), "7".into());
                let record = format!(
                    "{}{}",
                    project.tags[&Owned::Project.record_tag()],
                    &crate::domain::identity::digest(&["cost"])[..5]
                );
                project.tags.insert(Owned::Project.record_tag(), record);
            },
            "Update SpecChanged: remove tags cost from SageMaker project \"churn\"; Update Drifted: set tags mlops-operator.io/project-tag-keys of SageMaker project \"churn\"",
        ),
        (
            "a tag of somebody else",
            |project| {
                project.tags.insert("their".into(), "own".into());
            },
            "in sync p-abc",
        ),
        (
            "another product",
            |project| project.product_id = Some(product_id("prod-0")),
            "stuck ImmutableRemote: the SageMaker project \"churn\" was launched from prod-0, the spec asks for prod-1, and SageMaker cannot change that",
        ),
    ];
    for (case, edit, expected) in cases {
        let mut project = project("CreateCompleted");
        edit(&mut project);
        let observed = Observed { project: Some(project), data: None };
        assert_eq!(decide(Goal::Present(wanted()), observed, &written_down()), expected, "{case}");
    }
}

#[test]
fn a_creation_that_fails_again_is_tried_ever_more_slowly_but_never_given_up() {
    for (failures, age, acts) in
        [(0, 29, false), (0, 30, true), (1, 59, false), (1, 60, true), (40, 21_599, false), (40, 21_600, true)]
    {
        let mut project = project("CreateFailed");
        project.modified = at(NOW - age);
        let attempts = Attempts { failed_creations: failures, ..written_down() };
        let observed = Observed { project: Some(project), data: None };
        let decision = decide(Goal::Present(wanted()), observed, &attempts);
        assert_eq!(decision.starts_with("Delete"), acts, "after {failures} failures and {age} s: {decision}");
    }
}

/// A complete project whose product is in this status.
fn with_product(status: ProductStatus, stack: Option<&str>) -> ObservedProject {
    let stack = stack.map(|status| ("arn:stack".to_owned(), status.to_owned()));
    let product = ProvisionedProduct { id: "pp-1".into(), status, message: "no".into(), stack };
    ObservedProject { provisioned: Some(product), ..project("UpdateCompleted") }
}

#[test]
fn each_status_of_the_provisioned_product_has_its_move() {
    let broken = |stack: &str| {
        format!("stuck ProjectFailed: the provisioned product pp-1 of SageMaker project \"churn\" is broken{stack}: no")
    };
    let changing = "wait Progressing 0 s early: Service Catalog is changing the project's product".to_owned();
    let again = "Update ProjectUpdateFailed: update version and parameters of SageMaker project \"churn\"".to_owned();
    let rows: [(&str, Option<&str>, String); 8] = [
        ("AVAILABLE", None, "in sync p-abc".into()),
        ("UNDER_CHANGE", None, changing.clone()),
        ("PLAN_IN_PROGRESS", None, changing),
        ("TAINTED", None, again.clone()),
        ("TAINTED", Some("UPDATE_ROLLBACK_COMPLETE"), again),
        ("TAINTED", Some("UPDATE_ROLLBACK_FAILED"), broken(" (stack in UPDATE_ROLLBACK_FAILED)")),
        ("ERROR", Some("ROLLBACK_FAILED"), broken(" (stack in ROLLBACK_FAILED)")),
        (
            "PAUSED",
            None,
            "stuck Unexpected: the provisioned product pp-1 of SageMaker project \"churn\" is in status PAUSED, which the operator does not know: no".into(),
        ),
    ];
    let decided =
        |project| decide(Goal::Present(wanted()), Observed { project: Some(project), data: None }, &written_down());
    for (status, stack, expected) in &rows {
        assert_eq!(decided(with_product(ProductStatus::parse(status), *stack)), *expected, "{status}");
    }
    let tried = |seconds: i64| {
        let attempts = Attempts { failed_changes: 2, last_act: Some(at(NOW - seconds)), ..written_down() };
        let project = Some(with_product(ProductStatus::Tainted, None));
        decide(Goal::Present(wanted()), Observed { project, data: None }, &attempts)
    };
    assert!(tried(59).starts_with("stuck ProjectUpdateFailed"), "tainted still after two updates: {}", tried(59));
    assert!(tried(60).starts_with("Update ProjectUpdateFailed"), "{}", tried(60));
    let gone = decided(with_product(ProductStatus::Terminated, None));
    assert!(gone.contains("was terminated outside: its stack is gone"), "{gone}");
}

#[test]
fn a_template_that_leaves_something_behind_each_time_is_not_tried_for_ever() {
    let left = |n: u32| Left { kind: "AWS::S3::Bucket".into(), id: format!("sagemaker-project-p-{n}") };
    let decided = |failures: u32, asked_anew: bool| {
        let mut project = project("CreateFailed");
        project.left = vec![left(failures)];
        let left_behind = (0..=failures).map(left).collect();
        let attempts = Attempts { failed_creations: failures, left_behind, asked_anew, ..written_down() };
        let goal = Goal::Present(wanted());
        SagemakerProject::decide(
            &identity(),
            &goal,
            &Observed { project: Some(project), data: None },
            at(NOW),
            &attempts,
        )
    };
    let first = said(decided(0, false));
    assert!(
        first.ends_with("AWS leaves behind what its template retains: AWS::S3::Bucket sagemaker-project-p-0"),
        "{first}"
    );
    let Decision::Stuck(Problem { message, hint, .. }) = decided(2, false) else { panic!("not stuck") };
    for n in 0..3 {
        assert!(message.contains(&left(n).id), "{message}");
        assert!(hint.contains(&format!("aws s3 rb s3://sagemaker-project-p-{n} --force")), "{hint}");
    }
    assert!(said(decided(2, true)).starts_with("Delete ProjectFailed"), "somebody has asked for it");
    let attempts = Attempts { left_behind: (0..2).map(left).collect(), ..written_down() };
    let observed = Observed { project: None, data: None };
    let gone = SagemakerProject::decide(&identity(), &Goal::Absent, &observed, at(NOW), &attempts);
    let Decision::GoneBut(stays) = gone else { panic!("not gone") };
    assert!((0..2).all(|n| stays.contains(&left(n).id)), "{stays}");
}

#[test]
fn only_ids_that_a_shell_takes_as_they_are_stand_in_a_command() {
    let removal = |kind: &str, id: &str| Left { kind: kind.into(), id: id.into() }.removal();
    assert_eq!(removal("AWS::S3::Bucket", "a-b.c").as_deref(), Some("aws s3 rb s3://a-b.c --force"));
    for id in ["a;b", "$(x)", "-rf", "a b", "a'b"] {
        assert_eq!(removal("AWS::S3::Bucket", id), None, "{id}");
    }
    assert_eq!(removal("AWS::SQS::Queue", "q"), None);
}

#[test]
fn what_the_template_does_not_take_is_said_before_anything_is_launched() {
    let plain = |text: &str| ParameterValue::Plain(text.to_owned());
    let cases = [
        (
            "unknown",
            "Colour",
            plain("x"),
            "stuck UnknownParameter: the template \"jenkins-git-v1\" declares no parameter Colour; it takes: ArtifactBucketKmsKeyArn",
        ),
        (
            "the operator's",
            "ModelBuildCodeRepositoryUrl",
            plain("x"),
            "stuck InvalidSpec: spec.parameters names ModelBuildCodeRepositoryUrl, which the operator fills in itself",
        ),
        (
            "SageMaker's",
            "SageMakerProjectId",
            plain("x"),
            "stuck InvalidSpec: spec.parameters names SageMakerProjectId, which the operator fills in itself",
        ),
        (
            "of two lines",
            "ArtifactBucketKmsKeyArn",
            plain("a\nb"),
            "stuck InvalidSpec: the value of parameter ArtifactBucketKmsKeyArn has a line break, which SageMaker does not take",
        ),
        ("a good one", "ArtifactBucketKmsKeyArn", plain("k"), "Create Missing: create SageMaker project \"churn\""),
    ];
    for (case, name, value, expected) in cases {
        let mut owner = owner();
        owner.parameters.insert(name.into(), value);
        let desired = SagemakerProject::desired(&owner, &target());
        assert_eq!(decide(Goal::Present(desired), Observed::default(), &written_down()), expected, "{case}");
    }
    let mut owner = owner();
    owner.tags = (0..46).map(|n| (format!("k{n}"), String::new())).collect();
    let desired = SagemakerProject::desired(&owner, &target());
    assert_eq!(desired.problem.unwrap().reason, Reason::InvalidSpec);
}

#[test]
fn a_rotated_secret_changes_the_fingerprint_and_nothing_else_that_is_seen() {
    let with = |text: &str| {
        let mut owner = owner();
        let hiding = "\nParameters:\n  ApiToken: {Type: String, NoEcho: true}\n";
        let hidden = owner.platform.catalog.template.text.replace("\nParameters:\n", hiding);
        let hidden = owner.platform.catalog.template.with_text(&hidden);
        platform(&mut owner).catalog.template = hidden;
        owner.parameters.insert("ApiToken".into(), ParameterValue::Sealed(sealed(text)));
        SagemakerProject::desired(&owner, &target())
    };
    let (before, after) = (with("11aa22bb"), with("33cc44dd"));
    assert_ne!(before.fingerprint, after.fingerprint);
    let mut project = project("CreateCompleted");
    project.tags = before.tags.clone();
    project.parameters.insert("ApiToken".into(), "****".into());
    let observed = |project: &ObservedProject| Observed { project: Some(project.clone()), data: None };
    assert_eq!(decide(Goal::Present(before), observed(&project), &written_down()), "in sync p-abc");
    let decision = decide(Goal::Present(after), observed(&project), &written_down());
    assert!(decision.starts_with("Update SpecChanged: update version and parameters"), "{decision}");
}

fn data(owned: bool) -> Data {
    let mut tags = BTreeMap::from([
        ("sagemaker:project-id".to_owned(), "p-abc".to_owned()),
        ("sagemaker:project-name".to_owned(), "churn".to_owned()),
    ]);
    if owned {
        tags.extend(identity().owner_tags(Owned::Project));
    }
    Data {
        group: Some(Tagged { name: "churn-p-abc".into(), tags: tags.clone() }),
        packages: vec!["arn:1".into()],
        more_packages: false,
        bucket: Some(Tagged { name: "sagemaker-project-p-abc".into(), tags }),
        versions: vec![ObjectVersion { key: "data.csv".into(), id: "v1".into(), size: 1 }],
        more_versions: false,
    }
}

#[test]
fn each_status_has_its_move_while_the_project_is_to_go() {
    const CLEAR: &str = "Delete Deleting: delete the models registered in group \"churn-p-abc\"; Delete Deleting: delete model package group \"churn-p-abc\"; Delete Deleting: delete versions of objects in bucket \"sagemaker-project-p-abc\"; Delete Deleting: delete bucket \"sagemaker-project-p-abc\"";
    const DELETE: &str = "Delete Deleting: delete SageMaker project \"churn\"";
    let none: Edit = |_| {};
    let foreign: Edit = |project| {
        (project.id, project.tags) = ("p-other".into(), BTreeMap::new());
    };
    let unmarked: Edit = |project| project.tags.clear();
    let taken_over: Edit = |project| drop(project.tags.insert(Owned::Project.tag(), "somebody.else".into()));
    let foreign_data = Data {
        group: data(false).group.map(|group| Tagged { tags: BTreeMap::new(), ..group }),
        packages: vec!["arn:1".into()],
        more_packages: false,
        bucket: None,
        versions: Vec::new(),
        more_versions: false,
    };
    let cases: [(&str, &str, Edit, Option<Data>, &str); 19] = [
        (
            "still being created",
            "CreateInProgress",
            none,
            None,
            "wait Deleting 120 s: SageMaker is still creating the project",
        ),
        ("not even begun", "Pending", none, None, "wait Deleting 120 s: SageMaker is still creating the project"),
        (
            "being updated",
            "UpdateInProgress",
            none,
            Some(data(false)),
            "wait Deleting 60 s: SageMaker is still updating the project",
        ),
        (
            "being deleted",
            "DeleteInProgress",
            none,
            Some(data(false)),
            "wait Deleting 60 s: SageMaker is deleting the project",
        ),
        ("created; data stays", "CreateCompleted", none, None, DELETE),
        ("created; data goes first", "CreateCompleted", none, Some(data(false)), CLEAR),
        ("created; data has gone", "CreateCompleted", none, Some(Data::default()), DELETE),
        ("created; what bears its data's names is not its own", "CreateCompleted", none, Some(foreign_data), DELETE),
        ("updated", "UpdateCompleted", none, None, DELETE),
        ("could not be created", "CreateFailed", none, None, DELETE),
        ("could not be updated", "UpdateFailed", none, None, DELETE),
        (
            "could not be deleted",
            "DeleteFailed",
            |project| (project.cause, project.modified) = ("role is gone".into(), at(NOW - 5)),
            None,
            "stuck ProjectDeleteFailed: SageMaker could not delete the project \"churn\": role is gone",
        ),
        ("could not be deleted, but there is data to delete", "DeleteFailed", none, Some(data(false)), CLEAR),
        ("somebody else's", "CreateCompleted", foreign, Some(data(false)), "gone"),
        ("ours, and somebody took its tags off", "CreateCompleted", unmarked, None, DELETE),
        (
            "ours, and it carries another object's mark now",
            "CreateCompleted",
            taken_over,
            None,
            "stuck ForeignOwner: SageMaker project \"churn\" (p-abc) was made for this object and carries the mark of another one now",
        ),
        ("gone", "DeleteCompleted", unmarked, None, "gone"),
        ("gone; the data says that it is ours", "DeleteCompleted", unmarked, Some(data(true)), CLEAR),
        ("gone; the data does not say whose it is", "DeleteCompleted", unmarked, Some(data(false)), "gone"),
    ];
    for (case, status, edit, data, expected) in cases {
        let mut project = project(status);
        edit(&mut project);
        let observed = Observed { project: Some(project), data };
        assert_eq!(decide(Goal::Absent, observed, &written_down()), expected, "{case}");
    }
    assert_eq!(decide(Goal::Absent, Observed::default(), &written_down()), "gone");
}

#[test]
fn models_and_versions_go_page_by_page_and_are_counted() {
    let first = "delete the models registered in group \"churn-p-abc\", delete versions of objects in bucket \"sagemaker-project-p-abc\"";
    let group = "delete model package group \"churn-p-abc\"";
    let bucket = "delete bucket \"sagemaker-project-p-abc\"";
    let rows = [
        (true, true, vec![]),
        (true, false, vec![bucket]),
        (false, true, vec![group]),
        (false, false, vec![group, bucket]),
    ];
    for (more_packages, more_versions, ends) in rows {
        let data = Data { more_packages, more_versions, ..data(false) };
        let observed = Observed { project: Some(project("CreateCompleted")), data: Some(data) };
        let decision = SagemakerProject::decide(&identity(), &Goal::Absent, &observed, at(NOW), &written_down());
        let Decision::Act(steps) = decision else { panic!("with more models {more_packages}") };
        let removes = |step: &&Step<Action>| step.removes != Amount::default();
        let (pages, last): (Vec<&Step<Action>>, Vec<&Step<Action>>) = steps.iter().partition(removes);
        let said = |steps: &[&Step<Action>]| steps.iter().map(|step| step.summary.clone()).collect::<Vec<_>>();
        assert_eq!(said(&pages).join(", "), first);
        assert_eq!(said(&last), ends, "with more models {more_packages}, more versions {more_versions}");
        let removed = pages.iter().fold(Amount::default(), |sum, step| sum.plus(step.removes));
        assert_eq!(removed, Amount { objects: 1, size: 1, models: 1 });
    }
}

#[test]
fn a_mark_alone_deletes_nothing() {
    const DELETE: &str = "Delete Deleting: delete SageMaker project \"churn\"";
    const UNPROVEN: &str = "stuck OwnershipUnproven: SageMaker project \"churn\" (p-abc) carries this object's mark, but its id was not written down, and prod-1, which it was launched from, is not this object's product";
    const CLAIMED: &str = "stuck ClusterClaimed: SageMaker project \"churn\" names this object as its owner, but another installation sealed it: one for the same cluster id, or this one before its key was replaced; or somebody copied it there";
    let other_id = || {
        let intent = Intent { resource: RESOURCE.into(), n: 0, id: Some("p-old".into()) };
        Attempts { intents: vec![intent], ..Attempts::default() }
    };
    let copied: Edit = |project| {
        let id = identity();
        project.tags.extend(elsewhere(&id).owner_tags(Owned::Project));
    };
    let rows: [(&str, Edit, Attempts, &str); 5] = [
        ("its id was written down", |_| {}, written_down(), DELETE),
        ("it comes from our product", |project| project.of_our_product = true, Attempts::default(), DELETE),
        ("neither", |_| {}, Attempts::default(), UNPROVEN),
        ("another project was written down", |_| {}, other_id(), UNPROVEN),
        ("another installation's seal", copied, written_down(), CLAIMED),
    ];
    for (case, edit, attempts, expected) in rows {
        let mut project = project("CreateCompleted");
        edit(&mut project);
        let observed = Observed { project: Some(project), data: None };
        let decided = decide(Goal::Absent, observed, &attempts);
        assert!(decided.ends_with(expected), "{case}: {decided}");
    }
    let mut project = project("CreateCompleted");
    copied(&mut project);
    assert_eq!(
        decide(Goal::Present(wanted()), Observed { project: Some(project), data: None }, &written_down()),
        CLAIMED
    );
}

#[test]
fn a_project_that_was_found_is_written_down() {
    let observed = Observed { project: Some(project("CreateCompleted")), data: None };
    let decided = decide(Goal::Present(wanted()), observed, &Attempts::default());
    assert_eq!(decided, "Update Drifted: write down that SageMaker project p-abc is ours");
}

#[test]
fn no_name_made_from_the_longest_name_and_id_overflows() {
    let project_ref = project_ref(&"n".repeat(32), &"i".repeat(20), "arn");
    assert!(project_ref.model_package_group.len() <= 63 && project_ref.bucket.len() <= 63);
}

#[test]
fn what_a_template_of_ones_own_declares_decides_what_is_sent() {
    let text = "Parameters: {SageMakerProjectName: {Type: String}, ModelBuildCodeRepositoryUrl: {Type: String}, Colour: {Type: String}}";
    let mut owner = owner();
    platform(&mut owner).catalog.template = Template::new("own", "of ConfigMap ours".into(), text.into());
    let problem = |owner: &Project| {
        let desired = SagemakerProject::desired(owner, &target());
        desired.problem.map(|problem| (problem.reason, problem.message))
    };
    let missing = "the template's parameter Colour has neither a default nor a value".to_owned();
    assert_eq!(problem(&owner), Some((Reason::ParameterMissing, missing)));
    owner.parameters.insert("Colour".into(), ParameterValue::Plain("red".into()));
    let desired = SagemakerProject::desired(&owner, &target());
    assert!(desired.problem.is_none());
    assert_eq!(desired.parameters.keys().collect::<Vec<_>>(), ["Colour", "ModelBuildCodeRepositoryUrl"]);
    owner.parameters.insert("Size".into(), ParameterValue::Plain("big".into()));
    let unknown = "the template of ConfigMap ours declares no parameter Size; it takes: Colour".to_owned();
    assert_eq!(problem(&owner), Some((Reason::UnknownParameter, unknown)));
}

#[test]
fn a_template_of_ones_own_is_judged_for_this_very_project() {
    let with = |properties: &str| {
        format!(
            "Parameters: {{SageMakerProjectName: {{Type: String}}, SageMakerProjectId: {{Type: String}}, Colour: {{Type: String, Default: red, NoEcho: true}}, ModelBuildCodeRepositoryBranch: {{Type: String, AllowedPattern: 'main|dev'}}}}\n\
             Resources: {{B: {{Type: 'AWS::S3::Bucket', Properties: {{{properties}}}}}}}\n"
        )
    };
    let by_name = with("BucketName: !Sub '${SageMakerProjectName}-${SageMakerProjectId}'");
    let by_colour = with("BucketName: !Sub '${Colour}-${SageMakerProjectId}'");
    let by_place =
        with("BucketName: !Sub '${AWS::Region}-${AWS::AccountId}-01234567890123456789012345678901234567890'");
    let refused = |edit: fn(&mut Project), text: &str| {
        let mut owner = owner();
        edit(&mut owner);
        refusal(text, &super::judged_for(&owner), date(2026, 11, 28)).map(|finding| finding.message)
    };
    let named: fn(&mut Project) = |owner| owner.identity.placement.project_name = "Churn".into();
    let coloured: fn(&mut Project) =
        |owner| drop(owner.parameters.insert("Colour".into(), ParameterValue::Plain("Red".into())));
    let hidden: fn(&mut Project) =
        |owner| drop(owner.parameters.insert("Colour".into(), ParameterValue::Sealed(sealed("Red"))));
    let branched: fn(&mut Project) = |owner| owner.repositories.build.branch = "trunk".into();
    let none: fn(&mut Project) = |_| {};
    let rows = [
        ("a small name", none, &by_name, None),
        ("a name with a capital", named, &by_name, Some("the name \"Churn-${SageMakerProjectId}\" has 'C'")),
        ("a default", none, &by_colour, None),
        ("a value with a capital", coloured, &by_colour, Some("the name \"Red-${SageMakerProjectId}\" has 'R'")),
        ("a value from a Secret is not looked at", hidden, &by_colour, None),
        ("region and account", none, &by_place, Some("the name \"us-east-1-111122223333-01234567890")),
        (
            "what the operator fills in",
            branched,
            &by_name,
            Some("ModelBuildCodeRepositoryBranch refuses \"trunk\": its AllowedPattern"),
        ),
    ];
    for (case, edit, text, start) in rows {
        let told = refused(edit, text);
        let fits = told.as_deref().zip(start).is_some_and(|(told, start)| told.starts_with(start));
        assert!(fits || (told.is_none() && start.is_none()), "{case}: {told:?}");
    }
}

#[test]
fn a_value_from_a_secret_goes_only_where_nobody_can_read_it() {
    let rows = [
        ("hidden", "NoEcho: true", ParameterValue::Sealed(sealed("11aa22bb")), None),
        ("of four characters", "NoEcho: true", ParameterValue::Sealed(sealed("1a2b")), None),
        (
            "shown by the stack",
            "Default: ''",
            ParameterValue::Sealed(sealed("11aa22bb")),
            Some(
                "parameter ApiToken comes from a Secret, and the template of ConfigMap ours does not declare it with NoEcho: true, so that everybody who may describe the stack could read it",
            ),
        ),
        (
            "too short to be found in a text",
            "NoEcho: true",
            ParameterValue::Sealed(sealed("1a2 \t")),
            Some(
                "the value of parameter ApiToken in its Secret has fewer than 4 characters, too few to be kept out of messages",
            ),
        ),
        ("no secret at all", "Default: ''", ParameterValue::Plain("11aa22bb".into()), None),
        ("no secret, and hidden", "NoEcho: true", ParameterValue::Plain("x".into()), None),
    ];
    for (case, rule, value, refusal) in rows {
        let text =
            format!("Parameters: {{SageMakerProjectName: {{Type: String}}, ApiToken: {{Type: String, {rule}}}}}");
        let mut owner = owner();
        platform(&mut owner).catalog.template = Template::new("own", "of ConfigMap ours".into(), text.into());
        owner.parameters = BTreeMap::from([("ApiToken".into(), value)]);
        let problem = SagemakerProject::desired(&owner, &target()).problem;
        let told = problem.map(|problem| (problem.reason, problem.message));
        assert_eq!(told, refusal.map(|text| (Reason::SecretRefused, text.to_owned())), "{case}");
    }
}

#[test]
fn the_operator_fills_in_what_it_tells_authors_of_templates_and_nothing_else() {
    let wanted = wanted();
    let filled: Vec<&String> = wanted.parameters.keys().collect();
    let declared = owner().platform.catalog.template.declared.clone();
    let told: Vec<&String> = declared.keys().filter(|name| filled_by_operator(name)).collect();
    assert_eq!(filled, told);
}
