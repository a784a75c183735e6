//! GetObject and HeadObject: the conditions, the range or part asked for, and the headers of an object. Apart from
//! `objects` because all of it only looks.

use bytes::Bytes;
use http::Method;

use super::super::Refusal;
use super::buckets::of;
use super::conditions::{self, Read};
use super::objects::{Version, asked_version};
use super::{Asked, Reply, checksum, xml};
use crate::world::World;

/// Where a piece begins and how long it is.
type Piece = Option<(usize, usize)>;

/// The piece that a `Range` header asks for. Several ranges, and what is no range at all, ask for the whole object (S3
/// was seen to answer both so).
fn range(text: &str, size: usize) -> Result<Piece, Refusal> {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let number = |text: &str| text.parse::<usize>().ok();
    let piece = match (first, number(first), number(last)) {
        ("", _, Some(length)) => Some((size.saturating_sub(length), length.min(size))),
        (_, Some(first), Some(last)) if first <= last => {
            Some((first, last.saturating_add(1).min(size).saturating_sub(first)))
        }
        (_, Some(first), None) if last.is_empty() => Some((first, size.saturating_sub(first))),
        _ => return Ok(None),
    };
    match piece {
        Some((_, 0)) => {
            let refusal = Refusal::new("InvalidRange", "The requested range is not satisfiable").with_status(416);
            Err(refusal.with_detail("RangeRequested", text).with_detail("ActualObjectSize", size.to_string()))
        }
        piece => Ok(piece),
    }
}

/// A part's number in a query.
pub(super) fn part_number(text: &str) -> Result<u16, Refusal> {
    text.parse().ok().filter(|number| (1..=10_000).contains(number)).ok_or_else(|| {
        let message = "Part number must be an integer between 1 and 10000, inclusive";
        let refusal = Refusal::new("InvalidArgument", message).with_detail("ArgumentName", "partNumber");
        refusal.with_detail("ArgumentValue", text)
    })
}

/// The piece that a part's number asks for: an object that came in one piece has one part.
fn part(text: &str, version: &Version, size: usize) -> Result<Piece, Refusal> {
    let number = usize::from(part_number(text)?);
    let whole = [size];
    let parts = if version.parts.is_empty() { &whole[..] } else { &version.parts };
    let length = parts.get(number - 1).copied().ok_or_else(|| {
        let refusal = Refusal::new("InvalidPartNumber", "The requested partnumber is not satisfiable").with_status(416);
        let refusal = refusal.with_detail("PartNumberRequested", text);
        refusal.with_detail("ActualPartCount", parts.len().to_string())
    })?;
    Ok(Some((parts[..number - 1].iter().sum(), length)))
}

/// Headers of the answer that a query may set, and by which parameter (API reference of GetObject, "Overriding response
/// header values through the request").
const REPLACED: [(&str, &str); 6] = [
    ("content-type", "response-content-type"),
    ("content-language", "response-content-language"),
    ("expires", "response-expires"),
    ("cache-control", "response-cache-control"),
    ("content-disposition", "response-content-disposition"),
    ("content-encoding", "response-content-encoding"),
];

