//! Which part of a recording is wanted: from a moment to a moment, by the clock or counted from the beginning.

use anyhow::{Context, bail};
use jiff::Timestamp;

const LEGAL: &str =
    "seconds (90 or 12.5), MINUTES:SECONDS, HOURS:MINUTES:SECONDS, or a time such as 2026-11-23T20:17:32Z";

/// A moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So many ns after the first frame.
    After(u64),
    /// When it was captured.
    At(Timestamp),
}

/// From one moment to another, the second one not included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    from: Option<Moment>,
    to: Option<Moment>,
}

/// Where a frame lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before the part: what is in it may build on the frame.
    Before,
    /// In it.
    In,
    /// Behind it, and so is all that follows.
    Behind,
}

impl std::str::FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no moment; legal: {LEGAL}");
        if text.contains(['T', 't']) {
            return text
                .parse()
                .map(Self::At)
                .map_err(|e| format!("{} ({e})", wrong()));
        }
        let mut seconds = 0.0;
        let fields: Vec<_> = text.split(':').collect();
        let last = fields.len() - 1;
        for (at, field) in fields.iter().enumerate() {
            let digits = field
                .chars()
                .all(|c| c.is_ascii_digit() || at == last && c == '.');
            let value: f64 = field.parse().ok().filter(|_| digits).ok_or_else(wrong)?;
            if last > 2 || at > 0 && value >= 60.0 {
                return Err(wrong());
            }
            seconds = seconds * 60.0 + value;
        }
        // A cast saturates.
        Ok(Self::After((seconds * 1e9) as u64))
    }
}

impl Part {
    /// `from` must come before `to`.
    pub fn new(from: Option<Moment>, to: Option<Moment>) -> Result<Self, String> {
        let wrong = match (from, to) {
            (Some(Moment::After(from)), Some(Moment::After(to))) => from >= to,
            (Some(Moment::At(from)), Some(Moment::At(to))) => from >= to,
            (None, Some(Moment::After(to))) => to == 0,
            _ => false,
        };
        match wrong {
            true => Err("--to is not after --from: nothing lies between them".into()),
            false => Ok(Self { from, to }),
        }
    }

    /// Whether something may lie before it.
    pub fn has_before(&self) -> bool {
        self.from.is_some()
    }

    /// The place of a frame, by its time after the first one and its capture time (0: unknown).
    pub fn place(&self, after_ns: u64, capture_utc_ns: u64) -> anyhow::Result<Place> {
        let reached = |moment: Option<Moment>| match moment {
            None => Ok(None),
            Some(Moment::After(ns)) => Ok(Some(after_ns >= ns)),
            Some(Moment::At(time)) => {
                if capture_utc_ns == 0 {
                    bail!(
                        "the recording has no capture times: give --from and --to in seconds from its beginning"
                    );
                }
                let captured =
                    Timestamp::from_nanosecond(i128::from(capture_utc_ns)).context("capture time")?;
                Ok(Some(captured >= time))
            }
        };
        Ok(match (reached(self.from)?, reached(self.to)?) {
            (_, Some(true)) => Place::Behind,
            (Some(false), _) => Place::Before,
            _ => Place::In,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn moments() {
        for (text, expected) in [
            ("0", 0),
            ("90", 90 * S),
            ("12.5", 12 * S + S / 2),
            ("1:30", 90 * S),
            ("1:00:01.5", 3601 * S + S / 2),
            ("90:00", 5400 * S),
        ] {
            assert_eq!(text.parse(), Ok(Moment::After(expected)), "{text}");
        }
        let time = "2026-11-23T20:17:32.5Z";
        assert_eq!(time.parse(), Ok(Moment::At(time.parse().unwrap())));
        assert_eq!(
            "2026-11-23T21:17:32.5+01:00".parse::<Moment>(),
            time.parse::<Moment>()
        );
        for text in [
            "",
            "-1",
            "1:60",
            "a",
            "1.5:00",
            "1:2:3:4",
            "1e3",
            "nan",
            "inf",
            "2026-11-23",
            "2026-13-23T00:00:00Z",
        ] {
            let error = text.parse::<Moment>().unwrap_err();
            assert!(error.contains("legal: seconds"), "{error}");
        }
    }

    #[test]
    fn parts() {
        let moment = |text: &str| Some(text.parse::<Moment>().unwrap());
        let part = Part::new(moment("1"), moment("3")).unwrap();
        let places = [0, 1, 2, 3].map(|s| part.place(s * S, 0).unwrap());
        assert_eq!(places, [Place::Before, Place::In, Place::In, Place::Behind]);
        assert!(Part::new(moment("3"), moment("3")).is_err());
        assert!(Part::new(None, moment("0")).is_err());
        let part = Part::new(moment("1970-01-01T00:00:05Z"), None).unwrap();
        assert_eq!(part.place(0, 4 * S).unwrap(), Place::Before);
        assert_eq!(part.place(0, 5 * S).unwrap(), Place::In);
        let error = part.place(0, 0).unwrap_err().to_string();
        assert!(error.contains("no capture times"), "{error}");
    }
}
