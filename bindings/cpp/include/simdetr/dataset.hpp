// The C++17 form of what a whole set of images goes through: stores, clusterers, evaluators. Part of
// simdetr.hpp.
#ifndef SIMDETR_DATASET_HPP
#define SIMDETR_DATASET_HPP

#include "simdetr/simdetr.hpp"

namespace simdetr {

class clusterer;

class proposal_store : public handle<simdetr_proposal_store_t, simdetr_proposal_store_destroy> {
 public:
  using handle::handle;
  static proposal_store adopt(simdetr_proposal_store_t *raw) { return proposal_store(raw); }
  static simdetr_proposal_store_options_t options() noexcept {
    return detail::defaults(simdetr_proposal_store_options_init);
  }
  static result<proposal_store> create(const std::string &path, std::size_t dimensions,
                                       const simdetr_proposal_store_options_t &given = options()) {
    return detail::made<proposal_store, simdetr_proposal_store_t>([&](auto **out, auto *error) {
      return simdetr_proposal_store_create(path.c_str(), dimensions, &given, out, error);
    });
  }
  // Makes one store of others that follow each other.
  static result<void> merge(const std::vector<std::string> &sources, const std::string &target,
                            const run *control = nullptr) {
    std::vector<const char *> paths;
    for (const std::string &source : sources) paths.push_back(source.c_str());
    return detail::done([&](auto *error) {
      return simdetr_proposal_store_merge(paths.data(), paths.size(), target.c_str(),
                                          detail::raw(control), error);
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
  // Vectors of `rows_count` proposals from the one with number `first`.
  result<std::vector<float>> vectors(std::uint64_t first, std::size_t rows_count) const {
    auto sizes = counts();
    if (!sizes) return sizes.failure();
    std::vector<float> found(rows_count * static_cast<std::size_t>(sizes->dimensions));
    error failure;
    if (simdetr_proposal_store_vectors_f32(get(), first, rows_count, found.data(),
                                           failure.out()) != SIMDETR_OK) {
      return failure;
    }
    return found;
  }
  result<std::uint64_t> memory_bytes() const {
    return detail::answer<std::uint64_t>(
        [&](auto *out, auto *error) { return simdetr_proposal_store_memory_bytes(get(), out, error); });
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

class accumulator;

// Global clustering; fitting needs exclusion.
class clusterer : public handle<simdetr_clusterer_t, simdetr_clusterer_destroy> {
 public:
  using handle::handle;
  static clusterer adopt(simdetr_clusterer_t *raw) { return clusterer(raw); }
  static result<clusterer> create(std::uint32_t classes, std::uint64_t seed = 0) {
    auto options = detail::defaults(simdetr_clusterer_options_init);
    options.classes = classes;
    options.seed = seed;
    return detail::made<clusterer, simdetr_clusterer_t>([&](auto **out, auto *error) {
      return simdetr_clusterer_create(&options, out, error);
    });
  }
  static simdetr_clusterer_options_t options() noexcept {
    return detail::defaults(simdetr_clusterer_options_init);
  }
  static result<clusterer> create(const simdetr_clusterer_options_t &options) {
    return detail::made<clusterer, simdetr_clusterer_t>([&](auto **out, auto *error) {
      return simdetr_clusterer_create(&options, out, error);
    });
  }
  // With the centroids of a file that save() wrote.
  static result<clusterer> load(const std::string &path,
                                const simdetr_clusterer_options_t &given = options()) {
    return detail::made<clusterer, simdetr_clusterer_t>([&](auto **out, auto *error) {
      return simdetr_clusterer_load(path.c_str(), &given, out, error);
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
  // Rows of `dimensions` numbers.
  result<simdetr_cluster_report_t> fit(span<const float> vectors, std::size_t dimensions,
                                       const run *control = nullptr) {
    if (auto bad = check_rows(vectors, dimensions); !bad) return bad.failure();
    return reported([&](auto *report, auto *error) {
      return simdetr_clusterer_fit_f32(get(), vectors.data(), vectors.size() / dimensions,
                                       dimensions, detail::raw(control), report, error);
    });
  }
  // f32 [rows, dimensions], dense.
  result<simdetr_cluster_report_t> fit(const DLTensor &vectors, const run *control = nullptr) {
    return reported([&](auto *report, auto *error) {
      return simdetr_clusterer_fit(get(), &vectors, detail::raw(control), report, error);
    });
  }
  // The class of every proposal of a store.
  result<std::vector<std::uint32_t>> assign(const proposal_store &store,
                                            const run *control = nullptr) const {
    auto sizes = store.counts();
    if (!sizes) return sizes.failure();
    std::vector<std::uint32_t> labels(static_cast<std::size_t>(sizes->proposals_count));
    error failure;
    if (simdetr_clusterer_assign_store(get(), store.get(), labels.data(), labels.size(),
                                       detail::raw(control), failure.out()) != SIMDETR_OK) {
      return failure;
    }
    return labels;
  }
  // f32 [rows, dimensions] into i32 [rows], both dense.
  result<void> assign(const DLTensor &vectors, const DLTensor &labels,
                      const run *control = nullptr) const {
    return detail::done([&](auto *error) {
      return simdetr_clusterer_assign(get(), &vectors, &labels, detail::raw(control), error);
    });
  }
  // [classes, dimensions], row by row, with the number of classes.
  result<std::pair<std::vector<float>, std::size_t>> centroids() const {
    error failure;
    std::size_t classes = 0, dimensions = 0;
    if (simdetr_clusterer_centroids_f32(get(), nullptr, 0, &classes, &dimensions, failure.out()) !=
        SIMDETR_OK) {
      return failure;
    }
    std::vector<float> found(classes * dimensions);
    if (simdetr_clusterer_centroids_f32(get(), found.data(), found.size(), &classes, &dimensions,
                                        failure.out()) != SIMDETR_OK) {
      return failure;
    }
    return std::make_pair(std::move(found), classes);
  }
  // As a DLPack tensor of the caller's, ended by its deleter.
  result<DLManagedTensorVersioned *> export_centroids() const {
    return detail::answer<DLManagedTensorVersioned *>([&](auto *out, auto *error) {
      return simdetr_clusterer_export_centroids(get(), out, error);
    });
  }
  // The steps of a fit, for hosts that divide the rows among processes: the same first centroids
  // everywhere, then in each round accumulators of all rows, added up, and an update.
  result<void> seed(const proposal_store &store, const run *control = nullptr) {
    return detail::done([&](auto *error) {
      return simdetr_clusterer_seed_store(get(), store.get(), detail::raw(control), error);
    });
  }
  result<void> seed(span<const float> vectors, std::size_t dimensions,
                    const run *control = nullptr) {
    if (auto bad = check_rows(vectors, dimensions); !bad) return bad;
    return detail::done([&](auto *error) {
      return simdetr_clusterer_seed_f32(get(), vectors.data(), vectors.size() / dimensions,
                                        dimensions, detail::raw(control), error);
    });
  }
  result<void> set_centroids(span<const float> centroids, std::size_t dimensions) {
    if (auto bad = check_rows(centroids, dimensions); !bad) return bad;
    return detail::done([&](auto *error) {
      return simdetr_clusterer_set_centroids_f32(
          get(), centroids.data(), centroids.size() / dimensions, dimensions, error);
    });
  }
  inline result<void> accumulate(const proposal_store &store, std::uint64_t first,
                                 std::uint64_t rows_count, accumulator &sums,
                                 const run *control = nullptr) const;
  inline result<void> accumulate(span<const float> vectors, std::size_t dimensions,
                                 accumulator &sums, const run *control = nullptr) const;
  inline result<simdetr_cluster_report_t> update(const accumulator &sums);
  result<std::uint64_t> memory_bytes() const {
    return detail::answer<std::uint64_t>(
        [&](auto *out, auto *error) { return simdetr_clusterer_memory_bytes(get(), out, error); });
  }

 private:
  explicit clusterer(simdetr_clusterer_t *raw) : handle(raw) {}

  static result<void> check_rows(span<const float> vectors, std::size_t dimensions) {
    if (dimensions > 0 && vectors.size() % dimensions == 0) return {};
    return error(SIMDETR_ERROR_SHAPE, "vectors: not whole rows");
  }
  template <class Call>
  static result<simdetr_cluster_report_t> reported(Call &&call) {
    auto report = detail::sized<simdetr_cluster_report_t>();
    error failure;
    if (call(&report, failure.out()) != SIMDETR_OK) return failure;
    return report;
  }
};

// Sums of vectors by class; one thread at a time may change one.
class accumulator : public handle<simdetr_accumulator_t, simdetr_accumulator_destroy> {
 public:
  using handle::handle;
  static accumulator adopt(simdetr_accumulator_t *raw) { return accumulator(raw); }
  // Of the size of `classes`' centroids; no coordinate may be larger than `magnitude_max`, of which 0
  // is 1.
  static result<accumulator> create(const clusterer &classes, float magnitude_max = 0) {
    return detail::made<accumulator, simdetr_accumulator_t>([&](auto **out, auto *error) {
      return simdetr_accumulator_create(classes.get(), magnitude_max, out, error);
    });
  }
  // Any order of merges gives the same bits.
  result<void> merge(const accumulator &other) {
    return detail::done(
        [&](auto *error) { return simdetr_accumulator_merge(get(), other.get(), error); });
  }
  // The sums as integers, to be written out or summed by an all-reduce.
  result<span<std::int64_t>> values() {
    error failure;
    std::int64_t *sums = nullptr;
    std::size_t count = 0;
    if (simdetr_accumulator_values(get(), &sums, &count, failure.out()) != SIMDETR_OK) {
      return failure;
    }
    return span<std::int64_t>(sums, count);
  }
  result<void> clear() {
    return detail::done([&](auto *error) { return simdetr_accumulator_clear(get(), error); });
  }

 private:
  explicit accumulator(simdetr_accumulator_t *raw) : handle(raw) {}
};

inline result<void> clusterer::accumulate(const proposal_store &store, std::uint64_t first,
                                          std::uint64_t rows_count, accumulator &sums,
                                          const run *control) const {
  return detail::done([&](auto *error) {
    return simdetr_clusterer_accumulate_store(get(), store.get(), first, rows_count,
                                              detail::raw(control), sums.get(), error);
  });
}

inline result<void> clusterer::accumulate(span<const float> vectors, std::size_t dimensions,
                                          accumulator &sums, const run *control) const {
  if (auto bad = check_rows(vectors, dimensions); !bad) return bad;
  return detail::done([&](auto *error) {
    return simdetr_clusterer_accumulate_f32(get(), vectors.data(), vectors.size() / dimensions,
                                            dimensions, detail::raw(control), sums.get(), error);
  });
}

inline result<simdetr_cluster_report_t> clusterer::update(const accumulator &sums) {
  return reported([&](auto *report, auto *error) {
    return simdetr_clusterer_update(get(), sums.get(), report, error);
  });
}

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

// Boxes of several images, as arrays of one length; ids may be any numbers.
struct box_arrays {
  span<const std::int64_t> image_ids;     // [count]
  span<const std::int64_t> category_ids;  // [count]; empty puts all into one category
  span<const float> boxes;                // [count, 4]: x0, y0, x1, y1 in pixels
};

class evaluator : public handle<simdetr_evaluator_t, simdetr_evaluator_destroy> {
 public:
  using handle::handle;
  static evaluator adopt(simdetr_evaluator_t *raw) { return evaluator(raw); }
  static result<evaluator> create(bool class_agnostic = false) {
    auto options = detail::defaults(simdetr_evaluator_options_init);
    options.class_agnostic = class_agnostic ? 1 : 0;
    return detail::made<evaluator, simdetr_evaluator_t>([&](auto **out, auto *error) {
      return simdetr_evaluator_create(&options, out, error);
    });
  }
  static simdetr_evaluator_options_t options() noexcept {
    return detail::defaults(simdetr_evaluator_options_init);
  }
  static result<evaluator> create(const simdetr_evaluator_options_t &options) {
    return detail::made<evaluator, simdetr_evaluator_t>([&](auto **out, auto *error) {
      return simdetr_evaluator_create(&options, out, error);
    });
  }
  // `scores` are the detections'; `areas` and `crowds` are the objects', empty for those of their
  // boxes and for none.
  result<simdetr_evaluation_t> evaluate(const box_arrays &objects, const box_arrays &detections,
                                        span<const float> scores, span<const double> areas = {},
                                        span<const std::uint8_t> crowds = {},
                                        const run *control = nullptr) const {
    bool fits = is_whole(objects) && is_whole(detections) &&
                scores.size() == detections.image_ids.size() &&
                is_one_each(areas, objects) && is_one_each(crowds, objects);
    if (!fits) return error(SIMDETR_ERROR_SHAPE, "arrays of one side differ in length");
    auto figures = detail::sized<simdetr_evaluation_t>();
    error failure;
    if (simdetr_evaluator_evaluate_f32(
            get(), objects.image_ids.data(), given(objects.category_ids), objects.boxes.data(),
            given(areas), given(crowds), objects.image_ids.size(), detections.image_ids.data(),
            given(detections.category_ids), detections.boxes.data(), scores.data(),
            scores.size(), detail::raw(control), &figures, failure.out()) != SIMDETR_OK) {
      return failure;
    }
    return figures;
  }
  result<std::uint64_t> memory_bytes() const {
    return detail::answer<std::uint64_t>(
        [&](auto *out, auto *error) { return simdetr_evaluator_memory_bytes(get(), out, error); });
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

  template <class T>
  static const T *given(span<const T> values) noexcept {
    return values.empty() ? nullptr : values.data();
  }
  template <class T>
  static bool is_one_each(span<const T> values, const box_arrays &of) noexcept {
    return values.empty() || values.size() == of.image_ids.size();
  }
  static bool is_whole(const box_arrays &arrays) noexcept {
    return arrays.boxes.size() == arrays.image_ids.size() * 4 &&
           is_one_each(arrays.category_ids, arrays);
  }
};

}  // namespace simdetr

#endif  // SIMDETR_DATASET_HPP
