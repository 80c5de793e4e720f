package event

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"deepstream-fast/bulk"
	"deepstream-fast/codec"
	"deepstream-fast/codec/ws"
	"deepstream-fast/fanout"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
	"deepstream-fast/registry"
)

// stage is everything around a Handler: it writes down what peers get. Frames become text again.
type stage struct{ lines []string }

func (s *stage) Reply(to protocol.ConnID, m *protocol.Message) {
	s.lines = append(s.lines, fmt.Sprintf("%d <- %s", to.Slot(), m))
}

func (s *stage) Limited() {}

func (s *stage) SendAll(slots []uint32, except uint32, frame []byte) {
	var m protocol.Message
	if _, err := codec.Decode(&m, frame[ws.HeaderSize(len(frame)-2):]); err != nil {
		s.lines = append(s.lines, err.Error())
	}
	for _, slot := range slots {
		if slot != except {
			s.lines = append(s.lines, fmt.Sprintf("%d <- %s", slot, &m))
		}
	}
}

func (s *stage) Room(n int) []byte { return make([]byte, 0, n) }

func (s *stage) PostFanout(loop int, _ registry.TopicRef, _ protocol.ConnID, _ []byte) {
	s.lines = append(s.lines, fmt.Sprint("post to loop ", loop))
}

func (s *stage) Subscribed(protocol.ConnID, []byte, bool)   {}
func (s *stage) Unsubscribed(protocol.ConnID, []byte, bool) {}

// sink stands where sockets would be.
type sink struct {
	deliveries int
	room       [1 << 10]byte
}

func (s *sink) SendAll(slots []uint32, _ uint32, _ []byte) { s.deliveries += len(slots) }
func (s *sink) Room(n int) []byte                          { return s.room[:0:n] }

func (s *sink) PostFanout(int, registry.TopicRef, protocol.ConnID, []byte) { s.deliveries++ }

// noSecrets denies whatever begins with secret.
type noSecrets struct{}

func (noSecrets) Check(q *permission.Question) permission.Answer {
	if strings.HasPrefix(string(q.Name), "secret") {
		return permission.Deny
	}
	return permission.Allow
}

func newHandler(s *stage, out fanout.Output) (*Handler, *registry.Loop) {
	table := registry.NewTable(registry.Options{Loops: 1})
	subs := registry.NewLoop(table, 0)
	b := bulk.New(subs, noSecrets{}, s, bulk.Limits{Names: 1000})
	return New(b, fanout.New(0, table, subs, out), s), subs
}

func conn(slot uint32) bulk.Peer {
	return bulk.Peer{ID: protocol.MakeConnID(0, slot, 1), User: &permission.User{ID: "u"}}
}

func subscribe(h *Handler, slot uint32, name string) {
	h.Handle(conn(slot), &protocol.Message{
		Topic: protocol.TopicEvent, Action: protocol.EventSubscribe, Names: protocol.ListNames([][]byte{[]byte(name)}),
	})
}

func emit(name, data string) *protocol.Message {
	m := &protocol.Message{Topic: protocol.TopicEvent, Action: protocol.EventEmit, Name: []byte(name)}
	if data != "" {
		m.Data = []byte(data)
	}
	return m
}

