//! The launch constraint: as which role Service Catalog launches the product.

use jiff::Timestamp;

use super::verdict::{Verdict, make, remember, retry, step};
use super::{Action, Observed, Standing, thing};
use crate::crd::status::Reason;
use crate::domain::resource::{Attempts, Change, Step};

/// The LAUNCH constraint as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenConstraint {
    /// `cons-…`.
    pub id: String,
    /// How far its creation is.
    pub standing: Standing,
    /// `RoleArn` of its parameters, if they are JSON with just that: texts are not compared, AWS may rewrite them.
    pub role_arn: Option<String>,
}

pub(super) fn decide(role_arn: &str, seen: &Observed, now: Timestamp, tried: &Attempts) -> Verdict {
    let product = seen.product.as_ref().filter(|product| product.standing == Standing::Ready);
    let (Some(portfolio), Some(product)) = (&seen.portfolio, product) else { return Verdict::default() };
    let Some(constraint) = &seen.constraint else {
        let summary = format!("create launch constraint with role {role_arn}");
        return make(thing::CONSTRAINT, now, tried, summary, |n| Action::CreateConstraint {
            n,
            portfolio_id: portfolio.id.clone(),
            product_id: product.id.clone(),
            role_arn: role_arn.to_owned(),
        });
    };
    let mut verdict = Verdict::act(remember(thing::CONSTRAINT, &constraint.id, tried).into_iter().collect());
    if constraint.standing == Standing::Failed {
        verdict.join(failed(constraint, now, tried));
    } else if constraint.role_arn.as_deref() != Some(role_arn) {
        let action = Action::UpdateConstraint { id: constraint.id.clone(), role_arn: role_arn.to_owned() };
        let summary = format!("update launch constraint: role {role_arn}");
        verdict.steps.push(step(action, Change::Update, Reason::Drifted, summary));
    } else if constraint.standing == Standing::Creating {
        verdict.join(Verdict::wait(Reason::Progressing, "creating launch constraint".to_owned()));
    }
    verdict
}

fn failed(constraint: &SeenConstraint, now: Timestamp, tried: &Attempts) -> Verdict {
    if !retry(now, tried) {
        return Verdict::stuck(
            Reason::CatalogFailed,
            "Service Catalog could not create the launch constraint (status FAILED)".to_owned(),
            "check that the launch role exists and trusts servicecatalog.amazonaws.com; it is made again every ten minutes",
        );
    }
    Verdict::act(vec![delete(&constraint.id, Reason::CatalogFailed)])
}

fn delete(id: &str, because: Reason) -> Step<Action> {
    step(Action::DeleteConstraint { id: id.to_owned() }, Change::Delete, because, format!("delete constraint {id}"))
}

/// All constraints of the product in our portfolio, whoever made them: none may stay when the product leaves it.
pub(super) fn remove(seen: &Observed) -> Vec<Step<Action>> {
    let ids = seen.constraint.iter().map(|constraint| &constraint.id).chain(&seen.other_constraints);
    ids.map(|id| delete(id, Reason::Deleting)).collect()
}
