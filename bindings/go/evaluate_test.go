package simdetr

import (
	"context"
	"errors"
	"testing"
)

func TestEvaluationOfArrays(t *testing.T) {
	ctx := context.Background()
	objects := BoxArrays{
		ImageIDs: []int64{1, 1, 2},
		Boxes:    [][4]float32{{0, 0, 40, 40}, {50, 50, 90, 90}, {10, 10, 50, 50}},
	}
	found := BoxArrays{ImageIDs: []int64{1, 2}, Boxes: [][4]float32{{0, 0, 40, 40}, {10, 10, 50, 50}}}
	scores := []float32{0.9, 0.8}
	all, err := EvaluateArrays(ctx, objects, ObjectTraits{}, objects, []float32{0.9, 0.8, 0.7}, false)
	if err != nil || all.AveragePrecision < 0.999 || all.AverageRecall[2] < 0.999 {
		t.Fatal(all, err)
	}
	two, err := EvaluateArrays(ctx, objects, ObjectTraits{}, found, scores, false)
	if err != nil || two.AverageRecall[2] < 0.66 || two.AverageRecall[2] > 0.67 {
		t.Error(two, err)
	}
	crowd := ObjectTraits{Crowds: []bool{false, true, false}, Areas: []float64{1600, 1600, 1600}}
	rest, err := EvaluateArrays(ctx, objects, crowd, found, scores, false)
	if err != nil || rest.AverageRecall[2] < 0.999 {
		t.Error(rest, err)
	}
	found.CategoryIDs = []int64{7, 7}
	other, err := EvaluateArrays(ctx, objects, ObjectTraits{}, found, scores, false)
	if err != nil || other.AverageRecall[2] > 0.001 {
		t.Error(other, err)
	}
	pooled, err := EvaluateArrays(ctx, objects, ObjectTraits{}, found, scores, true)
	if err != nil || pooled.AverageRecall[2] != two.AverageRecall[2] {
		t.Error(pooled, err)
	}
	none, err := EvaluateArrays(ctx, BoxArrays{}, ObjectTraits{}, BoxArrays{}, nil, false)
	if err != nil || none.AveragePrecision != -1 {
		t.Error(none, err)
	}
	if _, err := EvaluateArrays(ctx, objects, ObjectTraits{}, found, scores[:1], false); !errors.Is(err, ErrShape) {
		t.Error(err)
	}
	if _, err := EvaluateArrays(ctx, objects, ObjectTraits{Crowds: []bool{true}}, found, scores, false); !errors.Is(err, ErrShape) {
		t.Error(err)
	}
	objects.Boxes = objects.Boxes[:2]
	if _, err := EvaluateArrays(ctx, objects, ObjectTraits{}, found, scores, false); !errors.Is(err, ErrShape) {
		t.Error(err)
	}
}
