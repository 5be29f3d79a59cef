//! The pixel operations of training beside torchvision's.
//!
//! Golden file: `tests/golden/augmentation/`, made by the script beside it.

use safetensors::SafeTensors;
use simdetr::data::image::{Image, Sampler};
use simdetr::data::training::augmentation::blur::{self, BlurScratch};
use simdetr::data::training::augmentation::colour::{self, Step};
use simdetr::data::training::augmentation::framing::Framing;
use simdetr::data::training::augmentation::greyscale;

fn golden(name: &str) -> Image {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/augmentation/golden.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = tensors.tensor(name).unwrap();
    let [height, width, 3] = *tensor.shape() else { panic!("{:?}", tensor.shape()) };
    Image::new(width as u32, height as u32, tensor.data().to_vec()).unwrap()
}

/// Asserts that no level differs by more than `most`, and at most the share `share` at all.
fn assert_near(found: &Image, name: &str, most: u8, share: f64) {
    let expected = golden(name);
    assert_eq!((found.width, found.height), (expected.width, expected.height), "{name}");
    let levels = found.pixels.iter().zip(&expected.pixels);
    let differences: Vec<u8> = levels.map(|(a, b)| a.abs_diff(*b)).filter(|d| *d > 0).collect();
    let worst = differences.iter().max().copied().unwrap_or(0);
    let differing = differences.len() as f64 / found.pixels.len() as f64;
    println!("{name}: largest difference {worst}, share of levels that differ {differing:.5}");
    assert!(worst <= most && differing <= share, "{name}: {worst} levels, share {differing}");
}

#[test]
fn a_resize_is_torchvisions_antialiased_one() {
    let source = golden("source");
    let mut drawn = Image::default();
    for (name, width, height) in [("smaller", 33, 20), ("larger", 95, 70)] {
        Framing::whole(source.width, source.height)
            .resized(width, height)
            .draw(&source, &mut Sampler::default(), &mut drawn)
            .unwrap();
        // torchvision rounds the levels between its two passes as well, ours are rounded once.
        assert_near(&drawn, name, 1, 0.2);
    }
}

#[test]
fn changes_of_colour_are_torchvisions() {
    for (name, steps) in [
        ("brightness", vec![Step::Brightness(1.37)]),
        ("contrast", vec![Step::Contrast(0.63)]),
        ("saturation", vec![Step::Saturation(1.4)]),
        ("hue", vec![Step::Hue(-0.083)]),
    ] {
        let mut image = golden("source");
        colour::apply(&mut image, &steps);
        assert_near(&image, name, 1, 0.001);
    }
    let steps =
        [Step::Hue(0.06), Step::Contrast(1.31), Step::Saturation(0.72), Step::Brightness(0.81)];
    let mut image = golden("source");
    colour::apply(&mut image, &steps);
    // A level that one step rounds the other way may be two apart after the next ones.
    assert_near(&image, "chained", 2, 0.005);
}

#[test]
fn grey_and_blur_are_torchvisions() {
    let mut image = golden("source");
    greyscale::apply(&mut image);
    assert_near(&image, "grey", 0, 0.0);
    let mut image = golden("source");
    // Three deviations of 1.3 pixels are the four pixels to either side of torchvision's kernel.
    blur::apply(&mut image, 1.3, &mut BlurScratch::default());
    assert_near(&image, "blur", 1, 0.02);
}
