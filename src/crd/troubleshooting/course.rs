//! What is said of reasons that need nobody: the usual course of a resource, from missing to deleted. Texts alone; which reason
//! has which stands in `super`. They are Markdown, and links lead from `docs/reasons/`.

use super::{AGAIN, CONDITIONS, EVENTS, Explanation};

pub(super) const IN_SYNC: Explanation = Explanation {
    cause: "The resource was seen in AWS or Jenkins, and every field that the operator keeps is as the spec has it. It is looked at again within the hour, and at once when the spec, a Secret or the annotation below changes.",
    remedy: "Nothing. To have it looked at now, ask for it.",
    command: AGAIN,
};

pub(super) const SUCCEEDED: Explanation = Explanation {
    cause: "Each resource that the spec asks for was seen as declared. A condition of a single resource that is True with another reason than `InSync` says something worth knowing that stops nothing.",
    remedy: "Nothing.",
    command: "kubectl -n ml-team get mlp taxi-fares -o wide",
};

pub(super) const PROGRESSING: Explanation = Explanation {
    cause: "AWS or Jenkins has been asked for something and works on it, or the operator has more steps to do than fit into one reconcile; the message says which. Just after a change of the spec it also stands where not everything could be looked at yet.",
    remedy: "Wait: a SageMaker project, a stack and a product take minutes. If the same message stands for more than an hour, see what the remote side says of it.",
    command: "aws sagemaker describe-project --region us-east-1 --project-name taxi-fares --query ProjectStatus",
};

pub(super) const BLOCKED: Explanation = Explanation {
    cause: "The resource needs another one that is not ready yet, or, while the object is being deleted, must stay until another one is gone. The message names that one.",
    remedy: "Read the condition of the resource that is named: what it says is what holds this one up.",
    command: CONDITIONS,
};

pub(super) const DISABLED: Explanation = Explanation {
    cause: "The spec does not ask for the resource (`modelTrigger.enabled: false`), and none is left of it.",
    remedy: "Nothing. To have it, set `spec.modelTrigger.enabled: true`.",
    command: "kubectl -n ml-team get mlp taxi-fares -o jsonpath='{.spec.modelTrigger}'",
};

pub(super) const MISSING: Explanation = Explanation {
    cause: "The resource did not exist. The operator has just made it and waits until AWS or Jenkins shows it.",
    remedy: "Nothing. If what was made never shows, the reason becomes [ChangesReverted](ChangesReverted.md).",
    command: EVENTS,
};

pub(super) const DRIFTED: Explanation = Explanation {
    cause: "The resource was not as the operator had written it: somebody, or another program, has changed it. The operator has put it right and waits until that shows. The event `Updated` names the fields.",
    remedy: "Nothing, where it happens once. Where it happens again, find out who changes the fields that the events name, and change the spec instead.",
    command: EVENTS,
};

pub(super) const SPEC_CHANGED: Explanation = Explanation {
    cause: "The spec, or a default behind it, asks for something else than before. The operator has changed the resource and waits until that shows.",
    remedy: "Nothing.",
    command: EVENTS,
};

pub(super) const SECRET_CHANGED: Explanation = Explanation {
    cause: "The user name or the API token that the model trigger's function starts jobs with has changed in its Secret. The function's stack is being updated with it.",
    remedy: "Nothing.",
    command: EVENTS,
};

pub(super) const SUSPENDED: Explanation = Explanation {
    cause: "`spec.suspend` of the object, or of the platform that it stands on, is true; the message says which. Nothing is looked at or changed, and the other conditions say what was known before. Deletion works all the same.",
    remedy: "Set `suspend` to false where the message says, in Git if the object comes from there.",
    command: "kubectl -n ml-team patch mlp taxi-fares --type merge -p '{\"spec\":{\"suspend\":false}}'",
};

pub(super) const PROPAGATING: Explanation = Explanation {
    cause: "AWS does not know everywhere yet what was just made or changed: a role, its trust policy, an association, a launch path, a version of the product, a bucket. For two minutes that counts as waiting; then the reason becomes the one of the fault itself, such as [RoleNotTrusted](RoleNotTrusted.md) or [NoLaunchPath](NoLaunchPath.md).",
    remedy: "Wait for two minutes.",
    command: CONDITIONS,
};

