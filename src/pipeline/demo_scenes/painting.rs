//! Puts a scene together: ground, placed objects with smooth edges, sensor noise, visible boxes.

use super::grounds::{Colour, Ground};
use super::noise::Noise;
use super::scene::Scene;
use super::things::Kind;
use crate::data::image::Image;
use crate::geometry::{BoundingBox, area, intersection};
use crate::random::Random;

/// Most objects in a scene.
const OBJECTS_MAX: u64 = 6;
/// Places that are tried for an object before it is left out.
const TRIES: usize = 30;
/// Largest share of the smaller of two boxes that may be hidden.
const HIDDEN_SHARE_MAX: f64 = 0.15;
/// Samples for each side of a pixel, for smooth edges.
const SAMPLES: usize = 3;
/// Standard deviation of the sensor noise, in [0, 1].
const SENSOR_NOISE: f32 = 0.012;

/// An object in its place.
struct Placed {
    kind: Kind,
    centre: [f32; 2],
    /// Half sides in pixels, before the turn.
    radii: [f32; 2],
    /// Cosine and sine.
    turn: [f32; 2],
    tint: Colour,
    /// Where the object is brightest, in its frame, and by how much.
    light: [f32; 2],
}

impl Placed {
    fn new(width: u32, height: u32, random: &mut Random) -> Placed {
        let kind = Kind::ALL[random.below(Kind::ALL.len() as u64) as usize];
        let short_side = width.min(height) as f32;
        // Log-uniform: as many objects from 18 to 34 % of the short side as from 34 to 65 %.
        let diameter = short_side * 0.18 * (0.65_f32 / 0.18).powf(random.uniform() as f32);
        let stretch = 0.8_f32 * (1.25_f32 / 0.8).powf(random.uniform() as f32);
        let angle = random.uniform() as f32 * std::f32::consts::TAU;
        let radius = diameter / 2.0;
        let mut within = |side: u32| radius + random.uniform() as f32 * (side as f32 - diameter);
        let centre = [within(width), within(height)];
        Placed {
            kind,
            centre,
            radii: [radius * stretch.sqrt(), radius / stretch.sqrt()],
            turn: [angle.cos(), angle.sin()],
            tint: std::array::from_fn(|_| 0.85 + 0.25 * random.uniform() as f32),
            light: std::array::from_fn(|_| 0.22 * (2.0 * random.uniform() as f32 - 1.0)),
        }
    }

    /// Bounds of the turned frame, cut to the image: the object lies inside.
    fn frame(&self, width: u32, height: u32) -> BoundingBox {
        let [cosine, sine] = self.turn.map(f32::abs);
        let half_width = self.radii[0] * cosine + self.radii[1] * sine;
        let half_height = self.radii[0] * sine + self.radii[1] * cosine;
        [
            (self.centre[0] - half_width).max(0.0),
            (self.centre[1] - half_height).max(0.0),
            (self.centre[0] + half_width).min(width as f32),
            (self.centre[1] + half_height).min(height as f32),
        ]
    }

    /// The colour of the object at a point of the image, if it covers it.
    fn colour(&self, noise: &Noise, x: f32, y: f32) -> Option<Colour> {
        let (dx, dy) = (x - self.centre[0], y - self.centre[1]);
        let [cosine, sine] = self.turn;
        let u = (dx * cosine + dy * sine) / self.radii[0];
        let v = (dy * cosine - dx * sine) / self.radii[1];
        if !self.kind.covers(u, v) {
            return None;
        }
        let colour = self.kind.colour(noise, u, v);
        // Darker towards the rim, brighter towards the light.
        let light = 1.05 - 0.18 * (u * u + v * v) + self.light[0] * u + self.light[1] * v;
        Some(std::array::from_fn(|channel| colour[channel] * self.tint[channel] * light))
    }
}

