//! What each decision is predicted from. Every number here is part of the bitstream.

use super::{field::Field, model::INPUTS};

/// Contexts, one per input, and the weight sets of the two selectors.
pub type Contexts = ([usize; INPUTS], [usize; 2]);

/// `value` within ±`reach`, as an index from 0.
#[inline(always)]
fn within(value: i32, reach: i32) -> usize {
    (value.clamp(-reach, reach) + reach) as usize
}

#[inline(always)]
fn up_to(value: i32, max: u32) -> usize {
    value.unsigned_abs().min(max) as usize
}

/// 0, 1, 2, 3-4, 5-8, 9-16, 17-32, more.
const OCTAVE: [u8; 34] = classes([1, 2, 3, 5, 9, 17, 33]);
/// Age in frames: 1, 2, 3-4, 5-8, 9-16, 17-64, 65-254, never.
const PERIOD: [u8; 256] = classes([2, 3, 5, 9, 17, 65, 255]);

/// For each value how many of the `starts` it has reached.
const fn classes<const N: usize>(starts: [usize; 7]) -> [u8; N] {
    let mut table = [0; N];
    let mut value = 0;
    while value < N {
        while (table[value] as usize) < starts.len() && starts[table[value] as usize] <= value {
            table[value] += 1;
        }
        value += 1;
    }
    table
}

#[inline(always)]
fn octave(value: usize) -> usize {
    OCTAVE[value.min(OCTAVE.len() - 1)].into()
}

#[inline(always)]
fn period(age: u8) -> usize {
    PERIOD[usize::from(age)].into()
}

/// Whether a position differs from the reference.
#[inline(always)]
pub fn position(field: &Field, at: usize, changed_so_far: usize) -> Contexts {
    let stride = field.stride;
    let [now, before] = &field.changes;
    let (left, top) = (usize::from(now[at - 1]), usize::from(now[at - stride]));
    let (corner, right) = (
        usize::from(now[at - stride - 1]),
        usize::from(now[at - stride + 1]),
    );
    let flag = |count: usize| usize::from(count > 0);
    let causal = flag(left) << 3 | flag(top) << 2 | flag(right) << 1 | flag(corner);
    let was = |at: usize| flag(usize::from(before[at]));
    let around =
        was(at) << 4 | was(at + 1) << 3 | was(at + stride) << 2 | was(at - 1) << 1 | was(at - stride);
    let busy = around.count_ones() as usize;
    let age = period(field.position_age[at]);
    let unrest = usize::from(field.unrest[at]) / 16;
    let filled = octave(field.filled[at].into());
    let beside = octave(left + top);
    (
        [
            causal << 5 | around,
            age << 6 | (causal.count_ones() as usize) << 3 | busy,
            filled << 6 | octave(left) << 3 | octave(top),
            octave(before[at].into()) << 6 | octave(left) << 3 | octave(top),
            unrest << 5 | flag(left) << 4 | flag(top) << 3 | age,
            octave(changed_so_far) << 6 | octave(field.changed_before) << 3 | causal.count_ones() as usize,
            beside << 6 | octave(right + corner) << 3 | filled,
            unrest << 6 | beside << 3 | octave(before[at + 1] as usize + before[at + stride] as usize),
        ],
        [causal * 4 + busy.min(3), age * 8 + beside],
    )
}

/// What the contexts of one symbol look at.
pub struct Symbol {
    channel: usize,
    reference: i32,
    left: i32,
    top: i32,
    corner: i32,
    right: i32,
    d_left: i32,
    d_top: i32,
    d_corner: i32,
    d_right: i32,
    /// Differences from the reference of up to three channels before, nearest first.
    d_before: [i32; 3],
    v_before: [i32; 3],
    next_right: i32,
    next_below: i32,
    older: i32,
    age: usize,
    position_age: usize,
    /// Channels of this position that have changed so far.
    changed: usize,
    sum: usize,
    beside: [usize; 2],
}

/// What has been coded so far of the position at hand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Channels that have changed.
    pub changed: usize,
    /// How much they have changed altogether.
    pub sum: usize,
    /// Differences from the reference of the three channels before, nearest first.
    differences: [i32; 3],
    values: [i32; 3],
}

impl Progress {
    /// Goes on to the next channel.
    #[inline(always)]
    pub fn push(&mut self, value: i32, difference: i32) {
        self.changed += usize::from(difference != 0);
        self.sum += difference.unsigned_abs() as usize;
        self.differences = [difference, self.differences[0], self.differences[1]];
        self.values = [value, self.values[0], self.values[1]];
    }
}

impl Symbol {
    /// Looks around symbol `channel` of `position`. The fields of a key frame hold nothing but the frame itself.
    #[inline(always)]
    pub fn new<const KEY: bool>(field: &Field, position: usize, channel: usize, progress: &Progress) -> Self {
        let (channels, stride) = (field.channels(), field.stride);
        let at = position * channels + channel;
        let row = stride * channels;
        let value = |at: usize| i32::from(field.cur[at]);
        let reference = |at: usize| if KEY { 0 } else { i32::from(field.reference[at]) };
        let (left, top) = (value(at - channels), value(at - row));
        let (corner, right) = (value(at - row - channels), value(at - row + channels));
        Self {
            channel: channel % 64,
            reference: reference(at),
            left,
            top,
            corner,
            right,
            d_left: left - reference(at - channels),
            d_top: top - reference(at - row),
            d_corner: corner - reference(at - row - channels),
            d_right: right - reference(at - row + channels),
            d_before: progress.differences,
            v_before: progress.values,
            next_right: reference(at + channels),
            next_below: reference(at + row),
            older: if KEY { 0 } else { i32::from(field.older[at]) },
            age: if KEY { 0 } else { period(field.age[at]) },
            position_age: period(field.position_age[position]),
            changed: progress.changed,
            sum: progress.sum,
            beside: [
                field.changes[0][position - 1].into(),
                field.changes[0][position - stride].into(),
            ],
        }
    }

