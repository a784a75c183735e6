//! What real servers (2.568.3 and 2.567) were seen to answer, as tables: headers, statuses and texts that reading the
//! sources alone does not tell.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use http::Response;

use super::tests::*;
use super::*;

fn header(answer: &Response<Bytes>, name: &str) -> Option<String> {
    answer.headers().get(name).map(|value| value.as_bytes().iter().map(|byte| char::from(*byte)).collect())
}

/// A token, a wrong token, a password, nobody.
fn callers(world: &mut World) -> [Option<String>; 4] {
    let (user, token) = Jenkins::credentials();
    world.jenkins.users.get_mut(&user).unwrap().password = Some("pw".into());
    let word = |word: &str| Some(authorization(&user, word));
    [word(&token), word("wrong"), word("pw"), None]
}

#[test]
fn answers_carry_the_version_where_jenkins_itself_made_them() {
    let mut world = world();
    let [token, wrong, password, nobody] = callers(&mut world);
    send(&mut world, "POST /createItem?name=p", JOB);
    send(&mut world, "POST /createItem?name=n", PLAIN_JOB);
    send(&mut world, "POST /createItem?name=d", "<flow-definition><disabled>true</disabled></flow-definition>");
    let rows = [
        ("the remote API", &token, "GET /api/json", 200, true),
        ("who nobody is", &nobody, "GET /whoAmI/api/json", 200, true),
        ("what is missing", &token, "GET /job/none/api/json", 404, true),
        ("a bad name", &token, "POST /createItem?name=a%2Fb", 400, true),
        ("nobody", &nobody, "GET /api/json", 403, true),
        ("a wrong token", &wrong, "GET /api/json", 401, false),
        ("no crumb", &password, "POST /createItem?name=x", 403, false),
        ("a disabled job", &token, "POST /job/d/build", 409, false),
        ("build on a parameterised job", &token, "POST /job/p/build", 400, false),
        ("parameters on a plain job", &token, "POST /job/n/buildWithParameters", 400, false),
        ("another method on config.xml", &token, "PUT /job/p/config.xml", 400, false),
        ("a POST endpoint by GET", &token, "GET /job/p/doDelete", 405, true),
    ];
    for (name, who, call, status, has) in rows {
        let body = if call.contains("createItem") { PLAIN_JOB } else { "" };
        let answer = send_as(&mut world, who.as_deref(), call, body);
        assert_eq!(answer.status().as_u16(), status, "{name}");
        assert_eq!(header(&answer, "x-jenkins").is_some(), has, "{name}: {:?}", answer.headers());
    }
    let put = send_as(&mut world, token.as_deref(), "PUT /job/p/config.xml", "");
    assert!(put.body().is_empty() && header(&put, "x-error").is_none(), "another method is answered with nothing");
}

#[test]
fn locations_are_paths_in_a_302_and_whole_in_201_and_303() {
    let mut world = world();
    world.jenkins.context = "/ci".into();
    let [token, ..] = callers(&mut world);
    let rows = [
        ("a folder without its slash", "GET /ci/job/A", 302, "/ci/job/A/"),
        ("a delete without its slash", "DELETE /ci/job/A", 302, "/ci/job/A/"),
        ("a description", "POST /ci/job/A/job/p/submitDescription?description=d", 302, "/ci/job/A/job/p/"),
        ("a copy", "POST /ci/job/A/createItem?name=c&mode=copy&from=p", 302, "/ci/job/A/job/c/configure"),
        ("a new name", "POST /ci/job/A/job/c/confirmRename?newName=c%20d", 302, "/ci/job/A/job/c%20d"),
        ("a deleted job", "POST /ci/job/A/job/c%20d/doDelete", 302, "/ci/job/A/"),
        ("a build", "POST /ci/job/A/job/p/buildWithParameters", 201, "http://ci.example/ci/queue/item/"),
        ("the same build", "POST /ci/job/A/job/p/buildWithParameters", 303, "http://ci.example/ci/queue/item/"),
    ];
    send(&mut world, "POST /ci/createItem?name=A", FOLDER);
    send(&mut world, "POST /ci/job/A/createItem?name=p", JOB);
    for (name, call, status, location) in rows {
        let answer = send_as(&mut world, token.as_deref(), call, "");
        assert_eq!(answer.status().as_u16(), status, "{name}");
        let found = header(&answer, "location").unwrap();
        let same = if status == 302 { found == location } else { found.starts_with(location) };
        assert!(same, "{name}: {found}");
    }
    assert_eq!(item_names(&world.jenkins).len(), 2, "a delete without its slash deletes nothing");
}

