//! Which streams make sense here: those of the receiver's bundle, and those of bundles with the same front.

use cis_codec::{BundleId, Decoder, InvalidBundleId, Limits, Prior};
use cis_inference::bundle::Bundle;
use std::sync::Arc;

/// The bundles whose streams the receiver's bundle understands.
pub struct Bundles {
    own: BundleId,
    decodes: Arc<[BundleId]>,
    enhances: Vec<BundleId>,
}

impl Bundles {
    /// Those of the receiver's bundle.
    pub fn of(bundle: &Bundle) -> Result<Self, InvalidBundleId> {
        let own: BundleId = bundle.id().parse()?;
        let enhances = bundle.enhances().chain([bundle.id()]).map(str::parse);
        Ok(Self {
            enhances: enhances.collect::<Result<_, _>>()?,
            decodes: bundle.decodes().map(str::parse).collect::<Result<_, _>>()?,
            own,
        })
    }

    /// A decoder of their streams.
    pub fn decoder(&self, prior: Arc<Prior>, limits: Limits) -> Decoder {
        Decoder::new(self.own.clone(), prior, limits).accepting(self.decodes.clone())
    }

    /// All of them, the receiver's first.
    pub fn names(&self) -> Vec<String> {
        let all = [&self.own].into_iter().chain(self.decodes.iter());
        all.map(ToString::to_string).collect()
    }

    /// Whether the enhancement layer of a camera with that bundle is of any use here.
    pub fn enhances(&self, camera: &str) -> bool {
        self.enhances.iter().any(|id| id.as_str() == camera)
    }
}
