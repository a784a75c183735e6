//! Files as files: the built-in project templates, and what can be read from a template without launching it.
//! A published template's bytes never change: a new form is a new name.

pub mod archives;
pub mod lint;

use std::collections::BTreeMap;

/// The text of a built-in project template.
pub fn project_template(name: &str) -> Option<&'static str> {
    match name {
        "jenkins-git-v1" => Some(include_str!("jenkins-git-v1.yaml")),
        _ => None,
    }
}

/// The parameters that a template declares, and whether each has a default. Empty for a text that is no template. Read as
/// the linter reads it, so that what it lets pass is also what is sent.
pub fn declared_parameters(template: &str) -> BTreeMap<String, bool> {
    lint::declared_parameters(template)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_template_declares_what_the_operator_fills_in() {
        let declared = declared_parameters(project_template("jenkins-git-v1").unwrap());
        for repository in ["ModelPreprocess", "ModelBuild", "ModelDeploy", "ModelDeployEndpoint"] {
            // A project without endpoints leaves the whole of that repository out.
            let optional = repository == "ModelDeployEndpoint";
            for (part, has_default) in [
                ("Url", optional),
                ("Branch", true),
                ("Fullname", optional),
                ("CodestarConnectionArn", optional),
                ("IsSeedcodeRequired", true),
                ("SeedCodeUrl", true),
                ("SeedCodeSha256", true),
            ] {
                assert_eq!(declared.get(&format!("{repository}CodeRepository{part}")), Some(&has_default));
            }
        }
        assert_eq!(declared.get("SageMakerProjectName"), Some(&false));
        for parameter in ["ArtifactBucketKmsKeyArn", "SeedCodeBootstrapBucket", "SeedCodeBootstrapKey", "UseRoleArn"] {
            assert_eq!(declared.get(parameter), Some(&true));
        }
        assert_eq!(declared.len(), 34);
    }

    #[test]
    fn a_text_that_is_no_template_declares_nothing() {
        for text in ["", "a: [", "Parameters: 3", "Resources: {}"] {
            assert!(declared_parameters(text).is_empty(), "{text}");
        }
        assert!(project_template("other").is_none());
    }
}
