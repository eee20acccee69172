//! Coding of the vectors of a frame: which positions move, and where from.

use super::Vector;
use crate::Shape;
use crate::entropy::counter::Counter;
use crate::entropy::range::BitCoder;
use crate::frame::MOVING_ONE;

/// Decisions that a context is trusted for at most.
const LIMIT: u8 = 60;
/// Contexts of the magnitude of a component: its place in the code.
const PLACES: usize = 16;

/// Vectors that a position may have for the price of saying which.
const CANDIDATES: usize = 9;
/// Contexts of saying so: of the first two how far these are apart and how many neighbours go on as before, of the others the latter.
const ALIKE: usize = 2 * 4 * 4 + 4 * (CANDIDATES - 2);

/// Where the counters of each kind of decision begin.
const ANY: usize = 0;
const MOVES: usize = ANY + 2;
const SAME: usize = MOVES + 12 * 2;
const ZERO: usize = SAME + ALIKE;
const NEGATIVE: usize = ZERO + 4 * 3;
const LARGER: usize = NEGATIVE + 2;
const BIT: usize = LARGER + 4 * PLACES;
const COUNTERS: usize = BIT + 2 * PLACES;

/// A vector that is out of range: the payload is corrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange;

/// The vectors of a frame, those of the frame before, and what was learned of such.
#[derive(Clone, Debug)]
pub struct Vectors {
    field: Field,
    counters: [Counter; COUNTERS],
}

/// The vectors that both ends know of.
#[derive(Clone, Debug, Default)]
struct Field {
    columns: usize,
    /// Whether only one vector is likely (version 3).
    one: bool,
    now: Vec<Vector>,
    before: Vec<Vector>,
}

impl Default for Vectors {
    fn default() -> Self {
        Self {
            field: Field::default(),
            counters: [Counter::default(); COUNTERS],
        }
    }
}

impl Vectors {
    /// Begins a group of this version of the bitstream: nothing moves, nothing is known.
    pub fn start(&mut self, shape: Shape, version: u8) {
        let field = Field {
            columns: shape.width.into(),
            one: version == MOVING_ONE,
            now: vec![Vector::default(); shape.positions()],
            before: vec![Vector::default(); shape.positions()],
        };
        *self = Self {
            field,
            ..Self::default()
        };
    }

    /// The vector of each position in the last frame, or in this one as far as it is known.
    pub fn now(&self) -> &[Vector] {
        &self.field.now
    }

    /// Codes the vectors of a frame, row by row; a reader's `wanted` are empty, and so may those of a writer be, where nothing moves.
    pub fn code<C: BitCoder>(&mut self, coder: &mut C, wanted: &[Vector]) -> Result<(), OutOfRange> {
        self.begin();
        let moved = self.field.before.iter().any(|vector| vector.moves());
        let any = wanted.iter().any(|vector| vector.moves());
        if !decide(coder, &mut self.counters[ANY + usize::from(moved)], any) {
            return Ok(());
        }
        for at in 0..self.field.now.len() {
            let vector = wanted.get(at).copied().unwrap_or_default();
            let Self { field, counters } = self;
            let here = field.look(at);
            let found = here.ask(vector, |which, bit| decide(coder, &mut counters[which], bit))?;
            field.now[at] = found;
        }
        Ok(())
    }

    /// Begins a frame.
    pub fn begin(&mut self) {
        let Field { now, before, .. } = &mut self.field;
        std::mem::swap(now, before);
        now.fill(Vector::default());
    }

    /// What is known of a position before its vector is.
    pub fn look(&self, at: usize) -> Here {
        self.field.look(at)
    }

    /// Bits that a vector takes as the next one.
    pub fn price(&self, here: &Here, vector: Vector) -> f32 {
        let mut bits = 0.0;
        let priced = here.ask(vector, |which, bit| {
            bits += self.counters[which].bits(bit);
            bit
        });
        priced.map_or(f32::INFINITY, |_| bits)
    }

    /// Takes a vector as the next one; the bits that takes.
    pub fn take(&mut self, at: usize, vector: Vector) -> f32 {
        let mut bits = 0.0;
        let Self { field, counters } = self;
        let taken = field.look(at).ask(vector, |which, bit| {
            bits += counters[which].bits(bit);
            counters[which].learn(bit, LIMIT);
            bit
        });
        if let (Some(now), Ok(vector)) = (field.now.get_mut(at), taken) {
            *now = vector;
        }
        bits
    }
}

