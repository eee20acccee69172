//! Owns the making of certificates.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

use crate::{Error, StreamName};

const CA_YEARS: i64 = 20;
const LEAF_YEARS: i64 = 5;

/// A certificate and its key, both PEM.
pub struct Made {
    pub certificate: String,
    pub key: String,
}

/// A CA that signs certificates of listeners and cameras.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    made: Made,
}

impl Authority {
    /// A new one.
    pub fn new() -> Result<Self, Error> {
        // A name of its own, so that a certificate of another installation is one of an unknown CA, not one forged.
        let number = u32::from_be_bytes(super::random()?);
        let mut params = params(&format!("cis private CA {number:08x}"), CA_YEARS);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.self_signed(&key).map_err(failed)?.pem();
        let made = Made {
            certificate,
            key: key.serialize_pem(),
        };
        Ok(Self {
            issuer: Issuer::new(params, key),
            made,
        })
    }

    /// The one in two files.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, Error> {
        let made = Made {
            certificate: crate::files::read_text(certificate, 64 << 10)?,
            key: crate::files::read_text(key, 64 << 10)?,
        };
        let pair = KeyPair::from_pem(&made.key).map_err(|error| Error::content(key, error))?;
        let issuer = Issuer::from_ca_cert_pem(&made.certificate, pair)
            .map_err(|error| Error::content(certificate, error))?;
        Ok(Self { issuer, made })
    }

    /// The CA's own certificate and key.
    pub fn certificate(&self) -> &Made {
        &self.made
    }

    /// A listener's certificate.
    pub fn server(&self, names: &[String]) -> Result<Made, Error> {
        self.sign("cis receiver", names, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A camera's certificate: the stream is its DNS name.
    pub fn camera(&self, stream: &StreamName) -> Result<Made, Error> {
        self.sign(
            stream.as_str(),
            &[stream.to_string()],
            ExtendedKeyUsagePurpose::ClientAuth,
        )
    }

    fn sign(
        &self,
        common_name: &str,
        names: &[String],
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<Made, Error> {
        let mut params = params(common_name, LEAF_YEARS);
        for name in names {
            if rustls::pki_types::ServerName::try_from(name.as_str()).is_err() {
                return Err(Error::setting("name", name, "a host name or IP address"));
            }
        }
        params.subject_alt_names = CertificateParams::new(names).map_err(failed)?.subject_alt_names;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?.pem();
        Ok(Made {
            certificate,
            key: key.serialize_pem(),
        })
    }
}

fn params(common_name: &str, years: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let now = OffsetDateTime::now_utc();
    // The clock of a camera may be behind.
    params.not_before = now - Duration::days(2);
    params.not_after = now + Duration::days(365 * years);
    params
}

fn failed(error: rcgen::Error) -> Error {
    Error::Tls(format!("cannot make a certificate: {error}"))
}
