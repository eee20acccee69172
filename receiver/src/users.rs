//! Who may log in to the web page: a TOML file of names and Argon2id hashes, as `cis-receiver users add` writes it.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Argon2, Params};
use std::collections::BTreeMap;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;

/// The longest users file.
const MAX_BYTES: u64 = 1 << 20;
/// The longest name, which may have letters, digits, `.`, `_` and `-`.
const MAX_NAME: usize = 64;
/// Bytes of a password: a shorter one is guessed, a longer one costs time to hash.
const PASSWORD: std::ops::RangeInclusive<usize> = 10..=1024;
/// What a hash in the file may cost to check: who writes a file by hand shall not stop the page.
const MAX_MEMORY_KIB: u32 = 256 << 10;
const MAX_ROUNDS: u32 = 16;

/// The users of a file.
#[derive(Clone, Debug, Default)]
pub struct Users(BTreeMap<String, String>);

impl Users {
    /// Reads a file; an error says what is wrong in it.
    pub fn read(path: &Path) -> io::Result<Self> {
        let bytes = std::fs::metadata(path)?.len();
        if bytes > MAX_BYTES {
            return Err(bad(format!("{bytes} bytes; legal: at most {MAX_BYTES}")));
        }
        let users: BTreeMap<String, String> =
            toml::from_str(&std::fs::read_to_string(path)?).map_err(|e| bad(e.message().to_owned()))?;
        for (name, hash) in &users {
            check_name(name)?;
            check_hash(hash).map_err(|reason| bad(format!("the hash of {name}: {reason}")))?;
        }
        Ok(Self(users))
    }

    /// Whether that is the user's password. Takes as long for somebody who does not exist.
    pub fn verify(&self, name: &str, password: &str) -> bool {
        // Of no known password, and whoever has it is nobody.
        const NOBODY: &str =
            "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let known = self.0.get(name);
        let Ok(hash) = PasswordHash::new(known.map_or(NOBODY, String::as_str)) else {
            return false;
        };
        let right = password.len() <= *PASSWORD.end()
            && Argon2::default()
                .verify_password(password.as_bytes(), &hash)
                .is_ok();
        right && known.is_some()
    }

    /// Whether there is such a user.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// Adds a user to a file, or gives one another password. The file is made if there is none; it is for its owner alone.
pub fn add(path: &Path, name: &str, password: &str) -> io::Result<()> {
    check_name(name)?;
    if !PASSWORD.contains(&password.len()) {
        return Err(bad(format!(
            "the password has {} bytes; legal: {PASSWORD:?}",
            password.len()
        )));
    }
    let mut users = match Users::read(path) {
        Ok(users) => users,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Users::default(),
        Err(e) => return Err(e),
    };
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(io::Error::other)?;
    let hashed = SaltString::encode_b64(&salt).and_then(|salt| {
        Argon2::default()
            .hash_password(password.as_bytes(), &salt)
            .map(|hash| hash.to_string())
    });
    users
        .0
        .insert(name.into(), hashed.map_err(|e| bad(e.to_string()))?);
    let text = toml::to_string(&users.0).map_err(|e| bad(e.to_string()))?;
    let part = path.with_extension("part");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}

/// The password somebody types, twice and unseen, or the first line of the standard input when that is no terminal.
pub fn ask_password() -> io::Result<String> {
    if io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ")?;
        return match rpassword::prompt_password("Once more: ")? == password {
            true => Ok(password),
            false => Err(bad("the two passwords differ".into())),
        };
    }
    let mut line = String::new();
    io::Read::take(io::stdin().lock(), 2 * *PASSWORD.end() as u64).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

fn check_name(name: &str) -> io::Result<()> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match (1..=MAX_NAME).contains(&name.len()) && name.chars().all(legal) {
        true => Ok(()),
        false => Err(bad(format!(
            "the user's name is `{name}`; legal: 1 to {MAX_NAME} letters, digits, `.`, `_` and `-`"
        ))),
    }
}

fn check_hash(hash: &str) -> Result<(), String> {
    let hash = PasswordHash::new(hash).map_err(|e| e.to_string())?;
    if hash.algorithm != argon2::ARGON2ID_IDENT {
        return Err(format!("{} is not argon2id", hash.algorithm));
    }
    let params = Params::try_from(&hash).map_err(|e| e.to_string())?;
    if params.m_cost() > MAX_MEMORY_KIB || params.t_cost() > MAX_ROUNDS {
        return Err(format!(
            "m={}, t={}; legal: at most m={MAX_MEMORY_KIB}, t={MAX_ROUNDS}",
            params.m_cost(),
            params.t_cost()
        ));
    }
    Ok(())
}

fn bad(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_let_in_by_the_newest_password_and_nobody_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users.toml");
        add(&path, "ann", "long enough").unwrap();
        add(&path, "bob", "also long enough").unwrap();
        add(&path, "ann", "another password").unwrap();
        let users = Users::read(&path).unwrap();
        assert!(users.verify("ann", "another password"));
        assert!(users.verify("bob", "also long enough"));
        assert!(!users.verify("ann", "long enough"));
        assert!(!users.verify("eve", "another password"));
        assert!(!users.verify("eve", ""));
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions()) & 0o777,
            0o600
        );
    }

    #[test]
    fn errors_name_value_and_range() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users.toml");
        let error = |result: io::Result<()>| result.unwrap_err().to_string();
        assert!(error(add(&path, "ann", "short")).contains("5 bytes; legal: 10..=1024"));
        assert!(error(add(&path, "a b", "long enough")).contains("`a b`"));
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            error(Users::read(&path).map(drop))
        };
        assert!(read("ann = 'plain'").contains("the hash of ann"));
        assert!(read("ann = 3").contains("string"));
        let dear = "ann = '$argon2id$v=19$m=4000000,t=2,p=1$bm9ib2R5bm9ib2R5$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'";
        assert!(read(dear).contains("m=4000000"));
    }
}
