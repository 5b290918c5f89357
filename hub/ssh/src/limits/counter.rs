//! Counts of what exists right now, kept true by guards: one up when a guard is made, one down when
//! it is dropped, however its owner ends.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A shared count. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicUsize>);

impl Counter {
    /// How many guards exist.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// Counts one more if `admits` says yes to the present count. `admits` is asked again when
    /// another thread was faster, so that no two callers are admitted on the same count.
    pub fn try_acquire(&self, mut admits: impl FnMut(usize) -> bool) -> Option<CounterGuard> {
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| {
                admits(count).then(|| count.saturating_add(1))
            })
            .ok()
            .map(|_| CounterGuard(Arc::clone(&self.0)))
    }
}

/// One, counted in a [`Counter`] until dropped.
#[derive(Debug)]
pub struct CounterGuard(Arc<AtomicUsize>);

impl Drop for CounterGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A count for each key. Clones count together.
///
/// Only keys with guards are held, so the table is never larger than the number of guards.
#[derive(Debug)]
pub struct KeyedCounter<K: Eq + Hash>(Arc<Mutex<HashMap<K, usize>>>);

impl<K: Eq + Hash> Clone for KeyedCounter<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Eq + Hash> Default for KeyedCounter<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash> KeyedCounter<K> {
    /// How many guards exist for `key`.
    pub fn get<Q>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        with(&self.0, |counts| counts.get(key).copied().unwrap_or(0))
    }

    /// How many keys have guards.
    pub fn keys(&self) -> usize {
        with(&self.0, |counts| counts.len())
    }

    /// Counts one more for `key`, unless it has `limit` already.
    pub fn try_acquire<Q>(&self, key: &Q, limit: usize) -> Option<KeyedGuard<K>>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        with(&self.0, |counts| match counts.get_mut(key) {
            Some(count) if *count >= limit => false,
            Some(count) => {
                *count += 1;
                true
            }
            None if limit == 0 => false,
            None => {
                counts.insert(key.to_owned(), 1);
                true
            }
        })
        .then(|| KeyedGuard {
            counts: Arc::clone(&self.0),
            key: key.to_owned(),
        })
    }
}

/// One, counted for its key in a [`KeyedCounter`] until dropped.
#[derive(Debug)]
pub struct KeyedGuard<K: Eq + Hash> {
    counts: Arc<Mutex<HashMap<K, usize>>>,
    key: K,
}

impl<K: Eq + Hash> Drop for KeyedGuard<K> {
    fn drop(&mut self) {
        with(&self.counts, |counts| {
            if let Some(count) = counts.get_mut(&self.key) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&self.key);
                }
            }
        });
    }
}

fn with<K, T>(
    counts: &Mutex<HashMap<K, usize>>,
    act: impl FnOnce(&mut HashMap<K, usize>) -> T,
) -> T {
    // A poisoned lock still guards true counts: nothing in here panics halfway through a change.
    act(&mut counts.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_counter_counts_its_guards() {
        let counter = Counter::default();
        let first = counter.try_acquire(|count| count < 2).unwrap();
        let second = counter.try_acquire(|count| count < 2).unwrap();
        assert!(counter.try_acquire(|count| count < 2).is_none());
        assert_eq!(counter.get(), 2);
        drop(first);
        assert_eq!(counter.get(), 1);
        drop(second);
        assert_eq!(counter.get(), 0);
    }

    #[test]
    fn threads_never_pass_a_limit_together() {
        let counter = Counter::default();
        let keyed = KeyedCounter::<String>::default();
        let guards: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        (0..1000)
                            .filter_map(|_| {
                                let one = counter.try_acquire(|count| count < 100);
                                let other = keyed.try_acquire("bot", 100);
                                (one.is_some() || other.is_some()).then_some((one, other))
                            })
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(counter.get(), 100);
        assert_eq!(keyed.get("bot"), 100);
        drop(guards);
        assert_eq!(counter.get(), 0);
        assert_eq!(keyed.keys(), 0);
    }

    #[test]
    fn a_limit_of_zero_admits_nobody() {
        assert!(
            KeyedCounter::<String>::default()
                .try_acquire("bot", 0)
                .is_none()
        );
    }

    proptest! {
        /// Whatever comes and goes, in whatever order: the counts are those of the live guards,
        /// never over the limit, and keys without guards are forgotten.
        #[test]
        fn keyed_counts_are_those_of_the_live_guards(
            steps in prop::collection::vec((any::<bool>(), 0u8..4, any::<prop::sample::Index>()), 0..200)
        ) {
            const LIMIT: usize = 3;
            let counter = KeyedCounter::<u8>::default();
            let mut live: Vec<(u8, KeyedGuard<u8>)> = Vec::new();
            for (comes, key, which) in steps {
                if comes {
                    let before = live.iter().filter(|(held, _)| *held == key).count();
                    let guard = counter.try_acquire(&key, LIMIT);
                    prop_assert_eq!(guard.is_some(), before < LIMIT);
                    live.extend(guard.map(|guard| (key, guard)));
                } else if !live.is_empty() {
                    live.swap_remove(which.index(live.len()));
                }
                for key in 0..4 {
                    let expected = live.iter().filter(|(held, _)| *held == key).count();
                    prop_assert_eq!(counter.get(&key), expected);
                }
            }
            live.clear();
            prop_assert_eq!(counter.keys(), 0);
        }
    }
}
