//! Where a request goes: which service, which operation, in which protocol, signed by whom. It reads
//! addresses only; bodies are decoded by the protocol's own file.

use bytes::Bytes;
use http::Request;

use super::{form, rest_json, rest_xml};
use crate::aws::Refusal;

/// The AWS services of the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Service {
    ServiceCatalog,
    SageMaker,
    CloudFormation,
    S3,
    Sts,
    Iam,
    CodeConnections,
    SecretsManager,
    Events,
    Lambda,
    CodeBuild,
    Sqs,
    Tagging,
}

/// How a service's requests and replies are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// awsJson 1.0 and 1.1: the operation stands in `X-Amz-Target`.
    Json,
    /// awsQuery: a form body with `Action`, an XML reply.
    Query,
    /// Smithy rpc-v2-cbor: the operation stands in the path.
    Cbor,
    /// restJson1, spoken by Lambda.
    RestJson,
    /// restXml, spoken by S3.
    RestXml,
}

/// The credential scope of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The access key id.
    pub access_key_id: String,
    /// The region signed for; `us-east-1` where the signature names none.
    pub region: String,
    /// The signing name of the service.
    pub service: String,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The service; `None` where the sandbox does not have it.
    pub service: Option<Service>,
    /// What the service is called in signatures, known or not; empty where the request does not say.
    pub service_name: String,
    /// The operation; empty where the request names none.
    pub operation: String,
    /// How to read and answer it.
    pub protocol: Protocol,
    /// Who signed; `None` for an unsigned request.
    pub credential: Option<Credential>,
}

impl Service {
    /// The name in credential scopes and in the journal.
    pub fn name(self) -> &'static str {
        match self {
            Self::ServiceCatalog => "servicecatalog",
            Self::SageMaker => "sagemaker",
            Self::CloudFormation => "cloudformation",
            Self::S3 => "s3",
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::CodeConnections => "codeconnections",
            Self::SecretsManager => "secretsmanager",
            Self::Events => "events",
            Self::Lambda => "lambda",
            Self::CodeBuild => "codebuild",
            Self::Sqs => "sqs",
            Self::Tagging => "tagging",
        }
    }

    /// The service of a signing name. CodeStar Connections is the older name of CodeConnections.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "servicecatalog" => Self::ServiceCatalog,
            "sagemaker" => Self::SageMaker,
            "cloudformation" => Self::CloudFormation,
            "s3" | "s3express" => Self::S3,
            "sts" => Self::Sts,
            "iam" => Self::Iam,
            "codeconnections" | "codestar-connections" => Self::CodeConnections,
            "secretsmanager" => Self::SecretsManager,
            "events" => Self::Events,
            "lambda" => Self::Lambda,
            "codebuild" => Self::CodeBuild,
            "sqs" => Self::Sqs,
            "tagging" => Self::Tagging,
            _ => return None,
        })
    }

    fn of_target(prefix: &str) -> Option<Self> {
        Some(match prefix {
            "AWS242ServiceCatalogService" => Self::ServiceCatalog,
            "SageMaker" => Self::SageMaker,
            "secretsmanager" => Self::SecretsManager,
            "AWSEvents" => Self::Events,
            "CodeBuild_20161006" => Self::CodeBuild,
            "AmazonSQS" => Self::Sqs,
            "ResourceGroupsTaggingAPI_20170126" => Self::Tagging,
            _ if prefix.ends_with("CodeConnections_20231201") => Self::CodeConnections,
            _ if prefix.ends_with("CodeStar_connections_20191201") => Self::CodeConnections,
            _ => return None,
        })
    }
}

impl Address {
    /// Reads it off a request: the credential scope names the service, else the target header, else the path.
    pub fn of(request: &Request<Bytes>) -> Self {
        let credential = Credential::of(request);
        let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok());
        let (target_prefix, target_operation) = target.and_then(|target| target.rsplit_once('.')).unwrap_or_default();
        let rpc = rpc_path(request.uri().path());
        let signed = credential.as_ref().map(|credential| credential.service.as_str());
        let service = signed
            .map_or_else(|| Service::of_target(target_prefix), Service::named)
            .or_else(|| rpc.and_then(|(name, _)| Service::of_target(name)));
        let service_name = service.map(Service::name).or(signed).unwrap_or_default().to_owned();
        let (protocol, operation) = if let Some((_, operation)) = rpc {
            (Protocol::Cbor, operation.to_owned())
        } else if target.is_some() {
            (Protocol::Json, target_operation.to_owned())
        } else if service == Some(Service::S3) {
            (Protocol::RestXml, rest_xml::operation(request).to_owned())
        } else if service == Some(Service::Lambda) {
            (Protocol::RestJson, rest_json::operation(request).to_owned())
        } else if let Some(action) = action(request) {
            (Protocol::Query, action)
        } else {
            (Protocol::Json, String::new())
        };
        Self { service, service_name, operation, protocol, credential }
    }

    /// How an operation is refused that the service does not have here.
    pub fn unknown(&self) -> Refusal {
        let asked = if self.operation.is_empty() { "the operation asked for" } else { &self.operation };
        let service = if self.service_name.is_empty() { "this service" } else { &self.service_name };
        Refusal::new("UnknownOperationException", format!("The sandbox does not know {asked} of {service}"))
    }
}

