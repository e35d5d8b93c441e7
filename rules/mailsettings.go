package rules

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// mailSettingRules are about names and values of docker-mailserver's settings.
func mailSettingRules() []Rule {
	return []Rule{
		{
			ID: "mail-setting-misspelt", Fixable: true, Subject: "mail", Severity: finding.Warning,
			Title:  "A setting of docker-mailserver is misspelt",
			Why:    "docker-mailserver reads the names that it knows and passes over all others without a word.",
			Source: "docker-mailserver environment.md",
			Check:  mailMisspelt,
		},
		{
			ID: "mail-switch-word", Fixable: true, Subject: "mail", Severity: finding.Warning,
			Title:  "A switch of docker-mailserver is on with another word than 1",
			Why:    "docker-mailserver's scripts ask whether a switch equals the number 1. In such a comparison yes, true and on are 0, so that the switch is off.",
			Source: "docker-mailserver target/scripts/start-mailserver.sh",
			Check:  mailSwitch,
		},
		{
			ID: "mail-word-unknown", Fixable: true, Subject: "mail", Severity: finding.Warning,
			Title:  "A setting of docker-mailserver has a word that it does not know",
			Why:    "Some settings take one of a few words. With another one docker-mailserver leaves the setting out, hands it to a program that does not start with it, or stops.",
			Source: "docker-mailserver environment.md; postconf(5)",
			Check:  mailWord,
		},
		{
			ID: "mail-size-invalid", Fixable: true, Subject: "mail", Severity: finding.Error,
			Title:  "A size limit of the mail server is not a number of bytes",
			Why:    "Postfix takes message_size_limit and mailbox_size_limit as plain bytes; with 50M each of its programs ends with \"bad numerical configuration\".",
			Source: "postconf(5), message_size_limit; docker-mailserver environment.md",
			Check:  mailSize,
		},
		{
			ID: "mail-spam-thrown-away", Fixable: true, Subject: "mail", Severity: finding.Warning,
			Title:  "Mail that is taken for spam is thrown away",
			Why:    "With ENABLE_SPAMASSASSIN=1 docker-mailserver keeps spam back, in a folder of the container that nobody sees, unless SPAMASSASSIN_SPAM_TO_INBOX is 1. Later releases have that as the default.",
			Source: "docker-mailserver environment.md of release 10, SPAMASSASSIN_SPAM_TO_INBOX",
			Check:  mailSpamLost,
		},
		{
			ID: "mail-state-elsewhere", Fixable: true, Subject: "mail", Severity: finding.Warning,
			Title:  "The mail server does not keep its state on the volume for it",
			Why:    "Only with ONE_DIR=1, which is the default since 10.2, does docker-mailserver put its queue, its spam filter and its bans below /var/mail-state.",
			Source: "docker-mailserver environment.md, ONE_DIR; CHANGELOG 10.2 and 14.0",
			Check:  mailState,
		},
	}
}

// isMailserver reports whether a service runs docker-mailserver, of whatever release.
func isMailserver(in *Input, s *deployment.Service) bool {
	return in.Topology.Role(s) == kopano.Mail && kopano.ParseImage(s.Image).Is("docker-mailserver")
}

// onMailserver accepts settings of docker-mailserver by name.
func onMailserver(in *Input, keys ...string) func(*deployment.Service, string) bool {
	return func(s *deployment.Service, key string) bool {
		return (len(keys) == 0 || slices.Contains(keys, key)) && isMailserver(in, s)
	}
}

