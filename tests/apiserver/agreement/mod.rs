//! The API in memory and a real API server tell the same story: one script of the requests that the operator makes
//! runs against both, and the answers must agree. This is what lets tests under a paused clock stand on the former.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod teller;

use self::teller::{APPLY, JSON, MERGE, STEPS, Teller, with};
use std::time::Duration;

use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use mlops_sandbox::clock::Clock;
use mlops_sandbox::kubernetes::Kubernetes;
use serde_json::{Value, json};

const NAMESPACE: &str = "agreement";
const KIND: &str = "mlops-operator.io/v1alpha1";
const PROJECTS: &str = "/apis/mlops-operator.io/v1alpha1/namespaces/agreement/mlopsprojects";
const PROJECT: &str = "/apis/mlops-operator.io/v1alpha1/namespaces/agreement/mlopsprojects/taxi";
const SECRETS: &str = "/api/v1/namespaces/agreement/secrets";
const FINALIZER: &str = "mlops-operator.io/finalizer";

#[tokio::test(flavor = "multi_thread")]
async fn the_api_in_memory_agrees_with_a_real_api_server() {
    let cluster = crate::harness::cluster::Cluster::start("agreement");
    let kubeconfig = Kubeconfig::read_from(&cluster.kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let mut real = Teller::new(Client::try_from(config).unwrap(), None);
    let crd =
        std::fs::read_to_string(crate::harness::cluster::root().join("crds/mlopsprojects.mlops-operator.io.yaml"))
            .unwrap();
    let api = Kubernetes::new(Clock::starting_at(jiff::Timestamp::now()), &[serde_yaml::from_str(&crd).unwrap()]);
    let mut in_memory = Teller::new(Client::new(api.service(), "default"), Some(api));
    tokio::join!(tell(&mut real), tell(&mut in_memory));
    let differing = differences(&real, &in_memory);
    assert!(differing.is_empty(), "{} answers differ\n{}", differing.len(), differing.join("\n"));
}

fn differences(real: &Teller, in_memory: &Teller) -> Vec<String> {
    assert_eq!(real.transcript.len(), in_memory.transcript.len(), "both tell the whole story");
    let pairs = real.transcript.iter().zip(&in_memory.transcript);
    let differing = pairs.filter(|(real, in_memory)| real.answer != in_memory.answer);
    differing
        .map(|(real, in_memory)| {
            format!("# {}\n  {}\n{}", real.sentence, real.request, side_by_side(&real.answer, &in_memory.answer))
        })
        .collect()
}

/// The lines from the first that differs to the last, each marked with whose it is.
fn side_by_side(real: &Value, in_memory: &Value) -> String {
    let [left, right] = [real, in_memory].map(|answer| serde_yaml::to_string(answer).unwrap());
    let [left, right] = [&left, &right].map(|text| text.lines().collect::<Vec<_>>());
    let same = left.iter().zip(&right).take_while(|(left, right)| left == right).count();
    let most = left.len().min(right.len()) - same;
    let tail = left.iter().rev().zip(right.iter().rev()).take(most).take_while(|(left, right)| left == right).count();
    let mut lines = String::new();
    for (whose, these) in [("real     ", &left), ("in memory", &right)] {
        let end = these.len() - tail;
        for line in &these[same.saturating_sub(3)..end] {
            lines.push_str(&format!("  {whose} | {line}\n"));
        }
    }
    lines
}

/// The story, chapter by chapter.
async fn tell(teller: &mut Teller) {
    namespaces(teller).await;
    let listed = teller.get("an empty list", PROJECTS).await;
    let from = listed["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let made = creation(teller).await;
    finalizers(teller, &made).await;
    spec_and_metadata(teller).await;
    status(teller, &made["metadata"]["resourceVersion"]).await;
    deletion(teller).await;
    lists(teller).await;
    replay(teller, &from).await;
    secrets(teller).await;
    config_maps(teller).await;
    events(teller).await;
    refusals(teller).await;
    definition(teller).await;
}

fn project(name: &str) -> Value {
    let text = std::fs::read_to_string(crate::harness::cluster::root().join("examples/quickstart.yaml")).unwrap();
    let example: Value = serde_yaml::from_str(&text).unwrap();
    let mut project = with(&example, json!({"metadata": {"name": name, "namespace": NAMESPACE}}));
    project["spec"]["odd"] = json!("no field of ours");
    project
}

async fn namespaces(teller: &mut Teller) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    teller.ask("a namespace is made", "POST /api/v1/namespaces", JSON, namespace).await;
    teller.get("its kind of object", "/api/v1/namespaces/agreement").await;
    teller.get("the one whose uid names the cluster", "/api/v1/namespaces/kube-system").await;
    teller.get("one that is absent", "/api/v1/namespaces/nowhere").await;
}

async fn creation(teller: &mut Teller) -> Value {
    let create = format!("POST {PROJECTS}");
    teller.get("a project that is absent", PROJECT).await;
    let mut asked = project("taxi");
    asked["metadata"]["odd"] = json!("no field of metadata");
    asked["status"] = json!({"observedGeneration": 7});
    let made = teller.ask("unknown fields and the status go, defaults come", &create, JSON, asked.clone()).await;
    teller.ask("the same name again", &create, JSON, asked.clone()).await;
    asked["metadata"].as_object_mut().unwrap().remove("name");
    teller.ask("without a name", &create, JSON, asked).await;
    let mut nulls = project("nulls");
    nulls["spec"]["jenkins"]["pollSchedule"] = Value::Null;
    nulls["spec"]["modelTrigger"] = Value::Null;
    nulls["spec"]["description"] = Value::Null;
    teller.ask("null is nothing, and makes room for a default", &create, JSON, nulls).await;
    teller.delete("it goes at once", &format!("{PROJECTS}/nulls")).await;
    teller.get("the project is there", PROJECT).await;
    teller.get_metadata("its metadata alone", PROJECT).await;
    made
}

async fn finalizers(teller: &mut Teller, made: &Value) {
    let patch = format!("PATCH {PROJECT}");
    let version = &made["metadata"]["resourceVersion"];
    let change = json!({"metadata": {"resourceVersion": version, "finalizers": [FINALIZER]}});
    let finalized = teller.ask("a finalizer, by the version as seen", &patch, MERGE, change.clone()).await;
    teller.ask("again by that version, which is stale now", &patch, MERGE, change).await;
    let note = json!({"op": "add", "path": "/metadata/annotations", "value": {"a": "1"}});
    let seen = |version: &Value| json!({"op": "test", "path": "/metadata/resourceVersion", "value": version});
    teller.ask("JSON patch, tested against a stale version", &patch, STEPS, json!([seen(version), note])).await;
    let current = &finalized["metadata"]["resourceVersion"];
    teller.ask("JSON patch, tested against the current one", &patch, STEPS, json!([seen(current), note])).await;
    let stale = json!({"op": "replace", "path": "/metadata/resourceVersion", "value": version});
    teller.ask("JSON patch that puts in a stale version", &patch, STEPS, json!([stale, note])).await;
    let absent = json!([{"op": "remove", "path": "/metadata/labels/none"}]);
    teller.ask("JSON patch that removes what is not there", &patch, STEPS, absent).await;
}

async fn spec_and_metadata(teller: &mut Teller) {
    let patch = format!("PATCH {PROJECT}");
    let steps = [
        ("an annotation leaves the generation", json!({"metadata": {"annotations": {"a": "2", "b": "x"}}})),
        ("the same again is no change", json!({"metadata": {"annotations": {"a": "2"}}})),
        ("an annotation is taken off", json!({"metadata": {"annotations": {"a": null}}})),
        ("the last one is taken off", json!({"metadata": {"annotations": {"b": null}}})),
        ("a spec counts the generation up", json!({"spec": {"description": "new"}})),
        ("a spec that is the same does not", json!({"spec": {"description": "new"}})),
        ("an unknown field of the spec is no change", json!({"spec": {"odd": 1}})),
        ("a status in a plain patch is ignored", json!({"status": {"observedGeneration": 3}})),
        (
            "the server's own metadata stays",
            json!({"metadata": {"generation": 9, "creationTimestamp": "2020-01-01T00:00:00Z"}}),
        ),
        ("a default comes back in the place of null", json!({"spec": {"jenkins": {"pollSchedule": null}}})),
    ];
    for (sentence, change) in steps {
        teller.ask(sentence, &patch, MERGE, change).await;
    }
}

async fn status(teller: &mut Teller, version: &Value) {
    let condition = |of: &str, status: &str| {
        let at = "2026-03-01T00:00:00Z";
        json!({"type": of, "status": status, "reason": "Why", "message": "", "lastTransitionTime": at})
    };
    let say = |status: Value| {
        let metadata = json!({"name": "taxi", "namespace": NAMESPACE});
        json!({"apiVersion": KIND, "kind": "MlopsProject", "metadata": metadata, "status": status})
    };
    let apply = format!("PATCH {PROJECT}/status?fieldManager=mlops-operator&force=true");
    let full = json!({
        "observedGeneration": 2,
        "conditions": [condition("Ready", "False"), condition("Reconciling", "True"), condition("JobsReady", "False")],
        "artifacts": {"bucket": "b"}, "project": {"id": "p-1"},
        "intents": [{"resource": "Portfolio", "number": 0, "id": null}, {"resource": "Product", "number": 1}],
    });
    teller.ask("a first status; its defaults come", &apply, APPLY, say(full.clone())).await;
    teller.ask("the same again is no change", &apply, APPLY, say(full.clone())).await;
    let fewer = json!({
        "observedGeneration": 2, "artifacts": {"templateUrl": "u"},
        "conditions": [condition("JobsReady", "True"), condition("Stalled", "True"), condition("Ready", "True")],
        "intents": [{"resource": "Product", "number": 2, "id": "prod-1"}],
    });
    teller.ask("what is no longer said goes, in the order said", &apply, APPLY, say(fewer.clone())).await;
    let sneaky = with(&say(fewer.clone()), json!({"spec": {"description": "sneaked in"}}));
    teller.ask("a spec in it is ignored", &apply, APPLY, sneaky).await;
    let unknown = with(&say(fewer.clone()), json!({"status": {"odd": 1}}));
    teller.ask("a field that the schema lacks is refused", &apply, APPLY, unknown).await;
    let patch = format!("PATCH {PROJECT}/status");
    let sneaky = json!({"spec": {"description": "sneaked in"}, "status": {"trigger": {"stackId": "s-1"}, "odd": 1}});
    teller.ask("a merge patch changes the status alone", &patch, MERGE, sneaky).await;
    teller.ask("apply without a manager", &patch, APPLY, say(fewer.clone())).await;
    let absent = apply.replace("/taxi/", "/nobody/");
    let nobody = with(&say(fewer), json!({"metadata": {"name": "nobody"}}));
    teller.ask("a status of an object that is absent", &absent, APPLY, nobody).await;
    let former = with(&say(json!({})), json!({"metadata": {"uid": "00000000-0000-4000-8000-000000000000"}}));
    teller.ask("the uid of an earlier object of that name stops no status", &apply, APPLY, former).await;
    let stale = with(&say(json!({"observedGeneration": 1})), json!({"metadata": {"resourceVersion": version}}));
    teller.ask("its resourceVersion does", &apply, APPLY, stale).await;
    teller.ask("an empty status", &apply, APPLY, say(json!({}))).await;
    teller.get("the project after all that", PROJECT).await;
}

async fn deletion(teller: &mut Teller) {
    let patch = format!("PATCH {PROJECT}");
    teller.delete("a finalizer holds it", PROJECT).await;
    teller.delete("a second time", PROJECT).await;
    let deleted = teller.get("it is still there", PROJECT).await;
    teller.ask("its spec may still change", &patch, MERGE, json!({"spec": {"dataPolicy": "Keep"}})).await;
    let status = json!({"apiVersion": KIND, "kind": "MlopsProject", "status": {"observedGeneration": 4}});
    let apply = format!("{patch}/status?fieldManager=mlops-operator&force=true");
    teller.ask("its status too", &apply, APPLY, status).await;
    let another = json!({"metadata": {"finalizers": [FINALIZER, "example.com/late"]}});
    teller.ask("no finalizer comes any more", &patch, MERGE, another).await;
    let version = &deleted["metadata"]["resourceVersion"];
    let stale = json!({"metadata": {"resourceVersion": version, "finalizers": []}});
    teller.ask("the finalizer stays when the version is stale", &patch, MERGE, stale).await;
    let current = teller.get("it is still there", PROJECT).await;
    let last = json!({"metadata": {"resourceVersion": current["metadata"]["resourceVersion"], "finalizers": []}});
    teller.ask("with the last finalizer it goes", &patch, MERGE, last).await;
    teller.get("it is gone", PROJECT).await;
    teller.delete("what is gone cannot be deleted", PROJECT).await;
    teller.ask("what is gone cannot be patched", &patch, MERGE, json!({"spec": {"suspend": true}})).await;
}

async fn lists(teller: &mut Teller) {
    let create = format!("POST {PROJECTS}");
    for name in ["one", "three", "two"] {
        let labelled = with(&project(name), json!({"metadata": {"labels": {"name": name}}}));
        teller.ask("one of three", &create, JSON, labelled).await;
    }
    let mut path = format!("{PROJECTS}?limit=2");
    let first = teller.get("a first page", &path).await;
    teller.delete("one of the second page goes meanwhile", &format!("{PROJECTS}/two")).await;
    path.push_str(&format!("&continue={}", first["metadata"]["continue"].as_str().unwrap_or_default()));
    let second = teller.get("the second page shows what there was", &path).await;
    let [one, two] = [&first, &second].map(|page| &page["metadata"]["resourceVersion"]);
    teller.note("both pages show one moment", &path, json!(one == two));
    teller.get("all that is left", PROJECTS).await;
    teller.get("in all namespaces", "/apis/mlops-operator.io/v1alpha1/mlopsprojects?limit=500").await;
    teller.get_metadata("the metadata of one", "/apis/mlops-operator.io/v1alpha1/mlopsprojects?limit=1").await;
    teller.get("by name", &format!("{PROJECTS}?fieldSelector=metadata.name%3Done")).await;
    teller.get("by label", &format!("{PROJECTS}?labelSelector=name%3Dthree")).await;
    teller.get("by a field that cannot select", &format!("{PROJECTS}?fieldSelector=spec.odd%3D1")).await;
}

/// All that happened, once more, to whoever watches from the first list on.
async fn replay(teller: &mut Teller, from: &str) {
    let path = format!("{PROJECTS}?watch=true&timeoutSeconds=3&resourceVersion={from}");
    let watching = teller.watch(&path).await;
    teller.follow("what happened to the projects", watching).await;
    let watching = teller.watch(&format!("{PROJECTS}?watch=true&timeoutSeconds=2")).await;
    teller.follow("a watch from nowhere begins with what there is", watching).await;
    teller.forget();
    let watching = teller.watch(&format!("{PROJECTS}?watch=true&timeoutSeconds=2&resourceVersion=1")).await;
    teller.follow("a watch from too long ago", watching).await;
}

async fn secrets(teller: &mut Teller) {
    let secret = |name: &str| {
        let metadata = json!({"name": name, "namespace": NAMESPACE});
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"token": "c2VjcmV0"}})
    };
    let create = format!("POST {SECRETS}");
    let jenkins = format!("{SECRETS}/jenkins");
    let by_name = format!("{SECRETS}?fieldSelector=metadata.name%3Djenkins");
    teller.get("a Secret that is absent", &jenkins).await;
    let listed = teller.get("by name, while it is absent", &by_name).await;
    let version = listed["metadata"]["resourceVersion"].as_str().unwrap();
    let path = format!("{by_name}&watch=true&allowWatchBookmarks=true&timeoutSeconds=290&resourceVersion={version}");
    let mut watching = teller.watch(&path).await;
    teller.ask("a Secret is made", &create, JSON, secret("jenkins")).await;
    teller.next("the watch by name sees it", &mut watching).await;
    teller.ask("the same name again", &create, JSON, secret("jenkins")).await;
    teller.ask("another one", &create, JSON, secret("other")).await;
    let plain = json!({"data": {"user": "bWU="}, "stringData": {"token": "rotated"}});
    teller.ask("it is rotated", &format!("PATCH {jenkins}"), MERGE, plain).await;
    teller.next("the watch sees that, and nothing of the other", &mut watching).await;
    teller.get("by name", &by_name).await;
    teller.get("all of them", &format!("{SECRETS}?limit=500")).await;
    teller.delete("it goes", &jenkins).await;
    teller.next("the watch sees that", &mut watching).await;
    teller.ask("it comes back", &create, JSON, secret("jenkins")).await;
    teller.next("as another one of that name", &mut watching).await;
    let listed = teller.get("by name", &by_name).await;
    let version = listed["metadata"]["resourceVersion"].as_str().unwrap();
    let path = format!("{by_name}&watch=true&allowWatchBookmarks=true&timeoutSeconds=5&resourceVersion={version}");
    let watching = teller.watch(&path).await;
    let elsewhere = json!({"metadata": {"labels": {"a": "b"}}});
    teller.ask("something else changes", &format!("PATCH {SECRETS}/other"), MERGE, elsewhere).await;
    teller.follow("a watch by name sees nothing of it", watching).await;
    let held = with(&secret("held"), json!({"metadata": {"finalizers": ["example.com/hold"]}}));
    teller.ask("one with a finalizer", &create, JSON, held).await;
    teller.delete("has no generation to count", &format!("{SECRETS}/held")).await;
    let release = json!({"metadata": {"finalizers": null}});
    teller.ask("is let go", &format!("PATCH {SECRETS}/held"), MERGE, release).await;
}

