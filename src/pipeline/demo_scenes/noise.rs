//! Smooth random fields: value noise on a lattice, and sums of its octaves.
//!
//! Source: Perlin, "An image synthesizer", SIGGRAPH 1985 (solid texture from lattice noise,
//! smooth interpolation, octaves with falling amplitude).

use crate::random::Random;

/// Side of the lattice, a power of two; fields repeat after as many cells.
const SIDE: usize = 64;

/// A lattice of random values in [0, 1).
pub(super) struct Noise {
    lattice: Vec<f32>,
}

impl Noise {
    pub(super) fn new(random: &mut Random) -> Noise {
        Noise { lattice: (0..SIDE * SIDE).map(|_| random.uniform() as f32).collect() }
    }

    /// The value of the lattice cell that holds a point: constant in each unit square.
    pub(super) fn cell(&self, x: f32, y: f32) -> f32 {
        self.at(x.floor() as i64, y.floor() as i64)
    }

    /// A smooth field in [0, 1), one random value for each unit of length.
    pub(super) fn smooth(&self, x: f32, y: f32) -> f32 {
        let (column, row) = (x.floor(), y.floor());
        let ease = |t: f32| t * t * (3.0 - 2.0 * t);
        let (right, down) = (ease(x - column), ease(y - row));
        let (column, row) = (column as i64, row as i64);
        let above = mix(self.at(column, row), self.at(column + 1, row), right);
        let below = mix(self.at(column, row + 1), self.at(column + 1, row + 1), right);
        mix(above, below, down)
    }

    /// Four octaves of [`Noise::smooth`], each twice as fine and half as strong; in [0, 1).
    pub(super) fn fractal(&self, x: f32, y: f32) -> f32 {
        // The offsets keep lattice points of different octaves apart.
        (0..4).fold(0.0, |sum, octave| {
            let (scale, offset) = ((1 << octave) as f32, 17.3 * octave as f32);
            sum + self.smooth(x * scale + offset, y * scale + offset) / (2.0 * scale)
        }) / 0.9375
    }

    fn at(&self, column: i64, row: i64) -> f32 {
        let wrap = |place: i64| place.rem_euclid(SIDE as i64) as usize;
        self.lattice[wrap(row) * SIDE + wrap(column)]
    }
}

/// `first` at 0, `second` at 1.
pub(super) fn mix(first: f32, second: f32, share: f32) -> f32 {
    first + (second - first) * share
}

/// [`mix`] for colours.
pub(super) fn mix_colours(first: [f32; 3], second: [f32; 3], share: f32) -> [f32; 3] {
    std::array::from_fn(|channel| mix(first[channel], second[channel], share))
}