// mailLosses says what is lost without a setting. Those with vital are what
// mail cannot do without.
var mailLosses = map[string]struct {
	loss  string
	vital bool
}{
	"POSTFIX_DAGENT":                   {"Incoming mail does not reach the mailboxes.", true},
	"ENABLE_POSTFIX_VIRTUAL_TRANSPORT": {"Incoming mail does not reach the mailboxes.", true},
	"ENABLE_LDAP":                      {"The mail server runs without the directory: incoming mail is refused, since every recipient is unknown.", true},
	"ACCOUNT_PROVISIONER":              {"The mail server runs without the directory: incoming mail is refused, since every recipient is unknown.", true},
	"LDAP_SERVER_HOST":                 {"The mail server does not find the directory: incoming mail is refused.", true},
	"LDAP_SEARCH_BASE":                 {"The mail server finds no address in the directory: incoming mail is refused.", true},
	"LDAP_BIND_DN":                     {"The mail server may not search the directory: incoming mail is refused.", true},
	"LDAP_BIND_PW":                     {"The mail server may not search the directory: incoming mail is refused.", true},
	"LDAP_QUERY_FILTER_USER":           {"The mail server finds no user in the directory: incoming mail is refused.", true},
	"LDAP_QUERY_FILTER_DOMAIN":         {"The mail server does not know which domains are its own: incoming mail is refused.", true},
	"LDAP_QUERY_FILTER_GROUP":          {"Mail to groups is refused.", true},
	"LDAP_QUERY_FILTER_ALIAS":          {"Mail to aliases is refused.", true},
	"ENABLE_SASLAUTHD":                 {"Mail programs cannot log in to send mail.", true},
	"SASLAUTHD_MECHANISMS":             {"Mail programs cannot log in to send mail.", true},
	"SASLAUTHD_MECH_OPTIONS":           {"Mail programs cannot log in to send mail.", true},
	"PERMIT_DOCKER":                    {"The mail server may refuse what the spooler hands it: nobody can send mail to other domains.", false},
	"ENABLE_CLAMAV":                    {"Mail is not searched for viruses, and users get them.", false},
	"ENABLE_FAIL2BAN":                  {"Whoever tries passwords from outside is never shut out.", false},
	"ENABLE_SPAMASSASSIN":              {"Users get spam that was meant to be filtered.", false},
	"ENABLE_RSPAMD":                    {"Users get spam that was meant to be filtered.", false},
	"ENABLE_POSTGREY":                  {"Users get spam that was meant to be held off.", false},
	"ENABLE_DNSBL":                     {"Users get spam that was meant to be held off.", false},
	"SPAMASSASSIN_SPAM_TO_INBOX":       {"Mail that is taken for spam is thrown away; users never see what was wrongly judged.", false},
	"SPOOF_PROTECTION":                 {"Each user can send mail under the name of another.", false},
	"SMTP_ONLY":                        {"A second, empty IMAP server runs beside Kopano, and mail may end up there.", false},
	"SSL_TYPE":                         {"Mail and passwords of mail programs travel without encryption.", false},
	"POSTFIX_MESSAGE_SIZE_LIMIT":       {"Mail over 10 MB is refused, and users get it back.", false},
}

func mailLoss(name string) string {
	if l, ok := mailLosses[name]; ok {
		return l.loss
	}
	return "The setting has no effect; what the administrator wanted of the mail server does not happen."
}

// mailName gives the name that a misspelt one of docker-mailserver was meant to be.
func mailName(key string) (string, bool) {
	plain := strings.TrimSuffix(key, "__FILE") // a file that holds the value, since release 14
	if slices.Contains(kopano.MailserverSettings, plain) || isSettingKey(key) {
		return "", false
	}
	name, ok := nearestOf(plain, kopano.MailserverSettings)
	// Of capital and small letters another rule speaks.
	if !ok || strings.EqualFold(name, plain) {
		return "", false
	}
	// What they share up to a _ says nothing: ENABLE_SPF is not ENABLE_SRS.
	wrong, right := afterSharedWords(plain, name)
	_, near := nearestOf(wrong, []string{right})
	// TZ and its like are too short to be meant by anything else.
	return name, near && len(name) > 5
}

// afterSharedWords cuts the words off with which both names begin.
func afterSharedWords(a, b string) (string, string) {
	for {
		x, restA, ok := strings.Cut(a, "_")
		y, restB, also := strings.Cut(b, "_")
		if !ok || !also || x != y {
			return a, b
		}
		a, b = restA, restB
	}
}

func mailMisspelt(in *Input) []finding.Finding {
	fs := judge(in, onMailserver(in), func(x sighting) *verdict {
		name, ok := mailName(x.value.Key)
		if _, taken := x.service.Get(name); !ok || taken {
			return nil
		}
		v := &verdict{
			key:         true,
			message:     "docker-mailserver does not know " + x.value.Key + "; " + name + " was probably meant.",
			consequence: mailLoss(name),
			remedy:      "Rename it to " + name + ".",
			rename:      name,
		}
		if mailLosses[name].vital {
			v.severity = finding.Error
		}
		return v
	})
	// What the right name is needed for does not work.
	for i := range fs {
		if s, ok := in.Deployment.Service(fs[i].Subject); ok {
			name, _ := mailName(fs[i].Key)
			fs[i].Links = linksBy(in, s, name)
		}
	}
	return fs
}

