package load

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// frameBytesMax bounds a frame we accept; nothing we ask for comes near it.
	frameBytesMax = 1 << 20

	// sourcePorts is how many connections share one loopback source address. Of the default range of
	// 28,232 ephemeral ports Linux tries the even ones first, and all of them when they are taken.
	sourcePorts = 10_000

	// upgradeKey is the nonce every connection sends, upgradeAccept its proof. RFC 6455 §4.2.2.
	upgradeKey    = "ZGVlcHN0cmVhbS1mYXN0IQ=="
	upgradeAccept = "DGGneInqC6Lb7uib1Z0gNvKJX5c="

	pathDefault = "/deepstream"
)

// Conn is one logged-in client connection with blocking, bounded I/O. Not safe for concurrent use.
type Conn struct {
	fd  int
	buf []byte // bytes read beyond the last frame

	dialect Dialect // set by the dialer, then constant
}

// Dial connects to addr ("127.0.0.1:6020"), upgrades, answers the challenge and logs in without
// credentials. index is the number of this connection among its siblings: every sourcePorts of them
// take the next loopback address as their source. Each step takes timeout at most.
func Dial(addr string, index int, timeout time.Duration) (*Conn, error) {
	return DialAs(addr, index, timeout, "{}")
}

// DialAs is Dial with credentials, the text of a JSON object.
func DialAs(addr string, index int, timeout time.Duration, credentials string) (*Conn, error) {
	c, err := dialChallenged(addr, index, timeout)
	if err != nil {
		return nil, err
	}
	if err := c.ask(topicAuth, appendField([]byte{fieldAction << 3, authRequest}, fieldData, credentials), authSuccessful); err != nil {
		c.Close()
		return nil, fmt.Errorf("load: connection %d: login: %w", index, err)
	}
	return c, nil
}

// dialChallenged does what comes before a login.
func dialChallenged(addr string, index int, timeout time.Duration) (*Conn, error) {
	c, err := dialUpgraded(addr, pathDefault, index, timeout)
	if err != nil {
		return nil, err
	}
	if err := c.challenge(addr); err != nil {
		c.Close()
		return nil, fmt.Errorf("load: connection %d: challenge: %w", index, err)
	}
	return c, nil
}

// dialUpgraded opens a WebSocket and says nothing on it.
func dialUpgraded(addr, path string, index int, timeout time.Duration) (*Conn, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil || !to.Addr().Is4() {
		return nil, fmt.Errorf("load: address %q is not IPv4 host:port", addr)
	}
	fd, err := connect(to, index, timeout)
	if err != nil {
		return nil, fmt.Errorf("load: connection %d to %s: %w", index, addr, err)
	}
	c := &Conn{fd: fd}
	if err := c.upgrade(addr, path); err != nil {
		c.Close()
		return nil, fmt.Errorf("load: connection %d: upgrade: %w", index, err)
	}
	return c, nil
}

func connect(to netip.AddrPort, index int, timeout time.Duration) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer func() {
		if err != nil {
			_ = unix.Close(fd)
		}
	}()
	limit := unix.NsecToTimeval(timeout.Nanoseconds())
	err = errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		// Closing resets: thousands of ports must not sit in TIME_WAIT until the next run.
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}),
	)
	if err != nil {
		return fd, err
	}
	if to.Addr().IsLoopback() {
		source := [4]byte{127, 0, 0, byte(1 + index/sourcePorts)}
		// The port is chosen at connect, where a pair may share it, not at bind, where it may not.
		if err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err == nil {
			err = unix.Bind(fd, &unix.SockaddrInet4{Addr: source})
		}
		if err != nil {
			return fd, err
		}
	}
	peer := &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}
	err = unix.Connect(fd, peer)
	for err == unix.EINTR { // by a signal of the Go runtime; the next call waits for the same connection
		err = unix.Connect(fd, peer)
	}
	return fd, err
}

func (c *Conn) upgrade(addr, path string) error {
	request := "GET " + path + " HTTP/1.1\r\nHost: " + addr + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + upgradeKey + "\r\n\r\n"
	if err := writeAll(c.fd, []byte(request)); err != nil {
		return err
	}
	return c.readUpgrade()
}

func (c *Conn) challenge(addr string) error {
	challenge := appendField([]byte{fieldAction << 3, connectionChallenge}, fieldURL, "ws://"+addr+pathDefault)
	challenge = appendField(challenge, fieldProtocolVersion, "0.1a")
	return c.ask(topicConnection, challenge, connectionAccept)
}

func (c *Conn) readUpgrade() error {
	for {
		if end := bytes.Index(c.buf, []byte("\r\n\r\n")); end >= 0 {
			if !bytes.HasPrefix(c.buf, []byte("HTTP/1.1 101 ")) || !bytes.Contains(c.buf[:end], []byte(upgradeAccept)) {
				return fmt.Errorf("upgrade refused: %q", c.buf[:end])
			}
			c.buf = c.buf[end+4:]
			return nil
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
}

// Subscribe subscribes to names, in one message, and waits for the acknowledgement. With NATS it may be
// called once.
func (c *Conn) Subscribe(names ...string) error {
	switch c.dialect {
	case NATS:
		return c.subscribeNATS(names...)
	case Centrifuge:
		return c.subscribeCentrifuge(names...)
	}
	inner := appendField([]byte{fieldAction << 3, eventSubscribe}, fieldCorrelation, "0")
	for _, n := range names {
		inner = appendField(inner, fieldNames, n)
	}
	if err := c.ask(topicEvent, inner, eventSubscribe); err != nil {
		return fmt.Errorf("load: subscribe to %d names: %w", len(names), err)
	}
	return nil
}

// ask sends one message and reads its answer, which must have the same topic and this action.
func (c *Conn) ask(topic byte, inner []byte, action uint64) error {
	if err := writeAll(c.fd, appendFrame(nil, message(topic, inner))); err != nil {
		return err
	}
	payload, err := c.readFrame()
	if err != nil {
		return err
	}
	a, err := decode(payload)
	if err != nil {
		return err
	}
	if a.topic != uint64(topic) || a.action != action || topic == topicEvent && !a.isAck {
		return fmt.Errorf("topic %d: want action %d, got topic %d action %d", topic, action, a.topic, a.action)
	}
	return nil
}

// readFrame returns the next binary frame's payload, valid until the next call.
func (c *Conn) readFrame() ([]byte, error) {
	for {
		op, payload, n, err := nextFrame(c.buf)
		switch {
		case err != nil:
			return nil, err
		case n > 0 && op == opBinary:
			c.buf = c.buf[n:]
			return payload, nil
		case n > 0 && op == opClose:
			return nil, fmt.Errorf("closed by the server: %x", payload)
		case n > 0:
			c.buf = c.buf[n:]
			continue
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

func (c *Conn) fill() error {
	chunk := make([]byte, 1<<10)
	n, err := unix.Read(c.fd, chunk)
	if err == unix.EINTR {
		return nil
	}
	if err != nil {
		return err
	}
	if n == 0 {
		return errors.New("connection closed by the server")
	}
	if len(c.buf)+n > frameBytesMax {
		return errFrame
	}
	c.buf = append(c.buf, chunk[:n]...)
	return nil
}

// Close resets the connection. A second call does nothing.
func (c *Conn) Close() {
	if c.fd >= 0 {
		_ = unix.Close(c.fd)
		c.fd = -1
	}
}

// writeAll writes b to a blocking socket, within its send timeout.
func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
