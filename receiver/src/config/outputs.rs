//! The sections of the outputs, and what no single option of theirs can tell.

use super::{Config, Error, Role};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// `[json]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)] // the table of options documents every field
pub struct Json {
    pub output: PathBuf,
    pub events: PathBuf,
    pub max_size: u64,
    pub max_files: u32,
    pub queue: usize,
}

/// `[mqtt]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct Mqtt {
    pub url: Option<String>,
    pub ca: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub user: Option<String>,
    pub password_file: Option<PathBuf>,
    pub client_id: Option<String>,
    pub prefix: String,
    pub qos: u8,
    pub detections_per_second: f64,
    pub queue: usize,
}

/// `[nats]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct Nats {
    pub url: Option<String>,
    pub ca: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub credentials_file: Option<PathBuf>,
    pub token_file: Option<PathBuf>,
    pub prefix: String,
    pub detections_per_second: f64,
    pub queue: usize,
}

/// `[webhook]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs)]
pub struct Webhook {
    pub url: Option<String>,
    pub ca: Option<PathBuf>,
    pub token_file: Option<PathBuf>,
    pub secret_file: Option<PathBuf>,
    pub events: Vec<String>,
    pub timeout: u64,
    pub retries: u32,
    pub queue: usize,
}

impl Config {
    pub(super) fn check_outputs(&self, role: Role) -> Result<(), Error> {
        let conflict = |text: String| Err(Error::Conflict(text));
        let none = Path::new("none");
        let Self {
            json,
            mqtt,
            nats,
            webhook,
            ..
        } = self;
        let pairs = [
            ("mqtt", &mqtt.certificate, &mqtt.key),
            ("nats", &nats.certificate, &nats.key),
        ];
        if let Some((section, ..)) = pairs.iter().find(|(_, a, b)| a.is_some() != b.is_some()) {
            return conflict(format!(
                "{section}.certificate and {section}.key belong together: one of them is not set"
            ));
        }
        if mqtt.password_file.is_some() && mqtt.user.is_none() {
            return conflict("mqtt.password-file is set and mqtt.user is not".into());
        }
        if nats.credentials_file.is_some() && nats.token_file.is_some() {
            return conflict("nats.credentials-file and nats.token-file must not both be set".into());
        }
        let illegal = |prefix: &str, extra: &str| {
            let legal = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c) || extra.contains(c);
            !prefix.chars().all(legal) || prefix.split(extra).any(str::is_empty)
        };
        for (key, prefix, extra) in [
            ("mqtt.prefix", &mqtt.prefix, "/"),
            ("nats.prefix", &nats.prefix, "."),
        ] {
            if illegal(prefix, extra) {
                return conflict(format!(
                    "{key} is `{prefix}`; legal: ASCII letters, digits, `_`, `-`, in parts joined by `{extra}`"
                ));
            }
        }
        if json.events != none && json.events == json.output {
            return conflict(format!(
                "json.events and json.output are both `{}`; legal: two different places",
                json.output.display()
            ));
        }
        let files = json.output != none || json.events != none;
        let kept = self.record.folder.is_some() || self.clips.folder.is_some();
        let servers = mqtt.url.is_some() || nats.url.is_some() || webhook.url.is_some();
        // A worker's results go to the broker, a gateway has none.
        if role == Role::Receiver && !files && !kept && !servers && !self.rtsp.enabled {
            return conflict(
                "json.output and json.events are `none`, rtsp.enabled is false, record.folder, clips.folder, mqtt.url, nats.url and webhook.url unset: nothing to do".into(),
            );
        }
        Ok(())
    }
}
