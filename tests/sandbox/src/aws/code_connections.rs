//! CodeConnections: connections to Git hosts. A new one is PENDING until a person finishes its handshake, which
//! [`State::approve`] stands for. Both ARN prefixes (`codeconnections`, and `codestar-connections` from before
//! 2024-07-01) name the same connection.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Call, Outcome, Refusal};
use crate::world::World;

const PROVIDERS: [&str; 6] =
    ["Bitbucket", "GitHub", "GitHubEnterpriseServer", "GitLab", "GitLabSelfManaged", "AzureDevOps"];

/// What exists in one account and region: connections by the UUID at the end of their ARN.
#[derive(Clone, Debug, Default)]
pub struct State {
    connections: BTreeMap<String, Connection>,
    /// UUIDs of deleted connections, with when: lists show them a while longer.
    deleted: BTreeMap<String, (Timestamp, Connection)>,
}

/// A connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// With the prefix it was made with.
    pub arn: String,
    /// 1-32 characters.
    pub name: String,
    /// Which kind of Git host.
    pub provider: String,
    /// `PENDING`, `AVAILABLE` or `ERROR`.
    pub status: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created: Timestamp,
}

impl State {
    /// What bears tags here.
    pub(in crate::aws) fn tagged(&self) -> crate::aws::tagging::Tagged {
        self.connections.values().map(|one| (one.arn.clone(), one.tags.clone())).collect()
    }

    /// Puts a connection in that has been there for ever; gives its ARN.
    pub fn add(&mut self, account: &str, region: &str, uuid: &str, name: &str, status: &str) -> String {
        let arn = format!("arn:aws:codeconnections:{region}:{account}:connection/{uuid}");
        let connection = Connection {
            arn: arn.clone(),
            name: name.to_owned(),
            provider: "GitHub".to_owned(),
            status: status.to_owned(),
            tags: BTreeMap::new(),
            created: Timestamp::UNIX_EPOCH,
        };
        self.connections.insert(uuid.to_owned(), connection);
        arn
    }

    /// A person finishes the handshake (`AVAILABLE`), or it breaks (`ERROR`). Gives whether there is such a connection.
    pub fn set_status(&mut self, arn: &str, status: &str) -> bool {
        let connection = uuid(arn).and_then(|uuid| self.connections.get_mut(uuid));
        connection.map(|connection| status.clone_into(&mut connection.status)).is_some()
    }

    /// How a connection stands, if there is one of this ARN.
    pub fn status(&self, arn: &str) -> Option<String> {
        uuid(arn).and_then(|uuid| self.connections.get(uuid)).map(|connection| connection.status.clone())
    }

    /// UUIDs of the connections whose handshake is done.
    pub fn available(&self) -> impl Iterator<Item = &String> {
        self.connections.iter().filter(|(_, connection)| connection.status == "AVAILABLE").map(|(uuid, _)| uuid)
    }

    /// A person finishes the handshake in the console.
    pub fn approve(&mut self, arn: &str) -> bool {
        self.set_status(arn, "AVAILABLE")
    }

    /// Everything that exists, for the dump.
    pub fn dump(&self) -> Value {
        self.connections
            .values()
            .map(|it| json!({"arn": it.arn, "name": it.name, "status": it.status, "provider": it.provider, "tags": it.tags}))
            .collect()
    }
}

fn uuid(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts[..] {
        ["arn", _, "codeconnections" | "codestar-connections", _, _, resource] => resource.strip_prefix("connection/"),
        _ => None,
    }
}

/// Answers one call.
pub fn call(world: &mut World, call: &Call<'_>) -> Outcome {
    match call.operation {
        "CreateConnection" => create(world, call),
        "GetConnection" => Ok(json!({ "Connection": describe(call, find(world, call, "ConnectionArn")?) })),
        "ListConnections" => list(world, call),
        "DeleteConnection" => delete(world, call),
        "TagResource" => {
            let tags = tags(call)?;
            change(world, call, "ResourceArn")?.tags.extend(tags);
            Ok(json!({}))
        }
        "UntagResource" => {
            let keys: Vec<&str> = call.list("TagKeys").iter().filter_map(Value::as_str).collect();
            change(world, call, "ResourceArn")?.tags.retain(|key, _| !keys.contains(&key.as_str()));
            Ok(json!({}))
        }
        "ListTagsForResource" => {
            let tags = &find(world, call, "ResourceArn")?.tags;
            let tags: Value = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
            Ok(json!({ "Tags": tags }))
        }
        other => Err(Refusal::new("UnknownOperationException", format!("{other} is not known here"))),
    }
}

