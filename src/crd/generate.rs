//! The CustomResourceDefinition files, generated from the types. It stands apart so that the command and the
//! test that keeps `crds/` and the chart's copy equal to the types use the same text.

use kube::CustomResourceExt;

use crate::crd::{MlopsPlatform, MlopsProject};

/// Folders that hold the generated files, from the repository's root.
pub const FOLDERS: [&str; 2] = ["crds", "charts/mlops-operator/files/crds"];

/// File name and YAML text of each CustomResourceDefinition.
///
/// # Errors
/// Only where a definition cannot be written as YAML.
pub fn files() -> Result<Vec<(&'static str, String)>, serde_yaml::Error> {
    let header = "# Generated from src/crd by `mlops-operator crd`: do not edit.\n";
    let kinds = [
        ("mlopsplatforms.mlops-operator.io.yaml", MlopsPlatform::crd()),
        ("mlopsprojects.mlops-operator.io.yaml", MlopsProject::crd()),
    ];
    kinds.into_iter().map(|(name, kind)| Ok((name, format!("{header}{}", serde_yaml::to_string(&kind)?)))).collect()
}
