//! What is said of reasons whose remedy lies in Jenkins: credentials, plugins, folders, builds. Texts alone; which reason has
//! which stands in `super`. They are Markdown, and links lead from `docs/reasons/`.

use super::Explanation;

/// What Jenkins says to the operator's user.
const WHO: &str = "curl -sS -u \"$JENKINS_USER:$JENKINS_TOKEN\" https://jenkins.example.com/whoAmI/api/json";
const VERSION: &str = "curl -sSI https://jenkins.example.com/login | grep -i '^x-jenkins:'";
const PLUGINS: &str = "# As somebody with Overall/Administer:\ncurl -sS -u \"$JENKINS_USER:$JENKINS_TOKEN\" -g 'https://jenkins.example.com/pluginManager/api/json?tree=plugins[shortName,active,version]'";

pub(super) const JENKINS_CREDENTIALS_INVALID: Explanation = Explanation {
    cause: "Jenkins refuses the user or the API token in the Secret, takes the operator for an anonymous visitor, or the user name is empty or has a colon.",
    remedy: "Put the user name and an API token of that user (no password) into the Secret; a change is seen at once. Where both are right, see that no proxy removes the `Authorization` header.",
    command: WHO,
};

pub(super) const JENKINS_QUIET_DOWN: Explanation = Explanation {
    cause: "`JenkinsReady` is True, but Jenkins prepares for a shutdown: it can be configured, and starts no builds.",
    remedy: "Wait until Jenkins is back, or cancel the shutdown in Jenkins.",
    command: "curl -sS -u \"$JENKINS_USER:$JENKINS_TOKEN\" 'https://jenkins.example.com/api/json?tree=quietingDown'",
};

pub(super) const SHARED_CREDENTIALS: Explanation = Explanation {
    cause: "`TriggerReady` is True, but the model trigger's function holds the API token of the operator's own Jenkins user, which may change and delete jobs. Whoever takes over the function has that token.",
    remedy: "Make a Jenkins user with Overall/Read, Item/Read and Item/Build alone, and name its Secret in `modelTrigger.credentialsSecretRef`.",
    command: "kubectl explain mlpf.spec.modelTrigger.credentialsSecretRef",
};

pub(super) const PLUGIN_MISSING: Explanation = Explanation {
    cause: "Jenkins lacks a plugin that the jobs need, or it is not active; the message names it. In a `JobsReady` that is True it is one that only declarative Jenkinsfiles need.",
    remedy: "Install the plugin, and restart Jenkins if it asks for that. In a `JobsReady` that is True, start a build of the job afterwards.",
    command: PLUGINS,
};

pub(super) const PLUGINS_UNCHECKED: Explanation = Explanation {
    cause: "`JenkinsReady` is True, but Jenkins shows its list of plugins only to users with Overall/Administer or Overall/SystemRead, so that nobody has looked for those that the message names.",
    remedy: "See in Jenkins that they are active; then there is nothing to do. With Overall/SystemRead, where that is switched on, the operator looks itself ([permissions.md](../permissions.md#in-jenkins)).",
    command: PLUGINS,
};

pub(super) const JENKINS_TOO_OLD: Explanation = Explanation {
    cause: "Jenkins is older than 2.440, the oldest version that the operator works with.",
    remedy: "Upgrade Jenkins.",
    command: VERSION,
};

pub(super) const NOT_JENKINS: Explanation = Explanation {
    cause: "What answers at `jenkins.url` is not Jenkins: it sends no `X-Jenkins` header, redirects to a login page, or its answer cannot be read as Jenkins' would.",
    remedy: "Check the URL with its path, and what a proxy or single sign-on in between answers to a client with an API token. The URL cannot change in an object that exists.",
    command: VERSION,
};

pub(super) const JENKINS_ITEM_NOT_VISIBLE: Explanation = Explanation {
    cause: "Jenkins holds a job or folder of that name, and the operator's user may not see it. So it can neither be used nor be proven to be gone.",
    remedy: "Give the user Item/Read on the folder that the message names, or choose another folder in a new project.",
    command: WHO,
};

pub(super) const NO_CHECKOUT: Explanation = Explanation {
    cause: "`JobsReady` is True, but no build of the jobs that the message names has come to a checkout, so that polling has nothing to compare with and builds no commit. Or none has succeeded since the repository, branch or credential changed: polling goes by the last build that has, and so goes on with the former ones.",
    remedy: "Where the message says that a build is started once another one has ended, wait for it. Else, once repository, credentials and `jenkins/Jenkinsfile` are right, start one build of each job by hand ([The first build](../jenkins.md#the-first-build)).",
    command: "kubectl -n ml-team get mlp taxi-fares -o jsonpath='{.status.jobs.items[*].url}'",
};
