/*
 * libsimdetr: an object detector taught by images that nobody labelled.
 *
 * Generated from src/capi by tests/header.rs; do not edit.
 *
 * What flows: images go through an encoder (feature maps), an extractor (proposals: boxes with
 * vectors, masks and scores), a proposal store (a folder on disk) and a clusterer (one pseudo-class
 * for each proposal), and leave as a COCO data set. An evaluator scores boxes against known ones. A
 * host may enter and leave at every step with arrays of its own.
 *
 * Handles. `simdetr_x_create` makes one, `simdetr_x_destroy` ends it; destroy takes NULL, returns
 * nothing and cannot fail. A handle keeps alive what it was made from: an encoder may be destroyed
 * as soon as the extractor that uses it has been created. Destroy every handle before the program
 * ends or the library is unloaded; unloading itself is harmless.
 *
 * Errors. Every function that can fail returns a `simdetr_status_t`: 0 is success, positive numbers
 * are the library's (`SIMDETR_ERROR_*`), negative ones were returned by a callback of yours and come
 * back unchanged. The last argument is an optional `simdetr_error_t` of yours that receives the
 * status and one sentence with the numbers. There is no other error state: nothing is kept for a
 * thread. Outputs are written on success only, unless a function says otherwise.
 *
 * Options. Option structs start with `struct_size`, which you set to `sizeof` the struct (the `_init`
 * functions do it and set the rest to zero). Zero means default in every field; where zero is also a
 * value, a bit in `set_mask` says that you mean it. NULL means all defaults. A program compiled with
 * an older header works with a newer library and the other way round, as long as it leaves unknown
 * fields zero. Fields have the names of the keys in the configuration file of the command line.
 *
 * Numbers coming in are plain integers with named constants; an unknown one is answered with
 * `SIMDETR_ERROR_CONFIG_VALUE` or `SIMDETR_ERROR_INVALID_ARGUMENT`.
 *
 * Arrays are a pointer and a count; a count of 0 allows NULL. Where the length of an answer is not
 * known in advance there is a capacity and a count: `SIMDETR_ERROR_BUFFER_TOO_SMALL` still writes the
 * count that is needed, and capacity 0 asks for it. Strings are UTF-8 and end with NUL; those that
 * come out are borrowed, for as long as the function says.
 *
 * Tensors are DLPack. `const DLTensor *` is borrowed for the call; a `DLManagedTensorVersioned *` that
 * comes out is yours, lives on its own and is ended by its deleter, on any thread. Flat `_f32` twins
 * take plain pointers. Tensors are f32 in host memory unless a function says otherwise.
 *
 * Boxes are x0, y0, x1, y1 as f32 in pixels of the upright image (EXIF orientation applied); pixel i
 * covers [i, i + 1).
 *
 * Threads. Functions that take a `const` handle may run at the same time on one handle; the others
 * need exclusion on that handle. Different handles are independent. Any thread may call, and may
 * destroy what another created. `threads` in the options: 1 is the caller's thread alone, which
 * starts no thread ever; 0 is one for each processor. Results do not depend on the number.
 *
 * Callbacks get their `user_data` first, must not throw or longjmp, and must not use the handle that
 * is calling them. Long calls take a `simdetr_run_options_t` with a cancel token and a progress
 * callback.
 *
 * A defect of the library is caught at this border and answered with `SIMDETR_ERROR_PANIC`; the handle
 * is then poisoned and only destroy works on it.
 *
 * Process manners: the library prints nothing, installs no signal handler, has no destructor at exit
 * and keeps no state of its own but the log callback.
 */


#ifndef SIMDETR_H
#define SIMDETR_H

#include <stddef.h>
#include <stdint.h>

#ifndef DLPACK_DLPACK_H_
#include "simdetr/dlpack.h"
#endif
#if !defined(DLPACK_MAJOR_VERSION) && (!defined(DLPACK_VERSION) || DLPACK_VERSION < 60)
#error "simdetr.h needs dlpack.h 0.6 or later"
#endif

struct DLManagedTensor;
struct DLManagedTensorVersioned;

/* The version that this header belongs to; compare with simdetr_version(). */
#define SIMDETR_VERSION_MAJOR 0
#define SIMDETR_VERSION_MINOR 1
#define SIMDETR_VERSION_PATCH 0
#define SIMDETR_VERSION ((SIMDETR_VERSION_MAJOR << 16) | (SIMDETR_VERSION_MINOR << 8) | SIMDETR_VERSION_PATCH)
#define SIMDETR_VERSION_STRING "0.1.0"
/* Compare with simdetr_abi_version(). */
#define SIMDETR_ABI_VERSION 1

#ifndef SIMDETR_API
#if defined(_WIN32) && !defined(SIMDETR_STATIC)
#define SIMDETR_API __declspec(dllimport)
#else
#define SIMDETR_API
#endif
#endif

/* A status that nobody looks at is a defect of the program. */
#ifndef SIMDETR_NODISCARD
#if defined(__cplusplus) && __cplusplus >= 201703L
#define SIMDETR_NODISCARD [[nodiscard]]
#elif defined(__GNUC__) || defined(__clang__)
#define SIMDETR_NODISCARD __attribute__((warn_unused_result))
#else
#define SIMDETR_NODISCARD
#endif
#endif


/**
 * Bytes of `simdetr_error_t.message`, the final NUL included.
 */
