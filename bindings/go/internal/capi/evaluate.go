package capi

/*
#include "run.h"

static simdetr_status_t go_evaluate_arrays(const simdetr_evaluator_t *evaluator,
                                           const int64_t *object_images, const int64_t *object_categories,
                                           const float *object_boxes, const double *areas,
                                           const uint8_t *crowds, size_t objects,
                                           const int64_t *images, const int64_t *categories,
                                           const float *boxes, const float *scores, size_t detections,
                                           const simdetr_cancel_token_t *token,
                                           simdetr_evaluation_t *figures, simdetr_error_t *error) {
  simdetr_run_options_t run = go_run(token, 0);
  figures->struct_size = sizeof *figures;
  return simdetr_evaluator_evaluate_f32(evaluator, object_images, object_categories, object_boxes, areas,
                                        crowds, objects, images, categories, boxes, scores, detections, &run,
                                        figures, error);
}
*/
import "C"

import "unsafe"

// BoxArrays are boxes of several images.
type BoxArrays struct {
	// ImageIDs has one number for each box; any numbers will do.
	ImageIDs []int64
	// CategoryIDs has one number for each box; none puts all into one category.
	CategoryIDs []int64
	// Boxes are left, top, right, bottom in pixels.
	Boxes [][4]float32
}

// ObjectTraits are what else is known of true boxes; none is fine.
type ObjectTraits struct {
	// Areas are square pixels of the objects in place of those of their boxes.
	Areas []float64
	// Crowds says which boxes hold a crowd.
	Crowds []bool
}

// given is NULL for an empty slice, which Go gives an address as well.
func given[T, P any](values []T) *P {
	if len(values) == 0 {
		return nil
	}
	return (*P)(unsafe.Pointer(unsafe.SliceData(values)))
}

// EvaluateArrays scores detections against objects; the slices of each side have one length.
func EvaluateArrays(evaluator *Evaluator, objects *BoxArrays, traits *ObjectTraits, detections *BoxArrays,
	scores []float32, token *Token) (Figures, *Error) {
	var raw C.simdetr_error_t
	var found C.simdetr_evaluation_t
	crowds := make([]uint8, len(traits.Crowds))
	for index, crowd := range traits.Crowds {
		if crowd {
			crowds[index] = 1
		}
	}
	status := C.go_evaluate_arrays(evaluator, given[int64, C.int64_t](objects.ImageIDs),
		given[int64, C.int64_t](objects.CategoryIDs), given[[4]float32, C.float](objects.Boxes),
		given[float64, C.double](traits.Areas), given[uint8, C.uint8_t](crowds),
		C.size_t(len(objects.ImageIDs)), given[int64, C.int64_t](detections.ImageIDs),
		given[int64, C.int64_t](detections.CategoryIDs), given[[4]float32, C.float](detections.Boxes),
		given[float32, C.float](scores), C.size_t(len(detections.ImageIDs)), token, &found, &raw)
	return figuresOf(&found), failed(status, &raw)
}
