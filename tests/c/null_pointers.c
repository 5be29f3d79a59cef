/* NULL in each pointer argument of each function: refused by name where something must be there,
 * and never a crash. */
#include "expect.h"

#define REFUSED(call) EXPECT_STATUS(SIMDETR_ERROR_NULL_POINTER, call)

static float values[64];
static int64_t ids[4];
static uint32_t labels[4];
static simdetr_error_t error;

static void tokens_and_encoders(void) {
  simdetr_encoder_t *encoder = NULL;
  simdetr_encoder_callback_t callback;
  size_t count;
  uint64_t bytes;
  simdetr_encoder_callback_init(&callback, sizeof callback);
  REFUSED(simdetr_cancel_token_create(NULL, &error));
  REFUSED(simdetr_cancel_token_cancel(NULL, &error));
  REFUSED(simdetr_encoder_create(NULL, NULL, &error));
  REFUSED(simdetr_encoder_create_from_memory(NULL, 4, NULL, &encoder, &error));
  REFUSED(simdetr_encoder_create_from_memory((const uint8_t *)"abcd", 4, NULL, NULL, &error));
  REFUSED(simdetr_encoder_create_from_callback(NULL, &encoder, &error));
  REFUSED(simdetr_encoder_create_from_callback(&callback, &encoder, &error));
  REFUSED(simdetr_encoder_create_from_callback(&callback, NULL, &error));
  callback.name = "x";
  REFUSED(simdetr_encoder_create_from_callback(&callback, &encoder, &error));
  REFUSED(simdetr_encoder_maps(NULL, NULL, 0, &count, &error));
  REFUSED(simdetr_encoder_memory_bytes(NULL, &bytes, &error));
  EXPECT(encoder == NULL);
}

static int32_t never(void *user_data, const simdetr_image_t *image, const simdetr_map_t *maps, size_t maps_count) {
  (void)user_data;
  (void)image;
  (void)maps;
  (void)maps_count;
  return -1;
}

static void feature_maps(void) {
  static const size_t channels[1] = {1}, strides[1] = {32};
  simdetr_feature_maps_t *maps = NULL;
  simdetr_encoder_t *encoder = NULL;
  simdetr_encoder_callback_t callback;
  simdetr_extractor_t *extractor = NULL;
  simdetr_proposals_t *proposals = NULL;
  simdetr_image_geometry_t geometry;
  simdetr_image_t image;
  struct DLManagedTensorVersioned *owned = NULL;
  struct DLManagedTensor *legacy = NULL;
  DLTensor tensor;
  size_t count = 0;
  uint64_t bytes = 0;
  simdetr_image_init(&image, sizeof image);
  memset(&tensor, 0, sizeof tensor);
  geometry.struct_size = sizeof geometry;
  simdetr_encoder_callback_init(&callback, sizeof callback);
  callback.name = "never";
  callback.encode = never;
  callback.channels = channels;
  callback.strides = strides;
  callback.maps_count = 1;
  EXPECT_OK(simdetr_encoder_create_from_callback(&callback, &encoder, &error));
  REFUSED(simdetr_feature_maps_create(NULL, &error));
  EXPECT_OK(simdetr_feature_maps_create(&maps, &error));
  EXPECT_OK(simdetr_extractor_create(NULL, NULL, &extractor, &error));
  EXPECT_OK(simdetr_proposals_create(&proposals, &error));
  REFUSED(simdetr_feature_maps_memory_bytes(NULL, &bytes, &error));
  REFUSED(simdetr_feature_maps_memory_bytes(maps, NULL, &error));
  REFUSED(simdetr_feature_maps_view(NULL, NULL, 0, &count, &error));
  REFUSED(simdetr_feature_maps_view(maps, NULL, 0, NULL, &error));
  REFUSED(simdetr_feature_maps_geometry(NULL, &geometry, &error));
  REFUSED(simdetr_feature_maps_copy_tensor(NULL, 0, &tensor, &error));
  REFUSED(simdetr_feature_maps_export_tensor(NULL, 0, &owned, &error));
  REFUSED(simdetr_feature_maps_export_tensor(maps, 0, NULL, &error));
  REFUSED(simdetr_feature_maps_export_tensor_legacy(NULL, 0, &legacy, &error));
  REFUSED(simdetr_feature_maps_export_tensor_legacy(maps, 0, NULL, &error));
  REFUSED(simdetr_encoder_encode_image(NULL, &image, NULL, NULL, maps, &error));
  REFUSED(simdetr_encoder_encode_image(encoder, NULL, NULL, NULL, maps, &error));
  REFUSED(simdetr_encoder_encode_image(encoder, &image, NULL, NULL, NULL, &error));
  REFUSED(simdetr_encoder_encode_bytes(NULL, (const uint8_t *)"abcd", 4, NULL, NULL, maps, &error));
  REFUSED(simdetr_encoder_encode_bytes(encoder, NULL, 4, NULL, NULL, maps, &error));
  REFUSED(simdetr_encoder_encode_bytes(encoder, (const uint8_t *)"abcd", 4, NULL, NULL, NULL, &error));
  REFUSED(simdetr_encoder_encode_tensor(NULL, &tensor, NULL, NULL, maps, &error));
  REFUSED(simdetr_encoder_encode_tensor(encoder, NULL, NULL, NULL, maps, &error));
  REFUSED(simdetr_encoder_encode_tensor(encoder, &tensor, NULL, NULL, NULL, &error));
  REFUSED(simdetr_extractor_extract_feature_maps(NULL, maps, 1, NULL, proposals, &error));
  REFUSED(simdetr_extractor_extract_feature_maps(extractor, NULL, 1, NULL, proposals, &error));
  REFUSED(simdetr_extractor_extract_feature_maps(extractor, maps, 1, NULL, NULL, &error));
  simdetr_feature_maps_destroy(NULL);
  simdetr_feature_maps_destroy(maps);
  simdetr_encoder_destroy(encoder);
  simdetr_extractor_destroy(extractor);
  simdetr_proposals_destroy(proposals);
}

