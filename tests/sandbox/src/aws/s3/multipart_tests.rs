//! Uploads in parts, pieces of objects, and what IAM calls their operations, one row per rule.
#![allow(clippy::unwrap_used)]

use http::Response;

use super::tests::{HOME, ask, ours, text, with_bucket};
use super::*;

pub(super) type Answer = (u16, String, Response<Bytes>);

/// The text of the first element of this name.
fn element(told: &str, name: &str) -> String {
    let (_, rest) = told.split_once(&format!("<{name}>")).unwrap();
    rest.split_once("</").unwrap().0.to_owned()
}

pub(super) fn header(answer: &Answer, name: &str) -> String {
    answer.2.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

pub(super) fn send(world: &mut World, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    ask(world, HOME, "eu-west-1", line, headers, body)
}

/// Begins an upload of `/ours/big`; gives its id.
fn begun(world: &mut World, headers: &[(&str, &str)]) -> String {
    element(&text(&send(world, "POST /ours/big?uploads", headers, "")), "UploadId")
}

/// Puts a part; gives its ETag.
fn part(world: &mut World, id: &str, number: u16, body: &str) -> String {
    let answer = send(world, &format!("PUT /ours/big?uploadId={id}&partNumber={number}"), &[], body);
    assert_eq!(answer.0, 200, "{}", text(&answer));
    header(&answer, "etag")
}

fn completion(parts: &[(u16, &str)]) -> String {
    let part = |(number, etag): &(u16, &str)| {
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>").replace('"', "&quot;")
    };
    format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.iter().map(part).collect::<String>())
}

fn complete(world: &mut World, id: &str, headers: &[(&str, &str)], parts: &[(u16, &str)]) -> Answer {
    send(world, &format!("POST /ours/big?uploadId={id}"), headers, &completion(parts))
}

/// As many bytes as every part but the last must have.
fn full() -> String {
    "x".repeat(5 * 1024 * 1024)
}

#[test]
fn parts_make_an_object_with_what_the_upload_was_begun_with() {
    let mut world = with_bucket();
    let begin = [("content-type", "text/plain"), ("x-amz-tagging", "a=b"), ("x-amz-meta-made", "here")];
    let id = begun(&mut world, &begin);
    let first = part(&mut world, &id, 2, &full());
    let second = part(&mut world, &id, 7, "the end");
    assert_eq!(ours(&mut world, "HEAD /ours/big", "").0, 404, "no object yet");
    let done = text(&complete(&mut world, &id, &[], &[(2, &first), (7, &second)]));
    assert_eq!(element(&done, "Location"), "https://ours.s3.eu-west-1.amazonaws.com/big");
    assert_eq!(element(&done, "ChecksumType"), "FULL_OBJECT");
    let etag = element(&done, "ETag").replace("&quot;", "");
    let digests: Vec<u8> =
        [&first, &second].iter().flat_map(|etag| hex::decode(etag.trim_matches('"')).unwrap()).collect();
    assert_eq!(etag, checksum::etag(&digests).trim_matches('"').to_owned() + "-2");
    let got = ours(&mut world, "GET /ours/big", "");
    assert_eq!(text(&got), full() + "the end");
    let seen = ["content-type", "x-amz-meta-made", "x-amz-tagging-count"].map(|name| header(&got, name));
    assert_eq!(seen, ["text/plain", "here", "1"]);
    let piece = ours(&mut world, "GET /ours/big?partNumber=2", "");
    assert_eq!(
        (piece.0, text(&piece).as_str(), header(&piece, "x-amz-mp-parts-count").as_str()),
        (206, "the end", "2")
    );
    assert_eq!(ours(&mut world, "GET /ours/big?partNumber=3", "").1, "InvalidPartNumber");
    assert_eq!(complete(&mut world, &id, &[], &[(2, &first)]).1, "NoSuchUpload", "it is over");
}