async fn config_maps(teller: &mut Teller) {
    let path = "/api/v1/namespaces/agreement/configmaps";
    let one = format!("{path}/bundle");
    let bundle =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bundle"}, "data": {"ca.crt": "x"}});
    teller.ask("a ConfigMap is made", &format!("POST {path}"), JSON, bundle).await;
    teller.ask("it changes", &format!("PATCH {one}"), MERGE, json!({"data": {"ca.crt": "y"}})).await;
    teller.get("by name", &format!("{path}?fieldSelector=metadata.name%3Dbundle")).await;
    teller.delete("it goes", &one).await;
    let applied =
        |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bundle"}, "data": data});
    let apply = format!("PATCH {one}?fieldManager=me&force=true");
    teller.ask("apply makes what is absent", &apply, APPLY, applied(json!({"a": "1", "b": "2"}))).await;
    teller.ask("and takes back what it no longer says", &apply, APPLY, applied(json!({"b": "3"}))).await;
}

/// As the operator's own recorder publishes them: a repeated one becomes a series.
async fn events(teller: &mut Teller) {
    let about = serde_json::from_value(json!({
        "apiVersion": KIND, "kind": "MlopsProject", "name": "taxi", "namespace": NAMESPACE, "uid": "0-1",
    }));
    let about = about.unwrap();
    let reporter = Reporter { controller: "mlops-operator".to_owned(), instance: Some("here".to_owned()) };
    let recorder = Recorder::new(teller.client.clone(), reporter);
    let event = Event {
        type_: EventType::Normal,
        reason: "Created".to_owned(),
        note: Some("created the portfolio".to_owned()),
        action: "created the portfolio".to_owned(),
        secondary: None,
    };
    for _ in 0..3 {
        recorder.publish(&event, &about).await.unwrap();
    }
    let path = "/apis/events.k8s.io/v1/namespaces/agreement/events";
    let (before, events) = (teller.transcript.len(), teller.get("a series of events", path).await);
    assert_eq!(events["items"].as_array().map(Vec::len), Some(1));
    // The recorder makes names from the time.
    let answer = &mut teller.transcript[before].answer["body"]["items"][0]["metadata"]["name"];
    assert!(answer.as_str().unwrap().starts_with("taxi."));
    *answer = json!("taxi.time");
}

