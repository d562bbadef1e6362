// SPDX-License-Identifier: Apache-2.0

package brig

// #include <brig.h>
import "C"

import (
	"context"
	"io"
	"runtime"
)

// CheckpointFlags is how to checkpoint or restore; docs/checkpoint.md tells of each.
type CheckpointFlags uint64

// How to checkpoint or restore.
const (
	CheckpointLeaveRunning    CheckpointFlags = C.BRIG_CHECKPOINT_LEAVE_RUNNING
	CheckpointPreDump         CheckpointFlags = C.BRIG_CHECKPOINT_PRE_DUMP
	CheckpointTCPEstablished  CheckpointFlags = C.BRIG_CHECKPOINT_TCP_ESTABLISHED
	CheckpointTCPSkipInFlight CheckpointFlags = C.BRIG_CHECKPOINT_TCP_SKIP_IN_FLIGHT
	CheckpointLinkRemap       CheckpointFlags = C.BRIG_CHECKPOINT_LINK_REMAP
	CheckpointExtUnixSk       CheckpointFlags = C.BRIG_CHECKPOINT_EXT_UNIX_SK
	CheckpointShellJob        CheckpointFlags = C.BRIG_CHECKPOINT_SHELL_JOB
	CheckpointFileLocks       CheckpointFlags = C.BRIG_CHECKPOINT_FILE_LOCKS
	CheckpointLazyPages       CheckpointFlags = C.BRIG_CHECKPOINT_LAZY_PAGES
	CheckpointAutoDedup       CheckpointFlags = C.BRIG_CHECKPOINT_AUTO_DEDUP
	RestoreTCPClose           CheckpointFlags = C.BRIG_RESTORE_TCP_CLOSE
	RestoreNoNewKeyring       CheckpointFlags = C.BRIG_RESTORE_NO_NEW_KEYRING
	RestoreSystemdCgroup      CheckpointFlags = C.BRIG_RESTORE_SYSTEMD_CGROUP
)

// CheckpointOptions is how to checkpoint.
type CheckpointOptions struct {
	// ImageDir is the directory for the images.
	ImageDir string
	// WorkDir is the directory for CRIU's log, if it is not that of the images.
	WorkDir string
	// ParentPath are the images of an earlier dump, relative to these.
	ParentPath string
	Flags      CheckpointFlags
}

// Checkpoint writes its processes to images, from which Runtime.Restore continues them, and ends them unless the flags
// say otherwise.
func (c *Container) Checkpoint(ctx context.Context, options CheckpointOptions) error {
	var m memory
	defer m.free()
	var err error
	given := C.brig_checkpoint_options{size: C.sizeof_brig_checkpoint_options, flags: C.uint64_t(options.Flags)}
	if given.image_dir, err = m.text(options.ImageDir); err != nil {
		return err
	}
	if given.work_dir, err = m.text(options.WorkDir); err != nil {
		return err
	}
	if given.parent_path, err = m.text(options.ParentPath); err != nil {
		return err
	}
	stop, err := cancelFile(ctx, &given.cancel_fd)
	if err != nil {
		return err
	}
	defer stop()
	return because(ctx, c.call(func(object *C.brig_container, failed **C.brig_error) C.brig_status {
		return C.brig_container_checkpoint(object, &given, failed)
	}))
}

// RestoreOptions is how to restore.
type RestoreOptions struct {
	// ImageDir is the directory of the images.
	ImageDir string
	// WorkDir is the directory for CRIU's log, if it is not that of the images.
	WorkDir string
	// Bundle, Spec and Rootfs are as of CreateOptions.
	Bundle string
	Spec   any
	Rootfs string
	// Stdin, Stdout and Stderr take the place of pipes that these were.
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Flags  CheckpointFlags
}

// Restore creates a container out of images; its processes run when this returns.
func (r *Runtime) Restore(ctx context.Context, id string, options RestoreOptions) (*Container, error) {
	var m memory
	defer m.free()
	name, err := m.id(id)
	if err != nil {
		return nil, err
	}
	given := C.brig_restore_options{size: C.sizeof_brig_restore_options, flags: C.uint64_t(options.Flags)}
	if given.image_dir, err = m.text(options.ImageDir); err != nil {
		return nil, err
	}
	if given.work_dir, err = m.text(options.WorkDir); err != nil {
		return nil, err
	}
	if given.bundle, err = m.text(options.Bundle); err != nil {
		return nil, err
	}
	if given.spec, err = m.json(options.Spec); err != nil {
		return nil, err
	}
	if given.rootfs, err = m.text(options.Rootfs); err != nil {
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
	var restored *C.brig_container
	err = r.call(func(object *C.brig_runtime, failed **C.brig_error) C.brig_status {
		return C.brig_container_restore(object, name, &given, &restored, failed)
	})
	runtime.KeepAlive(&options)
	if err != nil {
		files.abandon()
		return nil, because(ctx, err)
	}
	files.given()
	return newContainer(restored, id, files), nil
}
