//! One row per status and goal, and what is and is not drift.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::crd::status::{Intent, Placement};
use crate::domain::identity::{Owned, Ownership};
use crate::domain::platform::{Roles, TriggerFunction};
use crate::fixture::{bare_platform, credentials, elsewhere, owner, place, ready_bucket, role, seals};

use super::*;
use crate::domain::external_resource::{Step, Wait};
use crate::domain::problem::Problem;

const STACK_ID: &str = "arn:aws:cloudformation:eu-west-1:111122223333:stack/s/1";
const FINGERPRINT: &str = "0123456789abcdef0123456789abcdef";

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_767_603_600 + 60 * minute).unwrap()
}

fn platform() -> Platform {
    let placement = Placement {
        jenkins_url: "https://ci.example/jenkins".into(),
        jenkins_folder: vec!["ml team".into()],
        ..place()
    };
    let bare = bare_platform(Identity { owner: owner(), placement, seals: seals() });
    Platform {
        tags: BTreeMap::from([("team".to_owned(), "a".to_owned())]),
        roles: Roles { stack: Some(role("stack")), ..bare.roles },
        jenkins_credentials: credentials("ro\"bot", "t0ken", FINGERPRINT),
        trigger: Some(TriggerFunction {
            jenkins_url: "https://ci.internal".into(),
            subnet_ids: vec!["subnet-1".into(), "subnet-2".into()],
            security_group_ids: vec!["sg-1".into()],
            log_retention_days: 30,
            ..TriggerFunction::default()
        }),
        ..bare
    }
}

fn function(platform: &mut Platform) -> &mut TriggerFunction {
    platform.trigger.as_mut().unwrap()
}

fn desired() -> Desired {
    ModelTrigger::desired(&platform(), &ready_bucket())
}

/// A stack of this status that is as declared.
fn stack(status: &str) -> Stack {
    let desired = desired();
    let mut parameters = desired.parameters;
    parameters.insert(SECRET_PARAMETER.into(), "****".into());
    let failed = status.contains("FAILED") || status.contains("ROLLBACK");
    let failure = failed.then(|| Failure { cause: "Function: no".into(), at: at(0), token: None });
    let (tags, role_arn) = (desired.tags, desired.role_arn.map(String::from));
    Stack { id: STACK_ID.into(), status: status.into(), parameters, tags, role_arn, since: at(0), failure }
}

fn looked(stack: Stack) -> Observed {
    Observed { stack: Some(stack), queues: None }
}

/// The stack is written down.
fn attempts() -> Attempts {
    let intent = Intent { resource: RESOURCE.into(), n: 0, id: Some(STACK_ID.into()) };
    Attempts { intents: vec![intent], ..Attempts::default() }
}

/// The same, made from an older spec.
fn older(status: &str) -> Stack {
    let mut stack = stack(status);
    stack.tags.insert(FINGERPRINT_TAG.into(), format!("old.{FINGERPRINT}"));
    stack
}

/// The same, with an operation that tried this fingerprint.
fn tried_to_reach(mut stack: Stack, fingerprint: &str) -> Stack {
    let token = token(&platform().identity, fingerprint, "x");
    stack.failure = stack.failure.map(|failure| Failure { token: Some(token), ..failure });
    stack
}

fn told(decision: Decision<Action, Trigger>) -> String {
    match decision {
        Decision::InSync(trigger) => format!("in sync: {}", trigger.stack_id),
        Decision::Gone | Decision::GoneBut(_) => "gone".into(),
        Decision::Act(steps) => {
            let one = |step: &Step<Action>| format!("{:?} ({:?}): {}", step.change, step.reason, step.summary);
            steps.iter().map(one).collect::<Vec<_>>().join("; ")
        }
        Decision::Wait(Wait { reason, message, .. }) => format!("wait ({reason}): {message}"),
        Decision::Stuck(Problem { reason, message, .. }) => format!("stuck ({reason}): {message}"),
    }
}

