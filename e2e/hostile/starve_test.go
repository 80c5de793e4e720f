package hostile

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"deepstream-fast/protocol"
)

// bomb registers a thousand patterns, which is what a connection may have, and subscribes another
// connection, which it returns, to a few names they are hard to match against.
func (s *server) bomb(t *testing.T, names int) *client {
	t.Helper()
	c := s.login(t, "")
	ms := make([]*protocol.Message, 1000)
	for i := range ms {
		ms[i] = &protocol.Message{
			Topic: protocol.TopicEvent, Action: protocol.EventListen, CorrelationID: []byte("l"),
			Name: fmt.Appendf(nil, "(x+x+)+y|(.*a){20}%d", i),
		}
	}
	c.sendMessages(ms...)
	for range ms {
		c.want(protocol.TopicEvent, protocol.EventListen)
	}
	s.dial(t) // connections go to the loops in turn: with two of them, the next one shares that of c
	other := s.login(t, "")
	other.sendMessages(subscribeTo(numbered(strings.Repeat("x", 38)+strings.Repeat("a", 16), names)...))
	return other
}

// Patterns are matched against new names by loops that serve other clients too.
func TestPatternBomb(t *testing.T) {
	s := start(t, setup{})
	in := s.innocents(t)
	s.bomb(t, scale(400)).want(protocol.TopicEvent, protocol.EventSubscribe)
	in.end(time.Second)
}

// Incomplete messages of strangers must not use up what those of others need.
func TestPartialMessagesOfStrangers(t *testing.T) {
	s := start(t, setup{memory: 4 << 10})
	in := s.innocents(t)
	victim := s.login(t, "")
	head := append(binary.BigEndian.AppendUint64([]byte{0x82, 0x80 | 127}, mib), mask[:]...)
	for _, fill := range []struct{ conns, bytes int }{{270, mib - 1}, {20, 60 << 10}, {20, 4 << 10}, {20, 200}, {20, 0}} {
		for range fill.conns {
			s.upgrade(t).send(append(head[:len(head):len(head)], make([]byte, fill.bytes)...))
		}
	}
	whole := frameOf(emit("e", fmt.Sprintf("%q", strings.Repeat("x", 1000))))
	for i := range whole {
		victim.send(whole[i : i+1])
	}
	victim.alive()
	in.end(time.Second)
}

// Subscribing to many names that somebody listens to must not hold up the loops.
func TestListenerOfManyNames(t *testing.T) {
	s := start(t, setup{memory: 8 << 10})
	before, _ := s.memory()
	in := s.innocents(t)
	l := s.login(t, "")
	l.sendMessages(&protocol.Message{Topic: protocol.TopicEvent, Action: protocol.EventListen, CorrelationID: []byte("l"), Name: []byte("n.*")})
	l.want(protocol.TopicEvent, protocol.EventListen)
	go func() { _, _ = io.Copy(io.Discard, l.r) }() // ends with l, when the test closes it
	c := s.login(t, "")
	c.subscribe(numbered("n", scale(1_000_000))...)
	c.alive()
	in.end(2 * time.Second)
	_, peak := s.memory()
	t.Logf("memory: %s before, %s at the peak", size(before), size(peak))
}
