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
 * Stops the calls that were given it. Any number of threads may use one at the same time.
 */
typedef struct simdetr_cancel_token_t simdetr_cancel_token_t;

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

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SIMDETR_H */
