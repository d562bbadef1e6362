// SPDX-License-Identifier: Apache-2.0

// Package behaviour has the scenarios of scenarios.txt from Go, against the library that is installed. See run.sh.
package behaviour

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"brig"
)

var (
	bundles = os.Getenv("TEST_BUNDLES")
	serial  int64
	always  = context.Background()
)

func bundle(name string) string { return filepath.Join(bundles, name) }

func uniqueID() string {
	return fmt.Sprintf("behaviour-go-%d-%d", os.Getpid(), atomic.AddInt64(&serial, 1))
}

// must ends the test at an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// is checks the kind of an error.
func is(t testing.TB, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("%v, not %v", err, kind)
	}
}

func equal[T comparable](t testing.TB, found, expected T) {
	t.Helper()
	if found != expected {
		t.Fatalf("%v, not %v", found, expected)
	}
}

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(always, 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func open(t testing.TB) *brig.Runtime {
	t.Helper()
	opened, err := brig.Open(os.Getenv("TEST_ROOT"))
	must(t, err)
	return opened
}

// created makes a container that is gone with the test.
func created(t testing.TB, name string, options brig.CreateOptions) *brig.Container {
	t.Helper()
	options.Bundle = bundle(name)
	container, err := open(t).Create(always, uniqueID(), options)
	must(t, err)
	t.Cleanup(func() {
		if err := container.ForceDelete(); err != nil && !errors.Is(err, brig.ErrNotFound) {
			t.Error(err)
		}
		container.Close()
	})
	return container
}

func running(t testing.TB, name string) *brig.Container {
	t.Helper()
	container := created(t, name, brig.CreateOptions{})
	must(t, container.Start())
	return container
}

func ended(t testing.TB, container *brig.Container) brig.Exit {
	t.Helper()
	end, err := container.Wait(soon(t))
	must(t, err)
	return end
}

func status(t testing.TB, container *brig.Container) string {
	t.Helper()
	state, err := container.State()
	must(t, err)
	return state.Status
}

func config(t testing.TB, name string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(bundle(name) + "/config.json")
	must(t, err)
	var spec map[string]any
	must(t, json.Unmarshal(text, &spec))
	return spec
}

var scenarios = map[string]func(*testing.T){
	"version": func(t *testing.T) {
		var major, minor, patch int
		_, err := fmt.Sscanf(brig.Version(), "%d.%d.%d", &major, &minor, &patch)
		must(t, err)
		equal(t, brig.VersionNumber(), major*1000000+minor*1000+patch)
		equal(t, brig.Version(), os.Getenv("TEST_VERSION"))
	},
	"features": func(t *testing.T) {
		features, err := brig.Features()
		must(t, err)
		if !strings.Contains(fmt.Sprint(features["linux"]), "mount") {
			t.Fatal(features)
		}
	},
	"default_spec": func(t *testing.T) {
		spec, err := brig.DefaultSpec(false)
		must(t, err)
		mistakes, err := brig.Validate(spec)
		must(t, err)
		equal(t, len(mistakes), 0)
		rootless, err := brig.DefaultSpec(true)
		must(t, err)
		equal(t, strings.Contains(fmt.Sprint(rootless["linux"]), "type:user"), true)
	},
	"validate": func(t *testing.T) {
		spec, err := brig.DefaultSpec(false)
		must(t, err)
		spec["process"].(map[string]any)["cwd"] = "relative"
		spec["hostname"] = 7
		mistakes, err := brig.Validate(spec)
		must(t, err)
		pointers := make([]string, 0, 2)
		for _, it := range mistakes {
			equal(t, it.Status, brig.ErrConfig)
			pointers = append(pointers, it.Pointer)
		}
		sort.Strings(pointers)
		equal(t, strings.Join(pointers, " "), "/hostname /process/cwd")
	},
	"exit_code": func(t *testing.T) {
		end := ended(t, running(t, "exit-7"))
		equal(t, end, brig.Exit{Code: 7})
		equal(t, end.Status(), 7)
	},
	"exit_signal": func(t *testing.T) {
		container := running(t, "sleep")
		must(t, container.Signal(syscall.SIGKILL))
		end := ended(t, container)
		equal(t, end, brig.Exit{Code: -1, Signal: syscall.SIGKILL})
		equal(t, end.Status(), 137)
	},
	"stdio": func(t *testing.T) {
		var output bytes.Buffer
		container := created(t, "echo", brig.CreateOptions{Stdin: strings.NewReader("word\n"), Stdout: &output})
		must(t, container.Start())
		equal(t, ended(t, container).Code, 7)
		equal(t, output.String(), "got word\n")
	},
	"extra_files": func(t *testing.T) {
		reader, writer, err := os.Pipe()
		must(t, err)
		container := created(t, "write-3", brig.CreateOptions{ExtraFiles: []*os.File{writer}})
		must(t, writer.Close())
		must(t, container.Start())
		ended(t, container)
		text, err := io.ReadAll(reader)
		must(t, err)
		equal(t, string(text), "three\n")
	},
	"spec_in_memory": func(t *testing.T) {
		options := brig.CreateOptions{Spec: config(t, "exit-7"), Rootfs: bundle("true") + "/rootfs"}
		container, err := open(t).Create(always, uniqueID(), options)
		must(t, err)
		must(t, container.Start())
		equal(t, ended(t, container).Code, 7)
		must(t, container.Delete())
	},
	"state": func(t *testing.T) {
		container := created(t, "sleep", brig.CreateOptions{})
		state, err := container.State()
		must(t, err)
		equal(t, state.Status, "created")
		equal(t, state.ID, container.ID)
		equal(t, state.Bundle, bundle("sleep"))
		equal(t, state.Pid > 0 && time.Since(state.Created) < time.Minute, true)
		must(t, container.Start())
		equal(t, status(t, container), "running")
		must(t, container.Signal(syscall.SIGKILL))
		ended(t, container)
		equal(t, status(t, container), "stopped")
	},
	"list": func(t *testing.T) {
		one, two := created(t, "sleep", brig.CreateOptions{}), created(t, "sleep", brig.CreateOptions{})
		ids := func() string {
			states, err := open(t).List()
			must(t, err)
			ids := make([]string, len(states))
			for at, it := range states {
				ids[at] = it.ID
			}
			equal(t, sort.StringsAreSorted(ids), true)
			return " " + strings.Join(ids, " ") + " "
		}
		equal(t, strings.Contains(ids(), " "+one.ID+" ") && strings.Contains(ids(), " "+two.ID+" "), true)
		must(t, one.ForceDelete())
		equal(t, strings.Contains(ids(), " "+one.ID+" "), false)
	},
	"open": func(t *testing.T) {
		container := running(t, "sleep")
		other, err := open(t).Open(container.ID)
		must(t, err)
		equal(t, status(t, other), "running")
		// A handle is not the container.
		must(t, other.Close())
		equal(t, status(t, container), "running")
		must(t, container.ForceDelete())
		_, err = open(t).Open(container.ID)
		is(t, err, brig.ErrNotFound)
	},
	"exec_output": func(t *testing.T) {
		container := running(t, "sleep")
		var output, problems bytes.Buffer
		process, err := container.Exec(always, brig.ExecOptions{
			Args:   []string{"sh", "-c", "cat; echo $WORD >&2; exit 3"},
			Env:    []string{"WORD=error"},
			Stdin:  strings.NewReader(strings.Repeat("x", 300000)),
			Stdout: &output,
			Stderr: &problems,
		})
		must(t, err)
		end, err := process.Wait(soon(t))
		must(t, err)
		equal(t, end.Code, 3)
		equal(t, output.Len(), 300000)
		equal(t, problems.String(), "error\n")
		must(t, process.Close())
		text, end, err := container.Output(soon(t), "sh", "-c", "pwd; exit 4")
		must(t, err)
		equal(t, fmt.Sprintf("%s%d", text, end.Code), "/\n4")
	},
	"exec_no_program": func(t *testing.T) {
		_, _, err := running(t, "sleep").Output(always, "/no/such/program")
		is(t, err, brig.ErrProgram)
		is(t, err, syscall.ENOENT)
	},
	"processes": func(t *testing.T) {
		container := running(t, "sleep")
		init, err := container.Init()
		must(t, err)
		pid, err := init.Pid()
		must(t, err)
		pids, err := container.Processes()
		must(t, err)
		equal(t, fmt.Sprint(pids), fmt.Sprint([]int{pid}))
	},
	"signal": func(t *testing.T) {
		container := running(t, "sleep")
		sleep := brig.ExecOptions{Args: []string{"sleep", "1000"}}
		first, err := container.Exec(always, sleep)
		must(t, err)
		must(t, first.Signal(syscall.SIGKILL))
		end, err := first.Wait(soon(t))
		must(t, err)
		equal(t, end.Signal, syscall.SIGKILL)
		second, err := container.Exec(always, sleep)
		must(t, err)
		must(t, container.SignalAll(syscall.SIGKILL))
		end, err = second.Wait(soon(t))
		must(t, err)
		equal(t, end.Signal, syscall.SIGKILL)
		equal(t, ended(t, container).Signal, syscall.SIGKILL)
		is(t, container.Signal(syscall.SIGTERM), brig.ErrState)
	},
	"pause_resume": func(t *testing.T) {
		container := running(t, "sleep")
		must(t, container.Pause())
		equal(t, status(t, container), "paused")
		_, _, err := container.Output(always, "true")
		is(t, err, brig.ErrState)
		must(t, container.Resume())
		equal(t, status(t, container), "running")
		is(t, container.Resume(), brig.ErrState)
	},
	"update": func(t *testing.T) {
		container := running(t, "sleep")
		must(t, container.Update(map[string]any{"pids": map[string]any{"limit": 37}}))
		stats, err := container.Stats()
		must(t, err)
		equal(t, stats.Pids.Limit, 37)
	},
	"update_refused": func(t *testing.T) {
		err := running(t, "sleep").Update(`{"memory":{"limit":"much"}}`)
		is(t, err, brig.ErrConfig)
		var refused *brig.Error
		equal(t, errors.As(err, &refused), true)
		equal(t, refused.Pointer, "/memory/limit")
	},
	"stats": func(t *testing.T) {
		one, two := running(t, "sleep"), running(t, "sleep")
		stats, err := one.Stats()
		must(t, err)
		equal(t, stats.Memory.Usage.Usage > 0 && stats.Pids.Current == 1 && len(stats.Raw) > 100, true)
		many, err := open(t).Stats(two.ID, "nobody", one.ID)
		must(t, err)
		equal(t, many[0].ID+" "+many[1].ID+" "+many[2].ID, two.ID+" nobody "+one.ID)
		equal(t, many[0].Err == nil && many[2].Stats.Pids.Current == 1, true)
		is(t, many[1].Err, brig.ErrNotFound)
	},
	"cgroup_file": func(t *testing.T) {
		container := running(t, "sleep")
		directory, err := container.Cgroup("pids")
		must(t, err)
		defer directory.Close()
		pids, err := container.Processes()
		must(t, err)
		text, err := os.ReadFile(fmt.Sprintf("/proc/self/fd/%d/cgroup.procs", directory.Fd()))
		must(t, err)
		equal(t, string(text), fmt.Sprintln(pids[0]))
	},
	"console": func(t *testing.T) {
		container := created(t, "terminal", brig.CreateOptions{})
		terminal, err := container.Console()
		must(t, err)
		must(t, terminal.SetDeadline(time.Now().Add(time.Minute)))
		must(t, terminal.Resize(33, 99))
		must(t, container.Start())
		_, err = io.WriteString(terminal, "word\n")
		must(t, err)
		output, err := io.ReadAll(terminal)
		must(t, err)
		text := strings.ReplaceAll(string(output), "\r", "")
		equal(t, strings.Contains(text, "33 99\n") && strings.Contains(text, "got word\n"), true)
		must(t, terminal.Close())
		_, err = container.Console()
		is(t, err, brig.ErrNotFound)
		equal(t, ended(t, container).Code, 7)
	},
	"pidfd": func(t *testing.T) {
		container := running(t, "sleep")
		init, err := container.Init()
		must(t, err)
		file, err := init.Pidfd()
		must(t, err)
		defer file.Close()
		readable := func(milliseconds int) bool {
			epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
			must(t, err)
			defer syscall.Close(epoll)
			event := syscall.EpollEvent{Events: syscall.EPOLLIN}
			must(t, syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, int(file.Fd()), &event))
			for {
				count, err := syscall.EpollWait(epoll, make([]syscall.EpollEvent, 1), milliseconds)
				if err != syscall.EINTR {
					must(t, err)
					return count == 1
				}
			}
		}
		equal(t, readable(0), false)
		must(t, container.Signal(syscall.SIGKILL))
		equal(t, readable(30000), true)
	},
	"wait_timeout": func(t *testing.T) {
		container := running(t, "sleep")
		ctx, cancel := context.WithTimeout(always, 50*time.Millisecond)
		defer cancel()
		before := time.Now()
		_, err := container.Wait(ctx)
		is(t, err, brig.ErrCanceled)
		is(t, err, context.DeadlineExceeded)
		took := time.Since(before)
		equal(t, took > 40*time.Millisecond && took < 20*time.Second, true)
	},
	"wait_cancel": func(t *testing.T) {
		container := running(t, "sleep")
		ctx, cancel := context.WithCancel(always)
		time.AfterFunc(50*time.Millisecond, cancel)
		_, err := container.Wait(ctx)
		is(t, err, brig.ErrCanceled)
		is(t, err, context.Canceled)
		equal(t, status(t, container), "running")
	},
	"create_cancel": func(t *testing.T) {
		// It is done while the library is at work; which of its steps that hits does not matter.
		id := uniqueID()
		for wait := time.Duration(0); ; wait += 20 * time.Microsecond {
			ctx, cancel := context.WithTimeout(always, wait)
			container, err := open(t).Create(ctx, id, brig.CreateOptions{Bundle: bundle("sleep")})
			cancel()
			if err == nil {
				must(t, container.ForceDelete())
				equal(t, wait > 0, true)
				break
			}
			is(t, err, brig.ErrCanceled)
			is(t, err, context.DeadlineExceeded)
			_, err = open(t).Open(id)
			is(t, err, brig.ErrNotFound)
		}
	},
	"monitor": func(t *testing.T) {
		container := created(t, "nap-7", brig.CreateOptions{})
		monitor, err := container.Monitor(0)
		must(t, err)
		defer monitor.Close()
		var seen []string
		for len(seen) == 0 || seen[len(seen)-1] != "deleted" {
			event, err := monitor.Next(soon(t))
			must(t, err)
			equal(t, event.ID, container.ID)
			switch {
			case event.Status == "created":
				must(t, container.Start())
				seen = append(seen, event.Status)
			case event.Type == "exit":
				equal(t, ended(t, container).Code, *event.Code)
				must(t, container.Delete())
				seen = append(seen, fmt.Sprint("exit ", *event.Code))
			default:
				seen = append(seen, event.Status)
			}
		}
		equal(t, strings.Join(seen, ", "), "created, running, stopped, exit 7, deleted")
	},
	"monitor_all": func(t *testing.T) {
		monitor, err := open(t).Monitor(brig.MonitorExit)
		must(t, err)
		container := running(t, "exit-7")
		for {
			event, err := monitor.Next(soon(t))
			must(t, err)
			if event.ID == container.ID {
				equal(t, event.Type, "exit")
				equal(t, *event.Code, 7)
				break
			}
		}
		ctx, cancel := context.WithTimeout(always, 10*time.Millisecond)
		defer cancel()
		_, err = monitor.Next(ctx)
		is(t, err, brig.ErrCanceled)
		must(t, monitor.Close())
		_, err = monitor.Next(always)
		is(t, err, brig.ErrState)
	},
	"supervised": func(t *testing.T) {
		container := created(t, "exit-7", brig.CreateOptions{Supervised: true})
		must(t, container.Start())
		ended(t, container)
		later, err := open(t).Open(container.ID)
		must(t, err)
		equal(t, ended(t, later).Code, 7)
	},
	"plan": func(t *testing.T) {
		id := uniqueID()
		text, err := open(t).Plan(id, brig.CreateOptions{Bundle: bundle("true")})
		must(t, err)
		equal(t, strings.Contains(text, "mount") && strings.Contains(text, "/bin/true"), true)
		_, err = open(t).Open(id)
		is(t, err, brig.ErrNotFound)
	},
	"bad_config": func(t *testing.T) {
		spec := config(t, "true")
		spec["linux"].(map[string]any)["namespaces"].([]any)[2].(map[string]any)["type"] = "nonsense"
		id := uniqueID()
		_, err := open(t).Create(always, id, brig.CreateOptions{Bundle: bundle("true"), Spec: spec})
		is(t, err, brig.ErrConfig)
		var wrong *brig.Error
		equal(t, errors.As(err, &wrong), true)
		equal(t, wrong.Pointer, "/linux/namespaces/2/type")
		equal(t, strings.Contains(err.Error(), "nonsense"), true)
		_, err = open(t).Open(id)
		is(t, err, brig.ErrNotFound)
	},
	"no_program": func(t *testing.T) {
		_, err := open(t).Create(always, uniqueID(), brig.CreateOptions{Bundle: bundle("no-program")})
		is(t, err, brig.ErrProgram)
		is(t, err, syscall.ENOENT)
	},
	"not_found": func(t *testing.T) {
		_, err := open(t).Open("nobody")
		is(t, err, brig.ErrNotFound)
		equal(t, len(err.Error()) > 5, true)
	},
	"exists": func(t *testing.T) {
		container := created(t, "sleep", brig.CreateOptions{})
		_, err := open(t).Create(always, container.ID, brig.CreateOptions{Bundle: bundle("sleep")})
		is(t, err, brig.ErrExists)
		equal(t, status(t, container), "created")
	},
	"wrong_state": func(t *testing.T) {
		container := running(t, "sleep")
		is(t, container.Start(), brig.ErrState)
		is(t, container.Delete(), brig.ErrState)
		other, err := open(t).Open(container.ID)
		must(t, err)
		must(t, other.Close())
		must(t, other.Close())
		_, err = other.State()
		is(t, err, brig.ErrState)
	},
	"invalid_id": func(t *testing.T) {
		for _, id := range []string{"a/b", "", "..", "a\x00b", strings.Repeat("a", 256)} {
			_, err := open(t).Create(always, id, brig.CreateOptions{Bundle: bundle("true")})
			is(t, err, brig.ErrInvalid)
		}
	},
	"delete_force": func(t *testing.T) {
		container := running(t, "sleep")
		must(t, container.ForceDelete())
		_, err := container.State()
		is(t, err, brig.ErrNotFound)
	},
	"many": func(t *testing.T) {
		// 100 goroutines, while the garbage collector runs all the time and finalizes what nobody closes.
		stop := make(chan struct{})
		pressed := make(chan struct{})
		go func() {
			defer close(pressed)
			for {
				select {
				case <-stop:
					return
				default:
					runtime.GC()
				}
			}
		}()
		shared := open(t)
		failures := make(chan error, 100)
		var all sync.WaitGroup
		for number := 0; number < 100; number++ {
			all.Add(1)
			go func() {
				defer all.Done()
				failures <- one(shared)
			}()
		}
		all.Wait()
		close(stop)
		<-pressed
		for number := 0; number < 100; number++ {
			must(t, <-failures)
		}
	},
}