#[test]
fn a_completion_is_held_against_the_parts() {
    let small = "<MinSizeAllowed>5242880</MinSizeAllowed>";
    type Row = (&'static str, &'static [(&'static str, &'static str)], &'static [u16], u16, &'static str);
    let rows: [Row; 10] = [
        ("two parts of three", &[], &[1, 3], 200, ""),
        ("the last part alone, though it is small", &[], &[3], 200, ""),
        ("a small part before another", &[], &[2, 3], 400, small),
        ("the wrong order", &[], &[3, 1], 400, "InvalidPartOrder"),
        ("a part twice", &[], &[1, 1], 400, "InvalidPartOrder"),
        ("a part that was not put", &[], &[1, 4], 400, "<PartNumber>4</PartNumber>"),
        ("no part", &[], &[], 400, "You must specify at least one part"),
        ("over an object, where none may be", &[("if-none-match", "*")], &[1, 3], 412, "<Condition>If-None-Match<"),
        ("the right size", &[("x-amz-mp-object-size", "3")], &[3], 200, ""),
        ("a wrong size", &[("x-amz-mp-object-size", "4")], &[3], 400, "x-amz-mp-object-size"),
    ];
    for (name, headers, parts, status, wanted) in rows {
        let mut world = with_bucket();
        ours(&mut world, "PUT /ours/big", "before");
        let id = begun(&mut world, &[]);
        let mut etags = vec![part(&mut world, &id, 1, &full())];
        etags.push(part(&mut world, &id, 2, "small"));
        etags.push(part(&mut world, &id, 3, "end"));
        etags.push(checksum::etag(b"never"));
        let named: Vec<(u16, &str)> = parts.iter().map(|at| (*at, etags[usize::from(*at) - 1].as_str())).collect();
        let answer = complete(&mut world, &id, headers, &named);
        assert_eq!(answer.0, status, "{name}: {}", text(&answer));
        assert!(text(&answer).contains(wanted), "{name}: {}", text(&answer));
        let open = ours(&mut world, &format!("GET /ours/big?uploadId={id}"), "").0;
        assert_eq!(open == 200, status != 200, "{name}: a refused completion leaves the upload");
    }
}

#[test]
fn a_conditional_completion_gives_way_to_what_came_in_between() {
    let (one, two) = (checksum::etag(b"one"), checksum::etag(b"two"));
    let conflict = (409, "ConditionalRequestConflict");
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)], (&'a str, &'a str), (u16, &'a str));
    let rows: [Row<'_>; 11] = [
        ("nothing came", &[("PUT", "one")], &[], ("if-match", &one), (200, "")),
        ("another object", &[("PUT", "one")], &[("PUT", "two")], ("if-match", &two), conflict),
        ("the same object again", &[("PUT", "one")], &[("PUT", "one")], ("if-match", &one), conflict),
        ("the condition fails", &[("PUT", "one")], &[("PUT", "two")], ("if-match", &one), (412, "PreconditionFailed")),
        ("the object went", &[("PUT", "one")], &[("DELETE", "")], ("if-match", &one), (404, "NoSuchKey")),
        ("it went and came", &[("PUT", "one")], &[("DELETE", ""), ("PUT", "one")], ("if-match", &one), conflict),
        ("no object may be there and it went", &[("PUT", "one")], &[("DELETE", "")], ("if-none-match", "*"), conflict),
        (
            "no object may be there and one came",
            &[],
            &[("PUT", "one")],
            ("if-none-match", "*"),
            (412, "PreconditionFailed"),
        ),
        ("no object may be there and none was", &[], &[("DELETE", "")], ("if-none-match", "*"), (200, "")),
        ("no object may be there and none came", &[], &[], ("if-none-match", "*"), (200, "")),
        ("no condition", &[("PUT", "one")], &[("PUT", "two")], ("content-type", "text/xml"), (200, "")),
    ];
    for (name, before, between, condition, wanted) in rows {
        let mut world = with_bucket();
        let send_all = |world: &mut World, all: &[(&str, &str)]| {
            all.iter().for_each(|(method, body)| assert!(ours(world, &format!("{method} /ours/big"), body).0 < 300));
        };
        send_all(&mut world, before);
        let id = begun(&mut world, &[]);
        let etag = part(&mut world, &id, 1, "end");
        send_all(&mut world, between);
        ours(&mut world, "PUT /ours/big2", "another key");
        let answer = complete(&mut world, &id, &[condition], &[(1, &etag)]);
        assert_eq!((answer.0, answer.1.as_str()), wanted, "{name}: {}", text(&answer));
        if wanted == conflict {
            let header = if condition.0 == "if-match" { "If-Match" } else { "If-None-Match" };
            assert_eq!(element(&text(&answer), "Condition"), header, "{name}");
            assert_eq!(element(&text(&answer), "Key"), "big", "{name}");
        }
    }
}

