//! What comes back: the receiver's JSON lines, counted per camera, with their age when they were read.

use crate::camera::now_ns;
use anyhow::Context;
use parking_lot::Mutex;
use serde::Deserialize;
use std::collections::HashMap;
use std::io::BufRead;

#[derive(Deserialize)]
struct Line {
    stream: String,
    #[serde(default = "yes")]
    detected: bool,
    capture_utc: Option<jiff::Timestamp>,
    objects: Vec<serde::de::IgnoredAny>,
}

fn yes() -> bool {
    true
}

/// Of one camera.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Lines in all.
    pub lines: u64,
    /// Lines of frames that were captured while it was measured.
    pub measured: u64,
    /// Those of them whose objects are known.
    pub detected: u64,
    /// Objects in them.
    pub objects: u64,
    /// From capture to line of the detected ones, in tenths of ms.
    pub latency: Vec<u32>,
}

/// Of all cameras.
#[derive(Debug, Default)]
pub struct Tally {
    cameras: Mutex<HashMap<String, Answers>>,
    /// What was captured in this time is measured, ns since the Unix epoch; nothing before it is set.
    window: Mutex<Option<(u64, u64)>>,
}

impl Tally {
    /// What is captured from now on for `ns` is measured.
    pub fn measure(&self, ns: u64) {
        let from = now_ns();
        *self.window.lock() = Some((from, from.saturating_add(ns)));
    }

    /// Whether a frame captured now is measured.
    pub fn measures(&self, at: u64) -> bool {
        self.window
            .lock()
            .is_some_and(|(from, to)| (from..to).contains(&at))
    }

    /// Reads lines to the end.
    pub fn read(&self, lines: impl BufRead) -> anyhow::Result<()> {
        for line in lines.lines() {
            let line = line.context("the receiver's lines")?;
            let now = now_ns();
            let line: Line =
                serde_json::from_str(&line).with_context(|| format!("the receiver's line {line:?}"))?;
            self.add(&line, now);
        }
        Ok(())
    }

    /// What one camera got.
    pub fn of(&self, camera: &str) -> Answers {
        self.cameras.lock().get(camera).cloned().unwrap_or_default()
    }

    fn add(&self, line: &Line, now: u64) {
        let captured = line.capture_utc.map_or(0, |at| at.as_nanosecond());
        let captured = u64::try_from(captured).unwrap_or(0);
        let mut cameras = self.cameras.lock();
        let answers = cameras.entry(line.stream.clone()).or_default();
        answers.lines += 1;
        if self.measures(captured) {
            answers.measured += 1;
            if line.detected {
                answers.detected += 1;
                answers.objects += line.objects.len() as u64;
                let tenths = now.saturating_sub(captured) / 100_000;
                answers.latency.push(u32::try_from(tenths).unwrap_or(u32::MAX));
            }
        }
    }
}

/// The value in ms below which `percent` of the samples (tenths of ms) lie, by the nearest rank.
pub fn percentile(samples: &mut [u32], percent: f64) -> Option<f64> {
    samples.sort_unstable();
    let rank = (samples.len() as f64 * percent / 100.0).ceil().max(1.0);
    samples
        .get(rank as usize - 1)
        .map(|&tenths| f64::from(tenths) / 10.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        assert_eq!(percentile(&mut [], 50.0), None);
        let mut samples: Vec<u32> = (1..=200).rev().collect();
        assert_eq!(percentile(&mut samples, 50.0), Some(10.0));
        assert_eq!(percentile(&mut samples, 99.0), Some(19.8));
        assert_eq!(percentile(&mut samples, 100.0), Some(20.0));
        assert_eq!(percentile(&mut [7], 95.0), Some(0.7));
    }

    #[test]
    fn lines_are_counted_per_camera() {
        let tally = Tally::default();
        let line = |detected: &str, at: &str| {
            format!(r#"{{"stream":"a","frame":1,"capture_utc":"{at}"{detected},"objects":[{{"x":1}},{{}}]}}"#)
        };
        let early = line("", "2001-01-01T00:00:00Z");
        tally.measure(3_600_000_000_000);
        let now = jiff::Timestamp::from_nanosecond(now_ns().into())
            .unwrap()
            .to_string();
        let text = [early, line("", &now), line(r#","detected":false"#, &now)].join("\n");
        tally.read(text.as_bytes()).unwrap();
        let answers = tally.of("a");
        assert_eq!(
            (answers.lines, answers.measured, answers.detected, answers.objects),
            (3, 2, 1, 2)
        );
        assert_eq!(answers.latency.len(), 1);
        assert_eq!(tally.of("b").lines, 0);
        assert!(tally.read(b"rubbish".as_slice()).is_err());
    }
}
