//! Time of the encoders' own work for one image of 480x640 pixels on one thread: the best of many
//! runs, because the machine may be busy. `cargo bench --bench encoders`.

use simdetr::data::image::Image;
use simdetr::encoder::Encoder;
use simdetr::encoder::default::DefaultEncoder;
use simdetr::encoder::descriptor::Descriptor;
use simdetr::workers::Workers;
use std::time::Instant;

const RUNS: usize = 50;

fn best_ms(mut run: impl FnMut()) -> f64 {
    let times = (0..RUNS).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64() * 1e3
    });
    times.fold(f64::INFINITY, f64::min)
}

fn main() {
    let (width, height) = (640, 480);
    let pixels = (0..width * height * 3).map(|index| (index * 7919 % 251) as u8).collect();
    let image = Image { width, height, pixels };
    let workers = Workers::caller();

    let descriptor = Descriptor::default();
    let time = best_ms(|| {
        std::hint::black_box(descriptor.maps(&image, &[32, 16], &workers).ok());
    });
    println!("training-free channels, strides 32 and 16: {time:.2} ms");

    match DefaultEncoder::new() {
        Ok(encoder) => {
            let images = [image];
            let time = best_ms(|| {
                std::hint::black_box(encoder.encode(&images, &workers).ok());
            });
            println!("default encoder, these channels included: {time:.2} ms");
        }
        Err(error) => println!("default encoder: {error}"),
    }
}
