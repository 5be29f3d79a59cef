package capi

/*
#include "targets.h"

static simdetr_status_t go_match(simdetr_matcher_t *matcher, const float *logits, const float *boxes,
                                 const size_t *sizes, const uint32_t *counts, size_t images,
                                 const int64_t *classes, const float *target_boxes, size_t total,
                                 int32_t box_policy, int32_t *queries, simdetr_error_t *error) {
  simdetr_targets_t targets = go_targets(counts, images, classes, target_boxes, NULL, total, box_policy);
  return simdetr_matcher_match_f32(matcher, logits, boxes, sizes[0], sizes[1], sizes[2], sizes[3],
                                   &targets, NULL, queries, NULL, error);
}

static simdetr_status_t go_evaluate(simdetr_criterion_t *criterion, const float *logits,
                                    const float *boxes, const size_t *sizes, const uint32_t *counts,
                                    size_t images, const int64_t *classes, const float *target_boxes,
                                    const float *scores, size_t total, int32_t box_policy, float boxes_count,
                                    float *logits_gradient, float *boxes_gradient,
                                    simdetr_losses_t *losses, simdetr_error_t *error) {
  simdetr_targets_t targets = go_targets(counts, images, classes, target_boxes, scores, total, box_policy);
  losses->struct_size = sizeof *losses;
  return simdetr_criterion_evaluate_f32(criterion, logits, boxes, sizes[0], sizes[1], sizes[2],
                                        sizes[3], &targets, boxes_count, NULL, logits_gradient,
                                        boxes_gradient, losses, error);
}
*/
import "C"

import "unsafe"

// The handles of training.
type (
	Matcher   = C.simdetr_matcher_t
	Criterion = C.simdetr_criterion_t
)

// Predictions are the outputs of every decoder layer.
type Predictions struct {
	// Logits is [Layers, Batch, Queries, Classes].
	Logits []float32
	// Boxes is [Layers, Batch, Queries, 4]: center x, center y, width, height, as shares of the image.
	Boxes                           []float32
	Layers, Batch, Queries, Classes int
}

func (p *Predictions) sizes() [4]C.size_t {
	return [4]C.size_t{C.size_t(p.Layers), C.size_t(p.Batch), C.size_t(p.Queries), C.size_t(p.Classes)}
}

// Targets are what the images of a batch hold, image by image.
type Targets struct {
	// Counts has one number for each image.
	Counts []uint32
	// Classes has one number for each target.
	Classes []int64
	// Boxes is [targets, 4], as those of Predictions.
	Boxes []float32
	// Scores has one number for each target: how sure its label is, from 0 to 1; none is 1 for all.
	Scores []float32
	// BoxPolicy says what is done with a box that is not within its image or has no size.
	BoxPolicy BoxPolicy
}

// BoxPolicy says what is done with boxes that are none.
type BoxPolicy int32

// What is done with boxes that are none; the zero value is BoxPolicyError.
const (
	BoxPolicyError BoxPolicy = C.SIMDETR_BOX_POLICY_ERROR
	BoxPolicyClip  BoxPolicy = C.SIMDETR_BOX_POLICY_CLIP
	BoxPolicySkip  BoxPolicy = C.SIMDETR_BOX_POLICY_SKIP
)

// Losses are what an evaluation found; those of single terms belong to the last layer.
type Losses struct {
	Total, BoxesCount, Class, L1, GIoU, Accuracy float64
	PairsCount, UnmatchedCount                   uint64
}

// LossOptions are shared by matcher and criterion.
type LossOptions struct {
	// Softmax reads the last class as "no object"; otherwise there is a sigmoid for each class.
	Softmax bool
	// Varifocal is RT-DETR's loss of the sigmoids in place of the focal one; it excludes Softmax.
	Varifocal bool
	// LabelScore says how Targets.Scores enter a criterion; a matcher leaves them alone.
	LabelScore LabelScore
	// IoUTarget makes the IoU of a matched query's box with its target what the probability of its
	// class is to be, in place of 1; a matcher leaves it alone.
	IoUTarget bool
	// Threads: 0 is one for each processor, 1 the caller's own.
	Threads uint32
}

// LabelScore says how the scores of targets enter.
type LabelScore int32

// How the scores of targets enter; the zero value is LabelScoreIgnore.
const (
	LabelScoreIgnore     LabelScore = C.SIMDETR_LABEL_SCORE_IGNORE
	LabelScoreSoftTarget LabelScore = C.SIMDETR_LABEL_SCORE_SOFT_TARGET
	LabelScoreWeight     LabelScore = C.SIMDETR_LABEL_SCORE_WEIGHT
)

