//! The end of a reconcile: what is written to the object, announced and counted, and when to reconcile again. It is the one
//! place through which texts leave: what the remote side said is cleaned here of the object's secrets, and nowhere else.

use std::time::Duration;

use kube::core::DynamicObject;
use kube::{Resource as _, ResourceExt};

use super::{Ending, Reconciled, Subject, platform};
use crate::controller::api::ApiError;
use crate::controller::finalizer::set_finalizer;
use crate::controller::object;
use crate::controller::scheduler::Again;
use crate::crd::status::{MlopsProjectStatus, Reason};
use crate::domain::conditions::conditions;
use crate::domain::events::{EventNote, seed_code_notes, step_notes, turn_notes};
use crate::domain::fault::Impact;
use crate::domain::outcome::{AppliedStep, Report};
use crate::domain::requeue::requeue_after;
use crate::domain::text;

/// How soon an object is looked at again whose reconcile was broken off.
const INTERRUPTED: Duration = Duration::from_secs(5);

/// Writes what came of the reconcile, whose calls have waited so long for their turns. Answers when to reconcile again, and
/// whether everything has settled.
pub(super) async fn finish(
    subject: &Subject<'_>,
    reconciled: Reconciled,
    waited: Duration,
) -> Result<(Again, bool), ApiError> {
    let Subject { object, key, id, context, memory, writer } = subject;
    let scrubber = memory.scrubber();
    let Reconciled { result, summary, applied, ending, local, parts } = reconciled.cleaned(&scrubber);
    let generation = object.metadata.generation.unwrap_or(0);
    let now = context.dependencies.clock.now();
    let docs = context.dependencies.config.docs_url.clone();
    let report = Report { generation, now, result, remarks: summary.remarks(), applied, docs };
    let said = |before: &MlopsProjectStatus| {
        let mut status = MlopsProjectStatus { intents: memory.intents(), ..before.clone() };
        if !report.interrupted() {
            status.observed_generation = Some(generation);
            status.conditions = conditions(&report, &before.conditions);
            let default = context.dependencies.config.default_deletion_policy;
            status.deletion_policy = Some(object::deletion_policy(object, default));
            summary.show(&mut status);
        }
        // Ids and outputs come from a remote side too.
        if !local {
            scrubber.clean_status(&mut status, before);
        }
        let mut notes = turn_notes(&report, &before.conditions, &status.conditions);
        notes.extend(seed_code_notes(before.project.as_ref(), status.project.as_ref()));
        (status, notes)
    };
    if ending != Ending::Stays {
        let (_, notes) = said(&writer.status());
        return let_object_go(subject, &report, ending, notes).await;
    }
    let (status, notes) = writer.update(said).await?;
    memory.end();
    let chance = (context.dependencies.chance)();
    let deep = memory.until_deep_check(now);
    let again = requeue_after(&report, |kind| memory.pace(kind), deep, waited, chance);
    log(object, &report, &notes, again);
    let all = [step_notes(&report.applied), notes].concat();
    context.publisher.publish(&object.object_ref(context.resource(key.kind())), *id, all).await;
    context.dependencies.metrics.stands(key.metric_name(), object::created(object), &status.conditions, now);
    if report.interrupted() {
        // What has happened to it brings it back, or the operator stops; if neither, it is looked at anew.
        return Ok((Again::After(INTERRUPTED), false));
    }
    platform::tell(subject, parts, &report.result, &status);
    Ok((Again::After(again), report.settled()))
}

/// Takes the finalizer off, and says what that leaves behind.
async fn let_object_go(
    subject: &Subject<'_>,
    report: &Report,
    ending: Ending,
    mut notes: Vec<EventNote>,
) -> Result<(Again, bool), ApiError> {
    let Subject { object, key, id, context, memory, .. } = subject;
    let about = object.object_ref(context.resource(key.kind()));
    let left = memory.left().into_iter();
    notes.extend(left.map(|note| EventNote { warning: false, reason: Reason::FolderKept.to_string(), note }));
    match ending {
        Ending::Stays | Ending::Goes => {}
        Ending::Retains => {
            let note = "the object goes, and everything that was made for it stays (deletionPolicy: Retain)";
            notes.push(EventNote { warning: false, reason: Reason::Retained.to_string(), note: note.to_owned() });
        }
        Ending::Released(note) => {
            // Told before it is so: a crash in between must not let an object go without a trace.
            let released = vec![EventNote { warning: true, reason: Reason::Released.to_string(), note }];
            log_notes(object, &released);
            context.publisher.publish(&about, *id, released).await;
            context.dependencies.metrics.released();
        }
    }
    log(object, report, &notes, Duration::ZERO);
    // Told only once it is so: a conflict here leads to another reconcile, which would tell it again.
    set_finalizer(&context.api(key), object, false).await?;
    context.publisher.publish(&about, *id, [step_notes(&report.applied), notes].concat()).await;
    context.forget(key);
    Ok((Again::OnChange, true))
}

/// Each step that was done and what has changed is worth a line; that a reconcile went by is not.
fn log(object: &DynamicObject, report: &Report, notes: &[EventNote], again: Duration) {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    for AppliedStep { kind, change, reason, summary } in &report.applied {
        let summary = text::message(summary.as_str());
        tracing::info!(%namespace, %name, resource = kind.noun(), ?change, %reason, "{summary}");
    }
    log_notes(object, notes);
    let unsettled = report.outcomes().iter().filter(|(_, outcome)| outcome.impact(report.now) != Impact::Fine);
    let unsettled: Vec<_> = unsettled.map(|(kind, _)| kind.noun()).collect();
    tracing::debug!(%namespace, %name, settled = report.settled(), ?unsettled, ?again, "reconciled");
}

fn log_notes(object: &DynamicObject, notes: &[EventNote]) {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    for EventNote { warning, reason, note } in notes {
        let note = text::message(note.as_str());
        if *warning {
            tracing::warn!(%namespace, %name, %reason, "{note}");
        } else {
            tracing::info!(%namespace, %name, %reason, "{note}");
        }
    }
}
