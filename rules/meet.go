package rules

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// meetRules are about settings of Meet, Konnect and the signalling server that stand alone.
func meetRules() []Rule {
	return []Rule{
		{
			ID: "turn-credentials-half", Subject: "meet", Severity: finding.Error,
			Title:  "The TURN account is half configured",
			Why:    "kwmserver writes the credentials down only when user and password are both set (kwmserver/wrapper.sh).",
			Source: "kopano-docker kwmserver/wrapper.sh",
			Check:  turnHalf,
		},
		{
			ID: "turn-secret-without-uris", Subject: "meet", Severity: finding.Error,
			Title:  "A TURN secret without TURN servers",
			Why:    "kwmserver ends at start when turn_server_shared_secret is set and turn_uris is not (kwmserver, signaling/server/server.go).",
			Source: "kwmserver 1.2.0 signaling/server/server.go",
			Check:  turnNoURIs,
		},
		{
			ID: "turn-uri-format", Fixable: true, Subject: "meet", Severity: finding.Error,
			Title:  "The address of a TURN server cannot be read",
			Why:    "Browsers take turn:host:port and turns:host:port, each optionally with ?transport=udp or tcp (RFC 7065); turn_uris is a list with blanks between them (kwmserver/wrapper.sh).",
			Source: "RFC 7064, RFC 7065; kopano-docker kwmserver/wrapper.sh",
			Check:  turnURI,
		},
		{
			ID: "guest-regexp-invalid", Subject: "meet", Severity: finding.Warning,
			Title:  "The pattern for public guest rooms cannot be used as it stands",
			Why:    "kwmserver only logs that it cannot parse the pattern and leaves public rooms off (kwmserver, signaling/guest/manager.go); one without ^ matches in the middle of other rooms' names.",
			Source: "kwmserver 1.2.0 signaling/guest/manager.go",
			Check:  guestRegexp,
		},
		{
			ID: "guests-half-enabled", Subject: "meet", Severity: finding.Warning,
			Title: "Guests are let in at one place of Meet and kept out at another",
			Why: "Three switches decide about guests: the page offers rooms for them with guests.enabled, konnect lets them in with allow_client_guests=yes only (konnect/wrapper.sh), " +
				"kwmserver with enable_guest_api=yes (kwmserver, signaling/guest/http.go). Whether guests are welcome is your choice; the three should say the same.",
			Source: "kwmserver 1.2.0 signaling/guest/http.go; kopano-docker konnect/wrapper.sh, meet/start-service.sh",
			Check:  guestsHalf,
		},
		{
			ID: "konnect-setting-case", Fixable: true, Subject: "meet", Severity: finding.Warning,
			Title:  "A setting is written in upper case where lower case is read",
			Why:    "The start scripts of konnect and kwmserver read their settings in lower case (konnect/wrapper.sh, kwmserver/wrapper.sh), except INSECURE and FQDN; names of other case are not seen.",
			Source: "kopano-docker konnect/wrapper.sh, kwmserver/wrapper.sh",
			Check:  konnectCase,
		},
		{
			ID: "konnect-backend-invalid", Subject: "identity", Severity: finding.Error,
			Title:  "Konnect does not know its backend",
			Why:    "konnectd ends at start unless KONNECT_BACKEND is kc, ldap, cookie or dummy (konnect, bootstrap/bootstrap.go).",
			Source: "konnect 0.34.0 bootstrap/bootstrap.go",
			Check:  konnectBackend,
		},
		{
			ID: "external-oidc-incomplete", Subject: "identity", Severity: finding.Error,
			Title:  "An external login provider is switched on, but not named",
			Why:    "konnect/wrapper.sh waits for external_oidc_url and registers external_oidc_clientid; without them it does not get past its start.",
			Source: "kopano-docker konnect/wrapper.sh",
			Check:  externalOIDC,
		},
		{
			ID: "external-oidc-address", Fixable: true, Subject: "identity", Severity: finding.Error,
			Title: "The address of the external login provider cannot be used",
			Why: "konnect/wrapper.sh waits until the discovery document of external_oidc_url answers, which it looks for at that address with /.well-known/openid-configuration behind it. " +
				"Only then konnect starts, so it cannot wait for itself.",
			Source: "kopano-docker konnect/wrapper.sh; OpenID Connect Discovery 1.0 section 4.1",
			Check:  externalOIDCAddress,
		},
		{
			ID: "turn-missing", Subject: "meet", Severity: finding.Info,
			Title: "Meet has no TURN server",
			Why: "People whose routers let no direct connection through need a TURN server that passes sound and picture on. kwmserver tells browsers of one when the account of a TURN service is set, " +
				"or turn_uris with turn_server_shared_secret.",
			Source: "kopano-docker kwmserver/wrapper.sh; RFC 8656",
			Check:  turnMissing,
		},
		{
			ID: "meet-setting-case", Fixable: true, Subject: "meet", Severity: finding.Warning,
			Title:  "A setting of Meet or Calendar is not one of its configuration",
			Why:    "KCCONF_MEET_a_b becomes the JSON path a.b letter by letter, so case matters; the GRID_ switches are read without the prefix (meet/start-service.sh).",
			Source: "kopano-docker meet/start-service.sh, kapps/start-service.sh",
			Check:  meetCase,
		},
		{
			ID: "kwmbridge-public-address", Subject: "meet", Severity: finding.Error,
			Title:  "The conference bridge does not know its public address",
			Why:    "With use_nat_1to1_ips the bridge tells browsers where to send sound and picture. It must be an IP address; when it is empty the option is left out (kwmbridge/wrapper.sh).",
			Source: "kopano-docker kwmbridge/wrapper.sh, docker-compose.kwmbridge-dnat.yml",
			Check:  bridgeAddress,
		},
		{
			ID: "kwmserver-command-missing", Subject: "meet", Severity: finding.Error,
			Title:  "kwmserver starts without its start script",
			Why:    "kopano-docker's image runs kwmserverd directly unless command is wrapper.sh; then none of the settings in environment is read (kwmserver/Dockerfile).",
			Source: "kopano-docker kwmserver/Dockerfile, docker-compose.yml",
			Check:  kwmserverCommand,
		},
	}
}

