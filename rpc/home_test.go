package rpc

import (
	"strings"
	"testing"
	"time"

	"deepstream-fast/internal/testkit"
	"deepstream-fast/protocol"
)

// quietOut counts what it is told and does nothing. Timers never fire.
type quietOut struct {
	sent   int
	random int
	timers TimerID
}

func (o *quietOut) Send(protocol.ConnID, *protocol.Message) { o.sent++ }
func (o *quietOut) StartTimer(time.Duration, uint8, uint64) TimerID {
	o.timers++
	return o.timers
}
func (o *quietOut) StopTimer(TimerID) {}
func (o *quietOut) Random(n int) int {
	o.random = (o.random*31 + 17) % 1_000_003
	return o.random % n
}

var (
	addName = []byte("add")
	callID  = []byte("kq3x8f1a-2b5e7c9d1f3")
	payload = []byte(`{"n":[1,2,3],"text":"a payload of some eighty bytes, as in the other benchmarks"}`)
)

// asking remembers whom the last REQUEST went to, so that the provider can answer.
type asking struct {
	quietOut
	provider protocol.ConnID
}

func (o *asking) Send(to protocol.ConnID, m *protocol.Message) {
	o.sent++
	if m.Action == protocol.RPCRequest {
		o.provider = to
	}
}

func newAsking(providers int) (*Home, *asking) {
	out := &asking{}
	h := NewHome(Options{}, out)
	for i := range providers {
		h.Provide(testkit.Conn(i+2), addName)
	}
	return h, out
}

// round is one call: REQUEST, ACCEPT, RESPONSE.
func round(h *Home, out *asking) {
	h.Request(Request{From: testkit.Conn(1), Name: addName, CorrelationID: callID, Data: payload})
	h.Answer(out.provider, protocol.RPCAccept, addName, callID, nil)
	h.Answer(out.provider, protocol.RPCResponse, addName, callID, payload)
}

func TestCallBudget(t *testing.T) {
	h, out := newAsking(100)
	round(h, out)
	if n := testing.AllocsPerRun(1000, func() { round(h, out) }); n != 0 {
		t.Errorf("a call allocates %v times, want 0", n)
	}
	if want := 3 * 1002; out.sent != want {
		t.Errorf("sent %d messages, want %d", out.sent, want)
	}
}

// TestInputsAreCopied overwrites what was passed in, as a reused read buffer does.
func TestInputsAreCopied(t *testing.T) {
	m := &machine{}
	m.home = NewHome(Options{}, m)
	name, id, data, user := []byte("add"), []byte("c1"), []byte("12"), []byte("ann")
	m.home.Provide(testkit.Conn(2), name)
	m.home.Provide(testkit.Conn(3), name)
	m.home.Request(Request{From: testkit.Conn(1), Name: name, CorrelationID: id, Data: data, RequestorName: user, RequestorData: data})
	for _, b := range [][]byte{name, id, data, user} {
		for i := range b {
			b[i] = 'X'
		}
	}
	m.Take()
	m.home.Closed(testkit.Conn(2)).Step(10)
	want := `3 <- RPC REQUEST name="add" correlationId="c1" data="12" requestorName="ann" requestorData="12"`
	if got := m.Take(); !strings.Contains(got, want) {
		t.Errorf("re-routed as\n%s\nwant\n%s", got, want)
	}
}

// TestStaleTimers fires timers that were stopped: a wheel may have collected them already.
func TestStaleTimers(t *testing.T) {
	out := &staleOut{}
	h := NewHome(Options{}, out)
	h.Provide(testkit.Conn(2), addName)
	h.Provide(testkit.Conn(3), addName)
	h.Request(Request{From: testkit.Conn(1), Name: addName, CorrelationID: callID})
	h.Answer(testkit.Conn(2), protocol.RPCReject, addName, callID, nil)
	h.Answer(testkit.Conn(3), protocol.RPCAccept, addName, callID, nil)
	out.fireStopped(h)
	if s := h.Stats(); s.Calls != 1 {
		t.Fatalf("a stopped timer ended the call: %+v", s)
	}
	h.Answer(testkit.Conn(3), protocol.RPCResponse, addName, callID, nil)
	out.fireStopped(h)
	if want := 4; out.sent != want { // two REQUESTs, ACCEPT, RESPONSE
		t.Fatalf("%d messages, want %d", out.sent, want)
	}
}

type staleOut struct {
	quietOut
	started []testkit.Timer
	stopped []testkit.Timer
}

func (o *staleOut) StartTimer(_ time.Duration, kind uint8, key uint64) TimerID {
	o.started = append(o.started, testkit.Timer{Kind: kind, Key: key})
	return TimerID(len(o.started))
}

func (o *staleOut) StopTimer(id TimerID) { o.stopped = append(o.stopped, o.started[id-1]) }

func (o *staleOut) Random(int) int { return 0 }

func (o *staleOut) fireStopped(h *Home) {
	for _, t := range o.stopped {
		h.Fired(t.Kind, t.Key)
	}
}

// TestManyUnwillingProviders bounds the work of one call that everybody rejects.
func TestManyUnwillingProviders(t *testing.T) {
	h, out := newAsking(5000)
	h.Request(Request{From: testkit.Conn(1), Name: addName, CorrelationID: callID})
	for h.Stats().Calls > 0 {
		h.Answer(out.provider, protocol.RPCReject, addName, callID, nil)
	}
	if want := 1024 + 1; out.sent != want {
		t.Errorf("%d messages, want %d", out.sent, want)
	}
}

func TestChoiceIsUniform(t *testing.T) {
	h, out := newAsking(10)
	asked := map[protocol.ConnID]int{}
	for range 10_000 {
		round(h, out)
		asked[out.provider]++
	}
	for id, n := range asked {
		if n < 800 || n > 1200 {
			t.Errorf("%v got %d of 10000 calls, want about 1000", id, n)
		}
	}
	if len(asked) != 10 {
		t.Errorf("%d of 10 providers were asked", len(asked))
	}
}

func TestOptionsValidate(t *testing.T) {
	if err := (Options{}).Validate(); err != nil {
		t.Errorf("zero options: %v", err)
	}
	err := Options{AckTimeout: -1}.Validate()
	if err == nil || !strings.HasPrefix(err.Error(), "rpc.ackTimeout:") {
		t.Errorf("negative ackTimeout: %v", err)
	}
}

// TestLargeCallsAreNotPooled: a burst of large or widely rejected calls leaves no memory behind.
func TestLargeCallsAreNotPooled(t *testing.T) {
	h, out := newAsking(pooledSetMax + 2)
	large := make([]byte, pooledBufMax+1)
	h.Request(Request{From: testkit.Conn(1), Name: addName, CorrelationID: callID, Data: large})
	for range pooledSetMax + 1 {
		h.Answer(out.provider, protocol.RPCReject, addName, callID, nil)
	}
	h.Answer(out.provider, protocol.RPCResponse, addName, callID, nil)
	if len(h.pool) != 1 || h.pool[0].buf != nil || h.pool[0].tried != nil {
		t.Errorf("the pool of %d keeps %d bytes", len(h.pool), cap(h.pool[0].buf))
	}
}
