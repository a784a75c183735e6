//! Plugins that Jenkins lacks, and a user who may not see which it has: what shows, how often it is tried, and that it ends
//! by itself once the plugin is there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use crate::harness::story::{Story, manifest};
use mlops_sandbox::Settings;
use mlops_sandbox::jenkins::{Jenkins, Permission};

#[tokio::test(start_paused = true)]
async fn a_missing_plugin_shows_by_what_the_jobs_keep() {
    for plugin in ["git", "workflow-cps", "pipeline-model-definition"] {
        let mut story = Story::begin("a plugin is missing", Settings::default()).await;
        let version = story.harness.sandbox.world(|world| {
            let user = world.jenkins.users.get_mut(&Jenkins::credentials().0).unwrap();
            user.permissions.remove(&Permission::OverallSystemRead);
            world.jenkins.plugins.remove(plugin).unwrap()
        });
        story.harness.apply(manifest());
        let minutes = Duration::from_mins(2);
        story.until("the plugin's name", minutes, |story| story.condition("JobsReady").1 == "PluginMissing").await;
        let said = story.harness.message("JobsReady");
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
