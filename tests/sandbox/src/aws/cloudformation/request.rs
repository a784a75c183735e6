//! What a request must fulfil before anything starts: names, the template's text, capabilities, the role, and the
//! client token.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::evaluate::{Scope, partition};
use super::exports;
use super::order::{self, Dependencies};
use super::parameters;
use super::resources;
use super::rules;
use super::stack::{Applied, Stack};
use super::template::{Template, scalar, texts};
use crate::aws::iam::{Source, Trust};
use crate::aws::{Call, Caller, Refusal, s3};
use crate::world::World;

/// How many templates a thread keeps.
const MOST_KEPT: usize = 50;

/// A refusal in CloudFormation's usual code.
pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationError", message)
}

/// Refuses members that are not known here, so that none is silently ignored.
pub(super) fn only(call: &Call<'_>, known: &[&str]) -> Result<(), Refusal> {
    let given = call.input.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    match given.map(|(key, _)| key).find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(invalid(format!("{key} is not known here"))),
        None => Ok(()),
    }
}

/// The stack's name, checked by the API model's pattern and length.
pub(super) fn new_name<'a>(call: &Call<'a>) -> Result<&'a str, Refusal> {
    let name = named(call)?;
    check_name("stackName", name).map(|()| name)
}

/// Refuses a name of a stack or a change set that does not fit the API model's pattern and length.
pub(super) fn check_name(member: &str, name: &str) -> Result<(), Refusal> {
    let mut signs = name.chars();
    let well_formed = signs.next().is_some_and(|sign| sign.is_ascii_alphabetic())
        && signs.all(|sign| sign.is_ascii_alphanumeric() || sign == '-');
    let constraint = match () {
        () if !well_formed => "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*",
        () if name.len() > 128 => "Member must have length less than or equal to 128",
        () => return Ok(()),
    };
    Err(invalid(format!(
        "1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: {constraint}"
    )))
}

/// The name or id of a stack in a request.
pub(super) fn named<'a>(call: &Call<'a>) -> Result<&'a str, Refusal> {
    match call.input.get("StackName").and_then(Value::as_str).unwrap_or_default() {
        "" => Err(invalid(
            "1 validation error detected: Value null at 'stackName' failed to satisfy constraint: Member must not be null",
        )),
        name => Ok(name),
    }
}

/// A flag that the query protocol gives as text and other services of the sandbox as a flag.
pub(super) fn flag(call: &Call<'_>, member: &str) -> Option<bool> {
    call.input.get(member).and_then(scalar).map(|text| text == "true")
}

/// A list of texts. The query protocol writes an empty one as an empty text, whose one item is not an empty text.
pub(super) fn listed(call: &Call<'_>, member: &str) -> Vec<String> {
    call.input
        .get(member)
        .filter(|value| value.as_str() != Some(""))
        .map(|value| texts(Some(value)))
        .unwrap_or_default()
}

/// The template's text: in the request, or in S3 by the caller's own rights; none where the request names none.
pub(super) fn template_text(world: &mut World, call: &Call<'_>) -> Result<Option<String>, Refusal> {
    let (body, url) = (call.text("TemplateBody"), call.text("TemplateURL"));
    match (body.is_empty(), url.is_empty()) {
        (true, true) => Ok(None),
        (false, false) => Err(invalid("Only one of Template URL or Template Body may be specified.")),
        (false, true) if body.len() > 51_200 => Err(invalid(format!(
            "1 validation error detected: Value '{}...' at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200",
            body.chars().take(40).collect::<String>()
        ))),
        (false, true) => Ok(Some(body.to_owned())),
        (true, false) => fetch(world, call, url).map(Some),
    }
}

fn fetch(world: &mut World, call: &Call<'_>, url: &str) -> Result<String, Refusal> {
    let unsupported = || invalid("TemplateURL must be a supported URL.");
    let (bucket, key) = location(url, call.region).ok_or_else(unsupported)?;
    let request = Request::builder()
        .method(Method::GET)
        .uri(format!("/{bucket}/{key}"))
        .body(Bytes::new())
        .map_err(|_| unsupported())?;
    let response = s3::handle(world, call.caller, call.region, &request);
    let text = String::from_utf8_lossy(response.body()).into_owned();
    match response.status().as_u16() {
        200 if text.len() > 1_048_576 => Err(invalid("Template may not exceed 1000000 bytes in size.")),
        200 => Ok(text),
        404 if text.contains("NoSuchBucket") => Err(invalid(
            "S3 error: The specified bucket does not exist\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
        )),
        404 => Err(invalid(
            "S3 error: The specified key does not exist.\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
        )),
        _ => Err(invalid(
            "S3 error: Access Denied\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
        )),
    }
}

