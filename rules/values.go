package rules

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// valueRules are about what a setting is set to.
func valueRules() []Rule {
	return []Rule{
		{
			ID: "boolean-counts-as-yes", Fixable: true, Subject: "values", Severity: finding.Warning,
			Title:  "A word that means no counts as yes",
			Why:    "Kopano's programs take exactly no, false and 0 for no; everything else, off and No among it, is yes (kopano-core, stringutil.h, parseBool).",
			Source: "kopano-core common/include/kopano/stringutil.h",
			Check:  booleanYes,
		},
		{
			ID: "boolean-python", Fixable: true, Subject: "values", Severity: finding.Error,
			Title:  "A switch of search or spamd is not one of the words that they take",
			Why:    "The programs written in Python take yes, no, true, false, 1 and 0 in lower case, and end with a KeyError on any other word (kopano-core, python config.py).",
			Source: "kopano-core swig/python/kopano/kopano/config.py",
			Check:  booleanPython,
		},
		{
			ID: "listen-invalid", Fixable: true, Subject: "values", Severity: finding.Error,
			Title:  "A listen address cannot be used",
			Why:    "Kopano's programs listen on ADDRESS:PORT, where ADDRESS is *, an IPv4 address or an IPv6 address in brackets, never a name (kopano-core, ECChannel.cpp); without a port they do not start.",
			Source: "kopano-core common/ECChannel.cpp; kopano-server.cfg(5)",
			Check:  listenInvalid,
		},
		{
			ID: "log-level-invalid", Subject: "values", Severity: finding.Warning,
			Title:  "A log level does not exist",
			Why:    "Kopano's programs take 0 to 6, kapi, grapi and konnect a word such as info.",
			Source: "kopano-server.cfg(5); kapi scripts/kapid.cfg",
			Check:  logLevel,
		},
		{
			ID: "log-level-debug", Subject: "values", Severity: finding.Info,
			Title:  "Logging is set to debugging",
			Why:    "Level 6 writes every request to the log: disks fill up, and addresses and subjects end up in the log.",
			Source: "kopano-server.cfg(5)",
			Check:  logDebug,
		},
		{
			ID: "debug-shows-secrets", Subject: "values", Severity: finding.Warning,
			Title:  "DEBUG writes the passwords to the log",
			Why:    "With any value in DEBUG the start script runs with set -x and prints each command with its values (core/start-service.sh).",
			Source: "kopano-docker core/start-service.sh",
			Check:  debugFlag,
		},
		{
			ID: "server-socket-invalid", Subject: "values", Severity: finding.Error,
			Title:  "The address of kopano_server cannot be waited for",
			Why:    "Before it starts its program the container waits for KCCONF_…_SERVER_SOCKET with dockerize, which knows file:// and, from http:// and https://, host and port (core/start-service.sh); it stops on anything else.",
			Source: "kopano-docker core/start-service.sh; dockerize wait.go",
			Check:  serverSocket,
		},
		{
			ID: "gateway-without-password", Subject: "values", Severity: finding.Error,
			Title:  "The gateway lets everybody in without a password",
			Why:    "With bypass_auth the gateway does not check user name and password (kopano-core, Gateway.cpp).",
			Source: "kopano-core gateway/Gateway.cpp",
			Check:  bypassAuth,
		},
		{
			ID: "distributed-without-name", Subject: "values", Severity: finding.Error,
			Title:  "Several servers are on, but this one has no name",
			Why:    "With enable_distributed_kopano kopano_server looks itself up in the directory by server_name and does not start without (kopano-core, ECServer.cpp).",
			Source: "kopano-core provider/server/ECServer.cpp",
			Check:  distributed,
		},
		{
			ID: "attachments-s3-incomplete", Subject: "values", Severity: finding.Error,
			Title:  "Attachments are kept in S3, but a setting for it is missing",
			Why:    "kopano_server needs host, bucket, region and both keys to reach S3 (kopano-server.cfg(5)).",
			Source: "kopano-server.cfg(5)",
			Check:  s3Incomplete,
		},
	}
}

var (
	negative     = []string{"no", "off", "false", "n", "none", "never", "disable", "disabled", "nein"}
	pythonBool   = []string{"yes", "no", "true", "false", "1", "0"}
	pythonFiles  = []string{"search", "spamd", "autorespond"}
	pythonChecks = []string{"search", "spamd"}
)

// isBoolean reports whether a setting is a switch, judged by its default.
func isBoolean(st setting) bool {
	s, ok := kopano.LookupSetting(st.section, st.name)
	return ok && slices.Contains([]string{"yes", "no", "true", "false"}, strings.ToLower(s.Default))
}

