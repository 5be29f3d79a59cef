/* Outputs of the host may be uninitialised: after a call every value of them is written, which
 * valgrind sees, and after a refusal none. */
#include <math.h>

#include "predictions.h"

enum { POINTS = 300, DIMENSIONS = 4, CENTRES = 3, GUARD = 77 };

static float points[POINTS * DIMENSIONS];
static simdetr_error_t error;

/* Memory that nobody has written. */
static void *fresh(size_t bytes) {
  void *memory = malloc(bytes);
  EXPECT(memory != NULL);
  return memory;
}

/* Looks at every byte, and gives the memory back. */
static void written(void *memory, size_t bytes) {
  const unsigned char *values = (const unsigned char *)memory;
  size_t i, odd = 0;
  for (i = 0; i < bytes; i++) {
    if (values[i] & 1) odd++;
  }
  EXPECT(odd <= bytes);
  free(memory);
}

static void labels_and_centroids(void) {
  simdetr_clusterer_options_t options;
  simdetr_clusterer_t *clusterer = NULL;
  int64_t points_shape[2] = {POINTS, DIMENSIONS}, labels_shape[1] = {POINTS};
  uint32_t *labels = (uint32_t *)fresh(POINTS * sizeof *labels);
  int32_t *signed_labels = (int32_t *)fresh(POINTS * sizeof *signed_labels);
  float *centroids = (float *)fresh(CENTRES * DIMENSIONS * sizeof *centroids);
  DLTensor tensor = tensor_of(points, points_shape, 2, kDLFloat);
  DLTensor answer = tensor_of(signed_labels, labels_shape, 1, kDLInt);
  size_t classes, dimensions;
  simdetr_clusterer_options_init(&options, sizeof options);
  options.classes = CENTRES;
  options.threads = 2;
  EXPECT_OK(simdetr_clusterer_create(&options, &clusterer, &error));
  EXPECT_OK(simdetr_clusterer_fit_f32(clusterer, points, POINTS, DIMENSIONS, NULL, NULL, &error));
  EXPECT_OK(simdetr_clusterer_assign_f32(clusterer, points, POINTS, DIMENSIONS, labels, NULL, &error));
  EXPECT_OK(simdetr_clusterer_assign(clusterer, &tensor, &answer, NULL, &error));
  EXPECT(memcmp(labels, signed_labels, POINTS * sizeof *labels) == 0);
  EXPECT_OK(simdetr_clusterer_centroids_f32(clusterer, centroids, CENTRES * DIMENSIONS, &classes, &dimensions, &error));
  written(labels, POINTS * sizeof *labels);
  written(signed_labels, POINTS * sizeof *signed_labels);
  written(centroids, CENTRES * DIMENSIONS * sizeof *centroids);
  simdetr_clusterer_destroy(clusterer);
}

static void pairs(void) {
  float costs[12] = {4, 1, 3, 2, 0, 5, 1, 2, 9, 1, 9, 9};
  int64_t costs_shape[3] = {2, 2, 3}, columns_shape[2] = {2, 2}, queries_shape[2] = {LAYERS, 2};
  int64_t logits_shape[4] = {LAYERS, BATCH, QUERIES, CLASSES}, boxes_shape[4] = {LAYERS, BATCH, QUERIES, 4};
  simdetr_matcher_t *matcher = NULL;
  simdetr_targets_t targets = two_targets();
  int32_t *columns = (int32_t *)fresh(4 * sizeof *columns), *plain = (int32_t *)fresh(4 * sizeof *plain);
  int32_t *queries = (int32_t *)fresh(LAYERS * 2 * sizeof *queries);
  int32_t *again = (int32_t *)fresh(LAYERS * 2 * sizeof *again);
  uint64_t *unmatched = (uint64_t *)fresh(sizeof *unmatched);
  DLTensor given = tensor_of(costs, costs_shape, 3, kDLFloat), answer = tensor_of(columns, columns_shape, 2, kDLInt);
  DLTensor first = tensor_of(logits, logits_shape, 4, kDLFloat), second = tensor_of(boxes, boxes_shape, 4, kDLFloat);
  DLTensor found = tensor_of(again, queries_shape, 2, kDLInt);
  EXPECT_OK(simdetr_matcher_create(NULL, &matcher, &error));
  EXPECT_OK(simdetr_matcher_assign(matcher, &given, NULL, &answer, &error));
  EXPECT_OK(simdetr_matcher_assign_f32(matcher, costs, 2, 2, 3, NULL, plain, &error));
  EXPECT(memcmp(columns, plain, 4 * sizeof *plain) == 0);
  EXPECT_OK(simdetr_matcher_match_f32(matcher, logits, boxes, LAYERS, BATCH, QUERIES, CLASSES, &targets, NULL, queries,
                                      unmatched, &error));
  EXPECT_OK(simdetr_matcher_match(matcher, &first, &second, &targets, NULL, &found, NULL, &error));
  EXPECT(memcmp(queries, again, LAYERS * 2 * sizeof *again) == 0 && *unmatched == 0);
  written(columns, 4 * sizeof *columns);
  written(plain, 4 * sizeof *plain);
  written(queries, LAYERS * 2 * sizeof *queries);
  written(again, LAYERS * 2 * sizeof *again);
  free(unmatched);
  simdetr_matcher_destroy(matcher);
}

