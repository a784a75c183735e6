//! The scenarios: what a project's life consists of, each from the world in which it happens.

use std::time::Duration;

use mlops_sandbox::Settings;
use serde_json::{Value, json};

use super::canonical::difference;
use super::{Act, End, Recording, Saved, Scenario, paused};
use crate::harness::operator::{ACCOUNT, Harness, REGION};

/// The worlds that scenarios begin in, and the clean runs of the two that all others are compared with.
pub struct Environments {
    pub create: Scenario,
    pub created: Recording,
    pub delete: Scenario,
    pub deleted: Recording,
}

impl Environments {
    /// Plays create and delete.
    pub fn prepare() -> Self {
        let create = Scenario { name: "create", from: nothing(), settled: false, act: Act::Apply, end: End::Ready };
        let created = create.record();
        let delete =
            Scenario { name: "delete", from: created.last.clone(), settled: true, act: Act::Delete, end: End::Gone };
        let deleted = delete.record();
        let before = create.before();
        assert_eq!(deleted.end["world"], before["world"], "{}", difference(&before["world"], &deleted.end["world"]));
        Self { create, created, delete, deleted }
    }

    /// Create in an account whose lists and reads lag behind what was just written: what an operator that died has
    /// made, the next one cannot see at first.
    pub fn create_behind(&self) -> Scenario {
        let mut scenario = Scenario { name: "create where lists lag", ..self.create.clone() };
        let settings = &mut scenario.from.world.settings;
        (settings.list_lag, settings.read_after_write) = (Duration::from_secs(10), Duration::from_secs(2));
        scenario
    }

    /// Delete in an account whose lists and reads lag: what was removed shows for a while, and what the operator never
    /// saw may only be too young.
    pub fn delete_behind(&self) -> Scenario {
        let mut scenario = Scenario { name: "delete where lists lag", ..self.delete.clone() };
        let settings = &mut scenario.from.world.settings;
        (settings.list_lag, settings.read_after_write) = (Duration::from_secs(10), Duration::from_secs(2));
        scenario
    }

    /// Create and delete of a project together with the platform that it shares.
    pub fn on_platform(&self) -> [Scenario; 2] {
        let mut from = self.create.from.clone();
        from = paused(async {
            let harness = from.resume();
            harness.put_jenkins_secret_in("mlops-operator");
            Saved::of(&harness)
        });
        let name = "create on a platform";
        let create = Scenario { name, from, settled: false, act: Act::ApplyOnPlatform, end: End::Ready };
        let name = "delete with its platform";
        let from = create.record().last;
        let delete = Scenario { name, from, settled: true, act: Act::DeleteWithPlatform, end: End::Gone };
        [create, delete]
    }

    /// A change of the ready project's spec.
    pub fn update(&self, name: &'static str, patch: Value) -> Scenario {
        let from = self.created.last.clone();
        Scenario { name, from, settled: true, act: Act::Edit(patch), end: End::Ready }
    }

    /// Each kind of update.
    pub fn updates(&self) -> Vec<Scenario> {
        let role = format!("arn:aws:iam::{ACCOUNT}:role/other-launch");
        let off = self.update("trigger off", json!({"spec": {"modelTrigger": {"enabled": false}}}));
        let mut on = self.update("trigger on", json!({"spec": {"modelTrigger": null}}));
        on.from = off.record().last;
        vec![
            self.update("description", description()),
            self.update("tag", json!({"spec": {"tags": {"cost": "42"}}})),
            self.update("branch", json!({"spec": {"repositories": {"build": {"branch": "release"}}}})),
            self.update("poll schedule", json!({"spec": {"jenkins": {"pollSchedule": "H/5 * * * *"}}})),
            off,
            on,
            self.update("seed code", json!({"spec": {"repositories": {"build": {"seedCode": {"source": "BuiltIn"}}}}})),
            self.update("endpoint", json!({"spec": {"repositories": {"endpoint": endpoint()}, "modelTrigger": {"jobs": ["Deploy", "Endpoint"]}}})),
            self.update("launch role", json!({"spec": {"platform": {"aws": {"roles": {"launch": role}}}}})),
        ]
    }

    /// What is left of a project whose resources are all gone: the object alone.
    fn things_gone(&self) -> Saved {
        let mut world = self.create.from.world.clone();
        world.advance(self.created.last.world.now);
        // Ids are not given twice.
        world.ids = self.created.last.world.ids.clone();
        Saved { world, kubernetes: self.created.last.kubernetes.clone() }
    }

    /// What the object is after something happened to it or to its world.
    pub fn losses(&self) -> Vec<Scenario> {
        // Long ago, as far as Service Catalog is concerned: it does not know tokens of then any more.
        let mut ready = self.created.last.clone();
        ready.world.region(ACCOUNT, REGION).catalog.forget_tokens();
        let ready = &ready;
        let scenario = |name, from: &Saved, settled, act, end| Scenario { name, from: from.clone(), settled, act, end };
        vec![
            scenario("status wiped", ready, true, Act::WipeStatus, End::Ready),
            scenario("restored from a backup", ready, false, Act::WipeStatus, End::Ready),
            scenario("re-created with a new uid", ready, true, Act::Recreate, End::Ready),
            scenario("re-created while the operator was away", ready, false, Act::Recreate, End::Ready),
            scenario("everything gone but the object", &self.things_gone(), false, Act::Nothing, End::Ready),
            scenario("everything gone but the finalizer", &self.things_gone(), false, Act::Delete, End::Gone),
        ]
    }
}

/// The patch of the update that serves as the example of all.
pub fn description() -> Value {
    json!({"spec": {"description": "Predicts taxi fares and waiting times"}})
}

/// A fourth repository.
fn endpoint() -> Value {
    let mut repository = Harness::manifest()["spec"]["repositories"]["deploy"].clone();
    repository["url"] = json!("https://github.com/example/taxi-endpoint.git");
    repository["fullName"] = json!("example/taxi-endpoint");
    repository
}

/// A cluster and an account in which nothing has been made yet.
fn nothing() -> Saved {
    paused(async {
        let harness = Harness::new(Settings::default()).await;
        harness.sandbox.world(|world| {
            world.iam.add_role(ACCOUNT, "/", "other-launch", &["servicecatalog.amazonaws.com"]);
        });
        Saved::of(&harness)
    })
}
