//! The search for a quantiser index at which one frame has a size that rate control can live with.

use super::rate::{Choice, Plan, STEP};

/// Attempts after which the coarsest index is tried.
const MAX_ATTEMPTS: usize = 8;
/// Attempts after which no frame is made larger.
const MAX_FINER: usize = 5;
/// A first guess of how many indices halve the size.
const HALVING: f32 = 6.5;

/// What is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The last attempt is to be taken.
    Done,
    /// The frame is to be coded so.
    Try(Choice),
    /// Nothing fits.
    Failed,
}

/// One frame's search. Sizes need not fall with the index: whatever they do, it ends, and with what fits if anything did.
#[derive(Clone, Debug)]
pub struct Search {
    plan: Plan,
    /// What fits, but is smaller than wanted.
    fits: Option<Choice>,
    attempts: usize,
}

impl Search {
    /// A search that begins at `plan.start`.
    pub fn new(plan: Plan) -> Self {
        Self {
            fits: None,
            attempts: 0,
            plan,
        }
    }

    /// What to do after an attempt became `size` bytes.
    pub fn after(&mut self, choice: Choice, size: usize) -> Step {
        self.attempts += 1;
        if size > self.plan.max_bytes {
            self.too_large(choice, size)
        } else if self.fits == Some(choice) {
            Step::Done
        } else {
            self.fitting(choice, size)
        }
    }

    fn too_large(&mut self, choice: Choice, size: usize) -> Step {
        let Plan {
            most_thrift,
            max_bytes,
            coarse,
            coarsest,
            ..
        } = self.plan;
        if let Some(fits) = self.fits {
            // All of it at once is too dear, a part may be not.
            let part = choice.qindex == fits.qindex && choice.slice.is_none() && fits.thrift > 0;
            if part && self.attempts < MAX_FINER {
                return Step::Try(Choice {
                    slice: Some(self.plan.slice),
                    ..fits
                });
            }
            return if choice.qindex != fits.qindex && choice.thrift < most_thrift && self.attempts < MAX_FINER
            {
                // A finer step is too dear at once; some of it can be had.
                Step::Try(Choice {
                    thrift: most_thrift,
                    ..choice
                })
            } else {
                Step::Try(fits)
            };
        }
        if self.attempts == 1 && self.plan.relaxing {
            // The thrift of the frame before cannot end at once everywhere: one part after the other.
            return Step::Try(Choice {
                thrift: choice.thrift + 1,
                slice: Some(self.plan.slice),
                ..choice
            });
        }
        let choice = Choice {
            slice: None,
            ..choice
        };
        if choice.thrift < most_thrift {
            let thrift = (choice.thrift + 3).min(most_thrift);
            return Step::Try(Choice { thrift, ..choice });
        }
        if choice.qindex >= coarsest {
            return Step::Failed;
        }
        let limit = if choice.qindex < coarse { coarse } else { coarsest };
        let halvings = (size as f32 / max_bytes.max(1) as f32).log2();
        let more = (halvings * HALVING).clamp(1.0, 32.0).ceil() as u8;
        let qindex = match self.attempts {
            0..MAX_ATTEMPTS => choice.qindex.saturating_add(more).min(limit),
            _ => coarsest,
        };
        Step::Try(Choice { qindex, ..choice })
    }

    fn fitting(&mut self, choice: Choice, size: usize) -> Step {
        let Plan {
            finest, min_bytes, ..
        } = self.plan;
        self.fits = Some(choice);
        if size >= min_bytes || choice.slice.is_some() || self.attempts >= MAX_FINER {
            return Step::Done;
        }
        if let Some(thrift) = choice.thrift.checked_sub(1) {
            return Step::Try(Choice { thrift, ..choice });
        }
        if choice.qindex <= finest {
            return Step::Done;
        }
        let halvings = (min_bytes as f32 / size.max(1) as f32).log2();
        let less = (halvings * HALVING).clamp(1.0, f32::from(STEP)).ceil() as u8;
        Step::Try(Choice {
            qindex: choice.qindex.saturating_sub(less).max(finest),
            ..Choice::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(min_bytes: usize, max_bytes: usize) -> Plan {
        Plan {
            start: Choice {
                qindex: 30,
                ..Choice::default()
            },
            finest: 26,
            coarse: 34,
            coarsest: 56,
            most_thrift: 6,
            slice: 5,
            relaxing: false,
            min_bytes,
            max_bytes,
            cap: 10_000,
        }
    }

    /// Runs a search over sizes by choice; what is taken, and all that was tried.
    fn run(plan: Plan, size: impl Fn(Choice) -> usize) -> (Option<Choice>, Vec<Choice>) {
        let (mut search, mut choice, mut tried) = (Search::new(plan), plan.start, Vec::new());
        loop {
            tried.push(choice);
            assert!(tried.len() <= 14, "{tried:?}");
            assert!(
                (plan.finest..=plan.coarsest).contains(&choice.qindex),
                "{tried:?}"
            );
            assert!(choice.thrift <= plan.most_thrift, "{tried:?}");
            match search.after(choice, size(choice)) {
                Step::Done => return (Some(choice), tried),
                Step::Failed => return (None, tried),
                Step::Try(next) => choice = next,
            }
        }
    }

    /// Sizes that halve every six indices, and that thrift makes a tenth smaller.
    fn falling(at_30: f64) -> impl Fn(Choice) -> usize {
        move |choice| {
            let octaves = (30.0 - f64::from(choice.qindex)) / 6.0 - f64::from(choice.thrift) * 0.15;
            (at_30 * octaves.exp2()) as usize
        }
    }

    #[test]
    fn what_fits_is_taken_at_once() {
        let start = Choice {
            qindex: 30,
            ..Choice::default()
        };
        assert_eq!(run(plan(50, 200), falling(100.0)), (Some(start), vec![start]));
    }

    #[test]
    fn a_little_too_large_stays_within_the_step_and_a_scene_change_does_not() {
        let (taken, _) = run(plan(0, 100), falling(130.0));
        assert!((30..=34).contains(&taken.unwrap().qindex), "{taken:?}");
        let (taken, _) = run(plan(0, 100), falling(1000.0));
        assert!(taken.unwrap().qindex > 40, "{taken:?}");
        assert_eq!(run(plan(0, 100), |_| 1000).0, None);
    }

    #[test]
    fn too_small_is_made_finer_but_never_too_large() {
        let (taken, _) = run(plan(120, 200), falling(90.0));
        assert!((26..30).contains(&taken.unwrap().qindex), "{taken:?}");
        // Every finer index is too large: with thrift, or not at all.
        let cliff = |cheap: usize| {
            run(plan(120, 200), move |choice| match choice {
                Choice { qindex: 30.., .. } => 90,
                Choice { thrift: 6, .. } => cheap,
                _ => 900,
            })
        };
        assert_eq!(
            cliff(150).0.map(|choice| (choice.qindex < 30, choice.thrift)),
            Some((true, 6))
        );
        assert_eq!(cliff(400).0, Some(plan(0, 0).start));
    }

    #[test]
    fn every_search_ends_with_what_fits_or_nothing() {
        let mut random = 1u64;
        for _ in 0..20_000 {
            let mut next = |end: u64| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random % end
            };
            let max = 50 + next(200) as usize;
            let sizes: Vec<usize> = (0..512).map(|_| next(400) as usize).collect();
            let size = |choice: Choice| sizes[usize::from(choice.qindex) * 8 + usize::from(choice.thrift)];
            let (taken, _) = run(plan(next(60) as usize, max), size);
            assert!(taken.is_none_or(|choice| size(choice) <= max));
        }
    }
}
