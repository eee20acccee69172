//! Brokers of the tests: real ones, on free ports, that end with their test.

use super::{DEADLINE, Site, wait_for};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{Client, Event, MqttOptions};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// A broker's process.
pub struct Server {
    child: Child,
    pub port: u16,
    command: Vec<String>,
}

/// A port that nobody had a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn program(name: &str) -> String {
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/bin"];
    let found = folders
        .iter()
        .map(|folder| PathBuf::from(folder).join(name))
        .find(|path| path.exists());
    let found = found.unwrap_or_else(|| panic!("tests need {name}: scripts/setup installs it"));
    found.to_str().unwrap().into()
}

impl Server {
    /// mosquitto, with these lines in its configuration.
    pub fn mosquitto(site: &Site, port: u16, more: &str) -> Self {
        let path = site.path("mosquitto.conf");
        // As root it would otherwise become a user who may not read the test's files.
        let text = format!("user root\nlistener {port} 127.0.0.1\n{more}");
        std::fs::write(&path, text).unwrap();
        Self::start(
            port,
            vec![program("mosquitto"), "-c".into(), path.to_str().unwrap().into()],
        )
    }

    /// mosquitto that lets everybody in.
    pub fn open_mosquitto(site: &Site, port: u16) -> Self {
        Self::mosquitto(site, port, "allow_anonymous true\n")
    }

    /// nats-server with these arguments.
    pub fn nats(port: u16, more: &[&str]) -> Self {
        let mut command = vec![
            program("nats-server"),
            "-a".into(),
            "127.0.0.1".into(),
            "-p".into(),
            port.to_string(),
        ];
        command.extend(more.iter().map(ToString::to_string));
        Self::start(port, command)
    }

    fn start(port: u16, command: Vec<String>) -> Self {
        let mut server = Self {
            child: spawn(&command),
            port,
            command,
        };
        server.ready();
        server
    }

    fn ready(&mut self) {
        wait_for("the broker listens", || {
            assert_eq!(self.child.try_wait().unwrap(), None, "{:?} ended", self.command);
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
    }

    /// `-STOP`: it takes connections and says nothing; `-CONT`: it goes on.
    pub fn signal(&self, signal: &str) {
        let kill = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
    }

    /// It is gone without a word.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// And there again.
    pub fn restart(&mut self) {
        self.kill();
        self.child = spawn(&self.command);
        self.ready();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(command: &[String]) -> Child {
    Command::new(&command[0])
        .args(&command[1..])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A message as a subscriber gets it.
#[derive(Clone, Debug)]
pub struct Heard {
    pub topic: String,
    pub text: String,
    pub retained: bool,
}

/// A subscriber to everything of a broker.
pub struct Listener {
    heard: Arc<parking_lot::Mutex<Vec<Heard>>>,
    client: Client,
}

impl Listener {
    /// Subscribes, and waits until that is confirmed.
    pub fn start(port: u16) -> Self {
        Self::with(MqttOptions::new("listener", "127.0.0.1", port))
    }

    pub fn with(mut options: MqttOptions) -> Self {
        options.set_keep_alive(DEADLINE);
        let (client, mut connection) = Client::new(options, 16);
        client.subscribe("#", QoS::AtLeastOnce).unwrap();
        let heard = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let (confirm, confirmed) = crossbeam_channel::bounded(1);
        let messages = heard.clone();
        let listen = move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Packet::SubAck(_))) => confirm.try_send(()).unwrap_or_default(),
                    Ok(Event::Incoming(Packet::Publish(publish))) => messages.lock().push(Heard {
                        topic: String::from_utf8(publish.topic.to_vec()).unwrap(),
                        text: String::from_utf8(publish.payload.to_vec()).unwrap(),
                        retained: publish.retain,
                    }),
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
        };
        std::thread::Builder::new()
            .name("listener".into())
            .spawn(listen)
            .unwrap();
        confirmed
            .recv_timeout(DEADLINE)
            .expect("the subscription is confirmed");
        Self { heard, client }
    }

    /// What came on a topic.
    pub fn on(&self, topic: &str) -> Vec<Heard> {
        let heard = self.heard.lock();
        heard
            .iter()
            .filter(|message| message.topic == topic)
            .cloned()
            .collect()
    }

    /// The JSON on a topic.
    pub fn json(&self, topic: &str) -> Vec<serde_json::Value> {
        let parse = |message: Heard| serde_json::from_str(&message.text).unwrap();
        self.on(topic).into_iter().map(parse).collect()
    }

    /// The newest text on a topic.
    pub fn last(&self, topic: &str) -> Option<String> {
        self.on(topic).pop().map(|message| message.text)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.client.disconnect();
    }
}
