//! `Dice`: every choice of a seed. Two runs that throw alike are alike.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// The random source of one seed.
#[derive(Clone)]
pub struct Dice {
    source: Xoshiro256PlusPlus,
}

impl Dice {
    /// The dice of a seed.
    pub fn new(seed: u64) -> Dice {
        Dice { source: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.source.next_u64()
    }

    /// A number below `bound` (0 for 0).
    pub fn below(&mut self, bound: u64) -> u64 {
        self.any() % bound.max(1)
    }

    /// True in `permille` of a thousand cases.
    pub fn chance(&mut self, permille: u64) -> bool {
        self.below(1000) < permille
    }

    /// One of several, or none of none.
    pub fn pick<T: Copy>(&mut self, several: &[T]) -> Option<T> {
        several.get(self.below(several.len() as u64) as usize).copied()
    }
}
