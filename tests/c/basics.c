/* Versions, status names, the error struct, the log sink, cancel tokens, destroying nothing. */
#include "expect.h"

static int messages = 0;

static void count(void *user_data, int32_t level, const char *target,
                  const char *message, size_t message_length) {
  EXPECT(user_data == &messages);
  EXPECT(level >= SIMDETR_LOG_ERROR && level <= SIMDETR_LOG_TRACE);
  EXPECT(target[0] != 0 && strlen(message) == message_length);
  messages++;
}

static void versions(void) {
  EXPECT(simdetr_version() == SIMDETR_VERSION);
  EXPECT(strcmp(simdetr_version_string(), SIMDETR_VERSION_STRING) == 0);
  EXPECT(simdetr_abi_version() == SIMDETR_ABI_VERSION);
}

static void names(void) {
  EXPECT(strcmp(simdetr_status_name(SIMDETR_OK), "SIMDETR_OK") == 0);
  EXPECT(strcmp(simdetr_status_name(SIMDETR_ERROR_SHAPE), "SIMDETR_ERROR_SHAPE") == 0);
  EXPECT(strcmp(simdetr_status_name(-1), "host") == 0);
  EXPECT(strcmp(simdetr_status_name(98765), "unknown") == 0);
}

static void log_sink(void) {
  simdetr_error_t error;
  EXPECT_OK(simdetr_log_set(count, &messages, SIMDETR_LOG_DEBUG, &error));
  EXPECT_STATUS(SIMDETR_ERROR_NULL_POINTER, simdetr_cancel_token_create(NULL, &error));
  EXPECT(messages == 1);
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_log_set(count, &messages, 6, &error));
  EXPECT_MESSAGE("6 is outside");
  EXPECT_OK(simdetr_log_set(NULL, NULL, SIMDETR_LOG_OFF, &error));
  EXPECT_STATUS(SIMDETR_ERROR_NULL_POINTER, simdetr_cancel_token_create(NULL, &error));
  EXPECT(messages == 2);
}

static void tokens(void) {
  simdetr_error_t error;
  simdetr_cancel_token_t *token = NULL;
  EXPECT_OK(simdetr_cancel_token_create(&token, &error));
  EXPECT(token != NULL);
  EXPECT_OK(simdetr_cancel_token_cancel(token, &error));
  EXPECT_STATUS(SIMDETR_ERROR_NULL_POINTER, simdetr_cancel_token_cancel(NULL, &error));
  EXPECT_MESSAGE("token");
  EXPECT(simdetr_cancel_token_cancel(NULL, NULL) == SIMDETR_ERROR_NULL_POINTER);
  simdetr_cancel_token_destroy(token);
}

static void initialisers(void) {
  simdetr_run_options_t run;
  memset(&run, 0xFF, sizeof run);
  simdetr_run_options_init(&run, sizeof run);
  EXPECT(run.struct_size == sizeof run && run.cancel == NULL && run.progress == NULL);
  simdetr_run_options_init(NULL, sizeof run);
  simdetr_run_options_init(&run, 1);
  EXPECT(run.struct_size == sizeof run);
}

int main(void) {
  versions();
  names();
  log_sink();
  tokens();
  initialisers();
  simdetr_cancel_token_destroy(NULL);
  return 0;
}
