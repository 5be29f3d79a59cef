/* What the C tests of matcher and criterion share: tensors over plain arrays, and targets. */
#ifndef SIMDETR_TESTS_PREDICTIONS_H
#define SIMDETR_TESTS_PREDICTIONS_H

#include "expect.h"

/* A dense tensor of `ndim` sizes in host memory; `code` is 0 for i32 and 2 for f32. */
static DLTensor tensor_of(void *data, int64_t *shape, int32_t ndim, uint8_t code) {
  DLTensor tensor;
  memset(&tensor, 0, sizeof tensor);
  tensor.data = data;
  tensor.device.device_type = kDLCPU;
  tensor.ndim = ndim;
  tensor.dtype.code = code;
  tensor.dtype.bits = 32;
  tensor.dtype.lanes = 1;
  tensor.shape = shape;
  return tensor;
}

/* Two layers, two images, three queries, two classes; the first image has two targets, the second
 * none. Query 2 of the first image says what target 0 is, query 0 what target 1 is. */
enum { LAYERS = 2, BATCH = 2, QUERIES = 3, CLASSES = 2, ROWS = LAYERS * BATCH * QUERIES };

static float logits[ROWS * CLASSES], boxes[ROWS * 4];
static float target_boxes[8] = {0.25f, 0.25f, 0.25f, 0.25f, 0.5f, 0.75f, 0.5f, 0.25f};
static int64_t target_classes[2] = {0, 1};
static uint32_t counts[BATCH] = {2, 0};

static simdetr_targets_t two_targets(void) {
  simdetr_targets_t targets;
  simdetr_targets_init(&targets, sizeof targets);
  targets.counts = counts;
  targets.images_count = BATCH;
  targets.classes = target_classes;
  targets.boxes = target_boxes;
  targets.targets_count = 2;
  return targets;
}

static void fill_predictions(void) {
  size_t row, axis, layer;
  for (row = 0; row < ROWS * CLASSES; row++) logits[row] = -3;
  for (row = 0; row < ROWS; row++) {
    for (axis = 0; axis < 4; axis++) boxes[row * 4 + axis] = 0.5f;
  }
  for (layer = 0; layer < LAYERS; layer++) {
    size_t first = layer * BATCH * QUERIES;
    logits[(first + 2) * CLASSES] = 3;
    logits[first * CLASSES + 1] = 3;
    memcpy(boxes + (first + 2) * 4, target_boxes, 4 * sizeof(float));
    memcpy(boxes + first * 4, target_boxes + 4, 4 * sizeof(float));
  }
}

#endif
