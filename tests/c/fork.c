/* fork: a child uses the handles that it inherits, and new ones, and finds what its parent found,
 * also when another thread of the parent is inside the library at that moment. */
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "colours.h"
#include "jobs.h"

enum { ROWS = 3000, DIMENSIONS = 6, COUNTS = 3, FORKS = 10 };

static const uint32_t threads_of[COUNTS] = {2, 0, 3};
static float rows[ROWS * DIMENSIONS];
static uint32_t wanted_labels[ROWS];
static found_t wanted;
static simdetr_error_t error;

typedef struct {
  simdetr_extractor_t *extractor;
  simdetr_clusterer_t *clusterer;
} handles_t;

static handles_t new_handles(colours_t *colours, uint32_t threads, jobs_t *jobs) {
  handles_t made;
  simdetr_clusterer_options_t options;
  simdetr_clusterer_options_init(&options, sizeof options);
  options.classes = 4;
  options.rounds = 3;
  options.threads = threads;
  made.clusterer = NULL;
  made.extractor = colours_extractor(colours, 0, threads, jobs == NULL ? NULL : parallel_for, jobs);
  EXPECT_OK(simdetr_clusterer_create(&options, &made.clusterer, &error));
  return made;
}

static void use(const handles_t *handles) {
  static uint32_t labels[ROWS];
  found_t found = {0, 0};
  EXPECT_OK(colours_batch(handles->extractor, &found, &error));
  EXPECT(found.count == wanted.count && found.sum == wanted.sum);
  EXPECT_OK(simdetr_clusterer_fit_f32(handles->clusterer, rows, ROWS, DIMENSIONS, NULL, NULL, &error));
  EXPECT_OK(simdetr_clusterer_assign_f32(handles->clusterer, rows, ROWS, DIMENSIONS, labels, NULL, &error));
  EXPECT(memcmp(labels, wanted_labels, sizeof labels) == 0);
}

static void end(const handles_t *handles) {
  simdetr_extractor_destroy(handles->extractor);
  simdetr_clusterer_destroy(handles->clusterer);
}

static void succeeded(pid_t child) {
  int status = 0;
  EXPECT(child > 0 && waitpid(child, &status, 0) == child);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fprintf(stderr, "the child ended with %#x%s\n", (unsigned)status,
            WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? ": it never returned" : "");
    exit(1);
  }
}

/* What never returns is ended; interpreted instructions take their time. */
static void watch(void) { alarm(getenv("SIMDETR_TEST_SLOW_MACHINE") == NULL ? 60 : 400); }

/* In a child: what is inherited, then new handles. */
static void use_all(colours_t *colours, const handles_t *inherited, size_t count) {
  size_t i;
  watch();
  colours->caller = pthread_self();
  for (i = 0; i < count; i++) use(&inherited[i]);
  for (i = 0; i < COUNTS; i++) {
    handles_t fresh = new_handles(colours, threads_of[i], NULL);
    use(&fresh);
    end(&fresh);
  }
}

/* A child that has a child of its own where `is_parent`. */
static void child(colours_t *colours, const handles_t *inherited, size_t count, int is_parent) {
  size_t i;
  use_all(colours, inherited, count);
  if (is_parent) {
    pid_t forked = fork();
    if (forked == 0) {
      use_all(colours, inherited, count);
      _exit(0);
    }
    succeeded(forked);
  }
  for (i = 0; i < count; i++) end(&inherited[i]);
  _exit(0);
}

static void inherited_and_new(colours_t *colours) {
  jobs_t jobs = new_jobs(ON_THREADS);
  handles_t handles[COUNTS + 2];
  size_t i;
  pid_t forked;
  for (i = 0; i < COUNTS; i++) handles[i] = new_handles(colours, threads_of[i], NULL);
  handles[COUNTS] = new_handles(colours, 2, &jobs);
  for (i = 0; i < COUNTS + 1; i++) use(&handles[i]);
  /* Not used before the fork. */
  handles[COUNTS + 1] = new_handles(colours, 2, NULL);
  forked = fork();
  if (forked == 0) child(colours, handles, COUNTS + 2, 1);
  succeeded(forked);
  for (i = 0; i < COUNTS + 2; i++) {
    use(&handles[i]);
    end(&handles[i]);
  }
}

static volatile int is_over = 0;

/* Keeps a thread of the parent inside the library: pools begin and end, and work. */
static void *busy(void *data) {
  found_t found = {0, 0};
  simdetr_error_t failure;
  while (!is_over) {
    simdetr_extractor_t *extractor = colours_extractor((colours_t *)data, 0, 3, NULL, NULL);
    EXPECT(colours_batch(extractor, &found, &failure) == SIMDETR_OK);
    simdetr_extractor_destroy(extractor);
  }
  return NULL;
}

/* Keeps a thread of the parent inside a handle that the children inherit. */
static void *busy_on(void *clusterer) {
  static uint32_t labels[ROWS];
  simdetr_error_t failure;
  while (!is_over) {
    EXPECT(simdetr_clusterer_assign_f32((simdetr_clusterer_t *)clusterer, rows, ROWS, DIMENSIONS, labels, NULL,
                                        &failure) == SIMDETR_OK);
  }
  return NULL;
}

static void beside_a_busy_thread(void) {
  colours_t own, others;
  handles_t handles;
  pthread_t thread, on_handle;
  int i;
  start_colours(&own);
  start_colours(&others);
  handles = new_handles(&own, 2, NULL);
  EXPECT(pthread_create(&thread, NULL, busy, &others) == 0);
  use(&handles);
  EXPECT(pthread_create(&on_handle, NULL, busy_on, handles.clusterer) == 0);
  for (i = 0; i < FORKS; i++) {
    pid_t forked = fork();
    if (forked == 0) child(&own, &handles, 1, 0);
    succeeded(forked);
  }
  is_over = 1;
  EXPECT(pthread_join(thread, NULL) == 0);
  EXPECT(pthread_join(on_handle, NULL) == 0);
  use(&handles);
  end(&handles);
}

int main(void) {
  colours_t colours;
  handles_t alone;
  size_t i;
  start_colours(&colours);
  paint_pictures();
  for (i = 0; i < ROWS * DIMENSIONS; i++) {
    rows[i] = (i % DIMENSIONS == i / DIMENSIONS % 4 ? 3.0f : 0.0f) + (float)(i * 37 % 101) / 101.0f;
  }
  alone = new_handles(&colours, 1, NULL);
  EXPECT_OK(colours_batch(alone.extractor, &wanted, &error));
  EXPECT_OK(simdetr_clusterer_fit_f32(alone.clusterer, rows, ROWS, DIMENSIONS, NULL, NULL, &error));
  EXPECT_OK(simdetr_clusterer_assign_f32(alone.clusterer, rows, ROWS, DIMENSIONS, wanted_labels, NULL, &error));
  end(&alone);
  inherited_and_new(&colours);
  if (getenv("SIMDETR_TEST_SLOW_MACHINE") == NULL) beside_a_busy_thread();
  return 0;
}
