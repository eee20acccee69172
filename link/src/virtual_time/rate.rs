//! How soon a camera is told that the link has become slow, and how soon what was too much is gone.

use super::*;
use crate::sender::SpoolConfig;

const STEP: Duration = Duration::from_secs(20);

/// A camera that fills a link of so many kbit/s.
fn filling(kbit: usize, frame: Duration) -> Camera {
    let unit = kbit * 100 * frame.as_millis() as usize / 1000;
    Camera {
        frame,
        group: 50,
        unit,
        key: unit * 3,
        obeys: true,
    }
}

#[test]
fn within_a_second_the_encoder_is_told_what_a_slower_link_carries() {
    for (from, to) in [(256, 32), (256, 64), (1000, 100)] {
        for (trip, frame) in [(20, 40), (20, 100), (200, 40), (200, 100)] {
            let of = filling(from, Duration::from_millis(frame));
            let weather = Weather {
                rate: from as u64 * 125,
                delay: Duration::from_millis(trip / 2),
                ..Weather::default()
            };
            let story = async |net: &Net| {
                sleep(STEP).await;
                net.set(|weather| weather.rate = to * 125);
            };
            let report = film(of, (26_000 / frame) as u32, weather, |_| {}, story);
            let what = format!("{from} to {to} kbit/s, {trip} ms, a frame each {frame} ms");
            let fits = |told: &sender::Congestion, part: u64| {
                told.target_bitrate.is_some_and(|target| target <= to * 10 * part)
            };
            let mut after = report.told.iter().skip_while(|told| told.0 < STEP);
            // A camera looks once a frame.
            let (at, _) = after.find(|told| fits(&told.1, 100)).expect("a bound");
            let took = *at - STEP;
            assert!(took <= SECOND, "{what}: after {took:?}");
            // Later it is looked for more, with care.
            assert!(after.all(|told| fits(&told.1, 130)), "{what}: taken back");
            // What was coded before, and the group that was given up, are no longer in the way after three seconds.
            let made = |came: &&Came| of.frame * came.number > STEP + 3 * SECOND;
            let ages: Vec<_> = report.came.iter().filter(made).map(|came| came.took).collect();
            let oldest = ages.iter().max().expect("some came");
            assert!(*oldest < SECOND, "{what}: {oldest:?}");
            let (_, last) = report.told.last().expect("something");
            assert!(last.backlog_units <= 2, "{what}: {last:?}");
        }
    }
}

#[test]
fn what_comes_out_of_the_spool_leaves_a_slower_link_to_what_is_live() {
    let dir = tempfile::tempdir().expect("a folder");
    let spool = SpoolConfig {
        dir: dir.path().to_owned(),
        max_bytes: 64 << 20,
    };
    // What was coded for the fast link and did not get through in time is in the spool, in units that take the slow one seconds.
    let frame = Duration::from_millis(200);
    let of = filling(256, frame);
    let weather = Weather {
        rate: 256 * 125,
        ..Weather::default()
    };
    let story = async |net: &Net| {
        sleep(STEP).await;
        net.set(|weather| weather.rate = 32 * 125);
        sleep(STEP).await;
        net.set(|weather| weather.rate = 0);
    };
    let report = film(of, 225, weather, |config| config.spool = Some(spool), story);
    assert!(report.delivered && report.stats.spool_dropped == 0);
    let slow = |came: &&Came| (115..200).contains(&came.number);
    let mut ages: Vec<_> = report
        .came
        .iter()
        .filter(slow)
        .filter(|came| !came.late)
        .map(|came| came.took)
        .collect();
    ages.sort_unstable();
    let (live, p95) = (ages.len(), ages[ages.len() * 95 / 100]);
    assert!(live > 75 && p95 < SECOND, "{live} of 85 live, {p95:?}");
    let told = report
        .told
        .iter()
        .filter(|told| told.0 > STEP + 3 * SECOND && told.0 < 2 * STEP);
    let bounds: Vec<_> = told.filter_map(|told| told.1.target_bitrate).collect();
    let mean = bounds.iter().sum::<u64>() / bounds.len() as u64;
    assert!((16_000..32_000).contains(&mean), "{mean} bit/s");
}
