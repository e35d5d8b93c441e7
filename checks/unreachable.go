package checks

import (
	"fmt"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// onlyLoopback reports whether the other end is told to listen where nobody
// outside its container reaches it.
func onlyLoopback(l *kopano.Listening) bool {
	if l == nil || len(l.Addrs) == 0 {
		return false
	}
	for _, a := range l.Addrs {
		if !a.Loopback {
			return false
		}
	}
	return true
}

// loopback is the finding for it. Kopano's daemons listen on loopback unless
// they are told otherwise ("*%lo:2003" in DAgent.cpp, "*%lo:236" in
// ECServer.cpp and so on).
func (c *climb) loopback(f *failure, port int) finding.Finding {
	e := c.target.Edge
	to, setting := c.to(e.Addr.Host), e.Listen.Listener.Setting
	remedy := fmt.Sprintf("Let %s listen on 0.0.0.0:%d.", to, port)
	var places []finding.Location
	if setting != "" {
		remedy = fmt.Sprintf("Set %s=0.0.0.0:%d on %s.", setting, port, to)
		places = valuesLocations(e.To, setting)
	}
	return c.finding(f.Reason, places, to+" listens only inside its own container",
		f.Message+fmt.Sprintf("; %s is told to listen on loopback, where no other container reaches it", to), remedy)
}

// unreachable is a link that does not even connect.
func (c *climb) unreachable(f *failure, host string, port int) Result {
	switch {
	case f.status() == Unchecked:
		return c.fail(f)
	case (f.Reason == ReasonRefused || f.Reason == ReasonClosed) && onlyLoopback(c.target.Edge.Listen):
		return c.fail(f, c.loopback(f, port))
	}
	return c.fail(f, c.network(f, host, port))
}