func TestEmit(t *testing.T) {
	smuggled := emit("x", "1")
	smuggled.IsAck, smuggled.IsError = true, true
	smuggled.CorrelationID, smuggled.Subscription = []byte("c"), []byte("s")
	smuggled.Names = protocol.ListNames([][]byte{[]byte("y")})
	emptyData := emit("x", "")
	emptyData.Data = []byte{}
	for _, tt := range []struct {
		name string
		m    *protocol.Message
		want []string
	}{
		{"with data", emit("x", `{"n":1}`), []string{`2 <- EVENT EMIT name="x" data="{\"n\":1}"`, `3 <- EVENT EMIT name="x" data="{\"n\":1}"`}},
		{"without data", emit("x", ""), []string{`2 <- EVENT EMIT name="x"`, `3 <- EVENT EMIT name="x"`}},
		{"smuggled fields", smuggled, []string{`2 <- EVENT EMIT name="x" data="1"`, `3 <- EVENT EMIT name="x" data="1"`}},
		{"to nobody", emit("y", "1"), nil},
		{"without a name", emit("", "1"), nil},
		{"no JSON", emit("x", "{"), []string{`1 <- EVENT INVALID_MESSAGE_DATA isError name="x" originalAction=EMIT`}},
		{"empty data", emptyData, []string{`1 <- EVENT INVALID_MESSAGE_DATA isError name="x" originalAction=EMIT`}},
		{"not JSON to nobody", emit("y", "{"), []string{`1 <- EVENT INVALID_MESSAGE_DATA isError name="y" originalAction=EMIT`}},
		{"denied", emit("secret", "1"), []string{`1 <- EVENT MESSAGE_DENIED isError name="secret" originalAction=EMIT`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &stage{}
			h, _ := newHandler(s, s)
			for slot := range uint32(3) {
				subscribe(h, slot+1, "x")
			}
			s.lines = nil
			if !h.Handle(conn(1), tt.m) {
				t.Fatal("EMIT is unknown")
			}
			if !slices.Equal(s.lines, tt.want) {
				t.Errorf("got  %q\nwant %q", s.lines, tt.want)
			}
			if h.emit.Name != nil || h.emit.Data != nil {
				t.Error("the handler holds on to a sender's bytes")
			}
		})
	}
}

// Exactly the actions a client may send are handled here; listening is handled elsewhere.
func TestHandleKnowsItsActions(t *testing.T) {
	known := map[protocol.Action]bool{protocol.EventEmit: true, protocol.EventSubscribe: true, protocol.EventUnsubscribe: true}
	for a := protocol.Action(-1); a < 130; a++ {
		s := &stage{}
		h, _ := newHandler(s, s)
		m := emit("x", "1")
		m.Action = a
		if got := h.Handle(conn(1), m); got != known[a] {
			t.Errorf("action %s: handled %v", a.Name(protocol.TopicEvent), got)
		}
		if !known[a] && s.lines != nil {
			t.Errorf("action %s had effects: %q", a.Name(protocol.TopicEvent), s.lines)
		}
	}
}

// An EMIT costs no memory: I15 of the engine's design.
func TestEmitAllocations(t *testing.T) {
	for _, subs := range []int{0, 1, 1000} {
		out := &sink{}
		h, _ := newHandler(&stage{}, out)
		for slot := range uint32(subs) {
			subscribe(h, slot+2, "x")
		}
		peer, m := conn(1), emit("x", `{"celsius":21.5}`)
		got := testing.AllocsPerRun(20, func() {
			for range 300 {
				h.Handle(peer, m)
			}
		})
		if got > 0 {
			t.Errorf("%d subscribers: %v allocations per 300 events", subs, got)
		}
		if want := 21 * 300 * subs; out.deliveries != want { // one more run warms up
			t.Errorf("%d subscribers: %d deliveries, want %d", subs, out.deliveries, want)
		}
	}
}

func BenchmarkEmit(b *testing.B) {
	for _, subs := range []int{0, 1, 100, 10_000} {
		b.Run(fmt.Sprintf("subs=%d/data=128B", subs), func(b *testing.B) {
			out := &sink{}
			h, _ := newHandler(&stage{}, out)
			for slot := range uint32(subs) {
				subscribe(h, slot+2, "sensors/1/temperature")
			}
			peer, m := conn(1), emit("sensors/1/temperature", `"`+strings.Repeat("x", 126)+`"`)
			b.ReportAllocs()
			b.SetBytes(128) // data of the event, not of its deliveries
			for b.Loop() {
				h.Handle(peer, m)
			}
			b.ReportMetric(float64(out.deliveries)/float64(b.N), "deliveries/op")
		})
	}
}
