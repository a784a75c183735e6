//! What is said of reasons whose remedy lies in AWS: credentials, roles, connections, the catalog, the project, the stack. Texts
//! alone; which reason has which stands in `super`. They are Markdown, and links lead from `docs/reasons/`.

use super::{AGAIN, CONDITIONS, EVENTS, Explanation};

/// The first events of a stack that failed, which name the cause.
const STACK_EVENTS: &str = "STACK=mlops-0123456789abcdef0123-model-trigger # the name in the message\naws cloudformation describe-stack-events --region us-east-1 --stack-name \"$STACK\" --query 'StackEvents[?contains(ResourceStatus, `FAILED`)].[LogicalResourceId, ResourceStatusReason]' --output table";

pub(super) const WRONG_ACCOUNT: Explanation = Explanation {
    cause: "The credentials that the operator works with belong to another AWS account than `aws.accountId`. Nothing was read or changed.",
    remedy: "Give the operator credentials of that account, name a role of it in `aws.assumeRole` of a new object, or correct `aws.accountId` in a new object.",
    command: "kubectl -n mlops-system get serviceaccount mlops-operator -o jsonpath='{.metadata.annotations}'",
};

pub(super) const UNKNOWN_REGION: Explanation = Explanation {
    cause: "AWS has no such region, the region is not enabled for the account, or DNS does not know AWS's endpoint there.",
    remedy: "Enable the region for the account, or correct `aws.region` in a new object; where the region is right, repair the DNS that the operator uses.",
    command: "aws account get-region-opt-status --region-name eu-south-1",
};

pub(super) const CREDENTIALS_INVALID: Explanation = Explanation {
    cause: "AWS refuses the operator's credentials: there are none, they are wrong or expired, or the region is not enabled for the account.",
    remedy: "Give the operator's ServiceAccount a role, or renew the credentials ([setup.md](../setup.md)). It is tried again every ten minutes, and when the Deployment restarts.",
    command: "kubectl -n mlops-system rollout restart deployment/mlops-operator",
};

pub(super) const ACCESS_DENIED: Explanation = Explanation {
    cause: "AWS, Jenkins or Kubernetes knows the operator and does not allow a call; the message names the call, and of Jenkins the permission. In a `JobsReady` that is True it is about builds alone that the operator would start.",
    remedy: "Allow the call to the operator's role ([permissions.md](../permissions.md)), give the Jenkins user the permission, or let the ServiceAccount read the Secret (the chart's value `secrets.namespaces`). It is tried again every ten minutes.",
    command: AGAIN,
};

pub(super) const REJECTED: Explanation = Explanation {
    cause: "AWS or Jenkins says that the request itself is wrong; the message is its own. It is also the reason where AWS has not taken up something new for more than two minutes.",
    remedy: "Correct what the message names, mostly a field of the spec. It is tried again every ten minutes, and at once after a change.",
    command: CONDITIONS,
};

pub(super) const QUOTA_EXCEEDED: Explanation = Explanation {
    cause: "A quota of the AWS account is used up; the message names it in AWS's words.",
    remedy: "Raise the quota in Service Quotas, or remove what nobody uses. Many projects on one `MlopsPlatform` need one portfolio, product and bucket for all ([platforms.md](../platforms.md)).",
    command: "aws service-quotas list-service-quotas --region us-east-1 --service-code servicecatalog --query 'Quotas[].[QuotaName, Value, QuotaCode]' --output table",
};

pub(super) const CHANGES_REVERTED: Explanation = Explanation {
    cause: "What the operator writes does not last: it was done more than once, and reads back different each time. The message names the step. In a `JobsReady` that is True, the Jenkinsfile of the job takes away what was put back.",
    remedy: "Find out what else changes it (another tool, a policy of the account, a Jenkinsfile), or write the spec as the server keeps it. It is done again ever more slowly. For Jenkinsfiles: [Whose a setting is](../jenkins.md#whose-a-setting-is).",
    command: EVENTS,
};

pub(super) const ROLE_MISSING: Explanation = Explanation {
    cause: "The launch, use, check-in, stack or runtime role does not exist under its full ARN, path included; the message names the field of the spec. A role that was just made may take two minutes to show.",
    remedy: "Make the role, or correct the field. Where the field is left out, the role that SageMaker's console makes is meant ([setup.md](../setup.md)).",
    command: "aws iam get-role --role-name AmazonSageMakerServiceCatalogProductsLaunchRole --query Role.Arn",
};

