package load

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// fault turns the i-th published payload into what the subscribers get. nil relays it.
type fault func(i int, payload []byte) [][]byte

// fake is a server just good enough for the driver, whose only purpose is to misbehave on demand.
// One goroutine per connection, ended by closing the listener and every connection.
type fake struct {
	listener net.Listener
	fault    fault
	done     sync.WaitGroup

	onWrite func(i int, w fakeWrite) (ack []byte, kept fakeWrite) // nil: acknowledges and keeps it

	mu        sync.Mutex // guards the fields below
	conns     []net.Conn
	subs      []net.Conn
	published int
	writes    int
	records   map[string]fakeWrite
}

// dialFake starts a fake server and a fleet on it; both end with the test.
func dialFake(t *testing.T, opts Options, f fault) *Fleet {
	t.Helper()
	opts.Addr = startFake(t, &fake{fault: f})
	fleet, err := DialFleet(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fleet.Close)
	return fleet
}

// startFake starts s until the test ends and returns its address.
func startFake(t *testing.T, s *fake) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.listener, s.records = l, map[string]fakeWrite{}
	s.done.Go(s.accept)
	t.Cleanup(s.close)
	return l.Addr().String()
}

func (s *fake) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, c)
		s.mu.Unlock()
		s.done.Go(func() {
			defer c.Close()
			_ = s.serve(c) // the driver sees a broken connection as its own error
		})
	}
}

func (s *fake) close() {
	_ = s.listener.Close()
	s.mu.Lock()
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.done.Wait()
}

func (s *fake) serve(c net.Conn) error {
	r := bufio.NewReader(c)
	if _, err := http.ReadRequest(r); err != nil {
		return err
	}
	if _, err := io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: "+upgradeAccept+"\r\n\r\n"); err != nil {
		return err
	}
	for {
		payload, err := readMasked(r)
		if err != nil {
			return err
		}
		a, err := decode(payload)
		if err != nil {
			return err
		}
		if err := s.handle(c, a, payload); err != nil {
			return err
		}
	}
}

func (s *fake) handle(c net.Conn, a answer, payload []byte) error {
	switch {
	case a.topic == topicConnection:
		return sendPayload(c, []byte{6, 0x10, topicConnection, 0x1a, 2, 8, connectionAccept})
	case a.topic == topicAuth:
		return sendPayload(c, []byte{6, 0x10, topicAuth, 0x1a, 2, 8, authSuccessful})
	case a.topic == topicRecord && a.action == recordSubscribeCreateAndRead:
		return s.read(c, a, payload)
	case a.topic == topicRecord && a.isWriteAck:
		return s.write(c, a)
	case a.action == eventSubscribe:
		s.mu.Lock()
		s.subs = append(s.subs, c)
		s.mu.Unlock()
		return sendPayload(c, []byte{8, 0x10, topicEvent, 0x1a, 4, 8, eventSubscribe, 0x28, 1})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.topic == topicRecord {
		payload = s.updateLocked(a)
	}
	out := [][]byte{payload}
	if s.fault != nil {
		out = s.fault(s.published, payload)
	}
	s.published++
	for _, sub := range s.subs {
		for _, p := range out {
			if err := sendPayload(sub, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// fakeEmit splits an EMIT into its name and data.
func fakeEmit(payload []byte) (name, data string) {
	n, k := binary.Uvarint(payload)
	err := eachField(payload[k:k+int(n)], func(number int, _ uint64, inner []byte) {
		if number != 3 {
			return
		}
		_ = eachField(inner, func(number int, _ uint64, b []byte) {
			switch number {
			case fieldData:
				data = string(b)
			case fieldName:
				name = string(b)
			}
		})
	})
	if err != nil {
		panic(err)
	}
	return name, data
}

func readMasked(r *bufio.Reader) ([]byte, error) {
	head := make([]byte, 2, 8)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	n := int(head[1] & 0x7f)
	if n == 127 || head[1]&0x80 == 0 {
		return nil, errors.New("fake: a frame the tests do not send")
	}
	if n == 126 {
		if _, err := io.ReadFull(r, head[2:4]); err != nil {
			return nil, err
		}
		n = int(binary.BigEndian.Uint16(head[2:4]))
	}
	masked := make([]byte, 4+n)
	if _, err := io.ReadFull(r, masked); err != nil {
		return nil, err
	}
	for i := range masked[4:] {
		masked[4+i] ^= masked[i&3]
	}
	return masked[4:], nil
}

func sendPayload(c net.Conn, p []byte) error {
	head := []byte{0x82, byte(len(p))}
	if len(p) > 125 {
		head = binary.BigEndian.AppendUint16([]byte{0x82, 126}, uint16(len(p)))
	}
	_, err := c.Write(append(head, p...))
	return err
}