#define SIMDETR_ERROR_MESSAGE_CAPACITY 252

/**
 * Nothing is logged.
 */
#define SIMDETR_LOG_OFF 0

/**
 * Failures inside the library.
 */
#define SIMDETR_LOG_ERROR 1

/**
 * What a user should look at: a skipped image, a slow path.
 */
#define SIMDETR_LOG_WARN 2

/**
 * Steps of long calls.
 */
#define SIMDETR_LOG_INFO 3

/**
 * Errors that calls answered, and decisions.
 */
#define SIMDETR_LOG_DEBUG 4

/**
 * Everything.
 */
#define SIMDETR_LOG_TRACE 5

/**
 * Bytes red, green, blue.
 */
#define SIMDETR_PIXEL_RGB8 1

/**
 * Bytes blue, green, red.
 */
#define SIMDETR_PIXEL_BGR8 2

/**
 * Bytes red, green, blue, alpha; alpha is ignored.
 */
#define SIMDETR_PIXEL_RGBA8 3

/**
 * Bytes blue, green, red, alpha; alpha is ignored.
 */
#define SIMDETR_PIXEL_BGRA8 4

/**
 * One byte of brightness.
 */
#define SIMDETR_PIXEL_GRAY8 5

/**
 * f32 `[count, 4]`: boxes.
 */
#define SIMDETR_FIELD_BOXES 1

/**
 * f32 `[count]`: scores, which rank the proposals.
 */
#define SIMDETR_FIELD_SCORES 2

/**
 * f32 `[count]`: area of each region as a share of the image.
 */
#define SIMDETR_FIELD_REGION_SHARES 3

/**
 * i32 `[count]`: index of the map in which each region was found; -1 for the image itself.
 */
#define SIMDETR_FIELD_LEVELS 4

/**
 * i32 `[count]`: K of the clustering that found each region; 0 where there was none.
 */
#define SIMDETR_FIELD_CLUSTER_COUNTS 5

/**
 * f32 `[count, dimensions]`: unit vectors.
 */
#define SIMDETR_FIELD_VECTORS 6

/**
 * f32 `[count]`: length of each vector before it was made a unit vector.
 */
#define SIMDETR_FIELD_NORMS 7

/**
 * Vectors are stored as 16-bit floats; the default.
 */
#define SIMDETR_FEATURE_DTYPE_F16 1

/**
 * Vectors are stored as 32-bit floats.
 */
#define SIMDETR_FEATURE_DTYPE_F32 2

/**
 * Most entries of `detections_max`.
 */
#define SIMDETR_DETECTIONS_MAX_CAPACITY 8

/**
 * Stops the calls that were given it. Any number of threads may use one at the same time.
 */
typedef struct simdetr_cancel_token_t simdetr_cancel_token_t;

/**
 * Scores boxes against known ones. Never changes; any number of threads may use one.
 */
typedef struct simdetr_evaluator_t simdetr_evaluator_t;

/**
 * A folder of proposals. While it is written, one thread at a time; a store that was opened or
 * finished may be read by any number of threads.
 */
typedef struct simdetr_proposal_store_t simdetr_proposal_store_t;

/**
 * The proposals of one image. One thread at a time may fill it; reading may be shared.
 */
typedef struct simdetr_proposals_t simdetr_proposals_t;

/**
 * What every fallible function answers: 0, a positive `SIMDETR_ERROR_*` of the library, or the
 * negative number that a callback of the host returned.
 */
typedef int32_t simdetr_status_t;

/**
 * Receives one message. Called from any thread, possibly from several at once; must not throw,
 * `longjmp`, or call `simdetr_log_set`. The strings are borrowed for the call.
 *
 * @param[in] user_data What `simdetr_log_set` was given.
 * @param[in] level `SIMDETR_LOG_ERROR` to `SIMDETR_LOG_TRACE`.
 * @param[in] target Part of the library that speaks, NUL-terminated.
 * @param[in] message UTF-8, NUL-terminated, without a newline.
 * @param[in] message_length Bytes of `message` without the NUL.
 */
typedef void (*simdetr_log_fn_t)(void *user_data,
                                 int32_t level,
                                 const char *target,
                                 const char *message,
                                 size_t message_length);

/**
 * Where a function says what went wrong. Owned by the caller, usually on the stack; needs no
 * initialisation. 256 bytes for ever.
 */
typedef struct simdetr_error_t {
  /**
   * The status that the function also returned; `SIMDETR_OK` after a success.
   */
  simdetr_status_t status;
  /**
   * One line of UTF-8 with the numbers, NUL-terminated, cut at a character if too long.
   */
  char message[SIMDETR_ERROR_MESSAGE_CAPACITY];
} simdetr_error_t;

/**
 * Hears how far a call has come. Called by the thread that made the call, between units of work;
 * must not throw, `longjmp` or use the handles of that call.
 *
 * @param[in] user_data `simdetr_run_options_t.progress_user_data`.
 * @param[in] step What is counted, such as "extract"; NUL-terminated, borrowed for the call.
 * @param[in] done Units done.
 * @param[in] total Units in all; 0 where unknown.
 * @return 0 goes on; a negative number stops the call and becomes its status.
 */
typedef int32_t (*simdetr_progress_fn_t)(void *user_data,
                                         const char *step,
                                         uint64_t done,
                                         uint64_t total);

