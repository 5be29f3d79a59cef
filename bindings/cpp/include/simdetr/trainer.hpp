// The C++17 form of the trainer: Algorithm 1 with the built-in detector or with one of the host's.
#ifndef SIMDETR_TRAINER_HPP
#define SIMDETR_TRAINER_HPP

#include "simdetr/train.hpp"

namespace simdetr {

// Boxes that a detector of the host found in one image.
struct found_boxes {
  std::vector<float> boxes;  // [count, 4]: x0, y0, x1, y1 in pixels
  std::vector<std::int64_t> classes;
  std::vector<float> scores;
};

// A detector of the host, to be derived from. Every function answers 0, or a negative number that
// becomes the status of the trainer's call; an exception stops the call too and comes back from
// trainer::rethrow(). The functions are called one at a time, by the thread that calls the trainer,
// and say what the callbacks of the same names in simdetr.h say.
class host_detector {
 public:
  host_detector() = default;
  host_detector(const host_detector &) = delete;
  host_detector &operator=(const host_detector &) = delete;
  virtual ~host_detector() = default;

  // Stands in checkpoints: those of a detector of another name are refused.
  virtual std::string name() const = 0;
  virtual int start_stage(const simdetr_detector_start_t &start) = 0;
  // Fills in everything but `batch`; the spans are of memory that the detector keeps until the next
  // forward() or backward() has returned.
  virtual int forward(const simdetr_detector_batch_t &images, predictions &outputs) = 0;
  // Part 0 of a step begins a new sum of gradients.
  virtual int backward(span<const float> logits_gradient, span<const float> boxes_gradient,
                       std::uint32_t part) = 0;
  virtual int step(simdetr_detector_update_t &update) = 0;
  virtual int save(const std::string &path) = 0;
  virtual int load(const std::string &path) = 0;

  // True: labels come from predict(). False: from the last layer of forward().
  virtual bool predicts() const { return false; }
  virtual int predict(const simdetr_image_t &image, std::size_t capacity, found_boxes &found) {
    (void)image, (void)capacity, (void)found;
    return 0;
  }
};

namespace detail {
// What the library holds of a detector of the host.
struct kept_detector {
  std::shared_ptr<host_detector> detector;
  std::exception_ptr thrown;

  template <class Call>
  static std::int32_t guarded(void *raw, Call &&call) noexcept {
    auto &kept = **static_cast<std::shared_ptr<kept_detector> *>(raw);
#if SIMDETR_HAS_EXCEPTIONS
    try {
      return call(*kept.detector);
    } catch (...) {
      kept.thrown = std::current_exception();
      return callback_threw;
    }
#else
    return call(*kept.detector);
#endif
  }

