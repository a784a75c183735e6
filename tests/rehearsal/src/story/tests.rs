//! The story itself, with tiny delays: manifests that are played to their end, and those that end with a sentence.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::inventory::Item;
use crate::processes;

type Change = fn(&mut Value);
/// What is deleted, the names that are left, and a part of the sentence about it.
type Left<'a> = (&'a str, Value, &'a [&'a str], Result<&'a str, &'a str>);

fn quickstart() -> Documents {
    Documents::read(include_str!("../../../../examples/quickstart.yaml")).unwrap()
}

/// Plays the quickstart with a change; functions and builds are left out, so that it takes no more than the delays.
async fn played(change: Change) -> Result<(), String> {
    let mut documents = quickstart();
    change(&mut documents.project["spec"]);
    quick(documents, Some("a program".to_owned())).await
}

async fn quick(documents: Documents, missing: Option<String>) -> Result<(), String> {
    play("test.yaml", documents, Delays::of(Duration::from_millis(300)), missing, Display::new(false)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quickstart_plays_to_its_end_with_what_this_machine_has() {
    quick(quickstart(), processes::missing().await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_of_every_kind_play_to_their_end() {
    let rows: [(&str, Change); 6] = [
        ("as it is", |_| {}),
        ("data stay", |spec| spec["dataPolicy"] = json!("Keep")),
        ("all stays", |spec| spec["deletionPolicy"] = json!("Retain")),
        ("no trigger", |spec| spec["modelTrigger"] = json!({"enabled": false})),
        ("an approval starts nothing", |spec| spec["modelTrigger"] = json!({"approvalStatuses": ["Rejected"]})),
        ("a bucket and account of one's own, Jenkins below a path, folders in folders", |spec| {
            *spec = serde_json::from_str(&spec.to_string().replace("111122223333", "222233334444")).unwrap();
            spec["platform"]["artifacts"] = json!({"bucket": "ours-222233334444"});
            spec["platform"]["jenkins"]["url"] = json!("https://ci.example/jenkins/");
            spec["platform"]["jenkins"]["folder"] = json!("a/b/c/d");
        }),
    ];
    let begun = rows.map(|(case, change)| (case, tokio::spawn(played(change))));
    for (case, story) in begun {
        assert_eq!(story.await.unwrap(), Ok(()), "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_with_every_field_plays_to_its_end() {
    let full = Documents::read(include_str!("../../../../examples/full.yaml")).unwrap();
    quick(full, Some("a program".to_owned())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_ends_with_a_sentence() {
    let rows: [(&str, Change, &str); 5] = [
        ("a field that does not exist", |spec| spec["descriptoin"] = json!("x"), "no such fields: spec.descriptoin"),
        ("a wrong type", |spec| spec["platform"]["aws"]["region"] = json!(5), "expected a string"),
        ("a field that is missing", |spec| spec["repositories"]["build"] = Value::Null, "build"),
        (
            "a parameter that the template does not have",
            |spec| spec["parameters"] = json!([{"name": "Nothing", "value": "x"}]),
            "Nothing",
        ),
        ("suspended", |spec| spec["suspend"] = json!(true), "suspend: false"),
    ];
    let begun = rows.map(|(case, change, part)| (case, tokio::spawn(played(change)), part));
    for (case, story, part) in begun {
        let refusal = story.await.unwrap().unwrap_err();
        assert!(refusal.contains(part), "{case}: {refusal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_the_file_is_used_as_it_is() {
    let secret = |data: Value| ("secrets", json!({"metadata": {"name": "jenkins"}, "stringData": data}));
    let mut own = quickstart();
    own.objects.push(secret(json!({"username": "me", "token": "mine"})));
    quick(own, Some("a program".to_owned())).await.unwrap();
    let mut incomplete = quickstart();
    incomplete.objects.push(secret(json!({"user": "me", "token": "mine"})));
    let refusal = quick(incomplete, Some("a program".to_owned())).await.unwrap_err();
    assert!(refusal.contains("no text under key username"), "{refusal}");
}

#[test]
fn the_edit_adds_a_tag_where_there_is_room() {
    let with = |count: usize| {
        let tags: Value = (0..count).map(|number| (format!("tag-{number}"), json!("x"))).collect();
        edit_of(&json!({"spec": {"platform": {"tags": tags}}}))["spec"]["tags"].clone()
    };
    assert_eq!(with(TAGS - 1), json!({TAG.0: TAG.1}));
    assert_eq!(with(TAGS), Value::Null);
}

#[test]
fn what_is_left_is_held_against_the_policies() {
    let object = |deletion: &str, data: &str, bucket: Value| {
        json!({
            "spec": {"dataPolicy": data, "platform": {"artifacts": {"bucket": bucket}, "jenkins": {"folderPolicy": "Delete"}}},
            "status": {"deletionPolicy": deletion, "placement": {"projectName": "taxi", "jenkinsFolder": ["ml", "fares"]}, "project": {"bucket": "data", "modelPackageGroup": "models"}},
        })
    };
    let mut keeping = object("Delete", "Delete", Value::Null);
    keeping["spec"]["platform"]["jenkins"]["folderPolicy"] = json!("Keep");
    let rows: [Left<'_>; 11] = [
        ("folders stay", keeping.clone(), &["ml", "ml/fares"], Ok("folderPolicy is Keep")),
        ("a folder is gone", keeping.clone(), &["ml"], Err("ml/fares is gone")),
        (
            "a job is left in a folder that stays",
            keeping,
            &["ml", "ml/fares", "ml/fares/job"],
            Err("is not: ml/fares/job"),
        ),
        ("all gone", object("Delete", "Delete", Value::Null), &[], Ok("nothing")),
        ("a stack is left", object("Delete", "Delete", Value::Null), &["stack"], Err("is not: stack")),
        ("data are left", object("Delete", "Delete", Value::Null), &["data"], Err("is not: data")),
        ("data stay", object("Delete", "Keep", Value::Null), &["data", "models"], Ok("dataPolicy is Keep")),
        ("data are gone", object("Delete", "Keep", Value::Null), &["models"], Err("data is gone")),
        ("the user's bucket stays", object("Delete", "Delete", json!("ours")), &["ours"], Ok("was there before")),
        ("all stays", object("Retain", "Delete", Value::Null), &["taxi", "stack"], Ok("Retain")),
        ("nothing stays", object("Retain", "Delete", Value::Null), &[], Err("is gone")),
    ];
    for (case, object, names, expected) in rows {
        let items = names.iter().map(|name| Item { name: (*name).to_owned(), details: String::new() });
        let result = judged(&object, &[("all", items.collect())]);
        let (text, part) = match (&result, expected) {
            (Ok(text), Ok(part)) | (Err(text), Err(part)) => (text, part),
            _ => (&String::new(), "as expected"),
        };
        assert!(text.contains(part), "{case}: {result:?}");
    }
}
