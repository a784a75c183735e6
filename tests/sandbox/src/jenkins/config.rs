//! config.xml as Jenkins keeps it: what is posted becomes objects and is written back from them. Unknown elements are
//! gone, absent fields have their defaults, fields stand in class order, triggers have moved into their property,
//! plugin versions are noted. Nothing here knows about items, users or HTTP.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::classes::{CLASSES, Class, FOLDER_CREDENTIALS, ONE_AT_A_TIME, PIPELINE, PIPELINE_TRIGGERS, Shape};
use super::xml::{self, Element};

/// Installed plugins: short name and version.
pub type Plugins = BTreeMap<String, String>;

/// Loads a posted document.
///
/// # Errors
/// What makes Jenkins answer 500: XML that does not parse, or a root element of an unknown class.
pub fn load(source: &str, plugins: &Plugins) -> Result<Element, String> {
    let posted = xml::parse(source)?;
    let class = class(&posted.name, plugins).ok_or_else(|| format!("CannotResolveClassException: {}", posted.name))?;
    let mut loaded = object(&posted, class, plugins);
    if posted.name == PIPELINE {
        if posted.child_text("concurrentBuild") == Some("false") {
            let one = Element::new(ONE_AT_A_TIME);
            let one = self::class(ONE_AT_A_TIME, plugins).map(|class| object(&one, class, plugins));
            property_list(&mut loaded).extend(one);
        }
        move_triggers(&mut loaded);
    }
    Ok(loaded)
}

/// Whether a document has triggers where WorkflowJob.onLoad moves them away, and saves.
pub fn moves_triggers(source: &str) -> bool {
    xml::parse(source)
        .is_ok_and(|root| root.name == PIPELINE && root.child("triggers").is_some_and(|list| !list.children.is_empty()))
}

fn class(name: &str, plugins: &Plugins) -> Option<&'static Class> {
    CLASSES.iter().find(|class| class.name == name && (class.plugin.is_empty() || plugins.contains_key(class.plugin)))
}

fn object(posted: &Element, class: &'static Class, plugins: &Plugins) -> Element {
    let mut loaded = Element::new(&posted.name);
    for (name, shape) in class.fields {
        loaded.children.extend(field(name, *shape, posted.child(name), plugins));
    }
    if class.name == "hudson.plugins.git.GitSCM" {
        finish_git(&mut loaded);
    }
    loaded
}

fn field(name: &str, shape: Shape, posted: Option<&Element>, plugins: &Plugins) -> Option<Element> {
    let text = posted.map(|posted| posted.text.as_str());
    match shape {
        Shape::Text(default) => text.or(default).map(|text| Element::leaf(name, text)),
        Shape::Name => text.map(str::trim).filter(|text| !text.is_empty()).map(|text| Element::leaf(name, text)),
        Shape::Sealed => text.filter(|text| !text.is_empty()).map(|text| Element::leaf(name, &unseal(text))),
        Shape::List(always) => {
            let mut list = Element::new(name);
            for child in posted.iter().flat_map(|posted| &posted.children) {
                if child.name == FOLDER_CREDENTIALS {
                    list.children.push(child.clone());
                } else if let Some(class) = class(&child.name, plugins) {
                    list.children.push(object(child, class, plugins));
                }
            }
            (always || !list.children.is_empty()).then_some(list)
        }
        Shape::Object(default) => {
            let named = posted.map_or(default, |posted| posted.attribute("class").unwrap_or(default));
            let known = class(named, plugins)?;
            let empty = Element::new(name);
            let mut loaded = object(posted.unwrap_or(&empty), known, plugins);
            loaded.attributes.push(("class".into(), named.into()));
            Some(loaded)
        }
        Shape::Opaque(default) => match (posted, default) {
            (Some(posted), _) => {
                let mut kept = posted.clone();
                strip_plugins(&mut kept);
                Some(kept)
            }
            (None, Some("")) => Some(Element::new(name)),
            (None, Some(class)) => {
                let mut made = Element::new(name);
                made.attributes.push(("class".into(), class.into()));
                Some(made)
            }
            (None, None) => None,
        },
    }
}

