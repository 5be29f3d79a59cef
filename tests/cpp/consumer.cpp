// The C++ binding from a program's side: results, exceptions, callbacks that throw, moving handles.
#include <simdetr/feature_maps.hpp>
#include <simdetr/detect.hpp>
#include <simdetr/simdetr.hpp>
#include <simdetr/train.hpp>

#include <array>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <vector>

simdetr::span<const float> tail(simdetr::span<const float> values);

static void expect(bool holds, int line) {
  if (!holds) {
    std::fprintf(stderr, "consumer.cpp:%d\n", line);
    std::exit(1);
  }
}
#define EXPECT(condition) expect(condition, __LINE__)

static simdetr::result<simdetr::encoder> colours(bool throws) {
  static const std::array<simdetr::map_description, 2> maps{{{6, 32}, {6, 16}}};
  return simdetr::encoder::from_function(
      "colours", maps, [throws](const simdetr_image_t &image, simdetr::span<const simdetr_map_t> out) {
        if (throws) throw std::runtime_error("no");
        for (const simdetr_map_t &map : out) {
          std::size_t side = image.height / map.height;
          for (std::size_t y = 0; y < map.height; y++) {
            for (std::size_t x = 0; x < map.width; x++) {
              const std::uint8_t *pixel =
                  image.data + y * side * static_cast<std::size_t>(image.row_stride_bytes) + x * side * 3;
              for (std::size_t c = 0; c < map.channels; c++) {
                map.values[(y * map.width + x) * map.channels + c] =
                    static_cast<float>(pixel[c % 3]) + static_cast<float>((x * 5 + y * 3 + c) % 4) * 0.1F;
              }
            }
          }
        }
        return 0;
      },
      throws ? simdetr::callback_threads::any : simdetr::callback_threads::caller);
}

static simdetr::extractor extractor_of(const simdetr::encoder &encoder) {
  auto options = simdetr::extractor::options();
  options.threads = 1;
  options.image_short_side = 160;
  options.image_long_side_max = 320;
  return simdetr::extractor::create(encoder, options).value();
}

// Out through the maps and in again.
static void maps_of(const simdetr_image_t &image, const simdetr::proposals &whole) {
  simdetr::encoder encoder = colours(false).value();
  auto maps = simdetr::feature_maps::create().value();
  EXPECT(maps.maps()->empty() && !maps.geometry().ok());
  auto options = simdetr::encode_options();
  options.threads = 1;
  options.image_short_side = 160;
  options.image_long_side_max = 320;
  simdetr::encode(encoder, image, maps, options).value();
  auto found = maps.maps().value();
  EXPECT(found.size() == 2 && found[0].stride == 32 && found[1].stride == 16 && found[0].channels == 6);
  EXPECT(maps.geometry()->original_width == 96 && maps.geometry()->resized_height == found[0].height * 32);
  auto again = simdetr::proposals::create().value();
  simdetr::extract(extractor_of(encoder), maps, 1, again).value();
  auto one = whole.view().value(), other = again.view().value();
  EXPECT(one.count == other.count && std::memcmp(one.boxes, other.boxes, one.count * 16) == 0);
  DLManagedTensorVersioned *tensor = maps.export_tensor(1).value();
  EXPECT(tensor->dl_tensor.ndim == 3 && tensor->dl_tensor.shape[2] == 6);
  tensor->deleter(tensor);
  const std::array<std::uint8_t, 4> noise{1, 2, 3, 4};
  EXPECT(simdetr::encode(encoder, noise, maps).failure().status() == SIMDETR_ERROR_IMAGE_DECODE);
  EXPECT(maps.maps()->size() == 2);
}

static void train() {
  auto options = simdetr::matcher::options();
  options.threads = 1;
  auto matcher = simdetr::matcher::create(options).value();
  const std::array<float, 4> costs{4, 1, 2, 0};
  EXPECT(matcher.assign(costs, 1, 2, 2).value() == (std::vector<std::int32_t>{1, 0}));
  EXPECT(matcher.assign(costs, 1, 2, 3).failure().status() == SIMDETR_ERROR_SHAPE);

  const std::array<float, 4> logits{-3, -3, -3, 3};
  const std::array<float, 8> boxes{0.5F, 0.5F, 0.5F, 0.5F, 0.25F, 0.25F, 0.25F, 0.25F};
  const std::array<float, 4> wanted_box{0.25F, 0.25F, 0.25F, 0.25F};
  const std::array<std::uint32_t, 1> counts{1};
  const std::array<std::int64_t, 1> classes{1};
  const simdetr::predictions given{logits, boxes, 1, 1, 2, 2};
  const simdetr::targets wanted{counts, classes, wanted_box};
  EXPECT(matcher.match(given, wanted).value() == std::vector<std::int32_t>{1});
  auto criterion = simdetr::criterion::create(simdetr::criterion::options()).value();
  std::array<float, 4> logits_gradient{};
  std::array<float, 8> boxes_gradient{};
  auto losses = criterion.evaluate(given, wanted, logits_gradient, boxes_gradient).value();
  EXPECT(losses.total > 0 && losses.pairs_count == 1 && losses.accuracy == 1);
  EXPECT(logits_gradient[3] < 0 && logits_gradient[0] > 0);
  auto scored = simdetr::criterion::options();
  scored.label_score = SIMDETR_LABEL_SCORE_SOFT_TARGET;
  scored.class_target = SIMDETR_CLASS_TARGET_IOU;
  auto soft = simdetr::criterion::create(scored).value();
  const std::array<float, 2> scores{0.5F, 0.5F};
  const simdetr::targets unsure{counts, classes, wanted_box, simdetr::span<const float>(scores.data(), 1)};
  EXPECT(soft.evaluate(given, unsure, logits_gradient, boxes_gradient).ok() && logits_gradient[3] > 0);
  const simdetr::targets uneven{counts, classes, wanted_box, scores};
  EXPECT(soft.evaluate(given, uneven, logits_gradient, boxes_gradient).failure().status() == SIMDETR_ERROR_SHAPE);
  auto short_span = simdetr::span<float>(logits_gradient.data(), 3);
  EXPECT(!criterion.evaluate(given, wanted, short_span, boxes_gradient).ok());
}

