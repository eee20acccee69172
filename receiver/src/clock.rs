//! Wall-clock time as names of files tell it.

use jiff::Timestamp;

const FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// Now, to the second.
pub fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default()
}

/// A time as `20261123T201732Z`: sorts by time and is legal in file names everywhere.
pub fn stamp(time: Timestamp) -> String {
    time.strftime(FORMAT).to_string()
}

/// Such a time read back.
pub fn parse(stamp: &str) -> Option<Timestamp> {
    let time = jiff::civil::DateTime::strptime(FORMAT, stamp).ok()?;
    jiff::tz::TimeZone::UTC.to_timestamp(time).ok()
}

/// A capture time as units carry it; `None`: the camera does not know it.
pub fn captured(utc_ns: u64) -> Option<Timestamp> {
    if utc_ns == 0 {
        return None;
    }
    Timestamp::from_nanosecond(i128::from(utc_ns)).ok()
}

/// A time as `2026-11-23T20:17:32Z`.
pub fn text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
