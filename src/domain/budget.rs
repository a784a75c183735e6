//! How fast the calls of one service may follow each other: a bucket of tokens whose rate falls when the service asks to slow
//! down and rises while it does not. It stands alone since AWS and every Jenkins are called by the same rules. It sends
//! nothing, waits for nothing and reads no clock: it says whether a call may go at a given moment, and if not, when.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::time::elapsed;

/// The slowest rate, in calls a second, whatever the service answers.
pub const SLOWEST: f64 = 0.5;
/// The share of a full bucket that calls of routine looks leave to others.
pub const RESERVED: f64 = 0.2;
/// A call of a routine look goes after so many calls for users that came before it, however many of those there are.
const FOR_USERS_IN_A_ROW: u32 = 4;
/// A full bucket holds the calls of so many seconds.
const FULL: f64 = 4.0;
/// The same of a service that has asked to slow down: that it takes so many a second says nothing of how many at once.
const FULL_AFTER_THROTTLE: f64 = 1.0;
/// No full bucket holds fewer: a call of a routine look would find no token that it may take.
const FEWEST: f64 = 2.0;
/// By which part of itself, or of the starting rate if that is less, a rate rises with each second in which it is used up.
const RISE: f64 = 0.02;
/// The same below the rate that was too fast the last time, up to what is around that: half of it may be far too little.
const RECOVERY: f64 = 0.1;
/// The same around that rate: to find out anew costs somebody a call.
const CAREFUL_RISE: f64 = 0.004;
/// What is around it.
const AROUND: (f64, f64) = (0.75, 1.25);
/// What is left of a rate that was too fast, and of one that was found so carefully.
const LEFT: f64 = 0.5;
const LEFT_AROUND: f64 = 0.85;
/// For how long it is remembered that a rate was too fast.
const REMEMBERED: Duration = Duration::from_hours(1);
/// The longest time that a service may ask for: a wrong answer must not end all calls for days.
const LONGEST_HOLD: Duration = Duration::from_hours(1);

/// Why a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// A user has changed or deleted something, or has asked for a look.
    User,
    /// A look at what should be as it was.
    Routine,
}

/// Where a bucket's rate begins and ends, in calls a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The rate at first.
    pub start: f64,
    /// The rate that it never exceeds.
    pub ceiling: f64,
}

impl Limits {
    /// Those of a service, by the name that its SDK gives it, or of a Jenkins. Most services publish none: theirs begin with
    /// a guess, and what they answer corrects it.
    pub fn of(service: &str) -> Self {
        let (start, ceiling) = match service {
            // 3,500 writes and 5,500 reads a second for each prefix of a bucket ("Best practices design patterns").
            "S3" => (100.0, 1000.0),
            // Users were told of 5 DescribeStacks a second that cannot be raised (aws/aws-sam-cli#2671).
            "CloudFormation" => (5.0, 25.0),
            // Jenkins limits nothing; its web server takes as many requests at once as it has threads, and how many objects
            // are worked on at once is bounded.
            "jenkins" => (100.0, 400.0),
            _ => (25.0, 50.0),
        };
        Self { start, ceiling }
    }
}

/// A call that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    lane: Lane,
    number: u64,
}

/// Whether a call may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It may, and its token is taken: the ticket is no longer valid.
    Now,
    /// Not before so much time has passed, as far as can be said now.
    In(Duration),
}

/// The calls of one service that may go, and those that wait. A moment that lies before the last one counts as that.
#[derive(Clone, Debug)]
pub struct Bucket {
    limits: Limits,
    /// Calls a second.
    rate: f64,
    tokens: f64,
    /// Until when the tokens have been counted. It lies ahead while the service has asked for no calls.
    counted: Timestamp,
    /// For how long the service has asked for no calls, the last time: `counted` is never further ahead than that.
    hold: Duration,
    /// When the rate last fell, and what it was before.
    fell: Option<(Timestamp, f64)>,
    user: VecDeque<u64>,
    routine: VecDeque<u64>,
    /// How many tickets there have been.
    tickets: u64,
    /// How many calls for users in a row went while a call of a routine look waited.
    overtaken: u32,
}

impl Bucket {
    /// A full one.
    pub fn new(limits: Limits, now: Timestamp) -> Self {
        Self {
            limits,
            rate: limits.start,
            tokens: limits.start * FULL,
            counted: now,
            hold: Duration::ZERO,
            fell: None,
            user: VecDeque::new(),
            routine: VecDeque::new(),
            tickets: 0,
            overtaken: 0,
        }
    }

    /// Calls a second at present.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// A call begins to wait. Its ticket is valid until its turn has come or it leaves.
    pub fn enter(&mut self, lane: Lane) -> Ticket {
        self.tickets += 1;
        let number = self.tickets;
        self.queue(lane).push_back(number);
        Ticket { lane, number }
    }

    /// A call waits no longer.
    pub fn leave(&mut self, ticket: Ticket) {
        self.queue(ticket.lane).retain(|number| *number != ticket.number);
    }

