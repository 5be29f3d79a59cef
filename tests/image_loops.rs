//! Frame loops on a detector and an extractor: once the sizes of frames repeat, a call of the C ABI makes
//! no heap allocation and starts no thread. Its own binary, because it replaces the allocator.

#[path = "support/counting_allocator.rs"]
mod counting_allocator;
#[path = "support/small_detector.rs"]
mod small_detector;

use counting_allocator::REQUESTS;
use simdetr::capi::detections::{simdetr_detections_create, simdetr_detections_destroy};
use simdetr::capi::detector::{
    simdetr_detector_create, simdetr_detector_destroy, simdetr_detector_options_init,
    simdetr_detector_options_t,
};
use simdetr::capi::detector_predict::simdetr_detector_predict;
use simdetr::capi::encoder::simdetr_encoder_destroy;
use simdetr::capi::encoder_open::simdetr_encoder_create;
use simdetr::capi::extractor::{simdetr_extractor_create, simdetr_extractor_destroy};
use simdetr::capi::extractor_images::simdetr_extractor_extract_image;
use simdetr::capi::extractor_options::{
    simdetr_extractor_options_init, simdetr_extractor_options_t,
};
use simdetr::capi::image::{simdetr_image_init, simdetr_image_t};
use simdetr::capi::proposals::{simdetr_proposals_create, simdetr_proposals_destroy};
use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};
use std::sync::atomic::Ordering;

const CALLS: usize = 100;
/// Changes to other threads in one extraction, at most.
const LOOPS_MAX: usize = 4;
/// Bytes of a pixel for the formats from `SIMDETR_PIXEL_RGB8` to `SIMDETR_PIXEL_YUYV`; NV12 has half as many
/// rows more.
const PIXEL_BYTES: [usize; 7] = [3, 3, 4, 4, 1, 1, 2];

fn threads_of_this_process() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}

/// A frame whose rows are 16 bytes longer than they need.
struct Frame {
    bytes: Vec<u8>,
    image: simdetr_image_t,
}

impl Frame {
    fn new(format: usize, width: u32, height: u32) -> Frame {
        let stride = PIXEL_BYTES[format] * width as usize + 16;
        let length = stride * (height + height / 2) as usize;
        let bytes: Vec<u8> = (0..length).map(|at| (at * 7 % 251) as u8).collect();
        let mut image = MaybeUninit::<simdetr_image_t>::zeroed();
        // SAFETY: plain numbers and a pointer that may be NULL.
        let mut image = unsafe {
            simdetr_image_init(image.as_mut_ptr(), size_of::<simdetr_image_t>());
            image.assume_init()
        };
        image.pixel_format = format as i32 + 1;
        (image.width, image.height) = (width, height);
        image.row_stride_bytes = stride as i64;
        image.data = bytes.as_ptr();
        Frame { bytes, image }
    }
}

/// Frames of every format in three sizes, two of which follow each other.
fn frames() -> Vec<Frame> {
    let sizes = [(96, 64), (96, 64), (64, 64), (120, 90)];
    (0..PIXEL_BYTES.len() * sizes.len())
        .map(|index| (index / sizes.len(), sizes[index % sizes.len()]))
        .map(|(format, (width, height))| Frame::new(format, width, height))
        .collect()
}

/// Requests for memory and new threads during [`CALLS`] of `call`, after as many to warm up.
fn counted(mut call: impl FnMut(usize)) -> (usize, usize) {
    (0..CALLS).for_each(&mut call);
    // Counting threads takes memory itself.
    let threads = threads_of_this_process();
    let before = REQUESTS.load(Ordering::SeqCst);
    (0..CALLS).for_each(&mut call);
    let requests = REQUESTS.load(Ordering::SeqCst) - before;
    (requests, threads_of_this_process() - threads)
}