    /// Whether the symbol differs from its reference, in a frame that has one.
    #[inline(always)]
    pub fn change_inter(&self) -> Contexts {
        let r = self.reference;
        let flag = |d: i32| usize::from(d != 0);
        let causal =
            flag(self.d_left) << 3 | flag(self.d_top) << 2 | flag(self.d_right) << 1 | flag(self.d_corner);
        let moved = self.d_left.abs() + self.d_top.abs() + self.d_right.abs() + self.d_corner.abs();
        let c = self.channel << 6;
        let changed = octave(self.changed);
        let [left, top] = self.beside.map(|changes| octave(changes) / 2);
        let d = self.d_before.map(|d| within(d, 1));
        let same = usize::from(self.left == r) << 3
            | usize::from(self.top == r) << 2
            | usize::from(self.next_right == r) << 1
            | usize::from(self.next_below == r);
        (
            [
                c | up_to(r, 3) << 4 | causal,
                c | self.age << 3 | changed,
                ((within(self.left - r, 2) * 5 + within(self.top - r, 2)) * 5 + within(r, 2)) << 5
                    | flag(self.d_left) << 4
                    | flag(self.d_top) << 3
                    | changed,
                ((d[0] * 3 + d[1]) * 3 + d[2]) << 7 | changed << 4 | left << 2 | top,
                c | up_to(moved, 7) << 3 | (self.sum / 2).min(7),
                (self.channel / 4) << 8 | changed << 5 | left << 3 | self.position_age,
                c | usize::from(self.age == 0) << 5 | within(self.older - r, 1) << 3 | within(r, 2),
                same << 8 | within(r, 2) << 5 | up_to((self.left.abs() + self.top.abs()) / 2, 7) << 2 | left,
            ],
            [
                self.channel,
                changed * 8 + causal.count_ones().min(3) as usize * 2 + usize::from(r != 0),
            ],
        )
    }

    /// Whether the symbol is not zero, in a frame without a reference.
    #[inline(always)]
    pub fn change_intra(&self) -> Contexts {
        let c = self.channel << 6;
        let near = |v: i32| up_to(v, 3);
        let around = 2 * (self.left.abs() + self.top.abs()) + self.corner.abs() + self.right.abs();
        let changed = octave(self.changed);
        let [left, top] = self.beside.map(octave);
        let sum = octave(self.sum);
        let [v1, v2, v3] = self.v_before;
        (
            [
                c | near(self.left) << 4 | near(self.top) << 2 | near(self.right),
                c | up_to(around, 15) << 2 | changed >> 1,
                c | near(v1) << 4 | near(v2) << 2 | near(v3),
                changed << 9 | left << 6 | top << 3 | self.channel >> 3,
                c | sum << 3 | octave(around as usize),
                c | near(self.corner) << 4 | near(self.right) << 2 | near(self.left + self.top),
                ((within(self.left, 2) * 5 + within(self.top, 2)) * 5 + within(v1, 2)) << 5
                    | sum << 2
                    | changed >> 1,
                c | octave((self.beside[0] + self.beside[1]) / 2) << 3 | changed,
            ],
            [self.channel, changed * 8 + octave(around as usize)],
        )
    }

    /// Whether the symbol is less than its reference.
    #[inline(always)]
    pub fn sign(&self) -> Contexts {
        let r = self.reference;
        let gradient = self.left + self.top - self.corner - r;
        let d = self.d_before.map(|d| within(d, 1));
        let c = self.channel << 4;
        let sides = [self.d_left, self.d_top, self.d_right, self.d_corner].map(|d| within(d, 1));
        (
            [
                c | within(r, 1) << 2 | sides[0],
                within(self.left - r, 3) << 6 | within(self.top - r, 3) << 3 | within(r, 3),
                c | within(self.older - r, 1) << 2 | sides[1],
                ((sides[0] * 3 + sides[1]) * 3 + sides[2]) * 3 + sides[3],
                c | d[0] << 2 | d[1],
                within(gradient, 3) << 6
                    | within(self.next_right - r, 1) << 4
                    | within(self.next_below - r, 1) << 2
                    | within(r, 1),
                c | within(self.left + self.top - 2 * r, 4),
                self.channel,
            ],
            [
                self.channel,
                within(r, 1) * 16 + within(self.left + self.top - 2 * r, 4),
            ],
        )
    }

    /// Whether the symbol lies more than `magnitude` beyond its reference, below it if `negative`.
    #[inline(always)]
    pub fn more(&self, magnitude: i32, negative: bool) -> Contexts {
        let sign = if negative { -1 } else { 1 };
        let r = self.reference;
        let value = r + sign * magnitude;
        let m = up_to(magnitude - 1, 15);
        let towards = sign * ((self.left + self.top) / 2 - value);
        let c = self.channel;
        let near = |v: i32| up_to(v, 7);
        (
            [
                c << 4 | m,
                m << 6 | near(self.left - r) << 3 | near(self.top - r),
                m << 6 | within(sign * value, 7) << 2 | up_to(r, 3),
                m << 4 | within(towards, 7),
                c << 5 | within(towards, 3) << 2 | m.min(3),
                m << 4 | up_to(self.d_before[0], 3) << 2 | up_to(self.d_before[1], 3),
                c << 5 | m.min(7) << 2 | within(sign * (self.older - value), 1),
                m << 6 | near(self.d_left) << 3 | near(self.d_top),
            ],
            [m, self.channel],
        )
    }
}
