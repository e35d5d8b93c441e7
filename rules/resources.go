package rules

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// resourceRules are about memory: what a container may have, and what its
// program takes.
func resourceRules() []Rule {
	return []Rule{
		{
			ID: "memory-limit-refused", Subject: "resources", Severity: finding.Error,
			Title:  "Docker does not accept a memory limit",
			Why:    "A limit without a unit is in bytes. Docker refuses one below 6 MB, one below what is reserved, and a memswap_limit, which is memory and swap together, below the memory.",
			Source: "moby daemon/daemon_unix.go; Compose specification, mem_limit",
			Check:  memoryRefused,
		},
		{
			ID: "memory-cache-large", Subject: "resources", Severity: finding.Warning,
			Title:  "kopano_server's caches do not fit into its memory limit",
			Why:    "kopano_server fills its caches up to the sizes in its settings. At the limit of the container the kernel ends it, in the middle of its work.",
			Source: "kopano-server.cfg(5), cache_cell_size and those behind it; kopano-core libserver/ECCacheManager.cpp",
			Check:  cacheLarge,
		},
		{
			ID: "memory-cache-automatic", Subject: "resources", Severity: finding.Warning,
			Title:  "kopano_server sizes its cache by the machine, not by its memory limit",
			Why:    "Without cache_cell_size kopano_server takes a quarter of the machine's memory, and 1 GB at least, for that cache; it asks the kernel for the size of the machine and does not see the limit of its container.",
			Source: "kopano-core libserver/ECCacheManager.cpp, cache_cell_size 0",
			Since:  "kopano-core 8.7",
			Check:  cacheAutomatic,
		},
		{
			ID: "memory-database-buffer", Subject: "resources", Severity: finding.Warning,
			Title:  "The database's buffer does not fit into its memory limit",
			Why:    "InnoDB fills its buffer pool up to innodb_buffer_pool_size, 128 MB if nothing else is said, and the server wants some more. At the limit of the container the kernel ends it.",
			Source: "MariaDB documentation, innodb_buffer_pool_size",
			Check:  databaseBuffer,
		},
		{
			ID: "memory-virus-scanner", Subject: "resources", Severity: finding.Warning,
			Title:  "The virus scanner does not fit into the mail server's memory limit",
			Why:    "ClamAV keeps its signatures in memory, more than 1 GB, and twice that for the moment in which it loads new ones.",
			Source: "ClamAV documentation, Recommended System Requirements; docker-mailserver README",
			Check:  virusScanner,
		},
	}
}

const (
	mib = int64(1) << 20
	gib = int64(1) << 30
)

// memoryLimit gives how much memory a service may take, with the place where
// that is written; 0 when there is no limit.
func memoryLimit(s *deployment.Service) (int64, finding.Location) {
	if s.MemLimit > 0 {
		return int64(s.MemLimit), s.Locate("mem_limit").As(finding.Related)
	}
	if d := s.Deploy; d != nil && d.Resources.Limits != nil && d.Resources.Limits.MemoryBytes > 0 {
		return int64(d.Resources.Limits.MemoryBytes), s.Locate("deploy", "resources", "limits", "memory").As(finding.Related)
	}
	return 0, finding.Location{}
}

// memoryReserved gives what is kept for a service.
func memoryReserved(s *deployment.Service) int64 {
	if s.MemReservation > 0 {
		return int64(s.MemReservation)
	}
	if d := s.Deploy; d != nil && d.Resources.Reservations != nil {
		return int64(d.Resources.Reservations.MemoryBytes)
	}
	return 0
}

// inBytes writes a size as people say it.
func inBytes(n int64) string {
	switch {
	case n >= gib && n%(gib/4) == 0:
		return strconv.FormatFloat(float64(n)/float64(gib), 'f', -1, 64) + " GB"
	case n >= 10*gib:
		return fmt.Sprintf("%d GB", (n+gib/2)/gib)
	case n >= mib:
		return fmt.Sprintf("%d MB", (n+mib/2)/mib)
	case n >= 1<<10:
		return fmt.Sprintf("%d kB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

func memoryRefused(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		limit, place := memoryLimit(s)
		if limit == 0 {
			continue
		}
		f := finding.Finding{
			Subject: s.Name, Key: "memory", Links: linksTo(in, s),
			Consequence: "Docker does not start " + s.Name + ", and what needs it does not work.",
			Locations:   []finding.Location{place.As(finding.Fix)},
		}
		switch swap := int64(s.MemSwapLimit); {
		case limit < 6*mib:
			f.Message = "The memory limit is " + inBytes(limit) + "; Docker wants 6 MB at least."
			f.Remedy = "Write a unit behind the number: m for megabytes or g for gigabytes, such as 512m."
		case memoryReserved(s) > limit:
			f.Message = "The memory limit is " + inBytes(limit) + ", but " + inBytes(memoryReserved(s)) + " are reserved."
			f.Remedy = "Make the limit at least as large as the reservation."
		case swap > 0 && swap < limit:
			f.Message = "The memory limit is " + inBytes(limit) + ", and memswap_limit, which is memory and swap together, only " + inBytes(swap) + "."
			f.Remedy = "Make memswap_limit at least as large as the memory limit, or delete it."
			f.Locations = []finding.Location{s.Locate("memswap_limit").As(finding.Fix), place}
		default:
			continue
		}
		out = append(out, f)
	}
	return out
}

// cacheSettings are kopano_server's caches, with how many there are of each and
// the default size (known from its table of settings).
var cacheSettings = []struct {
	name  string
	times int64
	size  int64
}{
	{"cell", 1, 0}, {"object", 1, 0}, {"indexedobject", 2, 0}, {"quota", 2, 0}, {"userdetails", 1, 0},
	{"user", 2, mib}, {"acl", 1, mib}, {"store", 1, mib}, {"server", 1, mib},
}

func cacheKey(name string) string { return "KCCONF_SERVER_CACHE_" + strings.ToUpper(name) + "_SIZE" }

// kopanoSize reads a size as kopano-core does: a number with k, m or g.
func kopanoSize(text string) (int64, bool) {
	text = strings.TrimSpace(text)
	if !sizeNumber.MatchString(text) {
		return 0, false
	}
	return bytesOf(text)
}

func cacheLarge(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Server) {
		limit, place := memoryLimit(s)
		if limit < 6*mib || !configured(s) {
			continue
		}
		sum, largest := int64(0), int64(0)
		var main deployment.Value
		for _, c := range cacheSettings {
			size := c.size
			if v, ok := s.Get(cacheKey(c.name)); ok {
				n, readable := kopanoSize(v.Reveal())
				if !readable {
					continue // a rule of its own speaks of it
				}
				if size = n; n*c.times > largest {
					largest, main = n*c.times, v
				}
			}
			sum += size * c.times
		}
		// The program itself takes some hundred megabytes beside its caches.
		if largest == 0 || sum <= limit/10*8 {
			continue
		}
		x := sighting{s, main}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: x.name(),
			Message:     x.name() + " is " + x.shown() + ", with the other caches " + inBytes(sum) + ", but " + s.Name + " may take " + inBytes(limit) + " of memory.",
			Consequence: "When the caches have filled up, kopano_server is ended by the kernel: everybody's session breaks off, again and again.",
			Remedy:      "Write " + x.name() + "=" + fmt.Sprintf("%dM", limit/mib/4) + ", or raise the memory limit to " + inBytes(roundUp(sum/2*3)) + ".",
			Locations:   append(main.Locations(), place),
		})
	}
	return out
}

