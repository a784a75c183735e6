//! A map of bounded size: beyond it, the value that was not used for longest is forgotten. It stands alone as the one bound
//! on what grows with what users name; what is kept must be something that can be made again.

use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug)]
pub struct Recent<K, V> {
    bound: usize,
    /// Counts uses: the higher, the later.
    used: u64,
    values: BTreeMap<K, (u64, V)>,
}

impl<K: Ord + Clone, V: Clone> Recent<K, V> {
    /// Holds at most so many values, and one at least.
    pub fn new(bound: usize) -> Self {
        Self { bound: bound.max(1), used: 0, values: BTreeMap::new() }
    }

    /// The value of a key, which counts as used now.
    pub fn get(&mut self, key: &K) -> Option<V> {
        self.used += 1;
        let (used, value) = self.values.get_mut(key)?;
        *used = self.used;
        Some(value.clone())
    }

    /// Keeps a value. Whoever holds one that is forgotten for it can go on using it. Answers whose was.
    pub fn keep(&mut self, key: K, value: V) -> Option<K> {
        self.used += 1;
        let mut forgotten = None;
        if self.values.len() >= self.bound && !self.values.contains_key(&key) {
            forgotten = self.values.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
            forgotten.as_ref().and_then(|key| self.values.remove(key));
        }
        self.values.insert(key, (self.used, value));
        forgotten
    }

    /// How many values are kept.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_is_forgotten() {
        let mut recent = Recent::new(2);
        assert!(recent.is_empty());
        recent.keep("a", 1);
        recent.keep("b", 2);
        assert_eq!(recent.get(&"a"), Some(1));
        assert_eq!(recent.keep("c", 3), Some("b"));
        assert_eq!([recent.get(&"a"), recent.get(&"b"), recent.get(&"c")], [Some(1), None, Some(3)]);
        recent.keep("c", 4);
        assert_eq!(
            [recent.get(&"a"), recent.get(&"c")],
            [Some(1), Some(4)],
            "a new value of a key takes no other's place"
        );
        for n in 0..1000 {
            recent.keep("many", n);
            recent.keep("more", n);
        }
        assert_eq!(recent.len(), 2);
    }
}