/// Bucket and key of an S3 URL, virtual-hosted or path style.
fn location(url: &str, region: &str) -> Option<(String, String)> {
    let (host, path) = url.strip_prefix("https://")?.split_once('/')?;
    let domain = host.strip_suffix(partition(region).1)?.trim_end_matches('.');
    if let Some((bucket, _)) = domain.split_once(".s3.").or_else(|| domain.split_once(".s3-")) {
        return Some((bucket.to_owned(), path.to_owned()));
    }
    if let Some(bucket) = domain.strip_suffix(".s3") {
        return Some((bucket.to_owned(), path.to_owned()));
    }
    let whole = domain == "s3" || domain.starts_with("s3.") || domain.starts_with("s3-");
    let (bucket, key) = path.split_once('/').filter(|_| whole)?;
    Some((bucket.to_owned(), key.to_owned()))
}

/// The same as [`parsed`], for a stack: thousands may be made from one text, and share what was read from it.
fn shared(text: &str) -> Result<Arc<Template>, Refusal> {
    thread_local!(static KEPT: RefCell<Vec<Arc<Template>>> = const { RefCell::new(Vec::new()) });
    KEPT.with_borrow_mut(|kept| {
        if let Some(known) = kept.iter().find(|one| one.text == text) {
            return Ok(Arc::clone(known));
        }
        let made = Arc::new(parsed(text)?);
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.push(Arc::clone(&made));
        Ok(made)
    })
}

/// Parses a template and checks what can be checked without parameters.
pub(super) fn parsed(text: &str) -> Result<Template, Refusal> {
    let template = Template::parse(text).map_err(invalid)?;
    let mut unknown: Vec<&str> = template
        .resources
        .values()
        .map(|resource| resource.kind.as_str())
        .filter(|kind| resources::find(kind).is_none())
        .collect();
    unknown.dedup();
    if !unknown.is_empty() {
        return Err(invalid(format!("Template format error: Unrecognized resource types: [{}]", unknown.join(", "))));
    }
    rules::check(&template).map_err(invalid)?;
    order::check(&template).map_err(invalid)?;
    exports::check(&template).map_err(invalid)?;
    Ok(template)
}

/// Capabilities that the template needs, with what needs them.
pub(super) fn needed_capabilities(template: &Template) -> (Vec<&'static str>, Vec<&str>) {
    let iam = template.resources.values().filter(|resource| resource.kind.starts_with("AWS::IAM::"));
    let mut kinds: Vec<&str> = iam.clone().map(|resource| resource.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let named = iam.clone().any(|resource| resource.properties.get("RoleName").is_some());
    let mut needed = Vec::new();
    if !kinds.is_empty() {
        needed.push(if named { "CAPABILITY_NAMED_IAM" } else { "CAPABILITY_IAM" });
    }
    if !template.transforms.is_empty() {
        needed.push("CAPABILITY_AUTO_EXPAND");
    }
    (needed, kinds)
}

fn check_capabilities(template: &Template, given: &[String]) -> Result<(), Refusal> {
    let has = |capability: &str| given.iter().any(|one| one == capability);
    let (needed, _) = needed_capabilities(template);
    let missing: Vec<&str> = needed
        .into_iter()
        .filter(|capability| !(has(capability) || *capability == "CAPABILITY_IAM" && has("CAPABILITY_NAMED_IAM")))
        .collect();
    if !missing.is_empty() {
        return Err(Refusal::new(
            "InsufficientCapabilitiesException",
            format!("Requires capabilities : [{}]", missing.join(", ")),
        ));
    }
    match template.transforms.first() {
        Some(transform) => Err(invalid(format!("No transform named {transform} found: transforms are not known here"))),
        None => Ok(()),
    }
}

/// The tags of a request; absent: none are given.
pub(super) fn tags(call: &Call<'_>) -> Result<Option<BTreeMap<String, String>>, Refusal> {
    let list = match call.input.get("Tags") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(list)) => list.as_slice(),
        // The query protocol writes an empty list as an empty text.
        Some(_) => &[],
    };
    let mut tags = BTreeMap::new();
    for tag in list {
        let (key, value) = (tag["Key"].as_str().unwrap_or_default(), tag["Value"].as_str().unwrap_or_default());
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(invalid(format!(
                "1 validation error detected: the tag '{key}' must have a key of 1 to 128 and a value of at most 256 characters"
            )));
        }
        if key.starts_with("aws:") {
            return Err(invalid("aws: prefixed tag key names are not allowed for external use."));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(invalid(format!("Duplicate tag key {key}")));
        }
    }
    if tags.len() > 50 {
        return Err(invalid(
            "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50",
        ));
    }
    Ok(Some(tags))
}

