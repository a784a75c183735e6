//! The checksums that clients send with a body, verified, and the ETag. CRCs are computed bit by bit: bodies here
//! are small.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha2::{Digest, Sha256};

use super::super::Refusal;
use super::Asked;

/// Reflected CRC of up to 64 bits with all bits set before and after.
fn crc(body: &[u8], polynomial: u64, bits: u32) -> Vec<u8> {
    let mask = u64::MAX >> (64 - bits);
    let mut rest = mask;
    for byte in body {
        rest ^= u64::from(*byte);
        for _ in 0..8 {
            rest = (rest >> 1) ^ if rest & 1 == 1 { polynomial } else { 0 };
        }
    }
    let skip = 8 - bits as usize / 8;
    ((rest ^ mask) & mask).to_be_bytes()[skip..].to_vec()
}

/// The checksum of a body in the form of the header `x-amz-checksum-<algorithm>`; `None`: not known here.
pub(super) fn of(algorithm: &str, body: &[u8]) -> Option<String> {
    let bytes = match algorithm {
        "crc32" => crc(body, 0xEDB8_8320, 32),
        "crc32c" => crc(body, 0x82F6_3B78, 32),
        "crc64nvme" => crc(body, 0x9A6C_9329_AC4B_C9B5, 64),
        "sha256" => Sha256::digest(body).to_vec(),
        _ => return None,
    };
    Some(STANDARD.encode(bytes))
}

/// Hex MD5 in quotation marks: the ETag of a body that came in one piece.
pub(super) fn etag(body: &[u8]) -> String {
    format!("\"{}\"", hex::encode(Md5::digest(body)))
}

/// Verifies every checksum that came with the body; gives (algorithm, checksum) of the one that S3 would keep.
///
/// # Errors
/// `BadDigest` where one differs, `InvalidRequest` where its algorithm is not known.
pub(super) fn verify(asked: &Asked<'_>) -> Result<Option<(String, String)>, Refusal> {
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
    for (name, value) in asked.request.headers() {
        let Some(algorithm) = name.as_str().strip_prefix("x-amz-checksum-") else { continue };
        if matches!(algorithm, "mode" | "type" | "algorithm") {
            continue;
        }
        let Some(computed) = of(algorithm, body) else {
            let message = format!("The algorithm type you specified in x-amz-checksum- header is invalid: {algorithm}");
            return Err(Refusal::new("InvalidRequest", message));
        };
        if value.as_bytes() != computed.as_bytes() {
            let name = algorithm.to_uppercase();
            return Err(Refusal::new(
                "BadDigest",
                format!("The {name} you specified did not match the calculated checksum."),
            ));
        }
        kept = Some((algorithm.to_owned(), computed));
    }
    if kept.is_none() {
        let asked_for = asked.header("x-amz-sdk-checksum-algorithm").to_lowercase();
        kept = of(&asked_for, body).map(|computed| (asked_for, computed));
    }
    Ok(kept)
}
