//! Whether the receiver does what it is there for: every thread that works says when it begins and ends a piece of work, so
//! that one that is stuck in it can be told from one that has nothing to do.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How far the receiver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// The model is loaded, addresses are bound.
    Starting,
    /// Cameras are served.
    Ready,
    /// What has come is written out.
    Stopping,
}

/// The health of one receiver.
#[derive(Debug)]
pub struct Health {
    began: Instant,
    stall_after: AtomicU64,
    phase: AtomicU8,
    pulses: Mutex<Vec<Arc<Pulse>>>,
}

/// What one thread does.
#[derive(Debug)]
pub struct Pulse {
    /// The thread's name.
    pub name: &'static str,
    began: Instant,
    /// Since when it works, in ms after the beginning, from 1; 0: it waits for work.
    since: AtomicU64,
    panicked: AtomicBool,
}

/// A piece of work; it is done when this is dropped.
#[derive(Debug)]
pub struct Work<'a>(&'a Pulse);

impl Health {
    /// Of a receiver that starts. A thread that works on one thing for longer than `stall_after` is stuck.
    pub fn new(stall_after: Duration) -> Self {
        let health = Self {
            began: Instant::now(),
            stall_after: AtomicU64::default(),
            phase: AtomicU8::new(Phase::Starting as u8),
            pulses: Mutex::default(),
        };
        health.set_stall_after(stall_after);
        health
    }

    /// One more thread that works.
    pub fn watch(&self, name: &'static str) -> Arc<Pulse> {
        let pulse = Arc::new(Pulse {
            name,
            began: self.began,
            since: AtomicU64::new(0),
            panicked: AtomicBool::new(false),
        });
        self.pulses.lock().push(pulse.clone());
        pulse
    }

    /// Changes how long a piece of work may take.
    pub fn set_stall_after(&self, stall_after: Duration) {
        let millis = u64::try_from(stall_after.as_millis()).unwrap_or(u64::MAX);
        self.stall_after.store(millis, Relaxed);
    }

    /// The receiver is that far now.
    pub fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
    }

    /// Whether cameras are served; an error says why not.
    pub fn ready(&self) -> Result<(), &'static str> {
        match self.phase.load(Relaxed) {
            phase if phase == Phase::Ready as u8 => Ok(()),
            phase if phase == Phase::Stopping as u8 => Err("shutting down"),
            _ => Err("starting"),
        }
    }

    /// Whether all threads get on; an error says which do not, and for how long.
    pub fn check(&self) -> Result<(), String> {
        let stuck: Vec<_> = self
            .threads()
            .into_iter()
            .filter_map(|(name, stuck)| Some(format!("{name} {}", stuck?)))
            .collect();
        match stuck.is_empty() {
            true => Ok(()),
            false => Err(stuck.join("; ")),
        }
    }

    /// How long the threads of that name have been at the piece of work that takes them longest; `None`: at nothing.
    pub fn busy(&self, name: &str) -> Option<Duration> {
        let pulses = self.pulses.lock();
        let of_name = pulses.iter().filter(|pulse| pulse.name == name);
        of_name.filter_map(|pulse| pulse.busy()).max()
    }

    /// Every thread, and what is wrong with it.
    pub fn threads(&self) -> Vec<(&'static str, Option<String>)> {
        let stall_after = Duration::from_millis(self.stall_after.load(Relaxed));
        let pulses = self.pulses.lock();
        let wrong = |pulse: &Pulse| {
            if pulse.panicked.load(Relaxed) {
                return Some("has panicked".to_owned());
            }
            let busy = pulse.busy()?;
            (busy > stall_after).then(|| format!("has been at one piece of work for {} s", busy.as_secs()))
        };
        pulses.iter().map(|pulse| (pulse.name, wrong(pulse))).collect()
    }
}

impl Pulse {
    /// A piece of work, which ends with what is returned.
    pub fn work(&self) -> Work<'_> {
        self.begin();
        Work(self)
    }

    /// A piece of work begins.
    pub fn begin(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since.store(now.saturating_add(1), Relaxed);
    }

    /// It is done, or its thread has panicked over it.
    pub fn end(&self) {
        self.since.store(0, Relaxed);
        if std::thread::panicking() {
            self.panicked.store(true, Relaxed);
        }
    }

    /// How long it has been at its piece of work.
    fn busy(&self) -> Option<Duration> {
        let since = self.since.load(Relaxed).checked_sub(1)?;
        Some(self.began.elapsed().saturating_sub(Duration::from_millis(since)))
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_does_not_end_is_told_and_idleness_is_not() {
        let health = Health::new(Duration::ZERO);
        let pulse = health.watch("cis-test");
        assert_eq!(health.check(), Ok(()));
        let work = pulse.work();
        while health.check().is_ok() {
            std::thread::yield_now();
        }
        assert!(
            health
                .check()
                .unwrap_err()
                .contains("cis-test has been at one piece of work")
        );
        drop(work);
        assert_eq!(health.check(), Ok(()));
    }

    #[test]
    fn a_panic_is_told_for_ever() {
        let health = Health::new(Duration::from_secs(60));
        let pulse = health.watch("cis-test");
        let thread = std::thread::Builder::new()
            .name("cis-test".into())
            .spawn(move || {
                let _work = pulse.work();
                panic!("as the test wants it");
            });
        assert!(thread.unwrap().join().is_err());
        assert_eq!(health.check(), Err("cis-test has panicked".into()));
    }

    #[test]
    fn only_a_receiver_that_runs_is_ready() {
        let health = Health::new(Duration::from_secs(60));
        assert_eq!(health.ready(), Err("starting"));
        health.set_phase(Phase::Ready);
        assert_eq!(health.ready(), Ok(()));
        health.set_phase(Phase::Stopping);
        assert_eq!(health.ready(), Err("shutting down"));
    }
}
