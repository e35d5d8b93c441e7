package rules

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// databaseRules are about the settings of the database and of what
// kopano_server keeps in it or beside it.
func databaseRules() []Rule {
	return []Rule{
		{
			ID: "database-root-password-missing", Subject: "database", Severity: finding.Warning,
			Title: "The database has no password for root",
			Why: "The images of MariaDB and MySQL fill an empty volume only when they are told a password for root, or expressly that there is to be none. " +
				"Otherwise they stop: \"Database is uninitialized and password option is not specified\". On a filled volume nobody notices.",
			Source: "MariaDB and MySQL images, docker-entrypoint.sh; kopano-docker setup.sh",
			Check:  databaseRootPassword,
		},
		{
			ID: "database-setting-misspelt", Fixable: true, Subject: "database", Severity: finding.Warning,
			Title:  "A setting of the database is misspelt",
			Why:    "The image's start script reads a handful of names and passes over all others without a word.",
			Source: "MariaDB and MySQL images, docker-entrypoint.sh; MariaDB/mariadb-docker (the names MARIADB_… came with 10.2.38, 10.3.29, 10.4.19 and 10.5.10)",
			Check:  databaseSetting,
		},
		{
			ID: "database-user-incomplete", Subject: "database", Severity: finding.Warning,
			Title:  "The database makes no user for kopano_server, or one that has no database",
			Why:    "The image makes a user only when both MYSQL_USER and MYSQL_PASSWORD are set, and gives it MYSQL_DATABASE, the one database that it makes.",
			Source: "MariaDB and MySQL images, docker-entrypoint.sh",
			Check:  databaseUserHalf,
		},
		{
			ID: "database-engine", Subject: "database", Severity: finding.Error,
			Title:  "Kopano's tables are to be kept by another engine than InnoDB",
			Why:    "kopano_server makes its tables with the engine in mysql_engine, looks at its start whether all of them are InnoDB, and stops when one is not: the others have no transactions.",
			Source: "kopano-core provider/server/ECServer.cpp",
			Check:  databaseEngine,
		},
		{
			ID: "database-not-listening", Subject: "database", Severity: finding.Error,
			Title:  "The database is told to listen to nobody else",
			Why:    "With skip-networking, or bind-address on the loopback, it answers inside its own container only, and kopano_server is in another.",
			Source: "MariaDB Server system variables bind_address, skip_networking",
			Check:  databaseDeaf,
		},
		{
			ID: "database-limit-low", Subject: "database", Severity: finding.Warning,
			Title:  "A limit of the database is too low for Kopano",
			Why:    "kopano_server wants max_allowed_packet of 16 MB, and does not start with a thread_stack below 256 kB while its SQL procedures are on, which they are by default.",
			Source: "kopano-core provider/server/ECServer.cpp, provider/libserver/database.cpp",
			Check:  databaseLimits,
		},
		{
			ID: "attachments-s3-unused", Subject: "database", Severity: finding.Warning,
			Title:  "An S3 store is described, but attachments are not kept there",
			Why:    "kopano_server looks at the attachment_s3_ settings only with attachment_storage=s3. With auto it goes on as the installation began, and a new one begins with files.",
			Source: "kopano-core provider/server/ECServer.cpp, provider/libserver/ECAttachmentStorage.cpp",
			Check:  attachmentsS3Unused,
		},
	}
}

// isOfficialDatabase reports whether a service is a database whose start script is known.
// Images of the same name by others read other settings.
func isOfficialDatabase(in *Input, s *deployment.Service) bool {
	path := strings.TrimPrefix(strings.TrimPrefix(kopano.ParseImage(s.Image).Path, "docker.io/"), "library/")
	return in.Topology.Role(s) == kopano.Database && slices.Contains([]string{"mariadb", "mysql", "percona"}, path)
}

// databaseSettings are the names that the start scripts of the official images
// read, without MYSQL_ or MARIADB_ in front.
var databaseSettings = []string{
	"ROOT_PASSWORD", "ROOT_PASSWORD_FILE", "ROOT_PASSWORD_HASH", "ROOT_PASSWORD_HASH_FILE", "ROOT_HOST", "ALLOW_EMPTY_PASSWORD", "ALLOW_EMPTY_ROOT_PASSWORD",
	"RANDOM_ROOT_PASSWORD", "ONETIME_PASSWORD", "DATABASE", "DATABASE_FILE", "USER", "USER_FILE", "PASSWORD", "PASSWORD_FILE", "PASSWORD_HASH", "PASSWORD_HASH_FILE",
	"CHARSET", "COLLATION", "INITDB_SKIP_TZINFO", "AUTO_UPGRADE", "DISABLE_UPGRADE_BACKUP", "LOCALHOST_USER", "LOCALHOST_GRANTS", "HEALTHCHECK_GRANTS",
	"REPLICATION_USER", "REPLICATION_PASSWORD", "REPLICATION_PASSWORD_FILE", "MASTER_HOST", "MASTER_PORT",
}

