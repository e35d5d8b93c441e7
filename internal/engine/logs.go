package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/client"
)

// maxLog bounds what is read of one log, maxFrame one message in it.
const (
	maxLog   = 256 << 10
	maxFrame = 1 << 20
)

// Logs gives the last lines of a container's log, both streams in the order in
// which the engine kept them, since a time where that is not zero.
func (c *Client) Logs(ctx context.Context, container string, last int, since time.Time) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	options := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(last)}
	if !since.IsZero() {
		options.Since = strconv.FormatInt(since.Unix(), 10)
	}
	stream, err := c.api.ContainerLogs(ctx, container, options)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	text, err := readLog(io.LimitReader(stream, maxLog))
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimRight(text, "\r\n"), "\n")
	out := lines[max(0, len(lines)-last):]
	for i, l := range out {
		out[i] = clip(strings.TrimRight(l, "\r"), 500)
	}
	return out, nil
}

// readLog takes the two streams of a log apart. Each message has a header of
// eight bytes: the stream, three zeroes, the length (Engine API, "Attach to a
// container"). A container with a terminal has one stream without headers.
func readLog(r io.Reader) (string, error) {
	var out bytes.Buffer
	header := make([]byte, 8)
	for {
		n, err := io.ReadFull(r, header)
		if err != nil && n == 0 {
			return out.String(), logEnd(err)
		}
		if err != nil || header[0] > 3 || header[1] != 0 || header[2] != 0 || header[3] != 0 {
			out.Write(header[:n])
			_, err := io.Copy(&out, r)
			return out.String(), logEnd(err)
		}
		length := min(int64(binary.BigEndian.Uint32(header[4:])), maxFrame)
		if _, err := io.CopyN(&out, r, length); err != nil {
			return out.String(), logEnd(err)
		}
	}
}

func logEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
