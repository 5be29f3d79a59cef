package capi

/*
#include "simdetr.h"
*/
import "C"

import (
	"runtime/cgo"
	"unsafe"
)

// panicked is what a callback answers when the Go function panicked: a panic must not unwind
// through C.
const panicked = -1000002

//export simdetrGoEncode
func simdetrGoEncode(data unsafe.Pointer, image *C.simdetr_image_t, maps *C.simdetr_map_t, count C.size_t) (status C.int32_t) {
	defer func() {
		if recover() != nil {
			status = panicked
		}
	}()
	encode := cgo.Handle(uintptr(data)).Value().(EncodeFunc)
	pixels := unsafe.Slice((*byte)(unsafe.Pointer(image.data)), int(image.width)*int(image.height)*3)
	views := make([]Map, int(count))
	for index, raw := range unsafe.Slice(maps, int(count)) {
		height, width, channels := int(raw.height), int(raw.width), int(raw.channels)
		values := unsafe.Slice((*float32)(unsafe.Pointer(raw.values)), height*width*channels)
		views[index] = Map{values, height, width, channels}
	}
	return C.int32_t(encode(pixels, int(image.width), int(image.height), views))
}

//export simdetrGoRelease
func simdetrGoRelease(data unsafe.Pointer) { cgo.Handle(uintptr(data)).Delete() }

//export simdetrGoProgress
func simdetrGoProgress(data unsafe.Pointer, step *C.char, done, total C.uint64_t) (status C.int32_t) {
	defer func() {
		if recover() != nil {
			status = panicked
		}
	}()
	progress := cgo.Handle(uintptr(data)).Value().(ProgressFunc)
	return C.int32_t(progress(C.GoString(step), uint64(done), uint64(total)))
}