static void extractors(void) {
  static const size_t strides[1] = {32}, shape[3] = {2, 2, 2};
  simdetr_extractor_t *extractor = NULL;
  simdetr_proposals_t *proposals = NULL;
  simdetr_image_geometry_t geometry;
  simdetr_image_t image;
  const DLTensor *map = NULL;
  DLTensor tensor;
  uint64_t bytes;
  simdetr_image_geometry_init(&geometry, sizeof geometry);
  simdetr_image_init(&image, sizeof image);
  memset(&tensor, 0, sizeof tensor);
  REFUSED(simdetr_extractor_create(NULL, NULL, NULL, &error));
  EXPECT_OK(simdetr_extractor_create(NULL, NULL, &extractor, &error));
  EXPECT_OK(simdetr_proposals_create(&proposals, &error));
  REFUSED(simdetr_extractor_memory_bytes(NULL, &bytes, &error));
  REFUSED(simdetr_extractor_memory_bytes(extractor, NULL, &error));
  REFUSED(simdetr_extractor_extract_maps(NULL, &map, strides, 1, &geometry, NULL, proposals, &error));
  REFUSED(simdetr_extractor_extract_maps(extractor, NULL, strides, 1, &geometry, NULL, proposals, &error));
  REFUSED(simdetr_extractor_extract_maps(extractor, &map, NULL, 1, &geometry, NULL, proposals, &error));
  REFUSED(simdetr_extractor_extract_maps(extractor, &map, strides, 1, NULL, NULL, proposals, &error));
  REFUSED(simdetr_extractor_extract_maps(extractor, &map, strides, 1, &geometry, NULL, NULL, &error));
  REFUSED(simdetr_extractor_extract_maps(extractor, &map, strides, 1, &geometry, NULL, proposals, &error));
  EXPECT_MESSAGE("maps[0]");
  REFUSED(simdetr_extractor_extract_maps_f32(NULL, values, 8, shape, strides, 1, &geometry, NULL, proposals, &error));
  REFUSED(simdetr_extractor_extract_maps_f32(extractor, NULL, 8, shape, strides, 1, &geometry, NULL, proposals, &error));
  REFUSED(simdetr_extractor_extract_maps_f32(extractor, values, 8, NULL, strides, 1, &geometry, NULL, proposals, &error));
  REFUSED(simdetr_extractor_extract_maps_f32(extractor, values, 8, shape, NULL, 1, &geometry, NULL, proposals, &error));
  REFUSED(simdetr_extractor_extract_maps_f32(extractor, values, 8, shape, strides, 1, NULL, NULL, proposals, &error));
  REFUSED(simdetr_extractor_extract_maps_f32(extractor, values, 8, shape, strides, 1, &geometry, NULL, NULL, &error));
  REFUSED(simdetr_extractor_extract_image(NULL, &image, 1, NULL, proposals, &error));
  REFUSED(simdetr_extractor_extract_image(extractor, NULL, 1, NULL, proposals, &error));
  REFUSED(simdetr_extractor_extract_image(extractor, &image, 1, NULL, NULL, &error));
  image.width = image.height = 2;
  REFUSED(simdetr_extractor_extract_image(extractor, &image, 1, NULL, proposals, &error));
  REFUSED(simdetr_extractor_extract_encoded(NULL, (const uint8_t *)"a", 1, 1, NULL, proposals, &error));
  REFUSED(simdetr_extractor_extract_encoded(extractor, NULL, 1, 1, NULL, proposals, &error));
  REFUSED(simdetr_extractor_extract_encoded(extractor, (const uint8_t *)"a", 1, 1, NULL, NULL, &error));
  REFUSED(simdetr_extractor_extract_tensor(NULL, &tensor, 1, NULL, proposals, &error));
  REFUSED(simdetr_extractor_extract_tensor(extractor, NULL, 1, NULL, proposals, &error));
  REFUSED(simdetr_extractor_extract_tensor(extractor, &tensor, 1, NULL, NULL, &error));
  REFUSED(simdetr_extractor_extract_batch(NULL, NULL, 0, 1, NULL, NULL, &error));
  REFUSED(simdetr_extractor_extract_batch(extractor, NULL, 1, 1, NULL, &proposals, &error));
  REFUSED(simdetr_extractor_extract_folder(NULL, "a", "b", NULL, 0, NULL, NULL, &error));
  REFUSED(simdetr_extractor_extract_folder(extractor, NULL, "b", NULL, 0, NULL, NULL, &error));
  REFUSED(simdetr_extractor_extract_folder(extractor, "a", NULL, NULL, 0, NULL, NULL, &error));
  simdetr_proposals_destroy(proposals);
  simdetr_extractor_destroy(extractor);
}

