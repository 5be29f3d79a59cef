/* Targets with boxes that are none, by matcher and criterion: refused, cut to the image, left out. */
#include <math.h>

#include "predictions.h"

static simdetr_error_t error;
static float logits_gradient[ROWS * CLASSES], boxes_gradient[ROWS * 4];

static simdetr_status_t match(simdetr_matcher_t *matcher, const simdetr_targets_t *targets, int32_t *found,
                              uint64_t *unmatched) {
  int64_t shape[4] = {LAYERS, BATCH, QUERIES, CLASSES}, boxes_shape[4] = {LAYERS, BATCH, QUERIES, 4};
  int64_t answer_shape[2] = {LAYERS, 2};
  DLTensor first = tensor_of(logits, shape, 4, kDLFloat), second = tensor_of(boxes, boxes_shape, 4, kDLFloat);
  DLTensor answer = tensor_of(found, answer_shape, 2, kDLInt);
  return simdetr_matcher_match(matcher, &first, &second, targets, NULL, &answer, unmatched, &error);
}

static simdetr_status_t evaluate(simdetr_criterion_t *criterion, const simdetr_targets_t *targets,
                                 simdetr_losses_t *losses) {
  return simdetr_criterion_evaluate_f32(criterion, logits, boxes, LAYERS, BATCH, QUERIES, CLASSES, targets, 0, NULL,
                                        logits_gradient, boxes_gradient, losses, &error);
}

static void by_the_matcher(simdetr_targets_t targets) {
  int32_t found[LAYERS * 2];
  uint64_t unmatched = 77;
  size_t layer;
  simdetr_matcher_t *matcher = NULL;
  EXPECT_OK(simdetr_matcher_create(NULL, &matcher, &error));
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, match(matcher, &targets, found, &unmatched));
  EXPECT_MESSAGE("target 0 of image 0: cxcywh [1.5");
  targets.box_policy = SIMDETR_BOX_POLICY_ERROR;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, match(matcher, &targets, found, &unmatched));
  for (targets.box_policy = SIMDETR_BOX_POLICY_CLIP; targets.box_policy <= SIMDETR_BOX_POLICY_SKIP;
       targets.box_policy++) {
    EXPECT_OK(match(matcher, &targets, found, &unmatched));
    for (layer = 0; layer < LAYERS; layer++) EXPECT(found[layer * 2] == -1 && found[layer * 2 + 1] == 0);
    EXPECT(unmatched == LAYERS);
  }
  target_boxes[0] = NAN;
  targets.box_policy = SIMDETR_BOX_POLICY_SKIP;
  EXPECT_OK(match(matcher, &targets, found, &unmatched));
  EXPECT(unmatched == LAYERS);
  targets.box_policy = SIMDETR_BOX_POLICY_CLIP;
  EXPECT_STATUS(SIMDETR_ERROR_NON_FINITE, match(matcher, &targets, found, &unmatched));
  target_boxes[0] = 1.5f;
  target_boxes[4] = 1.5f;
  targets.box_policy = SIMDETR_BOX_POLICY_SKIP;
  EXPECT_OK(match(matcher, &targets, found, &unmatched));
  for (layer = 0; layer < LAYERS * 2; layer++) EXPECT(found[layer] == -1);
  EXPECT(unmatched == LAYERS * 2);
  target_boxes[4] = 0.5f;
  targets.box_policy = 4;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, match(matcher, &targets, found, &unmatched));
  EXPECT_MESSAGE("box_policy: 4 is outside 0..=3");
  simdetr_matcher_destroy(matcher);
}

/* What is left out counts for nothing; what is cut counts as the box that is left. */
static void by_the_criterion(simdetr_targets_t targets) {
  static const float left_half[4] = {0, 0.5f, 0.5f, 0.5f}, cut[4] = {0.125f, 0.5f, 0.25f, 0.5f};
  float kept[8];
  int32_t queries[LAYERS * 2];
  size_t count = 0;
  simdetr_criterion_t *criterion = NULL;
  simdetr_losses_t losses, alone;
  losses.struct_size = alone.struct_size = sizeof losses;
  EXPECT_OK(simdetr_criterion_create(NULL, &criterion, &error));
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, evaluate(criterion, &targets, &losses));
  targets.box_policy = SIMDETR_BOX_POLICY_SKIP;
  EXPECT_OK(evaluate(criterion, &targets, &losses));
  EXPECT(losses.boxes_count == 1 && losses.pairs_count == 1 && losses.unmatched_count == 0);
  EXPECT_OK(simdetr_criterion_matches(criterion, queries, LAYERS * 2, &count, &error));
  EXPECT(count == LAYERS * 2 && queries[0] == -1 && queries[1] == 0 && queries[2] == -1 && queries[3] == 0);
  counts[0] = 1;
  targets.targets_count = 1;
  targets.classes = target_classes + 1;
  targets.boxes = target_boxes + 4;
  EXPECT_OK(evaluate(criterion, &targets, &alone));
  EXPECT(losses.total == alone.total && losses.l1_loss == alone.l1_loss);
  counts[0] = 2;
  targets.targets_count = 2;
  targets.classes = target_classes;
  targets.boxes = kept;
  memcpy(kept + 4, target_boxes + 4, 4 * sizeof(float));
  memcpy(kept, left_half, sizeof left_half);
  targets.box_policy = SIMDETR_BOX_POLICY_CLIP;
  EXPECT_OK(evaluate(criterion, &targets, &losses));
  memcpy(kept, cut, sizeof cut);
  targets.box_policy = 0;
  EXPECT_OK(evaluate(criterion, &targets, &alone));
  EXPECT(losses.boxes_count == 2 && losses.total == alone.total && losses.l1_loss == alone.l1_loss);
  simdetr_criterion_destroy(criterion);
}

int main(void) {
  simdetr_targets_t targets = two_targets();
  fill_predictions();
  target_boxes[0] = 1.5f;
  by_the_matcher(targets);
  by_the_criterion(targets);
  return 0;
}
