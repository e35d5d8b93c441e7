package lab

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Mail starts a mail server: Postfix, or the stand-in where Postfix cannot be
// started, since only root may.
func (l *Lab) Mail(o PostfixOptions) (address string, err error) {
	address, err = l.Postfix(o)
	if errors.Is(err, ErrNeedsRoot) {
		return l.mta(o)
	}
	return address, err
}

// mta starts a stand-in for Postfix on the server of go-smtp: it takes mail for
// its users only, and throws it away.
func (l *Lab) mta(o PostfixOptions) (address string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &mtaSession{options: o}, nil }))
	server.Domain, server.ErrorLog = "mail.example.org", log.New(io.Discard, "", 0)
	if o.Certificate != nil {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{o.Certificate.TLS()}, MinVersion: tls.VersionTLS12}
		if o.Wrapped {
			listener = tls.NewListener(listener, server.TLSConfig)
		}
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	l.OnClose(func() error {
		err := server.Close()
		<-done
		return err
	})
	return listener.Addr().String(), nil
}

type mtaSession struct{ options PostfixOptions }

// AuthMechanisms gives none where no login is on offer.
func (s *mtaSession) AuthMechanisms() []string {
	if (s.options.Submission || s.options.Wrapped) && !s.options.NoLogin {
		return []string{sasl.Plain}
	}
	return nil
}

// Auth lets nobody in.
func (s *mtaSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, _, _ string) error { return smtp.ErrAuthFailed }), nil
}

func (s *mtaSession) Mail(string, *smtp.MailOptions) error { return nil }

func (s *mtaSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	for _, u := range s.options.Users {
		if u == to || s.options.Trusts {
			return nil
		}
	}
	return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "User unknown in virtual mailbox table"}
}

func (s *mtaSession) Data(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

func (s *mtaSession) Reset()        {}
func (s *mtaSession) Logout() error { return nil }
