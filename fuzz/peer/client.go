package peer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"deepstream-fast/codec"
	"deepstream-fast/codec/ws"
	"deepstream-fast/protocol"
)

// Patience is how long a Client waits for anything.
const Patience = 20 * time.Second

// Path is the URL path a Client asks for.
const Path = "/deepstream"

const upgradeRequest = "GET " + Path + " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"X-Test: kept\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

var maskKey = [4]byte{0x1b, 0x5e, 0x93, 0xc7}

// Client is one connection. Not safe for concurrent use, but for Write and CloseWrite beside a read.
type Client struct {
	conn   net.Conn
	r      *bufio.Reader
	pings  int    // sent and not answered
	closed string // why nothing more will come; empty while open
}

// Dial opens a WebSocket to the server at addr.
func Dial(addr net.Addr) (*Client, error) {
	conn, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		return nil, fmt.Errorf("peer: %w", err)
	}
	return Over(conn)
}

// Over opens a WebSocket over conn, which is closed on an error.
func Over(conn net.Conn) (*Client, error) {
	c := &Client{conn: conn, r: bufio.NewReader(conn)}
	if err := c.upgrade(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *Client) upgrade() error {
	_ = c.conn.SetDeadline(time.Now().Add(Patience))
	if _, err := c.conn.Write([]byte(upgradeRequest)); err != nil {
		return fmt.Errorf("peer: upgrade: %w", err)
	}
	status, err := c.r.ReadString('\n')
	for line := status; err == nil && line != "\r\n"; {
		line, err = c.r.ReadString('\n')
	}
	if err != nil || !strings.HasPrefix(status, "HTTP/1.1 101 ") {
		return fmt.Errorf("peer: upgrade answered %q: %w", status, err)
	}
	return nil
}

// Write sends bytes as they are. A connection the server has closed swallows them.
func (c *Client) Write(b []byte) {
	_ = c.conn.SetWriteDeadline(time.Now().Add(Patience))
	_, _ = c.conn.Write(b)
}

// Send sends messages in the text form, a frame each, in one write.
func (c *Client) Send(texts ...string) error {
	var out []byte
	for _, text := range texts {
		m, err := Parse(text)
		if err != nil {
			return err
		}
		if m.Topic == protocol.TopicConnection && m.Action == protocol.ConnectionPing {
			c.pings++
		}
		out = AppendMessage(out, &m)
	}
	c.Write(out)
	return nil
}

// AppendMessage appends m as a client's frame.
func AppendMessage(dst []byte, m *protocol.Message) []byte {
	return AppendFrame(dst, ws.Binary, codec.Append(nil, m))
}

// AppendFrame appends a client's frame.
func AppendFrame(dst []byte, op ws.Opcode, payload []byte) []byte {
	return ws.AppendMasked(dst, op, maskKey, payload)
}

// Fence returns, in the text form, what the server sends until it has handled everything sent to it
// so far. The end of the connection is the last line, once: "closed", the code and the reason.
func (c *Client) Fence() ([]string, error) {
	if c.closed != "" {
		return nil, nil
	}
	if err := c.Send("CONNECTION PING"); err != nil {
		return nil, err
	}
	var lines []string
	for c.closed == "" {
		messages, err := c.next()
		lines = append(lines, messages...)
		if err != nil {
			return lines, err
		}
		if c.pings == 0 { // the last line answers our own
			return lines[:len(lines)-1], nil
		}
	}
	return lines, nil
}

// Await returns what the server sends up to a message that begins with prefix, or the end.
func (c *Client) Await(prefix string) ([]string, error) {
	var lines []string
	for c.closed == "" {
		messages, err := c.next()
		lines = append(lines, messages...)
		if err != nil || len(messages) > 0 && strings.HasPrefix(messages[len(messages)-1], prefix) {
			return lines, err
		}
	}
	return lines, nil
}

// AwaitClose returns what the server sends until it closes the connection.
func (c *Client) AwaitClose() ([]string, error) {
	var lines []string
	for c.closed == "" {
		messages, err := c.next()
		lines = append(lines, messages...)
		if err != nil {
			return lines, err
		}
	}
	return lines, nil
}

// Close says good-bye and waits until the server has hung up, by when it has forgotten the
// connection. It returns what still came.
func (c *Client) Close() ([]string, error) {
	if c.closed != "" {
		return nil, nil
	}
	c.Write(AppendFrame(nil, ws.Close, binary.BigEndian.AppendUint16(nil, uint16(ws.CloseNormal))))
	return c.AwaitClose()
}

// CloseWrite ends the sending direction; the server sees the end of the stream.
func (c *Client) CloseWrite() {
	if tcp, ok := c.conn.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
}

// Abort resets the connection.
func (c *Client) Abort() {
	if tcp, ok := c.conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.conn.Close()
	c.closed = "closed by us"
}

// Closed reports whether the connection has ended.
func (c *Client) Closed() bool { return c.closed != "" }

// next returns the messages of the next frame, or the line about the end.
func (c *Client) next() ([]string, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(Patience))
	op, payload, err := c.readFrame()
	switch {
	case err != nil:
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return nil, fmt.Errorf("peer: the server is silent: %w", err)
		}
		return c.end("closed"), nil
	case op == ws.Close && len(payload) >= 2:
		return c.end(strings.TrimSpace(fmt.Sprintf("closed %d %s", binary.BigEndian.Uint16(payload), payload[2:]))), nil
	case op == ws.Close:
		return c.end("closed without a code"), nil
	case op != ws.Binary:
		return []string{fmt.Sprintf("%v %q", op, payload)}, nil
	}
	return c.decode(payload)
}

func (c *Client) decode(payload []byte) ([]string, error) {
	var lines []string
	for len(payload) > 0 {
		var m protocol.Message
		n, err := codec.Decode(&m, payload)
		if err != nil {
			return lines, fmt.Errorf("peer: the server sent % x: %w", payload, err)
		}
		if m.Topic == protocol.TopicConnection && m.Action == protocol.ConnectionPong {
			c.pings--
		}
		lines = append(lines, m.String())
		payload = payload[n:]
	}
	return lines, nil
}

// end notes the end of the connection and returns the line about it.
func (c *Client) end(how string) []string {
	c.closed = how
	_, _ = io.Copy(io.Discard, c.r) // until the server has hung up
	_ = c.conn.Close()
	return []string{how}
}

// readFrame reads one server frame.
func (c *Client) readFrame() (ws.Opcode, []byte, error) {
	var h [10]byte
	if _, err := io.ReadFull(c.r, h[:2]); err != nil {
		return 0, nil, err
	}
	op, size, more := ws.Opcode(h[0]&0x0f), uint64(h[1]), 0
	switch size {
	case 126:
		more = 2
	case 127:
		more = 8
	}
	if more > 0 {
		if _, err := io.ReadFull(c.r, h[10-more:]); err != nil {
			return 0, nil, err
		}
		clear(h[:10-more])
		size = binary.BigEndian.Uint64(h[2:])
	}
	payload := make([]byte, size)
	_, err := io.ReadFull(c.r, payload)
	return op, payload, err
}
