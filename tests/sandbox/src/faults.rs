//! Scripted trouble: which call goes wrong, before or after it took effect, and how. A script says nothing about
//! the world; whoever answers the call carries it out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One line of the script. Its calls are counted from the moment it is added.
///
/// ```
/// use mlops_sandbox::{Fault, What};
/// let third_upload_lands_but_its_answer_is_lost = Fault::on("s3", "PutObject").nth(3).after(What::DropConnection);
/// let always_throttled = Fault::on("sagemaker", "*").before(What::Throttle);
/// # let _ = (third_upload_lands_but_its_answer_is_lost, always_throttled);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// The service by its signing name (`servicecatalog`, `s3`, …), `jenkins`, or `*`.
    #[serde(default = "any")]
    pub service: String,
    /// The operation as the journal names it (`CreatePortfolio`; Jenkins: `POST createItem`), or `*`.
    #[serde(default = "any")]
    pub operation: String,
    /// Which of the matching calls: a number, `{"from": 2, "to": 5}`, or absent for every call.
    #[serde(default)]
    pub calls: Calls,
    /// Before or after the call's effect.
    #[serde(default)]
    pub when: When,
    /// What goes wrong.
    pub what: What,
}

fn any() -> String {
    "*".to_owned()
}

/// Which of the matching calls are hit, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Calls {
    /// This one.
    Nth(u64),
    /// These, both ends included; without `to` all that follow.
    Range {
        /// The first.
        from: u64,
        /// The last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<u64>,
    },
}

impl Default for Calls {
    fn default() -> Self {
        Self::Range { from: 1, to: None }
    }
}

/// Whether the call takes effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum When {
    /// It does not.
    #[default]
    Before,
    /// It does, and then its answer goes wrong.
    After,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind", deny_unknown_fields)]
pub enum What {
    /// The service refuses, in its own protocol.
    Refuse {
        /// Such as `InternalFailure`.
        code: String,
        /// The sentence.
        #[serde(default)]
        message: String,
        /// The HTTP status.
        #[serde(default = "server_error")]
        status: u16,
    },
    /// The service says that calls come too fast, in its own words.
    Throttle,
    /// The same, and in how many seconds to come back, by the header `Retry-After`.
    ThrottleFor {
        /// Seconds.
        seconds: u64,
    },
    /// The connection breaks off without an answer.
    DropConnection,
    /// The connection stays open and nothing comes: the client's own time-out ends it.
    NoAnswer,
    /// It takes this much longer, and then goes on as usual.
    Delay {
        /// Milliseconds.
        millis: u64,
    },
}

fn server_error() -> u16 {
    500
}

impl Fault {
    /// A fault on every call of this operation, or of all for `*`; it drops connections until told otherwise.
    pub fn on(service: &str, operation: &str) -> Self {
        Self {
            service: service.to_owned(),
            operation: operation.to_owned(),
            calls: Calls::default(),
            when: When::Before,
            what: What::DropConnection,
        }
    }

    /// Only on the n-th matching call, counted from 1.
    #[must_use]
    pub fn nth(mut self, n: u64) -> Self {
        self.calls = Calls::Nth(n);
        self
    }

    /// Only on matching calls `from` to `to`, both included, counted from 1.
    #[must_use]
    pub fn range(mut self, from: u64, to: Option<u64>) -> Self {
        self.calls = Calls::Range { from, to };
        self
    }

    /// Before the call takes effect, so that it takes none (save for a delay).
    #[must_use]
    pub fn before(mut self, what: What) -> Self {
        (self.when, self.what) = (When::Before, what);
        self
    }

    /// After the call took effect: only its answer goes wrong.
    #[must_use]
    pub fn after(mut self, what: What) -> Self {
        (self.when, self.what) = (When::After, what);
        self
    }
}

impl What {
    /// A refusal with a code, a sentence and an HTTP status.
    pub fn refuse(status: u16, code: &str, message: &str) -> Self {
        Self::Refuse { code: code.to_owned(), message: message.to_owned(), status }
    }

