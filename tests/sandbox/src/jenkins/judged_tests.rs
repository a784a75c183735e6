//! What Jenkins' own classes decide about builds that run, new items, views, moves, choices, the queue, new names and
//! crumbs, as tables. It stands alone so that each rule can be held against the class that it names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use bytes::Bytes;

use super::tests::*;
use super::*;
use crate::world::Settings;

/// A Jenkins whose builds take a minute.
fn slow() -> World {
    let settings = Settings { jenkins_build: Duration::from_secs(60), ..Settings::default() };
    World::new(settings, Timestamp::from_second(1_700_000_000).unwrap())
}

fn pass(world: &mut World, seconds: u64) {
    let later = world.after(Duration::from_secs(seconds));
    world.advance(later);
}

fn operator() -> String {
    let (user, token) = Jenkins::credentials();
    authorization(&user, &token)
}

fn header(answer: &http::Response<Bytes>, name: &str) -> Option<String> {
    answer.headers().get(name).map(|value| value.as_bytes().iter().map(|byte| char::from(*byte)).collect())
}

/// Run.delete and Run.doDoDelete.
#[test]
fn a_build_is_deleted_only_once_it_has_ended() {
    let mut world = slow();
    send(&mut world, "POST /createItem?name=p", PLAIN_JOB);
    send(&mut world, "POST /job/p/build?delay=0sec", "");
    let rows = [("while it runs", 1, 200, None, 1), ("once it has ended", 90, 302, Some("/job/p/".to_owned()), 0)];
    for (name, seconds, status, location, left) in rows {
        pass(&mut world, seconds);
        let answer = send_as(&mut world, Some(&operator()), "POST /job/p/1/doDelete", "");
        assert_eq!((answer.status().as_u16(), header(&answer, "location")), (status, location), "{name}");
        assert_eq!(world.jenkins.item("p").unwrap().builds.len(), left, "{name}");
        let told = String::from_utf8_lossy(answer.body()).contains("Unable to delete p #1 because it is still running");
        assert_eq!(told, left == 1, "{name}");
    }
}

/// ItemGroupMixIn.createTopLevelItem.
#[test]
fn a_new_item_needs_a_content_type_unless_it_is_a_copy() {
    let mut world = world();
    send(&mut world, "POST /createItem?name=taken", PLAIN_JOB);
    let no_type = "No Content-Type header set";
    let rows = [
        ("a kind", "name=x&mode=hudson.model.FreeStyleProject", 400, no_type),
        ("a kind that there is not", "name=x&mode=none", 400, no_type),
        ("no kind", "name=x", 400, no_type),
        ("a taken name", "name=taken&mode=hudson.model.FreeStyleProject", 400, no_type),
        ("a bad name", "name=a%3Bb", 400, no_type),
        ("no name", "mode=hudson.model.FreeStyleProject", 400, no_type),
        ("a copy", "name=x&mode=copy&from=taken", 302, ""),
    ];
    for (name, query, status, reason) in rows {
        let answer = send_as(&mut world, Some(&operator()), &format!("POST /createItem?{query}"), "");
        let seen = (answer.status().as_u16(), header(&answer, "x-error").unwrap_or_default());
        assert_eq!(seen, (status, reason.to_owned()), "{name}");
    }
}

