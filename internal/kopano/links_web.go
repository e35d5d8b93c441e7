package kopano

var (
	ownTLS   = Condition{Setting: "TLS_MODE", Default: "tls_auto", Not: []string{"tls_off"}}
	realTLS  = Condition{Setting: "TLS_MODE", Default: "tls_auto", Is: []string{"tls_custom", "tls_selfsigned"}, Or: &Condition{Setting: "EMAIL", Default: "off", Not: []string{"off"}}}
	plainTLS = Condition{Setting: "TLS_MODE", Default: "tls_auto", Is: []string{"tls_off"}, Or: &Condition{Setting: "EMAIL", Default: "off", Is: []string{"off"}}}
	autoTLS  = Condition{Setting: "TLS_MODE", Default: "tls_auto", Is: []string{"tls_off", "tls_auto"}}
)

// What people and other mail servers reach. A link is made for each port that
// is published.
var clientLinks = []Link{
	{
		ID: "client-web", Ref: "L01", From: Client, To: Web, Protocol: ProtoHTTPS,
		Conditions: []Condition{ownTLS, realTLS},
		Address:    Address{Setting: "FQDN", Form: FormAny, DefaultPort: 443}, Listener: "https",
		Loses:  "Nobody reaches WebApp, Meet, phones' synchronisation or sign-in from outside.",
		Source: "kopano-docker docker-compose.ports.yml, web/kweb.cfg",
	},
	{
		ID: "proxy-web", Ref: "L19", From: Client, To: Web, Protocol: ProtoHTTP,
		Conditions: []Condition{plainTLS, autoTLS},
		Address:    Address{Setting: "FQDN", Form: FormAny, DefaultPort: 443}, Listener: "https",
		Loses:  "The proxy in front of the deployment reaches nothing: nobody reaches WebApp, Meet, phones' synchronisation or sign-in.",
		Source: "kopano-docker web/README.md, examples/apache-proxy.md",
	},
	{
		// What is behind web is told apart from web itself: the pages that it passes on.
		ID: "client-web-routing", Ref: "L01", From: Client, To: Web, Protocol: ProtoHTTPS,
		Address: Address{Setting: "FQDN", Form: FormAny, DefaultPort: 443}, Listener: "https",
		DependsOn: routed(),
		Loses:     "Some of what people reach at the public address does not answer: WebApp, Meet, phones' synchronisation or sign-in.",
		Source:    "kopano-docker web/kweb.cfg",
	},
	{
		ID: "client-imap", Ref: "L17", From: Client, To: Gateway, Protocol: ProtoIMAP, Listener: "imap", DependsOn: []string{"gateway-server"},
		Loses:  "Mail programs get no mail over IMAP.",
		Source: "kopano-core gateway/Gateway.cpp",
	},
	{
		ID: "client-imaps", Ref: "L17", From: Client, To: Gateway, Protocol: ProtoIMAP, Listener: "imaps", DependsOn: []string{"gateway-server"},
		Loses:  "Mail programs get no mail over IMAP with TLS.",
		Source: "kopano-core gateway/Gateway.cpp",
	},
	{
		ID: "client-pop3", Ref: "L17", From: Client, To: Gateway, Protocol: ProtoPOP3, Listener: "pop3", DependsOn: []string{"gateway-server"},
		Loses:  "Mail programs get no mail over POP3.",
		Source: "kopano-core gateway/Gateway.cpp",
	},
	{
		ID: "client-pop3s", Ref: "L17", From: Client, To: Gateway, Protocol: ProtoPOP3, Listener: "pop3s", DependsOn: []string{"gateway-server"},
		Loses:  "Mail programs get no mail over POP3 with TLS.",
		Source: "kopano-core gateway/Gateway.cpp",
	},
	{
		ID: "client-ical", Ref: "L07", From: Client, To: Ical, Protocol: ProtoHTTP, Listener: "http", DependsOn: []string{"ical-server"},
		Loses:  "Calendar programs that were given this port get no calendars.",
		Source: "kopano-docker docker-compose.ports.yml, kopano-core caldav/CalDAV.cpp",
	},
	{
		ID: "client-smtp", Ref: "L18", From: Client, To: Mail, Protocol: ProtoSMTP, Listener: "smtp", DependsOn: []string{"mail-ldap"},
		Loses:  "No mail comes in from other mail servers.",
		Source: "docker-mailserver 10.5 target/postfix/master.cf",
	},
	{
		ID: "client-smtps", Ref: "L18", From: Client, To: Mail, Protocol: ProtoSMTP, Listener: "smtps", DependsOn: []string{"mail-gateway", "mail-ldap"},
		Loses:  "Mail programs cannot send mail on port 465.",
		Source: "docker-mailserver 10.5 target/postfix/master.cf",
	},
	{
		ID: "client-submission", Ref: "L18", From: Client, To: Mail, Protocol: ProtoSMTP, Listener: "submission", DependsOn: []string{"mail-gateway", "mail-ldap"},
		Loses:  "Mail programs cannot send mail on port 587.",
		Source: "docker-mailserver 10.5 target/postfix/master.cf",
	},
	{
		ID: "client-server", Ref: "L36", From: Client, To: Server, Protocol: ProtoSOAP, Listener: "soap", DependsOn: serverNeeds,
		Loses:  "Programs outside the deployment that were given this port do not reach the storage server.",
		Source: "kopano-docker docker-compose.ports.yml",
	},
	{
		ID: "client-server-tls", Ref: "L36", From: Client, To: Server, Protocol: ProtoSOAP, Listener: "soap-tls", DependsOn: serverNeeds,
		Loses:  "Outlook and Kopano servers elsewhere do not reach the storage server.",
		Source: "kopano-docker docker-compose.ports.yml",
	},
	{
		ID: "client-ldap", Ref: "L31", From: Client, To: LDAP, Protocol: ProtoLDAP, Listener: "ldap ldaps",
		Loses:  "Programs outside the deployment do not reach the directory.",
		Source: "kopano-docker docker-compose.ldap.yml",
	},
}