fn named(text: &str) -> String {
    text.replace("NAME", &platform().identity.trigger_stack_name())
}

#[test]
fn every_status_has_its_move() {
    let again = "Delete (StackFailed): delete stack \"NAME\", which could not be created: Function: no";
    let update = "Update (SpecChanged): update stack \"NAME\" (what the spec says)";
    let delete = "Delete (Deleting): delete stack \"NAME\"";
    let in_sync = "in sync: arn:aws:cloudformation:eu-west-1:111122223333:stack/s/1";
    let import_failed =
        |status: &str| format!("stuck (StackFailed): somebody's import into the stack \"NAME\" failed: {status}");
    let (creating, updating) = (
        "wait (Progressing): the stack \"NAME\" is being created",
        "wait (Progressing): the stack \"NAME\" is being updated",
    );
    let deleting = "wait (Deleting): the stack \"NAME\" is being deleted";
    let going_back = "wait (StackRolledBack): the stack \"NAME\" could not be updated: Function: no";
    let undone = "wait (StackFailed): the stack \"NAME\" could not be created: Function: no";
    let importing = "wait (Progressing): the stack \"NAME\" takes part in somebody's import";
    let blocked = "stuck (StackDeleteFailed): the stack \"NAME\" could not be deleted: Function: no";
    let stays = "stuck (StackRolledBack): the stack \"NAME\" could not be updated and is as before: Function: no";
    let stays_failed =
        "stuck (StackFailed): the stack \"NAME\" could not be updated and was not rolled back: Function: no";
    let unknown = "stuck (Unexpected): the stack \"NAME\" is in a status that the operator does not know: NEW_STATUS";
    let goes_on = "Update (StackRollbackFailed): continue the rollback of stack \"NAME\"";
    // Status of a stack made from an older spec; what to do if it should exist, and if not.
    let cases: &[(&str, &str, &str)] = &[
        ("CREATE_IN_PROGRESS", creating, delete),
        ("CREATE_FAILED", again, delete),
        ("CREATE_COMPLETE", update, delete),
        ("ROLLBACK_IN_PROGRESS", undone, undone),
        ("ROLLBACK_FAILED", again, delete),
        ("ROLLBACK_COMPLETE", again, delete),
        ("DELETE_IN_PROGRESS", deleting, deleting),
        ("DELETE_FAILED", blocked, blocked),
        ("UPDATE_IN_PROGRESS", updating, updating),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", updating, updating),
        ("UPDATE_COMPLETE", update, delete),
        ("UPDATE_FAILED", stays_failed, delete),
        ("UPDATE_ROLLBACK_IN_PROGRESS", going_back, going_back),
        ("UPDATE_ROLLBACK_FAILED", goes_on, delete),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", going_back, going_back),
        ("UPDATE_ROLLBACK_COMPLETE", stays, delete),
        ("REVIEW_IN_PROGRESS", "Delete (Drifted): delete stack \"NAME\"", delete),
        ("IMPORT_IN_PROGRESS", importing, importing),
        ("IMPORT_COMPLETE", update, delete),
        ("IMPORT_ROLLBACK_IN_PROGRESS", importing, importing),
        ("IMPORT_ROLLBACK_FAILED", &import_failed("IMPORT_ROLLBACK_FAILED"), delete),
        ("IMPORT_ROLLBACK_COMPLETE", &import_failed("IMPORT_ROLLBACK_COMPLETE"), delete),
        ("NEW_STATUS", unknown, unknown),
    ];
    let id = platform().identity;
    for (status, present, absent) in cases {
        let observed = looked(older(status));
        let attempts = Attempts { failed_changes: 3, ..attempts() };
        let wanted = ModelTrigger::decide(&id, &Goal::Present(desired()), &observed, at(1), &attempts);
        assert_eq!(told(wanted), named(present), "{status}, wanted");
        let unwanted = ModelTrigger::decide(&id, &Goal::Absent, &observed, at(1), &attempts);
        assert_eq!(told(unwanted), named(absent), "{status}, not wanted");
    }
    for status in ["CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"] {
        let observed = looked(stack(status));
        let decision = ModelTrigger::decide(&id, &Goal::Present(desired()), &observed, at(1), &attempts());
        assert_eq!(told(decision), in_sync, "{status}, as declared");
    }
}

