package kopano

import "strconv"

// coreImages hold all daemons of kopano-core; SERVICE_TO_START chooses one.
var coreImages = []string{"kopano_core", "kopano_core_dev"}

// allInOneImages run a whole groupware in one container and are configured by
// settings of their own.
var allInOneImages = []string{"mlan/kopano", "tiredofit/kopano-core", "tiredofit/kopano", "mlan/postfix-amavis", "mlan/postfix"}

// otherImages are well-known programs that play no role here, whatever the
// service is called. hello-world is kopano-docker's own way to switch a service
// off (examples/docker-compose.override.yml-disable-mail).
var otherImages = []string{
	"hello-world", "busybox", "alpine", "debian", "ubuntu", "scratch", "pause", "true",
	"nginx", "httpd", "caddy", "traefik", "haproxy", "apache", "nginx-proxy", "acme-companion", "certbot",
	"kustomerd", "kopano_kustomer", "kopano_utils", "kopano_build", "kopano_base", "kopano_php", "kopano_gabsync",
	"watchtower", "minio", "redis", "memcached", "postgres", "coturn", "synapse", "riot-web", "element-web",
	"ldap-user-manager", "db-backup", "restic", "adminer", "phpmyadmin", "portainer", "socat",
}

// programs of Kopano by their file names.
var programs = map[string]Role{
	"kopano-server": Server, "kopano-dagent": Dagent, "kopano-spooler": Spooler, "kopano-gateway": Gateway,
	"kopano-ical": Ical, "kopano-monitor": Monitor, "kopano-search": Search, "kopano-spamd": Spamd,
	"kopano-grapi": Grapi, "kapid": Kapi, "kopano-kapid": Kapi,
	"konnectd": Konnect, "kwmserverd": Kwmserver, "kwmbridged": Kwmbridge, "kwebd": Web, "supercronic": Scheduler,
	"slapd": LDAP, "mysqld": Database, "mariadbd": Database,
}

// buildFolders of kopano-docker, with the role of the image that they make.
var buildFolders = map[string]Role{
	"web": Web, "ldap": LDAP, "ldap_demo": LDAP, "ldap-demo": LDAP, "ssl": SSL, "webapp": Webapp, "zpush": ZPush,
	"kapps": Kapps, "kdav": Kdav, "konnect": Konnect, "playground": Playground, "kwmserver": Kwmserver,
	"kwmbridge": Kwmbridge, "meet": Meet, "scheduler": Scheduler,
}

// signatures are settings that only one role reads. A star stands for the rest
// of a name. Where programs beside the role are given the same settings (a
// backup job knows the database's password), its data must be mounted as well.
var signatures = []struct {
	role  Role
	keys  []string
	mount string
}{
	{role: Server, keys: []string{"KCCONF_SERVER_MYSQL_*"}},
	{role: Server, keys: []string{"KCCONF_LDAP_*", "KCCONF_SERVER_*"}},
	{role: Dagent, keys: []string{"KCCONF_DAGENT_*"}},
	{role: Spooler, keys: []string{"KCCONF_SPOOLER_*"}},
	{role: Gateway, keys: []string{"KCCONF_GATEWAY_*"}},
	{role: Ical, keys: []string{"KCCONF_ICAL_*"}},
	{role: Monitor, keys: []string{"KCCONF_MONITOR_*"}},
	{role: Search, keys: []string{"KCCONF_SEARCH_*"}},
	{role: Spamd, keys: []string{"KCCONF_SPAMD_*"}},
	{role: Kapi, keys: []string{"KCCONF_KAPID_*"}},
	{role: Grapi, keys: []string{"KCCONF_GRAPI_*"}},
	{role: Grapi, keys: []string{"GRAPI_BACKEND"}},
	{role: Webapp, keys: []string{"KCCONF_WEBAPP_*"}},
	{role: ZPush, keys: []string{"KCCONF_ZPUSH*"}},
	{role: ZPush, keys: []string{"ZPUSH_ADDITIONAL_FOLDERS"}},
	{role: Meet, keys: []string{"KCCONF_MEET_*"}},
	{role: Kapps, keys: []string{"KCCONF_CALENDAR_*"}},
	{role: Konnect, keys: []string{"identifier_registration_conf"}},
	{role: Konnect, keys: []string{"KONNECT_BACKEND"}},
	{role: Kwmbridge, keys: []string{"kwm_server_urls"}},
	{role: Kwmserver, keys: []string{"registration_conf"}},
	{role: Kwmserver, keys: []string{"enable_guest_api"}},
	{role: GrapiExplorer, keys: []string{"GRAPI_EXPLORER_ISS"}},
	{role: Web, keys: []string{"FQDN", "EMAIL"}},
	{role: Web, keys: []string{"KWEBD_DNS_*"}},
	{role: SSL, keys: []string{"PKI_COUNTRY"}},
	{role: Mail, keys: []string{"POSTFIX_DAGENT"}},
	{role: Mail, keys: []string{"SASLAUTHD_MECHANISMS", "LDAP_SERVER_HOST"}},
	{role: LDAPAdmin, keys: []string{"PHPLDAPADMIN_LDAP_HOSTS"}},
	{role: LDAPAccountManager, keys: []string{"LAM_PASSWORD"}},
	{role: PasswordSelf, keys: []string{"LDAP_BINDDN", "LDAP_BASE_SEARCH"}},
	{role: LDAP, keys: []string{"LDAP_ORGANISATION", "LDAP_ADMIN_PASSWORD"}},
	{role: Database, keys: []string{"MYSQL_ROOT_PASSWORD", "MYSQL_DATABASE"}, mount: "/var/lib/mysql"},
	{role: Database, keys: []string{"MARIADB_ROOT_PASSWORD", "MARIADB_DATABASE"}, mount: "/var/lib/mysql"},
}

// tellingPorts are ports inside the container that give a role away.
var tellingPorts = []struct {
	port string
	role Role
}{
	{"2015", Web}, {"8777", Konnect}, {"8778", Kwmserver}, {"8779", Kwmbridge}, {"8039", Kapi},
	{"2003", Dagent}, {"236", Server}, {"237", Server},
}

func portKey(port uint32) string { return strconv.FormatUint(uint64(port), 10) }