// routed gives what the pages at the public address hang on.
func routed() []string {
	needs := []string{"client-web", "proxy-web"}
	for _, l := range webLinks {
		needs = append(needs, l.ID)
	}
	return needs
}

// What the reverse proxy passes on (web/kweb.cfg). The names come from its
// image's environment (web/Dockerfile); the last four are written into kweb.cfg
// itself. The proxy starts without them all and answers 502 on their paths.
var webLinks = []Link{
	{
		ID: "web-konnect", Ref: "L02", From: Web, To: Konnect, Protocol: ProtoHTTP, Optional: true,
		Address: Address{Setting: "KWEBD_DNS_KONNECT", Form: FormHost, Default: "kopano_konnect", DefaultPort: 8777}, Listener: "http",
		DependsOn: []string{"konnect-ssl"},
		Loses:     "Nobody can sign in to WebApp or Meet, and the storage server does not start.",
		Source:    "kopano-docker web/kweb.cfg, web/Dockerfile",
	},
	{
		ID: "web-kapi", Ref: "L03", From: Web, To: Kapi, Protocol: ProtoHTTP, Optional: true,
		Address: Address{Setting: "KWEBD_DNS_KAPI", Form: FormHost, Default: "kopano_kapi", DefaultPort: 8039}, Listener: "http",
		DependsOn: []string{"kapi-issuer"},
		Loses:     "Meet and the calendar app find no people, no calendars and no settings.",
		Source:    "kopano-docker web/kweb.cfg, web/Dockerfile",
	},
	{
		ID: "web-kwmserver", Ref: "L04", From: Web, To: Kwmserver, Protocol: ProtoWS, Optional: true,
		Address: Address{Setting: "KWEBD_DNS_KWMSERVER", Form: FormHost, Default: "kopano_kwmserver", DefaultPort: 8778}, Listener: "http",
		DependsOn: []string{"kwmserver-issuer"},
		Loses:     "No meeting starts, and nobody can be called.",
		Source:    "kopano-docker web/kweb.cfg, web/Dockerfile",
	},
	{
		ID: "web-webapp", Ref: "L05", From: Web, To: Webapp, Protocol: ProtoHTTP, Optional: true,
		Address: Address{Setting: "KWEBD_DNS_WEBAPP", Form: FormHost, Default: "kopano_webapp", DefaultPort: 9080}, Listener: "http",
		Loses:  "Nobody reads mail in the browser: /webapp/ answers 502.",
		Source: "kopano-docker web/kweb.cfg, web/Dockerfile",
	},
	{
		ID: "web-zpush", Ref: "L06", From: Web, To: ZPush, Protocol: ProtoHTTP, Optional: true,
		Address: Address{Setting: "KWEBD_DNS_ZPUSH", Form: FormHost, Default: "kopano_zpush", DefaultPort: 9080}, Listener: "http",
		Loses:  "Phones no longer synchronise, and new ones cannot be set up.",
		Source: "kopano-docker web/kweb.cfg, web/Dockerfile",
	},
	{
		ID: "web-ical", Ref: "L07", From: Web, To: Ical, Protocol: ProtoHTTP, Optional: true,
		Address: Address{Setting: "KWEBD_DNS_ICAL", Form: FormHost, Default: "kopano_ical", DefaultPort: 8080}, Listener: "http",
		DependsOn: []string{"ical-server"},
		Loses:     "Calendar programs get no calendars: /caldav/ answers 502.",
		Source:    "kopano-docker web/kweb.cfg, web/Dockerfile",
	},
	{
		ID: "web-kdav", Ref: "L08", From: Web, To: Kdav, Protocol: ProtoHTTP, Optional: true,
		Address: Address{Setting: "KWEBD_DNS_KDAV", Form: FormHost, Default: "kopano_kdav", DefaultPort: 9080}, Listener: "http",
		Loses:  "Apple devices and Thunderbird get no calendars and contacts: /kdav/ answers 502.",
		Source: "kopano-docker web/kweb.cfg, web/Dockerfile",
	},
	{
		ID: "web-meet", Ref: "L09", From: Web, To: Meet, Protocol: ProtoHTTP, Optional: true,
		Address: Address{Setting: "KWEBD_DNS_MEET", Form: FormHost, Default: "kopano_meet", DefaultPort: 9080}, Listener: "http",
		Loses:  "Nobody opens Meet: /meet/ answers 502.",
		Source: "kopano-docker web/kweb.cfg, web/Dockerfile",
	},
	{
		ID: "web-kapps", Ref: "L10", From: Web, To: Kapps, Protocol: ProtoHTTP, Optional: true,
		Address: Address{Setting: "KWEBD_DNS_KAPPS", Form: FormHost, Default: "kopano_kapps", DefaultPort: 9080}, Listener: "http",
		Loses:  "Nobody opens the calendar app: /calendar/ answers 502.",
		Source: "kopano-docker web/kweb.cfg, web/Dockerfile",
	},
	{
		ID: "web-playground", Ref: "L11", From: Web, To: Playground, Protocol: ProtoHTTP, Optional: true,
		Address: Address{Setting: "KWEBD_DNS_PLAYGROUND", Form: FormHost, Default: "kopano_playground", DefaultPort: 8888}, Listener: "http",
		Loses:  "The developers' playground does not open.",
		Source: "kopano-docker web/kweb.cfg, web/Dockerfile",
	},
	{
		ID: "web-grapi-explorer", Ref: "L12", From: Web, To: GrapiExplorer, Protocol: ProtoHTTP, Optional: true,
		Address: Address{Setting: "KWEBD_DNS_GRAPI", Form: FormHost, Default: "kopano_grapi", Suffix: "-explorer", DefaultPort: 3000}, Listener: "http",
		Loses:  "The developers' API explorer does not open.",
		Source: "kopano-docker web/kweb.cfg, web/Dockerfile",
	},
	{
		ID: "web-ldap-admin", Ref: "L13", From: Web, To: LDAPAdmin, Protocol: ProtoHTTP, Optional: true,
		Address: Address{Form: FormHost, Default: "ldap-admin", DefaultPort: 80}, Listener: "http",
		Loses:  "Administrators cannot browse the directory: /ldap-admin/ answers 502.",
		Source: "kopano-docker web/kweb.cfg",
	},
	{
		ID: "web-password-self-service", Ref: "L14", From: Web, To: PasswordSelf, Protocol: ProtoHTTP, Optional: true,
		Address: Address{Form: FormHost, Default: "password-self-service", DefaultPort: 80}, Listener: "http",
		Loses:  "People cannot change their password: /password-reset/ answers 502.",
		Source: "kopano-docker web/kweb.cfg",
	},
	{
		ID: "web-ldap-account-manager", Ref: "L15", From: Web, To: LDAPAccountManager, Protocol: ProtoHTTP, Optional: true,
		Address: Address{Form: FormHost, Default: "ldap-account-manager", DefaultPort: 80}, Listener: "http",
		Loses:  "Administrators cannot manage users: /lam/ answers 502.",
		Source: "kopano-docker web/kweb.cfg",
	},
	{
		ID: "web-owncloud", Ref: "L16", From: Web, To: Owncloud, Protocol: ProtoHTTP, Optional: true,
		Address: Address{Form: FormHost, Default: "owncloud", DefaultPort: 8080}, Listener: "http",
		Loses:  "Nobody reaches the shared files: /owncloud/ answers 502.",
		Source: "kopano-docker web/kweb.cfg",
	},
}
