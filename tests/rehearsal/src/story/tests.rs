//! The stories themselves, with tiny delays: manifests that are played to their end, and those that end with a sentence.
#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;
use crate::manifest::Companion;
use crate::{example, processes};

type Change = fn(&mut Value);
type Edit = fn(&mut Documents);

fn quickstart() -> Documents {
    Documents::read(include_str!("../../../../examples/quickstart.yaml")).unwrap()
}

/// Plays the quickstart with a change; functions and builds are left out, so that it takes no more than the delays.
async fn played(change: Change) -> Result<(), String> {
    let mut documents = quickstart();
    change(&mut documents.projects[0]["spec"]);
    quick(documents, Some("a program".to_owned())).await
}

async fn quick(documents: Documents, missing: Option<String>) -> Result<(), String> {
    play("test.yaml", (documents, Vec::new()), Delays::of(Duration::from_millis(300)), missing, Display::new(false))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quickstart_plays_to_its_end_with_what_this_machine_has() {
    quick(quickstart(), processes::missing().await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_of_every_kind_play_to_their_end() {
    let rows: [(&str, Change); 7] = [
        ("as it is", |_| {}),
        ("data and folders go", |spec| {
            spec["dataPolicy"] = json!("Delete");
            spec["platform"]["jenkins"]["folderPolicy"] = json!("Delete");
        }),
        ("nothing is said of data", |spec| spec["dataPolicy"] = Value::Null),
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
    let secret = |data: Value| Companion {
        plural: "secrets",
        namespace: "ml-team".to_owned(),
        content: json!({"metadata": {"name": "jenkins"}, "stringData": data}),
    };
    let mut own = quickstart();
    own.companions.push(secret(json!({"username": "me", "token": "mine"})));
    quick(own, Some("a program".to_owned())).await.unwrap();
    let mut incomplete = quickstart();
    incomplete.companions.push(secret(json!({"user": "me", "token": "mine"})));
    let refusal = quick(incomplete, Some("a program".to_owned())).await.unwrap_err();
    assert!(refusal.contains("no text under key username"), "{refusal}");
}

/// The documents of `examples/platform`, with a change.
fn on_a_platform(change: Edit) -> Documents {
    let (mut documents, _) = example::documents().unwrap();
    change(&mut documents);
    documents
}

fn platform(documents: &mut Documents) -> &mut Value {
    documents.settings_mut().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platform_and_its_projects_play_to_their_end_with_what_this_machine_has() {
    quick(on_a_platform(|_| {}), processes::missing().await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_the_examples_hold_is_played_as_it_stands() {
    let text = |name: &str| std::fs::read_to_string(format!("../../examples/platform/{name}.yaml")).unwrap();
    let documents = Documents::read(&format!("{}\n---\n{}", text("platform"), text("projects"))).unwrap();
    assert_eq!(documents.projects.len(), 3);
    quick(documents, Some("a program".to_owned())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn platforms_of_every_kind_play_to_their_end() {
    let rows: [(&str, Edit); 6] = [
        ("one project", |documents| documents.projects.truncate(1)),
        ("two namespaces", |documents| documents.projects[1]["metadata"]["namespace"] = json!("others")),
        ("data of one project stay", |documents| documents.projects[1]["spec"]["dataPolicy"] = json!("Keep")),
        ("a project stays", |documents| documents.projects[0]["spec"]["deletionPolicy"] = json!("Retain")),
        ("the platform stays", |documents| platform(documents)["deletionPolicy"] = json!("Retain")),
        ("an approval of the first starts nothing", |documents| {
            documents.projects[0]["spec"]["modelTrigger"] = json!({"enabled": false});
        }),
    ];
    let begun = rows.map(|(case, change)| {
        (case, tokio::spawn(async move { quick(on_a_platform(change), Some("a program".to_owned())).await }))
    });
    for (case, story) in begun {
        assert_eq!(story.await.unwrap(), Ok(()), "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_platform_or_a_project_on_it_ends_with_a_sentence() {
    let rows: [(&str, Edit, &str); 7] = [
        (
            "a field that the platform does not have",
            |documents| platform(documents)["jenkinz"] = json!({}),
            "MlopsPlatform has no such fields: spec.jenkinz",
        ),
        (
            "a field that the project does not have",
            |documents| documents.projects[1]["spec"]["descriptoin"] = json!("x"),
            "MlopsProject has no such fields: spec.descriptoin",
        ),
        ("a wrong type", |documents| platform(documents)["aws"]["region"] = json!(5), "expected a string"),
        (
            "a repository that the platform does not allow",
            |documents| platform(documents)["git"]["repositories"] = json!(["example/{namespace}-*"]),
            "is not among the repositories of platform main",
        ),
        (
            "another platform",
            |documents| documents.projects[1]["spec"]["platformRef"]["name"] = json!("other"),
            "there is no MlopsPlatform \"other\"",
        ),
        (
            "a namespace that the platform does not allow",
            |documents| platform(documents)["namespaces"] = json!({"names": ["elsewhere"]}),
            "does not allow projects of namespace ml-team",
        ),
        ("suspended", |documents| platform(documents)["suspend"] = json!(true), "suspend: false"),
    ];
    let begun = rows.map(|(case, change, part)| {
        (case, tokio::spawn(async move { quick(on_a_platform(change), Some("a program".to_owned())).await }), part)
    });
    for (case, story, part) in begun {
        let refusal = story.await.unwrap().unwrap_err();
        assert!(refusal.contains(part), "{case}: {refusal}");
    }
}
