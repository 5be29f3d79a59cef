// The C++17 form of simdetr.h: handles that end themselves, results instead of out-parameters.
//
// Header-only; links against the C library alone, so any compiler and standard library will do.
// Every function returns a result<T>: test it, or call value(), which throws simdetr::error where
// exceptions are on. Threads, ownership and units are those of simdetr.h.
#ifndef SIMDETR_SIMDETR_HPP
#define SIMDETR_SIMDETR_HPP

#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "simdetr/result.hpp"

namespace simdetr {

// Compares the library that runs with the header that the program was compiled with.
inline result<void> check_abi() {
  if (simdetr_abi_version() == SIMDETR_ABI_VERSION) return {};
  std::string text = "header of ABI " + std::to_string(SIMDETR_ABI_VERSION) +
                     ", library of ABI " + std::to_string(simdetr_abi_version());
  return error(SIMDETR_ERROR_INVALID_ARGUMENT, text.c_str());
}

// The library that runs, such as "0.1.0", and as a number to compare with SIMDETR_VERSION.
inline const char *version() noexcept { return simdetr_version_string(); }
inline std::uint32_t version_number() noexcept { return simdetr_version(); }

// Sends the library's messages to a function, which `user_data` must outlive; nullptr for silence.
inline result<void> log_to(simdetr_log_fn_t callback, void *user_data = nullptr,
                           std::int32_t level_max = SIMDETR_LOG_INFO) {
  error failure;
  if (simdetr_log_set(callback, user_data, level_max, failure.out()) != SIMDETR_OK) return failure;
  return {};
}

// Pixels of the caller's, for calls that borrow them. A stride of 0 is that of rows without padding.
inline simdetr_image_t image(const std::uint8_t *pixels, std::uint32_t width, std::uint32_t height,
                             std::int32_t format = SIMDETR_PIXEL_RGB8,
                             std::int64_t row_stride_bytes = 0) noexcept {
  auto out = detail::defaults(simdetr_image_init);
  out.data = pixels;
  out.width = width;
  out.height = height;
  out.row_stride_bytes = row_stride_bytes;
  out.pixel_format = format;
  return out;
}

// The sizes of an image whose feature maps are the caller's; what is left 0 is as the original.
inline simdetr_image_geometry_t image_geometry(std::uint32_t width, std::uint32_t height) noexcept {
  auto out = detail::defaults(simdetr_image_geometry_init);
  out.original_width = width;
  out.original_height = height;
  return out;
}

// What a callback answers when the host's function threw an exception.
inline constexpr simdetr_status_t callback_threw = -1000001;

namespace detail {
// Turns a call that fills in `*out` and `*error` into a result.
template <class T, class Call>
result<T> answer(Call &&call) {
  error failure;
  T value{};
  if (call(&value, failure.out()) != SIMDETR_OK) return failure;
  return value;
}

template <class Call>
result<void> done(Call &&call) {
  error failure;
  if (call(failure.out()) != SIMDETR_OK) return failure;
  return {};
}

template <class Handle, class C, class Call>
result<Handle> made(Call &&call) {
  error failure;
  C *raw = nullptr;
  if (call(&raw, failure.out()) != SIMDETR_OK) return failure;
  return Handle::adopt(raw);
}
}  // namespace detail

// Stops calls that were given it, from any thread.
class cancel_token : public handle<simdetr_cancel_token_t, simdetr_cancel_token_destroy> {
 public:
  using handle::handle;
  static cancel_token adopt(simdetr_cancel_token_t *raw) { return cancel_token(raw); }
  static result<cancel_token> create() {
    return detail::made<cancel_token, simdetr_cancel_token_t>(
        [](auto **out, auto *error) { return simdetr_cancel_token_create(out, error); });
  }
  result<void> cancel() const {
    return detail::done([&](auto *error) { return simdetr_cancel_token_cancel(get(), error); });
  }

 private:
  explicit cancel_token(simdetr_cancel_token_t *raw) : handle(raw) {}
};

// How one call is watched and stopped. An exception thrown by the progress function stops the call,
// which then rethrows it from rethrow().
class run {
 public:
  run() = default;
  run(const run &) = delete;
  run &operator=(const run &) = delete;

  run &stop_with(const cancel_token &token) {
    raw_.cancel = token.get();
    return *this;
  }
  // `progress(step, done, total)` answers 0 to go on, or a negative number.
  run &report_to(std::function<int(std::string_view, std::uint64_t, std::uint64_t)> progress) {
    progress_ = std::move(progress);
    raw_.progress = &run::trampoline;
    raw_.progress_user_data = this;
    return *this;
  }
  const simdetr_run_options_t *get() const noexcept { return &raw_; }
  void rethrow() {
#if SIMDETR_HAS_EXCEPTIONS
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
#endif
  }

