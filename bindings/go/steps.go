package simdetr

import (
	"context"

	"github.com/libsimdetr/libsimdetr/bindings/go/internal/capi"
)

// StepImages are the images of a step.
type StepImages = capi.StepImages

// StepReport says what a step did.
type StepReport = capi.StepReport

// BeginSteps begins a loop of the caller's own: a detector at the start of a run, step 0 of steps.
func (t *Trainer) BeginSteps(classes, steps uint64) error {
	return t.run(context.Background(), func(raw *capi.Trainer, _ *capi.Token) *capi.Error {
		return capi.BeginSteps(raw, classes, steps)
	})
}

// Step takes one step of the loop that BeginSteps began: forward, losses, backward, update. A step that
// failed changed nothing.
func (t *Trainer) Step(ctx context.Context, images StepImages, targets Targets) (StepReport, error) {
	if images.Images < 0 || images.Height < 0 || images.Width < 0 {
		return StepReport{}, &Error{Status: ErrShape, Message: "images: negative sizes"}
	}
	if total := images.Images * images.Height * images.Width * 3; len(images.Pixels) != total {
		return StepReport{}, wrongLength("Pixels", len(images.Pixels), total)
	}
	if len(images.Sizes) != 0 && len(images.Sizes) != images.Images {
		return StepReport{}, wrongLength("Sizes", len(images.Sizes), images.Images)
	}
	if err := checkTargets(&targets); err != nil {
		return StepReport{}, err
	}
	var report StepReport
	err := t.run(ctx, func(raw *capi.Trainer, token *capi.Token) (failure *capi.Error) {
		report, failure = capi.Step(raw, &images, &targets, token)
		return failure
	})
	return report, err
}

// WriteDetector writes the detector of the loop, as it is now, to stem + ".safetensors".
func (t *Trainer) WriteDetector(stem string) error {
	return t.run(context.Background(), func(raw *capi.Trainer, _ *capi.Token) *capi.Error {
		return capi.WriteDetector(raw, stem)
	})
}
