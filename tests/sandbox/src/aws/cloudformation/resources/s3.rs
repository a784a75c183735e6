//! `AWS::S3::Bucket` and `AWS::S3::BucketPolicy`, over S3's own HTTP interface.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use super::{Kind, Place, document, made, missing, tags, text, told};
use crate::aws::Refusal;
use crate::aws::cloudformation::evaluate::{Made, partition};
use crate::world::World;

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "AWS::S3::Bucket",
        properties: &[
            "BucketName",
            "VersioningConfiguration",
            "BucketEncryption",
            "PublicAccessBlockConfiguration",
            "Tags",
            "LifecycleConfiguration",
            "OwnershipControls",
        ],
        required: &[],
        replaced_by: &["BucketName"],
        attributes: &["Arn", "DomainName", "RegionalDomainName"],
        tagged: true,
        create: create_bucket,
        update: |world, place, name, old, new| {
            settings(world, place, name, old, new)?;
            Ok(bucket(place, name))
        },
        delete: delete_bucket,
    },
    Kind {
        name: "AWS::S3::BucketPolicy",
        properties: &["Bucket", "PolicyDocument"],
        required: &["Bucket", "PolicyDocument"],
        replaced_by: &["Bucket"],
        attributes: &[],
        tagged: false,
        create: put_policy,
        update: |world, place, _, _, new| put_policy(world, place, new),
        delete: |world, place, name, _| retire(world, place, &format!("/{name}?policy")),
    },
];

fn send(world: &mut World, place: &Place<'_>, method: Method, path: &str, body: String) -> Result<(), Refusal> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(Bytes::from(body))
        .map_err(|error| Refusal::new("InvalidURI", error.to_string()))?;
    let response = crate::aws::s3::handle(world, place.caller, place.region, &request);
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let body = String::from_utf8_lossy(response.body()).into_owned();
    let code = element(&body, "Code")
        .unwrap_or_else(|| if status == StatusCode::NOT_FOUND { "NoSuchBucket".into() } else { "Unknown".into() });
    Err(Refusal::new(&code, element(&body, "Message").unwrap_or_default()).with_status(status.as_u16()))
}

/// The text of the first element of this name.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    quick_xml::escape::unescape(text).ok().map(std::borrow::Cow::into_owned)
}

fn put(world: &mut World, place: &Place<'_>, path: &str, body: String) -> Result<(), String> {
    send(world, place, Method::PUT, path, body).map_err(|refusal| told(world, "S3", &refusal))
}

fn retire(world: &mut World, place: &Place<'_>, path: &str) -> Result<(), String> {
    match send(world, place, Method::DELETE, path, String::new()) {
        Err(refusal) if !missing(&refusal) => Err(told(world, "S3", &refusal)),
        _ => Ok(()),
    }
}

fn bucket(place: &Place<'_>, name: &str) -> Made {
    let (partition, domain) = partition(place.region);
    made(
        name,
        &[
            ("Arn", json!(format!("arn:{partition}:s3:::{name}"))),
            ("DomainName", json!(format!("{name}.s3.{domain}"))),
            ("RegionalDomainName", json!(format!("{name}.s3.{}.{domain}", place.region))),
        ],
    )
}

fn create_bucket(world: &mut World, place: &Place<'_>, properties: &Value) -> Result<Made, String> {
    let name = text(properties, "BucketName").unwrap_or_else(|| super::generated(world, place, 63).to_lowercase());
    let body = match place.region {
        "us-east-1" => String::new(),
        region => format!(
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        ),
    };
    // The handler looks first and fails, though S3 lets the owner create it again in us-east-1. The message as stacks
    // of CDKToolkit got it (events in public bug reports of `cdk bootstrap`).
    if world.s3.bucket(&name).is_some() {
        let token = world.ids.uuid();
        return Err(format!(
            "Resource handler returned message: \"{name} already exists (Service: S3, Status Code: 0, Request ID: null)\" (RequestToken: {token}, HandlerErrorCode: AlreadyExists)"
        ));
    }
    put(world, place, &format!("/{name}"), body)?;
    if let Err(reason) = settings(world, place, &name, &json!({}), properties) {
        retire(world, place, &format!("/{name}"))?;
        return Err(reason);
    }
    Ok(bucket(place, &name))
}

/// Writes a property as the XML that S3 takes.
type Writer = fn(&Value) -> Result<String, String>;

