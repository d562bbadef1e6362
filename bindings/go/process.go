// SPDX-License-Identifier: Apache-2.0

package brig

// #include <brig.h>
import "C"

import (
	"context"
	"errors"
	"os"
	"syscall"
	"unsafe"
)

// Exit is how a process ended.
type Exit struct {
	// Code is the exit code, or -1 when a signal ended it.
	Code int
	// Signal is that signal, or 0.
	Signal syscall.Signal
}

// Status is how a shell tells it: the code, or 128 and the signal.
func (e Exit) Status() int {
	if e.Signal != 0 {
		return 128 + int(e.Signal)
	}
	return e.Code
}

// Process is a process of a container: its init, or one that Container.Exec started.
type Process struct {
	handle *handle
	stdio  *stdio
}

func newProcess(process *C.brig_process, files *stdio) *Process {
	unref := func(object unsafe.Pointer) { C.brig_process_unref((*C.brig_process)(object)) }
	return &Process{newHandle(unsafe.Pointer(process), unref), files}
}

func (p *Process) call(do func(*C.brig_process, **C.brig_error) C.brig_status) error {
	object, err := p.handle.use()
	if err != nil {
		return err
	}
	defer p.handle.done()
	var failed *C.brig_error
	status := do((*C.brig_process)(object), &failed)
	return failure(status, failed)
}

func (p *Process) file(do func(*C.brig_process, *C.int, **C.brig_error) C.brig_status) (int, error) {
	fd := C.int(-1)
	err := p.call(func(object *C.brig_process, failed **C.brig_error) C.brig_status { return do(object, &fd, failed) })
	return int(fd), err
}

// Pid is the pid as our pid namespace has it. It may be reused once the process has been waited for.
func (p *Process) Pid() (int, error) {
	var pid C.pid_t
	err := p.call(func(object *C.brig_process, failed **C.brig_error) C.brig_status {
		return C.brig_process_pid(object, &pid, failed)
	})
	return int(pid), err
}

// Pidfd is a file that is readable, for poll(2) and friends, once the process is gone.
func (p *Process) Pidfd() (*os.File, error) {
	fd, err := p.pidfd()
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

func (p *Process) pidfd() (int, error) {
	return p.file(func(object *C.brig_process, fd *C.int, failed **C.brig_error) C.brig_status {
		return C.brig_process_pidfd(object, fd, failed)
	})
}

// Console is our side of its terminal. Only once; ErrNotFound afterwards, or if there is none.
func (p *Process) Console() (*Console, error) {
	fd, err := p.file(func(object *C.brig_process, fd *C.int, failed **C.brig_error) C.brig_status {
		return C.brig_process_console(object, fd, failed)
	})
	if err != nil {
		return nil, err
	}
	return newConsole(fd)
}

// SeccompFile is the listener of its seccomp filter. Only once.
func (p *Process) SeccompFile() (*os.File, error) {
	fd, err := p.file(func(object *C.brig_process, fd *C.int, failed **C.brig_error) C.brig_status {
		return C.brig_process_seccomp_fd(object, fd, failed)
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "seccomp"), nil
}

// Wait waits for the end of the process, and until all that it wrote has come to the writers that Exec was given. No
// thread waits: many goroutines may.
func (p *Process) Wait(ctx context.Context) (Exit, error) {
	end, err := p.waitProcess(ctx)
	if err != nil {
		return end, err
	}
	return end, p.stdio.wait(ctx)
}

func (p *Process) waitProcess(ctx context.Context) (Exit, error) {
	var end Exit
	fd, err := p.pidfd()
	if errors.Is(err, ErrState) {
		// It was gone before: the answer is there.
		return p.poll()
	}
	if err != nil {
		return end, err
	}
	defer syscall.Close(fd)
	var failed error
	err = until(ctx, fd, func() bool {
		end, failed = p.poll()
		return !errors.Is(failed, ErrCanceled)
	})
	if err == nil {
		err = failed
	}
	return end, err
}

// poll is ErrCanceled as long as it runs.
func (p *Process) poll() (Exit, error) {
	end := C.brig_exit{size: C.sizeof_brig_exit}
	err := p.call(func(object *C.brig_process, failed **C.brig_error) C.brig_status {
		return C.brig_process_wait(object, 0, &end, failed)
	})
	if err != nil {
		return Exit{}, err
	}
	return Exit{Code: int(end.code), Signal: syscall.Signal(end.signal)}, nil
}

// Signal sends a signal to this process, and to no other.
func (p *Process) Signal(signal syscall.Signal) error {
	return p.call(func(object *C.brig_process, failed **C.brig_error) C.brig_status {
		return C.brig_process_signal(object, C.int(signal), failed)
	})
}

// Close lets the object go; the process lives on. The garbage collector does it too.
func (p *Process) Close() error {
	p.handle.close()
	return nil
}
