package rules

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// limitRules are about how large a mail may be and how long something may
// take, at each station of its way.
func limitRules() []Rule {
	return []Rule{
		{
			ID: "mail-size-chain", Subject: "resources", Severity: finding.Info,
			Title:  "The mail server takes smaller mails than people can write",
			Why:    "WebApp and Z-Push take attachments up to 20 MB (post_max_size in their images), which become 27 MB in a mail. The mail server's limit is 10 MB unless POSTFIX_MESSAGE_SIZE_LIMIT says otherwise.",
			Source: "kopano-docker webapp/kopano-webapp.conf, zpush/kopano-z-push.conf; docker-mailserver environment.md, POSTFIX_MESSAGE_SIZE_LIMIT; RFC 2045, section 6.8",
			Check:  mailSizeChain,
		},
		{
			ID: "mail-size-unscanned", Subject: "resources", Severity: finding.Warning,
			Title:  "Large mails are not searched for viruses",
			Why:    "Mails over CLAMAV_MESSAGE_SIZE_LIMIT, 25 MB if nothing else is said, pass the virus scanner unseen.",
			Source: "docker-mailserver environment.md, CLAMAV_MESSAGE_SIZE_LIMIT",
			Check:  mailUnscanned,
		},
		{
			ID: "mailbox-smaller-than-mail", Subject: "resources", Severity: finding.Warning,
			Title:  "The limit for a mailbox is below that for one mail",
			Why:    "Postfix wants its mailbox_size_limit to be at least message_size_limit; its delivery programs end when it is not.",
			Source: "postconf(5), mailbox_size_limit and virtual_mailbox_limit",
			Check:  mailboxSmaller,
		},
		{
			ID: "imap-size-smaller", Subject: "resources", Severity: finding.Warning,
			Title:  "Mail programs cannot store mails that the mail server accepts",
			Why:    "kopano_gateway refuses mails over imap_max_messagesize when a mail program stores them, for example among the sent ones.",
			Source: "kopano-gateway.cfg(5), imap_max_messagesize",
			Check:  imapSmaller,
		},
		{
			ID: "session-timeout-small", Subject: "resources", Severity: finding.Info,
			Title:  "A session time-out below five minutes does not count",
			Why:    "kopano_server takes 300 seconds for anything below.",
			Source: "kopano-server.cfg(5), session_timeout",
			Check:  sessionTimeout,
		},
		{
			ID: "zpush-ping-long", Subject: "resources", Severity: finding.Warning,
			Title:  "Phones are told to wait longer than a request may take",
			Why:    "web and the image of Z-Push end a request after 3540 seconds (timeout in kweb.cfg, max_execution_time in kopano-z-push.conf), and Z-Push refuses a longer ping.",
			Source: "kopano-docker web/kweb.cfg, zpush/kopano-z-push.conf",
			Check:  pingLong,
		},
		{
			ID: "wait-time-without-unit", Fixable: true, Subject: "resources", Severity: finding.Error,
			Title:  "A waiting time has no unit",
			Why:    "konnect's start script hands DOCKERIZE_TIMEOUT to dockerize, which wants a unit behind the number and ends without one.",
			Source: "kopano-docker konnect/wrapper.sh; dockerize, option -timeout",
			Check:  waitUnit,
		},
	}
}