// databaseAliases are what people write for some of them.
var databaseAliases = map[string]string{
	"DB": "DATABASE", "DBNAME": "DATABASE", "DB_NAME": "DATABASE", "DATABASE_NAME": "DATABASE", "NAME": "DATABASE",
	"PASS": "PASSWORD", "PASSWD": "PASSWORD", "PW": "PASSWORD", "USER_PASSWORD": "PASSWORD", "DB_PASSWORD": "PASSWORD",
	"USERNAME": "USER", "DB_USER": "USER", "ROOT_PASS": "ROOT_PASSWORD", "ROOT_PASSWD": "ROOT_PASSWORD", "ROOT_PW": "ROOT_PASSWORD", "ROOTPASSWORD": "ROOT_PASSWORD",
}

// databaseHas gives the value of a setting of the database under one of its
// two names, its _FILE or its _HASH.
func databaseHas(s *deployment.Service, name string) (deployment.Value, bool) {
	var empty *deployment.Value
	for _, prefix := range []string{"MYSQL_", "MARIADB_"} {
		for _, suffix := range []string{"", "_FILE", "_HASH", "_HASH_FILE"} {
			v, ok := s.Get(prefix + name + suffix)
			if ok && (v.Reveal() != "" || (sighting{s, v}).unset()) { // what is unset is unset-variable's
				return v, true
			}
			if ok && empty == nil {
				empty = &v
			}
		}
	}
	if empty != nil {
		return *empty, false
	}
	return deployment.Value{}, false
}

func databaseRootPassword(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Database) {
		if !isOfficialDatabase(in, s) || isFragment(s) || lacksEnvFile(in, s) {
			continue
		}
		told := false
		for _, name := range []string{"ROOT_PASSWORD", "ALLOW_EMPTY_PASSWORD", "ALLOW_EMPTY_ROOT_PASSWORD", "RANDOM_ROOT_PASSWORD"} {
			_, has := databaseHas(s, name)
			told = told || has
		}
		if told || misspeltFor(in, s, "ROOT_PASSWORD") {
			continue
		}
		f := finding.Finding{
			Subject: s.Name, Key: "MYSQL_ROOT_PASSWORD", Links: linksTo(in, s),
			Message:     "MYSQL_ROOT_PASSWORD is not set on " + s.Name + ".",
			Consequence: "On an empty volume the database stops at its first start: no mail, no calendar, no login. The administrator meets that at the latest when a backup is restored.",
			Remedy:      "Set MYSQL_ROOT_PASSWORD on " + s.Name + ". With a database outside, take docker-compose.db.yml out of COMPOSE_FILE.",
			Locations:   []finding.Location{s.Locate("environment").As(finding.Fix)},
		}
		if v, _ := databaseHas(s, "ROOT_PASSWORD"); v.Key != "" {
			f.Message = (sighting{s, v}).name() + " is empty, and " + s.Name + " wants a password for root."
			f.Locations = v.Locations()
		}
		out = append(out, f)
	}
	return out
}

// meantSetting gives the setting of the database that a name was meant to be.
func meantSetting(key string) (string, bool) {
	for _, prefix := range []string{"MYSQL_", "MARIADB_"} {
		name, ok := strings.CutPrefix(strings.ToUpper(key), prefix)
		if !ok || slices.Contains(databaseSettings, name) {
			continue
		}
		if meant, ok := databaseAliases[name]; ok {
			return prefix + meant, true
		}
		if meant, ok := nearestOf(name, databaseSettings); ok {
			return prefix + meant, true
		}
	}
	return "", false
}

// misspeltFor reports whether a setting is there under a name that is not read.
func misspeltFor(in *Input, s *deployment.Service, name string) bool {
	return slices.ContainsFunc(s.Keys(), func(key string) bool {
		if meant, ok := meantSetting(key); ok && strings.HasSuffix(meant, "_"+name) {
			return true
		}
		return key == "MARIADB_"+name && tooOldForPrefix(s.Image)
	})
}

