//! Resources: whose they are (tags), what becomes of them when a project goes, and what the launch role must be allowed
//! for them. It stands alone since all of it is about the resource as a whole, not about its name or its texts.

use super::document::{Entry, Node, Value};
use super::resource_types::{Tags, tags};
use super::template::{ParsedTemplate, Step, has_transform, is_true, joined, walk};
use super::{Code, Findings, contract, quoted};

/// What makes a stack one that CloudFormation wants a capability for (CloudFormation API, Capabilities).
const IAM: [&str; 8] = [
    "AWS::IAM::AccessKey",
    "AWS::IAM::Group",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::IAM::User",
    "AWS::IAM::UserToGroupAddition",
];
/// Properties by which an IAM resource has a name of its own.
const IAM_NAMES: [&str; 5] = ["RoleName", "ManagedPolicyName", "UserName", "GroupName", "InstanceProfileName"];

/// What AWS refuses to delete while it holds anything, and what it holds.
const BLOCKING: [(&str, &str); 2] =
    [("AWS::S3::Bucket", "objects"), ("AWS::SageMaker::ModelPackageGroup", "registered models")];
/// What AWS deletes with all that it holds.
const PERISHABLE: [&str; 3] = ["AWS::DynamoDB::Table", "AWS::EFS::FileSystem", "AWS::SageMaker::FeatureGroup"];

pub(super) fn check(template: &ParsedTemplate<'_>, findings: &mut Findings) {
    for (id, kind, entry) in template.resources() {
        whose(id, kind, entry, findings);
        going(id, kind, entry, findings);
        left_behind(id, entry, findings);
        if kind == "AWS::CloudFormation::Stack" {
            let message = format!("{id} is a stack of its own, whose template is not judged here");
            let hint = "lint that template too; the launch role must be able to read it";
            findings.warning(Code::NotJudged, (entry.at, &format!("Resources/{id}")), message, hint);
        }
    }
    iam(template, findings);
    for part in ["Conditions", "Mappings", "Resources", "Outputs"] {
        transforms(template, part, findings);
    }
    if let Some(node) = template.root.get("Transform") {
        let message =
            "a transform changes the template in AWS: what it makes is not judged here, and names are not looked up";
        let hint = "lint the processed template, or do without the transform";
        findings.warning(Code::NotJudged, (node.at, "Transform"), message.to_owned(), hint);
    }
}

/// Parts of which a transform makes something, `AWS::Include` too: what becomes of them cannot be seen here.
fn transforms(template: &ParsedTemplate<'_>, section: &'static str, findings: &mut Findings) {
    let Some(node) = template.root.get(section) else { return };
    walk(node, &mut vec![Step::Key(section)], &mut |node, path| {
        let Some(entry) = node.entries().iter().find(|entry| entry.key == "Fn::Transform") else { return };
        let name = entry.value.get("Name").and_then(Node::text).unwrap_or("a macro");
        let message = format!(
            "{} puts something of its own in here, or changes what stands here: this part is not judged",
            quoted(name)
        );
        let hint = "lint the processed template, or write out here what it puts in";
        findings.warning(Code::NotJudged, (entry.at, &format!("{}/Fn::Transform", joined(path))), message, hint);
    });
}

/// The keys of a resource's tags that are written out, and whether conditions or functions may add others.
fn tag_keys(kind: Tags, node: &Node) -> (Vec<&str>, bool) {
    let keys: Vec<_> = match (&node.value, kind) {
        (Value::List(items), Tags::List) => items.iter().map(|item| item.get("Key").and_then(Node::text)).collect(),
        (Value::Map(entries), Tags::Map) if node.function().is_none() => {
            entries.iter().map(|entry| Some(entry.key.as_str())).collect()
        }
        _ => vec![None],
    };
    let more = keys.iter().any(Option::is_none);
    (keys.into_iter().flatten().collect(), more)
}

fn whose(id: &str, kind: &str, entry: &Entry, findings: &mut Findings) {
    let takes = tags(kind);
    if takes == Tags::No {
        return;
    }
    let properties = entry.value.get("Properties");
    if properties.is_some_and(has_transform) {
        return;
    }
    let node = properties.and_then(|properties| properties.get("Tags"));
    let (keys, more) = node.map(|node| tag_keys(takes, node)).unwrap_or_default();
    let missing: Vec<_> = contract::TAGS.into_iter().filter(|tag| !keys.contains(tag)).collect();
    if missing.is_empty() || more {
        return;
    }
    let plural = if missing.len() == 1 { "tag" } else { "tags" };
    let message = format!("{id} lacks the {plural} {}: nobody can tell whose it is", missing.join(" and "));
    let hint = "add them with the values !Ref SageMakerProjectName and !Ref SageMakerProjectId";
    let at = node.map_or(entry.at, |node| node.at);
    findings.warning(Code::MissingTags, (at, &format!("Resources/{id}/Properties/Tags")), message, hint);
}

