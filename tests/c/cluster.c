/* Global clustering: whole and in steps (four shards, summed in another order, give the bits of the
 * single run), labels in every form, save and load, T_0; faults are named. */
#include "expect.h"

enum { ROWS = 400, DIMENSIONS = 8, CLASSES = 5, ROUNDS = 4 };

static float rows[ROWS * DIMENSIONS];

static void fill(void) {
  unsigned state = 1;
  int row, d;
  for (row = 0; row < ROWS; row++) {
    for (d = 0; d < DIMENSIONS; d++) {
      state = state * 1664525u + 1013904223u;
      rows[row * DIMENSIONS + d] = (d == row % CLASSES ? 3.0f : 0.0f) + (float)(state >> 8) / 16777216.0f;
    }
  }
}

static simdetr_clusterer_t *new_clusterer(int32_t metric) {
  simdetr_error_t error;
  simdetr_clusterer_options_t options;
  simdetr_clusterer_t *clusterer = NULL;
  simdetr_clusterer_options_init(&options, sizeof options);
  options.classes = CLASSES;
  options.rounds = ROUNDS;
  options.metric = metric;
  options.threads = 1;
  EXPECT_OK(simdetr_clusterer_create(&options, &clusterer, &error));
  return clusterer;
}

static void centroids_of(const simdetr_clusterer_t *clusterer, float *values) {
  simdetr_error_t error;
  size_t classes = 0, dimensions = 0;
  EXPECT_OK(simdetr_clusterer_centroids_f32(clusterer, NULL, 0, &classes, &dimensions, &error));
  EXPECT(classes == CLASSES && dimensions == DIMENSIONS);
  EXPECT_OK(simdetr_clusterer_centroids_f32(clusterer, values, CLASSES * DIMENSIONS, &classes, &dimensions, &error));
}

static void steps_equal_the_whole(int32_t metric) {
  static const size_t first[5] = {0, 150, 151, 300, ROWS};
  static const int order[4] = {2, 0, 3, 1};
  simdetr_error_t error;
  simdetr_cluster_report_t report;
  simdetr_clusterer_t *whole = new_clusterer(metric), *steps = new_clusterer(metric);
  float expected[CLASSES * DIMENSIONS], found[CLASSES * DIMENSIONS];
  float magnitude = metric == SIMDETR_METRIC_EUCLIDEAN ? 4.0f : 0.0f;
  int round, i;
  report.struct_size = sizeof report;
  EXPECT_OK(simdetr_clusterer_seed_f32(steps, rows, ROWS, DIMENSIONS, NULL, &error));
  EXPECT_OK(simdetr_clusterer_fit_f32(whole, rows, ROWS, DIMENSIONS, NULL, &report, &error));
  EXPECT(report.rounds_count >= 1 && report.rounds_count <= ROUNDS && report.objective > 0);
  for (round = 0; round < ROUNDS; round++) {
    simdetr_accumulator_t *sums = NULL;
    EXPECT_OK(simdetr_accumulator_create(steps, magnitude, &sums, &error));
    for (i = 0; i < 4; i++) {
      simdetr_accumulator_t *shard = NULL;
      size_t from = first[order[i]], to = first[order[i] + 1];
      EXPECT_OK(simdetr_accumulator_create(steps, magnitude, &shard, &error));
      EXPECT_OK(simdetr_clusterer_accumulate_f32(steps, rows + from * DIMENSIONS, to - from, DIMENSIONS, NULL, shard, &error));
      if (i % 2 == 0) {
        EXPECT_OK(simdetr_accumulator_merge(sums, shard, &error));
      } else { /* as an all-reduce would add them */
        int64_t *target = NULL, *source = NULL;
        size_t count = 0, other = 0, k;
        EXPECT_OK(simdetr_accumulator_values(sums, &target, &count, &error));
        EXPECT_OK(simdetr_accumulator_values(shard, &source, &other, &error));
        EXPECT(count == other && count == CLASSES * DIMENSIONS + CLASSES + 1);
        for (k = 0; k < count; k++) target[k] += source[k];
      }
      simdetr_accumulator_destroy(shard);
    }
    EXPECT_OK(simdetr_clusterer_update(steps, sums, &report, &error));
    EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_accumulator_merge(sums, sums, &error));
    EXPECT_OK(simdetr_accumulator_clear(sums, &error));
    simdetr_accumulator_destroy(sums);
  }
  centroids_of(whole, expected);
  centroids_of(steps, found);
  if (metric == SIMDETR_METRIC_SPHERICAL) EXPECT(memcmp(expected, found, sizeof found) == 0);
  for (i = 0; i < CLASSES * DIMENSIONS; i++) EXPECT(found[i] - expected[i] < 1e-5f && expected[i] - found[i] < 1e-5f);
  simdetr_clusterer_destroy(whole);
  simdetr_clusterer_destroy(steps);
}

