package checks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// Reasons of the check of the web applications.
const (
	ReasonNotApp     Reason = "not-the-app"  // a web server answers, and not as this program does
	ReasonAppError   Reason = "app-error"    // 5xx: the program behind the web server is down or broken
	ReasonPluginGone Reason = "plugin-off"   // kapi: a plugin that is switched on is not loaded
	ReasonConfigJSON Reason = "app-settings" // the application's configuration is not readable for browsers
)

// AppReasons lists what the check of the web applications tells apart.
func AppReasons() []ReasonDoc {
	return append(networkReasons(),
		ReasonDoc{ReasonTLSOnPlain, TLS, "TLS answers where plain HTTP is expected."},
		ReasonDoc{ReasonNotApp, Ask, "A web server answers, and not as this program does."},
		ReasonDoc{ReasonAppError, Ask, "The web server runs, and the program behind it does not."},
		ReasonDoc{ReasonNotFound, Ask, "A page that must be there is not."},
		ReasonDoc{ReasonPluginGone, Ask, "A plugin of kapi that is switched on is not loaded."},
		ReasonDoc{ReasonConfigJSON, Ask, "The settings that browsers load are no JSON."},
	)
}

// question is a page that is asked for, and what a healthy program says to
// somebody who has not signed in.
type question struct {
	path   string
	status []int  // what it may answer
	realm  string // what WWW-Authenticate must name, with 401
	empty  bool   // the page must be empty
	isJSON bool   // the page must be JSON
	proves string // what a good answer proves
	plugin string // kapi: asked only when KCCONF_KAPID_PLUGINS has it
}

// apps are the questions of each link to a web application. Sources:
// kopano-docker web/kweb.cfg and the images' start scripts; kapi
// server/handlers.go; kopano-core caldav/CalDAV.cpp and Http.cpp; z-push and
// kdav ask for a password before anything else.
func apps(link string) []question {
	page := []int{http.StatusOK, http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect}
	login := []int{http.StatusUnauthorized}
	switch link {
	case "web-webapp":
		return []question{{path: "/webapp/", status: page, proves: "PHP works behind it"}}
	case "web-zpush":
		return []question{{path: "/Microsoft-Server-ActiveSync", status: login, realm: "zpush", proves: "ActiveSync asks for a login"}}
	case "web-kdav":
		return []question{{path: "/kdav/", status: login, proves: "kDAV asks for a login"}}
	case "web-ical", "client-ical":
		return []question{{path: "/caldav/", status: login, realm: "kopano", proves: "CalDAV asks for a login"}}
	case "web-meet":
		return []question{
			{path: "/meet/", status: page, proves: "Meet opens"},
			{path: "/api/config/v1/kopano/meet/config.json", status: page[:1], isJSON: true, proves: "browsers get its settings"},
		}
	case "web-kapps":
		return []question{{path: "/calendar/", status: page, proves: "the calendar app opens"}}
	case "web-kapi":
		return []question{
			{path: "/health-check", status: page[:1], empty: true, proves: "it is healthy"},
			{path: "/api/gc/v1/me", status: []int{http.StatusForbidden, http.StatusUnauthorized}, plugin: "grapi", proves: "its API asks for a sign-in"},
			{path: "/api/kvs/v1/kv/user/x", status: []int{http.StatusForbidden, http.StatusUnauthorized}, plugin: "kvs"},
			{path: "/api/pubs/v1/stream/connect", status: []int{http.StatusForbidden, http.StatusUnauthorized}, plugin: "pubs"},
		}
	case "web-playground", "web-grapi-explorer", "web-ldap-admin", "web-password-self-service", "web-ldap-account-manager", "web-owncloud":
		return []question{{path: "/", status: append([]int{http.StatusNotFound, http.StatusUnauthorized, http.StatusForbidden}, page...), proves: "its web server answers"}}
	}
	return nil
}

// pluginSetting names the plugins that kapi loads; without it the image loads all
// (kopano-docker core/start-service.sh).
const pluginSetting = "KCCONF_KAPID_PLUGINS"

// CheckApp asks a web application for its pages as web does for a client
// outside, without signing in. What it answers before anybody has signed in
// proves that the program behind the web server runs; it says nothing about the
// link to kopano_server, which has a check of its own.
func CheckApp(ctx context.Context, t Target) Result {
	addr := clientsView(t.Edge)
	c := &appClimb{climb: newClimb(t, "app"), host: addr.Host, port: addr.Port, web: &web{target: t, insecure: true}}
	base := "http://" + hostPort(addr.Host, addr.Port)
	if addr.Scheme == "https" {
		base = "https://" + hostPort(addr.Host, addr.Port)
	}
	var proved []string
	for _, q := range apps(t.Edge.Link.ID) {
		if q.plugin != "" && !pluginOn(t.Edge.To, q.plugin) {
			continue
		}
		a, f := c.web.get(ctx, base+q.path)
		if f != nil {
			return c.lost(f)
		}
		c.address = a.Address
		if f := c.judge(q, a); f != nil {
			return c.fail(f)
		}
		if q.proves != "" {
			proved = append(proved, q.proves)
		}
	}
	return c.ok(Ask, "%s answers: %s", c.to(c.host), strings.Join(proved, ", "))
}

