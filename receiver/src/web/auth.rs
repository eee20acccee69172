//! Who is logged in: sessions in memory, bounded in number and time, and a limit for those who guess passwords.

use crate::http::network;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Wrong passwords that one address may try at once, and how soon it may try another one after these.
const ATTEMPTS: u32 = 5;
const RECOVERY: Duration = Duration::from_secs(12);
/// Addresses that are remembered; with more of them the one whose last attempt is oldest is forgotten.
const ADDRESSES: usize = 1024;

/// The sessions that are valid.
pub struct Sessions {
    valid: Mutex<HashMap<[u8; 32], Session>>,
    most: usize,
    life: Duration,
}

struct Session {
    user: String,
    began: Instant,
    used: Instant,
}

impl Sessions {
    /// Not more than `most` at a time, each of them for `life`.
    pub fn new(most: usize, life: Duration) -> Self {
        Self {
            valid: Mutex::default(),
            most,
            life,
        }
    }

    /// How long one is valid.
    pub fn life(&self) -> Duration {
        self.life
    }

    /// A new session; its cookie. Only a hash of it is kept here.
    pub fn begin(&self, user: &str, now: Instant) -> Result<String, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let cookie: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut valid = self.valid.lock();
        valid.retain(|_, session| now.saturating_duration_since(session.began) < self.life);
        while valid.len() >= self.most {
            let oldest = valid.iter().min_by_key(|(_, session)| session.used);
            match oldest.map(|(key, _)| *key) {
                Some(key) => valid.remove(&key),
                None => break,
            };
        }
        let session = Session {
            user: user.into(),
            began: now,
            used: now,
        };
        valid.insert(key(&cookie), session);
        Ok(cookie)
    }

    /// Whose session that is, if it is one.
    pub fn user(&self, cookie: &str, now: Instant) -> Option<String> {
        let mut valid = self.valid.lock();
        let key = key(cookie);
        let session = valid.get_mut(&key)?;
        if now.saturating_duration_since(session.began) >= self.life {
            valid.remove(&key);
            return None;
        }
        session.used = now;
        Some(session.user.clone())
    }

    /// Ends a session.
    pub fn end(&self, cookie: &str) {
        self.valid.lock().remove(&key(cookie));
    }

    /// Ends the sessions of everybody else.
    pub fn keep(&self, stays: impl Fn(&str) -> bool) {
        self.valid.lock().retain(|_, session| stays(&session.user));
    }

    /// How many are valid.
    pub fn count(&self) -> usize {
        self.valid.lock().len()
    }
}

fn key(cookie: &str) -> [u8; 32] {
    Sha256::digest(cookie).into()
}

/// Counts attempts to log in.
#[derive(Default)]
pub struct Attempts(Mutex<HashMap<IpAddr, (f64, Instant)>>);

impl Attempts {
    /// Takes one attempt of that address. An error says how long it has to wait for the next one.
    pub fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut known = self.0.lock();
        let address = network(address);
        if known.len() >= ADDRESSES && !known.contains_key(&address) {
            let oldest = known.iter().min_by_key(|(_, (_, last))| *last).map(|(a, _)| *a);
            oldest.map(|address| known.remove(&address));
        }
        let (left, last) = known.entry(address).or_insert((f64::from(ATTEMPTS), now));
        let rested = now.saturating_duration_since(*last).as_secs_f64() / RECOVERY.as_secs_f64();
        *left = (*left + rested).min(f64::from(ATTEMPTS));
        *last = now;
        if *left < 1.0 {
            return Err(RECOVERY.mul_f64(1.0 - *left));
        }
        *left -= 1.0;
        Ok(())
    }

    /// The address knew the password.
    pub fn forgive(&self, address: IpAddr) {
        self.0.lock().remove(&network(address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn sessions_end_by_time_by_logout_and_by_number() {
        let (sessions, start) = (Sessions::new(2, HOUR), Instant::now());
        let first = sessions.begin("ann", start).unwrap();
        let second = sessions.begin("bob", start).unwrap();
        assert_eq!(sessions.user(&first, start + HOUR / 2).as_deref(), Some("ann"));
        let third = sessions.begin("cem", start + HOUR / 2).unwrap();
        assert_eq!(sessions.user(&second, start), None, "used least recently");
        assert_eq!(sessions.user(&first, start + HOUR), None, "too old");
        assert_eq!(sessions.user(&third, start + HOUR).as_deref(), Some("cem"));
        sessions.end(&third);
        assert_eq!(sessions.user(&third, start + HOUR), None);
        assert_eq!(sessions.user("", start), None);
        assert_eq!(sessions.count(), 0);
    }

    #[test]
    fn guessing_is_slow_and_memory_bounded() {
        let (attempts, start) = (Attempts::default(), Instant::now());
        let address = "192.0.2.1".parse().unwrap();
        for _ in 0..ATTEMPTS {
            attempts.take(address, start).unwrap();
        }
        assert_eq!(attempts.take(address, start), Err(RECOVERY));
        attempts.take("192.0.2.2".parse().unwrap(), start).unwrap();
        attempts.take(address, start + RECOVERY).unwrap();
        assert!(attempts.take(address, start + RECOVERY).is_err());
        attempts.forgive(address);
        attempts.take(address, start + RECOVERY).unwrap();
        for n in 0..5000u32 {
            attempts.take(IpAddr::from(n.to_be_bytes()), start).unwrap();
        }
        assert!(attempts.0.lock().len() <= ADDRESSES);
    }
}
