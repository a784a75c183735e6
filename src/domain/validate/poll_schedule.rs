//! Whether Jenkins takes a schedule: the grammar of `hudson.scheduler.CrontabParser` with the bounds of `BaseParser`, line
//! by line as `CronTabList.create` reads them. Jenkins answers 200 to a job with another one, and drops its trigger
//! (`Trigger.readResolve`), so it must be refused before it is sent. It stands alone since nothing is scheduled here. The
//! name of a time zone is not judged: which there are the Java runtime knows.

use super::SpecError;

/// The fields of a line: name, lowest and highest value, and the highest value that `H` alone stands for. Days beyond the
/// 28th are not in every month, and a 7 is Sunday once more (BaseParser.doHash).
const FIELDS: [(&str, i64, i64, i64); 5] = [
    ("minute", 0, 59, 59),
    ("hour", 0, 23, 23),
    ("day of the month", 1, 31, 28),
    ("month", 1, 12, 12),
    ("day of the week", 0, 7, 6),
];
/// Names that stand for a whole line.
const NAMES: [&str; 7] = ["yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly"];

/// Refuses what Jenkins would drop.
pub(super) fn check(field: &str, schedule: &str) -> Result<(), SpecError> {
    let refused = |why: String| {
        let what = format!("`{schedule:.255}` is no schedule that Jenkins takes, which would never poll then: {why}");
        SpecError::new(field, what)
    };
    for (at, text) in schedule.split('\n').map(str::trim).enumerate() {
        if text.is_empty() || text.starts_with('#') || (at == 0 && text.starts_with("TZ=")) {
            continue;
        }
        line(text).map_err(refused)?;
    }
    Ok(())
}

fn line(text: &str) -> Result<(), String> {
    if let Some(name) = text.strip_prefix('@') {
        let known = NAMES.contains(&name);
        return if known { Ok(()) } else { Err(format!("of names it takes @{}", NAMES.join(", @"))) };
    }
    let fields: Vec<&str> = text.split([' ', '\t']).filter(|field| !field.is_empty()).collect();
    if fields.len() != FIELDS.len() {
        let names = FIELDS.map(|(name, ..)| name).join(", ");
        return Err(format!("a line has five fields ({names}), not {}", fields.len()));
    }
    for (field, bounds) in fields.into_iter().zip(FIELDS) {
        field.split(',').try_for_each(|part| term(part, bounds))?;
    }
    Ok(())
}

/// One part of a field: `*`, `*/5`, `7`, `1-5`, `1-5/2`, `H`, `H/15`, `H(0-29)`, `H(0-29)/10`.
fn term(part: &str, (name, low, high, hashed): (&str, i64, i64, i64)) -> Result<(), String> {
    let form = || {
        format!(
            "{name} takes *, H, H(a-b), a number or a range a-b, the step /n behind all but a number, and lists of these with commas; `{part:.32}` is none of them"
        )
    };
    let (body, step) = match part.split_once('/') {
        Some((body, step)) => (body, Some(number(step).ok_or_else(form)?)),
        None => (part, None),
    };
    if step == Some(0) {
        return Err(format!("the step of {name} is 1 or more, not 0"));
    }
    let within = |text: &str| {
        let value = number(text).ok_or_else(form)?;
        if (low..=high).contains(&value) {
            Ok(value)
        } else {
            Err(format!("{name} takes {low} to {high}, not {value}"))
        }
    };
    let range = |text: &str| -> Result<(i64, i64), String> {
        let (from, to) = text.split_once('-').ok_or_else(form)?;
        let (from, to) = (within(from)?, within(to)?);
        if from <= to {
            Ok((from, to))
        } else {
            Err(format!("the range of {name} runs from the lower to the higher, not {from}-{to}"))
        }
    };
    let hash = |from: i64, to: i64| {
        let most = to - from + 1;
        let fits = step.unwrap_or(1) <= most;
        if fits {
            Ok(())
        } else {
            Err(format!("the step behind H in {name} is at most {most} here, not {}", step.unwrap_or(1)))
        }
    };
    match body {
        "*" => Ok(()),
        "H" => hash(low, hashed),
        _ => match body.strip_prefix("H(").and_then(|rest| rest.strip_suffix(')')) {
            Some(inner) => range(inner).and_then(|(from, to)| hash(from, to)),
            None if body.contains('-') => range(body).map(drop),
            None if step.is_some() => Err(form()),
            None => within(body).map(drop),
        },
    }
}