/* A refusal comes before the first value is written, so that what was there is there. */
static void gradients(void) {
  enum { LOGITS = ROWS * CLASSES, BOXES = ROWS * 4 };
  simdetr_criterion_t *criterion = NULL;
  simdetr_targets_t targets = two_targets();
  int64_t logits_shape[4] = {LAYERS, BATCH, QUERIES, CLASSES}, boxes_shape[4] = {LAYERS, BATCH, QUERIES, 4};
  float *of_logits = (float *)fresh(LOGITS * sizeof(float)), *of_boxes = (float *)fresh(BOXES * sizeof(float));
  float *tensor_logits = (float *)fresh(LOGITS * sizeof(float)), *tensor_boxes = (float *)fresh(BOXES * sizeof(float));
  double *layers = (double *)fresh(LAYERS * SIMDETR_LAYER_LOSSES_COUNT * sizeof(double));
  int32_t *queries = (int32_t *)fresh(LAYERS * 2 * sizeof *queries);
  DLTensor tensors[4];
  float kept = logits[3];
  size_t i, count = 0;
  EXPECT_OK(simdetr_criterion_create(NULL, &criterion, &error));
  for (i = 0; i < LOGITS; i++) tensor_logits[i] = GUARD;
  for (i = 0; i < BOXES; i++) tensor_boxes[i] = GUARD;
  tensors[0] = tensor_of(logits, logits_shape, 4, kDLFloat);
  tensors[1] = tensor_of(boxes, boxes_shape, 4, kDLFloat);
  tensors[2] = tensor_of(tensor_logits, logits_shape, 4, kDLFloat);
  tensors[3] = tensor_of(tensor_boxes, boxes_shape, 4, kDLFloat);
  logits[3] = (float)HUGE_VAL;
  EXPECT_STATUS(SIMDETR_ERROR_NON_FINITE,
                simdetr_criterion_evaluate(criterion, &tensors[0], &tensors[1], &targets, 0, NULL, &tensors[2],
                                           &tensors[3], NULL, &error));
  for (i = 0; i < LOGITS; i++) EXPECT(tensor_logits[i] == GUARD);
  for (i = 0; i < BOXES; i++) EXPECT(tensor_boxes[i] == GUARD);
  logits[3] = kept;
  EXPECT_OK(simdetr_criterion_evaluate(criterion, &tensors[0], &tensors[1], &targets, 0, NULL, &tensors[2], &tensors[3],
                                       NULL, &error));
  EXPECT_OK(simdetr_criterion_evaluate_f32(criterion, logits, boxes, LAYERS, BATCH, QUERIES, CLASSES, &targets, 0, NULL,
                                           of_logits, of_boxes, NULL, &error));
  EXPECT(memcmp(of_logits, tensor_logits, LOGITS * sizeof(float)) == 0);
  EXPECT(memcmp(of_boxes, tensor_boxes, BOXES * sizeof(float)) == 0);
  EXPECT_OK(simdetr_criterion_layer_losses(criterion, layers, LAYERS, &count, &error));
  EXPECT_OK(simdetr_criterion_matches(criterion, queries, LAYERS * 2, &count, &error));
  written(of_logits, LOGITS * sizeof(float));
  written(of_boxes, BOXES * sizeof(float));
  written(tensor_logits, LOGITS * sizeof(float));
  written(tensor_boxes, BOXES * sizeof(float));
  written(layers, LAYERS * SIMDETR_LAYER_LOSSES_COUNT * sizeof(double));
  written(queries, LAYERS * 2 * sizeof *queries);
  simdetr_criterion_destroy(criterion);
}

