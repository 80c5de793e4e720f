package listen

import (
	"errors"
	"fmt"
	"math"
	"time"

	"deepstream-fast/internal/invariant"
	"deepstream-fast/protocol"
)

// Limits a LISTEN can run into.
var (
	ErrTooManyPatterns  = errors.New("listen: connection has too many patterns")
	ErrTooManyListeners = errors.New("listen: node has too many listeners")
)

// TimerID names a timer that Out started.
type TimerID uint64

// Out carries out what a Home decides. It copies the bytes it is given before it returns, and does
// not call the Home back.
type Out interface {
	// Send queues m, which is reused, for a connection; one that is gone is no error.
	Send(to protocol.ConnID, m *protocol.Message)
	// ProviderChanged says that name, which has subscribers, gained or lost its provider.
	ProviderChanged(name []byte, has bool)
	// Loops returns the loops that have subscribers of name now. It is asked for names that become
	// interesting: nobody kept account of their earlier subscribers.
	Loops(name []byte) uint64
	// StartTimer arranges for Fired(kind, key) on this loop, once. It may be late, not early.
	StartTimer(after time.Duration, kind uint8, key uint64) TimerID
	// StopTimer cancels a timer that has not fired.
	StopTimer(TimerID)
	// Random returns a number from 0 to n-1.
	Random(n int) int
	// Now returns the time since some fixed moment. It may be as coarse as a tick.
	Now() time.Duration
}

// Options configures a Home. The zero value is the documented default.
type Options struct {
	// Ordered asks candidates in the order of their LISTEN; otherwise the order is random, which
	// spreads names over equal providers. Key: listen.shuffleProviders, inverted.
	Ordered bool
	// ResponseTimeout is how long a candidate may take to answer. Default 500 ms, which upstream
	// tests rely on. Key: listen.responseTimeout.
	ResponseTimeout time.Duration
	// RematchInterval is the pause between two rounds that search again for names nobody wanted.
	// Default 30 s; 1 s or less but not zero means never. Key: listen.rematchInterval.
	RematchInterval time.Duration
	// MatchCooldown is how long after a failed search a round leaves the name alone, to 10 ms.
	// Default 10 s, at most a day. Key: listen.matchCooldown.
	MatchCooldown time.Duration
	// PatternsPerConnMax bounds the patterns of one connection. Default 1000.
	// Key: listen.maxPatternsPerConnection.
	PatternsPerConnMax int
	// ListenersMax bounds the (connection, pattern) pairs of the node: about 160 bytes each, on
	// every loop. Default 1<<20.
	ListenersMax int
	// NamesMax bounds the names a Home remembers. Further ones are not offered to anybody and
	// counted in Stats.NamesRefused. Default 1<<24.
	NamesMax int
}

// withDefaults returns o with its zero fields filled in.
func (o Options) withDefaults() Options {
	orDuration := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	orInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	orDuration(&o.ResponseTimeout, 500*time.Millisecond)
	orDuration(&o.RematchInterval, 30*time.Second)
	orDuration(&o.MatchCooldown, 10*time.Second)
	orInt(&o.PatternsPerConnMax, 1000)
	orInt(&o.ListenersMax, 1<<20)
	orInt(&o.NamesMax, 1<<24)
	return o
}

// Validate reports the first option that is out of range, by its configuration key.
func (o Options) Validate() error {
	o = o.withDefaults()
	switch {
	case o.ResponseTimeout < 50*time.Millisecond:
		return fmt.Errorf("listen.responseTimeout: %v is less than 50ms", o.ResponseTimeout)
	case o.RematchInterval < 0:
		return fmt.Errorf("listen.rematchInterval: %v is negative", o.RematchInterval)
	case o.MatchCooldown < 0 || o.MatchCooldown > 24*time.Hour:
		return fmt.Errorf("listen.matchCooldown: %v is not between 0 and 24h", o.MatchCooldown)
	case o.PatternsPerConnMax < 0:
		return fmt.Errorf("listen.maxPatternsPerConnection: %d is negative", o.PatternsPerConnMax)
	case o.ListenersMax < 0 || o.NamesMax < 0 || o.NamesMax > math.MaxInt32:
		return fmt.Errorf("listen: limits %d and %d are out of range", o.ListenersMax, o.NamesMax)
	}
	return nil
}

// Stats are the sizes of a Home.
type Stats struct {
	Patterns     int // distinct pattern texts
	Listeners    int // (connection, pattern) pairs
	Names        int // names remembered
	Held         int // of these, provided or being asked for
	Searches     int // names being asked for or queued
	Queued       int // names whose search waits for its turn
	NamesRefused uint64
}

