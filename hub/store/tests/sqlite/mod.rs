//! What is particular to SQLite.

mod backup;
mod disk_full;
mod opening;

use std::path::Path;

use cmp_store::{Database, Location, StoreSettings};

use crate::battery;

fn settings(path: &Path) -> StoreSettings {
    StoreSettings::new(Location::Sqlite(path.to_owned()))
}

async fn open(path: &Path) -> Database {
    Database::open(&settings(path)).await.unwrap()
}

#[tokio::test]
async fn passes_the_battery() {
    battery::run(async || {
        let folder = tempfile::tempdir().unwrap();
        (open(&folder.path().join("hub.db")).await, folder)
    })
    .await;
}