#[test]
fn the_past_decides_where_the_status_alone_does_not() {
    let failures = |count: u32, minute: i64| Attempts {
        failed_creations: count,
        last_failed_creation: Some(at(minute)),
        ..attempts()
    };
    let none = attempts;
    let changes = |failed_changes: u32| Attempts { failed_changes, ..attempts() };
    let wanted = desired().fingerprint;
    let continued = |mut stack: Stack| {
        stack.failure = stack.failure.map(|failure| Failure { token: Some("mlops-continue-1".into()), ..failure });
        stack
    };
    let mut unmarked = stack("CREATE_COMPLETE");
    unmarked.tags.remove(&Owned::Stack.tag());
    let retried = "Update (SpecChanged): update stack \"NAME\" (what the spec says)";
    let failed = "could not be created: Function: no";
    let cases: Vec<(&str, Option<Stack>, i64, Attempts, String)> = vec![
        ("no stack", None, 1, none(), "Create (Missing): create stack \"NAME\"".into()),
        (
            "no stack after a failed creation",
            None,
            1,
            failures(1, 0),
            "Create (StackFailed): create stack \"NAME\"".into(),
        ),
        (
            "a foreign stack",
            Some(unmarked.clone()),
            1,
            Attempts::default(),
            "stuck (ForeignOwner): the stack \"NAME\" exists and does not carry our owner tag".into(),
        ),
        (
            "ours, and somebody took its mark off",
            Some(unmarked),
            1,
            none(),
            "Update (Drifted): update stack \"NAME\" (its tags)".into(),
        ),
        (
            "ours, and not yet written down",
            Some(stack("CREATE_COMPLETE")),
            1,
            Attempts::default(),
            format!("Update (Drifted): write down that stack {STACK_ID} is ours"),
        ),
        (
            "the second creation failed just now",
            Some(stack("ROLLBACK_COMPLETE")),
            0,
            failures(1, 0),
            format!("wait (StackFailed): the stack \"NAME\" {failed}"),
        ),
        (
            "the second creation failed a minute ago",
            Some(stack("ROLLBACK_COMPLETE")),
            1,
            failures(1, 0),
            format!("Delete (StackFailed): delete stack \"NAME\", which {failed}"),
        ),
        (
            "the third creation failed a minute ago",
            Some(stack("ROLLBACK_COMPLETE")),
            1,
            failures(2, 0),
            format!("stuck (StackFailed): the stack \"NAME\" {failed}"),
        ),
        (
            "something else was tried to be made",
            Some(tried_to_reach(stack("ROLLBACK_COMPLETE"), "aa.bb")),
            0,
            failures(9, 0),
            format!("Delete (StackFailed): delete stack \"NAME\", which {failed}"),
        ),
        (
            "many creations failed",
            Some(stack("ROLLBACK_COMPLETE")),
            359,
            failures(19, 0),
            format!("stuck (StackFailed): the stack \"NAME\" {failed}"),
        ),
        (
            "many creations failed, the last of them six hours ago",
            Some(stack("ROLLBACK_COMPLETE")),
            360,
            failures(19, 0),
            format!("Delete (StackFailed): delete stack \"NAME\", which {failed}"),
        ),
        (
            "this very update was rolled back just now",
            Some(tried_to_reach(older("UPDATE_ROLLBACK_COMPLETE"), &wanted)),
            0,
            none(),
            "stuck (StackRolledBack): the stack \"NAME\" could not be updated and is as before: Function: no".into(),
        ),
        (
            "this very update was rolled back a minute ago",
            Some(tried_to_reach(older("UPDATE_ROLLBACK_COMPLETE"), &wanted)),
            1,
            none(),
            retried.into(),
        ),
        (
            "this very update was rolled back for the eighth time an hour ago",
            Some(tried_to_reach(older("UPDATE_ROLLBACK_COMPLETE"), &wanted)),
            60,
            changes(7),
            "stuck (StackRolledBack): the stack \"NAME\" could not be updated and is as before: Function: no".into(),
        ),
        (
            "another update was rolled back",
            Some(tried_to_reach(older("UPDATE_ROLLBACK_COMPLETE"), "aa.bb")),
            1,
            none(),
            retried.into(),
        ),
        (
            "what it went back to is what is declared",
            Some(tried_to_reach(stack("UPDATE_ROLLBACK_COMPLETE"), "aa.bb")),
            1,
            none(),
            format!("in sync: {STACK_ID}"),
        ),
        (
            "somebody's update without rollback failed, and the stack shows what is declared",
            Some(tried_to_reach(stack("UPDATE_FAILED"), "aa.bb")),
            1,
            none(),
            "Update (StackFailed): update stack \"NAME\" (its last update failed)".into(),
        ),
        (
            "the continued rollback failed too",
            Some(continued(older("UPDATE_ROLLBACK_FAILED"))),
            0,
            none(),
            "stuck (StackRollbackFailed): the rollback of the stack \"NAME\" failed: Function: no".into(),
        ),
        (
            "the continued rollback failed a minute ago",
            Some(continued(older("UPDATE_ROLLBACK_FAILED"))),
            1,
            none(),
            "Update (StackRollbackFailed): continue the rollback of stack \"NAME\"".into(),
        ),
        (
            "the deletion failed for the fifth time seven minutes ago",
            Some(stack("DELETE_FAILED")),
            7,
            changes(4),
            "stuck (StackDeleteFailed): the stack \"NAME\" could not be deleted: Function: no".into(),
        ),
        (
            "the deletion failed for the fifth time eight minutes ago",
            Some(stack("DELETE_FAILED")),
            8,
            changes(4),
            "Delete (StackDeleteFailed): delete stack \"NAME\"".into(),
        ),
    ];
    for (name, stack, minute, attempts, expected) in cases {
        let observed = Observed { stack, queues: None };
        let decision =
            ModelTrigger::decide(&platform().identity, &Goal::Present(desired()), &observed, at(minute), &attempts);
        assert_eq!(told(decision), named(&expected), "{name}");
    }
}

