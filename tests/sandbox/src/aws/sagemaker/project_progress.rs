//! How a project follows its provisioned product: it looks now and then, as SageMaker does, and takes over how the
//! product ends, though never before the project's own time is up.

use std::time::Duration;

use serde_json::json;

use crate::aws::{Call, service_catalog};
use crate::world::{Due, Part, World};

/// Looks at the product again after a while.
pub(super) fn follow(world: &mut World, account: &str, region: &str, name: &str) {
    let pause = (world.settings.project / 20).max(Duration::from_millis(50));
    let due =
        Due { part: Part::SageMaker, account: account.to_owned(), region: region.to_owned(), id: name.to_owned() };
    world.schedule(pause, due);
}

/// How what is going on has ended: well, or with a sentence.
type Ending = Result<(), String>;

/// Looks at the provisioned product. `None`: still at work.
fn look(world: &mut World, due: &Due, project: &super::Project) -> Option<Ending> {
    // Right after a change a read may still show what was there before it.
    let settled = project.started.saturating_add(jiff::SignedDuration::try_from(world.settings.read_after_write).ok()?);
    if settled.is_ok_and(|settled| world.now < settled) {
        return None;
    }
    let input = json!({"Id": project.provisioned_id});
    let call =
        Call { operation: "DescribeProvisionedProduct", input: &input, caller: &project.actor, region: &due.region };
    let deleting = project.status == "DeleteInProgress";
    match service_catalog::call(world, &call) {
        Ok(answer) => {
            let detail = &answer["ProvisionedProductDetail"];
            match detail["Status"].as_str().unwrap_or_default() {
                "UNDER_CHANGE" | "PLAN_IN_PROGRESS" => None,
                "AVAILABLE" if !deleting => Some(Ok(())),
                _ => {
                    Some(Err(detail["StatusMessage"].as_str().unwrap_or("The provisioned product failed.").to_owned()))
                }
            }
        }
        Err(refusal) if refusal.code == "ResourceNotFoundException" && deleting => Some(Ok(())),
        Err(refusal) if refusal.code == "ResourceNotFoundException" => {
            Some(Err("The provisioned product no longer exists.".to_owned()))
        }
        Err(_) => None,
    }
}

/// A project's moment: it looks, and moves on where the product has ended.
pub(super) fn wake(world: &mut World, due: &Due) {
    let found = world.region(&due.account, &due.region).sagemaker.projects.get(&due.id);
    let Some(project) = found.and_then(|kept| kept.truth()).filter(|project| project.in_progress()).cloned() else {
        return;
    };
    let early = world.now.duration_since(project.started)
        < jiff::SignedDuration::try_from(world.settings.project).unwrap_or(jiff::SignedDuration::MAX);
    let ending = if early { None } else { look(world, due, &project) };
    let (now, delay) = (world.now, world.settings.read_after_write);
    let Some(kept) = world.region(&due.account, &due.region).sagemaker.projects.get_mut(&due.id) else { return };
    let verb = match project.status.as_str() {
        "UpdateInProgress" => "Update",
        "DeleteInProgress" => "Delete",
        _ => "Create",
    };
    let (status, message) = match ending {
        None if project.status == "Pending" => ("CreateInProgress".to_owned(), String::new()),
        None => return follow(world, &due.account, &due.region, &due.id),
        Some(Ok(())) => (format!("{verb}Completed"), String::new()),
        // As AWS was seen to say it of a creation (github.com/aws-samples/amazon-sagemaker-from-idea-to-production/
        // issues/16); of the others nothing is known.
        Some(Err(message)) if verb == "Create" => {
            ("CreateFailed".to_owned(), format!("Client error: Provisioning failed with error: {message}"))
        }
        Some(Err(message)) => (format!("{verb}Failed"), message),
    };
    kept.change(now, delay, |project| {
        project.status = status;
        project.message = message;
        project.modified = now;
    });
    if project.status == "Pending" {
        follow(world, &due.account, &due.region, &due.id);
    }
}
