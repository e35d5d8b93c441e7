package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/engine/enginetest"
)

// A machine has one clock, so the real engine's answers pass a proxy that puts
// its clock forward or back, or takes the time out.
func TestClockOfTheEngine(t *testing.T) {
	p := enginetest.Start(t, map[string]string{"compose.yaml": "services: {one: {image: STANDIN, network_mode: none}}\n"})
	s, err := open(t).Look(t.Context(), engine.Wanted{Project: p.Name})
	if err != nil || s.Engine.Ahead != 0 {
		t.Errorf("the same clock: %s ahead, %v", s.Engine.Ahead, err)
	}
	for _, by := range []time.Duration{time.Hour, -90 * time.Minute} {
		if got := lookWith(t, p, func(at time.Time) string { return at.Add(by).Format(time.RFC3339Nano) }).Engine.Ahead; (got - by).Abs() > 5*time.Second {
			t.Errorf("%s ahead, want %s", got, by)
		}
	}
	for _, text := range []string{"", "yesterday"} {
		if got := lookWith(t, p, func(time.Time) string { return text }).Engine.Ahead; got != 0 {
			t.Errorf("with the time %q it is %s ahead", text, got)
		}
	}
}

func lookWith(t *testing.T, p *enginetest.Project, clock func(time.Time) string) *engine.Snapshot {
	t.Helper()
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "engine" },
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", "/var/run/docker.sock")
		}},
		ModifyResponse: func(r *http.Response) error {
			if !strings.HasSuffix(r.Request.URL.Path, "/info") {
				return nil
			}
			var info map[string]any
			if err := json.NewDecoder(r.Body).Decode(&info); err != nil {
				return err
			}
			at, err := time.Parse(time.RFC3339Nano, info["SystemTime"].(string))
			if err != nil {
				return err
			}
			info["SystemTime"] = clock(at)
			data, err := json.Marshal(info)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
			r.Header.Set("Content-Length", strconv.Itoa(len(data)))
			return err
		},
	}
	server := httptest.NewServer(proxy)
	defer server.Close()
	c, err := engine.Open(t.Context(), "tcp://"+server.Listener.Addr().String(), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := c.Look(t.Context(), engine.Wanted{Project: p.Name})
	if err != nil || len(s.Containers) != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	return s
}
