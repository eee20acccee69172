//! What operators see: metrics, health that tells what is stuck, reload, and what systemd is told.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::http::{get, request};
use common::process::Process;
use common::{Camera, DEADLINE, Site, wait_for};
use std::collections::BTreeSet;
use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

const METRICS: &str = "[metrics]\naddress = '127.0.0.1:0'\n[rtsp]\naddress = '127.0.0.1:0'\n";
const WEB: &str = "[web]\naddress = '127.0.0.1:0'\ninsecure = true\n[record]\nfolder = 'recordings'\n";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// What /metrics says with one camera connected.
fn metrics() -> String {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(&format!("{METRICS}{WEB}[json]\noutput = 'out.jsonl'\n"));
    let address = receiver.metrics_address().unwrap();
    assert_eq!(get(address, "/healthz").status, 200);
    assert_eq!(get(address, "/readyz").status, 200);
    let mut camera = Camera::start(&site, "gate-1", receiver.address(), 10).connected();
    camera.frames(30);
    camera.sender.encoded(Duration::from_millis(30));
    wait_for("the camera tells how long it takes", || {
        value(&get(address, "/metrics").body, "cis_stream_encode_seconds_count") == 1.0
    });
    wait_for("results", || {
        receiver
            .streams()
            .first()
            .is_some_and(|(_, s)| s.results + s.undetected == 30)
    });
    let response = get(address, "/metrics");
    assert!(
        response
            .header("content-type")
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    camera.finish();
    wait_for("the stream has ended", || receiver.ended().0 == 1);
    let after = get(address, "/metrics").body;
    assert!(!after.contains("gate-1"), "streams that have ended take no room");
    assert_eq!(value(&after, "cis_streams_opened_total"), 1.0);
    assert_eq!(request(address, "POST", "/metrics", "", "").status, 405);
    receiver.shutdown();
    response.body
}

fn value(text: &str, name: &str) -> f64 {
    let line = text.lines().find(|line| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with([' ', '{']))
    });
    let line = line.unwrap_or_else(|| panic!("{name} is not in\n{text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Name, type and help of every metric.
fn families(text: &str) -> Vec<(String, String, String)> {
    let of = |line: &str, what: &str| {
        let (name, rest) = line.strip_prefix(what)?.trim().split_once(' ')?;
        Some((name.to_owned(), rest.to_owned()))
    };
    let helps: Vec<_> = text.lines().filter_map(|line| of(line, "# HELP")).collect();
    let types = text.lines().filter_map(|line| of(line, "# TYPE"));
    types
        .map(|(name, kind)| {
            let help = helps.iter().find(|(other, _)| *other == name).unwrap().1.clone();
            let suffix = if kind == "counter" { "_total" } else { "" };
            (format!("{name}{suffix}"), kind, help)
        })
        .collect()
}

#[test]
fn metrics_count_what_comes_and_are_documented() {
    let text = metrics();
    assert!(text.ends_with("# EOF\n"));
    assert_eq!(value(&text, "cis_stream_frames_total"), 30.0);
    assert_eq!(value(&text, "cis_stream_keys_total"), 3.0);
    assert_eq!(value(&text, "cis_stream_network_seconds_count"), 30.0);
    assert_eq!(value(&text, "cis_stream_encode_seconds_sum"), 0.03);
    assert!(
        text.contains(r#"cis_stream_encode_seconds_bucket{le="0.016",stream="gate-1"} 0"#),
        "{text}"
    );
    assert!(
        text.contains(r#"cis_stream_encode_seconds_bucket{le="0.032",stream="gate-1"} 1"#),
        "{text}"
    );
    assert!(
        text.contains(r#"cis_stream_encode_seconds_bucket{le="+Inf",stream="gate-1"} 1"#),
        "{text}"
    );
    assert_eq!(value(&text, "cis_streams"), 1.0);
    let lines = value(&text, "cis_output_delivered_total") + value(&text, "cis_output_dropped_total");
    assert!(lines > 0.0);
    assert!(value(&text, "process_resident_memory_bytes") > 1e6);

    let labels = |name: &str| -> String {
        let line = text
            .lines()
            .find(|line| line.starts_with(name) && line.contains('{'));
        let inside = line
            .and_then(|line| Some(line.split_once('{')?.1.split_once('}')?.0))
            .unwrap_or("");
        let names = inside
            .split(',')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, _)| name);
        names
            .filter(|name| *name != "le")
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let table = families(&text).into_iter().fold(
        "| metric | type | labels | what |\n|---|---|---|---|\n".to_owned(),
        |table, (name, kind, help)| {
            format!(
                "{table}| `{name}` | {kind} | {} | {} |\n",
                labels(&name),
                help.trim_end_matches('.')
            )
        },
    );
    let path = file("docs/metrics.md");
    let old = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = old.split_once("<!-- metrics:begin -->\n").unwrap();
    let (_, tail) = rest.split_once("<!-- metrics:end -->").unwrap();
    let new = format!("{head}<!-- metrics:begin -->\n{table}<!-- metrics:end -->{tail}");
    if std::env::var_os("CIS_WRITE_DOCS").is_some() {
        std::fs::write(&path, &new).unwrap();
    }
    assert!(
        old == new || std::env::var_os("CIS_WRITE_DOCS").is_some(),
        "docs/metrics.md is out of date: CIS_WRITE_DOCS=1 writes it"
    );
}

#[test]
fn dashboard_and_alerts_ask_for_metrics_that_there_are() {
    let text = metrics();
    let mut known = BTreeSet::new();
    for (name, kind, _) in families(&text) {
        if kind == "histogram" {
            known.extend(["_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}")));
        }
        known.insert(name);
    }
    for name in ["packaging/grafana/cis.json", "packaging/prometheus/alerts.yml"] {
        let text = std::fs::read_to_string(file(name)).unwrap();
        if name.ends_with("json") {
            let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert!(dashboard["panels"].as_array().unwrap().len() > 5);
        }
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let asked: BTreeSet<_> = words
            .filter(|word| word.starts_with("cis_") || word.starts_with("process_"))
            .collect();
        assert!(asked.len() > 5, "{asked:?}");
        for metric in asked {
            assert!(known.contains(metric), "{name} asks for {metric}");
        }
    }
}

/// Nobody reads the standard output, so the thread that writes it really stands still.
#[test]
fn health_names_what_is_stuck_and_readiness_the_shutdown() {
    let site = Site::new(&["gate-1"]);
    let more =
        format!("{METRICS}[health]\nstall-after = 1\n[json]\noutput = '-'\n[detect]\nwhen-full = 'wait'\n");
    let mut process = Process::start(&site, &site.toml(&more));
    let address = process.address();
    let metrics = process.told("metrics and health at http://", '/');
    assert_eq!(get(metrics, "/healthz").status, 200);
    let mut camera = Camera::start(&site, "gate-1", address, 0).connected();
    let mut reason = String::new();
    wait_for("an output that is full and a thread that is stuck", || {
        camera.frame();
        let health = get(metrics, "/healthz");
        reason = health.body;
        health.status == 503
    });
    assert!(
        reason.contains("cis-json has been at one piece of work for"),
        "{reason}"
    );
    let stuck = get(metrics, "/metrics").body;
    assert!(
        stuck.contains(r#"cis_thread_stuck{thread="cis-json"} 1"#),
        "{stuck}"
    );
    assert_eq!(get(metrics, "/readyz").status, 200, "cameras are served");
    process.signal("-TERM");
    wait_for("readiness ends", || get(metrics, "/readyz").status == 503);
    assert_eq!(get(metrics, "/readyz").body, "shutting down\n");
    // Somebody reads again, and everything gets on.
    let mut stdout = process.child.stdout.take().unwrap();
    let read = move || stdout.read_to_end(&mut Vec::new()).unwrap();
    let reader = std::thread::Builder::new()
        .name("reader".into())
        .spawn(read)
        .unwrap();
    assert_eq!(process.end().code(), Some(0), "{}", process.log.lock());
    assert!(reader.join().unwrap() > 60_000, "a pipe's worth of lines");
}

/// A hang-up takes over what may change and names the rest; a broken file changes nothing.
/// The lines are lost, but nothing else is, and no operator has to kill it.
#[test]
fn an_output_that_hangs_does_not_hold_up_the_end() {
    let site = Site::new(&["gate-1"]);
    let more = format!("{METRICS}[health]\nstall-after = 1\n[json]\noutput = '-'\nevents = 'events.jsonl'\n");
    let mut process = Process::start(&site, &site.toml(&more));
    let address = process.address();
    let metrics = process.told("metrics and health at http://", '/');
    let mut camera = Camera::start(&site, "gate-1", address, 0).connected();
    wait_for("an output that is stuck", || {
        camera.frame();
        get(metrics, "/healthz").status == 503
    });
    process.signal("-TERM");
    assert_eq!(process.end().code(), Some(0), "{}", process.log.lock());
    let log = process.log.lock();
    assert!(log.contains("cis-json hangs"), "{log}");
    assert!(log.contains("summary of json.events"), "{log}");
    assert!(!site.lines("events.jsonl").is_empty());
}

#[test]
fn a_hangup_takes_over_the_configuration() {
    let site = Site::new(&["gate-1"]);
    let more = |threshold: &str, queue: u32, filter: &str| {
        site.toml(&format!(
            "[rtsp]\nenabled = false\n[json]\noutput = 'out.jsonl'\nqueue = {queue}\n[log]\nfilter = '{filter}'\n[detect]\nwhen-full = 'wait'\nthreshold = {threshold}\n"
        ))
    };
    let mut process = Process::start(&site, &more("0.3", 4096, "info"));
    let mut camera = Camera::start(&site, "gate-1", process.address(), 0).connected();
    let objects = |line: &serde_json::Value| line["objects"].as_array().unwrap().len();
    camera.frames(10);
    wait_for("lines with objects", || site.lines("out.jsonl").len() == 10);
    assert!(site.lines("out.jsonl").iter().any(|line| objects(line) > 0));

    std::fs::write(site.path("receiver.toml"), more("7.0", 4096, "info")).unwrap();
    process.signal("-HUP");
    wait_for("the error is told", || {
        process.log.lock().contains("stay as they were")
    });
    assert!(
        process.log.lock().contains("detect.threshold is `7.0`"),
        "{}",
        process.log.lock()
    );
    camera.frames(10);
    wait_for("more lines", || site.lines("out.jsonl").len() == 20);
    assert!(
        site.lines("out.jsonl")[10..].iter().any(|line| objects(line) > 0),
        "nothing has changed"
    );

    std::fs::write(
        site.path("receiver.toml"),
        more("1.0", 7, "info,cis_receiver=debug"),
    )
    .unwrap();
    process.signal("-HUP");
    wait_for("it is taken over", || process.log.lock().contains("read anew"));
    wait_for("what needs a restart is named", || {
        process
            .log
            .lock()
            .contains("json.queue has changed: that needs a restart")
    });
    assert!(!process.log.lock().contains("detect.threshold has changed"));
    camera.frames(10);
    wait_for("the last lines", || site.lines("out.jsonl").len() == 30);
    assert!(
        site.lines("out.jsonl")[20..]
            .iter()
            .all(|line| objects(line) == 0),
        "nothing is that sure"
    );

    // It is told as long as it is so, and no longer. A reload that fails follows each, so that everything of it is in the log.
    for (queue, told) in [(7, 2), (4096, 2)] {
        let before = process.log.lock().matches("read anew").count();
        std::fs::write(site.path("receiver.toml"), more("1.0", queue, "debug")).unwrap();
        process.signal("-HUP");
        wait_for("it is read again", || {
            process.log.lock().matches("read anew").count() > before
        });
        std::fs::write(site.path("receiver.toml"), more("7.0", queue, "debug")).unwrap();
        let refused = process.log.lock().matches("stay as they were").count();
        process.signal("-HUP");
        wait_for("the next one", || {
            process.log.lock().matches("stay as they were").count() > refused
        });
        let log = process.log.lock();
        assert_eq!(log.matches("json.queue has changed").count(), told, "{log}");
    }
    process.signal("-TERM");
    assert_eq!(process.end().code(), Some(0));
}

#[test]
fn systemd_is_told_what_happens() {
    let site = Site::new(&["gate-1"]);
    let socket = UnixDatagram::bind(site.path("notify")).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let hear = || {
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].into()).unwrap()
    };
    let until = |word: &str| loop {
        let heard = hear();
        if heard.lines().any(|line| line == word) {
            return heard;
        }
        assert!(heard.contains("WATCHDOG=1"), "{heard} before {word}");
    };
    let path = site.path("notify");
    let environment = [
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        ("WATCHDOG_USEC", "200000"),
    ];
    let toml = site.toml("[rtsp]\nenabled = false\n[json]\noutput = 'out.jsonl'\n");
    let mut process = Process::start_with(&site, &toml, &environment);
    until("READY=1");
    until("WATCHDOG=1");
    until("WATCHDOG=1");
    process.signal("-HUP");
    assert!(until("RELOADING=1").contains("MONOTONIC_USEC="));
    until("READY=1");
    process.signal("-TERM");
    until("STOPPING=1");
    assert_eq!(process.end().code(), Some(0));
}

#[test]
fn the_log_can_be_json() {
    let site = Site::new(&["gate-1"]);
    let toml = site.toml("[rtsp]\nenabled = false\n[json]\noutput = 'out.jsonl'\n[log]\nformat = 'json'\n");
    let mut process = Process::start(&site, &toml);
    process.address();
    process.signal("-TERM");
    assert_eq!(process.end().code(), Some(0));
    let log = process.log.lock().clone();
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(
            line["message"].is_string() && line["level"].is_string() && line["timestamp"].is_string(),
            "{line}"
        );
    }
    assert!(log.contains("SIGTERM: shutting down"), "{log}");
}
