package session

import (
	"bytes"
	"time"

	"deepstream-fast/bulk"
	"deepstream-fast/engine"
	"deepstream-fast/event"
	"deepstream-fast/listen"
	"deepstream-fast/protocol"
	"deepstream-fast/registry"
	"deepstream-fast/timer"
)

// What one turn of one loop does while patterns come or go. A scan of millions of names takes many
// turns, between which sockets are served.
const (
	scanPerTurn    = 8 << 10               // names of any topic looked at
	scanCost       = listen.TurnBudget / 2 // of matching them
	handOnsPerTurn = 512                   // names handed on
)

// listenSpaces are the registry name spaces of the listening topics.
var listenSpaces = [listenTopics]byte{event.Space, recordSpace}

// listenDenied is how the listening topics refuse.
var listenDenied = [listenTopics]protocol.Action{protocol.EventMessageDenied, protocol.RecordMessageDenied}

// listenMessage handles LISTEN, UNLISTEN, LISTEN_ACCEPT and LISTEN_REJECT of one listening topic.
func (l *Loop) listenMessage(topic int, t *bulk.Topic, peer bulk.Peer, s *conn, m *protocol.Message) (known bool) {
	a := listenActions[topic]
	switch m.Action {
	case a.Listen:
		if l.bulk.Allowed(t, peer, m, m.Name) {
			s.used |= usedListen
			l.startListen(topic, t, peer, m)
		}
	case a.Unlisten:
		l.unlisten(topic, peer, m)
	case a.Accept, a.Reject:
		l.listenAnswer(topic, peer, m)
	default:
		return false
	}
	l.wakeForListening(topic)
	return true
}

// wakeForListening makes sure that a turn follows if searches or scans wait for one: a message may be
// answered without any.
func (l *Loop) wakeForListening(topic int) {
	if len(l.scans)+len(l.removals) > 0 || l.listen[topic].Waiting() {
		l.wake()
	}
}

// wake makes sure that a turn follows.
func (l *Loop) wake() {
	if !l.woken {
		l.woken = true
		l.eng.PostSelf(engine.Mail{Kind: mailCall, Body: func(*Loop) {}})
	}
}

// registration is one LISTEN or UNLISTEN on its way through all homes. Each reports to the loop of the
// connection when it has finished, and the last one's report is the answer's cue. Mail being first in,
// first out, answers keep the order of the requests, and what a home asked the connection meanwhile
// comes before the answer.
type registration struct {
	// Set by newRegistration, then constant.
	peer  protocol.ConnID
	topic int
	ack   protocol.Message // owns its bytes

	// Owned by the loop of peer.
	left   int // homes that have not reported yet
	failed bool
}

func (l *Loop) newRegistration(topic int, peer protocol.ConnID, m *protocol.Message) *registration {
	r := &registration{peer: peer, topic: topic, left: l.node.opts.Loops}
	r.ack = protocol.Message{
		Topic: m.Topic, Action: m.Action, IsAck: true,
		Name: bytes.Clone(m.Name), CorrelationID: bytes.Clone(m.CorrelationID),
	}
	return r
}

// done reports that this home has finished with r.
func (l *Loop) done(r *registration, err error) {
	if origin := r.peer.Loop(); origin != l.id {
		l.on(origin, func(o *Loop) { o.finished(r, err) })
		return
	}
	l.finished(r, err)
}

// finished notes one home's report, and answers after the last.
func (l *Loop) finished(r *registration, err error) {
	r.left--
	r.failed = r.failed || err != nil
	switch {
	case r.left > 0:
	case r.failed: // some home is full: take it back everywhere
		if removal := l.listen[r.topic].Unlisten(r.peer, r.ack.Name); removal != nil {
			l.node.patterns[r.topic].Add(-1)
			l.remove(removal)
		}
		l.onOthers(func(h *Loop) { h.forgetPattern(r) })
		l.tally.refusedWhole(&r.ack)
		l.reply = protocol.Message{
			Topic: r.ack.Topic, Action: listenDenied[r.topic], OriginalAction: r.ack.Action,
			IsError: true, Name: r.ack.Name, CorrelationID: r.ack.CorrelationID,
		}
		l.Reply(r.peer, &l.reply)
	default:
		l.Reply(r.peer, &r.ack)
	}
}

func (l *Loop) forgetPattern(r *registration) {
	l.remove(l.listen[r.topic].Unlisten(r.peer, r.ack.Name))
}

