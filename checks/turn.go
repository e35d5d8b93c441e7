package checks

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what TURN servers of this kind take
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/pion/stun/v3"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// Reasons of the TURN checks.
const (
	ReasonNotTURN    Reason = "not-turn"    // STUN answers, and nothing is relayed
	ReasonTURNSecret Reason = "turn-secret" // the server does not take what kwmserver makes of its secret
	ReasonTURNOpen   Reason = "turn-open"   // a warning: relays for everybody
)

// TURNReasons lists what the check of TURN servers tells apart.
func TURNReasons() []ReasonDoc {
	return append(append(networkReasons(), tlsReasons()...),
		ReasonDoc{ReasonNotTURN, Ask, "The server tells people their address (STUN), and relays nothing (TURN)."},
		ReasonDoc{ReasonTURNSecret, Authenticate, "The server refuses the passwords that kwmserver makes with its shared secret."},
		ReasonDoc{ReasonTURNOpen, Ask, "The server relays for everybody, without a password; a warning."},
	)
}

// turnSecretSetting names the file with the secret that kwmserver shares with
// the server (kopano-docker kwmserver/wrapper.sh).
const turnSecretSetting = "turn_server_shared_secret"

// CheckTURN asks each server of turn_uris as browsers in a meeting would, over
// UDP, TCP or TLS: for its address, which any STUN server tells, and for a relay.
// That request leaves out what kind of relay it wants, which a server must
// refuse, and it looks at the password first (RFC 8656, 7.2): 401 and then 400
// prove the server and the secret, and nothing is reserved.
func CheckTURN(ctx context.Context, t Target) Result {
	servers := append([]kopano.Endpoint{t.Edge.Addr}, t.Edge.More...)
	var results []Result
	for _, e := range servers {
		results = append(results, (&turnClimb{climb: newClimb(t, "turn")}).run(ctx, e))
	}
	return anyServer(results, servers)
}

type turnClimb struct {
	*climb
	uri  *stun.URI
	peer *peer
	conn net.Conn // peer, or TLS over it
}

func (c *turnClimb) run(ctx context.Context, e kopano.Endpoint) Result {
	uri, err := stun.ParseURI(e.Text)
	switch {
	case err != nil || uri.Host == "":
		return c.fail(&failure{Resolve, ReasonConfig, "the address " + oneLine(e.Text) + " is not usable as written", err})
	case uri.IsSecure() && uri.Proto == stun.ProtoTypeUDP:
		return c.fail(&failure{Resolve, ReasonNoCheck, "TLS over UDP is not looked at: " + oneLine(e.Text), nil})
	}
	c.uri, c.address = uri, oneLine(e.Text)
	if f := c.connect(ctx); f != nil {
		return c.lost(f)
	}
	defer c.conn.Close()
	if _, f := c.ask(ctx, stun.BindingRequest); f != nil {
		return c.lost(f)
	}
	if uri.Scheme == stun.SchemeTypeSTUN || uri.Scheme == stun.SchemeTypeSTUNS {
		return c.ok(Ask, "%s tells people their address", c.peer.address)
	}
	return c.relay(ctx)
}

func (c *turnClimb) connect(ctx context.Context) *failure {
	var f *failure
	if c.uri.Proto == stun.ProtoTypeUDP {
		c.peer, f = dialUDP(ctx, c.target, c.uri.Host, c.uri.Port)
	} else {
		c.peer, f = dial(ctx, c.target, c.uri.Host, c.uri.Port)
	}
	if f != nil {
		return f
	}
	c.conn, c.address = c.peer, c.peer.address
	if !c.uri.IsSecure() {
		return nil
	}
	conn, f := handshake(ctx, c.target, c.peer, &tls.Config{ServerName: c.uri.Host, MinVersion: tls.VersionTLS12, RootCAs: c.target.roots()})
	if f != nil {
		_ = c.peer.Close()
		return f
	}
	c.conn = conn
	return nil
}

