// SPDX-License-Identifier: Apache-2.0

// Package brig runs OCI containers, through libbrig.
//
//	runtime, err := brig.Open("")
//	container, err := runtime.Create(ctx, "one", brig.CreateOptions{Bundle: "/path/to/bundle", Stdout: os.Stdout})
//	err = container.Start()
//	end, err := container.Wait(ctx)
//	err = container.Delete()
//
// Nothing is executed for that and no daemon asked. All objects may be shared by goroutines. Those that are not closed
// are let go by the garbage collector; that stops no container.
package brig

// #include <stdlib.h>
// #include <brig.h>
import "C"

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"runtime"
	"unsafe"
)

// Runtime is a state directory and the containers in it.
type Runtime struct {
	handle *handle
}

// Open opens a state directory; "" is /run/brig, or $XDG_RUNTIME_DIR/brig if not root.
func Open(root string) (*Runtime, error) {
	var m memory
	defer m.free()
	path, err := m.text(root)
	if err != nil {
		return nil, err
	}
	var opened *C.brig_runtime
	var failed *C.brig_error
	if err := failure(C.brig_runtime_open(path, &opened, &failed), failed); err != nil {
		return nil, err
	}
	unref := func(object unsafe.Pointer) { C.brig_runtime_unref((*C.brig_runtime)(object)) }
	return &Runtime{newHandle(unsafe.Pointer(opened), unref)}, nil
}

func (r *Runtime) call(do func(*C.brig_runtime, **C.brig_error) C.brig_status) error {
	object, err := r.handle.use()
	if err != nil {
		return err
	}
	defer r.handle.done()
	var failed *C.brig_error
	status := do((*C.brig_runtime)(object), &failed)
	return failure(status, failed)
}

func (r *Runtime) text(do func(*C.brig_runtime, **C.char, **C.brig_error) C.brig_status) (string, error) {
	var text *C.char
	err := r.call(func(object *C.brig_runtime, failed **C.brig_error) C.brig_status { return do(object, &text, failed) })
	if err != nil {
		return "", err
	}
	return taken(text), nil
}

// Root is the state directory, absolute.
func (r *Runtime) Root() (string, error) {
	return r.text(func(object *C.brig_runtime, text **C.char, failed **C.brig_error) C.brig_status {
		return C.brig_runtime_root(object, text, failed)
	})
}

// List is the state of every container, ordered by id.
func (r *Runtime) List() ([]State, error) {
	text, err := r.text(func(object *C.brig_runtime, text **C.char, failed **C.brig_error) C.brig_status {
		return C.brig_runtime_list(object, text, failed)
	})
	if err != nil {
		return nil, err
	}
	var states []State
	err = json.Unmarshal([]byte(text), &states)
	return states, err
}

// Usage is what one of many containers has used, or why that cannot be told.
type Usage struct {
	ID    string
	Stats *Stats
	Err   error
}

