//! What is written down of metrics is what there is.

use std::path::Path;

use mlops_operator::metrics::document;

#[test]
fn the_documentation_has_every_metric_as_it_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document::FILE);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, document::markdown()).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == document::markdown(),
        "{} is not as the table of metrics has it: run `make golden`",
        document::FILE
    );
}
