package session

import (
	"bytes"

	"deepstream-fast/bulk"
	"deepstream-fast/engine"
	"deepstream-fast/event"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
	"deepstream-fast/registry"
)

// Bounds of looking again at what connections hold.
const (
	recheckPerTurn  = 2 << 10 // names or connections
	recheckInFlight = 256     // decisions that are waiting for records
)

// UsePermission has every loop decide by new rules, for the messages it carries out from then on. What
// connections hold is asked for again, in slices; what is not allowed any more is taken back, and its
// holder is told by MESSAGE_DENIED for that name. Whatever comes in once UsePermission has returned is
// decided by them, as far as Loop.PostAhead goes. Safe on any goroutine once the engine has started.
func (n *Node) UsePermission(rules permission.Checker) {
	for _, l := range n.loops {
		l.eng.PostAhead(engine.Mail{Kind: mailCall, Body: func(l *Loop) {
			l.gate.use(rules)
			l.recheck.start(l)
		}})
	}
}

// recheck walks the connections of a loop, and what each of them holds. Owned by the loop.
type recheck struct {
	active bool
	slot   uint32 // of the next connection
	peer   bulk.Peer
	topics []registry.TopicRef // of peer, still to be looked at
	asking int                 // decisions waiting for records
}

func (r *recheck) start(l *Loop) {
	*r = recheck{active: true, asking: r.asking}
	l.wake()
}

// pending counts what is not done, for leak tests.
func (r *recheck) pending() int {
	if r.active {
		return r.asking + 1
	}
	return r.asking
}

// step looks at some more and reports whether it could go on at once.
func (r *recheck) step(l *Loop) (more bool) {
	for budget := recheckPerTurn; r.active && r.asking < recheckInFlight; budget-- {
		if budget == 0 {
			return true
		}
		if n := len(r.topics); n > 0 {
			ref := r.topics[n-1]
			r.topics = r.topics[:n-1]
			r.topic(l, ref)
			continue
		}
		if r.active = r.slot < l.conns.size(); r.active {
			r.conn(l, l.conns.at(r.slot))
			r.slot++
		}
	}
	return false
}

// conn takes up what a connection holds.
func (r *recheck) conn(l *Loop, s *conn) {
	if s.phase != phaseOpen {
		return
	}
	r.peer = bulk.Peer{ID: s.id, User: s.user}
	r.topics = l.subs.Topics(r.topics[:0], r.slot)
	if s.used&usedListen == 0 {
		return
	}
	for topic, home := range l.listen {
		for _, pattern := range home.Patterns(r.peer.ID) {
			r.ask(l, &holding{
				peer: r.peer, table: listenTables[topic], action: listenActions[topic].Listen, name: pattern, listening: topic,
			})
		}
	}
}

// topic asks for one subscription again.
func (r *recheck) topic(l *Loop, ref registry.TopicRef) {
	key := l.node.table.Key(ref)
	if key == nil {
		return
	}
	key = bytes.Clone(key)
	if table, action := subscriptionIn(key[0]); table != nil {
		r.ask(l, &holding{peer: r.peer, table: table, action: action, name: key[1:], key: key})
	}
}

// ask decides about h.
func (r *recheck) ask(l *Loop, h *holding) {
	q := h.question()
	switch a := l.gate.rules.Check(&q); a {
	case permission.Allow:
	case permission.Pending:
		i, ruleset := &inquiry{q: q}, l.gate.ruleset
		i.done = func(a permission.Answer) {
			if r.asking--; ruleset == l.gate.ruleset { // else the rules that are in force by then ask, too
				h.settle(l, a)
			}
			l.wake()
		}
		if a := l.gate.inquire(i); a != permission.Pending {
			h.settle(l, a)
			return
		}
		r.asking++
	default:
		h.settle(l, a)
	}
}

// holding is something that a connection holds by name: a subscription, which is in the registry, or a
// pattern, which is not. It is constant.
type holding struct {
	peer   bulk.Peer
	table  *bulk.Topic
	action protocol.Action // by which it came
	name   []byte

	key       []byte // of a subscription in the registry; nil: it is a pattern
	listening int    // topic of a pattern: an index of Loop.listen
}

// question returns what is asked about h: reading is what a subscription to a record means, and all users
// have no name.
func (h *holding) question() permission.Question {
	q := permission.Question{User: h.peer.User, Topic: h.table.Topic, Action: h.action, Name: h.name}
	switch {
	case h.key == nil:
	case h.key[0] == recordSpace:
		q.Action = protocol.RecordRead
	case h.key[0] == presenceAllSpace:
		q.Name = nil
	}
	return q
}

// settle takes a holding back if it is not allowed. By then the connection may have let go of it.
func (h *holding) settle(l *Loop, a permission.Answer) {
	if _, s := l.connOf(h.peer.ID); a == permission.Allow || s == nil || !h.drop(l) {
		return
	}
	l.node.stats.revoked.Add(1)
	l.reply = protocol.Message{
		Topic: h.table.Topic, Action: refusal(h.table, a), OriginalAction: h.action, IsError: true, Name: h.name,
	}
	l.Reply(h.peer.ID, &l.reply)
}

// drop ends a holding without an answer, and reports whether there was one.
func (h *holding) drop(l *Loop) bool {
	if h.key == nil {
		return l.dropPattern(h.listening, h.peer.ID, h.name)
	}
	res := l.subs.Unsubscribe(h.peer.ID.Slot(), h.key)
	if res.Changed {
		l.observerOf(h.key[0]).Unsubscribed(h.peer.ID, h.name, res.Edge)
	}
	return res.Changed
}

// subscriptionIn returns what a registry key in space stands for: the topic, and the action by which it
// came; nil if that is nothing a connection has asked for.
func subscriptionIn(space byte) (*bulk.Topic, protocol.Action) {
	switch space {
	case event.Space:
		return event.Table(), protocol.EventSubscribe
	case recordSpace:
		return &recordTable, protocol.RecordSubscribe
	case rpcSpace:
		return &rpcTable, protocol.RPCProvide
	case presenceSpace:
		return &presenceTable, protocol.PresenceSubscribe
	case presenceAllSpace:
		return &presenceTable, protocol.PresenceSubscribeAll
	}
	return nil, 0
}

// observerOf returns who has to hear of the subscriptions in space.
func (l *Loop) observerOf(space byte) bulk.Observer {
	switch space {
	case event.Space:
		return eventObserver{l}
	case recordSpace:
		return recordObserver{l}
	case rpcSpace:
		return rpcObserver{l}
	}
	return unobserved{}
}

// listenTables are the tables of the listening topics.
var listenTables = [listenTopics]*bulk.Topic{event.Table(), &recordTable}
