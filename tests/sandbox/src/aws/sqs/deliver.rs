//! Messages that other services of AWS send. They stand alone because no client asks for them: EventBridge is let in by the
//! queue's policy, Lambda sends as a function's role. It must not read a queue.
//!
//! EventBridge user guide, "Permissions for Amazon SQS": the queue's policy allows `sqs:SendMessage` to
//! `events.amazonaws.com`, under a condition on `aws:SourceArn` if one likes.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Message, Queue};
use crate::aws::Undelivered;
use crate::aws::iam::{Source, lets_in};
use crate::world::World;

/// The key of AWS's own, whose policy nobody can change, so that it lets no service send ("Encryption at rest",
/// "Configure KMS permissions for AWS services").
const OWN_KEY: &str = "alias/aws/sqs";

/// Sends `body` to the queue on behalf of `source`, the ARN of what the service acts for.
///
/// # Errors
/// Why it cannot: there is no such queue, or its policy or its key does not let the service in.
pub fn deliver(
    world: &mut World,
    arn: &str,
    service: &str,
    source: &str,
    body: &str,
    attributes: &[(&str, String)],
) -> Result<(), Undelivered> {
    let queue = find(world, arn)?;
    let policy = queue.attributes.get("Policy").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let key = queue.attributes.get("KmsMasterKeyId").is_some_and(|key| key.ends_with(OWN_KEY));
    let account = source.split(':').nth(4).unwrap_or_default();
    if key || !lets_in(&policy, service, "sqs:SendMessage", arn, Source { account, arn: Some(source) }) {
        let what = if key { "key" } else { "policy" };
        return Err(Undelivered::no_permissions(format!(
            "the {what} of the queue {arn} does not let {service} send messages for {source}"
        )));
    }
    put(world, arn, body, attributes)
}

/// Sends `body` to the queue for one who may.
///
/// # Errors
/// There is no such queue.
pub fn put(world: &mut World, arn: &str, body: &str, attributes: &[(&str, String)]) -> Result<(), Undelivered> {
    let (id, now) = (world.ids.uuid(), world.now);
    let queue = find(world, arn)?;
    let visible = now.saturating_add(queue.seconds("DelaySeconds")).unwrap_or(Timestamp::MAX);
    let typed = |name: &str| if name == "ErrorCode" { "Number" } else { "String" };
    let attributes: Map<String, Value> = attributes
        .iter()
        .map(|(name, text)| ((*name).to_owned(), json!({"DataType": typed(name), "StringValue": text})))
        .collect();
    queue.messages.push(Message {
        id,
        body: body.to_owned(),
        attributes,
        trace: None,
        group: None,
        sender: None,
        sent: now,
        visible,
        first_received: None,
        received: 0,
        source: None,
    });
    stir(world, arn);
    Ok(())
}

/// How long a queue hides messages that were received; `None` where there is no such queue.
pub fn visibility(world: &mut World, account: &str, region: &str, arn: &str) -> Option<std::time::Duration> {
    own(world, account, region, arn).map(|queue| queue.seconds("VisibilityTimeout"))
}

/// How many messages of a queue can be received now.
pub fn waiting(world: &mut World, account: &str, region: &str, arn: &str) -> u64 {
    let now = world.now;
    own(world, account, region, arn)
        .map_or(0, |queue| queue.messages.iter().filter(|one| one.visible <= now).count() as u64)
}

/// When the next message of a queue can be received, if there is one.
pub fn next_visible(world: &mut World, account: &str, region: &str, arn: &str) -> Option<Timestamp> {
    own(world, account, region, arn)?.messages.iter().map(|message| message.visible).min()
}

/// The URL of a queue; empty where there is no such queue.
pub fn url(world: &mut World, account: &str, region: &str, arn: &str) -> String {
    own(world, account, region, arn).map(|queue| queue.url.clone()).unwrap_or_default()
}

fn own<'w>(world: &'w mut World, account: &str, region: &str, arn: &str) -> Option<&'w mut Queue> {
    find(world, arn).ok().filter(|queue| queue.arn.contains(&format!(":sqs:{region}:{account}:")))
}

