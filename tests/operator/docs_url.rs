//! Where the documentation is published, what needs a person ends with the page of its reason, and nothing else does. Which
//! conditions those are, the table in `domain::conditions` has; this shows that the configuration reaches them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use crate::harness::operator::{Harness, NAMESPACE};
use mlops_operator::domain::docs_url::DocsUrl;
use mlops_sandbox::Settings;

const LONG: Duration = Duration::from_mins(10);

#[tokio::test(start_paused = true)]
async fn a_condition_that_needs_a_person_ends_with_the_page_of_its_reason() {
    let mut harness = Harness::new(Settings::default()).await;
    harness.config.docs_url = DocsUrl::try_from("https://docs.example.com/mlops/".to_owned()).unwrap();
    let _ = harness.kubernetes.delete("secrets", NAMESPACE, "jenkins");
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("Stalled=True/SecretMissing", LONG).await;
    for type_ in ["Ready", "Stalled"] {
        let said = harness.message(type_);
        assert!(said.ends_with("; see https://docs.example.com/mlops/reasons/SecretMissing.html"), "{type_}: {said}");
    }
    harness.put_jenkins_secret();
    harness.until_condition("Ready=True/Succeeded", LONG).await;
    let status = harness.object().unwrap()["status"].to_string();
    assert!(!status.contains("docs.example.com"), "{status}");
    harness.stop().await;
}
