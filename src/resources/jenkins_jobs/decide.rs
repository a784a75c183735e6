//! What to do about the jobs, given what was observed: folders from the outside in, then jobs.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::declared::settle;
use super::first_build::{Finding, due, due_anew, judge, source_of};
use super::job::{ParameterKind, PipelineJob};
use super::marker::{Marker, PROOF, is_shared, ownership};
use super::{
    Action, Desired, JenkinsJobs, Jobs, Noted, Observed, ObservedFolder, ObservedItem, UPDATE, compare, looked_up,
    may_be_a_job, xml,
};
use crate::crd::status::{Placement, Reason};
use crate::domain::external_resource::{Attempts, Change, Decision, ExternalResource, Step, StepKey};
use crate::domain::identity::{Identity, Ownership};
use crate::domain::problem::Problem;
use crate::domain::text::{listed, short};
use crate::domain::time::elapsed;

/// After how long a job is written again of which Jenkins has dropped a part: a plugin that is installed comes with a
/// restart of Jenkins, which changes nothing that the operator could see.
const RETRY: Duration = Duration::from_hours(1);

/// The jobs are wanted.
pub(super) fn present(
    id: &Identity,
    desired: &Desired,
    observed: &Observed,
    now: Timestamp,
    attempts: &Attempts,
) -> Decision<Action, Jobs> {
    if let Some(folder) = observed.folders.iter().find(|folder| !folder.is_folder) {
        return Decision::Stuck(no_folder(&folder.name, &desired.folder));
    }
    let mut steps = Vec::new();
    for depth in observed.folders.len()..desired.folder.len() {
        let path = desired.folder[..=depth].to_vec();
        let document = xml::render_folder(&Marker::new(id, &path, ""));
        let summary = format!("create folder \"{}\"", path.join("/"));
        steps.push(Step::new(Action::CreateFolder { path, document }, Change::Create, Reason::Missing, summary));
    }
    steps.extend(leftovers(id, desired, observed));
    let mut left = Vec::new();
    let at_root = desired.folder.is_empty();
    let known: BTreeMap<String, &ObservedItem> =
        observed.items.iter().map(|item| (looked_up(&item.name, at_root), item)).collect();
    for (name, job) in &desired.jobs {
        // An item of ours under the same name in another case was deleted just above.
        let stays = |item: &&&ObservedItem| item.name == *name || !ours(id, item) || !item.is_job;
        match known.get(&looked_up(name, at_root)).filter(stays) {
            None => steps.push(create(id, desired, name, job, attempts)),
            Some(item) if whose(id, item) == Ownership::Claimed => return Decision::Stuck(claimed(item)),
            Some(item) if !ours(id, item) || !item.is_job => return foreign(id, desired, name, item),
            Some(ObservedItem { excess: Some(excess), .. }) => return Decision::Stuck(too_much(name, excess)),
            Some(item) if rests(&inside(&desired.folder, name), attempts, now) && !lacking(job, item).is_empty() => {
                return Decision::Stuck(dropped(name, &lacking(job, item)));
            }
            Some(item) => {
                let (step, fields) = correct(id, desired, name, job, item, attempts);
                steps.extend(step);
                left.extend((!fields.is_empty()).then(|| (name.clone(), fields)));
            }
        }
    }
    if steps.is_empty() {
        return built(desired, observed, attempts, left);
    }
    Decision::Act(steps)
}

/// All jobs are as they should be: those that need a build get one.
fn built(
    desired: &Desired,
    observed: &Observed,
    attempts: &Attempts,
    left: Vec<(String, Vec<String>)>,
) -> Decision<Action, Jobs> {
    let mut steps = Vec::new();
    let mut noted = Noted { left, ..Noted::default() };
    for (name, job) in &desired.jobs {
        let Some(item) = observed.items.iter().find(|item| item.name == *name) else { continue };
        if unmarked_as_declarative(item) {
            noted.unmarked.push(name.clone());
        }
        match judge(&desired.folder, name, job, item, attempts) {
            Finding::Fine => {}
            Finding::Start(step) => steps.push(*step),
            Finding::Forbidden(refusal) => noted.forbidden.push((name.clone(), refusal)),
            Finding::Later => noted.due.push(name.clone()),
            Finding::NoCheckout => noted.without_checkout.push(name.clone()),
            Finding::Behind => noted.behind.push(name.clone()),
        }
    }
    if !steps.is_empty() {
        return Decision::Act(steps);
    }
    let noted = (noted != Noted::default()).then(|| Box::new(noted));
    Decision::InSync(Jobs { urls: desired.urls(), noted })
}

