// The C++17 form of what trains a detector of the host's own: matcher and criterion.
#ifndef SIMDETR_TRAIN_HPP
#define SIMDETR_TRAIN_HPP

#include "simdetr/simdetr.hpp"

namespace simdetr {

// The outputs of every decoder layer; boxes are center x, center y, width, height as shares of the
// image.
struct predictions {
  span<const float> logits;  // [layers, batch, queries, classes]
  span<const float> boxes;   // [layers, batch, queries, 4]
  std::size_t layers = 0;
  std::size_t batch = 0;
  std::size_t queries = 0;
  std::size_t classes = 0;
};

// What the images of a batch hold, image by image.
struct targets {
  span<const std::uint32_t> counts;  // [batch]
  span<const std::int64_t> classes;  // [sum of counts]
  span<const float> boxes;           // [sum of counts, 4]
  span<const float> scores = {};     // [sum of counts]: how sure each label is; empty is 1 for all
  std::int32_t box_policy = SIMDETR_BOX_POLICY_ERROR;  // what is done with boxes that are none
};

namespace detail {
inline result<void> check_length(const char *name, std::size_t got, std::size_t expected) {
  if (got == expected) return {};
  std::string text = std::string(name) + ": expected " + std::to_string(expected) + " values, got " +
                     std::to_string(got);
  return error(SIMDETR_ERROR_SHAPE, text.c_str());
}

// Keeps the library from reading past the end of a span.
inline result<void> check_lengths(const targets &wanted) {
  std::size_t count = wanted.classes.size();
  if (auto bad = check_length("target boxes", wanted.boxes.size(), count * 4); !bad) return bad;
  if (wanted.scores.empty()) return {};
  return check_length("target scores", wanted.scores.size(), count);
}

inline result<void> check_lengths(const predictions &given, const targets &wanted) {
  std::size_t rows = given.layers * given.batch * given.queries;
  if (auto bad = check_length("logits", given.logits.size(), rows * given.classes); !bad) return bad;
  if (auto bad = check_length("boxes", given.boxes.size(), rows * 4); !bad) return bad;
  return check_lengths(wanted);
}

inline simdetr_targets_t raw(const targets &wanted) noexcept {
  auto out = defaults(simdetr_targets_init);
  out.counts = wanted.counts.data();
  out.images_count = wanted.counts.size();
  out.classes = wanted.classes.data();
  out.boxes = wanted.boxes.data();
  out.targets_count = wanted.classes.size();
  out.box_policy = wanted.box_policy;
  out.scores = wanted.scores.empty() ? nullptr : wanted.scores.data();
  return out;
}
}  // namespace detail

// Which query answers for which target; matching needs exclusion.
class matcher : public handle<simdetr_matcher_t, simdetr_matcher_destroy> {
 public:
  using handle::handle;
  static matcher adopt(simdetr_matcher_t *raw) { return matcher(raw); }
  static simdetr_matcher_options_t options() noexcept {
    return detail::defaults(simdetr_matcher_options_init);
  }
  static result<matcher> create(const simdetr_matcher_options_t &options) {
    return detail::made<matcher, simdetr_matcher_t>([&](auto **out, auto *error) {
      return simdetr_matcher_create(&options, out, error);
    });
  }
  // The query of each target, layer by layer; -1 where there are more targets than queries.
  result<std::vector<std::int32_t>> match(const predictions &given, const targets &wanted,
                                          const run *control = nullptr) {
    if (auto bad = detail::check_lengths(given, wanted); !bad) return bad.failure();
    std::vector<std::int32_t> queries(given.layers * wanted.classes.size());
    simdetr_targets_t raw = detail::raw(wanted);
    error failure;
    if (simdetr_matcher_match_f32(get(), given.logits.data(), given.boxes.data(), given.layers,
                                  given.batch, given.queries, given.classes, &raw,
                                  detail::raw(control), queries.data(), nullptr,
                                  failure.out()) != SIMDETR_OK) {
      return failure;
    }
    return queries;
  }
  // The column of each row of each problem `[problems, rows, columns]`, or -1.
  result<std::vector<std::int32_t>> assign(span<const float> costs, std::size_t problems,
                                           std::size_t rows, std::size_t columns,
                                           const run *control = nullptr) const {
    if (auto bad = detail::check_length("costs", costs.size(), problems * rows * columns); !bad) {
      return bad.failure();
    }
    std::vector<std::int32_t> partners(problems * rows);
    error failure;
    if (simdetr_matcher_assign_f32(get(), costs.data(), problems, rows, columns,
                                   detail::raw(control), partners.data(),
                                   failure.out()) != SIMDETR_OK) {
      return failure;
    }
    return partners;
  }
  // Tensors: logits [layers, batch, queries, classes], boxes [layers, batch, queries, 4], i32 queries
  // [layers, targets]. Answers how many found none.
  result<std::uint64_t> match(const DLTensor &logits, const DLTensor &boxes, const targets &wanted,
                              const DLTensor &queries, const run *control = nullptr) {
    if (auto bad = detail::check_lengths(wanted); !bad) return bad.failure();
    simdetr_targets_t raw = detail::raw(wanted);
    return detail::answer<std::uint64_t>([&](auto *unmatched, auto *error) {
      return simdetr_matcher_match(get(), &logits, &boxes, &raw, detail::raw(control), &queries,
                                   unmatched, error);
    });
  }
  // f32 costs [problems, rows, columns] into i32 [problems, rows].
  result<void> assign(const DLTensor &costs, const DLTensor &columns,
                      const run *control = nullptr) const {
    return detail::done([&](auto *error) {
      return simdetr_matcher_assign(get(), &costs, detail::raw(control), &columns, error);
    });
  }
  result<std::uint64_t> memory_bytes() const {
    return detail::answer<std::uint64_t>(
        [&](auto *out, auto *error) { return simdetr_matcher_memory_bytes(get(), out, error); });
  }

