//! What is left behind when an object is let go without proof: the last trace of it, so it names each thing and where
//! it is. It decides whether there is anything left to wait for, and looks at nothing itself.

use jiff::Timestamp;

use crate::crd::status::{MlopsProjectStatus, Placement};
use crate::domain::report::{Finding, Outcome};
use crate::domain::resource::Kind;

/// The things that are left, for people; `None`: something may still go by itself.
pub(super) fn things(findings: &[(Kind, Finding)], status: &MlopsProjectStatus, now: Timestamp) -> Option<String> {
    let stays = |finding: &Finding| matches!(finding, Outcome::Blocked { .. }) || finding.hopeless(now);
    if !findings.iter().all(|(_, finding)| matches!(finding, Outcome::Gone) || stays(finding)) {
        return None;
    }
    let left = findings.iter().filter(|(_, finding)| stays(finding)).filter_map(|(kind, _)| thing(*kind, status));
    Some(left.collect::<Vec<_>>().join("; "))
}

/// One thing and where it is; the account and the roles are nobody's to leave.
fn thing(kind: Kind, status: &MlopsProjectStatus) -> Option<String> {
    let placement = status.placement.clone().unwrap_or_default();
    let Placement { account_id, region, bucket, project_name, jenkins_url, .. } = &placement;
    let what = match kind {
        Kind::Prerequisites => return None,
        Kind::ArtifactBucket => format!("\"{bucket}\""),
        Kind::CatalogProduct => match &status.catalog {
            Some(catalog) => format!("{} in portfolio {}", catalog.product_id, catalog.portfolio_id),
            None => "(of unknown id)".to_owned(),
        },
        Kind::SagemakerProject => format!("\"{project_name}\""),
        Kind::JenkinsJobs => {
            return Some(format!(
                "{} in folder \"{}\" of {jenkins_url}",
                kind.noun(),
                placement.jenkins_folder.join("/")
            ));
        }
        Kind::ModelTrigger => match &status.trigger {
            Some(trigger) => format!("stack {}", trigger.stack_id),
            None => "(of unknown id)".to_owned(),
        },
    };
    Some(format!("{} {what} in account {account_id}, {region}", kind.noun()))
}