static void proposal_sets(void) {
  simdetr_proposals_t *proposals = NULL;
  simdetr_proposals_view_t view;
  struct DLManagedTensorVersioned *owned = NULL;
  struct DLManagedTensor *legacy = NULL;
  DLTensor target;
  uint8_t mask[1];
  size_t count;
  uint64_t bytes;
  memset(&target, 0, sizeof target);
  view.struct_size = sizeof view;
  REFUSED(simdetr_proposals_create(NULL, &error));
  EXPECT_OK(simdetr_proposals_create(&proposals, &error));
  REFUSED(simdetr_proposals_view(NULL, &view, &error));
  REFUSED(simdetr_proposals_view(proposals, NULL, &error));
  REFUSED(simdetr_proposals_memory_bytes(NULL, &bytes, &error));
  REFUSED(simdetr_proposals_memory_bytes(proposals, NULL, &error));
  REFUSED(simdetr_proposals_copy_f32(NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, &count, &error));
  REFUSED(simdetr_proposals_copy_f32(proposals, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, &error));
  REFUSED(simdetr_proposals_assign_f32(NULL, values, NULL, values, 2, 1, 4, 4, &error));
  REFUSED(simdetr_proposals_assign_f32(proposals, NULL, NULL, values, 2, 1, 4, 4, &error));
  REFUSED(simdetr_proposals_assign_f32(proposals, values, NULL, NULL, 2, 1, 4, 4, &error));
  REFUSED(simdetr_proposals_copy_tensor(NULL, 1, &target, &error));
  REFUSED(simdetr_proposals_copy_tensor(proposals, 1, NULL, &error));
  REFUSED(simdetr_proposals_export_tensor(NULL, 1, &owned, &error));
  REFUSED(simdetr_proposals_export_tensor(proposals, 1, NULL, &error));
  REFUSED(simdetr_proposals_export_tensor_legacy(NULL, 1, &legacy, &error));
  REFUSED(simdetr_proposals_export_tensor_legacy(proposals, 1, NULL, &error));
  REFUSED(simdetr_proposals_mask(NULL, 0, mask, 1, &count, &error));
  values[2] = values[3] = 3;
  EXPECT_OK(simdetr_proposals_assign_f32(proposals, values, NULL, values + 2, 2, 1, 4, 4, &error));
  REFUSED(simdetr_proposals_mask(proposals, 0, mask, 1, NULL, &error));
  REFUSED(simdetr_proposals_mask(proposals, 0, NULL, 1, &count, &error));
  simdetr_proposals_destroy(proposals);
}

