//! The option reference in docs/receiver.md and receiver.example.toml are what the table of options says. After a change
//! of the table: `CIS_WRITE_DOCS=1 cargo test -p cis-receiver --test docs`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use cis_receiver::config::{Config, options::OPTIONS, reference};
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- options:begin -->\n";
const END: &str = "<!-- options:end -->";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn holds(path: &Path, expected: &str) {
    if std::env::var_os("CIS_WRITE_DOCS").is_some() {
        std::fs::write(path, expected).unwrap();
    }
    assert!(
        std::fs::read_to_string(path).unwrap() == expected,
        "{} is out of date",
        path.display()
    );
}

#[test]
fn reference_is_current() {
    let path = file("../docs/receiver.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (_, tail) = rest.split_once(END).unwrap();
    holds(
        &path,
        &format!("{head}{BEGIN}{}\n{END}{tail}", reference::markdown()),
    );
}

#[test]
fn example_is_current_and_complete() {
    let path = file("receiver.example.toml");
    holds(&path, &reference::example());
    let text = std::fs::read_to_string(&path).unwrap();
    Config::from_toml(&text, &path).unwrap();
    // And with everything switched on that has a default.
    let all: String = text
        .lines()
        .map(|line| {
            line.strip_prefix("# ")
                .filter(|l| l.contains(" = ") || l.starts_with("[["))
                .unwrap_or(line)
        })
        .fold(String::new(), |all, line| {
            if line.ends_with("(unset)") {
                all
            } else {
                all + line + "\n"
            }
        });
    Config::from_toml(&all, &path).unwrap();
    for opt in OPTIONS {
        assert!(text.contains(opt.key.split_once('.').unwrap().1), "{}", opt.key);
    }
}
