//! What to do about the jobs, given what was seen: the server first, then folders from the outside in, then jobs. Pure.

use super::job::PipelineJob;
use super::marker::Marker;
use super::{Action, Desired, FolderSeen, ItemSeen, JenkinsJobs, Observed, Server, by_lower_case, compare, stuck, xml};
use crate::crd::status::Reason;
use crate::domain::identity::Identity;
use crate::domain::resource::{Attempts, Change, Decision, Resource, Step};
use crate::resources::outputs::Jobs;

/// Jenkins 2.440: the oldest version that the operator's requests were read against.
const OLDEST: u32 = 440;

/// What is wrong with the server itself, if anything.
pub(super) fn server(server: &Server) -> Option<Decision<Action, Jobs>> {
    let Some(version) = &server.version else {
        return Some(stuck(
            Reason::NotJenkins,
            "what answers at the Jenkins URL is not Jenkins: it sends no X-Jenkins header".into(),
            "check jenkins.url, its path, and what a proxy in between answers",
        ));
    };
    if too_old(version) {
        return Some(stuck(
            Reason::JenkinsTooOld,
            format!("Jenkins {version:.32} is older than 2.{OLDEST}, the oldest version that the operator works with"),
            "upgrade Jenkins",
        ));
    }
    if !server.authenticated {
        return Some(stuck(
            Reason::JenkinsCredentialsInvalid,
            "Jenkins takes the operator for an anonymous visitor".into(),
            "check the user and API token in the Secret, and that no proxy removes the Authorization header",
        ));
    }
    None
}

/// Versions are `2.570`, `2.555.3` or with a suffix; what does not read as one is let pass.
fn too_old(version: &str) -> bool {
    let mut parts = version.split(['.', '-', ' ']).map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => major < 2 || (major == 2 && minor < OLDEST),
        _ => false,
    }
}

/// The jobs are wanted.
pub(super) fn present(id: &Identity, desired: &Desired, seen: &Observed) -> Decision<Action, Jobs> {
    if let Some(stuck) = missing_plugin(desired, &seen.server) {
        return stuck;
    }
    if let Some(folder) = seen.folders.iter().find(|folder| !folder.is_folder) {
        return no_folder(desired, folder);
    }
    let mut steps = Vec::new();
    for depth in seen.folders.len()..desired.folder.len() {
        let path = desired.folder[..=depth].to_vec();
        let document = xml::render_folder(&Marker::new(&id.owner, ""));
        let summary = format!("create folder \"{}\"", path.join("/"));
        steps.push(step(Action::CreateFolder { path, document }, Change::Create, Reason::Missing, summary));
    }
    steps.extend(leftovers(id, desired, seen));
    let known = by_lower_case(&seen.items);
    for (name, job) in &desired.jobs {
        // An item of ours under the same name in another case was deleted just above.
        let item = known.get(&name.to_lowercase()).filter(|item| item.name == *name || !ours(id, &item.marker));
        match item {
            None => steps.push(create(id, desired, name, job)),
            Some(item) if !ours(id, &item.marker) => return foreign(desired, name, item),
            Some(item) => steps.extend(correct(id, desired, name, job, item)),
        }
    }
    if steps.is_empty() {
        let quieting_down = seen.server.quieting_down;
        return Decision::InSync(Jobs { quieting_down, ..JenkinsJobs::forecast(desired) });
    }
    Decision::Act(steps)
}

fn missing_plugin(desired: &Desired, server: &Server) -> Option<Decision<Action, Jobs>> {
    let active = server.plugins.as_ref()?;
    let missing: Vec<&str> =
        desired.plugins.iter().copied().filter(|name| !active.iter().any(|active| active == name)).collect();
    let message =
        || format!("Jenkins lacks plugins that the jobs need, or they are not active: {}", missing.join(", "));
    (!missing.is_empty())
        .then(|| stuck(Reason::PluginMissing, message(), "install them in Jenkins, and restart it if it asks for that"))
}

fn no_folder(desired: &Desired, found: &FolderSeen) -> Decision<Action, Jobs> {
    let message = format!("\"{}\" in the folder path \"{}\" is no folder", found.name, desired.folder.join("/"));
    stuck(Reason::ForeignOwner, message, "choose another folder, or rename or remove that item in Jenkins")
}

fn foreign(desired: &Desired, name: &str, item: &ItemSeen) -> Decision<Action, Jobs> {
    let place = if desired.folder.is_empty() {
        "the root".to_owned()
    } else {
        format!("folder \"{}\"", desired.folder.join("/"))
    };
    let whose = match &item.marker {
        Some(marker) => format!("belongs to {:.128}", marker.object),
        None => "was not made by the operator".to_owned(),
    };
    let also = if item.name == name { String::new() } else { format!(", which Jenkins takes for \"{name}\",") };
    let message = format!("job \"{}\" in {place}{also} {whose}", item.name);
    stuck(Reason::ForeignOwner, message, "rename or remove that job in Jenkins, or choose another folder")
}