impl Credential {
    /// Reads `Credential=KEY/DATE/REGION/SERVICE/aws4_request` off the Authorization header or a presigned URL.
    pub fn of(request: &Request<Bytes>) -> Option<Self> {
        let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let scope = match header {
            Some(header) => {
                let (_, rest) = header.split_once("Credential=")?;
                rest.split([',', ' ']).next()?.to_owned()
            }
            None => {
                let pairs = form(request.uri().query().unwrap_or_default());
                pairs.into_iter().find(|(name, _)| name == "X-Amz-Credential")?.1
            }
        };
        let mut parts: Vec<&str> = scope.split('/').collect();
        // A SigV4a scope leaves the region out; the set of regions stands in a header of its own.
        if parts.len() == 4 {
            let set = request.headers().get("x-amz-region-set").and_then(|value| value.to_str().ok());
            parts.insert(2, set.and_then(|set| set.split(',').next()).filter(|one| *one != "*").unwrap_or("us-east-1"));
        }
        match parts.as_slice() {
            [key, _date, region, service, _] => Some(Self {
                access_key_id: (*key).to_owned(),
                region: (*region).to_owned(),
                service: (*service).to_owned(),
            }),
            _ => None,
        }
    }
}

/// Service and operation of an rpc-v2 path: `/service/NAME/operation/OPERATION`.
fn rpc_path(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("/service/")?.split_once("/operation/")
}

/// The `Action` of a query-protocol request, which may stand in the URL as well.
fn action(request: &Request<Bytes>) -> Option<String> {
    let body = std::str::from_utf8(request.body()).unwrap_or_default();
    let query = request.uri().query().unwrap_or_default();
    form(body).into_iter().chain(form(query)).find(|(name, _)| name == "Action").map(|(_, action)| action)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn signed(service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIA1/20260105/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        )
    }

    #[test]
    fn a_request_is_recognised_by_scope_then_target_then_path() {
        type Row = (
            &'static str,
            &'static str,
            &'static str,
            &'static str,
            &'static str,
            Option<Service>,
            Protocol,
            &'static str,
        );
        #[rustfmt::skip]
        let rows: [Row; 10] = [
            ("awsJson with a target", "servicecatalog", "/", "AWS242ServiceCatalogService.CreatePortfolio", "{}", Some(Service::ServiceCatalog), Protocol::Json, "CreatePortfolio"),
            ("a form with an action", "sts", "/", "", "Action=GetCallerIdentity&Version=2011-06-15", Some(Service::Sts), Protocol::Query, "GetCallerIdentity"),
            ("an rpc path", "codeconnections", "/service/CodeConnections_20231201/operation/GetConnection", "", "", Some(Service::CodeConnections), Protocol::Cbor, "GetConnection"),
            ("the Resource Groups Tagging API, signed as tagging", "tagging", "/service/ResourceGroupsTaggingAPI_20170126/operation/GetResources", "", "", Some(Service::Tagging), Protocol::Cbor, "GetResources"),
            ("the older name of CodeConnections", "codestar-connections", "/", "com.amazonaws.codestar.connections.CodeStar_connections_20191201.GetConnection", "{}", Some(Service::CodeConnections), Protocol::Json, "GetConnection"),
            ("S3 by path and method", "s3", "/bucket/key", "", "", Some(Service::S3), Protocol::RestXml, "GetObject"),
            ("Lambda by path and method", "lambda", "/2015-03-31/functions/f", "", "", Some(Service::Lambda), Protocol::RestJson, "GetFunction"),
            ("unsigned, by its target", "", "/", "SageMaker.ListProjects", "{}", Some(Service::SageMaker), Protocol::Json, "ListProjects"),
            ("unsigned, by its path", "", "/service/CodeConnections_20231201/operation/GetConnection", "", "", Some(Service::CodeConnections), Protocol::Cbor, "GetConnection"),
            ("a service that is not here", "dynamodb", "/", "DynamoDB_20120810.ListTables", "{}", None, Protocol::Json, "ListTables"),
        ];
        for (case, scope, path, target, body, service, protocol, operation) in rows {
            let mut request = Request::builder().uri(path);
            if !scope.is_empty() {
                request = request.header("authorization", signed(scope));
            }
            if !target.is_empty() {
                request = request.header("x-amz-target", target);
            }
            let address = Address::of(&request.body(Bytes::from_static(body.as_bytes())).unwrap());
            assert_eq!((address.service, address.protocol), (service, protocol), "{case}");
            assert_eq!(address.operation, operation, "{case}");
            assert_eq!(address.credential.is_some(), !scope.is_empty(), "{case}");
        }
    }

    #[test]
    fn a_presigned_url_names_its_signer() {
        let uri = "/b/k?X-Amz-Credential=AKIA2%2F20260105%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Signature=0";
        let request = Request::builder().uri(uri).body(Bytes::new()).unwrap();
        let credential = Credential::of(&request).unwrap();
        assert_eq!((credential.access_key_id.as_str(), credential.region.as_str()), ("AKIA2", "eu-west-1"));
    }
}
