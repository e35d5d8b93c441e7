// Package kopano is the catalogue: what the containers of a Kopano deployment
// are, and which links hold them together. It is data that a person can read
// from top to bottom, and the little code that finds it in a deployment.
package kopano

// Role is what a service does, whatever it is called.
type Role string

// The roles. The comment names the service that plays the role in kopano-docker.
const (
	Unknown            Role = ""                      // a service that the catalogue does not know
	Web                Role = "web"                   // web
	LDAP               Role = "ldap"                  // ldap
	LDAPAdmin          Role = "ldap-admin"            // ldap-admin
	PasswordSelf       Role = "password-self-service" // password-self-service
	LDAPAccountManager Role = "ldap-account-manager"  // ldap-account-manager
	Mail               Role = "mail"                  // mail
	Database           Role = "database"              // db
	SSL                Role = "ssl"                   // kopano_ssl
	Server             Role = "server"                // kopano_server
	Webapp             Role = "webapp"                // kopano_webapp
	ZPush              Role = "zpush"                 // kopano_zpush
	Grapi              Role = "grapi"                 // kopano_grapi
	Kapi               Role = "kapi"                  // kopano_kapi
	Kapps              Role = "kapps"                 // kopano_kapps
	Kdav               Role = "kdav"                  // kopano_kdav
	Dagent             Role = "dagent"                // kopano_dagent
	Spooler            Role = "spooler"               // kopano_spooler
	Gateway            Role = "gateway"               // kopano_gateway
	Ical               Role = "ical"                  // kopano_ical
	Monitor            Role = "monitor"               // kopano_monitor
	Search             Role = "search"                // kopano_search
	Spamd              Role = "spamd"                 // kopano_spamd
	Konnect            Role = "konnect"               // kopano_konnect
	Playground         Role = "playground"            // kopano_playground
	GrapiExplorer      Role = "grapi-explorer"        // kopano_grapi-explorer
	Kwmserver          Role = "kwmserver"             // kopano_kwmserver
	Kwmbridge          Role = "kwmbridge"             // kopano_kwmbridge
	Meet               Role = "meet"                  // kopano_meet
	Scheduler          Role = "scheduler"             // kopano_scheduler
	Owncloud           Role = "owncloud"              // owncloud

	// Ends of links that no service of the deployment plays.
	Client   Role = "client"   // a browser, phone or mail program outside
	External Role = "external" // a server outside the deployment
	Storage  Role = "storage"  // a volume or a folder of the host
)

// Layer groups the roles as a map of the deployment shows them.
type Layer string

// The layers, from the outside in.
const (
	LayerEntry     Layer = "entry"     // what clients reach first
	LayerApps      Layer = "apps"      // what people see
	LayerAPI       Layer = "api"       // what the apps call
	LayerIdentity  Layer = "identity"  // who somebody is
	LayerCore      Layer = "core"      // the mail store and its helpers
	LayerMail      Layer = "mail"      // mail in and out
	LayerData      Layer = "data"      // where everything is kept
	LayerOperation Layer = "operation" // jobs, certificates, administration
)

// System is what the catalogue knows of a role.
type System struct {
	Role      Role
	Service   string // the service's name in kopano-docker
	Title     string // a few words: "storage server"
	Does      string // what a person gets from it, one sentence
	Layer     Layer
	Images    []string // last path elements of image names that play the role, without tag: "kopano_webapp"
	Start     string   // SERVICE_TO_START value that makes a kopano_core image play the role
	Section   string   // KCCONF_<Section>_… settings that the service reads, in lower case: "server"
	Listens   []Listener
	Volumes   []Mount // state that must outlive the container
	ReadsSSL  bool    // needs files of kopano_ssl
	MachineID bool    // its start script waits for /etc/machine-id and /var/lib/dbus/machine-id
	OneShot   bool    // runs once and exits 0 by design
	Source    string  // where the facts are from
}

// Listener is an address on which a system waits for others.
type Listener struct {
	Name     string // "soap", "lmtp" …, unique within the system
	Protocol Protocol
	Setting  string // environment key that holds the listen address; "" when it is fixed
	Form     Form   // how Setting is written
	Default  string // what holds when Setting is absent, in the same form: "*%lo:236", "0.0.0.0:8777", "file:///var/run/kopano/server.sock"; "" when it then does not listen
	Port     int    // the usual port, 0 for sockets
	Flag     string // command line option that changes the port: "--port"
	ByImage  []ImageListener
}

// ImageListener is where one image listens unlike the others of its role.
type ImageListener struct {
	Image   string // last two path elements: "bitnami/openldap"
	Setting string // environment key that holds the port alone
	Default string
	Port    int
}

// Mount is a path inside a container that must be a volume.
type Mount struct {
	Path  string
	Holds string // what is lost with it: "the mails' attachments"
}

// Protocol is what a link speaks.
type Protocol string

// The protocols of the catalogue.
const (
	ProtoLDAP   Protocol = "ldap"
	ProtoMySQL  Protocol = "mysql"
	ProtoHTTP   Protocol = "http"
	ProtoHTTPS  Protocol = "https"
	ProtoSOAP   Protocol = "soap" // HTTP that carries kopano_server's calls
	ProtoOIDC   Protocol = "oidc" // discovery and keys over HTTPS
	ProtoLMTP   Protocol = "lmtp"
	ProtoSMTP   Protocol = "smtp"
	ProtoIMAP   Protocol = "imap"
	ProtoPOP3   Protocol = "pop3"
	ProtoSocket Protocol = "unix" // a unix socket in a shared volume
	ProtoFile   Protocol = "file" // a file in a shared volume
	ProtoWS     Protocol = "websocket"
	ProtoTURN   Protocol = "turn"
	ProtoDocker Protocol = "docker" // the engine's socket
	ProtoUDP    Protocol = "udp"
	ProtoLocal  Protocol = "local" // a program that runs inside the same container
)

// Form is how a setting writes an address.
type Form string

// The forms.
const (
	FormURI    Form = "uri"    // scheme://host:port/…; a list separated by blanks is allowed
	FormHost   Form = "host"   // host alone, or host:port
	FormLMTP   Form = "lmtp"   // lmtp:host:port, or lmtp:unix:path (Postfix transport)
	FormAny    Form = "any"    // a URI, or a host alone, or host:port: docker-mailserver takes all three before its release 13
	FormGo     Form = "go"     // a listen address as Go's net.Listen reads it: 0.0.0.0:8777, :8777, localhost:8777
	FormRange  Form = "range"  // from:to, ports
	FormListen Form = "listen" // addr:port as kopano-core reads it: 0.0.0.0:236, *:236, *%lo:236, [::]:236, unix:/path; a list separated by blanks
	FormPath   Form = "path"   // a path, with or without file://
)
