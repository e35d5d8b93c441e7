//go:build unix

package lab

import (
	"os"
	"os/user"
	"strconv"
)

// GiveToPostfix gives a folder to the account that the package made.
func GiveToPostfix(dir string) error {
	u, err := user.Lookup("postfix")
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	return os.Chown(dir, uid, -1)
}
