//! What the tests share: people who walk.
#![allow(dead_code, reason = "each test file uses its part")]

use cis_analytics::{Analyser, Detection, Event, Kind, Line, Moment, Numbers, Plan, Rect, Settings, Zone};
use std::sync::Arc;

/// Size of the picture.
pub const SIZE: (u32, u32) = (1000, 500);

/// A person of 40x100 pixels whose feet are there.
pub fn person(x: f32, y: f32, confidence: f32) -> Detection {
    Detection {
        class_id: 0,
        label: "person".into(),
        confidence,
        bounds: Rect {
            x: x - 20.0,
            y: y - 100.0,
            w: 40.0,
            h: 100.0,
        },
    }
}

/// A frame's moment: tenths of a second.
pub fn at(tenths: u64) -> Moment {
    Moment {
        pts_ns: tenths * 100_000_000,
        capture_utc_ns: 1_000_000_000_000_000_000 + tenths * 100_000_000,
    }
}

/// An analyser with a zone `door` in the right half and a line `gate` across the middle, both from y 200 to 400.
pub fn analyser(update_ns: u64) -> Analyser {
    let plan = Plan {
        zones: vec![Zone::new("door", &[[0.5, 0.4], [0.9, 0.4], [0.9, 0.8], [0.5, 0.8]]).unwrap()],
        lines: vec![Line::new("gate", [[0.5, 0.4], [0.5, 0.8]]).unwrap()],
    };
    Analyser::new(Settings::default(), update_ns, Arc::new(plan), Numbers::default())
}

/// The events of frames at 10 a second, one person at each of those feet.
pub fn walk(analyser: &mut Analyser, from: u64, feet: impl IntoIterator<Item = (f32, f32)>) -> Vec<Event> {
    feet.into_iter()
        .zip(from..)
        .flat_map(|((x, y), n)| analyser.frame(at(n), SIZE, vec![person(x, y, 0.9)]).events)
        .collect()
}

/// What they say, without updates.
pub fn told(events: &[Event]) -> Vec<String> {
    let events = events.iter().filter(|event| event.kind != Kind::Update);
    events
        .map(|event| match &event.kind {
            Kind::Enter(zone) | Kind::Leave(zone) => format!("{} {zone}", event.kind.name()),
            Kind::Cross(line, direction) => format!("cross {line} {}", direction.name()),
            kind => kind.name().into(),
        })
        .collect()
}
