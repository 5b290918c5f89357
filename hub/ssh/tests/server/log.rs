//! What the server logs, for tests that wait for a line.

use std::fmt::{self, Write};
use std::sync::{LazyLock, Mutex};

use tokio::sync::Notify;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

/// Every line at level info and above, of all tests together: look for the address of a peer.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static ADDED: LazyLock<Notify> = LazyLock::new(Notify::new);

/// Begins to keep lines; may be called again.
pub(crate) fn keep() {
    // The first call wins; the others are of other tests.
    let _ = tracing::subscriber::set_global_default(Keeper);
}

/// The lines so far that hold all of these texts.
pub(crate) fn lines_with(texts: &[&str]) -> Vec<String> {
    let lines = LINES.lock().unwrap();
    let fits = |line: &&String| texts.iter().all(|text| line.contains(text));
    lines.iter().filter(fits).cloned().collect()
}

/// Waits for a line that holds all of these texts.
pub(crate) async fn wait_for(texts: &[&str]) -> String {
    let found = async {
        loop {
            let added = ADDED.notified();
            tokio::pin!(added);
            added.as_mut().enable();
            if let Some(line) = lines_with(texts).pop() {
                return line;
            }
            added.await;
        }
    };
    let waited = tokio::time::timeout(crate::support::AT_MOST, found).await;
    waited.unwrap_or_else(|_| panic!("nothing was logged with {texts:?}"))
}

struct Keeper;

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, " {}={value}", field.name());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl Subscriber for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO && metadata.target().starts_with("cmp_ssh")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        LINES.lock().unwrap().push(line.0);
        ADDED.notify_waiters();
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}
