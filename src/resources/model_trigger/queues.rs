//! What waits in the trigger's two queues, and what is said of it. It stands alone since nothing of it is declared, and
//! nothing follows from it but a remark: a trigger with events in its queues is as declared. It never counts messages.

use std::time::Duration;

use jiff::Timestamp;

use crate::crd::status::Reason;
use crate::domain::external_resource::Attempts;
use crate::domain::time::elapsed;

/// For how long looks must have found events in the first queue until they count as waiting. A served event is there for
/// seconds, one whose first run failed for some minutes; and the looks are an hour apart, so that two of them agree.
pub const LASTS: Duration = Duration::from_mins(30);
/// That events are in a queue, as the memory knows it from one look to the next.
pub const WAITING: &str = "events in the queue";
/// The same of the dead-letter queue.
pub const DEAD: &str = "events in the dead-letter queue";

/// The queues of a stack that rests, and what is in them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Queues {
    /// ARN of the queue of events whose jobs are to be started.
    pub waiting_arn: String,
    /// ARN of the queue of those that failed for days.
    pub dead_arn: String,
    /// What the function says.
    pub log_group: String,
    /// Whether events wait in the first. As observed: whether any are in it, seen or hidden.
    pub waiting: bool,
    /// Whether any are in the second.
    pub dead: bool,
    /// Why the queues may not be read, and what to do: then nothing is said of what is in them.
    pub unread: Option<String>,
}

impl Queues {
    /// What was found at one look.
    pub(super) fn notices(&self) -> Vec<&'static str> {
        [(self.waiting, WAITING), (self.dead, DEAD)].into_iter().filter(|(there, _)| *there).map(|(_, it)| it).collect()
    }

    /// The same once it is known for how long: an event that is just being served does not wait.
    pub(super) fn judged(&self, now: Timestamp, attempts: &Attempts) -> Self {
        let lasts = |since: &Timestamp| elapsed(*since, now) >= LASTS;
        let waiting = self.waiting && attempts.noticed_since.get(WAITING).is_some_and(lasts);
        Self { waiting, ..self.clone() }
    }

    /// The command that puts dead letters back into the first queue. It names that queue, since events that EventBridge
    /// could not deliver came from none.
    pub(super) fn replay(&self) -> Option<String> {
        let (from, to) = (&self.dead_arn, &self.waiting_arn);
        let command = format!("aws sqs start-message-move-task --region {}", self.region());
        self.dead.then(|| format!("{command} --source-arn {from} --destination-arn {to}"))
    }

    fn region(&self) -> &str {
        self.dead_arn.split(':').nth(3).unwrap_or_default()
    }

    /// What is worth knowing, the most urgent first: a reason, and a clause that says what to do.
    pub(super) fn remarks(&self) -> Vec<(Reason, String)> {
        let log = format!(
            "aws logs filter-log-events --region {} --log-group-name {} --filter-pattern outcome",
            self.region(),
            self.log_group
        );
        let dead = self.replay().map(|replay| {
            let message = format!(
                "events whose jobs could not be started for days wait in its dead-letter queue, \
                 until two weeks after the event: see why with `{log}`, remove the cause, then start them with `{replay}`"
            );
            (Reason::MessagesDead, message)
        });
        let waiting = self.waiting.then(|| {
            let message = format!(
                "events have waited in its queue for more than half an hour, since jobs cannot be \
                 started: see why with `{log}`; they are tried again by themselves for three days"
            );
            (Reason::MessagesWaiting, message)
        });
        let unread = self
            .unread
            .as_ref()
            .map(|why| (Reason::QueuesUnchecked, format!("whether events wait in its queues is not known: {why}")));
        [dead, waiting, unread].into_iter().flatten().collect()
    }
}
