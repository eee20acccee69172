//! What is delivered, and in which order, whatever the network does.

use super::*;
use crate::sender::SpoolConfig;

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
        let missing = report.missing(3000).len();
        assert!(report.delivered && missing == 0, "{loss} %: {missing} missing");
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
