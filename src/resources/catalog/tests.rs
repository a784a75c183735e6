//! One row for each state and reason of the catalog product: what was seen, and what is done about it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::crd::status::Intent;
use crate::crd::status::Placement;
use crate::domain::identity::OwnerKey;

const SHA: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const ROLE: &str = "arn:aws:iam::111122223333:role/launch";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn identity() -> Identity {
    let owner = OwnerKey { cluster: "c".into(), kind: "MlopsProject".into(), namespace: "n".into(), name: "p".into() };
    Identity { owner, placement: Placement::default() }
}

fn principal(arn: &str) -> Principal {
    Principal { arn: arn.into(), kind: "IAM".into() }
}

fn desired() -> Desired {
    let tags: BTreeMap<String, String> = identity().owner_tags();
    let mut product_tags = tags.clone();
    product_tags.insert("sagemaker:studio-visibility".into(), "true".into());
    Desired {
        portfolio: Portfolio { name: "team".into(), provider: "platform".into(), description: String::new(), tags },
        product: Product {
            name: "churn".into(),
            owner: "platform".into(),
            description: String::new(),
            support_description: String::new(),
            support_email: String::new(),
            support_url: String::new(),
            tags: product_tags,
        },
        version: Version { sha256: SHA.into(), url: "https://b.s3.us-east-1.amazonaws.com/t.yaml".into() },
        launch_role: ROLE.into(),
        principals: BTreeSet::from([principal("operator")]),
    }
}

fn version(id: &str, sha256: &str) -> SeenVersion {
    let wanted = Version { sha256: sha256.into(), url: String::new() };
    SeenVersion {
        id: id.into(),
        name: wanted.name(),
        description: wanted.description(),
        active: true,
        deprecated: false,
        standing: Standing::Ready,
    }
}

fn seen() -> Observed {
    let Desired { portfolio, product, principals, .. } = desired();
    Observed {
        portfolio: Some(SeenPortfolio {
            id: "port-1".into(),
            name: portfolio.name,
            provider: portfolio.provider,
            description: portfolio.description,
            tags: portfolio.tags,
        }),
        product: Some(SeenProduct {
            id: "prod-1".into(),
            standing: Standing::Ready,
            name: product.name,
            owner: product.owner,
            description: product.description,
            support_description: product.support_description,
            support_email: product.support_email,
            support_url: product.support_url,
            tags: product.tags,
        }),
        versions: vec![version("pa-1", SHA)],
        associated: true,
        constraint: Some(SeenConstraint {
            id: "cons-1".into(),
            standing: Standing::Ready,
            role_arn: Some(ROLE.into()),
        }),
        other_constraints: Vec::new(),
        principals,
        launch_path: LaunchPath::Open,
        missing: Vec::new(),
    }
}

fn intent(thing: &str, n: i32, id: Option<&str>) -> Intent {
    Intent { thing: thing.into(), n, id: id.map(Into::into) }
}

/// Everything is written down.
fn tried() -> Attempts {
    let ids = [
        (thing::PORTFOLIO, "port-1"),
        (thing::PRODUCT, "prod-1"),
        (thing::VERSION, "pa-1"),
        (thing::CONSTRAINT, "cons-1"),
    ];
    Attempts { intents: ids.iter().map(|(thing, id)| intent(thing, 0, Some(id))).collect(), ..Attempts::default() }
}

/// A decision in one line: what it is, why, and the summaries of its steps with the numbers of their intents.
fn told(decision: Decision<Action, Launchable>) -> String {
    match decision {
        Decision::InSync(output) => {
            format!("in sync: {} {} {}", output.portfolio_id, output.product_id, output.artifact_id)
        }
        Decision::Gone => "gone".into(),
        Decision::Act(steps) => {
            let steps = steps.into_iter().map(|step| {
                let n = step.intent.map(|intent| format!(" #{}", intent.n)).unwrap_or_default();
                format!("{:?}: {}{n}", step.because, step.summary)
            });
            steps.collect::<Vec<_>>().join("; ")
        }
        Decision::Wait { why, .. } => format!("wait: {why}"),
        Decision::Stuck { why, hint, .. } => {
            assert!(!hint.is_empty());
            format!("stuck: {why}")
        }
    }
}

type Scene = fn(&mut Desired, &mut Observed, &mut Attempts);

/// Each row changes what was seen of a product that is all as declared, and says what is decided then.
fn check(rows: &[(&str, Scene, &str)]) {
    for (what, change, expected) in rows {
        let (mut desired, mut seen, mut tried) = (desired(), seen(), tried());
        change(&mut desired, &mut seen, &mut tried);
        let decision = CatalogProduct::decide(&identity(), &Goal::Present(desired), &seen, at(0), &tried);
        assert_eq!(told(decision), *expected, "{what}");
    }
}

