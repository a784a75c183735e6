//! Whatever a remote side sends, it is read or refused, never a reason to fall over: properties over texts made at
//! random, with the failing one shrunk and printed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mlops_operator::adapters::aws::errors::service_fault;
use mlops_operator::domain::identity::Identity;
use mlops_operator::domain::scrubber::Scrubber;
use mlops_operator::domain::secret::Secret;
use mlops_operator::resources::jenkins_jobs::document::{self, Element};
use mlops_operator::resources::jenkins_jobs::marker::{Marker, describe, split};
use mlops_operator::resources::jenkins_jobs::xml;
use mlops_operator::template_lint::declared_parameters;
use proptest::prelude::*;

use crate::harness::project::{bare, place};

/// Text that looks enough like XML to get deep into the reader.
fn nearly_xml() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("<".to_owned()),
        Just("</".to_owned()),
        Just("/>".to_owned()),
        Just("<flow-definition plugin='a@1'>".to_owned()),
        Just("</flow-definition>".to_owned()),
        Just("<![CDATA[".to_owned()),
        Just("]]>".to_owned()),
        Just("<?xml version='1.1' encoding='UTF-8'?>".to_owned()),
        Just("<!DOCTYPE a [<!ENTITY b 'c'>]>".to_owned()),
        Just("&#x1;&#55296;&b;".to_owned()),
        "\\PC{0,8}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

fn element() -> impl Strategy<Value = Element> {
    let text = "\\PC{0,12}|[\\x01-\\x1f\\x7f]{0,4}|[<>&'\"\\]]{0,6}";
    let leaf =
        ("[a-z][a-z.-]{0,8}", text).prop_map(|(name, text)| Element::leaf(&name, &document::representable(&text)));
    leaf.prop_recursive(4, 24, 4, |inner| {
        ("[a-z][a-z.-]{0,8}", prop::collection::vec(inner, 1..4))
            .prop_map(|(name, children)| Element::new(&name).with(children))
    })
}

fn identity() -> Identity {
    bare(place()).identity
}

proptest! {
    #[test]
    fn any_text_is_a_document_or_is_refused(text in nearly_xml()) {
        if let Ok(root) = document::parse(&text) {
            let _ = xml::read(&root);
            let _ = xml::folder_holds_more(&root);
        }
    }

    #[test]
    fn what_is_written_reads_the_same(root in element()) {
        prop_assert_eq!(document::parse(&document::write(&root).unwrap()), Ok(root));
    }

    #[test]
    fn a_marker_survives_any_description(text in "\\PC{0,40}(\\n\\PC{0,40}){0,3}", hash in "[0-9a-f]{0,32}") {
        let marker = Marker::new(&identity(), &["ml".to_owned(), "job".to_owned()], &hash);
        let (found, read) = split(&describe(&text, &marker));
        prop_assert_eq!(read, Some(marker));
        prop_assert_eq!(found, text);
    }

    #[test]
    fn any_description_is_taken_apart(text in any::<String>()) {
        let _ = split(&text);
    }

    #[test]
    fn a_refusal_is_one_line_of_bounded_length(status in 100_u16..600, code in "[A-Za-z]{0,30}", message in any::<String>()) {
        let fault = service_fault("create portfolio \"x\"", status, &code, &message.repeat(40));
        prop_assert!(!fault.message.contains(char::is_control));
        prop_assert!(fault.message.chars().count() < 1200);
    }

    #[test]
    fn a_secret_is_taken_out_wherever_it_stands(before in any::<String>(), after in any::<String>()) {
        let canary = "canary-11aabbccddeeff00112233445566778899";
        let told = Scrubber::new(&[Secret::new(canary)]).clean(&format!("{before}{canary}{after}"));
        prop_assert!(!told.contains(canary));
    }

    #[test]
    fn any_secret_is_taken_out_once_and_for_all(secret in "\\PC{8,24}|[a-c\"\\\\ %+/]{8,24}", before in any::<String>(), after in "\\PC{0,9}") {
        let secret = format!("2{secret}2");
        let scrubber = Scrubber::new(&[Secret::new(secret.as_str())]);
        for text in [secret.clone(), serde_json::json!(secret).to_string(), STANDARD.encode(format!("{before}{secret}{after}"))] {
            let told = scrubber.clean(&format!("{before}{text}{after}"));
            prop_assert!(!told.contains(&text), "{told}");
            prop_assert_eq!(scrubber.clean(&told), told);
        }
    }

    #[test]
    fn any_template_declares_something_or_nothing(text in "(Parameters:\\n)?(  [A-Z]{1,4}: *\\PC{0,10}\\n){0,4}\\PC{0,20}") {
        let _ = declared_parameters(&text);
    }
}

#[test]
fn a_document_nested_without_end_is_refused() {
    assert!(document::parse(&"<a>".repeat(1_000_000)).is_err());
}
