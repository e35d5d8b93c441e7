package rules

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/robfig/cron/v3"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// schedulerRules are about the jobs of kopano_scheduler: CRON_… and CRONDELAYED_….
func schedulerRules() []Rule {
	return []Rule{
		{
			ID: "cron-syntax", Subject: "scheduler", Severity: finding.Error,
			Title: "A job's schedule cannot be read",
			Why: "A job is five fields and a command, with exactly one blank between them: scheduler/start.sh cuts the line at each blank to find the command, " +
				"and supercronic refuses the whole table when one line is wrong.",
			Source: "kopano-docker scheduler/start.sh; supercronic README",
			Check:  cronSyntax,
		},
		{
			ID: "cron-container-name", Subject: "scheduler", Severity: finding.Warning,
			Title: "A job runs in a container that does not exist",
			Why: "The jobs of kopano-docker name the containers kopano_server and kopano_zpush, which are called so only in a project named kopano. " +
				"When the first run of a job fails, the scheduler ends and is not restarted (scheduler/start.sh).",
			Source: "kopano-docker scheduler/start.sh, docker-compose.yml",
			Check:  cronContainer,
		},
		{
			ID: "cron-terminal", Fixable: true, Subject: "scheduler", Severity: finding.Warning,
			Title:  "A job asks for a terminal that it does not have",
			Why:    "Under supercronic there is no terminal; docker run -t and docker exec -t end with \"the input device is not a TTY\".",
			Source: "docker exec and docker run, option -t",
			Check:  cronTerminal,
		},
		{
			ID: "cron-shell", Subject: "scheduler", Severity: finding.Warning,
			Title:  "A job uses the shell where there is none",
			Why:    "scheduler/start.sh runs each CRON_ job once without a shell: quotes, pipes and redirections reach the program as words, the job fails, and the scheduler ends.",
			Source: "kopano-docker scheduler/start.sh",
			Check:  cronShell,
		},
		{
			ID: "backup-missing", Subject: "scheduler", Severity: finding.Warning,
			Title:  "There is no backup",
			Why:    "The backup job that kopano-docker comes with calls kopano-backup -h, which prints a help text and saves nothing.",
			Source: "kopano-docker docker-compose.yml; kopano-backup(8)",
			Check:  backup,
		},
		{
			ID: "cron-name", Subject: "scheduler", Severity: finding.Warning,
			Title:  "A job's name does not begin with CRON_ or CRONDELAYED_",
			Why:    "scheduler/start.sh collects the variables that begin with CRON_ or CRONDELAYED_, and no others.",
			Source: "kopano-docker scheduler/start.sh",
			Check:  cronName,
		},
		{
			ID: "cron-compose", Subject: "scheduler", Severity: finding.Warning,
			Title:  "A job calls docker compose, which the scheduler does not have",
			Why:    "The image of kopano_scheduler is made of docker:19.03, which has the program docker, but neither docker-compose nor the plugin compose, and it does not see the compose files.",
			Source: "kopano-docker scheduler/Dockerfile",
			Check:  cronCompose,
		},
		{
			ID: "cron-removed-tool", Fixable: true, Subject: "scheduler", Severity: finding.Warning,
			Title:  "A job calls a program that Kopano no longer has",
			Why:    "kopano-cli became kopano-admin in core 10, kopano-set-oof became kopano-oof, kopano-localize-folders became kopano-storeadm -Y (release notes of kopano-core).",
			Source: "kopano-core RELNOTES 8.7 to 10",
			Check:  cronRemovedTool,
		},
	}
}

// isJob accepts the settings that hold a job.
func isJob(in *Input) func(*deployment.Service, string) bool {
	return func(s *deployment.Service, key string) bool {
		return in.Topology.Role(s) == kopano.Scheduler && (strings.HasPrefix(key, "CRON_") || strings.HasPrefix(key, "CRONDELAYED_"))
	}
}

// command gives what a job runs, "" when the schedule leaves nothing.
func command(job string) string {
	fields := strings.SplitN(job, " ", 6)
	if len(fields) < 6 {
		return ""
	}
	return fields[5]
}

