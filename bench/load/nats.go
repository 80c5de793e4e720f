package load

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Dialect is what a server speaks above WebSocket frames.
type Dialect string

// The dialects. A fleet publishes one message per frame in each; how many messages a server puts into
// a frame is its own affair.
const (
	Deepstream Dialect = ""
	NATS       Dialect = "nats"       // the NATS client protocol, without headers and compression
	Centrifuge Dialect = "centrifuge" // the Centrifuge client protocol in protobuf, without compression
)

// Dial opens a connection and logs it in, with credentials if the dialect has them; index is as in the
// function Dial.
func (d Dialect) Dial(addr string, index int, timeout time.Duration, credentials string) (*Conn, error) {
	switch d {
	case NATS:
		return DialNATS(addr, index, timeout)
	case Centrifuge:
		return DialCentrifuge(addr, index, timeout)
	}
	return DialAs(addr, index, timeout, credentials)
}

// natsConnect is what a NATS client says first, as the client libraries for browsers do.
const natsConnect = `CONNECT {"verbose":false,"pedantic":false,"tls_required":false,"lang":"bench","version":"1","protocol":1,"echo":false}` + "\r\n"

var (
	natsEnd  = []byte("\r\n")
	natsPing = []byte("PING\r\n")
)

// DialNATS opens a connection to a NATS server's WebSocket port and introduces itself; index is as in Dial.
func DialNATS(addr string, index int, timeout time.Duration) (*Conn, error) {
	c, err := dialUpgraded(addr, pathDefault, index, timeout)
	if err != nil {
		return nil, err
	}
	c.dialect = NATS
	if err := c.askNATS(natsConnect); err != nil {
		c.Close()
		return nil, fmt.Errorf("load: connection %d: connect: %w", index, err)
	}
	return c, nil
}

// subscribeNATS is Subscribe. The id of a subscription is its place in names, from 1.
func (c *Conn) subscribeNATS(names ...string) error {
	var text strings.Builder
	for i, n := range names {
		fmt.Fprintf(&text, "SUB %s %d\r\n", n, i+1)
	}
	if err := c.askNATS(text.String()); err != nil {
		return fmt.Errorf("load: subscribe to %d names: %w", len(names), err)
	}
	return nil
}

// askNATS sends text and a PING, and reads up to the answer to the latter.
func (c *Conn) askNATS(text string) error {
	if err := writeAll(c.fd, appendFrame(nil, append([]byte(text), natsPing...))); err != nil {
		return err
	}
	for {
		payload, err := c.readFrame()
		if err != nil {
			return err
		}
		for line := range bytes.Lines(payload) {
			switch {
			case bytes.HasPrefix(line, []byte("PONG")):
				return nil
			case bytes.HasPrefix(line, []byte("-ERR")):
				return fmt.Errorf("refused: %q", line)
			}
		}
	}
}

// buildNATS prepares the publication of data and the beginning of its delivery.
func (f *Fleet) buildNATS(data string, at int) {
	head := fmt.Sprintf("PUB %s %d\r\n", f.opts.Name, len(data))
	f.plain = append([]byte(head+data), natsEnd...)
	f.template = appendFrame(nil, f.plain)
	f.digitsAt, f.digitsIn = len(head)+at, at
	f.head = fmt.Appendf(nil, "MSG %s 1 %d\r\n", f.opts.Name, len(data))
}

// countNATS verifies every complete message in the payload of a frame. A message that goes on in the
// next frame waits for it.
func (f *Fleet) countNATS(s *subscriber, payload []byte, now time.Duration) error {
	waited := len(s.text) > 0
	if waited {
		s.text = append(s.text, payload...)
		payload = s.text
	}
	rest, err := f.eachNATS(s, payload, now)
	if err != nil {
		return err
	}
	if waited || len(rest) > 0 {
		s.text, err = keepRest(s.text, rest)
	}
	return err
}

// eachNATS verifies what is complete in b and returns what is not. Source: the NATS client protocol,
// MSG, PING, -ERR.
//
// Hot path: 0 allocations unless a message is cut, see BenchmarkCountNATS.
func (f *Fleet) eachNATS(s *subscriber, b []byte, now time.Duration) (rest []byte, err error) {
	whole := len(f.head) + f.opts.PayloadBytes + len(natsEnd)
	for len(b) > 0 {
		if bytes.HasPrefix(b, f.head) {
			if len(b) < whole {
				return b, nil
			}
			i, ok := numberIn(b[len(f.head):], f.digitsIn)
			if !ok || !bytes.Equal(b[whole-len(natsEnd):whole], natsEnd) {
				return nil, fmt.Errorf("unexpected payload %q", b[:whole])
			}
			if err := f.land(s, i, now); err != nil {
				return nil, err
			}
			b = b[whole:]
			continue
		}
		end := bytes.Index(b, natsEnd)
		switch {
		case end < 0:
			return b, nil
		case bytes.HasPrefix(b, []byte("MSG")) || bytes.HasPrefix(b, []byte("-ERR")):
			return nil, fmt.Errorf("unexpected message %q", b[:end])
		case !bytes.HasPrefix(b, []byte("PING")) && !bytes.HasPrefix(b, []byte("INFO")):
			return nil, errors.New("unexpected bytes from the server")
		}
		b = b[end+len(natsEnd):] // a PING may stay unanswered for four minutes
	}
	return nil, nil
}
