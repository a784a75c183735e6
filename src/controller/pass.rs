//! One pass over one object, from the object as watched to what is written and when to look again. The order is the
//! point: finalizer, then placement, then the first remote write.

use std::sync::Arc;

use kube::core::DynamicObject;
use kube::runtime::controller::Action;
use kube::{Resource as _, ResourceExt};

use crate::adapters::service_catalog::Names;
use crate::clock::elapsed;
use crate::controller::drive::Pass;
use crate::controller::found::Found;
use crate::controller::hands::{AwsHands, Hands};
use crate::controller::ledger::Ledger;
use crate::controller::left;
use crate::controller::object::{self, Key};
use crate::controller::publish::{ApiError, Publisher, announce, call, set_finalizer, version_of};
use crate::controller::reconcile;
use crate::controller::resolve;
use crate::controller::world::World;
use crate::crd::project::{DataPolicy, DeletionPolicy};
use crate::crd::status::{MlopsProjectStatus, Placement, Reason};
use crate::domain::conditions::conditions;
use crate::domain::identity::{Identity, OwnerKey};
use crate::domain::parse::{Parsed, parse, placement_of_raw};
use crate::domain::report::{Announcement, Deed, Finding, Outcome, Phase, Report, Verdict, announcements, seed_news};
use crate::domain::resource::Kind;
use crate::domain::secret::{self, Secret};
use crate::domain::tenancy;

/// What a pass came to: what is to be said, and whether the object may go.
struct Conclusion {
    verdict: Verdict,
    found: Found,
    deeds: Vec<Deed>,
    release: bool,
    retained: bool,
    /// What is left of an object that is let go without proof, for people.
    left: Option<String>,
}

impl Conclusion {
    fn refused(why: Reason, message: String, hint: &str) -> Self {
        let verdict = Verdict::Refused { why, message, hint: hint.to_owned() };
        Self { verdict, found: Found::default(), deeds: Vec::new(), release: false, retained: false, left: None }
    }

    fn looked(phase: Phase, found: Found, deeds: Vec<Deed>) -> Self {
        let release = phase == Phase::TearDown && found.all_gone();
        let verdict = Verdict::Looked { phase, findings: found.findings.clone() };
        Self { verdict, found, deeds, release, retained: false, left: None }
    }

    /// The same with texts that hold none of these secrets: what the remote side says may repeat what went there.
    fn without(mut self, secrets: &[Secret]) -> Self {
        let clean = |text: &str| secret::without(text, secrets);
        for deed in &mut self.deeds {
            deed.summary = clean(&deed.summary);
        }
        self.retold(clean)
    }

    fn retold(mut self, tell: impl Fn(&str) -> String) -> Self {
        self.verdict = match self.verdict {
            Verdict::Looked { phase, findings } => {
                let retell = |(kind, finding): (Kind, Finding)| (kind, finding.retold(&tell));
                Verdict::Looked { phase, findings: findings.into_iter().map(retell).collect() }
            }
            Verdict::Refused { why, message, hint } => Verdict::Refused { why, message: tell(&message), hint },
            Verdict::Suspended => Verdict::Suspended,
        };
        self
    }

    /// The same for an object on which the annotation that lets it go is or is not: with it, the object goes once all
    /// that can be removed is gone, and the rest is hopeless or stands below that.
    fn let_go(mut self, asked: Result<bool, String>, status: &MlopsProjectStatus, now: jiff::Timestamp) -> Self {
        match asked {
            Ok(true) if !self.release => {}
            Err(ignored) if !self.release => return self.retold(|text| format!("{text} ({ignored})")),
            Ok(_) | Err(_) => return self,
        }
        let left = match &self.verdict {
            Verdict::Refused { message, .. } => Some(format!("everything, since {message}")),
            Verdict::Looked { findings, .. } => left::things(findings, status, now),
            Verdict::Suspended => None,
        };
        self.release = left.is_some();
        self.left = left.map(|left| format!("let go by the annotation {}; left: {left}", object::RELEASE));
        self
    }
}

