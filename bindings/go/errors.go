// SPDX-License-Identifier: Apache-2.0

package brig

// #cgo pkg-config: brig
// #include <brig.h>
import "C"

import (
	"context"
	"errors"
	"syscall"
)

// Status is the kind of a failure. Each is an error, to compare with: errors.Is(err, brig.ErrNotFound).
type Status int

// The kinds of failures. Later versions of the library add more.
const (
	// ErrFailed : the operating system refused; errors.Is(err, syscall.EPERM) and the like say why.
	ErrFailed Status = C.BRIG_ERR_FAILED
	// ErrInvalid : an argument is wrong.
	ErrInvalid Status = C.BRIG_ERR_INVALID
	// ErrNotFound : no such container or process.
	ErrNotFound Status = C.BRIG_ERR_NOT_FOUND
	// ErrExists : the id is taken.
	ErrExists Status = C.BRIG_ERR_EXISTS
	// ErrState : not in this state of the container, or the object was closed.
	ErrState Status = C.BRIG_ERR_STATE
	// ErrUnsupported : this kernel, or this build, cannot do it.
	ErrUnsupported Status = C.BRIG_ERR_UNSUPPORTED
	// ErrCanceled : the context was done; errors.Is(err, context.DeadlineExceeded) tells which way.
	ErrCanceled Status = C.BRIG_ERR_CANCELED
	// ErrForked : the object was made before fork(2) and is the parent's.
	ErrForked Status = C.BRIG_ERR_FORKED
	// ErrBug : a defect of brig; please report it.
	ErrBug Status = C.BRIG_ERR_BUG
	// ErrConfig : config.json, or the bundle around it, is wrong; see Error.Pointer.
	ErrConfig Status = C.BRIG_ERR_CONFIG
	// ErrProgram : the container's program is missing or cannot be executed.
	ErrProgram Status = C.BRIG_ERR_PROGRAM
	// ErrHook : a hook failed.
	ErrHook Status = C.BRIG_ERR_HOOK
)

var names = map[Status]string{
	ErrFailed:      "failed",
	ErrInvalid:     "invalid argument",
	ErrNotFound:    "not found",
	ErrExists:      "exists already",
	ErrState:       "wrong state",
	ErrUnsupported: "unsupported",
	ErrCanceled:    "canceled",
	ErrForked:      "made before fork",
	ErrBug:         "a defect of brig",
	ErrConfig:      "wrong configuration",
	ErrProgram:     "no such program",
	ErrHook:        "a hook failed",
}

// Error is the kind in words.
func (s Status) Error() string {
	if name, ok := names[s]; ok {
		return name
	}
	return names[ErrFailed]
}

// Error is what a call that failed returns. Take it with errors.As, or ask errors.Is for its kind, for the errno at
// the root, or for the error of the context that ended it.
type Error struct {
	// Status is the kind.
	Status Status
	// Errno is the errno(3) at the root, or 0.
	Errno syscall.Errno
	// Pointer is the field of config.json that is wrong, as a JSON pointer such as /process/args/0, or "".
	Pointer string
	// Message is one line of text, causes joined by ": ".
	Message string

	context error
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Is says whether it is of this kind.
func (e *Error) Is(target error) bool {
	status, ok := target.(Status)
	return ok && status == e.Status
}

// Unwrap is the error of the context that ended the call, or the errno.
func (e *Error) Unwrap() error {
	switch {
	case e.context != nil:
		return e.context
	case e.Errno != 0:
		return e.Errno
	}
	return nil
}

// failure makes an error of what a call answered, and frees the library's.
func failure(status C.brig_status, err *C.brig_error) error {
	if status == C.BRIG_OK {
		return nil
	}
	defer C.brig_error_free(err)
	found := &Error{
		Status:  Status(status),
		Errno:   syscall.Errno(C.brig_error_errno(err)),
		Message: C.GoString(C.brig_error_message(err)),
	}
	if pointer := C.brig_error_pointer(err); pointer != nil {
		found.Pointer = C.GoString(pointer)
	}
	return found
}

// because adds the context's error to one that says "canceled".
func because(ctx context.Context, err error) error {
	var found *Error
	if errors.As(err, &found) && found.Status == ErrCanceled {
		found.context = ctx.Err()
	}
	return err
}

func canceled(ctx context.Context) error {
	return &Error{Status: ErrCanceled, Message: ctx.Err().Error(), context: ctx.Err()}
}
