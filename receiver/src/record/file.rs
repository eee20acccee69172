//! One file that is being written: whole units alone, whatever the disk does.

use super::name::{MAX_NUMBER, Name};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// An open file.
#[derive(Debug)]
pub struct Open {
    /// Where it lies.
    pub path: PathBuf,
    /// Bytes of whole units in it.
    pub bytes: u64,
    file: File,
}

impl Open {
    /// Makes a file that did not exist in the stream's folder; of one second there may be several.
    pub fn create(folder: &Path, mut name: Name) -> io::Result<Self> {
        let folder = folder.join(name.stream.as_str());
        let told = |path: &Path, e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        std::fs::create_dir_all(&folder).map_err(|e| told(&folder, e))?;
        loop {
            let path = folder.join(name.to_string());
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Self { path, bytes: 0, file }),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && name.number < MAX_NUMBER => {
                    name.number += 1;
                }
                Err(e) => return Err(told(&path, e)),
            }
        }
    }

    /// Hands a whole unit to the operating system. After an error the file ends with the unit before.
    pub fn write(&mut self, unit: &[u8]) -> io::Result<()> {
        if let Err(e) = self.file.write_all(unit) {
            // Where even that fails, readers find the cut.
            let _ = self.file.set_len(self.bytes);
            let _ = io::Seek::seek(&mut self.file, io::SeekFrom::Start(self.bytes));
            return Err(io::Error::new(e.kind(), format!("{}: {e}", self.path.display())));
        }
        self.bytes += unit.len() as u64;
        Ok(())
    }

    /// Forces what was written to the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Ends the file.
    pub fn close(self, sync: bool) -> io::Result<()> {
        if sync { self.file.sync_all() } else { Ok(()) }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.bytes == 0 {
            // One without a unit was never there.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Whether there is no room: deleting something would help.
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Whether a file can be written in `folder`, by writing one.
pub fn has_room(folder: &Path, bytes: usize) -> bool {
    let path = folder.join(".room");
    let written = std::fs::write(&path, vec![0; bytes]).is_ok();
    // It may not be there.
    let _ = std::fs::remove_file(&path);
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let name = Name::now("gate-1".parse().unwrap(), false, false);
        let files: Vec<_> = (0..3)
            .map(|_| Open::create(folder.path(), name.clone()).unwrap())
            .collect();
        let text = name.to_string();
        let stem = text.strip_suffix(".cis").unwrap();
        for (file, end) in files.iter().zip(["", "-2", "-3"]) {
            let path = folder.path().join(format!("gate-1/{stem}{end}.cis"));
            assert_eq!(file.path, path);
        }
    }

    #[test]
    fn a_file_without_a_unit_was_never_there() {
        let folder = tempfile::tempdir().unwrap();
        let name = Name::now("gate-1".parse().unwrap(), false, false);
        let open = Open::create(folder.path(), name).unwrap();
        let path = open.path.clone();
        assert!(path.exists());
        open.close(true).unwrap();
        assert!(!path.exists());
    }
}
