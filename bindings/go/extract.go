package simdetr

import (
	"context"

	"github.com/libsimdetr/libsimdetr/bindings/go/internal/capi"
)

// Map is one feature map that an EncodeFunc fills: Values[(y*Width+x)*Channels+channel].
type Map = capi.Map

// EncodeFunc fills the maps of one RGB image (width*height*3 bytes), which are borrowed for the
// call; it runs on any goroutine's thread, several at once. 0 is success; a negative number becomes
// the status of the call, and so does a panic.
type EncodeFunc = capi.EncodeFunc

// MapDescription is one map of an encoder: its channels, and the pixels of each cell.
type MapDescription struct{ Channels, Stride uint }

// Encoder is where feature maps come from. Any number of goroutines may use one.
type Encoder struct{ handle *handle[*capi.Encoder] }

// NewEncoder makes the built-in encoder (path "" or "default"), or one from a safetensors or ONNX
// file.
func NewEncoder(path string) (*Encoder, error) {
	raw, failure := capi.NewEncoder(path)
	if failure != nil {
		return nil, convert(failure)
	}
	return &Encoder{newHandle(raw, capi.DestroyEncoder)}, nil
}

// NewEncoderFunc makes an encoder of a Go function; name identifies it in run folders.
func NewEncoderFunc(name string, maps []MapDescription, encode EncodeFunc) (*Encoder, error) {
	return newEncoderFunc(name, maps, encode, false)
}

// NewCallerEncoderFunc makes an encoder whose function runs on the thread of the goroutine that makes
// the call, one image after the other, for models that are bound to a thread
// (runtime.LockOSThread); proposals are the same.
func NewCallerEncoderFunc(name string, maps []MapDescription, encode EncodeFunc) (*Encoder, error) {
	return newEncoderFunc(name, maps, encode, true)
}

func newEncoderFunc(name string, maps []MapDescription, encode EncodeFunc, onCaller bool) (*Encoder, error) {
	channels, strides := make([]uint, len(maps)), make([]uint, len(maps))
	for index, description := range maps {
		channels[index], strides[index] = description.Channels, description.Stride
	}
	raw, failure := capi.NewCallbackEncoder(name, channels, strides, encode, onCaller)
	if failure != nil {
		return nil, convert(failure)
	}
	return &Encoder{newHandle(raw, capi.DestroyEncoder)}, nil
}

// Close ends the encoder; extractors made from it live on.
func (e *Encoder) Close() { e.handle.close() }

// ExtractorOptions configure an Extractor; zero fields are the library's defaults.
type ExtractorOptions = capi.ExtractorOptions

// Extractor finds proposals. Any number of goroutines may use one.
type Extractor struct{ handle *handle[*capi.Extractor] }

// NewExtractor makes an extractor; the encoder may be closed afterwards.
func NewExtractor(encoder *Encoder, options ExtractorOptions) (*Extractor, error) {
	var extractor *Extractor
	err := encoder.handle.use(func(raw *capi.Encoder) error {
		made, failure := capi.NewExtractor(raw, options)
		if failure != nil {
			return convert(failure)
		}
		extractor = &Extractor{newHandle(made, capi.DestroyExtractor)}
		return nil
	})
	return extractor, err
}

// Close ends the extractor after the calls that are running.
func (e *Extractor) Close() { e.handle.close() }

// Proposals are the regions of one image; the slices belong to the caller.
type Proposals = capi.ProposalArrays

// PixelFormat is the order of an image's bytes.
type PixelFormat int32

// The pixel formats.
const (
	RGB8  PixelFormat = 1
	BGR8  PixelFormat = 2
	RGBA8 PixelFormat = 3
	BGRA8 PixelFormat = 4
	Gray8 PixelFormat = 5
	// NV12 is rows of brightness, then half as many rows of colour differences.
	NV12 PixelFormat = 6
	// YUYV is four bytes for two pixels.
	YUYV PixelFormat = 7
)

// Bytes of a pixel in its row.
var pixelBytes = map[PixelFormat]int{RGB8: 3, BGR8: 3, RGBA8: 4, BGRA8: 4, Gray8: 1, NV12: 1, YUYV: 2}

// Image is upright pixels; Stride 0 is rows without padding.
type Image struct {
	Pixels                []byte
	Width, Height, Stride int
	Format                PixelFormat
}

// check keeps the library from reading past the slice.
func (i Image) check() error {
	row := i.Width * pixelBytes[i.Format]
	stride := i.Stride
	if stride == 0 {
		stride = row
	}
	rows := i.Height
	if i.Format == NV12 {
		rows += i.Height / 2
	}
	if row <= 0 || i.Height <= 0 || stride < row || len(i.Pixels) < stride*(rows-1)+row {
		return &Error{Status: ErrInvalidArgument, Message: "image: pixels do not fit its size and format"}
	}
	return nil
}

// ExtractImage finds the proposals of an image; id keys its random numbers.
func (e *Extractor) ExtractImage(ctx context.Context, image Image, id uint32) (Proposals, error) {
	if err := image.check(); err != nil {
		return Proposals{}, err
	}
	return e.extract(ctx, func(raw *capi.Extractor, token *capi.Token, out *capi.Proposals) *capi.Error {
		return capi.ExtractImage(raw, image.Pixels, image.Width, image.Height, image.Stride, int32(image.Format), id, token, out)
	})
}

// ExtractEncoded finds the proposals of a JPEG, PNG, WebP, BMP or TIFF in memory.
func (e *Extractor) ExtractEncoded(ctx context.Context, data []byte, id uint32) (Proposals, error) {
	return e.extract(ctx, func(raw *capi.Extractor, token *capi.Token, out *capi.Proposals) *capi.Error {
		return capi.ExtractEncoded(raw, data, id, token, out)
	})
}

func (e *Extractor) extract(ctx context.Context, call func(*capi.Extractor, *capi.Token, *capi.Proposals) *capi.Error) (Proposals, error) {
	var found Proposals
	err := e.handle.use(func(raw *capi.Extractor) error {
		out, failure := capi.NewProposals()
		if failure != nil {
			return convert(failure)
		}
		defer capi.DestroyProposals(out)
		if err := withToken(ctx, func(token *capi.Token) *capi.Error { return call(raw, token, out) }); err != nil {
			return err
		}
		found, failure = capi.CopyProposals(out)
		return convert(failure)
	})
	return found, err
}

// FolderReport says what ExtractFolder did.
type FolderReport = capi.FolderReport

// ProgressFunc hears how far a call has come; a negative answer stops it.
type ProgressFunc = capi.ProgressFunc

// ExtractFolder extracts every image of a folder into a store; a call that was stopped goes on where
// it was. progress may be nil.
func (e *Extractor) ExtractFolder(ctx context.Context, images, store string, strict bool, progress ProgressFunc) (FolderReport, error) {
	var report FolderReport
	err := e.handle.use(func(raw *capi.Extractor) error {
		return withToken(ctx, func(token *capi.Token) (failure *capi.Error) {
			report, failure = capi.ExtractFolder(raw, images, store, strict, token, progress)
			return failure
		})
	})
	return report, err
}
