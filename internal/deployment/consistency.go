package deployment

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// checkConsistency reports every reference to something that is not there,
// where compose-go stops at the first (loader/validate.go). When a part of the
// deployment could not be read, what it may have defined is not missed.
func (r *repairer) checkConsistency(p *types.Project) {
	incomplete := r.w.incomplete()
	for _, name := range p.ServiceNames() {
		svc := p.Services[name]
		if !incomplete {
			r.checkVolumes(p, name, svc)
			r.checkNetworks(p, name, svc)
			r.checkResources(p, name, svc)
			r.checkServices(p, name, svc)
			r.checkImage(name, svc)
		}
		r.checkMounts(name, svc)
		r.checkService(name, svc)
	}
	r.checkContainerNames(p)
	r.checkCycles(p)
}

// incomplete reports whether a part of the configuration is not known.
func (w *walker) incomplete() bool {
	return w.remote || w.unsafe || w.problems.has(ComposeFileMissing) || w.problems.has(YAMLSyntax)
}

func (r *repairer) at(path ...string) finding.Location {
	at, _ := r.place(append([]string{"services"}, path...))
	return at
}

func (r *repairer) reportSlash(service string, i int, written, bare string) {
	const why = "The slash at the end makes it a name that is not defined; Compose 1 took no notice of it."
	r.w.problems.addTo("slash\x00"+written, service, group{subject: bare, many: func(services []string) string {
		return fmt.Sprintf("The services %s use the volume %q. %s", enumerate(services), written, why)
	}}, Problem{
		Kind: UndefinedVolume, Severity: finding.Error, Subject: service, Key: written,
		Message: fmt.Sprintf("Service %s uses the volume %q. %s", service, written, why),
		Remedy:  fmt.Sprintf("Write %q, without the slash.", bare), Locations: []finding.Location{r.at(service, "volumes", strconv.Itoa(i))},
	})
}

func (r *repairer) checkVolumes(p *types.Project, name string, svc types.ServiceConfig) {
	for i, v := range svc.Volumes {
		if v.Type != types.VolumeTypeVolume || v.Source == "" {
			continue
		}
		if _, ok := p.Volumes[v.Source]; ok || r.unexpanded([]string{"services", name, "volumes", strconv.Itoa(i)}) {
			continue
		}
		r.undefined(UndefinedVolume, name, "volume", v.Source, "volumes", slices.Sorted(maps.Keys(p.Volumes)), r.at(name, "volumes", strconv.Itoa(i)))
	}
}

// defined reports whether a section has an entry, even one that was dropped
// because of a mistake in it.
func (r *repairer) defined(section, name string) bool {
	return r.tree.field(section).field(name) != nil
}

func (r *repairer) undefined(kind ProblemKind, service, what, name, section string, known []string, at finding.Location) {
	if r.defined(section, name) {
		return
	}
	remedy := fmt.Sprintf("Add it under %q at the top level: \"%s:\".", section+":", name)
	if near, ok := nearestOf(name, known); ok {
		remedy = fmt.Sprintf("Did you mean %q? If not, add it under %q at the top level.", near, section+":")
	}
	r.w.problems.addTo(string(kind)+"\x00"+name, service, group{subject: name, many: func(services []string) string {
		return fmt.Sprintf("The services %s use the %s %q, which is not defined.", enumerate(services), what, name)
	}}, Problem{
		Kind: kind, Severity: finding.Error, Subject: service, Key: name, Remedy: remedy, Locations: []finding.Location{at},
		Message: fmt.Sprintf("Service %s uses the %s %q, which is not defined.", service, what, name),
	})
}

func (r *repairer) checkNetworks(p *types.Project, name string, svc types.ServiceConfig) {
	for _, n := range slices.Sorted(maps.Keys(svc.Networks)) {
		if _, ok := p.Networks[n]; !ok {
			r.undefined(UndefinedNetwork, name, "network", n, "networks", slices.Sorted(maps.Keys(p.Networks)), r.at(name, "networks", n))
		}
	}
}