#[test]
fn reasons_are_given_in_signs_that_a_header_can_hold() {
    let mut world = world();
    let [token, ..] = callers(&mut world);
    send(&mut world, "POST /createItem?name=taken", PLAIN_JOB);
    let rows = [
        ("a taken name", "taken", "A job already exists with the name  taken "),
        ("a taken name in another case", "Taken", "A job already exists with the name  Taken "),
        ("an unsafe character", "a%3Bb", " ;  is an unsafe character"),
        ("a control character", "a%07%3Bb", "No control code is allowed: a\\u7;;b"),
        ("a dot", ".", " .  is not an allowed name"),
        ("a dot at the end", "a.", "A name cannot end with  . "),
    ];
    for (name, item, reason) in rows {
        let answer = send_as(&mut world, token.as_deref(), &format!("POST /createItem?name={item}"), PLAIN_JOB);
        assert_eq!((answer.status().as_u16(), header(&answer, "x-error").as_deref()), (400, Some(reason)), "{name}");
    }
}

#[test]
fn who_may_not_see_an_item_learns_as_much_as_on_a_real_server() {
    let mut world = world();
    send(&mut world, "POST /createItem?name=A", FOLDER);
    send(&mut world, "POST /job/A/createItem?name=x", PLAIN_JOB);
    let mut blind = User::service("t");
    blind.denied.insert("A/x".into(), [Permission::ItemRead].into());
    world.jenkins.users.insert("blind".into(), blind.clone());
    blind.permissions.insert(Permission::ItemDiscover);
    world.jenkins.users.insert("discoverer".into(), blind);
    let rows = [
        ("hidden", "blind", "GET /job/A/job/x/api/json", 404),
        ("hidden, its name wanted", "blind", "POST /job/A/createItem?name=x", 400),
        ("discovered", "discoverer", "GET /job/A/job/x/api/json", 403),
        ("discovered, its name wanted", "discoverer", "POST /job/A/createItem?name=x", 403),
    ];
    for (name, user, call, status) in rows {
        let body = if call.contains("createItem") { PLAIN_JOB } else { "" };
        let answer = send_as(&mut world, Some(&authorization(user, "t")), call, body);
        assert_eq!(answer.status().as_u16(), status, "{name}");
        assert_eq!(header(&answer, "x-error"), None, "{name}: no reason");
        assert_eq!(header(&answer, "x-required-permission"), None, "{name}: no permission");
    }
    let who = authorization("blind", "t");
    let list = send_as(&mut world, Some(&who), "GET /job/A/api/json?tree=jobs[name]", "");
    assert!(String::from_utf8_lossy(list.body()).contains("\"jobs\":[]"), "the folder looks empty");
    assert_eq!(send_as(&mut world, Some(&who), "POST /job/A/doDelete", "").status(), 302);
    assert!(item_names(&world.jenkins).is_empty(), "what is hidden goes with its folder");
}

