package simdetr

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

func stepImages(count int) StepImages {
	images := StepImages{Images: count, Height: 64, Width: 64, Pixels: make([]float32, count*64*64*3)}
	for index := range images.Pixels {
		images.Pixels[index] = float32(index%7)/7 - 0.5
	}
	return images
}

func TestStepsOfTheCallersOwn(t *testing.T) {
	ctx := context.Background()
	trainer, err := NewTrainer(TrainerOptions{Preset: "tiny", Config: few, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer trainer.Close()
	targets := Targets{Counts: []uint32{1, 1}, Classes: []int64{0, 1},
		Boxes: []float32{0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25}}
	if _, err := trainer.Step(ctx, stepImages(2), targets); !errors.Is(err, ErrInvalidArgument) {
		t.Fatal(err)
	}
	if err := trainer.BeginSteps(2, 3); err != nil {
		t.Fatal(err)
	}
	first, err := trainer.Step(ctx, stepImages(2), targets)
	if err != nil || first.Loss <= 0 || first.Boxes != 2 || first.Pairs != 2 || first.GradientNorm <= 0 {
		t.Fatal(first, err)
	}
	padded := stepImages(2)
	padded.Sizes = [][2]uint32{{64, 32}, {64, 64}}
	if _, err := trainer.Step(ctx, padded, targets); err != nil {
		t.Fatal(err)
	}
	targets.Boxes[0] = 1.5
	if _, err := trainer.Step(ctx, stepImages(2), targets); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
	targets.BoxPolicy = BoxPolicySkip
	third, err := trainer.Step(ctx, stepImages(2), targets)
	if err != nil || third.Boxes != 1 {
		t.Error(third, err)
	}
	if _, err := trainer.Step(ctx, stepImages(2), targets); !errors.Is(err, ErrInvalidArgument) {
		t.Error("a fourth step of three", err)
	}
	stem := filepath.Join(t.TempDir(), "own")
	if err := trainer.WriteDetector(stem); err != nil {
		t.Fatal(err)
	}
	detector, err := OpenDetector(stem+".safetensors", DetectorOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	detector.Close()
}

func TestStepsOfWrongLengths(t *testing.T) {
	trainer, err := NewTrainer(TrainerOptions{Preset: "tiny", Config: few, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer trainer.Close()
	targets := Targets{Counts: []uint32{0}}
	short, uneven := stepImages(1), stepImages(1)
	short.Pixels = short.Pixels[1:]
	uneven.Sizes = make([][2]uint32, 2)
	for _, images := range []StepImages{short, uneven} {
		if _, err := trainer.Step(context.Background(), images, targets); !errors.Is(err, ErrShape) {
			t.Error(err)
		}
	}
	targets.Boxes = []float32{1}
	if _, err := trainer.Step(context.Background(), stepImages(1), targets); !errors.Is(err, ErrShape) {
		t.Error(err)
	}
}