 private:
  static std::int32_t trampoline(void *self, const char *step, std::uint64_t done,
                                 std::uint64_t total) noexcept {
    auto *run = static_cast<simdetr::run *>(self);
#if SIMDETR_HAS_EXCEPTIONS
    try {
      return run->progress_(step, done, total);
    } catch (...) {
      run->thrown_ = std::current_exception();
      return callback_threw;
    }
#else
    return run->progress_(step, done, total);
#endif
  }

  simdetr_run_options_t raw_ = detail::defaults(simdetr_run_options_init);
  std::function<int(std::string_view, std::uint64_t, std::uint64_t)> progress_;
  std::exception_ptr thrown_;
};

namespace detail {
inline const simdetr_run_options_t *raw(const run *control) noexcept {
  return control == nullptr ? nullptr : control->get();
}
}  // namespace detail

// One map that an encoder gives.
struct map_description {
  std::size_t channels;
  std::size_t stride;
};

// Where the function of a host's encoder runs when several images are extracted at once.
enum class callback_threads : std::int32_t {
  any = SIMDETR_CALLBACK_THREADS_ANY,        // on the threads that share the images
  caller = SIMDETR_CALLBACK_THREADS_CALLER,  // on the thread that made the call
};

class encoder : public handle<simdetr_encoder_t, simdetr_encoder_destroy> {
 public:
  using handle::handle;
  // Fills `maps` of `image`; answers 0, or a negative number that becomes the call's status.
  using function = std::function<int(const simdetr_image_t &image, span<const simdetr_map_t> maps)>;

  static encoder adopt(simdetr_encoder_t *raw) { return encoder(raw); }

  // The built-in encoder ("default"), or one from a safetensors or ONNX file.
  static result<encoder> create(const std::string &source = "default") {
    auto options = detail::defaults(simdetr_encoder_options_init);
    options.encoder = source.c_str();
    return detail::made<encoder, simdetr_encoder_t>([&](auto **out, auto *error) {
      return simdetr_encoder_create(&options, out, error);
    });
  }

  // Everything that simdetr.h lets one say.
  static simdetr_encoder_options_t options() noexcept {
    return detail::defaults(simdetr_encoder_options_init);
  }
  static result<encoder> create(const simdetr_encoder_options_t &options) {
    return detail::made<encoder, simdetr_encoder_t>([&](auto **out, auto *error) {
      return simdetr_encoder_create(&options, out, error);
    });
  }
  // From the bytes of a safetensors or ONNX file.
  static result<encoder> from_memory(span<const std::uint8_t> file,
                                     const simdetr_encoder_options_t &given = options()) {
    return detail::made<encoder, simdetr_encoder_t>([&](auto **out, auto *error) {
      return simdetr_encoder_create_from_memory(file.data(), file.size(), &given, out, error);
    });
  }

  // An encoder of the host, shared by threads. `name` identifies its model in run folders.
  static result<encoder> from_function(const char *name, span<const map_description> maps,
                                       function encode,
                                       callback_threads threads = callback_threads::any) {
    std::vector<std::size_t> channels, strides;
    for (const map_description &map : maps) {
      channels.push_back(map.channels);
      strides.push_back(map.stride);
    }
    auto callback = detail::defaults(simdetr_encoder_callback_init);
    callback.name = name;
    callback.encode = &encoder::trampoline;
    callback.user_data = new function(std::move(encode));
    callback.user_data_destroy = [](void *kept) { delete static_cast<function *>(kept); };
    callback.channels = channels.data();
    callback.strides = strides.data();
    callback.maps_count = maps.size();
    callback.callback_threads = static_cast<std::int32_t>(threads);
    return detail::made<encoder, simdetr_encoder_t>([&](auto **out, auto *error) {
      return simdetr_encoder_create_from_callback(&callback, out, error);
    });
  }

  result<std::uint64_t> memory_bytes() const {
    return detail::answer<std::uint64_t>([&](auto *out, auto *error) {
      return simdetr_encoder_memory_bytes(get(), out, error);
    });
  }
  // The maps that it gives, deepest first.
  result<std::vector<simdetr_map_description_t>> maps() const {
    std::vector<simdetr_map_description_t> found;
    error failure;
    auto call = [&](auto *out, std::size_t capacity, std::size_t *count) {
      return simdetr_encoder_maps(get(), out, capacity, count, failure.out());
    };
    if (detail::filled(found, call) != SIMDETR_OK) return failure;
    return found;
  }

 private:
  explicit encoder(simdetr_encoder_t *raw) : handle(raw) {}