/// Brings the bucket's settings from the old to the new properties.
fn settings(world: &mut World, place: &Place<'_>, name: &str, old: &Value, new: &Value) -> Result<(), String> {
    let setting: [(&str, &str, Writer); 6] = [
        ("VersioningConfiguration", "versioning", versioning),
        ("BucketEncryption", "encryption", encryption),
        ("PublicAccessBlockConfiguration", "publicAccessBlock", public_access),
        ("OwnershipControls", "ownershipControls", ownership),
        ("LifecycleConfiguration", "lifecycle", lifecycle),
        ("Tags", "tagging", tagging),
    ];
    for (property, sub_resource, write) in setting {
        let path = format!("/{name}?{sub_resource}");
        match (old.get(property), new.get(property)) {
            (before, Some(now)) if before != Some(now) => {
                let body = write(if property == "Tags" { new } else { now })?;
                put(world, place, &path, body)?;
            }
            (Some(_), None) if property == "VersioningConfiguration" => {
                put(world, place, &path, versioning(&json!({"Status": "Suspended"}))?)?
            }
            (Some(_), None) => retire(world, place, &path)?,
            _ => {}
        }
    }
    Ok(())
}

fn known(value: &Value, members: &[&str]) -> Result<(), String> {
    match value.as_object().and_then(|object| object.keys().find(|key| !members.contains(&key.as_str()))) {
        Some(unknown) => Err(format!("Encountered unsupported property {unknown}")),
        None => Ok(()),
    }
}

fn tag(name: &str, value: Option<String>) -> String {
    value.map(|value| format!("<{name}>{}</{name}>", quick_xml::escape::escape(value.as_str()))).unwrap_or_default()
}

fn versioning(value: &Value) -> Result<String, String> {
    known(value, &["Status"])?;
    Ok(format!("<VersioningConfiguration>{}</VersioningConfiguration>", tag("Status", text(value, "Status"))))
}

fn encryption(value: &Value) -> Result<String, String> {
    known(value, &["ServerSideEncryptionConfiguration"])?;
    let mut rules = String::new();
    for rule in value["ServerSideEncryptionConfiguration"].as_array().into_iter().flatten() {
        known(rule, &["ServerSideEncryptionByDefault", "BucketKeyEnabled"])?;
        let by_default = &rule["ServerSideEncryptionByDefault"];
        known(by_default, &["SSEAlgorithm", "KMSMasterKeyID"])?;
        rules.push_str(&format!(
            "<Rule><ApplyServerSideEncryptionByDefault>{}{}</ApplyServerSideEncryptionByDefault>{}</Rule>",
            tag("SSEAlgorithm", text(by_default, "SSEAlgorithm")),
            tag("KMSMasterKeyID", text(by_default, "KMSMasterKeyID")),
            tag("BucketKeyEnabled", text(rule, "BucketKeyEnabled")),
        ));
    }
    Ok(format!("<ServerSideEncryptionConfiguration>{rules}</ServerSideEncryptionConfiguration>"))
}

fn public_access(value: &Value) -> Result<String, String> {
    let flags = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
    known(value, &flags)?;
    let members: String =
        flags.iter().map(|flag| tag(flag, Some(text(value, flag).unwrap_or_else(|| "false".into())))).collect();
    Ok(format!("<PublicAccessBlockConfiguration>{members}</PublicAccessBlockConfiguration>"))
}

fn ownership(value: &Value) -> Result<String, String> {
    known(value, &["Rules"])?;
    let rules = value["Rules"].as_array().into_iter().flatten();
    let rules: String =
        rules.map(|rule| format!("<Rule>{}</Rule>", tag("ObjectOwnership", text(rule, "ObjectOwnership")))).collect();
    Ok(format!("<OwnershipControls>{rules}</OwnershipControls>"))
}

fn lifecycle(value: &Value) -> Result<String, String> {
    known(value, &["Rules"])?;
    let mut rules = String::new();
    for rule in value["Rules"].as_array().into_iter().flatten() {
        known(
            rule,
            &[
                "Id",
                "Status",
                "Prefix",
                "ExpirationInDays",
                "NoncurrentVersionExpiration",
                "AbortIncompleteMultipartUpload",
            ],
        )?;
        let noncurrent = text(&rule["NoncurrentVersionExpiration"], "NoncurrentDays");
        let abort = text(&rule["AbortIncompleteMultipartUpload"], "DaysAfterInitiation");
        let wrap =
            |name: &str, inner: String| if inner.is_empty() { inner } else { format!("<{name}>{inner}</{name}>") };
        rules.push_str(&format!(
            "<Rule>{}<Filter>{}</Filter>{}{}{}{}</Rule>",
            tag("ID", text(rule, "Id")),
            tag("Prefix", Some(text(rule, "Prefix").unwrap_or_default())),
            tag("Status", text(rule, "Status")),
            wrap("Expiration", tag("Days", text(rule, "ExpirationInDays"))),
            wrap("NoncurrentVersionExpiration", tag("NoncurrentDays", noncurrent)),
            wrap("AbortIncompleteMultipartUpload", tag("DaysAfterInitiation", abort)),
        ));
    }
    Ok(format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>"))
}

fn tagging(properties: &Value) -> Result<String, String> {
    let list = tags(properties);
    let set: String = list
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| format!("<Tag>{}{}</Tag>", tag("Key", text(one, "Key")), tag("Value", text(one, "Value"))))
        .collect();
    Ok(format!("<Tagging><TagSet>{set}</TagSet></Tagging>"))
}