// mailSwitches are the settings that docker-mailserver compares with 1, beside
// those that begin with ENABLE_.
var mailSwitches = []string{"SMTP_ONLY", "ONE_DIR", "SPOOF_PROTECTION", "SPAMASSASSIN_SPAM_TO_INBOX", "MOVE_SPAM_TO_JUNK", "MARK_SPAM_AS_READ", "FETCHMAIL_PARALLEL",
	"POSTFIX_REJECT_UNKNOWN_CLIENT_HOSTNAME", "RSPAMD_CHECK_AUTHENTICATED", "RSPAMD_GREYLISTING", "RSPAMD_HFILTER", "RSPAMD_LEARN", "RSPAMD_NEURAL"}

// switchedOn reports whether somebody means to switch something on, in other words than 1.
func switchedOn(text string) bool {
	return text != "1" && slices.Contains(meansYes, strings.ToLower(text))
}

func mailSwitch(in *Input) []finding.Finding {
	want := func(s *deployment.Service, key string) bool {
		known := strings.HasPrefix(key, "ENABLE_") && slices.Contains(kopano.MailserverSettings, key)
		return (known || slices.Contains(mailSwitches, key)) && isMailserver(in, s)
	}
	return judge(in, want, func(x sighting) *verdict {
		key := x.value.Key
		major, _ := mailRelease(in, x.service)
		// Of these two other rules speak, and ask for more than a 1.
		if !switchedOn(x.text()) || key == "ENABLE_POSTFIX_VIRTUAL_TRANSPORT" || key == "ENABLE_LDAP" && major >= 13 {
			return nil
		}
		v := &verdict{
			message:     x.name() + " is " + x.shown() + "; docker-mailserver wants 1, and takes any other word for no.",
			consequence: mailLoss(key),
			remedy:      "Write " + x.name() + "=1",
			write:       "1",
		}
		if mailLosses[key].vital {
			v.severity = finding.Error
		}
		return v
	})
}

// mailWords are the settings that take one of a few words. Where stops is set
// the mail server does not start with another one.
var mailWords = map[string]struct {
	words       []string
	since       int // the first release in which these are all
	severity    finding.Severity
	consequence string
}{
	"ACCOUNT_PROVISIONER":    {[]string{"FILE", "LDAP", "OIDC"}, 12, finding.Error, "The mail server does not start: no mail comes in or goes out."},
	"TLS_LEVEL":              {[]string{"modern", "intermediate"}, 0, finding.Warning, "The mail server stops at start, or goes on without a choice of ciphers; mail may stay away."},
	"POSTSCREEN_ACTION":      {[]string{"enforce", "drop", "ignore"}, 0, finding.Error, "postscreen, which answers on port 25, ends: no mail comes in."},
	"POSTFIX_INET_PROTOCOLS": {[]string{"all", "ipv4", "ipv6", "ipv4, ipv6", "ipv6, ipv4", "ipv4,ipv6"}, 0, finding.Error, "Postfix does not start: no mail comes in or goes out."},
	"FAIL2BAN_BLOCKTYPE":     {[]string{"drop", "reject"}, 0, finding.Warning, "Whoever tries passwords from outside may never be shut out."},
	"PFLOGSUMM_TRIGGER":      {[]string{"none", "daily_cron", "logrotate"}, 0, finding.Warning, "The administrator gets no report about the mail."},
	"LOGWATCH_INTERVAL":      {[]string{"none", "daily", "weekly"}, 0, finding.Warning, "The administrator gets no report about the logs."},
	"LOGROTATE_INTERVAL":     {[]string{"daily", "weekly", "monthly"}, 0, finding.Warning, "The mail log grows until the disk is full, and then no mail comes in."},
	"LOG_LEVEL":              {[]string{"error", "warn", "info", "debug", "trace"}, 11, finding.Info, "The mail server logs at level info, and the administrator does not see what was asked for."},
	"LDAP_START_TLS":         {[]string{"yes", "no"}, 0, finding.Error, "Postfix cannot ask the directory (\"bad boolean configuration\"): incoming mail is put off."},
	"SASLAUTHD_MECHANISMS":   {[]string{"ldap", "rimap", "pam", "shadow", "mysql"}, 0, finding.Error, "Mail programs cannot log in to send mail."},
}

