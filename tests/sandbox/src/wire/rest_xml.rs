//! restXml as S3 speaks it. S3 reads its requests itself; here its operations get their names, virtual-hosted
//! and chunked requests become plain ones, and refusals become XML.

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Method, Request, Response};

use super::{form, query::escaped, reply};
use crate::aws::Refusal;

/// Sub-resources of a bucket: the query name, and what the operations on it are called.
#[rustfmt::skip]
const SUBRESOURCES: &[(&str, &str, &str, &str)] = &[
    ("versioning", "GetBucketVersioning", "PutBucketVersioning", ""),
    ("tagging", "GetBucketTagging", "PutBucketTagging", "DeleteBucketTagging"),
    ("encryption", "GetBucketEncryption", "PutBucketEncryption", "DeleteBucketEncryption"),
    ("publicAccessBlock", "GetPublicAccessBlock", "PutPublicAccessBlock", "DeletePublicAccessBlock"),
    ("ownershipControls", "GetBucketOwnershipControls", "PutBucketOwnershipControls", "DeleteBucketOwnershipControls"),
    ("policy", "GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"),
    ("accelerate", "GetBucketAccelerateConfiguration", "PutBucketAccelerateConfiguration", ""),
    ("replication", "GetBucketReplication", "PutBucketReplication", "DeleteBucketReplication"),
    ("requestPayment", "GetBucketRequestPayment", "PutBucketRequestPayment", ""),
    ("website", "GetBucketWebsite", "PutBucketWebsite", "DeleteBucketWebsite"),
    ("lifecycle", "GetBucketLifecycleConfiguration", "PutBucketLifecycleConfiguration", "DeleteBucketLifecycle"),
    ("acl", "GetBucketAcl", "PutBucketAcl", ""),
    ("cors", "GetBucketCors", "PutBucketCors", "DeleteBucketCors"),
    ("notification", "GetBucketNotificationConfiguration", "PutBucketNotificationConfiguration", ""),
    ("logging", "GetBucketLogging", "PutBucketLogging", ""),
    ("policyStatus", "GetBucketPolicyStatus", "", ""),
    ("object-lock", "GetObjectLockConfiguration", "PutObjectLockConfiguration", ""),
    ("location", "GetBucketLocation", "", ""),
    ("versions", "ListObjectVersions", "", ""),
    ("uploads", "ListMultipartUploads", "", ""),
];

/// What S3 calls the operation of a request in path style; empty where it has no name here.
pub(super) fn operation(request: &Request<Bytes>) -> &'static str {
    let path = request.uri().path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let names: Vec<String> =
        form(request.uri().query().unwrap_or_default()).into_iter().map(|(name, _)| name).collect();
    let has = |name: &str| names.iter().any(|one| one == name);
    let method = request.method();
    if bucket.is_empty() {
        return if method == Method::GET { "ListBuckets" } else { "" };
    }
    if key.is_empty() {
        return bucket_operation(method, &has);
    }
    match (method.as_str(), has("tagging"), has("acl")) {
        ("GET", true, _) => "GetObjectTagging",
        ("PUT", true, _) => "PutObjectTagging",
        ("DELETE", true, _) => "DeleteObjectTagging",
        ("GET", _, true) => "GetObjectAcl",
        ("PUT", _, true) => "PutObjectAcl",
        ("GET", ..) if has("attributes") => "GetObjectAttributes",
        ("GET", ..) if has("retention") => "GetObjectRetention",
        ("PUT", ..) if has("retention") => "PutObjectRetention",
        ("GET", ..) if has("legal-hold") => "GetObjectLegalHold",
        ("PUT", ..) if has("legal-hold") => "PutObjectLegalHold",
        ("POST", ..) if has("uploads") => "CreateMultipartUpload",
        ("POST", ..) if has("uploadId") => "CompleteMultipartUpload",
        ("PUT", ..) if has("uploadId") && request.headers().contains_key("x-amz-copy-source") => "UploadPartCopy",
        ("PUT", ..) if has("uploadId") => "UploadPart",
        ("GET", ..) if has("uploadId") => "ListParts",
        ("DELETE", ..) if has("uploadId") => "AbortMultipartUpload",
        ("GET", ..) => "GetObject",
        ("HEAD", ..) => "HeadObject",
        ("PUT", ..) if request.headers().contains_key("x-amz-copy-source") => "CopyObject",
        ("PUT", ..) => "PutObject",
        ("DELETE", ..) => "DeleteObject",
        _ => "",
    }
}

fn bucket_operation(method: &Method, has: &dyn Fn(&str) -> bool) -> &'static str {
    if let Some((_, get, put, delete)) = SUBRESOURCES.iter().find(|(name, ..)| has(name)) {
        return match method.as_str() {
            "GET" => get,
            "PUT" => put,
            "DELETE" => delete,
            _ => "",
        };
    }
    match method.as_str() {
        "HEAD" => "HeadBucket",
        "PUT" => "CreateBucket",
        "DELETE" => "DeleteBucket",
        "GET" if has("list-type") => "ListObjectsV2",
        "GET" => "ListObjects",
        "POST" if has("delete") => "DeleteObjects",
        _ => "",
    }
}

