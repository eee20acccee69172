//! Owns the question who works: every worker says every so often that it is there, and whoever is silent for too long is gone. Two workers may
//! see it differently for a while; what follows from that is settled where results are published. Pure: times are arguments.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Workers that are known at a time: whoever floods the subject gets no further.
const MAX_WORKERS: usize = 4096;

/// A sign of life, or the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The process with this number is there.
    Here(u64),
    /// It leaves.
    Gone(u64),
}

impl Sign {
    /// Its words.
    pub fn words(self) -> String {
        match self {
            Self::Here(instance) => format!("here {instance:016x}"),
            Self::Gone(instance) => format!("gone {instance:016x}"),
        }
    }

    /// The sign of some words; nothing if no worker wrote them.
    pub fn read(words: &[u8]) -> Option<Self> {
        let (word, instance) = std::str::from_utf8(words).ok()?.split_once(' ')?;
        // Parsing alone would let a sign pass.
        let digits = instance.len() == 16 && instance.bytes().all(|digit| digit.is_ascii_hexdigit());
        let instance = digits.then(|| u64::from_str_radix(instance, 16).ok())??;
        match word {
            "here" => Some(Self::Here(instance)),
            "gone" => Some(Self::Gone(instance)),
            _ => None,
        }
    }
}

/// Who works.
#[derive(Debug)]
pub struct Roster {
    name: String,
    instance: u64,
    timeout: Duration,
    others: BTreeMap<String, (u64, Instant)>,
}

/// What a sign was good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing new.
    Known,
    /// Somebody came or left.
    Changed,
    /// Somebody else has the name of this worker.
    Namesake,
    /// There are too many.
    Full,
}

impl Roster {
    /// This worker alone.
    pub fn new(name: String, instance: u64, timeout: Duration) -> Self {
        Self {
            name,
            instance,
            timeout,
            others: BTreeMap::new(),
        }
    }

    /// This worker.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Somebody has said something.
    pub fn heard(&mut self, name: &str, sign: Sign, now: Instant) -> Heard {
        let (Sign::Here(instance) | Sign::Gone(instance)) = sign;
        if name == self.name {
            return if instance == self.instance {
                Heard::Known
            } else {
                Heard::Namesake
            };
        }
        if matches!(sign, Sign::Gone(_)) {
            // A namesake that has replaced it meanwhile stays.
            let same = self.others.get(name).is_some_and(|(known, _)| *known == instance);
            if same {
                self.others.remove(name);
            }
            return if same { Heard::Changed } else { Heard::Known };
        }
        if self.others.len() >= MAX_WORKERS && !self.others.contains_key(name) {
            return Heard::Full;
        }
        match self.others.insert(name.into(), (instance, now)) {
            Some(_) => Heard::Known,
            None => Heard::Changed,
        }
    }

    /// Forgets who has been silent for too long. True: somebody was.
    pub fn expire(&mut self, now: Instant) -> bool {
        let before = self.others.len();
        let timeout = self.timeout;
        self.others
            .retain(|_, (_, heard)| now.saturating_duration_since(*heard) < timeout);
        self.others.len() < before
    }

    /// Nobody could be heard until now: that is no silence.
    pub fn excuse(&mut self, now: Instant) {
        self.others.values_mut().for_each(|(_, heard)| *heard = now);
    }

    /// All workers, this one included.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.others.keys().map(String::as_str).chain([self.name.as_str()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(5);

    fn names(roster: &Roster) -> Vec<&str> {
        roster.names().collect()
    }

    #[test]
    fn who_is_silent_is_gone_and_who_says_goodbye_at_once() {
        let start = Instant::now();
        let mut roster = Roster::new("me".into(), 1, TIMEOUT);
        assert_eq!(roster.heard("a", Sign::Here(2), start), Heard::Changed);
        assert_eq!(roster.heard("b", Sign::Here(3), start), Heard::Changed);
        let later = start + Duration::from_secs(3);
        assert_eq!(roster.heard("a", Sign::Here(2), later), Heard::Known);
        assert!(!roster.expire(later));
        assert!(roster.expire(start + TIMEOUT));
        assert_eq!(names(&roster), ["a", "me"]);
        assert_eq!(
            roster.heard("a", Sign::Gone(9), later),
            Heard::Known,
            "of a process that was replaced"
        );
        assert_eq!(roster.heard("a", Sign::Gone(2), later), Heard::Changed);
        assert_eq!(names(&roster), ["me"]);
    }

    #[test]
    fn nobody_is_gone_because_the_broker_was() {
        let start = Instant::now();
        let mut roster = Roster::new("me".into(), 1, TIMEOUT);
        roster.heard("a", Sign::Here(2), start);
        let later = start + TIMEOUT * 10;
        roster.excuse(later);
        assert!(!roster.expire(later + TIMEOUT / 2));
        assert!(roster.expire(later + TIMEOUT));
    }

    #[test]
    fn a_namesake_is_noticed_and_a_flood_is_bounded() {
        let start = Instant::now();
        let mut roster = Roster::new("me".into(), 1, TIMEOUT);
        assert_eq!(roster.heard("me", Sign::Here(1), start), Heard::Known);
        assert_eq!(roster.heard("me", Sign::Here(2), start), Heard::Namesake);
        for n in 0..MAX_WORKERS {
            assert_eq!(
                roster.heard(&format!("w{n}"), Sign::Here(2), start),
                Heard::Changed
            );
        }
        assert_eq!(roster.heard("one-more", Sign::Here(2), start), Heard::Full);
        assert_eq!(roster.names().count(), MAX_WORKERS + 1);
    }

    #[test]
    fn signs_come_back_and_anything_else_is_none() {
        for sign in [Sign::Here(0), Sign::Gone(u64::MAX)] {
            assert_eq!(Sign::read(sign.words().as_bytes()), Some(sign));
        }
        for words in [
            &b""[..],
            b"here",
            b"here 1",
            b"here 000000000000000g",
            b"here +00000000000001f",
            b"away 0000000000000001",
            &[0xFF; 40],
        ] {
            assert_eq!(Sign::read(words), None, "{words:?}");
        }
    }
}
