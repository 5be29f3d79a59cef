/* Job systems of the host: those that keep their contract give the results of one thread; each way
 * of breaking it is named, runs no task twice or out of its loop, and leaves outputs untouched. */
#include "colours.h"
#include "jobs.h"

enum { LAYERS = 2, BATCH = 3, QUERIES = 40, CLASSES = 6, UNITS = LAYERS * BATCH, TARGETS = 2 * BATCH };
enum { ROWS = 5000, DIMENSIONS = 8 };

static float logits[UNITS * QUERIES * CLASSES], boxes[UNITS * QUERIES * 4], target_boxes[TARGETS * 4];
static float rows[ROWS * DIMENSIONS];
static int64_t target_classes[TARGETS];
static uint32_t counts[BATCH];
static simdetr_error_t error;

static float next(void) {
  static unsigned state = 7;
  state = state * 1664525u + 1013904223u;
  return (float)(state >> 8) / 16777216.0f;
}

static void fill(void) {
  size_t i;
  for (i = 0; i < UNITS * QUERIES * CLASSES; i++) logits[i] = 6 * next() - 3;
  for (i = 0; i < UNITS * QUERIES * 4; i++) boxes[i] = 0.3f + 0.2f * next();
  for (i = 0; i < TARGETS * 4; i++) target_boxes[i] = 0.3f + 0.2f * next();
  for (i = 0; i < TARGETS; i++) target_classes[i] = (int64_t)(i % CLASSES);
  for (i = 0; i < BATCH; i++) counts[i] = TARGETS / BATCH;
  for (i = 0; i < ROWS * DIMENSIONS; i++) rows[i] = (i % DIMENSIONS == i / DIMENSIONS % 5 ? 3.0f : 0.0f) + next();
}

static simdetr_targets_t targets(void) {
  simdetr_targets_t all;
  simdetr_targets_init(&all, sizeof all);
  all.counts = counts;
  all.images_count = BATCH;
  all.classes = target_classes;
  all.boxes = target_boxes;
  all.targets_count = TARGETS;
  return all;
}

static void broken(simdetr_status_t status, manner_t manner) {
  if (status != SIMDETR_ERROR_HOST_CONTRACT) {
    fprintf(stderr, "manner %d answered %d: %s\n", (int)manner, (int)status, error.message);
    exit(1);
  }
  EXPECT(error.status == status && strcmp(simdetr_status_name(status), "SIMDETR_ERROR_HOST_CONTRACT") == 0);
  EXPECT_MESSAGE("parallel_for");
  EXPECT_MESSAGE(complaint_about(manner));
}

/* An extractor only reads its handle, so that it goes on as soon as the host does. */
static void images(void) {
  colours_t colours;
  jobs_t jobs = new_jobs(IN_ORDER);
  simdetr_extractor_t *alone = colours_extractor(&colours, 0, 1, NULL, NULL);
  simdetr_extractor_t *extractor = colours_extractor(&colours, 0, 3, parallel_for, &jobs);
  found_t wanted = {0, 0}, found = {0, 0};
  int manner;
  start_colours(&colours);
  EXPECT_OK(colours_batch(alone, &wanted, &error));
  EXPECT(wanted.count > PICTURES);
  for (manner = IN_ORDER; manner < MANNERS; manner++) {
    jobs.manner = (manner_t)manner;
    if (manner > ON_THREADS) {
      broken(colours_batch(extractor, &found, &error), jobs.manner);
      /* What the host still has, or has kept, comes too late and does nothing. */
      join_jobs(&jobs);
      jobs.task(jobs.task_data, 0);
      jobs.task(jobs.task_data, 9);
      jobs.task(NULL, 0);
    }
    jobs.manner = manner == IN_ORDER ? IN_ORDER : ON_THREADS;
    EXPECT_OK(colours_batch(extractor, &found, &error));
    EXPECT(found.count == wanted.count && found.sum == wanted.sum);
  }
  EXPECT(jobs.loops >= 2 * MANNERS - 2);
  simdetr_extractor_destroy(alone);
  simdetr_extractor_destroy(extractor);
}

