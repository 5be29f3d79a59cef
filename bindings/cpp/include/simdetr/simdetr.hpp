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

  simdetr_run_options_t raw_ = detail::sized<simdetr_run_options_t>();
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
    auto options = detail::sized<simdetr_encoder_options_t>();
    options.encoder = source.c_str();
    return detail::made<encoder, simdetr_encoder_t>([&](auto **out, auto *error) {
      return simdetr_encoder_create(&options, out, error);
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
    auto callback = detail::sized<simdetr_encoder_callback_t>();
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

 private:
  explicit proposals(simdetr_proposals_t *raw) : handle(raw) {}
};

class extractor : public handle<simdetr_extractor_t, simdetr_extractor_destroy> {
 public:
  using handle::handle;
  static extractor adopt(simdetr_extractor_t *raw) { return extractor(raw); }
  static simdetr_extractor_options_t options() noexcept {
    return detail::sized<simdetr_extractor_options_t>();
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

 private:
  explicit extractor(simdetr_extractor_t *raw) : handle(raw) {}
};

class clusterer;

class proposal_store : public handle<simdetr_proposal_store_t, simdetr_proposal_store_destroy> {
 public:
  using handle::handle;
  static proposal_store adopt(simdetr_proposal_store_t *raw) { return proposal_store(raw); }
  static result<proposal_store> create(const std::string &path, std::size_t dimensions) {
    return detail::made<proposal_store, simdetr_proposal_store_t>([&](auto **out, auto *error) {
      return simdetr_proposal_store_create(path.c_str(), dimensions, nullptr, out, error);
    });
  }
  static result<proposal_store> open(const std::string &path) {
    return detail::made<proposal_store, simdetr_proposal_store_t>([&](auto **out, auto *error) {
      return simdetr_proposal_store_open(path.c_str(), out, error);
    });
  }
  result<void> append(const std::string &image_path, std::uint32_t width, std::uint32_t height,
                      const proposals &set) {
    return detail::done([&](auto *error) {
      return simdetr_proposal_store_append(get(), image_path.c_str(), width, height, set.get(),
                                           nullptr, error);
    });
  }
  result<void> finish() {
    return detail::done([&](auto *error) { return simdetr_proposal_store_finish(get(), error); });
  }
  result<simdetr_proposal_store_counts_t> counts() const {
    auto counts = detail::sized<simdetr_proposal_store_counts_t>();
    error failure;
    if (simdetr_proposal_store_counts(get(), &counts, failure.out()) != SIMDETR_OK) return failure;
    return counts;
  }
  // Writes T_0: every image, every proposal, and the class that `classes` gives it.
  inline result<void> export_coco(const clusterer &classes, const std::string &path,
                                  const run *control = nullptr) const;
  // Writes a PNG of one image with its boxes, coloured by class.
  inline result<void> overlay(std::uint64_t index, const std::string &images,
                              const clusterer &classes, const std::string &path) const;
  result<simdetr_stored_image_t> read(std::uint64_t index, proposals &out) const {
    auto image = detail::sized<simdetr_stored_image_t>();
    error failure;
    if (simdetr_proposal_store_read(get(), index, &image, out.get(), failure.out()) != SIMDETR_OK) {
      return failure;
    }
    return image;
  }
  result<std::string> image_path(std::uint64_t index) const {
    error failure;
    std::size_t length = 0;
    if (simdetr_proposal_store_image_path(get(), index, nullptr, 0, &length, failure.out()) !=
        SIMDETR_OK) {
      return failure;
    }
    std::string path(length, '\0');
    if (simdetr_proposal_store_image_path(get(), index, path.data(), path.size(), &length,
                                          failure.out()) != SIMDETR_OK) {
      return failure;
    }
    path.pop_back();
    return path;
  }

 private:
  explicit proposal_store(simdetr_proposal_store_t *raw) : handle(raw) {}
};

// Global clustering; fitting needs exclusion.
class clusterer : public handle<simdetr_clusterer_t, simdetr_clusterer_destroy> {
 public:
  using handle::handle;
  static clusterer adopt(simdetr_clusterer_t *raw) { return clusterer(raw); }
  static result<clusterer> create(std::uint32_t classes, std::uint64_t seed = 0) {
    auto options = detail::sized<simdetr_clusterer_options_t>();
    options.classes = classes;
    options.seed = seed;
    return detail::made<clusterer, simdetr_clusterer_t>([&](auto **out, auto *error) {
      return simdetr_clusterer_create(&options, out, error);
    });
  }
  result<simdetr_cluster_report_t> fit(const proposal_store &store, const run *control = nullptr) {
    auto report = detail::sized<simdetr_cluster_report_t>();
    error failure;
    if (simdetr_clusterer_fit_store(get(), store.get(), detail::raw(control), &report,
                                    failure.out()) != SIMDETR_OK) {
      return failure;
    }
    return report;
  }
  // The class of each row of `dimensions` numbers.
  result<std::vector<std::uint32_t>> assign(span<const float> vectors, std::size_t dimensions,
                                            const run *control = nullptr) const {
    std::vector<std::uint32_t> labels(dimensions == 0 ? 0 : vectors.size() / dimensions);
    error failure;
    if (simdetr_clusterer_assign_f32(get(), vectors.data(), labels.size(), dimensions,
                                     labels.data(), detail::raw(control),
                                     failure.out()) != SIMDETR_OK) {
      return failure;
    }
    return labels;
  }
  result<void> save(const std::string &path) const {
    return detail::done(
        [&](auto *error) { return simdetr_clusterer_save(get(), path.c_str(), error); });
  }

 private:
  explicit clusterer(simdetr_clusterer_t *raw) : handle(raw) {}
};

inline result<void> proposal_store::export_coco(const clusterer &classes, const std::string &path,
                                                const run *control) const {
  return detail::done([&](auto *error) {
    return simdetr_proposal_store_export_coco(get(), classes.get(), path.c_str(),
                                              detail::raw(control), error);
  });
}

inline result<void> proposal_store::overlay(std::uint64_t index, const std::string &images,
                                            const clusterer &classes,
                                            const std::string &path) const {
  return detail::done([&](auto *error) {
    return simdetr_proposal_store_overlay(get(), index, images.c_str(), classes.get(),
                                          path.c_str(), error);
  });
}

class evaluator : public handle<simdetr_evaluator_t, simdetr_evaluator_destroy> {
 public:
  using handle::handle;
  static evaluator adopt(simdetr_evaluator_t *raw) { return evaluator(raw); }
  static result<evaluator> create(bool class_agnostic = false) {
    auto options = detail::sized<simdetr_evaluator_options_t>();
    options.class_agnostic = class_agnostic ? 1 : 0;
    return detail::made<evaluator, simdetr_evaluator_t>([&](auto **out, auto *error) {
      return simdetr_evaluator_create(&options, out, error);
    });
  }
  result<simdetr_evaluation_t> evaluate_files(const std::string &ground_truth,
                                              const std::string &detections,
                                              const run *control = nullptr) const {
    auto figures = detail::sized<simdetr_evaluation_t>();
    error failure;
    if (simdetr_evaluator_evaluate_files(get(), ground_truth.c_str(), detections.c_str(),
                                         detail::raw(control), &figures,
                                         failure.out()) != SIMDETR_OK) {
      return failure;
    }
    return figures;
  }

 private:
  explicit evaluator(simdetr_evaluator_t *raw) : handle(raw) {}
};

}  // namespace simdetr

#endif  // SIMDETR_SIMDETR_HPP
