//! What two files did not say alike, counted and told: those who read find it, and the figures carry
//! it.

use crate::data::coco::problems::Problems;
use serde::Serialize;

/// Detections with an id that the ground truth does not list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Strangers {
    pub detections_count: usize,
    /// The ids, each once.
    pub ids: Problems,
}

/// What two files did not say alike. Nothing of it, and everything is zero, for arrays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FileNotes {
    /// Detections on images that the ground truth does not list; they are left out.
    pub images_unknown: Strangers,
    /// Detections of categories that the ground truth does not list. They take part in
    /// class-agnostic figures alone.
    pub categories_unknown: Strangers,
    /// Objects and detections whose numbers are no box; they are left out.
    pub boxes_bad: Problems,
    /// Detections whose score is NaN; they rank last, as in pycocotools.
    pub scores_nan: Problems,
    /// Images of the ground truth without a name whose id no image of the detections has, or one
    /// that is joined by its name to another; they are left out with their objects.
    pub images_nameless: Problems,
    /// Categories with the same name and other ids; the name counts.
    pub categories_renumbered: Problems,
}

/// Things of one kind that two files did not say alike.
#[derive(Debug, Clone, Copy)]
pub struct Note<'a> {
    pub count: usize,
    /// What they are, after their number.
    pub what: &'static str,
    pub problems: &'a Problems,
}

impl std::fmt::Display for Note<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}: {}", self.count, self.what, self.problems)
    }
}

impl FileNotes {
    /// What takes no part in the figures, kind by kind.
    pub fn left_out(&self, class_agnostic: bool) -> Vec<Note<'_>> {
        let strangers = |strangers: &'_ Strangers| strangers.detections_count;
        // Pooled detections need no category.
        let of_categories = if class_agnostic { 0 } else { strangers(&self.categories_unknown) };
        let (images, categories) = (&self.images_unknown.ids, &self.categories_unknown.ids);
        let nameless = &self.images_nameless;
        let kinds = [
            (strangers(&self.images_unknown), "detections on images without ground truth", images),
            (of_categories, "detections of categories that the ground truth lacks", categories),
            (self.boxes_bad.count(), "boxes whose numbers are no box", &self.boxes_bad),
            (nameless.count(), "images without a file_name or a counterpart", nameless),
        ];
        notes(&kinds)
    }

    /// What takes part and is doubtful; under `strict` it is fatal as well.
    pub fn doubtful(&self) -> Vec<Note<'_>> {
        let nan = &self.scores_nan;
        notes(&[(nan.count(), "detections have NaN for a score and rank last", nan)])
    }

    /// What is worth saying and no fault.
    pub fn remarks(&self) -> Vec<Note<'_>> {
        let renumbered = &self.categories_renumbered;
        notes(&[(renumbered.count(), "categories have other ids, joined by name", renumbered)])
    }
}

/// The kinds that there are.
fn notes<'a>(kinds: &[(usize, &'static str, &'a Problems)]) -> Vec<Note<'a>> {
    let some = kinds.iter().filter(|(count, ..)| *count > 0);
    some.map(|&(count, what, problems)| Note { count, what, problems }).collect()
}