static simdetr_matcher_t *new_matcher(jobs_t *jobs) {
  simdetr_matcher_options_t options;
  simdetr_matcher_t *matcher = NULL;
  simdetr_matcher_options_init(&options, sizeof options);
  options.threads = jobs == NULL ? 1 : 2;
  options.parallel_for = jobs == NULL ? NULL : parallel_for;
  options.parallel_for_user_data = jobs;
  EXPECT_OK(simdetr_matcher_create(&options, &matcher, &error));
  return matcher;
}

static simdetr_status_t match(simdetr_matcher_t *matcher, int32_t *queries) {
  simdetr_targets_t all = targets();
  return simdetr_matcher_match_f32(matcher, logits, boxes, LAYERS, BATCH, QUERIES, CLASSES, &all, NULL, queries, NULL,
                                   &error);
}

/* A matcher changes its handle in the call: after a broken one only destroy works. */
static void matches(void) {
  int32_t wanted[LAYERS * TARGETS], found[LAYERS * TARGETS];
  simdetr_matcher_t *matcher = new_matcher(NULL);
  int manner, i;
  EXPECT_OK(match(matcher, wanted));
  simdetr_matcher_destroy(matcher);
  for (manner = IN_ORDER; manner < MANNERS; manner++) {
    jobs_t jobs = new_jobs((manner_t)manner);
    matcher = new_matcher(&jobs);
    for (i = 0; i < LAYERS * TARGETS; i++) found[i] = 77;
    if (manner <= ON_THREADS) {
      EXPECT_OK(match(matcher, found));
      EXPECT(memcmp(found, wanted, sizeof found) == 0);
    } else {
      broken(match(matcher, found), jobs.manner);
      for (i = 0; i < LAYERS * TARGETS; i++) EXPECT(found[i] == 77);
      EXPECT_STATUS(SIMDETR_ERROR_POISONED, match(matcher, found));
    }
    EXPECT(jobs.loops > 0);
    join_jobs(&jobs);
    simdetr_matcher_destroy(matcher);
  }
}

static simdetr_criterion_t *new_criterion(jobs_t *jobs) {
  simdetr_criterion_options_t options;
  simdetr_criterion_t *criterion = NULL;
  simdetr_criterion_options_init(&options, sizeof options);
  options.threads = jobs == NULL ? 1 : 2;
  options.parallel_for = jobs == NULL ? NULL : parallel_for;
  options.parallel_for_user_data = jobs;
  EXPECT_OK(simdetr_criterion_create(&options, &criterion, &error));
  return criterion;
}

static simdetr_status_t evaluate(simdetr_criterion_t *criterion, float *of_logits, float *of_boxes) {
  simdetr_targets_t all = targets();
  return simdetr_criterion_evaluate_f32(criterion, logits, boxes, LAYERS, BATCH, QUERIES, CLASSES, &all, 0, NULL,
                                        of_logits, of_boxes, NULL, &error);
}

static void losses(void) {
  static float wanted[UNITS * QUERIES * CLASSES], of_logits[UNITS * QUERIES * CLASSES], of_boxes[UNITS * QUERIES * 4];
  simdetr_criterion_t *criterion = new_criterion(NULL);
  int manner;
  EXPECT_OK(evaluate(criterion, wanted, of_boxes));
  simdetr_criterion_destroy(criterion);
  for (manner = IN_ORDER; manner < MANNERS; manner++) {
    jobs_t jobs = new_jobs((manner_t)manner);
    criterion = new_criterion(&jobs);
    of_logits[0] = of_boxes[0] = 77;
    if (manner <= ON_THREADS) {
      EXPECT_OK(evaluate(criterion, of_logits, of_boxes));
      EXPECT(memcmp(of_logits, wanted, sizeof wanted) == 0);
    } else {
      broken(evaluate(criterion, of_logits, of_boxes), jobs.manner);
      EXPECT(of_logits[0] == 77 && of_boxes[0] == 77);
    }
    join_jobs(&jobs);
    simdetr_criterion_destroy(criterion);
  }
}

