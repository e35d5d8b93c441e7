package config

import _ "embed" // for the text

//go:embed example.yaml
var example string

// Example gives a file with every setting, explained and switched off.
func Example() string { return example }