// tooOldForPrefix reports whether a database's image reads MYSQL_… only.
func tooOldForPrefix(image string) bool {
	if kopano.ParseImage(image).Is("mysql", "percona") {
		return true
	}
	tag, _, _ := strings.Cut(tagOf(image), "-")
	parts := strings.Split(tag, ".")
	if len(parts) != 3 {
		return false // the last patch release of a series, or one that cannot be told
	}
	patch, err := strconv.Atoi(parts[2])
	first, known := map[string]int{"10.0": 9999, "10.1": 9999, "10.2": 38, "10.3": 29, "10.4": 19, "10.5": 10}[parts[0]+"."+parts[1]]
	return known && err == nil && patch < first
}

// firstStartOnly reminds of what the settings of the database are good for.
const firstStartOnly = " It counts for an empty volume only; a filled one keeps what it has."

func databaseSetting(in *Input) []finding.Finding {
	want := func(s *deployment.Service, key string) bool { return isOfficialDatabase(in, s) }
	return judge(in, want, func(x sighting) *verdict {
		v := &verdict{key: true, consequence: "Where the volume is still empty, the database is made without it: kopano_server cannot log in, and nobody reads mail."}
		key := x.value.Key
		if name, ok := strings.CutPrefix(key, "MARIADB_"); ok && slices.Contains(databaseSettings, name) && tooOldForPrefix(x.service.Image) {
			if has(x.service, "MYSQL_"+name) {
				return nil
			}
			v.message = key + " is not read by the image " + quote(x.service.Image) + ", which knows MYSQL_" + name + " only."
			v.remedy, v.rename = "Write MYSQL_"+name+" in its place."+firstStartOnly, "MYSQL_"+name
			return v
		}
		meant, ok := meantSetting(key)
		if !ok || has(x.service, meant) {
			return nil
		}
		v.message = key + " is not read by the image; the setting is called " + meant + "."
		v.remedy, v.rename = "Write "+meant+" in its place."+firstStartOnly, meant
		return v
	})
}

func databaseUserHalf(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Database) {
		if !isOfficialDatabase(in, s) || isFragment(s) || lacksEnvFile(in, s) {
			continue
		}
		user, hasUser := databaseHas(s, "USER")
		password, hasPassword := databaseHas(s, "PASSWORD")
		if hasUser && user.Reveal() == "root" {
			continue // database-user-root
		}
		if hasUser == hasPassword {
			if f := databaseUserAbsent(in, s, hasUser); f != nil {
				out = append(out, *f)
			}
			continue
		}
		there, missing, empty := user, "MYSQL_PASSWORD", password
		if hasPassword {
			there, missing, empty = password, "MYSQL_USER", user
		}
		if misspeltFor(in, s, strings.TrimPrefix(missing, "MYSQL_")) {
			continue
		}
		f := finding.Finding{
			Subject: s.Name, Key: missing, Links: linksTo(in, s),
			Message:     there.Key + " is set on " + s.Name + ", but " + missing + " is not: the image makes no user.",
			Consequence: "Where the volume is still empty, kopano_server cannot log in to the database: no mail, no calendar, no login.",
			Remedy:      "Set " + missing + " on " + s.Name + " as well: what kopano_server has in KCCONF_SERVER_" + missing + ".",
			Locations:   there.Locations(),
		}
		if empty.Key != "" {
			f.Locations = append(empty.Locations(), placed(there, finding.Related)...)
		}
		f.Locations = distinct(f.Locations)
		out = append(out, f)
	}
	return out
}

