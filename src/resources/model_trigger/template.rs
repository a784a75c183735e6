//! The trigger stack's template, put together from two files: the function's source becomes a block scalar in the
//! YAML. Nothing that varies goes in: all of that is parameters.

use std::sync::LazyLock;

use crate::domain::identity::digest;

const TEMPLATE: &str = include_str!("../../templates/model-trigger.yaml");
const FUNCTION: &str = include_str!("../../templates/model_trigger.py");
/// The line of the template that stands for the function's source.
const PLACE: &str = "# model_trigger.py";

/// The template as CloudFormation gets it.
pub static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut text = String::with_capacity(TEMPLATE.len() + 2 * FUNCTION.len());
    for line in TEMPLATE.lines() {
        match line.strip_suffix(PLACE) {
            Some(indent) if indent.trim().is_empty() => {
                for line in FUNCTION.lines() {
                    // An empty line needs no indentation in a block scalar.
                    let indent = if line.is_empty() { "" } else { indent };
                    text.extend([indent, line, "\n"]);
                }
            }
            _ => text.extend([line, "\n"]),
        }
    }
    text
});

/// Its fingerprint: hex SHA-256.
pub static SHA256: LazyLock<String> = LazyLock::new(|| digest(&[&TEXT]));

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_yaml::Value;

    use super::*;

    #[test]
    fn the_function_stands_in_the_template_word_by_word() {
        let template: Value = serde_yaml::from_str(&TEXT).unwrap();
        let code = template["Resources"]["Function"]["Properties"]["Code"]["ZipFile"].as_str().unwrap();
        assert_eq!(code, FUNCTION);
    }

    #[test]
    fn the_template_fits_into_a_request_with_room_to_spare() {
        assert!(TEXT.len() < 49_500, "{} bytes; CloudFormation takes 51,200", TEXT.len());
    }
}
