package rules

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// socketRules look at the links that meet in a volume: sockets, and files that
// one service makes and another reads.
func socketRules() []Rule {
	return []Rule{
		{
			ID: "socket-volume-missing", Subject: "storage", Severity: finding.Error,
			Title: "A volume through which services find each other is not mounted",
			Why: "Most of Kopano reaches the storage server through the socket in /run/kopano, which kopano-docker shares as the volume kopanosocket. " +
				"A container that does not mount it waits six minutes for the socket and stops (core/start-service.sh).",
			Source: "kopano-docker docker-compose.yml, core/start-service.sh",
			Check:  func(in *Input) []finding.Finding { return sharedVolume(in, notMounted, isSocketVolume) },
		},
		{
			ID: "socket-volume-differs", Subject: "storage", Severity: finding.Error,
			Title:  "Two services mount different volumes where they should meet",
			Why:    "Two volumes are two folders: the socket that one program makes is never seen by the other.",
			Source: "compose specification, volumes; kopano-docker docker-compose.yml",
			Check:  func(in *Input) []finding.Finding { return sharedVolume(in, differs, isSocketVolume) },
		},
		{
			ID: "socket-path-differs", Subject: "storage", Severity: finding.Error,
			Title: "A service looks for a socket where nobody makes one",
			Why: "Both ends have the path of the socket in a setting of their own, or one of them has it built in: grapi always makes its sockets in /var/run/kopano/grapi (core/start-service.sh), " +
				"whereas kapi would look in /var/run/kopano-grapi (kapid.cfg).",
			Source: "kopano-docker core/start-service.sh; kapi scripts/kapid.cfg",
			Check:  socketPath,
		},
		{
			ID: "search-missing", Subject: "links", Severity: finding.Warning,
			Title:  "The storage server asks for a search service that is not here",
			Why:    "Searching is asked of kopano_search first (search_enabled is yes unless it is set to no). Without it each search waits ten seconds for nothing (search_timeout) before the database is searched.",
			Source: "kopano-core provider/server/ECServer.cpp (search_enabled, search_timeout)",
			Check:  searchMissing,
		},
		{
			ID: "docker-socket-missing", Subject: "storage", Severity: finding.Error,
			Title:  "The scheduler has no access to Docker",
			Why:    "Its jobs are docker exec commands, which need /var/run/docker.sock (scheduler/start.sh). The first that fails ends the container, and it is not started again (restart: \"no\").",
			Source: "kopano-docker scheduler/start.sh, docker-compose.yml",
			Check:  dockerSocket,
		},
	}
}

// servesAnother reports whether the other end of a link that can be done
// without belongs to another service: the search of the first of two servers.
func servesAnother(in *Input, e *kopano.Edge) bool {
	return e.Link.Optional && e.Addr.Default && slices.ContainsFunc(in.Topology.EdgesOf(e.Link.ID), func(x *kopano.Edge) bool {
		return x.To == e.To && x.Route == kopano.RouteVolume
	})
}

// What can be wrong with a volume that two services share.
const (
	notMounted = iota // one of them does not mount it
	differs           // they mount different ones
)

func isSocketVolume(e *kopano.Edge) bool { return !isSSL(e) }

// isSSL reports whether a link is a file that kopano_ssl makes.
func isSSL(e *kopano.Edge) bool { return e.Link.To == kopano.SSL || e.Link.Mount == sslFolder }

// sslFolder is where kopano-docker's containers look for the files of kopano_ssl.
const sslFolder = "/kopano/ssl"

// separated reports whether a link should meet in a volume and does not.
func separated(e *kopano.Edge) bool {
	return e.From != nil && e.To != nil && e.From != e.To && isPath(e.Protocol) && e.Route == kopano.RouteNone
}

func sharedVolume(in *Input, kind int, want func(*kopano.Edge) bool) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		if !separated(e) || !want(e) || e.Addr.Problem != "" || wrongPath(in, e) || servesAnother(in, e) {
			return nil
		}
		if missing := e.FromMount == nil || e.ToMount == nil; missing != (kind == notMounted) {
			return nil
		}
		if kind == notMounted {
			return volumeMissing(in, e)
		}
		return volumeDiffers(in, e)
	})
}

// meeting gives the folders in which the two ends of a link should meet.
func meeting(e *kopano.Edge) (from, to string) {
	from, to = e.Link.Mount, e.Link.Mount
	if from == "" || e.Addr.Path != "" && !under(e.Addr.Path, from) {
		from = path.Dir(e.Addr.Path)
	}
	if p := listenPath(e); p != "" && !under(p, to) {
		to = path.Dir(p)
	}
	if to == "" {
		to = from
	}
	return from, to
}

// listenPath gives the path of the socket that To makes, or "".
func listenPath(e *kopano.Edge) string {
	if e.Listen == nil || e.Listen.Problem != "" || len(e.Listen.Addrs) == 0 {
		return ""
	}
	return e.Listen.Addrs[0].Path
}

