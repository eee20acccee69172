//! Recordings played again without a camera: new detections from stored features (`redetect`), and video files (`export`).
//!
//! ```text
//! FILE.cis... -> Recording -> units in order -> redetect: networks -> JSON lines
//!                                            `-> export: cisdetect ! cisdecode ! cisoverlay ! x264enc ! mp4mux
//! ```

mod cli;
mod export;
mod interrupt;
mod output;
mod part;
mod recording;
mod redetect;
mod timeline;

pub use cli::{commands, parse};
pub use export::Export;
pub use redetect::Redetect;

use anyhow::anyhow;
use cis_codec::frame::DETECTION;
use cis_inference::detect::Params;
use gstcis::model::ModelSettings;
use part::Place;
use recording::{Recording, Unit};
use std::path::PathBuf;
use std::sync::Arc;
use timeline::TimeLine;

/// What both need.
#[derive(Clone, Debug)]
pub struct Source {
    /// The recordings.
    pub files: Vec<PathBuf>,
    /// What of them.
    pub part: part::Part,
    /// The bundle whose networks look at them; `None`: the built-in one.
    pub bundle: Option<PathBuf>,
    /// Where the networks run.
    pub device: String,
    /// Their threads.
    pub threads: u16,
    /// Objects below this confidence are left out.
    pub threshold: f32,
    /// Boxes of one class that overlap more than this are one object.
    pub nms_iou: f32,
    /// Classes by name or number, with commas between them; empty: all.
    pub classes: String,
    /// Objects per frame at most.
    pub max_objects: u32,
}

impl Source {
    /// What the networks are asked for.
    fn params(&self, classes: &[Arc<str>]) -> anyhow::Result<Params> {
        let params = Params {
            threshold: self.threshold,
            nms_iou: self.nms_iou,
            classes: gstcis::parse_classes(&self.classes, classes).map_err(|e| anyhow!("--classes: {e}"))?,
            max_objects: self.max_objects as usize,
        };
        params.validate(classes.len())?;
        Ok(params)
    }

    /// How many units lie before the key frame that the part needs: nobody has to decode them.
    fn units_before(&self) -> anyhow::Result<u64> {
        if !self.part.has_before() {
            return Ok(0);
        }
        let (mut recording, mut line) = (Recording::open(&self.files)?, TimeLine::default());
        let (mut number, mut key) = (0, 0);
        while let Some(Unit { header, .. }) = recording.next()? {
            let after = line.place(&header);
            if header.layer == DETECTION {
                if header.key {
                    key = number;
                }
                if self.part.place(after, header.capture_utc_ns)? != Place::Before {
                    break;
                }
            }
            number += 1;
        }
        Ok(key)
    }

    /// The networks, as elements ask for them.
    fn model(&self) -> ModelSettings {
        ModelSettings {
            model: self.bundle.as_ref().map(|folder| folder.to_string_lossy().into()),
            device: self.device.clone(),
            threads: self.threads.into(),
        }
    }
}

/// What to do.
#[derive(Clone, Debug)]
pub enum Task {
    /// New detections.
    Redetect(Redetect),
    /// A video file.
    Export(Export),
}

impl Task {
    /// Does it.
    pub fn run(&self) -> anyhow::Result<()> {
        interrupt::watch()?;
        match self {
            Self::Redetect(redetect) => redetect.run(),
            Self::Export(export) => export.run(),
        }
    }
}
