//! Every call of S3 names the account that must own the bucket, so that a bucket which somebody else made under the name that
//! we expect is neither read as ours nor written to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::time::Duration;

use crate::harness::operator::{ACCOUNT, Harness};
use mlops_sandbox::Settings;

/// Calls that have no such header: the one has no bucket, the other makes it (Amazon S3 API reference).
const WITHOUT: [&str; 2] = ["ListBuckets", "CreateBucket"];

#[tokio::test(start_paused = true)]
async fn every_call_of_a_life_names_the_buckets_owner() {
    let mut harness = Harness::new(Settings::default()).await;
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("Ready=True/Succeeded", Duration::from_mins(10)).await;
    harness.delete();
    harness.until_gone(Duration::from_mins(20)).await;
    let journal = harness.sandbox.journal();
    let calls: Vec<_> = journal.iter().filter(|entry| entry.service == "s3").collect();
    let without: BTreeSet<_> = calls
        .iter()
        .filter(|entry| !WITHOUT.contains(&entry.operation.as_str()))
        .filter(|entry| entry.headers.get("x-amz-expected-bucket-owner").is_none_or(|owner| owner != ACCOUNT))
        .map(|entry| format!("{} {}", entry.operation, entry.uri))
        .collect();
    assert_eq!(without, BTreeSet::new());
    let named: BTreeSet<_> = calls.iter().map(|entry| entry.operation.as_str()).collect();
    for expected in ["GetBucketTagging", "PutObject", "DeleteObjects", "DeleteBucket", "ListObjectVersions"] {
        assert!(named.contains(expected), "{expected} was never called: {named:?}");
    }
    harness.stop().await;
}
