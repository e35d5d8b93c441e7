package lab

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// S3Options are the store's one account and its one bucket.
type S3Options struct {
	AccessKey, SecretKey string
	Bucket               string
	Region               string // "us-east-1" when empty
	NoQuestions          bool   // the account may not ask where the bucket is
	Now                  time.Time
}

// S3 is a stand-in for an S3 store, none of which is a Debian package; those
// in Go for tests do not look at signatures, which is what matters here. It verifies
// them as the service does, written from its description ("Signature Version 4
// signing process", Amazon S3 API reference) and without the library that makes
// them, and answers the question where a bucket is with the words of the
// service. Buckets stand in the path or in the name of the host.
func S3(o S3Options) http.Handler {
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, code := o.judge(r)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		if code == "" {
			fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">%s</LocationConstraint>`, o.Region)
			return
		}
		fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>no</Message>`, code)
		if code == "AuthorizationHeaderMalformed" {
			fmt.Fprintf(w, "<Region>%s</Region>", o.Region)
		}
		fmt.Fprint(w, "</Error>")
	})
}

// judge looks at a request in the order of the service.
func (o S3Options) judge(r *http.Request) (status int, code string) {
	given := authorization(r.Header.Get("Authorization"))
	scope := strings.Split(given["Credential"], "/")
	date, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	switch {
	case len(scope) != 5 || err != nil:
		return http.StatusForbidden, "AccessDenied"
	case scope[0] != o.AccessKey:
		return http.StatusForbidden, "InvalidAccessKeyId"
	case scope[2] != o.Region:
		return http.StatusBadRequest, "AuthorizationHeaderMalformed"
	case o.now().Sub(date).Abs() > 15*time.Minute:
		return http.StatusForbidden, "RequestTimeTooSkewed"
	case !hmac.Equal([]byte(given["Signature"]), []byte(o.signature(r, scope, given["SignedHeaders"]))):
		return http.StatusForbidden, "SignatureDoesNotMatch"
	case !o.names(r):
		return http.StatusNotFound, "NoSuchBucket"
	case o.NoQuestions:
		return http.StatusForbidden, "AccessDenied"
	}
	return http.StatusOK, ""
}

func (o S3Options) now() time.Time {
	if o.Now.IsZero() {
		return time.Now()
	}
	return o.Now
}

// authorization reads "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…".
func authorization(header string) map[string]string {
	out := map[string]string{}
	rest, _ := strings.CutPrefix(header, "AWS4-HMAC-SHA256 ")
	for _, part := range strings.Split(rest, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		out[key] = value
	}
	return out
}

// signature computes what the signature of a request must be.
func (o S3Options) signature(r *http.Request, scope []string, signed string) string {
	names := strings.Split(signed, ";")
	if !slices.Contains(names, "host") {
		return ""
	}
	request := r.Method + "\n" + r.URL.EscapedPath() + "\n" + r.URL.Query().Encode() + "\n"
	for _, name := range names {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		request += name + ":" + strings.TrimSpace(value) + "\n"
	}
	request += "\n" + signed + "\n" + r.Header.Get("X-Amz-Content-Sha256")
	sum := sha256.Sum256([]byte(request))
	text := "AWS4-HMAC-SHA256\n" + r.Header.Get("X-Amz-Date") + "\n" + strings.Join(scope[1:], "/") + "\n" + hex.EncodeToString(sum[:])
	key := []byte("AWS4" + o.SecretKey)
	for _, part := range append(scope[1:], text) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return hex.EncodeToString(key)
}

// names reports whether the request is about the store's bucket.
func (o S3Options) names(r *http.Request) bool {
	return r.URL.Path == "/"+o.Bucket || r.URL.Path == "/" && strings.HasPrefix(r.Host, o.Bucket+".")
}
