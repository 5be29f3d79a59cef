/* What the C tests share: expectations that end the program with the line that failed. */
#ifndef SIMDETR_TESTS_EXPECT_H
#define SIMDETR_TESTS_EXPECT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simdetr.h"

#define EXPECT(condition)                                                      \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);          \
      exit(1);                                                                 \
    }                                                                          \
  } while (0)

/* The call answers `expected`, and says so in `error` as well. */
#define EXPECT_STATUS(expected, call)                                          \
  do {                                                                         \
    simdetr_status_t status_ = (call);                                         \
    if (status_ != (expected)) {                                               \
      fprintf(stderr, "%s:%d: %s: got %s (%d): %s\n", __FILE__, __LINE__,      \
              #call, simdetr_status_name(status_), (int)status_,               \
              error.message);                                                  \
      exit(1);                                                                 \
    }                                                                          \
    EXPECT(error.status == status_);                                           \
    EXPECT((error.message[0] == 0) == (status_ == SIMDETR_OK));                \
  } while (0)

#define EXPECT_OK(call) EXPECT_STATUS(SIMDETR_OK, call)
#define EXPECT_MESSAGE(part) EXPECT(strstr(error.message, part) != NULL)

#endif
