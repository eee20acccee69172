//! A nats-server of the test's own, and what it has.

use crate::common::{DEADLINE, wait_for};
use async_nats::jetstream;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tokio::runtime::Runtime;

/// A broker on a free port of this machine; its store is a temporary folder, and survives its restarts.
pub struct Nats {
    dir: tempfile::TempDir,
    child: Child,
    port: u16,
    more: Vec<String>,
    runtime: Runtime,
}

/// A result that the broker has.
pub struct Answer {
    pub worker: String,
    pub json: serde_json::Value,
}

impl Nats {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// `more`: further arguments of the server.
    pub fn with(more: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let more: Vec<_> = more.iter().map(|arg| (*arg).to_owned()).collect();
        let child = spawn(&dir, -1, &more);
        let ports = dir.path().join(format!("nats-server_{}.ports", child.id()));
        let mut port = None;
        wait_for("the broker listens", || {
            let text = std::fs::read_to_string(&ports).unwrap_or_default();
            let all: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            let url = all["nats"][0].as_str().map(str::to_owned);
            port = url.and_then(|url| url.rsplit(':').next()?.parse().ok());
            port.is_some()
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        Self {
            dir,
            child,
            port: port.unwrap(),
            more,
            runtime,
        }
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// `[cluster]` and `[worker]` with times that suit a test.
    pub fn toml(&self, worker: &str) -> String {
        format!(
            "[cluster]\nservers = ['{}']\nunits-max-size = 64\nresults-max-size = 64\nmax-group = 40\n\
             [worker]\nname = '{worker}'\nheartbeat = 200\ntimeout = 2000\ndiscover = 500\n",
            self.url()
        )
    }

    /// The end of the process, without a word.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// It is there again, at the same port with the same store.
    pub fn restart(&mut self) {
        self.child = spawn(&self.dir, self.port.into(), &self.more);
    }

    /// Publishes, as anybody may who is let in.
    pub fn publish(&self, subject: &str, headers: &[(&str, &str)], payload: &[u8]) {
        let mut map = async_nats::HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, *value);
        }
        let (subject, payload) = (subject.to_owned(), payload.to_vec());
        self.runtime.block_on(async {
            let client = async_nats::connect(self.url()).await.unwrap();
            client
                .publish_with_headers(subject, map, payload.into())
                .await
                .unwrap();
            client.flush().await.unwrap();
        });
    }

    /// Messages that a stream has.
    pub fn messages(&self, stream: &str) -> u64 {
        let count = async {
            let client = async_nats::connect(self.url()).await.ok()?;
            let stream = jetstream::new(client).get_stream(stream).await.ok()?;
            Some(stream.cached_info().state.messages)
        };
        self.runtime.block_on(count).unwrap_or(0)
    }

    /// All results, by camera and in the order of the broker. What no worker wrote is left out.
    pub fn answers(&self) -> BTreeMap<String, Vec<Answer>> {
        self.runtime.block_on(async {
            let client = async_nats::connect(self.url()).await.unwrap();
            let stream = jetstream::new(client).get_stream("CIS_RESULTS").await.unwrap();
            let last = stream.cached_info().state.last_sequence;
            let mut answers = BTreeMap::<_, Vec<_>>::new();
            for sequence in 1..=last {
                let message = stream.get_raw_message(sequence).await.unwrap();
                let Some(mark) = message.headers.get("Cis-Result") else {
                    continue;
                };
                let json: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
                let worker = mark.as_str().split(' ').next().unwrap().to_owned();
                let camera = json["stream"].as_str().unwrap().to_owned();
                assert_eq!(
                    message.subject.as_str(),
                    format!("cis.results.{}", camera.replace('.', "/"))
                );
                answers.entry(camera).or_default().push(Answer { worker, json });
            }
            answers
        })
    }

    /// Waits until there are results of all frames 0 to `frames` - 1 of each camera, and asserts that there is one of each.
    pub fn every_frame_once(&self, cameras: &[String], frames: u64) -> BTreeMap<String, Vec<Answer>> {
        self.every_frame_once_beside(0, cameras, frames)
    }

    /// The same where `foreign` messages among the results are no worker's.
    pub fn every_frame_once_beside(
        &self,
        foreign: u64,
        cameras: &[String],
        frames: u64,
    ) -> BTreeMap<String, Vec<Answer>> {
        let wanted = cameras.len() as u64 * frames + foreign;
        let (mut before, mut since) = (0, std::time::Instant::now());
        loop {
            let now = self.messages("CIS_RESULTS");
            if now >= wanted {
                break;
            }
            if now > before {
                (before, since) = (now, std::time::Instant::now());
            }
            assert!(
                since.elapsed() < DEADLINE,
                "{now} results of {wanted}: {}",
                self.missing(cameras, frames)
            );
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let answers = self.answers();
        for camera in cameras {
            let mut numbers: Vec<_> = answers[camera]
                .iter()
                .map(|a| a.json["frame"].as_u64().unwrap())
                .collect();
            numbers.sort_unstable();
            assert_eq!(numbers, (0..frames).collect::<Vec<_>>(), "{camera}");
        }
        answers
    }

    /// What gateways said of the units of a camera.
    fn tags(&self, camera: &str) -> Vec<String> {
        let of_camera = format!("cis.units.{}.", camera.replace('.', "/"));
        self.runtime.block_on(async {
            let client = async_nats::connect(self.url()).await.unwrap();
            let stream = jetstream::new(client).get_stream("CIS_UNITS").await.unwrap();
            let last = stream.cached_info().state.last_sequence;
            let mut tags = Vec::new();
            for sequence in 1..=last {
                let message = stream.get_raw_message(sequence).await.unwrap();
                if let Some(lane) = message.subject.strip_prefix(&of_camera) {
                    let tag = message.headers.get("Cis-Unit").map_or("", |tag| tag.as_str());
                    tags.push(format!("{sequence} {lane}: {tag}"));
                }
            }
            tags
        })
    }

    fn missing(&self, cameras: &[String], frames: u64) -> String {
        let answers = self.answers();
        let missing = cameras.iter().map(|camera| {
            let there: Vec<_> = answers.get(camera).into_iter().flatten().collect();
            let missing: Vec<_> = (0..frames)
                .filter(|n| !there.iter().any(|answer| answer.json["frame"] == *n))
                .collect();
            format!("{camera} lacks {missing:?}, of {:?}", self.tags(camera))
        });
        missing.collect::<Vec<_>>().join("; ")
    }
}

fn spawn(dir: &tempfile::TempDir, port: i32, more: &[String]) -> Child {
    let binary = ["/usr/sbin/nats-server", "/usr/bin/nats-server"].map(PathBuf::from);
    let binary = binary.iter().find(|path| path.exists());
    let binary = binary.expect("tests need Debian's nats-server: run scripts/setup");
    let log = std::fs::File::create(dir.path().join("nats.log")).unwrap();
    Command::new(binary)
        .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js"])
        .arg("-sd")
        .arg(dir.path().join("store"))
        .arg("--ports_file_dir")
        .arg(dir.path())
        .args(more)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