// roundUp rounds a size up to whole 256 MB.
func roundUp(n int64) int64 { return (n + 256*mib - 1) / (256 * mib) * 256 * mib }

func cacheAutomatic(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Server) {
		limit, place := memoryLimit(s)
		key := cacheKey("cell")
		v, set := s.Get(key)
		if limit < 6*mib || !configured(s) || set && strings.Trim(v.Reveal(), "0 ") != "" {
			continue
		}
		f := finding.Finding{
			Subject: s.Name, Key: key,
			Message:     s.Name + " may take " + inBytes(limit) + " of memory, but its main cache grows to a quarter of the machine's memory, and to 1 GB at least.",
			Consequence: "When the cache has filled up, kopano_server is ended by the kernel: everybody's session breaks off, again and again.",
			Remedy:      "Write " + key + "=" + fmt.Sprintf("%dM", limit/mib/4),
			Locations:   []finding.Location{place.As(finding.Fix)},
		}
		if limit > gib/4*5 {
			f.Severity = finding.Info // on a small machine it fits
			f.Consequence = "On a machine with more than " + inBytes(limit/10*32) + " kopano_server is ended by the kernel when the cache has filled up: everybody's session breaks off."
		}
		if set {
			f.Locations = append(v.Locations(), place)
		}
		out = append(out, f)
	}
	return out
}

// bufferPool finds the size of InnoDB's buffer pool among the words of a
// command, with the position of the word; -1 when nothing sets it.
func bufferPool(command []string) (int64, int) {
	for i, word := range command {
		name, text, joined := strings.Cut(strings.TrimLeft(word, "-"), "=")
		if strings.ReplaceAll(name, "_", "-") != "innodb-buffer-pool-size" {
			continue
		}
		if !joined && i+1 < len(command) {
			text = command[i+1]
		}
		if n, ok := bytesOf(text); ok {
			return n, i
		}
	}
	return 128 * mib, -1
}

func databaseBuffer(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Database) {
		limit, place := memoryLimit(s)
		pool, at := bufferPool(s.Command)
		// A mounted file of settings may say something else than the default.
		if limit < 6*mib || pool <= limit/10*8 || at < 0 && (limit > 160*mib || mountOver(s, "/etc/mysql") != "" || subMounted(s, "/etc/mysql")) {
			continue
		}
		f := finding.Finding{
			Subject: s.Name, Key: "innodb-buffer-pool-size",
			Message:     "The buffer pool is " + inBytes(pool) + ", but " + s.Name + " may take " + inBytes(limit) + " of memory.",
			Consequence: "When the buffer has filled up, the database is ended by the kernel: nobody sees mail until it has recovered, again and again.",
			Remedy:      "Write --innodb-buffer-pool-size=" + fmt.Sprintf("%dM", limit/mib/2) + " in its command, or raise the memory limit to " + inBytes(roundUp(pool/2*3)) + ".",
			Locations:   []finding.Location{place.As(finding.Fix)},
		}
		if at >= 0 {
			f.Locations = []finding.Location{s.Locate("command", itoa(at)).As(finding.Fix), place}
		}
		out = append(out, f)
	}
	return out
}

func virusScanner(in *Input) []finding.Finding {
	return judge(in, onMailserver(in, "ENABLE_CLAMAV"), func(x sighting) *verdict {
		limit, _ := memoryLimit(x.service)
		if x.text() != "1" || limit < 6*mib || limit >= gib/2*3 {
			return nil
		}
		return &verdict{
			message:     x.name() + " is 1, but " + x.service.Name + " may take " + inBytes(limit) + " of memory.",
			consequence: "The virus scanner is ended by the kernel; mail waits for it and comes hours late, or not at all.",
			remedy:      "Raise the memory limit to 3g, or write " + x.name() + "=0",
			here:        true,
		}
	})
}
