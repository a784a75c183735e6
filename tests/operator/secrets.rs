//! Secrets stay where they belong. A canary is the Jenkins token, another one AWS's secret key, a third a parameter of the
//! project's template, and projects are built and deleted in ways that fail: the canaries are found in no log at the finest
//! level, trace, event, status, metric, panic, Jenkins document, call but those that carry them, or, but for the parameter, anything
//! of AWS that can be read. The template is hostile: it gives its parameter back in outputs and tags. The same
//! search finds a canary that is planted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::RefCell;
use std::time::Duration;

use crate::harness::canary::{self, Paper};
use crate::harness::collector::{Answers, Collector};
use crate::harness::operator::{ACCOUNT, Harness, NAMESPACE, REGION};
use crate::harness::readable::{self, PARAMETER};
use aws_credential_types::Credentials;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mlops_operator::config::LogFormat;
use mlops_operator::metrics::{BudgetLabels, Metrics};
use mlops_operator::telemetry;
use mlops_operator::telemetry::otlp::{Endpoint, Otlp};
use mlops_sandbox::aws::{Call, Caller, cloudformation, s3};
use mlops_sandbox::jenkins::{Jenkins, Mode};
use mlops_sandbox::{Fault, Settings, What};
use serde_json::{Value, json};
use tower::ServiceExt;
use tracing_subscriber::EnvFilter;

/// The Jenkins token.
const TOKEN: &str = "11c0ffee\"c0ffee\\c0ffee/c0ffee+c0ffee";
/// What it is rotated to.
const ROTATED: &str = "11decaf0\"decaf0\\decaf0/decaf0+decaf0";
/// AWS's secret key.
const KEY: &str = "0badc0de/0badc0de+0badc0de=0badc0de";
/// A parameter of the project's template.
const GIVEN: &str = "22f00d\"f00d\\f00d/f00d+f00d=f00d&f00d";
/// What it is changed to.
const CHANGED: &str = "33beef\"beef\\beef/beef+beef=beef&beef";
/// Outputs that the operator reads, each of which gives the parameter back.
const OUTPUTS: &str = r#"
  ModelPreprocessSeedCode:
    Value: !Ref ApiToken
  ModelBuildSeedCode:
    Value:
      Fn::Base64: !Ref ApiToken
  ModelDeploySeedCode:
    Value:
      Fn::Base64: !Sub "user:${ApiToken}"
  ModelDeployEndpointSeedCode:
    Value: !Sub "seeded with ${ApiToken}, main"
"#;

thread_local! {
    /// What panics of this thread have said: a test and its operator share one.
    static PANICS: RefCell<String> = const { RefCell::new(String::new()) };
}

/// a harness with canaries for secrets, its log at the finest level, and what panics say.
struct Watched {
    harness: Harness,
    log: Paper,
    collector: Collector,
    otlp: Otlp,
    _logging: tracing::subscriber::DefaultGuard,
}

impl Watched {
    async fn new() -> Self {
        let log = Paper::default();
        let writer = log.clone();
        let collector = Collector::start(Answers::Takes);
        let endpoint = Endpoint::parse(&collector.url).unwrap().unwrap();
        let otlp = Otlp::connect(&endpoint, None, collector.runtime()).unwrap();
        let (filter, writes) = (|| EnvFilter::new("trace"), move || writer.clone());
        let subscriber = telemetry::subscriber(LogFormat::Text, filter, false, writes, Some(&otlp));
        let logging = crate::harness::canary::logging(subscriber);
        PANICS.take();
        std::panic::set_hook(Box::new(|panic| {
            PANICS.with_borrow_mut(|text| text.push_str(&panic.to_string()));
            eprintln!("{panic}");
        }));
        let mut harness = Harness::new(Settings::default()).await;
        harness.credentials = Credentials::new("AKIACANARY", KEY, None, None, "test");
        let watched = Self { harness, log, collector, otlp, _logging: logging };
        watched.set_token(TOKEN);
        watched.set_parameter(GIVEN);
        let config_map = json!({"metadata": {"name": "template"}, "data": {"template.yaml": hostile_template()}});
        watched.harness.kubernetes.create("configmaps", NAMESPACE, config_map).unwrap();
        watched
    }

