//go:build linux

package main

import (
	"io"
	"log"
	"net"
	"os"
	"strings"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
)

// The ways in which LAB_FAULT makes a part behave badly. They take the place
// of the part's ports altogether, so that they work for any protocol.
const (
	faultSilent  = "silent"  // accepts, and says nothing
	faultHangUp  = "hang-up" // accepts, and closes
	faultHalf    = "half"    // says the first bytes of an answer, then nothing
	faultSSH     = "ssh"     // another kind of server
	faultSlow    = "slow"    // waits ten seconds before each answer
	faultExit    = "exit"    // ends at once, with code 1
	faultEat     = "eat"     // fills the memory that it is given
	faultNothing = "nothing" // runs, and listens nowhere
)

// faulty plays the fault of this container on the given addresses, if there is one.
func faulty(l *lab.Lab, addresses ...string) (bool, error) {
	kind := os.Getenv("LAB_FAULT")
	handle, ok := map[string]func(net.Conn){
		faultSilent: drain, faultHangUp: func(net.Conn) {},
		faultHalf: func(c net.Conn) { _, _ = io.WriteString(c, "2"); drain(c) },
		faultSSH:  func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"); drain(c) },
		faultSlow: func(net.Conn) { time.Sleep(10 * time.Second) },
	}[kind]
	switch {
	case ok:
		for _, address := range addresses {
			if err := l.ServeOn(network(address), address, handle); err != nil {
				return true, err
			}
		}
		return true, nil
	case kind == faultExit:
		log.Print("error: cannot read its settings") // and the deployment's restart policy starts it again
		time.Sleep(300 * time.Millisecond)
		os.Exit(1)
	case kind == faultEat:
		eat()
	case kind == faultNothing:
		return true, nil
	}
	return false, nil
}

func network(address string) string {
	if strings.HasPrefix(address, "/") {
		return "unix"
	}
	return "tcp"
}

func drain(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// eat fills memory until the kernel has had enough.
func eat() {
	var all [][]byte
	for {
		block := make([]byte, 8<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		all = append(all, block)
		_ = all
	}
}
