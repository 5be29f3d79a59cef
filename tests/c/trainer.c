/* Algorithm 1 from C: a detector of the host through two stages, failing callbacks, cancelling, single
 * stages and relabelling, loops of the host's own, refusals; a few steps of the built-in detector. */
#include <sys/stat.h>

#include "bitmap.h"
#include "jobs.h"
#include "own_detector.h"

enum { WIDTH = 96, HEIGHT = 64, PICTURES = 3 };

static const char *const document =
    "seed = 3\n"
    "[resize]\nimage_short_side = 64\nimage_long_side_max = 96\n"
    "[proposals]\nproposals_max = 4\n"
    "[cluster]\nclasses = 2\n"
    "[training]\nsteps = 4\nbatch_size = 2\npart_size = 1\ncheckpoint_steps = 2\nmetrics_steps = 1\nwarmup_steps = 0\n"
    "[augmentation]\nimage_short_sides = [64]\nimage_long_side_max = 96\ncrop_short_sides = [72]\n"
    "crop_side_min = 64\ncrop_side_max = 72\n"
    "[loader]\nloader_threads = 1\n";

static simdetr_error_t error;

/* Pictures with a bright block each, at another place and of another colour. */
static void paint(const char *folder) {
  static uint8_t pixels[WIDTH * HEIGHT * 3], file[BITMAP_HEADER + sizeof pixels];
  char name[32];
  size_t picture, x, y, length;
  FILE *out;
  EXPECT(mkdir(folder, 0700) == 0);
  for (picture = 0; picture < PICTURES; picture++) {
    for (y = 0; y < HEIGHT; y++) {
      for (x = 0; x < WIDTH; x++) {
        uint8_t *pixel = pixels + (y * WIDTH + x) * 3;
        int inside = x >= 10 + 12 * picture && x < 54 + 12 * picture && y >= 8 + 6 * picture && y < 44;
        pixel[0] = (uint8_t)(inside ? 220 - 60 * picture : 40 + x % 8);
        pixel[1] = (uint8_t)(inside ? 60 + 50 * picture : 60 + y % 8);
        pixel[2] = (uint8_t)(inside ? 30 : 80);
      }
    }
    length = encode_bitmap(pixels, WIDTH, HEIGHT, file);
    sprintf(name, "%s/%d.bmp", folder, (int)picture);
    out = fopen(name, "wb");
    EXPECT(out != NULL && fwrite(file, 1, length, out) == length);
    EXPECT(fclose(out) == 0);
  }
}

static simdetr_trainer_options_t options_of(const char *config_toml) {
  simdetr_trainer_options_t options;
  simdetr_trainer_options_init(&options, sizeof options);
  options.preset = "tiny";
  options.config_toml = config_toml;
  options.strict = 1;
  options.threads = 1;
  return options;
}

static simdetr_trainer_t *trainer_of(own_detector_t *own) {
  simdetr_detector_callbacks_t callbacks = own_callbacks(own);
  simdetr_trainer_options_t options = options_of(document);
  simdetr_trainer_t *trainer = NULL;
  EXPECT_OK(simdetr_trainer_create_from_callbacks(&callbacks, &options, &trainer, &error));
  return trainer;
}

/* Whether two files have the same bytes. */
static int same_file(const char *one, const char *other) {
  FILE *first = fopen(one, "rb"), *second = fopen(other, "rb");
  int a, b;
  EXPECT(first != NULL && second != NULL);
  do {
    a = fgetc(first);
    b = fgetc(second);
  } while (a == b && a != EOF);
  EXPECT(fclose(first) == 0 && fclose(second) == 0);
  return a == b;
}

static int exists(const char *path) {
  struct stat found;
  return stat(path, &found) == 0;
}

