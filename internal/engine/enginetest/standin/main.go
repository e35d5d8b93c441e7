//go:build unix

// Command standin is what the containers of tests run: a program that does one
// simple thing, from an image that holds nothing else.
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	for _, arg := range os.Args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		if err := do(name, value); err != nil {
			fmt.Fprintln(os.Stderr, "standin:", err)
			os.Exit(70)
		}
	}
	<-stop
}

func do(name, value string) error {
	number, _ := strconv.Atoi(value)
	switch name {
	case "say":
		fmt.Println(value)
	case "sleep":
		time.Sleep(time.Duration(number) * time.Millisecond)
	case "exit":
		os.Exit(number)
	case "tcp":
		return serve("tcp", ":"+value)
	case "gsoap":
		return serveGSOAP(":" + value)
	case "unix":
		return serve("unix", value)
	case "fifo":
		return syscall.Mkfifo(value, 0o600)
	case "fill":
		return fill(value)
	case "open":
		return openMany(number)
	case "eat":
		eat(number)
	case "dns":
		return serveNames()
	case "check":
		return check(value)
	default:
		return fmt.Errorf("there is no %q", name)
	}
	return nil
}

// serve greets with the name of this container, and answers each line with it.
func serve(network, address string) error {
	l, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	name, _ := os.Hostname()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(conn, "%s from %s\n", name, conn.RemoteAddr())
			_ = conn.Close()
		}
	}()
	return nil
}

// serveGSOAP answers as kopano_server does to whoever sends no SOAP.
func serveGSOAP(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			fmt.Fprint(conn, "HTTP/1.1 405 Method Not Allowed\r\nServer: gSOAP/2.8\r\nContent-Type: text/xml\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			_ = conn.Close()
		}
	}()
	return nil
}

// eat fills memory until the kernel has had enough.
func eat(megabytes int) {
	var all [][]byte
	for range megabytes {
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = byte(i)
		}
		all = append(all, b)
	}
	fmt.Println("ate", len(all))
}

// check is a health check: good while the file is there.
func check(file string) error {
	if _, err := os.Stat(file); err != nil {
		fmt.Println("bind failed for cn=admin with password s3cr3t-in-health")
		os.Exit(1)
	}
	os.Exit(0)
	return nil
}

// serveNames is a name server that knows the zone "known.test" and denies all else.
func serveNames() error {
	conn, err := net.ListenPacket("udp", ":53")
	if err != nil {
		return err
	}
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if n > 12 {
				_, _ = conn.WriteTo(answer(buf[:n]), from)
			}
		}
	}()
	return nil
}

// answer writes a reply by hand: 192.0.2.77 for known.test, else NXDOMAIN.
func answer(q []byte) []byte {
	end := 12
	for end < len(q) && q[end] != 0 {
		end += int(q[end]) + 1
	}
	if end+5 > len(q) {
		return q
	}
	name, kind := string(q[12:end]), q[end+2]
	out := append([]byte{}, q[:end+5]...)
	out[2], out[3] = 0x84, 0x83 // an answer, and the name does not exist
	copy(out[4:12], []byte{0, 1, 0, 0, 0, 0, 0, 0})
	if strings.EqualFold(name, "\x05known\x04test") {
		out[3] = 0x80
		if kind == 1 {
			out[7] = 1
			out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 77)
		}
	}
	return out
}

// fill writes into a folder until its disk is full.
func fill(folder string) error {
	f, err := os.Create(folder + "/filled")
	if err != nil {
		return err
	}
	for err == nil {
		_, err = f.Write(make([]byte, 64<<10))
	}
	fmt.Println("filled:", err)
	return f.Close()
}

// held keeps what openMany opens from being closed by the collector.
var held []*os.File

// openMany opens one file many times.
func openMany(n int) error {
	for range n {
		f, err := os.Open("/data/greeting")
		if err != nil {
			return err
		}
		held = append(held, f)
	}
	return nil
}