/**
 * How one call may be watched and stopped. NULL instead of the struct is neither.
 */
typedef struct simdetr_run_options_t {
  /**
   * `sizeof(simdetr_run_options_t)`.
   */
  size_t struct_size;
  /**
   * Stops the call; NULL for none. Must live until the call returns.
   */
  const struct simdetr_cancel_token_t *cancel;
  /**
   * Hears how far the call has come; NULL for none.
   */
  simdetr_progress_fn_t progress;
  /**
   * First argument of `progress`.
   */
  void *progress_user_data;
} simdetr_run_options_t;

/**
 * Pixels of the host, borrowed for the call. The image is taken as upright.
 */
typedef struct simdetr_image_t {
  /**
   * `sizeof(simdetr_image_t)`.
   */
  size_t struct_size;
  /**
   * First byte of the top row.
   */
  const uint8_t *data;
  /**
   * Pixels in a row.
   */
  uint32_t width;
  /**
   * Rows.
   */
  uint32_t height;
  /**
   * Bytes from one row to the row below it; negative where the bottom row comes first in
   * memory; 0 for rows without padding.
   */
  int64_t row_stride_bytes;
  /**
   * One of `SIMDETR_PIXEL_*`; 0 is `SIMDETR_PIXEL_RGB8`.
   */
  int32_t pixel_format;
  /**
   * Must be 0.
   */
  int32_t reserved;
} simdetr_image_t;

/**
 * Borrowed arrays of a `simdetr_proposals_t`, valid until it is filled again or destroyed.
 */
typedef struct simdetr_proposals_view_t {
  /**
   * `sizeof(simdetr_proposals_view_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * Number of proposals.
   */
  size_t count;
  /**
   * Length of one vector.
   */
  size_t dimensions;
  /**
   * `[count, 4]`: x0, y0, x1, y1.
   */
  const float *boxes;
  /**
   * `[count]`.
   */
  const float *scores;
  /**
   * `[count]`: area of each region as a share of the image.
   */
  const float *region_shares;
  /**
   * `[count]`: index of the map in which each region was found; -1 for the image itself.
   */
  const int32_t *levels;
  /**
   * `[count]`: K of the clustering that found each region; 0 where there was none.
   */
  const int32_t *cluster_counts;
  /**
   * `[count, dimensions]`: unit vectors.
   */
  const float *vectors;
  /**
   * `[count]`: length of each vector before it was made a unit vector.
   */
  const float *norms;
  /**
   * `[count, 2]`: rows and columns of each mask's grid, which covers the whole image.
   */
  const uint32_t *mask_grids;
  /**
   * `[count + 1]`: the runs of mask i begin at `mask_offsets[i]` and end before
   * `mask_offsets[i + 1]`.
   */
  const uint32_t *mask_offsets;
  /**
   * Run lengths of all masks, row by row, alternating unset and set cells, unset first.
   */
  const uint32_t *mask_runs;
} simdetr_proposals_view_t;

/**
 * How a store is written. Zero in a field is its default.
 */
typedef struct simdetr_proposal_store_options_t {
  /**
   * `sizeof(simdetr_proposal_store_options_t)`.
   */
  size_t struct_size;
  /**
   * Must be 0; no field has a zero that is not its default.
   */
  uint64_t set_mask;
  /**
   * `SIMDETR_FEATURE_DTYPE_*`.
   */
  int32_t feature_dtype;
  /**
   * Images in a shard, the unit in which a store is committed; 0 is 256.
   */
  uint32_t shard_images;
  /**
   * Identifies what decides the contents (encoder, configuration, seed): a store is continued
   * or merged only under an equal one. NULL is "".
   */
  const char *fingerprint;
  /**
   * Id of the first image; 0 is 1. Another one begins a part of a larger set and must begin a
   * shard.
   */
  uint32_t first_image_id;
  /**
   * Must be 0.
   */
  uint32_t reserved;
} simdetr_proposal_store_options_t;

/**
 * What a store holds.
 */
typedef struct simdetr_proposal_store_counts_t {
  /**
   * `sizeof(simdetr_proposal_store_counts_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * Images, those without proposals included.
   */
  uint64_t images_count;
  /**
   * Id of the first image.
   */
  uint64_t first_image_id;
  /**
   * Proposals, which are rows of vectors and labels.
   */
  uint64_t proposals_count;
  /**
   * Files that hold them.
   */
  uint64_t shards_count;
  /**
   * Length of a vector.
   */
  uint64_t dimensions;
} simdetr_proposal_store_counts_t;

/**
 * One image of a store.
 */
typedef struct simdetr_stored_image_t {
  /**
   * `sizeof(simdetr_stored_image_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * Row of its first proposal in the store's vectors and labels.
   */
  uint64_t first_row;
  /**
   * Number of its proposals.
   */
  uint64_t proposals_count;
  /**
   * Rank of its path in its folder, from 1.
   */
  uint32_t image_id;
  /**
   * Pixels of the upright image; 0 where it could not be read.
   */
  uint32_t width;
  /**
   * Pixels of the upright image; 0 where it could not be read.
   */
  uint32_t height;
  /**
   * 1 where the image could not be read, else 0.
   */
  int32_t broken;
} simdetr_stored_image_t;

/**
 * One task of the library, to be called by the host's job system.
 *
 * @param[in] task_data What `simdetr_parallel_for_fn_t` was given.
 * @param[in] index Which task, below `tasks_count`.
 */