#[test]
fn a_stack_of_another_installation_is_neither_taken_nor_deleted() {
    let id = platform().identity;
    let mut stack = stack("CREATE_COMPLETE");
    stack.tags.extend(elsewhere(&id).owner_tags(Owned::Stack));
    for goal in [Goal::Present(desired()), Goal::Absent] {
        let observed = looked(stack.clone());
        let decision = ModelTrigger::decide(&id, &goal, &observed, at(1), &attempts());
        assert!(told(decision).starts_with("stuck (ClusterClaimed): stack"));
    }
}

#[test]
fn nothing_and_what_is_not_ours_is_gone() {
    let mut foreign = stack("CREATE_COMPLETE");
    foreign.tags.insert(Owned::Stack.tag(), "somebody".into());
    let taken_over =
        "stuck (ForeignOwner): stack \"NAME\" was made for this object and carries the mark of another one now";
    for (stack, attempts, wanted) in [
        (None, Attempts::default(), "gone"),
        (Some(foreign.clone()), Attempts::default(), "gone"),
        (Some(foreign), attempts(), taken_over),
    ] {
        let id = platform().identity;
        let decision = ModelTrigger::decide(&id, &Goal::Absent, &Observed { stack, queues: None }, at(1), &attempts);
        assert_eq!(told(decision), named(wanted));
    }
}

