package checks_test

import (
	"net/http"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

const otherIssuer = "https://login.example.com"

func TestExternalOIDC(t *testing.T) {
	ask := func(s *scene, url string, h http.Handler) checks.Result {
		s.edit("docker-compose.yml", "  kopano_konnect:\n", "  kopano_konnect:\n    labels: {}\n")
		s.edit("docker-compose.yml", "image: ${docker_repo:-zokradonh}/kopano_konnect:${KONNECT_VERSION}\n    read_only: true\n    restart: unless-stopped\n    depends_on:\n      - kopano_ssl\n      - web\n    environment:\n",
			"image: ${docker_repo:-zokradonh}/kopano_konnect:${KONNECT_VERSION}\n    read_only: true\n    restart: unless-stopped\n    depends_on:\n      - kopano_ssl\n      - web\n    environment:\n"+
				"      external_oidc_provider: \"yes\"\n      external_oidc_url: "+url+"\n      external_oidc_clientid: kopano\n")
		if h != nil {
			address, err := s.lab.ServeHTTP("", h, lab.ServerTLS(s.leaf(lab.LeafOptions{Names: []string{"login.example.com"}})))
			labtest.Check(t, err)
			s.pin("login.example.com:443", address)
		}
		return s.run(checks.CheckExternalOIDC, "konnect-external-oidc", "kopano_konnect")
	}
	s := newScene(t)
	s.want(ask(s, otherIssuer+"/", s.provider(lab.OpenIDOptions{Issuer: otherIssuer})), expect{status: checks.OK, rung: checks.Ask, message: otherIssuer})
	s = newScene(t)
	s.want(ask(s, otherIssuer, s.provider(lab.OpenIDOptions{Issuer: "https://elsewhere.example.com"})),
		expect{rung: checks.Ask, reason: checks.ReasonIssuer, id: "live-external-oidc-issuer-differs", at: "external_oidc_url", says: "elsewhere"})
	s = newScene(t)
	s.want(ask(s, otherIssuer, http.NotFoundHandler()), expect{rung: checks.Ask, reason: checks.ReasonNotFound, id: "live-external-oidc-not-found", at: "external_oidc_url"})
	s = newScene(t)
	s.want(ask(s, otherIssuer, lab.Page(200, "text/html", "sign in")), expect{rung: checks.Ask, reason: checks.ReasonNotJSON, id: "live-external-oidc-not-json", at: "external_oidc_url"})
	s = newScene(t)
	s.want(ask(s, otherIssuer, instead(s.provider(lab.OpenIDOptions{Issuer: otherIssuer}), map[string]http.Handler{"/keys": http.NotFoundHandler(), "/konnect/v1/jwks.json": http.NotFoundHandler()})),
		expect{rung: checks.Ask, reason: checks.ReasonKeysUnreadable, id: "live-external-oidc-keys-unreachable", at: "external_oidc_url", says: "no keys"})
}

func TestOtherServer(t *testing.T) {
	ask := func(s *scene, h http.Handler) checks.Result {
		s.edit("docker-compose.yml", "      KCCONF_SERVER_SYSTEM_EMAIL_ADDRESS:", "      KCCONF_SERVER_ENABLE_DISTRIBUTED_KOPANO: \"yes\"\n      KCCONF_SERVER_SYSTEM_EMAIL_ADDRESS:")
		s.edit("docker-compose.yml", "  kopano_konnect:\n", "  kopano_server2:\n    image: zokradonh/kopano_core:latest\n    networks: [kopano-net]\n    environment:\n      SERVICE_TO_START: server\n      KCCONF_SERVER_SERVER_LISTEN_TLS: 0.0.0.0:237\n  kopano_konnect:\n")
		s.store("kopano_server2:237", h, s.s3TLS("server2.example.org"))
		return s.run(checks.CheckOtherServer, "server-server", "kopano_server")
	}
	s := newScene(t)
	s.want(ask(s, lab.SOAP()), expect{status: checks.OK, rung: checks.Ask, message: "kopano_server2 answers"})
	s = newScene(t)
	s.want(ask(s, lab.Page(200, "text/html", "hi")), expect{rung: checks.Ask, reason: checks.ReasonNotServer, id: "live-other-server-not-kopano"})
}
