/* Scores of targets reach the losses of a trainer's step where the configuration lets them, and boxes
 * that are none are refused, cut or left out as the targets say. */
#include "own_detector.h"

enum { SIDE = 64, WAYS = 4 };

static const char *const ignored = "seed = 3\n[criterion]\nlabel_score = 'ignore'\n";
static const char *const weighted = "seed = 3\n[criterion]\nlabel_score = 'weight'\n";

static simdetr_error_t error;

static simdetr_trainer_t *trainer_of(own_detector_t *own, const char *config_toml) {
  simdetr_detector_callbacks_t callbacks;
  simdetr_trainer_options_t options;
  simdetr_trainer_t *trainer = NULL;
  memset(own, 0, sizeof *own);
  callbacks = own_callbacks(own);
  callbacks.predict = own_predict;
  simdetr_trainer_options_init(&options, sizeof options);
  options.preset = "tiny";
  options.config_toml = config_toml;
  options.threads = 1;
  EXPECT_OK(simdetr_trainer_create_from_callbacks(&callbacks, &options, &trainer, &error));
  return trainer;
}

/* The report of a run's first step on these targets; its status where it fails. */
static simdetr_status_t first_step(const DLTensor *images, const simdetr_targets_t *targets,
                                   simdetr_step_report_t *report) {
  own_detector_t own;
  simdetr_trainer_t *trainer = trainer_of(&own, ignored);
  simdetr_status_t status;
  report->struct_size = sizeof *report;
  EXPECT_OK(simdetr_trainer_begin(trainer, 2, 2, &error));
  status = simdetr_trainer_step(trainer, images, NULL, targets, NULL, report, &error);
  simdetr_trainer_destroy(trainer);
  return status;
}

static void box_policies(const DLTensor *images, simdetr_targets_t targets) {
  static float two[8] = {0.5f, 0.5f, 0.25f, 0.5f, 0, 0.5f, 0.5f, 0.5f};
  static const uint32_t one_count = 1, two_counts = 2;
  static const int64_t classes[2] = {1, 0};
  simdetr_step_report_t alone, found;
  targets.counts = &one_count;
  targets.classes = classes;
  targets.boxes = two;
  EXPECT_OK(first_step(images, &targets, &alone));
  targets.counts = &two_counts;
  targets.targets_count = 2;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, first_step(images, &targets, &found));
  EXPECT_MESSAGE("target 1 of image 0: cxcywh");
  targets.box_policy = SIMDETR_BOX_POLICY_SKIP;
  EXPECT_OK(first_step(images, &targets, &found));
  EXPECT(found.boxes_count == 1 && found.loss == alone.loss);
  targets.box_policy = SIMDETR_BOX_POLICY_CLIP;
  EXPECT_OK(first_step(images, &targets, &found));
  two[4] = 0.125f;
  two[6] = 0.25f;
  targets.box_policy = SIMDETR_BOX_POLICY_ERROR;
  EXPECT_OK(first_step(images, &targets, &alone));
  EXPECT(found.boxes_count == 2 && found.loss == alone.loss);
}

int main(void) {
  static float pixels[SIDE * SIDE * 3];
  static const float target[4] = {0.5f, 0.5f, 0.25f, 0.5f};
  static const uint32_t count = 1;
  static const int64_t class_of_target = 1;
  int64_t shape[4] = {1, SIDE, SIDE, 3};
  float score = 0.5f;
  size_t way;
  double losses[WAYS];
  simdetr_targets_t targets;
  DLTensor images;
  simdetr_targets_init(&targets, sizeof targets);
  targets.counts = &count;
  targets.images_count = targets.targets_count = 1;
  targets.classes = &class_of_target;
  targets.boxes = target;
  memset(&images, 0, sizeof images);
  images.data = pixels;
  images.device.device_type = kDLCPU;
  images.ndim = 4;
  images.dtype.code = kDLFloat;
  images.dtype.bits = 32;
  images.dtype.lanes = 1;
  images.shape = shape;
#define STEP(report) simdetr_trainer_step(trainer, &images, NULL, &targets, NULL, report, &error)
  for (way = 0; way < WAYS; way++) {
    own_detector_t own;
    simdetr_trainer_t *trainer = trainer_of(&own, way < 2 ? ignored : weighted);
    simdetr_step_report_t report;
    report.struct_size = sizeof report;
    targets.scores = way % 2 == 0 ? NULL : &score;
    EXPECT_OK(simdetr_trainer_begin(trainer, 2, 2, &error));
    if (way == 3) {
      score = 1.5f;
      EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, STEP(NULL));
      EXPECT_MESSAGE("target scores: target 0 of image 0: 1.5 is not in [0, 1]");
      score = 0.5f;
    }
    EXPECT_OK(STEP(&report));
    losses[way] = report.loss;
    simdetr_trainer_destroy(trainer);
  }
  EXPECT(losses[0] == losses[1] && losses[0] == losses[2] && losses[3] < losses[0]);
  targets.scores = NULL;
  box_policies(&images, targets);
  return 0;
}
