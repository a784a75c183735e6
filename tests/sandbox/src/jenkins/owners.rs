//! Which plugin a Java class comes from: by its own name, else by its package. It stands apart from `classes`, which
//! knows fields: a class that is known by its owner alone is kept as it was posted, and one that no installed plugin
//! owns is dropped, as RobustReflectionConverter drops it. Packages are those of the plugins' sources.

use super::classes::CLASSES;
use super::config::Plugins;
use super::xml::Element;

/// Packages, each with the short name of its plugin.
const PACKAGES: &[(&str, &str)] = &[
    ("com.cloudbees.hudson.plugins.folder.", "cloudbees-folder"),
    ("com.cloudbees.jenkins.GitHub", "github"),
    ("com.cloudbees.jenkins.plugins.awscredentials.", "aws-credentials"),
    ("com.cloudbees.jenkins.plugins.sshcredentials.", "ssh-credentials"),
    ("com.cloudbees.plugins.credentials.", "credentials"),
    ("com.coravy.hudson.plugins.github.", "github"),
    ("com.dabsquared.gitlabjenkins.", "gitlab-plugin"),
    ("com.sonyericsson.rebuild.", "rebuild"),
    ("de.taimos.pipeline.aws.", "pipeline-aws"),
    ("hudson.plugins.git.", "git"),
    ("hudson.plugins.throttleconcurrents.", "throttle-concurrents"),
    ("hudson.plugins.timestamper.", "timestamper"),
    ("hudson.tasks.junit.", "junit"),
    ("javaposse.jobdsl.plugin.", "job-dsl"),
    ("jenkins.plugins.git.", "git"),
    ("org.jenkinsci.plugins.github.", "github"),
    ("org.jenkinsci.plugins.matrixauth.", "matrix-auth"),
    ("org.jenkinsci.plugins.pipeline.modeldefinition.", "pipeline-model-definition"),
    ("org.jenkinsci.plugins.plaincredentials.", "plain-credentials"),
    ("org.jenkinsci.plugins.workflow.cps.", "workflow-cps"),
    ("org.jenkinsci.plugins.workflow.job.", "workflow-job"),
];

/// Classes that lie in a package of another owner; an empty owner is the core.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("com.cloudbees.hudson.plugins.folder.properties.AuthorizationMatrixProperty", "matrix-auth"),
    ("hudson.security.AuthorizationMatrixProperty", "matrix-auth"),
    ("hudson.tasks.Mailer", "mailer"),
];

/// Classes of the core that jobs, folders and views hold and that need no rule of their own.
const CORE: &[&str] = &[
    "hudson.model.AllView",
    "hudson.model.FileParameterDefinition",
    "hudson.model.ListView",
    "hudson.model.View_-PropertyList",
    "hudson.model.View$PropertyList",
    "hudson.tasks.BatchFile",
    "hudson.tasks.BuildTrigger",
    "hudson.tasks.Fingerprinter",
    "hudson.tasks.Maven",
    "hudson.views.BuildButtonColumn",
    "hudson.views.DefaultViewsTabBar",
    "hudson.views.JobColumn",
    "hudson.views.LastDurationColumn",
    "hudson.views.LastFailureColumn",
    "hudson.views.LastSuccessColumn",
    "hudson.views.StatusColumn",
    "hudson.views.WeatherColumn",
];
/// Packages whose classes are no parts of plugins: collections, above all.
const COLLECTIONS: &[&str] = &["java.", "hudson.util.", "com.google.common.collect."];

/// The plugin that brings a class, by its name in XML; empty: the core. None: nobody does.
pub(super) fn owner(class: &str) -> Option<&'static str> {
    let known = CLASSES.iter().find(|known| known.name == class).map(|known| known.plugin);
    let exception = || EXCEPTIONS.iter().find(|(name, _)| *name == class).map(|(_, plugin)| *plugin);
    let core = || CORE.contains(&class).then_some("");
    let package = || PACKAGES.iter().find(|(package, _)| class.starts_with(package)).map(|(_, plugin)| *plugin);
    known.or_else(exception).or_else(core).or_else(package)
}

/// Whether this Jenkins has the class.
pub(super) fn has_class(class: &str, plugins: &Plugins) -> bool {
    owner(class).is_some_and(|plugin| plugin.is_empty() || plugins.contains_key(plugin))
}

/// An element as it was posted, without notes of plugin versions and without parts whose classes nobody brings.
pub(super) fn keep(posted: &Element, plugins: &Plugins) -> Element {
    let mut kept = posted.clone();
    clean(&mut kept, plugins);
    kept
}

fn clean(element: &mut Element, plugins: &Plugins) {
    element.attributes.retain(|(name, _)| name != "plugin");
    element.children.retain(|child| {
        let class = child.attribute("class").unwrap_or(&child.name);
        let collection = COLLECTIONS.iter().any(|package| class.starts_with(package));
        !class.contains('.') || collection || has_class(class, plugins)
    });
    element.children.iter_mut().for_each(|child| clean(child, plugins));
}
