//! Lists of a bucket's objects and versions, page by page. S3 lists objects without a lag (since December 2020).

use std::collections::BTreeSet;
use std::ops::Bound;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::Refusal;
use super::buckets::{Bucket, millis, of, owner};
use super::objects::Version;
use super::xml::{self, leaf};
use super::{Asked, Reply, checksum};
use crate::world::World;

/// Keys are URL-encoded on demand, but for these.
pub(super) const IN_LISTS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.');

/// What the parameters of a list ask for.
pub(super) struct Range<'a> {
    pub(super) prefix: &'a str,
    delimiter: &'a str,
    pub(super) most: usize,
    encoded: bool,
}

fn range<'a>(asked: &'a Asked<'_>) -> Result<Range<'a>, Refusal> {
    let most = match asked.parameter("max-keys") {
        "" => 1000,
        text => text
            .parse::<usize>()
            .map_err(|_| Refusal::new("InvalidArgument", "Provided max-keys not an integer or within integer range"))?,
    };
    Ok(Range::new(asked, most.min(1000)))
}

impl<'a> Range<'a> {
    /// What the parameters ask for, with this size of a page.
    pub(super) fn new(asked: &'a Asked<'_>, most: usize) -> Self {
        Self {
            prefix: asked.parameter("prefix"),
            delimiter: asked.parameter("delimiter"),
            most,
            encoded: asked.parameter("encoding-type") == "url",
        }
    }
}

impl Range<'_> {
    pub(super) fn shown(&self, key: &str) -> String {
        match self.encoded {
            true => utf8_percent_encode(key, IN_LISTS).to_string(),
            false => key.to_owned(),
        }
    }

    /// The common prefix that stands for this key, if a delimiter follows the prefix in it.
    pub(super) fn group(&self, key: &str) -> Option<String> {
        let rest = key.strip_prefix(self.prefix)?;
        let at = rest.find(self.delimiter).filter(|_| !self.delimiter.is_empty())?;
        Some(format!("{}{}", self.prefix, &rest[..at + self.delimiter.len()]))
    }

    fn echo(&self, asked: &Asked<'_>) -> String {
        let mut text = leaf("Name", &asked.bucket) + &leaf("Prefix", &self.shown(self.prefix));
        text += &(leaf("MaxKeys", &self.most.to_string()) + &self.told());
        text
    }

    /// The delimiter and the encoding, where they were asked for.
    pub(super) fn told(&self) -> String {
        let mut text = String::new();
        if !self.delimiter.is_empty() {
            text += &leaf("Delimiter", &self.shown(self.delimiter));
        }
        if self.encoded {
            text += &leaf("EncodingType", "url");
        }
        text
    }
}

pub(super) fn common(groups: &BTreeSet<String>, range: &Range<'_>) -> String {
    groups
        .iter()
        .map(|group| format!("<CommonPrefixes>{}</CommonPrefixes>", leaf("Prefix", &range.shown(group))))
        .collect()
}

/// The keys with their versions from where a list goes on to the end of its prefix.
fn keys<'b>(bucket: &'b Bucket, prefix: &'b str, after: &str) -> impl Iterator<Item = (&'b String, &'b Vec<Version>)> {
    let from = if after > prefix { after } else { prefix };
    bucket
        .objects
        .range::<str, _>((Bound::Included(from), Bound::Unbounded))
        .take_while(move |(key, _)| key.starts_with(prefix))
}

fn entry(range: &Range<'_>, key: &str, version: &Version) -> String {
    let size = version.body.as_ref().map_or(0, bytes::Bytes::len);
    let mut text = leaf("Key", &range.shown(key)) + &leaf("LastModified", &millis(version.modified));
    text += &(leaf("ETag", &version.etag) + &leaf("Size", &size.to_string()) + &leaf("StorageClass", "STANDARD"));
    if let Some((algorithm, sum)) = &version.checksum {
        text += &leaf("ChecksumAlgorithm", &algorithm.to_uppercase());
        text += &leaf("ChecksumType", checksum::kind(sum));
    }
    text
}

