//! What of a bundle gives latents their meaning: by it streams of one bundle are known to make sense to another one.

use super::manifest::{EnhanceGraph, Manifest};
use crate::picture::Layout;
use crate::{Error, Result};
use sha2::{Digest as _, Sha256};

/// Most entries of `decodes`.
const MAX_DECODES: usize = 64;

/// The digests of docs/bundle.md, "Identity".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Of the camera's network, the entropy coder's initial state and the geometry.
    pub front: String,
    /// The same of the enhancement layer, when there is one.
    pub enhance: Option<String>,
    /// That of the same layer without prediction along the motion, whose streams are understood as well.
    pub unmoved: Option<String>,
}

impl Identity {
    /// The identity of a bundle whose files are what its manifest says.
    pub fn of(m: &Manifest) -> Self {
        let sha256 = |name: &str| {
            let file = m.files.iter().find(|file| file.name == name);
            file.map_or("", |file| file.sha256.as_str())
        };
        let layout = match m.input.layout {
            Layout::Interleaved => "interleaved",
            Layout::Planar => "planar",
        };
        let (i, l, f) = (&m.input, &m.latents, &m.front);
        let front = digest(&[
            format!("front {}", sha256(&f.file)),
            format!("prior {}", sha256(&m.prior.file)),
            format!("x {} {} {} {layout} {}", i.squeeze, i.multiple, i.pad, f.input),
            format!("y {} {} {}", l.channels, l.stride, f.latents),
        ]);
        let lines = |e: &EnhanceGraph| {
            vec![
                format!("front {front}"),
                format!("enhance {}", sha256(&e.file)),
                format!("prior {}", sha256(&e.prior_file)),
                format!("x {} {}", e.input, e.received),
                format!("z {} {} {}", e.channels, e.stride, e.latents),
            ]
        };
        let unmoved = m.enhance.as_ref().map(|e| digest(&lines(e)));
        let enhance = m.enhance.as_ref().map(|e| {
            let transform = e.transform_file.as_ref();
            let transform = transform.map(|name| format!("transform {}", sha256(name)));
            digest(&[lines(e), transform.into_iter().collect()].concat())
        });
        Self {
            front,
            enhance,
            unmoved,
        }
    }

    /// Checks that every bundle that the manifest says to understand has the same front.
    pub fn check(&self, m: &Manifest) -> Result<()> {
        if m.decodes.len() > MAX_DECODES {
            let legal = format!("0..={MAX_DECODES}");
            return Err(Error::range("number of decodes", m.decodes.len(), legal));
        }
        for (at, other) in m.decodes.iter().enumerate() {
            let id = &other.id;
            if *id == m.id || m.decodes.iter().take(at).any(|before| before.id == *id) {
                let legal = format!("each bundle but {} once", m.id);
                return Err(Error::range("decodes.id", id, legal));
            }
            let same = |what: &str, found: &str, own: &str| match found == own {
                true => Ok(()),
                false => Err(Error::range(
                    format!("decodes {id}: {what}"),
                    found,
                    format!(
                        "{own}, which is that of {}: a stream of another means nothing here",
                        m.id
                    ),
                )),
            };
            same("front-id", &other.front_id, &self.front)?;
            if let Some(enhance) = &other.enhance_id
                && self.unmoved.as_ref() != Some(enhance)
            {
                same("enhance-id", enhance, self.enhance.as_deref().unwrap_or("none"))?;
            }
        }
        Ok(())
    }
}

/// SHA-256 of the lines, each with its line feed.
fn digest(lines: &[String]) -> String {
    let mut hash = Sha256::new();
    for line in lines {
        hash.update(line);
        hash.update("\n");
    }
    super::hex(&hash.finalize())
}
