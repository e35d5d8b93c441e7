package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/client"
)

// maxLog bounds what is read of one log, maxFrame one message in it.
const (
	maxLog   = 2 << 20
	maxFrame = 1 << 20
)

// Logs gives the last lines of a container's log, both streams in the order in
// which the engine kept them, since a time where that is not zero.
func (c *Client) Logs(ctx context.Context, container string, last int, since time.Time) ([]string, error) {
	options := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(last)}
	if !since.IsZero() {
		options.Since = strconv.FormatInt(since.Unix(), 10)
	}
	return c.readLines(ctx, container, options, last)
}

// LogLine is a line of a log.
type LogLine struct {
	At   time.Time // when the engine got it; zero when that cannot be read
	Text string    // at most 540 characters
}

// LogTail gives the last lines of a container's log since a time, with the
// time of each.
func (c *Client) LogTail(ctx context.Context, container string, last int, since time.Time) ([]LogLine, error) {
	options := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(last), Timestamps: true}
	if !since.IsZero() {
		since = c.logBegin(since)
		options.Since = fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond())
	}
	lines, err := c.readLines(ctx, container, options, last)
	if err != nil {
		return nil, err
	}
	out := make([]LogLine, 0, len(lines))
	for _, l := range lines {
		stamp, text, ok := strings.Cut(l, " ")
		at := moment(stamp)
		if !ok || at.IsZero() {
			text = l // what goes on from the line before, or an engine that gives no times
		}
		if strings.TrimSpace(text) != "" {
			out = append(out, LogLine{at, text})
		}
	}
	return out, nil
}

// logBegin gives the time from which on the lines of a container's run must be
// asked for. Docker notes a start when the container's first process has begun,
// so that one that fails at once may have said everything before it: seen with
// Docker 20.10 on a busy machine. Podman notes a start some milliseconds after the container has
// begun, so that one that fails at once has said everything before it
// (libpod/oci_conmon_common.go), and it counts the times of lines in whole
// seconds (pkg/api/handlers/compat/logs.go). Seen with Podman 4.3.1.
func (c *Client) logBegin(since time.Time) time.Time {
	if c.podman.Load() {
		return since.Truncate(time.Second).Add(-time.Second)
	}
	return since.Add(-time.Second)
}

func (c *Client) readLines(ctx context.Context, container string, options client.ContainerLogsOptions, last int) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
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
		out[i] = clip(strings.TrimRight(l, "\r"), 540)
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
