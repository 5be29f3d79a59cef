// Package capi is the only cgo of the module: it names the library, wraps what cgo cannot call
// directly, and turns statuses into plain values. The public package is one folder up.
package capi

/*
#cgo !simdetr_static pkg-config: simdetr
#cgo simdetr_static,linux,amd64 LDFLAGS: ${SRCDIR}/lib/linux_amd64/libsimdetr.a -ldl -lm -lpthread -lgcc_s
#cgo simdetr_static,linux,arm64 LDFLAGS: ${SRCDIR}/lib/linux_arm64/libsimdetr.a -ldl -lm -lpthread -lgcc_s
#include <stdlib.h>
#include "run.h"

extern int32_t simdetrGoEncode(void *, simdetr_image_t *, simdetr_map_t *, size_t);
extern void simdetrGoRelease(void *);

// A cgo.Handle is an integer; C passes it through as a pointer.
static simdetr_status_t go_encoder(const char *name, uintptr_t handle, const size_t *channels,
                                   const size_t *strides, size_t count, int32_t threads,
                                   simdetr_encoder_t **out, simdetr_error_t *error) {
  simdetr_encoder_callback_t callback;
  simdetr_encoder_callback_init(&callback, sizeof callback);
  callback.name = name;
  callback.encode = (simdetr_encode_fn_t)simdetrGoEncode;
  callback.user_data = (void *)handle;
  callback.user_data_destroy = simdetrGoRelease;
  callback.channels = channels;
  callback.strides = strides;
  callback.maps_count = count;
  callback.callback_threads = threads;
  return simdetr_encoder_create_from_callback(&callback, out, error);
}

static simdetr_status_t go_extract_image(const simdetr_extractor_t *extractor, const uint8_t *pixels,
                                         uint32_t width, uint32_t height, int64_t stride,
                                         int32_t format, uint32_t id,
                                         const simdetr_cancel_token_t *token,
                                         simdetr_proposals_t *proposals, simdetr_error_t *error) {
  simdetr_run_options_t run = go_run(token, 0);
  simdetr_image_t image;
  simdetr_image_init(&image, sizeof image);
  image.data = pixels;
  image.width = width;
  image.height = height;
  image.row_stride_bytes = stride;
  image.pixel_format = format;
  return simdetr_extractor_extract_image(extractor, &image, id, &run, proposals, error);
}

static simdetr_status_t go_extract_encoded(const simdetr_extractor_t *extractor, const uint8_t *data,
                                           size_t length, uint32_t id,
                                           const simdetr_cancel_token_t *token,
                                           simdetr_proposals_t *proposals, simdetr_error_t *error) {
  simdetr_run_options_t run = go_run(token, 0);
  return simdetr_extractor_extract_encoded(extractor, data, length, id, &run, proposals, error);
}

static simdetr_status_t go_extract_folder(const simdetr_extractor_t *extractor, const char *images,
                                          const char *store, int32_t strict,
                                          const simdetr_cancel_token_t *token, uintptr_t progress,
                                          simdetr_folder_report_t *report, simdetr_error_t *error) {
  simdetr_run_options_t run = go_run(token, progress);
  report->struct_size = sizeof *report;
  return simdetr_extractor_extract_folder(extractor, images, store, NULL, strict, &run, report, error);
}

static simdetr_status_t go_fit_store(simdetr_clusterer_t *clusterer, const simdetr_proposal_store_t *store,
                                     const simdetr_cancel_token_t *token, uintptr_t progress,
                                     simdetr_error_t *error) {
  simdetr_run_options_t run = go_run(token, progress);
  return simdetr_clusterer_fit_store(clusterer, store, &run, NULL, error);
}

static simdetr_status_t go_export(const simdetr_proposal_store_t *store, const simdetr_clusterer_t *clusterer,
                                  const char *path, const simdetr_cancel_token_t *token,
                                  simdetr_error_t *error) {
  simdetr_run_options_t run = go_run(token, 0);
  return simdetr_proposal_store_export_coco(store, clusterer, path, &run, error);
}

static simdetr_status_t go_evaluate_files(const simdetr_evaluator_t *evaluator, const char *truth,
                                          const char *detections, const simdetr_cancel_token_t *token,
                                          simdetr_evaluation_t *figures, simdetr_error_t *error) {
  simdetr_run_options_t run = go_run(token, 0);
  figures->struct_size = sizeof *figures;
  return simdetr_evaluator_evaluate_files(evaluator, truth, detections, &run, figures, error);
}
*/
import "C"

