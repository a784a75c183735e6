//! The world after a change, as the rules look at it: what AWS and Jenkins have, never what the operator says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use mlops_sandbox::jenkins::xml::{self, Element};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::fields::env::{ACCOUNT, Environment, PEM, REGION, own_template, token_of};

/// See the module.
pub struct Seen {
    world: Value,
    pub object: Value,
    stack_role: Value,
    jobs: Vec<(String, Element)>,
    /// What an approved model starts; null: nothing.
    route: Value,
}

impl Seen {
    pub async fn of(env: &Environment, name: &str) -> Self {
        let object = env.object(name).await.unwrap_or_default();
        let world = env.sandbox.world(|world| world.dump());
        let mut jobs = Vec::new();
        job_configs(&world["jenkins"], "", &mut jobs);
        let id = object["status"]["project"]["id"].as_str().unwrap_or("no project").to_owned();
        jobs.retain(|(name, _)| name.contains(&id));
        let written = env.sandbox.journal();
        let stack_role =
            written.iter().rev().find(|entry| ["CreateStack", "UpdateStack"].contains(&entry.operation.as_str()));
        let stack_role = stack_role.map(|entry| entry.input["RoleARN"].clone()).unwrap_or_default();
        let bucket = object["status"]["artifacts"]["bucket"].as_str().unwrap_or_default();
        let objects = world["s3"][bucket]["objects"].as_object();
        let of_project = |key: &&String| key.contains("/routes/") && key.ends_with(&format!("-{id}.json"));
        let key = objects.into_iter().flat_map(|objects| objects.keys()).find(of_project);
        let body =
            key.and_then(|key| env.sandbox.world(|world| world.s3.bucket(bucket)?.versions(key).last()?.body.clone()));
        let route = body.map(|body| serde_json::from_slice(&body).unwrap()).unwrap_or_default();
        Self { world, object, stack_role, jobs, route }
    }

    fn region(&self) -> &Value {
        &self.world["regions"][format!("{ACCOUNT}/{REGION}")]
    }

    pub fn placement(&self) -> &Value {
        &self.object["status"]["placement"]
    }

    pub fn project(&self) -> &Value {
        let projects = self.region()["sagemaker"]["projects"].as_array().unwrap();
        let id = &self.object["status"]["project"]["id"];
        projects.iter().find(|project| &project["id"] == id).unwrap_or(&Value::Null)
    }

    fn of_catalog(&self, kind: &str, id: &str) -> &Value {
        &self.region()["servicecatalog"][kind][self.object["status"]["catalog"][id].as_str().unwrap_or_default()]
    }

    pub fn portfolio(&self) -> &Value {
        self.of_catalog("portfolios", "portfolioId")
    }

    pub fn product(&self) -> &Value {
        self.of_catalog("products", "productId")
    }

    /// The product's versions that take launches: those of earlier templates stay, deprecated.
    fn launched_from(&self) -> Vec<&Value> {
        let all = self.region()["servicecatalog"]["artifacts"].as_object().unwrap();
        all.values().filter(|version| version["guidance"] == "DEFAULT").collect()
    }

    /// Whether the one version of this product that takes launches holds the template in the ConfigMap.
    pub fn launches_own_template(&self, _: &Value) -> bool {
        let product = &self.object["status"]["catalog"]["productId"];
        let own = hex::encode(Sha256::digest(own_template()));
        let of_product = |version: &&&Value| &version["product"] == product;
        self.launched_from().iter().filter(of_product).map(|version| &version["template"]).eq([&json!(own)])
    }

    pub fn constraint(&self) -> &Value {
        let product = &self.object["status"]["catalog"]["productId"];
        let constraints = self.region()["servicecatalog"]["constraints"].as_object().unwrap();
        constraints.values().find(|constraint| &constraint["product"] == product).unwrap_or(&Value::Null)
    }

    pub fn principals(&self) -> Vec<&Value> {
        let portfolio = &self.object["status"]["catalog"]["portfolioId"];
        let all = self.region()["servicecatalog"]["principals"].as_array().unwrap();
        all.iter().filter(|principal| &principal[0] == portfolio).collect()
    }

    pub fn has_principal(&self, arn: &Value) -> bool {
        self.principals().iter().any(|principal| &principal[1] == arn)
    }

    fn stack(&self, has: &str) -> &Value {
        let id = &self.object["status"]["project"]["id"];
        let stacks = self.region()["cloudformation"]["stacks"].as_array().unwrap();
        let ours =
            |stack: &&Value| stack["parameters"].get(has).is_some() && &stack["parameters"]["SageMakerProjectId"] == id;
        stacks.iter().find(ours).unwrap_or(&Value::Null)
    }

    /// The model trigger's stack.
    pub fn trigger(&self) -> &Value {
        let id = self.object["status"]["trigger"]["stackId"].as_str().unwrap_or_default();
        let name = id.split('/').nth(1).unwrap_or_default();
        let stacks = self.region()["cloudformation"]["stacks"].as_array().unwrap();
        stacks.iter().find(|stack| stack["name"] == name).unwrap_or(&Value::Null)
    }

    /// What an approved model of the project's group starts.
    pub fn route(&self) -> &Value {
        &self.route
    }

    /// The parameters of the project's own stack.
    pub fn launched(&self) -> &Value {
        &self.stack("ArtifactBucketKmsKeyArn")["parameters"]
    }

