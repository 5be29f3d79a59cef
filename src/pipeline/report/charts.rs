//! Histograms: binning, and bars as inline SVG.

use super::markup::escape;
use std::fmt::Write;

/// Most bars of a histogram; more would be thinner than their gaps.
const BARS_MAX: usize = 40;

/// Size of a chart in its own units; it is scaled to its column.
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 170.0;
/// Room for the numbers at the left, the labels below, and the topmost number.
const LEFT: f64 = 42.0;
const BOTTOM: f64 = 32.0;
const TOP: f64 = 10.0;
/// Labels under the bars: more would touch.
const LABELS_MAX: usize = 9;

/// Bars with labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    pub title: String,
    /// What the labels count or measure.
    pub axis: String,
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bar {
    pub label: String,
    /// What it holds, in words: `32 to 45`.
    pub range: String,
    pub count: u64,
}

impl Histogram {
    /// How often each whole number occurs, in steps of 1, 2, 5, 10, 20, ... such that the bars
    /// suffice.
    pub fn whole_numbers(
        title: impl Into<String>,
        axis: impl Into<String>,
        values: impl IntoIterator<Item = u64>,
    ) -> Histogram {
        let values: Vec<u64> = values.into_iter().collect();
        let (low, high) = match (values.iter().min(), values.iter().max()) {
            (Some(&low), Some(&high)) => (low, high),
            _ => return Histogram { title: title.into(), axis: axis.into(), bars: Vec::new() },
        };
        let mut steps = (0..).flat_map(|power| [1, 2, 5].map(|digit| digit * 10u64.pow(power)));
        let steps_between = |step: u64| high / step - low / step;
        let step = steps.find(|&step| steps_between(step) < BARS_MAX as u64).unwrap_or(u64::MAX);
        let mut counts = vec![0; steps_between(step) as usize + 1];
        for value in values {
            counts[(value / step - low / step) as usize] += 1;
        }
        let bars = counts.into_iter().zip(low / step..).map(|(count, index)| {
            let (first, last) = (index * step, (index * step).saturating_add(step - 1));
            let range = if step == 1 { first.to_string() } else { format!("{first} to {last}") };
            Bar { label: first.to_string(), range, count }
        });
        Histogram { title: title.into(), axis: axis.into(), bars: bars.collect() }
    }

    /// How often sizes occur, two bars for each doubling; sizes under 1 count as 1.
    pub fn doublings(
        title: impl Into<String>,
        axis: impl Into<String>,
        values: impl IntoIterator<Item = f64>,
    ) -> Histogram {
        let place = |value: f64| (value.max(1.0).log2() * 2.0).floor() as usize;
        let mut counts: Vec<u64> = Vec::new();
        for value in values.into_iter().filter(|value| value.is_finite()) {
            let place = place(value);
            counts.resize(counts.len().max(place + 1), 0);
            counts[place] += 1;
        }
        let first = counts.iter().position(|&count| count > 0).unwrap_or(0);
        let edge = |place: usize| format!("{:.0}", (place as f64 / 2.0).exp2());
        let bars = counts.iter().enumerate().skip(first).map(|(place, &count)| Bar {
            label: edge(place),
            range: format!("{} to {}", edge(place), edge(place + 1)),
            count,
        });
        Histogram { title: title.into(), axis: axis.into(), bars: bars.collect() }
    }

    /// One bar for each name.
    pub fn named(
        title: impl Into<String>,
        axis: impl Into<String>,
        counts: impl IntoIterator<Item = (String, u64)>,
    ) -> Histogram {
        let bars =
            counts.into_iter().map(|(name, count)| Bar { label: name.clone(), range: name, count });
        Histogram { title: title.into(), axis: axis.into(), bars: bars.collect() }
    }
}

/// The histogram as a figure.
pub(super) fn figure(histogram: &Histogram) -> String {
    let highest = histogram.bars.iter().map(|bar| bar.count).max().unwrap_or(0).max(1);
    let (plot_width, plot_height) = (WIDTH - LEFT, HEIGHT - TOP - BOTTOM);
    let base = TOP + plot_height;
    let mut svg = String::new();
    for share in [0.0, 0.5, 1.0] {
        let y = base - share * plot_height;
        let _ = write!(svg, "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
        let number = share * highest as f64;
        if number.fract() == 0.0 {
            let (x, y) = (LEFT - 6.0, y + 4.0);
            let _ = write!(svg, "<text x=\"{x}\" y=\"{y:.1}\" text-anchor=\"end\">{number}</text>");
        }
    }
    let count = histogram.bars.len().max(1);
    // A lone bar across the whole chart would look like a frame.
    let pitch = (plot_width / count as f64).min(72.0);
    let every = count.div_ceil(LABELS_MAX);
    for (index, bar) in histogram.bars.iter().enumerate() {
        let x = LEFT + pitch * index as f64;
        let height = plot_height * bar.count as f64 / highest as f64;
        let _ = write!(
            svg,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\">\
             <title>{}: {}</title></rect>",
            x + 0.08 * pitch,
            base - height,
            0.84 * pitch,
            escape(&bar.range),
            bar.count
        );
        if index % every == 0 {
            let (x, y) = (x + pitch / 2.0, base + 14.0);
            let label = escape(&bar.label);
            let _ =
                write!(svg, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{label}</text>");
        }
    }
    let (middle, below) = (LEFT + plot_width / 2.0, HEIGHT - 3.0);
    let axis = escape(&histogram.axis);
    let _ = write!(svg, "<text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">{axis}</text>");
    format!(
        "<figure class=\"chart\"><h3>{}</h3><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\
         {svg}</svg></figure>\n",
        escape(&histogram.title)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(histogram: &Histogram) -> Vec<(&str, u64)> {
        histogram.bars.iter().map(|bar| (bar.label.as_str(), bar.count)).collect()
    }

    #[test]
    fn whole_numbers_get_round_steps_and_gaps_stay() {
        let few = Histogram::whole_numbers("", "", [3, 5, 5]);
        assert_eq!(counts(&few), [("3", 1), ("4", 0), ("5", 2)]);
        let wide = Histogram::whole_numbers("", "", [0, 1, 99]);
        assert_eq!(wide.bars.len(), 20);
        assert_eq!(wide.bars[0], Bar { label: "0".into(), range: "0 to 4".into(), count: 2 });
        assert_eq!(wide.bars[19].count, 1);
        let huge = Histogram::whole_numbers("", "", [u64::MAX, 0]);
        assert!(huge.bars.len() <= BARS_MAX);
        assert!(Histogram::whole_numbers("", "", []).bars.is_empty());
    }

    #[test]
    fn sizes_get_two_bars_for_each_doubling() {
        let sizes = Histogram::doublings("", "", [8.0, 11.0, 12.0, 33.0, f64::NAN]);
        let expected = [("8", 2), ("11", 1), ("16", 0), ("23", 0), ("32", 1)];
        assert_eq!(counts(&sizes), expected);
    }
}
