//! Resource types that may not be there to be made: those of services that AWS has shut down, and those that are not AWS's
//! own. It stands alone as a table that ages. All of it is a warning: who still has a service, and which extensions an
//! account has activated, cannot be seen here.

use jiff::civil::Date;

use super::template::ParsedTemplate;
use super::{Code, Findings, quoted};

/// How the types begin, and the day on which AWS ended the service (the notice in each service's documentation).
const ENDED: [(&str, &str); 8] = [
    ("AWS::CodeStar::", "2024-07-31"),
    ("AWS::IoTAnalytics::", "2025-12-15"),
    ("AWS::IoTEvents::", "2026-05-20"),
    ("AWS::LookoutEquipment::", "2026-10-07"),
    ("AWS::LookoutVision::", "2025-10-31"),
    ("AWS::Proton::", "2026-10-07"),
    ("AWS::QLDB::", "2025-07-31"),
    ("AWS::RoboMaker::", "2025-09-10"),
];
/// What needs no activation: AWS's types, custom resources, and the one type of a third party that CloudFormation has
/// itself.
const BUILT_IN: [&str; 3] = ["AWS::", "Custom::", "Alexa::ASK::"];

pub(super) fn check(template: &ParsedTemplate<'_>, today: Date, findings: &mut Findings) {
    for (id, kind, entry) in template.resources() {
        let path = format!("Resources/{id}/Type");
        let at = entry.value.get("Type").map_or(entry.at, |node| node.at);
        let ended = ENDED.iter().find(|(start, _)| kind.starts_with(start));
        if let Some((_, day)) = ended {
            let past = day.parse::<Date>().is_ok_and(|day| day <= today);
            let when = if past { "ended on" } else { "ends on" };
            let message = format!("{id} is of the type {}, whose service AWS {when} {day}", quoted(kind));
            findings.warning(Code::ServiceEnded, (at, &path), message, "take the resource out, or use another service");
        }
        let is_module = kind.ends_with("::MODULE");
        if kind.contains("::") && (is_module || !BUILT_IN.iter().any(|start| kind.starts_with(start))) {
            let message = format!(
                "{id} is of the type {}, which is not CloudFormation's own: a project fails where the account and region have not activated it",
                quoted(kind)
            );
            let hint = "activate it in the CloudFormation registry first, and let the launch role use it";
            findings.warning(Code::ThirdPartyType, (at, &path), message, hint);
        }
    }
}
