/* Losses and gradients: values that can be worked out, refusals, outputs untouched. */
#include <math.h>
#include <stddef.h>

#include "predictions.h"

static float logits_gradient[ROWS * CLASSES], boxes_gradient[ROWS * 4];
static simdetr_error_t error;

static simdetr_criterion_t *new_criterion(int32_t class_loss) {
  simdetr_criterion_options_t options;
  simdetr_criterion_t *criterion = NULL;
  simdetr_criterion_options_init(&options, sizeof options);
  options.threads = 1;
  options.class_loss = class_loss;
  EXPECT_OK(simdetr_criterion_create(&options, &criterion, &error));
  return criterion;
}

static simdetr_status_t evaluate(simdetr_criterion_t *criterion, const simdetr_targets_t *targets,
                                 simdetr_losses_t *losses) {
  return simdetr_criterion_evaluate_f32(criterion, logits, boxes, LAYERS, BATCH, QUERIES, CLASSES, targets, 0, NULL,
                                        logits_gradient, boxes_gradient, losses, &error);
}

static simdetr_losses_t empty_losses(void) {
  simdetr_losses_t losses;
  memset(&losses, 0, sizeof losses);
  losses.struct_size = sizeof losses;
  return losses;
}

static void values(void) {
  double layers[LAYERS][SIMDETR_LAYER_LOSSES_COUNT];
  double yes = 1 / (1 + exp(-3.0)), no = 1 - yes, wanted;
  int32_t queries[LAYERS * 2];
  size_t count = 0, i;
  simdetr_criterion_t *criterion = new_criterion(SIMDETR_CLASS_LOSS_FOCAL);
  simdetr_targets_t targets = two_targets();
  simdetr_losses_t losses = empty_losses();
  fill_predictions();
  EXPECT_OK(evaluate(criterion, &targets, &losses));
  /* Both boxes are met exactly; of twelve logits two are matched, and all are 3 off the middle. */
  wanted = (2 * 0.25 + 10 * 0.75) * no * no * -log(yes) / 2;
  EXPECT(fabs(losses.class_loss - wanted) < 1e-5 * wanted && losses.l1_loss == 0 && losses.giou_loss == 0);
  EXPECT(fabs(losses.total - 2 * LAYERS * wanted) < 1e-5 * wanted);
  EXPECT(losses.accuracy == 1 && losses.boxes_count == 2 && losses.pairs_count == 2 && losses.unmatched_count == 0);
  EXPECT(logits_gradient[2 * CLASSES] < 0 && logits_gradient[1] < 0 && logits_gradient[0] > 0);
  for (i = 0; i < ROWS * 4; i++) EXPECT(boxes_gradient[i] == 0);
  EXPECT_OK(simdetr_criterion_matches(criterion, NULL, 0, &count, &error));
  EXPECT(count == LAYERS * 2);
  EXPECT_STATUS(SIMDETR_ERROR_BUFFER_TOO_SMALL, simdetr_criterion_matches(criterion, queries, 1, &count, &error));
  EXPECT_OK(simdetr_criterion_matches(criterion, queries, count, &count, &error));
  EXPECT(queries[0] == 2 && queries[1] == 0 && queries[2] == 2 && queries[3] == 0);
  EXPECT_STATUS(SIMDETR_ERROR_BUFFER_TOO_SMALL,
                simdetr_criterion_layer_losses(criterion, layers[0], 1, &count, &error));
  EXPECT(count == LAYERS);
  EXPECT_OK(simdetr_criterion_layer_losses(criterion, layers[0], LAYERS, &count, &error));
  EXPECT(layers[0][0] == layers[1][0] && layers[1][0] == losses.class_loss && layers[0][3] == 1);

  counts[0] = 0;
  targets.targets_count = 0;
  EXPECT_OK(evaluate(criterion, &targets, &losses));
  EXPECT(losses.boxes_count == 1 && losses.pairs_count == 0 && losses.total > 0 && isfinite(losses.total));
  counts[0] = 2;
  simdetr_criterion_destroy(criterion);
}

/* Each refusal leaves gradients and losses as they were. */
#define REFUSED(status, part)                             \
  do {                                                    \
    EXPECT_STATUS(status, evaluate(criterion, &targets, &losses)); \
    EXPECT_MESSAGE(part);                                 \
  } while (0)

