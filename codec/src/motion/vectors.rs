//! Coding of the vectors of a frame: which positions move, and where from.

use super::Vector;
use crate::Shape;
use crate::entropy::counter::Counter;
use crate::entropy::range::BitCoder;

/// Decisions that a context is trusted for at most.
const LIMIT: u8 = 60;
/// Contexts of the magnitude of a component: its place in the code.
const PLACES: usize = 16;

/// A vector that is out of range: the payload is corrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange;

/// The vectors of a frame, those of the frame before, and what was learned of such.
#[derive(Clone, Debug, Default)]
pub struct Vectors {
    columns: usize,
    now: Vec<Vector>,
    before: Vec<Vector>,
    any: [Counter; 2],
    moves: [[Counter; 4]; 12],
    same: [Counter; 4],
    zero: [Counter; 3],
    negative: [Counter; 2],
    larger: [[Counter; PLACES]; 2],
    bits: [[Counter; PLACES]; 2],
}

impl Vectors {
    /// Begins a group: nothing moves, nothing is known.
    pub fn start(&mut self, shape: Shape) {
        *self = Self {
            columns: shape.width.into(),
            now: vec![Vector::default(); shape.positions()],
            before: vec![Vector::default(); shape.positions()],
            ..Self::default()
        };
    }

    /// The vector of each position in the last frame.
    pub fn now(&self) -> &[Vector] {
        &self.now
    }

    /// Codes the vectors of a frame, row by row; a reader's `wanted` are empty, and so may those of a writer be, where nothing moves.
    pub fn code<C: BitCoder>(&mut self, coder: &mut C, wanted: &[Vector]) -> Result<(), OutOfRange> {
        std::mem::swap(&mut self.now, &mut self.before);
        self.now.fill(Vector::default());
        let moved = self.before.iter().any(|vector| vector.moves());
        let any = wanted.iter().any(|vector| vector.moves());
        if !decide(coder, &mut self.any[usize::from(moved)], any) {
            return Ok(());
        }
        for at in 0..self.now.len() {
            let around = self.around(at);
            let count = around.iter().filter(|vector| vector.moves()).count();
            let context = 3 * count + self.was(at);
            let busy = usize::from(around[0].moves());
            let vector = wanted.get(at).copied().unwrap_or_default();
            let Some(counter) = self.moves.get_mut(context).map(|set| &mut set[busy]) else {
                continue;
            };
            if decide(coder, counter, vector.moves()) {
                let likely = self.likely(at, around);
                self.now[at] = self.vector(coder, vector, likely, count)?;
            }
        }
        Ok(())
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

    fn vector<C: BitCoder>(
        &mut self,
        coder: &mut C,
        wanted: Vector,
        likely: Vector,
        count: usize,
    ) -> Result<Vector, OutOfRange> {
        if likely.moves() && decide(coder, &mut self.same[count], wanted == likely) {
            return Ok(likely);
        }
        let x = self.component(coder, 0, i32::from(wanted.x) - i32::from(likely.x))?;
        let y = self.component(
            coder,
            1 + usize::from(x == 0),
            i32::from(wanted.y) - i32::from(likely.y),
        )?;
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

    /// Codes one component of what a vector is off: zero or not, sign, and an Exp-Golomb code of the magnitude less one.
    fn component<C: BitCoder>(&mut self, coder: &mut C, context: usize, off: i32) -> Result<i32, OutOfRange> {
        if decide(coder, &mut self.zero[context], off == 0) {
            return Ok(0);
        }
        let axis = usize::from(context > 0);
        let negative = decide(coder, &mut self.negative[axis], off < 0);
        let wanted = off.unsigned_abs().max(1);
        let mut bits = 0;
        while decide(coder, &mut self.larger[axis][bits], wanted >> (bits + 1) != 0) {
            bits += 1;
            // 2 * Vector::MAX has nine bits.
            if bits > 9 {
                return Err(OutOfRange);
            }
        }
        let mut magnitude = 1;
        for bit in (0..bits).rev() {
            let one = decide(coder, &mut self.bits[axis][bit], wanted >> bit & 1 == 1);
            magnitude = magnitude << 1 | i32::from(one);
        }
        Ok(if negative { -magnitude } else { magnitude })
    }
}

fn decide<C: BitCoder>(coder: &mut C, counter: &mut Counter, bit: bool) -> bool {
    let bit = coder.code(bit, u32::from(counter.p()).max(1));
    counter.learn(bit, LIMIT);
    bit
}

fn middle(a: i16, b: i16, c: i16) -> i16 {
    a.max(b).min(a.min(b).max(c))
}