/// One pass.
///
/// # Errors
/// The Kubernetes API's; everything else is part of the status.
pub async fn run(object: Arc<DynamicObject>, world: Arc<World>) -> Result<Action, ApiError> {
    let started = world.setup.clock.now();
    world.setup.metrics.pass_begins();
    let result = one(&object, &world).await;
    let outcome = match &result {
        Ok((_, true)) => "settled",
        Ok((_, false)) => "unsettled",
        Err(_) => "error",
    };
    world.setup.metrics.pass_ends(outcome, elapsed(started, world.setup.clock.now()));
    match result {
        Ok((action, _)) => Ok(action),
        Err(error) if error.is_gone() => Ok(Action::await_change()),
        Err(error) => Err(error),
    }
}

async fn one(object: &DynamicObject, world: &World) -> Result<(Action, bool), ApiError> {
    let key = Key::of(object);
    let ledger = world.ledger(object);
    let live;
    let object = if ledger.behind(version_of(object)) {
        // The watch may be behind, or tell of what was.
        live = call(world.api(&key.namespace).get(&key.name)).await?;
        &live
    } else {
        object
    };
    let deleting = object.metadata.deletion_timestamp.is_some();
    if deleting && !object::is_finalized(&object.metadata) {
        world.forget(&key);
        return Ok((Action::await_change(), true));
    }
    let publisher = Publisher::new(world.api(&key.namespace), object, &ledger, &world.setup.metrics);
    let conclusion = if deleting {
        let conclusion = remove(object, world, &key, &ledger, &publisher).await?;
        conclusion.let_go(object::released(object), &publisher.status(), world.setup.clock.now())
    } else {
        keep(object, world, &key, &ledger, &publisher).await?
    };
    conclude(object, world, &ledger, &publisher, conclusion).await
}

/// Makes the things as declared.
async fn keep(
    object: &DynamicObject,
    world: &World,
    key: &Key,
    ledger: &Ledger,
    publisher: &Publisher<'_>,
) -> Result<Conclusion, ApiError> {
    let parsed = match accept(object, world, key, &publisher.status()) {
        Ok(parsed) => parsed,
        Err(conclusion) => return Ok(*conclusion),
    };
    if parsed.spec.suspend {
        let conclusion = Conclusion::refused(Reason::Suspended, String::new(), "");
        return Ok(Conclusion { verdict: Verdict::Suspended, ..conclusion });
    }
    let sources = resolve::sources(key, &parsed);
    world.secrets.refer(key, &sources);
    ledger.begin(&format!("{}{}", object::revision(object), resolve::version(&world.secrets, &sources).await));
    let now = world.setup.clock.now();
    let (resolved, access) = match resolve::project(world, key, &parsed).await {
        Ok(resolved) => resolved,
        Err(finding) => {
            let finding = lasting(ledger, Kind::Prerequisites, finding, now);
            return Ok(Conclusion::looked(Phase::BuildUp, Found::blocked(Kind::Prerequisites, finding), Vec::new()));
        }
    };
    let secrets = resolved.secrets();
    let project = parsed.into_project(resolved);
    let known = publisher.status().project;
    let hands = match Hands::new(&world.setup.outside, &project, &access, known.as_ref()).await {
        Ok(hands) => hands,
        Err(fault) => {
            let finding = Outcome::Faulted { fault, since: now };
            return Ok(Conclusion::looked(Phase::BuildUp, Found::blocked(Kind::JenkinsJobs, finding), Vec::new()));
        }
    };
    // Only what may be made from here on has to be removed: an object whose Secret never was goes at once.
    if !object::is_finalized(&object.metadata) {
        set_finalizer(&world.api(&key.namespace), object, true).await?;
    }
    place(publisher, &project.identity.placement).await?;
    let launched = known.is_some();
    let pass = Pass::new(ledger, world.setup.clock, publisher, world.stopping.clone());
    let found = reconcile::build_up(&pass, &project, &hands, launched).await;
    Ok(Conclusion::looked(Phase::BuildUp, found, pass.take_deeds()).without(&secrets))
}

/// The same, since it went wrong first.
fn lasting(ledger: &Ledger, kind: Kind, finding: Finding, now: jiff::Timestamp) -> Finding {
    match finding {
        Outcome::Faulted { fault, .. } => Outcome::Faulted { fault, since: ledger.faulted(kind, now) },
        other => other,
    }
}