/// ListView.Listener.
#[test]
fn list_views_follow_their_items() {
    let mut world = world();
    let list = |names: &[&str]| {
        let names: String = names.iter().map(|name| format!("<string>{name}</string>")).collect();
        format!("<hudson.model.ListView><jobNames>{names}</jobNames></hudson.model.ListView>")
    };
    for name in ["A", "B"] {
        send(&mut world, &format!("POST /createItem?name={name}"), FOLDER);
    }
    for name in ["p", "pp", "q"] {
        send(&mut world, &format!("POST /createItem?name={name}"), PLAIN_JOB);
    }
    send(&mut world, "POST /job/A/createItem?name=in", PLAIN_JOB);
    send(&mut world, "POST /createView?name=mine", &list(&["p", "pp", "q", "A", "A/in"]));
    let rows: &[(&str, &str, u16, &[&str])] = &[
        ("a new name", "POST /job/p/confirmRename?newName=r", 302, &["r", "pp", "q", "A", "A/in"]),
        ("a new name of a folder", "POST /job/A/confirmRename?newName=C", 302, &["r", "pp", "q", "C", "C/in"]),
        ("a move into a folder", "POST /job/r/move/move?destination=/B", 302, &["B/r", "pp", "q", "C", "C/in"]),
        ("a move to the root", "POST /job/B/job/r/move/move?destination=/", 302, &["r", "pp", "q", "C", "C/in"]),
        ("a refused name", "POST /job/r/confirmRename?newName=q", 400, &["r", "pp", "q", "C", "C/in"]),
        ("a deleted job", "POST /job/q/doDelete", 302, &["r", "pp", "C", "C/in"]),
        ("deleted in another way and case", "DELETE /job/R/", 204, &["pp", "C", "C/in"]),
        ("a deleted folder", "POST /job/C/doDelete", 302, &["pp"]),
    ];
    for (name, call, status, expected) in rows {
        assert_eq!(send(&mut world, call, "").0, *status, "{name}");
        let names = world.jenkins.views["mine"].child("jobNames").unwrap();
        let names: Vec<&str> = names.children.iter().map(|child| child.text.as_str()).collect();
        assert_eq!(names, *expected, "{name}");
    }
}

/// DefaultRelocationUI.doMove compares with a slash and the full name of each group.
#[test]
fn a_destination_is_named_exactly() {
    let rows = [
        ("a folder", "p", "/A", "A/p"),
        ("a folder in a folder", "p", "/A/B", "A/B/p"),
        ("a slash at the end", "p", "/A/", "p"),
        ("two slashes", "p", "//A", "p"),
        ("two slashes inside", "p", "/A//B", "p"),
        ("another case at the root", "p", "/a", "p"),
        ("no slash", "p", "A", "p"),
        ("nothing", "p", "", "p"),
        ("the root", "A/job/q", "/", "q"),
        ("the root with two slashes", "A/job/q", "//", "A/q"),
        ("another case in the address", "P", "/A", "A/p"),
        ("below itself, by another case", "a", "/A/B", "A/B/"),
    ];
    for (name, item, destination, expected) in rows {
        let mut world = world();
        send(&mut world, "POST /createItem?name=A", FOLDER);
        send(&mut world, "POST /job/A/createItem?name=B", FOLDER);
        send(&mut world, "POST /job/A/createItem?name=q", PLAIN_JOB);
        send(&mut world, "POST /createItem?name=p", PLAIN_JOB);
        let moved = send(&mut world, &format!("POST /job/{item}/move/move?destination={destination}"), "");
        assert_eq!(moved.0, 302, "{name}");
        let names = item_names(&world.jenkins);
        assert!(names.contains(expected) && names.len() == 4, "{name}: {names:?}");
    }
}

const CHOICE: &str = "<flow-definition><properties><hudson.model.ParametersDefinitionProperty><parameterDefinitions><hudson.model.ChoiceParameterDefinition><name>C</name><choices class=\"java.util.Arrays$ArrayList\"><a class=\"string-array\"><string>one</string><string>two</string></a></choices></hudson.model.ChoiceParameterDefinition></parameterDefinitions></hudson.model.ParametersDefinitionProperty></properties></flow-definition>";

