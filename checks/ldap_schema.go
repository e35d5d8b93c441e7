package checks

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// kopanoAttribute finds the names of Kopano's schema in a filter.
var kopanoAttribute = regexp.MustCompile(`(?i)\bkopano[A-Za-z-]*`)

// withoutSchema tells why a filter of Kopano's words finds nobody: the
// directory was made without Kopano's schema. Most directories show their
// schema to everybody (RFC 4512, 4.4); of one that does not, nothing is said.
func (c *ldapClimb) withoutSchema(ctx context.Context, f *failure) bool {
	s := c.settings
	words := kopanoAttribute.FindAllString(s.filter, -1)
	if len(words) == 0 || c.hasKopanoSchema(ctx) {
		return false
	}
	f.Reason = ReasonNoSchema
	f.Message += "; the directory does not know Kopano's schema, from which " + someOf(words) + " comes"
	c.broke(f, append(c.directoryPlaces(), related(s.placesOf(s.keys.filter))...), "The directory does not know Kopano's schema",
		fmt.Sprintf("Load kopano.schema into %s (upstream's image kopano_ldap has it), give the users kopanoAccount: 1, or let %s ask for attributes that they have.", c.to(c.server.Host), written(s.from, s.keys.filter)))
	return true
}

// hasKopanoSchema is true as well when the schema cannot be read.
func (c *ldapClimb) hasKopanoSchema(ctx context.Context) bool {
	root, err := c.query(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", 1, nil, "subschemaSubentry")
	if err != nil || len(root.Entries) != 1 {
		return true
	}
	at := root.Entries[0].GetEqualFoldAttributeValue("subschemaSubentry")
	if at == "" {
		return true
	}
	schema, err := c.query(ctx, at, ldap.ScopeBaseObject, "(objectClass=subschema)", 1, nil, "attributeTypes")
	if err != nil || len(schema.Entries) != 1 {
		return true
	}
	types := schema.Entries[0].GetEqualFoldAttributeValues("attributeTypes")
	for _, t := range types {
		if strings.Contains(strings.ToLower(t), "'"+strings.ToLower(accountAttribute)+"'") {
			return true
		}
	}
	return len(types) == 0
}