// databaseUserAbsent looks at a database that makes no user, or a user without
// a database, although kopano_server logs in as one. Scripts of somebody's own
// may make both.
func databaseUserAbsent(in *Input, s *deployment.Service, hasUser bool) *finding.Finding {
	_, hasDatabase := databaseHas(s, "DATABASE")
	if hasUser && hasDatabase || mountUnder(s, "/docker-entrypoint-initdb.d") || misspeltFor(in, s, "USER") || misspeltFor(in, s, "PASSWORD") || misspeltFor(in, s, "DATABASE") {
		return nil
	}
	for _, e := range in.Topology.EdgesOf("server-database") {
		user, ok := e.From.Get("KCCONF_SERVER_MYSQL_USER")
		if e.To != s || !ok || user.Reveal() == "root" || user.Reveal() == "" || (sighting{e.From, user}).unresolved() {
			continue
		}
		f := &finding.Finding{
			Subject: s.Name, Key: "MYSQL_USER", Links: []string{e.ID},
			Message:     e.From.Name + " logs in as " + quote(user.Reveal()) + ", but " + s.Name + " is told of no user.",
			Consequence: "Unless somebody made the user by hand, kopano_server cannot log in to the database: no mail, no calendar, no login.",
			Remedy:      "Set MYSQL_USER, MYSQL_PASSWORD and MYSQL_DATABASE on " + s.Name + " to what " + e.From.Name + " has in KCCONF_SERVER_MYSQL_USER, _PASSWORD and _DATABASE." + firstStartOnly,
			Locations:   append([]finding.Location{s.Locate("environment").As(finding.Fix)}, placed(user, finding.Related)...),
		}
		if hasUser {
			f.Key = "MYSQL_DATABASE"
			f.Message = "MYSQL_DATABASE is not set on " + s.Name + ", so that the user of MYSQL_USER may do nothing in any database."
			f.Consequence = "Unless somebody made the database by hand, kopano_server finds none and does not start: no mail, no calendar, no login."
			f.Remedy = "Set MYSQL_DATABASE on " + s.Name + " to what " + e.From.Name + " has in KCCONF_SERVER_MYSQL_DATABASE." + firstStartOnly
		}
		return f
	}
	return nil
}

// mountUnder reports whether something is mounted at a folder or in it.
func mountUnder(s *deployment.Service, folder string) bool {
	if mountOver(s, folder) != "" {
		return true
	}
	return slices.ContainsFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool { return under(v.Target, folder) }) ||
		slices.ContainsFunc(s.Configs, func(c types.ServiceConfigObjConfig) bool { return under(c.Target, folder) })
}

func databaseEngine(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Server, "KCCONF_SERVER_MYSQL_ENGINE"), func(x sighting) *verdict {
		if strings.EqualFold(x.text(), "InnoDB") || x.text() == "" {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ", and Kopano's tables belong into InnoDB.",
			consequence: "kopano_server stops at a start after it has made a table with it: no mail, no calendar, no login.",
			remedy:      "Delete " + x.name() + ". Tables that were made with it are changed by ALTER TABLE … ENGINE=InnoDB.",
		}
	})
}

// flag is an option on a server's command line.
type flag struct {
	name, value string
	at          finding.Location
}

// databaseFlags gives the options that a database is started with: of
// --max_allowed_packet=1M the name max-allowed-packet and the value 1M.
func databaseFlags(s *deployment.Service) []flag {
	var out []flag
	for i := 0; i < len(s.Command); i++ {
		word, ok := strings.CutPrefix(s.Command[i], "--")
		if !ok {
			continue
		}
		at := s.Locate("command", strconv.Itoa(i))
		name, text, whole := strings.Cut(word, "=")
		if !whole && i+1 < len(s.Command) && !strings.HasPrefix(s.Command[i+1], "-") {
			i++
			text = s.Command[i]
		}
		out = append(out, flag{strings.ReplaceAll(name, "_", "-"), text, at})
	}
	return out
}

func databaseDeaf(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Database) {
		if len(linksTo(in, s)) == 0 || s.NetworkMode == "host" {
			continue
		}
		for _, f := range databaseFlags(s) {
			loopback := f.name == "bind-address" && (f.value == "127.0.0.1" || f.value == "localhost" || f.value == "::1")
			off := f.name == "skip-networking" && f.value != "0" && !strings.EqualFold(f.value, "off")
			if !loopback && !off {
				continue
			}
			out = append(out, finding.Finding{
				Subject: s.Name, Key: f.name, Links: linksTo(in, s),
				Message:     s.Name + " is started with --" + strings.TrimSuffix(f.name+"="+f.value, "=") + ": it listens inside its own container only.",
				Consequence: "kopano_server does not reach the database and does not start: no mail, no calendar, no login.",
				Remedy:      "Delete --" + f.name + " from the command of " + s.Name + ". Without ports the database is not open to others anyway.",
				Locations:   []finding.Location{f.at.As(finding.Fix)},
			})
		}
	}
	return out
}

