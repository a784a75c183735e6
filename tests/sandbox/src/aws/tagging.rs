//! The Resource Groups Tagging API: what in a region bears which tags. It stands alone because it asks all services. It must
//! not change a tag; `retagging` does.
//!
//! Rules: the API reference of GetResources, GetTagKeys and GetTagValues; they know all types but IAM's users and roles
//! ("Services that support the Resource Groups Tagging API"). Where AWS also lists what bore tags once, here only what bears
//! some now is listed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::page::cut;
use super::{Call, Outcome, Refusal};
use crate::world::World;

/// What a service gives: ARNs with their tags.
pub(in crate::aws) type Tagged = Vec<(String, BTreeMap<String, String>)>;

/// Resources of one page where the call does not say; it may say up to 100.
const PAGE: usize = 50;
const MOST: usize = 100;
/// Filters of a call, values of a filter, ARNs of a call, types of a call.
const LIMITS: [(&str, usize); 3] = [("TagFilters", 50), ("ResourceARNList", 100), ("ResourceTypeFilters", 100)];
const VALUES: usize = 20;

/// Answers one call.
pub fn call(world: &mut World, call: &Call<'_>) -> Outcome {
    match call.operation {
        "GetResources" => resources(world, call),
        "GetTagKeys" => {
            let keys = all(world, call).into_iter().flat_map(|(_, tags)| tags.into_keys());
            texts(call, "TagKeys", keys.collect())
        }
        "GetTagValues" => {
            let key = call.text("Key");
            if key.is_empty() {
                return Err(invalid("Key must have 1 to 128 characters"));
            }
            let values = all(world, call).into_iter().filter_map(|(_, mut tags)| tags.remove(key));
            texts(call, "TagValues", values.collect())
        }
        "TagResources" => super::retagging::tag(world, call),
        "UntagResources" => super::retagging::untag(world, call),
        other => {
            let message = format!("The sandbox's Resource Groups Tagging API has no {other}");
            Err(Refusal::new("UnknownOperationException", message))
        }
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterException", message)
}

/// Everything in the region that bears a tag, by ARN.
fn all(world: &mut World, call: &Call<'_>) -> Tagged {
    let (account, region) = (&call.caller.account, call.region);
    let buckets = world.s3.tagged(account, region);
    let here = world.region(account, region);
    let services = [
        buckets,
        here.catalog.tagged(),
        here.sagemaker.tagged(),
        here.cloudformation.tagged(),
        here.secrets.tagged(),
        here.connections.tagged(),
        here.events.tagged(),
        here.lambda.tagged(),
        here.codebuild.tagged(),
        here.sqs.tagged(),
    ];
    let mut found: Tagged = services.into_iter().flatten().filter(|(_, tags)| !tags.is_empty()).collect();
    found.sort();
    found
}

fn resources(world: &mut World, call: &Call<'_>) -> Outcome {
    check(call)?;
    let (filters, types, arns) =
        (call.list("TagFilters"), call.list("ResourceTypeFilters"), call.list("ResourceARNList"));
    let wanted = |arn: &str, tags: &BTreeMap<String, String>| {
        filters.iter().all(|filter| bears(tags, filter))
            && (types.is_empty() || types.iter().filter_map(Value::as_str).any(|one| is_of_type(arn, one)))
            && (arns.is_empty() || arns.iter().any(|one| one == arn))
    };
    let found: Vec<(String, Value)> = all(world, call)
        .into_iter()
        .filter(|(arn, tags)| wanted(arn, tags))
        .map(|(arn, tags)| {
            let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
            (arn.clone(), json!({"ResourceARN": arn, "Tags": tags}))
        })
        .collect();
    let after = call.text("PaginationToken");
    let size = match (number(call, "ResourcesPerPage"), number(call, "TagsPerPage")) {
        (_, Some(tags)) => fitting(&found, after, tags)?,
        (size, None) => size.unwrap_or(PAGE),
    };
    let size = if arns.is_empty() { size } else { MOST };
    let page = cut("GetResources", found, size, after).ok_or_else(wrong_token)?;
    Ok(json!({"ResourceTagMappingList": page.items, "PaginationToken": page.next.unwrap_or_default()}))
}

fn wrong_token() -> Refusal {
    invalid("The PaginationToken is not one that was given out")
}

/// How many resources of the page have no more tags together than asked for; one at least.
fn fitting(found: &[(String, Value)], after: &str, most: usize) -> Result<usize, Refusal> {
    let rest = cut("GetResources", found.to_vec(), usize::MAX, after).ok_or_else(wrong_token)?;
    let mut sum = 0;
    let fits = rest.items.iter().take_while(|one| {
        sum += one["Tags"].as_array().map_or(0, Vec::len);
        sum <= most
    });
    Ok(fits.count().max(1))
}

fn number(call: &Call<'_>, member: &str) -> Option<usize> {
    call.input.get(member).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok())
}

