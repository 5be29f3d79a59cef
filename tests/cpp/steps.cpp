// The C++ binding of what hosts do step by step and with arrays of their own.
#include <simdetr/detect.hpp>
#include <simdetr/feature_maps.hpp>
#include <simdetr/train.hpp>

#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>

static void expect(bool holds, int line) {
  if (!holds) {
    std::fprintf(stderr, "steps.cpp:%d\n", line);
    std::exit(1);
  }
}
#define EXPECT(condition) expect(condition, __LINE__)

// A dense tensor over numbers of the caller's; `shape` must live as long.
template <class T, std::size_t N>
static DLTensor tensor(std::vector<T> &values, std::array<std::int64_t, N> &shape, DLDataTypeCode code) {
  DLTensor out{};
  out.data = values.data();
  out.device.device_type = kDLCPU;
  out.ndim = static_cast<std::int32_t>(N);
  out.dtype = {static_cast<std::uint8_t>(code), sizeof(T) * 8, 1};
  out.shape = shape.data();
  return out;
}

static std::vector<float> rows() {
  std::vector<float> all;
  for (int row = 0; row < 60; row++) {
    float angle = static_cast<float>(row % 3) + static_cast<float>(row) * 0.001F;
    all.insert(all.end(), {std::cos(angle), std::sin(angle)});
  }
  return all;
}

// A fit in steps, by two accumulators that are added up, has the bits of one that is not divided.
static void cluster_in_steps() {
  std::vector<float> all = rows();
  auto options = simdetr::clusterer::options();
  options.classes = 3;
  options.rounds = 1;
  options.threads = 1;
  auto whole = simdetr::clusterer::create(options).value(), steps = simdetr::clusterer::create(options).value();
  EXPECT(whole.fit(all, 2)->rounds_count == 1);
  steps.seed(all, 2).value();
  auto first = simdetr::accumulator::create(steps).value(), second = simdetr::accumulator::create(steps).value();
  steps.accumulate({all.data(), 40}, 2, first).value();
  steps.accumulate({all.data() + 40, 80}, 2, second).value();
  first.merge(second).value();
  EXPECT(first.values()->size() > 0 && steps.update(first)->empty_count == 0);
  EXPECT(steps.centroids()->first == whole.centroids()->first && steps.centroids()->second == 3);
  first.clear().value();
  for (std::int64_t sum : first.values().value()) EXPECT(sum == 0);
  EXPECT(steps.fit(all, 0).failure().status() == SIMDETR_ERROR_SHAPE);

  std::array<std::int64_t, 2> shape{60, 2};
  std::array<std::int64_t, 1> labels_shape{60};
  std::vector<std::int32_t> labels(60);
  whole.assign(tensor(all, shape, kDLFloat), tensor(labels, labels_shape, kDLInt)).value();
  auto plain = whole.assign(all, 2).value();
  for (std::size_t row = 0; row < 60; row++) EXPECT(labels[row] == static_cast<std::int32_t>(plain[row]));
  DLManagedTensorVersioned *out = whole.export_centroids().value();
  EXPECT(out->dl_tensor.shape[0] == 3);
  out->deleter(out);
  whole.save("steps.safetensors").value();
  EXPECT(simdetr::clusterer::load("steps.safetensors")->assign(all, 2).value() == plain);
  auto copied = simdetr::clusterer::create(options).value();
  copied.set_centroids(whole.centroids()->first, 2).value();
  EXPECT(copied.assign(all, 2).value() == plain && copied.memory_bytes().value() > 0);
  EXPECT(copied.fit(tensor(all, shape, kDLFloat)).ok());
}

static void proposals_of_the_caller() {
  const std::array<float, 8> boxes{0, 0, 10, 10, 20, 20, 60, 60};
  const std::array<float, 4> vectors{1, 0, 0, 1};
  auto set = simdetr::proposals::create().value();
  set.assign(boxes, {}, vectors, 2, 64, 64).value();
  EXPECT(set.copy(0, nullptr, nullptr, nullptr, nullptr).value() == 2);
  std::array<float, 8> found{};
  EXPECT(set.copy(2, found.data(), nullptr, nullptr, nullptr).value() == 2 && set.memory_bytes().value() > 0);
  EXPECT(!set.assign(boxes, vectors, vectors, 2, 64, 64).ok() && !set.mask(2).ok() && set.mask(0).ok());
  std::vector<float> scores(2);
  std::array<std::int64_t, 1> shape{2};
  set.copy_tensor(SIMDETR_FIELD_SCORES, tensor(scores, shape, kDLFloat)).value();
  DLManagedTensor *legacy = set.export_tensor_legacy(SIMDETR_FIELD_BOXES).value();
  EXPECT(legacy->dl_tensor.shape[1] == 4);
  legacy->deleter(legacy);

  auto options = simdetr::proposal_store::options();
  options.shard_images = 1;
  for (std::uint32_t part = 0; part < 2; part++) {
    options.first_image_id = part + 1;
    auto store = simdetr::proposal_store::create("part" + std::to_string(part), 2, options).value();
    store.append("image" + std::to_string(part) + ".png", 64, 64, set).value();
    store.finish().value();
    EXPECT(store.vectors(0, 2)->size() == 4 && store.memory_bytes().ok());
  }
  simdetr::proposal_store::merge({"part0", "part1"}, "all").value();
  auto all = simdetr::proposal_store::open("all").value();
  EXPECT(all.counts()->proposals_count == 4);
  auto clusterer = simdetr::clusterer::create(2).value();
  clusterer.seed(all).value();
  auto sums = simdetr::accumulator::create(clusterer).value();
  clusterer.accumulate(all, 0, 4, sums).value();
  EXPECT(clusterer.update(sums).ok() && clusterer.assign(all)->size() == 4);
}

