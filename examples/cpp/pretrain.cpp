// A folder of photographs in; a detector of the program's own, trained by Algorithm 1, out.
#include "patch_detector.hpp"

#include <cstdio>
#include <numeric>
#include <string>

// Small pictures and few steps: what a patch detector can make use of.
static const char *const configuration = R"(
[cluster]
classes = 4
[pretrain]
stages_count = 2
[training]
learning_rate = 0.05
batch_size = 4
steps = 200
warmup_steps = 0
checkpoint_steps = 100
[augmentation]
image_short_sides = [64, 80]
image_long_side_max = 128
crop_short_sides = [80]
crop_side_min = 64
crop_side_max = 80
)";

static double mean(const double *values, std::size_t count) {
  return std::accumulate(values, values + count, 0.0) / static_cast<double>(count);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s PHOTOS RUN\n", argv[0]);
    return 2;
  }
  try {
    simdetr::check_abi().value();
    auto options = simdetr::trainer::options();
    options.preset = "tiny";
    options.config_toml = configuration;
    auto detector = std::make_shared<patch_detector>();
    auto trainer = simdetr::trainer::create(options, detector).value();
    auto labels = trainer.pretrain(argv[1], argv[2]).value();
    for (std::size_t stage = 0; stage < labels.size(); stage++) {
      std::printf("T%zu: %llu images, %llu boxes\n", stage,
                  static_cast<unsigned long long>(labels[stage].images_count),
                  static_cast<unsigned long long>(labels[stage].boxes_count));
    }
    // A run that was done already has no steps left to show.
    if (detector->losses.size() >= 200) {
      const double *losses = detector->losses.data();
      std::printf("loss of stage 1: %.3f -> %.3f\n", mean(losses, 10), mean(losses + 190, 10));
    }
  } catch (const simdetr::error &failure) {
    std::fprintf(stderr, "%s: %s\n", failure.name(), failure.message());
    return 1;
  }
}
