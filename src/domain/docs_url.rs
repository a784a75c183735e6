//! Where the documentation is published, so that a condition can end with the page of its reason. It stands alone because the
//! configuration reads it and conditions write it. It asks nobody whether the pages are there.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::crd::status::Reason;

/// Longest address: what is left of a condition's message must hold a sentence.
const LONGEST: usize = 200;

/// What a schema can say of such an address; the whole rule is the type's.
pub const DOCS_URL: &str = r"^(https://[^/:@?#\s][^@?#\s]*)?$";

/// The documentation's address, without a slash at its end; empty: it is not published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct DocsUrl(String);

impl DocsUrl {
    /// The page of a reason, where the documentation is published.
    pub fn page(&self, reason: Reason) -> Option<String> {
        (!self.0.is_empty()).then(|| format!("{}/reasons/{reason}.html", self.0))
    }
}

impl TryFrom<String> for DocsUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let refused = |what: &str| {
            Err(format!("{text:?} {what}: docsUrl is empty, or an https:// URL such as https://docs.example.com/mlops"))
        };
        let Some(rest) = text.strip_prefix("https://") else { return refused("does not begin with https://") };
        let plain = |sign: char| sign.is_ascii_graphic() && !"\"'<>\\`{|}^@?#".contains(sign);
        if rest.is_empty() || rest.starts_with(['/', ':']) {
            return refused("names no host");
        }
        if !rest.chars().all(plain) {
            return refused("has a blank, a user, a query, a fragment or another sign that no such URL needs");
        }
        if text.len() > LONGEST {
            return refused("has more than 200 characters");
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn only_an_https_url_is_taken() {
        let rows = [
            ("none", "", Ok(None)),
            ("a host", "https://docs.example.com", Ok(Some("https://docs.example.com/reasons/RoleMissing.html"))),
            (
                "a path and a slash",
                "https://a.example/mlops/",
                Ok(Some("https://a.example/mlops/reasons/RoleMissing.html")),
            ),
            ("plain http", "http://docs.example.com", Err("does not begin with https://")),
            ("no URL", "docs", Err("does not begin with https://")),
            ("no host", "https:///mlops", Err("names no host")),
            ("a user", "https://me@docs.example.com", Err("has a blank, a user")),
            ("a query", "https://docs.example.com?v=1", Err("a query")),
            ("a line break", "https://docs.example.com\n", Err("has a blank")),
        ];
        for (case, text, wanted) in rows {
            let found = DocsUrl::try_from(text.to_owned()).map(|url| url.page(Reason::RoleMissing));
            match (found, wanted) {
                (Ok(found), Ok(wanted)) => assert_eq!(found.as_deref(), wanted, "{case}"),
                (Err(found), Err(wanted)) => assert!(found.contains(wanted), "{case}: {found}"),
                (found, _) => panic!("{case}: {found:?}"),
            }
        }
        assert!(DocsUrl::try_from(format!("https://{}", "a".repeat(LONGEST))).is_err(), "too long");
    }
}
