/* Proposals from feature maps of the host: tensors and flat arrays agree, answers come back in
 * every form, faults are named and leave outputs untouched, two threads share one extractor. */
#include <pthread.h>

#include "maps.h"

static float deep[DEEP_VALUES], fine[FINE_VALUES], both[DEEP_VALUES + FINE_VALUES];
static const size_t strides[2] = {32, 16};
static const size_t shapes[6] = {DEEP_SIDE, DEEP_SIDE, CHANNELS, FINE_SIDE, FINE_SIDE, CHANNELS};

static void describe(DLTensor *tensor, float *values, int64_t *shape, int32_t ndim) {
  memset(tensor, 0, sizeof *tensor);
  tensor->data = values;
  tensor->device.device_type = kDLCPU;
  tensor->ndim = ndim;
  tensor->dtype.code = 2; /* kDLFloat */
  tensor->dtype.bits = 32;
  tensor->dtype.lanes = 1;
  tensor->shape = shape;
}

static simdetr_extractor_t *new_extractor(void) {
  simdetr_error_t error;
  simdetr_extractor_options_t options;
  simdetr_extractor_t *extractor = NULL;
  simdetr_extractor_options_init(&options, sizeof options);
  options.threads = 1;
  EXPECT_OK(simdetr_extractor_create(NULL, &options, &extractor, &error));
  return extractor;
}

static void extract_flat(const simdetr_extractor_t *extractor, uint32_t image_id,
                         simdetr_proposals_t *proposals) {
  simdetr_error_t error;
  simdetr_image_geometry_t geometry = geometry_of(image_id);
  EXPECT_OK(simdetr_extractor_extract_maps_f32(extractor, both, DEEP_VALUES + FINE_VALUES, shapes,
                                               strides, 2, &geometry, NULL, proposals, &error));
}

static simdetr_proposals_view_t view_of(const simdetr_proposals_t *proposals) {
  simdetr_error_t error;
  simdetr_proposals_view_t view;
  view.struct_size = sizeof view;
  EXPECT_OK(simdetr_proposals_view(proposals, &view, &error));
  return view;
}

static void forms_agree(const simdetr_extractor_t *extractor) {
  simdetr_error_t error;
  simdetr_image_geometry_t geometry = geometry_of(7);
  simdetr_proposals_t *flat = NULL, *tensors = NULL;
  simdetr_proposals_view_t a, b;
  int64_t deep_shape[3] = {DEEP_SIDE, DEEP_SIDE, CHANNELS};
  int64_t fine_shape[3] = {FINE_SIDE, FINE_SIDE, CHANNELS};
  int64_t turned[3] = {CHANNELS, DEEP_SIDE * CHANNELS, 1};
  DLTensor maps[2];
  const DLTensor *pointers[2];
  size_t i;
  EXPECT_OK(simdetr_proposals_create(&flat, &error));
  EXPECT_OK(simdetr_proposals_create(&tensors, &error));
  extract_flat(extractor, 7, flat);
  describe(&maps[0], deep, deep_shape, 3);
  describe(&maps[1], fine, fine_shape, 3);
  pointers[0] = &maps[0];
  pointers[1] = &maps[1];
  EXPECT_OK(simdetr_extractor_extract_maps(extractor, pointers, strides, 2, &geometry, NULL, tensors, &error));
  a = view_of(flat);
  b = view_of(tensors);
  EXPECT(a.count >= 4 && a.count <= 25 && a.count == b.count && a.dimensions == CHANNELS);
  EXPECT(memcmp(a.boxes, b.boxes, a.count * 16) == 0);
  EXPECT(memcmp(a.vectors, b.vectors, a.count * CHANNELS * 4) == 0);
  for (i = 0; i < a.count; i++) {
    EXPECT(a.boxes[4 * i] >= 0 && a.boxes[4 * i + 2] <= 384 && a.boxes[4 * i + 3] <= 192);
    EXPECT(a.boxes[4 * i] < a.boxes[4 * i + 2] && a.boxes[4 * i + 1] < a.boxes[4 * i + 3]);
    EXPECT(a.scores[i] > 0 && a.scores[i] <= 1 && a.norms[i] > 0);
  }
  /* Strides that are not dense are read as well: rows and columns exchanged. */
  maps[0].strides = turned;
  EXPECT_OK(simdetr_extractor_extract_maps(extractor, pointers, strides, 2, &geometry, NULL, tensors, &error));
  simdetr_proposals_destroy(flat);
  simdetr_proposals_destroy(tensors);
}

