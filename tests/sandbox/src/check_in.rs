//! How a seed code check-in ends in process, where neither the function of the project template nor its build run: by
//! the same rules as the real one, on the same inputs, as far as they are in the world. Behind the HTTP transport the real
//! one runs, and this is not asked.

use std::io::Cursor;

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zip::ZipArchive;

use crate::aws::cloudformation::Answer;
use crate::aws::dispatch::allowed;
use crate::aws::iam::{Source, Trust};
use crate::aws::{Caller, s3};
use crate::repositories::Content;
use crate::wire::Service;
use crate::world::World;

/// The resource type that the project template gives its check-ins.
const KIND: &str = "Custom::SeedCodeCheckIn";

/// The build that a check-in is: who runs it, and what it is told.
struct Build {
    region: String,
    role: Caller,
    source: String,
    project_id: String,
    project_name: String,
}

pub(crate) fn hex_digest(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// What the check-in answers to a request of CloudFormation; `None` where the request is for something else.
pub(crate) fn answer(world: &mut World, event: &Value) -> Option<Answer> {
    if event["ResourceType"] != KIND {
        return None;
    }
    if event["RequestType"] == "Delete" {
        return Some(Answer::Success { data: Value::Null, physical_id: None });
    }
    let given = &event["ResourceProperties"];
    let text = |member: &str| given[member].as_str().unwrap_or_default().to_owned();
    let build = match build(world, event) {
        Ok(build) => build,
        Err(reason) => return Some(Answer::Failed(format!("The seed code check-in did not start: {reason}"))),
    };
    // A build that cannot fetch its own source ends before its first command: nobody answers.
    let (bucket, key) = build.source.split_once('/').unwrap_or((&build.source, ""));
    if read(world, &build, bucket, key).is_err() {
        return Some(Answer::Never);
    }
    // As the template's function names it.
    let place = json!([text("RepositoryFullName"), text("Branch")]).to_string().replace("\",\"", "\", \"");
    let physical_id = Some(format!("seed-code-{}", &hex_digest(&place)[..32]));
    Some(match check_in(world, &build, given) {
        Ok(result) => Answer::Success { data: json!({"Result": result}), physical_id },
        Err(reason) => Answer::Failed(reason),
    })
}

/// Follows the request to the function, and the function to its build.
fn build(world: &mut World, event: &Value) -> Result<Build, String> {
    let token: Vec<String> = event["ServiceToken"].as_str().unwrap_or_default().split(':').map(str::to_owned).collect();
    let [_, _, _, region, account, _, function, ..] = token.as_slice() else {
        return Err("the service token is no function".into());
    };
    let parts = world.region(account, region);
    let function = parts.lambda.function(function).ok_or("the function is gone")?;
    let name = function.environment.get("PROJECT").cloned().unwrap_or_default();
    let project = parts.codebuild.project(&name).ok_or_else(|| format!("Project cannot be found: {name}"))?;
    let arn = project.arn();
    let (role_arn, source, id) = (project.role(), project.source(), project.variable("SAGEMAKER_PROJECT_ID"));
    let project_name = project.variable("SAGEMAKER_PROJECT_NAME");
    let on_behalf = Source { account, arn: Some(&arn) };
    if world.trust_for(&role_arn, "codebuild.amazonaws.com", on_behalf) != Trust::Given {
        return Err(format!("CodeBuild is not authorized to perform: sts:AssumeRole on {role_arn}"));
    }
    let name = role_arn.rsplit('/').next().unwrap_or_default();
    let role = Caller {
        account: account.clone(),
        arn: format!("arn:aws:sts::{account}:assumed-role/{name}/AWSCodeBuild"),
        principal: role_arn.clone(),
    };
    Ok(Build { region: region.clone(), role, source, project_id: id, project_name })
}

/// An object as the build's role reads it; else the status of the refusal.
fn read(world: &mut World, build: &Build, bucket: &str, key: &str) -> Result<Vec<u8>, u16> {
    allowed(world, &build.role, Service::S3, "GetObject").map_err(|_| 403_u16)?;
    let request = Request::get(format!("/{bucket}/{key}")).body(Bytes::new()).map_err(|_| 404_u16)?;
    let response = s3::handle(world, &build.role, &build.region, &request);
    match response.status().as_u16() {
        200 => Ok(response.into_body().to_vec()),
        status => Err(status),
    }
}

/// Checks the seed code in, or leaves the branch alone; gives what became of it.
fn check_in(world: &mut World, build: &Build, given: &Value) -> Result<String, String> {
    let text = |member: &str| given[member].as_str().unwrap_or_default();
    let (repository, branch) = (text("RepositoryFullName"), text("Branch"));
    reachable(world, build, repository, text("ConnectionArn"))?;
    let state = world.repositories.branch(repository, branch);
    if let Some(head) = state.commits.last()
        && let Some(project) = &head.seeded_for
    {
        let short = &head.id[..7];
        return Ok(if *project == build.project_id {
            format!("left alone: {branch} was seeded before, by commit {short}")
        } else {
            format!(
                "left alone: {branch} holds the seed code of project {project}, commit {short}; to seed it for this project, empty the branch first"
            )
        });
    }
    if state.content == Content::Files {
        let own = state.files.first().map_or("files", String::as_str);
        return Ok(format!("left alone: {branch} holds files of its own, such as {own}"));
    }
    let names = unpacked(world, build, text("SeedCodeUrl"), text("SeedCodeSha256"))?;
    let mut tops: Vec<&str> = names.iter().map(|name| name.split('/').next().unwrap_or(name)).collect();
    tops.dedup();
    let subject = format!("Add the seed code of SageMaker project {}", build.project_name);
    let project = Some(build.project_id.as_str());
    let commit = world.repositories.commit(repository, branch, Content::Files, &tops, &subject, project);
    let count = if names.len() == 1 { "1 file".to_owned() } else { format!("{} files", names.len()) };
    Ok(format!("seeded {branch} with {count}, commit {}{}", &commit[..7], kept(&state.files, &names)))
}

/// Says which files were there already. The contents are not known here: a file of the same name counts as another.
fn kept(theirs: &[String], names: &[String]) -> String {
    let ours = |held: &String| names.iter().find(|name| name.eq_ignore_ascii_case(held));
    let moved = |held: &String| {
        let name = ours(held)?;
        let (stem, suffix) = match name.strip_prefix('.') {
            Some(_) => (name.as_str(), String::new()),
            None => {
                name.split_once('.').map_or((name.as_str(), String::new()), |(stem, rest)| (stem, format!(".{rest}")))
            }
        };
        Some(format!("; kept its own {held}, the seed code's is {stem}.seed-code{suffix}"))
    };
    theirs.iter().filter_map(moved).collect()
}

/// Whether the connection gives the build access to the repository.
fn reachable(world: &mut World, build: &Build, repository: &str, connection: &str) -> Result<(), String> {
    let parts: Vec<&str> = connection.split(':').collect();
    let (region, account) = (parts.get(3).copied().unwrap_or_default(), parts.get(4).copied().unwrap_or_default());
    let usable = world.iam.may_use_connection(&build.role.principal, connection, repository);
    let available = world.region(account, region).connections.status(connection).as_deref() == Some("AVAILABLE");
    if usable && available && world.repositories.is_missing(repository) {
        return Err(format!(
            "there is no repository {repository}, or the connection {connection} may not see it: correct the name, or let the connection's app into the repository"
        ));
    }
    if usable && available {
        return Ok(());
    }
    Err(format!(
        "the connection {connection} does not give the build access to {repository}: complete its handshake, let its app write to the repository, and allow the build's role to use the connection (codeconnections:UseConnection, codestar-connections:UseConnection)"
    ))
}

/// Names of the files in the archive, which must be the one that was meant.
fn unpacked(world: &mut World, build: &Build, url: &str, sha256: &str) -> Result<Vec<String>, String> {
    let archive = if let Some(place) = url.strip_prefix("s3://") {
        let (bucket, key) = place.split_once('/').unwrap_or((place, ""));
        read(world, build, bucket, key).map_err(|status| match status {
            403 => format!("the build's role may not read {url}: allow it s3:GetObject there"),
            _ => format!("there is no {url}: upload the archive, or correct the address"),
        })?
    } else {
        let published = world.repositories.published(url).cloned();
        published.ok_or_else(|| format!("{url} cannot be read: [Errno -2] Name or service not known"))?
    };
    let found = hex::encode(Sha256::digest(&archive));
    if found != sha256.to_lowercase() {
        return Err(format!(
            "{url} has the SHA-256 {found}, not {sha256} as declared: it is not the archive that was meant; correct the archive or the SHA-256"
        ));
    }
    let unreadable = |error: &dyn std::fmt::Display| format!("{url} cannot be unpacked as a zip archive: {error}");
    let entries = ZipArchive::new(Cursor::new(archive)).map_err(|error| unreadable(&error))?;
    let mut names: Vec<String> = entries.file_names().filter(|name| !name.ends_with('/')).map(str::to_owned).collect();
    names.sort();
    if names.is_empty() { Err(format!("{url} holds no file")) } else { Ok(names) }
}