impl Field {
    fn look(&self, at: usize) -> Here {
        let (x, y) = (at % self.columns, at / self.columns);
        let of = |from: &[Vector], at: usize| from.get(at).copied().unwrap_or_default();
        let around = [
            (x > 0, 1),
            (y > 0, self.columns),
            (y > 0 && x + 1 < self.columns, self.columns - 1),
        ];
        let around = around.map(|(there, back)| there.then(|| at - back));
        // To the left, above, and above to the right.
        let spatial = around.map(|at| at.map_or(Vector::default(), |at| of(&self.now, at)));
        let count = spatial.iter().filter(|vector| vector.moves()).count();
        let before = |at: usize| of(&self.before, at);
        let temporal = before(at);
        let after = [before(at + 1), before(at + self.columns)];
        let was = match temporal.moves() {
            true => 2,
            false => usize::from(after.iter().any(|vector| vector.moves())),
        };
        let goes_on = |at: &Option<usize>| {
            at.is_some_and(|at| of(&self.now, at).moves() && of(&self.now, at) == before(at))
        };
        let steady = around.iter().take(2).filter(|at| goes_on(at)).count();
        let middle = middle(spatial);
        let first_two = match temporal.moves() && (steady > 0 || count == 0) {
            true => [temporal, middle],
            false => [middle, temporal],
        };
        let apart = match (temporal.moves() && middle.moves(), apart(temporal, middle)) {
            (false, _) => 3,
            (true, 0) => 0,
            (true, 1..=2) => 1,
            (true, _) => 2,
        };
        let mut here = Here {
            moves: 2 * (3 * count + was) + usize::from(spatial[0].moves()),
            near: first_two[0],
            apart,
            candidates: [Vector::default(); CANDIDATES],
            contexts: [0; CANDIDATES],
            len: 0,
        };
        if self.one {
            let likely = if count == 0 { temporal } else { middle };
            (here.near, here.apart) = (likely, 3);
            here.add(likely, count);
            return here;
        }
        let goes_on = if count == 0 { 3 } else { steady };
        for (slot, vector) in first_two.into_iter().enumerate() {
            here.add(vector, 4 * (4 * slot + apart) + goes_on);
        }
        let before = [before(at.wrapping_sub(1)), before(at.wrapping_sub(self.columns))];
        let mut slot = 8;
        for vector in spatial.into_iter().chain(after).chain(before) {
            slot += usize::from(here.add(vector, 4 * slot + goes_on));
        }
        here
    }
}

/// What is known of a position before its vector is.
#[derive(Clone, Copy, Debug)]
pub struct Here {
    /// Context of whether it moves.
    moves: usize,
    /// What other vectors are told by their difference from.
    near: Vector,
    /// How far the vector before and that of the neighbours are apart: not at all, by half a pixel at most, further; 3: one of them does not move.
    apart: usize,
    candidates: [Vector; CANDIDATES],
    contexts: [usize; CANDIDATES],
    len: usize,
}

impl Here {
    /// Vectors that the position is likely to have, all different.
    pub fn candidates(&self) -> &[Vector] {
        &self.candidates[..self.len]
    }

    /// Adds a candidate unless it is there, or does not move; whether it was added.
    fn add(&mut self, vector: Vector, context: usize) -> bool {
        let is_new = vector.moves() && !self.candidates().contains(&vector);
        if is_new {
            (self.candidates[self.len], self.contexts[self.len]) = (vector, context);
            self.len += 1;
        }
        is_new
    }

    /// Asks whether the position moves, and where to: decision by decision, each with the counter it goes by.
    fn ask(&self, wanted: Vector, mut ask: impl FnMut(usize, bool) -> bool) -> Result<Vector, OutOfRange> {
        if !ask(MOVES + self.moves, wanted.moves()) {
            return Ok(Vector::default());
        }
        for (&candidate, context) in self.candidates().iter().zip(self.contexts) {
            if ask(SAME + context, wanted == candidate) {
                return Ok(candidate);
            }
        }
        let near = self.near;
        let x = component(&mut ask, self.apart, 0, i32::from(wanted.x) - i32::from(near.x))?;
        let y = i32::from(wanted.y) - i32::from(near.y);
        let y = component(&mut ask, self.apart, 1 + usize::from(x == 0), y)?;
        let sum = |along: i16, off: i32| {
            let sum = i32::from(along) + off;
            i16::try_from(sum)
                .ok()
                .filter(|sum| sum.abs() <= Vector::MAX)
                .ok_or(OutOfRange)
        };
        let (x, y) = (sum(near.x, x)?, sum(near.y, y)?);
        Ok(Vector { x, y })
    }
}

