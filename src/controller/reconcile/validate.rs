//! Whether an object may and can be acted on, and where its resources are. It asks nobody: the spec, the status, the
//! operator's configuration and what is known of platforms are all that counts.

use std::cell::Cell;

use serde_json::json;

use super::Subject;
use crate::controller::object::{self, Kind};
use crate::controller::platform_state::{PlatformState, Standing};
use crate::controller::platforms::{Admission, Found, platform_of};
use crate::controller::startup::FINGERPRINT_SECRET;
use crate::crd::MlopsPlatformSpec;
use crate::crd::mlops_platform::AllowedNamespaces;
use crate::crd::status::{Placement, Reason};
use crate::domain::grants;
use crate::domain::identity::OwnerKey;
use crate::domain::problem::Problem;
use crate::domain::validate::{
    Around, Parsed, ParsedPlatform, SharedPlatform, SpecError, derived, of_place, parse, parse_on, parse_platform,
    placement_of_raw, placement_on,
};

/// A project that may be acted on.
pub(super) struct Valid {
    pub(super) parsed: Parsed,
    /// The platform that it shares, if it does.
    pub(super) platform: Option<std::sync::Arc<PlatformState>>,
}

/// What may be done about a project.
pub(super) enum Validation {
    Valid(Box<Valid>),
    /// Its platform is suspended, and so is the project.
    Suspended {
        platform: String,
    },
    /// The platform is there and cannot be stood on yet.
    Waits {
        stalled: bool,
        message: String,
    },
    /// Nothing can be said yet.
    Unknown,
}

/// A spec that cannot be used.
pub(super) fn invalid(error: &SpecError) -> Problem {
    Problem::new(Reason::InvalidSpec, error.to_string(), "correct the spec")
}

/// Reads the spec of a project, and refuses what may not or cannot be done.
pub(super) fn project(subject: &Subject<'_>) -> Result<Validation, Problem> {
    let Subject { object, key, context, .. } = subject;
    if let Some(name) = platform_of(object) {
        return on_platform(subject, name);
    }
    context.platforms.unseat(key);
    let parsed =
        parse(&key.owner(&context.cluster), &context.seals, object::spec(object)).map_err(|error| invalid(&error))?;
    let granted = &context.dependencies.config.inline_platforms;
    grants::check(granted, &key.namespace, &parsed.uses()).map_err(|refusal| {
        let hint = "the operator's configuration (inlinePlatforms) says which namespaces may use what";
        Problem::new(Reason::PlatformNotAllowed, refusal, hint)
    })?;
    stays(subject, &parsed.identity.placement)?;
    Ok(Validation::Valid(Box::new(Valid { parsed, platform: None })))
}

/// The same for a project that shares the platform of this name.
fn on_platform(subject: &Subject<'_>, name: &str) -> Result<Validation, Problem> {
    let Subject { key, context, writer, .. } = subject;
    let state = match context.platforms.find_for(key, name) {
        Found::Unknown => return Ok(Validation::Unknown),
        Found::Absent => {
            return Err(Problem::new(
                Reason::PlatformMissing,
                format!("spec.platformRef.name: there is no MlopsPlatform \"{name}\""),
                "kubectl get mlopsplatforms lists those that there are; a project on another one must be a new one",
            ));
        }
        Found::Known(state) => state,
    };
    let Some(parts) = &state.parts else {
        return Ok(match &state.standing {
            Standing::Suspended => Validation::Suspended { platform: name.to_owned() },
            Standing::Deleting => {
                return Err(Problem::new(
                    Reason::PlatformNotReady,
                    format!("platform {name} is being deleted"),
                    "name another platform in a new project, or make the platform again",
                ));
            }
            Standing::Ready => Validation::Unknown,
            Standing::NotReady { stalled, message } => {
                Validation::Waits { stalled: *stalled, message: format!("{name} is not Ready: {message}") }
            }
        });
    };
    if !admitted(subject, name, &parts.shared.spec.namespaces)? {
        return Ok(Validation::Unknown);
    }
    let made = writer.status().placement.filter(|_| writer.sealed());
    if state.standing == Standing::Deleting && made.is_none() {
        return Err(going(name));
    }
    let Some(parsed) = parsed_on(subject, &parts.shared, made.as_ref())? else { return Ok(Validation::Unknown) };
    stays(subject, &parsed.identity.placement)?;
    if made.is_none() {
        seated(subject, &parts.shared)?;
    }
    if state.standing == Standing::Suspended {
        return Ok(Validation::Suspended { platform: name.to_owned() });
    }
    Ok(Validation::Valid(Box::new(Valid { parsed, platform: Some(state) })))
}

