package checks

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// drift reports where a running container is not what the files say now.
func (a about) drift() {
	a.environment()
	a.image()
	a.networks()
	a.mounts()
}

// environment compares names and values; only the names are told.
func (a about) environment() {
	changed, maybe := a.changedKeys()
	gone := a.goneKeys()
	all := slices.Concat(changed, maybe, gone)
	if len(all) == 0 {
		return
	}
	severity := finding.Warning
	message := fmt.Sprintf("%s was started%s with other values than the files have now: %s.", a.container.Name, at(a.container.Started), names(all))
	if len(changed)+len(gone) == 0 {
		severity = finding.Info
		message += " They come from the shell that runs Docker Compose: if that is another one than this, nothing is wrong."
	}
	if strings.HasPrefix(a.container.Compose, "1.") {
		message += " It was started by Docker Compose 1, which reads quotes and dollar signs in another way."
	}
	f := finding.Finding{
		Title:       a.service.Name + " runs with other settings than the files have",
		Message:     message,
		Consequence: "What the files say is not in force before the container is made anew; a restart does not do that.",
		Remedy:      "docker compose up -d " + a.service.Name,
		Locations:   a.placesOf(changed, maybe), Key: ordinal(a.container),
		Links: a.linksWith(all),
	}
	a.comparison.add(a.service, ReasonEnvironment, severity, f)
}

// changedKeys gives the keys of the files that the container lacks or has with
// another value; maybe are those that depend on the shell that runs Compose.
func (a about) changedKeys() (changed, maybe []string) {
	for _, key := range a.service.Keys() {
		value := a.service.Env[key]
		got, ok := a.container.Environment[key]
		switch {
		case ok && got.Reveal() == value.Reveal():
		case ofShell(value):
			maybe = append(maybe, key)
		default:
			changed = append(changed, key)
		}
	}
	return changed, maybe
}

// ofShell reports whether a value comes from the process environment, or would
// if it were set there.
func ofShell(v deployment.Value) bool {
	shell := func(s deployment.Source) bool { return s == deployment.FromProcess || s == deployment.FromUnset }
	return shell(v.Source) || slices.ContainsFunc(v.Variables, func(x deployment.Variable) bool { return shell(x.Source) })
}

// goneKeys gives the keys that somebody gave the container, and that are in the
// files no more. What the image and the engine set is not among them.
func (a about) goneKeys() []string {
	if a.container.ImageEnv == nil {
		return nil
	}
	var gone []string
	for key, value := range a.container.Environment {
		// A bare KEY without a value is there, and is up to the shell that starts.
		_, kept := a.service.Environment[key]
		given, ofImage := a.container.ImageEnv[key]
		if !kept && !ofEngine(key) && !(ofImage && given.Reveal() == value.Reveal()) {
			gone = append(gone, key)
		}
	}
	slices.Sort(gone)
	return gone
}

// ofEngine: what engines, and Compose from the proxies of ~/.docker/config.json,
// put into every container.
func ofEngine(key string) bool {
	switch key {
	case "PATH", "HOME", "HOSTNAME", "TERM", "container":
		return true
	}
	return strings.HasSuffix(strings.ToLower(key), "_proxy")
}

// placesOf gives where the values are written, the sure ones first; the service
// itself for keys that are written nowhere.
func (a about) placesOf(lists ...[]string) []finding.Location {
	const most = 6
	var out []finding.Location
	for _, key := range slices.Concat(lists...) {
		for _, l := range a.service.Env[key].Locations() {
			if l.Role == finding.Fix && l.File != "(environment)" && len(out) < most {
				out = append(out, l)
			}
		}
	}
	if len(out) == 0 {
		out = []finding.Location{a.service.At.As(finding.Fix)}
	}
	return out
}

