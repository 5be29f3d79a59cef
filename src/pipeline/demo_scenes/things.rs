//! The eight kinds of objects: an outline and a painted surface, both in the object's own frame,
//! in which it fills the square from -1 to 1.

use super::grounds::Colour;
use super::noise::{Noise, mix_colours};
use std::f32::consts::{PI, TAU};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ladybird,
    StripedBall,
    Bricks,
    Leaf,
    Star,
    ChessBoard,
    IcedRing,
    Crystal,
}

impl Kind {
    pub(super) const ALL: [Kind; 8] = [
        Kind::Ladybird,
        Kind::StripedBall,
        Kind::Bricks,
        Kind::Leaf,
        Kind::Star,
        Kind::ChessBoard,
        Kind::IcedRing,
        Kind::Crystal,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Ladybird => "ladybird",
            Kind::StripedBall => "striped ball",
            Kind::Bricks => "bricks",
            Kind::Leaf => "leaf",
            Kind::Star => "star",
            Kind::ChessBoard => "chess board",
            Kind::IcedRing => "iced ring",
            Kind::Crystal => "crystal",
        }
    }

    /// Whether the object covers this point of its frame.
    pub(super) fn covers(self, u: f32, v: f32) -> bool {
        let radius = u.hypot(v);
        match self {
            Kind::Ladybird | Kind::StripedBall => radius <= 1.0,
            Kind::Bricks => u.abs() <= 1.0 && v.abs() <= 0.7,
            Kind::Leaf => u.abs() <= 1.0 && v.abs() <= 0.6 * (1.0 - u * u).powf(0.8),
            Kind::Star => radius <= star_radius(u, v),
            Kind::ChessBoard => u.abs() <= 0.92 && v.abs() <= 0.92,
            Kind::IcedRing => (0.4..=1.0).contains(&radius),
            Kind::Crystal => u.abs() <= 0.87 && u.abs() * 0.5 + v.abs() * 0.87 <= 0.87,
        }
    }

    /// The surface at a covered point, without light.
    pub(super) fn colour(self, noise: &Noise, u: f32, v: f32) -> Colour {
        let rough = noise.fractal(u * 4.0 + 9.0, v * 4.0 + 5.0) - 0.5;
        let plain = match self {
            Kind::Ladybird => ladybird(u, v),
            Kind::StripedBall => {
                let wave = (9.0 * (u + 0.3 * v * v)).sin();
                if wave > 0.0 { [0.93, 0.92, 0.88] } else { [0.12, 0.16, 0.42] }
            }
            Kind::Bricks => bricks(noise, u, v),
            Kind::Leaf => {
                let is_vein = v.abs() < 0.035 || ((u + 0.8 * v.abs()) * 5.0).rem_euclid(1.0) < 0.14;
                if is_vein { [0.55, 0.74, 0.30] } else { [0.16, 0.47, 0.13] }
            }
            Kind::Star => mix_colours([0.98, 0.55, 0.10], [0.99, 0.88, 0.25], u.hypot(v) * 1.3),
            Kind::ChessBoard => {
                let square = (u * 2.7).floor() + (v * 2.7).floor();
                if square.rem_euclid(2.0) < 1.0 { [0.13, 0.52, 0.66] } else { [0.90, 0.93, 0.90] }
            }
            Kind::IcedRing => iced_ring(noise, u, v),
            Kind::Crystal => {
                let sector = ((v.atan2(u) + PI) / TAU * 6.0).floor();
                let facet = noise.cell(sector, 3.0);
                mix_colours([0.34, 0.12, 0.55], [0.80, 0.58, 0.95], facet)
            }
        };
        plain.map(|value| value + 0.18 * rough)
    }
}

/// Radius of a five-pointed star in the direction of a point: straight edges between outer
/// corners at 1 and inner corners at 0.45.
fn star_radius(u: f32, v: f32) -> f32 {
    let sector = TAU / 5.0;
    // Angle to the nearest outer corner, 0 to half a sector.
    let angle = (u.atan2(-v).rem_euclid(sector) - sector / 2.0).abs();
    let angle = sector / 2.0 - angle;
    let (inner, half) = (0.45_f32, sector / 2.0);
    // The edge from (1, 0) to the inner corner, met by a ray at `angle`.
    let (x, y) = (inner * half.cos(), inner * half.sin());
    y / (angle.sin() * (1.0 - x) + angle.cos() * y)
}

fn ladybird(u: f32, v: f32) -> Colour {
    const SPOTS: [[f32; 2]; 6] =
        [[0.4, -0.2], [-0.4, -0.2], [0.55, 0.3], [-0.55, 0.3], [0.25, 0.65], [-0.25, 0.65]];
    let is_spot = SPOTS.iter().any(|spot| (u - spot[0]).hypot(v - spot[1]) < 0.17);
    if v < -0.55 || u.abs() < 0.04 || is_spot { [0.08, 0.06, 0.06] } else { [0.82, 0.12, 0.09] }
}

fn bricks(noise: &Noise, u: f32, v: f32) -> Colour {
    let row = (v * 3.6).floor();
    let along = u * 2.2 + 0.5 * row.rem_euclid(2.0);
    let is_mortar = along.rem_euclid(1.0) < 0.09 || (v * 3.6).rem_euclid(1.0) < 0.15;
    if is_mortar {
        return [0.78, 0.75, 0.70];
    }
    mix_colours([0.60, 0.25, 0.14], [0.83, 0.44, 0.26], noise.cell(along + 11.0, row + 23.0))
}

fn iced_ring(noise: &Noise, u: f32, v: f32) -> Colour {
    let radius = u.hypot(v);
    if !(0.5..=0.9).contains(&radius) {
        return [0.78, 0.55, 0.30];
    }
    let hue = noise.cell(u * 7.0 + 40.0, v * 7.0 + 40.0);
    match hue {
        _ if hue < 0.12 => [0.98, 0.95, 0.35],
        _ if hue < 0.24 => [0.35, 0.80, 0.92],
        _ => [0.95, 0.52, 0.70],
    }
}
