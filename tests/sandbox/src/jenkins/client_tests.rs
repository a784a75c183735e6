//! What clients in Python and other languages ask of Jenkins beyond what the operator does: kinds by name, permalinks of
//! builds, nodes, views, users, stores of credentials, moves. The rules are those of the classes that each row names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;

use super::tests::*;
use super::*;

const VIEW: &str =
    "<hudson.model.ListView><name>other</name><jobNames><string>p</string></jobNames></hudson.model.ListView>";

fn json_of(world: &mut World, path: &str) -> Value {
    let (status, text) = send(world, &format!("GET {path}"), "");
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path}: {status} {text}"))
}

/// A form, which `send` does not send.
fn form(world: &mut World, call: &str, body: &str) -> (u16, String) {
    let (user, token) = Jenkins::credentials();
    let (method, uri) = call.split_once(' ').unwrap();
    let request = http::Request::builder()
        .method(method)
        .uri(uri)
        .header("Host", "ci.example")
        .header("Authorization", authorization(&user, &token))
        .header("Content-Type", "application/x-www-form-urlencoded");
    let answer = handle(world, &request.body(Bytes::from(body.to_owned())).unwrap());
    let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), location.unwrap_or_default())
}

/// A job with three builds, which ended well, badly and by hand, and a fourth that runs.
fn built() -> World {
    let mut world = world();
    send(&mut world, "POST /createItem?name=p", PLAIN_JOB);
    let now = world.now;
    let results = [Some("SUCCESS"), Some("FAILURE"), Some("ABORTED"), None];
    let builds = results.iter().zip(1..).map(|(result, number)| Build {
        number,
        queue_id: u64::from(number),
        parameters: Vec::new(),
        causes: vec!["Started by user operator".into()],
        started: now,
        ended: result.map(|_| now),
        result: result.map(str::to_owned),
        description: None,
        checkout: None,
    });
    let builds = builds.collect();
    world.jenkins.item_mut("p").unwrap().builds = builds;
    world
}

#[test]
fn an_item_is_made_by_the_name_of_its_kind() {
    let mut world = world();
    let rows = [
        ("a folder", "A", "com.cloudbees.hudson.plugins.folder.Folder", 302, "/job/A/configure"),
        ("a pipeline", "p", "org.jenkinsci.plugins.workflow.job.WorkflowJob", 302, "/job/p/configure"),
        ("a freestyle job", "f", "hudson.model.FreeStyleProject", 302, "/job/f/configure"),
        ("a kind that is not there", "n", "hudson.model.None", 400, ""),
    ];
    for (name, item, mode, status, location) in rows {
        let seen = form(&mut world, &format!("POST /createItem?name={item}"), &format!("name={item}&mode={mode}"));
        assert_eq!(seen, (status, location.to_owned()), "{name}");
    }
    assert_eq!(item_names(&world.jenkins).len(), 3);
    assert_eq!(send(&mut world, "GET /job/A/configure", "").0, 200, "the page that a client is led to is there");
}

#[test]
fn names_stand_for_builds() {
    let mut world = built();
    let rows = [
        ("the first build", "firstBuild", Some(1)),
        ("the last build", "lastBuild", Some(4)),
        ("the last one that is over", "lastCompletedBuild", Some(3)),
        ("the last one without a fault", "lastStableBuild", Some(1)),
        ("the last one that served", "lastSuccessfulBuild", Some(1)),
        ("the last one that served in part", "lastUnstableBuild", None),
        ("the last one that failed", "lastFailedBuild", Some(2)),
        ("the last one that did not go well", "lastUnsuccessfulBuild", Some(3)),
    ];
    for (name, permalink, number) in rows {
        let job = json_of(&mut world, &format!("/job/p/api/json?tree={permalink}[number]"));
        assert_eq!(job[permalink]["number"].as_i64(), number, "{name}");
        let (status, _) = send(&mut world, &format!("GET /job/p/{permalink}/api/json"), "");
        assert_eq!(status, if number.is_some() { 200 } else { 404 }, "{name}");
    }
    let rows = [
        ("a build knows the one before it", "/job/p/2/api/json", "/previousBuild/number", Value::from(1)),
        ("the first one has none before it", "/job/p/1/api/json", "/previousBuild", Value::Null),
        ("a build knows the one after it", "/job/p/2/api/json", "/nextBuild/number", Value::from(3)),
        ("a build has a name", "/job/p/2/api/json", "/displayName", "#2".into()),
        ("all builds, by that name", "/job/p/api/json?tree=allBuilds[number]", "/allBuilds/3/number", 1.into()),
        ("else they are not told", "/job/p/api/json?depth=1", "/allBuilds", Value::Null),
        ("the builds are", "/job/p/api/json?depth=1", "/builds/0/number", 4.into()),
    ];
    for (name, path, pointer, expected) in rows {
        let found = json_of(&mut world, path);
        assert_eq!(found.pointer(pointer).cloned().unwrap_or_default(), expected, "{name}: {found}");
    }
}

