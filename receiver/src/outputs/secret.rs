//! Passwords and tokens: in files of their own, never in the configuration or the log.

use std::io;
use std::path::Path;

/// The longest that is read.
const MAX_BYTES: u64 = 64 << 10;

/// The text in a file, without the line break at its end. `option` is named in errors.
pub fn read(option: &str, path: &Path) -> io::Result<String> {
    let error = |reason: String| io::Error::other(format!("{option} {}: {reason}", path.display()));
    let bytes = std::fs::metadata(path).map_err(|e| error(e.to_string()))?.len();
    if bytes > MAX_BYTES {
        return Err(error(format!("{bytes} bytes; legal: at most {MAX_BYTES}")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| error(e.to_string()))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(error("it is empty".into())),
        text => Ok(text.into()),
    }
}
