package simdetr

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"github.com/libsimdetr/libsimdetr/bindings/go/internal/capi"
)

// colours answers each cell's colour and place.
func colours(pixels []byte, width, height int, maps []Map) int32 {
	for _, m := range maps {
		side := height / m.Height
		for y := range m.Height {
			for x := range m.Width {
				for c := range m.Channels {
					pixel := pixels[(y*side*width+x*side)*3+c%3]
					m.Values[(y*m.Width+x)*m.Channels+c] = float32(pixel)/255 + float32((x*5+y*3+c)%4)*0.01
				}
			}
		}
	}
	return 0
}

func newExtractor(t *testing.T, encode EncodeFunc) *Extractor {
	t.Helper()
	encoder, err := NewEncoderFunc("colours", []MapDescription{{6, 32}, {6, 16}}, encode)
	if err != nil {
		t.Fatal(err)
	}
	defer encoder.Close()
	extractor, err := NewExtractor(encoder, ExtractorOptions{Threads: 1, ImageShortSide: 160, ImageLongSideMax: 320})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(extractor.Close)
	return extractor
}

func picture() Image {
	const width, height = 96, 64
	pixels := make([]byte, width*height*3)
	for i := range pixels {
		if (i/3%width < width/2) == (i/3/width < height/2) {
			pixels[i] = 200
		} else {
			pixels[i] = byte(30 + i%3*40)
		}
	}
	return Image{Pixels: pixels, Width: width, Height: height, Format: RGB8}
}

func bmp(image Image) []byte {
	file := make([]byte, 54, 54+len(image.Pixels))
	copy(file, "BM")
	put := func(at, value int) {
		for i := range 4 {
			file[at+i] = byte(value >> (8 * i))
		}
	}
	put(2, 54+len(image.Pixels))
	put(10, 54)
	put(14, 40)
	put(18, image.Width)
	put(22, image.Height)
	file[26], file[28] = 1, 24
	put(34, len(image.Pixels))
	for y := image.Height - 1; y >= 0; y-- {
		for x := range image.Width {
			pixel := image.Pixels[(y*image.Width+x)*3:]
			file = append(file, pixel[2], pixel[1], pixel[0])
		}
	}
	return file
}

func TestSixteenGoroutinesOnOneExtractorAgree(t *testing.T) {
	extractor := newExtractor(t, colours)
	expected, err := extractor.ExtractImage(context.Background(), picture(), 1)
	if err != nil || len(expected.Boxes) == 0 {
		t.Fatal(len(expected.Boxes), err)
	}
	var group sync.WaitGroup
	for range 16 {
		group.Add(1)
		go func() {
			defer group.Done()
			for range 5 {
				found, err := extractor.ExtractImage(context.Background(), picture(), 1)
				if err != nil || !reflect.DeepEqual(found, expected) {
					t.Error("differs", err)
				}
			}
		}()
	}
	group.Wait()
	encoded, err := extractor.ExtractEncoded(context.Background(), bmp(picture()), 1)
	if err != nil || !reflect.DeepEqual(encoded, expected) {
		t.Error("the encoded image differs", err)
	}
}

func TestErrorsAreTypes(t *testing.T) {
	extractor := newExtractor(t, func([]byte, int, int, []Map) int32 { return -77 })
	_, err := extractor.ExtractImage(context.Background(), picture(), 1)
	var failure *Error
	if !errors.As(err, &failure) || failure.Status != -77 {
		t.Error(err)
	}
	_, err = extractor.ExtractEncoded(context.Background(), []byte("no image"), 1)
	if !errors.Is(err, ErrImageDecode) {
		t.Error(err)
	}
	_, err = extractor.ExtractEncoded(context.Background(), nil, 1)
	if !errors.Is(err, ErrImageDecode) {
		t.Error(err)
	}
	short := picture()
	short.Pixels = short.Pixels[:100]
	if _, err = extractor.ExtractImage(context.Background(), short, 1); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
	extractor.Close()
	extractor.Close()
	if _, err = extractor.ExtractImage(context.Background(), picture(), 1); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	panicking := newExtractor(t, func([]byte, int, int, []Map) int32 { panic("in a callback") })
	if _, err = panicking.ExtractImage(context.Background(), picture(), 1); err == nil {
		t.Error("a panic in a callback went unnoticed")
	}
}

