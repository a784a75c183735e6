//! What is said of reasons whose remedy lies in Kubernetes: the spec, platforms, Secrets, deletion. Texts alone; which reason has
//! which stands in `super`. They are Markdown, and links lead from `docs/reasons/`.

use super::{CONDITIONS, Explanation};

/// What keeps a deletion back, with both answers.
const CONFIRM: &str = r#"# Remove what was made for this one object:
kubectl -n ml-team annotate mlp taxi-fares mlops-operator.io/confirm-deletion="$(kubectl -n ml-team get mlp taxi-fares -o jsonpath='{.metadata.uid}')"
# Or leave it standing:
kubectl -n ml-team patch mlp taxi-fares --type merge -p '{"spec":{"deletionPolicy":"Retain"}}'"#;

pub(super) const CRD_DELETING: Explanation = Explanation {
    cause: "The CustomResourceDefinition is being deleted, and Kubernetes deletes every object of the kind with it. Since that cannot be taken back, nothing is removed in AWS and Jenkins until somebody confirms it for each object.",
    remedy: "Confirm the deletion, or keep what was made. See [When the CRD or a namespace is deleted](../conditions.md#when-the-crd-or-a-namespace-is-deleted).",
    command: CONFIRM,
};

pub(super) const CRD_UNKNOWN: Explanation = Explanation {
    cause: "The object is being deleted, and the operator may not read the CustomResourceDefinition, or finds none: so it does not know whether this one object is meant or all of them, and removes nothing.",
    remedy: "Let the operator `get` the CustomResourceDefinition, as the chart's ClusterRole does; or confirm the deletion, or keep what was made. See [When the CRD or a namespace is deleted](../conditions.md#when-the-crd-or-a-namespace-is-deleted).",
    command: CONFIRM,
};

pub(super) const INVALID_SPEC: Explanation = Explanation {
    cause: "The spec cannot be read, contradicts itself, moves resources that exist to another place, or asks for what AWS does not take (too many tags, a value with a line break, a URL that not every client reads alike). The message names the field. What exists stays as it is.",
    remedy: "Correct the field that the message names. What says where resources are cannot change: put it back, or make a new object.",
    command: "kubectl -n ml-team apply --dry-run=server -f taxi-fares.yaml",
};

pub(super) const PLATFORM_NOT_ALLOWED: Explanation = Explanation {
    cause: "Of a project on an `MlopsPlatform`: the platform does not allow the project's namespace. Of one with a platform of its own: no entry of `inlinePlatforms` in the operator's configuration grants the namespace what the message names. Where the message speaks of `status.placement`, somebody else has written it.",
    remedy: "Label the namespace as `namespaces.selector` of the platform asks, or have it added to `namespaces.names`; or grant what the message names ([grants.md](../grants.md)). Where it speaks of `status.placement`, remove that: it is written anew.",
    command: "kubectl get mlpf main -o jsonpath='{.spec.namespaces}'\nkubectl label namespace ml-team mlops-operator.io/platform=main",
};

pub(super) const PLATFORM_MISSING: Explanation = Explanation {
    cause: "There is no `MlopsPlatform` of the name that `spec.platformRef.name` gives, so nothing of the project is made.",
    remedy: "Make the platform. The name in a project that exists cannot change: correct it in a new project.",
    command: "kubectl get mlopsplatforms",
};

pub(super) const PLATFORM_NOT_READY: Explanation = Explanation {
    cause: "The platform that the project stands on is not Ready, or is being deleted and takes no further projects. The message is the platform's own.",
    remedy: "Have the platform mended; the project goes on by itself. Where the platform is being deleted, delete the project, or make it anew on another platform.",
    command: "kubectl get mlpf main -o wide",
};

pub(super) const TOO_MANY_PROJECTS: Explanation = Explanation {
    cause: "As many projects of the namespace as `projects.maxPerNamespace` of the platform allows came before this one: they have begun, or are older. For this one nothing was made.",
    remedy: "Delete a project that nobody needs, or have `projects.maxPerNamespace` raised.",
    command: "kubectl -n ml-team get mlp --sort-by=.metadata.creationTimestamp",
};

pub(super) const IN_USE: Explanation = Explanation {
    cause: "The platform is being deleted, and projects stand on it; the message names them. They go on as before until they are deleted themselves.",
    remedy: "Delete the projects that the message names. The platform then goes by itself.",
    command: "kubectl get mlp --all-namespaces -o custom-columns=NAMESPACE:.metadata.namespace,NAME:.metadata.name,PLATFORM:.spec.platformRef.name",
};

pub(super) const PLACEMENT_UNKNOWN: Explanation = Explanation {
    cause: "The object is being deleted, and neither its status nor its spec says where its resources are: `status.placement` is missing or cannot be read, and the spec does not parse, or its platform is gone. Nothing is removed, and the finalizer stays.",
    remedy: "Restore the spec, the platform, or `status.placement` as the operator had written it. Where that is not possible, remove the resources by hand, then let the object go ([Deletion](../conditions.md#deletion)).",
    command: "kubectl -n ml-team get mlp taxi-fares -o jsonpath='{.status.placement}'",
};

