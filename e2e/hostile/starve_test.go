package hostile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"deepstream-fast/codec"
	"deepstream-fast/codec/ws"
	"deepstream-fast/protocol"
)

// Patterns are matched against new names by the loop that serves other clients too.
func TestPatternBomb(t *testing.T) {
	s := start(t, setup{})
	in := s.innocents(t)
	c := s.login(t, "")
	var ms []*protocol.Message
	for i := range 1000 {
		ms = append(ms, &protocol.Message{
			Topic: protocol.TopicEvent, Action: protocol.EventListen, CorrelationID: []byte("l"),
			Name: fmt.Appendf(nil, "(x+x+)+y|(.*a){20}%d", i),
		})
	}
	c.sendMessages(ms...)
	for range ms {
		c.want(protocol.TopicEvent, protocol.EventListen)
	}
	other := s.login(t, "")
	other.subscribe(numbered("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxaaaaaaaaaaaaaaaa", 2000)...)
	in.end(2 * time.Second)
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

// A loop that is behind must not pile up what a publisher on another loop sends to it: the events of
// others would wait behind that.
func TestFloodAcrossLoops(t *testing.T) {
	s := start(t, setup{memory: 12 << 10})
	var wg sync.WaitGroup
	for i := range 600 {
		sub := s.login(t, "")
		if i%2 == 1 { // connections go to the loops in turn
			_ = sub.Close()
			continue
		}
		sub.subscribe("flood")
		wg.Go(func() { // ends with the connection, when the test closes it
			b := make([]byte, 64<<10)
			for {
				if _, err := sub.Read(b); err != nil {
					return
				}
			}
		})
	}
	before, _ := s.memory()
	in := s.innocents(t)
	p := bytes.Repeat(codec.Append(nil, emit("flood", "1")), 30_000)
	for range 2 {
		pub := s.login(t, "")
		wg.Go(func() {
			_ = pub.SetWriteDeadline(time.Now().Add(2 * time.Second))
			b := maskedFrame(ws.Binary, p)
			for range 10 {
				if _, err := pub.Write(b); err != nil {
					return
				}
			}
		})
	}
	eventuallyAfter(t, 2*time.Second)
	in.end(2 * time.Second)
	now, peak := s.memory()
	t.Logf("memory: %s before, %s at the peak, %s now\n%s", size(before), size(peak), size(now), tail(s.log.String()))
}

// eventuallyAfter lets an attack run for a while.
func eventuallyAfter(t *testing.T, d time.Duration) {
	t.Helper()
	<-time.After(d)
}
