//! What nobody of the cluster wrote: it is counted, and everything goes on.

use crate::common::{Camera, DEADLINE, wait_for};
use crate::nats::Nats;
use crate::process::Process;
use crate::{any, cameras, frames, names, site};

#[test]
fn foreign_messages_are_counted_and_every_frame_still_has_one_result() {
    let names = names(2);
    let (site, nats) = (site(&names), Nats::start());
    let mut worker = Process::worker(&site, "a", &nats.toml("a"));
    let mut gateway = Process::gateway(&site, any(), &nats.toml("g"));
    let mut cameras = cameras(&site, &names, gateway.address());
    frames(&mut cameras, 20);
    wait_for("results", || nats.messages("CIS_RESULTS") > 10);
    let camera = names[0].replace('.', "/");
    let large = vec![0xA5; 900 << 10];
    for (subject, headers, payload) in [
        (
            format!("cis.workers.{}", "x".repeat(500)),
            vec![],
            &b"garbage"[..],
        ),
        ("cis.workers.b".into(), vec![], &large[..]),
        ("cis.cameras.-".into(), vec![], b""),
        (format!("cis.control.{camera}"), vec![], b"explode"),
        (format!("cis.control.{camera}"), vec![], &large),
        ("cis.units.-.live".into(), vec![], b"no camera"),
        ("cis.units.gate-9.other".into(), vec![], b"no lane"),
        (format!("cis.units.{camera}.live"), vec![], b"no tag"),
        (
            format!("cis.units.{camera}.live"),
            vec![("Cis-Unit", "1 99999999999999999999 x")],
            &large,
        ),
        // As a gateway would, but no unit: it cannot be decoded.
        (
            "cis.units.gate-9.live".into(),
            vec![("Cis-Unit", "1 1 0 0 0 0 frame")],
            b"garbage",
        ),
        (
            format!("cis.units.{camera}.late"),
            vec![("Cis-Unit", "1 9223372036854775807 7 0 0 0 repeated")],
            b"",
        ),
        (format!("cis.results.{camera}"), vec![], b"no result"),
        (
            format!("cis.results.{camera}"),
            vec![("Cis-Progress", "1 7,7,7,6 0,0,0")],
            &large,
        ),
    ] {
        nats.publish(&subject, &headers, payload);
        frames(&mut cameras, 3);
    }
    gateway.says("somebody else has published units of this camera");
    frames(&mut cameras, 30);
    let sent = cameras[0].scene_frames();
    // What was refused because of somebody else's message is in the spool until the camera connects again.
    for camera in cameras {
        camera.sender.finish(DEADLINE);
    }
    crate::cameras(&site, &names, gateway.address())
        .into_iter()
        .for_each(Camera::finish);
    // Two of the messages among the results are foreign.
    nats.every_frame_once_beside(2, &names, sent);
    worker.says("gate-9");
    assert_eq!(gateway.terminate().code(), Some(0));
    assert!(gateway.log().contains("2 foreign messages"), "{}", gateway.log());
    assert_eq!(worker.terminate().code(), Some(0));
    let log = worker.log();
    let foreign = log.rsplit_once(" foreign messages").unwrap().0;
    let foreign: u64 = foreign.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(foreign >= 7, "{log}");
    assert_eq!(nats.messages("CIS_RESULTS"), 2 * sent + 2);
}