    /// The project, from the hostile template.
    fn manifest() -> Value {
        let mut manifest = Harness::manifest();
        let reference = json!({"name": "template", "key": "template.yaml"});
        manifest["spec"]["platform"]["catalog"] = json!({"template": {"configMapRef": reference}});
        manifest["spec"]["repositories"]["build"]["seedCode"] = json!({"source": "BuiltIn"});
        let reference = json!({"name": "parameter", "key": "token"});
        manifest["spec"]["parameters"] = json!([{"name": PARAMETER, "valueFrom": {"secretKeyRef": reference}}]);
        manifest
    }

    fn set_parameter(&self, text: &str) {
        let labels = json!({"mlops-operator.io/allowed-use": "parameters"});
        let secret =
            json!({"metadata": {"name": "parameter", "labels": labels}, "data": {"token": STANDARD.encode(text)}});
        let _ = self.harness.kubernetes.delete("secrets", NAMESPACE, "parameter");
        self.harness.kubernetes.create("secrets", NAMESPACE, secret).unwrap();
    }

    /// Jenkins takes this token from now on, and the Secret has it.
    fn set_token(&self, token: &str) {
        let user = Jenkins::credentials().0;
        self.harness.sandbox.world(|world| token.clone_into(&mut world.jenkins.users.get_mut(&user).unwrap().token));
        self.put_secret(token);
    }

    fn put_secret(&self, token: &str) {
        let user = Jenkins::credentials().0;
        let data = json!({"username": STANDARD.encode(user), "token": STANDARD.encode(token)});
        let _ = self.harness.kubernetes.delete("secrets", NAMESPACE, "jenkins");
        self.harness
            .kubernetes
            .create("secrets", NAMESPACE, json!({"metadata": {"name": "jenkins"}, "data": data}))
            .unwrap();
    }

    /// Where a canary can be read: that of the parameter as far as the operator tells it.
    fn leaks(&self) -> Vec<String> {
        let (log, panics) = (self.log.text(), PANICS.with_borrow(String::clone));
        let given = [GIVEN, CHANGED, &GIVEN[..12], &CHANGED[..12]];
        let told = readable::tells(&self.harness, &log, &panics, &given);
        let mut leaks = readable::leaks(&self.harness, &log, &panics, &[TOKEN, ROTATED, KEY]);
        leaks.extend(told);
        leaks
    }

    /// Which canaries were sent to the collector, in whatever form. Nothing is sent after this.
    fn sent(&self) -> Vec<String> {
        self.otlp.end();
        let sent = self.collector.text();
        assert!(sent.contains("sagemaker_project") && sent.contains("mlops_operator::controller"), "nothing was sent");
        let canaries = [TOKEN, ROTATED, KEY, GIVEN, CHANGED, &GIVEN[..12], &CHANGED[..12]];
        canary::forms(&canaries).into_iter().filter(|form| sent.contains(form)).collect()
    }

    /// What the status says of the seed code of each repository: the outputs that the operator reads.
    fn outputs(&self) -> Vec<String> {
        let object = self.harness.object().unwrap_or_default();
        let repositories = object.pointer("/status/project/repositories").and_then(Value::as_array).cloned();
        let said = |one: &Value| one["seedCode"].as_str().unwrap_or_default().to_owned();
        repositories.unwrap_or_default().iter().map(said).collect()
    }
}

fn hostile_template() -> String {
    let parameters = format!(
        "  {PARAMETER}: {{Type: String, NoEcho: true}}\n  ModelBuildCodeRepositoryIsSeedcodeRequired: {{Type: String}}\n"
    );
    let replacements = [
        ("\nConditions:\n", format!("{parameters}\nConditions:\n")),
        ("\nOutputs:\n", format!("\nOutputs:{OUTPUTS}")),
        (
            "        - !If\n",
            format!("        - Key: made-with\n          Value: {{\"Fn::Base64\": !Ref {PARAMETER}}}\n        - !If\n"),
        ),
    ];
    let mut template = include_str!("../../examples/templates/batch-scoring.yaml").to_owned();
    for (place, text) in replacements {
        assert_eq!(template.matches(place).count(), 1, "{place}");
        template = template.replace(place, &text);
    }
    template
}

