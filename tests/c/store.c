/* A store of the host's own proposals: written, read back, merged; faults are named. */
#include "expect.h"

enum { IMAGES = 9, DIMENSIONS = 6 };

static void fill(simdetr_proposals_t *proposals, uint32_t image) {
  float boxes[8], vectors[2 * DIMENSIONS];
  simdetr_error_t error;
  int i;
  for (i = 0; i < 2 * DIMENSIONS; i++) vectors[i] = (float)((image * 7 + (uint32_t)i * 3) % 11) - 4.5f;
  boxes[0] = boxes[1] = 0;
  boxes[2] = boxes[3] = 10;
  boxes[4] = boxes[5] = (float)image;
  boxes[6] = boxes[7] = 20;
  EXPECT_OK(simdetr_proposals_assign_f32(proposals, boxes, NULL, vectors, DIMENSIONS, 2, 32, 24, &error));
}

static void write_store(const char *path, uint32_t first, uint32_t last) {
  simdetr_error_t error;
  simdetr_proposal_store_options_t options;
  simdetr_proposal_store_t *store = NULL;
  simdetr_proposals_t *proposals = NULL;
  simdetr_proposal_store_counts_t counts;
  uint32_t image, id = 0;
  uint64_t bytes = 0;
  simdetr_proposal_store_options_init(&options, sizeof options);
  options.shard_images = 4;
  options.first_image_id = first;
  options.feature_dtype = SIMDETR_FEATURE_DTYPE_F32;
  options.fingerprint = "test";
  EXPECT_OK(simdetr_proposal_store_create(path, DIMENSIONS, &options, &store, &error));
  EXPECT_OK(simdetr_proposals_create(&proposals, &error));
  for (image = first; image <= last; image++) {
    char name[32];
    sprintf(name, "folder/%03u.jpg", (unsigned)image);
    fill(proposals, image);
    if (image == 3) {
      EXPECT_OK(simdetr_proposal_store_append(store, name, 0, 0, NULL, &id, &error));
    } else {
      EXPECT_OK(simdetr_proposal_store_append(store, name, 32, 24, proposals, &id, &error));
    }
    EXPECT(id == image);
  }
  EXPECT_OK(simdetr_proposal_store_memory_bytes(store, &bytes, &error));
  counts.struct_size = sizeof counts;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_proposal_store_counts(store, &counts, &error));
  EXPECT_OK(simdetr_proposal_store_finish(store, &error));
  EXPECT_OK(simdetr_proposal_store_counts(store, &counts, &error));
  EXPECT(counts.images_count == last - first + 1 && counts.first_image_id == first);
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT,
                simdetr_proposal_store_append(store, "late.jpg", 32, 24, NULL, NULL, &error));
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_proposal_store_finish(store, &error));
  simdetr_proposal_store_destroy(store);
  /* The same folder with other options. */
  store = NULL;
  options.shard_images = 8;
  options.first_image_id = 1;
  EXPECT_STATUS(SIMDETR_ERROR_RUN_MISMATCH,
                simdetr_proposal_store_create(path, DIMENSIONS, &options, &store, &error));
  EXPECT(store == NULL);
  simdetr_proposals_destroy(proposals);
}

