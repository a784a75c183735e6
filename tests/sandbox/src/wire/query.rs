//! awsQuery, spoken by CloudFormation, STS and IAM: a form body with dotted names, an XML reply.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Map, Value};

use super::address::{Address, Service};
use super::{form, reply};
use crate::aws::Refusal;

/// One name of the dotted tree: a leaf's text, or what stands below it.
#[derive(Default)]
struct Node {
    text: Option<String>,
    below: BTreeMap<String, Node>,
}

pub(super) fn decode(request: &Request<Bytes>) -> Value {
    let body = String::from_utf8_lossy(request.body());
    let query = request.uri().query().unwrap_or_default();
    let mut root = Node::default();
    for (name, value) in form(query).into_iter().chain(form(&body)) {
        if name == "Action" || name == "Version" || name.starts_with("X-Amz-") {
            continue;
        }
        let node = name.split('.').fold(&mut root, |node, part| node.below.entry(part.to_owned()).or_default());
        node.text = Some(value);
    }
    match value_of(root) {
        Value::Object(members) => Value::Object(members),
        _ => Value::Object(Map::new()),
    }
}

fn value_of(mut node: Node) -> Value {
    if node.below.is_empty() {
        return node.text.map_or(Value::Null, Value::String);
    }
    let numbered = |node: &Node| !node.below.is_empty() && node.below.keys().all(|key| key.parse::<u32>().is_ok());
    if node.below.len() == 1 && node.below.get("member").is_some_and(numbered) {
        return node.below.remove("member").map_or(Value::Null, value_of);
    }
    if node.below.len() == 1 && node.below.get("entry").is_some_and(numbered) {
        let entries = node.below.remove("entry").map(|entry| entry.below).unwrap_or_default();
        return Value::Object(entries.into_values().filter_map(map_entry).collect());
    }
    if numbered(&node) {
        let mut members: Vec<(u32, Node)> =
            node.below.into_iter().filter_map(|(key, member)| Some((key.parse().ok()?, member))).collect();
        members.sort_by_key(|(number, _)| *number);
        return Value::Array(members.into_iter().map(|(_, member)| value_of(member)).collect());
    }
    Value::Object(node.below.into_iter().map(|(name, member)| (name, value_of(member))).collect())
}

fn map_entry(mut entry: Node) -> Option<(String, Value)> {
    let key = entry.below.remove("key")?.text?;
    Some((key, entry.below.remove("value").map_or(Value::Null, value_of)))
}

/// An operation that the model gives an output has a result element, an empty one at least; `null` is for those
/// without an output, such as DeleteStack, whose replies hold nothing but the request's id.
pub(super) fn encode(address: &Address, output: &Value, id: &str) -> Response<Bytes> {
    let operation = &address.operation;
    let mut xml = format!("<{operation}Response xmlns=\"{}\">", namespace(address));
    if !output.is_null() {
        xml.push_str(&format!("<{operation}Result>"));
        write_members(&mut xml, output);
        xml.push_str(&format!("</{operation}Result>"));
    }
    xml.push_str(&format!("<ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{operation}Response>"));
    reply(200, "text/xml", "x-amzn-requestid", id, xml)
}

pub(super) fn refuse(address: &Address, refusal: &Refusal, id: &str) -> Response<Bytes> {
    // The query services have names of their own for what the JSON services call otherwise.
    let code = match refusal.code.as_str() {
        "UnknownOperationException" => "InvalidAction",
        "ValidationException" => "ValidationError",
        "AccessDeniedException" => "AccessDenied",
        "MissingAuthenticationTokenException" => "MissingAuthenticationToken",
        code => code,
    };
    let blame = if refusal.status >= 500 { "Receiver" } else { "Sender" };
    let xml = format!(
        "<ErrorResponse xmlns=\"{}\"><Error><Type>{blame}</Type><Code>{}</Code><Message>{}</Message></Error>\
         <RequestId>{id}</RequestId></ErrorResponse>",
        namespace(address),
        escaped(code),
        escaped(&refusal.message)
    );
    reply(refusal.status, "text/xml", "x-amzn-requestid", id, xml)
}

