//! Answers that many objects may share: what a listing showed a few minutes ago confirms of each item in it that it is as it
//! was. It stands alone since AWS and Jenkins are looked at by the same rule: such an answer may say that all is well, and
//! nothing else. Whoever would act upon it, or waits for something, asks anew. It calls nobody.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// For how long an answer may be shared: what has vanished is found so much later at most, beside the time between two looks.
pub const AGE: Duration = Duration::from_mins(10);

tokio::task_local! {
    static LOOK: Look;
}

/// A look that may take answers of others.
#[derive(Clone)]
struct Look {
    /// They must have been asked for since then; absent: at any time. It is a moment and not an age, since whoever waits for
    /// an answer that somebody else has asked for would find it too old as soon as it is there.
    since: Option<Instant>,
    /// Whether it took one.
    used: Arc<AtomicBool>,
}

/// Looks at something with answers that others may have got. Answers whether there was such a one.
pub async fn sharing<T>(look: impl Future<Output = T>) -> (T, bool) {
    sharing_within(AGE, look).await
}

/// The same with answers that are younger than so, and than [`AGE`] in any case.
pub async fn sharing_within<T>(age: Duration, look: impl Future<Output = T>) -> (T, bool) {
    let used = Arc::new(AtomicBool::new(false));
    let since = Instant::now().checked_sub(age.min(AGE));
    let found = LOOK.scope(Look { since, used: used.clone() }, look).await;
    (found, used.load(Ordering::Acquire))
}

/// Whether answers may be shared here.
pub fn may_share() -> bool {
    LOOK.try_with(|_| ()).is_ok()
}

/// Notes that something is said which was not asked for just now.
fn note() {
    let _ = LOOK.try_with(|look| look.used.store(true, Ordering::Release));
}

/// Whether an answer that was asked for at this moment will do here.
fn is_young(asked: Instant) -> bool {
    LOOK.try_with(|look| look.since.is_none_or(|since| asked > since)).unwrap_or_default()
}

/// Answers by what was asked for; clones share them.
#[derive(Debug)]
pub struct Answers<K, V>(Arc<Mutex<HashMap<K, Answer<V>>>>);

/// One answer, and who waits for it: whoever comes second does not ask.
type Answer<V> = Arc<tokio::sync::Mutex<Option<(Instant, V)>>>;

impl<K, V> Clone for Answers<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V> Default for Answers<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash, V: Clone> Answers<K, V> {
    /// The answer to a question: a shared one where that may be, or else what asking brings, which others may share.
    ///
    /// # Errors
    /// Those of asking.
    pub async fn get<E>(&self, key: K, ask: impl Future<Output = Result<V, E>>) -> Result<V, E> {
        self.get_or_young(Duration::ZERO, key, ask).await
    }

    /// The same, where one that is younger than so will do even where nothing may be shared: for what is looked at again and
    /// again while something beside it is made.
    ///
    /// # Errors
    /// Those of asking.
    pub async fn get_or_young<E>(
        &self,
        young: Duration,
        key: K,
        ask: impl Future<Output = Result<V, E>>,
    ) -> Result<V, E> {
        if !may_share() {
            if let Some(answer) = self.young(young, &key) {
                return Ok(answer);
            }
            let asked = Instant::now();
            let answer = ask.await?;
            keep(&self.known(key), asked, answer.clone());
            return Ok(answer);
        }
        let known = self.known(key);
        let (mut held, waited) = match known.try_lock() {
            Ok(held) => (held, false),
            Err(_) => (known.lock().await, true),
        };
        if let Some((_, answer)) = held.as_ref().filter(|(asked, _)| is_young(*asked)) {
            note();
            return Ok(answer.clone());
        }
        let asked = Instant::now();
        if waited {
            // The one before has failed: those that waited for it do not fail one after the other.
            drop(held);
            let answer = ask.await?;
            keep(&known, asked, answer.clone());
            return Ok(answer);
        }
        let answer = ask.await?;
        *held = Some((asked, answer.clone()));
        Ok(answer)
    }

    /// What was asked for is not as it was.
    pub fn forget(&self, key: &K) {
        self.all().remove(key);
    }

