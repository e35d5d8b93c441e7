package rules

import (
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// sslFileRules look at the keys and certificates that kopano_ssl makes in a
// volume for the others.
func sslFileRules() []Rule {
	return []Rule{
		{
			ID: "ssl-volume-missing", Subject: "certificates", Severity: finding.Error,
			Title:  "The volume with the internal keys is not mounted",
			Why:    "The settings name files in /kopano/ssl, which kopano_ssl makes in the volume kopanossl. Where it is not mounted the files are not there; kopano_server and konnect wait six minutes for them and stop.",
			Source: "kopano-docker core/start-service.sh, konnect/wrapper.sh, ssl/start.sh",
			Check:  sslMissing,
		},
		{
			ID: "ssl-volume-differs", Subject: "certificates", Severity: finding.Error,
			Title:  "Another volume than kopano_ssl's is mounted for the internal keys",
			Why:    "kopano_ssl fills one volume. Another one stays empty, and whoever looks for a key in it waits and stops.",
			Source: "kopano-docker ssl/start.sh",
			Check:  sslDiffers,
		},
		{
			ID: "ssl-volume-read-only", Subject: "certificates", Severity: finding.Error,
			Title:  "konnect cannot write the file of registered programs",
			Why:    "With allow_client_guests, konnect's start script writes the key of Meet's guests and the file of registered programs into the volume (konnect/wrapper.sh).",
			Source: "kopano-docker konnect/wrapper.sh",
			Check:  sslReadOnly,
		},
		{
			ID: "ssl-file-unknown", Subject: "certificates", Severity: finding.Error,
			Title: "A setting names a key that kopano_ssl does not make",
			Why: "kopano_ssl makes the files listed in ssl/start.sh and no others; they were called kserver.pem, kdagent.pem and so on until 2019. " +
				"kopano_server waits six minutes for its file and stops.",
			Source: "kopano-docker ssl/start.sh",
			Check:  sslUnknown,
		},
		{
			ID: "registration-file-differs", Subject: "identity", Severity: finding.Error,
			Title: "konnect and the meeting signalling use different files of registered programs",
			Why: "konnect writes the key that guests of a meeting sign in with into /kopano/ssl/konnectd-identifier-registration.yaml, whatever else is set (konnect/wrapper.sh), " +
				"and kwmserver reads it from the file in registration_conf.",
			Source: "kopano-docker konnect/wrapper.sh, kwmserver/wrapper.sh",
			Check:  registrationDiffers,
		},
	}
}

// sslMade are the files that kopano_ssl makes (ssl/start.sh). konnect makes the
// last two, if they are empty.
var sslMade = []string{
	"ca.pem", "kopano_server.pem", "kopano_server_2.pem", "kopano_dagent.pem", "kopano_monitor.pem", "kopano_search.pem", "kopano_spooler.pem",
	"kopano_webapp.pem", "admin.pem", "konnectd-encryption.key", "konnectd-tokens-signing-key.pem", "kapid-pubs-secret.key",
	"konnectd-identifier-registration.yaml", "ecparam.pem", "meet-kwmserver.pem", "clients",
}

// sslRenamed are the names of before kopano-docker's commit 10d264f. A volume
// that was filled then still holds them.
var sslRenamed = map[string]string{
	"kserver.pem": "kopano_server.pem", "kdagent.pem": "kopano_dagent.pem", "kspooler.pem": "kopano_spooler.pem",
	"kmonitor.pem": "kopano_monitor.pem", "ksearch.pem": "kopano_search.pem",
}

// sslFiles gives the settings of a link that name files in /kopano/ssl.
func sslFiles(e *kopano.Edge) []sighting {
	if e.From == nil || !isSSL(e) {
		return nil
	}
	var out []sighting
	for _, key := range append([]string{e.Link.Address.Setting}, e.Link.FileSettings...) {
		if v, ok := e.From.Get(key); ok && under(v.Reveal(), sslFolder) && !strings.Contains(v.Reveal(), " ") {
			out = append(out, sighting{e.From, v})
		}
	}
	return out
}

// sslFault makes the fault of a service that does not find the internal keys.
func sslFault(e *kopano.Edge, files []sighting) *fault {
	f := &fault{subject: e.From.Name, key: "mount " + sslFolder}
	for _, x := range files {
		f.places = append(f.places, placed(x.value, finding.Related)...)
	}
	return f
}

func sslMissing(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		files := sslFiles(e)
		if len(files) == 0 {
			return nil
		}
		if _, ok := in.Topology.MountAt(e.From, files[0].text()); ok {
			return nil
		}
		volume := "kopanossl"
		if e.ToMount != nil && e.ToMount.Source != "" {
			volume = e.ToMount.Source
		}
		f := sslFault(e, files)
		f.message = e.From.Name + " mounts nothing at " + sslFolder + ", so that the files that its settings name are not there."
		l := unmounted(in, e.From, sslFolder, "Add "+volume+":"+sslFolder+" to the volumes of "+e.From.Name+".")
		f.message, f.remedy, f.places = f.message+l.text, l.remedy, append(l.places, f.places...)
		return f
	})
}

