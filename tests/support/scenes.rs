//! Tiny scenes: bright rectangles on a plain ground, whose boxes are known.

use simdetr::data::image::{Image, encode};
use std::fmt::Write;
use std::fs;
use std::path::Path;

const WIDTH: u32 = 192;
const HEIGHT: u32 = 160;
const COLOURS: [[u8; 3]; 4] = [[230, 40, 40], [40, 60, 230], [240, 220, 60], [50, 200, 90]];

/// Writes `count` scenes as `scene-0.png` ... into `folder`; answers their ground truth as COCO
/// JSON with one category.
pub fn write(folder: &Path, count: u32) -> String {
    fs::create_dir_all(folder).unwrap();
    let (mut images, mut annotations) = (String::new(), String::new());
    let mut id = 0;
    for scene in 0..count {
        let mut image = Image::filled(WIDTH, HEIGHT, [90, 100, 95]).unwrap();
        let name = format!("scene-{scene}.png");
        let comma = if scene == 0 { "" } else { "," };
        let rank = scene + 1;
        write!(
            images,
            "{comma}{{\"id\":{rank},\"file_name\":\"{name}\",\"width\":{WIDTH},\"height\":{HEIGHT}}}"
        )
        .unwrap();
        for object in 0..2 {
            let (x, y) = (16 + 90 * object + 4 * (scene % 5), 20 + 40 * object);
            let (width, height) = (64 - 8 * object, 60);
            let colour = COLOURS[((scene + object) % 4) as usize];
            for row in y..y + height {
                for column in x..x + width {
                    image.set_pixel(column, row, colour);
                }
            }
            let comma = if id == 0 { "" } else { "," };
            id += 1;
            let area = width * height;
            write!(
                annotations,
                "{comma}{{\"id\":{id},\"image_id\":{rank},\"category_id\":1,\"iscrowd\":0,\
                 \"area\":{area},\"bbox\":[{x},{y},{width},{height}]}}"
            )
            .unwrap();
        }
        fs::write(folder.join(name), encode::png(&image).unwrap()).unwrap();
    }
    format!(
        "{{\"images\":[{images}],\"annotations\":[{annotations}],\
         \"categories\":[{{\"id\":1,\"name\":\"thing\"}}]}}"
    )
}
