//! Lambda runtimes that AWS retires: the dates, and who still uses one. It stands alone as a table that ages; the list is
//! AWS's of November 2026 (Lambda developer guide, runtimes), without what is supported beyond 2027.

use jiff::civil::Date;

use super::document::Node;
use super::template::ParsedTemplate;
use super::{Code, Findings};

/// Runtime, the day of its deprecation, the day from which functions with it cannot be made (empty: not announced).
const RETIRED: [(&str, &str, &str); 37] = [
    ("dotnet6", "2024-12-20", "2027-02-01"),
    ("dotnet8", "2026-11-10", "2027-02-01"),
    ("dotnet9", "2026-11-10", ""),
    ("dotnetcore1.0", "2019-06-27", "2019-06-30"),
    ("dotnetcore2.0", "2019-05-30", "2019-04-30"),
    ("dotnetcore2.1", "2022-01-05", "2022-01-05"),
    ("dotnetcore3.1", "2023-04-03", "2023-04-03"),
    ("go1.x", "2024-01-08", "2024-02-08"),
    ("java11", "2027-06-30", "2027-07-31"),
    ("java17", "2027-06-30", "2027-07-31"),
    ("java8", "2024-01-08", "2024-02-08"),
    ("java8.al2", "2027-06-30", "2027-07-31"),
    ("nodejs", "2016-08-30", "2016-09-30"),
    ("nodejs10.x", "2021-07-30", "2021-07-30"),
    ("nodejs12.x", "2023-03-31", "2023-03-31"),
    ("nodejs14.x", "2023-12-04", "2024-01-09"),
    ("nodejs16.x", "2024-06-12", "2027-02-01"),
    ("nodejs18.x", "2025-09-01", "2027-02-01"),
    ("nodejs20.x", "2026-04-30", "2027-02-01"),
    ("nodejs22.x", "2027-04-30", "2027-06-01"),
    ("nodejs4.3", "2020-03-05", "2020-02-03"),
    ("nodejs4.3-edge", "2020-03-05", "2019-03-31"),
    ("nodejs6.10", "2019-08-12", "2019-07-12"),
    ("nodejs8.10", "2020-03-06", "2020-02-04"),
    ("provided", "2024-01-08", "2024-02-08"),
    ("provided.al2", "2026-07-31", "2027-02-01"),
    ("python2.7", "2021-07-15", "2021-07-15"),
    ("python3.10", "2026-10-31", "2027-02-01"),
    ("python3.11", "2027-06-30", "2027-07-31"),
    ("python3.6", "2022-07-18", "2022-07-18"),
    ("python3.7", "2023-12-04", "2024-01-09"),
    ("python3.8", "2024-10-14", "2027-02-01"),
    ("python3.9", "2025-12-15", "2027-02-01"),
    ("ruby2.5", "2021-07-30", "2021-07-30"),
    ("ruby2.7", "2023-12-07", "2024-01-09"),
    ("ruby3.2", "2026-03-31", "2027-02-01"),
    ("ruby3.3", "2027-03-31", "2027-04-30"),
];

pub(super) fn check(template: &ParsedTemplate<'_>, today: Date, findings: &mut Findings) {
    for (id, kind, entry) in template.resources() {
        if kind != "AWS::Lambda::Function" && kind != "AWS::Serverless::Function" {
            continue;
        }
        let node = entry.value.get("Properties").and_then(|properties| properties.get("Runtime"));
        let Some((node, name)) = node.and_then(|node: &Node| Some((node, node.text()?))) else { continue };
        let Some((_, deprecated, blocked)) = RETIRED.iter().find(|(runtime, ..)| *runtime == name) else { continue };
        let past = |day: &str| day.parse::<Date>().is_ok_and(|day| day <= today);
        let path = format!("Resources/{id}/Properties/Runtime");
        let hint = "take a newer runtime, and try the code with it";
        if past(blocked) {
            let message = format!("since {blocked} AWS makes no functions with the runtime {name}");
            findings.error(Code::Runtime, (node.at, &path), message, hint);
        } else if past(deprecated) {
            let until = if blocked.is_empty() {
                String::new()
            } else {
                format!("; from {blocked} no function can be made with it")
            };
            let message = format!("the runtime {name} is deprecated since {deprecated}{until}");
            findings.warning(Code::Runtime, (node.at, &path), message, hint);
        }
    }
}
