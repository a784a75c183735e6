//! The rules of the API that the operator relies on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::clock::Clock;

fn crd() -> Value {
    json!({
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
            "versions": [{"name": "v1", "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": {"type": "object", "properties": {
                    "size": {"type": "integer", "default": 3},
                    "tags": {"type": "object", "additionalProperties": {"type": "string"}},
                }},
                "status": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}},
            }}}}],
        }
    })
}

fn api() -> Kubernetes {
    Kubernetes::new(Clock::starting_at("2026-03-01T00:00:00Z".parse().unwrap()), &[crd()])
}

const THING: &str = "/apis/example.com/v1/namespaces/team-a/things/x";

async fn ask(api: &Kubernetes, method: &str, path: &str, content_type: &str, body: Value) -> (u16, Value) {
    let request = Request::builder().method(method).uri(path).header("content-type", content_type);
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    let response = api.service().oneshot(request.body(Full::new(body)).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes))))
}

async fn merge(api: &Kubernetes, path: &str, body: Value) -> (u16, Value) {
    ask(api, "PATCH", path, "application/merge-patch+json", body).await
}

async fn made(api: &Kubernetes, extra: Value) -> Value {
    let mut thing = json!({"metadata": {"name": "x"}, "spec": {"odd": 1}, "status": {"a": "no"}});
    patch::merge(&mut thing, &extra);
    let collection = THING.trim_end_matches("/x");
    let (status, object) = ask(api, "POST", collection, "application/json", thing).await;
    assert_eq!(status, 201);
    object
}

#[tokio::test(start_paused = true)]
async fn a_new_object_is_pruned_and_gets_defaults_and_no_status() {
    let object = made(&api(), json!({})).await;
    assert_eq!(object["spec"], json!({"size": 3}));
    assert_eq!(object["status"], Value::Null);
    assert_eq!((&object["metadata"]["generation"], &object["kind"]), (&json!(1), &json!("Thing")));
    assert_eq!(object["metadata"]["creationTimestamp"], "2026-03-01T00:00:00Z");
}

#[tokio::test(start_paused = true)]
async fn the_generation_counts_changes_of_the_spec_alone() {
    let api = api();
    let before = made(&api, json!({})).await;
    let (_, labelled) = merge(&api, THING, json!({"metadata": {"labels": {"a": "b"}}})).await;
    assert_eq!(labelled["metadata"]["generation"], 1);
    let (_, changed) = merge(&api, THING, json!({"spec": {"size": 4}, "status": {"a": "ignored"}})).await;
    assert_eq!((&changed["metadata"]["generation"], &changed["status"]), (&json!(2), &Value::Null));
    let (_, same) = merge(&api, THING, json!({"spec": {"size": 4}})).await;
    assert_eq!(
        same["metadata"]["resourceVersion"], changed["metadata"]["resourceVersion"],
        "a write of the same is none"
    );
    assert_ne!(before["metadata"]["resourceVersion"], changed["metadata"]["resourceVersion"]);
}

#[tokio::test(start_paused = true)]
async fn an_old_resource_version_is_a_conflict() {
    let api = api();
    let object = made(&api, json!({})).await;
    merge(&api, THING, json!({"spec": {"size": 4}})).await;
    let version = &object["metadata"]["resourceVersion"];
    let (status, refused) =
        merge(&api, THING, json!({"metadata": {"resourceVersion": version, "finalizers": ["f"]}})).await;
    assert_eq!((status, &refused["reason"]), (409, &json!("Conflict")));
}

