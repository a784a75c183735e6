//! One reconcile of one object, from the object as watched to what is written and when to reconcile again. The order is
//! the point: finalizer, then placement, then the first remote write.
//!
//! ```text
//!   validate ─▶ dereference ─▶ apply | delete ─▶ graph (converge each resource) ─▶ summary ─▶ finish
//!  no client      client            client                   client               no client    client
//! ```

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kube::core::DynamicObject;
use tracing::Instrument;

use crate::adapters::budget::{in_lane, waited};
use crate::controller::api::{ApiError, traced, version_of};
use crate::controller::context::Context;
use crate::controller::converge::{ObjectMemory, Scope};
use crate::controller::object::{self, Key, Kind};
use crate::controller::platform_state::PlatformParts;
use crate::controller::platforms::platform_of;
use crate::controller::scheduler::Again;
use crate::controller::shard::Owner;
use crate::controller::status::StatusWriter;
use crate::controller::stored::Stored;
use crate::domain::budget::Lane;
use crate::domain::external_resource::ResourceKind;
use crate::domain::outcome::{AppliedStep, Outcome, Phase, ReconcileResult};
use crate::domain::problem::Problem;
use crate::domain::scrubber::Scrubber;
use crate::domain::time::elapsed;
use crate::telemetry::spans::{Reconcile, ReconcileId};

mod apply;
mod delete;
mod finish;
mod graph;
mod hold;
mod orphaned;
mod platform;
mod summary;
mod validate;
mod walk;

use summary::ReconcileSummary;

/// Who rests for longer is not waited for.
const LONG: Duration = Duration::from_mins(1);
/// How soon a project looks again for a platform that nothing is known of yet.
const PLATFORM_RETRY: Duration = Duration::from_secs(5);

/// The object of a reconcile, and what is at hand about it.
struct Subject<'a> {
    object: &'a DynamicObject,
    key: Key,
    /// What the reconcile is called.
    id: ReconcileId,
    context: &'a Context,
    memory: &'a ObjectMemory,
    writer: &'a StatusWriter<'a>,
}

impl<'a> Subject<'a> {
    /// What its resources are worked on with.
    fn scope(&self) -> Scope<'a, StatusWriter<'a>> {
        let dependencies = &self.context.dependencies;
        let scope = Scope::new(self.memory, dependencies.clock, self.writer, self.context.stopping.clone());
        let is_routine = lane(self.object, self.memory) == Lane::Routine;
        scope.with_chance((dependencies.chance)()).sharing(is_routine)
    }
}

/// Whether the object stays, and if not, why it may go.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ending {
    Stays,
    Goes,
    /// `deletionPolicy: Retain`, of the spec or by default: what was made stays.
    Retains,
    /// The annotation lets it go without proof; what is left behind, for people.
    Released(String),
}

/// What a reconcile came to, before it is written anywhere.
struct Reconciled {
    result: ReconcileResult,
    summary: ReconcileSummary,
    applied: Vec<AppliedStep>,
    ending: Ending,
    /// Whether no remote side was asked for anything.
    local: bool,
    /// Of a platform: what its projects are made with.
    parts: Option<PlatformParts>,
}

impl Reconciled {
    fn unobserved(result: ReconcileResult) -> Self {
        Self {
            result,
            summary: ReconcileSummary::default(),
            applied: Vec::new(),
            ending: Ending::Stays,
            local: true,
            parts: None,
        }
    }

    fn refused(problem: Problem) -> Self {
        Self::unobserved(ReconcileResult::Refused(problem))
    }

    /// One resource keeps all others from being observed.
    fn blocked(kinds: &'static [ResourceKind], by: ResourceKind, outcome: &Outcome) -> Self {
        Self { local: true, ..Self::observed(Phase::Apply, ReconcileSummary::blocked(kinds, by, outcome), Vec::new()) }
    }

