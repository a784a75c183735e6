//! Where a version's template comes from: the sandbox's S3 or a stack, read with the caller's own rights, and
//! judged by the sandbox's CloudFormation.

use bytes::Bytes;
use serde_json::{Value, json};

use super::input::invalid;
use crate::aws::{Call, Refusal, cloudformation, s3};
use crate::world::World;

/// Loads what `Info` names: how it is named on reads, and the text.
///
/// # Errors
/// `InvalidParametersException` where `Info` names nothing, or what it names cannot be read.
pub(super) fn load(world: &mut World, call: &Call<'_>, info: &Value) -> Result<((String, String), String), Refusal> {
    let given = |key: &str| info[key].as_str().filter(|text| !text.is_empty());
    match (given("LoadTemplateFromURL"), given("ImportFromPhysicalId")) {
        (Some(url), None) => Ok((("TemplateUrl".into(), url.to_owned()), fetch(world, call, url)?)),
        (None, Some(stack)) => {
            let input = json!({"StackName": stack, "TemplateStage": "Original"});
            let answer = cloudformation::call(world, &Call { operation: "GetTemplate", input: &input, ..*call })
                .map_err(|refusal| invalid(format!("The template of {stack} cannot be read: {}", refusal.message)))?;
            let text = answer["TemplateBody"].as_str().unwrap_or_default().to_owned();
            Ok((("PhysicalId".into(), stack.to_owned()), text))
        }
        _ => Err(invalid("Info must contain exactly one of LoadTemplateFromURL and ImportFromPhysicalId.")),
    }
}

fn fetch(world: &mut World, call: &Call<'_>, url: &str) -> Result<String, Refusal> {
    let path = path_style(url).ok_or_else(|| invalid(format!("Invalid templateURL. {url} is not an S3 URL.")))?;
    let request = http::Request::builder()
        .method("GET")
        .uri(path)
        .header("host", format!("s3.{}.amazonaws.com", call.region))
        .body(Bytes::new())
        .map_err(|_| invalid(format!("Invalid templateURL. {url} is not a URL.")))?;
    let response = s3::handle(world, call.caller, call.region, &request);
    if !response.status().is_success() {
        return Err(invalid(
            "Access Denied. Please make sure the template exists and that you have access to read it.",
        ));
    }
    String::from_utf8(response.body().to_vec()).map_err(|_| invalid("Invalid templateBody. The template is not text."))
}

/// `/bucket/key?query` of an S3 URL: virtual-host style or path style, regional or not.
fn path_style(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://")?;
    let (host, path) = rest.split_once('/')?;
    let host =
        [".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu"].iter().find_map(|suffix| host.strip_suffix(suffix))?;
    let endpoint = |text: &str| text == "s3" || text.starts_with("s3.") || text.starts_with("s3-");
    if endpoint(host) {
        return Some(format!("/{path}"));
    }
    let at = host.match_indices('.').map(|(at, _)| at).find(|at| endpoint(&host[at + 1..]))?;
    Some(format!("/{}/{path}", &host[..at]))
}

/// Lets CloudFormation validate a template.
///
/// # Errors
/// `InvalidParametersException` with CloudFormation's own complaint.
pub(super) fn validate(world: &mut World, call: &Call<'_>, text: &str) -> Result<(), Refusal> {
    let input = json!({"TemplateBody": text});
    match cloudformation::call(world, &Call { operation: "ValidateTemplate", input: &input, ..*call }) {
        Ok(_) => Ok(()),
        Err(refusal) => Err(invalid(format!(
            "Invalid templateBody. Please make sure that your template is valid. {}",
            refusal.message
        ))),
    }
}

/// The template's parameters as `ProvisioningArtifactParameters`.
///
/// # Errors
/// `InvalidParametersException` where CloudFormation cannot read the template.
pub(super) fn parameters(world: &mut World, call: &Call<'_>, text: &str) -> Result<Value, Refusal> {
    let input = json!({"TemplateBody": text});
    let summary = cloudformation::call(world, &Call { operation: "GetTemplateSummary", input: &input, ..*call })
        .map_err(|refusal| invalid(format!("Invalid templateBody. {}", refusal.message)))?;
    let parameters = summary["Parameters"].as_array().into_iter().flatten().map(|parameter| {
        let no_echo = parameter["NoEcho"].as_bool() == Some(true) || parameter["NoEcho"].as_str() == Some("true");
        json!({
            "ParameterKey": parameter["ParameterKey"],
            "DefaultValue": parameter["DefaultValue"],
            "ParameterType": parameter["ParameterType"],
            "IsNoEcho": no_echo,
            "Description": parameter["Description"],
            "ParameterConstraints": parameter["ParameterConstraints"],
        })
    });
    Ok(Value::Array(parameters.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_s3_url_leads_to_bucket_and_key() {
        let cases = [
            ("https://b.s3.us-east-1.amazonaws.com/k/t.yaml", Some("/b/k/t.yaml")),
            ("https://b.s3.amazonaws.com/t.yaml?versionId=1", Some("/b/t.yaml?versionId=1")),
            ("https://s3.eu-west-1.amazonaws.com/b/t.yaml", Some("/b/t.yaml")),
            ("https://s3-eu-west-1.amazonaws.com/b/t.yaml", Some("/b/t.yaml")),
            ("https://b.c.s3.eu-west-1.amazonaws.com/t.yaml", Some("/b.c/t.yaml")),
            ("https://b.s3.cn-north-1.amazonaws.com.cn/t.yaml", Some("/b/t.yaml")),
            ("https://b.s3.eusc-de-east-1.amazonaws.eu/t.yaml", Some("/b/t.yaml")),
            ("http://b.s3.us-east-1.amazonaws.com/t.yaml", None),
            ("https://example.com/t.yaml", None),
            ("https://b.s3-website.us-east-1.example.com/t.yaml", None),
        ];
        for (url, path) in cases {
            assert_eq!(path_style(url).as_deref(), path, "{url}");
        }
    }
}
