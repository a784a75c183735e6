//! The other operators of the namespace: what their Leases tell of them, and what is said where two of them watch the same
//! objects. Apart from leader election, which holds this operator's own Lease, and from the shard, which asks nobody. It writes
//! nothing, and believes a Lease only where its name fits its selector.

use std::collections::BTreeMap;
use std::future::pending;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt;

use crate::controller::context::Context;
use crate::controller::shard::{Other, Overlap};
use crate::domain::watch_selector::{LEASE, WatchSelector};

/// Annotation of a Lease with the selector of the operators that it is for.
pub const SELECTOR: &str = "mlops-operator.io/watch-selector";
/// How often the Leases are looked at.
pub const LOOK: Duration = Duration::from_mins(1);
/// How long a Lease must have stood still before its operator counts as gone: much longer than a restart takes.
const GONE: Duration = Duration::from_mins(5);
/// How far behind the own Lease's time that of a Lease must be for its operator to count as gone at the first look: much
/// further than clocks differ.
const LONG_GONE: SignedDuration = SignedDuration::from_hours(1);
/// For how long a leader that has just begun leaves what others watch, too, to them: until they have seen that it is there.
const SETTLE: Duration = Duration::from_secs(150);

/// What was seen of the Leases of this operator's namespace, from look to look.
pub struct Neighbours {
    /// The name of this operator's own Lease.
    own: String,
    seen: BTreeMap<String, Stamp>,
}

/// A Lease as it was when it last changed.
struct Stamp {
    holder: Option<String>,
    renewed: Option<Timestamp>,
    /// When that was seen first; `None`: its operator was gone by then.
    since: Option<Duration>,
}

impl Neighbours {
    /// Knows of nobody yet.
    pub fn new(own: String) -> Self {
        Self { own, seen: BTreeMap::new() }
    }

    /// Who else is there, by the Leases of the namespace; `now` is how long this operator has led. Whoever is seen to renew a
    /// Lease is there, whatever the time on it. Only of a Lease that is seen for the first time the time counts, too.
    pub fn judge(&mut self, leases: &[Lease], now: Duration) -> Vec<Other> {
        let age = |lease: &Lease| (lease.creation_timestamp().map_or(Timestamp::MAX, |time| time.0), lease.name_any());
        let own = leases.iter().find(|lease| lease.name_any() == self.own);
        let renewed = own.and_then(renewal);
        let own = own.map_or_else(|| (Timestamp::MAX, self.own.clone()), age);
        self.seen.retain(|name, _| leases.iter().any(|lease| lease.name_any() == *name));
        let mut others = Vec::new();
        for lease in leases {
            let Some(selector) = selector_of(lease).filter(|_| lease.name_any() != self.own) else { continue };
            if self.is_there(lease, now, renewed) {
                let first = now < SETTLE || age(lease) < own;
                others.push(Other { lease: lease.name_any(), selector, first });
            }
        }
        others
    }

    /// `own`: when this operator's own Lease was renewed.
    fn is_there(&mut self, lease: &Lease, now: Duration, own: Option<Timestamp>) -> bool {
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.clone()).filter(|name| !name.is_empty());
        let renewed = renewal(lease);
        let since = match self.seen.get(&lease.name_any()) {
            Some(known) if (&known.holder, known.renewed) == (&holder, renewed) => known.since,
            Some(_) => Some(now),
            None => {
                let behind = own.zip(renewed).map(|(own, renewed)| own.duration_since(renewed));
                let gone = holder.is_none() || behind.is_some_and(|behind| behind >= LONG_GONE);
                (!gone).then_some(now)
            }
        };
        self.seen.insert(lease.name_any(), Stamp { holder, renewed, since });
        since.is_some_and(|since| now.saturating_sub(since) < GONE)
    }
}

/// When a Lease was renewed, by its holder's clock.
fn renewal(lease: &Lease) -> Option<Timestamp> {
    lease.spec.as_ref()?.renew_time.as_ref().map(|time| time.0)
}

