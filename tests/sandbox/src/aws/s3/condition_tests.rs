//! Conditions of requests for objects, one row per rule.
#![allow(clippy::unwrap_used)]

use super::tests::{HOME, VERSIONING, ask, ours, text, with_bucket};

/// The entity tag of the content `one`, which the rows' object has.
const ONE: &str = "\"f97c5d29941bfb1b2fdab0874906ab82\"";
const OTHER: &str = "\"00000000000000000000000000000000\"";
/// The world's time, a second before and a second after.
const NOW: &str = "Fri, 15 Jan 2027 08:00:00 GMT";
const BEFORE: &str = "Fri, 15 Jan 2027 07:59:59 GMT";
const LATER: &str = "Fri, 15 Jan 2027 08:00:01 GMT";

/// What the bucket holds under the key before a row.
#[derive(Clone, Copy)]
enum Held {
    Nothing,
    One,
    Marker,
}
use Held::{Marker, Nothing, One};

type Row = (&'static str, Held, &'static str, &'static [(&'static str, &'static str)], u16, &'static str);

fn rows_hold(rows: &[Row]) {
    for (name, held, method, headers, status, told) in rows {
        let mut world = with_bucket();
        ours(&mut world, "PUT /ours?versioning", VERSIONING);
        if !matches!(held, Nothing) {
            ours(&mut world, "PUT /ours/key", "one");
        }
        if matches!(held, Marker) {
            ours(&mut world, "DELETE /ours/key", "");
        }
        let answer = ask(&mut world, HOME, "eu-west-1", &format!("{method} /ours/key"), headers, "");
        assert_eq!(answer.0, *status, "{name}: {}", text(&answer));
        assert!(text(&answer).contains(told), "{name}: {}", text(&answer));
    }
}

#[test]
fn reads_hold_to_their_conditions_in_the_order_of_precedence() {
    rows_hold(&[
        ("the entity tag", One, "GET", &[("if-match", ONE)], 200, "one"),
        ("the entity tag without its marks", One, "GET", &[("if-match", "f97c5d29941bfb1b2fdab0874906ab82")], 200, ""),
        ("another entity tag", One, "GET", &[("if-match", OTHER)], 412, "<Condition>If-Match</Condition>"),
        ("another entity tag, without a body", One, "HEAD", &[("if-match", OTHER)], 412, ""),
        ("a known entity tag", One, "GET", &[("if-none-match", ONE)], 304, ""),
        ("a known entity tag, without a body", One, "HEAD", &[("if-none-match", ONE)], 304, ""),
        ("an older entity tag", One, "GET", &[("if-none-match", OTHER)], 200, "one"),
        ("not changed since it came", One, "GET", &[("if-modified-since", NOW)], 304, ""),
        ("changed since", One, "GET", &[("if-modified-since", BEFORE)], 200, "one"),
        ("since a moment in the future", One, "GET", &[("if-modified-since", LATER)], 200, "one"),
        ("unchanged since it came", One, "GET", &[("if-unmodified-since", NOW)], 200, "one"),
        (
            "changed after the moment",
            One,
            "GET",
            &[("if-unmodified-since", BEFORE)],
            412,
            "<Condition>If-Unmodified-Since</Condition>",
        ),
        (
            "the entity tag wins over the moment it must not change after",
            One,
            "GET",
            &[("if-match", ONE), ("if-unmodified-since", BEFORE)],
            200,
            "one",
        ),
        (
            "a known entity tag wins over the moment it changed after",
            One,
            "GET",
            &[("if-none-match", ONE), ("if-modified-since", BEFORE)],
            304,
            "",
        ),
        ("a moment that is none", One, "GET", &[("if-modified-since", "yesterday")], 200, "one"),
        ("nothing there", Nothing, "GET", &[("if-match", ONE)], 404, "NoSuchKey"),
    ]);
}

