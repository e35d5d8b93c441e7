package rules

import (
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// linkRules look at the addresses by which the services find each other.
func linkRules() []Rule {
	return []Rule{
		{
			ID: "link-address-invalid", Subject: "links", Severity: finding.Error,
			Title:  "The address of another service cannot be read",
			Why:    "Each program takes an address in one form only: Postfix a transport such as lmtp:host:port, the others a host name, a URL or a path. In another form it finds nobody, or does not start.",
			Source: "Postfix transport(5); kopano-docker core/start-service.sh",
			Check:  addressInvalid,
		},
		{
			ID: "link-host-unknown", Subject: "links", Severity: finding.Error,
			Title: "A setting names a host that does not exist",
			Why: "A name without a dot is answered by Docker's resolver alone, which knows service names, container names, host names and aliases on the networks of the container that asks. " +
				"Anything else is \"no such host\", or is swallowed by a search domain of the host.",
			Source: "Docker embedded DNS of user-defined networks; compose specification, networks aliases",
			Check:  hostUnknown,
		},
		{
			ID: "link-host-itself", Subject: "links", Severity: finding.Error,
			Title:  "A setting names the container itself",
			Why:    "localhost and 127.0.0.1 mean the container in which they are used, not the host and not another container. Each container runs one program, so nobody answers there.",
			Source: "Docker: one network namespace for each container",
			Check:  hostItself,
		},
		{
			ID: "link-target-wrong", Subject: "links", Severity: finding.Error,
			Title:  "A setting names a service that does something else",
			Why:    "The name is known, but the service behind it speaks another protocol.",
			Source: "kopano-docker docker-compose.yml",
			Check:  targetWrong,
		},
		{
			ID: "link-target-missing", Subject: "links", Severity: finding.Warning,
			Title: "A service needs another one that is not here",
			Why: "Without a setting a program looks for the other end under the name or the path that it has in kopano-docker. Where no loaded file defines that service, " +
				"mostly one is missing from COMPOSE_FILE, or the service was renamed.",
			Source: "kopano-docker docker-compose.yml, core/start-service.sh",
			Check:  targetMissing,
		},
		{
			ID: "link-target-switched-off", Subject: "links", Severity: finding.Warning,
			Title: "A service still uses one that was switched off",
			Why: "Replacing an image by hello-world is the way in which kopano-docker's examples switch a service off. Whoever uses it must be told of the replacement: " +
				"kopano_spooler waits 18 minutes for the mail transport and stops (core/start-service.sh).",
			Source: "kopano-docker examples/docker-compose.override.yml-disable-mail; core/start-service.sh",
			Check:  targetOff,
		},
	}
}

func addressInvalid(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		x, ok := hostSetting(e)
		if !ok || e.Addr.Default || isIssuer(e) {
			return nil
		}
		bad := e.Addr
		for _, more := range e.More {
			if bad.Problem == "" {
				bad = more
			}
		}
		if bad.Problem == "" || x.unset() || strings.TrimSpace(x.text()) == "" || spokenOf(in, e, x) {
			return nil
		}
		if p, ok := portSettingOf(e); ok && (p.unset() || strings.TrimSpace(p.text()) == "" && p.value.Key != x.value.Key) {
			return nil
		}
		remedy := "Write it as " + form(e.Link.Address) + "."
		if good := exampleAddress(in, e); good != "" {
			remedy = "Write it as " + form(e.Link.Address) + ", for example " + x.name() + "=" + good
		}
		return &fault{
			message: x.name() + " is " + x.shown() + ": " + bad.Problem + ".",
			remedy:  remedy,
			places:  addressPlaces(e),
		}
	})
}

// spokenOf reports whether a rule about single values says the same of an
// address already.
func spokenOf(in *Input, e *kopano.Edge, x sighting) bool {
	switch key := x.value.Key; {
	case slices.Contains(ldapURIKeys, key):
		for uri := range strings.FieldsSeq(x.text()) {
			if ldapURIFault(uri, wantsScheme(in, x)) != "" {
				return true
			}
		}
	case strings.HasSuffix(key, "_SERVER_SOCKET"):
		return e.Addr.Scheme != "file" && value(e.From, "DISABLE_CHECKS") != "true"
	case key == "turn_uris":
		return true
	}
	return false
}

