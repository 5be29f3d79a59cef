package simdetr

import (
	"context"

	"github.com/libsimdetr/libsimdetr/bindings/go/internal/capi"
)

// DetectorOptions say what a detector's file does not; zero fields are the library's defaults.
type DetectorOptions = capi.DetectorOptions

// DetectorDescription says what a detector is.
type DetectorDescription = capi.DetectorDescription

// PredictionOptions say which of a detector's boxes are wanted; zero fields are the defaults.
type PredictionOptions = capi.PredictionOptions

// Detections are what was found; the slices belong to the caller.
type Detections = capi.DetectionArrays

// Category is a class of a detector: its id in COCO files, and its name.
type Category struct {
	ID   int64
	Name string
}

// Detector is a Deformable DETR with its weights. Any number of goroutines may use one.
type Detector struct{ handle *handle[*capi.Detector] }

func detectorOf(raw *capi.Detector, failure *capi.Error) (*Detector, error) {
	if failure != nil {
		return nil, convert(failure)
	}
	return &Detector{newHandle(raw, capi.DestroyDetector)}, nil
}

// OpenDetector opens a safetensors file, under official or Hugging Face names.
func OpenDetector(path string, options DetectorOptions) (*Detector, error) {
	return detectorOf(capi.OpenDetector(path, options))
}

// OpenDetectorBytes opens the content of a file.
func OpenDetectorBytes(data []byte, options DetectorOptions) (*Detector, error) {
	return detectorOf(capi.OpenDetectorBytes(data, options))
}

// NewUntrainedDetector makes a detector of the options' sizes that has learned nothing.
func NewUntrainedDetector(seed uint64, options DetectorOptions) (*Detector, error) {
	return detectorOf(capi.UntrainedDetector(seed, options))
}

// Close ends the detector after the calls that are running.
func (d *Detector) Close() { d.handle.close() }

// Describe says what the detector is.
func (d *Detector) Describe() (DetectorDescription, error) {
	var description DetectorDescription
	err := d.handle.use(func(raw *capi.Detector) error {
		var failure *capi.Error
		description, failure = capi.DescribeDetector(raw)
		return convert(failure)
	})
	return description, err
}

// Category answers what a class is.
func (d *Detector) Category(class uint32) (Category, error) {
	var category Category
	err := d.handle.use(func(raw *capi.Detector) error {
		var failure *capi.Error
		category.ID, category.Name, failure = capi.DetectorCategory(raw, class)
		return convert(failure)
	})
	return category, err
}

// Predict finds objects on an image.
func (d *Detector) Predict(ctx context.Context, image Image, options PredictionOptions) (Detections, error) {
	return d.PredictImages(ctx, []Image{image}, options)
}

// PredictImages finds objects on several images, the frames of cameras say, in one call;
// Detections.Images says which of them each box is on.
func (d *Detector) PredictImages(ctx context.Context, images []Image, options PredictionOptions) (Detections, error) {
	given := make([]capi.Pixels, len(images))
	for index, image := range images {
		if err := image.check(); err != nil {
			return Detections{}, err
		}
		given[index] = capi.Pixels{Data: image.Pixels, Width: image.Width, Height: image.Height,
			Stride: image.Stride, Format: int32(image.Format)}
	}
	return d.predict(ctx, func(raw *capi.Detector, token *capi.Token, out *capi.Detections) *capi.Error {
		return capi.DetectImages(raw, given, options, token, out)
	})
}

// PredictEncoded finds objects on a JPEG, PNG, WebP, BMP or TIFF in memory.
func (d *Detector) PredictEncoded(ctx context.Context, data []byte, options PredictionOptions) (Detections, error) {
	return d.predict(ctx, func(raw *capi.Detector, token *capi.Token, out *capi.Detections) *capi.Error {
		return capi.DetectEncoded(raw, data, options, token, out)
	})
}

// PredictFiles finds objects on image files; Detections.Images says which of them each box is on.
func (d *Detector) PredictFiles(ctx context.Context, paths []string, options PredictionOptions) (Detections, error) {
	return d.predict(ctx, func(raw *capi.Detector, token *capi.Token, out *capi.Detections) *capi.Error {
		return capi.DetectFiles(raw, paths, options, token, out)
	})
}

func (d *Detector) predict(ctx context.Context, call func(*capi.Detector, *capi.Token, *capi.Detections) *capi.Error) (Detections, error) {
	var found Detections
	err := d.handle.use(func(raw *capi.Detector) error {
		out, failure := capi.NewDetections()
		if failure != nil {
			return convert(failure)
		}
		defer capi.DestroyDetections(out)
		if err := withToken(ctx, func(token *capi.Token) *capi.Error { return call(raw, token, out) }); err != nil {
			return err
		}
		found, failure = capi.CopyDetections(out)
		return convert(failure)
	})
	return found, err
}

// Save writes the detector as safetensors under official names, or under those of Hugging Face.
func (d *Detector) Save(path string, huggingFace bool) error {
	return d.handle.use(func(raw *capi.Detector) error {
		return convert(capi.SaveDetector(raw, path, huggingFace))
	})
}

// SaveBackbone writes the backbone alone under torchvision's names.
func (d *Detector) SaveBackbone(path string) error {
	return d.handle.use(func(raw *capi.Detector) error { return convert(capi.SaveBackbone(raw, path)) })
}

// ExportONNX writes an ONNX model for images of one size; a side that is 0 stays free, others are
// multiples of the detector's SideMultiple. The model's metadata say what to do to an image.
func (d *Detector) ExportONNX(path string, height, width uint32) error {
	return d.handle.use(func(raw *capi.Detector) error {
		return convert(capi.ExportONNX(raw, path, height, width))
	})
}
