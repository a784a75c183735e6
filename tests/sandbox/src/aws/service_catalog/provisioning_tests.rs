//! What becomes of a product that is launched: through S3, IAM and CloudFormation of this sandbox.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use serde_json::{Value, json};

use super::tests::{ACCOUNT, Bench, LAUNCH_ROLE, artifact_input, quick, text};
use crate::aws::{Call, cloudformation, iam};

/// A provisioned product and what was said of it last.
struct Launch {
    id: String,
    record: String,
}

impl Bench {
    fn launch(&mut self, product: &str, artifact: &str, name: &str, group: &str) -> Launch {
        let input = json!({"ProductId": product, "ProvisioningArtifactId": artifact, "ProvisionedProductName": name,
            "ProvisionToken": name, "ProvisioningParameters": [{"Key": "Name", "Value": group}]});
        let answer = self.done("ProvisionProduct", input);
        let detail = &answer["RecordDetail"];
        assert_eq!(detail["Status"], "CREATED");
        Launch { id: text(&detail["ProvisionedProductId"]), record: text(&detail["RecordId"]) }
    }

    fn update(&mut self, launch: &Launch, token: &str, parameters: Value) -> String {
        let input =
            json!({"ProvisionedProductId": launch.id, "UpdateToken": token, "ProvisioningParameters": parameters});
        text(&self.done("UpdateProvisionedProduct", input)["RecordDetail"]["RecordId"])
    }

    fn terminate(&mut self, launch: &Launch, token: &str) -> String {
        let input = json!({"ProvisionedProductId": launch.id, "TerminateToken": token});
        text(&self.done("TerminateProvisionedProduct", input)["RecordDetail"]["RecordId"])
    }

    /// Status of the provisioned product, status of the record, and the record's errors.
    fn stand(&mut self, launch: &Launch, record: &str) -> (String, String, String) {
        let product = self.call("DescribeProvisionedProduct", json!({"Id": launch.id}));
        let product = product.map_or("gone".into(), |answer| text(&answer["ProvisionedProductDetail"]["Status"]));
        let record = self.done("DescribeRecord", json!({"Id": record}));
        let detail = &record["RecordDetail"];
        (product, text(&detail["Status"]), detail["RecordErrors"].to_string())
    }

    fn stacks(&mut self) -> Vec<String> {
        let (input, caller) = (json!({}), self.caller.clone());
        let call = Call { operation: "DescribeStacks", input: &input, caller: &caller, region: "us-east-1" };
        let stacks = cloudformation::call(&mut self.world, &call).unwrap();
        stacks["Stacks"].as_array().unwrap().iter().map(|stack| text(&stack["StackName"])).collect()
    }

    fn delete_launch_role(&mut self) {
        let (input, caller) = (json!({"RoleName": LAUNCH_ROLE.rsplit('/').next().unwrap()}), self.caller.clone());
        let call = Call { operation: "DeleteRole", input: &input, caller: &caller, region: "us-east-1" };
        iam::call(&mut self.world, &call).unwrap();
    }
}

#[test]
fn a_launch_role_is_assumed_where_its_conditions_hold() {
    let source = |operator: &str, key: &str, value: &str| json!({ operator: { key: value } });
    let rows = [
        ("the account that launches", source("StringEquals", "aws:SourceAccount", ACCOUNT), true),
        ("another account", source("StringEquals", "aws:SourceAccount", "444455556666"), false),
        ("accounts alike", source("StringLikeIfExists", "aws:SourceAccount", "1111*"), true),
        ("an ARN that AWS does not tell of", source("ArnLike", "aws:SourceArn", "arn:aws:servicecatalog:*:*:*"), false),
        ("what nothing is known of", source("IpAddress", "aws:SourceIp", "10.0.0.0/8"), false),
    ];
    for (name, condition, assumed) in rows {
        let mut bench = Bench::new(quick());
        let (_, product, artifact) = bench.catalog();
        let trust = json!({"Statement": {"Effect": "Allow", "Principal": {"Service": "servicecatalog.amazonaws.com"},
            "Action": "sts:AssumeRole", "Condition": condition}});
        bench.world.iam.add_role_trusting(ACCOUNT, "/service-role/", LAUNCH_ROLE.rsplit('/').next().unwrap(), trust);
        let input = json!({"ProductId": product, "ProvisioningArtifactId": artifact, "ProvisionedProductName": "one",
            "ProvisionToken": "one", "ProvisioningParameters": [{"Key": "Name", "Value": "models"}]});
        let answer = bench.call("ProvisionProduct", input);
        assert_eq!(answer.is_ok(), assumed, "{name}: {answer:?}");
    }
}

