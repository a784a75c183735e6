//! Whether the operator itself may launch the product. AWS finds that out by itself some time after the principals were
//! let at the portfolio; what does not come then is for a person to mend.

use jiff::Timestamp;

use super::verdict::wait;
use super::{Action, Desired};
use crate::crd::status::Reason;
use crate::domain::report::PROPAGATION;
use crate::domain::resource::{Attempts, Decision};
use crate::resources::outputs::Launchable;

/// What AWS says of the operator's own launch paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LaunchPath {
    /// There is one.
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
    seen: LaunchPath,
    now: Timestamp,
    tried: &Attempts,
) -> Option<Decision<Action, Launchable>> {
    let (product, portfolio) = (&desired.product.name, &desired.portfolio.name);
    let (why, message, hint) = match seen {
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
    let lasting = tried.propagating_since.is_some_and(|since| now.duration_since(since).unsigned_abs() >= PROPAGATION);
    Some(if lasting { Decision::Stuck { why, message, hint } } else { wait(Reason::Propagating, message) })
}