  static std::int32_t trampoline(void *kept, const simdetr_image_t *image,
                                 const simdetr_map_t *maps, std::size_t maps_count) noexcept {
    const auto &encode = *static_cast<function *>(kept);
#if SIMDETR_HAS_EXCEPTIONS
    try {
      return encode(*image, {maps, maps_count});
    } catch (...) {
      return callback_threw;
    }
#else
    return encode(*image, {maps, maps_count});
#endif
  }
};

// The proposals of one image; filled again and again without new memory.
class proposals : public handle<simdetr_proposals_t, simdetr_proposals_destroy> {
 public:
  using handle::handle;
  static proposals adopt(simdetr_proposals_t *raw) { return proposals(raw); }
  static result<proposals> create() {
    return detail::made<proposals, simdetr_proposals_t>(
        [](auto **out, auto *error) { return simdetr_proposals_create(out, error); });
  }
  // Borrowed arrays, valid until the set is filled again or ends.
  result<simdetr_proposals_view_t> view() const {
    auto arrays = detail::sized<simdetr_proposals_view_t>();
    error failure;
    if (simdetr_proposals_view(get(), &arrays, failure.out()) != SIMDETR_OK) return failure;
    return arrays;
  }
  // A field as a DLPack tensor of the caller's, ended by its deleter.
  result<DLManagedTensorVersioned *> export_tensor(std::int32_t field) const {
    return detail::answer<DLManagedTensorVersioned *>([&](auto *out, auto *error) {
      return simdetr_proposals_export_tensor(get(), field, out, error);
    });
  }
  // The same in the form of DLPack before 1.0.
  result<DLManagedTensor *> export_tensor_legacy(std::int32_t field) const {
    return detail::answer<DLManagedTensor *>([&](auto *out, auto *error) {
      return simdetr_proposals_export_tensor_legacy(get(), field, out, error);
    });
  }
  // Fills a dense tensor of exactly the field's type and shape.
  result<void> copy_tensor(std::int32_t field, const DLTensor &target) const {
    return detail::done([&](auto *error) {
      return simdetr_proposals_copy_tensor(get(), field, &target, error);
    });
  }
  // Copies into arrays of `capacity` proposals, of which any may be nullptr; answers their number.
  result<std::size_t> copy(std::size_t capacity, float *boxes, float *scores, std::int32_t *levels,
                           std::int32_t *cluster_counts, float *vectors = nullptr,
                           std::size_t dimensions = 0) const {
    return detail::answer<std::size_t>([&](auto *count, auto *error) {
      return simdetr_proposals_copy_f32(get(), boxes, scores, levels, cluster_counts, vectors,
                                        dimensions, capacity, count, error);
    });
  }
  // Replaces everything by boxes of the caller's; no scores rank by size.
  result<void> assign(span<const float> boxes, span<const float> scores, span<const float> vectors,
                      std::size_t dimensions, std::uint32_t image_width,
                      std::uint32_t image_height) {
    std::size_t count = boxes.size() / 4;
    bool fits = boxes.size() == count * 4 && vectors.size() == count * dimensions &&
                (scores.empty() || scores.size() == count);
    if (!fits) return error(SIMDETR_ERROR_SHAPE, "boxes, scores and vectors differ in number");
    return detail::done([&](auto *error) {
      return simdetr_proposals_assign_f32(get(), boxes.data(),
                                          scores.empty() ? nullptr : scores.data(), vectors.data(),
                                          dimensions, count, image_width, image_height, error);
    });
  }
  // Bytes of one mask on its grid, 0 or 1, row by row.
  result<std::vector<std::uint8_t>> mask(std::size_t index) const {
    std::vector<std::uint8_t> found;
    error failure;
    auto call = [&](auto *out, std::size_t capacity, std::size_t *count) {
      return simdetr_proposals_mask(get(), index, out, capacity, count, failure.out());
    };
    if (detail::filled(found, call) != SIMDETR_OK) return failure;
    return found;
  }
  result<std::uint64_t> memory_bytes() const {
    return detail::answer<std::uint64_t>(
        [&](auto *out, auto *error) { return simdetr_proposals_memory_bytes(get(), out, error); });
  }

