//! One command of a build after the other, each in a process group of its own, which goes with it, and so do the
//! descendants that have made groups of their own, as `timeout` does: all by their ids. Variables and folder are handed on, as CodeBuild hands them on within a
//! build. It knows no buildspec and no world.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::Instant;

use super::process_environment;

/// What hands variables and folder on.
const HAND_ON: &str = include_str!("command.sh");
/// How often it is looked whether the build has been stopped, and what it said.
const LOOK: Duration = Duration::from_millis(100);

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By itself, with this exit code.
    Code(i32),
    /// The build's time was over.
    Overdue,
    /// The build was stopped, or the sandbox stops.
    Stopped,
    /// It could not be run: why.
    NotRun(String),
}

/// Runs the commands of one build.
#[derive(Debug)]
pub(crate) struct Shell {
    program: String,
    /// What is kept between commands: `environment`, `folder`, `command`.
    kept: PathBuf,
    home: PathBuf,
    scratch: PathBuf,
    log: PathBuf,
    environment: Vec<(String, String)>,
    end: Instant,
}

/// A process, which ends when this is dropped, with its group and all that descends from it.
struct Group(u32);

impl Drop for Group {
    fn drop(&mut self) {
        let mut all = BTreeSet::new();
        // Halted first, so that none begets others while they are ended.
        loop {
            let seen = descendants(self.0);
            if seen.is_subset(&all) {
                break;
            }
            all.extend(seen);
            signal("STOP", self.0, &all);
        }
        signal("KILL", self.0, &all);
    }
}

/// Sends a signal to a group and to processes.
fn signal(name: &str, group: u32, processes: &BTreeSet<u32>) {
    let mut kill = std::process::Command::new("sh");
    kill.args(["-c", "for one; do kill -s \"$0\" -- \"$one\"; done", name]).arg(format!("-{group}"));
    kill.args(processes.iter().map(u32::to_string));
    // What is gone cannot be ended any more, which is as well.
    let _ = kill.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

/// Everything that descends from a process; nothing where the system does not show its processes as files.
fn descendants(process: u32) -> BTreeSet<u32> {
    let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    let parent = |process: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name, in parentheses, may have spaces and parentheses of its own.
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let living = std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(number);
    let parents: Vec<(u32, u32)> = living.filter_map(|one| Some((one, parent(one)?))).collect();
    let mut found = BTreeSet::new();
    let mut elders = vec![process];
    while let Some(elder) = elders.pop() {
        let children = parents.iter().filter(|(one, parent)| *parent == elder && !found.contains(one));
        let children: Vec<u32> = children.map(|(one, _)| *one).collect();
        found.extend(&children);
        elders.extend(children);
    }
    found
}

impl Shell {
    /// A shell (`sh` or `bash`) for a build in `folder`, whose source is in `src` there; `time` is all that it has.
    ///
    /// # Errors
    /// Folders that cannot be made.
    pub(crate) fn new(
        program: &str,
        folder: &Path,
        environment: &[(String, String)],
        time: Duration,
    ) -> std::io::Result<Self> {
        let (kept, home, scratch) = (folder.join("kept"), folder.join("home"), folder.join("tmp"));
        for own in [&kept, &home, &scratch] {
            std::fs::create_dir_all(own)?;
        }
        std::fs::write(kept.join("folder"), folder.join("src").as_os_str().as_encoded_bytes())?;
        Ok(Self {
            program: program.to_owned(),
            kept,
            home,
            scratch,
            log: folder.join("log"),
            environment: environment.to_vec(),
            end: Instant::now() + time,
        })
    }

    /// All that the commands have said so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Runs a command. `look` is called again and again with what has been said, and tells whether to go on.
    pub(crate) async fn run(
        &self,
        text: &str,
        succeeding: bool,
        mut stop: watch::Receiver<bool>,
        look: impl Fn(&str) -> bool,
    ) -> Ended {
        let mut child = match self.spawn(text, succeeding) {
            Ok(child) => child,
            Err(error) => return Ended::NotRun(format!("{} does not start: {error}", self.program)),
        };
        let _group = child.id().map(Group);
        let ended = loop {
            tokio::select! {
                status = child.wait() => break match status {
                    Ok(status) => Ended::Code(status.code().unwrap_or(137)),
                    Err(error) => Ended::NotRun(error.to_string()),
                },
                () = tokio::time::sleep_until(self.end) => break Ended::Overdue,
                _ = stop.changed() => break Ended::Stopped,
                () = tokio::time::sleep(LOOK) => if !look(&self.said()) { break Ended::Stopped },
            }
        };
        look(&self.said());
        ended
    }

    fn spawn(&self, text: &str, succeeding: bool) -> std::io::Result<tokio::process::Child> {
        std::fs::write(self.kept.join("command"), format!("{text}\n"))?;
        let log = std::fs::File::options().create(true).append(true).open(&self.log)?;
        let mut line = log.try_clone()?;
        std::io::Write::write_all(&mut line, format!("[Container] Running command {text}\n").as_bytes())?;
        let mut command = Command::new(&self.program);
        command.args(["-c", HAND_ON, &self.program]).arg(&self.kept).arg(if succeeding { "1" } else { "0" });
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("PATH", process_environment::search_path()).env("HOME", &self.home).env("LANG", "C.UTF-8");
        command.env("TMPDIR", &self.scratch);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true).process_group(0);
        command.spawn()
    }
}