static void whole_run(void) {
  own_detector_t own;
  simdetr_trainer_t *trainer;
  simdetr_labels_t labels;
  simdetr_relabel_report_t report;
  uint64_t bytes = 0;
  uint32_t stage;
  size_t count = 9;
  memset(&own, 0, sizeof own);
  trainer = trainer_of(&own);
  EXPECT_OK(simdetr_trainer_labels_count(trainer, &count, &error));
  EXPECT(count == 0);
  EXPECT_OK(simdetr_trainer_pretrain(trainer, "pictures", "whole", NULL, NULL, &error));
  EXPECT(own.steps == 8 && own.last_loss < own.first_loss);
  EXPECT_OK(simdetr_trainer_labels_count(trainer, &count, &error));
  EXPECT(count == 3);
  labels.struct_size = sizeof labels;
  for (stage = 0; stage < 3; stage++) {
    EXPECT_OK(simdetr_trainer_labels(trainer, stage, &labels, &error));
    EXPECT(labels.images_count == PICTURES && labels.boxes_count > 0 && labels.recall_25 == -1);
  }
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_trainer_labels(trainer, 3, &labels, &error));
  labels.struct_size = 8;
  EXPECT_STATUS(SIMDETR_ERROR_STRUCT_SIZE, simdetr_trainer_labels(trainer, 0, &labels, &error));
  EXPECT_OK(simdetr_trainer_memory_bytes(trainer, &bytes, &error));
  EXPECT(bytes > 100);
  EXPECT_OK(simdetr_trainer_measured_count(trainer, &count, &error));
  EXPECT(count == 0);
  report.struct_size = sizeof report;
  EXPECT_OK(simdetr_trainer_relabel(trainer, "whole", 2, "whole/T1.json", "pictures", "again.json", NULL, &report,
                                    &error));
  EXPECT(same_file("again.json", "whole/T2.json") && report.images_count == PICTURES && report.images_broken == 0);
  /* That of another stage is read from its checkpoint. */
  EXPECT_OK(simdetr_trainer_relabel(trainer, "whole", 1, "whole/T1.json", "pictures", "again.json", NULL, NULL, &error));
  EXPECT(same_file("again.json", "whole/T1.json"));
  simdetr_trainer_destroy(trainer);
  EXPECT(own.ended == 1);
}

/* T_0 serves as true boxes, of the same pictures in another folder too. */
static void measured_run(void) {
  own_detector_t own;
  simdetr_trainer_t *trainer;
  simdetr_labels_t labels;
  simdetr_measured_t measured;
  size_t count = 9;
  memset(&own, 0, sizeof own);
  trainer = trainer_of(&own);
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_trainer_set_validation(trainer, "others", NULL, &error));
  EXPECT_MESSAGE("annotations");
  EXPECT_OK(simdetr_trainer_set_validation(trainer, "others", "whole/none.json", &error));
  EXPECT_STATUS(SIMDETR_ERROR_IO, simdetr_trainer_pretrain(trainer, "pictures", "measured", NULL, NULL, &error));
  EXPECT(!exists("measured"));
  EXPECT_OK(simdetr_trainer_set_validation(trainer, "others", "whole/T0.json", &error));
  EXPECT_OK(simdetr_trainer_pretrain(trainer, "pictures", "measured", "whole/T0.json", NULL, &error));
  labels.struct_size = sizeof labels;
  EXPECT_OK(simdetr_trainer_labels(trainer, 0, &labels, &error));
  EXPECT(labels.recall_100 > 0.99);
  /* Held out: T_0 and fixed boxes, 4 and 100 of each; two detectors and their labels. The others lack one T_0. */
  EXPECT_OK(simdetr_trainer_measured_count(trainer, &count, &error));
  EXPECT(count == 15);
  measured.struct_size = sizeof measured;
#define ROW(place) EXPECT_OK(simdetr_trainer_measured(trainer, place, &measured, &error))
  ROW(0);
  EXPECT(measured.images == SIMDETR_IMAGES_HELD_OUT && measured.kind == SIMDETR_MEASURED_PROPOSALS);
  EXPECT(measured.stage == 0 && measured.boxes_max == 4 && measured.images_count == PICTURES);
  EXPECT(measured.recall_100 > 0.99 && measured.recall_1 > 0 && measured.own_recall == -1);
  ROW(6);
  EXPECT(measured.kind == SIMDETR_MEASURED_DETECTOR && measured.stage == 2 && measured.boxes_max == 100);
  EXPECT(measured.boxes_count > 0 && measured.own_recall >= 0 && measured.average_precision >= 0);
  ROW(8);
  EXPECT(measured.images == SIMDETR_IMAGES_TRAINING && measured.kind == SIMDETR_MEASURED_PROPOSALS);
  ROW(14);
  EXPECT(measured.kind == SIMDETR_MEASURED_LABELS && measured.stage == 2 && measured.own_recall == -1);
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_trainer_measured(trainer, 15, &measured, &error));
  measured.struct_size = 8;
  EXPECT_STATUS(SIMDETR_ERROR_STRUCT_SIZE, simdetr_trainer_measured(trainer, 0, &measured, &error));
  /* The same run, not measured. */
  EXPECT_OK(simdetr_trainer_set_validation(trainer, NULL, NULL, &error));
  EXPECT_OK(simdetr_trainer_pretrain(trainer, "pictures", "measured", NULL, NULL, &error));
  EXPECT_OK(simdetr_trainer_measured_count(trainer, &count, &error));
  EXPECT(count == 0 && own.steps == 8);
  EXPECT(same_file("measured/detector.host", "whole/detector.host"));
  simdetr_trainer_destroy(trainer);
}