fn stays(entry: &Entry, policy: &str) -> bool {
    let retained = ["Retain", "RetainExceptOnCreate", "Snapshot"];
    entry.value.get(policy).and_then(Node::text).is_some_and(|text| retained.contains(&text))
}

/// What becomes of a resource's content with the stack.
fn going(id: &str, kind: &str, entry: &Entry, findings: &mut Findings) {
    let at = (entry.at, &*format!("Resources/{id}"));
    if let Some((_, content)) = BLOCKING.iter().find(|(blocking, _)| *blocking == kind) {
        if !stays(entry, "DeletionPolicy") {
            let message = format!(
                "{id} is deleted with the project, which AWS refuses while it holds {content}: with dataPolicy: Keep the deletion then fails"
            );
            let hint = "set DeletionPolicy: RetainExceptOnCreate; with dataPolicy: Delete the operator removes bucket and group itself";
            findings.warning(Code::DeletionBlocked, at, message, hint);
        } else if !stays(entry, "UpdateReplacePolicy") {
            let message = format!("{id} stays when the project goes, but not when an update replaces it");
            findings.warning(Code::DeletionBlocked, at, message, "set UpdateReplacePolicy: Retain too");
        }
        return;
    }
    let emptied = entry.value.get("Properties").and_then(|properties| properties.get("EmptyOnDelete"));
    let perishable = PERISHABLE.contains(&kind) || (kind == "AWS::ECR::Repository" && is_true(emptied));
    if perishable && !stays(entry, "DeletionPolicy") {
        let message =
            format!("{id} is deleted with all that it holds when the project goes, even with dataPolicy: Keep");
        let hint = "set DeletionPolicy: RetainExceptOnCreate and UpdateReplacePolicy: Retain";
        findings.warning(Code::DataLost, at, message, hint);
    }
}

/// What stays although the creation of the project failed (CloudFormation user guide, `DeletionPolicy`).
fn left_behind(id: &str, entry: &Entry, findings: &mut Findings) {
    let policy = entry.value.get("DeletionPolicy").filter(|node| node.text() == Some("Retain"));
    let Some(node) = policy else { return };
    let message = format!(
        "{id} has DeletionPolicy: Retain: a creation that fails leaves it behind, and where its name is fixed, the next attempt fails for it"
    );
    let hint = "set DeletionPolicy: RetainExceptOnCreate, which keeps it as well once the project exists";
    findings.warning(Code::LeftBehind, (node.at, &format!("Resources/{id}/DeletionPolicy")), message, hint);
}

/// Service Catalog launches with the launch role and acknowledges the capabilities itself: what is left is permission.
fn iam(template: &ParsedTemplate<'_>, findings: &mut Findings) {
    let made: Vec<_> = template.resources().filter(|(_, kind, _)| IAM.contains(kind)).collect();
    let Some((first, _, entry)) = made.first() else { return };
    let named = made.iter().find_map(|(id, _, entry)| {
        let properties = entry.value.get("Properties")?;
        IAM_NAMES.iter().find_map(|name| properties.get(name)).map(|node| (*id, node))
    });
    let all: Vec<_> = made.iter().take(5).map(|(id, ..)| *id).collect();
    let more = if made.len() > all.len() { " and more" } else { "" };
    let message = format!(
        "the template makes IAM resources ({}{more}): AWS's own launch role may pass roles, but makes none",
        all.join(", ")
    );
    let hint = "use a launch role (aws.roles.launch) that may create, tag, pass and delete them, or refer to a role that exists";
    findings.warning(Code::IamResources, (entry.at, &format!("Resources/{first}")), message, hint);
    if let Some((id, node)) = named {
        let message = format!(
            "{id} gives an IAM resource a name of its own: it cannot be replaced under that name, and the launch role must be allowed that name"
        );
        let hint = "let AWS choose the name, or allow the launch role names of that form";
        findings.warning(Code::IamResources, (node.at, &format!("Resources/{id}/Properties")), message, hint);
    }
}
