//! Platforms that projects share: from nothing to Ready, who may stand on one and with what, what a change of one does to
//! its projects, and how both go.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use mlops_sandbox::{Fault, Settings, What};
use serde_json::{Value, json};

use crate::harness::aws;
use crate::harness::operator::{ACCOUNT, Harness, NAMESPACE, REGION};
use crate::harness::story::Story;

const LONG: Duration = Duration::from_mins(3);
const READY: &str = "Ready=True/Succeeded";

fn platform_says(harness: &Harness, condition: &str) -> bool {
    harness.conditions_of("mlopsplatforms", "", "main").iter().any(|found| found == condition)
}

fn project_says(harness: &Harness, name: &str, condition: &str) -> bool {
    harness.conditions_of("mlopsprojects", NAMESPACE, name).iter().any(|found| found == condition)
}

fn create(harness: &Harness, project: Value) {
    harness.kubernetes.create("mlopsprojects", NAMESPACE, project).unwrap();
}

fn merge(harness: &Harness, plural: &str, namespace: &str, name: &str, change: &Value) {
    harness.kubernetes.merge(plural, namespace, name, false, change).unwrap();
}

/// A running operator with the platform `main`.
async fn with_platform(change: impl FnOnce(&mut Value)) -> Harness {
    let mut harness = Harness::new(Settings::default()).await;
    let mut platform = Harness::platform_manifest();
    change(&mut platform);
    harness.apply_platform(platform);
    harness.start();
    harness
}

/// The same once it is Ready, with a project that is, too.
async fn with_project() -> Harness {
    let harness = with_platform(|_| {}).await;
    harness.until("the platform Ready", LONG, |harness| platform_says(harness, READY)).await;
    create(&harness, Harness::project_on_platform("fares"));
    harness.until("the project Ready", LONG, |harness| project_says(harness, "fares", READY)).await;
    harness
}

/// How many portfolios there are.
fn portfolios(harness: &Harness) -> usize {
    harness.sandbox.world(|world| {
        world.region(ACCOUNT, REGION).catalog.portfolios.values().filter(|one| one.truth().is_some()).count()
    })
}

#[tokio::test(start_paused = true)]
async fn one_platform_and_three_projects_from_nothing() {
    let mut story = Story::begin("A platform is declared, and three projects on it", Settings::default()).await;
    story.follow("mlopsplatforms", "", "main");
    for name in ["fares", "tips", "trips"] {
        story.follow("mlopsprojects", NAMESPACE, name);
    }
    story.tell("user", "applies the platform main and the project fares together");
    story.harness.apply_platform(Harness::platform_manifest());
    create(&story.harness, Harness::project_on_platform("fares"));
    story.until("both Ready", LONG, |story| story.is_ready("mlopsprojects", NAMESPACE, "fares")).await;
    story.chapter("Two more projects come, and need nothing of the platform");
    story.tell("user", "applies the projects tips and trips");
    create(&story.harness, Harness::project_on_platform("tips"));
    create(&story.harness, Harness::project_on_platform("trips"));
    let all = |story: &Story| ["tips", "trips"].iter().all(|name| story.is_ready("mlopsprojects", NAMESPACE, name));
    story.until("all Ready", LONG, all).await;
    assert_eq!(portfolios(&story.harness), 1, "all projects are launched from one product");
    story.chapter("Two hours pass, and nothing is written anywhere");
    let (writes, before) = (story.writes(), story.harness.kubernetes.objects("mlopsprojects"));
    story.pass(Duration::from_hours(2)).await;
    assert_eq!(story.writes(), writes, "idle projects were written to");
    assert_eq!(story.harness.kubernetes.objects("mlopsprojects"), before, "the status of an idle project changed");
    story.chapter("The platform is deleted while it is in use");
    story.tell("user", "deletes the platform");
    story.harness.kubernetes.delete("mlopsplatforms", "", "main").unwrap();
    story.until("told to be in use", LONG, |story| platform_says(&story.harness, "Ready=False/InUse")).await;
    story.tell("user", "deletes the three projects");
    for name in ["fares", "tips", "trips"] {
        story.harness.kubernetes.delete("mlopsprojects", NAMESPACE, name).unwrap();
    }
    let gone = |story: &Story| story.harness.kubernetes.object("mlopsplatforms", "", "main").is_none();
    story.until("gone", Duration::from_mins(10), gone).await;
    assert_eq!(portfolios(&story.harness), 0);
    story.end("platform").await;
}

