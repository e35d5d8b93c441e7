package vantage

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
)

// maxDatagram is the longest that UDP carries, and what two bytes can tell.
const maxDatagram = 1<<16 - 1

// writeDatagram sends one datagram over a stream: two bytes of length, then itself.
func writeDatagram(w io.Writer, data []byte) error {
	if len(data) > maxDatagram {
		return errors.New("longer than a datagram can be")
	}
	_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(data))), data...))
	return err
}

// readDatagram reads one datagram into p. What does not fit is lost, as it is
// when it comes from a socket.
func readDatagram(r io.Reader, p []byte) (int, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, err
	}
	length := int(binary.BigEndian.Uint16(head[:]))
	n, err := io.ReadFull(r, p[:min(length, len(p))])
	if err == nil {
		_, err = io.CopyN(io.Discard, r, int64(length-n))
	}
	return n, err
}

// passDatagrams passes datagrams between a UDP socket and a stream until
// either ends.
func passDatagrams(conn net.Conn, stream io.Writer, in io.Reader) {
	go func() {
		defer conn.Close()
		data := make([]byte, maxDatagram)
		for {
			n, err := readDatagram(in, data)
			if err != nil {
				return
			}
			if _, err := conn.Write(data[:n]); err != nil {
				return
			}
		}
	}()
	data := make([]byte, maxDatagram)
	for {
		n, err := conn.Read(data)
		if err != nil || writeDatagram(stream, data[:n]) != nil {
			return
		}
	}
}

// datagramConn is a UDP socket at the other end of a relay. When nobody is
// there, reading ends with io.EOF: the relay has no way to say so.
type datagramConn struct{ *relayConn }

// Read reads one datagram.
func (c *datagramConn) Read(p []byte) (int, error) { return readDatagram(c.in, p) }

// Write sends one datagram.
func (c *datagramConn) Write(p []byte) (int, error) {
	if err := writeDatagram(c.Stream, p); err != nil {
		return 0, err
	}
	return len(p), nil
}
