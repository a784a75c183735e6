//! What a real API server says: which manifests it takes, which it refuses and in which words, and what cannot be
//! changed. One server serves the whole program; every case is a dry run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Cluster, root};
use serde_json::{Value, json};

/// One change to the full example: (what it shows, JSON pointer, value or null to remove, sentence of the refusal).
type Case = (&'static str, &'static str, Value, &'static str);

fn refused() -> Vec<Case> {
    let long = |length: usize| Value::String("a".repeat(length));
    vec![
        (
            "a name with an underscore",
            "/spec/projectName",
            json!("a_b"),
            "projectName takes letters, digits and hyphens",
        ),
        ("a name that starts with a digit", "/spec/projectName", json!("1ab"), "starts with a letter"),
        ("a name that is too long", "/spec/projectName", long(33), "may not be more than 32"),
        (
            "a description with a line break",
            "/spec/description",
            json!("a\nb"),
            "description takes printable characters on one line",
        ),
        ("a description that is too long", "/spec/description", long(1025), "may not be more than 1024"),
        (
            "a region that is none",
            "/spec/platform/aws/region",
            json!("frankfurt-1"),
            "region is the code of an AWS region",
        ),
        (
            "an account id of 11 digits",
            "/spec/platform/aws/accountId",
            json!("11112222333"),
            "should be at least 12 chars long",
        ),
        (
            "an account id that is a number",
            "/spec/platform/aws/accountId",
            json!(111122223333_i64),
            "must be of type string",
        ),
        (
            "an account id with a letter",
            "/spec/platform/aws/accountId",
            json!("11112222333x"),
            "accountId is an AWS account id of 12 digits",
        ),
        (
            "a role that is a user",
            "/spec/platform/aws/roles/launch",
            json!("arn:aws:iam::111122223333:user/x"),
            "must be the ARN of an IAM role",
        ),
        (
            "a launch role of another account",
            "/spec/platform/aws/roles/launch",
            json!("arn:aws:iam::999999999999:role/x"),
            "roles.launch must be a role of the account in aws.accountId",
        ),
        (
            "a stack role of another account",
            "/spec/platform/aws/roles/stack",
            json!("arn:aws:iam::999999999999:role/x"),
            "roles.stack must be a role of the account",
        ),
        (
            "a bucket with a dot",
            "/spec/platform/artifacts",
            json!({"bucket": "a.b.c"}),
            "names with dots cannot be reached over TLS",
        ),
        (
            "a bucket with capitals",
            "/spec/platform/artifacts",
            json!({"bucket": "Artifacts"}),
            "bucket takes lower-case letters",
        ),
        (
            "a KMS key for somebody else's bucket",
            "/spec/platform/artifacts",
            json!({"bucket": "mine", "kmsKeyId": "alias/x"}),
            "an existing bucket keeps its encryption",
        ),
        (
            "a portfolio without a name",
            "/spec/platform/catalog/portfolio/name",
            json!(""),
            "should be at least 1 chars long",
        ),
        (
            "a provider that is too long",
            "/spec/platform/catalog/portfolio/providerName",
            long(51),
            "may not be more than 50",
        ),
        (
            "a support address that is none",
            "/spec/platform/catalog/product/supportEmail",
            json!("me"),
            "supportEmail is an e-mail address",
        ),
        (
            "a support URL that is none",
            "/spec/platform/catalog/product/supportUrl",
            json!("ftp://example.com"),
            "supportUrl is an http or https URL",
        ),
        (
            "a template that the operator does not carry",
            "/spec/platform/catalog/template/builtIn",
            json!("jenkins-git-v9"),
            "supported values: \"jenkins-git-v1\"",
        ),
        (
            "a principal with a wildcard and an account",
            "/spec/platform/catalog/principals/0/arn",
            json!("arn:aws:iam::111122223333:role/x*"),
            "type IAM takes a full ARN with its account and no wildcards",
        ),
        (
            "a pattern with an account",
            "/spec/platform/catalog/principals/1/arn",
            json!("arn:aws:iam::111122223333:role/x"),
            "type IAM_PATTERN takes an ARN with an empty account",
        ),
        (
            "a subnet id that is none",
            "/spec/platform/modelTrigger/vpc/subnetIds/0",
            json!("subnet"),
            "must be an id such as subnet-0a1b2c3d",
        ),
        (
            "a VPC without security groups",
            "/spec/platform/modelTrigger/vpc/securityGroupIds",
            Value::Null,
            "securityGroupIds: Required value",
        ),
        (
            "a CA bundle in a Pod",
            "/spec/platform/modelTrigger/caBundleRef/kind",
            json!("Pod"),
            "supported values: \"Secret\", \"ConfigMap\"",
        ),
        (
            "plain HTTP to Jenkins unasked",
            "/spec/platform/jenkins/url",
            json!("http://jenkins.example.com"),
            "set jenkins.allowPlainHttp if the token may travel in the clear",
        ),
        (
            "a Jenkins URL with a user",
            "/spec/platform/jenkins/url",
            json!("https://me:secret@jenkins.example.com"),
            "with no user, query or fragment",
        ),
        (
            "a Jenkins URL with a query",
            "/spec/platform/jenkins/url",
            json!("https://jenkins.example.com/?a=b"),
            "with no user, query or fragment",
        ),
        (
            "the metadata service as Jenkins",
            "/spec/platform/jenkins/url",
            json!("https://169.254.169.254/"),
            "must not be a link-local or metadata address",
        ),
        (
            "a folder with a backslash",
            "/spec/platform/jenkins/folder",
            json!("a\\b"),
            "folder is a path such as team/project",
        ),
        (
            "a folder that climbs",
            "/spec/platform/jenkins/folder",
            json!("a/../b"),
            "folder is a path such as team/project",
        ),
        (
            "a folder that ends with a slash",
            "/spec/jenkins/folder",
            json!("a/"),
            "folder is a path such as team/project",
        ),
        (
            "no credentials for Jenkins",
            "/spec/platform/jenkins/credentialsSecretRef",
            Value::Null,
            "credentialsSecretRef: Required value",
        ),
        (
            "a Secret of another namespace",
            "/spec/platform/jenkins/credentialsSecretRef/name",
            json!("other/jenkins"),
            "must be the name of an object in this namespace",
        ),
        (
            "a repository over ssh",
            "/spec/repositories/build/url",
            json!("git@github.com:team/code.git"),
            "url is the https clone URL",
        ),
        (
            "a repository URL with a token",
            "/spec/repositories/build/url",
            json!("https://token@github.com/team/code.git"),
            "with no user, query or fragment",
        ),
        (
            "a repository without its owner",
            "/spec/repositories/build/fullName",
            json!("code"),
            "fullName is the repository's owner and name",
        ),
        (
            "a branch that Git refuses",
            "/spec/repositories/build/branch",
            json!("a..b"),
            "branch must be a valid Git branch name",
        ),
        (
            "a branch with a shell's blank",
            "/spec/repositories/build/branch",
            json!("main; rm"),
            "branch takes letters, digits",
        ),
        (
            "a connection that is a role",
            "/spec/repositories/build/connectionArn",
            json!("arn:aws:iam::111122223333:role/connection"),
            "connectionArn is the ARN of a CodeConnections",
        ),
        ("a missing repository", "/spec/repositories/deploy", Value::Null, "deploy: Required value"),
        (
            "a parameter with two values",
            "/spec/parameters/0/valueFrom",
            json!({"secretKeyRef": {"name": "a", "key": "b"}}),
            "exactly one of value and valueFrom",
        ),
        ("a parameter with no value", "/spec/parameters/0/value", Value::Null, "exactly one of value and valueFrom"),
        (
            "a parameter's name with a hyphen",
            "/spec/parameters/0/name",
            json!("A-B"),
            "a template parameter's name takes letters and digits",
        ),
        (
            "a schedule of four fields",
            "/spec/jenkins/pollSchedule",
            json!("* * * *"),
            "pollSchedule is one Jenkins cron line of five fields",
        ),
        (
            "a schedule of two lines",
            "/spec/jenkins/pollSchedule",
            json!("* * * * *\nTZ=UTC"),
            "pollSchedule is one Jenkins cron line",
        ),
        (
            "a credential id with a quote",
            "/spec/jenkins/awsCredentialsId",
            json!("a'b"),
            "as Jenkins does in credential ids",
        ),
        (
            "a job parameter that the operator sets",
            "/spec/jenkins/extraParameters",
            json!({"EVENT_ID": "1"}),
            "these job parameters are set by the operator",
        ),
        (
            "a job parameter with a hyphen",
            "/spec/jenkins/extraParameters",
            json!({"A-B": "1"}),
            "does not start with a digit",
        ),
        ("no approval status", "/spec/modelTrigger/approvalStatuses", json!([]), "should have at least 1 items"),
        (
            "an approval status twice",
            "/spec/modelTrigger/approvalStatuses",
            json!(["Approved", "Approved"]),
            "Duplicate value",
        ),
        (
            "an approval status that is none",
            "/spec/modelTrigger/approvalStatuses",
            json!(["Fine"]),
            "supported values: \"Approved\"",
        ),
        ("a tag of AWS's own", "/spec/tags", json!({"aws:x": "1"}), "are reserved"),
        (
            "a tag of the operator's own",
            "/spec/platform/tags",
            json!({"mlops-operator.io/owner": "me"}),
            "are reserved",
        ),
        ("an empty tag value", "/spec/tags", json!({"a": ""}), "should be at least 1 chars long"),
        ("a tag with a bracket", "/spec/tags", json!({"a": "<b>"}), "tags take letters, digits, blanks"),
        (
            "too many tags in all",
            "/spec/tags",
            Value::Object((0..16).map(|i| (format!("t{i}"), json!("x"))).collect()),
            "together may have at most 16 keys",
        ),
        (
            "a deletion policy that is none",
            "/spec/deletionPolicy",
            json!("Orphan"),
            "supported values: \"Delete\", \"Retain\"",
        ),
        (
            "a field that does not exist yet",
            "/spec/managementMode",
            json!("Plan"),
            "unknown field \"spec.managementMode\"",
        ),
        ("a namesake that SageMaker refuses", "/spec/projectName", Value::Null, "set spec.projectName"),
    ]
}

fn immutable() -> Vec<Case> {
    vec![
        ("the project's name", "/spec/projectName", json!("Other"), "projectName is immutable"),
        ("whether it has a name of its own", "/spec/projectName", Value::Null, "projectName is immutable"),
        ("the region", "/spec/platform/aws/region", json!("eu-west-1"), "aws.region is immutable"),
        ("the role that is assumed", "/spec/platform/aws/assumeRole", Value::Null, "aws.assumeRole is immutable"),
        ("the bucket", "/spec/platform/artifacts", json!({"bucket": "mine"}), "artifacts.bucket is immutable"),
        ("the Jenkins", "/spec/platform/jenkins/url", json!("https://other.example.com"), "jenkins.url is immutable"),
        ("the platform's folder", "/spec/platform/jenkins/folder", json!("other"), "jenkins.folder is immutable"),
        ("the project's folder", "/spec/jenkins/folder", Value::Null, "jenkins.folder is immutable"),
    ]
}

fn changed(manifest: &Value, pointer: &str, value: &Value) -> String {
    let mut manifest = manifest.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = manifest.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}"));
    match (parent, value) {
        (Value::Object(fields), Value::Null) => drop(fields.remove(key)),
        (Value::Object(fields), value) => drop(fields.insert(key.to_owned(), value.clone())),
        (Value::Array(items), value) => items[key.parse::<usize>().unwrap()] = value.clone(),
        _ => panic!("{pointer} leads nowhere"),
    }
    manifest.to_string()
}