#[test]
fn the_portfolio() {
    check(&[
        (
            "a portfolio that is gone for longer than reads lag is made under the next number",
            |_, seen, tried| {
                seen.portfolio = None;
                seen.missing = vec!["port-1".into()];
                tried.missing_since.insert("port-1".into(), at(-15));
                seen.associated = false;
                seen.constraint = None;
                seen.principals.clear();
            },
            "Missing: create portfolio \"team\" #1",
        ),
        (
            "a renamed portfolio is updated, not replaced",
            |desired, _, _| desired.portfolio.name = "crew".into(),
            "Drifted: update portfolio \"crew\": name",
        ),
        (
            "somebody added a tag to the portfolio and changed its provider",
            |_, seen, _| {
                let portfolio = seen.portfolio.as_mut().unwrap();
                portfolio.tags.insert("x".into(), "y".into());
                portfolio.provider = "z".into();
            },
            "Drifted: update portfolio \"team\": provider name, tags",
        ),
        (
            "tags of AWS itself are left alone",
            |_, seen, _| {
                seen.portfolio.as_mut().unwrap().tags.insert("aws:x".into(), "y".into());
            },
            "in sync: port-1 prod-1 pa-1",
        ),
    ]);
}

#[test]
fn the_product() {
    check(&[
        (
            "the product lost its visibility and its support address changes",
            |desired, seen, _| {
                desired.product.support_email = "help@example.com".into();
                seen.product.as_mut().unwrap().tags.remove("sagemaker:studio-visibility");
            },
            "Drifted: update product \"churn\": support email, tags",
        ),
        (
            "the product is still being created: what needs it waits, principals do not",
            |_, seen, _| {
                seen.product.as_mut().unwrap().standing = Standing::Creating;
                seen.principals.clear();
                seen.associated = false;
            },
            "Missing: let operator launch",
        ),
        (
            "the product is still being created",
            |_, seen, _| seen.product.as_mut().unwrap().standing = Standing::Creating,
            "wait: Progressing",
        ),
        (
            "the product could not be created: it goes with what hangs on it",
            |_, seen, _| seen.product.as_mut().unwrap().standing = Standing::Failed,
            "Deleting: delete constraint cons-1; Deleting: take product prod-1 out of portfolio port-1; \
             CatalogFailed: delete product \"churn\"",
        ),
        (
            "the product could not be created, twice",
            |_, seen, tried| {
                seen.product.as_mut().unwrap().standing = Standing::Failed;
                (tried.failed_creations, tried.last_failed_creation) = (2, Some(at(-60)));
            },
            "stuck: CatalogFailed",
        ),
        (
            "the product could not be created, twice, ten minutes ago",
            |_, seen, tried| {
                (seen.constraint, seen.associated) = (None, false);
                seen.product.as_mut().unwrap().standing = Standing::Failed;
                (tried.failed_creations, tried.last_failed_creation) = (2, Some(at(-600)));
            },
            "CatalogFailed: delete product \"churn\"",
        ),
    ]);
}

#[test]
fn the_version() {
    check(&[
        (
            "a new template gets a version of its own under the next number",
            |desired, _, _| desired.version.sha256 = "a".repeat(64),
            "Missing: create version v-aaaaaaaaaaaa #1",
        ),
        (
            "the version's create was announced but its id is not known",
            |desired, _, tried| {
                desired.version.sha256 = "a".repeat(64);
                tried.intents.retain(|intent| intent.thing != thing::VERSION);
                tried.intents.push(intent(thing::VERSION, 4, None));
            },
            "Missing: create version v-aaaaaaaaaaaa #4",
        ),
        (
            "the new version is being created: the old one stays as it is",
            |desired, seen, _| {
                desired.version.sha256 = "a".repeat(64);
                seen.versions.push(SeenVersion { standing: Standing::Creating, ..version("pa-2", &"a".repeat(64)) });
            },
            "wait: Progressing",
        ),
        (
            "the new version is ready: the old one is deprecated",
            |desired, seen, tried| {
                desired.version.sha256 = "a".repeat(64);
                seen.versions.push(version("pa-2", &"a".repeat(64)));
                tried.intents.retain(|intent| intent.thing != thing::VERSION);
                tried.intents.push(intent(thing::VERSION, 1, Some("pa-2")));
            },
            "SpecChanged: deprecate version v-0123456789ab (pa-1)",
        ),
        (
            "a version that somebody else made is left alone",
            |_, seen, _| {
                seen.versions.push(SeenVersion {
                    description: "mine".into(),
                    name: "v9".into(),
                    ..version("pa-9", SHA)
                });
            },
            "in sync: port-1 prod-1 pa-1",
        ),
    ]);
}