import (
	"runtime/cgo"
	"unsafe"

	// Keeps dlpack.h beside the header when the module is vendored.
	_ "github.com/libsimdetr/libsimdetr/bindings/go/internal/capi/simdetr"
)

// Opaque C handles.
type (
	Token     = C.simdetr_cancel_token_t
	Encoder   = C.simdetr_encoder_t
	Extractor = C.simdetr_extractor_t
	Proposals = C.simdetr_proposals_t
	Store     = C.simdetr_proposal_store_t
	Clusterer = C.simdetr_clusterer_t
	Evaluator = C.simdetr_evaluator_t
)

// Error is a status and its sentence.
type Error struct {
	Status  int32
	Message string
}

func failed(status C.simdetr_status_t, raw *C.simdetr_error_t) *Error {
	if status == 0 {
		return nil
	}
	return &Error{int32(status), C.GoString(&raw.message[0])}
}

// ABIVersion answers the library's and the header's.
func ABIVersion() (library, header uint32) {
	return uint32(C.simdetr_abi_version()), C.SIMDETR_ABI_VERSION
}

// VersionString is the library's version.
func VersionString() string { return C.GoString(C.simdetr_version_string()) }

// StatusName is the C name of a status.
func StatusName(status int32) string {
	return C.GoString(C.simdetr_status_name(C.simdetr_status_t(status)))
}

// NewToken makes a cancel token.
func NewToken() (*Token, *Error) {
	var raw C.simdetr_error_t
	var token *Token
	return token, failed(C.simdetr_cancel_token_create(&token, &raw), &raw)
}

// CancelToken sets a token.
func CancelToken(token *Token) { C.simdetr_cancel_token_cancel(token, nil) }

// DestroyToken ends a token.
func DestroyToken(token *Token) { C.simdetr_cancel_token_destroy(token) }

// EncodeFunc fills maps[i] (height x width x channels) of an RGB image.
type EncodeFunc func(pixels []byte, width, height int, maps []Map) int32

// Map is one feature map to fill.
type Map struct {
	Values                  []float32
	Height, Width, Channels int
}

// NewCallbackEncoder makes an encoder of a Go function, which onCaller keeps to the thread that makes
// each call.
func NewCallbackEncoder(name string, channels, strides []uint, encode EncodeFunc, onCaller bool) (*Encoder, *Error) {
	var raw C.simdetr_error_t
	var encoder *Encoder
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	handle := cgo.NewHandle(encode)
	sizes := func(values []uint) *C.size_t {
		return (*C.size_t)(unsafe.Pointer(unsafe.SliceData(values)))
	}
	threads := C.int32_t(C.SIMDETR_CALLBACK_THREADS_ANY)
	if onCaller {
		threads = C.SIMDETR_CALLBACK_THREADS_CALLER
	}
	status := C.go_encoder(text, C.uintptr_t(handle), sizes(channels), sizes(strides),
		C.size_t(len(channels)), threads, &encoder, &raw)
	return encoder, failed(status, &raw)
}

// NewEncoder makes the built-in encoder ("" or "default") or one from a file.
func NewEncoder(path string) (*Encoder, *Error) {
	var raw C.simdetr_error_t
	var encoder *Encoder
	var options C.simdetr_encoder_options_t
	C.simdetr_encoder_options_init(&options, C.sizeof_simdetr_encoder_options_t)
	if path != "" {
		text := C.CString(path)
		defer C.free(unsafe.Pointer(text))
		options.encoder = text
	}
	return encoder, failed(C.simdetr_encoder_create(&options, &encoder, &raw), &raw)
}

// DestroyEncoder ends an encoder.
func DestroyEncoder(encoder *Encoder) { C.simdetr_encoder_destroy(encoder) }

