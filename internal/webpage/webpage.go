// Package webpage holds what the pages of kopano-doctor have in common: how
// they look. They are one file each, load nothing and run no script.
package webpage

import _ "embed"

// Style is the style sheet of every page.
//
//go:embed style.css
var Style string

// Policy keeps a browser from loading or running anything, whatever a text in
// the page would want.
const Policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