// linksWith gives the links that one of the keys has a part in.
func (a about) linksWith(keys []string) []string {
	ids := []string{}
	for _, e := range a.topology.Edges {
		if e.From != a.service && e.To != a.service {
			continue
		}
		if slices.ContainsFunc(keysOf(e, a.service), func(k string) bool { return slices.Contains(keys, k) }) {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// keysOf gives the settings of one end that a link depends on.
func keysOf(e *kopano.Edge, s *deployment.Service) []string {
	var keys []string
	for _, pair := range e.Link.Same {
		if e.From == s {
			keys = append(keys, pair.From)
		}
		if e.To == s {
			keys = append(keys, pair.To, pair.ToAlso, pair.ToElse)
		}
	}
	if e.From == s {
		keys = append(keys, e.Link.Requires...)
		keys = append(keys, e.Link.FileSettings...)
		for _, end := range append([]kopano.Endpoint{e.Addr}, e.More...) {
			for _, v := range end.Values {
				keys = append(keys, v.Key)
			}
		}
	}
	if e.To == s && e.Listen != nil && e.Listen.Value != nil {
		keys = append(keys, e.Listen.Value.Key)
	}
	return slices.DeleteFunc(keys, func(k string) bool { return k == "" })
}

func names(keys []string) string {
	const most = 8
	if extra := len(keys) - most; extra > 0 {
		return strings.Join(keys[:most], ", ") + fmt.Sprintf(" and %d more", extra)
	}
	return strings.Join(keys, ", ")
}

func (a about) image() {
	want, have := a.service.Image, a.container.Image
	if want == "" || a.container.ImageID == "" {
		return
	}
	if imageName(want) != imageName(have) && !strings.HasPrefix(have, "sha256:") {
		a.add(ReasonImage, finding.Warning, "runs another image than the files name",
			fmt.Sprintf("%s runs %s; the files say %s.", a.container.Name, have, want),
			"docker compose up -d "+a.service.Name, a.service.Locate("image"))
		return
	}
	if now := a.snapshot.Images[want].ID; now != "" && now != a.container.ImageID {
		a.add(ReasonNewerImage, finding.Info, "runs an older image than the one of this name",
			fmt.Sprintf("%s was pulled or built anew since %s was made; the container still runs the old one.", want, a.container.Name),
			"docker compose up -d "+a.service.Name, a.service.Locate("image"))
	}
}

// imageName writes out what engines leave out of a name.
func imageName(s string) string {
	for _, prefix := range []string{"index.docker.io/", "docker.io/", "localhost/", "library/"} {
		s = strings.TrimPrefix(s, prefix)
	}
	if i := kopano.ParseImage(s); i.Tag == "" && !strings.Contains(s, "@") {
		s += ":latest"
	}
	return s
}

func (a about) networks() {
	if a.service.NetworkMode != "" {
		return
	}
	for _, key := range a.service.NetworkNames() {
		network, ok := a.model().Networks[key]
		if !ok {
			continue // the files do not define it; a rule says so
		}
		name := a.realName(key, network.Name)
		end, on := a.container.Networks[name]
		place := a.service.At
		if _, written := a.service.Networks[key]; written {
			place = a.service.Locate("networks", key)
		}
		if !on {
			a.network(key, "is not on the network "+key,
				fmt.Sprintf("The files put %s on the network %s (%s); the running container is not on it.", a.service.Name, key, name),
				fmt.Sprintf("docker compose up -d --force-recreate %s, or now and for this container only: docker network connect %s %s", a.service.Name, name, a.container.Name), place)
			continue
		}
		if missing := missingAliases(a.service.Networks[key], end); len(missing) > 0 {
			a.network(key, "lacks a name that the files give it",
				fmt.Sprintf("On the network %s %s should answer to %s as well; the running container does not.", key, a.service.Name, strings.Join(missing, ", ")),
				"docker compose up -d "+a.service.Name, place)
		}
	}
}

func (a about) network(key, title, message, remedy string, place finding.Location) {
	a.comparison.add(a.service, ReasonNetworks, finding.Warning, finding.Finding{
		Title: a.service.Name + " " + title, Message: message, Remedy: remedy,
		Locations: []finding.Location{place.As(finding.Fix)},
		Key:       strings.TrimPrefix(ordinal(a.container)+"/"+key, "/"),
		Links:     a.linksOver(key),
	})
}

// linksOver gives the links of the service that go over a network. A published
// port leads to the container over one of its networks, nobody says which.
func (a about) linksOver(key string) []string {
	ids := []string{}
	for _, e := range a.topology.Edges {
		if (e.From == a.service || e.To == a.service) && slices.Contains(e.Shared, key) || e.From == nil && e.To == a.service {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

func missingAliases(config *types.ServiceNetworkConfig, have engine.Endpoint) []string {
	if config == nil {
		return nil
	}
	var missing []string
	for _, alias := range config.Aliases {
		if !slices.ContainsFunc(have.Aliases, func(h string) bool { return strings.EqualFold(h, alias) }) {
			missing = append(missing, alias)
		}
	}
	return missing
}

func (a about) mounts() {
	for i, want := range a.service.Volumes {
		if want.Type != types.VolumeTypeBind && want.Type != types.VolumeTypeVolume {
			continue
		}
		message := a.mountFault(want)
		if message == "" {
			continue
		}
		a.comparison.add(a.service, ReasonMounts, finding.Warning, finding.Finding{
			Title:       fmt.Sprintf("%s has something else at %s than the files say", a.service.Name, want.Target),
			Message:     message,
			Consequence: "What the container reads and writes there is not what the files name, until it is made anew.",
			Remedy:      "docker compose up -d " + a.service.Name,
			Locations:   []finding.Location{a.service.Locate("volumes", strconv.Itoa(i)).As(finding.Fix)},
			Key:         strings.TrimPrefix(ordinal(a.container)+"/"+path.Clean(want.Target), "/"),
			Links:       a.linksAt(want.Target),
		})
	}
}

// mountFault says how the container's mount differs from the files', "" when it does not.
func (a about) mountFault(want types.ServiceVolumeConfig) string {
	i := slices.IndexFunc(a.container.Mounts, func(m engine.Mount) bool { return path.Clean(m.Destination) == path.Clean(want.Target) })
	if i < 0 {
		return fmt.Sprintf("The files mount %s at %s; %s was made without it.", cmpSource(want), want.Target, a.container.Name)
	}
	have := a.container.Mounts[i]
	switch {
	case have.Type != want.Type:
		return fmt.Sprintf("The files mount a %s at %s; %s has a %s there.", want.Type, want.Target, a.container.Name, have.Type)
	case want.Type == types.VolumeTypeBind && !sameFolder(want.Source, have.Source):
		return fmt.Sprintf("The files mount %s at %s; %s has %s there.", want.Source, want.Target, a.container.Name, have.Source)
	case want.Type == types.VolumeTypeVolume && want.Source != "":
		name := a.realName(want.Source, a.model().Volumes[want.Source].Name)
		if have.Name != name {
			return fmt.Sprintf("The files mount the volume %s at %s; %s has the volume %s there.", name, want.Target, a.container.Name, have.Name)
		}
	}
	if have.ReadOnly != want.ReadOnly {
		word := map[bool]string{true: "read-only", false: "for writing"}
		return fmt.Sprintf("The files mount %s %s; %s has it %s.", want.Target, word[want.ReadOnly], a.container.Name, word[have.ReadOnly])
	}
	return ""
}

func cmpSource(v types.ServiceVolumeConfig) string {
	if v.Source == "" {
		return "a volume without a name"
	}
	return v.Source
}

// sameFolder compares folders of the host. An engine in a virtual machine puts
// its own folder before them, and /var/run is /run.
func sameFolder(want, have string) bool {
	tidy := func(p string) string {
		p = path.Clean(strings.ReplaceAll(p, `\`, "/"))
		if rest, ok := strings.CutPrefix(p, "/var/run/"); ok {
			return "/run/" + rest
		}
		return p
	}
	want, have = tidy(want), tidy(have)
	return want == have || strings.HasSuffix(have, want)
}

// linksAt gives the links of the service that meet in a mount.
func (a about) linksAt(target string) []string {
	ids := []string{}
	for _, e := range a.topology.Edges {
		if e.From == a.service && e.FromMount != nil && e.FromMount.Target == target ||
			e.To == a.service && e.ToMount != nil && e.ToMount.Target == target {
			ids = append(ids, e.ID)
		}
	}
	return ids
}
