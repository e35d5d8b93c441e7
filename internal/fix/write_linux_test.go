package fix

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// onDisk makes a folder with files and gives it.
func onDisk(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

func change(dir, name, before, after string) *Plan {
	return &Plan{Dir: dir, Files: []File{{Name: name, Path: filepath.Join(dir, name), Before: before, After: after}}}
}

func writeOne(t *testing.T, w Writer, p *Plan) Written {
	t.Helper()
	out := w.Write(context.Background(), p)
	if len(out) != 1 {
		t.Fatalf("%d results", len(out))
	}
	return out[0]
}

func TestWriteKeepsModeAndOwner(t *testing.T) {
	for _, mode := range []fs.FileMode{0o600, 0o640, 0o664, 0o444, 0o755} {
		dir := onDisk(t, map[string]string{".env": "A=1\n"})
		path := filepath.Join(dir, ".env")
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		owner := -1
		if os.Getuid() == 0 {
			owner = 4711
			if err := os.Chown(path, owner, 4712); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
		w := writeOne(t, Writer{}, change(dir, ".env", "A=1\n", "A=2\n"))
		if w.Err != nil {
			t.Fatalf("mode %v: %v", mode, w.Err)
		}
		if read(t, path) != "A=2\n" || read(t, w.Backup) != "A=1\n" {
			t.Errorf("mode %v: file %q, backup %q", mode, read(t, path), read(t, w.Backup))
		}
		for _, name := range []string{path, w.Backup} {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != mode {
				t.Errorf("%s has mode %v, want %v", name, info.Mode().Perm(), mode)
			}
			if st := info.Sys().(*syscall.Stat_t); owner >= 0 && (int(st.Uid) != owner || st.Gid != 4712) {
				t.Errorf("%s belongs to %d:%d, want %d:4712", name, st.Uid, st.Gid, owner)
			}
		}
		if got := names(t, dir); got != ".env .env.bak-kopano-doctor" {
			t.Errorf("the folder has %s", got)
		}
	}
}

func TestWriteFollowsLinks(t *testing.T) {
	dir := onDisk(t, map[string]string{"real/kopano.env": "A=1\n"})
	link := filepath.Join(dir, ".env")
	if err := os.Symlink("real/kopano.env", link); err != nil {
		t.Fatal(err)
	}
	w := writeOne(t, Writer{}, change(dir, ".env", "A=1\n", "A=2\n"))
	if w.Err != nil {
		t.Fatal(w.Err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Error("the link was replaced")
	}
	if read(t, filepath.Join(dir, "real/kopano.env")) != "A=2\n" {
		t.Error("the file behind the link was not written")
	}
	if got := names(t, filepath.Join(dir, "real")); got != "kopano.env kopano.env.bak-kopano-doctor" {
		t.Errorf("beside the file: %s", got)
	}
}

func TestWriteNeverOverwritesABackup(t *testing.T) {
	dir := onDisk(t, map[string]string{".env": "A=3\n", ".env.bak-kopano-doctor": "A=1\n", ".env.bak-kopano-doctor.1": "A=2\n"})
	w := writeOne(t, Writer{}, change(dir, ".env", "A=3\n", "A=4\n"))
	if w.Err != nil || filepath.Base(w.Backup) != ".env.bak-kopano-doctor.2" {
		t.Fatalf("backup %s, %v", w.Backup, w.Err)
	}
	if read(t, filepath.Join(dir, ".env.bak-kopano-doctor")) != "A=1\n" || read(t, w.Backup) != "A=3\n" {
		t.Error("a backup was overwritten")
	}
}

// TestWriteStopped stops at every point at which something can go wrong, and
// wants the old file and nothing else.
func TestWriteStopped(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(t *testing.T, dir string) Writer
		reason string
		left   string
	}{
		"rename": {func(*testing.T, string) Writer {
			return Writer{rename: func(string, string) error { return &os.LinkError{Op: "rename", Err: syscall.EIO} }}
		}, "input/output error", ".env"},
		"changed since": {func(t *testing.T, dir string) Writer {
			if err := os.WriteFile(filepath.Join(dir, ".env"), []byte("A=1\nB=2\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			return Writer{}
		}, "has changed", ".env"},
		"gone": {func(t *testing.T, dir string) Writer {
			if err := os.Remove(filepath.Join(dir, ".env")); err != nil {
				t.Fatal(err)
			}
			return Writer{}
		}, "no such file", ""},
		"a folder now": {func(t *testing.T, dir string) Writer {
			if err := errors.Join(os.Remove(filepath.Join(dir, ".env")), os.Mkdir(filepath.Join(dir, ".env"), 0o755)); err != nil {
				t.Fatal(err)
			}
			return Writer{}
		}, "not a regular file", ".env"},
		"a pipe now": {func(t *testing.T, dir string) Writer {
			if err := errors.Join(os.Remove(filepath.Join(dir, ".env")), syscall.Mkfifo(filepath.Join(dir, ".env"), 0o644)); err != nil {
				t.Fatal(err)
			}
			return Writer{}
		}, "not a regular file", ".env"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := onDisk(t, map[string]string{".env": "A=1\n"})
			w := writeOne(t, c.spoil(t, dir), change(dir, ".env", "A=1\n", "A=2\n"))
			if w.Err == nil || !strings.Contains(w.Err.Error(), c.reason) {
				t.Errorf("error %v, want %q", w.Err, c.reason)
			}
			if strings.Contains(w.Err.Error(), dir) {
				t.Errorf("the reason repeats the path: %v", w.Err)
			}
			if got := names(t, dir); got != c.left {
				t.Errorf("the folder has %q, want %q", got, c.left)
			}
			if name == "rename" && read(t, filepath.Join(dir, ".env")) != "A=1\n" {
				t.Error("the file has changed")
			}
		})
	}
}

// TestWriteGoesOn writes the files that can be written, and begins none once it is interrupted.
func TestWriteGoesOn(t *testing.T) {
	dir := onDisk(t, map[string]string{"b.env": "B=1\n"})
	p := change(dir, "a.env", "A=1\n", "A=2\n")
	p.Files = append(p.Files, change(dir, "b.env", "B=1\n", "B=2\n").Files...)
	p.Files = append(p.Files, File{Name: "c.env", Path: filepath.Join(dir, "c.env"), Create: true})
	out := Writer{}.Write(context.Background(), p)
	if out[0].Err == nil || out[1].Err != nil || out[2].Err != nil {
		t.Errorf("%v, %v, %v", out[0].Err, out[1].Err, out[2].Err)
	}
	if read(t, filepath.Join(dir, "b.env")) != "B=2\n" || read(t, filepath.Join(dir, "c.env")) != "" {
		t.Error("b.env or c.env is not written")
	}
	if w := writeOne(t, Writer{}, &Plan{Files: p.Files[2:]}); w.Err == nil {
		t.Error("a file that is there was created again")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, w := range (Writer{}).Write(ctx, p) {
		if w.Err == nil {
			t.Errorf("%s was written after the interruption", w.File.Name)
		}
	}
}

// TestWriteAsAnotherUser wants a file of somebody else left alone when its
// owner cannot be kept.
func TestWriteAsAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make a file of another user")
	}
	dir := onDisk(t, map[string]string{".env": "A=1\n"})
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o777), os.Chmod(dir, 0o777), os.Chown(filepath.Join(dir, ".env"), 4711, 4711)); err != nil {
		t.Fatal(err)
	}
	// An ordinary user of this thread alone (setfsuid(2)): files are then made as that user.
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETFSUID, 4999, 0, 0); errno != 0 {
		t.Skip("setfsuid is not possible here")
	}
	w := writeOne(t, Writer{}, change(dir, ".env", "A=1\n", "A=2\n"))
	syscall.RawSyscall(syscall.SYS_SETFSUID, 0, 0, 0)
	if w.Err == nil || !strings.Contains(w.Err.Error(), "another user") {
		t.Errorf("error %v", w.Err)
	}
	if got := names(t, dir); got != ".env" || read(t, filepath.Join(dir, ".env")) != "A=1\n" {
		t.Errorf("the folder has %s", got)
	}
}
