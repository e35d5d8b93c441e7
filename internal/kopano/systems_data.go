package kopano

var mailSystems = []System{
	{
		Role: Mail, Service: "mail", Title: "mail transport", Layer: LayerMail,
		Does:   "Takes mail from the world, and sends mail to it.",
		Images: []string{"docker-mailserver"},
		Listens: []Listener{
			{Name: "smtp", Protocol: ProtoSMTP, Form: FormListen, Default: "0.0.0.0:25", Port: 25},
			{Name: "smtps", Protocol: ProtoSMTP, Form: FormListen, Default: "0.0.0.0:465", Port: 465},
			{Name: "submission", Protocol: ProtoSMTP, Form: FormListen, Default: "0.0.0.0:587", Port: 587},
		},
		Volumes: []Mount{
			{"/var/mail-state", "mails that wait to be sent, and what the spam filter has learnt"},
			{"/tmp/docker-mailserver", "the mail transport's own settings, keys and certificates"},
		},
		Source: "docker-mailserver 10.5 target/postfix/master.cf, target/scripts",
	},
}

var dataSystems = []System{
	{
		Role: LDAP, Service: "ldap", Title: "directory", Layer: LayerData,
		Does:   "Holds every user, group and password.",
		Images: []string{"kopano_ldap", "kopano_ldap_demo", "openldap"},
		Listens: []Listener{
			{Name: "ldap", Protocol: ProtoLDAP, Form: FormListen, Default: "0.0.0.0:389", Port: 389,
				ByImage: []ImageListener{{Image: "bitnami/openldap", Setting: "LDAP_PORT_NUMBER", Default: "0.0.0.0:1389", Port: 1389}}},
			{Name: "ldaps", Protocol: ProtoLDAP, Form: FormListen, Default: "0.0.0.0:636", Port: 636,
				ByImage: []ImageListener{{Image: "bitnami/openldap", Setting: "LDAP_LDAPS_PORT_NUMBER", Default: "0.0.0.0:1636", Port: 1636}}},
		},
		Volumes: []Mount{
			{"/var/lib/ldap", "every user and group"},
			{"/etc/ldap/slapd.d", "the directory's own configuration, without which its data cannot be read"},
		},
		Source: "kopano-docker ldap/Dockerfile, osixia/openldap 1.3.0",
	},
	{
		Role: Database, Service: "db", Title: "database", Layer: LayerData,
		Does:    "Keeps all mails but for their attachments.",
		Images:  []string{"mariadb", "mysql", "percona", "percona-server", "mysql-server"},
		Listens: []Listener{{Name: "mysql", Protocol: ProtoMySQL, Form: FormListen, Default: "0.0.0.0:3306", Port: 3306, Flag: "--port"}},
		Volumes: []Mount{{"/var/lib/mysql", "all mails, calendars and contacts"}},
		Source:  "kopano-docker docker-compose.db.yml, mariadb 10.3",
	},
}

var operationSystems = []System{
	{
		Role: SSL, Service: "kopano_ssl", Title: "internal certificates", Layer: LayerOperation,
		Does:    "Makes the keys and certificates that the other services use among themselves, then stops.",
		Images:  []string{"kopano_ssl"},
		Volumes: []Mount{{sslFolder, "the keys that sign sign-in tokens: everybody is logged out"}}, OneShot: true,
		Source: "kopano-docker ssl/start.sh",
	},
	{
		Role: LDAPAdmin, Service: "ldap-admin", Title: "directory browser", Layer: LayerOperation,
		Does:    "A page where administrators edit the directory.",
		Images:  []string{"phpldapadmin"},
		Listens: []Listener{{Name: "http", Protocol: ProtoHTTP, Form: FormListen, Default: "0.0.0.0:80", Port: 80}},
		Source:  "kopano-docker ldap-extras/ldap-extras.yml",
	},
	{
		Role: LDAPAccountManager, Service: "ldap-account-manager", Title: "account manager", Layer: LayerOperation,
		Does:    "A page where administrators manage users.",
		Images:  []string{"lam"},
		Listens: []Listener{{Name: "http", Protocol: ProtoHTTP, Form: FormListen, Default: "0.0.0.0:80", Port: 80}},
		Volumes: []Mount{{"/var/lib/ldap-account-manager/config", "its own settings"}},
		Source:  "kopano-docker ldap-extras/ldap-account-manager.yml",
	},
	{
		Role: Scheduler, Service: "kopano_scheduler", Title: "scheduled jobs", Layer: LayerOperation,
		Does:   "Brings new users into Kopano, empties the trash, runs backups.",
		Images: []string{"kopano_scheduler"},
		Source: "kopano-docker scheduler/start.sh",
	},
}
