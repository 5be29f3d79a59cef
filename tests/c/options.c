/* Option structs: short, long, dirty; unknown numbers, bits and switches; values out of range. */
#include "expect.h"

typedef struct {
  simdetr_extractor_options_t known;
  uint64_t newer;
} longer_t;

static void sizes(void) {
  simdetr_error_t error;
  longer_t options;
  simdetr_extractor_t *extractor = NULL;
  memset(&options, 0, sizeof options);
  simdetr_extractor_options_init(&options.known, sizeof options);
  EXPECT(options.known.struct_size == sizeof options);
  EXPECT_OK(simdetr_extractor_create(NULL, &options.known, &extractor, &error));
  simdetr_extractor_destroy(extractor);
  extractor = NULL;
  options.newer = 1;
  EXPECT_STATUS(SIMDETR_ERROR_UNKNOWN_OPTION, simdetr_extractor_create(NULL, &options.known, &extractor, &error));
  EXPECT_MESSAGE("simdetr_extractor_options_t");
  options.newer = 0;
  options.known.struct_size = sizeof options.known - 8;
  EXPECT_STATUS(SIMDETR_ERROR_STRUCT_SIZE, simdetr_extractor_create(NULL, &options.known, &extractor, &error));
  options.known.struct_size = 0;
  EXPECT_STATUS(SIMDETR_ERROR_STRUCT_SIZE, simdetr_extractor_create(NULL, &options.known, &extractor, &error));
  options.known.struct_size = (size_t)-1;
  EXPECT_STATUS(SIMDETR_ERROR_STRUCT_SIZE, simdetr_extractor_create(NULL, &options.known, &extractor, &error));
  EXPECT(extractor == NULL);
}

static simdetr_status_t with_local(const simdetr_local_options_t *local, simdetr_error_t *error) {
  simdetr_extractor_options_t options;
  simdetr_extractor_t *extractor = NULL;
  simdetr_status_t status;
  simdetr_extractor_options_init(&options, sizeof options);
  options.threads = 1;
  options.proposals = local;
  status = simdetr_extractor_create(NULL, &options, &extractor, error);
  EXPECT((extractor != NULL) == (status == SIMDETR_OK));
  simdetr_extractor_destroy(extractor);
  return status;
}

static void numbers(void) {
  simdetr_error_t error;
  simdetr_local_options_t local;
  int32_t *fields[] = {&local.local_method, &local.affinity,       &local.center,
                       &local.scale,        &local.containment,    &local.overlap_merge,
                       &local.cap_overlap,  &local.semantic_merge, &local.score,
                       &local.cap_order};
  static const int32_t unknown[] = {-1, 99, INT32_MIN, INT32_MAX};
  size_t i, j;
  for (i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    for (j = 0; j < sizeof unknown / sizeof unknown[0]; j++) {
      simdetr_local_options_init(&local, sizeof local);
      *fields[i] = unknown[j];
      EXPECT_STATUS(SIMDETR_ERROR_CONFIG_VALUE, with_local(&local, &error));
    }
    simdetr_local_options_init(&local, sizeof local);
    *fields[i] = 2;
    EXPECT_OK(with_local(&local, &error));
  }
  simdetr_local_options_init(&local, sizeof local);
  local.set_mask = (uint64_t)1 << 40;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, with_local(&local, &error));
  EXPECT_MESSAGE("unknown bits");
  local.set_mask = SIMDETR_LOCAL_SET_TAU | SIMDETR_LOCAL_SET_REGION_SIZE_MIN;
  EXPECT_OK(with_local(&local, &error));
  local.set_mask = SIMDETR_LOCAL_SET_BOX_MARGIN;
  EXPECT_OK(with_local(&local, &error));
  local.box_margin = 1.5F;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, with_local(&local, &error));
  EXPECT_MESSAGE("box_margin");
  simdetr_local_options_init(&local, sizeof local);
  local.affinity_reach = 0.05F;
  EXPECT_OK(with_local(&local, &error));
  local.affinity = SIMDETR_AFFINITY_COSINE_SHIFTED;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, with_local(&local, &error));
  EXPECT_MESSAGE("affinity_reach");
  simdetr_local_options_init(&local, sizeof local);
  local.box_share_max = 0.64F;
  EXPECT_OK(with_local(&local, &error));
  local.box_share_max = 1.5F;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, with_local(&local, &error));
  EXPECT_MESSAGE("box_share_max");
  simdetr_local_options_init(&local, sizeof local);
  local.connectivity = 6;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, with_local(&local, &error));
  EXPECT_MESSAGE("connectivity");
}

static void lists(void) {
  static const uint32_t counts[3] = {2, 4, 8};
  static const uint32_t one[1] = {1};
  static const size_t lengths[2] = {2, 1};
  simdetr_error_t error;
  simdetr_local_options_t local;
  simdetr_local_options_init(&local, sizeof local);
  local.cluster_counts = counts;
  local.cluster_counts_lengths = lengths;
  local.cluster_counts_maps = 2;
  EXPECT_OK(with_local(&local, &error));
  local.cluster_counts = NULL;
  EXPECT_STATUS(SIMDETR_ERROR_NULL_POINTER, with_local(&local, &error));
  local.cluster_counts = one;
  local.cluster_counts_lengths = &lengths[1];
  local.cluster_counts_maps = 1;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, with_local(&local, &error));
  EXPECT_MESSAGE("cluster_counts");
}

static void switches(void) {
  simdetr_error_t error;
  simdetr_evaluator_options_t options;
  simdetr_evaluator_t *evaluator = NULL;
  uint32_t maxima[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  simdetr_evaluator_options_init(&options, sizeof options);
  options.class_agnostic = 2;
  EXPECT_STATUS(SIMDETR_ERROR_CONFIG_VALUE, simdetr_evaluator_create(&options, &evaluator, &error));
  options.class_agnostic = 0;
  options.set_mask = 1;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_evaluator_create(&options, &evaluator, &error));
  options.set_mask = 0;
  options.threads = 5000;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_evaluator_create(&options, &evaluator, &error));
  options.threads = 1;
  options.detections_max = maxima;
  options.detections_max_count = 9;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_evaluator_create(&options, &evaluator, &error));
  maxima[1] = 1;
  options.detections_max_count = 2;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_evaluator_create(&options, &evaluator, &error));
  EXPECT(evaluator == NULL);
}

int main(void) {
  sizes();
  numbers();
  lists();
  switches();
  return 0;
}