static void answers(const simdetr_extractor_t *extractor) {
  simdetr_error_t error;
  simdetr_proposals_t *proposals = NULL;
  simdetr_proposals_view_t view;
  struct DLManagedTensorVersioned *owned = NULL;
  struct DLManagedTensor *legacy = NULL;
  float boxes[100], scores[25], small[4] = {-1, -1, -1, -1};
  int32_t levels[25], cluster_counts[25];
  float *vectors = (float *)malloc(25 * CHANNELS * sizeof(float));
  uint8_t mask[4096];
  size_t count = 0, cells, set = 0, i;
  uint64_t bytes = 0;
  DLTensor target;
  int64_t shape[2];
  EXPECT_OK(simdetr_proposals_create(&proposals, &error));
  extract_flat(extractor, 1, proposals);
  view = view_of(proposals);
  EXPECT_OK(simdetr_proposals_copy_f32(proposals, NULL, NULL, NULL, NULL, NULL, 0, 0, &count, &error));
  EXPECT(count == view.count);
  EXPECT_OK(simdetr_proposals_copy_f32(proposals, boxes, scores, levels, cluster_counts, vectors, CHANNELS,
                                       25, &count, &error));
  EXPECT(memcmp(boxes, view.boxes, count * 16) == 0 && memcmp(scores, view.scores, count * 4) == 0);
  EXPECT(memcmp(levels, view.levels, count * 4) == 0);
  EXPECT(memcmp(cluster_counts, view.cluster_counts, count * 4) == 0);
  EXPECT(memcmp(vectors, view.vectors, count * CHANNELS * 4) == 0);
  count = 0;
  EXPECT_STATUS(SIMDETR_ERROR_BUFFER_TOO_SMALL,
                simdetr_proposals_copy_f32(proposals, small, NULL, NULL, NULL, NULL, 0, 1, &count, &error));
  EXPECT(count == view.count && small[0] == -1);
  EXPECT_STATUS(SIMDETR_ERROR_SHAPE, simdetr_proposals_copy_f32(proposals, boxes, NULL, NULL, NULL, vectors,
                                                               CHANNELS + 1, 25, &count, &error));
  /* Tensors: into the host's memory, and owned. */
  shape[0] = (int64_t)view.count;
  shape[1] = 4;
  describe(&target, boxes, shape, 2);
  EXPECT_OK(simdetr_proposals_copy_tensor(proposals, SIMDETR_FIELD_BOXES, &target, &error));
  EXPECT(memcmp(boxes, view.boxes, count * 16) == 0);
  EXPECT_STATUS(SIMDETR_ERROR_SHAPE, simdetr_proposals_copy_tensor(proposals, SIMDETR_FIELD_SCORES, &target, &error));
  EXPECT_STATUS(SIMDETR_ERROR_ELEMENT_TYPE,
                simdetr_proposals_copy_tensor(proposals, SIMDETR_FIELD_LEVELS, &target, &error));
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_proposals_copy_tensor(proposals, 99, &target, &error));
  EXPECT_OK(simdetr_proposals_export_tensor(proposals, SIMDETR_FIELD_VECTORS, &owned, &error));
  EXPECT_OK(simdetr_proposals_export_tensor_legacy(proposals, SIMDETR_FIELD_LEVELS, &legacy, &error));
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_proposals_export_tensor(proposals, 0, &owned, &error));
  EXPECT_OK(simdetr_proposals_mask(proposals, 0, NULL, 0, &cells, &error));
  EXPECT(cells == (size_t)view.mask_grids[0] * view.mask_grids[1] && cells <= sizeof mask);
  EXPECT_OK(simdetr_proposals_mask(proposals, 0, mask, sizeof mask, &cells, &error));
  for (i = 0; i < cells; i++) set += mask[i];
  EXPECT(set > 0 && set <= cells);
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_proposals_mask(proposals, 99, mask, 1, &cells, &error));
  EXPECT_OK(simdetr_proposals_memory_bytes(proposals, &bytes, &error));
  EXPECT(bytes >= view.count * CHANNELS * 4);
  /* What was exported outlives the set. */
  EXPECT(memcmp(owned->dl_tensor.data, vectors, count * CHANNELS * 4) == 0);
  simdetr_proposals_destroy(proposals);
  EXPECT(memcmp(owned->dl_tensor.data, vectors, count * CHANNELS * 4) == 0);
  EXPECT(memcmp(legacy->dl_tensor.data, levels, count * 4) == 0);
  owned->deleter(owned);
  legacy->deleter(legacy);
  free(vectors);
}

