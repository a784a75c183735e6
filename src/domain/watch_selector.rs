//! The selector that says which objects an operator works on, in Kubernetes' syntax of label selectors: read, brought into one
//! form, matched, and made into the name of a Lease. It stands alone since kube can match a selector but not read one. It
//! knows labels alone: whose an object is that has a platform is for the shard to say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use kube::core::{Expression, Selector, SelectorExt};

use crate::domain::identity::digest;

/// Name of the Lease of an operator without a selector, and how the names of all others begin.
pub const LEASE: &str = "mlops-operator";
/// Characters that a selector may have: it stands in an annotation and in sentences.
const LONGEST: usize = 1024;
/// Hexadecimal digits of the digest in a Lease's name.
const DIGITS: usize = 10;

/// Labels as the API has them.
pub type Labels = BTreeMap<String, String>;

/// Which objects an operator works on; by default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchSelector(Selector);

impl WatchSelector {
    /// Whether it leaves no object out.
    pub fn selects_all(&self) -> bool {
        self.0.selects_all()
    }

    /// Whether it selects an object with these labels.
    pub fn selects(&self, labels: &Labels) -> bool {
        self.0.matches(labels)
    }

    /// Name of the Lease of the operators with this selector.
    pub fn lease(&self) -> String {
        if self.selects_all() {
            return LEASE.to_owned();
        }
        format!("{LEASE}-{}", &digest(&["watch-selector", &self.to_string()])[..DIGITS])
    }
}

impl fmt::Display for WatchSelector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)
    }
}

impl FromStr for WatchSelector {
    type Err = String;

    /// Reads a selector; what means the same becomes the same.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("the selector has {} characters, but must have at most {LONGEST}", text.len()));
        }
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let parsed: Vec<Expression> = parts(text)?.into_iter().map(expression).collect::<Result<_, _>>()?;
        let sorted: BTreeMap<String, Expression> =
            parsed.into_iter().map(|expression| (expression.to_string(), expression)).collect();
        let selector = Self(sorted.into_values().collect());
        // As it stands on its Lease, where others must be able to read it.
        match selector.to_string().len() {
            length if length > LONGEST => Err(format!(
                "the selector has {length} characters in the form that is written on its Lease, but must have at most {LONGEST}"
            )),
            _ => Ok(selector),
        }
    }
}

/// The requirements of a selector: what stands between commas outside of brackets.
fn parts(text: &str) -> Result<Vec<&str>, String> {
    let (mut parts, mut from, mut inside) = (Vec::new(), 0, false);
    for (at, sign) in text.char_indices() {
        match sign {
            '(' if inside => return Err(format!("{text:?} has a bracket within brackets")),
            ')' if !inside => return Err(format!("{text:?} closes a bracket that is not open")),
            '(' | ')' => inside = sign == '(',
            ',' if !inside => {
                parts.push(text[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err(format!("{text:?} has a bracket that is not closed"));
    }
    parts.push(text[from..].trim());
    Ok(parts)
}

/// One requirement.
fn expression(part: &str) -> Result<Expression, String> {
    let unknown = || {
        format!(
            "{part:?} is no requirement: write key, !key, key=value, key!=value, key in (a,b) or key notin (a,b), with commas between"
        )
    };
    if let Some(absent) = part.strip_prefix('!') {
        return key(absent.trim()).map(Expression::DoesNotExist);
    }
    let end = part.find(|sign: char| sign.is_whitespace() || "=!<>()".contains(sign)).unwrap_or(part.len());
    let (name, rest) =
        (key(&part[..end]).map_err(|error| if end == 0 { unknown() } else { error })?, part[end..].trim());
    if rest.is_empty() {
        return Ok(Expression::Exists(name));
    }
    let equal = rest.strip_prefix("==").or_else(|| rest.strip_prefix('='));
    if let Some(wanted) = equal {
        return Ok(Expression::Equal(name, value(wanted)?));
    }
    if let Some(unwanted) = rest.strip_prefix("!=") {
        return Ok(Expression::NotEqual(name, value(unwanted)?));
    }
    let listed = |word: &str| rest.strip_prefix(word).map(str::trim).filter(|rest| rest.starts_with('('));
    match (listed("in"), listed("notin")) {
        (Some(list), _) => values(list).ok_or_else(unknown)?.map(|values| match single(&values) {
            Some(value) => Expression::Equal(name, value),
            None => Expression::In(name, values),
        }),
        (None, Some(list)) => values(list).ok_or_else(unknown)?.map(|values| match single(&values) {
            Some(value) => Expression::NotEqual(name, value),
            None => Expression::NotIn(name, values),
        }),
        (None, None) => Err(unknown()),
    }
}

fn single(values: &BTreeSet<String>) -> Option<String> {
    values.first().filter(|_| values.len() == 1).cloned()
}

/// The values of a list in brackets; `None`: it is no list with something in it.
fn values(list: &str) -> Option<Result<BTreeSet<String>, String>> {
    let inner = list.strip_prefix('(')?.strip_suffix(')')?;
    (!inner.trim().is_empty()).then(|| inner.split(',').map(value).collect())
}

/// A label's value: up to 63 letters, digits, `-`, `_` and `.`, with a letter or digit at either end; or nothing.
fn value(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || is_name(text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} cannot be the value of a label: at most 63 letters, digits, '-', '_' and '.', with a letter or digit at either end"
    ))
}

/// A label's key: a name, and before it a domain and a slash where it has one.
fn key(text: &str) -> Result<String, String> {
    let (domain, name) = text.split_once('/').map_or((None, text), |(domain, name)| (Some(domain), name));
    let is_label = |label: &str| {
        is_name(label) && label.chars().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '-')
    };
    if is_name(name) && domain.is_none_or(|domain| domain.len() <= 253 && domain.split('.').all(is_label)) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} cannot be the key of a label: a name as in shard, or a domain and a name as in example.com/shard"
    ))
}