fn check(cluster: &Cluster, manifest: &Value, cases: Vec<Case>) {
    let mut wrong = Vec::new();
    for (case, pointer, value, sentence) in cases {
        let (ok, _, stderr) = cluster.kubectl(
            &["apply", "--dry-run=server", "--validate=strict", "-f", "-"],
            &changed(manifest, pointer, &value),
        );
        if ok || !stderr.contains(sentence) {
            wrong.push(format!("{case}: expected `{sentence}`, got {}", if ok { "no refusal" } else { stderr.trim() }));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn full_example() -> Value {
    let text = std::fs::read_to_string(root().join("examples/full.yaml")).unwrap();
    let mut manifest: Value = serde_yaml::from_str(&text).unwrap();
    // A name that cannot serve as the project's: only spec.projectName makes it legal.
    manifest["metadata"]["name"] = json!("customer.churn");
    manifest
}

#[test]
fn the_api_server_takes_the_examples_and_refuses_what_aws_or_jenkins_would_refuse() {
    let cluster = Cluster::start("apiserver");
    cluster.kubectl_ok(&["create", "namespace", "ml-team"]);
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            cluster.kubectl_ok(&["apply", "--dry-run=server", "--validate=strict", "-f", path.to_str().unwrap()]);
        }
    }
    let manifest = full_example();
    check(&cluster, &manifest, refused());

    let (ok, _, stderr) = cluster.kubectl(&["apply", "-f", "-"], &manifest.to_string());
    assert!(ok, "{stderr}");
    check(&cluster, &manifest, immutable());

    let columns = cluster.kubectl_ok(&["get", "mlp", "-n", "ml-team", "-o", "wide"]);
    let header: Vec<_> = columns.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(header, ["NAME", "READY", "REASON", "PROJECT", "VERSION", "AGE", "FOLDER", "MESSAGE"]);
    assert!(cluster.kubectl_ok(&["get", "mlops", "-n", "ml-team"]).contains("customer.churn"));
    let explained = cluster.kubectl_ok(&["explain", "mlp.spec.platform.aws.accountId"]);
    assert!(explained.contains("Immutable"), "{explained}");
}
