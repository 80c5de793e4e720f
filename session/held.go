package session

import (
	"deepstream-fast/codec"
	"deepstream-fast/engine"
	"deepstream-fast/protocol"
)

// Messages of a connection take effect in the order they came. Whatever it sends while an earlier one
// waits, be it for permission (wait) or for its turn as a long list (bulkRequest), is held behind that
// one, and handed on when it becomes another one's to wait for.

const (
	heldPerTurn    = 256 // messages of one connection carried out when their wait is over
	heldBytesExtra = 64  // a held message, beside its bytes
)

// held is what a connection has sent behind a message that is not done, encoded, oldest first. Owned by
// the connection's loop. Its bytes are bounded by who adds to it.
type held struct {
	messages [][]byte
	bytes    int // what they count for
}

// heldCost is what a message counts for.
func heldCost(raw []byte) int { return len(raw) + heldBytesExtra }

func (h *held) push(raw []byte) {
	h.messages = append(h.messages, raw)
	h.bytes += heldCost(raw)
}

// pop takes out the oldest message, of at least one.
func (h *held) pop() (raw []byte) {
	raw = h.messages[0]
	h.messages[0] = nil
	h.messages = h.messages[1:]
	h.bytes -= heldCost(raw)
	return raw
}

// moveBehind empties h into to, behind what that holds already: without a copy if that is nothing.
func (h *held) moveBehind(to *held) {
	if len(to.messages) == 0 {
		to.messages = h.messages
	} else {
		to.messages = append(to.messages, h.messages...)
	}
	to.bytes += h.bytes
	*h = held{}
}

// hold keeps m behind w. If there is no room, w gets no more time: what is undecided about it fails.
func (g *gate) hold(w *wait, m *protocol.Message) (kept bool) {
	raw := codec.Append(nil, m)
	if !g.hasRoom(w, heldCost(raw)) {
		if w.done {
			g.release(w)
		} else {
			w.allAsked = true
			g.resume(w)
		}
		return false
	}
	g.bytes += heldCost(raw)
	w.held.push(raw)
	return true
}

// release carries out what has been held behind w, which is done, up to a message that waits itself: the
// others are behind that then. A long list takes several turns, in which w goes on to hold what comes.
func (g *gate) release(w *wait) {
	for budget := heldPerTurn; len(w.held.messages) > 0; budget-- {
		c, s := g.l.connOf(w.peer.ID)
		if budget == 0 {
			g.releaseLater(w, s)
			return
		}
		raw := w.held.pop()
		g.bytes -= heldCost(raw)
		var m protocol.Message
		if _, err := codec.Decode(&m, raw); err != nil {
			continue // not of our own encoding
		}
		var next *wait
		if s != nil {
			s.wait = nil
			g.l.admit(c, s, &m)
			next = s.wait
		} else {
			next = g.admitGone(w.peer, &m)
		}
		if next != nil {
			w.held.moveBehind(&next.held)
		}
	}
	if _, s := g.l.connOf(w.peer.ID); s != nil && s.wait == w {
		s.wait = nil
	}
}

// releaseLater goes on with release in another turn. s is nil if the connection is gone.
func (g *gate) releaseLater(w *wait, s *conn) {
	if s != nil && s.bulk != nil { // one of them keeps the order from here on, not both
		g.bytes -= w.held.bytes
		g.l.records.takeOver(s.bulk, &w.held)
		return
	}
	if s != nil {
		s.wait = w
	}
	if w.posted {
		return
	}
	w.posted = true
	g.l.eng.PostSelf(engine.Mail{Kind: mailCall, Body: func(*Loop) {
		w.posted = false
		g.release(w)
	}})
}

// takeOver has messages wait for permission that waited for a long list before.
func (g *gate) takeOver(w *wait, h *held) {
	g.bytes += h.bytes
	h.moveBehind(&w.held)
}

// takeOver has messages wait for b that waited for permission before.
func (r *records) takeOver(b *bulkRequest, h *held) {
	r.heldBytes += h.bytes
	h.moveBehind(&b.held)
	b.mixed = true
}

// hold keeps a message until the request before it is done, and reports false if that is so now: for want
// of room it is carried out at once, and as much as needed of what waits behind it.
func (r *records) hold(c *engine.Conn, s *conn, m *protocol.Message) bool {
	raw := codec.Append(nil, m)
	for r.heldBytes+heldCost(raw) > r.l.node.heldBytesMax && s.bulk != nil && c.IsOpen() {
		if s.bulk.left > 0 {
			r.finish(s.bulk)
		}
		if r.release(c, s) {
			r.l.wake()
		}
	}
	if s.bulk == nil {
		return false
	}
	s.bulk.held.push(raw)
	s.bulk.mixed = s.bulk.mixed || m.Topic != protocol.TopicRecord
	r.heldBytes += heldCost(raw)
	return true
}

// release ends a request that is done, and carries out what waited for it, up to another long list: the
// rest waits for that then. It reports whether there is more to do in another turn.
func (r *records) release(c *engine.Conn, s *conn) (more bool) {
	b := s.bulk
	r.heldBytes -= len(b.raw)
	b.raw = nil
	for budget := heldPerTurn; len(b.held.messages) > 0; budget-- {
		if budget == 0 || !c.IsOpen() { // then closed takes care of the rest
			return budget == 0
		}
		raw := b.held.pop()
		r.heldBytes -= heldCost(raw)
		var m protocol.Message
		if _, err := codec.Decode(&m, raw); err != nil {
			continue // not of our own encoding
		}
		s.bulk = nil
		switch r.l.admit(c, s, &m); {
		case s.bulk != nil:
			b.held.moveBehind(&s.bulk.held)
			s.bulk.mixed = s.bulk.mixed || b.mixed
			return false
		case s.wait != nil:
			r.heldBytes -= b.held.bytes
			r.l.gate.takeOver(s.wait, &b.held)
			return false
		}
		s.bulk = b
	}
	s.bulk = nil
	return false
}

// closed ends what a connection has in progress. What it wrote before it went still takes effect.
func (r *records) closed(s *conn) {
	b := s.bulk
	if b == nil {
		return
	}
	s.bulk = nil
	if b.m.Action == protocol.RecordNotify && b.left > 0 {
		r.finish(b)
	}
	r.heldBytes -= len(b.raw)
	var before *wait
	for _, raw := range b.held.messages {
		r.heldBytes -= heldCost(raw)
		var m protocol.Message
		if _, err := codec.Decode(&m, raw); err != nil {
			continue
		}
		if before == nil || before.done || !r.l.gate.hold(before, &m) {
			before = r.l.gate.admitGone(b.peer, &m)
		}
	}
}