static void stores(void) {
  static const char *const none[1] = {NULL};
  simdetr_proposal_store_t *store = NULL;
  simdetr_proposal_store_counts_t counts;
  size_t count;
  uint64_t bytes;
  char path[8];
  counts.struct_size = sizeof counts;
  REFUSED(simdetr_proposal_store_create(NULL, 2, NULL, &store, &error));
  REFUSED(simdetr_proposal_store_create("s", 2, NULL, NULL, &error));
  REFUSED(simdetr_proposal_store_open(NULL, &store, &error));
  REFUSED(simdetr_proposal_store_open("s", NULL, &error));
  REFUSED(simdetr_proposal_store_append(NULL, "a", 1, 1, NULL, NULL, &error));
  REFUSED(simdetr_proposal_store_finish(NULL, &error));
  REFUSED(simdetr_proposal_store_counts(NULL, &counts, &error));
  REFUSED(simdetr_proposal_store_memory_bytes(NULL, &bytes, &error));
  REFUSED(simdetr_proposal_store_read(NULL, 0, NULL, NULL, &error));
  REFUSED(simdetr_proposal_store_image_path(NULL, 0, path, 8, &count, &error));
  REFUSED(simdetr_proposal_store_vectors_f32(NULL, 0, 1, values, &error));
  REFUSED(simdetr_proposal_store_merge(NULL, 1, "t", NULL, &error));
  REFUSED(simdetr_proposal_store_merge(none, 1, "t", NULL, &error));
  EXPECT_MESSAGE("sources[0]");
  REFUSED(simdetr_proposal_store_merge(none, 0, NULL, NULL, &error));
  EXPECT_OK(simdetr_proposal_store_create("s", 2, NULL, &store, &error));
  REFUSED(simdetr_proposal_store_append(store, NULL, 1, 1, NULL, NULL, &error));
  REFUSED(simdetr_proposal_store_memory_bytes(store, NULL, &error));
  EXPECT_OK(simdetr_proposal_store_append(store, "a", 1, 1, NULL, NULL, &error));
  EXPECT_OK(simdetr_proposal_store_finish(store, &error));
  REFUSED(simdetr_proposal_store_counts(store, NULL, &error));
  EXPECT_OK(simdetr_proposal_store_read(store, 0, NULL, NULL, &error));
  REFUSED(simdetr_proposal_store_image_path(store, 0, path, 8, NULL, &error));
  REFUSED(simdetr_proposal_store_image_path(store, 0, NULL, 8, &count, &error));
  REFUSED(simdetr_proposal_store_export_coco(store, NULL, "x", NULL, &error));
  REFUSED(simdetr_proposal_store_export_coco(NULL, NULL, "x", NULL, &error));
  REFUSED(simdetr_proposal_store_overlay(NULL, 0, "x", NULL, "y", &error));
  REFUSED(simdetr_proposal_store_overlay(store, 0, NULL, NULL, "y", &error));
  REFUSED(simdetr_proposal_store_overlay(store, 0, "x", NULL, NULL, &error));
  simdetr_proposal_store_destroy(store);
}

