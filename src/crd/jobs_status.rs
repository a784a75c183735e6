//! What the status says of the Jenkins jobs: by their names, with their addresses. It stands alone since it is a list of its own
//! with a schema of its own; it holds nothing that changes while nobody changes the jobs.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The Jenkins jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct JobsStatus {
    /// Path of the Jenkins folder that holds the jobs; empty: they lie at the root.
    pub folder: String,
    /// The folder in Jenkins, or its root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The jobs: preprocess, modelbuild, modeldeploy, and modeldeploy-endpoint where there is one.
    #[schemars(schema_with = "jobs")]
    pub items: Vec<JobStatus>,
}

/// A Jenkins job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// What the job does, as its name in Jenkins ends: `preprocess`, `modelbuild`, `modeldeploy` or `modeldeploy-endpoint`.
    pub name: String,
    /// Address of the job in Jenkins, where its builds are.
    pub url: String,
}

fn jobs(generator: &mut SchemaGenerator) -> Schema {
    let job = JobStatus::json_schema(generator);
    json_schema!({
        "type": "array", "maxItems": 4, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": job
    })
}
