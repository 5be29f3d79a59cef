//! The columns of a shard and of its image table, and where their buffers are.
//!
//! The vectors stand last, so that everything else of a shard lies together at its front. Buffer
//! numbers follow from the Arrow format: a flat column has two buffers (validity, values), a list
//! has validity, offsets and its items' two, a fixed-size list validity and its items' two.

use super::settings::{FeatureType, StoreSettings};
use arrow_schema::{DataType, Field, Fields, Schema};
use std::sync::Arc;

/// Buffer numbers of a shard's values.
pub(super) mod shard_buffer {
    pub const IMAGE_ID: usize = 1;
    pub const BOX: usize = 4;
    pub const REGION_SHARE: usize = 8;
    pub const LEVEL: usize = 10;
    pub const CLUSTERS_COUNT: usize = 12;
    pub const SCORE: usize = 14;
    pub const MASK_HEIGHT: usize = 16;
    pub const MASK_WIDTH: usize = 18;
    pub const MASK_OFFSETS: usize = 20;
    pub const MASK_RUNS: usize = 22;
    pub const NORM: usize = 24;
    pub const VECTOR: usize = 27;
}

/// Buffer numbers of an image table's values; a text has validity, offsets and bytes.
pub(super) mod image_buffer {
    pub const IMAGE_ID: usize = 1;
    pub const WIDTH: usize = 3;
    pub const HEIGHT: usize = 5;
    pub const PROPOSALS_COUNT: usize = 7;
    pub const PATH_OFFSETS: usize = 9;
    pub const STATUS_OFFSETS: usize = 12;
    pub const MESSAGE_OFFSETS: usize = 15;
}

/// The item of every list column.
pub(super) fn item(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", data_type, false))
}

/// Arrow's name of the vectors' element type.
pub(super) fn feature_data_type(feature_dtype: FeatureType) -> DataType {
    match feature_dtype {
        FeatureType::F16 => DataType::Float16,
        FeatureType::F32 => DataType::Float32,
    }
}

/// One row for each proposal.
pub(super) fn shard_schema(settings: &StoreSettings) -> Schema {
    let vector = DataType::FixedSizeList(
        item(feature_data_type(settings.feature_dtype)),
        settings.dimensions as i32,
    );
    let fields = [
        ("image_id", DataType::UInt32),
        ("box", DataType::FixedSizeList(item(DataType::Float32), 4)),
        ("area", DataType::Float32),
        ("region_share", DataType::Float32),
        ("level", DataType::Int32),
        ("clusters_count", DataType::Int32),
        ("score", DataType::Float32),
        ("mask_height", DataType::UInt32),
        ("mask_width", DataType::UInt32),
        ("mask_runs", DataType::List(item(DataType::UInt32))),
        ("norm", DataType::Float32),
        ("vector", vector),
    ];
    Schema::new_with_metadata(required(fields), settings.to_metadata())
}

/// One row for each image.
pub(super) fn image_schema(settings: &StoreSettings) -> Schema {
    let fields = [
        ("image_id", DataType::UInt32),
        ("width", DataType::UInt32),
        ("height", DataType::UInt32),
        ("proposals_count", DataType::UInt32),
        ("path", DataType::Utf8),
        ("status", DataType::Utf8),
        ("message", DataType::Utf8),
    ];
    Schema::new_with_metadata(required(fields), settings.to_metadata())
}

fn required<const COUNT: usize>(fields: [(&str, DataType); COUNT]) -> Fields {
    fields.into_iter().map(|(name, data_type)| Field::new(name, data_type, false)).collect()
}