#[test]
fn an_unchanged_object_is_answered_with_its_entity_tag_and_no_body() {
    let mut world = with_bucket();
    ours(&mut world, "PUT /ours/key", "one");
    let answer = ask(&mut world, HOME, "eu-west-1", "GET /ours/key", &[("if-none-match", ONE)], "");
    assert_eq!((answer.2.headers()["etag"].to_str().unwrap(), answer.2.body().len()), (ONE, 0));
}

#[test]
fn writes_and_deletions_hold_to_their_conditions() {
    rows_hold(&[
        ("a put over the content it knows", One, "PUT", &[("if-match", ONE)], 200, ""),
        ("a put over other content", One, "PUT", &[("if-match", OTHER)], 412, "<Condition>If-Match</Condition>"),
        ("a put over nothing", Nothing, "PUT", &[("if-match", ONE)], 404, "NoSuchKey"),
        ("a put over a delete marker", Marker, "PUT", &[("if-match", ONE)], 404, "NoSuchKey"),
        ("a put over anything", One, "PUT", &[("if-match", "*")], 501, "<Header>If-Match</Header>"),
        ("a first put", Nothing, "PUT", &[("if-none-match", "*")], 200, ""),
        ("a first put after a delete marker", Marker, "PUT", &[("if-none-match", "*")], 200, ""),
        ("no first put", One, "PUT", &[("if-none-match", "*")], 412, "<Condition>If-None-Match</Condition>"),
        ("a put over all but one content", One, "PUT", &[("if-none-match", ONE)], 501, "NotImplemented"),
        (
            "both conditions of a put",
            One,
            "PUT",
            &[("if-match", ONE), ("if-none-match", "*")],
            501,
            "<Header>If-Match,If-None-Match</Header>",
        ),
        ("a deletion of the content it knows", One, "DELETE", &[("if-match", ONE)], 204, ""),
        ("a deletion of whatever is there", One, "DELETE", &[("if-match", "*")], 204, ""),
        ("a deletion of other content", One, "DELETE", &[("if-match", OTHER)], 412, "<Condition>If-Match</Condition>"),
        ("a deletion by size", One, "DELETE", &[("x-amz-if-match-size", "3")], 501, "x-amz-if-match-size"),
        ("a deletion of nothing", Nothing, "DELETE", &[("if-match", "*")], 404, "NoSuchKey"),
        ("a deletion of what is deleted", Marker, "DELETE", &[("if-match", "*")], 412, "PreconditionFailed"),
    ]);
}

#[test]
fn a_deletion_of_many_leaves_what_is_no_longer_as_it_was() {
    let mut world = with_bucket();
    ours(&mut world, "PUT /ours/a", "one");
    ours(&mut world, "PUT /ours/b", "two");
    let object = |key: &str| format!("<Object><Key>{key}</Key><ETag>{}</ETag></Object>", ONE.replace('"', "&quot;"));
    let body = format!("<Delete>{}{}</Delete>", object("a"), object("b"));
    let sum = super::checksum::of("crc32", body.as_bytes()).unwrap();
    let answer = ask(&mut world, HOME, "eu-west-1", "POST /ours?delete", &[("x-amz-checksum-crc32", &sum)], &body);
    let told = text(&answer);
    assert!(
        told.contains("<Deleted><Key>a</Key>") && told.contains("<Error><Key>b</Key><Code>PreconditionFailed"),
        "{told}"
    );
    assert_eq!((ours(&mut world, "HEAD /ours/a", "").0, ours(&mut world, "HEAD /ours/b", "").0), (404, 200));
}

#[test]
fn who_compares_the_entity_tag_of_a_deletion_must_be_allowed_to_get_the_object() {
    let rows = [("no condition", "", 204), ("whatever is there", "*", 204), ("the entity tag", ONE, 403)];
    for (name, wanted, status) in rows {
        let mut world = with_bucket();
        ours(&mut world, "PUT /ours/key", "one");
        world.iam.deny("*", "s3:GetObject");
        let headers = [("if-match", wanted)];
        let headers = if wanted.is_empty() { &headers[..0] } else { &headers };
        assert_eq!(ask(&mut world, HOME, "eu-west-1", "DELETE /ours/key", headers, "").0, status, "{name}");
    }
}
