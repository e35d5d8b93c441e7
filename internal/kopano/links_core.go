package kopano

// What the storage server itself needs.
var coreLinks = []Link{
	{
		ID: "server-database", Ref: "L30", From: Server, To: Database, Protocol: ProtoMySQL, External: true,
		Conditions: []Condition{{Setting: "KCCONF_SERVER_MYSQL_SOCKET", Is: []string{""}}},
		Address:    Address{HostSetting: "KCCONF_SERVER_MYSQL_HOST", PortSetting: "KCCONF_SERVER_MYSQL_PORT", Form: FormHost, Default: "localhost", DefaultPort: 3306},
		Listener:   "mysql",
		// The image makes user, password and database at its first start only;
		// what its settings say later is not what the volume holds.
		Same: []Pair{
			{From: "KCCONF_SERVER_MYSQL_USER", To: "MYSQL_USER", ToAlso: "MARIADB_USER", What: "the database user", When: WhenOneSchema, By: "KCCONF_SERVER_MYSQL_USER"},
			{From: "KCCONF_SERVER_MYSQL_PASSWORD", To: "MYSQL_PASSWORD", ToAlso: "MARIADB_PASSWORD", What: "the database password", When: WhenUser, By: "KCCONF_SERVER_MYSQL_USER"},
			{From: "KCCONF_SERVER_MYSQL_PASSWORD", To: "MYSQL_ROOT_PASSWORD", ToAlso: "MARIADB_ROOT_PASSWORD", What: "the database's root password", When: WhenRoot, By: "KCCONF_SERVER_MYSQL_USER"},
			{From: "KCCONF_SERVER_MYSQL_DATABASE", To: "MYSQL_DATABASE", ToAlso: "MARIADB_DATABASE", What: "the database name", When: WhenOneSchema, By: "KCCONF_SERVER_MYSQL_USER"},
		},
		Requires: []string{"KCCONF_SERVER_MYSQL_HOST", "KCCONF_SERVER_MYSQL_PORT", "KCCONF_SERVER_MYSQL_USER", "KCCONF_SERVER_MYSQL_PASSWORD", "KCCONF_SERVER_MYSQL_DATABASE"},
		Loses:    "The storage server does not start: no mail, no calendar, no login.",
		Source:   "kopano-docker core/start-service.sh, kopano-core provider/libserver/ECDatabaseMySQL.cpp",
	},
	{
		ID: "server-ldap", Ref: "L31", From: Server, To: LDAP, Protocol: ProtoLDAP, External: true,
		// user_plugin's own default is db (ECServer.cpp); images before 2020
		// came with ldap in their server.cfg, so an address counts as well.
		Conditions: []Condition{{Setting: "KCCONF_SERVER_USER_PLUGIN", Is: []string{"ldap", "ldapms"}, Or: &Condition{Setting: "KCCONF_LDAP_LDAP_URI", Present: true}}},
		Address:    Address{Setting: "KCCONF_LDAP_LDAP_URI", Form: FormURI, DefaultPort: 389, List: true},
		Via:        ldapVia, Listener: "ldap",
		Same:     bundledLDAP("KCCONF_LDAP_LDAP_BIND_USER", "KCCONF_LDAP_LDAP_BIND_PASSWD", "KCCONF_LDAP_LDAP_SEARCH_BASE"),
		Requires: []string{"KCCONF_LDAP_LDAP_URI", "KCCONF_LDAP_LDAP_BIND_USER", "KCCONF_LDAP_LDAP_BIND_PASSWD", "KCCONF_LDAP_LDAP_SEARCH_BASE"},
		Loses:    "Nobody can log in, the address book is empty, and no mail is delivered.",
		Source:   "kopano-core provider/plugins/LDAPUserPlugin.cpp",
	},
	{
		ID: "server-search", Ref: "L32", From: Server, To: Search, Protocol: ProtoSocket, Optional: true,
		Conditions: []Condition{{Setting: "KCCONF_SERVER_SEARCH_ENABLED", Default: "yes", Not: []string{"no", "false", "0"}}},
		Address:    Address{Setting: "KCCONF_SERVER_SEARCH_SOCKET", Form: FormPath, Default: "file:///var/run/kopano/search.sock"},
		Listener:   "socket", Mount: runFolder,
		DependsOn: []string{"search-server"},
		Loses:     "Searching in WebApp is slow and times out on large mailboxes.",
		Source:    "kopano-core ECtools/search, provider/server/ECServer.cpp",
	},
	{
		ID: "server-attachments", Ref: "L37", From: Server, To: Storage, Protocol: ProtoFile,
		Conditions: []Condition{{Setting: "KCCONF_SERVER_ATTACHMENT_STORAGE", Default: "auto", Not: []string{"s3", "database"}}},
		Address:    Address{Setting: "KCCONF_SERVER_ATTACHMENT_PATH", Form: FormPath, Default: "/var/lib/kopano/attachments"},
		Loses:      "The storage server does not start, or every attachment is lost with the container.",
		Source:     "kopano-core provider/server/ECServer.cpp",
	},
	{
		ID: "server-s3", Ref: "L37", From: Server, To: External, Protocol: ProtoHTTPS, External: true,
		Conditions: []Condition{{Setting: "KCCONF_SERVER_ATTACHMENT_STORAGE", Default: "auto", Is: []string{"s3"}}},
		Address:    Address{Setting: "KCCONF_SERVER_ATTACHMENT_S3_HOSTNAME", Form: FormHost, DefaultPort: 443},
		Requires:   []string{"KCCONF_SERVER_ATTACHMENT_S3_HOSTNAME", "KCCONF_SERVER_ATTACHMENT_S3_ACCESSKEYID", "KCCONF_SERVER_ATTACHMENT_S3_SECRETACCESSKEY", "KCCONF_SERVER_ATTACHMENT_S3_BUCKETNAME"},
		Loses:      "No attachment can be opened or sent.",
		Source:     "kopano-core provider/server/ECServer.cpp",
	},
	{
		ID: "server-server", Ref: "L36", From: Server, To: Server, Protocol: ProtoSOAP, Optional: true,
		// Servers of one Kopano find each other through the directory.
		Conditions: []Condition{{Setting: "KCCONF_SERVER_ENABLE_DISTRIBUTED_KOPANO", Default: "no", Not: []string{"no", "false", "0"}}},
		Listener:   "soap-tls",
		DependsOn:  []string{"server-ldap", "server-ssl"},
		Loses:      "People whose mailbox is on the other server see nothing that is here.",
		Source:     "kopano-docker examples/kopano-multiserver",
	},
	{
		ID: "server-survey", Ref: "L63", From: Server, To: External, Protocol: ProtoHTTPS, External: true, Optional: true, Background: true,
		Conditions: []Condition{{Setting: "KCCONF_SERVER_SURVEYCLIENT_INTERVAL", Default: "3600", Not: []string{"0"}}},
		Address:    Address{Form: FormURI, Default: "https://stats.kopano.io", DefaultPort: 443},
		Loses:      "Nothing: it tells Kopano how the server is used.",
		Source:     "kopano-core provider/server/ECServer.cpp",
	},
	{
		ID: "konnect-survey", Ref: "L63", From: Konnect, To: External, Protocol: ProtoHTTPS, External: true, Optional: true, Background: true,
		Conditions: []Condition{{Setting: "KOPANO_SURVEYCLIENT_ENABLED", Default: "true", Not: []string{"false", "no", "0"}}},
		Address:    Address{Form: FormURI, Default: "https://stats.kopano.io", DefaultPort: 443},
		Loses:      "Nothing: it tells Kopano how sign-in is used.",
		Source:     "konnect 0.34.0",
	},
	{
		ID: "kwmserver-survey", Ref: "L63", From: Kwmserver, To: External, Protocol: ProtoHTTPS, External: true, Optional: true, Background: true,
		Conditions: []Condition{{Setting: "KOPANO_SURVEYCLIENT_ENABLED", Default: "true", Not: []string{"false", "no", "0"}}},
		Address:    Address{Form: FormURI, Default: "https://stats.kopano.io", DefaultPort: 443},
		Loses:      "Nothing: it tells Kopano how meetings are used.",
		Source:     "kwmserver 1.2.0",
	},
	{
		ID: "kapi-grapi", Ref: "L38", From: Kapi, To: Grapi, Protocol: ProtoSocket,
		Address:  Address{Setting: "KCCONF_KAPID_PLUGIN_GRAPI_SOCKET_PATH", Form: FormPath, Default: "/var/run/kopano-grapi"},
		Listener: "rest", Mount: runFolder,
		DependsOn: []string{"grapi-server"},
		Loses:     "Meet and the calendar app find no people and no calendars: the API answers 502.",
		Source:    "kopano-docker core/start-service.sh, kapi plugins/grapi/proxy.go",
	},
	{
		ID: "kapi-kvs", Ref: "L39", From: Kapi, To: Storage, Protocol: ProtoFile,
		Address: Address{Setting: "KCCONF_KAPID_PLUGIN_KVS_DB_DATASOURCE", Form: FormPath, Default: "/var/lib/kopano/kapi-kvs/kvs.db"},
		Loses:   "Recent calls and settings of the apps are lost with the container.",
		Source:  "kapi scripts/kapid.cfg",
	},
	{
		ID: "grapi-ldap", Ref: "L31", From: Grapi, To: LDAP, Protocol: ProtoLDAP, External: true,
		Conditions: []Condition{{Setting: "GRAPI_BACKEND", Default: "kopano", Is: []string{"ldap"}}},
		Address:    Address{Setting: "LDAP_URI", Also: []string{"KCCONF_GRAPI_LDAP_URI"}, Form: FormURI, DefaultPort: 389, List: true},
		Via:        ldapVia, Listener: "ldap", Same: bundledLDAP("LDAP_BINDDN", "LDAP_BINDPW", "LDAP_BASEDN"),
		Loses:  "Meet finds no people.",
		Source: "kopano-docker examples/meet, grapi backend/ldap",
	},
}