#[tokio::test(start_paused = true)]
async fn apply_takes_back_what_it_no_longer_says() {
    let api = api();
    made(&api, json!({})).await;
    let path = format!("{THING}/status?fieldManager=op&force=true");
    let say = |status| json!({"apiVersion": "example.com/v1", "kind": "Thing", "status": status});
    let apply = |status| ask(&api, "PATCH", &path, "application/apply-patch+yaml", say(status));
    assert_eq!(apply(json!({"a": "1", "b": "2"})).await.1["status"], json!({"a": "1", "b": "2"}));
    let (_, object) = apply(json!({"b": "3"})).await;
    assert_eq!(object["status"], json!({"b": "3"}));
    assert_eq!(apply(json!({"b": "3", "odd": "x"})).await.0, 500, "a field that the schema lacks");
    assert_eq!(object["metadata"]["generation"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_finalizer_holds_a_deleted_object_until_it_is_taken_off() {
    let api = api();
    made(&api, json!({"metadata": {"finalizers": ["f"]}})).await;
    let (_, object) = ask(&api, "DELETE", THING, "", Value::Null).await;
    assert!(object["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(object["metadata"]["generation"], 2);
    merge(&api, THING, json!({"metadata": {"finalizers": []}})).await;
    assert_eq!(ask(&api, "GET", THING, "", Value::Null).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn a_json_patch_stops_at_a_failed_test() {
    let api = api();
    made(&api, json!({})).await;
    let patch = |test: i64| json!([{"op": "test", "path": "/spec/size", "value": test}, {"op": "add", "path": "/spec/tags", "value": {"a": "b"}}]);
    let (status, _) = ask(&api, "PATCH", THING, "application/json-patch+json", patch(9)).await;
    assert_eq!(status, 422);
    let (_, object) = ask(&api, "PATCH", THING, "application/json-patch+json", patch(3)).await;
    assert_eq!(object["spec"], json!({"size": 3, "tags": {"a": "b"}}));
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_what_happens_then_bookmarks_and_expires_after_a_compaction() {
    let api = api();
    let collection = THING.trim_end_matches("/x");
    let (_, list) = ask(&api, "GET", collection, "", Value::Null).await;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let watch = |version: &str| {
        let uri = format!(
            "{collection}?watch=true&allowWatchBookmarks=true&resourceVersion={version}&fieldSelector=metadata.name%3Dx"
        );
        let request = Request::builder().uri(uri).body(Full::new(Bytes::new())).unwrap();
        api.service().oneshot(request)
    };
    let mut body = watch(&version).await.unwrap().into_body();
    made(&api, json!({})).await;
    api.create("configmaps", "team-a", json!({"metadata": {"name": "other"}})).unwrap();
    let mut next = async || -> Value {
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        serde_json::from_slice(&frame).unwrap()
    };
    assert_eq!(next().await["type"], "ADDED");
    assert_eq!(next().await["type"], "BOOKMARK");
    merge(&api, THING, json!({"spec": {"size": 9}})).await;
    assert_eq!(next().await["object"]["spec"]["size"], 9);
    api.compact();
    let expired = watch(&version).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(serde_json::from_slice::<Value>(&expired).unwrap()["object"]["code"], 410);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_is_refused() {
    let api = api();
    assert_eq!(ask(&api, "GET", "/apis/apps/v1/deployments", "", Value::Null).await.0, 404);
    assert_eq!(ask(&api, "GET", "/version", "", Value::Null).await.0, 404);
    made(&api, json!({})).await;
    assert_eq!(ask(&api, "PATCH", THING, "text/plain", json!({})).await.0, 415);
}

#[tokio::test(start_paused = true)]
async fn a_bookmark_says_nothing_that_the_client_knows() {
    let api = api();
    let made = made(&api, json!({})).await;
    let version = made["metadata"]["resourceVersion"].as_str().unwrap();
    let collection = THING.trim_end_matches("/x");
    let uri = format!("{collection}?watch=true&allowWatchBookmarks=true&timeoutSeconds=600&resourceVersion={version}");
    let request = Request::builder().uri(uri).body(Full::new(Bytes::new())).unwrap();
    let body = api.service().oneshot(request).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), Bytes::new());
}

#[tokio::test(start_paused = true)]
async fn later_pages_show_the_moment_of_the_first_even_after_a_fork() {
    let api = api();
    for name in ["a", "b", "c"] {
        api.create("things", "team-a", json!({"metadata": {"name": name}, "spec": {"size": 1}})).unwrap();
    }
    let collection = THING.trim_end_matches("/x");
    let (_, first) = ask(&api, "GET", &format!("{collection}?limit=1"), "", Value::Null).await;
    api.delete("things", "team-a", "c").unwrap();
    merge(&api, &format!("{collection}/b"), json!({"spec": {"size": 2}})).await;
    let token = first["metadata"]["continue"].as_str().unwrap();
    let next = format!("{collection}?limit=5&continue={token}");
    let (_, second) = ask(&api.fork(), "GET", &next, "", Value::Null).await;
    let seen: Vec<_> = second["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (&item["metadata"]["name"], &item["spec"]["size"]))
        .collect();
    assert_eq!(seen, [(&json!("b"), &json!(1)), (&json!("c"), &json!(1))]);
    api.compact();
    assert_eq!(ask(&api, "GET", &next, "", Value::Null).await.0, 410);
}