#[test]
fn odd_requests_are_answered_as_on_a_real_server() {
    let mut world = world();
    let [token, ..] = callers(&mut world);
    let nobody = send_as(&mut world, None, "GET /whoAmI/api/json", "");
    let who: Value = serde_json::from_slice(nobody.body()).unwrap();
    let anonymous = json!({"_class": "hudson.security.WhoAmI", "anonymous": true, "authenticated": true, "authorities": ["anonymous"], "name": "anonymous"});
    assert_eq!(who, anonymous, "nobody is somebody");
    assert_eq!(send(&mut world, "GET /api/json?tree=jobs[", "").0, 500, "a broken tree");
    let issued = send_as(&mut world, token.as_deref(), "GET /crumbIssuer/api/json", "");
    let cookie = header(&issued, "set-cookie").unwrap();
    let (name, _) = cookie.split_once('=').unwrap();
    let digits = name.strip_prefix("JSESSIONID.").unwrap();
    assert!(digits.len() == 8 && digits.bytes().all(|sign| sign.is_ascii_hexdigit()), "{cookie}");
    let user = world.jenkins.users.get_mut("operator").unwrap();
    user.permissions.remove(&Permission::OverallSystemRead);
    let refused = send_as(&mut world, token.as_deref(), "GET /pluginManager/api/json", "");
    assert_eq!(header(&refused, "x-required-permission").as_deref(), Some("hudson.model.Hudson.Administer"));
}

#[test]
fn a_posted_configuration_is_read_in_the_charset_of_its_content_type() {
    let rows = [
        ("UTF-8 as announced", "application/xml; charset=utf-8", 200, "ü"),
        ("UTF-8 in capitals", "text/xml;charset=UTF-8", 200, "ü"),
        ("application/xml alone", "application/xml", 500, "before"),
        ("text/xml alone is Latin-1", "text/xml", 200, "Ã¼"),
        ("Latin-1 as announced", "application/xml; charset=ISO-8859-1", 200, "Ã¼"),
    ];
    for (name, content_type, status, description) in rows {
        let mut world = world();
        let [token, ..] = callers(&mut world);
        send(
            &mut world,
            "POST /createItem?name=x",
            "<flow-definition><description>before</description></flow-definition>",
        );
        let request = http::Request::post("/job/x/config.xml")
            .header("Authorization", token.unwrap())
            .header("Content-Type", content_type)
            .body(Bytes::from("<flow-definition><description>ü</description></flow-definition>"))
            .unwrap();
        assert_eq!(handle(&mut world, &request).status().as_u16(), status, "{name}");
        assert_eq!(world.jenkins.item("x").unwrap().description(), description, "{name}");
    }
}

#[test]
fn each_version_shows_a_job_as_it_keeps_it() {
    let trigger = |spec: &str| format!("<hudson.triggers.SCMTrigger><spec>{spec}</spec></hudson.triggers.SCMTrigger>");
    let property = |spec: &str| {
        let class = classes::PIPELINE_TRIGGERS;
        format!("<properties><{class}><triggers>{}</triggers></{class}></properties>", trigger(spec))
    };
    // What is posted, what the versions before SECURITY-3744 show of it, and what those since then show.
    let rows = [
        ("a bad minute", property("61 * * * *"), "61 * * * *", "<triggers/>"),
        ("a bad day", property("* * * * 8"), "* * * * 8", "<triggers/>"),
        ("a range that runs back", property("5-1 * * * *"), "5-1 * * * *", "<triggers/>"),
        ("a good one", property("H/5 * * * *"), "H/5 * * * *", "H/5 * * * *"),
        ("a quote", "<description>it&apos;s</description>".into(), "it's", "it&apos;s"),
        ("a sign beyond the basic plane", "<description>🚀</description>".into(), "&#128640;", "🚀"),
        ("a token", "<authToken>token</authToken>".into(), "<authToken>token<", "<authToken>{AQAA"),
    ];
    for (name, inner, before, since) in rows {
        for (version, expected) in [("2.567", before), ("2.568.3", since)] {
            let mut world = world();
            world.jenkins.version = version.into();
            let source = format!("<flow-definition>{inner}</flow-definition>");
            assert_eq!(send(&mut world, "POST /createItem?name=x", &source).0, 200, "{name}");
            let shown = send(&mut world, "GET /job/x/config.xml", "").1;
            assert!(shown.contains(expected), "{name} in {version}: {shown}");
        }
    }
}

