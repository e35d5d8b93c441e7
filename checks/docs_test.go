package checks

import "testing"

func TestEveryCheckIsDocumented(t *testing.T) {
	if left := undocumented(); len(left) > 0 {
		t.Errorf("no entry in Docs for the checks of %v", left)
	}
	for _, d := range Docs() {
		if d.Check != nil && len(LinksOf(d.Check)) == 0 || d.Asks == "" || len(d.Reasons) == 0 {
			t.Errorf("%s: looks at no link, or says too little", d.Title)
		}
	}
}
