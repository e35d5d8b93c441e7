package kopano

var entrySystems = []System{
	{
		Role: Web, Service: "web", Title: "reverse proxy", Layer: LayerEntry,
		Does:   "Everything that people open in a browser or on a phone comes in here.",
		Images: []string{"kopano_web", "kwebd"},
		Listens: []Listener{
			// web/kweb.cfg: the same site on 443 and 2015, a redirect on 80, and
			// the bridge's part of the signalling API on 8443.
			{Name: "https", Protocol: ProtoHTTPS, Form: FormListen, Default: "0.0.0.0:443 0.0.0.0:2015", Port: 443},
			{Name: "redirect", Protocol: ProtoHTTP, Form: FormListen, Default: "0.0.0.0:80", Port: 80},
			{Name: "mcu", Protocol: ProtoHTTPS, Form: FormListen, Default: "0.0.0.0:8443", Port: 8443},
		},
		Volumes:   []Mount{{"/.kweb", "the certificates from Let's Encrypt, which issues only a few per week"}},
		MachineID: true,
		Source:    "kopano-docker web/Dockerfile, web/kweb.cfg, web/wrapper.sh",
	},
}

var appSystems = []System{
	{
		Role: Webapp, Service: "kopano_webapp", Title: "webmail", Layer: LayerApps,
		Does:    "Mail, calendar and contacts in the browser.",
		Images:  []string{"kopano_webapp"},
		Listens: []Listener{{Name: "http", Protocol: ProtoHTTP, Form: FormListen, Default: anyHTTP9080, Port: 9080}},
		Volumes: []Mount{{"/var/lib/kopano-webapp", "uploads and the state of WebApp's plugins"}}, MachineID: true,
		Source: "kopano-docker webapp/start.sh, webapp/kweb.cfg",
	},
	{
		Role: ZPush, Service: "kopano_zpush", Title: "ActiveSync", Layer: LayerApps,
		Does:    "Mail, calendar and contacts on phones.",
		Images:  []string{"kopano_zpush"},
		Listens: []Listener{{Name: "http", Protocol: ProtoHTTP, Form: FormListen, Default: anyHTTP9080, Port: 9080}},
		Volumes: []Mount{{"/var/lib/z-push", "what each phone has synchronised: all of them start again from nothing"}}, MachineID: true,
		Source: "kopano-docker zpush/start.sh, zpush/kweb.cfg",
	},
	{
		Role: Kdav, Service: "kopano_kdav", Title: "CalDAV and CardDAV", Layer: LayerApps,
		Does:    "Calendars and address books for Apple devices and Thunderbird.",
		Images:  []string{"kopano_kdav"},
		Listens: []Listener{{Name: "http", Protocol: ProtoHTTP, Form: FormListen, Default: anyHTTP9080, Port: 9080}},
		Volumes: []Mount{{"/var/lib/kopano/kdav", "what each device has synchronised"}}, MachineID: true,
		Source: "kopano-docker kdav/start.sh",
	},
	{
		Role: Meet, Service: "kopano_meet", Title: "video meetings", Layer: LayerApps,
		Does:      "Video meetings in the browser.",
		Images:    []string{"kopano_meet"},
		Start:     "meet",
		Listens:   []Listener{{Name: "http", Protocol: ProtoHTTP, Form: FormListen, Default: anyHTTP9080, Port: 9080}},
		MachineID: true,
		Source:    "kopano-docker meet/start-service.sh",
	},
	{
		Role: Kapps, Service: "kopano_kapps", Title: "calendar app", Layer: LayerApps,
		Does:      "The new calendar in the browser.",
		Images:    []string{"kopano_kapps"},
		Start:     "kapps",
		Listens:   []Listener{{Name: "http", Protocol: ProtoHTTP, Form: FormListen, Default: anyHTTP9080, Port: 9080}},
		MachineID: true,
		Source:    "kopano-docker kapps/start-service.sh",
	},
	{
		Role: PasswordSelf, Service: "password-self-service", Title: "password self-service", Layer: LayerApps,
		Does:    "A page where people change their own password.",
		Images:  []string{"self-service-password"},
		Listens: []Listener{{Name: "http", Protocol: ProtoHTTP, Form: FormListen, Default: "0.0.0.0:80", Port: 80}},
		Source:  "kopano-docker ldap-extras/ldap-extras.yml",
	},
	{
		Role: Playground, Service: "kopano_playground", Title: "playground", Layer: LayerApps,
		Does:    "Pages for developers to try sign-in and the REST API.",
		Images:  []string{"kopano_playground"},
		Listens: []Listener{{Name: "http", Protocol: ProtoHTTP, Form: FormListen, Default: "0.0.0.0:8888", Port: 8888}},
		Source:  "kopano-docker playground/playground.yml, web/kweb.cfg",
	},
	{
		Role: GrapiExplorer, Service: "kopano_grapi-explorer", Title: "API explorer", Layer: LayerApps,
		Does:    "Pages for developers to browse the REST API.",
		Images:  []string{"grapi-explorer", "kopano_grapi-explorer"},
		Listens: []Listener{{Name: "http", Protocol: ProtoHTTP, Form: FormListen, Default: "0.0.0.0:3000", Port: 3000}},
		Source:  "kopano-docker grapi-explorer/grapi-explorer.yml, web/kweb.cfg",
	},
	{
		Role: Owncloud, Service: "owncloud", Title: "file sharing", Layer: LayerApps,
		Does:    "Files beside the mail.",
		Images:  []string{"owncloud/server"},
		Listens: []Listener{{Name: "http", Protocol: ProtoHTTP, Form: FormListen, Default: "0.0.0.0:8080", Port: 8080}},
		Source:  "kopano-docker owncloud/owncloud.yml, web/kweb.cfg",
	},
}

