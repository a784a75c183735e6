//! The documentation is as the types say: generated pages are not stale, and each reason has one.

use std::path::Path;

use mlops_operator::cli::docs;
use mlops_operator::crd::status::Reason;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_generated_pages_match_the_types() {
    let pages = docs::pages().unwrap();
    let stale: Vec<_> = pages
        .iter()
        .filter(|(name, text)| std::fs::read_to_string(root().join(name)).unwrap_or_default() != *text)
        .map(|(name, _)| name.display().to_string())
        .collect();
    assert!(stale.is_empty(), "run `mlops-operator docs`: {}", stale.join(", "));
    assert!(pages.len() > Reason::ALL.len(), "each reason has a page, and the kinds have one");
    assert_eq!(
        docs::orphans(root()).unwrap(),
        Vec::<std::path::PathBuf>::new(),
        "pages of reasons that there are no more"
    );
}

#[test]
fn the_table_of_contents_has_each_page_of_a_reason() {
    let summary = std::fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    for reason in Reason::ALL {
        assert!(summary.contains(&format!("[{reason}](reasons/{reason}.md)")), "docs/SUMMARY.md lacks {reason}");
    }
}
