//! What a build writes into its own job: what the Jenkinsfile declares about it. A declarative one goes by
//! `Utils.updateJobProperties` of pipeline-model-definition, one with the step `properties` by `JobPropertyStep` of
//! workflow-multibranch. Nothing else of a Jenkinsfile is known here, and none is read from a repository.

use super::classes::{PARAMETERS, PIPELINE_TRIGGERS};
use super::xml::Element;
use super::{Item, config};

const RAN_DECLARATIVE: &str = "org.jenkinsci.plugins.pipeline.modeldefinition.actions.DeclarativeJobAction";
const DECLARATIVE: &str = "org.jenkinsci.plugins.pipeline.modeldefinition.actions.DeclarativeJobPropertyTrackerAction";
const STEP: &str = "org.jenkinsci.plugins.workflow.multibranch.JobPropertyTrackerAction";

/// What a Jenkinsfile declares about its job, each as the XML that it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jenkinsfile {
    /// The directives `options`, `triggers` and `parameters`.
    Declarative {
        /// Job properties among the options.
        options: Vec<String>,
        /// Triggers.
        triggers: Vec<String>,
        /// Definitions of parameters.
        parameters: Vec<String>,
    },
    /// The step `properties` with these.
    Properties(Vec<String>),
}

/// Lets a build of the job bring the job to what its Jenkinsfile declares, and note that.
pub(super) fn declare(item: &mut Item, file: &Jenkinsfile, plugins: &config::Plugins) {
    let parsed = |all: &[String]| all.iter().filter_map(|one| config::made_object(one, plugins)).collect::<Vec<_>>();
    config::ensure_actions(&mut item.config);
    match file {
        Jenkinsfile::Properties(properties) => of_step(item, parsed(properties)),
        Jenkinsfile::Declarative { options, triggers, parameters } => {
            declarative(item, parsed(options), parsed(triggers), parsed(parameters));
        }
    }
    item.saved();
}

fn list<'a>(item: &'a mut Item, name: &str) -> &'a mut Vec<Element> {
    let at = item.config.children.iter().position(|child| child.name == name).unwrap_or_else(|| {
        item.config.children.push(Element::new(name));
        item.config.children.len() - 1
    });
    &mut item.config.children[at].children
}

fn names(of: &[Element], name: impl Fn(&Element) -> String) -> Vec<Element> {
    of.iter().map(|one| Element::leaf("string", &name(one))).collect()
}

fn holder(name: &str, children: Vec<Element>) -> Element {
    Element { children, ..Element::new(name) }
}

/// The strings of a list in an action of the job.
fn noted(item: &mut Item, action: &str, of: &str) -> Vec<String> {
    let action = list(item, "actions").iter().find(|one| one.name == action);
    let strings = action.and_then(|action| action.child(of)).map(|list| list.children.clone()).unwrap_or_default();
    strings.into_iter().map(|string| string.text).collect()
}

fn note(item: &mut Item, action: Element) {
    let actions = list(item, "actions");
    actions.retain(|one| one.name != action.name);
    actions.push(action);
}

/// What was there before and is neither replaced nor a leftover of the last build, and then what is new.
fn merged(there: Vec<Element>, new: &[Element], before: &[String], id: impl Fn(&Element) -> String) -> Vec<Element> {
    let kept = |one: &Element| !before.contains(&id(one)) && !new.iter().any(|other| id(other) == id(one));
    let mut all: Vec<Element> = there.into_iter().filter(kept).collect();
    all.extend(new.iter().cloned());
    all
}

fn declarative(item: &mut Item, options: Vec<Element>, triggers: Vec<Element>, parameters: Vec<Element>) {
    let class = |one: &Element| one.name.clone();
    let named = |one: &Element| one.child_text("name").unwrap_or_default().to_owned();
    let before = ["jobProperties", "triggers", "parameters"].map(|of| noted(item, DECLARATIVE, of));
    let inner = |item: &Item, property: &str, of: &str| {
        let found = item.property(property).and_then(|property| property.child(of));
        found.map(|list| list.children.clone()).unwrap_or_default()
    };
    let all_triggers = merged(inner(item, PIPELINE_TRIGGERS, "triggers"), &triggers, &before[1], class);
    let all_parameters = merged(inner(item, PARAMETERS, "parameterDefinitions"), &parameters, &before[2], named);
    let properties = list(item, "properties");
    let apart = |one: &Element| one.name == PIPELINE_TRIGGERS || one.name == PARAMETERS;
    let others = std::mem::take(properties).into_iter().filter(|one| !apart(one)).collect();
    *properties = merged(others, &options, &before[0], class);
    let lists = [(PIPELINE_TRIGGERS, "triggers", all_triggers), (PARAMETERS, "parameterDefinitions", all_parameters)];
    for (property, of, children) in lists.into_iter().filter(|(_, _, children)| !children.is_empty()) {
        properties.push(holder(property, vec![holder(of, children)]));
    }
    note(item, Element::new(RAN_DECLARATIVE));
    let lists = vec![
        holder("jobProperties", names(&options, class)),
        holder("triggers", names(&triggers, class)),
        holder("parameters", names(&parameters, named)),
        Element::new("options"),
    ];
    note(item, holder(DECLARATIVE, lists));
}

