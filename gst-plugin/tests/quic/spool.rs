//! What the link keeps and what it tells: the spool, and the event that the encoder follows.

use crate::{Keys, camera::Camera, element_message, receiver::Receiver, stat, wait};
use gst::prelude::*;
use std::collections::BTreeSet;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

#[test]
fn an_outage_loses_nothing_that_the_spool_holds() {
    let keys = Keys::new();
    let receiver = Receiver::new(&keys, 0, "").play();
    let port = receiver.port();
    let spool = keys.dir().join("spool");
    let camera = Camera::new(&keys, port, &format!("spool-dir={}", spool.display())).play();
    let mut sent = Vec::new();
    // What was pushed before there was a connection comes late, too, before the next key frame.
    wait("the first unit", || {
        sent.push(camera.push());
        receiver.try_next()
    });
    drop(receiver);
    element_message(&camera.bus, "cis-link-disconnected");
    let outage = sent.len()..sent.len() + 30;
    sent.extend((0..30).map(|_| camera.push()));
    let receiver = Receiver::new(&keys, port, "").play();
    element_message(&camera.bus, "cis-link-connected");
    let (mut seen, mut late) = (BTreeSet::new(), 0);
    // However many there were before, on a machine that took its time: the group of the outage is whole when the next one begins.
    let most = sent.len() + 3000;
    wait("every unit", || {
        if sent.len() < most {
            sent.push(camera.push());
        }
        while let Some(unit) = receiver.try_next() {
            // A late unit differs in one bit, which says so.
            let mut live = unit.bytes.clone();
            cis_codec::frame::set_late(&mut live, false).unwrap();
            late += usize::from(live != unit.bytes);
            let number = sent.iter().position(|sent| *sent == live);
            seen.insert(number.expect("a unit that was never sent"));
        }
        outage.clone().all(|number| seen.contains(&number)).then_some(())
    });
    assert!(late >= 30, "{late}");
    assert_eq!(stat(&camera.sink, "spool-dropped"), 0);
}

#[test]
fn what_the_link_carries_is_told_upstream() {
    let keys = Keys::new();
    let receiver = Receiver::new(&keys, 0, "").play();
    let camera = Camera::new(
        &keys,
        receiver.port(),
        "congestion-control=bbr latency-budget=300",
    )
    .play();
    let told = Arc::new(AtomicUsize::new(0));
    let count = told.clone();
    let pad = camera.sink.static_pad("sink").unwrap().peer().unwrap();
    pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
        let structure = info.event().and_then(|event| event.structure());
        if let Some(structure) = structure.filter(|s| s.name() == "cis-link-congestion")
            && structure.get::<bool>("congested").is_ok()
            && structure.get::<u64>("rtt-ms").is_ok()
            && structure.get::<u64>("backlog-bytes").is_ok()
        {
            count.fetch_add(1, Ordering::SeqCst);
        }
        gst::PadProbeReturn::Ok
    });
    wait("the event, more than once", || {
        camera.push();
        receiver.try_next();
        (told.load(Ordering::SeqCst) >= 2).then_some(())
    });
}
