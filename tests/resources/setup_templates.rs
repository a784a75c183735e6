//! The templates of the one-time setup, made in the sandbox's CloudFormation under every choice that they offer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::time::Duration;

use mlops_sandbox::aws::iam::{Facts, Trust};
use mlops_sandbox::aws::{Call, Caller, Outcome, cloudformation};
use mlops_sandbox::{Settings, World};
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-central-1";
const ROLE: &str = "arn:aws:iam::111122223333:role/some";
const LAUNCH_ROLE: &str = "arn:aws:iam::111122223333:role/launches";
const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/0a1b";
const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/bounds";
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

/// What the operator's role needs to be told: whom it passes.
const PASSED: [(&str, &str); 2] = [("StackRoleArns", ROLE), ("LaunchRoleArns", LAUNCH_ROLE)];
/// What the roles of a team's projects need to be told.
const TEAM: [(&str, &str); 3] =
    [("ConnectionArns", CONNECTION), ("Repositories", "team/taxi-*,team/fares"), ("ProjectNames", "taxi-*")];
/// What the identity of a project's jobs needs to be told.
const PROJECT: [(&str, &str); 3] = [("UseRoleArn", ROLE), ("ProjectName", "taxi"), ("ProjectId", "p-1")];

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
        given.extend(PASSED);
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
        given.extend(TEAM);
        let stack = made("project-roles", &given);
        let has = |pair: (&str, &str)| usize::from(given.contains(&pair));
        assert_eq!(stack.kinds["AWS::IAM::Role"], 2 + has(("LaunchRoleName", "")) + has(("UseRoleName", "")));
        let services = [
            ("LaunchRoleArn", "servicecatalog"),
            ("UseRoleArn", "sagemaker"),
            ("CheckInRoleArn", "codebuild"),
            ("CheckInRoleArn", "lambda"),
            ("StackRoleArn", "cloudformation"),
        ];
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
        given.extend(PROJECT);
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
        ("operator-role", [PASSED.as_slice(), &[("Trust", "Irsa")]].concat(), "Irsa needs OidcProvider"),
        ("operator-role", vec![PASSED[1]], "[StackRoleArns] must have values"),
        ("operator-role", vec![PASSED[0]], "[LaunchRoleArns] must have values"),
        ("operator-role", vec![PASSED[0], ("LaunchRoleArns", "*")], "LaunchRoleArns"),
        ("operator-role", [PASSED.as_slice(), &[("Namespace", "a\"b")]].concat(), "Namespace"),
        ("project-roles", vec![TEAM[1], TEAM[2], ("ConnectionArns", "github")], "ConnectionArns"),
        ("project-roles", vec![TEAM[0], TEAM[2]], "[Repositories] must have values"),
        ("project-roles", vec![TEAM[0], TEAM[2], ("Repositories", "*")], "Repositories"),
        ("project-roles", vec![TEAM[0], TEAM[2], ("Repositories", "*/taxi")], "Repositories"),
        ("project-roles", TEAM[..2].to_vec(), "[ProjectNames] must have values"),
        ("project-roles", vec![TEAM[0], TEAM[1], ("ProjectNames", "*")], "ProjectNames"),
        (
            "project-roles",
            [TEAM.as_slice(), &[("ProjectBucketArns", "arn:aws:s3:::sagemaker-project-*")]].concat(),
            "ProjectBucketArns",
        ),
        ("jenkins-user", [PROJECT.as_slice(), &[("Identity", "Robot")]].concat(), "Identity"),
        ("jenkins-user", vec![PROJECT[0], PROJECT[1]], "[ProjectId] must have values"),
        ("jenkins-user", vec![PROJECT[0], PROJECT[1], ("ProjectId", "*")], "ProjectId"),
        ("jenkins-user", vec![PROJECT[0], ("ProjectName", "*"), PROJECT[2]], "ProjectName"),
    ];
    for (file, given, expected) in cases {
        let refusal = begun(file, given).1.unwrap_err().to_string();
        assert!(refusal.contains(expected), "{file} {given:?}: {refusal}");
    }
}

