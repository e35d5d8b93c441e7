package rules

import "slices"

// All gives every rule, in the order of the rule reference: one list per
// subject, in the file of that name.
func All() []Rule {
	return slices.Concat[[]Rule]()
}
