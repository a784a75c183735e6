//! Prerequisites: the right account, and the roles and Git connections that the spec names. They are observed and
//! never touched: what is wrong with them only a person can change. Jenkins is a resource of its own, `jenkins_server`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::crd::identifiers::{ConnectionArn, RoleArn};
use crate::crd::status::{MlopsProjectStatus, Placement, Reason};
use crate::domain::external_resource::{Attempts, Decision, ExternalResource, Goal, ResourceKind, StepKey, Wait};
use crate::domain::fault::PROPAGATION;
use crate::domain::identity::Identity;
use crate::domain::platform::{Platform, Roles};
use crate::domain::problem::Problem;
use crate::domain::time::elapsed;

/// How often, and for how long, a connection is looked at whose handshake a person completes.
const HANDSHAKE_CHECK: Duration = Duration::from_secs(30);
const HANDSHAKE: Duration = Duration::from_hours(1);

/// The account, the roles and the connections, as a resource that is only ever observed.
pub struct Prerequisites;

/// What a role is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoleUse {
    /// Service Catalog launches the product with it.
    Launch,
    /// Pipelines and builds run as it; the template decides which services those are.
    Usage,
    /// A function starts the build that checks seed code in; both run as it.
    CheckIn,
    /// The use role again, where seed code is wanted and no role is named for its check-in.
    UsageCheckIn,
    /// CloudFormation makes the trigger stack with it.
    Stack,
    /// The model trigger's Lambda runs as it.
    Runtime,
    /// It may launch the product.
    Principal,
}

impl RoleUse {
    /// Where the spec names it.
    fn field(self) -> &'static str {
        match self {
            Self::Launch => "aws.roles.launch",
            Self::Usage | Self::UsageCheckIn => "aws.roles.use",
            Self::CheckIn => "aws.roles.checkIn",
            Self::Stack => "aws.roles.stack",
            Self::Runtime => "modelTrigger.runtimeRoleArn",
            Self::Principal => "catalog.principals",
        }
    }

    /// The services that must be able to assume it.
    fn services(self) -> &'static [&'static str] {
        match self {
            Self::Launch => &["servicecatalog.amazonaws.com"],
            Self::Usage | Self::Principal => &[],
            Self::CheckIn | Self::UsageCheckIn => &["codebuild.amazonaws.com", "lambda.amazonaws.com"],
            Self::Stack => &["cloudformation.amazonaws.com"],
            Self::Runtime => &["lambda.amazonaws.com"],
        }
    }
}

/// What a project needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Each role with what it is for; one role may serve several ends.
    pub roles: Vec<(RoleUse, RoleArn)>,
    /// ARNs of the connections, each once.
    pub connections: BTreeSet<ConnectionArn>,
}

impl Needs {
    /// Everything that the spec names.
    pub fn of(platform: &Platform) -> Self {
        let mut roles =
            vec![(RoleUse::Launch, platform.roles.launch.clone()), (RoleUse::Usage, platform.roles.usage.clone())];
        if let Some(trigger) = &platform.trigger {
            roles.extend(platform.roles.stack.iter().map(|arn| (RoleUse::Stack, arn.clone())));
            roles.extend(trigger.runtime_role_arn.iter().map(|arn| (RoleUse::Runtime, arn.clone())));
        }
        if platform.seeds.any {
            let Roles { usage, check_in, .. } = &platform.roles;
            roles.push(match check_in {
                Some(role) => (RoleUse::CheckIn, role.clone()),
                None => (RoleUse::UsageCheckIn, usage.clone()),
            });
        }
        // A portfolio takes a principal that does not exist, and lets nobody launch for it.
        let principals = platform.catalog.principals.iter().filter(|principal| principal.kind == "IAM");
        let home = &platform.identity.placement.account_id;
        let named = principals.filter_map(|principal| RoleArn::parse(&principal.arn).ok());
        roles.extend(named.filter(|role| role.account() == home.as_str()).map(|role| (RoleUse::Principal, role)));
        Self { roles, connections: platform.connections.clone() }
    }

    /// The ARNs of the roles, each once.
    pub fn role_arns(&self) -> BTreeSet<RoleArn> {
        self.roles.iter().map(|(_, arn)| arn.clone()).collect()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The account that the credentials belong to.
    pub account: String,
    /// The operator's own role or user.
    pub operator_principal_arn: String,
    /// Roles by ARN; empty in the wrong account.
    pub roles: BTreeMap<RoleArn, ObservedRole>,
    /// Connections by ARN; empty in the wrong account.
    pub connections: BTreeMap<ConnectionArn, ObservedConnection>,
}

/// A role as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObservedRole {
    Absent,
    /// The operator may not read it.
    Hidden,
    Present {
        /// Services that may assume it.
        trusted_services: BTreeSet<String>,
    },
}