// mailLimit gives the largest mail that docker-mailserver takes, 0 for no limit.
func mailLimit(s *deployment.Service) (int64, bool) {
	text := value(s, "POSTFIX_MESSAGE_SIZE_LIMIT")
	if text == "" {
		return 10240000, true
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// writtenMail is what 20 MB, the most that the web applications take, become in
// a mail: base64 makes three bytes four, and ends each line after 76.
const writtenMail = 20 * mib / 3 * 4 / 76 * 78

func mailSizeChain(in *Input) []finding.Finding {
	var who string
	for _, role := range []kopano.Role{kopano.Webapp, kopano.ZPush} {
		if s := firstService(in, role); s != nil && who == "" {
			who = s.Name
		}
	}
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Mail) {
		limit, ok := mailLimit(s)
		v, set := s.Get("POSTFIX_MESSAGE_SIZE_LIMIT")
		if !isMailserver(in, s) || !ok || limit == 0 || limit >= writtenMail || who == "" || misspeltAs(s, "POSTFIX_MESSAGE_SIZE_LIMIT") {
			continue
		}
		f := finding.Finding{
			Subject: s.Name, Key: "POSTFIX_MESSAGE_SIZE_LIMIT",
			Message:     "POSTFIX_MESSAGE_SIZE_LIMIT is not set: mails over 10 MB are refused, while " + who + " lets people attach 20 MB.",
			Consequence: "Users get mails with larger attachments back, and so do senders from outside.",
			Remedy:      "Write POSTFIX_MESSAGE_SIZE_LIMIT=52428800, which is 50 MB, if such mails are wanted.",
			Locations:   []finding.Location{s.Locate("environment").As(finding.Fix)},
		}
		if set && v.Reveal() != "" {
			f.Message = "POSTFIX_MESSAGE_SIZE_LIMIT is " + v.Reveal() + ", which is " + inBytes(limit) + ", while " + who + " lets people attach 20 MB."
			f.Locations = v.Locations()
		}
		out = append(out, f)
	}
	return out
}

// siSize reads a size as numfmt --from=si does: K, M and G are powers of 1000.
var siSize = regexp.MustCompile(`^([0-9]+)([KMG]?)$`)

func clamavLimit(s *deployment.Service) (int64, bool) {
	text := value(s, "CLAMAV_MESSAGE_SIZE_LIMIT")
	if text == "" {
		return 25_000_000, true
	}
	m := siSize.FindStringSubmatch(strings.ToUpper(text))
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	return n * map[string]int64{"": 1, "K": 1e3, "M": 1e6, "G": 1e9}[m[2]], err == nil && n < 1e9
}

func mailUnscanned(in *Input) []finding.Finding {
	return judge(in, onMailserver(in, "POSTFIX_MESSAGE_SIZE_LIMIT"), func(x sighting) *verdict {
		limit, ok := mailLimit(x.service)
		scanned, readable := clamavLimit(x.service)
		major, known := mailRelease(in, x.service)
		// 25M and 26214400 mean the same to people.
		if !ok || !readable || value(x.service, "ENABLE_CLAMAV") != "1" || known && major < 11 || limit != 0 && limit <= scanned/100*105 {
			return nil
		}
		v := &verdict{
			message:     x.name() + " is " + x.text() + ", but mails over " + strconv.FormatInt(scanned/1e6, 10) + " MB are not searched for viruses.",
			consequence: "Users get viruses in large mails, which look checked.",
			remedy:      "Write CLAMAV_MESSAGE_SIZE_LIMIT=" + strconv.FormatInt((limit+1e6-1)/1e6, 10) + "M",
			here:        true,
		}
		if limit == 0 {
			v.message = x.name() + " is 0, no limit, but mails over " + strconv.FormatInt(scanned/1e6, 10) + " MB are not searched for viruses."
			v.remedy = "Write " + x.name() + "=52428800 and CLAMAV_MESSAGE_SIZE_LIMIT=53M"
		}
		return v
	})
}

func mailboxSmaller(in *Input) []finding.Finding {
	return judge(in, onMailserver(in, "POSTFIX_MAILBOX_SIZE_LIMIT"), func(x sighting) *verdict {
		limit, ok := mailLimit(x.service)
		box, err := strconv.ParseInt(x.text(), 10, 64)
		if err != nil || !ok || box == 0 || limit != 0 && box >= limit {
			return nil
		}
		mail := "have " + inBytes(limit)
		if limit == 0 {
			mail = "be of any size"
		}
		return &verdict{
			message:     x.name() + " is " + x.text() + ", but one mail may " + mail + ".",
			consequence: "Postfix does not deliver: mail that it keeps itself, such as that for root, stays in the queue.",
			remedy:      "Write " + x.name() + "=0; Kopano has quotas of its own.",
			here:        true,
		}
	})
}

func imapSmaller(in *Input) []finding.Finding {
	var largest int64
	var mail *deployment.Service
	for _, s := range in.Topology.Services(kopano.Mail) {
		if n, ok := mailLimit(s); ok && isMailserver(in, s) && n > largest {
			largest, mail = n, s
		}
	}
	return judge(in, on(in, kopano.Gateway, "KCCONF_GATEWAY_IMAP_MAX_MESSAGESIZE"), func(x sighting) *verdict {
		n, ok := kopanoSize(x.text())
		if !ok || mail == nil || n >= largest || !configured(x.service) {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ", but " + mail.Name + " takes mails of " + inBytes(largest) + ".",
			consequence: "Users of mail programs get an error when they store or move a larger mail, and miss it among those that they sent.",
			remedy:      "Write " + x.name() + "=128M, which is the default, or delete the line.",
		}
	})
}

func sessionTimeout(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Server, "KCCONF_SERVER_SESSION_TIMEOUT"), func(x sighting) *verdict {
		n, err := strconv.Atoi(strings.TrimSpace(x.text()))
		if err != nil || n >= 300 || n < 0 {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + "; kopano_server takes 300 for anything below.",
			consequence: "Sessions of users who left live longer than the administrator wants.",
			remedy:      "Write " + x.name() + "=300, or more",
		}
	})
}

// requestTime is how long web and PHP let a request of a phone take, in seconds.
const requestTime = 3540

func pingLong(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.ZPush, "KCCONF_ZPUSH_PING_HIGHER_BOUND_LIFETIME", "KCCONF_ZPUSH_PING_LOWER_BOUND_LIFETIME", "KCCONF_ZPUSH_SCRIPT_TIMEOUT"), func(x sighting) *verdict {
		n, err := strconv.Atoi(x.text())
		if err != nil || n <= requestTime {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + " seconds, but a request of a phone is ended after 3540.",
			consequence: "Phones lose their connection and ask again, or get no mail at all.",
			remedy:      "Write " + x.name() + "=3540, or less",
		}
	})
}

func waitUnit(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Konnect, "DOCKERIZE_TIMEOUT"), func(x sighting) *verdict {
		text := x.text()
		if text == "" {
			return nil // the script has a default of its own
		}
		if _, err := time.ParseDuration(text); err == nil {
			return nil
		}
		v := &verdict{
			stops:       true,
			message:     x.name() + " is " + x.shown() + ", which is no time with a unit.",
			consequence: x.service.Name + " stops at start: nobody can log in to WebApp, Meet or the API.",
			remedy:      "Write a number with s, m or h, such as " + x.name() + "=360s",
		}
		if wholeNumber.MatchString(text) && text[0] != '-' {
			v.remedy, v.write = "Write "+x.name()+"="+text+"s", text+"s"
		}
		return v
	})
}