func (r *repairer) checkResources(p *types.Project, name string, svc types.ServiceConfig) {
	for i, s := range svc.Secrets {
		if _, ok := p.Secrets[s.Source]; !ok {
			r.undefined(UndefinedResource, name, "secret", s.Source, "secrets", slices.Sorted(maps.Keys(p.Secrets)), r.at(name, "secrets", strconv.Itoa(i)))
		}
	}
	for i, c := range svc.Configs {
		if _, ok := p.Configs[c.Source]; !ok {
			r.undefined(UndefinedResource, name, "config", c.Source, "configs", slices.Sorted(maps.Keys(p.Configs)), r.at(name, "configs", strconv.Itoa(i)))
		}
	}
}

// checkServices looks at every reference to another service; compose-go has
// put links, volumes_from and shared namespaces into DependsOn already.
func (r *repairer) checkServices(p *types.Project, name string, svc types.ServiceConfig) {
	known := p.ServiceNames()
	for _, other := range slices.Sorted(maps.Keys(svc.DependsOn)) {
		if _, ok := p.Services[other]; ok || r.isDropped(other) {
			continue
		}
		off, disabled := p.DisabledServices[other]
		if disabled && !svc.DependsOn[other].Required {
			continue
		}
		at := r.referenceTo(name, other)
		if disabled {
			r.w.refuse(UndefinedService, name, fmt.Sprintf("Service %s depends on %s, which is switched off: its profiles (%s) are not active.", name, other, strings.Join(off.Profiles, ", ")),
				fmt.Sprintf("Activate one with COMPOSE_PROFILES or --profile, or set \"required: false\" for %s.", other), other, at)
			continue
		}
		remedy := fmt.Sprintf("Define %s, or take it out here.", other)
		if near, ok := nearestOf(other, known); ok {
			remedy = fmt.Sprintf("Did you mean %q?", near)
		}
		if file := r.w.fileFor(other); file != "" {
			remedy = fmt.Sprintf("Load %s too (in COMPOSE_FILE or with -f), or take %s out here.", file, other)
		}
		r.w.refuse(UndefinedService, name, fmt.Sprintf("Service %s depends on %s, which no loaded file defines.", name, other), remedy, other, at)
	}
}

func (r *repairer) isDropped(service string) bool {
	return slices.Contains(r.dropped, "services."+service)
}

// referenceTo finds where a service names another.
func (r *repairer) referenceTo(name, other string) finding.Location {
	if at, found := r.place([]string{"services", name, "depends_on", other}); found {
		if n := r.tree.field("services").field(name).field("depends_on").child(other); n != nil && n.key.src != nil {
			return n.key.location()
		}
		return at
	}
	for _, field := range []string{"links", "volumes_from"} {
		list := r.tree.field("services").field(name).field(field)
		if list == nil {
			continue
		}
		for _, it := range list.items {
			if first, _, _ := strings.Cut(it.text, ":"); first == other {
				return it.location()
			}
		}
	}
	for _, field := range []string{"network_mode", "ipc", "pid", "uts", "cgroup"} {
		if n := r.tree.field("services").field(name).field(field); n != nil && n.text == "service:"+other {
			return n.location()
		}
	}
	return r.at(name)
}

func (r *repairer) checkImage(name string, svc types.ServiceConfig) {
	if svc.Image != "" || svc.Build != nil || svc.Provider != nil {
		return
	}
	if slices.ContainsFunc(r.w.problems.list, func(p Problem) bool {
		return p.Subject == name && (strings.HasPrefix(p.Key, "extends") || strings.HasSuffix(p.Key, ".image"))
	}) {
		return // an extends that failed, or an image that is no text
	}
	n := r.tree.field("services").field(name)
	if image := n.field("image"); image != nil && image.broken {
		return
	}
	if n.field("image") != nil && n.field("image").text == "" {
		r.w.refuse(NoImage, name, fmt.Sprintf("The image of service %s is empty.", name), "Set the variable that it comes from, or write the image's name.", "image", n.field("image").location())
		return
	}
	file := r.w.fileFor(name)
	if file == "" {
		file = "the file that defines " + name
	}
	r.w.refuse(NoImage, name, fmt.Sprintf("Service %s has neither an image nor a build folder in the files that are loaded. It is probably an addition to a service of a file that is not loaded.", name),
		fmt.Sprintf("Load %s (in COMPOSE_FILE or with -f), or delete the service here.", file), "image", r.at(name))
}

