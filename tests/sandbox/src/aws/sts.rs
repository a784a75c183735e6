//! STS: who am I, and assuming a role. Apart from IAM because it speaks for all accounts; the roles and trust
//! policies themselves are IAM's.

use serde_json::{Value, json};

use super::iam::Session;
use super::{Call, Caller, Outcome, Refusal};
use crate::world::World;

/// Answers one call.
pub fn call(world: &mut World, call: &Call<'_>) -> Outcome {
    match call.operation {
        "GetCallerIdentity" => Ok(json!({
            "Account": call.caller.account,
            "Arn": call.caller.arn,
            "UserId": user_id(world, call.caller),
        })),
        "AssumeRole" => assume_role(world, call),
        other => Err(Refusal::new("InvalidAction", format!("Could not find operation {other} for version 2011-06-15"))),
    }
}

/// `AROA…:session` for a session, `AIDA…` for a user.
pub(super) fn user_id(world: &World, caller: &Caller) -> String {
    let session = caller.arn.rsplit('/').next().unwrap_or_default();
    match world.iam.role_by_arn(&caller.principal) {
        Some(role) => format!("{}:{session}", role.id),
        None => super::iam::user_id(&caller.arn),
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationError", message)
}

fn assume_role(world: &mut World, call: &Call<'_>) -> Outcome {
    let (role_arn, session) = (call.text("RoleArn"), call.text("RoleSessionName"));
    let external_id = call.input.get("ExternalId").and_then(Value::as_str);
    if role_arn.len() < 20 || !role_arn.starts_with("arn:") {
        return Err(invalid(format!("{role_arn} is invalid")));
    }
    let good = |sign: char| sign.is_ascii_alphanumeric() || "_+=,.@-".contains(sign);
    if !(2..=64).contains(&session.len()) || !session.chars().all(good) {
        let rule = r"Member must satisfy regular expression pattern: [\w+=,.@-]*";
        return Err(invalid(format!(
            "1 validation error detected: Value '{session}' at 'roleSessionName' failed to satisfy constraint: {rule}"
        )));
    }
    let refused = || {
        let message =
            format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {role_arn}", call.caller.arn);
        Refusal::new("AccessDenied", message).with_status(403)
    };
    // A role that others do not know yet is refused like one that does not trust the caller.
    if !world.iam.admits(role_arn, call.caller, session, external_id) || world.propagating(role_arn) {
        return Err(refused());
    }
    let role = world.iam.role_by_arn(role_arn).ok_or_else(refused)?;
    let (account, name, id, longest) = (role.account.clone(), role.name.clone(), role.id.clone(), role.max_session);
    let seconds = duration(call, longest)?;
    let expires = world.after(std::time::Duration::from_secs(seconds));
    let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
    let salt = world.ids.next(16);
    let grant = Session { account, arn: arn.clone(), role: role_arn.to_owned(), expires };
    let access_key = world.iam.add_session(grant, &salt);
    let rounded = expires.round(jiff::Unit::Second).unwrap_or(expires);
    Ok(json!({
        "Credentials": {
            "AccessKeyId": access_key,
            "SecretAccessKey": format!("sandbox/{}", world.ids.next(32)),
            "SessionToken": format!("sandbox/{}", world.ids.next(64)),
            "Expiration": rounded.to_string(),
        },
        "AssumedRoleUser": { "AssumedRoleId": format!("{id}:{session}"), "Arn": arn },
    }))
}

/// How long the session lasts: an hour unless asked otherwise, at most what the role allows, and an hour at most
/// where a session assumes the next role.
fn duration(call: &Call<'_>, longest: i64) -> Result<u64, Refusal> {
    let asked = match call.input.get("DurationSeconds") {
        None | Some(Value::Null) => 3600,
        Some(Value::String(text)) => text.parse().unwrap_or(0),
        Some(other) => other.as_i64().unwrap_or(0),
    };
    let chained = call.caller.arn.contains(":assumed-role/");
    if asked > longest || (chained && asked > 3600) {
        return Err(invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role."));
    }
    u64::try_from(asked).ok().filter(|seconds| (900..=43200).contains(seconds)).ok_or_else(|| {
        invalid("1 validation error detected: Value at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::aws::Caller;
    use crate::world::Settings;
    use jiff::Timestamp;

    const ROLE: &str = "arn:aws:iam::444455556666:role/teams/mlops";

    fn world(trust: Value) -> World {
        let mut world = World::new(Settings::default(), Timestamp::from_second(1_800_000_000).unwrap());
        world.iam.add_account("444455556666");
        world.iam.add_role_trusting("444455556666", "/teams/", "mlops", trust);
        world
    }

    fn ask(world: &mut World, caller: &Caller, operation: &str, input: Value) -> Outcome {
        call(world, &Call { operation, input: &input, caller, region: "eu-central-1" })
    }

    #[test]
    fn a_trust_policy_decides_who_assumes_a_role() {
        let statement = |principal: Value, condition: Value| json!({"Statement": {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition}});
        let plain = |principal: Value| json!({"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]});
        let external = json!({"StringEquals": {"sts:ExternalId": "ours"}});
        let account = json!({"AWS": "arn:aws:iam::111122223333:root"});
        let cases = [
            ("the caller's account is named", plain(account.clone()), None, true),
            (
                "the caller is named",
                plain(json!({"AWS": ["arn:aws:iam::111122223333:user/administrator"]})),
                None,
                true,
            ),
            ("another account is named", plain(json!({"AWS": "999999999999"})), None, false),
            ("a service is named", plain(json!({"Service": "lambda.amazonaws.com"})), None, false),
            ("the external id fits", statement(account.clone(), external.clone()), Some("ours"), true),
            ("the external id differs", statement(account.clone(), external.clone()), Some("theirs"), false),
            ("the external id lacks", statement(account.clone(), external), None, false),
            (
                "the caller itself is asked for",
                statement(account.clone(), json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/admin*"}})),
                None,
                true,
            ),
            (
                "a service's account is asked for",
                statement(account.clone(), json!({"StringEquals": {"aws:SourceAccount": "111122223333"}})),
                None,
                false,
            ),
            (
                "a service's account is asked for if there is one",
                statement(account.clone(), json!({"StringEqualsIfExists": {"aws:SourceAccount": "444455556666"}})),
                None,
                true,
            ),
            (
                "a condition that is not known",
                statement(account, json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})),
                None,
                false,
            ),
        ];
        for (name, trust, external_id, admitted) in cases {
            let mut world = world(trust);
            let caller = world.iam.caller("AKIDEXAMPLE").unwrap();
            let mut input = json!({"RoleArn": ROLE, "RoleSessionName": "operator"});
            if let Some(id) = external_id {
                input["ExternalId"] = json!(id);
            }
            match ask(&mut world, &caller, "AssumeRole", input) {
                Ok(_) => assert!(admitted, "{name}"),
                Err(refusal) => assert_eq!((refusal.code.as_str(), admitted), ("AccessDenied", false), "{name}"),
            }
        }
    }

    #[test]
    fn a_trust_policy_names_actions_with_wildcards_in_any_case() {
        let rows = [
            ("all of STS", "Action", json!("sts:*"), true),
            ("what begins with Assume", "Action", json!(["sts:TagSession", "sts:Assume*"]), true),
            ("everything", "Action", json!("*"), true),
            ("in small letters", "Action", json!("sts:assumerole"), true),
            ("tags alone", "Action", json!("sts:TagSession"), false),
            ("all but assuming", "NotAction", json!("sts:Assume*"), false),
            ("all but tags", "NotAction", json!("sts:TagSession"), true),
        ];
        for (name, element, actions, admitted) in rows {
            let mut world = world(
                json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, element: actions}}),
            );
            let caller = world.iam.caller("AKIDEXAMPLE").unwrap();
            let answer =
                ask(&mut world, &caller, "AssumeRole", json!({"RoleArn": ROLE, "RoleSessionName": "operator"}));
            assert_eq!(answer.is_ok(), admitted, "{name}");
        }
    }

    #[test]
    fn a_session_calls_as_its_role_until_it_is_over() {
        let mut world =
            world(json!({"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:*"}]}));
        let caller = world.iam.caller("AKIDEXAMPLE").unwrap();
        let answer = ask(
            &mut world,
            &caller,
            "AssumeRole",
            json!({"RoleArn": ROLE, "RoleSessionName": "operator", "DurationSeconds": "900"}),
        )
        .unwrap();
        let key = answer["Credentials"]["AccessKeyId"].as_str().unwrap();
        let session = world.iam.caller(key).unwrap();
        assert_eq!((session.account.as_str(), session.principal.as_str()), ("444455556666", ROLE));
        let seen = ask(&mut world, &session, "GetCallerIdentity", json!({})).unwrap();
        assert_eq!(seen["Arn"], "arn:aws:sts::444455556666:assumed-role/mlops/operator");
        assert!(seen["UserId"].as_str().unwrap().starts_with("AROA"));
        let later = world.after(std::time::Duration::from_secs(901));
        assert!(!world.iam.expired(key, world.now) && world.iam.expired(key, later));
        assert!(world.iam.caller("ASIAUNKNOWN").is_none());
    }
}