typedef struct {
  const simdetr_cancel_token_t *token;
  int steps_left;
  pthread_t caller;
} watcher_t;

static int32_t watch(void *user_data, const char *step, uint64_t done, uint64_t total) {
  watcher_t *watcher = (watcher_t *)user_data;
  EXPECT(total == 0 || done <= total);
  EXPECT(pthread_equal(watcher->caller, pthread_self()));
  if (strcmp(step, "train") != 0 || --watcher->steps_left != 0) return 0;
  if (watcher->token == NULL) return -8;
  EXPECT_OK(simdetr_cancel_token_cancel(watcher->token, &error));
  return 0;
}

/* What stops a run leaves one that goes on to the same bytes. */
static void stopped_runs(void) {
  static const char *const callbacks[] = {"start_stage", "forward", "backward", "step", "save", "load"};
  own_detector_t own;
  simdetr_trainer_t *trainer;
  simdetr_cancel_token_t *token = NULL;
  simdetr_run_options_t run;
  simdetr_stage_report_t report;
  watcher_t watcher = {NULL, 3, pthread_self()};
  size_t i;
  memset(&own, 0, sizeof own);
  own.answer = -33;
  trainer = trainer_of(&own);
  report.struct_size = sizeof report;
#define TRAIN(stage, labels) \
  simdetr_trainer_train(trainer, "stopped", stage, labels, "pictures", &run, &report, &error)
  simdetr_run_options_init(&run, sizeof run);
  for (i = 0; i < sizeof callbacks / sizeof *callbacks; i++) {
    own.failing = callbacks[i];
    own.calls_left = i == 3 ? 3 : 1;
    EXPECT_STATUS(-33, TRAIN(1, "whole/T0.json"));
    EXPECT_MESSAGE(callbacks[i]);
  }
  own.failing = "step";
  own.calls_left = 1;
  own.answer = 12;
  EXPECT_STATUS(SIMDETR_ERROR_HOST_CALLBACK, TRAIN(1, "whole/T0.json"));
  EXPECT_MESSAGE("step callback returned 12");
  EXPECT_OK(TRAIN(1, "whole/T0.json"));
  EXPECT(report.steps_count == 4 && report.images_count == PICTURES && report.boxes_count > 0);
  EXPECT(same_file("stopped/detector-stage1.host", "whole/detector-stage1.host"));
  run.progress = watch;
  run.progress_user_data = &watcher;
  EXPECT_STATUS(-8, TRAIN(2, "whole/T1.json"));
  EXPECT_OK(simdetr_cancel_token_create(&token, &error));
  run.cancel = watcher.token = token;
  watcher.steps_left = 1;
  EXPECT_STATUS(SIMDETR_ERROR_CANCELLED, TRAIN(2, "whole/T1.json"));
  EXPECT_STATUS(SIMDETR_ERROR_CANCELLED, TRAIN(2, "whole/T1.json"));
  EXPECT(!exists("stopped/detector-stage2.host"));
  run.cancel = NULL;
  /* Another process goes on. */
  simdetr_trainer_destroy(trainer);
  trainer = trainer_of(&own);
  EXPECT_OK(TRAIN(2, "whole/T1.json"));
  EXPECT(same_file("stopped/detector-stage2.host", "whole/detector.host"));
  EXPECT(same_file("stopped/metrics.jsonl", "whole/metrics.jsonl"));
  simdetr_cancel_token_destroy(token);
  simdetr_trainer_destroy(trainer);
  EXPECT(own.ended == 2);
}

