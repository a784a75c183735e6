//! One project whose fields are changed, and new ones where a field cannot change: each value must show, or be told
//! about, and leave no trace when it is taken back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use serde_json::{Value, json};

use crate::fields::env::{End, Environment};
use crate::fields::observed::Seen;
use crate::fields::rules::{Rule, See, What};
use crate::fields::schema::set;
use crate::fields::{Count, NAME, base, short, with};

/// Where two values differ, leaf by leaf.
fn differences(path: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(left), Value::Object(right)) => {
            let keys: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            keys.iter().for_each(|key| differences(&format!("{path}/{key}"), &before[key], &after[key], found));
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let pairs = left.iter().zip(right).enumerate();
            pairs.for_each(|(n, (left, right))| differences(&format!("{path}/{n}"), left, right, found));
        }
        _ if before == after => {}
        _ => found.push(format!("{path} was {}, is {}", short(before), short(after))),
    }
}

/// One project whose fields are changed.
pub struct Tried<'a> {
    pub env: &'a Environment,
    pub rules: &'a BTreeMap<String, Rule>,
    pub count: &'a mut Count,
    /// The world of the base, as far as it must be the same again.
    pub unchanged: Value,
}

impl Tried<'_> {
    pub async fn begin(&mut self) {
        let end = self.env.create(NAME, &base()).await;
        assert_eq!(end, End::Ready, "the base");
        self.unchanged = Seen::of(self.env, NAME).await.lasting();
    }

    fn fail(&mut self, path: &str, value: &Value, what: impl std::fmt::Display) {
        self.count.failures.push(format!("spec.{path} = {}: {what}", short(value)));
    }

    /// The n-th value of all fields that do not depend on each other, at once; round by round, so that each change is
    /// one from the value before.
    pub async fn together(&mut self, values: &BTreeMap<&str, Vec<Value>>) {
        let alone = |rule: &Rule| rule.path.contains("[]") || rule.path == "parameters" || !rule.told.is_empty();
        let rules: Vec<_> =
            self.rules.values().filter(|rule| matches!(rule.what, What::Shown(_)) && !alone(rule)).collect();
        let rounds = rules.iter().map(|rule| values[rule.path.as_str()].len()).max().unwrap_or(0);
        for round in 0..rounds {
            let these: Vec<_> =
                rules.iter().filter_map(|rule| Some((*rule, values[rule.path.as_str()].get(round)?))).collect();
            let spec = these.iter().fold(base(), |spec, (rule, value)| with(&spec, rule, (*value).clone()));
            let end = self.env.change(NAME, &spec).await;
            let seen = Seen::of(self.env, NAME).await;
            self.count.attempts += these.len();
            for (rule, value) in these {
                let What::Shown(see) = rule.what else { continue };
                if end == End::Ready && see(&seen, value) {
                    self.count.converged += 1;
                } else {
                    self.single(rule, value, see).await;
                }
            }
        }
        self.back("rounds", &Value::Null).await;
    }

    /// Each field alone: all values of those that others depend on, the first of the rest; each time back to the base.
    pub async fn one_by_one(&mut self, values: &BTreeMap<&str, Vec<Value>>) {
        for rule in self.rules.values() {
            let What::Shown(see) = rule.what else { continue };
            let all = &values[rule.path.as_str()];
            let alone = rule.path.contains("[]") || rule.path == "parameters" || !rule.told.is_empty();
            let these = if alone { all.as_slice() } else { &all[..all.len().min(1)] };
            if all.is_empty() {
                self.fail(&rule.path, &Value::Null, "the rule has no good value");
            }
            for value in these {
                self.count.attempts += 1;
                self.single(rule, value, see).await;
            }
            self.back(&rule.path, these.last().unwrap_or(&Value::Null)).await;
        }
        self.optional_blocks().await;
    }

    async fn single(&mut self, rule: &Rule, value: &Value, see: See) {
        let spec = with(&base(), rule, value.clone());
        match self.env.change(NAME, &spec).await {
            End::Ready if see(&Seen::of(self.env, NAME).await, value) => self.count.converged += 1,
            End::Ready => self.fail(&rule.path, value, "Ready, but it does not show"),
            End::Told(reason, message) if rule.told.contains(&reason.as_str()) && message.len() > 20 => {
                self.count.told += 1
            }
            other => self.fail(&rule.path, value, format!("{other:?}")),
        }
    }

    /// Takes everything back: the world is the base's again.
    async fn back(&mut self, path: &str, value: &Value) {
        let end = self.env.change(NAME, &base()).await;
        let now = Seen::of(self.env, NAME).await.lasting();
        if end != End::Ready {
            self.fail(path, value, format!("not taken back: {end:?}"));
        } else if now != self.unchanged {
            let mut traces = Vec::new();
            differences("", &self.unchanged, &now, &mut traces);
            self.fail(path, value, format!("leaves a trace: {}", traces.join("; ")));
            // Told once: the next field is measured against what is there now.
            self.unchanged = now;
        }
    }

    /// Blocks that the base has and could do without.
    async fn optional_blocks(&mut self) {
        let mut spec = base();
        set(&mut spec, "modelTrigger", json!({"enabled": false}));
        self.count.attempts += 1;
        let end = self.env.change(NAME, &spec).await;
        match (end, Seen::of(self.env, NAME).await.trigger()) {
            (End::Ready, Value::Null) => self.count.converged += 1,
            (end, stack) => {
                self.fail("modelTrigger.enabled", &json!(false), format!("{end:?}, and the stack is {}", short(stack)))
            }
        }
        self.back("modelTrigger.enabled", &json!(false)).await;
    }

    pub async fn suspended(&mut self) {
        let mut spec = base();
        spec["suspend"] = json!(true);
        spec["description"] = json!("not to be seen");
        self.count.attempts += 1;
        match self.env.change(NAME, &spec).await {
            End::Told(reason, _) if reason == "Suspended" => self.count.told += 1,
            other => self.fail("suspend", &json!(true), format!("{other:?}")),
        }
        self.back("suspend", &json!(true)).await;
    }

    /// What cannot change is refused, set, changed or unset.
    pub async fn fixed(&mut self, values: &BTreeMap<&str, Vec<Value>>) {
        for rule in self.rules.values() {
            let What::Fixed(sentence, _) = rule.what else { continue };
            let other = match rule.path.as_str() {
                "platform.aws.region" => json!("eu-central-1"),
                "platform.aws.accountId" => json!("999999999999"),
                path => values[path][0].clone(),
            };
            self.count.attempts += 1;
            match self.env.would_change(NAME, &with(&base(), rule, other.clone())).await {
                Err(said) if said.contains(sentence) => self.count.refused += 1,
                answer => self.fail(&rule.path, &other, format!("expected `{sentence}`, got {answer:?}")),
            }
        }
    }

    /// New objects with what cannot change later; they go again without a trace.
    pub async fn anew(&mut self, values: &BTreeMap<&str, Vec<Value>>) {
        let mut cases = Vec::new();
        for rule in self.rules.values() {
            let What::Fixed(_, see) = rule.what else { continue };
            cases.extend(values[rule.path.as_str()].iter().map(|value| (rule, value, see)));
        }
        let env = self.env;
        let ends = futures::stream::iter(cases.into_iter().enumerate()).map(|(n, (rule, value, see))| async move {
            let name = format!("anew-{n}");
            let mut spec = base();
            set(&mut spec, "jenkins.folder", json!(name));
            let end = env.create(&name, &with(&spec, rule, value.clone())).await;
            let shows = see(&Seen::of(env, &name).await, value);
            (rule, value, end, shows, env.delete(&name).await)
        });
        let ends: Vec<_> = ends.buffered(4).collect().await;
        for (rule, value, end, shows, gone) in ends {
            self.count.attempts += 1;
            match end {
                End::Ready if shows => self.count.converged += 1,
                End::Told(reason, _) if rule.told.contains(&reason.as_str()) => self.count.told += 1,
                other => self.fail(&rule.path, value, format!("{other:?}, shows: {shows}")),
            }
            if let Err(reason) = gone {
                self.fail(&rule.path, value, reason);
            }
        }
        if Seen::of(self.env, NAME).await.lasting() != self.unchanged {
            self.fail("platform", &Value::Null, "projects that came and went left a trace");
        }
    }
}
