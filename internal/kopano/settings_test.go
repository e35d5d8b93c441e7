package kopano

import (
	"slices"
	"strings"
	"testing"
)

func TestSettingsTable(t *testing.T) {
	lines := 0
	for n, line := range strings.Split(strings.TrimSuffix(settingsFile, "\n"), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		lines++
		f := strings.Split(line, "\t")
		if len(f) != 7 {
			t.Errorf("line %d has %d fields", n+1, len(f))
			continue
		}
		if s, ok := LookupSection(f[0]); !ok || !s.Listed {
			t.Errorf("line %d: no section %q", n+1, f[0])
		}
		if !slices.Contains([]State{StateOK, StateAlias, StateObsolete, StateUnused, StateRemoved}, State(f[2])) {
			t.Errorf("line %d: no state %q", n+1, f[2])
		}
		if f[5] != "" {
			if r, ok := LookupSetting(f[0], f[5]); !ok || r.State != StateOK {
				t.Errorf("line %d: %s is to be replaced by %s, which is no good setting", n+1, f[1], f[5])
			}
		}
	}
	if lines < 500 {
		t.Errorf("only %d settings", lines)
	}
	for _, s := range sections {
		if s.Listed && len(SettingNames(s.Name)) == 0 {
			t.Errorf("section %s has no settings", s.Name)
		}
	}
}

func TestLookupSetting(t *testing.T) {
	s, ok := LookupSetting("server", "server_listen")
	if !ok || s.Default != "*%lo:236" || s.State != StateOK || !slices.Equal(s.Versions, []string{"8.7", "9.1", "10.0", "11.0"}) {
		t.Errorf("server_listen: %+v %v", s, ok)
	}
	if s, _ := LookupSetting("gateway", "imap_port"); s.State != StateRemoved || s.Replacement != "imap_listen" {
		t.Errorf("imap_port: %+v", s)
	}
	if s, _ := LookupSetting("server", "server_ssl_protocols"); s.State != StateObsolete || s.Replacement != "server_tls_min_proto" {
		t.Errorf("server_ssl_protocols: %+v", s)
	}
	if s, _ := LookupSetting("server", "log_level"); !s.Nonempty {
		t.Errorf("log_level may be empty: %+v", s)
	}
	if _, ok := LookupSetting("server", "attachments_path"); ok {
		t.Error("attachments_path is known")
	}
}

// What the catalogue says about listen addresses and what the table says must
// be the same fact.
func TestListenersAgreeWithSettings(t *testing.T) {
	checked := 0
	for _, s := range Systems {
		for _, l := range s.Listens {
			kind, section, name, ok := ParseSettingKey(l.Setting)
			if !ok || kind != SetLine {
				continue
			}
			setting, known := LookupSetting(section, name)
			if !known || setting.State != StateOK {
				t.Errorf("%s %s: no setting %s", s.Role, l.Name, l.Setting)
				continue
			}
			if setting.Default != "" && setting.Default != l.Default {
				t.Errorf("%s %s: default %q here, %q in the table", s.Role, l.Name, l.Default, setting.Default)
			}
			checked++
		}
	}
	if checked < 12 {
		t.Errorf("only %d listeners compared", checked)
	}
}

func TestNearest(t *testing.T) {
	for _, c := range []struct{ section, name, want string }{
		{"ldap", "uri", "ldap_uri"},
		{"server", "listen", "server_listen"},
		{"server", "attachments_path", "attachment_path"},
		{"server", "mysql_pasword", "mysql_password"},
		{"spooler", "smtp_sever", "smtp_server"},
		{"server", "flux_capacitor", ""},
	} {
		if got, ok := NearestSetting(c.section, c.name); got != c.want || ok != (c.want != "") {
			t.Errorf("NearestSetting(%s, %s) = %q, %v; want %q", c.section, c.name, got, ok, c.want)
		}
	}
	for word, want := range map[string]string{"sever": "server", "kapi": "kapid", "webap": "webapp", "kweb": "kwebd", "foo": ""} {
		if got, _ := NearestSection(word); got != want {
			t.Errorf("NearestSection(%s) = %q; want %q", word, got, want)
		}
	}
}

func TestParseSettingKey(t *testing.T) {
	for _, c := range []struct {
		key           string
		kind          Kind
		section, name string
		ok            bool
	}{
		{"KCCONF_SERVER_MYSQL_HOST", SetLine, "server", "mysql_host", true},
		{"KCCONF_KAPID_PLUGIN_KVS_DB_DATASOURCE", SetLine, "kapid", "plugin_kvs_db_datasource", true},
		{"KCCOMMENT_LDAP_1", CommentLine, "ldap", "1", true},
		{"KCUNCOMMENT_LDAP_1", UncommentLine, "ldap", "1", true},
		{"KCCONF_SERVERHOSTNAME", "", "", "", false},
		{"KCCONF_server_log_level", "", "", "", false},
		{"KCCONF_SERVER2_LOG_LEVEL", "", "", "", false},
		{"KCCONF_SERVER_LOG-LEVEL", "", "", "", false},
		{"KCCONF_MEET_guests_enabled", "", "", "", false},
		{"xKCCONF_SERVER_LOG_LEVEL", "", "", "", false},
		{"KCCONF_SERVER_LOG_LEVEL\n", "", "", "", false},
	} {
		kind, section, name, ok := ParseSettingKey(c.key)
		if kind != c.kind || section != c.section || name != c.name || ok != c.ok {
			t.Errorf("%s: %q %q %q %v", c.key, kind, section, name, ok)
		}
	}
}

func TestUnknownSettingIsFatal(t *testing.T) {
	for section, want := range map[string]bool{"server": true, "spooler": true, "gateway": true, "ical": true, "monitor": true, "ldap": true, "dagent": false, "search": false, "kapid": false, "nonsense": false} {
		if UnknownSettingIsFatal(section) != want {
			t.Errorf("%s: %v", section, !want)
		}
	}
}

func TestMailserverMajor(t *testing.T) {
	for image, want := range map[string]int{
		"mailserver/docker-mailserver:10":                         10,
		"docker.io/mailserver/docker-mailserver:10.5.0":           10,
		"ghcr.io/docker-mailserver/docker-mailserver:14.0":        14,
		"tvial/docker-mailserver:release-v6.1.0":                  6,
		"registry.example.org:5000/docker-mailserver:v13.3.1":     13,
		"mailserver/docker-mailserver:11.3.1@sha256:0123456789ab": 11,
		"mailserver/docker-mailserver":                            0,
		"mailserver/docker-mailserver:latest":                     0,
		"tvial/docker-mailserver:stable":                          0,
		"mailserver/docker-mailserver:20210103":                   0,
		"mlan/postfix-amavis:3.8":                                 0,
		"":                                                        0,
	} {
		if got, ok := MailserverMajor(image); got != want || ok != (want != 0) {
			t.Errorf("%s: %d, %v; want %d", image, got, ok, want)
		}
	}
}