pub(super) const SECRET_MISSING: Explanation = Explanation {
    cause: "A Secret or ConfigMap that the object names does not exist, or has nothing under the key that is read. The message names both, and the namespace: the project's, or for an `MlopsPlatform` the operator's own.",
    remedy: "Make it with the keys that the message names. It is seen at once.",
    command: "kubectl -n ml-team create secret generic jenkins --from-literal=username=operator --from-literal=token=\"$JENKINS_TOKEN\"",
};

pub(super) const SECRET_REFUSED: Explanation = Explanation {
    cause: "The Secret may not be used as the spec asks. Either it lacks the label that lets its values go into a project's stack, or the template does not declare the parameter with `NoEcho: true`, so that the value could be read; or the value has fewer than four characters, too few to be kept out of messages; or it is the Secret with the installation's own key.",
    remedy: "Do what the message says: label the Secret, if its values may go there, hide the parameter in the template, or name another Secret. See [Parameters from Secrets](../project-template.md#parameters-from-secrets).",
    command: "kubectl -n ml-team label secret api mlops-operator.io/allowed-use=parameters",
};

pub(super) const VALUE_TOO_LONG: Explanation = Explanation {
    cause: "The value under a key of a Secret or ConfigMap has more bytes than are read for its purpose. The message names both numbers: a token, a parameter, a CA bundle and a template have different limits.",
    remedy: "Shorten the value: of a CA bundle keep the certificates that are needed.",
    command: "kubectl -n ml-team get configmap project-template -o jsonpath='{.data.template\\.yaml}' | wc -c",
};

pub(super) const CA_BUNDLE_INVALID: Explanation = Explanation {
    cause: "The key that `caBundleRef` names holds no PEM certificate, or one that cannot be read; or the model trigger's function would get more than fits: Jenkins credentials and certificates have 4096 characters together.",
    remedy: "Put one or more `-----BEGIN CERTIFICATE-----` blocks under that key. Private keys do not belong there.",
    command: "kubectl -n ml-team get configmap jenkins-ca -o jsonpath='{.data.ca\\.crt}' | openssl x509 -noout -subject -enddate",
};

pub(super) const INVALID_TEMPLATE: Explanation = Explanation {
    cause: "The project template in the ConfigMap has errors, so that no project can be made from it. The message names the first, with its line. Nothing in AWS is touched.",
    remedy: "Correct the line. `lint-template` tells all that is wrong: [Judging it](../project-template.md#judging-it).",
    command: "kubectl -n ml-team get configmap project-template -o jsonpath='{.data.template\\.yaml}' | mlops-operator lint-template -",
};

pub(super) const UNKNOWN_PARAMETER: Explanation = Explanation {
    cause: "The project template does not declare a parameter that is needed: one in `spec.parameters`, or one that seed code or the check-in role needs. The message names it, and what the template takes.",
    remedy: "Correct or remove the parameter, or declare it in a template of your own. For seed code: `seedCode.source: None` asks for none ([The contract](../project-template.md#the-contract)).",
    command: "kubectl -n ml-team get mlp taxi-fares -o jsonpath='{.spec.parameters}'",
};

pub(super) const PARAMETER_MISSING: Explanation = Explanation {
    cause: "The project template declares a parameter that has no default, and nobody gives it a value.",
    remedy: "Give it in `spec.parameters`, or give it a default in the template. On an `MlopsPlatform` its name must stand in `projects.parameters`.",
    command: "kubectl explain mlp.spec.parameters",
};

pub(super) const CLUSTER_CLAIMED: Explanation = Explanation {
    cause: "A resource names this object as its owner and carries another installation's seal. Either this cluster is a copy of another one that still works, or the installation's key (Secret `mlops-operator-fingerprint-key`) was replaced, or somebody has copied the mark there. Nothing is changed or deleted.",
    remedy: "In a copy of a cluster, give the operator a `clusterId` of its own. Where the key was lost, restore it from a copy, or set `acceptUnsealed: true` until all is Ready ([The installation's key](../grants.md#the-installations-key)). What somebody copied must be removed by hand.",
    command: "kubectl -n mlops-system get secret mlops-operator-fingerprint-key -o jsonpath='{.metadata.creationTimestamp}'",
};

pub(super) const OWNERSHIP_UNPROVEN: Explanation = Explanation {
    cause: "Something carries this object's mark, or lies where the object's own should, and nothing else proves that it is the object's: a SageMaker project that was launched from another product, a bucket or prefix with objects that the operator did not put there, or two portfolios or products with one mark. Marks can be old or copied, so nothing is deleted.",
    remedy: "Find out whose it is. Delete by hand what nobody needs, restore the object's status, or set `deletionPolicy: Retain` to leave all of it.",
    command: CONDITIONS,
};
