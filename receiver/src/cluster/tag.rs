//! Owns what goes with a unit on the broker: one header, `Cis-Unit`, of seven words. A unit of a static camera has some thirty bytes, so that
//! a header for each of them would be most of the message.

use async_nats::HeaderMap;
use cis_codec::frame::Header;
use std::fmt;
use std::str::FromStr;

/// The header's name.
pub const TAG: &str = "Cis-Unit";
/// The first word.
const VERSION: &str = "1";

/// What tells a frame from all others of its camera: a camera that starts anew counts from zero again, but at another time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameId {
    /// Its number.
    pub number: u64,
    /// When it was captured, nanoseconds UTC.
    pub capture_utc_ns: u64,
}

impl FrameId {
    /// The frame of a header.
    pub fn of(header: &Header) -> Self {
        Self {
            number: header.number,
            capture_utc_ns: header.capture_utc_ns,
        }
    }
}

impl fmt::Display for FrameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.number, self.capture_utc_ns)
    }
}

/// What a gateway says about a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Counts the messages of the subject from 1: a hole shows what the broker has lost.
    pub index: u64,
    /// Sequence of the key frame that begins the unit's group; 0: it is the unit itself.
    pub key: u64,
    /// Its frame.
    pub frame: FrameId,
    /// When the gateway had it, nanoseconds UTC.
    pub received_utc_ns: u64,
    /// What it is.
    pub kind: Kind,
}

/// What a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A frame to be answered.
    Frame,
    /// A frame that came before and is needed by those after it only.
    Repeated,
    /// Of the enhancement layer: it belongs to the frame before it.
    Enhancement,
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Frame => "frame",
            Kind::Repeated => "repeated",
            Kind::Enhancement => "enhancement",
        };
        write!(
            f,
            "{VERSION} {} {} {} {} {} {kind}",
            self.index, self.key, self.frame.number, self.frame.capture_utc_ns, self.received_utc_ns,
        )
    }
}

/// A header that no gateway wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign;

impl FromStr for Tag {
    type Err = Foreign;

    fn from_str(text: &str) -> Result<Self, Foreign> {
        let mut words = text.split(' ');
        if words.next() != Some(VERSION) {
            return Err(Foreign);
        }
        let mut number = || words.next().and_then(|word| word.parse().ok()).ok_or(Foreign);
        let (index, key) = (number()?, number()?);
        let frame = FrameId {
            number: number()?,
            capture_utc_ns: number()?,
        };
        let received_utc_ns = number()?;
        let kind = match words.next() {
            Some("frame") => Kind::Frame,
            Some("repeated") => Kind::Repeated,
            Some("enhancement") => Kind::Enhancement,
            _ => return Err(Foreign),
        };
        match (index, words.next()) {
            // Counting goes on from here, and must not overflow.
            (1..=0x7FFF_FFFF_FFFF_FFFF, None) => Ok(Self {
                index,
                key,
                frame,
                received_utc_ns,
                kind,
            }),
            _ => Err(Foreign),
        }
    }
}

impl Tag {
    /// The tag of a message; nothing if no gateway wrote it.
    pub fn read(headers: Option<&HeaderMap>) -> Option<Self> {
        headers?.get(TAG)?.as_str().parse().ok()
    }

    /// Whether the group begins with it.
    pub fn is_key(&self) -> bool {
        self.key == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_tag_comes_back(index in 1..=i64::MAX as u64, key: u64, number: u64, capture_utc_ns: u64, received_utc_ns: u64, kind in 0..3) {
            let kind = [Kind::Frame, Kind::Repeated, Kind::Enhancement][kind as usize];
            let tag = Tag { index, key, frame: FrameId { number, capture_utc_ns }, received_utc_ns, kind };
            prop_assert_eq!(tag.to_string().parse(), Ok(tag));
        }

        #[test]
        fn anything_else_is_foreign(text in "[ 0-9a-z]{0,60}") {
            if let Ok(tag) = text.parse::<Tag>() {
                prop_assert_eq!(tag.to_string(), text);
            }
        }
    }

    #[test]
    fn limits_of_what_is_read() {
        for text in [
            "",
            "1",
            "2 1 0 0 0 0 frame",
            "1 0 0 0 0 0 frame",
            "1 1 0 0 0 0 picture",
            "1 1 0 0 0 0 frame more",
            "1 18446744073709551615 0 0 0 0 frame",
            "1 1 0 0 -1 0 frame",
        ] {
            assert_eq!(text.parse::<Tag>(), Err(Foreign), "{text}");
        }
    }
}