/* What a host gets wrong, and what does not fit to a run's folder. */
static void refusals(void) {
  own_detector_t own;
  simdetr_trainer_t *trainer;
  simdetr_stage_report_t report;
  memset(&own, 0, sizeof own);
  trainer = trainer_of(&own);
  report.struct_size = sizeof report;
#define REFUSED(status, stage)                                                                          \
  EXPECT_STATUS(status, simdetr_trainer_train(trainer, "refused", stage, "whole/T0.json", "pictures", NULL, \
                                              &report, &error))
  own.wrong_classes = 1;
  REFUSED(SIMDETR_ERROR_SHAPE, 1);
  EXPECT_MESSAGE("expected [layers, 1, queries, 2], got [1, 1, 4, 3]");
  own.wrong_classes = 0;
  own.not_a_number = 1;
  REFUSED(SIMDETR_ERROR_DIVERGED, 1);
  own.not_a_number = 0;
  REFUSED(SIMDETR_ERROR_INVALID_ARGUMENT, 0);
  REFUSED(SIMDETR_ERROR_INVALID_ARGUMENT, 70000);
  REFUSED(SIMDETR_ERROR_RUN_STEP, 7);
  report.struct_size = 2;
  REFUSED(SIMDETR_ERROR_STRUCT_SIZE, 1);
  EXPECT(!exists("refused/detector-stage1.host"));
  EXPECT_STATUS(SIMDETR_ERROR_RUN_STEP,
                simdetr_trainer_relabel(trainer, "refused", 1, "whole/T0.json", "pictures", "no.json", NULL, NULL, &error));
  EXPECT_STATUS(SIMDETR_ERROR_IO,
                simdetr_trainer_train(trainer, "refused", 1, "none.json", "pictures", NULL, NULL, &error));
  EXPECT(!exists("no.json"));
  simdetr_trainer_destroy(trainer);
}

/* Labels by the host's own way. */
static void predictions(void) {
  own_detector_t own;
  simdetr_detector_callbacks_t callbacks = own_callbacks(&own);
  char counted[2048] = "", all[2048] = "";
  simdetr_trainer_options_t options = options_of(counted);
  simdetr_trainer_t *trainer = NULL;
  simdetr_relabel_report_t report;
  sprintf(counted, "%s[relabel]\npredictions_per_image = 20\nsuppression = 'after_cut'\n", document);
  memset(&own, 0, sizeof own);
  callbacks.predict = own_predict;
  EXPECT_OK(simdetr_trainer_create_from_callbacks(&callbacks, &options, &trainer, &error));
  report.struct_size = sizeof report;
#define RELABEL simdetr_trainer_relabel(trainer, "whole", 2, "whole/T1.json", "pictures", "own.json", NULL, &report, &error)
  EXPECT_OK(RELABEL);
  EXPECT(report.boxes_count == PICTURES && own.capacity == 20);
  own.too_many = 1;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, RELABEL);
  own.too_many = 0;
  own.wrong_classes = 1;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, RELABEL);
  EXPECT_MESSAGE("class 99 is not below 2");
  own.failing = "predict";
  own.calls_left = 2;
  own.answer = -4;
  own.wrong_classes = 0;
  EXPECT_STATUS(-4, RELABEL);
  simdetr_trainer_destroy(trainer);
  /* All of its boxes are asked for where labels are chosen from all. */
  sprintf(all, "%s[relabel]\nsuppression = 'before_cut'\n", document);
  options.config_toml = all;
  memset(&own, 0, sizeof own);
  EXPECT_OK(simdetr_trainer_create_from_callbacks(&callbacks, &options, &trainer, &error));
  EXPECT_OK(RELABEL);
  EXPECT(report.boxes_count == PICTURES && own.capacity == 65536);
  simdetr_trainer_destroy(trainer);
}

