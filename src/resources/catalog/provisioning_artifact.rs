//! The product's versions (AWS: provisioning artifacts). A version's template never changes, so each template has a
//! version of its own, known by the SHA-256 in its description; older ones are deprecated, and in the end pruned.

use jiff::Timestamp;

use super::partial_decision::{PartialDecision, make, remember, rests};
use super::{Action, Observed, ProvisioningStatus, resource_name};
use crate::crd::identifiers::{ProductId, Sha256};
use crate::crd::status::{Intent, Reason};
use crate::domain::external_resource::{Attempts, Change, Step};
use crate::domain::problem::Problem;

/// How many versions of ours a product keeps: AWS allows 100 in all.
const KEEP: usize = 20;
const DESCRIPTION: &str = "project template sha256:";

/// The version that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Of the template.
    pub sha256: Sha256,
    /// HTTPS URL of the template.
    pub url: String,
}

/// What the version of a template of that SHA-256 is called: `v-` and its first twelve digits.
pub fn version_name(sha256: &Sha256) -> String {
    format!("v-{}", sha256.chars().take(12).collect::<String>())
}

impl Version {
    /// See [`version_name`].
    pub fn name(&self) -> String {
        version_name(&self.sha256)
    }

    /// With the full SHA-256.
    pub fn description(&self) -> String {
        format!("{DESCRIPTION}{}", self.sha256)
    }
}

/// A version as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedVersion {
    pub id: String,
    pub name: String,
    pub description: String,
    pub active: bool,
    pub deprecated: bool,
    pub provisioning_status: ProvisioningStatus,
}

impl ObservedVersion {
    fn ours(&self) -> bool {
        self.description.starts_with(DESCRIPTION)
    }
}

/// The version of a template among those seen: by its description, else by its name (somebody may have edited one).
pub(super) fn current<'a>(wanted: &Version, observed: &'a [ObservedVersion]) -> Option<&'a ObservedVersion> {
    let described = observed.iter().find(|version| version.description == wanted.description());
    described.or_else(|| observed.iter().find(|version| version.name == wanted.name()))
}

pub(super) fn decide(wanted: &Version, observed: &Observed, now: Timestamp, attempts: &Attempts) -> PartialDecision {
    // A product brings its first version along.
    let Some(product) =
        observed.product.as_ref().filter(|product| product.provisioning_status == ProvisioningStatus::Ready)
    else {
        return PartialDecision::default();
    };
    let Some(version) = current(wanted, &observed.versions) else {
        return create(wanted, &product.id, observed, now, attempts);
    };
    match version.provisioning_status {
        ProvisioningStatus::Creating => {
            return PartialDecision::wait(
                "creating version",
                Reason::Progressing,
                format!("creating version {}", wanted.name()),
            );
        }
        ProvisioningStatus::Failed => return failed(&product.id, version, observed, now, attempts),
        ProvisioningStatus::Ready => {}
    }
    let mut steps: Vec<_> = remember(resource_name::VERSION, &version.id, attempts).into_iter().collect();
    steps.extend(restore(wanted, &product.id, version));
    steps.extend(retire(&product.id, version, &observed.versions));
    PartialDecision::act(steps)
}

fn create(
    wanted: &Version,
    product_id: &ProductId,
    observed: &Observed,
    now: Timestamp,
    attempts: &Attempts,
) -> PartialDecision {
    let summary = format!("create version {}", wanted.name());
    let action = |n| Action::CreateVersion { n, product_id: product_id.clone(), version: wanted.clone() };
    // The id written down may be that of the version before this one, which exists: then this one is the next.
    let before = attempts.intent(resource_name::VERSION).filter(|intent| {
        intent.id.as_ref().is_some_and(|id| observed.versions.iter().any(|version| version.id == *id))
    });
    match before {
        Some(Intent { n, .. }) => {
            let n = n + 1;
            let intent = Intent { resource: resource_name::VERSION.to_owned(), n, id: None };
            let step = Step::new(action(n), Change::Create, Reason::Missing, summary);
            PartialDecision::act(vec![step.with_intent(intent)])
        }
        None => make(resource_name::VERSION, now, attempts, summary, action),
    }
}

fn restore(wanted: &Version, product_id: &ProductId, observed: &ObservedVersion) -> Option<Step<Action>> {
    let fields = [
        ("name", observed.name != wanted.name()),
        ("description", observed.description != wanted.description()),
        ("active", !observed.active),
        ("guidance", observed.deprecated),
    ];
    let drifted: Vec<_> = fields.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect();
    (!drifted.is_empty()).then(|| {
        let action =
            Action::RestoreVersion { product_id: product_id.clone(), id: observed.id.clone(), version: wanted.clone() };
        let summary = format!("update version {}: {}", wanted.name(), drifted.join(", "));
        Step::new(action, Change::Update, Reason::Drifted, summary)
    })
}

/// Older versions of ours take no new launches, and beyond [`KEEP`] the oldest go.
fn retire(product_id: &ProductId, current: &ObservedVersion, versions: &[ObservedVersion]) -> Vec<Step<Action>> {
    let older: Vec<_> = versions.iter().filter(|version| version.ours() && version.id != current.id).collect();
    let surplus = (older.len() + 1).saturating_sub(KEEP);
    let mut steps = Vec::new();
    for (index, version) in older.into_iter().enumerate() {
        let (product_id, id) = (product_id.clone(), version.id.clone());
        if index < surplus {
            let summary = format!("delete version {} ({id})", version.name);
            steps.push(Step::new(
                Action::DeleteVersion { product_id, id },
                Change::Delete,
                Reason::SpecChanged,
                summary,
            ));
        } else if !version.deprecated {
            let summary = format!("deprecate version {} ({id})", version.name);
            steps.push(Step::new(
                Action::DeprecateVersion { product_id, id },
                Change::Update,
                Reason::SpecChanged,
                summary,
            ));
        }
    }
    steps
}

/// A version that AWS could not create is deleted and made anew; the last one of a product cannot be deleted.
fn failed(
    product_id: &ProductId,
    version: &ObservedVersion,
    observed: &Observed,
    now: Timestamp,
    attempts: &Attempts,
) -> PartialDecision {
    let last = observed.versions.len() == 1;
    let rests = rests(now, attempts);
    if last || rests.is_some() {
        let problem = Problem::new(
            Reason::CatalogFailed,
            format!("Service Catalog could not create version {} (status FAILED)", version.name),
            "check the project template and the account's Service Catalog console; deleting the product there lets it be made anew",
        );
        return PartialDecision::stuck(Problem { until: rests, ..problem });
    }
    let action = Action::DeleteVersion { product_id: product_id.clone(), id: version.id.clone() };
    let summary = format!("delete version {} ({})", version.name, version.id);
    PartialDecision::act(vec![
        Step::new(action, Change::Delete, Reason::CatalogFailed, summary).clearing_failed_creation(),
    ])
}
