//! What stands on standard output: headings, lines, and a line that shows that the rehearsal lives. It prints what it is
//! given, and judges nothing.

use std::io::Write;
use std::time::{Duration, Instant};

/// After so long without a line, a plain output gets one that says what is waited for.
const QUIET: Duration = Duration::from_secs(5);
/// What fits on a line of a narrow terminal: a longer one could not be drawn again.
const WIDTH: usize = 78;

/// See the module.
pub(crate) struct Display {
    terminal: bool,
    drawn: bool,
    spoken: Instant,
}

impl Display {
    /// `terminal`: headings are bold, and the waiting line is drawn again in place.
    pub(crate) fn new(terminal: bool) -> Self {
        Self { terminal, drawn: false, spoken: Instant::now() }
    }

    pub(crate) fn heading(&mut self, text: &str) {
        match self.terminal {
            true => self.line(&format!("\n\u{1b}[1m== {text}\u{1b}[0m")),
            false => self.line(&format!("\n== {text}")),
        }
    }

    pub(crate) fn line(&mut self, text: &str) {
        self.erase();
        println!("{text}");
        self.spoken = Instant::now();
    }

    /// Says what is waited for: in place on a terminal, else now and then.
    pub(crate) fn waiting(&mut self, since: Instant, text: &str) {
        let line = clipped(&format!("{:6.1} s  waiting: {text}", since.elapsed().as_secs_f64()));
        if self.terminal {
            print!("\r\u{1b}[K{line}");
            // A terminal that is gone shows nothing, which is no reason to stop.
            let _ = std::io::stdout().flush();
            self.drawn = true;
        } else if self.spoken.elapsed() > QUIET {
            self.line(&line);
        }
    }

    /// Takes the waiting line away.
    pub(crate) fn erase(&mut self) {
        if std::mem::take(&mut self.drawn) {
            print!("\r\u{1b}[K");
            let _ = std::io::stdout().flush();
        }
    }
}

/// The beginning of a text, on one line.
fn clipped(text: &str) -> String {
    let plain: Vec<char> = text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
    match plain.len() > WIDTH {
        true => plain[..WIDTH - 1].iter().chain(&['…']).collect(),
        false => plain.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_line_fits_on_one_line_of_a_terminal() {
        assert_eq!(clipped("a\nb"), "a b");
        let long = clipped(&"é".repeat(200));
        assert_eq!((long.chars().count(), long.ends_with('…')), (WIDTH, true));
        assert_eq!(clipped(&"a".repeat(WIDTH)), "a".repeat(WIDTH));
    }
}