pub(super) const CONFIRMING_ABSENCE: Explanation = Explanation {
    cause: "The resource was not found. Since AWS's and Jenkins' answers can lag, that counts only once it was not found again some seconds later: else a second one would be made, or a deletion would end too early.",
    remedy: "Nothing.",
    command: CONDITIONS,
};

pub(super) const DELETING: Explanation = Explanation {
    cause: "The object is being deleted, or a resource is removed that is no longer asked for. Resources go in reverse order; the conditions say which are gone and what is waited for.",
    remedy: "Wait. If it lasts, read the condition that is not `Deleted`.",
    command: CONDITIONS,
};

pub(super) const DELETED: Explanation = Explanation {
    cause: "The resource, or all that the object has made, was seen to be gone. The object itself goes with it.",
    remedy: "Nothing.",
    command: EVENTS,
};

pub(super) const RETAINED: Explanation = Explanation {
    cause: "An event only: the object was deleted with the policy `Retain`, of its spec or of the operator's configuration (`defaultDeletionPolicy`). What was made in AWS and Jenkins stays, and nobody looks after it.",
    remedy: "Nothing. An object of the same name in the same namespace finds it again; else remove by hand what is not needed.",
    command: EVENTS,
};

pub(super) const RELEASED: Explanation = Explanation {
    cause: "An event only: the object was let go by the annotation `mlops-operator.io/release`, without proof that its resources are gone. The event and the operator's log name what is left and where.",
    remedy: "Remove by hand what the event names, once the account or the Jenkins can be reached again. An object of the same name finds it again, too. See [Deletion](../conditions.md#deletion).",
    command: EVENTS,
};

pub(super) const FOLDER_KEPT: Explanation = Explanation {
    cause: "An event only: a Jenkins folder that the operator made for the project stays, since it may hold items that the operator's user cannot see, or since `folderPolicy` is `Keep`.",
    remedy: "Nothing. An administrator of Jenkins, who sees all that is in the folder, can delete it. See [Jenkins folders](../conditions.md#jenkins-folders).",
    command: EVENTS,
};

pub(super) const THROTTLED: Explanation = Explanation {
    cause: "AWS or Jenkins has asked for fewer calls, or the operator holds calls back for that; the message names the service. It is shown only after five minutes, and resources stay as they are meanwhile.",
    remedy: "Wait. If it lasts for an hour, see what else calls the service in the same account, and give the operator an account or a quota that suffices: [How fast AWS and Jenkins are called](../running.md#how-fast-aws-and-jenkins-are-called).",
    command: r#"LEADER=$(kubectl -n mlops-system get lease mlops-operator -o jsonpath='{.spec.holderIdentity}')
kubectl -n mlops-system port-forward "pod/$LEADER" 8081 &
curl -s --retry 10 --retry-connrefused --retry-delay 1 http://127.0.0.1:8081/metrics | grep mlops_operator_budget
kill %1"#,
};

pub(super) const UNAVAILABLE: Explanation = Explanation {
    cause: "AWS or Jenkins has not answered for five minutes, or answers that it is not available. It is tried again all the time, at most every five minutes, and resources stay as they are meanwhile.",
    remedy: "Wait. If it lasts, look at the health of the service and at the network between: NetworkPolicies, proxies, DNS, certificates ([running.md](../running.md#networks-proxies-and-certificates)).",
    command: "kubectl get mlp,mlpf -A -o wide | grep Unavailable",
};

pub(super) const CONFLICT: Explanation = Explanation {
    cause: "Another operation on the resource is still running, or something uses it; the message has AWS's or Jenkins' own words. After ten minutes the condition is Stalled.",
    remedy: "Wait. After ten minutes, end what the message names.",
    command: CONDITIONS,
};

pub(super) const UNEXPECTED: Explanation = Explanation {
    cause: "AWS or Jenkins has answered in a way that the operator does not understand: a status that did not exist when it was built, an error inside the service, or a Jenkins job with more parameters or settings than are read.",
    remedy: "Look at the resource that the message names in the console of AWS or in Jenkins. If nothing is wrong there, upgrade the operator, or report it as a defect with the message.",
    command: "kubectl -n mlops-system logs -l app.kubernetes.io/name=mlops-operator --prefix --tail=-1 --since=10m",
};