static simdetr_clusterer_t *new_clusterer(jobs_t *jobs) {
  simdetr_clusterer_options_t options;
  simdetr_clusterer_t *clusterer = NULL;
  simdetr_clusterer_options_init(&options, sizeof options);
  options.classes = 5;
  options.rounds = 3;
  options.threads = jobs == NULL ? 1 : 2;
  options.parallel_for = jobs == NULL ? NULL : parallel_for;
  options.parallel_for_user_data = jobs;
  EXPECT_OK(simdetr_clusterer_create(&options, &clusterer, &error));
  return clusterer;
}

static void clusters(void) {
  static uint32_t wanted[ROWS], found[ROWS];
  simdetr_clusterer_t *clusterer = new_clusterer(NULL);
  int manner;
  EXPECT_OK(simdetr_clusterer_fit_f32(clusterer, rows, ROWS, DIMENSIONS, NULL, NULL, &error));
  EXPECT_OK(simdetr_clusterer_assign_f32(clusterer, rows, ROWS, DIMENSIONS, wanted, NULL, &error));
  simdetr_clusterer_destroy(clusterer);
  for (manner = IN_ORDER; manner < MANNERS; manner++) {
    jobs_t jobs = new_jobs((manner_t)manner);
    clusterer = new_clusterer(&jobs);
    found[0] = 77;
    if (manner <= ON_THREADS) {
      EXPECT_OK(simdetr_clusterer_fit_f32(clusterer, rows, ROWS, DIMENSIONS, NULL, NULL, &error));
      EXPECT_OK(simdetr_clusterer_assign_f32(clusterer, rows, ROWS, DIMENSIONS, found, NULL, &error));
      EXPECT(memcmp(found, wanted, sizeof found) == 0);
    } else {
      /* Fitting fails; then a fitted one, told by the host that all is well, fails in reading only. */
      broken(simdetr_clusterer_fit_f32(clusterer, rows, ROWS, DIMENSIONS, NULL, NULL, &error), jobs.manner);
      simdetr_clusterer_destroy(clusterer);
      join_jobs(&jobs);
      jobs.manner = IN_ORDER;
      clusterer = new_clusterer(&jobs);
      EXPECT_OK(simdetr_clusterer_fit_f32(clusterer, rows, ROWS, DIMENSIONS, NULL, NULL, &error));
      jobs.manner = (manner_t)manner;
      broken(simdetr_clusterer_assign_f32(clusterer, rows, ROWS, DIMENSIONS, found, NULL, &error), jobs.manner);
      EXPECT(found[0] == 77);
      join_jobs(&jobs);
      jobs.manner = IN_ORDER;
      EXPECT_OK(simdetr_clusterer_assign_f32(clusterer, rows, ROWS, DIMENSIONS, found, NULL, &error));
      EXPECT(memcmp(found, wanted, sizeof found) == 0);
    }
    join_jobs(&jobs);
    simdetr_clusterer_destroy(clusterer);
  }
}

/* Far too many threads are refused, whoever runs them. */
static void too_many(void) {
  jobs_t jobs = new_jobs(IN_ORDER);
  simdetr_matcher_options_t options;
  simdetr_matcher_t *matcher = NULL;
  int with_jobs;
  for (with_jobs = 0; with_jobs < 2; with_jobs++) {
    simdetr_matcher_options_init(&options, sizeof options);
    options.threads = 1000000;
    options.parallel_for = with_jobs ? parallel_for : NULL;
    options.parallel_for_user_data = &jobs;
    EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_matcher_create(&options, &matcher, &error));
    EXPECT_MESSAGE("threads: 1000000 is over ");
    EXPECT_MESSAGE("processors");
    options.threads = 8;
    EXPECT_OK(simdetr_matcher_create(&options, &matcher, &error));
    simdetr_matcher_destroy(matcher);
    matcher = NULL;
  }
}

int main(void) {
  paint_pictures();
  fill();
  images();
  matches();
  losses();
  clusters();
  too_many();
  return 0;
}
