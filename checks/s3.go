package checks

import (
	"cmp"
	"context"
	"encoding/xml"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// Reasons of the S3 check.
const (
	ReasonNoBucket    Reason = "no-bucket"
	ReasonWrongRegion Reason = "wrong-region"
	ReasonNotS3       Reason = "not-s3"
)

// S3Reasons lists what the check of the attachments' S3 store tells apart.
func S3Reasons() []ReasonDoc {
	return append(append(networkReasons(), tlsReasons()...),
		ReasonDoc{ReasonTLSOnPlain, TLS, "TLS answers where plain HTTP is expected."},
		ReasonDoc{ReasonCredentials, Authenticate, "The store does not know the access key, or the secret key is not the one that belongs to it."},
		ReasonDoc{ReasonClock, Authenticate, "The store refuses requests since its clock and this machine's differ too much."},
		ReasonDoc{ReasonWrongRegion, Ask, "The bucket is in another region than the settings say."},
		ReasonDoc{ReasonNoBucket, Ask, "The store takes the keys, and has no such bucket."},
		ReasonDoc{ReasonAppError, Ask, "The store answers with an error of its own."},
		ReasonDoc{ReasonNotS3, Ask, "Something answers that is no S3 store."},
	)
}

// s3Setting names a setting of the store (kopano-core server.cfg, attachment_s3_*).
func s3Setting(name string) string { return "KCCONF_SERVER_ATTACHMENT_S3_" + name }

// s3Region is what libs3, which kopano_server uses, signs for when no region is set.
const s3Region = "us-east-1"

// CheckS3 asks the store where a bucket is (GetBucketLocation), signed with the
// keys of kopano_server. The store looks at the key, the signature and the
// clock before it looks whether that may be asked, so a refusal of the question
// itself proves the keys as well.
func CheckS3(ctx context.Context, t Target) Result {
	c := newS3Climb(t)
	if c.host == "" || c.get("BUCKETNAME") == "" {
		return c.fail(&failure{Resolve, ReasonConfig, "host or bucket of the S3 store is not set; a rule says more", nil})
	}
	c.web.prepare = func(r *http.Request) error { return c.sign(ctx, r) }
	a, f := c.web.get(ctx, c.address)
	if f != nil {
		return c.lost(f)
	}
	c.address = a.Address
	return c.judge(a)
}

type s3Climb struct {
	*climb
	web     *web
	host    string // that is dialled; under the style "virtualhost" it starts with the bucket
	port    int
	virtual bool // the bucket is part of the host's name
}

// newS3Climb puts the address together as kopano_server does: the host may
// hold a port, and the bucket is a part of its name unless the style is "path".
func newS3Climb(t Target) *s3Climb {
	c := &s3Climb{climb: newClimb(t, "s3"), web: &web{target: t}}
	scheme, usual := "https", 443
	if strings.EqualFold(c.get("PROTOCOL"), "http") {
		scheme, usual = "http", 80
	}
	c.host, c.port = c.get("HOSTNAME"), usual
	if h, p, err := net.SplitHostPort(c.host); err == nil {
		if n, err := strconv.Atoi(p); err == nil {
			c.host, c.port = h, n
		}
	}
	path := "/"
	if c.virtual = !strings.EqualFold(c.get("URISTYLE"), "path"); c.virtual {
		c.host = c.get("BUCKETNAME") + "." + c.host
	} else {
		path += c.get("BUCKETNAME")
	}
	c.address = scheme + "://" + plainPort(c.host, c.port, usual) + path + "?location="
	return c
}

func (c *s3Climb) get(name string) string {
	if c.target.Edge.From == nil {
		return ""
	}
	v, _ := c.target.Edge.From.Get(s3Setting(name))
	return strings.TrimSpace(v.Reveal())
}

// nothing is the SHA-256 of an empty body.
const nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func (c *s3Climb) sign(ctx context.Context, r *http.Request) error {
	keys := aws.Credentials{AccessKeyID: c.get("ACCESSKEYID"), SecretAccessKey: c.get("SECRETACCESSKEY")}
	r.Header.Set("X-Amz-Content-Sha256", nothing)
	return v4.NewSigner().SignHTTP(ctx, keys, r, nothing, "s3", cmp.Or(c.get("REGION"), s3Region), c.target.now(),
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
}

// lost is a store that does not answer over HTTP at all.
func (c *s3Climb) lost(f *failure) Result {
	if f.status() == Unchecked {
		return c.fail(f)
	}
	n := c.network(f, c.host, c.port)
	switch {
	case c.virtual && (f.Reason == ReasonNoSuchHost || f.Reason == ReasonTLSName):
		n.Remedy = fmt.Sprintf("Stores of one's own mostly want the bucket in the path: set %s=path. If not, correct %s.", s3Setting("URISTYLE"), s3Setting("HOSTNAME"))
		n.Locations = uniqueLocations(append(c.places("URISTYLE", "HOSTNAME"), related(n.Locations)...))
	case f.Reason == ReasonTLSOnPlain || f.Reason == ReasonPlainOnTLS:
		n.Remedy = fmt.Sprintf("Set %s to what the store speaks, https or http, or correct the port in %s.", s3Setting("PROTOCOL"), s3Setting("HOSTNAME"))
		n.Locations = uniqueLocations(append(c.places("PROTOCOL", "HOSTNAME"), related(n.Locations)...))
	}
	return c.fail(f, n)
}

func (c *s3Climb) places(names ...string) []finding.Location {
	var keys []string
	for _, n := range names {
		keys = append(keys, s3Setting(n))
	}
	return valuesLocations(c.target.Edge.From, keys...)
}

// s3Error is the body of a refusal (Amazon S3 API reference, "Error responses").
type s3Error struct {
	XMLName xml.Name `xml:"Error"`
	Code    string
	Region  string
}

func (c *s3Climb) judge(a *answer) Result {
	var refusal s3Error
	isError := xml.Unmarshal(a.Body, &refusal) == nil && refusal.Code != ""
	code := refusal.Code
	saw := fmt.Sprintf("%s answers with %s", a.Address, a.saw())
	if isError {
		saw += ", " + oneLine(code)
	}
	region := cmp.Or(refusal.Region, a.Header.Get("X-Amz-Bucket-Region"))
	switch {
	case a.Status == http.StatusOK && strings.Contains(string(a.Body), "LocationConstraint"):
		return c.ok(Ask, "the S3 store takes the keys and has the bucket %s", oneLine(c.get("BUCKETNAME")))
	case code == "AccessDenied":
		return c.ok(Authenticate, "the S3 store takes the keys; where the bucket is, it does not tell them")
	case code == "InvalidAccessKeyId":
		return c.broken(Authenticate, ReasonCredentials, saw, "The S3 store does not know the access key", "Correct "+written(c.target.Edge.From, s3Setting("ACCESSKEYID"))+".", "ACCESSKEYID")
	case code == "SignatureDoesNotMatch":
		return c.broken(Authenticate, ReasonCredentials, saw, "The secret key for the S3 store is wrong",
			"Correct "+written(c.target.Edge.From, s3Setting("SECRETACCESSKEY"))+"; it belongs to the access key.", "SECRETACCESSKEY", "ACCESSKEYID")
	case code == "RequestTimeTooSkewed":
		return c.broken(Authenticate, ReasonClock, saw, "The clocks of the S3 store and of this machine differ too much", "Set both clocks right (timedatectl, chrony).", "HOSTNAME")
	case code == "NoSuchBucket":
		return c.broken(Ask, ReasonNoBucket, saw, "The S3 store has no bucket "+oneLine(c.get("BUCKETNAME")), "Make the bucket, or correct "+written(c.target.Edge.From, s3Setting("BUCKETNAME"))+".", "BUCKETNAME")
	case code == "AuthorizationHeaderMalformed", code == "PermanentRedirect", code == "TemporaryRedirect", a.Status == http.StatusMovedPermanently && region != "":
		return c.region(saw, region)
	case isError || a.Status >= 500:
		return c.broken(Ask, ReasonAppError, saw, "The S3 store answers with an error of its own", "Look what the log of the store says.", "HOSTNAME")
	}
	return c.broken(Ask, ReasonNotS3, saw+", which no S3 store says", "Something else answers where the S3 store should",
		"Correct "+s3Setting("HOSTNAME")+": it names the store's API, not its web page for administrators.", "HOSTNAME")
}

func (c *s3Climb) region(saw, region string) Result {
	if region = oneLine(region); region != "" {
		saw += ", the bucket is in " + region
	}
	return c.broken(Ask, ReasonWrongRegion, saw, "The S3 bucket is in another region",
		fmt.Sprintf("Set %s to the region of the bucket, and %s to the address of that region.", s3Setting("REGION"), s3Setting("HOSTNAME")), "REGION", "HOSTNAME")
}

func (c *s3Climb) broken(at Rung, reason Reason, saw, title, remedy string, settings ...string) Result {
	return c.fail(c.broke(&failure{at, reason, saw, nil}, title, c.places(settings...), remedy))
}
