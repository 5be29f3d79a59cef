//! Connected parts of the clusters of one map (patent ¶33), all clusters in one pass.

use super::numeric::{bytes_of, sized};

/// The label of cells that belong to no cluster.
pub const NO_LABEL: u32 = u32::MAX;

/// One connected part of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Component {
    /// The cluster it is part of.
    pub label: u32,
    pub cells: usize,
    /// First column, first row, last column + 1, last row + 1.
    pub bounds: [usize; 4],
}

/// Memory of [`Components::find`], and its answer.
#[derive(Debug, Default)]
pub struct Components {
    /// In the order of their first cells.
    pub list: Vec<Component>,
    /// Index in `list` for each cell; [`NO_LABEL`] where the cell has no cluster.
    pub of_cell: Vec<u32>,
    stack: Vec<u32>,
}

impl Components {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        bytes_of(&self.list) + bytes_of(&self.of_cell) + bytes_of(&self.stack)
    }

    /// Splits the label map (row-major, `width` cells a row) into connected parts; neighbours
    /// are the 4 or 8 cells around (`connectivity`).
    pub fn find(&mut self, labels: &[u32], width: usize, connectivity: usize) {
        let of_cell = sized(&mut self.of_cell, labels.len());
        of_cell.fill(NO_LABEL);
        self.list.clear();
        for first in 0..labels.len() {
            if of_cell[first] != NO_LABEL || labels[first] == NO_LABEL {
                continue;
            }
            let index = self.list.len() as u32;
            let (row, column) = (first / width, first % width);
            let mut found = Component {
                label: labels[first],
                cells: 0,
                bounds: [column, row, column + 1, row + 1],
            };
            self.stack.clear();
            self.stack.push(first as u32);
            of_cell[first] = index;
            while let Some(cell) = self.stack.pop() {
                let cell = cell as usize;
                found.add(cell / width, cell % width);
                let next = neighbours(cell, width, labels.len() / width, connectivity);
                for neighbour in next.into_iter().flatten() {
                    if of_cell[neighbour] == NO_LABEL && labels[neighbour] == found.label {
                        of_cell[neighbour] = index;
                        self.stack.push(neighbour as u32);
                    }
                }
            }
            self.list.push(found);
        }
    }
}

impl Component {
    fn add(&mut self, row: usize, column: usize) {
        self.cells += 1;
        let [x0, y0, x1, y1] = self.bounds;
        self.bounds = [x0.min(column), y0.min(row), x1.max(column + 1), y1.max(row + 1)];
    }
}

/// The cells around one: the four that share a side first, then the four corners.
fn neighbours(cell: usize, width: usize, height: usize, connectivity: usize) -> [Option<usize>; 8] {
    const OFFSETS: [(isize, isize); 8] =
        [(-1, 0), (0, -1), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)];
    let (row, column) = ((cell / width) as isize, (cell % width) as isize);
    let mut answer = [None; 8];
    for (entry, (down, right)) in answer.iter_mut().zip(OFFSETS).take(connectivity) {
        let (y, x) = (row + down, column + right);
        if (0..height as isize).contains(&y) && (0..width as isize).contains(&x) {
            *entry = Some(y as usize * width + x as usize);
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagonal_neighbours_count_only_with_eight() {
        let labels = [0, 1, 1, 0];
        let mut components = Components::default();
        components.find(&labels, 2, 4);
        assert_eq!(components.list.len(), 4);
        components.find(&labels, 2, 8);
        assert_eq!(components.list.len(), 2);
        assert_eq!(components.list[0], Component { label: 0, cells: 2, bounds: [0, 0, 2, 2] });
        assert_eq!(components.of_cell[..4], [0, 1, 1, 0]);
    }

    #[test]
    fn cells_without_a_label_belong_to_nothing() {
        let mut components = Components::default();
        components.find(&[7, NO_LABEL, 7], 3, 8);
        assert_eq!(components.list.len(), 2);
        assert_eq!(components.of_cell[..3], [0, NO_LABEL, 1]);
        assert_eq!(components.list[1], Component { label: 7, cells: 1, bounds: [2, 0, 3, 1] });
    }

    /// `tests/golden/spectral/make.py`: scipy.ndimage.label of every cluster's mask.
    #[test]
    fn parts_are_those_of_scipy() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/spectral/components.json");
        let golden: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let whole = |value: &serde_json::Value| value.as_u64().unwrap() as usize;
        let list = |value: &serde_json::Value| -> Vec<usize> {
            value.as_array().unwrap().iter().map(whole).collect()
        };
        for case in golden["cases"].as_array().unwrap() {
            let labels: Vec<u32> = list(&case["labels"]).iter().map(|&x| x as u32).collect();
            let mut found = Components::default();
            found.find(&labels, whole(&case["width"]), whole(&case["connectivity"]));
            let mut parts_count = 0;
            for (cluster, parts) in case["parts"].as_array().unwrap().iter().enumerate() {
                let parts = list(parts);
                parts_count += parts.iter().max().unwrap();
                for cell in 0..labels.len() {
                    assert_eq!(labels[cell] == cluster as u32, parts[cell] != 0);
                    // Both number the parts of a cluster by their first cells.
                    let before = |first: &Component| first.label == cluster as u32;
                    let index = found.of_cell[cell] as usize;
                    if parts[cell] != 0 {
                        let rank = found.list[..=index].iter().filter(|part| before(part)).count();
                        assert_eq!(rank, parts[cell], "cell {cell} of {case}");
                    }
                }
            }
            assert_eq!(found.list.len(), parts_count);
        }
    }

    #[test]
    fn rows_do_not_wrap_around() {
        let mut components = Components::default();
        components.find(&[0, 0, 1, 1, 0, 0], 3, 4);
        assert_eq!(components.list.len(), 3);
    }
}