static void clusterers(void) {
  simdetr_clusterer_t *clusterer = NULL;
  simdetr_clusterer_options_t options;
  simdetr_accumulator_t *sums = NULL;
  struct DLManagedTensorVersioned *owned = NULL;
  DLTensor tensor;
  size_t classes, dimensions, count;
  int64_t *integers;
  uint64_t bytes;
  memset(&tensor, 0, sizeof tensor);
  simdetr_clusterer_options_init(&options, sizeof options);
  options.classes = 1;
  REFUSED(simdetr_clusterer_create(&options, NULL, &error));
  EXPECT_OK(simdetr_clusterer_create(&options, &clusterer, &error));
  REFUSED(simdetr_clusterer_load(NULL, NULL, &clusterer, &error));
  REFUSED(simdetr_clusterer_load("x", NULL, NULL, &error));
  REFUSED(simdetr_clusterer_memory_bytes(NULL, &bytes, &error));
  REFUSED(simdetr_clusterer_memory_bytes(clusterer, NULL, &error));
  REFUSED(simdetr_clusterer_fit_store(NULL, NULL, NULL, NULL, &error));
  REFUSED(simdetr_clusterer_fit_store(clusterer, NULL, NULL, NULL, &error));
  REFUSED(simdetr_clusterer_fit(NULL, &tensor, NULL, NULL, &error));
  REFUSED(simdetr_clusterer_fit(clusterer, NULL, NULL, NULL, &error));
  REFUSED(simdetr_clusterer_fit_f32(NULL, values, 2, 2, NULL, NULL, &error));
  REFUSED(simdetr_clusterer_fit_f32(clusterer, NULL, 2, 2, NULL, NULL, &error));
  REFUSED(simdetr_clusterer_seed_store(NULL, NULL, NULL, &error));
  REFUSED(simdetr_clusterer_seed_store(clusterer, NULL, NULL, &error));
  REFUSED(simdetr_clusterer_seed_f32(NULL, values, 2, 2, NULL, &error));
  REFUSED(simdetr_clusterer_seed_f32(clusterer, NULL, 2, 2, NULL, &error));
  REFUSED(simdetr_clusterer_set_centroids_f32(NULL, values, 1, 2, &error));
  REFUSED(simdetr_clusterer_set_centroids_f32(clusterer, NULL, 1, 2, &error));
  values[0] = 1;
  EXPECT_OK(simdetr_clusterer_set_centroids_f32(clusterer, values, 1, 2, &error));
  REFUSED(simdetr_accumulator_create(NULL, 0, &sums, &error));
  REFUSED(simdetr_accumulator_create(clusterer, 0, NULL, &error));
  EXPECT_OK(simdetr_accumulator_create(clusterer, 0, &sums, &error));
  REFUSED(simdetr_clusterer_accumulate_store(NULL, NULL, 0, 0, NULL, sums, &error));
  REFUSED(simdetr_clusterer_accumulate_store(clusterer, NULL, 0, 0, NULL, sums, &error));
  REFUSED(simdetr_clusterer_accumulate_f32(NULL, values, 1, 2, NULL, sums, &error));
  REFUSED(simdetr_clusterer_accumulate_f32(clusterer, NULL, 1, 2, NULL, sums, &error));
  REFUSED(simdetr_clusterer_accumulate_f32(clusterer, values, 1, 2, NULL, NULL, &error));
  REFUSED(simdetr_accumulator_merge(NULL, sums, &error));
  REFUSED(simdetr_accumulator_merge(sums, NULL, &error));
  REFUSED(simdetr_accumulator_values(NULL, &integers, &count, &error));
  REFUSED(simdetr_accumulator_values(sums, NULL, &count, &error));
  REFUSED(simdetr_accumulator_values(sums, &integers, NULL, &error));
  REFUSED(simdetr_accumulator_clear(NULL, &error));
  REFUSED(simdetr_clusterer_update(NULL, sums, NULL, &error));
  REFUSED(simdetr_clusterer_update(clusterer, NULL, NULL, &error));
  REFUSED(simdetr_clusterer_assign_store(NULL, NULL, labels, 1, NULL, &error));
  REFUSED(simdetr_clusterer_assign_store(clusterer, NULL, labels, 1, NULL, &error));
  REFUSED(simdetr_clusterer_assign_f32(NULL, values, 1, 2, labels, NULL, &error));
  REFUSED(simdetr_clusterer_assign_f32(clusterer, NULL, 1, 2, labels, NULL, &error));
  REFUSED(simdetr_clusterer_assign_f32(clusterer, values, 1, 2, NULL, NULL, &error));
  REFUSED(simdetr_clusterer_assign(NULL, &tensor, &tensor, NULL, &error));
  REFUSED(simdetr_clusterer_assign(clusterer, NULL, &tensor, NULL, &error));
  REFUSED(simdetr_clusterer_centroids_f32(NULL, values, 2, &classes, &dimensions, &error));
  REFUSED(simdetr_clusterer_centroids_f32(clusterer, NULL, 2, &classes, &dimensions, &error));
  REFUSED(simdetr_clusterer_centroids_f32(clusterer, values, 2, NULL, &dimensions, &error));
  REFUSED(simdetr_clusterer_centroids_f32(clusterer, values, 2, &classes, NULL, &error));
  REFUSED(simdetr_clusterer_export_centroids(NULL, &owned, &error));
  REFUSED(simdetr_clusterer_export_centroids(clusterer, NULL, &error));
  REFUSED(simdetr_clusterer_save(NULL, "x", &error));
  REFUSED(simdetr_clusterer_save(clusterer, NULL, &error));
  simdetr_accumulator_destroy(sums);
  simdetr_clusterer_destroy(clusterer);
}

