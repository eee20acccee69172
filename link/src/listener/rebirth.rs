//! Owns what a listener has in common with the one that ran before it: the keys by which it tells the cameras of that one
//! that their connections are gone (stateless reset, RFC 9000, section 10.3). They need not find out by themselves.

use std::sync::Arc;

use quinn::EndpointConfig;
use quinn_proto::HashedConnectionIdGenerator;
use sha2::{Digest, Sha256};

use super::config::Config;
use crate::Error;

/// A private key is smaller.
const MAX_KEY_FILE: u64 = 64 << 10;

/// The endpoint's settings: the same for the same private key; of an occasional identity nobody has heard before.
pub fn endpoint(config: &Config) -> Result<EndpointConfig, Error> {
    let Some(identity) = &config.tls.identity else {
        return Ok(EndpointConfig::default());
    };
    let secret = crate::files::read_text(&identity.key, MAX_KEY_FILE)?;
    let derive = |purpose: &str| Sha256::new_with_prefix(purpose).chain_update(&secret).finalize();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &derive("cis stateless reset"));
    let mut endpoint = EndpointConfig::new(Arc::new(key));
    let ids = derive("cis connection ids");
    let ids = ids
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte));
    endpoint.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)));
    Ok(endpoint)
}
