//! Which schedules a trigger may have: the grammar of `hudson.scheduler.CrontabParser` with the bounds of `BaseParser`,
//! line by line as `CronTabList.create` reads them. It stands alone since only validity matters: nothing runs by the
//! clock here. The name of a time zone is not judged, since the list is that of the Java runtime.

/// Lowest and highest value of minute, hour, day of the month, month, day of the week.
const BOUNDS: [(i64, i64); 5] = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];
/// Names of whole schedules, after an `@`.
const NAMES: [&str; 7] = ["yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly"];

/// Whether Jenkins takes the schedule; otherwise the trigger that has it is dropped on load (`Trigger.readResolve`).
pub(super) fn is_valid(spec: &str) -> bool {
    let lines = spec.split('\n').map(str::trim).enumerate();
    lines.filter(|(at, line)| !(*at == 0 && line.starts_with("TZ="))).all(|(_, line)| {
        line.is_empty() || line.starts_with('#') || line.strip_prefix('@').map_or(is_line(line), |n| NAMES.contains(&n))
    })
}

fn is_line(line: &str) -> bool {
    let fields: Vec<&str> = line.split([' ', '\t']).filter(|field| !field.is_empty()).collect();
    let all = fields.iter().zip(BOUNDS).enumerate();
    fields.len() == BOUNDS.len()
        && all.into_iter().all(|(at, (field, bounds))| field.split(',').all(|term| is_term(term, at, bounds)))
}

/// `*`, `*/5`, `7`, `1-5`, `1-5/2`, `H`, `H/15`, `H(0-29)`, `H(0-29)/10`.
fn is_term(term: &str, field: usize, (low, high): (i64, i64)) -> bool {
    let (body, step) = match term.split_once('/') {
        None => (term, Some(1)),
        Some((body, step)) => (body, number(step)),
    };
    let Some(step) = step.filter(|step| *step > 0) else { return false };
    let within = |value: &i64| (low..=high).contains(value);
    let range = |text: &str| {
        let (from, to) = text.split_once('-')?;
        Some((number(from).filter(within)?, number(to).filter(within)?))
    };
    if body == "*" {
        return true;
    }
    if body == "H" {
        // Days beyond the 28th and the second Sunday are left out of what is hashed.
        let high = [high, high, 28, high, 6][field];
        return step <= high - low + 1;
    }
    if let Some(inner) = body.strip_prefix("H(").and_then(|rest| rest.strip_suffix(')')) {
        return range(inner).is_some_and(|(from, to)| step <= to - from + 1);
    }
    match range(body) {
        Some((from, to)) => from <= to,
        None => !term.contains('/') && number(body).filter(within).is_some(),
    }
}

fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|sign| sign.is_ascii_digit());
    text.parse::<i32>().ok().filter(|_| digits).map(i64::from)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn schedules_are_judged_as_jenkins_judges_them() {
        let rows = [
            ("every minute", "* * * * *", true),
            ("no schedule", "", true),
            ("a comment and a blank line", "# nightly\n\nH H(0-3) * * 1-5", true),
            ("a time zone first", "TZ=Europe/Berlin\n0 7 * * *", true),
            ("a name", "@midnight", true),
            ("lists, ranges and steps", "0,30 8-18/2 1-7 */3 0,7", true),
            ("a hash in a range with a step", "H(0-29)/10 * * * *", true),
            ("tabs between", "*\t*\t*\t*\t*", true),
            ("line ends of Windows", "* * * * *\r\n@daily", true),
            ("a minute beyond the hour", "61 * * * *", false),
            ("a day beyond the week", "* * * * 8", false),
            ("a range that runs back", "5-1 * * * *", false),
            ("a step of nothing", "*/0 * * * *", false),
            ("no numbers at all", "- - - - -", false),
            ("four fields", "* * * *", false),
            ("six fields", "* * * * * *", false),
            ("a day zero", "* * 0 * *", false),
            ("a step behind one number", "5/2 * * * *", false),
            ("a hash that skips its range", "H/61 * * * *", false),
            ("a hash whose range runs back", "H(9-3) * * * *", false),
            ("an unknown name", "@often", false),
            ("names of days", "* * * * mon", false),
            ("a number beyond all", "99999999999 * * * *", false),
            ("a blank inside a list", "1, 2 * * * *", false),
            ("one bad line of two", "* * * * *\n61 * * * *", false),
            ("a time zone later on", "* * * * *\nTZ=Europe/Berlin", false),
        ];
        for (name, spec, expected) in rows {
            assert_eq!(is_valid(spec), expected, "{name}: {spec:?}");
        }
    }
}
