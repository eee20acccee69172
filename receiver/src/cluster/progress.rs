//! Owns how far the answers of a camera have come. Every result carries it in its header `Cis-Progress`, so that a result and the knowledge
//! that it is out are one message: whoever takes the camera next reads the last result and goes on. Pure.

use super::subjects::Lane;
use super::tag::{FrameId, Kind, Tag};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// The header's name.
pub const PROGRESS: &str = "Cis-Progress";
/// Answers beyond the first frame without one: what two workers, one after the other, may have in their hands, and more.
pub const MAX_AHEAD: usize = 1024;

/// A unit's place in its lane; all zero: before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Its sequence in the stream of units.
    pub sequence: u64,
    /// Its number in the lane.
    pub index: u64,
    /// Sequence of its group's key frame.
    pub key: u64,
}

/// How far one lane is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// Everything up to here is.
    pub up_to: Position,
    /// And these sequences beyond it.
    pub ahead: BTreeSet<u64>,
}

/// How far both lanes are answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Of what is live.
    pub live: Answered,
    /// Of what comes late.
    pub late: Answered,
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { sequence, index, key } = self.up_to;
        write!(f, "{sequence},{index},{key}")?;
        self.ahead
            .iter()
            .try_for_each(|sequence| write!(f, ",{sequence}"))
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1 {} {}", self.live, self.late)
    }
}

/// A header that no worker wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign;

impl FromStr for Answered {
    type Err = Foreign;

    fn from_str(text: &str) -> Result<Self, Foreign> {
        let mut numbers = text
            .split(',')
            .map(|word| word.parse::<u64>().map_err(|_| Foreign));
        let mut next = || numbers.next().unwrap_or(Err(Foreign));
        let up_to = Position {
            sequence: next()?,
            index: next()?,
            key: next()?,
        };
        let ahead: BTreeSet<_> = numbers.take(MAX_AHEAD + 1).collect::<Result<_, _>>()?;
        let legal = ahead.len() <= MAX_AHEAD
            && up_to.key <= up_to.sequence
            && ahead.first().is_none_or(|first| *first > up_to.sequence);
        if legal {
            Ok(Self { up_to, ahead })
        } else {
            Err(Foreign)
        }
    }
}

impl FromStr for Progress {
    type Err = Foreign;

    fn from_str(text: &str) -> Result<Self, Foreign> {
        let words: Vec<_> = text.splitn(4, ' ').collect();
        match words[..] {
            ["1", live, late] => Ok(Self {
                live: live.parse()?,
                late: late.parse()?,
            }),
            _ => Err(Foreign),
        }
    }
}

impl Progress {
    /// That of one lane.
    pub fn lane(&self, lane: Lane) -> &Answered {
        match lane {
            Lane::Live => &self.live,
            Lane::Late => &self.late,
        }
    }
}

/// What a worker has in its hands of one lane.
#[derive(Debug, Default)]
pub struct Tracker {
    answered: Answered,
    /// Units that were given to the detector, or were answered before, and have a unit without an answer before them.
    open: BTreeMap<u64, Open>,
}

#[derive(Debug)]
struct Open {
    position: Position,
    frame: Option<FrameId>,
    done: bool,
}

impl Tracker {
    /// Goes on from there.
    pub fn new(answered: Answered) -> Self {
        Self {
            answered,
            open: BTreeMap::new(),
        }
    }

    /// Where to read from: the key frame that the first frame without an answer may build on.
    pub fn start(&self) -> u64 {
        self.answered.up_to.key.max(1)
    }

    /// A unit was read. True: it is to be answered, and [`done`](Self::done) ends it; else it is needed by those after it only.
    pub fn read(&mut self, sequence: u64, tag: &Tag) -> bool {
        if sequence <= self.answered.up_to.sequence {
            return false;
        }
        let position = Position {
            sequence,
            index: tag.index,
            key: if tag.is_key() { sequence } else { tag.key },
        };
        let done = self.answered.ahead.remove(&sequence);
        let frame = (tag.kind == Kind::Frame).then_some(tag.frame);
        self.open.insert(
            sequence,
            Open {
                position,
                frame,
                done,
            },
        );
        self.settle();
        !done
    }

    /// The place of a frame that waits for its answer, if one does; it does not any more.
    pub fn answer(&mut self, frame: FrameId) -> Option<u64> {
        let waits = |open: &Open| !open.done && open.frame == Some(frame);
        let (&sequence, _) = self.open.iter().find(|(_, open)| waits(open))?;
        self.done(sequence);
        Some(sequence)
    }

