//! What is left in AWS and Jenkins when all objects are gone, held against what the policies of the manifest say. Pure: it
//! reads objects and lists that others have fetched.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::inventory::Section;

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What the platform is like: the shared one, or that of the one project.
fn settings<'a>(platform: Option<&'a Value>, projects: &'a [Value]) -> &'a Value {
    platform.map_or_else(|| &projects[0]["spec"]["platform"], |platform| &platform["spec"])
}

/// What happens to what users put into a project: as it says, or else its platform.
pub(super) fn data_policy<'a>(platform: Option<&'a Value>, project: &'a Value) -> &'a str {
    let own = text(project, "/spec/dataPolicy");
    let default = platform.map_or("", |platform| text(platform, "/spec/projects/dataPolicy"));
    [own, default].into_iter().find(|policy| !policy.is_empty()).unwrap_or("Keep")
}

/// Holds what is left against what the policies say; `platform` is the one that the projects share.
///
/// # Errors
/// Something is left that should be gone, or gone that should be left.
pub(super) fn judged(platform: Option<&Value>, projects: &[Value], left: &[Section]) -> Result<String, String> {
    let names: BTreeSet<&str> = left.iter().flat_map(|(_, items)| items).map(|item| item.name.as_str()).collect();
    let own = projects.iter().map(|project| (project, "/status/placement/projectName"));
    let all = own.chain(platform.map(|platform| (platform, "/status/artifacts/bucket")));
    let retained: Vec<&str> = all
        .filter(|(object, _)| text(object, "/status/deletionPolicy") == "Retain")
        .map(|(object, pointer)| text(object, pointer))
        .collect();
    if let Some(lost) = retained.iter().find(|name| !names.contains(*name)) {
        return Err(format!("deletionPolicy is Retain, but {lost} is gone"));
    }
    if !retained.is_empty() {
        return Ok(format!("what belongs to {} stays on purpose: deletionPolicy is Retain", retained.join(", ")));
    }
    let settings = settings(platform, projects);
    let bucket = text(settings, "/artifacts/bucket");
    let kept: Vec<&Value> = projects.iter().filter(|project| data_policy(platform, project) == "Keep").collect();
    let keeps_folders = text(settings, "/jenkins/folderPolicy") != "Delete";
    let folders: Vec<String> = projects.iter().filter(|_| keeps_folders).flat_map(folders_of).collect();
    let data = kept.iter().flat_map(|project| {
        ["/status/project/bucket", "/status/project/modelPackageGroup"].map(|at| text(project, at))
    });
    let meant: BTreeSet<&str> = std::iter::once(bucket)
        .chain(data)
        .chain(folders.iter().map(String::as_str))
        .filter(|name| !name.is_empty())
        .collect();
    if let Some(lost) = meant.difference(&names).next() {
        return Err(format!("{lost} is gone, which should have stayed"));
    }
    let others: Vec<&str> = names.difference(&meant).copied().collect();
    if !others.is_empty() {
        return Err(format!("this should be gone and is not: {}", others.join(", ")));
    }
    let reasons = [
        (!kept.is_empty(), "dataPolicy is Keep"),
        (!bucket.is_empty(), "the bucket in artifacts.bucket was there before"),
        (!folders.is_empty(), "the platform's jenkins.folderPolicy is Keep"),
    ];
    let reasons: Vec<&str> = reasons.iter().filter(|(holds, _)| *holds).map(|(_, reason)| *reason).collect();
    Ok(match names.is_empty() {
        true => "nothing".to_owned(),
        false => format!("this stays on purpose: {}", reasons.join(", and ")),
    })
}

/// The full names of the folders that a project's jobs were in, outermost first.
fn folders_of(object: &Value) -> Vec<String> {
    let parts = object.pointer("/status/placement/jenkinsFolder").and_then(Value::as_array);
    let parts: Vec<&str> = parts.into_iter().flatten().filter_map(Value::as_str).collect();
    (1..=parts.len()).map(|depth| parts[..depth].join("/")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::inventory::Item;

    /// What is deleted, the names that are left, and a part of the sentence about it.
    type Left<'a> = (&'a str, Value, &'a [&'a str], Result<&'a str, &'a str>);

    fn object(deletion: &str, data: &str, bucket: Value) -> Value {
        json!({
            "spec": {"dataPolicy": data, "platform": {"artifacts": {"bucket": bucket}, "jenkins": {"folderPolicy": "Delete"}}},
            "status": {"deletionPolicy": deletion, "placement": {"projectName": "taxi", "jenkinsFolder": ["ml", "fares"]}, "project": {"bucket": "data", "modelPackageGroup": "models"}},
        })
    }

    fn hold(case: &str, platform: Option<&Value>, object: &Value, names: &[&str], expected: Result<&str, &str>) {
        let items = names.iter().map(|name| Item { name: (*name).to_owned(), details: String::new() });
        let result = judged(platform, std::slice::from_ref(object), &[("all", items.collect())]);
        let (text, part) = match (&result, expected) {
            (Ok(text), Ok(part)) | (Err(text), Err(part)) => (text, part),
            _ => (&String::new(), "as expected"),
        };
        assert!(text.contains(part), "{case}: {result:?}");
    }

    #[test]
    fn what_is_left_is_held_against_the_policies() {
        let mut keeping = object("Delete", "Delete", Value::Null);
        keeping["spec"]["platform"]["jenkins"]["folderPolicy"] = json!("Keep");
        let rows: [Left<'_>; 12] = [
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
            (
                "nothing is said of data",
                object("Delete", "", Value::Null),
                &["data", "models"],
                Ok("dataPolicy is Keep"),
            ),
            ("the user's bucket stays", object("Delete", "Delete", json!("ours")), &["ours"], Ok("was there before")),
            ("all stays", object("Retain", "Delete", Value::Null), &["taxi", "stack"], Ok("Retain")),
            ("nothing stays", object("Retain", "Delete", Value::Null), &[], Err("is gone")),
        ];
        for (case, object, names, expected) in rows {
            hold(case, None, &object, names, expected);
        }
    }

    #[test]
    fn on_a_shared_platform_its_policies_count() {
        let platform = |deletion: &str, data: &str| {
            json!({
                "spec": {"projects": {"dataPolicy": data}, "jenkins": {"folderPolicy": "Delete"}},
                "status": {"deletionPolicy": deletion, "artifacts": {"bucket": "artifacts"}},
            })
        };
        let rows: [Left<'_>; 4] = [
            ("all gone", platform("Delete", "Delete"), &[], Ok("nothing")),
            ("data stay", platform("Delete", "Keep"), &["data", "models"], Ok("dataPolicy is Keep")),
            ("the platform stays", platform("Retain", "Delete"), &["artifacts", "stack"], Ok("Retain")),
            ("it should have stayed", platform("Retain", "Delete"), &["stack"], Err("artifacts is gone")),
        ];
        for (case, platform, names, expected) in rows {
            hold(case, Some(&platform), &object("Delete", "", Value::Null), names, expected);
        }
    }
}
