//! How much of a live job is kept while jobs are looked at. A Jenkinsfile can give its job any number of parameters of any
//! length, and a server any number of jobs, so there is a bound. It stands alone beside what a job is and what a
//! Jenkinsfile declares, since it counts both; what is done about such a job is decided elsewhere.

use super::declared::Declared;
use super::job::{Parameter, ParameterKind, PipelineJob};

/// Parameters of a live job beyond which nothing of it is kept: ours are at most 32.
const MOST_PARAMETERS: usize = 200;
/// Bytes of a live job's subset beyond which nothing of it is kept: ours has 90 KiB where 20 further parameters have the
/// longest defaults that the spec takes, 1024 characters of four bytes.
const LONGEST: usize = 128 * 1024;

/// What of a live job is more than is kept of one, as the end of a sentence that begins with the job.
pub fn excess(job: &PipelineJob, declared: &Declared) -> Option<String> {
    let parameters = job.parameters.len();
    if parameters > MOST_PARAMETERS {
        return Some(format!("has {parameters} parameters, more than {MOST_PARAMETERS}"));
    }
    let PipelineJob { description, builds_kept, poll_schedule, credentials_id, script_path, .. } = job;
    let single = [description, builds_kept, poll_schedule, credentials_id, script_path];
    let Declared { properties, triggers, parameters } = declared;
    let lists = job.repositories.iter().chain(&job.branches).chain(properties).chain(triggers).chain(parameters);
    // A text takes its own place besides its bytes.
    let texts = single.into_iter().chain(lists).map(|text| text.len() + size_of::<String>());
    let kind = |parameter: &Parameter| match &parameter.kind {
        ParameterKind::Other(class) => class.len(),
        ParameterKind::Text | ParameterKind::AwsCredentials => 0,
    };
    let of_parameters = job.parameters.iter().map(|(name, one)| name.len() + one.default.len() + kind(one));
    let (bytes, kib) = (texts.chain(of_parameters).sum::<usize>(), LONGEST / 1024);
    (bytes > LONGEST)
        .then(|| format!("has settings, parameters and declarations of {bytes} bytes, more than {kib} KiB"))
}