#[test]
fn a_build_is_described_read_as_it_grows_and_deleted() {
    let mut world = built();
    let (user, token) = Jenkins::credentials();
    let who = authorization(&user, &token);
    for (name, call, size, more, text) in [
        ("a build that is over", "GET /job/p/1/logText/progressiveText?start=0", "43", false, "Started by"),
        ("the rest of it", "GET /job/p/1/logText/progressiveText?start=25", "43", false, "Finished: SUCCESS\n"),
        ("a build that runs", "GET /job/p/4/logText/progressiveText", "25", true, "Started by"),
    ] {
        let answer = send_as(&mut world, Some(&who), call, "");
        assert_eq!(answer.headers()["x-text-size"], size, "{name}");
        assert_eq!(answer.headers().contains_key("x-more-data"), more, "{name}");
        assert!(answer.body().starts_with(text.as_bytes()), "{name}");
    }
    assert_eq!(send(&mut world, "POST /job/p/1/submitDescription?description=d", "").0, 302);
    assert_eq!(json_of(&mut world, "/job/p/1/api/json")["description"], "d");
    assert_eq!(send(&mut world, "GET /job/p/1/doDelete", "").0, 405, "only a POST deletes");
    assert_eq!(send(&mut world, "POST /job/p/1/doDelete", "").0, 302);
    assert_eq!(send(&mut world, "GET /job/p/1/api/json", "").0, 404);
    let operator = world.jenkins.users.get_mut("operator").unwrap();
    operator.permissions.remove(&Permission::RunDelete);
    assert_eq!(send(&mut world, "POST /job/p/2/doDelete", "").0, 403, "Run.DELETE is a permission of its own");
}

#[test]
fn the_built_in_node_shows_what_runs_on_it() {
    let mut world = built();
    send(&mut world, "POST /createItem?name=f", "<project/>");
    let mut running = world.jenkins.item("p").unwrap().builds[3].clone();
    running.number = 1;
    world.jenkins.item_mut("f").unwrap().builds.push(running);
    let pipeline = "/oneOffExecutors/0/currentExecutable/url";
    let rows = [
        ("a pipeline takes none of the executors", "(built-in)", pipeline, "http://ci.example/job/p/4/".into()),
        (
            "a freestyle job takes one",
            "(built-in)",
            "/executors/0/currentExecutable/url",
            "http://ci.example/job/f/1/".into(),
        ),
        ("the other one is idle", "(built-in)", "/executors/1/idle", Value::from(true)),
        ("the old name serves", "(master)", "/displayName", "Built-In Node".into()),
    ];
    for (name, node, pointer, expected) in rows {
        let found = json_of(&mut world, &format!("/computer/{node}/api/json?depth=2"));
        assert_eq!(found.pointer(pointer).cloned().unwrap_or_default(), expected, "{name}: {found}");
    }
    assert_eq!(send(&mut world, "GET /computer/agent/api/json", "").0, 404, "there is no other node");
}