/// A connection as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObservedConnection {
    Absent,
    /// The operator may not read it.
    Hidden,
    Present {
        /// `AVAILABLE`, `PENDING`, `ERROR`.
        status: String,
    },
}

/// Nothing can be done to prerequisites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {}

/// Who the operator is in the account: a principal of each portfolio that it makes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OperatorPrincipal {
    /// The operator's own role (or user) as a portfolio principal: `arn:aws:iam::…:role/path/name`, not a session.
    pub arn: String,
}

impl ExternalResource for Prerequisites {
    const KIND: ResourceKind = ResourceKind::Prerequisites;
    type Declared = Platform;
    type Inputs = ();
    type Desired = Needs;
    type Observed = Observed;
    type Action = Action;
    type Output = OperatorPrincipal;

    fn desired(platform: &Platform, _inputs: &()) -> Needs {
        Needs::of(platform)
    }

    fn decide(
        id: &Identity,
        goal: &Goal<Needs>,
        observed: &Observed,
        now: Timestamp,
        attempts: &Attempts,
    ) -> Decision<Action, OperatorPrincipal> {
        if observed.account != *id.placement.account_id {
            return Decision::stuck(
                Reason::WrongAccount,
                format!(
                    "the credentials belong to AWS account {}, but the spec says {}",
                    observed.account, id.placement.account_id
                ),
                "give the operator credentials of that account, name a role of it in aws.assumeRole, or correct aws.accountId",
            );
        }
        let Goal::Present(needs) = goal else { return Decision::Gone };
        let problem =
            needs.roles.iter().find_map(|(purpose, arn)| lacking_role(*purpose, arn, observed.roles.get(arn))).or_else(
                || needs.connections.iter().find_map(|arn| lacking_connection(arn, observed.connections.get(arn))),
            );
        match problem {
            Some(problem) => lacking(problem, now, attempts),
            None => Decision::InSync(OperatorPrincipal { arn: observed.operator_principal_arn.clone() }),
        }
    }

    fn key(action: &Action) -> StepKey {
        match *action {}
    }

    fn exists(_observed: &Observed) -> bool {
        false
    }

    /// The account and the roles are nobody's to leave.
    fn whereabouts(_placement: &Placement, _status: &MlopsProjectStatus) -> Option<String> {
        None
    }
}

/// What AWS has just been given may not show yet; what a person completes in a console is looked for often while he may be
/// at it.
fn lacking(problem: Problem, now: Timestamp, attempts: &Attempts) -> Decision<Action, OperatorPrincipal> {
    let lasted = |since: Option<Timestamp>| since.map_or(Duration::ZERO, |since| elapsed(since, now));
    let spreads = matches!(problem.reason, Reason::RoleMissing | Reason::RoleNotTrusted);
    if spreads && lasted(attempts.propagating_since) < PROPAGATION {
        return Decision::Wait(Wait::new("prerequisites", Reason::Propagating, problem.message));
    }
    let pending = attempts.stuck.filter(|(reason, _)| *reason == problem.reason).map(|(_, since)| since);
    let soon = now.saturating_add(HANDSHAKE_CHECK).unwrap_or(now);
    match problem.reason {
        Reason::ConnectionPending if lasted(pending) < HANDSHAKE => Decision::Stuck(problem.until(soon)),
        _ => Decision::Stuck(problem),
    }
}

/// What is wrong with a role, if anything.
fn lacking_role(purpose: RoleUse, arn: &RoleArn, observed: Option<&ObservedRole>) -> Option<Problem> {
    let field = purpose.field();
    match observed {
        Some(ObservedRole::Hidden) => None,
        Some(ObservedRole::Present { trusted_services }) => {
            let service = purpose.services().iter().find(|service| !trusted_services.contains(**service))?;
            let instead = match purpose {
                RoleUse::CheckIn | RoleUse::UsageCheckIn => {
                    ", or ask for no seed code (repositories.*.seedCode.source: None)"
                }
                _ => "",
            };
            Some(Problem::new(
                Reason::RoleNotTrusted,
                format!("the trust policy of role {arn} ({field}) does not let {service} assume it"),
                format!(
                    "add a statement to the role's trust policy that allows sts:AssumeRole to the service {service}{instead}"
                ),
            ))
        }
        Some(ObservedRole::Absent) | None => Some(Problem::new(
            Reason::RoleMissing,
            format!("role {arn} ({field}) does not exist"),
            format!("create the role, or correct {field}; the path is part of the ARN"),
        )),
    }
}

