//! Whole senders and listeners, as they are, on a network in memory and a clock that jumps from one event to the next.

mod camera;
mod controllers;
mod delay;
mod delivery;
mod net;
mod rate;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use quinn::{Endpoint, EndpointConfig, TokioRuntime};
use tokio::time::{Instant, sleep};

use self::camera::{Camera, Told};
use self::net::{Net, Weather};
use crate::listener::{self, Auth, Event, ServerTls};
use crate::sender::{self, Work};

/// A unit that came, and how long it took.
#[derive(Clone, Copy, Debug)]
struct Came {
    number: u32,
    late: bool,
    took: Duration,
}

/// What became of a stream.
struct Report {
    came: Vec<Came>,
    /// Of the units that came.
    bytes: usize,
    told: Told,
    stats: sender::Stats,
    delivered: bool,
    packets: (u64, u64),
}

impl Report {
    fn numbers(&self, late: bool) -> Vec<u32> {
        let of_lane = self.came.iter().filter(|came| came.late == late);
        of_lane.map(|came| came.number).collect()
    }

    /// Frames of the stream that never came.
    fn missing(&self, frames: u32) -> Vec<u32> {
        (0..frames)
            .filter(|n| self.came.iter().all(|came| came.number != *n))
            .collect()
    }
}

/// Sends so many frames of the usual camera through `weather`, which `story` changes as time goes on.
fn run(
    frames: u32,
    weather: Weather,
    configure: impl FnOnce(&mut sender::Config),
    story: impl AsyncFnOnce(&Net),
) -> Report {
    film(Camera::default(), frames, weather, configure, story)
}

/// The same with any camera.
fn film(
    of: Camera,
    frames: u32,
    weather: Weather,
    configure: impl FnOnce(&mut sender::Config),
    story: impl AsyncFnOnce(&Net),
) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let net = Net::new(weather);
        let at: SocketAddr = ([10, 0, 0, 1], 4443).into();
        let config = listener::Config::new(at, ServerTls::default(), Auth::Insecure);
        let quic = listener::server_config(&config, &config.auth).expect("a server's settings");
        let end = |local: SocketAddr, server| {
            let (socket, time) = (net.socket(local), Arc::new(TokioRuntime));
            Endpoint::new_with_abstract_socket(EndpointConfig::default(), server, socket, time)
        };
        let endpoint = end(at, Some(quic)).expect("the listener's end");
        let (shared, events) = listener::Shared::new(config);
        let shared = Arc::new(shared);
        let on_task = shared.clone();
        let listening = tokio::spawn(async move { listener::work(&on_task, endpoint).await });

        let stream = "gate-1".parse().expect("a name");
        let mut config = sender::Config::new(at.ip().to_string(), at.port(), stream, "bundle");
        config.tls.insecure = true;
        configure(&mut config);
        let (work, heard) = Work::new(config).expect("a sender");
        let camera = work.shared.clone();
        let of_camera = net.clone();
        let ports = AtomicU16::new(5000);
        // Each attempt has a socket of its own, as with the system's.
        let open = move |_| {
            let port = ports.fetch_add(1, Ordering::Relaxed);
            let socket = of_camera.socket(([10, 0, 0, 2], port).into());
            Endpoint::new_with_abstract_socket(
                EndpointConfig::default(),
                None,
                socket,
                Arc::new(TokioRuntime),
            )
        };
        let sending = tokio::spawn(async move { work.run(Arc::new(open)).await });

        let began = Instant::now();
        let told = Arc::new(Mutex::new(Vec::new()));
        let filming = tokio::spawn(of.film(frames, camera.clone(), heard, told.clone()));
        let came = Arc::new(Mutex::new(Vec::new()));
        let bytes = Arc::new(AtomicUsize::new(0));
        let counted = bytes.clone();
        let taken = came.clone();
        let taking = tokio::spawn(async move {
            loop {
                while let Ok(event) = events.try_recv() {
                    // What is taken is safe: the receipt is dropped here.
                    if let Event::Unit {
                        unit,
                        late,
                        repeated: false,
                        ..
                    } = event
                    {
                        let number = u32::from_be_bytes(unit.data[..4].try_into().expect("four bytes"));
                        let took = Instant::now() - (began + of.frame * number);
                        counted.fetch_add(unit.data.len(), Ordering::Relaxed);
                        taken.lock().push(Came { number, late, took });
                    }
                }
                sleep(Duration::from_millis(5)).await;
            }
        });
        story(&net).await;
        filming.await.expect("the camera");
        let delivered = sending.await.expect("the sender");
        // What is on its way to the application.
        sleep(Duration::from_secs(1)).await;
        let stats = camera.stats();
        taking.abort();
        listening.abort();
        let (came, told) = (came.lock().clone(), told.lock().clone());
        Report {
            came,
            bytes: bytes.load(Ordering::Relaxed),
            told,
            stats,
            delivered,
            packets: net.packets(),
        }
    })
}

/// Numbers that only grow: order, and nothing twice.
fn ordered(numbers: &[u32]) -> bool {
    numbers.windows(2).all(|pair| pair[0] < pair[1])
}

fn no_story(_: &Net) -> impl Future<Output = ()> {
    std::future::ready(())
}

const SECOND: Duration = Duration::from_secs(1);
