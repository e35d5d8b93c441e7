package checks

import (
	"context"
	"fmt"
	"net/http"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// features compares what the running server serves with what its settings
// say. The settings are read only when the container is made, so a difference
// mostly means that it was not made anew.
func (c *signalling) features(ctx context.Context) *failure {
	steps := []func(context.Context) *failure{c.guests, c.turn}
	if c.through {
		steps = append(steps, c.exposed) // web does not pass the MCU API on
	} else {
		steps = append(steps, c.mcu)
	}
	for _, step := range steps {
		if f := step(ctx); f != nil {
			return f
		}
	}
	return nil
}

// status asks for a path and gives the status of the answer.
func (c *signalling) status(ctx context.Context, path string) (int, *failure) {
	a, f := c.web.get(ctx, c.base+path)
	if f != nil {
		return 0, c.stopped(f, path)
	}
	if a.Status == http.StatusTooManyRequests {
		return 0, c.limited(fmt.Sprintf("%s answers %s with %s", a.Address, path, a.saw()))
	}
	return a.Status, nil
}

// guests: the path takes only POST, so GET gives 405 where it is served, 404
// where it is not (signaling/guest/http.go). A POST would make a guest.
func (c *signalling) guests(ctx context.Context) *failure {
	status, f := c.status(ctx, kwmAPI+"/guest/logon")
	if f != nil {
		return f
	}
	on, known := onOff(status, http.StatusMethodNotAllowed)
	if s := c.service(); known && s != nil {
		c.compareGuests(s, on)
	}
	return nil
}

func (c *signalling) compareGuests(s *deployment.Service, on bool) {
	const setting, meetSetting = "enable_guest_api", "KCCONF_MEET_guests_enabled"
	const consequence = "People without an account cannot join a meeting by its link."
	wanted := isYes(s, setting)
	switch {
	case wanted && !on:
		c.note(finding.Warning, ReasonGuestOff, valuesLocations(s, setting), "The running kwmserver lets no guests in",
			setting+" is yes, and kwmserver does not serve guests (404)", recreate(s), consequence)
	case !wanted && on:
		c.note(finding.Warning, ReasonGuestOn, valuesLocations(s, setting), "The running kwmserver lets guests in",
			setting+" is not yes, and kwmserver serves guests (405)", recreate(s), "Anybody with a link to a public meeting can join it.")
	case !on:
		for _, meet := range c.target.Topology.Services(kopano.Meet) {
			if v, ok := meet.Get(meetSetting); ok && v.Reveal() == "true" {
				places := append(valuesLocations(s, setting), related(v.Locations())...)
				c.note(finding.Warning, ReasonGuestOff, places, "Meet offers guests a way in that kwmserver does not serve",
					meetSetting+" is true on "+meet.Name+", and kwmserver does not serve guests (404)",
					"Set "+setting+"=yes on "+s.Name+" and allow_client_guests=yes on kopano_konnect, or "+meetSetting+"=false on "+meet.Name+".", consequence)
			}
		}
	}
}

// turn: the path is served, and asks for a sign-in, only where a TURN service
// or server is set (signaling/rtm/http.go, MakeHTTPTURNHandler).
func (c *signalling) turn(ctx context.Context) *failure {
	status, f := c.status(ctx, kwmAPI+"/rtm/turn")
	if f != nil {
		return f
	}
	on, known := onOff(status, http.StatusForbidden)
	s := c.service()
	if !known || s == nil {
		return nil
	}
	wanted, keys := turnSettings(s)
	switch {
	case wanted && !on:
		c.note(finding.Warning, ReasonTURNOff, valuesLocations(s, keys...), "The running kwmserver has no TURN service",
			keys[0]+" is set, and kwmserver has no TURN service (404)", recreate(s),
			"Calls between people behind different routers do not connect, or without picture and sound.")
	case !wanted && on:
		c.note(finding.Info, ReasonTURNOn, valuesLocations(s, turnUser), "The running kwmserver has a TURN service that the settings do not name",
			"no TURN service is set, and kwmserver has one (403)", recreate(s), "Meetings depend on a service that the settings do not show.")
	}
	return nil
}

const turnUser = "turn_service_credentials_user"

// turnSettings reports whether the settings give a TURN service, and which do:
// a shared secret with addresses, a file of credentials, or user and password
// (kwmserver/wrapper.sh of kopano-docker; signaling/server/server.go).
func turnSettings(s *deployment.Service) (bool, []string) {
	switch {
	case isSet(s, "turn_server_shared_secret") && isSet(s, "turn_uris"):
		return true, []string{"turn_server_shared_secret", "turn_uris"}
	case isSet(s, "turn_service_credentials"):
		return true, []string{"turn_service_credentials", "turn_service_url"}
	case isSet(s, turnUser) && isSet(s, "turn_service_credentials_password"):
		return true, []string{turnUser, "turn_service_credentials_password", "turn_service_url"}
	}
	return false, nil
}

// mcu: without an upgrade the path gives 400 where it is served.
func (c *signalling) mcu(ctx context.Context) *failure {
	status, f := c.status(ctx, kwmAPI+"/mcu/websocket")
	if f != nil {
		return f
	}
	const setting = "enable_mcu_api"
	on, known := onOff(status, http.StatusBadRequest)
	s := c.service()
	if !known || s == nil {
		return nil
	}
	wanted := isYes(s, setting)
	switch {
	case wanted && !on:
		c.note(finding.Warning, ReasonMCUOff, valuesLocations(s, setting), "The running kwmserver takes no bridge",
			setting+" is yes, and kwmserver does not serve the MCU API (404)", recreate(s), "Meetings with many people do not work: kopano_kwmbridge cannot connect.")
	case !wanted && on:
		c.note(finding.Warning, ReasonMCUOn, valuesLocations(s, setting), "The running kwmserver takes bridges",
			setting+" is not yes, and kwmserver serves the MCU API (400)", recreate(s), "Whoever reaches the port can register as a bridge and take meetings over: the API asks for no password.")
	}
	return nil
}

// exposed: web keeps the MCU API to port 8443 (web/kweb.cfg). Another proxy may not.
func (c *signalling) exposed(ctx context.Context) *failure {
	status, f := c.status(ctx, kwmAPI+"/mcu/websocket")
	if f != nil {
		return f
	}
	if on, _ := onOff(status, http.StatusBadRequest); on {
		c.note(finding.Warning, ReasonMCUExposed, c.proxyPlaces(), "The MCU API is open to the outside",
			c.base+kwmAPI+"/mcu/websocket is served (400)", "Let the proxy in front answer "+kwmAPI+"/mcu with 404.",
			"Whoever reaches the site can register as a bridge and take meetings over: the API asks for no password.")
	}
	return nil
}

// onOff reads a status: that of a path that is served, or 404.
func onOff(status, served int) (on, known bool) {
	return status == served, status == served || status == http.StatusNotFound
}

func (c *signalling) note(s finding.Severity, reason Reason, places []finding.Location, title, message, remedy, consequence string) {
	f := c.finding(reason, places, title, message, remedy)
	f.Consequence = consequence
	c.warn(s, f)
}

func recreate(s *deployment.Service) string {
	return fmt.Sprintf("Make the container anew, so that it takes its settings: docker compose up -d --force-recreate %s.", s.Name)
}

func isYes(s *deployment.Service, key string) bool {
	v, ok := s.Get(key)
	return ok && v.Reveal() == "yes"
}

func isSet(s *deployment.Service, key string) bool {
	v, ok := s.Get(key)
	return ok && v.Reveal() != ""
}
