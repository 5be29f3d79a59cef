/* Scores of targets reach the losses of a trainer's step where the configuration lets them. */
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
  return 0;
}
