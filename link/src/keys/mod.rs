//! Makes what both ends need to trust one another: a CA of one's own, certificates, tokens. Files of secrets are
//! readable by their owner alone, and nothing that exists is overwritten.
//!
//! | file | what | goes to |
//! |---|---|---|
//! | `ca.pem` | certificate of the CA | every camera; the listener, if cameras have certificates |
//! | `ca.key` | key of the CA | nobody |
//! | `server.pem`, `server.key` | the listener's identity | the listener |
//! | `tokens.toml` | SHA-256 of each camera's token | the listener |
//! | `NAME.token` | a camera's token | that camera |
//! | `NAME.pem`, `NAME.key` | a camera's identity | that camera |

mod certificate;
mod store;

use std::path::Path;

use rustls::crypto::SecureRandom;

use crate::{Error, StreamName, Token, Tokens};

const CA: &str = "ca";
const SERVER: &str = "server";
const TOKENS: &str = "tokens.toml";

/// Makes a CA and the certificate of a listener that is reached under `names` (host names or IP addresses) in `dir`,
/// which is made if it is not there.
pub fn init(dir: &Path, names: &[String]) -> Result<(), Error> {
    if names.is_empty() {
        return Err(Error::setting(
            "names",
            "none",
            "one or more host names or IP addresses of the receiver",
        ));
    }
    store::make_dir(dir)?;
    for name in [CA, SERVER] {
        store::must_be_free(&file(dir, name, "pem"))?;
        store::must_be_free(&file(dir, name, "key"))?;
    }
    let ca = certificate::Authority::new()?;
    let server = ca.server(names)?;
    save(dir, CA, ca.certificate())?;
    save(dir, SERVER, &server)
}

/// Makes a token for a camera, writes it to `NAME.token` and its hash to `tokens.toml`.
pub fn add_camera(dir: &Path, stream: &StreamName) -> Result<Token, Error> {
    let table = dir.join(TOKENS);
    let mut text = String::new();
    if table.exists() {
        if Tokens::from_file(&table)?.streams().any(|known| known == stream) {
            return Err(Error::content(&table, format!("{stream} has a token already")));
        }
        text = crate::files::read_text(&table, 4 << 20)?;
    } else {
        store::make_dir(dir)?;
    }
    let token = new_token()?;
    let path = file(dir, stream.as_str(), "token");
    store::write_secret(&path, &format!("{}\n", token.as_str()))?;
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&format!("\"{stream}\" = \"{}\"\n", token.hash()));
    store::replace(&table, &text).inspect_err(|_| store::remove(&path))?;
    Ok(token)
}

/// Makes a certificate for a camera, signed by the CA that [`init`] left in `dir`: `NAME.pem` and `NAME.key`.
pub fn add_camera_certificate(dir: &Path, stream: &StreamName) -> Result<(), Error> {
    if stream.as_str() == CA || stream.as_str() == SERVER {
        return Err(Error::setting(
            "stream",
            stream,
            "another name than those of the CA and the listener",
        ));
    }
    let ca = certificate::Authority::load(&file(dir, CA, "pem"), &file(dir, CA, "key"))?;
    save(dir, stream.as_str(), &ca.camera(stream)?)
}

fn save(dir: &Path, name: &str, made: &certificate::Made) -> Result<(), Error> {
    let certificate = file(dir, name, "pem");
    store::must_be_free(&certificate)?;
    store::write_secret(&file(dir, name, "key"), &made.key)?;
    store::write_new(&certificate, &made.certificate)
}

fn file(dir: &Path, name: &str, extension: &str) -> std::path::PathBuf {
    dir.join(format!("{name}.{extension}"))
}

/// 256 random bits in hexadecimal.
fn new_token() -> Result<Token, Error> {
    random::<32>()?
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>()
        .parse()
}

/// Bytes that nobody can guess.
fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    let source: &dyn SecureRandom = rustls::crypto::ring::default_provider().secure_random;
    source
        .fill(&mut bytes)
        .map_err(|_| Error::System(std::io::Error::other("no randomness")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
