//! What the link says it carries, as an upper bound of the encoder: fewer bits, and where that does not do, fewer frames.
//! No GStreamer, no clock: time stamps are arguments.

/// Seconds of the bound that may be sent ahead before frames are left out.
const DEBT_S: f64 = 0.5;
/// The same of both layers, before the enhancement is left out.
const BOTH_DEBT_S: f64 = 0.2;
/// Seconds of the bound after which the link has given up what was sent ahead: a bound that falls leaves no longer debt.
const FORGOTTEN_S: f64 = 1.0;
/// Seconds over which it is measured what detection takes.
const MEASURED_S: f64 = 2.0;
/// Share of the bound that both layers may take together: some of it has to be left for keys and for what was estimated wrong.
const SHARE: f64 = 0.9;
/// A gap between time stamps counts as this at most.
const GAP_MAX_S: f64 = 2.0;

/// The bound and how much of it is used.
#[derive(Debug, Default)]
pub struct Feedback {
    /// bit/s
    target: Option<u64>,
    /// Bits of detection sent beyond the bound.
    debt: f64,
    /// The same of both layers.
    both: f64,
    last_pts_ns: Option<u64>,
    /// bit/s that detection takes.
    detection: f64,
}

impl Feedback {
    /// The link has another bound, or none.
    pub fn set_target(&mut self, target: Option<u64>) {
        self.target = target;
        let most = target.unwrap_or(0) as f64 * FORGOTTEN_S;
        (self.debt, self.both) = (self.debt.min(most), self.both.min(most));
    }

    /// The rate in kbit/s that was asked for, bounded. 0: constant quality.
    pub fn bound(&self, bitrate: u32) -> u32 {
        let Some(target) = self.target else { return bitrate };
        let target = u32::try_from(target / 1000).unwrap_or(u32::MAX).max(1);
        if bitrate == 0 { target } else { bitrate.min(target) }
    }

    /// What detection leaves of the bound for the enhancement layer, in kbit/s, at most `bitrate`. It yields first.
    pub fn left(&self, bitrate: u32) -> u32 {
        let Some(target) = self.target else { return bitrate };
        if self.both > target as f64 * BOTH_DEBT_S {
            return 0;
        }
        // A cast saturates.
        let left = (target as f64 * SHARE - self.detection) / 1000.0;
        bitrate.min(left.max(0.0) as u32)
    }

    /// Whether the frame at this time may be coded. Otherwise it is left out before it has cost anything.
    pub fn may_code(&mut self, pts_ns: u64) -> bool {
        let gap = self
            .last_pts_ns
            .map_or(0.0, |last| pts_ns.saturating_sub(last) as f64 / 1e9);
        self.last_pts_ns = Some(pts_ns);
        self.detection *= (-gap.min(GAP_MAX_S) / MEASURED_S).exp();
        let Some(target) = self.target else { return true };
        let rate = target.max(1) as f64;
        let paid = rate * gap.min(GAP_MAX_S);
        (self.debt, self.both) = ((self.debt - paid).max(0.0), (self.both - paid).max(0.0));
        self.debt <= rate * DEBT_S
    }

    /// So many bytes were sent, for detection and of the enhancement layer.
    pub fn sent(&mut self, detection: usize, enhancement: usize) {
        self.detection += detection as f64 * 8.0 / MEASURED_S;
        if self.target.is_some() {
            self.debt += detection as f64 * 8.0;
            self.both += (detection + enhancement) as f64 * 8.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_of_wish_and_bound_counts() {
        let mut feedback = Feedback::default();
        assert_eq!((feedback.bound(0), feedback.bound(30)), (0, 30));
        feedback.set_target(Some(20_500));
        assert_eq!(
            (feedback.bound(0), feedback.bound(30), feedback.bound(10)),
            (20, 20, 10)
        );
        feedback.set_target(Some(300));
        assert_eq!(feedback.bound(0), 1);
        feedback.set_target(None);
        assert_eq!(feedback.bound(0), 0);
    }

    /// Frames of 250 bytes at 10 a second are 20 kbit/s.
    #[test]
    fn the_enhancement_gets_what_detection_leaves() {
        let mut feedback = Feedback::default();
        assert_eq!(feedback.left(20), 20);
        for n in 0..100 {
            feedback.may_code(n * 100_000_000);
            feedback.sent(250, 0);
        }
        for (target, least, most) in [(500_000, 30, 30), (40_000, 14, 17), (22_000, 0, 0)] {
            feedback.set_target(Some(target));
            let left = feedback.left(30);
            assert!((least..=most).contains(&left), "{left} of {target}");
        }
    }

    /// Frames of 300 bytes at 25 a second are 60 kbit/s; the bound is a fifth of that.
    #[test]
    fn frames_that_cannot_be_smaller_become_fewer() {
        let mut feedback = Feedback::default();
        feedback.set_target(Some(12_000));
        let coded = (0..1000u64)
            .filter(|n| {
                let may = feedback.may_code(n * 40_000_000);
                if may {
                    feedback.sent(300, 0);
                }
                may
            })
            .count();
        assert!((190..=210).contains(&coded), "{coded}");
        feedback.set_target(None);
        assert!((0..100).all(|n| feedback.may_code(n)));
    }

    /// 20 kbit/s of detection at a bound of 24: a large unit of the enhancement costs others of its kind, and no frame.
    #[test]
    fn the_enhancement_yields_before_a_frame_is_left_out() {
        let mut feedback = Feedback::default();
        feedback.set_target(Some(24_000));
        assert!(feedback.may_code(0));
        feedback.sent(250, 4000);
        let mut without = 0;
        for n in 1..100u64 {
            assert!(feedback.may_code(n * 100_000_000), "frame {n}");
            without += u64::from(feedback.left(40) == 0);
            feedback.sent(250, 0);
        }
        assert!((5..99).contains(&without), "{without}");
    }

    /// A key of 20 kB went out at 1 Mbit/s; at 16 kbit/s that would be ten seconds.
    #[test]
    fn a_bound_that_falls_leaves_no_more_debt_than_a_second() {
        let mut feedback = Feedback::default();
        feedback.set_target(Some(1_000_000));
        assert!(feedback.may_code(0));
        feedback.sent(20_000, 0);
        feedback.set_target(Some(16_000));
        let first = (1..100u64).find(|n| feedback.may_code(n * 100_000_000));
        assert_eq!(first, Some(5));
    }
}
