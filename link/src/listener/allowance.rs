//! Owns the arithmetic of limits per time: how much a peer may do before it has to wait. Pure: times are arguments.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// Addresses that are remembered. When there are more, those that have used nothing lately are forgotten first.
const MAX_ADDRESSES: usize = 4096;

/// A bucket that fills at a rate and is paid from; it may go into debt once.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    rate: f64,
    most: f64,
    left: f64,
    at: Instant,
}

impl Allowance {
    /// Full at the start: `burst` may be used at once, `rate` a second from then on.
    pub fn new(rate: f64, burst: f64, now: Instant) -> Self {
        Self {
            rate,
            most: burst,
            left: burst,
            at: now,
        }
    }

    /// Pays; how long to wait before anything more.
    pub fn pay(&mut self, amount: f64, now: Instant) -> Duration {
        self.fill(now);
        self.left -= amount;
        Duration::try_from_secs_f64(-self.left / self.rate).unwrap_or_default()
    }

    /// Pays if there is enough.
    pub fn try_pay(&mut self, amount: f64, now: Instant) -> bool {
        self.fill(now);
        let enough = self.left >= amount;
        if enough {
            self.left -= amount;
        }
        enough
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + elapsed * self.rate).min(self.most);
        self.at = self.at.max(now);
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.left >= self.most
    }
}

/// Handshakes of each address.
#[derive(Debug)]
pub struct Handshakes {
    rate: f64,
    addresses: HashMap<IpAddr, Allowance>,
}

impl Handshakes {
    /// So many a second for each address, and ten times that at once; 0: any number.
    pub fn new(rate: u32) -> Self {
        Self {
            rate: rate.into(),
            addresses: HashMap::new(),
        }
    }

    /// Whether an address may begin one more.
    pub fn may(&mut self, address: IpAddr, now: Instant) -> bool {
        if self.rate <= 0.0 {
            return true;
        }
        if self.addresses.len() >= MAX_ADDRESSES && !self.addresses.contains_key(&address) {
            self.addresses.retain(|_, allowance| !allowance.is_full(now));
            if self.addresses.len() >= MAX_ADDRESSES {
                // A flood from everywhere: the limit on connections has to do.
                return true;
            }
        }
        let fresh = Allowance::new(self.rate, self.rate * 10.0, now);
        self.addresses.entry(address).or_insert(fresh).try_pay(1.0, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debt_is_waited_for() {
        let start = Instant::now();
        let mut allowance = Allowance::new(1000.0, 500.0, start);
        assert_eq!(allowance.pay(500.0, start), Duration::ZERO);
        assert_eq!(allowance.pay(2000.0, start), Duration::from_secs(2));
        assert_eq!(allowance.pay(0.0, start + Duration::from_secs(3)), Duration::ZERO);
        let later = start + Duration::from_secs(100);
        assert!(allowance.try_pay(500.0, later) && !allowance.try_pay(1.0, later));
    }

    #[test]
    fn one_address_does_not_use_up_anothers_handshakes() {
        let start = Instant::now();
        let mut handshakes = Handshakes::new(2);
        let [a, b] = [1, 2].map(|n| IpAddr::from([192, 0, 2, n]));
        let granted = (0..100).filter(|_| handshakes.may(a, start)).count();
        assert_eq!(granted, 20);
        assert!(handshakes.may(b, start));
        assert!(handshakes.may(a, start + Duration::from_secs(1)));
        assert!(Handshakes::new(0).may(a, start));
    }

    #[test]
    fn addresses_are_bounded() {
        let start = Instant::now();
        let mut handshakes = Handshakes::new(1);
        for n in 0..MAX_ADDRESSES as u32 + 100 {
            assert!(handshakes.may(IpAddr::from(n.to_be_bytes()), start));
        }
        assert_eq!(handshakes.addresses.len(), MAX_ADDRESSES);
        let later = start + Duration::from_secs(60);
        assert!(handshakes.may(IpAddr::from([255, 0, 0, 1]), later));
        assert_eq!(handshakes.addresses.len(), 1);
    }
}