// Provided returns the number of names with an active provider.
func (s Stats) Provided() int { return s.Held - (s.Searches - s.Queued) }

// entry is one pattern text and everybody who listens to it.
type entry struct {
	pattern *Pattern
	index   int // in Home.entries
	first   *listener
	last    *listener
}

// listener is a registered (connection, pattern) pair: a candidate for every name that matches.
type listener struct {
	conn  protocol.ConnID
	seq   uint64 // order of registration, from 1
	entry *entry // keeps the pattern known after gone, too
	gone  bool   // removed, but a Removal has yet to take its names away

	prev, next       *listener // of the same entry, by seq
	prevOwn, nextOwn *listener // of the same connection
	names            uint32    // first of the names it holds
}

// owner is a connection that listens.
type owner struct {
	first *listener
	count int
}

type listenerKey struct {
	conn  protocol.ConnID
	entry *entry
}

// Home owns the listening state of the names homed on one loop, for one topic. All of it is owned by
// that loop's goroutine.
type Home struct {
	// Set by New, then constant.
	opts    Options
	actions Actions
	out     Out

	// Who listens to what.
	entries   []*entry
	byText    map[string]*entry
	listeners map[listenerKey]*listener
	owners    map[protocol.ConnID]*owner
	seq       uint64 // of the latest listener

	// What is provided, or asked for. See name.
	byName   map[string]uint32
	names    slab[name]
	searches slab[search]
	queue    queue // names whose search waits for its turn
	scan     scan  // of the first of them, or of a name that is not remembered
	held     int
	serial   uint32 // of the latest question
	refused  uint64

	// What may be done until the next Turn, in test costs. It is used up before anything is queued.
	budget  int
	perTurn int // TurnBudget; tests divide their work further

	// The round that looks at idle names again.
	rematchTimer TimerID
	rematchOn    bool
	rematchAt    uint32 // the name visited last in this round

	// Scratch, valid within one call.
	msg   protocol.Message
	text  []byte
	units []byte
}

// New returns a Home without listeners. opts must be valid.
func New(actions Actions, opts Options, out Out) *Home {
	h := &Home{
		opts:      opts.withDefaults(),
		actions:   actions,
		out:       out,
		byText:    map[string]*entry{},
		listeners: map[listenerKey]*listener{},
		owners:    map[protocol.ConnID]*owner{},
		budget:    TurnBudget,
		perTurn:   TurnBudget,
	}
	h.forget()
	return h
}

// Stats returns the current sizes, in O(1).
func (h *Home) Stats() Stats {
	return Stats{
		Patterns:     len(h.entries),
		Listeners:    len(h.listeners),
		Names:        len(h.byName),
		Held:         h.held,
		Searches:     h.searches.used(),
		Queued:       h.queue.size,
		NamesRefused: h.refused,
	}
}

// Knows reports whether somebody listens to p.
func (h *Home) Knows(p *Pattern) bool { return h.byText[string(p.text)] != nil }

// Listen registers conn as a candidate for all names that match p, and reports whether it is new:
// repeating a LISTEN changes nothing. If so, the caller goes on to Offer the names subscribed already.
// The error wraps ErrTooManyPatterns or ErrTooManyListeners. The latter depends on what the other
// connections did first, so one home may refuse what another took: the caller then Unlistens.
func (h *Home) Listen(conn protocol.ConnID, p *Pattern) (added bool, err error) {
	e := h.byText[string(p.text)]
	if e != nil && h.listeners[listenerKey{conn, e}] != nil {
		return false, nil
	}
	o := h.owners[conn]
	if o != nil && o.count >= h.opts.PatternsPerConnMax {
		return false, fmt.Errorf("%w: %d", ErrTooManyPatterns, o.count)
	}
	if len(h.listeners) >= h.opts.ListenersMax {
		return false, fmt.Errorf("%w: %d", ErrTooManyListeners, len(h.listeners))
	}
	if e == nil {
		e = &entry{pattern: p, index: len(h.entries)}
		h.entries = append(h.entries, e)
		h.byText[string(p.text)] = e
	}
	if o == nil {
		o = &owner{}
		h.owners[conn] = o
	}
	h.register(conn, e, o)
	h.startRounds()
	return true, nil
}

