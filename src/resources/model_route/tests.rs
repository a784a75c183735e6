//! One row per state of the route and goal, and what is written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::domain::external_resource::Step;
use crate::domain::problem::Problem;
use crate::domain::project::ModelTriggerSettings;
use crate::domain::seal::Seals;
use crate::domain::secret::FingerprintKey;
use crate::fixture::{bare, elsewhere, place, project_ref, ready_bucket, sum_of};

fn project() -> Project {
    let place = Placement { project_name: "taxi".into(), jenkins_folder: vec!["ml team".into()], ..place() };
    let settings = ModelTriggerSettings {
        approval_statuses: vec!["Approved".into()],
        jobs: vec![RepositoryRole::Deploy, RepositoryRole::Endpoint],
    };
    Project { model_trigger: Some(settings), ..bare(place) }
}

fn desired() -> Desired {
    ModelRoute::desired(&project(), &Inputs { bucket: ready_bucket(), project_ref: project_ref("p-1") })
}

/// The route as it should be.
fn as_declared() -> ObservedObject {
    let Desired { key, sha256, mark, .. } = desired();
    ObservedObject { key, sha256: Some(sha256), mark: Some(mark), etag: "e".into() }
}

/// The route of an earlier SageMaker project.
fn earlier() -> ObservedObject {
    let id = project().identity;
    ObservedObject { key: key(&id, "taxi-p-0"), mark: Some(id.route_mark("taxi-p-0")), ..as_declared() }
}

fn told(id: &Identity, goal: &Goal<Desired>, objects: Vec<ObservedObject>) -> String {
    let observed = Observed { objects };
    let short = |text: &str| text.replace(&id.bucket_prefix(), "");
    match ModelRoute::decide(id, goal, &observed, Timestamp::UNIX_EPOCH, &Attempts::default()) {
        Decision::InSync(route) => format!("in sync: {}", short(&route.key)),
        Decision::Gone | Decision::GoneBut(_) => "gone".into(),
        Decision::Act(steps) => {
            let one = |step: &Step<Action>| short(&format!("{:?} ({}): {}", step.change, step.reason, step.summary));
            steps.iter().map(one).collect::<Vec<_>>().join("; ")
        }
        Decision::Wait(_) => panic!("S3 has nothing to wait for"),
        Decision::Stuck(Problem { reason, .. }) => format!("stuck: {reason}"),
    }
}

#[test]
fn every_state_has_its_move() {
    let (id, there) = (project().identity, as_declared());
    let write = "Create (Missing): write model route \"routes/taxi-p-1.json\"";
    let anew = |reason: &str| format!("Update ({reason}): write model route \"routes/taxi-p-1.json\" anew");
    let delete = "Delete (Deleting): delete model route \"routes/taxi-p-1.json\"";
    let in_sync = "in sync: routes/taxi-p-1.json";
    let other = Some(Identity { owner: crate::fixture::owner_named("other"), ..id.clone() }.route_mark("taxi-p-1"));
    let copied = Some(id.route_mark("taxi-p-2"));
    let claimed = Some(elsewhere(&id).route_mark("taxi-p-1"));
    // What was seen; what to do if the route should exist, and if not.
    let rows: Vec<(&str, Vec<ObservedObject>, String, &str)> = vec![
        ("nothing", Vec::new(), write.into(), "gone"),
        ("as declared", vec![there.clone()], in_sync.into(), delete),
        (
            "other contents",
            vec![ObservedObject { sha256: Some(sum_of('0')), ..there.clone() }],
            anew("SpecChanged"),
            delete,
        ),
        ("contents without a sum", vec![ObservedObject { sha256: None, ..there.clone() }], anew("SpecChanged"), delete),
        ("no mark", vec![ObservedObject { mark: None, ..there.clone() }], "stuck: ForeignOwner".into(), "gone"),
        (
            "another owner's mark",
            vec![ObservedObject { mark: other, ..there.clone() }],
            "stuck: ForeignOwner".into(),
            "gone",
        ),
        (
            "our mark, copied from another group's route",
            vec![ObservedObject { mark: copied, ..there.clone() }],
            "stuck: ClusterClaimed".into(),
            "stuck: ClusterClaimed",
        ),
        (
            "another installation's mark",
            vec![ObservedObject { mark: claimed, ..there.clone() }],
            "stuck: ClusterClaimed".into(),
            "stuck: ClusterClaimed",
        ),
        (
            "that of an earlier SageMaker project too",
            vec![earlier(), there.clone()],
            "Delete (SpecChanged): delete model route \"routes/taxi-p-0.json\"".into(),
            "Delete (Deleting): delete model route \"routes/taxi-p-0.json\"; \
             Delete (Deleting): delete model route \"routes/taxi-p-1.json\"",
        ),
        (
            "one of an earlier SageMaker project that is not ours",
            vec![ObservedObject { mark: None, ..earlier() }, there],
            in_sync.into(),
            delete,
        ),
    ];
    for (case, objects, present, absent) in rows {
        assert_eq!(told(&id, &Goal::Present(desired()), objects.clone()), present, "{case}, wanted");
        assert_eq!(told(&id, &Goal::Absent, objects), absent, "{case}, not wanted");
    }
}

