//! The Jenkins client and the jobs against the sandbox's Jenkins, in process: a job's whole life, drift, foreign items,
//! folders with credentials, both ways in which versions of Jenkins show config.xml, and every kind of refusal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::harness::project::{CONNECTION, bare, place, platform, project_ref, repositories};
use base64::Engine;
use bytes::Bytes;
use jiff::Timestamp;
use mlops_operator::adapters::jenkins::{JenkinsClient, JenkinsJobsActuator, JenkinsServerActuator};
use mlops_operator::crd::status::{Placement, Reason};
use mlops_operator::domain::external_resource::{Actuator, Attempts, Decision, ExternalResource, Goal, Wait};
use mlops_operator::domain::fault::{Fault, FaultKind};
use mlops_operator::domain::platform::JenkinsCredentials;
use mlops_operator::domain::problem::Problem;
use mlops_operator::domain::project::{JenkinsSettings, Project};
use mlops_operator::resources::jenkins_jobs::Jobs;
use mlops_operator::resources::jenkins_jobs::marker::{Marker, describe};
use mlops_operator::resources::jenkins_jobs::{Desired, JenkinsJobs};
use mlops_operator::resources::jenkins_server::{JenkinsServer, Usable};
use mlops_sandbox::jenkins::{Jenkins, Mode, Permission, User, item_names};
use mlops_sandbox::{Sandbox, Settings, What};
use tower::ServiceExt;

const FOLDER_XML: &str = "<com.cloudbees.hudson.plugins.folder.Folder/>";

fn project(folder: &[&str]) -> Project {
    let place = Placement {
        project_name: "taxi".into(),
        jenkins_url: "https://ci.example".into(),
        jenkins_folder: folder.iter().map(|part| (*part).to_owned()).collect(),
        ..place()
    };
    let mut project = Project {
        description: "It's <b>\"ours\"</b> ]]> \u{1} 🚀\nsecond line".into(),
        repositories: repositories(CONNECTION),
        jenkins: JenkinsSettings {
            poll_schedule: "* * * * *".into(),
            aws_credentials_id: "aws".into(),
            git_credentials_id: "git".into(),
            extra_parameters: BTreeMap::from([("EXTRA".to_owned(), "a&b\r\n".to_owned())]),
        },
        ..bare(place)
    };
    let own = platform(&mut project);
    own.jenkins_credentials = credentials(&Jenkins::credentials().1);
    own.aws_credentials = true;
    project
}

fn credentials(token: &str) -> JenkinsCredentials {
    crate::harness::project::credentials(&Jenkins::credentials().0, token, "")
}

fn job(suffix: &str) -> String {
    format!("sagemaker-taxi-p-1-{suffix}")
}

/// A sandbox and the operator's actuator in it.
struct Harness {
    sandbox: Sandbox,
    client: JenkinsClient,
    project: Project,
    /// `platform.jenkins.folderPolicy: Delete`
    delete_folders: bool,
    /// Whether builds are looked at, and started.
    builds: bool,
}

impl Harness {
    fn new(folder: &[&str]) -> Self {
        let sandbox = Sandbox::new(Settings::default());
        let project = project(folder);
        let client =
            JenkinsClient::over(sandbox.jenkins(), &project.identity.placement, &project.platform.jenkins_credentials)
                .unwrap();
        Self { sandbox, client, project, delete_folders: true, builds: false }
    }

    fn wanted(&self) -> Goal<Desired> {
        Goal::Present(JenkinsJobs::desired(&self.project, &project_ref("p-1")))
    }

    async fn look(
        &self,
        goal: &Goal<Desired>,
    ) -> Result<Decision<<JenkinsJobs as ExternalResource>::Action, Jobs>, Fault> {
        let server = match goal {
            Goal::Present(_) => Goal::Present(JenkinsServer::desired(&self.project.platform, &())),
            Goal::Absent => Goal::Absent,
        };
        if let Decision::Stuck(problem) = self.server(&server).await? {
            return Ok(Decision::Stuck(problem));
        }
        let (id, attempts) = (&self.project.identity, Attempts::default());
        let observed = self.jobs().observe(id, &attempts).await?;
        Ok(JenkinsJobs::decide(id, goal, &observed, Timestamp::UNIX_EPOCH, &attempts))
    }