/// One component of what a vector is off: zero or not, sign, and an Exp-Golomb code of the magnitude less one.
fn component(
    ask: &mut impl FnMut(usize, bool) -> bool,
    apart: usize,
    context: usize,
    off: i32,
) -> Result<i32, OutOfRange> {
    if ask(ZERO + 3 * apart + context, off == 0) {
        return Ok(0);
    }
    let axis = usize::from(context > 0);
    let larger = LARGER + PLACES * (axis + 2 * usize::from(apart < 2));
    let negative = ask(NEGATIVE + axis, off < 0);
    let wanted = off.unsigned_abs().max(1);
    let mut bits = 0;
    while ask(larger + bits, wanted >> (bits + 1) != 0) {
        bits += 1;
        // 2 * Vector::MAX has nine bits.
        if bits > 9 {
            return Err(OutOfRange);
        }
    }
    let mut magnitude = 1;
    for bit in (0..bits).rev() {
        let one = ask(BIT + axis * PLACES + bit, wanted >> bit & 1 == 1);
        magnitude = magnitude << 1 | i32::from(one);
    }
    Ok(if negative { -magnitude } else { magnitude })
}

fn decide<C: BitCoder>(coder: &mut C, counter: &mut Counter, bit: bool) -> bool {
    let bit = coder.code(bit, u32::from(counter.p()).max(1));
    counter.learn(bit, LIMIT);
    bit
}

/// The component-wise median of three vectors that all move, or the first that does; zeros: none does.
fn middle([a, b, c]: [Vector; 3]) -> Vector {
    let median = |a: i16, b: i16, c: i16| a.max(b).min(a.min(b).max(c));
    if a.moves() && b.moves() && c.moves() {
        let (x, y) = (median(a.x, b.x, c.x), median(a.y, b.y, c.y));
        return Vector { x, y };
    }
    [a, b, c]
        .into_iter()
        .find(|vector| vector.moves())
        .unwrap_or_default()
}

/// The larger difference of two components.
fn apart(a: Vector, b: Vector) -> u16 {
    a.x.abs_diff(b.x).max(a.y.abs_diff(b.y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::MOVING;

    const SHAPE: Shape = Shape {
        channels: 1,
        width: 4,
        height: 3,
    };

    fn of(x: i16, y: i16) -> Vector {
        Vector { x, y }
    }

    /// The vectors after a frame of these.
    fn after(frame: [Vector; 12], version: u8) -> Vectors {
        let mut vectors = Vectors::default();
        vectors.start(SHAPE, version);
        vectors.begin();
        for (at, vector) in frame.into_iter().enumerate() {
            vectors.take(at, vector);
        }
        vectors.begin();
        vectors
    }

    #[test]
    fn candidates_come_from_around_and_from_before_and_are_all_different() {
        let mut frame = [Vector::default(); 12];
        (frame[4], frame[5], frame[6], frame[9]) = (of(3, 0), of(4, 0), of(8, -8), of(3, 0));
        let mut vectors = after(frame, MOVING);
        // Above goes on as before, which was not to move; to the left is something new.
        for (at, vector) in [
            (0, of(0, 0)),
            (1, of(0, 0)),
            (2, of(4, 0)),
            (3, of(0, 0)),
            (4, of(7, 7)),
        ] {
            vectors.take(at, vector);
        }
        // Middle of left (7, 7) and above right (4, 0), the first of them; own of before; above right is there already; next of before; below of before; the one before.
        let here = vectors.look(5);
        assert_eq!(here.candidates(), [of(7, 7), of(4, 0), of(8, -8), of(3, 0)]);
        // Above this one nothing has been told yet, and what is beyond the last position counts as standing still.
        assert_eq!(vectors.look(11).candidates(), []);
    }

    #[test]
    fn version_3_has_one_candidate() {
        let mut frame = [Vector::default(); 12];
        (frame[0], frame[1]) = (of(3, 0), of(4, 0));
        let vectors = after(frame, MOVING_ONE);
        assert_eq!(vectors.look(0).candidates(), [of(3, 0)]);
        assert_eq!(vectors.look(4).candidates(), []);
    }

    #[test]
    fn a_candidate_costs_less_than_any_other_vector() {
        let mut vectors = after([of(5, -3); 12], MOVING);
        vectors.take(0, of(5, -3));
        let here = vectors.look(1);
        let price = |vector| vectors.price(&here, vector);
        assert!(price(of(5, -3)) < price(of(6, -3)), "{here:?}");
        assert!(price(of(6, -3)) < price(of(90, -70)), "{here:?}");
        assert_eq!(price(of(5 + 2 * Vector::MAX, 0)), f32::INFINITY);
    }
}
