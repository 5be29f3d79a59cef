/* A job system of the host that keeps its contract, or breaks it in a way of its own choice. */
#ifndef SIMDETR_TESTS_JOBS_H
#define SIMDETR_TESTS_JOBS_H

#include <pthread.h>

#include "expect.h"

enum { JOB_THREADS = 3 };

typedef enum {
  IN_ORDER,
  ON_THREADS,
  /* From here on the contract is broken. */
  TWICE,
  TWICE_AT_ONCE,
  ONE_TOO_FAR,
  FAR_OFF,
  LAST_LEFT_OUT,
  NONE_CALLED,
  /* Some tasks come after the return, when `join_jobs` lets them go. */
  RETURNS_EARLY,
  MANNERS
} manner_t;

typedef struct jobs_t jobs_t;

typedef struct {
  jobs_t *jobs;
  size_t first;
} job_t;

/* Holds the threads of a host that returns early. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

struct jobs_t {
  manner_t manner;
  /* The thread that calls the library. */
  pthread_t caller;
  int loops, is_running;
  /* The loop that runs, kept for calls that come too late. */
  simdetr_task_fn_t task;
  void *task_data;
  size_t tasks_count, step;
  pthread_t threads[JOB_THREADS];
  job_t each[JOB_THREADS];
  int are_out;
};

static inline void *run_job(void *data) {
  const job_t *job = (const job_t *)data;
  size_t index;
  if (job->jobs->manner == RETURNS_EARLY && job->first > 0) {
    EXPECT(pthread_mutex_lock(&gate) == 0 && pthread_mutex_unlock(&gate) == 0);
  }
  for (index = job->first; index < job->jobs->tasks_count; index += job->jobs->step) {
    job->jobs->task(job->jobs->task_data, index);
  }
  return NULL;
}

static inline void join_jobs(jobs_t *jobs) {
  int i;
  if (!jobs->are_out) return;
  if (jobs->manner == RETURNS_EARLY) EXPECT(pthread_mutex_unlock(&gate) == 0);
  for (i = 0; i < JOB_THREADS; i++) EXPECT(pthread_join(jobs->threads[i], NULL) == 0);
  jobs->are_out = 0;
}

/* Shares the tasks between threads, or gives all of them to each thread. */
static inline void start_jobs(jobs_t *jobs, int each_has_all) {
  int i;
  jobs->step = each_has_all ? 1 : JOB_THREADS;
  if (jobs->manner == RETURNS_EARLY) EXPECT(pthread_mutex_lock(&gate) == 0);
  for (i = 0; i < JOB_THREADS; i++) {
    jobs->each[i].jobs = jobs;
    jobs->each[i].first = each_has_all ? 0 : (size_t)i;
    EXPECT(pthread_create(&jobs->threads[i], NULL, run_job, &jobs->each[i]) == 0);
  }
  jobs->are_out = 1;
}

static inline void parallel_for(void *user_data, size_t tasks_count, simdetr_task_fn_t task, void *task_data) {
  jobs_t *jobs = (jobs_t *)user_data;
  size_t index, last = jobs->manner == LAST_LEFT_OUT ? tasks_count - 1 : tasks_count;
  EXPECT(pthread_equal(jobs->caller, pthread_self()) && !jobs->is_running && tasks_count > 1);
  join_jobs(jobs);
  jobs->is_running = 1;
  jobs->loops++;
  jobs->task = task;
  jobs->task_data = task_data;
  jobs->tasks_count = tasks_count;
  switch (jobs->manner) {
    case ON_THREADS:
    case TWICE_AT_ONCE:
    case RETURNS_EARLY:
      start_jobs(jobs, jobs->manner == TWICE_AT_ONCE);
      if (jobs->manner != RETURNS_EARLY) join_jobs(jobs);
      break;
    case NONE_CALLED:
      break;
    case FAR_OFF:
      task(task_data, (size_t)-1);
      task(task_data, (size_t)1 << 40);
      break;
    default:
      for (index = 0; index < last; index++) task(task_data, index);
      if (jobs->manner == TWICE) task(task_data, 0);
      if (jobs->manner == ONE_TOO_FAR) task(task_data, tasks_count);
  }
  jobs->is_running = 0;
}

static inline jobs_t new_jobs(manner_t manner) {
  jobs_t jobs;
  memset(&jobs, 0, sizeof jobs);
  jobs.manner = manner;
  jobs.caller = pthread_self();
  return jobs;
}

/* A part of what the library says about a broken contract. */
static inline const char *complaint_about(manner_t manner) {
  switch (manner) {
    case TWICE:
    case TWICE_AT_ONCE:
      return "twice";
    case ONE_TOO_FAR:
    case FAR_OFF:
      return "it called task ";
    case LAST_LEFT_OUT:
      return "without having called task ";
    case NONE_CALLED:
      return "without having called task 0 of ";
    default:
      return "it returned w";
  }
}

#endif