/// Refuses what cannot be asked together, or at all.
fn check(call: &Call<'_>) -> Result<(), Refusal> {
    let given = |member: &str| match call.input.get(member) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(_) => true,
    };
    let others = ["TagFilters", "ResourceTypeFilters", "ResourcesPerPage", "TagsPerPage", "PaginationToken"];
    if given("ResourceARNList")
        && let Some(other) = others.into_iter().find(|other| given(other))
    {
        return Err(invalid(format!("ResourceARNList and {other} cannot be given together")));
    }
    for (member, most) in LIMITS {
        if call.list(member).len() > most {
            return Err(invalid(format!("{member} can have {most} members at most")));
        }
    }
    for (member, least, most) in [("ResourcesPerPage", 1, MOST), ("TagsPerPage", 100, 500)] {
        if given(member) && !number(call, member).is_some_and(|number| (least..=most).contains(&number)) {
            return Err(invalid(format!("{member} must be from {least} to {most}")));
        }
    }
    for filter in call.list("TagFilters") {
        if filter["Key"].as_str().is_none_or(str::is_empty)
            || filter["Values"].as_array().is_some_and(|all| all.len() > VALUES)
        {
            return Err(invalid(format!("A tag filter has a key, and {VALUES} values at most")));
        }
    }
    for member in ["IncludeComplianceDetails", "ExcludeCompliantResources"] {
        if call.input.get(member) == Some(&json!(true)) {
            return Err(invalid(format!("The sandbox has no tag policies: {member} must be false")));
        }
    }
    Ok(())
}

/// Whether there is a tag of the filter's key with one of its values; without values any will do.
fn bears(tags: &BTreeMap<String, String>, filter: &Value) -> bool {
    let Some(value) = filter["Key"].as_str().and_then(|key| tags.get(key)) else { return false };
    let values = filter["Values"].as_array().map_or(&[][..], Vec::as_slice);
    values.is_empty() || values.iter().any(|one| one == value)
}

/// Whether an ARN is of a type, `service[:resourceType]`, both as they stand in it. A bucket's ARN has no type; it is
/// `s3:bucket` (API reference, `ResourceTypeFilters`).
fn is_of_type(arn: &str, wanted: &str) -> bool {
    let (service, rest) = wanted.split_once(':').unwrap_or((wanted, ""));
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let (Some(own), Some(resource)) = (parts.get(2), parts.get(5)) else { return false };
    let kind = match resource.split_once([':', '/']) {
        Some((kind, _)) => kind,
        None if *own == "s3" => "bucket",
        None => "",
    };
    service == *own && (rest.is_empty() || rest == kind)
}

