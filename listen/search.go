package listen

import (
	"math"
	"time"

	"deepstream-fast/internal/invariant"
	"deepstream-fast/protocol"
)

// Kinds of timers, the first argument of Fired.
const (
	timerResponse uint8 = iota + 1 // key: serial of the question << 32 | name
	timerRound                     // key: 0
)

// A round visits names in slices, so that it never holds up the loop for long.
const (
	roundBudget = 1 << 16 // per slice: a visit costs 1, a search roundSearch
	roundSearch = 48
	roundPause  = time.Millisecond // at least, between two slices
	tickLength  = 10 * time.Millisecond
)

// name is a subscribed name that matches a pattern, or may do so.
// With a holder and a search it is asked, with a holder only it is provided, with a search only it is
// queued, and without either it is idle.
type name struct {
	loops      uint64 // with a local subscriber; never 0
	text       string
	holder     *listener // the candidate asked, or the provider
	prev, next uint32    // other names of the holder, or neighbours in the queue
	search     uint32
	retryAt    uint32 // idle: tick from which a round may search again
}

// search is the position of one search in its order of candidates.
type search struct {
	timer  TimerID
	start  uint64 // listeners registered later come last
	cursor uint64 // rank of the candidate asked last
	seed   uint32 // of the permutation; 0: in order of registration
	serial uint32 // of the question being asked
}

// rank places l in the order of candidates; ranks are distinct and positive.
func (s *search) rank(l *listener) uint64 {
	const later = 1 << 63
	switch {
	case l.seq > s.start:
		return later | l.seq
	case s.seed == 0:
		return l.seq
	default:
		return permute(l.seq, s.seed) + 1
	}
}

// permute is a bijection of the 63-bit integers, one for each seed: whoever is not asked first is
// not always asked last. Steps: the finaliser of SplitMix64, cut to 63 bits.
func permute(x uint64, seed uint32) uint64 {
	const mask = 1<<63 - 1
	x = (x + uint64(seed)*0x9E3779B97F4A7C15) & mask
	x ^= x >> 30
	x = x * 0xBF58476D1CE4E5B9 & mask
	x ^= x >> 27
	x = x * 0x94D049BB133111EB & mask
	return x ^ x>>31
}

// Subscribers is a loop's report that it got its first (on) or lost its last subscriber of name. The
// reports of one loop come in order, each after the change shows in Out.Loops; one that says what is
// known already does nothing. The first loop starts a search, the last one ends it, or the provision.
// Cost of a name that is not known: one test of every pattern, now or in a later Turn.
func (h *Home) Subscribers(name []byte, loop int, on bool) {
	invariant.Assert(loop < protocol.LoopsMax, "listen: loop %d", loop)
	bit := uint64(1) << loop
	id := h.byName[string(name)]
	switch {
	case id == 0 && on:
		h.discover(name, 0)
	case id == 0:
	case on:
		h.names.at(id).loops |= bit
	default:
		h.leave(id, bit)
	}
}

// Offer tells the Home, after p was registered, that the given loops have subscribers of name. The
// caller reads loops, as Out.Loops would, on this loop just before the call; it offers every name
// homed here once, in any slices and order.
// Names that do not match p are ignored, as are those that are provided or being asked for: a running
// search finds the new candidate by itself. The test does not count in this Turn: its cost, in the unit
// of TurnBudget, is returned, and the caller has to stop in time.
func (h *Home) Offer(p *Pattern, name []byte, loops uint64) (cost int) {
	if loops == 0 {
		return 1
	}
	id := h.byName[string(name)]
	if id != 0 {
		n := h.names.at(id)
		n.loops |= loops
		if n.state() != idle {
			return 1
		}
	}
	var units []byte
	units, h.units = unitForm(h.units, name)
	ok, cost := p.test(units)
	switch {
	case !ok:
	case id != 0:
		h.retry(id)
	default:
		h.discover(name, loops)
	}
	return cost
}

// HasProvider reports whether somebody provides name.
func (h *Home) HasProvider(name []byte) bool {
	id := h.byName[string(name)]
	return id != 0 && h.names.at(id).state() == provided
}

// Accept handles LISTEN_ACCEPT. From the candidate being asked it ends the search; repeated by the
// provider it means nothing. Any other is late, and told to stop: Q30, Q31.
func (h *Home) Accept(conn protocol.ConnID, pattern, subscription []byte) {
	id := h.byName[string(subscription)]
	switch state := h.answering(id, conn, pattern); state {
	case asked:
		n := h.names.at(id)
		h.out.StopTimer(h.searches.at(n.search).timer)
		h.endSearch(n)
		h.out.ProviderChanged(subscription, true)
	case provided:
	default:
		h.send(conn, h.actions.Removed, pattern, subscription)
	}
}

