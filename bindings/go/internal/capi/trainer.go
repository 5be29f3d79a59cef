package capi

/*
#include <stdlib.h>
#include "run.h"

static simdetr_status_t go_trainer(const char *preset, const char *config_toml, int32_t strict,
                                   uint32_t threads, simdetr_trainer_t **out, simdetr_error_t *error) {
  simdetr_trainer_options_t options;
  simdetr_trainer_options_init(&options, sizeof options);
  options.preset = preset;
  options.config_toml = config_toml;
  options.strict = strict;
  options.threads = threads;
  return simdetr_trainer_create(&options, out, error);
}

static simdetr_status_t go_pretrain(simdetr_trainer_t *trainer, const char *images, const char *folder,
                                    const char *truth, const simdetr_cancel_token_t *token,
                                    uintptr_t progress, simdetr_error_t *error) {
  simdetr_run_options_t run = go_run(token, progress);
  return simdetr_trainer_pretrain(trainer, images, folder, truth, &run, error);
}

static simdetr_status_t go_train(simdetr_trainer_t *trainer, const char *folder, uint32_t stage,
                                 const char *annotations, const char *images,
                                 const simdetr_cancel_token_t *token, uintptr_t progress,
                                 simdetr_stage_report_t *report, simdetr_error_t *error) {
  simdetr_run_options_t run = go_run(token, progress);
  report->struct_size = sizeof *report;
  return simdetr_trainer_train(trainer, folder, stage, annotations, images, &run, report, error);
}

static simdetr_status_t go_relabel(simdetr_trainer_t *trainer, const char *folder, uint32_t stage,
                                   const char *annotations, const char *images, const char *out,
                                   const simdetr_cancel_token_t *token, uintptr_t progress,
                                   simdetr_relabel_report_t *report, simdetr_error_t *error) {
  simdetr_run_options_t run = go_run(token, progress);
  report->struct_size = sizeof *report;
  return simdetr_trainer_relabel(trainer, folder, stage, annotations, images, out, &run, report, error);
}

static simdetr_status_t go_labels(const simdetr_trainer_t *trainer, uint32_t stage,
                                  simdetr_labels_t *labels, simdetr_error_t *error) {
  labels->struct_size = sizeof *labels;
  return simdetr_trainer_labels(trainer, stage, labels, error);
}

static simdetr_status_t go_measured(const simdetr_trainer_t *trainer, size_t index,
                                    simdetr_measured_t *measured, simdetr_error_t *error) {
  measured->struct_size = sizeof *measured;
  return simdetr_trainer_measured(trainer, index, measured, error);
}
*/
import "C"

import "unsafe"

// Trainer is the handle of Algorithm 1.
type Trainer = C.simdetr_trainer_t

// TrainerOptions say how to train; zero values are the defaults.
type TrainerOptions struct {
	// Preset is "deformable-detr-r50" (the default), "small" or "tiny".
	Preset string
	// Config is a configuration document (TOML) over the preset, not its path.
	Config string
	// Strict makes a broken image an error.
	Strict bool
	// Threads: 0 is one for each processor, 1 the caller's own.
	Threads uint32
}

// Labels describe one set of labels of a run.
type Labels struct {
	Images, Boxes uint64
	// Recall10, Recall25 and Recall100 are class-agnostic; -1 without ground truth.
	Recall10, Recall25, Recall100 float64
}

// MeasuredImages says which images were looked at.
type MeasuredImages int32

// MeasuredKind says whose boxes were scored.
type MeasuredKind int32

// What Measured holds.
const (
	// HeldOutImages are not trained on.
	HeldOutImages MeasuredImages = C.SIMDETR_IMAGES_HELD_OUT
	// TrainingImages are.
	TrainingImages MeasuredImages = C.SIMDETR_IMAGES_TRAINING
	// MeasuredProposals is T_0, the boxes of the clusters.
	MeasuredProposals MeasuredKind = C.SIMDETR_MEASURED_PROPOSALS
	// MeasuredFixedBoxes is the control: boxes fitted to T_0, the same on every image.
	MeasuredFixedBoxes MeasuredKind = C.SIMDETR_MEASURED_FIXED_BOXES
	// MeasuredDetector is a detector's own boxes: every query's, none suppressed.
	MeasuredDetector MeasuredKind = C.SIMDETR_MEASURED_DETECTOR
	// MeasuredLabels is what a detector gives the next stage to learn.
	MeasuredLabels MeasuredKind = C.SIMDETR_MEASURED_LABELS
)

// Measured holds class-agnostic figures of some boxes, in [0, 1], -1 where there is no true box.
type Measured struct {
	Images MeasuredImages
	Kind   MeasuredKind
	// Stage is 0 for what there is before training.
	Stage uint32
	// BoxesMax is how many boxes an image could have had; for labels, the most that one has.
	BoxesMax                    uint32
	ImagesCount, BoxesCount     uint64
	AP, AP50                    float64
	Recall1, Recall10, Recall25 float64
	Recall100                   float64
	// OwnRecall is that of the labels that a detector's stage learned from; -1 for other boxes.
	OwnRecall float64
}

