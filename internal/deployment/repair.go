package deployment

import (
	"context"
	"fmt"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// loadTree gives compose-go the tree that the walker has merged, in place of
// the files. strict keeps all of compose-go's checks.
func loadTree(ctx context.Context, s *selection, tree *node, strict bool) (*types.Project, error) {
	dict, _ := tree.plain(s.workDir).(map[string]any)
	if len(dict) == 0 {
		return emptyProject(s), nil
	}
	delete(dict, "include")
	file := types.ConfigFile{Filename: s.workDir + "/compose.yaml", Config: dict}
	return composeLoad(ctx, s, []types.ConfigFile{file}, func(o *loader.Options) {
		o.SkipInclude, o.SkipExtends = true, true
		o.SkipConsistencyCheck = !strict
	})
}

// repair loads what is left of a refused deployment.
func repair(ctx context.Context, s *selection, tree *node) *types.Project {
	p, err := loadTree(ctx, s, tree, false)
	if err != nil {
		return emptyProject(s)
	}
	return p
}

// explain reports a refusal that no other problem accounts for.
func (w *walker) explain(s *selection, tree *node, err error) {
	w.refuse(Refused, s.name, fmt.Sprintf("Docker Compose refuses the deployment: %v.", err), "", "", finding.Location{File: w.firstFile()})
}

func (w *walker) labelFileUnreadable(service, path string, u *unreadable, tree *node) {
	at, _ := tree.locate([]string{"services", service, "label_file"})
	w.refuse(Refused, service, fmt.Sprintf("Service %s reads the label file %s, which cannot be used: %s.", service, w.name(path), u.reason),
		"Put the file there, or take it out of label_file.", path, at)
}