    pub fn trigger_lists(&self, parameter: &str, value: &Value) -> bool {
        let wanted: Vec<_> = value.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        self.trigger()["parameters"][parameter] == wanted.join(",")
    }

    /// Whether the secret that the Lambda reads has this Jenkins user and its token.
    pub fn trigger_starts_as(&self, user: &str) -> bool {
        let secret = json!({"user": user, "token": token_of(user)}).to_string();
        self.trigger()["parameters"]["JenkinsSecret"] == format!("sha256:{}", hex::encode(Sha256::digest(secret)))
    }

    /// Whether the secret that the Lambda reads has the CA bundle.
    pub fn trigger_trusts_ca(&self, _: &Value) -> bool {
        let (user, token) = mlops_sandbox::jenkins::Jenkins::credentials();
        let secret = json!({"user": user, "token": token, "caBundle": PEM}).to_string();
        self.trigger()["parameters"]["JenkinsSecret"] == format!("sha256:{}", hex::encode(Sha256::digest(secret)))
    }

    /// The role of the last stack operation.
    pub fn stack_role(&self) -> Value {
        self.stack_role.clone()
    }

    pub fn artifact_bucket(&self) -> &Value {
        &self.world["s3"][self.object["status"]["artifacts"]["bucket"].as_str().unwrap_or_default()]
    }

    pub fn has_repository(&self, url: &Value, branch: Option<&Value>) -> bool {
        let repositories = self.region()["sagemaker"]["codeRepositories"].as_array().unwrap();
        repositories.iter().any(|repository| {
            let git = &repository["git"];
            (url.is_null() || &git["RepositoryUrl"] == url) && branch.is_none_or(|branch| &git["Branch"] == branch)
        })
    }

    fn every_job(&self, holds: impl Fn(&Element) -> bool) -> bool {
        self.jobs.len() >= 3 && self.jobs.iter().all(|(_, config)| holds(config))
    }

    /// Whether each job has an element of that name with that text, or the description with it.
    pub fn jobs_say(&self, element: &str, text: &str) -> bool {
        self.every_job(|config| {
            config
                .walk()
                .iter()
                .any(|it| it.name == element && (it.text == text || element == "description" && it.text.contains(text)))
        })
    }

    /// Whether each job has a parameter with that default.
    pub fn jobs_default(&self, name: &str, value: &Value) -> bool {
        self.every_job(|config| {
            config.walk().iter().any(|it| {
                it.child_text("name") == Some(name)
                    && it.child_text("defaultValue").unwrap_or_default() == value.as_str().unwrap()
            })
        })
    }

    /// Whether the job polls that URL, and that branch.
    pub fn job_polls(&self, role: &str, url: &Value, branch: Option<&Value>) -> bool {
        let job = self.jobs.iter().find(|(name, _)| name.ends_with(&format!("-{role}")));
        let says = |element: &str, text: &str| {
            job.is_some_and(|(_, config)| config.walk().iter().any(|it| it.name == element && it.text == text))
        };
        (url.is_null() || says("url", url.as_str().unwrap()))
            && branch.is_none_or(|branch| says("name", &format!("refs/heads/{}", branch.as_str().unwrap())))
    }

    /// Whether the jobs stand below a folder that is, or lies in, this path.
    pub fn jobs_stand_in(&self, folder: &str) -> bool {
        self.jobs.len() >= 3 && self.jobs.iter().all(|(name, _)| name.contains(&format!("/{folder}/")))
    }

    /// What must be the same again after a change was taken back: everything but ids of replaced resources, states and
    /// histories.
    pub fn lasting(&self) -> Value {
        let region = self.region();
        let catalog = &region["servicecatalog"];
        let git: std::collections::BTreeSet<String> = region["sagemaker"]["codeRepositories"]
            .as_array()
            .unwrap()
            .iter()
            .map(|repository| repository["git"].to_string())
            .collect();
        // SageMaker hands tags on to the stack that it launches and takes none off again: those are not looked at.
        let stacks: Vec<Value> = region["cloudformation"]["stacks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|stack| {
                let trigger = stack["parameters"].get("JenkinsSecret").is_some();
                json!({"name": stack["name"], "tags": trigger.then_some(&stack["tags"]), "parameters": stack["parameters"]})
            })
            .collect();
        let project = self.project();
        let jobs: Vec<_> = self.jobs.iter().map(|(name, config)| json!([name, xml::write(config, "")])).collect();
        json!({
            "portfolios": catalog["portfolios"], "products": catalog["products"], "artifacts": self.launched_from(),
            "constraints": catalog["constraints"].as_object().unwrap().values().collect::<Vec<_>>(),
            "principals": catalog["principals"],
            "project": {"description": project["description"], "tags": project["tags"]},
            "git": git, "stacks": stacks, "jobs": jobs,
            "bucket": self.artifact_bucket()["settings"],
            "route": self.route,
            "placement": self.placement(),
        })
    }
}

fn job_configs(parent: &Value, path: &str, found: &mut Vec<(String, Element)>) {
    for item in parent["items"].as_array().into_iter().flatten() {
        let path = format!("{path}/{}", item["name"].as_str().unwrap());
        let config = xml::parse(item["config"].as_str().unwrap()).expect("what Jenkins has is XML");
        if config.name == "flow-definition" {
            found.push((path.clone(), config));
        }
        job_configs(item, &path, found);
    }
}