#[test]
fn a_mark_of_before_the_installations_key_was_replaced_is_made_anew() {
    let mut project = project();
    project.identity.seals = Seals::new(FingerprintKey::new("new"), true);
    let wanted = ModelRoute::desired(&project, &Inputs { bucket: ready_bucket(), project_ref: project_ref("p-1") });
    let said = told(&project.identity, &Goal::Present(wanted), vec![as_declared()]);
    assert_eq!(said, "Update (Drifted): write model route \"routes/taxi-p-1.json\" anew");
}

#[test]
fn the_route_says_what_the_function_must_know() {
    let written: serde_json::Value = serde_json::from_str(&desired().body).unwrap();
    assert_eq!(
        written,
        json!({
            "version": 1, "owner": "ml/taxi", "projectId": "p-1", "projectName": "taxi", "modelPackageGroup": "taxi-p-1",
            "approvalStatuses": ["Approved"],
            "jobs": [
                {"name": "deploy", "path": "job/ml%20team/job/sagemaker-taxi-p-1-modeldeploy"},
                {"name": "endpoint", "path": "job/ml%20team/job/sagemaker-taxi-p-1-modeldeploy-endpoint"},
            ],
        })
    );
}

#[test]
fn routes_of_projects_whose_names_only_begin_alike_are_none_of_its() {
    let id = project().identity;
    let rows = [
        ("routes/taxi-p-1.json", Some("taxi-p-1")),
        ("routes/taxi-p-idy6c3e1fiqj.json", Some("taxi-p-idy6c3e1fiqj")),
        ("routes/taxi-p-1-p-2.json", None),
        ("routes/taxi-p-.json", None),
        ("routes/taxi-fares-p-1.json", None),
        ("routes/taxi-p-1.txt", None),
        ("events/taxi-p-1.json", None),
    ];
    for (name, group) in rows {
        assert_eq!(group_of(&id, &format!("{}{name}", id.bucket_prefix())).as_deref(), group, "{name}");
    }
    assert_eq!(desired().key, format!("{}routes/taxi-p-1.json", id.bucket_prefix()));
    assert!(desired().key.starts_with(&folder(&id)));
}

#[test]
fn steps_are_told_apart_by_what_they_write_and_over_what() {
    let other = Desired { sha256: sum_of('0'), ..desired() };
    let actions = [
        Action::Create(desired()),
        Action::Create(other.clone()),
        Action::Replace(desired(), "a".into()),
        Action::Replace(desired(), "b".into()),
        Action::Delete { key: "k".into(), etag: "a".into() },
        Action::Delete { key: "k".into(), etag: "b".into() },
    ];
    let keys: std::collections::BTreeSet<_> = actions.iter().map(ModelRoute::key).collect();
    assert_eq!(keys.len(), actions.len());
}
