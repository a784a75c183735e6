//! What the conditions of an object say, as text and as answers to a few questions. Pure: it reads an object that somebody
//! else has fetched.

use serde_json::Value;

fn each(object: &Value) -> impl Iterator<Item = &Value> {
    object["status"]["conditions"].as_array().into_iter().flatten()
}

fn text<'a>(condition: &'a Value, field: &str) -> &'a str {
    condition[field].as_str().unwrap_or_default()
}

fn find<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    each(object).find(|condition| condition["type"] == kind)
}

fn line(subject: &str, condition: &Value) -> String {
    let message = if text(condition, "status") == "True" { "" } else { text(condition, "message") };
    let [status, reason] = ["status", "reason"].map(|field| text(condition, field));
    format!("{subject:<18} {status:<8} {reason:<18} {message}").trim_end().to_owned()
}

/// A line for each condition: type, status, reason, and the message where it does not hold.
pub(crate) fn lines(object: &Value) -> Vec<String> {
    each(object).map(|condition| line(text(condition, "type"), condition)).collect()
}

/// A line for `Ready` of an object of this title.
pub(crate) fn ready_line(title: &str, object: &Value) -> Vec<String> {
    find(object, "Ready").map(|ready| line(title, ready)).into_iter().collect()
}

/// The conditions that do not hold, for the sentence at the end of a wait that was in vain.
pub(crate) fn unmet(object: &Value) -> String {
    let wrong = each(object).filter(|condition| condition["status"] != "True");
    let lines: Vec<String> = wrong
        .map(|one| format!("\n    {}: {}: {}", text(one, "type"), text(one, "reason"), text(one, "message")))
        .collect();
    if lines.is_empty() { "\n    the operator has set no condition".to_owned() } else { lines.concat() }
}

pub(crate) fn message(object: &Value, kind: &str) -> String {
    find(object, kind)
        .map_or("the operator has not looked at it yet", |condition| text(condition, "message"))
        .to_owned()
}

/// Ready, and of the present generation.
pub(crate) fn is_ready(object: &Value) -> bool {
    find(object, "Ready").is_some_and(|ready| ready["status"] == "True")
        && object["status"]["observedGeneration"] == object["metadata"]["generation"]
}

/// The reason for which Ready is False.
pub(crate) fn refused(object: &Value) -> Option<&str> {
    find(object, "Ready").filter(|ready| ready["status"] == "False").map(|ready| text(ready, "reason"))
}

/// Why nothing will come of it without a person, where that is so.
pub(crate) fn stalled(object: &Value) -> Option<String> {
    if find(object, "Stalled").is_some_and(|stalled| stalled["status"] == "True") {
        return Some(format!("needs a person: {}", message(object, "Stalled")));
    }
    let suspended = find(object, "Suspended").is_some();
    suspended.then(|| format!("cannot come: {}; rehearse it with suspend: false", message(object, "Suspended")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(conditions: &[(&str, &str, &str)], observed: i64) -> Value {
        let conditions: Vec<Value> = conditions
            .iter()
            .map(|(kind, status, reason)| json!({"type": kind, "status": status, "reason": reason, "message": "why"}))
            .collect();
        json!({"metadata": {"generation": 2}, "status": {"observedGeneration": observed, "conditions": conditions}})
    }

    #[test]
    fn conditions_are_told() {
        let rows = [
            ("ready", object(&[("Ready", "True", "Succeeded")], 2), true, None),
            ("of the generation before", object(&[("Ready", "True", "Succeeded")], 1), false, None),
            ("on its way", object(&[("Ready", "Unknown", "Progressing")], 2), false, None),
            (
                "needs a person",
                object(&[("Ready", "False", "InvalidSpec"), ("Stalled", "True", "InvalidSpec")], 2),
                false,
                Some("needs a person: why"),
            ),
            ("suspended", object(&[("Suspended", "True", "Suspended")], 2), false, Some("cannot come: why; rehearse")),
            ("nothing yet", json!({}), false, None),
        ];
        for (case, object, ready, sentence) in rows {
            assert_eq!(is_ready(&object), ready, "{case}");
            let stalled = stalled(&object);
            assert_eq!(stalled.is_some(), sentence.is_some(), "{case}: {stalled:?}");
            assert!(stalled.unwrap_or_default().starts_with(sentence.unwrap_or_default()), "{case}");
        }
    }

    #[test]
    fn a_message_is_shown_where_a_condition_does_not_hold() {
        let object = object(&[("Ready", "False", "Blocked"), ("JobsReady", "True", "InSync")], 2);
        let shown = lines(&object);
        assert!(shown[0].starts_with("Ready ") && shown[0].ends_with("why"), "{shown:?}");
        assert!(shown[1].ends_with("InSync"), "{shown:?}");
        assert_eq!(unmet(&object), "\n    Ready: Blocked: why");
        assert!(unmet(&json!({})).contains("no condition"));
        let brief = ready_line("ml-team/taxi", &object);
        assert!(brief.len() == 1 && brief[0].starts_with("ml-team/taxi ") && brief[0].ends_with("why"), "{brief:?}");
        assert_eq!(refused(&object), Some("Blocked"));
    }
}
