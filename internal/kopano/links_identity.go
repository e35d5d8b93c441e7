package kopano

// Sign-in. Everybody finds it under one public address, the issuer, which leads
// through the reverse proxy to konnect.
var identityLinks = []Link{
	{
		ID: "server-issuer", Ref: "L20", From: Server, To: Web, Protocol: ProtoOIDC, External: true,
		Conditions: []Condition{{Setting: "KCCONF_SERVER_KCOIDC_ISSUER_IDENTIFIER", Set: true}},
		Address:    Address{Setting: "KCCONF_SERVER_KCOIDC_ISSUER_IDENTIFIER", Form: FormURI, DefaultPort: 443},
		Via:        issuerVia, Listener: "https", Same: oneIssuer("KCCONF_SERVER_KCOIDC_ISSUER_IDENTIFIER"),
		DependsOn: []string{"web-konnect"},
		Loses:     "The storage server gives up after a minute and starts over, for ever: no mail, no calendar, no login.",
		Source:    "kopano-core provider/server/ECServer.cpp",
	},
	{
		ID: "webapp-issuer", Ref: "L24", From: Webapp, To: Web, Protocol: ProtoOIDC, External: true, Through: Web,
		Conditions: []Condition{{Setting: "KCCONF_WEBAPP_OIDC_ISS", Set: true}},
		Address:    Address{Setting: "KCCONF_WEBAPP_OIDC_ISS", Form: FormURI, DefaultPort: 443},
		Via:        issuerVia, Listener: "https", Same: oneIssuer("KCCONF_WEBAPP_OIDC_ISS"),
		DependsOn: []string{"web-konnect"},
		Loses:     "Nobody can sign in to WebApp.",
		Source:    "kopano-docker webapp/start.sh, konnect identity/clients/registry.go",
	},
	{
		ID: "kapi-issuer", Ref: "L21", From: Kapi, To: Web, Protocol: ProtoOIDC, External: true,
		Address: Address{Setting: "KCCONF_KAPID_OIDC_ISSUER_IDENTIFIER", Form: FormURI, DefaultPort: 443},
		Via:     issuerVia, Listener: "https", Same: oneIssuer("KCCONF_KAPID_OIDC_ISSUER_IDENTIFIER"),
		Requires:  []string{"KCCONF_KAPID_OIDC_ISSUER_IDENTIFIER", "KCCONF_KAPID_INSECURE"},
		DependsOn: []string{"web-konnect"},
		Loses:     "The API gateway waits six minutes and stops: Meet and the calendar app do not work.",
		Source:    "kopano-docker core/start-service.sh",
	},
	{
		ID: "kwmserver-issuer", Ref: "L22", From: Kwmserver, To: Web, Protocol: ProtoOIDC, External: true,
		Address: Address{Setting: "oidc_issuer_identifier", Form: FormURI, DefaultPort: 443},
		Via:     issuerVia, Listener: "https", Same: oneIssuer("oidc_issuer_identifier"),
		Requires:  []string{"oidc_issuer_identifier"},
		DependsOn: []string{"web-konnect"},
		Loses:     "Meeting signalling waits six minutes and stops: nobody can meet.",
		Source:    "kopano-docker kwmserver/wrapper.sh",
	},
	{
		ID: "kwmbridge-issuer", Ref: "L23", From: Kwmbridge, To: Web, Protocol: ProtoOIDC, External: true,
		Address: Address{Setting: "oidc_issuer_identifier", Form: FormURI, DefaultPort: 443},
		Via:     issuerVia, Listener: "https", Same: oneIssuer("oidc_issuer_identifier"),
		Requires:  []string{"oidc_issuer_identifier"},
		DependsOn: []string{"web-konnect"},
		Loses:     "The meeting bridge does not start: larger meetings have no sound and no picture.",
		Source:    "kopano-docker docker-compose.kwmbridge.yml, kwmbridge/wrapper.sh",
	},
	{
		ID: "grapi-explorer-issuer", Ref: "L12", From: GrapiExplorer, To: Web, Protocol: ProtoOIDC, External: true, Through: Web,
		Address: Address{Setting: "GRAPI_EXPLORER_ISS", Form: FormURI, DefaultPort: 443},
		Via:     issuerVia, Listener: "https",
		Same:      append(oneIssuer("GRAPI_EXPLORER_ISS"), Pair{From: "GRAPI_EXPLORER_GRAPH_URL", ToRole: Web, To: "FQDN", What: "the host of the API", How: SameHost}),
		DependsOn: []string{"web-konnect"},
		Loses:     "Nobody can sign in to the API explorer.",
		Source:    "kopano-docker grapi-explorer/grapi-explorer.yml",
	},
	{
		ID: "konnect-server", Ref: "L25", From: Konnect, To: Server, Protocol: ProtoSocket,
		Conditions: []Condition{{Setting: "KONNECT_BACKEND", Default: "kc", Is: []string{"kc", ""}}},
		Address:    Address{Setting: "KOPANO_SERVER_DEFAULT_URI", Form: FormURI, Default: "file:///run/kopano/server.sock"},
		Via:        serverVia, Listener: "socket", Mount: runFolder,
		DependsOn: serverNeeds,
		Loses:     "Sign-in opens its page but refuses every password.",
		Source:    "konnect Dockerfile.release",
	},
	{
		ID: "konnect-ldap", Ref: "L25", From: Konnect, To: LDAP, Protocol: ProtoLDAP, External: true,
		Conditions: []Condition{{Setting: "KONNECT_BACKEND", Default: "kc", Is: []string{"ldap"}}},
		Address:    Address{Setting: "LDAP_URI", Form: FormURI, DefaultPort: 389, List: true},
		Via:        ldapVia, Listener: "ldap", Same: bundledLDAP("LDAP_BINDDN", "LDAP_BINDPW", "LDAP_BASEDN"),
		Requires: []string{"LDAP_URI", "LDAP_BASEDN"},
		Loses:    "Sign-in opens its page but refuses every password.",
		Source:   "konnect bootstrap/bootstrap.go, kopano-docker examples/meet",
	},
	{
		ID: "konnect-external-oidc", From: Konnect, To: External, Protocol: ProtoOIDC, External: true,
		Conditions: []Condition{{Setting: "external_oidc_provider", Default: "no", Is: []string{"yes"}}},
		Address:    Address{Setting: "external_oidc_url", Form: FormURI, DefaultPort: 443},
		Requires:   []string{"external_oidc_url", "external_oidc_clientid"},
		Loses:      "Nobody can sign in with the account of the other provider.",
		Source:     "kopano-docker konnect/wrapper.sh",
	},
}

