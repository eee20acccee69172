//! One run: the receiver starts, cameras come one after the other, send for a while and go; then everything is counted.

use crate::Options;
use crate::camera::{Camera, now_ns};
use crate::clip::{Clip, Cursor};
use crate::proc::{self, Sample};
use crate::receiver::Receiver;
use crate::result::{ClipFacts, Cpu, Frames, Latency, Memory, Outcome, thin};
use crate::tally::{Tally, percentile};
use anyhow::{Context, bail};
use cis_link::sender::{ClientTls, Config};
use cis_link::{StreamName, Token};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a camera may take to get rid of its last frames.
const FAREWELL: Duration = Duration::from_secs(20);
/// How often the receiver is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Processor seconds at one moment.
struct Clock {
    receiver: f64,
    threads: BTreeMap<String, f64>,
    cameras: f64,
    machine: f64,
}

/// Counts of one camera on this side.
#[derive(Clone, Copy, Default)]
struct Sent {
    measured: u64,
    skipped: u64,
}

/// Runs, prints what was found, writes it.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let clip = Arc::new(Clip::read(&options.clip)?);
    let dir = tempfile::tempdir()?;
    let names: Vec<StreamName> = (1..=options.cameras)
        .map(|n| format!("camera-{n:04}").parse())
        .collect::<Result<_, _>>()?;
    let tally = Arc::new(Tally::default());
    let (receiver, address) = Receiver::start(
        &options.receiver,
        dir.path(),
        &names,
        &options.options,
        options.receiver_cpus.as_deref(),
        tally.clone(),
    )?;
    let run = Run {
        options,
        clip: &clip,
        names: &names,
        tally: &tally,
        receiver: &receiver,
        address,
    };
    let (cameras, sent, samples, clocks) = run.send()?;
    let mut frames = Frames::default();
    let mut total = 0;
    for (camera, sent) in cameras.iter().zip(&sent) {
        total += camera.frames;
        frames.sent += sent.measured;
        frames.skipped += sent.skipped;
        frames.dropped_by_link += camera.dropped;
        frames.keys_asked += camera.asked;
        frames.reconnects += camera.reconnects();
    }
    // All at once: each waits for the receiver.
    let arrived = std::thread::scope(|scope| {
        let leaving: Vec<_> = cameras
            .into_iter()
            .map(|camera| scope.spawn(|| camera.finish(FAREWELL)))
            .collect();
        leaving.into_iter().all(|one| one.join().unwrap_or(false))
    });
    receiver.end()?;
    let outcome = outcome(options, &clip, &names, &tally, frames, &sent, (samples, clocks))?;
    print(&outcome);
    if let Some(folder) = &options.out {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.json", options.name));
        std::fs::write(&path, serde_json::to_string_pretty(&outcome)? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let lines: u64 = names.iter().map(|name| tally.of(name.as_str()).lines).sum();
    if options.expect_all && (lines != total || !arrived || outcome.frames.reconnects > 0) {
        bail!(
            "{total} frames were sent and {lines} have a line; {} reconnects",
            outcome.frames.reconnects
        );
    }
    Ok(())
}

struct Run<'a> {
    options: &'a Options,
    clip: &'a Arc<Clip>,
    names: &'a [StreamName],
    tally: &'a Tally,
    receiver: &'a Receiver,
    address: SocketAddr,
}

type Measured = (Vec<Camera>, Vec<Sent>, Vec<Sample>, [Clock; 2]);

