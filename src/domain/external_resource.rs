//! The contract that every external resource fulfils: what it should be, and what to do given what was observed. `decide`
//! is a pure function; `controller::converge` holds the only loop that calls it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::hash::Hash;

use jiff::Timestamp;

use crate::crd::status::{ConditionType, Intent, MlopsProjectStatus, Placement, Reason};
use crate::domain::fault::Fault;
use crate::domain::identity::Identity;
use crate::domain::problem::{Left, Problem};
pub use crate::domain::step::{Amount, Change, Step, StepKey, digest_of};

/// The kinds of external resources, in the order in which they are made. For a project that shares a platform, the
/// platform counts as one: it is made by its own reconcile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum ResourceKind {
    Platform,
    Prerequisites,
    JenkinsServer,
    ArtifactBucket,
    CatalogProduct,
    SagemakerProject,
    JenkinsJobs,
    ModelTrigger,
    ModelRoute,
}

impl ResourceKind {
    /// Every kind, in the order in which they are made.
    pub const ALL: [Self; 9] = [
        Self::Platform,
        Self::Prerequisites,
        Self::JenkinsServer,
        Self::ArtifactBucket,
        Self::CatalogProduct,
        Self::SagemakerProject,
        Self::JenkinsJobs,
        Self::ModelTrigger,
        Self::ModelRoute,
    ];

    /// The condition that speaks of this kind.
    pub fn condition(self) -> ConditionType {
        match self {
            Self::Platform => ConditionType::PlatformReady,
            Self::Prerequisites => ConditionType::PrerequisitesMet,
            Self::JenkinsServer => ConditionType::JenkinsReady,
            Self::ArtifactBucket => ConditionType::ArtifactsReady,
            Self::CatalogProduct => ConditionType::CatalogReady,
            Self::SagemakerProject => ConditionType::ProjectReady,
            Self::JenkinsJobs => ConditionType::JobsReady,
            Self::ModelTrigger => ConditionType::TriggerReady,
            Self::ModelRoute => ConditionType::RouteReady,
        }
    }

    /// Whether one cheap call shows how it stands ([`Actuator::glance`]): a list that serves many, or one for all projects of
    /// a platform.
    pub fn is_listed(self) -> bool {
        matches!(self, Self::SagemakerProject | Self::JenkinsJobs | Self::ModelTrigger | Self::ModelRoute)
    }

    /// As labels and spans have it.
    pub fn id(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Prerequisites => "prerequisites",
            Self::JenkinsServer => "jenkins_server",
            Self::ArtifactBucket => "artifact_bucket",
            Self::CatalogProduct => "catalog_product",
            Self::SagemakerProject => "sagemaker_project",
            Self::JenkinsJobs => "jenkins_jobs",
            Self::ModelTrigger => "model_trigger",
            Self::ModelRoute => "model_route",
        }
    }

    /// What users call it, as it stands in messages.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Prerequisites => "prerequisites",
            Self::JenkinsServer => "Jenkins server",
            Self::ArtifactBucket => "artifact bucket",
            Self::CatalogProduct => "catalog product",
            Self::SagemakerProject => "SageMaker project",
            Self::JenkinsJobs => "Jenkins jobs",
            Self::ModelTrigger => "model trigger",
            Self::ModelRoute => "model route",
        }
    }
}

/// What the spec wants of a resource.
pub enum Goal<D> {
    /// It exists like this.
    Present(D),
    /// It does not exist.
    Absent,
}

/// The remote side is working, or what it did does not show yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait<O> {
    /// Which stage of waiting this is: a wait that lasts is told from the next one by it, not by its message.
    pub stage: &'static str,
    /// The reason that the condition shows meanwhile.
    pub reason: Reason,
    /// For people. Stable while nothing changes: no counters, no times.
    pub message: String,
    /// Since when the remote side works, if it says so.
    pub since: Option<Timestamp>,
    /// When there will be something to see, if that is known.
    pub until: Option<Timestamp>,
    /// What dependants may already use.
    pub early: Option<O>,
}