// under reports whether a path is a folder or lies in it; /var/run is /run.
func under(p, folder string) bool {
	p, folder = plainTarget(p), plainTarget(folder)
	return p == folder || strings.HasPrefix(p, folder+"/")
}

func volumeMissing(in *Input, e *kopano.Edge) *fault {
	from, to := meeting(e)
	who, at, there := e.From, from, e.ToMount
	if e.FromMount != nil || e.ToMount == nil && in.Topology.Role(e.To) == kopano.Server && everyoneElse(in, e) {
		who, at, there = e.To, to, e.FromMount
	}
	f := &fault{
		subject: who.Name,
		key:     "mount " + at,
		message: who.Name + " mounts nothing at " + at + ", where it meets " + other(e, who).Name + ".",
	}
	source := "the same volume at " + at + " on both"
	if there != nil && there.Source != "" {
		source = there.Source + ":" + at + " to the volumes of " + who.Name
	}
	if who == e.To { // one missing mount for all who look for it
		f.message = who.Name + " mounts nothing at " + at + ", so that those who look there for its files find nothing."
	}
	l := unmounted(in, who, at, "Add "+source+".")
	f.message, f.remedy, f.places = f.message+l.text, l.remedy, l.places
	f.places = append(f.places, related(mountPlace(other(e, who), there))...)
	f.places = append(f.places, related(addressPlaces(e)...)...)
	return f
}

// everyoneElse reports whether the others that need To's folder do not find it
// either, so that To is the one that lacks it.
func everyoneElse(in *Input, e *kopano.Edge) bool {
	n := 0
	for _, x := range in.Topology.Edges {
		if x == e || x.To != e.To || x.Link.Mount != e.Link.Mount || !isPath(x.Protocol) {
			continue
		}
		if x.Route == kopano.RouteVolume {
			return false
		}
		n++
	}
	return n > 0
}

func volumeDiffers(in *Input, e *kopano.Edge) *fault {
	from, to := meeting(e)
	who, mine, theirs := e.From, e.FromMount, e.ToMount
	if odd(in, e, from) {
		who, mine, theirs = e.To, e.ToMount, e.FromMount
		from, to = to, from
	}
	f := &fault{
		subject: who.Name,
		key:     "mount " + from,
		message: who.Name + " mounts " + mountName(mine) + " at " + from + ", but " + other(e, who).Name + " mounts " + mountName(theirs) + " there.",
		remedy:  "Mount " + theirs.Source + ":" + from + " on " + who.Name + ".",
		places:  []finding.Location{mountPlace(who, mine).As(finding.Fix), mountPlace(other(e, who), theirs).As(finding.Related)},
	}
	if theirs.Source == "" || theirs.Type == types.VolumeTypeTmpfs {
		f.remedy = "Mount one volume at " + from + " on both."
	}
	if who == e.To { // one wrong mount for all who look for it
		f.message = who.Name + " mounts " + mountName(mine) + " at " + from + ", but those who look for its files there mount " + mountName(theirs) + "."
	}
	f.places = append(f.places, related(addressPlaces(e)...)...)
	return f
}

// odd reports whether To is the one with the wrong mount: nobody meets it
// there, and another of those who should mounts the same as From.
func odd(in *Input, e *kopano.Edge, at string) bool {
	agree := false
	for _, x := range in.Topology.Edges {
		if x == e || x.To != e.To || x.Link.Mount != e.Link.Mount || !isPath(x.Protocol) {
			continue
		}
		if x.Route == kopano.RouteVolume {
			return false
		}
		agree = agree || x.From != e.From && in.Topology.SameStorage(x.From, at, e.From, at)
	}
	return agree
}

func mountName(v *types.ServiceVolumeConfig) string {
	switch {
	case v == nil:
		return "nothing"
	case v.Type == types.VolumeTypeTmpfs:
		return "a tmpfs of its own"
	case v.Source == "":
		return "a volume without a name"
	case v.Type == types.VolumeTypeBind:
		return "the folder " + quote(v.Source)
	default:
		return "the volume " + quote(v.Source)
	}
}

// mountPlace gives the place of a mount of a service.
func mountPlace(s *deployment.Service, v *types.ServiceVolumeConfig) finding.Location {
	if v != nil {
		for i, own := range s.Volumes {
			if own.Target == v.Target && own.Source == v.Source {
				return s.Locate("volumes", strconv.Itoa(i))
			}
		}
		for i, t := range s.Tmpfs {
			if target, _, _ := strings.Cut(t, ":"); target == v.Target {
				return s.Locate("tmpfs", strconv.Itoa(i))
			}
		}
		if len(s.VolumesFrom) > 0 {
			return s.Locate("volumes_from")
		}
	}
	return s.Locate("volumes")
}

// wrongPath reports whether the ends of a link share the folder where they
// should meet, but not the path: then the path is at fault and not the volume.
func wrongPath(in *Input, e *kopano.Edge) bool {
	shared := func(at string) bool {
		return at != "" && e.Addr.Path != "" && !under(e.Addr.Path, at) && in.Topology.SameStorage(e.From, at, e.To, at)
	}
	if shared(e.Link.Mount) {
		return true
	}
	there := listenPath(e)
	return there != "" && shared(path.Dir(there))
}

