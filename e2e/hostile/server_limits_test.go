package hostile

import (
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"deepstream-fast/protocol"
)

// Running out of descriptors refuses newcomers and nothing else.
func TestDescriptorLimit(t *testing.T) {
	descriptorLimit(t, func(*server) {})
}

// The same with a loop that is busy, so that refusing waits while accepting goes on.
func TestDescriptorLimitUnderLoad(t *testing.T) {
	descriptorLimit(t, func(s *server) {
		s.login(t, "").send(frameOf(subscribeTo(numbered("n", scale(500_000))...)))
	})
}

func descriptorLimit(t *testing.T, load func(s *server)) {
	t.Helper()
	s := start(t, setup{files: 300})
	in := s.innocents(t)
	load(s)
	var conns []net.Conn
	for range 1000 {
		c, err := net.DialTimeout("tcp", s.addr, 200*time.Millisecond)
		if err != nil {
			break
		}
		conns = append(conns, c)
	}
	t.Logf("%d connections, %d descriptors", len(conns), s.files())
	for _, c := range conns {
		_ = c.Close()
	}
	eventually(t, "clients get in again", func() bool {
		select {
		case <-s.done:
			t.Fatalf("the server ended with %d:\n%s", s.code, tail(s.log.String()))
		default:
		}
		_, err := s.tryLogin(t, "")
		return err == nil
	})
	in.end(5 * time.Second)
}

// A client that has said everything may shut its sending side and still wait for the answer.
func TestHalfClosedRequest(t *testing.T) {
	s := start(t, setup{})
	lost := 0
	for range 300 {
		c := s.dial(t)
		c.send([]byte("GET /health-check HTTP/1.1\r\nHost: h\r\n\r\n"))
		_ = c.Conn.(*net.TCPConn).CloseWrite()
		if b, err := io.ReadAll(c.r); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 200") {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of 300 half-closed requests got no answer", lost)
	}
}

func TestHalfClosedWebSocket(t *testing.T) {
	s := start(t, setup{})
	lost := 0
	for i := range 300 {
		c := s.login(t, "")
		c.sendMessages(subscribeTo(numbered(fmt.Sprint("a", i, "-"), 1000)...))
		_ = c.Conn.(*net.TCPConn).CloseWrite()
		if _, err := c.await(protocol.TopicEvent, protocol.EventSubscribe); err != nil {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of 300 half-closed clients got no ack", lost)
	}
}

// Everything queued reaches a client that reads slowly, as long as shutdownTimeout lasts.
func TestShutdownDeliversToSlowReader(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	sub := s.login(t, "")
	_ = sub.Conn.(*net.TCPConn).SetReadBuffer(32 << 10)
	sub.subscribe("e")
	pub := s.login(t, "")
	const events = 90
	data := fmt.Sprintf("%q", strings.Repeat("x", 10_000))
	for range events {
		pub.sendMessages(emit("e", data))
	}
	pub.alive()
	s.signal(syscall.SIGTERM)
	<-time.After(3 * time.Second)
	for i := range events {
		if _, err := sub.await(protocol.TopicEvent, protocol.EventEmit); err != nil {
			t.Fatalf("after %d of %d events: %v", i, events, err)
		}
	}
	sub.wantClose(1001)
	_, _ = sub.Close(), pub.Close()
	s.wantExit(0)
}

// Answers to a client's own requests have the same room on whatever loop the client lives.
func TestLargeAnswersOnEveryLoop(t *testing.T) {
	s := start(t, setup{})
	for loop := range 2 { // connections go to the loops in turn
		t.Logf("loop %d", loop)
		c := s.login(t, "")
		for i := range 6 {
			c.sendMessages(&protocol.Message{
				Topic: protocol.TopicPresence, Action: protocol.PresenceQuery, CorrelationID: fmt.Append(nil, i),
				Names: list(numbered("user", 90_000)),
			})
		}
		for range 6 {
			if _, err := c.await(protocol.TopicPresence, protocol.PresenceQueryResponse); err != nil {
				t.Fatalf("the client on loop %d or its neighbour: %v", loop, err)
			}
		}
	}
}