    /// The same for a project whose shared platform stands like this.
    fn blocked_on(by: ResourceKind, outcome: &Outcome, platform: Outcome) -> Self {
        let mut summary = ReconcileSummary::blocked(&graph::ON_PLATFORM, by, outcome);
        summary.note_platform(platform);
        Self { local: true, ..Self::observed(Phase::Apply, summary, Vec::new()) }
    }

    /// The object goes, and all that was made for it stays.
    fn retained() -> Self {
        let observed = Self::observed(Phase::Delete, ReconcileSummary::default(), Vec::new());
        Self { ending: Ending::Retains, ..observed }
    }

    fn observed(phase: Phase, summary: ReconcileSummary, applied: Vec<AppliedStep>) -> Self {
        let ending = if phase == Phase::Delete && summary.all_gone() { Ending::Goes } else { Ending::Stays };
        let result = ReconcileResult::Observed { phase, outcomes: summary.outcomes() };
        Self { result, summary, applied, ending, local: false, parts: None }
    }

    /// The same with texts that hold no secret of the object: what the remote side says may repeat what went there.
    fn cleaned(mut self, scrubber: &Scrubber) -> Self {
        let clean = |text: &str| scrubber.clean(text);
        for step in &mut self.applied {
            step.summary = clean(&step.summary);
        }
        if let Ending::Released(left) = &mut self.ending {
            *left = clean(left);
        }
        // What no remote side has a part in is the user's own text: cleaned, it would tell him what a Secret holds that he
        // may name and not read.
        if self.local {
            return self;
        }
        let (result, summary) = (self.result.redacted(clean), self.summary.cleaned(scrubber));
        Self { result, summary, ..self }
    }
}

/// What comes after a reconcile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Next {
    /// When the object is to be looked at again.
    pub(super) again: Again,
    /// Whether a user waits for that.
    pub(super) lane: Lane,
}

/// One reconcile. `begun` says what it is called, once it has begun: an object of another operator gets none.
///
/// # Errors
/// The Kubernetes API's; everything else is part of the status.
pub(super) async fn run(
    stored: Arc<Stored>,
    context: Arc<Context>,
    begun: Arc<OnceLock<Reconcile>>,
) -> Result<Next, ApiError> {
    let object = stored.object();
    if let Some(again) = of_another(&object, &context) {
        return Ok(Next { again, lane: Lane::Routine });
    }
    let (clock, metrics) = (&context.dependencies.clock, &context.dependencies.metrics);
    let started = clock.now();
    metrics.reconcile_begins();
    let begun = begun.get_or_init(|| begin(&object));
    let result = reconcile(&object, &context, begun.id).instrument(begun.span.clone()).await;
    let outcome = match &result {
        Ok((_, true)) => "settled",
        Ok((_, false)) => "unsettled",
        Err(_) => "error",
    };
    begun.ended(outcome);
    metrics.reconcile_ends(Key::of(&object).kind().id(), outcome, elapsed(started, clock.now()));
    match result {
        Ok((again, _)) => Ok(Next { again, lane: waiting(&object, again, &context) }),
        Err(error) if error.is_gone() => Ok(Next { again: Again::OnChange, lane: Lane::Routine }),
        Err(error) => Err(error),
    }
}

/// A reconcile of this object, as logs and traces know it.
fn begin(object: &DynamicObject) -> Reconcile {
    let key = Key::of(object);
    let uid = object.metadata.uid.as_deref().unwrap_or_default();
    Reconcile::begin(key.kind().id(), &key.namespace, &key.name, uid)
}

/// What to do with an object that is not this operator's: nothing but to forget it. What was made of it stays, and so does its
/// finalizer, for the operator that works on it.
fn of_another(object: &DynamicObject, context: &Context) -> Option<Again> {
    match context.owner(object) {
        Owner::Ours => None,
        Owner::Unknown => Some(Again::After(PLATFORM_RETRY)),
        Owner::Others => {
            let key = Key::of(object);
            if context.known(&key).is_some() {
                context.forget(&key);
            }
            Some(Again::OnChange)
        }
    }
}

