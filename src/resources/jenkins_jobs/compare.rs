//! Which fields of a job differ, by the names under which users know them, in an order that keeps messages still. What is
//! done about a difference is decided elsewhere.

use std::collections::BTreeSet;

use super::job::PipelineJob;

/// The name of the schedule that Git is polled by.
pub const POLL_SCHEDULE: &str = "poll schedule";

/// The name of a parameter among the fields.
pub fn parameter_field(name: &str) -> String {
    // A parameter's name may be hostile where a person made it: shown, it stays one short word.
    let shown: String = name.chars().filter(|c| c.is_ascii_graphic()).take(64).collect();
    format!("parameter {shown}")
}

/// The fields that differ, parameters last and by name.
pub fn differences(wanted: &PipelineJob, live: &PipelineJob) -> Vec<String> {
    let fields = [
        ("description", wanted.description == live.description),
        ("disabled", wanted.disabled == live.disabled),
        ("concurrent builds", wanted.concurrent == live.concurrent),
        ("builds to keep", wanted.builds_kept == live.builds_kept),
        (POLL_SCHEDULE, wanted.poll_schedule == live.poll_schedule),
        ("repository URL", wanted.repositories == live.repositories),
        ("branch", wanted.branches == live.branches),
        ("Git credentials", wanted.credentials_id == live.credentials_id),
        ("script path", wanted.script_path == live.script_path),
        ("lightweight checkout", wanted.lightweight == live.lightweight),
        ("remote trigger token", wanted.remote_token == live.remote_token),
    ];
    let plain = fields.into_iter().filter(|(_, same)| !same).map(|(name, _)| name.to_owned());
    let names: BTreeSet<&String> = wanted.parameters.keys().chain(live.parameters.keys()).collect();
    let differs = |name: &&String| wanted.parameters.get(*name) != live.parameters.get(*name);
    plain.chain(names.into_iter().filter(differs).map(|name| parameter_field(name))).collect()
}
