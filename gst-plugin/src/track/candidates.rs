//! The event by which `cistrack` tells the detector that it wants boxes below the detector's threshold, too.

/// Name of the upstream event.
const EVENT: &str = "cis-candidates";

/// The event: a custom one that goes upstream. `threshold`: least confidence, 0..=1.
pub fn event(threshold: f32) -> gst::Event {
    let structure = gst::Structure::builder(EVENT)
        .field("threshold", threshold)
        .build();
    gst::event::CustomUpstream::new(structure)
}

/// The threshold in an event; `None` if it is another event, or none that makes sense.
pub fn threshold(event: &gst::EventRef) -> Option<f32> {
    let structure = event.structure().filter(|structure| structure.name() == EVENT)?;
    let threshold = structure.get("threshold").ok()?;
    (0.0..=1.0).contains(&threshold).then_some(threshold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_read_as_it_was_written() {
        gst::init().unwrap();
        assert_eq!(threshold(&event(0.25)), Some(0.25));
        assert_eq!(threshold(&event(f32::NAN)), None);
        assert_eq!(threshold(&gst::event::Eos::new()), None);
    }
}
