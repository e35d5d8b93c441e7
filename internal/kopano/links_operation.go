package kopano

// Meetings.
var meetLinks = []Link{
	{
		ID: "meet-kapi", Ref: "L50", From: Meet, To: Kapi, Protocol: ProtoHTTPS, External: true, Through: Web, DependsOn: []string{"web-kapi", "client-web"},
		Loses:  "Meet shows nobody to call.",
		Source: "kopano-docker web/kweb.cfg, meet config.json",
	},
	{
		ID: "meet-kwmserver", Ref: "L50", From: Meet, To: Kwmserver, Protocol: ProtoWS, External: true, Through: Web, DependsOn: []string{"web-kwmserver", "client-web"},
		Same:   []Pair{{From: "KCCONF_MEET_guests_enabled", To: "enable_guest_api", What: "whether guests may join", How: OnOff}},
		Loses:  "No meeting starts, and nobody can be called.",
		Source: "kopano-docker web/kweb.cfg, kwmserver signaling/guest/http.go",
	},
	{
		ID: "meet-konnect", Ref: "L50", From: Meet, To: Konnect, Protocol: ProtoOIDC, External: true, Through: Web, DependsOn: []string{"web-konnect", "client-web"},
		Same:   []Pair{{From: "KCCONF_MEET_guests_enabled", To: "allow_client_guests", What: "whether guests may join", How: OnOff}},
		Loses:  "Nobody can sign in to Meet.",
		Source: "kopano-docker konnect/wrapper.sh",
	},
	{
		ID: "kwmserver-konnect-registration", Ref: "L26", From: Kwmserver, To: Konnect, Protocol: ProtoFile, Mount: sslFolder, Optional: true,
		Conditions: []Condition{{Setting: "registration_conf", Set: true}},
		Address:    Address{Setting: "registration_conf", Form: FormPath},
		Same: []Pair{
			{From: "registration_conf", To: "identifier_registration_conf", What: "the file of registered programs"},
			{From: "enable_guest_api", To: "allow_client_guests", What: "whether guests may join", How: OnOff},
		},
		DependsOn: []string{"konnect-ssl"},
		Loses:     "Guests cannot join a meeting.",
		Source:    "kopano-docker konnect/wrapper.sh, kwmserver/wrapper.sh",
	},
	{
		ID: "kwmserver-turn", Ref: "L51", From: Kwmserver, To: External, Protocol: ProtoTURN, External: true, Optional: true,
		// Without user and password the service is not asked (kwmserver/wrapper.sh).
		Conditions: []Condition{{Setting: "turn_service_credentials_user", Set: true, Or: &Condition{Setting: "turn_service_credentials", Set: true}}},
		Address:    Address{Setting: "turn_service_url", None: []string{""}, Form: FormURI, Default: "https://turnauth.kopano.com/turnserverauth/", DefaultPort: 443},
		Loses:      "Meetings fail between people behind firewalls: they see each other in the list, without sound and picture.",
		Source:     "kwmserver signaling/server/server.go, kopano-docker kwmserver/wrapper.sh",
	},
	{
		ID: "kwmserver-turn-uris", Ref: "L51", From: Kwmserver, To: External, Protocol: ProtoTURN, External: true, Optional: true,
		Conditions: []Condition{{Setting: "turn_uris", Set: true, Or: &Condition{Setting: "turn_server_shared_secret", Set: true}}},
		Address:    Address{Setting: "turn_uris", Form: FormURI, DefaultPort: 3478, List: true},
		Requires:   []string{"turn_uris", "turn_server_shared_secret"},
		Loses:      "Meetings fail between people behind firewalls: they see each other in the list, without sound and picture.",
		Source:     "kwmserver signaling/server/server.go",
	},
	{
		ID: "kwmbridge-kwmserver", Ref: "L52", From: Kwmbridge, To: Kwmserver, Also: []Role{Web}, Protocol: ProtoWS, External: true,
		Address: Address{Setting: "kwm_server_urls", Form: FormURI, DefaultPort: 443, List: true},
		Via: []Via{
			{Scheme: "https", Protocol: ProtoWS, Listener: "mcu", Port: 443},
			{Scheme: "http", Protocol: ProtoWS, Listener: "http", Port: 80},
			{Scheme: "wss", Protocol: ProtoWS, Listener: "mcu", Port: 443},
			{Scheme: "ws", Protocol: ProtoWS, Listener: "http", Port: 80},
		},
		Listener:  "mcu",
		Requires:  []string{"kwm_server_urls"},
		DependsOn: []string{"kwmserver-issuer", "kwmbridge-issuer"},
		Loses:     "Larger meetings have no sound and no picture.",
		Source:    "kopano-docker docker-compose.kwmbridge.yml, web/kweb.cfg, kwmserver signaling/mcu",
	},
	{
		ID: "client-kwmbridge", Ref: "L53", From: Client, To: Kwmbridge, Protocol: ProtoUDP, Listener: "ice", DependsOn: []string{"kwmbridge-kwmserver"},
		Loses:  "People outside the house join larger meetings without sound and picture.",
		Source: "kopano-docker docker-compose.kwmbridge-dnat.yml, kwmbridge 0.1.3",
	},
}

// Jobs.
var operationLinks = []Link{
	{
		ID: "scheduler-docker", Ref: "L60", From: Scheduler, To: External, Protocol: ProtoDocker, Mount: "/var/run/docker.sock",
		Address: Address{Form: FormPath, Default: "/var/run/docker.sock"},
		Loses:   "No scheduled job runs: new users do not appear, the trash is never emptied, no backup is made.",
		Source:  "kopano-docker scheduler/start.sh, docker-compose.yml",
	},
	{
		ID: "scheduler-server", Ref: "L61", From: Scheduler, To: Server, Protocol: ProtoSOAP,
		// The host is written into scheduler/start.sh.
		Address:   Address{Form: FormURI, Default: "tcp://kopano_server:236", DefaultPort: 236},
		Listener:  "soap",
		DependsOn: serverNeeds,
		Loses:     "The scheduler waits six minutes and stops, for good: new users do not appear, the trash is never emptied, no backup is made.",
		Source:    "kopano-docker scheduler/start.sh",
	},
}
