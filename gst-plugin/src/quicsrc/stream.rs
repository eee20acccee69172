//! One camera's units on their way into the pipeline: headers, caps, order. Knows neither threads nor sockets.

use super::timeline::Timeline;
use crate::caps::StreamCaps;
use cis_codec::{
    Limits,
    frame::{self, Header, HeaderReader},
};

/// A unit that can be pushed.
#[derive(Debug)]
pub struct Frame {
    /// What the unit says.
    pub header: Header,
    /// Running time in ns.
    pub time_ns: u64,
    /// Whether something is missing before it.
    pub discont: bool,
    /// Caps that have to go ahead of it.
    pub caps: Option<StreamCaps>,
}

/// What to do with a unit that cannot be pushed.
#[derive(Debug)]
pub struct Damage {
    /// Why.
    pub error: frame::Error,
    /// Whether this is the first of a damage: the one to report, and to ask a key frame for.
    pub first: bool,
}

/// The stream of one camera at a time.
#[derive(Debug)]
pub struct Stream {
    headers: HeaderReader,
    /// Of the enhancement layer.
    enhancement: HeaderReader,
    /// Time stamp and running time of the newest frame.
    newest: Option<(u64, u64)>,
    timeline: Timeline,
    caps: Option<StreamCaps>,
    discont: bool,
    damaged: bool,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            headers: HeaderReader::new(Limits::default()),
            enhancement: HeaderReader::of_layer(frame::ENHANCEMENT, Limits::default()),
            newest: None,
            timeline: Timeline::default(),
            caps: None,
            discont: true,
            damaged: false,
        }
    }
}

impl Stream {
    /// The next unit starts anew: another connection, or a group that was given up.
    pub fn interrupted(&mut self) {
        self.headers.reset();
        self.enhancement.reset();
        self.newest = None;
        (self.discont, self.damaged) = (true, false);
    }

    /// Reads a unit that arrived at running time `now_ns`.
    pub fn read(&mut self, unit: &[u8], now_ns: u64) -> Result<Frame, Damage> {
        let header = match self.headers.read(unit) {
            Ok(header) => header,
            Err(error) => {
                // A layer of a later version does not break the one that is read here.
                let passed_over = matches!(error, frame::Error::OtherLayer { .. });
                let first = !passed_over && !std::mem::replace(&mut self.damaged, true);
                self.discont |= !passed_over;
                self.newest = self.newest.filter(|_| passed_over);
                return Err(Damage { error, first });
            }
        };
        self.damaged = false;
        let caps = StreamCaps {
            bundle: header.bundle.to_string(),
            width: header.source.width,
            height: header.source.height,
            framerate: None,
        };
        let changed = self.caps.as_ref() != Some(&caps);
        if changed {
            self.caps = Some(caps.clone());
        }
        let placed = self.timeline.place(header.pts_ns, now_ns);
        if header.key {
            self.enhancement.reset();
        }
        self.newest = Some((header.pts_ns, placed.time_ns));
        let discont = std::mem::take(&mut self.discont) || placed.jump;
        Ok(Frame {
            header,
            time_ns: placed.time_ns,
            discont,
            caps: changed.then_some(caps),
        })
    }

    /// Reads a unit of the enhancement layer, which belongs to the newest frame: its running time and number. `None`: it is
    /// damaged, continues nothing or belongs to another frame.
    pub fn read_enhancement(&mut self, unit: &[u8]) -> Option<(u64, u64)> {
        let header = self.enhancement.read(unit).ok()?;
        let (pts, time) = self.newest?;
        (header.pts_ns == pts).then_some((time, header.number))
    }
}
