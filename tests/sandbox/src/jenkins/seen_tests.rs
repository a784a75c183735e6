//! What real servers (2.568.3 and 2.567) were seen to answer, as tables: headers, statuses and texts that reading the
//! sources alone does not tell.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

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