/// The project with what the platform says for it; `None`: one of the namespaces that are not known yet may have the name of
/// something that the project asks for.
fn parsed_on(
    subject: &Subject<'_>,
    shared: &SharedPlatform,
    made: Option<&Placement>,
) -> Result<Option<Parsed>, Problem> {
    let Subject { object, key, context, .. } = subject;
    let unknown = Cell::new(false);
    let namespaces_in = |text: &str| {
        let known = context.platforms.namespaces_in(text);
        unknown.set(unknown.get() || known.is_none());
        known.unwrap_or_default()
    };
    let around = Around { namespaces_in: &namespaces_in, made };
    let owner = key.owner(&context.cluster);
    let parsed = parse_on(shared, &owner, &context.seals, object::spec(object), &around);
    if unknown.get() {
        return Ok(None);
    }
    parsed.map(Some).map_err(|error| invalid(&error))
}

/// Refuses a project that would be one too many of its namespace. It is asked last: who is refused takes nobody's seat.
fn seated(subject: &Subject<'_>, shared: &SharedPlatform) -> Result<(), Problem> {
    let Subject { object, key, context, .. } = subject;
    let SharedPlatform { name, spec, .. } = shared;
    let Some(limit) = spec.projects.max_per_namespace else { return Ok(()) };
    if context.platforms.seat(object, name, limit as usize) {
        return Ok(());
    }
    let namespace = &key.namespace;
    Err(Problem::new(
        Reason::TooManyProjects,
        format!("platform {name} takes {limit} projects of one namespace, and {namespace} has as many already"),
        "delete a project that is not needed, or have projects.maxPerNamespace of the platform raised",
    ))
}

/// A platform that takes no further projects.
pub(super) fn going(name: &str) -> Problem {
    Problem::new(
        Reason::PlatformNotReady,
        format!("platform {name} is being deleted, and takes no further projects"),
        "make the project on another platform",
    )
}

/// Whether the project's namespace may use a platform; `false`: that is not known yet.
fn admitted(subject: &Subject<'_>, name: &str, allowed: &AllowedNamespaces) -> Result<bool, Problem> {
    let Subject { key, context, .. } = subject;
    match context.platforms.admits(allowed, &key.namespace) {
        Admission::Allowed => Ok(true),
        Admission::Unknown => Ok(false),
        Admission::Refused => {
            let labels = match &allowed.selector {
                Some(_) => " label the namespace as its namespaces.selector asks, or",
                None => "",
            };
            Err(Problem::new(
                Reason::PlatformNotAllowed,
                format!("platform {name} does not allow projects of namespace {}", key.namespace),
                format!("to allow it,{labels} have the namespace added to namespaces.names of the platform"),
            ))
        }
    }
}

/// Refuses an object whose resources are elsewhere than its spec says now.
fn stays(subject: &Subject<'_>, wanted: &Placement) -> Result<(), Problem> {
    let Some(field) = recorded(subject)?.and_then(|old| grants::moved(&old, wanted)) else { return Ok(()) };
    let field = match (subject.key.kind(), field) {
        (_, field) if field.starts_with("the ") => field.to_owned(),
        (Kind::Project, "platformRef" | "projectName") | (Kind::Platform, _) => format!("spec.{field}"),
        (Kind::Project, _) if wanted.platform.is_some() => format!("{field} of the platform"),
        (Kind::Project, _) => format!("spec.platform.{field}"),
    };
    Err(Problem::new(
        Reason::InvalidSpec,
        format!("{field} has changed, but resources that exist cannot move"),
        "change it back, or delete this object and make a new one",
    ))
}

/// Reads the spec of a platform, and refuses what cannot be done. What it names is granted by who may write it.
pub(super) fn platform(subject: &Subject<'_>) -> Result<(MlopsPlatformSpec, ParsedPlatform), Problem> {
    let Subject { object, key, context, .. } = subject;
    let (spec, parsed) = parse_platform(&key.owner(&context.cluster), &context.seals, object::spec(object))
        .map_err(|error| invalid(&error))?;
    let settings = &parsed.settings;
    let secrets = [
        ("jenkins.credentialsSecretRef", Some(&settings.jenkins.credentials_secret_ref.name)),
        ("jenkins.caBundleRef", settings.jenkins.ca_bundle_ref.as_ref().map(|one| &one.name)),
        ("modelTrigger.credentialsSecretRef", parsed.trigger_credentials().map(|one| &one.name)),
        ("modelTrigger.caBundleRef", settings.model_trigger.ca_bundle_ref.as_ref().map(|one| &one.name)),
    ];
    if let Some((field, _)) = secrets.into_iter().find(|(_, name)| name.is_some_and(|name| name == FINGERPRINT_SECRET))
    {
        return Err(Problem::new(
            Reason::SecretRefused,
            format!("spec.{field} names Secret {FINGERPRINT_SECRET}, which holds the installation's own key"),
            "name the Secret that holds what is needed here",
        ));
    }
    stays(subject, &parsed.identity.placement)?;
    Ok((spec, parsed))
}

