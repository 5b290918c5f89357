//! Reverse names that are known for a while.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use tokio::time::Instant;

/// What is known of an address: its short name, or that it has none.
pub(super) type Known = Option<String>;

/// Bounded by a number of addresses: when full, the one that was learned first goes.
#[derive(Debug)]
pub(super) struct Cache {
    capacity: usize,
    known: HashMap<IpAddr, (Known, Instant)>,
    /// Every key of `known` once, in the order in which they were learned.
    order: VecDeque<IpAddr>,
}

impl Cache {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            known: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// What is known at `now`; none when nothing is, or no longer.
    pub(super) fn get(&self, ip: IpAddr, now: Instant) -> Option<&Known> {
        self.known
            .get(&ip)
            .filter(|(_, until)| now < *until)
            .map(|(known, _)| known)
    }

    /// Learns something that holds before `until`.
    pub(super) fn put(&mut self, ip: IpAddr, known: Known, until: Instant) {
        if self.known.insert(ip, (known, until)).is_some() {
            return;
        }
        self.order.push_back(ip);
        if self.order.len() > self.capacity
            && let Some(first) = self.order.pop_front()
        {
            self.known.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn what_is_known_expires_also_when_there_is_no_name() {
        let now = Instant::now();
        let later = now + Duration::from_secs(60);
        let mut cache = Cache::new(10);
        cache.put(ip(1), Some("a.example".to_owned()), later);
        cache.put(ip(2), None, later);
        assert_eq!(cache.get(ip(1), now), Some(&Some("a.example".to_owned())));
        assert_eq!(cache.get(ip(2), now), Some(&None));
        assert_eq!(cache.get(ip(3), now), None);
        assert_eq!(cache.get(ip(1), later), None);
        assert_eq!(cache.get(ip(2), later), None);
    }

    #[test]
    fn no_more_than_the_bound_is_kept() {
        let now = Instant::now();
        let later = now + Duration::from_secs(60);
        let mut cache = Cache::new(2);
        cache.put(ip(1), None, later);
        cache.put(ip(2), None, later);
        // Learned again: takes no second place.
        cache.put(ip(2), None, later);
        assert!(cache.get(ip(1), now).is_some());
        cache.put(ip(3), None, later);
        assert!(cache.get(ip(1), now).is_none());
        assert!(cache.get(ip(2), now).is_some());
        for last in 0..=255 {
            cache.put(ip(last), None, later);
        }
        assert_eq!((cache.known.len(), cache.order.len()), (2, 2));
    }
}
