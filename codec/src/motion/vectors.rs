//! Coding of the vectors of a frame: which positions move, and where from.

use super::Vector;
use crate::Shape;
use crate::entropy::counter::Counter;
use crate::entropy::range::BitCoder;

/// Decisions that a context is trusted for at most.
const LIMIT: u8 = 60;
/// Contexts of the magnitude of a component: its place in the code.
const PLACES: usize = 16;

/// Where the counters of each kind of decision begin.
const ANY: usize = 0;
const MOVES: usize = ANY + 2;
const SAME: usize = MOVES + 12 * 2;
const ZERO: usize = SAME + 4;
const NEGATIVE: usize = ZERO + 3;
const LARGER: usize = NEGATIVE + 2;
const BIT: usize = LARGER + 2 * PLACES;
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
    /// Begins a group: nothing moves, nothing is known.
    pub fn start(&mut self, shape: Shape) {
        let field = Field {
            columns: shape.width.into(),
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
            let found = field.ask(at, vector, |which, bit| decide(coder, &mut counters[which], bit))?;
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

    /// Bits that a vector takes as the next one.
    pub fn price(&self, at: usize, vector: Vector) -> f32 {
        let mut bits = 0.0;
        let priced = self.field.ask(at, vector, |which, bit| {
            bits += self.counters[which].bits(bit);
            bit
        });
        priced.map_or(f32::INFINITY, |_| bits)
    }

    /// Takes a vector as the next one; the bits that takes.
    pub fn take(&mut self, at: usize, vector: Vector) -> f32 {
        let mut bits = 0.0;
        let Self { field, counters } = self;
        let taken = field.ask(at, vector, |which, bit| {
            bits += counters[which].bits(bit);
            counters[which].learn(bit, LIMIT);
            bit
        });
        if let (Some(now), Ok(vector)) = (field.now.get_mut(at), taken) {
            *now = vector;
        }
        bits
    }

    /// Vectors that one is likely to be or to be near to.
    pub fn candidates(&self, at: usize) -> [Vector; 7] {
        let around = self.field.around(at);
        let before = |at: usize| self.field.before.get(at).copied().unwrap_or_default();
        [
            around[0],
            around[1],
            around[2],
            self.field.likely(at, around),
            before(at),
            before(at + 1),
            before(at + self.field.columns),
        ]
    }
}

impl Field {
    /// Asks whether a position moves, and where to: decision by decision, each with the counter it goes by.
    fn ask(
        &self,
        at: usize,
        wanted: Vector,
        mut ask: impl FnMut(usize, bool) -> bool,
    ) -> Result<Vector, OutOfRange> {
        let around = self.around(at);
        let count = around.iter().filter(|vector| vector.moves()).count();
        let busy = usize::from(around[0].moves());
        let context = 3 * count + self.was(at);
        if !ask(MOVES + 2 * context + busy, wanted.moves()) {
            return Ok(Vector::default());
        }
        let likely = self.likely(at, around);
        if likely.moves() && ask(SAME + count, wanted == likely) {
            return Ok(likely);
        }
        let x = component(&mut ask, 0, i32::from(wanted.x) - i32::from(likely.x))?;
        let y = i32::from(wanted.y) - i32::from(likely.y);
        let y = component(&mut ask, 1 + usize::from(x == 0), y)?;
        let sum = |along: i16, off: i32| {
            let sum = i32::from(along) + off;
            i16::try_from(sum)
                .ok()
                .filter(|sum| sum.abs() <= Vector::MAX)
                .ok_or(OutOfRange)
        };
        let (x, y) = (sum(likely.x, x)?, sum(likely.y, y)?);
        Ok(Vector { x, y })
    }

    /// Vectors to the left, above, and above to the right.
    fn around(&self, at: usize) -> [Vector; 3] {
        let (x, y) = (at % self.columns, at / self.columns);
        let of = |there: bool, back: usize| match there {
            true => self.now.get(at.wrapping_sub(back)).copied().unwrap_or_default(),
            false => Vector::default(),
        };
        [
            of(x > 0, 1),
            of(y > 0, self.columns),
            of(y > 0 && x + 1 < self.columns, self.columns - 1),
        ]
    }

    /// Whether there was movement in the frame before: here 2, to the right or below 1, nowhere near 0.
    fn was(&self, at: usize) -> usize {
        let moved = |at: usize| self.before.get(at).is_some_and(|vector| vector.moves());
        match moved(at) {
            true => 2,
            false => usize::from(moved(at + 1) || moved(at + self.columns)),
        }
    }

    /// What a vector is likely to be: the middle one of those around that move, or the one before.
    fn likely(&self, at: usize, around: [Vector; 3]) -> Vector {
        let mut moving = around.into_iter().filter(|vector| vector.moves());
        match (moving.next(), moving.next(), moving.next()) {
            (Some(a), Some(b), Some(c)) => Vector {
                x: middle(a.x, b.x, c.x),
                y: middle(a.y, b.y, c.y),
            },
            (Some(first), _, _) => first,
            (None, ..) => self.before[at],
        }
    }
}

/// One component of what a vector is off: zero or not, sign, and an Exp-Golomb code of the magnitude less one.
fn component(ask: &mut impl FnMut(usize, bool) -> bool, context: usize, off: i32) -> Result<i32, OutOfRange> {
    if ask(ZERO + context, off == 0) {
        return Ok(0);
    }
    let axis = usize::from(context > 0);
    let negative = ask(NEGATIVE + axis, off < 0);
    let wanted = off.unsigned_abs().max(1);
    let mut bits = 0;
    while ask(LARGER + axis * PLACES + bits, wanted >> (bits + 1) != 0) {
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

fn middle(a: i16, b: i16, c: i16) -> i16 {
    a.max(b).min(a.min(b).max(c))
}