fn is_name(text: &str) -> bool {
    let at_ends = |sign: Option<char>| sign.is_some_and(|sign| sign.is_ascii_alphanumeric());
    let within = |sign: char| sign.is_ascii_alphanumeric() || "-_.".contains(sign);
    text.len() <= 63 && text.chars().all(within) && at_ends(text.chars().next()) && at_ends(text.chars().next_back())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> WatchSelector {
        text.parse().unwrap()
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_selector_is_read_as_kubernetes_reads_it() {
        let (blue, green, none) =
            (labels(&[("shard", "blue"), ("example.com/x", "")]), labels(&[("shard", "green")]), labels(&[]));
        let rows = [
            ("nothing selects all", " ", [true, true, true]),
            ("a value", "shard=blue", [true, false, false]),
            ("a value, with two signs and blanks", " shard == blue ", [true, false, false]),
            ("another value, or none", "shard!=blue", [false, true, true]),
            ("a list", "shard in (blue, red)", [true, false, false]),
            ("not in a list, or absent", "shard notin (blue,red)", [false, true, true]),
            ("present", "shard", [true, true, false]),
            ("absent", "!shard", [false, false, true]),
            ("absent, with a blank", "! shard", [false, false, true]),
            ("all of several", "shard,shard!=green", [true, false, false]),
            ("a domain, and an empty value", "example.com/x=", [true, false, false]),
            ("a list without a blank before it", "shard in(green)", [false, true, false]),
            ("a list with an empty value", "example.com/x in (,a)", [true, false, false]),
            ("keys that are words of the syntax", "!in,!notin", [true, true, true]),
        ];
        for (case, text, wanted) in rows {
            let selector = read(text);
            assert_eq!([&blue, &green, &none].map(|labels| selector.selects(labels)), wanted, "{case}");
        }
    }

    #[test]
    fn what_means_the_same_has_one_text_and_one_lease() {
        let rows = [
            ("signs and blanks", "a = b", "a==b", true),
            ("a list of one", "a in (b)", "a=b", true),
            ("not in a list of one", "a notin (b)", "a!=b", true),
            ("the order of requirements", "a=b,!c", "!c,a=b", true),
            ("the order of values", "a in (c,b)", "a in (b,c,b)", true),
            ("one twice", "a,a", "a", true),
            ("another value", "a=b", "a=c", false),
            ("all and some", "", "a", false),
        ];
        for (case, one, other, same) in rows {
            let (one, other) = (read(one), read(other));
            assert_eq!((one == other, one.lease() == other.lease()), (same, same), "{case}");
            assert_eq!(read(&one.to_string()), one, "{case}: its own text is read back");
        }
        assert_eq!(read("").lease(), "mlops-operator");
        assert_eq!(
            read("shard=blue").lease(),
            "mlops-operator-1c7d4db595",
            "names of Leases do not change with versions"
        );
    }

    #[test]
    fn what_is_wrong_is_said_in_a_sentence() {
        let long = format!("a={}", "b".repeat(64));
        let longest = "a,".repeat(600);
        let spread = (100..178).map(|one| format!("a{one} in(b,c)")).collect::<Vec<_>>().join(",");
        assert!(spread.len() <= LONGEST, "it is short enough as it is written");
        let rows = [
            ("nothing between commas", "a,,b", "\"\" is no requirement"),
            ("a comma at the end", "a,", "\"\" is no requirement"),
            ("a number compared", "a>5", "is no requirement"),
            ("two words", "a b", "is no requirement"),
            ("a list of nothing", "a in ()", "is no requirement"),
            ("a list without brackets", "a in b", "is no requirement"),
            ("words after a list", "a in (b) c", "is no requirement"),
            ("an open bracket", "a in (b", "has a bracket that is not closed"),
            ("a bracket too many", "a in (b))", "closes a bracket that is not open"),
            ("brackets in brackets", "a in ((b))", "has a bracket within brackets"),
            ("no key", "=b", "is no requirement"),
            ("a key of wrong signs", "a$=b", "cannot be the key of a label"),
            ("a domain in capitals", "Example.com/a=b", "cannot be the key of a label"),
            ("two slashes", "a/b/c", "cannot be the key of a label"),
            ("absent and a value", "!a=b", "cannot be the key of a label"),
            ("a value of wrong signs", "a=b/c", "cannot be the value of a label"),
            ("a value that is too long", &long, "cannot be the value of a label"),
            ("too long", &longest, "must have at most 1024"),
            ("too long once it is in the one form", &spread, "on its Lease, but must have at most 1024"),
        ];
        for (case, text, sentence) in rows {
            let said = text.parse::<WatchSelector>().unwrap_err();
            assert!(said.contains(sentence), "{case}: {said}");
        }
    }
}