static void evaluate_arrays() {
  const std::array<std::int64_t, 2> images{1, 2};
  const std::array<float, 8> boxes{0, 0, 40, 40, 10, 10, 50, 50};
  const std::array<float, 2> scores{0.9F, 0.8F};
  const simdetr::box_arrays both{images, {}, boxes};
  auto evaluator = simdetr::evaluator::create(simdetr::evaluator::options()).value();
  auto figures = evaluator.evaluate(both, both, scores).value();
  EXPECT(figures.average_precision > 0.999 && figures.objects_count == 2 && evaluator.memory_bytes().ok());
  EXPECT(evaluator.evaluate(both, both, {scores.data(), 1}).failure().status() == SIMDETR_ERROR_SHAPE);
}

static void losses_of_tensors() {
  std::vector<float> logits{-3, -3, -3, 3}, boxes{0.5F, 0.5F, 0.5F, 0.5F, 0.25F, 0.25F, 0.25F, 0.25F};
  std::vector<float> logits_gradient(4), boxes_gradient(8);
  std::vector<std::int32_t> queries(2);
  std::array<std::int64_t, 4> first{1, 1, 2, 2}, second{1, 1, 2, 4};
  std::array<std::int64_t, 2> answer{1, 2};
  const std::array<std::uint32_t, 1> counts{2};
  const std::array<std::int64_t, 2> classes{0, 1};
  const std::array<float, 8> wanted_boxes{1.5F, 0.5F, 0.2F, 0.2F, 0.25F, 0.25F, 0.25F, 0.25F};
  simdetr::targets wanted{counts, classes, wanted_boxes};
  auto matcher = simdetr::matcher::create(simdetr::matcher::options()).value();
  DLTensor a = tensor(logits, first, kDLFloat), b = tensor(boxes, second, kDLFloat);
  EXPECT(!matcher.match(a, b, wanted, tensor(queries, answer, kDLInt)).ok());
  wanted.box_policy = SIMDETR_BOX_POLICY_SKIP;
  EXPECT(matcher.match(a, b, wanted, tensor(queries, answer, kDLInt)).value() == 1);
  EXPECT(queries[0] == -1 && queries[1] == 1 && matcher.memory_bytes().value() > 0);
  auto criterion = simdetr::criterion::create(simdetr::criterion::options()).value();
  DLTensor c = tensor(logits_gradient, first, kDLFloat), d = tensor(boxes_gradient, second, kDLFloat);
  EXPECT(criterion.evaluate(a, b, wanted, c, d)->pairs_count == 1 && logits_gradient[3] < 0);
  EXPECT(criterion.matches().value() == (std::vector<std::int32_t>{-1, 1}));
  EXPECT(criterion.layer_losses()->size() == SIMDETR_LAYER_LOSSES_COUNT && criterion.memory_bytes().ok());
}

// Maps of the caller's as tensors and as one array, and several images at once.
static void extract_what_the_caller_has() {
  auto options = simdetr::extractor::options();
  auto local = simdetr::extractor::local_options();
  auto search = simdetr::extractor::selective_search_options();
  options.proposals = &local;
  options.selective_search = &search;
  options.method = SIMDETR_METHOD_SELECTIVE_SEARCH;
  options.threads = 1;
  auto source = simdetr::encoder::create(simdetr::encoder::options());
  if (!source) return;  // a build without the built-in weights
  EXPECT(source->maps()->size() == 2 && source->maps()->front().stride == 32);
  auto extractor = simdetr::extractor::create(source.value(), options).value();
  std::vector<std::uint8_t> pixels(96 * 64 * 3);
  for (std::size_t i = 0; i < pixels.size(); i++) pixels[i] = i / 3 % 96 < 48 ? 200 : 40;
  const std::array<simdetr_image_t, 2> images{simdetr::image(pixels.data(), 96, 64),
                                              simdetr::image(pixels.data(), 96, 64)};
  std::array<simdetr::proposals, 2> sets{simdetr::proposals::create().value(), simdetr::proposals::create().value()};
  extractor.extract(simdetr::span<const simdetr_image_t>(images), 1, simdetr::span<simdetr::proposals>(sets)).value();
  auto alone = simdetr::proposals::create().value();
  std::array<std::int64_t, 3> shape{64, 96, 3};
  extractor.extract(tensor(pixels, shape, kDLUInt), 1, alone).value();
  EXPECT(alone.view()->count == sets[0].view()->count && extractor.memory_bytes().ok());
  auto geometry = simdetr::image_geometry(64, 64);
  std::vector<float> values(2 * 2 * 3, 1.0F);
  const std::array<std::size_t, 3> sizes{2, 2, 3};
  const std::array<std::size_t, 1> strides{32};
  auto refused = extractor.extract(values, sizes, strides, geometry, alone);
  EXPECT(refused.failure().status() == SIMDETR_ERROR_INVALID_ARGUMENT);
}

int main() {
  int messages = 0;
  auto count = [](void *seen, std::int32_t, const char *, const char *, std::size_t) { ++*static_cast<int *>(seen); };
  simdetr::log_to(count, &messages, SIMDETR_LOG_DEBUG).value();
  EXPECT(!simdetr::proposal_store::open("absent").ok() && messages > 0);
  simdetr::log_to(nullptr).value();
  EXPECT(simdetr::version_number() == SIMDETR_VERSION && std::strcmp(simdetr::version(), SIMDETR_VERSION_STRING) == 0);
  cluster_in_steps();
  proposals_of_the_caller();
  evaluate_arrays();
  losses_of_tensors();
  extract_what_the_caller_has();
  return 0;
}
