//! Owns the writing of files that must not be lost, overwritten or read by others.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::Error;

pub fn make_dir(dir: &Path) -> Result<(), Error> {
    fs::create_dir_all(dir).map_err(|error| Error::file(dir, error))
}

pub fn must_be_free(path: &Path) -> Result<(), Error> {
    if path.exists() {
        Err(Error::file(path, io::ErrorKind::AlreadyExists.into()))
    } else {
        Ok(())
    }
}

/// A new file that its owner alone can read.
pub fn write_secret(path: &Path, text: &str) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    write(path, text, options.write(true).create_new(true))
}

/// A new file.
pub fn write_new(path: &Path, text: &str) -> Result<(), Error> {
    write(path, text, OpenOptions::new().write(true).create_new(true))
}

/// A file in place of another: whoever reads meanwhile sees the old one or the new one.
pub fn replace(path: &Path, text: &str) -> Result<(), Error> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = Path::new(&new);
    write(
        new,
        text,
        OpenOptions::new().write(true).create(true).truncate(true),
    )?;
    fs::rename(new, path).map_err(|error| Error::file(path, error))
}

/// Removes a file as far as possible.
pub fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

fn write(path: &Path, text: &str, options: &OpenOptions) -> Result<(), Error> {
    let write = || {
        let mut file = options.open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| Error::file(path, error))
}