// lost is a server that cannot be asked.
func (c *turnClimb) lost(f *failure) Result {
	if f.status() == Unchecked {
		return c.fail(f)
	}
	n := c.network(f, c.uri.Host, c.uri.Port)
	if c.uri.Proto == stun.ProtoTypeUDP && f.Reason == ReasonSilent {
		n.Title = fmt.Sprintf("The TURN server %s does not answer over UDP", hostPort(c.uri.Host, c.uri.Port))
		n.Remedy = fmt.Sprintf("Look whether the TURN server runs there, and let UDP port %d through the firewalls before it, besides TCP.", c.uri.Port)
	}
	return c.fail(f, n)
}

// relay asks for a relay that cannot be given.
func (c *turnClimb) relay(ctx context.Context) Result {
	allocate := stun.NewType(stun.MethodAllocate, stun.ClassRequest)
	reply, f := c.ask(ctx, allocate)
	switch { // coturn with stun-only does the one over UDP and the other over TCP
	case f != nil && f.Reason == ReasonSilent:
		return c.notTURN("does not answer to a request for a relay")
	case f != nil && f.Reason == ReasonClosed:
		return c.notTURN("hangs up when it is asked for a relay")
	case f != nil:
		return c.lost(f)
	}
	var realm stun.Realm
	var nonce stun.Nonce
	switch code := errorCode(reply); {
	case code == stun.CodeUnauthorized && realm.GetFrom(reply) == nil && nonce.GetFrom(reply) == nil:
		return c.secret(ctx, realm, nonce)
	case code == stun.CodeBadRequest:
		n := c.finding(ReasonTURNOpen, c.target.Edge.Locations(), "The TURN server relays for everybody",
			c.address+" asks for no password before it looks at a request for a relay", "Set a secret on the TURN server (coturn: use-auth-secret and static-auth-secret) and remove no-auth.")
		n.Consequence = "Strangers use the line and the address of this server for their own traffic."
		c.warn(finding.Warning, n)
		return c.ok(Ask, "%s relays, without a password", c.address)
	case code == stun.CodeTryAlternate, code == stun.CodeStaleNonce, code >= 480:
		return c.ok(Ask, "%s relays (it answers %d to a request for one)", c.address, code)
	default:
		return c.notTURN(fmt.Sprintf("answers %d to a request for a relay", code))
	}
}

func (c *turnClimb) notTURN(what string) Result {
	f := &failure{Ask, ReasonNotTURN, c.address + " tells people their address and " + what, nil}
	return c.fail(c.broke(f, "The server in turn_uris relays nothing", c.target.Edge.Locations(),
		"Let it serve TURN (coturn: remove stun-only), or write the address of another server into "+c.settingName()+"."))
}

// secret asks once more, with a name and a password as kwmserver makes them
// (kwmserver turn/sharedecret.go: the end of its validity and a name, and their
// HMAC). Where the secret cannot be read from here, the rest is proved.
func (c *turnClimb) secret(ctx context.Context, realm stun.Realm, nonce stun.Nonce) Result {
	secret, known := c.sharedSecret()
	if !known {
		return c.ok(Ask, "%s relays for those who have a password, for %s", c.address, oneLine(realm.String()))
	}
	user := fmt.Sprintf("%d:%s", c.target.now().Add(time.Hour).Unix(), userAgent)
	mac := hmac.New(sha1.New, secret)
	mac.Write([]byte(user))
	password := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	reply, f := c.ask(ctx, stun.NewType(stun.MethodAllocate, stun.ClassRequest), stun.NewUsername(user), realm, nonce,
		stun.NewLongTermIntegrity(user, realm.String(), password))
	if f != nil {
		return c.lost(f)
	}
	if errorCode(reply) != stun.CodeUnauthorized {
		return c.ok(Authenticate, "%s relays, and takes the passwords that kwmserver makes", c.address)
	}
	f = &failure{Authenticate, ReasonTURNSecret, c.address + " refuses a password made with the secret of kwmserver (401)", nil}
	return c.fail(c.broke(f, "The TURN server has another secret than kwmserver", valuesLocations(c.target.Edge.From, turnSecretSetting),
		"Write the TURN server's secret (coturn: static-auth-secret) into the file that "+turnSecretSetting+" names, and restart kopano_kwmserver."))
}

// maxSecret bounds the file of the shared secret.
const maxSecret = 4 << 10