// Stats is what these containers have used, in this order; without ids, all that there are.
func (r *Runtime) Stats(ids ...string) ([]Usage, error) {
	var m memory
	defer m.free()
	array, err := m.texts(ids)
	if err != nil {
		return nil, err
	}
	text, err := r.text(func(object *C.brig_runtime, text **C.char, failed **C.brig_error) C.brig_status {
		return C.brig_runtime_stats(object, array, C.size_t(len(ids)), text, failed)
	})
	if err != nil {
		return nil, err
	}
	var found []struct {
		ID      string `json:"id"`
		Data    *Stats `json:"data"`
		Status  Status `json:"status"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return nil, err
	}
	usages := make([]Usage, len(found))
	for at, it := range found {
		usages[at] = Usage{ID: it.ID, Stats: it.Data}
		if it.Data == nil {
			usages[at].Err = &Error{Status: it.Status, Message: it.Message}
		}
	}
	return usages, nil
}

// Monitor watches these containers, or without ids all: also those that come later.
func (r *Runtime) Monitor(flags MonitorFlags, ids ...string) (*Monitor, error) {
	var m memory
	defer m.free()
	array, err := m.texts(ids)
	if err != nil {
		return nil, err
	}
	var monitor *C.brig_monitor
	err = r.call(func(object *C.brig_runtime, failed **C.brig_error) C.brig_status {
		return C.brig_runtime_monitor(object, array, C.size_t(len(ids)), C.uint64_t(flags), &monitor, failed)
	})
	if err != nil {
		return nil, err
	}
	return newMonitor(monitor), nil
}

// Open opens a container, whoever created it.
func (r *Runtime) Open(id string) (*Container, error) {
	var m memory
	defer m.free()
	name, err := m.id(id)
	if err != nil {
		return nil, err
	}
	var opened *C.brig_container
	err = r.call(func(object *C.brig_runtime, failed **C.brig_error) C.brig_status {
		return C.brig_container_open(object, name, &opened, failed)
	})
	if err != nil {
		return nil, err
	}
	return newContainer(opened, id, nil), nil
}

// CreateOptions is how to create a container.
type CreateOptions struct {
	// Bundle is a directory with a config.json.
	Bundle string
	// Spec is a config.json instead of the bundle's: a struct, a map, or its JSON as text.
	Spec any
	// Rootfs is the root filesystem instead of the spec's root.path, and RootfsFile the same as an open directory.
	Rootfs     string
	RootfsFile *os.File
	// Stdin, Stdout and Stderr are as in os/exec: nil is /dev/null, an *os.File is given as it is, and all others are
	// copied from and to. With process.terminal the terminal is used instead: see Container.Console.
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// ExtraFiles are 3, 4 and so on in the container.
	ExtraFiles []*os.File
	// Supervised : a small process stays with the container, and records how it ended for whoever comes later.
	Supervised bool
	// NoPivot : do not use pivot_root(2). Less safe.
	NoPivot bool
	// NoNewKeyring : leave the container our session keyring.
	NoNewKeyring bool
	// SystemdCgroup : systemd makes the cgroup, as that of a scope.
	SystemdCgroup bool
	// SeccompFD : we answer what the seccomp filter notifies of.
	SeccompFD bool
	// Rootless : do without cgroups where we may make none, even as root of the host.
	Rootless bool
	// NotRootless : take that for an error, even if we are not root of the host.
	NotRootless bool
}

// Create creates a container: everything is set up, and its init waits for Start. If the context is done before, or
// anything fails, nothing is left.
func (r *Runtime) Create(ctx context.Context, id string, options CreateOptions) (*Container, error) {
	var m memory
	defer m.free()
	name, err := m.id(id)
	if err != nil {
		return nil, err
	}
	given, err := m.createOptions(&options)
	if err != nil {
		return nil, err
	}
	stop, err := cancelFile(ctx, &given.cancel_fd)
	if err != nil {
		return nil, err
	}
	defer stop()
	files, err := newStdio(options.Stdin, options.Stdout, options.Stderr)
	if err != nil {
		return nil, err
	}
	given.stdio = m.files(files.files[:])
	var created *C.brig_container
	err = r.call(func(object *C.brig_runtime, failed **C.brig_error) C.brig_status {
		return C.brig_container_create(object, name, &given, &created, failed)
	})
	runtime.KeepAlive(&options)
	if err != nil {
		files.abandon()
		return nil, because(ctx, err)
	}
	files.given()
	return newContainer(created, id, files), nil
}

// Plan is what Create would do, a step a line, for people to read. It changes nothing.
func (r *Runtime) Plan(id string, options CreateOptions) (string, error) {
	var m memory
	defer m.free()
	name, err := m.id(id)
	if err != nil {
		return "", err
	}
	given, err := m.createOptions(&options)
	if err != nil {
		return "", err
	}
	return r.text(func(object *C.brig_runtime, text **C.char, failed **C.brig_error) C.brig_status {
		return C.brig_container_plan(object, name, &given, text, failed)
	})
}

func (m *memory) createOptions(options *CreateOptions) (C.brig_create_options, error) {
	given := C.brig_create_options{size: C.sizeof_brig_create_options}
	var err error
	if given.bundle, err = m.text(options.Bundle); err != nil {
		return given, err
	}
	if given.spec, err = m.json(options.Spec); err != nil {
		return given, err
	}
	if given.rootfs, err = m.text(options.Rootfs); err != nil {
		return given, err
	}
	if options.RootfsFile != nil {
		given.rootfs_fd = C.int(options.RootfsFile.Fd())
	}
	given.fds, given.fd_count = m.files(options.ExtraFiles), C.size_t(len(options.ExtraFiles))
	given.flags |= flag(options.NoPivot, C.BRIG_CREATE_NO_PIVOT)
	given.flags |= flag(options.Supervised, C.BRIG_CREATE_SUPERVISED)
	given.flags |= flag(options.NoNewKeyring, C.BRIG_CREATE_NO_NEW_KEYRING)
	given.flags |= flag(options.SystemdCgroup, C.BRIG_CREATE_SYSTEMD_CGROUP)
	given.flags |= flag(options.SeccompFD, C.BRIG_CREATE_SECCOMP_FD)
	given.flags |= flag(options.Rootless, C.BRIG_CREATE_ROOTLESS)
	given.flags |= flag(options.NotRootless, C.BRIG_CREATE_NOT_ROOTLESS)
	return given, nil
}

// Close lets the object go; containers that it gave keep what they need. The garbage collector does it too.
func (r *Runtime) Close() error {
	r.handle.close()
	return nil
}
