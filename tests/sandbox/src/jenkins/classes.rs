//! The Java classes that this Jenkins knows, as tables: which plugin brings them, their fields in the order in which
//! XStream writes them, and what an absent field becomes. A class that stands in no table, or whose plugin is not
//! installed, is unknown, and what is unknown is dropped on load as RobustReflectionConverter does.

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Text; written as the default if it is absent, left out if there is none.
    Text(Option<&'static str>),
    /// Text that is trimmed, and left out when empty.
    Name,
    /// Text that is encrypted when it is written.
    Sealed,
    /// Any number of objects, each under its class name; written even when empty if true.
    List(bool),
    /// One object whose class stands in the attribute `class`, or this one.
    Object(&'static str),
    /// Taken as it is; written as `empty` if absent and that is given.
    Opaque(Option<&'static str>),
}

/// A class.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) name: &'static str,
    /// Empty: core.
    pub(super) plugin: &'static str,
    pub(super) fields: &'static [(&'static str, Shape)],
}

use Shape::{List, Name, Object, Opaque, Sealed, Text};

pub(super) const FOLDER: &str = "com.cloudbees.hudson.plugins.folder.Folder";
pub(super) const PIPELINE: &str = "flow-definition";
pub(super) const FREESTYLE: &str = "project";
pub(super) const PARAMETERS: &str = "hudson.model.ParametersDefinitionProperty";
pub(super) const ONE_AT_A_TIME: &str =
    "org.jenkinsci.plugins.workflow.job.properties.DisableConcurrentBuildsJobProperty";
pub(super) const PIPELINE_TRIGGERS: &str = "org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty";
pub(super) const FOLDER_CREDENTIALS: &str =
    "com.cloudbees.hudson.plugins.folder.properties.FolderCredentialsProvider_-FolderCredentialsProperty";

const FALSE: Shape = Text(Some("false"));
const PLAIN: Shape = Text(None);

