//! What flows between the rooms, in memory and on disk: images, feature maps, proposals, the
//! proposal store, COCO files.

pub mod atomic_file;
pub mod coco;
pub mod drawing;
pub mod feature_map;
pub mod file_kind;
pub mod fingerprint;
pub mod folder;
pub mod folder_lock;
pub mod image;
pub mod image_sources;
mod left_out;
pub mod positioned;
pub mod proposal_set;
pub mod store;
pub mod tensor_file;
pub mod tensor_file_write;
pub mod training;
pub mod vectors;
