//! `cis-receiver` as a process of its own.

use super::{Site, runtime, wait_for};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

/// The program. A test within the crate has none.
fn program() -> &'static str {
    match option_env!("CARGO_BIN_EXE_cis-receiver") {
        Some(program) => program,
        None => panic!("this is no integration test"),
    }
}

/// A running `cis-receiver`, its log at hand.
pub struct Process {
    pub child: Child,
    pub log: Arc<parking_lot::Mutex<String>>,
}

impl Process {
    pub fn start(site: &Site, toml: &str) -> Self {
        Self::start_with(site, toml, &[])
    }

    /// The same with further environment variables.
    pub fn start_with(site: &Site, toml: &str, environment: &[(&str, &str)]) -> Self {
        Self::run(site, "receiver.toml", toml, |program| {
            program.envs(environment.iter().copied())
        })
    }

    /// The same from a configuration file of that name, with what `more` says before it.
    pub fn run(site: &Site, file: &str, toml: &str, more: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        std::fs::write(site.path(file), toml).unwrap();
        let mut command = Command::new(program());
        let mut child = more(&mut command)
            .arg("--config")
            .arg(site.path(file))
            .env("CIS_ONNXRUNTIME", runtime().library())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (log, stderr) = (
            Arc::new(parking_lot::Mutex::new(String::new())),
            child.stderr.take().unwrap(),
        );
        let lines = log.clone();
        let read = move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().push_str(&(line + "\n"));
            }
        };
        std::thread::Builder::new()
            .name("log".into())
            .spawn(read)
            .unwrap();
        Self { child, log }
    }

    /// Where cameras connect.
    pub fn address(&mut self) -> SocketAddr {
        self.told("listening for cameras on ", ' ')
    }

    /// The address that the log tells between these.
    pub fn told(&mut self, before: &str, after: char) -> SocketAddr {
        let mut found = None;
        wait_for(before, || {
            assert_eq!(self.child.try_wait().unwrap(), None, "{}", self.log.lock());
            let log = self.log.lock();
            let mut lines = log.lines();
            found = lines.find_map(|line| line.split_once(before)?.1.split(after).next()?.parse().ok());
            found.is_some()
        });
        found.unwrap()
    }

    pub fn signal(&self, signal: &str) {
        assert!(
            Command::new("kill")
                .args([signal, &self.child.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
    }

    pub fn end(&mut self) -> ExitStatus {
        let mut status = None;
        wait_for("the process has ended", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
