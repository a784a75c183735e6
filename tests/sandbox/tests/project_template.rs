//! The built-in project template under every combination of its conditions, in process: created, updated, deleted, with
//! names as long as they can be; and what its check-ins do to repositories in each state.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Write};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use mlops_sandbox::aws::cloudformation::Answer;
use mlops_sandbox::aws::dispatch::administrator;
use mlops_sandbox::aws::{Call, Outcome, cloudformation, s3, sagemaker};
use mlops_sandbox::repositories::Content;
use mlops_sandbox::{Settings, World};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const TEMPLATE: &str = include_str!("../../../src/templates/jenkins-git-v1.yaml");
const ACCOUNT: &str = "111122223333";
const REGION: &str = "ap-southeast-2";
/// As long as SageMaker lets them be: 32 and 20 characters.
const NAME: &str = "Abcdefghijklmnopqrstuvwxyz-12345";
const ID: &str = "p-0123456789abcdefgh";
const UUID: &str = "0f0e0d0c-1a2b-4c3d-8e9f-001122334455";
const OWN_ROLE: &str = "arn:aws:iam::111122223333:role/ml/own-use-role";
const USE_ROLE: &str = "arn:aws:iam::111122223333:role/service-role/AmazonSageMakerServiceCatalogProductsUseRole";
const KEY: &str = "arn:aws:kms:ap-southeast-2:111122223333:key/0a1b";
const GROUPS: [&str; 4] = ["ModelPreprocess", "ModelBuild", "ModelDeploy", "ModelDeployEndpoint"];

/// What somebody wants of the template: each of its conditions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Wish {
    key: bool,
    role: bool,
    endpoint: bool,
    /// By group, in the order of `GROUPS`.
    seed: [bool; 4],
}

impl Wish {
    /// Every combination that the template's rules allow: an endpoint's seed code needs its repository.
    fn all() -> Vec<Self> {
        let bit = |number: u32, at: u32| number >> at & 1 == 1;
        let each = (0..128).map(|number| Self {
            key: bit(number, 0),
            role: bit(number, 1),
            endpoint: bit(number, 2),
            seed: [bit(number, 3), bit(number, 4), bit(number, 5), bit(number, 6)],
        });
        each.filter(|wish| wish.endpoint || !wish.seed[3]).collect()
    }

    fn seeds(&self) -> bool {
        self.seed.contains(&true)
    }

    /// The resources that must be there, by logical id.
    fn resources(&self) -> BTreeSet<String> {
        let mut names: BTreeSet<String> =
            ["MlOpsArtifactsBucket", "MlOpsArtifactsBucketPolicy", "ModelPackageGroup"].map(str::to_owned).into();
        for (at, group) in GROUPS.iter().enumerate() {
            if at < 3 || self.endpoint {
                names.insert(format!("{group}SagemakerCodeRepository"));
            }
            if self.seed[at] {
                names.insert(format!("{group}SeedCodeCheckIn"));
            }
        }
        if self.seeds() {
            let own = ["BuildLogs", "FunctionLogs", "Project", "Function"];
            names.extend(own.map(|part| format!("SeedCodeCheckIn{part}")));
        }
        names
    }
}

