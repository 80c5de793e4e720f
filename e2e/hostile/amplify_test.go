package hostile

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"deepstream-fast/codec"
	"deepstream-fast/codec/ws"
	"deepstream-fast/protocol"
)

// peakMax is the memory an attack of one connection, or of forty strangers, may cost: what was sent,
// what the senders may be owed, and the garbage of both.
const peakMax = 192 * mib

// strangers is how many connections that are not logged in attack at once.
var strangers = scale(40)

// attackMemory runs attack beside the innocents and fails if it costs more than peakMax.
func attackMemory(t *testing.T, attack func(s *server)) {
	t.Helper()
	s := start(t, setup{memory: 12 << 10})
	in := s.innocents(t)
	before, _ := s.memory()
	attack(s)
	s.login(t, "").alive()
	in.end(2 * time.Second)
	_, peak := s.memory()
	t.Logf("memory: %s before, %s at the peak", size(before), size(peak))
	if peak-before > peakMax && !instrumented {
		t.Errorf("the attack cost %s of memory, at most %s is reasonable", size(peak-before), size(peakMax))
	}
}

// The answer about every single name repeats the correlation id, which the peer chose.
func TestCorrelationIDTimesNames(t *testing.T) {
	attackMemory(t, func(s *server) {
		c := s.login(t, "")
		c.send(frameOf(&protocol.Message{
			Topic: protocol.TopicEvent, Action: protocol.EventSubscribe,
			CorrelationID: bytes.Repeat([]byte("x"), 50_000), Names: list(make([]string, scale(20_000))),
		}))
		drain(c)
	})
}

// Answers of one frame are not written before all of its messages have been handled.
func TestManyQueriesInOneFrame(t *testing.T) {
	attackMemory(t, func(s *server) {
		s.login(t, strings.Repeat("n", 4000))
		c := s.login(t, "")
		query := codec.Append(nil, &protocol.Message{Topic: protocol.TopicPresence, Action: protocol.PresenceQueryAll})
		c.send(maskedFrame(ws.Binary, bytes.Repeat(query, mib/len(query))))
		drain(c)
	})
}

// A frame is allowed 16 MiB if its first message is about many names, whatever follows.
func TestZerosBehindABulkMessage(t *testing.T) {
	attackMemory(t, func(s *server) {
		c := s.login(t, "")
		p := codec.Append(nil, subscribeTo("a"))
		c.send(maskedFrame(ws.Binary, append(p, make([]byte, scale(4*mib))...)))
		drain(c)
	})
}

// The same with events: a delivery costs little, a frame of events to many subscribers does not.
func TestManyEventsInOneFrame(t *testing.T) {
	attackMemory(t, func(s *server) {
		for range 400 {
			s.login(t, "").subscribe("f")
		}
		c := s.login(t, "")
		event := codec.Append(nil, emit("f", "1"))
		c.send(maskedFrame(ws.Binary, bytes.Repeat(event, mib/len(event))))
		c.alive()
	})
}

func TestFrameOfZerosTakesLittleMemory(t *testing.T) {
	attackMemory(t, func(s *server) {
		c := s.upgrade(t)
		c.send(maskedFrame(ws.Binary, make([]byte, mib)))
		drain(c)
	})
}

// Whoever is not logged in is owed little.
func TestPipelinedRequestsNeverRead(t *testing.T) {
	attackMemory(t, func(s *server) {
		for range strangers {
			floodUnread(s.dial(t), []byte("GET /health-check HTTP/1.1\r\n\r\n"), 5*mib)
		}
	})
}

func TestPingsNeverRead(t *testing.T) {
	attackMemory(t, func(s *server) {
		for range strangers {
			floodUnread(s.upgrade(t), maskedFrame(ws.Ping, make([]byte, 125)), 15*mib)
		}
	})
}

// floodUnread sends size bytes of unit without reading any answer: too little to be cut off.
func floodUnread(c *client, unit []byte, size int) {
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.Write(bytes.Repeat(unit, size/len(unit)))
}

// drain reads what comes until the server answers a ping sent behind everything, or hangs up.
func drain(c *client) {
	go func() {
		_, _ = c.Write(frameOf(&protocol.Message{Topic: protocol.TopicConnection, Action: protocol.ConnectionPing}))
	}()
	for {
		_, err := c.await(protocol.TopicConnection, protocol.ConnectionPong)
		if err == nil || !strings.HasPrefix(err.Error(), "codec") {
			return
		}
	}
}
