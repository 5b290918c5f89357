//! Clients of different times have different encodings.

use crate::FREE;
use crate::support::Site;

#[test]
fn each_client_sees_text_in_its_own_encoding_and_bytes_as_they_came_without_one() {
    let site = Site::new();
    for client in ["latin", "modern", "plain", "plainer"] {
        site.add_client(client);
    }
    site.configure(&format!(
        "clients.latin.encoding = \"latin1\"\nclients.modern.encoding = \"utf-8\"\n{FREE}"
    ));
    let hub = site.start();
    let [mut latin, mut modern, mut plain, mut plainer] =
        ["latin", "modern", "plain", "plainer"].map(|client| hub.shell(client));

    latin.send(b"C gr\xfc\xdfe\n");
    assert_eq!(latin.stdout.line(), b"C latin: gr\xfc\xdfe");
    assert_eq!(modern.stdout.line(), "C latin: grüße".as_bytes());
    assert_eq!(plain.stdout.line(), b"C latin: gr\xfc\xdfe");
    assert_eq!(plainer.stdout.line(), b"C latin: gr\xfc\xdfe");

    modern.send("C grüße, 1 €\n");
    assert_eq!(latin.stdout.line(), b"C modern: gr\xfc\xdfe, 1 EUR");
    assert_eq!(modern.stdout.line(), "C modern: grüße, 1 €".as_bytes());
    assert_eq!(plain.stdout.line(), "C modern: grüße, 1 €".as_bytes());

    plainer.stdout.line();
    plain.send(b"C a \xe4 and \0 and \xff\n");
    assert_eq!(plain.stdout.line(), b"C plain: a \xe4 and \0 and \xff");
    assert_eq!(plainer.stdout.line(), b"C plain: a \xe4 and \0 and \xff");
    // What is no UTF-8 is taken for CP1252 where it has to be text.
    assert_eq!(modern.stdout.line(), "C plain: a ä and \0 and ÿ".as_bytes());
    assert_eq!(latin.stdout.line(), b"C plain: a \xe4 and \0 and \xff");
}