typedef void (*simdetr_task_fn_t)(void *task_data, size_t index);

/**
 * The host's job system: calls `task(task_data, i)` once for every `i` below `tasks_count`, in
 * any order, on any threads, and returns when all have returned. Called from the thread that made
 * the library's call; may be called from several such threads at once.
 *
 * @param[in] user_data The host's own.
 * @param[in] tasks_count Number of tasks.
 * @param[in] task To be called for each.
 * @param[in] task_data First argument of `task`.
 */
typedef void (*simdetr_parallel_for_fn_t)(void *user_data,
                                          size_t tasks_count,
                                          simdetr_task_fn_t task,
                                          void *task_data);

/**
 * How to evaluate. Zero in a field is its default.
 */
typedef struct simdetr_evaluator_options_t {
  /**
   * `sizeof(simdetr_evaluator_options_t)`.
   */
  size_t struct_size;
  /**
   * Must be 0; no field has a zero that is not its default.
   */
  uint64_t set_mask;
  /**
   * 1 pools all objects and all detections of an image, whatever their category; pseudo-classes
   * need it. 0 is COCO's way.
   */
  int32_t class_agnostic;
  /**
   * 0 is one for each processor.
   */
  uint32_t threads;
  /**
   * How many of an image's best detections count, ascending, `[detections_max_count]`; recall
   * is given for each, precision for the last. NULL is 1, 10, 100.
   */
  const uint32_t *detections_max;
  /**
   * At most `SIMDETR_DETECTIONS_MAX_CAPACITY`.
   */
  size_t detections_max_count;
  /**
   * The host's job system instead of threads of the library; NULL for none. `threads` then says
   * how many tasks it runs at once.
   */
  simdetr_parallel_for_fn_t parallel_for;
  /**
   * First argument of `parallel_for`.
   */
  void *parallel_for_user_data;
} simdetr_evaluator_options_t;

/**
 * Figures in [0, 1]; -1 where there is nothing to measure.
 */
typedef struct simdetr_evaluation_t {
  /**
   * `sizeof(simdetr_evaluation_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * AP at IoU .50 to .95, with the largest number of detections, as all precisions here.
   */
  double average_precision;
  /**
   * AP at IoU .50.
   */
  double average_precision_50;
  /**
   * AP at IoU .75.
   */
  double average_precision_75;
  /**
   * AP of objects under 32 x 32 square pixels.
   */
  double average_precision_small;
  /**
   * AP of objects up to 96 x 96 square pixels.
   */
  double average_precision_medium;
  /**
   * AP of larger objects.
   */
  double average_precision_large;
  /**
   * AR for each entry of `detections_max`; the rest is -1.
   */
  double average_recall[SIMDETR_DETECTIONS_MAX_CAPACITY];
  /**
   * AR of small objects with the largest number of detections, as the next two.
   */
  double average_recall_small;
  /**
   * AR of medium objects.
   */
  double average_recall_medium;
  /**
   * AR of large objects.
   */
  double average_recall_large;
  /**
   * Images that were evaluated.
   */
  uint64_t images_count;
  /**
   * Objects, crowds included.
   */
  uint64_t objects_count;
  /**
   * Detections that were evaluated.
   */
  uint64_t detections_count;
  /**
   * Detections on images that the ground truth does not list.
   */
  uint64_t detections_left_out;
} simdetr_evaluation_t;

/**
 * The call did what it says.
 */
#define SIMDETR_OK 0

/**
 * An argument has a value that its documentation excludes.
 */
#define SIMDETR_ERROR_INVALID_ARGUMENT 1

/**
 * A pointer that must not be NULL is NULL.
 */
#define SIMDETR_ERROR_NULL_POINTER 2

/**
 * `struct_size` is shorter than the first published layout, or absurd.
 */
#define SIMDETR_ERROR_STRUCT_SIZE 3

/**
 * A field that only a newer library knows is not zero.
 */
#define SIMDETR_ERROR_UNKNOWN_OPTION 4

/**
 * A configuration key that does not exist; the message names the nearest.
 */
#define SIMDETR_ERROR_UNKNOWN_KEY 5

/**
 * A configuration value or option field outside its range.
 */
#define SIMDETR_ERROR_CONFIG_VALUE 6

/**
 * A configuration document that is not TOML.
 */
#define SIMDETR_ERROR_CONFIG_SYNTAX 7

/**
 * The function's cargo feature was left out of this build.
 */
#define SIMDETR_ERROR_NOT_COMPILED 8

/**
 * The caller's array is too short; the count that is needed has been written.
 */
#define SIMDETR_ERROR_BUFFER_TOO_SMALL 9

/**
 * A tensor or array of the wrong shape.
 */
#define SIMDETR_ERROR_SHAPE 100

/**
 * A tensor of an unsupported element type.
 */
#define SIMDETR_ERROR_ELEMENT_TYPE 101

/**
 * A tensor on an unsupported device.
 */
#define SIMDETR_ERROR_DEVICE 102

/**
 * A tensor with unsupported strides.
 */
#define SIMDETR_ERROR_STRIDES 103

/**
 * A read-only tensor was given for output.
 */
#define SIMDETR_ERROR_READ_ONLY 104

/**
 * NaN or infinity where only finite numbers make sense.
 */
