//! Waits for objects, and prints their conditions as they change. Every wait has a limit, and ends early where nothing
//! will come of it. It changes nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::conditions;
use crate::display::Display;
use crate::manifest::Target;
use crate::stage::Stage;

/// How often the objects are read.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Ready in its present generation.
    Ready,
    /// No such object.
    Gone,
    /// Ready is False for this reason.
    Refused(&'static str),
}

impl Goal {
    fn reached(self, there: bool, object: &Value) -> bool {
        match self {
            Self::Ready => there && conditions::is_ready(object),
            Self::Gone => !there,
            Self::Refused(reason) => there && conditions::refused(object) == Some(reason),
        }
    }

    /// Why it will not be reached without a person, where that is so.
    fn hopeless(self, object: &Value) -> Option<String> {
        match self {
            Self::Ready => conditions::stalled(object),
            // What a platform and its project say of each other, while one of them goes, is over when it is gone.
            Self::Gone if matches!(conditions::refused(object), Some("InUse" | "PlatformNotReady")) => None,
            Self::Gone => conditions::stalled(object),
            Self::Refused(_) => None,
        }
    }
}

/// How much of an object's conditions is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Each of them: for one object.
    Each,
    /// `Ready`, with the object's name: for several.
    ReadyAlone,
}

/// See the module.
pub(crate) struct Watch {
    detail: Detail,
    /// The lines that were printed last.
    shown: BTreeMap<Target, Vec<String>>,
}

impl Watch {
    pub(crate) fn new(detail: Detail) -> Self {
        Self { detail, shown: BTreeMap::new() }
    }

    /// Waits until all of these have reached a goal; gives each as it was read last.
    ///
    /// # Errors
    /// A sentence with the conditions' messages: one needs a person, takes too long, or the operator has ended.
    pub(crate) async fn until(
        &mut self,
        goal: Goal,
        targets: &[Target],
        (what, limit): (&str, Duration),
        stage: &Stage,
        display: &mut Display,
    ) -> Result<Vec<Value>, String> {
        let begun = Instant::now();
        let mut last = vec![Value::Null; targets.len()];
        loop {
            let mut waiting = None;
            for (target, last) in targets.iter().zip(&mut last) {
                let object = stage.object(target);
                let there = object.is_some();
                *last = object.unwrap_or_else(|| last.take());
                if there {
                    self.show(target, last, begun, display);
                }
                if goal.reached(there, last) {
                    continue;
                }
                let failure = match goal.hopeless(last) {
                    _ if !there => Some(format!("{} is gone before {what}", target.title())),
                    Some(sentence) => Some(format!("{what} {sentence}")),
                    None if stage.operator_ended() => Some(format!("the operator ended before {what}")),
                    None if begun.elapsed() > limit => {
                        let (seconds, unmet) = (limit.as_secs(), conditions::unmet(last));
                        Some(format!("{what} did not happen within {seconds} s{unmet}{}", stage.failed_runs().await))
                    }
                    None => None,
                };
                if let Some(failure) = failure {
                    display.erase();
                    return Err(failure);
                }
                waiting.get_or_insert_with(|| conditions::message(last, "Ready"));
            }
            let Some(message) = waiting else {
                display.erase();
                return Ok(last);
            };
            display.waiting(begun, &message);
            tokio::time::sleep(INTERVAL).await;
        }
    }

    fn show(&mut self, target: &Target, object: &Value, begun: Instant, display: &mut Display) {
        let lines = match self.detail {
            Detail::Each => conditions::lines(object),
            Detail::ReadyAlone => conditions::ready_line(&target.title(), object),
        };
        let shown = self.shown.entry(target.clone()).or_default();
        for line in lines.iter().filter(|line| !shown.contains(*line)) {
            display.line(&format!("{:6.1} s  {line}", begun.elapsed().as_secs_f64()));
        }
        *shown = lines;
    }
}