func TestContextsCancel(t *testing.T) {
	extractor := newExtractor(t, colours)
	cause := errors.New("the user left")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	if _, err := extractor.ExtractImage(ctx, picture(), 1); !errors.Is(err, ErrCancelled) || !errors.Is(err, cause) {
		t.Error(err)
	}
	images := t.TempDir()
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"} {
		if err := os.WriteFile(filepath.Join(images, name+".bmp"), bmp(picture()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel = context.WithCancelCause(context.Background())
	seen := 0
	_, err := extractor.ExtractFolder(ctx, images, filepath.Join(t.TempDir(), "store"), false, func(_ string, done, _ uint64) int32 {
		if seen++; done == 1 {
			cancel(cause)
			<-ctx.Done()
		}
		return 0
	})
	// The context's function runs on a goroutine of its own, so the call may just have ended.
	if err != nil && (!errors.Is(err, ErrCancelled) || !errors.Is(err, cause)) {
		t.Error(err)
	}
	if seen == 0 {
		t.Error("no progress")
	}
}

func TestFromAFolderToADataSet(t *testing.T) {
	extractor := newExtractor(t, colours)
	folder := t.TempDir()
	images, store, truth := filepath.Join(folder, "images"), filepath.Join(folder, "store"), filepath.Join(folder, "T0.json")
	if err := os.Mkdir(images, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x.bmp", "y.bmp", "z.bmp"} {
		if err := os.WriteFile(filepath.Join(images, name), bmp(picture()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	report, err := extractor.ExtractFolder(ctx, images, store, true, nil)
	if err != nil || report.Images != 3 || report.Proposals == 0 {
		t.Fatal(report, err)
	}
	rows, err := OpenStore(store)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	seen := 0
	for image, err := range rows.All() {
		if err != nil || image.Width != 96 || filepath.Ext(image.Path) != ".bmp" {
			t.Fatal(image, err)
		}
		seen += len(image.Proposals.Boxes)
	}
	if uint64(seen) != report.Proposals {
		t.Error(seen, report)
	}
	clusterer, err := NewClusterer(ClustererOptions{Classes: 2, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer clusterer.Close()
	if err := clusterer.FitStore(ctx, rows, nil); err != nil {
		t.Fatal(err)
	}
	if err := rows.ExportCOCO(ctx, clusterer, truth); err != nil {
		t.Fatal(err)
	}
	figures, err := EvaluateFiles(ctx, truth, truth, false)
	if err != nil || figures.AveragePrecision < 0.99 {
		t.Error(figures, err)
	}
}

func TestClusteringOfSlices(t *testing.T) {
	clusterer, err := NewClusterer(ClustererOptions{Classes: 2, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer clusterer.Close()
	rows := []float32{1, 0, 0.9, 0.1, 0, 1, 0.1, 0.9}
	if err := clusterer.Fit(context.Background(), rows, 2); err != nil {
		t.Fatal(err)
	}
	labels, err := clusterer.Assign(context.Background(), rows, 2)
	if err != nil || labels[0] != labels[1] || labels[2] != labels[3] || labels[0] == labels[2] {
		t.Error(labels, err)
	}
	if err := clusterer.Fit(context.Background(), rows[:2], 2); !errors.Is(err, ErrTooFewPoints) {
		t.Error(err)
	}
	if err := clusterer.Fit(context.Background(), rows, 3); !errors.Is(err, ErrShape) {
		t.Error(err)
	}
}

// Every status constant has its C name, so that none has slipped.
func TestStatusesAreThoseOfTheHeader(t *testing.T) {
	names := map[Status]string{
		ErrInvalidArgument: "INVALID_ARGUMENT", ErrNullPointer: "NULL_POINTER", ErrConfigValue: "CONFIG_VALUE",
		ErrNotCompiled: "NOT_COMPILED", ErrShape: "SHAPE", ErrTooFewPoints: "TOO_FEW_POINTS", ErrIO: "IO",
		ErrImageDecode: "IMAGE_DECODE", ErrImageTooLarge: "IMAGE_TOO_LARGE", ErrNoImages: "NO_IMAGES",
		ErrRunMismatch: "RUN_MISMATCH", ErrFormat: "FORMAT", ErrCancelled: "CANCELLED", ErrPanic: "PANIC",
		ErrPoisoned: "POISONED",
	}
	for status, name := range names {
		if got := capi.StatusName(int32(status)); got != "SIMDETR_ERROR_"+name {
			t.Error(status, got)
		}
	}
}

// The library installs no signal handler: a nil dereference is still a Go panic.
func TestGoPanicsStillSurface(t *testing.T) {
	newExtractor(t, colours)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	var nothing *Image
	t.Log(nothing.Width)
}
