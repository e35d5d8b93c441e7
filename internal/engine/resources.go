package engine

import (
	"context"
	"time"
)

// Disk is the room on the file system behind a mount.
type Disk struct {
	Device             uint64 // tells file systems apart
	Total, Free        uint64 // bytes; Free is what those who are not root may still write
	Inodes, InodesFree uint64 // 0, 0 where the file system makes them as needed
}

// OpenFiles is how many files a process of a container has open, and may have.
type OpenFiles struct{ Open, Limit int }

// resourceTime bounds the look at disks: a dead network disk answers never.
const resourceTime = 2 * time.Second

// resources notes what running containers have used up, where the engine is
// this machine's and this user may look. What cannot be seen is left out.
func (c *Client) resources(ctx context.Context, s *Snapshot) {
	if s.Engine.Remote || s.Engine.Rootless {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, resourceTime)
	defer cancel()
	type seen struct {
		container int
		disks     map[string]Disk
		files     OpenFiles
	}
	answers, asked := make(chan seen, len(s.Containers)), 0
	for i := range s.Containers {
		one := &s.Containers[i]
		if one.State != Running || one.PID <= 0 || len(one.ID) < 12 {
			continue
		}
		var paths []string
		for _, m := range one.Mounts {
			if !m.ReadOnly && (m.Type == "volume" || m.Type == "bind") {
				paths = append(paths, m.Destination)
			}
		}
		asked++
		id, pid := one.ID, one.PID
		go func() {
			disks, files := lookInside(id, pid, paths)
			answers <- seen{i, disks, files}
		}()
	}
	for range asked {
		select {
		case a := <-answers:
			one := &s.Containers[a.container]
			one.Files = a.files
			for k := range one.Mounts {
				one.Mounts[k].Disk = a.disks[one.Mounts[k].Destination]
			}
		case <-ctx.Done():
			return // the late ones end by themselves, and nobody hears them
		}
	}
}
