//! The receiver under test: a process of its own, with keys for every camera; ended with this one.

use crate::tally::Tally;
use anyhow::{Context, bail};
use cis_link::{StreamName, keys};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long it may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Lines of its log that are kept for error messages.
const LOG: usize = 20;

/// A running receiver.
pub struct Receiver {
    child: Child,
    dir: PathBuf,
    log: Arc<Mutex<VecDeque<String>>>,
    lines: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Receiver {
    /// Starts `program` with keys for these cameras in `dir`; its lines go to `tally`.
    pub fn start(
        program: &Path,
        dir: &Path,
        cameras: &[StreamName],
        options: &[(String, String)],
        cpus: Option<&str>,
        tally: Arc<Tally>,
    ) -> anyhow::Result<(Self, SocketAddr)> {
        keys::init(dir, &["127.0.0.1".into()])?;
        for camera in cameras {
            keys::add_camera(dir, camera)?;
        }
        let streams = cameras.len().to_string();
        let path = |name: &str| dir.join(name).display().to_string();
        let own = [
            ("listen.address", "127.0.0.1:0".to_owned()),
            ("listen.certificate", path("server.pem")),
            ("listen.key", path("server.key")),
            ("listen.tokens", path("tokens.toml")),
            // All cameras are at one address here.
            ("listen.handshakes-per-second", "0".to_owned()),
            ("listen.max-streams", streams),
            ("rtsp.enabled", "false".to_owned()),
            ("json.output", "-".to_owned()),
        ];
        let mut command = match cpus {
            Some(cpus) => {
                let mut command = Command::new("taskset");
                command.args(["-c", cpus]).arg(program);
                command
            }
            None => Command::new(program),
        };
        let given = options.iter().map(|(key, value)| (key.as_str(), value.clone()));
        for (key, value) in own.into_iter().chain(given) {
            let name = key.replace(['.', '-'], "_").to_uppercase();
            command.env(format!("CIS_RECEIVER_{name}"), value);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let (stdout, stderr) = child.stdout.take().zip(child.stderr.take()).context("no pipes")?;
        let log = Arc::<Mutex<VecDeque<String>>>::default();
        let (found, address) = crossbeam_channel::bounded(1);
        std::thread::Builder::new().name("receiver-log".into()).spawn({
            let log = log.clone();
            move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    let text = line.split_once("listening for cameras on ");
                    if let Some(address) = text.and_then(|(_, rest)| rest.split(' ').next()?.parse().ok()) {
                        let _ = found.try_send(address);
                    }
                    let mut log = log.lock();
                    log.push_back(line);
                    while log.len() > LOG {
                        log.pop_front();
                    }
                }
            }
        })?;
        let lines = std::thread::Builder::new()
            .name("receiver-lines".into())
            .spawn(move || tally.read(BufReader::new(stdout)))?;
        let receiver = Self {
            child,
            dir: dir.to_owned(),
            log,
            lines: Some(lines),
        };
        match address.recv_timeout(PATIENCE) {
            Ok(address) => Ok((receiver, address)),
            Err(_) => bail!("the receiver does not listen:\n{}", receiver.log()),
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its keys are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Ends it; everything that it had to say has been read afterwards.
    pub fn end(mut self) -> anyhow::Result<()> {
        Command::new("kill")
            .args(["-TERM", &self.pid().to_string()])
            .status()?;
        let started = Instant::now();
        let status = loop {
            match self.child.try_wait()? {
                Some(status) => break status,
                None if started.elapsed() > PATIENCE => bail!("the receiver does not end:\n{}", self.log()),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        if !status.success() {
            bail!("the receiver ended with {status}:\n{}", self.log());
        }
        match self.lines.take().map(JoinHandle::join) {
            Some(Ok(read)) => read,
            _ => bail!("the reader of the receiver's lines panicked"),
        }
    }

    /// The end of its log.
    fn log(&self) -> String {
        Vec::from(self.log.lock().clone()).join("\n")
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