#[test]
fn a_version_that_is_not_as_it_should_be() {
    check(&[
        (
            "the version was switched off and renamed",
            |_, seen, _| {
                seen.versions[0].active = false;
                seen.versions[0].name = "x".into();
            },
            "Drifted: update version v-0123456789ab: name, active",
        ),
        (
            "the version was deprecated",
            |_, seen, _| seen.versions[0].deprecated = true,
            "Drifted: update version v-0123456789ab: guidance",
        ),
        (
            "the version could not be created and is not the last",
            |_, seen, _| {
                seen.versions.push(SeenVersion { standing: Standing::Failed, ..version("pa-2", SHA) });
                seen.versions.remove(0);
                seen.versions.push(version("pa-0", &"b".repeat(64)));
            },
            "CatalogFailed: delete version v-0123456789ab (pa-2)",
        ),
        (
            "the last version could not be created",
            |_, seen, _| seen.versions[0].standing = Standing::Failed,
            "stuck: CatalogFailed",
        ),
    ]);
}

#[test]
fn what_ties_them() {
    check(&[
        (
            "the product is in no portfolio of ours, without constraint or principal: all in one go",
            |_, seen, tried| {
                (seen.associated, seen.constraint) = (false, None);
                seen.principals.clear();
                tried.intents.retain(|intent| intent.thing != thing::CONSTRAINT);
            },
            "Missing: let operator launch; Missing: put product prod-1 into portfolio port-1; \
             Missing: create launch constraint with role arn:aws:iam::111122223333:role/launch #0",
        ),
        (
            "a foreign principal leaves, a wanted one comes",
            |desired, seen, _| {
                desired.principals.insert(principal("new"));
                seen.principals.insert(principal("old"));
            },
            "Missing: let new launch; Drifted: let old launch no more",
        ),
        (
            "the launch role changed",
            |_, seen, _| seen.constraint.as_mut().unwrap().role_arn = None,
            "Drifted: update launch constraint: role arn:aws:iam::111122223333:role/launch",
        ),
        (
            "the constraint is being created",
            |_, seen, _| seen.constraint.as_mut().unwrap().standing = Standing::Creating,
            "wait: Progressing",
        ),
        (
            "the constraint could not be created",
            |_, seen, _| seen.constraint.as_mut().unwrap().standing = Standing::Failed,
            "CatalogFailed: delete constraint cons-1",
        ),
        (
            "the constraint could not be created, again and again",
            |_, seen, tried| {
                seen.constraint.as_mut().unwrap().standing = Standing::Failed;
                (tried.failed_creations, tried.last_failed_creation) = (3, Some(at(0)));
            },
            "stuck: CatalogFailed",
        ),
        (
            "a deleted constraint is made under the next number",
            |_, seen, tried| {
                seen.constraint = None;
                seen.missing = vec!["cons-1".into()];
                tried.missing_since.insert("cons-1".into(), at(-20));
            },
            "Missing: create launch constraint with role arn:aws:iam::111122223333:role/launch #1",
        ),
    ]);
}

#[test]
fn the_whole() {
    check(&[
        ("all is as declared", |_, _, _| {}, "in sync: port-1 prod-1 pa-1"),
        (
            "nothing exists and nothing was tried: both shelves at once",
            |_, seen, tried| {
                *seen = Observed::default();
                tried.intents.clear();
            },
            "Missing: create portfolio \"team\" #0; Missing: create product \"churn\" #0",
        ),
        (
            "the create was announced but its id is not known: the same create again",
            |_, seen, tried| {
                seen.portfolio = None;
                tried.intents = vec![intent(thing::PORTFOLIO, 3, None)];
                seen.product = None;
            },
            "Missing: create portfolio \"team\" #3; Missing: create product \"churn\" #0",
        ),
        (
            "what was just made does not show yet",
            |_, seen, _| {
                *seen = Observed { missing: vec!["port-1".into(), "prod-1".into()], ..Observed::default() };
            },
            "wait: ProvingAbsence",
        ),
        (
            "ids that the status lost are written down again",
            |_, _, tried| tried.intents.clear(),
            "Drifted: write down that port-1 is ours #0; Drifted: write down that prod-1 is ours #0; \
             Drifted: write down that pa-1 is ours #0; Drifted: write down that cons-1 is ours #0",
        ),
        (
            "more tags than Service Catalog takes",
            |desired, _, _| {
                desired.product.tags.extend((0..17).map(|n| (format!("k{n}"), "v".to_owned())));
            },
            "stuck: InvalidSpec",
        ),
    ]);
}