func turnHalf(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Kwmserver) {
		user, password := "turn_service_credentials_user", "turn_service_credentials_password"
		set, missing := user, password
		switch u, p := has(s, user), has(s, password); {
		case u == p:
			continue
		case p:
			set, missing = password, user
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: missing,
			Message:     set + " is set, but " + missing + " is not.",
			Consequence: "The signalling server uses no TURN server: calls between people behind different routers have no sound and no picture.",
			Remedy:      "Set both (TURN_USER and TURN_PASSWORD in .env), or neither.",
			Locations:   missingPlace(s, missing, s.Env[set]),
		})
	}
	return out
}

// missingPlace gives where a missing setting belongs: its empty entry, else beside the setting it goes with.
func missingPlace(s *deployment.Service, missing string, beside deployment.Value) []finding.Location {
	if v, ok := s.Get(missing); ok && len(v.Locations()) > 0 {
		return distinct(append(v.Locations(), placed(beside, finding.Related)...))
	}
	return beside.Locations()
}

func turnMissing(in *Input) []finding.Finding {
	meet, s := firstService(in, kopano.Meet), firstService(in, kopano.Kwmserver)
	if meet == nil || s == nil || isFragment(s) {
		return nil
	}
	for _, key := range []string{"turn_uris", "turn_service_credentials", "turn_service_credentials_user", "turn_service_credentials_password", "turn_server_shared_secret", "turn_service_url"} {
		if has(s, key) {
			return nil // what is wrong with them has rules of its own
		}
	}
	f := finding.Finding{
		Subject: s.Name, Key: "turn",
		Message:     "No TURN server is set on " + s.Name + ".",
		Consequence: "Users behind different routers meet without sound and picture; within one network calls work.",
		Remedy:      "Run a TURN server and set turn_uris and turn_server_shared_secret on " + s.Name + ", or TURN_USER and TURN_PASSWORD of a TURN service in .env.",
		Locations:   []finding.Location{s.Locate("environment").As(finding.Fix)},
	}
	if v, ok := s.Get("turn_service_credentials_user"); ok && len(v.Locations()) > 0 {
		f.Locations = v.Locations()
	}
	return []finding.Finding{f}
}

func turnNoURIs(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Kwmserver, "turn_server_shared_secret"), func(x sighting) *verdict {
		if x.text() == "" || has(x.service, "turn_uris") {
			return nil
		}
		return &verdict{
			stops:       true,
			message:     "turn_server_shared_secret is set, but turn_uris is not.",
			consequence: "The signalling server ends at start: no calls, no Meet.",
			remedy:      "Set turn_uris, for example turn_uris=turn:turn.example.com:3478",
		}
	})
}

