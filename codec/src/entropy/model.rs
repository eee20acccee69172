//! Adaptive models: banks of contexts whose opinions are mixed in the logistic domain.

use super::{counter::Counter, logistic::squash, range::BitCoder};

/// Contexts that are mixed for one decision.
pub const INPUTS: usize = 8;
/// Weight sets of each of the two selectors of a bank.
pub const SETS: usize = 64;

/// Weight of each input at a cold start, in Q16, per selector: together somewhat more than an average.
const COLD_WEIGHT: i32 = 7_000;
const WEIGHT_MAX: i32 = 1 << 19;
/// How slowly weights learn: more is slower.
const WEIGHT_SHIFT: u32 = 17;

type Weights = [i32; INPUTS];

/// The kinds of decisions, each with a bank of its own for frames with and without a reference.
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

/// log2 of the contexts of each input, by [`Kind`].
pub const CONTEXT_BITS: [u32; 4] = [10, 12, 10, 11];
/// Banks of a model: the kinds without, then with a reference.
pub const BANKS: usize = 8;
/// Plain counters for the bits of magnitudes beyond the unary part.
pub const ESCAPES: usize = 64;
/// Most that a context's count grows to, by bank.
const LIMITS: [u16; BANKS] = [60, 120, 120, 120, 60, 250, 120, 120];

/// Contexts and weights for one kind of decision.
#[derive(Debug)]
pub struct Bank {
    pub counters: Vec<Counter>,
    pub weights: [Vec<Weights>; 2],
    bits: u32,
    limit: u16,
}

impl Clone for Bank {
    fn clone(&self) -> Self {
        Self {
            counters: self.counters.clone(),
            weights: self.weights.clone(),
            ..*self
        }
    }

    fn clone_from(&mut self, source: &Self) {
        self.counters.clone_from(&source.counters);
        self.weights.clone_from(&source.weights);
        (self.bits, self.limit) = (source.bits, source.limit);
    }
}

impl Bank {
    fn new(bits: u32, limit: u16) -> Self {
        let weights = vec![[COLD_WEIGHT; INPUTS]; SETS];
        Self {
            counters: vec![Counter::default(); INPUTS << bits],
            weights: [weights.clone(), weights],
            bits,
            limit,
        }
    }

    /// Codes one decision, predicted from one context per input, and learns it.
    #[inline]
    pub fn code<C: BitCoder>(
        &mut self,
        coder: &mut C,
        bit: bool,
        contexts: &[usize; INPUTS],
        sets: [usize; 2],
    ) -> bool {
        let mask = (1 << self.bits) - 1;
        let mut at = [0; INPUTS];
        let mut inputs = [0; INPUTS];
        for i in 0..INPUTS {
            debug_assert!(contexts[i] <= mask, "context {i} is {}", contexts[i]);
            at[i] = (i << self.bits) + (contexts[i] & mask);
            inputs[i] = self.counters[at[i]].opinion();
        }
        let [first, second] = &mut self.weights;
        let first = &mut first[sets[0] % SETS];
        let second = &mut second[sets[1] % SETS];
        let mut sum = 0i64;
        for i in 0..INPUTS {
            sum += i64::from(inputs[i]) * i64::from(first[i] + second[i]);
        }
        let one = squash((sum >> 16).clamp(-4096, 4096) as i32);
        let bit = coder.code(bit, one);

        let error = (i32::from(bit) << 16) - one as i32;
        for i in 0..INPUTS {
            // |input| < 2^12 and |error| <= 2^16: the product fits.
            let change = (inputs[i] * error) >> WEIGHT_SHIFT;
            first[i] = (first[i] + change).clamp(-WEIGHT_MAX, WEIGHT_MAX);
            second[i] = (second[i] + change).clamp(-WEIGHT_MAX, WEIGHT_MAX);
            self.counters[at[i]].learn(bit, self.limit);
        }
        bit
    }
}

/// All adaptive state of the entropy coder.
#[derive(Debug)]
pub struct Model {
    pub banks: [Bank; BANKS],
    pub escapes: [Counter; ESCAPES],
}

impl Default for Model {
    fn default() -> Self {
        let bank = |index: usize| Bank::new(CONTEXT_BITS[index % 4], LIMITS[index]);
        Self {
            banks: std::array::from_fn(bank),
            escapes: [Counter::default(); ESCAPES],
        }
    }
}

impl Clone for Model {
    fn clone(&self) -> Self {
        Self {
            banks: self.banks.clone(),
            escapes: self.escapes,
        }
    }

    fn clone_from(&mut self, source: &Self) {
        for (bank, source) in self.banks.iter_mut().zip(&source.banks) {
            bank.clone_from(source);
        }
        self.escapes = source.escapes;
    }
}

impl Model {
    /// The bank for a kind of decision.
    #[inline]
    pub fn bank(&mut self, kind: Kind, key: bool) -> &mut Bank {
        &mut self.banks[kind as usize + if key { 0 } else { 4 }]
    }

    /// Codes one bit without mixing.
    pub fn escape<C: BitCoder>(&mut self, coder: &mut C, bit: bool, context: usize) -> bool {
        let counter = &mut self.escapes[context % ESCAPES];
        let bit = coder.code(bit, u32::from(counter.p).max(1));
        counter.learn(bit, 60);
        bit
    }
}

mod pack;

pub use pack::{PackError, unpack};