pub(super) fn paint(random: &mut Random) -> Scene {
    let width = 320 + random.below(161) as u32;
    let height = 240 + random.below(121) as u32;
    let ground = Ground::new(width, height, random);
    let mut pixels: Vec<Colour> = Vec::with_capacity((width * height) as usize);
    for y in 0..height {
        pixels.extend((0..width).map(|x| ground.colour(x as f32 + 0.5, y as f32 + 0.5)));
    }
    let mut owners = vec![0usize; pixels.len()];
    let placed = place(width, height, random);
    let surface = Noise::new(random);
    let mut canvas = Canvas { width, height, pixels: &mut pixels, owners: &mut owners };
    for (object, owner) in placed.iter().zip(1..) {
        canvas.draw(object, owner, &surface);
    }
    let bytes = pixels.iter().flat_map(|colour| {
        let noise = SENSOR_NOISE * random.normal() as f32;
        colour.map(|value| ((value + noise).clamp(0.0, 1.0) * 255.0 + 0.5) as u8)
    });
    let image = Image { width, height, pixels: bytes.collect() };
    let (mut boxes, mut kinds) = (Vec::new(), Vec::new());
    for (object, owner) in placed.iter().zip(1..) {
        if let Some(bounds) = visible_bounds(&owners, owner, width as usize) {
            boxes.push(bounds);
            kinds.push(object.kind as u32);
        }
    }
    Scene { image, boxes, kinds }
}

/// Objects whose frames hide little of each other, in the order in which they are drawn.
fn place(width: u32, height: u32, random: &mut Random) -> Vec<Placed> {
    let mut placed: Vec<Placed> = Vec::new();
    for _ in 0..1 + random.below(OBJECTS_MAX) {
        let candidates = (0..TRIES).map(|_| Placed::new(width, height, random));
        let free = candidates.into_iter().find(|candidate| {
            let frame = candidate.frame(width, height);
            placed.iter().map(|other| other.frame(width, height)).all(|other| {
                let smaller = area(&frame).min(area(&other));
                intersection(&frame, &other) <= HIDDEN_SHARE_MAX * smaller
            })
        });
        placed.extend(free);
    }
    placed
}

/// A picture that is being painted.
struct Canvas<'a> {
    width: u32,
    height: u32,
    pixels: &'a mut [Colour],
    /// The object that each pixel belongs to, 0 for the ground.
    owners: &'a mut [usize],
}

impl Canvas<'_> {
    /// Mixes an object into the pixels that it covers and marks those that are mostly its own.
    fn draw(&mut self, object: &Placed, owner: usize, surface: &Noise) {
        let frame = object.frame(self.width, self.height);
        for y in frame[1] as u32..(frame[3].ceil() as u32).min(self.height) {
            for x in frame[0] as u32..(frame[2].ceil() as u32).min(self.width) {
                let (mut sum, mut covered) = ([0.0; 3], 0usize);
                for sample in 0..SAMPLES * SAMPLES {
                    let place = |index: usize| (index as f32 + 0.5) / SAMPLES as f32;
                    let (right, down) = (place(sample % SAMPLES), place(sample / SAMPLES));
                    if let Some(colour) = object.colour(surface, x as f32 + right, y as f32 + down)
                    {
                        sum = std::array::from_fn(|channel| sum[channel] + colour[channel]);
                        covered += 1;
                    }
                }
                let index = (y * self.width + x) as usize;
                let samples = (SAMPLES * SAMPLES) as f32;
                let (below, rest) = (self.pixels[index], 1.0 - covered as f32 / samples);
                self.pixels[index] = std::array::from_fn(|c| sum[c] / samples + below[c] * rest);
                if 2 * covered > SAMPLES * SAMPLES {
                    self.owners[index] = owner;
                }
            }
        }
    }
}

/// The box of the pixels that belong to `owner`.
fn visible_bounds(owners: &[usize], owner: usize, width: usize) -> Option<BoundingBox> {
    let own = owners.iter().enumerate().filter(|&(_, &one)| one == owner);
    own.map(|(index, _)| ((index % width) as f32, (index / width) as f32)).fold(
        None,
        |bounds: Option<BoundingBox>, (x, y)| {
            let [x0, y0, x1, y1] = bounds.unwrap_or([x, y, x, y]);
            Some([x0.min(x), y0.min(y), x1.max(x + 1.0), y1.max(y + 1.0)])
        },
    )
}
