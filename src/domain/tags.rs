//! Which tags of a resource are the operator's to take off. A resource that takes tags from its spec carries a record of
//! their keys in a tag of its own, so that a tag which leaves the spec leaves the resource, and tags that other people
//! put there stay. It makes and compares maps, and asks nobody.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::identity::{Owned, digest};

/// Hex digits that stand for a key in the record; a tag's value takes 256 characters.
const DIGITS: usize = 5;

type Tags = BTreeMap<String, String>;

/// The tags of a spec with the record of their keys. No service is given an empty value, which Service Catalog refuses.
pub fn recorded(resource: Owned, of_spec: &Tags) -> Tags {
    let mut tags = of_spec.clone();
    if !of_spec.is_empty() {
        tags.insert(resource.record_tag(), of_spec.keys().map(|key| key_digest(key)).collect());
    }
    tags
}

/// The keys of tags that a resource carries because an earlier spec asked for them, and this one does not.
pub fn outlived(resource: Owned, wanted: &Tags, observed: &Tags) -> BTreeSet<String> {
    let record_tag = resource.record_tag();
    let record = observed.get(&record_tag).map(String::as_str).unwrap_or_default();
    let known = |key: &str| (0..record.len() / DIGITS).any(|n| record.get(n * DIGITS..(n + 1) * DIGITS) == Some(key));
    let ours = |key: &&String| **key == record_tag || known(&key_digest(key));
    observed.keys().filter(|key| !wanted.contains_key(*key)).filter(ours).cloned().collect()
}

/// Whether a resource lacks a tag, has another value for it, or carries one that has outlived its spec.
pub fn differ(resource: Owned, wanted: &Tags, observed: &Tags) -> bool {
    wanted.iter().any(|(key, value)| observed.get(key) != Some(value))
        || !outlived(resource, wanted, observed).is_empty()
}

/// All tags that a resource is to carry, for a service that replaces them all: other people's, and ours. Those of AWS
/// itself (`aws:`) cannot be given.
pub fn merged(resource: Owned, wanted: &Tags, observed: &Tags) -> Tags {
    let outlived = outlived(resource, wanted, observed);
    let mut tags = observed.clone();
    tags.retain(|key, _| !outlived.contains(key) && !key.starts_with("aws:"));
    tags.extend(wanted.clone());
    tags
}

fn key_digest(key: &str) -> String {
    digest(&[key])[..DIGITS].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_leaves_the_spec_leaves_the_resource_and_what_others_put_there_stays() {
        let before = recorded(Owned::Bucket, &tags(&[("cost", "7"), ("team", "red")]));
        let wanted = recorded(Owned::Bucket, &tags(&[("team", "blue")]));
        let mut observed = before.clone();
        observed.extend(tags(&[("theirs", "own"), ("aws:cloudformation:stack-name", "x")]));
        assert_eq!(outlived(Owned::Bucket, &wanted, &observed), BTreeSet::from(["cost".to_owned()]));
        let merged = merged(Owned::Bucket, &wanted, &observed);
        let mut all = wanted.clone();
        all.extend(tags(&[("theirs", "own")]));
        assert_eq!(merged, all);
        assert!(!differ(Owned::Bucket, &wanted, &merged), "another look changes nothing");
        assert!(differ(Owned::Bucket, &wanted, &observed));
    }

    #[test]
    fn a_spec_without_tags_leaves_no_record() {
        let before = recorded(Owned::Product, &tags(&[("cost", "7")]));
        let none = recorded(Owned::Product, &Tags::new());
        assert!(none.is_empty());
        let gone = outlived(Owned::Product, &none, &before);
        assert_eq!(gone, before.keys().cloned().collect());
    }

    #[test]
    fn a_record_that_somebody_cut_short_takes_nothing_of_theirs() {
        let mut observed = recorded(Owned::Stack, &tags(&[("cost", "7"), ("team", "red")]));
        for value in observed.iter_mut().filter(|(key, _)| **key == Owned::Stack.record_tag()).map(|(_, value)| value) {
            value.truncate(7);
        }
        assert_eq!(outlived(Owned::Stack, &recorded(Owned::Stack, &tags(&[("team", "red")])), &observed).len(), 1);
        assert!(outlived(Owned::Stack, &Tags::new(), &tags(&[("é", "x")])).is_empty());
    }
}
