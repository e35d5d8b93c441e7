package kopano

import "slices"

// Systems is everything the catalogue knows to run in a deployment, from the
// outside in. It is not changed by anybody.
var Systems = slices.Concat(entrySystems, appSystems, apiSystems, identitySystems, coreSystems, mailSystems, dataSystems, operationSystems)

// SystemOf gives what the catalogue knows of a role, or nil.
func SystemOf(r Role) *System {
	for i := range Systems {
		if Systems[i].Role == r {
			return &Systems[i]
		}
	}
	return nil
}

// Listener gives one of the system's listeners by name, or nil.
func (s *System) Listener(name string) *Listener {
	if s == nil {
		return nil
	}
	for i := range s.Listens {
		if s.Listens[i].Name == name {
			return &s.Listens[i]
		}
	}
	return nil
}

const (
	anyHTTP9080 = "0.0.0.0:9080" // kwebd of the web applications (webapp/kweb.cfg, zpush/kweb.cfg, meet/start-service.sh)
	sslFolder   = "/kopano/ssl"
	runFolder   = "/run/kopano"
	serverSock  = "file:///var/run/kopano/server.sock"
)