fn ours(id: &Identity, marker: &Option<Marker>) -> bool {
    marker.as_ref().is_some_and(|marker| marker.is_of(&id.owner))
}

/// Jobs of ours that are not wanted any more: of an earlier project id, or renamed.
fn leftovers(id: &Identity, desired: &Desired, seen: &Observed) -> Vec<Step<Action>> {
    let wanted = |item: &&ItemSeen| desired.jobs.iter().any(|(name, _)| *name == item.name);
    let left = seen.items.iter().filter(|item| ours(id, &item.marker) && !wanted(item));
    left.map(|item| delete(&desired.folder, &item.name, "job", Reason::SpecChanged)).collect()
}

fn create(id: &Identity, desired: &Desired, name: &str, job: &PipelineJob) -> Step<Action> {
    let document = xml::render(job, &Marker::new(&id.owner, &job.fingerprint()));
    let action = Action::CreateJob { path: inside(&desired.folder, name), document };
    step(action, Change::Create, Reason::Missing, format!("create job \"{name}\""))
}

/// What brings a job of ours to what it should be.
fn correct(id: &Identity, desired: &Desired, name: &str, job: &PipelineJob, item: &ItemSeen) -> Option<Step<Action>> {
    let path = inside(&desired.folder, name);
    let hash = job.fingerprint();
    let marker = Marker::new(&id.owner, &hash);
    let Some(live) = &item.job else {
        let document = xml::render(job, &marker);
        let summary = format!("replace job \"{name}\": it is no pipeline");
        return Some(step(Action::ReplaceJob { path, document }, Change::Replace, Reason::Drifted, summary));
    };
    let applied = item.marker.as_ref().is_some_and(|marker| marker.hash == hash);
    let field = compare::difference(job, live).or_else(|| (!applied).then(|| "marker".to_owned()))?;
    let because = if applied { Reason::Drifted } else { Reason::SpecChanged };
    let summary = format!("update job \"{name}\": {field}");
    Some(step(Action::UpdateJob { path, job: Box::new(job.clone()), marker }, Change::Update, because, summary))
}

/// The jobs are not wanted: ours go, then our folders that are empty. What is not ours stays, with the folders around it.
pub(super) fn absent(id: &Identity, seen: &Observed, tried: &Attempts) -> Decision<Action, Jobs> {
    let folder: Vec<String> = id.placement.jenkins_folder.iter().take(seen.folders.len()).cloned().collect();
    let jobs: Vec<Step<Action>> = seen
        .items
        .iter()
        .filter(|item| ours(id, &item.marker))
        .map(|item| delete(&folder, &item.name, "job", Reason::Deleting))
        .collect();
    if !jobs.is_empty() {
        return Decision::Act(jobs);
    }
    if let Some(proof) = unproven(id, seen, tried) {
        return Decision::Act(vec![proof]);
    }
    // Only the innermost that exists can be empty; the ones around it follow in later looks.
    match seen.folders.last() {
        Some(last) if last.is_folder && ours(id, &last.marker) && last.items == 0 && !last.holds_more => {
            let (name, outer) =
                folder.split_last().map_or(("", &[] as &[String]), |(name, outer)| (name.as_str(), outer));
            Decision::Act(vec![delete(outer, name, "folder", Reason::Deleting)])
        }
        _ => Decision::Gone,
    }
}

/// What proves that a folder is gone in which the status has jobs, but which is not seen: to a user without Item/Read,
/// Jenkins answers 404 for what exists, too (AbstractItem, ItemGroupMixIn). Needless where the operator deleted it.
fn unproven(id: &Identity, seen: &Observed, tried: &Attempts) -> Option<Step<Action>> {
    let path = &id.placement.jenkins_folder;
    let missing = path.get(..=seen.folders.len()).filter(|_| seen.folders.iter().all(|folder| folder.is_folder))?;
    let shown = missing.join("/");
    let summary = format!("make sure that folder \"{shown}\" is gone");
    let proven = [&summary, &format!("delete folder \"{shown}\"")].into_iter().any(|done| tried.done.contains(done));
    if proven || !tried.recorded {
        return None;
    }
    let document = xml::render_folder(&Marker::new(&id.owner, ""));
    let action = Action::ProveAbsence { path: missing.to_vec(), document };
    Some(step(action, Change::Delete, Reason::ProvingAbsence, summary))
}

fn inside(folder: &[String], name: &str) -> Vec<String> {
    [folder, &[name.to_owned()]].concat()
}

fn delete(folder: &[String], name: &str, what: &str, because: Reason) -> Step<Action> {
    let path = inside(folder, name);
    let summary = format!("delete {what} \"{}\"", path.join("/"));
    step(Action::Delete { path }, Change::Delete, because, summary)
}

fn step(action: Action, change: Change, because: Reason, summary: String) -> Step<Action> {
    Step { action, change, because, summary, intent: None }
}