  static std::int32_t start(void *raw, const simdetr_detector_start_t *start) noexcept {
    return guarded(raw, [&](host_detector &own) { return own.start_stage(*start); });
  }
  static std::int32_t forward(void *raw, const simdetr_detector_batch_t *batch,
                              simdetr_detector_outputs_t *outputs) noexcept {
    return guarded(raw, [&](host_detector &own) -> std::int32_t {
      predictions found;
      found.batch = batch->images_count;
      if (int status = own.forward(*batch, found); status != 0) return status;
      std::size_t rows = found.layers * batch->images_count * found.queries;
      if (found.logits.size() != rows * found.classes || found.boxes.size() != rows * 4) {
        return SIMDETR_ERROR_SHAPE;
      }
      outputs->logits = found.logits.data();
      outputs->boxes = found.boxes.data();
      outputs->layers = found.layers;
      outputs->queries = found.queries;
      outputs->classes = found.classes;
      return 0;
    });
  }
  static std::int32_t backward(void *raw, const simdetr_detector_gradients_t *given) noexcept {
    return guarded(raw, [&](host_detector &own) {
      return own.backward({given->logits, given->logits_count}, {given->boxes, given->boxes_count},
                          given->part);
    });
  }
  static std::int32_t step(void *raw, simdetr_detector_update_t *update) noexcept {
    return guarded(raw, [&](host_detector &own) { return own.step(*update); });
  }
  static std::int32_t predict(void *raw, const simdetr_image_t *image, float *boxes,
                              std::int64_t *classes, float *scores, std::size_t capacity,
                              std::size_t *count) noexcept {
    return guarded(raw, [&](host_detector &own) -> std::int32_t {
      found_boxes found;
      if (int status = own.predict(*image, capacity, found); status != 0) return status;
      std::size_t total = found.scores.size();
      if (found.classes.size() != total || found.boxes.size() != total * 4 || total > capacity) {
        return SIMDETR_ERROR_SHAPE;
      }
      for (std::size_t i = 0; i < total * 4; i++) boxes[i] = found.boxes[i];
      for (std::size_t i = 0; i < total; i++) classes[i] = found.classes[i];
      for (std::size_t i = 0; i < total; i++) scores[i] = found.scores[i];
      *count = total;
      return 0;
    });
  }
  static std::int32_t save(void *raw, const char *path) noexcept {
    return guarded(raw, [&](host_detector &own) { return own.save(path); });
  }
  static std::int32_t load(void *raw, const char *path) noexcept {
    return guarded(raw, [&](host_detector &own) { return own.load(path); });
  }
  static void end(void *raw) noexcept { delete static_cast<std::shared_ptr<kept_detector> *>(raw); }
};
}  // namespace detail

// Algorithm 1; one thread at a time. A call that was stopped goes on with the next one.
class trainer : public handle<simdetr_trainer_t, simdetr_trainer_destroy> {
 public:
  using handle::handle;
  static trainer adopt(simdetr_trainer_t *raw) { return trainer(raw); }
  static simdetr_trainer_options_t options() noexcept {
    return detail::defaults(simdetr_trainer_options_init);
  }
  // With the built-in detector.
  static result<trainer> create(const simdetr_trainer_options_t &options) {
    return detail::made<trainer, simdetr_trainer_t>([&](auto **out, auto *error) {
      return simdetr_trainer_create(&options, out, error);
    });
  }
  // With a detector of the host, which lives as long as the trainer.
  static result<trainer> create(const simdetr_trainer_options_t &options,
                                std::shared_ptr<host_detector> detector) {
    using kept_detector = detail::kept_detector;
    if (!detector) return error(SIMDETR_ERROR_NULL_POINTER, "detector: must not be null");
    const std::string name = detector->name();
    auto callbacks = detail::defaults(simdetr_detector_callbacks_init);
    callbacks.name = name.c_str();
    callbacks.start_stage = &kept_detector::start;
    callbacks.forward = &kept_detector::forward;
    callbacks.backward = &kept_detector::backward;
    callbacks.step = &kept_detector::step;
    callbacks.predict = detector->predicts() ? &kept_detector::predict : nullptr;
    callbacks.save = &kept_detector::save;
    callbacks.load = &kept_detector::load;
    auto kept = std::make_shared<kept_detector>();
    kept->detector = std::move(detector);
    callbacks.user_data = new std::shared_ptr<kept_detector>(kept);
    callbacks.user_data_destroy = &kept_detector::end;
    auto made = detail::made<trainer, simdetr_trainer_t>([&](auto **out, auto *error) {
      return simdetr_trainer_create_from_callbacks(&callbacks, &options, out, error);
    });
    if (made) made->kept_ = std::move(kept);
    return made;
  }

  // The whole of Algorithm 1; answers the labels of every stage, T_0 first. `ground_truth` may be
  // empty: recalls are then -1.
  result<std::vector<simdetr_labels_t>> pretrain(const std::string &images,
                                                 const std::string &run_folder,
                                                 const std::string &ground_truth = {},
                                                 const run *control = nullptr) {
    const char *truth = ground_truth.empty() ? nullptr : ground_truth.c_str();
    error failure;
    std::size_t count = 0;
    if (simdetr_trainer_pretrain(get(), images.c_str(), run_folder.c_str(), truth,
                                 detail::raw(control), failure.out()) != SIMDETR_OK ||
        simdetr_trainer_labels_count(get(), &count, failure.out()) != SIMDETR_OK) {
      return failure;
    }
    std::vector<simdetr_labels_t> labels(count, detail::sized<simdetr_labels_t>());
    for (std::size_t stage = 0; stage < count; stage++) {
      if (simdetr_trainer_labels(get(), static_cast<std::uint32_t>(stage), &labels[stage],
                                 failure.out()) != SIMDETR_OK) {
        return failure;
      }
    }
    return labels;
  }