// startListen registers a pattern with every home. The own home judges: all homes hold the same
// patterns.
func (l *Loop) startListen(topic int, t *bulk.Topic, peer bulk.Peer, m *protocol.Message) {
	p, err := listen.Compile(m.Name, l.node.opts.PatternBytesMax)
	if err != nil {
		l.reply = protocol.Message{Topic: m.Topic, Action: listenActions[topic].InvalidRegex, Name: m.Name, IsError: true}
		l.Reply(peer.ID, &l.reply)
		return
	}
	// Counted before any home looks for subscribed names: a loop that gets a first subscriber from
	// here on reports it, one that got it before is found by the scan.
	l.node.patterns[topic].Add(1)
	added, err := l.listen[topic].Listen(peer.ID, p)
	if err != nil || !added {
		l.node.patterns[topic].Add(-1)
	}
	switch {
	case err != nil:
		l.reply = protocol.Message{
			Topic: m.Topic, Action: t.Denied, OriginalAction: m.Action, IsError: true,
			Name: m.Name, CorrelationID: m.CorrelationID,
		}
		l.Reply(peer.ID, &l.reply)
	case !added: // idempotent, quirk Q1e; but the first request may not have been answered yet
		r := l.newRegistration(topic, peer.ID, m)
		l.onOthers(func(h *Loop) { h.done(r, nil) })
		l.done(r, nil)
	default:
		r := l.newRegistration(topic, peer.ID, m)
		l.onOthers(func(h *Loop) {
			_, err := h.listen[topic].Listen(r.peer, p)
			h.startScan(r, p)
			h.done(r, err)
		})
		l.startScan(r, p)
		l.done(r, nil)
	}
}

// unlisten removes a pattern from every home and acknowledges, whether it was registered or not: the
// client would otherwise wait for an answer.
func (l *Loop) unlisten(topic int, peer bulk.Peer, m *protocol.Message) {
	r := l.newRegistration(topic, peer.ID, m)
	removal := l.listen[topic].Unlisten(peer.ID, m.Name)
	if removal != nil {
		l.node.patterns[topic].Add(-1)
	}
	l.onOthers(func(h *Loop) {
		h.forgetPattern(r)
		h.done(r, nil)
	})
	l.remove(removal)
	l.done(r, nil)
}

// dropPattern removes a pattern without an answer, and reports whether it was registered.
func (l *Loop) dropPattern(topic int, peer protocol.ConnID, pattern []byte) bool {
	removal := l.listen[topic].Unlisten(peer, pattern)
	if removal == nil {
		return false
	}
	l.node.patterns[topic].Add(-1)
	l.onOthers(func(h *Loop) { h.remove(h.listen[topic].Unlisten(peer, pattern)) })
	l.remove(removal)
	l.wakeForListening(topic)
	return true
}

func (l *Loop) listenAnswer(topic int, peer bulk.Peer, m *protocol.Message) {
	accept := m.Action == listenActions[topic].Accept
	tell := func(h *Loop, pattern, name []byte) {
		if accept {
			h.listen[topic].Accept(peer.ID, pattern, name)
		} else {
			h.listen[topic].Reject(peer.ID, pattern, name)
		}
	}
	home := l.node.home(m.Subscription)
	if home == l.id {
		tell(l, m.Name, m.Subscription)
		return
	}
	pattern, name := bytes.Clone(m.Name), bytes.Clone(m.Subscription)
	l.on(home, func(h *Loop) { tell(h, pattern, name) })
}

// closeListen removes all patterns of a connection that is gone.
func (l *Loop) closeListen(id protocol.ConnID) {
	for t, home := range l.listen {
		before := home.Stats().Listeners
		l.remove(home.Closed(id))
		l.node.patterns[t].Add(int64(home.Stats().Listeners - before))
	}
	l.onOthers(func(h *Loop) {
		for _, home := range h.listen {
			h.remove(home.Closed(id))
		}
	})
}

// reportEdge tells the home of name that this loop got its first or lost its last subscriber.
func (l *Loop) reportEdge(topic int, name []byte, on bool) {
	if l.node.patterns[topic].Load() == 0 {
		return
	}
	about := unsubscribed
	if on {
		about = subscribed
	}
	l.report(packet{about: about, topic: topic}, name)
	l.wakeForListening(topic)
}

// eventObserver lets listening know of event subscriptions.
type eventObserver struct{ l *Loop }

// Subscribed implements bulk.Observer.
func (o eventObserver) Subscribed(_ protocol.ConnID, name []byte, edge bool) {
	if edge {
		o.l.reportEdge(listenEvent, name, true)
	}
}

