package kopano

// LoginLinks are the ways of one person who signs in, in the order in which
// they are tried. They are the same connections as elsewhere in the catalogue,
// with a password on them, so they are no part of Links: nobody walks them who
// was not given one.
var LoginLinks = []Link{
	{
		ID: "login-openid", From: Client, To: Konnect, Through: Web, Protocol: ProtoOIDC, Login: true,
		DependsOn: []string{"client-web", "web-konnect", "konnect-server", "konnect-ldap", "server-ldap", "server-database"},
		Loses:     "Nobody can sign in to WebApp, Meet or the calendar app.",
		Source:    "konnect identifier/handlers.go, oidc/provider/handlers.go",
	},
	{
		ID: "login-webapp", From: Client, To: Webapp, Through: Web, Protocol: ProtoHTTPS, Login: true,
		Conditions: []Condition{{Setting: "KCCONF_WEBAPP_OIDC_ISS", Set: true}},
		DependsOn:  []string{"client-web", "login-openid", "web-webapp", "webapp-server", "server-issuer"},
		Loses:      "WebApp sends people back to the sign-in page, and nobody reads mail in the browser.",
		Source:     "kopano-webapp client/zarafa/core/Oidc.js, server/includes/core/class.webappauthentication.php",
	},
	{
		ID: "login-kapi", From: Client, To: Kapi, Through: Web, Protocol: ProtoHTTPS, Login: true,
		DependsOn: []string{"client-web", "login-openid", "web-kapi", "kapi-issuer", "kapi-grapi", "grapi-server"},
		Loses:     "Meet and the calendar app open, and find no people and no calendars.",
		Source:    "kapi plugins/grapi/proxy.go",
	},
	{
		ID: "login-activesync", From: Client, To: ZPush, Through: Web, Protocol: ProtoHTTPS, Login: true,
		DependsOn: []string{"client-web", "web-zpush", "zpush-server"},
		Loses:     "Phones do not synchronise.",
		Source:    "z-push src/index.php, [MS-ASHTTP] 2.2.3",
	},
	{
		ID: "login-kdav", From: Client, To: Kdav, Through: Web, Protocol: ProtoHTTPS, Login: true,
		DependsOn: []string{"client-web", "web-kdav", "kdav-server"},
		Loses:     "Apple devices and Thunderbird get no calendars and contacts.",
		Source:    "kdav server.php, RFC 4918 9.1",
	},
	{
		ID: "login-caldav", From: Client, To: Ical, Through: Web, Protocol: ProtoHTTPS, Login: true,
		DependsOn: []string{"client-web", "web-ical", "ical-server"},
		Loses:     "Calendar programs get no calendars.",
		Source:    "kopano-core caldav/CalDAV.cpp, RFC 4918 9.1",
	},
	{
		ID: "login-imap", From: Client, To: Gateway, Protocol: ProtoIMAP, Listener: "imap", Login: true,
		DependsOn: []string{"client-imap", "gateway-server"},
		Loses:     "Mail programs get no mail over IMAP.",
		Source:    "kopano-core gateway/IMAP.cpp",
	},
	{
		ID: "login-imaps", From: Client, To: Gateway, Protocol: ProtoIMAP, Listener: "imaps", Login: true,
		DependsOn: []string{"client-imaps", "gateway-server"},
		Loses:     "Mail programs get no mail over IMAP with TLS.",
		Source:    "kopano-core gateway/IMAP.cpp",
	},
	{
		ID: "login-submission", From: Client, To: Mail, Protocol: ProtoSMTP, Listener: "submission", Login: true,
		DependsOn: []string{"client-submission", "mail-gateway", "mail-ldap-login"},
		Loses:     "Mail programs cannot send mail on port 587.",
		Source:    "docker-mailserver 10.5 target/postfix/master.cf, RFC 4954",
	},
	{
		ID: "login-smtps", From: Client, To: Mail, Protocol: ProtoSMTP, Listener: "smtps", Login: true,
		DependsOn: []string{"client-smtps", "mail-gateway", "mail-ldap-login"},
		Loses:     "Mail programs cannot send mail on port 465.",
		Source:    "docker-mailserver 10.5 target/postfix/master.cf, RFC 4954",
	},
}

// publicAddress is where browsers and phones find everything: the one name that
// the proxy answers to.
var publicAddress = Address{Setting: "FQDN", Form: FormAny, DefaultPort: 443}

// LoginEdges gives the edges of LoginLinks, in their order: those that a
// person can walk in this deployment.
func (t *Topology) LoginEdges() []*Edge {
	var out []*Edge
	for i := range LoginLinks {
		l := &LoginLinks[i]
		if l.Through == Unknown {
			out = append(out, t.clientEdges(l)...)
			continue
		}
		out = append(out, t.loginsThroughWeb(l)...)
	}
	return out
}

func (t *Topology) loginsThroughWeb(l *Link) []*Edge {
	webs := t.Services(Web)
	if len(webs) == 0 {
		return nil
	}
	var out []*Edge
	for _, to := range t.Services(l.To) {
		if !holdAll(to, l.Conditions) {
			continue
		}
		e := &Edge{ID: l.ID + "@" + to.Name, Link: l, To: to, Protocol: l.Protocol, Route: RouteBrowser}
		e.Addr = addressesOf(webs[0], publicAddress)[0]
		if e.Addr.Port == 0 {
			e.Addr.Port = publicAddress.DefaultPort
		}
		out = append(out, e)
	}
	return out
}
