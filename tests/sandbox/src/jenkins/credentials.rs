//! Credential stores of the root and of folders: CredentialsStoreAction. Reads show secrets as `<secret-redacted/>`; a
//! body that is sent back with them overwrites the secret with nothing, as in Jenkins.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use serde_json::json;

use super::access::{self, Permission};
use super::classes::FOLDER_CREDENTIALS;
use super::config;
use super::export;
use super::reply::{self, Answer, Reply};
use super::route::Ask;
use super::xml::{self, Element};
use crate::world::World;

/// The kinds of credentials: class, plugin, what people call it, and its secret fields.
const KINDS: &[(&str, &str, &str, &[&str])] = &[
    (
        "com.cloudbees.plugins.credentials.impl.UsernamePasswordCredentialsImpl",
        "credentials",
        "Username with password",
        &["password"],
    ),
    (
        "org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl",
        "plain-credentials",
        "Secret text",
        &["secret"],
    ),
    (
        "com.cloudbees.jenkins.plugins.awscredentials.AWSCredentialsImpl",
        "aws-credentials",
        "AWS Credentials",
        &["secretKey"],
    ),
    (
        "com.cloudbees.jenkins.plugins.sshcredentials.impl.BasicSSHUserPrivateKey",
        "ssh-credentials",
        "SSH Username with private key",
        &["passphrase", "privateKey"],
    ),
];

type Store = BTreeMap<String, Element>;

fn store<'a>(world: &'a mut World, path: &[String]) -> Result<&'a mut Store, Reply> {
    if path.is_empty() {
        return Ok(&mut world.jenkins.credentials);
    }
    let folder = world.jenkins.find_mut(path).filter(|item| item.is_folder()).ok_or_else(reply::not_found)?;
    folder.saved();
    Ok(&mut folder.credentials)
}

/// Everything below `…/domain/_/`.
pub(super) fn answer(world: &mut World, ask: &Ask<'_>, path: &[String], rest: &[&str]) -> Answer {
    let may = |world: &World, permission| access::require(&world.jenkins, &ask.caller, permission, path);
    if !path.is_empty() && !world.jenkins.find(path).is_some_and(super::Item::is_folder) {
        return Err(reply::not_found());
    }
    match rest {
        ["api", "json" | "python"] => {
            may(world, Permission::CredentialsView)?;
            export::answer(ask, &domain(world, path))
        }
        ["createCredentials"] => {
            ask.require_post()?;
            may(world, Permission::CredentialsCreate)?;
            let posted = read(world, ask)?;
            let id = posted.child_text("id").unwrap_or_default().to_owned();
            let store = store(world, path)?;
            if store.contains_key(&id) {
                return Err(reply::conflict("a credential with this id exists"));
            }
            store.insert(id, posted);
            if let Some(folder) = world.jenkins.find_mut(path) {
                folder.has_store = true;
            }
            Ok(reply::empty(StatusCode::OK))
        }
        ["credential", id, tail @ ..] => {
            if !store(world, path)?.contains_key(*id) {
                return Err(reply::not_found());
            }
            one(world, ask, path, id, tail)
        }
        _ => Err(reply::not_found()),
    }
}

/// CredentialsStoreAction.DomainWrapper of the global domain.
fn domain(world: &World, path: &[String]) -> serde_json::Value {
    let list: Vec<_> = world.jenkins.credentials_of(path).values().map(describe).collect();
    json!({
        "_class": "com.cloudbees.plugins.credentials.CredentialsStoreAction$DomainWrapper",
        "credentials": list, "description": "Credentials that should be available everywhere.",
        "displayName": "Global", "global": true, "urlName": "_",
    })
}

/// A store as a whole: its domains, of which the global one is all there is.
pub(super) fn store_answer(world: &World, ask: &Ask<'_>, path: &[String]) -> Answer {
    if !path.is_empty() && !world.jenkins.find(path).is_some_and(super::Item::is_folder) {
        return Err(reply::not_found());
    }
    access::require(&world.jenkins, &ask.caller, Permission::CredentialsView, path)?;
    let class = match path.is_empty() {
        true => "com.cloudbees.plugins.credentials.SystemCredentialsProvider$UserFacingAction",
        false => concat!(
            "com.cloudbees.hudson.plugins.folder.properties.FolderCredentialsProvider",
            "$FolderCredentialsProperty$CredentialsStoreActionImpl"
        ),
    };
    export::answer(ask, &json!({"_class": class, "domains": {"_": domain(world, path)}}))
}

