//! The contract that every thing fulfils: what it should be, and what to do given what was seen. `decide` is a
//! pure function; `controller::drive` holds the only loop that calls it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use jiff::Timestamp;

use crate::crd::status::{ConditionType, Intent, Reason};
use crate::domain::fault::Fault;
use crate::domain::identity::Identity;

/// The kinds of things, in the order in which they are built up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    Prerequisites,
    ArtifactBucket,
    CatalogProduct,
    SagemakerProject,
    JenkinsJobs,
    ModelTrigger,
}

impl Kind {
    /// Every kind, in the order in which they are built up.
    pub const ALL: [Self; 6] = [
        Self::Prerequisites,
        Self::ArtifactBucket,
        Self::CatalogProduct,
        Self::SagemakerProject,
        Self::JenkinsJobs,
        Self::ModelTrigger,
    ];

    /// The condition that speaks of this kind.
    pub fn condition(self) -> ConditionType {
        match self {
            Self::Prerequisites => ConditionType::PrerequisitesMet,
            Self::ArtifactBucket => ConditionType::ArtifactsReady,
            Self::CatalogProduct => ConditionType::CatalogReady,
            Self::SagemakerProject => ConditionType::ProjectReady,
            Self::JenkinsJobs => ConditionType::JobsReady,
            Self::ModelTrigger => ConditionType::TriggerReady,
        }
    }

    /// What users call it, as it stands in messages.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Prerequisites => "prerequisites",
            Self::ArtifactBucket => "artifact bucket",
            Self::CatalogProduct => "catalog product",
            Self::SagemakerProject => "SageMaker project",
            Self::JenkinsJobs => "Jenkins jobs",
            Self::ModelTrigger => "model trigger",
        }
    }
}

/// What the spec wants of a thing.
pub enum Goal<D> {
    /// It exists like this.
    Present(D),
    /// It does not exist.
    Absent,
}

/// What a step does to the thing, told apart in plans and events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Change {
    Create,
    Update,
    Replace,
    Delete,
}

/// One thing to do.
pub struct Step<A> {
    /// For the actuator.
    pub action: A,
    /// What it does to the thing.
    pub change: Change,
    /// Why.
    pub because: Reason,
    /// What it does, for people, in the imperative and without secrets: `create portfolio "team-a"`. The same
    /// action must always have the same text: it is how the loop recognises an action that has no effect.
    pub summary: String,
    /// Written to the status before the act, where AWS does not key the thing by name.
    pub intent: Option<Intent>,
}

/// What to do now.
pub enum Decision<A, O> {
    /// It is as declared: hand the output to dependants.
    InSync(O),
    /// The goal was `Absent` and it is.
    Gone,
    /// Do these in order, then look again.
    Act(Vec<Step<A>>),
    /// The remote side is working.
    Wait {
        /// What for.
        why: Reason,
        /// For people: `creating, 40 s so far`. Stable while nothing changes: no counters, no times.
        message: String,
        /// Since when the remote side works, if it says so.
        since: Option<Timestamp>,
        /// What dependants may already use.
        early: Option<O>,
    },
    /// A person must change something.
    Stuck {
        /// What is wrong.
        why: Reason,
        /// What is wrong, in a sentence that names the thing.
        message: String,
        /// What to do about it.
        hint: String,
    },
}

/// What was tried before, as far as deciding needs it. All of it may be lost: then the answer must still be right,
/// only later.
#[derive(Clone, Debug, Default)]
pub struct Attempts {
    /// The intents of this kind of thing, from the status.
    pub intents: Vec<Intent>,
    /// Since when, in this process, looks have found the thing absent without a break.
    pub absent_since: Option<Timestamp>,
    /// How often in a row, in this process, the thing was deleted because its creation had failed.
    pub failed_creations: u32,
    /// When that happened last.
    pub last_failed_creation: Option<Timestamp>,
    /// Since when, in this process, looks have found ids not to exist, without a break.
    pub missing_since: BTreeMap<String, Timestamp>,
    /// Since when, in this process, AWS has been propagating what was made, without a break.
    pub propagating_since: Option<Timestamp>,
    /// Ids that looks of this process have found to exist at some time.
    pub sighted: BTreeSet<String>,
    /// Whether the spec, a Secret or a person has asked for a look since the last act: what rests after a failure is
    /// then tried at once.
    pub asked_anew: bool,
    /// Whether the status has the thing as made.
    pub recorded: bool,
    /// Summaries of the steps that were done, in this process, since the thing was last as it should be.
    pub done: BTreeSet<String>,
}

impl Attempts {
    /// The intent of a thing.
    pub fn intent(&self, thing: &str) -> Option<&Intent> {
        self.intents.iter().find(|intent| intent.thing == thing)
    }
}

/// Ids learned by an act, as hints for the next look: (thing, id). Never truth.
pub type Handles = Vec<(String, String)>;

/// A thing outside that the operator keeps as declared.
pub trait Resource: 'static {
    /// Which kind.
    const KIND: Kind;
    /// What owns it: the parsed spec.
    type Owner;
    /// What it needs of the things before it.
    type Inputs;
    /// What it should be.
    type Desired;
    /// What was seen of it.
    type Observed;
    /// What can be done to it.
    type Action;
    /// What the things after it need of it.
    type Output: Clone;

    /// What the spec and the inputs ask for.
    fn desired(owner: &Self::Owner, inputs: &Self::Inputs) -> Self::Desired;

    /// The output that is to be expected ("known after apply"), so that a plan goes on past it.
    fn forecast(desired: &Self::Desired) -> Self::Output;

    /// What to do, given what was seen.
    fn decide(
        id: &Identity,
        goal: &Goal<Self::Desired>,
        seen: &Self::Observed,
        now: Timestamp,
        tried: &Attempts,
    ) -> Decision<Self::Action, Self::Output>;

    /// Whether the look found the thing, or any part of it: feeds [`Attempts::absent_since`].
    fn exists(seen: &Self::Observed) -> bool;

    /// The ids that the look asked for, and whether each exists: feeds [`Attempts::missing_since`] and
    /// [`Attempts::sighted`].
    fn sightings(_seen: &Self::Observed) -> Vec<(String, bool)> {
        Vec::new()
    }
}

/// The hands of a resource: I/O without decisions. Identity and hints alone find the thing.
pub trait Actuator<R: Resource>: Send + Sync {
    /// Looks at the thing, changing nothing.
    fn observe(&self, id: &Identity, tried: &Attempts) -> impl Future<Output = Result<R::Observed, Fault>> + Send;

    /// Does one action.
    fn act(&self, id: &Identity, action: &R::Action) -> impl Future<Output = Result<Handles, Fault>> + Send;
}
