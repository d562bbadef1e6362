// SPDX-License-Identifier: Apache-2.0

package brig

// #include <brig.h>
import "C"

import (
	"context"
	"io"
	"os"
	"runtime"
)

// ExecOptions is what to run.
type ExecOptions struct {
	// Args is the program and its arguments; all else is as the container's own process has it.
	Args []string
	// Env is added to the environment: NAME=VALUE.
	Env []string
	// Dir is the working directory, if it is not that of the container's process.
	Dir string
	// Terminal gives it a terminal; take it with Process.Console.
	Terminal bool
	// Process is the whole OCI process object instead: a struct, a map, or its JSON as text.
	Process any
	// Stdin, Stdout and Stderr are as in os/exec: nil is /dev/null, an *os.File is given as it is.
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// ExtraFiles are 3, 4 and so on.
	ExtraFiles []*os.File
	// Cgroup is one below the container's own to start in.
	Cgroup string
	// IgnorePaused : in a paused container too; the call returns once that is resumed.
	IgnorePaused bool
	// SeccompFD : the caller takes the listener of its seccomp filter.
	SeccompFD bool
}

// Exec runs one more program. The context is for the call, and not for the program: see Process.Wait.
func (c *Container) Exec(ctx context.Context, options ExecOptions) (*Process, error) {
	process, err := c.process(&options)
	if err != nil {
		return nil, err
	}
	var m memory
	defer m.free()
	given := C.brig_exec_options{size: C.sizeof_brig_exec_options}
	if given.process, err = m.json(process); err != nil {
		return nil, err
	}
	if given.cgroup, err = m.text(options.Cgroup); err != nil {
		return nil, err
	}
	given.flags |= flag(options.IgnorePaused, C.BRIG_EXEC_IGNORE_PAUSED)
	given.flags |= flag(options.SeccompFD, C.BRIG_EXEC_SECCOMP_FD)
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
	given.fds, given.fd_count = m.files(options.ExtraFiles), C.size_t(len(options.ExtraFiles))
	var started *C.brig_process
	err = c.call(func(object *C.brig_container, failed **C.brig_error) C.brig_status {
		return C.brig_container_exec(object, &given, &started, failed)
	})
	runtime.KeepAlive(&options)
	if err != nil {
		files.abandon()
		return nil, because(ctx, err)
	}
	files.given()
	return newProcess(started, files), nil
}

func (c *Container) process(options *ExecOptions) (any, error) {
	if options.Process != nil {
		return options.Process, nil
	}
	process, err := c.ProcessSpec()
	if err != nil {
		return nil, err
	}
	process["args"], process["terminal"] = options.Args, options.Terminal
	delete(process, "consoleSize")
	if options.Dir != "" {
		process["cwd"] = options.Dir
	}
	environment, _ := process["env"].([]any)
	for _, variable := range options.Env {
		environment = append(environment, variable)
	}
	process["env"] = environment
	if environment == nil {
		delete(process, "env")
	}
	return process, nil
}

func flag(set bool, flag C.uint64_t) C.uint64_t {
	if set {
		return flag
	}
	return 0
}
