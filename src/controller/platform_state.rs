//! What projects need to know of one platform, and which of it is news to them. It is apart from the register of all
//! platforms, so that what wakes a thousand projects is read in one place. It knows no project and keeps nothing.

use crate::controller::dereference::JenkinsAccess;
use crate::crd::identifiers::Sha256;
use crate::crd::platform::ConfigMapRef;
use crate::domain::validate::SharedPlatform;
use crate::resources::artifact_bucket::ReadyBucket;
use crate::resources::catalog::{ProvisioningTarget, version_name};

/// What is known of a platform.
#[derive(Clone)]
pub struct PlatformState {
    /// The generation of its spec that the rest speaks of.
    pub generation: i64,
    /// How it stands, as its conditions say.
    pub standing: Standing,
    /// What it is made of; absent: its spec or what the spec names cannot be used.
    pub parts: Option<PlatformParts>,
}

/// What projects on a platform are made with.
#[derive(Clone)]
pub struct PlatformParts {
    pub shared: SharedPlatform,
    pub access: JenkinsAccess,
    /// Where its template stands, if it is one of its own.
    pub own_template: Option<ConfigMapRef>,
    /// What projects are launched from; absent: not yet there.
    pub target: Option<ProvisioningTarget>,
    /// Where projects' routes lie; absent: not yet there.
    pub bucket: Option<ReadyBucket>,
    /// Whether Jenkins takes jobs; absent: not known this time.
    pub jenkins_usable: Option<bool>,
}

/// How a platform stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Ready,
    NotReady {
        /// Whether a person must act.
        stalled: bool,
        /// The platform's own sentence.
        message: String,
    },
    /// `spec.suspend` is true: nothing is done for its projects either.
    Suspended,
    /// It is being deleted.
    Deleting,
}

/// What makes a difference to the projects on a platform.
#[derive(Clone, PartialEq, Eq)]
pub struct Heard {
    generation: i64,
    standing: Standing,
    made_from: Option<MadeFrom>,
    /// Whether nobody was told of it: it is taken for what projects were made from before the operator started.
    is_assumed: bool,
}

/// What of a platform's parts makes a difference to its projects.
#[derive(Clone, PartialEq, Eq)]
struct MadeFrom {
    /// Ids of the product and of its provisioning artifact.
    artifact: Option<(String, String)>,
    bucket: Option<ReadyBucket>,
    jenkins_usable: Option<bool>,
    token: String,
}

impl PlatformState {
    /// Changes when something does that projects are made from.
    pub fn version(&self) -> String {
        let token = self.parts.as_ref().map_or("", |parts| parts.access.credentials.token.fingerprint.as_str());
        format!("|platform {} {token}", self.generation)
    }

    /// What of it makes a difference to its projects.
    pub fn heard(&self) -> Heard {
        let made_from = self.parts.as_ref().map(|parts| MadeFrom {
            artifact: parts.target.as_ref().map(|target| (target.product_id.to_string(), target.artifact_id.clone())),
            bucket: parts.bucket.clone(),
            jenkins_usable: parts.jenkins_usable,
            token: parts.access.credentials.token.fingerprint.clone(),
        });
        Heard { generation: self.generation, standing: self.standing.clone(), made_from, is_assumed: false }
    }

    /// With what was known of the same generation and could not be seen this time: that says nothing against it. A version
    /// of another template does, since what is given to a project is judged by the present one.
    pub(super) fn complete(&mut self, before: &Self) {
        let (Some(parts), Some(known)) = (&mut self.parts, &before.parts) else { return };
        if before.generation != self.generation {
            return;
        }
        let template = &parts.shared.platform.catalog.template.text;
        let version = || version_name(&Sha256::of(template.as_bytes()));
        let known_target = || known.target.clone().filter(|target| target.artifact_name == version());
        parts.target = parts.target.take().or_else(known_target);
        parts.bucket = parts.bucket.take().or_else(|| known.bucket.clone());
        parts.jenkins_usable = parts.jenkins_usable.or(known.jenkins_usable);
    }
}

impl Heard {
    /// What projects that are as declared are taken to know of a platform that was Ready when the operator started.
    pub(super) fn taken_for_known(&self) -> Self {
        Self { standing: Standing::Ready, is_assumed: true, ..self.clone() }
    }

    /// Whether something else is so now. What could not be seen right after a start is no news once it is.
    pub(super) fn differs_from(&self, now: &Self) -> bool {
        let made_from = match (&self.made_from, &now.made_from) {
            (None, Some(_)) if self.is_assumed => false,
            (Some(known), Some(now)) if self.is_assumed => known.differs_from(now),
            (known, now) => known != now,
        };
        made_from || self.generation != now.generation || self.standing != now.standing
    }

    /// What projects that are as declared know after they were not told of this. While something passes, what could not be
    /// seen before may become another than it was.
    pub(super) fn with(self, now: &Self, passes: bool) -> Self {
        match (self.is_assumed, passes) {
            (false, _) => self,
            (true, true) => Self { is_assumed: false, ..self },
            (true, false) => Self { is_assumed: true, ..now.clone() },
        }
    }
}

impl MadeFrom {
    /// Whether something that was seen is another now.
    fn differs_from(&self, now: &Self) -> bool {
        fn other<T: PartialEq>(known: &Option<T>, now: &Option<T>) -> bool {
            known.is_some() && known != now
        }
        other(&self.artifact, &now.artifact)
            || other(&self.bucket, &now.bucket)
            || other(&self.jenkins_usable, &now.jenkins_usable)
            || self.token != now.token
    }
}

impl Standing {
    /// Whether it passes by itself, as while something of the platform is updated or a service is throttled.
    pub fn passes(&self) -> bool {
        matches!(self, Self::NotReady { stalled: false, .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(artifact: Option<&str>, jenkins_usable: Option<bool>) -> Heard {
        let artifact = artifact.map(|id| ("prod-1".to_owned(), id.to_owned()));
        let made_from = MadeFrom { artifact, bucket: None, jenkins_usable, token: "t".to_owned() };
        Heard { generation: 1, standing: Standing::Ready, made_from: Some(made_from), is_assumed: false }
    }

    #[test]
    fn what_could_not_be_seen_right_after_a_start_is_no_news_once_it_is() {
        let rows = [
            ("the version, later", heard(None, Some(true)), heard(Some("pa-1"), Some(true)), false),
            ("whether Jenkins takes jobs, later", heard(Some("pa-1"), None), heard(Some("pa-1"), Some(true)), false),
            ("another version", heard(Some("pa-1"), None), heard(Some("pa-2"), None), true),
            ("another spec", heard(None, None), Heard { generation: 2, ..heard(None, None) }, true),
            ("nothing at all, later", Heard { made_from: None, ..heard(None, None) }, heard(None, None), false),
            ("not Ready", heard(None, None), Heard { standing: Standing::Suspended, ..heard(None, None) }, true),
        ];
        for (case, first, now, is_news) in rows {
            let known = first.taken_for_known();
            assert_eq!(known.differs_from(&now), is_news, "{case}");
            assert!(first.differs_from(&now), "{case}, where they were told");
            assert!(known.clone().with(&first, true).differs_from(&now), "{case}, after something has passed");
            assert!(!known.with(&now, false).differs_from(&now), "{case}, from then on");
        }
    }
}