/// Where a person finds a connection in the console (Developer Tools user guide, "Update a pending connection").
fn console(arn: &ConnectionArn) -> String {
    let host = match arn.as_str().split(':').nth(1) {
        Some("aws-cn") => "console.amazonaws.cn",
        Some("aws-us-gov") => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    };
    format!("https://{host}/codesuite/settings/connections?region={}", arn.region())
}

/// What is wrong with a connection, if anything.
fn lacking_connection(arn: &ConnectionArn, observed: Option<&ObservedConnection>) -> Option<Problem> {
    let status = match observed {
        Some(ObservedConnection::Hidden) => return None,
        Some(ObservedConnection::Present { status }) => status.as_str(),
        Some(ObservedConnection::Absent) | None => "",
    };
    let (reason, message, hint) = match status {
        "AVAILABLE" => return None,
        "PENDING" => {
            let message = format!("Git connection {arn} waits for its handshake");
            let hint = format!("finish it in the AWS console (Update pending connection): {}", console(arn));
            return Some(Problem::new(Reason::ConnectionPending, message, hint));
        }
        "" => (
            Reason::ConnectionMissing,
            format!("Git connection {arn} does not exist"),
            "create the connection in the AWS console, or correct connectionArn",
        ),
        other => (
            Reason::ConnectionFailed,
            format!("Git connection {arn} is in state {other}"),
            "repair or replace the connection in the AWS console: Developer Tools, Settings, Connections",
        ),
    };
    Some(Problem::new(reason, message, hint))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::domain::identity::OwnerKey;
    use crate::fixture::{connection as connection_arn, place, role_arn, seals};

    const ROLE: &str = "arn:aws:iam::111122223333:role/launch";
    const CONNECTION: &str = "arn:aws:codeconnections:eu-west-1:111122223333:connection/1";

    fn identity() -> Identity {
        let owner =
            OwnerKey { cluster: "c".into(), kind: "MlopsProject".into(), namespace: "n".into(), name: "p".into() };
        Identity { owner, placement: place(), seals: seals() }
    }

    fn trusting(service: &str) -> ObservedRole {
        ObservedRole::Present { trusted_services: BTreeSet::from([service.to_owned()]) }
    }

    fn connection(status: &str) -> ObservedConnection {
        ObservedConnection::Present { status: status.to_owned() }
    }

    fn decide(
        purpose: RoleUse,
        account: &str,
        role: ObservedRole,
        connection: ObservedConnection,
        absent: bool,
    ) -> String {
        let needs =
            Needs { roles: vec![(purpose, role_arn(ROLE))], connections: BTreeSet::from([connection_arn(CONNECTION)]) };
        let observed = Observed {
            account: account.to_owned(),
            operator_principal_arn: "arn:aws:iam::111122223333:role/operator".into(),
            roles: BTreeMap::from([(role_arn(ROLE), role)]),
            connections: BTreeMap::from([(connection_arn(CONNECTION), connection)]),
        };
        let goal = if absent { Goal::Absent } else { Goal::Present(needs) };
        let told = |now: i64, attempts: &Attempts| {
            let now = Timestamp::from_second(now).unwrap();
            match Prerequisites::decide(&identity(), &goal, &observed, now, attempts) {
                Decision::InSync(principal) => principal.arn,
                Decision::Gone | Decision::GoneBut(_) => "Gone".into(),
                Decision::Wait(wait) => format!("wait {}", wait.reason),
                Decision::Stuck(Problem { reason, message, hint, .. }) => {
                    assert!(!message.is_empty() && !hint.is_empty());
                    reason.to_string()
                }
                Decision::Act(_) => panic!("prerequisites are looked at and nothing else"),
            }
        };
        let since = Attempts { propagating_since: Some(Timestamp::UNIX_EPOCH), ..Attempts::default() };
        let lasting = told(120, &since);
        // What may only be too young to show is waited for first.
        let spreads = ["RoleMissing", "RoleNotTrusted"].contains(&&*lasting);
        let at_first = if spreads { "wait Propagating" } else { &lasting };
        assert_eq!((told(0, &Attempts::default()), told(119, &since)), (at_first.into(), at_first.into()));
        lasting
    }

    #[test]
    fn a_handshake_that_a_person_completes_is_noticed_soon() {
        let needs = Needs { roles: Vec::new(), connections: BTreeSet::from([connection_arn(CONNECTION)]) };
        let observed = Observed {
            account: "111122223333".into(),
            connections: BTreeMap::from([(connection_arn(CONNECTION), connection("PENDING"))]),
            ..Observed::default()
        };
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let stuck = |now: i64| {
            let attempts = Attempts { stuck: Some((Reason::ConnectionPending, at(0))), ..Attempts::default() };
            match Prerequisites::decide(&identity(), &Goal::Present(needs.clone()), &observed, at(now), &attempts) {
                Decision::Stuck(problem) => problem,
                _ => panic!("not stuck"),
            }
        };
        assert_eq!(stuck(60).until, Some(at(90)));
        assert_eq!(stuck(3600).until, None, "after an hour every ten minutes are enough");
        let link = "https://console.aws.amazon.com/codesuite/settings/connections?region=eu-west-1";
        assert!(stuck(60).hint.contains(link), "{}", stuck(60).hint);
    }

    #[test]
    fn each_resource_that_lacks_has_its_own_reason() {
        use RoleUse::{CheckIn, Launch, Runtime, Stack, Usage, UsageCheckIn};
        let home = "111122223333";
        let ours = "arn:aws:iam::111122223333:role/operator";
        let available = || connection("AVAILABLE");
        let catalog = || trusting("servicecatalog.amazonaws.com");
        let both = || ObservedRole::Present {
            trusted_services: ["codebuild.amazonaws.com", "lambda.amazonaws.com"].map(str::to_owned).into(),
        };
        let rows = [
            ("all is well", Launch, home, catalog(), available(), ours),
            (
                "another account comes before anything else",
                Launch,
                "999999999999",
                ObservedRole::Absent,
                ObservedConnection::Absent,
                "WrongAccount",
            ),
            ("no such role", Usage, home, ObservedRole::Absent, available(), "RoleMissing"),
            ("a launch role for Lambda", Launch, home, trusting("lambda.amazonaws.com"), available(), "RoleNotTrusted"),
            ("a stack role for Service Catalog", Stack, home, catalog(), available(), "RoleNotTrusted"),
            ("a stack role", Stack, home, trusting("cloudformation.amazonaws.com"), available(), ours),
            ("a runtime role for Service Catalog", Runtime, home, catalog(), available(), "RoleNotTrusted"),
            ("a runtime role", Runtime, home, trusting("lambda.amazonaws.com"), available(), ours),
            ("any service may use the use role", Usage, home, trusting("glue.amazonaws.com"), available(), ours),
            (
                "seed code and a use role for Lambda alone",
                UsageCheckIn,
                home,
                trusting("lambda.amazonaws.com"),
                available(),
                "RoleNotTrusted",
            ),
            (
                "seed code and a use role for builds alone",
                UsageCheckIn,
                home,
                trusting("codebuild.amazonaws.com"),
                available(),
                "RoleNotTrusted",
            ),
            ("seed code and a use role for both", UsageCheckIn, home, both(), available(), ours),
            ("seed code and no use role", UsageCheckIn, home, ObservedRole::Absent, available(), "RoleMissing"),
            ("seed code and a check-in role for both", CheckIn, home, both(), available(), ours),
            (
                "seed code and a check-in role for builds alone",
                CheckIn,
                home,
                trusting("codebuild.amazonaws.com"),
                available(),
                "RoleNotTrusted",
            ),
            ("seed code and no check-in role", CheckIn, home, ObservedRole::Absent, available(), "RoleMissing"),
            ("a role that the operator may not read", Launch, home, ObservedRole::Hidden, available(), ours),
            ("no such connection", Launch, home, catalog(), ObservedConnection::Absent, "ConnectionMissing"),
            ("a connection without its handshake", Launch, home, catalog(), connection("PENDING"), "ConnectionPending"),
            (
                "a connection whose handshake nobody begins",
                Launch,
                home,
                catalog(),
                connection("NEW"),
                "ConnectionFailed",
            ),
            ("a broken connection", Launch, home, catalog(), connection("ERROR"), "ConnectionFailed"),
            ("a connection that the operator may not read", Launch, home, catalog(), ObservedConnection::Hidden, ours),
        ];
        for (name, purpose, account, role, connection, wanted) in rows {
            assert_eq!(decide(purpose, account, role, connection, false), wanted, "{name}");
        }
    }

    #[test]
    fn deletion_asks_for_the_account_alone() {
        let nothing = || (ObservedRole::Absent, ObservedConnection::Absent);
        for (name, account, wanted) in
            [("the right account", "111122223333", "Gone"), ("another account", "999999999999", "WrongAccount")]
        {
            let (role, connection) = nothing();
            assert_eq!(decide(RoleUse::Launch, account, role, connection, true), wanted, "{name}");
        }
    }
}