static void evaluators(void) {
  simdetr_evaluator_t *evaluator = NULL;
  simdetr_evaluation_t found;
  uint64_t bytes;
  found.struct_size = sizeof found;
  REFUSED(simdetr_evaluator_create(NULL, NULL, &error));
  EXPECT_OK(simdetr_evaluator_create(NULL, &evaluator, &error));
  REFUSED(simdetr_evaluator_memory_bytes(NULL, &bytes, &error));
  REFUSED(simdetr_evaluator_memory_bytes(evaluator, NULL, &error));
  REFUSED(simdetr_evaluator_evaluate_files(NULL, "a", "b", NULL, &found, &error));
  REFUSED(simdetr_evaluator_evaluate_files(evaluator, NULL, "b", NULL, &found, &error));
  REFUSED(simdetr_evaluator_evaluate_files(evaluator, "a", NULL, NULL, &found, &error));
  REFUSED(simdetr_evaluator_evaluate_f32(NULL, ids, NULL, values, NULL, NULL, 1, ids, NULL, values, values, 1, NULL, &found, &error));
  REFUSED(simdetr_evaluator_evaluate_f32(evaluator, NULL, NULL, values, NULL, NULL, 1, ids, NULL, values, values, 1, NULL, &found, &error));
  REFUSED(simdetr_evaluator_evaluate_f32(evaluator, ids, NULL, NULL, NULL, NULL, 1, ids, NULL, values, values, 1, NULL, &found, &error));
  REFUSED(simdetr_evaluator_evaluate_f32(evaluator, ids, NULL, values, NULL, NULL, 1, NULL, NULL, values, values, 1, NULL, &found, &error));
  REFUSED(simdetr_evaluator_evaluate_f32(evaluator, ids, NULL, values, NULL, NULL, 1, ids, NULL, NULL, values, 1, NULL, &found, &error));
  REFUSED(simdetr_evaluator_evaluate_f32(evaluator, ids, NULL, values, NULL, NULL, 1, ids, NULL, values, NULL, 1, NULL, &found, &error));
  REFUSED(simdetr_evaluator_evaluate_f32(evaluator, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, 0, NULL, NULL, &error));
  simdetr_evaluator_destroy(evaluator);
}