const LONG: Duration = Duration::from_secs(30);

#[test]
fn a_launch_becomes_a_stack_is_updated_and_goes() {
    let mut bench = Bench::new(quick());
    let (_, product, artifact) = bench.catalog();
    let launch = bench.launch(&product, &artifact, "one", "models");
    let stand = bench.stand(&launch, &launch.record);
    assert_eq!((stand.0.as_str(), stand.1.as_str()), ("UNDER_CHANGE", "IN_PROGRESS"));
    let busy = bench
        .call("TerminateProvisionedProduct", json!({"ProvisionedProductId": launch.id, "TerminateToken": "early"}));
    assert_eq!(busy.unwrap_err().code, "InvalidParametersException");

    bench.pass(LONG);
    let stand = bench.stand(&launch, &launch.record);
    assert_eq!((stand.0.as_str(), stand.1.as_str()), ("AVAILABLE", "SUCCEEDED"));
    assert_eq!(bench.stacks(), [format!("SC-{ACCOUNT}-{}", launch.id)]);
    let record = bench.done("DescribeRecord", json!({"Id": launch.record}));
    assert_eq!(record["RecordDetail"]["LaunchRoleArn"], LAUNCH_ROLE);
    let outputs = record["RecordOutputs"].as_array().unwrap();
    assert!(
        outputs.iter().any(|output| output["OutputKey"] == "Group" && output["OutputValue"] == "models"),
        "{record}"
    );
    let searched = bench.done("SearchProvisionedProducts", json!({"Filters": {"SearchQuery": ["name:one"]}}));
    assert_eq!(searched["ProvisionedProducts"][0]["Id"], json!(launch.id));

    let unchanged = bench.update(&launch, "same", json!([{"Key": "Name", "Value": "models"}]));
    let stand = bench.stand(&launch, &unchanged);
    assert_eq!(
        (stand.0.as_str(), stand.1.as_str()),
        ("AVAILABLE", "SUCCEEDED"),
        "nothing to update is no failure: {}",
        stand.2
    );
    let renamed = bench.update(&launch, "new", json!([{"Key": "Name", "Value": "others"}]));
    bench.pass(LONG);
    let stand = bench.stand(&launch, &renamed);
    assert_eq!((stand.0.as_str(), stand.1.as_str()), ("AVAILABLE", "SUCCEEDED"), "{}", stand.2);

    let ended = bench.terminate(&launch, "end");
    bench.pass(LONG);
    let stand = bench.stand(&launch, &ended);
    assert_eq!((stand.0.as_str(), stand.1.as_str()), ("gone", "SUCCEEDED"));
    assert!(bench.stacks().is_empty());
    let history =
        bench.done("ListRecordHistory", json!({"SearchFilter": {"Key": "provisionedproduct", "Value": launch.id}}));
    assert_eq!(history["RecordDetails"].as_array().unwrap().len(), 4);
}