static void bad_targets(void) {
  simdetr_criterion_t *criterion = new_criterion(SIMDETR_CLASS_LOSS_SOFTMAX);
  simdetr_targets_t targets = two_targets();
  simdetr_losses_t losses = empty_losses();
  logits_gradient[0] = boxes_gradient[0] = 77;
  losses.total = 77;
  fill_predictions();
  /* Under softmax the last of the two logits is "no object". */
  REFUSED(SIMDETR_ERROR_INVALID_ARGUMENT, "target 1 of image 0: 1 is not below 1");
  target_classes[1] = -1;
  REFUSED(SIMDETR_ERROR_INVALID_ARGUMENT, "target 1: -1 is not in [0, 1)");
  target_classes[1] = 0;
  target_boxes[6] = 0;
  REFUSED(SIMDETR_ERROR_INVALID_ARGUMENT, "size 0 x 0.25 is not positive");
  target_boxes[6] = -0.5f;
  REFUSED(SIMDETR_ERROR_INVALID_ARGUMENT, "size -0.5 x 0.25 is not positive");
  target_boxes[6] = 1.5f;
  REFUSED(SIMDETR_ERROR_INVALID_ARGUMENT, "reaches out of [0, 1]");
  target_boxes[6] = NAN;
  REFUSED(SIMDETR_ERROR_NON_FINITE, "target boxes, target 1 of image 0");
  target_boxes[6] = 0.5f;
  counts[1] = 1;
  REFUSED(SIMDETR_ERROR_SHAPE, "expected 3 (the sum of 2 counts), got 2");
  counts[1] = 0;
  targets.images_count = 1;
  REFUSED(SIMDETR_ERROR_SHAPE, "expected 2 images, got 1 counts");
  targets.images_count = 2;
  targets.struct_size = 8;
  REFUSED(SIMDETR_ERROR_STRUCT_SIZE, "simdetr_targets_t");
  targets.struct_size = sizeof targets;
  logits[7] = INFINITY;
  REFUSED(SIMDETR_ERROR_NON_FINITE, "logits, layer 0, image 1, query 0, class 1: value inf");
  logits[7] = 0;
  boxes[ROWS * 4 - 1] = -1;
  REFUSED(SIMDETR_ERROR_INVALID_ARGUMENT, "layer 1, image 1, query 2: size 0.5 x -1 is negative");
  boxes[ROWS * 4 - 1] = NAN;
  REFUSED(SIMDETR_ERROR_NON_FINITE, "boxes, layer 1, image 1, query 2");
  boxes[ROWS * 4 - 1] = 0.5f;
  losses.struct_size = 4;
  REFUSED(SIMDETR_ERROR_STRUCT_SIZE, "simdetr_losses_t");
  losses.struct_size = sizeof losses;
  EXPECT(logits_gradient[0] == 77 && boxes_gradient[0] == 77 && losses.total == 77);
  EXPECT_OK(evaluate(criterion, &targets, &losses));
  EXPECT(logits_gradient[0] != 77 && losses.total != 77);
  target_classes[1] = 1;
  simdetr_criterion_destroy(criterion);
}

static void bad_tensors(void) {
  int64_t shape[4] = {LAYERS, BATCH, QUERIES, CLASSES}, boxes_shape[4] = {LAYERS, BATCH, QUERIES, 4};
  int64_t strides[4] = {12, 6, 1, 3}, wrong[4] = {LAYERS, BATCH, QUERIES, 5};
  simdetr_criterion_t *criterion = new_criterion(0);
  simdetr_targets_t targets = two_targets();
  DLTensor tensors[4], good;
  size_t i;
  tensors[0] = tensor_of(logits, shape, 4, kDLFloat);
  tensors[1] = tensor_of(boxes, boxes_shape, 4, kDLFloat);
  tensors[2] = tensor_of(logits_gradient, shape, 4, kDLFloat);
  tensors[3] = tensor_of(boxes_gradient, boxes_shape, 4, kDLFloat);
#define EVALUATE                                                                                                \
  simdetr_criterion_evaluate(criterion, &tensors[0], &tensors[1], &targets, 0, NULL, &tensors[2], &tensors[3], NULL, \
                             &error)
  EXPECT_OK(EVALUATE);
  logits_gradient[0] = boxes_gradient[0] = 77;
  for (i = 0; i < 4; i++) {
    good = tensors[i];
    tensors[i].device.device_type = kDLCUDA;
    EXPECT_STATUS(SIMDETR_ERROR_DEVICE, EVALUATE);
    tensors[i] = good;
    tensors[i].dtype.bits = 16;
    EXPECT_STATUS(SIMDETR_ERROR_ELEMENT_TYPE, EVALUATE);
    tensors[i] = good;
    tensors[i].ndim = 3;
    EXPECT_STATUS(SIMDETR_ERROR_SHAPE, EVALUATE);
    tensors[i] = good;
    tensors[i].strides = strides;
    EXPECT_STATUS(SIMDETR_ERROR_STRIDES, EVALUATE);
    tensors[i] = good;
    tensors[i].shape = wrong;
    EXPECT_STATUS(SIMDETR_ERROR_SHAPE, EVALUATE);
    tensors[i] = good;
  }
  tensors[2].data = logits;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, EVALUATE);
  EXPECT_MESSAGE("logits_gradient: shares memory with logits");
  EXPECT(logits_gradient[0] == 77 && boxes_gradient[0] == 77);
  simdetr_criterion_destroy(criterion);
}