// pluginOn reports whether a plugin is switched on.
func pluginOn(kapi *deployment.Service, name string) bool {
	if kapi == nil {
		return false // some other server's settings, which nobody here knows
	}
	v, ok := kapi.Get(pluginSetting)
	if !ok || v.Reveal() == "" {
		return true
	}
	return slices.Contains(strings.FieldsFunc(v.Reveal(), func(r rune) bool { return r == ' ' || r == ',' }), name)
}

type appClimb struct {
	*climb
	host string
	port int
	web  *web
}

func (c *appClimb) lost(f *failure) Result {
	if f.Reason != ReasonTLSOnPlain {
		return c.unreachable(f, c.host, c.port)
	}
	return c.fail(c.broke(f, "TLS answers where plain HTTP is expected", c.target.Edge.Locations(), "Correct host and port in "+c.settingName()+"."))
}

func (c *appClimb) judge(q question, a *answer) *failure {
	saw := fmt.Sprintf("%s answers %s with %s", a.Address, q.path, a.saw())
	to := c.to(c.host)
	switch {
	case !slices.Contains(q.status, a.Status):
		return c.wrongStatus(q, a, saw)
	case a.Status == http.StatusUnauthorized && q.realm != "" && !strings.Contains(strings.ToLower(a.Header.Get("WWW-Authenticate")), q.realm):
		f := &failure{Ask, ReasonNotApp, fmt.Sprintf("%s and asks for a password for %q, which is not what this program says", saw, oneLine(a.Header.Get("WWW-Authenticate"))), nil}
		return c.otherProgram(f)
	case q.empty && len(bytes.TrimSpace(a.Body)) > 0:
		f := &failure{Ask, ReasonNotApp, saw + " and a page, where this program sends none", nil}
		return c.otherProgram(f)
	case q.isJSON && !isJSON(a):
		f := &failure{Ask, ReasonConfigJSON, saw + ", which is no JSON", nil}
		return c.broke(f, to+" does not give browsers its settings", c.appPlaces(), fmt.Sprintf("Look what %s says about its configuration: docker compose logs %s.", to, to))
	}
	return nil
}

func (c *appClimb) wrongStatus(q question, a *answer, saw string) *failure {
	to := c.to(c.host)
	switch {
	case a.Status >= 500:
		f := &failure{Ask, ReasonAppError, saw, nil}
		return c.broke(f, to+" answers with an error of its own", c.appPlaces(),
			fmt.Sprintf("Look what it says: docker compose logs %s. Restart it when its program has died.", to))
	case a.Status == http.StatusNotFound && q.plugin != "":
		f := &failure{Ask, ReasonPluginGone, saw + fmt.Sprintf(": the plugin %s is not loaded", q.plugin), nil}
		places := append(valuesLocations(c.target.Edge.To, pluginSetting), related(c.target.Edge.Locations())...)
		return c.broke(f, fmt.Sprintf("%s runs without its plugin %s", to, q.plugin), places,
			fmt.Sprintf("Set %s=grapi,kvs,pubs on %s and recreate it; if it is set so already, its log says why the plugin is not there.", pluginSetting, to))
	case a.Status == http.StatusNotFound:
		f := &failure{Ask, ReasonNotFound, saw, nil}
		return c.broke(f, fmt.Sprintf("%s has no page %s", to, q.path), c.appPlaces(),
			fmt.Sprintf("Look whether %s is the right service for %s, and what its log says.", to, q.path))
	}
	f := &failure{Ask, ReasonNotApp, saw + ", which this program never does to somebody who is not signed in", nil}
	return c.otherProgram(f)
}

func (c *appClimb) otherProgram(f *failure) *failure {
	return c.broke(f, "Another program answers where "+c.to(c.host)+" should", c.target.Edge.Locations(),
		fmt.Sprintf("Correct the host in %s, or look what runs in %s.", c.settingName(), c.to(c.host)))
}

// appPlaces is the service itself: nothing in the client's settings is wrong.
func (c *appClimb) appPlaces() []finding.Location {
	if to := c.target.Edge.To; to != nil {
		return []finding.Location{to.At.As(finding.Fix)}
	}
	return c.target.Edge.Locations()
}

func isJSON(a *answer) bool {
	kind, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	return json.Valid(a.Body) && (kind == "" || strings.Contains(kind, "json") || strings.HasPrefix(kind, "text/plain") || kind == "application/octet-stream")
}
