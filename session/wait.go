package session

import (
	"deepstream-fast/bulk"
	"deepstream-fast/codec"
	"deepstream-fast/engine"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
)

// Messages that wait for permission: asked about from suspend on, carried out by resume.

// Bounds of what waits for permission on one loop.
const (
	questionsTurn = 1024     // asked for one message before others get their turn
	waitBytesMax  = 64 << 20 // messages, and what is known about their names
	waitShare     = 4        // of that may be of one connection: one part in so many
	decisionBytes = 96       // what is known about one name, beside the name
)

// decisionKey is what one of the decisions about a message is about.
type decisionKey struct {
	action protocol.Action
	name   string
}

// wait is a message that waits for permission, with what its connection has sent since. It is owned by
// the loop of its connection.
type wait struct {
	// Set by suspend, then constant.
	peer bulk.Peer
	raw  []byte
	m    protocol.Message // of raw

	// How far the decisions are.
	ruleset   int // of the rules that decide
	left      questions
	allAsked  bool // nothing is left to ask
	stalled   bool // for lack of room for inquiries
	done      bool // carried out
	inquiries int  // in progress
	decisions map[decisionKey]permission.Answer
	known     map[string][]byte // what a write's rule has read
	bytes     int               // of all this, beside what is held

	held   held // what came later
	posted bool // a turn that goes on with held is on its way
}

// suspend lets m wait. s is nil if its connection is gone.
func (g *gate) suspend(peer bulk.Peer, s *conn, m *protocol.Message) *wait {
	w := &wait{peer: peer, raw: codec.Append(nil, m), decisions: map[decisionKey]permission.Answer{}}
	if _, err := codec.Decode(&w.m, w.raw); err != nil || !g.charge(w, len(w.raw)) {
		w.allAsked = true // what is pending fails
	}
	g.waiting++
	if s != nil {
		s.wait = w
	}
	g.askAll(w)
	return w
}

// charge counts bytes that wait, or reports that there is no room.
func (g *gate) charge(w *wait, n int) bool {
	if !g.hasRoom(w, n) {
		return false
	}
	g.bytes += n
	w.bytes += n
	return true
}

// hasRoom reports whether n more bytes of w's connection may wait: no connection may take the room of all.
func (g *gate) hasRoom(w *wait, n int) bool {
	most := g.l.node.waitBytesMax
	if g.bytes+n <= most && w.bytes+w.held.bytes+n <= most/waitShare {
		return true
	}
	g.overflows++
	return false
}

// askAll asks all questions of w by the rules in force.
func (g *gate) askAll(w *wait) {
	w.ruleset = g.ruleset
	clear(w.decisions)
	w.known = nil
	w.left = questionsOf(w.peer.User, &w.m)
	g.askMore(w)
}

// askMore asks what is left to ask about w as far as there is room, and carries it out when everything
// is answered.
func (g *gate) askMore(w *wait) {
	for budget := questionsTurn; !w.allAsked && w.inquiries < inquiriesEach; budget-- {
		if g.inquiries >= inquiriesMax {
			g.stall(w)
			return
		}
		if budget == 0 {
			g.l.eng.PostSelf(engine.Mail{Kind: mailCall, Body: func(*Loop) { g.askMore(w) }})
			return
		}
		if w.allAsked = !w.left.next(); !w.allAsked {
			g.ask(w)
		}
	}
	if w.allAsked && w.inquiries == 0 && !w.done {
		g.resume(w)
	}
}

// stall queues w for the room that the end of an inquiry makes.
func (g *gate) stall(w *wait) {
	if !w.stalled {
		w.stalled = true
		g.stalled = append(g.stalled, w)
	}
}

// unstall has those go on that have found no room, as far as there is some.
func (g *gate) unstall() {
	for g.inquiries < inquiriesMax && len(g.stalled) > 0 {
		w := g.stalled[0]
		g.stalled[0] = nil
		g.stalled = g.stalled[1:]
		w.stalled = false
		g.askMore(w)
	}
}

// ask puts the current question of w, if it takes records to answer it.
func (g *gate) ask(w *wait) {
	q := w.left.q
	if g.inquirer == nil || !g.inquirer.MayPend(q.Topic, q.Action) || g.rules.Check(&q) != permission.Pending {
		return
	}
	if !g.charge(w, decisionBytes+len(q.Name)) {
		w.allAsked = true
		return
	}
	about, ruleset := decisionKey{q.Action, string(q.Name)}, w.ruleset
	i := &inquiry{q: q}
	if single := !w.left.list; single {
		if w.known == nil {
			w.known = map[string][]byte{}
		}
		i.loaded = func(name string, data []byte) {
			if !w.done && w.ruleset == ruleset {
				w.known[name] = data
			}
		}
	}
	i.done = func(a permission.Answer) {
		w.inquiries--
		if !w.done && w.ruleset == ruleset {
			w.decisions[about] = a
		}
		g.askMore(w)
	}
	if a := g.inquire(i); a != permission.Pending {
		w.decisions[about] = a
		return
	}
	w.inquiries++
}

// resume carries out what has waited, and then what has been held behind it.
func (g *gate) resume(w *wait) {
	if w.ruleset != g.ruleset {
		w.allAsked = false
		g.askAll(w)
		return
	}
	w.done = true
	g.waiting--
	c, s := g.l.connOf(w.peer.ID)
	if s != nil {
		s.wait = nil
	}
	before := g.decideBy(w)
	g.carryOut(c, s, w.peer, &w.m)
	g.decideBy(before)
	if s != nil && s.used&usedDoor != 0 {
		g.l.door.passed(g.l, w.peer.ID, &w.m)
	}
	g.bytes -= w.bytes
	w.bytes = 0
	g.release(w)
}

// carryOut hands a message to its topic. Of a connection that is gone, what changes something for others
// still takes effect.
func (g *gate) carryOut(c *engine.Conn, s *conn, peer bulk.Peer, m *protocol.Message) {
	switch {
	case s != nil:
		g.l.carryOut(c, s, m)
	case lasting(m):
		g.l.carryOutLasting(peer, m)
	}
}

// admitGone is admit for a message of a connection that is gone. It returns what the message waits as; nil
// if it does not.
func (g *gate) admitGone(peer bulk.Peer, m *protocol.Message) *wait {
	switch {
	case !lasting(m):
	case g.mustWait(peer.User, m):
		if w := g.suspend(peer, nil, m); !w.done {
			return w
		}
	default:
		g.l.carryOutLasting(peer, m)
		g.forget()
	}
	return nil
}

// lasting reports whether m changes something for others and not for its connection, so that it is
// carried out even if that is gone.
func lasting(m *protocol.Message) bool {
	switch m.Topic {
	case protocol.TopicEvent:
		return m.Action == protocol.EventEmit
	case protocol.TopicRecord:
		switch m.Action {
		case protocol.RecordUpdate, protocol.RecordPatch, protocol.RecordErase, protocol.RecordPatchMulti,
			protocol.RecordCreateAndUpdate, protocol.RecordCreateAndPatch, protocol.RecordDelete:
			return true
		}
	}
	return false
}
