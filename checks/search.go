package checks

import (
	"bufio"
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// ReasonNotSearch says that something else answers on search's socket.
const ReasonNotSearch Reason = "not-search"

// SearchReasons lists what the check of kopano_search tells apart.
func SearchReasons() []ReasonDoc {
	return append(append([]ReasonDoc{
		{ReasonNoRoute, Resolve, "Not checked: the socket can be reached only from inside the containers."},
		{ReasonSilent, Ask, "The socket takes connections and does not answer: a long search is running, or the worker hangs."},
		{ReasonClosed, Ask, "The connection was closed before an answer came."},
		{ReasonDeadline, Dial, "Not checked: the time for the whole run was over."},
	}, socketReasons()...),
		ReasonDoc{ReasonNotSearch, Ask, "What answers on the socket is not kopano-search."},
	)
}

// CheckSearch asks kopano_search, over the socket that kopano_server asks, which
// properties it does not index (kopano-core ECtools/search). It speaks at once
// and hangs up at once: search has one worker, and a connection that says
// nothing would keep everybody else from searching.
func CheckSearch(ctx context.Context, t Target) Result {
	c := newClimb(t, "search")
	socket := t.Edge.Addr.Path
	p, f := dialSocket(ctx, t, socket)
	if f != nil {
		return c.noSocket(f, "kopano_search", socket)
	}
	defer p.Close()
	c.address = p.address
	p.rung(ctx, t)
	if _, err := p.Write([]byte("PROPS\r\n")); err != nil {
		return c.fail(c.mute(readFailure(ctx, err, Ask, p, t.timeout())))
	}
	line, err := bufio.NewReaderSize(p, 64<<10).ReadSlice('\n')
	if err != nil {
		return c.fail(c.mute(readFailure(ctx, err, Ask, p, t.timeout())))
	}
	text := strings.TrimSpace(string(line))
	if !strings.HasPrefix(text, "OK:") {
		f := &failure{Ask, ReasonNotSearch, fmt.Sprintf("%s answers PROPS with: %s", socket, oneLine(text)), nil}
		return c.fail(c.broke(f, "What answers on search's socket is not search", c.mounts(),
			"Look which service makes "+socket+", and write the socket of kopano_search into "+c.settingName()+"."))
	}
	return c.ok(Ask, "kopano_search answers on %s", socket)
}

// noSocket is a link over a unix socket that cannot be opened.
func (c *climb) noSocket(f *failure, server, socket string) Result {
	if f.status() == Unchecked {
		return c.fail(f)
	}
	if to := c.target.Edge.To; to != nil {
		server = to.Name
	}
	remedy := fmt.Sprintf("Look whether %s runs (docker compose ps %s); if it does, both must mount the same volume at %s.", server, server, path.Dir(socket))
	title := "There is no socket of " + server
	if f.Reason == ReasonStaleSocket {
		title = server + " is gone and has left its socket"
		remedy = fmt.Sprintf("Start %s, or look why it stopped: docker compose logs %s.", server, server)
	}
	return c.fail(c.broke(f, title, c.mounts(), remedy))
}

// mute adds the finding for a server that takes a question and does not answer.
func (c *climb) mute(f *failure) *failure {
	if f.status() == Unchecked {
		return f
	}
	to := c.to("the server")
	c.found = append(c.found, c.finding(f.Reason, []finding.Location{c.target.Edge.From.At.As(finding.Related)}, to+" takes questions and does not answer", f.Message,
		fmt.Sprintf("Look what it is busy with: docker compose logs %s. If it stays like that, restart it.", to)))
	return f
}
