/* The least that a detector of the host can be: four queries whose logits and boxes are parameters
 * and do not look at the image. It can be told to fail. */
#ifndef SIMDETR_TESTS_OWN_DETECTOR_H
#define SIMDETR_TESTS_OWN_DETECTOR_H

#include <math.h>
#include <pthread.h>

#include "expect.h"

enum { QUERIES = 4, CLASSES_MAX = 8, IMAGES_MAX = 4, NUMBERS = QUERIES * (CLASSES_MAX + 4) };

typedef struct {
  /* For each query its logits, then its box before the sigmoid. */
  float parameters[NUMBERS], gradients[NUMBERS];
  float logits[IMAGES_MAX * QUERIES * CLASSES_MAX], boxes[IMAGES_MAX * QUERIES * 4];
  size_t classes, images;
  double first_loss, last_loss;
  int steps, ended;
  /* The callback that fails, in how many calls from now, and with what. */
  const char *failing;
  int calls_left, answer;
  /* What `forward` and `predict` get wrong. */
  int wrong_classes, not_a_number, too_many;
  /* Boxes that `predict` was asked for last. */
  size_t capacity;
} own_detector_t;

/* The thread that calls the trainer: the one on which everything here runs. */
static pthread_t own_caller;

static int32_t answer(own_detector_t *own, const char *callback) {
  EXPECT(pthread_equal(own_caller, pthread_self()));
  if (own->failing == NULL || strcmp(own->failing, callback) != 0 || --own->calls_left > 0) return 0;
  own->failing = NULL;
  return own->answer;
}

static int32_t own_start(void *user_data, const simdetr_detector_start_t *start) {
  own_detector_t *own = (own_detector_t *)user_data;
  size_t i;
  EXPECT(start->struct_size == sizeof *start && start->stage >= 1 && start->steps_count > 0);
  EXPECT(start->classes_count <= CLASSES_MAX && start->seed == 3);
  own->classes = start->classes_count;
  for (i = 0; i < NUMBERS && start->fresh; i++) own->parameters[i] = (float)(i * 7 % 5) * 0.25f - 0.5f;
  return answer(own, "start_stage");
}

static int32_t own_forward(void *user_data, const simdetr_detector_batch_t *batch, simdetr_detector_outputs_t *outputs) {
  own_detector_t *own = (own_detector_t *)user_data;
  size_t image, query, i, at;
  EXPECT(batch->struct_size == sizeof *batch && outputs->struct_size == sizeof *outputs);
  EXPECT(batch->images_count >= 1 && batch->images_count <= IMAGES_MAX && batch->reserved == 0);
  EXPECT(batch->sizes[0] <= batch->height && batch->sizes[1] <= batch->width && batch->sizes[0] > 0);
  EXPECT(batch->training == (batch->stage > 0) && isfinite(batch->images[batch->height * batch->width * 3 - 1]));
  own->images = batch->images_count;
  for (image = 0; image < own->images; image++) {
    for (query = 0; query < QUERIES; query++) {
      const float *from = own->parameters + query * (CLASSES_MAX + 4);
      at = image * QUERIES + query;
      memcpy(own->logits + at * own->classes, from, own->classes * sizeof *from);
      for (i = 0; i < 4; i++) own->boxes[at * 4 + i] = 1 / (1 + expf(-from[CLASSES_MAX + i]));
    }
  }
  if (own->not_a_number) own->logits[0] = NAN;
  outputs->logits = own->logits;
  outputs->boxes = own->boxes;
  outputs->layers = 1;
  outputs->queries = QUERIES;
  outputs->classes = own->classes + (size_t)own->wrong_classes;
  return answer(own, "forward");
}

static int32_t own_backward(void *user_data, const simdetr_detector_gradients_t *gradients) {
  own_detector_t *own = (own_detector_t *)user_data;
  size_t image, query, i, at;
  EXPECT(gradients->logits_count == own->images * QUERIES * own->classes);
  EXPECT(gradients->boxes_count == own->images * QUERIES * 4);
  if (gradients->part == 0) memset(own->gradients, 0, sizeof own->gradients);
  for (image = 0; image < own->images; image++) {
    for (query = 0; query < QUERIES; query++) {
      float *to = own->gradients + query * (CLASSES_MAX + 4);
      at = image * QUERIES + query;
      for (i = 0; i < own->classes; i++) to[i] += gradients->logits[at * own->classes + i];
      for (i = 0; i < 4; i++) {
        float side = own->boxes[at * 4 + i];
        to[CLASSES_MAX + i] += gradients->boxes[at * 4 + i] * side * (1 - side);
      }
    }
  }
  return answer(own, "backward");
}

static int32_t own_step(void *user_data, simdetr_detector_update_t *update) {
  own_detector_t *own = (own_detector_t *)user_data;
  double sum = 0;
  size_t i;
  int32_t status = answer(own, "step");
  if (status != 0) return status;
  for (i = 0; i < NUMBERS; i++) {
    own->parameters[i] -= 0.05f * (float)update->rate_factor * own->gradients[i];
    sum += (double)own->gradients[i] * own->gradients[i];
  }
  update->gradient_norm = sqrt(sum);
  if (own->steps++ == 0) own->first_loss = update->loss;
  own->last_loss = update->loss;
  return 0;
}

static int32_t own_predict(void *user_data, const simdetr_image_t *image, float *found, int64_t *classes, float *scores,
                           size_t capacity, size_t *count) {
  own_detector_t *own = (own_detector_t *)user_data;
  EXPECT(image->pixel_format == SIMDETR_PIXEL_RGB8 && capacity >= 2);
  own->capacity = capacity;
  found[0] = found[1] = 1;
  found[2] = (float)image->width;
  found[3] = (float)image->height + 50;
  classes[0] = own->wrong_classes ? 99 : 1;
  scores[0] = 0.5f;
  *count = own->too_many ? capacity + 1 : 1;
  return answer(own, "predict");
}

static int32_t own_save(void *user_data, const char *path) {
  own_detector_t *own = (own_detector_t *)user_data;
  FILE *file = fopen(path, "wb");
  EXPECT(file != NULL && fwrite(own->parameters, sizeof own->parameters, 1, file) == 1);
  EXPECT(fclose(file) == 0);
  return answer(own, "save");
}

static int32_t own_load(void *user_data, const char *path) {
  own_detector_t *own = (own_detector_t *)user_data;
  FILE *file = fopen(path, "rb");
  EXPECT(file != NULL && fread(own->parameters, sizeof own->parameters, 1, file) == 1);
  EXPECT(fclose(file) == 0);
  return answer(own, "load");
}

static void own_end(void *user_data) { ((own_detector_t *)user_data)->ended++; }

static simdetr_detector_callbacks_t own_callbacks(own_detector_t *own) {
  simdetr_detector_callbacks_t callbacks;
  simdetr_detector_callbacks_init(&callbacks, sizeof callbacks);
  own_caller = pthread_self();
  callbacks.user_data = own;
  callbacks.user_data_destroy = own_end;
  callbacks.name = "own";
  callbacks.start_stage = own_start;
  callbacks.forward = own_forward;
  callbacks.backward = own_backward;
  callbacks.step = own_step;
  callbacks.save = own_save;
  callbacks.load = own_load;
  return callbacks;
}

#endif
