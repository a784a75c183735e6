//! Takes the secrets of an object out of texts, however they are written there. A remote side may repeat what it was sent:
//! quoted, escaped, encoded, cut off at its end. It stands alone as the only place that knows these forms, and which texts
//! of a status are free ones. It must not touch what the operator reads back: placement, intents, ids.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::crd::status::MlopsProjectStatus;
use crate::domain::secret::{SHORTEST, Secret};

/// What stands for a secret in a text.
const MASK: &str = "(a secret)";
/// How many bytes of a secret at the end of a text count as one that was cut off there.
const CUT_OFF: usize = 8;
/// Lines of a longer secret are looked for by themselves from this many characters on.
const SHORTEST_LINE: usize = 8;
/// Of a secret with more lines only the whole is looked for.
const MOST_LINES: usize = 50;
/// Bytes of all forms; from there on secrets are looked for as they are: no object needs more, and a hostile one could fill
/// the memory that all share.
const MOST_BYTES: usize = 512 * 1024;
/// Longer secrets are not looked for in forms of forms: no token is, and hostile ones would make many large texts.
const LONGEST_TWICE: usize = 256;

/// Knows the secrets of an object in all their forms.
#[derive(Default)]
pub struct Scrubber {
    /// By their first byte, the longest first: what one form begins with may be another.
    forms: BTreeMap<u8, Vec<Form>>,
}

/// One way to write a secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Form {
    text: String,
    /// Whether it is a part of a text in base64, of which nothing stays.
    base64: bool,
}

impl Scrubber {
    /// Looks for these secrets; those of fewer than four characters would be found everywhere and are left out.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut all = BTreeSet::new();
        let mut bytes = 0;
        for secret in secrets.into_iter().filter(|secret| !secret.is_short()) {
            let secret = secret.reveal().trim();
            let plain = Form { text: secret.to_owned(), base64: false };
            let forms = if bytes < MOST_BYTES { forms(secret) } else { BTreeSet::from([plain]) };
            bytes += forms.iter().map(|form| form.text.len()).sum::<usize>();
            all.extend(forms);
        }
        let mut forms: BTreeMap<u8, Vec<Form>> = BTreeMap::new();
        for form in all {
            if let Some(first) = form.text.bytes().next() {
                forms.entry(first).or_default().push(form);
            }
        }
        for same in forms.values_mut() {
            same.sort_by_key(|form| std::cmp::Reverse(form.text.len()));
        }
        Self { forms }
    }

    /// The text without the secrets. What was taken out before stays as it is, so that doing it again changes nothing.
    pub fn clean(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(sign) = rest.chars().next() {
            let found = self.found(rest);
            // What stands for a secret stays, unless it is the beginning of one.
            if let Some(after) = rest.strip_prefix(MASK)
                && found.is_none_or(|(length, _)| length <= MASK.len())
            {
                shown.push_str(MASK);
                rest = after;
                continue;
            }
            let Some((length, base64)) = found else {
                shown.push(sign);
                rest = &rest[sign.len_utf8()..];
                continue;
            };
            rest = &rest[length..];
            if base64 {
                let kept = shown.trim_end_matches(of_base64).len();
                shown.truncate(kept);
                rest = rest.trim_start_matches(|sign| of_base64(sign) || matches!(sign, '=' | '%'));
            }
            shown.push_str(MASK);
        }
        shown
    }

    /// Cleans the texts of a status that were not in it `before`, but those that the operator reads back: placement and
    /// intents, which it makes itself, and the project's id with the moment of its last change. What stood there before is
    /// left: somebody who may write a status could else see what of it is a secret.
    pub fn clean_status(&self, status: &mut MlopsProjectStatus, before: &MlopsProjectStatus) {
        let mut before = before.clone();
        let known: BTreeSet<String> = free_texts(&mut before).into_iter().map(|text| text.clone()).collect();
        for text in free_texts(status).into_iter().filter(|text| !known.contains(*text)) {
            *text = self.clean(text);
        }
    }

    /// How much of the beginning of the text is a secret, and whether it is part of a text in base64.
    fn found(&self, rest: &str) -> Option<(usize, bool)> {
        let forms = self.forms.get(rest.as_bytes().first()?)?;
        if let Some(form) = forms.iter().find(|form| rest.starts_with(&form.text)) {
            return Some((form.text.len(), form.base64));
        }
        // Only what says that it was cut off: any other end is a text of its own, and no place to try signs one by one.
        let end = rest.strip_suffix('…').or_else(|| rest.strip_suffix("...")).unwrap_or_default();
        let cut_off = |form: &&Form| end.len() >= CUT_OFF && form.text.starts_with(end);
        forms.iter().find(cut_off).map(|form| (end.len(), form.base64))
    }
}

