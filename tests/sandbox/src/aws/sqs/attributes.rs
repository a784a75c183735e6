//! The attributes of a queue: which there are, what they may be, and what they are where nobody set them. They stand
//! alone because creating, changing and showing a queue share them. It must not touch a message.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Queue, Refusal};

/// Numbers: name, least, most, default (CreateQueue).
const NUMBERS: [(&str, u64, u64, u64); 5] = [
    ("DelaySeconds", 0, 900, 0),
    ("MaximumMessageSize", 1_024, 1_048_576, 1_048_576),
    ("MessageRetentionPeriod", 60, 1_209_600, 345_600),
    ("ReceiveMessageWaitTimeSeconds", 0, 20, 0),
    ("VisibilityTimeout", 0, 43_200, 30),
];
/// Those that only a FIFO queue has.
const FIFO: [&str; 4] = ["ContentBasedDeduplication", "DeduplicationScope", "FifoQueue", "FifoThroughputLimit"];
/// JSON documents; an empty one takes the attribute away.
const DOCUMENTS: [&str; 3] = ["Policy", "RedriveAllowPolicy", "RedrivePolicy"];
/// Those that can be read and not set.
const READ: [&str; 6] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];
/// How often a message is received before it moves, where its queue's policy does not say (CreateQueue).
const RECEIVES: u64 = 10;

/// Where messages go that were received too often: the ARN of the queue and how often that is.
pub(super) struct Redrive {
    pub(super) target: String,
    pub(super) most: u64,
}

impl Redrive {
    pub(super) fn read(text: &str) -> Option<Self> {
        Self::checked(text).ok()
    }

    /// The same, or what is wrong with it.
    fn checked(text: &str) -> Result<Self, String> {
        let policy: Value = serde_json::from_str(text).unwrap_or_default();
        if !policy.is_object() {
            return Err("Redrive policy is not a valid JSON map.".to_owned());
        }
        let target = policy["deadLetterTargetArn"]
            .as_str()
            .ok_or("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")?;
        let most = match &policy["maxReceiveCount"] {
            Value::Null => Some(RECEIVES),
            Value::String(text) => text.parse().ok(),
            number => number.as_u64(),
        };
        let most = most.filter(|most| (1..=1_000).contains(most)).ok_or_else(|| {
            let given = &policy["maxReceiveCount"];
            format!("Invalid value for maxReceiveCount: {given}, valid values are from 1 to 1000 both inclusive.")
        })?;
        Ok(Self { target: target.to_owned(), most })
    }
}

/// Whose dead letters a queue takes (CreateQueue, `RedriveAllowPolicy`).
pub(super) enum Allow {
    All,
    None,
    /// The queues of these ARNs.
    Some(Vec<String>),
}

impl Allow {
    fn read(text: &str) -> Option<Self> {
        let policy: Value = serde_json::from_str(text).ok()?;
        let arns: Option<Vec<String>> = match policy.get("sourceQueueArns") {
            None => Some(Vec::new()),
            Some(arns) => arns.as_array()?.iter().map(|arn| arn.as_str().map(str::to_owned)).collect(),
        };
        let arns = arns?;
        match policy["redrivePermission"].as_str()? {
            "allowAll" if arns.is_empty() => Some(Self::All),
            "denyAll" if arns.is_empty() => Some(Self::None),
            "byQueue" if (1..=10).contains(&arns.len()) => Some(Self::Some(arns)),
            _ => None,
        }
    }

    /// Whether the queue of this ARN may send its dead letters.
    pub(super) fn lets(&self, source: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Some(arns) => arns.iter().any(|arn| arn == source),
        }
    }
}

/// The given attributes as text, each checked.
pub(super) fn checked(given: &Value) -> Result<BTreeMap<String, String>, Refusal> {
    let mut checked = BTreeMap::new();
    for (name, value) in given.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match name.as_str() {
            "FifoQueue" if text == "true" => {
                return Err(Refusal::new("UnsupportedOperation", "The sandbox has no FIFO queues"));
            }
            "DeduplicationScope" | "FifoThroughputLimit" => {
                let message = format!("You can specify the {name} only when FifoQueue is set to true.");
                return Err(Refusal::new("InvalidAttributeName", message));
            }
            "RedrivePolicy" if !text.is_empty() => {
                Redrive::checked(&text).map_err(|reason| super::wrong(name, value, &reason))?;
            }
            _ => {}
        }
        let fine = if let Some((_, least, most, _)) = NUMBERS.iter().find(|(number, ..)| number == name) {
            text.parse::<u64>().is_ok_and(|number| (*least..=*most).contains(&number))
        } else if name == "RedriveAllowPolicy" {
            text.is_empty() || Allow::read(&text).is_some()
        } else if DOCUMENTS.contains(&name.as_str()) {
            text.is_empty() || serde_json::from_str::<Value>(&text).is_ok_and(|document| document.is_object())
        } else {
            match name.as_str() {
                "SqsManagedSseEnabled" => ["true", "false"].contains(&text.as_str()),
                "KmsMasterKeyId" => true,
                "KmsDataKeyReusePeriodSeconds" => {
                    text.parse::<u64>().is_ok_and(|seconds| (60..=86_400).contains(&seconds))
                }
                _ => return Err(unknown(name)),
            }
        };
        if !fine {
            return Err(Refusal::new("InvalidAttributeValue", format!("Invalid value for the parameter {name}.")));
        }
        checked.insert(name.clone(), text);
    }
    let key = checked.get("KmsMasterKeyId").is_some_and(|key| !key.is_empty());
    if key && checked.get("SqsManagedSseEnabled").is_some_and(|own| own == "true") {
        let message = "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.";
        return Err(Refusal::new("InvalidAttributeName", message));
    }
    Ok(checked)
}

