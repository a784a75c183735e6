//! What a job is built from, and when Git polling builds it: `WorkflowJob.poll`. A job without a build is built at once;
//! any other is compared with what its last successful build has checked out, or its last one where none succeeded. A
//! build that ended before it came to a checkout leaves nothing to compare with, so that polling never builds again.

use std::time::Duration;

use super::classes::PIPELINE_TRIGGERS;
use super::{Item, Jenkins, builds, full_name};
use crate::world::{Due, Part, World};

/// A repository and the pattern of its branch.
pub type Source = (String, String);

/// A checkout that a build has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// Of what.
    pub source: Source,
    /// The commit, 40 hex digits.
    pub revision: String,
}

impl Jenkins {
    /// Lets there be one commit more.
    pub fn commit(&mut self, url: &str, branch: &str) {
        *self.commits.entry((url.to_owned(), branch.to_owned())).or_default() += 1;
    }

    fn head(&self, source: &Source) -> String {
        let commits = self.commits.get(source).copied().unwrap_or_default();
        super::sealed(&format!("{}/{}/{commits}", source.0, source.1)).replace("sha256:", "")[..40].to_owned()
    }

    /// What a build of the job would check out; `None`: it ends before that, since there is no Jenkinsfile.
    pub(super) fn checkout(&self, item: &Item) -> Option<Checkout> {
        let source = source(item)?;
        let revision = self.head(&source);
        (!self.without_jenkinsfile.contains(&source)).then_some(Checkout { source, revision })
    }
}

/// What a job is built from, if that is one branch of one Git repository.
pub(super) fn source(item: &Item) -> Option<Source> {
    let scm = item.config.child("definition")?.child("scm")?;
    let url = scm.child("userRemoteConfigs")?.children.first()?.child_text("url")?;
    let branch = scm.child("branches")?.children.first()?.child_text("name")?;
    Some((url.to_owned(), branch.to_owned()))
}

/// Whether Git polling is on.
pub(super) fn polls(item: &Item) -> bool {
    let of_property = item.property(PIPELINE_TRIGGERS).and_then(|property| property.child("triggers"));
    let lists = [of_property, item.config.child("triggers")];
    lists.into_iter().flatten().any(|list| list.child("hudson.triggers.SCMTrigger").is_some())
}

/// Polls at the next full minute: each schedule counts as every minute.
pub(super) fn schedule(world: &mut World, serial: u64, path: &[String]) {
    let wait = 60 - world.now.as_second().rem_euclid(60).unsigned_abs();
    let id = format!("poll {serial} {}", full_name(path));
    let due = Due { part: Part::Jenkins, account: String::new(), region: String::new(), id };
    world.schedule(Duration::from_secs(wait), due);
}

/// One poll, unless the job is another one by now.
pub(super) fn wake(world: &mut World, serial: &str, path: &[String]) {
    let Some(item) = world.jenkins.find(path).filter(|item| item.serial.to_string() == serial) else { return };
    let serial = item.serial;
    let queued = world.jenkins.queue.values().any(|queued| queued.job == path && !builds::has_left(queued));
    let successful = |build: &&super::Build| matches!(build.result.as_deref(), Some("SUCCESS" | "UNSTABLE"));
    let compared = item.builds.iter().rev().find(successful).or(item.builds.last());
    let seen = compared.and_then(|build| build.checkout.as_ref()).map(|checkout| {
        let baseline = item.polled.get(&checkout.source).unwrap_or(&checkout.revision);
        (checkout.source.clone(), *baseline != world.jenkins.head(&checkout.source))
    });
    let changed = compared.is_none() && !queued || seen.as_ref().is_some_and(|(_, changed)| *changed);
    let goes = changed && item.buildable() && polls(item);
    if goes {
        if let Some((source, _)) = seen {
            let head = world.jenkins.head(&source);
            if let Some(item) = world.jenkins.find_mut(path) {
                item.polled.insert(source, head);
            }
        }
        builds::by_polling(world, path);
    }
    schedule(world, serial, path);
}
