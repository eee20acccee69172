//! Owns the secret that a camera shows ([`Token`]), and what a listener keeps of it ([`TokenHash`], [`Tokens`]).

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::{Error, StreamName};

const MIN_LEN: usize = 16;
const MAX_LEN: usize = 256;
/// A table of tokens larger than this is not one.
const MAX_FILE: u64 = 4 << 20;

/// A camera's secret: 16 to 256 visible ASCII characters. Never printed.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Reads a token from a file; white space around it does not count.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let text = crate::files::read_text(path, 4096)?;
        text.parse().map_err(|error: Error| Error::content(path, error))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What a listener keeps of this token.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(self.0.as_bytes())
    }
}

impl FromStr for Token {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self, Error> {
        let s = s.trim();
        if (MIN_LEN..=MAX_LEN).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(s.to_owned()))
        } else {
            Err(Error::Token {
                len: s.chars().count(),
                min: MIN_LEN,
                max: MAX_LEN,
            })
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// SHA-256 of a token. Tokens are random and long, so that a plain hash is enough: there is nothing to guess.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    pub(crate) fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }
}

impl FromStr for TokenHash {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self, Error> {
        let wrong = || Error::TokenHash(s.chars().take(80).collect());
        if s.len() != 64 || !s.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut hash = [0; 32];
        for (i, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&s[2 * i..2 * i + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(hash))
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({self})")
    }
}

/// The tokens that a listener knows, by stream.
#[derive(Clone, Debug, Default)]
pub struct Tokens(HashMap<StreamName, TokenHash>);

impl Tokens {
    /// Reads `tokens.toml`: one line a camera, `name = "sha-256 in hexadecimal"`.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let text = crate::files::read_text(path, MAX_FILE)?;
        let table: HashMap<String, String> =
            toml::from_str(&text).map_err(|error| Error::content(path, error))?;
        let entry = |(name, hash): (String, String)| Ok((name.parse()?, hash.parse()?));
        let tokens = table.into_iter().map(entry).collect::<Result<_, Error>>();
        tokens.map(Self).map_err(|error| Error::content(path, error))
    }

    /// Adds a stream, or gives it another token.
    pub fn insert(&mut self, stream: StreamName, hash: TokenHash) {
        self.0.insert(stream, hash);
    }

    /// True if nobody has a token.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The streams that have a token.
    pub fn streams(&self) -> impl Iterator<Item = &StreamName> {
        self.0.keys()
    }

    /// Whether this is the token of that stream. The time taken does not tell how much of a token was right, nor
    /// whether the stream exists.
    pub(crate) fn admits(&self, stream: &StreamName, token: &[u8]) -> bool {
        let shown = TokenHash::of(token);
        let (known, exists) = self.0.get(stream).map_or(([0; 32], 0), |hash| (hash.0, 1));
        bool::from(shown.0.ct_eq(&known) & Choice::from(exists))
    }
}

impl FromIterator<(StreamName, TokenHash)> for Tokens {
    fn from_iter<I: IntoIterator<Item = (StreamName, TokenHash)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(s: &str) -> StreamName {
        s.parse().unwrap()
    }

    #[test]
    fn only_the_token_of_that_stream_is_admitted() {
        let token: Token = " a-long-secret-token\n".parse().unwrap();
        let tokens = Tokens::from_iter([(name("gate"), token.hash())]);
        assert!(tokens.admits(&name("gate"), b"a-long-secret-token"));
        assert!(!tokens.admits(&name("gate"), b"a-long-secret-tokem"));
        assert!(!tokens.admits(&name("gate"), b""));
        assert!(!tokens.admits(&name("hall"), b"a-long-secret-token"));
    }

    #[test]
    fn hashes_are_written_as_they_are_read() {
        let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        assert_eq!(TokenHash::of(b"test").to_string(), hash);
        assert_eq!(hash.parse::<TokenHash>().unwrap().to_string(), hash);
        for wrong in [
            "",
            "9f86",
            &hash[1..],
            &format!("{}é", &hash[2..]),
            &hash.replace('9', "g"),
        ] {
            assert!(wrong.parse::<TokenHash>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_token_is_neither_short_nor_printed() {
        assert!("short".parse::<Token>().is_err());
        assert!("x".repeat(257).parse::<Token>().is_err());
        assert!("with white space in it".parse::<Token>().is_err());
        let token: Token = "0123456789abcdef".parse().unwrap();
        assert!(!format!("{token:?}").contains("0123"));
    }

    #[test]
    fn a_bad_table_names_its_file_and_entry() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.toml");
        std::fs::write(&path, "gate = \"12\"\n").unwrap();
        let error = Tokens::from_file(&path).unwrap_err().to_string();
        assert!(
            error.contains("tokens.toml") && error.contains("\"12\""),
            "{error}"
        );
        std::fs::write(&path, "gate = 12\n").unwrap();
        assert!(Tokens::from_file(&path).is_err());
        let error = Tokens::from_file(&dir.path().join("none.toml"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("none.toml"), "{error}");
    }
}
