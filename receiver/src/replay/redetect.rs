//! New detections from stored features: the networks of a bundle look at a recording as the receiver does at a camera.

use super::Source;
use super::output::Output;
use super::part::Place;
use super::recording::Recording;
use super::timeline::TimeLine;
use crate::record::stream_of;
use anyhow::{Context, anyhow, bail};
use cis_inference::detect::Detector;
use gstcis::regions::Region;
use gstcis::units::{Outcome, UnitReader};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often progress is told.
pub(super) const TELL: Duration = Duration::from_secs(5);

/// What `cis-receiver redetect` was asked for.
#[derive(Clone, Debug)]
pub struct Redetect {
    /// The recordings and the networks.
    pub source: Source,
    /// Where the lines go; `-` is the standard output.
    pub output: PathBuf,
    /// Whether a file that is there may be written over.
    pub force: bool,
    /// What the lines name as their stream; `None`: what the files are named by.
    pub stream: Option<String>,
}

/// How many of what.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    frames: u64,
    objects: u64,
    undecoded: u64,
}

impl Redetect {
    /// Looks at everything and writes the lines.
    pub fn run(&self) -> anyhow::Result<()> {
        if self.output == Path::new("-") {
            return self.write(&mut std::io::stdout().lock());
        }
        let output = Output::new(&self.output, self.force)?;
        let mut file = BufWriter::new(output.create()?);
        self.write(&mut file)?;
        file.flush().with_context(|| self.output.display().to_string())?;
        drop(file);
        output.finish()
    }

    fn write(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let mut recording = Recording::open(&self.source.files)?;
        let opened = self.source.model().open().map_err(|e| anyhow!("{e}"))?;
        let mut detector = Detector::new(&opened.runtime, &opened.model.bundle, &opened.options)?;
        let params = self.source.params(opened.model.bundle.classes())?;
        let mut reader = UnitReader::new(opened.model.clone());
        let (mut line, mut regions, mut known) = (TimeLine::default(), Vec::new(), false);
        let (mut done, mut told) = (Done::default(), Instant::now());
        while let Some(unit) = recording.next()? {
            let after = line.place(&unit.header);
            let frame = match reader.read(&unit.data) {
                Outcome::Frame(frame) => frame,
                Outcome::OtherLayer => continue,
                Outcome::Mismatch(reason) => bail!("{}: {reason}", name(&recording)),
                Outcome::Damaged(_) | Outcome::Waiting { .. } => {
                    done.undecoded += 1;
                    continue;
                }
            };
            let place = self.source.part.place(after, frame.header.capture_utc_ns)?;
            if place == Place::Behind {
                break;
            }
            known &= frame.header.repeat;
            if place != Place::In {
                continue;
            }
            // A repeat has the latents of the frame before, which may lie before the part.
            if !std::mem::replace(&mut known, true) {
                let found = detector.detect(frame.latents, frame.geometry, &params)?;
                let source = frame.geometry.source;
                regions = found.iter().map(|d| Region::on_grid(d, source)).collect();
            }
            let stream = match &self.stream {
                Some(stream) => stream.clone(),
                None => recording.path().map(stream_of).unwrap_or_default(),
            };
            let text = gstcis::json_line(&stream, &frame.header, Some(&regions), None)?;
            out.write_all(&text).context("writing a line")?;
            done.frames += 1;
            done.objects += regions.len() as u64;
            if told.elapsed() >= TELL {
                told = Instant::now();
                tracing::info!("redetect: {} %, {} frames", recording.progress(), done.frames);
            }
        }
        out.flush().context("writing a line")?;
        if done.frames == 0 {
            bail!("no frame lies between --from and --to");
        }
        tracing::info!(
            "{} frames, {} objects by bundle {}; {} frames undecoded, {} damaged places",
            done.frames,
            done.objects,
            opened.model.id,
            done.undecoded,
            recording.damages(),
        );
        Ok(())
    }
}

fn name(recording: &Recording) -> String {
    recording
        .path()
        .map_or(String::new(), |path| path.display().to_string())
}
