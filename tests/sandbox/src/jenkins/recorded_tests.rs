//! The rest of what real servers (2.568.3 and 2.567) were recorded with, beside `seen_tests`: XML as it was sent and as it
//! was read back, names that are not plain words, and headers of refusals. What two requests at once are answered is
//! not here: the sandbox takes one after the other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;

use super::tests::*;
use super::*;

fn polled(spec: &str) -> String {
    format!(
        "<flow-definition><properties><org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty><triggers><hudson.triggers.SCMTrigger><spec>{spec}</spec></hudson.triggers.SCMTrigger></triggers></org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty></properties></flow-definition>"
    )
}

fn with_git(inner: &str) -> String {
    format!(
        "<flow-definition><definition class=\"org.jenkinsci.plugins.workflow.cps.CpsScmFlowDefinition\"><scm class=\"hudson.plugins.git.GitSCM\">{inner}</scm></definition></flow-definition>"
    )
}

#[test]
fn what_is_sent_is_read_back_as_from_a_real_server() {
    let branch =
        "<branches><hudson.plugins.git.BranchSpec><name>**/main</name></hudson.plugins.git.BranchSpec></branches>";
    // The sentence, what is sent, a piece of what 2.568.3 gives back, and one that it does not give back.
    let rows = [
        ("a step of nothing is no schedule", polled("*/0 * * * *"), "<triggers/>", "SCMTrigger"),
        ("signs without numbers are no schedule", polled("- - - - -"), "<triggers/>", "SCMTrigger"),
        ("a schedule that parses stays", polled("H * * * *"), "<spec>H * * * *</spec>", "<triggers/>"),
        ("a Git configuration without a version gets 0", with_git(""), "<configVersion>0</configVersion>", "@@"),
        ("and its stars are doubled", with_git(branch), "<name>****/main</name>", "<name>**/main</name>"),
        (
            "an empty text is a pair of tags",
            "<flow-definition><description/></flow-definition>".into(),
            "<description></description>",
            "<description/>",
        ),
        (
            "a line separator is read as the end of a line",
            "<?xml version='1.1'?><flow-definition><description>a\u{2028}b</description></flow-definition>".into(),
            "<description>a\nb</description>",
            "\u{2028}",
        ),
        (
            "a paragraph separator stays",
            "<flow-definition><description>a\u{2029}b</description></flow-definition>".into(),
            "a\u{2029}b",
            "@@",
        ),
    ];
    for (name, sent, has, lacks) in rows {
        let mut world = world();
        world.jenkins.version = "2.568.3".into();
        let (user, token) = Jenkins::credentials();
        let request = http::Request::post("/createItem?name=x")
            .header("Authorization", authorization(&user, &token))
            .header("Content-Type", "application/xml; charset=utf-8")
            .body(Bytes::from(sent))
            .unwrap();
        let made = handle(&mut world, &request);
        assert_eq!((made.status().as_u16(), made.body().len()), (200, 0), "{name}: a success has no body");
        let read = send(&mut world, "GET /job/x/config.xml", "").1;
        assert!(read.contains(has) && !read.contains(lacks), "{name}: {read}");
    }
}

#[test]
fn a_missing_plugin_takes_its_part_of_a_job_along_without_a_word() {
    let mut world = world();
    world.jenkins.plugins.remove("git");
    let (status, body) = send(&mut world, "POST /createItem?name=x", &with_git("<configVersion>2</configVersion>"));
    assert_eq!((status, body.as_str()), (200, ""));
    let read = send(&mut world, "GET /job/x/config.xml", "").1;
    assert!(read.contains("CpsScmFlowDefinition") && !read.contains("<scm"), "{read}");
}

#[test]
fn names_need_not_be_plain_words() {
    let rows = [
        ("quotes", "it%27s%20%22so%22", "it's \"so\""),
        ("a plus sign", "a%2Bb", "a+b"),
        ("blanks within", "a%20b%20c", "a b c"),
        ("Chinese signs", "%E4%B8%AD%E6%96%87", "中文"),
        ("a sign beyond the basic plane", "%F0%9F%9A%80", "🚀"),
        ("brackets and a tilde", "a(b)~", "a(b)~"),
    ];
    for (name, encoded, plain) in rows {
        let mut world = world();
        assert_eq!(send(&mut world, &format!("POST /createItem?name={encoded}"), PLAIN_JOB).0, 200, "{name}");
        let (status, text) = send(&mut world, &format!("GET /job/{encoded}/api/json"), "");
        let item: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, item["name"].as_str()), (200, Some(plain)), "{name}");
        let url = item["url"].as_str().unwrap().strip_prefix("http://ci.example").unwrap().to_owned();
        assert_eq!(
            send(&mut world, &format!("GET {url}config.xml"), "").0,
            200,
            "{name}: its own URL leads to it: {url}"
        );
        assert_eq!(send(&mut world, &format!("DELETE {url}"), "").0, 204, "{name}");
    }
}

#[test]
fn refusals_have_the_headers_of_a_real_server() {
    let mut world = world();
    let (user, token) = Jenkins::credentials();
    let who = authorization(&user, &token);
    send(&mut world, "POST /createItem?name=x", PLAIN_JOB);
    let rows = [
        ("a POST endpoint by GET says what it takes", "GET /job/x/disable", 405, "allow", Some("POST")),
        (
            "a control character is shown by its number",
            "POST /createItem?name=a%07b",
            400,
            "x-error",
            Some("No control code is allowed: a\\u7;b"),
        ),
        ("bad XML has no reason in a header", "POST /createItem?name=y", 500, "x-error", None),
        ("a missing item has none either", "GET /job/none/config.xml", 404, "x-error", None),
        ("a missing folder has none", "POST /job/none/createItem?name=y", 404, "x-error", None),
    ];
    for (name, call, status, header, expected) in rows {
        let answer = send_as(&mut world, Some(&who), call, if call.starts_with("POST") { "<a" } else { "" });
        assert_eq!(answer.status().as_u16(), status, "{name}");
        let seen = answer.headers().get(header).map(|value| value.to_str().unwrap());
        assert_eq!(seen, expected, "{name}");
    }
}

#[test]
fn outside_its_path_another_answers_and_users_need_no_plain_names() {
    let mut world = world();
    world.jenkins.context = "/ci".into();
    let outside = send_as(&mut world, None, "GET /other/api/json", "");
    assert_eq!(outside.status(), 404);
    assert!(!outside.headers().contains_key("x-jenkins"), "it is the servlet container that answers");
    world.jenkins.users.insert("Jürgen".into(), User::service("t"));
    let known = send_as(&mut world, Some(&authorization("Jürgen", "t")), "GET /ci/whoAmI/api/json", "");
    let known: Value = serde_json::from_slice(known.body()).unwrap();
    assert_eq!((&known["name"], &known["anonymous"]), (&json!("Jürgen"), &json!(false)));
}
