package listen

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"deepstream-fast/protocol"
)

// testTimer is a timer that testNode holds for a Home.
type testTimer struct {
	id   TimerID
	at   time.Duration
	kind uint8
	key  uint64
}

// testNode is what surrounds a Home: subscriptions, a clock, timers, and a log of the effects.
type testNode struct {
	home     *Home
	subs     map[string]uint64 // name → loops
	now      time.Duration
	timers   []testTimer
	lastID   TimerID
	random   *rand.Rand
	log      []string
	onSend   func(to protocol.ConnID, m *protocol.Message)
	provided map[string]bool // as told by ProviderChanged
}

func newTestNode(actions Actions, opts Options, seed uint64) *testNode {
	n := &testNode{subs: map[string]uint64{}, provided: map[string]bool{}, random: rand.New(rand.NewPCG(seed, 0))}
	n.home = New(actions, opts, n)
	return n
}

func (n *testNode) Send(to protocol.ConnID, m *protocol.Message) {
	n.note("conn %d: %s", to, m)
	if n.onSend != nil {
		n.onSend(to, m)
	}
}

func (n *testNode) ProviderChanged(name []byte, has bool) {
	n.note("provider %s %v", name, has)
	n.provided[string(name)] = has
}

func (n *testNode) StartTimer(after time.Duration, kind uint8, key uint64) TimerID {
	n.lastID++
	n.timers = append(n.timers, testTimer{n.lastID, n.now + after, kind, key})
	n.note("%s timer %v", timerName(kind), after)
	return n.lastID
}

func (n *testNode) StopTimer(id TimerID) {
	i := slices.IndexFunc(n.timers, func(t testTimer) bool { return t.id == id })
	if i < 0 {
		panic(fmt.Sprintf("timer %d was stopped but does not run", id))
	}
	n.note("%s timer stopped", timerName(n.timers[i].kind))
	n.timers = slices.Delete(n.timers, i, i+1)
}

func (n *testNode) Loops(name []byte) uint64 { return n.subs[string(name)] }

func (n *testNode) Random(limit int) int { return n.random.IntN(limit) }
func (n *testNode) Now() time.Duration   { return n.now }

func timerName(kind uint8) string {
	return map[uint8]string{timerResponse: "response", timerRound: "round"}[kind]
}

func (n *testNode) note(format string, args ...any) {
	if n.log != nil {
		n.log = append(n.log, fmt.Sprintf(format, args...))
	}
}

// subscribe and unsubscribe change the mask first and report then, as a loop does.
func (n *testNode) subscribe(name string, loop int) {
	n.subs[name] |= 1 << loop
	n.home.Subscribers([]byte(name), loop, true)
}

func (n *testNode) unsubscribe(name string, loop int) {
	n.subs[name] &^= 1 << loop
	if n.subs[name] == 0 {
		delete(n.subs, name)
	}
	n.home.Subscribers([]byte(name), loop, false)
}

