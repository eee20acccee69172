//! Wall-clock time: the only place that reads the system's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long ago `utc_ns` (ns since the Unix epoch) was; zero when it lies ahead, `None` when it is 0, which says that it is not known.
pub fn since(utc_ns: u64) -> Option<Duration> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (utc_ns != 0).then(|| now.saturating_sub(Duration::from_nanos(utc_ns)))
}

/// Now as `20261123T201732Z`: sorts by time and is legal in file names everywhere.
pub fn stamp() -> String {
    jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()
}
