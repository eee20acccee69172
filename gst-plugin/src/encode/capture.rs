//! When a frame was captured, in UTC.

use gst::prelude::*;

use crate::latency;

/// Nanoseconds since the Unix epoch: what a `timestamp/x-unix` reference timestamp says, else the system's time now less
/// what has passed since the frame was due on the pipeline's clock.
pub fn utc_ns(element: &gst::Element, buffer: &gst::BufferRef, running_time: Option<gst::ClockTime>) -> u64 {
    let told = buffer
        .iter_meta::<gst::ReferenceTimestampMeta>()
        .find(|meta| {
            meta.reference()
                .structure(0)
                .is_some_and(|s| s.name() == "timestamp/x-unix")
        })
        .map(|meta| meta.timestamp().nseconds());
    told.unwrap_or_else(|| now_ns().saturating_sub(lateness_ns(element, running_time)))
}

fn now_ns() -> u64 {
    u64::try_from(latency::now().as_nanos()).unwrap_or(u64::MAX)
}

/// Zero for frames that are ahead of the clock, as those of a file are.
fn lateness_ns(element: &gst::Element, running_time: Option<gst::ClockTime>) -> u64 {
    let now = element.current_running_time();
    now.zip(running_time)
        .and_then(|(now, due)| now.checked_sub(due))
        .map_or(0, gst::ClockTime::nseconds)
}
