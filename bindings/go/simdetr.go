// Package simdetr finds objects in unlabelled images: proposals for each image, pseudo-classes for
// the whole set, a COCO data set of both, and a detector that is trained on it.
//
// Handles have a Close method, which must be called; closing twice is fine. Calls that may take long
// take a context.Context and stop soon after it is done; the error then wraps context.Cause. A cgo
// call occupies an operating-system thread, so bound the number of long calls that run at once.
package simdetr

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/libsimdetr/libsimdetr/bindings/go/internal/capi"
)

func init() {
	if library, header := capi.ABIVersion(); library != header {
		panic(fmt.Sprintf("simdetr: built for ABI %d, but the library has ABI %d", header, library))
	}
}

// Version is the version of the library that runs.
func Version() string { return capi.VersionString() }

// Status is a number of simdetr.h: 0 is success, negative numbers came from a callback.
type Status int32

// The statuses that programs ask for most; compare with errors.Is.
const (
	ErrInvalidArgument Status = 1
	ErrNullPointer     Status = 2
	ErrConfigValue     Status = 6
	ErrNotCompiled     Status = 8
	ErrShape           Status = 100
	ErrTooFewPoints    Status = 107
	ErrIO              Status = 400
	ErrImageDecode     Status = 401
	ErrImageTooLarge   Status = 402
	ErrNoImages        Status = 403
	ErrRunMismatch     Status = 405
	ErrFormat          Status = 407
	ErrCancelled       Status = 900
	ErrPanic           Status = 902
	ErrPoisoned        Status = 903
)

// Error makes a Status an error, so that errors.Is(err, simdetr.ErrCancelled) works.
func (s Status) Error() string { return capi.StatusName(int32(s)) }

// Error is what the library answered.
type Error struct {
	Status  Status
	Message string
	cause   error
}

func (e *Error) Error() string { return fmt.Sprintf("simdetr: %s: %s", e.Status.Error(), e.Message) }

// Unwrap gives the status and, for a cancelled call, the context's cause.
func (e *Error) Unwrap() []error {
	if e.cause != nil {
		return []error{e.Status, e.cause}
	}
	return []error{e.Status}
}

// ErrClosed is answered by every method of a closed handle.
var ErrClosed = errors.New("simdetr: the handle is closed")

func convert(raw *capi.Error) error {
	if raw == nil {
		return nil
	}
	return &Error{Status: Status(raw.Status), Message: raw.Message}
}

// handle guards a C pointer: methods hold it open while they run, Close waits for them.
type handle[P comparable] struct {
	mutex   sync.RWMutex
	raw     P
	destroy func(P)
}

func newHandle[P comparable](raw P, destroy func(P)) *handle[P] {
	h := &handle[P]{raw: raw, destroy: destroy}
	// A net for forgotten handles; Close is the contract.
	runtime.SetFinalizer(h, func(h *handle[P]) { h.close() })
	return h
}

func (h *handle[P]) close() {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	var closed P
	if h.raw != closed {
		h.destroy(h.raw)
		h.raw = closed
	}
}

func (h *handle[P]) use(work func(P) error) error {
	if h == nil {
		return ErrClosed
	}
	h.mutex.RLock()
	defer h.mutex.RUnlock()
	var closed P
	if h.raw == closed {
		return ErrClosed
	}
	defer runtime.KeepAlive(h)
	return work(h.raw)
}

// withToken runs a call under a token that the context sets; the token ends only after the
// context's function has.
func withToken(ctx context.Context, call func(*capi.Token) *capi.Error) error {
	if err := ctx.Err(); err != nil {
		return &Error{Status: ErrCancelled, Message: "cancelled before the call", cause: context.Cause(ctx)}
	}
	token, raw := capi.NewToken()
	if raw != nil {
		return convert(raw)
	}
	defer capi.DestroyToken(token)
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		capi.CancelToken(token)
	})
	raw = call(token)
	if !stop() {
		<-ended
	}
	err := convert(raw)
	var failure *Error
	if errors.As(err, &failure) && failure.Status == ErrCancelled {
		failure.cause = context.Cause(ctx)
	}
	return err
}
