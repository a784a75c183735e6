//! Jenkins' rules as tables: what is asked, by whom, and what comes back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;

use super::*;
use crate::world::Settings;

pub(super) const JOB: &str = "<flow-definition><properties><hudson.model.ParametersDefinitionProperty><parameterDefinitions><hudson.model.StringParameterDefinition><name>P</name><defaultValue>d</defaultValue></hudson.model.StringParameterDefinition></parameterDefinitions></hudson.model.ParametersDefinitionProperty><org.jenkinsci.plugins.workflow.job.properties.DisableConcurrentBuildsJobProperty/></properties></flow-definition>";
pub(super) const PLAIN_JOB: &str = "<flow-definition/>";
pub(super) const FOLDER: &str = "<com.cloudbees.hudson.plugins.folder.Folder/>";
const POLLED: &str = "<flow-definition><triggers><hudson.triggers.SCMTrigger><spec>* * * * *</spec></hudson.triggers.SCMTrigger></triggers></flow-definition>";

pub(super) fn world() -> World {
    World::new(Settings::default(), Timestamp::from_second(1_700_000_000).unwrap())
}

pub(super) fn authorization(user: &str, word: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{word}")))
}

pub(super) fn send_as(world: &mut World, authorization: Option<&str>, call: &str, body: &str) -> http::Response<Bytes> {
    let (method, uri) = call.split_once(' ').unwrap();
    let mut request = http::Request::builder().method(method).uri(uri).header("Host", "ci.example");
    if let Some(value) = authorization {
        request = request.header("Authorization", value);
    }
    if !body.is_empty() {
        request = request.header("Content-Type", "application/xml");
    }
    handle(world, &request.body(Bytes::from(body.to_owned())).unwrap())
}

pub(super) fn send(world: &mut World, call: &str, body: &str) -> (u16, String) {
    let (user, token) = Jenkins::credentials();
    let answer = send_as(world, Some(&authorization(&user, &token)), call, body);
    (answer.status().as_u16(), String::from_utf8(answer.body().to_vec()).unwrap())
}