pub(super) const ROLE_NOT_TRUSTED: Explanation = Explanation {
    cause: "The role's trust policy does not let the AWS service that the message names assume it; the role may also have been deleted and made anew.",
    remedy: "Add a statement to the trust policy that allows `sts:AssumeRole` to that service. For the check-in of seed code: asking for none (`seedCode.source: None`) does, too.",
    command: "aws iam get-role --role-name AmazonSageMakerServiceCatalogProductsLaunchRole --query Role.AssumeRolePolicyDocument",
};

pub(super) const CONNECTION_MISSING: Explanation = Explanation {
    cause: "The Git connection (CodeConnections) that the spec names does not exist in its account and region.",
    remedy: "Make the connection in the AWS console, or correct `connectionArn`.",
    command: "aws codeconnections list-connections --region us-east-1 --query 'Connections[].[ConnectionArn, ConnectionStatus]' --output table",
};

pub(super) const CONNECTION_PENDING: Explanation = Explanation {
    cause: "The Git connection was made, and nobody has finished its handshake with the Git provider. No API can do that; the message has the console's address.",
    remedy: "Open that address as somebody who may install the provider's app, choose the connection, then \"Update pending connection\". The operator looks for it often at first, then every ten minutes.",
    command: AGAIN,
};

pub(super) const CONNECTION_FAILED: Explanation = Explanation {
    cause: "The Git connection is in a state in which nothing can use it; the message has AWS's word for it.",
    remedy: "Repair or replace the connection in the AWS console: Developer Tools, Settings, Connections.",
    command: "aws codeconnections list-connections --region us-east-1 --query 'Connections[].[ConnectionArn, ConnectionStatus]' --output table",
};

pub(super) const CATALOG_FAILED: Explanation = Explanation {
    cause: "Service Catalog could not create the product, its version or its launch constraint (status FAILED). It says no more than that; the message says which of them.",
    remedy: "For a launch constraint, check that the launch role exists and trusts `servicecatalog.amazonaws.com`; for a product or version, check the project template, and what the account's Service Catalog console says. What failed is deleted and made again, ever more slowly; the only version of a product is not, so delete the product in the console, and it is made anew.",
    command: AGAIN,
};

pub(super) const NO_LAUNCH_PATH: Explanation = Explanation {
    cause: "Service Catalog knows no launch path by which the operator's role may launch the product: the role is not among the portfolio's principals, was deleted and made anew since, or the product is not in the portfolio.",
    remedy: "Look for policies or people that take principals or the product out of the portfolio; the operator puts both back. AWS needs up to two minutes for a new principal.",
    command: "aws servicecatalog list-principals-for-portfolio --region us-east-1 --portfolio-id \"$(kubectl get mlpf main -o jsonpath='{.status.catalog.portfolioId}')\"",
};

pub(super) const BUCKET_MISSING: Explanation = Explanation {
    cause: "The bucket in `artifacts.bucket` does not exist, or is in another region than `aws.region`.",
    remedy: "Create it in `aws.region`. An object that leaves `artifacts.bucket` out gets a bucket of the operator's own; the field cannot change in one that exists.",
    command: "aws s3api head-bucket --bucket our-artifacts",
};

pub(super) const BUCKET_NAME_TAKEN: Explanation = Explanation {
    cause: "The name of the bucket that the operator would make is taken, by another AWS account or in another region. Names of buckets are shared by all of AWS.",
    remedy: "Find out whose it is and have it removed. Where it cannot go, make a new object with an existing bucket of your own in `artifacts.bucket`.",
    command: "aws s3api list-buckets --query 'Buckets[?starts_with(Name, `mlops-`)].Name'",
};

pub(super) const FOREIGN_OWNER: Explanation = Explanation {
    cause: "Something of that name exists and is not this object's: it bears no mark of the operator's, or another object's. The message names it. What was made for this object and bears another's mark now is said so.",
    remedy: "Choose another name or folder, or rename or remove what is there. Where somebody has put another mark on what is this object's, take that tag off.",
    command: CONDITIONS,
};

