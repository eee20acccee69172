//! Wall-clock time as names of files tell it.

/// Now as `20261123T201732Z`: sorts by time and is legal in file names everywhere.
pub fn stamp() -> String {
    jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()
}
