//! SIGKILL at any moment loses nothing that was acknowledged.

use std::collections::HashSet;

use rustix::process::Signal;
use serde_json::json;

use crate::FREE;
use crate::history::{Acknowledged, Kept, all, publish, resume, text};
use crate::random::Random;
use crate::support::{Hub, Json, Site};

const CRASHES: usize = 50;

/// A hub is killed after a random number of acknowledgements up to this.
const MOST: usize = 150;

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let mut random = Random::new();
    let site = Site::new();
    site.add_client("writer");
    site.configure(FREE);
    let mut crashes = Vec::new();
    let mut before = Vec::new();
    for crash in 0..CRASHES {
        let hub = site.start();
        before = check(&hub, &before, &crashes, &mut random);
        crashes.push(publish_until_killed(hub, crash, 1 + random.below(MOST)));
    }
    let kept = check(&site.start(), &before, &crashes, &mut random);
    let acknowledged: usize = crashes.iter().map(|crash| crash.broadcasts.len()).sum();
    println!(
        "{CRASHES} crashes: {acknowledged} acknowledged, {} kept",
        kept.len()
    );
}

/// Publishes until so many broadcasts are acknowledged, kills the hub, and takes what was
/// acknowledged before it was dead.
fn publish_until_killed(mut hub: Hub, crash: usize, kill_after: usize) -> Acknowledged {
    let series = format!("crash {crash}");
    let mut client = Json::login(&hub, "writer").process;
    let publisher = publish(client.take_input(), &series);
    let mut acknowledged = Acknowledged::new(&series);
    while let Some(line) = client.stdout.line_or_end() {
        // The last line may be cut.
        let Ok(event) = serde_json::from_slice(&line) else {
            break;
        };
        acknowledged.take(&event);
        if acknowledged.broadcasts.len() == kill_after {
            hub.process.signal(Signal::KILL);
        }
    }
    assert!(
        acknowledged.broadcasts.len() >= kill_after,
        "{:?}",
        hub.process.stderr
    );
    hub.process.wait();
    publisher.join().unwrap();
    acknowledged
}

/// Checks what a hub has after crashes, the last of which left more than was there `before`, and
/// returns all it has.
fn check(hub: &Hub, before: &[Kept], crashes: &[Acknowledged], random: &mut Random) -> Vec<Kept> {
    let kept = all(hub, "writer");
    assert_eq!(kept[..before.len()], *before, "what was there has changed");
    let ids: HashSet<_> = kept.iter().map(|kept| &kept.id).collect();
    assert_eq!(ids.len(), kept.len(), "a message is there twice");

    // After those acknowledged may come some that were stored when the hub died: as they were
    // sent, with no gap. So what it has of a series is known by its length.
    if let Some(last) = crashes.last() {
        let new = &kept[before.len()..];
        let acknowledged = &last.broadcasts;
        assert!(
            new.len() >= acknowledged.len(),
            "{} are missing",
            acknowledged.len() - new.len()
        );
        assert_eq!(new[..acknowledged.len()], *acknowledged);
        let series = format!("crash {}", crashes.len() - 1);
        let sent: Vec<_> = (0..new.len()).map(|number| text(&series, number)).collect();
        assert!(new.iter().map(|kept| &kept.text).eq(&sent), "{new:?}");

        let known = &crashes[random.below(crashes.len())].broadcasts;
        let known = &known[random.below(known.len())];
        let place = kept.iter().position(|kept| kept == known).unwrap();
        let missing = resume(hub, "writer", json!({ "since": known.id }));
        assert_eq!(missing, kept[place + 1..]);
    } else {
        assert_eq!(kept, []);
    }
    kept
}
