//! A test that needs the receiver's insides: a detector that really stands still turns the health red, and green again when it gets on.

#[path = "../tests/common/mod.rs"]
mod common;

use common::http::get;
use common::{Camera, Site, wait_for};

#[test]
fn a_detector_that_stands_still_is_told_and_so_is_its_recovery() {
    let site = Site::new(&["gate-1"]);
    let receiver = site.receiver(
        "[rtsp]\nenabled = false\n[json]\noutput = 'out.jsonl'\n[metrics]\naddress = '127.0.0.1:0'\n[health]\nstall-after = 1\n",
    );
    let address = receiver.metrics_address().unwrap();
    let mut camera = Camera::start(&site, "gate-1", receiver.address(), 0).connected();
    camera.frames(3);
    wait_for("the first results", || site.lines("out.jsonl").len() == 3);
    assert_eq!(get(address, "/healthz").status, 200);

    // The detector waits for this lock as it would for a device that does not answer.
    let stream = receiver.registry.open()[0].clone();
    let held = stream.found.lock();
    camera.frame();
    let mut reason = String::new();
    wait_for("an unhealthy receiver", || {
        let health = get(address, "/healthz");
        reason = health.body;
        health.status == 503
    });
    assert!(
        reason.contains("cis-detect has been at one piece of work for"),
        "{reason}"
    );
    drop(held);
    wait_for("a healthy receiver", || get(address, "/healthz").status == 200);
    wait_for("the frame that waited", || site.lines("out.jsonl").len() == 4);
    camera.finish();
    receiver.shutdown();
}
