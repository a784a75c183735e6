//! Whether the operator itself may launch the product. AWS finds that out by itself some time after the principals were
//! let at the portfolio; what does not come then is for a person to mend.

use jiff::Timestamp;

use super::{Action, Desired, ProvisioningTarget};
use crate::crd::status::Reason;
use crate::domain::external_resource::{Attempts, Decision, Wait};
use crate::domain::fault::PROPAGATION;
use crate::domain::problem::Problem;
use crate::domain::time::elapsed;

/// What AWS says of the operator's own launch paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LaunchPath {
    Open,
    /// There is none, be it not yet.
    #[default]
    None,
    /// The operator may not ask, be it not yet.
    Denied,
}

/// `None`: there is a path.
pub(super) fn unfinished(
    desired: &Desired,
    observed: LaunchPath,
    now: Timestamp,
    attempts: &Attempts,
) -> Option<Decision<Action, ProvisioningTarget>> {
    let (product, portfolio) = (&desired.product.name, &desired.portfolio.name);
    let (reason, message, hint) = match observed {
        LaunchPath::Open => return None,
        LaunchPath::None => (
            Reason::NoLaunchPath,
            format!("no launch path is known to let the operator's role launch product \"{product}\""),
            format!(
                "see whether the role is among the principals of portfolio \"{portfolio}\", whether it was deleted and made \
                 anew since, and whether something else takes principals or the product out of the portfolio"
            ),
        ),
        LaunchPath::Denied => (
            Reason::AccessDenied,
            format!(
                "the operator may not ask whether it can launch product \"{product}\" (servicecatalog:ListLaunchPaths)"
            ),
            "allow the operator's role servicecatalog:ListLaunchPaths".to_owned(),
        ),
    };
    let lasting = attempts.propagating_since.is_some_and(|since| elapsed(since, now) >= PROPAGATION);
    Some(if lasting {
        Decision::Stuck(Problem::new(reason, message, hint))
    } else {
        Decision::Wait(Wait::new("launch path", Reason::Propagating, message))
    })
}
