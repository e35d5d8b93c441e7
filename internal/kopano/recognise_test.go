package kopano

import (
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

func service(name, image string, env ...string) *deployment.Service {
	s := &deployment.Service{Name: name, Env: map[string]deployment.Value{}}
	s.Image = image
	for i := 0; i+1 < len(env); i += 2 {
		s.Env[env[i]] = deployment.Value{Key: env[i], Text: secret.New(env[i+1], secret.IsName(env[i]))}
	}
	return s
}

// Image names as people write them, under a service name that gives nothing away.
func TestRoleOfImage(t *testing.T) {
	for image, want := range map[string]Role{
		"zokradonh/kopano_web:latest":                           Web,
		"kopano/kopano_web":                                     Web,
		"registry.example.org:5000/groupware/kopano_webapp:5.1": Webapp,
		"zokradonh/kopano_zpush@sha256:0123":                    ZPush,
		"zokradonh/kopano_kdav:latest":                          Kdav,
		"zokradonh/kopano_meet:2.2":                             Meet,
		"zokradonh/kopano_kapps:latest":                         Kapps,
		"zokradonh/kopano_konnect:0.34.0":                       Konnect,
		"kopano/konnectd:0.34.0":                                Konnect,
		"zokradonh/kopano_kwmserver:latest":                     Kwmserver,
		"kopano/kwmserverd":                                     Kwmserver,
		"zokradonh/kopano_kwmbridge:latest":                     Kwmbridge,
		"zokradonh/kopano_ssl":                                  SSL,
		"zokradonh/kopano_scheduler:latest":                     Scheduler,
		"zokradonh/kopano_playground":                           Playground,
		"kopano/grapi-explorer":                                 GrapiExplorer,
		"zokradonh/kopano_ldap_demo":                            LDAP,
		"zokradonh/kopano_ldap:1.4":                             LDAP,
		"osixia/openldap:1.5.0":                                 LDAP,
		"docker.io/bitnami/openldap:2":                          LDAP,
		"mlan/openldap:1.0":                                     LDAP,
		"mariadb":                                               Database,
		"mariadb:10.3.10-bionic":                                Database,
		"docker.io/library/mysql:8":                             Database,
		"percona/percona-server:8.0":                            Database,
		"tiredofit/mariadb":                                     Database,
		"mailserver/docker-mailserver:10":                       Mail,
		"tvial/docker-mailserver:release-v6.1.0":                Mail,
		"osixia/phpldapadmin:0.7.2":                             LDAPAdmin,
		"tiredofit/self-service-password:3.0":                   PasswordSelf,
		"ldapaccountmanager/lam:7.0.RC1":                        LDAPAccountManager,
		"zokradonh/kopano_core:latest":                          Server,
		"tiredofit/kopano-core":                                 Unknown,
		"mlan/kopano:8.7.80-3.5.2":                              Unknown,
		"mlan/postfix-amavis:3.8":                               Unknown,
		"hello-world":                                           Unknown,
		"nginx:alpine":                                          Unknown,
		"kopano/kustomerd:latest":                               Unknown,
		"zokradonh/kopano_gabsync:latest":                       Unknown,
		"minio/minio":                                           Unknown,
		"instrumentisto/coturn:4.5":                             Unknown,
		"matrixdotorg/synapse:v1.11.1-py3":                      Unknown,
		"wheelybird/ldap-user-manager:latest":                   Unknown,
		"v2tec/watchtower":                                      Unknown,
		"tiredofit/db-backup":                                   Unknown,
		"":                                                      Unknown,
		":@/::":                                                 Unknown,
		"registry.example.org:5000/kopano_core_of_somebody_else:1.0": Unknown,
	} {
		if got := roleOf(service("something", image)); got != want {
			t.Errorf("%s: %q, want %q", image, got, want)
		}
	}
}

func TestRoleOfStart(t *testing.T) {
	for start, want := range map[string]Role{
		"server": Server, "dagent": Dagent, "spooler": Spooler, "gateway": Gateway, "ical": Ical, "monitor": Monitor,
		"search": Search, "spamd": Spamd, "grapi": Grapi, "kapi": Kapi, "kapid": Kapi, " dagent ": Dagent, "": Unknown, "sever": Unknown,
	} {
		for _, image := range []string{"zokradonh/kopano_core:10", "registry.example.org/groupware"} {
			if got := roleOf(service("something", image, "SERVICE_TO_START", start)); got != want {
				t.Errorf("%s with %q: %q, want %q", image, start, got, want)
			}
		}
	}
}

func TestRoleByCommandSettingsAndName(t *testing.T) {
	for _, c := range []struct {
		name, image string
		command     []string
		env         []string
		want        Role
	}{
		{"x", "zokradonh/kopano_core", []string{"start-dagent"}, nil, Dagent},
		{"x", "zokradonh/kopano_core", []string{"start-kapid"}, nil, Kapi},
		{"x", "zokradonh/kopano_core", []string{"bash"}, nil, Server},
		{"x", "registry/groupware", []string{"/usr/sbin/kopano-gateway", "-F"}, nil, Gateway},
		{"x", "registry/groupware", []string{"sh -c 'exec kopano-ical -F'"}, nil, Ical},
		{"x", "registry/y", nil, []string{"KCCONF_SERVER_MYSQL_HOST", "db"}, Server},
		{"x", "registry/y", nil, []string{"KCCONF_DAGENT_LMTP_LISTEN", "*:2003"}, Dagent},
		{"x", "registry/y", nil, []string{"KCCONF_WEBAPP_OIDC_ISS", "https://x"}, Webapp},
		{"x", "registry/y", nil, []string{"identifier_registration_conf", "/x"}, Konnect},
		{"x", "registry/y", nil, []string{"kwm_server_urls", "http://x"}, Kwmbridge},
		{"x", "registry/y", nil, []string{"POSTFIX_DAGENT", "lmtp:x:2003"}, Mail},
		{"x", "registry/y", nil, []string{"MYSQL_ROOT_PASSWORD", "x", "MYSQL_DATABASE", "x"}, Unknown},
		{"kopano_dagent", "registry/y", nil, nil, Dagent},
		{"kopano_server_2", "registry/y", nil, nil, Server},
		{"web", "registry/y", nil, nil, Unknown},
		{"db", "registry/y", nil, nil, Unknown},
		{"web", "registry/kopano-web-fork", nil, nil, Web},
		{"kopano_dagent", "hello-world", nil, nil, Unknown},
		{"kopano_dagent", "nginx", nil, []string{"SERVICE_TO_START", "dagent"}, Unknown},
		{"kopano_dagent", "", nil, nil, Dagent},
		{"ldap", "", nil, nil, LDAP},
	} {
		s := service(c.name, c.image, c.env...)
		s.Command = c.command
		if got := roleOf(s); got != c.want {
			t.Errorf("%s %s %v %v: %q, want %q", c.name, c.image, c.command, c.env, got, c.want)
		}
	}
}

func TestMountAt(t *testing.T) {
	s := service("x", "y")
	s.Volumes = []types.ServiceVolumeConfig{
		{Type: "volume", Source: "a", Target: "/run/kopano/"},
		{Type: "volume", Source: "b", Target: "/data"},
		{Type: "bind", Source: "/srv/sub", Target: "/data/sub"},
	}
	s.Tmpfs = types.StringList{"/tmp", "/data/tmp:size=1m"}
	for at, want := range map[string]string{
		"/run/kopano": "a", "/var/run/kopano/server.sock": "a", "/run/kopanosocket": "-", "/data/x/y": "b",
		"/data/sub/z": "/srv/sub", "/data/tmp/q": "", "/data/../run/kopano": "a", "/": "-", "": "-", "/tmp": "",
	} {
		v, ok := MountAt(s, at)
		if got := v.Source; ok && got != want || !ok && want != "-" {
			t.Errorf("%s: %q, %v; want %q", at, got, ok, want)
		}
	}
	if _, ok := MountAt(nil, "/"); ok {
		t.Error("nobody mounts something")
	}
}