#[test]
fn a_list_of_actions_appears_once_a_job_was_saved_in_place() {
    let mut world = world();
    send(&mut world, "POST /createItem?name=x", PLAIN_JOB);
    assert!(!send(&mut world, "GET /job/x/config.xml", "").1.contains("<actions"));
    send(&mut world, "POST /job/x/submitDescription?description=d", "");
    assert!(send(&mut world, "GET /job/x/config.xml", "").1.contains("<actions/>"));
}

#[test]
fn the_store_of_a_folder_stays_when_its_last_credential_is_gone() {
    let mut world = world();
    send(&mut world, "POST /createItem?name=A", FOLDER);
    assert!(!send(&mut world, "GET /job/A/config.xml", "").1.contains("FolderCredentialsProperty"));
    let base = "/job/A/credentials/store/folder/domain/_";
    let credential = "<org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl><scope>GLOBAL</scope><id>i</id><secret>s</secret></org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl>";
    send(&mut world, &format!("POST {base}/createCredentials"), credential);
    assert_eq!(send(&mut world, &format!("DELETE {base}/credential/i/config.xml"), "").0, 200);
    let folder = send(&mut world, "GET /job/A/config.xml", "").1;
    assert!(folder.contains("FolderCredentialsProperty"), "{folder}");
    assert!(folder.contains("<java.util.concurrent.CopyOnWriteArrayList/>"), "{folder}");
    send(&mut world, "POST /job/A/config.xml", &folder);
    assert_eq!(send(&mut world, "GET /job/A/config.xml", "").1, folder, "sent back, it is the same");
}

#[test]
fn a_restart_takes_nobody_for_whom_they_are_between_two_times_of_503() {
    let settings = crate::world::Settings {
        jenkins_restart: Duration::from_secs(2),
        jenkins_unauthorized: Duration::from_secs(1),
        ..crate::world::Settings::default()
    };
    let mut world = World::new(settings, Timestamp::from_second(1_700_000_000).unwrap());
    let [token, ..] = callers(&mut world);
    let before = send_as(&mut world, token.as_deref(), "GET /api/json", "");
    restart(&mut world);
    let rows = [
        ("at first it loads", 0, "GET /api/json", 503),
        ("then tokens are refused", 2500, "GET /api/json", 401),
        ("and posts lack a crumb", 2500, "POST /createItem?name=x", 403),
        ("then it loads again", 4000, "GET /api/json", 503),
        ("then it serves", 5500, "GET /api/json", 200),
    ];
    let begun = world.now;
    for (name, millis, call, status) in rows {
        world.advance(begun.checked_add(Duration::from_millis(millis)).unwrap());
        let body = if call.starts_with("POST") { PLAIN_JOB } else { "" };
        let answer = send_as(&mut world, token.as_deref(), call, body);
        assert_eq!(answer.status().as_u16(), status, "{name}");
        if status == 403 {
            assert!(String::from_utf8_lossy(answer.body()).contains("No valid crumb"), "{name}");
        }
    }
    let after = send_as(&mut world, token.as_deref(), "GET /api/json", "");
    assert_ne!(header(&before, "x-jenkins-session"), header(&after, "x-jenkins-session"));
}