#[test]
fn checksums_of_parts_are_told_only_where_the_upload_named_an_algorithm() {
    let sum = checksum::of("crc32c", b"end").unwrap();
    let rows = [
        ("no checksum", String::new(), 200),
        ("the part's own", format!("<ChecksumCRC32C>{sum}</ChecksumCRC32C>"), 400),
        ("another", "<ChecksumSHA1>AAAA</ChecksumSHA1>".to_owned(), 400),
    ];
    for (name, told, status) in rows {
        let mut world = with_bucket();
        let id = begun(&mut world, &[]);
        let put = send(
            &mut world,
            &format!("PUT /ours/big?uploadId={id}&partNumber=1"),
            &[("x-amz-checksum-crc32c", &sum)],
            "end",
        );
        let body = completion(&[(1, &header(&put, "etag"))]).replace("</Part>", &format!("{told}</Part>"));
        let answer = send(&mut world, &format!("POST /ours/big?uploadId={id}"), &[], &body);
        let code = if status == 200 { "" } else { "InvalidPart" };
        assert_eq!((answer.0, answer.1.as_str()), (status, code), "{name}: {}", text(&answer));
    }
}

#[test]
fn a_part_with_another_entity_tag_is_not_the_one_that_was_put() {
    let mut world = with_bucket();
    let id = begun(&mut world, &[]);
    let old = part(&mut world, &id, 1, "one");
    let new = part(&mut world, &id, 1, "two");
    assert_eq!(complete(&mut world, &id, &[], &[(1, &old)]).1, "InvalidPart");
    assert_eq!(complete(&mut world, &id, &[], &[(1, &new)]).0, 200);
    assert_eq!(text(&ours(&mut world, "GET /ours/big", "")), "two");
}

#[test]
fn an_upload_keeps_to_the_checksum_that_it_was_begun_with() {
    let sum = |algorithm: &str| checksum::of(algorithm, b"123456789").unwrap();
    let rows = [
        ("CRC32 of the parts", "CRC32", "", "crc32", 200, "-1</ChecksumCRC32><ChecksumType>COMPOSITE"),
        ("CRC32 of the whole", "CRC32", "FULL_OBJECT", "crc32", 200, "<ChecksumCRC32>y/Q5Jg==<"),
        ("CRC64NVME is of the whole", "CRC64NVME", "", "crc64nvme", 200, "<ChecksumCRC64NVME>rosUhgp5mIg=<"),
        ("SHA-1 of the parts", "SHA1", "", "sha1", 200, "-1</ChecksumSHA1>"),
        ("SHA-256 of the whole", "SHA256", "FULL_OBJECT", "", 400, "cannot be used with the sha256"),
        ("CRC64NVME of the parts", "CRC64NVME", "COMPOSITE", "", 400, "cannot be used with the crc64nvme"),
        ("an algorithm that is not known", "MD6", "", "", 400, "Checksum algorithm provided is unsupported"),
        (
            "a part with another checksum",
            "CRC32",
            "",
            "sha256",
            400,
            "expected checksum Type: crc32, actual checksum Type: sha256",
        ),
    ];
    for (name, algorithm, kind, of_part, status, wanted) in rows {
        let mut world = with_bucket();
        let headers = [("x-amz-checksum-algorithm", algorithm), ("x-amz-checksum-type", kind)];
        let headers: Vec<(&str, &str)> = headers.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let mut answer = send(&mut world, "POST /ours/big?uploads", &headers, "");
        if answer.0 == 200 {
            let id = element(&text(&answer), "UploadId");
            let (named, value) = (format!("x-amz-checksum-{of_part}"), sum(of_part));
            let line = format!("PUT /ours/big?uploadId={id}&partNumber=1");
            answer = send(&mut world, &line, &[(&named, &value)], "123456789");
            if answer.0 == 200 {
                let told = format!("</ETag><{0}>{value}</{0}>", checksum::element(of_part));
                let body = completion(&[(1, &header(&answer, "etag"))]).replace("</ETag>", &told);
                answer = send(&mut world, &format!("POST /ours/big?uploadId={id}"), &[], &body);
            }
        }
        assert_eq!(answer.0, status, "{name}: {}", text(&answer));
        assert!(text(&answer).contains(wanted), "{name}: {}", text(&answer));
    }
}

