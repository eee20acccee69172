//! Where an object will be: a Kalman filter of constant velocity for the centre and the size of its box.
//!
//! The noise is that of SORT and ByteTrack, a share of the box's size, but for a time step of any length: a camera of 5 frames a second
//! and one that skips frames are followed as well as one of 30. Nothing couples the four numbers, so each has a filter of its
//! own with two states; together they are the same as one with eight.

use crate::Rect;

/// Deviation of position and size, of a measurement and of one step, as a share of the size.
const POSITION: f32 = 1.0 / 20.0;
/// Deviation of the velocity after one step, as a share of the size and step.
const VELOCITY: f32 = 1.0 / 160.0;
/// The step that these are meant for.
const STEP: f32 = 1.0 / 30.0;

/// One number and how fast it changes, per step.
#[derive(Clone, Copy, Debug)]
struct Axis {
    value: f32,
    speed: f32,
    /// Covariance: value, both, speed.
    p: [f32; 3],
}

impl Axis {
    fn new(value: f32, size: f32) -> Self {
        let (value_sd, speed_sd) = (2.0 * POSITION * size, 10.0 * VELOCITY * size);
        Self {
            value,
            speed: 0.0,
            p: [value_sd * value_sd, 0.0, speed_sd * speed_sd],
        }
    }

    fn predict(&mut self, steps: f32, size: f32) {
        let [vv, vs, ss] = self.p;
        self.value += self.speed * steps;
        let noise = |share: f32| (share * size).powi(2) * steps;
        self.p = [
            vv + 2.0 * steps * vs + steps * steps * ss + noise(POSITION),
            vs + steps * ss,
            ss + noise(VELOCITY),
        ];
    }

    fn update(&mut self, measured: f32, size: f32) {
        let [vv, vs, ss] = self.p;
        let sum = vv + (POSITION * size).powi(2);
        let (gain, speed_gain) = (vv / sum, vs / sum);
        let error = measured - self.value;
        self.value += gain * error;
        self.speed += speed_gain * error;
        self.p = [vv * (1.0 - gain), vs * (1.0 - gain), ss - speed_gain * vs];
    }
}

/// The filter of one box.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Centre x and y, width, height.
    axes: [Axis; 4],
}

impl Filter {
    /// A box that was seen once and stands still.
    pub fn new(bounds: &Rect) -> Self {
        let (measured, sizes) = (numbers(bounds), sizes(bounds));
        Self {
            axes: [0, 1, 2, 3].map(|i| Axis::new(measured[i], sizes[i])),
        }
    }

    /// Lets `seconds` pass. `hidden`: the box was not seen when they began, and its size is taken to stay.
    pub fn predict(&mut self, seconds: f32, hidden: bool) {
        if hidden {
            self.axes[2].speed = 0.0;
            self.axes[3].speed = 0.0;
        }
        let sizes = sizes(&self.bounds());
        for (axis, size) in self.axes.iter_mut().zip(sizes) {
            axis.predict(seconds / STEP, size);
        }
    }

    /// The box was seen there.
    pub fn update(&mut self, bounds: &Rect) {
        let sizes = sizes(&self.bounds());
        for ((axis, measured), size) in self.axes.iter_mut().zip(numbers(bounds)).zip(sizes) {
            axis.update(measured, size);
        }
    }

    /// Where the box is thought to be.
    pub fn bounds(&self) -> Rect {
        let [x, y, w, h] = self.axes.map(|axis| axis.value);
        // A box that shrinks fast has one pixel in the end.
        let (w, h) = (w.max(1.0), h.max(1.0));
        Rect {
            x: x - w / 2.0,
            y: y - h / 2.0,
            w,
            h,
        }
    }
}

fn numbers(bounds: &Rect) -> [f32; 4] {
    let Rect { x, y, w, h } = *bounds;
    [x + w / 2.0, y + h / 2.0, w, h]
}

fn sizes(bounds: &Rect) -> [f32; 4] {
    [bounds.w, bounds.h, bounds.w, bounds.h]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walker(seconds: f32) -> Rect {
        Rect {
            x: 100.0 + 40.0 * seconds,
            y: 50.0,
            w: 30.0,
            h: 80.0,
        }
    }

    #[test]
    fn learns_a_velocity_at_any_frame_rate_and_over_gaps() {
        for steps in [&[0.1][..], &[0.2], &[0.04], &[0.1, 0.3, 0.1, 0.1, 0.5]] {
            let (mut filter, mut time) = (Filter::new(&walker(0.0)), 0.0);
            for step in steps.iter().cycle().take_while(|_| true).take(60) {
                time += step;
                filter.predict(*step, false);
                filter.update(&walker(time));
            }
            filter.predict(1.0, false);
            let error = filter.bounds().x - walker(time + 1.0).x;
            assert!(
                error.abs() < 2.0,
                "{steps:?}: {error} pixels after a second unseen"
            );
        }
    }

    #[test]
    fn a_box_that_stands_still_stays_for_any_time() {
        let mut filter = Filter::new(&walker(0.0));
        for _ in 0..50 {
            filter.predict(0.1, false);
            filter.update(&walker(0.0));
        }
        filter.predict(1e6, true);
        let (found, expected) = (filter.bounds(), walker(0.0));
        assert!(
            (found.x - expected.x).abs() < 1e-2 && (found.h - expected.h).abs() < 1e-2,
            "{found:?}"
        );
    }
}
