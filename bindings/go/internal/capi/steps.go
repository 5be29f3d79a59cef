package capi

/*
#include <stdlib.h>
#include "run.h"
#include "targets.h"

// Go memory may not hold Go pointers when C sees it, so the tensor is made here.
static simdetr_status_t go_step(simdetr_trainer_t *trainer, float *pixels, int64_t *shape,
                                const uint32_t *sizes, const uint32_t *counts, size_t images,
                                const int64_t *classes, const float *boxes, const float *scores,
                                size_t total, int32_t box_policy, const simdetr_cancel_token_t *token,
                                simdetr_step_report_t *report, simdetr_error_t *error) {
  simdetr_run_options_t run = go_run(token, 0);
  simdetr_targets_t targets = go_targets(counts, images, classes, boxes, scores, total, box_policy);
  DLTensor tensor = {pixels, {kDLCPU, 0}, 4, {kDLFloat, 32, 1}, shape, NULL, 0};
  report->struct_size = sizeof *report;
  return simdetr_trainer_step(trainer, &tensor, sizes, &targets, &run, report, error);
}
*/
import "C"

import "unsafe"

// StepImages are the images of a step, normalised by the encoder's mean and deviation.
type StepImages struct {
	// Pixels is [Images, Height, Width, 3].
	Pixels                []float32
	Images, Height, Width int
	// Sizes are height and width of each image without its padding, which lies at the right and below;
	// none: no image is padded.
	Sizes [][2]uint32
}

// StepReport says what a step did.
type StepReport struct {
	// Loss is the weighted sum of all losses of all layers; those of single terms belong to the last.
	Loss, Class, L1, GIoU, Accuracy float64
	// GradientNorm is that before clipping, RateFactor the schedule's on every learning rate.
	GradientNorm, RateFactor float64
	// Boxes counts the targets, Pairs those that found a query.
	Boxes, Pairs uint64
}

// BeginSteps begins a loop of steps.
func BeginSteps(trainer *Trainer, classes, steps uint64) *Error {
	var raw C.simdetr_error_t
	return failed(C.simdetr_trainer_begin(trainer, C.size_t(classes), C.uint64_t(steps), &raw), &raw)
}

// Step takes a step on images and targets whose lengths were checked.
func Step(trainer *Trainer, images *StepImages, t *Targets, token *Token) (StepReport, *Error) {
	var raw C.simdetr_error_t
	var found C.simdetr_step_report_t
	shape := [4]C.int64_t{C.int64_t(images.Images), C.int64_t(images.Height), C.int64_t(images.Width), 3}
	status := C.go_step(trainer, floats(images.Pixels), &shape[0], given[[2]uint32, C.uint32_t](images.Sizes),
		(*C.uint32_t)(unsafe.SliceData(t.Counts)), C.size_t(len(t.Counts)),
		(*C.int64_t)(unsafe.SliceData(t.Classes)), floats(t.Boxes), given[float32, C.float](t.Scores),
		C.size_t(len(t.Classes)), C.int32_t(t.BoxPolicy), token, &found, &raw)
	report := StepReport{
		Loss:         float64(found.loss),
		Class:        float64(found.class_loss),
		L1:           float64(found.l1_loss),
		GIoU:         float64(found.giou_loss),
		Accuracy:     float64(found.accuracy),
		GradientNorm: float64(found.gradient_norm),
		RateFactor:   float64(found.rate_factor),
		Boxes:        uint64(found.boxes_count),
		Pairs:        uint64(found.pairs_count),
	}
	return report, failed(status, &raw)
}

// WriteDetector writes the detector of a loop.
func WriteDetector(trainer *Trainer, stem string) *Error {
	var raw C.simdetr_error_t
	text := newTexts(stem)
	defer text.free()
	return failed(C.simdetr_trainer_write_detector(trainer, text[0], &raw), &raw)
}
