//! The Java classes that this Jenkins knows, as tables: which plugin brings them, their fields in the order in which
//! XStream writes them, and what an absent field becomes. Fields that stand in no row are dropped on load, as
//! RobustReflectionConverter drops them. Classes without a row are judged by `owners`.

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Text; written as the default if it is absent, left out if there is none.
    Text(Option<&'static str>),
    /// One of these words; anything else is dropped, as the converter of enums drops it.
    Word(&'static [&'static str]),
    /// Text that is encrypted when it is written.
    Sealed,
    /// Any number of objects, each under its class name; written where it is absent, too, if true.
    List(bool),
    /// One object whose class stands in the attribute `class`, or this one.
    Object(&'static str),
    /// The same, only where it was posted.
    Posted(&'static str),
    /// Taken as it is, as far as its classes are known; written as an empty element where it is absent, too, if true.
    Opaque(bool),
    /// The same; where it is absent, an object of this class.
    Made(&'static str),
}

/// A class.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) name: &'static str,
    /// Empty: core.
    pub(super) plugin: &'static str,
    pub(super) fields: &'static [(&'static str, Shape)],
}

use Shape::{List, Made, Object, Opaque, Posted, Sealed, Text, Word};

pub(super) const FOLDER: &str = "com.cloudbees.hudson.plugins.folder.Folder";
pub(super) const PIPELINE: &str = "flow-definition";
pub(super) const FREESTYLE: &str = "project";
pub(super) const CHOICE: &str = "hudson.model.ChoiceParameterDefinition";
pub(super) const PARAMETERS: &str = "hudson.model.ParametersDefinitionProperty";
pub(super) const ONE_AT_A_TIME: &str =
    "org.jenkinsci.plugins.workflow.job.properties.DisableConcurrentBuildsJobProperty";
pub(super) const PIPELINE_TRIGGERS: &str = "org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty";
pub(super) const CREDENTIALS_PARAMETER: &str = "com.cloudbees.plugins.credentials.CredentialsParameterDefinition";
pub(super) const FOLDER_VIEWS: &str = "com.cloudbees.hudson.plugins.folder.views.DefaultFolderViewHolder";
pub(super) const FOLDER_CREDENTIALS: &str =
    "com.cloudbees.hudson.plugins.folder.properties.FolderCredentialsProvider_-FolderCredentialsProperty";

const FALSE: Shape = Text(Some("false"));
/// A Java `int`: XStream makes objects without their constructors, so what is absent is 0, whatever the default is.
const ZERO: Shape = Text(Some("0"));
const PLAIN: Shape = Text(None);
const SENT: Shape = List(false);
const AS_IT_IS: Shape = Opaque(false);