 private:
  explicit matcher(simdetr_matcher_t *raw) : handle(raw) {}
};

// Losses of every layer, and gradients written into the host's memory; evaluating needs exclusion.
class criterion : public handle<simdetr_criterion_t, simdetr_criterion_destroy> {
 public:
  using handle::handle;
  static criterion adopt(simdetr_criterion_t *raw) { return criterion(raw); }
  static simdetr_criterion_options_t options() noexcept {
    return detail::defaults(simdetr_criterion_options_init);
  }
  static result<criterion> create(const simdetr_criterion_options_t &options) {
    return detail::made<criterion, simdetr_criterion_t>([&](auto **out, auto *error) {
      return simdetr_criterion_create(&options, out, error);
    });
  }
  // The gradients are as long as what they belong to; `boxes_count` 0 is the number of targets, or the
  // sum of their scores where these are weights.
  result<simdetr_losses_t> evaluate(const predictions &given, const targets &wanted,
                                    span<float> logits_gradient, span<float> boxes_gradient,
                                    float boxes_count = 0, const run *control = nullptr) {
    if (auto bad = detail::check_lengths(given, wanted); !bad) return bad.failure();
    if (auto bad = detail::check_length("logits_gradient", logits_gradient.size(),
                                        given.logits.size());
        !bad) {
      return bad.failure();
    }
    if (auto bad =
            detail::check_length("boxes_gradient", boxes_gradient.size(), given.boxes.size());
        !bad) {
      return bad.failure();
    }
    simdetr_targets_t raw = detail::raw(wanted);
    auto losses = detail::sized<simdetr_losses_t>();
    error failure;
    if (simdetr_criterion_evaluate_f32(get(), given.logits.data(), given.boxes.data(), given.layers,
                                       given.batch, given.queries, given.classes, &raw, boxes_count,
                                       detail::raw(control), logits_gradient.data(),
                                       boxes_gradient.data(), &losses,
                                       failure.out()) != SIMDETR_OK) {
      return failure;
    }
    return losses;
  }
  // The same on tensors; the gradients are as what they belong to, in other memory.
  result<simdetr_losses_t> evaluate(const DLTensor &logits, const DLTensor &boxes,
                                    const targets &wanted, const DLTensor &logits_gradient,
                                    const DLTensor &boxes_gradient, float boxes_count = 0,
                                    const run *control = nullptr) {
    if (auto bad = detail::check_lengths(wanted); !bad) return bad.failure();
    simdetr_targets_t raw = detail::raw(wanted);
    auto losses = detail::sized<simdetr_losses_t>();
    error failure;
    if (simdetr_criterion_evaluate(get(), &logits, &boxes, &raw, boxes_count, detail::raw(control),
                                   &logits_gradient, &boxes_gradient, &losses,
                                   failure.out()) != SIMDETR_OK) {
      return failure;
    }
    return losses;
  }
  // Class, L1 and GIoU loss and accuracy of each layer of the last evaluation.
  result<std::vector<double>> layer_losses() const {
    error failure;
    std::size_t layers = 0;
    if (simdetr_criterion_layer_losses(get(), nullptr, 0, &layers, failure.out()) != SIMDETR_OK) {
      return failure;
    }
    std::vector<double> found(layers * SIMDETR_LAYER_LOSSES_COUNT);
    if (simdetr_criterion_layer_losses(get(), found.data(), layers, &layers, failure.out()) !=
        SIMDETR_OK) {
      return failure;
    }
    return found;
  }
  // The query of each target, layer by layer, in the last evaluation; -1 for none.
  result<std::vector<std::int32_t>> matches() const {
    std::vector<std::int32_t> found;
    error failure;
    auto call = [&](auto *out, std::size_t capacity, std::size_t *count) {
      return simdetr_criterion_matches(get(), out, capacity, count, failure.out());
    };
    if (detail::filled(found, call) != SIMDETR_OK) return failure;
    return found;
  }
  result<std::uint64_t> memory_bytes() const {
    return detail::answer<std::uint64_t>(
        [&](auto *out, auto *error) { return simdetr_criterion_memory_bytes(get(), out, error); });
  }

 private:
  explicit criterion(simdetr_criterion_t *raw) : handle(raw) {}
};

}  // namespace simdetr

#endif  // SIMDETR_TRAIN_HPP
