//! The project that a template is judged for, as far as it is known. It stands alone since what is known decides whether a
//! finding is an error or a warning: what is not known is assumed, and every finding that hangs on an assumption names it.

use std::collections::BTreeMap;

use super::contract::{PROJECT_NAME, filled_by_operator};
use super::document::Node;

/// See the module. The default knows nothing: the template is judged for any project that may come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JudgedFor {
    /// The project's name. With it the judgement is of this one project: a parameter without a value has its default.
    pub project_name: Option<String>,
    /// Where the project will be.
    pub region: Option<String>,
    /// The account, of twelve digits.
    pub account: Option<String>,
    /// Values by parameter. `None` is a value that must not be told, and is therefore not tried.
    pub parameters: BTreeMap<String, Option<String>>,
}

/// What is known of a parameter's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known<'a> {
    Exactly(&'a str),
    /// There is one, which must not be told.
    Hidden,
    /// Whoever makes a project may give one, or leave the default.
    No,
}

impl JudgedFor {
    /// The value that a parameter will have, `definition` being what the template says of it.
    pub(super) fn value<'a>(&'a self, name: &str, definition: &'a Node) -> Known<'a> {
        let given = match name {
            PROJECT_NAME => return self.project_name.as_deref().map_or(Known::No, Known::Exactly),
            _ => self.parameters.get(name),
        };
        match given {
            Some(Some(value)) => Known::Exactly(value),
            Some(None) => Known::Hidden,
            None if self.project_name.is_none() || filled_by_operator(name) => Known::No,
            None => definition.get("Default").and_then(Node::text).map_or(Known::No, Known::Exactly),
        }
    }
}
