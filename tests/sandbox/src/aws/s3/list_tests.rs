//! Lists of buckets, objects and versions, and what a new bucket is given, one row per rule.
#![allow(clippy::unwrap_used)]

use super::tests::{EU, HOME, ask, ours, text, with_bucket, world};

type Headers<'a> = &'a [(&'a str, &'a str)];
type Row<'a> = (&'a str, &'a str, Headers<'a>, &'a str, Headers<'a>, &'a str, u16, &'a str);

#[test]
fn lists_tell_whose_objects_they_are() {
    let owner = format!("<Owner><ID>{}</ID></Owner>", super::sha256(HOME.as_bytes()));
    let rows = [
        ("the older list", "GET /ours", 1),
        ("the newer list", "GET /ours?list-type=2", 0),
        ("the newer list on demand", "GET /ours?list-type=2&fetch-owner=true", 1),
        ("versions and delete markers", "GET /ours?versions", 3),
    ];
    for (name, line, owners) in rows {
        let mut world = with_bucket();
        ours(&mut world, "PUT /ours?versioning", super::tests::VERSIONING);
        ours(&mut world, "PUT /ours/a", "1");
        ours(&mut world, "PUT /ours/b", "1");
        ours(&mut world, "DELETE /ours/b", "");
        let told = text(&ours(&mut world, line, ""));
        assert_eq!(told.matches(&owner).count(), owners, "{name}: {told}");
    }
}

#[test]
fn a_list_of_no_keys_is_whole_and_markers_are_given_by_the_rules() {
    let rows = [
        ("no keys", "GET /ours?list-type=2&max-keys=0", "<IsTruncated>false</IsTruncated>", true),
        ("no keys of the older list", "GET /ours?max-keys=0", "<IsTruncated>false</IsTruncated>", true),
        ("no versions", "GET /ours?versions&max-keys=0", "<IsTruncated>false</IsTruncated>", true),
        ("one key", "GET /ours?list-type=2&max-keys=1", "<IsTruncated>true</IsTruncated>", true),
        ("the older list without a delimiter", "GET /ours?max-keys=1", "<NextMarker>", false),
        ("the older list with one", "GET /ours?max-keys=1&delimiter=%2F", "<NextMarker>a</NextMarker>", true),
        ("where it began", "GET /ours?list-type=2&start-after=a", "<StartAfter>a</StartAfter>", true),
        ("a prefix with nothing before it", "GET /ours?list-type=2&prefix=b", "<Key>b</Key>", true),
        ("a prefix leaves others out", "GET /ours?list-type=2&prefix=b", "<Key>a</Key>", false),
        ("a marker before the prefix", "GET /ours?list-type=2&prefix=b&start-after=a", "<Key>b</Key>", true),
    ];
    for (name, line, wanted, there) in rows {
        let mut world = with_bucket();
        ours(&mut world, "PUT /ours/a", "1");
        ours(&mut world, "PUT /ours/b", "1");
        let told = text(&ours(&mut world, line, ""));
        assert_eq!(told.contains(wanted), there, "{name}: {told}");
    }
}

#[test]
fn a_new_bucket_has_the_tags_and_the_lock_that_it_was_made_with() {
    let tag =
        |key: &str| format!("<Tags><Tag><Key>{key}</Key><Value>1</Value></Tag></Tags></CreateBucketConfiguration>");
    let tagged = EU.replace("</CreateBucketConfiguration>", &tag("team"));
    let reserved = EU.replace("</CreateBucketConfiguration>", &tag("aws:team"));
    let locked: Headers<'_> = &[("x-amz-bucket-object-lock-enabled", "true")];
    let suspend = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    let hold = ("x-amz-object-lock-legal-hold", "ON");
    let rows: [Row<'_>; 8] = [
        ("tags", &tagged, &[], "GET /ours?tagging", &[], "", 200, "<Key>team</Key><Value>1</Value>"),
        ("a reserved tag", &reserved, &[], "HEAD /ours", &[], "", 404, ""),
        ("no lock", EU, &[], "GET /ours?object-lock", &[], "", 404, "ObjectLockConfigurationNotFoundError"),
        ("a lock", EU, locked, "GET /ours?object-lock", &[], "", 200, "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"),
        ("a lock means versions", EU, locked, "GET /ours?versioning", &[], "", 200, "<Status>Enabled</Status>"),
        ("versions stay on", EU, locked, "PUT /ours?versioning", &[], suspend, 409, "InvalidBucketState"),
        ("an object on hold is refused", EU, locked, "PUT /ours/a", &[hold], "1", 501, "x-amz-object-lock-legal-hold"),
        ("a rule for all objects is refused", EU, locked, "PUT /ours?object-lock", &[], "<x/>", 501, "NotImplemented"),
    ];
    for (name, body, headers, line, more, sent, status, wanted) in rows {
        let mut world = world();
        ask(&mut world, HOME, "eu-west-1", "PUT /ours", headers, body);
        let answer = ask(&mut world, HOME, "eu-west-1", line, more, sent);
        assert_eq!(answer.0, status, "{name}: {}", text(&answer));
        assert!(text(&answer).contains(wanted), "{name}: {}", text(&answer));
    }
}

/// The names in a list of buckets.
fn names(told: &str) -> Vec<&str> {
    told.split("<Name>").skip(1).filter_map(|rest| Some(rest.split_once('<')?.0)).collect()
}

#[test]
fn buckets_are_listed_by_prefix_and_region_and_page_by_page() {
    let mut world = world();
    for name in ["a-one", "a-two", "b-one"] {
        ours(&mut world, &format!("PUT /{name}"), EU);
    }
    ask(&mut world, HOME, "us-east-1", "PUT /a-east", &[], "");
    ask(&mut world, "999999999999", "eu-west-1", "PUT /a-other", &[], EU);
    let rows: [(&str, &str, &[&str], &str); 5] = [
        ("all", "GET /", &["a-east", "a-one", "a-two", "b-one"], ""),
        ("a prefix", "GET /?prefix=a-", &["a-east", "a-one", "a-two"], "<Prefix>a-</Prefix>"),
        ("a region", "GET /?bucket-region=eu-west-1", &["a-one", "a-two", "b-one"], "<BucketRegion>eu-west-1"),
        ("a page", "GET /?max-buckets=3", &["a-east", "a-one", "a-two"], "<ContinuationToken>"),
        ("a page that is the last", "GET /?max-buckets=4", &["a-east", "a-one", "a-two", "b-one"], ""),
    ];
    for (name, line, wanted, also) in rows {
        let told = text(&ours(&mut world, line, ""));
        assert_eq!(names(&told), wanted, "{name}");
        assert!(told.contains(also) && (also.contains("Token") || !told.contains("Token")), "{name}: {told}");
    }
    assert!(!text(&ours(&mut world, "GET /", "")).contains("BucketRegion"), "no region without a parameter");
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let told = text(&ours(&mut world, &format!("GET /?max-buckets=1{token}"), ""));
        found.extend(names(&told).into_iter().map(str::to_owned));
        let Some((_, rest)) = told.split_once("<ContinuationToken>") else { break };
        token = format!("&continuation-token={}", rest.split_once('<').unwrap().0);
    }
    assert_eq!(found, ["a-east", "a-one", "a-two", "b-one"]);
    for line in ["GET /?max-buckets=0", "GET /?max-buckets=10001", "GET /?continuation-token=zz"] {
        assert_eq!(ours(&mut world, line, "").1, "InvalidArgument", "{line}");
    }
}
