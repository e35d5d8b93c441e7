// Package lab starts real servers as plain processes on loopback, for tests
// and for the demonstration: an OpenLDAP with Kopano's schema, a MariaDB with
// Kopano's tables, and so on. Every server has its files in the lab's folder,
// listens on free ports, and is gone, with all it wrote, when the lab closes.
// Nothing needs root.
package lab

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// Lab is a folder and the servers that run in it.
type Lab struct {
	Dir string
	Log io.Writer // gets what the servers print, too; nil: nobody does

	mu      sync.Mutex
	closers []func() error
	count   int
}

// New makes a lab in a new folder under the system's folder for temporary
// files. Its path is short, since the path of a unix socket may have only 107 bytes.
func New() (*Lab, error) {
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		return nil, err
	}
	return &Lab{Dir: dir}, nil
}

// Close stops every server, the last one first, and removes the lab's folder.
func (l *Lab) Close() error {
	l.mu.Lock()
	closers := l.closers
	l.closers = nil
	l.mu.Unlock()
	var errs []error
	for i := len(closers) - 1; i >= 0; i-- {
		errs = append(errs, closeInTime(closers[i]))
	}
	errs = append(errs, os.RemoveAll(l.Dir))
	return errors.Join(errs...)
}

// closeInTime keeps a server that does not end from stopping whoever closes the
// lab for ever, and says where it hangs.
func closeInTime(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(startTime):
		stacks := make([]byte, 1<<18)
		return fmt.Errorf("a server of the lab did not end within %s:\n%s", startTime, stacks[:runtime.Stack(stacks, true)])
	}
}

// OnClose has f called when the lab closes.
func (l *Lab) OnClose(f func() error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closers = append(l.closers, f)
}

// Folder makes a new folder for one server.
func (l *Lab) Folder(name string) (string, error) {
	l.mu.Lock()
	l.count++
	dir := filepath.Join(l.Dir, fmt.Sprintf("%s%d", name, l.count))
	l.mu.Unlock()
	return dir, os.Mkdir(dir, 0o755)
}

// ErrNotInstalled says that a program is missing, and which Debian package has it.
type ErrNotInstalled struct {
	Program string
	Package string
}

// Error names the program and the command that installs it.
func (e *ErrNotInstalled) Error() string {
	return fmt.Sprintf("%s is not installed; run: apt-get install %s", e.Program, e.Package)
}

// Find gives the path of a program. It looks into the sbin folders too, which
// are not in the path of ordinary users. The error is an *ErrNotInstalled.
func Find(program, debianPackage string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/lib/dovecot", "/usr/libexec/dovecot", "/usr/lib/postfix/sbin"} {
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return path, nil
		}
	}
	return "", &ErrNotInstalled{program, debianPackage}
}

// FreePort gives a port on 127.0.0.1 that nobody listens on at this moment.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// listenAddress gives the address itself, or a free port on loopback for "".
func listenAddress(address string) (string, error) {
	if address != "" {
		return address, nil
	}
	port, err := FreePort()
	return fmt.Sprintf("127.0.0.1:%d", port), err
}

// BlackHole listens on loopback and never answers: connections are accepted by
// the kernel and nobody ever reads from them.
func (l *Lab) BlackHole() (address string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	l.OnClose(listener.Close)
	return listener.Addr().String(), nil
}

// Say listens on loopback, greets every connection with the given bytes, and
// then only reads until the other end closes: another kind of server, as far
// as its first words go.
func (l *Lab) Say(greeting []byte) (address string, err error) {
	return l.Serve(func(c net.Conn) {
		_, _ = c.Write(greeting)
		buffer := make([]byte, 4096)
		for {
			if _, err := c.Read(buffer); err != nil {
				return
			}
		}
	})
}

// Serve listens on loopback and runs handle for every connection, which it
// closes afterwards. When the lab closes, all connections are closed.
func (l *Lab) Serve(handle func(net.Conn)) (address string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	l.serve(listener, handle)
	return listener.Addr().String(), nil
}

func (l *Lab) serve(listener net.Listener, handle func(net.Conn)) {
	var mu sync.Mutex
	var running sync.WaitGroup
	open := map[net.Conn]bool{}
	closing := false // a connection accepted at the last moment must be closed too
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			if closing {
				conn.Close()
			}
			mu.Unlock()
			running.Go(func() {
				handle(conn)
				conn.Close()
				mu.Lock()
				delete(open, conn)
				mu.Unlock()
			})
		}
	})
	l.OnClose(func() error {
		err := listener.Close()
		mu.Lock()
		closing = true
		for conn := range open {
			conn.Close()
		}
		mu.Unlock()
		running.Wait()
		return err
	})
}

// writeFiles writes files into a folder.
func writeFiles(dir string, mode fs.FileMode, files map[string]string) error {
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			return err
		}
	}
	return nil
}

// ServeSocket listens on a unix socket and runs handle for every connection.
func (l *Lab) ServeSocket(path string, handle func(net.Conn)) error {
	return l.ServeOn("unix", path, handle)
}

// ServeOn listens on an address of a network ("tcp", "unix") and runs handle
// for every connection.
func (l *Lab) ServeOn(network, address string, handle func(net.Conn)) error {
	listener, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	l.serve(listener, handle)
	return nil
}