static void options(void) {
  own_detector_t own;
  simdetr_detector_callbacks_t callbacks = own_callbacks(&own);
  simdetr_trainer_options_t given = options_of("[training]\nlearning_rat = 1\n");
  simdetr_trainer_t *trainer = NULL;
  memset(&own, 0, sizeof own);
#define CREATE simdetr_trainer_create(&given, &trainer, &error)
  EXPECT_STATUS(SIMDETR_ERROR_UNKNOWN_KEY, CREATE);
  EXPECT_MESSAGE("training.learning_rate");
  given.config_toml = "[training]\nbatch_size = 'x'\n";
  EXPECT_STATUS(SIMDETR_ERROR_CONFIG_VALUE, CREATE);
  given.config_toml = "[training]\nbatch_size = 0\n";
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, CREATE);
  given.config_toml = "[";
  EXPECT_STATUS(SIMDETR_ERROR_CONFIG_SYNTAX, CREATE);
  given.config_toml = NULL;
  given.preset = "huge";
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, CREATE);
  EXPECT_MESSAGE("tiny");
  given.preset = NULL;
  given.strict = 2;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, CREATE);
  given.strict = 0;
  given.set_mask = 1;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, CREATE);
  given.set_mask = 0;
  given.struct_size = 16;
  EXPECT_STATUS(SIMDETR_ERROR_STRUCT_SIZE, CREATE);
  given.struct_size = sizeof given;
  EXPECT_OK(CREATE);
  simdetr_trainer_destroy(trainer);
  trainer = NULL;
  callbacks.struct_size = 24;
  EXPECT_STATUS(SIMDETR_ERROR_STRUCT_SIZE, simdetr_trainer_create_from_callbacks(&callbacks, &given, &trainer, &error));
  EXPECT(own.ended == 0);
  callbacks.struct_size = sizeof callbacks;
  callbacks.backward = NULL;
  EXPECT_STATUS(SIMDETR_ERROR_NULL_POINTER, simdetr_trainer_create_from_callbacks(&callbacks, &given, &trainer, &error));
  EXPECT_MESSAGE("backward");
  EXPECT(own.ended == 1 && trainer == NULL);
}

enum { SIDE = 64 };

/* Steps on two images of the host's own: one target in the first, none in the second. */
static void own_loop(simdetr_trainer_t *trainer, int builtin) {
  static float interleaved[2 * SIDE * SIDE * 3], planar[2 * 3 * SIDE * SIDE];
  static const float target[4] = {0.5f, 0.5f, 0.25f, 0.5f};
  static const uint32_t counts[2] = {1, 0}, sizes[4] = {SIDE, SIDE - 8, SIDE / 2, SIDE}, large[4] = {1, SIDE + 1, 1, 1};
  int64_t shape[4] = {2, SIDE, SIDE, 3}, planar_shape[4] = {2, 3, SIDE, SIDE}, class_of_target = 1;
  simdetr_targets_t targets;
  simdetr_step_report_t report, again;
  DLTensor images;
  size_t i;
  simdetr_targets_init(&targets, sizeof targets);
  targets.counts = counts;
  targets.images_count = 2;
  targets.classes = &class_of_target;
  targets.boxes = target;
  targets.targets_count = 1;
  for (i = 0; i < sizeof interleaved / sizeof *interleaved; i++) {
    size_t image = i / (SIDE * SIDE * 3), pixel = i / 3 % (SIDE * SIDE), channel = i % 3;
    interleaved[i] = (float)(i * 7 % 31) * 0.05f - 0.7f;
    planar[(image * 3 + channel) * SIDE * SIDE + pixel] = interleaved[i];
  }
  memset(&images, 0, sizeof images);
  images.data = interleaved;
  images.device.device_type = kDLCPU;
  images.ndim = 4;
  images.dtype.code = kDLFloat;
  images.dtype.bits = 32;
  images.dtype.lanes = 1;
  images.shape = shape;
  report.struct_size = again.struct_size = sizeof report;
#define STEP(sizes, report) simdetr_trainer_step(trainer, &images, sizes, &targets, NULL, report, &error)
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, STEP(sizes, &report));
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_trainer_write_detector(trainer, "loop", &error));
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_trainer_begin(trainer, 0, 2, &error));
  EXPECT_OK(simdetr_trainer_begin(trainer, 2, 2, &error));
  EXPECT_OK(STEP(sizes, &report));
  EXPECT(report.loss > 0 && report.boxes_count == 1 && report.pairs_count == 1 && report.gradient_norm > 0);
  class_of_target = 2;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, STEP(sizes, &report));
  class_of_target = 1;
  EXPECT_STATUS(SIMDETR_ERROR_SHAPE, STEP(large, &report));
  shape[3] = 4;
  EXPECT_STATUS(SIMDETR_ERROR_SHAPE, STEP(sizes, &report));
  shape[3] = 3;
  /* The same numbers in another order; without sizes both images fill their maps. */
  EXPECT_OK(simdetr_trainer_begin(trainer, 2, 2, &error));
  images.data = planar;
  images.shape = planar_shape;
  EXPECT_OK(STEP(sizes, &again));
  EXPECT(again.loss == report.loss && again.gradient_norm == report.gradient_norm);
  EXPECT_OK(STEP(NULL, NULL));
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, STEP(NULL, NULL));
  EXPECT_MESSAGE("all 2 are done");
  EXPECT_OK(simdetr_trainer_write_detector(trainer, "loop", &error));
  EXPECT(exists(builtin ? "loop.safetensors" : "loop.host"));
}