/// The request in path style and with its plain body: a bucket in the host name moves into the path, and the
/// framing of `aws-chunked` (chunk sizes, signatures, trailers) is taken off.
pub fn plain(request: Request<Bytes>) -> Request<Bytes> {
    let (mut parts, mut body) = request.into_parts();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let host = parts.uri.host().map_or_else(|| header("host").to_owned(), str::to_owned);
    let path_and_query = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    if let Some(uri) = virtual_bucket(&host).and_then(|bucket| format!("/{bucket}{path_and_query}").parse().ok()) {
        parts.uri = uri;
    }
    let encoding = header("content-encoding").to_owned();
    if header("x-amz-content-sha256").starts_with("STREAMING-") || encoding.contains("aws-chunked") {
        // A body whose chunks are broken stays as it is, with the headers that say so: the service refuses it.
        let Some((bare, trailers)) = unframed(&body) else { return Request::from_parts(parts, body) };
        body = bare;
        let rest: Vec<&str> = encoding.split(',').map(str::trim).filter(|one| *one != "aws-chunked").collect();
        parts.headers.remove("content-encoding");
        parts.headers.remove("x-amz-content-sha256");
        if let (false, Ok(value)) = (rest.concat().is_empty(), rest.join(",").parse()) {
            parts.headers.insert("content-encoding", value);
        }
        // A checksum behind the body counts as one before it.
        parts.headers.extend(trailers);
    }
    Request::from_parts(parts, body)
}

fn virtual_bucket(host: &str) -> Option<&str> {
    let name = host.strip_suffix(".amazonaws.com")?;
    let at = name.find(".s3.").or_else(|| name.strip_suffix(".s3").map(str::len))?;
    Some(&name[..at])
}

/// The body out of its chunks, and the checksums that follow the last one.
fn unframed(mut framed: &[u8]) -> Option<(Bytes, Vec<(HeaderName, HeaderValue)>)> {
    let mut body = BytesMut::new();
    loop {
        let end = framed.windows(2).position(|pair| pair == b"\r\n")?;
        let size = std::str::from_utf8(&framed[..end]).ok()?.split(';').next()?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some((body.freeze(), trailers(&framed[end + 2..])));
        }
        body.extend_from_slice(framed.get(end + 2..end + 2 + size)?);
        framed = framed.get(end + 2 + size + 2..)?;
    }
}

fn trailers(behind: &[u8]) -> Vec<(HeaderName, HeaderValue)> {
    let lines = std::str::from_utf8(behind).unwrap_or_default().lines();
    let pairs = lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim(), value.trim()));
    let checksums = pairs.filter(|(name, _)| name.to_ascii_lowercase().starts_with("x-amz-checksum-"));
    checksums.filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?))).collect()
}

pub(super) fn refuse(refusal: &Refusal, id: &str) -> Response<Bytes> {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message><RequestId>{id}</RequestId></Error>",
        escaped(&refusal.code),
        escaped(&refusal.message)
    );
    reply(refusal.status, "application/xml", "x-amz-request-id", id, xml)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// terraform-provider-aws reads all of these of each bucket (internal/service/s3, resourceBucketRead).
    #[test]
    fn settings_of_a_bucket_have_names_of_their_own() {
        let rows = [
            ("website", "GetBucketWebsite"),
            ("accelerate", "GetBucketAccelerateConfiguration"),
            ("requestPayment", "GetBucketRequestPayment"),
            ("replication", "GetBucketReplication"),
            ("object-lock", "GetObjectLockConfiguration"),
        ];
        for (setting, name) in rows {
            let request = Request::builder().uri(format!("/bucket?{setting}=")).body(Bytes::new()).unwrap();
            assert_eq!(operation(&request), name, "{setting}");
        }
    }

    #[test]
    fn operations_have_the_names_of_the_api() {
        #[rustfmt::skip]
        let rows = [
            ("GET", "/", "ListBuckets"),
            ("PUT", "/b", "CreateBucket"),
            ("PUT", "/b/", "CreateBucket"),
            ("PUT", "/b?versioning", "PutBucketVersioning"),
            ("GET", "/b?list-type=2&prefix=x", "ListObjectsV2"),
            ("GET", "/b?versions", "ListObjectVersions"),
            ("POST", "/b?delete", "DeleteObjects"),
            ("PUT", "/b/some/key?x-id=PutObject", "PutObject"),
            ("HEAD", "/b/some/key", "HeadObject"),
            ("DELETE", "/b/some/key?versionId=1", "DeleteObject"),
            ("POST", "/b/some/key?uploads", "CreateMultipartUpload"),
            ("PUT", "/b/some/key?uploadId=1&partNumber=1", "UploadPart"),
            ("GET", "/b/some/key?uploadId=1", "ListParts"),
            ("DELETE", "/b/some/key?uploadId=1", "AbortMultipartUpload"),
            ("GET", "/b?uploads", "ListMultipartUploads"),
            ("PUT", "/b/some/key?retention", "PutObjectRetention"),
            ("GET", "/b/some/key?legal-hold&versionId=1", "GetObjectLegalHold"),
            ("GET", "/b?object-lock", "GetObjectLockConfiguration"),
            ("PATCH", "/b/some/key", ""),
        ];
        for (method, uri, name) in rows {
            let request = Request::builder().method(method).uri(uri).body(Bytes::new()).unwrap();
            assert_eq!(operation(&request), name, "{method} {uri}");
        }
    }

    #[test]
    fn a_chunked_and_virtual_hosted_request_becomes_a_plain_one() {
        let framed = "5;chunk-signature=00\r\nhello\r\n1\r\n!\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n";
        let request = Request::builder()
            .method("PUT")
            .uri("https://my-bucket.s3.eu-west-1.amazonaws.com/key?x-id=PutObject")
            .header("content-encoding", "aws-chunked,gzip")
            .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .body(Bytes::from_static(framed.as_bytes()))
            .unwrap();
        let plain = plain(request);
        assert_eq!(plain.body().as_ref(), b"hello!");
        assert_eq!(plain.uri().to_string(), "/my-bucket/key?x-id=PutObject");
        assert_eq!(plain.headers()["content-encoding"], "gzip");
        assert_eq!(plain.headers()["x-amz-checksum-crc32"], "AAAA", "what follows the body");
    }
}
