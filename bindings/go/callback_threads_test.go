//go:build linux

package simdetr

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
)

// The function of NewCallerEncoderFunc stays on the locked thread of its caller, and finds the same.
func TestCallerEncoderFuncsStayOnTheirThread(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	images := t.TempDir()
	for i := range 8 {
		if err := os.WriteFile(filepath.Join(images, fmt.Sprintf("%d.bmp", i)), bmp(picture()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	caller := syscall.Gettid()
	var calls, elsewhere atomic.Int32
	encode := func(pixels []byte, width, height int, maps []Map) int32 {
		calls.Add(1)
		if syscall.Gettid() != caller {
			elsewhere.Add(1)
		}
		return colours(pixels, width, height, maps)
	}
	kinds := []func(string, []MapDescription, EncodeFunc) (*Encoder, error){NewCallerEncoderFunc, NewEncoderFunc}
	var found [2]uint64
	for i, newEncoder := range kinds {
		encoder, err := newEncoder("colours", []MapDescription{{6, 32}, {6, 16}}, encode)
		if err != nil {
			t.Fatal(err)
		}
		defer encoder.Close()
		extractor, err := NewExtractor(encoder, ExtractorOptions{Threads: 3, ImageShortSide: 160, ImageLongSideMax: 320})
		if err != nil {
			t.Fatal(err)
		}
		defer extractor.Close()
		before := elsewhere.Load()
		report, err := extractor.ExtractFolder(context.Background(), images, filepath.Join(t.TempDir(), "store"), true, nil)
		if err != nil {
			t.Fatal(err)
		}
		found[i] = report.Proposals
		if i == 0 && elsewhere.Load() != before {
			t.Error("the function ran on another thread")
		}
	}
	if calls.Load() != 16 || found[0] == 0 || found[0] != found[1] {
		t.Error(calls.Load(), found)
	}
}
