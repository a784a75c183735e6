//! What S3 refuses of versions' ids and headers of objects, one row per rule.
#![allow(clippy::unwrap_used)]

use super::multipart_tests::send;
use super::tests::{HOME, VERSIONING, ask, ours, text, with_bucket};

const NEVER: &str = "HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD";
const GONE: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn the_id_of_a_version_must_be_one_that_s3_gives_out() {
    let invalid = "Invalid version id specified";
    let rows = [
        ("a deletion", true, "DELETE /ours/key?versionId=", NEVER, 400, invalid),
        ("a deletion of a version that is gone", true, "DELETE /ours/key?versionId=", GONE, 204, ""),
        ("a read", true, "GET /ours/key?versionId=", NEVER, 400, "<ArgumentName>versionId<"),
        ("a read of a version that is gone", true, "GET /ours/key?versionId=", GONE, 404, "NoSuchVersion"),
        ("a read of tags", true, "GET /ours/key?tagging&versionId=", NEVER, 400, invalid),
        ("a deletion without versions", false, "DELETE /ours/key?versionId=", GONE, 400, invalid),
        ("a read without versions", false, "GET /ours/key?versionId=", GONE, 400, invalid),
        ("the only version there is", false, "GET /ours/key?versionId=", "null", 200, "one"),
    ];
    for (name, versions, line, id, status, told) in rows {
        let mut world = with_bucket();
        if versions {
            ours(&mut world, "PUT /ours?versioning", VERSIONING);
        }
        ours(&mut world, "PUT /ours/key", "one");
        let answer = ours(&mut world, &format!("{line}{id}"), "");
        assert_eq!(answer.0, status, "{name}: {}", text(&answer));
        assert!(text(&answer).contains(told), "{name}: {}", text(&answer));
        assert_eq!(ours(&mut world, "HEAD /ours/key", "").0, 200, "{name}: nothing went");
    }
}

#[test]
fn among_many_deletions_a_wrong_id_is_told_and_the_others_are_done() {
    let mut world = with_bucket();
    ours(&mut world, "PUT /ours/a", "one");
    ours(&mut world, "PUT /ours/b", "two");
    let body = format!(
        "<Delete><Object><Key>a</Key><VersionId>{NEVER}</VersionId></Object><Object><Key>b</Key></Object></Delete>"
    );
    let sum = super::checksum::of("crc32", body.as_bytes()).unwrap();
    let told = text(&send(&mut world, "POST /ours?delete", &[("x-amz-checksum-crc32", &sum)], &body));
    let error = format!("<Error><Key>a</Key><VersionId>{NEVER}</VersionId><Code>NoSuchVersion</Code>");
    assert!(told.contains(&error) && told.contains("<Deleted><Key>b</Key>"), "{told}");
    assert_eq!((ours(&mut world, "HEAD /ours/a", "").0, ours(&mut world, "HEAD /ours/b", "").0), (200, 404));
}

#[test]
fn governance_is_bypassed_only_where_there_is_object_lock() {
    for (name, lock, value, status) in
        [("no lock", "", "true", 400), ("no lock and no bypass", "", "false", 400), ("a lock", "true", "true", 204)]
    {
        let mut world = with_bucket();
        let lock = [("x-amz-bucket-object-lock-enabled", lock)];
        ask(&mut world, HOME, "us-east-1", "PUT /east", &lock, "");
        ask(&mut world, HOME, "us-east-1", "PUT /east/key", &[], "one");
        let bypass = [("x-amz-bypass-governance-retention", value)];
        let answer = ask(&mut world, HOME, "us-east-1", "DELETE /east/key", &bypass, "");
        assert_eq!(answer.0, status, "{name}: {}", text(&answer));
        let named = text(&answer).contains("<ArgumentName>x-amz-bypass-governance-retention<");
        assert_eq!(named, status == 400, "{name}");
        let many = ask(&mut world, HOME, "us-east-1", "POST /east?delete", &bypass, "");
        assert_eq!((many.0, many.1 == "InvalidArgument"), (400, status == 400), "{name}: {}", text(&many));
    }
}
