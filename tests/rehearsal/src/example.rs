//! What is played where no manifest is named: the platform of `examples/platform` and the first two of its projects, with the
//! few values that the sandbox needs instead. The files themselves are used, so that they stay true.

use serde_json::{Value, json};

use crate::manifest::Documents;

const PLATFORM: &str = include_str!("../../../examples/platform/platform.yaml");
const PROJECTS: &str = include_str!("../../../examples/platform/projects.yaml");
/// What people call it.
pub(crate) const NAME: &str = "examples/platform";
/// How many of the projects are played: what exists fits on a screen.
const PLAYED: usize = 2;

/// The documents, and what is said of their changes.
///
/// # Errors
/// They cannot be read.
pub(crate) fn documents() -> Result<(Documents, String), String> {
    let mut documents = Documents::read(&format!("{PLATFORM}\n---\n{PROJECTS}"))?;
    documents.projects.truncate(PLAYED);
    let settings = documents.settings_mut().ok_or("the platform has no spec")?;
    // Nothing may be left at the end: neither what users have put into the projects nor the folders of their jobs.
    merge(settings, &json!({"projects": {"dataPolicy": "Delete"}, "jenkins": {"folderPolicy": "Delete"}}));
    let remark =
        "projects.dataPolicy and jenkins.folderPolicy of the platform are Delete here, so that nothing is left";
    Ok((documents, remark.to_owned()))
}

/// Puts values into an object, and leaves the others.
fn merge(object: &mut Value, change: &Value) {
    match change.as_object() {
        Some(fields) => fields.iter().for_each(|(name, value)| merge(&mut object[name], value)),
        None => *object = change.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_files_are_played_with_few_values_changed() {
        let (documents, _) = documents().unwrap();
        assert_eq!(documents.projects.len(), PLAYED);
        assert_eq!(documents.setting("/projects/dataPolicy"), Some("Delete"));
        assert_eq!(documents.setting("/projects/pollSchedule"), Some("H/5 * * * *"), "all else is as the file has it");
    }
}
