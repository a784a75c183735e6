//! S3 as its clients see it: one row per rule.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::Timestamp;

use super::*;
use crate::world::Settings;

pub(super) fn world() -> World {
    World::new(Settings::default(), Timestamp::from_second(1_800_000_000).unwrap())
}

/// One request of an account; the status, the code of a refusal, and the body.
pub(super) fn ask(
    world: &mut World,
    account: &str,
    region: &str,
    line: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String, Response<Bytes>) {
    let key = world.iam.add_user(account, "tester");
    let caller = world.iam.caller(&key).unwrap();
    let (method, uri) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = handle(world, &caller, region, &request.body(Bytes::copy_from_slice(body.as_bytes())).unwrap());
    let text = String::from_utf8_lossy(response.body()).into_owned();
    let code =
        text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code.to_owned());
    (response.status().as_u16(), code.unwrap_or_default(), response)
}

pub(super) const HOME: &str = "111122223333";
pub(super) const EU: &str = "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
pub(super) const VERSIONING: &str = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";

pub(super) fn ours(world: &mut World, line: &str, body: &str) -> (u16, String, Response<Bytes>) {
    ask(world, HOME, "eu-west-1", line, &[], body)
}

pub(super) fn with_bucket() -> World {
    let mut world = world();
    assert_eq!(ours(&mut world, "PUT /ours", EU).0, 200);
    world
}

pub(super) fn text(answer: &(u16, String, Response<Bytes>)) -> String {
    String::from_utf8_lossy(answer.2.body()).into_owned()
}

#[test]
fn buckets_are_made_and_found_by_the_rules() {
    let east = EU.replace("eu-west-1", "us-east-1");
    let rows = [
        ("a name with capitals", HOME, "eu-west-1", "PUT /Ours2", EU, 400, "InvalidBucketName"),
        ("a name like an address", HOME, "eu-west-1", "PUT /10.0.0.1", EU, 400, "InvalidBucketName"),
        ("no region outside us-east-1", HOME, "eu-west-1", "PUT /new", "", 400, "IllegalLocationConstraintException"),
        ("another region", HOME, "eu-north-1", "PUT /new", EU, 400, "IllegalLocationConstraintException"),
        ("us-east-1 named", HOME, "us-east-1", "PUT /new", &east, 400, "InvalidLocationConstraint"),
        ("us-east-1 without a region", HOME, "us-east-1", "PUT /new", "", 200, ""),
        ("ours again", HOME, "eu-west-1", "PUT /ours", EU, 409, "BucketAlreadyOwnedByYou"),
        ("ours again in us-east-1", HOME, "us-east-1", "PUT /east", "", 200, ""),
        ("somebody else's", "999999999999", "eu-west-1", "PUT /ours", EU, 409, "BucketAlreadyExists"),
        ("a look at ours", HOME, "eu-west-1", "HEAD /ours", "", 200, ""),
        ("a look from another region", HOME, "us-east-1", "HEAD /ours", "", 301, ""),
        ("a look from another account", "999999999999", "eu-west-1", "HEAD /ours", "", 403, ""),
        ("a look at none", HOME, "eu-west-1", "HEAD /none", "", 404, ""),
        ("its place from anywhere", HOME, "us-east-1", "GET /ours?location", "", 200, ""),
        ("a list of none", HOME, "eu-west-1", "GET /none?list-type=2", "", 404, "NoSuchBucket"),
        ("an upload in parts", HOME, "eu-west-1", "POST /ours/big?uploads", "", 200, ""),
        (
            "a policy for another bucket",
            HOME,
            "eu-west-1",
            "PUT /ours?policy",
            r#"{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::theirs"}]}"#,
            400,
            "MalformedPolicy",
        ),
        ("no policy yet", HOME, "eu-west-1", "GET /ours?policy", "", 404, "NoSuchBucketPolicy"),
        ("no tags yet", HOME, "eu-west-1", "GET /ours?tagging", "", 404, "NoSuchTagSet"),
        (
            "a reserved tag",
            HOME,
            "eu-west-1",
            "PUT /ours?tagging",
            "<Tagging><TagSet><Tag><Key>aws:x</Key><Value>1</Value></Tag></TagSet></Tagging>",
            400,
            "InvalidTag",
        ),
        ("broken XML", HOME, "eu-west-1", "PUT /ours?tagging", "<Tagging><TagSet>", 400, "MalformedXML"),
    ];
    for (name, account, region, line, body, status, code) in rows {
        let mut world = with_bucket();
        ask(&mut world, HOME, "us-east-1", "PUT /east", &[], "");
        let (got, refused, response) = ask(&mut world, account, region, line, &[], body);
        assert_eq!((got, refused.as_str()), (status, code), "{name}");
        if matches!(got, 301 | 403) {
            assert_eq!(response.headers()["x-amz-bucket-region"], "eu-west-1", "{name}");
        }
    }
}

