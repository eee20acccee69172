//! `golden`: golden vectors.
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// Folder that the vectors go to
    output: PathBuf,
}

pub fn run(_arguments: &Arguments) -> anyhow::Result<()> {
    anyhow::bail!("not yet")
}