func cronSyntax(in *Input) []finding.Finding {
	return judge(in, isJob(in), func(x sighting) *verdict {
		why := cronFault(x.text())
		if why == "" {
			return nil
		}
		return &verdict{
			message:     x.name() + " begins with " + quote(scheduleOf(x.text())) + ": " + why + ".",
			consequence: "No job runs at all: users of the directory are not synchronised and deleted mail is not purged.",
			remedy:      "Write minute, hour, day, month, weekday and the command with one blank between them, for example 10 * * * * docker exec kopano_server kopano-admin --sync",
		}
	})
}

// scheduleOf gives the part of a job in front of its command, which may hold a
// password and is not shown.
func scheduleOf(job string) string {
	fields := strings.SplitN(job, " ", 6)
	return strings.Join(fields[:min(len(fields), 5)], " ")
}

// extendedSchedule finds L, W and #, which supercronic knows (gorhill/cronexpr) and the library does not.
var extendedSchedule = regexp.MustCompile(`(^|[ ,0-9])[LW]($|[ ,#])|#`)

func cronFault(job string) string {
	if strings.TrimSpace(job) == "" {
		return "" // an emptied job is left out
	}
	if strings.HasPrefix(job, "@") {
		name, _, _ := strings.Cut(job, " ")
		if _, err := cron.ParseStandard(name); err != nil {
			return quote(name) + " is no schedule"
		}
		return ""
	}
	if job != strings.TrimSpace(job) {
		return "it begins or ends with a blank"
	}
	fields := strings.SplitN(job, " ", 6)
	for _, f := range fields[:min(len(fields), 5)] {
		if f == "" {
			return "there is more than one blank between two fields"
		}
	}
	if strings.Contains(job, "\t") {
		return "it contains a tab"
	}
	if len(fields) < 6 || strings.TrimSpace(fields[5]) == "" {
		return "there are five fields and a command wanted"
	}
	schedule := strings.Join(fields[:5], " ")
	if extendedSchedule.MatchString(schedule) {
		return ""
	}
	if _, err := cron.ParseStandard(schedule); err != nil {
		return quote(schedule) + " is no schedule"
	}
	return ""
}

// shellSigns are what only a shell understands.
var shellSigns = regexp.MustCompile("[|;&<>`\"']|\\$\\(")

// dockerCall is a call of docker run or docker exec in a job.
type dockerCall struct {
	exec  bool
	flags []string // up to the container or image, values left out
	from  []string // containers named by --volumes-from
	name  string   // the container of exec
}

// valueFlags are the flags of docker run and docker exec whose value is the next word (docker run --help).
var valueFlags = strings.Fields("-a --attach --add-host --annotation --cap-add --cap-drop -c --cpus --cpu-shares --cpuset-cpus --detach-keys --device --dns --dns-search " +
	"--entrypoint -e --env --env-file --expose --gpus --group-add --health-cmd -h --hostname --ip --ipc -l --label --label-file --link --log-driver --log-opt -m --memory " +
	"--mount --name --net --network --network-alias --pid --platform -p --publish --pull --restart --runtime --security-opt --shm-size --stop-signal --stop-timeout " +
	"--sysctl --tmpfs --ulimit -u --user --userns --uts -v --volume --volume-driver --volumes-from -w --workdir")

// dockerCalls finds the calls in a command.
func dockerCalls(cmd string) []dockerCall {
	words := strings.Fields(cmd)
	var out []dockerCall
	for i := 0; i < len(words); i++ {
		if words[i] != "docker" && !strings.HasSuffix(words[i], "/docker") {
			continue
		}
		j := i + 1
		if j < len(words) && words[j] == "container" {
			j++
		}
		if j < len(words) && (words[j] == "exec" || words[j] == "run") {
			var call dockerCall
			call.exec = words[j] == "exec"
			i = call.read(words, j+1)
			out = append(out, call)
		}
	}
	return out
}

// read takes the words of a call from the first behind exec or run, and gives
// the position of the container or image.
func (c *dockerCall) read(words []string, i int) int {
	for ; i < len(words); i++ {
		flag, value, joined := strings.Cut(words[i], "=")
		if !strings.HasPrefix(flag, "-") || flag == "-" {
			c.name = words[i]
			break
		}
		c.flags = append(c.flags, flag)
		if !joined && slices.Contains(valueFlags, flag) && i+1 < len(words) {
			i++
			value = words[i]
		}
		if flag == "--volumes-from" {
			name, _, _ := strings.Cut(value, ":") // :ro
			c.from = append(c.from, name)
		}
	}
	return i
}

