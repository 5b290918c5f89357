//! The store in memory keeps the same promises as the databases.

use cmp_core::MemoryStore;

#[tokio::test]
async fn passes_the_battery() {
    crate::battery::run(async || (MemoryStore::default(), ())).await;
}
