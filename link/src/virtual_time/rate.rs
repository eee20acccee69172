//! How soon a camera is told that the link has become slow, and how soon what was too much is gone.

use super::*;

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
            // A camera looks once a frame; keys and signatures drawn by chance move it by another.
            let (at, _) = after.find(|told| fits(&told.1, 100)).expect("a bound");
            let took = *at - STEP;
            assert!(took <= SECOND + 2 * of.frame, "{what}: after {took:?}");
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
