//! The training-free channels against numpy.

mod golden_file;

use simdetr::data::image::Image;
use simdetr::encoder::descriptor::Descriptor;
use simdetr::workers::Workers;

/// The formula of `tests/golden/descriptor/make.py`.
fn image() -> Image {
    let (height, width) = (64, 96);
    let pixels = (0..height)
        .flat_map(|y| (0..width).map(move |x| (y, x)))
        .flat_map(|(y, x)| {
            (0..3).map(move |channel| {
                let smooth = (x * (channel + 2) + y * 3) % 256;
                let rough = (x * 7 + y * 13 + channel * 29 + x * y) % 256;
                if (x / 24 + y / 24) % 2 == 0 { smooth as u8 } else { rough as u8 }
            })
        })
        .collect();
    Image { width, height, pixels }
}

#[test]
fn statistics_of_cells_agree_with_numpy() {
    let maps = Descriptor::default().maps(&image(), &[32, 16], &Workers::caller()).unwrap();
    for (map, name) in maps.iter().zip(["stride32", "stride16"]) {
        let shape = [map.height, map.width, map.channels];
        golden_file::assert_close(&map.values, &shape, "descriptor/golden.safetensors", name, 1e-3);
    }
}
