//! How old units are when they come: not much more than the budget, however thin the link.

use super::*;

/// After the handshake, which takes its time on a thin link, and what was queued meanwhile.
const SETTLED: Duration = Duration::from_secs(5);

fn thin(kbit: u64, delay: u64) -> Weather {
    Weather {
        rate: kbit * 125,
        delay: Duration::from_millis(delay),
        ..Weather::default()
    }
}

/// Ages of the units that were taken after the start, the youngest first.
fn ages(of: Camera, report: &Report) -> Vec<Duration> {
    let (connected, _) = report.told.first().expect("a connection");
    let settled = report
        .came
        .iter()
        .filter(|came| of.frame * came.number > *connected + SETTLED);
    let mut ages: Vec<_> = settled.map(|came| came.took).collect();
    ages.sort_unstable();
    ages
}

#[test]
fn a_camera_that_does_not_slow_down_does_not_fall_behind() {
    let of = Camera::default();
    for (kbit, delay, budget) in [(10, 20, 500), (10, 200, 1000), (16, 20, 1000), (16, 200, 500)] {
        let budget = Duration::from_millis(budget);
        let report = film(
            of,
            1200,
            thin(kbit, delay),
            |config| config.latency_budget = budget,
            no_story,
        );
        let ages = ages(of, &report);
        let (median, p95, oldest) = (
            ages[ages.len() / 2],
            ages[ages.len() * 95 / 100],
            ages[ages.len() - 1],
        );
        assert!(ordered(&report.numbers(false)));
        let what = format!(
            "{kbit} kbit/s, {delay} ms, {budget:?}: {} came, {median:?}, {p95:?}, {oldest:?}",
            ages.len()
        );
        // A unit waits for a budget, behind what is in QUIC and on its way, which are a packet each; a key and those behind it wait longer.
        assert!(ages.len() > 200 && report.stats.groups_reset > 20, "{what}");
        assert!(
            median < budget * 3 / 2 + SECOND
                && p95 < budget * 5 / 2 + SECOND
                && oldest < budget * 2 + 2 * SECOND,
            "{what}"
        );
    }
}

#[test]
fn on_a_link_that_is_too_thin_nothing_gets_older_and_older() {
    let of = Camera::default();
    let report = film(
        of,
        6000,
        thin(16, 50),
        |config| config.latency_budget = SECOND,
        no_story,
    );
    let numbers = report.numbers(false);
    assert!(
        ordered(&numbers) && numbers.len() > 2500,
        "{} came",
        numbers.len()
    );
    let oldest = |range: std::ops::Range<u32>| {
        let there = report.came.iter().filter(|came| range.contains(&came.number));
        there.map(|came| came.took).max().expect("some came")
    };
    assert!(oldest(100..3000) < 4 * SECOND, "{:?}", oldest(100..3000));
    assert!(oldest(3000..6000) < 4 * SECOND, "{:?}", oldest(3000..6000));
    assert!(report.stats.groups_reset > 50);
}

#[test]
fn a_camera_that_obeys_hardly_waits() {
    for key in [250, 1500] {
        for (kbit, delay) in [(10, 20), (16, 20), (16, 200), (32, 200)] {
            let of = Camera {
                key,
                obeys: true,
                ..Camera::default()
            };
            let report = film(of, 1200, thin(kbit, delay), |_| {}, no_story);
            let ages = ages(of, &report);
            let (median, p95) = (ages[ages.len() / 2], ages[ages.len() * 95 / 100]);
            let what = format!(
                "{kbit} kbit/s, {delay} ms, keys of {key}: {} came, {median:?}, {p95:?}",
                ages.len()
            );
            let way = Duration::from_millis(delay * 2);
            assert!(
                median < Duration::from_millis(500) + way && p95 < SECOND + way * 2,
                "{what}"
            );
            // Nor is the link left idle: nearly all frames come, smaller.
            assert!(ages.len() > 800 && report.stats.groups_reset < 30, "{what}");
        }
    }
}

#[test]
fn a_thin_link_is_not_filled_with_handshakes() {
    for (kbit, most) in [(10, 6), (16, 4), (64, 2)] {
        let report = run(300, thin(kbit, 20), |_| {}, no_story);
        let connected = report.told.first().map(|told| told.0);
        assert!(connected < Some(SECOND * most), "{kbit} kbit/s: {connected:?}");
    }
}

#[test]
fn a_path_that_becomes_longer_is_not_taken_for_a_queue() {
    let of = Camera {
        obeys: true,
        ..Camera::default()
    };
    let story = async |net: &Net| {
        sleep(20 * SECOND).await;
        net.set(|weather| weather.delay = Duration::from_millis(400));
    };
    let report = film(of, 900, Weather::default(), |_| {}, story);
    let last: Vec<_> = report.came.iter().filter(|came| came.number >= 600).collect();
    assert!(last.len() == 300, "{} of 300 came", last.len());
    let (_, told) = report.told.last().expect("something");
    assert!(!told.congested, "{told:?}");
    let oldest = last.iter().map(|came| came.took).max();
    assert!(oldest < Some(SECOND), "{oldest:?}");
}