static void detect(const simdetr_image_t &image) {
  auto options = simdetr::detector::options();
  options.threads = 1;
  options.preset = "tiny";
  options.config = "[detector]\nqueries_count = 9\nclasses_count = 4\n";
  auto untrained = simdetr::detector::untrained(1, options).value();
  untrained.save("detector.safetensors", SIMDETR_NAMING_HUGGING_FACE).value();
  auto detector = simdetr::detector::open("detector.safetensors").value();
  EXPECT(detector.describe()->classes_count == 4 && detector.memory_bytes().value() > 0);
  EXPECT(detector.category_of(3)->id == 3 && detector.category_of(3)->name.empty());
  EXPECT(detector.category_of(4).failure().status() == SIMDETR_ERROR_INVALID_ARGUMENT);
  auto found = simdetr::detections::create().value();
  auto wanted = simdetr::detector::prediction_options();
  wanted.detections_max = 6;
  const std::array<simdetr_image_t, 2> images{image, image};
  detector.predict(images, found, wanted).value();
  auto view = found.view().value();
  EXPECT(view.images_count == 2 && view.count == 12 && view.image_offsets[1] == 6);
  DLManagedTensorVersioned *scores = found.export_tensor(SIMDETR_DETECTIONS_SCORES).value();
  EXPECT(scores->dl_tensor.shape[0] == 12);
  scores->deleter(scores);
  const std::vector<std::uint8_t> nothing{1, 2, 3};
  EXPECT(detector.predict(nothing, found).failure().status() == SIMDETR_ERROR_IMAGE_DECODE);
  EXPECT(detector.predict({std::string("absent.png")}, found).failure().status() == SIMDETR_ERROR_IO);
  EXPECT(simdetr::detector::open(nothing).failure().status() == SIMDETR_ERROR_FORMAT);
  detector.export_onnx("detector.onnx").value();
  detector.save_backbone("backbone.safetensors").value();
}

int main() {
  EXPECT(simdetr::check_abi().ok());
  std::vector<std::uint8_t> pixels(96 * 64 * 3);
  for (std::size_t i = 0; i < pixels.size(); i++) {
    pixels[i] = static_cast<std::uint8_t>((i / 3 % 96 < 48) == (i / 288 < 32) ? 200 : 30 + i % 3 * 40);
  }
  auto image = simdetr::detail::sized<simdetr_image_t>();
  image.data = pixels.data();
  image.width = 96;
  image.height = 64;

  auto proposals = simdetr::proposals::create().value();
  {
    simdetr::extractor extractor = extractor_of(colours(false).value());
    extractor.extract(image, 1, proposals).value();
    auto view = proposals.view().value();
    EXPECT(view.count > 0 && view.dimensions == 6);
    maps_of(image, proposals);
    simdetr::extractor moved = std::move(extractor);
    EXPECT(!extractor && moved);
    auto failed = moved.extract(simdetr::span<const std::uint8_t>(pixels), 1, proposals);
    EXPECT(failed.failure().status() == SIMDETR_ERROR_IMAGE_DECODE);
    auto token = simdetr::cancel_token::create().value();
    EXPECT(token.cancel().ok());
    simdetr::run run;
    run.stop_with(token);
    EXPECT(moved.extract(image, 1, proposals, &run).failure().status() == SIMDETR_ERROR_CANCELLED);
    bool caught = false;
    try {
      moved.extract_folder("absent", "store").value();
    } catch (const simdetr::error &failure) {
      caught = failure.status() == SIMDETR_ERROR_IO && failure.what()[0] != 0;
    }
    EXPECT(caught);
  }
  simdetr::extractor throwing = extractor_of(colours(true).value());
  EXPECT(throwing.extract(image, 1, proposals).failure().status() == simdetr::callback_threw);

  DLManagedTensorVersioned *boxes = proposals.export_tensor(SIMDETR_FIELD_BOXES).value();
  EXPECT(boxes->dl_tensor.ndim == 2);
  boxes->deleter(boxes);

  auto store = simdetr::proposal_store::create("store-cpp", 6).value();
  store.append("a/b.png", 96, 64, proposals).value();
  store.finish().value();
  EXPECT(store.counts()->images_count == 1 && *store.image_path(0) == "a/b.png");
  auto again = simdetr::proposals::create().value();
  EXPECT(store.read(0, again)->width == 96);

  auto clusterer = simdetr::clusterer::create(2).value();
  clusterer.fit(store).value();
  clusterer.save("clusters.safetensors").value();
  store.export_coco(clusterer, "T0.json").value();
  auto figures = simdetr::evaluator::create(true)->evaluate_files("T0.json", "T0.json").value();
  EXPECT(figures.average_precision > 0.99);

  simdetr::run watched;
  watched.report_to([](std::string_view, std::uint64_t, std::uint64_t) -> int { throw 7; });
  EXPECT(clusterer.fit(store, &watched).failure().status() == simdetr::callback_threw);
  bool rethrown = false;
  try {
    watched.rethrow();
  } catch (int number) {
    rethrown = number == 7;
  }
  EXPECT(rethrown);

  std::vector<float> values{1.0F, 2.0F, 3.0F};
  EXPECT(tail(values)[0] == 2.0F);
  train();
  detect(image);
  return 0;
}
