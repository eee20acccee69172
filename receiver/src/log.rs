//! The log, to the standard error. Its filter may change while the receiver runs.

use crate::config::{self, LogFormat};
use std::io::IsTerminal;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

/// The running log.
pub struct Log(reload::Handle<EnvFilter, Registry>);

/// What a filter's text means.
pub fn filter(text: &str) -> Result<EnvFilter, config::Error> {
    EnvFilter::try_new(text).map_err(|e| {
        config::Error::Conflict(format!(
            "log.filter is `{text}`: {e}; legal: e.g. `info` or `warn,cis_link=debug`"
        ))
    })
}

impl Log {
    /// Begins it. There is one a process.
    pub fn start(filter: EnvFilter, format: LogFormat) -> Self {
        let (filter, handle) = reload::Layer::new(filter);
        let lines = fmt::layer().with_writer(std::io::stderr);
        let lines = match format {
            LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
            LogFormat::Json => lines.json().flatten_event(true).boxed(),
        };
        tracing_subscriber::registry().with(filter).with(lines).init();
        Self(handle)
    }

    /// Another filter from now on.
    pub fn set(&self, filter: EnvFilter) {
        // An error says that there is no log any more.
        let _ = self.0.reload(filter);
    }
}