// Reject handles LISTEN_REJECT: the candidate being asked declines, and the next one is asked.
func (h *Home) Reject(conn protocol.ConnID, pattern, subscription []byte) {
	id := h.byName[string(subscription)]
	if h.answering(id, conn, pattern) == asked {
		h.out.StopTimer(h.searches.at(h.names.at(id).search).timer)
		h.release(id)
		h.advance(id)
	}
}

// Fired handles a timer of StartTimer. One that was stopped does nothing.
func (h *Home) Fired(kind uint8, key uint64) {
	switch kind {
	case timerResponse:
		h.responseTimeout(uint32(key), uint32(key>>32))
	case timerRound:
		h.round()
	}
}

func (h *Home) responseTimeout(id, serial uint32) {
	if id > h.names.last {
		return
	}
	n := h.names.at(id)
	if n.state() != asked || h.searches.at(n.search).serial != serial {
		return
	}
	if l := n.holder; !l.gone {
		h.send(l.conn, h.actions.ResponseTimeout, nil, h.textOf(n))
	}
	h.release(id)
	h.advance(id)
}

// nameState is what becomes of an answer.
type nameState uint8

const (
	idle nameState = iota
	queued
	asked
	provided
)

func (n *name) state() nameState {
	switch {
	case n.holder == nil && n.search == 0:
		return idle
	case n.holder == nil:
		return queued
	case n.search != 0:
		return asked
	default:
		return provided
	}
}

// answering returns the state of a name if the (conn, pattern) pair holds it, and idle if not.
func (h *Home) answering(id uint32, conn protocol.ConnID, pattern []byte) nameState {
	if id == 0 {
		return idle
	}
	n := h.names.at(id)
	l := n.holder
	if l == nil || l.gone || l.conn != conn || string(l.entry.pattern.text) != string(pattern) {
		return idle
	}
	return n.state()
}

// discover starts to remember text, if somebody may provide it. loops is 0 if not known.
func (h *Home) discover(text []byte, loops uint64) {
	s := h.newSearch()
	whole := h.queue.size == 0 && h.advanceScan(text)
	var l *listener
	if whole {
		if l = h.endScan(&s); l == nil {
			return
		}
	}
	if loops == 0 {
		loops = h.out.Loops(text)
	}
	id := h.remember(text, loops)
	switch {
	case id == 0 && h.queue.size == 0:
		h.scan.reset()
	case id == 0:
	case whole:
		h.startSearch(id, s)
		h.ask(id, l)
	default: // the scan that has begun, if this is the first in the queue, goes on from there
		h.startSearch(id, s)
		h.enqueue(id)
	}
}

// remember returns the number of a new name, or 0 if it is gone already, which a report on its way
// tells, or one too many.
func (h *Home) remember(text []byte, loops uint64) (id uint32) {
	if loops == 0 {
		return 0
	}
	if len(h.byName) >= h.opts.NamesMax {
		h.refused++
		return 0
	}
	id = h.names.acquire()
	n := h.names.at(id)
	n.loops, n.text = loops, string(text)
	h.byName[n.text] = id
	return id
}

// retry searches for an idle name afresh, or forgets it if no pattern matches any more.
func (h *Home) retry(id uint32) {
	h.startSearch(id, h.newSearch())
	h.enqueue(id)
	h.work()
}

// leave takes note that a loop has no subscriber of a name any more.
func (h *Home) leave(id uint32, bit uint64) {
	n := h.names.at(id)
	n.loops &^= bit
	if n.loops != 0 {
		return
	}
	l := n.holder
	switch n.state() {
	case queued:
		h.dequeue(id)
		h.endSearch(n)
	case asked: // its answer will be late
		h.out.StopTimer(h.searches.at(n.search).timer)
		h.endSearch(n)
		h.release(id)
	case provided:
		if !l.gone {
			h.send(l.conn, h.actions.Removed, l.entry.pattern.text, h.textOf(n))
		}
		h.release(id)
	}
	h.drop(id)
}

