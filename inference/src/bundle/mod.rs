//! Model bundles: a manifest and the files that it lists, all read and verified before anything uses them.

mod embedded;
mod identity;
mod manifest;
mod validate;

use std::collections::HashMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

pub use identity::Identity;
pub use manifest::{
    Classes, Decodes, DetectGraph, EnhanceGraph, File, FrontGraph, Input, Latents, Manifest, Prior,
    RestoreGraph, State,
};
pub use validate::MAX_FILE;

use crate::{Error, Result};

/// The one file of a bundle whose name is fixed.
pub const MANIFEST: &str = "manifest.toml";
/// Longest manifest, bytes.
pub const MAX_MANIFEST: u64 = 1 << 20;

/// A verified bundle. Clones share the data.
#[derive(Clone)]
pub struct Bundle(Arc<Inner>);

struct Inner {
    origin: String,
    manifest: Manifest,
    identity: Identity,
    files: HashMap<String, Bytes>,
    classes: Arc<[Arc<str>]>,
}

impl Bundle {
    /// The bundle that is compiled in. Verified on the first call, shared afterwards.
    ///
    /// # Errors
    /// As [`Bundle::load`]; a test of this crate makes sure that a build cannot carry a bad one.
    pub fn embedded() -> Result<Self> {
        static SHARED: Mutex<Option<Bundle>> = Mutex::new(None);
        let mut shared = SHARED.lock();
        if let Some(bundle) = &*shared {
            return Ok(bundle.clone());
        }
        let bundle = Self::read("embedded bundle", |name| {
            let found = embedded::FILES.iter().find(|(file, _)| *file == name);
            found
                .map(|(_, data)| Bytes::from_static(data))
                .ok_or_else(|| "missing".to_owned())
        })?;
        *shared = Some(bundle.clone());
        Ok(bundle)
    }

    /// Reads and verifies the bundle in `folder`.
    ///
    /// # Errors
    /// Names the file or field, the value found and the legal range; see docs/bundle.md for what is refused.
    pub fn load(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            let reason = if folder.exists() {
                "not a folder"
            } else {
                "no such folder"
            };
            let source = std::io::Error::new(std::io::ErrorKind::NotFound, reason);
            return Err(Error::Io {
                path: folder.to_owned(),
                source,
            });
        }
        Self::read(&folder.display().to_string(), |name| {
            let limit = if name == MANIFEST { MAX_MANIFEST } else { MAX_FILE };
            read_limited(&folder.join(name), limit)
        })
    }

    fn read(origin: &str, fetch: impl Fn(&str) -> Result<Bytes, String>) -> Result<Self> {
        let fault = |name: &str, reason: String| Error::BundleFile {
            origin: origin.to_owned(),
            name: name.to_owned(),
            reason,
        };
        let text = fetch(MANIFEST).map_err(|reason| fault(MANIFEST, reason))?;
        let text = std::str::from_utf8(&text).map_err(|e| fault(MANIFEST, format!("not UTF-8: {e}")))?;
        let manifest: Manifest = toml::from_str(text).map_err(|e| Error::Manifest {
            origin: origin.to_owned(),
            reason: e.to_string(),
        })?;
        validate::validate(&manifest)?;
        let identity = Identity::of(&manifest);
        identity.check(&manifest)?;
        let mut files = HashMap::with_capacity(manifest.files.len());
        for file in &manifest.files {
            let data = fetch(&file.name).map_err(|reason| fault(&file.name, reason))?;
            verify(file, &data).map_err(|reason| fault(&file.name, reason))?;
            files.insert(file.name.clone(), data);
        }
        let classes = manifest
            .classes
            .names
            .iter()
            .map(|name| Arc::from(name.as_str()))
            .collect();
        Ok(Self(Arc::new(Inner {
            origin: origin.to_owned(),
            manifest,
            identity,
            files,
            classes,
        })))
    }

    /// Name: the same on camera and receiver, or one that the receiver's bundle says to understand.
    pub fn id(&self) -> &str {
        &self.0.manifest.id
    }

    /// The description.
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// What its latents mean.
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// Ids of other bundles whose features this one understands.
    pub fn decodes(&self) -> impl Iterator<Item = &str> {
        self.0.manifest.decodes.iter().map(|other| other.id.as_str())
    }

    /// Those whose enhancement layer it understands, too.
    pub fn enhances(&self) -> impl Iterator<Item = &str> {
        let decodes = self.0.manifest.decodes.iter();
        let same = decodes.filter(|other| other.enhance_id.is_some());
        same.map(|other| other.id.as_str())
    }

    /// Where it came from: its folder, or `embedded bundle`.
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// The content of a file that the manifest lists.
    pub fn file(&self, name: &str) -> Option<Bytes> {
        self.0.files.get(name).cloned()
    }

    /// The entropy coder's initial state; may be empty (cold start).
    pub fn prior(&self) -> Bytes {
        self.file(&self.0.manifest.prior.file).unwrap_or_default()
    }

    /// That of the enhancement layer, when there is one.
    pub fn enhance_prior(&self) -> Option<Bytes> {
        let graph = self.0.manifest.enhance.as_ref()?;
        Some(self.file(&graph.prior_file).unwrap_or_default())
    }

    /// The transform between a block of the picture and latents of the enhancement layer, when it is predicted along the motion.
    pub fn enhance_transform(&self) -> Option<Bytes> {
        let name = self.0.manifest.enhance.as_ref()?.transform_file.as_ref()?;
        Some(self.file(name).unwrap_or_default())
    }

    /// Class names, in the order of the class ids.
    pub fn classes(&self) -> &Arc<[Arc<str>]> {
        &self.0.classes
    }

    /// The content of a network's file. Validation made sure that it is there.
    pub(crate) fn network(&self, name: &str) -> Result<Bytes> {
        self.file(name).ok_or_else(|| Error::BundleFile {
            origin: self.0.origin.clone(),
            name: name.to_owned(),
            reason: "missing".to_owned(),
        })
    }
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bundle")
            .field("id", &self.id())
            .field("origin", &self.origin())
            .finish()
    }
}

/// Reads a regular file of at most `limit` bytes.
fn read_limited(path: &Path, limit: u64) -> Result<Bytes, String> {
    let about = fs::metadata(path).map_err(|e| e.to_string())?;
    // A pipe or a device could block for ever.
    if !about.is_file() {
        return Err("not a regular file".to_owned());
    }
    if about.len() > limit {
        return Err(format!("{} bytes long: legal is 0..={limit}", about.len()));
    }
    let mut data = Vec::with_capacity(usize::try_from(about.len()).unwrap_or(0));
    // It may have grown since: one byte more than the limit shows.
    fs::File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut data))
        .map_err(|e| e.to_string())?;
    if data.len() as u64 > limit {
        return Err(format!("longer than {limit} bytes"));
    }
    Ok(data.into())
}

fn verify(file: &File, data: &[u8]) -> Result<(), String> {
    if data.len() as u64 != file.bytes {
        return Err(format!(
            "{} bytes long, the manifest says {}",
            data.len(),
            file.bytes
        ));
    }
    let found = hex(&Sha256::digest(data));
    if found != file.sha256 {
        return Err(format!("sha256 is {found}, the manifest says {}", file.sha256));
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