/// ListObjectsV2, and the older ListObjects.
pub(super) fn objects(world: &World, asked: &Asked<'_>) -> Reply {
    let range = range(asked)?;
    let newer = asked.parameter("list-type") == "2";
    let token = hex::decode(asked.parameter("continuation-token")).ok().and_then(|raw| String::from_utf8(raw).ok());
    let token = token.ok_or_else(|| Refusal::new("InvalidArgument", "The continuation token provided is incorrect"))?;
    let after = match (newer, token.is_empty()) {
        (true, false) => token,
        (true, true) => asked.parameter("start-after").to_owned(),
        (false, _) => asked.parameter("marker").to_owned(),
    };
    let (mut entries, mut groups, mut count, mut last) = (String::new(), BTreeSet::new(), 0, String::new());
    let mut truncated = false;
    let bucket = of(world, asked)?;
    // The older list always tells whose the objects are, the newer on demand (API references of both).
    let told = !newer || asked.parameter("fetch-owner") == "true";
    let owner = if told { owner("Owner", &bucket.account) } else { String::new() };
    for (key, versions) in keys(bucket, range.prefix, &after) {
        let Some(version) = versions.last().filter(|version| version.body.is_some()) else { continue };
        let group = range.group(key);
        let place = group.as_ref().unwrap_or(key);
        if *place <= after || groups.contains(place) {
            continue;
        }
        if count == range.most {
            // A list of no keys is whole (S3 was seen to say so).
            truncated = range.most > 0;
            break;
        }
        count += 1;
        last.clone_from(place);
        match group {
            Some(group) => _ = groups.insert(group),
            None => entries += &format!("<Contents>{}{owner}</Contents>", entry(&range, key, version)),
        }
    }
    let mut text = range.echo(asked) + &leaf("IsTruncated", &truncated.to_string());
    match newer {
        true => text += &newer_echo(asked, &range, count, truncated.then_some(last.as_str())),
        false => {
            text += &leaf("Marker", &range.shown(&after));
            // Without a delimiter the last key is the marker (API reference of ListObjects).
            if truncated && !range.delimiter.is_empty() {
                text += &leaf("NextMarker", &range.shown(&last));
            }
        }
    }
    Ok(xml::document("ListBucketResult", &(text + &entries + &common(&groups, &range))))
}

/// What ListObjectsV2 alone says of a page.
fn newer_echo(asked: &Asked<'_>, range: &Range<'_>, count: usize, last: Option<&str>) -> String {
    let mut text = leaf("KeyCount", &count.to_string());
    if asked.has("continuation-token") {
        text += &leaf("ContinuationToken", asked.parameter("continuation-token"));
    }
    if asked.has("start-after") {
        text += &leaf("StartAfter", &range.shown(asked.parameter("start-after")));
    }
    if let Some(last) = last {
        text += &leaf("NextContinuationToken", &hex::encode(last));
    }
    text
}

/// ListObjectVersions: the newest version of each key first.
pub(super) fn versions(world: &World, asked: &Asked<'_>) -> Reply {
    let range = range(asked)?;
    let (key_marker, id_marker) = (asked.parameter("key-marker"), asked.parameter("version-id-marker"));
    let (mut entries, mut groups, mut count) = (String::new(), BTreeSet::new(), 0);
    let (mut last, mut truncated) = ((String::new(), String::new()), false);
    let bucket = of(world, asked)?;
    let owner = owner("Owner", &bucket.account);
    'keys: for (key, versions) in keys(bucket, range.prefix, key_marker) {
        let group = range.group(key);
        let place = group.as_deref().unwrap_or(key);
        let passed = place < key_marker || (place == key_marker && id_marker.is_empty() && !key_marker.is_empty());
        if passed || groups.contains(place) {
            continue;
        }
        // Inside the marker's key the list goes on behind the marker's version.
        let mut skipping = place == key_marker && !id_marker.is_empty();
        for (at, version) in versions.iter().rev().enumerate() {
            if skipping {
                skipping = version.id != id_marker;
                continue;
            }
            if count == range.most {
                truncated = range.most > 0;
                break 'keys;
            }
            count += 1;
            last = (place.to_owned(), version.id.clone());
            if let Some(group) = &group {
                groups.insert(group.clone());
                last.1.clear();
                break;
            }
            entries += &version_entry(&range, key, version, at == 0, &owner);
        }
    }
    let mut text = range.echo(asked) + &leaf("IsTruncated", &truncated.to_string());
    text += &(leaf("KeyMarker", &range.shown(key_marker)) + &leaf("VersionIdMarker", id_marker));
    if truncated {
        text += &(leaf("NextKeyMarker", &range.shown(&last.0)) + &leaf("NextVersionIdMarker", &last.1));
    }
    Ok(xml::document("ListVersionsResult", &(text + &entries + &common(&groups, &range))))
}

fn version_entry(range: &Range<'_>, key: &str, version: &Version, latest: bool, owner: &str) -> String {
    let id = leaf("VersionId", &version.id) + &leaf("IsLatest", &latest.to_string()) + owner;
    match version.body {
        Some(_) => format!("<Version>{}{id}</Version>", entry(range, key, version)),
        None => {
            let marker = leaf("Key", &range.shown(key)) + &leaf("LastModified", &millis(version.modified));
            format!("<DeleteMarker>{marker}{id}</DeleteMarker>")
        }
    }
}
