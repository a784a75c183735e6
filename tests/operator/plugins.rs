//! Plugins that Jenkins lacks, and a user who may not see which it has: what shows, how often it is tried, and that it ends
//! by itself once the plugin is there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use crate::harness::story::{Story, manifest};
use mlops_sandbox::Settings;
use mlops_sandbox::jenkins::{Jenkins, Permission};

/// A project on a Jenkins without a plugin, whose user may not see which there are, once the jobs name it: with the version
/// that was taken away, and what the jobs say.
async fn without(plugin: &str) -> (Story, String, String) {
    let mut story = Story::begin("a plugin is missing", Settings::default()).await;
    let version = story.harness.sandbox.world(|world| {
        let user = world.jenkins.users.get_mut(&Jenkins::credentials().0).unwrap();
        user.permissions.remove(&Permission::OverallSystemRead);
        world.jenkins.plugins.remove(plugin).unwrap()
    });
    story.harness.apply(manifest());
    let named = |story: &Story| story.condition("JobsReady").1 == "PluginMissing";
    story.until("the plugin's name", Duration::from_mins(2), named).await;
    let said = story.harness.message("JobsReady");
    (story, version, said)
}

#[tokio::test(start_paused = true)]
async fn a_missing_plugin_shows_by_what_the_jobs_keep() {
    for plugin in ["git", "workflow-cps"] {
        let (mut story, version, said) = without(plugin).await;
        assert!(said.contains(&format!(": {plugin}")), "{said}");
        let writes = story.writes();
        story.pass(Duration::from_mins(65)).await;
        let tried = story.writes() - writes;
        assert!((1..=3).contains(&tried), "{plugin}: each job once in an hour, not {tried} times");
        assert_eq!(story.condition("JobsReady").1, "PluginMissing", "{plugin}");
        story.harness.sandbox.world(|world| world.jenkins.plugins.insert(plugin.to_owned(), version));
        story.pass(Duration::from_mins(75)).await;
        assert_eq!((story.ready(), story.condition("JobsReady").1), (true, "InSync".to_owned()), "{plugin}");
    }
}

/// What a Jenkinsfile that is a script does without stops no project: its jobs are there, and say what may lack.
#[tokio::test(start_paused = true)]
async fn the_plugin_that_declarative_jenkinsfiles_need_is_a_remark_until_a_build_succeeds() {
    let plugin = "pipeline-model-definition";
    let (mut story, version, said) = without(plugin).await;
    assert!(said.contains(plugin) && said.contains("scripts"), "{said}");
    story.until("a project that is Ready", Duration::from_mins(2), Story::ready).await;
    let writes = story.writes();
    story.pass(Duration::from_mins(65)).await;
    assert_eq!(story.writes() - writes, 0, "a job was written again");
    assert_eq!((story.ready(), story.condition("JobsReady").1), (true, "PluginMissing".to_owned()));
    story.harness.sandbox.world(|world| world.jenkins.plugins.insert(plugin.to_owned(), version));
    let jobs = story.project().unwrap()["status"]["jobs"]["items"].clone();
    for job in jobs.as_array().unwrap() {
        let path = job["url"].as_str().unwrap().strip_prefix("https://ci.example").unwrap();
        story.harness.jenkins("POST", &format!("{path}buildWithParameters"), "").await;
    }
    story.pass(Duration::from_mins(75)).await;
    assert_eq!((story.ready(), story.condition("JobsReady").1), (true, "InSync".to_owned()));
}