fn not_found(arn: &str) -> Refusal {
    Refusal::new("ResourceNotFoundException", format!("[CodeConnections] Connection {arn} not found")).with_status(404)
}

fn younger(world: &World, moment: Timestamp, delay: Duration) -> bool {
    Duration::try_from(world.now.duration_since(moment)).unwrap_or_default() < delay
}

fn find<'w>(world: &'w World, call: &Call<'_>, member: &str) -> Result<&'w Connection, Refusal> {
    let arn = call.required(member)?;
    let uuid = uuid(arn).ok_or_else(|| invalid(member, arn))?;
    let region = world.regions.get(&(call.caller.account.clone(), call.region.to_owned()));
    let found = region.and_then(|region| region.connections.connections.get(uuid));
    let ours = arn.split(':').nth(4) == Some(&call.caller.account) && arn.split(':').nth(3) == Some(call.region);
    found
        .filter(|connection| ours && !younger(world, connection.created, world.settings.read_after_write))
        .ok_or_else(|| not_found(arn))
}

fn change<'w>(world: &'w mut World, call: &Call<'_>, member: &str) -> Result<&'w mut Connection, Refusal> {
    let arn = call.required(member)?;
    let uuid = uuid(arn).ok_or_else(|| invalid(member, arn))?;
    let state = &mut world.region(&call.caller.account, call.region).connections;
    state.connections.get_mut(uuid).ok_or_else(|| not_found(arn))
}

fn invalid(member: &str, value: &str) -> Refusal {
    let message = format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must satisfy regular expression pattern"
    );
    Refusal::new("ValidationException", message)
}

fn tags(call: &Call<'_>) -> Result<BTreeMap<String, String>, Refusal> {
    let text = |tag: &Value, member: &str| tag[member].as_str().unwrap_or_default().to_owned();
    let tags: BTreeMap<String, String> =
        call.list("Tags").iter().map(|tag| (text(tag, "Key"), text(tag, "Value"))).collect();
    if tags.len() > 200 {
        return Err(Refusal::new("LimitExceededException", "A resource can have at most 200 tags"));
    }
    match tags.keys().find(|key| key.is_empty() || key.starts_with("aws:")) {
        Some(key) => Err(invalid("tags", key)),
        None => Ok(tags),
    }
}

fn describe(call: &Call<'_>, it: &Connection) -> Value {
    json!({
        "ConnectionName": it.name, "ConnectionArn": it.arn, "ProviderType": it.provider,
        "OwnerAccountId": call.caller.account, "ConnectionStatus": it.status,
    })
}

fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    let (name, provider) = (call.required("ConnectionName")?, call.required("ProviderType")?);
    if name.chars().count() > 32 {
        return Err(invalid("connectionName", name));
    }
    if !PROVIDERS.contains(&provider) {
        return Err(invalid("providerType", provider));
    }
    let tags = tags(call)?;
    let uuid = world.ids.uuid();
    let now = world.now;
    let state = &mut world.region(&call.caller.account, call.region).connections;
    let arn = state.add(&call.caller.account, call.region, &uuid, name, "PENDING");
    if let Some(connection) = state.connections.get_mut(&uuid) {
        provider.clone_into(&mut connection.provider);
        connection.tags.clone_from(&tags);
        connection.created = now;
    }
    let listed: Value = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    Ok(json!({ "ConnectionArn": arn, "Tags": listed }))
}

fn list(world: &World, call: &Call<'_>) -> Outcome {
    let region = world.regions.get(&(call.caller.account.clone(), call.region.to_owned()));
    let wanted = call.text("ProviderTypeFilter");
    let lag = world.settings.list_lag;
    let Some(state) = region.map(|region| &region.connections) else { return Ok(json!({ "Connections": [] })) };
    let here = state.connections.values().filter(|it| !younger(world, it.created, lag));
    let still = state.deleted.values().filter(|(when, _)| younger(world, *when, lag)).map(|(_, it)| it);
    let shown: Value = here
        .chain(still)
        .filter(|it| wanted.is_empty() || it.provider == wanted)
        .map(|it| describe(call, it))
        .collect();
    Ok(json!({ "Connections": shown }))
}

fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let arn = change(world, call, "ConnectionArn")?.arn.clone();
    let now = world.now;
    let state = &mut world.region(&call.caller.account, call.region).connections;
    if let Some((uuid, gone)) = uuid(&arn).and_then(|uuid| state.connections.remove_entry(uuid)) {
        state.deleted.insert(uuid, (now, gone));
    }
    Ok(json!({}))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::world::Settings;

    const REGION: &str = "eu-west-1";
    const ARN: &str = "arn:aws:codeconnections:eu-west-1:111122223333:connection/0001";

    fn world() -> World {
        let mut world = World::new(Settings::default(), Timestamp::from_second(1_800_000_000).unwrap());
        world.region("111122223333", REGION).connections.add("111122223333", REGION, "0001", "github", "AVAILABLE");
        world
    }

    fn ask(world: &mut World, operation: &str, input: Value) -> Outcome {
        let caller = world.iam.caller("AKIDEXAMPLE").unwrap();
        call(world, &Call { operation, input: &input, caller: &caller, region: REGION })
    }

    #[test]
    fn a_connection_is_found_under_both_prefixes_and_nowhere_else() {
        let rows = [
            ("its own ARN", ARN.to_owned(), Ok(())),
            ("the old prefix", ARN.replace("codeconnections", "codestar-connections"), Ok(())),
            ("another id", ARN.replace("0001", "0002"), Err("ResourceNotFoundException")),
            ("another account", ARN.replace("1111", "9999"), Err("ResourceNotFoundException")),
            ("another region", ARN.replace("eu-west-1", "us-east-1"), Err("ResourceNotFoundException")),
            ("another service", ARN.replace("codeconnections", "codebuild"), Err("ValidationException")),
        ];
        for (name, arn, wanted) in rows {
            let got = ask(&mut world(), "GetConnection", json!({"ConnectionArn": arn}));
            assert_eq!(got.as_ref().map(|_| ()).map_err(|refusal| refusal.code.as_str()), wanted, "{name}");
        }
    }

    #[test]
    fn a_new_connection_is_pending_until_a_person_approves_it_and_can_be_tagged_and_deleted() {
        let mut world = world();
        let made = ask(
            &mut world,
            "CreateConnection",
            json!({"ConnectionName": "new", "ProviderType": "GitLab", "Tags": [{"Key": "a", "Value": "1"}]}),
        );
        let arn = made.unwrap()["ConnectionArn"].as_str().unwrap().to_owned();
        let status = |world: &mut World| {
            ask(world, "GetConnection", json!({"ConnectionArn": arn})).unwrap()["Connection"]["ConnectionStatus"]
                .clone()
        };
        assert_eq!(status(&mut world), "PENDING");
        assert!(world.region("111122223333", REGION).connections.approve(&arn));
        assert_eq!(status(&mut world), "AVAILABLE");
        ask(&mut world, "TagResource", json!({"ResourceArn": arn, "Tags": [{"Key": "b", "Value": "2"}]})).unwrap();
        ask(&mut world, "UntagResource", json!({"ResourceArn": arn, "TagKeys": ["a"]})).unwrap();
        let tags = ask(&mut world, "ListTagsForResource", json!({"ResourceArn": arn})).unwrap();
        assert_eq!(tags["Tags"], json!([{"Key": "b", "Value": "2"}]));
        let listed = ask(&mut world, "ListConnections", json!({"ProviderTypeFilter": "GitLab"})).unwrap();
        assert_eq!(listed["Connections"].as_array().unwrap().len(), 1);
        ask(&mut world, "DeleteConnection", json!({"ConnectionArn": arn})).unwrap();
        assert_eq!(ask(&mut world, "GetConnection", json!({"ConnectionArn": arn})).unwrap_err().status, 404);
        let refused = ask(&mut world, "CreateConnection", json!({"ConnectionName": "x", "ProviderType": "CVS"}));
        assert_eq!(refused.unwrap_err().code, "ValidationException");
    }

    #[test]
    fn reads_and_lists_lag_as_set() {
        let mut world = world();
        world.settings.read_after_write = Duration::from_secs(1);
        world.settings.list_lag = Duration::from_secs(2);
        let made =
            ask(&mut world, "CreateConnection", json!({"ConnectionName": "new", "ProviderType": "GitHub"})).unwrap();
        let mut seen = Vec::new();
        for _ in 0..3 {
            let got = ask(&mut world, "GetConnection", made.clone()).is_ok();
            seen.push((
                got,
                ask(&mut world, "ListConnections", json!({})).unwrap()["Connections"].as_array().unwrap().len(),
            ));
            let next = world.after(Duration::from_secs(1));
            world.advance(next);
        }
        assert_eq!(seen, [(false, 1), (true, 1), (true, 2)]);
        ask(&mut world, "DeleteConnection", json!({"ConnectionArn": ARN})).unwrap();
        let listed = ask(&mut world, "ListConnections", json!({})).unwrap();
        assert_eq!(listed["Connections"].as_array().unwrap().len(), 2, "a deleted one is still listed");
    }
}
