// What every long call of this package gives to C: a token and, behind a cgo.Handle, a function that
// hears how far it has come.
#ifndef SIMDETR_GO_RUN_H
#define SIMDETR_GO_RUN_H

#include "simdetr.h"

extern int32_t simdetrGoProgress(void *, char *, uint64_t, uint64_t);

static inline simdetr_run_options_t go_run(const simdetr_cancel_token_t *token, uintptr_t progress) {
  simdetr_run_options_t run;
  simdetr_run_options_init(&run, sizeof run);
  run.cancel = token;
  if (progress != 0) {
    run.progress = (simdetr_progress_fn_t)simdetrGoProgress;
    run.progress_user_data = (void *)progress;
  }
  return run;
}

#endif