/// Whose policies, what is asked for, on what, under which condition keys, and whether it is allowed.
type Row = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)], bool);

/// Puts each row to the policies of the role that an output names. `ACCOUNT` in a resource stands for region and account,
/// an empty value for a key that the request lacks.
fn judge(stack: &Stack, rows: &[Row]) {
    for (output, action, resource, facts, allowed) in rows {
        let resource = resource.replace("ACCOUNT", &format!("{REGION}:{ACCOUNT}"));
        let facts: Facts = facts
            .iter()
            .map(|(key, value)| {
                ((*key).to_owned(), value.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect())
            })
            .collect();
        let role = &stack.outputs[*output];
        let may = stack.world.iam.permits_given(role, action, &resource, &facts);
        assert_eq!(may, *allowed, "{output} {action} on {resource}, {facts:?}");
    }
}

/// The tag keys of a request that copies another project's owner.
const COPIED: &[(&str, &str)] = &[("aws:tagkeys", "team,mlops-operator.io/object")];
/// Those of any other request.
const PLAIN: &[(&str, &str)] = &[("aws:tagkeys", "team,sagemaker:project-id")];

#[test]
fn pipelines_and_check_in_may_do_their_work_and_nothing_to_other_teams() {
    const USE: &str = "UseRoleArn";
    const CHECK_IN: &str = "CheckInRoleArn";
    const OURS: &[(&str, &str)] = &[("codeconnections:fullrepositoryid", "team/taxi-build")];
    const FARES: &[(&str, &str)] = &[("codeconnections:fullrepositoryid", "team/fares")];
    const THEIRS: &[(&str, &str)] = &[("codeconnections:fullrepositoryid", "others/taxi-build")];
    let rows: &[Row] = &[
        (USE, "sagemaker:CreateTrainingJob", "arn:aws:sagemaker:ACCOUNT:training-job/j", PLAIN, true),
        (USE, "sagemaker:AddTags", "arn:aws:sagemaker:ACCOUNT:training-job/j", PLAIN, true),
        (USE, "sagemaker:AddTags", "arn:aws:sagemaker:ACCOUNT:model-package/taxi-fares-p-1/1", PLAIN, true),
        (USE, "sagemaker:AddTags", "arn:aws:sagemaker:ACCOUNT:model-package/others-p-2/1", PLAIN, false),
        (USE, "sagemaker:CreateModelPackage", "arn:aws:sagemaker:ACCOUNT:model-package/taxi-fares-p-1/2", &[], true),
        (
            USE,
            "sagemaker:CreateModelPackage",
            "arn:aws:sagemaker:ACCOUNT:model-package-group/taxi-fares-p-1",
            &[],
            true,
        ),
        (USE, "sagemaker:CreateModelPackage", "arn:aws:sagemaker:ACCOUNT:model-package/others-p-2/2", &[], false),
        (USE, "sagemaker:CreateModelPackage", "arn:aws:sagemaker:ACCOUNT:model-package-group/others-p-2", &[], false),
        (USE, "sagemaker:DescribeModelPackage", "arn:aws:sagemaker:ACCOUNT:model-package/others-p-2/2", &[], false),
        (USE, "sagemaker:UpdateModelPackage", "arn:aws:sagemaker:ACCOUNT:model-package/taxi-fares-p-1/2", &[], false),
        (USE, "sagemaker:AddTags", "arn:aws:sagemaker:ACCOUNT:model/m", COPIED, false),
        (USE, "sagemaker:AddTags", "arn:aws:sagemaker:ACCOUNT:project/others", PLAIN, false),
        (USE, "sagemaker:AddTags", "arn:aws:sagemaker:ACCOUNT:model-package-group/others", PLAIN, false),
        (USE, "sagemaker:AddTags", "arn:aws:sagemaker:ACCOUNT:pipeline/others", PLAIN, false),
        (USE, "sagemaker:CreateModel", "arn:aws:sagemaker:ACCOUNT:model/m", COPIED, false),
        (USE, "sagemaker:DeleteProject", "arn:aws:sagemaker:ACCOUNT:project/others", &[], false),
        (USE, "codeconnections:UseConnection", CONNECTION, OURS, false),
        (USE, "codebuild:StartBuild", "arn:aws:codebuild:ACCOUNT:project/sagemaker-x-git-seedcodecheckin", &[], false),
        (USE, "s3:GetObject", "arn:aws:s3:::mlops-0a1b/x", &[], false),
        (USE, "s3:ListBucket", "arn:aws:s3:::sagemaker-project-p-0a1b2c3d4e5f", &[], true),
        (USE, "s3:PutObject", "arn:aws:s3:::sagemaker-project-p-0a1b2c3d4e5f/x", &[], true),
        (USE, "s3:GetObject", "arn:aws:s3:::sagemaker-eu-central-1-111122223333/x", &[], true),
        (USE, "s3:ListBucket", "arn:aws:s3:::sagemaker-project-p-ffffffffffff", &[], false),
        (USE, "s3:GetObject", "arn:aws:s3:::sagemaker-project-p-ffffffffffff/x", &[], false),
        (USE, "s3:DeleteObject", "arn:aws:s3:::sagemaker-project-p-ffffffffffff/x", &[], false),
        (CHECK_IN, "codeconnections:UseConnection", CONNECTION, OURS, true),
        (CHECK_IN, "codeconnections:UseConnection", CONNECTION, FARES, true),
        (CHECK_IN, "codeconnections:UseConnection", CONNECTION, THEIRS, false),
        (CHECK_IN, "codeconnections:UseConnection", CONNECTION, &[], false),
        (
            CHECK_IN,
            "codebuild:StartBuild",
            "arn:aws:codebuild:ACCOUNT:project/sagemaker-x-git-seedcodecheckin",
            &[],
            true,
        ),
        (CHECK_IN, "codebuild:StartBuild", "arn:aws:codebuild:ACCOUNT:project/sagemaker-others", &[], false),
        (CHECK_IN, "s3:GetObject", "arn:aws:s3:::mlops-0a1b/x", &[], true),
        (CHECK_IN, "s3:PutObject", "arn:aws:s3:::mlops-0a1b/x", &[], false),
        (CHECK_IN, "sagemaker:AddTags", "arn:aws:sagemaker:ACCOUNT:project/others", COPIED, false),
    ];
    let buckets = "arn:aws:s3:::sagemaker-project-p-0a1b2c3d4e5f*,arn:aws:s3:::sagemaker-eu-central-1-111122223333*";
    judge(&made("project-roles", &[TEAM.as_slice(), &[("ProjectBucketArns", buckets)]].concat()), rows);
    let none: &[Row] = &[
        (USE, "s3:GetObject", "arn:aws:s3:::sagemaker-project-p-0a1b2c3d4e5f/x", &[], false),
        (USE, "s3:GetObject", "arn:aws:s3:::sagemaker-eu-central-1-111122223333/x", &[], false),
    ];
    judge(&made("project-roles", &TEAM.to_vec()), none);
}

