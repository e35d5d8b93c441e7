package kopano

// MailserverChange is a setting of docker-mailserver that a major release
// renamed, removed or reads differently.
type MailserverChange struct {
	Variable    string
	Changed     int // the first major release that reads it differently; 0: none does
	Deprecated  int // … that warns about it
	Removed     int // … that no longer knows it
	Replacement string
	Note        string // what changed, and what to do
}

// MailserverChanges is from docker-mailserver's CHANGELOG.md.
var MailserverChanges = []MailserverChange{
	{Variable: "DMS_DEBUG", Removed: 11, Replacement: "LOG_LEVEL", Note: "DMS_DEBUG=1 is now LOG_LEVEL=debug"},
	{Variable: "PERMIT_DOCKER", Changed: 11, Note: "without it no other container may send mail through this one; before 11 they all could"},
	{Variable: "ENABLE_LDAP", Deprecated: 12, Removed: 13, Replacement: "ACCOUNT_PROVISIONER", Note: "ENABLE_LDAP=1 is now ACCOUNT_PROVISIONER=LDAP"},
	{Variable: "LDAP_SERVER_HOST", Changed: 13, Note: "it must start with ldap://, ldaps:// or ldapi://"},
	{Variable: "SASLAUTHD_LDAP_SERVER", Changed: 13, Note: "it must start with ldap://, ldaps:// or ldapi://"},
	{Variable: "DOVECOT_URIS", Changed: 13, Note: "it must start with ldap://, ldaps:// or ldapi://"},
	{Variable: "SASLAUTHD_LDAP_SSL", Removed: 10, Replacement: "SASLAUTHD_LDAP_SERVER", Note: "put ldaps:// before the server instead"},
	{Variable: "ONE_DIR", Changed: 10, Removed: 14, Note: "everything is in one folder by default since 10.2; from 14 on it cannot be otherwise"},
	{Variable: "SA_SPAM_SUBJECT", Deprecated: 14, Replacement: "SPAM_SUBJECT"},
	{Variable: "SASLAUTHD_MECHANISMS", Changed: 15, Note: "only ldap and rimap are left"},
}

// MailserverMajor gives the major release of a docker-mailserver image: 10 for
// "mailserver/docker-mailserver:10.5.0" and "tvial/docker-mailserver:release-v10".
// ok is false for other images, and for tags such as latest that tell no
// release. An image kept elsewhere counts by its last path element.
func MailserverMajor(image string) (major int, ok bool) {
	i := ParseImage(image)
	if !i.Is("docker-mailserver") {
		return 0, false
	}
	return i.Major()
}