fn unknown(name: &str) -> Refusal {
    Refusal::new("InvalidAttributeName", format!("Unknown Attribute {name}."))
}

impl Queue {
    /// What an attribute that can be set is now, given or not.
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        if let Some(given) = self.attributes.get(name) {
            return Some(given.clone());
        }
        if let Some((.., default)) = NUMBERS.iter().find(|(number, ..)| *number == name) {
            return Some(default.to_string());
        }
        // SQS encrypts with keys of its own where no other key was chosen (developer guide, "Encryption at rest").
        (name == "SqsManagedSseEnabled").then(|| (!self.attributes.contains_key("KmsMasterKeyId")).to_string())
    }

    pub(super) fn seconds(&self, name: &str) -> Duration {
        Duration::from_secs(self.attribute(name).and_then(|text| text.parse().ok()).unwrap_or_default())
    }

    pub(super) fn redrive(&self) -> Option<Redrive> {
        Redrive::read(self.attributes.get("RedrivePolicy")?)
    }

    pub(super) fn allow(&self) -> Allow {
        self.attributes.get("RedriveAllowPolicy").and_then(|text| Allow::read(text)).unwrap_or(Allow::All)
    }

    /// Takes over checked attributes. Of the two kinds of encryption, the one that is chosen takes the place of the other.
    pub(super) fn set(&mut self, given: BTreeMap<String, String>) {
        if given.get("KmsMasterKeyId").is_some_and(|key| !key.is_empty()) {
            self.attributes.remove("SqsManagedSseEnabled");
        } else if given.get("SqsManagedSseEnabled").is_some_and(|own| own == "true") {
            self.attributes.remove("KmsMasterKeyId");
        }
        for (name, value) in given {
            match value.is_empty() {
                true => self.attributes.remove(&name),
                false => self.attributes.insert(name, value),
            };
        }
    }

    /// The attributes of these names, or all for `All`.
    pub(super) fn shown(&self, names: &[Value], now: Timestamp) -> Result<Value, Refusal> {
        let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        let settable = NUMBERS.iter().map(|(name, ..)| *name).chain(DOCUMENTS).chain([
            "SqsManagedSseEnabled",
            "KmsMasterKeyId",
            "KmsDataKeyReusePeriodSeconds",
        ]);
        let known: Vec<&str> = settable.chain(READ).collect();
        if let Some(name) = names.iter().find(|name| **name != "All" && !known.contains(name) && !FIFO.contains(name)) {
            return Err(unknown(name));
        }
        let all = names.contains(&"All");
        let shown: BTreeMap<&str, String> = known
            .into_iter()
            .filter(|name| all || names.contains(name))
            .filter_map(|name| Some((name, self.counted(name, now).or_else(|| self.attribute(name))?)))
            .collect();
        Ok(if shown.is_empty() { Value::Null } else { json!(shown) })
    }

    /// Delayed messages have not been received yet, messages in flight have.
    fn counted(&self, name: &str, now: Timestamp) -> Option<String> {
        let hidden = |flying: bool| {
            let count = self.messages.iter().filter(|one| one.visible > now && (one.received > 0) == flying).count();
            count.to_string()
        };
        Some(match name {
            "ApproximateNumberOfMessages" => self.messages.iter().filter(|one| one.visible <= now).count().to_string(),
            "ApproximateNumberOfMessagesDelayed" => hidden(false),
            "ApproximateNumberOfMessagesNotVisible" => hidden(true),
            "CreatedTimestamp" => self.created.as_second().to_string(),
            "LastModifiedTimestamp" => self.changed.as_second().to_string(),
            "QueueArn" => self.arn.clone(),
            _ => return None,
        })
    }

    /// Lets go of messages that are older than the retention period.
    pub(super) fn expire(&mut self, now: Timestamp) {
        let kept = self.seconds("MessageRetentionPeriod");
        self.messages.retain(|message| {
            message
                .sent
                .checked_add(jiff::SignedDuration::from_secs(kept.as_secs().cast_signed()))
                .is_ok_and(|end| end > now)
        });
    }
}