#[test]
fn the_roles_of_a_second_team_take_nothing_from_the_first() {
    let (mut world, first) =
        begun("project-roles", &[TEAM.as_slice(), &[("LaunchRoleName", "launch"), ("UseRoleName", "use")]].concat());
    first.unwrap();
    let text =
        std::fs::read_to_string(format!("{}/examples/aws/project-roles.yaml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let second = [
        TEAM[0],
        ("Repositories", "others/*"),
        ("ProjectNames", "other-*"),
        ("LaunchRoleName", "launch"),
        ("UseRoleName", "use"),
    ];
    let parameters: Vec<Value> =
        second.iter().map(|(name, value)| json!({"ParameterKey": name, "ParameterValue": value})).collect();
    let input = json!({"StackName": "second", "TemplateBody": text, "Parameters": parameters,
        "Capabilities": ["CAPABILITY_IAM"]});
    ask(&mut world, "CreateStack", &input).unwrap();
    let later = world.after(Duration::from_mins(1));
    world.advance(later);
    for stack in ["setup", "second"] {
        let seen = ask(&mut world, "DescribeStacks", &json!({"StackName": stack})).unwrap()["Stacks"][0].clone();
        let outputs = seen["Outputs"].as_array().unwrap();
        let check_in = outputs.iter().find(|output| output["OutputKey"] == "CheckInRoleArn").unwrap();
        let check_in = check_in["OutputValue"].as_str().unwrap();
        let to_build = Facts::from([("iam:passedtoservice".to_owned(), vec!["codebuild.amazonaws.com".to_owned()])]);
        let launch = format!("arn:aws:iam::{ACCOUNT}:role/service-role/launch");
        assert!(world.iam.permits_given(&launch, "iam:PassRole", check_in, &to_build), "{stack}");
    }
}

#[test]
fn the_stack_role_makes_roles_within_the_boundary_alone_and_writes_the_operators_tags() {
    const STACK: &str = "StackRoleArn";
    const LAUNCH: &str = "LaunchRoleArn";
    const MADE: &str = "arn:aws:iam::111122223333:role/mlops-0a-model-trigger-FunctionRole-1";
    const OTHER: &[(&str, &str)] = &[("iam:permissionsboundary", BOUNDARY)];
    const NONE: &[(&str, &str)] = &[];
    const TO_LAMBDA: &[(&str, &str)] = &[("iam:passedtoservice", "lambda.amazonaws.com")];
    const TO_EC2: &[(&str, &str)] = &[("iam:passedtoservice", "ec2.amazonaws.com")];
    let stack = made("project-roles", &TEAM.to_vec());
    let boundary: &'static str = stack.outputs["TriggerBoundaryArn"].clone().leak();
    let bounded: &'static [(&str, &str)] = vec![("iam:permissionsboundary", boundary)].leak();
    let function = "arn:aws:lambda:ACCOUNT:function:mlops-f";
    judge(
        &stack,
        &[
            (STACK, "iam:CreateRole", MADE, bounded, true),
            (STACK, "iam:CreateRole", MADE, NONE, false),
            (STACK, "iam:CreateRole", MADE, OTHER, false),
            (STACK, "iam:PutRolePolicy", MADE, bounded, true),
            (STACK, "iam:PutRolePolicy", MADE, NONE, false),
            (STACK, "iam:PutRolePermissionsBoundary", MADE, bounded, true),
            (STACK, "iam:PutRolePermissionsBoundary", MADE, OTHER, false),
            (STACK, "iam:DeleteRolePermissionsBoundary", MADE, bounded, false),
            (STACK, "iam:AttachRolePolicy", MADE, bounded, false),
            (STACK, "iam:DeleteRolePolicy", MADE, NONE, true),
            (STACK, "iam:CreateRole", "arn:aws:iam::111122223333:role/mlops-operator", bounded, false),
            (STACK, "iam:PassRole", MADE, TO_LAMBDA, true),
            (STACK, "iam:PassRole", MADE, TO_EC2, false),
            (STACK, "iam:PassRole", "arn:aws:iam::111122223333:role/mlops-operator", TO_LAMBDA, false),
            (STACK, "lambda:TagResource", function, COPIED, true),
            (LAUNCH, "sagemaker:AddTags", "arn:aws:sagemaker:ACCOUNT:model-package-group/g", COPIED, true),
            (LAUNCH, "iam:PassRole", MADE, TO_LAMBDA, false),
        ],
    );
    let launch = stack.outputs[LAUNCH].clone();
    for (role, service, allowed) in [
        ("CheckInRoleArn", "codebuild", true),
        ("CheckInRoleArn", "lambda", true),
        ("CheckInRoleArn", "sagemaker", false),
        ("UseRoleArn", "codebuild", false),
    ] {
        let facts = Facts::from([("iam:passedtoservice".to_owned(), vec![format!("{service}.amazonaws.com")])]);
        let may = stack.world.iam.permits_given(&launch, "iam:PassRole", &stack.outputs[role], &facts);
        assert_eq!(may, allowed, "{role} to {service}");
    }
}

#[test]
fn the_jobs_of_a_project_reach_that_project_alone() {
    const ROLE: &str = "RoleArn";
    const ID: &str = "aws:resourcetag/sagemaker:project-id";
    const OURS: &[(&str, &str)] = &[(ID, "p-1")];
    const THEIRS: &[(&str, &str)] = &[(ID, "p-2")];
    // Of a resource without that tag: a request for the project's own id, for another's, and for one that another has.
    const NEW: &[(&str, &str)] = &[(ID, ""), ("aws:requesttag/sagemaker:project-id", "p-1")];
    const STRANGE: &[(&str, &str)] = &[(ID, ""), ("aws:requesttag/sagemaker:project-id", "p-2")];
    const CLAIMED: &[(&str, &str)] = &[(ID, "p-2"), ("aws:requesttag/sagemaker:project-id", "p-1")];
    let mut given = PROJECT.to_vec();
    given.extend([("Identity", "PodRole"), ("DeploysEndpoints", "true")]);
    judge(
        &made("jenkins-user", &given),
        &[
            (ROLE, "sagemaker:CreatePipeline", "arn:aws:sagemaker:ACCOUNT:pipeline/taxi-p-1-train", PLAIN, true),
            (ROLE, "sagemaker:AddTags", "arn:aws:sagemaker:ACCOUNT:pipeline/taxi-p-1-train", PLAIN, true),
            (ROLE, "sagemaker:AddTags", "arn:aws:sagemaker:ACCOUNT:pipeline/taxi-p-1-train", COPIED, false),
            (ROLE, "sagemaker:UpdatePipeline", "arn:aws:sagemaker:ACCOUNT:pipeline/taxi-p-2-train", PLAIN, false),
            (ROLE, "sagemaker:UpdatePipeline", "arn:aws:sagemaker:ACCOUNT:pipeline/others-p-1-train", PLAIN, false),
            (ROLE, "sagemaker:DescribeModelPackage", "arn:aws:sagemaker:ACCOUNT:model-package/taxi-p-1/3", &[], true),
            (
                ROLE,
                "sagemaker:DescribeModelPackage",
                "arn:aws:sagemaker:ACCOUNT:model-package/others-p-2/3",
                &[],
                false,
            ),
            (ROLE, "sagemaker:AddTags", "arn:aws:sagemaker:ACCOUNT:project/taxi", PLAIN, false),
            (ROLE, "s3:PutObject", "arn:aws:s3:::sagemaker-project-p-1/a", &[], true),
            (ROLE, "s3:GetObject", "arn:aws:s3:::sagemaker-project-p-2/a", &[], false),
            (ROLE, "sagemaker:CreateEndpoint", "arn:aws:sagemaker:ACCOUNT:endpoint/taxi-p-1-prod", PLAIN, true),
            (ROLE, "sagemaker:DeleteEndpoint", "arn:aws:sagemaker:ACCOUNT:endpoint/taxi-p-1-prod", &[], true),
            (ROLE, "sagemaker:DeleteEndpoint", "arn:aws:sagemaker:ACCOUNT:endpoint/others-p-2-prod", &[], false),
            (ROLE, "sagemaker:CreateModel", "arn:aws:sagemaker:ACCOUNT:model/m", PLAIN, true),
            (ROLE, "sagemaker:AddTags", "arn:aws:sagemaker:ACCOUNT:model/m", NEW, true),
            (ROLE, "sagemaker:AddTags", "arn:aws:sagemaker:ACCOUNT:endpoint-config/c", NEW, true),
            (ROLE, "sagemaker:AddTags", "arn:aws:sagemaker:ACCOUNT:endpoint-config/c", OURS, true),
            (ROLE, "sagemaker:AddTags", "arn:aws:sagemaker:ACCOUNT:model/m", STRANGE, false),
            (ROLE, "sagemaker:AddTags", "arn:aws:sagemaker:ACCOUNT:model/m", CLAIMED, false),
            (ROLE, "sagemaker:AddTags", "arn:aws:sagemaker:ACCOUNT:endpoint/others-p-2-prod", NEW, false),
            (ROLE, "sagemaker:DeleteModel", "arn:aws:sagemaker:ACCOUNT:model/m", OURS, true),
            (ROLE, "sagemaker:DeleteModel", "arn:aws:sagemaker:ACCOUNT:model/m", THEIRS, false),
            (ROLE, "sagemaker:DeleteModel", "arn:aws:sagemaker:ACCOUNT:model/m", &[], false),
            (ROLE, "sagemaker:DeleteEndpointConfig", "arn:aws:sagemaker:ACCOUNT:endpoint-config/c", OURS, true),
            (ROLE, "sagemaker:DeleteEndpointConfig", "arn:aws:sagemaker:ACCOUNT:endpoint-config/c", THEIRS, false),
            (ROLE, "sagemaker:DeleteTags", "arn:aws:sagemaker:ACCOUNT:model/m", OURS, true),
            (ROLE, "sagemaker:DeleteTags", "arn:aws:sagemaker:ACCOUNT:model/m", THEIRS, false),
            (
                ROLE,
                "cloudformation:CreateStack",
                "arn:aws:cloudformation:ACCOUNT:stack/sagemaker-taxi-p-1-deploy-prod/1",
                PLAIN,
                true,
            ),
            (
                ROLE,
                "cloudformation:CreateStack",
                "arn:aws:cloudformation:ACCOUNT:stack/sagemaker-taxi-p-1-deploy-prod/1",
                COPIED,
                false,
            ),
            (
                ROLE,
                "cloudformation:DeleteStack",
                "arn:aws:cloudformation:ACCOUNT:stack/sagemaker-others-p-2-deploy-prod/1",
                &[],
                false,
            ),
        ],
    );
}

#[test]
fn the_operator_makes_stacks_as_the_stack_role_alone_and_deletes_what_carries_an_owner() {
    const OPERATOR: &str = "RoleArn";
    const TRIGGER: &str = "arn:aws:cloudformation:ACCOUNT:stack/mlops-0a-model-trigger/1";
    const LAUNCHED: &str = "arn:aws:cloudformation:ACCOUNT:stack/SC-111122223333-pp-1/1";
    const PROJECT: &str = "arn:aws:sagemaker:ACCOUNT:project/taxi";
    const PRODUCT: &str = "arn:aws:catalog:ACCOUNT:product/prod-1";
    const MAKES: &[(&str, &str)] =
        &[("cloudformation:rolearn", ROLE), ("aws:requesttag/mlops-operator.io/object", "0a")];
    const AS_SECOND: &[(&str, &str)] = &[
        ("cloudformation:rolearn", "arn:aws:iam::111122223333:role/second"),
        ("aws:requesttag/mlops-operator.io/object", "0a"),
    ];
    const AS_ITSELF: &[(&str, &str)] = &[("aws:requesttag/mlops-operator.io/object", "0a")];
    const AS_OTHER: &[(&str, &str)] = &[
        ("cloudformation:rolearn", "arn:aws:iam::111122223333:role/Admin"),
        ("aws:requesttag/mlops-operator.io/object", "0a"),
    ];
    const UPDATES: &[(&str, &str)] =
        &[("cloudformation:rolearn", ROLE), ("aws:resourcetag/mlops-operator.io/object", "0a")];
    const OWNED: &[(&str, &str)] = &[("aws:resourcetag/mlops-operator.io/object", "0a")];
    const TO_STACKS: &[(&str, &str)] = &[("iam:passedtoservice", "cloudformation.amazonaws.com")];
    const TO_CATALOG: &[(&str, &str)] = &[("iam:passedtoservice", "servicecatalog.amazonaws.com")];
    const TO_LAMBDA: &[(&str, &str)] = &[("iam:passedtoservice", "lambda.amazonaws.com")];
    let stack = made(
        "operator-role",
        &vec![
            ("StackRoleArns", "arn:aws:iam::111122223333:role/some,arn:aws:iam::111122223333:role/second"),
            ("LaunchRoleArns", "arn:aws:iam::111122223333:role/launches,arn:aws:iam::111122223333:role/second"),
            ("DeletesData", "true"),
        ],
    );
    judge(
        &stack,
        &[
            (OPERATOR, "cloudformation:CreateStack", TRIGGER, MAKES, true),
            (OPERATOR, "cloudformation:CreateStack", TRIGGER, AS_SECOND, true),
            (OPERATOR, "cloudformation:CreateStack", TRIGGER, AS_ITSELF, false),
            (OPERATOR, "cloudformation:CreateStack", TRIGGER, AS_OTHER, false),
            (OPERATOR, "cloudformation:CreateStack", LAUNCHED, MAKES, false),
            (OPERATOR, "cloudformation:UpdateStack", TRIGGER, UPDATES, true),
            (OPERATOR, "cloudformation:UpdateStack", TRIGGER, OWNED, false),
            (OPERATOR, "cloudformation:UpdateStack", LAUNCHED, UPDATES, false),
            (OPERATOR, "cloudformation:DeleteStack", TRIGGER, OWNED, true),
            (OPERATOR, "cloudformation:DeleteStack", TRIGGER, &[], false),
            (OPERATOR, "cloudformation:DeleteStack", LAUNCHED, OWNED, false),
            (OPERATOR, "cloudformation:ContinueUpdateRollback", LAUNCHED, OWNED, false),
            (OPERATOR, "cloudformation:DescribeStacks", LAUNCHED, &[], false),
            (OPERATOR, "cloudformation:DescribeStackEvents", LAUNCHED, &[], true),
            (OPERATOR, "sagemaker:CreateProject", PROJECT, AS_ITSELF, true),
            (OPERATOR, "sagemaker:CreateProject", PROJECT, &[], false),
            (OPERATOR, "sagemaker:DeleteProject", PROJECT, OWNED, true),
            (OPERATOR, "sagemaker:DeleteProject", PROJECT, &[], false),
            (OPERATOR, "servicecatalog:CreateProduct", PRODUCT, AS_ITSELF, true),
            (OPERATOR, "servicecatalog:CreateProduct", PRODUCT, &[], false),
            (OPERATOR, "servicecatalog:DeleteProduct", PRODUCT, OWNED, true),
            (OPERATOR, "servicecatalog:DeleteProduct", PRODUCT, &[], false),
            (OPERATOR, "servicecatalog:DescribeProductAsAdmin", PRODUCT, &[], true),
            (OPERATOR, "iam:PassRole", ROLE, TO_STACKS, true),
            (OPERATOR, "iam:PassRole", "arn:aws:iam::111122223333:role/second", TO_STACKS, true),
            (OPERATOR, "iam:PassRole", ROLE, TO_LAMBDA, false),
            (OPERATOR, "iam:PassRole", "arn:aws:iam::111122223333:role/Admin", TO_STACKS, false),
            (OPERATOR, "iam:PassRole", LAUNCH_ROLE, TO_CATALOG, true),
            (OPERATOR, "iam:PassRole", "arn:aws:iam::111122223333:role/second", TO_CATALOG, true),
            (OPERATOR, "iam:PassRole", LAUNCH_ROLE, TO_STACKS, false),
            (OPERATOR, "iam:PassRole", ROLE, TO_CATALOG, false),
            (OPERATOR, "iam:PassRole", "arn:aws:iam::111122223333:role/Admin", TO_CATALOG, false),
            (OPERATOR, "servicecatalog:TagResource", PRODUCT, AS_ITSELF, true),
            (OPERATOR, "servicecatalog:UntagResource", PRODUCT, &[], true),
            (OPERATOR, "cloudformation:ValidateTemplate", "*", &[], true),
            (OPERATOR, "iam:CreateRole", "arn:aws:iam::111122223333:role/mlops-x", &[], false),
            (
                OPERATOR,
                "secretsmanager:GetSecretValue",
                "arn:aws:secretsmanager:ACCOUNT:secret:JenkinsCredentials-1",
                &[],
                false,
            ),
            (OPERATOR, "s3:PutObject", "arn:aws:s3:::mlops-0a/claim", &[], true),
        ],
    );
}
