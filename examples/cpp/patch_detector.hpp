// A small detector with everything by hand: each cell of a grid is a query that reads its own patch
// and a coarse view of the whole image through two linear layers; gradient descent with momentum.
#pragma once

#include <simdetr/trainer.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>

// A linear layer with its gradients and the optimiser's memory.
struct linear {
  std::size_t inputs = 0, outputs = 0;
  std::vector<float> weights, gradients, velocity;  // [outputs, inputs + 1], the bias last

  void draw(std::size_t in, std::size_t out, std::uint64_t &state) {
    inputs = in, outputs = out;
    weights.assign(out * (in + 1), 0.0F);
    for (std::size_t i = 0; i < weights.size(); i++) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;  // Knuth's generator
      float uniform = static_cast<float>(state >> 40) / static_cast<float>(1 << 24) - 0.5F;
      if (i % (in + 1) != in) weights[i] = 2 * uniform / std::sqrt(static_cast<float>(in));
    }
  }
  void forget() {
    gradients.assign(weights.size(), 0.0F);
    velocity.assign(weights.size(), 0.0F);
  }
  void forward(const float *in, float *out) const {
    for (std::size_t row = 0; row < outputs; row++) {
      const float *w = &weights[row * (inputs + 1)];
      out[row] = w[inputs];
      for (std::size_t i = 0; i < inputs; i++) out[row] += w[i] * in[i];
    }
  }
  // `in_gradient` may be null.
  void backward(const float *in, const float *out_gradient, float *in_gradient) {
    for (std::size_t row = 0; row < outputs; row++) {
      const float *w = &weights[row * (inputs + 1)];
      float *g = &gradients[row * (inputs + 1)];
      for (std::size_t i = 0; i < inputs; i++) {
        g[i] += out_gradient[row] * in[i];
        if (in_gradient != nullptr) in_gradient[i] += out_gradient[row] * w[i];
      }
      g[inputs] += out_gradient[row];
    }
  }
  void step(float rate) {
    for (std::size_t i = 0; i < weights.size(); i++) {
      velocity[i] = 0.9F * velocity[i] + gradients[i];
      weights[i] -= rate * velocity[i];
    }
  }
};

class patch_detector : public simdetr::host_detector {
 public:
  // Loss of every step that was made.
  std::vector<double> losses;

  std::string name() const override { return "patches"; }

  int start_stage(const simdetr_detector_start_t &start) override {
    classes_ = start.classes_count;
    if (start.fresh == 1) {
      std::uint64_t state = start.seed;
      hidden_.draw(features, width, state);
      heads_.draw(width, classes_ + 4, state);
      // As detectors begin: no class is likely.
      for (std::size_t c = 0; c < classes_; c++) heads_.weights[c * (width + 1) + width] = -3.0F;
    }
    hidden_.forget();
    heads_.forget();
    return 0;
  }

  int forward(const simdetr_detector_batch_t &images, simdetr::predictions &outputs) override {
    std::size_t count = images.images_count * queries;
    seen_.resize(count * features);
    middle_.resize(count * width);
    logits_.resize(count * classes_);
    boxes_.resize(count * 4);
    std::vector<float> found(classes_ + 4);
    for (std::size_t unit = 0; unit < count; unit++) {
      float *seen = &seen_[unit * features], *middle = &middle_[unit * width];
      std::size_t query = unit % queries;
      look(images, unit / queries, query, seen);
      hidden_.forward(seen, middle);
      for (std::size_t i = 0; i < width; i++) middle[i] = std::max(middle[i], 0.0F);
      heads_.forward(middle, found.data());
      std::copy_n(found.data(), classes_, &logits_[unit * classes_]);
      for (std::size_t side = 0; side < 4; side++) {
        float logit = anchor(query, side) + found[classes_ + side];
        boxes_[unit * 4 + side] = 1 / (1 + std::exp(-logit));
      }
    }
    outputs.logits = logits_;
    outputs.boxes = boxes_;
    outputs.layers = 1;
    outputs.queries = queries;
    outputs.classes = classes_;
    return 0;
  }

  int backward(simdetr::span<const float> logits_gradient, simdetr::span<const float> boxes_gradient,
               std::uint32_t part) override {
    if (part == 0) {
      std::fill(hidden_.gradients.begin(), hidden_.gradients.end(), 0.0F);
      std::fill(heads_.gradients.begin(), heads_.gradients.end(), 0.0F);
    }
    std::vector<float> found(classes_ + 4), middle(width);
    for (std::size_t unit = 0; unit < boxes_.size() / 4; unit++) {
      std::copy_n(&logits_gradient[unit * classes_], classes_, found.data());
      for (std::size_t side = 0; side < 4; side++) {
        float box = boxes_[unit * 4 + side];
        found[classes_ + side] = boxes_gradient[unit * 4 + side] * box * (1 - box);
      }
      std::fill(middle.begin(), middle.end(), 0.0F);
      heads_.backward(&middle_[unit * width], found.data(), middle.data());
      for (std::size_t i = 0; i < width; i++) {
        if (middle_[unit * width + i] <= 0) middle[i] = 0;
      }
      hidden_.backward(&seen_[unit * features], middle.data(), nullptr);
    }
    return 0;
  }

