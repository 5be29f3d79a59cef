package simdetr

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A few steps of a detector that is smaller than the smallest preset.
const few = `
[resize]
image_short_side = 64
image_long_side_max = 96
[proposals]
proposals_max = 4
[cluster]
classes = 2
[pretrain]
stages_count = 1
[detector]
hidden_size = 32
queries_count = 8
[training]
steps = 2
batch_size = 1
checkpoint_steps = 1
[augmentation]
image_short_sides = [64]
image_long_side_max = 96
crop_short_sides = [72]
crop_side_min = 64
crop_side_max = 72
`

func TestPretrainGoesOnAfterItsContextWasCancelled(t *testing.T) {
	photos, out := t.TempDir(), filepath.Join(t.TempDir(), "run")
	for _, name := range []string{"a.bmp", "b.bmp"} {
		if err := os.WriteFile(filepath.Join(photos, name), bmp(picture()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trainer, err := NewTrainer(TrainerOptions{Preset: "tiny", Config: few, Strict: true, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer trainer.Close()
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	_, err = trainer.Pretrain(ctx, photos, out, "", func(step string, done, total uint64) int32 {
		if step == "train" {
			cancel(enough)
		}
		return 0
	})
	if !errors.Is(err, ErrCancelled) || !errors.Is(err, enough) {
		t.Fatal(err)
	}
	_, err = trainer.Pretrain(context.Background(), photos, out, "", func(step string, done, total uint64) int32 {
		if step == "relabel" {
			return -77
		}
		return 0
	})
	var failure *Error
	if !errors.As(err, &failure) || failure.Status != -77 {
		t.Fatal(err)
	}
	truth := filepath.Join(out, "T0.json")
	if err := trainer.SetValidation(photos, ""); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
	others := t.TempDir()
	for _, name := range []string{"a.bmp", "b.bmp"} {
		if err := os.WriteFile(filepath.Join(others, name), bmp(picture()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := trainer.SetValidation(others, truth); err != nil {
		t.Fatal(err)
	}
	labels, err := trainer.Pretrain(context.Background(), photos, out, truth, nil)
	if err != nil || len(labels) != 2 || labels[0].Recall100 < 0.99 || labels[1].Boxes == 0 {
		t.Fatal(labels, err)
	}
	rows, err := trainer.Measured()
	if err != nil || len(rows) != 11 || rows[0].Images != HeldOutImages || rows[0].Recall100 < 0.99 ||
		rows[4].Kind != MeasuredDetector || rows[4].OwnRecall < 0 || rows[10].Kind != MeasuredLabels ||
		rows[10].Images != TrainingImages || rows[10].ImagesCount != 2 {
		t.Error(rows, err)
	}
	if _, err := os.Stat(filepath.Join(out, "detector.safetensors")); err != nil {
		t.Error(err)
	}
	again := filepath.Join(out, "again.json")
	report, err := trainer.Relabel(context.Background(), out, 1, truth, photos, again, nil)
	if err != nil || report.Images != 2 || report.Boxes != labels[1].Boxes {
		t.Error(report, err)
	}
	stage, err := trainer.TrainStage(context.Background(), out, 2, again, photos, nil)
	if err != nil || stage.Steps != 2 || stage.Images != 2 {
		t.Error(stage, err)
	}
}

func TestTrainerRefusals(t *testing.T) {
	_, err := NewTrainer(TrainerOptions{Config: "[training]\nlearning_rat = 1"})
	if err == nil || !strings.Contains(err.Error(), "learning_rate") {
		t.Error(err)
	}
	trainer, err := NewTrainer(TrainerOptions{Preset: "tiny", Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trainer.Pretrain(context.Background(), "", "x", "", nil); !errors.Is(err, ErrNullPointer) {
		t.Error(err)
	}
	trainer.Close()
	if _, err := trainer.Pretrain(context.Background(), "a", "b", "", nil); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}
