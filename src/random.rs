//! Philox4x32-10, the counter-based random generator of the whole library.
//!
//! Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011. A counter and a
//! key give the same four words anywhere, so a draw depends on *what* it is for (seed, stage,
//! epoch, image, purpose; conventions.md) and never on threads or on what was drawn before.

const MULTIPLIER_0: u32 = 0xD251_1F53;
const MULTIPLIER_1: u32 = 0xCD9E_8D57;
const WEYL_0: u32 = 0x9E37_79B9;
const WEYL_1: u32 = 0xBB67_AE85;

/// Draws of one number at most. Each is refused with a chance below 1/2, so that the last one is
/// taken as it is once in 2^128 calls.
const DRAWS_MAX: usize = 128;

/// What a stream of random numbers is used for; part of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// Start vectors of the local eigenvector solver.
    EigenStart = 1,
    /// Seeding of the local k-means.
    LocalSeeding = 2,
    /// Seeding of the global k-means.
    GlobalSeeding = 3,
    /// Sampling rows of a store.
    Sampling = 4,
    /// Order of Selective Search's regions.
    SelectiveSearch = 5,
    /// Scenes of the demo.
    Demo = 6,
    /// Weights that are drawn and not loaded.
    Initialisation = 7,
    /// What dropout leaves out.
    Dropout = 8,
    /// Order of the images of an epoch.
    Order = 9,
    /// Sizes, crops, colours and tiles of training images.
    Augmentation = 10,
    /// Which images training does not learn from.
    HeldOut = 11,
}

/// What a stream is keyed by. Two different keys give independent streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamKey {
    pub seed: u64,
    pub stage: u16,
    pub epoch: u16,
    pub image_id: u32,
    pub purpose: Purpose,
}

impl StreamKey {
    /// A key for work that is not tied to a stage, an epoch or an image.
    pub fn new(seed: u64, purpose: Purpose) -> StreamKey {
        StreamKey { seed, stage: 0, epoch: 0, image_id: 0, purpose }
    }

    /// The same key for one image.
    pub fn for_image(self, image_id: u32) -> StreamKey {
        StreamKey { image_id, ..self }
    }

    /// Counter of the first block of a sub-stream, and the key: block `n` of the sub-stream is
    /// [`philox4x32_10`] of both with the counter's first word set to `n`.
    pub fn counter_and_key(self, substream: u16) -> ([u32; 4], [u32; 2]) {
        let purpose = (self.purpose as u32) | (u32::from(substream) << 16);
        let stage = (u32::from(self.stage) << 16) | u32::from(self.epoch);
        ([0, purpose, self.image_id, stage], [self.seed as u32, (self.seed >> 32) as u32])
    }
}

/// A stream of random numbers: 2^32 blocks of four words for each key and sub-stream.
#[derive(Debug, Clone)]
pub struct Random {
    key: [u32; 2],
    counter: [u32; 4],
    block: [u32; 4],
    used: usize,
}

impl Random {
    /// The stream of `key`.
    pub fn new(key: StreamKey) -> Random {
        let (counter, key) = key.counter_and_key(0);
        Random { key, counter, block: [0; 4], used: 4 }
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.used == 4 {
            self.block = philox4x32_10(self.counter, self.key);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    /// The next 64 random bits, low word first.
    pub fn next_u64(&mut self) -> u64 {
        let low = u64::from(self.next_u32());
        low | (u64::from(self.next_u32()) << 32)
    }

    /// Uniform in [0, 1), 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in 0..`bound` without modulo bias (multiply-shift with rejection, Lemire 2019).
    /// `bound` must not be 0. At most [`DRAWS_MAX`] numbers are drawn.
    pub fn below(&mut self, bound: u64) -> u64 {
        let threshold = bound.wrapping_neg() % bound;
        let mut product = 0;
        for _ in 0..DRAWS_MAX {
            product = u128::from(self.next_u64()) * u128::from(bound);
            if product as u64 >= threshold {
                break;
            }
        }
        (product >> 64) as u64
    }

    /// Standard normal (Box-Muller, one value for each pair of uniforms).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// One block of Philox4x32 with ten rounds.
pub fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    philox4x32_10_lanes(counter.map(|word| [word]), key).map(|[word]| word)
}

/// `N` blocks with one key, word by word: element `[w][i]` is word `w` of block `i`, of the
/// counters as of the answer. Compilers turn the lanes into those of vector registers.
#[inline(always)]
pub fn philox4x32_10_lanes<const N: usize>(
    mut counters: [[u32; N]; 4],
    mut key: [u32; 2],
) -> [[u32; N]; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL_0), key[1].wrapping_add(WEYL_1)];
        }
        let [first, second, third, fourth] = &mut counters;
        for lane in 0..N {
            let product_0 = u64::from(MULTIPLIER_0) * u64::from(first[lane]);
            let product_1 = u64::from(MULTIPLIER_1) * u64::from(third[lane]);
            first[lane] = (product_1 >> 32) as u32 ^ second[lane] ^ key[0];
            second[lane] = product_1 as u32;
            third[lane] = (product_0 >> 32) as u32 ^ fourth[lane] ^ key[1];
            fourth[lane] = product_0 as u32;
        }
    }
    counters
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of the authors' Random123 distribution (kat_vectors).
    #[test]
    fn philox_gives_the_published_answers() {
        assert_eq!(
            philox4x32_10([0; 4], [0; 2]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            philox4x32_10([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox4x32_10(
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn streams_differ_by_purpose_and_image_and_repeat_by_key() {
        let key = StreamKey::new(5, Purpose::Demo);
        let draw = |key| Random::new(key).next_u64();
        assert_eq!(draw(key), draw(key));
        assert_ne!(draw(key), draw(key.for_image(1)));
        assert_ne!(draw(key), draw(StreamKey::new(5, Purpose::Sampling)));
    }

    #[test]
    fn below_stays_below_and_normal_has_unit_variance() {
        let mut random = Random::new(StreamKey::new(1, Purpose::Sampling));
        assert!((0..1000).all(|_| random.below(7) < 7));
        let draws: Vec<f64> = (0..20_000).map(|_| random.normal()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }
}
