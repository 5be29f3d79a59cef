/* Feature maps with known parts: the halves and quarters of an image point into different
 * directions, with a little deterministic noise. */
#ifndef SIMDETR_TESTS_MAPS_H
#define SIMDETR_TESTS_MAPS_H

#include "expect.h"

enum { DEEP_SIDE = 6, FINE_SIDE = 12, CHANNELS = 16 };
enum { DEEP_VALUES = DEEP_SIDE * DEEP_SIDE * CHANNELS, FINE_VALUES = FINE_SIDE * FINE_SIDE * CHANNELS };

static void fill_map(float *values, int side, unsigned seed) {
  unsigned state = seed * 2654435761u + 1u;
  int y, x, channel;
  for (y = 0; y < side; y++) {
    for (x = 0; x < side; x++) {
      int part = (y >= side / 2 ? 2 : 0) + (x >= side / 2 ? 1 : 0);
      for (channel = 0; channel < CHANNELS; channel++) {
        float noise;
        state = state * 1664525u + 1013904223u;
        noise = (float)(state >> 8) / 16777216.0f;
        *values++ = (channel % 4 == part ? 1.0f : 0.0f) + 0.05f * noise;
      }
    }
  }
}

static simdetr_image_geometry_t geometry_of(uint32_t image_id) {
  simdetr_image_geometry_t geometry;
  simdetr_image_geometry_init(&geometry, sizeof geometry);
  geometry.original_width = 384;
  geometry.original_height = 192;
  geometry.resized_width = 192;
  geometry.resized_height = 192;
  geometry.image_id = image_id;
  return geometry;
}

#endif
