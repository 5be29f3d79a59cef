//! What matcher and criterion share at the border: predictions as tensors, targets as arrays.

use super::declare::{choices, initialiser, versioned};
use super::options::{chosen, copy_struct, reserved};
use super::pointers::{optional, slice};
use super::tensor::{DLTensor, Tensor};
use crate::matching::input::PredictionsShape;
use crate::matching::{BoxPolicy, KeptTargets, Matches, Predictions, Targets, UNASSIGNED};
use crate::{Error, Result};

choices! {
    CLASS_LOSSES: &str {
        /// A sigmoid for each class and focal loss, as Deformable DETR and DETReg have it; the default.
        SIMDETR_CLASS_LOSS_FOCAL = 1 => "focal",
        /// One softmax over the classes and "no object", which is the last logit, as DETR has it.
        SIMDETR_CLASS_LOSS_SOFTMAX = 2 => "softmax",
        /// A sigmoid for each class and varifocal loss, as RT-DETR has it; pairs cost what focal ones do.
        SIMDETR_CLASS_LOSS_VARIFOCAL = 3 => "varifocal",
    }
    BOX_POLICIES: BoxPolicy {
        /// A box that is none is an error, `SIMDETR_ERROR_INVALID_ARGUMENT`, which names it; the default.
        SIMDETR_BOX_POLICY_ERROR = 1 => BoxPolicy::Error,
        /// Boxes are cut to the image; a target of which nothing is left is left out. NaN and infinity
        /// stay errors.
        SIMDETR_BOX_POLICY_CLIP = 2 => BoxPolicy::Clip,
        /// The target is left out: it finds no query and counts for nothing.
        SIMDETR_BOX_POLICY_SKIP = 3 => BoxPolicy::Skip,
    }
}

versioned! {
    /// What the images of a batch hold, borrowed for the call: the targets of the first image, then
    /// those of the second, and so on.
    pub struct simdetr_targets_t (64 bytes, first without scores) {
        /// Targets of each image, `[images_count]`; 0 is fine.
        pub counts: *const u32,
        /// Number of images; the batch of the predictions.
        pub images_count: usize,
        /// Class of each target, from 0, `[targets_count]`.
        pub classes: *const i64,
        /// Center x, center y, width, height of each target, divided by the size of the un-padded
        /// image, `[targets_count, 4]`; of positive size and within [0, 1].
        pub boxes: *const f32,
        /// Sum of `counts`.
        pub targets_count: usize,
        /// How sure the label of each target is, from 0 to 1, `[targets_count]`; read by a criterion whose
        /// `label_score` is not `SIMDETR_LABEL_SCORE_IGNORE`. NULL is 1 for all.
        pub scores: *const f32,
        /// `SIMDETR_BOX_POLICY_*`: what is done with a box that is not within [0, 1] or has no size.
        pub box_policy: i32,
        /// Must be 0.
        pub reserved: u32,
    }
}

initialiser!(simdetr_targets_init, targets, simdetr_targets_t);

/// Memory for targets as the library has them, which the next call uses again.
#[derive(Default)]
pub(super) struct TargetMemory {
    classes: Vec<u32>,
    chosen: KeptTargets,
    /// Images of the last call, and its targets, those that its policy left out included.
    images: usize,
    total: usize,
    /// Whether that policy could leave some out.
    may_lack: bool,
}

impl TargetMemory {
    /// How many of them its policy left out.
    pub(super) fn left_out(&self) -> usize {
        if self.may_lack { self.total - self.chosen.kept().len() } else { 0 }
    }

    /// The query of each target of the last call, layer by layer, or -1: of `matches`, which are of
    /// those that its policy kept.
    pub(super) fn partners<'a>(&'a self, matches: &'a Matches) -> impl Iterator<Item = i32> + 'a {
        let mut found = matches.units().iter().flat_map(|unit| &unit.queries);
        let layers = matches.units().len().checked_div(self.images).unwrap_or(0);
        (0..layers * self.total).map(move |at| {
            let is_kept =
                !self.may_lack || self.chosen.kept().binary_search(&(at % self.total)).is_ok();
            let query = if is_kept { found.next() } else { None };
            query.map_or(-1, |&query| partner(query))
        })
    }

    /// Bytes that are held between calls.
    pub(super) fn memory_bytes(&self) -> usize {
        self.classes.capacity() * size_of::<u32>() + self.chosen.memory_bytes()
    }
}