// handOn takes a name from a holder that is gone. A provided name is searched for afresh, and at once:
// the cooldown is about searches that failed, and the last one succeeded.
func (h *Home) handOn(id uint32) {
	n := h.names.at(id)
	wasAsked := n.state() == asked
	h.release(id)
	if wasAsked {
		h.out.StopTimer(h.searches.at(n.search).timer)
		h.advance(id)
		return
	}
	h.out.ProviderChanged(h.textOf(n), false)
	h.retry(id)
}

func (h *Home) newSearch() search {
	s := search{start: h.seq}
	if !h.opts.Ordered && len(h.listeners) > 1 {
		s.seed = 1 + uint32(h.out.Random(math.MaxInt32))
	}
	return s
}

func (h *Home) startSearch(id uint32, s search) {
	n := h.names.at(id)
	n.search = h.searches.acquire()
	*h.searches.at(n.search) = s
}

// advance goes on with a search whose candidate was released.
func (h *Home) advance(id uint32) {
	h.enqueue(id)
	h.work()
}

func (h *Home) endSearch(n *name) {
	h.searches.release(n.search)
	n.search = 0
}

// ask makes l the candidate of a name and sends the question.
func (h *Home) ask(id uint32, l *listener) {
	n := h.names.at(id)
	s := h.searches.at(n.search)
	h.hold(id, l)
	h.serial++
	s.cursor, s.serial = s.rank(l), h.serial
	h.send(l.conn, h.actions.Found, l.entry.pattern.text, h.textOf(n))
	s.timer = h.out.StartTimer(h.opts.ResponseTimeout, timerResponse, uint64(s.serial)<<32|uint64(id))
}

// hold and release keep the list of names that belong to a listener.
func (h *Home) hold(id uint32, l *listener) {
	n := h.names.at(id)
	invariant.Assert(n.holder == nil && !l.gone, "listen: %q changes hands without a release", n.text)
	n.holder, n.prev, n.next = l, 0, l.names
	if l.names != 0 {
		h.names.at(l.names).prev = id
	}
	l.names = id
	h.held++
}

func (h *Home) release(id uint32) {
	n := h.names.at(id)
	if n.prev != 0 {
		h.names.at(n.prev).next = n.next
	} else {
		n.holder.names = n.next
	}
	if n.next != 0 {
		h.names.at(n.next).prev = n.prev
	}
	n.holder, n.prev, n.next = nil, 0, 0
	h.held--
}

// drop forgets an idle name.
func (h *Home) drop(id uint32) {
	n := h.names.at(id)
	invariant.Assert(n.state() == idle && n.search == 0, "listen: %q is forgotten while held", n.text)
	delete(h.byName, n.text)
	h.names.release(id)
}

// startRounds and stopRounds keep one timer running while somebody listens.
func (h *Home) startRounds() {
	if !h.rematchOn && h.opts.RematchInterval > time.Second {
		h.rematchOn = true
		h.rematchTimer = h.out.StartTimer(h.opts.RematchInterval, timerRound, 0)
	}
}

func (h *Home) stopRounds() {
	if h.rematchOn {
		h.out.StopTimer(h.rematchTimer)
		h.rematchOn, h.rematchAt = false, 0
	}
}

// round visits a slice of the names: idle ones are searched for again unless a search failed lately,
// and forgotten if no pattern matches them since somebody unlistened. It adds nothing to a queue.
func (h *Home) round() {
	now := h.tick()
	for budget := roundBudget; budget > 0 && h.queue.size == 0 && h.rematchAt < h.names.last; budget-- {
		h.rematchAt++
		n := h.names.at(h.rematchAt)
		if n.loops != 0 && n.state() == idle && int32(now-n.retryAt) >= 0 {
			h.retry(h.rematchAt)
			budget -= roundSearch
		}
	}
	pause := roundPause
	if h.rematchAt >= h.names.last {
		h.rematchAt, pause = 0, h.opts.RematchInterval
	}
	h.rematchTimer = h.out.StartTimer(pause, timerRound, 0)
}

// tick is the time in units short enough to store; differences survive its wrapping around.
func (h *Home) tick() uint32 { return uint32(h.out.Now() / tickLength) }

// textOf returns the text of n in scratch that lives until the next call.
func (h *Home) textOf(n *name) []byte {
	h.text = append(h.text[:0], n.text...)
	return h.text
}

func (h *Home) send(to protocol.ConnID, a protocol.Action, pattern, subscription []byte) {
	h.msg = protocol.Message{Topic: h.actions.Topic, Action: a, Name: pattern, Subscription: subscription}
	h.out.Send(to, &h.msg)
}
