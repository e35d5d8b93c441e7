package finding

import "github.com/kopano-doctor/kopano-doctor/internal/secret"

// Edit is one change of one file: the bytes from Start up to End become New.
// A finding has edits only where there is one right answer. The texts may hold
// a password, so neither ever prints itself.
type Edit struct {
	File   string      // as in Location
	Create bool        // the file does not exist yet; Start and End are 0
	Start  int         // offset in bytes of the file as it was read, a byte order mark included
	End    int         // equal to Start for an insertion
	Old    secret.Text // what stands there; an edit whose file has something else there must not be made
	New    secret.Text
}

// Change makes an edit whose texts are hidden whatever they hold.
func Change(file string, start int, old, text string) Edit {
	return Edit{File: file, Start: start, End: start + len(old), Old: secret.New(old, true), New: secret.New(text, true)}
}

// Creation makes the edit that creates an empty file.
func Creation(file string) Edit { return Edit{File: file, Create: true} }