    /// How the journal names it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refuse { .. } => "refused",
            Self::Throttle | Self::ThrottleFor { .. } => "throttled",
            Self::DropConnection => "connection dropped",
            Self::NoAnswer => "no answer",
            Self::Delay { .. } => "delayed",
        }
    }
}

/// What one call meets: delays and at most one end, on each side of its effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// How long the call waits before it takes effect.
    pub delay_before: Duration,
    /// How it ends before it takes effect.
    pub before: Option<What>,
    /// How long its answer takes.
    pub delay_after: Duration,
    /// How it ends after its effect.
    pub after: Option<What>,
}

/// The script, with how often each line was met.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    lines: Vec<(Fault, u64)>,
}

impl Faults {
    /// Adds a line.
    pub fn add(&mut self, fault: Fault) {
        self.lines.push((fault, 0));
    }

    /// Forgets all lines.
    pub fn clear(&mut self) {
        self.lines.clear();
    }

    /// The lines, with how many calls matched each so far.
    pub fn lines(&self) -> &[(Fault, u64)] {
        &self.lines
    }

    /// Counts a call and says what it meets. Of several ends the first line wins; delays add up.
    pub fn meet(&mut self, service: &str, operation: &str) -> Trouble {
        let mut trouble = Trouble::default();
        for (fault, count) in &mut self.lines {
            let of = |wanted: &str, asked: &str| wanted == "*" || wanted == asked;
            if !of(&fault.service, service) || !of(&fault.operation, operation) {
                continue;
            }
            *count += 1;
            let hit = match fault.calls {
                Calls::Nth(n) => *count == n,
                Calls::Range { from, to } => *count >= from && to.is_none_or(|to| *count <= to),
            };
            if !hit {
                continue;
            }
            let (delay, end) = match fault.when {
                When::Before => (&mut trouble.delay_before, &mut trouble.before),
                When::After => (&mut trouble.delay_after, &mut trouble.after),
            };
            match &fault.what {
                What::Delay { millis } => *delay += Duration::from_millis(*millis),
                what if end.is_none() => *end = Some(what.clone()),
                _ => {}
            }
        }
        trouble
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_hits_the_calls_it_names() {
        let rows: [(&str, Fault, &[bool]); 5] = [
            ("every call", Fault::on("s3", "PutObject"), &[true, true, true]),
            ("the second call alone", Fault::on("s3", "PutObject").nth(2), &[false, true, false]),
            ("from the second call on", Fault::on("*", "*").range(2, None), &[false, true, true]),
            ("the first two calls", Fault::on("s3", "*").range(1, Some(2)), &[true, true, false]),
            ("another service's calls", Fault::on("sts", "*"), &[false, false, false]),
        ];
        for (case, fault, hits) in rows {
            let mut faults = Faults::default();
            faults.add(fault);
            let met: Vec<bool> = hits.iter().map(|_| faults.meet("s3", "PutObject").before.is_some()).collect();
            assert_eq!(met, hits, "{case}");
        }
    }

    #[test]
    fn delays_add_up_and_the_first_end_wins() {
        let mut faults = Faults::default();
        faults.add(Fault::on("*", "*").before(What::Delay { millis: 100 }));
        faults.add(Fault::on("*", "*").before(What::Delay { millis: 50 }));
        faults.add(Fault::on("*", "*").after(What::Throttle));
        faults.add(Fault::on("*", "*").after(What::NoAnswer));
        let trouble = faults.meet("s3", "GetObject");
        assert_eq!(trouble.delay_before, Duration::from_millis(150));
        assert_eq!((trouble.before, trouble.after), (None, Some(What::Throttle)));
    }

    #[test]
    fn a_line_can_be_written_as_json() {
        let text = json!({"service": "sagemaker", "operation": "CreateProject", "calls": 2, "when": "after",
            "what": {"kind": "refuse", "code": "InternalFailure"}});
        let fault: Fault = serde_json::from_value(text).unwrap();
        let same = Fault::on("sagemaker", "CreateProject").nth(2).after(What::refuse(500, "InternalFailure", ""));
        assert_eq!(fault, same);
        let every: Fault = serde_json::from_value(json!({"what": {"kind": "throttle"}})).unwrap();
        assert_eq!(every, Fault::on("*", "*").before(What::Throttle));
    }
}