static void read_store(const char *path) {
  simdetr_error_t error;
  simdetr_proposal_store_t *store = NULL;
  simdetr_proposals_t *found = NULL, *expected = NULL;
  simdetr_proposal_store_counts_t counts;
  simdetr_stored_image_t image;
  simdetr_proposals_view_t a, b;
  float rows[2 * DIMENSIONS];
  char name[64];
  size_t length = 0;
  uint64_t index;
  counts.struct_size = sizeof counts;
  image.struct_size = sizeof image;
  a.struct_size = b.struct_size = sizeof a;
  EXPECT_OK(simdetr_proposal_store_open(path, &store, &error));
  EXPECT_OK(simdetr_proposal_store_counts(store, &counts, &error));
  EXPECT(counts.images_count == IMAGES && counts.proposals_count == 2 * (IMAGES - 1));
  EXPECT(counts.dimensions == DIMENSIONS && counts.shards_count == 3);
  EXPECT_OK(simdetr_proposals_create(&found, &error));
  EXPECT_OK(simdetr_proposals_create(&expected, &error));
  for (index = 0; index < IMAGES; index++) {
    EXPECT_OK(simdetr_proposal_store_read(store, index, &image, found, &error));
    EXPECT(image.image_id == index + 1 && image.broken == (index == 2));
    if (image.broken) continue;
    fill(expected, (uint32_t)index + 1);
    EXPECT_OK(simdetr_proposals_view(found, &a, &error));
    EXPECT_OK(simdetr_proposals_view(expected, &b, &error));
    EXPECT(a.count == 2 && memcmp(a.boxes, b.boxes, 32) == 0);
    EXPECT(memcmp(a.vectors, b.vectors, sizeof rows) == 0 && memcmp(a.norms, b.norms, 8) == 0);
    EXPECT_OK(simdetr_proposal_store_vectors_f32(store, image.first_row, 2, rows, &error));
    EXPECT(memcmp(rows, b.vectors, sizeof rows) == 0);
  }
  EXPECT_OK(simdetr_proposal_store_image_path(store, 8, NULL, 0, &length, &error));
  EXPECT(length == sizeof "folder/009.jpg");
  EXPECT_STATUS(SIMDETR_ERROR_BUFFER_TOO_SMALL,
                simdetr_proposal_store_image_path(store, 8, name, 3, &length, &error));
  EXPECT_OK(simdetr_proposal_store_image_path(store, 8, name, sizeof name, &length, &error));
  EXPECT(strcmp(name, "folder/009.jpg") == 0);
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_proposal_store_read(store, 9, &image, found, &error));
  EXPECT_MESSAGE("9 of 9");
  EXPECT_STATUS(SIMDETR_ERROR_SHAPE, simdetr_proposal_store_vectors_f32(store, 15, 2, rows, &error));
  simdetr_proposals_destroy(found);
  simdetr_proposals_destroy(expected);
  simdetr_proposal_store_destroy(store);
}

static void faults(void) {
  static const float box[4] = {0, 0, 4, 4};
  static const float zero[DIMENSIONS] = {0, 0, 0, 0, 0, 0};
  simdetr_error_t error;
  simdetr_proposal_store_t *store = NULL;
  simdetr_proposals_t *proposals = NULL;
  FILE *file;
  EXPECT_OK(simdetr_proposals_create(&proposals, &error));
  EXPECT_STATUS(SIMDETR_ERROR_ZERO_VECTOR,
                simdetr_proposals_assign_f32(proposals, box, NULL, zero, DIMENSIONS, 1, 8, 8, &error));
  simdetr_proposals_destroy(proposals);
  EXPECT_STATUS(SIMDETR_ERROR_FORMAT, simdetr_proposal_store_open("absent", &store, &error));
  file = fopen("first/000002.arrow", "r+");
  EXPECT(file != NULL && fseek(file, 0, SEEK_SET) == 0 && fputs("junk", file) >= 0 && fclose(file) == 0);
  EXPECT_STATUS(SIMDETR_ERROR_FORMAT, simdetr_proposal_store_open("first", &store, &error));
  EXPECT_MESSAGE("000002.arrow");
  EXPECT(store == NULL);
}

int main(void) {
  static const char *const parts[2] = {"second", "first"};
  simdetr_error_t error;
  write_store("first", 1, 8);
  write_store("second", 9, IMAGES);
  EXPECT_OK(simdetr_proposal_store_merge(parts, 2, "all", NULL, &error));
  read_store("all");
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_proposal_store_merge(parts, 0, "none", NULL, &error));
  faults();
  return 0;
}