func socketPath(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		there := listenPath(e)
		if e.From == nil || e.To == nil || e.Protocol != kopano.ProtoSocket || there == "" || e.Addr.Path == "" || e.Addr.Problem != "" {
			return nil
		}
		if e.Route != kopano.RouteVolume && !wrongPath(in, e) || in.Topology.SameStorage(e.From, e.Addr.Path, e.To, there) {
			return nil
		}
		f := &fault{places: addressPlaces(e)}
		if e.Link.Optional {
			f.severity = finding.Warning
		}
		if x, ok := hostSetting(e); ok {
			f.message = x.name() + " is " + x.shown() + ", but " + e.To.Name + " makes its socket at " + there + "."
			f.remedy = "Set " + x.name() + "=" + socketText(e, there) + " on " + e.From.Name + "."
			if v := e.Listen.Value; v != nil {
				f.places = append(f.places, placed(*v, finding.Related)...)
			}
			return f
		}
		usual := e.Addr.Path
		if rest, ok := strings.CutPrefix(usual, "/var/run/"); ok {
			usual = "/run/" + rest
		}
		if v := e.Listen.Value; v != nil { // the one end changed, the others know nothing of it
			x := sighting{e.To, *v}
			f.subject, f.key = e.To.Name, v.Key
			f.message = x.name() + " is " + x.shown() + ", but the socket of " + e.To.Name + " is looked for at " + usual + "."
			f.remedy = "Remove " + v.Key + " from " + e.To.Name + ", and mount the volume at " + path.Dir(usual) + "."
			f.places = append(v.Locations(), related(f.places...)...)
			return f
		}
		setting := addressSetting(e.Link.Address)
		f.message = "Without " + setting + " " + e.From.Name + " looks for " + e.To.Name + " at " + usual + ", but the socket is at " + there + "."
		f.remedy = "Set " + setting + "=" + socketText(e, there) + " on " + e.From.Name + "."
		return f
	})
}

// socketText writes a socket's path in the form of the setting.
func socketText(e *kopano.Edge, p string) string {
	if e.Link.Address.Form == kopano.FormURI || strings.HasPrefix(e.Link.Address.Default, "file://") {
		return "file://" + p
	}
	return p
}

func searchMissing(in *Input) []finding.Finding {
	const key = "KCCONF_SERVER_SEARCH_ENABLED"
	if isIncomplete(in) {
		return nil
	}
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Server) {
		v, set := s.Get(key)
		// Asked for by its socket, it may run on the host or in another project.
		e := in.Topology.Edge("server-search@" + s.Name)
		if isNo(v.Reveal()) && set || !configured(s) || e != nil && !servesAnother(in, e) || e != nil && e.Route == kopano.RouteVolume {
			continue
		}
		f := finding.Finding{
			Subject: s.Name, Key: key,
			Message:     "No service here is the full text search of " + s.Name + ", but " + key + " is not no.",
			Consequence: kopano.LinkByID("server-search").Loses,
			Remedy:      "Set " + key + "=no on " + s.Name + ", or load kopano_search.",
			Locations:   []finding.Location{s.Locate("environment").As(finding.Fix)},
		}
		if set {
			f.Locations = v.Locations()
		}
		out = append(out, f)
	}
	return out
}

// isNo reports what kopano-core takes for no (common/stringutil.h, parseBool).
func isNo(s string) bool { return s == "no" || s == "false" || s == "0" }

func dockerSocket(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		if e.Protocol != kopano.ProtoDocker || has(e.From, "DOCKER_HOST") || e.FromMount != nil && e.FromMount.Type == types.VolumeTypeBind {
			return nil
		}
		f := &fault{
			message: e.From.Name + " mounts nothing at /var/run/docker.sock.",
			remedy:  "Add /var/run/docker.sock:/var/run/docker.sock:ro to the volumes of " + e.From.Name + ".",
			places:  []finding.Location{e.From.Locate("volumes").As(finding.Fix)},
		}
		for i, v := range e.From.Volumes { // the socket, brought to another place
			if path.Base(v.Source) == "docker.sock" {
				f.message += " It mounts the socket at " + v.Target + " instead."
				f.remedy = "Write /var/run/docker.sock:/var/run/docker.sock:ro there."
				f.places = []finding.Location{e.From.Locate("volumes", itoa(i)).As(finding.Fix)}
			}
		}
		if e.FromMount != nil {
			f.message = e.From.Name + " mounts " + mountName(e.FromMount) + " at " + e.FromMount.Target + ", where Docker's socket should be."
			f.remedy = "Mount /var/run/docker.sock:/var/run/docker.sock:ro on " + e.From.Name + "."
			f.places = []finding.Location{mountPlace(e.From, e.FromMount).As(finding.Fix)}
		}
		return f
	})
}
