//! The checksums that clients send with a body, verified, those that S3 makes of parts and whole objects, and the ETag.
//! CRCs are computed byte by byte with tables made at compile time. It knows bodies and headers, no objects.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::super::Refusal;
use super::Asked;

/// What S3 keeps where the client sends no checksum (S3 user guide, "Checking object integrity").
pub(super) const DEFAULT: &str = "crc64nvme";
/// All that are computed here. S3 knows more since 2026, which are refused.
pub(super) const KNOWN: [&str; 5] = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"];

/// The table of a reflected CRC.
const fn table(polynomial: u64) -> [u64; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut rest = at as u64;
        let mut bit = 0;
        while bit < 8 {
            rest = (rest >> 1) ^ if rest & 1 == 1 { polynomial } else { 0 };
            bit += 1;
        }
        table[at] = rest;
        at += 1;
    }
    table
}

static CRC32: [u64; 256] = table(0xEDB8_8320);
static CRC32C: [u64; 256] = table(0x82F6_3B78);
static CRC64NVME: [u64; 256] = table(0x9A6C_9329_AC4B_C9B5);

/// Reflected CRC of up to 64 bits with all bits set before and after.
fn crc(body: &[u8], table: &[u64; 256], bits: u32) -> Vec<u8> {
    let mask = u64::MAX >> (64 - bits);
    let next = |rest: u64, byte: &u8| table[usize::from(rest.to_le_bytes()[0] ^ byte)] ^ (rest >> 8);
    let rest = body.iter().fold(mask, next);
    let skip = 8 - bits as usize / 8;
    ((rest ^ mask) & mask).to_be_bytes()[skip..].to_vec()
}

fn raw(algorithm: &str, body: &[u8]) -> Option<Vec<u8>> {
    Some(match algorithm {
        "crc32" => crc(body, &CRC32, 32),
        "crc32c" => crc(body, &CRC32C, 32),
        "crc64nvme" => crc(body, &CRC64NVME, 64),
        "sha1" => Sha1::digest(body).to_vec(),
        "sha256" => Sha256::digest(body).to_vec(),
        _ => return None,
    })
}

/// The checksum of a body in the form of the header `x-amz-checksum-<algorithm>`; `None`: not known here.
pub(super) fn of(algorithm: &str, body: &[u8]) -> Option<String> {
    raw(algorithm, body).map(|bytes| STANDARD.encode(bytes))
}

/// The composite checksum of an object in parts: that of the parts' own checksums, with their count.
pub(super) fn composite<'a>(algorithm: &str, parts: impl Iterator<Item = &'a str>) -> Option<String> {
    let (mut all, mut count) = (Vec::new(), 0);
    for part in parts {
        all.extend(STANDARD.decode(part).ok()?);
        count += 1;
    }
    Some(format!("{}-{count}", of(algorithm, &all)?))
}

/// Whether a kept checksum is of the whole object or made of its parts'.
pub(super) fn kind(checksum: &str) -> &'static str {
    if checksum.contains('-') { "COMPOSITE" } else { "FULL_OBJECT" }
}

/// The name of an algorithm's element in a document: `ChecksumCRC32`.
pub(super) fn element(algorithm: &str) -> String {
    format!("Checksum{}", algorithm.to_uppercase())
}

/// Hex MD5 in quotation marks: the ETag of a body that came in one piece.
pub(super) fn etag(body: &[u8]) -> String {
    format!("\"{}\"", hex::encode(Md5::digest(body)))
}

/// The ETag of an object in parts: the MD5 of the parts' MD5s, and their count.
pub(super) fn etag_of_parts<'a>(etags: impl Iterator<Item = &'a str>) -> String {
    let (mut all, mut count) = (Vec::new(), 0);
    for etag in etags {
        all.extend(hex::decode(etag.trim_matches('"')).unwrap_or_default());
        count += 1;
    }
    format!("\"{}-{count}\"", hex::encode(Md5::digest(all)))
}

/// The checksums in the headers of a request: algorithm and value.
pub(super) fn sent<'a>(asked: &'a Asked<'_>) -> impl Iterator<Item = (&'a str, &'a str)> {
    asked.request.headers().iter().filter_map(|(name, value)| {
        let algorithm = name.as_str().strip_prefix("x-amz-checksum-")?;
        let value = value.to_str().unwrap_or_default();
        (!matches!(algorithm, "mode" | "type" | "algorithm")).then_some((algorithm, value))
    })
}

/// The refusal of a checksum that is not that of the body.
pub(super) fn differs(algorithm: &str) -> Refusal {
    let message = format!("The {} you specified did not match the calculated checksum.", algorithm.to_uppercase());
    Refusal::new("BadDigest", message)
}

/// Refuses a body in chunks that could not be taken apart, and one without the checksum that was to follow it (S3 was
/// seen to answer so: github.com/versity/versitygw/issues/1666 and 1600). A checksum that was announced for the end may
/// come in a header as well (github.com/pgsty/silo/pull/143).
fn framed(asked: &Asked<'_>) -> Result<(), Refusal> {
    if asked.header("x-amz-content-sha256").starts_with("STREAMING-") {
        return Err(Refusal::new("IncompleteBody", "The request body terminated unexpectedly"));
    }
    let mut announced = asked.header("x-amz-trailer").split(',').map(str::trim).filter(|name| !name.is_empty());
    match announced.all(|name| asked.request.headers().contains_key(name.to_ascii_lowercase())) {
        true => Ok(()),
        false => {
            let message = "The request contained trailing data that was not well-formed or did not conform to our published schema.";
            Err(Refusal::new("MalformedTrailerError", message))
        }
    }
}

/// Verifies every checksum that came with the body; gives (algorithm, checksum) of the one that S3 would keep.
///
/// # Errors
/// `BadDigest` where one differs, `InvalidRequest` where its algorithm is not known, `IncompleteBody` and
/// `MalformedTrailerError` where the body's chunks are not as they should be.
pub(super) fn verify(asked: &Asked<'_>) -> Result<Option<(String, String)>, Refusal> {
    framed(asked)?;
    let body = asked.body();
    let digest = asked.header("content-md5");
    if !digest.is_empty() && digest != STANDARD.encode(Md5::digest(body)) {
        return Err(Refusal::new("BadDigest", "The Content-MD5 you specified did not match what we received."));
    }
    let sha256 = asked.header("x-amz-content-sha256");
    if sha256.len() == 64 && sha256 != super::sha256(body) {
        let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
        return Err(Refusal::new("XAmzContentSHA256Mismatch", message));
    }
    let mut kept = None;
    for (algorithm, value) in sent(asked) {
        let Some(computed) = of(algorithm, body) else {
            let message = format!("The algorithm type you specified in x-amz-checksum- header is invalid: {algorithm}");
            return Err(Refusal::new("InvalidRequest", message));
        };
        if value != computed {
            return Err(differs(algorithm));
        }
        kept = Some((algorithm.to_owned(), computed));
    }
    if kept.is_none() {
        let asked_for = asked.header("x-amz-sdk-checksum-algorithm").to_lowercase();
        kept = of(&asked_for, body).map(|computed| (asked_for, computed));
    }
    Ok(kept)
}
