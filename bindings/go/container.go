// SPDX-License-Identifier: Apache-2.0

package brig

// #include <brig.h>
import "C"

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// Container is one container. It outlives every object for it, and this program.
type Container struct {
	// ID is what it is called.
	ID     string
	handle *handle
	stdio  *stdio
}

func newContainer(container *C.brig_container, id string, files *stdio) *Container {
	unref := func(object unsafe.Pointer) { C.brig_container_unref((*C.brig_container)(object)) }
	return &Container{id, newHandle(unsafe.Pointer(container), unref), files}
}

// State is the OCI state, and what brig adds.
type State struct {
	OCIVersion  string            `json:"ociVersion"`
	ID          string            `json:"id"`
	Status      string            `json:"status"`
	Pid         int               `json:"pid"`
	Bundle      string            `json:"bundle"`
	Annotations map[string]string `json:"annotations"`
	Created     time.Time         `json:"created"`
}

// Stats is what a container has used. The usual figures are fields; docs/events.md has what else is in Raw.
type Stats struct {
	CPU struct {
		// Usage.Total is in nanoseconds.
		Usage struct {
			Total uint64 `json:"total"`
		} `json:"usage"`
	} `json:"cpu"`
	Memory struct {
		// Usage is in bytes.
		Usage struct {
			Usage uint64 `json:"usage"`
			Limit uint64 `json:"limit"`
		} `json:"usage"`
	} `json:"memory"`
	Pids struct {
		Current uint64 `json:"current"`
		Limit   uint64 `json:"limit"`
	} `json:"pids"`
	// Raw is all of it.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the whole.
func (s *Stats) UnmarshalJSON(data []byte) error {
	type plain Stats
	s.Raw = append(s.Raw[:0], data...)
	return json.Unmarshal(data, (*plain)(s))
}

func (c *Container) call(do func(*C.brig_container, **C.brig_error) C.brig_status) error {
	object, err := c.handle.use()
	if err != nil {
		return err
	}
	defer c.handle.done()
	var failed *C.brig_error
	status := do((*C.brig_container)(object), &failed)
	return failure(status, failed)
}

func (c *Container) parsed(to any, do func(*C.brig_container, **C.char, **C.brig_error) C.brig_status) error {
	var text *C.char
	err := c.call(func(object *C.brig_container, failed **C.brig_error) C.brig_status { return do(object, &text, failed) })
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(taken(text)), to)
}

func (c *Container) file(do func(*C.brig_container, *C.int, **C.brig_error) C.brig_status) (int, error) {
	fd := C.int(-1)
	err := c.call(func(object *C.brig_container, failed **C.brig_error) C.brig_status { return do(object, &fd, failed) })
	return int(fd), err
}

// Start lets the init process run the program.
func (c *Container) Start() error {
	return c.call(func(object *C.brig_container, failed **C.brig_error) C.brig_status {
		return C.brig_container_start(object, failed)
	})
}

// State is the state that it is in.
func (c *Container) State() (*State, error) {
	state := &State{}
	err := c.parsed(state, func(object *C.brig_container, text **C.char, failed **C.brig_error) C.brig_status {
		return C.brig_container_state(object, text, failed)
	})
	return state, err
}

// Init is the init process.
func (c *Container) Init() (*Process, error) {
	var process *C.brig_process
	err := c.call(func(object *C.brig_container, failed **C.brig_error) C.brig_status {
		return C.brig_container_init(object, &process, failed)
	})
	if err != nil {
		return nil, err
	}
	return newProcess(process, c.stdio), nil
}

// Wait waits for the end of init, and until all that it wrote has come to the writers that Create was given.
func (c *Container) Wait(ctx context.Context) (Exit, error) {
	init, err := c.Init()
	if err != nil {
		return Exit{}, err
	}
	defer init.Close()
	return init.Wait(ctx)
}

// Signal sends a signal to init.
func (c *Container) Signal(signal syscall.Signal) error { return c.signal(signal, 0) }

// SignalAll sends a signal to all of its processes.
func (c *Container) SignalAll(signal syscall.Signal) error {
	return c.signal(signal, C.BRIG_SIGNAL_ALL)
}

func (c *Container) signal(signal syscall.Signal, flags C.uint64_t) error {
	return c.call(func(object *C.brig_container, failed **C.brig_error) C.brig_status {
		return C.brig_container_signal(object, C.int(signal), flags, failed)
	})
}

// Pause freezes all of its processes, and waits until they are.
func (c *Container) Pause() error {
	return c.call(func(object *C.brig_container, failed **C.brig_error) C.brig_status {
		return C.brig_container_pause(object, failed)
	})
}

// Resume lets them go on.
func (c *Container) Resume() error {
	return c.call(func(object *C.brig_container, failed **C.brig_error) C.brig_status {
		return C.brig_container_resume(object, failed)
	})
}

