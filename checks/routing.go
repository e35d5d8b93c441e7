package checks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// Reasons of the check of the public address.
const (
	ReasonAnotherSite  Reason = "another-site"  // a web server that has nothing to do with this deployment
	ReasonRedirectLoop Reason = "redirect-loop" // the address sends browsers to itself
	ReasonNotPassedOn  Reason = "not-passed-on" // a path ends before it reaches its service
	ReasonUpstream     Reason = "upstream"      // the path is known, and its service does not answer
	ReasonOtherAnswer  Reason = "other-answer"  // something in front answers in the service's place
	ReasonPlainHTTP    Reason = "plain-http"    // a warning: pages without TLS
	ReasonRedirectAway Reason = "redirect-away" // a warning: http:// leads elsewhere
	ReasonLimited      Reason = "limited"       // unchecked: the server takes no more requests
)

// RoutingReasons lists what the check of the public address tells apart.
func RoutingReasons() []ReasonDoc {
	return append(append(networkReasons(), tlsReasons()...),
		ReasonDoc{ReasonAnotherSite, Ask, "Another site answers at the public address."},
		ReasonDoc{ReasonRedirectLoop, Ask, "The public address sends browsers back to itself without end."},
		ReasonDoc{ReasonNotPassedOn, Ask, "web, or a proxy before it, does not pass some paths on."},
		ReasonDoc{ReasonUpstream, Ask, "web answers, and the service behind a path does not."},
		ReasonDoc{ReasonOtherAnswer, Ask, "Something in front answers on a path in the place of the service."},
		ReasonDoc{ReasonPlainHTTP, Ask, "Pages are served without TLS; a warning."},
		ReasonDoc{ReasonRedirectAway, Ask, "An address that starts with http:// leads to another place than the public one; a warning."},
		ReasonDoc{ReasonLimited, Ask, "Not checked: web takes no more requests from here for a while."},
	)
}

// atOnce is how many pages are asked for at a time. web counts requests: 100 in
// a minute on the paths of kapi and kwmserver (kopano-docker web/kweb.cfg,
// ratelimit).
const atOnce = 3

// CheckRouting uses the public address as browsers and phones do: the front
// page, one page of each service that the deployment has behind web, and the way
// from http:// to https://. Where an answer is not the service's own, the service
// itself is asked for the same page, if it can be reached, to say which of the
// two is at fault. The certificate and websockets are the matter of other links.
func CheckRouting(ctx context.Context, t Target) Result {
	c := &routing{climb: newClimb(t, "routing"), web: t.Edge.To}
	c.host, c.port = publicAddress(c.web, t.Edge.Addr.Host, t.Edge.Addr.Port)
	if c.host == "" || c.port == 0 {
		return c.fail(&failure{Resolve, ReasonConfig, "no name is set by which clients reach web", nil})
	}
	c.base = "https://" + plainPort(c.host, c.port, 443)
	root, f := c.root(ctx)
	if f != nil {
		return c.lost(f)
	}
	c.address = root.Address
	if f := c.loops(root); f != nil {
		return c.fail(f)
	}
	seen := c.ask(ctx, pagesOf(t))
	if f := c.judge(ctx, root, seen); f != nil {
		return c.fail(f)
	}
	return c.ok(Ask, "%s of the deployment's pages answer at %s as they should%s", numberOf(len(seen)), c.base, c.plainHTTP(ctx))
}

type routing struct {
	*climb
	web  *deployment.Service
	host string
	port int
	base string // scheme, host and port of the public address
}

func (c *routing) client() *web { return &web{target: c.target, insecure: true} }

// root asks for the front page. Where TLS ends in a proxy and the name leads
// to web itself from here, web is asked in plain HTTP, as the proxy does.
func (c *routing) root(ctx context.Context) (*answer, *failure) {
	a, f := c.client().get(ctx, c.base+"/")
	if f != nil && f.Reason == ReasonPlainOnTLS && certificateMode(c.web) == modeOff {
		c.base = "http://" + plainPort(c.host, c.port, 80)
		return c.client().get(ctx, c.base+"/")
	}
	return a, f
}

