//! Takes the fields of one JSON object, with reasons a person understands.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::nearest::nearest;
use crate::{MessageId, NameError, Word};

/// Why an object is not what it should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum Mistake {
    #[error("not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("a line must be one JSON object: {{…}}")]
    NoObject,
    #[error("the field {0:?} is missing")]
    Missing(&'static str),
    #[error("the field {0:?} must be {1}")]
    Type(&'static str, &'static str),
    #[error("the field {0:?} has a line end or a NUL; send one line")]
    LineEnd(&'static str),
    #[error("there is no field {field:?} here; {hint}")]
    Unknown { field: String, hint: String },
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("{0}")]
    Other(String),
}

/// The fields of an object that were not taken yet, and the names of all that were asked for.
#[derive(Debug)]
pub(super) struct Fields {
    rest: Map<String, Value>,
    asked: Vec<&'static str>,
}

impl Fields {
    pub(super) fn parse(line: &[u8]) -> Result<Self, Mistake> {
        Self::of(serde_json::from_slice(line)?)
    }

    pub(super) fn of(value: Value) -> Result<Self, Mistake> {
        match value {
            Value::Object(rest) => Ok(Self {
                rest,
                asked: Vec::new(),
            }),
            _ => Err(Mistake::NoObject),
        }
    }

    fn take(&mut self, field: &'static str) -> Option<Value> {
        self.asked.push(field);
        self.rest.remove(field)
    }

    pub(super) fn optional(&mut self, field: &'static str) -> Result<Option<String>, Mistake> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Mistake::Type(field, "a string")),
        }
    }

    pub(super) fn string(&mut self, field: &'static str) -> Result<String, Mistake> {
        self.optional(field)?.ok_or(Mistake::Missing(field))
    }

    pub(super) fn name<N: FromStr<Err = NameError>>(
        &mut self,
        field: &'static str,
    ) -> Result<N, Mistake> {
        Ok(self.string(field)?.parse()?)
    }

    pub(super) fn optional_name<N: FromStr<Err = NameError>>(
        &mut self,
        field: &'static str,
    ) -> Result<Option<N>, Mistake> {
        let text = self.optional(field)?;
        Ok(text.as_deref().map(str::parse).transpose()?)
    }

    /// A name that must be there, or null.
    pub(super) fn name_or_null<N: FromStr<Err = NameError>>(
        &mut self,
        field: &'static str,
    ) -> Result<Option<N>, Mistake> {
        match self.take(field) {
            None => Err(Mistake::Missing(field)),
            Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.parse()?)),
            Some(_) => Err(Mistake::Type(field, "a string or null")),
        }
    }

    pub(super) fn id(&mut self, field: &'static str) -> Result<MessageId, Mistake> {
        self.optional_id(field)?.ok_or(Mistake::Missing(field))
    }

    pub(super) fn optional_id(
        &mut self,
        field: &'static str,
    ) -> Result<Option<MessageId>, Mistake> {
        let Some(text) = self.optional(field)? else {
            return Ok(None);
        };
        let id = MessageId::parse(&text).ok_or(Mistake::Type(field, "the id of a message"))?;
        Ok(Some(id))
    }

    pub(super) fn optional_number<N: TryFrom<u64>>(
        &mut self,
        field: &'static str,
        what: &'static str,
    ) -> Result<Option<N>, Mistake> {
        let Some(value) = self.take(field) else {
            return Ok(None);
        };
        let number = value.as_u64().and_then(|number| N::try_from(number).ok());
        number.map(Some).ok_or(Mistake::Type(field, what))
    }

    pub(super) fn number<N: TryFrom<u64>>(&mut self, field: &'static str) -> Result<N, Mistake> {
        self.optional_number(field, "a whole number")?
            .ok_or(Mistake::Missing(field))
    }

    pub(super) fn boolean(&mut self, field: &'static str) -> Result<bool, Mistake> {
        match self.take(field) {
            None => Err(Mistake::Missing(field)),
            Some(Value::Bool(value)) => Ok(value),
            Some(_) => Err(Mistake::Type(field, "true or false")),
        }
    }

    /// Text under `field`, or, if it is there, the bytes under `bytes_field`.
    pub(super) fn optional_text(
        &mut self,
        field: &'static str,
        bytes_field: &'static str,
    ) -> Result<Option<Bytes>, Mistake> {
        let text = self.optional(field)?;
        match self.optional(bytes_field)? {
            None => Ok(text.map(Bytes::from)),
            Some(base64) => {
                let bytes = STANDARD.decode(base64);
                let bytes = bytes.map_err(|_| Mistake::Type(bytes_field, "bytes in base64"))?;
                Ok(Some(bytes.into()))
            }
        }
    }

    /// The same, where a line end or a NUL would break the line of a text client.
    pub(super) fn optional_line(
        &mut self,
        field: &'static str,
        bytes_field: &'static str,
    ) -> Result<Option<Bytes>, Mistake> {
        let text = self.optional_text(field, bytes_field)?;
        let breaks = |byte: &u8| matches!(byte, b'\r' | b'\n' | b'\0');
        if text.iter().flatten().any(breaks) {
            return Err(Mistake::LineEnd(field));
        }
        Ok(text)
    }

    /// The same; it must be there and have something in it.
    pub(super) fn line(
        &mut self,
        field: &'static str,
        bytes_field: &'static str,
    ) -> Result<Bytes, Mistake> {
        let text = self.optional_line(field, bytes_field)?;
        let text = text.ok_or(Mistake::Missing(field))?;
        if text.is_empty() {
            return Err(Mistake::Type(field, "a text that is not empty"));
        }
        Ok(text)
    }

    pub(super) fn optional_word(
        &mut self,
        field: &'static str,
        bytes_field: &'static str,
    ) -> Result<Option<Word>, Mistake> {
        let text = self.optional_text(field, bytes_field)?;
        Ok(text.map(|text| Word::new(field, text)).transpose()?)
    }

    pub(super) fn word(
        &mut self,
        field: &'static str,
        bytes_field: &'static str,
    ) -> Result<Word, Mistake> {
        self.optional_word(field, bytes_field)?
            .ok_or(Mistake::Missing(field))
    }

    pub(super) fn list<T>(
        &mut self,
        field: &'static str,
        item: impl Fn(Value) -> Result<T, Mistake>,
    ) -> Result<Vec<T>, Mistake> {
        match self.take(field) {
            None => Err(Mistake::Missing(field)),
            Some(Value::Array(items)) => items.into_iter().map(item).collect(),
            Some(_) => Err(Mistake::Type(field, "a list")),
        }
    }

    pub(super) fn names<N: FromStr<Err = NameError>>(
        &mut self,
        field: &'static str,
    ) -> Result<Vec<N>, Mistake> {
        self.list(field, |item| match item {
            Value::String(text) => Ok(text.parse()?),
            _ => Err(Mistake::Type(field, "a list of strings")),
        })
    }

    /// Refuses fields that nobody asked for.
    pub(super) fn finish(self) -> Result<(), Mistake> {
        let Some(field) = self.rest.keys().next() else {
            return Ok(());
        };
        let hint = match nearest(field, &self.asked) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("known are {}", self.asked.join(", ")),
        };
        let field = field.chars().take(32).collect();
        Err(Mistake::Unknown { field, hint })
    }
}