func turnURI(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Kwmserver, "turn_uris"), func(x sighting) *verdict {
		for uri := range strings.FieldsSeq(x.text()) {
			why := turnFault(uri)
			if why == "" {
				continue
			}
			return &verdict{
				message:     x.name() + " has " + quote(uri) + ": " + why + ".",
				consequence: "Browsers ignore the server: calls between people behind different routers have no sound and no picture.",
				remedy:      "Write turn:host:port or turns:host:port, several with blanks between them.",
				write:       properTURN(x.text()),
			}
		}
		return nil
	})
}

func turnFault(uri string) string {
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok || scheme != "turn" && scheme != "turns" && scheme != "stun" && scheme != "stuns" {
		return "it does not begin with turn: or turns:"
	}
	if strings.HasPrefix(rest, "//") {
		return "there are no slashes in such an address"
	}
	if strings.Contains(uri, ",") {
		return "several addresses have blanks between them, not commas"
	}
	host, query, _ := strings.Cut(rest, "?")
	u, err := url.Parse("x://" + host)
	if err != nil || u.Hostname() == "" || u.Path != "" {
		return "there is no host in it"
	}
	if u.Port() != "" && !isPort(u.Port()) {
		return u.Port() + " is no port"
	}
	if query != "" && query != "transport=udp" && query != "transport=tcp" {
		return "behind the question mark only transport=udp or transport=tcp may stand"
	}
	return ""
}

// properTURN gives the list as it is meant, when only commas and slashes are wrong in it.
func properTURN(text string) string {
	uris := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' })
	for i, uri := range uris {
		uris[i] = strings.Replace(uri, "://", ":", 1)
		if turnFault(uris[i]) != "" {
			return ""
		}
	}
	return strings.Join(uris, " ")
}

func guestRegexp(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Kwmserver, "public_guest_access_regexp", "pipeline_forced_regexp"), func(x sighting) *verdict {
		if x.text() == "" {
			return nil
		}
		if _, err := regexp.Compile(x.text()); err != nil {
			return &verdict{
				message:     x.name() + " is " + x.shown() + ", which is not a regular expression.",
				consequence: "Guests cannot enter public rooms; the log alone says why.",
				remedy:      "Correct it, for example " + x.name() + "=^group/public/.*",
			}
		}
		if x.value.Key != "public_guest_access_regexp" || strings.HasPrefix(x.text(), "^") || strings.HasPrefix(x.text(), "(") || strings.HasPrefix(x.text(), ".*") {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ", which also matches in the middle of a room's name.",
			consequence: "Guests may enter rooms that are not meant for them.",
			remedy:      "Write " + x.name() + "=^" + shortened(x.text()),
		}
	})
}

func guestsHalf(in *Input) []finding.Finding {
	meet, konnect, kwmserver := firstService(in, kopano.Meet), firstService(in, kopano.Konnect), firstService(in, kopano.Kwmserver)
	if meet == nil || konnect == nil || kwmserver == nil {
		return nil // a part of Meet elsewhere
	}
	offer, ok := meet.Get("KCCONF_MEET_guests_enabled")
	if !ok || (sighting{meet, offer}).unresolved() {
		return nil // the page offers nothing, and promises nothing
	}
	doors := []guestDoor{{konnect, "allow_client_guests"}, {kwmserver, "enable_guest_api"}}
	if offer.Reveal() == "true" || offer.Reveal() == "yes" {
		return guestsRefused(meet, offer, doors)
	}
	return guestsUnannounced(meet, offer, doors)
}

// guestDoor is a setting that lets guests in, or keeps them out.
type guestDoor struct {
	service *deployment.Service
	key     string
}

