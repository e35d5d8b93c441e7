package rules_test

import "strings"

// shapes are the bundled deployment with more services, or with fewer.
func shapes() []variant {
	return []variant{
		{name: "two servers, each with a database", change: func(v *variation) {
			v.secondServer()
		}},
		{name: "without kopano_search", change: func(v *variation) {
			v.without("kopano_search")
			v.line(mainFile, "KCCONF_SERVER_SERVER_NAME:", "      KCCONF_SERVER_SERVER_NAME: Kopano\n      KCCONF_SERVER_SEARCH_ENABLED: \"no\"")
		}},
		{name: "without kopano_scheduler", change: func(v *variation) {
			v.without("kopano_scheduler")
			v.line(mainFile, "KCCONF_SERVER_SYNC_GAB_REALTIME:", "      KCCONF_SERVER_SYNC_GAB_REALTIME: \"yes\"")
		}},
		{name: "without Meet", change: func(v *variation) {
			v.without("kopano_meet", "kopano_kwmserver")
			v.line(mainFile, "allow_client_guests:", "")
		}},
		{name: "without Meet, apps and their API", change: func(v *variation) {
			v.without("kopano_meet", "kopano_kwmserver", "kopano_kapps", "kopano_kapi", "kopano_grapi", "kopano_playground")
			v.line(mainFile, "allow_client_guests:", "")
		}},
		{name: "without mail", change: func(v *variation) {
			v.load("ports", "db", "ldap", "extras")
			v.without("mail", "kopano_spooler", "kopano_dagent", "password-self-service")
		}},
		{name: "without WebApp", change: func(v *variation) {
			v.without("kopano_webapp")
			v.edit(mainFile, "${DEFAULTREDIRECT:-/webapp}", "${DEFAULTREDIRECT:-/meet}")
		}},
		{name: "without sign-in", change: func(v *variation) {
			v.without("kopano_konnect", "kopano_meet", "kopano_kwmserver", "kopano_kapps", "kopano_kapi", "kopano_grapi", "kopano_playground")
			for _, key := range []string{"KCCONF_WEBAPP_OIDC_ISS:", "KCCONF_WEBAPP_OIDC_CLIENT_ID:", "KCCONF_SERVER_ENABLE_SSO:", "KCCONF_SERVER_KCOIDC_ISSUER_IDENTIFIER:", "KCCONF_SERVER_KCOIDC_INSECURE_SKIP_VERIFY:"} {
				v.line(mainFile, key, "")
			}
			v.line(".env", "INSECURE=", "")
		}},
		{name: "database and directory passwords in files", change: func(v *variation) {
			v.edit(dbFile, "      MYSQL_PASSWORD: ${MYSQL_PASSWORD}\n", "      MYSQL_PASSWORD_FILE: /run/secrets/mysql\n")
			v.edit(dbFile, "    volumes:\n      - mysql:", "    secrets: [mysql]\n    volumes:\n      - mysql:")
			v.write(dbFile, v.read(dbFile)+"secrets:\n  mysql:\n    file: ./mysql.txt\n")
			v.write("mysql.txt", "Rw6bUj9tCm3zXe7nKv2yDq5g\n")
			v.edit(ldapFile, "      LDAP_ADMIN_PASSWORD: ${LDAP_ADMIN_PASSWORD}\n", "      LDAP_ADMIN_PASSWORD_FILE: /run/secrets/admin\n")
			v.edit(ldapFile, "    volumes:\n      - ldap:", "    secrets: [admin]\n    volumes:\n      - ldap:")
			v.write(ldapFile, v.read(ldapFile)+"secrets:\n  admin:\n    file: ./admin.txt\n")
			v.write("admin.txt", "Qm7vT2pXw9LrKd4sNf8hBz3c\n")
		}},
	}
}

// secondServer adds a storage server with a database of its own.
func (v *variation) secondServer() {
	v.t.Helper()
	text := v.read(mainFile)
	start := strings.Index(text, "  kopano_server:\n")
	end := start + strings.Index(text[start:], "\n\n") + 2
	second := strings.NewReplacer(
		"kopano_server:\n", "kopano_server_2:\n",
		"hostname: kopano_server\n", "hostname: kopano_server_2\n",
		"_server\n", "_server_2\n",
		"SERVER_NAME: Kopano\n", "SERVER_NAME: node2\n      KCCONF_SERVER_SEARCH_ENABLED: \"no\"\n",
		"MYSQL_HOST: ${MYSQL_HOST}", "MYSQL_HOST: db_2",
		"kopanodata:", "kopanodata_2:",
		"kopanosocket:", "kopanosocket_2:",
		"      - kopano_ssl\n", "      - kopano_ssl\n      - db_2\n      - ldap\n",
		"    networks:\n", "    networks:\n      - ldap-net\n",
		"    env_file:\n      - kopano_server.env\n", "",
	).Replace(text[start:end])
	text = text[:end] + second + text[end:]
	for _, node := range []string{"node1", "node2"} {
		old := map[string]string{"node1": "Kopano", "node2": "node2"}[node]
		text = strings.Replace(text, "      KCCONF_SERVER_SERVER_NAME: "+old+"\n", "      KCCONF_SERVER_SERVER_NAME: "+node+"\n      KCCONF_SERVER_ENABLE_DISTRIBUTED_KOPANO: \"yes\"\n", 1)
	}
	text = strings.Replace(text, "  kopanodata:\n", "  kopanodata:\n  kopanodata_2:\n  kopanosocket_2:\n", 1)
	v.write(mainFile, text)
	db := v.read(dbFile)
	start = strings.Index(db, "  db:\n")
	end = start + strings.Index(db[start:], "\n\n") + 2
	other := strings.NewReplacer("  db:\n", "  db_2:\n", "_db\n", "_db_2\n", "mysql:/", "mysql_2:/").Replace(db[start:end])
	v.write(dbFile, strings.Replace(db[:end]+other+db[end:], "  mysql:\n", "  mysql:\n  mysql_2:\n", 1))
}