// form describes how an address is written.
func form(a kopano.Address) string {
	switch a.Form {
	case kopano.FormLMTP:
		return "lmtp:HOST:PORT"
	case kopano.FormPath:
		return "a path that starts with a slash"
	case kopano.FormHost:
		if a.PortSetting != "" {
			return "a host name alone"
		}
		return "a host name, or HOST:PORT"
	default:
		if a.Prefix != "" {
			return "a host name alone"
		}
		return "SCHEME://HOST:PORT"
	}
}

// exampleAddress gives an address that would be right in this deployment, or "".
func exampleAddress(in *Input, e *kopano.Edge) string {
	to := wants(in, e.Link)
	if len(to) == 0 {
		return ""
	}
	host := to[0].Name
	switch {
	case e.Link.Address.Form == kopano.FormLMTP:
		return "lmtp:" + host + ":2003"
	case e.Link.Address.Form == kopano.FormHost, e.Link.Address.Prefix != "":
		return host
	case e.Link.To == kopano.LDAP:
		return "ldap://" + host + ":389"
	case e.Link.ID == "kwmbridge-kwmserver":
		return "http://" + host + ":8778"
	}
	return e.Link.Address.Default
}

func hostUnknown(in *Input) []finding.Finding {
	if isIncomplete(in) {
		return nil
	}
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		x, ok := hostSetting(e)
		if ok && dockerNameOnHost(e) {
			return &fault{
				severity: finding.Warning, // the host's own /etc/hosts may know the name
				message:  x.name() + " names " + quote(e.Addr.Host) + ", but " + e.From.Name + " is on the host's network, where Docker's names are not known.",
				remedy:   "Write " + x.name() + "=" + shortened(inPlaceOf(e, "127.0.0.1")) + ": the port of " + e.To.Name + " is published on this host.",
				places:   append(addressPlaces(e), e.From.Locate("network_mode").As(finding.Related)),
			}
		}
		if !ok || isIssuer(e) || isPath(e.Protocol) || e.To != nil || e.Outside || e.Addr.Problem != "" || e.Addr.Host == "" || e.Addr.Loopback {
			return nil
		}
		f := &fault{
			message: x.name() + " names the host " + quote(e.Addr.Host) + ", but no service answers to that name.",
			remedy:  "Name a service of this deployment, or a server outside with its full name.",
			places:  addressPlaces(e),
		}
		if s, ok := in.Deployment.Service(e.Addr.Host); ok && s.NetworkMode != "" {
			f.message = x.name() + " names " + s.Name + ", which has network_mode: " + s.NetworkMode + " and so no name that other containers know."
			f.remedy = "Give " + s.Name + " a network that " + e.From.Name + " is on, or name the host's own address."
			f.places = append(f.places, s.Locate("network_mode").As(finding.Related))
			return f
		}
		name := likelyHost(in, e, e.Addr.Host)
		switch sys := kopano.SystemOf(e.Link.To); {
		case sys != nil && e.Addr.Host == sys.Service && len(wants(in, e.Link)) == 0:
			f.remedy = "Load the file that defines " + e.Addr.Host + " (COMPOSE_FILE in .env lists the files), or write the full name of a server outside into " + x.name() + "."
		case name != "" && x.value.IsSecret():
			f.remedy = "Write " + name + " in its place."
		case name != "":
			f.remedy = "Write " + x.name() + "=" + shortened(inPlaceOf(e, name))
		}
		return f
	})
}

// dockerNameOnHost reports whether a service on the host's network calls a
// published port by a name that only Docker's resolver knows.
func dockerNameOnHost(e *kopano.Edge) bool {
	if isIssuer(e) || e.From.NetworkMode != "host" || e.To == nil || e.Route != kopano.RouteHost || e.Addr.Loopback || strings.Contains(e.Addr.Host, ".") {
		return false
	}
	_, known := e.From.ExtraHosts[e.Addr.Host]
	return !known && !isIP(e.Addr.Host)
}

