//! What the tests share: keys in a temporary folder, a configuration, and a camera that speaks the real link with units
//! of the real coder. The networks are those of the fixture bundle: cells of bright latents are objects.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod http;
pub mod process;
pub mod server;

use cis_codec::encode::{Config, Encoder, Input};
use cis_codec::{Prior, Shape, Size};
use cis_inference::runtime::{Runtime, Search};
use cis_link::sender::{BackoffRange, ClientTls, Sender, SpoolConfig};
use cis_link::{StreamName, Token, Unit, keys};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Id of the fixture bundle.
pub const BUNDLE: &str = "cis-tiny-fixture";
/// Source size of the cameras: 4x4 latents at the smallest input.
pub const SOURCE: Size = Size {
    width: 256,
    height: 144,
};
const SHAPE: Shape = Shape {
    channels: 12,
    width: 4,
    height: 4,
};
const FRAME: Duration = Duration::from_millis(40);

/// How long anything may take before a test gives up.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Polls until `condition` holds; fails the test after the deadline.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < DEADLINE, "waited {DEADLINE:?} for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Folder of the fixture bundle.
pub fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../inference/tests/fixtures/tiny")
        .canonicalize()
        .unwrap()
}

/// ONNX Runtime, from the environment or from where set-up puts it. Its absence fails the test.
pub fn runtime() -> Runtime {
    let mut search = Search::from_environment();
    search.folders.insert(
        0,
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cis/onnxruntime"),
    );
    Runtime::load_with(&search).expect("tests need ONNX Runtime: run scripts/setup, then source env.sh")
}

/// Keys of a receiver and its cameras, and everything that it writes.
pub struct Site {
    pub dir: tempfile::TempDir,
}

impl Site {
    /// A receiver called localhost, and those cameras.
    pub fn new(cameras: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        keys::init(dir.path(), &["localhost".into(), "127.0.0.1".into()]).unwrap();
        for camera in cameras {
            keys::add_camera(dir.path(), &camera.parse().unwrap()).unwrap();
        }
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A configuration on free ports; `more` goes below.
    pub fn toml(&self, more: &str) -> String {
        format!(
            "[listen]\naddress = '127.0.0.1:0'\ncertificate = 'server.pem'\nkey = 'server.key'\ntokens = 'tokens.toml'\n\
             [model]\nfolder = {:?}\n{more}",
            tiny()
        )
    }

    /// That configuration, read.
    pub fn config(&self, more: &str) -> cis_receiver::config::Config {
        cis_receiver::config::Config::from_toml(&self.toml(more), &self.path("receiver.toml")).unwrap()
    }

    /// A receiver in this process.
    pub fn receiver(&self, more: &str) -> cis_receiver::Receiver {
        runtime();
        cis_receiver::Receiver::start(&self.config(more)).unwrap()
    }

    /// The same with `listen` added to that section.
    pub fn receiver_with(&self, listen: &str, more: &str) -> cis_receiver::Receiver {
        runtime();
        let toml = self
            .toml(more)
            .replace("[model]\n", &format!("{listen}[model]\n"));
        let config = cis_receiver::config::Config::from_toml(&toml, &self.path("receiver.toml")).unwrap();
        cis_receiver::Receiver::start(&config).unwrap()
    }

    /// The lines of a JSON file here.
    pub fn lines(&self, name: &str) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The recordings of a stream, oldest first.
    pub fn recordings(&self, stream: &str) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.path("recordings").join(stream)) else {
            return Vec::new();
        };
        let mut paths: Vec<_> = entries.map(|e| e.unwrap().path()).collect();
        paths.sort();
        paths
    }
}

/// Units of a scene with one bright cell that moves.
pub struct Scene {
    encoder: Encoder,
    enhancement: Encoder,
    frames: u64,
    /// Frames between two key frames; 0: only the first and those asked for.
    pub key_interval: u64,
    /// Noise makes large units: some 250 bytes instead of 30.
    pub noise: bool,
    /// Whether the bright cell is there, and whether a dark one is.
    pub bright: bool,
    pub dark: bool,
    random: u64,
}

impl Scene {
    pub fn new(key_interval: u64) -> Self {
        let config = Config {
            key_interval: 0,
            ..Config::new(BUNDLE.parse().unwrap())
        };
        Self {
            enhancement: Encoder::new(
                Config {
                    layer: cis_codec::frame::ENHANCEMENT,
                    ..config.clone()
                },
                Arc::new(Prior::default()),
            )
            .unwrap(),
            encoder: Encoder::new(config, Arc::new(Prior::default())).unwrap(),
            frames: 0,
            key_interval,
            noise: false,
            bright: true,
            dark: false,
            random: 1,
        }
    }

    /// The next frame; `key`: as a key frame whatever the interval.
    pub fn next(&mut self, key: bool) -> Unit {
        let cells = usize::from(SHAPE.width) * usize::from(SHAPE.height);
        let bright = (self.frames / 5) as usize % 8;
        let mut latents: Vec<f32> = (0..SHAPE.len())
            .map(|i| match i % cells {
                cell if cell == bright && self.bright => 12.0,
                // Where the bright one never comes.
                11 if self.dark => -12.0,
                _ => -2.0,
            })
            .collect();
        if self.noise {
            for value in &mut latents {
                self.random = self
                    .random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                *value = (self.random >> 33) as f32 % 1000.0;
            }
        }
        let force_key = key || (self.key_interval != 0 && self.frames.is_multiple_of(self.key_interval));
        let pts = FRAME * u32::try_from(self.frames).unwrap();
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        let input = Input {
            latents: &latents,
            shape: SHAPE,
            source: SOURCE,
            pts_ns: pts.as_nanos() as u64,
            capture_utc_ns: now.as_nanos() as u64,
            force_key,
            vectors: &[],
        };
        let packet = self.encoder.encode(&input).unwrap();
        self.frames += 1;
        Unit {
            data: packet.data,
            key: packet.header.key,
        }
    }

