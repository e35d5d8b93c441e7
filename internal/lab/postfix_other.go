//go:build !unix

package lab

// GiveToPostfix does nothing: there is no Postfix here.
func GiveToPostfix(string) error { return nil }
