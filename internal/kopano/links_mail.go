package kopano

// Mail in and out.
var mailLinks = []Link{
	{
		ID: "mail-ldap", Ref: "L40", From: Mail, To: LDAP, Protocol: ProtoLDAP, External: true,
		Conditions: []Condition{{Setting: "ENABLE_LDAP", Default: "0", Is: []string{"1"}, Or: &Condition{Setting: "ACCOUNT_PROVISIONER", Is: []string{"LDAP"}}}},
		Address:    Address{Setting: "LDAP_SERVER_HOST", Form: FormAny, DefaultPort: 389, List: true},
		Via:        ldapVia, Listener: "ldap",
		Same:     bundledLDAP("LDAP_BIND_DN", "LDAP_BIND_PW", "LDAP_SEARCH_BASE"),
		Requires: []string{"LDAP_SERVER_HOST", "LDAP_BIND_DN", "LDAP_BIND_PW", "LDAP_SEARCH_BASE", "LDAP_QUERY_FILTER_USER", "LDAP_QUERY_FILTER_GROUP", "LDAP_QUERY_FILTER_ALIAS", "LDAP_QUERY_FILTER_DOMAIN"},
		Loses:    "Mail from outside is refused or deferred: no address is found.",
		Source:   "docker-mailserver 10.5 target/scripts/startup/setup-stack.sh",
	},
	{
		ID: "mail-ldap-login", Ref: "L40", From: Mail, To: LDAP, Protocol: ProtoLDAP, External: true,
		Conditions: []Condition{{Setting: "ENABLE_SASLAUTHD", Default: "0", Is: []string{"1"}}, {Setting: "SASLAUTHD_MECHANISMS", Default: "pam", Is: []string{"ldap"}}},
		Address:    Address{Setting: "SASLAUTHD_LDAP_SERVER", Also: []string{"LDAP_SERVER_HOST"}, None: []string{""}, Form: FormAny, DefaultPort: 389, List: true},
		Via:        ldapVia, Listener: "ldap",
		Same:   bundledLDAP("SASLAUTHD_LDAP_BIND_DN", "SASLAUTHD_LDAP_PASSWORD", "SASLAUTHD_LDAP_SEARCH_BASE"),
		Loses:  "Mail programs cannot send mail: every password is refused.",
		Source: "docker-mailserver 10.5 target/scripts/startup/setup-stack.sh",
	},
	{
		ID: "mail-dagent", Ref: "L41", From: Mail, To: Dagent, Protocol: ProtoLMTP, External: true,
		Conditions: []Condition{{Setting: "ENABLE_POSTFIX_VIRTUAL_TRANSPORT", Default: "0", Is: []string{"1"}, Or: &Condition{Setting: "POSTFIX_DAGENT", Set: true}}},
		Address:    Address{Setting: "POSTFIX_DAGENT", Form: FormLMTP, DefaultPort: 24}, Listener: "lmtp",
		Requires: []string{"POSTFIX_DAGENT", "ENABLE_POSTFIX_VIRTUAL_TRANSPORT"},
		// kopano_dagent logs in to kopano_server before it greets, and asks it for each recipient.
		DependsOn: []string{"dagent-server", "server-database", "server-ldap"},
		Loses:     "Incoming mail does not reach the mailboxes; it waits in the mail transport and goes back after days.",
		Source:    "docker-mailserver 10.5 target/scripts/startup/setup-stack.sh, kopano-core spooler/DAgent.cpp",
	},
	{
		ID: "mail-gateway", Ref: "L42", From: Mail, To: Gateway, Protocol: ProtoIMAP, External: true,
		Conditions: []Condition{{Setting: "ENABLE_SASLAUTHD", Default: "0", Is: []string{"1"}}, {Setting: "SASLAUTHD_MECHANISMS", Default: "pam", Is: []string{"rimap"}}},
		Address:    Address{Setting: "SASLAUTHD_MECH_OPTIONS", Form: FormHost, DefaultPort: 143}, Listener: "imap",
		Requires:  []string{"SASLAUTHD_MECH_OPTIONS"},
		DependsOn: []string{"gateway-server"},
		Loses:     "Mail programs cannot send mail: every password is refused.",
		Source:    "docker-mailserver 10.5 target/supervisor/conf.d/saslauth.conf",
	},
	{
		ID: "spooler-mail", Ref: "L43", From: Spooler, To: Mail, Protocol: ProtoSMTP, External: true,
		// The start script waits for mail:25 when nothing is set, and the daemon then sends to itself.
		Address: Address{HostSetting: "KCCONF_SPOOLER_SMTP_SERVER", PortSetting: "KCCONF_SPOOLER_SMTP_PORT", Form: FormHost, Default: "localhost", DefaultPort: 25}, Listener: "smtp",
		Requires:  []string{"KCCONF_SPOOLER_SMTP_SERVER"},
		DependsOn: []string{"mail-ldap"}, // the mail server looks every address up
		Loses:     "No mail leaves the house, not even to a colleague.",
		Source:    "kopano-docker core/start-service.sh, kopano-core spooler/Spooler.cpp",
	},
	{
		ID: "password-self-service-mail", Ref: "L44", From: PasswordSelf, To: Mail, Protocol: ProtoSMTP, External: true,
		Conditions: []Condition{{Setting: "SMTP_HOST", Set: true}},
		Address:    Address{HostSetting: "SMTP_HOST", PortSetting: "SMTP_PORT", Form: FormHost, DefaultPort: 25}, Listener: "smtp smtps submission",
		DependsOn: []string{"mail-ldap"},
		Loses:     "People who forgot their password get no mail to set a new one.",
		Source:    "kopano-docker ldap-extras/ldap-extras.yml",
	},
	{
		ID: "password-self-service-ldap", Ref: "L45", From: PasswordSelf, To: LDAP, Protocol: ProtoLDAP, External: true,
		Address: Address{Setting: "LDAP_SERVER", Form: FormURI, DefaultPort: 389, List: true},
		Via:     ldapVia, Listener: "ldap",
		Same:     bundledLDAP("LDAP_BINDDN", "LDAP_BINDPASS", "LDAP_BASE_SEARCH"),
		Requires: []string{"LDAP_SERVER", "LDAP_BINDDN", "LDAP_BINDPASS", "LDAP_BASE_SEARCH"},
		Loses:    "People cannot change their password.",
		Source:   "kopano-docker ldap-extras/ldap-extras.yml",
	},
	{
		ID: "ldap-admin-ldap", Ref: "L46", From: LDAPAdmin, To: LDAP, Protocol: ProtoLDAP, External: true,
		Address: Address{Setting: "PHPLDAPADMIN_LDAP_HOSTS", Form: FormAny, Default: "ldap.example.org", DefaultPort: 389},
		Via:     ldapVia, Listener: "ldap",
		Requires: []string{"PHPLDAPADMIN_LDAP_HOSTS"},
		Loses:    "Administrators cannot browse the directory.",
		Source:   "kopano-docker ldap-extras/ldap-extras.yml, osixia/phpldapadmin",
	},
	{
		ID: "ldap-account-manager-ldap", Ref: "L46", From: LDAPAccountManager, To: LDAP, Protocol: ProtoLDAP, External: true,
		Address: Address{Setting: "LDAP_SERVER", Form: FormURI, DefaultPort: 389},
		Via:     ldapVia, Listener: "ldap",
		Same: []Pair{
			{From: "LDAP_BASE_DN", To: "LDAP_BASE_DN", What: "the directory's base", When: WhenBundled, How: SameDN},
			{From: "ADMIN_USER", To: "LDAP_BASE_DN", What: "the bind DN", When: WhenBundled, How: WithinDN},
		},
		Requires: []string{"LDAP_SERVER"},
		Loses:    "Administrators cannot manage users.",
		Source:   "kopano-docker ldap-extras/ldap-account-manager.yml",
	},
	{
		ID: "spamd-mail", Ref: "L47", From: Spamd, To: Mail, Protocol: ProtoFile, Mount: "/var/lib/kopano/spamd",
		Address: Address{Setting: "KCCONF_SPAMD_SPAM_DIR", Form: FormPath, Default: "/var/lib/kopano/spamd/spam"},
		Loses:   "The spam filter learns nothing from the junk folders.",
		Source:  "kopano-docker spamd-extras/spamd-extras.yml",
	},
	{
		ID: "dagent-autorespond", Ref: "L48", From: Dagent, To: Dagent, Protocol: ProtoLocal,
		// The image's wrapper passes the changed configuration on; the program itself would read the packaged one.
		Address: Address{Setting: "KCCONF_DAGENT_AUTORESPONDER", Form: FormPath, Default: "/usr/sbin/kopano-autorespond"},
		Loses:   "Out-of-office answers are not sent, or sent with the wrong settings.",
		Source:  "kopano-docker core/Dockerfile, docker-compose.yml",
	},
}
