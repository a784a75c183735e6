//! What many projects cost, as figures and never as a verdict: `make bench` plays fleets over the sandbox in virtual time and
//! prints tables. What is applied stands in `fleet`, what is measured in `figures`; here is only which rows there are.
//! Memory is not measured here: sandbox and operator share the process (`make bench-cluster`).

mod figures;
mod fleet;

use std::future::Future;

use figures::{Beside, Figures};
use fleet::Platforms;
pub(crate) use fleet::{Fleet, manifest, name};

/// The rows that are played unless `BENCH_ROWS` names others.
const ROWS: &str = "1:own 1:1 100:2";
/// How many projects stand on the ten platforms of which one loses its Jenkins, unless `BENCH_LOST` says so.
const LOST: usize = 200;

/// Plays a fleet on a clock of its own.
fn play<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(work)
}

/// `100:2`: a hundred projects on two platforms; `100:own`: each on one of its own.
fn row(text: &str) -> (usize, Platforms) {
    let number = |text: &str| text.parse::<usize>().ok().filter(|number| *number > 0);
    let read = text.split_once(':').and_then(|(projects, platforms)| {
        let platforms =
            if platforms == "own" { Some(Platforms::Own) } else { number(platforms).map(Platforms::Shared) };
        Some((number(projects)?, platforms?))
    });
    read.unwrap_or_else(|| panic!("BENCH_ROWS takes rows like 100:2 (projects:platforms) and 100:own, not {text}"))
}

/// Prints a row for each fleet of `BENCH_ROWS`, separated by blanks.
#[test]
#[ignore = "prints figures: make bench"]
fn figures_of_many_projects() {
    let rows = std::env::var("BENCH_ROWS").unwrap_or_else(|_| ROWS.to_owned());
    println!("\n### In virtual time\n\n{}", Figures::head());
    for (projects, platforms) in rows.split_whitespace().map(row) {
        // The shortest time there is, under the same limits: one project, which nobody is in the way of.
        let alone = play(async { Fleet::apply(1, platforms.of_one()).await.all_ready().await });
        let figures = play(async { Fleet::apply(projects, platforms).await.measure().await });
        println!("{}", figures.row(projects, platforms, alone));
    }
}

/// Prints how long changes of others wait while one Jenkins of ten takes calls and never answers.
#[test]
#[ignore = "prints figures: make bench"]
fn figures_of_a_lost_jenkins() {
    let projects =
        std::env::var("BENCH_LOST").map_or(LOST, |number| number.parse().expect("BENCH_LOST takes a number"));
    println!("\n### A Jenkins that takes calls and answers no more, in virtual time\n\n{}", Beside::head());
    let beside = play(async { Fleet::apply(projects, Platforms::Shared(10)).await.lose_a_jenkins().await });
    println!("{}", beside.row(projects));
}
