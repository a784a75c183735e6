//! The rules of the repositories: where each is, and what it holds at first.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::{Rule, What, connection, padded, shown};

/// An endpoint repository, for what only goes with one.
pub fn endpoint() -> Value {
    json!({
        "url": "https://github.com/example/taxi-endpoint.git", "fullName": "example/taxi-endpoint",
        "connectionArn": connection("0f0e0d0c-1a2b-4c3d-8e9f-001122334455"), "seedCode": {"source": "None"},
    })
}

/// What the name of a triggered job ends with.
pub fn job_end(job: &Value) -> &'static str {
    if job == "Endpoint" { "deploy-endpoint" } else { "deploy" }
}

/// The rules of one repository: its name, the end of its job's name, and what its template parameters begin with.
macro_rules! repository {
    ($name:literal, $job:literal, $group:literal) => {{
        let path = |field: &str| format!("repositories.{}.{field}", $name);
        vec![
            Rule::new(concat!("repositories.", $name), What::Block),
            shown(&path("url"), |seen, value| seen.job_polls($job, value, None) && seen.has_repository(value, None))
                .sized(|n| padded("https://g/", n, if n > 16 { "/a/b" } else { "" }))
                .good([
                    "https://git.example:8443/c;x=$(id)&'<y>/a/b%20c",
                    "https://xn--r8jz45g.jp/%C3%BC/a/b.git",
                    "https://dev.azure.com/org/Taxi%20Fares/_git/a/b",
                    "https://bb.example/scm/~ada/b.git",
                ])
                .told(&["InvalidSpec"]),
            shown(&path("branch"), |seen, value| {
                seen.job_polls($job, &Value::Null, Some(value)) && seen.has_repository(&Value::Null, Some(value))
            })
            .sized(super::text)
            .good(["feature/a+b_c.d-1", "0"]),
            shown(&path("fullName"), |seen, value| {
                &seen.launched()[concat!($group, "CodeRepositoryFullname")] == value
            })
            .sized(|n| padded("a/", n, ""))
            .good(["a.b/c_d/e-f", "org/Taxi Fares/model build", "~ada/b", "A & B (old)/b"])
            .told(&["InvalidSpec"]),
            shown(&path("connectionArn"), |seen, value| {
                &seen.launched()[concat!($group, "CodeRepositoryCodestarConnectionArn")] == value
            })
            .sized(|n| padded(&connection(""), n, ""))
            .good([
                connection("0a0b0c0d-1a2b-4c3d-8e9f-001122334466"),
                connection("codestar").replace("codeconnections", "codestar-connections"),
            ])
            .told(&["ConnectionMissing"]),
            Rule::new(&path("seedCode"), What::Block),
            shown(&path("seedCode.source"), |seen, value| {
                let required = if value == "None" { "false" } else { "true" };
                seen.launched()[concat!($group, "CodeRepositoryIsSeedcodeRequired")] == required
            })
            .good(["BuiltIn", "None"]),
            Rule::new(&path("seedCode.archive"), What::Block),
            shown(&path("seedCode.archive.url"), |seen, value| {
                &seen.launched()[concat!($group, "CodeRepositorySeedCodeUrl")] == value
            })
            .sized(|n| padded("s3://abc/", n, ""))
            .good(["https://example.com:8443/a/seed-1.0_(x)%20~y.zip"])
            .with(&path("seedCode.archive.sha256"), "0".repeat(64))
            .with(&path("seedCode.source"), "Archive")
            .told(&["ProjectUpdateFailed"]),
            shown(&path("seedCode.archive.sha256"), |seen, value| {
                &seen.launched()[concat!($group, "CodeRepositorySeedCodeSha256")] == value
            })
            .sized(|n| Some("a".repeat(n).into()))
            .good(["0123456789abcdef".repeat(4)])
            .with(&path("seedCode.archive.url"), "s3://own-artifacts/seed.zip")
            .with(&path("seedCode.source"), "Archive")
            .told(&["ProjectUpdateFailed"]),
        ]
    }};
}

/// All of them.
pub fn all() -> Vec<Rule> {
    let endpoint_needs = ["url", "fullName", "connectionArn"];
    let whole = |rule: Rule| {
        // What stands in an endpoint repository needs the rest of one beside it.
        let inner = rule.path.strip_prefix("repositories.endpoint.").map(str::to_owned);
        let missing: Vec<&str> =
            endpoint_needs.into_iter().filter(|field| inner.as_deref().is_some_and(|inner| inner != *field)).collect();
        let seeded = inner.as_deref().is_none_or(|inner| inner.starts_with("seedCode"));
        let rule = if seeded { rule } else { rule.with("repositories.endpoint.seedCode", json!({"source": "None"})) };
        missing
            .into_iter()
            .fold(rule, |rule, field| rule.with(&format!("repositories.endpoint.{field}"), endpoint()[field].clone()))
    };
    let endpoint: Vec<Rule> =
        repository!("endpoint", "modeldeploy-endpoint", "ModelDeployEndpoint").into_iter().map(whole).collect();
    [
        vec![Rule::new("repositories", What::Block)],
        repository!("preprocess", "preprocess", "ModelPreprocess"),
        repository!("build", "modelbuild", "ModelBuild"),
        repository!("deploy", "modeldeploy", "ModelDeploy"),
        endpoint,
    ]
    .concat()
}