#[test]
fn a_completion_without_the_checksums_of_its_parts_is_refused() {
    let mut world = with_bucket();
    let id = begun(&mut world, &[("x-amz-checksum-algorithm", "CRC32")]);
    let sum = checksum::of("crc32", b"one").unwrap();
    let line = format!("PUT /ours/big?uploadId={id}&partNumber=1");
    let put = send(&mut world, &line, &[("x-amz-checksum-crc32", &sum)], "one");
    let answer = complete(&mut world, &id, &[], &[(1, &header(&put, "etag"))]);
    assert!(text(&answer).contains("It was missing for part 1 in the request."), "{}", text(&answer));
}

#[test]
fn uploads_and_parts_are_listed_page_by_page_until_they_are_aborted() {
    let mut world = with_bucket();
    let ids = [begun(&mut world, &[]), begun(&mut world, &[])];
    ours(&mut world, "POST /ours/a%2Fb?uploads", "");
    for number in [1, 2, 5] {
        part(&mut world, &ids[0], number, "x");
    }
    let page = text(&ours(&mut world, &format!("GET /ours/big?uploadId={}&max-parts=2", ids[0]), ""));
    assert!(page.contains("<IsTruncated>true<") && page.contains("<NextPartNumberMarker>2<"), "{page}");
    let rest = text(&ours(&mut world, &format!("GET /ours/big?uploadId={}&part-number-marker=2", ids[0]), ""));
    assert!(rest.contains("<PartNumber>5<") && rest.contains("<IsTruncated>false<"), "{rest}");
    let all = text(&ours(&mut world, "GET /ours?uploads", ""));
    assert_eq!(all.matches("<Upload>").count(), 3, "{all}");
    let groups = text(&ours(&mut world, "GET /ours?uploads&delimiter=%2F", ""));
    assert!(groups.contains("<CommonPrefixes><Prefix>a/</Prefix>"), "{groups}");
    let first = text(&ours(&mut world, "GET /ours?uploads&prefix=big&max-uploads=1", ""));
    assert!(first.contains(&format!("<NextUploadIdMarker>{}<", ids[0])), "{first}");
    let line = format!("GET /ours?uploads&key-marker=big&upload-id-marker={}", ids[0]);
    let second = text(&ours(&mut world, &line, ""));
    assert!(second.contains(&format!("<UploadId>{}<", ids[1])) && second.contains("<IsTruncated>false<"), "{second}");
    for id in &ids {
        assert_eq!(ours(&mut world, &format!("DELETE /ours/big?uploadId={id}"), "").0, 204);
        assert_eq!(ours(&mut world, &format!("DELETE /ours/big?uploadId={id}"), "").1, "NoSuchUpload");
    }
    assert_eq!(ours(&mut world, "DELETE /ours", "").0, 204, "an upload does not keep a bucket");
}

