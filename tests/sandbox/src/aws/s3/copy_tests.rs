//! Copies of objects, one row per rule.
#![allow(clippy::unwrap_used)]

use super::multipart_tests::{header, send};
use super::tests::{HOME, VERSIONING, ask, ours, text, with_bucket};

#[test]
fn copies_take_what_they_are_told_to_take() {
    const ETAG: &str = "\"f97c5d29941bfb1b2fdab0874906ab82\"";
    type Row = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)], u16, &'static str);
    let rows: [Row; 15] = [
        ("a copy", "to", "ours/from", &[], 200, "<ETag>"),
        ("a source with a slash before and a sign in it", "to", "/ours/a%2Bb", &[], 200, "<ETag>"),
        (
            "a checksum of another algorithm",
            "to",
            "ours/from",
            &[("x-amz-checksum-algorithm", "SHA256")],
            200,
            "<ChecksumSHA256>",
        ),
        ("no source there", "to", "ours/none", &[], 404, "NoSuchKey"),
        ("no bucket there", "to", "none/from", &[], 404, "NoSuchBucket"),
        ("a source without a key", "to", "ours", &[], 400, "Invalid copy source object key"),
        ("an object over itself", "from", "ours/from", &[], 400, "trying to copy an object to itself"),
        (
            "an object over itself with new metadata",
            "from",
            "ours/from",
            &[("x-amz-metadata-directive", "REPLACE")],
            200,
            "",
        ),
        (
            "a directive that is none",
            "to",
            "ours/from",
            &[("x-amz-metadata-directive", "MERGE")],
            400,
            "Unknown metadata directive.",
        ),
        ("the entity tag", "to", "ours/from", &[("x-amz-copy-source-if-match", ETAG)], 200, ""),
        (
            "another entity tag",
            "to",
            "ours/from",
            &[("x-amz-copy-source-if-match", "\"0\"")],
            412,
            "x-amz-copy-source-If-Match",
        ),
        (
            "a known entity tag",
            "to",
            "ours/from",
            &[("x-amz-copy-source-if-none-match", ETAG)],
            412,
            "x-amz-copy-source-If-None-Match",
        ),
        ("no object may be there", "there", "ours/from", &[("if-none-match", "*")], 412, "<Condition>If-None-Match<"),
        ("a version that is not there", "to", "ours/from?versionId=1", &[], 404, "NoSuchVersion"),
        ("a delete marker", "to", "ours/gone", &[], 404, "NoSuchKey"),
    ];
    for (name, to, from, headers, status, wanted) in rows {
        let mut world = with_bucket();
        ours(&mut world, "PUT /ours?versioning", VERSIONING);
        for key in ["from", "a%2Bb", "there", "gone"] {
            ours(&mut world, &format!("PUT /ours/{key}"), "one");
        }
        ours(&mut world, "DELETE /ours/gone", "");
        let headers: Vec<(&str, &str)> = headers.iter().copied().chain([("x-amz-copy-source", from)]).collect();
        let answer = send(&mut world, &format!("PUT /ours/{to}"), &headers, "");
        assert_eq!(answer.0, status, "{name}: {}", text(&answer));
        assert!(text(&answer).contains(wanted), "{name}: {}", text(&answer));
    }
}

#[test]
fn a_copy_carries_metadata_and_tags_along_unless_they_are_replaced() {
    type Row = (&'static str, &'static [(&'static str, &'static str)], [&'static str; 3]);
    let rows: [Row; 3] = [
        ("as they were", &[], ["text/plain", "old", "<Key>a</Key>"]),
        (
            "new metadata",
            &[("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-made", "new")],
            ["binary/octet-stream", "new", "<Key>a</Key>"],
        ),
        (
            "new tags",
            &[("x-amz-tagging-directive", "REPLACE"), ("x-amz-tagging", "b=1")],
            ["text/plain", "old", "<Key>b</Key>"],
        ),
    ];
    for (name, headers, wanted) in rows {
        let mut world = with_bucket();
        let first = [("content-type", "text/plain"), ("x-amz-meta-made", "old"), ("x-amz-tagging", "a=1")];
        send(&mut world, "PUT /ours/from", &first, "one");
        let headers: Vec<(&str, &str)> = headers.iter().copied().chain([("x-amz-copy-source", "ours/from")]).collect();
        assert_eq!(send(&mut world, "PUT /ours/to", &headers, "").0, 200, "{name}");
        let got = ours(&mut world, "GET /ours/to", "");
        assert_eq!([header(&got, "content-type"), header(&got, "x-amz-meta-made")], wanted[..2], "{name}");
        assert!(text(&ours(&mut world, "GET /ours/to?tagging", "")).contains(wanted[2]), "{name}");
    }
}

#[test]
fn who_may_not_read_an_object_may_not_copy_it() {
    let mut world = with_bucket();
    ours(&mut world, "PUT /ours/from", "one");
    world.iam.deny("*", "s3:GetObject");
    let answer = send(&mut world, "PUT /ours/to", &[("x-amz-copy-source", "ours/from")], "");
    assert_eq!((answer.0, answer.1.as_str()), (403, "AccessDenied"));
}

#[test]
fn an_older_version_comes_back_by_a_copy_over_its_own_key() {
    let mut world = with_bucket();
    ours(&mut world, "PUT /ours?versioning", VERSIONING);
    let first = header(&ours(&mut world, "PUT /ours/key", "one"), "x-amz-version-id");
    ours(&mut world, "PUT /ours/key", "two");
    let source = format!("ours/key?versionId={first}");
    let copied = send(&mut world, "PUT /ours/key", &[("x-amz-copy-source", &source)], "");
    assert_eq!((copied.0, header(&copied, "x-amz-copy-source-version-id")), (200, first.clone()), "{}", text(&copied));
    assert_eq!(text(&ours(&mut world, "GET /ours/key", "")), "one");
    assert_ne!(header(&copied, "x-amz-version-id"), first, "a version of its own");
}

#[test]
fn an_object_of_another_account_cannot_be_copied_and_one_of_another_region_can() {
    let rows = [("another account", "999999999999", 403, "AccessDenied"), ("another region", HOME, 200, "")];
    for (name, owner, status, code) in rows {
        let mut world = with_bucket();
        ask(&mut world, owner, "us-east-1", "PUT /source", &[], "");
        ask(&mut world, owner, "us-east-1", "PUT /source/key", &[], "one");
        let answer = send(&mut world, "PUT /ours/key", &[("x-amz-copy-source", "source/key")], "");
        assert_eq!((answer.0, answer.1.as_str()), (status, code), "{name}");
    }
}
