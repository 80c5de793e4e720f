package session

import (
	"deepstream-fast/bulk"
	"deepstream-fast/engine"
	"deepstream-fast/event"
	"deepstream-fast/lazyjson"
	"deepstream-fast/protocol"
)

// route carries out a message of a logged-in connection, unless permission for it, or for one before it,
// has to wait.
func (l *Loop) route(c *engine.Conn, s *conn, m *protocol.Message) {
	if l.inRate(c, s, m) {
		l.admit(c, s, m)
	}
}

// admit is route for a message whose rate was counted when it came.
func (l *Loop) admit(c *engine.Conn, s *conn, m *protocol.Message) {
	for s.wait != nil || s.bulk != nil {
		switch {
		case s.wait != nil:
			if l.gate.hold(s.wait, m) {
				return
			}
		case m.Topic != protocol.TopicRecord && !s.bulk.mixed && !l.gate.mustWait(s.user, m):
			l.carryOut(c, s, m) // other topics do not wait for a list of records
			return
		case l.records.hold(c, s, m):
			return
		}
	}
	if l.gate.mustWait(s.user, m) {
		l.gate.suspend(bulk.Peer{ID: c.ID(), User: s.user}, s, m)
		return
	}
	l.carryOut(c, s, m)
	l.gate.forget()
}

// connOf returns a connection of this loop that can be sent to, and its session, or nils.
func (l *Loop) connOf(id protocol.ConnID) (*engine.Conn, *conn) {
	c := l.eng.Conn(id)
	if c == nil || !c.IsOpen() {
		return nil, nil
	}
	if s := l.conns.at(id.Slot()); s.phase == phaseOpen {
		return c, s
	}
	return nil, nil
}

// carryOutLasting carries out a message that outlives its connection: see lasting.
func (l *Loop) carryOutLasting(peer bulk.Peer, m *protocol.Message) {
	refusals, served := l.tally.refusals, l.node.opts.Records
	switch {
	case m.Topic == protocol.TopicEvent:
		if served = l.node.opts.Events; served {
			l.event.Handle(peer, m)
		}
	case !served:
	case m.Action == protocol.RecordDelete:
		l.records.delete(peer, m)
	default:
		l.records.write(peer, m)
	}
	if served {
		l.tally.received(m, refusals)
	}
}

// carryOut hands a message to its topic. A topic that is switched off, or not for clients, is an unknown
// one; an action a topic does not know is named in the answer. While a long list of names of the same
// connection is being worked off, its later messages about records wait, and are counted when they are
// carried out.
func (l *Loop) carryOut(c *engine.Conn, s *conn, m *protocol.Message) {
	if s.bulk != nil && m.Topic == protocol.TopicRecord && l.records.hold(c, s, m) {
		return
	}
	peer := bulk.Peer{ID: c.ID(), User: s.user}
	served, known := false, false
	refusals := l.tally.refusals
	if m.Data != nil {
		l.parses.Add(lazyjson.ReasonValidate)
	}
	switch m.Topic {
	case protocol.TopicEvent:
		if served = l.node.opts.Events; served {
			known = l.event.Handle(peer, m) || l.listenMessage(listenEvent, event.Table(), peer, s, m)
		}
	case protocol.TopicRecord:
		if served = l.node.opts.Records; served {
			known = l.recordMessage(peer, s, m)
		}
	case protocol.TopicRPC:
		if served = l.node.opts.RPC; served {
			known = l.rpcMessage(peer, s, m)
		}
	case protocol.TopicPresence:
		if served = l.node.opts.Presence; served {
			known = l.presenceMessage(peer, m)
		}
	}
	if served {
		l.tally.received(m, refusals)
	}
	switch {
	case !served:
		l.answer(c, protocol.TopicParser, protocol.ParserUnknownTopic)
	case !known:
		l.reply = protocol.Message{
			Topic: protocol.TopicParser, Action: protocol.ParserUnknownAction,
			OriginalTopic: m.Topic, OriginalAction: m.Action,
		}
		l.Reply(c.ID(), &l.reply)
	}
}