// databaseMinimum are the limits that kopano_server checks, in bytes
// (database.hpp, ECServer.cpp), and what breaks below them.
var databaseMinimum = map[string]struct {
	least    int64
	good     string
	severity finding.Severity
	breaks   string
}{
	"max-allowed-packet": {16776192, "16M", finding.Warning, "Large entries of mailboxes cannot be written: users get errors when they save or receive such a mail."},
	"thread-stack":       {262144, "256K", finding.Error, "kopano_server does not start: no mail, no calendar, no login."},
}

func databaseLimits(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Database) {
		for _, f := range databaseFlags(s) {
			limit, known := databaseMinimum[f.name]
			bytes, ok := sizeOf(f.value)
			if !known || !ok || bytes >= limit.least || f.name == "thread-stack" && proceduresOff(in) {
				continue
			}
			out = append(out, finding.Finding{
				Severity: limit.severity, Subject: s.Name, Key: f.name, Links: linksTo(in, s),
				Message:     s.Name + " is started with --" + f.name + "=" + f.value + ", and Kopano needs " + limit.good + " or more.",
				Consequence: limit.breaks,
				Remedy:      "Write --" + f.name + "=" + limit.good + ", or delete the option.",
				Locations:   []finding.Location{f.at.As(finding.Fix)},
			})
		}
	}
	return out
}

// proceduresOff reports whether no storage server uses SQL procedures.
func proceduresOff(in *Input) bool {
	for _, s := range in.Topology.Services(kopano.Server) {
		switch value(s, "KCCONF_SERVER_ENABLE_SQL_PROCEDURES") {
		case "no", "false", "0":
		default:
			return false
		}
	}
	return true
}

// sizeOf reads a size as the database does: bytes, or a number with K, M or G.
func sizeOf(text string) (int64, bool) {
	unit := int64(1)
	if n := len(text); n > 0 {
		switch text[n-1] {
		case 'k', 'K':
			unit = 1 << 10
		case 'm', 'M':
			unit = 1 << 20
		case 'g', 'G':
			unit = 1 << 30
		}
		if unit > 1 {
			text = text[:n-1]
		}
	}
	n, err := strconv.ParseInt(text, 10, 40)
	return n * unit, err == nil
}

func attachmentsS3Unused(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Server) {
		if value(s, "KCCONF_SERVER_ATTACHMENT_STORAGE") == "s3" {
			continue
		}
		var set []deployment.Value
		for _, key := range s.Keys() {
			if v := s.Env[key]; strings.HasPrefix(key, "KCCONF_SERVER_ATTACHMENT_S3_") && v.Reveal() != "" {
				set = append(set, v)
			}
		}
		storage, given := s.Get("KCCONF_SERVER_ATTACHMENT_STORAGE")
		if len(set) == 0 || given && (sighting{s, storage}).unresolved() {
			continue
		}
		is, severity := "is not set: a new installation keeps its attachments in files", finding.Info
		switch kind := strings.TrimSpace(storage.Reveal()); {
		case kind == "auto":
			is = "is auto: a new installation keeps its attachments in files"
		case kind != "":
			is, severity = "is "+(sighting{s, storage}).shown(), finding.Warning
		}
		f := finding.Finding{
			Severity: severity, Subject: s.Name, Key: "KCCONF_SERVER_ATTACHMENT_STORAGE",
			Message:     counted(len(set), "setting describes", "settings describe") + " an S3 store, but KCCONF_SERVER_ATTACHMENT_STORAGE " + is + ".",
			Consequence: "The administrator takes the attachments to be in the S3 store, whereas users' attachments fill the disk of this host.",
			Remedy:      "Write KCCONF_SERVER_ATTACHMENT_STORAGE=s3 on " + s.Name + " if it is new. If it holds mail already, move the attachments first, or delete the S3 settings.",
			Locations:   set[0].Locations(),
		}
		if given {
			f.Locations = storage.Locations()
		}
		for _, v := range set {
			f.Locations = append(f.Locations, placed(v, finding.Related)...)
		}
		f.Locations = distinct(f.Locations)
		out = append(out, f)
	}
	return out
}

// lacksEnvFile reports whether an env file of a service is missing, so that
// nobody can say what is set.
func lacksEnvFile(in *Input, s *deployment.Service) bool {
	return slices.ContainsFunc(in.Deployment.Problems, func(p deployment.Problem) bool {
		return p.Kind == deployment.EnvFileMissing && (p.Subject == s.Name || slices.ContainsFunc(s.EnvFiles, func(f types.EnvFile) bool {
			return path.Base(f.Path) == path.Base(p.Key)
		}))
	})
}