// terminal gives the flag that asks for a terminal, or "".
func (c *dockerCall) terminal() string {
	for _, f := range c.flags {
		if f == "--tty" || !strings.HasPrefix(f, "--") && strings.Contains(f, "t") && strings.Trim(f, "-itd") == "" {
			return f
		}
	}
	return ""
}

// containerName is what Docker allows as a name (moby, daemon/names).
var containerName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// targets gives the containers that a command needs.
func targets(cmd string) []string {
	var out []string
	for _, c := range dockerCalls(cmd) {
		names := c.from
		if c.exec {
			names = append(names, c.name)
		}
		for _, n := range names {
			if containerName.MatchString(n) {
				out = append(out, n)
			}
		}
	}
	return out
}

// namePlaces are the places that give the container that a job means its name:
// the project's, and that of the service.
func namePlaces(in *Input, name string) []finding.Location {
	var out []finding.Location
	if l := definition(in, "COMPOSE_PROJECT_NAME"); l != nil {
		out = append(out, l.ValueAt.As(finding.Related))
	}
	if s := likeService(in, name); s != nil && s.ContainerName != "" {
		out = append(out, s.Locate("container_name").As(finding.Related))
	}
	return out
}

func cronContainer(in *Input) []finding.Finding {
	names := map[string]bool{}
	var known []string
	for _, s := range in.Deployment.Services {
		for _, n := range containerNames(in.Deployment, s) {
			names[n] = true
		}
		known = append(known, s.Name)
	}
	return judge(in, isJob(in), func(x sighting) *verdict {
		cmd := command(x.text())
		for _, name := range targets(cmd) {
			if names[name] {
				continue
			}
			v := &verdict{
				message: x.name() + " runs in the container " + quote(name) + ", but no service here makes a container of that name.",
				remedy:  "Name the container that is meant; docker compose ps shows the names.",
			}
			if i := slices.Index(known, name); i >= 0 {
				if s, ok := in.Deployment.Service(name); ok {
					v.remedy = "Write " + containerNames(in.Deployment, s)[0] + " instead."
				}
			} else if s := likeService(in, name); s != nil {
				v.remedy = "Write " + containerNames(in.Deployment, s)[0] + " instead, or set COMPOSE_PROJECT_NAME=kopano if this is a new deployment (a changed name leaves the volumes behind)."
			}
			v.related = namePlaces(in, name)
			v.consequence = "The job never does its work."
			if strings.HasPrefix(x.value.Key, "CRON_") {
				v.consequence = "The job fails at its first run, the scheduler ends, and no job runs any more."
			}
			return v
		}
		return nil
	})
}

// containerNames gives the names that Compose gives a service's containers:
// container_name, else PROJECT-SERVICE-1 (Compose 2) or PROJECT_SERVICE_1 (Compose 1).
func containerNames(d *deployment.Deployment, s *deployment.Service) []string {
	if s.ContainerName != "" {
		return []string{s.ContainerName}
	}
	return []string{d.Project + "-" + s.Name + "-1", d.Project + "_" + s.Name + "_1"}
}

// likeService finds the service whose container a name of another project means:
// kopano_zpush is mail_zpush in the project mail.
func likeService(in *Input, name string) *deployment.Service {
	short := strings.TrimPrefix(name, "kopano_")
	for _, s := range in.Deployment.Services {
		if s.Name == short || s.Name == "kopano_"+short || strings.HasSuffix(s.ContainerName, "_"+short) {
			return s
		}
	}
	return nil
}

func cronTerminal(in *Input) []finding.Finding {
	return judge(in, isJob(in), func(x sighting) *verdict {
		flag := ""
		for _, c := range dockerCalls(command(x.text())) {
			flag = cmp.Or(flag, c.terminal())
		}
		if flag == "" {
			return nil
		}
		return &verdict{
			message:     x.name() + " calls docker with " + flag + ", but jobs have no terminal.",
			consequence: "The job fails every time.",
			remedy:      "Leave " + flag + " out.",
			edits:       withoutTerminal(in, x, flag),
		}
	})
}

