// SPDX-License-Identifier: Apache-2.0

package brig

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// stdio is three files for a program, and what copies between them and readers and writers that are no files.
type stdio struct {
	// Nil is /dev/null.
	files [3]*os.File
	// What is closed once the program has it.
	theirs []*os.File
	// What is closed if there is no program.
	ours   []*os.File
	copies []func() error
	// What the copies said, one after the other.
	done chan error
	over chan struct{}
	once sync.Once
	err  error
}

func newStdio(stdin io.Reader, stdout, stderr io.Writer) (*stdio, error) {
	s := &stdio{}
	if err := s.input(stdin); err != nil {
		return nil, err
	}
	if err := s.output(1, stdout); err != nil {
		s.abandon()
		return nil, err
	}
	if stderr != nil && same(stderr, stdout) {
		s.files[2] = s.files[1]
	} else if err := s.output(2, stderr); err != nil {
		s.abandon()
		return nil, err
	}
	return s, nil
}

// same compares what may not be comparable.
func same(one, other io.Writer) bool {
	defer func() { _ = recover() }()
	return one == other
}

func (s *stdio) input(from io.Reader) error {
	if file, ok := from.(*os.File); ok || from == nil {
		s.files[0] = file
		return nil
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	s.files[0] = reader
	s.theirs, s.ours = append(s.theirs, reader), append(s.ours, writer)
	s.copies = append(s.copies, func() error {
		_, err := io.Copy(writer, from)
		if errors.Is(err, syscall.EPIPE) {
			// It did not want all of it.
			err = nil
		}
		if closed := writer.Close(); err == nil {
			err = closed
		}
		return err
	})
	return nil
}

func (s *stdio) output(place int, to io.Writer) error {
	if file, ok := to.(*os.File); ok || to == nil {
		s.files[place] = file
		return nil
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	s.files[place] = writer
	s.theirs, s.ours = append(s.theirs, writer), append(s.ours, reader)
	s.copies = append(s.copies, func() error {
		defer reader.Close()
		_, err := io.Copy(to, reader)
		return err
	})
	return nil
}

// given : the program has its files, and the copying starts.
func (s *stdio) given() {
	for _, file := range s.theirs {
		file.Close()
	}
	s.done, s.over = make(chan error, len(s.copies)), make(chan struct{})
	for _, one := range s.copies {
		go func(one func() error) { s.done <- one() }(one)
	}
}

// abandon : there is no program.
func (s *stdio) abandon() {
	for _, file := range append(s.theirs, s.ours...) {
		file.Close()
	}
}

// wait waits until everything is copied, and says what went wrong with that.
func (s *stdio) wait(ctx context.Context) error {
	if s == nil {
		return nil
	}
	s.once.Do(func() {
		go func() {
			defer close(s.over)
			for range s.copies {
				if err := <-s.done; err != nil {
					s.err = err
				}
			}
		}()
	})
	select {
	case <-s.over:
		return s.err
	case <-ctx.Done():
		return canceled(ctx)
	}
}

// Console is our side of a container's terminal. Its end is io.EOF.
type Console struct{ file *os.File }

func newConsole(fd int) (*Console, error) {
	// So that reads go through Go's poller, and can have deadlines.
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &Console{os.NewFile(uintptr(fd), "console")}, nil
}

// Read is as of any reader.
func (c *Console) Read(data []byte) (int, error) {
	count, err := c.file.Read(data)
	// Nobody has the terminal open any more.
	if errors.Is(err, syscall.EIO) {
		err = io.EOF
	}
	return count, err
}

// Write is as of any writer.
func (c *Console) Write(data []byte) (int, error) { return c.file.Write(data) }

// SetDeadline limits how long reads and writes may take.
func (c *Console) SetDeadline(at time.Time) error { return c.file.SetDeadline(at) }

// Close closes it, which hangs up the terminal.
func (c *Console) Close() error { return c.file.Close() }

// Resize says how large it is.
func (c *Console) Resize(rows, columns uint16) error {
	size := struct{ rows, columns, x, y uint16 }{rows: rows, columns: columns}
	connection, err := c.file.SyscallConn()
	if err != nil {
		return err
	}
	var errno syscall.Errno
	err = connection.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCSWINSZ, uintptr(unsafe.Pointer(&size)))
	})
	if err == nil && errno != 0 {
		err = os.NewSyscallError("ioctl", errno)
	}
	return err
}