fn archive(files: &[&str]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for name in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(name.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

struct Scene {
    world: World,
    sha256: String,
}

impl Scene {
    /// A world with a connection, roles, and a bucket with the bootstrap and one seed archive of two files.
    fn new() -> Self {
        let mut world = World::new(Settings::default(), "2026-01-01T00:00:00Z".parse().unwrap());
        let services = ["codebuild.amazonaws.com", "lambda.amazonaws.com", "sagemaker.amazonaws.com"];
        world.iam.add_role(ACCOUNT, "/ml/", "own-use-role", &services);
        world.region(ACCOUNT, REGION).connections.add(ACCOUNT, REGION, UUID, "git", "AVAILABLE");
        let seed = archive(&["setup.py", "pipelines/run.py"]);
        let sha256 = hex::encode(Sha256::digest(&seed));
        let mut scene = Self { world, sha256 };
        let place = format!(
            "<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
        );
        scene.put("/mlops", Bytes::from(place));
        scene.put("/mlops/bootstrap.zip", Bytes::from(archive(&["buildspec.yml"])));
        scene.put("/mlops/seed.zip", Bytes::from(seed));
        scene
    }

    fn put(&mut self, path: &str, body: Bytes) {
        let request = Request::put(path).body(body).unwrap();
        assert_eq!(s3::handle(&mut self.world, &administrator(ACCOUNT), REGION, &request).status(), 200, "{path}");
    }

    fn ask(&mut self, operation: &str, input: &Value) -> Outcome {
        let caller = administrator(ACCOUNT);
        cloudformation::call(&mut self.world, &Call { operation, input, caller: &caller, region: REGION })
    }

    fn parameters(&self, wish: Wish, more: &[(&str, &str)]) -> Value {
        let mut given = BTreeMap::from([
            ("SageMakerProjectName".to_owned(), NAME.to_owned()),
            ("SageMakerProjectId".to_owned(), ID.to_owned()),
        ]);
        let connection = format!("arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/{UUID}");
        for (at, group) in GROUPS.iter().enumerate() {
            let mut set =
                |part: &str, value: &str| given.insert(format!("{group}CodeRepository{part}"), value.to_owned());
            if at < 3 || wish.endpoint {
                set("Url", &format!("https://git.example/team/{group}.git"));
                set("Fullname", &format!("team/{group}"));
                set("CodestarConnectionArn", &connection);
            }
            if wish.seed[at] {
                set("IsSeedcodeRequired", "true");
                set("SeedCodeUrl", "s3://mlops/seed.zip");
                set("SeedCodeSha256", &self.sha256);
            }
        }
        let optional = [
            (wish.seeds(), "SeedCodeBootstrapBucket", "mlops"),
            (wish.seeds(), "SeedCodeBootstrapKey", "bootstrap.zip"),
            (wish.key, "ArtifactBucketKmsKeyArn", KEY),
            (wish.role, "UseRoleArn", OWN_ROLE),
        ];
        given.extend(
            optional.iter().filter(|one| one.0).map(|(_, name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        given.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        given.iter().map(|(name, value)| json!({"ParameterKey": name, "ParameterValue": value})).collect()
    }

    fn begin(&mut self, operation: &str, wish: Wish, more: &[(&str, &str)]) -> Outcome {
        let parameters = self.parameters(wish, more);
        let input = json!({"StackName": "s", "TemplateBody": TEMPLATE, "Parameters": parameters,
            "Tags": [{"Key": "team", "Value": "ml"}]});
        let outcome = self.ask(operation, &input);
        let later = self.world.after(Duration::from_secs(60));
        self.world.advance(later);
        outcome
    }

    fn create(&mut self, wish: Wish) {
        self.begin("CreateStack", wish, &[]).unwrap();
        assert_eq!(self.status(), "CREATE_COMPLETE", "{wish:?} {:?}", self.reasons());
    }

    fn update(&mut self, wish: Wish, more: &[(&str, &str)]) {
        self.begin("UpdateStack", wish, more).unwrap();
        assert_eq!(self.status(), "UPDATE_COMPLETE", "{wish:?} {:?}", self.reasons());
    }

    fn delete(&mut self) {
        self.ask("DeleteStack", &json!({"StackName": "s"})).unwrap();
        let later = self.world.after(Duration::from_secs(60));
        self.world.advance(later);
        assert!(self.ask("DescribeStacks", &json!({"StackName": "s"})).is_err(), "{:?}", self.reasons());
    }

    fn stack(&mut self) -> Value {
        self.ask("DescribeStacks", &json!({"StackName": "s"})).unwrap()["Stacks"][0].clone()
    }

    fn status(&mut self) -> String {
        self.stack()["StackStatus"].as_str().unwrap().to_owned()
    }

    fn outputs(&mut self) -> BTreeMap<String, String> {
        let stack = self.stack();
        let text = |output: &Value, member: &str| output[member].as_str().unwrap().to_owned();
        let outputs = stack["Outputs"].as_array().unwrap().iter();
        outputs.map(|output| (text(output, "OutputKey"), text(output, "OutputValue"))).collect()
    }

    fn reasons(&mut self) -> Vec<String> {
        let Ok(events) = self.ask("DescribeStackEvents", &json!({"StackName": "s"})) else { return Vec::new() };
        let failed = |event: &&Value| event["ResourceStatus"].as_str().unwrap().ends_with("_FAILED");
        let text = |event: &Value| format!("{}: {}", event["LogicalResourceId"], event["ResourceStatusReason"]);
        events["StackEvents"].as_array().unwrap().iter().filter(failed).map(text).collect()
    }

    /// The living resources of the stack: physical ids by logical id.
    fn resources(&mut self) -> BTreeMap<String, String> {
        let listed = self.ask("ListStackResources", &json!({"StackName": "s"})).unwrap();
        let text = |resource: &Value, member: &str| resource[member].as_str().unwrap().to_owned();
        let all = listed["StackResourceSummaries"].as_array().unwrap().iter();
        all.map(|one| (text(one, "LogicalResourceId"), text(one, "PhysicalResourceId"))).collect()
    }

    /// What is in the services: names by kind.
    fn things(&mut self) -> BTreeMap<&'static str, Vec<String>> {
        let dump = self.world.dump();
        let region = &dump["regions"][format!("{ACCOUNT}/{REGION}")];
        let names = |list: &Value, member: &str| {
            let all = list.as_array().unwrap().iter().map(|one| one[member].as_str().unwrap().to_owned());
            all.collect::<Vec<String>>()
        };
        let keys = |map: &Value| map.as_object().unwrap().keys().cloned().collect::<Vec<String>>();
        let mut buckets = keys(&dump["s3"]);
        buckets.retain(|name| name != "mlops");
        BTreeMap::from([
            ("buckets", buckets),
            ("groups", names(&region["sagemaker"]["modelPackageGroups"], "name")),
            ("repositories", names(&region["sagemaker"]["codeRepositories"], "name")),
            ("functions", names(&region["lambda"]["functions"], "FunctionName")),
            ("projects", names(&region["codebuild"]["projects"], "name")),
            ("records", keys(&region["cloudformation"]["records"])),
        ])
    }

    /// What every resource must be, seen in the services.
    fn check(&mut self, wish: Wish) {
        let resources = self.resources();
        assert_eq!(resources.keys().cloned().collect::<BTreeSet<_>>(), wish.resources(), "{wish:?}");
        let things = self.things();
        let (bucket, group) = (format!("sagemaker-project-{ID}"), format!("{NAME}-{ID}"));
        assert_eq!((&things["buckets"], &things["groups"]), (&vec![bucket.clone()], &vec![group.clone()]));
        assert_eq!(things["repositories"].len(), 3 + usize::from(wish.endpoint), "{wish:?}");
        let settings = self.world.dump()["s3"][&bucket]["settings"].to_string();
        assert_eq!(settings.contains(KEY), wish.key, "{settings}");
        let role = if wish.role { OWN_ROLE } else { USE_ROLE };
        let name = format!("sagemaker-{NAME}-{ID}-git-seedcodecheckin");
        let parts = self.world.region(ACCOUNT, REGION);
        let project = parts.codebuild.project(&name).cloned();
        let function = parts.lambda.function(&format!("sagemaker-{ID}-git-seedcodecheckin")).cloned();
        assert_eq!((project.is_some(), function.is_some()), (wish.seeds(), wish.seeds()), "{wish:?}");
        if let (Some(project), Some(function)) = (project, function) {
            assert_eq!((project.role().as_str(), function.role.as_str()), (role, role), "{wish:?}");
            assert_eq!((project.source().as_str(), &function.environment["PROJECT"]), ("mlops/bootstrap.zip", &name));
            let told = [
                ("SAGEMAKER_PROJECT_ID", ID),
                ("ARTIFACT_BUCKET", bucket.as_str()),
                ("SAGEMAKER_PIPELINE_ROLE_ARN", role),
                ("MODEL_EXECUTION_ROLE_ARN", role),
                ("SOURCE_MODEL_PACKAGE_GROUP_NAME", group.as_str()),
            ];
            assert!(told.iter().all(|(name, value)| project.variable(name) == *value), "{wish:?}");
        }
        let outputs = self.outputs();
        for (at, group) in GROUPS.iter().enumerate() {
            assert_eq!(outputs.contains_key(&format!("{group}SeedCode")), wish.seed[at], "{wish:?}");
            let named = outputs.get(&format!("{group}CodeRepositoryName"));
            assert_eq!(named.is_some(), at < 3 || wish.endpoint, "{wish:?}");
        }
    }
}

/// Everything wanted.
const ALL: Wish = Wish { key: true, role: true, endpoint: true, seed: [true; 4] };

#[test]
fn every_combination_is_made_changed_into_all_and_into_nothing_and_deleted() {
    let wishes = Wish::all();
    assert_eq!(wishes.len(), 96);
    for wish in wishes {
        let mut scene = Scene::new();
        scene.create(wish);
        scene.check(wish);
        assert_eq!(scene.begin("UpdateStack", wish, &[]).unwrap_err().message, "No updates are to be performed.");
        let mut now = wish;
        for target in [ALL, Wish::default()] {
            if target != now {
                scene.update(target, &[]);
            }
            scene.check(target);
            assert!(scene.reasons().is_empty(), "{wish:?}: nothing fails in the cleanup either: {:?}", scene.reasons());
            now = target;
        }
        scene.delete();
        let left = scene.things();
        assert_eq!((left["buckets"].len(), left["groups"].len()), (1, 1), "what users put in stays");
        for kind in ["repositories", "functions", "projects", "records"] {
            assert!(left[kind].is_empty(), "{wish:?}: {kind} {:?}", left[kind]);
        }
    }
}

#[test]
fn the_check_in_runs_as_a_role_of_its_own_where_one_is_given_and_pipelines_do_not() {
    let mut scene = Scene::new();
    let role = scene.world.iam.add_role(ACCOUNT, "/", "check-in", &["codebuild.amazonaws.com", "lambda.amazonaws.com"]);
    // Whoever may use the connection is the check-in's role alone.
    scene.world.iam.deny(OWN_ROLE, "codeconnections:UseConnection");
    let wish = Wish { role: true, seed: [false, true, false, false], ..Wish::default() };
    scene.begin("CreateStack", wish, &[("CheckInRoleArn", &role)]).unwrap();
    assert_eq!(scene.status(), "CREATE_COMPLETE", "{:?}", scene.reasons());
    assert!(scene.outputs()["ModelBuildSeedCode"].starts_with("seeded main"));
    let parts = scene.world.region(ACCOUNT, REGION);
    let project = parts.codebuild.project(&format!("sagemaker-{NAME}-{ID}-git-seedcodecheckin")).unwrap();
    let function = parts.lambda.function(&format!("sagemaker-{ID}-git-seedcodecheckin")).unwrap();
    assert_eq!((project.role(), &function.role), (role.clone(), &role));
    for name in ["SAGEMAKER_PIPELINE_ROLE_ARN", "MODEL_EXECUTION_ROLE_ARN"] {
        assert_eq!(project.variable(name), OWN_ROLE);
    }
}

/// The roles of `examples/aws/project-roles.yaml`, for the repositories of one team: their ARNs by output. What they may do
/// with Git connections, their own policies say from now on.
fn shipped_roles(scene: &mut Scene) -> BTreeMap<String, String> {
    let connection = format!("arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/{UUID}");
    let given = [
        ("ConnectionArns", connection.as_str()),
        ("Repositories", "team/Model*,team/other"),
        ("ArtifactBuckets", "mlops"),
        ("ProjectNames", "model*"),
    ];
    let given: Vec<Value> =
        given.iter().map(|(name, value)| json!({"ParameterKey": name, "ParameterValue": value})).collect();
    let input = json!({"StackName": "roles", "Capabilities": ["CAPABILITY_IAM"], "Parameters": given,
        "TemplateBody": include_str!("../../../examples/aws/project-roles.yaml")});
    scene.ask("CreateStack", &input).unwrap();
    let later = scene.world.after(Duration::from_secs(60));
    scene.world.advance(later);
    let stack = scene.ask("DescribeStacks", &json!({"StackName": "roles"})).unwrap()["Stacks"][0].clone();
    let text = |output: &Value, member: &str| output[member].as_str().unwrap().to_owned();
    let outputs = stack["Outputs"].as_array().unwrap().iter();
    let roles: BTreeMap<String, String> =
        outputs.map(|output| (text(output, "OutputKey"), text(output, "OutputValue"))).collect();
    for name in ["UseRoleArn", "CheckInRoleArn"] {
        scene.world.iam.judge(&roles[name]);
    }
    roles
}

#[test]
fn the_shipped_roles_check_code_into_the_teams_own_repositories_alone() {
    type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str);
    let stranger: &'static [(&'static str, &'static str)] =
        &[("ModelBuildCodeRepositoryFullname", "others/ModelBuild")];
    let rows: [Row; 3] = [
        ("the check-in role, the team's repository", "CheckInRoleArn", &[], "CREATE_COMPLETE"),
        ("the check-in role, another team's repository", "CheckInRoleArn", stranger, "ROLLBACK_COMPLETE"),
        ("the use role, which no build can assume any more", "UseRoleArn", &[], "ROLLBACK_COMPLETE"),
    ];
    for (case, role, more, status) in rows {
        let mut scene = Scene::new();
        let roles = shipped_roles(&mut scene);
        for repository in ["others/ModelBuild", "team/ModelBuild"] {
            scene.world.repositories.prepare(repository, "main", Content::Empty);
        }
        let wish = Wish { seed: [false, true, false, false], ..Wish::default() };
        let given = [("CheckInRoleArn", roles[role].as_str()), ("UseRoleArn", &roles["UseRoleArn"])];
        scene.begin("CreateStack", wish, &[&given, more].concat()).unwrap();
        assert_eq!(scene.status(), status, "{case}: {:?}", scene.reasons());
        let pushed = scene.world.repositories.branch("others/ModelBuild", "main").commits.len();
        assert_eq!(pushed, 0, "{case}");
    }
}

#[test]
fn a_project_whose_data_went_first_leaves_nothing() {
    let mut scene = Scene::new();
    scene.create(ALL);
    // What the operator does where the data is to go too, before it lets the project go.
    let caller = administrator(ACCOUNT);
    let input = json!({"ModelPackageGroupName": format!("{NAME}-{ID}")});
    let call = Call { operation: "DeleteModelPackageGroup", input: &input, caller: &caller, region: REGION };
    sagemaker::call(&mut scene.world, &call).unwrap();
    let request = Request::delete(format!("/sagemaker-project-{ID}")).body(Bytes::new()).unwrap();
    assert_eq!(s3::handle(&mut scene.world, &caller, REGION, &request).status(), 204);
    scene.delete();
    assert!(scene.things().values().all(Vec::is_empty), "{:?}", scene.things());
}

#[test]
fn a_creation_that_fails_leaves_nothing_and_says_why() {
    let mut scene = Scene::new();
    let state = &mut scene.world.region(ACCOUNT, REGION).cloudformation;
    state.answer_next("ModelDeploySeedCodeCheckIn", Answer::Failed("there is no repository team/x".into()));
    scene.begin("CreateStack", ALL, &[]).unwrap();
    assert_eq!(scene.status(), "ROLLBACK_COMPLETE");
    let reasons = scene.reasons().join("\n");
    assert!(reasons.contains("Message returned: there is no repository team/x"), "{reasons}");
    assert!(scene.things().values().all(Vec::is_empty), "{:?}", scene.things());
}

#[test]
fn what_does_not_belong_together_is_refused_by_the_templates_rules() {
    let mut scene = Scene::new();
    let seeded = Wish { seed: [true, false, false, false], ..Wish::default() };
    let whole = Wish { endpoint: true, ..Wish::default() };
    type Case = (Wish, &'static [(&'static str, &'static str)], &'static str);
    let cases: [Case; 5] = [
        (
            seeded,
            &[("ModelPreprocessCodeRepositorySeedCodeUrl", "")],
            "ModelPreprocessCodeRepositorySeedCodeUrl must name",
        ),
        (seeded, &[("ModelPreprocessCodeRepositorySeedCodeSha256", "")], "must have the SHA-256"),
        (seeded, &[("SeedCodeBootstrapKey", "")], "SeedCodeBootstrapBucket and SeedCodeBootstrapKey must name"),
        (whole, &[("ModelDeployEndpointCodeRepositoryFullname", "")], "must all be given, or none"),
        (
            Wish::default(),
            &[("ModelDeployEndpointCodeRepositoryIsSeedcodeRequired", "true")],
            "must all be given, or none",
        ),
    ];
    for (wish, more, words) in cases {
        let refusal = scene.begin("CreateStack", wish, more).unwrap_err();
        assert_eq!(refusal.code, "ValidationError");
        assert!(refusal.message.contains(words), "{refusal}");
    }
}

#[test]
fn only_a_branch_without_code_is_seeded_and_the_output_tells() {
    let rows = [
        (Content::Empty, "seeded main with 2 files, commit "),
        (Content::Readme, "seeded main with 2 files, commit "),
        (Content::Files, "left alone: main holds files of its own, such as setup.py"),
    ];
    for (content, words) in rows {
        let mut scene = Scene::new();
        scene.world.repositories.prepare("team/ModelBuild", "main", content);
        let before = scene.world.repositories.branch("team/ModelBuild", "main").commits.len();
        scene.create(Wish { seed: [false, true, false, false], ..Wish::default() });
        let result = scene.outputs()["ModelBuildSeedCode"].clone();
        assert!(result.starts_with(words), "{content:?}: {result}");
        let after = scene.world.repositories.branch("team/ModelBuild", "main");
        let seeded = usize::from(content != Content::Files);
        assert_eq!(after.commits.len(), before + seeded, "{content:?}");
        assert_eq!(
            after.commits.last().and_then(|commit| commit.seeded_for.clone()),
            (seeded == 1).then(|| ID.to_owned())
        );
    }
}

#[test]
fn no_update_seeds_a_branch_again() {
    let mut scene = Scene::new();
    let wish = Wish { seed: [false, true, false, false], ..Wish::default() };
    scene.create(wish);
    let id = scene.resources()["ModelBuildSeedCodeCheckIn"].clone();
    let newer = archive(&["newer.py"]);
    let sha256 = hex::encode(Sha256::digest(&newer));
    scene.put("/mlops/newer.zip", Bytes::from(newer));
    let url = ("ModelBuildCodeRepositorySeedCodeUrl", "s3://mlops/newer.zip");
    let sum = ("ModelBuildCodeRepositorySeedCodeSha256", sha256.as_str());
    scene.update(wish, &[url, sum]);
    assert!(scene.outputs()["ModelBuildSeedCode"].starts_with("left alone: main was seeded before, by commit "));
    assert_eq!(scene.world.repositories.branch("team/ModelBuild", "main").commits.len(), 1);
    assert_eq!(scene.resources()["ModelBuildSeedCodeCheckIn"], id, "nothing is replaced");

    let branch = ("ModelBuildCodeRepositoryBranch", "release");
    scene.update(wish, &[url, sum, branch]);
    assert!(scene.outputs()["ModelBuildSeedCode"].starts_with("seeded release with 1 file, commit "));
    assert_ne!(scene.resources()["ModelBuildSeedCodeCheckIn"], id, "another branch is another thing");
    assert_eq!(scene.world.repositories.branch("team/ModelBuild", "main").commits.len(), 1, "main stays");
}

#[test]
fn what_is_in_the_way_of_a_check_in_fails_the_stack_and_the_next_attempt_succeeds() {
    type Hinder = fn(&mut World);
    let wish = Wish { seed: [true, true, false, false], ..Wish::default() };
    let arn = format!("arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/{UUID}");
    let rows: [(&str, Hinder, &str); 3] = [
        (
            "a repository that is not there",
            |world| world.repositories.remove("team/ModelBuild"),
            "there is no repository team/ModelBuild",
        ),
        (
            "a connection without its handshake",
            |world| {
                let arn = format!("arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/{UUID}");
                assert!(world.region(ACCOUNT, REGION).connections.set_status(&arn, "PENDING"));
            },
            "complete its handshake",
        ),
        (
            "a role that may not read",
            |world| world.iam.deny(USE_ROLE, "codeconnections:UseConnection"),
            "UseConnection",
        ),
    ];
    for (name, hinder, words) in rows {
        let mut scene = Scene::new();
        hinder(&mut scene.world);
        scene.begin("CreateStack", wish, &[]).unwrap();
        assert_eq!(scene.status(), "ROLLBACK_COMPLETE", "{name}");
        let reasons = scene.reasons().join("\n");
        assert!(reasons.contains(words), "{name}: {reasons}");
        scene.delete();
        scene.world.repositories.prepare("team/ModelBuild", "main", Content::Readme);
        scene.world.region(ACCOUNT, REGION).connections.set_status(&arn, "AVAILABLE");
        scene.world.iam.allow(USE_ROLE, "codeconnections:UseConnection");
        scene.create(wish);
        let seeded = scene.world.repositories.branch("team/ModelBuild", "main");
        assert_eq!((seeded.content, seeded.commits.len()), (Content::Files, 2), "{name}");
    }
}

#[test]
fn an_archive_that_is_not_the_one_that_was_meant_is_not_checked_in() {
    let mut scene = Scene::new();
    let wish = Wish { seed: [true, false, false, false], ..Wish::default() };
    let wrong = "0".repeat(64);
    let sum = ("ModelPreprocessCodeRepositorySeedCodeSha256", wrong.as_str());
    scene.begin("CreateStack", wish, &[sum]).unwrap();
    assert_eq!(scene.status(), "ROLLBACK_COMPLETE");
    let reasons = scene.reasons().join("\n");
    assert!(reasons.contains("it is not the archive that was meant"), "{reasons}");
    assert!(scene.world.repositories.branch("team/ModelPreprocess", "main").commits.is_empty());
}
