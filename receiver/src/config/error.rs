//! What can be wrong with a configuration, told with the place, the value and what would be legal.

use super::options::{Kind, Opt};
use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Origin {
    /// The table of options.
    Default,
    /// A line of the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "default"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{}, line {line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the TOML reader says.
        message: String,
    },
    /// A field that does not exist.
    #[error("{origin}: unknown field `{key}`; legal here: {legal}")]
    Unknown {
        /// Where it is.
        origin: Origin,
        /// Its name with its section.
        key: String,
        /// What could stand there.
        legal: String,
    },
    /// Environment variables of the receiver that do not exist.
    #[error(
        "unknown environment variable {names}; legal: CIS_RECEIVER_CONFIG, and CIS_RECEIVER_SECTION_FIELD for each option (cis-receiver --help)"
    )]
    Environment {
        /// Their names.
        names: String,
    },
    /// A value of the wrong type or out of range.
    #[error("{origin}: {key} is `{found}`; legal: {legal}")]
    Value {
        /// Where it is.
        origin: Origin,
        /// The option.
        key: &'static str,
        /// The value.
        found: String,
        /// What would be legal.
        legal: String,
    },
    /// A zone or line that cannot be used.
    #[error("{origin}: {key}: {reason}")]
    Place {
        /// Where it is.
        origin: Origin,
        /// The field.
        key: String,
        /// The value, and what would be legal.
        reason: String,
    },
    /// Options that do not go together.
    #[error("{0}")]
    Conflict(String),
}

impl Error {
    pub(super) fn value(opt: &Opt, found: &str, origin: Origin) -> Self {
        Self::Value {
            origin,
            key: opt.key,
            found: found.into(),
            legal: opt.kind.to_string(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => write!(f, "a text"),
            Self::Path([]) => write!(f, "a path"),
            Self::Path(words) => write!(f, "a path, `{}`", words.join("`, `")),
            Self::Address => write!(f, "ADDRESS:PORT, e.g. 0.0.0.0:4443 or [::]:4443"),
            Self::Integer(low, high) => write!(f, "a whole number {low}..={high}"),
            Self::Number(low, high) => write!(f, "a number {low:?}..={high:?}"),
            Self::Device => write!(f, "`cpu`, `cuda`, `cuda:0`..=`cuda:255`"),
            Self::Switch => write!(f, "`true`, `false`"),
            Self::List => write!(f, "a list of texts"),
            Self::Words(words) => write!(f, "a list of `{}`", words.join("`, `")),
            Self::Url(schemes) => {
                let each: Vec<_> = schemes
                    .iter()
                    .map(|scheme| format!("`{scheme}://HOST:PORT`"))
                    .collect();
                write!(f, "{} without user and password", each.join(", "))
            }
            Self::Choice(words) => write!(f, "`{}`", words.join("`, `")),
        }
    }
}
