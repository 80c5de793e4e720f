package rpc

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"deepstream-fast/internal/testkit"
	"deepstream-fast/protocol"
)

// world drives a Home with decisions drawn from choose, and checks every message against what it
// knows: who asked what, who provides it, and who was asked. A request's data is its token, which
// providers echo, so that an answer that reaches the wrong call shows.
type world struct {
	home   *Home
	clock  testkit.Clock
	choose func(n int) int
	err    error

	next     int // number of the next connection
	conns    []protocol.ConnID
	removals []*Removal
	provides map[offer]bool
	requests []*request
	asked    []*delivery // answers that providers may still give, in time or not
	open     map[origin]int
	answer   *delivery // whose answer the Home is judging
}

type offer struct {
	conn protocol.ConnID
	name string
}

type origin struct {
	conn protocol.ConnID
	id   string
}

type request struct {
	origin
	name    string
	settled bool // by an answer that carries its token
	asked   map[protocol.ConnID]bool
	current *delivery
}

type delivery struct {
	to      protocol.ConnID
	id      string
	request *request
}

func newWorld(choose func(n int) int, hashMask uint64) *world {
	w := &world{choose: choose, provides: map[offer]bool{}, open: map[origin]int{}}
	w.home = NewHome(Options{CallsMax: 12, CallsPerConnMax: 6, ProvidersPerCallMax: 4, BytesMax: 256}, w)
	w.home.hashMask = hashMask
	return w
}

func (w *world) failf(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *world) alive(id protocol.ConnID) bool {
	for _, c := range w.conns {
		if c == id {
			return true
		}
	}
	return false
}

func (w *world) Random(n int) int { return w.choose(n) }

func (w *world) StartTimer(after time.Duration, kind uint8, key uint64) TimerID {
	return TimerID(w.clock.Start(after, kind, key))
}

func (w *world) StopTimer(id TimerID) {
	if _, ok := w.clock.Stop(uint64(id)); !ok {
		w.failf("stopped timer %d, which is not pending", id)
	}
}

func (w *world) Send(to protocol.ConnID, m *protocol.Message) {
	if !w.alive(to) {
		w.failf("sent to closed %v: %v", to, m)
	}
	o := origin{to, string(m.CorrelationID)}
	switch m.Action {
	case protocol.RPCRequest:
		w.delivered(to, m)
	case protocol.RPCAccept:
		if w.answer == nil || w.answer.request.current != w.answer || w.answer.request.origin != o {
			w.failf("stray ACCEPT: %v", m)
		}
	case protocol.RPCResponse, protocol.RPCRequestError:
		r := w.token(m.Data)
		if w.answer == nil || r != w.answer.request || r.current != w.answer || r.settled || r.origin != o {
			w.failf("answer went astray to %v: %v", to, m)
			return
		}
		r.settled = true
		w.settle(o, m)
	case protocol.RPCNoRPCProvider, protocol.RPCAcceptTimeout, protocol.RPCResponseTimeout:
		w.settle(o, m)
	case protocol.RPCMultipleAccept:
		if w.answer == nil || w.answer.to != to || w.answer.id != o.id || m.IsError {
			w.failf("stray MULTIPLE_ACCEPT: %v", m)
		}
	case protocol.RPCInvalidRPCCorrelationID:
		if !m.IsError || m.OriginalAction == 0 {
			w.failf("malformed: %v", m)
		}
	default:
		w.failf("sent %v", m)
	}
}

func (w *world) settle(o origin, m *protocol.Message) {
	if w.open[o]--; w.open[o] < 0 {
		w.failf("one terminal message too many: %v", m)
	}
}

func (w *world) delivered(to protocol.ConnID, m *protocol.Message) {
	r := w.token(m.Data)
	if r == nil || r.settled || r.asked[to] || r.name != string(m.Name) || !w.provides[offer{to, r.name}] {
		w.failf("stray REQUEST to %v: %v", to, m)
		return
	}
	if string(m.RequestorName) != "user" || string(m.RequestorData) != `{"a":1}` {
		w.failf("requestor changed: %v", m)
	}
	for _, d := range w.asked {
		if d.to == to && d.id == string(m.CorrelationID) {
			w.failf("ambiguous dispatch id at %v: %v", to, m)
		}
	}
	r.asked[to] = true
	r.current = &delivery{to: to, id: string(m.CorrelationID), request: r}
	w.asked = append(w.asked, r.current)
}

func (w *world) token(data []byte) *request {
	i, err := strconv.Atoi(string(data))
	if err != nil || i >= len(w.requests) {
		return nil
	}
	return w.requests[i]
}

func (w *world) step() {
	if len(w.conns) == 0 {
		w.connect()
	}
	id := w.conns[w.choose(len(w.conns))]
	name := string(rune('a' + w.choose(3)))
	switch w.choose(17) {
	case 0:
		if len(w.conns) < 6 {
			w.connect()
		}
	case 1, 2:
		w.provides[offer{id, name}] = true
		w.home.Provide(id, []byte(name))
	case 3:
		delete(w.provides, offer{id, name})
		w.home.Unprovide(id, []byte(name))
	case 4, 5, 6, 7:
		w.request(id, name)
	case 8, 9, 10, 11, 12:
		if len(w.asked) > 0 {
			w.giveAnswer(w.choose(len(w.asked)))
		}
	case 13:
		ids := []string{"", "0", "1", "~1", "~2"}
		w.lie(id, name, ids[w.choose(len(ids))])
	case 14:
		w.advance(time.Duration(w.choose(1500)) * time.Millisecond)
	case 15:
		if w.choose(3) == 0 {
			w.close(id)
		}
	case 16:
		w.stepRemovals(1 + w.choose(3))
	}
	if err := w.home.verify(); err != nil {
		w.failf("broken: %v", err)
	}
}

