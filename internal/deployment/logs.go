package deployment

import (
	"io"
	"sync"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/sirupsen/logrus"
)

// composeGo guards compose-go's process-wide parts: the logrus logger it
// writes its warnings to, and its table of env_file formats.
var composeGo struct {
	sync.Mutex
	formats sync.Once
}

// quietly runs f while compose-go can write nothing to standard error. What it
// would say there, the loader finds and places by itself.
func quietly(f func()) {
	composeGo.Lock()
	defer composeGo.Unlock()
	composeGo.formats.Do(func() { dotenv.RegisterFormat(rawFormat, parseRaw) })
	logger := logrus.StandardLogger()
	out, hooks := logger.Out, logger.ReplaceHooks(logrus.LevelHooks{})
	logger.SetOutput(io.Discard)
	defer func() {
		logger.SetOutput(out)
		logger.ReplaceHooks(hooks)
	}()
	f()
}

// parseRaw is the raw format as Docker Compose registers it.
func parseRaw(r io.Reader, filename string, vars map[string]string, lookup func(string) (string, bool)) error {
	data, err := io.ReadAll(io.LimitReader(r, maxFileSize))
	if err != nil {
		return err
	}
	c := serviceContext(rawFormat, func(name string) (*definition, bool) {
		v, ok := lookup(name)
		return &definition{name: name, value: v}, ok
	})
	reading := readEnv(newSource(filename, filename, data), c)
	for _, set := range reading.sets {
		vars[set.key] = set.value
	}
	return reading.refused
}