#define SIMDETR_ERROR_NON_FINITE 105

/**
 * A vector of norm zero has no direction.
 */
#define SIMDETR_ERROR_ZERO_VECTOR 106

/**
 * More clusters asked for than there are vectors.
 */
#define SIMDETR_ERROR_TOO_FEW_POINTS 107

/**
 * No usable CUDA device or driver.
 */
#define SIMDETR_ERROR_CUDA_UNAVAILABLE 200

/**
 * libonnxruntime was not found or is too old; the message lists what was tried.
 */
#define SIMDETR_ERROR_ONNX_LIBRARY 300

/**
 * The ONNX file is not a model, or not one of an encoder.
 */
#define SIMDETR_ERROR_ONNX_MODEL 301

/**
 * The execution provider cannot run the whole model.
 */
#define SIMDETR_ERROR_ONNX_PROVIDER 302

/**
 * The operating system refused.
 */
#define SIMDETR_ERROR_IO 400

/**
 * Bytes that are not a readable image.
 */
#define SIMDETR_ERROR_IMAGE_DECODE 401

/**
 * An image over `pixels_max` or `bytes_max`.
 */
#define SIMDETR_ERROR_IMAGE_TOO_LARGE 402

/**
 * A folder without any file that could be an image.
 */
#define SIMDETR_ERROR_NO_IMAGES 403

/**
 * A folder in which every image is broken.
 */
#define SIMDETR_ERROR_NO_READABLE_IMAGE 404

/**
 * The output folder holds another run.
 */
#define SIMDETR_ERROR_RUN_MISMATCH 405

/**
 * An earlier step of the run has not been done.
 */
#define SIMDETR_ERROR_RUN_STEP 406

/**
 * A file that is truncated, damaged or of another version.
 */
#define SIMDETR_ERROR_FORMAT 407

/**
 * A weights file without the parameters that the network needs.
 */
#define SIMDETR_ERROR_WEIGHT_NAMES 408

/**
 * The cancel token was set while the call ran.
 */
#define SIMDETR_ERROR_CANCELLED 900

/**
 * A callback of the host answered something that is neither 0 nor negative.
 */
#define SIMDETR_ERROR_HOST_CALLBACK 901

/**
 * A defect of the library was caught; the handle is poisoned.
 */
#define SIMDETR_ERROR_PANIC 902

/**
 * An earlier call on this handle failed with `SIMDETR_ERROR_PANIC`; only destroy works.
 */
#define SIMDETR_ERROR_POISONED 903

/**
 * A condition that should not arise.
 */
#define SIMDETR_ERROR_INTERNAL 904

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The library's version.
 *
 * @return `major << 16 | minor << 8 | patch`; compare with `SIMDETR_VERSION`.
 *
 * Any thread.
 */
SIMDETR_API uint32_t simdetr_version(void);

/**
 * The library's version as text.
 *
 * @return A static string such as "0.1.0".
 *
 * Any thread.
 */
SIMDETR_API const char *simdetr_version_string(void);

/**
 * The version of the binary interface, which is also in the file name of the shared library.
 *
 * @return `major << 8` from 1.0 on, and the minor number before; a program works with every
 * library that answers the `SIMDETR_ABI_VERSION` it was compiled with.
 *
 * Any thread.
 */
SIMDETR_API uint32_t simdetr_abi_version(void);

/**
 * The name of a status.
 *
 * @param[in] status Any number.
 * @return A static string such as "SIMDETR_ERROR_SHAPE"; "host" for negative numbers, "unknown"
 * for numbers that this library does not use. Never NULL.
 *
 * Any thread.
 */
SIMDETR_API const char *simdetr_status_name(simdetr_status_t status);

/**
 * Sets, replaces or clears the process' log callback. Returns when no call of the former one is
 * running any more. Without a callback, which is the state at the start, the library is silent.
 *
 * @param[in] callback NULL clears.
 * @param[in] user_data Passed to each call; must outlive the callback's time here.
 * @param[in] level_max `SIMDETR_LOG_OFF` to `SIMDETR_LOG_TRACE`; less important messages are
 * dropped before they are formatted.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_INVALID_ARGUMENT` for an unknown level.
 *
 * Any thread, but not from inside a log callback.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_log_set(simdetr_log_fn_t callback,
                                 void *user_data,
                                 int32_t level_max,
                                 struct simdetr_error_t *error);

/**
 * Makes a token.
 *
 * @param[out] out The token, to be given to `simdetr_cancel_token_destroy`.
 * @param[out] error Optional.
 * @return A status.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_cancel_token_create(struct simdetr_cancel_token_t **out,
                                             struct simdetr_error_t *error);

/**
 * Asks every call that holds the token to stop; they answer `SIMDETR_ERROR_CANCELLED` after the
 * image, shard or round at hand and leave their outputs untouched. Never blocks; a token cannot
 * be set back.
 *
 * @param[in] token The token.
 * @param[out] error Optional.
 * @return A status.
 *
 * Any thread, also while a call runs.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_cancel_token_cancel(const struct simdetr_cancel_token_t *token,
                                             struct simdetr_error_t *error);

/**
 * Destroys a token. No call that was given it may still be running.
 *
 * @param[in] token May be NULL.
 *
 * Any thread.
 */
SIMDETR_API void simdetr_cancel_token_destroy(struct simdetr_cancel_token_t *token);

