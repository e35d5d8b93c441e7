package checks_test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

var goodStore = lab.S3Options{AccessKey: "kopano-key", SecretKey: "kopano/secret+key", Bucket: "attachments"}

// s3 lets kopano_server keep attachments in a store at s3.example.org.
func (s *scene) s3(settings string) {
	s.t.Helper()
	s.edit("docker-compose.yml", "      KCCONF_SERVER_SYSTEM_EMAIL_ADDRESS:", `      KCCONF_SERVER_ATTACHMENT_STORAGE: s3
      KCCONF_SERVER_ATTACHMENT_S3_HOSTNAME: s3.example.org
      KCCONF_SERVER_ATTACHMENT_S3_ACCESSKEYID: kopano-key
      KCCONF_SERVER_ATTACHMENT_S3_SECRETACCESSKEY: kopano/secret+key
      KCCONF_SERVER_ATTACHMENT_S3_BUCKETNAME: attachments
`+settings+"      KCCONF_SERVER_SYSTEM_EMAIL_ADDRESS:")
}

func (s *scene) store(name string, h http.Handler, config *tls.Config) {
	s.t.Helper()
	address, err := s.lab.ServeHTTP("", h, config)
	labtest.Check(s.t, err)
	s.pin(name, address)
}

func (s *scene) s3TLS(name string) *tls.Config {
	return lab.ServerTLS(s.leaf(lab.LeafOptions{Names: []string{name}}))
}

func (s *scene) s3Check() checks.Result {
	s.t.Helper()
	r := s.run(checks.CheckS3, "server-s3", "kopano_server")
	for _, f := range r.Findings {
		if strings.Contains(f.Message+f.Remedy+r.Message, "secret+key") {
			s.t.Error("the secret key is told")
		}
	}
	return r
}

const pathStyle = "      KCCONF_SERVER_ATTACHMENT_S3_URISTYLE: path\n"

func TestS3(t *testing.T) {
	s := newScene(t)
	s.s3("")
	s.store("attachments.s3.example.org:443", lab.S3(goodStore), s.s3TLS("attachments.s3.example.org"))
	s.want(s.s3Check(), expect{status: checks.OK, rung: checks.Ask, message: "has the bucket"})

	s = newScene(t)
	s.s3(pathStyle + "      KCCONF_SERVER_ATTACHMENT_S3_PROTOCOL: http\n      KCCONF_SERVER_ATTACHMENT_S3_REGION: eu-central-1\n")
	s.edit("docker-compose.yml", "S3_HOSTNAME: s3.example.org", "S3_HOSTNAME: s3.example.org:9000")
	store := goodStore
	store.Region = "eu-central-1"
	s.store("s3.example.org:9000", lab.S3(store), nil)
	s.want(s.s3Check(), expect{status: checks.OK, rung: checks.Ask})

	s = newScene(t)
	s.s3(pathStyle)
	store = goodStore
	store.NoQuestions = true
	s.store("s3.example.org:443", lab.S3(store), s.s3TLS("s3.example.org"))
	s.want(s.s3Check(), expect{status: checks.OK, rung: checks.Authenticate, message: "takes the keys"})
}

func TestS3Faults(t *testing.T) {
	tests := map[string]struct {
		change  func(*lab.S3Options)
		handler http.Handler
		expect  expect
	}{
		"access key": {func(o *lab.S3Options) { o.AccessKey = "another" }, nil,
			expect{rung: checks.Authenticate, reason: checks.ReasonCredentials, id: "live-s3-bad-credentials", at: "ACCESSKEYID", says: "InvalidAccessKeyId"}},
		"secret key": {func(o *lab.S3Options) { o.SecretKey = "another" }, nil,
			expect{rung: checks.Authenticate, reason: checks.ReasonCredentials, id: "live-s3-bad-credentials", at: "SECRETACCESSKEY", says: "SignatureDoesNotMatch"}},
		"clock": {func(o *lab.S3Options) { o.Now = time.Now().Add(-time.Hour) }, nil,
			expect{rung: checks.Authenticate, reason: checks.ReasonClock, id: "live-s3-clock-skew", says: "Skewed"}},
		"bucket": {func(o *lab.S3Options) { o.Bucket = "mail" }, nil,
			expect{rung: checks.Ask, reason: checks.ReasonNoBucket, id: "live-s3-no-bucket", at: "BUCKETNAME"}},
		"region": {func(o *lab.S3Options) { o.Region = "eu-west-3" }, nil,
			expect{rung: checks.Ask, reason: checks.ReasonWrongRegion, id: "live-s3-wrong-region", says: "eu-west-3"}},
		"redirect": {nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Amz-Bucket-Region", "eu-west-3")
			lab.Page(301, "application/xml", "<Error><Code>PermanentRedirect</Code></Error>").ServeHTTP(w, r)
		}), expect{rung: checks.Ask, reason: checks.ReasonWrongRegion, id: "live-s3-wrong-region", says: "eu-west-3"}},
		"down":     {nil, lab.Page(503, "application/xml", "<Error><Code>SlowDown</Code></Error>"), expect{rung: checks.Ask, reason: checks.ReasonAppError, id: "live-s3-app-error", says: "SlowDown"}},
		"web page": {nil, lab.Page(200, "text/html", "<html>MinIO Console</html>"), expect{rung: checks.Ask, reason: checks.ReasonNotS3, id: "live-s3-not-s3", at: "HOSTNAME"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.s3(pathStyle)
			h := test.handler
			if test.change != nil {
				o := goodStore
				test.change(&o)
				h = lab.S3(o)
			}
			s.store("s3.example.org:443", h, s.s3TLS("s3.example.org"))
			s.want(s.s3Check(), test.expect)
		})
	}
}

func TestS3Address(t *testing.T) {
	s := newScene(t)
	s.s3("")
	s.store("attachments.s3.example.org:443", lab.S3(goodStore), s.s3TLS("s3.example.org"))
	s.want(s.s3Check(), expect{rung: checks.TLS, reason: checks.ReasonTLSName, id: "live-s3-tls-name", at: "HOSTNAME"})

	s = newScene(t)
	s.s3(pathStyle)
	s.store("s3.example.org:443", lab.S3(goodStore), nil)
	s.want(s.s3Check(), expect{rung: checks.TLS, reason: checks.ReasonPlainOnTLS, id: "live-s3-plain-on-tls", at: "HOSTNAME"})
}

func TestS3SurvivesHostileServers(t *testing.T) {
	hostile(t, "s3.example.org:443", func(s *scene) checks.Result {
		s.s3(pathStyle)
		return s.s3Check()
	})
}