#[test]
fn the_launch_path() {
    check(&[
        ("none leads to it yet", |_, seen, _| seen.launch_path = LaunchPath::None, "wait: Propagating"),
        ("the operator may not ask yet", |_, seen, _| seen.launch_path = LaunchPath::Denied, "wait: Propagating"),
        (
            "none comes within the time that AWS needs",
            |_, seen, tried| {
                seen.launch_path = LaunchPath::None;
                tried.propagating_since = Some(at(-120));
            },
            "stuck: NoLaunchPath",
        ),
        (
            "the denial stays",
            |_, seen, tried| {
                seen.launch_path = LaunchPath::Denied;
                tried.propagating_since = Some(at(-120));
            },
            "stuck: AccessDenied",
        ),
        ("it came at last", |_, _, tried| tried.propagating_since = Some(at(-120)), "in sync: port-1 prod-1 pa-1"),
    ]);
}

type Removal = fn(&mut Observed, &mut Attempts);

#[test]
fn absent() {
    let gone: Removal =
        |seen, _| *seen = Observed { missing: vec!["port-1".into(), "prod-1".into()], ..Observed::default() };
    assert_eq!(removal(gone), "wait: ProvingAbsence", "the ids do not exist, but reads lag");
    let cases: Vec<(&str, Removal, &str)> = vec![
        (
            "all of it goes, from the outside in",
            |seen, _| seen.other_constraints.push("cons-2".into()),
            "Deleting: delete constraint cons-1; Deleting: delete constraint cons-2; Deleting: let operator launch no more; \
             Deleting: take product prod-1 out of portfolio port-1; Deleting: delete product \"churn\"; \
             Deleting: delete portfolio \"team\"",
        ),
        (
            "only the portfolio is left",
            |seen, _| *seen = Observed { portfolio: seen.portfolio.take(), ..Observed::default() },
            "Deleting: delete portfolio \"team\"",
        ),
        (
            "only the product is left",
            |seen, _| *seen = Observed { product: seen.product.take(), ..Observed::default() },
            "Deleting: delete product \"churn\"",
        ),
        (
            "the ids do not exist for longer than reads lag",
            |seen, tried| {
                *seen = Observed { missing: vec!["port-1".into(), "prod-1".into()], ..Observed::default() };
                tried.missing_since.extend([("port-1".to_owned(), at(-15)), ("prod-1".to_owned(), at(-15))]);
            },
            "gone",
        ),
        (
            "the ids were seen in this process and do not exist any more",
            |seen, tried| {
                *seen = Observed { missing: vec!["port-1".into(), "prod-1".into()], ..Observed::default() };
                tried.sighted = BTreeSet::from(["port-1".into(), "prod-1".into()]);
            },
            "gone",
        ),
        (
            "nothing is written down and nothing found: lists lag",
            |seen, tried| {
                *seen = Observed::default();
                (tried.intents, tried.absent_since) = (Vec::new(), Some(at(-14)));
            },
            "wait: ProvingAbsence",
        ),
        (
            "nothing is written down and nothing found for longer than lists lag",
            |seen, tried| {
                *seen = Observed::default();
                (tried.intents, tried.absent_since) = (Vec::new(), Some(at(-15)));
            },
            "gone",
        ),
        (
            "a product was announced and is not found: lists lag",
            |seen, tried| {
                *seen = Observed { missing: vec!["port-1".into()], ..Observed::default() };
                tried.missing_since.insert("port-1".into(), at(-15));
                tried.intents = vec![intent(thing::PORTFOLIO, 0, Some("port-1")), intent(thing::PRODUCT, 0, None)];
                tried.absent_since = Some(at(-10));
            },
            "wait: ProvingAbsence",
        ),
    ];
    for (what, scene, expected) in cases {
        assert_eq!(removal(scene), expected, "{what}");
    }
}

fn removal(scene: Removal) -> String {
    let (mut seen, mut tried) = (seen(), tried());
    scene(&mut seen, &mut tried);
    told(CatalogProduct::decide(&identity(), &Goal::Absent, &seen, at(0), &tried))
}

#[test]
fn a_status_of_aws_is_ready_failed_or_on_its_way() {
    let cases = [
        ("AVAILABLE", Standing::Ready),
        ("CREATED", Standing::Ready),
        ("FAILED", Standing::Failed),
        ("CREATING", Standing::Creating),
        ("NEW", Standing::Creating),
    ];
    for (status, standing) in cases {
        assert_eq!(Standing::parse(status), standing, "{status}");
    }
}

#[test]
fn old_versions_are_pruned_long_before_the_quota() {
    let mut seen = seen();
    for n in 0..25 {
        seen.versions
            .insert(0, SeenVersion { deprecated: true, ..version(&format!("pa-old-{n}"), &format!("{n:064}")) });
    }
    let decision = CatalogProduct::decide(&identity(), &Goal::Present(desired()), &seen, at(0), &tried());
    let told = told(decision);
    assert_eq!(told.matches("delete version").count(), 6, "{told}");
    assert!(told.contains("(pa-old-24)") && !told.contains("(pa-old-18)"), "the oldest go first: {told}");
}