#[test]
fn settings_come_back_as_they_were_put() {
    let rows = [
        ("versioning", VERSIONING, "<Status>Enabled</Status>"),
        (
            "encryption",
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>",
            "<KMSMasterKeyID>k</KMSMasterKeyID></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false<",
        ),
        (
            "encryption",
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>",
            "<BucketKeyEnabled>true</BucketKeyEnabled>",
        ),
        (
            "publicAccessBlock",
            "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>",
            "<BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>false</IgnorePublicAcls>",
        ),
        ("tagging", "<Tagging><TagSet><Tag><Key>a&amp;b</Key><Value>1</Value></Tag></TagSet></Tagging>", ""),
        (
            "tagging",
            "<Tagging><TagSet><Tag><Key>team</Key><Value>a &#x3D; b</Value></Tag></TagSet></Tagging>",
            "<Key>team</Key><Value>a = b</Value>",
        ),
        (
            "lifecycle",
            "<LifecycleConfiguration><Rule><ID>x</ID><Status>Enabled</Status></Rule></LifecycleConfiguration>",
            "<ID>x</ID>",
        ),
        (
            "cors",
            "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>",
            "<AllowedMethod>GET</AllowedMethod>",
        ),
        (
            "ownershipControls",
            "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>",
            "ObjectWriter",
        ),
        (
            "policy",
            r#"{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::ours","arn:aws:s3:::ours/*"]}]}"#,
            "arn:aws:s3:::ours/*",
        ),
    ];
    for (name, body, shown) in rows {
        let mut world = with_bucket();
        let put = ours(&mut world, &format!("PUT /ours?{name}"), body);
        if shown.is_empty() {
            assert_eq!(put.1, "InvalidTag", "{name}: a sign that tags do not take");
            continue;
        }
        assert!(put.0 < 300, "{name}: {}", text(&put));
        let got = ours(&mut world, &format!("GET /ours?{name}"), "");
        assert!(text(&got).contains(shown), "{name}: {}", text(&got));
    }
}

#[test]
fn checksums_are_verified() {
    let rows: &[(&str, &str, &str, u16)] = &[
        ("CRC32 of the check string", "x-amz-checksum-crc32", "y/Q5Jg==", 200),
        ("CRC32C of the check string", "x-amz-checksum-crc32c", "4waSgw==", 200),
        ("CRC64NVME of the check string", "x-amz-checksum-crc64nvme", "rosUhgp5mIg=", 200),
        ("SHA-256 of the check string", "x-amz-checksum-sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=", 200),
        ("SHA-1 of the check string", "x-amz-checksum-sha1", "98O8HYCOBHMq32eZZczDTKeuNEE=", 200),
        ("MD5 of the check string", "content-md5", "JfnnlDI7RTiF9RgfG2JNCw==", 200),
        ("a wrong CRC32", "x-amz-checksum-crc32", "AAAAAA==", 400),
        ("a wrong MD5", "content-md5", "AAAA", 400),
        ("an algorithm that is not known", "x-amz-checksum-xyz", "AAAA", 400),
    ];
    for (name, header, value, status) in rows {
        let mut world = with_bucket();
        let answer = ask(&mut world, HOME, "eu-west-1", "PUT /ours/key", &[(header, value)], "123456789");
        assert_eq!(answer.0, *status, "{name}: {}", text(&answer));
    }
}

#[test]
fn a_body_in_chunks_is_held_to_the_checksum_behind_it() {
    let chunks = |behind: &str| format!("5\r\n12345\r\n4\r\n6789\r\n0\r\n{behind}\r\n");
    let rows = [
        ("the checksum behind it", "", chunks("x-amz-checksum-crc32:y/Q5Jg==\r\n"), 200, ""),
        ("a wrong one", "", chunks("x-amz-checksum-crc32:AAAAAA==\r\n"), 400, "BadDigest"),
        ("none, though one was announced", "", chunks(""), 400, "MalformedTrailerError"),
        ("the checksum before it", "y/Q5Jg==", chunks(""), 200, ""),
        ("a chunk that is too short", "", "9\r\n12345".to_owned(), 400, "IncompleteBody"),
    ];
    for (name, before, body, status, code) in rows {
        let mut world = with_bucket();
        let key = world.iam.add_user(HOME, "tester");
        let caller = world.iam.caller(&key).unwrap();
        let mut request = Request::put("/ours/key")
            .header("content-encoding", "aws-chunked")
            .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .header("x-amz-trailer", "x-amz-checksum-crc32");
        if !before.is_empty() {
            request = request.header("x-amz-checksum-crc32", before);
        }
        let request = crate::wire::plain(request.body(Bytes::from(body)).unwrap());
        let response = handle(&mut world, &caller, "eu-west-1", &request);
        assert_eq!(response.status(), status, "{name}");
        let told = String::from_utf8_lossy(response.body()).into_owned();
        assert!(told.contains(code), "{name}: {told}");
        if status == 200 {
            assert_eq!(text(&ours(&mut world, "GET /ours/key", "")), "123456789", "{name}");
        }
    }
}