#[test]
fn a_job_with_permissions_of_its_own_is_hidden_and_goes_with_its_folder() {
    let matrix = |strategy: &str, line: &str| {
        format!(
            "<flow-definition><properties><hudson.security.AuthorizationMatrixProperty><inheritanceStrategy class=\"org.jenkinsci.plugins.matrixauth.inheritance.{strategy}\"/><permission>{line}</permission></hudson.security.AuthorizationMatrixProperty></properties></flow-definition>"
        )
    };
    let rows = [
        ("inherits nothing", matrix("NonInheritingStrategy", "USER:hudson.model.Item.Read:other"), true, false),
        (
            "inherits nothing, but names the user",
            matrix("NonInheritingStrategy", "USER:hudson.model.Item.Read:operator"),
            true,
            true,
        ),
        (
            "names the user in the old way",
            matrix("NonInheritingStrategy", "hudson.model.Item.Read:operator"),
            true,
            true,
        ),
        ("inherits from its folder", matrix("InheritParentStrategy", "USER:hudson.model.Item.Read:other"), true, true),
        ("inherits from the root", matrix("InheritGlobalStrategy", "USER:hudson.model.Item.Read:other"), true, true),
        ("the plugin is missing", matrix("NonInheritingStrategy", "USER:hudson.model.Item.Read:other"), false, true),
    ];
    for (name, source, installed, seen) in rows {
        let mut world = world();
        let [operator, ..] = callers(&mut world);
        if installed {
            world.jenkins.plugins.insert("matrix-auth".into(), "3.2".into());
        }
        send(&mut world, "POST /createItem?name=A", FOLDER);
        assert_eq!(send(&mut world, "POST /job/A/createItem?name=x", &source).0, 200, "{name}");
        let listed = json_of(&mut world, "/job/A/api/json?tree=jobs[name]")["jobs"].as_array().unwrap().len();
        assert_eq!(listed == 1, seen, "{name}");
        assert_eq!(send(&mut world, "GET /job/A/job/x/api/json", "").0, if seen { 200 } else { 404 }, "{name}");
        let again = send_as(&mut world, operator.as_deref(), "POST /job/A/createItem?name=x", FOLDER);
        let reason = header(&again, "x-error").filter(|reason| reason.contains("already exists"));
        assert_eq!((again.status().as_u16(), reason.is_some()), (400, seen), "{name}: only who sees it is told of it");
        let mut administrator = User::service("t");
        administrator.permissions.insert(Permission::OverallAdminister);
        world.jenkins.users.insert("administrator".into(), administrator);
        let found = send_as(&mut world, Some(&authorization("administrator", "t")), "GET /job/A/job/x/api/json", "");
        assert_eq!(found.status(), 200, "{name}: an administrator sees all");
        assert_eq!(send(&mut world, "POST /job/A/doDelete", "").0, 302, "{name}");
        assert!(item_names(&world.jenkins).is_empty(), "{name}: it goes with its folder");
    }
}

#[test]
fn a_creator_who_lacks_rights_is_given_them_by_the_matrix() {
    let mut world = world();
    world.jenkins.plugins.insert("matrix-auth".into(), "3.2".into());
    send(&mut world, "POST /createItem?name=full", FOLDER);
    assert!(!send(&mut world, "GET /job/full/config.xml", "").1.contains("AuthorizationMatrixProperty"));
    let user = world.jenkins.users.get_mut("operator").unwrap();
    user.permissions.remove(&Permission::ItemConfigure);
    user.permissions.insert(Permission::ItemExtendedRead);
    send(&mut world, "POST /createItem?name=x", FOLDER);
    let shown = send(&mut world, "GET /job/x/config.xml", "").1;
    assert!(shown.contains("<permission>USER:hudson.model.Item.Configure:operator</permission>"), "{shown}");
    assert_eq!(send(&mut world, "POST /job/x/submitDescription?description=d", "").0, 302, "and may use them");
    assert_eq!(send(&mut world, "POST /job/full/submitDescription?description=d", "").0, 403, "there alone");
}