static void matchers(void) {
  simdetr_matcher_t *matcher = NULL;
  simdetr_targets_t targets;
  DLTensor tensor;
  int32_t found[4];
  uint64_t bytes;
  memset(&tensor, 0, sizeof tensor);
  simdetr_targets_init(&targets, sizeof targets);
  REFUSED(simdetr_matcher_create(NULL, NULL, &error));
  EXPECT_OK(simdetr_matcher_create(NULL, &matcher, &error));
  REFUSED(simdetr_matcher_memory_bytes(NULL, &bytes, &error));
  REFUSED(simdetr_matcher_memory_bytes(matcher, NULL, &error));
  REFUSED(simdetr_matcher_match(NULL, &tensor, &tensor, &targets, NULL, &tensor, NULL, &error));
  REFUSED(simdetr_matcher_match(matcher, NULL, &tensor, &targets, NULL, &tensor, NULL, &error));
  REFUSED(simdetr_matcher_match_f32(NULL, values, values, 1, 1, 1, 1, &targets, NULL, found, NULL, &error));
  REFUSED(simdetr_matcher_match_f32(matcher, NULL, values, 1, 1, 1, 1, &targets, NULL, found, NULL, &error));
  REFUSED(simdetr_matcher_match_f32(matcher, values, NULL, 1, 1, 1, 1, &targets, NULL, found, NULL, &error));
  REFUSED(simdetr_matcher_match_f32(matcher, values, values, 1, 1, 1, 1, NULL, NULL, found, NULL, &error));
  targets.images_count = targets.targets_count = 1;
  REFUSED(simdetr_matcher_match_f32(matcher, values, values, 1, 1, 1, 1, &targets, NULL, found, NULL, &error));
  REFUSED(simdetr_matcher_assign(NULL, &tensor, NULL, &tensor, &error));
  REFUSED(simdetr_matcher_assign(matcher, NULL, NULL, &tensor, &error));
  REFUSED(simdetr_matcher_assign_f32(NULL, values, 1, 2, 2, NULL, found, &error));
  REFUSED(simdetr_matcher_assign_f32(matcher, NULL, 1, 2, 2, NULL, found, &error));
  REFUSED(simdetr_matcher_assign_f32(matcher, values, 1, 2, 2, NULL, NULL, &error));
  simdetr_matcher_destroy(matcher);
  simdetr_matcher_destroy(NULL);
}

static void criteria(void) {
  static const uint32_t none[1] = {0};
  simdetr_criterion_t *criterion = NULL;
  simdetr_targets_t targets;
  DLTensor tensor;
  float gradient[4];
  int32_t found[4];
  double losses[4];
  size_t count;
  uint64_t bytes;
  memset(&tensor, 0, sizeof tensor);
  simdetr_targets_init(&targets, sizeof targets);
  targets.counts = none;
  targets.images_count = 1;
  REFUSED(simdetr_criterion_create(NULL, NULL, &error));
  EXPECT_OK(simdetr_criterion_create(NULL, &criterion, &error));
  REFUSED(simdetr_criterion_memory_bytes(NULL, &bytes, &error));
  REFUSED(simdetr_criterion_memory_bytes(criterion, NULL, &error));
  REFUSED(simdetr_criterion_evaluate(NULL, &tensor, &tensor, &targets, 0, NULL, &tensor, &tensor, NULL, &error));
  REFUSED(simdetr_criterion_evaluate(criterion, NULL, &tensor, &targets, 0, NULL, &tensor, &tensor, NULL, &error));
  REFUSED(simdetr_criterion_evaluate_f32(NULL, values, values, 1, 1, 1, 1, &targets, 0, NULL, gradient, gradient, NULL,
                                         &error));
  REFUSED(simdetr_criterion_evaluate_f32(criterion, values, values, 1, 1, 1, 1, NULL, 0, NULL, gradient, values + 8,
                                         NULL, &error));
  REFUSED(simdetr_criterion_evaluate_f32(criterion, values, values, 1, 1, 1, 1, &targets, 0, NULL, NULL, gradient, NULL,
                                         &error));
  REFUSED(simdetr_criterion_evaluate_f32(criterion, values, values, 1, 1, 1, 1, &targets, 0, NULL, gradient, NULL, NULL,
                                         &error));
  REFUSED(simdetr_criterion_layer_losses(NULL, losses, 1, &count, &error));
  REFUSED(simdetr_criterion_layer_losses(criterion, losses, 1, NULL, &error));
  REFUSED(simdetr_criterion_matches(NULL, found, 4, &count, &error));
  REFUSED(simdetr_criterion_matches(criterion, found, 4, NULL, &error));
  simdetr_criterion_destroy(criterion);
  simdetr_criterion_destroy(NULL);
}

