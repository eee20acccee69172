//! How long a stage takes: on the wall, and in processor time of the calling thread, which a busy machine does not blur.

use std::time::{Duration, Instant};

/// Time spent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// On the wall.
    pub wall: Duration,
    /// On a processor, by the calling thread alone: what other threads of the network do is not in it.
    pub cpu: Duration,
}

impl std::ops::Add for Spent {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            wall: self.wall + other.wall,
            cpu: self.cpu + other.cpu,
        }
    }
}

/// A running measurement. To be read on the thread that started it.
pub struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

impl Stopwatch {
    /// Begins.
    pub fn start() -> Self {
        Self {
            wall: Instant::now(),
            cpu: thread_time(),
        }
    }

    /// What was spent since the start or the last lap.
    pub fn lap(&mut self) -> Spent {
        let now = Self::start();
        let spent = Spent {
            wall: now.wall - self.wall,
            cpu: now.cpu.saturating_sub(self.cpu),
        };
        *self = now;
        spent
    }
}

fn thread_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is ours to write. Where the clock is missing it stays zero.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_counts_and_waiting_does_not() {
        let mut watch = Stopwatch::start();
        let mut last = Spent::default();
        // A clock of coarse ticks moves too, in the end.
        while last.cpu.is_zero() {
            last = last + watch.lap();
        }
        assert!(last.wall > Duration::ZERO);
        let (send, receive) = crossbeam_channel::bounded::<()>(0);
        let waiting = Duration::from_millis(50);
        assert!(receive.recv_timeout(waiting).is_err());
        let waited = watch.lap();
        drop(send);
        assert!(waited.wall >= waiting && waited.cpu < waited.wall);
    }
}
