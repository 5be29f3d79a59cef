// True boxes as every call of this package gives them to C. Go memory may not hold Go pointers when C
// sees it, so the struct is made here.
#ifndef SIMDETR_GO_TARGETS_H
#define SIMDETR_GO_TARGETS_H

#include "simdetr.h"

static inline simdetr_targets_t go_targets(const uint32_t *counts, size_t images,
                                           const int64_t *classes, const float *boxes,
                                           const float *scores, size_t total, int32_t box_policy) {
  simdetr_targets_t targets;
  simdetr_targets_init(&targets, sizeof targets);
  targets.counts = counts;
  targets.images_count = images;
  targets.classes = classes;
  targets.boxes = boxes;
  targets.scores = scores;
  targets.targets_count = total;
  targets.box_policy = box_policy;
  return targets;
}

#endif