/// All in one page.
fn texts(call: &Call<'_>, member: &str, texts: BTreeSet<String>) -> Outcome {
    match call.text("PaginationToken") {
        "" => Ok(json!({member: texts, "PaginationToken": ""})),
        _ => Err(wrong_token()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::aws::dispatch::administrator;
    use crate::aws::{cloudformation, events, sagemaker, secrets_manager, service_catalog, sqs};
    use crate::world::Settings;

    use super::*;

    type Answers = fn(&mut World, &Call<'_>) -> Outcome;

    struct Bench(World);

    impl Bench {
        fn send(&mut self, service: Answers, operation: &str, input: &Value) -> Outcome {
            let caller = administrator("111122223333");
            service(&mut self.0, &Call { operation, input, caller: &caller, region: "eu-west-1" })
        }

        fn new() -> Self {
            let mut bench = Self(World::new(Settings::default(), jiff::Timestamp::UNIX_EPOCH));
            let list = |team: &str| json!([{"Key": "team", "Value": team}, {"Key": "stage", "Value": "test"}]);
            let queue = |name: &str, team: &str| json!({"QueueName": name, "tags": {"team": team}});
            let pattern = "{\"source\":[\"s\"]}";
            let template = "Resources: {Q: {Type: 'AWS::SQS::Queue', Properties: {QueueName: inside}}}";
            let rows: [(Answers, &str, Value); 8] = [
                (sqs::call, "CreateQueue", queue("a", "one")),
                (sqs::call, "CreateQueue", queue("b", "two")),
                (sqs::call, "CreateQueue", json!({"QueueName": "bare"})),
                (events::call, "PutRule", json!({"Name": "r", "EventPattern": pattern, "Tags": list("one")})),
                (
                    secrets_manager::call,
                    "CreateSecret",
                    json!({"Name": "s", "SecretString": "x", "ClientRequestToken": "t".repeat(32), "Tags": list("two")}),
                ),
                (
                    sagemaker::call,
                    "CreateModelPackageGroup",
                    json!({"ModelPackageGroupName": "g", "Tags": list("one")}),
                ),
                (
                    service_catalog::call,
                    "CreatePortfolio",
                    json!({"DisplayName": "p", "ProviderName": "p", "IdempotencyToken": "t", "Tags": list("one")}),
                ),
                (
                    cloudformation::call,
                    "CreateStack",
                    json!({"StackName": "s", "TemplateBody": template, "Tags": list("one")}),
                ),
            ];
            for (service, operation, input) in rows {
                bench.send(service, operation, &input).unwrap();
            }
            let later = bench.0.after(std::time::Duration::from_secs(60));
            bench.0.advance(later);
            bench
        }

        /// The last parts of the ARNs found.
        fn found(&mut self, input: &Value) -> Vec<String> {
            let list = self.send(call, "GetResources", input).unwrap()["ResourceTagMappingList"].clone();
            list.as_array().unwrap().iter().map(|one| one["ResourceARN"].as_str().unwrap().to_owned()).collect()
        }
    }

    #[test]
    fn resources_are_found_by_their_tags_and_types() {
        let tag = |key: &str, values: &[&str]| json!({"Key": key, "Values": values});
        let queue = |name: &str| format!("arn:aws:sqs:eu-west-1:111122223333:{name}");
        #[rustfmt::skip]
        let rows = [
            ("all", json!({}), 8),
            ("a key", json!({"TagFilters": [tag("stage", &[])]}), 6),
            ("a value", json!({"TagFilters": [tag("team", &["two"])]}), 2),
            ("one of two values", json!({"TagFilters": [tag("team", &["one", "two"])]}), 8),
            ("two keys", json!({"TagFilters": [tag("team", &["two"]), tag("stage", &["test"])]}), 1),
            ("a key that nothing bears", json!({"TagFilters": [tag("nothing", &[])]}), 0),
            ("a service", json!({"ResourceTypeFilters": ["sqs"]}), 3),
            ("two types", json!({"ResourceTypeFilters": ["events:rule", "cloudformation:stack"]}), 2),
            ("a portfolio, whose ARN names the catalog", json!({"ResourceTypeFilters": ["catalog:portfolio"]}), 1),
            ("another type of a service", json!({"ResourceTypeFilters": ["events:event-bus"]}), 0),
            ("ARNs, of which one bears no tag and one is not there", json!({"ResourceARNList": [queue("a"), queue("bare"), queue("none")]}), 1),
        ];
        for (case, input, count) in rows {
            let mut bench = Bench::new();
            let found = bench.found(&input);
            assert_eq!(found.len(), count, "{case}: {found:?}");
        }
    }

    #[test]
    fn pages_are_by_resources_or_by_tags() {
        let mut bench = Bench::new();
        let everything = bench.found(&json!({}));
        for (case, size, first) in
            [("three resources", json!({"ResourcesPerPage": 3}), 3), ("100 tags", json!({"TagsPerPage": 100}), 8)]
        {
            let mut seen = Vec::new();
            let mut input = size;
            loop {
                let page = bench.send(call, "GetResources", &input).unwrap();
                let list = page["ResourceTagMappingList"].as_array().unwrap();
                assert!(seen.len() >= first || list.len() == first, "{case}");
                seen.extend(list.iter().map(|one| one["ResourceARN"].as_str().unwrap().to_owned()));
                if page["PaginationToken"] == "" {
                    break;
                }
                input["PaginationToken"] = page["PaginationToken"].clone();
            }
            assert_eq!(seen, everything, "{case}");
        }
        let few: Vec<(String, Value)> = (0..3).map(|n| (n.to_string(), json!({"Tags": [1, 2, 3, 4]}))).collect();
        let rows = [("all fit", 12, 3), ("one does not", 11, 2), ("not even the first", 3, 1)];
        for (case, most, count) in rows {
            assert_eq!(fitting(&few, "", most).unwrap(), count, "{case}");
        }
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        let arn = "arn:aws:sqs:eu-west-1:111122223333:a";
        let filters: Vec<Value> = (0..51).map(|n| json!({"Key": n.to_string()})).collect();
        #[rustfmt::skip]
        let rows = [
            ("ARNs and types", "GetResources", json!({"ResourceARNList": [arn], "ResourceTypeFilters": ["sqs"]})),
            ("ARNs and pages", "GetResources", json!({"ResourceARNList": [arn], "ResourcesPerPage": 1})),
            ("pages of none", "GetResources", json!({"ResourcesPerPage": 0})),
            ("pages of 99 tags", "GetResources", json!({"TagsPerPage": 99})),
            ("a token that was not given out", "GetResources", json!({"PaginationToken": "x"})),
            ("51 filters", "GetResources", json!({"TagFilters": filters})),
            ("a filter without a key", "GetResources", json!({"TagFilters": [{"Values": ["x"]}]})),
            ("tag policies", "GetResources", json!({"IncludeComplianceDetails": true})),
            ("values of no key", "GetTagValues", json!({})),
        ];
        for (case, operation, input) in rows {
            let refused = Bench::new().send(call, operation, &input).unwrap_err();
            assert_eq!(refused.code, "InvalidParameterException", "{case}");
        }
    }

    #[test]
    fn keys_and_values_in_use_are_listed_once() {
        let mut bench = Bench::new();
        assert_eq!(bench.send(call, "GetTagKeys", &json!({})).unwrap()["TagKeys"], json!(["stage", "team"]));
        let values = bench.send(call, "GetTagValues", &json!({"Key": "team"})).unwrap();
        assert_eq!(values["TagValues"], json!(["one", "two"]));
    }
}