#[test]
fn each_difference_is_told_apart() {
    type Edit = fn(&mut Stack);
    let cases: &[(&str, Edit, &str)] = &[
        (
            "another token",
            |stack| drop(stack.tags.insert(FINGERPRINT_TAG.into(), desired().fingerprint.replace(FINGERPRINT, "0"))),
            "Update (SecretChanged): update stack \"NAME\" (the Jenkins credentials)",
        ),
        (
            "no fingerprint",
            |stack| drop(stack.tags.remove(FINGERPRINT_TAG)),
            "Update (Drifted): update stack \"NAME\" (its fingerprint is missing)",
        ),
        (
            "a parameter changed by hand",
            |stack| drop(stack.parameters.insert("JenkinsUrl".into(), "https://other".into())),
            "Update (Drifted): update stack \"NAME\" (its parameters)",
        ),
        (
            "a tag changed by hand",
            |stack| drop(stack.tags.insert("team".into(), "b".into())),
            "Update (Drifted): update stack \"NAME\" (its tags)",
        ),
        (
            "a tag of somebody else",
            |stack| drop(stack.tags.insert("their".into(), "own".into())),
            "in sync: arn:aws:cloudformation:eu-west-1:111122223333:stack/s/1",
        ),
        (
            "a tag that an earlier spec asked for",
            |stack| {
                let before = BTreeMap::from([("team".to_owned(), "a".to_owned()), ("cost".to_owned(), "7".to_owned())]);
                stack.tags.extend(tags::recorded(Owned::Stack, &before));
            },
            "Update (Drifted): update stack \"NAME\" (its tags)",
        ),
        ("another role", |stack| stack.role_arn = None, "Update (Drifted): update stack \"NAME\" (its role)"),
        ("a masked secret", |_| {}, "in sync: arn:aws:cloudformation:eu-west-1:111122223333:stack/s/1"),
    ];
    for (name, edit, expected) in cases {
        let mut stack = stack("UPDATE_COMPLETE");
        edit(&mut stack);
        let observed = looked(stack);
        let decision =
            ModelTrigger::decide(&platform().identity, &Goal::Present(desired()), &observed, at(1), &attempts());
        assert_eq!(told(decision), named(expected), "{name}");
    }
}

