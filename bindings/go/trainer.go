package simdetr

import (
	"context"
	"sync"

	"github.com/libsimdetr/libsimdetr/bindings/go/internal/capi"
)

// TrainerOptions say how to train; zero values are the defaults.
type TrainerOptions = capi.TrainerOptions

// Labels describe one set of labels of a run.
type Labels = capi.Labels

// Measured holds class-agnostic figures of some boxes.
type Measured = capi.Measured

// MeasuredImages says which images were looked at.
type MeasuredImages = capi.MeasuredImages

// MeasuredKind says whose boxes were scored.
type MeasuredKind = capi.MeasuredKind

// What Measured holds.
const (
	// HeldOutImages are not trained on.
	HeldOutImages = capi.HeldOutImages
	// TrainingImages are.
	TrainingImages = capi.TrainingImages
	// MeasuredProposals is T_0, the boxes of the clusters.
	MeasuredProposals = capi.MeasuredProposals
	// MeasuredFixedBoxes is the control: boxes fitted to T_0, the same on every image.
	MeasuredFixedBoxes = capi.MeasuredFixedBoxes
	// MeasuredDetector is a detector's own boxes: every query's, none suppressed.
	MeasuredDetector = capi.MeasuredDetector
	// MeasuredLabels is what a detector gives the next stage to learn.
	MeasuredLabels = capi.MeasuredLabels
)

// StageReport says what one stage did.
type StageReport = capi.StageReport

// RelabelReport says what one relabelling did.
type RelabelReport = capi.RelabelReport

// Trainer runs Algorithm 1 with the built-in detector; each method waits for its turn. A call that was
// stopped goes on with the next one, also in another process, and ends with the same bytes. Paths must
// not be empty, unless a method says so.
type Trainer struct {
	handle *handle[*capi.Trainer]
	turn   sync.Mutex
}

// NewTrainer makes a trainer.
func NewTrainer(options TrainerOptions) (*Trainer, error) {
	raw, failure := capi.NewTrainer(options)
	if failure != nil {
		return nil, convert(failure)
	}
	return &Trainer{handle: newHandle(raw, capi.DestroyTrainer)}, nil
}

// Close ends the trainer; what it wrote stays.
func (t *Trainer) Close() { t.handle.close() }

func (t *Trainer) run(ctx context.Context, call func(*capi.Trainer, *capi.Token) *capi.Error) error {
	t.turn.Lock()
	defer t.turn.Unlock()
	return t.handle.use(func(raw *capi.Trainer) error {
		return withToken(ctx, func(token *capi.Token) *capi.Error { return call(raw, token) })
	})
}

// Pretrain turns a folder of images into a detector: proposals, pseudo-classes, and in each stage
// training and the detector's own labels, all in runFolder. It answers the labels of every stage, T_0
// first. groundTruth, a COCO file, is for measuring only and may be empty; progress may be nil.
func (t *Trainer) Pretrain(ctx context.Context, images, runFolder, groundTruth string,
	progress ProgressFunc) ([]Labels, error) {
	var labels []Labels
	err := t.run(ctx, func(raw *capi.Trainer, token *capi.Token) (failure *capi.Error) {
		labels, failure = capi.Pretrain(raw, images, runFolder, groundTruth, token, progress)
		return failure
	})
	return labels, err
}

// SetValidation names images that later calls of Pretrain measure every stage on and do not train on,
// and the COCO file of their true boxes; two empty names for none.
func (t *Trainer) SetValidation(images, annotations string) error {
	return t.run(context.Background(), func(raw *capi.Trainer, _ *capi.Token) *capi.Error {
		return capi.SetValidation(raw, images, annotations)
	})
}

// Measured answers what the last Pretrain measured, held-out images first: T_0, fixed boxes, then of
// every stage the detector and its labels. It is empty where there were no true boxes.
func (t *Trainer) Measured() ([]Measured, error) {
	var rows []Measured
	err := t.run(context.Background(), func(raw *capi.Trainer, _ *capi.Token) (failure *capi.Error) {
		rows, failure = capi.MeasuredRows(raw)
		return failure
	})
	return rows, err
}

// TrainStage trains one stage, from 1, on a COCO data set; a later stage goes on from the one before
// in the same runFolder.
func (t *Trainer) TrainStage(ctx context.Context, runFolder string, stage uint32, annotations,
	images string, progress ProgressFunc) (StageReport, error) {
	var report StageReport
	err := t.run(ctx, func(raw *capi.Trainer, token *capi.Token) (failure *capi.Error) {
		report, failure = capi.TrainStage(raw, runFolder, stage, annotations, images, token, progress)
		return failure
	})
	return report, err
}

// Relabel writes what the detector of a stage finds in every image of a COCO data set to out.
func (t *Trainer) Relabel(ctx context.Context, runFolder string, stage uint32, annotations, images,
	out string, progress ProgressFunc) (RelabelReport, error) {
	var report RelabelReport
	err := t.run(ctx, func(raw *capi.Trainer, token *capi.Token) (failure *capi.Error) {
		report, failure = capi.Relabel(raw, runFolder, stage, annotations, images, out, token, progress)
		return failure
	})
	return report, err
}