/// The texts of a status that a remote side may have a part in.
fn free_texts(status: &mut MlopsProjectStatus) -> Vec<&mut String> {
    let MlopsProjectStatus { conditions, artifacts, catalog, project, jobs, trigger, .. } = status;
    let mut texts: Vec<&mut String> = conditions.iter_mut().map(|condition| &mut condition.message).collect();
    if let Some(artifacts) = artifacts {
        texts.extend([&mut artifacts.bucket, &mut artifacts.template_url]);
    }
    if let Some(catalog) = catalog {
        texts.push(&mut catalog.version);
        texts.extend(catalog.product_url.as_mut());
    }
    if let Some(project) = project {
        texts.extend([&mut project.bucket, &mut project.model_package_group]);
        texts.extend(project.stack_events_url.as_mut());
        texts.extend(project.repositories.iter_mut().map(|repository| &mut repository.seed_code));
    }
    if let Some(jobs) = jobs {
        texts.push(&mut jobs.folder);
        texts.extend(jobs.url.as_mut());
        texts.extend(jobs.items.iter_mut().map(|job| &mut job.url));
    }
    if let Some(trigger) = trigger {
        texts.push(&mut trigger.stack_id);
        texts.extend(trigger.stack_events_url.iter_mut().chain(&mut trigger.logs_url));
    }
    texts
}

fn of_base64(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || matches!(sign, '+' | '/' | '-' | '_')
}

/// All ways to write a secret.
fn forms(secret: &str) -> BTreeSet<Form> {
    let mut plain = BTreeSet::from([secret.to_owned()]);
    // Texts of a remote side come on one line, with one blank for each run of white space.
    let words = secret.split(|sign: char| sign.is_whitespace() || sign.is_control()).filter(|word| !word.is_empty());
    plain.insert(words.collect::<Vec<_>>().join(" "));
    let lines = secret.lines().map(str::trim).filter(|line| line.chars().count() >= SHORTEST_LINE);
    if secret.lines().nth(MOST_LINES).is_none() {
        plain.extend(lines.map(str::to_owned));
    }
    plain.retain(|text| text.chars().count() >= SHORTEST);
    let once = written(&plain);
    let all = if secret.len() <= LONGEST_TWICE { written(&once) } else { once };
    let in_ascii = |text: &String| in_json(text).chars().map(in_ascii).collect();
    let sources: BTreeSet<String> =
        plain.iter().flat_map(|text| [text.clone(), in_json(text), in_ascii(text)]).collect();
    let encoded: BTreeSet<String> = sources.iter().flat_map(|text| in_base64(text)).collect();
    let form = |base64| move |text| Form { text, base64 };
    all.into_iter().map(form(false)).chain(encoded.into_iter().map(form(true))).collect()
}

/// The texts, and each as it is written inside of JSON, XML and URLs.
fn written(texts: &BTreeSet<String>) -> BTreeSet<String> {
    let ways: [fn(&str) -> String; 12] = [
        in_json,
        |text| in_json(text).replace('/', "\\/"),
        |text| in_json(text).chars().map(in_ascii).collect(),
        |text| in_xml(text, "&quot;", "&apos;", "&gt;"),
        |text| in_xml(text, "&#34;", "&#39;", "&gt;"),
        |text| in_xml(text, "\"", "'", "&gt;"),
        |text| in_xml(text, "\"", "'", ">"),
        |text| in_url(text, "-._~", "%20"),
        |text| in_url(text, "-._~/", "%20"),
        |text| in_url(text, "-._~!*'()", "%20"),
        |text| in_url(text, "-._*", "+"),
        in_url_of_small_letters,
    ];
    let each = texts.iter().flat_map(|text| ways.iter().map(move |way| way(text)));
    texts.iter().cloned().chain(each).collect()
}

fn in_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The sign as JSON has it that keeps to ASCII.
fn in_ascii(sign: char) -> String {
    if sign.is_ascii() {
        return sign.to_string();
    }
    sign.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

fn in_xml(text: &str, quote: &str, apostrophe: &str, greater: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str(greater),
            '"' => written.push_str(quote),
            '\'' => written.push_str(apostrophe),
            other => written.push(other),
        }
    }
    written
}

/// The text with all bytes escaped but letters, digits and those kept.
fn in_url(text: &str, kept: &str, blank: &str) -> String {
    escaped(text, kept, blank, b"0123456789ABCDEF")
}

fn in_url_of_small_letters(text: &str) -> String {
    escaped(text, "-._~", "%20", b"0123456789abcdef")
}

fn escaped(text: &str, kept: &str, blank: &str, digits: &[u8; 16]) -> String {
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => written.push_str(blank),
            byte if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) => written.push(char::from(byte)),
            byte => {
                let digit = |half: u8| char::from(digits[usize::from(half & 15)]);
                written.extend(['%', digit(byte >> 4), digit(byte)]);
            }
        }
    }
    written
}