/// The step removes what it declared in an earlier build, and adds: so that a property of the job's own stays beside it
/// in the first build, and is gone from the second on.
fn of_step(item: &mut Item, new: Vec<Element>) {
    let before = noted(item, STEP, "jobPropertyDescriptors");
    let properties = list(item, "properties");
    properties.retain(|one| !before.contains(&one.name));
    properties.extend(new.iter().cloned());
    let classes = names(&new, |one| one.name.clone());
    note(item, holder(STEP, vec![holder("jobPropertyDescriptors", classes)]));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::tests::{send, world};
    use super::*;

    const JOB: &str = "<flow-definition><properties><hudson.model.ParametersDefinitionProperty><parameterDefinitions><hudson.model.StringParameterDefinition><name>OURS</name></hudson.model.StringParameterDefinition></parameterDefinitions></hudson.model.ParametersDefinitionProperty><org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty><triggers><hudson.triggers.SCMTrigger><spec>* * * * *</spec></hudson.triggers.SCMTrigger></triggers></org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty></properties></flow-definition>";

    fn parameter(name: &str) -> String {
        format!("<hudson.model.StringParameterDefinition><name>{name}</name></hudson.model.StringParameterDefinition>")
    }

    fn all(name: &str) -> String {
        let inner = parameter(name);
        format!("<{PARAMETERS}><parameterDefinitions>{inner}</parameterDefinitions></{PARAMETERS}>")
    }

    fn polling(spec: &str) -> String {
        format!("<hudson.triggers.SCMTrigger><spec>{spec}</spec></hudson.triggers.SCMTrigger>")
    }

    fn directives(triggers: &[&str], parameters: &[&str]) -> Jenkinsfile {
        let triggers = triggers.iter().map(|spec| polling(spec)).collect();
        let parameters = parameters.iter().map(|name| parameter(name)).collect();
        Jenkinsfile::Declarative { options: Vec::new(), triggers, parameters }
    }

    #[test]
    fn a_build_writes_into_the_job_what_its_jenkinsfile_declares() {
        let step = |name: &str| Jenkinsfile::Properties(vec![all(name)]);
        // The Jenkinsfiles of builds one after the other; how often each word then stands in the job.
        type Words = [(&'static str, usize); 4];
        let rows: &[(&str, Vec<Jenkinsfile>, Words)] = &[
            (
                "no directive",
                vec![directives(&[], &[])],
                [("<name>OURS", 1), ("<name>MORE", 0), ("* * * * *", 1), ("H/15", 0)],
            ),
            (
                "directives add, and replace what they name",
                vec![directives(&["H/15 * * * *"], &["MORE"])],
                [("<name>OURS", 1), ("<name>MORE", 1), ("* * * * *", 0), ("H/15", 1)],
            ),
            (
                "what is no longer declared goes, ours included",
                vec![directives(&["H/15 * * * *"], &["MORE"]), directives(&[], &[])],
                [("<name>OURS", 1), ("<name>MORE", 0), ("* * * * *", 0), ("H/15", 0)],
            ),
            (
                "the step stands beside ours at first",
                vec![step("MORE")],
                [("<name>OURS", 1), ("<name>MORE", 1), ("* * * * *", 1), ("H/15", 0)],
            ),
            (
                "and alone from the second build on",
                vec![step("MORE"), step("MORE")],
                [("<name>OURS", 0), ("<name>MORE", 1), ("* * * * *", 1), ("H/15", 0)],
            ),
        ];
        for (name, files, words) in rows {
            let mut world = world();
            send(&mut world, "POST /createItem?name=j", JOB);
            for file in files {
                let plugins = world.jenkins.plugins.clone();
                declare(world.jenkins.item_mut("j").unwrap(), file, &plugins);
            }
            let (_, config) = send(&mut world, "GET /job/j/config.xml", "");
            for (word, times) in words {
                let word = if *word == "H/15" { "<spec>H/15" } else { word };
                assert_eq!(config.matches(word).count(), *times, "{name}: {word} in {config}");
            }
            let (status, _) = send(&mut world, "POST /job/j/config.xml", &config);
            let (_, again) = send(&mut world, "GET /job/j/config.xml", "");
            assert_eq!((status, again), (200, config), "{name}: it can be posted back");
        }
    }
}