// serverNeeds is what the storage server cannot answer without: it stops when
// it does not find the issuer or its database (ECServer.cpp), waits for its key
// (core/start-service.sh), and knows nobody without the directory.
var serverNeeds = []string{"server-database", "server-ldap", "server-issuer", "server-ssl"}

// The files that kopano_ssl makes in a volume, and who reads them. They are
// links only where a setting names a file in the folder.
var certificateLinks = []Link{
	{
		ID: "server-ssl", Ref: "L27", From: Server, To: SSL, Protocol: ProtoFile, Mount: sslFolder, External: true,
		Conditions:   []Condition{{Setting: "KCCONF_SERVER_SERVER_SSL_KEY_FILE", Prefix: sslFolder, Or: &Condition{Setting: "KCCONF_SERVER_SERVER_SSL_CA_FILE", Prefix: sslFolder}}},
		Address:      Address{Setting: "KCCONF_SERVER_SERVER_SSL_KEY_FILE", Form: FormPath, Default: "/etc/kopano/ssl/server.pem"},
		FileSettings: []string{"KCCONF_SERVER_SERVER_SSL_CA_FILE", "KCCONF_SERVER_SSLKEYS_PATH", "KCCONF_ADMIN_SSLKEY_FILE"},
		Loses:        "The storage server waits six minutes for its certificate and stops: no mail, no login.",
		Source:       "kopano-docker core/start-service.sh, ssl/start.sh",
	},
	{
		ID: "konnect-ssl", Ref: "L27", From: Konnect, To: SSL, Protocol: ProtoFile, Mount: sslFolder, External: true,
		Conditions:   []Condition{{Setting: "signing_private_key", Prefix: sslFolder, Or: &Condition{Setting: "encryption_secret_key", Prefix: sslFolder}}},
		Address:      Address{Setting: "signing_private_key", Form: FormPath},
		FileSettings: []string{"encryption_secret_key", "identifier_registration_conf", "ecparam", "eckey"},
		Loses:        "Sign-in does not start: nobody gets in to WebApp or Meet, and the storage server does not start either.",
		Source:       "kopano-docker konnect/wrapper.sh, ssl/start.sh",
	},
	{
		ID: "kapi-ssl", Ref: "L27", From: Kapi, To: SSL, Protocol: ProtoFile, Mount: sslFolder, External: true, Optional: true,
		Conditions: []Condition{{Setting: "DEFAULT_PLUGIN_PUBS_SECRET_KEY_FILE", Prefix: sslFolder}},
		Address:    Address{Setting: "DEFAULT_PLUGIN_PUBS_SECRET_KEY_FILE", Form: FormPath},
		Loses:      "Apps are not told of changes at once.",
		Source:     "kopano-docker docker-compose.yml, kapi scripts/kopano-kapid.binscript",
	},
	{
		ID: "kwmserver-ssl", Ref: "L27", From: Kwmserver, To: SSL, Protocol: ProtoFile, Mount: sslFolder, External: true, Optional: true,
		Conditions: []Condition{{Setting: "registration_conf", Prefix: sslFolder}},
		Address:    Address{Setting: "registration_conf", Form: FormPath},
		Loses:      "Guests cannot join a meeting.",
		Source:     "kopano-docker kwmserver/wrapper.sh, ssl/start.sh",
	},
	sslKey("dagent-ssl", Dagent, "KCCONF_DAGENT_SSLKEY_FILE", "Mail is not delivered to mailboxes on other servers."),
	sslKey("spooler-ssl", Spooler, "KCCONF_SPOOLER_SSLKEY_FILE", "Mail of mailboxes on other servers is not sent."),
	sslKey("monitor-ssl", Monitor, "KCCONF_MONITOR_SSLKEY_FILE", "People on other servers are not told that their mailbox is full."),
	sslKey("search-ssl", Search, "KCCONF_SEARCH_SSLKEY_FILE", "Mailboxes on other servers are not indexed."),
	sslKey("spamd-ssl", Spamd, "KCCONF_SPAMD_SSLKEY_FILE", "Nothing is learnt from mailboxes on other servers."),
	sslKey("gateway-ssl", Gateway, "KCCONF_GATEWAY_SSL_PRIVATE_KEY_FILE", "Mail programs cannot use TLS.", "KCCONF_GATEWAY_SSL_CERTIFICATE_FILE"),
	sslKey("ical-ssl", Ical, "KCCONF_ICAL_SSL_PRIVATE_KEY_FILE", "Calendar programs cannot use TLS.", "KCCONF_ICAL_SSL_CERTIFICATE_FILE"),
}

// sslKey is a daemon's own key. It serves TLS only: over the socket in the
// shared volume nobody asks for it.
func sslKey(id string, from Role, setting, loses string, more ...string) Link {
	return Link{
		ID: id, Ref: "L27", From: from, To: SSL, Protocol: ProtoFile, Mount: sslFolder, External: true, Optional: true,
		Conditions:   []Condition{{Setting: setting, Prefix: sslFolder}},
		Address:      Address{Setting: setting, Form: FormPath},
		FileSettings: more,
		Loses:        loses,
		Source:       "kopano-docker docker-compose.yml, ssl/start.sh",
	}
}
