// The C++17 form of detectors: opened, asked for boxes, written for other programs.
#ifndef SIMDETR_DETECT_HPP
#define SIMDETR_DETECT_HPP

#include "simdetr/simdetr.hpp"

namespace simdetr {

// What a detector found, in flat arrays; filled again and again.
class detections : public handle<simdetr_detections_t, simdetr_detections_destroy> {
 public:
  using handle::handle;
  static detections adopt(simdetr_detections_t *raw) { return detections(raw); }
  static result<detections> create() {
    return detail::made<detections, simdetr_detections_t>(
        [](auto **out, auto *error) { return simdetr_detections_create(out, error); });
  }
  // Borrowed arrays, valid until the set is filled again or ends.
  result<simdetr_detections_view_t> view() const {
    auto arrays = detail::sized<simdetr_detections_view_t>();
    error failure;
    if (simdetr_detections_view(get(), &arrays, failure.out()) != SIMDETR_OK) return failure;
    return arrays;
  }
  // A field as a DLPack tensor of the caller's, ended by its deleter.
  result<DLManagedTensorVersioned *> export_tensor(std::int32_t field) const {
    return detail::answer<DLManagedTensorVersioned *>([&](auto *out, auto *error) {
      return simdetr_detections_export_tensor(get(), field, out, error);
    });
  }
  // The same in the form of DLPack before 1.0.
  result<DLManagedTensor *> export_tensor_legacy(std::int32_t field) const {
    return detail::answer<DLManagedTensor *>([&](auto *out, auto *error) {
      return simdetr_detections_export_tensor_legacy(get(), field, out, error);
    });
  }
  // Fills a dense tensor of exactly the field's type and shape.
  result<void> copy_tensor(std::int32_t field, const DLTensor &target) const {
    return detail::done([&](auto *error) {
      return simdetr_detections_copy_tensor(get(), field, &target, error);
    });
  }
  // Copies into arrays of `capacity` detections, of which any may be nullptr; answers their number.
  result<std::size_t> copy(std::size_t capacity, float *boxes, float *scores,
                           std::int32_t *classes, std::int32_t *images = nullptr) const {
    return detail::answer<std::size_t>([&](auto *count, auto *error) {
      return simdetr_detections_copy_f32(get(), boxes, scores, classes, images, capacity, count,
                                         error);
    });
  }

 private:
  explicit detections(simdetr_detections_t *raw) : handle(raw) {}
};

// A class of a detector.
struct category {
  std::int64_t id = 0;
  std::string name;
};

// A Deformable DETR with its weights, shared by threads.
class detector : public handle<simdetr_detector_t, simdetr_detector_destroy> {
 public:
  using handle::handle;
  static detector adopt(simdetr_detector_t *raw) { return detector(raw); }
  static simdetr_detector_options_t options() noexcept {
    return detail::defaults(simdetr_detector_options_init);
  }
  static simdetr_prediction_options_t prediction_options() noexcept {
    return detail::defaults(simdetr_prediction_options_init);
  }
  static result<detector> open(const std::string &path,
                               const simdetr_detector_options_t &given = options()) {
    return detail::made<detector, simdetr_detector_t>([&](auto **out, auto *error) {
      return simdetr_detector_create(path.c_str(), &given, out, error);
    });
  }
  // From the bytes of a file.
  static result<detector> open(span<const std::uint8_t> file,
                               const simdetr_detector_options_t &given = options()) {
    return detail::made<detector, simdetr_detector_t>([&](auto **out, auto *error) {
      return simdetr_detector_create_from_memory(file.data(), file.size(), &given, out, error);
    });
  }
  static result<detector> untrained(std::uint64_t seed, const simdetr_detector_options_t &given) {
    return detail::made<detector, simdetr_detector_t>([&](auto **out, auto *error) {
      return simdetr_detector_create_untrained(seed, &given, out, error);
    });
  }
  result<simdetr_detector_description_t> describe() const {
    auto description = detail::sized<simdetr_detector_description_t>();
    error failure;
    if (simdetr_detector_describe(get(), &description, failure.out()) != SIMDETR_OK) return failure;
    return description;
  }
  result<category> category_of(std::uint32_t class_index) const {
    error failure;
    category found;
    std::size_t length = 0;
    if (simdetr_detector_category(get(), class_index, &found.id, nullptr, 0, &length,
                                  failure.out()) != SIMDETR_OK) {
      return failure;
    }
    found.name.resize(length);
    if (simdetr_detector_category(get(), class_index, &found.id, found.name.data(),
                                  found.name.size(), &length, failure.out()) != SIMDETR_OK) {
      return failure;
    }
    found.name.pop_back();
    return found;
  }
  result<std::uint64_t> memory_bytes() const {
    return detail::answer<std::uint64_t>([&](auto *out, auto *error) {
      return simdetr_detector_memory_bytes(get(), out, error);
    });
  }
  result<void> predict(span<const simdetr_image_t> images, detections &out,
                       const simdetr_prediction_options_t &given = prediction_options(),
                       const run *control = nullptr) const {
    std::vector<const simdetr_image_t *> pointers;
    for (const simdetr_image_t &image : images) pointers.push_back(&image);
    return detail::done([&](auto *error) {
      return simdetr_detector_predict(get(), pointers.data(), pointers.size(), &given,
                                      detail::raw(control), out.get(), error);
    });
  }
  // A JPEG, PNG, WebP, BMP or TIFF in memory.
  result<void> predict(span<const std::uint8_t> encoded, detections &out,
                       const simdetr_prediction_options_t &given = prediction_options(),
                       const run *control = nullptr) const {
    const std::uint8_t *data = encoded.data();
    std::size_t length = encoded.size();
    return detail::done([&](auto *error) {
      return simdetr_detector_predict_encoded(get(), &data, &length, 1, &given,
                                              detail::raw(control), out.get(), error);
    });
  }
  result<void> predict(const std::vector<std::string> &paths, detections &out,
                       const simdetr_prediction_options_t &given = prediction_options(),
                       const run *control = nullptr) const {
    std::vector<const char *> pointers;
    for (const std::string &path : paths) pointers.push_back(path.c_str());
    return detail::done([&](auto *error) {
      return simdetr_detector_predict_files(get(), pointers.data(), pointers.size(), &given,
                                            detail::raw(control), out.get(), error);
    });
  }
  result<void> save(const std::string &path,
                    std::int32_t naming = SIMDETR_NAMING_OFFICIAL) const {
    return detail::done(
        [&](auto *error) { return simdetr_detector_save(get(), path.c_str(), naming, error); });
  }
  result<void> save_backbone(const std::string &path) const {
    return detail::done(
        [&](auto *error) { return simdetr_detector_save_backbone(get(), path.c_str(), error); });
  }
  // A side that is 0 stays free. The model's metadata say what to do to an image.
  result<void> export_onnx(const std::string &path, std::uint32_t height = 0,
                           std::uint32_t width = 0) const {
    return detail::done([&](auto *error) {
      return simdetr_detector_export_onnx(get(), path.c_str(), height, width, error);
    });
  }
  // [3, H, W] or [H, W, 3], u8 or f32 in [0, 1].
  result<void> predict(const DLTensor &image, detections &out,
                       const simdetr_prediction_options_t &given = prediction_options(),
                       const run *control = nullptr) const {
    return detail::done([&](auto *error) {
      return simdetr_detector_predict_tensor(get(), &image, &given, detail::raw(control), out.get(),
                                             error);
    });
  }

 private:
  explicit detector(simdetr_detector_t *raw) : handle(raw) {}
};

}  // namespace simdetr

#endif  // SIMDETR_DETECT_HPP
