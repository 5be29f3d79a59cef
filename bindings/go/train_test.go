package simdetr

import (
	"errors"
	"math"
	"reflect"
	"testing"
)

func TestAssign(t *testing.T) {
	matcher, err := NewMatcher(LossOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer matcher.Close()
	partners, err := matcher.Assign([]float32{4, 1, 3, 2, 0, 5, 3, 2, 2}, 1, 3, 3)
	if err != nil || !reflect.DeepEqual(partners, []int32{1, 0, 2}) {
		t.Error(partners, err)
	}
	if _, err := matcher.Assign([]float32{1, float32(math.NaN())}, 1, 1, 2); err == nil {
		t.Error("NaN was taken")
	}
	if _, err := matcher.Assign([]float32{1}, 1, 1, 2); !errors.Is(err, ErrShape) {
		t.Error(err)
	}
}

func TestMatchAndEvaluate(t *testing.T) {
	predictions := Predictions{
		Logits: []float32{-3, -3, -3, 3, -3, -3},
		Boxes:  []float32{0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.5, 0.5, 1, 1},
		Layers: 1, Batch: 1, Queries: 3, Classes: 2,
	}
	targets := Targets{Counts: []uint32{1}, Classes: []int64{1}, Boxes: []float32{0.25, 0.25, 0.25, 0.25}}
	matcher, err := NewMatcher(LossOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer matcher.Close()
	if queries, err := matcher.Match(predictions, targets); err != nil || !reflect.DeepEqual(queries, []int32{1}) {
		t.Error(queries, err)
	}
	criterion, err := NewCriterion(LossOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	logits, boxes := make([]float32, 6), make([]float32, 12)
	losses, err := criterion.Evaluate(predictions, targets, 0, logits, boxes)
	if err != nil || losses.PairsCount != 1 || losses.L1 != 0 || losses.Accuracy != 1 || losses.Total <= 0 {
		t.Error(losses, err)
	}
	if logits[3] >= 0 || logits[0] <= 0 {
		t.Error(logits)
	}
	targets.Classes[0] = 2
	if _, err := criterion.Evaluate(predictions, targets, 0, logits, boxes); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
	if _, err := criterion.Evaluate(predictions, targets, 0, logits[1:], boxes); !errors.Is(err, ErrShape) {
		t.Error(err)
	}
	criterion.Close()
	targets.Classes[0] = 1
	if _, err := criterion.Evaluate(predictions, targets, 0, logits, boxes); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestScoresAndIoUAreSoftTargets(t *testing.T) {
	predictions := Predictions{
		Logits: []float32{-3, -3, -3, 3, -3, -3},
		Boxes:  []float32{0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.5, 0.5, 1, 1},
		Layers: 1, Batch: 1, Queries: 3, Classes: 2,
	}
	targets := Targets{Counts: []uint32{1}, Classes: []int64{1}, Boxes: []float32{0.25, 0.25, 0.25, 0.25}}
	logits, boxes := make([]float32, 6), make([]float32, 12)
	slope := func(options LossOptions, scores []float32) float64 {
		options.Threads = 1
		criterion, err := NewCriterion(options)
		if err != nil {
			t.Fatal(err)
		}
		defer criterion.Close()
		targets.Scores = scores
		if _, err := criterion.Evaluate(predictions, targets, 0, logits, boxes); err != nil {
			t.Fatal(err)
		}
		return float64(logits[3])
	}
	plain := slope(LossOptions{}, nil)
	sure := slope(LossOptions{LabelScore: LabelScoreSoftTarget}, nil)
	ignored := slope(LossOptions{}, []float32{0.5})
	if plain >= 0 || sure != plain || ignored != plain {
		t.Error(plain, sure, ignored)
	}
	// p is 0.953: far too sure of a label of 0.5, and its box is met exactly.
	if soft := slope(LossOptions{LabelScore: LabelScoreSoftTarget}, []float32{0.5}); soft <= 0 {
		t.Error(soft)
	}
	p := 1 / (1 + math.Exp(-3))
	wanted := 2 * 0.5 * (p - 0.5)
	soft := slope(LossOptions{Varifocal: true, IoUTarget: true, LabelScore: LabelScoreSoftTarget}, []float32{0.5})
	if math.Abs(soft-wanted) > 1e-6 {
		t.Error(soft, wanted)
	}
	criterion, err := NewCriterion(LossOptions{LabelScore: LabelScoreWeight, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer criterion.Close()
	for _, bad := range [][]float32{{1.5}, {float32(math.NaN())}} {
		targets.Scores = bad
		if _, err := criterion.Evaluate(predictions, targets, 0, logits, boxes); !errors.Is(err, ErrInvalidArgument) {
			t.Error(err)
		}
	}
	targets.Scores = []float32{1, 1}
	if _, err := criterion.Evaluate(predictions, targets, 0, logits, boxes); !errors.Is(err, ErrShape) {
		t.Error(err)
	}
	if _, err := NewCriterion(LossOptions{Softmax: true, Varifocal: true}); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
	if _, err := NewCriterion(LossOptions{Softmax: true, IoUTarget: true}); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
}

func TestBoxesThatAreNone(t *testing.T) {
	predictions := Predictions{Logits: []float32{-3, 3}, Boxes: []float32{0.25, 0.25, 0.25, 0.25},
		Layers: 1, Batch: 1, Queries: 1, Classes: 2}
	targets := Targets{Counts: []uint32{2}, Classes: []int64{0, 1},
		Boxes: []float32{1.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25}}
	matcher, err := NewMatcher(LossOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer matcher.Close()
	for _, policy := range []BoxPolicy{0, BoxPolicyError} {
		targets.BoxPolicy = policy
		if _, err := matcher.Match(predictions, targets); !errors.Is(err, ErrInvalidArgument) {
			t.Error(policy, err)
		}
	}
	for _, policy := range []BoxPolicy{BoxPolicyClip, BoxPolicySkip} {
		targets.BoxPolicy = policy
		queries, err := matcher.Match(predictions, targets)
		if err != nil || !reflect.DeepEqual(queries, []int32{-1, 0}) {
			t.Error(policy, queries, err)
		}
	}
}
