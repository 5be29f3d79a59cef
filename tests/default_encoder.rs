//! The built-in encoder against PyTorch and numpy.
#![cfg(feature = "default-encoder")]

mod golden_file;

use simdetr::data::image::Image;
use simdetr::encoder::Encoder;
use simdetr::encoder::default::DefaultEncoder;
use simdetr::encoder::options::EncoderOptions;
use simdetr::encoder::source;
use simdetr::workers::Workers;

/// The formula of `tests/golden/default_encoder/make.py`.
fn picture(width: u32, height: u32) -> Image {
    let colour = |x: u32, y: u32| {
        if x.abs_diff(60).pow(2) + y.abs_diff(30).pow(2) < 400 {
            return [200, 60, 30];
        }
        let green = x * 5 + y * 3 + x * y / 16;
        [x * 2 + y, green, y * 2 + 40 * (x / 8 % 2)].map(|value| (value % 256) as u8)
    };
    let pixels = (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .flat_map(|(x, y)| colour(x, y))
        .collect();
    Image { width, height, pixels }
}

#[test]
fn maps_agree_with_pytorch_and_numpy() {
    let encoder = DefaultEncoder::new().unwrap();
    let maps = encoder.encode(&[picture(96, 64)], &Workers::caller()).unwrap();
    for (level, map) in maps[0].iter().enumerate() {
        let shape = [map.height, map.width, map.channels];
        let (file, name) = ("default_encoder/golden.safetensors", format!("level{level}"));
        golden_file::assert_close(&map.values, &shape, file, &name, 1e-3);
    }
}

#[test]
fn it_says_what_it_gives() {
    let encoder = source::open(&EncoderOptions::default()).unwrap();
    let maps: Vec<_> =
        encoder.maps().iter().map(|map| (map.channels, map.stride, &map.groups[..])).collect();
    assert_eq!(maps, [(271, 32, &[256, 3, 3, 9][..]), (143, 16, &[128, 3, 3, 9][..])]);
    assert_eq!((encoder.side_multiple(), encoder.fixed_size()), (32, None));
    assert!(encoder.fingerprint().starts_with("default:"), "{}", encoder.fingerprint());
    let error = encoder.encode(&[picture(96, 63)], &Workers::caller()).unwrap_err();
    assert!(error.to_string().contains("63x96 pixels"), "{error}");
}

#[test]
fn maps_do_not_depend_on_threads_or_neighbours() {
    let encoder = DefaultEncoder::new().unwrap();
    let images = [picture(96, 64), picture(64, 128)];
    let alone = encoder.encode(&images[1..], &Workers::caller()).unwrap();
    for threads in [1, 2, 3, 7] {
        let workers = Workers::with_threads(threads).unwrap();
        assert_eq!(encoder.encode(&images, &workers).unwrap()[1], alone[0]);
    }
}

/// A thread that packs weights on a pool and threads of that pool that want a plan meanwhile do not wait
/// for each other.
#[test]
fn calls_with_new_sizes_on_one_pool_do_not_wait_for_each_other() {
    for round in 0..8 {
        let encoder = DefaultEncoder::new().unwrap();
        let workers = Workers::with_threads(2).unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            std::thread::scope(|scope| {
                let many: Vec<Image> = (1..7).map(|n| picture(32 * n, 64)).collect();
                let (encoder, workers) = (&encoder, &workers);
                scope.spawn(move || encoder.encode(&many, workers).unwrap());
                let alone = [picture(32 * (round + 2), 96)];
                scope.spawn(move || encoder.encode(&alone, workers).unwrap());
            });
            sender.send(()).unwrap();
        });
        let limit = std::time::Duration::from_secs(120);
        receiver.recv_timeout(limit).expect("both calls end");
    }
}