#[tokio::test(start_paused = true)]
async fn folders_that_projects_share_go_with_the_last_of_them_whichever_was_the_first() {
    let harness = with_platform(|platform| platform["spec"]["namespaces"] = json!({"names": ["*"]})).await;
    harness.kubernetes.create("namespaces", "", json!({"metadata": {"name": "other-team"}})).unwrap();
    let projects = [(NAMESPACE, "first"), (NAMESPACE, "second"), ("other-team", "third")];
    for (namespace, name) in projects {
        harness.kubernetes.create("mlopsprojects", namespace, Harness::project_on_platform(name)).unwrap();
        let ready = |harness: &Harness| {
            harness.conditions_of("mlopsprojects", namespace, name).iter().any(|condition| condition == READY)
        };
        harness.until(name, LONG, ready).await;
    }
    let folders = |harness: &Harness| {
        let names = harness.sandbox.world(|world| mlops_sandbox::jenkins::item_names(&world.jenkins));
        names.into_iter().filter(|name| name.ends_with('/')).collect::<Vec<_>>()
    };
    let rows: [(&str, &str, &[&str]); 3] = [
        (NAMESPACE, "first", &["ml/", "ml/ml-team/", "ml/ml-team/second/", "ml/other-team/", "ml/other-team/third/"]),
        (NAMESPACE, "second", &["ml/", "ml/other-team/", "ml/other-team/third/"]),
        ("other-team", "third", &[]),
    ];
    for (namespace, name, left) in rows {
        harness.kubernetes.delete("mlopsprojects", namespace, name).unwrap();
        let gone = |harness: &Harness| harness.kubernetes.object("mlopsprojects", namespace, name).is_none();
        harness.until("gone", LONG, gone).await;
        assert_eq!(folders(&harness), left, "after {name} went");
    }
}

#[tokio::test(start_paused = true)]
async fn labelling_a_namespace_is_all_the_onboarding_there_is() {
    let mut story = Story::begin("A namespace is let onto a platform by a label", Settings::default()).await;
    story.follow("mlopsplatforms", "", "main");
    story.follow("mlopsprojects", NAMESPACE, "fares");
    let mut platform = Harness::platform_manifest();
    platform["spec"]["namespaces"] = json!({"selector": {"matchLabels": {"mlops": "main"}}});
    story.tell(
        "user",
        "applies the platform main, for namespaces with the label mlops=main, and a project in one without",
    );
    story.harness.apply_platform(platform);
    create(&story.harness, Harness::project_on_platform("fares"));
    let platform_ready = |story: &Story| story.is_ready("mlopsplatforms", "", "main");
    story.until("the platform Ready", LONG, platform_ready).await;
    let refused = |story: &Story| project_says(&story.harness, "fares", "Ready=False/PlatformNotAllowed");
    story.until("refused", LONG, refused).await;
    story.tell("user", "labels the namespace");
    merge(&story.harness, "namespaces", "", NAMESPACE, &json!({"metadata": {"labels": {"mlops": "main"}}}));
    story.until("Ready", LONG, |story| story.is_ready("mlopsprojects", NAMESPACE, "fares")).await;
    story.chapter("The label is taken off: the project is told so, and keeps all that it has");
    let writes = story.writes();
    story.tell("user", "takes the label off");
    merge(&story.harness, "namespaces", "", NAMESPACE, &json!({"metadata": {"labels": {"mlops": null}}}));
    story.until("refused", LONG, refused).await;
    story.pass(Duration::from_mins(5)).await;
    assert_eq!(story.writes(), writes, "nothing is taken from a project that is no longer allowed");
    story.end("platform-onboarding").await;
}

