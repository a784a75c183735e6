//! `buildspec.yml`, version 0.2, as data: environment, shell and the commands of each phase. It runs nothing. What of the
//! format is not known here is refused with a sentence, as CodeBuild refuses what it does not know.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The phases in the order in which they run, as the file and as CodeBuild call them.
pub(crate) const PHASES: [(&str, &str); 4] =
    [("install", "INSTALL"), ("pre_build", "PRE_BUILD"), ("build", "BUILD"), ("post_build", "POST_BUILD")];

/// What a build does.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Buildspec {
    /// `sh`, or `bash` where the file says so.
    pub(crate) shell: String,
    pub(crate) variables: BTreeMap<String, String>,
    phases: BTreeMap<String, Phase>,
}

/// One phase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Phase {
    pub(crate) commands: Vec<String>,
    /// Run after the commands, whether these fail or not.
    pub(crate) finally: Vec<String>,
    on_failure: Option<OnFailure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum OnFailure {
    Abort,
    Continue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: serde_yaml::Value,
    #[serde(default)]
    env: Environment,
    phases: BTreeMap<String, Phase>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Environment {
    shell: Option<String>,
    variables: BTreeMap<String, serde_yaml::Value>,
}

impl Buildspec {
    /// Reads the file's text.
    ///
    /// # Errors
    /// What is wrong with it, or not known here.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let file: File =
            serde_yaml::from_str(text).map_err(|error| format!("the buildspec cannot be read: {error}"))?;
        let version = plain(&file.version).unwrap_or_default();
        if version != "0.2" {
            return Err(format!("the sandbox knows version 0.2 of the buildspec, not {version}"));
        }
        let shell = file.env.shell.unwrap_or_else(|| "sh".to_owned());
        if !["sh", "bash"].contains(&shell.as_str()) {
            return Err(format!("the shell of a build is sh or bash, not {shell}"));
        }
        let unknown = file.phases.keys().find(|name| !PHASES.iter().any(|(known, _)| known == name));
        if let Some(name) = unknown {
            return Err(format!("there is no phase {name}: install, pre_build, build and post_build are"));
        }
        let mut variables = BTreeMap::new();
        for (name, value) in file.env.variables {
            let value = plain(&value).ok_or_else(|| format!("the variable {name} must be a text"))?;
            variables.insert(name, value);
        }
        Ok(Self { shell, variables, phases: file.phases })
    }

    /// A phase by its name in the file; one that is not there has no commands.
    pub(crate) fn phase(&self, name: &str) -> Phase {
        self.phases.get(name).cloned().unwrap_or_default()
    }
}

impl Phase {
    /// Whether the build goes on to the next phase when this one has failed. Where the file says nothing, only
    /// post_build follows a failure, that of build (User Guide, "Build phase transitions").
    pub(crate) fn goes_on(&self, name: &str) -> bool {
        match self.on_failure {
            Some(OnFailure::Continue) => true,
            Some(OnFailure::Abort) => false,
            None => name == "build",
        }
    }
}

fn plain(value: &serde_yaml::Value) -> Option<String> {
    match value {
        serde_yaml::Value::String(text) => Some(text.clone()),
        serde_yaml::Value::Number(number) => Some(number.to_string()),
        serde_yaml::Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn phases_commands_and_environment_are_read() {
        let text = "version: 0.2\nenv:\n  shell: bash\n  variables: {STAGE: test, COUNT: 3}\nphases:\n  \
            build:\n    on-failure: ABORT\n    commands: [make, make check]\n    finally: [rm -rf out]\n";
        let buildspec = Buildspec::parse(text).unwrap();
        assert_eq!(buildspec.shell, "bash");
        assert_eq!(buildspec.variables["COUNT"], "3");
        let build = buildspec.phase("build");
        assert_eq!((build.commands.len(), build.finally.len(), build.goes_on("build")), (2, 1, false));
        assert!(Phase::default().goes_on("build") && !Phase::default().goes_on("install"));
        assert!(buildspec.phase("install").commands.is_empty());
    }

    #[test]
    fn what_is_not_known_is_refused_with_a_sentence() {
        let cases = [
            ("another version", "version: 0.1\nphases: {}", "version 0.2"),
            ("no phases", "version: 0.2", "phases"),
            ("an unknown phase", "version: 0.2\nphases: {deploy: {commands: [x]}}", "there is no phase deploy"),
            ("an unknown member", "version: 0.2\nphases: {build: {run-as: root}}", "run-as"),
            ("secrets", "version: 0.2\nenv: {secrets-manager: {A: b}}\nphases: {}", "secrets-manager"),
            ("another shell", "version: 0.2\nenv: {shell: zsh}\nphases: {}", "sh or bash, not zsh"),
            ("no YAML", "phases: [", "cannot be read"),
        ];
        for (name, text, words) in cases {
            let error = Buildspec::parse(text).unwrap_err();
            assert!(error.contains(words), "{name}: {error}");
        }
    }
}
