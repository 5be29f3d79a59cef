package capi

/*
#include <stdlib.h>
#include "run.h"

static simdetr_status_t go_detect_images(const simdetr_detector_t *detector,
                                         const simdetr_image_t *const *images, size_t count,
                                         const simdetr_prediction_options_t *options,
                                         const simdetr_cancel_token_t *token,
                                         simdetr_detections_t *detections, simdetr_error_t *error) {
  simdetr_run_options_t run = go_run(token, 0);
  return simdetr_detector_predict(detector, images, count, options, &run, detections, error);
}

static simdetr_status_t go_detect_encoded(const simdetr_detector_t *detector, const uint8_t *data,
                                          size_t length, const simdetr_prediction_options_t *options,
                                          const simdetr_cancel_token_t *token,
                                          simdetr_detections_t *detections, simdetr_error_t *error) {
  simdetr_run_options_t run = go_run(token, 0);
  return simdetr_detector_predict_encoded(detector, &data, &length, 1, options, &run, detections, error);
}

static simdetr_status_t go_detect_files(const simdetr_detector_t *detector, char **paths, size_t count,
                                        const simdetr_prediction_options_t *options,
                                        const simdetr_cancel_token_t *token,
                                        simdetr_detections_t *detections, simdetr_error_t *error) {
  simdetr_run_options_t run = go_run(token, 0);
  return simdetr_detector_predict_files(detector, (const char *const *)paths, count, options, &run,
                                        detections, error);
}

static simdetr_status_t go_untrained(uint64_t seed, const char *preset, const char *config,
                                     uint32_t threads, simdetr_detector_t **out, simdetr_error_t *error) {
  simdetr_detector_options_t options;
  simdetr_detector_options_init(&options, sizeof options);
  options.preset = preset;
  options.config = config;
  options.threads = threads;
  return simdetr_detector_create_untrained(seed, &options, out, error);
}

static simdetr_status_t go_open_detector(const char *path, const char *preset, const char *config,
                                         uint32_t threads, simdetr_detector_t **out,
                                         simdetr_error_t *error) {
  simdetr_detector_options_t options;
  simdetr_detector_options_init(&options, sizeof options);
  options.preset = preset;
  options.config = config;
  options.threads = threads;
  return simdetr_detector_create(path, &options, out, error);
}

static simdetr_status_t go_open_detector_bytes(const uint8_t *data, size_t length, const char *preset,
                                               const char *config, uint32_t threads,
                                               simdetr_detector_t **out, simdetr_error_t *error) {
  simdetr_detector_options_t options;
  simdetr_detector_options_init(&options, sizeof options);
  options.preset = preset;
  options.config = config;
  options.threads = threads;
  return simdetr_detector_create_from_memory(data, length, &options, out, error);
}
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// The handles of detection.
type (
	Detector   = C.simdetr_detector_t
	Detections = C.simdetr_detections_t
)

// DetectorOptions say what a file does not; zero fields are the library's defaults.
type DetectorOptions struct {
	// Preset is "deformable-detr-r50", "small" or "tiny".
	Preset string
	// Config is a configuration document (TOML) whose keys win over the preset's.
	Config string
	// Threads: 0 is one for each processor, 1 the caller's own.
	Threads uint32
}

// texts gives C the options' strings; nil for an empty one.
func (o *DetectorOptions) texts() (preset, config *C.char, release func()) {
	if o.Preset != "" {
		preset = C.CString(o.Preset)
	}
	if o.Config != "" {
		config = C.CString(o.Config)
	}
	return preset, config, func() {
		C.free(unsafe.Pointer(preset))
		C.free(unsafe.Pointer(config))
	}
}

// UntrainedDetector makes a detector that has learned nothing.
func UntrainedDetector(seed uint64, options DetectorOptions) (*Detector, *Error) {
	var raw C.simdetr_error_t
	var detector *Detector
	preset, config, release := options.texts()
	defer release()
	status := C.go_untrained(C.uint64_t(seed), preset, config, C.uint32_t(options.Threads), &detector, &raw)
	return detector, failed(status, &raw)
}

// OpenDetector opens a file.
func OpenDetector(path string, options DetectorOptions) (*Detector, *Error) {
	var raw C.simdetr_error_t
	var detector *Detector
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	preset, config, release := options.texts()
	defer release()
	status := C.go_open_detector(text, preset, config, C.uint32_t(options.Threads), &detector, &raw)
	return detector, failed(status, &raw)
}

// OpenDetectorBytes opens the content of a file.
func OpenDetectorBytes(data []byte, options DetectorOptions) (*Detector, *Error) {
	var raw C.simdetr_error_t
	var detector *Detector
	preset, config, release := options.texts()
	defer release()
	status := C.go_open_detector_bytes((*C.uint8_t)(unsafe.SliceData(data)), C.size_t(len(data)), preset,
		config, C.uint32_t(options.Threads), &detector, &raw)
	return detector, failed(status, &raw)
}

// DestroyDetector ends a detector.
func DestroyDetector(detector *Detector) { C.simdetr_detector_destroy(detector) }

// DetectorDescription says what a detector is.
type DetectorDescription struct {
	Classes, Queries                 int
	ImageShortSide, ImageLongSideMax int
	SideMultiple                     int
	ImageMean, ImageDeviation        [3]float32
	Parameters                       uint64
}

// DescribeDetector says what a detector is.
func DescribeDetector(detector *Detector) (DetectorDescription, *Error) {
	var raw C.simdetr_error_t
	var found C.simdetr_detector_description_t
	found.struct_size = C.sizeof_simdetr_detector_description_t
	status := C.simdetr_detector_describe(detector, &found, &raw)
	description := DetectorDescription{
		Classes:          int(found.classes_count),
		Queries:          int(found.queries_count),
		ImageShortSide:   int(found.image_short_side),
		ImageLongSideMax: int(found.image_long_side_max),
		SideMultiple:     int(found.side_multiple),
		Parameters:       uint64(found.parameters_count),
	}
	for channel := range description.ImageMean {
		description.ImageMean[channel] = float32(found.image_mean[channel])
		description.ImageDeviation[channel] = float32(found.image_deviation[channel])
	}
	return description, failed(status, &raw)
}

// DetectorCategory answers a class's id and name.
func DetectorCategory(detector *Detector, class uint32) (int64, string, *Error) {
	var raw C.simdetr_error_t
	var id C.int64_t
	var length C.size_t
	if status := C.simdetr_detector_category(detector, C.uint32_t(class), &id, nil, 0, &length, &raw); status != 0 {
		return 0, "", failed(status, &raw)
	}
	text := make([]byte, int(length))
	status := C.simdetr_detector_category(detector, C.uint32_t(class), &id, (*C.char)(unsafe.Pointer(&text[0])),
		length, &length, &raw)
	return int64(id), string(text[:len(text)-1]), failed(status, &raw)
}

// NewDetections makes an empty set.
func NewDetections() (*Detections, *Error) {
	var raw C.simdetr_error_t
	var detections *Detections
	return detections, failed(C.simdetr_detections_create(&detections, &raw), &raw)
}

// DestroyDetections ends a set.
func DestroyDetections(detections *Detections) { C.simdetr_detections_destroy(detections) }

// PredictionOptions say which boxes are wanted.
type PredictionOptions struct {
	// DetectionsMax: 0 is 100.
	DetectionsMax uint32
	// ScoreMin leaves out boxes with lower scores.
	ScoreMin float32
	// EachQueryOnce reads each query with its best class alone.
	EachQueryOnce bool
	// AnyClass reads each query once too, with one score of all its classes, which ranks boxes better
	// where classes are hard to tell apart. It wins over EachQueryOnce.
	AnyClass bool
}

func (o *PredictionOptions) raw() C.simdetr_prediction_options_t {
	var raw C.simdetr_prediction_options_t
	C.simdetr_prediction_options_init(&raw, C.sizeof_simdetr_prediction_options_t)
	raw.detections_max = C.uint32_t(o.DetectionsMax)
	raw.score_min = C.float(o.ScoreMin)
	if o.EachQueryOnce {
		raw.reading = C.SIMDETR_READING_QUERIES
	}
	if o.AnyClass {
		raw.reading = C.SIMDETR_READING_OBJECTS
	}
	return raw
}

// Pixels are an image whose size was checked.
type Pixels struct {
	Data                  []byte
	Width, Height, Stride int
	Format                int32
}

// DetectImages finds objects on images. The structs that C reads may hold pointers into Go memory because
// that and they are pinned for the call.
func DetectImages(detector *Detector, images []Pixels, options PredictionOptions, token *Token,
	detections *Detections) *Error {
	var raw C.simdetr_error_t
	var pinned runtime.Pinner
	defer pinned.Unpin()
	pointers := make([]*C.simdetr_image_t, len(images))
	for index, given := range images {
		image := new(C.simdetr_image_t)
		C.simdetr_image_init(image, C.sizeof_simdetr_image_t)
		pinned.Pin(unsafe.SliceData(given.Data))
		image.data = (*C.uint8_t)(unsafe.SliceData(given.Data))
		image.width, image.height = C.uint32_t(given.Width), C.uint32_t(given.Height)
		image.row_stride_bytes = C.int64_t(given.Stride)
		image.pixel_format = C.int32_t(given.Format)
		pinned.Pin(image)
		pointers[index] = image
	}
	wanted := options.raw()
	status := C.go_detect_images(detector, unsafe.SliceData(pointers), C.size_t(len(pointers)), &wanted, token,
		detections, &raw)
	return failed(status, &raw)
}

// DetectEncoded finds objects on an encoded image.
func DetectEncoded(detector *Detector, data []byte, options PredictionOptions, token *Token,
	detections *Detections) *Error {
	var raw C.simdetr_error_t
	wanted := options.raw()
	status := C.go_detect_encoded(detector, (*C.uint8_t)(unsafe.SliceData(data)), C.size_t(len(data)),
		&wanted, token, detections, &raw)
	return failed(status, &raw)
}

// DetectFiles finds objects on image files.
func DetectFiles(detector *Detector, paths []string, options PredictionOptions, token *Token,
	detections *Detections) *Error {
	var raw C.simdetr_error_t
	wanted := options.raw()
	texts := make([]*C.char, len(paths))
	for index, path := range paths {
		texts[index] = C.CString(path)
		defer C.free(unsafe.Pointer(texts[index]))
	}
	status := C.go_detect_files(detector, unsafe.SliceData(texts), C.size_t(len(texts)), &wanted, token,
		detections, &raw)
	return failed(status, &raw)
}

// DetectionArrays are copies of what a set holds.
type DetectionArrays struct {
	// Boxes are left, top, right, bottom in pixels.
	Boxes   [][4]float32
	Scores  []float32
	Classes []int32
	// Images says which image of the call each box is on.
	Images []int32
}

// CopyDetections copies a set.
func CopyDetections(detections *Detections) (DetectionArrays, *Error) {
	var raw C.simdetr_error_t
	var view C.simdetr_detections_view_t
	view.struct_size = C.sizeof_simdetr_detections_view_t
	if status := C.simdetr_detections_view(detections, &view, &raw); status != 0 {
		return DetectionArrays{}, failed(status, &raw)
	}
	count := int(view.count)
	return DetectionArrays{
		Boxes:   copied[[4]float32](unsafe.Pointer(view.boxes), count),
		Scores:  copied[float32](unsafe.Pointer(view.scores), count),
		Classes: copied[int32](unsafe.Pointer(view.classes), count),
		Images:  copied[int32](unsafe.Pointer(view.images), count),
	}, nil
}

// SaveDetector writes safetensors.
func SaveDetector(detector *Detector, path string, huggingFace bool) *Error {
	var raw C.simdetr_error_t
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	naming := C.int32_t(C.SIMDETR_NAMING_OFFICIAL)
	if huggingFace {
		naming = C.SIMDETR_NAMING_HUGGING_FACE
	}
	return failed(C.simdetr_detector_save(detector, text, naming, &raw), &raw)
}

// SaveBackbone writes the backbone alone.
func SaveBackbone(detector *Detector, path string) *Error {
	var raw C.simdetr_error_t
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	return failed(C.simdetr_detector_save_backbone(detector, text, &raw), &raw)
}

// ExportONNX writes an ONNX model.
func ExportONNX(detector *Detector, path string, height, width uint32) *Error {
	var raw C.simdetr_error_t
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	return failed(C.simdetr_detector_export_onnx(detector, text, C.uint32_t(height), C.uint32_t(width), &raw), &raw)
}