/// Reads the spec, and refuses what may not or cannot be done.
fn accept(
    object: &DynamicObject,
    world: &World,
    key: &Key,
    status: &MlopsProjectStatus,
) -> Result<Parsed, Box<Conclusion>> {
    let parsed = parse(&key.owner(&world.cluster), object::spec(object))
        .map_err(|error| Box::new(Conclusion::refused(Reason::InvalidSpec, error.to_string(), "correct the spec")))?;
    tenancy::check(&world.setup.config.inline_platforms, &key.namespace, &parsed.spec).map_err(|why| {
        let hint = "the operator's configuration (inlinePlatforms) says which namespaces may use which roles and Jenkins hosts";
        Box::new(Conclusion::refused(Reason::PlatformNotAllowed, why, hint))
    })?;
    let moved = status.placement.as_ref().and_then(|old| tenancy::moved(old, &parsed.identity.placement));
    match moved {
        Some(field) => Err(Box::new(Conclusion::refused(
            Reason::InvalidSpec,
            format!("{field} has changed, but things that exist cannot move"),
            "change it back, or delete this object and make a new one",
        ))),
        None => Ok(parsed),
    }
}

/// Writes down where the things are, before the first of them is made.
async fn place(publisher: &Publisher<'_>, placement: &Placement) -> Result<(), ApiError> {
    let mut status = publisher.status();
    if status.placement.as_ref() != Some(placement) {
        status.placement = Some(placement.clone());
        publisher.write(&status).await?;
    }
    Ok(())
}

/// Where the things are: as written down before the first was made, or else as the spec says, if it may.
fn whereabouts(
    object: &DynamicObject,
    world: &World,
    key: &Key,
    written: Option<Placement>,
) -> Result<Placement, Box<Conclusion>> {
    let refused = |why, message, hint| Err(Box::new(Conclusion::refused(why, message, hint)));
    if let Some(placement) = written {
        return Ok(placement);
    }
    let Some(placement) = placement_of_raw(&key.owner(&world.cluster), object::spec(object)) else {
        let message = "neither the status nor the spec says where the things are, so they cannot be deleted safely";
        let hint = "restore spec.platform (or status.placement), or remove the things by hand and then the finalizer";
        return refused(Reason::PlacementUnknown, message.to_owned(), hint);
    };
    // Anybody can create an object that carries our finalizer: its spec has passed no check yet.
    match tenancy::check_place(&world.setup.config.inline_platforms, &key.namespace, &placement) {
        Ok(()) => Ok(placement),
        Err(why) => {
            let hint = "allow it in the operator's configuration (inlinePlatforms); where nothing was ever made, remove the finalizer";
            refused(Reason::PlatformNotAllowed, why, hint)
        }
    }
}

/// Removes the things, or leaves them where that is asked for.
async fn remove(
    object: &DynamicObject,
    world: &World,
    key: &Key,
    ledger: &Ledger,
    publisher: &Publisher<'_>,
) -> Result<Conclusion, ApiError> {
    let owner = key.owner(&world.cluster);
    if object::deletion_policy(object) == DeletionPolicy::Retain {
        let conclusion = Conclusion::looked(Phase::TearDown, Found::default(), Vec::new());
        return Ok(Conclusion { release: true, retained: true, ..conclusion });
    }
    let spec = object::spec(object);
    let placement = match whereabouts(object, world, key, publisher.status().placement) {
        Ok(placement) => placement,
        Err(conclusion) => return Ok(*conclusion),
    };
    let sources = resolve::placement_sources(key, &placement);
    world.secrets.refer(key, &sources);
    ledger.begin(&format!("{}{}", object::revision(object), resolve::version(&world.secrets, &sources).await));
    place(publisher, &placement).await?;
    ledger.recorded(Kind::JenkinsJobs, publisher.status().jobs.is_some());
    let mut secrets = Vec::new();
    let jenkins = match resolve::jenkins(world, key, &placement).await {
        Ok(access) => {
            secrets.push(access.credentials.token.value.clone());
            let client = world.setup.outside.jenkins(&placement, &access.credentials, &access.ca_bundle);
            client.map_err(|fault| Outcome::Faulted { fault, since: world.setup.clock.now() })
        }
        Err(finding) => Err(lasting(ledger, Kind::JenkinsJobs, finding, world.setup.clock.now())),
    };
    let delete_data = object::data_policy(object) == DataPolicy::Delete;
    let hands = AwsHands::to_remove(&world.setup.outside, &placement, catalog_names(&owner, spec), delete_data).await;
    let id = Identity { owner, placement };
    let pass = Pass::new(ledger, world.setup.clock, publisher, world.stopping.clone());
    let let_go = object::released(object) == Ok(true);
    let found = reconcile::tear_down(&pass, &id, &hands, jenkins, let_go).await;
    Ok(Conclusion::looked(Phase::TearDown, found, pass.take_deeds()).without(&secrets))
}

