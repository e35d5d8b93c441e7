package checks

import (
	"fmt"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// written names a setting by the word that a person changes: the variable in
// .env where the whole value is one variable, else the setting itself.
func written(s *deployment.Service, key string) string {
	if s == nil {
		return key
	}
	v, ok := s.Get(key)
	if !ok {
		return fmt.Sprintf("%s of %s", key, s.Name)
	}
	return valueWritten(s, v)
}

func valueWritten(s *deployment.Service, v deployment.Value) string {
	name, at := "", v.At
	variables := v.Variables
	for len(variables) == 1 && variables[0].Whole && !variables[0].At.IsZero() {
		name, at, variables = variables[0].Name, variables[0].At, variables[0].Variables
	}
	switch {
	case name == "" && v.Source == deployment.FromEnvFile:
		return fmt.Sprintf("%s in %s", v.Key, at.File)
	case name == "":
		return fmt.Sprintf("%s of %s", v.Key, s.Name)
	case at.File == "(environment)":
		return fmt.Sprintf("the shell variable %s", name)
	}
	return fmt.Sprintf("%s in %s", name, at.File)
}

// addressWritten names the setting of the address as a person changes it.
func (c *climb) addressWritten() string {
	e := c.target.Edge
	if e.From != nil && len(e.Addr.Values) > 0 {
		return valueWritten(e.From, e.Addr.Values[0])
	}
	return c.settingName()
}
