/* A small encoder of the host, pictures for it, and what an extractor finds in them. */
#ifndef SIMDETR_TESTS_COLOURS_H
#define SIMDETR_TESTS_COLOURS_H

#include <pthread.h>

#include "expect.h"

enum { WIDTH = 96, HEIGHT = 64, CHANNELS = 8, PICTURES = 6 };

static uint8_t pictures[PICTURES][WIDTH * HEIGHT * 3];

typedef struct {
  /* The thread that calls the library, and how often the callback ran on another. */
  pthread_t caller;
  int elsewhere, calls;
  pthread_mutex_t lock;
} colours_t;

/* A bright block in each picture, at a place of its own. */
static inline void paint_pictures(void) {
  size_t picture, x, y;
  for (picture = 0; picture < PICTURES; picture++) {
    for (y = 0; y < HEIGHT; y++) {
      for (x = 0; x < WIDTH; x++) {
        uint8_t *pixel = pictures[picture] + (y * WIDTH + x) * 3;
        int inside = x > 8 + 8 * picture && x < 48 + 8 * picture && y > HEIGHT / 4 && y < 3 * HEIGHT / 4;
        pixel[0] = inside ? 230 : 40;
        pixel[1] = (uint8_t)(x < WIDTH / 2 ? 200 : 60);
        pixel[2] = (uint8_t)(y < HEIGHT / 2 ? 30 : 180);
      }
    }
  }
}

/* Each cell of a map is the colour of its middle, and where it lies. */
static inline int32_t colours_encode(void *user_data, const simdetr_image_t *image, const simdetr_map_t *maps,
                                     size_t maps_count) {
  colours_t *colours = (colours_t *)user_data;
  size_t map, y, x, c;
  pthread_mutex_lock(&colours->lock);
  colours->calls++;
  if (!pthread_equal(colours->caller, pthread_self())) colours->elsewhere++;
  pthread_mutex_unlock(&colours->lock);
  for (map = 0; map < maps_count; map++) {
    size_t side = map == 0 ? 32 : 16;
    for (y = 0; y < maps[map].height; y++) {
      for (x = 0; x < maps[map].width; x++) {
        const uint8_t *pixel =
            image->data + (y * side + side / 2) * (size_t)image->row_stride_bytes + (x * side + side / 2) * 3;
        float *cell = maps[map].values + (y * maps[map].width + x) * CHANNELS;
        for (c = 0; c < CHANNELS; c++) cell[c] = (float)pixel[c % 3] / 255.0f + 0.01f * (float)((x * 3 + y * 5 + c) % 7);
      }
    }
  }
  return 0;
}

static inline void start_colours(colours_t *colours) {
  memset(colours, 0, sizeof *colours);
  colours->caller = pthread_self();
  EXPECT(pthread_mutex_init(&colours->lock, NULL) == 0);
}

static inline simdetr_encoder_t *colours_encoder(colours_t *colours, int32_t callback_threads) {
  static const size_t channels[2] = {CHANNELS, CHANNELS}, strides[2] = {32, 16};
  simdetr_error_t error;
  simdetr_encoder_callback_t callback;
  simdetr_encoder_t *encoder = NULL;
  simdetr_encoder_callback_init(&callback, sizeof callback);
  callback.name = "colours";
  callback.encode = colours_encode;
  callback.user_data = colours;
  callback.channels = channels;
  callback.strides = strides;
  callback.maps_count = 2;
  callback.callback_threads = callback_threads;
  EXPECT_OK(simdetr_encoder_create_from_callback(&callback, &encoder, &error));
  return encoder;
}

static inline simdetr_extractor_t *colours_extractor(colours_t *colours, int32_t callback_threads, uint32_t threads,
                                                     simdetr_parallel_for_fn_t parallel_for, void *user_data) {
  simdetr_error_t error;
  simdetr_extractor_options_t options;
  simdetr_extractor_t *extractor = NULL;
  simdetr_encoder_t *encoder = colours_encoder(colours, callback_threads);
  simdetr_extractor_options_init(&options, sizeof options);
  options.threads = threads;
  options.image_short_side = 64;
  options.image_long_side_max = 96;
  options.parallel_for = parallel_for;
  options.parallel_for_user_data = user_data;
  EXPECT_OK(simdetr_extractor_create(encoder, &options, &extractor, &error));
  simdetr_encoder_destroy(encoder);
  return extractor;
}

/* What is found in all pictures, box by box and vector by vector, as one sum that any change alters. */
typedef struct {
  size_t count;
  double sum;
} found_t;

static inline void add_found(const simdetr_proposals_t *set, found_t *found) {
  simdetr_error_t error;
  simdetr_proposals_view_t view;
  size_t i;
  view.struct_size = sizeof view;
  EXPECT_OK(simdetr_proposals_view(set, &view, &error));
  for (i = 0; i < view.count * 4; i++) found->sum += (double)view.boxes[i] * (double)(found->count * 4 + i + 1);
  for (i = 0; i < view.count * view.dimensions; i++) found->sum += (double)view.vectors[i] * (double)(i % 97 + 1);
  found->count += view.count;
}

/* Extracts all pictures in one batch; `found` is untouched unless the status is 0. */
static inline simdetr_status_t colours_batch(const simdetr_extractor_t *extractor, found_t *found,
                                             simdetr_error_t *error) {
  simdetr_proposals_t *sets[PICTURES];
  simdetr_image_t images[PICTURES];
  const simdetr_image_t *pointers[PICTURES];
  found_t all = {0, 0}, before = {0, 0};
  simdetr_status_t status;
  size_t i;
  for (i = 0; i < PICTURES; i++) {
    simdetr_error_t made;
    EXPECT(simdetr_proposals_create(&sets[i], &made) == SIMDETR_OK);
    simdetr_image_init(&images[i], sizeof images[i]);
    images[i].data = pictures[i];
    images[i].width = WIDTH;
    images[i].height = HEIGHT;
    pointers[i] = &images[i];
  }
  status = simdetr_extractor_extract_batch(extractor, pointers, PICTURES, 1, NULL, sets, error);
  for (i = 0; i < PICTURES; i++) {
    add_found(sets[i], &all);
    simdetr_proposals_destroy(sets[i]);
  }
  if (status == SIMDETR_OK) {
    *found = all;
  } else {
    EXPECT(all.count == before.count && all.sum == before.sum);
  }
  return status;
}

#endif