/// Every class, items first.
pub(super) const CLASSES: &[Class] = &[
    Class {
        name: FOLDER,
        plugin: "cloudbees-folder",
        fields: &[
            ("actions", SENT),
            ("description", PLAIN),
            ("displayName", PLAIN),
            ("properties", List(true)),
            ("folderViews", Made(FOLDER_VIEWS)),
            ("healthMetrics", Opaque(true)),
            ("icon", Made("com.cloudbees.hudson.plugins.folder.icons.StockFolderIcon")),
        ],
    },
    Class {
        name: PIPELINE,
        plugin: "workflow-job",
        fields: &[
            ("actions", SENT),
            ("description", PLAIN),
            ("displayName", PLAIN),
            ("logRotator", Posted("hudson.tasks.LogRotator")),
            ("keepDependencies", FALSE),
            ("properties", List(true)),
            ("definition", Object("")),
            ("triggers", SENT),
            ("quietPeriod", PLAIN),
            ("authToken", Sealed),
            ("disabled", FALSE),
        ],
    },
    Class {
        name: FREESTYLE,
        plugin: "",
        fields: &[
            ("actions", SENT),
            ("description", PLAIN),
            ("displayName", PLAIN),
            ("logRotator", Posted("hudson.tasks.LogRotator")),
            ("keepDependencies", FALSE),
            ("properties", List(true)),
            ("scm", Object("hudson.scm.NullSCM")),
            ("scmCheckoutStrategy", Object("")),
            ("quietPeriod", PLAIN),
            ("scmCheckoutRetryCount", PLAIN),
            ("assignedNode", PLAIN),
            ("canRoam", FALSE),
            ("disabled", FALSE),
            ("blockBuildWhenDownstreamBuilding", FALSE),
            ("blockBuildWhenUpstreamBuilding", FALSE),
            ("jdk", PLAIN),
            ("authToken", Sealed),
            ("triggers", List(true)),
            ("concurrentBuild", FALSE),
            ("customWorkspace", PLAIN),
            ("builders", List(true)),
            ("publishers", List(true)),
            ("buildWrappers", List(true)),
        ],
    },
    Class { name: ONE_AT_A_TIME, plugin: "workflow-job", fields: &[("abortPrevious", FALSE)] },
    Class {
        name: "org.jenkinsci.plugins.workflow.job.properties.DurabilityHintJobProperty",
        plugin: "workflow-job",
        fields: &[("hint", Word(&["PERFORMANCE_OPTIMIZED", "SURVIVABLE_NONATOMIC", "MAX_SURVIVABILITY"]))],
    },
    Class {
        name: "org.jenkinsci.plugins.workflow.job.properties.DisableResumeJobProperty",
        plugin: "workflow-job",
        fields: &[],
    },
    Class { name: PIPELINE_TRIGGERS, plugin: "workflow-job", fields: &[("triggers", SENT)] },
    Class { name: PARAMETERS, plugin: "", fields: &[("parameterDefinitions", List(true))] },
    Class { name: "jenkins.model.BuildDiscarderProperty", plugin: "", fields: &[("strategy", Object(""))] },
    Class {
        name: "hudson.tasks.LogRotator",
        plugin: "",
        fields: &[
            ("daysToKeep", ZERO),
            ("numToKeep", ZERO),
            ("artifactDaysToKeep", PLAIN),
            ("artifactNumToKeep", PLAIN),
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
        name: CHOICE,
        plugin: "",
        fields: &[("name", PLAIN), ("description", PLAIN), ("choices", AS_IT_IS), ("defaultValue", PLAIN)],
    },
    Class {
        name: "hudson.model.PasswordParameterDefinition",
        plugin: "",
        fields: &[("name", PLAIN), ("description", PLAIN), ("defaultValue", Sealed)],
    },
    Class {
        name: "hudson.model.RunParameterDefinition",
        plugin: "",
        fields: &[
            ("name", PLAIN),
            ("description", PLAIN),
            ("projectName", PLAIN),
            ("runId", PLAIN),
            ("filter", Word(&["ALL", "STABLE", "SUCCESSFUL", "COMPLETED"])),
        ],
    },
    Class {
        name: CREDENTIALS_PARAMETER,
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
        fields: &[("spec", PLAIN), ("ignorePostCommitHooks", FALSE)],
    },
    Class { name: "hudson.triggers.TimerTrigger", plugin: "", fields: &[("spec", PLAIN)] },
    Class {
        name: "jenkins.triggers.ReverseBuildTrigger",
        plugin: "",
        fields: &[("spec", PLAIN), ("upstreamProjects", PLAIN), ("threshold", AS_IT_IS)],
    },
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
            ("configVersion", ZERO),
            ("userRemoteConfigs", SENT),
            ("branches", SENT),
            ("doGenerateSubmoduleConfigurations", FALSE),
            ("gitTool", PLAIN),
            ("browser", Object("")),
            ("submoduleCfg", AS_IT_IS),
            ("extensions", Opaque(true)),
        ],
    },
    Class {
        name: "hudson.plugins.git.UserRemoteConfig",
        plugin: "git",
        fields: &[("name", PLAIN), ("refspec", PLAIN), ("url", PLAIN), ("credentialsId", PLAIN)],
    },
    Class { name: "hudson.plugins.git.BranchSpec", plugin: "git", fields: &[("name", PLAIN)] },
    Class { name: "hudson.scm.NullSCM", plugin: "", fields: &[] },
    Class {
        name: "hudson.tasks.Shell",
        plugin: "",
        fields: &[("command", PLAIN), ("configuredLocalRules", AS_IT_IS), ("unstableReturn", PLAIN)],
    },
    Class {
        name: "hudson.tasks.ArtifactArchiver",
        plugin: "",
        fields: &[
            ("artifacts", PLAIN),
            ("excludes", PLAIN),
            ("latestOnly", PLAIN),
            ("allowEmptyArchive", PLAIN),
            ("onlyIfSuccessful", FALSE),
            ("fingerprint", FALSE),
            ("defaultExcludes", PLAIN),
            ("caseSensitive", PLAIN),
            ("followSymlinks", PLAIN),
        ],
    },
    Class {
        name: "org.jenkinsci.plugins.pipeline.modeldefinition.actions.DeclarativeJobAction",
        plugin: "pipeline-model-definition",
        fields: &[],
    },
    Class {
        name: "org.jenkinsci.plugins.pipeline.modeldefinition.actions.DeclarativeJobPropertyTrackerAction",
        plugin: "pipeline-model-definition",
        fields: &[("jobProperties", AS_IT_IS), ("triggers", AS_IT_IS), ("parameters", AS_IT_IS), ("options", AS_IT_IS)],
    },
    Class {
        name: "org.jenkinsci.plugins.workflow.multibranch.JobPropertyTrackerAction",
        plugin: "workflow-multibranch",
        fields: &[("jobPropertyDescriptors", AS_IT_IS)],
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
