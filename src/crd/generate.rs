//! The CustomResourceDefinition files, generated from the types. It stands apart so that the command and the
//! test that keeps `crds/` and the chart's copy equal to the types use the same text.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_yaml::Value;

use crate::crd::{MlopsPlatform, MlopsProject};

/// Folders that hold the generated files, from the repository's root.
pub const FOLDERS: [&str; 2] = ["crds", "charts/mlops-operator/files/crds"];

/// File name and YAML text of each CustomResourceDefinition.
///
/// # Errors
/// Only where a definition cannot be written as YAML.
pub fn files() -> Result<Vec<(&'static str, String)>, serde_yaml::Error> {
    let kinds = [
        ("mlopsplatforms.mlops-operator.io.yaml", MlopsPlatform::crd()),
        ("mlopsprojects.mlops-operator.io.yaml", MlopsProject::crd()),
    ];
    kinds.into_iter().map(|(name, kind)| Ok((name, text(&kind)?))).collect()
}

fn text(definition: &CustomResourceDefinition) -> Result<String, serde_yaml::Error> {
    let mut definition = serde_yaml::to_value(definition)?;
    flow(&mut definition);
    let yaml = serde_yaml::to_string(&definition)?;
    Ok(format!("# Generated from src/crd by `mlops-operator crd`: do not edit.\n{yaml}"))
}

/// Descriptions in one line: they were broken where Rust's comments end, and `kubectl explain` breaks them once more.
fn flow(value: &mut Value) {
    match value {
        Value::Mapping(fields) => fields.iter_mut().for_each(|(name, field)| match field {
            Value::String(text) if name == "description" => *text = text.replace('\n', " "),
            other => flow(other),
        }),
        Value::Sequence(items) => items.iter_mut().for_each(flow),
        _ => {}
    }
}
