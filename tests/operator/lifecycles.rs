//! The life of a project as readable text: each test is one story, told by the whole operator in process and compared
//! with `tests/golden/*.txt`. `make golden` writes them anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use crate::harness::operator::NAMESPACE;
use crate::harness::project::{account, region};
use crate::harness::story::{NAME, Story, manifest};
use mlops_operator::domain::project::RepositoryRole;
use mlops_sandbox::jenkins::{Jenkins, Jenkinsfile, Permission};
use mlops_sandbox::repositories::Content;
use mlops_sandbox::{Fault, Settings, What};
use serde_json::{Value, json};

const LONG: Duration = Duration::from_secs(120);

fn project_id(story: &Story) -> String {
    story.project().unwrap()["status"]["project"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn first_install() {
    let mut story = Story::installed("A project is declared, and everything it needs comes to exist").await;
    story.chapter("Two hours pass, with a deep look each hour, and nothing is written anywhere");
    let before = story.project().unwrap();
    let writes = story.writes();
    story.pass(Duration::from_hours(2)).await;
    assert_eq!(story.writes(), writes, "an idle project was written to");
    assert_eq!(story.project().unwrap(), before, "the status of an idle project changed");
    story.end("first-install").await;
}

#[tokio::test(start_paused = true)]
async fn change() {
    let mut story = Story::installed("A project is edited").await;
    story.chapter("Description, a tag, the poll schedule and a branch change");
    story.tell("user", "edits description, tags, jenkins.pollSchedule, repositories.build.branch");
    let edits = json!({"spec": {
        "description": "Predicts taxi fares, hourly",
        "tags": {"team": "fares"},
        "jenkins": {"pollSchedule": "H/5 * * * *"},
        "repositories": {"build": {"branch": "release"}},
    }});
    story.harness.edit(edits).await;
    story.until("Ready again", LONG, |story| story.ready()).await;
    story.chapter("The token in the Secret is rotated");
    story.tell("user", "rotates the API token: Jenkins takes the new one, the Secret holds it");
    let user = Jenkins::credentials().0;
    story.harness.sandbox.world(|world| {
        let account = world.jenkins.users.get_mut(&user).unwrap();
        account.token = "11aabbccddeeff00112233445566778899".to_owned();
    });
    let data = json!({"stringData": null, "data": {"token": "MTFhYWJiY2NkZGVlZmYwMDExMjIzMzQ0NTU2Njc3ODg5OQ=="}});
    let path = format!("/api/v1/namespaces/{NAMESPACE}/secrets/jenkins");
    story.patch(&path, "application/merge-patch+json", &data).await;
    let writes = story.writes();
    story.until("the stack's update", LONG, |story| story.writes() > writes).await;
    story.until("Ready again", LONG, |story| story.ready()).await;
    story.chapter("The trigger is no longer wanted");
    story.tell("user", "sets modelTrigger.enabled to false");
    story.harness.edit(json!({"spec": {"modelTrigger": {"enabled": false}}})).await;
    story.until("Ready again", LONG, |story| story.ready()).await;
    story.end("change").await;
}

#[tokio::test(start_paused = true)]
async fn trigger_switch() {
    let mut story = Story::installed("An empty object means nothing; only a switch does").await;
    let writes = story.writes();
    for (chapter, wanted) in [
        ("The same manifest is applied server-side: the object's modelTrigger is emptied to null", Value::Null),
        ("It is applied client-side again, as {}", json!({})),
    ] {
        story.chapter(chapter);
        story.tell("user", &format!("modelTrigger is {wanted}"));
        story.harness.edit(json!({"spec": {"modelTrigger": wanted}})).await;
        story.pass(Duration::from_mins(5)).await;
        assert!(story.ready());
        assert_eq!(story.writes(), writes, "{wanted} changed something");
    }
    story.chapter("The trigger is switched off");
    story.tell("user", "sets modelTrigger.enabled to false");
    story.harness.edit(json!({"spec": {"modelTrigger": {"enabled": false}}})).await;
    story.until("no trigger", LONG, |story| story.condition("TriggerReady").1 == "Disabled").await;
    story.until("Ready again", LONG, |story| story.ready()).await;
    story.chapter("And on again, by leaving modelTrigger out");
    story.tell("user", "removes modelTrigger");
    story.harness.edit(json!({"spec": {"modelTrigger": null}})).await;
    story.until("a trigger", LONG, |story| story.condition("TriggerReady").0 == "True").await;
    story.until("Ready again", LONG, |story| story.ready()).await;
    story.end("trigger-switch").await;
}

#[tokio::test(start_paused = true)]
async fn drift() {
    let mut story = Story::installed("Others change what the operator made, and it is set right").await;
    let id = project_id(&story);
    story.chapter("Somebody deletes a job and asks for a look");
    let path = format!("/job/ml/job/taxi-fares/job/sagemaker-{NAME}-{id}-preprocess/");
    story.tell("somebody", "deletes the preprocess job");
    story.harness.jenkins("DELETE", &path, "").await;
    story.harness.look_now().await;
    story.pass(Duration::from_secs(3)).await;
    assert!(story.ready());
    story.chapter("Somebody disables a job; the deep look of the next hour finds it");
    let path = format!("/job/ml/job/taxi-fares/job/sagemaker-{NAME}-{id}-modelbuild/disable");
    story.tell("somebody", "disables the modelbuild job");
    story.harness.jenkins("POST", &path, "").await;
    story.pass(Duration::from_mins(75)).await;
    assert!(story.ready());
    story.end("drift").await;
}

/// Starts a build of a job, and lets it end.
async fn build(story: &mut Story, job: &str) {
    story.tell("somebody", "starts a build of it");
    story.harness.jenkins("POST", &format!("/job/ml/job/taxi-fares/job/{job}/buildWithParameters"), "").await;
    story.pass(Duration::from_secs(3)).await;
}

#[tokio::test(start_paused = true)]
async fn jenkinsfile() {
    let mut story = Story::installed("A Jenkinsfile declares settings of its own job").await;
    let job = format!("sagemaker-{NAME}-{}-modelbuild", project_id(&story));
    let full_name = format!("ml/taxi-fares/{job}");
    let config =
        |story: &Story| story.harness.sandbox.world(|world| world.jenkins.item(&full_name).unwrap().config.clone());
    let has = |story: &Story, word: &str| config(story).walk().iter().any(|element| element.text == word);
    let declare = |story: &Story, triggers: &[&str]| {
        let parameter = "<hudson.model.StringParameterDefinition><name>EPOCHS</name><defaultValue>9</defaultValue></hudson.model.StringParameterDefinition>";
        let keep = "<jenkins.model.BuildDiscarderProperty><strategy class=\"hudson.tasks.LogRotator\"><daysToKeep>-1</daysToKeep><numToKeep>5</numToKeep></strategy></jenkins.model.BuildDiscarderProperty>";
        let file = Jenkinsfile::Declarative {
            options: vec![keep.to_owned()],
            triggers: triggers
                .iter()
                .map(|spec| format!("<hudson.triggers.SCMTrigger><spec>{spec}</spec></hudson.triggers.SCMTrigger>"))
                .collect(),
            parameters: vec![parameter.to_owned()],
        };
        story.harness.sandbox.world(|world| world.jenkins.jenkinsfiles.insert(full_name.clone(), file));
    };
    story.chapter("It adds a parameter and keeps five builds: that is its own");
    story.tell(
        "team",
        "commits parameters { EPOCHS } and options { buildDiscarder(5) } to the Jenkinsfile of modelbuild",
    );
    declare(&story, &[]);
    build(&mut story, &job).await;
    let writes = story.writes();
    story.pass(Duration::from_mins(75)).await;
    assert_eq!((story.writes(), story.condition("JobsReady").1), (writes, "InSync".to_owned()));
    assert!(has(&story, "EPOCHS") && has(&story, "5"));

    story.chapter("It replaces the polling trigger: that is put back, with all that was changed by hand beside it");
    story.tell("team", "commits triggers { pollSCM('@daily') }");
    declare(&story, &["@daily"]);
    build(&mut story, &job).await;
    story.tell("somebody", "disables the job");
    story.harness.jenkins("POST", &format!("/job/ml/job/taxi-fares/job/{job}/disable"), "").await;
    story.pass(Duration::from_mins(75)).await;
    assert!(has(&story, "* * * * *") && !has(&story, "@daily") && has(&story, "EPOCHS") && has(&story, "5"));

    story.chapter("The next build replaces it again: it is left, and said");
    build(&mut story, &job).await;
    let writes = story.writes();
    story.pass(Duration::from_hours(4)).await;
    assert_eq!((story.writes(), story.condition("JobsReady").1), (writes, "ChangesReverted".to_owned()));
    assert!(story.ready() && has(&story, "@daily"));

    story.chapter("What a person changes is undone all the same");
    story.tell("somebody", "disables the job");
    story.harness.jenkins("POST", &format!("/job/ml/job/taxi-fares/job/{job}/disable"), "").await;
    story.pass(Duration::from_mins(75)).await;
    assert!(has(&story, "@daily") && !has(&story, "* * * * *"));
    assert_eq!(config(&story).child_text("disabled"), Some("false"));

    story.chapter("The Jenkinsfile gives the trigger up, and it is the operator's again");
    story.tell("team", "takes triggers out of the Jenkinsfile");
    declare(&story, &[]);
    build(&mut story, &job).await;
    story.pass(Duration::from_mins(75)).await;
    assert!(has(&story, "* * * * *"));
    build(&mut story, &job).await;
    story.pass(Duration::from_mins(75)).await;
    assert!(has(&story, "* * * * *"));
    assert_eq!(story.condition("JobsReady").1, "InSync");
    story.end("jenkinsfile").await;
}

/// The builds of a job: of each how it ended, and whether it was the operator that started it.
fn built(story: &Story, job: &str) -> Vec<(String, bool)> {
    story.harness.sandbox.world(|world| {
        let builds = &world.jenkins.item(&format!("ml/taxi-fares/{job}")).unwrap().builds;
        let by_operator = |causes: &[String]| causes.iter().any(|cause| cause.starts_with("Started by user"));
        builds.iter().map(|build| (build.result.clone().unwrap_or_default(), by_operator(&build.causes))).collect()
    })
}

#[tokio::test(start_paused = true)]
async fn first_build() {
    let mut story = Story::begin("A job is built before its Jenkinsfile exists", Settings::default()).await;
    let url = "https://github.com/example/taxi-build.git";
    story.tell("team", "has no Jenkinsfile in example/taxi-build yet");
    story.harness.sandbox.world(|world| {
        world.jenkins.polling = true;
        world.jenkins.without_jenkinsfile.insert((url.to_owned(), "refs/heads/main".to_owned()));
    });
    story.tell("user", "applies the project");
    story.harness.apply(manifest());
    story.until("Ready", LONG, Story::ready).await;
    story.pass(Duration::from_mins(5)).await;
    let (ok, failed) = (|by_us| ("SUCCESS".to_owned(), by_us), |by_us| ("FAILURE".to_owned(), by_us));
    let job = |role: &str| format!("sagemaker-{NAME}-{}-{role}", project_id(&story));
    let [preprocess, modelbuild] = [job("preprocess"), job("modelbuild")];
    assert_eq!((built(&story, &preprocess), built(&story, &modelbuild)), (vec![ok(true)], vec![failed(true)]));

    story.chapter("The Jenkinsfile comes, but polling has nothing to compare with: that is said");
    story.tell("team", "commits a Jenkinsfile to example/taxi-build, and commits to example/taxi-preprocess");
    story.harness.sandbox.world(|world| {
        world.jenkins.without_jenkinsfile.clear();
        world.jenkins.commit(url, "refs/heads/main");
        world.jenkins.commit("https://github.com/example/taxi-preprocess.git", "refs/heads/main");
    });
    story.pass(Duration::from_hours(3)).await;
    assert_eq!((built(&story, &preprocess).len(), built(&story, &modelbuild).len()), (2, 1));
    assert!(story.ready());
    assert_eq!(story.condition("JobsReady").1, "NoCheckout");

    story.chapter("The branch changes: one build is started, and polling works from then on");
    story.tell("user", "edits repositories.build.branch");
    story.harness.edit(json!({"spec": {"repositories": {"build": {"branch": "release"}}}})).await;
    story.until("the build", LONG, |story| built(story, &modelbuild).last() == Some(&ok(true))).await;
    story.harness.stop().await;
    story.harness.start();
    story.tell("team", "commits to that branch");
    story.harness.sandbox.world(|world| world.jenkins.commit(url, "refs/heads/release"));
    story.pass(Duration::from_hours(2)).await;
    assert_eq!(built(&story, &modelbuild), [failed(true), ok(true), ok(false)]);
    assert_eq!(story.condition("JobsReady").1, "InSync");

    story.chapter("It changes once more: polling would go on with the branch of the last build");
    story.tell("user", "edits repositories.build.branch");
    story.harness.edit(json!({"spec": {"repositories": {"build": {"branch": "main"}}}})).await;
    story.until("the build", LONG, |story| built(story, &modelbuild).len() == 4).await;
    story.tell("team", "commits to that branch, and to the one before");
    story.harness.sandbox.world(|world| {
        world.jenkins.commit(url, "refs/heads/main");
        world.jenkins.commit(url, "refs/heads/release");
    });
    story.pass(Duration::from_hours(2)).await;
    assert_eq!(built(&story, &modelbuild)[3..], [ok(true), ok(false)]);

    story.chapter("A branch without a Jenkinsfile: its build fails, and polling goes on with the branch before it");
    let dev = (url.to_owned(), "refs/heads/dev".to_owned());
    story.harness.sandbox.world(|world| world.jenkins.without_jenkinsfile.insert(dev));
    story.tell("user", "edits repositories.build.branch");
    story.harness.edit(json!({"spec": {"repositories": {"build": {"branch": "dev"}}}})).await;
    story.until("the remark", Duration::from_hours(2), |story| story.condition("JobsReady").1 == "NoCheckout").await;
    assert_eq!((story.ready(), built(&story, &modelbuild)[5..].to_vec()), (true, vec![failed(true)]));
    story.tell("team", "commits a Jenkinsfile to it, and starts a build by hand");
    story.harness.sandbox.world(|world| world.jenkins.without_jenkinsfile.clear());
    let build = format!("/job/ml/job/taxi-fares/job/{modelbuild}/buildWithParameters");
    story.harness.jenkins("POST", &build, "").await;
    story.pass(Duration::from_mins(75)).await;
    assert_eq!(built(&story, &modelbuild)[6..], [ok(true)]);
    assert_eq!(story.condition("JobsReady").1, "InSync");

    story.chapter("A user who may start no builds: Jenkins builds the new job itself at its first poll");
    story.tell("admin", "takes Item/Build from the operator's user");
    story.harness.sandbox.world(|world| {
        let user = world.jenkins.users.get_mut(&Jenkins::credentials().0).unwrap();
        user.permissions.remove(&Permission::ItemBuild);
    });
    story.tell("admin", "deletes the preprocess job");
    let path = format!("/job/ml/job/taxi-fares/job/{preprocess}/");
    story.harness.jenkins("DELETE", &path, "").await;
    story.harness.look_now().await;
    story.until("the remark", LONG, |story| story.condition("JobsReady").1 == "AccessDenied").await;
    assert!(story.ready());
    story.pass(Duration::from_mins(75)).await;
    assert_eq!(built(&story, &preprocess), [ok(false)]);
    assert_eq!(story.condition("JobsReady").1, "InSync");
    story.tell("user", "edits repositories.preprocess.branch");
    story.harness.edit(json!({"spec": {"repositories": {"preprocess": {"branch": "release"}}}})).await;
    story.until("the remark", LONG, |story| story.condition("JobsReady").1 == "AccessDenied").await;
    assert!(story.ready());
    story.end("first-build").await;
}

#[tokio::test(start_paused = true)]
async fn throttling() {
    let mut story = Story::begin("AWS asks to be called less often", Settings::default()).await;
    story.tell("aws", "throttles the first three CreatePortfolio, and loses the answer to the first CreateProject");
    story
        .harness
        .sandbox
        .fault(Fault::on("servicecatalog", "CreatePortfolio").range(1, Some(3)).before(What::Throttle));
    story.harness.sandbox.fault(Fault::on("sagemaker", "CreateProject").nth(1).after(What::DropConnection));
    story.tell("user", "applies the project");
    story.harness.apply(manifest());
    story.until("Ready", LONG * 2, Story::ready).await;
    let projects = story.harness.sandbox.calls().iter().filter(|call| *call == "sagemaker CreateProject").count();
    assert_eq!(projects, 1, "the project was asked for again though the first request took effect");
    story.end("throttling").await;
}

#[tokio::test(start_paused = true)]
async fn foreign_thing() {
    let mut story = Story::begin("The name of the artifact bucket is somebody else's", Settings::default()).await;
    story.tell("somebody", "owns a bucket of the name that the artifact bucket would have");
    let cluster = story.harness.kubernetes.object("namespaces", "", "kube-system").unwrap()["metadata"]["uid"].clone();
    let bucket = mlops_operator::domain::identity::Identity::own_bucket_name(
        &mlops_operator::domain::identity::OwnerKey {
            cluster: cluster.as_str().unwrap().to_owned(),
            kind: "MlopsProject".into(),
            namespace: NAMESPACE.into(),
            name: NAME.into(),
        },
        &account(),
        &region("us-east-1"),
    );
    make_bucket(&story, &bucket, "foreign");
    story.tell("user", "applies the project");
    story.harness.apply(manifest());
    story.until("Stalled", LONG, |story| story.condition("Stalled").0 == "True").await;
    assert_eq!(story.condition("ArtifactsReady").1, "ForeignOwner");
    story.chapter("Nothing of it is touched, however long it stays");
    let writes = story.writes();
    story.pass(Duration::from_mins(30)).await;
    assert_eq!(story.writes(), writes);
    story.chapter("The bucket goes, and the project comes to be");
    story.tell("somebody", "removes that bucket");
    remove_bucket(&story, &bucket);
    story.harness.look_now().await;
    story.until("Ready", LONG, Story::ready).await;
    story.end("foreign-resource").await;
}

fn as_somebody(story: &Story, method: &str, path: &str, body: &str) {
    use mlops_sandbox::aws::{Caller, s3};
    let caller = Caller {
        account: "111122223333".into(),
        arn: "arn:aws:iam::111122223333:user/somebody".into(),
        principal: "arn:aws:iam::111122223333:user/somebody".into(),
    };
    let request = http::Request::builder().method(method).uri(path).body(bytes::Bytes::from(body.to_owned())).unwrap();
    let status = story.harness.sandbox.world(|world| s3::handle(world, &caller, "us-east-1", &request).status());
    assert!(status.is_success(), "{method} {path}: {status}");
}

fn make_bucket(story: &Story, bucket: &str, owner: &str) {
    as_somebody(story, "PUT", &format!("/{bucket}"), "");
    let tags = format!(
        "<Tagging><TagSet><Tag><Key>mlops-operator.io/bucket-owner</Key><Value>{owner}</Value></Tag></TagSet></Tagging>"
    );
    as_somebody(story, "PUT", &format!("/{bucket}?tagging"), &tags);
}

fn remove_bucket(story: &Story, bucket: &str) {
    as_somebody(story, "DELETE", &format!("/{bucket}"), "");
}

#[tokio::test(start_paused = true)]
async fn failed_stack() {
    let mut story = Story::begin("The trigger's stack cannot be created, and then can", Settings::default()).await;
    story.tell("aws", "will refuse the first function of the model trigger");
    story.harness.sandbox.world(|world| {
        let region = world.region("111122223333", "us-east-1");
        region.cloudformation.fail_next("Function", "Resource handler returned message: \"Account limit reached\" (RequestToken: 1, HandlerErrorCode: ServiceLimitExceeded)");
    });
    story.tell("user", "applies the project");
    story.harness.apply(manifest());
    story.until("the failure to show", LONG, |story| story.condition("TriggerReady").1 == "StackFailed").await;
    assert_ne!(story.condition("Ready").0, "True");
    story.until("Ready", Duration::from_hours(1), Story::ready).await;
    story.end("failed-stack").await;
}

#[tokio::test(start_paused = true)]
async fn teardown() {
    let mut story = Story::installed("A project is deleted, with its data").await;
    let id = project_id(&story);
    story.tell("team", "registers a model and puts a file into the project's bucket");
    story.harness.sandbox.world(|world| {
        use mlops_sandbox::aws::{Call, Caller, sagemaker};
        let caller = Caller {
            account: "111122223333".into(),
            arn: "arn:aws:iam::111122223333:user/team".into(),
            principal: "arn:aws:iam::111122223333:user/team".into(),
        };
        let input = json!({"ModelPackageGroupName": format!("{NAME}-{id}")});
        let call = Call { operation: "CreateModelPackage", input: &input, caller: &caller, region: "us-east-1" };
        sagemaker::call(world, &call).unwrap();
    });
    as_somebody(&story, "PUT", &format!("/sagemaker-project-{id}/data.csv"), "1,2,3");
    story.chapter("The user deletes it");
    story.tell("user", "deletes the project");
    story.harness.kubernetes.delete("mlopsprojects", NAMESPACE, NAME).unwrap();
    story.until("gone", LONG, |story| story.project().is_none()).await;
    let (buckets, jobs) =
        story.harness.sandbox.world(|world| (world.s3.dump(), mlops_sandbox::jenkins::item_names(&world.jenkins)));
    assert!(jobs.is_empty(), "left in Jenkins: {jobs:?}");
    assert!(!buckets.to_string().contains("sagemaker-project"), "left in S3: {buckets}");
    story.end("teardown").await;
}

#[tokio::test(start_paused = true)]
async fn folder_named_login() {
    let mut story = Story::begin("The Jenkins folder is called like a login page", Settings::default()).await;
    let mut manifest = manifest();
    manifest["spec"]["platform"]["jenkins"]["folder"] = json!("login-risk/login");
    manifest["spec"]["platform"]["jenkins"]["folderPolicy"] = json!("Delete");
    story.tell("user", "applies the project, with its jobs in login-risk/login");
    story.harness.apply(manifest);
    story.until("Ready", LONG, Story::ready).await;
    story.chapter("The user deletes it: each job goes with one request");
    story.tell("user", "deletes the project");
    story.harness.kubernetes.delete("mlopsprojects", NAMESPACE, NAME).unwrap();
    story.until("gone", LONG, |story| story.project().is_none()).await;
    let deletions = story.harness.sandbox.calls().iter().filter(|call| *call == "jenkins POST doDelete").count();
    let left = story.harness.sandbox.world(|world| mlops_sandbox::jenkins::item_names(&world.jenkins));
    assert_eq!((left.len(), deletions), (0, 6), "three jobs and three folders: {left:?}");
    story.end("folder-named-login").await;
}

#[tokio::test(start_paused = true)]
async fn own_template() {
    let template = include_str!("../../examples/templates/batch-scoring.yaml");
    let mut story = Story::begin("A project is made from a template of its owner's own", Settings::default()).await;
    let config_map = json!({"metadata": {"name": "project-template"}, "data": {"template.yaml": template}});
    story.harness.kubernetes.create("configmaps", NAMESPACE, config_map).unwrap();
    story.tell("user", "applies the project with catalog.template.configMapRef, and gives CostCentre in parameters");
    let mut project = manifest();
    let reference = json!({"name": "project-template", "key": "template.yaml"});
    project["spec"]["platform"]["catalog"] = json!({"template": {"configMapRef": reference}});
    project["spec"]["parameters"] = json!([{"name": "CostCentre", "value": "fares"}]);
    story.harness.apply(project);
    story.until("Ready", LONG, Story::ready).await;
    let parameters = launched(&story);
    assert_eq!(parameters["CostCentre"], "fares");
    assert_eq!(parameters["ModelBuildCodeRepositoryUrl"], "https://github.com/example/taxi-build.git");
    assert!(parameters.get("ModelBuildCodeRepositoryFullname").is_none(), "what the template lacks is not sent");
    let version = version_of(&story);

    story.chapter("The template in the ConfigMap changes: a new version, and the project is updated to it");
    story.tell("user", "changes the template: its cost centres may have 30 characters");
    change_template(&story, &template.replace("{1,20}", "{1,30}")).await;
    story.until("the new version", LONG, |story| story.ready() && version_of(story) != version).await;

    story.chapter("A change with an error is refused, with its line, and nothing is touched");
    let (writes, version) = (story.writes(), version_of(&story));
    story.tell("user", "changes the template: a resource refers to a parameter that is not declared");
    change_template(&story, &template.replace("!Ref ModelBuildCodeRepositoryUrl", "!Ref ModelBuildCodeRepository_Url"))
        .await;
    story.until("Stalled", LONG, |story| story.condition("Stalled").0 == "True").await;
    assert_eq!(story.condition("PrerequisitesMet").1, "InvalidTemplate");
    story.pass(Duration::from_mins(30)).await;
    assert_eq!((story.writes(), version_of(&story)), (writes, version));
    story.tell("user", "takes the change back");
    change_template(&story, &template.replace("{1,20}", "{1,30}")).await;
    story.until("Ready again", LONG, Story::ready).await;
    assert_eq!(story.writes(), writes, "what is as declared is not written again");
    story.end("own-template").await;
}

async fn change_template(story: &Story, text: &str) {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/project-template");
    story.patch(&path, "application/merge-patch+json", &json!({"data": {"template.yaml": text}})).await;
}

/// The name of the version that the status names.
fn version_of(story: &Story) -> String {
    story.project().unwrap()["status"]["catalog"]["version"].as_str().unwrap_or_default().to_owned()
}

/// The parameters of the project's stack.
fn launched(story: &Story) -> serde_json::Value {
    let world = story.harness.sandbox.world(|world| world.dump());
    let stacks = world["regions"]["111122223333/us-east-1"]["cloudformation"]["stacks"].as_array().unwrap().clone();
    let ours = |stack: &serde_json::Value| stack["parameters"].get("SageMakerProjectId").is_some();
    stacks.into_iter().find(ours).unwrap()["parameters"].clone()
}

/// How often the operator has asked what became of seed code.
fn asked(story: &Story) -> usize {
    let calls = story.harness.sandbox.calls();
    calls.iter().filter(|call| *call == "servicecatalog GetProvisionedProductOutputs").count()
}

/// Names of repositories in the status, each with how its sentence begins.
fn seeded(story: &Story) -> Vec<String> {
    let project = story.project().unwrap();
    let repositories = project["status"]["project"]["repositories"].as_array().cloned().unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let words = |one: &serde_json::Value| text(&one["seedCode"]).split(' ').take(2).collect::<Vec<_>>().join(" ");
    repositories.iter().map(|one| format!("{}: {}", text(&one["name"]), words(one))).collect()
}

fn endpoint() -> serde_json::Value {
    let mut repository = manifest()["spec"]["repositories"]["deploy"].clone();
    repository["url"] = json!("https://github.com/example/taxi-endpoint.git");
    repository["fullName"] = json!("example/taxi-endpoint");
    repository
}

#[tokio::test(start_paused = true)]
async fn seed_code() {
    let mut story =
        Story::begin("Repositories get their seed code, and one has code already", Settings::default()).await;
    story.tell("team", "has code in example/taxi-deploy, and a README in example/taxi-build");
    story.harness.sandbox.world(|world| {
        world.repositories.prepare("example/taxi-deploy", "main", Content::Files);
        world.repositories.prepare("example/taxi-build", "main", Content::Readme);
    });
    let mut manifest = manifest();
    manifest["spec"]["repositories"]["endpoint"] = endpoint();
    manifest["spec"]["modelTrigger"]["jobs"] = json!(["Deploy", "Endpoint"]);
    story.tell("user", "applies the project, with an endpoint repository whose job the trigger starts, too");
    story.harness.apply(manifest);
    story.until("Ready", LONG, Story::ready).await;
    let whole = ["preprocess: seeded main", "build: seeded main", "deploy: left alone:", "endpoint: seeded main"];
    assert_eq!((seeded(&story).as_slice(), asked(&story)), (whole.map(str::to_owned).as_slice(), 1));
    story.chapter("The operator is replaced, and hours pass: nothing is asked for or written again");
    let writes = story.writes();
    story.harness.stop().await;
    story.harness.start();
    story.pass(Duration::from_hours(3)).await;
    assert_eq!((story.writes(), asked(&story)), (writes, 1));
    story.chapter("The endpoint repository is taken out");
    story.tell("user", "removes repositories.endpoint, and Endpoint from modelTrigger.jobs");
    let without = json!({"spec": {"repositories": {"endpoint": null}, "modelTrigger": {"jobs": ["Deploy"]}}});
    story.harness.edit(without).await;
    story.until("Ready again", LONG, |story| story.ready()).await;
    assert_eq!(seeded(&story), whole[..3]);
    story.chapter("It comes back, and nothing is committed over what it holds");
    story.tell("user", "adds repositories.endpoint again");
    story.harness.edit(json!({"spec": {"repositories": {"endpoint": endpoint()}}})).await;
    story.until("Ready again", LONG, |story| story.ready()).await;
    assert_eq!(seeded(&story)[3], "endpoint: left alone:");
    story.end("seed-code").await;
}

#[tokio::test(start_paused = true)]
async fn failed_check_in() {
    let mut story = Story::begin("An archive is not the one that was meant", Settings::default()).await;
    let url = "https://example.com/seed.zip";
    let archive = RepositoryRole::Build.bundled_archive();
    story.harness.sandbox.world(|world| world.repositories.publish(url, archive.body.to_vec()));
    let seed = |sha256: &str| json!({"source": "Archive", "archive": {"url": url, "sha256": sha256}});
    let mut manifest = manifest();
    manifest["spec"]["repositories"]["build"]["seedCode"] = seed(&"0".repeat(64));
    story.tell("user", "applies the project, with an archive of their own and a wrong checksum");
    story.harness.apply(manifest);
    story.until("the failure to show", LONG, |story| story.condition("ProjectReady").1 == "ProjectFailed").await;
    assert!(story.harness.message("ProjectReady").contains("it is not the archive that was meant"));
    story.chapter("The checksum is corrected: the project is made again at once");
    story.tell("user", "corrects the checksum");
    story.harness.edit(json!({"spec": {"repositories": {"build": {"seedCode": seed(&archive.sha256)}}}})).await;
    story.until("Ready", LONG, |story| story.ready()).await;
    let whole = ["preprocess: seeded main", "build: seeded main", "deploy: seeded main"];
    let after_the_first = seeded(&story);
    assert_eq!(after_the_first.len(), whole.len(), "{after_the_first:?}");
    story.end("failed-check-in").await;
}
