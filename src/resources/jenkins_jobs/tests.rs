//! One row per state and reason of the jobs, and what is and is not drift.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use crate::crd::status::Placement;
use crate::domain::external_resource::{Change, Wait};
use crate::domain::identity::{Identity, OwnerKey};
use crate::domain::problem::Problem;
use crate::domain::project::{JenkinsSettings, Project};
use crate::fixture::{bare, elsewhere, owner, place, project_ref, repositories};

use super::*;

fn project() -> Project {
    let place = Placement {
        project_name: "taxi".into(),
        jenkins_url: "https://ci.example/jenkins".into(),
        jenkins_folder: vec!["ml".into(), "taxi".into()],
        ..place()
    };
    let bare = bare(place);
    Project {
        description: "Fares".into(),
        repositories: repositories("arn:aws:codeconnections:eu-west-1:111122223333:connection/c"),
        jenkins: JenkinsSettings {
            poll_schedule: "* * * * *".into(),
            aws_credentials_id: "aws".into(),
            git_credentials_id: "git".into(),
            extra_parameters: BTreeMap::from([("EXTRA".to_owned(), "e".to_owned())]),
        },
        ..bare
    }
}

fn desired() -> Desired {
    JenkinsJobs::desired(&project(), &project_ref("p-1"))
}

fn other() -> OwnerKey {
    OwnerKey { name: "other".into(), ..owner() }
}

/// The marker of what is beside this name in the jobs' folder.
fn marker(owner: &OwnerKey, name: &str, hash: &str) -> Marker {
    let id = Identity { owner: owner.clone(), ..project().identity };
    Marker::new(&id, &["ml".to_owned(), "taxi".to_owned(), name.to_owned()], hash)
}

fn item(name: &str, job: Option<PipelineJob>, owner: &OwnerKey) -> ObservedItem {
    let hash = job.as_ref().map(PipelineJob::fingerprint).unwrap_or_default();
    let marker = Some(marker(owner, name, &hash));
    ObservedItem { name: name.into(), is_job: true, marker, job, ..ObservedItem::default() }
}

/// The same marker as another installation for the same cluster would write it.
fn of_another_installation(marker: &Option<Marker>) -> Option<Marker> {
    let path = ["ml".to_owned(), "taxi".to_owned(), String::new()];
    Some(Marker::new(&elsewhere(&project().identity), &path, &marker.as_ref().unwrap().hash))
}

fn folder(name: &str, items: usize, owner: Option<&OwnerKey>) -> ObservedFolder {
    let path = if name == "ml" { vec![name.to_owned()] } else { vec!["ml".to_owned(), name.to_owned()] };
    let marker = owner.map(|owner| Marker::new(&Identity { owner: owner.clone(), ..project().identity }, &path, ""));
    ObservedFolder { name: name.into(), is_folder: true, marker, items: Some(items), holds_more: false }
}

/// Everything as it should be: the outer folder is somebody's, the inner one ours. The spec consents to its deletion.
fn in_sync() -> Observed {
    Observed {
        folders: vec![folder("ml", 1, None), folder("taxi", 3, Some(&owner()))],
        items: desired().jobs.into_iter().map(|(name, job)| item(&name, Some(job), &owner())).collect(),
        delete_folders: true,
    }
}

/// What was decided, in words.
fn told(goal: &Goal<Desired>, observed: &Observed) -> String {
    match JenkinsJobs::decide(&project().identity, goal, observed, Timestamp::UNIX_EPOCH, &Attempts::default()) {
        Decision::InSync(_) => "in sync".into(),
        Decision::Gone => "gone".into(),
        Decision::GoneBut(left) => format!("gone, but {left}"),
        Decision::Wait(Wait { reason, .. }) => format!("wait: {reason}"),
        Decision::Stuck(Problem { reason, .. }) => format!("stuck: {reason}"),
        Decision::Act(steps) => {
            let step = |step: &crate::domain::external_resource::Step<Action>| {
                let change = match step.change {
                    Change::Create => "+",
                    Change::Update => "~",
                    Change::Replace => "±",
                    Change::Delete => "-",
                };
                format!("{change} {} ({})", step.summary, step.reason)
            };
            steps.iter().map(step).collect::<Vec<_>>().join("; ")
        }
    }
}

type Row = (&'static str, fn(&mut Observed), &'static str);

