package checks

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestProtocolOf(t *testing.T) {
	for first, want := range map[string]string{
		"HTTP/1.1 200 OK\r\n":                            "a web server (HTTP)",
		" <!DOCTYPE html><html>":                         "a web server (HTTP)",
		"SSH-2.0-OpenSSH_9.2\r\n":                        "an SSH server",
		"\x15\x03\x01\x00\x02\x02\x16":                   "a server that speaks TLS",
		"\x4a\x00\x00\x00\x0a5.5.5-10.11.19-MariaDB\x00": "a MySQL or MariaDB server",
		"\x17\x00\x00\x00\xff\x10\x04Too many":           "a MySQL or MariaDB server",
		"* OK IMAP ready\r\n":                            "an IMAP server",
		"+OK POP3 ready\r\n":                             "a POP3 server",
		"220 mail ESMTP\r\n":                             "a mail server (SMTP)",
		"220 2.1.5 LMTP server is ready\r\n":             "an LMTP server",
		"RFB 003.008\n":                                  "a VNC server",
		"0\x0c\x02\x01\x01a\x07\x0a\x01\x00\x04\x00":     "an LDAP server",
		"0\x84\x00\x00\x00\x10\x02\x01\x01a\x84":         "an LDAP server",
		"0 is what I say":                                "",
		"hello":                                          "",
		"":                                               "",
		"0\x84":                                          "",
	} {
		if got := protocolOf([]byte(first)); got != want {
			t.Errorf("%q: %q, want %q", first, got, want)
		}
	}
}

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"a\r\n b\t c\x00\x1b[31m": "a b c[31m",
		"ok":                      "ok",
		"\xff\xfe":                "",
		"a\u202eb":                "ab",
	} {
		if got := oneLine(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// Whatever the other end sends: no crash, one short printable line.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{"", "0", "0\x84\x00\x00", "\x15\x03\x01", "220", "HTTP/1.1", strings.Repeat("ä", 300), "\x00\x00\x00\x00\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, text := range []string{answered(b), oneLine(string(b)), parseServerVersion(string(b)).String()} {
			if len(text) > maxLine+40 || !utf8.ValidString(text) || strings.ContainsAny(text, "\r\n\x00\x1b") {
				t.Errorf("%q becomes %q", b, text)
			}
		}
		_, _ = parseLDAPConf(b)
		_ = anyone(string(b))
		_ = offersTLS(b)
	})
}
