//! What a run found, as it is written to `benches/results/load/NAME.json`.

use crate::proc::Sample;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A whole run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// What was run.
    pub name: String,
    /// Commit that was measured.
    pub commit: String,
    /// Processors of the machine.
    pub machine: String,
    /// What the cameras send.
    pub clip: ClipFacts,
    /// Cameras.
    pub cameras: u32,
    /// Frames a second of each.
    pub fps: f64,
    /// Seconds over which they came.
    pub ramp_s: f64,
    /// Seconds that were measured.
    pub duration_s: f64,
    /// Options of the receiver that differ from the defaults.
    pub options: BTreeMap<String, String>,
    /// Processors that the receiver could use; all when it is not there.
    pub receiver_cpus: Option<String>,
    /// When a camera counts as held: ms of the 95th percentile, with 99 % of its frames detected.
    pub target_ms: f64,
    /// Cameras that were held.
    pub held: u32,
    /// Frames of all cameras in the measured time.
    pub frames: Frames,
    /// Their latency from sending to the line; nothing when there was none.
    pub latency_ms: Option<Latency>,
    /// 95th percentile of the best and of the worst camera.
    pub p95_ms_of_cameras: Option<(f64, f64)>,
    /// Memory of the receiver.
    pub memory: Memory,
    /// Processor time in the measured time.
    pub cpu: Cpu,
    /// Looks at the receiver, a hundred at most.
    pub samples: Vec<Sample>,
}

/// What the cameras send.
#[derive(Debug, Serialize, Deserialize)]
pub struct ClipFacts {
    /// The file's name.
    pub file: String,
    /// Size of pictures and latents.
    pub size: String,
    /// Frames, and how many of them repeat the one before.
    pub frames: usize,
    pub repeats: usize,
    /// Bytes of an average frame.
    pub mean_bytes: f64,
}

/// Counts of frames.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Frames {
    /// Captured in the measured time.
    pub sent: u64,
    /// That have a line.
    pub answered: u64,
    /// Whose objects are known.
    pub detected: u64,
    /// Objects in them.
    pub objects: u64,
    /// That a camera's link had no room for, in the whole run.
    pub dropped_by_link: u64,
    /// That this program was too busy to send, in the whole run.
    pub skipped: u64,
    /// Key frames that the receiver asked for.
    pub keys_asked: u64,
    /// Connections after the first of each camera.
    pub reconnects: u64,
}

/// Percentiles in ms.
#[derive(Debug, Serialize, Deserialize)]
pub struct Latency {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

/// Memory in MiB; the trend is that of the last three quarters of the measured time.
#[derive(Debug, Serialize, Deserialize)]
pub struct Memory {
    pub first_mib: f64,
    pub last_mib: f64,
    pub max_mib: f64,
    pub trend_kib_per_minute: f64,
    pub threads: (u64, u64),
    pub files: (u64, u64),
}

/// Processor seconds in the measured time.
#[derive(Debug, Serialize, Deserialize)]
pub struct Cpu {
    /// The receiver.
    pub receiver_s: f64,
    /// Processors that it kept busy.
    pub receiver_cores: f64,
    /// This program: all cameras.
    pub cameras_s: f64,
    /// Everybody else on the machine.
    pub others_s: f64,
    /// The receiver's threads, by name.
    pub threads_s: BTreeMap<String, f64>,
}

impl Memory {
    /// Out of looks at the measured time; `None` when there is none.
    pub fn of(samples: &[Sample]) -> Option<Self> {
        let (first, last) = (samples.first()?, samples.last()?);
        let mib = |sample: &Sample| sample.rss_kib as f64 / 1024.0;
        let max = samples.iter().map(mib).fold(0.0, f64::max);
        let range = |of: fn(&Sample) -> u64| {
            let all = samples.iter().map(of);
            (all.clone().min().unwrap_or(0), all.max().unwrap_or(0))
        };
        Some(Self {
            first_mib: mib(first),
            last_mib: mib(last),
            max_mib: max,
            trend_kib_per_minute: 60.0 * slope(&samples[samples.len() / 4..]),
            threads: range(|sample| sample.threads),
            files: range(|sample| sample.files),
        })
    }
}

/// Least squares: KiB a second.
fn slope(samples: &[Sample]) -> f64 {
    let n = samples.len().max(1) as f64;
    let mean = |of: &dyn Fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / n;
    let (t, m) = (mean(&|s| s.at_s), mean(&|s| s.rss_kib as f64));
    let spread = samples.iter().map(|s| (s.at_s - t).powi(2)).sum::<f64>();
    let common = samples
        .iter()
        .map(|s| (s.at_s - t) * (s.rss_kib as f64 - m))
        .sum::<f64>();
    if spread > 0.0 { common / spread } else { 0.0 }
}

/// Every n-th, so that at most a hundred are left, and the last.
pub fn thin(samples: &[Sample]) -> Vec<Sample> {
    let step = samples.len().div_ceil(99).max(1);
    let last = samples.len().saturating_sub(1);
    let kept = samples.iter().enumerate();
    kept.filter(|(n, _)| n % step == 0 || *n == last)
        .map(|(_, sample)| sample.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn growing(per_second: u64) -> Vec<Sample> {
        let sample = |n: u64| Sample {
            at_s: n as f64,
            rss_kib: 10_240 + n * per_second,
            ..Sample::default()
        };
        (0..1000).map(sample).collect()
    }

    #[test]
    fn a_leak_shows() {
        let memory = Memory::of(&growing(2)).expect("samples");
        assert!((memory.trend_kib_per_minute - 120.0).abs() < 1e-6, "{memory:?}");
        assert_eq!(memory.first_mib, 10.0);
        let flat = Memory::of(&growing(0)).expect("samples");
        assert_eq!(flat.trend_kib_per_minute, 0.0);
        assert!(Memory::of(&[]).is_none());
    }

    #[test]
    fn thinned_samples_keep_both_ends() {
        let thinned = thin(&growing(1));
        assert!(thinned.len() <= 100);
        assert_eq!((thinned[0].at_s, thinned[thinned.len() - 1].at_s), (0.0, 999.0));
        assert_eq!(thin(&growing(1)[..7]).len(), 7);
    }
}