#[test]
fn every_state_of_wanted_jobs_has_its_move() {
    let rows: &[Row] = &[
        ("all as declared", |_| {}, "in sync"),
        (
            "nothing there",
            |observed| (observed.folders, observed.items) = (vec![], vec![]),
            "+ create folder \"ml\" (Missing); + create folder \"ml/taxi\" (Missing); \
             + create job \"sagemaker-taxi-p-1-preprocess\" (Missing); \
             + create job \"sagemaker-taxi-p-1-modelbuild\" (Missing); \
             + create job \"sagemaker-taxi-p-1-modeldeploy\" (Missing)",
        ),
        ("a job where a folder belongs", |observed| observed.folders[0].is_folder = false, "stuck: ForeignOwner"),
        (
            "one job missing",
            |observed| drop(observed.items.remove(1)),
            "+ create job \"sagemaker-taxi-p-1-modelbuild\" (Missing)",
        ),
        (
            "somebody changed a job",
            |observed| observed.items[0].job.as_mut().unwrap().disabled = true,
            "~ update job \"sagemaker-taxi-p-1-preprocess\": disabled (Drifted)",
        ),
        (
            "somebody changed much of it: each field is named",
            |observed| {
                let job = observed.items[0].job.as_mut().unwrap();
                (job.disabled, job.lightweight) = (true, false);
                (job.builds_kept, job.poll_schedule) = ("5".into(), String::new());
                job.parameters.retain(|name, _| name != "AWS_REGION" && name != "EXTRA");
            },
            "~ update job \"sagemaker-taxi-p-1-preprocess\": disabled, builds to keep, poll schedule, lightweight checkout, \
             parameter AWS_REGION, parameter EXTRA (Drifted)",
        ),
        (
            "its Jenkinsfile keeps fewer builds",
            |observed| {
                observed.items[0].job.as_mut().unwrap().builds_kept = "5".into();
                observed.items[0].declared.properties = [declared::DISCARDER.to_owned()].into();
            },
            "in sync",
        ),
        (
            "its Jenkinsfile took the trigger away",
            |observed| {
                observed.items[0].job.as_mut().unwrap().poll_schedule.clear();
                observed.items[0].declared.properties = [declared::TRIGGERS.to_owned()].into();
            },
            "~ update job \"sagemaker-taxi-p-1-preprocess\": poll schedule (Drifted)",
        ),
        (
            "the spec changed",
            |observed| {
                let mut before = desired().jobs[1].clone();
                before.1.poll_schedule = "H * * * *".into();
                observed.items[1] = item(&before.0, Some(before.1), &owner());
            },
            "~ update job \"sagemaker-taxi-p-1-modelbuild\": poll schedule (SpecChanged)",
        ),
        (
            "only the marker is old",
            |observed| observed.items[0].marker.as_mut().unwrap().hash = "old".into(),
            "~ update job \"sagemaker-taxi-p-1-preprocess\": marker (SpecChanged)",
        ),
        (
            "of another type",
            |observed| observed.items[0].job = None,
            "± replace job \"sagemaker-taxi-p-1-preprocess\": it is no pipeline (Drifted)",
        ),
        ("without a marker", |observed| observed.items[0].marker = None, "stuck: ForeignOwner"),
        (
            "a folder in the place of a job, with our marker",
            |observed| (observed.items[0].is_job, observed.items[0].job) = (false, None),
            "stuck: ForeignOwner",
        ),
        (
            "such a folder in another case is another item",
            |observed| {
                (observed.items[0].is_job, observed.items[0].job) = (false, None);
                observed.items[0].name = "SageMaker-taxi-p-1-preprocess".into();
            },
            "+ create job \"sagemaker-taxi-p-1-preprocess\" (Missing)",
        ),
        (
            "a folder of ours among the jobs is no job of an earlier project id",
            |observed| {
                observed.items.push(item("taxi", None, &owner()));
                observed.items[3].is_job = false;
            },
            "in sync",
        ),
        (
            "another project's",
            |observed| observed.items[0].marker = Some(marker(&other(), "", "")),
            "stuck: ForeignOwner",
        ),
        (
            "sealed by another installation",
            |observed| observed.items[0].marker = of_another_installation(&observed.items[0].marker),
            "stuck: ClusterClaimed",
        ),
        (
            "with a marker copied from another folder",
            |observed| observed.items[0].marker = Some(Marker::new(&project().identity, &["x".into()], "")),
            "stuck: ClusterClaimed",
        ),
        (
            "somebody's in another case is another item",
            |observed| {
                (observed.items[0].name, observed.items[0].marker) = ("SageMaker-taxi-p-1-preprocess".into(), None)
            },
            "+ create job \"sagemaker-taxi-p-1-preprocess\" (Missing)",
        ),
        (
            "ours in another case",
            |observed| observed.items[0].name = "SageMaker-taxi-p-1-preprocess".into(),
            "- delete job \"ml/taxi/SageMaker-taxi-p-1-preprocess\" (SpecChanged); \
             + create job \"sagemaker-taxi-p-1-preprocess\" (Missing)",
        ),
        (
            "one of an earlier project id",
            |observed| observed.items.push(item("sagemaker-taxi-p-0-preprocess", None, &owner())),
            "- delete job \"ml/taxi/sagemaker-taxi-p-0-preprocess\" (SpecChanged)",
        ),
        (
            "a job of another name to which somebody gave our marker is left alone",
            |observed| observed.items.push(item("copied", None, &owner())),
            "in sync",
        ),
        (
            "so is one whose name is too long for any Jenkins",
            |observed| {
                let name = format!("sagemaker-taxi-{}-preprocess", "x".repeat(60_000));
                observed.items.push(item(&name, None, &owner()));
            },
            "in sync",
        ),
        (
            "more in a job than is kept of one",
            |observed| {
                observed.items[0].job = None;
                observed.items[0].excess = Some("has 201 parameters, more than 200".into());
            },
            "stuck: Unexpected",
        ),
        (
            "such a one of an earlier project id goes like any other",
            |observed| {
                observed.items.push(item("sagemaker-taxi-p-0-preprocess", None, &owner()));
                observed.items[3].excess = Some("has 201 parameters, more than 200".into());
            },
            "- delete job \"ml/taxi/sagemaker-taxi-p-0-preprocess\" (SpecChanged)",
        ),
        (
            "somebody's job of a similar name is left alone",
            |observed| observed.items.push(item("sagemaker-taxi-p-9-preprocess", None, &other())),
            "in sync",
        ),
    ];
    for (name, change, expected) in rows {
        let mut observed = in_sync();
        change(&mut observed);
        assert_eq!(told(&Goal::Present(desired()), &observed), *expected, "{name}");
    }
}

