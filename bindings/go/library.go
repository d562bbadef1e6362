// SPDX-License-Identifier: Apache-2.0

package brig

// #include <stdlib.h>
// #include <brig.h>
import "C"

import (
	"encoding/json"
	"os"
)

// LogLevel is how much is logged.
type LogLevel uint32

// How much is logged.
const (
	LogError   LogLevel = C.BRIG_LOG_ERROR
	LogWarning LogLevel = C.BRIG_LOG_WARNING
	LogInfo    LogLevel = C.BRIG_LOG_INFO
	LogDebug   LogLevel = C.BRIG_LOG_DEBUG
)

// Version is that of the library, such as "0.1.0".
func Version() string { return C.GoString(C.brig_version()) }

// VersionNumber is the same as one number: major × 1,000,000 + minor × 1,000 + patch.
func VersionNumber() int { return int(C.brig_version_number()) }

// Features is what this build on this kernel can do: the OCI features structure.
func Features() (map[string]any, error) {
	var text *C.char
	var failed *C.brig_error
	if err := failure(C.brig_features(&text, &failed), failed); err != nil {
		return nil, err
	}
	var features map[string]any
	err := json.Unmarshal([]byte(taken(text)), &features)
	return features, err
}

// DefaultSpec is a config.json to start from: a shell in the directory rootfs; rootless, for an ordinary user.
func DefaultSpec(rootless bool) (map[string]any, error) {
	var text *C.char
	var failed *C.brig_error
	if err := failure(C.brig_spec_default(flag(rootless, C.BRIG_SPEC_ROOTLESS), &text, &failed), failed); err != nil {
		return nil, err
	}
	var spec map[string]any
	err := json.Unmarshal([]byte(taken(text)), &spec)
	return spec, err
}

// Mistake is something that is wrong with a config.json.
type Mistake struct {
	// Pointer is the field, as a JSON pointer.
	Pointer string `json:"pointer"`
	// Message says what is there, and what may be there.
	Message string `json:"message"`
	// Status is the kind, ErrConfig.
	Status Status `json:"status"`
}

// Validate tells all that is wrong with a config.json: a struct, a map, or its JSON as text.
func Validate(spec any) ([]Mistake, error) {
	var m memory
	defer m.free()
	given, err := m.json(spec)
	if err != nil {
		return nil, err
	}
	var text *C.char
	var failed *C.brig_error
	if err := failure(C.brig_spec_validate(given, &text, &failed), failed); err != nil {
		return nil, err
	}
	var mistakes []Mistake
	err = json.Unmarshal([]byte(taken(text)), &mistakes)
	return mistakes, err
}

// LogTo sends the library's log to a file, as text or as JSON; nil turns it off.
func LogTo(file *os.File, level LogLevel, asJSON bool) error {
	fd, format := C.int(-1), C.uint32_t(C.BRIG_LOG_TEXT)
	if file != nil {
		fd = C.int(file.Fd())
	}
	if asJSON {
		format = C.BRIG_LOG_JSON
	}
	var failed *C.brig_error
	return failure(C.brig_log_to_fd(fd, C.uint32_t(level), format, &failed), failed)
}
