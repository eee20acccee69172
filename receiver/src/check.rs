//! What `check-config` looks at besides the configuration itself: every file that it names. Addresses are left alone, because the
//! receiver that runs has them.

use crate::clips;
use crate::cluster::Broker;
use crate::config::{Config, Role};
use crate::link::Link;
use crate::{Error, log, outputs, receiver, web};
use cis_inference::bundle::Bundle;

/// Reads what the receiver would read when it starts; the first thing that is wrong is the error.
pub fn files(config: &Config, role: Role) -> Result<(), Error> {
    log::filter(&config.log.filter)?;
    let bundle = match &config.model.folder {
        Some(folder) => Bundle::load(folder)?,
        None => Bundle::embedded()?,
    };
    receiver::params(&config.detect, bundle.classes())?;
    clips::wanted(&config.clips, bundle.classes())?;
    if role != Role::Worker {
        Link::check(&config.listen)?;
    }
    web::Files::read(&config.web)?;
    if role != Role::Gateway {
        outputs::check(config).map_err(Error::Output)?;
    }
    if role != Role::Receiver {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .map_err(Error::Thread)?;
        runtime.block_on(Broker::check(&config.cluster))?;
    }
    Ok(())
}