/* A query that is 3 off the middle for a label of 0.5, whose box it meets. */
static double slope(int32_t class_loss, int32_t label_score, int32_t class_target, const float *scores) {
  simdetr_criterion_options_t options;
  simdetr_criterion_t *criterion = NULL;
  simdetr_targets_t targets = two_targets();
  simdetr_losses_t losses = empty_losses();
  simdetr_criterion_options_init(&options, sizeof options);
  options.threads = 1;
  options.class_loss = class_loss;
  options.label_score = label_score;
  options.class_target = class_target;
  targets.scores = scores;
  EXPECT_OK(simdetr_criterion_create(&options, &criterion, &error));
  EXPECT_OK(evaluate(criterion, &targets, &losses));
  EXPECT(losses.boxes_count == (label_score == SIMDETR_LABEL_SCORE_WEIGHT && scores != NULL ? 1.0 : 2.0));
  simdetr_criterion_destroy(criterion);
  return logits_gradient[2 * CLASSES];
}

static void scores(void) {
  const float given[2] = {0.5f, 0.5f}, broken[2] = {0.5f, 1.5f};
  const double yes = 1 / (1 + exp(-3.0));
  double plain, weighted;
  simdetr_criterion_options_t options;
  simdetr_criterion_t *criterion = NULL;
  simdetr_targets_t targets = two_targets();
  simdetr_losses_t losses = empty_losses();
  fill_predictions();
  plain = slope(SIMDETR_CLASS_LOSS_FOCAL, 0, 0, NULL);
  EXPECT(plain < 0 && plain == slope(SIMDETR_CLASS_LOSS_FOCAL, SIMDETR_LABEL_SCORE_IGNORE, 0, given));
  EXPECT(plain == slope(SIMDETR_CLASS_LOSS_FOCAL, SIMDETR_LABEL_SCORE_SOFT_TARGET, SIMDETR_CLASS_TARGET_ONE, NULL));
  EXPECT(slope(SIMDETR_CLASS_LOSS_FOCAL, SIMDETR_LABEL_SCORE_SOFT_TARGET, 0, given) > 0);
  /* Half the weight over half the sum. */
  weighted = slope(SIMDETR_CLASS_LOSS_FOCAL, SIMDETR_LABEL_SCORE_WEIGHT, 0, given);
  EXPECT(fabs(weighted - plain) < 1e-6 * fabs(plain));
  /* 2 (the weight) * t * (p - t) / 2 (the boxes) of a box that is met. */
  EXPECT(fabs(slope(SIMDETR_CLASS_LOSS_VARIFOCAL, SIMDETR_LABEL_SCORE_SOFT_TARGET, SIMDETR_CLASS_TARGET_IOU, given) -
              0.5 * (yes - 0.5)) < 1e-6);

  simdetr_criterion_options_init(&options, sizeof options);
  options.label_score = SIMDETR_LABEL_SCORE_WEIGHT;
  EXPECT_OK(simdetr_criterion_create(&options, &criterion, &error));
  targets.scores = broken;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, evaluate(criterion, &targets, &losses));
  EXPECT_MESSAGE("target scores: target 1 of image 0: 1.5 is not in [0, 1]");
  /* A program of before has no scores in its struct. */
  targets.struct_size = offsetof(simdetr_targets_t, scores);
  EXPECT_OK(evaluate(criterion, &targets, &losses));
  EXPECT(losses.boxes_count == 2);
  simdetr_criterion_destroy(criterion);
}

static void options(void) {
  simdetr_criterion_options_t options;
  simdetr_criterion_t *criterion = NULL;
  simdetr_criterion_options_init(&options, sizeof options);
  options.class_loss = 4;
  EXPECT_STATUS(SIMDETR_ERROR_CONFIG_VALUE, simdetr_criterion_create(&options, &criterion, &error));
  options.class_loss = SIMDETR_CLASS_LOSS_SOFTMAX;
  options.class_target = SIMDETR_CLASS_TARGET_IOU;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_criterion_create(&options, &criterion, &error));
  EXPECT_MESSAGE("class_target = iou");
  options.class_loss = options.class_target = 0;
  options.label_score = 4;
  EXPECT_STATUS(SIMDETR_ERROR_CONFIG_VALUE, simdetr_criterion_create(&options, &criterion, &error));
  options.label_score = 0;
  options.no_object_weight = 2;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_criterion_create(&options, &criterion, &error));
  options.no_object_weight = 0;
  options.set_mask = (uint64_t)1 << 40;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_criterion_create(&options, &criterion, &error));
  options.set_mask = SIMDETR_CRITERION_SET_CLASS_COST | SIMDETR_CRITERION_SET_L1_COST | SIMDETR_CRITERION_SET_GIOU_COST;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_criterion_create(&options, &criterion, &error));
  EXPECT_MESSAGE("all are 0");
  EXPECT(criterion == NULL);
}

int main(void) {
  values();
  bad_targets();
  bad_tensors();
  scores();
  options();
  return 0;
}
