//! The properties `cert-file` and `key-file` of both ends.

use cis_link::{Error, Identity};
use std::path::PathBuf;

/// A certificate and its key, which make sense together only.
pub fn identity(certificate: &Option<PathBuf>, key: &Option<PathBuf>) -> Result<Option<Identity>, Error> {
    let missing = |name: &'static str| Error::Setting {
        name,
        value: "unset".into(),
        range: "given together with its counterpart: cert-file and key-file belong together",
    };
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(Identity {
            certificate: certificate.clone(),
            key: key.clone(),
        })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(missing("key-file")),
        (None, Some(_)) => Err(missing("cert-file")),
    }
}
