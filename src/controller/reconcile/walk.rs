//! One way through the graph: how a resource is made, removed or looked at once what it needs is there, and what came of it
//! so far. It knows no resource in particular and no order: that is the graph's.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::summary::ReconcileSummary;
use crate::controller::converge::{IntentJournal, Scope, converge};
use crate::crd::status::Reason;
use crate::domain::external_resource::{Actuator, ExternalResource, Goal, ResourceKind, Wait, digest_of};
use crate::domain::identity::Identity;
use crate::domain::outcome::Outcome;
use crate::resources::catalog::LAG;

/// What a resource needs, or the kind that it waits for.
pub(super) type Needs<I> = Result<I, ResourceKind>;

/// One way through the graph, and what came of it so far.
pub(super) struct Walk<'a, J> {
    pub(super) scope: &'a Scope<'a, J>,
    id: &'a Identity,
    summary: Mutex<ReconcileSummary>,
}

/// Whether a resource is not found, and only too soon to count as gone.
pub(super) fn confirms_absence<O>(outcome: &Outcome<O>) -> bool {
    matches!(outcome, Outcome::Waiting { reason: Reason::ConfirmingAbsence, .. })
}

impl<'a, J: IntentJournal> Walk<'a, J> {
    /// For an object with resources of these kinds.
    pub(super) fn new(scope: &'a Scope<'a, J>, id: &'a Identity, kinds: &'static [ResourceKind]) -> Self {
        Self { scope, id, summary: Mutex::new(ReconcileSummary::of(kinds)) }
    }

    fn summary(&self) -> MutexGuard<'_, ReconcileSummary> {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds how the platform stands that the project shares.
    pub(super) fn note_platform(&self, outcome: Outcome) {
        self.summary().note_platform(outcome);
    }

    /// Looks at a resource whose turn has not come, so that its absence is confirmed in the same time as that of the one
    /// before it. Nothing follows from what is seen but that.
    pub(super) async fn look_ahead<R, A>(&self, actuator: &A)
    where
        R: ExternalResource,
        A: Actuator<R>,
    {
        let (memory, now) = (self.scope.memory, self.scope.clock.now());
        let attempts = memory.attempts(R::KIND);
        if attempts.absent_since.is_some() {
            return;
        }
        // A fault says nothing: its turn comes, and then it is told.
        if let Ok(observed) = actuator.observe(self.id, &attempts).await {
            memory.saw(R::KIND, R::exists(&observed), now);
            memory.sighted(R::KIND, &R::sightings(&observed), now);
        }
    }

    /// What came of it.
    pub(super) fn end(self) -> ReconcileSummary {
        self.summary.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds how it ended for one resource.
    pub(super) fn note<R: ExternalResource>(&self, outcome: Outcome<R::Output>) -> Outcome<R::Output> {
        self.summary().note::<R>(&outcome);
        outcome
    }

    /// Makes a resource as declared once what it needs is there.
    pub(super) async fn make<R, A>(
        &self,
        declared: &R::Declared,
        needs: Needs<R::Inputs>,
        actuator: &A,
    ) -> Outcome<R::Output>
    where
        R: ExternalResource,
        A: Actuator<R>,
    {
        let outcome = match needs {
            Ok(inputs) => {
                self.scope.memory.made_from(R::KIND, digest_of(&inputs));
                let goal = Goal::Present(R::desired(declared, &inputs));
                converge::<R, A, J>(self.scope, self.id, &goal, actuator).await
            }
            Err(by) => Outcome::Blocked { by },
        };
        self.note::<R>(outcome)
    }

    async fn absent<R, A>(&self, free: Needs<()>, actuator: &A) -> Outcome<R::Output>
    where
        R: ExternalResource,
        A: Actuator<R>,
    {
        match free {
            Ok(()) => converge::<R, A, J>(self.scope, self.id, &Goal::Absent, actuator).await,
            Err(by) => Outcome::Blocked { by },
        }
    }

    /// Removes a resource once what depends on it is gone.
    pub(super) async fn remove<R, A>(&self, free: Needs<()>, actuator: &A) -> Outcome<R::Output>
    where
        R: ExternalResource,
        A: Actuator<R>,
    {
        let outcome = self.absent::<R, A>(free, actuator).await;
        self.note::<R>(outcome)
    }

    /// The same for a resource whose creation may have come to AWS although its answer was lost: one observation does not
    /// prove that it is gone.
    pub(super) async fn remove_for_good<R, A>(&self, free: Needs<()>, actuator: &A) -> Outcome<R::Output>
    where
        R: ExternalResource,
        A: Actuator<R>,
    {
        let outcome = self.absent::<R, A>(free, actuator).await;
        let (now, memory) = (self.scope.clock.now(), self.scope.memory);
        if !matches!(outcome, Outcome::Gone) || memory.proven_absent(R::KIND, LAG, now) {
            return self.note::<R>(outcome);
        }
        // What was observed must be observed, and not be remembered.
        memory.doubt(R::KIND);
        let since = memory.attempts(R::KIND).absent_since.unwrap_or(now);
        let wait = Wait::new(
            "confirming absence",
            Reason::ConfirmingAbsence,
            "it is not found: looking once more, since reads lag",
        );
        let outcome = Outcome::waiting(wait.until(since.saturating_add(LAG).unwrap_or(now)), since);
        self.scope.rest::<R>(false, &outcome);
        self.note::<R>(outcome)
    }
}
