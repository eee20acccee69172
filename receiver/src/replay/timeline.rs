//! One time line for several camera sessions: each has a clock of its own that may start anywhere.

use cis_codec::frame::{DETECTION, Header};

/// Longer pauses are taken out: nothing is to be seen in them.
const MAX_PAUSE_NS: u64 = 60_000_000_000;
/// From one frame to the next where nothing better is known.
const FRAME_NS: u64 = 40_000_000;

/// Where the time line is.
#[derive(Clone, Debug, Default)]
pub struct TimeLine {
    last: Option<Last>,
    /// From one frame to the next, as it was last.
    frame_ns: Option<u64>,
    taken_out_ns: u64,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    number: u64,
    pts_ns: u64,
    time_ns: u64,
}

impl TimeLine {
    /// The place of a unit, in ns from the first one. A unit of another layer has that of its frame.
    pub fn place(&mut self, header: &Header) -> u64 {
        let Some(last) = self.last else {
            return self.set(header, 0);
        };
        if header.layer != DETECTION {
            return last.time_ns;
        }
        let frame_ns = self.frame_ns();
        let passed = match header.pts_ns.checked_sub(last.pts_ns) {
            // A camera that starts again counts from 0 again.
            Some(passed) if header.number > last.number => passed,
            _ => return self.set(header, last.time_ns.saturating_add(frame_ns)),
        };
        if passed > MAX_PAUSE_NS {
            self.taken_out_ns = self.taken_out_ns.saturating_add(passed - frame_ns);
            return self.set(header, last.time_ns.saturating_add(frame_ns));
        }
        if header.number == last.number + 1 && passed > 0 {
            self.frame_ns = Some(passed);
        }
        self.set(header, last.time_ns.saturating_add(passed))
    }

    /// How long the last frame is shown, as far as can be told before the next one.
    pub fn frame_ns(&self) -> u64 {
        self.frame_ns.unwrap_or(FRAME_NS)
    }

    /// What was taken out, in ns.
    pub fn taken_out_ns(&self) -> u64 {
        self.taken_out_ns
    }

    fn set(&mut self, header: &Header, time_ns: u64) -> u64 {
        self.last = Some(Last {
            number: header.number,
            pts_ns: header.pts_ns,
            time_ns,
        });
        time_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cis_codec::{Shape, Size};

    fn header(layer: u8, number: u64, pts_ns: u64) -> Header {
        Header {
            version: cis_codec::frame::VERSION,
            layer,
            number,
            pts_ns,
            capture_utc_ns: 0,
            key: number == 0,
            repeat: false,
            late: false,
            bundle: "any".parse().unwrap(),
            source: Size {
                width: 64,
                height: 64,
            },
            shape: Shape {
                channels: 1,
                width: 1,
                height: 1,
            },
            qindex: 0,
            payload_len: 0,
            unit_len: 0,
        }
    }

    #[test]
    fn sessions_follow_each_other_and_long_pauses_are_taken_out() {
        const S: u64 = 1_000_000_000;
        let mut line = TimeLine::default();
        let places: Vec<_> = [
            (0, 7, 5 * S),
            (1, 0, 5 * S),
            (0, 8, 6 * S),
            // Frames are missing.
            (0, 11, 9 * S),
            // An hour is.
            (0, 4000, 3609 * S),
            (0, 4001, 3610 * S),
            // The camera was started again.
            (0, 0, 0),
            (0, 1, 2 * S),
            // Twice the same.
            (0, 1, 2 * S),
        ]
        .into_iter()
        .map(|(layer, number, pts)| line.place(&header(layer, number, pts)) / S)
        .collect();
        assert_eq!(places, [0, 0, 1, 4, 5, 6, 7, 9, 11]);
        assert_eq!(line.taken_out_ns(), 3599 * S);
    }
}