/// What stands in base64, of both alphabets, wherever the text begins in what is encoded: its signs that no neighbour has
/// a share in, also with those signs escaped that JSON and URLs escape. Three bytes make four signs, so there are three
/// places to begin at.
fn in_base64(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (before, shared) in [(0, 0), (1, 2), (2, 3)] {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(text.as_bytes());
        let whole = bytes.len() * 8 / 6;
        let encoded = STANDARD_NO_PAD.encode(bytes);
        let part = encoded[shared..whole].to_owned();
        let in_url = |plus, slash| part.replace('+', plus).replace('/', slash);
        found.extend([in_url("-", "_"), in_url("%2B", "%2F"), in_url("%2b", "%2f"), part.replace('/', "\\/"), part]);
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use serde_json::json;

    use super::*;
    use crate::crd::status::{JobStatus, JobsStatus, ProjectStatus, RepositoryStatus};

    /// With every sign that some form escapes.
    const TOKEN: &str = "22f00d\"f00d\\f00d/f00d+f00d=f00d&<f00d>'é~~???>>> f00d*(!)";

    fn job(url: &str) -> JobStatus {
        JobStatus { name: "preprocess".to_owned(), url: url.to_owned() }
    }

    fn cleaned(secrets: &[&str], text: &str) -> String {
        let secrets: Vec<Secret> = secrets.iter().map(|text| Secret::new(*text)).collect();
        Scrubber::new(&secrets).clean(text)
    }

    #[test]
    fn a_secret_is_taken_out_of_a_text_however_it_is_written_there() {
        let quoted = json!(TOKEN).to_string();
        let form: String = url::form_urlencoded::byte_serialize(TOKEN.as_bytes()).collect();
        let strict = in_url(TOKEN, "-._~", "%20");
        let rows = [
            ("as it is", format!("no {TOKEN} here"), "no (a secret) here"),
            ("twice in a row", format!("{TOKEN}{TOKEN}"), "(a secret)(a secret)"),
            ("in JSON", quoted.clone(), "\"(a secret)\""),
            ("in JSON of PHP", quoted.replace('/', "\\/"), "\"(a secret)\""),
            ("in JSON of ASCII alone", quoted.replace('é', "\\u00e9"), "\"(a secret)\""),
            ("in JSON in JSON", json!(quoted).to_string(), "\"\\\"(a secret)\\\"\""),
            ("in a URL's query", strict.clone(), "(a secret)"),
            ("in a URL, in small letters", in_url_of_small_letters(TOKEN), "(a secret)"),
            ("in a form", form, "(a secret)"),
            ("in a URL in a URL", in_url(&strict, "-._~", "%20"), "(a secret)"),
            ("in XML", format!("<a b=\"{}\"/>", quick_xml::escape::escape(TOKEN)), "<a b=\"(a secret)\"/>"),
            ("in XML, partly escaped", quick_xml::escape::partial_escape(TOKEN).into_owned(), "(a secret)"),
            ("in JSON in XML", quick_xml::escape::escape(quoted.as_str()).into_owned(), "&quot;(a secret)&quot;"),
            ("in base64", format!("[{}]", STANDARD.encode(TOKEN)), "[(a secret)]"),
            ("in base64 for URLs", format!("[{}]", URL_SAFE.encode(TOKEN)), "[(a secret)]"),
            ("behind one byte in base64", STANDARD.encode(format!("a{TOKEN}")), "(a secret)"),
            ("behind two bytes in base64", STANDARD.encode(format!("ab{TOKEN}c")), "(a secret)"),
            (
                "in a Basic header",
                format!("Basic {}, and", STANDARD.encode(format!("operator:{TOKEN}"))),
                "Basic (a secret), and",
            ),
            ("in JSON in base64", STANDARD.encode(&quoted), "(a secret)"),
            ("in base64 in a URL", in_url(&STANDARD.encode(TOKEN), "-._~", "%20"), "(a secret)"),
            ("cut off", format!("refused: {}…", &TOKEN[..9]), "refused: (a secret)…"),
            ("cut off in JSON", format!("refused: {}...", &quoted[1..10]), "refused: (a secret)..."),
            ("cut off early, which tells little", format!("refused: {}…", &TOKEN[..7]), "refused: 22f00d\"…"),
            ("not there", "nothing of it".to_owned(), "nothing of it"),
        ];
        for (case, text, wanted) in rows {
            let told = cleaned(&[TOKEN], &text);
            assert_eq!(told, wanted, "{case}: {text}");
            assert_eq!(cleaned(&[TOKEN], &told), told, "{case}: cleaning twice changes nothing");
        }
    }

    #[test]
    fn secrets_of_any_shape_are_taken_out() {
        let key = "-----BEGIN KEY-----\nMIIBOgIBAAJBAK\r\nshort\n-----END KEY-----\n";
        let rows: [(&str, &[&str], &str, &str); 11] = [
            ("with a line break at its end", &["abcdef\n"], "<abcdef>", "<(a secret)>"),
            ("with blanks around it", &["  abcdef\t"], "<abcdef>", "<(a secret)>"),
            ("with blanks inside that a line does not keep", &["ab  \t cd"], "<ab cd>", "<(a secret)>"),
            ("of several lines, whole", &[key], key, "(a secret)\n"),
            ("of several lines, one of them", &[key], "at MIIBOgIBAAJBAK, line 2", "at (a secret), line 2"),
            ("of several lines, on one", &["abcd\nefgh"], "<abcd efgh>", "<(a secret)>"),
            ("of three characters", &["abc", " abc\n", ""], "abc and abc", "abc and abc"),
            ("of four characters", &["abcd"], "abcde", "(a secret)e"),
            ("one is the beginning of another", &["abcd", "abcdefgh"], "abcdefgh abcd", "(a secret) (a secret)"),
            ("one that the mask is made of", &["secret"], "secret (a secret)", "(a secret) (a secret)"),
            ("the mask itself", &["(a secret)", "a secret"], "a secret (a secret)", "(a secret) (a secret)"),
        ];
        for (case, secrets, text, wanted) in rows {
            assert_eq!(cleaned(secrets, text), wanted, "{case}");
            assert_eq!(cleaned(secrets, wanted), wanted, "{case}: cleaning twice changes nothing");
        }
        assert_eq!(Scrubber::default().clean("all of it"), "all of it");
    }

    #[test]
    fn a_long_secret_is_taken_out_without_much_memory() {
        let long = "\"&%\\".repeat(1024);
        let found = forms(&long);
        assert!(found.iter().map(|form| form.text.len()).sum::<usize>() < 2_000_000);
        for text in [long.clone(), in_json(&long), STANDARD.encode(&long)] {
            assert_eq!(cleaned(&[&long], &text), "(a secret)");
        }
    }

    #[test]
    fn sixty_hostile_secrets_take_little_memory_and_are_still_found() {
        let lines = |n: usize| (0..1800).map(|line| format!("?>'\"&{n:02}{line:04}\n")).collect::<String>();
        let secrets: Vec<Secret> = (0..60).map(|n| Secret::new(lines(n))).collect();
        let scrubber = Scrubber::new(&secrets);
        let bytes: usize = scrubber.forms.values().flatten().map(|form| form.text.len()).sum();
        assert!(bytes < 4_000_000, "{bytes} bytes");
        assert_eq!(scrubber.clean(&format!("it was {}", lines(59).trim())), "it was (a secret)");
    }

    #[test]
    fn a_guess_is_not_confirmed_sign_by_sign() {
        assert_eq!(
            cleaned(&[TOKEN], &format!("which holds parameter {}", &TOKEN[..9])),
            format!("which holds parameter {}", &TOKEN[..9])
        );
        let mut status = MlopsProjectStatus {
            jobs: Some(JobsStatus { items: vec![job(TOKEN)], ..JobsStatus::default() }),
            ..MlopsProjectStatus::default()
        };
        let before = status.clone();
        Scrubber::new(&[Secret::new(TOKEN)]).clean_status(&mut status, &before);
        assert_eq!(status, before, "what somebody wrote into the status is no question that is answered");
    }

    #[test]
    fn the_texts_of_a_status_are_cleaned_and_what_is_read_back_is_not() {
        let condition = |message: &str| {
            serde_json::from_value(json!({
                "type": "Ready", "status": "True", "reason": "InSync", "message": message,
                "lastTransitionTime": "2026-03-01T12:00:00Z",
            }))
            .unwrap()
        };
        let status = |text: &str| MlopsProjectStatus {
            conditions: vec![condition(&format!("refused: {text}"))],
            placement: Some(crate::fixture::place()),
            project: Some(ProjectStatus {
                id: "p-1".into(),
                repositories: vec![RepositoryStatus { name: "build".into(), seed_code: text.into() }],
                ..ProjectStatus::default()
            }),
            jobs: Some(JobsStatus { items: vec![job(&format!("https://ci.example/{text}"))], ..JobsStatus::default() }),
            ..MlopsProjectStatus::default()
        };
        let place = crate::fixture::place();
        let secrets =
            [TOKEN, "p-1-", "True", "Ready", "build", "2026", place.account_id.as_str(), place.region.as_str()];
        let secrets: Vec<Secret> = secrets.iter().map(|text| Secret::new(*text)).collect();
        let mut cleaned = status(TOKEN);
        Scrubber::new(&secrets).clean_status(&mut cleaned, &MlopsProjectStatus::default());
        assert_eq!(cleaned, status("(a secret)"));
    }
}