/// Every class, items first.
pub(super) const CLASSES: &[Class] = &[
    Class {
        name: FOLDER,
        plugin: "cloudbees-folder",
        fields: &[
            ("actions", Opaque(Some(""))),
            ("description", PLAIN),
            ("displayName", PLAIN),
            ("properties", List(true)),
            ("folderViews", Opaque(Some("com.cloudbees.hudson.plugins.folder.views.DefaultFolderViewHolder"))),
            ("healthMetrics", Opaque(Some(""))),
            ("icon", Opaque(Some("com.cloudbees.hudson.plugins.folder.icons.StockFolderIcon"))),
        ],
    },
    Class {
        name: PIPELINE,
        plugin: "workflow-job",
        fields: &[
            ("actions", List(true)),
            ("description", PLAIN),
            ("displayName", PLAIN),
            ("keepDependencies", FALSE),
            ("properties", List(true)),
            ("definition", Object("")),
            ("triggers", List(true)),
            ("quietPeriod", PLAIN),
            ("authToken", Sealed),
            ("disabled", FALSE),
        ],
    },
    Class {
        name: FREESTYLE,
        plugin: "",
        fields: &[
            ("actions", List(true)),
            ("description", PLAIN),
            ("displayName", PLAIN),
            ("keepDependencies", FALSE),
            ("properties", List(true)),
            ("scm", Object("hudson.scm.NullSCM")),
            ("quietPeriod", PLAIN),
            ("canRoam", Text(Some("true"))),
            ("disabled", FALSE),
            ("blockBuildWhenDownstreamBuilding", FALSE),
            ("blockBuildWhenUpstreamBuilding", FALSE),
            ("authToken", Sealed),
            ("triggers", List(true)),
            ("concurrentBuild", FALSE),
            ("builders", List(true)),
            ("publishers", List(true)),
            ("buildWrappers", List(true)),
        ],
    },
    Class { name: ONE_AT_A_TIME, plugin: "workflow-job", fields: &[("abortPrevious", FALSE)] },
    Class {
        name: "org.jenkinsci.plugins.workflow.job.properties.DurabilityHintJobProperty",
        plugin: "workflow-job",
        fields: &[("hint", PLAIN)],
    },
    Class { name: PIPELINE_TRIGGERS, plugin: "workflow-job", fields: &[("triggers", List(true))] },
    Class { name: PARAMETERS, plugin: "", fields: &[("parameterDefinitions", List(true))] },
    Class { name: "jenkins.model.BuildDiscarderProperty", plugin: "", fields: &[("strategy", Object(""))] },
    Class {
        name: "hudson.tasks.LogRotator",
        plugin: "",
        fields: &[
            ("daysToKeep", Text(Some("-1"))),
            ("numToKeep", Text(Some("-1"))),
            ("artifactDaysToKeep", Text(Some("-1"))),
            ("artifactNumToKeep", Text(Some("-1"))),
            ("removeLastBuild", FALSE),
        ],
    },
    Class {
        name: "hudson.model.StringParameterDefinition",
        plugin: "",
        fields: &[("name", PLAIN), ("description", PLAIN), ("defaultValue", PLAIN), ("trim", FALSE)],
    },
    Class {
        name: "hudson.model.TextParameterDefinition",
        plugin: "",
        fields: &[("name", PLAIN), ("description", PLAIN), ("defaultValue", PLAIN), ("trim", FALSE)],
    },
    Class {
        name: "hudson.model.BooleanParameterDefinition",
        plugin: "",
        fields: &[("name", PLAIN), ("description", PLAIN), ("defaultValue", FALSE)],
    },
    Class {
        name: "com.cloudbees.plugins.credentials.CredentialsParameterDefinition",
        plugin: "credentials",
        fields: &[
            ("name", PLAIN),
            ("description", PLAIN),
            ("defaultValue", PLAIN),
            ("credentialType", PLAIN),
            ("required", FALSE),
        ],
    },
    Class {
        name: "hudson.triggers.SCMTrigger",
        plugin: "",
        fields: &[("spec", Text(Some(""))), ("ignorePostCommitHooks", FALSE)],
    },
    Class { name: "hudson.triggers.TimerTrigger", plugin: "", fields: &[("spec", Text(Some("")))] },
    Class {
        name: "org.jenkinsci.plugins.workflow.cps.CpsScmFlowDefinition",
        plugin: "workflow-cps",
        fields: &[("scm", Object("")), ("scriptPath", PLAIN), ("lightweight", FALSE)],
    },
    Class {
        name: "org.jenkinsci.plugins.workflow.cps.CpsFlowDefinition",
        plugin: "workflow-cps",
        fields: &[("script", Text(Some(""))), ("sandbox", FALSE)],
    },
    Class {
        name: "hudson.plugins.git.GitSCM",
        plugin: "git",
        fields: &[
            ("configVersion", Text(Some("0"))),
            ("userRemoteConfigs", List(true)),
            ("branches", List(true)),
            ("doGenerateSubmoduleConfigurations", FALSE),
            ("submoduleCfg", Opaque(Some("empty-list"))),
            ("extensions", Opaque(Some(""))),
        ],
    },
    Class {
        name: "hudson.plugins.git.UserRemoteConfig",
        plugin: "git",
        fields: &[("name", Name), ("refspec", Name), ("url", Name), ("credentialsId", Name)],
    },
    Class { name: "hudson.plugins.git.BranchSpec", plugin: "git", fields: &[("name", Text(Some("**")))] },
    Class { name: "hudson.scm.NullSCM", plugin: "", fields: &[] },
    Class { name: "hudson.tasks.Shell", plugin: "", fields: &[("command", Text(Some("")))] },
    Class {
        name: "org.jenkinsci.plugins.pipeline.modeldefinition.actions.DeclarativeJobAction",
        plugin: "pipeline-model-definition",
        fields: &[],
    },
    Class {
        name: "javaposse.jobdsl.plugin.ExecuteDslScripts",
        plugin: "job-dsl",
        fields: &[
            ("targets", PLAIN),
            ("scriptText", PLAIN),
            ("usingScriptText", FALSE),
            ("sandbox", FALSE),
            ("ignoreExisting", FALSE),
            ("ignoreMissingFiles", FALSE),
            ("failOnMissingPlugin", FALSE),
            ("failOnSeedCollision", FALSE),
            ("unstableOnDeprecation", FALSE),
            ("removedJobAction", Text(Some("IGNORE"))),
            ("removedViewAction", Text(Some("IGNORE"))),
            ("removedConfigFilesAction", Text(Some("IGNORE"))),
            ("lookupStrategy", Text(Some("JENKINS_ROOT"))),
            ("additionalClasspath", PLAIN),
        ],
    },
];
