//! Frame loops on a detector: once the sizes of frames repeat, a prediction through the C ABI makes no
//! heap allocation and starts no thread. Its own binary, because it replaces the allocator.

#[path = "support/counting_allocator.rs"]
mod counting_allocator;
#[path = "support/small_detector.rs"]
mod small_detector;

use counting_allocator::REQUESTS;
use simdetr::capi::detections::{
    simdetr_detections_create, simdetr_detections_destroy, simdetr_detections_t,
};
use simdetr::capi::detector::{
    simdetr_detector_create, simdetr_detector_destroy, simdetr_detector_options_init,
    simdetr_detector_options_t, simdetr_detector_t,
};
use simdetr::capi::detector_predict::simdetr_detector_predict;
use simdetr::capi::image::{simdetr_image_init, simdetr_image_t};
use std::ffi::CString;
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};
use std::sync::atomic::Ordering;

const FRAMES: usize = 100;
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

/// Requests for memory and new threads during [`FRAMES`] calls of one or two frames.
fn warm(
    detector: *const simdetr_detector_t,
    detections: *mut simdetr_detections_t,
) -> (usize, usize) {
    let sizes = [(96, 64), (64, 64), (120, 90)];
    let frames: Vec<Frame> = (0..PIXEL_BYTES.len() * sizes.len())
        .map(|index| (index / sizes.len(), sizes[index % sizes.len()]))
        .map(|(format, (width, height))| Frame::new(format, width, height))
        .collect();
    let pointers: Vec<*const simdetr_image_t> =
        frames.iter().map(|frame| &raw const frame.image).collect();
    let predict = |number: usize| {
        let first = number % (frames.len() - 1);
        let images = pointers[first..].as_ptr();
        // SAFETY: frames and handles live.
        let status = unsafe {
            let (options, run, error) = (null(), null(), null_mut());
            simdetr_detector_predict(
                detector,
                images,
                1 + number % 2,
                options,
                run,
                detections,
                error,
            )
        };
        assert_eq!(status, 0);
        assert!(!frames[first].bytes.is_empty());
    };
    (0..2 * frames.len()).for_each(predict);
    // Counting threads takes memory itself.
    let threads = threads_of_this_process();
    let before = REQUESTS.load(Ordering::SeqCst);
    (0..FRAMES).for_each(predict);
    let requests = REQUESTS.load(Ordering::SeqCst) - before;
    (requests, threads_of_this_process() - threads)
}

#[test]
fn a_warm_detector_allocates_nothing_and_starts_no_thread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("detector.safetensors");
    small_detector::write(&path);
    let path = CString::new(path.to_str().unwrap()).unwrap();
    // One thread allocates nothing. More take each forward from a queue, whose next block rayon asks for
    // after 63 forwards.
    for (threads, requests_max) in [(1, 0), (2, (2 * FRAMES).div_ceil(63))] {
        let mut options = MaybeUninit::<simdetr_detector_options_t>::zeroed();
        let (mut detector, mut detections) = (null_mut(), null_mut());
        // SAFETY: options are plain numbers and pointers that may be NULL; handles are destroyed once.
        let (requests, started) = unsafe {
            simdetr_detector_options_init(
                options.as_mut_ptr(),
                size_of::<simdetr_detector_options_t>(),
            );
            let mut options = options.assume_init();
            options.threads = threads;
            let error = null_mut();
            assert_eq!(
                simdetr_detector_create(
                    path.as_ptr(),
                    &raw const options,
                    &raw mut detector,
                    error
                ),
                0
            );
            assert_eq!(simdetr_detections_create(&raw mut detections, null_mut()), 0);
            let counted = warm(detector, detections);
            simdetr_detections_destroy(detections);
            simdetr_detector_destroy(detector);
            counted
        };
        println!("{threads} threads: {requests} requests for memory in {FRAMES} calls");
        assert!(requests <= requests_max, "{threads} threads: {requests} requests for memory");
        assert_eq!(started, 0, "{threads} threads");
    }
}
