//! Owns [`Fingerprint`], by which a certificate can be trusted without a CA.

use std::fmt;
use std::str::FromStr;

use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use crate::Error;

/// SHA-256 of a certificate (DER), as `openssl x509 -fingerprint -sha256` prints it: 64 hexadecimal digits, with or
/// without colons.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// That of a certificate.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }

    /// That of the first certificate in a PEM file.
    pub fn of_file(path: &std::path::Path) -> Result<Self, Error> {
        let certificates = super::certificates(path)?;
        let first = certificates.first();
        first
            .map(Self::of)
            .ok_or_else(|| Error::content(path, "no certificate (PEM) in it"))
    }
}

impl FromStr for Fingerprint {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self, Error> {
        let digits: Vec<u8> = s
            .trim()
            .chars()
            .filter(|c| *c != ':')
            .map_while(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect();
        let colons = s.trim().bytes().filter(|b| *b == b':').count();
        if digits.len() != 64 || s.trim().len() != 64 + colons {
            return Err(Error::setting(
                "fingerprint",
                s.chars().take(100).collect::<String>(),
                "the 64 hexadecimal digits of a certificate's SHA-256",
            ));
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(Self(hash))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_and_without_colons() {
        let plain = "0123456789abcdefABCDEF00112233445566778899aabbccddeeff0011223344";
        let pairs: Vec<_> = plain
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).unwrap())
            .collect();
        let parsed: Fingerprint = plain.parse().unwrap();
        assert_eq!(parsed.to_string(), plain.to_lowercase());
        assert_eq!(pairs.join(":").parse::<Fingerprint>().unwrap(), parsed);
        for wrong in [
            "",
            "00",
            &plain[1..],
            &format!("{plain}0"),
            &plain.replace('a', "g"),
        ] {
            assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
        }
    }
}