impl<O> Wait<O> {
    /// A wait that counts from when it was first decided on.
    pub fn new(stage: &'static str, reason: Reason, message: impl Into<String>) -> Self {
        Self { stage, reason, message: message.into(), since: None, until: None, early: None }
    }

    /// The same, since the remote side says when it began.
    #[must_use]
    pub fn since(mut self, since: Timestamp) -> Self {
        self.since = Some(since);
        self
    }

    /// The same, to be looked at again at this time and not before.
    #[must_use]
    pub fn until(mut self, until: Timestamp) -> Self {
        self.until = Some(until);
        self
    }

    /// The same, with what dependants may already use.
    #[must_use]
    pub fn early(mut self, output: Option<O>) -> Self {
        self.early = output;
        self
    }
}

/// What to do now.
pub enum Decision<A, O> {
    /// It is as declared: hand the output to dependants.
    InSync(O),
    /// The goal was `Absent` and it is.
    Gone,
    /// The same, but something around it stays that others may use: what and why, for people.
    GoneBut(String),
    /// Do these in order, then observe again.
    Act(Vec<Step<A>>),
    /// Observe again later: the remote side is working.
    Wait(Wait<O>),
    /// A person must change something.
    Stuck(Problem),
}

impl<A, O> Decision<A, O> {
    /// Something that a person must change.
    pub fn stuck(reason: Reason, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Stuck(Problem::new(reason, message, hint))
    }
}

/// What was attempted before, as far as deciding needs it. All of it may be lost: then the answer must still be right,
/// only later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// The intents of this object, from the status.
    pub intents: Vec<Intent>,
    /// Since when, in this process, the resource has been observed to be absent without a break.
    pub absent_since: Option<Timestamp>,
    /// How often in a row, in this process, the resource was deleted since its creation had failed.
    pub failed_creations: u32,
    /// When that happened last.
    pub last_failed_creation: Option<Timestamp>,
    /// What creations that failed, in this process, have left behind.
    pub left_behind: BTreeSet<Left>,
    /// How often in a row, in this process, an update or a deletion that had failed was tried again.
    pub failed_changes: u32,
    /// Since when, in this process, ids have been observed not to exist, without a break.
    pub missing_since: BTreeMap<String, Timestamp>,
    /// Since when, in this process, AWS has been propagating what was made, without a break.
    pub propagating_since: Option<Timestamp>,
    /// Why a person is needed, and since when, in this process, it has been for that without a break.
    pub stuck: Option<(Reason, Timestamp)>,
    /// Ids that were observed to exist at some time in this process.
    pub sighted: BTreeSet<String>,
    /// Since when, in this process, what matters only once it lasts has been observed, without a break.
    pub noticed_since: BTreeMap<&'static str, Timestamp>,
    /// Whether the spec, a Secret or a person has asked for a reconcile since the last act: what rests after a failure is
    /// then tried at once.
    pub asked_anew: bool,
    /// Whether the status has the resource as made.
    pub recorded: bool,
    /// Keys of the steps that were done, in this process, since the resource was last as it should be.
    pub done: BTreeSet<StepKey>,
    /// When the last of those was done.
    pub last_act: Option<Timestamp>,
    /// Keys of the lasting steps that were done, in this process, since the spec or a Secret changed or a person asked.
    pub once: BTreeSet<StepKey>,
}

impl Attempts {
    /// The intent of a resource of that name.
    pub fn intent(&self, resource: &str) -> Option<&Intent> {
        self.intents.iter().find(|intent| intent.resource == resource)
    }

    /// The id that is written down for the resource of that name.
    pub fn recorded_id(&self, resource: &str) -> Option<&str> {
        self.intent(resource)?.id.as_deref()
    }

    /// The intent that writes an id down for the resource of that name; `None`: it is written down.
    pub fn to_record(&self, resource: &str, id: &str) -> Option<Intent> {
        if self.recorded_id(resource) == Some(id) {
            return None;
        }
        let n = self.intent(resource).map_or(0, |intent| intent.n);
        Some(Intent { resource: resource.to_owned(), n, id: Some(id.to_owned()) })
    }
}

/// Ids learned by an act, as hints for the next observation: (resource, id). Never truth.
pub type RecordedIds = Vec<(String, String)>;

