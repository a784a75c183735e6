//! Lists of the uploads under way in a bucket and of an upload's parts, page by page. They only tell; `multipart` acts.

use std::collections::BTreeSet;

use super::super::Refusal;
use super::buckets::{millis, of, owner};
use super::listing::{Range, common};
use super::multipart::{Part, Upload, found};
use super::xml::{self, leaf};
use super::{Asked, Reply, checksum};
use crate::world::World;

/// The size of a page, at most a thousand.
fn most(asked: &Asked<'_>, name: &'static str) -> Result<usize, Refusal> {
    match asked.parameter(name) {
        "" => Ok(1000),
        text => text.parse().map(|most: usize| most.min(1000)).map_err(|_| {
            let message = format!("Provided {name} not an integer or within integer range");
            Refusal::new("InvalidArgument", message).with_detail("ArgumentName", name)
        }),
    }
}

/// Whose an upload is, and who began it.
fn people(account: &str, upload: &Upload) -> String {
    owner("Owner", account) + &format!("<Initiator>{}</Initiator>", leaf("ID", &upload.initiator))
}

/// The algorithm and type of an upload's checksums, where the client named them.
fn checksums(upload: &Upload) -> String {
    match &upload.algorithm {
        Some(algorithm) => leaf("ChecksumAlgorithm", &algorithm.to_uppercase()) + &leaf("ChecksumType", upload.kind()),
        None => String::new(),
    }
}

/// ListParts.
pub(super) fn parts(world: &World, asked: &Asked<'_>) -> Reply {
    let bucket = of(world, asked)?;
    let upload = found(bucket, asked)?.1;
    let most = most(asked, "max-parts")?;
    let after: u16 = match asked.parameter("part-number-marker") {
        "" => 0,
        text => text.parse().map_err(|_| {
            let message = "Provided part-number-marker not an integer or within integer range";
            Refusal::new("InvalidArgument", message).with_detail("ArgumentName", "part-number-marker")
        })?,
    };
    let entry = |(number, part): (&u16, &Part)| {
        let mut text = leaf("PartNumber", &number.to_string()) + &leaf("LastModified", &millis(part.modified));
        text += &(leaf("ETag", &part.etag) + &leaf("Size", &part.body.len().to_string()));
        if let Some((algorithm, sum)) = &part.checksum {
            text += &leaf(&checksum::element(algorithm), sum);
        }
        format!("<Part>{text}</Part>")
    };
    let mut rest = upload.parts.range(after.saturating_add(1)..);
    let page: Vec<(&u16, &Part)> = rest.by_ref().take(most).collect();
    let truncated = most > 0 && rest.next().is_some();
    let last = page.last().map_or(0, |(number, _)| **number);
    let mut text = leaf("Bucket", &asked.bucket) + &leaf("Key", &asked.key) + &leaf("UploadId", &upload.id);
    text += &(people(&bucket.account, upload) + &checksums(upload) + &leaf("StorageClass", "STANDARD"));
    text += &(leaf("PartNumberMarker", &after.to_string()) + &leaf("NextPartNumberMarker", &last.to_string()));
    text += &(leaf("MaxParts", &most.to_string()) + &leaf("IsTruncated", &truncated.to_string()));
    Ok(xml::document("ListPartsResult", &(text + &page.into_iter().map(entry).collect::<String>())))
}

/// ListMultipartUploads: by key, those of a key in the order in which they began.
pub(super) fn uploads(world: &World, asked: &Asked<'_>) -> Reply {
    let bucket = of(world, asked)?;
    let range = Range::new(asked, most(asked, "max-uploads")?);
    let (key_marker, id_marker) = (asked.parameter("key-marker"), asked.parameter("upload-id-marker"));
    // Without a key marker an upload's id is ignored (API reference of ListMultipartUploads, `upload-id-marker`).
    let mut skipping = !id_marker.is_empty() && !key_marker.is_empty();
    let (mut entries, mut groups, mut count) = (String::new(), BTreeSet::new(), 0);
    let (mut last, mut truncated) = ((String::new(), String::new()), false);
    for ((key, _), upload) in bucket.uploads.iter().filter(|((key, _), _)| key.starts_with(range.prefix)) {
        let group = range.group(key);
        let place = group.as_deref().unwrap_or(key);
        let at_marker = place == key_marker && skipping;
        if at_marker {
            skipping = upload.id != id_marker;
        }
        let passed = place < key_marker || (place == key_marker && (id_marker.is_empty() && !key_marker.is_empty()));
        if passed || at_marker || groups.contains(place) {
            continue;
        }
        if count == range.most {
            truncated = range.most > 0;
            break;
        }
        count += 1;
        last = (place.to_owned(), if group.is_some() { String::new() } else { upload.id.clone() });
        if let Some(group) = group {
            groups.insert(group);
            continue;
        }
        let mut text = leaf("Key", &range.shown(key)) + &leaf("UploadId", &upload.id);
        text += &(people(&bucket.account, upload) + &leaf("StorageClass", "STANDARD"));
        text += &(leaf("Initiated", &millis(upload.initiated)) + &checksums(upload));
        entries += &format!("<Upload>{text}</Upload>");
    }
    let mut text = leaf("Bucket", &asked.bucket) + &leaf("KeyMarker", &range.shown(key_marker));
    text += &(leaf("UploadIdMarker", id_marker) + &leaf("MaxUploads", &range.most.to_string()));
    text += &(leaf("Prefix", &range.shown(range.prefix)) + &range.told());
    text += &leaf("IsTruncated", &truncated.to_string());
    if truncated {
        text += &(leaf("NextKeyMarker", &range.shown(&last.0)) + &leaf("NextUploadIdMarker", &last.1));
    }
    Ok(xml::document("ListMultipartUploadsResult", &(text + &entries + &common(&groups, &range))))
}
