/*
 * libsimdetr: an object detector taught by images that nobody labelled.
 *
 * Generated from src/capi by tests/header.rs; do not edit.
 *
 * What flows: images go through an encoder (feature maps), an extractor (proposals: boxes with
 * vectors, masks and scores), a proposal store (a folder on disk) and a clusterer (one pseudo-class
 * for each proposal), and leave as a COCO data set. An evaluator scores boxes against known ones. A
 * trainer does all of it and then teaches a detector in stages, the built-in one or one of the host's
 * behind callbacks. A matcher and a criterion serve training loops of the host's own: which query
 * answers for which target, losses and gradients. A host may enter and leave at every step with arrays
 * of its own.
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
 * covers [i, i + 1). Matcher and criterion take center x, center y, width and height divided by the
 * size of the un-padded image.
 *
 * Threads. Functions that take a `const` handle may run at the same time on one handle; the others
 * need exclusion on that handle. Different handles are independent. Any thread may call, and may
 * destroy what another created. `threads` in the options: 1 is the caller's thread alone, which
 * starts no thread ever; 0 is one for each processor; more than four for each processor, and more
 * than 8, are refused. Results do not depend on the number.
 *
 * Callbacks get their `user_data` first, must not throw or longjmp, and must not use the handle that
 * is calling them. Long calls take a `simdetr_run_options_t` with a cancel token and a progress
 * callback. Progress, `parallel_for` and the callbacks of a host's detector run on the thread that
 * made the call; the log's on any; an encoder's on any or on that thread, as it asks for
 * (`callback_threads`).
 *
 * fork. A child may use the handles that it inherits and make new ones: threads do not live on in a
 * child, so the library starts its own there when the first call needs them. Of the parent's other
 * threads the child knows nothing: do not use or destroy there a handle that another thread was using
 * at the fork, nor an ONNX encoder, whose runtime has threads of its own, nor call
 * `simdetr_log_set` there if another thread may have been logging. Do not fork inside a callback.
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


#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/* ---- Versions ---- */

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

/* ---- Statuses and errors ---- */

/**
 * What every fallible function answers: 0, a positive `SIMDETR_ERROR_*` of the library, or the
 * negative number that a callback of the host returned.
 */
typedef int32_t simdetr_status_t;

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
 * An iteration that rounding, or numbers far outside the usual, keep from its end.
 */
#define SIMDETR_ERROR_NOT_CONVERGED 108

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
 * Annotations of images that are not in the folder.
 */
#define SIMDETR_ERROR_MISSING_IMAGES 409

/**
 * A path that is not written: a folder, read-only, or what another program wrote.
 */
#define SIMDETR_ERROR_OUTPUT 420

/**
 * An image in a format that is known by name but not read, such as HEIC.
 */
#define SIMDETR_ERROR_UNSUPPORTED_IMAGE 421

/**
 * A hidden file, one whose name is not UTF-8 or one of an unsupported format, under `strict`.
 */
#define SIMDETR_ERROR_LEFT_OUT 422

/**
 * Another process, or another call, is writing into the folder.
 */
#define SIMDETR_ERROR_LOCKED 410

/**
 * A loss or a gradient that is not finite; the last checkpoint is whole.
 */
#define SIMDETR_ERROR_DIVERGED 500

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
 * An earlier call on this handle failed with `SIMDETR_ERROR_PANIC`, or with
 * `SIMDETR_ERROR_HOST_CONTRACT` while it changed the handle; only destroy works.
 */
#define SIMDETR_ERROR_POISONED 903

/**
 * A condition that should not arise.
 */
#define SIMDETR_ERROR_INTERNAL 904

/**
 * A callback of the host did what its documentation excludes, such as a `parallel_for` that calls
 * a task twice or not at all. The call ended where it was: a handle that it was changing is
 * poisoned, one that it took `const` is as it was.
 */
#define SIMDETR_ERROR_HOST_CONTRACT 910

/**
 * Memory that the machine does not have, or that a limit forbids; the message has the numbers.
 */
#define SIMDETR_ERROR_OUT_OF_MEMORY 905

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
 * Bytes of `simdetr_error_t.message`, the final NUL included.
 */
#define SIMDETR_ERROR_MESSAGE_CAPACITY 252

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

/* ---- Log ---- */

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
 * Receives one message. Called from threads that call the library, from the library's own and from
 * those where the host's `parallel_for` runs tasks, possibly from several at once; must not throw,
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

/* ---- Calls that take long: cancelling, progress, the host's threads ---- */

/**
 * Stops the calls that were given it. Any number of threads may use one at the same time.
 */
typedef struct simdetr_cancel_token_t simdetr_cancel_token_t;

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
 * Hears how far a call has come. Called only by the thread that made the call, between units of
 * work; must not throw, `longjmp` or use the handles of that call.
 *
 * @param[in] user_data `simdetr_run_options_t.progress_user_data`.
 * @param[in] step What is counted, such as "extract"; NUL-terminated, borrowed for the call.
 * @param[in] done Units done.
 * @param[in] total Units in all; 0 where unknown.
 * @return A negative number stops the call and becomes its status; 0, as any other, goes on.
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
   * `sizeof(simdetr_run_options_t)`, set by the caller.
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
 * Sets every field to zero, which is the default of those that have one, and `struct_size` to
 * the size given.
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
 * One task of the library, to be called by the host's job system.
 *
 * @param[in] task_data What `simdetr_parallel_for_fn_t` was given.
 * @param[in] index Which task, below `tasks_count`.
 */
typedef void (*simdetr_task_fn_t)(void *task_data, size_t index);

/**
 * The host's job system: calls `task(task_data, i)` once for every `i` below `tasks_count`, in
 * any order, on any threads, and returns when all have returned. Called from the thread that made
 * the library's call, one loop at a time; several calls at once make several such threads. Must not
 * throw or `longjmp`.
 *
 * It is checked: an index that is called twice or is out of range, one that is not called, and a
 * return while a task still runs end the library's call with `SIMDETR_ERROR_HOST_CONTRACT`; no
 * task runs twice or outside its loop. A call of `task` after the return is ignored.
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

/* ---- Images ---- */

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
 * Rows of brightness, then half as many rows of colour differences, blue's and red's in turns,
 * from `data + row_stride_bytes * height` on, in the range of video (BT.601). Sides are even and
 * the top row comes first.
 */
#define SIMDETR_PIXEL_NV12 6

/**
 * Brightness, blue's difference, brightness, red's difference: four bytes for two pixels, in the
 * range of video (BT.601). The width is even.
 */
#define SIMDETR_PIXEL_YUYV 7

/**
 * Pixels of the host, borrowed for the call. The image is taken as upright.
 */