// withoutTerminal gives the edit that leaves the flag out of the one call that has it.
func withoutTerminal(in *Input, x sighting, flag string) []finding.Edit {
	better := ""
	if rest := strings.ReplaceAll(flag, "t", ""); !strings.HasPrefix(flag, "--") && rest != "-" {
		better = rest + " "
	}
	return replacedIn(in, x, " "+flag+" ", " "+better)
}

func cronShell(in *Input) []finding.Finding {
	return judge(in, isJob(in), func(x sighting) *verdict {
		sign := shellSigns.FindString(command(x.text()))
		// CRONDELAYED_ jobs are not run at start; supercronic gives them a shell.
		if sign == "" || strings.HasPrefix(x.value.Key, "CRONDELAYED_") {
			return nil
		}
		return &verdict{
			message:     x.name() + " has " + sign + " in its command, which only a shell understands.",
			consequence: "The job fails at its first run, the scheduler ends, and no job runs any more.",
			remedy:      "Put the command into a script in the container, or rename the job to CRONDELAYED_" + strings.TrimPrefix(x.value.Key, "CRON_") + ", which is not run at start.",
		}
	})
}

var (
	backupHelp    = regexp.MustCompile(`kopano-backup +(-h|--help)\b`)
	backupProgram = regexp.MustCompile(`backup|restic|borg|mysqldump|mariadb-dump`)
)

func backup(in *Input) []finding.Finding {
	var dead, lost []sighting
	for _, s := range in.Topology.Services(kopano.Scheduler) {
		for _, key := range s.Keys() {
			if !isJob(in)(s, key) {
				continue
			}
			cmd := command(value(s, key))
			switch {
			case backupHelp.MatchString(cmd):
				dead = append(dead, sighting{s, s.Env[key]})
			case backupLost(cmd):
				lost = append(lost, sighting{s, s.Env[key]})
			case backupProgram.MatchString(cmd):
				return nil // somebody has thought about it
			}
		}
	}
	if len(dead)+len(lost) == 0 {
		return backupNowhere(in)
	}
	var out []finding.Finding
	for _, x := range lost {
		out = append(out, verdict{
			message:     x.name() + " calls kopano-backup in a container that is deleted afterwards (--rm), and mounts no folder for what it writes.",
			consequence: "The backup is gone with the container: after a fault of the disk or a wrong click there is nothing to go back to.",
			remedy:      "Add -v /srv/kopano-backup:/kopano/path behind docker run, with a folder of the host that has room.",
			here:        true,
		}.about(in, []sighting{x}))
	}
	for _, x := range dead {
		out = append(out, verdict{
			message:     x.name() + " calls kopano-backup -h, which prints a help text and saves nothing.",
			consequence: "After a fault of the disk or a wrong click there is nothing to go back to.",
			remedy:      "Write a real kopano-backup call with a mounted folder; if you save mailboxes elsewhere, empty the job.",
		}.about(in, []sighting{x}))
	}
	return out
}

// backupLost reports whether a command writes its backup into a container that
// is deleted at once. kopano-backup writes to the current folder, unless it is
// told another one, of which nothing is known here.
func backupLost(cmd string) bool {
	if !strings.Contains(cmd, "kopano-backup") || strings.Contains(cmd, " -O") || strings.Contains(cmd, "--output") || shellSigns.MatchString(cmd) {
		return false
	}
	calls := dockerCalls(cmd)
	return len(calls) == 1 && !calls[0].exec && slices.Contains(calls[0].flags, "--rm") &&
		!slices.ContainsFunc(calls[0].flags, func(f string) bool { return strings.HasPrefix(f, "-v") || f == "--volume" || f == "--mount" })
}