func hostItself(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		x, ok := hostSetting(e)
		if !ok || isPath(e.Protocol) || e.To != nil || !e.Addr.Loopback || e.From.NetworkMode == "host" {
			return nil
		}
		f := &fault{
			message: x.name() + " is " + x.shown() + ": within a container that is the container itself.",
			remedy:  "Name the service or the server where " + titleOf(e.Link.To) + " runs.",
			places:  addressPlaces(e),
		}
		if name := likelyHost(in, e, e.Addr.Host); name != "" && !isIssuer(e) {
			f.remedy = "Write " + x.name() + "=" + shortened(inPlaceOf(e, name))
		}
		return f
	})
}

func targetWrong(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		if e.From == nil || e.To == nil || isPath(e.Protocol) || in.Topology.Fits(e) {
			return nil
		}
		x, ok := hostSetting(e)
		f := &fault{places: append(addressPlaces(e), e.To.At.As(finding.Related))}
		named := quote(e.Addr.Host) + " is " + titled(in, e.To) + ", not " + titleOf(e.Link.To) + "."
		if ok {
			f.message = x.name() + " leads to another service: " + named
		} else {
			f.message = "The usual name leads to another service: " + named
		}
		f.remedy = "Name the service that is " + titleOf(e.Link.To) + "."
		if name := likelyHost(in, e, e.Addr.Host); name != "" && ok && !x.value.IsSecret() && name != e.To.Name {
			f.remedy = "Write " + x.name() + "=" + shortened(inPlaceOf(e, name))
		}
		return f
	})
}

func targetMissing(in *Input) []finding.Finding {
	if isIncomplete(in) {
		return nil
	}
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		if e.From == nil || e.To != nil || e.Outside || e.Link.Optional || e.Link.Through != kopano.Unknown || !e.Addr.Default || e.Protocol == kopano.ProtoDocker {
			return nil
		}
		if e.Link.To == kopano.Storage || e.Link.To == kopano.External || e.Link.To == kopano.SSL || e.Addr.Text == "" || len(missingSettings(in, e)) > 0 {
			return nil
		}
		f := &fault{places: []finding.Location{e.From.At.As(finding.Fix)}}
		if isPath(e.Protocol) {
			f.message = e.From.Name + " looks for " + titleOf(e.Link.To) + " at " + e.Addr.Path + ", but no service here is " + titleOf(e.Link.To) + "."
			if e.FromMount == nil {
				f.message = strings.TrimSuffix(f.message, ".") + ", and nothing is mounted there."
			}
			f.remedy = "Load the file that defines " + titleOf(e.Link.To) + ", or say in " + addressSetting(e.Link.Address) + " where it is."
			return f
		}
		f.message = e.From.Name + " looks for " + titleOf(e.Link.To) + " under the name " + quote(e.Addr.Host) + ", but no service here answers to it."
		f.remedy = "Load the file that defines " + e.Addr.Host + "."
		if ss := in.Topology.Services(e.Link.To); len(ss) > 0 {
			// It is here under another name, and the name cannot be set.
			f.severity = finding.Error
			f.remedy = "Give " + ss[0].Name + " the network alias " + e.Addr.Host + "."
			if e.Link.Address.Setting != "" || e.Link.Address.HostSetting != "" {
				f.remedy = "Set " + addressSetting(e.Link.Address) + "=" + ss[0].Name + " on " + e.From.Name + "."
			}
			f.places = append(f.places, ss[0].At.As(finding.Related))
		}
		return f
	})
}

func targetOff(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		if e.From == nil || e.To == nil || e.Link.Optional || !kopano.ParseImage(e.To.Image).Is("hello-world", "scratch", "true", "pause") {
			return nil
		}
		remedy := "Name the server that takes its place."
		if x, ok := hostSetting(e); ok {
			remedy = "Write the server that takes its place into " + x.name() + ", or switch " + e.From.Name + " off as well."
		}
		return &fault{
			message: e.From.Name + " uses " + e.To.Name + ", whose image " + quote(e.To.Image) + " runs no server.",
			remedy:  remedy,
			places:  append(addressPlaces(e), e.To.Locate("image").As(finding.Related)),
		}
	})
}
