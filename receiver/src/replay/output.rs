//! A file that is there when it is complete, and not before: written beside its place, moved there at the end.

use anyhow::{Context, bail};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The file to be.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    part: PathBuf,
}

impl Output {
    /// Nothing is written yet; what lies there already is in the way unless `force`.
    pub fn new(path: &Path, force: bool) -> anyhow::Result<Self> {
        if path.is_dir() {
            bail!("{} is a folder", path.display());
        }
        if path.exists() && !force {
            bail!("{} is there already; --force writes over it", path.display());
        }
        let Some(name) = path.file_name() else {
            bail!("{} names no file", path.display());
        };
        let mut name = name.to_owned();
        name.push(".part");
        Ok(Self {
            path: path.to_owned(),
            part: path.with_file_name(name),
        })
    }

    /// Where to write.
    pub fn part(&self) -> &Path {
        &self.part
    }

    /// Makes the file to write to.
    pub fn create(&self) -> anyhow::Result<File> {
        File::create(&self.part).with_context(|| self.part.display().to_string())
    }

    /// Puts the file in its place.
    pub fn finish(self) -> anyhow::Result<()> {
        let moved = File::open(&self.part)
            .and_then(|file| file.sync_all())
            .and_then(|()| std::fs::rename(&self.part, &self.path));
        moved.with_context(|| self.path.display().to_string())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // After the end it is not there.
        let _ = std::fs::remove_file(&self.part);
    }
}
