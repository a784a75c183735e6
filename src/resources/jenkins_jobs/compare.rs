//! Which field of a job differs, by the name under which users know it. One field is enough to act on, and a stable
//! choice keeps messages still.

use super::job::PipelineJob;

/// The first field that differs, if any.
pub fn difference(wanted: &PipelineJob, live: &PipelineJob) -> Option<String> {
    let fields = [
        ("description", wanted.description == live.description),
        ("disabled", wanted.disabled == live.disabled),
        ("concurrent builds", wanted.concurrent == live.concurrent),
        ("builds to keep", wanted.builds_kept == live.builds_kept),
        ("poll schedule", wanted.poll_schedule == live.poll_schedule),
        ("repository URL", wanted.repositories == live.repositories),
        ("branch", wanted.branches == live.branches),
        ("Git credentials", wanted.credentials_id == live.credentials_id),
        ("script path", wanted.script_path == live.script_path),
        ("lightweight checkout", wanted.lightweight == live.lightweight),
        ("remote trigger token", wanted.remote_token == live.remote_token),
    ];
    let plain = fields.into_iter().find(|(_, same)| !same).map(|(name, _)| name.to_owned());
    plain.or_else(|| parameter(wanted, live))
}

fn parameter(wanted: &PipelineJob, live: &PipelineJob) -> Option<String> {
    let names = wanted.parameters.keys().chain(live.parameters.keys());
    let differs = |name: &&String| wanted.parameters.get(*name) != live.parameters.get(*name);
    // A parameter's name may be hostile where a person made it: shown, it stays one short word.
    let shown = |name: &String| name.chars().filter(|c| c.is_ascii_graphic()).take(64).collect::<String>();
    names.filter(differs).min().map(|name| format!("parameter {}", shown(name)))
}