static void trainers(void) {
  simdetr_trainer_t *trainer = NULL;
  simdetr_detector_callbacks_t callbacks;
  simdetr_labels_t labels;
  size_t count;
  uint64_t bytes;
  simdetr_detector_callbacks_init(&callbacks, sizeof callbacks);
  labels.struct_size = sizeof labels;
  REFUSED(simdetr_trainer_create(NULL, NULL, &error));
  REFUSED(simdetr_trainer_create_from_callbacks(NULL, NULL, &trainer, &error));
  REFUSED(simdetr_trainer_create_from_callbacks(&callbacks, NULL, &trainer, &error));
  EXPECT_MESSAGE("name");
  callbacks.name = "x";
  REFUSED(simdetr_trainer_create_from_callbacks(&callbacks, NULL, &trainer, &error));
  EXPECT_MESSAGE("start_stage");
  EXPECT_OK(simdetr_trainer_create(NULL, &trainer, &error));
  REFUSED(simdetr_trainer_memory_bytes(NULL, &bytes, &error));
  REFUSED(simdetr_trainer_memory_bytes(trainer, NULL, &error));
  REFUSED(simdetr_trainer_pretrain(NULL, "a", "b", NULL, NULL, &error));
  REFUSED(simdetr_trainer_pretrain(trainer, NULL, "b", NULL, NULL, &error));
  REFUSED(simdetr_trainer_pretrain(trainer, "a", NULL, NULL, NULL, &error));
  REFUSED(simdetr_trainer_labels_count(NULL, &count, &error));
  REFUSED(simdetr_trainer_labels_count(trainer, NULL, &error));
  REFUSED(simdetr_trainer_labels(NULL, 0, &labels, &error));
  REFUSED(simdetr_trainer_labels(trainer, 0, NULL, &error));
  REFUSED(simdetr_trainer_train(NULL, "a", 1, "b", "c", NULL, NULL, &error));
  REFUSED(simdetr_trainer_train(trainer, NULL, 1, "b", "c", NULL, NULL, &error));
  REFUSED(simdetr_trainer_train(trainer, "a", 1, NULL, "c", NULL, NULL, &error));
  REFUSED(simdetr_trainer_train(trainer, "a", 1, "b", NULL, NULL, NULL, &error));
  REFUSED(simdetr_trainer_relabel(NULL, "a", 1, "b", "c", "d", NULL, NULL, &error));
  REFUSED(simdetr_trainer_relabel(trainer, NULL, 1, "b", "c", "d", NULL, NULL, &error));
  REFUSED(simdetr_trainer_relabel(trainer, "a", 1, NULL, "c", "d", NULL, NULL, &error));
  REFUSED(simdetr_trainer_relabel(trainer, "a", 1, "b", NULL, "d", NULL, NULL, &error));
  REFUSED(simdetr_trainer_relabel(trainer, "a", 1, "b", "c", NULL, NULL, NULL, &error));
  simdetr_trainer_destroy(trainer);
  simdetr_trainer_destroy(NULL);
  simdetr_trainer_options_init(NULL, 8);
  simdetr_detector_callbacks_init(NULL, 8);
}

int main(void) {
  tokens_and_encoders();
  feature_maps();
  extractors();
  proposal_sets();
  stores();
  clusterers();
  evaluators();
  simdetr_cancel_token_destroy(NULL);
  simdetr_encoder_destroy(NULL);
  simdetr_extractor_destroy(NULL);
  simdetr_proposals_destroy(NULL);
  simdetr_proposal_store_destroy(NULL);
  simdetr_clusterer_destroy(NULL);
  simdetr_accumulator_destroy(NULL);
  simdetr_evaluator_destroy(NULL);
  simdetr_encoder_options_init(NULL, 8);
  simdetr_extractor_options_init(NULL, 8);
  simdetr_local_options_init(NULL, 8);
  simdetr_selective_search_options_init(NULL, 8);
  simdetr_clusterer_options_init(NULL, 8);
  simdetr_evaluator_options_init(NULL, 8);
  simdetr_proposal_store_options_init(NULL, 8);
  simdetr_image_init(NULL, 8);
  simdetr_image_geometry_init(NULL, 8);
  simdetr_encoder_callback_init(NULL, 8);
  simdetr_run_options_init(NULL, 8);
  matchers();
  criteria();
  trainers();
  return 0;
}
