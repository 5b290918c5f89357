//! What admins are shown: a table for people, JSON for programs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cmp_core::{AdminReply, Ban, BanTarget, OriginRecord, SessionInfo, Stats};
use serde_json::{Value, json};

use super::table::{duration, table};

/// A reply as text, lines ended by LF. The counters of the listener are shown with the others.
pub(super) fn show(reply: &AdminReply, listener: &[(String, u64)], json: bool) -> String {
    if json {
        format!("{}\n", as_json(reply, listener))
    } else {
        as_text(reply, listener)
    }
}

fn as_text(reply: &AdminReply, listener: &[(String, u64)]) -> String {
    match reply {
        AdminReply::Done { what } => format!("{what}\n"),
        AdminReply::Sessions(sessions) => {
            let headings = [
                "SESSION",
                "CLIENT",
                "ROLE",
                "DIALECT",
                "FROM",
                "OPEN",
                "IDLE",
                "LINES IN",
                "EVENTS OUT",
                "WAITING",
            ];
            table(
                &headings,
                &sessions.iter().map(session_row).collect::<Vec<_>>(),
            )
        }
        AdminReply::Bans(bans) => {
            let headings = ["BAN", "AGAINST", "VALUE", "LEFT", "BY", "REASON"];
            table(&headings, &bans.iter().map(ban_row).collect::<Vec<_>>())
        }
        AdminReply::Origins(origins) => {
            let headings = ["ORIGIN", "WARNINGS", "MUTED FOR"];
            table(
                &headings,
                &origins.iter().map(origin_row).collect::<Vec<_>>(),
            )
        }
        AdminReply::Stats(stats) => {
            let rows: Vec<_> = stats_fields(stats, listener)
                .into_iter()
                .map(|(name, value)| {
                    let value = match (name, &value) {
                        ("uptime_s", Value::Number(seconds)) => {
                            duration(seconds.as_u64().unwrap_or(0))
                        }
                        _ => value.to_string(),
                    };
                    vec![name.to_owned(), value]
                })
                .collect();
            table(&["COUNTER", "VALUE"], &rows)
        }
    }
}

fn as_json(reply: &AdminReply, listener: &[(String, u64)]) -> Value {
    match reply {
        AdminReply::Done { what } => json!({ "done": what }),
        AdminReply::Sessions(sessions) => sessions.iter().map(session_json).collect(),
        AdminReply::Bans(bans) => bans.iter().map(ban_json).collect(),
        AdminReply::Origins(origins) => origins.iter().map(origin_json).collect(),
        AdminReply::Stats(stats) => {
            let fields = stats_fields(stats, listener);
            Value::Object(fields.into_iter().map(|(n, v)| (n.to_owned(), v)).collect())
        }
    }
}

fn session_row(session: &SessionInfo) -> Vec<String> {
    vec![
        session.id.to_string(),
        session.client.to_string(),
        session.role.to_string(),
        session.dialect.to_owned(),
        session.peer.clone(),
        duration(session.age.as_secs()),
        duration(session.idle.as_secs()),
        session.lines_in.to_string(),
        session.events_out.to_string(),
        session.waiting.to_string(),
    ]
}

fn session_json(session: &SessionInfo) -> Value {
    json!({
        "session": session.id.0,
        "client": session.client.as_str(),
        "role": session.role.as_str(),
        "dialect": session.dialect,
        "from": session.peer,
        "open_s": session.age.as_secs(),
        "idle_s": session.idle.as_secs(),
        "bytes_in": session.bytes_in,
        "bytes_out": session.bytes_out,
        "lines_in": session.lines_in,
        "events_out": session.events_out,
        "waiting_bytes": session.waiting,
    })
}

fn target(target: &BanTarget) -> (&'static str, String) {
    match target {
        BanTarget::Nick(nick) => ("nick", String::from_utf8_lossy(nick).into_owned()),
        BanTarget::Origin(origin) => ("origin", String::from_utf8_lossy(origin).into_owned()),
        BanTarget::Client(client) => ("client", client.to_string()),
        BanTarget::Text(pattern) => ("text", pattern.clone()),
    }
}

fn ban_row(ban: &Ban) -> Vec<String> {
    let (against, value) = target(&ban.target);
    let left = ban
        .until_ms
        .map_or_else(|| "for ever".to_owned(), |until| duration(left_s(until)));
    vec![
        ban.id.0.to_string(),
        against.to_owned(),
        value,
        left,
        ban.by.to_string(),
        ban.reason.clone(),
    ]
}

fn ban_json(ban: &Ban) -> Value {
    let (against, value) = target(&ban.target);
    json!({
        "ban": ban.id.0,
        "against": against,
        "value": value,
        "by": ban.by.as_str(),
        "reason": ban.reason,
        "since_ms": ban.since_ms,
        "until_ms": ban.until_ms,
    })
}

fn origin_row(origin: &OriginRecord) -> Vec<String> {
    let muted = origin.muted_until_ms.map_or(0, left_s);
    vec![
        String::from_utf8_lossy(&origin.origin).into_owned(),
        origin.warnings.to_string(),
        if muted == 0 {
            "-".to_owned()
        } else {
            duration(muted)
        },
    ]
}

fn origin_json(origin: &OriginRecord) -> Value {
    json!({
        "origin": String::from_utf8_lossy(&origin.origin),
        "warnings": origin.warnings,
        "first_warning_ms": origin.first_warning_ms,
        "muted_until_ms": origin.muted_until_ms,
    })
}

fn stats_fields<'a>(stats: &Stats, listener: &'a [(String, u64)]) -> Vec<(&'a str, Value)> {
    let mut fields: Vec<(&str, Value)> = vec![
        ("uptime_s", stats.uptime.as_secs().into()),
        ("sessions", stats.sessions.into()),
        ("clients", stats.clients.into()),
        ("attached", stats.attached.into()),
        ("slow_readers", stats.slow_readers.into()),
        ("chat", stats.chat.into()),
        ("broadcasts", stats.broadcasts.into()),
        ("relayed", stats.relayed.into()),
        ("deliveries", stats.deliveries.into()),
        ("refused", stats.refused.into()),
        ("requests", stats.requests.into()),
        ("request_timeouts", stats.request_timeouts.into()),
        ("stored", stats.stored.into()),
        ("not_stored", stats.not_stored.into()),
        ("unavailable", stats.unavailable.into()),
        ("store_queue", stats.store_queue.into()),
        ("store_healthy", stats.store_healthy.into()),
        ("origins_not_stored", stats.origins_not_stored.into()),
    ];
    fields.extend(
        listener
            .iter()
            .map(|(name, count)| (name.as_str(), (*count).into())),
    );
    fields
}

/// Seconds from now until a moment in milliseconds since 1970-01-01T00:00Z; 0 when it has passed.
fn left_s(until_ms: u64) -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Duration::from_millis(until_ms)
        .saturating_sub(now)
        .as_secs()
}
