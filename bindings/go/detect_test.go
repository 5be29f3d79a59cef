package simdetr

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
)

const detectorConfig = "[detector]\nqueries_count = 9\nclasses_count = 4\n"

func untrained(t *testing.T) *Detector {
	t.Helper()
	detector, err := NewUntrainedDetector(1, DetectorOptions{Preset: "tiny", Config: detectorConfig, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(detector.Close)
	return detector
}

func noise(width, height int) Image {
	pixels := make([]byte, width*height*3)
	for index := range pixels {
		pixels[index] = byte(index * 31 % 253)
	}
	return Image{Pixels: pixels, Width: width, Height: height, Format: RGB8}
}

func TestDetectorIsTheSameAfterSaving(t *testing.T) {
	detector, ctx := untrained(t), context.Background()
	description, err := detector.Describe()
	if err != nil || description.Classes != 4 || description.Queries != 9 || description.SideMultiple != 32 || description.Parameters == 0 {
		t.Fatal(description, err)
	}
	if category, err := detector.Category(3); err != nil || category.ID != 3 {
		t.Error(category, err)
	}
	if _, err := detector.Category(4); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
	wanted := PredictionOptions{DetectionsMax: 6}
	found, err := detector.Predict(ctx, noise(96, 64), wanted)
	if err != nil || len(found.Boxes) != 6 || len(found.Scores) != 6 || len(found.Classes) != 6 {
		t.Fatal(found, err)
	}
	for _, huggingFace := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "detector.safetensors")
		if err := detector.Save(path, huggingFace); err != nil {
			t.Fatal(err)
		}
		opened, err := OpenDetector(path, DetectorOptions{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		again, err := opened.Predict(ctx, noise(96, 64), wanted)
		if err != nil || !reflect.DeepEqual(again, found) {
			t.Error(again, err)
		}
		opened.Close()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenDetectorBytes(data[:len(data)-1], DetectorOptions{}); !errors.Is(err, ErrFormat) {
			t.Error(err)
		}
	}
	folder := t.TempDir()
	if err := detector.SaveBackbone(filepath.Join(folder, "backbone.safetensors")); err != nil {
		t.Error(err)
	}
	if err := detector.ExportONNX(filepath.Join(folder, "detector.onnx"), 64, 96); err != nil {
		t.Error(err)
	}
}

func TestDetectorRefusesAndIsShared(t *testing.T) {
	detector, ctx := untrained(t), context.Background()
	if _, err := OpenDetector("absent.safetensors", DetectorOptions{}); !errors.Is(err, ErrIO) {
		t.Error(err)
	}
	if _, err := NewUntrainedDetector(0, DetectorOptions{Preset: "huge"}); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
	if _, err := detector.PredictEncoded(ctx, []byte("no image"), PredictionOptions{}); !errors.Is(err, ErrImageDecode) {
		t.Error(err)
	}
	if _, err := detector.PredictFiles(ctx, []string{"absent.png"}, PredictionOptions{}); !errors.Is(err, ErrIO) {
		t.Error(err)
	}
	if _, err := detector.Predict(ctx, Image{Width: 5, Height: 5, Format: RGB8}, PredictionOptions{}); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
	if _, err := detector.Predict(ctx, noise(32, 32), PredictionOptions{ScoreMin: 2}); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := detector.Predict(cancelled, noise(32, 32), PredictionOptions{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	queries, err := detector.Predict(ctx, noise(64, 64), PredictionOptions{EachQueryOnce: true})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := detector.Predict(ctx, noise(64, 64), PredictionOptions{AnyClass: true})
	if err != nil || len(objects.Scores) != len(queries.Scores) || objects.Scores[0] <= queries.Scores[0] {
		t.Error(objects, err)
	}
	var group sync.WaitGroup
	for range 3 {
		group.Add(1)
		go func() {
			defer group.Done()
			if _, err := detector.Predict(ctx, noise(64, 64), PredictionOptions{EachQueryOnce: true}); err != nil {
				t.Error(err)
			}
		}()
	}
	group.Wait()
	detector.Close()
	if _, err := detector.Describe(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestSeveralFramesInOneCall(t *testing.T) {
	detector, ctx, wanted := untrained(t), context.Background(), PredictionOptions{DetectionsMax: 3}
	frames := []Image{noise(96, 64), noise(64, 96), noise(80, 80)}
	all, err := detector.PredictImages(ctx, frames, wanted)
	if err != nil || len(all.Boxes) != 9 {
		t.Fatal(all, err)
	}
	for index, frame := range frames {
		one, err := detector.Predict(ctx, frame, wanted)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(one.Boxes, all.Boxes[index*3:index*3+3]) ||
			!reflect.DeepEqual(one.Scores, all.Scores[index*3:index*3+3]) || all.Images[index*3] != int32(index) {
			t.Error(index, one, all)
		}
	}
	none, err := detector.PredictImages(ctx, nil, wanted)
	if err != nil || len(none.Boxes) != 0 {
		t.Error(none, err)
	}
	frames[1].Pixels = frames[1].Pixels[1:]
	if _, err := detector.PredictImages(ctx, frames, wanted); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
}

func TestFramesOfVideoAreChecked(t *testing.T) {
	detector, ctx := untrained(t), context.Background()
	frame := func(format PixelFormat, length int) Image {
		return Image{Pixels: make([]byte, length), Width: 96, Height: 64, Format: format}
	}
	for format, length := range map[PixelFormat]int{NV12: 96 * 64 * 3 / 2, YUYV: 96 * 64 * 2} {
		if _, err := detector.Predict(ctx, frame(format, length), PredictionOptions{}); err != nil {
			t.Error(format, err)
		}
		if _, err := detector.Predict(ctx, frame(format, length-1), PredictionOptions{}); !errors.Is(err, ErrInvalidArgument) {
			t.Error(format, err)
		}
	}
}