// lost is an address that does not answer over HTTP at all.
func (c *routing) lost(f *failure) Result {
	if f.status() == Unchecked {
		return c.fail(f)
	}
	out := c.network(f, c.host, c.port)
	out.Locations = uniqueLocations(append(valuesLocations(c.web, "FQDN"), related(out.Locations)...))
	return c.fail(f, out)
}

// loops recognises the way of a proxy that passes everything on to web's port
// 80, whose only answer is a redirect to the address that the browser has just
// asked for (kopano-docker web/kweb.cfg).
func (c *routing) loops(root *answer) *failure {
	to, ok := c.leadsTo(root, "/")
	if !ok || to.Host != c.publicHost() || to.Scheme != "https" || strings.Trim(to.Path, "/") != "" || strings.HasPrefix(c.base, "http:") {
		return nil
	}
	f := &failure{Ask, ReasonRedirectLoop, fmt.Sprintf("%s answers / with a redirect to %s, which is the same page", root.Address, oneLine(to.String())), nil}
	return c.broke(f, "The public address sends browsers round in a circle", valuesLocations(c.web, "FQDN"),
		"Let the proxy in front pass requests on to port 443 or 2015 of web: port 80 of web answers everything with a redirect to https.")
}

// leadsTo gives where an answer sends a browser that asked for path.
func (c *routing) leadsTo(a *answer, path string) (*url.URL, bool) {
	if a.Status < 300 || a.Status > 399 {
		return nil, false
	}
	from, err := url.Parse(c.base + path)
	if err != nil {
		return nil, false
	}
	to, err := from.Parse(a.Header.Get("Location"))
	return to, err == nil && a.Header.Get("Location") != ""
}

func (c *routing) publicHost() string { return plainPort(c.host, c.port, 443) }

// plainPort writes host:port as browsers do, without the port that goes without saying.
func plainPort(host string, port, usual int) string {
	if port == usual && !strings.Contains(host, ":") {
		return host
	}
	return hostPort(host, port)
}

// seenPage is a page and what came of asking for it.
type seenPage struct {
	page
	answer *answer
	lost   *failure
	unsaid bool // not asked, since an answer before said that there were too many
}

// limited: too many requests, by this page or one before it.
func (s seenPage) limited() bool {
	return s.unsaid || s.answer != nil && s.answer.Status == http.StatusTooManyRequests
}

// ask asks for all pages, a few at a time, and stops when the server has enough.
func (c *routing) ask(ctx context.Context, pages []page) []seenPage {
	seen := make([]seenPage, len(pages))
	var enough atomic.Bool
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i, p := range pages {
		g.Go(func() error {
			seen[i] = seenPage{page: p, unsaid: enough.Load()}
			if seen[i].unsaid {
				return nil
			}
			seen[i].answer, seen[i].lost = c.client().get(ctx, c.base+p.path)
			if seen[i].limited() {
				enough.Store(true)
			}
			return nil
		})
	}
	_ = g.Wait() // the functions give no error
	return seen
}

// right reports whether an answer is the service's own.
func (c *routing) right(p page, a *answer, path string) bool {
	switch to, ok := c.leadsTo(a, path); {
	case !slices.Contains(p.status, a.Status):
		return false
	case ok && !strings.EqualFold(to.Hostname(), c.host):
		return false
	case a.Status == http.StatusUnauthorized && p.realm != "":
		return strings.Contains(strings.ToLower(a.Header.Get("WWW-Authenticate")), p.realm)
	}
	return !p.isJSON || isJSON(a)
}

// judge looks at all answers together; the failure is the worst of it.
func (c *routing) judge(ctx context.Context, root *answer, seen []seenPage) *failure {
	var wrong []seenPage
	limited, good := false, false
	for _, s := range seen {
		switch {
		case s.limited():
			limited = true
		case s.lost != nil && s.lost.status() == Unchecked:
			return s.lost
		case s.lost == nil && c.right(s.page, s.answer, s.path):
			good = good || s.tells()
		default:
			wrong = append(wrong, s)
		}
	}
	if !good && c.foreign(root, wrong) {
		return c.anotherSite(root, wrong)
	}
	worst := c.wrongPages(ctx, wrong)
	if worst == nil && limited {
		return &failure{Ask, ReasonLimited, root.Address + " takes no more requests from here; run the check again in a minute", nil}
	}
	return worst
}

