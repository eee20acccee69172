//! The `model`, `device` and `threads` properties, and the bundles that all elements of a process share.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use cis_codec::{BundleId, Prior, Transform};
use cis_inference::Error;
use cis_inference::bundle::Bundle;
use cis_inference::runtime::{Device, Runtime, SessionOptions};
use gst::glib;
use gst::prelude::*;
use parking_lot::Mutex;

const DEFAULT_DEVICE: &str = "cpu";
const DEFAULT_THREADS: u32 = 1;

/// What an element was asked for.
#[derive(Clone, Debug)]
pub struct ModelSettings {
    /// Folder of the bundle; `None` is the one that is compiled in.
    pub model: Option<String>,
    /// `cpu`, `cuda` or `cuda:N`.
    pub device: String,
    /// Threads of one run of a network.
    pub threads: u32,
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self {
            model: None,
            device: DEFAULT_DEVICE.to_owned(),
            threads: DEFAULT_THREADS,
        }
    }
}

/// A bundle ready for use by elements: its id and prior parsed once for all of them.
#[derive(Debug)]
pub struct Model {
    /// The networks and their description.
    pub bundle: Bundle,
    /// Its id, as the codec knows it.
    pub id: BundleId,
    /// Its initial state of the entropy coder.
    pub prior: Arc<Prior>,
    /// That of the enhancement layer; a cold start when there is none.
    pub enhance_prior: Arc<Prior>,
    /// The transform of the enhancement layer, when it is predicted along the motion.
    pub transform: Option<Arc<Transform>>,
    /// Other bundles whose features it understands.
    pub decodes: Arc<[BundleId]>,
    /// Those whose enhancement layer it understands, too.
    pub enhances: Arc<[BundleId]>,
}

/// What an element needs to open networks.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The bundle.
    pub model: Arc<Model>,
    /// ONNX Runtime.
    pub runtime: Runtime,
    /// Where and how networks run.
    pub options: SessionOptions,
}

impl ModelSettings {
    /// The properties, for the element's own list.
    pub fn properties() -> Vec<glib::ParamSpec> {
        vec![
            glib::ParamSpecString::builder("model")
                .nick("Model")
                .blurb("Folder of the model bundle; unset: the one that is compiled in")
                .mutable_ready()
                .build(),
            glib::ParamSpecString::builder("device")
                .nick("Device")
                .blurb("Where the networks run: cpu, cuda or cuda:N")
                .default_value(Some(DEFAULT_DEVICE))
                .mutable_ready()
                .build(),
            glib::ParamSpecUInt::builder("threads")
                .nick("Threads")
                .blurb("Threads of one run of a network")
                .minimum(1)
                .maximum(u32::from(SessionOptions::MAX_THREADS))
                .default_value(DEFAULT_THREADS)
                .mutable_ready()
                .build(),
        ]
    }

    /// Sets one of the properties; `false` when it is none of these.
    pub fn set(&mut self, name: &str, value: &glib::Value) -> bool {
        match name {
            "model" => {
                let folder = value.get::<Option<String>>().unwrap_or_default();
                self.model = folder.filter(|folder| !folder.is_empty());
            }
            "device" => {
                let device = value.get::<Option<String>>().unwrap_or_default();
                self.device = device.unwrap_or_else(|| DEFAULT_DEVICE.to_owned());
            }
            "threads" => self.threads = value.get().unwrap_or(DEFAULT_THREADS),
            _ => return false,
        }
        true
    }

    /// The value of one of the properties; `None` when it is none of these.
    pub fn get(&self, name: &str) -> Option<glib::Value> {
        match name {
            "model" => Some(self.model.to_value()),
            "device" => Some(self.device.to_value()),
            "threads" => Some(self.threads.to_value()),
            _ => None,
        }
    }

    /// Loads what the settings name. Bundles that another element of this process uses are shared.
    pub fn open(&self) -> Result<Opened, gst::ErrorMessage> {
        let device: Device = self.device.parse().map_err(|error| message(&error))?;
        let threads = u16::try_from(self.threads).unwrap_or(SessionOptions::MAX_THREADS);
        let model = shared(self.model.as_deref().map(Path::new))?;
        let runtime = Runtime::load().map_err(|error| message(&error))?;
        Ok(Opened {
            model,
            runtime,
            options: SessionOptions {
                device,
                threads,
                spinning: false,
            },
        })
    }
}

/// The bundle in `folder`, or the one that is compiled in.
fn shared(folder: Option<&Path>) -> Result<Arc<Model>, gst::ErrorMessage> {
    static MODELS: Mutex<Vec<(Option<PathBuf>, Weak<Model>)>> = Mutex::new(Vec::new());
    let folder = folder.map(|folder| std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()));
    let mut models = MODELS.lock();
    models.retain(|(_, model)| model.strong_count() > 0);
    let known = models
        .iter()
        .find(|(known, _)| *known == folder)
        .and_then(|(_, model)| model.upgrade());
    if let Some(model) = known {
        return Ok(model);
    }
    let bundle = match &folder {
        Some(folder) => Bundle::load(folder),
        None => Bundle::embedded(),
    };
    let bundle = bundle.map_err(|error| message(&error))?;
    let fault = |what: &str, error: &dyn std::error::Error| {
        gst::error_msg!(
            gst::ResourceError::Read,
            ("{} of bundle {}: {error}", what, bundle.origin())
        )
    };
    let id = bundle.id().parse().map_err(|error| fault("id", &error))?;
    let prior = |what, bytes: &[u8]| {
        Prior::from_bytes(bytes)
            .map(Arc::new)
            .map_err(|error| fault(what, &error))
    };
    let enhance_prior = prior("enhancement's prior", &bundle.enhance_prior().unwrap_or_default())?;
    let prior = prior("prior", &bundle.prior())?;
    let transform = bundle.enhance_transform().map(|bytes| {
        Transform::from_bytes(&bytes)
            .map(Arc::new)
            .map_err(|error| fault("transform", &error))
    });
    let transform = transform.transpose()?;
    let ids = |ids: Vec<&str>| {
        let ids: Result<Arc<[BundleId]>, _> = ids.into_iter().map(str::parse).collect();
        ids.map_err(|error| fault("decodes", &error))
    };
    let decodes = ids(bundle.decodes().collect())?;
    let enhances = ids(bundle.enhances().collect())?;
    let model = Arc::new(Model {
        bundle,
        id,
        prior,
        enhance_prior,
        transform,
        decodes,
        enhances,
    });
    models.push((folder, Arc::downgrade(&model)));
    Ok(model)
}

/// An error of the networks' side as an element message, in the domain that applications look for.
pub fn message(error: &Error) -> gst::ErrorMessage {
    use gst::{LibraryError, ResourceError, StreamError};
    match error {
        Error::RuntimeNotFound { .. } => gst::error_msg!(ResourceError::NotFound, ("{error}")),
        Error::RuntimeStart { .. } => gst::error_msg!(LibraryError::Init, ("{error}")),
        Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            gst::error_msg!(ResourceError::NotFound, ("{error}"))
        }
        Error::Io { .. } | Error::Manifest { .. } | Error::BundleFile { .. } | Error::Tensor { .. } => {
            gst::error_msg!(ResourceError::Read, ("{error}"))
        }
        Error::Device { .. } | Error::OutOfRange { .. } | Error::Instance { .. } => {
            gst::error_msg!(ResourceError::Settings, ("{error}"))
        }
        _ => gst::error_msg!(StreamError::Failed, ("{error}")),
    }
}