// Everybody who reads and writes mail goes to the storage server: through its
// socket in a shared volume, or over the network.
var serverUserLinks = []Link{
	toServer("dagent-server", "L33", Dagent, "KCCONF_DAGENT_SERVER_SOCKET", serverSock, "Incoming mail is not put into the mailboxes; it waits in the mail transport."),
	toServer("spooler-server", "L33", Spooler, "KCCONF_SPOOLER_SERVER_SOCKET", serverSock, "Outgoing mail stays in the outbox."),
	toServer("monitor-server", "L33", Monitor, "KCCONF_MONITOR_SERVER_SOCKET", serverSock, "Nobody is told that a mailbox is full."),
	toServer("search-server", "L33", Search, "KCCONF_SEARCH_SERVER_SOCKET", serverSock, "New mail is not found by searching."),
	toServer("spamd-server", "L33", Spamd, "KCCONF_SPAMD_SERVER_SOCKET", serverSock, "The spam filter learns nothing from the junk folders."),
	toServer("gateway-server", "L34", Gateway, "KCCONF_GATEWAY_SERVER_SOCKET", serverSock, "Mail programs get no mail, and cannot send any either, since their passwords are checked there."),
	toServer("ical-server", "L35", Ical, "KCCONF_ICAL_SERVER_SOCKET", serverSock, "Calendar programs get no calendars."),
	grapiServer,
	phpServer("webapp-server", Webapp, 237, "WebApp opens, but nobody can log in or read mail."),
	phpServer("zpush-server", ZPush, 237, "Phones get no mail, calendars or contacts."),
	// kdav/start.sh asks for https on 236, which the server does not speak there.
	phpServer("kdav-server", Kdav, 236, "Calendars and contacts over kDAV do not open."),
}

