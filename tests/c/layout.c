/* The sizes and offsets that programs were compiled with; the library asserts the same numbers
 * where it declares the structs (src/capi). Written for 64-bit pointers. */
#include <stddef.h>

#include "simdetr.h"

#define IS(name, condition) typedef char is_##name[(condition) ? 1 : -1]
#define OFFSET(type, field, at) IS(type##_##field, offsetof(type, field) == (at))

IS(error_size, sizeof(simdetr_error_t) == 256);
OFFSET(simdetr_error_t, message, 4);
IS(status_size, sizeof(simdetr_status_t) == 4);

IS(run_options_size, sizeof(simdetr_run_options_t) == 32);
OFFSET(simdetr_run_options_t, cancel, 8);
OFFSET(simdetr_run_options_t, progress, 16);
OFFSET(simdetr_run_options_t, progress_user_data, 24);

IS(encoder_callback_size, sizeof(simdetr_encoder_callback_t) == 72);
OFFSET(simdetr_encoder_callback_t, maps_count, 56);
OFFSET(simdetr_encoder_callback_t, callback_threads, 64);

IS(targets_size, sizeof(simdetr_targets_t) == 64);
OFFSET(simdetr_targets_t, classes, 24);
OFFSET(simdetr_targets_t, scores, 48);
OFFSET(simdetr_targets_t, box_policy, 56);
IS(matcher_options_size, sizeof(simdetr_matcher_options_t) == 64);
OFFSET(simdetr_matcher_options_t, class_cost, 20);
IS(criterion_options_size, sizeof(simdetr_criterion_options_t) == 88);
OFFSET(simdetr_criterion_options_t, no_object_weight, 52);
OFFSET(simdetr_criterion_options_t, parallel_for, 64);
OFFSET(simdetr_criterion_options_t, class_target, 84);
IS(losses_size, sizeof(simdetr_losses_t) == 72);
OFFSET(simdetr_losses_t, pairs_count, 56);

IS(trainer_options_size, sizeof(simdetr_trainer_options_t) == 56);
OFFSET(simdetr_trainer_options_t, config_toml, 24);
OFFSET(simdetr_trainer_options_t, parallel_for, 40);
IS(labels_size, sizeof(simdetr_labels_t) == 48);
IS(measured_size, sizeof(simdetr_measured_t) == 96);
OFFSET(simdetr_measured_t, images_count, 24);
OFFSET(simdetr_measured_t, own_recall, 88);
IS(stage_report_size, sizeof(simdetr_stage_report_t) == 32);
IS(relabel_report_size, sizeof(simdetr_relabel_report_t) == 32);
IS(step_report_size, sizeof(simdetr_step_report_t) == 80);
IS(detector_callbacks_size, sizeof(simdetr_detector_callbacks_t) == 88);
OFFSET(simdetr_detector_callbacks_t, forward, 40);
IS(detector_start_size, sizeof(simdetr_detector_start_t) == 40);
IS(detector_batch_size, sizeof(simdetr_detector_batch_t) == 80);
OFFSET(simdetr_detector_batch_t, training, 48);
OFFSET(simdetr_detector_batch_t, seed, 72);
IS(detector_outputs_size, sizeof(simdetr_detector_outputs_t) == 48);
IS(detector_gradients_size, sizeof(simdetr_detector_gradients_t) == 48);
IS(detector_update_size, sizeof(simdetr_detector_update_t) == 64);
OFFSET(simdetr_detector_update_t, gradient_norm, 56);

IS(detector_options_size, sizeof(simdetr_detector_options_t) == 48);
OFFSET(simdetr_detector_options_t, parallel_for, 32);
IS(prediction_options_size, sizeof(simdetr_prediction_options_t) == 24);
OFFSET(simdetr_prediction_options_t, score_min, 16);
IS(detector_description_size, sizeof(simdetr_detector_description_t) == 64);
OFFSET(simdetr_detector_description_t, image_mean, 24);
OFFSET(simdetr_detector_description_t, parameters_count, 48);
OFFSET(simdetr_detector_description_t, side_multiple, 56);
IS(detections_view_size, sizeof(simdetr_detections_view_t) == 64);
OFFSET(simdetr_detections_view_t, boxes, 32);

IS(tensor_size, sizeof(DLTensor) == 48);
OFFSET(DLTensor, ndim, 16);
OFFSET(DLTensor, dtype, 20);
OFFSET(DLTensor, shape, 24);
OFFSET(DLTensor, byte_offset, 40);
IS(managed_size, sizeof(struct DLManagedTensor) == 64);
IS(versioned_size, sizeof(struct DLManagedTensorVersioned) == 80);

int main(void) { return 0; }