func sslDiffers(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		files := sslFiles(e)
		if len(files) == 0 || e.To == nil || e.Route != kopano.RouteNone || e.FromMount == nil {
			return nil
		}
		if e.Link.To != kopano.SSL && firstService(in, kopano.SSL) != nil {
			return nil // both ends are compared with kopano_ssl
		}
		// A folder of the host holds what its owner put there.
		mine := e.FromMount
		if e.ToMount == nil {
			if in.Topology.Role(e.To) != kopano.SSL {
				return nil
			}
			return sslUnshared(in, e, files)
		}
		if mine.Type == types.VolumeTypeBind || e.ToMount.Type != types.VolumeTypeBind && shared(in, e.From, mine) && !odd(in, e, sslFolder) {
			return nil
		}
		who, theirs := e.From, e.ToMount
		if odd(in, e, sslFolder) {
			who, mine, theirs = e.To, e.ToMount, e.FromMount
		}
		f := sslFault(e, files)
		f.subject = who.Name
		f.message = who.Name + " mounts " + mountName(mine) + " at " + sslFolder + ", but " + other(e, who).Name + " mounts " + mountName(theirs) + " there."
		if who == e.To {
			f.message = who.Name + " mounts " + mountName(mine) + " at " + sslFolder + ", but those who need its files mount " + mountName(theirs) + "."
		}
		f.remedy = "Mount " + theirs.Source + ":" + sslFolder + " on " + who.Name + "."
		f.places = append([]finding.Location{mountPlace(who, mine).As(finding.Fix), mountPlace(other(e, who), theirs).As(finding.Related)}, f.places...)
		return f
	})
}

// sslUnshared is the fault of a kopano_ssl that keeps what it makes to itself.
func sslUnshared(in *Input, e *kopano.Edge, files []sighting) *fault {
	f := sslFault(e, files)
	f.subject = e.To.Name
	f.message = e.To.Name + " mounts nothing at " + sslFolder + ", so that nobody else gets what it makes there."
	l := unmounted(in, e.To, sslFolder, "Add "+e.FromMount.Source+":"+sslFolder+" to the volumes of "+e.To.Name+".")
	f.message, f.remedy, f.places = f.message+l.text, l.remedy, append(l.places, f.places...)
	return f
}

// shared reports whether a service that the catalogue does not know mounts the
// same volume at the same path: it may be what fills it.
func shared(in *Input, s *deployment.Service, v *types.ServiceVolumeConfig) bool {
	for _, o := range in.Deployment.Services {
		if o == s || in.Topology.Role(o) != kopano.Unknown {
			continue
		}
		for _, w := range o.Volumes {
			if w.Type == v.Type && w.Source == v.Source && path.Clean(w.Target) == path.Clean(v.Target) {
				return true
			}
		}
	}
	return false
}

func sslReadOnly(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		if e.Link.ID != "konnect-ssl" || e.FromMount == nil || !e.FromMount.ReadOnly || !isYes(value(e.From, "allow_client_guests")) {
			return nil
		}
		return &fault{
			message: e.From.Name + " mounts " + mountName(e.FromMount) + " at " + e.FromMount.Target + " read-only, and has to write into it.",
			remedy:  "Delete :ro from the mount.",
			places:  []finding.Location{mountPlace(e.From, e.FromMount).As(finding.Fix)},
		}
	})
}

func sslUnknown(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, e := range in.Topology.Edges {
		if e.Link.To != kopano.SSL || e.To == nil || e.Route != kopano.RouteVolume {
			continue
		}
		for _, x := range sslFiles(e) {
			mount, ok := in.Topology.MountAt(e.From, x.text())
			if !ok || path.Clean(mount.Target) != sslFolder || mount.Type == types.VolumeTypeBind {
				continue // a file of somebody's own is mounted over it
			}
			name, _, _ := strings.Cut(strings.TrimPrefix(path.Clean(x.text()), sslFolder+"/"), "/")
			if slices.Contains(sslMade, name) || x.text() == sslFolder {
				continue
			}
			f := finding.Finding{
				Subject: e.From.Name, Key: x.value.Key, Links: []string{e.ID},
				Message:     x.name() + " is " + x.shown() + ", which " + e.To.Name + " does not make.",
				Consequence: e.Link.Loses,
				Remedy:      "Name one of the files that it makes, or mount your own over it.",
				Locations:   x.value.Locations(),
			}
			if now, ok := sslRenamed[name]; ok {
				f.Severity = finding.Warning
				f.Message = x.name() + " is " + x.shown() + ", a name that kopano_ssl no longer uses. Only a volume of 2019 or before still holds it."
				f.Remedy = "Write " + x.name() + "=" + sslFolder + "/" + now
			} else if like, ok := nearestOf(name, sslMade); ok {
				f.Remedy = "Write " + x.name() + "=" + sslFolder + "/" + like
			}
			out = append(out, f)
		}
	}
	return out
}

func registrationDiffers(in *Input) []finding.Finding {
	const fixed = sslFolder + "/konnectd-identifier-registration.yaml"
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		if e.Link.ID != "kwmserver-konnect-registration" || e.To == nil || !isYes(value(e.From, "enable_guest_api")) {
			return nil
		}
		mine, _ := e.From.Get("registration_conf")
		theirs, ok := e.To.Get("identifier_registration_conf")
		if !ok || mine.Reveal() == "" || theirs.Reveal() == "" || path.Clean(mine.Reveal()) == path.Clean(theirs.Reveal()) {
			return nil
		}
		x, y := sighting{e.From, mine}, sighting{e.To, theirs}
		f := &fault{
			key:     "registration_conf",
			message: x.name() + " is " + x.shown() + ", but " + y.name() + " on " + e.To.Name + " is " + y.shown() + ".",
			remedy:  "Write " + x.name() + "=" + theirs.Reveal(),
			places:  append(mine.Locations(), placed(theirs, finding.Related)...),
		}
		if theirs.Reveal() != fixed && mine.Reveal() == fixed {
			f.subject, f.key = e.To.Name, "identifier_registration_conf"
			f.remedy = "Write " + y.name() + "=" + fixed
			f.places = append(theirs.Locations(), placed(mine, finding.Related)...)
		}
		return f
	})
}