#[test]
fn of_a_job_with_endless_settings_nothing_is_kept() {
    type Fill = fn(&mut PipelineJob, &mut Declared);
    fn fill(job: &mut PipelineJob, many: usize, long: usize) {
        let one = job::Parameter { kind: job::ParameterKind::Text, default: "x".repeat(long) };
        job.parameters = (0..many).map(|n| (format!("P{n}"), one.clone())).collect();
    }
    let longest: Fill = |job, _| {
        // What the spec takes at its longest, in characters of four bytes.
        let text = job::Parameter { kind: job::ParameterKind::Text, default: "🚀".repeat(1024) };
        job.parameters.extend((0..20).map(|n| (format!("{n:a>64}"), text.clone())));
        job.description.push_str(&"🚀".repeat(1024));
    };
    let rows: [(&str, Fill, Option<&str>); 7] = [
        ("ours", |_, _| {}, None),
        ("ours at its longest", longest, None),
        ("as many parameters as are kept", |job, _| fill(job, 200, 500), None),
        ("one more", |job, _| fill(job, 201, 1), Some("has 201 parameters, more than 200")),
        ("long defaults", |job, _| fill(job, 200, 1000), Some("has settings, parameters and declarations of ")),
        (
            "a long class of a parameter",
            |job, _| {
                let kind = job::ParameterKind::Other("c".repeat(200_000));
                job.parameters.insert("P".into(), job::Parameter { kind, default: String::new() });
            },
            Some("has settings, parameters and declarations of "),
        ),
        (
            "many declarations",
            |_, declared| declared.parameters = (0..10_000).map(|n| n.to_string()).collect(),
            Some("has settings, parameters and declarations of "),
        ),
    ];
    for (name, change, expected) in rows {
        let (mut job, mut declared) = (desired().jobs[2].1.clone(), Declared::default());
        change(&mut job, &mut declared);
        let excess = excess::excess(&job, &declared);
        match expected {
            None => assert_eq!(excess, None, "{name}"),
            Some(start) => assert!(excess.as_ref().is_some_and(|said| said.starts_with(start)), "{name}: {excess:?}"),
        }
    }
}

#[test]
fn what_a_jenkins_names_makes_no_long_message_and_no_line_of_its_own() {
    let goal = Goal::Present(desired());
    let decide = |observed: &Observed, attempts: &Attempts| {
        JenkinsJobs::decide(&project().identity, &goal, observed, Timestamp::UNIX_EPOCH, attempts)
    };
    let mut observed = in_sync();
    let added = job::Parameter { kind: job::ParameterKind::Text, default: String::new() };
    let names = (0..150).map(|n| format!("P{n:03}\n{}", "x".repeat(5000)));
    observed.items[0].job.as_mut().unwrap().parameters.extend(names.map(|name| (name, added.clone())));
    observed.items.push(item("sagemaker-taxi-\n2026 WARN all is lost-preprocess", None, &owner()));
    let Decision::Act(steps) = decide(&observed, &Attempts::default()) else { panic!("there is something to do") };
    let told: Vec<&str> = steps.iter().map(|step| step.summary.as_str()).collect();
    assert_eq!(told[0], "delete job \"ml/taxi/sagemaker-taxi- 2026 WARN all is lost-preprocess\"");
    assert!(told[1].starts_with("update job \"sagemaker-taxi-p-1-preprocess\": parameter P000"), "{}", told[1]);
    assert!(told[1].ends_with(" and 130 more") && told[1].len() < 3000, "{}", told[1]);

    let fields = (0..30).map(|n| format!("parameter P{n}")).collect();
    let noted = Noted { left: vec![("job".into(), fields)], ..Noted::default() };
    let jobs = Jobs { urls: vec![], noted: Some(Box::new(noted)) };
    let message = JenkinsJobs::remark(&jobs).unwrap().message;
    assert!(message.contains("parameter P19 and 10 more; take that out"), "{message}");
}

#[test]
fn what_jenkins_drops_for_want_of_a_plugin_is_said_and_tried_again_later() {
    type Drop = fn(&mut ObservedItem);
    let rows: &[(&str, Drop, &str)] = &[
        ("nothing", |_| {}, ""),
        (
            "the source",
            |item| {
                item.lacks = vec!["git"];
                let job = item.job.as_mut().unwrap();
                (job.repositories, job.branches, job.credentials_id) = (vec![], vec![], String::new());
            },
            "git",
        ),
        ("what only a declarative Jenkinsfile needs", |item| item.lacks = vec!["pipeline-model-definition"], ""),
        (
            "the parameter for AWS keys",
            |item| drop(item.job.as_mut().unwrap().parameters.remove("AWS_CREDENTIAL")),
            "credentials",
        ),
    ];
    let goal = Goal::Present(desired());
    let name = &desired().jobs[0].0;
    let path = ["ml".to_owned(), "taxi".to_owned(), name.clone()];
    let write = Action::CreateJob { path: path.to_vec(), document: Element::new("x") };
    for (case, change, plugins) in rows {
        let mut observed = in_sync();
        change(&mut observed.items[0]);
        let decide = |minutes: Option<i64>| {
            let at = |minutes: i64| Timestamp::from_second(minutes * 60).unwrap();
            let attempts = Attempts {
                done: minutes.map(|_| JenkinsJobs::key(&write)).into_iter().collect(),
                last_act: Some(at(0)),
                ..Attempts::default()
            };
            match JenkinsJobs::decide(&project().identity, &goal, &observed, at(minutes.unwrap_or(0)), &attempts) {
                Decision::InSync(_) => "in sync".to_owned(),
                Decision::Act(_) => "written".to_owned(),
                Decision::Stuck(problem) => format!("{}: {}", problem.reason, problem.message),
                _ => panic!("{case}"),
            }
        };
        if plugins.is_empty() {
            assert_eq!([decide(None), decide(Some(0))], ["in sync", "in sync"], "{case}");
            continue;
        }
        let said = format!(
            "PluginMissing: Jenkins took job \"{name}\" and dropped what these plugins bring, so it lacks them, or they are not active: {plugins}"
        );
        assert_eq!(
            [decide(None), decide(Some(0)), decide(Some(59)), decide(Some(60))],
            ["written".into(), said.clone(), said, "written".into()],
            "{case}"
        );
    }
}

