//! A text file that is rotated by size: `FILE` is the newest, `FILE.1` the one before, up to the number that is kept.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// An open rotating file. Lines are never split over two files.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
    max_bytes: u64,
    keep: u32,
}

impl RotatingFile {
    /// Opens `path` and appends to what is there; a file that is over `max_bytes` is rotated at the next line.
    pub fn open(path: &Path, max_bytes: u64, keep: u32) -> io::Result<Self> {
        let file = append(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self {
            path: path.into(),
            file: BufWriter::new(file),
            bytes,
            max_bytes,
            keep,
        })
    }

    /// Writes one line; `line` ends with its line break.
    pub fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.bytes > 0 && self.bytes.saturating_add(line.len() as u64) > self.max_bytes {
            self.rotate()?;
        }
        self.file.write_all(line)?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// Hands everything to the operating system.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    /// Forces everything to the disk.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_data()
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file.flush()?;
        for number in (0..self.keep).rev() {
            match std::fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        if self.keep == 0 {
            std::fs::remove_file(&self.path)?;
        }
        self.file = BufWriter::new(append(&self.path)?);
        self.bytes = 0;
        Ok(())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        if number > 0 {
            name.push(format!(".{number}"));
        }
        name.into()
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(path: &Path) -> Vec<String> {
        let numbered = |n| {
            if n == 0 {
                path.to_path_buf()
            } else {
                path.with_extension(format!("jsonl.{n}"))
            }
        };
        (0..9)
            .map_while(|n| std::fs::read_to_string(numbered(n)).ok())
            .collect()
    }

    #[test]
    fn keeps_the_newest_files_and_whole_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.jsonl");
        let mut file = RotatingFile::open(&path, 10, 2).unwrap();
        for n in 0..7 {
            file.write_line(format!("line{n}\n").as_bytes()).unwrap();
        }
        file.flush().unwrap();
        assert_eq!(texts(&path), ["line6\n", "line5\n", "line4\n"]);
    }

    #[test]
    fn appends_to_an_old_file_and_counts_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.jsonl");
        std::fs::write(&path, "old5\n").unwrap();
        let mut file = RotatingFile::open(&path, 10, 2).unwrap();
        file.write_line(b"new1\n").unwrap();
        file.write_line(b"new2\n").unwrap();
        file.flush().unwrap();
        assert_eq!(texts(&path), ["new2\n", "old5\nnew1\n"]);
    }

    #[test]
    fn keeps_nothing_when_told_so_and_takes_a_line_longer_than_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.jsonl");
        let mut file = RotatingFile::open(&path, 4, 0).unwrap();
        file.write_line(b"much too long\n").unwrap();
        file.write_line(b"next\n").unwrap();
        file.flush().unwrap();
        assert_eq!(texts(&path), ["next\n"]);
    }
}