    fn jobs(&self) -> JenkinsJobsActuator<'_> {
        let actuator = JenkinsJobsActuator::new(&self.client, self.delete_folders);
        if self.builds { actuator.with_builds() } else { actuator }
    }

    /// How many builds each job has had.
    fn built(&self) -> Vec<usize> {
        let jobs = ["preprocess", "modelbuild", "modeldeploy"].map(job);
        let path = |name: &String| {
            [&self.project.identity.placement.jenkins_folder[..], std::slice::from_ref(name)].concat().join("/")
        };
        self.jenkins(|jenkins| jobs.iter().map(|name| jenkins.item(&path(name)).unwrap().builds.len()).collect())
    }

    /// The jobs wait for the server, as in the operator.
    async fn server(
        &self,
        goal: &Goal<<JenkinsServer as ExternalResource>::Desired>,
    ) -> Result<Decision<<JenkinsServer as ExternalResource>::Action, Usable>, Fault> {
        let (id, attempts) = (&self.project.identity, Attempts::default());
        let observed = JenkinsServerActuator::new(&self.client).with_folder(true).observe(id, &attempts).await?;
        Ok(JenkinsServer::decide(id, goal, &observed, Timestamp::UNIX_EPOCH, &attempts))
    }

    /// Looks and acts until there is nothing to do; gives what was done, and where it ended.
    async fn settle(&self, goal: &Goal<Desired>) -> Result<(Vec<String>, String), Fault> {
        let mut done = Vec::new();
        for _ in 0..8 {
            match self.look(goal).await? {
                Decision::InSync(_) => return Ok((done, "in sync".into())),
                Decision::Gone => return Ok((done, "gone".into())),
                Decision::GoneBut(left) => return Ok((done, left)),
                Decision::Stuck(Problem { reason, .. }) => return Ok((done, reason.to_string())),
                Decision::Wait(Wait { reason, .. }) => return Ok((done, reason.to_string())),
                Decision::Act(steps) => {
                    for step in steps {
                        self.jobs().act(&self.project.identity, &step.action).await?;
                        done.push(format!("{} ({})", step.summary, step.reason));
                    }
                }
            }
        }
        panic!("it does not settle: {done:#?}");
    }

    async fn apply(&self) -> Vec<String> {
        let (done, end) = self.settle(&self.wanted()).await.unwrap();
        assert_eq!(end, "in sync", "{done:#?}");
        done
    }

    async fn fault(&self) -> Fault {
        self.settle(&self.wanted()).await.expect_err("a fault")
    }

    fn jenkins<T>(&self, look: impl FnOnce(&mut Jenkins) -> T) -> T {
        self.sandbox.world(|world| look(&mut world.jenkins))
    }

    fn names(&self) -> Vec<String> {
        self.jenkins(|jenkins| item_names(jenkins).into_iter().collect())
    }

    fn posts(&self) -> usize {
        self.sandbox.calls().iter().filter(|call| call.contains("POST")).count()
    }

    /// A request by a person at the keyboard.
    async fn by_hand(&self, method: &str, path: &str, xml: &str) -> String {
        let (user, token) = Jenkins::credentials();
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{token}"));
        let request = http::Request::builder()
            .method(method)
            .uri(format!("http://ci.example{path}"))
            .header("Authorization", format!("Basic {basic}"))
            .header("Content-Type", "application/xml; charset=utf-8")
            .body(Bytes::from(xml.to_owned()))
            .unwrap();
        let answer = self.sandbox.jenkins().oneshot(request).await.unwrap();
        assert!(answer.status().as_u16() < 400, "{method} {path}: {}", answer.status());
        String::from_utf8(answer.body().to_vec()).unwrap()
    }

    async fn edit(&self, path: &str, change: impl Fn(String) -> String) {
        let before = self.by_hand("GET", &format!("{path}/config.xml"), "").await;
        let after = change(before.clone());
        assert_ne!(before, after, "the edit changes something");
        self.by_hand("POST", &format!("{path}/config.xml"), &after).await;
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_live_and_go_in_every_version_of_jenkins() {
    for version in ["2.440.1", "2.555.2", "2.555.3", "2.567", "2.570"] {
        let mut harness = Harness::new(&["ml", "team ü +1"]);
        harness.jenkins(|jenkins| jenkins.version = version.into());
        let made = harness.apply().await;
        assert_eq!(made.len(), 5, "{version}: two folders and three jobs: {made:#?}");
        assert_eq!(harness.names().len(), 5, "{version}");
        let quiet = harness.posts();
        assert_eq!(quiet, 5, "{version}: one write each");
        assert!(harness.apply().await.is_empty(), "{version}: in sync");
        assert_eq!(harness.posts(), quiet, "{version}: looking writes nothing");

        type Edit = (&'static str, fn(&mut Project), usize);
        let edits: &[Edit] = &[
            ("description", |project| project.description = "other".into(), 3),
            ("poll schedule", |project| project.jenkins.poll_schedule = "H/5 * * * *".into(), 3),
            ("branch", |project| project.repositories.build.branch = "release".into(), 1),
            ("repository URL", |project| project.repositories.deploy.url = "https://git.example/x.git".into(), 1),
            ("Git credentials", |project| project.jenkins.git_credentials_id.clear(), 3),
            ("parameter AWS_CREDENTIAL", |project| project.jenkins.aws_credentials_id.clear(), 3),
            ("parameter EXTRA", |project| project.jenkins.extra_parameters.clear(), 3),
        ];
        for (field, edit, jobs) in edits {
            edit(&mut harness.project);
            let changed = harness.apply().await;
            assert_eq!(changed.len(), *jobs, "{version}: {changed:#?}");
            assert!(
                changed.iter().all(|line| line.ends_with(&format!("{field} (SpecChanged)"))),
                "{version}: {changed:#?}"
            );
        }

        let (gone, end) = harness.settle(&Goal::Absent).await.unwrap();
        assert_eq!((gone.len(), end.as_str()), (5, "gone"), "{version}: {gone:#?}");
        assert!(harness.names().is_empty(), "{version}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_job_gets_one_build_whatever_becomes_of_the_answers() {
    let mut harness = Harness::new(&["ml"]);
    harness.builds = true;
    let done = harness.apply().await;
    let started: Vec<&String> = done.iter().filter(|line| line.starts_with("start a build")).collect();
    assert_eq!(started.len(), 3, "{done:#?}");
    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    assert_eq!((harness.apply().await.len(), harness.built()), (0, vec![1, 1, 1]), "their checkouts are seen");

    // The answer to a start is lost: the build is in the queue, or has run, when it is looked at again.
    for seconds in [0, 30] {
        let mut harness = Harness::new(&["ml"]);
        harness.apply().await;
        harness.builds = true;
        harness
            .sandbox
            .fault(mlops_sandbox::Fault::on("jenkins", "POST buildWithParameters").nth(1).after(What::DropConnection));
        assert_eq!(harness.fault().await.kind, FaultKind::Unavailable);
        tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
        harness.apply().await;
        tokio::time::sleep(std::time::Duration::from_secs(30)).await;
        harness.apply().await;
        assert_eq!(harness.built(), [1, 1, 1], "after {seconds} s");
    }

    // What was decided before somebody else started one is not done any more.
    let mut harness = Harness::new(&["ml"]);
    harness.apply().await;
    harness.builds = true;
    let Decision::Act(steps) = harness.look(&harness.wanted()).await.unwrap() else { panic!("builds are wanted") };
    harness.by_hand("POST", &format!("/job/ml/job/{}/buildWithParameters", job("preprocess")), "").await;
    let refused = harness.jobs().act(&harness.project.identity, &steps[0].action).await.unwrap_err();
    assert_eq!(refused.kind, FaultKind::Conflict);
}

#[tokio::test(start_paused = true)]
async fn a_user_who_may_start_no_builds_is_told_so_and_the_jobs_stand() {
    let mut harness = Harness::new(&[]);
    harness.builds = true;
    harness.jenkins(|jenkins| {
        let user = jenkins.users.get_mut(&Jenkins::credentials().0).unwrap();
        user.permissions.remove(&Permission::ItemBuild);
    });
    harness.apply().await;
    let Decision::InSync(jobs) = harness.look(&harness.wanted()).await.unwrap() else { panic!("in sync") };
    let remark = JenkinsJobs::remark(&jobs).unwrap();
    assert_eq!(remark.reason, Reason::AccessDenied);
    let names = ["preprocess", "modelbuild", "modeldeploy"].map(|role| format!("\"{}\"", job(role))).join(", ");
    let said = format!(
        "could not start a build of job \"{}\": the user lacks the permission hudson.model.Item.Build (403); polling \
         goes on with the present branch only after a build of {names}: ",
        job("preprocess")
    );
    assert!(remark.message.starts_with(&said), "{}", remark.message);
    assert!(!remark.passing, "Jenkins has named the permission");
    assert_eq!(harness.built(), [0, 0, 0]);
}

/// Whoever forbids the look whether builds may be started, no job is worse for it; one that has just gone is another matter.
#[tokio::test(start_paused = true)]
async fn what_else_forbids_a_first_build_may_pass_and_fails_no_job() {
    let mut harness = Harness::new(&[]);
    harness.apply().await;
    harness.builds = true;
    let rows = [(400, true), (403, true), (405, true), (401, false), (404, true), (429, false), (503, false)];
    for (status, remarked) in rows {
        harness.sandbox.clear_faults();
        let refusal = What::refuse(status, "", "");
        harness.sandbox.fault(mlops_sandbox::Fault::on("jenkins", "GET buildWithParameters").before(refusal));
        match harness.look(&harness.wanted()).await {
            Ok(Decision::InSync(jobs)) => {
                assert!(remarked, "{status}");
                assert!(JenkinsJobs::remark(&jobs).unwrap().passing, "{status}");
            }
            Ok(_) => panic!("{status}: something is to be done"),
            Err(fault) => assert!(!remarked, "{status}: {}", fault.message),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_people_change_is_put_right_and_what_they_add_stays() {
    for version in ["2.567", "2.570"] {
        let harness = Harness::new(&[]);
        harness.jenkins(|jenkins| jenkins.version = version.into());
        harness.apply().await;
        let path = format!("/job/{}", job("modeldeploy"));
        let hint = "<org.jenkinsci.plugins.workflow.job.properties.DurabilityHintJobProperty><hint>MAX_SURVIVABILITY</hint></org.jenkinsci.plugins.workflow.job.properties.DurabilityHintJobProperty>";
        harness.edit(&path, |xml| xml.replace("<properties>", &format!("<properties>{hint}"))).await;
        assert!(harness.apply().await.is_empty(), "{version}: an added property is no drift");
        type Drift = (&'static str, fn(String) -> String);
        let drifts: &[Drift] = &[
            ("disabled", |xml| xml.replace("<disabled>false", "<disabled>true")),
            ("branch", |xml| xml.replace("refs/heads/main", "refs/heads/evil")),
            ("poll schedule", |xml| xml.replace("* * * * *", "@daily")),
            ("remote trigger token", |xml| xml.replace("<disabled>", "<authToken>token</authToken><disabled>")),
        ];
        for (field, change) in drifts {
            harness.edit(&path, change).await;
            let done = harness.apply().await;
            assert_eq!(done, [format!("update job \"{}\": {field} (Drifted)", job("modeldeploy"))], "{version}");
        }
        let kept = harness.by_hand("GET", &format!("{path}/config.xml"), "").await;
        assert!(kept.contains("MAX_SURVIVABILITY"), "{version}: {kept}");
        harness.by_hand("POST", &format!("{path}/doDelete"), "").await;
        assert_eq!(harness.apply().await, [format!("create job \"{}\" (Missing)", job("modeldeploy"))]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_plugin_upgrade_a_restart_and_a_shutdown_ahead_are_no_drift() {
    let harness = Harness::new(&["ml"]);
    harness.apply().await;
    harness.jenkins(|jenkins| {
        jenkins.plugins.values_mut().for_each(|version| version.push_str(".1"));
        jenkins.restart();
        jenkins.mode = Mode::QuietDown;
    });
    let server = Goal::Present(JenkinsServer::desired(&harness.project.platform, &()));
    let Decision::InSync(usable) = harness.server(&server).await.unwrap() else { panic!("in sync") };
    assert!(usable.quieting_down);
    let Decision::InSync(jobs) = harness.look(&harness.wanted()).await.unwrap() else { panic!("in sync") };
    assert_eq!(jobs.urls[0], format!("https://ci.example/job/ml/job/{}/", job("preprocess")));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_ours_is_neither_changed_nor_deleted() {
    let rows =
        [("of that name", job("preprocess")), ("of that name in another case", job("preprocess").to_uppercase())];
    for (name, taken) in rows {
        let harness = Harness::new(&[]);
        harness.by_hand("POST", &format!("/createItem?name={taken}"), "<flow-definition/>").await;
        let before = harness.jenkins(|jenkins| jenkins.dump());
        let (done, end) = harness.settle(&harness.wanted()).await.unwrap();
        assert_eq!((done.len(), end.as_str()), (0, "ForeignOwner"), "a job {name}");
        assert_eq!(harness.settle(&Goal::Absent).await.unwrap().1, "gone", "a job {name}");
        assert_eq!(harness.jenkins(|jenkins| jenkins.dump()), before, "a job {name} is as it was");
    }
    let harness = Harness::new(&["x"]);
    harness.by_hand("POST", "/createItem?name=x", "<flow-definition/>").await;
    assert_eq!(harness.settle(&harness.wanted()).await.unwrap().1, "ForeignOwner", "a job where the folder belongs");
}

#[tokio::test(start_paused = true)]
async fn folders_of_others_and_what_they_hold_survive() {
    let harness = Harness::new(&["team", "ours"]);
    harness.by_hand("POST", "/createItem?name=Team", FOLDER_XML).await;
    let credential = "<org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl><scope>GLOBAL</scope><id>i</id><secret>s</secret></org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl>";
    for folder in ["/job/Team", "/job/Team/job/ours"] {
        if folder.ends_with("ours") {
            harness.apply().await;
        }
        harness
            .by_hand("POST", &format!("{folder}/credentials/store/folder/domain/_/createCredentials"), credential)
            .await;
    }
    harness.apply().await;
    let (_, end) = harness.settle(&Goal::Absent).await.unwrap();
    assert_eq!(end, "Jenkins folder \"team/ours\" of https://ci.example stays: something else is in it");
    assert_eq!(harness.names(), ["Team/", "Team/ours/"], "our folder holds credentials of users, so it stays");
    let kept =
        harness.jenkins(|jenkins| ["Team", "Team/ours"].map(|name| jenkins.item(name).unwrap().credentials.len()));
    assert_eq!(kept, [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn what_plugins_leave_in_a_folder_of_ours_does_not_keep_it() {
    let credential = "<org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl><scope>GLOBAL</scope><id>i</id><secret>s</secret></org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl>";
    let store = "/job/ours/credentials/store/folder/domain/_";
    let harness = Harness::new(&["ours"]);
    harness.apply().await;
    harness.by_hand("POST", &format!("{store}/createCredentials"), credential).await;
    harness.by_hand("POST", &format!("{store}/credential/i/doDelete"), "").await;
    let left = harness.by_hand("GET", "/job/ours/config.xml", "").await;
    assert!(left.contains("FolderCredentialsProperty"), "the plugin leaves its property: {left}");
    assert_eq!(harness.settle(&Goal::Absent).await.unwrap().1, "gone");
    assert!(harness.names().is_empty(), "a list of credentials that is empty again");

    let harness = Harness::new(&["ours"]);
    harness.jenkins(|jenkins| {
        jenkins.plugins.insert("matrix-auth".into(), "3.2".into());
        jenkins.users.get_mut("operator").unwrap().permissions.remove(&Permission::ItemConfigure);
    });
    harness.apply().await;
    let left = harness.by_hand("GET", "/job/ours/config.xml", "").await;
    assert!(left.contains("AuthorizationMatrixProperty"), "the plugin adds its property: {left}");
    assert_eq!(harness.settle(&Goal::Absent).await.unwrap().1, "gone");
    assert!(harness.names().is_empty(), "the rights that the plugin gave to the creator");
}

/// A job with permissions of its own, which the operator's user may not read.
const HIDDEN: &str = "<flow-definition><properties><hudson.security.AuthorizationMatrixProperty><inheritanceStrategy class=\"org.jenkinsci.plugins.matrixauth.inheritance.NonInheritingStrategy\"/><permission>USER:hudson.model.Item.Read:somebody</permission></hudson.security.AuthorizationMatrixProperty></properties></flow-definition>";

#[tokio::test(start_paused = true)]
async fn a_folder_that_looks_empty_stays_unless_the_spec_consents() {
    let kept = "Jenkins folder \"ours\" of https://ci.example stays: items that the operator's user may not see would go with it";
    for (name, delete_folders, hidden, left) in [
        ("a hidden job, no consent", false, true, vec!["ours/", "ours/theirs"]),
        ("an empty folder, no consent", false, false, vec!["ours/"]),
        ("an empty folder, and consent", true, false, vec![]),
        ("a hidden job, and consent to what cannot be seen", true, true, vec![]),
    ] {
        let harness = Harness { delete_folders, ..Harness::new(&["ours"]) };
        harness.jenkins(|jenkins| drop(jenkins.plugins.insert("matrix-auth".into(), "3.2".into())));
        harness.apply().await;
        if hidden {
            harness.by_hand("POST", "/job/ours/createItem?name=theirs", HIDDEN).await;
            let listed = harness.by_hand("GET", "/job/ours/api/json?tree=jobs[name]", "").await;
            assert!(!listed.contains("theirs"), "{name}: {listed}");
        }
        let (_, end) = harness.settle(&Goal::Absent).await.unwrap();
        assert_eq!(harness.names(), left, "{name}");
        assert!(if delete_folders { end == "gone" } else { end.starts_with(kept) }, "{name}: {end}");
        // A folder that was left is found again, and is the project's own.
        assert_eq!(harness.apply().await.len(), if delete_folders { 4 } else { 3 }, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_hold_others_items_is_deleted_by_no_marker() {
    let rows = [
        ("in the place of a job", job("preprocess"), "ForeignOwner"),
        ("beside the jobs", "other".to_owned(), "in sync"),
    ];
    for (name, folder, expected) in rows {
        let harness = Harness::new(&["ml"]);
        let marker = Marker::new(&harness.project.identity, &["ml".to_owned(), folder.clone()], "");
        let marked = format!(
            "<com.cloudbees.hudson.plugins.folder.Folder><description>{}</description></com.cloudbees.hudson.plugins.folder.Folder>",
            marker.line()
        );
        harness.by_hand("POST", "/createItem?name=ml", FOLDER_XML).await;
        harness.by_hand("POST", &format!("/job/ml/createItem?name={folder}"), &marked).await;
        harness.jenkins(|jenkins| drop(jenkins.plugins.insert("matrix-auth".into(), "3.2".into())));
        harness.by_hand("POST", &format!("/job/ml/job/{folder}/createItem?name=theirs"), HIDDEN).await;
        assert_eq!(harness.settle(&harness.wanted()).await.unwrap().1, expected, "{name}");
        assert_eq!(harness.settle(&Goal::Absent).await.unwrap().1, "gone", "{name}");
        assert_eq!(
            harness.names(),
            ["ml/".to_owned(), format!("ml/{folder}/"), format!("ml/{folder}/theirs")],
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_copied_marker_on_a_job_of_another_name_is_not_even_observed() {
    let harness = Harness::new(&["ml"]);
    harness.apply().await;
    let id = &harness.project.identity;
    let copied = |name: &str| {
        let marker = Marker::new(id, &["ml".to_owned(), name.to_owned()], "");
        format!("<flow-definition><description>{}</description></flow-definition>", describe("", &marker))
    };
    for n in 0..150 {
        let name = format!("copied-{n}");
        harness.by_hand("POST", &format!("/job/ml/createItem?name={name}"), &copied(&name)).await;
    }
    let observed = harness.jobs().observe(id, &Attempts::default()).await.unwrap();
    assert_eq!(observed.items.len(), 3, "{observed:?}");
    assert_eq!(observed.folders[0].items, Some(153), "they count as what is in the folder");
    assert!(harness.apply().await.is_empty(), "in sync");
    for n in 0..98 {
        let name = format!("sagemaker-taxi-{n}-preprocess");
        harness.by_hand("POST", &format!("/job/ml/createItem?name={name}"), "<flow-definition/>").await;
    }
    let fault = harness.fault().await;
    assert_eq!(fault.kind, FaultKind::Unexpected);
    let said = "more than 100 items there have names that begin and end like those of this project's jobs";
    assert!(fault.message.contains(said), "{}", fault.message);
}

#[tokio::test(start_paused = true)]
async fn a_jenkinsfile_with_parameters_without_number_makes_its_own_job_stuck() {
    let mut harness = Harness::new(&["ml"]);
    harness.builds = true;
    harness.apply().await;
    let path = format!("/job/ml/job/{}", job("modelbuild"));
    let before = harness.by_hand("GET", &format!("{path}/config.xml"), "").await;
    let one = |n: usize| {
        format!("<hudson.model.StringParameterDefinition><name>P{n}</name></hudson.model.StringParameterDefinition>")
    };
    let parameters = format!("<parameterDefinitions>{}", (0..5000).map(one).collect::<String>());
    harness.edit(&path, |xml| xml.replacen("<parameterDefinitions>", &parameters, 1)).await;
    let Decision::Stuck(problem) = harness.look(&harness.wanted()).await.unwrap() else { panic!("it is stuck") };
    let said = format!("job \"{}\" has 5008 parameters, more than 200, so that it is not read", job("modelbuild"));
    assert_eq!((problem.reason, problem.message), (Reason::Unexpected, said));
    harness.by_hand("POST", &format!("{path}/config.xml"), &before).await;
    assert!(harness.apply().await.is_empty(), "it is as it was");
}

#[tokio::test(start_paused = true)]
async fn what_jenkins_reads_otherwise_than_it_was_sent_is_written_once() {
    for version in ["2.567", "2.570"] {
        let mut harness = Harness::new(&[]);
        harness.jenkins(|jenkins| jenkins.version = version.into());
        harness.project.description = "one\u{2028}two".into();
        harness.project.jenkins.extra_parameters = BTreeMap::from([("EXTRA".to_owned(), "a\u{2028}b".to_owned())]);
        harness.apply().await;
        assert!(harness.apply().await.is_empty(), "{version}: a line separator, which Jenkins reads as a line end");

        let path = format!("/job/{}", job("modelbuild"));
        harness.edit(&path, |xml| xml.replace("<configVersion>2</configVersion>", "")).await;
        assert!(
            harness.apply().await.is_empty(),
            "{version}: without configVersion, Jenkins doubles each `*`: there is none"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_of_an_earlier_project_id_and_of_another_type_make_place() {
    let harness = Harness::new(&["ml"]);
    let earlier = Goal::Present(JenkinsJobs::desired(&harness.project, &project_ref("p-0")));
    harness.settle(&earlier).await.unwrap();
    let path = ["ml".to_owned(), job("modelbuild")];
    let marker = Marker::new(&harness.project.identity, &path, "");
    let freestyle = format!("<project><description>{}</description></project>", describe("", &marker));
    harness.by_hand("POST", &format!("/job/ml/createItem?name={}", job("modelbuild")), &freestyle).await;
    harness.apply().await;
    let expected: Vec<String> =
        ["", &job("modelbuild"), &job("modeldeploy"), &job("preprocess")].map(|name| format!("ml/{name}")).into();
    assert_eq!(harness.names(), expected);
    let kind = harness.jenkins(|jenkins| jenkins.item(&expected[1]).unwrap().kind);
    assert_eq!(kind, mlops_sandbox::jenkins::ItemKind::Pipeline);
}

#[tokio::test(start_paused = true)]
async fn every_refusal_has_its_kind_and_reason() {
    type Case = (&'static str, fn(&mut Jenkins), FaultKind, Reason, &'static str);
    fn deny(jenkins: &mut Jenkins, permission: Permission) {
        jenkins.users.get_mut("operator").unwrap().permissions.remove(&permission);
    }
    let rows: &[Case] = &[
        (
            "a revoked token",
            |jenkins| drop(jenkins.users.insert("operator".into(), User::service("new"))),
            FaultKind::Denied,
            Reason::JenkinsCredentialsInvalid,
            "401",
        ),
        (
            "no permission to look",
            |jenkins| deny(jenkins, Permission::OverallRead),
            FaultKind::Denied,
            Reason::AccessDenied,
            "Hudson.Read",
        ),
        (
            "no permission to create",
            |jenkins| deny(jenkins, Permission::ItemCreate),
            FaultKind::Denied,
            Reason::AccessDenied,
            "Item.Create",
        ),
        ("starting", |jenkins| jenkins.mode = Mode::Loading, FaultKind::Unavailable, Reason::Unavailable, "503"),
        (
            "starting, with tokens refused until all jobs are loaded",
            |jenkins| jenkins.mode = Mode::Initializing,
            FaultKind::Unavailable,
            Reason::Unavailable,
            "Jenkins is starting, and knows no users yet",
        ),
        (
            "at another path",
            |jenkins| jenkins.context = "/jenkins".into(),
            FaultKind::Rejected,
            Reason::NotJenkins,
            "404",
        ),
        (
            "an item that the user may not see",
            |jenkins| {
                let denied = [(job("preprocess"), [Permission::ItemRead].into())];
                jenkins.users.get_mut("operator").unwrap().denied = denied.into();
            },
            FaultKind::Rejected,
            Reason::JenkinsItemNotVisible,
            "may not see it",
        ),
        (
            "an item that the user may discover and not read",
            |jenkins| {
                let denied = [(job("preprocess"), [Permission::ItemRead].into())];
                let operator = jenkins.users.get_mut("operator").unwrap();
                operator.denied = denied.into();
                operator.permissions.insert(Permission::ItemDiscover);
            },
            FaultKind::Rejected,
            Reason::JenkinsItemNotVisible,
            "may not see it",
        ),
    ];
    for (name, change, kind, reason, part) in rows {
        let harness = Harness::new(&[]);
        harness.by_hand("POST", &format!("/createItem?name={}", job("preprocess")), "<flow-definition/>").await;
        harness.jenkins(|jenkins| {
            if *reason != Reason::JenkinsItemNotVisible {
                jenkins.items.clear();
            }
            change(jenkins);
        });
        let fault = harness.fault().await;
        assert_eq!((fault.kind, fault.reason), (*kind, *reason), "{name}: {}", fault.message);
        assert!(fault.message.contains(part), "{name}: {}", fault.message);
        let token = Jenkins::credentials().1;
        assert!(!fault.message.contains(&token), "{name}: no secret in a message");
    }
}

/// Firewalls refuse who does not say what he is, and some servers a POST without a length.
#[tokio::test(start_paused = true)]
async fn each_call_says_what_calls_and_how_long_it_is() {
    let sandbox = Sandbox::new(Settings::default());
    let project = project(&[]);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (jenkins, watched) = (sandbox.jenkins(), seen.clone());
    let watching = tower::service_fn(move |request: http::Request<Bytes>| {
        let header =
            |name| request.headers().get(name).map(|value: &http::HeaderValue| value.to_str().unwrap().to_owned());
        watched.lock().unwrap().push((request.method().clone(), header("user-agent"), header("content-length")));
        jenkins.clone().oneshot(request)
    });
    let placement = &project.identity.placement;
    let client = JenkinsClient::over(watching, placement, &project.platform.jenkins_credentials).unwrap();
    let harness = Harness { sandbox, client, project: project.clone(), delete_folders: true, builds: true };
    let [mut reads, mut builds] = [0, 0];
    harness.apply().await;
    for (method, agent, length) in seen.lock().unwrap().drain(..) {
        assert_eq!(agent, Some(format!("mlops-operator/{}", env!("CARGO_PKG_VERSION"))));
        reads += usize::from(method == http::Method::GET);
        builds += usize::from(method == http::Method::POST && length.as_deref() == Some("0"));
    }
    assert!(reads > 0 && builds == 3, "{reads} reads, and {builds} builds of three jobs");
}

#[tokio::test(start_paused = true)]
async fn what_jenkins_lacks_is_named_before_anything_is_written() {
    type Case = (&'static str, fn(&mut Jenkins), &'static str);
    let rows: &[Case] = &[
        ("a plugin", |jenkins| drop(jenkins.plugins.remove("workflow-cps")), "PluginMissing"),
        ("the folder plugin", |jenkins| drop(jenkins.plugins.remove("cloudbees-folder")), "PluginMissing"),
        ("a recent version", |jenkins| jenkins.version = "2.426.3".into(), "JenkinsTooOld"),
    ];
    for (name, change, expected) in rows {
        let harness = Harness::new(&["ml"]);
        harness.jenkins(change);
        assert_eq!(harness.settle(&harness.wanted()).await.unwrap().1, *expected, "{name}");
        assert_eq!(harness.posts(), 0, "{name}");
    }
    let harness = Harness::new(&["ml"]);
    harness.jenkins(|jenkins| {
        jenkins.users.get_mut("operator").unwrap().permissions.remove(&Permission::OverallSystemRead);
    });
    assert_eq!(harness.apply().await.len(), 4, "a user who may not list plugins can work all the same");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_costs_a_look_and_makes_nothing_twice() {
    for n in 1..=4 {
        let harness = Harness::new(&["ml"]);
        harness
            .sandbox
            .fault(mlops_sandbox::Fault::on("jenkins", "POST createItem").nth(n).after(What::DropConnection));
        let fault = harness.fault().await;
        assert_eq!(fault.kind, FaultKind::Unavailable, "{}", fault.message);
        harness.apply().await;
        assert_eq!(harness.names().len(), 4, "answer {n}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_password_instead_of_a_token_works_with_one_crumb() {
    let sandbox = Sandbox::new(Settings::default());
    sandbox.world(|world| world.jenkins.users.get_mut("operator").unwrap().password = Some("pw".into()));
    let project = project(&[]);
    let client = JenkinsClient::over(sandbox.jenkins(), &project.identity.placement, &credentials("pw")).unwrap();
    let harness = Harness { sandbox, client, project, delete_folders: true, builds: false };
    assert_eq!(harness.apply().await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn jenkins_may_live_below_a_path() {
    let sandbox = Sandbox::new(Settings::default());
    sandbox.world(|world| world.jenkins.context = "/ci/jenkins".into());
    let mut project = project(&["ml"]);
    project.identity.placement.jenkins_url = "https://ci.example/ci/jenkins/".into();
    let client =
        JenkinsClient::over(sandbox.jenkins(), &project.identity.placement, &project.platform.jenkins_credentials)
            .unwrap();
    let harness = Harness { sandbox, client, project, delete_folders: true, builds: false };
    assert_eq!(harness.apply().await.len(), 4);
}

/// A server that gives every request the same answer.
async fn canned(answer: Vec<u8>) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = socket.read(&mut buffer).await;
                let _ = socket.write_all(&answer).await;
            });
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn over_a_real_socket_strangers_are_told_from_jenkins() {
    let head = |head: &str| head.replace('\n', "\r\n").into_bytes();
    let mut endless = head("HTTP/1.1 200 OK\nX-Jenkins: 2.570\nContent-Length: 9000000\n\n");
    endless.resize(endless.len() + 9_000_000, b' ');
    let rows = [
        ("a web page", head("HTTP/1.1 200 OK\nContent-Length: 2\n\nhi"), "NotJenkins"),
        (
            "a login page elsewhere",
            head("HTTP/1.1 302 Found\nLocation: http://sso.example/\nContent-Length: 0\n\n"),
            "fault NotJenkins",
        ),
        ("an endless answer", endless, "fault Rejected"),
        ("no HTTP at all", b"SSH-2.0-OpenSSH\r\n".to_vec(), "fault Unavailable"),
        (
            "somebody anonymous",
            head("HTTP/1.1 200 OK\nX-Jenkins: 2.570\nContent-Length: 23\n\n{\"authenticated\":false}"),
            "JenkinsCredentialsInvalid",
        ),
        (
            "somebody anonymous, as Jenkins itself says it",
            head(
                "HTTP/1.1 200 OK\nX-Jenkins: 2.570\nContent-Length: 39\n\n{\"anonymous\":true,\"authenticated\":true}",
            ),
            "JenkinsCredentialsInvalid",
        ),
    ];
    for (name, answer, expected) in rows {
        let mut project = project(&[]);
        project.identity.placement.jenkins_url = canned(answer).await;
        project.identity.placement.allow_plain_http = true;
        let client =
            JenkinsClient::connect(&project.identity.placement, &project.platform.jenkins_credentials, "").unwrap();
        let harness = Harness {
            sandbox: Sandbox::new(Settings::default()),
            client,
            project,
            delete_folders: true,
            builds: false,
        };
        let told = match harness.settle(&harness.wanted()).await {
            Ok((_, end)) => end,
            Err(fault) => format!("fault {}", fault.reason),
        };
        assert_eq!(told, expected, "{name}");
    }
}

/// A TLS server on loopback that shows the certificate of `tests/tls` and gives every request the same answer.
fn canned_tls(answer: &'static [u8]) -> String {
    use std::io::{Read, Write};

    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let chain = CertificateDer::pem_slice_iter(include_bytes!("../tls/server.pem")).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../tls/server-key.pem")).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = std::sync::Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, socket);
            // A client that refuses the certificate ends the handshake here: the next one is served all the same.
            if stream.read(&mut [0; 4096]).is_ok() {
                let _ = stream.write_all(answer);
            }
        }
    });
    format!("https://{address}")
}

#[tokio::test]
async fn a_private_ca_is_trusted_when_it_is_given_and_only_then() {
    let answer = b"HTTP/1.1 200 OK\r\nX-Jenkins: 2.570\r\nConnection: close\r\nContent-Length: 23\r\n\r\n{\"authenticated\":false}";
    let mut project = project(&[]);
    project.identity.placement.jenkins_url = canned_tls(answer);
    let rows = [
        ("with the CA", include_str!("../tls/ca.pem"), Ok("JenkinsCredentialsInvalid")),
        ("without", "", Err(FaultKind::Unavailable)),
    ];
    for (name, ca_bundle, expected) in rows {
        let client =
            JenkinsClient::connect(&project.identity.placement, &project.platform.jenkins_credentials, ca_bundle)
                .unwrap();
        let harness = Harness {
            sandbox: Sandbox::new(Settings::default()),
            client,
            project: project.clone(),
            delete_folders: true,
            builds: false,
        };
        let told = harness.settle(&harness.wanted()).await;
        let told = told.as_ref().map(|(_, end)| end.as_str()).map_err(|fault| fault.kind);
        assert_eq!(told, expected, "{name}");
    }
}

/// What the sandbox claims of Jenkins, put to a real one: `JENKINS_URL`, `JENKINS_USER` and `JENKINS_TOKEN` name it. It
/// needs the plugins that jobs need, and leaves nothing behind.
#[tokio::test]
#[ignore = "needs a Jenkins server"]
async fn a_real_jenkins_agrees() {
    let setting = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("set {name}"));
    let mut project = project(&["mlops-operator-test", "taxi"]);
    project.identity.placement.jenkins_url = setting("JENKINS_URL");
    project.identity.placement.allow_plain_http = true;
    platform(&mut project).jenkins_credentials = credentials(&setting("JENKINS_TOKEN"));
    platform(&mut project).jenkins_credentials.username = setting("JENKINS_USER");
    let client =
        JenkinsClient::connect(&project.identity.placement, &project.platform.jenkins_credentials, "").unwrap();
    let mut harness =
        Harness { sandbox: Sandbox::new(Settings::default()), client, project, delete_folders: true, builds: false };
    assert_eq!(harness.apply().await.len(), 5);
    assert!(harness.apply().await.is_empty());
    harness.project.repositories.build.branch = "release".into();
    assert_eq!(harness.apply().await.len(), 1);
    let (gone, end) = harness.settle(&Goal::Absent).await.unwrap();
    assert_eq!((gone.len(), end.as_str()), (5, "gone"));
}
