//! What a process costs, from /proc: memory, threads, files, processor time of the whole and of each thread.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;

/// Clock ticks a second of /proc, on every Linux that runs here.
const TICKS: f64 = 100.0;

/// One look at a process.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sample {
    /// Seconds since the measurement began.
    pub at_s: f64,
    /// Resident memory.
    pub rss_kib: u64,
    /// Processor time, user and system, since the process began.
    pub cpu_s: f64,
    /// Threads.
    pub threads: u64,
    /// Open files.
    pub files: u64,
}

/// Looks at a process now.
pub fn sample(pid: u32, at_s: f64) -> anyhow::Result<Sample> {
    let status = read(&format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Ok(Sample {
        at_s,
        rss_kib: field("VmRSS:").context("no VmRSS")?,
        cpu_s: cpu(&read(&format!("/proc/{pid}/stat"))?)
            .context("no processor time")?
            .1,
        threads: field("Threads:").context("no Threads")?,
        files: fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64,
    })
}

/// Processor time of a process's threads so far, by name.
pub fn threads(pid: u32) -> anyhow::Result<BTreeMap<String, f64>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end meanwhile.
        let Ok(text) = fs::read_to_string(entry?.path().join("stat")) else {
            continue;
        };
        if let Some((name, seconds)) = cpu(&text) {
            *all.entry(name).or_default() += seconds;
        }
    }
    Ok(all)
}

/// Processor time that the whole machine has spent.
pub fn machine() -> anyhow::Result<f64> {
    let text = read("/proc/stat")?;
    let fields = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let ticks: Vec<f64> = fields.map_while(|field| field.parse().ok()).collect();
    // user nice system - idle iowait - irq softirq
    let busy = [0, 1, 2, 5, 6].iter().filter_map(|&n| ticks.get(n)).sum::<f64>();
    Ok(busy / TICKS)
}

/// Model and number of processors.
pub fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = text.lines().filter(|line| line.starts_with("processor")).count();
    format!("{} x {}", count, model.map_or("unknown", |(_, name)| name))
}

/// Name and processor time out of a `stat` file.
fn cpu(stat: &str) -> Option<(String, f64)> {
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((name.to_owned(), (user + system) / TICKS))
}

fn read(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn this_process_can_be_looked_at() {
        let sample = sample(std::process::id(), 1.0).unwrap();
        assert!(
            sample.rss_kib > 100 && sample.threads >= 1 && sample.files >= 3,
            "{sample:?}"
        );
        assert!(!threads(std::process::id()).unwrap().is_empty());
        assert!(machine().unwrap() > 0.0);
    }

    #[test]
    fn names_may_hold_brackets_and_spaces() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0";
        assert_eq!(cpu(stat), Some(("a) b".to_owned(), 2.0)));
    }
}
