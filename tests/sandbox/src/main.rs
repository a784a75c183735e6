//! The sandbox as a process: `mlops-sandbox serve`. It reads its flags, opens the HTTP transport, says where it is, and
//! closes it again when told to; everything else is the library's.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use mlops_sandbox::jenkins::Jenkins;
use mlops_sandbox::transport::http::Server;
use mlops_sandbox::{Clock, Sandbox, Settings};
use tokio::signal::unix::{SignalKind, signal};

/// AWS and Jenkins as far as MLOps projects need them, on loopback. A fake for tests and demos.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve AWS and Jenkins until SIGTERM or SIGINT.
    Serve(Serve),
}

#[derive(Args)]
struct Serve {
    /// File to write once requests are answered: JSON with aws, jenkins, jenkinsUser, jenkinsToken, repositories, pid.
    #[arg(long)]
    ready_file: Option<PathBuf>,
    /// Port for AWS; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    aws_port: u16,
    /// Port for Jenkins; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    jenkins_port: u16,
    /// YAML or JSON file with settings; durations are seconds.
    #[arg(long)]
    settings: Option<PathBuf>,
    /// Folder for the Git repositories behind connections; without it, a temporary one that goes with the sandbox.
    #[arg(long)]
    repositories: Option<PathBuf>,
    /// Stop when standard input closes, so that the sandbox goes when its parent does.
    #[arg(long)]
    until_stdin_closes: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Serve(options) = Cli::parse().command;
    match serve(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mlops-sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: &Serve) -> io::Result<()> {
    let settings = options.settings.as_deref().map_or_else(|| Ok(Settings::default()), read_settings)?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let sandbox = Sandbox::with_clock(settings, Clock::wall());
    let (aws, jenkins) = (options.aws_port, options.jenkins_port);
    let server = Server::with_repositories(&sandbox, aws, jenkins, options.repositories.clone()).await?;
    let ready = ready(&server);
    if let Some(file) = &options.ready_file {
        write_whole(file, &ready)?;
    }
    println!("{ready}");
    let closed = stdin_closed(options.until_stdin_closes);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = closed => {}
    }
    if let Some(file) = &options.ready_file {
        // Whoever waits for the file must not find one of a sandbox that is gone.
        let _ = std::fs::remove_file(file);
    }
    server.stop().await;
    Ok(())
}

fn ready(server: &Server) -> String {
    let (user, token) = Jenkins::credentials();
    serde_json::json!({
        "aws": server.aws_url,
        "jenkins": server.jenkins_url,
        "jenkinsUser": user,
        "jenkinsToken": token,
        "repositories": server.repositories,
        "pid": std::process::id(),
    })
    .to_string()
}

fn read_settings(file: &Path) -> io::Result<Settings> {
    let wrong = |error: &dyn std::fmt::Display| io::Error::other(format!("settings in {}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
    serde_yaml::from_str(&text).map_err(|error| wrong(&error))
}

/// Writes a file so that it is never seen half written.
fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    std::fs::write(&part, text)?;
    std::fs::rename(&part, file)
}

/// Ends when standard input does, if that is wanted; never otherwise.
async fn stdin_closed(wanted: bool) {
    if !wanted {
        return std::future::pending().await;
    }
    let (closed, told) = tokio::sync::oneshot::channel();
    // A thread of its own, since a read from a terminal cannot be cancelled and would hold up the runtime's end.
    std::thread::spawn(move || {
        let mut rest = Vec::new();
        let _ = io::stdin().read_to_end(&mut rest);
        let _ = closed.send(());
    });
    let _ = told.await;
}