/// Something to know about a resource that is as declared, shown in its condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The reason that the condition shows instead of `InSync`.
    pub reason: Reason,
    /// What there is to know, and what to do about it.
    pub message: String,
    /// Whether it may go by itself, so that it is looked at again soon. Else it goes with the spec or a Secret.
    pub passing: bool,
}

/// A resource outside the cluster that the operator keeps as declared.
pub trait ExternalResource: 'static {
    /// Its kind: names it in conditions, messages and the memory.
    const KIND: ResourceKind;
    /// What says how it should be: the platform or the project.
    type Declared;
    /// What it needs of the resources before it.
    type Inputs: Hash;
    /// What it should be.
    type Desired;
    /// What was observed of it.
    type Observed;
    /// What can be done to it.
    type Action;
    /// What the resources after it need of it.
    type Output: Clone + Send + Sync + 'static;

    /// What the spec and the inputs ask for.
    fn desired(declared: &Self::Declared, inputs: &Self::Inputs) -> Self::Desired;

    /// What to do, given what was observed.
    fn decide(
        id: &Identity,
        goal: &Goal<Self::Desired>,
        observed: &Self::Observed,
        now: Timestamp,
        attempts: &Attempts,
    ) -> Decision<Self::Action, Self::Output>;

    /// What tells an action from others: see [`StepKey`].
    fn key(action: &Self::Action) -> StepKey;

    /// What a creation that failed has left behind: feeds [`Attempts::left_behind`].
    fn left_behind(_observed: &Self::Observed) -> Vec<Left> {
        Vec::new()
    }

    /// Whether the resource, or any part of it, was observed to exist: feeds [`Attempts::absent_since`].
    fn exists(observed: &Self::Observed) -> bool;

    /// The ids that were asked for, and whether each exists: feeds [`Attempts::missing_since`] and
    /// [`Attempts::sighted`].
    fn sightings(_observed: &Self::Observed) -> Vec<(String, bool)> {
        Vec::new()
    }

    /// What matters only once it lasts, each by a name of its own: feeds [`Attempts::noticed_since`].
    fn notices(_observed: &Self::Observed) -> Vec<&'static str> {
        Vec::new()
    }

    /// Writes ids and links of the resource into the status; `None`: it is gone, so they leave the status.
    fn show(_placement: &Placement, _output: Option<&Self::Output>, _status: &mut MlopsProjectStatus) {}

    /// What is worth knowing although it is as declared.
    fn remark(_output: &Self::Output) -> Option<Remark> {
        None
    }

    /// Where the resource is, for the people who find it left behind; `None`: there is nothing to leave.
    fn whereabouts(placement: &Placement, status: &MlopsProjectStatus) -> Option<String>;
}

/// What lists of the remote side show of a resource: enough to see that nothing has happened to it, and too little to act on.
/// Digests hold within one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// Digest of how it stands.
    pub standing: u64,
    /// Whether it stands as what is in sync does: it is there, it rests, and it has not failed.
    pub well: bool,
    /// Digest of all that an observation compares; `None` where the lists do not show all of it.
    pub whole: Option<u64>,
}

/// How much a glance is to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// How the resource stands.
    Standing,
    /// All that an observation compares, where lists show it.
    Whole,
}

/// The I/O of a resource, without decisions. Identity and hints alone find the resource.
pub trait Actuator<R: ExternalResource>: Send + Sync {
    /// Observes the resource, changing nothing.
    fn observe(&self, id: &Identity, attempts: &Attempts) -> impl Future<Output = Result<R::Observed, Fault>> + Send;

    /// What lists show of the resource that should be like this; `None` where there are none, or they may not be read.
    /// Lists are shared: a glance may be as old as `sharing` lets it be.
    fn glance(
        &self,
        _id: &Identity,
        _desired: &R::Desired,
        _depth: Depth,
    ) -> impl Future<Output = Result<Option<Glance>, Fault>> + Send {
        std::future::ready(Ok(None))
    }

    /// Does one action, and returns the ids that it learned.
    fn act(&self, id: &Identity, action: &R::Action) -> impl Future<Output = Result<RecordedIds, Fault>> + Send;
}
