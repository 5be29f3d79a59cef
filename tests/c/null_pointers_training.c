/* NULL in each pointer argument of each function that trains and detects: refused by name
 * where something must be there, and never a crash. */
#include "expect.h"

#define REFUSED(call) EXPECT_STATUS(SIMDETR_ERROR_NULL_POINTER, call)

static float values[64];
static simdetr_error_t error;

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
  simdetr_measured_t measured;
  simdetr_targets_t targets;
  DLTensor tensor;
  int64_t shape[4] = {1, 2, 2, 3};
  size_t count;
  uint64_t bytes;
  simdetr_detector_callbacks_init(&callbacks, sizeof callbacks);
  labels.struct_size = sizeof labels;
  measured.struct_size = sizeof measured;
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
  REFUSED(simdetr_trainer_set_validation(NULL, "a", "b", &error));
  REFUSED(simdetr_trainer_measured_count(NULL, &count, &error));
  REFUSED(simdetr_trainer_measured_count(trainer, NULL, &error));
  REFUSED(simdetr_trainer_measured(NULL, 0, &measured, &error));
  REFUSED(simdetr_trainer_measured(trainer, 0, NULL, &error));
  REFUSED(simdetr_trainer_train(NULL, "a", 1, "b", "c", NULL, NULL, &error));
  REFUSED(simdetr_trainer_train(trainer, NULL, 1, "b", "c", NULL, NULL, &error));
  REFUSED(simdetr_trainer_train(trainer, "a", 1, NULL, "c", NULL, NULL, &error));
  REFUSED(simdetr_trainer_train(trainer, "a", 1, "b", NULL, NULL, NULL, &error));
  REFUSED(simdetr_trainer_relabel(NULL, "a", 1, "b", "c", "d", NULL, NULL, &error));
  REFUSED(simdetr_trainer_relabel(trainer, NULL, 1, "b", "c", "d", NULL, NULL, &error));
  REFUSED(simdetr_trainer_relabel(trainer, "a", 1, NULL, "c", "d", NULL, NULL, &error));
  REFUSED(simdetr_trainer_relabel(trainer, "a", 1, "b", NULL, "d", NULL, NULL, &error));
  REFUSED(simdetr_trainer_relabel(trainer, "a", 1, "b", "c", NULL, NULL, NULL, &error));
  REFUSED(simdetr_trainer_begin(NULL, 1, 1, &error));
  simdetr_targets_init(&targets, sizeof targets);
  memset(&tensor, 0, sizeof tensor);
  tensor.data = values;
  tensor.device.device_type = kDLCPU;
  tensor.ndim = 4;
  tensor.dtype.code = kDLFloat;
  tensor.dtype.bits = 32;
  tensor.dtype.lanes = 1;
  tensor.shape = shape;
  REFUSED(simdetr_trainer_step(NULL, &tensor, NULL, &targets, NULL, NULL, &error));
  REFUSED(simdetr_trainer_step(trainer, NULL, NULL, &targets, NULL, NULL, &error));
  REFUSED(simdetr_trainer_step(trainer, &tensor, NULL, NULL, NULL, NULL, &error));
  REFUSED(simdetr_trainer_write_detector(NULL, "a", &error));
  REFUSED(simdetr_trainer_write_detector(trainer, NULL, &error));
  simdetr_trainer_destroy(trainer);
  simdetr_trainer_destroy(NULL);
  simdetr_trainer_options_init(NULL, 8);
  simdetr_detector_callbacks_init(NULL, 8);
}

