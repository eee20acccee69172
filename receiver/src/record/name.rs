//! Names of recorded files: `STREAM-[clip-][late-]TIME[-N].cis`. What has another name is somebody else's and is left alone.

use crate::clock;
use cis_link::StreamName;
use jiff::Timestamp;
use std::ffi::OsStr;
use std::path::Path;

/// Most files of one kind and stream that begin in the same second.
pub const MAX_NUMBER: u32 = 999;
/// What the names end with.
const SUFFIX: &str = ".cis";

/// What a file's name says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// When the receiver began it; first, because names are sorted by it.
    pub begun: Timestamp,
    /// Which of those of the same second, from 1.
    pub number: u32,
    /// The stream.
    pub stream: StreamName,
    /// It shows an event, and is no part of the recording.
    pub clip: bool,
    /// What is in it came out of a camera's spool.
    pub late: bool,
}

impl Name {
    /// The first name of this second.
    pub fn now(stream: StreamName, clip: bool, late: bool) -> Self {
        Self {
            begun: clock::now(),
            number: 1,
            stream,
            clip,
            late,
        }
    }

    /// Reads the name of a file in the folder of `stream`.
    pub fn parse(stream: &StreamName, file: &str) -> Option<Self> {
        let rest = file
            .strip_prefix(stream.as_str())?
            .strip_prefix('-')?
            .strip_suffix(SUFFIX)?;
        let (clip, rest) = flag(rest, "clip-");
        let (late, rest) = flag(rest, "late-");
        let (stamp, number) = match rest.split_once('-') {
            Some((stamp, number)) => (stamp, number.parse().ok().filter(|&n| n > 1)?),
            None => (rest, 1),
        };
        let name = Self {
            begun: clock::parse(stamp)?,
            number,
            stream: stream.clone(),
            clip,
            late,
        };
        // Nothing but what is written here: no plus sign, no leading zero.
        (number <= MAX_NUMBER && name.to_string() == file).then_some(name)
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = |on: bool, word| if on { word } else { "" };
        let (clip, late) = (word(self.clip, "clip-"), word(self.late, "late-"));
        write!(f, "{}-{clip}{late}{}", self.stream, clock::stamp(self.begun))?;
        if self.number > 1 {
            write!(f, "-{}", self.number)?;
        }
        f.write_str(SUFFIX)
    }
}

/// The stream that a file is named by: that of its folder if it lies where the receiver put it, else what its own name begins with.
pub fn stream_of(path: &Path) -> String {
    let part = |part: Option<&OsStr>| part.and_then(OsStr::to_str).unwrap_or_default().to_owned();
    let (file, stem) = (part(path.file_name()), part(path.file_stem()));
    let folder = part(path.parent().and_then(Path::file_name));
    let is_named = |text: &&str| {
        let stream: Option<StreamName> = text.parse().ok();
        stream.is_some_and(|stream| Name::parse(&stream, &file).is_some())
    };
    let beginnings = stem.match_indices('-').filter_map(|(at, _)| stem.get(..at));
    let named = [folder.as_str()].into_iter().chain(beginnings).find(is_named);
    named.unwrap_or(&stem).to_owned()
}

fn flag<'a>(text: &'a str, word: &str) -> (bool, &'a str) {
    match text.strip_prefix(word) {
        Some(rest) => (true, rest),
        None => (false, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_are_nobodys() {
        let stream: StreamName = "gate-1".parse().unwrap();
        for text in [
            "gate-1-20261123T201732Z.cis",
            "gate-1-20261123T201732Z-2.cis",
            "gate-1-late-20261123T201732Z-17.cis",
            "gate-1-clip-20261123T201732Z.cis",
            "gate-1-clip-late-20261123T201732Z.cis",
        ] {
            let name = Name::parse(&stream, text).unwrap();
            assert_eq!(name.to_string(), text);
            assert_eq!(name.clip, text.contains("clip"));
            assert_eq!(name.late, text.contains("late"));
        }
        for text in [
            "gate-1.cis",
            "gate-2-20261123T201732Z.cis",
            "gate-1-20261123T201732Z-1.cis",
            "gate-1-20261123T201732Z-02.cis",
            "gate-1-20261123T201732Z-+2.cis",
            "gate-1-20261123T201732Z-1000.cis",
            "gate-1-20261323T201732Z.cis",
            "gate-1-20261123T201732Z.json",
            "gate-1-late-clip-20261123T201732Z.cis",
            "../gate-1-20261123T201732Z.cis",
            "",
        ] {
            assert_eq!(Name::parse(&stream, text), None, "{text}");
        }
    }

    #[test]
    fn files_are_named_by_their_streams() {
        for (path, stream) in [
            ("/r/gate-1/gate-1-20261123T201732Z.cis", "gate-1"),
            ("/r/a-late/a-late-20261123T201732Z.cis", "a-late"),
            ("a-late-20261123T201732Z.cis", "a"),
            ("/tmp/gate-1-clip-20261123T201732Z-2.cis", "gate-1"),
            ("/tmp/bikes.cis", "bikes"),
            ("/", ""),
        ] {
            assert_eq!(stream_of(Path::new(path)), stream, "{path}");
        }
    }

    #[test]
    fn names_sort_by_time() {
        let stream: StreamName = "gate-1".parse().unwrap();
        let name = |text: &str| Name::parse(&stream, text).unwrap();
        let first = name("gate-1-late-20261123T201732Z.cis");
        let second = name("gate-1-20261123T201732Z-2.cis");
        let third = name("gate-1-20261123T201733Z.cis");
        assert!(first < second && second < third);
    }
}
