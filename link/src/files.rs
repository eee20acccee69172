//! Owns reading of small files with a limit on their size.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::Error;

/// The text of a file of at most `limit` bytes.
pub fn read_text(path: &Path, limit: u64) -> Result<String, Error> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| Error::file(path, error))?;
    file.take(limit + 1)
        .read_to_string(&mut text)
        .map_err(|error| Error::file(path, error))?;
    if text.len() as u64 > limit {
        return Err(Error::content(path, format!("larger than {limit} bytes")));
    }
    Ok(text)
}