fn one(world: &mut World, ask: &Ask<'_>, path: &[String], id: &str, tail: &[&str]) -> Answer {
    let may = |world: &World, permission| access::require(&world.jenkins, &ask.caller, permission, path);
    match tail {
        ["api", "json" | "python"] => {
            may(world, Permission::CredentialsView)?;
            let credential = store(world, path)?.get(id).ok_or_else(reply::not_found)?;
            let shown = describe(credential);
            export::answer(ask, &shown)
        }
        ["config.xml"] if ask.method == Method::GET => {
            may(world, Permission::CredentialsView)?;
            let credential = store(world, path)?.get(id).ok_or_else(reply::not_found)?;
            let shown = redact(credential);
            Ok(reply::xml(config::save(&shown, &world.jenkins.plugins, world.jenkins.style())))
        }
        ["config.xml"] if ask.method == Method::POST => {
            may(world, Permission::CredentialsUpdate)?;
            let posted = read(world, ask)?;
            store(world, path)?.insert(id.to_owned(), posted);
            Ok(reply::empty(StatusCode::OK))
        }
        ["config.xml"] if ask.method == Method::DELETE => {
            may(world, Permission::CredentialsDelete)?;
            store(world, path)?.remove(id);
            Ok(reply::empty(StatusCode::OK))
        }
        ["doDelete"] => {
            ask.require_post()?;
            may(world, Permission::CredentialsDelete)?;
            store(world, path)?.remove(id);
            Ok(reply::located(StatusCode::FOUND, "../.."))
        }
        _ => Err(reply::not_found()),
    }
}

fn kind(class: &str) -> Option<&'static (&'static str, &'static str, &'static str, &'static [&'static str])> {
    KINDS.iter().find(|(name, ..)| *name == class)
}

fn read(world: &World, ask: &Ask<'_>) -> Result<Element, Reply> {
    let source = ask.require_xml("Content-Type must be application/xml or text/xml")?;
    let mut posted = xml::parse(&source).map_err(|error| reply::broken(&error))?;
    let known = kind(&posted.name).filter(|(_, plugin, ..)| world.jenkins.plugins.contains_key(*plugin));
    let (.., secrets) = known.ok_or_else(|| reply::broken(&format!("CannotResolveClassException: {}", posted.name)))?;
    each_secret(&mut posted, secrets, &|secret| {
        // `<secret-redacted/>` is no text: the secret becomes empty.
        let text = if secret.children.is_empty() { config::unseal(&secret.text) } else { String::new() };
        *secret = Element::leaf(&secret.name, &text);
    });
    Ok(posted)
}

fn each_secret(element: &mut Element, names: &[&str], change: &dyn Fn(&mut Element)) {
    for child in &mut element.children {
        if names.contains(&child.name.as_str()) {
            change(child);
        } else {
            each_secret(child, names, change);
        }
    }
}

fn redact(credential: &Element) -> Element {
    let mut shown = credential.clone();
    let names = kind(&credential.name).map_or(&[] as &[&str], |(.., secrets)| secrets);
    each_secret(&mut shown, names, &|secret| {
        secret.text.clear();
        secret.children = vec![Element::new("secret-redacted")];
    });
    shown
}

fn describe(credential: &Element) -> serde_json::Value {
    let text = |name: &str| credential.child_text(name).unwrap_or_default().to_owned();
    let name = if text("description").is_empty() { text("id") } else { text("description") };
    json!({
        "_class": "com.cloudbees.plugins.credentials.CredentialsStoreAction$CredentialsWrapper",
        "id": text("id"), "description": text("description"), "displayName": name,
        "typeName": kind(&credential.name).map(|(_, _, name, _)| *name),
    })
}

/// The folder property that holds a store, secrets encrypted.
pub(super) fn as_property(store: &Store) -> Element {
    let mut list = Element::new("java.util.concurrent.CopyOnWriteArrayList");
    for credential in store.values() {
        let mut written = credential.clone();
        let names = kind(&credential.name).map_or(&[] as &[&str], |(.., secrets)| secrets);
        each_secret(&mut written, names, &|secret| secret.text = config::seal(&secret.text));
        list.children.push(written);
    }
    let domain = Element {
        children: vec![Element::new("specifications")],
        ..Element::new("com.cloudbees.plugins.credentials.domains.Domain")
    };
    let entry = Element { children: vec![domain, list], ..Element::new("entry") };
    let map = Element { children: vec![entry], ..Element::new("domainCredentialsMap") };
    Element { children: vec![map], ..Element::new(FOLDER_CREDENTIALS) }
}

/// The store that a folder property holds; masked or absent secrets of known credentials stay as they were.
pub(super) fn from_property(property: &Element, before: &Store) -> Store {
    let mut store = Store::new();
    for found in property.walk().into_iter().filter(|element| kind(&element.name).is_some()) {
        let Some(id) = found.child_text("id") else { continue };
        let (.., secrets) = kind(&found.name).unwrap_or(&KINDS[0]);
        let mut credential = found.clone();
        credential.attributes.clear();
        each_secret(&mut credential, secrets, &|secret| secret.text = config::unseal(&secret.text));
        let masked = credential.walk().iter().any(|part| part.text == "********");
        let known = before.get(id).filter(|_| masked).cloned();
        store.insert(id.to_owned(), known.unwrap_or(credential));
    }
    store
}