#[tokio::test(start_paused = true)]
async fn what_a_platform_does_not_allow_is_refused_with_a_sentence() {
    let archive =
        json!({"source": "Archive", "archive": {"url": "https://elsewhere.example/a.zip", "sha256": "a".repeat(64)}});
    let rows: Vec<(&str, Value, &str, &str)> = vec![
        (
            "a platform that is not there",
            json!({"platformRef": {"name": "other"}}),
            "PlatformMissing",
            "spec.platformRef.name: there is no MlopsPlatform \"other\"",
        ),
        (
            "a repository outside the patterns",
            json!({"repositories": {"build": {"name": "secret-build"}}}),
            "InvalidSpec",
            "spec.repositories.build.name: \"example/secret-build\" is not among the repositories of platform main, which allows example/fares-*, example/ml-team/*",
        ),
        (
            "a repository that leads elsewhere",
            json!({"repositories": {"build": {"name": "fares-/../../other/build"}}}),
            "InvalidSpec",
            "spec.repositories.build",
        ),
        (
            "a repository by its URL",
            json!({"repositories": {"build": {"name": null, "url": "https://github.com/other/build.git"}}}),
            "InvalidSpec",
            "spec.repositories.build.url: follows from the name on platform main",
        ),
        (
            "an archive of the user's own",
            json!({"repositories": {"build": {"seedCode": archive}}}),
            "InvalidSpec",
            "spec.repositories.build.seedCode.archive.url: \"https://elsewhere.example/a.zip\" is not among the archives of platform main, which allows none",
        ),
        (
            "the operator's code, where the platform checks none in",
            json!({"repositories": {"build": {"seedCode": {"source": "BuiltIn"}}}}),
            "InvalidSpec",
            "spec.repositories.build.seedCode.source: platform main checks no code of the operator into repositories",
        ),
        (
            "a parameter that the platform keeps for itself",
            json!({"parameters": [{"name": "UseRoleArn", "value": "arn:aws:iam::111122223333:role/admin"}]}),
            "InvalidSpec",
            "spec.parameters: platform main keeps the parameter UseRoleArn for itself: it lets them set none",
        ),
        (
            "a Jenkins credential of others",
            json!({"jenkins": {"awsCredentialsId": "production"}}),
            "InvalidSpec",
            "spec.jenkins.awsCredentialsId: \"production\" is not a credential of platform main: its projects use \"aws-pipelines\" alone",
        ),
        (
            "a platform of its own beside it",
            json!({"platform": Harness::manifest()["spec"]["platform"]}),
            "InvalidSpec",
            "spec.platform: stands beside platformRef",
        ),
        (
            "a name outside the patterns",
            json!({"projectName": "other"}),
            "InvalidSpec",
            "spec.projectName: \"other\" is not among the names of platform main, which allows fares, ml-team-*",
        ),
        (
            "a tag that the platform sets",
            json!({"tags": {"cost": "somebody-else"}}),
            "InvalidSpec",
            "spec.tags: platform main sets the tag cost for all its projects: leave cost out",
        ),
        (
            "a tag that the platform sets, in another case",
            json!({"tags": {"Cost": "somebody-else"}}),
            "InvalidSpec",
            "spec.tags: platform main sets the tag cost for all its projects: leave Cost out",
        ),
        (
            "one key in two cases",
            json!({"tags": {"Team": "fares", "team": "tips"}}),
            "InvalidSpec",
            "spec.tags: the keys team and Team differ by case alone",
        ),
        (
            "too many tags",
            json!({"tags": (0..16).map(|n| (format!("tag-{n}"), "v".to_owned())).collect::<std::collections::BTreeMap<_, _>>()}),
            "InvalidSpec",
            "spec.tags: with those of platform main there are 17 tags; together there may be 15",
        ),
    ];
    let harness = with_platform(|platform| {
        platform["spec"]["git"]["repositories"] = json!(["example/fares-*", "example/{namespace}/*"]);
        platform["spec"]["projects"]["names"] = json!(["fares", "{namespace}-*"]);
        platform["spec"]["tags"] = json!({"cost": "42"});
    })
    .await;
    harness.until("the platform Ready", LONG, |harness| platform_says(harness, READY)).await;
    let before = harness.sandbox.requests();
    for (case, change, reason, sentence) in rows {
        create(&harness, Harness::project_on_platform("fares"));
        merge(&harness, "mlopsprojects", NAMESPACE, "fares", &json!({"spec": change}));
        let condition = format!("Ready=False/{reason}");
        harness.until(case, LONG, |harness| project_says(harness, "fares", &condition)).await;
        let told = harness.message_of("mlopsprojects", NAMESPACE, "fares", "Ready");
        assert!(told.starts_with(sentence), "{case}: {told}");
        assert_eq!(harness.sandbox.requests(), before, "{case}: something was asked of AWS or Jenkins");
        harness.kubernetes.delete("mlopsprojects", NAMESPACE, "fares").unwrap();
        harness
            .until("gone", LONG, |harness| harness.kubernetes.object("mlopsprojects", NAMESPACE, "fares").is_none())
            .await;
    }
}

/// A platform whose names and repositories begin with the namespace, for all namespaces.
async fn with_names_by_namespace() -> Harness {
    let harness = with_platform(|platform| {
        platform["spec"]["namespaces"] = json!({"names": ["*"]});
        platform["spec"]["git"]["repositories"] = json!(["example/{namespace}-*"]);
        platform["spec"]["projects"]["names"] = json!(["{namespace}-*"]);
    })
    .await;
    harness.until("the platform Ready", LONG, |harness| platform_says(harness, READY)).await;
    harness
}