func booleanYes(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		s := x.text()
		if slices.Contains(pythonFiles, st.section) || st.section == "kapid" || st.section == "grapi" || !isBoolean(st) || s == "no" || s == "false" || !slices.Contains(negative, strings.ToLower(s)) {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ", which Kopano takes for yes.",
			consequence: "What you mean to switch off is on.",
			remedy:      "Write " + x.name() + "=no",
			write:       "no",
		}
	})
}

func booleanPython(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		if _, stray := strayIn(x.text()); stray != "" {
			return nil // another rule speaks of it
		}
		if !slices.Contains(pythonChecks, st.section) || !isBoolean(st) || slices.Contains(pythonBool, x.text()) || !slices.Contains(coreRoles[in.Topology.Role(x.service)], st.section) {
			return nil
		}
		better := "yes"
		if slices.Contains(negative, strings.ToLower(x.text())) {
			better = "no"
		}
		return &verdict{
			stops:       true,
			message:     x.name() + " is " + x.shown() + "; only yes, no, true, false, 1 and 0 are known.",
			consequence: "The program ends at start.",
			remedy:      "Write " + x.name() + "=" + better,
			write:       plainBoolean(x.text(), better),
		}
	})
}

// plainBoolean gives the better word when the one that is there means yes or
// no; what else somebody wrote, nobody can say.
func plainBoolean(word, better string) string {
	affirmative := []string{"yes", "on", "true", "y", "1", "enable", "enabled", "ja"}
	if slices.Contains(negative, strings.ToLower(word)) || slices.Contains(affirmative, strings.ToLower(word)) {
		return better
	}
	return ""
}

func listenInvalid(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		if !strings.HasSuffix(st.name, "listen") && !strings.HasSuffix(st.name, "listen_tls") || x.text() == "" {
			return nil
		}
		for addr := range strings.FieldsSeq(x.text()) {
			why := listenFault(addr, st.section == "kapid")
			if why == "" {
				continue
			}
			return &verdict{
				stops:       true,
				message:     x.name() + " is " + x.shown() + ": " + why + ".",
				consequence: "The program does not start, and whoever needs it finds nobody there.",
				remedy:      "Write " + x.name() + "=0.0.0.0:" + portOf(addr, st),
				write:       anyAddress(x, portOf(addr, st)),
			}
		}
		return nil
	})
}

// anyAddress gives the address for all comers in place of a bare port or the
// service's own name; which of several addresses, or which other name, was meant
// nobody can say.
func anyAddress(x sighting, port string) string {
	if isPort(x.text()) || x.text() == x.service.Name+":"+port {
		return "0.0.0.0:" + port
	}
	return ""
}

// listenFault says why a listen address cannot be used. Go programs (kapi) take names too.
func listenFault(addr string, names bool) string {
	if strings.HasPrefix(addr, "unix:") {
		return ""
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		if strings.Contains(addr, ",") {
			return "addresses are separated by blanks, not by commas"
		}
		if isPort(addr) {
			return "the address in front of the port is missing"
		}
		return "there is no port in it"
	}
	host, _, _ = strings.Cut(host, "%")
	switch {
	case !isPort(port):
		return quote(port) + " is no port"
	case host == "" || host == "*" || names:
		return ""
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return quote(host) + " is a name, and only IP addresses and * are allowed"
	}
	return ""
}

// portOf keeps the port of a broken listen address, or gives the default one.
func portOf(addr string, st setting) string {
	if i := strings.LastIndexByte(addr, ':'); i >= 0 && isPort(addr[i+1:]) {
		return addr[i+1:]
	}
	if isPort(addr) {
		return addr
	}
	if s, ok := kopano.LookupSetting(st.section, st.name); ok {
		if _, port, err := net.SplitHostPort(strings.Replace(s.Default, "%lo", "", 1)); err == nil {
			return port
		}
	}
	return "PORT"
}

// goLevels are the words of logrus, which kapi uses; Python's are among them.
var goLevels = []string{"panic", "fatal", "error", "warn", "warning", "info", "debug", "trace", "critical", "notice"}

func logLevel(in *Input) []finding.Finding {
	out := judgeSettings(in, func(x sighting, st setting) *verdict {
		if st.name != "log_level" || leftOver(x.text()) || !known(st) {
			return nil
		}
		words := slices.Contains([]string{"kapid", "grapi", "search", "spamd", "autorespond"}, st.section)
		if words && slices.Contains(goLevels, strings.ToLower(x.text())) {
			return nil
		}
		n, err := strconv.ParseInt(x.text(), 0, 64)
		if st.section != "kapid" && err == nil && (n >= 0 && n <= 6 || strings.HasPrefix(x.text(), "0x")) {
			return nil
		}
		v := &verdict{
			message:     x.name() + " is " + x.shown() + "; log levels are 0 (nothing) to 6 (debugging).",
			consequence: "The log has too little or too much in it.",
			remedy:      "Write " + x.name() + "=3",
		}
		if st.section == "kapid" {
			v.message = x.name() + " is " + x.shown() + "; log levels are " + list(goLevels[:7], 8) + "."
			v.remedy = "Write " + x.name() + "=info"
		}
		return v
	})
	return append(out, konnectLevel(in)...)
}