/// GitSCM before configVersion 2 took `*` for any path, so old files are converted (GitSCM.readResolve).
fn finish_git(scm: &mut Element) {
    let old = scm.child_text("configVersion").and_then(|version| version.parse::<i32>().ok()).unwrap_or(0) < 1;
    if let Some(branches) = scm.child_mut("branches").filter(|_| old) {
        for name in branches.children.iter_mut().filter_map(|branch| branch.child_mut("name")) {
            name.text = name.text.replace('*', "**").replace("****", "**");
        }
    }
    scm.set_child("configVersion", "2");
}

fn property_list(root: &mut Element) -> &mut Vec<Element> {
    let at = root.children.iter().position(|child| child.name == "properties").unwrap_or_else(|| {
        root.children.push(Element::new("properties"));
        root.children.len() - 1
    });
    &mut root.children[at].children
}

/// WorkflowJob.onLoad: triggers at the root become PipelineTriggersJobProperty, at the end of the properties.
fn move_triggers(root: &mut Element) {
    let moved = root.child_mut("triggers").map(|list| std::mem::take(&mut list.children)).unwrap_or_default();
    if moved.is_empty() {
        return;
    }
    let properties = property_list(root);
    let mut triggers = Element::new("triggers");
    if let Some(at) = properties.iter().position(|property| property.name == PIPELINE_TRIGGERS) {
        let old = properties.remove(at);
        triggers.children.extend(old.child("triggers").map(|list| list.children.clone()).unwrap_or_default());
    }
    triggers.children.retain(|kept| !moved.iter().any(|new| new.name == kept.name));
    triggers.children.extend(moved);
    let mut property = Element::new(PIPELINE_TRIGGERS);
    property.children.push(triggers);
    properties.push(property);
}

fn strip_plugins(element: &mut Element) {
    element.attributes.retain(|(name, _)| name != "plugin");
    element.children.iter_mut().for_each(strip_plugins);
}

/// How a Jenkins of some version writes.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Double quotes in the declaration.
    pub double_quotes: bool,
    /// Tokens encrypted (SECURITY-783).
    pub seal_tokens: bool,
}

/// Writes loaded objects out.
pub fn save(root: &Element, plugins: &Plugins, style: Style) -> String {
    let mut written = root.clone();
    if style.seal_tokens
        && let Some(token) = written.child_mut("authToken")
    {
        token.text = seal(&token.text);
    }
    note_plugins(&mut written, "", plugins);
    let declaration = if style.double_quotes {
        r#"<?xml version="1.1" encoding="UTF-8"?>"#
    } else {
        "<?xml version='1.1' encoding='UTF-8'?>"
    };
    xml::write(&written, declaration)
}

/// Notes on each object of a plugin which version wrote it, unless the object around it says the same.
fn note_plugins(element: &mut Element, around: &str, plugins: &Plugins) {
    let name = element.attribute("class").unwrap_or(&element.name).to_owned();
    let plugin = if name == FOLDER_CREDENTIALS {
        "cloudbees-folder"
    } else {
        CLASSES.iter().find(|class| class.name == name).map_or(around, |class| class.plugin)
    };
    if let Some(version) = plugins.get(plugin).filter(|_| plugin != around) {
        element.attributes.push(("plugin".into(), format!("{plugin}@{version}")));
    }
    for child in &mut element.children {
        note_plugins(child, if plugin.is_empty() { around } else { plugin }, plugins);
    }
}

/// A secret as it is written: opaque to people, readable for this Jenkins.
pub fn seal(text: &str) -> String {
    format!("{{AQAAABAAAAAQ{}}}", STANDARD.encode(text))
}