/// What is wrong where a part of the folder path is something else.
pub fn no_folder(name: &str, path: &[String]) -> Problem {
    let message = format!("\"{name}\" in the folder path \"{}\" is no folder", path.join("/"));
    Problem::new(Reason::ForeignOwner, message, "choose another folder, or rename or remove that item in Jenkins")
}

fn foreign(id: &Identity, desired: &Desired, name: &str, item: &ObservedItem) -> Decision<Action, Jobs> {
    let place = if desired.folder.is_empty() {
        "the root".to_owned()
    } else {
        format!("folder \"{}\"", desired.folder.join("/"))
    };
    let whose = match &item.marker {
        // Whoever can change its description can give it our marker: what is in it need not be ours.
        Some(_) if ours(id, item) => "is no plain job and may hold others, so it is not replaced".to_owned(),
        Some(marker) => format!("belongs to {}", short(&marker.object)),
        None => "was not made by the operator".to_owned(),
    };
    let also = if item.name == name { String::new() } else { format!(", which Jenkins takes for \"{name}\",") };
    let message = format!("job \"{}\" in {place}{also} {whose}", item.name);
    Decision::stuck(Reason::ForeignOwner, message, "rename or remove that job in Jenkins, or choose another folder")
}

fn whose(id: &Identity, item: &ObservedItem) -> Ownership {
    ownership(id, &inside(&id.placement.jenkins_folder, &item.name), &item.marker)
}

fn ours(id: &Identity, item: &ObservedItem) -> bool {
    whose(id, item) == Ownership::Ours
}

fn claimed(item: &ObservedItem) -> Problem {
    Problem::claimed(&format!("Jenkins job \"{}\"", item.name))
}

/// Whether an item is a job that was made for this project, at some time. Its name must say so too: its marker can be a copy.
fn is_job_of_ours(id: &Identity, item: &ObservedItem) -> bool {
    item.is_job && may_be_a_job(&item.name, &id.placement.project_name) && ours(id, item)
}

/// Jobs of ours that are not wanted any more: of an earlier project id, or of a repository that was removed.
fn leftovers(id: &Identity, desired: &Desired, observed: &Observed) -> Vec<Step<Action>> {
    let wanted = |item: &&ObservedItem| desired.jobs.iter().any(|(name, _)| *name == item.name);
    let left = observed.items.iter().filter(|item| is_job_of_ours(id, item) && !wanted(item));
    left.map(|item| delete_job(&desired.folder, &item.name, Reason::SpecChanged)).collect()
}

fn create(id: &Identity, desired: &Desired, name: &str, job: &PipelineJob, attempts: &Attempts) -> Step<Action> {
    let path = inside(&desired.folder, name);
    let document = xml::render(job, &Marker::new(id, &path, &job.fingerprint()));
    let action = Action::CreateJob { path, document };
    let mut step = Step::new(action, Change::Create, Reason::Missing, format!("create job \"{name}\""));
    step.intent = due_anew(name, attempts);
    step
}

/// Whether nothing of what a declarative Jenkinsfile needs is in a job, and no build has shown that it does without.
fn unmarked_as_declarative(item: &ObservedItem) -> bool {
    item.lacks.contains(&xml::PLUGIN_OF_DECLARATIVE)
        && item.builds.as_ref().is_some_and(|builds| builds.succeeded.is_none())
}

/// The plugins that every Jenkinsfile needs and of whose parts nothing is in a job of ours.
fn lacking(job: &PipelineJob, item: &ObservedItem) -> Vec<&'static str> {
    let Some(live) = &item.job else { return Vec::new() };
    let credentials = job.parameters.iter().filter(|(_, parameter)| parameter.kind == ParameterKind::AwsCredentials);
    let needed = item.lacks.iter().filter(|plugin| **plugin != xml::PLUGIN_OF_DECLARATIVE);
    let mut lacks: Vec<&'static str> = needed.copied().collect();
    // What a Jenkinsfile takes away was not dropped.
    let gone = |name: &String| !live.parameters.contains_key(name) && !item.declared.parameter(name);
    lacks.extend(credentials.map(|(name, _)| name).any(gone).then_some("credentials"));
    lacks
}