static void describe(DLTensor *tensor, void *values, int64_t *shape, int32_t ndim, uint8_t code) {
  memset(tensor, 0, sizeof *tensor);
  tensor->data = values;
  tensor->device.device_type = kDLCPU;
  tensor->ndim = ndim;
  tensor->dtype.code = code;
  tensor->dtype.bits = 32;
  tensor->dtype.lanes = 1;
  tensor->shape = shape;
}

static void answers(void) {
  simdetr_error_t error;
  simdetr_clusterer_t *clusterer = new_clusterer(SIMDETR_METRIC_SPHERICAL), *loaded = NULL;
  struct DLManagedTensorVersioned *owned = NULL;
  uint32_t labels[ROWS], again[ROWS];
  int32_t signed_labels[ROWS];
  float centroids[CLASSES * DIMENSIONS], small[2] = {-9, -9};
  int64_t vectors_shape[2] = {ROWS, DIMENSIONS}, labels_shape[1] = {ROWS}, short_shape[1] = {ROWS - 1};
  size_t classes = 0, dimensions = 0;
  uint64_t bytes = 0;
  DLTensor vectors, target;
  int i;
  describe(&vectors, rows, vectors_shape, 2, 2);
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT,
                simdetr_clusterer_assign_f32(clusterer, rows, ROWS, DIMENSIONS, labels, NULL, &error));
  EXPECT_MESSAGE("no centroids");
  EXPECT_OK(simdetr_clusterer_fit(clusterer, &vectors, NULL, NULL, &error));
  EXPECT_OK(simdetr_clusterer_assign_f32(clusterer, rows, ROWS, DIMENSIONS, labels, NULL, &error));
  for (i = CLASSES; i < ROWS; i++) EXPECT(labels[i] < CLASSES);
  describe(&target, signed_labels, labels_shape, 1, 0);
  EXPECT_OK(simdetr_clusterer_assign(clusterer, &vectors, &target, NULL, &error));
  for (i = 0; i < ROWS; i++) EXPECT((uint32_t)signed_labels[i] == labels[i]);
  target.shape = short_shape;
  EXPECT_STATUS(SIMDETR_ERROR_SHAPE, simdetr_clusterer_assign(clusterer, &vectors, &target, NULL, &error));
  EXPECT_OK(simdetr_clusterer_save(clusterer, "clusters.safetensors", &error));
  EXPECT_OK(simdetr_clusterer_load("clusters.safetensors", NULL, &loaded, &error));
  EXPECT_OK(simdetr_clusterer_assign_f32(loaded, rows, ROWS, DIMENSIONS, again, NULL, &error));
  EXPECT(memcmp(labels, again, sizeof labels) == 0);
  centroids_of(loaded, centroids);
  EXPECT_STATUS(SIMDETR_ERROR_BUFFER_TOO_SMALL,
                simdetr_clusterer_centroids_f32(loaded, small, 2, &classes, &dimensions, &error));
  EXPECT(small[0] == -9 && classes == CLASSES);
  EXPECT_OK(simdetr_clusterer_export_centroids(loaded, &owned, &error));
  EXPECT_OK(simdetr_clusterer_memory_bytes(loaded, &bytes, &error));
  EXPECT(bytes >= sizeof centroids);
  simdetr_clusterer_destroy(loaded);
  EXPECT(memcmp(owned->dl_tensor.data, centroids, sizeof centroids) == 0);
  owned->deleter(owned);
  EXPECT_OK(simdetr_clusterer_set_centroids_f32(clusterer, centroids, CLASSES, DIMENSIONS, &error));
  EXPECT_OK(simdetr_clusterer_assign_f32(clusterer, rows, ROWS, DIMENSIONS, again, NULL, &error));
  EXPECT(memcmp(labels, again, sizeof labels) == 0);
  simdetr_clusterer_destroy(clusterer);
}

