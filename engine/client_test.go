package engine

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"deepstream-fast/codec/ws"
)

const patience = 10 * time.Second // no test waits longer for anything

// client is the other end of a connection: a blocking WebSocket client of a few lines.
type client struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, e *Engine) *client {
	t.Helper()
	c, err := net.Dial("tcp", e.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { _ = c.Close() })
	return &client{t: t, Conn: c, r: bufio.NewReader(c)}
}

const upgradeRequest = "GET /deepstream?x=1 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

func dialWS(t *testing.T, e *Engine) *client {
	t.Helper()
	c := dial(t, e)
	c.send([]byte(upgradeRequest))
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 101") {
		t.Fatalf("upgrade answered %q", head)
	}
	return c
}

func (c *client) send(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

func (c *client) sendText(op ws.Opcode, s string) { c.t.Helper(); c.send(masked(op, s)) }

func masked(op ws.Opcode, s string) []byte {
	return ws.AppendMasked(nil, op, [4]byte{1, 2, 3, 4}, []byte(s))
}

// head reads an HTTP response head.
func (c *client) head() string {
	c.t.Helper()
	var b strings.Builder
	for !strings.HasSuffix(b.String(), "\r\n\r\n") {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("response head after %q: %v", b.String(), err)
		}
		b.WriteString(line)
	}
	return b.String()
}

type frame struct {
	op      ws.Opcode
	payload string
}

// next reads one server frame.
func (c *client) next() (frame, error) {
	var h [2]byte
	if _, err := io.ReadFull(c.r, h[:]); err != nil {
		return frame{}, err
	}
	if h[0]&0x80 == 0 || h[1]&0x80 != 0 {
		return frame{}, fmt.Errorf("server sent a fragment or a masked frame: % x", h)
	}
	n := uint64(h[1])
	switch n {
	case 126:
		var l [2]byte
		if _, err := io.ReadFull(c.r, l[:]); err != nil {
			return frame{}, err
		}
		n = uint64(binary.BigEndian.Uint16(l[:]))
	case 127:
		var l [8]byte
		if _, err := io.ReadFull(c.r, l[:]); err != nil {
			return frame{}, err
		}
		n = binary.BigEndian.Uint64(l[:])
	}
	p := make([]byte, n)
	if _, err := io.ReadFull(c.r, p); err != nil {
		return frame{}, err
	}
	return frame{ws.Opcode(h[0] & 0x0f), string(p)}, nil
}

func (c *client) want(op ws.Opcode, payload string) {
	c.t.Helper()
	f, err := c.next()
	if err != nil {
		c.t.Fatalf("waiting for %v %q: %v", op, abbreviate(payload), err)
	}
	if f.op != op || f.payload != payload {
		c.t.Fatalf("got %v %q, want %v %q", f.op, abbreviate(f.payload), op, abbreviate(payload))
	}
}

// wantClose reads up to the server's close frame with the given code, and to the end of the stream.
func (c *client) wantClose(code ws.CloseCode) {
	c.t.Helper()
	for {
		f, err := c.next()
		if err != nil {
			c.t.Fatalf("waiting for close %d: %v", code, err)
		}
		if f.op != ws.Close {
			continue
		}
		if got := binary.BigEndian.Uint16([]byte(f.payload)); got != uint16(code) {
			c.t.Fatalf("closed with %d, want %d", got, code)
		}
		break
	}
	if n, err := c.r.Read(make([]byte, 1)); err == nil {
		c.t.Fatalf("%d bytes behind the close frame", n)
	}
}

func abbreviate(s string) string {
	if len(s) > 60 {
		return fmt.Sprintf("%s… (%d bytes)", s[:60], len(s))
	}
	return s
}

// eventually polls until ok, since what it waits for happens on a loop.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		<-tick.C
	}
}
