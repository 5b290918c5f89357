//! What is particular to PostgreSQL, shown with a real server.

mod opening;
mod recovery;

use std::sync::atomic::{AtomicU32, Ordering};

use cmp_store::{Database, StoreSettings};

use crate::battery;
use crate::support::postgres::PostgresServer;

fn settings(url: &str) -> StoreSettings {
    StoreSettings::new(url.parse().unwrap())
}

async fn open(url: &str) -> Database {
    Database::open(&settings(url)).await.unwrap()
}

#[tokio::test]
async fn passes_the_battery() {
    let server = PostgresServer::start();
    let databases = AtomicU32::new(0);
    battery::run(async || {
        let number = databases.fetch_add(1, Ordering::Relaxed);
        let url = server.create_database(&format!("battery{number}"));
        (open(&url).await, ())
    })
    .await;
}
