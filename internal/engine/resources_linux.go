package engine

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The bounds of what is read in /proc for one container.
const (
	maxProc      = 4 << 20
	maxProcesses = 100
)

// lookInside looks at the disks behind folders of a container, and at the files
// that its processes have open. The process is held by a handle before it is
// looked at whether it is the container's, so that a number that was given to
// another one leads nowhere.
func lookInside(id string, pid int, folders []string) (map[string]Disk, OpenFiles) {
	proc, err := unix.Open("/proc/"+strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, OpenFiles{}
	}
	defer unix.Close(proc)
	if !bytes.Contains(readIn(proc, "cgroup"), []byte(id)) && !bytes.Contains(readIn(proc, "mountinfo"), []byte(id)) {
		return nil, OpenFiles{}
	}
	files := openFiles(proc)
	for _, p := range descendants(proc, pid) {
		if child, err := unix.Open("/proc/"+strconv.Itoa(p), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
			if f := openFiles(child); f.Limit > 0 && (files.Limit == 0 || f.Open*files.Limit > files.Open*f.Limit) {
				files = f
			}
			_ = unix.Close(child)
		}
	}
	return disksOf(proc, folders), files
}

func disksOf(proc int, folders []string) map[string]Disk {
	root, err := unix.Openat(proc, "root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(root)
	out := map[string]Disk{}
	for _, folder := range folders {
		// Links inside lead to places inside.
		how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
		fd, err := unix.Openat2(root, strings.TrimPrefix(folder, "/"), &how)
		if err != nil {
			continue
		}
		var fs unix.Statfs_t
		var st unix.Stat_t
		if unix.Fstatfs(fd, &fs) == nil && unix.Fstat(fd, &st) == nil && fs.Blocks > 0 && fs.Flags&unix.ST_RDONLY == 0 {
			size := uint64(max(fs.Frsize, 1))
			out[folder] = Disk{Device: uint64(st.Dev), Total: fs.Blocks * size, Free: fs.Bavail * size, Inodes: fs.Files, InodesFree: fs.Ffree}
		}
		_ = unix.Close(fd)
	}
	return out
}

// openFiles counts; a process that may not be looked at has no limit.
func openFiles(proc int) OpenFiles {
	var out OpenFiles
	for line := range strings.Lines(string(readIn(proc, "limits"))) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			if words := strings.Fields(rest); len(words) > 0 {
				out.Limit, _ = strconv.Atoi(words[0]) // "unlimited" is no number
			}
		}
	}
	fd, err := unix.Openat(proc, "fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return OpenFiles{}
	}
	dir := os.NewFile(uintptr(fd), "fd")
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(1000)
		out.Open += len(names)
		if err != nil || out.Open > 1<<20 {
			return out
		}
	}
}

// descendants gives the processes that a process has started, and theirs.
func descendants(proc, pid int) []int {
	out := children(proc, pid)
	for i := 0; i < len(out) && len(out) < maxProcesses; i++ {
		if fd, err := unix.Open("/proc/"+strconv.Itoa(out[i]), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
			out = append(out, children(fd, out[i])...)
			_ = unix.Close(fd)
		}
	}
	return out[:min(len(out), maxProcesses)]
}

func children(proc, pid int) []int {
	n := strconv.Itoa(pid)
	var out []int
	for _, word := range strings.Fields(string(readIn(proc, "task/"+n+"/children"))) {
		if p, err := strconv.Atoi(word); err == nil && len(out) < maxProcesses {
			out = append(out, p)
		}
	}
	return out
}

func readIn(dir int, name string) []byte {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	data, _ := io.ReadAll(io.LimitReader(f, maxProc))
	return data
}