  int step(simdetr_detector_update_t &update) override {
    double sum = 0;
    for (const linear *layer : {&hidden_, &heads_}) {
      for (float gradient : layer->gradients) sum += static_cast<double>(gradient) * gradient;
    }
    update.gradient_norm = std::sqrt(sum);
    // Gradients are scaled down to a norm of 1.
    double rate = update.learning_rate / std::max(1.0, update.gradient_norm);
    hidden_.step(static_cast<float>(rate));
    heads_.step(static_cast<float>(rate));
    losses.push_back(update.loss);
    return 0;
  }

  int save(const std::string &path) override {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    for (const linear *layer : {&hidden_, &heads_}) {
      for (const auto *values : {&layer->weights, &layer->velocity}) {
        file.write(reinterpret_cast<const char *>(values->data()), length(*values));
      }
    }
    file.close();
    return file ? 0 : -1;
  }

  int load(const std::string &path) override {
    std::ifstream file(path, std::ios::binary);
    for (linear *layer : {&hidden_, &heads_}) {
      for (auto *values : {&layer->weights, &layer->velocity}) {
        file.read(reinterpret_cast<char *>(values->data()), length(*values));
      }
    }
    return file ? 0 : -2;
  }

 private:
  static constexpr std::size_t grid = 5, queries = grid * grid;
  // A window is seen as this many blocks each way, in three colours.
  static constexpr std::size_t blocks = 4, window = blocks * blocks * 3;
  // The query's own cell with its neighbours, and the whole image.
  static constexpr std::size_t features = 2 * window, width = 48;

  static std::streamsize length(const std::vector<float> &values) {
    return static_cast<std::streamsize>(values.size() * sizeof(float));
  }

  // Side of a query's box before anything is learnt, as the logit of a share of the image.
  static float anchor(std::size_t query, std::size_t side) {
    float place = (static_cast<float>(side == 0 ? query % grid : query / grid) + 0.5F) / grid;
    float share = side < 2 ? place : 0.3F;
    return std::log(share / (1 - share));
  }

  // Mean colours of a window of the image given as shares of its un-padded size.
  static void shrink(const simdetr_detector_batch_t &images, std::size_t image, float x0, float y0,
                     float x1, float y1, float *out) {
    std::size_t rows = images.sizes[image * 2], columns = images.sizes[image * 2 + 1];
    auto pixel = [](float share, std::size_t side) {
      float place = std::clamp(share, 0.0F, 1.0F) * static_cast<float>(side);
      return std::min(static_cast<std::size_t>(place), side - 1);
    };
    for (std::size_t block = 0; block < blocks * blocks; block++) {
      float left = static_cast<float>(block % blocks) / blocks, top = static_cast<float>(block / blocks) / blocks;
      std::size_t from_x = pixel(x0 + (x1 - x0) * left, columns);
      std::size_t to_x = pixel(x0 + (x1 - x0) * (left + 1.0F / blocks), columns);
      std::size_t from_y = pixel(y0 + (y1 - y0) * top, rows);
      std::size_t to_y = pixel(y0 + (y1 - y0) * (top + 1.0F / blocks), rows);
      float sum[3] = {0, 0, 0};
      std::size_t count = 0;
      for (std::size_t y = from_y; y <= to_y; y++) {
        for (std::size_t x = from_x; x <= to_x; x++, count++) {
          const float *colour = &images.images[((image * images.height + y) * images.width + x) * 3];
          for (std::size_t channel = 0; channel < 3; channel++) sum[channel] += colour[channel];
        }
      }
      for (float channel : sum) *out++ = channel / static_cast<float>(count);
    }
  }

  static void look(const simdetr_detector_batch_t &images, std::size_t image, std::size_t query,
                   float *seen) {
    float cell = 1.0F / grid;
    float x = static_cast<float>(query % grid) * cell, y = static_cast<float>(query / grid) * cell;
    shrink(images, image, x - cell, y - cell, x + 2 * cell, y + 2 * cell, seen);
    shrink(images, image, 0, 0, 1, 1, seen + window);
  }

  std::size_t classes_ = 0;
  linear hidden_, heads_;
  std::vector<float> seen_, middle_, logits_, boxes_;
};
