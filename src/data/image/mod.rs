//! Images: decoding with limits, orientation, colour, resizing, normalisation.

/// An upright 8-bit RGB image, rows from top to bottom without padding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Image {
    pub width: u32,
    pub height: u32,
    /// `height * width * 3` bytes.
    pub pixels: Vec<u8>,
}
