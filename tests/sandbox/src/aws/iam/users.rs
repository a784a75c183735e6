//! Users as GetUser gives them. Apart from `access`, which knows them by their keys: here they are known by their names,
//! whether they have a key or a stack made them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::{Call, Outcome, Refusal};
use super::State;
use super::access::user_id;
use crate::world::World;

/// A user as its account has it.
#[derive(Clone, Debug)]
pub(in crate::aws) struct Person {
    /// `/`, or such as `/team/`.
    pub(in crate::aws) path: String,
    /// When it was made.
    pub(in crate::aws) created: Timestamp,
    /// Tags, each with `Key` and `Value`.
    pub(in crate::aws) tags: Value,
}

impl State {
    /// A user comes to be, or goes.
    pub(in crate::aws) fn set_user(&mut self, account: &str, name: &str, person: Option<Person>) {
        let key = (account.to_owned(), name.to_owned());
        match person {
            Some(person) => drop(self.people.insert(key, person)),
            None => drop(self.people.remove(&key)),
        }
    }

    fn person(&self, account: &str, name: &str) -> Option<Person> {
        let known = self.people.get(&(account.to_owned(), name.to_owned())).cloned();
        // Whoever calls with a static key of no user is the administrator, who has been there for ever.
        known.or_else(|| {
            (name == "administrator").then(|| Person {
                path: "/".to_owned(),
                created: Timestamp::UNIX_EPOCH,
                tags: Value::Null,
            })
        })
    }
}

/// GetUser: the user of that name, or the one who asks.
pub(super) fn get(world: &World, call: &Call<'_>) -> Outcome {
    let account = &call.caller.account;
    let name = match (call.text("UserName"), call.caller.principal.rsplit_once(":user/")) {
        ("", Some((_, path_and_name))) => path_and_name.rsplit('/').next().unwrap_or_default(),
        ("", None) => {
            let message = "Must specify userName when calling with non-User credentials";
            return Err(Refusal::new("ValidationError", message));
        }
        (name, _) => name,
    };
    let person = world.iam.person(account, name).ok_or_else(|| {
        Refusal::new("NoSuchEntity", format!("The user with name {name} cannot be found.")).with_status(404)
    })?;
    let arn = format!("arn:aws:iam::{account}:user{}{name}", person.path);
    let tags = person.tags.as_array().is_some_and(|tags| !tags.is_empty()).then_some(person.tags);
    Ok(json!({"User": {
        "Path": person.path, "UserName": name, "UserId": user_id(&arn), "Arn": arn,
        "CreateDate": person.created.to_string(), "Tags": tags,
    }}))
}
