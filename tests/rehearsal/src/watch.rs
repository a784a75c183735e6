//! Waits for the project, and prints its conditions as they change. Every wait has a limit, and ends early where nothing
//! will come of it. It changes nothing.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::conditions;
use crate::display::Display;
use crate::stage::Stage;

/// How often the object is read.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Ready in its present generation.
    Ready,
    /// No such object.
    Gone,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Watch {
    /// The conditions that were printed last.
    shown: Vec<String>,
}

impl Watch {
    /// Waits for a goal; gives the object as it was read last.
    ///
    /// # Errors
    /// A sentence with the conditions' messages: it needs a person, takes too long, or the operator has ended.
    pub(crate) async fn until(
        &mut self,
        goal: Goal,
        what: &str,
        limit: Duration,
        stage: &Stage,
        display: &mut Display,
    ) -> Result<Value, String> {
        let begun = Instant::now();
        let mut last = Value::Null;
        loop {
            let object = stage.object();
            let gone = object.is_none();
            last = object.unwrap_or(last);
            if gone {
                display.erase();
                return match goal {
                    Goal::Gone => Ok(last),
                    Goal::Ready => Err(format!("the project is gone before {what}")),
                };
            }
            self.show(&last, begun, display);
            if goal == Goal::Ready && conditions::is_ready(&last) {
                display.erase();
                return Ok(last);
            }
            let failure = match conditions::stalled(&last) {
                Some(sentence) => Some(format!("{what} {sentence}")),
                None if stage.operator_ended() => Some(format!("the operator ended before {what}")),
                None if begun.elapsed() > limit => {
                    let (seconds, unmet) = (limit.as_secs(), conditions::unmet(&last));
                    Some(format!("{what} did not happen within {seconds} s{unmet}{}", stage.failed_runs().await))
                }
                None => None,
            };
            if let Some(failure) = failure {
                display.erase();
                return Err(failure);
            }
            display.waiting(begun, &conditions::message(&last, "Ready"));
            tokio::time::sleep(INTERVAL).await;
        }
    }

    fn show(&mut self, object: &Value, begun: Instant, display: &mut Display) {
        let lines = conditions::lines(object);
        for line in lines.iter().filter(|line| !self.shown.contains(*line)) {
            display.line(&format!("{:6.1} s  {line}", begun.elapsed().as_secs_f64()));
        }
        self.shown = lines;
    }
}
