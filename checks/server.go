package checks

import (
	"context"
	"fmt"
	"net/http"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// ServerReasons lists what the check of kopano_server tells apart.
func ServerReasons() []ReasonDoc {
	return append(append(networkReasons(), socketReasons()...),
		ReasonDoc{ReasonTLSOnPlain, TLS, "TLS answers where kopano_server speaks plain HTTP."},
		ReasonDoc{ReasonNotServer, Ask, "Another server answers where kopano_server should."},
	)
}

// socketReasons are the reasons that a check over a unix socket may give besides.
func socketReasons() []ReasonDoc {
	return []ReasonDoc{
		{ReasonNoSocket, Resolve, "There is no such socket in the client's container: the server has not started, or the two do not share the folder."},
		{ReasonStaleSocket, Dial, "The socket's file is there, and nobody listens on it: the server has died."},
	}
}

// CheckServer asks kopano_server for a page, over its socket, port 236 or port
// 237, as its client is told to. It refuses in its own way: gSOAP answers 405 to
// a GET (kopano-docker core/goss/server/goss.yaml). The port is bound long
// before the database and the issuer are looked for (ECServer.cpp), and until
// they answer nothing does: only an answer counts.
func CheckServer(ctx context.Context, t Target) Result {
	addr := clientsView(t.Edge)
	c := &serverClimb{climb: newClimb(t, "server"), host: addr.Host, port: addr.Port, web: &web{target: t}}
	base := "http://" + hostPort(addr.Host, addr.Port)
	switch addr.Scheme {
	case "https":
		return CheckServerCertificate(ctx, t)
	case "file":
		c.web.socket, base = addr.Path, "http://kopano_server"
	}
	a, f := c.web.get(ctx, base+"/")
	if f != nil {
		return c.silentOrGone(f)
	}
	c.address = a.Address
	if f := c.judge(a); f != nil {
		return c.fail(f)
	}
	return c.ok(Ask, "kopano_server answers %s on %s", a.saw(), a.Address)
}

type serverClimb struct {
	*climb
	host string
	port int
	web  *web
}

func (c *serverClimb) judge(a *answer) *failure {
	if a.Status == http.StatusMethodNotAllowed {
		return nil
	}
	f := &failure{Ask, ReasonNotServer, fmt.Sprintf("%s answers with %s; kopano_server answers 405", a.Address, a.saw()), nil}
	return c.broke(f, "Another server answers where kopano_server should", c.target.Edge.Locations(),
		fmt.Sprintf("Correct host and port in %s: kopano_server speaks plain HTTP on 236, and HTTPS on 237.", c.settingName()))
}

func (c *serverClimb) silentOrGone(f *failure) Result {
	if p := c.web.last; p != nil {
		c.address = p.address
	}
	name := c.serverName()
	switch f.Reason {
	case ReasonNoSocket, ReasonStaleSocket:
		return c.noSocket(f, name, c.web.socket)
	case ReasonSilent:
		return c.fail(f, c.finding(f.Reason, c.mounts(), name+" takes connections and does not answer", f.Message,
			fmt.Sprintf("Look what it waits for: docker compose logs %s. Until it has reached its database and the address of sign-in it answers nobody; after that, restart it.", name)))
	case ReasonTLSOnPlain:
		return c.fail(f, c.finding(f.Reason, c.target.Edge.Locations(), "TLS answers where plain HTTP is expected", f.Message,
			fmt.Sprintf("Write https:// and port 237 into %s, or http:// and port 236.", c.settingName())))
	}
	return c.unreachable(f, c.host, c.port)
}

// serverName is the name of the service that plays kopano_server.
func (c *serverClimb) serverName() string {
	if c.target.Edge.To != nil {
		return c.target.Edge.To.Name
	}
	for _, s := range c.target.Topology.Services(kopano.Server) {
		return s.Name
	}
	return "kopano_server"
}

// mounts are the places that decide where both ends of a socket meet.
func (c *climb) mounts() []finding.Location {
	e := c.target.Edge
	places := e.Locations()
	if len(e.Addr.Values) == 0 && e.From != nil {
		places = []finding.Location{e.From.Locate("volumes").As(finding.Fix)}
	}
	if e.To != nil {
		places = append(places, e.To.At.As(finding.Related))
	}
	return places
}
