// The trainer's C++ form: a detector of the host that throws, stops and predicts; refusals as results.
#include <simdetr/detect.hpp>
#include <simdetr/trainer.hpp>

#include <array>
#include <fstream>
#include <stdexcept>

#include "bitmap.h"

namespace {

// One query with parameters that never change.
class still : public simdetr::host_detector {
 public:
  bool throws = false;
  int steps = 0;

  std::string name() const override { return "still"; }
  int start_stage(const simdetr_detector_start_t &start) override {
    logits_.assign(start.classes_count, -2.0F);
    if (throws) throw std::runtime_error("not today");
    return 0;
  }
  int forward(const simdetr_detector_batch_t &images, simdetr::predictions &outputs) override {
    EXPECT(images.images_count == 1);
    outputs.logits = logits_;
    outputs.boxes = boxes_;
    outputs.layers = outputs.queries = 1;
    outputs.classes = logits_.size();
    return 0;
  }
  int backward(simdetr::span<const float> logits, simdetr::span<const float> boxes,
               std::uint32_t part) override {
    EXPECT(logits.size() == logits_.size() && boxes.size() == 4 && part == 0);
    return 0;
  }
  int step(simdetr_detector_update_t &update) override {
    EXPECT(update.loss > 0 && update.rate_factor == 1);
    return ++steps == 2 ? -6 : 0;
  }
  int save(const std::string &path) override { return std::ofstream(path) << "still" ? 0 : -1; }
  int load(const std::string &) override { return 0; }
  bool predicts() const override { return true; }
  int predict(const simdetr_image_t &image, std::size_t capacity,
              simdetr::found_boxes &found) override {
    EXPECT(capacity == 7);
    float width = static_cast<float>(image.width), height = static_cast<float>(image.height);
    found.boxes = {0, 0, width, height, 0, 0, width / 4, height / 4};
    found.classes = {0, 0};
    found.scores = {0.25F, 0.5F};
    return 0;
  }

 private:
  std::vector<float> logits_;
  std::array<float, 4> boxes_{0.5F, 0.5F, 0.5F, 0.5F};
};

constexpr const char *labels =
    R"({"images":[{"id":1,"file_name":"a.bmp","width":96,"height":64}],)"
    R"("categories":[{"id":7,"name":"block"}],"annotations":[{"id":1,"image_id":1,)"
    R"("category_id":7,"bbox":[8,8,40,40],"area":1600,"iscrowd":0}]})";

constexpr const char *configuration = R"(
[training]
steps = 3
batch_size = 1
warmup_steps = 0
checkpoint_steps = 1
schedule = "constant"
[relabel]
predictions_per_image = 7
suppression = "after_cut"
mirrored = false
[augmentation]
image_short_sides = [64]
image_long_side_max = 96
crop_short_sides = [72]
crop_side_min = 64
crop_side_max = 72
)";

void write_images() {
  std::vector<std::uint8_t> pixels(96 * 64 * 3, 90), file(BITMAP_HEADER + pixels.size());
  encode_bitmap(pixels.data(), 96, 64, file.data());
  std::ofstream("a.bmp", std::ios::binary)
      .write(reinterpret_cast<const char *>(file.data()), static_cast<std::streamsize>(file.size()));
  std::ofstream("labels.json") << labels;
}

}  // namespace

int main() {
  write_images();
  auto options = simdetr::trainer::options();
  options.preset = "tiny";
  options.threads = 1;
  options.config_toml = "[training]\nstep = 3\n";
  EXPECT(simdetr::trainer::create(options).failure().status() == SIMDETR_ERROR_UNKNOWN_KEY);
  EXPECT(!simdetr::trainer::create(options, nullptr).ok());
  options.config_toml = configuration;
  auto detector = std::make_shared<still>();
  auto trainer = simdetr::trainer::create(options, detector).value();
  detector->throws = true;
  auto first = trainer.train("run", 1, "labels.json", ".");
  EXPECT(first.failure().status() == simdetr::callback_threw);
  bool thrown = false;
  try {
    trainer.rethrow();
  } catch (const std::runtime_error &failure) {
    thrown = std::string(failure.what()) == "not today";
  }
  EXPECT(thrown);
  trainer.rethrow();  // Once only.
  detector->throws = false;
  EXPECT(trainer.train("run", 1, "labels.json", ".").failure().status() == -6);
  auto moved = std::move(trainer);
  auto report = moved.train("run", 1, "labels.json", ".").value();
  EXPECT(report.steps_count == 3 && report.images_count == 1 && detector->steps == 4);
  auto found = moved.relabel("run", 1, "labels.json", ".", "found.json").value();
  EXPECT(found.boxes_count == 2 && moved.memory_bytes().value() > 0);
  EXPECT(moved.pretrain("absent", "other").failure().status() == SIMDETR_ERROR_IO);
  EXPECT(moved.measured().value().empty());
  EXPECT(moved.set_validation(".", "").failure().status() == SIMDETR_ERROR_INVALID_ARGUMENT);
  moved.set_validation(".", "labels.json").value();
  EXPECT(moved.pretrain(".", "other").failure().status() == SIMDETR_ERROR_INVALID_ARGUMENT);
  std::vector<float> pixels(64 * 64 * 3, 0.25F);
  std::array<std::int64_t, 4> shape{1, 64, 64, 3};
  DLTensor images{};
  images.data = pixels.data();
  images.device.device_type = kDLCPU;
  images.ndim = 4;
  images.dtype = {kDLFloat, 32, 1};
  images.shape = shape.data();
  const std::array<std::uint32_t, 1> counts{1};
  const std::array<std::int64_t, 1> classes{0};
  const std::array<float, 4> box{0.5F, 0.5F, 0.25F, 0.25F};
  const simdetr::targets wanted{counts, classes, box};
  EXPECT(!moved.step(images, {}, wanted).ok());
  moved.begin(1, 2).value();
  auto stepped = moved.step(images, {}, wanted).value();
  EXPECT(stepped.loss > 0 && stepped.boxes_count == 1 && detector->steps == 5);
  const std::array<std::uint32_t, 3> uneven{64, 64, 64};
  EXPECT(moved.step(images, uneven, wanted).failure().status() == SIMDETR_ERROR_SHAPE);
  moved.write_detector("loop").value();
  std::weak_ptr<still> watched = detector;
  detector.reset();
  moved = simdetr::trainer::create(options).value();
  EXPECT(watched.expired());
}