    /// What enhances the frame before.
    pub fn enhance(&mut self, force_key: bool) -> Unit {
        let shape = Shape { channels: 6, ..SHAPE };
        let latents: Vec<f32> = (0..shape.len() as u64)
            .map(|i| ((i + self.frames) % 5) as f32)
            .collect();
        let pts = FRAME * u32::try_from(self.frames - 1).unwrap();
        let input = Input {
            latents: &latents,
            shape,
            source: SOURCE,
            pts_ns: pts.as_nanos() as u64,
            capture_utc_ns: 1,
            force_key,
            vectors: &[],
        };
        let packet = self.enhancement.encode(&input).unwrap();
        Unit {
            data: packet.data,
            key: packet.header.key,
        }
    }

    /// The same frame again.
    pub fn repeat(&mut self) -> Unit {
        let pts = FRAME * u32::try_from(self.frames).unwrap();
        self.frames += 1;
        let packet = self.encoder.encode_repeat(pts.as_nanos() as u64, 1).unwrap();
        Unit {
            data: packet.data,
            key: false,
        }
    }
}

/// A camera.
pub struct Camera {
    pub sender: Sender,
    pub scene: Scene,
    want_key: bool,
    /// Whether the receiver wants the enhancement, and when it last said so.
    pub enhance: Option<Instant>,
    /// When it last said that it does not.
    pub plain: Option<Instant>,
    begin_enhancement: bool,
    /// Key frames that the receiver asked for.
    pub asked: u64,
}

impl Camera {
    /// Settings of a camera of that site.
    pub fn config(site: &Site, name: &str, address: SocketAddr) -> cis_link::sender::Config {
        let stream: StreamName = name.parse().unwrap();
        let mut config = cis_link::sender::Config::new("127.0.0.1", address.port(), stream, BUNDLE);
        config.tls = ClientTls {
            ca: Some(site.path("ca.pem")),
            ..ClientTls::default()
        };
        config.token = Token::from_file(&site.path(&format!("{name}.token"))).ok();
        config.backoff = BackoffRange {
            min: Duration::from_millis(20),
            max: Duration::from_millis(100),
        };
        // However slow the machine is: what a test is about is what the receiver does with all of it.
        config.latency_budget = Duration::from_secs(60);
        config.queue = 65_536;
        config
    }

    /// Connects; key frames come when the receiver asks, or every `key_interval` frames.
    pub fn start(site: &Site, name: &str, address: SocketAddr, key_interval: u64) -> Self {
        Self::with(Self::config(site, name, address), key_interval)
    }

    /// One that keeps on its disk what it cannot get rid of.
    pub fn with_spool(site: &Site, name: &str, address: SocketAddr, key_interval: u64) -> Self {
        let mut config = Self::config(site, name, address);
        config.spool = Some(SpoolConfig {
            dir: site.path("spool"),
            max_bytes: 16 << 20,
        });
        Self::with(config, key_interval)
    }

    fn with(config: cis_link::sender::Config, key_interval: u64) -> Self {
        let sender = Sender::start(config).unwrap();
        Self {
            sender,
            scene: Scene::new(key_interval),
            want_key: false,
            enhance: None,
            plain: None,
            begin_enhancement: false,
            asked: 0,
        }
    }

    /// Waits until the receiver has let it in.
    pub fn connected(self) -> Self {
        wait_for("the camera is connected", || self.sender.stats().connected);
        self
    }

    /// Sends the next frame.
    pub fn frame(&mut self) {
        self.hear();
        let unit = self.scene.next(std::mem::take(&mut self.want_key));
        self.begin_enhancement |= unit.key;
        self.sender.send(unit);
        if self.enhance.is_some() {
            // A frame that waits would have it yield: a camera takes its time between them.
            self.emptied();
            let unit = self.scene.enhance(std::mem::take(&mut self.begin_enhancement));
            self.sender.send_enhancement(unit);
            self.emptied();
        }
    }

    fn emptied(&self) {
        wait_for("an empty queue", || {
            let stats = self.sender.stats();
            stats.queued == 0 || !stats.connected
        });
    }

    /// Enhancement units that went to the network.
    pub fn enhanced(&self) -> u64 {
        self.sender.stats().enhancement_units
    }

    /// Frames so far.
    pub fn scene_frames(&self) -> u64 {
        self.scene.frames
    }

    /// Takes note of what the receiver wants.
    pub fn hear(&mut self) {
        use cis_link::sender::Event;
        for event in self.sender.events().try_iter() {
            match event {
                Event::KeyRequested => {
                    self.want_key = true;
                    self.asked += 1;
                }
                Event::Layer { layer: 1, on: true } => {
                    self.begin_enhancement = true;
                    self.enhance = Some(Instant::now());
                }
                Event::Layer { layer: 1, on: false } => {
                    self.enhance = None;
                    self.plain = Some(Instant::now());
                }
                Event::EnhancementBroken => self.begin_enhancement = true,
                _ => {}
            }
        }
    }

    pub fn frames(&mut self, n: usize) {
        (0..n).for_each(|_| self.frame());
    }

    /// Forgets what was asked so far: a sender asks for a key frame by itself when it connects.
    pub fn settle(&mut self) {
        self.sender.events().try_iter().for_each(drop);
        (self.want_key, self.asked) = (false, 0);
    }

    /// Sends what waits and says goodbye.
    pub fn finish(self) {
        assert!(self.sender.finish(DEADLINE), "everything was delivered");
    }
}
