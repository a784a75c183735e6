//! The way along a folder path, as far as it exists: for the server, which must know early whether it can be gone, and for
//! the jobs. It says what is there; what may be done with it is decided elsewhere.

use serde_json::Value;

use super::client::JenkinsClient;
use super::jobs::text;
use crate::domain::fault::Fault;
use crate::resources::jenkins_jobs::{item_path, xml};

impl JenkinsClient {
    /// The parts of a folder path as far as they exist, outermost first: of each what `take` makes of its path and of what
    /// `tree` shows of it. Nothing else is kept while the next is read, since an answer can be large. The last may be
    /// something else than a folder: nothing can be in it.
    ///
    /// # Errors
    /// Jenkins' refusals and the network's faults; a part that is not found is none.
    pub(super) async fn along<T>(
        &self,
        path: &[String],
        tree: &str,
        take: impl Fn(&[String], &Value) -> T,
    ) -> Result<Vec<T>, Fault> {
        let mut parts = Vec::new();
        for depth in 1..=path.len() {
            let (path, attempt) = (&path[..depth], looking_at(&path[..depth]));
            let part = self.json(&attempt, &item_path(path), tree).await?;
            let Some((taken, goes_on)) = part.map(|part| (take(path, &part), is_folder(&part))) else { break };
            parts.push(taken);
            if !goes_on {
                break;
            }
        }
        Ok(parts)
    }
}

/// Whether an item is a folder, in which jobs can be made.
pub(super) fn is_folder(item: &Value) -> bool {
    text(item, "_class") == xml::FOLDER
}

/// What is attempted where a part of the path is read.
pub(super) fn looking_at(path: &[String]) -> String {
    format!("look at folder \"{}\"", path.join("/"))
}