    /// Whether the turn of a call has come. Those that came before it need not have gone for that, if there are tokens for
    /// them as well.
    pub fn turn(&mut self, ticket: Ticket, now: Timestamp) -> Turn {
        self.count(now);
        let (before, kept) = self.before(ticket);
        #[allow(clippy::cast_precision_loss)]
        let lacking = before as f64 + 1.0 + kept - self.tokens;
        let on_hold = elapsed(now, self.counted);
        // Less than a millionth is what is lost in counting.
        if lacking <= 1e-6 && on_hold.is_zero() {
            self.go(ticket);
            return Turn::Now;
        }
        let seconds = lacking.max(0.0) / self.rate;
        Turn::In(on_hold.saturating_add(Duration::from_secs_f64(seconds)).max(Duration::from_millis(1)))
    }

    /// A call was refused since calls come too fast: the rate falls, and nothing goes for as long as the service asks.
    /// Calls that were `sent` before the rate fell the last time say nothing about the rate since.
    pub fn throttled(&mut self, sent: Timestamp, now: Timestamp, retry_after: Option<Duration>) {
        self.count(now);
        // One that lies ahead is of before a clock was set back.
        if self.fell.is_none_or(|(fell, _)| sent > fell || fell > now) {
            let left = if self.of_refused().is_some_and(is_around) { LEFT_AROUND } else { LEFT };
            self.fell = Some((now, self.rate));
            self.rate = (self.rate * left).max(SLOWEST);
            self.tokens = 0.0;
        }
        self.hold(now, retry_after.unwrap_or_default());
    }

    /// Nothing goes for so long, and then one call after the other.
    pub fn hold(&mut self, now: Timestamp, time: Duration) {
        self.count(now);
        let time = time.min(LONGEST_HOLD);
        if time > elapsed(now, self.counted) {
            self.counted = now.saturating_add(time).unwrap_or(Timestamp::MAX);
            (self.hold, self.tokens) = (time, 0.0);
        }
    }

    /// Adds the tokens of the time that has passed.
    fn count(&mut self, now: Timestamp) {
        let latest = now.saturating_add(self.hold).unwrap_or(Timestamp::MAX);
        // A clock that was set back would make everything wait.
        self.counted = self.counted.min(latest);
        if self.counted <= now {
            let passed = elapsed(self.counted, now).as_secs_f64();
            self.fell = self.fell.filter(|(fell, _)| elapsed(*fell, now) < REMEMBERED);
            self.tokens = (self.tokens + passed * self.rate).min(self.capacity());
            (self.counted, self.hold) = (now, Duration::ZERO);
        }
    }

    /// How many tokens there can be.
    fn capacity(&self) -> f64 {
        let seconds = if self.fell.is_some() { FULL_AFTER_THROTTLE } else { FULL };
        (seconds * self.rate.min(self.limits.start)).max(FEWEST)
    }

    /// By how much the rate rises with one call.
    fn rise(&self) -> f64 {
        let part = match self.of_refused() {
            Some(part) if is_around(part) => CAREFUL_RISE,
            Some(part) if part < AROUND.0 => RECOVERY,
            _ => RISE,
        };
        part * self.rate.min(self.limits.start) / self.rate
    }

    /// Which part the rate is of the one that was too fast the last time.
    fn of_refused(&self) -> Option<f64> {
        self.fell.map(|(_, refused)| self.rate / refused)
    }

    /// How many calls go before this one, and how many tokens it has to leave.
    fn before(&self, ticket: Ticket) -> (usize, f64) {
        let at =
            |queue: &VecDeque<u64>| queue.iter().position(|number| *number == ticket.number).unwrap_or(queue.len());
        let (row, overtaken) = (FOR_USERS_IN_A_ROW as usize, self.overtaken as usize);
        match ticket.lane {
            Lane::User => {
                let at = at(&self.user);
                (at + ((overtaken + at) / row).min(self.routine.len()), 0.0)
            }
            Lane::Routine => {
                let at = at(&self.routine);
                let users = (row * (at + 1)).saturating_sub(overtaken);
                if users <= self.user.len() {
                    // Its turn comes among those for users, who keep the bucket empty.
                    return (at + users, 0.0);
                }
                (at + self.user.len(), RESERVED * self.capacity())
            }
        }
    }

    fn go(&mut self, ticket: Ticket) {
        // What is used up could be too little; of what is not, nobody knows.
        if self.tokens < self.capacity() / 2.0 {
            self.rate = (self.rate + self.rise()).min(self.limits.ceiling);
        }
        self.tokens -= 1.0;
        self.leave(ticket);
        self.overtaken = match ticket.lane {
            Lane::User if !self.routine.is_empty() => (self.overtaken + 1).min(FOR_USERS_IN_A_ROW),
            _ => 0,
        };
    }

    fn queue(&mut self, lane: Lane) -> &mut VecDeque<u64> {
        match lane {
            Lane::User => &mut self.user,
            Lane::Routine => &mut self.routine,
        }
    }
}

fn is_around(part: f64) -> bool {
    (AROUND.0..AROUND.1).contains(&part)
}

/// How long a service asks to wait by the value of the header `Retry-After`: in seconds, or by a moment.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = jiff::fmt::rfc2822::parse(value).ok()?;
    Some(elapsed(now, moment.timestamp()))
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