#[test]
fn the_spec_becomes_parameters_and_only_the_credentials_are_hidden() {
    let desired = desired();
    let expected = BTreeMap::from(
        [
            ("AlarmTopicArn", ""),
            ("ArtifactBucket", "artifacts"),
            ("BucketPrefix", &platform().identity.bucket_prefix()),
            ("JenkinsUrl", "https://ci.internal"),
            ("LambdaRoleArn", ""),
            ("LogRetentionDays", "30"),
            ("PermissionsBoundaryArn", ""),
            ("SecurityGroupIds", "sg-1"),
            ("SubnetIds", "subnet-1,subnet-2"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    assert_eq!(desired.parameters, expected);
    assert_eq!(desired.secret.reveal(), r#"{"token":"t0ken","user":"ro\"bot"}"#);
    assert_eq!(desired.tags["team"], "a");
    assert_eq!(platform().identity.ownership(Owned::Stack, &desired.tags), Ownership::Ours);
}

#[test]
fn what_the_role_the_log_and_the_alarms_need_goes_in() {
    let mut platform = platform();
    let trigger = function(&mut platform);
    trigger.log_retention_days = 90;
    trigger.permissions_boundary_arn = Some("arn:aws:iam::111122223333:policy/bounds".into());
    trigger.alarm_topic_arn = Some("arn:aws:sns:eu-west-1:111122223333:alarms".into());
    let parameters = ModelTrigger::desired(&platform, &ready_bucket()).parameters;
    assert_eq!(parameters["AlarmTopicArn"], "arn:aws:sns:eu-west-1:111122223333:alarms");
    assert_eq!(parameters["PermissionsBoundaryArn"], "arn:aws:iam::111122223333:policy/bounds");
    assert_eq!(parameters["LogRetentionDays"], "90");
}

#[test]
fn the_fingerprint_has_one_half_for_the_spec_and_one_for_the_credentials() {
    let half = |fingerprint: &str, at: usize| fingerprint.split('.').nth(at).unwrap().to_owned();
    let before = desired().fingerprint;
    let mut rotated = platform();
    rotated.jenkins_credentials.token.fingerprint = "f".repeat(32);
    let rotated = ModelTrigger::desired(&rotated, &ready_bucket()).fingerprint;
    assert_eq!(half(&before, 0), half(&rotated, 0));
    assert_ne!(half(&before, 1), half(&rotated, 1));
    let mut changed = platform();
    function(&mut changed).ca_bundle = "PEM".into();
    let changed = ModelTrigger::desired(&changed, &ready_bucket()).fingerprint;
    assert_ne!(half(&before, 0), half(&changed, 0));
    assert_eq!(half(&before, 1), half(&changed, 1));
}

#[test]
fn the_function_gets_the_user_of_its_own_and_the_operators_is_remarked_on() {
    let rows = [
        ("no user of its own", None, "ro\"bot", true),
        ("one of its own", Some(credentials("starter", "t2", "f2")), "starter", false),
        ("another token of the operator's user", Some(credentials("ro\"bot", "t2", "f2")), "ro\"bot", true),
    ];
    for (case, own, user, shared) in rows {
        let mut platform = platform();
        let half = own.as_ref().map_or(FINGERPRINT.to_owned(), |own| own.token.fingerprint.clone());
        function(&mut platform).credentials = own;
        let desired = ModelTrigger::desired(&platform, &ready_bucket());
        assert!(desired.secret.reveal().contains(&json!(user).to_string()), "{case}");
        assert!(desired.fingerprint.ends_with(&format!(".{half}")), "{case}: a new token is a new fingerprint");
        let observed = looked(Stack { tags: desired.tags.clone(), ..stack("CREATE_COMPLETE") });
        let goal = Goal::Present(desired);
        let decision = ModelTrigger::decide(&platform.identity, &goal, &observed, at(0), &attempts());
        let Decision::InSync(trigger) = decision else { panic!("{case}: {}", told(decision)) };
        let reason = ModelTrigger::remark(&trigger).map(|remark| remark.reason);
        assert_eq!(reason, shared.then_some(Reason::SharedCredentials), "{case}");
    }
}

#[test]
fn a_ca_bundle_that_does_not_fit_is_refused_before_anything_is_made() {
    let mut platform = platform();
    function(&mut platform).ca_bundle = "x".repeat(4096);
    let desired = ModelTrigger::desired(&platform, &ready_bucket());
    let decision =
        ModelTrigger::decide(&platform.identity, &Goal::Present(desired), &Observed::default(), at(0), &attempts());
    assert_eq!(
        told(decision),
        "stuck (CaBundleInvalid): Jenkins credentials and CA bundle have 4144 bytes together; a stack parameter takes 4096"
    );
}

#[test]
fn a_client_token_is_one_that_cloudformation_takes_and_tells_what_was_tried() {
    let fingerprint = desired().fingerprint;
    let text = token(&platform().identity, &fingerprint, "here");
    assert!(text.len() <= 128 && text.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '-'), "{text}");
    assert_ne!(text, token(&platform().identity, &fingerprint, "there"));
    assert_eq!(attempted(&tried_to_reach(stack("UPDATE_ROLLBACK_COMPLETE"), &fingerprint)), Some(fingerprint));
}

/// A trigger that is as declared, with a user of its own, whose queues were found like this at minute 0 and since.
fn with_queues_found(waiting: bool, dead: bool, unread: Option<&str>, at_minute: i64) -> (Trigger, TriggerStatus) {
    let arn = |name: &str| format!("arn:aws-cn:sqs:cn-north-1:111122223333:{name}");
    let queues = Queues {
        waiting_arn: arn("w"),
        dead_arn: arn("d"),
        log_group: "g".into(),
        waiting,
        dead,
        unread: unread.map(str::to_owned),
    };
    let mut platform = platform();
    function(&mut platform).credentials = Some(credentials("starter", "t2", "f2"));
    let desired = ModelTrigger::desired(&platform, &ready_bucket());
    let stack = Stack { tags: desired.tags.clone(), ..stack("CREATE_COMPLETE") };
    let observed = Observed { stack: Some(stack), queues: Some(queues) };
    let noticed_since = ModelTrigger::notices(&observed).into_iter().map(|notice| (notice, at(0))).collect();
    let attempts = Attempts { noticed_since, ..attempts() };
    let goal = Goal::Present(desired);
    let decision = ModelTrigger::decide(&platform.identity, &goal, &observed, at(at_minute), &attempts);
    let Decision::InSync(trigger) = decision else { panic!("{}", told(decision)) };
    let mut status = MlopsProjectStatus::default();
    ModelTrigger::show(&place(), Some(&trigger), &mut status);
    (trigger, status.trigger.unwrap())
}

#[test]
fn events_that_wait_or_died_are_remarked_on_and_those_that_are_just_served_are_not() {
    let denied = Some("could not read how queue \"w\" stands: no; allow it");
    let dead = Some(Reason::MessagesDead);
    #[rustfmt::skip]
    let rows = [
        ("nothing is in the queues", (false, false, None, 90), None, (false, false)),
        ("an event is in the queue at the first look", (true, false, None, 0), None, (false, false)),
        ("a person had it looked at again at once", (true, false, None, 29), None, (false, false)),
        ("events were there at two looks", (true, false, None, 45), Some(Reason::MessagesWaiting), (true, false)),
        ("an event is in the dead-letter queue", (false, true, None, 0), dead, (false, true)),
        ("events are in both", (true, true, None, 45), dead, (true, true)),
        ("the operator may not look", (false, false, denied, 90), Some(Reason::QueuesUnchecked), (false, false)),
    ];
    for (case, (waiting, dead, unread, minute), reason, shown) in rows {
        let (trigger, status) = with_queues_found(waiting, dead, unread, minute);
        let remark = ModelTrigger::remark(&trigger);
        assert_eq!(remark.as_ref().map(|remark| remark.reason), reason, "{case}");
        assert!(!remark.is_some_and(|remark| remark.passing), "{case}: an hour is soon enough");
        assert_eq!((status.waiting_messages, status.dead_messages), shown, "{case}");
        assert_eq!(status.replay_command.is_some(), dead, "{case}");
    }
}

#[test]
fn a_remark_has_the_commands_that_tell_why_and_that_start_them_after_all() {
    let (mut trigger, status) = with_queues_found(true, true, None, 60);
    trigger.shares_credentials = true;
    let arn = |name: &str| format!("arn:aws-cn:sqs:cn-north-1:111122223333:{name}");
    let replay = format!(
        "aws sqs start-message-move-task --region cn-north-1 --source-arn {} --destination-arn {}",
        arn("d"),
        arn("w")
    );
    let why = "aws logs filter-log-events --region cn-north-1 --log-group-name g --filter-pattern outcome";
    let message = ModelTrigger::remark(&trigger).unwrap().message;
    let expected = [
        format!(
            "it is as declared, but events whose jobs could not be started for days wait in its dead-letter queue, until two \
             weeks after the event: see why with `{why}`, remove the cause, then start them with `{replay}`. Besides, "
        ),
        format!(
            "events have waited in its queue for more than half an hour, since jobs cannot be started: see why with `{why}`; \
             they are tried again by themselves for three days. Besides, its function holds the token of the operator's own"
        ),
    ];
    assert!(message.starts_with(&expected.concat()), "{message}");
    assert_eq!(status.replay_command, Some(replay));
    let idle = TriggerStatus { stack_id: "s".into(), ..TriggerStatus::default() };
    assert_eq!(
        serde_json::to_value(idle).unwrap(),
        json!({"stackId": "s"}),
        "while nothing waits, nothing is said of it"
    );
}
