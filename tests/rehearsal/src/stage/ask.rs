//! Questions to the sandbox's control interface and to its Jenkins, as a person would ask them. It judges nothing.

use bytes::Bytes;
use http::Request;
use mlops_sandbox::Endpoint;
use serde_json::Value;

use super::Stage;
use crate::trigger;

impl Stage {
    /// Functions and builds that failed, as lines to add to a sentence; empty where none did.
    pub(crate) async fn failed_runs(&self) -> String {
        let mut text = String::new();
        for one in
            self.control("GET", "invocations", Value::Null).await.unwrap_or_default().as_array().into_iter().flatten()
        {
            if one["status"] == "failed" {
                let function = one["function"].as_str().unwrap_or_default();
                text.push_str(&format!("\n    Lambda {function} failed: {}", trigger::last_error(one)));
            }
        }
        for one in self.control("GET", "builds", Value::Null).await.unwrap_or_default().as_array().into_iter().flatten()
        {
            if one["status"] == "FAILED" {
                let last = one["log"].as_str().unwrap_or_default().trim_end().lines().last().unwrap_or_default();
                text.push_str(&format!("\n    build {} failed: {last}", one["id"].as_str().unwrap_or_default()));
            }
        }
        text
    }

    /// Asks the sandbox's control interface.
    ///
    /// # Errors
    /// What it refuses, in its own words.
    pub(crate) async fn control(&self, method: &str, path: &str, body: Value) -> Result<Value, String> {
        let text = self.ask(Endpoint::Aws, method, &format!("/_sandbox/{path}"), body.to_string(), "").await?;
        serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))
    }

    /// Asks Jenkins, by a path below its root.
    ///
    /// # Errors
    /// What it refuses.
    pub(crate) async fn jenkins(&self, path: &str) -> Result<String, String> {
        self.jenkins_by("GET", path).await
    }

    /// The same, by another method.
    ///
    /// # Errors
    /// What it refuses.
    pub(crate) async fn jenkins_by(&self, method: &str, path: &str) -> Result<String, String> {
        let path = format!("{}{path}", self.jenkins_context);
        self.ask(Endpoint::Jenkins, method, &path, String::new(), &self.authorization).await
    }

    /// The same, for JSON.
    ///
    /// # Errors
    /// What it refuses.
    pub(crate) async fn jenkins_json(&self, path: &str) -> Result<Value, String> {
        let text = self.jenkins(path).await?;
        serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))
    }

    async fn ask(
        &self,
        endpoint: Endpoint,
        method: &str,
        path: &str,
        body: String,
        authorization: &str,
    ) -> Result<String, String> {
        let mut request = Request::builder().method(method).uri(path).header("host", "sandbox");
        if !authorization.is_empty() {
            request = request.header("authorization", authorization);
        }
        let request = request.body(Bytes::from(body)).map_err(|error| format!("{path}: {error}"))?;
        let answer = self.sandbox.answer(endpoint, request).await.map_err(|error| format!("{path}: {error}"))?;
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        // Jenkins sends elsewhere who has posted something.
        if !answer.status().is_success() && !answer.status().is_redirection() {
            return Err(format!("{method} {path}: {} {text}", answer.status()));
        }
        Ok(text)
    }
}
