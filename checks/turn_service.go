package checks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// ReasonNoTURNData: the service answers, and gives nothing that kwmserver can use.
const ReasonNoTURNData Reason = "no-turn-data"

// TURNServiceReasons lists what the check of the TURN service tells apart.
func TURNServiceReasons() []ReasonDoc {
	return append(append(networkReasons(), tlsReasons()...),
		ReasonDoc{ReasonTLSOnPlain, TLS, "TLS answers where plain HTTP is expected."},
		ReasonDoc{ReasonCredentials, Authenticate, "The service refuses the user and password of kwmserver."},
		ReasonDoc{ReasonNoTURNData, Ask, "The service answers, and gives nothing that kwmserver can use."},
	)
}

// The account of kwmserver at the service (kopano-docker kwmserver/wrapper.sh).
const (
	turnUserSetting     = "turn_service_credentials_user"
	turnPasswordSetting = "turn_service_credentials_password"
)

// CheckTURNService asks the service that gives kwmserver the addresses and
// passwords of TURN servers, with the same request as kwmserver, for nobody in
// particular (kwmserver turn/serverauth.go). What it gives is thrown away.
func CheckTURNService(ctx context.Context, t Target) Result {
	address := addressText(t.Edge)
	u, err := url.Parse(address)
	c := &turnService{climb: newClimb(t, "turn-service"), web: &web{target: t, insecure: insecureClient(t.Edge.From)}}
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return c.fail(&failure{Resolve, ReasonConfig, "the address of the TURN service is no URL that can be asked", err})
	}
	c.host, c.port = hostPortOf(u)
	user, password, known := c.account()
	c.web.prepare = func(r *http.Request) error {
		if known {
			r.SetBasicAuth(user, password)
		}
		return nil
	}
	a, again, f := c.ask(ctx, address, user, password)
	if f != nil {
		return c.unreachable(f, c.host, c.port)
	}
	c.address = a.Address
	return c.judge(a, known, again)
}

// turnRefusal is an answer that refuses user and password.
type turnRefusal struct{ *answer }

func (turnRefusal) Error() string { return "the service refuses user and password" }

// ask sends the question, unless this password was refused before: then it gives
// that answer, and what is to be said of it.
func (c *turnService) ask(ctx context.Context, address, user, password string) (a *answer, again string, f *failure) {
	key := c.target.loginKey("turn-service", address, user, password)
	refused := func(err error) bool { return errors.As(err, new(turnRefusal)) }
	err := c.target.Logins.Login(ctx, key, refused, func(bool) error {
		if a, f = c.web.get(ctx, address); f == nil && refusedBy(a) {
			return turnRefusal{a}
		}
		if f != nil {
			return f
		}
		return nil
	})
	var refusal turnRefusal
	switch {
	case errors.As(err, &refusal):
		return refusal.answer, NotTriedAgain(err), nil
	case err != nil && f == nil:
		f = &failure{Authenticate, ReasonTimeout, "another link that uses the same password waits for its answer", err}
	}
	return a, "", f
}

func refusedBy(a *answer) bool {
	return a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden
}

type turnService struct {
	*climb
	host string
	port int
	web  *web
}

// account gives user and password where they are set by themselves. A file with
// them is not looked for: who has none is refused, which also shows that the
// service is there.
func (c *turnService) account() (user, password string, known bool) {
	from := c.target.Edge.From
	u, ok := from.Get(turnUserSetting)
	p, also := from.Get(turnPasswordSetting)
	return u.Reveal(), p.Reveal(), ok && also && u.Reveal() != "" && p.Reveal() != ""
}

func (c *turnService) judge(a *answer, known bool, again string) Result {
	saw := fmt.Sprintf("%s answers with %s", a.Address, a.saw())
	refused := refusedBy(a)
	switch {
	case a.Status == http.StatusOK && known:
		if n := servers(a.Body); n > 0 {
			return c.ok(Authenticate, "the TURN service knows kwmserver and names %d addresses", n)
		}
	case refused && known:
		c.final = !c.target.Settling()
		f := &failure{Authenticate, ReasonCredentials, saw + " to user and password of kwmserver" + again, nil}
		return c.fail(c.broke(f, "The TURN service refuses kwmserver", c.accountPlaces(),
			fmt.Sprintf("Correct %s and %s, and recreate kopano_kwmserver; without an account, empty both, and meetings do without the service.",
				written(c.target.Edge.From, turnUserSetting), written(c.target.Edge.From, turnPasswordSetting))))
	case refused:
		return c.ok(Ask, "the TURN service asks for a password, as it should")
	}
	f := &failure{Ask, ReasonNoTURNData, saw + ", and no addresses of TURN servers", nil}
	return c.fail(c.broke(f, "The TURN service gives kwmserver nothing", c.target.Edge.Locations(),
		"Correct turn_service_url, or run a TURN server of your own and name it in turn_uris and turn_server_shared_secret."))
}

// servers counts the addresses in an answer that kwmserver would take.
func servers(body []byte) int {
	var data struct {
		Username string   `json:"username"`
		URIs     []string `json:"uris"`
	}
	if json.Unmarshal(body, &data) != nil || strings.TrimSpace(data.Username) == "" {
		return 0
	}
	return len(data.URIs)
}

func (c *turnService) accountPlaces() []finding.Location {
	return valuesLocations(c.target.Edge.From, turnUserSetting, turnPasswordSetting)
}
