/* Pictures for the C tests, as 24-bit BMP files. */
#ifndef SIMDETR_TESTS_BITMAP_H
#define SIMDETR_TESTS_BITMAP_H

#include "expect.h"

enum { BITMAP_HEADER = 54 };

static void put32(uint8_t *target, size_t value) {
  int i;
  for (i = 0; i < 4; i++) target[i] = (uint8_t)(value >> (8 * i));
}

/* RGB pixels as a file, bottom row first; `width` * 3 is a multiple of 4. Answers the file's length. */
static size_t encode_bitmap(const uint8_t *pixels, size_t width, size_t height, uint8_t *file) {
  size_t x, y, length = width * height * 3;
  memset(file, 0, BITMAP_HEADER);
  file[0] = 'B';
  file[1] = 'M';
  put32(file + 2, BITMAP_HEADER + length);
  put32(file + 10, BITMAP_HEADER);
  put32(file + 14, 40);
  put32(file + 18, width);
  put32(file + 22, height);
  file[26] = 1;
  file[28] = 24;
  put32(file + 34, length);
  for (y = 0; y < height; y++) {
    for (x = 0; x < width; x++) {
      const uint8_t *from = pixels + (y * width + x) * 3;
      uint8_t *to = file + BITMAP_HEADER + ((height - 1 - y) * width + x) * 3;
      to[0] = from[2];
      to[1] = from[1];
      to[2] = from[0];
    }
  }
  return BITMAP_HEADER + length;
}

#endif
