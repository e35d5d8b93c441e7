package kopano

// What follows runs from one image, kopano_core; SERVICE_TO_START chooses the
// program (core/start-service.sh). Listen addresses are those of kopano-core's
// sources: `*%lo` is every address of the loopback interface, so that a daemon
// without its *_LISTEN setting is reached by nobody outside its container.
var coreSystems = []System{
	{
		Role: Server, Service: "kopano_server", Title: "storage server", Layer: LayerCore, Start: "server", Section: "server",
		Does: "Keeps all mail, calendars and contacts, and checks every password.",
		Listens: []Listener{
			{Name: "soap", Protocol: ProtoSOAP, Setting: "KCCONF_SERVER_SERVER_LISTEN", Form: FormListen, Default: "*%lo:236", Port: 236},
			{Name: "soap-tls", Protocol: ProtoSOAP, Setting: "KCCONF_SERVER_SERVER_LISTEN_TLS", Form: FormListen, Default: "", Port: 237},
			{Name: "socket", Protocol: ProtoSocket, Setting: "KCCONF_SERVER_SERVER_PIPE_NAME", Form: FormPath, Default: "/var/run/kopano/server.sock"},
		},
		Volumes: []Mount{{"/kopano/data", "the attachments of all mails"}}, ReadsSSL: true, MachineID: true,
		Source: "kopano-docker core/start-service.sh, kopano-core provider/server/ECServer.cpp",
	},
	{
		Role: Dagent, Service: "kopano_dagent", Title: "mail delivery", Layer: LayerCore, Start: "dagent", Section: "dagent",
		Does: "Puts incoming mail into the mailboxes.",
		Listens: []Listener{
			{Name: "lmtp", Protocol: ProtoLMTP, Setting: "KCCONF_DAGENT_LMTP_LISTEN", Form: FormListen, Default: "*%lo:2003", Port: 2003},
		}, ReadsSSL: true, MachineID: true,
		Source: "kopano-docker core/start-service.sh, kopano-core spooler/DAgent.cpp",
	},
	{
		Role: Spooler, Service: "kopano_spooler", Title: "mail sending", Layer: LayerCore, Start: "spooler", Section: "spooler",
		Does: "Hands outgoing mail to the mail transport.", ReadsSSL: true, MachineID: true,
		Source: "kopano-docker core/start-service.sh, kopano-core spooler/Spooler.cpp",
	},
	{
		Role: Gateway, Service: "kopano_gateway", Title: "IMAP and POP3", Layer: LayerCore, Start: "gateway", Section: "gateway",
		Does: "Mail for Thunderbird, Outlook and other mail programs.",
		Listens: []Listener{
			{Name: "imap", Protocol: ProtoIMAP, Setting: "KCCONF_GATEWAY_IMAP_LISTEN", Form: FormListen, Default: "*%lo:143", Port: 143},
			{Name: "imaps", Protocol: ProtoIMAP, Setting: "KCCONF_GATEWAY_IMAPS_LISTEN", Form: FormListen, Default: "", Port: 993},
			{Name: "pop3", Protocol: ProtoPOP3, Setting: "KCCONF_GATEWAY_POP3_LISTEN", Form: FormListen, Default: "*%lo:110", Port: 110},
			{Name: "pop3s", Protocol: ProtoPOP3, Setting: "KCCONF_GATEWAY_POP3S_LISTEN", Form: FormListen, Default: "", Port: 995},
		}, MachineID: true,
		Source: "kopano-core gateway/Gateway.cpp",
	},
	{
		Role: Ical, Service: "kopano_ical", Title: "iCal and CalDAV", Layer: LayerCore, Start: "ical", Section: "ical",
		Does: "Calendars for programs that speak CalDAV.",
		Listens: []Listener{
			{Name: "http", Protocol: ProtoHTTP, Setting: "KCCONF_ICAL_ICAL_LISTEN", Form: FormListen, Default: "*%lo:8080", Port: 8080},
			{Name: "https", Protocol: ProtoHTTPS, Setting: "KCCONF_ICAL_ICALS_LISTEN", Form: FormListen, Default: "", Port: 8443},
		}, MachineID: true,
		Source: "kopano-core caldav/CalDAV.cpp",
	},
	{
		Role: Monitor, Service: "kopano_monitor", Title: "quota mails", Layer: LayerCore, Start: "monitor", Section: "monitor",
		Does: "Tells people that their mailbox is full.", ReadsSSL: true, MachineID: true,
		Source: "kopano-core monitor/monitor.cpp",
	},
	{
		Role: Search, Service: "kopano_search", Title: "full text search", Layer: LayerCore, Start: "search", Section: "search",
		Does: "Finds words in mails at once.",
		Listens: []Listener{
			{Name: "socket", Protocol: ProtoSocket, Setting: "KCCONF_SEARCH_SERVER_BIND_NAME", Form: FormPath, Default: "file:///var/run/kopano/search.sock"},
		},
		Volumes: []Mount{{"/kopano/data", "the index: every mail must be read again"}}, ReadsSSL: true, MachineID: true,
		Source: "kopano-core ECtools/search",
	},
	{
		Role: Spamd, Service: "kopano_spamd", Title: "spam learning", Layer: LayerCore, Start: "spamd", Section: "spamd",
		Does:    "Teaches the spam filter from what people move to the junk folder.",
		Volumes: []Mount{{"/var/lib/kopano/spamd", "mails that wait to be learnt from"}}, MachineID: true,
		Source: "kopano-docker spamd-extras/spamd-extras.yml, kopano-core ECtools/spamd",
	},
}
