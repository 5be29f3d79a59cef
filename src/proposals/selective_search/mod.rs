//! Selective Search, the second method of proposing (patent Table 8).
//!
//! Source: Uijlings et al., "Selective search for object recognition", IJCV 2013, in the fast mode
//! that DETReg takes from OpenCV: the image at 128 x 128 is segmented in two colour spaces at three
//! scales, the segments are grouped under two mixes of similarities, and of all groups the first
//! 30 boxes in a partly random order are proposals. Their vectors are means of the encoder's first
//! map over the box; the same global clustering follows.
//!
//! ```text
//! image ─colour─▶ two spaces ─segmentation─▶ segments ─descriptors, hierarchy─▶ regions
//!       ─search─▶ ranked boxes with masks ─output─▶ ProposalSet
//! ```

mod colour;
mod descriptors;
mod hierarchy;
mod options;
mod output;
mod search;
mod segmentation;

pub use options::SelectiveSearchOptions;
pub use output::extract;
pub use search::{FoundRegion, search};