func (c *turnClimb) sharedSecret() ([]byte, bool) {
	from := c.target.Edge.From
	if from == nil || c.target.Files == nil {
		return nil, false
	}
	v, ok := from.Get(turnSecretSetting)
	if !ok || v.Reveal() == "" {
		return nil, false
	}
	data, err := c.target.Files.ReadFile(from, v.Reveal(), maxSecret)
	text := strings.TrimSpace(string(data))
	return []byte(text), err == nil && text != ""
}

func errorCode(m *stun.Message) stun.ErrorCode {
	var code stun.ErrorCodeAttribute
	if m.Type.Class != stun.ClassErrorResponse || code.GetFrom(m) != nil {
		return 0
	}
	return code.Code
}

// ask sends a request and waits for its answer within one rung's time. Over UDP
// it is sent again after half a second, a second more and so on (RFC 8489, 6.2.1).
func (c *turnClimb) ask(ctx context.Context, kind stun.MessageType, more ...stun.Setter) (*stun.Message, *failure) {
	request, err := stun.Build(append([]stun.Setter{stun.TransactionID, kind}, more...)...)
	if err != nil {
		return nil, &failure{Ask, ReasonInternal, "the request could not be made", err}
	}
	end := time.Now().Add(c.target.timeout())
	if d, ok := ctx.Deadline(); ok && d.Before(end) {
		end = d
	}
	udp := c.uri.Proto == stun.ProtoTypeUDP
	_ = c.conn.SetWriteDeadline(end)
	for wait := 500 * time.Millisecond; ; wait *= 2 {
		if _, err := c.conn.Write(request.Raw); err != nil {
			return nil, c.readFailure(ctx, err)
		}
		until := time.Now().Add(wait)
		if !udp || until.After(end) || ctx.Err() != nil {
			until = end
		}
		_ = c.conn.SetReadDeadline(until)
		reply, err := c.receive(request)
		switch {
		case err == nil:
			return reply, nil
		case !udp || !isTimeout(err) || until.Equal(end) || over(ctx):
			return nil, c.readFailure(ctx, err)
		}
	}
}

func (c *turnClimb) readFailure(ctx context.Context, err error) *failure {
	udp := c.uri.Proto == stun.ProtoTypeUDP
	switch f := readFailure(ctx, err, Greet, c.peer, c.target.timeout()); {
	case errors.Is(err, errNotSTUN):
		return &failure{Greet, ReasonWrongServer, c.address + " does not answer as STUN and TURN do", err}
	case udp && f.Reason == ReasonSilent:
		f.Message = fmt.Sprintf("%s did not answer over UDP within %s", c.address, shortDuration(c.target.timeout()))
		return f
	case udp && f.Reason == ReasonClosed: // the machine says that nobody has the port
		return &failure{Dial, ReasonRefused, c.address + " has no server over UDP", err}
	default:
		return f
	}
}

var errNotSTUN = errors.New("no STUN message")

// maxStrays is how many messages that belong to nothing are skipped.
const maxStrays = 10

// receive reads messages until one is the answer to the request.
func (c *turnClimb) receive(request *stun.Message) (*stun.Message, error) {
	for range maxStrays {
		raw, err := c.message()
		if err != nil {
			return nil, err
		}
		reply := &stun.Message{Raw: raw}
		if !stun.IsMessage(raw) || reply.Decode() != nil {
			return nil, errNotSTUN
		}
		if reply.TransactionID == request.TransactionID && reply.Type.Method == request.Type.Method && reply.Type.Class != stun.ClassRequest {
			return reply, nil
		}
	}
	return nil, errNotSTUN
}

// message reads one message: a datagram, or from a stream the 20 bytes of its
// head, which tell its length, and the rest.
func (c *turnClimb) message() ([]byte, error) {
	const head, most = 20, 64 << 10
	data := make([]byte, most)
	if c.uri.Proto == stun.ProtoTypeUDP {
		n, err := c.conn.Read(data)
		return data[:n], err
	}
	if _, err := io.ReadFull(c.conn, data[:head]); err != nil {
		return data[:0], err
	}
	if !stun.IsMessage(data[:head]) {
		return data[:head], nil
	}
	length := head + int(data[2])<<8 + int(data[3])
	if length > most {
		return nil, errNotSTUN
	}
	_, err := io.ReadFull(c.conn, data[head:length])
	return data[:length], err
}
