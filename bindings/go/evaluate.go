package simdetr

import (
	"context"

	"github.com/libsimdetr/libsimdetr/bindings/go/internal/capi"
)

// Figures are average precisions and recalls in [0, 1], -1 where there is nothing to measure.
type Figures = capi.Figures

// BoxArrays are boxes of several images.
type BoxArrays = capi.BoxArrays

// ObjectTraits are what else is known of true boxes; none is fine.
type ObjectTraits = capi.ObjectTraits

// EvaluateFiles scores a file of detections against a COCO data set.
func EvaluateFiles(ctx context.Context, groundTruth, detections string, classAgnostic bool) (Figures, error) {
	return evaluate(ctx, classAgnostic, func(raw *capi.Evaluator, token *capi.Token) (Figures, *capi.Error) {
		return capi.EvaluateFiles(raw, groundTruth, detections, token)
	})
}

// EvaluateArrays scores detections, with one score each, against true boxes; the images are those of both
// sides together.
func EvaluateArrays(ctx context.Context, objects BoxArrays, traits ObjectTraits, detections BoxArrays,
	scores []float32, classAgnostic bool) (Figures, error) {
	for _, side := range []*BoxArrays{&objects, &detections} {
		if err := checkBoxes(side); err != nil {
			return Figures{}, err
		}
	}
	count := len(objects.ImageIDs)
	if len(traits.Areas) != 0 && len(traits.Areas) != count {
		return Figures{}, wrongLength("areas", len(traits.Areas), count)
	}
	if len(traits.Crowds) != 0 && len(traits.Crowds) != count {
		return Figures{}, wrongLength("crowds", len(traits.Crowds), count)
	}
	if len(scores) != len(detections.ImageIDs) {
		return Figures{}, wrongLength("scores", len(scores), len(detections.ImageIDs))
	}
	return evaluate(ctx, classAgnostic, func(raw *capi.Evaluator, token *capi.Token) (Figures, *capi.Error) {
		return capi.EvaluateArrays(raw, &objects, &traits, &detections, scores, token)
	})
}

// checkBoxes keeps the library from reading past the end of a slice.
func checkBoxes(boxes *BoxArrays) error {
	count := len(boxes.ImageIDs)
	if len(boxes.Boxes) != count {
		return wrongLength("boxes", len(boxes.Boxes), count)
	}
	if len(boxes.CategoryIDs) != 0 && len(boxes.CategoryIDs) != count {
		return wrongLength("category ids", len(boxes.CategoryIDs), count)
	}
	return nil
}

func evaluate(ctx context.Context, classAgnostic bool,
	call func(*capi.Evaluator, *capi.Token) (Figures, *capi.Error)) (Figures, error) {
	evaluator, failure := capi.NewEvaluator(classAgnostic)
	if failure != nil {
		return Figures{}, convert(failure)
	}
	defer capi.DestroyEvaluator(evaluator)
	var figures Figures
	err := withToken(ctx, func(token *capi.Token) (failure *capi.Error) {
		figures, failure = call(evaluator, token)
		return failure
	})
	return figures, err
}
