//! Algorithm 1 end to end: a folder of images becomes a detection data set, and then a detector.
//!
//! A run lives in one folder (design.md §6). Each step reads what the step before left there and
//! can be repeated; a killed step goes on where it stopped and ends with the same bytes.
//!
//! ```text
//! extract  images ▶ proposals/*.arrow        (patent ¶32-34, ¶53, ¶57-63)
//! cluster  proposals ▶ clusters.safetensors  (patent ¶35, ¶55)
//! export   both ▶ T0.json                    (Algorithm 1: T_0)
//! report   all of it ▶ report.html
//! pretrain all of that, then: train on T_j ▶ checkpoints, relabel ▶ T_j+1, again
//! finetune detector ▶ new class head, true labels ▶ detector, AP
//! predict  detector, images ▶ COCO file
//! ```

pub mod cluster;
pub mod config;
pub mod demo;
pub mod demo_scenes;
pub mod encoded_image;
pub mod export;
pub mod extract;
pub mod finetune;
pub mod folder_extraction;
pub mod image_extractor;
pub mod machine;
pub mod measure;
pub mod predict;
mod predict_names;
pub mod predict_report;
pub mod preset;
pub mod preset_choice;
pub mod pretrain;
pub mod pretrainer;
pub mod report;
pub mod report_run;
pub mod stage_keys;
pub mod step_memory;
pub mod store_extraction;
pub mod workspace;
