//! Several `.cis` files read as one recording, oldest first; damage is passed over and counted.

use super::interrupt;
use crate::record::span::{self, Span};
use anyhow::{Context, bail};
use bytes::{Bytes, BytesMut};
use cis_codec::Limits;
use cis_codec::frame::Header;
use gstcis::{Framer, Step};
use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes read at a time.
const BLOCK: usize = 256 << 10;

/// One unit.
#[derive(Clone, Debug)]
pub struct Unit {
    /// What it says.
    pub header: Header,
    /// All of it.
    pub data: Bytes,
}

/// The files, and how far they are read.
#[derive(Debug)]
pub struct Recording {
    files: VecDeque<PathBuf>,
    first: Header,
    current: Option<Current>,
    size: u64,
    read: u64,
    damages: u64,
}

#[derive(Debug)]
struct Current {
    path: PathBuf,
    file: File,
    framer: Framer,
    bytes: BytesMut,
    /// Nothing comes after `bytes`.
    end: bool,
}

impl Recording {
    /// Opens every file once: all of them must begin with a key frame. Where cameras knew the time, the files are put in its order.
    pub fn open(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        for path in paths {
            let (span, bytes) = look(path).with_context(|| path.display().to_string())?;
            files.push((path, span.first, bytes));
        }
        let Some((_, first, _)) = files.first() else {
            bail!("no recording was given");
        };
        let mut first = first.clone();
        if files.iter().all(|(_, first, _)| first.capture_utc_ns != 0) {
            files.sort_by_key(|(_, first, _)| first.capture_utc_ns);
            if let Some((_, earliest, _)) = files.first() {
                first = earliest.clone();
            }
        }
        Ok(Self {
            first,
            size: files.iter().map(|(_, _, bytes)| bytes).sum(),
            files: files.into_iter().map(|(path, _, _)| path.clone()).collect(),
            current: None,
            read: 0,
            damages: 0,
        })
    }

    /// What the first unit says.
    pub fn first(&self) -> &Header {
        &self.first
    }

    /// The file that the last unit came out of.
    pub fn path(&self) -> Option<&Path> {
        self.current.as_ref().map(|current| current.path.as_path())
    }

    /// Places where bytes had to be passed over.
    pub fn damages(&self) -> u64 {
        self.damages
    }

    /// How much is read, in per cent.
    pub fn progress(&self) -> u64 {
        let waiting = self
            .current
            .as_ref()
            .map_or(0, |current| current.bytes.len() as u64);
        self.read.saturating_sub(waiting) * 100 / self.size.max(1)
    }

    /// The next unit; `None` after the last one. An error, too, when the replay is to end.
    pub fn next(&mut self) -> anyhow::Result<Option<Unit>> {
        interrupt::check()?;
        loop {
            let Some(current) = &mut self.current else {
                let Some(path) = self.files.pop_front() else {
                    return Ok(None);
                };
                self.current = Some(Current::open(path)?);
                continue;
            };
            match current.step(&mut self.read)? {
                Found::Unit(unit) => return Ok(Some(unit)),
                Found::Damage(reason) => {
                    self.damages += 1;
                    tracing::warn!(
                        "{}: {reason}; goes on at the next key frame",
                        current.path.display()
                    );
                }
                Found::End => self.current = None,
            }
        }
    }
}

enum Found {
    Unit(Unit),
    Damage(String),
    End,
}

impl Current {
    fn open(path: PathBuf) -> anyhow::Result<Self> {
        let file = File::open(&path).with_context(|| path.display().to_string())?;
        Ok(Self {
            file,
            path,
            framer: Framer::new(Limits::default()),
            bytes: BytesMut::new(),
            end: false,
        })
    }

    fn step(&mut self, read: &mut u64) -> anyhow::Result<Found> {
        loop {
            if self.end && self.bytes.is_empty() {
                return Ok(Found::End);
            }
            match self.framer.next(&self.bytes, self.end) {
                Step::Unit(header) => {
                    let data = self.bytes.split_to(header.unit_len).freeze();
                    return Ok(Found::Unit(Unit {
                        header: *header,
                        data,
                    }));
                }
                Step::Skip { bytes, damage } => {
                    let _ = self.bytes.split_to(bytes);
                    if let Some(reason) = damage {
                        return Ok(Found::Damage(reason));
                    }
                }
                Step::Unsupported(error) => bail!("{}: {error}", self.path.display()),
                Step::Need(bytes) => self.fill(bytes, read)?,
            }
        }
    }

    /// Reads on, up to `bytes` bytes at least.
    fn fill(&mut self, bytes: usize, read: &mut u64) -> anyhow::Result<()> {
        let wanted = bytes.saturating_sub(self.bytes.len()).max(BLOCK) as u64;
        let mut more = Vec::new();
        let found = (&self.file)
            .take(wanted)
            .read_to_end(&mut more)
            .with_context(|| self.path.display().to_string())?;
        self.end = (found as u64) < wanted;
        self.bytes.extend_from_slice(&more);
        *read += found as u64;
        Ok(())
    }
}

/// Both ends of a file, and its size.
fn look(path: &Path) -> anyhow::Result<(Span, u64)> {
    let about = std::fs::metadata(path)?;
    // A pipe or a device could block for ever.
    if !about.is_file() {
        bail!("not a regular file");
    }
    match span::read(&mut File::open(path)?)? {
        Some(span) => Ok((span, about.len())),
        None => bail!("no cis recording: it does not begin with a key frame of this version"),
    }
}