pub(super) fn get(world: &World, asked: &Asked<'_>) -> Reply {
    let version = asked_version(world, asked)?;
    let modified = version.modified.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    match conditions::read(version, world.now, |name| asked.header(name)) {
        Read::Met => {}
        Read::Failed(condition) => return Err(conditions::failed(condition)),
        Read::Unchanged(_) => {
            let headers = [("etag", version.etag.as_str()), ("last-modified", &modified)];
            return Ok(xml::reply(304, &headers, Bytes::new()));
        }
    }
    let body = version.body.clone().unwrap_or_default();
    let size = body.len();
    let piece = match (asked.header("range"), asked.parameter("partNumber")) {
        (text, "") => range(text, size)?,
        ("", number) => part(number, version, size)?,
        _ => {
            let message = "Cannot specify both Range header and partNumber query parameter";
            return Err(Refusal::new("InvalidRequest", message));
        }
    };
    // A piece without a byte has no range: the one part of an empty object.
    let piece = piece.filter(|(_, length)| *length > 0);
    let body = piece.map_or_else(|| body.clone(), |(first, length)| body.slice(first..first + length));
    let mut headers = headers(world, asked, version)?;
    headers.push(("last-modified".into(), modified));
    headers.push(("content-length".into(), body.len().to_string()));
    if let Some((first, length)) = piece {
        headers.push(("content-range".into(), format!("bytes {first}-{}/{size}", first + length - 1)));
    }
    for (name, wanted) in REPLACED {
        if !asked.parameter(wanted).is_empty() {
            headers.retain(|(kept, _)| kept != name);
            headers.push((name.into(), asked.parameter(wanted).to_owned()));
        }
    }
    if asked.has("partNumber") && !version.parts.is_empty() {
        headers.push(("x-amz-mp-parts-count".into(), version.parts.len().to_string()));
    }
    let head = asked.request.method() == Method::HEAD;
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let status = if piece.is_some() { 206 } else { 200 };
    Ok(xml::reply(status, &headers, if head { Bytes::new() } else { body }))
}

/// The headers that tell of an object, whole or not. A checksum of the whole goes with the whole alone.
fn headers(world: &World, asked: &Asked<'_>, version: &Version) -> Result<Vec<(String, String)>, Refusal> {
    let bucket = of(world, asked)?;
    let shown = if bucket.settings.versioning.is_empty() { "" } else { version.id.as_str() };
    let tags = if version.tags.is_empty() { String::new() } else { version.tags.len().to_string() };
    let mut headers: Vec<(String, String)> = [
        ("etag", version.etag.as_str()),
        ("content-type", &version.content_type),
        ("x-amz-version-id", shown),
        ("x-amz-tagging-count", &tags),
        ("x-amz-server-side-encryption", &bucket.settings.encryption.0),
        ("accept-ranges", "bytes"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    headers.extend(version.headers.clone());
    headers.extend(version.metadata.iter().map(|(name, value)| (format!("x-amz-meta-{name}"), value.clone())));
    let whole = asked.header("range").is_empty() && !asked.has("partNumber");
    if let (Some((algorithm, sum)), "ENABLED", true) = (&version.checksum, asked.header("x-amz-checksum-mode"), whole) {
        headers.push((format!("x-amz-checksum-{algorithm}"), sum.clone()));
        headers.push(("x-amz-checksum-type".into(), checksum::kind(sum).into()));
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::range;

    #[test]
    fn a_range_asks_for_a_piece_or_counts_for_nothing() {
        let rows = [
            ("from the start", "bytes=0-3", Ok(Some((0, 4)))),
            ("one byte", "bytes=9-9", Ok(Some((9, 1)))),
            ("beyond the end", "bytes=8-99", Ok(Some((8, 2)))),
            ("to the end", "bytes=4-", Ok(Some((4, 6)))),
            ("the last bytes", "bytes=-4", Ok(Some((6, 4)))),
            ("more last bytes than there are", "bytes=-99", Ok(Some((0, 10)))),
            ("no last bytes", "bytes=-0", Err("InvalidRange")),
            ("behind the end", "bytes=10-", Err("InvalidRange")),
            ("far behind the end", "bytes=20-30", Err("InvalidRange")),
            ("backwards", "bytes=3-1", Ok(None)),
            ("several", "bytes=0-1,3-4", Ok(None)),
            ("another unit", "lines=0-1", Ok(None)),
            ("nothing", "", Ok(None)),
        ];
        for (name, text, wanted) in rows {
            assert_eq!(range(text, 10).map_err(|refusal| refusal.code), wanted.map_err(str::to_owned), "{name}");
        }
    }
}
