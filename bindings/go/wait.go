// SPDX-License-Identifier: Apache-2.0

package brig

// #include <brig.h>
import "C"

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// until waits in Go's own poller, without a thread, until ready says so. It asks at first, and again whenever the file
// fd is readable.
func until(ctx context.Context, fd int, ready func() bool) error {
	if ready() {
		return nil
	}
	// An epoll file of our own: the poller wants files that do not block, and the others' may be shared.
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
	if err := syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
		syscall.Close(epoll)
		return os.NewSyscallError("epoll_ctl", err)
	}
	if err := syscall.SetNonblock(epoll, true); err != nil {
		syscall.Close(epoll)
		return os.NewSyscallError("fcntl", err)
	}
	file := os.NewFile(uintptr(epoll), "epoll")
	defer file.Close()
	connection, err := file.SyscallConn()
	if err != nil {
		return err
	}
	if ctx.Done() != nil {
		over, finished := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(finished)
			select {
			case <-ctx.Done():
				file.SetReadDeadline(time.Unix(1, 0))
			case <-over:
			}
		}()
		defer func() {
			close(over)
			<-finished
		}()
	}
	err = connection.Read(func(uintptr) bool { return ready() })
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
		return canceled(ctx)
	}
	return err
}

// cancelFile sets an option to a file that becomes readable when the context is done, if it ever is. The result ends that.
func cancelFile(ctx context.Context, fd *C.int) (func(), error) {
	if ctx.Done() == nil {
		return func() {}, nil
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	*fd = C.int(reader.Fd())
	over, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		select {
		case <-ctx.Done():
		case <-over:
		}
		writer.Close()
	}()
	return func() {
		close(over)
		<-finished
		reader.Close()
	}, nil
}