/**
 * Sets every field to its default and `struct_size` to the size given.
 *
 * @param[out] options May be NULL.
 * @param[in] struct_size `sizeof *options`.
 *
 * Any thread.
 */
SIMDETR_API
void simdetr_run_options_init(struct simdetr_run_options_t *options,
                              size_t struct_size);

/**
 * Sets every field to zero and `struct_size` to the size given.
 *
 * @param[out] image May be NULL.
 * @param[in] struct_size `sizeof *image`.
 *
 * Any thread.
 */
SIMDETR_API void simdetr_image_init(struct simdetr_image_t *image, size_t struct_size);

/**
 * Makes an empty set of proposals.
 *
 * @param[out] out The set, to be given to `simdetr_proposals_destroy`.
 * @param[out] error Optional.
 * @return A status.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposals_create(struct simdetr_proposals_t **out,
                                          struct simdetr_error_t *error);

/**
 * Destroys a set of proposals; views of it end, exported tensors live on.
 *
 * @param[in] proposals May be NULL.
 *
 * Any thread.
 */
SIMDETR_API void simdetr_proposals_destroy(struct simdetr_proposals_t *proposals);

/**
 * Says how many bytes a set of proposals holds.
 *
 * @param[in] proposals The set.
 * @param[out] bytes Memory of its arrays, whether used or kept for the next image.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the set `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposals_memory_bytes(const struct simdetr_proposals_t *proposals,
                                                uint64_t *bytes,
                                                struct simdetr_error_t *error);

/**
 * Gives borrowed pointers to everything.
 *
 * @param[in] proposals The set.
 * @param[in,out] view `struct_size` must be set; the rest is filled in.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the set `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposals_view(const struct simdetr_proposals_t *proposals,
                                        struct simdetr_proposals_view_t *view,
                                        struct simdetr_error_t *error);

/**
 * Copies the proposals into arrays of the host.
 *
 * @param[in] proposals The set.
 * @param[out] boxes `[capacity, 4]`; this and each other array may be NULL.
 * @param[out] scores `[capacity]`.
 * @param[out] levels `[capacity]`.
 * @param[out] cluster_counts `[capacity]`.
 * @param[out] vectors `[capacity, dimensions]`.
 * @param[in] dimensions Length of one vector that `vectors` has room for; must be the set's own
 * unless `vectors` is NULL.
 * @param[in] capacity Proposals that the arrays have room for; 0 asks for the count.
 * @param[out] count Number of proposals; also written with `SIMDETR_ERROR_BUFFER_TOO_SMALL`.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the set `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposals_copy_f32(const struct simdetr_proposals_t *proposals,
                                            float *boxes,
                                            float *scores,
                                            int32_t *levels,
                                            int32_t *cluster_counts,
                                            float *vectors,
                                            size_t dimensions,
                                            size_t capacity,
                                            size_t *count,
                                            struct simdetr_error_t *error);

/**
 * Replaces the proposals by arrays of the host, for example before they go into a store. Vectors
 * are made unit vectors; regions are taken to fill their boxes; levels and K are 0.
 *
 * @param[in] proposals The set.
 * @param[in] boxes `[count, 4]`.
 * @param[in] scores `[count]`; NULL takes each box's share of the image.
 * @param[in] vectors `[count, dimensions]`.
 * @param[in] dimensions Length of one vector.
 * @param[in] count Number of proposals; 0 allows NULL arrays.
 * @param[in] image_width Pixels, more than 0.
 * @param[in] image_height Pixels, more than 0.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_NON_FINITE`, `SIMDETR_ERROR_ZERO_VECTOR` with the index; the set is
 * untouched then.
 *
 * One thread at a time on one set.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposals_assign_f32(struct simdetr_proposals_t *proposals,
                                              const float *boxes,
                                              const float *scores,
                                              const float *vectors,
                                              size_t dimensions,
                                              size_t count,
                                              uint32_t image_width,
                                              uint32_t image_height,
                                              struct simdetr_error_t *error);

/**
 * Copies one field into a tensor of the host.
 *
 * @param[in] proposals The set.
 * @param[in] field One of `SIMDETR_FIELD_*`.
 * @param[out] target A dense tensor in host memory of exactly the field's type and shape.
 * @param[out] error Optional.
 * @return A status; the tensor is untouched unless it is 0.
 *
 * May run at the same time as other functions that take the set `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposals_copy_tensor(const struct simdetr_proposals_t *proposals,
                                               int32_t field,
                                               const DLTensor *target,
                                               struct simdetr_error_t *error);

/**
 * Copies one field into a tensor that the host then owns.
 *
 * @param[in] proposals The set.
 * @param[in] field One of `SIMDETR_FIELD_*`.
 * @param[out] out The tensor; ended by its deleter, and independent of the set.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the set `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposals_export_tensor(const struct simdetr_proposals_t *proposals,
                                                 int32_t field,
                                                 struct DLManagedTensorVersioned **out,
                                                 struct simdetr_error_t *error);

/**
 * `simdetr_proposals_export_tensor` in the form of DLPack before 1.0.
 *
 * @param[in] proposals The set.
 * @param[in] field One of `SIMDETR_FIELD_*`.
 * @param[out] out The tensor; ended by its deleter, and independent of the set.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the set `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposals_export_tensor_legacy(const struct simdetr_proposals_t *proposals,
                                                        int32_t field,
                                                        struct DLManagedTensor **out,
                                                        struct simdetr_error_t *error);

/**
 * Draws one mask.
 *
 * @param[in] proposals The set.
 * @param[in] index Which proposal.
 * @param[out] mask `[rows, columns]` bytes of the mask's grid (see `mask_grids`), 0 or 1.
 * @param[in] capacity Bytes at `mask`; 0 asks for the count.
 * @param[out] count Bytes of the mask; also written with `SIMDETR_ERROR_BUFFER_TOO_SMALL`.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the set `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposals_mask(const struct simdetr_proposals_t *proposals,
                                        size_t index,
                                        uint8_t *mask,
                                        size_t capacity,
                                        size_t *count,
                                        struct simdetr_error_t *error);

/**
 * Sets every field to its default and `struct_size` to the size given.
 *
 * @param[out] options May be NULL.
 * @param[in] struct_size `sizeof *options`.
 *
 * Any thread.
 */
