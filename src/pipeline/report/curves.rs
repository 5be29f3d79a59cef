//! Curves over the steps of training, as inline SVG.

use super::markup::escape;
use std::fmt::Write;

/// Size of a chart in its own units; it is scaled to its column.
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 170.0;
/// Room for the numbers at the left, the labels below, and the topmost number.
const LEFT: f64 = 48.0;
const BOTTOM: f64 = 32.0;
const TOP: f64 = 10.0;
/// Most points of a line; of more, each is the mean of neighbours.
const POINTS_MAX: usize = 300;
/// Hues of the lines, far apart for readers who see few colours.
const HUES: [u32; 4] = [221, 28, 158, 320];

/// Lines over one axis.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curves {
    pub title: String,
    /// What x counts.
    pub axis: String,
    pub lines: Vec<Line>,
    /// Places on the axis where a stage ends.
    pub marks: Vec<f64>,
}

/// One line.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Line {
    pub name: String,
    /// x ascending, y finite.
    pub points: Vec<(f64, f64)>,
}

/// Neighbours put together until there are few enough points.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let group = points.len().div_ceil(POINTS_MAX).max(1);
    let mean = |chunk: &[(f64, f64)]| {
        let count = chunk.len() as f64;
        let sum = chunk.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (sum.0 / count, sum.1 / count)
    };
    points.chunks(group).map(mean).collect()
}

/// The least round number, 1, 2 or 5 times a power of ten, that is not below `value`.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let digit = [1.0, 2.0, 5.0].into_iter().find(|digit| digit * power >= value * (1.0 - 1e-12));
    digit.unwrap_or(10.0) * power
}

/// The curves as a figure; y starts at 0.
pub(super) fn figure(curves: &Curves) -> String {
    let points = || curves.lines.iter().flat_map(|line| &line.points);
    let right = points().map(|point| point.0).fold(1.0, f64::max);
    let top = round_up(points().map(|point| point.1).fold(0.0, f64::max));
    let (plot_width, plot_height) = (WIDTH - LEFT - 8.0, HEIGHT - TOP - BOTTOM);
    let base = TOP + plot_height;
    let x_of = |x: f64| LEFT + plot_width * x / right;
    let mut svg = String::new();
    for share in [0.0, 0.5, 1.0] {
        let y = base - share * plot_height;
        let _ = write!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{}\">{:.0}</text>",
            LEFT - 6.0,
            y + 4.0,
            share * top,
            x_of(share * right),
            base + 14.0,
            // The last number would be cut off at the edge.
            if share < 1.0 { "middle" } else { "end" },
            share * right
        );
    }
    for mark in &curves.marks {
        let x = x_of(*mark);
        let _ = write!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{base}\" class=\"mark\"/>"
        );
    }
    let mut names = String::new();
    for (line, hue) in curves.lines.iter().zip(HUES.iter().cycle()) {
        let path: String = thinned(&line.points)
            .into_iter()
            .map(|(x, y)| format!("{:.1},{:.1} ", x_of(x), base - plot_height * y / top))
            .collect();
        let colour = format!("hsl({hue} 70% 52%)");
        let _ = write!(svg, "<polyline points=\"{}\" stroke=\"{colour}\"/>", path.trim_end());
        let name = escape(&line.name);
        let _ = write!(names, "<span style=\"border-color: {colour}\">{name}</span>");
    }
    let (middle, below) = (LEFT + plot_width / 2.0, HEIGHT - 3.0);
    let axis = escape(&curves.axis);
    let _ = write!(svg, "<text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">{axis}</text>");
    format!(
        "<figure class=\"chart\"><h3>{}</h3><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\
         {svg}</svg><div class=\"legend\">{names}</div></figure>\n",
        escape(&curves.title)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers_and_every_line_is_drawn() {
        let rounded = [0.0, 0.03, 1.0, 7.2, 20.0, 21.0].map(round_up);
        assert_eq!(rounded, [1.0, 0.05, 1.0, 10.0, 20.0, 50.0]);
        let line = |name: &str| Line { name: name.into(), points: vec![(1.0, 4.0), (2.0, 2.0)] };
        let curves =
            Curves { lines: vec![line("a<"), line("b")], marks: vec![1.0], ..Curves::default() };
        let html = figure(&curves);
        assert_eq!(html.matches("<polyline").count(), 2);
        assert!(html.contains("a&lt;") && html.contains("class=\"mark\""));
    }

    #[test]
    fn long_lines_are_thinned_to_means() {
        let points: Vec<(f64, f64)> = (0..3 * POINTS_MAX).map(|i| (i as f64, 2.0)).collect();
        let few = thinned(&points);
        assert_eq!(few.len(), POINTS_MAX);
        assert_eq!(few[0], (1.0, 2.0));
    }
}
