package session

import (
	"deepstream-fast/bulk"
	"deepstream-fast/engine"
	"deepstream-fast/event"
	"deepstream-fast/lazyjson"
	"deepstream-fast/protocol"
)

// route hands a message of a logged-in connection to its topic. A topic that is switched off, or not
// for clients, is an unknown one; an action a topic does not know is named in the answer.
func (l *Loop) route(c *engine.Conn, s *conn, m *protocol.Message) {
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
			known = l.recordMessage(c, peer, s, m)
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