func (w *world) connect() {
	w.next++
	w.conns = append(w.conns, testkit.Conn(w.next))
}

func (w *world) request(from protocol.ConnID, name string) {
	id := strconv.Itoa(w.choose(3)) // few ids, so that they clash
	if w.choose(8) == 0 {
		id = "~" + id // as generated ones look
	}
	token := strconv.Itoa(len(w.requests))
	r := &request{origin: origin{from, id}, name: name, asked: map[protocol.ConnID]bool{}}
	w.requests = append(w.requests, r)
	w.open[r.origin]++
	w.home.Request(Request{
		From: from, Name: []byte(name), CorrelationID: []byte(id), Data: []byte(token),
		RequestorName: []byte("user"), RequestorData: []byte(`{"a":1}`),
	})
}

func (w *world) action() protocol.Action {
	all := []protocol.Action{protocol.RPCAccept, protocol.RPCReject, protocol.RPCResponse, protocol.RPCRequestError}
	return all[w.choose(len(all))]
}

// giveAnswer lets a provider answer the i-th REQUEST it has, perhaps long after its end. A terminal
// answer is its last.
func (w *world) giveAnswer(i int) {
	d, action := w.asked[i], w.action()
	if action != protocol.RPCAccept {
		w.asked = append(w.asked[:i], w.asked[i+1:]...)
	}
	var token []byte
	for n, r := range w.requests {
		if r == d.request {
			token = []byte(strconv.Itoa(n))
		}
	}
	w.answer = d
	w.home.Answer(d.to, action, []byte(d.request.name), []byte(d.id), token)
	w.answer = nil
}

// lie answers what from was not asked: another provider's call, none at all, or its own under a wrong
// name. Who lies about its own reserved id loses the reservation, and nobody else does.
func (w *world) lie(from protocol.ConnID, name, id string) {
	action := w.action()
	for i, d := range w.asked {
		if d.to == from && d.id == id {
			name = "zz"
			if c := w.home.find(from, []byte(id)); c != nil && !c.open() && action != protocol.RPCAccept {
				w.asked = append(w.asked[:i], w.asked[i+1:]...)
			}
			break
		}
	}
	w.home.Answer(from, action, []byte(name), []byte(id), nil)
}

func (w *world) advance(by time.Duration) {
	w.clock.Advance(by, func(t testkit.Timer) {
		if c := w.home.byKey(t.Key); t.Kind == timerRetired && !c.provider.closing {
			w.forget(c)
		}
		w.home.Fired(t.Kind, t.Key)
	})
}

// forget drops the answer that a provider could have given to a reserved id, which ends now.
func (w *world) forget(c *call) {
	for i, d := range w.asked {
		if d.to == c.provider.id && d.id == string(c.dispatchID()) {
			w.asked = append(w.asked[:i], w.asked[i+1:]...)
			return
		}
	}
	w.failf("id %q was reserved although its provider had answered", c.dispatchID())
}

func (w *world) close(id protocol.ConnID) {
	for i, c := range w.conns {
		if c == id {
			w.conns = append(w.conns[:i], w.conns[i+1:]...)
			break
		}
	}
	for o := range w.provides {
		if o.conn == id {
			delete(w.provides, o)
		}
	}
	for o := range w.open {
		if o.conn == id {
			delete(w.open, o)
		}
	}
	left := w.asked[:0]
	for _, d := range w.asked {
		if d.to != id {
			left = append(left, d)
		}
	}
	w.asked = left
	w.removals = append(w.removals, w.home.Closed(id))
}

// stepRemovals goes on with all removals, each with the same budget.
func (w *world) stepRemovals(budget int) {
	left := w.removals[:0]
	for _, r := range w.removals {
		if r.Step(budget) == 0 {
			left = append(left, r)
		}
	}
	w.removals = left
}

// end lets every timer run out, which must settle every request, or closes every connection at
// once; then nothing may be left.
func (w *world) end(drain bool) error {
	if drain {
		w.advance(time.Hour)
		for o, n := range w.open {
			if n != 0 {
				w.failf("%d requests of %v with id %q were never settled", n, o.conn, o.id)
			}
		}
	}
	for len(w.conns) > 0 {
		w.close(w.conns[w.choose(len(w.conns))])
	}
	for len(w.removals) > 0 {
		w.stepRemovals(1 + w.choose(3))
	}
	if s := w.home.Stats(); w.home.Len() != 0 || w.clock.Len() != 0 {
		w.failf("left behind: %+v, %d timers", s, w.clock.Len())
	}
	return w.err
}

// TestModel checks the package invariants over random interleavings. A failure names its seed.
func TestModel(t *testing.T) {
	seeds, steps := uint64(500), 400
	if testing.Short() {
		seeds = 30
	}
	for seed := range seeds {
		mask := ^uint64(0)
		if seed%4 == 0 {
			mask = 0 // every dispatch in one chain
		}
		w := newWorld(rand.New(rand.NewPCG(seed, 1)).IntN, mask)
		for i := 0; i < steps && w.err == nil; i++ {
			w.step()
		}
		if err := w.end(seed%2 == 0); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// FuzzHome reads its decisions from the input, a byte each.
func FuzzHome(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 0, 4, 1, 1, 0, 0, 8, 0, 0})
	f.Add([]byte("the quick brown fox jumps over the lazy dog"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 4096 {
			return
		}
		choose := func(n int) int {
			if len(in) == 0 {
				return 0
			}
			b := int(in[0])
			in = in[1:]
			return b % n
		}
		w := newWorld(choose, ^uint64(0))
		for len(in) > 0 && w.err == nil {
			w.step()
		}
		if err := w.end(true); err != nil {
			t.Fatal(err)
		}
	})
}
