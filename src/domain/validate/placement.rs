//! Where the resources of a spec are: from a spec that was read, or, for deletion, from one that no longer can be. Apart
//! from the rest since both must come to the same place. It asks nobody whether the place exists.

use serde_json::Value;

use super::{SpecError, formed, optional, typed};
use crate::crd::identifiers::{AccountId, Region, RoleArn};
use crate::crd::platform::{AwsSettings, CaBundleRef, PlatformSettings};
use crate::crd::status::{CaBundleReference, Placement};
use crate::domain::identity::{Identity, OwnerKey};

/// Reads what deletion needs from a raw spec, field by field, ignoring everything else: so that a spec that no longer
/// parses does not block it.
///
/// # Errors
/// The first of the indispensable fields that is not there, or is not of its form.
pub fn placement_of_raw(owner: &OwnerKey, raw_spec: &Value) -> Result<Placement, SpecError> {
    let text = |path: &str| raw_spec.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let needed = |path: &str| {
        let missing = || SpecError::new(&field(path), "is missing, or is no text");
        text(path).ok_or_else(missing)
    };
    let region = formed(&field("/platform/aws/region"), &needed("/platform/aws/region")?, Region::parse)?;
    let account_id = formed(&field("/platform/aws/accountId"), &needed("/platform/aws/accountId")?, AccountId::parse)?;
    let jenkins_url = needed("/platform/jenkins/url")?;
    let project_name = text("/projectName").unwrap_or_else(|| owner.name.clone());
    let bucket = text("/platform/artifacts/bucket");
    let shared = folder_parts(text("/platform/jenkins/folder").as_deref());
    // Without the role that made them, the resources would be looked for by the operator itself.
    let role_arn = match raw_spec.pointer("/platform/aws/assumeRole") {
        None | Some(Value::Null) => None,
        Some(_) => {
            let path = "/platform/aws/assumeRole/roleArn";
            Some(formed(&field(path), &needed(path)?, RoleArn::parse)?)
        }
    };
    let ca_bundle =
        raw_spec.pointer("/platform/jenkins/caBundleRef").and_then(|raw| typed::<CaBundleRef>("", raw).ok());
    Ok(Placement {
        external_id: role_arn.as_ref().map(|_| external_id(owner)),
        role_arn,
        bucket_owned: bucket.is_none(),
        bucket: bucket.unwrap_or_else(|| Identity::own_bucket_name(owner, &account_id, &region)),
        project_name,
        jenkins_url: jenkins_url.trim_end_matches('/').to_owned(),
        jenkins_shared_folders: i32::try_from(shared.len()).unwrap_or(0),
        jenkins_folder: [shared, folder_parts(text("/jenkins/folder").as_deref())].concat(),
        allow_plain_http: raw_spec
            .pointer("/platform/jenkins/allowPlainHttp")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        secret_name: needed("/platform/jenkins/credentialsSecretRef/name")?,
        username_key: text("/platform/jenkins/credentialsSecretRef/usernameKey").unwrap_or_else(|| "username".into()),
        token_key: text("/platform/jenkins/credentialsSecretRef/tokenKey").unwrap_or_else(|| "token".into()),
        ca_bundle: ca_bundle.map(|reference| ca_reference(&reference)),
        ..Placement::new(account_id, region)
    })
}

/// Where the resources of settings are that stand at this field, for a project of this name with this folder below the
/// settings' own.
pub(super) fn of_settings(
    owner: &OwnerKey,
    settings: &PlatformSettings,
    at: &str,
    project_name: String,
    folder: Option<&str>,
) -> Result<Placement, SpecError> {
    let AwsSettings { region, account_id, assume_role, .. } = &settings.aws;
    let region = formed(&format!("{at}.aws.region"), region, Region::parse)?;
    let account_id = formed(&format!("{at}.aws.accountId"), account_id, AccountId::parse)?;
    let assumed = assume_role.as_ref().map(|role| role.role_arn.as_str());
    let role_arn = optional(&format!("{at}.aws.assumeRole.roleArn"), assumed, RoleArn::parse)?;
    let server = &settings.jenkins;
    let url = url::Url::parse(&server.url).map_err(|error| {
        SpecError::new(&format!("{at}.jenkins.url"), format!("`{}` is not a URL: {error}", server.url))
    })?;
    if url.scheme() != "https" && !(url.scheme() == "http" && server.allow_plain_http) {
        return Err(SpecError::new(
            &format!("{at}.jenkins.url"),
            "must start with https://, or with http:// where allowPlainHttp is true",
        ));
    }
    let shared = folder_parts(server.folder.as_deref());
    let bucket = settings.artifacts.bucket.clone();
    Ok(Placement {
        external_id: role_arn.as_ref().map(|_| external_id(owner)),
        role_arn,
        project_name,
        bucket_owned: bucket.is_none(),
        bucket: bucket.unwrap_or_else(|| Identity::own_bucket_name(owner, &account_id, &region)),
        jenkins_url: server.url.trim_end_matches('/').to_owned(),
        jenkins_shared_folders: i32::try_from(shared.len()).unwrap_or(0),
        jenkins_folder: [shared, folder_parts(folder)].concat(),
        allow_plain_http: server.allow_plain_http,
        secret_name: server.credentials_secret_ref.name.clone(),
        username_key: server.credentials_secret_ref.username_key.clone(),
        token_key: server.credentials_secret_ref.token_key.clone(),
        ca_bundle: server.ca_bundle_ref.as_ref().map(ca_reference),
        ..Placement::new(account_id, region)
    })
}

/// The field that a JSON pointer into the spec leads to.
fn field(pointer: &str) -> String {
    format!("spec{}", pointer.replace('/', "."))
}

/// The external id of this owner's assumed roles: its trust policy can name one tenant by it. A platform's cannot be a
/// namespace's, whose name has no slash.
pub(super) fn external_id(owner: &OwnerKey) -> String {
    match owner.namespace.as_str() {
        "" => format!("{}/platforms/{}", owner.cluster, owner.name),
        namespace => format!("{}/{namespace}", owner.cluster),
    }
}

/// The parts of a folder path, outermost first.
pub(super) fn folder_parts(path: Option<&str>) -> Vec<String> {
    path.unwrap_or_default().split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

pub(super) fn ca_reference(reference: &CaBundleRef) -> CaBundleReference {
    CaBundleReference { kind: reference.kind, name: reference.name.clone(), key: reference.key.clone() }
}