// ExtractorOptions are the fields that Go sets; zero is the library's default.
type ExtractorOptions struct {
	Seed                             uint64
	Threads                          uint32
	ImageShortSide, ImageLongSideMax uint32
	// SelectiveSearch proposes with Selective Search instead of local clustering.
	SelectiveSearch bool
}

// NewExtractor makes an extractor.
func NewExtractor(encoder *Encoder, options ExtractorOptions) (*Extractor, *Error) {
	var raw C.simdetr_error_t
	var extractor *Extractor
	var fields C.simdetr_extractor_options_t
	C.simdetr_extractor_options_init(&fields, C.sizeof_simdetr_extractor_options_t)
	fields.seed = C.uint64_t(options.Seed)
	fields.threads = C.uint32_t(options.Threads)
	fields.image_short_side = C.uint32_t(options.ImageShortSide)
	fields.image_long_side_max = C.uint32_t(options.ImageLongSideMax)
	if options.SelectiveSearch {
		fields.method = C.SIMDETR_METHOD_SELECTIVE_SEARCH
	}
	return extractor, failed(C.simdetr_extractor_create(encoder, &fields, &extractor, &raw), &raw)
}

// DestroyExtractor ends an extractor.
func DestroyExtractor(extractor *Extractor) { C.simdetr_extractor_destroy(extractor) }

// NewProposals makes an empty set.
func NewProposals() (*Proposals, *Error) {
	var raw C.simdetr_error_t
	var proposals *Proposals
	return proposals, failed(C.simdetr_proposals_create(&proposals, &raw), &raw)
}

// DestroyProposals ends a set.
func DestroyProposals(proposals *Proposals) { C.simdetr_proposals_destroy(proposals) }

// ProposalArrays are copies of what a set holds.
type ProposalArrays struct {
	Dimensions            int
	Boxes                 [][4]float32
	Scores, Vectors       []float32
	Levels, ClusterCounts []int32
}

// CopyProposals copies a set.
func CopyProposals(proposals *Proposals) (ProposalArrays, *Error) {
	var raw C.simdetr_error_t
	var view C.simdetr_proposals_view_t
	view.struct_size = C.sizeof_simdetr_proposals_view_t
	if status := C.simdetr_proposals_view(proposals, &view, &raw); status != 0 {
		return ProposalArrays{}, failed(status, &raw)
	}
	count, dimensions := int(view.count), int(view.dimensions)
	return ProposalArrays{
		Dimensions:    dimensions,
		Boxes:         copied[[4]float32](unsafe.Pointer(view.boxes), count),
		Scores:        copied[float32](unsafe.Pointer(view.scores), count),
		Vectors:       copied[float32](unsafe.Pointer(view.vectors), count*dimensions),
		Levels:        copied[int32](unsafe.Pointer(view.levels), count),
		ClusterCounts: copied[int32](unsafe.Pointer(view.cluster_counts), count),
	}, nil
}

func copied[T any](source unsafe.Pointer, count int) []T {
	if count == 0 {
		return nil
	}
	return append([]T(nil), unsafe.Slice((*T)(source), count)...)
}

// ExtractImage finds the proposals of pixels.
func ExtractImage(extractor *Extractor, pixels []byte, width, height, stride int, format int32, id uint32,
	token *Token, proposals *Proposals) *Error {
	var raw C.simdetr_error_t
	status := C.go_extract_image(extractor, (*C.uint8_t)(unsafe.SliceData(pixels)), C.uint32_t(width),
		C.uint32_t(height), C.int64_t(stride), C.int32_t(format), C.uint32_t(id), token, proposals, &raw)
	return failed(status, &raw)
}

// ExtractEncoded finds the proposals of an encoded image.
func ExtractEncoded(extractor *Extractor, data []byte, id uint32, token *Token, proposals *Proposals) *Error {
	var raw C.simdetr_error_t
	status := C.go_extract_encoded(extractor, (*C.uint8_t)(unsafe.SliceData(data)), C.size_t(len(data)),
		C.uint32_t(id), token, proposals, &raw)
	return failed(status, &raw)
}