#[test]
fn parts_can_be_copied_from_an_object_or_a_range_of_it() {
    let rows = [
        ("all of it", "", 200, "0123456789"),
        ("a range", "bytes=2-4", 200, "234"),
        ("a range beyond the end", "bytes=2-10", 400, "not valid for source object of size: 10"),
        (
            "a range behind the end",
            "bytes=10-20",
            400,
            "The specified copy range is invalid for the source object size",
        ),
        ("a range to the end", "bytes=2-", 400, "must be of the form bytes=first-last"),
    ];
    for (name, range, status, wanted) in rows {
        let mut world = with_bucket();
        ours(&mut world, "PUT /ours/from", "0123456789");
        let id = begun(&mut world, &[]);
        let headers = [("x-amz-copy-source", "ours/from"), ("x-amz-copy-source-range", range)];
        let headers = if range.is_empty() { &headers[..1] } else { &headers };
        let answer = send(&mut world, &format!("PUT /ours/big?uploadId={id}&partNumber=1"), headers, "");
        assert_eq!(answer.0, status, "{name}: {}", text(&answer));
        if status != 200 {
            assert!(text(&answer).contains(wanted), "{name}: {}", text(&answer));
            continue;
        }
        let etag = element(&text(&answer), "ETag").replace("&quot;", "\"");
        complete(&mut world, &id, &[], &[(1, &etag)]);
        assert_eq!(text(&ours(&mut world, "GET /ours/big", "")), wanted, "{name}");
    }
}

#[test]
fn a_range_is_answered_with_its_place_and_without_the_checksum_of_the_whole() {
    let mut world = with_bucket();
    ours(&mut world, "PUT /ours/key", "0123456789");
    let asked = [("range", "bytes=2-4"), ("x-amz-checksum-mode", "ENABLED")];
    let piece = send(&mut world, "GET /ours/key", &asked, "");
    assert_eq!((piece.0, text(&piece).as_str()), (206, "234"));
    assert_eq!(
        (header(&piece, "content-range").as_str(), header(&piece, "content-length").as_str()),
        ("bytes 2-4/10", "3")
    );
    assert_eq!(header(&piece, "x-amz-checksum-crc64nvme"), "");
    let whole = send(&mut world, "GET /ours/key", &asked[1..], "");
    assert_eq!(header(&whole, "x-amz-checksum-crc64nvme"), checksum::of("crc64nvme", b"0123456789").unwrap());
    assert_eq!(header(&whole, "x-amz-checksum-type"), "FULL_OBJECT");
    let behind = send(&mut world, "GET /ours/key", &[("range", "bytes=10-")], "");
    assert_eq!((behind.0, behind.1.as_str()), (416, "InvalidRange"));
}

#[test]
fn each_operation_needs_the_action_that_iam_has_for_it() {
    let rows = [
        ("an upload is begun", "POST /ours/big?uploads", "s3:PutObject"),
        ("a part is put", "PUT /ours/big?uploadId=1&partNumber=1", "s3:PutObject"),
        ("an upload is completed", "POST /ours/big?uploadId=1", "s3:PutObject"),
        ("an upload is aborted", "DELETE /ours/big?uploadId=1", "s3:AbortMultipartUpload"),
        ("parts are listed", "GET /ours/big?uploadId=1", "s3:ListMultipartUploadParts"),
        ("uploads are listed", "GET /ours?uploads", "s3:ListBucketMultipartUploads"),
        ("an object lock is looked at", "GET /ours?object-lock", "s3:GetBucketObjectLockConfiguration"),
        ("buckets are listed", "GET /?max-buckets=1", "s3:ListAllMyBuckets"),
    ];
    for (name, line, action) in rows {
        let mut world = with_bucket();
        let key = world.iam.add_user(HOME, "tester");
        let scope = format!("AWS4-HMAC-SHA256 Credential={key}/20260105/eu-west-1/s3/aws4_request, Signature=0");
        let (method, uri) = line.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(uri).header("authorization", scope);
        let request = request.body(Bytes::new()).unwrap();
        let address = crate::wire::Address::of(&request);
        let answer =
            |world: &mut World| crate::aws::dispatch::answer(world, &address, &request, "id").response.status();
        assert_ne!(answer(&mut world), 403, "{name}: nothing is denied");
        world.iam.deny("*", action);
        assert_eq!(answer(&mut world), 403, "{name}");
    }
}
