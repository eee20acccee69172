//! What the process takes of the machine, out of Linux' /proc. Elsewhere there is nothing to tell.

/// The clock ticks a second in /proc, which Linux' interface fixes.
const TICKS: f64 = 100.0;

/// What the process takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Bytes in memory.
    pub resident_bytes: u64,
    /// Seconds of all processors.
    pub cpu_seconds: f64,
    /// Files and sockets that are open.
    pub fds: u64,
    /// Threads.
    pub threads: u64,
}

impl Usage {
    /// Now.
    pub fn read() -> Option<Self> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let fds = std::fs::read_dir("/proc/self/fd").ok()?.count() as u64;
        Self::parse(&status, &stat, fds)
    }

    fn parse(status: &str, stat: &str, fds: u64) -> Option<Self> {
        let number = |name: &str| -> Option<u64> {
            let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
            rest.split_whitespace().next()?.parse().ok()
        };
        // The name of the program, in brackets, may have spaces and brackets.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut ticks = || -> Option<f64> { fields.next()?.parse().ok() };
        Some(Self {
            resident_bytes: number("VmRSS:")? * 1024,
            cpu_seconds: (ticks()? + ticks()?) / TICKS,
            fds,
            threads: number("Threads:")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_whatever_the_program_is_called() {
        let stat = "1 (a) b) S 0 1 1 0 -1 4194560 10 20 30 40 150 50 0 0 20 0 4 0 1";
        let usage = Usage::parse("Name:\ta) b\nVmRSS:\t  2048 kB\nThreads:\t4\n", stat, 9).unwrap();
        let expected = Usage {
            resident_bytes: 2 << 20,
            cpu_seconds: 2.0,
            fds: 9,
            threads: 4,
        };
        assert_eq!(usage, expected);
        assert_eq!(Usage::parse("", stat, 0), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_takes_something() {
        let usage = Usage::read().unwrap();
        assert!(usage.resident_bytes > 0 && usage.fds > 0 && usage.threads > 0);
    }
}
