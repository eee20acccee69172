//! What an option is: its name in every place, what it may be, its default.

/// What an option may be. Ranges include both ends.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// Any text.
    Text,
    /// A file or folder; in a file it is relative to that file, elsewhere to the working folder. The words need no file.
    Path(&'static [&'static str]),
    /// `ADDRESS:PORT`.
    Address,
    /// A whole number.
    Integer(i64, i64),
    /// A number.
    Number(f64, f64),
    /// `true` or `false`.
    Switch,
    /// A list of texts; on the command line and in the environment with commas between them.
    List,
    /// A list of these words.
    Words(&'static [&'static str]),
    /// `SCHEME://HOST[:PORT]` with one of these schemes.
    Url(&'static [&'static str]),
    /// Where networks run.
    Device,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// `section.name`, as in the file.
    pub key: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// The value when nobody says otherwise, written as in the environment; `None`: unset.
    pub default: Option<&'static str>,
    /// What it does, in one sentence.
    pub help: &'static str,
}

impl Opt {
    /// The flag, without its dashes: `listen.client-ca` is `--listen-client-ca`.
    pub fn flag(&self) -> String {
        match self.key {
            // Short, because people must read what they type here.
            "listen.insecure" => "insecure".into(),
            key => key.replace('.', "-"),
        }
    }

    /// The environment variable.
    pub fn env(&self) -> String {
        format!(
            "CIS_RECEIVER_{}",
            self.key.replace(['.', '-'], "_").to_uppercase()
        )
    }

    /// The option of that key.
    pub fn find(key: &str) -> Option<&'static Opt> {
        super::options::OPTIONS.iter().find(|o| o.key == key)
    }
}
