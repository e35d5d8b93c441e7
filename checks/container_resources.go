package checks

import (
	"fmt"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// When a disk is full, and when it soon will be. Of a big disk, five parts of
// a hundred last for long.
const (
	diskEmpty = 100 << 20
	diskLow   = 5 << 30
	diskSmall = 1 << 30 // below, only the share counts
)

// disk reports a file system that is full or nearly so, when it holds what the
// catalogue says must not be lost. One file system is told once.
func (a about) disk() {
	system := kopano.SystemOf(a.topology.Role(a.service))
	if system == nil {
		return
	}
	for _, v := range system.Volumes {
		m, ok := mountAt(a.container, v.Path)
		if !ok || m.Disk.Total == 0 || a.diskTold[m.Disk.Device] {
			continue
		}
		severity, what := judgeDisk(m.Disk)
		if severity == 0 {
			continue
		}
		if a.diskTold == nil {
			a.comparison.diskTold = map[uint64]bool{}
		}
		a.comparison.diskTold[m.Disk.Device] = true
		a.comparison.add(a.service, ReasonDisk, severity, finding.Finding{
			Title:       fmt.Sprintf("The disk behind %s of %s %s", v.Path, a.service.Name, fullness(severity)),
			Message:     what + fmt.Sprintf(" It holds %s.", v.Holds),
			Consequence: "When nothing more can be written, mail is not delivered, and a database may stop or be damaged.",
			Remedy:      fmt.Sprintf("Make room on the disk of %s, or give it a bigger one. docker system df shows what the engine itself uses.", place(m)),
			Locations:   []finding.Location{a.service.Locate("volumes").As(finding.Fix)}, Key: strings.TrimPrefix(ordinal(a.container)+"/"+v.Path, "/"),
		})
	}
}

func fullness(s finding.Severity) string {
	if s == finding.Error {
		return "is full"
	}
	return "is nearly full"
}

func place(m engine.Mount) string {
	if m.Type == "volume" {
		return "the volume " + m.Name
	}
	return m.Source
}

// mountAt gives the mount in which a path lies: the deepest one.
func mountAt(c engine.Container, path string) (engine.Mount, bool) {
	var best engine.Mount
	for _, m := range c.Mounts {
		at := strings.TrimSuffix(m.Destination, "/")
		if (path == at || strings.HasPrefix(path, at+"/")) && len(m.Destination) > len(best.Destination) {
			best = m
		}
	}
	return best, best.Destination != ""
}

// judgeDisk gives 0 when there is room.
func judgeDisk(d engine.Disk) (finding.Severity, string) {
	room := fmt.Sprintf("%s of %s are free.", size(int64(d.Free)), size(int64(d.Total)))
	switch {
	case d.Free == 0, d.Total >= diskSmall && d.Free < diskEmpty:
		return finding.Error, room
	case d.Inodes > 0 && d.InodesFree == 0:
		return finding.Error, fmt.Sprintf("%s But all of its %d inodes are used, so no file can be made.", room, d.Inodes)
	case d.Free < d.Total/20 && d.Free < diskLow:
		return finding.Warning, room
	case d.Inodes > 0 && d.InodesFree < d.Inodes/50:
		return finding.Warning, fmt.Sprintf("%s But only %d of its %d inodes are left; each file takes one.", room, d.InodesFree, d.Inodes)
	}
	return 0, ""
}

// openFiles reports a process that soon cannot open another file or connection.
func (a about) openFiles() {
	f := a.container.Files
	if f.Limit <= 0 || f.Open*10 < f.Limit*9 {
		return
	}
	at := a.service.At
	if len(a.service.Ulimits) > 0 {
		at = a.service.Locate("ulimits")
	}
	a.add(ReasonOpenFiles, finding.Warning, "has nearly as many files open as it may",
		fmt.Sprintf("A process of %s has %d files and connections open, and may have %d.", a.container.Name, f.Open, f.Limit),
		fmt.Sprintf("Raise the limit (ulimits: nofile: %d in the service), then: docker compose up -d %s. A restart helps for a while.", max(65536, 4*f.Limit), a.service.Name), at)
}