#[test]
fn the_outputs_of_the_stack_are_given_by_key_or_page_by_page() {
    let mut bench = Bench::new(quick());
    let (_, product, artifact) = bench.catalog();
    let launch = bench.launch(&product, &artifact, "one", "models");
    bench.pass(LONG);
    let unchanged = bench.update(&launch, "same", json!([{"Key": "Name", "Value": "models"}]));
    assert_eq!(bench.stand(&launch, &unchanged).1, "SUCCEEDED");
    let by_key = json!({"ProvisionedProductName": "one", "OutputKeys": ["Group"]});
    let outputs = bench.done("GetProvisionedProductOutputs", by_key)["Outputs"].clone();
    assert_eq!((outputs.as_array().unwrap().len(), &outputs[0]["OutputValue"]), (1, &json!("models")));
    let first = json!({"ProvisionedProductId": launch.id, "PageSize": 1});
    let first = bench.done("GetProvisionedProductOutputs", first);
    assert_eq!(first["Outputs"][0]["OutputKey"], "CloudformationStackARN");
    let second = json!({"ProvisionedProductId": launch.id, "PageSize": 1, "PageToken": first["NextPageToken"]});
    assert_eq!(bench.done("GetProvisionedProductOutputs", second)["Outputs"][0]["OutputKey"], "Group");
    let cases = [
        (
            "an unknown key",
            json!({"ProvisionedProductId": launch.id, "OutputKeys": ["X"]}),
            "InvalidParametersException",
        ),
        ("neither id nor name", json!({}), "InvalidParametersException"),
        ("no such product", json!({"ProvisionedProductId": "pp-none"}), "ResourceNotFoundException"),
    ];
    for (name, input, code) in cases {
        assert_eq!(bench.call("GetProvisionedProductOutputs", input).expect_err(name).code, code, "{name}");
    }
}

#[test]
fn parameters_that_break_a_rule_of_the_template_fail_the_launch_with_the_rules_own_words() {
    let mut bench = Bench::new(quick());
    bench.put(
        "/templates/t.yaml",
        "Parameters: {Name: {Type: String}}\n\
         Rules: {Named: {Assertions: [{Assert: !Not [!Equals [!Ref Name, none]], AssertDescription: Name must not be none}]}}\n\
         Resources: {Queue: {Type: 'AWS::SQS::Queue'}}\n",
    );
    let (_, product, artifact) = bench.catalog();
    let launch = bench.launch(&product, &artifact, "one", "none");
    let stand = bench.stand(&launch, &launch.record);
    assert_eq!((stand.0.as_str(), stand.1.as_str()), ("ERROR", "FAILED"));
    assert!(
        stand.2.contains("AmazonCloudFormationException  ")
            && stand.2.contains("Name must not be none (Service: AmazonCloudFormation; Status Code: 400; Error Code: ValidationError; Request ID: "),
        "{}",
        stand.2
    );
    let record = bench.done("DescribeRecord", json!({"Id": launch.record}));
    assert_eq!(record["RecordOutputs"], json!([]), "there is no stack to lead to");
    assert!(bench.stacks().is_empty());
}

#[test]
fn a_stack_that_fails_leaves_its_arn_and_all_reasons_of_its_events() {
    let mut bench = Bench::new(quick());
    let (_, product, artifact) = bench.catalog();
    let first = bench.launch(&product, &artifact, "one", "models");
    bench.pass(LONG);
    let second = bench.launch(&product, &artifact, "two", "models");
    bench.pass(LONG);
    let stand = bench.stand(&second, &second.record);
    assert_eq!((stand.0.as_str(), stand.1.as_str()), ("ERROR", "FAILED"));
    let record = bench.done("DescribeRecord", json!({"Id": second.record}));
    let said = text(&record["RecordDetail"]["RecordErrors"][0]["Description"]);
    let stack = format!("SC-{ACCOUNT}-{}", second.id);
    let newest_first = [
        &format!(
            "Errors from CloudFormation: [{{LogicalResourceId : {stack}, ResourceType : AWS::CloudFormation::Stack, StatusReason : The following resource(s) failed to create: [Group]. Rollback requested by user.}}, "
        ),
        "{LogicalResourceId : Group, ResourceType : AWS::SageMaker::ModelPackageGroup, StatusReason : Resource handler returned message: \"",
        &format!(
            "{{LogicalResourceId : {stack}, ResourceType : AWS::CloudFormation::Stack, StatusReason : User Initiated}}]"
        ),
    ];
    let mut rest = said.as_str();
    for piece in newest_first {
        rest = rest.split_once(piece).unwrap_or_else(|| panic!("{piece} in {rest}")).1;
    }
    let outputs = record["RecordOutputs"].as_array().unwrap();
    assert_eq!((outputs.len(), &outputs[0]["OutputKey"]), (1, &json!("CloudformationStackARN")));
    assert!(text(&outputs[0]["OutputValue"]).contains(&format!(":stack/{stack}/")), "{outputs:?}");

    let ended = bench.terminate(&second, "end");
    bench.pass(LONG);
    assert_eq!(bench.stand(&second, &ended).0, "gone");
    assert_eq!(bench.stand(&first, &first.record).0, "AVAILABLE");

    let third = bench.launch(&product, &artifact, "three", "others");
    bench.pass(LONG);
    let taken = bench.update(&third, "taken", json!([{"Key": "Name", "Value": "models"}]));
    bench.pass(LONG);
    let stand = bench.stand(&third, &taken);
    assert_eq!((stand.0.as_str(), stand.1.as_str()), ("TAINTED", "FAILED"), "{}", stand.2);
    let record = bench.done("DescribeRecord", json!({"Id": taken}));
    let keys: Vec<String> =
        record["RecordOutputs"].as_array().unwrap().iter().map(|output| text(&output["OutputKey"])).collect();
    assert_eq!(keys, ["CloudformationStackARN", "Group"], "the stack is as it was, with its outputs");
}

