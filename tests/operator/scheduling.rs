//! Who is looked at when: what a restart leaves alone and what it does not, and that a server which never answers stops its
//! own projects and no others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use mlops_operator::metrics::Metrics;
use mlops_sandbox::Settings;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::bench::{Fleet, manifest, name};
use crate::harness::aws;
use crate::harness::operator::{Harness, NAMESPACE, REGION, spread};

const LONG: Duration = Duration::from_mins(10);
const MINUTE: Duration = Duration::from_mins(1);

fn ready(harness: &Harness, plural: &str, namespace: &str, name: &str) -> bool {
    let conditions = harness.conditions_of(plural, namespace, name);
    let object = harness.kubernetes.object(plural, namespace, name).unwrap();
    conditions.iter().any(|condition| condition == "Ready=True/Succeeded")
        && object["status"]["observedGeneration"] == object["metadata"]["generation"]
}

fn create(harness: &Harness, name: &str) {
    harness.kubernetes.create("mlopsprojects", NAMESPACE, Harness::project_on_platform(name)).unwrap();
}

fn change(harness: &Harness, plural: &str, name: &str, change: &Value) {
    let namespace = if plural == "mlopsplatforms" || plural == "namespaces" { "" } else { NAMESPACE };
    harness.kubernetes.merge(plural, namespace, name, false, change).unwrap();
}

/// A platform and projects on it that were all Ready when the operator stopped.
async fn stopped_fleet(projects: &[&str]) -> Harness {
    let mut harness = Harness::new(Settings::default()).await;
    harness.chance = spread();
    harness.apply_platform(Harness::platform_manifest());
    harness.start();
    for name in projects {
        create(&harness, name);
    }
    for name in projects {
        harness.until(name, LONG, |harness| ready(harness, "mlopsprojects", NAMESPACE, name)).await;
    }
    sleep(MINUTE).await;
    harness.stop().await;
    // The next one is another process.
    harness.metrics = Metrics::default();
    harness
}

#[tokio::test(start_paused = true)]
async fn a_restart_calls_nobody_at_first_and_looks_at_everything_within_the_hour() {
    let mut harness = stopped_fleet(&["fares", "tips", "trips"]).await;
    let versions = |harness: &Harness| {
        ["fares", "trips"].map(|name| {
            let project = harness.kubernetes.object("mlopsprojects", NAMESPACE, name).unwrap();
            project["metadata"]["resourceVersion"].clone()
        })
    };
    let before = versions(&harness);
    // Somebody deletes a job while no operator runs.
    let jobs = &harness.kubernetes.object("mlopsprojects", NAMESPACE, "tips").unwrap()["status"]["jobs"]["items"];
    let path = jobs[0]["url"].as_str().unwrap().trim_start_matches("https://ci.example").to_owned();
    harness.jenkins("POST", &format!("{path}doDelete"), "").await;

    let calls = harness.sandbox.requests();
    harness.start();
    sleep(MINUTE).await;
    assert_eq!(harness.sandbox.requests(), calls, "all are as their statuses say");
    for (kind, count) in [("platform", 1), ("project", 3)] {
        let counted = format!("mlops_operator_objects{{kind=\"{kind}\",ready=\"true\"}} {count}\n");
        assert!(harness.metrics.text().contains(&counted), "and are counted as such");
    }
    sleep(Duration::from_hours(1)).await;
    harness.jenkins("GET", &format!("{path}api/json"), "").await;
    assert_eq!(versions(&harness), before, "no status was written of what had nothing");
}