// foreign reports whether nothing that came back is of this deployment. Any
// web server may answer 404 or a page; one that cannot reach its services, or
// has not answered, may well be the right one.
func (c *routing) foreign(root *answer, wrong []seenPage) bool {
	if len(wrong) == 0 || c.isWeb(root) {
		return false
	}
	for _, s := range wrong {
		if s.lost != nil || s.answer.Status >= 500 || c.isWeb(s.answer) {
			return false
		}
	}
	return true
}

// isWeb recognises web by its name, or by where its front page leads to; a
// proxy before it hides the first.
func (c *routing) isWeb(a *answer) bool {
	if strings.EqualFold(a.Header.Get("Server"), "kweb") {
		return true
	}
	front := "/webapp"
	if v, ok := c.web.Get("DEFAULTREDIRECT"); ok {
		front = v.Reveal()
	}
	to, ok := c.leadsTo(a, "/")
	return ok && strings.EqualFold(to.Hostname(), c.host) && strings.Trim(to.Path, "/") == strings.Trim(front, "/") && strings.Trim(front, "/") != ""
}

func (c *routing) anotherSite(root *answer, wrong []seenPage) *failure {
	f := &failure{Ask, ReasonAnotherSite, fmt.Sprintf("%s answers / with %s and %s with %s, as no service of this deployment does",
		root.Address, root.saw(), wrong[0].path, wrong[0].answer.saw()), nil}
	c.broke(f, "Another site answers at "+c.base, valuesLocations(c.web, "FQDN"),
		fmt.Sprintf("If a proxy stands in front, let it pass %s on to web; it shows its default page to names that it does not know. If there is none, correct the address of that name (DNS), or FQDN.", c.host))
	c.found[len(c.found)-1].Consequence = "Nobody reaches anything of this deployment from outside."
	return f
}

// wrongPages says what is wrong with single pages: those that are not found
// in one finding, the others each for themselves.
func (c *routing) wrongPages(ctx context.Context, wrong []seenPage) *failure {
	var missing []seenPage
	var worst *failure
	note := func(f *failure) {
		if worst == nil {
			worst = f
		}
	}
	told := map[string]bool{} // services that something was said about already
	for _, s := range wrong {
		switch {
		case s.answer != nil && s.answer.Status == http.StatusNotFound:
			missing = append(missing, s)
		case told[s.edge.ID]:
		default:
			told[s.edge.ID] = true
			note(c.wrongPage(ctx, s))
		}
	}
	if len(missing) > 0 {
		note(c.notPassedOn(ctx, missing))
	}
	return worst
}

// notPassedOn is for paths that are not found.
func (c *routing) notPassedOn(ctx context.Context, missing []seenPage) *failure {
	var paths, loses []string
	for _, s := range missing {
		paths = append(paths, s.path)
		if !slices.Contains(loses, s.loses()) {
			loses = append(loses, s.loses())
		}
	}
	first := missing[0]
	f := &failure{Ask, ReasonNotPassedOn, fmt.Sprintf("%s answers %s with %s%s", first.answer.Address, listOf(paths), first.answer.saw(), c.itself(ctx, first.page)), nil}
	remedy := fmt.Sprintf("Let the proxy in front pass all of %s on to web, best everything under /. If there is none, look whether this version of web knows the path (docker compose logs web).", c.host)
	c.broke(f, "Not all of the deployment is reached at "+c.base, append(valuesLocations(c.web, "FQDN"), related([]finding.Location{first.edge.To.At})...), remedy)
	if len(loses) <= 3 {
		c.found[len(c.found)-1].Consequence = strings.Join(loses, " ")
	}
	return f
}

