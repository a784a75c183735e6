//! Files as files: the built-in project templates, the trigger's stack, and the archives with seed code. It reads none of them.
//! A published template's bytes never change: a new form is a new name.

// A name that says all needs no sentence; what is not obvious has one.
#![allow(missing_docs)]

pub mod archives;

/// The text of a built-in project template.
pub fn project_template(name: &str) -> Option<&'static str> {
    match name {
        "jenkins-git-v1" => Some(include_str!("jenkins-git-v1.yaml")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_built_in_template_is_known_by_its_name() {
        assert!(project_template("jenkins-git-v1").is_some());
        assert!(project_template("other").is_none());
    }
}