static void store(void) {
  static const float box[4] = {1, 2, 20, 20};
  simdetr_error_t error;
  simdetr_proposal_store_t *store = NULL;
  simdetr_proposals_t *proposals = NULL;
  simdetr_clusterer_t *clusterer = new_clusterer(SIMDETR_METRIC_SPHERICAL), *steps = new_clusterer(SIMDETR_METRIC_SPHERICAL);
  simdetr_accumulator_t *sums = NULL;
  uint32_t labels[ROWS];
  char name[32];
  FILE *file;
  int i;
  EXPECT_OK(simdetr_proposal_store_create("store", DIMENSIONS, NULL, &store, &error));
  EXPECT_OK(simdetr_proposals_create(&proposals, &error));
  for (i = 0; i < ROWS; i++) {
    sprintf(name, "%04d.png", i);
    EXPECT_OK(simdetr_proposals_assign_f32(proposals, box, NULL, rows + i * DIMENSIONS, DIMENSIONS, 1, 32, 32, &error));
    EXPECT_OK(simdetr_proposal_store_append(store, name, 32, 32, proposals, NULL, &error));
  }
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_clusterer_fit_store(clusterer, store, NULL, NULL, &error));
  EXPECT_OK(simdetr_proposal_store_finish(store, &error));
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_proposal_store_export_coco(store, clusterer, "T0.json", NULL, &error));
  EXPECT_OK(simdetr_clusterer_fit_store(clusterer, store, NULL, NULL, &error));
  EXPECT_OK(simdetr_clusterer_assign_store(clusterer, store, labels, ROWS, NULL, &error));
  EXPECT_STATUS(SIMDETR_ERROR_SHAPE, simdetr_clusterer_assign_store(clusterer, store, labels, 3, NULL, &error));
  EXPECT_OK(simdetr_clusterer_seed_store(steps, store, NULL, &error));
  EXPECT_OK(simdetr_accumulator_create(steps, 0, &sums, &error));
  EXPECT_OK(simdetr_clusterer_accumulate_store(steps, store, 0, ROWS, NULL, sums, &error));
  EXPECT_STATUS(SIMDETR_ERROR_SHAPE, simdetr_clusterer_accumulate_store(steps, store, 1, ROWS, NULL, sums, &error));
  simdetr_accumulator_destroy(sums);
  EXPECT_OK(simdetr_proposal_store_export_coco(store, clusterer, "T0.json", NULL, &error));
  file = fopen("T0.json", "r");
  EXPECT(file != NULL && fgetc(file) == '{' && fclose(file) == 0);
  simdetr_proposals_destroy(proposals);
  simdetr_proposal_store_destroy(store);
  simdetr_clusterer_destroy(clusterer);
  simdetr_clusterer_destroy(steps);
}

static int32_t stop(void *user_data, const char *step, uint64_t done, uint64_t total) {
  (void)step, (void)done, (void)total;
  ++*(int *)user_data;
  return -5;
}

static void faults(void) {
  simdetr_error_t error;
  simdetr_clusterer_t *clusterer = new_clusterer(SIMDETR_METRIC_SPHERICAL);
  simdetr_run_options_t run;
  simdetr_cluster_report_t report;
  float broken[2 * CLASSES * DIMENSIONS];
  size_t classes = 0, dimensions = 0;
  int calls = 0;
  EXPECT_STATUS(SIMDETR_ERROR_TOO_FEW_POINTS,
                simdetr_clusterer_fit_f32(clusterer, rows, CLASSES - 1, DIMENSIONS, NULL, NULL, &error));
  EXPECT_MESSAGE("5 asked for");
  EXPECT_MESSAGE("4 vectors");
  memcpy(broken, rows, sizeof broken);
  broken[DIMENSIONS] = (float)(1e300 * 1e300);
  EXPECT_STATUS(SIMDETR_ERROR_NON_FINITE,
                simdetr_clusterer_fit_f32(clusterer, broken, 2 * CLASSES, DIMENSIONS, NULL, NULL, &error));
  memset(broken + DIMENSIONS, 0, DIMENSIONS * sizeof(float));
  EXPECT_STATUS(SIMDETR_ERROR_ZERO_VECTOR,
                simdetr_clusterer_fit_f32(clusterer, broken, 2 * CLASSES, DIMENSIONS, NULL, NULL, &error));
  EXPECT_STATUS(SIMDETR_ERROR_SHAPE, simdetr_clusterer_fit_f32(clusterer, rows, ROWS, 0, NULL, NULL, &error));
  simdetr_run_options_init(&run, sizeof run);
  run.progress = stop;
  run.progress_user_data = &calls;
  EXPECT_STATUS(-5, simdetr_clusterer_fit_f32(clusterer, rows, ROWS, DIMENSIONS, &run, NULL, &error));
  EXPECT(calls == 1);
  memset(&report, 0, sizeof report);
  EXPECT_STATUS(SIMDETR_ERROR_STRUCT_SIZE,
                simdetr_clusterer_fit_f32(clusterer, rows, ROWS, DIMENSIONS, NULL, &report, &error));
  /* Nothing of the failed calls is left. */
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT,
                simdetr_clusterer_centroids_f32(clusterer, NULL, 0, &classes, &dimensions, &error));
  simdetr_clusterer_destroy(clusterer);
  clusterer = NULL;
  EXPECT_STATUS(SIMDETR_ERROR_IO, simdetr_clusterer_load("absent", NULL, &clusterer, &error));
  EXPECT(clusterer == NULL);
}

int main(void) {
  fill();
  steps_equal_the_whole(SIMDETR_METRIC_SPHERICAL);
  steps_equal_the_whole(SIMDETR_METRIC_EUCLIDEAN);
  answers();
  store();
  faults();
  return 0;
}