// FolderReport says what ExtractFolder did; the last three count images that were left out.
type FolderReport struct {
	Images, Resumed, Broken, Proposals  uint64
	Hidden, UnreadableName, Unsupported uint64
}

// ProgressFunc hears how far a call has come; a negative answer stops it.
type ProgressFunc func(step string, done, total uint64) int32

// ExtractFolder extracts a folder into a store.
func ExtractFolder(extractor *Extractor, images, store string, strict bool, token *Token,
	progress ProgressFunc) (FolderReport, *Error) {
	var raw C.simdetr_error_t
	var report C.simdetr_folder_report_t
	from, to := C.CString(images), C.CString(store)
	defer C.free(unsafe.Pointer(from))
	defer C.free(unsafe.Pointer(to))
	handle, release := progressHandle(progress)
	defer release()
	var flag C.int32_t
	if strict {
		flag = 1
	}
	status := C.go_extract_folder(extractor, from, to, flag, token, handle, &report, &raw)
	return FolderReport{uint64(report.images_count), uint64(report.images_resumed),
		uint64(report.images_broken), uint64(report.proposals_count), uint64(report.files_hidden),
		uint64(report.files_unreadable_name), uint64(report.files_unsupported_format)}, failed(status, &raw)
}

func progressHandle(progress ProgressFunc) (C.uintptr_t, func()) {
	if progress == nil {
		return 0, func() {}
	}
	handle := cgo.NewHandle(progress)
	return C.uintptr_t(handle), handle.Delete
}

// OpenStore opens a store for reading.
func OpenStore(path string) (*Store, *Error) {
	var raw C.simdetr_error_t
	var store *Store
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	return store, failed(C.simdetr_proposal_store_open(text, &store, &raw), &raw)
}

// DestroyStore ends a store handle.
func DestroyStore(store *Store) { C.simdetr_proposal_store_destroy(store) }

// StoreCounts answers how many images and proposals a store holds.
func StoreCounts(store *Store) (images, proposals uint64, err *Error) {
	var raw C.simdetr_error_t
	var counts C.simdetr_proposal_store_counts_t
	counts.struct_size = C.sizeof_simdetr_proposal_store_counts_t
	status := C.simdetr_proposal_store_counts(store, &counts, &raw)
	return uint64(counts.images_count), uint64(counts.proposals_count), failed(status, &raw)
}

// ReadStore reads one image's proposals, and says where it lies.
func ReadStore(store *Store, index uint64, proposals *Proposals) (path string, width, height uint32, err *Error) {
	var raw C.simdetr_error_t
	var image C.simdetr_stored_image_t
	image.struct_size = C.sizeof_simdetr_stored_image_t
	if status := C.simdetr_proposal_store_read(store, C.uint64_t(index), &image, proposals, &raw); status != 0 {
		return "", 0, 0, failed(status, &raw)
	}
	var length C.size_t
	if status := C.simdetr_proposal_store_image_path(store, C.uint64_t(index), nil, 0, &length, &raw); status != 0 {
		return "", 0, 0, failed(status, &raw)
	}
	text := make([]byte, int(length))
	status := C.simdetr_proposal_store_image_path(store, C.uint64_t(index), (*C.char)(unsafe.Pointer(&text[0])),
		length, &length, &raw)
	return string(text[:len(text)-1]), uint32(image.width), uint32(image.height), failed(status, &raw)
}

// NewClusterer makes a clusterer.
func NewClusterer(classes uint32, seed uint64, threads uint32) (*Clusterer, *Error) {
	var raw C.simdetr_error_t
	var clusterer *Clusterer
	var options C.simdetr_clusterer_options_t
	C.simdetr_clusterer_options_init(&options, C.sizeof_simdetr_clusterer_options_t)
	options.classes = C.uint32_t(classes)
	options.seed = C.uint64_t(seed)
	options.threads = C.uint32_t(threads)
	return clusterer, failed(C.simdetr_clusterer_create(&options, &clusterer, &raw), &raw)
}

// DestroyClusterer ends a clusterer.
func DestroyClusterer(clusterer *Clusterer) { C.simdetr_clusterer_destroy(clusterer) }

