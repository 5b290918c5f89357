//! Writes one JSON object, its fields in the order they are given.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::Encoding;

/// A JSON object on its way out.
#[derive(Debug)]
pub(super) struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl<'o> Object<'o> {
    pub(super) fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    pub(super) fn end(self) {
        self.out.push(b'}');
    }

    /// Ends an object that is a line.
    pub(super) fn end_line(self) {
        self.out.extend_from_slice(b"}\n");
    }

    fn key(&mut self, key: &str) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        put_string(key, self.out);
        self.out.push(b':');
    }

    pub(super) fn string(&mut self, key: &str, text: &str) {
        self.key(key);
        put_string(text, self.out);
    }

    pub(super) fn optional(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.string(key, text);
        }
    }

    pub(super) fn number(&mut self, key: &str, number: u64) {
        self.key(key);
        self.out.extend_from_slice(number.to_string().as_bytes());
    }

    pub(super) fn boolean(&mut self, key: &str, value: bool) {
        self.key(key);
        let word: &[u8] = if value { b"true" } else { b"false" };
        self.out.extend_from_slice(word);
    }

    pub(super) fn null(&mut self, key: &str) {
        self.key(key);
        self.out.extend_from_slice(b"null");
    }

    /// Text of a client: readable under `key`; when that is not the same bytes, these as well.
    pub(super) fn text(&mut self, key: &str, bytes: &[u8], encoding: Option<Encoding>) {
        let encoding = encoding.unwrap_or_else(|| Encoding::guess(bytes));
        let text = encoding.decode(bytes);
        self.string(key, &text);
        if text.as_bytes() != bytes {
            self.string(&format!("{key}_bytes"), &STANDARD.encode(bytes));
        }
    }

    pub(super) fn strings<'i>(&mut self, key: &str, items: impl Iterator<Item = &'i str>) {
        self.list(key, items, put_string);
    }

    /// A list whose items are written by `put`.
    pub(super) fn list<T>(
        &mut self,
        key: &str,
        items: impl Iterator<Item = T>,
        mut put: impl FnMut(T, &mut Vec<u8>),
    ) {
        self.key(key);
        self.out.push(b'[');
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            put(item, self.out);
        }
        self.out.push(b']');
    }
}

fn put_string(text: &str, out: &mut Vec<u8>) {
    // It cannot fail: a Vec takes every write, and any text has a form in JSON.
    let _infallible = serde_json::to_writer(out, text);
}