  // Images that later calls of pretrain() measure on and do not train on; two empty names for none.
  result<void> set_validation(const std::string &images, const std::string &annotations) {
    return detail::done([&](auto *error) {
      return simdetr_trainer_set_validation(get(), images.empty() ? nullptr : images.c_str(),
                                            annotations.empty() ? nullptr : annotations.c_str(),
                                            error);
    });
  }

  // What the last pretrain() measured, held-out images first; empty where it had no true boxes.
  result<std::vector<simdetr_measured_t>> measured() const {
    error failure;
    std::size_t count = 0;
    if (simdetr_trainer_measured_count(get(), &count, failure.out()) != SIMDETR_OK) return failure;
    std::vector<simdetr_measured_t> rows(count, detail::sized<simdetr_measured_t>());
    for (std::size_t index = 0; index < count; index++) {
      if (simdetr_trainer_measured(get(), index, &rows[index], failure.out()) != SIMDETR_OK) {
        return failure;
      }
    }
    return rows;
  }

  // One stage of training on a COCO data set.
  result<simdetr_stage_report_t> train(const std::string &run_folder, std::uint32_t stage,
                                       const std::string &annotations, const std::string &images,
                                       const run *control = nullptr) {
    auto report = detail::sized<simdetr_stage_report_t>();
    error failure;
    if (simdetr_trainer_train(get(), run_folder.c_str(), stage, annotations.c_str(), images.c_str(),
                              detail::raw(control), &report, failure.out()) != SIMDETR_OK) {
      return failure;
    }
    return report;
  }

  // Labels of a stage's detector for every image of a COCO data set, as a new one at `out`.
  result<simdetr_relabel_report_t> relabel(const std::string &run_folder, std::uint32_t stage,
                                           const std::string &annotations,
                                           const std::string &images, const std::string &out,
                                           const run *control = nullptr) {
    auto report = detail::sized<simdetr_relabel_report_t>();
    error failure;
    if (simdetr_trainer_relabel(get(), run_folder.c_str(), stage, annotations.c_str(),
                                images.c_str(), out.c_str(), detail::raw(control), &report,
                                failure.out()) != SIMDETR_OK) {
      return failure;
    }
    return report;
  }

  // Begins a loop of the program's own: a detector at the start of a run.
  result<void> begin(std::size_t classes_count, std::uint64_t steps_count) {
    return detail::done([&](auto *error) {
      return simdetr_trainer_begin(get(), classes_count, steps_count, error);
    });
  }

  // One step of that loop. `sizes` is [images, 2], or empty where no image is padded.
  result<simdetr_step_report_t> step(const DLTensor &images, span<const std::uint32_t> sizes,
                                     const targets &wanted, const run *control = nullptr) {
    std::size_t expected = images.ndim > 0 ? static_cast<std::size_t>(images.shape[0]) * 2 : 0;
    if (!sizes.empty()) {
      if (auto bad = detail::check_length("sizes", sizes.size(), expected); !bad) {
        return bad.failure();
      }
    }
    if (auto bad = detail::check_lengths(wanted); !bad) return bad.failure();
    simdetr_targets_t raw = detail::raw(wanted);
    auto report = detail::sized<simdetr_step_report_t>();
    error failure;
    if (simdetr_trainer_step(get(), &images, sizes.empty() ? nullptr : sizes.data(), &raw,
                             detail::raw(control), &report, failure.out()) != SIMDETR_OK) {
      return failure;
    }
    return report;
  }

  // Writes the detector of that loop as `stem` with an ending of its own.
  result<void> write_detector(const std::string &stem) {
    return detail::done([&](auto *error) {
      return simdetr_trainer_write_detector(get(), stem.c_str(), error);
    });
  }

  result<std::uint64_t> memory_bytes() const {
    return detail::answer<std::uint64_t>([&](auto *out, auto *error) {
      return simdetr_trainer_memory_bytes(get(), out, error);
    });
  }

  // Throws what the host's detector threw in a call that answered `callback_threw`.
  void rethrow() {
#if SIMDETR_HAS_EXCEPTIONS
    if (kept_ && kept_->thrown) std::rethrow_exception(std::exchange(kept_->thrown, nullptr));
#endif
  }

 private:
  explicit trainer(simdetr_trainer_t *raw) : handle(raw) {}

  std::shared_ptr<detail::kept_detector> kept_;
};

}  // namespace simdetr

#endif  // SIMDETR_TRAINER_HPP
