package checks

// All gives the live check of every link that has one, by the link's ID
// (kopano.Link.ID). Links that are not in it are reported as not checked.
func All() map[string]Check {
	return map[string]Check{
		"server-database": CheckMariaDB,

		"server-ldap":                CheckLDAP,
		"mail-ldap":                  CheckLDAP,
		"mail-ldap-login":            CheckLDAP,
		"password-self-service-ldap": CheckLDAP,
		"konnect-ldap":               CheckLDAP,
		"grapi-ldap":                 CheckLDAP,
		"ldap-admin-ldap":            CheckLDAP,
		"ldap-account-manager-ldap":  CheckLDAP,
		"client-ldap":                CheckLDAP,

		"mail-dagent": CheckLMTP,

		"client-web":        CheckWebCertificate,
		"client-server-tls": CheckServerCertificate,
		"server-ssl":        CheckSSLFiles,
		"konnect-ssl":       CheckSSLFiles,
		"kapi-ssl":          CheckSSLFiles,
		"kwmserver-ssl":     CheckSSLFiles,
		"dagent-ssl":        CheckSSLFiles,
		"spooler-ssl":       CheckSSLFiles,
		"monitor-ssl":       CheckSSLFiles,
		"search-ssl":        CheckSSLFiles,
		"spamd-ssl":         CheckSSLFiles,
		"gateway-ssl":       CheckSSLFiles,
		"ical-ssl":          CheckSSLFiles,

		// Only where the link is told to use https; a socket has no certificate.
		"webapp-server":  CheckServerCertificate,
		"zpush-server":   CheckServerCertificate,
		"kdav-server":    CheckServerCertificate,
		"gateway-server": CheckServerCertificate,
		"ical-server":    CheckServerCertificate,

		"server-issuer":         CheckIssuer,
		"webapp-issuer":         CheckIssuer,
		"kapi-issuer":           CheckIssuer,
		"kwmserver-issuer":      CheckIssuer,
		"kwmbridge-issuer":      CheckIssuer,
		"grapi-explorer-issuer": CheckIssuer,
		"web-konnect":           CheckKonnect,

		"web-kwmserver":  CheckSignalling,
		"meet-kwmserver": CheckSignalling,
	}
}
