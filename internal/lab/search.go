package lab

import (
	"bufio"
	"io"
	"net"
	"strings"
)

// Search is a stand-in for kopano-search, which cannot be had from Debian: it
// answers PROPS as that does (kopano-core ECtools/search).
func Search(c net.Conn) {
	line, err := bufio.NewReader(io.LimitReader(c, 1<<10)).ReadString('\n')
	if err != nil {
		return
	}
	if strings.TrimSpace(line) != "PROPS" {
		_, _ = io.WriteString(c, "BAD\r\n")
		return
	}
	_, _ = io.WriteString(c, "OK:125 100 4105 4102\r\n")
}