pub(super) fn json_of(world: &mut World, path: &str) -> Value {
    let (status, text) = send(world, &format!("GET {path}"), "");
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

fn pass(world: &mut World, seconds: u64) {
    let later = world.after(Duration::from_secs(seconds));
    world.advance(later);
}

#[test]
fn items_are_created_read_changed_and_deleted() {
    let mut world = world();
    let rows = [
        ("a folder", "POST /createItem?name=A", FOLDER, 200),
        ("a job in it", "POST /job/A/createItem?name=x", JOB, 200),
        ("the same name", "POST /job/A/createItem?name=x", JOB, 400),
        ("the same name in another case at the root", "POST /createItem?name=a", FOLDER, 400),
        ("in another case inside a folder it is another name", "POST /job/A/createItem?name=X", JOB, 200),
        ("a path for a name", "POST /createItem?name=A/y", JOB, 400),
        ("no name", "POST /createItem", JOB, 400),
        ("no body type", "POST /createItem?name=y", "", 400),
        ("a folder that is not there", "POST /job/B/createItem?name=x", JOB, 404),
        ("XML that does not parse", "POST /createItem?name=y", "<a", 500),
        ("another type of item", "POST /job/A/job/x/config.xml", FOLDER, 500),
        ("the configuration, the root in any case", "GET /job/a/job/x/config.xml", "", 200),
        ("inside a folder the case must be right", "GET /job/A/job/Y/config.xml", "", 404),
        ("another method", "PUT /job/A/job/x/config.xml", "", 400),
        ("a URL without its slash", "GET /job/A", "", 302),
        ("disable", "POST /job/A/job/x/disable", "", 302),
        ("disable by GET", "GET /job/A/job/x/disable", "", 405),
        ("a new description", "POST /job/A/job/x/submitDescription?description=d", "", 302),
        ("a taken name", "POST /job/A/job/x/confirmRename?newName=x", "", 400),
        ("a new name", "POST /job/A/job/x/confirmRename?newName=y", "", 302),
        ("the old name is gone", "GET /job/A/job/x/config.xml", "", 404),
        ("a copy", "POST /job/A/createItem?name=z&mode=copy&from=y", "", 302),
        ("delete", "POST /job/A/job/z/doDelete", "", 302),
        ("delete again", "POST /job/A/job/z/doDelete", "", 404),
        ("delete by REST", "DELETE /job/A/", "", 204),
        ("what was in it is gone", "GET /job/A/job/y/api/json", "", 404),
        ("something unknown", "GET /script", "", 404),
    ];
    for (name, call, body, expected) in rows {
        let (status, text) = send(&mut world, call, body);
        assert_eq!(status, expected, "{name}: {text}");
    }
    assert!(item_names(&world.jenkins).is_empty());
}

#[test]
fn who_calls_decides_what_is_answered() {
    let mut world = world();
    send(&mut world, "POST /createItem?name=A", FOLDER);
    let (user, token) = Jenkins::credentials();
    let known = world.jenkins.users.get_mut(&user).unwrap();
    known.password = Some("pw".into());
    let mut blind = User::service("t2");
    blind.permissions.remove(&Permission::ItemCreate);
    blind.denied.insert("A".into(), [Permission::ItemRead].into());
    world.jenkins.users.insert("blind".into(), blind.clone());
    blind.permissions.insert(Permission::ItemDiscover);
    world.jenkins.users.insert("discoverer".into(), blind);
    let (good, wrong, password) =
        (authorization(&user, &token), authorization(&user, "no"), authorization(&user, "pw"));
    let (blind, discoverer) = (authorization("blind", "t2"), authorization("discoverer", "t2"));
    let rows: &[(&str, Option<&str>, &str, u16)] = &[
        ("a token", Some(&good), "GET /api/json", 200),
        ("a wrong token", Some(&wrong), "GET /api/json", 401),
        ("not even Basic", Some("Bearer x"), "GET /api/json", 401),
        ("nobody", None, "GET /api/json", 403),
        ("nobody may ask who it is", None, "GET /whoAmI/api/json", 200),
        ("a password reads", Some(&password), "GET /api/json", 200),
        (
            "a password without a crumb does not write",
            Some(&password),
            "POST /job/A/submitDescription?description=x",
            403,
        ),
        ("a hidden folder is not there", Some(&blind), "GET /job/A/api/json", 404),
        ("to a discoverer it is forbidden", Some(&discoverer), "GET /job/A/api/json", 403),
        ("a missing permission", Some(&blind), "POST /createItem?name=B", 403),
        ("administration", Some(&good), "POST /quietDown", 403),
    ];
    for (name, who, call, expected) in rows {
        assert_eq!(send_as(&mut world, *who, call, "").status().as_u16(), *expected, "{name}");
    }
    let refused = send_as(&mut world, Some(&blind), "POST /createItem?name=B", FOLDER);
    assert_eq!(refused.headers()["x-required-permission"], "hudson.model.Item.Create");
    let hidden = send_as(&mut world, Some(&blind), "GET /api/json?tree=jobs[name]", "");
    assert!(!String::from_utf8_lossy(hidden.body()).contains("\"A\""), "hidden items are not listed");
}

#[test]
fn a_crumb_belongs_to_its_session() {
    let mut world = world();
    let (user, _) = Jenkins::credentials();
    world.jenkins.users.get_mut(&user).unwrap().password = Some("pw".into());
    let who = authorization(&user, "pw");
    let issued = send_as(&mut world, Some(&who), "GET /crumbIssuer/api/json", "");
    let cookie = issued.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let crumb: Value = serde_json::from_slice(issued.body()).unwrap();
    for (name, cookie, expected) in [("with its session", cookie.as_str(), 200), ("without", "JSESSIONID=other", 403)] {
        let request = http::Request::post("/createItem?name=A")
            .header("Authorization", &who)
            .header("Cookie", cookie)
            .header("Jenkins-Crumb", crumb["crumb"].as_str().unwrap())
            .header("Content-Type", "application/xml")
            .body(Bytes::from(FOLDER))
            .unwrap();
        assert_eq!(handle(&mut world, &request).status().as_u16(), expected, "{name}");
    }
}

#[test]
fn config_xml_is_the_file_in_old_versions_and_written_anew_in_new_ones() {
    let raw = "<flow-definition><evil/></flow-definition>";
    let rows = [
        ("before the change", "2.567", true),
        ("since the change", "2.568", false),
        ("an LTS before it", "2.555.2", true),
        ("an LTS with it", "2.555.3", false),
    ];
    for (name, version, is_raw) in rows {
        let mut world = world();
        world.jenkins.version = version.into();
        send(&mut world, "POST /createItem?name=x", raw);
        assert_eq!(send(&mut world, "GET /job/x/config.xml", "").1.ends_with(raw), is_raw, "{name}");
        send(&mut world, "POST /job/x/disable", "");
        assert!(send(&mut world, "GET /job/x/config.xml", "").1.contains("<disabled>true"), "{name}: saved by Jenkins");
    }
}

#[test]
fn builds_are_asked_for_by_the_rules() {
    let mut world = world();
    send(&mut world, "POST /createItem?name=p", JOB);
    send(&mut world, "POST /createItem?name=n", PLAIN_JOB);
    send(
        &mut world,
        "POST /createItem?name=t",
        &JOB.replace("<properties>", "<authToken>token</authToken><properties>"),
    );
    send(&mut world, "POST /createItem?name=d", &JOB.replace("<properties>", "<disabled>true</disabled><properties>"));
    let rows = [
        ("with parameters", "POST /job/p/buildWithParameters?P=1", 201),
        ("the same again while it waits", "POST /job/p/buildWithParameters?P=1", 303),
        ("others are another item", "POST /job/p/buildWithParameters?P=2&UNKNOWN=x", 201),
        ("by GET without a token", "GET /job/p/buildWithParameters?P=3", 405),
        ("the token of a job without one is ignored", "GET /job/p/buildWithParameters?token=token", 405),
        ("a parameter twice", "POST /job/p/buildWithParameters?P=1&P=2", 500),
        ("build on a parameterised job", "POST /job/p/build", 400),
        ("parameters on a plain job", "POST /job/n/buildWithParameters", 400),
        ("build on a plain job", "POST /job/n/build?delay=0sec", 201),
        ("the job's token by GET", "GET /job/t/buildWithParameters?token=token&cause=why", 201),
        ("a wrong token", "POST /job/t/buildWithParameters?token=no", 403),
        ("a disabled job", "POST /job/d/buildWithParameters", 409),
        ("no build yet", "GET /job/p/lastBuild/api/json", 404),
    ];
    for (name, call, expected) in rows {
        assert_eq!(send(&mut world, call, "").0, expected, "{name}");
    }
    world.jenkins.queue_vetoed = true;
    assert_eq!(send(&mut world, "POST /job/n/build", "").0, 302, "a vetoed build");
}

#[test]
fn a_build_waits_runs_one_at_a_time_and_is_forgotten_by_the_queue() {
    let mut world = world();
    send(&mut world, "POST /createItem?name=p", JOB);
    world.jenkins.script_result("p", "FAILURE");
    let (user, token) = Jenkins::credentials();
    let first = send_as(&mut world, Some(&authorization(&user, &token)), "POST /job/p/buildWithParameters?P=1", "");
    let location = first.headers()["location"].to_str().unwrap().to_owned();
    let item = location.strip_prefix("http://ci.example").unwrap().to_owned();
    send(&mut world, "POST /job/p/buildWithParameters", "");
    assert_eq!(json_of(&mut world, "/queue/api/json?tree=items[id]")["items"].as_array().unwrap().len(), 2);
    let later = world.after(Duration::from_millis(500));
    world.advance(later);
    let left = json_of(&mut world, &format!("{item}api/json"));
    assert_eq!((left["cancelled"].clone(), left["executable"]["number"].clone()), (json!(false), json!(1)));
    let waiting = json_of(&mut world, "/queue/api/json");
    assert_eq!(waiting["items"][0]["blocked"], json!(true), "{waiting}");
    assert_eq!(json_of(&mut world, "/job/p/lastBuild/api/json")["building"], json!(true));
    pass(&mut world, 5);
    let builds = json_of(
        &mut world,
        "/job/p/api/json?tree=builds[number,result,actions[parameters[name,value]]]{0,50}",
    )["builds"]
        .clone();
    assert_eq!((&builds[1]["result"], &builds[0]["result"]), (&json!("FAILURE"), &json!("SUCCESS")));
    assert_eq!(builds[0]["actions"][0]["parameters"][0]["value"], json!("d"), "a missing parameter takes its default");
    pass(&mut world, 300);
    assert_eq!(send(&mut world, &format!("GET {item}api/json"), "").0, 404);
}

#[test]
fn quiet_down_holds_builds_back_and_polling_builds_a_new_job_once() {
    let mut world = world();
    world.jenkins.polling = true;
    send(&mut world, "POST /createItem?name=polled", POLLED);
    pass(&mut world, 200);
    assert_eq!(world.jenkins.item("polled").unwrap().builds.len(), 1);
    server::set_mode(&mut world, Mode::QuietDown);
    assert_eq!(send(&mut world, "POST /job/polled/build", "").0, 201);
    pass(&mut world, 10);
    assert_eq!(world.jenkins.item("polled").unwrap().builds.len(), 1, "held back");
    server::set_mode(&mut world, Mode::Normal);
    assert_eq!(world.jenkins.item("polled").unwrap().builds.len(), 2, "goes on");
    assert_eq!(send(&mut world, "POST /job/polled/2/stop", "").0, 302);
    assert_eq!(json_of(&mut world, "/job/polled/2/api/json")["result"], json!("ABORTED"));
}

const FROM_GIT: &str = r#"<flow-definition><definition class="org.jenkinsci.plugins.workflow.cps.CpsScmFlowDefinition"><scm class="hudson.plugins.git.GitSCM"><configVersion>2</configVersion><userRemoteConfigs><hudson.plugins.git.UserRemoteConfig><url>u</url></hudson.plugins.git.UserRemoteConfig></userRemoteConfigs><branches><hudson.plugins.git.BranchSpec><name>*/main</name></hudson.plugins.git.BranchSpec></branches></scm></definition><triggers><hudson.triggers.SCMTrigger><spec>* * * * *</spec></hudson.triggers.SCMTrigger></triggers></flow-definition>"#;

#[test]
fn polling_builds_commits_after_a_checkout_and_nothing_ever_without_one() {
    let source = || ("u".to_owned(), "*/main".to_owned());
    let built = |world: &World| -> Vec<Option<String>> {
        world.jenkins.item("j").unwrap().builds.iter().map(|build| build.result.clone()).collect()
    };
    let rows = [("with a Jenkinsfile", true), ("with one that came after the first build", false)];
    for (name, there) in rows {
        let mut world = world();
        world.jenkins.polling = true;
        if !there {
            world.jenkins.without_jenkinsfile.insert(source());
        }
        send(&mut world, "POST /createItem?name=j", FROM_GIT);
        pass(&mut world, 200);
        let first = Some(if there { "SUCCESS" } else { "FAILURE" }.to_owned());
        assert_eq!(built(&world), std::slice::from_ref(&first), "{name}");
        world.jenkins.without_jenkinsfile.clear();
        world.jenkins.commit("u", "*/main");
        pass(&mut world, 200);
        assert_eq!(built(&world).len(), if there { 2 } else { 1 }, "{name}: one build for one commit");
        send(&mut world, "POST /job/j/build", "");
        pass(&mut world, 10);
        let before = built(&world).len();
        world.jenkins.commit("u", "*/main");
        pass(&mut world, 200);
        assert_eq!(built(&world).len(), before + 1, "{name}: after a build that somebody started");
        let tree = "builds[actions[lastBuiltRevision[SHA1]]]";
        let told = json_of(&mut world, &format!("/job/j/api/json?tree={tree}")).to_string();
        assert_eq!(told.matches("SHA1").count(), if there { 4 } else { 2 }, "{name}: {told}");
    }
}

#[test]
fn a_folder_keeps_credentials_secret_and_loses_them_to_a_naive_update() {
    let mut world = world();
    send(&mut world, "POST /createItem?name=A", FOLDER);
    let base = "/job/A/credentials/store/folder/domain/_";
    let credential = "<org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl><scope>GLOBAL</scope><id>i</id><secret>s3cret</secret></org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl>";
    assert_eq!(send(&mut world, &format!("POST {base}/createCredentials"), credential).0, 200);
    assert_eq!(send(&mut world, &format!("POST {base}/createCredentials"), credential).0, 409);
    let (_, read) = send(&mut world, &format!("GET {base}/credential/i/config.xml"), "");
    assert!(read.contains("<secret-redacted/>") && !read.contains("s3cret"), "{read}");
    let (_, folder) = send(&mut world, "GET /job/A/config.xml", "");
    assert!(folder.contains("FolderCredentialsProperty") && !folder.contains("s3cret"), "{folder}");
    assert_eq!(send(&mut world, "POST /job/A/config.xml", &folder).0, 200);
    assert_eq!(world.jenkins.item("A").unwrap().credentials["i"].child_text("secret"), Some("s3cret"), "kept whole");
    send(&mut world, &format!("POST {base}/credential/i/config.xml"), &read);
    assert_eq!(
        world.jenkins.item("A").unwrap().credentials["i"].child_text("secret"),
        Some(""),
        "a redacted body overwrites"
    );
    send(&mut world, "POST /job/A/config.xml", FOLDER);
    assert!(world.jenkins.item("A").unwrap().credentials.is_empty(), "a naive update loses the store");
    assert!(!world.jenkins.dump().to_string().contains("s3cret"));
}

#[test]
fn the_server_tells_of_itself_below_its_context_path() {
    let mut world = world();
    world.jenkins.context = "/jenkins".into();
    assert_eq!(json_of(&mut world, "/jenkins/api/json?tree=quietingDown,jobs[name]")["quietingDown"], json!(false));
    let plugins = json_of(&mut world, "/jenkins/pluginManager/api/json?depth=1&tree=plugins[shortName,active]");
    assert!(plugins["plugins"].as_array().unwrap().iter().any(|plugin| plugin["shortName"] == "workflow-job"));
    assert_eq!(send(&mut world, "GET /api/json", "").0, 404);
    world.jenkins.mode = Mode::Loading;
    assert_eq!(send(&mut world, "GET /jenkins/api/json", "").0, 503);
    let before = world.jenkins.session;
    world.jenkins.restart();
    assert_ne!(world.jenkins.session, before);
}
