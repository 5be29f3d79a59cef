// The C++17 form of an encoder's feature maps: out of the library after its first step, and in again
// before its second.
#ifndef SIMDETR_FEATURE_MAPS_HPP
#define SIMDETR_FEATURE_MAPS_HPP

#include "simdetr/simdetr.hpp"

namespace simdetr {

// The feature maps of one image; filled again and again.
class feature_maps : public handle<simdetr_feature_maps_t, simdetr_feature_maps_destroy> {
 public:
  using handle::handle;
  static feature_maps adopt(simdetr_feature_maps_t *raw) { return feature_maps(raw); }
  static result<feature_maps> create() {
    return detail::made<feature_maps, simdetr_feature_maps_t>(
        [](auto **out, auto *error) { return simdetr_feature_maps_create(out, error); });
  }
  // Borrowed maps, deepest first, valid until the set is filled again or ends.
  result<std::vector<simdetr_feature_map_t>> maps() const {
    error failure;
    std::size_t count = 0;
    if (simdetr_feature_maps_view(get(), nullptr, 0, &count, failure.out()) != SIMDETR_OK) {
      return failure;
    }
    std::vector<simdetr_feature_map_t> found(count);
    if (simdetr_feature_maps_view(get(), found.data(), count, &count, failure.out()) !=
        SIMDETR_OK) {
      return failure;
    }
    return found;
  }
  // The sizes of the image, as simdetr_extractor_extract_maps takes them.
  result<simdetr_image_geometry_t> geometry() const {
    auto sizes = detail::sized<simdetr_image_geometry_t>();
    error failure;
    if (simdetr_feature_maps_geometry(get(), &sizes, failure.out()) != SIMDETR_OK) return failure;
    return sizes;
  }
  // One map as a DLPack tensor of the caller's, [height, width, channels], ended by its deleter.
  result<DLManagedTensorVersioned *> export_tensor(std::size_t index) const {
    return detail::answer<DLManagedTensorVersioned *>([&](auto *out, auto *error) {
      return simdetr_feature_maps_export_tensor(get(), index, out, error);
    });
  }
  // The same in the form of DLPack before 1.0.
  result<DLManagedTensor *> export_tensor_legacy(std::size_t index) const {
    return detail::answer<DLManagedTensor *>([&](auto *out, auto *error) {
      return simdetr_feature_maps_export_tensor_legacy(get(), index, out, error);
    });
  }
  // Fills a dense tensor of exactly the map's type and shape.
  result<void> copy_tensor(std::size_t index, const DLTensor &target) const {
    return detail::done([&](auto *error) {
      return simdetr_feature_maps_copy_tensor(get(), index, &target, error);
    });
  }
  result<std::uint64_t> memory_bytes() const {
    return detail::answer<std::uint64_t>(
        [&](auto *out, auto *error) { return simdetr_feature_maps_memory_bytes(get(), out, error); });
  }

 private:
  explicit feature_maps(simdetr_feature_maps_t *raw) : handle(raw) {}
};

// How an image is resized before it is encoded, and with how many threads.
inline simdetr_encode_options_t encode_options() noexcept {
  return detail::defaults(simdetr_encode_options_init);
}

// An encoder's maps of one image, into `out`.
inline result<void> encode(const encoder &source, const simdetr_image_t &image, feature_maps &out,
                           const simdetr_encode_options_t &options = encode_options(),
                           const run *control = nullptr) {
  return detail::done([&](auto *error) {
    return simdetr_encoder_encode_image(source.get(), &image, &options, detail::raw(control),
                                        out.get(), error);
  });
}

// The same of a JPEG, PNG, WebP, BMP or TIFF in memory.
inline result<void> encode(const encoder &source, span<const std::uint8_t> encoded,
                           feature_maps &out,
                           const simdetr_encode_options_t &options = encode_options(),
                           const run *control = nullptr) {
  return detail::done([&](auto *error) {
    return simdetr_encoder_encode_bytes(source.get(), encoded.data(), encoded.size(), &options,
                                        detail::raw(control), out.get(), error);
  });
}

// The same of a tensor, [3, H, W] or [H, W, 3], u8 or f32 in [0, 1].
inline result<void> encode(const encoder &source, const DLTensor &image, feature_maps &out,
                           const simdetr_encode_options_t &options = encode_options(),
                           const run *control = nullptr) {
  return detail::done([&](auto *error) {
    return simdetr_encoder_encode_tensor(source.get(), &image, &options, detail::raw(control),
                                         out.get(), error);
  });
}

// The proposals of the image that `maps` belong to, into `out`.
inline result<void> extract(const extractor &from, const feature_maps &maps, std::uint32_t image_id,
                            proposals &out, const run *control = nullptr) {
  return detail::done([&](auto *error) {
    return simdetr_extractor_extract_feature_maps(from.get(), maps.get(), image_id,
                                                  detail::raw(control), out.get(), error);
  });
}

}  // namespace simdetr

#endif