SIMDETR_API
void simdetr_proposal_store_options_init(struct simdetr_proposal_store_options_t *options,
                                         size_t struct_size);

/**
 * Begins a store, or goes on with one that was begun with the same options.
 *
 * @param[in] path Folder; made if need be.
 * @param[in] dimensions Length of the vectors.
 * @param[in] options NULL is all defaults.
 * @param[out] out The store, to be given to `simdetr_proposal_store_destroy`.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_RUN_MISMATCH` when the folder holds a store of other options.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposal_store_create(const char *path,
                                               size_t dimensions,
                                               const struct simdetr_proposal_store_options_t *options,
                                               struct simdetr_proposal_store_t **out,
                                               struct simdetr_error_t *error);

/**
 * Opens a store for reading.
 *
 * @param[in] path Folder.
 * @param[out] out The store, to be given to `simdetr_proposal_store_destroy`.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_FORMAT` names a shard that is truncated, damaged or missing.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposal_store_open(const char *path,
                                             struct simdetr_proposal_store_t **out,
                                             struct simdetr_error_t *error);

/**
 * Destroys a store handle. A store that is being written loses the images of its last shard
 * unless it was full or `simdetr_proposal_store_finish` was called; nothing on disk is removed.
 *
 * @param[in] store May be NULL.
 *
 * Any thread.
 */
SIMDETR_API void simdetr_proposal_store_destroy(struct simdetr_proposal_store_t *store);

/**
 * Appends one image with its proposals. Images are numbered in the order in which they come.
 *
 * @param[in] store A store that is being written.
 * @param[in] image_path Relative path with `/`, which stands in the COCO file.
 * @param[in] width Pixels of the upright image; 0 for an image that could not be read.
 * @param[in] height Pixels of the upright image; 0 for an image that could not be read.
 * @param[in] proposals NULL for none. Vectors must have the store's length.
 * @param[out] image_id Id of the image; may be NULL.
 * @param[out] error Optional.
 * @return A status; nothing was appended unless it is 0.
 *
 * One thread at a time on one store.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposal_store_append(struct simdetr_proposal_store_t *store,
                                               const char *image_path,
                                               uint32_t width,
                                               uint32_t height,
                                               const struct simdetr_proposals_t *proposals,
                                               uint32_t *image_id,
                                               struct simdetr_error_t *error);

/**
 * Commits what is left. The handle can then read the store, if it holds an image.
 *
 * @param[in] store A store that is being written.
 * @param[out] error Optional.
 * @return A status; after a failure the handle can only be destroyed, and the store be begun
 * again where its last complete shard ends.
 *
 * One thread at a time on one store.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposal_store_finish(struct simdetr_proposal_store_t *store,
                                               struct simdetr_error_t *error);

/**
 * Counts what a store holds.
 *
 * @param[in] store A store that was opened or finished.
 * @param[in,out] counts `struct_size` must be set; the rest is filled in.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the store `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposal_store_counts(const struct simdetr_proposal_store_t *store,
                                               struct simdetr_proposal_store_counts_t *counts,
                                               struct simdetr_error_t *error);

/**
 * Says how many bytes a store handle holds.
 *
 * @param[in] store The store.
 * @param[out] bytes The shard in memory: the one being written, or the one that was read last.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the store `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposal_store_memory_bytes(const struct simdetr_proposal_store_t *store,
                                                     uint64_t *bytes,
                                                     struct simdetr_error_t *error);

/**
 * Reads one image with its proposals. Going through the images in order reads each shard once.
 *
 * @param[in] store A store that was opened or finished.
 * @param[in] index Which image, from 0.
 * @param[in,out] image `struct_size` must be set, the rest is filled in; may be NULL.
 * @param[in] proposals Receives the proposals; may be NULL.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the store `const`; readers of different
 * shards wait for each other.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposal_store_read(const struct simdetr_proposal_store_t *store,
                                             uint64_t index,
                                             struct simdetr_stored_image_t *image,
                                             struct simdetr_proposals_t *proposals,
                                             struct simdetr_error_t *error);

/**
 * Copies the path of one image.
 *
 * @param[in] store A store that was opened or finished.
 * @param[in] index Which image, from 0.
 * @param[out] path Receives the relative path, UTF-8 with a final NUL.
 * @param[in] capacity Bytes at `path`; 0 asks for the count.
 * @param[out] count Bytes of the path with its NUL; also written with
 * `SIMDETR_ERROR_BUFFER_TOO_SMALL`.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the store `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposal_store_image_path(const struct simdetr_proposal_store_t *store,
                                                   uint64_t index,
                                                   char *path,
                                                   size_t capacity,
                                                   size_t *count,
                                                   struct simdetr_error_t *error);

/**
 * Reads unit vectors, one row for each proposal of the store.
 *
 * @param[in] store A store that was opened or finished.
 * @param[in] first First row.
 * @param[in] rows_count Number of rows.
 * @param[out] vectors `[rows_count, dimensions]`.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the store `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposal_store_vectors_f32(const struct simdetr_proposal_store_t *store,
                                                    uint64_t first,
                                                    size_t rows_count,
                                                    float *vectors,
                                                    struct simdetr_error_t *error);

/**
 * Puts the shards of several stores, which hold different images of one set, into a new one.
 *
 * @param[in] sources Folders, `[sources_count]`, in any order.
 * @param[in] sources_count Number of folders.
 * @param[in] target Folder of the new store.
 * @param[in] run Optional.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_INVALID_ARGUMENT` when images are there twice or missing between the
 * stores, `SIMDETR_ERROR_RUN_MISMATCH` when they were written with different options.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposal_store_merge(const char *const *sources,
                                              size_t sources_count,
                                              const char *target,
                                              const struct simdetr_run_options_t *run,
                                              struct simdetr_error_t *error);

/**
 * Sets every field to its default and `struct_size` to the size given.
 *
 * @param[out] options May be NULL.
 * @param[in] struct_size `sizeof *options`.
 *
 * Any thread.
 */
