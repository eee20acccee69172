//! Owns the file in which a stream's history survives the end of the process: `STREAM.stored`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::history::{History, News};
use crate::StreamName;
use crate::wire::message::INSTANCE_LEN;
use crate::wire::varint;

const HEAD_LEN: usize = 24;
const RECORD_LEN: usize = 17;
const MAGIC: &[u8; 4] = b"cisj";
/// A journal that has grown to this is written anew.
const MAX_BYTES: u64 = 256 << 10;
/// No journal is larger, whoever wrote it.
const MAX_READ: u64 = 4 << 20;

#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
}

impl Journal {
    /// Opens the journal of a stream and recalls what it says. Damage ends it: what is forgotten comes twice.
    pub fn open(folder: &Path, stream: &StreamName, history: &mut History) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{stream}.stored"));
        match fs::metadata(&path) {
            Ok(found) if found.len() <= MAX_READ => recall(&fs::read(&path)?, history),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(Self {
            path,
            file: None,
            bytes: 0,
        })
    }

    /// Writes down what is about to be told to the sender.
    pub fn note(&mut self, news: &[News], history: &History) {
        if news.is_empty() {
            return;
        }
        if self.file.is_none() || self.bytes >= MAX_BYTES {
            return self.rewrite(history);
        }
        let bytes: Vec<u8> = news.iter().flat_map(record).collect();
        let written = self.file.as_mut().map(|file| file.write_all(&bytes));
        if let Some(Err(error)) = written {
            tracing::warn!(path = %self.path.display(), %error, "not written; units may come twice after a restart");
            // A record that was cut off would hide those after it.
            self.file = None;
        }
        self.bytes += bytes.len() as u64;
    }

    /// Writes the whole history in place of what there is: whoever reads sees the old one or the new one.
    pub fn rewrite(&mut self, history: &History) {
        if let Err(error) = self.try_rewrite(history) {
            tracing::warn!(path = %self.path.display(), %error, "not written; units may come twice after a restart");
            self.file = None;
        }
    }

    fn try_rewrite(&mut self, history: &History) -> io::Result<()> {
        let Some(spool) = history.spool() else {
            return Ok(());
        };
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&spool);
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        // The newest matter most: the sender still has them.
        let all: Vec<_> = history.summary().collect();
        let most = MAX_BYTES as usize / 2 / RECORD_LEN;
        let newest = &all[all.len().saturating_sub(most)..];
        bytes.extend(newest.iter().flat_map(record));
        let new = self.path.with_extension("stored.new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&new)?;
        file.write_all(&bytes)?;
        fs::rename(&new, &self.path)?;
        self.bytes = bytes.len() as u64;
        self.file = Some(file);
        Ok(())
    }
}

fn record(news: &News) -> [u8; RECORD_LEN] {
    let mut bytes = [0; RECORD_LEN];
    bytes[..8].copy_from_slice(&news.serial.to_le_bytes());
    bytes[8..12].copy_from_slice(&news.units.to_le_bytes());
    bytes[12] = news.whole.into();
    let sum = crc32fast::hash(&bytes[..13]);
    bytes[13..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn recall(bytes: &[u8], history: &mut History) {
    let Some((head, records)) = bytes.split_at_checked(HEAD_LEN) else {
        return;
    };
    if head[..4] != *MAGIC || crc32fast::hash(&head[..20]).to_le_bytes() != head[20..] {
        return;
    }
    let mut spool = [0; INSTANCE_LEN];
    spool.copy_from_slice(&head[4..20]);
    for bytes in records.chunks_exact(RECORD_LEN) {
        let (body, sum) = bytes.split_at(13);
        if crc32fast::hash(body).to_le_bytes() != *sum {
            return;
        }
        let number = |range: std::ops::Range<usize>| {
            body[range]
                .iter()
                .rev()
                .fold(0u64, |value, byte| value << 8 | u64::from(*byte))
        };
        let news = News {
            serial: number(0..8),
            units: number(8..12) as u32,
            whole: body[12] == 1,
        };
        // No sender has such a serial, and the one after it would not be a number.
        if news.serial <= varint::MAX {
            history.recall(spool, news);
        }
    }
}

/// Recalls a journal of any news, damaged by `spoil`; whether something was remembered.
#[cfg(test)]
pub fn fuzz(news: &[(u64, u32, bool)], spoil: impl FnOnce(&mut Vec<u8>)) -> bool {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&[7; INSTANCE_LEN]);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    for &(serial, units, whole) in news {
        bytes.extend(record(&News { serial, units, whole }));
    }
    spoil(&mut bytes);
    let mut history = History::default();
    recall(&bytes, &mut history);
    // What is remembered can be written, and says the same.
    let summary: Vec<_> = history.summary().collect();
    let mut again = History::default();
    summary
        .iter()
        .for_each(|news| again.recall([7; INSTANCE_LEN], *news));
    assert_eq!(again.summary().collect::<Vec<_>>(), summary);
    !summary.is_empty()
}