/// Whether the job was written so short a time ago that writing it again would be no better.
fn rests(path: &[String], attempts: &Attempts, now: Timestamp) -> bool {
    let path = path.join("/");
    let writes = ["CreateJob", "ReplaceJob", UPDATE];
    let of_job = |key: &StepKey| writes.contains(&key.operation()) && key.subject().first() == Some(&path);
    attempts.done.iter().any(of_job) && attempts.last_act.is_some_and(|at| elapsed(at, now) < RETRY)
}

fn dropped(name: &str, plugins: &[&str]) -> Problem {
    let message = format!(
        "Jenkins took job \"{name}\" and dropped what these plugins bring, so it lacks them, or they are not active: {}",
        plugins.join(", ")
    );
    Problem::new(Reason::PluginMissing, message, "install them in Jenkins, and restart it if it asks for that")
}

/// A job of which more would have to be kept than of any that is in use: nothing of it is known, so nothing is written.
fn too_much(name: &str, excess: &str) -> Problem {
    let message = format!("job \"{name}\" {excess}, so that it is not read");
    let hint = "take out of its Jenkinsfile's parameters what makes them so many or so long, and out of the job too; or delete the job in Jenkins, and it is made again";
    Problem::new(Reason::Unexpected, message, hint)
}

/// What brings a job of ours to what it should be, and the fields that are left to its Jenkinsfile.
fn correct(
    id: &Identity,
    desired: &Desired,
    name: &str,
    job: &PipelineJob,
    item: &ObservedItem,
    attempts: &Attempts,
) -> (Option<Step<Action>>, Vec<String>) {
    let path = inside(&desired.folder, name);
    let hash = job.fingerprint();
    let marker = Marker::new(id, &path, &hash);
    let Some(live) = &item.job else {
        let document = xml::render(job, &marker);
        let summary = format!("replace job \"{name}\": it is no pipeline");
        let action = Action::ReplaceJob { path, document };
        return (Some(Step::new(action, Change::Replace, Reason::Drifted, summary)), Vec::new());
    };
    let settled = settle(job, live, &item.declared, |field| was_put_back(attempts, &path, field));
    let mut fields = compare::differences(&settled.job, live);
    let lacks = if fields.is_empty() { lacking(job, item) } else { Vec::new() };
    fields.extend(lacks.iter().map(|plugin| format!("what plugin {plugin} keeps of it")));
    if fields.is_empty() && item.marker.as_ref() != Some(&marker) {
        fields.push("marker".to_owned());
    }
    if fields.is_empty() {
        return (None, settled.left);
    }
    let applied = item.marker.as_ref().is_some_and(|marker| marker.hash == hash);
    let reason = if applied { Reason::Drifted } else { Reason::SpecChanged };
    let summary = format!("update job \"{name}\": {}", listed(&fields));
    // A job gets a build only for a source that the operator gave it.
    let moves = source_of(name, live) != source_of(name, &settled.job);
    let action = Action::UpdateJob { path, job: Box::new(settled.job), marker, put_back: settled.put_back };
    let mut step = Step::new(action, Change::Update, reason, summary);
    step.intent = if moves { due(name, item, attempts) } else { None };
    // What Jenkins drops for want of a plugin is told as that, however often it was written.
    (Some(if lacks.is_empty() { step } else { step.retrying_failure() }), settled.left)
}

/// Whether a job got a field back before that its Jenkinsfile had taken away.
fn was_put_back(attempts: &Attempts, path: &[String], field: &str) -> bool {
    let path = path.join("/");
    let of_job = |key: &&StepKey| key.operation() == UPDATE && key.subject().first() == Some(&path);
    attempts.once.iter().filter(of_job).any(|key| key.subject()[1..].iter().any(|one| one == field))
}

