// SPDX-License-Identifier: Apache-2.0

package brig

// #include <brig.h>
import "C"

import (
	"context"
	"encoding/json"
	"syscall"
	"unsafe"
)

// MonitorFlags is what a monitor tells of. 0 is all but memory pressure.
type MonitorFlags uint64

// What a monitor can tell of.
const (
	// MonitorState : changes of the state.
	MonitorState MonitorFlags = C.BRIG_MONITOR_STATE
	// MonitorExit : the end of init, and how it ended.
	MonitorExit MonitorFlags = C.BRIG_MONITOR_EXIT
	// MonitorOOM : it ran out of memory, and processes were killed for that.
	MonitorOOM MonitorFlags = C.BRIG_MONITOR_OOM
	// MonitorMemoryPressure : its processes wait for memory.
	MonitorMemoryPressure MonitorFlags = C.BRIG_MONITOR_MEMORY_PRESSURE
)

// Event is something that happened to a container. docs/events.md has examples.
type Event struct {
	// Type is state, exit, oom, oom_kill, memory-pressure or error; later versions may add more.
	Type string `json:"type"`
	// ID is the container.
	ID string `json:"id"`
	// Pid is that of init, or 0.
	Pid int `json:"pid"`
	// Code and Signal are of an exit, and nil if they cannot be known.
	Code   *int `json:"code"`
	Signal *int `json:"signal"`
	// Count is of oom and oom_kill.
	Count uint64 `json:"count"`
	// Level is of memory-pressure.
	Level string `json:"level"`
	// Message is of an error.
	Message string `json:"message"`
	// Status is the status that it has now, of an event of type state.
	Status string `json:"-"`
	// Raw is all of it.
	Raw json.RawMessage `json:"-"`
}

// Monitor watches containers.
type Monitor struct {
	handle *handle
}

func newMonitor(monitor *C.brig_monitor) *Monitor {
	unref := func(object unsafe.Pointer) { C.brig_monitor_unref((*C.brig_monitor)(object)) }
	return &Monitor{newHandle(unsafe.Pointer(monitor), unref)}
}

// Next is the next event. It waits for one, with no thread.
func (m *Monitor) Next(ctx context.Context) (*Event, error) {
	object, err := m.handle.use()
	if err != nil {
		return nil, err
	}
	defer m.handle.done()
	monitor := (*C.brig_monitor)(object)
	var failed *C.brig_error
	fd := C.int(-1)
	if err := failure(C.brig_monitor_fd(monitor, &fd, &failed), failed); err != nil {
		return nil, err
	}
	defer syscall.Close(int(fd))
	var event *C.char
	var broken error
	err = until(ctx, int(fd), func() bool {
		var failed *C.brig_error
		broken = failure(C.brig_monitor_next(monitor, &event, &failed), failed)
		return broken != nil || event != nil
	})
	if err == nil {
		err = broken
	}
	if err != nil {
		return nil, err
	}
	return parseEvent(taken(event))
}

func parseEvent(text string) (*Event, error) {
	event := &Event{Raw: json.RawMessage(text)}
	if err := json.Unmarshal(event.Raw, event); err != nil {
		return nil, err
	}
	// An error has a number there.
	var state struct {
		Status any `json:"status"`
	}
	if err := json.Unmarshal(event.Raw, &state); err != nil {
		return nil, err
	}
	event.Status, _ = state.Status.(string)
	return event, nil
}

// Close ends the watching. The garbage collector does it too.
func (m *Monitor) Close() error {
	m.handle.close()
	return nil
}