#[test]
fn an_object_in_a_versioned_bucket_leaves_versions_and_markers_that_must_go_first() {
    let mut world = with_bucket();
    ours(&mut world, "PUT /ours?versioning", VERSIONING);
    let first = ask(&mut world, HOME, "eu-west-1", "PUT /ours/a/b%20c.yaml", &[("x-amz-tagging", "k=v%2Fw")], "one");
    let id = first.2.headers()["x-amz-version-id"].to_str().unwrap().to_owned();
    assert_eq!(first.2.headers()["etag"], "\"f97c5d29941bfb1b2fdab0874906ab82\"");
    ours(&mut world, "PUT /ours/a/b%20c.yaml", "two");
    assert_eq!(text(&ours(&mut world, "GET /ours/a/b%20c.yaml", "")), "two");
    assert_eq!(text(&ours(&mut world, &format!("GET /ours/a/b%20c.yaml?versionId={id}"), "")), "one");
    assert!(
        text(&ours(&mut world, &format!("GET /ours/a/b%20c.yaml?tagging&versionId={id}"), ""))
            .contains("<Value>v/w</Value>")
    );
    let gone = ours(&mut world, "DELETE /ours/a/b%20c.yaml", "");
    assert_eq!(gone.2.headers()["x-amz-delete-marker"], "true");
    assert_eq!(ours(&mut world, "GET /ours/a/b%20c.yaml", "").1, "NoSuchKey");
    assert!(text(&ours(&mut world, "GET /ours?list-type=2", "")).contains("<KeyCount>0</KeyCount>"));
    assert_eq!(ours(&mut world, "DELETE /ours", "").1, "BucketNotEmpty");
    let all = text(&ours(&mut world, "GET /ours?versions", ""));
    assert_eq!((all.matches("<Version>").count(), all.matches("<DeleteMarker>").count()), (2, 1));
    let ids: Vec<&str> =
        all.split("<VersionId>").skip(1).filter_map(|rest| rest.split_once('<')).map(|(id, _)| id).collect();
    let objects: String =
        ids.iter().map(|id| format!("<Object><Key>a/b c.yaml</Key><VersionId>{id}</VersionId></Object>")).collect();
    let body = format!("<Delete>{objects}</Delete>");
    assert_eq!(ours(&mut world, "POST /ours?delete", &body).1, "InvalidRequest", "a checksum is required");
    let sum = checksum::of("crc32", body.as_bytes()).unwrap();
    let answer = ask(&mut world, HOME, "eu-west-1", "POST /ours?delete", &[("x-amz-checksum-crc32", &sum)], &body);
    assert_eq!(text(&answer).matches("<Deleted>").count(), 3);
    assert_eq!(ours(&mut world, "DELETE /ours", "").0, 204);
}

#[test]
fn lists_come_in_pages_and_groups() {
    let mut world = with_bucket();
    for key in ["a/1", "a/2", "b", "c/1"] {
        ours(&mut world, &format!("PUT /ours/{key}"), "x");
    }
    let first = text(&ours(&mut world, "GET /ours?list-type=2&delimiter=%2F&max-keys=2", ""));
    assert!(
        first.contains("<IsTruncated>true</IsTruncated>") && first.contains("<CommonPrefixes><Prefix>a/</Prefix>"),
        "{first}"
    );
    let token = first.split("<NextContinuationToken>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let second =
        text(&ours(&mut world, &format!("GET /ours?list-type=2&delimiter=%2F&continuation-token={token}"), ""));
    assert!(second.contains("<CommonPrefixes><Prefix>c/</Prefix>") && !second.contains("<Key>b</Key>"), "{second}");
    let page = text(&ours(&mut world, "GET /ours?versions&max-keys=3", ""));
    assert!(page.contains("<NextKeyMarker>b</NextKeyMarker>") && page.contains("<NextVersionIdMarker>null<"), "{page}");
    let rest = text(&ours(&mut world, "GET /ours?versions&key-marker=b&version-id-marker=null", ""));
    assert_eq!(rest.matches("<Version>").count(), 1, "{rest}");
}

#[test]
fn a_young_bucket_is_not_seen_as_long_as_set() {
    let mut world = world();
    world.settings.read_after_write = std::time::Duration::from_secs(1);
    world.settings.list_lag = std::time::Duration::from_secs(2);
    ours(&mut world, "PUT /ours", EU);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let head = ours(&mut world, "HEAD /ours", "").0;
        seen.push((head, text(&ours(&mut world, "GET /", "")).contains("<Name>ours</Name>")));
        let next = world.after(std::time::Duration::from_secs(1));
        world.advance(next);
    }
    assert_eq!(seen, [(404, false), (200, false), (200, true)]);
}