// backupNowhere says that nothing in a whole deployment, one with a scheduler
// and the data itself, looks like a backup. It may well be made from outside.
func backupNowhere(in *Input) []finding.Finding {
	scheduler, server := firstService(in, kopano.Scheduler), firstService(in, kopano.Server)
	if scheduler == nil || server == nil || fragment(scheduler) || isIncomplete(in) {
		return nil
	}
	for _, s := range in.Deployment.Services {
		about := s.Name + " " + s.Image + " " + strings.Join(s.Command, " ")
		for _, v := range s.Volumes {
			about += " " + v.Source + " " + v.Target
		}
		if backupProgram.MatchString(about) {
			return nil
		}
	}
	return []finding.Finding{{
		Severity: finding.Info, Subject: scheduler.Name, Key: "backup",
		Message:     "No job and no service here saves the mailboxes or the database.",
		Consequence: "Unless the host does it, there is nothing to go back to after a fault of the disk or a wrong click.",
		Remedy:      "Add a CRONDELAYED_ job that calls kopano-backup with a mounted folder, and one that dumps the database; or save the volumes from the host.",
		Locations:   []finding.Location{scheduler.Locate("environment").As(finding.Fix)},
	}}
}

// looksLikeJob finds values that are a schedule and a call of docker.
var looksLikeJob = regexp.MustCompile(`^(@(hourly|daily|weekly|monthly|yearly|reboot)|[0-9*/,-]+( +[0-9A-Za-z*/,-]+){4}) +\S*(docker|kopano|sh|curl|wget)\b`)

func cronName(in *Input) []finding.Finding {
	want := func(s *deployment.Service, key string) bool {
		return in.Topology.Role(s) == kopano.Scheduler && !isJob(in)(s, key)
	}
	return judge(in, want, func(x sighting) *verdict {
		if !looksLikeJob.MatchString(x.text()) {
			return nil
		}
		return &verdict{
			key:         true,
			message:     x.value.Key + " looks like a job, but its name does not begin with CRON_ or CRONDELAYED_.",
			consequence: "The job never runs, and nothing says so.",
			remedy:      "Rename it to CRONDELAYED_" + jobName(x.value.Key) + ", or to CRON_" + jobName(x.value.Key) + " if it is to run at start as well.",
		}
	})
}

// jobName leaves the attempts at a prefix out of a name.
func jobName(key string) string {
	name := strings.ToUpper(key)
	for _, p := range []string{"CRONDELAYED", "CRON_DELAYED", "CRONDELAY", "CRON", "JOB"} {
		if rest, ok := strings.CutPrefix(name, p); ok && rest != "" {
			name = rest
			break
		}
	}
	return strings.Trim(name, "_-")
}

var composeCall = regexp.MustCompile(`(^|[ /;&|])docker(-compose|[ ]+compose)( |$)`)

func cronCompose(in *Input) []finding.Finding {
	return judge(in, isJob(in), func(x sighting) *verdict {
		if !composeCall.MatchString(command(x.text())) {
			return nil
		}
		v := &verdict{
			message:     x.name() + " calls docker compose, which the scheduler does not have.",
			consequence: "The job never does its work.",
			remedy:      "Write docker exec and the name of the container in place of docker compose exec and the service.",
		}
		if strings.HasPrefix(x.value.Key, "CRON_") {
			v.consequence = "The job fails at its first run, the scheduler ends, and no job runs any more."
		}
		return v
	})
}

// removedTools: programs that went, and what took their place (release notes of kopano-core 8.7 to 10).
var removedTools = []struct{ old, now string }{
	{"kopano-cli", "kopano-admin"},
	{"kopano-set-oof", "kopano-oof"},
	{"kopano-localize-folders", "kopano-storeadm -Y"},
}

// renamedTool gives the edit that calls the successor of a program. kopano-cli
// and kopano-admin share --sync alone; kopano-storeadm has arguments of its own.
func renamedTool(in *Input, x sighting, old, now string) []finding.Edit {
	if old == "kopano-cli" && !strings.HasSuffix(strings.TrimSpace(x.text()), old+" --sync") || strings.Contains(now, " ") {
		return nil
	}
	return replacedIn(in, x, " "+old+" ", " "+now+" ")
}

func cronRemovedTool(in *Input) []finding.Finding {
	return judge(in, isJob(in), func(x sighting) *verdict {
		words := strings.Fields(command(x.text()))
		for _, t := range removedTools {
			if !slices.Contains(words, t.old) {
				continue
			}
			return &verdict{
				message:     x.name() + " calls " + t.old + ", which newer images do not have.",
				consequence: "With an image of core 10 or later the job fails, and a failing CRON_ job ends the scheduler.",
				remedy:      "Call " + t.now + " instead.",
				edits:       renamedTool(in, x, t.old, t.now),
			}
		}
		return nil
	})
}