/// ChoiceParameterDefinition.createValue and getDefaultParameterValue.
#[test]
fn a_choice_takes_only_what_it_lists() {
    let rows = [
        ("what is listed", "?C=two", 201, Some("two")),
        ("the first without any", "", 201, Some("one")),
        ("something else", "?C=zz", 500, None),
        ("another case", "?C=One", 500, None),
        ("nothing", "?C=", 500, None),
    ];
    for (name, query, status, queued) in rows {
        let mut world = world();
        send(&mut world, "POST /createItem?name=p", CHOICE);
        let answer = send(&mut world, &format!("POST /job/p/buildWithParameters{query}"), "");
        assert_eq!(answer.0, status, "{name}");
        assert_eq!(answer.1.contains("Illegal choice for parameter C: "), status == 500, "{name}");
        let values = world.jenkins.queue.values().map(|queued| queued.parameters[0].1.as_str());
        assert_eq!(values.collect::<Vec<_>>(), queued.into_iter().collect::<Vec<_>>(), "{name}");
    }
    let mut world = world();
    send(&mut world, "POST /createItem?name=p", CHOICE);
    let job = json_of(&mut world, "/job/p/api/json");
    let definition = &job["property"][0]["parameterDefinitions"][0];
    assert_eq!(definition["choices"], json!(["one", "two"]), "{job}");
    assert_eq!(definition["defaultParameterValue"]["value"], json!("one"), "{job}");
}

/// Queue.getItems is exported inline, so that an item in the list shows what it shows by itself.
#[test]
fn the_queue_shows_its_items_whole_and_by_their_kind() {
    let rows = [
        (
            "a pipeline",
            JOB,
            "org.jenkinsci.plugins.workflow.job.WorkflowJob",
            "org.jenkinsci.plugins.workflow.job.WorkflowRun",
        ),
        ("a freestyle job", "<project/>", "hudson.model.FreeStyleProject", "hudson.model.FreeStyleBuild"),
    ];
    for (name, source, task, run) in rows {
        let mut world = slow();
        send(&mut world, "POST /createItem?name=p", source);
        let how = if source == JOB { "buildWithParameters" } else { "build" };
        send(&mut world, &format!("POST /job/p/{how}?delay=5sec"), "");
        let list = json_of(&mut world, "/queue/api/json");
        let item = &list["items"][0];
        let wanted = json!({"_class": task, "name": "p", "url": "http://ci.example/job/p/", "color": "notbuilt"});
        assert_eq!(item["task"], wanted, "{name}");
        let id = item["id"].as_u64().unwrap();
        assert_eq!(*item, json_of(&mut world, &format!("/queue/item/{id}/api/json")), "{name}");
        assert!(item.to_string().contains("\"shortDescription\":\"Started by user operator\""), "{name}: {item}");
        assert_eq!(item["params"], if source == JOB { "\nP=d" } else { "" }, "{name}");
        pass(&mut world, 6);
        let left = json_of(&mut world, &format!("/queue/item/{id}/api/json"));
        assert_eq!(left["executable"]["_class"], run, "{name}");
        assert_eq!(left["task"]["color"], "notbuilt_anime", "{name}");
    }
}