typedef struct simdetr_image_t {
  /**
   * `sizeof(simdetr_image_t)`, set by the caller.
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
 * Sets every field to zero, which is the default of those that have one, and `struct_size` to
 * the size given.
 *
 * @param[out] image May be NULL.
 * @param[in] struct_size `sizeof *image`.
 *
 * Any thread.
 */
SIMDETR_API void simdetr_image_init(struct simdetr_image_t *image, size_t struct_size);

/**
 * The image that feature maps belong to.
 */
typedef struct simdetr_image_geometry_t {
  /**
   * `sizeof(simdetr_image_geometry_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * Pixels of the upright original image, in which boxes are given.
   */
  uint32_t original_width;
  /**
   * Pixels of the upright original image.
   */
  uint32_t original_height;
  /**
   * Pixels of the image as the encoder saw it; 0 is that of the original.
   */
  uint32_t resized_width;
  /**
   * Pixels of the image as the encoder saw it; 0 is that of the original.
   */
  uint32_t resized_height;
  /**
   * Keys the image's random numbers; the rank of its path where it has one.
   */
  uint32_t image_id;
  /**
   * Must be 0.
   */
  uint32_t reserved;
} simdetr_image_geometry_t;

/**
 * Sets every field to zero, which is the default of those that have one, and `struct_size` to
 * the size given.
 *
 * @param[out] geometry May be NULL.
 * @param[in] struct_size `sizeof *geometry`.
 *
 * Any thread.
 */
SIMDETR_API
void simdetr_image_geometry_init(struct simdetr_image_geometry_t *geometry,
                                 size_t struct_size);

/* ---- Encoders and feature maps ---- */

/**
 * Where feature maps come from. Never changes; any number of threads may use one.
 */
typedef struct simdetr_encoder_t simdetr_encoder_t;

/**
 * Destroys an encoder; extractors that were made from it live on.
 *
 * @param[in] encoder May be NULL.
 *
 * Any thread.
 */
SIMDETR_API void simdetr_encoder_destroy(struct simdetr_encoder_t *encoder);

/**
 * One map that an encoder gives.
 */
typedef struct simdetr_map_description_t {
  /**
   * Name such as "layer4", NUL-terminated and cut to fit.
   */
  char name[64];
  /**
   * Channels of the map.
   */
  size_t channels;
  /**
   * Pixels of the resized image for each cell.
   */
  size_t stride;
} simdetr_map_description_t;

/**
 * Says which maps an encoder gives, deepest (largest stride) first.
 *
 * @param[in] encoder The encoder.
 * @param[out] maps `[capacity]`.
 * @param[in] capacity Entries at `maps`; 0 asks for the count.
 * @param[out] count Number of maps; also written with `SIMDETR_ERROR_BUFFER_TOO_SMALL`.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions on the encoder.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_encoder_maps(const struct simdetr_encoder_t *encoder,
                                      struct simdetr_map_description_t *maps,
                                      size_t capacity,
                                      size_t *count,
                                      struct simdetr_error_t *error);

/**
 * Says how many bytes an encoder holds.
 *
 * @param[in] encoder The handle.
 * @param[out] bytes Weights and kept memory, as far as the library knows them.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the encoder `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_encoder_memory_bytes(const struct simdetr_encoder_t *encoder,
                                              uint64_t *bytes,
                                              struct simdetr_error_t *error);

/**
 * ONNX models run on the processor; the default.
 */
#define SIMDETR_ONNX_PROVIDER_CPU 1

/**
 * ONNX models run on an NVIDIA device as a whole, or not at all.
 */
#define SIMDETR_ONNX_PROVIDER_CUDA 2

/**
 * `image_mean` is meant although it is 0.
 */
#define SIMDETR_ENCODER_SET_IMAGE_MEAN 1

/**
 * Which encoder. Zero in a field is its default.
 */
typedef struct simdetr_encoder_options_t {
  /**
   * `sizeof(simdetr_encoder_options_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * `SIMDETR_ENCODER_SET_*` of the fields whose zero is meant.
   */
  uint64_t set_mask;
  /**
   * "default", or the path of a safetensors file (ResNet) or an ONNX file. NULL is "default".
   */
  const char *encoder;
  /**
   * Names of the maps to take, `[layers_count]`: "layer1" to "layer4", or outputs of an ONNX
   * model. NULL takes layer4 and layer3, or every output that is a map.
   */
  const char *const *layers;
  /**
   * Number of `layers`.
   */
  size_t layers_count;
  /**
   * Subtracted from red, green and blue in [0, 1]; all zero is ImageNet's mean.
   */
  float image_mean[3];
  /**
   * Red, green and blue are divided by this; all zero is ImageNet's standard deviation.
   */
  float image_deviation[3];
  /**
   * Path of libonnxruntime. NULL looks at `SIMDETR_ORT_LIB`, `ORT_DYLIB_PATH` and the usual
   * names.
   */
  const char *onnx_library;
  /**
   * `SIMDETR_ONNX_PROVIDER_*`.
   */
  int32_t onnx_provider;
  /**
   * Threads of an ONNX model: 0 is one for each processor, 1 the caller's own.
   */
  uint32_t onnx_threads;
  /**
   * What stands before the names of the network to read where a safetensors file holds several, for
   * example "encoder_q"; "." where nothing does. NULL takes the one that was trained and leaves
   * momentum and EMA copies.
   */
  const char *weights_prefix;
} simdetr_encoder_options_t;

/**
 * Sets every field to zero, which is the default of those that have one, and `struct_size` to
 * the size given.
 *
 * @param[out] options May be NULL.
 * @param[in] struct_size `sizeof *options`.
 *
 * Any thread.
 */
SIMDETR_API
void simdetr_encoder_options_init(struct simdetr_encoder_options_t *options,
                                  size_t struct_size);

/**
 * Makes the built-in encoder, or one from a file.
 *
 * @param[in] options NULL is the built-in encoder.
 * @param[out] out The encoder, to be given to `simdetr_encoder_destroy`.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_WEIGHT_NAMES`, `SIMDETR_ERROR_ONNX_*` and `SIMDETR_ERROR_FORMAT` say what
 * is wrong with the file, `SIMDETR_ERROR_NOT_COMPILED` which feature this build lacks.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_encoder_create(const struct simdetr_encoder_options_t *options,
                                        struct simdetr_encoder_t **out,
                                        struct simdetr_error_t *error);

/**
 * Makes an encoder from the bytes of a safetensors or ONNX file, told apart by their content.
 *
 * @param[in] data The file's bytes, read during the call only.
 * @param[in] length Number of bytes.
 * @param[in] options NULL is all defaults; `encoder` must be NULL.
 * @param[out] out The encoder, to be given to `simdetr_encoder_destroy`.
 * @param[out] error Optional.
 * @return As `simdetr_encoder_create`.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_encoder_create_from_memory(const uint8_t *data,
                                                    size_t length,
                                                    const struct simdetr_encoder_options_t *options,
                                                    struct simdetr_encoder_t **out,
                                                    struct simdetr_error_t *error);

/**
 * The encoder's callback runs on whichever thread has an image: the default.
 */
#define SIMDETR_CALLBACK_THREADS_ANY 1

/**
 * The encoder's callback runs only on threads that call the library, one image after the other in
 * each call.
 */
#define SIMDETR_CALLBACK_THREADS_CALLER 2

/**
 * One map for the host to fill.
 */
typedef struct simdetr_map_t {
  /**
   * `[height, width, channels]` floats of the library, row by row, to be written.
   */
  float *values;
  /**
   * Rows of cells.
   */
  size_t height;
  /**
   * Cells in a row.
   */
  size_t width;
  /**
   * Channels, as `simdetr_encoder_callback_t` said.
   */
  size_t channels;
} simdetr_map_t;

/**
 * Fills the maps of one image. Calls about one image run it on the thread that made them;
 * `simdetr_extractor_extract_batch` and `simdetr_extractor_extract_folder` run it on the threads of
 * the library, or on those where the host's `parallel_for` runs tasks, several at once. With
 * `SIMDETR_CALLBACK_THREADS_CALLER` these two also run it on the thread that made the call alone,
 * one image after the other. Must not throw or `longjmp`. May use other handles, but not the
 * extractor that calls.
 *
 * @param[in] user_data `simdetr_encoder_callback_t.user_data`.
 * @param[in] image RGB8 without padding, already resized; borrowed for the call.
 * @param[in] maps `[maps_count]`, deepest (largest stride) first; every value must be written.
 * @param[in] maps_count Number of maps.
 * @return 0, or a negative number that becomes the status of the call.
 */
typedef int32_t (*simdetr_encode_fn_t)(void *user_data,
                                       const struct simdetr_image_t *image,
                                       const struct simdetr_map_t *maps,
                                       size_t maps_count);

/**
 * Called once, after the last call of the callback, with its `user_data`, by the thread that ends
 * the last handle which uses it.
 *
 * @param[in] user_data What stands beside the function in its struct.
 */
typedef void (*simdetr_destroy_fn_t)(void *user_data);

/**
 * An encoder of the host.
 */
typedef struct simdetr_encoder_callback_t {
  /**
   * `sizeof(simdetr_encoder_callback_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * Name of the host's model, which stands in run folders in place of a checksum.
   */
  const char *name;
  /**
   * Fills the maps.
   */
  simdetr_encode_fn_t encode;
  /**
   * First argument of `encode`; used from the threads on which that runs.
   */
  void *user_data;
  /**
   * Ends `user_data`; NULL for none. Called also when creating the encoder fails.
   */
  simdetr_destroy_fn_t user_data_destroy;
  /**
   * Channels of each map, `[maps_count]`.
   */
  const size_t *channels;
  /**
   * Pixels of the resized image for each cell of each map, `[maps_count]`.
   */
  const size_t *strides;
  /**
   * Number of maps.
   */
  size_t maps_count;
  /**
   * One of `SIMDETR_CALLBACK_THREADS_*`; 0 is `SIMDETR_CALLBACK_THREADS_ANY`. Results are the same.
   */
  int32_t callback_threads;
  /**
   * Must be 0.
   */
  uint32_t reserved;
} simdetr_encoder_callback_t;

/**
 * Sets every field to zero, which is the default of those that have one, and `struct_size` to
 * the size given.
 *
 * @param[out] callback May be NULL.
 * @param[in] struct_size `sizeof *callback`.
 *
 * Any thread.
 */
SIMDETR_API
void simdetr_encoder_callback_init(struct simdetr_encoder_callback_t *callback,
                                   size_t struct_size);

/**
 * Makes an encoder of a callback of the host.
 *
 * @param[in] callback The callback, its data and its maps; copied. From here on the library owns
 * `user_data` and ends it by `user_data_destroy`, also when this function fails, except where
 * `callback` itself cannot be read (NULL or a wrong `struct_size`).
 * @param[out] out The encoder, to be given to `simdetr_encoder_destroy`.
 * @param[out] error Optional.
 * @return A status.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_encoder_create_from_callback(const struct simdetr_encoder_callback_t *callback,
                                                      struct simdetr_encoder_t **out,
                                                      struct simdetr_error_t *error);

/**
 * The feature maps of one image. One thread at a time may fill it; reading may be shared.
 */
typedef struct simdetr_feature_maps_t simdetr_feature_maps_t;

/**
 * One map, borrowed until its `simdetr_feature_maps_t` is filled again or destroyed.
 */
typedef struct simdetr_feature_map_t {
  /**
   * Name such as "layer4", NUL-terminated and cut to fit.
   */
  char name[64];
  /**
   * `[height, width, channels]`, row by row, without gaps.
   */
  const float *values;
  /**
   * Rows of cells.
   */
  size_t height;
  /**
   * Cells in a row.
   */
  size_t width;
  /**
   * Channels of a cell.
   */
  size_t channels;
  /**
   * Nominal pixels of the resized image for each cell.
   */
  size_t stride;
} simdetr_feature_map_t;

/**
 * Makes an empty set of feature maps.
 *
 * @param[out] out The set, to be given to `simdetr_feature_maps_destroy`.
 * @param[out] error Optional.
 * @return A status.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_feature_maps_create(struct simdetr_feature_maps_t **out,
                                             struct simdetr_error_t *error);

/**
 * Destroys a set of feature maps; borrowed maps end, exported tensors live on.
 *
 * @param[in] feature_maps May be NULL.
 *
 * Any thread.
 */
SIMDETR_API void simdetr_feature_maps_destroy(struct simdetr_feature_maps_t *feature_maps);

/**
 * Says how many bytes a set of feature maps holds.
 *
 * @param[in] feature_maps The handle.
 * @param[out] bytes Memory of the maps' values.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the feature_maps `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_feature_maps_memory_bytes(const struct simdetr_feature_maps_t *feature_maps,
                                                   uint64_t *bytes,
                                                   struct simdetr_error_t *error);

/**
 * Gives borrowed maps, deepest (largest stride) first.
 *
 * @param[in] feature_maps The set.
 * @param[out] maps `[capacity]`.
 * @param[in] capacity Entries at `maps`; 0 asks for the count.
 * @param[out] count Number of maps, 0 before the set is filled; also written with
 * `SIMDETR_ERROR_BUFFER_TOO_SMALL`.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the set `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_feature_maps_view(const struct simdetr_feature_maps_t *feature_maps,
                                           struct simdetr_feature_map_t *maps,
                                           size_t capacity,
                                           size_t *count,
                                           struct simdetr_error_t *error);

/**
 * Gives the sizes of the image that the maps belong to, as `simdetr_extractor_extract_maps` takes
 * them; `image_id` is 0.
 *
 * @param[in] feature_maps The set.
 * @param[in,out] geometry `struct_size` must be set; the rest is filled in.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_INVALID_ARGUMENT` before the set is filled.
 *
 * May run at the same time as other functions that take the set `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_feature_maps_geometry(const struct simdetr_feature_maps_t *feature_maps,
                                               struct simdetr_image_geometry_t *geometry,
                                               struct simdetr_error_t *error);

/**
 * Copies one map into a tensor of the host.
 *
 * @param[in] feature_maps The set.
 * @param[in] index Which map.
 * @param[out] target A dense f32 tensor in host memory of the map's shape, `[height, width,
 * channels]`.
 * @param[out] error Optional.
 * @return A status; the tensor is untouched unless it is 0.
 *
 * May run at the same time as other functions that take the set `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_feature_maps_copy_tensor(const struct simdetr_feature_maps_t *feature_maps,
                                                  size_t index,
                                                  const DLTensor *target,
                                                  struct simdetr_error_t *error);

/**
 * Copies one map into a tensor that the host then owns.
 *
 * @param[in] feature_maps The set.
 * @param[in] index Which map.
 * @param[out] out f32 `[height, width, channels]`; ended by its deleter, and independent of the
 * set.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the set `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_feature_maps_export_tensor(const struct simdetr_feature_maps_t *feature_maps,
                                                    size_t index,
                                                    struct DLManagedTensorVersioned **out,
                                                    struct simdetr_error_t *error);

/**
 * `simdetr_feature_maps_export_tensor` in the form of DLPack before 1.0.
 *
 * @param[in] feature_maps The set.
 * @param[in] index Which map.
 * @param[out] out f32 `[height, width, channels]`; ended by its deleter, and independent of the
 * set.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the set `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_feature_maps_export_tensor_legacy(const struct simdetr_feature_maps_t *feature_maps,
                                                           size_t index,
                                                           struct DLManagedTensor **out,
                                                           struct simdetr_error_t *error);

/**
 * How an image is resized before it is encoded, and who does the work. Zero in a field is its
 * default.
 */
typedef struct simdetr_encode_options_t {
  /**
   * `sizeof(simdetr_encode_options_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * Must be 0.
   */
  uint64_t set_mask;
  /**
   * Pixels of the shorter side; 0 is 480.
   */
  uint32_t image_short_side;
  /**
   * Most pixels of the longer side; 0 is 800.
   */
  uint32_t image_long_side_max;
  /**
   * Both sides become multiples of this, or of what the encoder needs; 0 is 32.
   */
  uint32_t side_multiple;
  /**
   * Threads: 0 is one for each processor, 1 the caller's own.
   */
  uint32_t threads;
  /**
   * The host's job system in place of threads of ours; NULL for none.
   */
  simdetr_parallel_for_fn_t parallel_for;
  /**
   * First argument of `parallel_for`.
   */
  void *parallel_for_user_data;
} simdetr_encode_options_t;

/**
 * Sets every field to zero, which is the default of those that have one, and `struct_size` to
 * the size given.
 *
 * @param[out] options May be NULL.
 * @param[in] struct_size `sizeof *options`.
 *
 * Any thread.
 */
SIMDETR_API
void simdetr_encode_options_init(struct simdetr_encode_options_t *options,
                                 size_t struct_size);

/**
 * Computes an encoder's feature maps of one image.
 *
 * @param[in] encoder The encoder.
 * @param[in] image Pixels of the host.
 * @param[in] options NULL is all defaults.
 * @param[in] run Optional.
 * @param[in] feature_maps Receives the maps; untouched unless the status is 0.
 * @param[out] error Optional.
 * @return A status; negative where the host's encoder callback stopped the call.
 *
 * May run at the same time as other functions on the encoder, with other feature maps.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_encoder_encode_image(const struct simdetr_encoder_t *encoder,
                                              const struct simdetr_image_t *image,
                                              const struct simdetr_encode_options_t *options,
                                              const struct simdetr_run_options_t *run,
                                              struct simdetr_feature_maps_t *feature_maps,
                                              struct simdetr_error_t *error);

/**
 * Computes an encoder's feature maps of one encoded image: JPEG, PNG, WebP, BMP or TIFF,
 * recognised by content; the maps are those of the upright image.
 *
 * @param[in] encoder The encoder.
 * @param[in] data The file's bytes.
 * @param[in] length Number of bytes.
 * @param[in] options NULL is all defaults.
 * @param[in] run Optional.
 * @param[in] feature_maps Receives the maps; untouched unless the status is 0.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_IMAGE_DECODE` or `SIMDETR_ERROR_IMAGE_TOO_LARGE` say what is wrong.
 *
 * May run at the same time as other functions on the encoder, with other feature maps.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_encoder_encode_bytes(const struct simdetr_encoder_t *encoder,
                                              const uint8_t *data,
                                              size_t length,
                                              const struct simdetr_encode_options_t *options,
                                              const struct simdetr_run_options_t *run,
                                              struct simdetr_feature_maps_t *feature_maps,
                                              struct simdetr_error_t *error);

/**
 * Computes an encoder's feature maps of an image tensor.
 *
 * @param[in] encoder The encoder.
 * @param[in] image `[3, H, W]` or `[H, W, 3]`, with or without a leading 1, any positive strides;
 * u8, or f32 in [0, 1].
 * @param[in] options NULL is all defaults.
 * @param[in] run Optional.
 * @param[in] feature_maps Receives the maps; untouched unless the status is 0.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions on the encoder, with other feature maps.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_encoder_encode_tensor(const struct simdetr_encoder_t *encoder,
                                               const DLTensor *image,
                                               const struct simdetr_encode_options_t *options,
                                               const struct simdetr_run_options_t *run,
                                               struct simdetr_feature_maps_t *feature_maps,
                                               struct simdetr_error_t *error);

/* ---- Proposals ---- */

/**
 * The proposals of one image. One thread at a time may fill it; reading may be shared.
 */
typedef struct simdetr_proposals_t simdetr_proposals_t;

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
 * @param[in] proposals The handle.
 * @param[out] bytes Memory of its arrays, whether used or kept for the next image.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the proposals `const`.
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

/* ---- Proposal stores ---- */

/**
 * Vectors are stored as 16-bit floats; the default.
 */
#define SIMDETR_FEATURE_DTYPE_F16 1

/**
 * Vectors are stored as 32-bit floats.
 */
#define SIMDETR_FEATURE_DTYPE_F32 2

/**
 * A folder of proposals. While it is written, one thread at a time; a store that was opened or
 * finished may be read by any number of threads.
 */
typedef struct simdetr_proposal_store_t simdetr_proposal_store_t;

/**
 * How a store is written. Zero in a field is its default.
 */
typedef struct simdetr_proposal_store_options_t {
  /**
   * `sizeof(simdetr_proposal_store_options_t)`, set by the caller.
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
 * Sets every field to zero, which is the default of those that have one, and `struct_size` to
 * the size given.
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
 * @return `SIMDETR_ERROR_RUN_MISMATCH` when the folder holds a store of other options;
 * `SIMDETR_ERROR_LOCKED` while another one that is not finished has it open, in any process.
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
 * @param[in] store The handle.
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
 * @param[out] vectors `[rows_count, dimensions]`; zeros from the row on that could not be read.
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

/* ---- Extractors ---- */

/**
 * Selective Search and its filters, the table `[selective_search]`. Zero in a field is its default.
 */
typedef struct simdetr_selective_search_options_t {
  /**
   * `sizeof(simdetr_selective_search_options_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * Must be 0; no field has a zero that is not its default.
   */
  uint64_t set_mask;
  /**
   * Pixels of both sides of the image that is searched, 16-512; 0 is 128.
   */
  uint32_t selective_search_side;
  /**
   * Most boxes of an image; 0 is 30.
   */
  uint32_t selective_search_boxes;
  /**
   * Deviation in pixels of the Gaussian before segmentation; 0 is 0.8.
   */
  float selective_search_sigma;
  /**
   * The scales k of the three segmentations; three zeros are 150, 300, 450.
   */
  float selective_search_scales[3];
  /**
   * Pixels below which a segment joins its neighbour; 0 is 100.
   */
  uint32_t selective_search_segment_pixels_min;
  /**
   * A box whose IoU with one before it is above this is left out; 0 is 1, which leaves out none.
   */
  float selective_search_overlap_max;
  /**
   * Longest side of a box over its shortest; 0 is no limit.
   */
  float selective_search_aspect_max;
  /**
   * Least square root of a box's share of the image.
   */
  float selective_search_side_share_min;
  /**
   * Greatest square root of a box's share of the image; 0 is 1.
   */
  float selective_search_side_share_max;
  /**
   * Must be 0.
   */
  uint32_t reserved;
} simdetr_selective_search_options_t;

/**
 * Sets every field to zero, which is the default of those that have one, and `struct_size` to
 * the size given.
 *
 * @param[out] options May be NULL.
 * @param[in] struct_size `sizeof *options`.
 *
 * Any thread.
 */
SIMDETR_API
void simdetr_selective_search_options_init(struct simdetr_selective_search_options_t *options,
                                           size_t struct_size);

/**
 * Local clustering of feature maps; the default.
 */
#define SIMDETR_METHOD_SPECTRAL 1

/**
 * Selective Search on the image itself.
 */
#define SIMDETR_METHOD_SELECTIVE_SEARCH 2

/**
 * Spectral clustering of the cells of a map; the default.
 */
#define SIMDETR_LOCAL_METHOD_SPECTRAL 1

/**
 * k-means of the cells' features.
 */
#define SIMDETR_LOCAL_METHOD_KMEANS 2

/**
 * cos; for features that are not negative and not centred.
 */
#define SIMDETR_AFFINITY_COSINE 1

/**
 * (1 + cos) / 2.
 */
#define SIMDETR_AFFINITY_COSINE_SHIFTED 2

/**
 * exp((cos - 1) / `temperature`); the default.
 */
#define SIMDETR_AFFINITY_COSINE_EXP 3

/**
 * cos moved and scaled to [0, 1] over all pairs of the map.
 */
#define SIMDETR_AFFINITY_COSINE_MINMAX 4

/**
 * max(0, cos).
 */
#define SIMDETR_AFFINITY_COSINE_CLAMPED 5

/**
 * exp(-d^2 / (2 `sigma`^2)).
 */
#define SIMDETR_AFFINITY_RBF 6

/**
 * 1 where cos > `tau`, else nearly 0.
 */
#define SIMDETR_AFFINITY_BINARY 7

/**
 * The mean over the cells of the map is subtracted; the default.
 */
#define SIMDETR_CENTER_IMAGE 1

/**
 * Nothing is subtracted.
 */
#define SIMDETR_CENTER_NONE 2

/**
 * Channels are scaled by their deviation in the map; the default.
 */
#define SIMDETR_SCALE_IMAGE 1

/**
 * Channels are not scaled.
 */
#define SIMDETR_SCALE_NONE 2

/**
 * A region must lie in the other region; the default.
 */
#define SIMDETR_CONTAINMENT_REGION 1

/**
 * A box must lie in the other box.
 */
#define SIMDETR_CONTAINMENT_BOX 2

/**
 * Nothing is merged; the default.
 */
#define SIMDETR_OVERLAP_MERGE_OFF 1

/**
 * Regions whose boxes overlap are united.
 */
#define SIMDETR_OVERLAP_MERGE_UNION 2

/**
 * Boxes are clustered by 1 - IoU, and close ones united.
 */
#define SIMDETR_OVERLAP_MERGE_IOU_KMEANS 3

/**
 * Nothing is merged; the default.
 */
#define SIMDETR_SEMANTIC_MERGE_OFF 1

/**
 * Regions with similar vectors are united.
 */
#define SIMDETR_SEMANTIC_MERGE_UNION 2

/**
 * The larger of the two overlaps below; the default.
 */
#define SIMDETR_CAP_OVERLAP_MAX 1

/**
 * Intersection over union of the boxes.
 */
#define SIMDETR_CAP_OVERLAP_BOX 2

/**
 * Intersection over union of the regions.
 */
#define SIMDETR_CAP_OVERLAP_REGION 3

/**
 * The mean of the two.
 */
#define SIMDETR_CAP_OVERLAP_MEAN 4

/**
 * The smallest region goes first; the default.
 */
#define SIMDETR_CAP_ORDER_SIZE 1

/**
 * The least compact region goes first.
 */
#define SIMDETR_CAP_ORDER_COMPACTNESS 2

/**
 * The region's share of the image; the default.
 */
#define SIMDETR_SCORE_REGION_SHARE 1

/**
 * The box's share of the image.
 */
#define SIMDETR_SCORE_BOX_SHARE 2

/**
 * 1 for every proposal.
 */
#define SIMDETR_SCORE_CONSTANT 3

/**
 * `tau` is meant although it is 0.
 */
#define SIMDETR_LOCAL_SET_TAU 1

/**
 * `centroid_merge_similarity` is meant although it is 0.
 */
#define SIMDETR_LOCAL_SET_CENTROID_MERGE_SIMILARITY 2

/**
 * `region_size_min` is meant although it is 0.
 */
#define SIMDETR_LOCAL_SET_REGION_SIZE_MIN 4

/**
 * `duplicate_iou` is meant although it is 0.
 */
#define SIMDETR_LOCAL_SET_DUPLICATE_IOU 8

/**
 * `nested_similarity` is meant although it is 0.
 */
#define SIMDETR_LOCAL_SET_NESTED_SIMILARITY 16

/**
 * `containment_share` is meant although it is 0.
 */
#define SIMDETR_LOCAL_SET_CONTAINMENT_SHARE 32

/**
 * `overlap_merge_iou` is meant although it is 0.
 */
#define SIMDETR_LOCAL_SET_OVERLAP_MERGE_IOU 64

/**
 * `semantic_merge_similarity` is meant although it is 0.
 */
#define SIMDETR_LOCAL_SET_SEMANTIC_MERGE_SIMILARITY 128

/**
 * `cap_overlap_min` is meant although it is 0.
 */
#define SIMDETR_LOCAL_SET_CAP_OVERLAP_MIN 256

/**
 * `box_margin` is meant although it is 0.
 */
#define SIMDETR_LOCAL_SET_BOX_MARGIN 512

/**
 * Local clustering and its filters, the table `[proposals]`. Zero in a field is its default.
 */
typedef struct simdetr_local_options_t {
  /**
   * `sizeof(simdetr_local_options_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * `SIMDETR_LOCAL_SET_*` of the fields whose zero is meant.
   */
  uint64_t set_mask;
  /**
   * All K, map after map, deepest map first; NULL is 2, 4, 8 and 8, 16.
   */
  const uint32_t *cluster_counts;
  /**
   * How many K each map has, `[cluster_counts_maps]`; lists without a map go to the last map.
   */
  const size_t *cluster_counts_lengths;
  /**
   * Number of lists.
   */
  size_t cluster_counts_maps;
  /**
   * `SIMDETR_LOCAL_METHOD_*`.
   */
  int32_t local_method;
  /**
   * `SIMDETR_AFFINITY_*`.
   */
  int32_t affinity;
  /**
   * Of `SIMDETR_AFFINITY_COSINE_EXP`.
   */
  float temperature;
  /**
   * Of `SIMDETR_AFFINITY_RBF`.
   */
  float sigma;
  /**
   * Of `SIMDETR_AFFINITY_BINARY`.
   */
  float tau;
  /**
   * `SIMDETR_CENTER_*`.
   */
  int32_t center;
  /**
   * `SIMDETR_SCALE_*`.
   */
  int32_t scale;
  /**
   * Residual at which an eigenvector is accepted.
   */
  float eigen_tolerance;
  /**
   * Starts of each k-means, 1-64.
   */
  uint32_t kmeans_starts;
  /**
   * Filter (a): clusters whose centroids have a larger cosine are merged; 1 merges none.
   */
  float centroid_merge_similarity;
  /**
   * Filter (b): a cluster with more connected parts is dropped.
   */
  uint32_t components_max;
  /**
   * Neighbours of a cell: 4 or 8.
   */
  uint32_t connectivity;
  /**
   * Smallest region as a share of the image.
   */
  float region_size_min;
  /**
   * Filter (c): of two boxes with a larger IoU the smaller region goes.
   */
  float duplicate_iou;
  /**
   * Filter (d): cosine over which a contained region goes; 1 switches the filter off.
   */
  float nested_similarity;
  /**
   * `SIMDETR_CONTAINMENT_*`.
   */
  int32_t containment;
  /**
   * Share of the smaller region (or box) that must lie in the larger one.
   */
  float containment_share;
  /**
   * `SIMDETR_OVERLAP_MERGE_*`.
   */
  int32_t overlap_merge;
  /**
   * IoU over which boxes are merged.
   */
  float overlap_merge_iou;
  /**
   * `SIMDETR_SEMANTIC_MERGE_*`.
   */
  int32_t semantic_merge;
  /**
   * Cosine over which regions are merged.
   */
  float semantic_merge_similarity;
  /**
   * Filter (e): most proposals of an image.
   */
  uint32_t proposals_max;
  /**
   * `SIMDETR_CAP_OVERLAP_*`.
   */
  int32_t cap_overlap;
  /**
   * Overlap down to which filter (e) drops the smaller of a pair.
   */
  float cap_overlap_min;
  /**
   * `SIMDETR_SCORE_*`.
   */
  int32_t score;
  /**
   * Share of its width and height by which a box grows on each side, inside the image.
   */
  float box_margin;
  /**
   * Distance, as a share of the map's longer side, at which cells cease to know each other; 0 is no
   * limit.
   */
  float affinity_reach;
  /**
   * `SIMDETR_CAP_ORDER_*`.
   */
  int32_t cap_order;
  /**
   * A region whose box is a larger share of the image goes; 0 is 1, which keeps all.
   */
  float box_share_max;
} simdetr_local_options_t;

/**
 * Where images come in, how they are sized, and who works. Zero in a field is its default.
 */
typedef struct simdetr_extractor_options_t {
  /**
   * `sizeof(simdetr_extractor_options_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * Must be 0; no field has a zero that is not its default.
   */
  uint64_t set_mask;
  /**
   * Key of every random number; 0 is 0.
   */
  uint64_t seed;
  /**
   * Most pixels of an image; 0 is 100 million.
   */
  uint64_t pixels_max;
  /**
   * Most bytes of an encoded image; 0 is 256 MiB.
   */
  uint64_t bytes_max;
  /**
   * Pixels of the shorter side that the encoder sees; 0 is 480.
   */
  uint32_t image_short_side;
  /**
   * Most pixels of the longer side; 0 is 800.
   */
  uint32_t image_long_side_max;
  /**
   * Both sides become multiples of this; 0 is 32.
   */
  uint32_t side_multiple;
  /**
   * 0 is one for each processor; 1 is the caller's own, which starts no thread.
   */
  uint32_t threads;
  /**
   * Local clustering; NULL is all defaults.
   */
  const struct simdetr_local_options_t *proposals;
  /**
   * The host's job system instead of threads of the library; NULL for none. `threads` then says
   * how many tasks it runs at once.
   */
  simdetr_parallel_for_fn_t parallel_for;
  /**
   * First argument of `parallel_for`.
   */
  void *parallel_for_user_data;
  /**
   * `SIMDETR_METHOD_*`.
   */
  int32_t method;
  /**
   * Must be 0.
   */
  int32_t reserved;
  /**
   * Of `SIMDETR_METHOD_SELECTIVE_SEARCH`; NULL is all defaults.
   */
  const struct simdetr_selective_search_options_t *selective_search;
} simdetr_extractor_options_t;

/**
 * Sets every field to zero, which is the default of those that have one, and `struct_size` to
 * the size given.
 *
 * @param[out] options May be NULL.
 * @param[in] struct_size `sizeof *options`.
 *
 * Any thread.
 */
SIMDETR_API
void simdetr_local_options_init(struct simdetr_local_options_t *options,
                                size_t struct_size);

/**
 * Sets every field to zero, which is the default of those that have one, and `struct_size` to
 * the size given.
 *
 * @param[out] options May be NULL.
 * @param[in] struct_size `sizeof *options`.
 *
 * Any thread.
 */
SIMDETR_API
void simdetr_extractor_options_init(struct simdetr_extractor_options_t *options,
                                    size_t struct_size);

/**
 * Finds proposals. Never changes; any number of threads may use one, each with its own
 * `simdetr_proposals_t`.
 */
typedef struct simdetr_extractor_t simdetr_extractor_t;

/**
 * Makes an extractor.
 *
 * @param[in] encoder Where feature maps come from; may be destroyed afterwards. NULL makes an
 * extractor that takes only feature maps of the host.
 * @param[in] options NULL is all defaults.
 * @param[out] out The extractor, to be given to `simdetr_extractor_destroy`.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_CONFIG_VALUE` or `SIMDETR_ERROR_INVALID_ARGUMENT` with the field.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_extractor_create(const struct simdetr_encoder_t *encoder,
                                          const struct simdetr_extractor_options_t *options,
                                          struct simdetr_extractor_t **out,
                                          struct simdetr_error_t *error);

/**
 * Destroys an extractor.
 *
 * @param[in] extractor May be NULL.
 *
 * Any thread.
 */
SIMDETR_API void simdetr_extractor_destroy(struct simdetr_extractor_t *extractor);

/**
 * Says how many bytes an extractor holds between calls.
 *
 * @param[in] extractor The handle.
 * @param[out] bytes Memory that is kept for the next calls.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the extractor `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_extractor_memory_bytes(const struct simdetr_extractor_t *extractor,
                                                uint64_t *bytes,
                                                struct simdetr_error_t *error);

/**
 * Most maps of one image.
 */
#define SIMDETR_MAPS_MAX 8

/**
 * Finds the proposals of one image from feature maps of the host.
 *
 * @param[in] extractor The extractor.
 * @param[in] maps `[maps_count]` tensors, deepest (largest stride) first: f32
 * `[height, width, channels]`. Dense tensors are read in place, others are copied once.
 * @param[in] strides Pixels of the resized image for each cell of each map, `[maps_count]`.
 * @param[in] maps_count At most `SIMDETR_MAPS_MAX`.
 * @param[in] geometry The image.
 * @param[in] run Optional.
 * @param[in] proposals Receives the proposals; untouched unless the status is 0.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_SHAPE`, `SIMDETR_ERROR_STRIDES`, `SIMDETR_ERROR_NON_FINITE` name the map.
 *
 * May run at the same time as other functions on the extractor, with other proposals.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_extractor_extract_maps(const struct simdetr_extractor_t *extractor,
                                                const DLTensor *const *maps,
                                                const size_t *strides,
                                                size_t maps_count,
                                                const struct simdetr_image_geometry_t *geometry,
                                                const struct simdetr_run_options_t *run,
                                                struct simdetr_proposals_t *proposals,
                                                struct simdetr_error_t *error);

/**
 * `simdetr_extractor_extract_maps` for plain arrays.
 *
 * @param[in] extractor The extractor.
 * @param[in] values The values of all maps, one map after the other, each row by row, cell by
 * cell, channel by channel.
 * @param[in] values_count Number of values.
 * @param[in] shapes `[maps_count, 3]`: height, width and channels of each map.
 * @param[in] strides Pixels of the resized image for each cell of each map, `[maps_count]`.
 * @param[in] maps_count At most `SIMDETR_MAPS_MAX`.
 * @param[in] geometry The image.
 * @param[in] run Optional.
 * @param[in] proposals Receives the proposals; untouched unless the status is 0.
 * @param[out] error Optional.
 * @return As `simdetr_extractor_extract_maps`.
 *
 * May run at the same time as other functions on the extractor, with other proposals.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_extractor_extract_maps_f32(const struct simdetr_extractor_t *extractor,
                                                    const float *values,
                                                    size_t values_count,
                                                    const size_t *shapes,
                                                    const size_t *strides,
                                                    size_t maps_count,
                                                    const struct simdetr_image_geometry_t *geometry,
                                                    const struct simdetr_run_options_t *run,
                                                    struct simdetr_proposals_t *proposals,
                                                    struct simdetr_error_t *error);

/**
 * Finds the proposals of one image from the feature maps that an encoder left: what
 * `simdetr_extractor_extract_image` finds with that encoder and the same sizes.
 *
 * @param[in] extractor The extractor; its own encoder, if any, is not used.
 * @param[in] feature_maps Filled by `simdetr_encoder_encode_image` or its likes.
 * @param[in] image_id Keys the image's random numbers; the rank of its path where it has one.
 * @param[in] run Optional.
 * @param[in] proposals Receives the proposals; untouched unless the status is 0.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions on the extractor, with other proposals.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_extractor_extract_feature_maps(const struct simdetr_extractor_t *extractor,
                                                        const struct simdetr_feature_maps_t *feature_maps,
                                                        uint32_t image_id,
                                                        const struct simdetr_run_options_t *run,
                                                        struct simdetr_proposals_t *proposals,
                                                        struct simdetr_error_t *error);

/**
 * Finds the proposals of one image.
 *
 * @param[in] extractor An extractor with an encoder.
 * @param[in] image Pixels of the host.
 * @param[in] image_id Keys the image's random numbers; the rank of its path where it has one.
 * @param[in] run Optional.
 * @param[in] proposals Receives the proposals; untouched unless the status is 0.
 * @param[out] error Optional.
 * @return A status; negative where the host's encoder callback stopped the call.
 *
 * May run at the same time as other functions on the extractor, with other proposals.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_extractor_extract_image(const struct simdetr_extractor_t *extractor,
                                                 const struct simdetr_image_t *image,
                                                 uint32_t image_id,
                                                 const struct simdetr_run_options_t *run,
                                                 struct simdetr_proposals_t *proposals,
                                                 struct simdetr_error_t *error);

/**
 * Finds the proposals of one encoded image: JPEG, PNG, WebP, BMP or TIFF, recognised by content;
 * boxes are in pixels of the upright image.
 *
 * @param[in] extractor An extractor with an encoder.
 * @param[in] data The file's bytes.
 * @param[in] length Number of bytes.
 * @param[in] image_id Keys the image's random numbers; the rank of its path where it has one.
 * @param[in] run Optional.
 * @param[in] proposals Receives the proposals; untouched unless the status is 0.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_IMAGE_DECODE` or `SIMDETR_ERROR_IMAGE_TOO_LARGE` say what is wrong.
 *
 * May run at the same time as other functions on the extractor, with other proposals.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_extractor_extract_encoded(const struct simdetr_extractor_t *extractor,
                                                   const uint8_t *data,
                                                   size_t length,
                                                   uint32_t image_id,
                                                   const struct simdetr_run_options_t *run,
                                                   struct simdetr_proposals_t *proposals,
                                                   struct simdetr_error_t *error);

/**
 * Finds the proposals of an image tensor.
 *
 * @param[in] extractor An extractor with an encoder.
 * @param[in] image `[3, H, W]` or `[H, W, 3]`, with or without a leading 1, any positive strides;
 * u8, or f32 in [0, 1].
 * @param[in] image_id Keys the image's random numbers; the rank of its path where it has one.
 * @param[in] run Optional.
 * @param[in] proposals Receives the proposals; untouched unless the status is 0.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions on the extractor, with other proposals.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_extractor_extract_tensor(const struct simdetr_extractor_t *extractor,
                                                  const DLTensor *image,
                                                  uint32_t image_id,
                                                  const struct simdetr_run_options_t *run,
                                                  struct simdetr_proposals_t *proposals,
                                                  struct simdetr_error_t *error);

/**
 * Finds the proposals of several images, which the extractor's threads share. Progress comes once,
 * at the end.
 *
 * @param[in] extractor An extractor with an encoder.
 * @param[in] images `[images_count]`.
 * @param[in] images_count Number of images.
 * @param[in] first_image_id Key of the first image; the others follow.
 * @param[in] run Optional; progress counts images.
 * @param[in] proposals `[images_count]` sets, no two the same; untouched unless the status is 0.
 * @param[out] error Optional.
 * @return A status, that of the first image that failed.
 *
 * May run at the same time as other functions on the extractor, with other proposals.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_extractor_extract_batch(const struct simdetr_extractor_t *extractor,
                                                 const struct simdetr_image_t *const *images,
                                                 size_t images_count,
                                                 uint32_t first_image_id,
                                                 const struct simdetr_run_options_t *run,
                                                 struct simdetr_proposals_t *const *proposals,
                                                 struct simdetr_error_t *error);

/**
 * What `simdetr_extractor_extract_folder` did.
 */
typedef struct simdetr_folder_report_t {
  /**
   * `sizeof(simdetr_folder_report_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * Files that could be images.
   */
  uint64_t images_count;
  /**
   * Images that an earlier, stopped call had committed.
   */
  uint64_t images_resumed;
  /**
   * Files that are no readable images, those that earlier calls met too; the log names them.
   */
  uint64_t images_broken;
  /**
   * Proposals in the store.
   */
  uint64_t proposals_count;
  /**
   * Images that were left out because they, or a folder on the way, are hidden by a dot.
   */
  uint64_t files_hidden;
  /**
   * Images that were left out because their path is not UTF-8.
   */
  uint64_t files_unreadable_name;
  /**
   * Images that were left out because their format is not read, such as HEIC; those that this
   * call only noticed when it read them are in the store, without proposals.
   */
  uint64_t files_unsupported_format;
} simdetr_folder_report_t;

/**
 * Extracts every image of a folder, and of the folders in it, into a store. A call that was
 * stopped or killed goes on where it was and ends with the same bytes. The store remembers what it
 * was made from: a call with another encoder, other options of the extractor or other images is
 * refused, and so is one while another call or process writes into the store.
 *
 * @param[in] extractor An extractor with an encoder.
 * @param[in] images Folder of images; read in the order of their paths.
 * @param[in] store Folder of the store.
 * @param[in] store_options NULL is all defaults; a `fingerprint` of NULL is derived from the encoder
 * and the extractor's options.
 * @param[in] strict 1 makes a broken image an error, also one that an earlier call skipped, and
 * every file that is left out; 0 skips them.
 * @param[in] run Optional; progress counts the images that are compared with those of earlier calls
 * ("check") and those that are extracted ("extract").
 * @param[in,out] report `struct_size` must be set, the rest is filled in; may be NULL.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_NO_IMAGES`; `SIMDETR_ERROR_RUN_MISMATCH` when the store was begun with
 * other options or images, with what differs; `SIMDETR_ERROR_LOCKED`; `SIMDETR_ERROR_LEFT_OUT` and
 * `SIMDETR_ERROR_UNSUPPORTED_IMAGE` under `strict`; what was committed stays whatever the status.
 *
 * May run at the same time as other functions on the extractor, into other stores.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_extractor_extract_folder(const struct simdetr_extractor_t *extractor,
                                                  const char *images,
                                                  const char *store,
                                                  const struct simdetr_proposal_store_options_t *store_options,
                                                  int32_t strict,
                                                  const struct simdetr_run_options_t *run,
                                                  struct simdetr_folder_report_t *report,
                                                  struct simdetr_error_t *error);

/* ---- Clusterers and what is made with them ---- */

/**
 * Vectors and centroids have length 1 and near means a large cosine; the default.
 */
#define SIMDETR_METRIC_SPHERICAL 1

/**
 * Near means a small distance.
 */
#define SIMDETR_METRIC_EUCLIDEAN 2

/**
 * First centroids by k-means|| on a sample; the default.
 */
#define SIMDETR_SEEDING_KMEANS_PARALLEL 1

/**
 * First centroids by k-means++ on a sample.
 */
#define SIMDETR_SEEDING_KMEANS_PLUS_PLUS 2

/**
 * First centroids are random rows.
 */
#define SIMDETR_SEEDING_RANDOM 3

/**
 * A cluster without vectors keeps its centroid; the default.
 */
#define SIMDETR_EMPTY_CLUSTERS_KEEP 1

/**
 * A cluster without vectors takes half of the largest.
 */
#define SIMDETR_EMPTY_CLUSTERS_SPLIT 2

/**
 * Centroids, and how they are found. Fitting and updating need exclusion; everything that takes
 * the clusterer `const` may run at the same time.
 */
typedef struct simdetr_clusterer_t simdetr_clusterer_t;

/**
 * `rounds` is meant although it is 0.
 */
#define SIMDETR_CLUSTERER_SET_ROUNDS 1

/**
 * How to cluster. Zero in a field is its default.
 */
typedef struct simdetr_clusterer_options_t {
  /**
   * `sizeof(simdetr_clusterer_options_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * `SIMDETR_CLUSTERER_SET_*` of the fields whose zero is meant.
   */
  uint64_t set_mask;
  /**
   * Key of every random number; 0 is 0.
   */
  uint64_t seed;
  /**
   * Bytes that a call may allocate; 0 is 1 GiB.
   */
  uint64_t memory_bytes_max;
  /**
   * Number of pseudo-classes K; 0 is 2048.
   */
  uint32_t classes;
  /**
   * Rounds before the final assignment; 0 is 10 unless its bit is set, which leaves the first
   * centroids as they are.
   */
  uint32_t rounds;
  /**
   * Rows for each class in the sample that seeding sees; 0 is 32.
   */
  uint32_t sample_per_class;
  /**
   * `SIMDETR_METRIC_*`.
   */
  int32_t metric;
  /**
   * `SIMDETR_SEEDING_*`.
   */
  int32_t seeding;
  /**
   * `SIMDETR_EMPTY_CLUSTERS_*`.
   */
  int32_t empty_clusters;
  /**
   * 0 is one for each processor.
   */
  uint32_t threads;
  /**
   * Must be 0.
   */
  uint32_t reserved;
  /**
   * The host's job system instead of threads of the library; NULL for none. `threads` then says
   * how many tasks it runs at once.
   */
  simdetr_parallel_for_fn_t parallel_for;
  /**
   * First argument of `parallel_for`.
   */
  void *parallel_for_user_data;
} simdetr_clusterer_options_t;

/**
 * What a fit or an update found.
 */
typedef struct simdetr_cluster_report_t {
  /**
   * `sizeof(simdetr_cluster_report_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * Rounds that were run; fewer than asked for once nothing moved.
   */
  uint64_t rounds_count;
  /**
   * Classes without a vector in the last round.
   */
  uint64_t empty_count;
  /**
   * Sum of the squared distances of all vectors to their centroids before the last round moved
   * them.
   */
  double objective;
} simdetr_cluster_report_t;

/**
 * Sets every field to zero, which is the default of those that have one, and `struct_size` to
 * the size given.
 *
 * @param[out] options May be NULL.
 * @param[in] struct_size `sizeof *options`.
 *
 * Any thread.
 */
SIMDETR_API
void simdetr_clusterer_options_init(struct simdetr_clusterer_options_t *options,
                                    size_t struct_size);

/**
 * Makes a clusterer without centroids.
 *
 * @param[in] options NULL is all defaults.
 * @param[out] out The clusterer, to be given to `simdetr_clusterer_destroy`.
 * @param[out] error Optional.
 * @return A status.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_clusterer_create(const struct simdetr_clusterer_options_t *options,
                                          struct simdetr_clusterer_t **out,
                                          struct simdetr_error_t *error);

/**
 * Makes a clusterer with the centroids of a file that `simdetr_clusterer_save` wrote; their
 * number and metric count instead of the options'.
 *
 * @param[in] path File.
 * @param[in] options NULL is all defaults.
 * @param[out] out The clusterer, to be given to `simdetr_clusterer_destroy`.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_FORMAT` says what is wrong with the file.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_clusterer_load(const char *path,
                                        const struct simdetr_clusterer_options_t *options,
                                        struct simdetr_clusterer_t **out,
                                        struct simdetr_error_t *error);

/**
 * Destroys a clusterer.
 *
 * @param[in] clusterer May be NULL.
 *
 * Any thread.
 */
SIMDETR_API void simdetr_clusterer_destroy(struct simdetr_clusterer_t *clusterer);

/**
 * Says how many bytes a clusterer holds between calls.
 *
 * @param[in] clusterer The handle.
 * @param[out] bytes Its centroids.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the clusterer `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_clusterer_memory_bytes(const struct simdetr_clusterer_t *clusterer,
                                                uint64_t *bytes,
                                                struct simdetr_error_t *error);

/**
 * Seeds and runs all rounds over the vectors of a store.
 *
 * @param[in] clusterer Its centroids are replaced, on success.
 * @param[in] store A store that was opened or finished.
 * @param[in] run Optional.
 * @param[in,out] report `struct_size` must be set, the rest is filled in; may be NULL.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_TOO_FEW_POINTS` with both numbers.
 *
 * One thread at a time on one clusterer.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_clusterer_fit_store(struct simdetr_clusterer_t *clusterer,
                                             const struct simdetr_proposal_store_t *store,
                                             const struct simdetr_run_options_t *run,
                                             struct simdetr_cluster_report_t *report,
                                             struct simdetr_error_t *error);

/**
 * Seeds and runs all rounds over the rows of a tensor.
 *
 * @param[in] clusterer Its centroids are replaced, on success.
 * @param[in] vectors f32 `[rows, dimensions]`, dense.
 * @param[in] run Optional.
 * @param[in,out] report `struct_size` must be set, the rest is filled in; may be NULL.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_TOO_FEW_POINTS` with both numbers.
 *
 * One thread at a time on one clusterer.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_clusterer_fit(struct simdetr_clusterer_t *clusterer,
                                       const DLTensor *vectors,
                                       const struct simdetr_run_options_t *run,
                                       struct simdetr_cluster_report_t *report,
                                       struct simdetr_error_t *error);

/**
 * `simdetr_clusterer_fit` for a plain array.
 *
 * @param[in] clusterer Its centroids are replaced, on success.
 * @param[in] vectors `[rows_count, dimensions]`.
 * @param[in] rows_count Number of rows.
 * @param[in] dimensions Length of a row.
 * @param[in] run Optional.
 * @param[in,out] report `struct_size` must be set, the rest is filled in; may be NULL.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_TOO_FEW_POINTS` with both numbers.
 *
 * One thread at a time on one clusterer.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_clusterer_fit_f32(struct simdetr_clusterer_t *clusterer,
                                           const float *vectors,
                                           size_t rows_count,
                                           size_t dimensions,
                                           const struct simdetr_run_options_t *run,
                                           struct simdetr_cluster_report_t *report,
                                           struct simdetr_error_t *error);

/**
 * Sums of vectors by class. One thread at a time may change it.
 */
typedef struct simdetr_accumulator_t simdetr_accumulator_t;

/**
 * Draws the first centroids from a store, as `simdetr_clusterer_fit_store` does.
 *
 * @param[in] clusterer Its centroids are replaced, on success.
 * @param[in] store A store that was opened or finished.
 * @param[in] run Optional.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_TOO_FEW_POINTS` with both numbers.
 *
 * One thread at a time on one clusterer.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_clusterer_seed_store(struct simdetr_clusterer_t *clusterer,
                                              const struct simdetr_proposal_store_t *store,
                                              const struct simdetr_run_options_t *run,
                                              struct simdetr_error_t *error);

/**
 * Draws the first centroids from an array, as `simdetr_clusterer_fit_f32` does.
 *
 * @param[in] clusterer Its centroids are replaced, on success.
 * @param[in] vectors `[rows_count, dimensions]`.
 * @param[in] rows_count Number of rows.
 * @param[in] dimensions Length of a row.
 * @param[in] run Optional.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_TOO_FEW_POINTS` with both numbers.
 *
 * One thread at a time on one clusterer.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_clusterer_seed_f32(struct simdetr_clusterer_t *clusterer,
                                            const float *vectors,
                                            size_t rows_count,
                                            size_t dimensions,
                                            const struct simdetr_run_options_t *run,
                                            struct simdetr_error_t *error);

/**
 * Sets the centroids, for example those that another process has drawn.
 *
 * @param[in] clusterer Its centroids are replaced, on success; its metric stays.
 * @param[in] centroids `[classes_count, dimensions]`; made unit vectors under
 * `SIMDETR_METRIC_SPHERICAL`.
 * @param[in] classes_count Number of classes.
 * @param[in] dimensions Length of a centroid.
 * @param[out] error Optional.
 * @return A status.
 *
 * One thread at a time on one clusterer.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_clusterer_set_centroids_f32(struct simdetr_clusterer_t *clusterer,
                                                     const float *centroids,
                                                     size_t classes_count,
                                                     size_t dimensions,
                                                     struct simdetr_error_t *error);

/**
 * Makes empty sums of the size of a clusterer's centroids.
 *
 * @param[in] clusterer A clusterer with centroids.
 * @param[in] magnitude_max No coordinate of any vector may be larger; every process must give the
 * same. 0 is 1, right for unit vectors and so for every store and the spherical metric.
 * @param[out] out The accumulator, to be given to `simdetr_accumulator_destroy`.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the clusterer `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_accumulator_create(const struct simdetr_clusterer_t *clusterer,
                                            float magnitude_max,
                                            struct simdetr_accumulator_t **out,
                                            struct simdetr_error_t *error);

/**
 * Destroys an accumulator.
 *
 * @param[in] accumulator May be NULL.
 *
 * Any thread.
 */
SIMDETR_API void simdetr_accumulator_destroy(struct simdetr_accumulator_t *accumulator);

/**
 * Adds rows of a store to the sums, each to the class of its nearest centroid.
 *
 * @param[in] clusterer A clusterer with centroids.
 * @param[in] store A store that was opened or finished.
 * @param[in] first First row.
 * @param[in] rows_count Number of rows.
 * @param[in] run Optional.
 * @param[in] accumulator The sums; after an error they are incomplete, so clear them.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the clusterer `const`; one thread at a
 * time on one accumulator.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_clusterer_accumulate_store(const struct simdetr_clusterer_t *clusterer,
                                                    const struct simdetr_proposal_store_t *store,
                                                    uint64_t first,
                                                    uint64_t rows_count,
                                                    const struct simdetr_run_options_t *run,
                                                    struct simdetr_accumulator_t *accumulator,
                                                    struct simdetr_error_t *error);

/**
 * Adds rows of an array to the sums, each to the class of its nearest centroid.
 *
 * @param[in] clusterer A clusterer with centroids.
 * @param[in] vectors `[rows_count, dimensions]`.
 * @param[in] rows_count Number of rows.
 * @param[in] dimensions Length of a row.
 * @param[in] run Optional.
 * @param[in] accumulator The sums; after an error they are incomplete, so clear them.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the clusterer `const`; one thread at a
 * time on one accumulator.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_clusterer_accumulate_f32(const struct simdetr_clusterer_t *clusterer,
                                                  const float *vectors,
                                                  size_t rows_count,
                                                  size_t dimensions,
                                                  const struct simdetr_run_options_t *run,
                                                  struct simdetr_accumulator_t *accumulator,
                                                  struct simdetr_error_t *error);

/**
 * Adds the sums of another process or thread. Any order gives the same bits.
 *
 * @param[in] accumulator The sums that grow.
 * @param[in] other Sums of the same size; not changed.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_SHAPE` when sizes or magnitudes differ; nothing is added then.
 *
 * One thread at a time on `accumulator`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_accumulator_merge(struct simdetr_accumulator_t *accumulator,
                                           const struct simdetr_accumulator_t *other,
                                           struct simdetr_error_t *error);

/**
 * Gives the sums as one flat array of integers, to be written out or summed by an all-reduce.
 *
 * @param[in] accumulator The sums.
 * @param[out] values Borrowed until the accumulator is destroyed, and may be written.
 * @param[out] count Number of integers.
 * @param[out] error Optional.
 * @return A status.
 *
 * One thread at a time on one accumulator.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_accumulator_values(struct simdetr_accumulator_t *accumulator,
                                            int64_t **values,
                                            size_t *count,
                                            struct simdetr_error_t *error);

/**
 * Sets all sums to zero.
 *
 * @param[in] accumulator The sums.
 * @param[out] error Optional.
 * @return A status.
 *
 * One thread at a time on one accumulator.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_accumulator_clear(struct simdetr_accumulator_t *accumulator,
                                           struct simdetr_error_t *error);

/**
 * Ends a round: moves the centroids to the means of what all processes accumulated.
 *
 * @param[in] clusterer Its centroids are replaced, on success.
 * @param[in] accumulator The sums of all processes; not changed.
 * @param[in,out] report `struct_size` must be set, the rest is filled in; may be NULL.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_SHAPE` for sums of another size.
 *
 * One thread at a time on one clusterer.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_clusterer_update(struct simdetr_clusterer_t *clusterer,
                                          const struct simdetr_accumulator_t *accumulator,
                                          struct simdetr_cluster_report_t *report,
                                          struct simdetr_error_t *error);

/**
 * Finds the pseudo-class of every proposal of a store.
 *
 * @param[in] clusterer A clusterer with centroids.
 * @param[in] store A store that was opened or finished.
 * @param[out] labels `[labels_count]`, in the order of the store's rows.
 * @param[in] labels_count Must be the store's number of proposals.
 * @param[in] run Optional.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the clusterer `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_clusterer_assign_store(const struct simdetr_clusterer_t *clusterer,
                                                const struct simdetr_proposal_store_t *store,
                                                uint32_t *labels,
                                                size_t labels_count,
                                                const struct simdetr_run_options_t *run,
                                                struct simdetr_error_t *error);

/**
 * Finds the pseudo-class of each row of an array.
 *
 * @param[in] clusterer A clusterer with centroids.
 * @param[in] vectors `[rows_count, dimensions]`.
 * @param[in] rows_count Number of rows.
 * @param[in] dimensions Length of a row.
 * @param[out] labels `[rows_count]`.
 * @param[in] run Optional.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the clusterer `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_clusterer_assign_f32(const struct simdetr_clusterer_t *clusterer,
                                              const float *vectors,
                                              size_t rows_count,
                                              size_t dimensions,
                                              uint32_t *labels,
                                              const struct simdetr_run_options_t *run,
                                              struct simdetr_error_t *error);

/**
 * Finds the pseudo-class of each row of a tensor.
 *
 * @param[in] clusterer A clusterer with centroids.
 * @param[in] vectors f32 `[rows, dimensions]`, dense.
 * @param[out] labels i32 `[rows]`, dense.
 * @param[in] run Optional.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the clusterer `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_clusterer_assign(const struct simdetr_clusterer_t *clusterer,
                                          const DLTensor *vectors,
                                          const DLTensor *labels,
                                          const struct simdetr_run_options_t *run,
                                          struct simdetr_error_t *error);

/**
 * Copies the centroids.
 *
 * @param[in] clusterer A clusterer with centroids.
 * @param[out] centroids `[classes_count, dimensions]`; may be NULL where `capacity` is 0.
 * @param[in] capacity Numbers that `centroids` has room for; 0 asks for the sizes.
 * @param[out] classes_count Number of classes; also written with
 * `SIMDETR_ERROR_BUFFER_TOO_SMALL`.
 * @param[out] dimensions Length of a centroid; likewise.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the clusterer `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_clusterer_centroids_f32(const struct simdetr_clusterer_t *clusterer,
                                                 float *centroids,
                                                 size_t capacity,
                                                 size_t *classes_count,
                                                 size_t *dimensions,
                                                 struct simdetr_error_t *error);

/**
 * Copies the centroids into a tensor that the host then owns.
 *
 * @param[in] clusterer A clusterer with centroids.
 * @param[out] out f32 `[classes, dimensions]`; ended by its deleter.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the clusterer `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_clusterer_export_centroids(const struct simdetr_clusterer_t *clusterer,
                                                    struct DLManagedTensorVersioned **out,
                                                    struct simdetr_error_t *error);

/**
 * Writes the centroids as a safetensors file.
 *
 * @param[in] clusterer A clusterer with centroids.
 * @param[in] path File; complete or absent.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the clusterer `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_clusterer_save(const struct simdetr_clusterer_t *clusterer,
                                        const char *path,
                                        struct simdetr_error_t *error);

/**
 * Writes T_0 as a COCO data set: every readable image of a store, every proposal with its score,
 * and the pseudo-class that a clusterer gives it.
 *
 * @param[in] store A store that was opened or finished.
 * @param[in] clusterer A clusterer with centroids.
 * @param[in] path File; complete or absent.
 * @param[in] run Optional.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take store or clusterer `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposal_store_export_coco(const struct simdetr_proposal_store_t *store,
                                                    const struct simdetr_clusterer_t *clusterer,
                                                    const char *path,
                                                    const struct simdetr_run_options_t *run,
                                                    struct simdetr_error_t *error);

/**
 * Writes a PNG of one image with its boxes, coloured by pseudo-class.
 *
 * @param[in] store A store that was opened or finished.
 * @param[in] index Which image, from 0.
 * @param[in] images Folder of images that the store was made from.
 * @param[in] clusterer A clusterer with centroids; NULL draws all boxes in one colour.
 * @param[in] path File to write; complete or absent.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take store or clusterer `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_proposal_store_overlay(const struct simdetr_proposal_store_t *store,
                                                uint64_t index,
                                                const char *images,
                                                const struct simdetr_clusterer_t *clusterer,
                                                const char *path,
                                                struct simdetr_error_t *error);

/* ---- Evaluators ---- */

/**
 * Most entries of `detections_max`.
 */
#define SIMDETR_DETECTIONS_MAX_CAPACITY 8

/**
 * Scores boxes against known ones. Never changes; any number of threads may use one.
 */
typedef struct simdetr_evaluator_t simdetr_evaluator_t;

/**
 * How to evaluate. Zero in a field is its default.
 */
typedef struct simdetr_evaluator_options_t {
  /**
   * `sizeof(simdetr_evaluator_options_t)`, set by the caller.
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
  /**
   * Detections of categories that the ground truth does not list, from files; they count only
   * with `class_agnostic`.
   */
  uint64_t detections_of_unknown_categories;
  /**
   * Boxes of both files with a side that is NaN, infinite or negative; they are left out.
   */
  uint64_t boxes_left_out;
} simdetr_evaluation_t;

/**
 * Sets every field to zero, which is the default of those that have one, and `struct_size` to
 * the size given.
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
 * @param[in] evaluator The handle.
 * @param[out] bytes The answer.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the evaluator `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_evaluator_memory_bytes(const struct simdetr_evaluator_t *evaluator,
                                                uint64_t *bytes,
                                                struct simdetr_error_t *error);

/**
 * Evaluates a file of detections (a list of COCO results, or a COCO data set whose annotations
 * carry `score`) against a COCO data set. Images are joined by file name and categories by name
 * where both files list them with names, by id otherwise; names that leave open what belongs
 * together are refused, and so are images of another size in the other file.
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

/* ---- Matchers and criteria ---- */

/**
 * A sigmoid for each class and focal loss, as Deformable DETR and DETReg have it; the default.
 */
#define SIMDETR_CLASS_LOSS_FOCAL 1

/**
 * One softmax over the classes and "no object", which is the last logit, as DETR has it.
 */
#define SIMDETR_CLASS_LOSS_SOFTMAX 2

/**
 * A sigmoid for each class and varifocal loss, as RT-DETR has it; pairs cost what focal ones do.
 */
#define SIMDETR_CLASS_LOSS_VARIFOCAL 3

/**
 * A box that is none is an error, `SIMDETR_ERROR_INVALID_ARGUMENT`, which names it; the default.
 */
#define SIMDETR_BOX_POLICY_ERROR 1

/**
 * Boxes are cut to the image; a target of which nothing is left is left out. NaN and infinity
 * stay errors.
 */
#define SIMDETR_BOX_POLICY_CLIP 2

/**
 * The target is left out: it finds no query and counts for nothing.
 */
#define SIMDETR_BOX_POLICY_SKIP 3

/**
 * What the images of a batch hold, borrowed for the call: the targets of the first image, then
 * those of the second, and so on.
 */
typedef struct simdetr_targets_t {
  /**
   * `sizeof(simdetr_targets_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * Targets of each image, `[images_count]`; 0 is fine.
   */
  const uint32_t *counts;
  /**
   * Number of images; the batch of the predictions.
   */
  size_t images_count;
  /**
   * Class of each target, from 0, `[targets_count]`.
   */
  const int64_t *classes;
  /**
   * Center x, center y, width, height of each target, divided by the size of the un-padded
   * image, `[targets_count, 4]`; of positive size and within [0, 1].
   */
  const float *boxes;
  /**
   * Sum of `counts`.
   */
  size_t targets_count;
  /**
   * How sure the label of each target is, from 0 to 1, `[targets_count]`; read by a criterion whose
   * `label_score` is not `SIMDETR_LABEL_SCORE_IGNORE`. NULL is 1 for all.
   */
  const float *scores;
  /**
   * `SIMDETR_BOX_POLICY_*`: what is done with a box that is not within [0, 1] or has no size.
   */
  int32_t box_policy;
  /**
   * Must be 0.
   */
  uint32_t reserved;
} simdetr_targets_t;

/**
 * Sets every field to zero, which is the default of those that have one, and `struct_size` to
 * the size given.
 *
 * @param[out] targets May be NULL.
 * @param[in] struct_size `sizeof *targets`.
 *
 * Any thread.
 */
SIMDETR_API void simdetr_targets_init(struct simdetr_targets_t *targets, size_t struct_size);

/**
 * Matches targets to queries. Matching needs exclusion; assignment of plain matrices may run at
 * the same time.
 */
typedef struct simdetr_matcher_t simdetr_matcher_t;

/**
 * `class_cost` is meant although it is 0.
 */
#define SIMDETR_MATCHER_SET_CLASS_COST 1

/**
 * `l1_cost` is meant although it is 0.
 */
#define SIMDETR_MATCHER_SET_L1_COST 2

/**
 * `giou_cost` is meant although it is 0.
 */
#define SIMDETR_MATCHER_SET_GIOU_COST 4

/**
 * `focal_alpha` is meant although it is 0.
 */
#define SIMDETR_MATCHER_SET_FOCAL_ALPHA 8

/**
 * `focal_gamma` is meant although it is 0.
 */
#define SIMDETR_MATCHER_SET_FOCAL_GAMMA 16

/**
 * What a pair costs. Zero in a field is its default.
 */
typedef struct simdetr_matcher_options_t {
  /**
   * `sizeof(simdetr_matcher_options_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * `SIMDETR_MATCHER_SET_*` of the fields whose zero is meant.
   */
  uint64_t set_mask;
  /**
   * `SIMDETR_CLASS_LOSS_*`.
   */
  int32_t class_loss;
  /**
   * Weight of the class cost; 0 is 2 unless its bit is set.
   */
  float class_cost;
  /**
   * Weight of the L1 distance of boxes; 0 is 5 unless its bit is set.
   */
  float l1_cost;
  /**
   * Weight of the negative GIoU; 0 is 2 unless its bit is set.
   */
  float giou_cost;
  /**
   * Share of the positive term of the focal cost; 0 is 0.25 unless its bit is set.
   */
  float focal_alpha;
  /**
   * Exponent of the focal cost; 0 is 2 unless its bit is set.
   */
  float focal_gamma;
  /**
   * 0 is one for each processor.
   */
  uint32_t threads;
  /**
   * Must be 0.
   */
  uint32_t reserved;
  /**
   * The host's job system instead of threads of the library; NULL for none. `threads` then says
   * how many tasks it runs at once.
   */
  simdetr_parallel_for_fn_t parallel_for;
  /**
   * First argument of `parallel_for`.
   */
  void *parallel_for_user_data;
} simdetr_matcher_options_t;

/**
 * Sets every field to zero, which is the default of those that have one, and `struct_size` to
 * the size given.
 *
 * @param[out] options May be NULL.
 * @param[in] struct_size `sizeof *options`.
 *
 * Any thread.
 */
SIMDETR_API
void simdetr_matcher_options_init(struct simdetr_matcher_options_t *options,
                                  size_t struct_size);

/**
 * Makes a matcher.
 *
 * @param[in] options NULL is all defaults.
 * @param[out] out The matcher, to be given to `simdetr_matcher_destroy`.
 * @param[out] error Optional.
 * @return A status.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_matcher_create(const struct simdetr_matcher_options_t *options,
                                        struct simdetr_matcher_t **out,
                                        struct simdetr_error_t *error);

/**
 * Destroys a matcher.
 *
 * @param[in] matcher May be NULL.
 *
 * Any thread.
 */
SIMDETR_API void simdetr_matcher_destroy(struct simdetr_matcher_t *matcher);

/**
 * Says how many bytes a matcher holds between calls.
 *
 * @param[in] matcher The handle.
 * @param[out] bytes The answer.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the matcher `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_matcher_memory_bytes(const struct simdetr_matcher_t *matcher,
                                              uint64_t *bytes,
                                              struct simdetr_error_t *error);

/**
 * Finds, for each image of each decoder layer, the pairs of target and query of least total
 * cost: as many as the image has targets, or as there are queries where that is less. An image
 * is matched with its own targets only.
 *
 * @param[in] matcher The matcher.
 * @param[in] logits f32 `[layers, batch, queries, classes]`, dense; under
 * `SIMDETR_CLASS_LOSS_SOFTMAX` with "no object" as the last class.
 * @param[in] boxes f32 `[layers, batch, queries, 4]`, dense: center x, center y, width, height,
 * divided by the size of the un-padded image.
 * @param[in] targets What the images hold.
 * @param[in] run Optional.
 * @param[out] queries i32 `[layers, targets_count]`, dense: the query of each target, or -1 where
 * an image has more targets than there are queries, or where `box_policy` leaves the target out.
 * @param[out] unmatched_count Number of -1; may be NULL.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_NON_FINITE` with layer, image and query of a NaN.
 *
 * One thread at a time on one matcher.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_matcher_match(struct simdetr_matcher_t *matcher,
                                       const DLTensor *logits,
                                       const DLTensor *boxes,
                                       const struct simdetr_targets_t *targets,
                                       const struct simdetr_run_options_t *run,
                                       const DLTensor *queries,
                                       uint64_t *unmatched_count,
                                       struct simdetr_error_t *error);

/**
 * `simdetr_matcher_match` for plain arrays.
 *
 * @param[in] matcher The matcher.
 * @param[in] logits `[layers, batch, queries_count, classes]`.
 * @param[in] boxes `[layers, batch, queries_count, 4]`.
 * @param[in] layers Decoder layers.
 * @param[in] batch Images.
 * @param[in] queries_count Queries of an image.
 * @param[in] classes Logits of a query.
 * @param[in] targets What the images hold.
 * @param[in] run Optional.
 * @param[out] queries `[layers, targets_count]`: the query of each target, or -1.
 * @param[out] unmatched_count Number of -1; may be NULL.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_NON_FINITE` with layer, image and query of a NaN.
 *
 * One thread at a time on one matcher.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_matcher_match_f32(struct simdetr_matcher_t *matcher,
                                           const float *logits,
                                           const float *boxes,
                                           size_t layers,
                                           size_t batch,
                                           size_t queries_count,
                                           size_t classes,
                                           const struct simdetr_targets_t *targets,
                                           const struct simdetr_run_options_t *run,
                                           int32_t *queries,
                                           uint64_t *unmatched_count,
                                           struct simdetr_error_t *error);

/**
 * Solves assignment problems exactly: for each, as many pairs of row and column as the shorter
 * side has, at the least sum of costs.
 *
 * @param[in] matcher The matcher; its options do not matter, apart from the threads.
 * @param[in] costs f32 `[problems, rows, columns]`, dense; finite.
 * @param[in] run Optional.
 * @param[out] columns i32 `[problems, rows]`, dense: the column of each row, or -1 for the rows
 * that find none because there are fewer columns.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_NON_FINITE` with problem, row and column of a NaN or an infinity.
 *
 * May run at the same time as other functions that take the matcher `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_matcher_assign(const struct simdetr_matcher_t *matcher,
                                        const DLTensor *costs,
                                        const struct simdetr_run_options_t *run,
                                        const DLTensor *columns,
                                        struct simdetr_error_t *error);

/**
 * `simdetr_matcher_assign` for plain arrays.
 *
 * @param[in] matcher The matcher.
 * @param[in] costs `[problems_count, rows_count, columns_count]`; finite.
 * @param[in] problems_count Number of problems.
 * @param[in] rows_count Rows of each.
 * @param[in] columns_count Columns of each.
 * @param[in] run Optional.
 * @param[out] columns `[problems_count, rows_count]`: the column of each row, or -1.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_NON_FINITE` with problem, row and column of a NaN or an infinity.
 *
 * May run at the same time as other functions that take the matcher `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_matcher_assign_f32(const struct simdetr_matcher_t *matcher,
                                            const float *costs,
                                            size_t problems_count,
                                            size_t rows_count,
                                            size_t columns_count,
                                            const struct simdetr_run_options_t *run,
                                            int32_t *columns,
                                            struct simdetr_error_t *error);

/**
 * Scores of targets count for nothing; the default.
 */
#define SIMDETR_LABEL_SCORE_IGNORE 1

/**
 * The probability of a matched query's class is to be the target's score, not 1.
 */
#define SIMDETR_LABEL_SCORE_SOFT_TARGET 2

/**
 * Losses of a matched query are multiplied by the target's score, and the number of boxes that losses
 * are divided by becomes the sum of the scores.
 */
#define SIMDETR_LABEL_SCORE_WEIGHT 3

/**
 * The probability of a matched query's class is to be 1; the default.
 */
#define SIMDETR_CLASS_TARGET_ONE 1

/**
 * The probability of a matched query's class is to be the IoU of its box with the target.
 */
#define SIMDETR_CLASS_TARGET_IOU 2

/**
 * Numbers that `simdetr_criterion_layer_losses` gives for each layer.
 */
#define SIMDETR_LAYER_LOSSES_COUNT 4

/**
 * Matching, losses and gradients. Evaluating needs exclusion; everything that takes the criterion
 * `const` may run at the same time.
 */
typedef struct simdetr_criterion_t simdetr_criterion_t;

/**
 * `class_cost` is meant although it is 0.
 */
#define SIMDETR_CRITERION_SET_CLASS_COST 1

/**
 * `l1_cost` is meant although it is 0.
 */
#define SIMDETR_CRITERION_SET_L1_COST 2

/**
 * `giou_cost` is meant although it is 0.
 */
#define SIMDETR_CRITERION_SET_GIOU_COST 4

/**
 * `class_weight` is meant although it is 0.
 */
#define SIMDETR_CRITERION_SET_CLASS_WEIGHT 8

/**
 * `l1_weight` is meant although it is 0.
 */
#define SIMDETR_CRITERION_SET_L1_WEIGHT 16

/**
 * `giou_weight` is meant although it is 0.
 */
#define SIMDETR_CRITERION_SET_GIOU_WEIGHT 32

/**
 * `focal_alpha` is meant although it is 0.
 */
#define SIMDETR_CRITERION_SET_FOCAL_ALPHA 64

/**
 * `focal_gamma` is meant although it is 0.
 */
#define SIMDETR_CRITERION_SET_FOCAL_GAMMA 128

/**
 * `no_object_weight` is meant although it is 0.
 */
#define SIMDETR_CRITERION_SET_NO_OBJECT_WEIGHT 256

/**
 * What is lost how. Zero in a field is its default.
 */
typedef struct simdetr_criterion_options_t {
  /**
   * `sizeof(simdetr_criterion_options_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * `SIMDETR_CRITERION_SET_*` of the fields whose zero is meant.
   */
  uint64_t set_mask;
  /**
   * `SIMDETR_CLASS_LOSS_*`.
   */
  int32_t class_loss;
  /**
   * Weight of the class cost in the matching; 0 is 2 unless its bit is set.
   */
  float class_cost;
  /**
   * Weight of the L1 distance in the matching; 0 is 5 unless its bit is set.
   */
  float l1_cost;
  /**
   * Weight of the negative GIoU in the matching; 0 is 2 unless its bit is set.
   */
  float giou_cost;
  /**
   * Weight of the class loss; 0 is 2 unless its bit is set.
   */
  float class_weight;
  /**
   * Weight of the L1 loss; 0 is 5 unless its bit is set.
   */
  float l1_weight;
  /**
   * Weight of the GIoU loss; 0 is 2 unless its bit is set.
   */
  float giou_weight;
  /**
   * Share of the positive term of the focal loss; 1 minus it is the weight of the background in the
   * varifocal one. 0 is 0.25 unless its bit is set.
   */
  float focal_alpha;
  /**
   * Exponent of the focal loss; 0 is 2 unless its bit is set.
   */
  float focal_gamma;
  /**
   * Weight of queries without a target under softmax; 0 is 0.1 unless its bit is set, with which
   * they do not count.
   */
  float no_object_weight;
  /**
   * 0 is one for each processor.
   */
  uint32_t threads;
  /**
   * Must be 0.
   */
  uint32_t reserved;
  /**
   * The host's job system instead of threads of the library; NULL for none. `threads` then says
   * how many tasks it runs at once.
   */
  simdetr_parallel_for_fn_t parallel_for;
  /**
   * First argument of `parallel_for`.
   */
  void *parallel_for_user_data;
  /**
   * `SIMDETR_LABEL_SCORE_*`: how `simdetr_targets_t.scores` enter.
   */
  int32_t label_score;
  /**
   * `SIMDETR_CLASS_TARGET_*`; times the score under `SIMDETR_LABEL_SCORE_SOFT_TARGET`. Where it is
   * not 1, focal loss is quality focal loss.
   */
  int32_t class_target;
} simdetr_criterion_options_t;

/**
 * What one evaluation found.
 */
typedef struct simdetr_losses_t {
  /**
   * `sizeof(simdetr_losses_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * Weighted sum over all layers: what the gradients belong to.
   */
  double total;
  /**
   * What losses were divided by: boxes, or the sum of their scores under
   * `SIMDETR_LABEL_SCORE_WEIGHT`.
   */
  double boxes_count;
  /**
   * Class loss of the last layer, not weighted, as the next two.
   */
  double class_loss;
  /**
   * L1 loss of the last layer.
   */
  double l1_loss;
  /**
   * GIoU loss of the last layer.
   */
  double giou_loss;
  /**
   * Share of the last layer's matched queries whose best class is their target's.
   */
  double accuracy;
  /**
   * Pairs of target and query in each layer.
   */
  uint64_t pairs_count;
  /**
   * Targets of each layer that found no query, those that a `box_policy` left out not counted.
   */
  uint64_t unmatched_count;
} simdetr_losses_t;

/**
 * Sets every field to zero, which is the default of those that have one, and `struct_size` to
 * the size given.
 *
 * @param[out] options May be NULL.
 * @param[in] struct_size `sizeof *options`.
 *
 * Any thread.
 */
SIMDETR_API
void simdetr_criterion_options_init(struct simdetr_criterion_options_t *options,
                                    size_t struct_size);

/**
 * Makes a criterion.
 *
 * @param[in] options NULL is all defaults.
 * @param[out] out The criterion, to be given to `simdetr_criterion_destroy`.
 * @param[out] error Optional.
 * @return A status.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_criterion_create(const struct simdetr_criterion_options_t *options,
                                          struct simdetr_criterion_t **out,
                                          struct simdetr_error_t *error);

/**
 * Destroys a criterion.
 *
 * @param[in] criterion May be NULL.
 *
 * Any thread.
 */
SIMDETR_API void simdetr_criterion_destroy(struct simdetr_criterion_t *criterion);

/**
 * Says how many bytes a criterion holds between calls.
 *
 * @param[in] criterion The handle.
 * @param[out] bytes The answer.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the criterion `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_criterion_memory_bytes(const struct simdetr_criterion_t *criterion,
                                                uint64_t *bytes,
                                                struct simdetr_error_t *error);

/**
 * Matches every layer, and computes the losses and the gradients of their weighted sum. Once
 * sizes repeat, `threads = 1` allocates nothing.
 *
 * @param[in] criterion The criterion.
 * @param[in] logits f32 `[layers, batch, queries, classes]`, dense, the decoder's last layer
 * last; under `SIMDETR_CLASS_LOSS_SOFTMAX` with "no object" as the last class.
 * @param[in] boxes f32 `[layers, batch, queries, 4]`, dense: center x, center y, width, height,
 * divided by the size of the un-padded image.
 * @param[in] targets What the images hold.
 * @param[in] boxes_count What losses are divided by: in a run of several processes the mean number
 * of targets of a process, or of the sum of their scores under `SIMDETR_LABEL_SCORE_WEIGHT`. 0 is
 * that of this call; under 1 counts as 1.
 * @param[in] run Optional.
 * @param[out] logits_gradient As `logits`, in other memory.
 * @param[out] boxes_gradient As `boxes`, in other memory.
 * @param[in,out] losses `struct_size` must be set, the rest is filled in; may be NULL.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_NON_FINITE` with layer, image and query of a NaN.
 *
 * One thread at a time on one criterion.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_criterion_evaluate(struct simdetr_criterion_t *criterion,
                                            const DLTensor *logits,
                                            const DLTensor *boxes,
                                            const struct simdetr_targets_t *targets,
                                            float boxes_count,
                                            const struct simdetr_run_options_t *run,
                                            const DLTensor *logits_gradient,
                                            const DLTensor *boxes_gradient,
                                            struct simdetr_losses_t *losses,
                                            struct simdetr_error_t *error);

/**
 * `simdetr_criterion_evaluate` for plain arrays.
 *
 * @param[in] criterion The criterion.
 * @param[in] logits `[layers, batch, queries, classes]`.
 * @param[in] boxes `[layers, batch, queries, 4]`.
 * @param[in] layers Decoder layers.
 * @param[in] batch Images.
 * @param[in] queries Queries of an image.
 * @param[in] classes Logits of a query.
 * @param[in] targets What the images hold.
 * @param[in] boxes_count What losses are divided by; 0 is what belongs to this call.
 * @param[in] run Optional.
 * @param[out] logits_gradient As `logits`, in other memory.
 * @param[out] boxes_gradient As `boxes`, in other memory.
 * @param[in,out] losses `struct_size` must be set, the rest is filled in; may be NULL.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_NON_FINITE` with layer, image and query of a NaN.
 *
 * One thread at a time on one criterion.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_criterion_evaluate_f32(struct simdetr_criterion_t *criterion,
                                                const float *logits,
                                                const float *boxes,
                                                size_t layers,
                                                size_t batch,
                                                size_t queries,
                                                size_t classes,
                                                const struct simdetr_targets_t *targets,
                                                float boxes_count,
                                                const struct simdetr_run_options_t *run,
                                                float *logits_gradient,
                                                float *boxes_gradient,
                                                struct simdetr_losses_t *losses,
                                                struct simdetr_error_t *error);

/**
 * Gives the losses of each layer of the last evaluation, not weighted.
 *
 * @param[in] criterion The criterion.
 * @param[out] losses `[layers, SIMDETR_LAYER_LOSSES_COUNT]`: class, L1 and GIoU loss, and the share
 * of matched queries whose best class is their target's; may be NULL where `capacity` is 0.
 * @param[in] capacity Layers that `losses` has room for; 0 asks for the count.
 * @param[out] layers_count Layers; also written with `SIMDETR_ERROR_BUFFER_TOO_SMALL`.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the criterion `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_criterion_layer_losses(const struct simdetr_criterion_t *criterion,
                                                double *losses,
                                                size_t capacity,
                                                size_t *layers_count,
                                                struct simdetr_error_t *error);

/**
 * Gives the pairs that the last evaluation was based on.
 *
 * @param[in] criterion The criterion.
 * @param[out] queries `[layers, targets_count]`: the query of each target, or -1; may be NULL where
 * `capacity` is 0.
 * @param[in] capacity Numbers that `queries` has room for; 0 asks for the count.
 * @param[out] count Numbers; also written with `SIMDETR_ERROR_BUFFER_TOO_SMALL`.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the criterion `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_criterion_matches(const struct simdetr_criterion_t *criterion,
                                           int32_t *queries,
                                           size_t capacity,
                                           size_t *count,
                                           struct simdetr_error_t *error);

/* ---- Trainers, and detectors of the host ---- */

/**
 * How a stage begins.
 */
typedef struct simdetr_detector_start_t {
  /**
   * `sizeof(simdetr_detector_start_t)` of the library.
   */
  size_t struct_size;
  /**
   * 1 for the first stage after clustering.
   */
  uint32_t stage;
  /**
   * 1: parameters are those that a run starts with, the same each time. 0: they stay.
   */
  int32_t fresh;
  /**
   * Classes of the labels.
   */
  size_t classes_count;
  /**
   * Optimiser steps of the stage.
   */
  uint64_t steps_count;
  /**
   * Of the run.
   */
  uint64_t seed;
} simdetr_detector_start_t;

/**
 * Images for a forward pass.
 */
typedef struct simdetr_detector_batch_t {
  /**
   * `sizeof(simdetr_detector_batch_t)` of the library.
   */
  size_t struct_size;
  /**
   * `[images_count, height, width, 3]`, red, green and blue normalised by the encoder's mean and
   * deviation; 0 outside an image, which lies at the top left.
   */
  const float *images;
  /**
   * `[images_count, 2]`: height and width of each image without its padding.
   */
  const uint32_t *sizes;
  /**
   * Number of images.
   */
  size_t images_count;
  /**
   * Rows of every image, padding included.
   */
  size_t height;
  /**
   * Columns of every image, padding included.
   */
  size_t width;
  /**
   * 1: `backward` follows. 0: the last layer is read as labels.
   */
  int32_t training;
  /**
   * Which part of the step, from 0. Zero outside of training, as the next four.
   */
  uint32_t part;
  /**
   * Which stage, from 1.
   */
  uint32_t stage;
  /**
   * Is 0.
   */
  uint32_t reserved;
  /**
   * Which step of the stage, from 0.
   */
  uint64_t step;
  /**
   * Of the run: with stage, step and part what dropout may draw from.
   */
  uint64_t seed;
} simdetr_detector_batch_t;

/**
 * What a forward pass found, in memory of the host that stays as it is until the next call of
 * `forward` or `backward` has returned.
 */
typedef struct simdetr_detector_outputs_t {
  /**
   * `sizeof(simdetr_detector_outputs_t)` of the library.
   */
  size_t struct_size;
  /**
   * `[layers, images_count, queries, classes]`, dense, the best layer last.
   */
  const float *logits;
  /**
   * `[layers, images_count, queries, 4]`, dense: center x, center y, width, height, divided by
   * the size of the un-padded image.
   */
  const float *boxes;
  /**
   * Layers that are judged, 1 or more.
   */
  size_t layers;
  /**
   * Queries of an image, 1 or more.
   */
  size_t queries;
  /**
   * `classes_count` of the stage; under `class_loss = "softmax"` one more, "no object", the last.
   */
  size_t classes;
} simdetr_detector_outputs_t;

/**
 * Gradients of the loss with respect to the outputs of the last forward pass.
 */
typedef struct simdetr_detector_gradients_t {
  /**
   * `sizeof(simdetr_detector_gradients_t)` of the library.
   */
  size_t struct_size;
  /**
   * As the logits, borrowed for the call.
   */
  const float *logits;
  /**
   * As the boxes, borrowed for the call.
   */
  const float *boxes;
  /**
   * Numbers in `logits`.
   */
  size_t logits_count;
  /**
   * Numbers in `boxes`.
   */
  size_t boxes_count;
  /**
   * Which part of the step: part 0 begins a new sum of the parameters' gradients, the others add
   * to it.
   */
  uint32_t part;
  /**
   * Is 0.
   */
  uint32_t reserved;
} simdetr_detector_gradients_t;

/**
 * One change of the parameters.
 */
typedef struct simdetr_detector_update_t {
  /**
   * `sizeof(simdetr_detector_update_t)` of the library.
   */
  size_t struct_size;
  /**
   * Which stage, from 1.
   */
  uint32_t stage;
  /**
   * Is 0.
   */
  uint32_t reserved;
  /**
   * Which step of the stage, from 0.
   */
  uint64_t step;
  /**
   * Optimiser steps of the stage.
   */
  uint64_t steps_count;
  /**
   * The schedule's factor on every learning rate.
   */
  double rate_factor;
  /**
   * `training.learning_rate` times the factor.
   */
  double learning_rate;
  /**
   * Sum of the losses whose gradients the step has.
   */
  double loss;
  /**
   * To be written: norm of the parameters' gradients before any clipping, for the metrics; a
   * number that is not finite ends the stage with `SIMDETR_ERROR_DIVERGED`. 0 where not known.
   */
  double gradient_norm;
} simdetr_detector_update_t;

/**
 * Makes ready for a stage: parameters as `start` says, the optimiser without memory.
 * `simdetr_detector_load_fn_t` may follow; it is also called at the end of a stage that ends with the
 * weights of an earlier step (`training.patience_checks`).
 *
 * @param[in] user_data `simdetr_detector_callbacks_t.user_data`.
 * @param[in] start The stage; borrowed for the call.
 */
typedef int32_t (*simdetr_detector_start_fn_t)(void *user_data,
                                               const struct simdetr_detector_start_t *start);

/**
 * Computes logits and boxes of a batch and writes where they are into `outputs`.
 *
 * @param[in] user_data `simdetr_detector_callbacks_t.user_data`.
 * @param[in] batch The images; borrowed for the call.
 * @param[in,out] outputs To be filled in, but for `struct_size`.
 */
typedef int32_t (*simdetr_detector_forward_fn_t)(void *user_data,
                                                 const struct simdetr_detector_batch_t *batch,
                                                 struct simdetr_detector_outputs_t *outputs);

/**
 * Computes the parameters' gradients from those of the last forward pass's outputs.
 *
 * @param[in] user_data `simdetr_detector_callbacks_t.user_data`.
 * @param[in] gradients Those of the outputs; borrowed for the call.
 */
typedef int32_t (*simdetr_detector_backward_fn_t)(void *user_data,
                                                  const struct simdetr_detector_gradients_t *gradients);

/**
 * Changes the parameters.
 *
 * @param[in] user_data `simdetr_detector_callbacks_t.user_data`.
 * @param[in,out] update The step; `gradient_norm` is to be written.
 */
typedef int32_t (*simdetr_detector_step_fn_t)(void *user_data,
                                              struct simdetr_detector_update_t *update);

/**
 * Finds the best boxes of an image by the host's own way: for labels, for measuring, and between two steps
 * where images are held out (`training.held_out_share`). Under `relabel.mirrored` it is called for the
 * image and then for the mirrored one, whose boxes are those of the mirrored pixels.
 *
 * @param[in] user_data `simdetr_detector_callbacks_t.user_data`.
 * @param[in] image Upright, RGB8 without padding between rows, borrowed for the call.
 * @param[out] boxes `[capacity, 4]`: x0, y0, x1, y1 in pixels of the image.
 * @param[out] classes `[capacity]`, from 0.
 * @param[out] scores `[capacity]`, probabilities in any order; one outside [0, 1] ends the call with
 * `SIMDETR_ERROR_INVALID_ARGUMENT`.
 * @param[in] capacity Boxes wanted at most; 65536 where all are wanted, as under
 * `relabel.predictions_share`, `relabel.suppression = "before_cut"` and `"fuse"`.
 * @param[out] count Boxes written.
 */
typedef int32_t (*simdetr_detector_predict_fn_t)(void *user_data,
                                                 const struct simdetr_image_t *image,
                                                 float *boxes,
                                                 int64_t *classes,
                                                 float *scores,
                                                 size_t capacity,
                                                 size_t *count);

/**
 * Writes parameters, the optimiser's memory and whatever else the next step depends on into one
 * file at `path`, in place of one that may lie there.
 *
 * @param[in] user_data `simdetr_detector_callbacks_t.user_data`.
 * @param[in] path The file; borrowed for the call.
 */
typedef int32_t (*simdetr_detector_save_fn_t)(void *user_data, const char *path);

/**
 * Reads what `simdetr_detector_save_fn_t` wrote.
 *
 * @param[in] user_data `simdetr_detector_callbacks_t.user_data`.
 * @param[in] path The file; borrowed for the call.
 */
typedef int32_t (*simdetr_detector_load_fn_t)(void *user_data, const char *path);

/**
 * A detector of the host. Its functions are called one at a time, by the thread that called the
 * trainer; they must not throw, `longjmp` or use that trainer. Each answers 0, or a negative number
 * that becomes the status of the trainer's call; the run then goes on with a later call.
 */
typedef struct simdetr_detector_callbacks_t {
  /**
   * `sizeof(simdetr_detector_callbacks_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * First argument of every function; used from any thread that calls the trainer.
   */
  void *user_data;
  /**
   * Ends `user_data`; NULL for none. Called also when creating the trainer fails.
   */
  simdetr_destroy_fn_t user_data_destroy;
  /**
   * Name of the detector, which stands in its checkpoints: those of another are refused.
   */
  const char *name;
  /**
   * Makes ready for a stage.
   */
  simdetr_detector_start_fn_t start_stage;
  /**
   * Computes logits and boxes.
   */
  simdetr_detector_forward_fn_t forward;
  /**
   * Computes the parameters' gradients.
   */
  simdetr_detector_backward_fn_t backward;
  /**
   * Changes the parameters.
   */
  simdetr_detector_step_fn_t step;
  /**
   * Finds boxes; NULL reads them off the last layer of `forward`.
   */
  simdetr_detector_predict_fn_t predict;
  /**
   * Writes a checkpoint.
   */
  simdetr_detector_save_fn_t save;
  /**
   * Reads a checkpoint.
   */
  simdetr_detector_load_fn_t load;
} simdetr_detector_callbacks_t;

/**
 * Sets every field to zero, which is the default of those that have one, and `struct_size` to
 * the size given.
 *
 * @param[out] callbacks May be NULL.
 * @param[in] struct_size `sizeof *callbacks`.
 *
 * Any thread.
 */
SIMDETR_API
void simdetr_detector_callbacks_init(struct simdetr_detector_callbacks_t *callbacks,
                                     size_t struct_size);

/**
 * Trains detectors. One thread at a time.
 */
typedef struct simdetr_trainer_t simdetr_trainer_t;

/**
 * How to train. Zero in a field is its default.
 */
typedef struct simdetr_trainer_options_t {
  /**
   * `sizeof(simdetr_trainer_options_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * Must be 0; no field has a zero that is not its default.
   */
  uint64_t set_mask;
  /**
   * Keys under those of the document: "deformable-detr-r50", "small" or "tiny". NULL is
   * "deformable-detr-r50", the patent's sizes.
   */
  const char *preset;
  /**
   * The configuration document itself (TOML), not its path: the keys of `simdetr config`. NULL
   * leaves those of the preset.
   */
  const char *config_toml;
  /**
   * 1: a broken image ends the call. 0: it is left out.
   */
  int32_t strict;
  /**
   * 0 is one for each processor.
   */
  uint32_t threads;
  /**
   * The host's job system instead of threads of the library; NULL for none. `threads` then says
   * how many tasks it runs at once. Loading images has threads of its own
   * (`loader.loader_threads`).
   */
  simdetr_parallel_for_fn_t parallel_for;
  /**
   * First argument of `parallel_for`.
   */
  void *parallel_for_user_data;
} simdetr_trainer_options_t;

/**
 * Sets every field to zero, which is the default of those that have one, and `struct_size` to
 * the size given.
 *
 * @param[out] options May be NULL.
 * @param[in] struct_size `sizeof *options`.
 *
 * Any thread.
 */
SIMDETR_API
void simdetr_trainer_options_init(struct simdetr_trainer_options_t *options,
                                  size_t struct_size);

/**
 * Makes a trainer of the built-in detector, a Deformable DETR with a ResNet.
 *
 * @param[in] options NULL is all defaults.
 * @param[out] out The trainer, to be given to `simdetr_trainer_destroy`.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_UNKNOWN_KEY`, `SIMDETR_ERROR_CONFIG_VALUE` and
 * `SIMDETR_ERROR_CONFIG_SYNTAX` say what is wrong with the document.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_trainer_create(const struct simdetr_trainer_options_t *options,
                                        struct simdetr_trainer_t **out,
                                        struct simdetr_error_t *error);

/**
 * Makes a trainer of a detector of the host. The tables `detector` and, but for `learning_rate`,
 * schedule, batches and steps, `training` of the document do not concern it.
 *
 * @param[in] callbacks The detector; copied. From here on the library owns `user_data` and ends it
 * by `user_data_destroy`, also when this function fails, except where `callbacks` itself cannot be
 * read (NULL or a wrong `struct_size`).
 * @param[in] options NULL is all defaults.
 * @param[out] out The trainer, to be given to `simdetr_trainer_destroy`.
 * @param[out] error Optional.
 * @return As `simdetr_trainer_create`; `SIMDETR_ERROR_NULL_POINTER` for a function that is missing.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_trainer_create_from_callbacks(const struct simdetr_detector_callbacks_t *callbacks,
                                                       const struct simdetr_trainer_options_t *options,
                                                       struct simdetr_trainer_t **out,
                                                       struct simdetr_error_t *error);

/**
 * Destroys a trainer. What it wrote into a run's folder stays.
 *
 * @param[in] trainer May be NULL.
 *
 * Any thread.
 */
SIMDETR_API void simdetr_trainer_destroy(struct simdetr_trainer_t *trainer);

/**
 * Says how many bytes a trainer holds between calls: the built-in detector's parameters,
 * gradients, optimiser and arena, or what surrounds the host's.
 *
 * @param[in] trainer The handle.
 * @param[out] bytes The answer.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the trainer `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_trainer_memory_bytes(const struct simdetr_trainer_t *trainer,
                                              uint64_t *bytes,
                                              struct simdetr_error_t *error);

/**
 * One set of labels of a run.
 */
typedef struct simdetr_labels_t {
  /**
   * `sizeof(simdetr_labels_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * Images of the set.
   */
  uint64_t images_count;
  /**
   * Boxes of all images.
   */
  uint64_t boxes_count;
  /**
   * Class-agnostic average recall with the best 10 boxes of each image; -1 without ground truth.
   */
  double recall_10;
  /**
   * The same with 25.
   */
  double recall_25;
  /**
   * The same with 100.
   */
  double recall_100;
} simdetr_labels_t;

/**
 * What one stage did.
 */
typedef struct simdetr_stage_report_t {
  /**
   * `sizeof(simdetr_stage_report_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * Optimiser steps of the stage, those of earlier calls included, and those that were spared because
   * checks on held-out images ended it.
   */
  uint64_t steps_count;
  /**
   * Images of its data set.
   */
  uint64_t images_count;
  /**
   * Boxes of its data set.
   */
  uint64_t boxes_count;
} simdetr_stage_report_t;

/**
 * What one relabelling did.
 */
typedef struct simdetr_relabel_report_t {
  /**
   * `sizeof(simdetr_relabel_report_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * Images that have labels.
   */
  uint64_t images_count;
  /**
   * Boxes of all images.
   */
  uint64_t boxes_count;
  /**
   * Images that could not be decoded and are left out.
   */
  uint64_t images_broken;
} simdetr_relabel_report_t;

/**
 * Runs Algorithm 1: proposals, pseudo-classes (`T0.json`), and in each stage training, the
 * detector's own labels (`T1.json`, ...) and its file, at last `detector.safetensors`
 * (`detector.host` for a detector of the host). A run that was stopped, by a token, a callback, an
 * error or a kill, goes on with the next call, in this process or another, and ends with the bytes
 * of one that was not.
 *
 * @param[in] trainer The trainer.
 * @param[in] images Folder of images, searched recursively.
 * @param[in] run_folder Folder of the run; made if it is missing.
 * @param[in] ground_truth COCO file with true boxes, for measuring only
 * (`simdetr_trainer_measured`); NULL for none. `simdetr_trainer_set_validation` names held-out images.
 * @param[in] run Optional. Progress counts "check" (images that are compared with those of an
 * earlier call), "extract", "cluster", "train", "relabel" and, with true boxes, "measure".
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_RUN_MISMATCH` when the folder holds a run of other images, another
 * configuration, other initial weights or another detector, with everything that differs;
 * `SIMDETR_ERROR_LOCKED` while another call or process writes there; `SIMDETR_ERROR_DIVERGED`; what
 * a callback answered.
 *
 * One thread at a time on one trainer.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_trainer_pretrain(struct simdetr_trainer_t *trainer,
                                          const char *images,
                                          const char *run_folder,
                                          const char *ground_truth,
                                          const struct simdetr_run_options_t *run,
                                          struct simdetr_error_t *error);

/**
 * Says how many sets of labels the last `simdetr_trainer_pretrain` made: one more than its stages,
 * or 0 when it did not end.
 *
 * @param[in] trainer The trainer.
 * @param[out] count The answer.
 * @param[out] error Optional.
 * @return A status.
 *
 * One thread at a time on one trainer.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_trainer_labels_count(const struct simdetr_trainer_t *trainer,
                                              size_t *count,
                                              struct simdetr_error_t *error);

/**
 * Describes the labels of a stage of the last `simdetr_trainer_pretrain`.
 *
 * @param[in] trainer The trainer.
 * @param[in] stage 0 for those of the clusters, T_0.
 * @param[in,out] labels `struct_size` must be set; the rest is filled in.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_INVALID_ARGUMENT` for a stage that it does not have.
 *
 * One thread at a time on one trainer.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_trainer_labels(const struct simdetr_trainer_t *trainer,
                                        uint32_t stage,
                                        struct simdetr_labels_t *labels,
                                        struct simdetr_error_t *error);

/**
 * Trains one stage on a COCO data set, or goes on with it: checkpoints and `metrics.jsonl` in the
 * run folder, the detector at the end as `detector-stageS.safetensors` (`.host`). A stage after the
 * first goes on from the detector of the stage before, unless `pretrain.cold` is set.
 *
 * @param[in] trainer The trainer.
 * @param[in] run_folder Folder of the run; made if it is missing.
 * @param[in] stage From 1.
 * @param[in] annotations COCO file, such as `T0.json` of a run or labels of the host's own. From stage
 * 2 on its `score`s, from 0 to 1, count as `criterion.label_score` says; a missing one is 1.
 * @param[in] images Folder of its images.
 * @param[in] run Optional. Progress counts "train".
 * @param[in,out] report `struct_size` must be set, the rest is filled in; may be NULL.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_RUN_STEP` when the stage before is missing or has not been trained to its
 * end; `SIMDETR_ERROR_RUN_MISMATCH` when the stage was begun on other labels; otherwise as
 * `simdetr_trainer_pretrain`.
 *
 * One thread at a time on one trainer.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_trainer_train(struct simdetr_trainer_t *trainer,
                                       const char *run_folder,
                                       uint32_t stage,
                                       const char *annotations,
                                       const char *images,
                                       const struct simdetr_run_options_t *run,
                                       struct simdetr_stage_report_t *report,
                                       struct simdetr_error_t *error);

/**
 * Labels every image of a COCO data set with the detector of a stage: its best boxes without those
 * that overlap better ones, as the table `relabel` of the configuration says. A call that was
 * stopped is gone on with by the next one of the same stage. An image that cannot be decoded is
 * left out, or an error under `loader.strict_images`; one that cannot be read from its disk is
 * always one.
 *
 * @param[in] trainer The trainer.
 * @param[in] run_folder Folder of the run in which the stage was trained.
 * @param[in] stage From 1. Its last checkpoint is read unless this trainer holds its detector.
 * @param[in] annotations COCO file that lists images and categories; its boxes do not count.
 * @param[in] images Folder of its images.
 * @param[in] out COCO file to write; replaced as a whole.
 * @param[in] run Optional. Progress counts "relabel".
 * @param[in,out] report `struct_size` must be set, the rest is filled in; may be NULL.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_OUTPUT`, before the work, for an `out` that is not written: a folder, or
 * read-only; `SIMDETR_ERROR_RUN_STEP` when the stage has not been trained there to its end;
 * `SIMDETR_ERROR_RUN_MISMATCH` when it was trained under another configuration;
 * `SIMDETR_ERROR_LOCKED`; what a callback answered.
 *
 * One thread at a time on one trainer.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_trainer_relabel(struct simdetr_trainer_t *trainer,
                                         const char *run_folder,
                                         uint32_t stage,
                                         const char *annotations,
                                         const char *images,
                                         const char *out,
                                         const struct simdetr_run_options_t *run,
                                         struct simdetr_relabel_report_t *report,
                                         struct simdetr_error_t *error);

/**
 * Images that training does not see.
 */
#define SIMDETR_IMAGES_HELD_OUT 1

/**
 * Images that it sees.
 */
#define SIMDETR_IMAGES_TRAINING 2

/**
 * T_0, the boxes of the clusters: under the cap of the configuration and, on held-out images, allowed
 * 100 as well.
 */
#define SIMDETR_MEASURED_PROPOSALS 1

/**
 * The control: boxes fitted to T_0, the same on every image.
 */
#define SIMDETR_MEASURED_FIXED_BOXES 2

/**
 * A detector's own boxes: every query's, the best 100, none suppressed.
 */
#define SIMDETR_MEASURED_DETECTOR 3

/**
 * The labels that a detector gives for the next stage.
 */
#define SIMDETR_MEASURED_LABELS 4

/**
 * Class-agnostic figures of some boxes; figures lie in [0, 1] and are -1 where there is no true box.
 */
typedef struct simdetr_measured_t {
  /**
   * `sizeof(simdetr_measured_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * `SIMDETR_IMAGES_*`.
   */
  int32_t images;
  /**
   * `SIMDETR_MEASURED_*`.
   */
  int32_t kind;
  /**
   * 0 for what there is before training.
   */
  uint32_t stage;
  /**
   * How many boxes an image could have had; for labels, the most that one has.
   */
  uint32_t boxes_max;
  /**
   * Images that were looked at.
   */
  uint64_t images_count;
  /**
   * Boxes of all images.
   */
  uint64_t boxes_count;
  /**
   * Over the IoU thresholds .50 to .95, as the recalls.
   */
  double average_precision;
  /**
   * At the IoU threshold .50.
   */
  double average_precision_50;
  /**
   * Average recall with the best box of each image.
   */
  double recall_1;
  /**
   * With the best 10.
   */
  double recall_10;
  /**
   * With the best 25.
   */
  double recall_25;
  /**
   * With the best 100.
   */
  double recall_100;
  /**
   * Of a detector, recall with 100 boxes of the labels that its stage learned from: high on training
   * images and low on held-out ones, it was memorised. -1 for other boxes.
   */
  double own_recall;
} simdetr_measured_t;

/**
 * Names images that later calls of `simdetr_trainer_pretrain` measure every stage on and do not train
 * on; looked at when those calls begin.
 *
 * @param[in] trainer The trainer.
 * @param[in] images Folder of images, searched recursively; NULL, with `annotations`, for none.
 * @param[in] annotations COCO file with their true boxes.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_INVALID_ARGUMENT` for one without the other.
 *
 * One thread at a time on one trainer.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_trainer_set_validation(struct simdetr_trainer_t *trainer,
                                                const char *images,
                                                const char *annotations,
                                                struct simdetr_error_t *error);

/**
 * Says how many rows the last `simdetr_trainer_pretrain` measured: 0 where it was given no true boxes
 * or did not end.
 *
 * @param[in] trainer The trainer.
 * @param[out] count The answer.
 * @param[out] error Optional.
 * @return A status.
 *
 * One thread at a time on one trainer.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_trainer_measured_count(const struct simdetr_trainer_t *trainer,
                                                size_t *count,
                                                struct simdetr_error_t *error);

/**
 * Answers a row of what the last `simdetr_trainer_pretrain` measured: held-out images first; of each
 * kind of images T_0, fixed boxes, then of every stage the detector and its labels.
 *
 * @param[in] trainer The trainer.
 * @param[in] index Below the count.
 * @param[in,out] measured `struct_size` must be set; the rest is filled in.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_INVALID_ARGUMENT` for an index that it does not have.
 *
 * One thread at a time on one trainer.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_trainer_measured(const struct simdetr_trainer_t *trainer,
                                          size_t index,
                                          struct simdetr_measured_t *measured,
                                          struct simdetr_error_t *error);

/**
 * What one step did.
 */
typedef struct simdetr_step_report_t {
  /**
   * `sizeof(simdetr_step_report_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * Weighted sum of all losses of all layers.
   */
  double loss;
  /**
   * Class loss of the last layer, not weighted, as the next two.
   */
  double class_loss;
  /**
   * L1 loss of the last layer.
   */
  double l1_loss;
  /**
   * GIoU loss of the last layer.
   */
  double giou_loss;
  /**
   * Share of the last layer's matched queries whose best class is their target's.
   */
  double accuracy;
  /**
   * Norm of the gradients before clipping.
   */
  double gradient_norm;
  /**
   * The schedule's factor on every learning rate.
   */
  double rate_factor;
  /**
   * Targets of the step.
   */
  uint64_t boxes_count;
  /**
   * Those that found a query.
   */
  uint64_t pairs_count;
} simdetr_step_report_t;

/**
 * Begins a loop of the host's own: a detector at the start of a run, step 0.
 *
 * @param[in] trainer The trainer.
 * @param[in] classes_count Classes of the targets.
 * @param[in] steps_count Steps that will be taken: what the learning rate's schedule counts with.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_INVALID_ARGUMENT` for a count of 0; what a callback answered.
 *
 * One thread at a time on one trainer.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_trainer_begin(struct simdetr_trainer_t *trainer,
                                       size_t classes_count,
                                       uint64_t steps_count,
                                       struct simdetr_error_t *error);

/**
 * Takes one step of the loop that `simdetr_trainer_begin` began: forward, losses, backward, update.
 *
 * @param[in] trainer The trainer.
 * @param[in] images f32 `[N, 3, H, W]` or `[N, H, W, 3]`, any positive strides, normalised by the
 * encoder's mean and deviation; copied.
 * @param[in] sizes `[N, 2]`: height and width of each image without its padding, which lies at the
 * right and below and is taken for 0. NULL: no image is padded.
 * @param[in] targets What the images hold.
 * @param[in] run Optional: a token that is set keeps the step from beginning.
 * @param[in,out] report `struct_size` must be set, the rest is filled in; may be NULL.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_DIVERGED` for losses or gradients that are not finite;
 * `SIMDETR_ERROR_INVALID_ARGUMENT` before `simdetr_trainer_begin` and after the last step. A step
 * that failed changed nothing and may be taken again.
 *
 * One thread at a time on one trainer.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_trainer_step(struct simdetr_trainer_t *trainer,
                                      const DLTensor *images,
                                      const uint32_t *sizes,
                                      const struct simdetr_targets_t *targets,
                                      const struct simdetr_run_options_t *run,
                                      struct simdetr_step_report_t *report,
                                      struct simdetr_error_t *error);

/**
 * Writes the detector of the loop, as it is now: `STEM.safetensors` for the built-in one, which
 * `simdetr predict` reads, `STEM.host` for one of the host.
 *
 * @param[in] trainer The trainer.
 * @param[in] stem Path without its ending.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_INVALID_ARGUMENT` before `simdetr_trainer_begin`; what a callback answered.
 *
 * One thread at a time on one trainer.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_trainer_write_detector(struct simdetr_trainer_t *trainer,
                                                const char *stem,
                                                struct simdetr_error_t *error);

/* ---- Detectors ---- */

/**
 * A detector. Never changes; any number of threads may use one, each with its own
 * `simdetr_detections_t`.
 */
typedef struct simdetr_detector_t simdetr_detector_t;

/**
 * What a file does not say, and who does the work. Zero in a field is its default.
 */
typedef struct simdetr_detector_options_t {
  /**
   * `sizeof(simdetr_detector_options_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * "deformable-detr-r50", "small" or "tiny"; NULL is the first.
   */
  const char *preset;
  /**
   * Configuration document (TOML) whose keys win over the preset's; NULL is empty. Its tables
   * `[detector]`, `[encoder]` and `[augmentation]` say sizes, normalisation and image size of a
   * file that does not say them itself; `[limits]` holds for images. Files that this library
   * wrote say everything.
   */
  const char *config;
  /**
   * 0 is one for each processor.
   */
  uint32_t threads;
  /**
   * Must be 0.
   */
  uint32_t reserved;
  /**
   * The host's job system instead of threads of the library; NULL for none. `threads` then says
   * how many tasks it runs at once.
   */
  simdetr_parallel_for_fn_t parallel_for;
  /**
   * First argument of `parallel_for`.
   */
  void *parallel_for_user_data;
} simdetr_detector_options_t;

/**
 * Sets every field to zero, which is the default of those that have one, and `struct_size` to
 * the size given.
 *
 * @param[out] options May be NULL.
 * @param[in] struct_size `sizeof *options`.
 *
 * Any thread.
 */
SIMDETR_API
void simdetr_detector_options_init(struct simdetr_detector_options_t *options,
                                   size_t struct_size);

/**
 * Opens a detector from a safetensors file, under the names of the official Deformable DETR or of
 * `transformers`. Of a file of `transformers`, the `config.json` beside it says what the detector is.
 *
 * @param[in] path The file, or the folder that holds it as `model.safetensors`.
 * @param[in] options NULL is all defaults.
 * @param[out] out The detector, to be given to `simdetr_detector_destroy`.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_FORMAT` for a file that is not whole or of another kind (a PyTorch checkpoint,
 * say, which the message names), `SIMDETR_ERROR_SHAPE` and `SIMDETR_ERROR_WEIGHT_NAMES` for one of other
 * sizes.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_detector_create(const char *path,
                                         const struct simdetr_detector_options_t *options,
                                         struct simdetr_detector_t **out,
                                         struct simdetr_error_t *error);

/**
 * Opens a detector from the bytes of a file.
 *
 * @param[in] data The file's bytes, read during the call only.
 * @param[in] length Number of bytes.
 * @param[in] options NULL is all defaults.
 * @param[out] out The detector, to be given to `simdetr_detector_destroy`.
 * @param[out] error Optional.
 * @return As `simdetr_detector_create`.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_detector_create_from_memory(const uint8_t *data,
                                                     size_t length,
                                                     const struct simdetr_detector_options_t *options,
                                                     struct simdetr_detector_t **out,
                                                     struct simdetr_error_t *error);

/**
 * Makes a detector of the options' sizes that has learned nothing: what training starts from
 * elsewhere, and what a host can measure its speed with.
 *
 * @param[in] seed Key of the weights.
 * @param[in] options NULL is all defaults.
 * @param[out] out The detector, to be given to `simdetr_detector_destroy`.
 * @param[out] error Optional.
 * @return A status.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_detector_create_untrained(uint64_t seed,
                                                   const struct simdetr_detector_options_t *options,
                                                   struct simdetr_detector_t **out,
                                                   struct simdetr_error_t *error);

/**
 * Destroys a detector.
 *
 * @param[in] detector May be NULL.
 *
 * Any thread.
 */
SIMDETR_API void simdetr_detector_destroy(struct simdetr_detector_t *detector);

/**
 * Says how many bytes a detector holds.
 *
 * @param[in] detector The handle.
 * @param[out] bytes Weights, and the memory that calls have left for the next ones.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the detector `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_detector_memory_bytes(const struct simdetr_detector_t *detector,
                                               uint64_t *bytes,
                                               struct simdetr_error_t *error);

/**
 * What a detector is.
 */
typedef struct simdetr_detector_description_t {
  /**
   * `sizeof(simdetr_detector_description_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * Classes, which `simdetr_detector_category` names.
   */
  uint32_t classes_count;
  /**
   * Boxes of each image before the best are chosen.
   */
  uint32_t queries_count;
  /**
   * Pixels of the shorter side that it sees.
   */
  uint32_t image_short_side;
  /**
   * Most pixels of the longer side that it sees.
   */
  uint32_t image_long_side_max;
  /**
   * Subtracted from red, green and blue in [0, 1].
   */
  float image_mean[3];
  /**
   * Red, green and blue are divided by this.
   */
  float image_deviation[3];
  /**
   * Numbers in its weights.
   */
  uint64_t parameters_count;
  /**
   * Both sides that it sees are multiples of this; `simdetr_detector_export_onnx` has the rule.
   */
  uint32_t side_multiple;
  /**
   * Is 0.
   */
  uint32_t reserved;
} simdetr_detector_description_t;

/**
 * Says what a detector is.
 *
 * @param[in] detector The detector.
 * @param[in,out] description `struct_size` must be set; the rest is filled in.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions on the detector.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_detector_describe(const struct simdetr_detector_t *detector,
                                           struct simdetr_detector_description_t *description,
                                           struct simdetr_error_t *error);

/**
 * Says what a class is called.
 *
 * @param[in] detector The detector.
 * @param[in] class_index Below `classes_count`.
 * @param[out] id The category's id in COCO files, an id that is a text being `INT64_MIN` plus its rank
 * among them; may be NULL.
 * @param[out] name UTF-8 with a NUL, empty where the file does not say; may be NULL if `capacity`
 * is 0.
 * @param[in] capacity Bytes at `name`; 0 asks for the count.
 * @param[out] count Bytes of the name with its NUL; also written with
 * `SIMDETR_ERROR_BUFFER_TOO_SMALL`.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions on the detector.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_detector_category(const struct simdetr_detector_t *detector,
                                           uint32_t class_index,
                                           int64_t *id,
                                           char *name,
                                           size_t capacity,
                                           size_t *count,
                                           struct simdetr_error_t *error);

/**
 * f32 `[count, 4]`: boxes.
 */
#define SIMDETR_DETECTIONS_BOXES 1

/**
 * f32 `[count]`: scores.
 */
#define SIMDETR_DETECTIONS_SCORES 2

/**
 * i32 `[count]`: class indices.
 */
#define SIMDETR_DETECTIONS_CLASSES 3

/**
 * i32 `[count]`: which image of the call.
 */
#define SIMDETR_DETECTIONS_IMAGES 4

/**
 * What a detector found. One thread at a time may fill it; reading may be shared.
 */
typedef struct simdetr_detections_t simdetr_detections_t;

/**
 * Makes an empty set of detections.
 *
 * @param[out] out The set, to be given to `simdetr_detections_destroy`.
 * @param[out] error Optional.
 * @return A status.
 *
 * Any thread.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_detections_create(struct simdetr_detections_t **out,
                                           struct simdetr_error_t *error);

/**
 * Destroys a set of detections; views of it end, exported tensors live on.
 *
 * @param[in] detections May be NULL.
 *
 * Any thread.
 */
SIMDETR_API void simdetr_detections_destroy(struct simdetr_detections_t *detections);

/**
 * Borrowed arrays of a `simdetr_detections_t`, valid until it is filled again or destroyed.
 */
typedef struct simdetr_detections_view_t {
  /**
   * `sizeof(simdetr_detections_view_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * Images of the call that filled it.
   */
  size_t images_count;
  /**
   * Boxes on all images.
   */
  size_t count;
  /**
   * `[images_count + 1]`: the boxes of image i begin at `image_offsets[i]` and end before
   * `image_offsets[i + 1]`, best first.
   */
  const size_t *image_offsets;
  /**
   * `[count, 4]`: x0, y0, x1, y1 in pixels of the upright image.
   */
  const float *boxes;
  /**
   * `[count]`: sigmoid of the class's logit, or what `SIMDETR_READING_OBJECTS` says.
   */
  const float *scores;
  /**
   * `[count]`: class indices, which `simdetr_detector_category` names.
   */
  const int32_t *classes;
  /**
   * `[count]`: which image of the call.
   */
  const int32_t *images;
} simdetr_detections_view_t;

/**
 * Gives borrowed pointers to everything.
 *
 * @param[in] detections The set.
 * @param[in,out] view `struct_size` must be set; the rest is filled in.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the set `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_detections_view(const struct simdetr_detections_t *detections,
                                         struct simdetr_detections_view_t *view,
                                         struct simdetr_error_t *error);

/**
 * Copies the detections into arrays of the host.
 *
 * @param[in] detections The set.
 * @param[out] boxes `[capacity, 4]`; this and each other array may be NULL.
 * @param[out] scores `[capacity]`.
 * @param[out] classes `[capacity]`.
 * @param[out] images `[capacity]`.
 * @param[in] capacity Detections that the arrays have room for; 0 asks for the count.
 * @param[out] count Number of detections; also written with `SIMDETR_ERROR_BUFFER_TOO_SMALL`.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the set `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_detections_copy_f32(const struct simdetr_detections_t *detections,
                                             float *boxes,
                                             float *scores,
                                             int32_t *classes,
                                             int32_t *images,
                                             size_t capacity,
                                             size_t *count,
                                             struct simdetr_error_t *error);

/**
 * Copies one field into a tensor of the host.
 *
 * @param[in] detections The set.
 * @param[in] field One of `SIMDETR_DETECTIONS_*`.
 * @param[out] target A dense tensor in host memory of exactly the field's type and shape.
 * @param[out] error Optional.
 * @return A status; the tensor is untouched unless it is 0.
 *
 * May run at the same time as other functions that take the set `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_detections_copy_tensor(const struct simdetr_detections_t *detections,
                                                int32_t field,
                                                const DLTensor *target,
                                                struct simdetr_error_t *error);

/**
 * Copies one field into a tensor that the host then owns.
 *
 * @param[in] detections The set.
 * @param[in] field One of `SIMDETR_DETECTIONS_*`.
 * @param[out] out The tensor; ended by its deleter, and independent of the set.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the set `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_detections_export_tensor(const struct simdetr_detections_t *detections,
                                                  int32_t field,
                                                  struct DLManagedTensorVersioned **out,
                                                  struct simdetr_error_t *error);

/**
 * `simdetr_detections_export_tensor` in the form of DLPack before 1.0.
 *
 * @param[in] detections The set.
 * @param[in] field One of `SIMDETR_DETECTIONS_*`.
 * @param[out] out The tensor; ended by its deleter, and independent of the set.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions that take the set `const`.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_detections_export_tensor_legacy(const struct simdetr_detections_t *detections,
                                                         int32_t field,
                                                         struct DLManagedTensor **out,
                                                         struct simdetr_error_t *error);

/**
 * The best pairs of query and class, so that a query may appear with several classes: the default,
 * that of the official detectors.
 */
#define SIMDETR_READING_PAIRS 1

/**
 * Each query once, with its best class, as in relabelling.
 */
#define SIMDETR_READING_QUERIES 2

/**
 * Each query once, with its best class; its score is one of all classes, the cube root of 1 minus the
 * product of 1 - p^3 over their probabilities: it ranks boxes better than the best class alone where
 * classes are hard to tell apart.
 */
#define SIMDETR_READING_OBJECTS 3

/**
 * Which of a detector's boxes are wanted. Zero in a field is its default.
 */
typedef struct simdetr_prediction_options_t {
  /**
   * `sizeof(simdetr_prediction_options_t)`, set by the caller.
   */
  size_t struct_size;
  /**
   * Best boxes of each image; 0 is 100.
   */
  uint32_t detections_max;
  /**
   * `SIMDETR_READING_*`.
   */
  int32_t reading;
  /**
   * Boxes with a lower score are left out.
   */
  float score_min;
  /**
   * Must be 0.
   */
  uint32_t reserved;
} simdetr_prediction_options_t;

/**
 * Sets every field to zero, which is the default of those that have one, and `struct_size` to
 * the size given.
 *
 * @param[out] options May be NULL.
 * @param[in] struct_size `sizeof *options`.
 *
 * Any thread.
 */
SIMDETR_API
void simdetr_prediction_options_init(struct simdetr_prediction_options_t *options,
                                     size_t struct_size);

/**
 * Finds objects on images of the host.
 *
 * @param[in] detector The detector.
 * @param[in] images `[images_count]`.
 * @param[in] images_count Number of images.
 * @param[in] options NULL is all defaults.
 * @param[in] run Optional; progress counts images.
 * @param[in] detections Receives the boxes; untouched unless the status is 0.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions on the detector, with other detections.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_detector_predict(const struct simdetr_detector_t *detector,
                                          const struct simdetr_image_t *const *images,
                                          size_t images_count,
                                          const struct simdetr_prediction_options_t *options,
                                          const struct simdetr_run_options_t *run,
                                          struct simdetr_detections_t *detections,
                                          struct simdetr_error_t *error);

/**
 * Finds objects on encoded images: JPEG, PNG, WebP, BMP or TIFF, recognised by content.
 *
 * @param[in] detector The detector.
 * @param[in] data `[images_count]` pointers to the files' bytes.
 * @param[in] lengths `[images_count]` numbers of bytes.
 * @param[in] images_count Number of images.
 * @param[in] options NULL is all defaults.
 * @param[in] run Optional; progress counts images.
 * @param[in] detections Receives the boxes; untouched unless the status is 0.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_IMAGE_DECODE` or `SIMDETR_ERROR_IMAGE_TOO_LARGE` say what is wrong.
 *
 * May run at the same time as other functions on the detector, with other detections.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_detector_predict_encoded(const struct simdetr_detector_t *detector,
                                                  const uint8_t *const *data,
                                                  const size_t *lengths,
                                                  size_t images_count,
                                                  const struct simdetr_prediction_options_t *options,
                                                  const struct simdetr_run_options_t *run,
                                                  struct simdetr_detections_t *detections,
                                                  struct simdetr_error_t *error);

/**
 * Finds objects on image files.
 *
 * @param[in] detector The detector.
 * @param[in] paths `[images_count]`.
 * @param[in] images_count Number of images.
 * @param[in] options NULL is all defaults.
 * @param[in] run Optional; progress counts images.
 * @param[in] detections Receives the boxes; untouched unless the status is 0.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_IO`, `SIMDETR_ERROR_IMAGE_DECODE` or `SIMDETR_ERROR_IMAGE_TOO_LARGE` of
 * the first image that failed.
 *
 * May run at the same time as other functions on the detector, with other detections.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_detector_predict_files(const struct simdetr_detector_t *detector,
                                                const char *const *paths,
                                                size_t images_count,
                                                const struct simdetr_prediction_options_t *options,
                                                const struct simdetr_run_options_t *run,
                                                struct simdetr_detections_t *detections,
                                                struct simdetr_error_t *error);

/**
 * Finds objects on an image tensor.
 *
 * @param[in] detector The detector.
 * @param[in] image `[3, H, W]` or `[H, W, 3]`, with or without a leading 1, any positive strides;
 * u8, or f32 in [0, 1].
 * @param[in] options NULL is all defaults.
 * @param[in] run Optional.
 * @param[in] detections Receives the boxes; untouched unless the status is 0.
 * @param[out] error Optional.
 * @return A status.
 *
 * May run at the same time as other functions on the detector, with other detections.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_detector_predict_tensor(const struct simdetr_detector_t *detector,
                                                 const DLTensor *image,
                                                 const struct simdetr_prediction_options_t *options,
                                                 const struct simdetr_run_options_t *run,
                                                 struct simdetr_detections_t *detections,
                                                 struct simdetr_error_t *error);

/**
 * Names of the official Deformable DETR.
 */
#define SIMDETR_NAMING_OFFICIAL 1

/**
 * Names of DeformableDetrForObjectDetection of `transformers`.
 */
#define SIMDETR_NAMING_HUGGING_FACE 2

/**
 * Writes a detector as safetensors, with a text entry that says what it is. What lay at `path` stays
 * whole until the new file is.
 *
 * @param[in] detector The detector.
 * @param[in] path The file.
 * @param[in] naming `SIMDETR_NAMING_*`; 0 is the official one.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_OUTPUT` for a path that is not written: a folder, or read-only.
 *
 * May run at the same time as other functions on the detector.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_detector_save(const struct simdetr_detector_t *detector,
                                       const char *path,
                                       int32_t naming,
                                       struct simdetr_error_t *error);

/**
 * Writes the backbone alone as safetensors, under torchvision's names.
 *
 * @param[in] detector The detector.
 * @param[in] path The file.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_OUTPUT` for a path that is not written: a folder, or read-only.
 *
 * May run at the same time as other functions on the detector.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_detector_save_backbone(const struct simdetr_detector_t *detector,
                                                const char *path,
                                                struct simdetr_error_t *error);

/**
 * Writes a detector as an ONNX model: input `images` f32 `[batch, 3, height, width]`; outputs `logits`
 * `[batch, queries, classes]`, of which sigmoids are scores, and `boxes` `[batch, queries, 4]`: center x,
 * center y, width, height as shares of the image. The batch is free, and so is every side that is 0 here:
 * one file then runs at any size, at the speed of a file of that size alone.
 *
 * What `simdetr_detector_predict_*` do to an image is the host's work here; the numbers are those of
 * `simdetr_detector_describe`. Of the upright image each free side becomes
 * `side_multiple * clamp(floor(side * scale / side_multiple + 0.5), 1, image_long_side_max / side_multiple)`,
 * `scale` being the lesser of `image_short_side / shorter side` and `image_long_side_max / longer side`,
 * and `/` between whole numbers rounding down; bilinear, antialiased where the image shrinks. Each level
 * of red, green and blue, in this order, becomes `(level / 255 - image_mean) / image_deviation`. Images
 * fill their batch, without padding. The file says the same: its metadata have the fields of
 * `simdetr_detector_description_t` that begin with `image_`, `side_multiple`, `image_height` and
 * `image_width` (a number or "any"), `image_orientation`, `image_resize`, `image_padding`,
 * `image_layout`, `image_colours`, `image_values`, `boxes` and `scores`, and under `simdetr_detector` the
 * whole detector with its categories, in TOML.
 *
 * @param[in] detector The detector.
 * @param[in] path The file.
 * @param[in] height Pixels, a multiple of `side_multiple` up to 8192; 0 is any.
 * @param[in] width Pixels, as `height`.
 * @param[out] error Optional.
 * @return `SIMDETR_ERROR_INVALID_ARGUMENT` for a side that is no multiple or too large,
 * `SIMDETR_ERROR_OUTPUT` for a path that is not written: a folder, or read-only.
 *
 * May run at the same time as other functions on the detector.
 */
SIMDETR_API
SIMDETR_NODISCARD
simdetr_status_t simdetr_detector_export_onnx(const struct simdetr_detector_t *detector,
                                              const char *path,
                                              uint32_t height,
                                              uint32_t width,
                                              struct simdetr_error_t *error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SIMDETR_H */
