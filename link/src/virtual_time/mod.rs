//! Whole senders and listeners, as they are, on a network in memory and a clock that jumps from one event to the next.

mod net;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use quinn::{Endpoint, EndpointConfig, TokioRuntime};
use tokio::time::{Instant, sleep};

use self::net::{Net, Weather};
use crate::Unit;
use crate::listener::{self, Auth, Event, ServerTls};
use crate::sender::{self, SpoolConfig, Work};

/// From one frame to the next, and from one key to the next.
const FRAME: Duration = Duration::from_millis(100);
const GROUP: u32 = 20;
const UNIT_BYTES: usize = 250;

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

/// Sends so many frames through `weather`, which `story` changes as time goes on.
fn run(
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
        let (work, _events) = Work::new(config).expect("a sender");
        let camera = work.shared.clone();
        let of_camera = net.clone();
        let ports = std::sync::atomic::AtomicU16::new(5000);
        // Each attempt has a socket of its own, as with the system's.
        let open = move |_| {
            let port = ports.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
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
        let filming = {
            let camera = camera.clone();
            tokio::spawn(async move {
                let mut since_key = 0;
                for number in 0..frames {
                    let key = since_key >= GROUP || number == 0 || camera.key_wanted();
                    since_key = if key { 1 } else { since_key + 1 };
                    let mut data = number.to_be_bytes().to_vec();
                    data.resize(UNIT_BYTES, 0);
                    camera.push(Unit {
                        data: data.into(),
                        key,
                    });
                    sleep(FRAME).await;
                }
                camera.finish();
            })
        };
        let came = Arc::new(Mutex::new(Vec::new()));
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
                        let took = Instant::now() - (began + FRAME * number);
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
        let came = came.lock().clone();
        Report {
            came,
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

#[test]
fn a_good_network_brings_everything_at_once() {
    let report = run(600, Weather::default(), |_| {}, no_story);
    assert!(report.delivered);
    assert_eq!(report.numbers(false), (0..600).collect::<Vec<_>>());
    // The first unit waits for the handshake; all others for the way, and for the application to look.
    let later = report.came.iter().skip(20).map(|came| came.took).max();
    assert!(later < Some(Duration::from_millis(30)), "{later:?}");
}

#[test]
fn lost_packets_and_such_that_overtake_each_other_change_no_order() {
    for loss in [1, 5, 20] {
        let weather = Weather {
            loss,
            delay: Duration::from_millis(100),
            jitter: Duration::from_millis(80),
            ..Weather::default()
        };
        let report = run(
            3000,
            weather,
            |config| config.latency_budget = Duration::ZERO,
            no_story,
        );
        let (sent, lost) = report.packets;
        assert!(lost * 100 > sent * loss / 2, "{lost} of {sent} packets lost");
        assert!(ordered(&report.numbers(false)));
        assert!(report.delivered && report.missing(3000).is_empty(), "{loss} %");
    }
}

#[test]
fn without_a_spool_an_outage_costs_whole_groups_and_nothing_else() {
    let story = async |net: &Net| {
        sleep(20 * SECOND).await;
        net.set(|weather| weather.up = false);
        sleep(60 * SECOND).await;
        net.set(|weather| weather.up = true);
    };
    let report = run(2400, Weather::default(), |_| {}, story);
    let numbers = report.numbers(false);
    assert!(ordered(&numbers));
    // It goes on with a key; the pause of the backoff is over by then.
    let gap = numbers
        .windows(2)
        .find(|pair| pair[1] - pair[0] > 100)
        .expect("a gap");
    assert!(gap[0] >= 190 && gap[1] < 1100, "{gap:?}");
    assert_eq!(numbers.last(), Some(&2399));
    assert!(report.stats.units_lost + report.stats.units_dropped > 0);
}

#[test]
fn with_a_spool_an_outage_of_ten_minutes_loses_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let spool = SpoolConfig {
        dir: dir.path().to_owned(),
        max_bytes: 64 << 20,
    };
    let story = async |net: &Net| {
        sleep(20 * SECOND).await;
        net.set(|weather| weather.up = false);
        sleep(600 * SECOND).await;
        net.set(|weather| weather.up = true);
    };
    let weather = Weather {
        loss: 2,
        rate: 16_000,
        ..Weather::default()
    };
    let report = run(9000, weather, |config| config.spool = Some(spool), story);
    assert!(
        report.missing(9000).is_empty(),
        "{} missing",
        report.missing(9000).len()
    );
    let (live, late) = (report.numbers(false), report.numbers(true));
    assert!(ordered(&live) && ordered(&late));
    assert!(
        late.len() > 5000 && live.last() == Some(&8999),
        "{} late",
        late.len()
    );
    assert!(report.delivered);
}

#[test]
fn on_a_link_that_is_too_thin_nothing_gets_older_and_older() {
    // Two thirds of what the camera makes, which is one that does not slow down when it is told to.
    let weather = Weather {
        rate: 2_000,
        delay: Duration::from_millis(50),
        ..Weather::default()
    };
    let report = run(6000, weather, |config| config.latency_budget = SECOND, no_story);
    let numbers = report.numbers(false);
    assert!(
        ordered(&numbers) && numbers.len() > 3000,
        "{} came",
        numbers.len()
    );
    let slowest = |range: std::ops::Range<u32>| {
        let there = report.came.iter().filter(|came| range.contains(&came.number));
        there.map(|came| came.took).max().expect("some came")
    };
    // The router's queue, the window of QUIC and the patience that a key gets are more than the budget, but do not add up.
    assert!(slowest(0..6000) < 30 * SECOND, "{:?}", slowest(0..6000));
    assert!(slowest(4000..6000) < 16 * SECOND, "{:?}", slowest(4000..6000));
    assert!(report.stats.groups_reset > 50);
}

#[test]
fn an_hour_of_an_unsteady_link() {
    let story = async |net: &Net| {
        for k in 0..60u64 {
            net.set(|weather| {
                weather.loss = [0, 3, 10][k as usize % 3];
                weather.delay = Duration::from_millis(20 + 97 * (k % 7));
                weather.up = k % 10 != 9;
            });
            sleep(60 * SECOND).await;
        }
        net.set(|weather| *weather = Weather::default());
    };
    let report = run(36_600, Weather::default(), |_| {}, story);
    assert!(ordered(&report.numbers(false)));
    assert!(report.came.len() > 30_000, "{} came", report.came.len());
    assert_eq!(report.numbers(false).last(), Some(&36_599));
}
