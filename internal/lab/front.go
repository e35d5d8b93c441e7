package lab

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"
)

// ServeHTTP starts a web server on loopback: with TLS when it is given a
// configuration, plain otherwise. Address "" takes a free port.
func (l *Lab) ServeHTTP(address string, handler http.Handler, config *tls.Config) (listening string, err error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	l.serveHTTP(listener, handler, config)
	return listener.Addr().String(), nil
}

// ServeHTTPSocket starts a web server on a unix socket.
func (l *Lab) ServeHTTPSocket(path string, handler http.Handler) error {
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	l.serveHTTP(listener, handler, nil)
	return nil
}

func (l *Lab) serveHTTP(listener net.Listener, handler http.Handler, config *tls.Config) {
	server := &http.Server{
		Handler: handler, TLSConfig: config, ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: log.New(io.Discard, "", 0), // refused handshakes are part of the tests
	}
	done := make(chan error, 1)
	go func() {
		if config != nil {
			done <- server.ServeTLS(listener, "", "")
			return
		}
		done <- server.Serve(listener)
	}()
	l.OnClose(func() error {
		err := server.Close()
		<-done
		return err
	})
}

// ServerTLS gives the configuration of a TLS server with one certificate,
// which speaks HTTP/1.1 as web does.
func ServerTLS(leaf *Leaf) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{leaf.TLS()}, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}
}

// ServerTLSFiles is ServerTLS with certificate and key from files.
func ServerTLSFiles(cert, key string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}, nil
}

// Proxy gives a reverse proxy to a server at host:port. Change, when it is not
// nil, sees the request on its way in and the answer on its way out: that is
// where faults are made.
func Proxy(address string, change func(*httputil.ProxyRequest), answer func(*http.Response) error) http.Handler {
	target := &url.URL{Scheme: "http", Host: address}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
			if change != nil {
				change(r)
			}
		},
		ModifyResponse: answer,
		ErrorLog:       log.New(io.Discard, "", 0),
	}
}

// DropUpgrade is the mistake of a proxy that treats the upgrade to a websocket
// as the hop-by-hop header that it is, and does not send it on.
func DropUpgrade(r *httputil.ProxyRequest) {
	r.Out.Header.Del("Connection")
	r.Out.Header.Del("Upgrade")
}

// Page answers everything with one page.
func Page(status int, contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}