// fileFor gives the compose file of the folder that is named after a service
// and is not loaded, "" when there is none.
func (w *walker) fileFor(service string) string {
	if strings.ContainsAny(service, `/\`) {
		return ""
	}
	for _, form := range []string{"docker-compose.%s.yml", "docker-compose.%s.yaml", "compose.%s.yaml", "compose.%s.yml"} {
		name := fmt.Sprintf(form, service)
		info, err := os.Stat(filepath.Join(w.dir, name))
		if err == nil && info.Mode().IsRegular() && !slices.ContainsFunc(w.compose, func(src *source) bool { return src.name == name }) {
			return name
		}
	}
	return ""
}

func (r *repairer) checkMounts(name string, svc types.ServiceConfig) {
	seen := map[string]finding.Location{}
	check := func(target string, at finding.Location) {
		if before, ok := seen[target]; ok {
			r.w.refuse(InvalidValue, name, fmt.Sprintf("Service %s mounts two things at %s.", name, target), "Delete one of the two, or change its target.", "mount\x00"+target, at, before)
			return
		}
		seen[target] = at
	}
	for i, t := range svc.Tmpfs {
		target, _, _ := strings.Cut(t, ":")
		check(target, r.at(name, "tmpfs", strconv.Itoa(i)))
	}
	for i, v := range svc.Volumes {
		check(v.Target, r.at(name, "volumes", strconv.Itoa(i)))
	}
}

func (r *repairer) checkService(name string, svc types.ServiceConfig) {
	if svc.NetworkMode != "" && r.tree.field("services").field(name).field("networks") != nil {
		r.w.refuse(InvalidValue, name, fmt.Sprintf("Service %s has both network_mode and networks.", name), "Keep one of the two.", "network_mode", r.at(name, "network_mode"), r.at(name, "networks"))
	}
	if h := svc.HealthCheck; h != nil && len(h.Test) > 0 && !slices.Contains([]string{"CMD", "CMD-SHELL", "NONE"}, h.Test[0]) {
		r.w.refuse(InvalidValue, name, fmt.Sprintf("The health check of service %s begins with %q.", name, shorten(h.Test[0])),
			"Begin the list with \"CMD\" (a program and its arguments) or \"CMD-SHELL\" (one shell command), or write the command as one string.", "healthcheck.test", r.at(name, "healthcheck", "test"))
	}
	if svc.ContainerName != "" && svc.GetScale() > 1 {
		r.w.refuse(InvalidValue, name, fmt.Sprintf("Service %s runs several times but has a fixed container_name.", name), "Take container_name out, or run it once.", "container_name", r.at(name, "container_name"))
	}
}

func (r *repairer) checkContainerNames(p *types.Project) {
	first := map[string]string{}
	for _, name := range p.ServiceNames() {
		c := p.Services[name].ContainerName
		if c == "" {
			continue
		}
		if other, ok := first[c]; ok {
			r.w.refuse(InvalidValue, name, fmt.Sprintf("The services %s and %s have the same container_name, %q.", other, name, c), "Give each its own.", "container_name", r.at(name, "container_name"), r.at(other, "container_name"))
			continue
		}
		first[c] = name
	}
}

// checkCycles reports each ring of services that wait for one another once.
func (r *repairer) checkCycles(p *types.Project) {
	state := map[string]int{} // 1: on the way, 2: done
	var way []string
	var visit func(name string)
	visit = func(name string) {
		state[name] = 1
		way = append(way, name)
		for _, next := range slices.Sorted(maps.Keys(p.Services[name].DependsOn)) {
			switch state[next] {
			case 0:
				if _, ok := p.Services[next]; ok {
					visit(next)
				}
			case 1:
				r.reportCycle(way[slices.Index(way, next):])
			}
		}
		way = way[:len(way)-1]
		state[name] = 2
	}
	for _, name := range p.ServiceNames() {
		if state[name] == 0 {
			visit(name)
		}
	}
}

func (r *repairer) reportCycle(ring []string) {
	var at []finding.Location
	for i, name := range ring {
		at = append(at, r.referenceTo(name, ring[(i+1)%len(ring)]))
	}
	slices.Reverse(at) // the edge that closes the ring is the likely one too many
	names := strings.Join(append(slices.Clone(ring), ring[0]), " -> ")
	sorted := slices.Sorted(slices.Values(ring))
	r.w.refuse(DependencyCycle, ring[0], fmt.Sprintf("Services wait for one another in a ring: %s.", names),
		"Take out one of the dependencies.", strings.Join(sorted, ","), at...)
}