/// Whoever reads from a queue looks when its next message can be received.
pub(super) fn stir(world: &mut World, arn: &str) {
    let [_, _, _, region, account, _] = arn.split(':').collect::<Vec<_>>()[..] else { return };
    let Some(at) = next_visible(world, account, region, arn) else { return };
    crate::aws::lambda::rouse(world, account, region, arn, at);
}

/// The queue of an ARN, in any account.
fn find<'w>(world: &'w mut World, arn: &str) -> Result<&'w mut Queue, Undelivered> {
    let missing = || Undelivered::no_resource(format!("the queue {arn} does not exist"));
    let [_, _, "sqs", region, account, name] = arn.split(':').collect::<Vec<_>>()[..] else { return Err(missing()) };
    let now = world.now;
    let queue = world.region(account, region).sqs.queues.get_mut(name).ok_or_else(missing)?;
    queue.expire(now);
    Ok(queue)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::aws::dispatch::administrator;
    use crate::aws::{Call, events, sqs};
    use crate::world::Settings;

    use super::*;

    const QUEUE: &str = "arn:aws:sqs:eu-west-1:111122223333:q";
    const DEAD: &str = "arn:aws:sqs:eu-west-1:111122223333:dead";
    const RULE: &str = "arn:aws:events:eu-west-1:111122223333:rule/approved";

    struct Bench(World);

    impl Bench {
        fn ask(
            &mut self,
            service: fn(&mut World, &Call<'_>) -> crate::aws::Outcome,
            operation: &str,
            input: &Value,
        ) -> Value {
            let caller = administrator("111122223333");
            service(&mut self.0, &Call { operation, input, caller: &caller, region: "eu-west-1" }).unwrap()
        }

        fn queue(&mut self, name: &str, statements: &Value, key: &str) {
            let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
            let input = json!({"QueueName": name, "Attributes": {"Policy": policy, "KmsMasterKeyId": key}});
            self.ask(sqs::call, "CreateQueue", &input);
        }

        /// The messages of a queue once a rule that has `target` met an event.
        fn event(&mut self, target: &Value) {
            let input = json!({"Name": "approved", "EventPattern": "{\"source\":[\"s\"]}"});
            self.ask(events::call, "PutRule", &input);
            self.ask(events::call, "PutTargets", &json!({"Rule": "approved", "Targets": [target]}));
            let event = json!({"source": "s", "detail-type": "t", "detail": {"a": 1}});
            events::publish(&mut self.0, "111122223333", "eu-west-1", &event);
        }

        fn messages(&mut self, name: &str) -> Vec<Value> {
            let url = format!("https://sqs.eu-west-1.amazonaws.com/111122223333/{name}");
            let input = json!({"QueueUrl": url, "MessageAttributeNames": ["All"], "MaxNumberOfMessages": 10});
            self.ask(sqs::call, "ReceiveMessage", &input)["Messages"].as_array().cloned().unwrap_or_default()
        }
    }

    fn bench() -> Bench {
        Bench(World::new(Settings::default(), jiff::Timestamp::UNIX_EPOCH))
    }

    fn statement(changed: Value) -> Value {
        let mut whole = json!({"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage", "Resource": "*"});
        whole.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        whole
    }

    #[test]
    fn an_event_reaches_a_queue_whose_policy_lets_it_in() {
        let when = |condition: Value| statement(json!({"Condition": condition}));
        let deny = json!([statement(json!({})), statement(json!({"Effect": "Deny"}))]);
        #[rustfmt::skip]
        let rows = [
            ("a statement for EventBridge", statement(json!({})), "", 1),
            ("for this rule", when(json!({"ArnEquals": {"aws:SourceArn": RULE}})), "", 1),
            ("for another rule", when(json!({"ArnEquals": {"aws:SourceArn": format!("{RULE}2")}})), "", 0),
            ("for this account", when(json!({"StringEquals": {"aws:SourceAccount": "111122223333"}})), "", 1),
            ("under a condition that is not known", when(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})), "", 0),
            ("for another service", statement(json!({"Principal": {"Service": "sns.amazonaws.com"}})), "", 0),
            ("for another action", statement(json!({"Action": "sqs:ReceiveMessage"})), "", 0),
            ("for another queue", statement(json!({"Resource": format!("{QUEUE}2")})), "", 0),
            ("denied as well", deny, "", 0),
            ("no statement at all", json!([]), "", 0),
            ("encrypted with a key of one's own", statement(json!({})), "alias/own", 1),
            ("encrypted with the key of AWS", statement(json!({})), "alias/aws/sqs", 0),
        ];
        for (case, statements, key, expected) in rows {
            let mut bench = bench();
            bench.queue("q", &statements, key);
            bench.event(&json!({"Id": "1", "Arn": QUEUE}));
            let messages = bench.messages("q");
            assert_eq!(messages.len(), expected, "{case}");
            let dump = bench.0.region("111122223333", "eu-west-1").events.dump();
            assert_eq!(dump["failures"].as_array().unwrap().len(), 1 - expected, "{case}");
            for message in messages {
                let body: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
                assert_eq!((&body["detail"], &body["region"]), (&json!({"a": 1}), &json!("eu-west-1")), "{case}");
            }
        }
    }

    #[test]
    fn an_event_that_was_not_delivered_goes_to_the_dead_letter_queue_and_says_why() {
        let lambda = "arn:aws:lambda:eu-west-1:111122223333:function:none";
        let rows = [
            ("a queue that does not let it in", QUEUE, "NO_PERMISSIONS"),
            ("a queue that is not there", &format!("{QUEUE}2"), "NO_RESOURCE"),
            ("a function that is not there", lambda, "NO_RESOURCE"),
        ];
        for (case, target, code) in rows {
            for (statements, expected) in [(statement(json!({})), 1), (json!([]), 0)] {
                let mut bench = bench();
                bench.queue("q", &json!([]), "");
                bench.queue("dead", &statements, "");
                bench.event(&json!({"Id": "1", "Arn": target, "DeadLetterConfig": {"Arn": DEAD}}));
                let dead = bench.messages("dead");
                assert_eq!(dead.len(), expected, "{case}");
                for letter in dead {
                    let body: Value = serde_json::from_str(letter["Body"].as_str().unwrap()).unwrap();
                    assert_eq!(body["detail"], json!({"a": 1}), "{case}");
                    let attribute = |name: &str| letter["MessageAttributes"][name]["StringValue"].clone();
                    assert_eq!(attribute("RULE_ARN"), RULE, "{case}");
                    assert_eq!(attribute("TARGET_ARN"), target, "{case}");
                    assert_eq!(attribute("ERROR_CODE"), code, "{case}");
                    assert!(attribute("ERROR_MESSAGE").is_string(), "{case}");
                    assert_eq!(attribute("RETRY_ATTEMPTS"), "0", "{case}");
                    assert_eq!(attribute("EXHAUSTED_RETRY_CONDITION"), Value::Null, "{case}");
                }
            }
        }
    }

    #[test]
    fn a_constant_input_is_the_body_as_it_was_given() {
        let mut bench = bench();
        bench.queue("q", &statement(json!({})), "");
        bench.event(&json!({"Id": "1", "Arn": QUEUE, "Input": "{ \"b\": 2 }"}));
        assert_eq!(bench.messages("q")[0]["Body"], "{ \"b\": 2 }");
    }

    #[test]
    fn a_queue_is_a_target_as_far_as_the_sandbox_has_such_queues() {
        let rows = [
            (
                "a FIFO queue",
                json!({"Id": "1", "Arn": format!("{QUEUE}.fifo"), "SqsParameters": {"MessageGroupId": "g"}}),
            ),
            (
                "a message group of a standard queue",
                json!({"Id": "1", "Arn": QUEUE, "SqsParameters": {"MessageGroupId": "g"}}),
            ),
            ("a role", json!({"Id": "1", "Arn": QUEUE, "RoleArn": "arn:aws:iam::111122223333:role/r"})),
        ];
        for (case, target) in rows {
            let mut bench = bench();
            bench.ask(events::call, "PutRule", &json!({"Name": "approved", "EventPattern": "{\"source\":[\"s\"]}"}));
            let caller = administrator("111122223333");
            let input = json!({"Rule": "approved", "Targets": [target]});
            let call = Call { operation: "PutTargets", input: &input, caller: &caller, region: "eu-west-1" };
            assert_eq!(events::call(&mut bench.0, &call).unwrap_err().code, "ValidationException", "{case}");
        }
    }
}
