//! Who is let at a portfolio: exact IAM ARNs, or patterns that leave the account open.

use serde_json::json;

use super::{Kept, input, portfolios};
use crate::aws::{Call, Outcome, Refusal};
use crate::world::World;

/// AWS's quotas per portfolio: principals in all, and patterns among them.
const MOST: usize = 100;
const MOST_PATTERNS: usize = 10;

pub(super) fn associate(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay) = (world.now, world.settings.read_after_write);
    let (portfolio, arn, kind) = (call.text("PortfolioId"), call.text("PrincipalARN"), call.text("PrincipalType"));
    match kind {
        "IAM" => known(world, call, arn)?,
        "IAM_PATTERN" => pattern(arn)?,
        other => {
            return Err(input::violation(
                &format!("Value '{other}' at 'principalType'"),
                "Member must satisfy enum value set: [IAM, IAM_PATTERN]",
            ));
        }
    }
    let state = super::state(world, call);
    state
        .portfolios
        .get(portfolio)
        .and_then(|kept| kept.seen(now, delay))
        .ok_or_else(|| portfolios::missing(portfolio))?;
    let key = (portfolio.to_owned(), arn.to_owned(), kind.to_owned());
    if state.principals.get(&key).and_then(Kept::truth).is_some() {
        return Ok(json!({}));
    }
    let held = state.principals.iter().filter(|(key, kept)| key.0 == portfolio && kept.truth().is_some());
    let (all, patterns) =
        held.fold((0, 0), |(all, patterns), (key, _)| (all + 1, patterns + usize::from(key.2 == "IAM_PATTERN")));
    if all >= MOST || (kind == "IAM_PATTERN" && patterns >= MOST_PATTERNS) {
        return Err(Refusal::new(
            "LimitExceededException",
            format!("Portfolio {portfolio} has reached its limit of principals."),
        ));
    }
    state.principals.insert(key, Kept::new((), now));
    Ok(json!({}))
}

/// Checks an exact ARN: of this account, a role, user or group, and a role must exist.
fn known(world: &World, call: &Call<'_>, arn: &str) -> Result<(), Refusal> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let &["arn", _, "iam", "", account, resource] = parts.as_slice() else {
        return Err(input::invalid("Invalid input parameter(s)"));
    };
    if account != call.caller.account {
        return Err(Refusal::new(
            "ResourceNotFoundException",
            format!(
                "Resource not found, caller account id ({}) does not match input account id ({account})",
                call.caller.account
            ),
        ));
    }
    let kind = resource.split('/').next().unwrap_or_default();
    if !["role", "user", "group"].contains(&kind) {
        return Err(input::invalid("Invalid input parameter(s)"));
    }
    if kind == "role" && (world.iam.role_by_arn(arn).is_none() || world.propagating(arn)) {
        return Err(input::invalid(format!("Principal {arn}: profile does not exist")));
    }
    Ok(())
}

/// Checks a pattern: the account is empty, wildcards stand only behind the resource type.
fn pattern(arn: &str) -> Result<(), Refusal> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let &["arn", partition, "iam", "", "", resource] = parts.as_slice() else {
        return Err(input::invalid("An IAM_PATTERN principal must be an IAM ARN without an account."));
    };
    let kind = resource.split('/').next().unwrap_or_default();
    if !["role", "user", "group"].contains(&kind) || partition.contains(['*', '?']) || !resource.contains('/') {
        return Err(input::invalid("Wildcards are allowed only after the resource type of an IAM_PATTERN principal."));
    }
    Ok(())
}

pub(super) fn disassociate(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, portfolio, arn) = (world.now, call.text("PortfolioId"), call.text("PrincipalARN"));
    // Without its type, an association of a pattern is not found (terraform-provider-aws#32229).
    let kind = if call.text("PrincipalType").is_empty() { "IAM" } else { call.text("PrincipalType") };
    let state = super::state(world, call);
    state.portfolios.get(portfolio).and_then(Kept::truth).ok_or_else(|| portfolios::missing(portfolio))?;
    let key = (portfolio.to_owned(), arn.to_owned(), kind.to_owned());
    match state.principals.get_mut(&key).filter(|kept| kept.truth().is_some()) {
        Some(kept) => kept.delete(now),
        None => {
            let message = format!("Principal {arn} is not associated with portfolio {portfolio}.");
            return Err(Refusal::new("ResourceNotFoundException", message));
        }
    }
    Ok(json!({}))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay, lag) = (world.now, world.settings.read_after_write, world.settings.list_lag);
    let portfolio = call.text("PortfolioId");
    let state = super::state(world, call);
    state
        .portfolios
        .get(portfolio)
        .and_then(|kept| kept.seen(now, delay))
        .ok_or_else(|| portfolios::missing(portfolio))?;
    let all = state.principals.iter().filter(|(key, kept)| key.0 == portfolio && kept.listed(now, lag).is_some());
    let all = all.map(|(key, _)| json!({"PrincipalARN": key.1, "PrincipalType": key.2})).collect();
    let (page, next) = input::page(call, all, 20)?;
    Ok(json!({"Principals": page, "NextPageToken": next}))
}

/// Whether a principal is the one named, or fits the pattern.
pub(super) fn admits(arn: &str, kind: &str, principal: &str) -> bool {
    if kind == "IAM" {
        return arn == principal;
    }
    let mut parts: Vec<&str> = principal.splitn(6, ':').collect();
    if let Some(account) = parts.get_mut(4) {
        *account = "";
    }
    fits(arn.as_bytes(), parts.join(":").as_bytes())
}

/// `*` stands for any text, `?` for one sign.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=text.len()).any(|at| fits(rest, &text[at..])),
        (Some((b'?', rest)), Some((_, tail))) => fits(rest, tail),
        (Some((sign, rest)), Some((head, tail))) => sign == head && fits(rest, tail),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_leaves_the_account_open_and_an_arn_does_not() {
        let role = "arn:aws:iam::111122223333:role/team/launcher-1";
        let cases = [
            (role, "IAM", true),
            ("arn:aws:iam::111122223333:role/launcher-1", "IAM", false),
            ("arn:aws:iam:::role/team/launcher-*", "IAM_PATTERN", true),
            ("arn:aws:iam:::role/*", "IAM_PATTERN", true),
            ("arn:aws:iam:::role/team/launcher-?", "IAM_PATTERN", true),
            ("arn:aws:iam:::role/other/*", "IAM_PATTERN", false),
            (role, "IAM_PATTERN", false),
        ];
        for (arn, kind, admitted) in cases {
            assert_eq!(admits(arn, kind, role), admitted, "{kind} {arn}");
        }
    }
}