// FitStore fits the centroids on a store.
func FitStore(clusterer *Clusterer, store *Store, token *Token, progress ProgressFunc) *Error {
	var raw C.simdetr_error_t
	handle, release := progressHandle(progress)
	defer release()
	return failed(C.go_fit_store(clusterer, store, token, handle, &raw), &raw)
}

// FitVectors fits the centroids on rows of a slice.
func FitVectors(clusterer *Clusterer, vectors []float32, dimensions int, token *Token) *Error {
	var raw C.simdetr_error_t
	run := C.go_run(token, 0)
	status := C.simdetr_clusterer_fit_f32(clusterer, (*C.float)(unsafe.SliceData(vectors)),
		C.size_t(len(vectors)/dimensions), C.size_t(dimensions), &run, nil, &raw)
	return failed(status, &raw)
}

// AssignVectors answers the class of each row.
func AssignVectors(clusterer *Clusterer, vectors []float32, dimensions int, token *Token) ([]uint32, *Error) {
	var raw C.simdetr_error_t
	run := C.go_run(token, 0)
	labels := make([]uint32, len(vectors)/dimensions)
	status := C.simdetr_clusterer_assign_f32(clusterer, (*C.float)(unsafe.SliceData(vectors)),
		C.size_t(len(labels)), C.size_t(dimensions), (*C.uint32_t)(unsafe.SliceData(labels)), &run, &raw)
	return labels, failed(status, &raw)
}

// ExportCOCO writes T_0.
func ExportCOCO(store *Store, clusterer *Clusterer, path string, token *Token) *Error {
	var raw C.simdetr_error_t
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	return failed(C.go_export(store, clusterer, text, token, &raw), &raw)
}

// Overlay writes a picture of one image with its boxes.
func Overlay(store *Store, index uint64, images string, clusterer *Clusterer, path string) *Error {
	var raw C.simdetr_error_t
	folder, text := C.CString(images), C.CString(path)
	defer C.free(unsafe.Pointer(folder))
	defer C.free(unsafe.Pointer(text))
	return failed(C.simdetr_proposal_store_overlay(store, C.uint64_t(index), folder, clusterer, text, &raw), &raw)
}

// NewEvaluator makes an evaluator.
func NewEvaluator(classAgnostic bool) (*Evaluator, *Error) {
	var raw C.simdetr_error_t
	var evaluator *Evaluator
	var options C.simdetr_evaluator_options_t
	C.simdetr_evaluator_options_init(&options, C.sizeof_simdetr_evaluator_options_t)
	if classAgnostic {
		options.class_agnostic = 1
	}
	return evaluator, failed(C.simdetr_evaluator_create(&options, &evaluator, &raw), &raw)
}

// DestroyEvaluator ends an evaluator.
func DestroyEvaluator(evaluator *Evaluator) { C.simdetr_evaluator_destroy(evaluator) }

// Figures are average precisions and recalls in [0, 1], -1 where there is nothing to measure.
type Figures struct {
	AveragePrecision, AveragePrecision50, AveragePrecision75 float64
	AverageRecall                                            [8]float64
}

// EvaluateFiles scores a file of detections against a data set.
func EvaluateFiles(evaluator *Evaluator, truth, detections string, token *Token) (Figures, *Error) {
	var raw C.simdetr_error_t
	var found C.simdetr_evaluation_t
	first, second := C.CString(truth), C.CString(detections)
	defer C.free(unsafe.Pointer(first))
	defer C.free(unsafe.Pointer(second))
	status := C.go_evaluate_files(evaluator, first, second, token, &found, &raw)
	return figuresOf(&found), failed(status, &raw)
}

func figuresOf(found *C.simdetr_evaluation_t) Figures {
	figures := Figures{
		AveragePrecision:   float64(found.average_precision),
		AveragePrecision50: float64(found.average_precision_50),
		AveragePrecision75: float64(found.average_precision_75),
	}
	for index := range figures.AverageRecall {
		figures.AverageRecall[index] = float64(found.average_recall[index])
	}
	return figures
}
