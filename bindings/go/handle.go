// SPDX-License-Identifier: Apache-2.0

package brig

// #include <stdlib.h>
// #include <brig.h>
import "C"

import (
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"sync"
	"unsafe"
)

// handle is a reference to an object of the library. Each call holds it with use and done, so that neither Close in
// another goroutine nor the garbage collector takes the object away from under it.
type handle struct {
	mutex  sync.Mutex
	object unsafe.Pointer
	unref  func(unsafe.Pointer)
	users  int
	closed bool
}

func newHandle(object unsafe.Pointer, unref func(unsafe.Pointer)) *handle {
	h := &handle{object: object, unref: unref}
	runtime.SetFinalizer(h, (*handle).close)
	return h
}

func (h *handle) use() (unsafe.Pointer, error) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.closed {
		return nil, &Error{Status: ErrState, Message: "it has been closed"}
	}
	h.users++
	return h.object, nil
}

func (h *handle) done() {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.users--
	h.release()
}

// close gives the reference back once no call uses it any more.
func (h *handle) close() {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.closed = true
	h.release()
}

func (h *handle) release() {
	if h.closed && h.users == 0 && h.object != nil {
		h.unref(h.object)
		h.object = nil
		runtime.SetFinalizer(h, nil)
	}
}

// memory is what C gets to see for the time of a call: none of it is Go's.
type memory []unsafe.Pointer

func (m *memory) free() {
	for _, it := range *m {
		C.free(it)
	}
}

// text is a string for C, or NULL for an empty one.
func (m *memory) text(text string) (*C.char, error) {
	if text == "" {
		return nil, nil
	}
	return m.id(text)
}

// id is a string for C, also if it is empty.
func (m *memory) id(text string) (*C.char, error) {
	if strings.IndexByte(text, 0) >= 0 {
		return nil, &Error{Status: ErrInvalid, Message: "a NUL in " + text[:strings.IndexByte(text, 0)]}
	}
	copied := C.CString(text)
	*m = append(*m, unsafe.Pointer(copied))
	return copied, nil
}

// json is the value as JSON: text as it is, everything else marshalled. NULL for nil.
func (m *memory) json(value any) (*C.char, error) {
	switch value := value.(type) {
	case nil:
		return nil, nil
	case string:
		return m.text(value)
	case []byte:
		return m.text(string(value))
	}
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return m.text(string(data))
}

// files is an array of descriptors, -1 for nil.
func (m *memory) files(files []*os.File) *C.int {
	if len(files) == 0 {
		return nil
	}
	array := C.malloc(C.size_t(len(files)) * C.size_t(unsafe.Sizeof(C.int(0))))
	*m = append(*m, array)
	numbers := unsafe.Slice((*C.int)(array), len(files))
	for at, file := range files {
		numbers[at] = -1
		if file != nil {
			numbers[at] = C.int(file.Fd())
		}
	}
	return (*C.int)(array)
}

// texts is an array of strings; NULL for none.
func (m *memory) texts(texts []string) (**C.char, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	array := C.malloc(C.size_t(len(texts)) * C.size_t(unsafe.Sizeof(uintptr(0))))
	*m = append(*m, array)
	slots := unsafe.Slice((**C.char)(array), len(texts))
	for at, text := range texts {
		copied, err := m.id(text)
		if err != nil {
			return nil, err
		}
		slots[at] = copied
	}
	return (**C.char)(array), nil
}

// taken is a string that the library has stored for us.
func taken(text *C.char) string {
	defer C.brig_string_free(text)
	return C.GoString(text)
}
