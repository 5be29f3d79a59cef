//! Filter (b): a cluster in more than `components_max` connected parts is noise (patent ¶57:
//! "over 10", so ten are kept and eleven dropped).
//!
//! Parts smaller than the smallest region are no regions, so they are not counted; the patent
//! does not speak of them (`ProposalConfig::components_max` has the measurement).

use crate::proposals::components::Component;
use crate::proposals::numeric::sized;

/// Fills `noisy[label]` for every label below `clusters`. Answers how many clusters are noise.
pub fn find_noisy(
    components: &[Component],
    clusters: usize,
    components_max: usize,
    counts_as_region: impl Fn(&Component) -> bool,
    parts: &mut Vec<u32>,
    noisy: &mut Vec<bool>,
) -> usize {
    let parts = sized(parts, clusters);
    parts.fill(0);
    for component in components.iter().filter(|component| counts_as_region(component)) {
        parts[component.label as usize] += 1;
    }
    noisy.clear();
    noisy.extend(parts.iter().map(|count| *count as usize > components_max));
    noisy.iter().filter(|noisy| **noisy).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noisy_with(parts: usize, specks: usize) -> Vec<bool> {
        let part = |cells| Component { label: 1, cells, bounds: [0; 4] };
        let mut components = vec![part(5); parts];
        components.extend(vec![part(1); specks]);
        let mut noisy = Vec::new();
        find_noisy(&components, 2, 10, |part| part.cells > 1, &mut Vec::new(), &mut noisy);
        noisy
    }

    #[test]
    fn ten_parts_are_kept_and_eleven_dropped() {
        assert_eq!(noisy_with(10, 0), [false, false]);
        assert_eq!(noisy_with(11, 0), [false, true]);
    }

    #[test]
    fn specks_are_not_counted() {
        assert_eq!(noisy_with(10, 50), [false, false]);
    }
}
