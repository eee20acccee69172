//! One source of options (defaults, file, environment and flags) as values checked against the table, and the merge.

use super::options::{Kind, OPTIONS, Opt};
use super::{Error, Origin};
use std::collections::BTreeMap;
use std::path::Path;
use toml::Value;

/// The values of one source, or of several merged.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    values: BTreeMap<&'static str, Value>,
    /// Zones and lines, by the names of their tables; only a file has them.
    places: BTreeMap<&'static str, Vec<Value>>,
}

impl Layer {
    /// The defaults of the table.
    pub fn defaults() -> Result<Self, Error> {
        let mut layer = Self::default();
        for opt in OPTIONS {
            if let Some(text) = opt.default {
                layer.set_text(opt, text, Origin::Default)?;
            }
        }
        Ok(layer)
    }

    /// Checks a value that came as text (environment or flag) and takes it.
    pub fn set_text(&mut self, opt: &'static Opt, text: &str, origin: Origin) -> Result<(), Error> {
        let value = match opt.kind {
            Kind::Integer(..) => text.trim().parse().ok().map(Value::Integer),
            Kind::Number(..) => text.trim().parse().ok().map(Value::Float),
            Kind::Switch => text.trim().parse().ok().map(Value::Boolean),
            Kind::List | Kind::Words(_) => Some(Value::Array(
                text.split(',')
                    .map(str::trim)
                    .filter(|s| !s.is_empty())
                    .map(Value::from)
                    .collect(),
            )),
            Kind::Text | Kind::Path(_) | Kind::Address | Kind::Url(_) | Kind::Device | Kind::Choice(_) => {
                Some(Value::from(text))
            }
        };
        match value {
            Some(value) => self.set(opt, value, None, origin),
            None => Err(Error::value(opt, text, origin)),
        }
    }

    /// Checks a typed value (file) and takes it; `base` is where its relative paths start.
    pub fn set(
        &mut self,
        opt: &'static Opt,
        value: Value,
        base: Option<&Path>,
        origin: Origin,
    ) -> Result<(), Error> {
        let legal = match (&opt.kind, &value) {
            (Kind::Text | Kind::Path(_), Value::String(s)) => !s.is_empty(),
            (Kind::Address, Value::String(s)) => s.parse::<std::net::SocketAddr>().is_ok(),
            (Kind::Integer(low, high), Value::Integer(n)) => (low..=high).contains(&n),
            (Kind::Number(low, high), Value::Float(n)) => (low..=high).contains(&n),
            (Kind::Number(low, high), Value::Integer(n)) => (*low..=*high).contains(&(*n as f64)),
            (Kind::Switch, Value::Boolean(_)) => true,
            (Kind::List, Value::Array(items)) => {
                items.iter().all(|v| v.as_str().is_some_and(|s| !s.is_empty()))
            }
            (Kind::Words(words), Value::Array(items)) => items
                .iter()
                .all(|item| item.as_str().is_some_and(|item| words.contains(&item))),
            (Kind::Url(schemes), Value::String(s)) => url(s, schemes),
            (Kind::Device, Value::String(s)) => s.parse::<cis_inference::runtime::Device>().is_ok(),
            (Kind::Choice(words), Value::String(s)) => words.contains(&s.as_str()),
            _ => false,
        };
        if !legal {
            return Err(Error::value(opt, &plain(&value), origin));
        }
        let value = match (opt.kind, value, base) {
            (Kind::Path(words), Value::String(s), Some(base)) if !words.contains(&s.as_str()) => {
                Value::String(base.join(s).to_string_lossy().into_owned())
            }
            (_, value, _) => value,
        };
        self.values.insert(opt.key, value);
        Ok(())
    }

    /// Takes a zone or line that was checked.
    pub fn add_place(&mut self, table: &'static str, place: toml::Table) {
        self.places.entry(table).or_default().push(Value::Table(place));
    }

    /// This layer with everything that `over` says put over it.
    pub fn under(mut self, over: Layer) -> Self {
        self.values.extend(over.values);
        self.places.extend(over.places);
        self
    }

    /// The values as the tables of a configuration file.
    pub fn to_toml(&self) -> toml::Table {
        let mut root = toml::Table::new();
        for (key, value) in &self.values {
            let (section, name) = key.split_once('.').unwrap_or(("", key));
            if let Value::Table(t) = root
                .entry(section)
                .or_insert_with(|| Value::Table(toml::Table::new()))
            {
                t.insert(name.into(), value.clone());
            }
        }
        let places = self.places.iter();
        root.extend(places.map(|(table, places)| ((*table).to_owned(), Value::Array(places.clone()))));
        root
    }
}

/// Whether it is the address of a server, and nothing that should be a secret.
fn url(text: &str, schemes: &[&str]) -> bool {
    reqwest::Url::parse(text).is_ok_and(|url| {
        let secret = !url.username().is_empty() || url.password().is_some();
        schemes.contains(&url.scheme()) && url.host_str().is_some_and(|host| !host.is_empty()) && !secret
    })
}

/// The value as a person typed it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}