impl Run<'_> {
    /// Sends until the time is over.
    fn send(&self) -> anyhow::Result<Measured> {
        let interval = Duration::from_secs_f64(1.0 / self.options.fps);
        let ramp = Duration::from_secs_f64(self.options.ramp);
        let duration = Duration::from_secs_f64(self.options.duration);
        let started = Instant::now();
        let mut due: BinaryHeap<_> = (0..self.names.len())
            .map(|n| {
                let wait = ramp.mul_f64(n as f64 / self.names.len() as f64);
                Reverse((started + wait, n))
            })
            .collect();
        let mut cameras: Vec<Camera> = Vec::new();
        let mut first = Vec::new();
        let mut sent = vec![Sent::default(); self.names.len()];
        let (mut samples, mut before) = (Vec::new(), None);
        let mut next_look = started + ramp;
        while let Some(Reverse((at, n))) = due.pop() {
            let now = Instant::now();
            if at >= started + ramp + duration {
                break;
            }
            std::thread::sleep(at.saturating_duration_since(now));
            if at >= next_look {
                if before.is_none() {
                    self.tally.measure(u64::try_from(duration.as_nanos())?);
                    before = Some(self.clock()?);
                }
                samples.push(proc::sample(
                    self.receiver.pid(),
                    (at - started - ramp).as_secs_f64(),
                )?);
                next_look += LOOK;
            }
            if n == cameras.len() {
                cameras.push(self.camera(n)?);
                first.push(at);
            }
            let late = Instant::now().saturating_duration_since(at);
            if late > interval {
                // A camera does not make up for frames that it missed.
                sent[n].skipped += 1;
            } else {
                sent[n].measured += u64::from(self.tally.measures(now_ns()));
                cameras[n].frame(at - first[n])?;
            }
            due.push(Reverse((at + interval, n)));
        }
        let before = before.context("nothing was measured: --duration is shorter than a frame")?;
        let after = self.clock()?;
        Ok((cameras, sent, samples, [before, after]))
    }

    fn camera(&self, n: usize) -> anyhow::Result<Camera> {
        let name = &self.names[n];
        let mut config = Config::new(
            "127.0.0.1",
            self.address.port(),
            name.clone(),
            self.clip.bundle.as_str(),
        );
        config.tls = ClientTls {
            ca: Some(self.receiver.dir().join("ca.pem")),
            ..ClientTls::default()
        };
        config.token = Some(Token::from_file(
            &self.receiver.dir().join(format!("{name}.token")),
        )?);
        let camera = Camera::start(config, Cursor::new(self.clip.clone(), n))?;
        let started = Instant::now();
        while !camera.connected() {
            if started.elapsed() > FAREWELL {
                bail!("{name} does not get in");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(camera)
    }

    fn clock(&self) -> anyhow::Result<Clock> {
        let pid = self.receiver.pid();
        Ok(Clock {
            receiver: proc::sample(pid, 0.0)?.cpu_s,
            threads: proc::threads(pid)?,
            cameras: proc::sample(std::process::id(), 0.0)?.cpu_s,
            machine: proc::machine()?,
        })
    }
}

fn outcome(
    options: &Options,
    clip: &Clip,
    names: &[StreamName],
    tally: &Tally,
    mut frames: Frames,
    sent: &[Sent],
    (samples, [before, after]): (Vec<Sample>, [Clock; 2]),
) -> anyhow::Result<Outcome> {
    let (mut all, mut worst, mut held) = (Vec::new(), Vec::new(), 0);
    for (name, sent) in names.iter().zip(sent) {
        let mut answers = tally.of(name.as_str());
        frames.answered += answers.measured;
        frames.detected += answers.detected;
        frames.objects += answers.objects;
        let p95 = percentile(&mut answers.latency, 95.0);
        let detected = answers.detected as f64 >= 0.99 * (sent.measured + sent.skipped) as f64;
        held += u32::from(detected && p95.is_some_and(|p95| p95 < options.target_ms));
        worst.extend(p95);
        all.extend(answers.latency);
    }
    let spread = worst
        .iter()
        .copied()
        .reduce(f64::min)
        .zip(worst.iter().copied().reduce(f64::max));
    let mut at = |percent| percentile(&mut all, percent);
    let latency_ms = match (at(50.0), at(95.0), at(99.0), at(100.0)) {
        (Some(p50), Some(p95), Some(p99), Some(max)) => Some(Latency { p50, p95, p99, max }),
        _ => None,
    };
    let receiver_s = after.receiver - before.receiver;
    let cameras_s = after.cameras - before.cameras;
    let threads_s = after.threads.into_iter().map(|(name, seconds)| {
        let earlier = before.threads.get(&name).copied().unwrap_or(0.0);
        (name, seconds - earlier)
    });
    let file = Path::new(&options.clip).file_name().unwrap_or_default();
    Ok(Outcome {
        name: options.name.clone(),
        commit: options.commit.clone(),
        machine: proc::processor(),
        clip: ClipFacts {
            file: file.to_string_lossy().into_owned(),
            size: clip.size.clone(),
            frames: clip.frames(),
            repeats: clip.repeats,
            mean_bytes: clip.mean_bytes(),
        },
        cameras: options.cameras,
        fps: options.fps,
        ramp_s: options.ramp,
        duration_s: options.duration,
        options: options.options.iter().cloned().collect(),
        receiver_cpus: options.receiver_cpus.clone(),
        target_ms: options.target_ms,
        held,
        frames,
        latency_ms,
        p95_ms_of_cameras: spread,
        memory: Memory::of(&samples).context("the receiver was not looked at")?,
        cpu: Cpu {
            receiver_s,
            receiver_cores: receiver_s / options.duration.max(1e-3),
            cameras_s,
            others_s: after.machine - before.machine - receiver_s - cameras_s,
            threads_s: threads_s.filter(|(_, seconds)| *seconds > 0.0).collect(),
        },
        samples: thin(&samples),
    })
}

fn print(outcome: &Outcome) {
    let Outcome {
        frames, memory, cpu, ..
    } = outcome;
    println!(
        "{}: {} of {} cameras held at {} fps, {} ({:.0} bytes a frame, {} of {} repeat the one before)",
        outcome.name,
        outcome.held,
        outcome.cameras,
        outcome.fps,
        outcome.clip.size,
        outcome.clip.mean_bytes,
        outcome.clip.repeats,
        outcome.clip.frames
    );
    println!(
        "frames: {} sent, {} answered, {} detected; {} dropped by the link, {} skipped here, {} key frames asked for, {} reconnects",
        frames.sent,
        frames.answered,
        frames.detected,
        frames.dropped_by_link,
        frames.skipped,
        frames.keys_asked,
        frames.reconnects
    );
    if let Some(Latency { p50, p95, p99, max }) = outcome.latency_ms {
        println!("latency: p50 {p50:.0} ms, p95 {p95:.0} ms, p99 {p99:.0} ms, most {max:.0} ms");
    }
    println!(
        "memory: {:.1} MiB, then {:.1}, most {:.1}, trend {:+.0} KiB a minute; {} to {} threads, {} to {} files",
        memory.first_mib,
        memory.last_mib,
        memory.max_mib,
        memory.trend_kib_per_minute,
        memory.threads.0,
        memory.threads.1,
        memory.files.0,
        memory.files.1
    );
    let busiest = cpu
        .threads_s
        .iter()
        .map(|(name, seconds)| format!("{name} {seconds:.1}"));
    println!(
        "processor: receiver {:.1} s ({:.2} processors), cameras {:.1} s, others {:.1} s; threads: {}",
        cpu.receiver_s,
        cpu.receiver_cores,
        cpu.cameras_s,
        cpu.others_s,
        busiest.collect::<Vec<_>>().join(", ")
    );
}
