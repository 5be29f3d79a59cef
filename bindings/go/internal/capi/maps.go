package capi

/*
#include "run.h"

// Structs that point to Go memory are made here.
static simdetr_status_t go_encode_image(const simdetr_encoder_t *encoder, const uint8_t *pixels,
                                        uint32_t width, uint32_t height, int64_t stride,
                                        int32_t format, const simdetr_encode_options_t *options,
                                        const simdetr_cancel_token_t *token,
                                        simdetr_feature_maps_t *maps, simdetr_error_t *error) {
  simdetr_run_options_t run = go_run(token, 0);
  simdetr_image_t image;
  simdetr_image_init(&image, sizeof image);
  image.data = pixels;
  image.width = width;
  image.height = height;
  image.row_stride_bytes = stride;
  image.pixel_format = format;
  return simdetr_encoder_encode_image(encoder, &image, options, &run, maps, error);
}
*/
import "C"

import "unsafe"

// FeatureMaps is the set that an encoder fills.
type FeatureMaps = C.simdetr_feature_maps_t

// EncodeOptions say how an image is resized and with how many threads; zero is the default.
type EncodeOptions struct {
	ImageShortSide, ImageLongSideMax, SideMultiple, Threads uint32
}

// FeatureMap is a copy of one map: Values[(y*Width+x)*Channels+channel].
type FeatureMap struct {
	Name   string
	Values []float32
	// Stride is the nominal pixels of the resized image for each cell.
	Height, Width, Channels, Stride int
}

// NewFeatureMaps makes an empty set.
func NewFeatureMaps() (*FeatureMaps, *Error) {
	var raw C.simdetr_error_t
	var maps *FeatureMaps
	return maps, failed(C.simdetr_feature_maps_create(&maps, &raw), &raw)
}

// DestroyFeatureMaps ends a set.
func DestroyFeatureMaps(maps *FeatureMaps) { C.simdetr_feature_maps_destroy(maps) }

// EncodeImage fills the maps of pixels.
func EncodeImage(encoder *Encoder, pixels []byte, width, height, stride int, format int32, options EncodeOptions,
	token *Token, maps *FeatureMaps) *Error {
	var raw C.simdetr_error_t
	var fields C.simdetr_encode_options_t
	C.simdetr_encode_options_init(&fields, C.sizeof_simdetr_encode_options_t)
	fields.image_short_side = C.uint32_t(options.ImageShortSide)
	fields.image_long_side_max = C.uint32_t(options.ImageLongSideMax)
	fields.side_multiple = C.uint32_t(options.SideMultiple)
	fields.threads = C.uint32_t(options.Threads)
	status := C.go_encode_image(encoder, (*C.uint8_t)(unsafe.SliceData(pixels)), C.uint32_t(width),
		C.uint32_t(height), C.int64_t(stride), C.int32_t(format), &fields, token, maps, &raw)
	return failed(status, &raw)
}

// CopyFeatureMaps copies every map of a set.
func CopyFeatureMaps(maps *FeatureMaps) ([]FeatureMap, *Error) {
	var raw C.simdetr_error_t
	var count C.size_t
	if status := C.simdetr_feature_maps_view(maps, nil, 0, &count, &raw); status != 0 {
		return nil, failed(status, &raw)
	}
	views := make([]C.simdetr_feature_map_t, count)
	status := C.simdetr_feature_maps_view(maps, unsafe.SliceData(views), count, &count, &raw)
	if status != 0 {
		return nil, failed(status, &raw)
	}
	found := make([]FeatureMap, len(views))
	for index, view := range views {
		height, width, channels := int(view.height), int(view.width), int(view.channels)
		found[index] = FeatureMap{
			Name:   C.GoString(&view.name[0]),
			Values: copied[float32](unsafe.Pointer(view.values), height*width*channels),
			Height: height, Width: width, Channels: channels, Stride: int(view.stride),
		}
	}
	return found, nil
}

// ExtractFeatureMaps finds the proposals of the image that the maps belong to.
func ExtractFeatureMaps(extractor *Extractor, maps *FeatureMaps, id uint32, proposals *Proposals) *Error {
	var raw C.simdetr_error_t
	status := C.simdetr_extractor_extract_feature_maps(extractor, maps, C.uint32_t(id), nil, proposals, &raw)
	return failed(status, &raw)
}
