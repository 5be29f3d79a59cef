package simdetr

import (
	"fmt"
	"sync"

	"github.com/libsimdetr/libsimdetr/bindings/go/internal/capi"
)

// Predictions are the outputs of every decoder layer.
type Predictions = capi.Predictions

// Targets are what the images of a batch hold.
type Targets = capi.Targets

// Losses are what an evaluation found; those of single terms belong to the last layer.
type Losses = capi.Losses

// LossOptions are shared by matcher and criterion.
type LossOptions = capi.LossOptions

// LabelScore says how the scores of targets enter a criterion.
type LabelScore = capi.LabelScore

// How the scores of targets enter a criterion.
const (
	// LabelScoreIgnore leaves them out; so does the zero value.
	LabelScoreIgnore = capi.LabelScoreIgnore
	// LabelScoreSoftTarget makes them what the probability of a matched query's class is to be.
	LabelScoreSoftTarget = capi.LabelScoreSoftTarget
	// LabelScoreWeight multiplies the losses of a matched query by them, which are then divided by
	// their sum and not by the number of targets.
	LabelScoreWeight = capi.LabelScoreWeight
)

// BoxPolicy says what is done with targets whose boxes are none.
type BoxPolicy = capi.BoxPolicy

// What is done with targets whose boxes are not within their image or have no size.
const (
	// BoxPolicyError refuses them; so does the zero value.
	BoxPolicyError = capi.BoxPolicyError
	// BoxPolicyClip cuts boxes to the image and leaves out targets of which nothing is left.
	BoxPolicyClip = capi.BoxPolicyClip
	// BoxPolicySkip leaves the targets out: they find no query and count for nothing.
	BoxPolicySkip = capi.BoxPolicySkip
)

func checkClassLoss(options *LossOptions) error {
	if options.Softmax && options.Varifocal {
		return &Error{Status: ErrInvalidArgument, Message: "Softmax and Varifocal are both set"}
	}
	return nil
}

// Matcher finds which query answers for which target. Its methods may run at the same time; Match
// waits for its turn.
type Matcher struct {
	handle *handle[*capi.Matcher]
	turn   sync.Mutex
}

// NewMatcher makes a matcher.
func NewMatcher(options LossOptions) (*Matcher, error) {
	if err := checkClassLoss(&options); err != nil {
		return nil, err
	}
	raw, failure := capi.NewMatcher(options)
	if failure != nil {
		return nil, convert(failure)
	}
	return &Matcher{handle: newHandle(raw, capi.DestroyMatcher)}, nil
}

// Close ends the matcher.
func (m *Matcher) Close() { m.handle.close() }

func wrongLength(name string, got, expected int) error {
	return &Error{Status: ErrShape, Message: fmt.Sprintf("%s: expected %d values, got %d", name, expected, got)}
}

// checkLengths keeps the library from reading past the end of a slice.
func checkLengths(p *Predictions, t *Targets) error {
	if p.Layers < 0 || p.Batch < 0 || p.Queries < 0 || p.Classes < 0 {
		return &Error{Status: ErrShape, Message: "predictions: negative sizes"}
	}
	rows := p.Layers * p.Batch * p.Queries
	if len(p.Logits) != rows*p.Classes {
		return wrongLength("Logits", len(p.Logits), rows*p.Classes)
	}
	if len(p.Boxes) != rows*4 {
		return wrongLength("Boxes", len(p.Boxes), rows*4)
	}
	return checkTargets(t)
}

func checkTargets(t *Targets) error {
	if len(t.Boxes) != len(t.Classes)*4 {
		return wrongLength("target boxes", len(t.Boxes), len(t.Classes)*4)
	}
	if len(t.Scores) != 0 && len(t.Scores) != len(t.Classes) {
		return wrongLength("target scores", len(t.Scores), len(t.Classes))
	}
	return nil
}

// Match answers the query of each target, layer by layer, or -1 where there are more targets than
// queries.
func (m *Matcher) Match(predictions Predictions, targets Targets) ([]int32, error) {
	if err := checkLengths(&predictions, &targets); err != nil {
		return nil, err
	}
	m.turn.Lock()
	defer m.turn.Unlock()
	var queries []int32
	err := m.handle.use(func(raw *capi.Matcher) error {
		var failure *capi.Error
		queries, failure = capi.Match(raw, &predictions, &targets)
		return convert(failure)
	})
	return queries, err
}

// Assign answers the column of each row, or -1, for each of `problems` matrices of `rows` rows, at
// the least sum of costs.
func (m *Matcher) Assign(costs []float32, problems, rows, columns int) ([]int32, error) {
	if problems < 0 || rows < 0 || columns < 0 || len(costs) != problems*rows*columns {
		return nil, wrongLength("costs", len(costs), problems*rows*columns)
	}
	var partners []int32
	err := m.handle.use(func(raw *capi.Matcher) error {
		var failure *capi.Error
		partners, failure = capi.Assign(raw, costs, problems, rows, columns)
		return convert(failure)
	})
	return partners, err
}

// Criterion computes losses and gradients. Evaluate waits for its turn.
type Criterion struct {
	handle *handle[*capi.Criterion]
	turn   sync.Mutex
}

// NewCriterion makes a criterion.
func NewCriterion(options LossOptions) (*Criterion, error) {
	if err := checkClassLoss(&options); err != nil {
		return nil, err
	}
	raw, failure := capi.NewCriterion(options)
	if failure != nil {
		return nil, convert(failure)
	}
	return &Criterion{handle: newHandle(raw, capi.DestroyCriterion)}, nil
}

// Close ends the criterion.
func (c *Criterion) Close() { c.handle.close() }

// Evaluate matches every layer and writes the gradients of the total loss, which have the lengths of
// the predictions' slices. boxesCount is what losses are divided by; 0 is the number of targets, or the
// sum of their scores under LabelScoreWeight.
func (c *Criterion) Evaluate(predictions Predictions, targets Targets, boxesCount float32,
	logitsGradient, boxesGradient []float32) (Losses, error) {
	if err := checkLengths(&predictions, &targets); err != nil {
		return Losses{}, err
	}
	if len(logitsGradient) != len(predictions.Logits) {
		return Losses{}, wrongLength("logits gradient", len(logitsGradient), len(predictions.Logits))
	}
	if len(boxesGradient) != len(predictions.Boxes) {
		return Losses{}, wrongLength("boxes gradient", len(boxesGradient), len(predictions.Boxes))
	}
	c.turn.Lock()
	defer c.turn.Unlock()
	var losses Losses
	err := c.handle.use(func(raw *capi.Criterion) error {
		var failure *capi.Error
		losses, failure = capi.Evaluate(raw, &predictions, &targets, boxesCount, logitsGradient, boxesGradient)
		return convert(failure)
	})
	return losses, err
}