// one container from its creation to its end, with no handle closed.
func one(shared *brig.Runtime) error {
	ctx, cancel := context.WithTimeout(always, 2*time.Minute)
	defer cancel()
	var output bytes.Buffer
	id := uniqueID()
	options := brig.CreateOptions{Bundle: bundle("echo"), Stdin: strings.NewReader("word\n"), Stdout: &output}
	container, err := shared.Create(ctx, id, options)
	if err != nil {
		return err
	}
	if _, err := container.Monitor(0); err != nil {
		return err
	}
	init, err := container.Init()
	if err != nil {
		return err
	}
	if err := container.Start(); err != nil {
		return err
	}
	container = nil
	end, err := init.Wait(ctx)
	if err != nil {
		return err
	}
	if end.Code != 7 || output.String() != "got word\n" {
		return fmt.Errorf("ended with %v after %q", end, output.String())
	}
	again, err := shared.Open(id)
	if err != nil {
		return err
	}
	return again.Delete()
}

func TestScenarios(t *testing.T) {
	text, err := os.ReadFile(os.Getenv("TEST_SCENARIOS"))
	must(t, err)
	passed, failed := 0, 0
	for _, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name := strings.Fields(line)[0]
		scenario, ok := scenarios[name]
		if !ok {
			t.Errorf("there is no %s", name)
			failed++
			continue
		}
		if t.Run(name, scenario) {
			passed++
			fmt.Println("ok", name)
		} else {
			failed++
			fmt.Println("FAILED", name)
		}
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
}
