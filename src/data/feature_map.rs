//! Feature maps: what an encoder gives and local clustering reads. f32, NHWC without the N.

use crate::{Error, Result, memory};

/// One map of one image, owned: `values[(y * width + x) * channels + channel]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FeatureMap {
    pub values: Vec<f32>,
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

impl FeatureMap {
    /// Makes it of this size in the memory that it has, filled with `value`.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn reset(&mut self, [height, width, channels]: [usize; 3], value: f32) -> Result<()> {
        (self.height, self.width, self.channels) = (height, width, channels);
        self.values.clear();
        memory::resize(&mut self.values, height * width * channels, value, "a feature map")
    }

    /// The map as a borrowed view.
    pub fn view(&self) -> FeatureMapView<'_> {
        FeatureMapView {
            values: &self.values,
            height: self.height,
            width: self.width,
            channels: self.channels,
        }
    }
}

/// A borrowed map, dense HWC.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeatureMapView<'a> {
    pub values: &'a [f32],
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

impl<'a> FeatureMapView<'a> {
    /// Checks length and finiteness. `name` stands in the message.
    ///
    /// # Errors
    /// [`Error::Shape`] when the sizes do not multiply to the length or one is 0;
    /// [`Error::NonFinite`] with the first offending index.
    pub fn checked(
        name: &str,
        values: &'a [f32],
        height: usize,
        width: usize,
        channels: usize,
    ) -> Result<FeatureMapView<'a>> {
        if height * width * channels != values.len() || values.is_empty() {
            return Err(Error::shape(
                name,
                format!("[{height},{width},{channels}] values, none of them 0"),
                format!("{} values", values.len()),
            ));
        }
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(Error::NonFinite { name: name.into(), index, value: values[index] });
        }
        Ok(FeatureMapView { values, height, width, channels })
    }

    /// Number of cells.
    pub fn cells(&self) -> usize {
        self.height * self.width
    }

    /// The vector of one cell, row-major cell number.
    pub fn cell(&self, cell: usize) -> &'a [f32] {
        &self.values[cell * self.channels..(cell + 1) * self.channels]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_finiteness_are_checked_with_numbers() {
        assert!(FeatureMapView::checked("map 0", &[1.0; 6], 1, 2, 3).is_ok());
        let error = FeatureMapView::checked("map 0", &[1.0; 5], 1, 2, 3).unwrap_err();
        assert!(error.to_string().contains("[1,2,3]") && error.to_string().contains("5 values"));
        let error = FeatureMapView::checked("map 1", &[1.0, f32::NAN], 1, 1, 2).unwrap_err();
        assert!(matches!(error, Error::NonFinite { index: 1, .. }));
    }
}