pub(super) const PROJECT_FAILED: Explanation = Explanation {
    cause: "SageMaker could not create the project, or its product in Service Catalog is broken or was terminated. The message is the first cause that AWS gives. A cause that begins with `...SeedCodeCheckIn` is about seed code: [What it says, and what to do](../seed-code.md#what-it-says-and-what-to-do).",
    remedy: "Remove the cause. The operator deletes what is left and creates the project again, ever more slowly, or at once when the spec changes or you ask for it; where the message says that it is not tried again by itself, first remove what it names.",
    command: AGAIN,
};

pub(super) const PROJECT_UPDATE_FAILED: Explanation = Explanation {
    cause: "SageMaker could not update the project, or its product stayed tainted after an update. CloudFormation has rolled back: the project is as before, not as declared. The message is the first cause.",
    remedy: "Remove the cause, or change the spec. The update is tried again, ever more slowly, or at once when you ask for it.",
    command: AGAIN,
};

pub(super) const PROJECT_DELETE_FAILED: Explanation = Explanation {
    cause: "SageMaker could not delete the project; the message names what is in the way, such as a bucket that is not empty, or a launch role that no longer exists.",
    remedy: "Remove what is in the way. The deletion is tried again, ever more slowly, or at once when you ask for it.",
    command: AGAIN,
};

pub(super) const IMMUTABLE_REMOTE: Explanation = Explanation {
    cause: "The SageMaker project was launched from another product than the object's own, and SageMaker cannot change that: somebody has made it by hand under this name, or the product was deleted and made anew.",
    remedy: "Save what the project's bucket and repositories hold, then delete the SageMaker project by hand: it is created again from the object's product.",
    command: "aws sagemaker describe-project --region us-east-1 --project-name taxi-fares --query ServiceCatalogProvisioningDetails",
};

pub(super) const STACK_FAILED: Explanation = Explanation {
    cause: "CloudFormation could not create the model trigger's stack, or somebody's update of it failed without a rollback. The message is the first cause.",
    remedy: "Remove the cause: most often the stack role lacks a permission, or `modelTrigger.permissionsBoundaryArn` is missing ([permissions.md](../permissions.md)). The stack is made again, ever more slowly.",
    command: STACK_EVENTS,
};

pub(super) const STACK_ROLLED_BACK: Explanation = Explanation {
    cause: "An update of the model trigger's stack failed and was rolled back: the stack works as before, and is not as declared. The message is the first cause.",
    remedy: "Remove the cause, or change the spec. The update is tried again, ever more slowly.",
    command: STACK_EVENTS,
};

pub(super) const STACK_ROLLBACK_FAILED: Explanation = Explanation {
    cause: "An update of the model trigger's stack failed, and so did its rollback (`UPDATE_ROLLBACK_FAILED`). The operator continues the rollback by itself; the condition is Stalled once that has failed, too.",
    remedy: "Remove the cause that the message names: most often a resource that somebody has deleted, or a permission that the stack role has lost.",
    command: STACK_EVENTS,
};

pub(super) const STACK_DELETE_FAILED: Explanation = Explanation {
    cause: "CloudFormation could not delete the model trigger's stack; the message names what is in the way.",
    remedy: "Remove what is in the way. The deletion is tried again, ever more slowly.",
    command: STACK_EVENTS,
};

pub(super) const MESSAGES_DEAD: Explanation = Explanation {
    cause: "`TriggerReady` is True, and events whose jobs could not be started for three days wait in the trigger's dead-letter queue, until two weeks after the event: models were approved, and their deploy jobs have not run.",
    remedy: "See why with the first command of the message, remove the cause, and start them with the second one ([When an approved model starts no job](../setup.md#when-an-approved-model-starts-no-job)).",
    command: "kubectl get mlpf main -o jsonpath='{.status.trigger.replayCommand}'",
};

pub(super) const MESSAGES_WAITING: Explanation = Explanation {
    cause: "`TriggerReady` is True, and events have waited in the trigger's queue for more than half an hour, since Jenkins could not be asked to start their jobs. They are tried again for three days.",
    remedy: "See why with the command of the message, and remove the cause: mostly the function cannot reach Jenkins, or its user may not start the job ([When an approved model starts no job](../setup.md#when-an-approved-model-starts-no-job)).",
    command: CONDITIONS,
};

pub(super) const QUEUES_UNCHECKED: Explanation = Explanation {
    cause: "`TriggerReady` is True, but the operator may not read the attributes of the trigger's queues: it does not say whether events wait there.",
    remedy: "Allow the operator's role `sqs:GetQueueAttributes`, as [permissions.md](../permissions.md) has it.",
    command: AGAIN,
};
