//! The product's versions (AWS: provisioning artifacts). A version's template never changes, so each template has a
//! version of its own, known by the SHA-256 in its description; older ones are deprecated, and in the end pruned.

use jiff::Timestamp;

use super::verdict::{Verdict, make, remember, retry, step};
use super::{Action, Observed, Standing, thing};
use crate::crd::status::{Intent, Reason};
use crate::domain::resource::{Attempts, Change, Step};

/// How many versions of ours a product keeps: AWS allows 100 in all.
const KEEP: usize = 20;
const DESCRIPTION: &str = "project template sha256:";

/// The version that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Hex SHA-256 of the template.
    pub sha256: String,
    /// HTTPS URL of the template.
    pub url: String,
}

impl Version {
    /// `v-` and the first twelve digits of the template's SHA-256.
    pub fn name(&self) -> String {
        format!("v-{}", self.sha256.chars().take(12).collect::<String>())
    }

    /// With the full SHA-256.
    pub fn description(&self) -> String {
        format!("{DESCRIPTION}{}", self.sha256)
    }
}

/// A version as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SeenVersion {
    pub id: String,
    pub name: String,
    pub description: String,
    pub active: bool,
    pub deprecated: bool,
    pub standing: Standing,
}

impl SeenVersion {
    fn ours(&self) -> bool {
        self.description.starts_with(DESCRIPTION)
    }
}

/// The version of a template among those seen: by its description, else by its name (somebody may have edited one).
pub(super) fn current<'a>(wanted: &Version, seen: &'a [SeenVersion]) -> Option<&'a SeenVersion> {
    let described = seen.iter().find(|version| version.description == wanted.description());
    described.or_else(|| seen.iter().find(|version| version.name == wanted.name()))
}

pub(super) fn decide(wanted: &Version, seen: &Observed, now: Timestamp, tried: &Attempts) -> Verdict {
    // A product brings its first version along.
    let Some(product) = seen.product.as_ref().filter(|product| product.standing == Standing::Ready) else {
        return Verdict::default();
    };
    let Some(version) = current(wanted, &seen.versions) else {
        return create(wanted, &product.id, seen, now, tried);
    };
    match version.standing {
        Standing::Creating => {
            return Verdict::wait(Reason::Progressing, format!("creating version {}", wanted.name()));
        }
        Standing::Failed => return failed(&product.id, version, seen, now, tried),
        Standing::Ready => {}
    }
    let mut steps: Vec<_> = remember(thing::VERSION, &version.id, tried).into_iter().collect();
    steps.extend(restore(wanted, &product.id, version));
    steps.extend(retire(&product.id, version, &seen.versions));
    Verdict::act(steps)
}

fn create(wanted: &Version, product_id: &str, seen: &Observed, now: Timestamp, tried: &Attempts) -> Verdict {
    let summary = format!("create version {}", wanted.name());
    let action = |n| Action::CreateVersion { n, product_id: product_id.to_owned(), version: wanted.clone() };
    // The id written down may be that of the version before this one, which exists: then this one is the next.
    let before = tried
        .intent(thing::VERSION)
        .filter(|intent| intent.id.as_ref().is_some_and(|id| seen.versions.iter().any(|version| version.id == *id)));
    match before {
        Some(Intent { n, .. }) => {
            let n = n + 1;
            let intent = Some(Intent { thing: thing::VERSION.to_owned(), n, id: None });
            let step = Step { action: action(n), change: Change::Create, because: Reason::Missing, summary, intent };
            Verdict::act(vec![step])
        }
        None => make(thing::VERSION, now, tried, summary, action),
    }
}

fn restore(wanted: &Version, product_id: &str, seen: &SeenVersion) -> Option<Step<Action>> {
    let fields = [
        ("name", seen.name != wanted.name()),
        ("description", seen.description != wanted.description()),
        ("active", !seen.active),
        ("guidance", seen.deprecated),
    ];
    let drifted: Vec<_> = fields.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect();
    (!drifted.is_empty()).then(|| {
        let action =
            Action::RestoreVersion { product_id: product_id.to_owned(), id: seen.id.clone(), version: wanted.clone() };
        let summary = format!("update version {}: {}", wanted.name(), drifted.join(", "));
        step(action, Change::Update, Reason::Drifted, summary)
    })
}

/// Older versions of ours take no new launches, and beyond [`KEEP`] the oldest go.
fn retire(product_id: &str, current: &SeenVersion, versions: &[SeenVersion]) -> Vec<Step<Action>> {
    let older: Vec<_> = versions.iter().filter(|version| version.ours() && version.id != current.id).collect();
    let surplus = (older.len() + 1).saturating_sub(KEEP);
    let mut steps = Vec::new();
    for (index, version) in older.into_iter().enumerate() {
        let (product_id, id) = (product_id.to_owned(), version.id.clone());
        if index < surplus {
            let summary = format!("delete version {} ({id})", version.name);
            steps.push(step(Action::DeleteVersion { product_id, id }, Change::Delete, Reason::SpecChanged, summary));
        } else if !version.deprecated {
            let summary = format!("deprecate version {} ({id})", version.name);
            steps.push(step(Action::DeprecateVersion { product_id, id }, Change::Update, Reason::SpecChanged, summary));
        }
    }
    steps
}

/// A version that AWS could not create is deleted and made anew; the last one of a product cannot be deleted.
fn failed(product_id: &str, version: &SeenVersion, seen: &Observed, now: Timestamp, tried: &Attempts) -> Verdict {
    let last = seen.versions.len() == 1;
    if last || !retry(now, tried) {
        return Verdict::stuck(
            Reason::CatalogFailed,
            format!("Service Catalog could not create version {} (status FAILED)", version.name),
            "check the project template and the account's Service Catalog console; deleting the product there lets it be made anew",
        );
    }
    let action = Action::DeleteVersion { product_id: product_id.to_owned(), id: version.id.clone() };
    let summary = format!("delete version {} ({})", version.name, version.id);
    Verdict::act(vec![step(action, Change::Delete, Reason::CatalogFailed, summary)])
}