/// Where the resources are, as the status says. One that says it in a way that cannot be read is no status without it:
/// the resources are somewhere. What this installation has not sealed must be granted as a spec's would be, and what
/// follows from the rest is derived.
fn recorded(subject: &Subject<'_>) -> Result<Option<Placement>, Problem> {
    let Subject { object, key, context, writer, .. } = subject;
    let told = writer.placement().map_err(|error| {
        let message = format!("status.placement says where the resources are, and cannot be read: {error}");
        Problem::new(Reason::PlacementUnknown, message, "restore status.placement as the operator had written it")
    })?;
    let Some(told) = told else { return Ok(None) };
    let place = derived(&key.owner(&context.cluster), told);
    if writer.sealed() {
        return Ok(Some(place));
    }
    // What it has already, whoever wrote this may only say.
    let place = Placement { repositories: Vec::new(), ..place };
    let leads_astray = |refusal: &str| {
        let message =
            format!("status.placement is not as the operator has written it, and leads where it may not: {refusal}");
        let hint = "remove status.placement: it is written anew; or restore it, status.seal included";
        Problem::new(Reason::PlatformNotAllowed, message, hint)
    };
    // On a platform, or of one, there is but one place that the spec may lead to.
    if key.kind() == Kind::Platform || place.platform.is_some() || platform_of(object).is_some() {
        let stands = declared(subject).as_ref() == Some(&place);
        return if stands {
            Ok(Some(place))
        } else {
            Err(leads_astray("it is not where the spec and the platform say"))
        };
    }
    match grants::check(&context.dependencies.config.inline_platforms, &key.namespace, &of_place(&place)) {
        Ok(()) => Ok(Some(place)),
        Err(refusal) => Err(leads_astray(&refusal)),
    }
}

/// Where the resources are of a platform, or of a project on one, as the specs say alone; `None`: they do not say, or may not.
fn declared(subject: &Subject<'_>) -> Option<Placement> {
    let Subject { object, key, context, .. } = subject;
    let owner = key.owner(&context.cluster);
    let spec = object::spec(object);
    if key.kind() == Kind::Platform {
        return platform_place(&owner, spec).ok();
    }
    let name = platform_of(object)?;
    let state = context.platforms.state(name)?;
    let parts = state.parts.as_ref()?;
    if context.platforms.admits(&parts.shared.spec.namespaces, &key.namespace) != Admission::Allowed {
        return None;
    }
    let text = |path: &str| spec.pointer(path).and_then(serde_json::Value::as_str);
    let project = text("/projectName").unwrap_or(&owner.name).to_owned();
    let place = &parts.shared.platform.identity.placement;
    Some(placement_on(place, name, &owner, project, text("/jenkins/folder")))
}

/// Where a platform's resources are, as its raw spec says.
fn platform_place(owner: &OwnerKey, spec: &serde_json::Value) -> Result<Placement, SpecError> {
    let place = placement_of_raw(owner, &json!({"platform": spec}))
        .map_err(|error| SpecError { field: error.field.replacen("spec.platform.", "spec.", 1), ..error })?;
    Ok(Placement { project_name: String::new(), ..place })
}

/// Where the resources are: as recorded before the first was made, or else as the spec says, if it may.
pub(super) fn resolve_placement(subject: &Subject<'_>) -> Result<Placement, Problem> {
    let Subject { object, key, context, .. } = subject;
    if let Some(placement) = recorded(subject)? {
        return Ok(placement);
    }
    if key.kind() == Kind::Platform {
        return platform_place(&key.owner(&context.cluster), object::spec(object)).map_err(|error| {
            Problem::new(
                Reason::PlacementUnknown,
                format!("neither the status nor the spec says where the resources are, so they cannot be deleted safely: {error}"),
                "restore the spec (or status.placement), or remove the resources by hand and then the finalizer",
            )
        });
    }
    if platform_of(object).is_some() {
        return declared(subject).ok_or_else(|| {
            Problem::new(
                Reason::PlacementUnknown,
                "neither the status nor the spec and its platform say where the resources are, so they cannot be deleted safely",
                "restore the platform (or status.placement), or remove the resources by hand and then the finalizer",
            )
        });
    }
    let placement = placement_of_raw(&key.owner(&context.cluster), object::spec(object)).map_err(|error| {
        Problem::new(
            Reason::PlacementUnknown,
            format!("neither the status nor the spec says where the resources are, so they cannot be deleted safely: {error}"),
            "restore spec.platform (or status.placement), or remove the resources by hand and then the finalizer",
        )
    })?;
    // Anybody can create an object that carries our finalizer: its spec has passed no check yet.
    match grants::check(&context.dependencies.config.inline_platforms, &key.namespace, &of_place(&placement)) {
        Ok(()) => Ok(placement),
        Err(refusal) => {
            let hint = "allow it in the operator's configuration (inlinePlatforms); where nothing was ever made, remove the finalizer";
            Err(Problem::new(Reason::PlatformNotAllowed, refusal, hint))
        }
    }
}
