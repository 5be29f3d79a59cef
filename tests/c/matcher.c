/* Matching of predictions and assignment of plain matrices: answers, refusals, outputs untouched. */
#include <math.h>

#include "predictions.h"

static simdetr_matcher_t *new_matcher(void) {
  simdetr_error_t error;
  simdetr_matcher_options_t options;
  simdetr_matcher_t *matcher = NULL;
  simdetr_matcher_options_init(&options, sizeof options);
  options.threads = 1;
  EXPECT_OK(simdetr_matcher_create(&options, &matcher, &error));
  return matcher;
}

static void assignment(void) {
  float costs[12] = {4, 1, 3, 2, 0, 5, 1, 2, 9, 1, 9, 9};
  int64_t shape[3] = {2, 2, 3}, answer_shape[2] = {2, 2}, strides[3] = {6, 1, 2};
  int32_t found[4], tall[3];
  simdetr_error_t error;
  simdetr_matcher_t *matcher = new_matcher();
  DLTensor tensor = tensor_of(costs, shape, 3, kDLFloat), answer = tensor_of(found, answer_shape, 2, kDLInt), bad;
  EXPECT_OK(simdetr_matcher_assign(matcher, &tensor, NULL, &answer, &error));
  EXPECT(found[0] == 2 || found[0] == 1);
  EXPECT(costs[found[0]] + costs[3 + found[1]] == 3);
  EXPECT(found[2] == 1 && found[3] == 0);
  EXPECT_OK(simdetr_matcher_assign_f32(matcher, costs, 1, 3, 1, NULL, tall, &error));
  EXPECT(tall[0] == -1 && tall[1] == 0 && tall[2] == -1);
  EXPECT_OK(simdetr_matcher_assign_f32(matcher, NULL, 0, 3, 1, NULL, NULL, &error));

  found[0] = 77;
  costs[10] = NAN;
  EXPECT_STATUS(SIMDETR_ERROR_NON_FINITE, simdetr_matcher_assign(matcher, &tensor, NULL, &answer, &error));
  EXPECT_MESSAGE("problem 1: costs, row 1, column 1");
  costs[10] = 9;
  bad = tensor;
  bad.dtype.bits = 64;
  EXPECT_STATUS(SIMDETR_ERROR_ELEMENT_TYPE, simdetr_matcher_assign(matcher, &bad, NULL, &answer, &error));
  bad = tensor;
  bad.device.device_type = kDLCUDA;
  EXPECT_STATUS(SIMDETR_ERROR_DEVICE, simdetr_matcher_assign(matcher, &bad, NULL, &answer, &error));
  bad = tensor;
  bad.strides = strides;
  EXPECT_STATUS(SIMDETR_ERROR_STRIDES, simdetr_matcher_assign(matcher, &bad, NULL, &answer, &error));
  bad = tensor;
  bad.ndim = 2;
  EXPECT_STATUS(SIMDETR_ERROR_SHAPE, simdetr_matcher_assign(matcher, &bad, NULL, &answer, &error));
  answer_shape[1] = 3;
  EXPECT_STATUS(SIMDETR_ERROR_SHAPE, simdetr_matcher_assign(matcher, &tensor, NULL, &answer, &error));
  EXPECT(found[0] == 77);
  simdetr_matcher_destroy(matcher);
}

static void matching(void) {
  int32_t found[LAYERS * 2] = {77, 77, 77, 77};
  int64_t shape[4] = {LAYERS, BATCH, QUERIES, CLASSES}, boxes_shape[4] = {LAYERS, BATCH, QUERIES, 4};
  int64_t answer_shape[2] = {LAYERS, 2};
  uint64_t unmatched = 77, bytes = 0;
  simdetr_error_t error;
  simdetr_matcher_t *matcher = new_matcher();
  simdetr_targets_t targets = two_targets();
  simdetr_cancel_token_t *token = NULL;
  simdetr_run_options_t run;
  DLTensor first = tensor_of(logits, shape, 4, kDLFloat), second = tensor_of(boxes, boxes_shape, 4, kDLFloat);
  DLTensor answer = tensor_of(found, answer_shape, 2, kDLInt);
  fill_predictions();
  simdetr_run_options_init(&run, sizeof run);
  EXPECT_OK(simdetr_cancel_token_create(&token, &error));
  EXPECT_OK(simdetr_cancel_token_cancel(token, &error));
  run.cancel = token;
  EXPECT_STATUS(SIMDETR_ERROR_CANCELLED,
                simdetr_matcher_match(matcher, &first, &second, &targets, &run, &answer, &unmatched, &error));
  target_classes[1] = 2;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT,
                simdetr_matcher_match(matcher, &first, &second, &targets, NULL, &answer, &unmatched, &error));
  EXPECT_MESSAGE("target 1 of image 0: 2 is not below 2");
  target_classes[1] = 1;
  boxes_shape[2] = 4;
  EXPECT_STATUS(SIMDETR_ERROR_SHAPE,
                simdetr_matcher_match(matcher, &first, &second, &targets, NULL, &answer, &unmatched, &error));
  boxes_shape[2] = QUERIES;
  EXPECT(found[0] == 77 && unmatched == 77);
  EXPECT_OK(simdetr_matcher_match(matcher, &first, &second, &targets, NULL, &answer, &unmatched, &error));
  EXPECT(found[0] == 2 && found[1] == 0 && found[2] == 2 && found[3] == 0 && unmatched == 0);

  EXPECT_OK(simdetr_matcher_match_f32(matcher, logits, boxes, 1, BATCH, 1, CLASSES, &targets, NULL, found, &unmatched,
                                      &error));
  EXPECT(unmatched == 1 && (found[0] == -1) + (found[1] == -1) == 1);
  EXPECT_OK(simdetr_matcher_memory_bytes(matcher, &bytes, &error));
  EXPECT(bytes > 0);
  simdetr_cancel_token_destroy(token);
  simdetr_matcher_destroy(matcher);
}

int main(void) {
  assignment();
  matching();
  return 0;
}