// guestsRefused: the page offers what a server does not give.
func guestsRefused(meet *deployment.Service, offer deployment.Value, doors []guestDoor) []finding.Finding {
	var out []finding.Finding
	for _, p := range doors {
		if value(p.service, p.key) == "yes" {
			continue
		}
		places := []finding.Location{p.service.Locate("environment").As(finding.Fix)}
		if v, set := p.service.Get(p.key); set {
			if (sighting{p.service, v}).unresolved() {
				continue
			}
			places = v.Locations()
		}
		out = append(out, finding.Finding{
			Subject: p.service.Name, Key: p.key,
			Message:     "Meet offers rooms for guests, but " + p.key + " on " + p.service.Name + " is not yes.",
			Consequence: "People who are invited to a meeting by a link get an error in place of the room.",
			Remedy:      "If guests are welcome, write " + p.key + "=yes on " + p.service.Name + ". If not, write KCCONF_MEET_guests_enabled=false on " + meet.Name + ", so that nobody sends such links.",
			Locations:   distinct(append(places, placed(offer, finding.Related)...)),
		})
	}
	return out
}

// guestsUnannounced: the page does not offer what both servers give.
func guestsUnannounced(meet *deployment.Service, offer deployment.Value, doors []guestDoor) []finding.Finding {
	places := offer.Locations()
	for _, p := range doors {
		if value(p.service, p.key) != "yes" {
			return nil // closed
		}
		places = append(places, placed(p.service.Env[p.key], finding.Related)...)
	}
	return []finding.Finding{{
		Severity: finding.Info, Subject: meet.Name, Key: "page",
		Message:     "Meet's page offers nothing to guests, but " + doors[0].service.Name + " and " + doors[1].service.Name + " let them in.",
		Consequence: "Strangers who know how can still enter public rooms without an account; colleagues cannot invite guests.",
		Remedy:      "To keep guests out, write " + doors[0].key + "=no on " + doors[0].service.Name + " and " + doors[1].key + "=no on " + doors[1].service.Name + ". To invite them, write KCCONF_MEET_guests_enabled=true on " + meet.Name + ".",
		Locations:   distinct(places),
	}}
}

// lowerSettings are what the start scripts read, in lower case only.
var lowerSettings = map[kopano.Role][]string{
	kopano.Konnect: {"allow_client_guests", "allow_dynamic_client_registration", "oidc_issuer_identifier", "insecure", "signing_method", "uri_base_path", "signed_out_uri",
		"identifier_registration_conf", "identifier_scopes_conf", "signing_private_key", "encryption_secret_key", "validation_keys_path",
		"external_oidc_provider", "external_oidc_url", "external_oidc_name", "external_oidc_clientid", "external_oidc_clientsecret"},
	kopano.Kwmserver: {"oidc_issuer_identifier", "registration_conf", "enable_guest_api", "enable_mcu_api", "public_guest_access_regexp", "allow_guest_only_channels",
		"pipeline_forced_regexp", "turn_service_url", "turn_service_credentials_user", "turn_service_credentials_password", "turn_service_credentials", "turn_server_shared_secret", "turn_uris"},
}

func konnectCase(in *Input) []finding.Finding {
	want := func(s *deployment.Service, key string) bool {
		low := strings.ToLower(key)
		return key != low && slices.Contains(lowerSettings[in.Topology.Role(s)], low)
	}
	return judge(in, want, func(x sighting) *verdict {
		low := strings.ToLower(x.value.Key)
		if _, both := x.service.Get(low); both {
			return nil
		}
		return &verdict{
			key:         true,
			message:     x.value.Key + " is not read; the start script looks for " + low + ".",
			consequence: "The setting has no effect.",
			remedy:      "Write it in lower case: " + low,
			rename:      low,
		}
	})
}

func konnectBackend(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Konnect, "KONNECT_BACKEND"), func(x sighting) *verdict {
		switch x.text() {
		case "", "kc", "ldap", "cookie", "dummy", "libregraph", "guest":
			return nil
		}
		return &verdict{
			stops:       true,
			message:     x.name() + " is " + x.shown() + ", which Konnect does not know.",
			consequence: "Konnect ends at start: nobody can log in.",
			remedy:      "Write KONNECT_BACKEND=kc, or ldap with the LDAP_ settings.",
		}
	})
}

func externalOIDC(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Konnect) {
		if value(s, "external_oidc_provider") != "yes" {
			continue
		}
		on := s.Env["external_oidc_provider"]
		for _, key := range []string{"external_oidc_url", "external_oidc_clientid"} {
			if has(s, key) {
				continue
			}
			out = append(out, finding.Finding{
				Subject: s.Name, Key: key,
				Message:     "external_oidc_provider is yes, but " + key + " is not set.",
				Consequence: "Konnect does not get past its start: nobody can log in.",
				Remedy:      "Set " + key + ", or external_oidc_provider=no.",
				Locations:   missingPlace(s, key, on),
			})
		}
	}
	return out
}