#[tokio::test(start_paused = true)]
async fn what_happens_while_no_operator_runs_is_seen_at_once_by_the_next() {
    type Happening = fn(&Harness);
    let rows: [(&str, Happening); 7] = [
        ("a project is edited", |harness| {
            change(harness, "mlopsprojects", "fares", &json!({"spec": {"description": "Other fares"}}));
        }),
        ("the platform is edited", |harness| {
            change(harness, "mlopsplatforms", "main", &json!({"spec": {"tags": {"team": "red"}}}));
        }),
        ("a look is asked for", |harness| {
            let asked = json!({"metadata": {"annotations": {"mlops-operator.io/reconcile-requested-at": harness.sandbox.now().to_string()}}});
            change(harness, "mlopsprojects", "fares", &asked);
        }),
        ("a look is asked for by a word", |harness| {
            let asked = json!({"metadata": {"annotations": {"mlops-operator.io/reconcile-requested-at": "please"}}});
            change(harness, "mlopsprojects", "fares", &asked);
        }),
        ("a status is wiped", |harness| {
            let mut fares = harness.kubernetes.object("mlopsprojects", NAMESPACE, "fares").unwrap();
            fares["status"] = json!({"conditions": null, "placement": null, "seal": null, "observedGeneration": null});
            let status = json!({"status": fares["status"]});
            harness.kubernetes.merge("mlopsprojects", NAMESPACE, "fares", true, &status).unwrap();
        }),
        ("a project is deleted", |harness| {
            harness.kubernetes.delete("mlopsprojects", NAMESPACE, "fares").unwrap();
        }),
        ("a project is made", |harness| create(harness, "new")),
    ];
    for (name, happens) in rows {
        let mut harness = stopped_fleet(&["fares", "tips"]).await;
        happens(&harness);
        let calls = harness.sandbox.requests();
        harness.start();
        let took = harness.until(name, MINUTE, |harness| harness.sandbox.requests() > calls).await;
        assert!(took < Duration::from_secs(10), "{name}: after {took:?}");
        let done = |harness: &Harness| {
            let all = harness.kubernetes.objects("mlopsprojects");
            all.iter().all(|object| {
                let project = object["metadata"]["name"].as_str().unwrap();
                ready(harness, "mlopsprojects", NAMESPACE, project) && object["metadata"]["deletionTimestamp"].is_null()
            })
        };
        harness.until(name, LONG, done).await;
        harness.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_changes_after_a_restart_brings_its_objects_back_at_once() {
    let mut harness = stopped_fleet(&["fares"]).await;
    harness.start();
    sleep(MINUTE / 2).await;
    let calls = harness.sandbox.requests();
    let wrong = json!({"data": {"token": "d3Jvbmc="}});
    harness.kubernetes.merge("secrets", "mlops-operator", "jenkins", false, &wrong).unwrap();
    let took = harness.until("looked at", MINUTE, |harness| harness.sandbox.requests() > calls).await;
    assert!(took < Duration::from_secs(5), "after {took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_happens_while_a_watch_is_begun_anew_is_not_lost() {
    let mut harness = Harness::new(Settings::default()).await;
    harness.apply_platform(Harness::platform_manifest());
    harness.start();
    for name in ["edited", "deleted"] {
        create(&harness, name);
        harness.until(name, LONG, |harness| ready(harness, "mlopsprojects", NAMESPACE, name)).await;
    }
    sleep(MINUTE).await;
    let watches = |harness: &Harness| {
        harness.kubernetes.calls().iter().filter(|call| call.starts_with("WATCH mlopsprojects")).count()
    };
    let before = watches(&harness);
    create(&harness, "new");
    change(&harness, "mlopsprojects", "edited", &json!({"spec": {"description": "Other fares"}}));
    harness.kubernetes.delete("mlopsprojects", NAMESPACE, "deleted").unwrap();
    // The watch has told nothing of that yet, and cannot any more.
    harness.kubernetes.compact();
    for name in ["new", "edited"] {
        harness.until(name, MINUTE, |harness| ready(harness, "mlopsprojects", NAMESPACE, name)).await;
    }
    let gone = |harness: &Harness| harness.kubernetes.object("mlopsprojects", NAMESPACE, "deleted").is_none();
    harness.until("gone", MINUTE, gone).await;
    assert!(watches(&harness) > before, "the watch was not begun anew");
}

/// Platforms beside `main`, each with a folder of its own on the Jenkins of that host, and projects on them.
async fn two_servers(projects: usize) -> Harness {
    let mut harness = Harness::new(Settings::default()).await;
    harness.chance = spread();
    harness.apply_platform(Harness::platform_manifest());
    let mut other = Harness::platform_manifest();
    other["metadata"]["name"] = json!("other");
    other["spec"]["jenkins"]["url"] = json!("https://dead.example");
    other["spec"]["jenkins"]["folder"] = json!("other");
    harness.kubernetes.create("mlopsplatforms", "", other).unwrap();
    harness.start();
    for n in 0..projects {
        create(&harness, &format!("main-{n}"));
        let mut project = Harness::project_on_platform(&format!("other-{n}"));
        project["spec"]["platformRef"]["name"] = json!("other");
        harness.kubernetes.create("mlopsprojects", NAMESPACE, project).unwrap();
    }
    for n in 0..projects {
        for platform in ["main", "other"] {
            let name = format!("{platform}-{n}");
            harness.until(&name, LONG * 6, |harness| ready(harness, "mlopsprojects", NAMESPACE, &name)).await;
        }
    }
    harness
}

/// How long changes of three projects on `main` take to be reached, at most.
async fn slowest_change(harness: &Harness, text: &str) -> Duration {
    let mut slowest = Duration::ZERO;
    for n in 0..3 {
        let name = format!("main-{n}");
        change(harness, "mlopsprojects", &name, &json!({"spec": {"description": text}}));
        let begun = Instant::now();
        harness.until(&name, LONG, |harness| ready(harness, "mlopsprojects", NAMESPACE, &name)).await;
        slowest = slowest.max(begun.elapsed());
    }
    slowest
}

#[tokio::test(start_paused = true)]
async fn a_jenkins_that_never_answers_stops_its_own_projects_and_no_others() {
    let harness = two_servers(12).await;
    let usual = slowest_change(&harness, "while both answer").await;
    harness.silent_jenkins.lock().unwrap().insert("dead.example".to_owned());
    let calls = harness.metrics.calls("jenkins", "GET");
    for n in 0..12 {
        change(&harness, "mlopsprojects", &format!("other-{n}"), &json!({"spec": {"description": "unreachable"}}));
    }
    sleep(Duration::from_secs(5)).await;
    let at_first = slowest_change(&harness, "while one was just lost").await;
    sleep(LONG).await;
    let later = slowest_change(&harness, "while one is gone").await;
    assert!(
        at_first <= usual.mul_f64(1.2) && later <= usual.mul_f64(1.2),
        "{usual:?}, then {at_first:?} and {later:?}"
    );
    let asked = harness.metrics.calls("jenkins", "GET") - calls;
    let said = harness.message_of("mlopsprojects", NAMESPACE, "other-7", "JobsReady");
    assert!(said.contains("Jenkins does not answer in time"), "each says what is the matter: {said}");

    harness.silent_jenkins.lock().unwrap().clear();
    for n in 0..12 {
        let name = format!("other-{n}");
        harness.until(&name, LONG, |harness| ready(harness, "mlopsprojects", NAMESPACE, &name)).await;
    }
    println!("usual {usual:?}, at first {at_first:?}, later {later:?}; {asked} calls of Jenkins");
}

/// Ten idle projects on one platform.
async fn idle_fleet() -> (Harness, Vec<String>) {
    let mut harness = Harness::new(Settings::default()).await;
    harness.chance = spread();
    harness.apply_platform(Harness::platform_manifest());
    harness.start();
    let names: Vec<String> = (0..10).map(|n| format!("p{n}")).collect();
    for name in &names {
        create(&harness, name);
    }
    for name in &names {
        harness.until(name, LONG, |harness| ready(harness, "mlopsprojects", NAMESPACE, name)).await;
    }
    sleep(Duration::from_hours(2)).await;
    (harness, names)
}

#[tokio::test(start_paused = true)]
async fn idle_projects_share_what_a_listing_tells_of_all() {
    let (harness, names) = idle_fleet().await;
    let before = harness.sandbox.requests();
    sleep(Duration::from_hours(2)).await;
    let journal = harness.sandbox.journal_after(before);
    // The names of all jobs are another list, of which `glances` tells.
    let looks = |path: &str| {
        let at = |uri: &str| uri.split('?').next().unwrap().trim_start_matches("https://ci.example") == path;
        let of_names = |uri: &str| uri.contains("tree=jobs%5Bname%2Cjobs%5Bname%5D");
        let asked = journal.iter().filter(|entry| entry.service == "jenkins" && at(&entry.uri));
        asked.filter(|entry| !of_names(&entry.uri)).count()
    };
    // Two hours have twelve times ten minutes; the platform looks at its own way by itself.
    for outer in ["/api/json", "/job/ml/api/json", "/job/ml/job/ml-team/api/json"] {
        let looks = looks(outer);
        assert!((1..=12 + 4).contains(&looks), "{outer}: {looks}");
    }
    for name in &names {
        let folder = looks(&format!("/job/ml/job/ml-team/job/{name}/api/json"));
        assert!((2..=4).contains(&folder), "{name}: its own folder is looked at in each look: {folder}");
    }
    let of_jobs = journal.iter().filter(|entry| entry.service == "jenkins" && entry.uri.contains("/job/sagemaker-"));
    assert!(of_jobs.clone().all(|entry| entry.operation == "GET config.xml"), "builds come with the folder");
    let heads = journal.iter().filter(|entry| entry.operation == "HeadObject" && entry.uri.contains("/routes/"));
    assert_eq!(heads.count(), 0, "one listing tells that no route has changed");
}

/// A person's S3, and bucket and key of the project's route.
async fn route_of(harness: &Harness, project: &str) -> (aws_sdk_s3::Client, String, String) {
    let status = harness.kubernetes.object("mlopsprojects", NAMESPACE, project).unwrap()["status"].clone();
    let route = format!("{}.json", status["project"]["modelPackageGroup"].as_str().unwrap());
    let bucket = status["placement"]["bucket"].as_str().unwrap().to_owned();
    let s3 = aws_sdk_s3::Client::new(&aws::person(&harness.sandbox, harness.clock, REGION));
    let listed = s3.list_objects_v2().bucket(&bucket).send().await.unwrap();
    let key = listed.contents().iter().filter_map(|object| object.key()).find(|key| key.ends_with(&route));
    (s3, bucket, key.unwrap().to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_route_that_is_overwritten_is_found_by_the_list_within_the_hour() {
    let (harness, _) = idle_fleet().await;
    let (s3, bucket, key) = route_of(&harness, "p3").await;
    let head = s3.head_object().bucket(&bucket).key(&key).send().await.unwrap();
    let content = s3.get_object().bucket(&bucket).key(&key).send().await.unwrap().body.collect().await.unwrap();
    let write = |content: Vec<u8>, owner: String| {
        let body = aws_sdk_s3::primitives::ByteStream::from(content);
        s3.put_object().bucket(&bucket).key(&key).body(body).metadata("mlops-operator-owner", owner).send()
    };
    let versions =
        |harness: &Harness| harness.sandbox.world(|world| world.s3.bucket(&bucket).unwrap().versions(&key).len());
    let ours = head.metadata().unwrap()["mlops-operator-owner"].clone();

    write(b"{}".into(), ours).await.unwrap();
    let changed = versions(&harness);
    // One hour to the next look, and ten minutes that an answer may be old.
    harness.until("the content is back", Duration::from_mins(75), |harness| versions(harness) > changed).await;

    // Long enough for a list to confirm what is back.
    sleep(Duration::from_hours(3)).await;
    write(content.to_vec(), "another owner".to_owned()).await.unwrap();
    let said = |harness: &Harness| {
        let conditions = harness.conditions_of("mlopsprojects", NAMESPACE, "p3");
        conditions.iter().any(|condition| condition == "RouteReady=False/ForeignOwner")
    };
    harness.until("metadata alone is seen, too", Duration::from_mins(75), said).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_changed_behind_a_shared_answer_is_mended_within_the_hour() {
    let (harness, _) = idle_fleet().await;
    let (s3, bucket, key) = route_of(&harness, "p3").await;
    s3.delete_object().bucket(&bucket).key(&key).send().await.unwrap();
    let route = |harness: &Harness| {
        harness.sandbox.world(|world| {
            let versions = world.s3.bucket(&bucket).unwrap().versions(&key);
            versions.last().is_some_and(|version| version.body.is_some())
        })
    };
    assert!(!route(&harness));
    // One hour to the next look, and ten minutes that an answer may be old.
    harness.until("the route is back", Duration::from_mins(75), |harness| route(harness)).await;
    let folder = "/job/ml/job/ml-team";
    harness.jenkins("POST", &format!("{folder}/job/p5/doDelete"), "").await;
    let jobs = |harness: &Harness| {
        let names = harness.sandbox.world(|world| mlops_sandbox::jenkins::item_names(&world.jenkins));
        names.iter().filter(|name| name.starts_with("ml/ml-team/p5/sagemaker-")).count() == 3
    };
    assert!(!jobs(&harness));
    harness.until("folder and jobs are back", Duration::from_mins(75), jobs).await;
}

#[tokio::test(start_paused = true)]
async fn projects_that_are_made_at_once_look_at_the_portfolios_of_others_once_for_all() {
    const PROJECTS: usize = 24;
    let mut harness = Harness::new(Settings::default()).await;
    harness.start();
    for n in 0..PROJECTS {
        harness.kubernetes.create("mlopsprojects", NAMESPACE, manifest(n, REGION)).unwrap();
    }
    for n in 0..PROJECTS {
        let ready = |harness: &Harness| {
            Fleet::is_ready(&harness.kubernetes.object("mlopsprojects", NAMESPACE, &name(n)).unwrap())
        };
        harness.until("Ready", Duration::from_mins(30), ready).await;
    }
    let journal = harness.sandbox.journal();
    for operation in ["DescribePortfolio", "DescribeProductAsAdmin"] {
        let looks = journal.iter().filter(|entry| entry.operation == operation).count();
        // A few at each one's own, and one at each by somebody else; each at those of all before it would be 276 more.
        assert!(looks <= PROJECTS * 8, "{operation}: {looks}");
    }
}
