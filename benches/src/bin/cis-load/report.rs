//! The table of committed results in a document, between two marks.

use crate::result::Outcome;
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

const MARKS: (&str, &str) = ("<!-- load:begin -->\n", "<!-- load:end -->");

/// Which results, and where they go.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Folder of the results
    results: PathBuf,
    /// Document with the marks `<!-- load:begin -->` and `<!-- load:end -->`
    document: PathBuf,
    /// Only say whether the document has the table that the results make
    #[arg(long)]
    check: bool,
}

/// Writes the table, or compares it.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(&arguments.document)
        .with_context(|| format!("cannot read {}", arguments.document.display()))?;
    let changed = place(&text, &table(&read(&arguments.results)?))?;
    match (arguments.check, changed == text) {
        (_, true) => Ok(()),
        (true, false) => bail!(
            "{} does not say what the results say",
            arguments.document.display()
        ),
        (false, false) => Ok(std::fs::write(&arguments.document, changed)?),
    }
}

fn read(folder: &Path) -> anyhow::Result<Vec<Outcome>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths: Vec<_> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path)?;
            serde_json::from_str(&text).with_context(|| path.display().to_string())
        })
        .collect()
}

fn place(text: &str, table: &str) -> anyhow::Result<String> {
    let (begin, end) = MARKS;
    let (before, rest) = text.split_once(begin).context("no load:begin in the document")?;
    let (_, after) = rest.split_once(end).context("no load:end in the document")?;
    Ok(format!("{before}{begin}{table}{end}{after}"))
}

fn table(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "| run | cameras x fps | held | detected, % | p50, ms | p95, ms | p99, ms | processors of the receiver | others, processors | memory, MiB | trend, KiB/min |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for outcome in outcomes {
        let ms = |of: fn(&crate::result::Latency) -> f64| {
            let found = outcome.latency_ms.as_ref().map(of);
            found.map_or("-".to_owned(), |ms| format!("{ms:.0}"))
        };
        let (frames, memory) = (&outcome.frames, &outcome.memory);
        text += &format!(
            "| {} | {} x {} | {} | {:.1} | {} | {} | {} | {:.2} | {:.2} | {:.0} to {:.0} | {:+.0} |\n",
            outcome.name,
            outcome.cameras,
            outcome.fps,
            outcome.held,
            100.0 * frames.detected as f64 / (frames.sent + frames.skipped).max(1) as f64,
            ms(|latency| latency.p50),
            ms(|latency| latency.p95),
            ms(|latency| latency.p99),
            outcome.cpu.receiver_cores,
            outcome.cpu.others_s / outcome.duration_s.max(1e-3),
            memory.first_mib,
            memory.last_mib,
            memory.trend_kib_per_minute,
        );
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn the_table_goes_between_the_marks() {
        let text = "a\n<!-- load:begin -->\nold\n<!-- load:end -->\nb\n";
        let new = place(text, "new\n").unwrap();
        assert_eq!(new, "a\n<!-- load:begin -->\nnew\n<!-- load:end -->\nb\n");
        assert!(place("nothing", "new").is_err());
    }

    /// The document says what the committed results say.
    #[test]
    fn the_document_is_up_to_date() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        run(&Arguments {
            results: root.join("results/load"),
            document: root.join("../docs/load.md"),
            check: true,
        })
        .unwrap();
    }
}
