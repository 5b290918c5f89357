//! `cmp-hub backup FILE` while the hub runs.

use std::fs;

use crate::FREE;
use crate::disk_full::publish;
use crate::history::all;
use crate::support::{Json, Site};

#[test]
fn a_backup_of_a_running_hub_is_a_database_that_works() {
    let site = Site::new();
    site.add_client("writer");
    site.configure(FREE);
    let hub = site.start();
    let mut writer = Json::login(&hub, "writer");
    let before = publish(&mut writer, "before").unwrap();
    let copy = site.path("copy.db");
    let made = site.command().arg("backup").arg(&copy).output().unwrap();
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let after = publish(&mut writer, "after").unwrap();
    assert_eq!(all(&hub, "writer"), [before.clone(), after]);

    // A second one does not replace the first.
    let refused = site.command().arg("backup").arg(&copy).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains(&format!("{} exists already", copy.display())),
        "{said}"
    );
    hub.stop();

    fs::remove_dir_all(site.path("data")).unwrap();
    fs::create_dir(site.path("data")).unwrap();
    fs::rename(&copy, site.path("data/cmp-hub.db")).unwrap();
    let hub = site.start();
    assert_eq!(all(&hub, "writer"), std::slice::from_ref(&before));
    let more = publish(&mut Json::login(&hub, "writer"), "more").unwrap();
    assert_eq!(all(&hub, "writer"), [before, more]);
    hub.stop();
}