fn namespace(address: &Address) -> &'static str {
    match address.service {
        Some(Service::CloudFormation) => "http://cloudformation.amazonaws.com/doc/2010-05-15/",
        Some(Service::Iam) => "https://iam.amazonaws.com/doc/2010-05-08/",
        Some(Service::Sts) => "https://sts.amazonaws.com/doc/2011-06-15/",
        _ => "http://webservices.amazon.com/AWSFault/2005-15-09",
    }
}

fn write_members(xml: &mut String, value: &Value) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (name, member) in members.iter().filter(|(_, member)| !member.is_null()) {
                xml.push_str(&format!("<{name}>"));
                write_members(xml, member);
                xml.push_str(&format!("</{name}>"));
            }
        }
        Value::Array(members) => {
            for member in members {
                xml.push_str("<member>");
                write_members(xml, member);
                xml.push_str("</member>");
            }
        }
        Value::String(text) => xml.push_str(&escaped(text)),
        scalar => xml.push_str(&scalar.to_string()),
    }
}

/// Text inside an element. A carriage return would be read as a newline if it stood there plainly.
pub(super) fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).replace('\r', "&#xD;")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn posted(service: &str, body: &'static str) -> (Address, Request<Bytes>) {
        let scope = format!("AWS4-HMAC-SHA256 Credential=AKIA1/20260105/eu-west-1/{service}/aws4_request, Signature=0");
        let request = Request::builder()
            .uri("/")
            .header("authorization", scope)
            .body(Bytes::from_static(body.as_bytes()))
            .unwrap();
        (Address::of(&request), request)
    }

    #[test]
    fn dotted_names_become_structures_lists_and_maps() {
        let (_, request) = posted(
            "cloudformation",
            "Action=CreateStack&Version=2010-05-15&StackName=a%2Bb+c&Parameters.member.1.ParameterKey=K\
             &Parameters.member.1.ParameterValue=&Parameters.member.10.ParameterKey=J\
             &Parameters.member.2.ParameterKey=L&Capabilities.member.1=CAPABILITY_IAM&Tags=\
             &Attributes.entry.1.key=x&Attributes.entry.1.value=y",
        );
        assert_eq!(
            decode(&request),
            json!({
                "StackName": "a+b c",
                "Parameters": [{"ParameterKey": "K", "ParameterValue": ""}, {"ParameterKey": "L"}, {"ParameterKey": "J"}],
                "Capabilities": ["CAPABILITY_IAM"],
                "Tags": "",
                "Attributes": {"x": "y"},
            })
        );
    }

    #[test]
    fn lists_become_members_and_text_is_escaped() {
        let (address, _) = posted("cloudformation", "Action=DescribeStacks");
        let output = json!({"Stacks": [{"StackName": "a<b", "Gone": null, "EnableTerminationProtection": false}]});
        let response = encode(&address, &output, "ID");
        assert_eq!(
            std::str::from_utf8(response.body()).unwrap(),
            "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStacksResult>\
             <Stacks><member><EnableTerminationProtection>false</EnableTerminationProtection><StackName>a&lt;b</StackName>\
             </member></Stacks></DescribeStacksResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata>\
             </DescribeStacksResponse>"
        );
    }

    #[test]
    fn only_an_operation_with_an_output_has_a_result_element() {
        for (output, result) in [(json!({}), true), (Value::Null, false)] {
            let (address, _) = posted("cloudformation", "Action=DeleteStack");
            let response = encode(&address, &output, "ID");
            let text = std::str::from_utf8(response.body()).unwrap();
            assert_eq!(text.contains("<DeleteStackResult>"), result, "{text}");
        }
    }

    #[test]
    fn an_unknown_action_is_refused_in_the_words_of_the_protocol() {
        let (address, _) = posted("sts", "Action=Fly");
        let response = refuse(&address, &address.unknown(), "ID");
        let text = std::str::from_utf8(response.body()).unwrap();
        assert!(text.contains("<Type>Sender</Type><Code>InvalidAction</Code>"), "{text}");
        assert!(text.contains("https://sts.amazonaws.com/doc/2011-06-15/"), "{text}");
    }
}
