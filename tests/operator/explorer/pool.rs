//! Runs many stories on all processors and gathers what went wrong.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What came of some stories.
#[derive(Debug, Default)]
pub struct Tally {
    pub attempts: usize,
    pub failures: Vec<String>,
}

impl Tally {
    /// Adds another's.
    pub fn add(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.failures.extend(other.failures);
    }

    /// Fails with the first failures in full, and the number of all.
    pub fn assert_clean(&self, what: &str) {
        let shown: Vec<_> = self.failures.iter().take(5).cloned().collect();
        assert!(
            self.failures.is_empty(),
            "{what}: {} of {} failed:\n{}",
            self.failures.len(),
            self.attempts,
            shown.join("\n\n")
        );
    }
}

/// Plays each item; a panic counts as a failure of that item.
pub fn run<T: Sync>(
    items: &[T],
    name: impl Fn(&T) -> String + Sync,
    play: impl Fn(&T) -> Result<(), String> + Sync,
) -> Tally {
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| play(item)));
                    let failure = match played {
                        Ok(Ok(())) => continue,
                        Ok(Err(failure)) => failure,
                        Err(_) => "it panicked (see above)".to_owned(),
                    };
                    failures.lock().unwrap().push(format!("{}: {failure}", name(item)));
                }
            });
        }
    });
    Tally { attempts: items.len(), failures: failures.into_inner().unwrap() }
}
