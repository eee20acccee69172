//! A running `cis-receiver` of either kind, its log at hand.

use crate::common::{Site, runtime, wait_for};
use parking_lot::Mutex;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

pub struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Process {
    /// Starts `cis-receiver ROLE` with a configuration file of that name.
    pub fn start(site: &Site, role: &str, name: &str, toml: &str) -> Self {
        let path = site.path(&format!("{name}.toml"));
        std::fs::write(&path, toml).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_cis-receiver"))
            .arg(role)
            .arg("--config")
            .arg(path)
            .env("CIS_ONNXRUNTIME", runtime().library())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, stderr) = (log.clone(), child.stderr.take().unwrap());
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

    pub fn gateway(site: &Site, address: SocketAddr, cluster: &str) -> Self {
        let listen = site.toml("").replace("127.0.0.1:0", &address.to_string());
        let listen = listen.replace("[model]", "state-folder = 'state'\n[model]");
        Self::start(site, "gateway", "gateway", &format!("{listen}{cluster}"))
    }

    /// A worker that has what there is to do for it: it knows the others.
    pub fn worker(site: &Site, name: &str, cluster: &str) -> Self {
        let model = format!("[model]\nfolder = {:?}\n", crate::common::tiny());
        let quiet = "[rtsp]\nenabled = false\n[json]\noutput = 'none'\n[status]\ninterval = 1\n";
        Self::start(site, "worker", name, &format!("{model}{quiet}{cluster}"))
    }

    pub fn log(&self) -> String {
        self.log.lock().clone()
    }

    /// Waits until the log says so.
    pub fn says(&mut self, words: &str) {
        wait_for(words, || {
            assert_eq!(self.child.try_wait().unwrap(), None, "{}", self.log.lock());
            self.log.lock().contains(words)
        });
    }

    /// Waits until the log of a process that ends has these words.
    pub fn waits_for(&self, words: &str) {
        wait_for(words, || self.log.lock().contains(words));
    }

    /// Where cameras connect.
    pub fn address(&mut self) -> SocketAddr {
        self.says("listening for cameras on ");
        let log = self.log.lock();
        let rest = log.split_once("listening for cameras on ").unwrap().1;
        rest.split(' ').next().unwrap().parse().unwrap()
    }

    /// The end, without a word.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// A clean end.
    pub fn terminate(&mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        self.end()
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
        if std::thread::panicking() {
            eprintln!("--- log\n{}", self.log.lock());
        }
    }
}
