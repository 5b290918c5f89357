//! A PostgreSQL server that goes away and comes back.

use crate::FREE;
use crate::disk_full::{all_else_goes_on, publish};
use crate::history::all;
use crate::postgres::PostgresServer;
use crate::support::{Json, Site};

#[test]
fn without_postgresql_publishing_is_refused_and_it_recovers_by_itself() {
    let server = PostgresServer::start();
    let site = Site::new();
    for client in ["writer", "reader"] {
        site.add_client(client);
    }
    let url = server.create_database("hub");
    site.configure(&format!("store.url = \"{url}\"\n{FREE}"));
    let mut hub = site.start();
    let mut writer = Json::login(&hub, "writer");
    let mut reader = hub.shell("reader");
    let mut kept = vec![publish(&mut writer, "before").unwrap()];
    assert_eq!(reader.stdout.text(), "BC writer qw tester #test :before");

    server.stop();
    assert_eq!(publish(&mut writer, "while it is away"), None);
    hub.process
        .stderr
        .text_with("the store takes no messages; broadcasts are refused");
    all_else_goes_on(&hub, &mut reader);

    server.start_again();
    hub.process
        .stderr
        .text_with("the store takes messages again");
    kept.push(publish(&mut writer, "after").expect("it has recovered"));
    assert_eq!(reader.stdout.text(), "BC writer qw tester #test :after");
    assert_eq!(all(&hub, "reader"), kept);

    hub.stop();
    assert_eq!(all(&site.start(), "reader"), kept);
}
