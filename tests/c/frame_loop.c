/* 100 frames after warm-up: no heap allocation, no thread. The allocator and pthread_create of the
 * process are replaced by counting ones. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

#include "maps.h"

#ifdef __cplusplus
extern "C" {
#define NOTHROW noexcept(true)
#else
#define NOTHROW
#endif

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static volatile long allocations = 0, threads_started = 0;

void *malloc(size_t size) NOTHROW {
  allocations++;
  return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) NOTHROW {
  allocations++;
  return __libc_calloc(count, size);
}
void *realloc(void *memory, size_t size) NOTHROW {
  allocations++;
  return __libc_realloc(memory, size);
}
void *memalign(size_t alignment, size_t size) NOTHROW {
  allocations++;
  return __libc_memalign(alignment, size);
}
void *aligned_alloc(size_t alignment, size_t size) NOTHROW {
  allocations++;
  return __libc_memalign(alignment, size);
}
int posix_memalign(void **out, size_t alignment, size_t size) NOTHROW {
  allocations++;
  *out = __libc_memalign(alignment, size);
  return *out == NULL ? ENOMEM : 0;
}

typedef int (*create_t)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *data) NOTHROW {
  create_t real;
  *(void **)(&real) = dlsym(RTLD_NEXT, "pthread_create");
  threads_started++;
  return real(thread, attributes, start, data);
}

#ifdef __cplusplus
}
#endif

static float values[DEEP_VALUES + FINE_VALUES];

int main(void) {
  static const size_t strides[2] = {32, 16};
  static const size_t shapes[6] = {DEEP_SIDE, DEEP_SIDE, CHANNELS, FINE_SIDE, FINE_SIDE, CHANNELS};
  simdetr_error_t error;
  simdetr_extractor_options_t options;
  simdetr_extractor_t *extractor = NULL;
  simdetr_proposals_t *proposals = NULL;
  simdetr_proposals_view_t view;
  long before_allocations = 0, before_threads = 0;
  uint32_t frame;
  simdetr_extractor_options_init(&options, sizeof options);
  options.threads = 1;
  EXPECT_OK(simdetr_extractor_create(NULL, &options, &extractor, &error));
  EXPECT_OK(simdetr_proposals_create(&proposals, &error));
  /* The same frames in both laps, so that the first has seen the largest. */
  for (frame = 0; frame < 200; frame++) {
    simdetr_image_geometry_t geometry = geometry_of(frame % 100);
    fill_map(values, DEEP_SIDE, frame % 100);
    fill_map(values + DEEP_VALUES, FINE_SIDE, frame % 100 + 1000);
    if (frame == 100) {
      before_allocations = allocations;
      before_threads = threads_started;
    }
    EXPECT_OK(simdetr_extractor_extract_maps_f32(extractor, values, DEEP_VALUES + FINE_VALUES, shapes, strides, 2,
                                                 &geometry, NULL, proposals, &error));
    view.struct_size = sizeof view;
    EXPECT_OK(simdetr_proposals_view(proposals, &view, &error));
    EXPECT(view.count > 0);
  }
  EXPECT(before_allocations > 0);
  if (allocations != before_allocations || threads_started != before_threads) {
    fprintf(stderr, "%ld allocations and %ld threads in 100 frames\n", allocations - before_allocations,
            threads_started - before_threads);
    return 1;
  }
  simdetr_proposals_destroy(proposals);
  simdetr_extractor_destroy(extractor);
  return 0;
}