static void detectors(void) {
  static const char config[] = "[detector]\nbackbone_depth = 18\nbackbone_width = 8\nhidden_size = 32\n";
  simdetr_detector_options_t options;
  simdetr_detector_t *detector = NULL;
  simdetr_detections_t *found = NULL;
  const simdetr_image_t *image = NULL;
  const uint8_t *data = NULL;
  const char *path = NULL;
  size_t count;
  uint64_t bytes;
  simdetr_detector_options_init(&options, sizeof options);
  options.config = config;
  REFUSED(simdetr_detector_create(NULL, NULL, &detector, &error));
  REFUSED(simdetr_detector_create("a", NULL, NULL, &error));
  REFUSED(simdetr_detector_create_from_memory(NULL, 4, NULL, &detector, &error));
  REFUSED(simdetr_detector_create_from_memory((const uint8_t *)"abcd", 4, NULL, NULL, &error));
  REFUSED(simdetr_detector_create_untrained(0, &options, NULL, &error));
  EXPECT_OK(simdetr_detector_create_untrained(0, &options, &detector, &error));
  EXPECT_OK(simdetr_detections_create(&found, &error));
  REFUSED(simdetr_detections_create(NULL, &error));
  REFUSED(simdetr_detector_memory_bytes(NULL, &bytes, &error));
  REFUSED(simdetr_detector_memory_bytes(detector, NULL, &error));
  REFUSED(simdetr_detector_describe(NULL, NULL, &error));
  REFUSED(simdetr_detector_describe(detector, NULL, &error));
  REFUSED(simdetr_detector_category(NULL, 0, NULL, NULL, 0, &count, &error));
  REFUSED(simdetr_detector_category(detector, 0, NULL, NULL, 0, NULL, &error));
  REFUSED(simdetr_detector_category(detector, 0, NULL, NULL, 9, &count, &error));
  REFUSED(simdetr_detector_predict(NULL, NULL, 0, NULL, NULL, found, &error));
  REFUSED(simdetr_detector_predict(detector, NULL, 1, NULL, NULL, found, &error));
  REFUSED(simdetr_detector_predict(detector, &image, 1, NULL, NULL, found, &error));
  REFUSED(simdetr_detector_predict(detector, NULL, 0, NULL, NULL, NULL, &error));
  count = 4;
  REFUSED(simdetr_detector_predict_encoded(NULL, &data, &count, 1, NULL, NULL, found, &error));
  REFUSED(simdetr_detector_predict_encoded(detector, NULL, &count, 1, NULL, NULL, found, &error));
  REFUSED(simdetr_detector_predict_encoded(detector, &data, NULL, 1, NULL, NULL, found, &error));
  REFUSED(simdetr_detector_predict_encoded(detector, &data, &count, 1, NULL, NULL, found, &error));
  REFUSED(simdetr_detector_predict_files(NULL, &path, 1, NULL, NULL, found, &error));
  REFUSED(simdetr_detector_predict_files(detector, NULL, 1, NULL, NULL, found, &error));
  REFUSED(simdetr_detector_predict_files(detector, &path, 1, NULL, NULL, found, &error));
  REFUSED(simdetr_detector_predict_tensor(NULL, NULL, NULL, NULL, found, &error));
  REFUSED(simdetr_detector_predict_tensor(detector, NULL, NULL, NULL, found, &error));
  REFUSED(simdetr_detector_save(NULL, "a", 0, &error));
  REFUSED(simdetr_detector_save(detector, NULL, 0, &error));
  REFUSED(simdetr_detector_save_backbone(NULL, "a", &error));
  REFUSED(simdetr_detector_save_backbone(detector, NULL, &error));
  REFUSED(simdetr_detector_export_onnx(NULL, "a", 0, 0, &error));
  REFUSED(simdetr_detector_export_onnx(detector, NULL, 0, 0, &error));
  REFUSED(simdetr_detections_view(NULL, NULL, &error));
  REFUSED(simdetr_detections_view(found, NULL, &error));
  REFUSED(simdetr_detections_copy_f32(NULL, NULL, NULL, NULL, NULL, 0, &count, &error));
  REFUSED(simdetr_detections_copy_f32(found, NULL, NULL, NULL, NULL, 0, NULL, &error));
  REFUSED(simdetr_detections_copy_tensor(NULL, 1, NULL, &error));
  REFUSED(simdetr_detections_copy_tensor(found, 1, NULL, &error));
  REFUSED(simdetr_detections_export_tensor(NULL, 1, NULL, &error));
  REFUSED(simdetr_detections_export_tensor(found, 1, NULL, &error));
  REFUSED(simdetr_detections_export_tensor_legacy(NULL, 1, NULL, &error));
  REFUSED(simdetr_detections_export_tensor_legacy(found, 1, NULL, &error));
  simdetr_detections_destroy(found);
  simdetr_detector_destroy(detector);
  simdetr_detector_options_init(NULL, 8);
  simdetr_prediction_options_init(NULL, 8);
  simdetr_detector_destroy(NULL);
  simdetr_detections_destroy(NULL);
}

int main(void) {
  detectors();
  matchers();
  criteria();
  trainers();
  return 0;
}