func (n *testNode) sortedSubs() []string {
	names := make([]string, 0, len(n.subs))
	for name := range n.subs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// advance lets time pass and fires what becomes due, in order.
func (n *testNode) advance(d time.Duration) {
	end := n.now + d
	for {
		next := -1
		for i, t := range n.timers {
			if t.at <= end && (next < 0 || t.at < n.timers[next].at) {
				next = i
			}
		}
		if next < 0 {
			n.now = end
			return
		}
		t := n.timers[next]
		n.timers = slices.Delete(n.timers, next, next+1)
		n.now = t.at
		n.note("at %v: %s timer fired", n.now, timerName(t.kind))
		n.home.Fired(t.kind, t.key)
		n.home.Turn()
	}
}

// rest gives the Home turns until nothing waits.
func (n *testNode) rest() {
	for n.home.Turn() {
	}
}

// check verifies the invariants of the package doc and that every list agrees with every count. No
// report of a loop may be under way.
func (n *testNode) check(t testing.TB) {
	t.Helper()
	for text, id := range n.home.byName {
		if loops := n.home.names.at(id).loops; loops != n.subs[text] {
			t.Fatalf("name %q: loops %b, subscribed on %b", text, loops, n.subs[text])
		}
	}
	n.checkState(t)
}

// checkState is check while reports are under way.
func (n *testNode) checkState(t testing.TB) {
	t.Helper()
	h := n.home
	held, searches, active, waiting := 0, 0, 0, map[uint32]bool{}
	for id, last := h.queue.first, uint32(0); id != 0; id, last = h.names.at(id).next, id {
		if waiting[id] = true; h.names.at(id).prev != last || h.names.at(id).state() != queued {
			t.Fatalf("name %q is misplaced in the queue", h.names.at(id).text)
		}
	}
	if len(waiting) != h.queue.size || len(waiting) == 0 && h.scan.at+len(h.scan.matches) > 0 {
		t.Fatalf("%d names in a queue of %d, scan %+v", len(waiting), h.queue.size, h.scan)
	}
	for text, id := range h.byName {
		nm := h.names.at(id)
		if nm.text != text || nm.loops == 0 {
			t.Fatalf("name %q: record of %q with loops %b", text, nm.text, nm.loops)
		}
		if nm.search != 0 {
			searches++
		}
		if (nm.state() == queued) != waiting[id] {
			t.Fatalf("name %q: search without a candidate", text)
		}
		if nm.state() == provided {
			active++
		}
		if nm.holder != nil {
			held++
			on := false
			for at := nm.holder.names; at != 0; at = h.names.at(at).next {
				on = on || at == id
			}
			if !on {
				t.Fatalf("name %q is not on its holder's list", text)
			}
		}
	}
	responses := 0
	for _, tm := range n.timers {
		if tm.kind == timerResponse {
			responses++
		}
	}
	if s := h.Stats(); s.Provided() != active {
		t.Fatalf("%+v: counted %d provided, not %d", s, active, s.Provided())
	}
	if s := h.Stats(); s.Held != held || s.Searches != searches || searches != responses+len(waiting) || s.Names != h.names.used() {
		t.Fatalf("%+v: counted %d held, %d searches, %d response timers, %d waiting, %d records", s, held, searches, responses, len(waiting), h.names.used())
	}
	n.checkListeners(t)
}

func (n *testNode) checkListeners(t testing.TB) {
	t.Helper()
	h := n.home
	byEntry, byOwner := 0, 0
	for i, e := range h.entries {
		if e.index != i || e.first == nil || h.byText[string(e.pattern.text)] != e {
			t.Fatalf("entry %d (%q) is damaged", i, e.pattern.text)
		}
		for l := e.first; l != nil; l = l.next {
			byEntry++
			if l.gone || h.listeners[listenerKey{l.conn, e}] != l || l.next != nil && l.next.seq <= l.seq {
				t.Fatalf("listener %d of %q is damaged", l.conn, e.pattern.text)
			}
		}
	}
	for conn, o := range h.owners {
		count := 0
		for l := o.first; l != nil; l = l.nextOwn {
			count++
		}
		if byOwner += count; count != o.count || count == 0 {
			t.Fatalf("conn %d: %d patterns, counted %d", conn, o.count, count)
		}
	}
	if byEntry != len(h.listeners) || byOwner != len(h.listeners) {
		t.Fatalf("%d listeners, %d by pattern, %d by connection", len(h.listeners), byEntry, byOwner)
	}
}

// checkEmpty verifies that nothing is left: no state, no timer.
func (n *testNode) checkEmpty(t testing.TB) {
	t.Helper()
	h := n.home
	s := h.Stats()
	s.NamesRefused = 0
	if s != (Stats{}) || len(h.byText)+len(h.owners)+len(h.names.chunks)+len(h.searches.chunks) != 0 {
		t.Fatalf("state is left: %+v", s)
	}
	if len(n.timers) != 0 {
		t.Fatalf("timers are left: %+v", n.timers)
	}
}

func (n *testNode) takeLog() string {
	out := strings.Join(n.log, "\n")
	n.log = n.log[:0]
	if out == "" {
		return "nothing\n"
	}
	return out + "\n"
}