#[test]
fn list_views_are_made_changed_and_deleted() {
    let mut world = built();
    send(&mut world, "POST /createItem?name=q", PLAIN_JOB);
    let rows = [
        ("a view", "POST /createView?name=mine", VIEW, 200),
        ("its name is taken", "POST /createView?name=mine", VIEW, 400),
        ("the name of the first view is taken", "POST /createView?name=all", VIEW, 400),
        ("a bad name", "POST /createView?name=a%2Fb", VIEW, 400),
        ("no kind", "POST /createView?name=other", "", 400),
        ("another kind", "POST /createView?name=other", "<hudson.model.MyView/>", 500),
        ("a way in by GET", "GET /createView?name=other", "", 405),
        ("a job is put in", "POST /view/mine/addJobToView?name=q", "", 200),
        ("one that is not there", "POST /view/mine/addJobToView?name=none", "", 400),
        ("no job", "POST /view/mine/addJobToView", "", 400),
        ("a job is taken out", "POST /view/mine/removeJobFromView?name=p", "", 200),
        ("its configuration", "GET /view/mine/config.xml", "", 200),
        ("another method", "PUT /view/mine/config.xml", "", 400),
        ("a job through the view", "GET /view/mine/job/p/api/json", "", 200),
        ("a view that is not there", "GET /view/none/api/json", "", 404),
        ("a folder has none of its own", "GET /job/p/view/mine/api/json", "", 404),
    ];
    for (name, call, body, status) in rows {
        let (seen, text) = send(&mut world, call, body);
        assert_eq!(seen, status, "{name}: {text}");
    }
    let made = form(&mut world, "POST /createView", "name=formed&mode=hudson.model.ListView&json={}");
    assert_eq!(made, (302, "/view/formed/configure".into()));
    assert_eq!(send(&mut world, "GET /view/formed/configure", "").0, 200, "the page is there");
    assert_eq!(form(&mut world, "POST /createView", "name=x&mode=hudson.model.None").0, 400);
    let root = json_of(&mut world, "/api/json?tree=views[name,url]");
    let names: Vec<&str> =
        root["views"].as_array().unwrap().iter().map(|view| view["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["all", "formed", "mine"]);
    assert_eq!(root["views"][2]["url"], "http://ci.example/view/mine/");
    assert_eq!(json_of(&mut world, "/view/mine/api/json")["jobs"][0]["name"], "q");
    let pattern = "<hudson.model.ListView><includeRegex>[a-p]</includeRegex></hudson.model.ListView>";
    assert_eq!(send(&mut world, "POST /view/mine/config.xml", pattern).0, 200);
    assert_eq!(json_of(&mut world, "/view/mine/api/json")["jobs"][0]["name"], "p", "a whole name must match");
    assert!(send(&mut world, "GET /view/mine/config.xml", "").1.contains("<name>mine</name>"), "the URL's name stays");
    assert_eq!(send(&mut world, "POST /view/mine/doDelete", "").0, 302);
    assert_eq!(send(&mut world, "GET /view/mine/api/json", "").0, 404);
}

#[test]
fn the_remote_api_tells_of_users_plugins_and_stores() {
    let mut world = world();
    send(&mut world, "POST /createItem?name=A", FOLDER);
    send(&mut world, "POST /createItem?name=p", JOB);
    let credential = "<org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl><id>i</id><secret>s</secret></org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl>";
    send(&mut world, "POST /job/A/credentials/store/folder/domain/_/createCredentials", credential);
    let rows = [
        ("one credential", "/job/A/credentials/store/folder/domain/_/credential/i/api/json", "/id", "i"),
        ("who one is", "/me/api/json", "/id", "operator"),
        ("a user", "/user/operator/api/json", "/fullName", "operator"),
        ("one plugin", "/pluginManager/plugin/git/api/json", "/shortName", "git"),
        ("the root's store", "/credentials/store/system/api/json", "/domains/_/urlName", "_"),
        (
            "a folder's store",
            "/job/A/credentials/store/folder/api/json?tree=domains[urlName]",
            "/domains/_/urlName",
            "_",
        ),
        ("a job's parameters are an action of it", "/job/p/api/json", "/actions/0/parameterDefinitions/0/name", "P"),
    ];
    for (name, path, pointer, expected) in rows {
        let found = json_of(&mut world, path);
        assert_eq!(found.pointer(pointer).and_then(Value::as_str), Some(expected), "{name}: {found}");
    }
    for path in
        ["/user/none/api/json", "/pluginManager/plugin/none/api/json", "/job/p/credentials/store/folder/api/json"]
    {
        assert_eq!(send(&mut world, &format!("GET {path}"), "").0, 404, "{path}");
    }
    world.jenkins.users.get_mut("operator").unwrap().permissions.remove(&Permission::OverallRead);
    assert_eq!(send(&mut world, "GET /me/api/json", "").0, 403);
}

#[test]
fn an_item_goes_to_another_folder_with_all_it_has() {
    let mut world = built();
    for (path, body) in
        [("/createItem?name=A", FOLDER), ("/job/A/createItem?name=B", FOLDER), ("/createItem?name=q", JOB)]
    {
        send(&mut world, &format!("POST {path}"), body);
    }
    let rows = [
        ("a job that is building", "p", "/A", 500, "", "p"),
        ("no such folder", "q", "/none", 302, "/job/q/move/", "q"),
        ("no destination", "q", "", 302, "/job/q/move/", "q"),
        ("into a job", "q", "/p", 302, "/job/q/move/", "q"),
        ("where it is", "q", "/", 302, "/job/q/move/", "q"),
        ("a folder into itself", "A", "/A/B", 302, "/job/A/move/", "A/B"),
        ("a job", "q", "/A/B", 302, "/job/A/job/B/job/q/", "A/B/q"),
        ("back to the root", "A/job/B/job/q", "/", 302, "/job/q/", "q"),
        ("a folder with what is in it", "A/job/B", "/", 302, "/job/B/", "B"),
    ];
    for (name, item, destination, status, location, then) in rows {
        let seen = form(&mut world, &format!("POST /job/{item}/move/move"), &format!("destination={destination}"));
        assert_eq!(seen, (status, location.to_owned()), "{name}");
        assert!(world.jenkins.item(then).is_some(), "{name}");
    }
    send(&mut world, "POST /job/A/createItem?name=q", JOB);
    assert_eq!(
        form(&mut world, "POST /job/q/move/move", "destination=/A").1,
        "/job/q/move/",
        "its name is taken there"
    );
}