/* A set of two proposals, copied out, drawn, kept in a store and read from it. */
static void proposals(void) {
  static const float two[8] = {0, 0, 10, 10, 4, 4, 20, 20};
  simdetr_proposals_t *set = NULL;
  simdetr_proposal_store_t *store = NULL;
  int64_t shape[2] = {2, DIMENSIONS};
  float *copied = (float *)fresh(sizeof two), *scores = (float *)fresh(2 * sizeof *scores);
  float *vectors = (float *)fresh(2 * DIMENSIONS * sizeof *vectors), *stored = (float *)fresh(2 * DIMENSIONS * sizeof *stored);
  float *tensor_vectors = (float *)fresh(2 * DIMENSIONS * sizeof(float));
  int32_t *levels = (int32_t *)fresh(2 * sizeof *levels), *cluster_counts = (int32_t *)fresh(2 * sizeof *cluster_counts);
  uint8_t *mask;
  char *path = (char *)fresh(6);
  DLTensor target = tensor_of(tensor_vectors, shape, 2, kDLFloat);
  size_t count = 0;
  uint32_t id = 0;
  EXPECT_OK(simdetr_proposals_create(&set, &error));
  EXPECT_OK(simdetr_proposals_assign_f32(set, two, NULL, points, DIMENSIONS, 2, 32, 24, &error));
  EXPECT_OK(simdetr_proposals_copy_f32(set, copied, scores, levels, cluster_counts, vectors, DIMENSIONS, 2, &count, &error));
  EXPECT_OK(simdetr_proposals_copy_tensor(set, SIMDETR_FIELD_VECTORS, &target, &error));
  EXPECT_OK(simdetr_proposals_mask(set, 1, NULL, 0, &count, &error));
  mask = (uint8_t *)fresh(count);
  EXPECT_OK(simdetr_proposals_mask(set, 1, mask, count, &count, &error));
  written(mask, count);
  EXPECT_OK(simdetr_proposal_store_create("store", DIMENSIONS, NULL, &store, &error));
  EXPECT_OK(simdetr_proposal_store_append(store, "a.jpg", 32, 24, set, &id, &error));
  EXPECT_OK(simdetr_proposal_store_finish(store, &error));
  EXPECT_OK(simdetr_proposal_store_vectors_f32(store, 0, 2, stored, &error));
  EXPECT_OK(simdetr_proposal_store_image_path(store, 0, path, 6, &count, &error));
  EXPECT(count == 6 && strcmp(path, "a.jpg") == 0);
  written(copied, sizeof two);
  written(scores, 2 * sizeof *scores);
  written(levels, 2 * sizeof *levels);
  written(cluster_counts, 2 * sizeof *cluster_counts);
  written(vectors, 2 * DIMENSIONS * sizeof *vectors);
  written(tensor_vectors, 2 * DIMENSIONS * sizeof(float));
  written(stored, 2 * DIMENSIONS * sizeof *stored);
  free(path);
  simdetr_proposal_store_destroy(store);
  simdetr_proposals_destroy(set);
}

int main(void) {
  size_t i;
  for (i = 0; i < POINTS * DIMENSIONS; i++) {
    points[i] = (i % DIMENSIONS == i / DIMENSIONS % CENTRES ? 3.0f : 0.1f) + (float)(i * 37 % 101) / 101.0f;
  }
  fill_predictions();
  labels_and_centroids();
  pairs();
  gradients();
  proposals();
  return 0;
}
