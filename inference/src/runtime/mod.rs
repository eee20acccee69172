//! ONNX Runtime: found, checked and loaded once per process.
//!
//! A missing, foreign or old library is an [`Error`], never a panic: `ort` panics when it has to look for the library
//! itself, so nothing here calls it before a library has been checked and loaded by path.

mod elf;
mod search;
mod session;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ort::environment::Environment;
use ort::logging::LogLevel;
use parking_lot::Mutex;

pub use search::{Attempt, Search};
pub(crate) use session::{Dim, Given, Network, Outputs, Selection, TensorSpec};

use crate::{Error, Result};

/// Oldest usable ONNX Runtime is 1.this.
pub const MINIMUM_MINOR: u32 = ort::MINOR_VERSION;

/// The loaded ONNX Runtime. Clones share it; it stays loaded until the process ends.
#[derive(Clone)]
pub struct Runtime {
    environment: Environment,
    library: Arc<Path>,
}

/// Where a network runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Device {
    /// This machine's processor.
    #[default]
    Cpu,
    /// NVIDIA GPU of this number; needs an ONNX Runtime built for CUDA.
    Cuda(u32),
}

/// How a network runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionOptions {
    /// Where.
    pub device: Device,
    /// Threads of one run, 1..=[`SessionOptions::MAX_THREADS`].
    pub threads: u16,
    /// Let idle threads spin: lower latency on an idle machine, wasted cores on a busy one.
    pub spinning: bool,
}

impl SessionOptions {
    /// Most threads of one run.
    pub const MAX_THREADS: u16 = 256;
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            device: Device::Cpu,
            threads: 1,
            spinning: false,
        }
    }
}

impl Runtime {
    /// The process-wide runtime, loaded on the first call that succeeds; a failure may be tried again.
    ///
    /// # Errors
    /// [`Error::RuntimeNotFound`] with every place that was tried, see [`Search::from_environment`].
    pub fn load() -> Result<Self> {
        Self::load_with(&Search::from_environment())
    }

    /// As [`Runtime::load`], looking in the places of `search`. When a library is loaded already, that one is returned.
    ///
    /// # Errors
    /// As [`Runtime::load`].
    pub fn load_with(search: &Search) -> Result<Self> {
        static SHARED: Mutex<Option<Runtime>> = Mutex::new(None);
        let mut shared = SHARED.lock();
        if let Some(runtime) = &*shared {
            return Ok(runtime.clone());
        }
        let (library, builder) = search.open().map_err(|tried| Error::RuntimeNotFound { tried })?;
        let environment = builder
            .with_name("cis")
            .with_telemetry(false)
            .with_logger(Arc::new(log))
            .build()
            .map_err(|e| Error::RuntimeStart {
                path: library.clone(),
                reason: e.to_string(),
            })?;
        environment.set_log_level(LogLevel::Warning);
        tracing::info!(library = %library.display(), "ONNX Runtime loaded");
        let runtime = Self {
            environment,
            library: library.into(),
        };
        *shared = Some(runtime.clone());
        Ok(runtime)
    }

    /// The library in use.
    pub fn library(&self) -> &Path {
        &self.library
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("library", &self.library)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl std::str::FromStr for Device {
    type Err = Error;

    /// `cpu`, `cuda` (the first GPU) or `cuda:N`.
    fn from_str(text: &str) -> Result<Self> {
        let illegal = || Error::range("device", text, "cpu, cuda or cuda:0..=255");
        match text {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                let index = text.strip_prefix("cuda:").ok_or_else(illegal)?;
                let index: u8 = index.parse().map_err(|_| illegal())?;
                Ok(Self::Cuda(index.into()))
            }
        }
    }
}

/// ONNX Runtime's own messages, on the target `onnxruntime`.
fn log(level: LogLevel, category: &str, id: &str, location: &str, message: &str) {
    match level {
        LogLevel::Fatal | LogLevel::Error => {
            tracing::error!(target: "onnxruntime", category, id, location, "{message}");
        }
        LogLevel::Warning => tracing::warn!(target: "onnxruntime", category, id, location, "{message}"),
        LogLevel::Info => tracing::info!(target: "onnxruntime", category, id, location, "{message}"),
        LogLevel::Verbose => tracing::debug!(target: "onnxruntime", category, id, location, "{message}"),
    }
}

/// The path of the executable or plugin that this code is part of.
fn own_path() -> Option<PathBuf> {
    search::module_of(own_path as *const ())
}
