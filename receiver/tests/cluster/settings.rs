//! Settings that cannot work are refused with their name, their value and what would be legal.

use crate::common::Site;
use crate::nats::Nats;
use crate::process::Process;
use cis_receiver::config::{Config, Role};

fn refused(toml: &str, role: Role) -> String {
    match Config::of_role(toml, "receiver.toml".as_ref(), role) {
        Ok(_) => panic!("accepted: {toml}"),
        Err(e) => e.to_string(),
    }
}

#[test]
fn what_cannot_work_is_refused_before_anything_starts() {
    for (toml, words) in [
        ("[cluster]\nservers = []", "nats://HOST:PORT"),
        ("[cluster]\nservers = ['http://x']", "http://x"),
        (
            "[cluster]\nservers = ['nats://']",
            "cluster.servers has `nats://`",
        ),
        ("[cluster]\nprefix = 'a.b'", "a.b"),
        ("[cluster]\nprefix = 'CIS'", "CIS"),
        ("[cluster]\nreplicas = 6", "1..=5"),
        ("[cluster]\ncertificate = 'x.pem'", "cluster.key"),
        ("[cluster]\ncredentials = 'a'\ntoken-file = 'b'", "one of them"),
        (
            "[cluster]\nduplicate-window = 60\nresults-max-age = 30",
            "at most cluster.results-max-age, 30 s",
        ),
        ("[worker]\nname = 'a b'", "a b"),
        ("[worker]\nheartbeat = 1000\ntimeout = 2000", "three heartbeats"),
    ] {
        let told = refused(toml, Role::Worker);
        assert!(told.contains(words), "{told}");
    }
    // A worker needs no certificate for cameras, a gateway does; and a receiver does not look at the broker.
    assert!(Config::of_role("", "receiver.toml".as_ref(), Role::Worker).is_ok());
    assert!(refused("", Role::Gateway).contains("nobody could authenticate"));
    let receiver = "[cluster]\nprefix = 'a.b'\n[listen]\ninsecure = true";
    assert!(Config::of_role(receiver, "receiver.toml".as_ref(), Role::Receiver).is_ok());
}

#[test]
fn a_broker_that_is_not_there_or_not_ours_is_named() {
    let site = Site::new(&[]);
    let mut nats = Nats::with(&["--auth", "0123456789abcdef"]);
    let toml = nats.toml("a");
    let mut worker = Process::worker(&site, "a", &toml);
    assert_eq!(worker.end().code(), Some(1));
    worker.waits_for(&nats.url());

    std::fs::write(site.path("token"), "0123456789abcdef\n").unwrap();
    let with_token = toml.replace("[cluster]", "[cluster]\ntoken-file = 'token'");
    let mut worker = Process::worker(&site, "a", &with_token);
    worker.says("1 workers");
    assert_eq!(worker.terminate().code(), Some(0));

    let mut gateway = Process::gateway(&site, crate::any(), &with_token.replace("'token'", "'nowhere'"));
    assert_eq!(gateway.end().code(), Some(1));
    gateway.waits_for("cluster.token-file");
    nats.kill();
    let mut worker = Process::worker(&site, "a", &with_token);
    assert_eq!(worker.end().code(), Some(1));
    worker.waits_for(&nats.url());
}

#[test]
fn a_broker_is_trusted_by_its_certificate_alone() {
    let site = Site::new(&[]);
    let [certificate, key] = ["server.pem", "server.key"].map(|name| site.path(name).display().to_string());
    let nats = Nats::with(&["--tls", "--tlscert", &certificate, "--tlskey", &key]);
    let toml = nats.toml("a").replace("nats://", "tls://");
    let trusting = toml.replace("[cluster]", "[cluster]\nca = 'ca.pem'");
    let mut worker = Process::worker(&site, "a", &trusting);
    worker.says("1 workers");
    assert_eq!(worker.terminate().code(), Some(0));

    // Of an authority that nobody here knows.
    let mut worker = Process::worker(&site, "a", &toml);
    assert_eq!(worker.end().code(), Some(1));
    worker.waits_for("certificate");
}