var apiSystems = []System{
	{
		Role: Kapi, Service: "kopano_kapi", Title: "API gateway", Layer: LayerAPI, Start: "kapi", Section: "kapid",
		Does: "Answers the calls of Meet, the calendar app and other programs.",
		Listens: []Listener{
			// The packaged kapid.cfg binds to loopback, which no other container reaches.
			{Name: "http", Protocol: ProtoHTTP, Setting: "KCCONF_KAPID_LISTEN", Form: FormGo, Default: "127.0.0.1:8039", Port: 8039},
		},
		Images:  []string{"kapid"},
		Volumes: []Mount{{"/kopano/data", "recent calls and other small data of the apps"}}, ReadsSSL: true, MachineID: true,
		Source: "kopano-docker core/start-service.sh, kapi scripts/kapid.cfg",
	},
	{
		Role: Grapi, Service: "kopano_grapi", Title: "REST backend", Layer: LayerAPI, Start: "grapi", Section: "grapi",
		Does: "Reads mail, calendars and people for the API gateway.",
		Listens: []Listener{
			// The start script passes the folder itself; KCCONF_GRAPI_SOCKET_PATH does not reach the daemon.
			{Name: "rest", Protocol: ProtoSocket, Form: FormPath, Default: "/var/run/kopano/grapi"},
		},
		Images:  []string{"grapi"},
		Volumes: []Mount{{"/var/lib/kopano-grapi", "subscriptions of the apps to changes"}}, MachineID: true,
		Source: "kopano-docker core/start-service.sh, grapi mfr",
	},
	{
		Role: Kwmserver, Service: "kopano_kwmserver", Title: "meeting signalling", Layer: LayerAPI,
		Does:    "Brings the people of a meeting together.",
		Images:  []string{"kopano_kwmserver", "kwmserverd"},
		Listens: []Listener{{Name: "http", Protocol: ProtoHTTP, Setting: "KWMSERVERD_LISTEN", Form: FormGo, Default: "0.0.0.0:8778", Port: 8778}}, ReadsSSL: true, MachineID: true,
		Source: "kopano-docker kwmserver/wrapper.sh, kwmserver Dockerfile.release",
	},
	{
		Role: Kwmbridge, Service: "kopano_kwmbridge", Title: "meeting bridge", Layer: LayerAPI,
		Does:   "Carries sound and video of larger meetings.",
		Images: []string{"kopano_kwmbridge", "kwmbridged"},
		Listens: []Listener{
			{Name: "http", Protocol: ProtoHTTP, Setting: "KWMBRIDGED_LISTEN", Form: FormGo, Default: "127.0.0.1:8779", Port: 8779},
			{Name: "ice", Protocol: ProtoUDP, Setting: "ice_udp_port_range", Form: FormRange},
		}, ReadsSSL: true, MachineID: true,
		Source: "kopano-docker docker-compose.kwmbridge.yml, kwmbridge 0.1.3",
	},
}

var identitySystems = []System{
	{
		Role: Konnect, Service: "kopano_konnect", Title: "sign-in (OpenID Connect)", Layer: LayerIdentity,
		Does:    "Signs people in to WebApp, Meet and everything else in the browser.",
		Images:  []string{"kopano_konnect", "konnectd"},
		Listens: []Listener{{Name: "http", Protocol: ProtoHTTP, Setting: "KONNECTD_LISTEN", Form: FormGo, Default: "0.0.0.0:8777", Port: 8777}}, ReadsSSL: true, MachineID: true,
		Source: "kopano-docker konnect/wrapper.sh, konnect Dockerfile.release",
	},
}