// Update changes limits. The resources are the OCI linux.resources object: a struct or a map, or its JSON as text. All
// or nothing.
func (c *Container) Update(resources any) error {
	var m memory
	defer m.free()
	text, err := m.json(resources)
	if err != nil {
		return err
	}
	return c.call(func(object *C.brig_container, failed **C.brig_error) C.brig_status {
		return C.brig_container_update(object, text, failed)
	})
}

// UpdateRdt changes limits, and what the container's class of service may use: the OCI linux.intelRdt object, in the same
// forms. All or nothing, of both.
func (c *Container) UpdateRdt(resources, intelRdt any) error {
	var m memory
	defer m.free()
	limits, err := m.json(resources)
	if err != nil {
		return err
	}
	class, err := m.json(intelRdt)
	if err != nil {
		return err
	}
	return c.call(func(object *C.brig_container, failed **C.brig_error) C.brig_status {
		return C.brig_container_update_rdt(object, limits, class, failed)
	})
}

// Stats is what it has used.
func (c *Container) Stats() (*Stats, error) {
	stats := &Stats{}
	err := c.parsed(stats, func(object *C.brig_container, text **C.char, failed **C.brig_error) C.brig_status {
		return C.brig_container_stats(object, text, failed)
	})
	return stats, err
}

// Processes are the pids of all processes in it.
func (c *Container) Processes() ([]int, error) {
	var pids []int
	err := c.parsed(&pids, func(object *C.brig_container, text **C.char, failed **C.brig_error) C.brig_status {
		return C.brig_container_processes(object, text, failed)
	})
	return pids, err
}

// Cgroup is the directory of its cgroup, opened with O_PATH; in the hierarchy of a controller, or the unified one for "".
func (c *Container) Cgroup(controller string) (*os.File, error) {
	var m memory
	defer m.free()
	name, err := m.text(controller)
	if err != nil {
		return nil, err
	}
	fd, err := c.file(func(object *C.brig_container, fd *C.int, failed **C.brig_error) C.brig_status {
		return C.brig_container_cgroup_fd(object, name, fd, failed)
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "cgroup"), nil
}

// Console is our side of its terminal. Only once; ErrNotFound afterwards, or if there is none.
func (c *Container) Console() (*Console, error) {
	fd, err := c.file(func(object *C.brig_container, fd *C.int, failed **C.brig_error) C.brig_status {
		return C.brig_container_console(object, fd, failed)
	})
	if err != nil {
		return nil, err
	}
	return newConsole(fd)
}

// SeccompFile is the listener of its seccomp filter. Only once, after Start.
func (c *Container) SeccompFile() (*os.File, error) {
	fd, err := c.file(func(object *C.brig_container, fd *C.int, failed **C.brig_error) C.brig_status {
		return C.brig_container_seccomp_fd(object, fd, failed)
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "seccomp"), nil
}

// Monitor watches it until it is deleted.
func (c *Container) Monitor(flags MonitorFlags) (*Monitor, error) {
	var monitor *C.brig_monitor
	err := c.call(func(object *C.brig_container, failed **C.brig_error) C.brig_status {
		return C.brig_container_monitor(object, C.uint64_t(flags), &monitor, failed)
	})
	if err != nil {
		return nil, err
	}
	return newMonitor(monitor), nil
}

// ProcessSpec is the process object of its config.json.
func (c *Container) ProcessSpec() (map[string]any, error) {
	var process map[string]any
	err := c.parsed(&process, func(object *C.brig_container, text **C.char, failed **C.brig_error) C.brig_status {
		return C.brig_container_process_spec(object, text, failed)
	})
	return process, err
}

// Delete removes a container that has stopped.
func (c *Container) Delete() error { return c.delete(0) }

// ForceDelete removes it whatever it does: it is killed before.
func (c *Container) ForceDelete() error { return c.delete(C.BRIG_DELETE_FORCE) }

func (c *Container) delete(flags C.uint64_t) error {
	return c.call(func(object *C.brig_container, failed **C.brig_error) C.brig_status {
		return C.brig_container_delete(object, flags, failed)
	})
}

// Output runs one more program to its end; what it wrote, and how it ended. If the context is done it is killed.
func (c *Container) Output(ctx context.Context, args ...string) ([]byte, Exit, error) {
	var output bytes.Buffer
	process, err := c.Exec(ctx, ExecOptions{Args: args, Stdout: &output})
	if err != nil {
		return nil, Exit{}, err
	}
	defer process.Close()
	end, err := process.Wait(ctx)
	if err != nil {
		_ = process.Signal(syscall.SIGKILL)
		_, _ = process.Wait(context.Background())
	}
	return output.Bytes(), end, err
}

// Close lets the object go; the container lives on. The garbage collector does it too.
func (c *Container) Close() error {
	c.handle.close()
	return nil
}
