//! What to do with the route, given what was seen. Apart from the types so that both goals can be read on one screen.

use super::{Action, Desired, Observed, ObservedObject, Route, whose};
use crate::crd::status::Reason;
use crate::domain::external_resource::{Change, Decision, Step};
use crate::domain::identity::{Identity, Ownership};
use crate::domain::problem::Problem;

type Move = Decision<Action, Route>;

/// The route exists as declared, and none of an earlier SageMaker project does.
pub(super) fn present(id: &Identity, desired: &Desired, observed: &Observed) -> Move {
    let (here, others): (Vec<_>, Vec<_>) = observed.objects.iter().partition(|object| object.key == desired.key);
    let mut steps: Vec<_> = ours(id, &others).map(|object| delete(object, Reason::SpecChanged)).collect();
    match here.first() {
        None => {
            let summary = format!("write model route \"{}\"", desired.key);
            steps.push(Step::new(Action::Create(desired.clone()), Change::Create, Reason::Missing, summary));
        }
        Some(there) => match whose(id, there) {
            Ownership::Ours => steps.extend(replace(desired, there)),
            Ownership::Claimed => return Decision::Stuck(Problem::claimed(&called(id, there))),
            Ownership::Foreign | Ownership::Unmarked => {
                return Decision::stuck(
                    Reason::ForeignOwner,
                    format!("{} exists and does not carry our owner mark", called(id, there)),
                    "find out whose it is by its metadata; delete it if nobody needs it",
                );
            }
        },
    }
    match steps.is_empty() {
        true => Decision::InSync(Route { key: desired.key.clone() }),
        false => Decision::Act(steps),
    }
}

/// There is no route of ours. What is not ours is none of ours to delete.
pub(super) fn absent(id: &Identity, observed: &Observed) -> Move {
    if let Some(claimed) = observed.objects.iter().find(|object| whose(id, object) == Ownership::Claimed) {
        return Decision::Stuck(Problem::claimed(&called(id, claimed)));
    }
    let all: Vec<_> = observed.objects.iter().collect();
    let steps: Vec<_> = ours(id, &all).map(|object| delete(object, Reason::Deleting)).collect();
    match steps.is_empty() {
        true => Decision::Gone,
        false => Decision::Act(steps),
    }
}

fn called(id: &Identity, object: &ObservedObject) -> String {
    format!("the object \"{}\" in bucket \"{}\"", object.key, id.placement.bucket)
}

fn ours<'a>(id: &Identity, objects: &[&'a ObservedObject]) -> impl Iterator<Item = &'a ObservedObject> {
    objects.iter().copied().filter(|object| whose(id, object) == Ownership::Ours)
}

/// The step that brings an object of ours to what is declared, if it differs: a mark of before the installation's key was
/// replaced counts as ours, and is made anew.
fn replace(desired: &Desired, there: &ObservedObject) -> Option<Step<Action>> {
    let (same, sealed) = (there.sha256.as_ref() == Some(&desired.sha256), there.mark.as_ref() == Some(&desired.mark));
    (!(same && sealed)).then(|| {
        let reason = if same { Reason::Drifted } else { Reason::SpecChanged };
        let summary = format!("write model route \"{}\" anew", desired.key);
        Step::new(Action::Replace(desired.clone(), there.etag.clone()), Change::Update, reason, summary)
    })
}

fn delete(object: &ObservedObject, reason: Reason) -> Step<Action> {
    let action = Action::Delete { key: object.key.clone(), etag: object.etag.clone() };
    Step::new(action, Change::Delete, reason, format!("delete model route \"{}\"", object.key))
}
