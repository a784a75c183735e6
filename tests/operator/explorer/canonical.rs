//! The end of a story in a form that two stories can be compared in: no times, and in the place of each generated id a
//! colour that says where the id stands. Two worlds with the same resources, contents and references look the same,
//! whatever their ids are; one thing more or less, or a reference to another thing, shows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use jiff::Timestamp;
use mlops_sandbox::world::Ids;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::harness::operator::{ACCOUNT, Harness, REGION};

/// How many ids a world may have made for them to be known as such; a story makes some hundred.
const IDS: usize = 3000;
/// How much of an id is enough to know it: names are cut off by CloudFormation.
const PREFIX: usize = 6;

/// AWS, Jenkins and the Kubernetes objects of a harness.
pub fn canonical(harness: &Harness) -> Value {
    let mut world = harness.sandbox.world(|world| {
        // The region is there from the first look at it on.
        world.region(ACCOUNT, REGION);
        world.dump()
    });
    world.as_object_mut().unwrap().remove("now");
    let names = |plural: &str| -> Vec<Value> {
        harness.kubernetes.objects(plural).iter().map(|object| object["metadata"]["name"].clone()).collect()
    };
    let whole = json!({
        "world": world,
        "object": harness.object().map(object),
        "platform": harness.kubernetes.object("mlopsplatforms", "", "main").map(object),
        "secrets": names("secrets"),
        "configmaps": names("configmaps"),
    });
    let mut colours = Colours::new();
    for _ in 0..2 {
        let mut seen = BTreeMap::new();
        contexts(&whole, "", &colours, &mut seen);
        colours = seen.into_iter().map(|(id, contexts)| (id, colour(&contexts))).collect();
    }
    redrawn(&whole, &colours)
}

/// What is the same in two lives of an object.
fn object(mut object: Value) -> Value {
    let metadata = object["metadata"].as_object_mut().unwrap();
    for of_the_server in ["resourceVersion", "uid", "creationTimestamp", "managedFields", "generation"] {
        metadata.remove(of_the_server);
    }
    if let Some(status) = object["status"].as_object_mut() {
        // A notebook for the next pass, not a statement: what it announces is compared itself.
        status.remove("intents");
        status.remove("observedGeneration");
    }
    for condition in object["status"]["conditions"].as_array_mut().into_iter().flatten() {
        condition.as_object_mut().unwrap().remove("observedGeneration");
    }
    object
}

type Colours = BTreeMap<String, String>;

fn colour(contexts: &BTreeSet<String>) -> String {
    let mut digest = Sha256::new();
    contexts.iter().for_each(|context| digest.update(context));
    hex::encode(digest.finalize())[..6].to_owned()
}

/// Where each id stands: the path to it and the text around it.
fn contexts(value: &Value, path: &str, colours: &Colours, seen: &mut BTreeMap<String, BTreeSet<String>>) {
    let mut note = |text: &str, path: &str| {
        for id in words(text).into_iter().filter_map(generated) {
            let around = text.replace(&id.shown, "<this>");
            let context = format!("{path} {}", repainted(&around, colours));
            seen.entry(id.whole).or_default().insert(context);
        }
    };
    match value {
        Value::String(text) => note(text, path),
        Value::Array(items) => items.iter().for_each(|item| contexts(item, path, colours, seen)),
        Value::Object(fields) => {
            fields.keys().for_each(|key| note(key, path));
            for (key, item) in fields {
                contexts(item, &format!("{path}/{}", repainted(key, colours)), colours, seen);
            }
        }
        _ => {}
    }
}