// konnectLevel judges the log level of konnect, which ends at start with a
// level that its log library does not know (konnect, cmd/konnectd).
func konnectLevel(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Konnect, "log_level"), func(x sighting) *verdict {
		levels := goLevels[:8]
		if x.text() == "" || slices.Contains(levels, strings.ToLower(x.text())) {
			return nil
		}
		return &verdict{
			stops:       true,
			message:     x.name() + " is " + x.shown() + "; konnect's log levels are " + list(levels, 8) + ".",
			consequence: "konnect may not start: nobody can log in.",
			remedy:      "Write " + x.name() + "=info",
		}
	})
}

func logDebug(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		n, err := strconv.Atoi(x.text())
		if st.name != "log_level" || !known(st) || !(err == nil && n == 6 || strings.EqualFold(x.text(), "debug") || strings.EqualFold(x.text(), "trace")) {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ", the level for looking for faults.",
			consequence: "The disk fills up, and everyone who may read the log sees whom users write to.",
			remedy:      "Go back to 3, or info for kapi, once the fault is found.",
		}
	})
}

func debugFlag(in *Input) []finding.Finding {
	want := func(s *deployment.Service, key string) bool { return key == "DEBUG" && isCore(in, s) }
	return judge(in, want, func(x sighting) *verdict {
		if x.text() == "" {
			return nil
		}
		return &verdict{
			message:     x.name() + " is set, and the start script prints every value it works with.",
			consequence: "The passwords of database and directory stand in the container's log.",
			remedy:      "Delete DEBUG, and delete the logs that were written with it.",
		}
	})
}

func serverSocket(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		if st.name != "server_socket" || x.text() == "" || !slices.Contains(coreRoles[in.Topology.Role(x.service)], st.section) || value(x.service, "DISABLE_CHECKS") == "true" {
			return nil
		}
		why := ""
		u, err := url.Parse(x.text())
		switch {
		case err != nil:
			why = "it is not an address"
		case u.Scheme == "file":
			return nil
		case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "tcp":
			why = "it begins neither with file:// nor with http:// or https://"
		case u.Hostname() == "":
			why = "there is no host in it"
		case u.Port() == "":
			why = "there is no port in it"
		default:
			return nil
		}
		return &verdict{
			stops:       true,
			message:     x.name() + " is " + x.shown() + ": " + why + ".",
			consequence: "The container stops before its program starts.",
			remedy:      "Write file:///var/run/kopano/server.sock, http://kopano_server:236/ or https://kopano_server:237/.",
		}
	})
}

func bypassAuth(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		if st.section != "gateway" || st.name != "bypass_auth" || x.text() == "no" || x.text() == "false" || x.text() == "0" || x.text() == "" {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ": passwords are not checked.",
			consequence: "Whoever reaches the port reads everybody's mail.",
			remedy:      "Delete the setting.",
		}
	})
}

func isYes(s string) bool {
	return slices.Contains([]string{"yes", "true", "1"}, strings.ToLower(s))
}

func distributed(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		if st.section != "server" || st.name != "enable_distributed_kopano" || !isYes(x.text()) || has(x.service, "KCCONF_SERVER_SERVER_NAME") {
			return nil
		}
		return &verdict{
			stops:       true,
			message:     "Several servers are switched on, but KCCONF_SERVER_SERVER_NAME is not set.",
			consequence: "kopano_server does not start.",
			remedy:      "Set KCCONF_SERVER_SERVER_NAME to the cn of this server in the directory, or switch enable_distributed_kopano off.",
		}
	})
}

func s3Incomplete(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		if st.section != "server" || st.name != "attachment_storage" || x.text() != "s3" {
			return nil
		}
		var missing []string
		for _, part := range []string{"HOSTNAME", "BUCKETNAME", "ACCESSKEYID", "SECRETACCESSKEY", "REGION"} {
			if key := "KCCONF_SERVER_ATTACHMENT_S3_" + part; !has(x.service, key) {
				missing = append(missing, key)
			}
		}
		if len(missing) == 0 {
			return nil
		}
		return &verdict{
			message:     x.name() + " is s3, but " + list(missing, 6) + " is not set.",
			consequence: "kopano_server cannot read or write attachments.",
			remedy:      "Set what is missing.",
		}
	})
}
