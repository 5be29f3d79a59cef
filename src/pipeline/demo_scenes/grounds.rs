//! What lies behind the objects: six textured grounds with patches of another one, and pebbles.

use super::noise::{Noise, mix, mix_colours};
use crate::random::Random;

/// RGB in [0, 1].
pub(super) type Colour = [f32; 3];

#[derive(Debug, Clone, Copy)]
enum Texture {
    Grass,
    Sand,
    Water,
    Wood,
    Gravel,
    Cloth,
}

const TEXTURES: [Texture; 6] =
    [Texture::Grass, Texture::Sand, Texture::Water, Texture::Wood, Texture::Gravel, Texture::Cloth];

/// A small ellipse that is not an object.
struct Pebble {
    centre: [f32; 2],
    radii: [f32; 2],
    colour: Colour,
}

/// The ground of one scene.
pub(super) struct Ground {
    noise: Noise,
    main: Texture,
    patches: Texture,
    /// Share of noise above which the second texture shows.
    patch_level: f32,
    /// Pixels for one unit of texture.
    scale: f32,
    /// Turn of the texture, as cosine and sine.
    turn: [f32; 2],
    tint: Colour,
    pebbles: Vec<Pebble>,
}

impl Ground {
    pub(super) fn new(width: u32, height: u32, random: &mut Random) -> Ground {
        let noise = Noise::new(random);
        let angle = random.uniform() as f32 * std::f32::consts::TAU;
        let pick = |random: &mut Random| TEXTURES[random.below(TEXTURES.len() as u64) as usize];
        let (main, patches) = (pick(random), pick(random));
        let pebbles_count = random.below(25);
        let pebbles = (0..pebbles_count).map(|_| {
            let radius = 1.5 + 4.5 * random.uniform() as f32;
            let grey = 0.15 + 0.7 * random.uniform() as f32;
            Pebble {
                centre: [
                    random.uniform() as f32 * width as f32,
                    random.uniform() as f32 * height as f32,
                ],
                radii: [radius, radius * (0.5 + 0.5 * random.uniform() as f32)],
                colour: std::array::from_fn(|_| grey + 0.12 * (random.uniform() as f32 - 0.5)),
            }
        });
        let pebbles = pebbles.collect();
        Ground {
            noise,
            main,
            patches,
            patch_level: 0.55 + 0.2 * random.uniform() as f32,
            scale: 5.0 + 7.0 * random.uniform() as f32,
            turn: [angle.cos(), angle.sin()],
            tint: std::array::from_fn(|_| 0.88 + 0.2 * random.uniform() as f32),
            pebbles,
        }
    }

    /// The colour at the centre of a pixel.
    pub(super) fn colour(&self, x: f32, y: f32) -> Colour {
        for pebble in &self.pebbles {
            let across = (x - pebble.centre[0]) / pebble.radii[0];
            let down = (y - pebble.centre[1]) / pebble.radii[1];
            if across * across + down * down <= 1.0 {
                return pebble.colour.map(|value| value * (0.9 - 0.25 * down));
            }
        }
        let [cosine, sine] = self.turn;
        let along = (x * cosine + y * sine) / self.scale;
        let across = (y * cosine - x * sine) / self.scale;
        let level = self.noise.fractal(x / 60.0 + 31.0, y / 60.0 + 7.0);
        let share = ((level - self.patch_level) * 12.0).clamp(0.0, 1.0);
        let mut colour = self.main.colour(&self.noise, along, across);
        if share > 0.0 {
            colour = mix_colours(colour, self.patches.colour(&self.noise, along, across), share);
        }
        // Broad light and shade.
        let light = mix(0.8, 1.15, self.noise.smooth(x / 140.0, y / 140.0));
        std::array::from_fn(|channel| colour[channel] * self.tint[channel] * light)
    }
}

impl Texture {
    fn colour(self, noise: &Noise, along: f32, across: f32) -> Colour {
        let rough = noise.fractal(along, across);
        match self {
            Texture::Grass => {
                let blades = noise.smooth(along * 0.6, across * 4.0);
                mix_colours([0.13, 0.24, 0.08], [0.45, 0.55, 0.24], 0.5 * (rough + blades))
            }
            Texture::Sand => {
                let ripples = 0.5 + 0.5 * (across * 1.6 + 3.0 * rough).sin();
                mix_colours([0.62, 0.52, 0.36], [0.86, 0.77, 0.58], 0.4 * ripples + 0.6 * rough)
            }
            Texture::Water => {
                let waves = noise.fractal(along * 0.35, across * 1.2);
                mix_colours([0.09, 0.22, 0.33], [0.45, 0.62, 0.68], waves * waves * 1.4)
            }
            Texture::Wood => {
                let grain = 0.5
                    + 0.5 * (across * 3.0 + 5.0 * noise.smooth(along * 0.15, across * 0.5)).sin();
                mix_colours([0.30, 0.19, 0.11], [0.62, 0.45, 0.29], 0.7 * grain + 0.3 * rough)
            }
            Texture::Gravel => {
                let stones = noise.cell(along * 1.3 + 2.0 * rough, across * 1.3 + 2.0 * rough);
                mix_colours([0.26, 0.25, 0.25], [0.68, 0.66, 0.63], 0.7 * stones + 0.3 * rough)
            }
            Texture::Cloth => {
                let weave = 0.5 + 0.25 * ((along * 4.0).sin() + (across * 4.0).sin());
                mix_colours([0.38, 0.30, 0.33], [0.66, 0.60, 0.58], 0.6 * weave + 0.4 * rough)
            }
        }
    }
}
