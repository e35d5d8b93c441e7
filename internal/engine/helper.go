package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// HelperLabel marks the helpers' containers; its value names the run.
const HelperLabel = "kopano-doctor.helper"

// DefaultHelperImage is what `make image` makes.
const DefaultHelperImage = "kopano-doctor:latest"

// A helper is small, and outlives nobody: it ends when its line is cut, and by
// itself after helperTime.
const (
	helperMemory = 64 << 20
	helperTasks  = 64
	helperTime   = 15 * time.Minute
)

// ErrNoHelperImage says that the image for helpers is not on the engine.
var ErrNoHelperImage = errors.New("no image for helpers")

// HasImage reports whether the engine has an image; nothing is ever pulled.
func (c *Client) HasImage(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	_, err := c.api.ImageInspect(ctx, name)
	return err == nil
}

// Help starts a container with this program in the network of another one and
// with its volumes, read-only, and gives the line to its standard input and
// output. It may do nothing: no capabilities, nothing to write to, little
// memory. Closing the line removes it.
func (c *Client) Help(ctx context.Context, image, run, target string) (io.ReadWriteCloser, error) {
	// What has begun is finished or undone, also when ctx ends meanwhile.
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	defer cancel()
	tasks := int64(helperTasks)
	made, err := c.api.ContainerCreate(ctx, client.ContainerCreateOptions{
		Config: &container.Config{
			Image: image, Cmd: []string{"probe", "--for", helperTime.String()},
			AttachStdin: true, AttachStdout: true, OpenStdin: true, StdinOnce: true,
			Labels: map[string]string{HelperLabel: run},
		},
		HostConfig: &container.HostConfig{
			NetworkMode: container.NetworkMode("container:" + target), VolumesFrom: []string{target + ":ro"},
			AutoRemove: true, ReadonlyRootfs: true, CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"},
			// What passes the line may be secret, and must not end in a log.
			LogConfig: container.LogConfig{Type: "none"},
			Resources: container.Resources{Memory: helperMemory, PidsLimit: &tasks},
		},
	})
	if errdefs.IsNotFound(err) {
		return nil, fmt.Errorf("%w: %s is not there", ErrNoHelperImage, image)
	}
	if err != nil {
		return nil, fmt.Errorf("the helper could not be made: %s", firstLine(err.Error()))
	}
	attached, err := c.api.ContainerAttach(ctx, made.ID, client.ContainerAttachOptions{Stream: true, Stdin: true, Stdout: true})
	if err == nil {
		_, err = c.api.ContainerStart(ctx, made.ID, client.ContainerStartOptions{})
		if err != nil {
			attached.Close()
		}
	}
	if err != nil {
		c.remove(made.ID)
		return nil, fmt.Errorf("the helper could not be started: %s", firstLine(err.Error()))
	}
	return &line{conn: attached.Conn, in: attached.Reader, end: func() { c.remove(made.ID) }}, nil
}

// Sweep removes helpers of earlier runs that were made and never started: a run
// that is killed in that moment cannot take them away itself. Those that were
// started end by themselves.
func (c *Client) Sweep(ctx context.Context, older time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	got, err := c.api.ContainerList(ctx, client.ContainerListOptions{All: true,
		Filters: make(client.Filters).Add("label", HelperLabel).Add("status", "created")})
	if err != nil {
		return
	}
	for _, one := range got.Items {
		if time.Since(time.Unix(one.Created, 0)) >= older {
			c.remove(one.ID)
		}
	}
}

// remove takes a helper away. That it is gone, or about to go, is what is wanted.
func (c *Client) remove(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	for {
		_, err := c.api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		if err == nil || errdefs.IsNotFound(err) || ctx.Err() != nil {
			return
		}
		time.Sleep(50 * time.Millisecond) // its removal is under way: come back until it is gone
	}
}

// line is the standard input and output of a container.
type line struct {
	conn net.Conn
	in   io.Reader
	left int64 // of the present message
	once sync.Once
	end  func()
}

// Read reads standard output, and leaves out the headers of the stream's
// messages and whatever is no standard output (Engine API, "Attach to a container").
func (l *line) Read(p []byte) (int, error) {
	for l.left == 0 {
		var header [8]byte
		if _, err := io.ReadFull(l.in, header[:]); err != nil {
			return 0, io.EOF
		}
		l.left = int64(binary.BigEndian.Uint32(header[4:]))
		if header[0] != 1 {
			if _, err := io.CopyN(io.Discard, l.in, l.left); err != nil {
				return 0, io.EOF
			}
			l.left = 0
		}
	}
	n, err := l.in.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// Write writes to standard input.
func (l *line) Write(p []byte) (int, error) { return l.conn.Write(p) }

// Close cuts the line, and removes the container.
func (l *line) Close() error {
	l.once.Do(func() {
		_ = l.conn.Close()
		l.end()
	})
	return nil
}
