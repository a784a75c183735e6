//! What S3 refuses of versions' ids and headers of objects, one row per rule.
#![allow(clippy::unwrap_used)]

use super::multipart_tests::{header, send};
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

#[test]
fn what_would_be_forgotten_of_a_new_object_is_refused() {
    let (fits, long) = ("x".repeat(2044), "x".repeat(2045));
    let preferred =
        "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerPreferred</ObjectOwnership></Rule></OwnershipControls>";
    let no_lists = (400, "AccessControlListNotSupported");
    let not_played = (501, "NotImplemented");
    let rows = [
        ("nothing", true, "content-type", "text/plain", (200, "")),
        ("a private object", true, "x-amz-acl", "private", (200, "")),
        ("an object of the bucket's owner", true, "x-amz-acl", "bucket-owner-full-control", (200, "")),
        ("a public object", true, "x-amz-acl", "public-read", no_lists),
        ("a grant", true, "x-amz-grant-read", "id=\"x\"", no_lists),
        ("a public object where lists count", false, "x-amz-acl", "public-read", not_played),
        ("a private object where lists count", false, "x-amz-acl", "private", (200, "")),
        ("the usual storage class", true, "x-amz-storage-class", "STANDARD", (200, "")),
        ("another storage class", true, "x-amz-storage-class", "GLACIER", not_played),
        ("no storage class", true, "x-amz-storage-class", "OUTPOSTS", (400, "InvalidStorageClass")),
        ("the bucket's encryption", true, "x-amz-server-side-encryption", "AES256", (200, "")),
        ("another encryption", true, "x-amz-server-side-encryption", "aws:kms", not_played),
        ("a key of KMS", true, "x-amz-server-side-encryption-aws-kms-key-id", "k", not_played),
        ("a key of the client's", true, "x-amz-server-side-encryption-customer-algorithm", "AES256", not_played),
        ("a lock", true, "x-amz-object-lock-mode", "GOVERNANCE", not_played),
        ("as much metadata as there may be", true, "x-amz-meta-made", &fits, (200, "")),
        ("too much metadata", true, "x-amz-meta-made", &long, (400, "MetadataTooLarge")),
    ];
    for (name, enforced, header, value, wanted) in rows {
        let mut world = with_bucket();
        if !enforced {
            assert_eq!(ours(&mut world, "PUT /ours?ownershipControls", preferred).0, 200, "{name}");
        }
        ours(&mut world, "PUT /ours/from", "one");
        let copy = [("x-amz-copy-source", "ours/from"), ("x-amz-metadata-directive", "REPLACE"), (header, value)];
        for (line, headers) in
            [("PUT /ours/key", &copy[2..]), ("POST /ours/key?uploads", &copy[2..]), ("PUT /ours/copy", &copy[..])]
        {
            let answer = send(&mut world, line, headers, "");
            assert_eq!((answer.0, answer.1.as_str()), wanted, "{name}: {line}: {}", text(&answer));
        }
    }
}

#[test]
fn an_object_is_encrypted_as_its_bucket_says() {
    let mut world = with_bucket();
    let rule = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";
    assert_eq!(ours(&mut world, "PUT /ours?encryption", rule).0, 200);
    for (name, algorithm, key, status) in [
        ("algorithm and key of the bucket", "aws:kms", "k", 200),
        ("another key", "aws:kms", "other", 501),
        ("another algorithm", "AES256", "", 501),
    ] {
        let headers =
            [("x-amz-server-side-encryption", algorithm), ("x-amz-server-side-encryption-aws-kms-key-id", key)];
        assert_eq!(send(&mut world, "PUT /ours/key", &headers, "one").0, status, "{name}");
    }
}

#[test]
fn a_reader_names_headers_of_the_answer() {
    let mut world = with_bucket();
    let first = [("content-type", "text/plain"), ("cache-control", "no-store")];
    send(&mut world, "PUT /ours/key", &first, "one");
    let query = "response-content-type=text/x-y&response-content-disposition=attachment%3B%20filename%3Da&response-expires=0&response-content-language=de&response-content-encoding=x";
    let rows = [
        ("as it was put", "", ["text/plain", "no-store", "", "", "", ""]),
        ("named", query, ["text/x-y", "no-store", "attachment; filename=a", "0", "de", "x"]),
        ("one", "response-cache-control=private", ["text/plain", "private", "", "", "", ""]),
    ];
    for (name, query, wanted) in rows {
        for method in ["GET", "HEAD"] {
            let got = ours(&mut world, &format!("{method} /ours/key?{query}"), "");
            let names = [
                "content-type",
                "cache-control",
                "content-disposition",
                "expires",
                "content-language",
                "content-encoding",
            ];
            assert_eq!(names.map(|one| header(&got, one)), wanted, "{name}: {method}");
            assert_eq!(got.2.headers().get_all("content-type").iter().count(), 1, "{name}");
        }
    }
}