#[test]
fn only_what_jenkins_drops_is_written_again_as_something_that_failed() {
    type Edit = fn(&mut ObservedItem);
    let rows: [(&str, Edit, bool); 3] = [
        ("somebody changes the marker", |item| item.marker.as_mut().unwrap().object = "x/y".into(), false),
        ("somebody changes a setting", |item| item.job.as_mut().unwrap().poll_schedule = "@daily".into(), false),
        ("Jenkins drops what a plugin brings", |item| item.lacks = vec!["git"], true),
    ];
    for (name, edit, expected) in rows {
        let mut observed = in_sync();
        edit(&mut observed.items[0]);
        let goal = Goal::Present(desired());
        let id = &project().identity;
        let now = Timestamp::UNIX_EPOCH;
        let Decision::Act(steps) = JenkinsJobs::decide(id, &goal, &observed, now, &Attempts::default()) else {
            panic!("{name}")
        };
        assert_eq!(steps[0].retries_failure, expected, "{name}: {}", steps[0].summary);
    }
}

/// What a decision does to the first job; then the same again, as if that had been done and undone.
fn put_back(observed: &Observed, attempts: &mut Attempts) -> Option<(PipelineJob, Vec<String>)> {
    let goal = Goal::Present(desired());
    let Decision::Act(mut steps) =
        JenkinsJobs::decide(&project().identity, &goal, observed, Timestamp::UNIX_EPOCH, attempts)
    else {
        return None;
    };
    let key = JenkinsJobs::key(&steps[0].action);
    attempts.once.extend(key.is_lasting().then_some(key));
    match steps.remove(0).action {
        Action::UpdateJob { job, put_back, .. } => Some((*job, put_back)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_jenkinsfile_takes_away_is_put_back_once_and_then_left_with_a_remark() {
    let mut observed = in_sync();
    let wanted = desired().jobs[0].1.clone();
    let item = &mut observed.items[0];
    item.declared.triggers = [declared::POLLING.to_owned()].into();
    item.declared.parameters = ["AWS_REGION".to_owned()].into();
    item.job.as_mut().unwrap().poll_schedule = "H/15 * * * *".into();
    let mut attempts = Attempts::default();
    assert_eq!(put_back(&observed, &mut attempts), Some((wanted.clone(), vec!["poll schedule".to_owned()])));
    assert_eq!(put_back(&observed, &mut attempts), None, "taken away again");
    // Another field that it takes away has its own turn, and the first one stays as it is.
    observed.items[0].job.as_mut().unwrap().parameters.remove("AWS_REGION");
    let without = PipelineJob { poll_schedule: "H/15 * * * *".into(), ..wanted.clone() };
    assert_eq!(put_back(&observed, &mut attempts), Some((without, vec!["parameter AWS_REGION".to_owned()])));
    let decision = JenkinsJobs::decide(
        &project().identity,
        &Goal::Present(desired()),
        &observed,
        Timestamp::UNIX_EPOCH,
        &attempts,
    );
    let Decision::InSync(jobs) = decision else { panic!("it is left to the Jenkinsfile") };
    let remark = JenkinsJobs::remark(&jobs).unwrap();
    assert_eq!(
        (remark.reason, remark.message.as_str()),
        (
            Reason::ChangesReverted,
            "the Jenkinsfile of job \"sagemaker-taxi-p-1-preprocess\" takes away what was put back, so that it is left to \
             it: poll schedule, parameter AWS_REGION; take that out of its options, parameters, triggers or properties, or \
             write it there as the spec has it"
        )
    );
    // What people change is undone all the same, as often as they do it, and costs the Jenkinsfile nothing.
    observed.items[0].job.as_mut().unwrap().disabled = true;
    for _ in 0..2 {
        let (job, put_back) = put_back(&observed, &mut attempts).unwrap();
        assert_eq!((job.disabled, job.poll_schedule.as_str(), put_back.len()), (false, "H/15 * * * *", 0));
    }
    // Once the Jenkinsfile does not declare it any more, it is ours again.
    observed.items[0].declared = Declared::default();
    assert_eq!(put_back(&observed, &mut attempts), Some((wanted, vec![])));
}

#[test]
fn at_the_root_a_name_counts_in_any_case() {
    let mut project = project();
    project.identity.placement.jenkins_folder.clear();
    let desired = JenkinsJobs::desired(&project, &project_ref("p-1"));
    let other_case = "SageMaker-taxi-p-1-preprocess";
    let ours = |name: &str| Some(Marker::new(&project.identity, &[name.to_owned()], ""));
    let rows = [
        ("somebody's", None, true, "stuck: ForeignOwner"),
        ("a folder with our marker", ours(other_case), false, "stuck: ForeignOwner"),
        ("ours", ours(other_case), true, "delete job \"SageMaker-taxi-p-1-preprocess\""),
    ];
    for (name, marker, is_job, expected) in rows {
        let item = |(name, job): &(String, PipelineJob)| {
            let marker = Some(Marker::new(&project.identity, std::slice::from_ref(name), &job.fingerprint()));
            ObservedItem { marker, ..item(name, Some(job.clone()), &owner()) }
        };
        let mut items: Vec<ObservedItem> = desired.jobs.iter().map(item).collect();
        (items[0].name, items[0].marker, items[0].is_job) = (other_case.to_owned(), marker, is_job);
        let observed = Observed { folders: vec![], items, delete_folders: false };
        let goal = Goal::Present(desired.clone());
        let told =
            match JenkinsJobs::decide(&project.identity, &goal, &observed, Timestamp::UNIX_EPOCH, &Attempts::default())
            {
                Decision::Stuck(problem) => format!("stuck: {}", problem.reason),
                Decision::Act(steps) => steps[0].summary.clone(),
                _ => panic!("{name}"),
            };
        assert_eq!(told, expected, "{name}");
    }
}

#[test]
fn every_state_of_unwanted_jobs_has_its_move() {
    let rows: &[Row] = &[
        (
            "ours go",
            |observed| observed.items.truncate(1),
            "- delete job \"ml/taxi/sagemaker-taxi-p-1-preprocess\" (Deleting)",
        ),
        (
            "a job of ours with another installation's seal stops it",
            |observed| observed.items[0].marker = of_another_installation(&observed.items[0].marker),
            "- delete job \"ml/taxi/sagemaker-taxi-p-1-modelbuild\" (Deleting); \
             - delete job \"ml/taxi/sagemaker-taxi-p-1-modeldeploy\" (Deleting)",
        ),
        (
            "once the others are gone",
            |observed| {
                observed.items.truncate(1);
                observed.items[0].marker = of_another_installation(&observed.items[0].marker);
            },
            "stuck: ClusterClaimed",
        ),
        (
            "an item of another name to which somebody gave such a marker does not",
            |observed| {
                observed.items = vec![item("forged", None, &owner())];
                observed.items[0].marker = of_another_installation(&observed.items[0].marker);
                observed.folders[1].items = Some(1);
            },
            "gone, but Jenkins folder \"ml/taxi\" of https://ci.example/jenkins stays: something else is in it",
        ),
        (
            "a folder that a proof of absence left behind goes without consent",
            |observed| {
                (observed.items, observed.folders[1].items) = (vec![], Some(0));
                observed.delete_folders = false;
                observed.folders[1].marker.as_mut().unwrap().hash = marker::PROOF.into();
            },
            "- delete folder \"ml/taxi\" (Deleting)",
        ),
        (
            "a job of another name to which somebody gave our marker stays",
            |observed| {
                observed.items = vec![item("copied", None, &owner())];
                observed.folders[1].items = Some(1);
            },
            "gone, but Jenkins folder \"ml/taxi\" of https://ci.example/jenkins stays: something else is in it",
        ),
        (
            "those of any project id",
            |observed| observed.items = vec![item("sagemaker-taxi-p-0-modeldeploy", None, &owner())],
            "- delete job \"ml/taxi/sagemaker-taxi-p-0-modeldeploy\" (Deleting)",
        ),
        (
            "then our folder that looks empty, since the spec consents",
            |observed| (observed.items, observed.folders[1].items) = (vec![], Some(0)),
            "- delete folder \"ml/taxi\" (Deleting)",
        ),
        (
            "without consent it stays, and is named",
            |observed| {
                (observed.items, observed.folders[1].items) = (vec![], Some(0));
                observed.delete_folders = false;
            },
            "gone, but Jenkins folder \"ml/taxi\" of https://ci.example/jenkins stays: items that the operator's user may not \
             see would go with it; whoever sees all of it can delete it, and with jenkins.folderPolicy: Delete of \
             the platform the operator does",
        ),
        (
            "each folder that was made for it is named",
            |observed| {
                (observed.items, observed.folders[1].items) = (vec![], Some(2));
                observed.folders[0] = folder("ml", 1, Some(&owner()));
            },
            "gone, but Jenkins folder \"ml\", \"ml/taxi\" of https://ci.example/jenkins stays: something else is in it",
        ),
        (
            "not one whose items Jenkins does not list",
            |observed| (observed.items, observed.folders[1].items) = (vec![], None),
            "gone, but Jenkins folder \"ml/taxi\" of https://ci.example/jenkins stays: something else is in it",
        ),
        (
            "not one that holds credentials",
            |observed| {
                observed.items.clear();
                (observed.folders[1].items, observed.folders[1].holds_more) = (Some(0), true);
            },
            "gone, but Jenkins folder \"ml/taxi\" of https://ci.example/jenkins stays: something else is in it",
        ),
        (
            "not somebody's",
            |observed| {
                observed.items.clear();
                (observed.folders[1].items, observed.folders[1].marker) = (Some(0), None);
            },
            "gone",
        ),
        (
            "a folder among the jobs that has our marker is no job",
            |observed| {
                observed.items.truncate(1);
                observed.items[0].is_job = false;
            },
            "gone, but Jenkins folder \"ml/taxi\" of https://ci.example/jenkins stays: something else is in it",
        ),
        ("nothing there", |observed| (observed.items, observed.folders) = (vec![], vec![]), "gone"),
        (
            "somebody's jobs stay, and the folder around them",
            |observed| observed.items.iter_mut().for_each(|item| item.marker = None),
            "gone, but Jenkins folder \"ml/taxi\" of https://ci.example/jenkins stays: something else is in it",
        ),
    ];
    for (name, change, expected) in rows {
        let mut observed = in_sync();
        change(&mut observed);
        assert_eq!(told(&Goal::Absent, &observed), *expected, "{name}");
    }
}

#[test]
fn the_jobs_are_what_the_seed_repositories_expect() {
    let desired = desired();
    let names: Vec<&str> = desired.jobs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["sagemaker-taxi-p-1-preprocess", "sagemaker-taxi-p-1-modelbuild", "sagemaker-taxi-p-1-modeldeploy"]
    );
    let (build, deploy) = (&desired.jobs[1].1, &desired.jobs[2].1);
    assert!(build.concurrent && !deploy.concurrent);
    let added: Vec<&String> = deploy.parameters.keys().filter(|name| !build.parameters.contains_key(*name)).collect();
    assert_eq!(added, ["EVENT_ID", "MODEL_PACKAGE_ARN"]);
    assert_eq!(build.parameters["AWS_CREDENTIAL"].kind, job::ParameterKind::AwsCredentials);
    assert_eq!(build.parameters["SAGEMAKER_PIPELINE_ROLE_ARN"].default, "arn:aws:iam::111122223333:role/use");
    let urls = desired.urls();
    assert_eq!(urls[2], "https://ci.example/jenkins/job/ml/job/taxi/job/sagemaker-taxi-p-1-modeldeploy/");
    let mut without = project();
    without.jenkins.aws_credentials_id.clear();
    without.identity.placement.jenkins_folder.clear();
    let without = JenkinsJobs::desired(&without, &project_ref("p-1"));
    assert_eq!(without.jobs[0].1.parameters["AWS_CREDENTIAL"].kind, job::ParameterKind::Text);
}

#[test]
fn an_endpoint_repository_has_a_job_of_its_own() {
    let mut project = project();
    project.repositories.endpoint = Some(project.repositories.preprocess.clone());
    let with = JenkinsJobs::desired(&project, &project_ref("p-1"));
    let (name, job) = &with.jobs[3];
    assert_eq!(name, "sagemaker-taxi-p-1-modeldeploy-endpoint");
    assert!(!job.concurrent, "two builds at once would deploy over each other");
    let defaults = [
        ("SOURCE_MODEL_PACKAGE_GROUP_NAME", "taxi-p-1"),
        ("MODEL_EXECUTION_ROLE_ARN", "arn:aws:iam::111122223333:role/use"),
        ("ENDPOINT_TYPE", "realtime"),
        ("MODEL_PACKAGE_ARN", ""),
        ("EVENT_ID", ""),
    ];
    for (name, default) in defaults {
        assert_eq!(job.parameters[name].default, default, "{name}");
    }
    let urls = with.urls();
    assert_eq!(urls[..3], desired().urls(), "the order of the others stays");
    let mut observed = in_sync();
    observed.items = with.jobs.iter().map(|(name, job)| item(name, Some(job.clone()), &owner())).collect();
    let left = told(&Goal::Present(desired()), &observed);
    assert_eq!(left, "- delete job \"ml/taxi/sagemaker-taxi-p-1-modeldeploy-endpoint\" (SpecChanged)");
    assert!(may_be_a_job(name, "taxi"));
}

#[test]
fn what_is_rendered_reads_back_as_it_was_meant_whatever_users_write() {
    for text in [
        "]]><x/>",
        "it's \"so\" & <b>",
        "a\nb\tc",
        "\u{1}\u{7f}\u{85}\u{2028}\0",
        "🚀",
        "${GROOVY}",
        "[mlops-operator.io/v1 x]",
        "",
    ] {
        let mut project = project();
        project.description = text.into();
        project.jenkins.extra_parameters = BTreeMap::from([(format!("N{text}"), text.to_owned())]);
        project.jenkins.git_credentials_id = text.trim().into();
        for (name, wanted) in JenkinsJobs::desired(&project, &project_ref("p-1")).jobs {
            let marker = marker(&owner(), "", &wanted.fingerprint());
            let written = document::write(&xml::render(&wanted, &marker)).unwrap();
            let (read, found) = xml::read(&document::parse(&written).unwrap());
            assert_eq!((read, found), (wanted, Some(marker)), "{text:?} in {name}");
        }
    }
}

/// A live job as Jenkins shows it, changed by `change`.
fn live(change: impl Fn(String) -> String) -> PipelineJob {
    let job = &desired().jobs[2].1;
    let document = xml::render(job, &marker(&owner(), "", &job.fingerprint()));
    let before = document::write(&document).unwrap();
    let after = change(before.clone());
    assert_ne!(before, after, "the change must change something");
    xml::read(&document::parse(&after).unwrap()).0
}

#[test]
fn what_jenkins_rewrites_by_itself_is_no_drift() {
    let wanted = desired().jobs[2].1.clone();
    type Rewrite = (&'static str, fn(String) -> String);
    let rows: &[Rewrite] = &[
        ("1: another declaration", |x| {
            x.replace("version=\"1.1\" encoding=\"UTF-8\"", "version='1.0' encoding='UTF-8'")
        }),
        ("2: plugin versions", |x| x.replace("<flow-definition>", "<flow-definition plugin=\"workflow-job@1540.v2\">")),
        ("3: blanks between elements", |x| x.replace("><", ">\n  <")),
        ("3: empty elements in the other form", |x| x.replace("<extensions/>", "<extensions></extensions>")),
        ("3: entities for quotes", |x| x.replace("Fares", "&#70;ares")),
        ("4: added defaults", |x| x.replace("<disabled>", "<actions/><quietPeriod>5</quietPeriod><disabled>")),
        ("4: another class for an empty list", |x| x.replace("empty-list", "list")),
        ("4: an absent flag that is false", |x| x.replace("<disabled>false</disabled>", "")),
        ("5: actions after the first run", |x| {
            x.replace("<disabled>", "<actions><org.jenkinsci.plugins.pipeline.modeldefinition.actions.DeclarativeJobAction/></actions><disabled>")
        }),
        ("6: triggers at the root", |x| {
            let start = x.find("<org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty>").unwrap();
            let end_tag = "</org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty>";
            let end = x.find(end_tag).unwrap() + end_tag.len();
            let triggers =
                "<triggers><hudson.triggers.SCMTrigger><spec>* * * * *</spec></hudson.triggers.SCMTrigger></triggers>";
            format!("{}{}", &x[..start], &x[end..])
                .replace("</flow-definition>", &format!("{triggers}</flow-definition>"))
        }),
        ("6: a property more, in front", |x| x.replace("<properties>", "<properties><com.example.Property/>")),
        ("7: an encrypted value outside the subset", |x| {
            x.replace("<properties>", "<properties><com.example.Secret>{AQAA}</com.example.Secret>")
        }),
        ("8: a description from a browser", |x| x.replace("pipeline\nFares", "pipeline&#13;\nFares")),
    ];
    for (name, change) in rows {
        assert_eq!(compare::differences(&wanted, &live(change)), [""; 0], "{name}");
    }
}

#[test]
fn what_people_change_is_drift_and_is_named() {
    let wanted = desired().jobs[2].1.clone();
    type Edit = (&'static str, fn(String) -> String);
    let rows: &[Edit] = &[
        ("description", |x| x.replace("Fares", "Fees")),
        ("disabled", |x| x.replace("<disabled>false", "<disabled>true")),
        ("concurrent builds", |x| x.replace("DisableConcurrentBuildsJobProperty", "Other")),
        ("builds to keep", |x| x.replace("<numToKeep>30", "<numToKeep>5")),
        ("poll schedule", |x| x.replace("* * * * *", "H * * * *")),
        ("repository URL", |x| x.replace("deploy.git", "evil.git")),
        ("branch", |x| x.replace("refs/heads/main", "refs/heads/dev")),
        ("branch", |x| x.replace("refs/heads/main", "*/main")),
        ("Git credentials", |x| x.replace("<credentialsId>git", "<credentialsId>other")),
        ("script path", |x| x.replace("jenkins/Jenkinsfile", "Jenkinsfile")),
        ("lightweight checkout", |x| x.replace("<lightweight>true", "<lightweight>false")),
        ("remote trigger token", |x| x.replace("<disabled>", "<authToken>{AQAA}</authToken><disabled>")),
        ("parameter AWS_REGION", |x| x.replace("eu-west-1</defaultValue>", "us-east-1</defaultValue>")),
        ("parameter ADDED", |x| {
            x.replace("<parameterDefinitions>", "<parameterDefinitions><hudson.model.StringParameterDefinition><name>ADDED</name></hudson.model.StringParameterDefinition>")
        }),
    ];
    for (field, change) in rows {
        assert_eq!(compare::differences(&wanted, &live(change)), [*field]);
    }
}

#[test]
fn a_patch_makes_the_subset_right_and_keeps_the_rest() {
    let wanted = &desired().jobs[0].1;
    let marker = marker(&owner(), "", &wanted.fingerprint());
    let foreign = "<flow-definition plugin='workflow-job@1'><actions><a.B/></actions><description>x</description><displayName>Shown</displayName>\
        <properties><com.example.Kept><deep>1</deep></com.example.Kept>\
        <jenkins.model.BuildDiscarderProperty><strategy class='hudson.tasks.LogRotator'><daysToKeep>7</daysToKeep><numToKeep>1</numToKeep></strategy></jenkins.model.BuildDiscarderProperty>\
        <org.jenkinsci.plugins.workflow.job.properties.DisableConcurrentBuildsJobProperty/></properties>\
        <definition class='org.jenkinsci.plugins.workflow.cps.CpsFlowDefinition'><script>evil</script></definition>\
        <triggers><hudson.triggers.SCMTrigger><spec>H H * * *</spec></hudson.triggers.SCMTrigger><hudson.triggers.TimerTrigger><spec>@daily</spec></hudson.triggers.TimerTrigger></triggers>\
        <authToken>token</authToken><disabled>true</disabled></flow-definition>";
    let mut document = document::parse(foreign).unwrap();
    xml::patch(&mut document, wanted, &marker);
    assert_eq!(xml::read(&document), (wanted.clone(), Some(marker.clone())));
    let written = document::write(&document).unwrap();
    for kept in ["com.example.Kept", "<deep>1</deep>", "Shown", "<daysToKeep>7", "@daily", "<a.B/>"] {
        assert!(written.contains(kept), "{kept}: {written}");
    }
    for gone in ["evil", "authToken", "H H * * *", "DisableConcurrentBuilds"] {
        assert!(!written.contains(gone), "{gone}: {written}");
    }
    let before = document.clone();
    xml::patch(&mut document, wanted, &marker);
    assert_eq!(document, before, "patching twice changes nothing");
}

/// A live job after builds whose Jenkinsfile declares a choice and how many builds are kept, as Jenkins writes them.
const AFTER_A_BUILD: &str = "<flow-definition><actions>\
    <org.jenkinsci.plugins.pipeline.modeldefinition.actions.DeclarativeJobAction plugin='pipeline-model-definition@2'/>\
    <org.jenkinsci.plugins.pipeline.modeldefinition.actions.DeclarativeJobPropertyTrackerAction plugin='pipeline-model-definition@2'>\
    <jobProperties><string>jenkins.model.BuildDiscarderProperty</string></jobProperties><triggers/>\
    <parameters><string>SIZE</string></parameters><options/></org.jenkinsci.plugins.pipeline.modeldefinition.actions.DeclarativeJobPropertyTrackerAction>\
    <org.jenkinsci.plugins.workflow.multibranch.JobPropertyTrackerAction plugin='workflow-multibranch@8'><jobPropertyDescriptors>\
    <string>org.jenkinsci.plugins.workflow.job.properties.DisableConcurrentBuildsJobProperty</string></jobPropertyDescriptors>\
    </org.jenkinsci.plugins.workflow.multibranch.JobPropertyTrackerAction></actions><properties>\
    <jenkins.model.BuildDiscarderProperty><strategy class='com.example.Strategy'><weeks>1</weeks></strategy></jenkins.model.BuildDiscarderProperty>\
    <hudson.model.ParametersDefinitionProperty><parameterDefinitions><hudson.model.ChoiceParameterDefinition><name>SIZE</name>\
    <description>How much</description><choices class='java.util.Arrays$ArrayList'><a class='string-array'><string>small</string></a></choices>\
    </hudson.model.ChoiceParameterDefinition></parameterDefinitions></hudson.model.ParametersDefinitionProperty>\
    <hudson.model.ParametersDefinitionProperty><parameterDefinitions><hudson.model.StringParameterDefinition><name>SIZE</name>\
    </hudson.model.StringParameterDefinition><hudson.model.StringParameterDefinition><name>SECOND</name></hudson.model.StringParameterDefinition>\
    </parameterDefinitions></hudson.model.ParametersDefinitionProperty></properties></flow-definition>";

#[test]
fn what_a_jenkinsfile_gave_a_job_is_read_and_kept_as_it_is() {
    let mut document = document::parse(AFTER_A_BUILD).unwrap();
    let (live, _) = xml::read(&document);
    let names: Vec<&String> = live.parameters.keys().collect();
    assert_eq!(names, ["SECOND", "SIZE"], "of all properties that hold parameters");
    assert_eq!(
        live.parameters["SIZE"].kind,
        job::ParameterKind::Other("hudson.model.ChoiceParameterDefinition".into())
    );
    let declared = xml::declared(&document);
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(declared.properties, set(&[declared::DISCARDER, declared::ONE_AT_A_TIME]));
    assert_eq!((declared.parameters.clone(), declared.triggers.clone()), (set(&["SIZE"]), set(&[])));
    let settled = declared::settle(&desired().jobs[0].1, &live, &declared, |_| false);
    xml::patch(&mut document, &settled.job, &marker(&owner(), "", ""));
    assert_eq!(xml::read(&document).0, settled.job);
    let written = document::write(&document).unwrap();
    for kept in ["<weeks>1</weeks>", "How much", "<string>small</string>", "JobPropertyTrackerAction"] {
        assert!(written.contains(kept), "{kept}: {written}");
    }
    assert_eq!(xml::lacking(&document), [""; 0], "after it was patched");
    let empty = document::parse("<flow-definition><definition class='a.B'/></flow-definition>").unwrap();
    assert_eq!(xml::lacking(&empty), ["git", "pipeline-model-definition"]);
    assert_eq!(xml::lacking(&Element::new("flow-definition")), ["workflow-cps", "pipeline-model-definition"]);
    for gone in ["numToKeep", "SECOND"] {
        assert!(!written.contains(gone), "{gone}: {written}");
    }
}

#[test]
fn a_fingerprint_covers_every_field() {
    let base = desired().jobs[0].1.clone();
    let edits: &[fn(&mut PipelineJob)] = &[
        |job| job.description.push('x'),
        |job| job.disabled = true,
        |job| job.concurrent = false,
        |job| job.builds_kept.push('1'),
        |job| job.parameters.get_mut("AWS_REGION").unwrap().default.push('x'),
        |job| job.parameters.get_mut("AWS_CREDENTIAL").unwrap().kind = job::ParameterKind::Text,
        |job| job.poll_schedule.push('x'),
        |job| job.repositories.push("x".into()),
        |job| job.branches.push("x".into()),
        |job| job.credentials_id.push('x'),
        |job| job.script_path.push('x'),
        |job| job.lightweight = false,
        |job| job.remote_token = true,
    ];
    for (n, edit) in edits.iter().enumerate() {
        let mut edited = base.clone();
        edit(&mut edited);
        assert_ne!(edited.fingerprint(), base.fingerprint(), "edit {n}");
        assert_eq!(compare::differences(&base, &edited).len(), 1, "edit {n}");
    }
}
