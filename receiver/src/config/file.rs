//! The configuration file: TOML whose sections and fields are those of the table, and no other.

use super::layer::Layer;
use super::options::{OPTIONS, Opt};
use super::places::{TABLES, Table};
use super::{Error, Origin};
use std::path::Path;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Value};

/// The longest file that is read.
const MAX_BYTES: u64 = 1 << 20;

/// Reads the file at `path`.
pub fn read(path: &Path) -> Result<Layer, Error> {
    let error = |source| Error::Read {
        path: path.into(),
        source,
    };
    let bytes = std::fs::metadata(path).map_err(error)?.len();
    if bytes > MAX_BYTES {
        return Err(error(std::io::Error::other(format!(
            "{bytes} bytes; legal: at most {MAX_BYTES}"
        ))));
    }
    parse(&std::fs::read_to_string(path).map_err(error)?, path)
}

/// Reads a file's text; relative paths in it start at the folder of `path`.
pub fn parse(text: &str, path: &Path) -> Result<Layer, Error> {
    let line = |at: usize| {
        text.get(..at)
            .map_or(1, |before| before.matches('\n').count() + 1)
    };
    let origin = |at: usize| Origin::File {
        path: path.into(),
        line: line(at),
    };
    let syntax = |e: toml::de::Error| Error::Syntax {
        path: path.into(),
        line: line(e.span().map_or(0, |s| s.start)),
        message: e.message().into(),
    };
    let base = path.parent().unwrap_or(Path::new(""));
    let mut layer = Layer::default();
    for (section, fields) in DeTable::parse(text).map_err(syntax)?.into_inner() {
        let (name, at) = (section.get_ref(), section.span().start);
        if let Some(table) = Table::find(name) {
            table.read(fields, &mut layer, &origin)?;
            continue;
        }
        let DeValue::Table(fields) = fields.into_inner() else {
            return Err(unknown(name, sections(), origin(at)));
        };
        let legal = || fields_of(name);
        if legal().is_empty() {
            return Err(unknown(name, sections(), origin(at)));
        }
        for (field, value) in fields {
            let key = format!("{name}.{}", field.get_ref());
            let origin = origin(field.span().start);
            let Some(opt) = Opt::find(&key) else {
                return Err(unknown(&key, legal(), origin));
            };
            layer.set(opt, own(value).map_err(syntax)?, Some(base), origin)?;
        }
    }
    Ok(layer)
}

fn own(value: Spanned<DeValue<'_>>) -> Result<Value, toml::de::Error> {
    serde::Deserialize::deserialize(toml::de::ValueDeserializer::from(value))
}

fn unknown(key: &str, legal: Vec<&str>, origin: Origin) -> Error {
    Error::Unknown {
        origin,
        key: key.into(),
        legal: legal.join(", "),
    }
}

/// The names of the sections.
fn sections() -> Vec<&'static str> {
    let mut names: Vec<_> = OPTIONS
        .iter()
        .filter_map(|o| o.key.split_once('.'))
        .map(|(s, _)| s)
        .collect();
    names.dedup();
    names.extend(TABLES.iter().map(|table| table.name));
    names
}

/// The names of a section's fields.
fn fields_of(section: &str) -> Vec<&'static str> {
    OPTIONS
        .iter()
        .filter_map(|o| o.key.split_once('.'))
        .filter(|(s, _)| *s == section)
        .map(|(_, f)| f)
        .collect()
}
