//! Owns the names on the broker: subjects and streams. A dot in a camera's name is a slash there, because a dot parts the tokens of a
//! subject and a slash is in no camera's name.

use cis_link::StreamName;
use std::fmt;

/// The two ways of a camera: what is live, and what comes out of its spool beside it. Each is in order by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// As it happens.
    Live,
    /// Late.
    Late,
}

impl Lane {
    /// The lane of what is late, or not.
    pub fn of(late: bool) -> Self {
        if late { Self::Late } else { Self::Live }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Late => "late",
        })
    }
}

/// All names of one cluster.
#[derive(Clone, Debug)]
pub struct Subjects {
    prefix: String,
}

impl Subjects {
    /// Those that begin with `prefix`.
    pub fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.into(),
        }
    }

    /// Where the units of a camera go.
    pub fn units(&self, camera: &StreamName, lane: Lane) -> String {
        format!("{}.units.{}.{lane}", self.prefix, token(camera))
    }

    /// The units of all cameras.
    pub fn all_units(&self) -> String {
        format!("{}.units.*.*", self.prefix)
    }

    /// The camera whose units a subject has.
    pub fn camera_of_units(&self, subject: &str) -> Option<StreamName> {
        let rest = subject.strip_prefix(&self.prefix)?.strip_prefix(".units.")?;
        let (camera, lane) = rest.split_once('.')?;
        matches!(lane, "live" | "late").then(|| camera_of(camera))?
    }

    /// Where the results of a camera go.
    pub fn results(&self, camera: &StreamName) -> String {
        format!("{}.results.{}", self.prefix, token(camera))
    }

    /// The results of all cameras.
    pub fn all_results(&self) -> String {
        format!("{}.results.*", self.prefix)
    }

    /// Where the gateway of a camera hears what is wanted of it.
    pub fn control(&self, camera: &StreamName) -> String {
        format!("{}.control.{}", self.prefix, token(camera))
    }

    /// Where a gateway says that a camera has connected.
    pub fn camera(&self, camera: &StreamName) -> String {
        format!("{}.cameras.{}", self.prefix, token(camera))
    }

    /// All of that.
    pub fn all_cameras(&self) -> String {
        format!("{}.cameras.*", self.prefix)
    }

    /// The camera, or the worker, that the last token of a subject names.
    pub fn last(subject: &str) -> &str {
        subject.rsplit('.').next().unwrap_or(subject)
    }

    /// The camera that a gateway announced.
    pub fn announced(subject: &str) -> Option<StreamName> {
        camera_of(Self::last(subject))
    }

    /// Where a worker says that it is there.
    pub fn worker(&self, worker: &str) -> String {
        format!("{}.workers.{worker}", self.prefix)
    }

    /// All of that.
    pub fn all_workers(&self) -> String {
        format!("{}.workers.*", self.prefix)
    }

    /// The JetStream stream of units.
    pub fn units_stream(&self) -> String {
        format!("{}_UNITS", self.prefix.to_uppercase())
    }

    /// The JetStream stream of results.
    pub fn results_stream(&self) -> String {
        format!("{}_RESULTS", self.prefix.to_uppercase())
    }
}

fn token(camera: &StreamName) -> String {
    camera.as_str().replace('.', "/")
}

fn camera_of(token: &str) -> Option<StreamName> {
    token.replace('/', ".").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_camera_comes_back_and_is_one_token() {
        let subjects = Subjects::new("cis");
        for name in ["gate-1", "Site.North.gate_1", "a.", "a..b"] {
            let camera: StreamName = name.parse().unwrap();
            for lane in [Lane::Live, Lane::Late] {
                let subject = subjects.units(&camera, lane);
                assert_eq!(subject.split('.').count(), 4, "{subject}");
                assert_eq!(subjects.camera_of_units(&subject), Some(camera.clone()));
            }
            let subject = subjects.camera(&camera);
            assert_eq!(Subjects::announced(&subject), Some(camera));
        }
    }

    #[test]
    fn foreign_subjects_are_no_cameras() {
        let subjects = Subjects::new("cis");
        for subject in [
            "",
            "cis.units",
            "cis.units.gate-1",
            "cis.units.gate-1.other",
            "cis.units.-.live",
            "cis.units.a.live.b",
            "other.units.gate-1.live",
        ] {
            assert_eq!(subjects.camera_of_units(subject), None, "{subject}");
        }
    }
}
