//! The templates of the one-time setup, made in the sandbox's CloudFormation under every choice that they offer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::time::Duration;

use mlops_sandbox::aws::iam::Trust;
use mlops_sandbox::aws::{Call, Caller, Outcome, cloudformation};
use mlops_sandbox::{Settings, World};
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-central-1";
const ROLE: &str = "arn:aws:iam::111122223333:role/some";
const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/0a1b";
const CONNECTION: &str =
    "arn:aws:codeconnections:eu-central-1:111122223333:connection/0f0e0d0c-1a2b-4c3d-8e9f-001122334455";

/// Parameters by name.
type Given = Vec<(&'static str, &'static str)>;

/// A stack that was made: what it consists of by type, its outputs, and the world it is in.
struct Stack {
    world: World,
    kinds: BTreeMap<String, usize>,
    outputs: BTreeMap<String, String>,
}

fn ask(world: &mut World, operation: &str, input: &Value) -> Outcome {
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/administrator");
    let caller = Caller { account: ACCOUNT.into(), principal: arn.clone(), arn };
    cloudformation::call(world, &Call { operation, input, caller: &caller, region: REGION })
}

/// Begins a stack of the template, in a world with the roles that SageMaker Studio makes.
fn begun(file: &str, given: &Given) -> (World, Outcome) {
    let text = std::fs::read_to_string(format!("{}/examples/aws/{file}.yaml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut world = World::new(Settings::default(), "2026-01-01T00:00:00Z".parse().unwrap());
    for name in ["launch", "use"] {
        world.iam.add_role(ACCOUNT, "/service-role/", name, &["servicecatalog.amazonaws.com"]);
    }
    let parameters: Vec<Value> =
        given.iter().map(|(name, value)| json!({"ParameterKey": name, "ParameterValue": value})).collect();
    let input = json!({"StackName": "setup", "TemplateBody": text, "Parameters": parameters,
        "Capabilities": ["CAPABILITY_IAM"]});
    let outcome = ask(&mut world, "CreateStack", &input);
    (world, outcome)
}

fn made(file: &str, given: &Given) -> Stack {
    let (mut world, outcome) = begun(file, given);
    outcome.unwrap_or_else(|refusal| panic!("{file} {given:?}: {refusal}"));
    let later = world.after(Duration::from_mins(1));
    world.advance(later);
    let mut look = |operation: &str| ask(&mut world, operation, &json!({"StackName": "setup"})).unwrap();
    let (events, stacks, resources) =
        (look("DescribeStackEvents"), look("DescribeStacks"), look("DescribeStackResources"));
    let events = events["StackEvents"].as_array().unwrap();
    let reasons: Vec<&str> = events.iter().filter_map(|event| event["ResourceStatusReason"].as_str()).collect();
    let stack = &stacks["Stacks"][0];
    assert_eq!(stack["StackStatus"], "CREATE_COMPLETE", "{file} {given:?}: {reasons:#?}");
    let mut kinds = BTreeMap::new();
    for resource in resources["StackResources"].as_array().unwrap() {
        *kinds.entry(resource["ResourceType"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    let text = |output: &Value, member: &str| output[member].as_str().unwrap().to_owned();
    let outputs = stack["Outputs"].as_array().into_iter().flatten();
    let outputs = outputs.map(|output| (text(output, "OutputKey"), text(output, "OutputValue"))).collect();
    Stack { world, kinds, outputs }
}

/// Every combination of one value each.
fn combinations(choices: &[&[(&'static str, &'static str)]]) -> Vec<Given> {
    choices.iter().fold(vec![Given::new()], |before, choice| {
        before
            .iter()
            .flat_map(|given| choice.iter().map(move |one| given.iter().copied().chain([*one]).collect()))
            .collect()
    })
}

#[test]
fn a_connection_waits_for_its_handshake() {
    for provider in ["GitHub", "Bitbucket", "GitLab"] {
        let mut stack = made("connection", &vec![("ProviderType", provider)]);
        assert_eq!(stack.outputs["ConnectionStatus"], "PENDING");
        let connections = &mut stack.world.region(ACCOUNT, REGION).connections;
        assert!(connections.approve(&stack.outputs["ConnectionArn"]));
    }
}

#[test]
fn the_operators_role_is_made_for_each_way_of_trust_and_each_right() {
    let choices: [&[(&str, &str)]; 4] = [
        &[("Trust", "PodIdentity"), ("Trust", "Irsa")],
        &[("DeletesData", "false"), ("DeletesData", "true")],
        &[("KmsKeyArn", ""), ("KmsKeyArn", KEY)],
        &[("OidcProvider", "oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE")],
    ];
    for mut given in combinations(&choices) {
        given.push(("StackRoleArn", ROLE));
        let stack = made("operator-role", &given);
        let has = |pair: (&str, &str)| usize::from(given.contains(&pair));
        assert_eq!(stack.kinds["AWS::IAM::Policy"], 1 + has(("DeletesData", "true")) + has(("KmsKeyArn", KEY)));
        let trust = &stack.world.iam.role_by_arn(&stack.outputs["RoleArn"]).unwrap().trust;
        let provider = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE";
        let principal = match given[0] {
            ("Trust", "Irsa") => json!({"Federated": provider}),
            _ => json!({"Service": "pods.eks.amazonaws.com"}),
        };
        assert_eq!(trust["Statement"][0]["Principal"], principal);
    }
}

#[test]
fn the_projects_roles_are_made_or_given_what_they_lack() {
    let choices: [&[(&str, &str)]; 4] = [
        &[("LaunchRoleName", ""), ("LaunchRoleName", "launch")],
        &[("UseRoleName", ""), ("UseRoleName", "use")],
        &[("RuntimeRoleArn", ""), ("RuntimeRoleArn", ROLE)],
        &[("KmsKeyArn", ""), ("KmsKeyArn", KEY), ("ArchiveBuckets", "seeds")],
    ];
    for mut given in combinations(&choices) {
        given.push(("ConnectionArns", CONNECTION));
        let stack = made("project-roles", &given);
        let has = |pair: (&str, &str)| usize::from(given.contains(&pair));
        assert_eq!(stack.kinds["AWS::IAM::Role"], 1 + has(("LaunchRoleName", "")) + has(("UseRoleName", "")));
        let services =
            [("LaunchRoleArn", "servicecatalog"), ("UseRoleArn", "codebuild"), ("StackRoleArn", "cloudformation")];
        for (output, service) in services {
            let Some(arn) = stack.outputs.get(output) else { continue };
            assert_eq!(stack.world.trust(arn, &format!("{service}.amazonaws.com")), Trust::Given, "{output}");
        }
    }
}

#[test]
fn jenkins_gets_a_user_or_a_role() {
    let choices: [&[(&str, &str)]; 3] = [
        &[("Identity", "User"), ("Identity", "InstanceRole"), ("Identity", "PodRole")],
        &[("DeploysEndpoints", "false"), ("DeploysEndpoints", "true")],
        &[("KmsKeyArn", ""), ("KmsKeyArn", KEY)],
    ];
    for mut given in combinations(&choices) {
        given.push(("UseRoleArn", ROLE));
        let stack = made("jenkins-user", &given);
        let has = |pair: (&str, &str)| usize::from(given.contains(&pair));
        assert_eq!(stack.kinds["AWS::IAM::ManagedPolicy"], 1 + has(("DeploysEndpoints", "true")));
        let user = has(("Identity", "User"));
        assert_eq!(stack.kinds.get("AWS::IAM::User"), (user == 1).then_some(&1));
        assert_eq!(stack.kinds.get("AWS::IAM::Role"), (user == 0).then_some(&1));
        assert_eq!(stack.outputs.contains_key("UserName"), user == 1);
    }
}

#[test]
fn what_cannot_serve_is_refused_before_anything_is_made() {
    let cases: &[(&str, Given, &str)] = &[
        ("operator-role", vec![("StackRoleArn", ROLE), ("Trust", "Irsa")], "Irsa needs OidcProvider"),
        ("operator-role", vec![], "[StackRoleArn] must have values"),
        ("operator-role", vec![("StackRoleArn", ROLE), ("Namespace", "a\"b")], "Namespace"),
        ("project-roles", vec![("ConnectionArns", "github")], "ConnectionArns"),
        ("jenkins-user", vec![("UseRoleArn", ROLE), ("Identity", "Robot")], "Identity"),
    ];
    for (file, given, expected) in cases {
        let refusal = begun(file, given).1.unwrap_err().to_string();
        assert!(refusal.contains(expected), "{file} {given:?}: {refusal}");
    }
}
