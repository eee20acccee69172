//! A network in memory for two ends on one runtime whose clock stands still: packets take time, get lost and overtake each other, and an hour of that takes a moment.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::time::Instant;

/// What the way between the ends is like, in each direction.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Share of packets that get lost, in per cent.
    pub loss: u64,
    pub delay: Duration,
    /// Up to so much more, each packet for itself: they overtake each other.
    pub jitter: Duration,
    /// Bytes a second; 0: any number.
    pub rate: u64,
    pub up: bool,
    /// Which packets get lost.
    pub seed: u64,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            loss: 0,
            delay: Duration::from_millis(20),
            jitter: Duration::ZERO,
            rate: 0,
            up: true,
            seed: 0x5EED,
        }
    }
}

/// Packets that wait for room on the way at most, in time: a router's queue.
const QUEUE: Duration = Duration::from_secs(1);
/// What a packet has around it on the way: IP and UDP.
const AROUND: u64 = 28;

#[derive(Default)]
struct Mailbox {
    packets: VecDeque<(SocketAddr, Vec<u8>)>,
    reader: Option<Waker>,
}

struct State {
    weather: Weather,
    random: u64,
    boxes: HashMap<SocketAddr, Mailbox>,
    /// Until when the way from an address is busy.
    busy: HashMap<SocketAddr, Instant>,
    sent: u64,
    lost: u64,
}

/// The network.
#[derive(Clone)]
pub struct Net(Arc<Mutex<State>>);

impl Net {
    pub fn new(weather: Weather) -> Self {
        Self(Arc::new(Mutex::new(State {
            weather,
            random: weather.seed,
            boxes: HashMap::new(),
            busy: HashMap::new(),
            sent: 0,
            lost: 0,
        })))
    }

    pub fn set(&self, change: impl FnOnce(&mut Weather)) {
        change(&mut self.0.lock().weather);
    }

    /// Packets sent, and those of them that were lost.
    pub fn packets(&self) -> (u64, u64) {
        let state = self.0.lock();
        (state.sent, state.lost)
    }

    pub fn socket(&self, local: SocketAddr) -> Arc<Socket> {
        self.0.lock().boxes.insert(local, Mailbox::default());
        Arc::new(Socket {
            net: self.clone(),
            local,
        })
    }

    fn send(&self, from: SocketAddr, to: SocketAddr, packet: Vec<u8>) {
        let now = Instant::now();
        let mut state = self.0.lock();
        let weather = state.weather;
        state.sent += 1;
        let busy = state.busy.get(&from).copied().map_or(now, |busy| busy.max(now));
        if !weather.up || state.below(100) < weather.loss || busy - now > QUEUE {
            state.lost += 1;
            return;
        }
        let bits = (packet.len() as u64 + AROUND) * 1_000_000;
        let free = busy + Duration::from_micros(bits.checked_div(weather.rate).unwrap_or(0));
        state.busy.insert(from, free);
        let jitter = weather.jitter.as_micros() as u64;
        let arrives = free + weather.delay + Duration::from_micros(state.below(jitter + 1));
        drop(state);
        let net = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep_until(arrives).await;
            let mut state = net.0.lock();
            if let Some(mailbox) = state.boxes.get_mut(&to) {
                mailbox.packets.push_back((from, packet));
                mailbox.reader.take().into_iter().for_each(Waker::wake);
            }
        });
    }
}

impl State {
    fn below(&mut self, end: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % end
    }
}

/// One end's socket.
pub struct Socket {
    net: Net,
    local: SocketAddr,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "socket of {}", self.local)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.net.0.lock().boxes.remove(&self.local);
    }
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(AlwaysWritable)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.net
            .send(self.local, transmit.destination, transmit.contents.to_vec());
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.net.0.lock();
        let Some(mailbox) = state.boxes.get_mut(&self.local) else {
            return Poll::Pending;
        };
        let Some((addr, packet)) = mailbox.packets.pop_front() else {
            mailbox.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        bufs[0][..packet.len()].copy_from_slice(&packet);
        meta[0] = RecvMeta {
            addr,
            len: packet.len(),
            stride: packet.len(),
            ecn: None,
            dst_ip: None,
        };
        Poll::Ready(Ok(1))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    fn may_fragment(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct AlwaysWritable;

impl UdpPoller for AlwaysWritable {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
