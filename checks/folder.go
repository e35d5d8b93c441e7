package checks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

// Reasons of the check of files and folders.
const (
	ReasonNoFolder      Reason = "no-folder"
	ReasonNotExecutable Reason = "not-executable"
	ReasonFilesApart    Reason = "files-differ" // the two ends see different files under one name
)

// FolderReasons lists what the check of files and folders tells apart.
func FolderReasons() []ReasonDoc {
	return []ReasonDoc{
		{ReasonNoRoute, Resolve, "Not checked: the file can be read only from inside the container."},
		{ReasonFileMissing, Ask, "The file is not there."},
		{ReasonNoFolder, Ask, "The folder is not there."},
		{ReasonFileEmpty, Ask, "The file is there and empty."},
		{ReasonNotExecutable, Ask, "The program is there and cannot be run."},
		{ReasonFilesApart, Ask, "The two ends see different files under the same name."},
		{ReasonFileBad, Ask, "The file cannot be read."},
	}
}

// maxShared bounds how much of a file that two services share is compared.
const maxShared = 1 << 20

// CheckFolder looks at the file or folder through which a link works, as the
// container sees it.
func CheckFolder(_ context.Context, t Target) Result {
	c := &folderClimb{climb: newClimb(t, "files"), name: t.Edge.Addr.Path}
	c.address = c.name
	switch t.Edge.Link.ID {
	case "server-attachments":
		return c.folder("kopano_server makes the folder when it starts. Look what its log says, and whether the volume is mounted where KCCONF_SERVER_ATTACHMENT_PATH says.")
	case "spamd-mail":
		return c.folder("Mount the same volume at " + path.Dir(c.name) + " in both services, and recreate them.")
	case "kapi-kvs":
		c.name = path.Dir(c.name)
		return c.folder("Mount a volume at the folder of KCCONF_KAPID_PLUGIN_KVS_DB_DATASOURCE, and recreate " + c.from() + ".")
	case "dagent-autorespond":
		return c.program()
	}
	return c.shared()
}

type folderClimb struct {
	*climb
	name string
}

func (c *folderClimb) folder(remedy string) Result {
	info, f := c.stat(c.target.Edge.From)
	switch {
	case f != nil && f.Reason == ReasonFileMissing:
		f.Reason = ReasonNoFolder
		return c.fail(c.broke(f, "A folder that "+c.from()+" needs is not there", c.mounts(), remedy))
	case f != nil:
		return c.fail(f)
	case !info.Dir:
		f := &failure{Ask, ReasonNoFolder, c.name + " in " + c.from() + " is no folder", nil}
		return c.fail(c.broke(f, "A folder that "+c.from()+" needs is not there", c.mounts(), remedy))
	}
	return c.ok(Ask, "%s has the folder %s", c.from(), c.name)
}

// program looks at a program that the service runs.
func (c *folderClimb) program() Result {
	const anybodyRuns = 0o111
	info, f := c.stat(c.target.Edge.From)
	switch {
	case f != nil && f.Reason == ReasonFileMissing:
		return c.fail(c.broke(f, "The program for out-of-office answers is not there", c.target.Edge.Locations(),
			"Set KCCONF_DAGENT_AUTORESPONDER=/usr/local/bin/kopano-autorespond on "+c.from()+"."))
	case f != nil:
		return c.fail(f)
	case info.Dir || info.Mode&anybodyRuns == 0:
		f := &failure{Ask, ReasonNotExecutable, c.name + " in " + c.from() + " cannot be run", nil}
		return c.fail(c.broke(f, "The program for out-of-office answers cannot be run", c.target.Edge.Locations(),
			"Set KCCONF_DAGENT_AUTORESPONDER=/usr/local/bin/kopano-autorespond on "+c.from()+"."))
	}
	return c.ok(Ask, "%s has the program %s", c.from(), c.name)
}

// shared compares the file of registered programs as kwmserver and Konnect see it.
func (c *folderClimb) shared() Result {
	mine, f := c.read(c.target.Edge.From, c.name)
	if f != nil {
		if f.Reason == ReasonFileMissing {
			c.broke(f, "The file of registered programs is not there", c.mounts(), "Restart kopano_konnect, which writes it, and then "+c.from()+".")
		}
		return c.fail(f)
	}
	if len(bytes.TrimSpace(mine)) == 0 {
		f := &failure{Ask, ReasonFileEmpty, c.name + " in " + c.from() + " is empty", nil}
		return c.fail(c.broke(f, "The file of registered programs is empty", c.mounts(),
			"Restart kopano_konnect, which fills it, and then "+c.from()+", which reads it when it starts."))
	}
	other, name := c.target.Edge.To, c.name
	if other == nil || c.target.Topology.Role(other) != kopano.Konnect {
		return c.ok(Ask, "%s has the file %s", c.from(), c.name)
	}
	if v, ok := other.Get("identifier_registration_conf"); ok && v.Reveal() != "" {
		name = v.Reveal()
	}
	theirs, f := c.read(other, name)
	if f != nil || bytes.Equal(mine, theirs) {
		return c.ok(Ask, "%s has the file %s", c.from(), c.name)
	}
	f = &failure{Ask, ReasonFilesApart, fmt.Sprintf("%s in %s and %s in %s differ", c.name, c.from(), name, other.Name), nil}
	return c.fail(c.broke(f, c.from()+" and "+other.Name+" use different files of registered programs", c.mounts(),
		"Mount the same volume in both, and name the same file in registration_conf and identifier_registration_conf."))
}

func (c *folderClimb) stat(s *deployment.Service) (FileInfo, *failure) {
	if c.target.Files == nil {
		return FileInfo{}, &failure{Resolve, ReasonNoRoute, "the files of " + s.Name + " cannot be read from here", nil}
	}
	info, err := c.target.Files.Stat(s, c.name)
	return info, c.fileFailure(s, c.name, err)
}

func (c *folderClimb) read(s *deployment.Service, name string) ([]byte, *failure) {
	if c.target.Files == nil {
		return nil, &failure{Resolve, ReasonNoRoute, "the files of " + s.Name + " cannot be read from here", nil}
	}
	data, err := c.target.Files.ReadFile(s, name, maxShared)
	return data, c.fileFailure(s, name, err)
}

func (c *folderClimb) fileFailure(s *deployment.Service, name string, err error) *failure {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, vantage.ErrNoRoute):
		return &failure{Resolve, ReasonNoRoute, oneLine(err.Error()), err}
	case errors.Is(err, fs.ErrNotExist):
		return &failure{Ask, ReasonFileMissing, "there is no " + name + " in " + s.Name, err}
	}
	f := &failure{Ask, ReasonFileBad, fmt.Sprintf("%s in %s cannot be read: %s", name, s.Name, oneLine(err.Error())), err}
	c.broke(f, "A file that "+s.Name+" needs cannot be read", []finding.Location{s.Locate("volumes").As(finding.Fix)}, "Look at the owner and the mode of "+name+" in "+s.Name+".")
	return f
}