static void faults(const simdetr_extractor_t *extractor) {
  simdetr_error_t error;
  simdetr_image_geometry_t geometry = geometry_of(1);
  simdetr_proposals_t *proposals = NULL;
  simdetr_proposals_view_t before, after;
  simdetr_cancel_token_t *token = NULL;
  simdetr_run_options_t run;
  float *broken = (float *)malloc(sizeof both);
  int64_t shape[4] = {DEEP_SIDE, DEEP_SIDE, CHANNELS, 1};
  DLTensor map;
  const DLTensor *pointer = &map;
  EXPECT_OK(simdetr_proposals_create(&proposals, &error));
  extract_flat(extractor, 3, proposals);
  before = view_of(proposals);
  memcpy(broken, both, sizeof both);
  broken[DEEP_VALUES + 5] = (float)(1e300 * 1e300);
  EXPECT_STATUS(SIMDETR_ERROR_NON_FINITE,
                simdetr_extractor_extract_maps_f32(extractor, broken, DEEP_VALUES + FINE_VALUES, shapes, strides,
                                                   2, &geometry, NULL, proposals, &error));
  EXPECT_MESSAGE("maps[1]");
  EXPECT_MESSAGE("index 5");
  EXPECT_STATUS(SIMDETR_ERROR_SHAPE,
                simdetr_extractor_extract_maps_f32(extractor, both, DEEP_VALUES, shapes, strides, 2, &geometry,
                                                   NULL, proposals, &error));
  EXPECT_STATUS(SIMDETR_ERROR_SHAPE,
                simdetr_extractor_extract_maps_f32(extractor, both, DEEP_VALUES + FINE_VALUES, shapes, strides, 1,
                                                   &geometry, NULL, proposals, &error));
  EXPECT_STATUS(SIMDETR_ERROR_SHAPE,
                simdetr_extractor_extract_maps_f32(extractor, both, DEEP_VALUES, shapes, strides, 9, &geometry,
                                                   NULL, proposals, &error));
  describe(&map, deep, shape, 4);
  EXPECT_STATUS(SIMDETR_ERROR_SHAPE, simdetr_extractor_extract_maps(extractor, &pointer, strides, 1, &geometry,
                                                                   NULL, proposals, &error));
  EXPECT_MESSAGE("maps[0]");
  map.ndim = 3;
  map.dtype.bits = 16;
  EXPECT_STATUS(SIMDETR_ERROR_ELEMENT_TYPE, simdetr_extractor_extract_maps(extractor, &pointer, strides, 1,
                                                                          &geometry, NULL, proposals, &error));
  map.dtype.bits = 32;
  map.device.device_type = (DLDeviceType)2;
  EXPECT_STATUS(SIMDETR_ERROR_DEVICE, simdetr_extractor_extract_maps(extractor, &pointer, strides, 1, &geometry,
                                                                    NULL, proposals, &error));
  map.device.device_type = kDLCPU;
  {
    int64_t negative[3] = {-(DEEP_SIDE * CHANNELS), CHANNELS, 1};
    map.strides = negative;
    EXPECT_STATUS(SIMDETR_ERROR_STRIDES, simdetr_extractor_extract_maps(extractor, &pointer, strides, 1,
                                                                       &geometry, NULL, proposals, &error));
    map.strides = NULL;
  }
  geometry.original_width = 0;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_extractor_extract_maps(extractor, &pointer, strides, 1,
                                                                              &geometry, NULL, proposals, &error));
  geometry = geometry_of(1);
  /* A token that is set before the call. */
  EXPECT_OK(simdetr_cancel_token_create(&token, &error));
  EXPECT_OK(simdetr_cancel_token_cancel(token, &error));
  simdetr_run_options_init(&run, sizeof run);
  run.cancel = token;
  EXPECT_STATUS(SIMDETR_ERROR_CANCELLED, simdetr_extractor_extract_maps(extractor, &pointer, strides, 1, &geometry,
                                                                       &run, proposals, &error));
  simdetr_cancel_token_destroy(token);
  after = view_of(proposals);
  EXPECT(memcmp(&before, &after, sizeof before) == 0);
  simdetr_proposals_destroy(proposals);
  free(broken);
}

typedef struct {
  const simdetr_extractor_t *extractor;
  simdetr_proposals_t *proposals;
} task_t;

static void *worker(void *data) {
  task_t *task = (task_t *)data;
  int round;
  for (round = 0; round < 20; round++) extract_flat(task->extractor, 5, task->proposals);
  return NULL;
}

static void threads(const simdetr_extractor_t *extractor) {
  simdetr_error_t error;
  task_t tasks[2];
  pthread_t ids[2];
  simdetr_proposals_view_t a, b;
  int i;
  for (i = 0; i < 2; i++) {
    tasks[i].extractor = extractor;
    EXPECT_OK(simdetr_proposals_create(&tasks[i].proposals, &error));
    EXPECT(pthread_create(&ids[i], NULL, worker, &tasks[i]) == 0);
  }
  for (i = 0; i < 2; i++) EXPECT(pthread_join(ids[i], NULL) == 0);
  a = view_of(tasks[0].proposals);
  b = view_of(tasks[1].proposals);
  EXPECT(a.count == b.count && memcmp(a.boxes, b.boxes, a.count * 16) == 0);
  for (i = 0; i < 2; i++) simdetr_proposals_destroy(tasks[i].proposals);
}

int main(void) {
  simdetr_error_t error;
  uint64_t bytes = 0;
  simdetr_extractor_t *extractor = new_extractor();
  fill_map(deep, DEEP_SIDE, 1);
  fill_map(fine, FINE_SIDE, 2);
  memcpy(both, deep, sizeof deep);
  memcpy(both + DEEP_VALUES, fine, sizeof fine);
  forms_agree(extractor);
  answers(extractor);
  faults(extractor);
  threads(extractor);
  EXPECT_OK(simdetr_extractor_memory_bytes(extractor, &bytes, &error));
  EXPECT(bytes > 0);
  simdetr_extractor_destroy(extractor);
  return 0;
}