    /// Nothing more is to be done for a unit.
    pub fn done(&mut self, sequence: u64) {
        if let Some(open) = self.open.get_mut(&sequence) {
            open.done = true;
        }
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(first) = self.open.first_entry().filter(|first| first.get().done) {
            self.answered.up_to = first.remove().position;
        }
        // What was answered ahead and has gone from the broker since will not be read.
        let reached = self.answered.up_to.sequence;
        self.answered.ahead.retain(|sequence| *sequence > reached);
    }

    /// How many units are open.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// How far the lane is answered.
    pub fn answered(&self) -> Answered {
        let mut answered = self.answered.clone();
        let done = self.open.iter().filter(|(_, open)| open.done);
        answered.ahead.extend(done.map(|(sequence, _)| *sequence));
        answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(n: u64) -> FrameId {
        FrameId {
            number: n,
            capture_utc_ns: 1000 + n,
        }
    }

    /// The unit at place `n`, of groups of five; sequences are odd, because the broker counts the units of all cameras.
    fn unit(n: u64) -> (u64, Tag) {
        let sequence = 2 * n + 1;
        let tag = Tag {
            index: n + 1,
            key: if n.is_multiple_of(5) {
                0
            } else {
                2 * (n - n % 5) + 1
            },
            frame: frame(n),
            received_utc_ns: 0,
            kind: Kind::Frame,
        };
        (sequence, tag)
    }

    proptest! {
        /// Workers answer in any order and are cut off at any time; the next one reads the header of the last result.
        #[test]
        fn every_frame_is_answered_once_whoever_is_cut_off_when(
            total in 1u64..60,
            lives in prop::collection::vec((0usize..30, any::<u64>()), 0..12),
        ) {
            let mut answers = Vec::new();
            let mut header = Progress::default().to_string();
            for (most, seed) in lives.into_iter().chain([(usize::MAX, 1)]) {
                let progress: Progress = header.parse().unwrap();
                let mut tracker = Tracker::new(progress.live.clone());
                let mut next = (tracker.start() - 1) / 2;
                prop_assert_eq!(next % 5, 0, "begins at a key frame");
                let (mut waiting, mut made, mut random) = (Vec::new(), 0, seed);
                while made < most {
                    while tracker.open() < 8 && next < total {
                        let (sequence, tag) = unit(next);
                        if tracker.read(sequence, &tag) {
                            waiting.push(next);
                        }
                        next += 1;
                    }
                    if waiting.is_empty() {
                        break;
                    }
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let n = waiting.swap_remove((random >> 33) as usize % waiting.len());
                    prop_assert_eq!(tracker.answer(frame(n)), Some(2 * n + 1));
                    prop_assert_eq!(tracker.answer(frame(n)), None);
                    answers.push(n);
                    made += 1;
                    header = Progress { live: tracker.answered(), late: progress.late.clone() }.to_string();
                }
            }
            answers.sort_unstable();
            prop_assert_eq!(answers, (0..total).collect::<Vec<_>>());
        }

        #[test]
        fn garbage_is_foreign_or_means_what_it_says(text in "[ 0-9,a]{0,40}") {
            if let Ok(progress) = text.parse::<Progress>() {
                prop_assert_eq!(progress.to_string().parse(), Ok(progress));
            }
        }
    }

    #[test]
    fn what_is_not_answered_is_passed_over() {
        let mut tracker = Tracker::default();
        for n in 0..3 {
            let (sequence, tag) = unit(n);
            assert!(tracker.read(sequence, &tag));
        }
        tracker.done(1);
        tracker.done(3);
        assert_eq!(tracker.open(), 1);
        assert_eq!(tracker.answered().up_to.sequence, 3);
    }

    #[test]
    fn limits_of_what_is_read() {
        let long = (0..=MAX_AHEAD as u64).fold("1 5,5,5".to_owned(), |text, n| format!("{text},{}", 6 + n));
        for text in [
            "",
            "1",
            "1 0,0,0",
            "2 0,0,0 0,0,0",
            "1 1,1,2 0,0,0",
            "1 5,5,5,5 0,0,0",
            &(long + " 0,0,0"),
        ] {
            assert_eq!(text.parse::<Progress>(), Err(Foreign), "{text}");
        }
    }
}
