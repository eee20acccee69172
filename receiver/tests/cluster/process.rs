//! A running `cis-receiver` of either kind, its log at hand.

use crate::common::{self, Site, wait_for};
use std::net::SocketAddr;
use std::process::ExitStatus;

pub struct Process(common::process::Process);

impl Process {
    /// Starts `cis-receiver ROLE` with a configuration file of that name.
    pub fn start(site: &Site, role: &str, name: &str, toml: &str) -> Self {
        let file = format!("{name}.toml");
        Self(common::process::Process::run(site, &file, toml, |program| {
            program.arg(role)
        }))
    }

    pub fn gateway(site: &Site, address: SocketAddr, cluster: &str) -> Self {
        let listen = site.toml("").replace("127.0.0.1:0", &address.to_string());
        let listen = listen.replace("[model]", "state-folder = 'state'\n[model]");
        Self::start(site, "gateway", "gateway", &format!("{listen}{cluster}"))
    }

    /// A worker that has what there is to do for it: it knows the others.
    pub fn worker(site: &Site, name: &str, cluster: &str) -> Self {
        let model = format!("[model]\nfolder = {:?}\n", common::tiny());
        let quiet = "[rtsp]\nenabled = false\n[json]\noutput = 'none'\n[status]\ninterval = 1\n";
        Self::start(site, "worker", name, &format!("{model}{quiet}{cluster}"))
    }

    pub fn log(&self) -> String {
        self.0.log.lock().clone()
    }

    /// Waits until the log says so.
    pub fn says(&mut self, words: &str) {
        wait_for(words, || {
            assert_eq!(self.0.child.try_wait().unwrap(), None, "{}", self.0.log.lock());
            self.0.log.lock().contains(words)
        });
    }

    /// Waits until the log of a process that ends has these words.
    pub fn waits_for(&self, words: &str) {
        wait_for(words, || self.0.log.lock().contains(words));
    }

    /// Where cameras connect.
    pub fn address(&mut self) -> SocketAddr {
        self.0.address()
    }

    /// The address that the log tells between these.
    pub fn told(&mut self, before: &str, after: char) -> SocketAddr {
        self.0.told(before, after)
    }

    /// The end, without a word.
    pub fn kill(&mut self) {
        self.0.child.kill().unwrap();
        self.0.child.wait().unwrap();
    }

    /// A clean end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.0.signal("-TERM");
        self.end()
    }

    pub fn end(&mut self) -> ExitStatus {
        self.0.end()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log\n{}", self.0.log.lock());
        }
    }
}