/// The value with colours for ids, arrays sorted (lists of AWS have no order) and fields of the same masked name
/// gathered.
fn redrawn(value: &Value, colours: &Colours) -> Value {
    match value {
        Value::String(text) if is_time(text) => json!("<time>"),
        // Made so at once, or brought there by an update: the same in the end.
        Value::String(text) if text == "UpdateCompleted" => json!("CreateCompleted"),
        Value::String(text) if text == "UPDATE_COMPLETE" => json!("CREATE_COMPLETE"),
        Value::String(text) => json!(repainted(text, colours)),
        Value::Array(items) => {
            let mut items: Vec<_> = items.iter().map(|item| redrawn(item, colours)).collect();
            items.sort_by_key(Value::to_string);
            if items.iter().all(is_version) {
                // The same contents uploaded again, since they could not be seen yet, are the same contents.
                items.dedup();
            }
            Value::Array(items)
        }
        Value::Object(fields) => {
            let mut drawn: BTreeMap<String, Vec<Value>> = BTreeMap::new();
            for (key, item) in fields {
                let item = match key.as_str() {
                    _ if is_moment(key, item) => json!("<time>"),
                    "versionId" => json!("<version>"),
                    key if key.contains("/routes/") => redrawn(&without_sums(item), colours),
                    _ => redrawn(item, colours),
                };
                drawn.entry(repainted(key, colours)).or_default().push(item);
            }
            let one = |(key, mut items): (String, Vec<Value>)| {
                items.sort_by_key(Value::to_string);
                let item = if items.len() == 1 { items.remove(0) } else { Value::Array(items) };
                (key, item)
            };
            Value::Object(drawn.into_iter().map(one).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// Versions of an object in whose contents ids occur: their sums say nothing.
fn without_sums(versions: &Value) -> Value {
    let mut versions = versions.clone();
    for version in versions.as_array_mut().into_iter().flatten().filter(|version| version["sha256"].is_string()) {
        version["sha256"] = json!("<of ids>");
    }
    versions
}

/// Whether this is a version of an object in S3.
fn is_version(value: &Value) -> bool {
    value.get("versionId").is_some() && value.get("sha256").is_some()
}

/// Seconds since 1970.
fn is_moment(field: &str, value: &Value) -> bool {
    field == "LastModified" && value.is_number()
}

fn is_time(text: &str) -> bool {
    text.len() >= 20
        && text.starts_with("20")
        && (text.parse::<Timestamp>().is_ok() || text.contains("T") && text.ends_with("+0000"))
}

/// A generated id in a text.
struct Generated {
    /// As it stands there.
    shown: String,
    /// Whole and in small letters.
    whole: String,
}

/// Runs of letters and digits, and UUIDs whole. What an address has encoded (`%2F`) is no part of one.
fn words(text: &str) -> Vec<&str> {
    let (mut words, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let is_sign = |sign: char| sign.is_ascii_alphanumeric();
        let run = rest.find(|sign| !is_sign(sign)).unwrap_or(rest.len());
        let taken = rest.get(..36).filter(|start| run == 8 && is_uuid(start)).map_or(run, str::len);
        if taken >= PREFIX {
            words.push(&rest[..taken]);
        }
        let next = taken + rest[taken..].find(is_sign).unwrap_or(rest.len() - taken);
        let encoded = if next > taken && rest[..next].ends_with('%') { 2 } else { 0 };
        rest = rest.get(next + encoded..).unwrap_or_default();
    }
    words
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|sign| sign.is_ascii_hexdigit()))
}

fn generated(word: &str) -> Option<Generated> {
    static KNOWN: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let (mut plain, mut uuids) = (Ids::default(), Ids::default());
        let mut all = Vec::new();
        for _ in 0..IDS {
            all.push(plain.next(32));
            all.push(uuids.uuid());
        }
        all.into_iter().map(|id| (id[..PREFIX].to_owned(), id)).collect()
    });
    let small = word.to_ascii_lowercase();
    let is_fingerprint = word.len() == 32 && word.bytes().all(|sign| sign.is_ascii_hexdigit());
    if is_fingerprint {
        // Of contents in which ids occur, or the id of a version of an S3 object.
        return Some(Generated { shown: word.to_owned(), whole: small });
    }
    let whole = known.get(&small[..PREFIX]).filter(|whole| whole.starts_with(&small))?;
    Some(Generated { shown: word.to_owned(), whole: whole.clone() })
}

fn repainted(text: &str, colours: &Colours) -> String {
    let mut shown = text.to_owned();
    for id in words(text).into_iter().filter_map(generated) {
        let colour = colours.get(&id.whole).map_or("", String::as_str);
        shown = shown.replace(&id.shown, &format!("<{colour}>"));
    }
    shown
}

/// Whether what was found is what was expected.
///
/// # Errors
/// Their difference, for people.
pub fn agree(expected: &Value, found: &Value) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(difference(expected, found)) }
}

/// The first lines that one end has more often than the other.
pub fn difference(expected: &Value, found: &Value) -> String {
    let lines = |value: &Value| -> Vec<String> {
        let text = serde_json::to_string_pretty(value).unwrap();
        text.lines().map(|line| line.chars().take(240).collect()).collect()
    };
    let (expected, found) = (lines(expected), lines(found));
    let more = |here: &[String], there: &[String], sign: char| -> Vec<String> {
        let mut left: BTreeMap<&str, usize> = BTreeMap::new();
        there.iter().for_each(|line| *left.entry(line).or_default() += 1);
        let extra = here.iter().filter(|line| match left.get_mut(line.as_str()) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        });
        extra.take(12).map(|line| format!("{sign} {line}")).collect()
    };
    let shown = [more(&expected, &found, '-'), more(&found, &expected, '+')].concat();
    format!("{} lines instead of {}:\n{}", found.len(), expected.len(), shown.join("\n"))
}
