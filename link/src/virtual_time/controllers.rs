//! The congestion controllers on the same links, as a table: `CIS_WRITE_DOCS=1 cargo test -p cis-link controllers` writes docs/congestion.md.

use std::fmt::Write;

use super::*;
use crate::sender::CongestionControl;

const FRAMES: u32 = 600;
const HEAD: &str = "# Congestion controllers

Written by `CIS_WRITE_DOCS=1 cargo test -p cis-link controllers`; do not edit. Whole senders and listeners in virtual time (`link/src/virtual_time/`), a router with a queue of one second,
a camera of ten frames a second for a minute that would fill the link and sends what it is told; `latency-budget` is 500 ms and a round trip. *Frames*: those that came, of 600; the others were left out by the camera or given up with their
group. *Used*: bytes of them, of what the link carries in that minute. Ages are of what came after the first five seconds. The machine has no part in these figures; keys and signatures drawn by chance, and BBR's own dice, move them a little.

| kbit/s | loss | round trip | cubic: frames, used, p50, p95 | bbr | newreno |
|---|---|---|---|---|---|
";

struct Outcome {
    frames: usize,
    used: f64,
    p50: Duration,
    p95: Duration,
}

fn measure(kind: CongestionControl, kbit: u64, loss: u64, trip: Duration) -> Outcome {
    let unit = kbit as usize * 25 / 2;
    let of = Camera {
        unit,
        key: unit * 3,
        group: 50,
        obeys: true,
        ..Camera::default()
    };
    let weather = Weather {
        rate: kbit * 125,
        loss,
        delay: trip / 2,
        ..Weather::default()
    };
    let configure = |config: &mut sender::Config| {
        config.congestion = kind;
        config.latency_budget = Duration::from_millis(500) + trip;
    };
    // What the last frames lost is not waited for.
    let story = async |net: &Net| {
        sleep(of.frame * FRAMES).await;
        net.set(|weather| *weather = Weather::default());
    };
    let report = film(of, FRAMES, weather, configure, story);
    let settled = report.came.iter().filter(|came| came.number >= 50);
    let mut ages: Vec<_> = settled.map(|came| came.took).collect();
    ages.sort_unstable();
    let at = |percent: usize| ages.get(ages.len() * percent / 100).copied().unwrap_or_default();
    Outcome {
        frames: report.came.len(),
        used: report.bytes as f64 / (kbit as f64 * 125.0 * (of.frame * FRAMES).as_secs_f64()),
        p50: at(50),
        p95: at(95),
    }
}

#[test]
fn controllers_compared() {
    let mut page = HEAD.to_owned();
    for kbit in [16, 64, 256] {
        for loss in [0, 5] {
            for trip in [20, 200, 600] {
                write!(page, "| {kbit} | {loss} % | {trip} ms |").expect("a string");
                for kind in [
                    CongestionControl::Cubic,
                    CongestionControl::Bbr,
                    CongestionControl::NewReno,
                ] {
                    let found = measure(kind, kbit, loss, Duration::from_millis(trip));
                    write!(
                        page,
                        " {}, {:.0} %, {} ms, {} ms |",
                        found.frames,
                        found.used * 100.0,
                        found.p50.as_millis(),
                        found.p95.as_millis()
                    )
                    .expect("a string");
                    // Whatever the controller, nothing gets old.
                    let what = format!("{kind:?}, {kbit} kbit/s, {loss} %, {trip} ms");
                    assert!(
                        found.frames > 100 && found.p50 < 3 * SECOND,
                        "{what}: {} frames, {:?}",
                        found.frames,
                        found.p50
                    );
                }
                page.push('\n');
            }
        }
    }
    if std::env::var_os("CIS_WRITE_DOCS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/congestion.md");
        std::fs::write(path, page).expect("the page");
    }
}
