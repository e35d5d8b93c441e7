package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// maxLogin is how long a file with a user name and a password may be, in bytes.
const maxLogin = 16 << 10

// readLogin gives the test user of a file, or of standard input for "-". A file
// that others may read is refused unless shared is set. No error quotes what is
// in the file.
func (p *program) readLogin(name string, shared bool) (*checks.Trip, error) {
	if name == "-" {
		return parseLogin("standard input", io.LimitReader(p.stdin, maxLogin+1))
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("the file %s of --login cannot be read: %w", name, bare(err))
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("the file %s of --login cannot be read: %w", name, bare(err))
	case info.IsDir():
		return nil, badUsage("check", "--login %s is a folder; give a file", name)
	case runtime.GOOS != "windows" && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 && !shared:
		return nil, badUsage("check", "other users of this machine may read %s (mode %04o): run chmod 600 %s, or pass --login-shared", name, info.Mode().Perm(), name)
	}
	return parseLogin(name, io.LimitReader(file, maxLogin+1))
}

// parseLogin reads "username: …" and "password: …" in YAML, or "USERNAME=…" and
// "PASSWORD=…" on lines of their own. In the second form everything behind the
// sign counts, but for one pair of quotes around it: nothing is expanded, since a
// password that is read wrongly is a failed login.
func parseLogin(name string, in io.Reader) (*checks.Trip, error) {
	text, err := io.ReadAll(in)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s, which --login names, cannot be read: %w", name, bare(err))
	case len(text) > maxLogin:
		return nil, badUsage("check", "%s, which --login names, is longer than 16 KB", name)
	}
	values, err := loginLines(text)
	if err != nil {
		values, err = loginYAML(text)
	}
	if err != nil {
		return nil, badUsage("check", "%s, which --login names, is neither YAML with username: and password: nor lines with USERNAME= and PASSWORD=", name)
	}
	user, password := values["username"], values["password"]
	switch {
	case user == "" || password == "":
		return nil, badUsage("check", "%s, which --login names, has no username or no password", name)
	case strings.ContainsAny(user+password, "\r\n\x00"):
		return nil, badUsage("check", "username and password in %s, which --login names, must be one line each", name)
	}
	return &checks.Trip{Username: user, Password: secret.New(password, true)}, nil
}

var errNotLogin = errors.New("not of this form")

// loginLines reads KEY=VALUE lines; comments and empty lines are skipped.
func loginLines(text []byte) (map[string]string, error) {
	out := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		if trimmed := strings.TrimSpace(line); trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(key), "export ")))
		if !ok || key != "username" && key != "password" {
			return nil, errNotLogin
		}
		out[key] = unquoted(value)
	}
	return out, lines.Err()
}

func unquoted(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// loginYAML reads a mapping; values are taken as they are written, numbers too.
func loginYAML(text []byte) (map[string]string, error) {
	var nodes map[string]yaml.Node
	if err := yaml.Unmarshal(text, &nodes); err != nil {
		return nil, errNotLogin // its text may quote the password
	}
	out := map[string]string{}
	for key, node := range nodes {
		if node.Kind != yaml.ScalarNode {
			return nil, errNotLogin
		}
		out[strings.ToLower(key)] = node.Value
	}
	return out, nil
}