async fn refusals(teller: &mut Teller) {
    let one = format!("{PROJECTS}/one");
    teller.get("a collection that the group lacks", &PROJECTS.replace("mlopsprojects", "mlopsplatforms")).await;
    teller.get("a group that is not there", &PROJECTS.replace("mlops-operator.io", "example.com")).await;
    teller.get("a version that is not there", &PROJECTS.replace("v1alpha1", "v1")).await;
    teller.get("a collection in the wrong group", "/api/v1/namespaces/agreement/mlopsprojects").await;
    teller.get("a subresource that is not there", &format!("{one}/scale")).await;
    teller.ask("a patch of no known kind", &format!("PATCH {one}"), "text/plain", json!({})).await;
    teller.ask("a body that does not parse", &format!("POST {PROJECTS}"), JSON, json!("{")).await;
    teller.ask("a patch that does not parse", &format!("PATCH {one}"), MERGE, json!("{")).await;
    let wrong = with(&project("x"), json!({"kind": "MlopsPlatform"}));
    teller.ask("an object of another kind", &format!("POST {PROJECTS}"), JSON, wrong).await;
    let elsewhere = with(&project("x"), json!({"metadata": {"namespace": "default"}}));
    teller.ask("one of another namespace", &format!("POST {PROJECTS}"), JSON, elsewhere).await;
}

