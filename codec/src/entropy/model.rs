//! Adaptive models: contexts whose opinions are mixed in the logistic domain.

use std::sync::Arc;

use super::{
    counter::{Counter, Row},
    logistic::squash,
    range::BitCoder,
};

/// Contexts that are mixed for one decision.
pub const INPUTS: usize = 8;
/// Weight sets of each of the two selectors of a kind.
pub const SETS: usize = 64;

/// Weight of each input at a cold start, in Q16, per selector: together somewhat more than an average.
const COLD_WEIGHT: i32 = 7_000;
const WEIGHT_MAX: i32 = 1 << 19;
/// How slowly weights learn: more is slower.
const WEIGHT_SHIFT: u32 = 17;

type Weights = [i32; INPUTS];

/// The kinds of decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whether any channel of a position differs from the reference.
    Position,
    /// Whether a channel differs from the reference.
    Change,
    /// Whether it is less than the reference.
    Sign,
    /// Whether it differs by more than so much.
    More,
}

/// Number of [kinds](Kind).
pub const KINDS: usize = 4;

impl Kind {
    /// log2 of the contexts of each input.
    const fn bits(self) -> u32 {
        match self {
            Self::Position | Self::Sign => 10,
            Self::Change => 12,
            Self::More => 11,
        }
    }

    /// First counter of the kind.
    const fn start(self) -> usize {
        match self {
            Self::Position => 0,
            Self::Change => INPUTS << 10,
            Self::Sign => (INPUTS << 10) + (INPUTS << 12),
            Self::More => (INPUTS << 11) + (INPUTS << 12),
        }
    }

    /// Most that a context's count grows to.
    const fn limit(self, key: bool) -> u8 {
        match self {
            Self::Position => 60,
            Self::Change if !key => 250,
            _ => 120,
        }
    }
}

/// Counters of all kinds; their number makes every `u16` an index.
const COUNTERS: usize = 1 << 16;
const _: () = assert!(Kind::More.start() + (INPUTS << Kind::More.bits()) == COUNTERS);
/// Plain counters for the bits of magnitudes beyond the unary part.
pub const ESCAPES: usize = 64;

/// What the inputs say together: probability of yes in 1/65536.
#[inline(always)]
fn mix(inputs: &[i32; INPUTS], first: &Weights, second: &Weights) -> u32 {
    let mut sum = 0i64;
    for i in 0..INPUTS {
        sum += i64::from(inputs[i]) * i64::from(first[i] + second[i]);
    }
    squash((sum >> 16).clamp(-4096, 4096) as i32)
}

/// Counters and weights of all kinds, for frames with or for frames without a reference.
#[derive(Clone, Debug)]
pub struct Bank {
    counters: Box<[Counter; COUNTERS]>,
    weights: [[[Weights; SETS]; 2]; KINDS],
    /// Opinions and counters of the last decision: side by side in memory they are worked out together.
    inputs: [i32; INPUTS],
    learned: [Counter; INPUTS],
}

impl Default for Bank {
    fn default() -> Self {
        let counters = vec![Counter::default(); COUNTERS].into_boxed_slice();
        Self {
            // A slice of this very length always fits.
            counters: counters
                .try_into()
                .unwrap_or_else(|_| Box::new([Counter::default(); COUNTERS])),
            weights: [[[[COLD_WEIGHT; INPUTS]; SETS]; 2]; KINDS],
            inputs: [0; INPUTS],
            learned: [Counter::default(); INPUTS],
        }
    }
}

impl Bank {
    /// Probability of yes, in 1/65536, that [`code`](Bank::code) would work with; nothing is learned.
    #[inline(always)]
    pub fn predict(&mut self, kind: Kind, (contexts, sets): (&[usize; INPUTS], [usize; 2])) -> u32 {
        let mask = (1 << kind.bits()) - 1;
        let at: [u16; INPUTS] =
            std::array::from_fn(|i| (kind.start() + (i << kind.bits()) + (contexts[i] & mask)) as u16);
        let row = Row::new(at.map(|at| self.counters[usize::from(at)]));
        row.opine(&mut self.inputs);
        let inputs = self.inputs;
        let [first, second] = &self.weights[kind as usize];
        mix(&inputs, &first[sets[0] % SETS], &second[sets[1] % SETS])
    }

    /// Codes one decision, predicted from one context per input, and learns it.
    #[inline(always)]
    pub fn code<C: BitCoder, const KEY: bool>(
        &mut self,
        coder: &mut C,
        kind: Kind,
        bit: bool,
        (contexts, sets): (&[usize; INPUTS], [usize; 2]),
    ) -> bool {
        let mask = (1 << kind.bits()) - 1;
        let at: [u16; INPUTS] = std::array::from_fn(|i| {
            debug_assert!(contexts[i] <= mask, "context {i} is {}", contexts[i]);
            (kind.start() + (i << kind.bits()) + (contexts[i] & mask)) as u16
        });
        let row = Row::new(at.map(|at| self.counters[usize::from(at)]));
        row.opine(&mut self.inputs);
        let inputs = self.inputs;
        let [first, second] = &mut self.weights[kind as usize];
        let first = &mut first[sets[0] % SETS];
        let second = &mut second[sets[1] % SETS];
        let one = mix(&inputs, first, second);
        let bit = coder.code(bit, one);

        let error = (i32::from(bit) << 16) - one as i32;
        // |input| < 2^12 and |error| <= 2^16: the product fits.
        let change = inputs.map(|input| (input * error) >> WEIGHT_SHIFT);
        for weights in [first, second] {
            for (weight, change) in weights.iter_mut().zip(change) {
                *weight = (*weight + change).clamp(-WEIGHT_MAX, WEIGHT_MAX);
            }
        }
        row.learn(bit, kind.limit(KEY), &mut self.learned);
        for (at, counter) in at.into_iter().zip(self.learned) {
            self.counters[usize::from(at)] = counter;
        }
        bit
    }
}

/// All adaptive state of the entropy coder. A bank is shared by its copies until one of them learns.
#[derive(Clone, Debug)]
pub struct Model {
    key: Arc<Bank>,
    inter: Arc<Bank>,
    escapes: [Counter; ESCAPES],
}

impl Default for Model {
    fn default() -> Self {
        let cold = Arc::new(Bank::default());
        Self {
            key: cold.clone(),
            inter: cold,
            escapes: [Counter::default(); ESCAPES],
        }
    }
}

/// Plain counters of the bits of large magnitudes.
pub struct Escapes<'a>(&'a mut [Counter; ESCAPES]);

impl Escapes<'_> {
    /// Codes one bit without mixing.
    pub fn code<C: BitCoder>(&mut self, coder: &mut C, bit: bool, context: usize) -> bool {
        let counter = &mut self.0[context % ESCAPES];
        let bit = coder.code(bit, u32::from(counter.p()).max(1));
        counter.learn(bit, 60);
        bit
    }
}

impl Model {
    /// What a frame is coded with, and learned by it.
    pub fn parts(&mut self, key: bool) -> (&mut Bank, Escapes<'_>) {
        let bank = if key { &mut self.key } else { &mut self.inter };
        (Arc::make_mut(bank), Escapes(&mut self.escapes))
    }
}

mod pack;

pub use pack::{PackError, unpack};