/// The selector of the operators that a Lease is for; `None`: it is for none.
fn selector_of(lease: &Lease) -> Option<WatchSelector> {
    if lease.name_any() == LEASE {
        return Some(WatchSelector::default());
    }
    let selector: WatchSelector = lease.annotations().get(SELECTOR)?.parse().ok()?;
    (selector.lease() == lease.name_any()).then_some(selector)
}

/// Follows who else is there, and says where two operators watch the same objects.
pub async fn follow(context: &Context) {
    let mut others = context.dependencies.sharding.others.clone();
    let mut told = Vec::new();
    loop {
        let alone = others.borrow().is_empty();
        let changed = async {
            if others.changed().await.is_err() {
                // Nobody looks any more.
                pending::<()>().await;
            }
        };
        let due = async {
            match alone {
                true => pending().await,
                false => tokio::time::sleep(LOOK).await,
            }
        };
        tokio::select! {
            () = changed => {
                let now = others.borrow_and_update().clone();
                context.meet(now);
            }
            () = due => {}
        }
        tell(context, &mut told);
    }
}

/// Counts the overlaps, and logs them where they are others than before.
fn tell(context: &Context, told: &mut Vec<Overlap>) {
    let overlaps = context.shard.overlaps();
    context.dependencies.metrics.overlap(context.shard.shared());
    if overlaps == *told {
        return;
    }
    for Overlap { other, count, example } in &overlaps {
        let works = if other.first { "the other one" } else { "this one" };
        tracing::warn!(
            selector = %context.shard.selector(), other = %other.selector, lease = other.lease, objects = count,
            example = %format!("{} {}/{}", example.kind().as_str(), example.namespace, example.name),
            "two operators watch the same objects, and {works} works on them: let their selectors exclude each other"
        );
    }
    if overlaps.is_empty() {
        tracing::info!("no other operator watches the same objects any more");
    }
    *told = overlaps;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    const MINUTE: u64 = 60;

    /// A Lease for a selector, made at a second and renewed at one.
    fn lease(selector: &str, made: i64, renewed: i64) -> Lease {
        let parsed: WatchSelector = selector.parse().unwrap();
        let at = |second| Timestamp::from_second(second).unwrap().to_string();
        let metadata =
            json!({"name": parsed.lease(), "creationTimestamp": at(made), "annotations": {SELECTOR: selector}});
        let spec = json!({"holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": format!("{}.000000Z", at(renewed).trim_end_matches('Z'))});
        serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
    }

    fn neighbours() -> Neighbours {
        Neighbours::new("a=b".parse::<WatchSelector>().unwrap().lease())
    }

    /// Who is there and first, by selector.
    fn judged(neighbours: &mut Neighbours, leases: &[Lease], second: u64) -> Vec<(String, bool)> {
        let others = neighbours.judge(leases, Duration::from_secs(second));
        others.into_iter().map(|other| (other.selector.to_string(), other.first)).collect()
    }

    #[test]
    fn the_older_lease_goes_first_and_of_two_of_one_second_that_with_the_lesser_name() {
        let (own, other) = (lease("a=b", 10, 10).name_any(), lease("c", 10, 10).name_any());
        let rows = [
            ("an older one", Some(10), 9, true),
            ("a younger one", Some(10), 11, false),
            ("one of the same second", Some(10), 10, other < own),
            ("one where the own Lease is not there", None, 11, true),
        ];
        for (case, made, others, first) in rows {
            let mut leases = vec![lease("c", others, 10)];
            leases.extend(made.map(|made| lease("a=b", made, 10)));
            let mut looking = neighbours();
            assert_eq!(judged(&mut looking, &leases, 3 * MINUTE), [("c".to_owned(), first)], "{case}");
        }
    }

    #[test]
    fn whoever_has_just_begun_leaves_to_others_what_they_watch_too() {
        let mut looking = neighbours();
        let both = |renewed| [lease("a=b", 1, renewed), lease("c", 2, renewed)];
        assert_eq!(judged(&mut looking, &both(10), 0), [("c".to_owned(), true)]);
        assert_eq!(judged(&mut looking, &both(70), 2 * MINUTE), [("c".to_owned(), true)]);
        assert_eq!(judged(&mut looking, &both(130), 3 * MINUTE), [("c".to_owned(), false)]);
    }

    #[test]
    fn an_operator_is_gone_once_its_lease_has_stood_still_for_minutes() {
        let mut looking = neighbours();
        let there = [("c".to_owned(), true)];
        assert_eq!(judged(&mut looking, &[lease("c", 1, 10)], 3 * MINUTE), there);
        assert_eq!(judged(&mut looking, &[lease("c", 1, 10)], 7 * MINUTE), there, "it may be about to start again");
        assert_eq!(judged(&mut looking, &[lease("c", 1, 10)], 8 * MINUTE), []);
        assert_eq!(judged(&mut looking, &[lease("c", 1, 20)], 9 * MINUTE), there, "whatever the time on it");
        assert_eq!(judged(&mut looking, &[], 10 * MINUTE), [], "its Lease was deleted");
    }

    #[test]
    fn an_operator_that_was_gone_before_the_first_look_is_not_there_until_its_lease_changes() {
        const HOUR: i64 = 3600;
        let free = |renewed, holder: Option<&str>| {
            let mut lease = lease("c", 1, renewed);
            lease.spec.as_mut().unwrap().holder_identity = holder.map(str::to_owned);
            lease
        };
        let own = lease("a=b", 1, 2 * HOUR);
        let rows = [
            ("a Lease that was given back", free(2 * HOUR, None), true, false),
            ("one whose holder is an empty name", free(2 * HOUR, Some("")), true, false),
            ("one whose holder ended an hour ago", lease("c", 1, HOUR), true, false),
            ("one that was renewed a second later than that", lease("c", 1, HOUR + 1), true, true),
            ("one by a clock that is ahead", lease("c", 1, 4 * HOUR), true, true),
            ("an old one, where the own Lease is not there", lease("c", 1, HOUR), false, true),
        ];
        for (case, first, with_own, there) in rows {
            let mut looking = neighbours();
            let with = |lease: &Lease| [vec![lease.clone()], vec![own.clone(); usize::from(with_own)]].concat();
            for second in [0, MINUTE] {
                assert_eq!(judged(&mut looking, &with(&first), second).len(), usize::from(there), "{case}");
            }
            let renewed = with(&lease("c", 1, 5 * HOUR));
            assert_eq!(judged(&mut looking, &renewed, 2 * MINUTE).len(), 1, "{case}: its operator comes");
            let given_back = with(&free(5 * HOUR, None));
            assert_eq!(
                judged(&mut looking, &given_back, 3 * MINUTE).len(),
                1,
                "{case}: it may be about to start again"
            );
        }
    }

    #[test]
    fn what_is_no_operators_lease_is_left_out() {
        let named = |name: &str| {
            let mut lease = lease("c", 1, 10);
            lease.metadata.name = Some(name.to_owned());
            lease
        };
        let plain = |name: &str| Lease {
            metadata: kube::core::ObjectMeta { name: Some(name.to_owned()), ..Default::default() },
            ..Lease::default()
        };
        let rows = [
            ("another selector's", lease("c", 1, 10), vec!["c"]),
            ("that of an operator without a selector", lease("", 1, 10), vec![""]),
            ("its own", lease("a=b", 1, 10), vec![]),
            ("one whose name does not fit the selector", named("mlops-operator-0000000000"), vec![]),
            ("the claim of the installation", plain("mlops-operator-installation"), vec![]),
        ];
        for (case, lease, wanted) in rows {
            let found = judged(&mut neighbours(), &[lease], 0);
            assert_eq!(found.iter().map(|(selector, _)| selector.as_str()).collect::<Vec<_>>(), wanted, "{case}");
        }
    }
}
