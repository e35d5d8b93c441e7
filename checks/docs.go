package checks

import (
	"maps"
	"reflect"
	"slices"
)

// Doc describes a check for the probe reference.
type Doc struct {
	Check   Check  // nil: it is about containers, not about links
	ID      string // findings have the ID "live-", this and the reason
	Title   string
	Asks    string // what it sends, rung by rung
	Never   string // what it takes care not to do
	Reasons []ReasonDoc
}

// Docs gives every check of All, each once, in the order of the reference.
func Docs() []Doc {
	return []Doc{
		{CheckLDAP, "ldap", "LDAP: the directory",
			"Connects as the client's URI says (ldap, ldaps, StartTLS), logs in with the client's bind DN and password, reads the search base, and looks for users with the filter that the client uses. For kopano_server it also looks at these users: numbers, logins and addresses that two of them have or that they lack, features, storage servers. For the mail transport it asks whether it finds the users that kopano_server finds.",
			"It reads at most 5000 entries, and of each only login, number, mail addresses and features; a finding names at most three of them.", LDAPReasons()},
		{CheckMariaDB, "mariadb", "MariaDB: Kopano's database",
			"Reads the greeting, logs in as kopano_server does, opens its database, and looks at the tables (engine, character set, damage, size), at the releases that have used them, at where the attachments are noted to be, and at the settings and counters of the server that matter to Kopano.",
			"Only SELECT and SHOW. A host that the server has blocked after errors is not tried again.", MariaDBReasons()},
		{CheckWebCertificate, "certificate", "Certificate: the public one of web",
			"A TLS handshake for the name in FQDN at the address that browsers use: chain, names, validity now and in 30 days, strength of key and signature, then one page.",
			"", CertificateReasons()},
		{CheckServerCertificate, "certificate", "Certificate: kopano_server's HTTPS port",
			"A TLS handshake with port 237 (or the https:// address that a client is told), checked against ca.pem of kopano_ssl where it can be read, then one GET, which kopano_server refuses with 405.",
			"It does not log in.", CertificateReasons()},
		{CheckSSLFiles, "ssl-files", "Certificate: the files of kopano_ssl",
			"Reads the files that a service needs from its volume: present, not empty, key and certificate belong together, issued by ca.pem, names, validity, length of the keys, permissions.",
			"Reads at most 1 MB of a file, and follows no link out of the volume.", SSLFilesReasons()},
		{CheckLMTP, "lmtp", "LMTP: delivery to kopano_dagent",
			"Waits for the greeting, which kopano_dagent gives only when it has logged in to kopano_server; then LHLO, MAIL FROM:<>, RCPT TO the postmaster, RSET, QUIT.",
			"Never DATA: nothing is delivered.", LMTPReasons()},
		{CheckIssuer, "oidc", "OpenID: the issuer, as its clients see it",
			"Fetches the discovery document at the client's own issuer, compares the issuer byte for byte, checks that the endpoints are on the issuer's host, fetches the key set and looks at keys and algorithms, and compares the clocks.",
			"Follows no redirect and signs nobody in.", OIDCReasons()},
		{CheckKonnect, "oidc", "OpenID: Konnect behind web",
			"The same, asked of Konnect directly, or through web where Konnect cannot be reached.",
			"Follows no redirect and signs nobody in.", OIDCReasons()},
		{CheckExternalOIDC, "external-oidc", "OpenID: the other provider that Konnect sends people to",
			"Fetches its discovery document, compares its name, and fetches its keys.",
			"Follows no redirect and signs nobody in.", ExternalOIDCReasons()},
		{CheckSignalling, "signalling", "Signalling: kwmserver",
			"Asks for its health, whether the RTM API wants a sign-in, whether guests are served, whether an upgrade to a websocket arrives, and whether TURN is configured, and compares the answers with the settings.",
			"Never completes the upgrade of the MCU API, which would register a bridge, and never posts to the guest API.", SignallingReasons()},
		{CheckMCU, "mcu", "Signalling: the meeting bridge's way in",
			"Asks the signalling server for the page by which a bridge registers, without the upgrade that would do it.",
			"Never completes the upgrade.", MCUReasons()},
		{CheckBridgePorts, "bridge", "UDP: the meeting bridge's ports",
			"Compares the UDP ports that the files publish with those that the container engine leads to the running bridge. An idle bridge answers nobody, so that more cannot be seen.",
			"Sends nothing.", BridgeReasons()},
		{CheckTURN, "turn", "TURN: the servers of turn_uris",
			"Asks each server over UDP, TCP or TLS, as its address says, for the address that it sees (STUN), and for a relay of no kind, once without and, where the secret's file can be read, once with a password made from it.",
			"Reserves no relay: a request that does not say which kind it wants is refused after the password was looked at. TLS over UDP is not spoken.", TURNReasons()},
		{CheckTURNService, "turn-service", "TURN: the service that gives out passwords",
			"Sends the request that kwmserver sends before a meeting, with its user and password.",
			"What the service gives is thrown away.", TURNServiceReasons()},
		{CheckServer, "server", "kopano_server: socket and ports",
			"Asks for a page over the socket, port 236 or port 237, as the client is told to. kopano_server refuses with 405; until it has its database and the address of sign-in it does not answer at all.",
			"It does not log in.", ServerReasons()},
		{CheckOtherServer, "other-server", "kopano_server: the other servers of the same Kopano",
			"Asks another storage server of the deployment for a page on its HTTPS port, which it refuses with 405.",
			"It does not log in, and does not judge the certificate's name.", OtherServerReasons()},
		{CheckS3, "s3", "S3: the store of attachments",
			"Asks where the bucket is, over http or https and in the style of address that kopano_server is told, signed with its keys for its region.",
			"Reads and lists nothing of what is kept there.", S3Reasons()},
		{CheckSearch, "search", "Search: kopano_search's socket",
			"Asks, over the socket that kopano_server uses, which properties are not indexed.",
			"Never starts a search or an index run, and keeps the only worker no longer than the answer takes.", SearchReasons()},
		{CheckGrapi, "grapi", "API: the workers of kopano_grapi",
			"Asks each worker for its health, over the sockets that kopano_kapi uses.",
			"", GrapiReasons()},
		{CheckIMAP, "imap", "IMAP: kopano_gateway",
			"Reads the greeting, asks CAPABILITY, and leaves. For the mail transport it looks whether passwords are taken without TLS, as saslauthd sends them.",
			"It does not log in: a login that fails counts as an attack.", IMAPReasons()},
		{CheckPOP3, "pop3", "POP3: kopano_gateway",
			"Reads the greeting and leaves.", "It does not log in.", POP3Reasons()},
		{CheckSMTP, "smtp", "SMTP: mail in and out",
			"Waits for the whole greeting; then EHLO, STARTTLS where mail programs and other servers use it, a login on offer where people hand in mail, MAIL FROM:<>, RCPT TO, RSET, QUIT. For the spooler, from its own container, the recipient is one elsewhere; for others it is the postmaster.",
			"Never DATA, and no login. An open relay cannot be told from inside, so nothing is said about it.", SMTPReasons()},
		{CheckApp, "app", "Web applications, as web asks them",
			"Asks for the pages that web passes on (WebApp, ActiveSync, CalDAV, kDAV, Meet, the calendar app, kapi and its plugins, and what else web serves), without signing in.",
			"Follows no redirect and signs nobody in.", AppReasons()},
		{CheckBrowser, "browser", "Meet in the browser, through web",
			"Asks at the public address, as a browser does, for what Meet loads from kapi and Konnect.",
			"Signs nobody in.", BrowserReasons()},
		{CheckRouting, "routing", "The public address, as browsers and phones use it",
			"Asks at FQDN for the front page, for one page of each service that web passes on, and at http:// for the way to https://. An answer that is not the service's own is compared with what the service itself says to the same question. Whether websockets come through is asked on the link to kwmserver.",
			"Three requests at a time, and none after a 429. Follows no redirect and signs nobody in.", RoutingReasons()},
		{CheckProxied, "proxied", "web behind another proxy",
			"Asks web for its front page in plain HTTP, as the proxy in front of it does.",
			"", ProxiedReasons()},
		{CheckLoginOpenID, "login", "Test user: the sign-in at Konnect",
			"Only with `--login`. Goes the way of a browser that comes from WebApp or Meet: discovery, the authorization endpoint with PKCE, the sign-in page's own API with user name and password, consent where Konnect asks for it, the code, the tokens. Verifies the ID token against the key set, and ends the session.",
			"Sends the password to the issuer's own host only, by TLS with a certificate that this machine trusts (unless TLS_MODE or EMAIL says self-signed). A wrong password is tried once in the whole run.", LoginOpenIDReasons()},
		{CheckLoginWebApp, "login", "Test user: WebApp",
			"Only with `--login`. Gives Konnect's token to WebApp, as its own page does after the sign-in; WebApp signs in at kopano_server with it. Then signs out.",
			"Opens no mail.", LoginTokenReasons()},
		{CheckLoginAPI, "login", "Test user: the API of Meet and the calendar app",
			"Only with `--login`. Asks kapi with Konnect's token who has signed in.",
			"One GET.", LoginTokenReasons()},
		{CheckLoginBasic, "login", "Test user: phones and calendar programs",
			"Only with `--login`. Asks ActiveSync for its versions (OPTIONS), and kDAV and CalDAV for the user's principal (PROPFIND, depth 0), with user name and password.",
			"Registers no device and reads no calendar.", LoginBasicReasons()},
		{CheckLoginIMAP, "login", "Test user: IMAP",
			"Only with `--login`. Begins TLS where it is on offer, logs in at kopano_gateway, lists and opens the inbox for reading only (LIST, EXAMINE), logs out.",
			"Marks no mail as read. The password goes without TLS only to this machine and to private networks.", LoginIMAPReasons()},
		{CheckLoginSMTP, "login", "Test user: handing in mail",
			"Only with `--login`. Greeting, EHLO, STARTTLS, AUTH PLAIN, QUIT on ports 587 and 465.",
			"Names no sender and sends no mail.", LoginSMTPReasons()},
		{CheckFolder, "files", "Files and folders",
			"Looks at a folder, program or shared file as the container sees it: there, of the right kind, and the same at both ends.",
			"Reads at most 1 MB, and follows no link out of the container.", FolderReasons()},
		{CheckDocker, "docker", "Docker: the scheduler's socket",
			"Asks the engine for a sign of life over the socket in the scheduler's container.",
			"Only GET /_ping.", DockerReasons()},
		{nil, "container", "Containers: what runs against what the files say",
			"Asks the container engine for the containers of the project, by the labels that Docker Compose gives them, and compares each with its service: state, exit code, health, restarts, environment, image, networks, mounts.",
			"Only asks: no container is started, stopped or changed. Values of the environment are compared and never shown.", ContainerReasons()},
	}
}

// FindingIDs gives the IDs that findings of the checks may have, sorted.
func FindingIDs() []string {
	var ids []string
	for _, d := range Docs() {
		for _, r := range d.Reasons {
			ids = append(ids, "live-"+d.ID+"-"+string(r.Reason))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// LinksOf gives the IDs of the links that a check looks at, sorted.
func LinksOf(check Check) []string {
	var ids []string
	for id, c := range All() {
		// Functions cannot be compared; these are all top-level, so their address names them.
		if reflect.ValueOf(c).Pointer() == reflect.ValueOf(check).Pointer() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// undocumented gives the links of All whose check is not in Docs.
func undocumented() []string {
	left := map[string]bool{}
	for id := range All() {
		left[id] = true
	}
	for _, d := range Docs() {
		for _, id := range LinksOf(d.Check) {
			delete(left, id)
		}
	}
	return slices.Sorted(maps.Keys(left))
}
