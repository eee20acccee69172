//! Owns the files of a spool: one append-only segment after the other.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::record::{Damage, HEAD_LEN, HEADER_LEN, Head, Header};

/// A segment that is written to.
#[derive(Debug)]
pub struct Writer {
    pub number: u64,
    pub len: u64,
    file: File,
    /// A write failed half-way and could not be undone: nothing more may be appended.
    broken: bool,
}

impl Writer {
    /// A new segment.
    pub fn create(dir: &Path, number: u64, header: &Header) -> io::Result<Self> {
        let path = path(dir, number);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)?;
        if let Err(error) = file.write_all(&header.encode()) {
            // An empty file must not stay: it would be read as a damaged segment.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(Self {
            number,
            len: HEADER_LEN as u64,
            file,
            broken: false,
        })
    }

    /// Appends a record in one write, or nothing.
    pub fn append(&mut self, head: &Head, data: &[u8]) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("an earlier write was cut off"));
        }
        let mut record = Vec::with_capacity(HEAD_LEN + data.len());
        record.extend_from_slice(&head.encode());
        record.extend_from_slice(data);
        if let Err(error) = self.file.write_all(&record) {
            let undone = self
                .file
                .set_len(self.len)
                .and_then(|()| self.file.seek(SeekFrom::Start(self.len)));
            self.broken = undone.is_err();
            return Err(error);
        }
        self.len += record.len() as u64;
        Ok(())
    }

    /// A second handle, to force to the disk what was written.
    pub fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }
}

/// Reads the records of a segment, one after the other.
#[derive(Debug)]
pub struct Reader {
    pub number: u64,
    pub offset: u64,
    file: io::BufReader<File>,
}

impl Reader {
    /// Opens a segment at an offset; 0 is its first record.
    pub fn open(dir: &Path, number: u64, offset: u64) -> io::Result<Self> {
        let mut file = File::open(path(dir, number))?;
        let offset = offset.max(HEADER_LEN as u64);
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self {
            number,
            offset,
            file: io::BufReader::new(file),
        })
    }

    /// The next record's head; `None` at the end of the file. Data follows.
    pub fn head(&mut self) -> io::Result<Option<Head>> {
        let mut bytes = [0; HEAD_LEN];
        let mut got = 0;
        while got < HEAD_LEN {
            match self.file.read(&mut bytes[got..])? {
                0 if got == 0 => return Ok(None),
                0 => return Err(damaged(Damage::Short)),
                n => got += n,
            }
        }
        let head = Head::decode(&bytes).map_err(damaged)?;
        self.offset += HEAD_LEN as u64;
        Ok(Some(head))
    }

    /// Passes over the data of the record whose head was read.
    pub fn skip(&mut self, head: &Head) -> io::Result<()> {
        let len = head.data_len();
        self.file.seek_relative(i64::try_from(len).unwrap_or(i64::MAX))?;
        self.offset += len as u64;
        Ok(())
    }

    /// The data of the record whose head was read.
    pub fn data(&mut self, head: &Head, limit: usize) -> io::Result<Vec<u8>> {
        let len = head.data_len();
        if len > limit {
            return Err(damaged(Damage::Nonsense));
        }
        let mut data = vec![0; len];
        self.file.read_exact(&mut data)?;
        self.offset += len as u64;
        match head {
            Head::Unit { sum, .. } if crc32fast::hash(&data) != *sum => Err(damaged(Damage::Checksum)),
            _ => Ok(data),
        }
    }
}

fn damaged(damage: Damage) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, damage)
}

/// The header of a segment, and its length.
pub fn header(dir: &Path, number: u64) -> io::Result<(Header, u64)> {
    let mut file = File::open(path(dir, number))?;
    let mut bytes = Vec::with_capacity(HEADER_LEN);
    Read::by_ref(&mut file)
        .take(HEADER_LEN as u64)
        .read_to_end(&mut bytes)?;
    let header = Header::decode(&bytes).map_err(damaged)?;
    Ok((header, file.metadata()?.len()))
}

/// The segments in a folder, oldest first.
pub fn list(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".seg"));
        if let Some(number) = stem
            .filter(|stem| stem.len() == 16)
            .and_then(|stem| u64::from_str_radix(stem, 16).ok())
        {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Removes a segment as far as possible.
pub fn remove(dir: &Path, number: u64) {
    let path = path(dir, number);
    if let Err(error) = fs::remove_file(&path) {
        tracing::warn!(path = %path.display(), %error, "segment of the spool not removed");
    }
}

pub fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:016x}.seg"))
}