// Unsubscribed implements bulk.Observer.
func (o eventObserver) Unsubscribed(_ protocol.ConnID, name []byte, edge bool) {
	if edge {
		o.l.reportEdge(listenEvent, name, false)
	}
}

// scan offers the names subscribed when a pattern was registered, slice by slice.
type scan struct {
	topic  int
	p      *listen.Pattern
	cursor registry.Cursor
}

// scanBudget is what all scans of a loop may still do in this turn.
type scanBudget struct{ names, cost int }

// startScan looks through the first slice at once, so that in all ordinary cases whatever is found is
// asked for before the ack, as the official server does it.
func (l *Loop) startScan(r *registration, p *listen.Pattern) {
	s := &scan{topic: r.topic, p: p}
	if len(l.scans) > 0 || l.scanSlice(s) {
		l.scans = append(l.scans, s)
	}
}

// scanSlice goes on with s until its end or that of the budget. A scan for a pattern that nobody
// listens to any more is at its end.
func (l *Loop) scanSlice(s *scan) (more bool) {
	home, b := l.listen[s.topic], &l.scanBudget
	for home.Knows(s.p) {
		if b.names <= 0 || b.cost <= 0 {
			return true
		}
		from := s.cursor
		next, done := l.node.table.Walk(from, b.names, listenSpaces[s.topic], func(_ registry.TopicRef, key []byte, mask uint64) bool {
			if name := key[1:]; l.node.home(name) == l.id {
				b.cost -= home.Offer(s.p, name, mask)
			}
			return b.cost > 0
		})
		b.names -= int(next - from)
		if s.cursor = next; done {
			return false
		}
	}
	return false
}

// scanStep gives the scans their turn, one after the other: a long one does not keep the rest waiting.
func (l *Loop) scanStep() (more bool) {
	for range len(l.scans) {
		s := l.scans[0]
		l.scans[0] = nil
		l.scans = l.scans[1:]
		if l.scanSlice(s) {
			l.scans = append(l.scans, s)
			return true
		}
	}
	return len(l.scans) > 0
}

// removal is what is left to do for connections or patterns that are gone. Step does up to budget
// pieces of it and returns what is left of the budget: 0 while there may be more.
type removal interface{ Step(budget int) (left int) }

// remove begins with a removal.
func (l *Loop) remove(r removal) {
	if l.handOns > 0 {
		l.handOns = r.Step(l.handOns)
	}
	if l.handOns == 0 {
		l.removals = append(l.removals, r)
	}
}

func (l *Loop) removalStep() (more bool) {
	for len(l.removals) > 0 {
		if l.handOns = l.removals[0].Step(l.handOns); l.handOns == 0 {
			return true
		}
		l.removals[0] = nil
		l.removals = l.removals[1:]
	}
	return false
}

// background does a slice of everything that is too long for one turn, and reports whether some of it
// is left. Reports come first, what they make searches for next.
func (l *Loop) background() (more bool) {
	l.woken = false
	l.grant()
	l.incoming.work(l)
	for _, home := range l.listen {
		more = home.Turn() || more
	}
	more = l.scanStep() || more
	more = l.removalStep() || more
	l.sendPackets()
	return more || len(l.incoming.tasks) > 0
}

// grant renews what may be done until the next turn.
func (l *Loop) grant() {
	l.incoming.left = reportsPerTurn
	l.scanBudget = scanBudget{scanPerTurn, scanCost}
	l.handOns = handOnsPerTurn
}

// listenOut carries out what the home of a name decides.
type listenOut struct {
	clock
	topic int
}

// Send implements listen.Out.
func (o listenOut) Send(to protocol.ConnID, m *protocol.Message) { o.l.send(to, m, engine.Broadcast) }

// ProviderChanged implements listen.Out. Subscribers of events are not told about providers.
func (o listenOut) ProviderChanged(name []byte, has bool) {
	if o.topic == listenRecord {
		o.l.records.providerChanged(name, has)
	}
}

// StartTimer implements listen.Out.
func (o listenOut) StartTimer(after time.Duration, kind uint8, key uint64) listen.TimerID {
	return listen.TimerID(o.start(after, kind, key))
}

// StopTimer implements listen.Out.
func (o listenOut) StopTimer(id listen.TimerID) { o.l.eng.StopTimer(timer.ID(id)) }

// Loops implements listen.Out.
func (o listenOut) Loops(name []byte) uint64 {
	o.l.key = append(append(o.l.key[:0], listenSpaces[o.topic]), name...)
	_, mask, _ := o.l.node.table.Find(o.l.key)
	return mask
}
