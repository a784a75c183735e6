//! `mlops-rehearsal [MANIFEST]`: the story of one project in one program. The operator runs over a sandbox that plays AWS
//! and Jenkins and over an in-memory Kubernetes API; nothing outside this machine is contacted. It reads its arguments,
//! starts the story and turns its end into an exit code; nothing else.

mod conditions;
mod display;
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

/// The manifest that is played where none is named.
const QUICKSTART: &str = include_str!("../../../examples/quickstart.yaml");

/// Plays the life of one MlopsProject: apply, an approved model, an edit, deletion. AWS and Jenkins are a sandbox.
#[derive(Parser)]
#[command(name = "mlops-rehearsal", version)]
struct Arguments {
    /// A file with an MlopsProject, and with the Secrets and ConfigMaps that it names as further documents. Without one,
    /// examples/quickstart.yaml is played.
    manifest: Option<PathBuf>,
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
    let (name, text) = match &arguments.manifest {
        None => ("examples/quickstart.yaml".to_owned(), QUICKSTART.to_owned()),
        Some(path) => {
            let text =
                std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            (path.display().to_string(), text)
        }
    };
    let documents = manifest::Documents::read(&text).map_err(|error| format!("{name}: {error}"))?;
    let delays = stage::Delays::of(Duration::from_secs_f64(arguments.project_seconds));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(async {
        let display = display::Display::new(std::io::stdout().is_terminal());
        story::play(&name, documents, delays, processes::missing().await, display).await
    })
}
