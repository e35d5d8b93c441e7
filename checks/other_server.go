package checks

import (
	"context"
)

// OtherServerReasons lists what the check between storage servers tells apart.
func OtherServerReasons() []ReasonDoc {
	return append(append(networkReasons(), tlsReasons()...),
		ReasonDoc{ReasonNotServer, Ask, "Another server answers where kopano_server should."},
	)
}

// CheckOtherServer asks another storage server of the same Kopano for a page on
// its HTTPS port, over which the servers speak to each other. Under which name
// they do is written in the directory, so the certificate's is not judged here.
func CheckOtherServer(ctx context.Context, t Target) Result {
	c := &serverClimb{climb: newClimb(t, "other-server"), web: &web{target: t, insecure: true}}
	c.host, c.port = c.to(t.Edge.Addr.Host), 237
	if l := t.Edge.Listen; l != nil && len(l.Addrs) > 0 && l.Addrs[0].Port != 0 {
		c.port = l.Addrs[0].Port
	}
	a, f := c.web.get(ctx, "https://"+hostPort(c.host, c.port)+"/")
	if f != nil {
		return c.unreachable(f, c.host, c.port)
	}
	c.address = a.Address
	if f := c.judge(a); f != nil {
		return c.fail(f)
	}
	return c.ok(Ask, "%s answers %s on %s", c.host, a.saw(), a.Address)
}
