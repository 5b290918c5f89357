//! What the tests share: vectors, schemas, and any command and event there can be.

#![allow(dead_code, clippy::unwrap_used, clippy::missing_panics_doc)]

pub(crate) mod any;

use serde_json::Value;

/// One of the vector files, which are there for clients in other languages too.
pub(crate) fn vectors(file: &str) -> Value {
    let path = format!("{}/tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The bytes of `name`, or of `name_hex` (spaces do not count).
pub(crate) fn bytes_of(vector: &Value, name: &str) -> Vec<u8> {
    match vector[format!("{name}_hex")].as_str() {
        Some(hex) => unhex(hex),
        None => vector[name].as_str().unwrap().as_bytes().to_vec(),
    }
}

/// Bytes from hexadecimal digits.
pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(|c| !c.is_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| pair.iter().collect::<String>());
    pairs
        .map(|pair| u8::from_str_radix(&pair, 16).unwrap())
        .collect()
}

/// A file of the repository's documents.
pub(crate) fn document(path: &str) -> String {
    let path = format!("{}/../../docs/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// Checks lines against one of the schemas in docs/schema.
pub(crate) struct Schema(jsonschema::Validator);

impl Schema {
    pub(crate) fn load(file: &str) -> Self {
        let schema = serde_json::from_str(&document(&format!("schema/{file}"))).unwrap();
        Self(jsonschema::draft202012::options().build(&schema).unwrap())
    }

    pub(crate) fn accepts(&self, line: &[u8]) -> bool {
        serde_json::from_slice(line).is_ok_and(|value| self.0.is_valid(&value))
    }
}