/// Where the catalog's things are looked for first: their names, if the spec still parses.
fn catalog_names(owner: &OwnerKey, spec: &serde_json::Value) -> Names {
    match parse(owner, spec) {
        Ok(parsed) => {
            let (portfolio, product) = parsed.catalog_names();
            Names { portfolio, product }
        }
        Err(_) => Names::default(),
    }
}

/// Says what came of the pass, and when to look again.
async fn conclude(
    object: &DynamicObject,
    world: &World,
    ledger: &Ledger,
    publisher: &Publisher<'_>,
    conclusion: Conclusion,
) -> Result<(Action, bool), ApiError> {
    let Conclusion { verdict, found, deeds, release, retained, left } = conclusion;
    let generation = object.metadata.generation.unwrap_or(0);
    let report = Report { generation, now: world.setup.clock.now(), verdict, remarks: found.remarks.clone() };
    let before = publisher.status();
    let mut status = before.clone();
    status.intents = ledger.intents();
    if !report.interrupted() {
        status.observed_generation = Some(generation);
        status.conditions = conditions(&report, &before.conditions);
        found.tell(&mut status);
    }
    let about = object.object_ref(&world.resource);
    let mut news = announcements(&report, &before.conditions, &status.conditions, &deeds);
    news.extend(seed_news(before.project.as_ref(), status.project.as_ref()));
    if release {
        if retained {
            let note =
                "the object goes, and everything that was made for it stays (spec.deletionPolicy: Retain)".to_owned();
            news.push(Announcement { warning: false, reason: Reason::Retained.to_string(), note });
        }
        if let Some(note) = left {
            // Told before it is so: a crash in between must not let an object go without a trace.
            let released = vec![Announcement { warning: true, reason: Reason::Released.to_string(), note }];
            log(object, &report, &released, std::time::Duration::ZERO);
            announce(&world.recorder, &about, released).await;
            world.setup.metrics.released();
        }
        log(object, &report, &news, std::time::Duration::ZERO);
        // Told only once it is so: a conflict here leads to another pass, which would tell it again.
        set_finalizer(&world.api(&about.namespace.clone().unwrap_or_default()), object, false).await?;
        announce(&world.recorder, &about, news).await;
        world.forget(&Key::of(object));
        return Ok((Action::await_change(), true));
    }
    publisher.write(&status).await?;
    let failures = ledger.end(report.settled(), report.failing());
    let again = report.again(failures, (world.setup.chance)());
    log(object, &report, &news, again);
    announce(&world.recorder, &about, news).await;
    let ready = status.conditions.first().map(|condition| condition.status.clone());
    world.setup.metrics.ready_turned(ledger.turn_ready(ready.clone()).as_deref(), ready.as_deref());
    if report.interrupted() {
        return Ok((Action::await_change(), false));
    }
    Ok((Action::requeue(again), report.settled()))
}

/// What was done and what has changed is worth a line; that a pass went by is not.
fn log(object: &DynamicObject, report: &Report, news: &[Announcement], again: std::time::Duration) {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    for Announcement { warning, reason, note } in news {
        if *warning {
            tracing::warn!(%namespace, %name, %reason, "{note}");
        } else {
            tracing::info!(%namespace, %name, %reason, "{note}");
        }
    }
    let unsettled: Vec<_> = report
        .findings()
        .iter()
        .filter(|(_, finding): &&(Kind, Finding)| !matches!(finding, Outcome::InSync { .. } | Outcome::Gone))
        .map(|(kind, _)| kind.noun())
        .collect();
    tracing::debug!(%namespace, %name, settled = report.settled(), ?unsettled, ?again, "pass");
}
