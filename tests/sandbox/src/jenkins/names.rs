//! Which names an item may have: `Jenkins.checkGoodName`, with its messages.

/// Trims a name and refuses what Jenkins refuses.
///
/// # Errors
/// The text of `X-Error`.
pub fn check_good_name(name: &str) -> Result<&str, String> {
    let name = name.trim();
    match name {
        "" => return Err("No name is specified".into()),
        "." | ".." => return Err(format!("‘{name}’ is not an allowed name")),
        _ => {}
    }
    if name.ends_with('.') {
        return Err("A name cannot end with ‘.’".into());
    }
    if let Some(control) = name.chars().find(|c| c.is_control()) {
        let shown: String = name.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        return Err(format!("No control characters are allowed: U+{:04X} in {shown}", u32::from(control)));
    }
    match name.chars().find(|c| "?*/\\%!@#$^&|<>[]:;".contains(*c)) {
        Some(unsafe_sign) => Err(format!("‘{unsafe_sign}’ is an unsafe character")),
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
    }
}
