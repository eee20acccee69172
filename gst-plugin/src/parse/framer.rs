//! Cutting a byte stream into units: follows unit after unit, finds the next key frame after damage, and says what it
//! had to throw away. Knows nothing of GStreamer.

use cis_codec::Limits;
use cis_codec::frame::{self, ENHANCEMENT, Header, HeaderReader, PeekError};

/// What to do with the bytes at hand.
#[derive(Debug)]
pub enum Step {
    /// The first `unit_len` bytes are a good unit.
    Unit(Box<Header>),
    /// Come back with at least this many bytes.
    Need(usize),
    /// The first bytes are of no use.
    Skip {
        /// How many, never 0.
        bytes: usize,
        /// Why, once per incident.
        damage: Option<String>,
    },
    /// The stream is one of cis, but not for this version; nothing of it can be read.
    Unsupported(PeekError),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sync {
    /// The next byte starts a unit.
    Held,
    /// Bytes are thrown away up to the next key frame.
    Lost,
}

/// The parser's state.
#[derive(Debug)]
pub struct Framer {
    limits: Limits,
    headers: HeaderReader,
    /// Of the enhancement layer.
    enhancement: HeaderReader,
    sync: Sync,
    seen_unit: bool,
}

impl Framer {
    /// Expects the start of a stream.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            headers: HeaderReader::new(limits),
            enhancement: HeaderReader::of_layer(ENHANCEMENT, limits),
            sync: Sync::Held,
            seen_unit: false,
        }
    }

    /// Goes on elsewhere in the same stream, at a unit (`aligned`) or anywhere.
    pub fn jump(&mut self, aligned: bool) {
        self.headers.reset();
        self.enhancement.reset();
        self.sync = if aligned { Sync::Held } else { Sync::Lost };
    }

    /// Looks at `data`; `end` says that nothing follows it.
    pub fn next(&mut self, data: &[u8], end: bool) -> Step {
        if data.is_empty() {
            return Step::Need(1);
        }
        if self.sync == Sync::Lost {
            match frame::find_sync(data) {
                Some(0) => {}
                found => {
                    return Step::Skip {
                        bytes: found.unwrap_or(data.len()),
                        damage: None,
                    };
                }
            }
        }
        let peek = match frame::peek(data, &self.limits) {
            Ok(peek) => peek,
            Err(PeekError::NeedMore { .. }) if end => return self.lose(data, truncated(data.len())),
            Err(PeekError::NeedMore { at_least }) => return Step::Need(at_least.max(data.len() + 1)),
            // A key frame of another version carries the magic bytes in the same place.
            Err(error @ PeekError::UnsupportedVersion { .. })
                if !self.seen_unit && frame::find_sync(data) == Some(0) && data.len() > 4 =>
            {
                return Step::Unsupported(error);
            }
            Err(error) => return self.lose(data, error.to_string()),
        };
        let Some(unit) = data.get(..peek.unit_len) else {
            if end {
                return self.lose(data, truncated(data.len()));
            }
            return Step::Need(peek.unit_len);
        };
        if peek.layer == ENHANCEMENT {
            return self.enhancement(unit);
        }
        match self.headers.read(unit) {
            Ok(header) => {
                if header.key {
                    self.enhancement.reset();
                }
                self.sync = Sync::Held;
                self.seen_unit = true;
                Step::Unit(Box::new(header))
            }
            // A stream that was joined in the middle of a group, or frames for somebody else: nothing is damaged.
            Err(frame::Error::NoKeyFrame | frame::Error::OtherLayer { .. }) => Step::Skip {
                bytes: peek.unit_len,
                damage: None,
            },
            Err(error) => self.lose(data, error.to_string()),
        }
    }

    /// A unit of the enhancement layer: one that continues nothing is passed over, and the layers do not break each other.
    fn enhancement(&mut self, unit: &[u8]) -> Step {
        match self.enhancement.read(unit) {
            // Without the frame that it belongs to it is of no use.
            Ok(header) if self.sync == Sync::Held && self.seen_unit => Step::Unit(Box::new(header)),
            // What follows a lost unit continues nothing: that is told once.
            Ok(_) | Err(frame::Error::NoKeyFrame) => Step::Skip {
                bytes: unit.len(),
                damage: None,
            },
            Err(error) => Step::Skip {
                bytes: unit.len(),
                damage: Some(format!("enhancement layer: {error}")),
            },
        }
    }

    /// Throws away up to the next possible key frame; the length that damaged bytes claim is not to be trusted.
    fn lose(&mut self, data: &[u8], reason: String) -> Step {
        self.headers.reset();
        self.enhancement.reset();
        let rest = data.get(1..).unwrap_or_default();
        let bytes = 1 + frame::find_sync(rest).unwrap_or(rest.len());
        let damage = (self.sync == Sync::Held).then_some(reason);
        self.sync = Sync::Lost;
        Step::Skip { bytes, damage }
    }
}

/// Body of a fuzz target: cuts up `data`, which comes in two pieces; returns the number of units.
pub fn fuzz(data: &[u8]) -> usize {
    let (mut framer, mut rest, mut units) = (Framer::new(Limits::default()), data, 0);
    let mut shown = data.len() / 2;
    while !rest.is_empty() {
        let end = shown == data.len();
        let seen = &rest[..rest.len() - (data.len() - shown)];
        let used = match framer.next(seen, end) {
            Step::Unit(header) => {
                units += 1;
                header.unit_len
            }
            Step::Need(bytes) => {
                assert!(!end && bytes > seen.len(), "what is missing would come");
                shown = data.len();
                continue;
            }
            Step::Skip { bytes, damage } => {
                assert!(bytes > 0 && damage.is_none_or(|reason| !reason.is_empty()));
                bytes
            }
            Step::Unsupported(_) => break,
        };
        assert!(used <= seen.len());
        rest = &rest[used..];
    }
    units
}

fn truncated(bytes: usize) -> String {
    format!("the stream ends inside a unit, after {bytes} bytes of it")
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_a_fuzzer_found_its_way_with_is_cut_up() {
        let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/file");
        let files = std::fs::read_dir(corpus).expect("the corpus");
        let units =
            files.map(|file| super::fuzz(&std::fs::read(file.expect("an entry").path()).expect("a file")));
        assert!(units.sum::<usize>() > 10);
    }
}
