//! Logs on standard error: for people on a terminal, as JSON when asked.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use crate::config::LogFormat;

/// Changes what is logged while the hub runs.
#[derive(Clone)]
pub(crate) struct LogLevel(reload::Handle<EnvFilter, Registry>);

impl LogLevel {
    /// Sets the filter, in the syntax of tracing's `EnvFilter`: `info`, `debug`, `cmp_ssh=trace`.
    pub(crate) fn set(&self, filter: &str) -> Result<(), String> {
        let filter = parse(filter).map_err(|error| format!("{error:#}"))?;
        self.0.reload(filter).map_err(|error| error.to_string())
    }
}

/// Checks a filter.
pub(crate) fn parse(filter: &str) -> anyhow::Result<EnvFilter> {
    EnvFilter::builder().parse(filter).with_context(|| {
        format!("log filter {filter:?} is not valid; use a level (error, warn, info, debug, trace) or target=level")
    })
}

/// Starts logging.
pub(crate) fn start(filter: &str, format: LogFormat) -> anyhow::Result<LogLevel> {
    let (filter, handle) = reload::Layer::new(parse(filter)?);
    let terminal = std::io::stderr().is_terminal();
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Json => registry
            .with(fmt::layer().json().with_writer(std::io::stderr))
            .init(),
        LogFormat::Human => {
            registry
                .with(
                    fmt::layer()
                        .with_ansi(terminal)
                        .with_writer(std::io::stderr),
                )
                .init();
        }
    }
    Ok(LogLevel(handle))
}