/// The secret behind a written one; text that was not sealed is taken as it is.
pub fn unseal(text: &str) -> String {
    text.strip_prefix("{AQAAABAAAAAQ")
        .and_then(|rest| rest.strip_suffix('}'))
        .and_then(|rest| STANDARD.decode(rest).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    const STYLE: Style = Style { double_quotes: true, seal_tokens: true };

    fn plugins() -> Plugins {
        ["workflow-job", "workflow-cps", "git", "credentials", "cloudbees-folder"]
            .map(|name| (name.to_owned(), "1.v2".to_owned()))
            .into()
    }

    fn round(source: &str) -> String {
        save(&load(source, &plugins()).unwrap(), &plugins(), STYLE)
    }

    #[test]
    fn what_is_written_differs_from_what_was_posted_as_jenkins_makes_it_differ() {
        let rows: &[(&str, &str, &str, &str)] = &[
            ("the declaration becomes 1.1", "<flow-definition/>", r#"<?xml version="1.1" encoding="UTF-8"?>"#, "1.0"),
            (
                "the plugin's version is noted",
                "<flow-definition/>",
                r#"<flow-definition plugin="workflow-job@1.v2">"#,
                "@@",
            ),
            ("defaults are added", "<flow-definition/>", "<disabled>false</disabled>", "@@"),
            (
                "unknown elements are dropped",
                "<flow-definition><evil>x</evil></flow-definition>",
                "<triggers/>",
                "evil",
            ),
            (
                "classes of missing plugins are dropped",
                "<flow-definition><properties><com.example.Property/></properties></flow-definition>",
                "<properties/>",
                "com.example",
            ),
            (
                "an owner within the same plugin is noted once",
                "<flow-definition><properties><org.jenkinsci.plugins.workflow.job.properties.DisableConcurrentBuildsJobProperty/></properties></flow-definition>",
                "<abortPrevious>false</abortPrevious>",
                "DisableConcurrentBuildsJobProperty plugin",
            ),
            (
                "a token is encrypted",
                "<flow-definition><authToken>token</authToken></flow-definition>",
                "{AQAAABAAAAAQ",
                ">token<",
            ),
            (
                "quotes become entities",
                "<flow-definition><description>it's \"so\"</description></flow-definition>",
                "it&apos;s &quot;so&quot;",
                "it's",
            ),
            (
                "a star of an old Git configuration becomes two",
                r#"<flow-definition><definition class="org.jenkinsci.plugins.workflow.cps.CpsScmFlowDefinition"><scm class="hudson.plugins.git.GitSCM"><branches><hudson.plugins.git.BranchSpec><name>*/main</name></hudson.plugins.git.BranchSpec></branches></scm></definition></flow-definition>"#,
                "<name>**/main</name>",
                "<name>*/main",
            ),
            (
                "the old flag becomes a property",
                "<flow-definition><concurrentBuild>false</concurrentBuild></flow-definition>",
                "DisableConcurrentBuildsJobProperty",
                "concurrentBuild",
            ),
        ];
        for (name, posted, has, lacks) in rows {
            let written = round(posted);
            assert!(written.contains(has), "{name}: {written}");
            assert!(!written.contains(lacks), "{name}: {written}");
        }
    }

    #[test]
    fn triggers_move_into_their_property_and_the_second_save_changes_nothing() {
        let posted = "<flow-definition><triggers><hudson.triggers.SCMTrigger><spec>* * * * *</spec></hudson.triggers.SCMTrigger></triggers></flow-definition>";
        assert!(moves_triggers(posted));
        let once = round(posted);
        assert!(once.contains("PipelineTriggersJobProperty") && once.contains("<triggers/>"), "{once}");
        assert!(!moves_triggers(&once));
        assert_eq!(round(&once), once);
    }

    #[test]
    fn what_cannot_be_loaded_is_an_error() {
        for (name, source) in [("no XML", "<a"), ("an unknown root", "<com.example.Job/>"), ("nothing", "")] {
            assert!(load(source, &plugins()).is_err(), "{name}");
        }
        assert!(load("<flow-definition/>", &Plugins::new()).is_err(), "a root whose plugin is missing");
    }
}
