//! config.xml as Jenkins keeps it: what is posted becomes objects and is written back from them. Unknown elements are
//! gone, absent fields have their defaults, fields stand in class order, triggers have moved into their property,
//! plugin versions are noted. Nothing here knows about items, users or HTTP.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use sha2::{Digest, Sha256};

use super::classes::{
    CLASSES, Class, FOLDER_CREDENTIALS, FOLDER_VIEWS, ONE_AT_A_TIME, PIPELINE, PIPELINE_TRIGGERS, Shape,
};
use super::xml::{self, Element};
use super::{cron, owners};

/// Attribute under which a secret remembers how it was encrypted: no XML can hold one of that name.
const SEALED: &str = "*iv";

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

/// Whether a document has triggers or a flag that WorkflowJob.onLoad moves away, which saves the job.
pub fn is_saved_on_load(source: &str) -> bool {
    let moves = |root: &Element| {
        root.child("triggers").is_some_and(|list| !list.children.is_empty()) || root.child("concurrentBuild").is_some()
    };
    xml::parse(source).is_ok_and(|root| root.name == PIPELINE && moves(&root))
}

/// Puts digests in the place of secrets.
pub(super) fn hide(element: &mut Element) {
    if element.attributes.iter().any(|(name, _)| name == SEALED) {
        element.attributes.clear();
        element.text = super::sealed(&element.text);
    }
    element.children.iter_mut().for_each(hide);
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

/// An object as Jenkins makes it by itself, with its defaults.
pub(super) fn made_object(source: &str, plugins: &Plugins) -> Option<Element> {
    let posted = xml::parse(source).ok()?;
    class(&posted.name, plugins).map(|class| object(&posted, class, plugins))
}

fn field(name: &str, shape: Shape, posted: Option<&Element>, plugins: &Plugins) -> Option<Element> {
    let text = posted.map(|posted| posted.text.as_str());
    match shape {
        Shape::Text(default) => text.or(default).map(|text| Element::leaf(name, text)),
        Shape::Word(words) => text.filter(|text| words.contains(text)).map(|text| Element::leaf(name, text)),
        Shape::Sealed => text.map(|text| {
            let (text, iv) = open_seal(text).unwrap_or_else(|| (text.to_owned(), String::new()));
            Element { attributes: vec![(SEALED.into(), iv)], ..Element::leaf(name, &text) }
        }),
        Shape::List(always) => list(name, posted, plugins).filter(|_| always || posted.is_some()),
        Shape::Posted(_) if posted.is_none() => None,
        Shape::Object(default) | Shape::Posted(default) => {
            let named = posted.map_or(default, |posted| posted.attribute("class").unwrap_or(default));
            let empty = Element::new(name);
            let posted = posted.unwrap_or(&empty);
            let mut loaded = match class(named, plugins) {
                Some(known) => object(posted, known, plugins),
                None if owners::has_class(named, plugins) => owners::keep(posted, plugins),
                None => return None,
            };
            loaded.attributes.retain(|(attribute, _)| attribute != "class");
            loaded.attributes.insert(0, ("class".into(), named.into()));
            Some(loaded)
        }
        Shape::Opaque(always) => {
            let made = always.then(|| Element::new(name));
            posted.map(|posted| owners::keep(posted, plugins)).or(made)
        }
        Shape::Made(class) => Some(posted.map_or_else(|| made(name, class), |posted| owners::keep(posted, plugins))),
    }
}

/// The objects of a list that load. A trigger whose schedule does not parse is none of them (Trigger.readResolve); that
/// is so, too, where a trigger of the core has no schedule at all.
fn list(name: &str, posted: Option<&Element>, plugins: &Plugins) -> Option<Element> {
    let mut list = Element::new(name);
    for child in posted.iter().flat_map(|posted| &posted.children) {
        let core = owners::owner(&child.name) == Some("");
        let spec = child.child_text("spec").or((!core).then_some(""));
        if name == "triggers" && !spec.is_some_and(cron::is_valid) {
            continue;
        }
        if child.name == FOLDER_CREDENTIALS {
            list.children.push(child.clone());
        } else if let Some(class) = class(&child.name, plugins) {
            list.children.push(object(child, class, plugins));
        } else if owners::has_class(&child.name, plugins) {
            list.children.push(owners::keep(child, plugins));
        }
    }
    Some(list)
}

/// What AbstractFolder.init makes where the document has none.
fn made(name: &str, class: &str) -> Element {
    let with = |name: &str, attributes: &[(&str, &str)], children: Vec<Element>| Element {
        attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        children,
        ..Element::new(name)
    };
    if class != FOLDER_VIEWS {
        return with(name, &[("class", class)], Vec::new());
    }
    let owner = [("class", super::classes::FOLDER), ("reference", "../../../..")];
    let view = vec![
        with("owner", &owner, Vec::new()),
        Element::leaf("name", "All"),
        Element::leaf("filterExecutors", "false"),
        Element::leaf("filterQueue", "false"),
        with("properties", &[("class", "hudson.model.View$PropertyList")], Vec::new()),
    ];
    let views = with("views", &[], vec![with("hudson.model.AllView", &[], view)]);
    let bar = with("tabBar", &[("class", "hudson.views.DefaultViewsTabBar")], Vec::new());
    with(name, &[("class", class)], vec![views, bar])
}

/// GitSCM before configVersion 1 took `*` for any path: each load doubles it (GitSCM.readResolve), and the version stays.
fn finish_git(scm: &mut Element) {
    let old = scm.child_text("configVersion").and_then(|version| version.parse::<i32>().ok()).unwrap_or(0) < 1;
    if let Some(branches) = scm.child_mut("branches").filter(|_| old) {
        for name in branches.children.iter_mut().filter_map(|branch| branch.child_mut("name")) {
            name.text = name.text.replace('*', "**");
        }
    }
}

fn property_list(root: &mut Element) -> &mut Vec<Element> {
    let at = root.children.iter().position(|child| child.name == "properties").unwrap_or_else(|| {
        root.children.push(Element::new("properties"));
        root.children.len() - 1
    });
    &mut root.children[at].children
}

/// WorkflowJob.onLoad: triggers at the root take the place of those of PipelineTriggersJobProperty, at the end of the
/// properties. Nothing is left at the root.
fn move_triggers(root: &mut Element) {
    let Some(moved) = root.child("triggers").filter(|list| !list.children.is_empty()).cloned() else { return };
    root.children.retain(|child| child.name != "triggers");
    let properties = property_list(root);
    properties.retain(|property| property.name != PIPELINE_TRIGGERS);
    properties.push(Element { children: vec![moved], ..Element::new(PIPELINE_TRIGGERS) });
}

/// Marks an item as saved in place: Actionable.getActions has made its list of actions by then.
pub(super) fn ensure_actions(root: &mut Element) {
    if root.child("actions").is_none() {
        root.children.insert(0, Element::new("actions"));
    }
}

/// Gives each secret that was posted in the clear its own random start (Secret.getEncryptedValue), so that the same
/// secret is written in another form after each post.
pub(super) fn stamp(element: &mut Element, salt: &mut dyn FnMut() -> u64) {
    let text = element.text.clone();
    if let Some((_, iv)) = element.attributes.iter_mut().find(|(name, iv)| name == SEALED && iv.is_empty()) {
        *iv = start(&format!("{}/{text}", salt()));
    }
    element.children.iter_mut().for_each(|child| stamp(child, salt));
}

/// Sixteen bytes in hex.
fn start(seed: &str) -> String {
    hex::encode(&Sha256::digest(seed)[..16])
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
    seal_all(&mut written, style);
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
    let name = element.attribute("class").unwrap_or(&element.name);
    let plugin = if name == FOLDER_CREDENTIALS { "cloudbees-folder" } else { owners::owner(name).unwrap_or(around) };
    if let Some(version) = plugins.get(plugin).filter(|_| plugin != around) {
        element.attributes.push(("plugin".into(), format!("{plugin}@{version}")));
    }
    for child in &mut element.children {
        note_plugins(child, if plugin.is_empty() { around } else { plugin }, plugins);
    }
}

/// Encrypts what is secret, and takes the marks away.
fn seal_all(element: &mut Element, style: Style) {
    let marked = element.attributes.iter().position(|(name, _)| name == SEALED);
    if let Some((_, iv)) = marked.map(|at| element.attributes.remove(at))
        && (style.seal_tokens || element.name != "authToken")
    {
        element.text = sealed(&element.text, &if iv.is_empty() { start(&element.text) } else { iv });
    }
    element.children.iter_mut().for_each(|child| seal_all(child, style));
}

/// A secret as it is written: opaque to people, readable for this Jenkins. The form is that of hudson.util.Secret: a
/// version, two lengths, the start, and whole blocks of sixteen bytes.
fn sealed(text: &str, iv: &str) -> String {
    let fill = 16 - text.len() % 16;
    let plain = text.bytes().chain(std::iter::repeat_n(fill as u8, fill));
    let mask = Sha256::digest(iv);
    let hidden: Vec<u8> = plain.zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    let mut payload = vec![1, 0, 0, 0, 16];
    payload.extend(u32::try_from(hidden.len()).unwrap_or_default().to_be_bytes());
    payload.extend(hex::decode(iv).unwrap_or_default());
    payload.extend(hidden);
    format!("{{{}}}", STANDARD.encode(payload))
}

/// A written secret and its start, if it is one of this Jenkins.
fn open_seal(text: &str) -> Option<(String, String)> {
    let payload = STANDARD.decode(text.strip_prefix('{')?.strip_suffix('}')?).ok()?;
    let (head, rest) = payload.split_at_checked(9)?;
    let (iv, hidden) = rest.split_at_checked(16)?;
    let length = u32::from_be_bytes(head[5..].try_into().ok()?) as usize;
    if head[..5] != [1, 0, 0, 0, 16] || length != hidden.len() {
        return None;
    }
    let iv = hex::encode(iv);
    let mask = Sha256::digest(&iv);
    let mut plain: Vec<u8> = hidden.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    let fill = usize::from(*plain.last()?);
    plain.truncate(plain.len().checked_sub(fill)?);
    Some((String::from_utf8(plain).ok()?, iv))
}

/// A secret of a credential store as it is written.
pub fn seal(text: &str) -> String {
    sealed(text, &start(text))
}

/// The secret behind a written one; text that was not sealed is taken as it is.
pub fn unseal(text: &str) -> String {
    open_seal(text).map_or_else(|| text.to_owned(), |(text, _)| text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    const STYLE: Style = Style { double_quotes: true, seal_tokens: true };

    fn plugins() -> Plugins {
        ["workflow-job", "workflow-cps", "git", "credentials", "cloudbees-folder", "github", "gitlab-plugin"]
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
                "<disabled>false</disabled>",
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
                "a Git configuration without a version is of version 0",
                r#"<project><scm class="hudson.plugins.git.GitSCM"/></project>"#,
                "<configVersion>0</configVersion>",
                "<configVersion>2",
            ),
            (
                "lists of Git that are absent stay absent, extensions are there",
                r#"<project><scm class="hudson.plugins.git.GitSCM"><configVersion>2</configVersion></scm></project>"#,
                "<extensions/>",
                "submoduleCfg",
            ),
            (
                "a remote is not trimmed",
                r#"<project><scm class="hudson.plugins.git.GitSCM"><configVersion>2</configVersion><userRemoteConfigs><hudson.plugins.git.UserRemoteConfig><url> u </url></hudson.plugins.git.UserRemoteConfig></userRemoteConfigs></scm></project>"#,
                "<url> u </url>",
                "<branches",
            ),
            (
                "a branch without a name stays so",
                r#"<project><scm class="hudson.plugins.git.GitSCM"><configVersion>2</configVersion><branches><hudson.plugins.git.BranchSpec/></branches></scm></project>"#,
                "<hudson.plugins.git.BranchSpec/>",
                "<name>",
            ),
            (
                "absent days are 0, not unlimited",
                r#"<flow-definition><properties><jenkins.model.BuildDiscarderProperty><strategy class="hudson.tasks.LogRotator"><numToKeep>5</numToKeep></strategy></jenkins.model.BuildDiscarderProperty></properties></flow-definition>"#,
                "<daysToKeep>0</daysToKeep>",
                "artifactDaysToKeep",
            ),
            ("a job gets no lists that it was not sent", "<flow-definition/>", "<properties/>", "<triggers"),
            ("nor a list of actions", "<flow-definition/>", "<properties/>", "<actions"),
            (
                "but keeps those that it was sent",
                "<flow-definition><actions/><triggers/></flow-definition>",
                "<actions/>",
                "@@",
            ),
            (
                "an empty text is a pair of tags",
                "<flow-definition><description/></flow-definition>",
                "<description></description>",
                "<description/>",
            ),
            (
                "an unknown word for durability is dropped",
                "<flow-definition><properties><org.jenkinsci.plugins.workflow.job.properties.DurabilityHintJobProperty><hint>SURVIVABLE</hint></org.jenkinsci.plugins.workflow.job.properties.DurabilityHintJobProperty></properties></flow-definition>",
                "DurabilityHintJobProperty",
                "<hint>",
            ),
            (
                "a folder gets its view",
                "<com.cloudbees.hudson.plugins.folder.Folder/>",
                "<hudson.model.AllView>",
                "<actions",
            ),
            (
                "the view belongs to the folder",
                "<com.cloudbees.hudson.plugins.folder.Folder/>",
                r#"<owner class="com.cloudbees.hudson.plugins.folder.Folder" reference="../../../.."/>"#,
                "@@",
            ),
            (
                "a schedule that does not parse takes its trigger along",
                "<flow-definition><properties><org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty><triggers><hudson.triggers.SCMTrigger><spec>61 * * * *</spec></hudson.triggers.SCMTrigger></triggers></org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty></properties></flow-definition>",
                "<triggers/>",
                "SCMTrigger",
            ),
            (
                "triggers at the root replace those of the property",
                "<flow-definition><properties><org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty><triggers><hudson.triggers.SCMTrigger><spec>@daily</spec></hudson.triggers.SCMTrigger></triggers></org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty></properties><triggers><hudson.triggers.TimerTrigger><spec>@hourly</spec></hudson.triggers.TimerTrigger></triggers></flow-definition>",
                "<spec>@hourly</spec>",
                "@daily",
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
        assert!(is_saved_on_load(posted));
        let once = round(posted);
        assert!(once.contains("PipelineTriggersJobProperty") && !once.contains("<triggers/>"), "{once}");
        assert!(!is_saved_on_load(&once));
        assert_eq!(round(&once), once);
    }

    /// Each is sent in a job, with the version of its plugin noted, and must be there afterwards word for word.
    #[test]
    fn what_an_installed_plugin_or_the_core_brings_is_kept() {
        let property = |inner: &str| format!("<flow-definition><properties>{inner}</properties></flow-definition>");
        let parameter = |inner: &str| {
            property(&format!(
                "<hudson.model.ParametersDefinitionProperty><parameterDefinitions>{inner}</parameterDefinitions></hudson.model.ParametersDefinitionProperty>"
            ))
        };
        let triggers =
            |inner: &str| property(&format!("<{PIPELINE_TRIGGERS}><triggers>{inner}</triggers></{PIPELINE_TRIGGERS}>"));
        let git = |inner: &str| {
            format!(
                "<project><scm class=\"hudson.plugins.git.GitSCM\"><configVersion>2</configVersion>{inner}</scm></project>"
            )
        };
        let rows: &[(&str, String, &str)] = &[
            ("a choice", parameter("<hudson.model.ChoiceParameterDefinition><name>C</name><choices class=\"java.util.Arrays$ArrayList\"><a class=\"string-array\"><string>one</string></a></choices></hudson.model.ChoiceParameterDefinition>"), "<string>one</string>"),
            ("a run", parameter("<hudson.model.RunParameterDefinition><name>R</name><projectName>p</projectName><filter>STABLE</filter></hudson.model.RunParameterDefinition>"), "<filter>STABLE</filter>"),
            ("a password", parameter("<hudson.model.PasswordParameterDefinition><name>P</name><defaultValue>s3cret</defaultValue></hudson.model.PasswordParameterDefinition>"), "<defaultValue>{AQAA"),
            ("no resume", property("<org.jenkinsci.plugins.workflow.job.properties.DisableResumeJobProperty/>"), "DisableResumeJobProperty"),
            ("upstream jobs", triggers("<jenkins.triggers.ReverseBuildTrigger><spec></spec><upstreamProjects>a, b</upstreamProjects><threshold><name>SUCCESS</name></threshold></jenkins.triggers.ReverseBuildTrigger>"), "<upstreamProjects>a, b</upstreamProjects>"),
            ("pushes to GitHub", triggers("<com.cloudbees.jenkins.GitHubPushTrigger plugin=\"github@1.0\"><spec></spec></com.cloudbees.jenkins.GitHubPushTrigger>"), "<com.cloudbees.jenkins.GitHubPushTrigger plugin=\"github@1.v2\">"),
            ("pushes to GitLab", triggers("<com.dabsquared.gitlabjenkins.GitLabPushTrigger><spec></spec><triggerOnPush>true</triggerOnPush></com.dabsquared.gitlabjenkins.GitLabPushTrigger>"), "<triggerOnPush>true</triggerOnPush>"),
            ("the tool of Git", git("<gitTool>jgit</gitTool>"), "<gitTool>jgit</gitTool>"),
            ("the browser of Git", git("<browser class=\"hudson.plugins.git.browser.GithubWeb\"><url>https://h/</url></browser>"), "<browser class=\"hudson.plugins.git.browser.GithubWeb\">"),
            ("extensions of Git", git("<extensions><hudson.plugins.git.extensions.impl.CloneOption><depth>3</depth></hudson.plugins.git.extensions.impl.CloneOption></extensions>"), "<depth>3</depth>"),
            ("a node", "<project><assignedNode>linux</assignedNode></project>".into(), "<assignedNode>linux</assignedNode>"),
            ("an old discarder", "<flow-definition><logRotator><daysToKeep>3</daysToKeep></logRotator></flow-definition>".into(), "<logRotator class=\"hudson.tasks.LogRotator\">"),
            ("artifacts", "<project><publishers><hudson.tasks.ArtifactArchiver><artifacts>*.jar</artifacts></hudson.tasks.ArtifactArchiver></publishers></project>".into(), "<artifacts>*.jar</artifacts>"),
            ("a quiet period", "<flow-definition><quietPeriod>7</quietPeriod></flow-definition>".into(), "<quietPeriod>7</quietPeriod>"),
        ];
        for (name, posted, has) in rows {
            let written = round(posted);
            assert!(written.contains(has), "{name}: {written}");
            assert!(!written.contains("s3cret"), "{name}: {written}");
            assert_eq!(round(&written), written, "{name}: the second save changes nothing");
        }
    }

    #[test]
    fn what_no_installed_plugin_brings_is_dropped() {
        let mut fewer = plugins();
        fewer.retain(|name, _| !["git", "github"].contains(&name.as_str()));
        let rows = [
            (
                "the SCM of a missing plugin",
                r#"<flow-definition><definition class="org.jenkinsci.plugins.workflow.cps.CpsScmFlowDefinition"><scm class="hudson.plugins.git.GitSCM"><gitTool>t</gitTool></scm></definition></flow-definition>"#,
                "<scm",
            ),
            (
                "the trigger of one",
                "<project><triggers><com.cloudbees.jenkins.GitHubPushTrigger><spec/></com.cloudbees.jenkins.GitHubPushTrigger></triggers></project>",
                "GitHubPush",
            ),
            ("a class of nobody's", "<project><builders><com.example.Builder/></builders></project>", "com.example"),
            (
                "one in what is kept",
                "<project><publishers><com.dabsquared.gitlabjenkins.GitLab><com.example.Part/></com.dabsquared.gitlabjenkins.GitLab></publishers></project>",
                "com.example",
            ),
            (
                "a class that the core does not have",
                "<project><builders><hudson.tasks.Nothing/></builders></project>",
                "Nothing",
            ),
        ];
        for (name, posted, lacks) in rows {
            let written = save(&load(posted, &fewer).unwrap(), &fewer, STYLE);
            assert!(!written.contains(lacks), "{name}: {written}");
        }
    }

    #[test]
    fn a_star_doubles_again_with_each_load_of_an_old_git_configuration() {
        let posted = r#"<project><scm class="hudson.plugins.git.GitSCM"><branches><hudson.plugins.git.BranchSpec><name>**/main</name></hudson.plugins.git.BranchSpec></branches></scm></project>"#;
        assert!(round(posted).contains("<name>****/main</name>"));
        assert!(round(&round(posted)).contains("<name>********/main</name>"));
    }

    #[test]
    fn the_same_token_is_written_in_another_form_after_each_post_and_a_written_one_stays() {
        let mut salt = 0;
        let mut post = |source: &str| {
            let mut loaded = load(source, &plugins()).unwrap();
            stamp(&mut loaded, &mut || {
                salt += 1;
                salt
            });
            save(&loaded, &plugins(), STYLE)
        };
        let plain = "<flow-definition><authToken>token</authToken></flow-definition>";
        let (first, second) = (post(plain), post(plain));
        assert_ne!(first, second);
        assert_eq!(post(&first), first, "what is sent back as it was read stays");
        assert_eq!(load(&second, &plugins()).unwrap().child_text("authToken"), Some("token"));
    }

    #[test]
    fn what_cannot_be_loaded_is_an_error() {
        for (name, source) in [("no XML", "<a"), ("an unknown root", "<com.example.Job/>"), ("nothing", "")] {
            assert!(load(source, &plugins()).is_err(), "{name}");
        }
        assert!(load("<flow-definition/>", &Plugins::new()).is_err(), "a root whose plugin is missing");
    }
}