/// The lane in which an object goes on after a reconcile. Nobody waits for one that rests for long, such as one that a person
/// must mend first.
fn waiting(object: &DynamicObject, again: Again, context: &Context) -> Lane {
    match (again, context.known(&Key::of(object))) {
        (Again::After(delay), Some(memory)) if delay <= LONG => lane(object, &memory),
        _ => Lane::Routine,
    }
}

/// Answers when to reconcile again, and whether everything has settled.
async fn reconcile(object: &DynamicObject, context: &Context, id: ReconcileId) -> Result<(Again, bool), ApiError> {
    let key = Key::of(object);
    if object::is_let_go(&object.metadata) {
        if context.known(&key).is_some() {
            context.forget(&key);
        }
        return Ok((Again::OnChange, true));
    }
    let memory = context.memory(object);
    let mut live;
    let (object, memory) = if memory.behind(version_of(object)) {
        // The watch may be behind, or tell of what was.
        live = traced("Get", context.api(&key).get(&key.name)).await?;
        object::lean(&mut live);
        // What is there may be another object of that name.
        (&live, context.memory(&live))
    } else {
        (object, memory)
    };
    let deleting = object.metadata.deletion_timestamp.is_some();
    if object::is_let_go(&object.metadata) {
        context.forget(&key);
        return Ok((Again::OnChange, true));
    }
    let writer = StatusWriter::new(context, &key, object, &memory);
    let subject = Subject { object, key, id, context, memory: &memory, writer: &writer };
    let (lane, dependencies) = (lane(object, &memory), &context.dependencies);
    memory.begin_look(lane == Lane::Routine, dependencies.clock.now(), (dependencies.chance)());
    let work = async { (work(&subject, deleting).await, waited()) };
    let (reconciled, waited) = in_lane(lane, context.stopping.clone(), work).await;
    let Some(reconciled) = reconciled? else {
        // Of a platform that nothing is known of yet, nothing is said: its first reconcile brings its projects back.
        if let Some(platform) = platform_of(object) {
            context.platforms.asked_for(platform);
        }
        return Ok((Again::After(PLATFORM_RETRY), false));
    };
    let (again, settled) = finish::finish(&subject, reconciled, waited).await?;
    if settled {
        memory.settles(&object::revision(object));
    }
    Ok((again, settled))
}

/// Makes or removes the resources of an object. `None`: nothing is known yet of the platform that it stands on.
async fn work(subject: &Subject<'_>, deleting: bool) -> Result<Option<Reconciled>, ApiError> {
    // Each way is long: together, unboxed, they would be too much for the stack of a thread.
    let reconciled = match (subject.key.kind(), deleting) {
        (Kind::Platform, false) => return Box::pin(platform::apply(subject)).await.map(Some),
        (Kind::Project, false) => return Box::pin(apply::apply(subject)).await,
        (Kind::Platform, true) => Box::pin(platform::delete(subject)).await?,
        (Kind::Project, true) => match Box::pin(delete::delete(subject)).await? {
            Some(reconciled) => reconciled,
            None => return Ok(None),
        },
    };
    let now = subject.context.dependencies.clock.now();
    let released = object::released(subject.object);
    Ok(Some(orphaned::let_go(reconciled, released, &subject.writer.status(), now)))
}

/// Whether a user waits for it: until what was asked for last, a deletion or a look included, has once been reached.
fn lane(object: &DynamicObject, memory: &ObjectMemory) -> Lane {
    // Of what was asked of another process only the status tells.
    let by_status = || object.metadata.deletion_timestamp.is_none() && object::is_ready(object);
    let reached = memory.has_settled(&object::revision(object)).unwrap_or_else(by_status);
    if reached { Lane::Routine } else { Lane::User }
}
