//! The table of options as text: the reference in docs/receiver.md and receiver.example.toml. A test holds the files to it.

use super::options::{Kind, OPTIONS, Opt};
use super::places::TABLES;
use super::reload::RELOADABLE;
use std::fmt::Write;

/// What `cis-receiver keys` writes: set in the example, so that it is complete.
const EXAMPLE: &[(&str, &str)] = &[
    ("listen.certificate", "server.pem"),
    ("listen.key", "server.key"),
    ("listen.tokens", "tokens.toml"),
];

/// One Markdown table per section.
pub fn markdown() -> String {
    let mut text = String::new();
    each(|opt, first, section, name| {
        if first {
            let _ = write!(
                text,
                "\n### [{section}]\n\n| field | legal | default | changes by | what |\n|---|---|---|---|---|\n"
            );
        }
        let changes = match RELOADABLE.contains(&opt.key) {
            true => "SIGHUP",
            false => "restart",
        };
        let default = opt.default.map_or("unset".into(), |d| format!("`{d}`"));
        let _ = writeln!(
            text,
            "| `{name}` | {} | {default} | {changes} | {} |",
            opt.kind.to_string().replace('|', "\\|"),
            opt.help
        );
    });
    for table in TABLES {
        let _ = write!(
            text,
            "\n### [[{}]]\n\n{}\n\n| field | legal | what |\n|---|---|---|\n",
            table.name, table.help
        );
        for field in table.fields {
            let _ = writeln!(text, "| `{}` | {} | {} |", field.name, field.legal, field.help);
        }
    }
    text
}

/// A complete configuration file with every option, defaults as comments.
pub fn example() -> String {
    let mut text =
        "# Configuration of cis-receiver with every option; what is commented out is the default.\n\
                    # docs/receiver.md explains it. Relative paths start at this file's folder.\n"
            .to_owned();
    each(|opt, first, section, name| {
        if first {
            let _ = write!(text, "\n[{section}]\n");
        }
        let _ = writeln!(text, "# {} Legal: {}.", opt.help, opt.kind);
        let _ = match EXAMPLE.iter().find(|(key, _)| *key == opt.key) {
            Some((_, value)) => writeln!(text, "{name} = \"{value}\""),
            None => writeln!(
                text,
                "# {name} = {}",
                opt.default.map_or("(unset)".into(), |d| toml(opt, d))
            ),
        };
    });
    for table in TABLES {
        let _ = write!(
            text,
            "\n# {} Any number of them; in the file only.\n# [[{}]]\n",
            table.help, table.name
        );
        for field in table.fields {
            let _ = writeln!(
                text,
                "# {} Legal: {}.\n# {} = {}",
                field.help, field.legal, field.name, field.example
            );
        }
    }
    text
}

fn toml(opt: &Opt, value: &str) -> String {
    match opt.kind {
        Kind::Integer(..) | Kind::Number(..) | Kind::Switch => value.into(),
        Kind::List | Kind::Words(_) => format!("{:?}", value.split(',').collect::<Vec<_>>()),
        _ => format!("\"{value}\""),
    }
}

/// Calls `visit` with each option, whether it is its section's first, its section and its name.
fn each(mut visit: impl FnMut(&Opt, bool, &str, &str)) {
    let mut before = "";
    for opt in OPTIONS {
        let (section, name) = opt.key.split_once('.').unwrap_or(("", opt.key));
        visit(opt, section != before, section, name);
        before = section;
    }
}