    /// How many answers are kept.
    pub fn len(&self) -> usize {
        self.all().len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An answer that is younger than so. Nobody is waited for: who asks just now may have to wait for his turn.
    fn young(&self, than: Duration, key: &K) -> Option<V> {
        let known = self.all().get(key).cloned()?;
        let held = known.try_lock().ok()?;
        held.as_ref().filter(|(asked, _)| asked.elapsed() < than).map(|(_, answer)| answer.clone())
    }

    fn known(&self, key: K) -> Answer<V> {
        let mut all = self.all();
        // Nobody asks for the old ones any more: what they are about may be gone for good.
        all.retain(|_, answer| {
            Arc::strong_count(answer) > 1
                || answer.try_lock().is_ok_and(|held| held.as_ref().is_some_and(|(asked, _)| asked.elapsed() < AGE))
        });
        all.entry(key).or_default().clone()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<K, Answer<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps an answer for others.
fn keep<V>(known: &Answer<V>, asked: Instant, answer: V) {
    // One that somebody asks for just now is left to that one.
    if let Ok(mut held) = known.try_lock() {
        *held = Some((asked, answer));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::AtomicU32;

    use super::*;

    /// Asks a listing whose answers are numbered. What it says, and whether it was shared.
    async fn look(answers: &Answers<&'static str, u32>, asked: &AtomicU32, share: bool) -> (u32, bool) {
        let ask = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, ()>(asked.fetch_add(1, Ordering::AcqRel) + 1)
        };
        let look = answers.get("folder", ask);
        if share { sharing(async { look.await.unwrap() }).await } else { (look.await.unwrap(), false) }
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_serves_all_that_look_within_ten_minutes() {
        let (answers, asked) = (Answers::default(), AtomicU32::new(0));
        let all = futures::future::join_all((0..5).map(|_| look(&answers, &asked, true))).await;
        assert_eq!(
            all,
            [(1, false), (1, true), (1, true), (1, true), (1, true)],
            "one asks, and the others wait for it"
        );
        tokio::time::sleep(AGE / 2).await;
        assert_eq!(look(&answers, &asked, true).await, (1, true));
        assert_eq!(look(&answers, &asked, false).await, (2, false), "who may not share asks anew");
        assert_eq!(look(&answers, &asked, true).await, (2, true), "and others share what that brought");
        tokio::time::sleep(AGE).await;
        assert_eq!(look(&answers, &asked, true).await, (3, false), "it is too old");
        answers.forget(&"folder");
        assert_eq!(look(&answers, &asked, true).await, (4, false), "it is known to have changed");
        tokio::time::sleep(AGE / 2).await;
        let younger = |age| sharing_within(age, answers.get("folder", async { Ok::<_, ()>(0) }));
        assert_eq!(younger(AGE).await, (Ok(4), true));
        assert_eq!(younger(AGE / 2).await, (Ok(0), false), "who needs a younger one asks anew");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_an_answer_takes_it_however_long_it_was_under_way() {
        let (answers, asked) = (Answers::default(), AtomicU32::new(0));
        let ask = || async {
            tokio::time::sleep(Duration::from_mins(1)).await;
            Ok::<_, ()>(asked.fetch_add(1, Ordering::AcqRel) + 1)
        };
        let soon = Duration::from_secs(1);
        let later = async {
            tokio::time::sleep(soon / 2).await;
            sharing_within(soon, answers.get("folder", ask())).await
        };
        let both = futures::join!(sharing_within(soon, answers.get("folder", ask())), later);
        assert_eq!(both, ((Ok(1), false), (Ok(1), true)));
        assert_eq!(sharing_within(soon, answers.get("folder", ask())).await, (Ok(2), false), "it was asked for before");
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_waited_in_vain_ask_at_once_and_others_share_what_that_brings() {
        let answers: Answers<&str, u32> = Answers::default();
        let fails = sharing(answers.get("folder", async {
            tokio::time::sleep(AGE / 10).await;
            Err("refused")
        }));
        let waits = sharing(answers.get("folder", async { Ok::<_, &str>(1) }));
        let both = futures::join!(fails, waits);
        assert_eq!(both, ((Err("refused"), false), (Ok(1), false)));
        assert_eq!(sharing(answers.get("folder", async { Ok::<_, ()>(2) })).await, (Ok(1), true));
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_not_share_takes_a_young_answer_where_that_will_do() {
        let answers = Answers::default();
        let young = |answer| answers.get_or_young(AGE / 100, "folder", async move { Ok::<_, ()>(answer) });
        assert_eq!(young(1).await, Ok(1));
        assert_eq!(young(2).await, Ok(1));
        assert_eq!(answers.get("folder", async { Ok::<_, ()>(3) }).await, Ok(3), "others ask anew");
        tokio::time::sleep(AGE / 100).await;
        assert_eq!(young(4).await, Ok(4), "it is no longer young");
        answers.forget(&"folder");
        assert_eq!(young(5).await, Ok(5), "it is known to have changed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_fails_is_asked_by_the_next_and_old_answers_are_not_kept() {
        let answers: Answers<u32, u32> = Answers::default();
        let (failed, _) = sharing(answers.get(1, async { Err::<u32, _>("refused") })).await;
        assert_eq!(failed, Err("refused"));
        assert_eq!(sharing(answers.get(1, async { Ok::<_, ()>(7) })).await, (Ok(7), false));
        for key in 2..100 {
            sharing(answers.get(key, async { Ok::<_, ()>(7) })).await.0.unwrap();
        }
        tokio::time::sleep(AGE).await;
        sharing(answers.get(100, async { Ok::<_, ()>(7) })).await.0.unwrap();
        assert_eq!(answers.len(), 1);
    }
}
