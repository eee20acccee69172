//! MQTT 5: events and detections as messages, the state of each stream as a retained one, the receiver's own as last will.

mod session;
mod states;

use super::outbox::Outbox;
use super::throttle::Throttle;
use super::{Meter, Output, remote, secret, text};
use crate::config;
use crate::report::{Event, Report};
use crate::services::Services;
use crate::stream::Stream;
use bytes::Bytes;
use cis_analytics::Scene;
use rumqttc::v5::MqttOptions;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::LastWill;
use rumqttc::{TlsConfiguration, Transport};
use states::States;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How soon a broker that is gone without a word is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// A message on its way.
struct Message {
    topic: String,
    payload: Bytes,
    retain: bool,
}

/// Where messages are put in.
pub struct Mqtt {
    outbox: Outbox<Message>,
    states: Arc<States>,
    detections: Throttle,
    /// The state of a stream is looked at this often.
    looks: Throttle,
    prefix: String,
}

impl Mqtt {
    /// Starts the service; there is none without a broker.
    pub fn start(config: &config::Mqtt, services: &mut Services) -> io::Result<Option<Self>> {
        let Some(url) = &config.url else {
            return Ok(None);
        };
        let status = format!("{}/status", config.prefix);
        let options = options(config, url, &status)?;
        let (outbox, queue) = Outbox::new("mqtt", config.queue);
        let states = Arc::new(States::default());
        let session = session::Session {
            url: url.clone(),
            status,
            qos: if config.qos == 0 {
                QoS::AtMostOnce
            } else {
                QoS::AtLeastOnce
            },
            states: states.clone(),
            meter: outbox.meter().clone(),
        };
        services.run("mqtt", |stopping| session.run(options, queue, stopping));
        Ok(Some(Self {
            outbox,
            states,
            detections: Throttle::new(config.detections_per_second),
            looks: Throttle::new(1.0),
            prefix: config.prefix.clone(),
        }))
    }

    fn put(&self, stream: &str, kind: &str, payload: Result<Vec<u8>, serde_json::Error>) {
        if let Some(payload) = self.valid(payload) {
            self.outbox.put(Message {
                topic: format!("{}/{stream}/{kind}", self.prefix),
                payload: payload.into(),
                retain: false,
            });
        }
    }

    fn state(&self, stream: &Stream, online: bool, scene: &Scene) {
        let (name, crossings) = (stream.name.as_str(), stream.tracking.lock().crossings());
        if let Some(payload) = self.valid(text::state(name, online, scene, &crossings)) {
            let topic = format!("{}/{name}/state", self.prefix);
            self.states.set(topic, payload.into(), online);
        }
    }

    fn valid(&self, payload: Result<Vec<u8>, serde_json::Error>) -> Option<Vec<u8>> {
        payload
            .inspect_err(|e| {
                self.outbox.meter().failed.add(1);
                tracing::error!("mqtt: {e}");
            })
            .ok()
    }
}

impl Output for Mqtt {
    fn report(&self, report: &Report) {
        let (stream, header) = (&report.stream, &report.header);
        let name = stream.name.as_str();
        // What came late has a time of its own, and says nothing of now.
        if header.late {
            return;
        }
        if self.looks.pass(name, header.pts_ns) {
            let scene = stream.tracking.lock().scene();
            self.state(stream, true, &scene);
        }
        if self.detections.pass(name, header.pts_ns) {
            let mut line = gstcis::json_line(name, header, report.objects.as_deref(), None);
            // A message needs no line break.
            if let Ok(line) = &mut line {
                line.pop();
            }
            self.put(name, "detections", line);
        }
    }

    fn event(&self, event: &Event) {
        self.put(event.stream.name.as_str(), "events", text::event(event));
    }

    fn ended(&self, stream: &Arc<Stream>) {
        let name = stream.name.as_str();
        self.looks.forget(name);
        self.detections.forget(name);
        let scene = stream.tracking.lock().scene();
        self.state(stream, false, &scene);
    }

    fn meter(&self) -> &Arc<Meter> {
        self.outbox.meter()
    }
}

/// Reads the files of a configuration.
pub fn check(config: &config::Mqtt) -> io::Result<()> {
    let Some(url) = &config.url else { return Ok(()) };
    options(config, url, "").map(drop)
}

fn options(config: &config::Mqtt, url: &str, status: &str) -> io::Result<MqttOptions> {
    let url = remote::url("mqtt.url", url)?;
    let tls = url.scheme() == "mqtts";
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let id = match &config.client_id {
        Some(id) => id.clone(),
        None => format!("cis-receiver-{:08x}", remote::chance()),
    };
    let mut options = MqttOptions::new(id, host, url.port().unwrap_or(if tls { 8883 } else { 1883 }));
    options.set_keep_alive(KEEP_ALIVE);
    // What was not confirmed is sent again by the session here, whether the broker remembers or not.
    options.set_clean_start(true);
    if tls {
        let files = (
            config.ca.as_deref(),
            config.certificate.as_deref(),
            config.key.as_deref(),
        );
        let tls = remote::tls("mqtt", true, files.0, files.1, files.2)?;
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(
            tls,
        ))));
    }
    if let Some(user) = &config.user {
        let password = match &config.password_file {
            Some(path) => secret::read("mqtt.password-file", path)?,
            None => String::new(),
        };
        options.set_credentials(user, password);
    }
    options.set_last_will(LastWill::new(status, "offline", QoS::AtLeastOnce, true, None));
    Ok(options)
}