func (o *LossOptions) classLoss() C.int32_t {
	switch {
	case o.Softmax:
		return C.SIMDETR_CLASS_LOSS_SOFTMAX
	case o.Varifocal:
		return C.SIMDETR_CLASS_LOSS_VARIFOCAL
	default:
		return C.SIMDETR_CLASS_LOSS_FOCAL
	}
}

// NewMatcher makes a matcher.
func NewMatcher(given LossOptions) (*Matcher, *Error) {
	var raw C.simdetr_error_t
	var matcher *Matcher
	var options C.simdetr_matcher_options_t
	C.simdetr_matcher_options_init(&options, C.sizeof_simdetr_matcher_options_t)
	options.class_loss = given.classLoss()
	options.threads = C.uint32_t(given.Threads)
	return matcher, failed(C.simdetr_matcher_create(&options, &matcher, &raw), &raw)
}

// DestroyMatcher ends a matcher.
func DestroyMatcher(matcher *Matcher) { C.simdetr_matcher_destroy(matcher) }

func floats(values []float32) *C.float { return (*C.float)(unsafe.SliceData(values)) }

// Match answers the query of each target in each layer, or -1.
func Match(matcher *Matcher, p *Predictions, t *Targets) ([]int32, *Error) {
	var raw C.simdetr_error_t
	sizes := p.sizes()
	queries := make([]int32, p.Layers*len(t.Classes))
	status := C.go_match(matcher, floats(p.Logits), floats(p.Boxes), &sizes[0],
		(*C.uint32_t)(unsafe.SliceData(t.Counts)), C.size_t(len(t.Counts)),
		(*C.int64_t)(unsafe.SliceData(t.Classes)), floats(t.Boxes), C.size_t(len(t.Classes)), C.int32_t(t.BoxPolicy),
		(*C.int32_t)(unsafe.SliceData(queries)), &raw)
	return queries, failed(status, &raw)
}

// Assign solves assignment problems.
func Assign(matcher *Matcher, costs []float32, problems, rows, columns int) ([]int32, *Error) {
	var raw C.simdetr_error_t
	partners := make([]int32, problems*rows)
	status := C.simdetr_matcher_assign_f32(matcher, floats(costs), C.size_t(problems), C.size_t(rows),
		C.size_t(columns), nil, (*C.int32_t)(unsafe.SliceData(partners)), &raw)
	return partners, failed(status, &raw)
}

// NewCriterion makes a criterion.
func NewCriterion(given LossOptions) (*Criterion, *Error) {
	var raw C.simdetr_error_t
	var criterion *Criterion
	var options C.simdetr_criterion_options_t
	C.simdetr_criterion_options_init(&options, C.sizeof_simdetr_criterion_options_t)
	options.class_loss = given.classLoss()
	options.label_score = C.int32_t(given.LabelScore)
	if given.IoUTarget {
		options.class_target = C.SIMDETR_CLASS_TARGET_IOU
	}
	options.threads = C.uint32_t(given.Threads)
	return criterion, failed(C.simdetr_criterion_create(&options, &criterion, &raw), &raw)
}

// DestroyCriterion ends a criterion.
func DestroyCriterion(criterion *Criterion) { C.simdetr_criterion_destroy(criterion) }

// Evaluate computes losses and gradients; the gradients have the lengths of the predictions.
func Evaluate(criterion *Criterion, p *Predictions, t *Targets, boxesCount float32,
	logitsGradient, boxesGradient []float32) (Losses, *Error) {
	var raw C.simdetr_error_t
	var found C.simdetr_losses_t
	sizes := p.sizes()
	var scores *C.float
	if len(t.Scores) > 0 {
		scores = floats(t.Scores)
	}
	status := C.go_evaluate(criterion, floats(p.Logits), floats(p.Boxes), &sizes[0],
		(*C.uint32_t)(unsafe.SliceData(t.Counts)), C.size_t(len(t.Counts)),
		(*C.int64_t)(unsafe.SliceData(t.Classes)), floats(t.Boxes), scores,
		C.size_t(len(t.Classes)), C.int32_t(t.BoxPolicy), C.float(boxesCount), floats(logitsGradient), floats(boxesGradient), &found, &raw)
	losses := Losses{
		Total:          float64(found.total),
		BoxesCount:     float64(found.boxes_count),
		Class:          float64(found.class_loss),
		L1:             float64(found.l1_loss),
		GIoU:           float64(found.giou_loss),
		Accuracy:       float64(found.accuracy),
		PairsCount:     uint64(found.pairs_count),
		UnmatchedCount: uint64(found.unmatched_count),
	}
	return losses, failed(status, &raw)
}