#[test]
fn the_remote_api_tells_more_than_jobs() {
    let mut world = world();
    let [token, ..] = callers(&mut world);
    send(&mut world, "POST /createItem?name=A", FOLDER);
    send(&mut world, "POST /job/A/createItem?name=p", JOB);
    let secret = "<org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl><scope>GLOBAL</scope><id>i</id><secret>s</secret></org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl>";
    send(&mut world, "POST /job/A/credentials/store/folder/domain/_/createCredentials", secret);
    let view = |name: &str, url: &str| json!({"_class": "hudson.model.AllView", "name": name, "url": url});
    let rows = [
        ("the root's views", "/api/json", "/views/0", view("all", "http://ci.example/")),
        ("a folder's views", "/job/A/api/json", "/primaryView", view("All", "http://ci.example/job/A/")),
        ("a view's jobs", "/view/all/api/json?tree=jobs[name]", "/jobs/0/name", json!("A")),
        ("a folder's view's jobs", "/job/A/view/All/api/json", "/jobs/0/name", json!("p")),
        ("a job through a view", "/view/all/job/A/job/p/api/json", "/name", json!("p")),
        ("the only node", "/computer/api/json", "/computer/0/displayName", json!("Built-In Node")),
        ("free executors", "/computer/api/json", "/busyExecutors", json!(0)),
        ("a plugin's name", "/pluginManager/api/json?depth=1", "/plugins/1/longName", json!("Folders Plugin")),
        ("credentials", "/job/A/credentials/store/folder/domain/_/api/json", "/credentials/0/id", json!("i")),
        ("their domain", "/job/A/credentials/store/folder/domain/_/api/json", "/urlName", json!("_")),
    ];
    for (name, path, pointer, expected) in rows {
        assert_eq!(json_of(&mut world, path).pointer(pointer), Some(&expected), "{name}");
    }
    assert_eq!(send(&mut world, "GET /view/none/api/json", "").0, 404, "a view that is not there");
    assert!(!world.jenkins.item("A/p").unwrap().config.children.is_empty());
    let python = send_as(&mut world, token.as_deref(), "GET /whoAmI/api/python?tree=anonymous,name", "");
    assert_eq!(header(&python, "content-type").as_deref(), Some("text/x-python;charset=utf-8"));
    assert!(header(&python, "x-jenkins").is_some());
    let text = String::from_utf8_lossy(python.body()).into_owned();
    assert!(text.contains("\"anonymous\":False"), "{text}");
}

#[test]
fn a_build_says_who_started_it_and_keeps_credentials_to_itself() {
    let mut world = world();
    let parameter = "<com.cloudbees.plugins.credentials.CredentialsParameterDefinition><name>C</name><defaultValue>id</defaultValue></com.cloudbees.plugins.credentials.CredentialsParameterDefinition>";
    let job = JOB.replace("<parameterDefinitions>", &format!("<parameterDefinitions>{parameter}"));
    let job = job.replace("<properties>", "<authToken>t</authToken><properties>");
    send(&mut world, "POST /createItem?name=p", &job);
    send(&mut world, "POST /job/p/buildWithParameters?delay=0sec", "");
    let later = world.after(Duration::from_secs(3));
    world.advance(later);
    send(&mut world, "GET /job/p/buildWithParameters?token=t&cause=why&delay=0sec", "");
    let later = world.after(Duration::from_secs(3));
    world.advance(later);
    let causes = |world: &mut World, number: u32| {
        json_of(world, &format!("/job/p/{number}/api/json?tree=actions[causes[*]]"))["actions"][1]["causes"][0].clone()
    };
    let by_user = json!({"_class": "hudson.model.Cause$UserIdCause", "shortDescription": "Started by user operator", "userId": "operator", "userName": "operator"});
    assert_eq!(causes(&mut world, 1), by_user);
    let remote = causes(&mut world, 2);
    assert_eq!((&remote["addr"], &remote["note"]), (&json!("127.0.0.1"), &json!("why")), "{remote}");
    assert_eq!(remote["shortDescription"], "Started by remote host 127.0.0.1 with note: why");
    let parameters =
        json_of(&mut world, "/job/p/1/api/json?tree=actions[parameters[name,value]]")["actions"][0]["parameters"]
            .clone();
    assert_eq!(
        parameters[0],
        json!({"_class": "com.cloudbees.plugins.credentials.CredentialsParameterValue", "name": "C"})
    );
    assert_eq!(parameters[1]["value"], "d");
    let (status, console) = send(&mut world, "GET /job/p/1/consoleText", "");
    assert_eq!((status, console.as_str()), (200, "Started by user operator\nFinished: SUCCESS\n"));
}