/// AbstractItem.doCheckNewName and checkIfNameIsUsed.
#[test]
fn who_may_give_a_new_name_and_what_a_taken_one_tells() {
    use Permission::{ItemConfigure, ItemCreate, ItemDelete, ItemDiscover};
    let (configure, create, delete) =
        ("hudson.model.Item.Configure", "hudson.model.Item.Create", "hudson.model.Item.Delete");
    let rows: &[(&str, &[Permission], &str, u16, &str)] = &[
        ("Configure alone", &[ItemConfigure], "new", 302, ""),
        ("Create and Delete", &[ItemCreate, ItemDelete], "new", 302, ""),
        ("Create alone", &[ItemCreate], "new", 403, delete),
        ("Delete alone", &[ItemDelete], "new", 403, create),
        ("nothing", &[], "new", 403, create),
        ("a taken name", &[ItemConfigure], "seen", 400, "The name  seen  is already in use."),
        ("a hidden name", &[ItemConfigure], "hidden", 400, " hidden  is not an allowed name"),
        ("a discovered name", &[ItemConfigure, ItemDiscover], "hidden", 400, "The name  hidden  is already in use."),
        ("no name", &[ItemConfigure], "", 400, "No name is specified"),
    ];
    for (name, permissions, new, status, reason) in rows {
        let mut world = world();
        send(&mut world, "POST /createItem?name=A", FOLDER);
        for item in ["p", "seen", "hidden"] {
            send(&mut world, &format!("POST /job/A/createItem?name={item}"), PLAIN_JOB);
        }
        let mut user = User::service("t");
        for permission in [ItemConfigure, ItemCreate, ItemDelete] {
            user.permissions.remove(&permission);
        }
        user.permissions.extend(permissions.iter().copied());
        user.denied.insert("A/hidden".into(), [Permission::ItemRead].into());
        world.jenkins.users.insert("u".into(), user);
        let call = format!("POST /job/A/job/p/confirmRename?newName={new}");
        let answer = send_as(&mut world, Some(&authorization("u", "t")), &call, "");
        assert_eq!(answer.status().as_u16(), *status, "{name}");
        let told = header(&answer, "x-error").or_else(|| header(&answer, "x-required-permission"));
        assert_ne!(told.as_deref(), Some(configure), "{name}");
        assert_eq!(told.unwrap_or_default(), *reason, "{name}");
    }
    let mut world = slow();
    for item in ["p", "taken"] {
        send(&mut world, &format!("POST /createItem?name={item}"), PLAIN_JOB);
    }
    send(&mut world, "POST /job/p/build?delay=0sec", "");
    pass(&mut world, 1);
    let rows = [
        ("a taken name is told before the build", "taken", "The name  taken  is already in use."),
        ("a free one is refused for the build", "free", "Unable to rename a job while it is building."),
    ];
    for (name, new, reason) in rows {
        let call = format!("POST /job/p/confirmRename?newName={new}");
        let answer = send_as(&mut world, Some(&operator()), &call, "");
        assert_eq!(header(&answer, "x-error").as_deref(), Some(reason), "{name}");
    }
}

/// CrumbIssuer.RestrictedApi.doXml.
#[test]
fn a_crumb_is_had_as_text_and_no_other_xml_is() {
    let mut world = world();
    send(&mut world, "POST /createItem?name=p", PLAIN_JOB);
    let issued = json_of(&mut world, "/crumbIssuer/api/json");
    let crumb = issued["crumb"].as_str().unwrap();
    let rows = [
        ("both", "concat(//crumbRequestField,%22:%22,//crumb)", format!("Jenkins-Crumb:{crumb}")),
        ("both with an equals sign", "concat(//crumbRequestField,'=',//crumb)", format!("Jenkins-Crumb={crumb}")),
        ("the field", "/*/crumbRequestField/text()", "Jenkins-Crumb".to_owned()),
        ("the crumb", "/*/crumb/text()", crumb.to_owned()),
    ];
    for (name, xpath, expected) in rows {
        let call = format!("GET /crumbIssuer/api/xml?xpath={xpath}");
        let answer = send_as(&mut world, Some(&operator()), &call, "");
        assert_eq!(
            (answer.status().as_u16(), String::from_utf8_lossy(answer.body()).into_owned()),
            (200, expected),
            "{name}"
        );
        assert_eq!(header(&answer, "content-type").as_deref(), Some("text/plain;charset=utf-8"), "{name}");
        assert!(header(&answer, "x-jenkins").is_some() && header(&answer, "set-cookie").is_some(), "{name}");
    }
    let rows = [
        ("another path", "/crumbIssuer/api/xml?xpath=//crumb", 500),
        ("no path", "/crumbIssuer/api/xml", 500),
        ("the root", "/api/xml", 500),
        ("a job", "/job/p/api/xml", 500),
        ("the queue", "/queue/api/xml", 500),
        ("a job that is not there", "/job/none/api/xml", 404),
    ];
    for (name, path, status) in rows {
        let answer = send(&mut world, &format!("GET {path}"), "");
        assert_eq!(answer.0, status, "{name}");
        assert_eq!(answer.1.contains("the sandbox has no api/xml"), status == 500, "{name}");
    }
}
