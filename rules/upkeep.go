package rules

import (
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// upkeepRules are about work that kopano_server leaves to a job.
func upkeepRules() []Rule {
	return []Rule{
		{
			ID: "user-sync-missing", Subject: "directory", Severity: finding.Warning,
			Title: "Nothing tells kopano_server of new users",
			Why: "With sync_gab_realtime=no kopano_server reads the list of users from the directory only when it is told to, by kopano-admin --sync or kopano-cli --sync. " +
				"kopano-docker does so by a job of the scheduler.",
			Source: "kopano-core server.cfg (sync_gab_realtime); kopano-docker docker-compose.yml",
			Check:  userSync,
		},
		{
			ID: "trash-never-emptied", Subject: "database", Severity: finding.Warning,
			Title: "What is deleted is never taken out of the database",
			Why: "kopano_server keeps deleted entries for softdelete_lifetime days, 30 unless it is set, and for ever with 0. " +
				"kopano-docker sets 0 and leaves it to a job of the scheduler, kopano-admin --purge-softdelete.",
			Source: "kopano-core server.cfg (softdelete_lifetime); kopano-docker docker-compose.yml",
			Check:  trash,
		},
	}
}

// upkeep finds the storage servers with a setting that leaves work to a job,
// where no job here does it. Without a scheduler the host may have the job.
func upkeep(in *Input, key string, leaves []string, job []string, f finding.Finding) []finding.Finding {
	if isIncomplete(in) || hasJob(in, job) {
		return nil
	}
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Server) {
		v, ok := s.Get(key)
		if !ok || !slices.Contains(leaves, strings.ToLower(v.Reveal())) || !configured(s) {
			continue
		}
		g := f
		g.Subject, g.Key = s.Name, key
		g.Message = key + " is " + (sighting{s, v}).shown() + " on " + s.Name + ", and no job here " + f.Message
		g.Locations = v.Locations()
		if scheduler := firstService(in, kopano.Scheduler); scheduler != nil && !isFragment(scheduler) {
			g.Locations = append(g.Locations, scheduler.Locate("environment").As(finding.Related))
		} else {
			g.Severity = finding.Info
			g.Message += " Perhaps the host has one."
		}
		out = append(out, g)
	}
	return out
}

// hasJob reports whether a service has a command in its settings, or is
// started with one, that has all of some words in it.
func hasJob(in *Input, words []string) bool {
	does := func(text string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
	}
	return slices.ContainsFunc(in.Deployment.Services, func(s *deployment.Service) bool {
		return does(strings.Join(s.Command, " ")) || does(strings.Join(s.Entrypoint, " ")) || lacksEnvFile(in, s) && in.Topology.Role(s) == kopano.Scheduler ||
			slices.ContainsFunc(s.Keys(), func(key string) bool { return does(value(s, key)) }) ||
			slices.ContainsFunc(sorted(s.Labels), func(key string) bool { return does(s.Labels[key]) })
	})
}

func userSync(in *Input) []finding.Finding {
	usesDirectory := slices.ContainsFunc(in.Topology.Services(kopano.Server), func(s *deployment.Service) bool {
		return strings.HasPrefix(value(s, "KCCONF_SERVER_USER_PLUGIN"), "ldap")
	})
	if !usesDirectory {
		return nil
	}
	return upkeep(in, "KCCONF_SERVER_SYNC_GAB_REALTIME", []string{"no", "false", "0"}, []string{"kopano-", "--sync"}, finding.Finding{
		Message:     "calls kopano-admin --sync.",
		Consequence: "New users get no mailbox and stand in no address book, and those who have left stay in it.",
		Remedy:      "Add a job to kopano_scheduler: CRON_KOPANOUSERS=10 * * * * docker exec kopano_server kopano-admin --sync",
	})
}

func trash(in *Input) []finding.Finding {
	return upkeep(in, "KCCONF_SERVER_SOFTDELETE_LIFETIME", []string{"0"}, []string{"purge-softdelete"}, finding.Finding{
		Message:     "empties the trash.",
		Consequence: "The database grows for ever, and what users deleted can still be read by whoever gets hold of a backup.",
		Remedy:      "Write KCCONF_SERVER_SOFTDELETE_LIFETIME=30 (days), or add a job to kopano_scheduler: CRONDELAYED_SOFTDELETE=30 2 * * * docker exec kopano_server kopano-admin --purge-softdelete 30",
	})
}