/// The host's targets after their checks and what their policy kept of them, with classes below
/// `classes_count`; and how many were given.
///
/// # Safety
/// `targets` is NULL or as the header says.
pub(super) unsafe fn borrow_targets<'a>(
    targets: *const simdetr_targets_t,
    memory: &'a mut TargetMemory,
    classes_count: usize,
) -> Result<(Targets<'a>, usize)> {
    let raw = copy_struct(targets)?;
    reserved::<simdetr_targets_t>(raw.reserved)?;
    let policy = chosen("box_policy", raw.box_policy, BOX_POLICIES)?;
    let total = raw.targets_count;
    let scores = optional(raw.scores, |scores| slice(scores, total, "target scores"))?;
    let counts = slice(raw.counts, raw.images_count, "counts")?;
    let given = slice(raw.classes, total, "classes")?;
    let boxes = slice::<[f32; 4]>(raw.boxes.cast(), total, "target boxes")?;
    let classes = &mut memory.classes;
    classes.clear();
    for (target, &class) in given.iter().enumerate() {
        classes.push(u32::try_from(class).map_err(|_| {
            let reason = format!("target {target}: {class} is not in [0, {classes_count})");
            Error::invalid("target classes", reason)
        })?);
    }
    (memory.images, memory.total) = (counts.len(), total);
    memory.may_lack = policy != BoxPolicy::Error;
    if memory.may_lack {
        let given = (counts, &classes[..], boxes);
        return Ok((memory.chosen.choose(given, scores, classes_count, policy)?, total));
    }
    let targets = Targets::new(counts, classes, boxes, classes_count)?;
    Ok((scores.map_or(Ok(targets), |scores| targets.with_scores(scores))?, total))
}

/// Logits `[layers, batch, queries, classes]` and boxes `[layers, batch, queries, 4]` of the host.
///
/// # Safety
/// Both are NULL or DLPack tensors that live, and that nobody writes, during `'a`.
pub(super) unsafe fn borrow_predictions<'a>(
    logits: *const DLTensor,
    boxes: *const DLTensor,
) -> Result<Predictions<'a>> {
    let (logits, boxes) =
        (Tensor::<f32>::borrow(logits, "logits")?, Tensor::<f32>::borrow(boxes, "boxes")?);
    let [layers, batch, queries, classes] = *logits.shape else {
        let expected = "[layers, batch, queries, classes]";
        return Err(Error::shape("logits", expected, format!("{:?}", logits.shape)));
    };
    let wanted = [layers, batch, queries, 4];
    if *boxes.shape != wanted {
        let got = format!("{:?}", boxes.shape);
        return Err(Error::shape("boxes", format!("{wanted:?}"), got));
    }
    let [layers, batch, queries, classes] =
        [layers, batch, queries, classes].map(|size| size as usize);
    let shape = PredictionsShape { layers, batch, queries, classes };
    Predictions::new(logits.dense("logits")?, boxes.dense("boxes")?, shape)
}

/// [`borrow_predictions`] for plain arrays.
///
/// # Safety
/// The pointers are NULL or hold what `shape` says, which nobody writes during `'a`.
pub(super) unsafe fn array_predictions<'a>(
    logits: *const f32,
    boxes: *const f32,
    shape: PredictionsShape,
) -> Result<Predictions<'a>> {
    let (logits_count, boxes_count) = counts_of(shape)?;
    let (logits, boxes) =
        (slice(logits, logits_count, "logits")?, slice(boxes, boxes_count, "boxes")?);
    Predictions::new(logits, boxes, shape)
}

/// Numbers in the logits and in the boxes of a shape.
///
/// # Errors
/// [`Error::Shape`] when they do not fit into memory.
pub(super) fn counts_of(shape: PredictionsShape) -> Result<(usize, usize)> {
    let PredictionsShape { layers, batch, queries, classes } = shape;
    let rows = layers.checked_mul(batch).and_then(|units| units.checked_mul(queries));
    let counts = rows.and_then(|rows| Some((rows.checked_mul(classes)?, rows.checked_mul(4)?)));
    counts.ok_or_else(|| {
        let got = format!("[{layers}, {batch}, {queries}, {classes}]");
        Error::shape("logits", "sizes that fit into memory", got)
    })
}

/// A partner as the header counts it: -1 is none.
pub(super) fn partner(column: u32) -> i32 {
    if column == UNASSIGNED { -1 } else { column as i32 }
}
