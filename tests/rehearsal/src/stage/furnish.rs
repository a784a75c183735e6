//! Makes what `preparation` has decided on: Namespaces, Secrets and ConfigMaps in the Kubernetes API, and in AWS what the platform
//! names. It decides nothing.

use mlops_sandbox::aws::{Call, dispatch, iam};
use serde_json::{Value, json};

use super::Stage;
use crate::manifest::Documents;
use crate::preparation::Preparation;

/// The setup that the documentation walks through: its boundary stands for that of the user's account.
const SETUP: &str = include_str!("../../../../examples/aws/project-roles.yaml");

impl Stage {
    /// Makes everything.
    pub(super) async fn furnish(&self, documents: &Documents, preparation: &Preparation) -> Result<(), String> {
        for companion in documents.companions.iter().filter(|one| one.plural == "namespaces") {
            self.namespace(&companion.content)?;
        }
        for companion in documents.companions.iter().filter(|one| one.plural != "namespaces") {
            let created = self.kubernetes.create(companion.plural, &companion.namespace, companion.content.clone());
            created.map(drop).map_err(|error| {
                let name = companion.content["metadata"]["name"].as_str().unwrap_or_default();
                format!("the Kubernetes API refuses {}/{name}: {error:?}", companion.plural)
            })?;
        }
        for arn in &preparation.connections {
            self.control("POST", "connections", json!({"arn": arn, "status": "AVAILABLE"})).await?;
        }
        for (arn, services) in &preparation.roles {
            self.role(arn, services).await?;
        }
        if let Some(arn) = &preparation.boundary {
            self.control("POST", "policies", json!({"arn": arn, "document": boundary()?})).await?;
        }
        if let Some(bucket) = &preparation.bucket {
            let mut call = self.aws.s3.create_bucket().bucket(bucket);
            if preparation.region != "us-east-1" {
                let there = preparation.region.as_str().into();
                let configuration = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(there);
                call = call.create_bucket_configuration(configuration.build());
            }
            call.send().await.map_err(|error| format!("cannot make bucket {bucket}: {error:?}"))?;
        }
        Ok(())
    }

    /// A namespace with its labels. `default` is there from the beginning.
    pub(super) fn namespace(&self, content: &Value) -> Result<(), String> {
        let name = content["metadata"]["name"].as_str().unwrap_or_default();
        let refused = |error: &dyn std::fmt::Debug| format!("the Kubernetes API refuses namespace {name}: {error:?}");
        let Err(error) = self.kubernetes.create("namespaces", "", content.clone()) else { return Ok(()) };
        if !format!("{error:?}").contains("AlreadyExists") {
            return Err(refused(&error));
        }
        let labels = json!({"metadata": {"labels": content["metadata"]["labels"]}});
        self.kubernetes.merge("namespaces", "", name, false, &labels).map(drop).map_err(|error| refused(&error))
    }

    async fn role(&self, arn: &str, services: &[&str]) -> Result<(), String> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let Some((account, resource)) = parts.get(4).zip(parts.get(5).and_then(|text| text.strip_prefix("role/")))
        else {
            // Not an ARN: the operator says so itself.
            return Ok(());
        };
        let (path, name) =
            resource.rsplit_once('/').map_or(("/".to_owned(), resource), |(path, name)| (format!("/{path}/"), name));
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"Service": services, "AWS": format!("arn:aws:iam::{account}:root")},
        }]});
        let asked = json!({"account": account, "path": path, "name": name, "trust": trust});
        self.control("POST", "roles", asked).await?;
        if services.contains(&"lambda.amazonaws.com") {
            self.let_read_queues(account, name)?;
        }
        Ok(())
    }

    /// What a role of the user's own for the model trigger's function can do is known in the account alone: here it can do what
    /// Lambda itself asks for before it reads from the queue.
    fn let_read_queues(&self, account: &str, role: &str) -> Result<(), String> {
        let caller = dispatch::administrator(account);
        let policy = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole";
        let input = json!({"RoleName": role, "PolicyArn": policy});
        let call = Call { operation: "AttachRolePolicy", input: &input, caller: &caller, region: "us-east-1" };
        let attached = self.sandbox.world(|world| iam::call(world, &call));
        attached.map(drop).map_err(|refusal| format!("cannot let role {role} read queues: {refusal:?}"))
    }
}

/// What the boundary of the documented setup allows.
fn boundary() -> Result<Value, String> {
    let template: serde_yaml::Value = serde_yaml::from_str(SETUP).map_err(|error| error.to_string())?;
    let document = &template["Resources"]["TriggerBoundary"]["Properties"]["PolicyDocument"];
    serde_json::to_value(document).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_boundary_of_the_documented_setup_is_found() {
        assert_eq!(boundary().unwrap()["Statement"][0]["Sid"], "Logs");
    }
}