// StageReport says what one stage did.
type StageReport struct{ Steps, Images, Boxes uint64 }

// RelabelReport says what one relabelling did.
type RelabelReport struct{ Images, Boxes, Broken uint64 }

// texts are C strings that end together; an empty one is NULL.
type texts []*C.char

func newTexts(values ...string) texts {
	all := make(texts, len(values))
	for i, value := range values {
		if value != "" {
			all[i] = C.CString(value)
		}
	}
	return all
}

func (t texts) free() {
	for _, text := range t {
		C.free(unsafe.Pointer(text))
	}
}

// NewTrainer makes a trainer of the built-in detector.
func NewTrainer(options TrainerOptions) (*Trainer, *Error) {
	var raw C.simdetr_error_t
	var trainer *Trainer
	given := newTexts(options.Preset, options.Config)
	defer given.free()
	var strict C.int32_t
	if options.Strict {
		strict = 1
	}
	status := C.go_trainer(given[0], given[1], strict, C.uint32_t(options.Threads), &trainer, &raw)
	return trainer, failed(status, &raw)
}

// DestroyTrainer ends a trainer.
func DestroyTrainer(trainer *Trainer) { C.simdetr_trainer_destroy(trainer) }

// Pretrain runs Algorithm 1 and answers the labels of every stage.
func Pretrain(trainer *Trainer, images, folder, truth string, token *Token,
	progress ProgressFunc) ([]Labels, *Error) {
	var raw C.simdetr_error_t
	given := newTexts(images, folder, truth)
	defer given.free()
	handle, release := progressHandle(progress)
	defer release()
	status := C.go_pretrain(trainer, given[0], given[1], given[2], token, handle, &raw)
	if failure := failed(status, &raw); failure != nil {
		return nil, failure
	}
	var count C.size_t
	if failure := failed(C.simdetr_trainer_labels_count(trainer, &count, &raw), &raw); failure != nil {
		return nil, failure
	}
	all := make([]Labels, int(count))
	for stage := range all {
		var found C.simdetr_labels_t
		status := C.go_labels(trainer, C.uint32_t(stage), &found, &raw)
		if failure := failed(status, &raw); failure != nil {
			return nil, failure
		}
		all[stage] = Labels{uint64(found.images_count), uint64(found.boxes_count),
			float64(found.recall_10), float64(found.recall_25), float64(found.recall_100)}
	}
	return all, nil
}

// SetValidation names the images that later runs measure on.
func SetValidation(trainer *Trainer, images, annotations string) *Error {
	var raw C.simdetr_error_t
	given := newTexts(images, annotations)
	defer given.free()
	return failed(C.simdetr_trainer_set_validation(trainer, given[0], given[1], &raw), &raw)
}

// MeasuredRows answers what the last run measured.
func MeasuredRows(trainer *Trainer) ([]Measured, *Error) {
	var raw C.simdetr_error_t
	var count C.size_t
	if failure := failed(C.simdetr_trainer_measured_count(trainer, &count, &raw), &raw); failure != nil {
		return nil, failure
	}
	all := make([]Measured, int(count))
	for index := range all {
		var found C.simdetr_measured_t
		status := C.go_measured(trainer, C.size_t(index), &found, &raw)
		if failure := failed(status, &raw); failure != nil {
			return nil, failure
		}
		all[index] = Measured{MeasuredImages(found.images), MeasuredKind(found.kind), uint32(found.stage),
			uint32(found.boxes_max), uint64(found.images_count), uint64(found.boxes_count),
			float64(found.average_precision), float64(found.average_precision_50), float64(found.recall_1),
			float64(found.recall_10), float64(found.recall_25), float64(found.recall_100),
			float64(found.own_recall)}
	}
	return all, nil
}

// TrainStage trains one stage on a COCO data set.
func TrainStage(trainer *Trainer, folder string, stage uint32, annotations, images string,
	token *Token, progress ProgressFunc) (StageReport, *Error) {
	var raw C.simdetr_error_t
	var found C.simdetr_stage_report_t
	given := newTexts(folder, annotations, images)
	defer given.free()
	handle, release := progressHandle(progress)
	defer release()
	status := C.go_train(trainer, given[0], C.uint32_t(stage), given[1], given[2], token, handle,
		&found, &raw)
	report := StageReport{uint64(found.steps_count), uint64(found.images_count), uint64(found.boxes_count)}
	return report, failed(status, &raw)
}

// Relabel labels a COCO data set with the detector of a stage.
func Relabel(trainer *Trainer, folder string, stage uint32, annotations, images, out string,
	token *Token, progress ProgressFunc) (RelabelReport, *Error) {
	var raw C.simdetr_error_t
	var found C.simdetr_relabel_report_t
	given := newTexts(folder, annotations, images, out)
	defer given.free()
	handle, release := progressHandle(progress)
	defer release()
	status := C.go_relabel(trainer, given[0], C.uint32_t(stage), given[1], given[2], given[3], token,
		handle, &found, &raw)
	report := RelabelReport{uint64(found.images_count), uint64(found.boxes_count), uint64(found.images_broken)}
	return report, failed(status, &raw)
}