func mailWord(in *Input) []finding.Finding {
	return judge(in, onMailserver(in, sorted(mailWords)...), func(x sighting) *verdict {
		w, text := mailWords[x.value.Key], x.text()
		major, known := mailRelease(in, x.service)
		switch {
		case text == "" || slices.Contains(w.words, text) || inQuotes(text) || w.since > 0 && (!known || major < w.since):
			return nil
		case x.value.Key == "SASLAUTHD_MECHANISMS" && (strings.Contains(text, " ") || known && major >= 15):
			return nil // a list, or another rule speaks of it
		}
		v := &verdict{
			severity:    w.severity,
			message:     x.name() + " is " + x.shown() + ", which docker-mailserver does not know.",
			consequence: w.consequence,
			remedy:      "Write one of " + strings.Join(w.words, ", ") + ".",
		}
		if word, ok := meantWord(text, w.words); ok {
			v.remedy, v.write = "Write "+x.name()+"="+word, word
		}
		return v
	})
}

// meantWord gives the one word that another was meant to be.
func meantWord(text string, words []string) (string, bool) {
	for _, w := range words {
		if strings.EqualFold(w, strings.TrimSpace(text)) {
			return w, true
		}
	}
	if slices.Contains(words, "yes") {
		switch {
		case text == "1" || switchedOn(text):
			return "yes", true
		case slices.Contains([]string{"0", "false", "off"}, strings.ToLower(text)):
			return "no", true
		}
	}
	return nearestOf(text, words)
}

func mailSize(in *Input) []finding.Finding {
	return judge(in, onMailserver(in, "POSTFIX_MESSAGE_SIZE_LIMIT", "POSTFIX_MAILBOX_SIZE_LIMIT"), func(x sighting) *verdict {
		text := x.text()
		if text == "" || wholeNumber.MatchString(text) || inQuotes(text) {
			return nil
		}
		v := &verdict{
			stops:       true,
			message:     x.name() + " is " + x.shown() + "; Postfix takes a number of bytes and nothing else.",
			consequence: "Postfix does not start: no mail comes in or goes out.",
			remedy:      "Write bytes, for 50 MB " + x.name() + "=52428800",
		}
		if n, ok := bytesOf(text); ok {
			v.write = strconv.FormatInt(n, 10)
			v.remedy = "Write " + x.name() + "=" + v.write
		}
		return v
	})
}

// bytesOf reads a size with a unit, as people write it: 512m, 2G, 25 MB, 1GiB.
func bytesOf(text string) (int64, bool) {
	m := longSize.FindStringSubmatch(text)
	if m == nil {
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil && n >= 0
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	shift := map[string]uint{"k": 10, "m": 20, "g": 30}[strings.ToLower(m[2])]
	if err != nil || n > 1<<62>>shift {
		return 0, false
	}
	return n << shift, true
}

func mailState(in *Input) []finding.Finding {
	return judge(in, onMailserver(in, "ONE_DIR"), func(x sighting) *verdict {
		major, known := mailRelease(in, x.service)
		if x.text() != "0" || known && major >= 14 || mountOver(x.service, "/var/mail-state") == "" {
			return nil
		}
		return &verdict{
			message:     x.name() + " is 0, and so nothing is put on the volume at /var/mail-state.",
			consequence: "With each update mails that wait to be sent are lost, and the spam filter forgets what it has learnt.",
			remedy:      "Write " + x.name() + "=1",
			write:       "1",
		}
	})
}

func mailSpamLost(in *Input) []finding.Finding {
	return judge(in, onMailserver(in, "ENABLE_SPAMASSASSIN"), func(x sighting) *verdict {
		const key = "SPAMASSASSIN_SPAM_TO_INBOX"
		v, set := x.service.Get(key)
		major, known := mailRelease(in, x.service)
		switch {
		case x.text() != "1" || misspeltAs(x.service, key) || value(x.service, "ENABLE_AMAVIS") == "0":
			return nil
		case v.Reveal() == "0":
		case v.Reveal() == "" && known && major >= 7 && major <= 10:
		default:
			return nil
		}
		f := &verdict{
			message:     key + " is not 1: mail that the spam filter takes for spam reaches nobody.",
			consequence: "Users never see mails that were wrongly judged, and their senders hear nothing.",
			remedy:      "Write " + key + "=1",
			here:        true,
			edits:       settle(in, x.service, key, "1"),
		}
		if set && v.Reveal() == "0" {
			f.severity = finding.Info // somebody wants it so
		}
		return f
	})
}