static void own_loops(void) {
  own_detector_t own;
  simdetr_trainer_t *trainer;
  memset(&own, 0, sizeof own);
  trainer = trainer_of(&own);
  own_loop(trainer, 0);
  simdetr_trainer_destroy(trainer);
}

/* The host's job system runs a whole run to the same bytes; once it breaks its contract, only destroy
 * works. */
static void job_systems(void) {
  own_detector_t own;
  jobs_t jobs = new_jobs(ON_THREADS);
  simdetr_detector_callbacks_t callbacks;
  simdetr_trainer_options_t options = options_of(document);
  simdetr_trainer_t *trainer = NULL;
  memset(&own, 0, sizeof own);
  callbacks = own_callbacks(&own);
  options.threads = 2;
  options.parallel_for = parallel_for;
  options.parallel_for_user_data = &jobs;
  EXPECT_OK(simdetr_trainer_create_from_callbacks(&callbacks, &options, &trainer, &error));
  EXPECT_OK(simdetr_trainer_pretrain(trainer, "pictures", "jobs", NULL, NULL, &error));
  EXPECT(jobs.loops > 0 && same_file("jobs/T0.json", "whole/T0.json") && same_file("jobs/T2.json", "whole/T2.json"));
  jobs.manner = LAST_LEFT_OUT;
  EXPECT_STATUS(SIMDETR_ERROR_HOST_CONTRACT,
                simdetr_trainer_pretrain(trainer, "pictures", "broken", NULL, NULL, &error));
  EXPECT_MESSAGE("without having called task ");
  jobs.manner = IN_ORDER;
  EXPECT_STATUS(SIMDETR_ERROR_POISONED, simdetr_trainer_pretrain(trainer, "pictures", "broken", NULL, NULL, &error));
  simdetr_trainer_destroy(trainer);
}

/* The built-in detector takes a step on the same labels, by a job system of the host. */
static void built_in(void) {
  char small[2048] = "";
  simdetr_trainer_options_t given = options_of(small);
  jobs_t jobs = new_jobs(ON_THREADS);
  simdetr_trainer_t *trainer = NULL;
  simdetr_stage_report_t report;
  simdetr_relabel_report_t labels;
  given.threads = 2;
  given.parallel_for = parallel_for;
  given.parallel_for_user_data = &jobs;
  sprintf(small, "%s[detector]\nhidden_size = 32\nqueries_count = 8\n", document);
  memcpy(strstr(small, "steps = 4"), "steps = 1", 9);
  EXPECT_OK(simdetr_trainer_create(&given, &trainer, &error));
  report.struct_size = sizeof report;
  labels.struct_size = sizeof labels;
  EXPECT_OK(simdetr_trainer_train(trainer, "built-in", 1, "whole/T0.json", "pictures", NULL, &report, &error));
  EXPECT(report.steps_count == 1 && exists("built-in/detector-stage1.safetensors"));
  EXPECT_OK(simdetr_trainer_relabel(trainer, "built-in", 1, "whole/T0.json", "pictures", "built-in/T1.json", NULL, &labels,
                                    &error));
  EXPECT(labels.images_count == PICTURES && labels.boxes_count > 0);
  own_loop(trainer, 1);
  /* A run of another detector is not gone on with. */
  EXPECT_STATUS(SIMDETR_ERROR_RUN_MISMATCH,
                simdetr_trainer_train(trainer, "whole", 1, "whole/T0.json", "pictures", NULL, &report, &error));
  simdetr_trainer_destroy(trainer);
}

int main(void) {
  paint("pictures");
  paint("others");
  whole_run();
  measured_run();
  stopped_runs();
  refusals();
  predictions();
  options();
  own_loops();
  job_systems();
  /* Minutes under an emulator. */
  if (getenv("SIMDETR_TEST_SLOW_MACHINE") == NULL) built_in();
  return 0;
}
