//! Batchers that parts of a process share by name. One lives as long as somebody uses it.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::{Batcher, Options};
use crate::bundle::Bundle;
use crate::detect::Detector;
use crate::runtime::{Runtime, SessionOptions};
use crate::{Error, Result};

/// What all users of one name must want.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    bundle: String,
    session: SessionOptions,
    batch: Options,
}

struct Instance {
    name: String,
    wanted: Wanted,
    batcher: Weak<Batcher>,
}

static INSTANCES: Mutex<Vec<Instance>> = Mutex::new(Vec::new());

/// The batcher of that name, started when nobody uses it yet.
///
/// # Errors
/// [`Error::Instance`] when it is in use with another bundle, device, number of threads or batch; what opening the network reports.
pub fn get(
    name: &str,
    runtime: &Runtime,
    bundle: &Bundle,
    session: &SessionOptions,
    batch: Options,
) -> Result<Arc<Batcher>> {
    let wanted = Wanted {
        bundle: bundle.id().to_owned(),
        session: session.clone(),
        batch,
    };
    let mut instances = INSTANCES.lock();
    instances.retain(|instance| instance.batcher.strong_count() > 0);
    let known = instances.iter().find(|instance| instance.name == name);
    if let Some((instance, batcher)) = known.and_then(|known| Some((known, known.batcher.upgrade()?))) {
        return match instance.wanted.difference(&wanted) {
            None => Ok(batcher),
            Some((what, found, wanted)) => Err(Error::Instance {
                name: name.to_owned(),
                what,
                found,
                wanted,
            }),
        };
    }
    // Under the lock: of two that come at once one opens the network, the other gets it.
    let detector = Detector::new(runtime, bundle, session)?;
    let batcher = Arc::new(Batcher::start(vec![detector], batch, "cis-detect")?);
    instances.retain(|instance| instance.name != name);
    instances.push(Instance {
        name: name.to_owned(),
        wanted,
        batcher: Arc::downgrade(&batcher),
    });
    Ok(batcher)
}

impl Wanted {
    /// The first thing in which `other` differs: its name, what it is here and there.
    fn difference(&self, other: &Self) -> Option<(&'static str, String, String)> {
        let ms = |batch: Options| format!("{} ms", batch.timeout.as_millis());
        let text = |wanted: &Self| {
            [
                ("bundle", wanted.bundle.clone()),
                ("device", wanted.session.device.to_string()),
                ("threads", wanted.session.threads.to_string()),
                ("spinning", wanted.session.spinning.to_string()),
                ("batch-size", wanted.batch.size.to_string()),
                ("batch-timeout", ms(wanted.batch)),
            ]
        };
        let pairs = text(self).into_iter().zip(text(other));
        let mut differing = pairs.filter(|((_, found), (_, wanted))| found != wanted);
        differing
            .next()
            .map(|((what, found), (_, wanted))| (what, found, wanted))
    }
}