func externalOIDCAddress(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Konnect, "external_oidc_url"), func(x sighting) *verdict {
		if value(x.service, "external_oidc_provider") != "yes" || x.text() == "" {
			return nil
		}
		v := &verdict{
			stops:       true,
			consequence: "konnect waits for an answer that never comes and stops: nobody can log in.",
		}
		own := ownIssuer(x.service)
		switch short, whole := strings.CutSuffix(x.text(), "/.well-known/openid-configuration"); {
		case whole:
			v.message = x.name() + " is " + x.shown() + ", the discovery document itself."
			v.remedy, v.write = "Write "+x.name()+"="+shortened(short), short
		case own != "" && strings.TrimRight(x.text(), "/") == own:
			v.message = x.name() + " is " + x.shown() + ", konnect's own address: it would wait for itself."
			v.remedy = "Write the address of the other provider, or external_oidc_provider=no."
		case !strings.HasPrefix(x.text(), "https://") && !strings.HasPrefix(x.text(), "http://"):
			v.message = x.name() + " is " + x.shown() + ", and https:// is missing in front."
			v.remedy = "Write the provider's address as it calls itself in its discovery document, for example " + x.name() + "=https://login.example.com"
		default:
			return nil
		}
		return v
	})
}

// ownIssuer is what a konnect calls itself (konnect/wrapper.sh).
func ownIssuer(s *deployment.Service) string {
	if issuer := value(s, "oidc_issuer_identifier"); issuer != "" {
		return issuer
	}
	if fqdn := value(s, "FQDN"); fqdn != "" {
		return "https://" + fqdn
	}
	return ""
}

func meetCase(in *Input) []finding.Finding {
	want := func(_ *deployment.Service, key string) bool {
		return strings.HasPrefix(key, "KCCONF_MEET_") || strings.HasPrefix(key, "KCCONF_CALENDAR_")
	}
	return judge(in, want, func(x sighting) *verdict {
		rest := strings.TrimPrefix(strings.TrimPrefix(x.value.Key, "KCCONF_MEET_"), "KCCONF_CALENDAR_")
		v := &verdict{key: true, consequence: "The setting has no effect."}
		switch {
		case strings.HasPrefix(rest, "GRID_"):
			v.message = x.value.Key + " is not read; the switch is called " + rest + "."
			v.remedy, v.rename = "Write "+rest+" without the prefix.", rest
		case rest == strings.ToUpper(rest) && strings.ContainsAny(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
			v.message = x.value.Key + " becomes the setting " + strings.ReplaceAll(rest, "_", ".") + ", which does not exist: case matters."
			v.remedy = "Write the setting as in config.json, for example KCCONF_MEET_guests_enabled."
		default:
			return nil
		}
		return v
	})
}

func bridgeAddress(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Kwmbridge, "use_nat_1to1_ips"), func(x sighting) *verdict {
		for ip := range strings.FieldsFuncSeq(x.text(), func(r rune) bool { return r == ' ' || r == ',' }) {
			if _, err := netip.ParseAddr(ip); err != nil {
				return &verdict{
					message:     x.name() + " is " + x.shown() + ", which is not an IP address.",
					consequence: "Group calls have no sound and no picture for people outside.",
					remedy:      "Write the public IP address of this host, for example " + x.name() + "=203.0.113.7",
				}
			}
		}
		if strings.TrimSpace(x.text()) != "" {
			return nil
		}
		return &verdict{
			message:     x.name() + " is empty.",
			consequence: "Group calls have no sound and no picture for people outside.",
			remedy:      "Write the public IP address of this host, for example " + x.name() + "=203.0.113.7",
		}
	})
}

func kwmserverCommand(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Kwmserver) {
		if !strings.Contains(s.Image, "kopano_kwmserver") || slices.Contains(s.Entrypoint, "wrapper.sh") ||
			slices.ContainsFunc(s.Command, func(w string) bool { return strings.Contains(w, "wrapper.sh") || strings.Contains(w, "serve") }) {
			continue
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: "command",
			Message:     "command is not wrapper.sh.",
			Consequence: "The signalling server does not know the login service and lets nobody in: no calls, no Meet.",
			Remedy:      "Add command: wrapper.sh",
			Locations:   []finding.Location{s.Locate("command").As(finding.Fix)},
		})
	}
	return out
}