#[tokio::test(start_paused = true)]
async fn what_begins_with_a_longer_namespace_is_not_the_shorter_ones() {
    let harness = with_names_by_namespace().await;
    harness.kubernetes.create("namespaces", "", json!({"metadata": {"name": "ml-team-prod"}})).unwrap();
    let build = |name: &str| json!({"repositories": {"build": {"name": name}}});
    let rows: [(&str, Value, &str); 3] = [
        (
            "a name",
            json!({"projectName": "ml-team-prod-fares"}),
            "spec.projectName: \"ml-team-prod-fares\" is another namespace's on platform main: what {namespace}-* covers for several namespaces belongs to the one with the longest name: choose another name",
        ),
        (
            "a repository",
            build("ml-team-prod-build"),
            "spec.repositories.build.name: \"example/ml-team-prod-build\" is another namespace's on platform main: what example/{namespace}-* covers",
        ),
        (
            "a repository in another case",
            build("ml-team-Prod-build"),
            "spec.repositories.build.name: \"example/ml-team-Prod-build\" is another namespace's on platform main",
        ),
    ];
    let before = harness.sandbox.requests();
    for (case, change, sentence) in rows {
        create(&harness, Harness::project_on_platform("ml-team-fares"));
        merge(&harness, "mlopsprojects", NAMESPACE, "ml-team-fares", &json!({"spec": change}));
        let refused = |harness: &Harness| project_says(harness, "ml-team-fares", "Ready=False/InvalidSpec");
        harness.until(case, LONG, refused).await;
        let told = harness.message_of("mlopsprojects", NAMESPACE, "ml-team-fares", "Ready");
        assert!(told.starts_with(sentence), "{case}: {told}");
        assert_eq!(harness.sandbox.requests(), before, "{case}: something was asked of AWS or Jenkins");
        harness.kubernetes.delete("mlopsprojects", NAMESPACE, "ml-team-fares").unwrap();
        let gone = |harness: &Harness| harness.kubernetes.object("mlopsprojects", NAMESPACE, "ml-team-fares").is_none();
        harness.until("gone", LONG, gone).await;
    }
    let theirs = Harness::project_on_platform("ml-team-prod-fares");
    harness.kubernetes.create("mlopsprojects", "ml-team-prod", theirs).unwrap();
    let ready = |harness: &Harness| {
        let found = harness.conditions_of("mlopsprojects", "ml-team-prod", "ml-team-prod-fares");
        found.iter().any(|condition| condition == READY)
    };
    harness.until("the longer one's own project Ready", LONG, ready).await;
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_made_later_takes_nothing_from_a_project() {
    let mut harness = with_names_by_namespace().await;
    create(&harness, Harness::project_on_platform("ml-team-fares-a"));
    let says = |harness: &Harness, condition: &str| project_says(harness, "ml-team-fares-a", condition);
    harness.until("Ready", LONG, |harness| says(harness, READY)).await;
    let change = |harness: &Harness, spec: Value| {
        merge(harness, "mlopsprojects", NAMESPACE, "ml-team-fares-a", &json!({"spec": spec}));
    };
    harness.kubernetes.create("namespaces", "", json!({"metadata": {"name": "ml-team-fares"}})).unwrap();
    let writes = harness.kubernetes.objects("mlopsprojects");
    tokio::time::sleep(Duration::from_hours(2)).await;
    harness.stop().await;
    harness.start();
    tokio::time::sleep(Duration::from_hours(2)).await;
    assert_eq!(harness.kubernetes.objects("mlopsprojects"), writes, "what is there is as it was");
    change(&harness, json!({"description": "still looked after"}));
    let described = |harness: &Harness| {
        harness.sandbox.world(|world| {
            let projects = &world.region(ACCOUNT, REGION).sagemaker.projects;
            projects.values().filter_map(|kept| kept.truth()).any(|project| project.description == "still looked after")
        })
    };
    harness.until("described anew", LONG, |harness| described(harness) && says(harness, READY)).await;
    change(&harness, json!({"repositories": {"build": {"name": "ml-team-fares-other"}}}));
    harness
        .until("a repository that is not yet its own refused", LONG, |harness| says(harness, "Ready=False/InvalidSpec"))
        .await;
    let told = harness.message_of("mlopsprojects", NAMESPACE, "ml-team-fares-a", "Ready");
    assert!(
        told.starts_with("spec.repositories.build.name: \"example/ml-team-fares-other\" is another namespace's"),
        "{told}"
    );
    change(&harness, json!({"repositories": {"build": {"name": "ml-team-fares-a-build"}}}));
    harness.until("Ready with its own", LONG, |harness| says(harness, READY)).await;
    create(&harness, Harness::project_on_platform("ml-team-fares-b"));
    let refused = |harness: &Harness| project_says(harness, "ml-team-fares-b", "Ready=False/InvalidSpec");
    harness.until("a new project refused", LONG, refused).await;
    // Whoever may write a status does not add to what the project has.
    let repositories = json!(["example/ml-team-fares-other"]);
    let forged = json!({"status": {"placement": {"repositories": repositories}}});
    harness.kubernetes.merge("mlopsprojects", NAMESPACE, "ml-team-fares-a", true, &forged).unwrap();
    change(&harness, json!({"repositories": {"build": {"name": "ml-team-fares-other"}}}));
    harness.until("refused again", LONG, |harness| says(harness, "Ready=False/InvalidSpec")).await;
    harness.kubernetes.delete("mlopsprojects", NAMESPACE, "ml-team-fares-a").unwrap();
    let gone = |harness: &Harness| harness.kubernetes.object("mlopsprojects", NAMESPACE, "ml-team-fares-a").is_none();
    harness.until("gone", Duration::from_mins(10), gone).await;
}

#[tokio::test(start_paused = true)]
async fn as_many_projects_of_a_namespace_as_the_platform_takes_and_the_oldest_first() {
    let harness = with_platform(|platform| platform["spec"]["projects"]["maxPerNamespace"] = json!(1)).await;
    create(&harness, Harness::project_on_platform("fares"));
    harness.until("the first Ready", LONG, |harness| project_says(harness, "fares", READY)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    create(&harness, Harness::project_on_platform("earlier-by-name"));
    let refused = |harness: &Harness| project_says(harness, "earlier-by-name", "Ready=False/TooManyProjects");
    harness.until("the second refused", LONG, refused).await;
    assert!(project_says(&harness, "fares", READY));
    harness.kubernetes.delete("mlopsprojects", NAMESPACE, "fares").unwrap();
    harness.until("its turn", Duration::from_mins(20), |harness| project_says(harness, "earlier-by-name", READY)).await;
}

/// The one that is seen first is the younger by name, and neither has begun when the other one is judged.
#[tokio::test(start_paused = true)]
async fn of_projects_that_come_at_once_no_more_begin_than_the_platform_takes() {
    let harness = with_platform(|platform| platform["spec"]["projects"]["maxPerNamespace"] = json!(2)).await;
    harness.until("the platform Ready", LONG, |harness| platform_says(harness, READY)).await;
    let names = ["tips", "fares", "d", "c", "b", "a"];
    for name in names {
        create(&harness, Harness::project_on_platform(name));
        tokio::task::yield_now().await;
    }
    let count =
        |harness: &Harness, condition: &str| names.iter().filter(|name| project_says(harness, name, condition)).count();
    let settled = |harness: &Harness| {
        count(harness, READY) >= 2
            && count(harness, READY) + count(harness, "Ready=False/TooManyProjects") == names.len()
    };
    harness.until("two Ready and the others refused", LONG, settled).await;
    tokio::time::sleep(Duration::from_mins(30)).await;
    assert_eq!(count(&harness, READY), 2);
    let ready = names.iter().find(|name| project_says(&harness, name, READY)).unwrap();
    harness.kubernetes.delete("mlopsprojects", NAMESPACE, ready).unwrap();
    let gone = |harness: &Harness| harness.kubernetes.object("mlopsprojects", NAMESPACE, ready).is_none();
    harness.until("one gone", LONG, gone).await;
    harness.until("another one in its seat", LONG, |harness| count(harness, READY) == 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_project_waits_for_its_platform_and_says_what_is_wrong_with_that() {
    let mut harness = Harness::new(Settings::default()).await;
    create(&harness, Harness::project_on_platform("fares"));
    harness.start();
    harness.until("missing", LONG, |harness| project_says(harness, "fares", "Ready=False/PlatformMissing")).await;
    harness.kubernetes.create("mlopsplatforms", "", Harness::platform_manifest()).unwrap();
    harness.until("not Ready", LONG, |harness| project_says(harness, "fares", "Ready=False/PlatformNotReady")).await;
    let told = harness.message_of("mlopsprojects", NAMESPACE, "fares", "PlatformReady");
    let own = harness.message_of("mlopsplatforms", "", "main", "Ready");
    assert!(own.contains("Secret jenkins with the Jenkins credentials does not exist"), "{own}");
    assert!(told.starts_with("main is not Ready: ") && told.contains(&own), "{told}");
    harness.put_jenkins_secret_in("mlops-operator");
    harness.until("Ready", LONG, |harness| project_says(harness, "fares", READY)).await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_beside_a_platform_that_waits_for_somebody_writes_nothing() {
    let mut harness = Harness::new(Settings::default()).await;
    harness.kubernetes.create("mlopsplatforms", "", Harness::platform_manifest()).unwrap();
    create(&harness, Harness::project_on_platform("fares"));
    harness.start();
    harness.until("not Ready", LONG, |harness| project_says(harness, "fares", "Ready=False/PlatformNotReady")).await;
    tokio::time::sleep(LONG).await;
    harness.stop().await;
    let (before, calls) = (harness.kubernetes.objects("mlopsprojects"), harness.kubernetes.calls().len());
    harness.start();
    tokio::time::sleep(Duration::from_mins(5)).await;
    let writes: Vec<String> =
        harness.kubernetes.calls().split_off(calls).into_iter().filter(|call| call.ends_with("/status")).collect();
    assert_eq!(harness.kubernetes.objects("mlopsprojects"), before, "a restart changed a project: {writes:#?}");
    assert_eq!(writes, Vec::<String>::new(), "a restart wrote what was there");
}

/// The product versions that the projects in SageMaker were launched from.
fn launched(harness: &Harness) -> Vec<String> {
    harness.sandbox.world(|world| {
        let projects = world.region(ACCOUNT, REGION).sagemaker.projects.values().filter_map(|kept| kept.truth());
        let version =
            |provisioning: &Value| provisioning["ProvisioningArtifactId"].as_str().unwrap_or_default().to_owned();
        projects.map(|project| version(&project.provisioning)).collect()
    })
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_platforms_template_rolls_on_to_its_three_projects() {
    let title = "The template of a platform changes under three projects";
    let mut story = Story::begin(title, Settings::default()).await;
    let names = ["fares", "tips", "trips"];
    story.follow("mlopsplatforms", "", "main");
    names.iter().for_each(|name| story.follow("mlopsprojects", NAMESPACE, name));
    story.tell("user", "applies the platform main, and three projects one after the other");
    story.harness.apply_platform(Harness::platform_manifest());
    for name in names {
        create(&story.harness, Harness::project_on_platform(name));
        story.until("Ready", LONG, |story| story.is_ready("mlopsprojects", NAMESPACE, name)).await;
    }
    let all_ready = |story: &Story| names.iter().all(|name| story.is_ready("mlopsprojects", NAMESPACE, name));
    story.sort_moments();
    let version = |harness: &Harness| {
        let platform = harness.kubernetes.object("mlopsplatforms", "", "main").unwrap();
        platform["status"]["catalog"]["artifactId"].as_str().unwrap_or_default().to_owned()
    };
    let before = version(&story.harness);
    assert_eq!(launched(&story.harness), vec![before.clone(); 3]);
    story.chapter("A template of the platform team's own takes the place of the built-in one");
    let text = mlops_operator::templates::project_template("jenkins-git-v1").unwrap();
    let data = json!({"metadata": {"name": "ours"}, "data": {"a.yaml": format!("{text}# changed\n")}});
    story.harness.kubernetes.create("configmaps", "mlops-operator", data).unwrap();
    story.tell("user", "names a template in a ConfigMap in the platform");
    let template = json!({"spec": {"catalog": {"template": {"configMapRef": {"name": "ours", "key": "a.yaml"}}}}});
    merge(&story.harness, "mlopsplatforms", "", "main", &template);
    let rolled = |story: &Story| {
        let now = version(&story.harness);
        now != before && launched(&story.harness) == vec![now; 3] && all_ready(story)
    };
    story.until("the new version launched for all", LONG, rolled).await;
    story.pass(Duration::from_mins(1)).await;
    story.end("platform-template").await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_writes_nothing_and_a_platform_cannot_move() {
    let mut harness = with_project().await;
    let objects =
        |harness: &Harness| [harness.kubernetes.objects("mlopsprojects"), harness.kubernetes.objects("mlopsplatforms")];
    let before = objects(&harness);
    harness.stop().await;
    harness.start();
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(objects(&harness), before, "a restart changed an object");
    let elsewhere = json!({"spec": {"jenkins": {"url": "https://elsewhere.example"}}});
    merge(&harness, "mlopsplatforms", "", "main", &elsewhere);
    harness.until("refused", LONG, |harness| platform_says(harness, "Ready=False/InvalidSpec")).await;
    let told = harness.message_of("mlopsplatforms", "", "main", "Ready");
    assert!(told.starts_with("spec.jenkins.url has changed, but resources that exist cannot move"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_suspended_platform_suspends_its_projects() {
    let harness = with_project().await;
    merge(&harness, "mlopsplatforms", "", "main", &json!({"spec": {"suspend": true}}));
    harness.until("suspended", LONG, |harness| project_says(harness, "fares", "Suspended=True/Suspended")).await;
    assert!(project_says(&harness, "fares", READY), "what was last known");
    let before = harness.sandbox.requests();
    merge(&harness, "mlopsprojects", NAMESPACE, "fares", &json!({"spec": {"description": "other"}}));
    tokio::time::sleep(Duration::from_hours(2)).await;
    assert_eq!(harness.sandbox.requests(), before);
    merge(&harness, "mlopsplatforms", "", "main", &json!({"spec": {"suspend": false}}));
    harness.until("Ready", LONG, |harness| project_says(harness, "fares", READY)).await;
    assert!(harness.sandbox.requests() > before);
}

/// Whoever may write a project's status must not lead the operator elsewhere by it.
#[tokio::test(start_paused = true)]
async fn a_status_that_was_tampered_with_leads_nowhere() {
    let harness = with_project().await;
    let rows = [
        ("another role", json!({"roleArn": "arn:aws:iam::111122223333:role/other"})),
        ("another bucket, as its own", json!({"bucket": "others", "bucketOwned": true})),
        ("another platform", json!({"platform": "other"})),
        ("no platform, so that Secrets are its own", json!({"platform": null})),
        ("another Jenkins", json!({"jenkinsUrl": "https://elsewhere.example"})),
        ("another team's folder", json!({"jenkinsFolder": ["ml", "other-team", "fares"]})),
    ];
    let original =
        harness.kubernetes.object("mlopsprojects", NAMESPACE, "fares").unwrap()["status"]["placement"].clone();
    for (case, change) in rows {
        harness
            .kubernetes
            .merge("mlopsprojects", NAMESPACE, "fares", true, &json!({"status": {"placement": change}}))
            .unwrap();
        let at = json!({"metadata": {"annotations": {"mlops-operator.io/reconcile-requested-at": case}}});
        merge(&harness, "mlopsprojects", NAMESPACE, "fares", &at);
        harness.until(case, LONG, |harness| !project_says(harness, "fares", READY)).await;
        let told = harness.message_of("mlopsprojects", NAMESPACE, "fares", "Ready");
        assert!(told.contains("status.placement is not as the operator has written it"), "{case}: {told}");
        let mut whole = original.clone();
        for key in change.as_object().unwrap().keys().filter(|key| original.get(*key).is_none()) {
            whole[key] = Value::Null;
        }
        harness
            .kubernetes
            .merge("mlopsprojects", NAMESPACE, "fares", true, &json!({"status": {"placement": whole}}))
            .unwrap();
        let at =
            json!({"metadata": {"annotations": {"mlops-operator.io/reconcile-requested-at": format!("after {case}")}}});
        merge(&harness, "mlopsprojects", NAMESPACE, "fares", &at);
        harness.until("Ready again", LONG, |harness| project_says(harness, "fares", READY)).await;
    }
}

/// A platform with a Ready project on it, whose trigger somebody has deleted: it makes another one, which takes a minute.
async fn without_trigger() -> Harness {
    let harness = with_project().await;
    let cloudformation = aws_sdk_cloudformation::Client::new(&aws::person(&harness.sandbox, harness.clock, REGION));
    let stacks = cloudformation.describe_stacks().send().await.unwrap();
    let names = stacks.stacks().iter().filter_map(|stack| stack.stack_name());
    let trigger = names.into_iter().find(|name| name.ends_with("-model-trigger")).unwrap().to_owned();
    cloudformation.delete_stack().stack_name(&trigger).send().await.unwrap();
    harness.sandbox.world(|world| world.settings.stack = Duration::from_mins(1));
    let now = json!({"metadata": {"annotations": {"mlops-operator.io/reconcile-requested-at": "now"}}});
    merge(&harness, "mlopsplatforms", "", "main", &now);
    harness.until("not Ready", LONG, |harness| platform_says(harness, "Ready=Unknown/Progressing")).await;
    harness
}

/// A thousand projects would be observed and written twice for each update of a trigger.
#[tokio::test(start_paused = true)]
async fn a_platform_that_is_not_ready_for_a_moment_leaves_its_ready_projects_alone() {
    let harness = without_trigger().await;
    let from = harness.sandbox.requests();
    let project = |harness: &Harness| harness.kubernetes.object("mlopsprojects", NAMESPACE, "fares").unwrap();
    let before = project(&harness);
    assert!(project_says(&harness, "fares", READY));
    harness.until("the platform Ready", LONG, |harness| platform_says(harness, READY)).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(project(&harness), before);
    let journal = harness.sandbox.journal_after(from);
    let observed: Vec<_> = journal.iter().filter(|entry| entry.operation == "DescribeProject").collect();
    assert!(observed.is_empty(), "the project was observed: {observed:#?}");
}

/// One that is looked at meanwhile says so, and is back as soon as the platform is.
#[tokio::test(start_paused = true)]
async fn a_project_that_finds_its_platform_not_ready_for_a_moment_waits_for_it() {
    let harness = without_trigger().await;
    assert!(project_says(&harness, "fares", READY));
    merge(&harness, "mlopsprojects", NAMESPACE, "fares", &json!({"spec": {"description": "other"}}));
    harness.until("it waits", LONG, |harness| project_says(harness, "fares", "Ready=Unknown/PlatformNotReady")).await;
    harness.until("the platform Ready", LONG, |harness| platform_says(harness, READY)).await;
    let took = harness.until("the project Ready", LONG, |harness| project_says(harness, "fares", READY)).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_the_platform_says_for_its_projects_reaches_them_at_once() {
    let harness = with_project().await;
    merge(&harness, "mlopsplatforms", "", "main", &json!({"spec": {"projects": {"pollSchedule": "H/7 * * * *"}}}));
    let polled =
        |harness: &Harness| harness.sandbox.world(|world| world.jenkins.dump().to_string().contains("H/7 * * * *"));
    let took = harness.until("the jobs polled anew", LONG, polled).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_is_deleted_in_use_goes_on_for_its_projects_through_a_restart() {
    let mut harness = with_project().await;
    harness.kubernetes.delete("mlopsplatforms", "", "main").unwrap();
    harness.until("in use", LONG, |harness| platform_says(harness, "Ready=False/InUse")).await;
    harness.stop().await;
    harness.start();
    merge(&harness, "mlopsprojects", NAMESPACE, "fares", &json!({"spec": {"description": "still looked after"}}));
    let described = |harness: &Harness| {
        harness.sandbox.world(|world| {
            let projects = &world.region(ACCOUNT, REGION).sagemaker.projects;
            projects.values().filter_map(|kept| kept.truth()).any(|project| project.description == "still looked after")
        })
    };
    harness.until("described anew", LONG, described).await;
    assert!(platform_says(&harness, "Ready=False/InUse"));
    create(&harness, Harness::project_on_platform("late"));
    harness.until("refused", LONG, |harness| project_says(harness, "late", "Ready=False/PlatformNotReady")).await;
    harness.kubernetes.delete("mlopsprojects", NAMESPACE, "fares").unwrap();
    let gone = |harness: &Harness| harness.kubernetes.object("mlopsplatforms", "", "main").is_none();
    harness.until("gone, whoever else names it", LONG, gone).await;
}

/// How often something was called since then.
fn called(harness: &Harness, since: usize, operation: &str) -> usize {
    harness.sandbox.journal_after(since).iter().filter(|entry| entry.operation == operation).count()
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_is_being_deleted_takes_no_project_from_the_first_moment_on() {
    let harness = with_platform(|_| {}).await;
    harness.until("the platform Ready", LONG, |harness| platform_says(harness, READY)).await;
    let slow = What::Delay { millis: 20_000 };
    harness.sandbox.fault(Fault::on("sts", "*").before(slow.clone()));
    harness.sandbox.fault(Fault::on("servicecatalog", "*").before(slow));
    let from = harness.sandbox.requests();
    harness.kubernetes.delete("mlopsplatforms", "", "main").unwrap();
    harness.until("its deletion has begun", LONG, |harness| harness.sandbox.requests() > from).await;
    create(&harness, Harness::project_on_platform("late"));
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(called(&harness, from, "CreateProject"), 0);
    harness.sandbox.clear_faults();
    let gone = |harness: &Harness| harness.kubernetes.object("mlopsplatforms", "", "main").is_none();
    harness.until("the platform gone", Duration::from_mins(30), gone).await;
    assert!(
        project_says(&harness, "late", "Ready=False/PlatformMissing"),
        "{:?}",
        harness.conditions_of("mlopsprojects", NAMESPACE, "late")
    );
}

/// The parameters of the present template must not meet the version of the one before, which may show what is secret.
#[tokio::test(start_paused = true)]
async fn a_changed_template_is_never_combined_with_the_version_of_the_one_before() {
    let text = mlops_operator::templates::project_template("jenkins-git-v1").unwrap();
    let config_map = |text: &str| json!({"metadata": {"name": "project-template"}, "data": {"template.yaml": text}});
    let harness = with_platform(|platform| {
        let template = json!({"configMapRef": {"name": "project-template", "key": "template.yaml"}});
        platform["spec"]["catalog"]["template"] = template;
    })
    .await;
    harness.kubernetes.create("configmaps", "mlops-operator", config_map(text)).unwrap();
    harness.until("the platform Ready", LONG, |harness| platform_says(harness, READY)).await;
    harness.sandbox.fault(Fault::on("servicecatalog", "CreateProvisioningArtifact").before(What::refuse(
        500,
        "InternalFailure",
        "no",
    )));
    let from = harness.sandbox.requests();
    let declared = "\nParameters:\n  Added:\n    Type: String\n    Default: none\n    NoEcho: true\n";
    let changed = text.replacen("\nParameters:\n", declared, 1);
    harness
        .kubernetes
        .merge("configmaps", "mlops-operator", "project-template", false, &json!({"data": {"template.yaml": changed}}))
        .unwrap();
    harness
        .until("the new version is tried", LONG, |harness| called(harness, from, "CreateProvisioningArtifact") > 0)
        .await;
    create(&harness, Harness::project_on_platform("fares"));
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(called(&harness, from, "CreateProject"), 0);
    harness.sandbox.clear_faults();
    harness.until("the project Ready", Duration::from_mins(15), |harness| project_says(harness, "fares", READY)).await;
}

#[tokio::test(start_paused = true)]
async fn a_project_that_waits_for_somebody_elses_finalizer_wakes_nobody() {
    let harness = with_project().await;
    let hold = json!({"metadata": {"finalizers": ["mlops-operator.io/finalizer", "example.com/hold"]}});
    merge(&harness, "mlopsprojects", NAMESPACE, "fares", &hold);
    harness.kubernetes.delete("mlopsprojects", NAMESPACE, "fares").unwrap();
    let released = |harness: &Harness| {
        let object = harness.kubernetes.object("mlopsprojects", NAMESPACE, "fares").unwrap();
        object["metadata"]["finalizers"] == json!(["example.com/hold"])
    };
    harness.until("released by the operator", LONG, released).await;
    let asked = harness
        .metrics
        .text()
        .lines()
        .filter(|line| line.contains("reconcile_total") && line.contains("kind=\"project\""))
        .map(str::to_owned)
        .collect::<Vec<_>>();
    tokio::time::sleep(Duration::from_mins(5)).await;
    let later = harness
        .metrics
        .text()
        .lines()
        .filter(|line| line.contains("reconcile_total") && line.contains("kind=\"project\""))
        .map(str::to_owned)
        .collect::<Vec<_>>();
    assert_eq!(asked, later, "it is reconciled again and again");
    harness.kubernetes.delete("mlopsplatforms", "", "main").unwrap();
    let gone = |harness: &Harness| harness.kubernetes.object("mlopsplatforms", "", "main").is_none();
    harness.until("the platform gone, whoever holds the project", Duration::from_mins(10), gone).await;
    assert!(harness.kubernetes.object("mlopsprojects", NAMESPACE, "fares").is_some(), "it is not ours to let go");
    assert_eq!(portfolios(&harness), 0);
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_is_deleted_first_goes_although_somebody_else_holds_its_project() {
    let harness = with_project().await;
    let hold = json!({"metadata": {"finalizers": ["mlops-operator.io/finalizer", "example.com/hold"]}});
    merge(&harness, "mlopsprojects", NAMESPACE, "fares", &hold);
    harness.kubernetes.delete("mlopsplatforms", "", "main").unwrap();
    harness.until("in use", LONG, |harness| platform_says(harness, "Ready=False/InUse")).await;
    harness.kubernetes.delete("mlopsprojects", NAMESPACE, "fares").unwrap();
    let gone = |harness: &Harness| harness.kubernetes.object("mlopsplatforms", "", "main").is_none();
    // Nobody wakes it: it looks by itself.
    harness.until("the platform gone", Duration::from_mins(30), gone).await;
    assert!(harness.kubernetes.object("mlopsprojects", NAMESPACE, "fares").is_some());
}