/// What goes wrong, and how.
type Row = (&'static str, fn(&Watched));

fn refuse(watched: &Watched, service: &str, operation: &str, status: u16, code: &str, message: &str) {
    watched.harness.sandbox.fault(Fault::on(service, operation).before(What::refuse(status, code, message)));
}

const ROWS: &[Row] = &[
    ("nothing", |_| {}),
    ("Jenkins refuses the token", |watched| watched.put_secret(ROTATED)),
    ("the token makes no header", |watched| watched.put_secret(&format!("{TOKEN}\n{ROTATED}\u{1}"))),
    ("Jenkins starts", |watched| watched.harness.sandbox.world(|world| world.jenkins.mode = Mode::Loading)),
    ("Jenkins repeats what it is sent", |watched| refuse(watched, "jenkins", "*", 400, TOKEN, TOKEN)),
    ("Jenkins drops connections", |watched| watched.harness.sandbox.fault(Fault::on("jenkins", "*"))),
    ("Jenkins never answers", |watched| {
        watched.harness.sandbox.fault(Fault::on("jenkins", "*").before(What::NoAnswer))
    }),
    ("AWS does not know the key", |watched| watched.harness.sandbox.world(|world| world.iam.revoke("AKIACANARY"))),
    ("AWS never answers", |watched| watched.harness.sandbox.fault(Fault::on("*", "*").before(What::NoAnswer))),
    ("AWS throttles", |watched| watched.harness.sandbox.fault(Fault::on("cloudformation", "*").before(What::Throttle))),
    ("CloudFormation repeats the parameter that it refuses", |watched| {
        let message = format!("Value '{}' at 'parameters' failed to satisfy constraint", json!({"token": TOKEN}));
        refuse(watched, "cloudformation", "CreateStack", 400, "ValidationError", &message);
    }),
    ("SageMaker repeats the token, whatever it is asked", |watched| {
        refuse(watched, "sagemaker", "*", 400, "ValidationException", &format!("{TOKEN} is not allowed"));
    }),
    ("SageMaker repeats the parameter, whatever it is asked", |watched| {
        refuse(watched, "sagemaker", "*", 400, "ValidationException", &format!("{GIVEN} is not allowed"));
    }),
    ("SageMaker repeats the parameter in base64", |watched| {
        let message = format!("cannot read [{}]", STANDARD.encode(json!({"Value": GIVEN}).to_string()));
        refuse(watched, "sagemaker", "CreateProject", 400, "ValidationException", &message);
    }),
    ("SageMaker repeats the parameter, cut off", |watched| {
        let message = format!("{}{GIVEN}", "x".repeat(980));
        refuse(watched, "sagemaker", "CreateProject", 400, "ValidationException", &message);
    }),
    ("Service Catalog repeats the parameter in XML", |watched| {
        let message = format!("<Value>{}</Value>", GIVEN.replace('&', "&amp;").replace('"', "&quot;"));
        refuse(watched, "servicecatalog", "*", 400, "InvalidParametersException", &message);
    }),
    ("a resource of the project fails and says why", |watched| {
        watched.harness.sandbox.world(|world| {
            let reason = format!("Value '{GIVEN}' of the queue's name is not valid");
            world.region(ACCOUNT, REGION).cloudformation.fail_next("ScoredBatches", &reason);
        });
    }),
    ("the stack fails and says why", |watched| {
        watched.harness.sandbox.world(|world| {
            let reason = format!("Properties validation failed for resource Function with message: {TOKEN}");
            world.region(ACCOUNT, REGION).cloudformation.fail_next("Function", &reason);
        });
    }),
];

async fn a_life(watched: &mut Watched, breaks: fn(&Watched)) {
    breaks(watched);
    watched.harness.start();
    watched.harness.apply(Watched::manifest());
    tokio::time::sleep(Duration::from_mins(15)).await;
    watched.harness.sandbox.clear_faults();
    watched.harness.sandbox.world(|world| {
        world.jenkins.mode = Mode::Normal;
        world.iam.reinstate("AKIACANARY");
    });
    watched.set_token(TOKEN);
    watched.harness.until_condition("Ready=True/Succeeded", Duration::from_mins(40)).await;
    for (token, parameter) in [(ROTATED, CHANGED), (TOKEN, GIVEN)] {
        watched.set_token(token);
        watched.set_parameter(parameter);
        tokio::time::sleep(Duration::from_mins(5)).await;
    }
    watched.harness.until_condition("Ready=True/Succeeded", Duration::from_mins(40)).await;
    let taken_out = ["(a secret)", "(a secret)", "(a secret)", "seeded with (a secret), main"];
    assert_eq!(watched.outputs(), taken_out, "the template's outputs were not tried");
    breaks(watched);
    watched.harness.delete();
    tokio::time::sleep(Duration::from_mins(15)).await;
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_found_where_somebody_may_read_whatever_fails() {
    for (name, breaks) in ROWS {
        let mut watched = Watched::new().await;
        a_life(&mut watched, *breaks).await;
        assert_eq!(watched.leaks(), [] as [String; 0], "{name}");
        assert!(watched.log.text().contains("mlops_operator::controller"), "{name}: nothing was logged");
        let stacks =
            watched.harness.sandbox.calls().iter().filter(|call| *call == "cloudformation CreateStack").count();
        assert!(stacks > 0, "{name}: the token never went to CloudFormation, so nothing was tried");
        for parameter in [GIVEN, CHANGED] {
            let sent = watched.harness.sandbox.journal().into_iter().any(|entry| {
                entry.service == "sagemaker" && entry.input.to_string().contains(&json!(parameter).to_string())
            });
            assert!(sent, "{name}: a parameter never went to SageMaker, so nothing was tried");
        }
        watched.harness.stop().await;
        assert_eq!(watched.sent(), [] as [String; 0], "{name}");
    }
}

/// The operator that deletes need not be the one that made it: it reads the Secret anew.
#[tokio::test(start_paused = true)]
async fn what_is_said_of_a_deletion_holds_no_parameter_even_after_a_restart() {
    let mut watched = Watched::new().await;
    watched.harness.start();
    watched.harness.apply(Watched::manifest());
    watched.harness.until_condition("Ready=True/Succeeded", Duration::from_mins(5)).await;
    watched.harness.stop().await;
    let message = format!("cannot delete what was made with {GIVEN}");
    refuse(&watched, "sagemaker", "DeleteProject", 400, "ValidationException", &message);
    watched.harness.start();
    watched.harness.delete();
    watched.harness.until_condition("ProjectReady=False/Rejected", Duration::from_mins(10)).await;
    let said = watched.harness.message("ProjectReady");
    assert!(said.contains("cannot delete what was made with (a secret)"), "{said}");
    assert_eq!(watched.leaks(), [] as [String; 0]);
}

/// AWS may show a project's parameters to those who may describe it: the operator reads them there, and tells none.
#[tokio::test(start_paused = true)]
async fn a_parameter_is_found_where_sagemaker_and_the_hostile_template_show_it_and_nowhere_else() {
    let mut watched = Watched::new().await;
    watched.harness.start();
    watched.harness.apply(Watched::manifest());
    watched.harness.until_condition("Ready=True/Succeeded", Duration::from_mins(5)).await;
    let panics = PANICS.with_borrow(String::clone);
    let places = readable::leaks(&watched.harness, &watched.log.text(), &panics, &[GIVEN, CHANGED]);
    let shown =
        ["S3", "call sagemaker DescribeProject", "call servicecatalog GetProvisionedProductOutputs", "projects"];
    assert_eq!(places, shown);
    assert_eq!(watched.leaks(), [] as [String; 0]);
}

/// Each of these puts a canary somewhere.
const PLANTS: &[(&str, Row)] = &[
    (
        "the log",
        ("a line of the operator's own at the finest level", |_| {
            tracing::trace!(target: "mlops_operator::adapters", "sends {TOKEN}");
        }),
    ),
    (
        "a panic",
        ("a panic that tells", |_| {
            let told = std::panic::catch_unwind(|| panic!("cannot use {TOKEN}"));
            assert!(told.is_err());
        }),
    ),
    ("the metrics", ("a label", |watched| budget_of(&watched.harness.metrics, KEY))),
    (
        "events",
        ("an event", |watched| {
            let event = json!({"metadata": {"name": "told"}, "note": format!("user:{TOKEN}")});
            watched.harness.kubernetes.create("events", NAMESPACE, event).unwrap();
        }),
    ),
    (
        "mlopsprojects",
        ("an annotation", |watched| {
            let mut manifest = Harness::manifest();
            manifest["metadata"] = json!({"name": "told", "annotations": {"told": STANDARD.encode(TOKEN)}});
            watched.harness.apply(manifest);
        }),
    ),
    (
        "configmaps",
        ("a parameter's value", |watched| {
            let config_map = json!({"metadata": {"name": "told"}, "data": {"told": format!("it is {GIVEN}")}});
            watched.harness.kubernetes.create("configmaps", NAMESPACE, config_map).unwrap();
        }),
    ),
    (
        "Jenkins",
        ("a description", |watched| {
            watched.harness.sandbox.world(|world| {
                let folder = world.jenkins.item_mut("taxi-fares").unwrap();
                folder.config.set_child("description", TOKEN);
                folder.raw = None;
            });
        }),
    ),
    (
        "stacks",
        ("a parameter that is not NoEcho", |watched| {
            let template =
                "Parameters:\n  Token:\n    Type: String\nResources:\n  Bucket:\n    Type: AWS::S3::Bucket\n";
            let input = json!({
                "StackName": "told", "TemplateBody": template,
                "Parameters": [{"ParameterKey": "Token", "ParameterValue": ROTATED}],
            });
            let call = Call { operation: "CreateStack", input: &input, caller: &somebody(), region: REGION };
            watched.harness.sandbox.world(|world| cloudformation::call(world, &call)).unwrap();
        }),
    ),
    (
        "S3",
        ("a tag of a bucket", |watched| {
            let put = |path: &str, body: String| {
                let request = http::Request::put(path).body(bytes::Bytes::from(body)).unwrap();
                let status =
                    watched.harness.sandbox.world(|world| s3::handle(world, &somebody(), REGION, &request).status());
                assert!(status.is_success(), "{status}");
            };
            put("/told", String::new());
            put(
                "/told?tagging",
                format!("<Tagging><TagSet><Tag><Key>told</Key><Value>{KEY}</Value></Tag></TagSet></Tagging>"),
            );
        }),
    ),
];

/// Makes the budget of an account of that name.
fn budget_of(metrics: &Metrics, account: &str) {
    let text = |text: &str| text.to_owned();
    metrics.budget(&BudgetLabels { remote: text("jenkins"), account: text(account), region: String::new() });
}

fn somebody() -> Caller {
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/somebody");
    Caller { account: ACCOUNT.to_owned(), arn: arn.clone(), principal: arn }
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_planted_is_found() {
    for (place, (name, plant)) in PLANTS {
        let mut watched = Watched::new().await;
        watched.harness.start();
        watched.harness.apply(Harness::manifest());
        watched.harness.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
        assert_eq!(watched.leaks(), [] as [String; 0]);
        plant(&watched);
        assert_eq!(watched.leaks(), [*place], "{name}");
        watched.harness.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_in_a_call_that_can_be_read_is_found() {
    let watched = Watched::new().await;
    let uri = "/api/json?token=11c0ffee%22c0ffee%5Cc0ffee%2Fc0ffee%2Bc0ffee";
    let request = http::Request::get(uri).body(bytes::Bytes::new()).unwrap();
    watched.harness.sandbox.jenkins().oneshot(request).await.unwrap();
    assert_eq!(watched.leaks(), ["call jenkins GET api/json"]);
}

/// What the trigger's stack shows of the token is a mask.
#[tokio::test(start_paused = true)]
async fn the_stack_shows_a_mask() {
    let mut watched = Watched::new().await;
    watched.harness.start();
    watched.harness.apply(Harness::manifest());
    watched.harness.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
    let call = Call { operation: "DescribeStacks", input: &json!({}), caller: &somebody(), region: REGION };
    let stacks = watched.harness.sandbox.world(|world| cloudformation::call(world, &call)).unwrap();
    let masked =
        |stack: &Value| stack["Parameters"].as_array().into_iter().flatten().any(|one| one["ParameterValue"] == "****");
    assert!(stacks["Stacks"].as_array().unwrap().iter().any(masked), "{stacks}");
}

/// Other crates write whole requests at their finer levels: no filter brings that out.
#[tokio::test(start_paused = true)]
async fn what_other_crates_say_of_requests_is_not_logged() {
    let watched = Watched::new().await;
    for _ in ["once", "again"] {
        tracing::trace!(target: "aws_smithy_runtime::client", "request: {TOKEN}");
        tracing::debug!(target: "kube_client::client", "response: {TOKEN}");
        tracing::debug!(target: "hyper_util::client", "body: {KEY}");
    }
    assert_eq!(watched.leaks(), [] as [String; 0]);
    tracing::warn!(target: "aws_config", "a warning is for everybody");
    assert!(watched.log.text().contains("a warning is for everybody"));
}