func toServer(id, ref string, from Role, setting, fallback, loses string) Link {
	return Link{
		ID: id, Ref: ref, From: from, To: Server, Protocol: ProtoSocket, External: true,
		Address: Address{Setting: setting, Form: FormURI, Default: fallback},
		Via:     serverVia, Listener: "socket", Mount: runFolder,
		DependsOn: serverNeeds,
		Loses:     loses,
		Source:    "kopano-docker core/start-service.sh",
	}
}

var grapiServer = func() Link {
	l := toServer("grapi-server", "L33", Grapi, "KCCONF_GRAPI_SERVER_SOCKET", serverSock, "Meet and the calendar app find no people and no calendars.")
	l.Conditions = []Condition{{Setting: "GRAPI_BACKEND", Default: "kopano", Not: []string{"ldap"}}}
	return l
}()

// phpServer is an application in PHP: the socket, unless a host is set, and
// then always over TLS (webapp/start.sh, zpush/start.sh, kdav/start.sh).
func phpServer(id string, from Role, port int, loses string) Link {
	return Link{
		ID: id, Ref: "L33", From: from, To: Server, Protocol: ProtoSocket, External: true,
		Address: Address{HostSetting: "KCCONF_SERVERHOSTNAME", PortSetting: "KCCONF_SERVERPORT", Form: FormURI, Prefix: "https://",
			None: []string{"", "127.0.0.1"}, Default: serverSock, DefaultPort: port},
		Via: serverVia, Listener: "socket", Mount: runFolder,
		DependsOn: serverNeeds,
		Loses:     loses,
		Source:    "kopano-docker webapp/start.sh, zpush/start.sh, kdav/start.sh",
	}
}