#[test]
fn copies_and_new_names_are_judged_as_on_a_real_server() {
    let mut world = world();
    send(&mut world, "POST /createItem?name=A", FOLDER);
    for name in ["a", "b"] {
        send(&mut world, &format!("POST /job/A/createItem?name={name}"), JOB);
    }
    let rows = [
        ("a copy", "POST /job/A/createItem?name=c&mode=copy&from=a", 302, ""),
        ("a copy from anywhere", "POST /createItem?name=d&mode=copy&from=/A/a", 302, ""),
        ("a copy of nothing", "POST /createItem?name=e&mode=copy&from=none", 400, "No such job: none"),
        ("a copy that names nothing", "POST /createItem?name=e&mode=copy", 400, "Specify which job to copy"),
        (
            "a copy under a taken name",
            "POST /job/A/createItem?name=b&mode=copy&from=a",
            400,
            "A job already exists with the name  b ",
        ),
        ("a new name", "POST /job/A/job/c/confirmRename?newName=c2", 302, ""),
        ("a new name in the old way", "POST /job/A/job/c2/doRename?newName=c3", 302, ""),
        (
            "the same name",
            "POST /job/A/job/a/confirmRename?newName=a",
            400,
            "The new name is the same as the current name.",
        ),
        ("a taken name", "POST /job/A/job/a/confirmRename?newName=b", 400, "The name  b  is already in use."),
        ("another case inside a folder", "POST /job/A/job/a/confirmRename?newName=B", 302, ""),
        ("another case at the root", "POST /job/d/confirmRename?newName=D", 400, "The name  D  is already in use."),
        ("a bad name", "POST /job/d/confirmRename?newName=a%3Fb", 400, " ?  is an unsafe character"),
    ];
    let who = callers(&mut world)[0].clone();
    for (name, call, status, reason) in rows {
        let answer = send_as(&mut world, who.as_deref(), call, "");
        assert_eq!(answer.status().as_u16(), status, "{name}");
        assert_eq!(header(&answer, "x-error").unwrap_or_default(), reason, "{name}");
    }
    let expected = ["A/", "A/B", "A/b", "A/c3", "d"];
    assert_eq!(item_names(&world.jenkins).into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(world.jenkins.item("d").unwrap().config, world.jenkins.item("A/b").unwrap().config, "a copy is alike");
}

/// A job as the operator writes it, in short: what is read and sent back stays byte for byte, after a restart, too.
#[test]
fn a_job_that_is_sent_back_is_the_same() {
    let git = "<scm class=\"hudson.plugins.git.GitSCM\"><configVersion>2</configVersion><userRemoteConfigs><hudson.plugins.git.UserRemoteConfig><url>https://h/r.git</url></hudson.plugins.git.UserRemoteConfig></userRemoteConfigs><branches><hudson.plugins.git.BranchSpec><name>*/main</name></hudson.plugins.git.BranchSpec></branches><submoduleCfg class=\"empty-list\"/><extensions/></scm>";
    let job = JOB.replace(
        "</flow-definition>",
        &format!("<description>it&apos;s 🚀</description><definition class=\"org.jenkinsci.plugins.workflow.cps.CpsScmFlowDefinition\">{git}<scriptPath>f</scriptPath></definition></flow-definition>"),
    );
    for version in ["2.567", "2.568.3"] {
        let mut world = world();
        world.jenkins.version = version.into();
        let [token, ..] = callers(&mut world);
        send(&mut world, "POST /createItem?name=x", &job);
        let first = send(&mut world, "GET /job/x/config.xml", "").1;
        let request = http::Request::post("/job/x/config.xml")
            .header("Authorization", token.unwrap())
            .header("Content-Type", "application/xml; charset=utf-8")
            .body(Bytes::from(first.clone()))
            .unwrap();
        assert_eq!(handle(&mut world, &request).status(), 200, "{version}");
        assert_eq!(send(&mut world, "GET /job/x/config.xml", "").1, first, "{version}");
        restart(&mut world);
        assert_eq!(send(&mut world, "GET /job/x/config.xml", "").1, first, "{version} after a restart");
    }
}

#[test]
fn before_the_change_an_update_leaves_root_triggers_in_the_file_where_a_create_moves_them() {
    let source = "<flow-definition><triggers><hudson.triggers.TimerTrigger><spec>@daily</spec></hudson.triggers.TimerTrigger></triggers></flow-definition>";
    for (version, after_update) in [("2.567", false), ("2.568.3", true)] {
        let mut world = world();
        world.jenkins.version = version.into();
        send(&mut world, "POST /createItem?name=x", source);
        let moved =
            |world: &mut World| send(world, "GET /job/x/config.xml", "").1.contains("PipelineTriggersJobProperty");
        assert!(moved(&mut world), "{version}: created");
        send(&mut world, "POST /job/x/config.xml", source);
        assert_eq!(moved(&mut world), after_update, "{version}: updated");
    }
}

#[test]
fn a_copy_has_all_of_its_source_but_builds_and_takes_none_until_it_is_saved() {
    let mut world = world();
    send(&mut world, "POST /createItem?name=A", FOLDER);
    let secret = "<org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl><scope>GLOBAL</scope><id>i</id><secret>s</secret></org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl>";
    send(&mut world, "POST /job/A/credentials/store/folder/domain/_/createCredentials", secret);
    for name in ["p", "hidden"] {
        send(&mut world, &format!("POST /job/A/createItem?name={name}"), JOB);
    }
    send(&mut world, "POST /job/A/job/p/buildWithParameters", "");
    let later = world.after(Duration::from_secs(9));
    world.advance(later);
    let user = world.jenkins.users.get_mut("operator").unwrap();
    user.denied.insert("A/hidden".into(), [Permission::ItemRead].into());
    assert_eq!(send(&mut world, "POST /createItem?name=B&mode=copy&from=A", "").0, 302);
    let names: Vec<String> = item_names(&world.jenkins).into_iter().collect();
    assert_eq!(names, ["A/", "A/hidden", "A/p", "B/", "B/p"], "what is hidden is not copied");
    assert!(world.jenkins.item("B").unwrap().credentials.contains_key("i"), "the store is copied");
    assert_eq!(json_of(&mut world, "/job/A/job/p/api/json")["nextBuildNumber"], json!(2));
    let copy = json_of(&mut world, "/job/B/job/p/api/json");
    assert_eq!(
        (&copy["nextBuildNumber"], &copy["buildable"], &copy["lastBuild"]),
        (&json!(1), &json!(false), &json!(null))
    );
    let rows = [
        ("a build of the copy", "POST /job/B/job/p/buildWithParameters", 409),
        ("somebody saves it", "POST /job/B/job/p/enable", 302),
        ("a build of the saved copy", "POST /job/B/job/p/buildWithParameters", 201),
    ];
    for (name, call, status) in rows {
        assert_eq!(send(&mut world, call, "").0, status, "{name}");
    }
}

#[test]
fn who_may_configure_may_read_what_is_configured() {
    let rows = [
        ("both", [true, true], 200),
        ("Configure alone", [true, false], 200),
        ("ExtendedRead alone", [false, true], 200),
        ("neither", [false, false], 403),
    ];
    for (name, [configures, reads], status) in rows {
        let mut world = world();
        let [token, ..] = callers(&mut world);
        send(&mut world, "POST /createItem?name=x", PLAIN_JOB);
        let user = world.jenkins.users.get_mut("operator").unwrap();
        for (permission, has) in [(Permission::ItemConfigure, configures), (Permission::ItemExtendedRead, reads)] {
            if has {
                user.permissions.insert(permission)
            } else {
                user.permissions.remove(&permission)
            };
        }
        let answer = send_as(&mut world, token.as_deref(), "GET /job/x/config.xml", "");
        assert_eq!(answer.status().as_u16(), status, "{name}");
        let named = header(&answer, "x-required-permission");
        assert_eq!(named.as_deref(), (status == 403).then_some("hudson.model.Item.Configure"), "{name}");
    }
}