/// A number as Java's `Integer.parseInt` takes it, without a sign.
fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|sign| sign.is_ascii_digit());
    text.parse::<i32>().ok().filter(|_| digits).map(i64::from)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn schedules_are_taken_and_refused_as_jenkins_does() {
        // The end of what is said; empty: it is taken.
        let rows = [
            ("every minute", "* * * * *", ""),
            ("hashed", "H H(1-5)/2 H * H", ""),
            ("a hash that is spread over the hour", "H/15 * * * *", ""),
            ("lists, ranges and steps", "0,30 8-18/2 1-7 */3 0,7", ""),
            ("a step beyond the range of a star", "*/90 * * * *", ""),
            ("each name", "@hourly", ""),
            ("and midnight", "@midnight", ""),
            ("tabs between, blanks around", " *\t* *  * * ", ""),
            ("a time zone first", "TZ=Europe/Berlin\n0 7 * * *", ""),
            ("a comment and line ends of Windows", "# nightly\r\n\r\nH H(0-3) * * 1-5\r\n@daily", ""),
            ("a minute beyond the hour", "61 * * * *", "minute takes 0 to 59, not 61"),
            ("an hour of 24", "0 24 * * *", "hour takes 0 to 23, not 24"),
            ("a day zero", "0 0 0 * *", "day of the month takes 1 to 31, not 0"),
            ("a month 13", "0 0 1 1,13 *", "month takes 1 to 12, not 13"),
            ("a day beyond the week", "* * * * 8", "day of the week takes 0 to 7, not 8"),
            ("a range that runs back", "5-1 * * * *", "the range of minute runs from the lower to the higher, not 5-1"),
            (
                "a hash whose range runs back",
                "* H(9-3) * * *",
                "the range of hour runs from the lower to the higher, not 9-3",
            ),
            ("a step of nothing", "*/0 * * * *", "the step of minute is 1 or more, not 0"),
            ("a hash that skips its range", "H/61 * * * *", "the step behind H in minute is at most 60 here, not 61"),
            (
                "a hash of days beyond the 28th",
                "* * H/29 * *",
                "the step behind H in day of the month is at most 28 here, not 29",
            ),
            (
                "a hash that skips its own range",
                "H(0-9)/11 * * * *",
                "the step behind H in minute is at most 10 here, not 11",
            ),
            ("a step behind one number", "5/2 * * * *", "`5/2` is none of them"),
            ("no numbers at all", "- - - - -", "`-` is none of them"),
            ("names of days", "* * * * mon", "`mon` is none of them"),
            ("an empty place in a list", "1, * * * *", "`` is none of them"),
            ("a number beyond all", "99999999999 * * * *", "`99999999999` is none of them"),
            ("a signed number", "+5 * * * *", "`+5` is none of them"),
            ("a small h", "h * * * *", "`h` is none of them"),
            ("four fields", "* * * *", "not 4"),
            ("a blank inside a list", "1, 2 * * * *", "not 6"),
            ("an unknown name", "@often", "@hourly"),
            ("one bad line of two", "* * * * *\n61 * * * *", "not 61"),
            ("a time zone later on", "* * * * *\nTZ=Europe/Berlin", "not 1"),
        ];
        for (name, schedule, end) in rows {
            let told = check("spec.jenkins.pollSchedule", schedule)
                .map_err(|error| error.to_string())
                .err()
                .unwrap_or_default();
            assert_eq!(told.is_empty(), end.is_empty(), "{name}: {told}");
            assert!(told.ends_with(end), "{name}: {told}");
            assert!(told.is_empty() || told.starts_with("spec.jenkins.pollSchedule: `"), "{name}: {told}");
        }
    }
}
