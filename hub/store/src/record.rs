//! Between our types and the values in the tables, which are the same in both databases.

use std::sync::Arc;

use bytes::Bytes;
use cmp_core::{Ban, BanId, BanTarget, OriginRecord, Position, StoreError, Stored};
use cmp_protocol::{Class, ClientName, Encoding, HubName, Kind, Message, MessageId, Word};

/// A number as SQL has it. No counter and no time reaches the end of i64; what is greater, for
/// example a bound that means "all", becomes the greatest.
pub(crate) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn corrupt(what: &str, value: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("{what} {value}"))
}

fn from_sql(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| corrupt("number", number))
}

/// A name that was valid when it was stored.
fn name<T, E: std::fmt::Display>(valid: Result<T, E>) -> Result<T, StoreError> {
    valid.map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// A place, as the query for one answers.
pub(crate) fn position((anchor, seq): (i64, i64)) -> Result<Position, StoreError> {
    Ok(Position {
        anchor: from_sql(anchor)?,
        seq: from_sql(seq)?,
    })
}

/// The id of a message from its 16 bytes.
pub(crate) fn message_id(bytes: Vec<u8>) -> Result<MessageId, StoreError> {
    let bytes = <[u8; 16]>::try_from(bytes);
    let bytes = bytes.map_err(|bytes| corrupt("message id of length", bytes.len()))?;
    Ok(MessageId::from_bytes(bytes))
}

/// A kind, as a query for kinds answers.
pub(crate) fn kind(text: &str) -> Result<Kind, StoreError> {
    name(Kind::new(text))
}

/// The number for a class in the column `class`.
pub(crate) fn class_code(class: Class) -> i16 {
    match class {
        Class::Chat => 0,
        Class::Broadcast => 1,
        Class::Relay => 2,
    }
}

fn class(code: i16) -> Result<Class, StoreError> {
    match code {
        0 => Ok(Class::Chat),
        1 => Ok(Class::Broadcast),
        2 => Ok(Class::Relay),
        other => Err(corrupt("message class", other)),
    }
}

/// The number for an encoding in the column `encoding`.
pub(crate) fn encoding_code(encoding: Encoding) -> i16 {
    match encoding {
        Encoding::Utf8 => 0,
        Encoding::Latin1 => 1,
        Encoding::Cp1252 => 2,
        Encoding::Quake => 3,
    }
}

fn encoding(code: i16) -> Result<Encoding, StoreError> {
    match code {
        0 => Ok(Encoding::Utf8),
        1 => Ok(Encoding::Latin1),
        2 => Ok(Encoding::Cp1252),
        3 => Ok(Encoding::Quake),
        other => Err(corrupt("encoding", other)),
    }
}

/// A row of the table `message`.
#[derive(sqlx::FromRow)]
pub(crate) struct MessageRow {
    anchor: i64,
    seq: i64,
    id: Vec<u8>,
    hub: String,
    client: String,
    time_ms: i64,
    class: i16,
    kind: String,
    nick: Option<Vec<u8>>,
    origin: Option<Vec<u8>>,
    text: Vec<u8>,
    encoding: Option<i16>,
}

impl TryFrom<MessageRow> for Stored {
    type Error = StoreError;

    fn try_from(row: MessageRow) -> Result<Self, StoreError> {
        let word = |what, bytes: Option<Vec<u8>>| bytes.map(|bytes| Word::new(what, bytes));
        let message = Message {
            id: message_id(row.id)?,
            hub: name(HubName::new(&row.hub))?,
            client: name(ClientName::new(&row.client))?,
            time_ms: from_sql(row.time_ms)?,
            class: class(row.class)?,
            kind: kind(&row.kind)?,
            nick: name(word("nick", row.nick).transpose())?,
            origin: name(word("origin", row.origin).transpose())?,
            text: row.text.into(),
            encoding: row.encoding.map(encoding).transpose()?,
        };
        Ok(Self {
            position: position((row.anchor, row.seq))?,
            message: Arc::new(message),
        })
    }
}

/// A row of the table `ban`.
#[derive(sqlx::FromRow)]
pub(crate) struct BanRow {
    pub(crate) id: i64,
    pub(crate) target_type: i16,
    pub(crate) target: Vec<u8>,
    pub(crate) reason: Vec<u8>,
    pub(crate) set_by: String,
    pub(crate) since_ms: i64,
    pub(crate) until_ms: Option<i64>,
}

impl From<&Ban> for BanRow {
    fn from(ban: &Ban) -> Self {
        let (target_type, target) = match &ban.target {
            BanTarget::Nick(nick) => (0, &nick[..]),
            BanTarget::Origin(origin) => (1, &origin[..]),
            BanTarget::Client(client) => (2, client.as_str().as_bytes()),
            BanTarget::Text(pattern) => (3, pattern.as_bytes()),
        };
        Self {
            id: to_sql(ban.id.0),
            target_type,
            target: target.to_vec(),
            reason: ban.reason.clone().into_bytes(),
            set_by: ban.by.as_str().to_owned(),
            since_ms: to_sql(ban.since_ms),
            until_ms: ban.until_ms.map(to_sql),
        }
    }
}

impl TryFrom<BanRow> for Ban {
    type Error = StoreError;

    fn try_from(row: BanRow) -> Result<Self, StoreError> {
        let utf8 = |bytes| name(String::from_utf8(bytes));
        Ok(Self {
            id: BanId(from_sql(row.id)?),
            target: match row.target_type {
                0 => BanTarget::Nick(row.target.into()),
                1 => BanTarget::Origin(row.target.into()),
                2 => BanTarget::Client(name(ClientName::new(&utf8(row.target)?))?),
                3 => BanTarget::Text(utf8(row.target)?),
                other => return Err(corrupt("ban target", other)),
            },
            reason: utf8(row.reason)?,
            by: name(ClientName::new(&row.set_by))?,
            since_ms: from_sql(row.since_ms)?,
            until_ms: row.until_ms.map(from_sql).transpose()?,
        })
    }
}

/// A row of the table `origin`.
#[derive(sqlx::FromRow)]
pub(crate) struct OriginRow {
    origin: Vec<u8>,
    warnings: i64,
    first_warning_ms: i64,
    muted_until_ms: Option<i64>,
}

impl TryFrom<OriginRow> for OriginRecord {
    type Error = StoreError;

    fn try_from(row: OriginRow) -> Result<Self, StoreError> {
        Ok(Self {
            origin: Bytes::from(row.origin),
            warnings: u32::try_from(row.warnings).map_err(|_| corrupt("warnings", row.warnings))?,
            first_warning_ms: from_sql(row.first_warning_ms)?,
            muted_until_ms: row.muted_until_ms.map(from_sql).transpose()?,
        })
    }
}

/// Turns the rows of a query into what they mean.
pub(crate) fn records<Row, Record>(rows: Vec<Row>) -> Result<Vec<Record>, StoreError>
where
    Record: TryFrom<Row, Error = StoreError>,
{
    rows.into_iter().map(Record::try_from).collect()
}
