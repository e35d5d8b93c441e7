package vantage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// inside holds a container open. What is opened here stays with the process
// that was found, whatever happens to its number afterwards: a number that is
// given to another process leads nowhere.
type inside struct {
	netns *os.File // its network namespace
	root  *os.File // its root folder
}

// enter opens the process' namespace and root, and makes sure that it belongs
// to the container. An engine on another machine, or in another PID namespace,
// names numbers that mean nothing here, or worse, something else.
func enter(id string, pid int) (place, error) {
	if pid <= 0 || len(id) < 12 {
		return nil, noRoute("the engine names no process of the container")
	}
	proc, err := openAt(unix.AT_FDCWD, "/proc/"+strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, noRoute("the container's process is not on this machine")
	}
	defer proc.Close()
	if !belongs(proc, id) {
		return nil, noRoute("process %d of this machine is not the container's; the engine seems to be elsewhere", pid)
	}
	netns, err := openIn(proc, "ns/net", unix.O_RDONLY)
	if err != nil {
		return nil, denied(err)
	}
	root, err := openIn(proc, "root", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		netns.Close()
		return nil, denied(err)
	}
	in := inside{netns, root}
	if err := in.within(func() error { return nil }); err != nil {
		_ = in.Close()
		return nil, denied(err)
	}
	return in, nil
}

func denied(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return noRoute("entering a container needs root; run as root to have links looked at from where they begin")
	}
	return noRoute("the container cannot be entered: %s", bareErrno(err))
}

func bareErrno(err error) error {
	var e syscall.Errno
	if errors.As(err, &e) {
		return e
	}
	return err
}

// belongs looks for the container's ID, 64 digits that nobody guesses, in the
// control group and in the mounts of the process: engines name the former
// after it, and mount its hosts file from a folder named after it.
func belongs(proc *os.File, id string) bool {
	const most = 4 << 20
	for _, name := range []string{"cgroup", "mountinfo"} {
		f, err := openIn(proc, name, unix.O_RDONLY)
		if err != nil {
			continue
		}
		data, _ := io.ReadAll(io.LimitReader(f, most))
		f.Close()
		if bytes.Contains(data, []byte(id)) {
			return true
		}
	}
	return false
}

// Close lets the container go.
func (in inside) Close() error {
	return errors.Join(in.netns.Close(), in.root.Close())
}

// dial connects from inside the container's network. The socket is made there
// and belongs to that network for good, wherever it is used.
func (in inside) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var conn net.Conn
	err := in.within(func() (err error) {
		// One address at a time is connected in this goroutine, hence in this thread.
		d := net.Dialer{FallbackDelay: -1}
		conn, err = d.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// within runs f on a thread that has entered the container's network. The
// thread is never unlocked: it ends with its goroutine, so that no other code
// can come to run in the wrong network.
func (in inside) within(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The main thread cannot end, and /proc/self shows its namespaces.
			// Hold it while another thread does the work.
			result <- in.within(f)
			runtime.UnlockOSThread()
			return
		}
		if err := in.setns(); err != nil {
			result <- err
			return
		}
		result <- f()
	}()
	return <-result
}

func (in inside) setns() error {
	raw, err := in.netns.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.Setns(int(fd), unix.CLONE_NEWNET) }); err != nil {
		return err
	}
	return failed
}

// resolveIn opens a path as a process of the container would, without reading:
// links lead to places below its root, and nowhere else.
func (in inside) resolveIn(name string) (*os.File, fs.FileMode, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	var file *os.File
	raw, err := in.root.SyscallConn()
	if err != nil {
		return nil, 0, err
	}
	var failed error
	err = raw.Control(func(root uintptr) {
		var fd int
		for range 10 { // openat2(2): a rename elsewhere may ask for another try
			if fd, failed = unix.Openat2(int(root), name, &how); failed != unix.EAGAIN && failed != unix.EINTR {
				break
			}
		}
		if failed == nil {
			file = os.NewFile(uintptr(fd), name)
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	return file, info.Mode(), nil
}

// read reads a regular file. What it is, is looked at before it is opened:
// opening a device or a pipe may do something.
func (in inside) read(name string, limit int64) ([]byte, error) {
	handle, mode, err := in.resolveIn(name)
	if err != nil {
		return nil, err
	}
	defer handle.Close()
	if !mode.IsRegular() {
		return nil, errNotRegular
	}
	file, err := openAt(unix.AT_FDCWD, handlePath(handle), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readAtMost(file, limit)
}

func (in inside) stat(name string) (FileInfo, error) {
	handle, mode, err := in.resolveIn(name)
	if err != nil {
		return FileInfo{}, err
	}
	defer handle.Close()
	info, err := handle.Stat()
	if err != nil {
		return FileInfo{}, err
	}
	return FileInfo{Size: info.Size(), Mode: uint32(mode.Perm()), UID: owner(info), Dir: mode.IsDir()}, nil
}

// socket connects to a unix socket by a path in the container.
func (in inside) socket(ctx context.Context, name string) (net.Conn, error) {
	handle, mode, err := in.resolveIn(name)
	if err != nil {
		return nil, err
	}
	defer handle.Close()
	if mode.Type() != fs.ModeSocket {
		return nil, unix.ENOTSOCK
	}
	// The handle is a short way to it; unix(7) allows 107 bytes.
	var d net.Dialer
	return d.DialContext(ctx, "unix", handlePath(handle))
}

// handlePath names an open file; the file must stay open as long as it is used.
func handlePath(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

func openIn(dir *os.File, name string, flags int) (*os.File, error) {
	return openAt(int(dir.Fd()), name, flags)
}

func openAt(dir int, name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(dir, name, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}
