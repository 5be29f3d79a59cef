/* On which threads callbacks run: the encoder's on any, or only on the caller's, with the same
 * results; progress on the caller's; the host's loops are started by the caller's. */
#include <sys/stat.h>

#include "bitmap.h"
#include "colours.h"
#include "jobs.h"

static simdetr_error_t error;

static void write_pictures(void) {
  static uint8_t file[BITMAP_HEADER + sizeof pictures[0]];
  char name[32];
  int i;
  EXPECT(mkdir("images", 0755) == 0);
  for (i = 0; i < PICTURES; i++) {
    size_t length = encode_bitmap(pictures[i], WIDTH, HEIGHT, file);
    FILE *out;
    sprintf(name, "images/%d.bmp", i);
    out = fopen(name, "wb");
    EXPECT(out != NULL && fwrite(file, 1, length, out) == length && fclose(out) == 0);
  }
}

static int32_t progress(void *user_data, const char *step, uint64_t done, uint64_t total) {
  colours_t *colours = (colours_t *)user_data;
  EXPECT(pthread_equal(colours->caller, pthread_self()) && step[0] != 0 && (total == 0 || done <= total));
  return 0;
}

/* What the folder's store holds. */
static found_t folder(const simdetr_extractor_t *extractor, colours_t *colours, const char *path) {
  found_t found = {0, 0};
  simdetr_run_options_t run;
  simdetr_proposal_store_t *store = NULL;
  simdetr_proposals_t *set = NULL;
  simdetr_stored_image_t image;
  uint64_t index;
  simdetr_run_options_init(&run, sizeof run);
  run.progress = progress;
  run.progress_user_data = colours;
  EXPECT_OK(simdetr_extractor_extract_folder(extractor, "images", path, NULL, 1, &run, NULL, &error));
  EXPECT_OK(simdetr_proposal_store_open(path, &store, &error));
  EXPECT_OK(simdetr_proposals_create(&set, &error));
  image.struct_size = sizeof image;
  for (index = 0; index < PICTURES; index++) {
    EXPECT_OK(simdetr_proposal_store_read(store, index, &image, set, &error));
    add_found(set, &found);
  }
  simdetr_proposals_destroy(set);
  simdetr_proposal_store_destroy(store);
  return found;
}

/* The caller's thread is another one than the program's first. */
static void *caller(void *data) {
  colours_t *colours = (colours_t *)data;
  jobs_t jobs = new_jobs(ON_THREADS);
  found_t wanted = {0, 0}, found = {0, 0}, stored;
  simdetr_extractor_t *extractors[5];
  char path[32];
  int i;
  colours->caller = pthread_self();
  extractors[0] = colours_extractor(colours, 0, 1, NULL, NULL);
  extractors[1] = colours_extractor(colours, SIMDETR_CALLBACK_THREADS_CALLER, 3, NULL, NULL);
  extractors[2] = colours_extractor(colours, SIMDETR_CALLBACK_THREADS_CALLER, 3, parallel_for, &jobs);
  extractors[3] = colours_extractor(colours, SIMDETR_CALLBACK_THREADS_ANY, 3, NULL, NULL);
  extractors[4] = colours_extractor(colours, 0, 3, parallel_for, &jobs);
  EXPECT_OK(colours_batch(extractors[0], &wanted, &error));
  stored = folder(extractors[0], colours, "store0");
  EXPECT(wanted.count > 0 && stored.count == wanted.count);
  for (i = 1; i < 5; i++) {
    found_t again;
    int elsewhere = colours->elsewhere, calls = colours->calls;
    EXPECT_OK(colours_batch(extractors[i], &found, &error));
    EXPECT(found.count == wanted.count && found.sum == wanted.sum);
    sprintf(path, "store%d", i);
    again = folder(extractors[i], colours, path);
    EXPECT(again.count == stored.count && again.sum == stored.sum);
    EXPECT(colours->calls == calls + 2 * PICTURES);
    if (i <= 2) EXPECT(colours->elsewhere == elsewhere);
    if (i == 4) EXPECT(colours->elsewhere > elsewhere);
  }
  for (i = 0; i < 5; i++) simdetr_extractor_destroy(extractors[i]);
  return NULL;
}

static void bad_values(colours_t *colours) {
  static const size_t channels[1] = {CHANNELS}, strides[1] = {32};
  simdetr_encoder_callback_t callback;
  simdetr_encoder_t *encoder = NULL;
  simdetr_encoder_callback_init(&callback, sizeof callback);
  callback.name = "colours";
  callback.encode = colours_encode;
  callback.user_data = colours;
  callback.channels = channels;
  callback.strides = strides;
  callback.maps_count = 1;
  callback.callback_threads = 3;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_encoder_create_from_callback(&callback, &encoder, &error));
  EXPECT_MESSAGE("callback_threads: 3");
  callback.callback_threads = -1;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_encoder_create_from_callback(&callback, &encoder, &error));
  callback.callback_threads = 0;
  callback.reserved = 1;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_encoder_create_from_callback(&callback, &encoder, &error));
  EXPECT_MESSAGE("reserved");
  callback.reserved = 0;
  /* Programs that were compiled before the field was there. */
  callback.struct_size = 64;
  EXPECT_OK(simdetr_encoder_create_from_callback(&callback, &encoder, &error));
  simdetr_encoder_destroy(encoder);
}

int main(void) {
  colours_t colours;
  pthread_t thread;
  start_colours(&colours);
  paint_pictures();
  write_pictures();
  EXPECT(pthread_create(&thread, NULL, caller, &colours) == 0);
  EXPECT(pthread_join(thread, NULL) == 0);
  bad_values(&colours);
  return 0;
}
