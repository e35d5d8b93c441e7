package checks_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

// volume makes a named volume of the deployment as the engine keeps it.
func (s *scene) volume(name string) string {
	s.t.Helper()
	dir := filepath.Join(s.lab.Dir, "volumes", "kopano_"+name, "_data")
	labtest.Check(s.t, os.MkdirAll(dir, 0o755))
	return dir
}

func TestFolders(t *testing.T) {
	s := newScene(t)
	data := s.volume("kopanodata")
	attachments := func() checks.Result { return s.run(checks.CheckFolder, "server-attachments", "kopano_server") }
	s.want(attachments(), expect{rung: checks.Ask, reason: checks.ReasonNoFolder, id: "live-files-no-folder", says: "attachments"})
	labtest.Check(t, os.Mkdir(filepath.Join(data, "attachments"), 0o755))
	s.want(attachments(), expect{status: checks.OK, rung: checks.Ask, message: "attachments"})
	s.want(s.run(checks.CheckFolder, "kapi-kvs", "kopano_kapi"), expect{rung: checks.Ask, reason: checks.ReasonNoFolder, id: "live-files-no-folder"})
	labtest.Check(t, os.Mkdir(filepath.Join(data, "kapi-kvs"), 0o755))
	s.want(s.run(checks.CheckFolder, "kapi-kvs", "kopano_kapi"), expect{status: checks.OK, rung: checks.Ask})

	file := newScene(t)
	labtest.Check(t, os.WriteFile(filepath.Join(file.volume("kopanodata"), "attachments"), nil, 0o600))
	file.want(file.run(checks.CheckFolder, "server-attachments", "kopano_server"), expect{rung: checks.Ask, reason: checks.ReasonNoFolder, id: "live-files-no-folder", says: "no folder"})
}

func TestFoldersOutOfReach(t *testing.T) {
	s := newScene(t)
	for link, from := range map[string]string{"server-attachments": "kopano_server", "dagent-autorespond": "kopano_dagent", "kwmserver-konnect-registration": "kopano_kwmserver"} {
		s.want(s.run(checks.CheckFolder, link, from), expect{status: checks.Unchecked, rung: checks.Resolve, reason: checks.ReasonNoRoute})
	}
}

func TestRegistrationFile(t *testing.T) {
	s := newScene(t)
	dir := s.sslVolume()
	look := func() checks.Result {
		return s.run(checks.CheckFolder, "kwmserver-konnect-registration", "kopano_kwmserver")
	}
	s.want(look(), expect{rung: checks.Ask, reason: checks.ReasonFileMissing, id: "live-files-file-missing"})
	name := filepath.Join(dir, "konnectd-identifier-registration.yaml")
	labtest.Check(t, os.WriteFile(name, []byte("\n"), 0o600))
	s.want(look(), expect{rung: checks.Ask, reason: checks.ReasonFileEmpty, id: "live-files-file-empty", says: "empty"})
	labtest.Check(t, os.WriteFile(name, []byte("clients: []\n"), 0o600))
	s.want(look(), expect{status: checks.OK, rung: checks.Ask})
}