 private:
  explicit proposals(simdetr_proposals_t *raw) : handle(raw) {}
};

class extractor : public handle<simdetr_extractor_t, simdetr_extractor_destroy> {
 public:
  using handle::handle;
  static extractor adopt(simdetr_extractor_t *raw) { return extractor(raw); }
  static simdetr_extractor_options_t options() noexcept {
    return detail::defaults(simdetr_extractor_options_init);
  }
  // What the pointers `proposals` and `selective_search` of the options point to.
  static simdetr_local_options_t local_options() noexcept {
    return detail::defaults(simdetr_local_options_init);
  }
  static simdetr_selective_search_options_t selective_search_options() noexcept {
    return detail::defaults(simdetr_selective_search_options_init);
  }
  static result<extractor> create(const encoder &source,
                                  const simdetr_extractor_options_t &options) {
    return detail::made<extractor, simdetr_extractor_t>([&](auto **out, auto *error) {
      return simdetr_extractor_create(source.get(), &options, out, error);
    });
  }
  result<void> extract(const simdetr_image_t &image, std::uint32_t image_id, proposals &out,
                       const run *control = nullptr) const {
    return detail::done([&](auto *error) {
      return simdetr_extractor_extract_image(get(), &image, image_id, detail::raw(control),
                                             out.get(), error);
    });
  }
  // A JPEG, PNG, WebP, BMP or TIFF in memory.
  result<void> extract(span<const std::uint8_t> encoded, std::uint32_t image_id, proposals &out,
                       const run *control = nullptr) const {
    return detail::done([&](auto *error) {
      return simdetr_extractor_extract_encoded(get(), encoded.data(), encoded.size(), image_id,
                                               detail::raw(control), out.get(), error);
    });
  }
  result<simdetr_folder_report_t> extract_folder(const std::string &images,
                                                 const std::string &store, bool strict = false,
                                                 const run *control = nullptr) const {
    auto report = detail::sized<simdetr_folder_report_t>();
    error failure;
    if (simdetr_extractor_extract_folder(get(), images.c_str(), store.c_str(), nullptr,
                                         strict ? 1 : 0, detail::raw(control), &report,
                                         failure.out()) != SIMDETR_OK) {
      return failure;
    }
    return report;
  }
  // [3, H, W] or [H, W, 3], u8 or f32 in [0, 1].
  result<void> extract(const DLTensor &image, std::uint32_t image_id, proposals &out,
                       const run *control = nullptr) const {
    return detail::done([&](auto *error) {
      return simdetr_extractor_extract_tensor(get(), &image, image_id, detail::raw(control),
                                              out.get(), error);
    });
  }
  // Several images, which the extractor's threads share; one set for each.
  result<void> extract(span<const simdetr_image_t> images, std::uint32_t first_image_id,
                       span<proposals> out, const run *control = nullptr) const {
    if (images.size() != out.size()) {
      return error(SIMDETR_ERROR_SHAPE, "as many sets of proposals as images are needed");
    }
    std::vector<const simdetr_image_t *> given;
    std::vector<simdetr_proposals_t *> sets;
    for (const simdetr_image_t &image : images) given.push_back(&image);
    for (const proposals &set : out) sets.push_back(set.get());
    return detail::done([&](auto *error) {
      return simdetr_extractor_extract_batch(get(), given.data(), given.size(), first_image_id,
                                             detail::raw(control), sets.data(), error);
    });
  }
  // Feature maps of the caller's, [height, width, channels] each, deepest first, with the pixels of
  // the resized image for each of their cells.
  result<void> extract(span<const DLTensor *const> maps, span<const std::size_t> strides,
                       const simdetr_image_geometry_t &geometry, proposals &out,
                       const run *control = nullptr) const {
    if (maps.size() != strides.size()) {
      return error(SIMDETR_ERROR_SHAPE, "as many strides as maps are needed");
    }
    return detail::done([&](auto *error) {
      return simdetr_extractor_extract_maps(get(), maps.data(), strides.data(), maps.size(),
                                            &geometry, detail::raw(control), out.get(), error);
    });
  }
  // The same as one array; `shapes` is [maps, 3].
  result<void> extract(span<const float> values, span<const std::size_t> shapes,
                       span<const std::size_t> strides, const simdetr_image_geometry_t &geometry,
                       proposals &out, const run *control = nullptr) const {
    if (shapes.size() != strides.size() * 3) {
      return error(SIMDETR_ERROR_SHAPE, "three sizes and a stride for each map are needed");
    }
    return detail::done([&](auto *error) {
      return simdetr_extractor_extract_maps_f32(get(), values.data(), values.size(), shapes.data(),
                                                strides.data(), strides.size(), &geometry,
                                                detail::raw(control), out.get(), error);
    });
  }
  result<std::uint64_t> memory_bytes() const {
    return detail::answer<std::uint64_t>(
        [&](auto *out, auto *error) { return simdetr_extractor_memory_bytes(get(), out, error); });
  }

 private:
  explicit extractor(simdetr_extractor_t *raw) : handle(raw) {}
};

}  // namespace simdetr

#include "simdetr/dataset.hpp"

#endif  // SIMDETR_SIMDETR_HPP