func (c *routing) wrongPage(ctx context.Context, s seenPage) *failure {
	to := s.edge.To.Name
	var f *failure
	title, remedy, places := "", "", []finding.Location{s.edge.To.At.As(finding.Fix)}
	switch {
	case s.lost != nil:
		f = &failure{Ask, ReasonUpstream, s.lost.Message + " to " + s.path, s.lost.Err}
		if s.lost.Reason == ReasonSilent {
			f.Message += "; web waits up to 30 seconds for a service that is not there"
		}
	case s.answer.Status >= 500:
		f = &failure{Ask, ReasonUpstream, fmt.Sprintf("%s answers %s with %s", s.answer.Address, s.path, s.answer.saw()), nil}
	default:
		f = &failure{Ask, ReasonOtherAnswer, fmt.Sprintf("%s answers %s with %s, which is not what %s says there", s.answer.Address, s.path, s.sawWhere(c), to), nil}
	}
	f.Message += c.itself(ctx, s.page)
	if f.Reason == ReasonUpstream {
		title = fmt.Sprintf("%s does not answer through the public address", to)
		remedy = fmt.Sprintf("Look whether %s runs and shares a network with web: docker compose ps %s, docker compose logs web.", to, to)
	} else {
		title = "Something else answers on " + s.path
		remedy = fmt.Sprintf("Look what stands before web and answers in its place, or asks for a password of its own; let it pass %s on as it is.", s.path)
		places = append(valuesLocations(c.web, "FQDN"), related(places)...)
	}
	c.broke(f, title, places, remedy)
	n := &c.found[len(c.found)-1]
	n.Key, n.Consequence = string(f.Reason)+" "+s.edge.ID, s.loses()
	return f
}

// sawWhere describes an answer, and where it leads to.
func (s seenPage) sawWhere(c *routing) string {
	if to, ok := c.leadsTo(s.answer, s.path); ok {
		return s.answer.saw() + " to " + oneLine(to.Redacted())
	}
	return s.answer.saw()
}

// itself asks the service for the same page, past web, where it can be reached
// from here, and says how it answers.
func (c *routing) itself(ctx context.Context, p page) string {
	addr := p.edge.Addr
	if addr.Host == "" || addr.Port == 0 {
		return ""
	}
	a, f := c.client().get(ctx, "http://"+hostPort(addr.Host, addr.Port)+p.inner)
	switch {
	case f != nil && f.status() == Unchecked:
		return ""
	case f != nil:
		return fmt.Sprintf("; %s itself does not answer either", p.edge.To.Name)
	case c.right(p, a, p.inner):
		return fmt.Sprintf("; %s itself answers well", p.edge.To.Name)
	}
	return fmt.Sprintf("; %s itself answers %s", p.edge.To.Name, a.saw())
}

// plainHTTP looks where an address without https leads to, and says so. That
// nothing answers there is no fault: browsers try https first.
func (c *routing) plainHTTP(ctx context.Context) string {
	if strings.HasPrefix(c.base, "http:") {
		return ""
	}
	a, f := c.client().get(ctx, "http://"+c.host+"/")
	if f != nil || a.Status >= 400 {
		return ""
	}
	to, ok := c.leadsTo(a, "/")
	switch {
	case ok && to.Scheme == "https" && strings.EqualFold(to.Host, c.publicHost()):
		return ", and http:// leads there"
	case ok && to.Scheme == "https" || ok && !strings.EqualFold(to.Hostname(), c.host):
		n := c.finding(ReasonRedirectAway, valuesLocations(c.web, "FQDN"), "http:// does not lead to the public address",
			fmt.Sprintf("%s answers with a redirect to %s, and the public address is %s", a.Address, oneLine(to.Redacted()), c.base),
			"Let port 80 of this name redirect to "+c.base+", or do not publish it.")
		n.Consequence = "Whoever types the name without https ends somewhere else."
		c.warn(finding.Warning, n)
	default:
		n := c.finding(ReasonPlainHTTP, valuesLocations(c.web, "FQDN"), "Pages are served without TLS",
			fmt.Sprintf("%s answers http://%s/ with %s instead of a redirect to https", a.Address, c.host, a.saw()),
			"Let the proxy in front redirect port 80 to https; port 80 of web itself does nothing else.")
		n.Consequence = "Passwords and mail of people who type the name without https can be read on the way."
		c.warn(finding.Warning, n)
	}
	return ""
}

// numberOf writes how many, and "none" for a deployment without pages.
func numberOf(n int) string {
	if n == 0 {
		return "none"
	}
	return fmt.Sprintf("all %d", n)
}

// listOf writes a few words: "a, b and 3 more".
func listOf(words []string) string {
	const most = 3
	if len(words) <= most {
		return strings.Join(words, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(words[:most], ", "), len(words)-most)
}
