//! One clip that is being written, and the JSON file beside it.

use super::ring::Unit;
use super::trigger::Appeared;
use super::worker::Reel;
use crate::clock;
use crate::record::{Name, Open};
use serde::{Serialize, Serializer};
use std::io;
use std::path::Path;

/// Triggers that are told of one clip; further ones are counted.
const MAX_TRIGGERS: usize = 256;

/// An open clip.
#[derive(Debug)]
pub struct Clip {
    open: Open,
    about: About,
    until_ns: u64,
    /// It goes on no longer than this, whatever appears.
    last_ns: u64,
    /// Units that came while it is not known yet whether they belong to it: the detector has not seen them.
    held: Vec<Unit>,
}

/// What the JSON file says.
#[derive(Clone, Debug, Serialize)]
struct About {
    stream: String,
    late: bool,
    file: String,
    #[serde(serialize_with = "rfc3339")]
    begins_utc: u64,
    #[serde(serialize_with = "rfc3339")]
    ends_utc: u64,
    begins_pts_ns: u64,
    ends_pts_ns: u64,
    frames: u64,
    bytes: u64,
    triggers: Vec<Appeared>,
    more_triggers: u64,
    /// `false` while it is written, and after a crash.
    complete: bool,
}

impl Clip {
    /// Begins a clip with the first of `units`; `None`: there is none.
    pub fn begin<'a>(
        folder: &Path,
        reel: &Reel,
        until_ns: u64,
        last_ns: u64,
        mut units: impl Iterator<Item = &'a Unit>,
    ) -> io::Result<Option<Self>> {
        let Some(first) = units.next() else {
            return Ok(None);
        };
        let open = Open::create(folder, Name::now(reel.stream.clone(), true, reel.late))?;
        let file = open.path.file_name().unwrap_or_default();
        let about = About {
            stream: reel.stream.to_string(),
            late: reel.late,
            file: file.to_string_lossy().into_owned(),
            begins_utc: first.capture_utc_ns,
            ends_utc: first.capture_utc_ns,
            begins_pts_ns: first.pts_ns,
            ends_pts_ns: first.pts_ns,
            frames: 0,
            bytes: 0,
            triggers: Vec::new(),
            more_triggers: 0,
            complete: false,
        };
        let mut clip = Self {
            open,
            about,
            until_ns,
            last_ns,
            held: Vec::new(),
        };
        clip.write(first)?;
        for unit in units {
            clip.take(unit.clone())?;
        }
        Ok(Some(clip))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.open.path
    }

    /// Something else appeared, because of which it goes on until then.
    pub fn trigger(&mut self, appeared: Appeared, until_ns: u64) -> io::Result<()> {
        match self.about.triggers.len() < MAX_TRIGGERS {
            true => self.about.triggers.push(appeared),
            false => self.about.more_triggers += 1,
        }
        self.until_ns = self.until_ns.max(until_ns).min(self.last_ns);
        for unit in std::mem::take(&mut self.held) {
            self.take(unit)?;
        }
        self.tell()
    }

    /// Takes a unit, or keeps it until it is known whether it belongs to the clip.
    pub fn take(&mut self, unit: Unit) -> io::Result<()> {
        if unit.pts_ns <= self.until_ns {
            return self.write(&unit);
        }
        self.held.push(unit);
        Ok(())
    }

    /// Whether it is over, now that the detector has seen this frame: nothing that still belongs to it can come.
    pub fn is_over(&self, seen_ns: u64, most_held: usize) -> bool {
        seen_ns > self.until_ns || self.held.len() > most_held
    }

    /// Ends it.
    pub fn close(mut self) -> io::Result<()> {
        self.about.complete = true;
        self.tell()?;
        let (path, bytes, frames) = (self.open.path.clone(), self.open.bytes, self.about.frames);
        self.open.close(true)?;
        tracing::info!(stream = %self.about.stream, "clip {} ({frames} frames, {bytes} bytes)", path.display());
        Ok(())
    }

    fn write(&mut self, unit: &Unit) -> io::Result<()> {
        self.open.write(&unit.data)?;
        let about = &mut self.about;
        about.bytes = self.open.bytes;
        if unit.frame {
            about.frames += 1;
            (about.ends_utc, about.ends_pts_ns) = (unit.capture_utc_ns, unit.pts_ns);
        }
        Ok(())
    }

    /// Writes the JSON file: it is there whole, or as it was.
    fn tell(&self) -> io::Result<()> {
        let (path, part) = (
            self.open.path.with_extension("json"),
            self.open.path.with_extension("json.part"),
        );
        let mut text = serde_json::to_vec_pretty(&self.about)?;
        text.push(b'\n');
        let told = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, &path));
        told.map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
    }
}

/// A capture time as RFC 3339; null where the camera does not know it.
pub fn rfc3339<S: Serializer>(utc_ns: &u64, out: S) -> Result<S::Ok, S::Error> {
    clock::captured(*utc_ns)
        .map(|time| format!("{time:.9}"))
        .serialize(out)
}