fn delete_bucket(world: &mut World, place: &Place<'_>, name: &str, _properties: &Value) -> Result<(), String> {
    retire(world, place, &format!("/{name}"))
}

fn put_policy(world: &mut World, place: &Place<'_>, properties: &Value) -> Result<Made, String> {
    let name = text(properties, "Bucket").unwrap_or_default();
    put(world, place, &format!("/{name}?policy"), document(properties, "PolicyDocument").unwrap_or_default())?;
    Ok(made(name, &[]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;
    use crate::aws::{Call, cloudformation, dispatch::administrator};
    use crate::world::Settings;

    const ACCOUNT: &str = "111122223333";
    const TEMPLATE: &str = "Resources: {Data: {Type: AWS::S3::Bucket, Properties: {BucketName: data, Tags: [{Key: stack, Value: \"1\"}]}}}";

    fn ask(world: &mut World, region: &str, operation: &str, input: &Value) -> Value {
        let caller = administrator(ACCOUNT);
        cloudformation::call(world, &Call { operation, input, caller: &caller, region }).unwrap()
    }

    /// A world with the bucket `data` of this account, which has a tag of its own.
    fn with_bucket(owner: &str, region: &str) -> World {
        let mut world = World::new(Settings::default(), "2026-01-01T00:00:00Z".parse().unwrap());
        let caller = administrator(owner);
        let place = Place { account: owner, region, stack_name: "", stack_id: "", logical_id: "", caller: &caller };
        let properties = json!({"BucketName": "data", "Tags": [{"Key": "owner", "Value": "me"}]});
        create_bucket(&mut world, &place, &properties).unwrap();
        world
    }

    #[test]
    fn a_bucket_that_exists_already_fails_the_stack_and_stays_as_it_is() {
        let rows = [
            ("one's own in us-east-1", ACCOUNT, "us-east-1"),
            ("one's own in another region", ACCOUNT, "eu-west-1"),
            ("another account's", "999999999999", "us-east-1"),
        ];
        for (name, owner, region) in rows {
            let mut world = with_bucket(owner, region);
            ask(&mut world, region, "CreateStack", &json!({"StackName": "s", "TemplateBody": TEMPLATE}));
            let later = world.after(Duration::from_secs(60));
            world.advance(later);
            let stack = ask(&mut world, region, "DescribeStacks", &json!({"StackName": "s"}));
            assert_eq!(stack["Stacks"][0]["StackStatus"], "ROLLBACK_COMPLETE", "{name}");
            let events = ask(&mut world, region, "DescribeStackEvents", &json!({"StackName": "s"})).to_string();
            assert!(events.contains("data already exists (Service: S3, Status Code: 0, Request ID: null)"), "{name}");
            assert!(events.contains("HandlerErrorCode: AlreadyExists"), "{name}");
            ask(&mut world, region, "DeleteStack", &json!({"StackName": "s"}));
            let later = world.after(Duration::from_secs(60));
            world.advance(later);
            let kept = world.s3.bucket("data").unwrap();
            assert_eq!(kept.tags().iter().next(), Some((&"owner".into(), &"me".into())), "{name}");
        }
    }

    #[test]
    fn a_templates_encryption_rule_says_whether_the_bucket_has_a_key_of_its_own() {
        let rows = [
            ("with one", json!(true), "true"),
            ("written as text", json!("true"), "true"),
            ("without", Value::Null, "false"),
        ];
        for (name, given, wanted) in rows {
            let mut world = World::new(Settings::default(), "2026-01-01T00:00:00Z".parse().unwrap());
            let caller = administrator(ACCOUNT);
            let region = "eu-west-1";
            let place =
                Place { account: ACCOUNT, region, stack_name: "", stack_id: "", logical_id: "", caller: &caller };
            let mut rule = json!({"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}});
            if !given.is_null() {
                rule["BucketKeyEnabled"] = given;
            }
            let encryption = json!({"ServerSideEncryptionConfiguration": [rule]});
            create_bucket(&mut world, &place, &json!({"BucketName": "data", "BucketEncryption": encryption})).unwrap();
            let request = Request::get("/data?encryption").body(Bytes::new()).unwrap();
            let response = crate::aws::s3::handle(&mut world, &caller, region, &request);
            let told = String::from_utf8_lossy(response.body()).into_owned();
            assert_eq!(element(&told, "BucketKeyEnabled").as_deref(), Some(wanted), "{name}: {told}");
        }
    }
}