func (h *Home) register(conn protocol.ConnID, e *entry, o *owner) {
	h.seq++
	l := &listener{conn: conn, seq: h.seq, entry: e, prev: e.last, nextOwn: o.first}
	h.listeners[listenerKey{conn, e}] = l
	if e.last != nil {
		e.last.next = l
	} else {
		e.first = l
	}
	e.last = l
	if o.first != nil {
		o.first.prevOwn = l
	}
	o.first = l
	o.count++
}

// unregister takes l out of its entry: from now on it is not a candidate. Its names stay with it.
func (h *Home) unregister(l *listener) {
	e := l.entry
	delete(h.listeners, listenerKey{l.conn, e})
	l.gone = true
	if l.prev != nil {
		l.prev.next = l.next
	} else {
		e.first = l.next
	}
	if l.next != nil {
		l.next.prev = l.prev
	} else {
		e.last = l.prev
	}
	l.prev, l.next = nil, nil
	if e.first != nil {
		return
	}
	delete(h.byText, string(e.pattern.text))
	h.removeEntry(e.index)
}

// removeEntry takes an entry out of the list, and keeps those that the scan has tested in front of
// those it has not.
func (h *Home) removeEntry(i int) {
	if i < h.scan.at {
		h.scan.at--
		h.moveEntry(h.scan.at, i)
		i = h.scan.at
	}
	last := len(h.entries) - 1
	h.moveEntry(last, i)
	h.entries[last] = nil
	h.entries = h.entries[:last]
}

func (h *Home) moveEntry(from, to int) {
	h.entries[to] = h.entries[from]
	h.entries[to].index = to
}

// Patterns returns the texts of the patterns of conn, in no order.
func (h *Home) Patterns(conn protocol.ConnID) (texts [][]byte) {
	o := h.owners[conn]
	if o == nil {
		return nil
	}
	for l := o.first; l != nil; l = l.nextOwn {
		texts = append(texts, l.entry.pattern.Text())
	}
	return texts
}

// Unlisten removes one pattern of conn, and returns nil if it was not registered. conn is no
// candidate any more when the call returns; the Removal takes away the names it held.
func (h *Home) Unlisten(conn protocol.ConnID, pattern []byte) *Removal {
	e := h.byText[string(pattern)]
	l := h.listeners[listenerKey{conn, e}]
	if l == nil {
		return nil
	}
	o := h.owners[conn]
	if l.prevOwn != nil {
		l.prevOwn.nextOwn = l.nextOwn
	} else {
		o.first = l.nextOwn
	}
	if l.nextOwn != nil {
		l.nextOwn.prevOwn = l.prevOwn
	}
	l.prevOwn, l.nextOwn = nil, nil
	if o.count--; o.count == 0 {
		delete(h.owners, conn)
	}
	h.unregister(l)
	return &Removal{home: h, left: l}
}

// Closed removes all patterns of conn, as Unlisten does one.
func (h *Home) Closed(conn protocol.ConnID) *Removal {
	o := h.owners[conn]
	if o == nil {
		return nil
	}
	delete(h.owners, conn)
	for l := o.first; l != nil; l = l.nextOwn {
		h.unregister(l)
	}
	return &Removal{home: h, left: o.first}
}

// Removal hands the names of removed listeners to other candidates. Until that is done such a name
// still counts as provided.
type Removal struct {
	home *Home
	left *listener
}

// Step takes care of up to budget names and returns what is left of the budget. While that is 0 there
// may be more, and Step must be called again. A thousand names take a fraction of a millisecond, see
// BenchmarkClosed. A nil Removal has nothing to do.
// Order per name: the provider is lost, then the next candidate is asked. Source: spec/listen.md §4, §6.
func (r *Removal) Step(budget int) (left int) {
	if r == nil {
		return budget
	}
	for ; r.left != nil; r.left = r.left.nextOwn {
		for ; r.left.names != 0; budget-- {
			if budget <= 0 {
				return 0
			}
			r.home.handOn(r.left.names)
		}
	}
	r.home.forgetIfUnused()
	return budget
}

// forgetIfUnused drops all names in O(1) once nobody listens: those left are idle or queued in vain.
func (h *Home) forgetIfUnused() {
	if len(h.entries) > 0 || h.held > 0 {
		return
	}
	invariant.Assert(h.searches.used() == h.queue.size, "listen: %d searches, %d names queued", h.searches.used(), h.queue.size)
	h.stopRounds()
	h.forget()
}

func (h *Home) forget() {
	h.byName = map[string]uint32{}
	h.names, h.searches = slab[name]{}, slab[search]{}
	h.queue, h.scan = queue{}, scan{}
}
