//! Which names an item may have: `Jenkins.checkGoodName`, with its messages.

/// Trims a name and refuses what Jenkins refuses.
///
/// # Errors
/// The text of `X-Error`.
pub fn check_good_name(name: &str) -> Result<&str, String> {
    let name = name.trim();
    match name {
        "" => return Err("No name is specified".into()),
        "." | ".." => return Err(format!("“{name}” is not an allowed name")),
        _ => {}
    }
    match name.chars().find(|c| c.is_control() || "?*/\\%!@#$^&|<>[]:;".contains(*c)) {
        Some(control) if control.is_control() => {
            let shown = |c: char| if c.is_control() { format!("\\u{};", u32::from(c)) } else { c.to_string() };
            Err(format!("No control code is allowed: {}", name.chars().map(shown).collect::<String>()))
        }
        Some(unsafe_sign) => Err(format!("‘{unsafe_sign}’ is an unsafe character")),
        None if name.ends_with('.') => Err("A name cannot end with ‘.’".into()),
        None => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn names_are_judged_as_jenkins_judges_them() {
        for good in ["sagemaker-a-p-1-preprocess", "with blank", "ümlaut", "a+b=c,(d)~'e'\"f\""] {
            assert_eq!(check_good_name(good).unwrap(), good);
        }
        assert_eq!(check_good_name("  trimmed ").unwrap(), "trimmed");
        for bad in ["", " ", ".", "..", "ends.", "a/b", "a?b", "a\u{7}b", "a;b", "a%b"] {
            assert!(check_good_name(bad).is_err(), "{bad:?}");
        }
        assert_eq!(check_good_name("a\u{7}b").unwrap_err(), "No control code is allowed: a\\u7;b");
    }
}
