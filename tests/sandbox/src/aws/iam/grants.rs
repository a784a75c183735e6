//! What policies allow, where a service must know it: whether a resource's own policy lets a service in, and whether the
//! policies of a role allow an action. Apart from the list of denied actions, which binds every caller; here only services
//! ask. A condition that cannot be decided does not hold.

use serde_json::Value;

use super::State;
use super::access::matches;
use super::conditions::{Facts, fact, hold};
use super::trust::{Source, one_or_many, texts};

/// Managed policies of AWS's own whose content is known here, by the end of their ARNs, with what they allow on every
/// resource (AWS Managed Policy Reference Guide).
const MANAGED: [(&str, &[&str]); 3] = [
    (":iam::aws:policy/AdministratorAccess", &["*"]),
    (":iam::aws:policy/AmazonSQSFullAccess", &["sqs:*"]),
    (
        ":iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole",
        &["sqs:receivemessage", "sqs:deletemessage", "sqs:getqueueattributes"],
    ),
];

/// Whether the policy of a resource lets a service do an action on it, on behalf of `source`.
pub fn lets_in(policy: &Value, service: &str, action: &str, resource: &str, source: Source<'_>) -> bool {
    let names = |statement: &Value| {
        let principal = &statement["Principal"];
        let anyone = principal == "*" || texts(principal.get("AWS")).iter().any(|one| one == "*");
        anyone || texts(principal.get("Service")).iter().any(|one| one == service)
    };
    decided(std::slice::from_ref(policy), &source.facts(), |statement| {
        names(statement) && about(statement, action, resource)
    })
}

impl State {
    /// Whether a policy of the role allows an action on a resource, and none denies it.
    pub fn permits(&self, role_arn: &str, action: &str, resource: &str) -> bool {
        self.permits_given(role_arn, action, resource, &Facts::new())
    }

    /// The same for a request of which these condition keys are known, in lower case; those that are not named are not
    /// decided.
    pub fn permits_given(&self, role_arn: &str, action: &str, resource: &str, facts: &Facts) -> bool {
        let Some(role) = self.role_by_arn(role_arn) else { return false };
        let mut policies: Vec<Value> =
            role.policies.values().filter_map(|text| serde_json::from_str(text).ok()).collect();
        policies.extend(role.attached.iter().filter_map(|arn| self.managed.get(arn).cloned()));
        for (name, actions) in MANAGED {
            if role.attached.iter().any(|arn| arn.ends_with(name)) {
                let statement = serde_json::json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
                policies.push(serde_json::json!({"Statement": statement}));
            }
        }
        decided(&policies, facts, |statement| about(statement, action, resource))
    }
}

impl State {
    /// From now on the role's own policies decide, beside the list of denied actions, whether it may use a Git connection.
    pub fn judge(&mut self, role_arn: &str) {
        self.judged.insert(role_arn.to_owned());
    }

    /// Whether a role may use a Git connection, given by its ARN, for one repository (Developer Tools console user guide,
    /// "Use a connection": the condition key `FullRepositoryId` of either service).
    pub fn may_use_connection(&self, role_arn: &str, connection: &str, repository: &str) -> bool {
        let service = connection.split(':').nth(2).unwrap_or_default();
        let action = format!("{service}:UseConnection");
        let known = Facts::from([fact(&format!("{service}:fullrepositoryid"), Some(repository))]);
        self.denied(role_arn, &action).is_none()
            && (!self.judged.contains(role_arn) || self.permits_given(role_arn, &action, connection, &known))
    }
}

fn decided(policies: &[Value], facts: &Facts, applies: impl Fn(&Value) -> bool) -> bool {
    let statements = policies.iter().flat_map(|policy| one_or_many(policy.get("Statement").unwrap_or(&Value::Null)));
    let hits: Vec<&Value> =
        statements.filter(|statement| applies(statement) && hold(statement.get("Condition"), facts)).collect();
    hits.iter().any(|hit| hit["Effect"] == "Allow") && !hits.iter().any(|hit| hit["Effect"] == "Deny")
}

/// Whether a statement is about the action and the resource; the case of letters does not matter in actions.
fn about(statement: &Value, action: &str, resource: &str) -> bool {
    let action = action.to_ascii_lowercase();
    let named = |element: &str, hit: &dyn Fn(&str) -> bool| match statement.get(element) {
        Some(values) => texts(Some(values)).iter().any(|one| hit(one)),
        None => statement.get(format!("Not{element}")).is_some_and(|not| !texts(Some(not)).iter().any(|one| hit(one))),
    };
    named("Action", &|one| matches(&one.to_ascii_lowercase(), &action))
        && named("Resource", &|one| matches(one, resource))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_role_may_what_one_of_its_policies_allows_and_none_denies() {
        let own = |effect: &str, action: Value, resource: &str| json!({"Effect": effect, "Action": action, "Resource": resource});
        let queue = "arn:aws:sqs:eu-west-1:111122223333:q";
        #[rustfmt::skip]
        let rows = [
            ("no policy", json!([]), "", false),
            ("the action itself", json!([own("Allow", json!("sqs:ReceiveMessage"), queue)]), "", true),
            ("in other letters, with a wildcard", json!([own("Allow", json!(["SQS:receive*"]), "*")]), "", true),
            ("another action", json!([own("Allow", json!("sqs:SendMessage"), queue)]), "", false),
            ("another queue", json!([own("Allow", json!("sqs:*"), "arn:aws:sqs:*:*:r")]), "", false),
            ("denied as well", json!([own("Allow", json!("*"), "*"), own("Deny", json!("sqs:*"), queue)]), "", false),
            ("all but another action", json!([{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}]), "", true),
            ("under a condition", json!([{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}]), "", false),
            ("the policy of AWS for it", json!([]), "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole", true),
            ("another policy of AWS", json!([]), "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole", false),
        ];
        for (case, statements, attached, expected) in rows {
            let mut state = State::new("111122223333");
            let arn = state.add_role("111122223333", "/", "run", &["lambda.amazonaws.com"]);
            let role = state.roles.get_mut(&("111122223333".to_owned(), "run".to_owned())).unwrap();
            role.policies.insert("p".to_owned(), json!({"Statement": statements}).to_string());
            if !attached.is_empty() {
                role.attached.insert(attached.to_owned());
            }
            assert_eq!(state.permits(&arn, "sqs:ReceiveMessage", queue), expected, "{case}");
        }
    }
}
