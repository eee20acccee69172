//! Zones and lines: tables of which a file may have any number.

use super::layer::Layer;
use super::{Error, Origin};
use cis_link::StreamName;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Value};

/// One kind of table.
pub struct Table {
    /// `[[name]]`.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub help: &'static str,
    /// Its fields, all of which are needed.
    pub fields: &'static [Field],
}

/// One field of such a table.
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub legal: &'static str,
    /// What it does, in one sentence.
    pub help: &'static str,
    /// A value, as in a file.
    pub example: &'static str,
}

const NAME: &str = "1 to 64 ASCII letters, digits, `.`, `_`, `-`; the first a letter or digit";

const STREAM: Field = Field {
    name: "stream",
    legal: NAME,
    help: "Name of the stream.",
    example: "\"gate-1\"",
};

/// Every kind of table.
pub const TABLES: &[Table] = &[
    Table {
        name: "zone",
        help: "An area of a stream's picture; objects that stand in it are counted, and tell when they enter and leave it.",
        fields: &[
            STREAM,
            Field {
                name: "name",
                legal: NAME,
                help: "Name of the zone, once per stream.",
                example: "\"door\"",
            },
            Field {
                name: "polygon",
                legal: "3 to 64 points `[x, y]`, each 0.0..=1.0, whose edges do not cross",
                help: "Its corners in order, in shares of the picture's width and height.",
                example: "[[0.1, 0.5], [0.4, 0.5], [0.4, 1.0], [0.1, 1.0]]",
            },
        ],
    },
    Table {
        name: "line",
        help: "A line in a stream's picture; objects that cross it are counted by direction.",
        fields: &[
            STREAM,
            Field {
                name: "name",
                legal: NAME,
                help: "Name of the line, once per stream.",
                example: "\"entrance\"",
            },
            Field {
                name: "points",
                legal: "2 different points `[x, y]`, each 0.0..=1.0",
                help: "Its ends; left and right are those of somebody at the first who looks at the second.",
                example: "[[0.0, 0.6], [1.0, 0.6]]",
            },
        ],
    },
];

/// `[[zone]]`
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs)] // the table above documents every field
pub struct Zone {
    pub stream: String,
    pub name: String,
    pub polygon: Vec<[f32; 2]>,
}

/// `[[line]]`
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs)]
pub struct Line {
    pub stream: String,
    pub name: String,
    pub points: [[f32; 2]; 2],
}

/// Zones and lines by stream.
pub fn plans(
    zones: &[Zone],
    lines: &[Line],
) -> Result<HashMap<String, Arc<cis_analytics::Plan>>, cis_analytics::PlanError> {
    let mut plans: HashMap<String, cis_analytics::Plan> = HashMap::new();
    for Zone {
        stream,
        name,
        polygon,
    } in zones
    {
        let zone = cis_analytics::Zone::new(name, polygon)?;
        plans.entry(stream.clone()).or_default().zones.push(zone);
    }
    for Line { stream, name, points } in lines {
        let line = cis_analytics::Line::new(name, *points)?;
        plans.entry(stream.clone()).or_default().lines.push(line);
    }
    Ok(plans
        .into_iter()
        .map(|(stream, plan)| (stream, Arc::new(plan)))
        .collect())
}

impl Table {
    /// The kind of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        TABLES.iter().find(|table| table.name == name)
    }

    /// Reads the tables of this kind, each checked, into `layer`.
    pub fn read(
        &'static self,
        value: Spanned<DeValue<'_>>,
        layer: &mut Layer,
        origin: &dyn Fn(usize) -> Origin,
    ) -> Result<(), Error> {
        let at = value.span().start;
        let wrong = || Error::Unknown {
            origin: origin(at),
            key: self.name.into(),
            legal: format!("[[{0}]], with two brackets: there may be several", self.name),
        };
        let DeValue::Array(tables) = value.into_inner() else {
            return Err(wrong());
        };
        let mut names = Vec::new();
        for table in tables {
            let at = table.span().start;
            let DeValue::Table(fields) = table.into_inner() else {
                return Err(wrong());
            };
            let place = self.fields(fields, at, origin)?;
            let text = |field: &str| place[field].as_str().unwrap_or_default().to_owned();
            let name = (text("stream"), text("name"));
            if names.contains(&name) {
                return Err(self.error(
                    "name",
                    origin(at),
                    format!("`{}` is there twice for stream `{}`; legal: once", name.1, name.0),
                ));
            }
            names.push(name);
            layer.add_place(self.name, place);
        }
        Ok(())
    }

    fn fields(
        &self,
        fields: DeTable<'_>,
        at: usize,
        origin: &dyn Fn(usize) -> Origin,
    ) -> Result<toml::Table, Error> {
        let mut place = toml::Table::new();
        for (name, value) in fields {
            let (name, at) = (name.get_ref().to_string(), name.span().start);
            let Some(field) = self.fields.iter().find(|field| field.name == name) else {
                return Err(Error::Unknown {
                    origin: origin(at),
                    key: format!("{}.{name}", self.name),
                    legal: self.names().join(", "),
                });
            };
            let value: Value = Deserialize::deserialize(toml::de::ValueDeserializer::from(value))
                .map_err(|e: toml::de::Error| self.error(field.name, origin(at), e.message().into()))?;
            self.check(field, &value)
                .map_err(|reason| self.error(field.name, origin(at), reason))?;
            place.insert(name, value);
        }
        match self.names().into_iter().find(|name| !place.contains_key(*name)) {
            Some(missing) => Err(self.error(missing, origin(at), "it is missing".into())),
            None => Ok(place),
        }
    }

    fn check(&self, field: &Field, value: &Value) -> Result<(), String> {
        let illegal = || {
            format!(
                "it is `{}`; legal: {}",
                value.to_string().trim_matches('"'),
                field.legal
            )
        };
        match field.name {
            "polygon" => {
                let points: Vec<[f32; 2]> = value.clone().try_into().map_err(|_| illegal())?;
                cis_analytics::Zone::new("", &points)
                    .map(drop)
                    .map_err(|e| e.to_string())
            }
            "points" => {
                let points: [[f32; 2]; 2] = value.clone().try_into().map_err(|_| illegal())?;
                cis_analytics::Line::new("", points)
                    .map(drop)
                    .map_err(|e| e.to_string())
            }
            _ => match value.as_str().map(str::parse::<StreamName>) {
                Some(Ok(_)) => Ok(()),
                _ => Err(illegal()),
            },
        }
    }

    fn names(&self) -> Vec<&'static str> {
        self.fields.iter().map(|field| field.name).collect()
    }

    fn error(&self, field: &str, origin: Origin, reason: String) -> Error {
        Error::Place {
            origin,
            key: format!("{}.{field}", self.name),
            reason,
        }
    }
}
