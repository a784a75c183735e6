//! `mlops-rehearsal [MANIFEST...]`: the story of a platform and its projects in one program. The operator runs over a sandbox
//! that plays AWS and Jenkins and over an in-memory Kubernetes API; nothing outside this machine is contacted. It reads its
//! arguments, starts the story and turns its end into an exit code; nothing else.

mod conditions;
mod display;
mod example;
mod inventory;
mod manifest;
mod preparation;
mod processes;
mod stage;
mod story;
mod trigger;
mod watch;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

/// Plays the life of MlopsProjects: apply, an approved model, drift or an edit, deletion. AWS and Jenkins are a sandbox.
#[derive(Parser)]
#[command(name = "mlops-rehearsal", version)]
struct Arguments {
    /// Files with an MlopsProject that has a platform of its own, or with an MlopsPlatform and the projects on it; and with
    /// the Secrets, ConfigMaps and Namespaces that they name. Without any, examples/platform is played.
    #[arg(value_name = "MANIFEST")]
    manifests: Vec<PathBuf>,
    /// How many seconds the sandbox takes to make a project; stacks take 40 % of it, builds 25 %, products 10 %.
    #[arg(long, value_name = "SECONDS", default_value_t = 4.0, value_parser = seconds)]
    project_seconds: f64,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=600.0).contains(&seconds) => Ok(seconds),
        _ => Err("takes a number of seconds from 0.1 to 600".to_owned()),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match play(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("\nmlops-rehearsal: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn play(arguments: &Arguments) -> Result<(), String> {
    let (name, documents, remarks) = documents(&arguments.manifests)?;
    let delays = stage::Delays::of(Duration::from_secs_f64(arguments.project_seconds));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(async {
        let display = display::Display::new(std::io::stdout().is_terminal());
        story::play(&name, (documents, remarks), delays, processes::missing().await, display).await
    })
}

/// What is played, what it is called, and what was changed in it.
fn documents(manifests: &[PathBuf]) -> Result<(String, manifest::Documents, Vec<String>), String> {
    if manifests.is_empty() {
        let (documents, remark) = example::documents().map_err(|error| format!("{}: {error}", example::NAME))?;
        return Ok((example::NAME.to_owned(), documents, vec![remark]));
    }
    let (mut names, mut texts) = (Vec::new(), Vec::new());
    for path in manifests {
        names.push(path.display().to_string());
        let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        texts.push(text);
    }
    let name = names.join(" and ");
    let documents = manifest::Documents::read(&texts.join("\n---\n")).map_err(|error| format!("{name}: {error}"))?;
    Ok((name, documents, Vec::new()))
}