SIMDETR_API
void simdetr_evaluator_options_init(struct simdetr_evaluator_options_t *options,
                                    size_t struct_size);

/**
 * Makes an evaluator.
 *
 * @param[in] options NULL is all defaults.
 * @param[out] out The evaluator, to be given to `simdetr_evaluator_destroy`.
 * @param[out] error Optional.
 * @return A status.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_evaluator_create(const struct simdetr_evaluator_options_t *options,
                                          struct simdetr_evaluator_t **out,
                                          struct simdetr_error_t *error);

/**
 * Destroys an evaluator.
 *
 * @param[in] evaluator May be NULL.
 *
 * Any thread.
 */
SIMDETR_API void simdetr_evaluator_destroy(struct simdetr_evaluator_t *evaluator);

/**
 * Says how many bytes an evaluator holds between calls.
 *
 * @param[in] evaluator The evaluator.
 * @param[out] bytes The answer.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions on the evaluator.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_evaluator_memory_bytes(const struct simdetr_evaluator_t *evaluator,
                                                uint64_t *bytes,
                                                struct simdetr_error_t *error);

/**
 * Evaluates a file of detections (a list of COCO results, or a COCO data set whose annotations
 * carry `score`) against a COCO data set. Images are joined by file name where both files list
 * them, by id otherwise.
 *
 * @param[in] evaluator The evaluator.
 * @param[in] ground_truth Path of the data set.
 * @param[in] detections Path of the detections.
 * @param[in] run Optional.
 * @param[in,out] evaluation `struct_size` must be set; the rest is filled in.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_FORMAT` says what is wrong with a file.
 *
 * May run at the same time as other functions on the evaluator.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_evaluator_evaluate_files(const struct simdetr_evaluator_t *evaluator,
                                                  const char *ground_truth,
                                                  const char *detections,
                                                  const struct simdetr_run_options_t *run,
                                                  struct simdetr_evaluation_t *evaluation,
                                                  struct simdetr_error_t *error);

/**
 * Evaluates arrays. Ids may be any numbers; the images are those of both sides together.
 *
 * @param[in] evaluator The evaluator.
 * @param[in] object_image_ids `[objects_count]`.
 * @param[in] object_category_ids `[objects_count]`; NULL puts all into category 0.
 * @param[in] object_boxes `[objects_count, 4]`: x0, y0, x1, y1.
 * @param[in] object_areas `[objects_count]` square pixels; NULL takes those of the boxes.
 * @param[in] object_crowds `[objects_count]`, not 0 where a box holds a crowd; NULL for none.
 * @param[in] objects_count Number of known objects.
 * @param[in] detection_image_ids `[detections_count]`.
 * @param[in] detection_category_ids `[detections_count]`; NULL puts all into category 0.
 * @param[in] detection_boxes `[detections_count, 4]`: x0, y0, x1, y1.
 * @param[in] detection_scores `[detections_count]`.
 * @param[in] detections_count Number of detections.
 * @param[in] run Optional.
 * @param[in,out] evaluation `struct_size` must be set; the rest is filled in.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions on the evaluator.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_evaluator_evaluate_f32(const struct simdetr_evaluator_t *evaluator,
                                                const int64_t *object_image_ids,
                                                const int64_t *object_category_ids,
                                                const float *object_boxes,
                                                const double *object_areas,
                                                const uint8_t *object_crowds,
                                                size_t objects_count,
                                                const int64_t *detection_image_ids,
                                                const int64_t *detection_category_ids,
                                                const float *detection_boxes,
                                                const float *detection_scores,
                                                size_t detections_count,
                                                const struct simdetr_run_options_t *run,
                                                struct simdetr_evaluation_t *evaluation,
                                                struct simdetr_error_t *error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SIMDETR_H */