/// Everything a stack is made from, put together from the request and, on update, from what it is made from now.
pub(super) fn applied(world: &mut World, call: &Call<'_>, before: Option<&Applied>) -> Result<Applied, Refusal> {
    let keep = flag(call, "UsePreviousTemplate") == Some(true);
    let text = match (template_text(world, call)?, before) {
        (Some(text), _) if !keep => text,
        (None, Some(before)) if keep => before.template.text.clone(),
        (Some(_), _) => {
            return Err(invalid("You cannot specify both usePreviousTemplate and Template Body/Template URL."));
        }
        (None, _) => return Err(invalid("Either Template URL or Template Body must be specified.")),
    };
    let template = shared(&text)?;
    let capabilities = listed(call, "Capabilities");
    let parameters = parameters::resolve(&template, call.list("Parameters"), before.map(|before| &before.parameters))
        .map_err(invalid)?;
    check_capabilities(&template, &capabilities)?;
    let tags = tags(call)?.or_else(|| before.map(|before| before.tags.clone())).unwrap_or_default();
    let notification_arns = match (call.input.get("NotificationARNs"), before) {
        (None | Some(Value::Null), Some(before)) => before.notification_arns.clone(),
        _ => listed(call, "NotificationARNs"),
    };
    Ok(Applied { template, parameters, tags, capabilities, notification_arns })
}

/// The dependencies of what a stack is to be; refuses what breaks the template's own rules or does not resolve.
pub(super) fn dependencies(stack: &Stack) -> Result<Dependencies, Refusal> {
    let pseudo = stack.pseudo();
    let scope = Scope::new(&stack.applied.template, &stack.applied.parameters, &pseudo).map_err(invalid)?;
    rules::judge(&scope).map_err(invalid)?;
    order::dependencies(&scope).map_err(invalid)
}

/// Who acts for a stack: its role, which CloudFormation must be able to assume, or the caller.
pub(super) fn actor(world: &World, call: &Call<'_>, role_arn: Option<&str>) -> Result<Caller, Refusal> {
    let Some(role_arn) = role_arn else { return Ok(call.caller.clone()) };
    let source = Source { account: &call.caller.account, arn: None };
    if world.trust_for(role_arn, "cloudformation.amazonaws.com", source) != Trust::Given {
        return Err(invalid(format!("Role {role_arn} is invalid or cannot be assumed")));
    }
    world.iam.pass_role(call.caller, role_arn)?;
    let name = role_arn.rsplit('/').next().unwrap_or_default();
    let account = role_arn.split(':').nth(4).unwrap_or_default().to_owned();
    let (partition, _) = partition(call.region);
    Ok(Caller {
        arn: format!("arn:{partition}:sts::{account}:assumed-role/{name}/AWSCloudFormation"),
        account,
        principal: role_arn.to_owned(),
    })
}

/// Looks a client token up: `Some(stack id)` where the same request has been made before. Otherwise the token is
/// kept for `stack_id` by [`keep_token`].
pub(super) fn repeated(world: &mut World, call: &Call<'_>) -> Result<Option<String>, Refusal> {
    let token = call.text("ClientRequestToken");
    let well_formed = token.len() <= 128
        && token.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '-')
        && !token.starts_with('-');
    if !well_formed {
        return Err(invalid(format!(
            "1 validation error detected: Value '{token}' at 'clientRequestToken' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9][-a-zA-Z0-9]*"
        )));
    }
    let state = &world.region(&call.caller.account, call.region).cloudformation;
    match state.tokens.get(token) {
        None => Ok(None),
        Some((digest, id))
            if *digest == digest_of(call) && (call.operation == "DeleteStack" || state.living(id).is_some()) =>
        {
            Ok(Some(id.clone()))
        }
        Some(_) => {
            Err(Refusal::new("TokenAlreadyExistsException", format!("A client request token {token} already exists")))
        }
    }
}

/// Keeps the request's client token.
pub(super) fn keep_token(world: &mut World, call: &Call<'_>, stack_id: &str) {
    let token = call.text("ClientRequestToken");
    if !token.is_empty() {
        let kept = (digest_of(call), stack_id.to_owned());
        world.region(&call.caller.account, call.region).cloudformation.tokens.insert(token.to_owned(), kept);
    }
}

fn digest_of(call: &Call<'_>) -> String {
    hex::encode(Sha256::digest(format!("{} {}", call.operation, call.input)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_and_key_are_found_in_each_form_of_url() {
        let here = Some(("b".to_owned(), "k/x.yaml".to_owned()));
        let cases = [
            ("virtual host with region", "https://b.s3.eu-west-1.amazonaws.com/k/x.yaml", &here),
            ("virtual host with a dash", "https://b.s3-eu-west-1.amazonaws.com/k/x.yaml", &here),
            ("virtual host without region", "https://b.s3.amazonaws.com/k/x.yaml", &here),
            ("path with region", "https://s3.eu-west-1.amazonaws.com/b/k/x.yaml", &here),
            ("path without region", "https://s3.amazonaws.com/b/k/x.yaml", &here),
            ("plain HTTP", "http://b.s3.amazonaws.com/k/x.yaml", &None),
            ("another host", "https://example.com/b/k/x.yaml", &None),
        ];
        for (name, url, expected) in cases {
            assert_eq!(location(url, "eu-west-1"), *expected, "{name}");
        }
    }
}