/// What the operator meets when the CRD is deleted with a project that has its finalizer: the last chapter.
async fn definition(teller: &mut Teller) {
    let definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/mlopsprojects.mlops-operator.io";
    let told = |answer: &Value| {
        let metadata = &answer["metadata"];
        let deleting = metadata["deletionTimestamp"].is_string();
        json!({"kind": answer["kind"], "name": metadata["name"], "deleting": deleting, "finalizers": metadata["finalizers"]})
    };
    let mut asked = project("last");
    asked["metadata"]["finalizers"] = json!([FINALIZER]);
    let last = format!("{PROJECTS}/last");
    teller.ask("a project with a finalizer", &format!("POST {PROJECTS}"), JSON, asked).await;
    let before = told(&teller.seen_metadata(definition).await);
    teller.note("the definition stands", definition, before);
    teller.send_quietly(&format!("DELETE {definition}")).await;
    let after = told(&teller.seen_metadata(definition).await);
    teller.note("it is being deleted, and says so at once", definition, after);
    // A real server deletes the objects in its own time.
    while !teller.seen_metadata(&last).await["metadata"]["deletionTimestamp"].is_string() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let taken = told(&teller.seen_metadata(&last).await);
    teller.note("it takes its projects along", &last, taken);
    teller.ask("a new one is refused", &format!("POST {PROJECTS}"), JSON, project("late")).await;
    for (what, change) in [
        ("an annotation is taken", json!({"metadata": {"annotations": {"mlops-operator.io/confirm-deletion": "x"}}})),
        ("a change of the spec is taken", json!({"spec": {"deletionPolicy": "Retain"}})),
        ("the finalizer is taken off", json!({"metadata": {"finalizers": []}})),
    ] {
        let (code, answer) = teller.send_merge(&format!("PATCH {last}"), &change).await;
        let part =
            json!({"annotations": answer["metadata"]["annotations"], "policy": answer["spec"]["deletionPolicy"]});
        teller.note(what, &last, json!({"code": code, "part": part}));
    }
}
