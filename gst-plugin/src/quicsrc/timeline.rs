//! Time arithmetic: the camera's time stamps on the clock of this pipeline. No clock of its own: times are arguments.

/// A difference that no network explains: the camera's time has started anew.
const JUMP_NS: i64 = 3_000_000_000;
/// Part of a frame's lateness by which the offset follows it, so that a camera with a slower clock is not late for ever.
const CREEP: i64 = 512;

/// Where a frame belongs on the pipeline's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Running time in ns.
    pub time_ns: u64,
    /// The time does not follow from that of the frame before.
    pub jump: bool,
}

/// Maps the time stamps of one camera to running time.
///
/// Frames are placed at the distance from one another at which they were taken. The frame that travelled fastest defines
/// the offset between the clocks; others are late by what the network added, which the element's latency has to cover.
#[derive(Debug, Default)]
pub struct Timeline {
    offset_ns: Option<i64>,
    last_ns: u64,
}

impl Timeline {
    /// Places a frame of time stamp `pts_ns` that arrived at running time `now_ns`.
    pub fn place(&mut self, pts_ns: u64, now_ns: u64) -> Placed {
        let (pts, now) = (signed(pts_ns), signed(now_ns));
        let here = now.saturating_sub(pts);
        let (offset, jump) = match self.offset_ns {
            // How much later than the fastest this one is.
            Some(offset) => match here.saturating_sub(offset) {
                late if late.saturating_abs() > JUMP_NS => (here, true),
                late if late < 0 => (here, false),
                late => (offset.saturating_add(late / CREEP), false),
            },
            None => (here, true),
        };
        self.offset_ns = Some(offset);
        let time = u64::try_from(pts.saturating_add(offset)).unwrap_or(0);
        // A correction of the offset must not turn the order of frames around.
        self.last_ns = if jump { time } else { time.max(self.last_ns) };
        Placed {
            time_ns: self.last_ns,
            jump,
        }
    }
}

fn signed(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn times(frames: &[(u64, u64)]) -> Vec<(u64, bool)> {
        let mut timeline = Timeline::default();
        let place = |&(pts, now)| timeline.place(pts * MS, now * MS);
        frames
            .iter()
            .map(place)
            .map(|placed| (placed.time_ns / MS, placed.jump))
            .collect()
    }

    #[test]
    fn frames_keep_their_distance_whatever_the_network_adds() {
        let placed = times(&[(1000, 50), (1100, 150), (1200, 290), (1300, 350), (1400, 460)]);
        assert_eq!(
            placed,
            [(50, true), (150, false), (250, false), (350, false), (450, false)]
        );
    }

    #[test]
    fn a_faster_frame_moves_those_after_it() {
        assert_eq!(
            times(&[(0, 90), (100, 100), (200, 250)]),
            [(90, true), (100, false), (200, false)]
        );
    }

    #[test]
    fn order_is_kept_when_the_offset_is_corrected() {
        let placed = times(&[(0, 500), (10, 20), (20, 30), (600, 610)]);
        assert_eq!(placed, [(500, true), (500, false), (500, false), (610, false)]);
    }

    #[test]
    fn a_camera_that_starts_anew_is_placed_anew() {
        let placed = times(&[
            (100_000, 10),
            (100_100, 110),
            (0, 5_000),
            (100, 5_100),
            (900_000, 5_200),
        ]);
        assert_eq!(placed[2..], [(5_000, true), (5_100, false), (5_200, true)]);
    }

    #[test]
    fn a_slower_clock_is_followed() {
        let mut timeline = Timeline::default();
        let mut worst = 0;
        for frame in 0..100_000u64 {
            // 100 ms a frame by the camera's clock, which loses 100 parts in a million.
            let now = frame * 100 * MS + frame * 10_000;
            let placed = timeline.place(frame * 100 * MS, now);
            worst = worst.max(now - placed.time_ns);
        }
        assert!(worst < 10 * MS, "{worst}");
    }

    #[test]
    fn any_time_stamp_is_placed() {
        let mut timeline = Timeline::default();
        for pts in [0, u64::MAX, 1, u64::MAX / 2, 0, i64::MAX as u64] {
            for now in [0, 1, u64::MAX] {
                timeline.place(pts, now);
            }
        }
    }
}