#[test]
fn without_its_launch_role_a_product_cannot_be_terminated() {
    let mut bench = Bench::new(quick());
    let (_, product, artifact) = bench.catalog();
    let launch = bench.launch(&product, &artifact, "one", "models");
    bench.pass(LONG);
    bench.delete_launch_role();
    let record = bench.terminate(&launch, "end");
    bench.pass(LONG);
    let stand = bench.stand(&launch, &record);
    assert_eq!((stand.0.as_str(), stand.1.as_str()), ("TAINTED", "FAILED"));
    assert!(stand.2.contains(&format!("Access denied while assuming the role {LAUNCH_ROLE}")), "{}", stand.2);
    assert_eq!(bench.stacks().len(), 1, "the stack stays");
}

#[test]
fn a_version_keeps_its_template_and_shows_its_parameters() {
    let mut bench = Bench::new(quick());
    let (_, product, artifact) = bench.catalog();
    bench.put("/templates/t.yaml", "Resources: {}");
    let ids = json!({"ProductId": product, "ProvisioningArtifactId": artifact});
    let parameters = bench.done("DescribeProvisioningParameters", ids);
    assert_eq!(parameters["ProvisioningArtifactParameters"][0]["ParameterKey"], "Name");
    assert_eq!(parameters["ProvisioningArtifactParameters"][0]["IsNoEcho"], false);

    let mut wrong = artifact_input("v2");
    wrong["DisableTemplateValidation"] = json!(false);
    let create = |parameters: &Value, token: &str| json!({"ProductId": product, "Parameters": parameters, "IdempotencyToken": token});
    let refusal = bench.call("CreateProvisioningArtifact", create(&wrong, "a")).unwrap_err();
    assert_eq!(refusal.code, "InvalidParametersException");
    assert!(refusal.message.contains("Invalid templateBody"), "{refusal}");
    wrong["Info"] = json!({"LoadTemplateFromURL": "https://templates.s3.us-east-1.amazonaws.com/none.yaml"});
    let refusal = bench.call("CreateProvisioningArtifact", create(&wrong, "b")).unwrap_err();
    assert!(refusal.message.contains("Access Denied"), "{refusal}");

    let launch = bench.launch(&product, &artifact, "one", "models");
    bench.pass(LONG);
    assert_eq!(bench.stand(&launch, &launch.record).0, "AVAILABLE");
    let stack = format!("SC-{ACCOUNT}-{}", launch.id);
    let imported = json!({"Name": "v3", "Info": {"ImportFromPhysicalId": stack}});
    let answer = bench.done("CreateProvisioningArtifact", create(&imported, "c"));
    assert_eq!(answer["Info"]["PhysicalId"], json!(stack));
}