/// Predictions on one to four frames at a time.
fn predictions(path: &CStr, threads: u32) -> (usize, usize) {
    let mut options = MaybeUninit::<simdetr_detector_options_t>::zeroed();
    let (mut detector, mut detections) = (null_mut(), null_mut());
    // SAFETY: options are plain numbers and pointers that may be NULL.
    unsafe {
        let size = size_of::<simdetr_detector_options_t>();
        simdetr_detector_options_init(options.as_mut_ptr(), size);
        let mut options = options.assume_init();
        options.threads = threads;
        let made = simdetr_detector_create(
            path.as_ptr(),
            &raw const options,
            &raw mut detector,
            null_mut(),
        );
        assert_eq!(made, 0);
        assert_eq!(simdetr_detections_create(&raw mut detections, null_mut()), 0);
    }
    let frames = frames();
    let pointers: Vec<*const simdetr_image_t> =
        frames.iter().map(|frame| &raw const frame.image).collect();
    let found = counted(|number| {
        let first = number % (frames.len() - 3);
        let (images, count) = (pointers[first..].as_ptr(), 1 + number % 4);
        let (options, run, error) = (null(), null(), null_mut());
        // SAFETY: frames and handles live.
        let status = unsafe {
            simdetr_detector_predict(detector, images, count, options, run, detections, error)
        };
        assert_eq!(status, 0);
    });
    assert!(frames.iter().all(|frame| !frame.bytes.is_empty()));
    // SAFETY: both are destroyed once.
    unsafe {
        simdetr_detections_destroy(detections);
        simdetr_detector_destroy(detector);
    }
    found
}

/// Extractions by the built-in encoder.
fn extractions(threads: u32) -> (usize, usize) {
    let mut options = MaybeUninit::<simdetr_extractor_options_t>::zeroed();
    let (mut encoder, mut extractor, mut proposals) = (null_mut(), null_mut(), null_mut());
    // SAFETY: options are plain numbers and pointers that may be NULL.
    unsafe {
        let size = size_of::<simdetr_extractor_options_t>();
        simdetr_extractor_options_init(options.as_mut_ptr(), size);
        let mut options = options.assume_init();
        options.threads = threads;
        (options.image_short_side, options.image_long_side_max) = (96, 160);
        assert_eq!(simdetr_encoder_create(null(), &raw mut encoder, null_mut()), 0);
        let made =
            simdetr_extractor_create(encoder, &raw const options, &raw mut extractor, null_mut());
        assert_eq!(made, 0);
        assert_eq!(simdetr_proposals_create(&raw mut proposals, null_mut()), 0);
    }
    let frames = frames();
    let found = counted(|number| {
        let image = &raw const frames[number % frames.len()].image;
        // SAFETY: frames and handles live.
        let status = unsafe {
            simdetr_extractor_extract_image(extractor, image, 1, null(), proposals, null_mut())
        };
        assert_eq!(status, 0);
    });
    // SAFETY: each is destroyed once.
    unsafe {
        simdetr_proposals_destroy(proposals);
        simdetr_extractor_destroy(extractor);
        simdetr_encoder_destroy(encoder);
    }
    found
}

#[test]
fn warm_handles_allocate_nothing_for_a_frame_and_start_no_thread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("detector.safetensors");
    small_detector::write(&path);
    let path = CString::new(path.to_str().unwrap()).unwrap();
    // One thread allocates nothing. More take each forward from a queue, whose next block rayon asks
    // for after 63 of them; an extraction has a loop of the encoder and the clustering beside its
    // forward.
    for threads in [1, 2] {
        let (requests, started) = predictions(&path, threads);
        println!("{threads} threads: {requests} requests for memory in {CALLS} predictions");
        let allowed = if threads == 1 { 0 } else { (4 * CALLS).div_ceil(63) };
        assert!(requests <= allowed && started == 0, "{threads}: {requests}, {started}");
        let (requests, started) = extractions(threads);
        println!("{threads} threads: {requests} requests for memory in {CALLS} extractions");
        let allowed = if threads == 1 { 0 } else { (LOOPS_MAX * CALLS).div_ceil(63) };
        assert!(requests <= allowed && started == 0, "{threads}: {requests}, {started}");
    }
}
