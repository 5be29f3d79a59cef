//! What a host that runs the network itself does to an image before it, and how it reads what comes
//! out: as named facts, which an exported file carries and the command line prints.
//!
//! Names are those of options and configuration keys where there are such. The facts hold for
//! [`Detector::predict`](super::whole_detector::Detector::predict) as well, which does all
//! of it by itself.

use super::description::DetectorDescription;
use crate::data::image::ResizeRule;

/// How large images become; the arithmetic is that of [`ResizeRule::target`].
const RESIZE: &str = "to image_height x image_width; a side that is \"any\" becomes side_multiple * \
    clamp(floor(side * scale / side_multiple + 0.5), 1, floor(image_long_side_max / side_multiple)) \
    with scale = min(image_short_side / shorter side, image_long_side_max / longer side); the aspect \
    is not kept; bilinear, antialiased where the image shrinks (BILINEAR of Pillow)";
const BOXES: &str = "center x, center y, width, height as shares of the image's width and height, for \
    the original image as for the resized one";
const SCORES: &str = "sigmoid of the logits, one for each class and query; no class is background, and no \
    box is suppressed";

/// The name of a fact, and what it is.
pub type Fact = (&'static str, String);

/// The facts about a detector, as names and values, for images of a `height` and a `width` that are any
/// where they are `None`.
pub fn host_guide(
    description: &DetectorDescription,
    height: Option<usize>,
    width: Option<usize>,
) -> Vec<Fact> {
    let ResizeRule { image_short_side, image_long_side_max, side_multiple } = description.resize;
    let side = |side: Option<usize>| side.map_or("any".into(), |side| side.to_string());
    let channels = |values: &[f32; 3]| values.map(|value| value.to_string()).join(", ");
    vec![
        ("image_orientation", "upright: the orientation that EXIF says is applied".into()),
        ("image_height", side(height)),
        ("image_width", side(width)),
        ("image_short_side", image_short_side.to_string()),
        ("image_long_side_max", image_long_side_max.to_string()),
        ("side_multiple", side_multiple.to_string()),
        ("image_resize", RESIZE.into()),
        ("image_padding", "none: images of a batch have one size".into()),
        ("image_layout", "NCHW".into()),
        ("image_colours", "RGB".into()),
        ("image_values", "(level / 255 - image_mean) / image_deviation, as f32".into()),
        ("image_mean", channels(&description.normalisation.mean)),
        ("image_deviation", channels(&description.normalisation.deviation)),
        ("boxes", BOXES.into()),
        ("scores", SCORES.into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::image::Normalisation;
    use crate::detector::config::DetectorConfig;

    #[test]
    fn numbers_are_those_of_the_description() {
        let resize =
            ResizeRule { image_short_side: 96, image_long_side_max: 160, side_multiple: 16 };
        let normalisation = Normalisation { mean: [0.25, 0.5, 0.1], deviation: [1.0, 0.3, 2.5] };
        let config = DetectorConfig::default();
        let description = DetectorDescription::unnamed(config, normalisation, resize);
        let guide = host_guide(&description, None, Some(128));
        let value = |wanted: &str| {
            let found = guide.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| value.as_str()).unwrap()
        };
        assert_eq!(
            ["image_short_side", "image_long_side_max", "side_multiple"].map(value),
            ["96", "160", "16"]
        );
        assert_eq!(["image_height", "image_width"].map(value), ["any", "128"]);
        assert_eq!(["image_mean", "image_deviation"].map(value), ["0.25, 0.5, 0.1", "1, 0.3, 2.5"]);
    }
}
