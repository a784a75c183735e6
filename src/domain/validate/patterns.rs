//! Patterns of a shared platform in which `{namespace}` stands for the project's namespace: what they cover, and whose that
//! is where one covers it for several namespaces. It knows no namespaces but those that it is told of.

use crate::domain::grants::matches;

/// What stands for the project's namespace in patterns.
const NAMESPACE: &str = "{namespace}";

/// Tells which namespaces' names stand in a text.
pub type NamespacesIn<'a> = &'a dyn Fn(&str) -> Vec<String>;

/// Why a name may not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal<'a> {
    /// No pattern covers it.
    Uncovered,
    /// This pattern does, and covers it for another namespace, too, whose name is no shorter: it is that one's.
    Anothers(&'a str),
}

/// Whether a project of this namespace may use a name. `namespaces_in` tells which namespaces' names stand in a text, and is
/// asked only where that matters; without it, nobody else's claim counts.
///
/// # Errors
/// Why it may not.
pub(super) fn check<'a>(
    patterns: &'a [String],
    namespace: &str,
    name: &str,
    namespaces_in: Option<NamespacesIn<'_>>,
) -> Result<(), Refusal<'a>> {
    let mut refusal = Refusal::Uncovered;
    for pattern in patterns.iter().filter(|pattern| matches(&filled(pattern, namespace), name)) {
        let asked = namespaces_in.filter(|_| pattern.contains(NAMESPACE));
        let is_claimed = asked.is_some_and(|namespaces_in| is_anothers(pattern, namespace, name, namespaces_in));
        if !is_claimed {
            return Ok(());
        }
        refusal = Refusal::Anothers(pattern);
    }
    Err(refusal)
}

/// A pattern, or a list of patterns, as it reads for this namespace.
pub(super) fn filled(pattern: &str, namespace: &str) -> String {
    pattern.replace(NAMESPACE, namespace)
}

fn is_anothers(pattern: &str, namespace: &str, name: &str, namespaces_in: NamespacesIn<'_>) -> bool {
    // Git providers take names in any case.
    let name = name.to_lowercase();
    let claims = |other: &String| {
        other != namespace && other.len() >= namespace.len() && matches(&filled(&pattern.to_lowercase(), other), &name)
    };
    namespaces_in(&name).iter().any(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pattern_covers_for_several_namespaces_is_the_longests() {
        let existing = ["ml", "ml-prod", "ml-prod-eu", "ops", "prod-ml", "mlx"];
        let namespaces_in = |text: &str| -> Vec<String> {
            existing.iter().filter(|one| text.contains(**one)).map(|one| (*one).to_owned()).collect()
        };
        type Row<'a> = (&'a str, &'a [&'a str], &'a str, &'a str, Result<(), Refusal<'a>>);
        let rows: [Row<'_>; 19] = [
            ("its own", &["a/{namespace}-*"], "ml", "a/ml-build", Ok(())),
            (
                "a longer namespace's",
                &["a/{namespace}-*"],
                "ml",
                "a/ml-prod-build",
                Err(Refusal::Anothers("a/{namespace}-*")),
            ),
            (
                "the same in another case",
                &["a/{namespace}-*"],
                "ml",
                "a/ml-PROD-build",
                Err(Refusal::Anothers("a/{namespace}-*")),
            ),
            ("the longer one itself", &["a/{namespace}-*"], "ml-prod", "a/ml-prod-build", Ok(())),
            (
                "a third, longer still",
                &["a/{namespace}-*"],
                "ml-prod",
                "a/ml-prod-eu-build",
                Err(Refusal::Anothers("a/{namespace}-*")),
            ),
            ("the longest of them", &["a/{namespace}-*"], "ml-prod-eu", "a/ml-prod-eu-build", Ok(())),
            ("a name as far as a namespace's", &["a/{namespace}-*"], "ml", "a/ml-prod", Ok(())),
            ("a name that goes on otherwise", &["a/{namespace}-*"], "ml", "a/ml-production", Ok(())),
            ("no namespace of that name", &["a/{namespace}-*"], "ml", "a/ml-test-build", Ok(())),
            ("nobody's", &["a/{namespace}-*"], "ml", "a/build", Err(Refusal::Uncovered)),
            ("only another's", &["a/{namespace}-*"], "ml", "a/ops-build", Err(Refusal::Uncovered)),
            ("no sign between", &["a/{namespace}*"], "ml", "a/mlx", Err(Refusal::Anothers("a/{namespace}*"))),
            ("at the end", &["a/*-{namespace}"], "ml", "a/build-prod-ml", Err(Refusal::Anothers("a/*-{namespace}"))),
            (
                "two that are as long",
                &["a/*{namespace}*"],
                "ops",
                "a/mlx-ops",
                Err(Refusal::Anothers("a/*{namespace}*")),
            ),
            ("a sign that no namespace has", &["a/{namespace}_*"], "ml", "a/ml_prod-build", Ok(())),
            ("a group of its own", &["a/{namespace}/*"], "ml", "a/ml/prod-build", Ok(())),
            ("for all namespaces", &["a/*"], "ml", "a/ml-prod-build", Ok(())),
            ("another pattern allows it", &["a/{namespace}-*", "a/ml-prod-*"], "ml", "a/ml-prod-build", Ok(())),
            ("nothing is allowed", &[], "ml", "a/ml-build", Err(Refusal::Uncovered)),
        ];
        for (case, patterns, namespace, name, expected) in rows {
            let patterns: Vec<String> = patterns.iter().map(|one| (*one).to_owned()).collect();
            assert_eq!(check(&patterns, namespace, name, Some(&namespaces_in)), expected, "{case}");
            let kept = check(&patterns, namespace, name, None);
            let covered = expected != Err(Refusal::Uncovered);
            assert_eq!(kept.is_ok(), covered, "{case}, of a project that has it");
        }
    }

    #[test]
    fn other_namespaces_are_asked_for_only_where_one_could_have_a_name() {
        let never = |text: &str| -> Vec<String> { unreachable!("asked for {text}") };
        let patterns = ["a/{namespace}-*".to_owned(), "b/*".to_owned()];
        assert_eq!(check(&patterns, "ml", "b/ml-prod", Some(&never)), Ok(()));
        assert_eq!(check(&patterns, "ml", "c/ml-prod", Some(&never)), Err(Refusal::Uncovered));
    }
}