/// The jobs are not wanted: ours go, then, where the spec consents, our folders that look empty. What is not ours stays,
/// with the folders around it.
pub(super) fn absent(id: &Identity, observed: &Observed, attempts: &Attempts) -> Decision<Action, Jobs> {
    let folder: Vec<String> = id.placement.jenkins_folder.iter().take(observed.folders.len()).cloned().collect();
    let jobs: Vec<Step<Action>> = observed
        .items
        .iter()
        .filter(|item| is_job_of_ours(id, item))
        .map(|item| delete_job(&folder, &item.name, Reason::Deleting))
        .collect();
    if !jobs.is_empty() {
        return Decision::Act(jobs);
    }
    // Whoever may describe an item can give it such a marker: only what is named as a job of ours may be one.
    let named = |item: &&ObservedItem| item.is_job && may_be_a_job(&item.name, &id.placement.project_name);
    if let Some(item) = observed.items.iter().filter(named).find(|item| whose(id, item) == Ownership::Claimed) {
        return Decision::Stuck(claimed(item));
    }
    if let Some(proof) = unproven(id, observed, attempts) {
        return Decision::Act(vec![proof]);
    }
    // Only the innermost that exists can be empty; the ones around it follow in later rounds.
    match observed.folders.last() {
        Some(last) if (observed.delete_folders || is_proof(last)) && made(id, &folder, last) && looks_empty(last) => {
            let summary = format!("delete folder \"{}\"", folder.join("/"));
            let action = Action::DeleteFolder { path: folder };
            Decision::Act(vec![Step::new(action, Change::Delete, Reason::Deleting, summary)])
        }
        _ => left_in_place(id, observed),
    }
}

/// Whether the folder at this path was made for this object, or for all of its platform.
fn made(id: &Identity, path: &[String], folder: &ObservedFolder) -> bool {
    folder.is_folder && ownership(id, path, &folder.marker) == Ownership::Ours
}

/// Whether the folder was made to prove that there is none, and a crash has left it behind.
fn is_proof(folder: &ObservedFolder) -> bool {
    folder.marker.as_ref().is_some_and(|marker| marker.hash == PROOF)
}

/// What may be deleted by what can be seen of it: no proof that it is empty.
fn looks_empty(folder: &ObservedFolder) -> bool {
    folder.is_folder && folder.items == Some(0) && !folder.holds_more
}

/// Our jobs are gone; of the folders that were made for them, those that are left are named.
fn left_in_place(id: &Identity, observed: &Observed) -> Decision<Action, Jobs> {
    let Placement { jenkins_folder: path, jenkins_url, .. } = &id.placement;
    // What projects share goes with the last of them.
    let own = observed.folders.iter().enumerate().filter(|(at, _)| !is_shared(id, &path[..=*at]));
    let ours = own.filter(|(at, folder)| made(id, &path[..=*at], folder));
    let names: Vec<String> = ours.map(|(at, _)| format!("\"{}\"", path[..=at].join("/"))).collect();
    if names.is_empty() {
        return Decision::Gone;
    }
    let why = if observed.delete_folders {
        "something else is in it"
    } else {
        "items that the operator's user may not see would go with it; whoever sees all of it can delete it, and with jenkins.folderPolicy: Delete of the platform the operator does"
    };
    Decision::GoneBut(format!("Jenkins folder {} of {jenkins_url} stays: {why}", names.join(", ")))
}

/// What proves that a folder is gone in which the status has jobs, but which is not seen: to a user without Item/Read,
/// Jenkins answers 404 for what exists, too (AbstractItem, ItemGroupMixIn). Needless where the operator deleted it.
fn unproven(id: &Identity, observed: &Observed, attempts: &Attempts) -> Option<Step<Action>> {
    let path = &id.placement.jenkins_folder;
    let missing =
        path.get(..=observed.folders.len()).filter(|_| observed.folders.iter().all(|folder| folder.is_folder))?;
    let document = xml::render_folder(&Marker::new(id, missing, PROOF));
    let action = Action::ConfirmAbsence { path: missing.to_vec(), document };
    let confirmed = [JenkinsJobs::key(&action), JenkinsJobs::key(&Action::DeleteFolder { path: missing.to_vec() })];
    if confirmed.iter().any(|key| attempts.done.contains(key)) || !attempts.recorded {
        return None;
    }
    let summary = format!("make sure that folder \"{}\" is gone", missing.join("/"));
    Some(Step::new(action, Change::Delete, Reason::ConfirmingAbsence, summary))
}

pub(super) fn inside(folder: &[String], name: &str) -> Vec<String> {
    [folder, &[name.to_owned()]].concat()
}

fn delete_job(folder: &[String], name: &str, reason: Reason) -> Step<Action> {
    let path = inside(folder, name);
    let summary = format!("delete job \"{}\"", path.join("/"));
    Step::new(Action::DeleteJob { path }, Change::Delete, reason, summary)
}
