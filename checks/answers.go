package checks

import (
	"bytes"
	"strings"
	"unicode"
)

// protocolOf recognises what answers on a port by the first bytes it sent.
// "" means that they are not known.
func protocolOf(first []byte) string {
	text := string(first)
	switch {
	case len(first) == 0:
		return ""
	case strings.HasPrefix(text, "HTTP/"), isHTML(first):
		return "a web server (HTTP)"
	case strings.HasPrefix(text, "SSH-"):
		return "an SSH server"
	case isTLSRecord(first):
		return "a server that speaks TLS"
	case isMySQLGreeting(first):
		return "a MySQL or MariaDB server"
	case strings.HasPrefix(text, "* OK"), strings.HasPrefix(text, "* PREAUTH"), strings.HasPrefix(text, "* BYE"):
		return "an IMAP server"
	case strings.HasPrefix(text, "+OK"):
		return "a POP3 server"
	case strings.HasPrefix(text, "-ERR"):
		return "a Redis or POP3 server"
	case isMailGreeting(text):
		if strings.Contains(strings.ToUpper(firstLine(text)), "LMTP") {
			return "an LMTP server"
		}
		return "a mail server (SMTP)"
	case strings.HasPrefix(text, "RFB "):
		return "a VNC server"
	case isLDAPMessage(first):
		return "an LDAP server"
	}
	return ""
}

// answered gives ": … answers there" for a message, or nothing when the bytes
// are not known.
func answered(first []byte) string {
	if what := protocolOf(first); what != "" {
		return "; " + what + " answers there"
	}
	if line := oneLine(firstLine(string(first))); line != "" && printable(first) {
		return "; it says: " + line
	}
	return ""
}

func isHTML(b []byte) bool {
	b = bytes.ToLower(bytes.TrimSpace(b))
	return bytes.HasPrefix(b, []byte("<!doctype html")) || bytes.HasPrefix(b, []byte("<html"))
}

// isTLSRecord: alert or handshake record of SSL 3 to TLS 1.3 (RFC 8446, 5.1).
func isTLSRecord(b []byte) bool {
	return len(b) >= 3 && (b[0] == 0x15 || b[0] == 0x16) && b[1] == 3 && b[2] <= 4
}

// isMySQLGreeting: packet number 0, protocol 10 and a version, or an error
// packet (MariaDB, "Connecting: initial handshake packet").
func isMySQLGreeting(b []byte) bool {
	if len(b) < 6 || b[3] != 0 {
		return false
	}
	length := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
	return length > 1 && length < 1024 && (b[4] == 10 && b[5] >= '0' && b[5] <= '9' || b[4] == 0xff)
}

func isMailGreeting(text string) bool {
	if len(text) < 4 || text[3] != ' ' && text[3] != '-' {
		return false
	}
	switch text[:3] {
	case "220", "421", "521", "554", "500", "502", "555":
		return true
	}
	return false
}

// isLDAPMessage: a sequence that starts with a small integer, the message's
// number, and then an application tag (RFC 4511, 4.1.1).
func isLDAPMessage(b []byte) bool {
	if len(b) < 7 || b[0] != 0x30 {
		return false
	}
	rest := b[2:]
	if b[1]&0x80 != 0 {
		skip := int(b[1] & 0x7f)
		if skip > 4 || len(b) < 2+skip+4 {
			return false
		}
		rest = b[2+skip:]
	}
	if rest[0] != 0x02 || rest[1] < 1 || rest[1] > 4 || len(rest) < 3+int(rest[1]) {
		return false
	}
	return rest[2+rest[1]]&0xc0 == 0x40
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimRight(line, "\r")
}

func printable(b []byte) bool {
	for _, r := range string(b) {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) && !unicode.IsSpace(r) {
			return false
		}
	}
	return true
}

// maxLine is how much of a server's own words is repeated, in bytes.
const maxLine = 200

// oneLine makes a server's words fit to print: one line, printable, at most
// 200 bytes.
func oneLine(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), 4*maxLine)], "")
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= maxLine {
		return s
	}
	return strings.ToValidUTF8(s[:maxLine-len("…")], "") + "…"
}
