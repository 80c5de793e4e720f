package hostile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"deepstream-fast/codec"
	"deepstream-fast/codec/ws"
	"deepstream-fast/protocol"
)

const upgradeRequest = "GET /deepstream HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

var mask = [4]byte{0x5a, 0xc3, 0x96, 0x3c}

// client is one connection, blocking, with a deadline on everything.
type client struct {
	t testing.TB
	net.Conn
	r    *bufio.Reader
	rest []byte // messages of the last frame that were not looked at yet
	m    protocol.Message
}

// dial connects and nothing more.
func (s *server) dial(t testing.TB) *client {
	t.Helper()
	c, err := s.tryDial(t)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *server) tryDial(t testing.TB) (*client, error) {
	conn, err := net.DialTimeout("tcp", s.addr, patience)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	t.Cleanup(func() { _ = conn.Close() })
	return &client{t: t, Conn: conn, r: bufio.NewReaderSize(conn, 4<<10)}, nil
}

// upgrade connects and shakes hands.
func (s *server) upgrade(t testing.TB) *client {
	t.Helper()
	c := s.dial(t)
	if err := c.tryUpgrade(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *client) tryUpgrade() error {
	if _, err := c.Write([]byte(upgradeRequest)); err != nil {
		return err
	}
	head, err := c.head()
	if err == nil && !strings.HasPrefix(head, "HTTP/1.1 101") {
		err = fmt.Errorf("upgrade answered %q", head)
	}
	return err
}

// login connects, shakes hands and logs in; an empty user is nobody in particular.
func (s *server) login(t testing.TB, user string) *client {
	t.Helper()
	c, err := s.tryLogin(t, user)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *server) tryLogin(t testing.TB, user string) (*client, error) {
	c, err := s.tryDial(t)
	if err != nil {
		return nil, err
	}
	if err := c.tryUpgrade(); err != nil {
		return nil, err
	}
	credentials := "{}"
	if user != "" {
		credentials = fmt.Sprintf(`{"username":%q}`, user)
	}
	b := frameOf(
		&protocol.Message{Topic: protocol.TopicConnection, Action: protocol.ConnectionChallenge, URL: []byte("x")},
		&protocol.Message{Topic: protocol.TopicAuth, Action: protocol.AuthRequest, Data: []byte(credentials)},
	)
	if _, err := c.Write(b); err != nil {
		return nil, err
	}
	for {
		m, err := c.next()
		if err != nil {
			return nil, err
		}
		if m.Topic == protocol.TopicAuth {
			if m.Action != protocol.AuthSuccessful {
				return nil, fmt.Errorf("login answered %s", m)
			}
			return c, nil
		}
	}
}

// head reads an HTTP response head.
func (c *client) head() (string, error) {
	var b strings.Builder
	for !strings.HasSuffix(b.String(), "\r\n\r\n") {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return b.String(), err
		}
		b.WriteString(line)
	}
	return b.String(), nil
}

func (c *client) send(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

func (c *client) sendMessages(ms ...*protocol.Message) { c.t.Helper(); c.send(frameOf(ms...)) }

// closed is the error of a connection that the server closed with a close frame.
type closed struct{ code int }

func (c closed) Error() string { return fmt.Sprintf("closed with %d", c.code) }

// frame reads one server frame.
func (c *client) frame() (op ws.Opcode, payload []byte, err error) {
	var h [10]byte
	if _, err := io.ReadFull(c.r, h[:2]); err != nil {
		return 0, nil, err
	}
	n := uint64(h[1])
	switch n {
	case 126:
		_, err = io.ReadFull(c.r, h[2:4])
		n = uint64(binary.BigEndian.Uint16(h[2:]))
	case 127:
		_, err = io.ReadFull(c.r, h[2:10])
		n = binary.BigEndian.Uint64(h[2:])
	}
	if err != nil {
		return 0, nil, err
	}
	if h[0]&0x80 == 0 || h[1]&0x80 != 0 || n > 256*mib {
		return 0, nil, errors.New("a fragment, masked or giant")
	}
	p := make([]byte, n)
	_, err = io.ReadFull(c.r, p)
	return ws.Opcode(h[0] & 0x0f), p, err
}

// next returns the next protocol message, valid until the next call.
func (c *client) next() (*protocol.Message, error) {
	for len(c.rest) == 0 {
		op, payload, err := c.frame()
		if err != nil {
			return nil, err
		}
		switch op {
		case ws.Binary:
			c.rest = payload
		case ws.Close:
			if len(payload) < 2 {
				return nil, closed{1005}
			}
			return nil, closed{int(binary.BigEndian.Uint16(payload))}
		}
	}
	n, err := codec.Decode(&c.m, c.rest)
	c.rest = c.rest[n:]
	return &c.m, err
}

// want reads until a message of that topic and action.
func (c *client) want(topic protocol.Topic, action protocol.Action) *protocol.Message {
	c.t.Helper()
	m, err := c.await(topic, action)
	if err != nil {
		c.t.Fatalf("waiting for topic %d action %d: %v", topic, action, err)
	}
	return m
}

func (c *client) await(topic protocol.Topic, action protocol.Action) (*protocol.Message, error) {
	for {
		m, err := c.next()
		if err != nil || m.Topic == topic && m.Action == action {
			return m, err
		}
	}
}

// wantClose reads until the close frame.
func (c *client) wantClose(code int) {
	c.t.Helper()
	for {
		_, err := c.next()
		if err == nil {
			continue
		}
		var cl closed
		if !errors.As(err, &cl) || cl.code != code {
			c.t.Fatalf("got %v, want close %d", err, code)
		}
		return
	}
}

// alive fails the test unless the connection still answers.
func (c *client) alive() {
	c.t.Helper()
	c.sendMessages(&protocol.Message{Topic: protocol.TopicConnection, Action: protocol.ConnectionPing})
	c.want(protocol.TopicConnection, protocol.ConnectionPong)
}

func (c *client) subscribe(names ...string) {
	c.t.Helper()
	c.sendMessages(subscribeTo(names...))
	c.want(protocol.TopicEvent, protocol.EventSubscribe)
}

func subscribeTo(names ...string) *protocol.Message {
	return &protocol.Message{Topic: protocol.TopicEvent, Action: protocol.EventSubscribe, CorrelationID: []byte("s"), Names: list(names)}
}

func emit(name, data string) *protocol.Message {
	return &protocol.Message{Topic: protocol.TopicEvent, Action: protocol.EventEmit, Name: []byte(name), Data: []byte(data)}
}

func list(names []string) protocol.Names {
	l := make([][]byte, len(names))
	for i, n := range names {
		l[i] = []byte(n)
	}
	return protocol.ListNames(l)
}

// numbered returns n distinct names.
func numbered(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s%d", prefix, i)
	}
	return names
}

// frameOf returns one masked binary frame that holds ms.
func frameOf(ms ...*protocol.Message) []byte {
	var p []byte
	for _, m := range ms {
		p = codec.Append(p, m)
	}
	return maskedFrame(ws.Binary, p)
}

func maskedFrame(op ws.Opcode, payload []byte) []byte {
	return ws.AppendMasked(nil, op, mask, bytes.Clone(payload))
}
