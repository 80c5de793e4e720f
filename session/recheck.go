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
// holder is told by MESSAGE_DENIED for that name. Safe on any goroutine once the engine has started.
func (n *Node) UsePermission(rules permission.Checker) {
	for _, l := range n.loops {
		l.eng.PostSelf(engine.Mail{Kind: mailCall, Body: func(l *Loop) {
			l.gate.use(rules)
			l.recheck.start(l)
		}})
	}
}

// recheck walks the connections of a loop, and what each of them holds. All of it is owned by the loop.
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
		t := listenTables[topic]
		for _, pattern := range home.Patterns(r.peer.ID) {
			q := permission.Question{User: s.user, Topic: t.Topic, Action: listenActions[topic].Listen, Name: pattern}
			r.ask(l, &q, holding{t, listenActions[topic].Listen, func(l *Loop, peer bulk.Peer, name []byte) bool {
				return l.dropPattern(topic, peer.ID, name)
			}})
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
	h, ok := holdingOf(key)
	if !ok {
		return
	}
	q := permission.Question{User: r.peer.User, Topic: h.table.Topic, Action: h.asks(), Name: key[1:]}
	if key[0] == presenceAllSpace {
		q.Name = nil
	}
	r.ask(l, &q, h)
}

// ask decides about one thing that peer holds. q's name is not changed by anybody.
func (r *recheck) ask(l *Loop, q *permission.Question, h holding) {
	peer := r.peer
	switch a := l.gate.rules.Check(q); a {
	case permission.Allow:
	case permission.Pending:
		i, ruleset := &inquiry{q: *q}, l.gate.ruleset
		i.done = func(a permission.Answer) {
			if r.asking--; ruleset == l.gate.ruleset { // else the rules that are in force now are asked, too
				h.settle(l, peer, i.q.Name, a)
			}
			l.wake()
		}
		if a := l.gate.inquire(i); a != permission.Pending {
			h.settle(l, peer, q.Name, a)
			return
		}
		r.asking++
	default:
		h.settle(l, peer, q.Name, a)
	}
}

// holding is what a connection may hold by name.
type holding struct {
	table  *bulk.Topic
	action protocol.Action // by which it came
	drop   func(l *Loop, peer bulk.Peer, name []byte) bool
}

// asks returns the action that is asked for: reading is what a subscription to a record means.
func (h *holding) asks() protocol.Action {
	if h.table.Topic == protocol.TopicRecord && h.action == protocol.RecordSubscribe {
		return protocol.RecordRead
	}
	return h.action
}

// settle takes a holding back if it is not allowed. By then the connection may have let go of it.
func (h *holding) settle(l *Loop, peer bulk.Peer, name []byte, a permission.Answer) {
	if _, s := l.connOf(peer.ID); a == permission.Allow || s == nil || !h.drop(l, peer, name) {
		return
	}
	l.node.stats.revoked.Add(1)
	l.reply = protocol.Message{
		Topic: h.table.Topic, Action: refusal(h.table, a), OriginalAction: h.action, IsError: true, Name: name,
	}
	l.Reply(peer.ID, &l.reply)
}

// holdingOf returns what a registry key stands for.
func holdingOf(key []byte) (h holding, ok bool) {
	unsubscribe := func(observer func(*Loop) bulk.Observer) func(*Loop, bulk.Peer, []byte) bool {
		return func(l *Loop, peer bulk.Peer, name []byte) bool {
			res := l.subs.Unsubscribe(peer.ID.Slot(), key)
			if res.Changed {
				observer(l).Unsubscribed(peer.ID, name, res.Edge)
			}
			return res.Changed
		}
	}
	none := func(*Loop) bulk.Observer { return unobserved{} }
	switch key[0] {
	case event.Space:
		events := func(l *Loop) bulk.Observer { return eventObserver{l} }
		return holding{event.Table(), protocol.EventSubscribe, unsubscribe(events)}, true
	case recordSpace:
		records := func(l *Loop) bulk.Observer { return recordObserver{l} }
		return holding{&recordTable, protocol.RecordSubscribe, unsubscribe(records)}, true
	case rpcSpace:
		providers := func(l *Loop) bulk.Observer { return rpcObserver{l} }
		return holding{&rpcTable, protocol.RPCProvide, unsubscribe(providers)}, true
	case presenceSpace:
		return holding{&presenceTable, protocol.PresenceSubscribe, unsubscribe(none)}, true
	case presenceAllSpace:
		return holding{&presenceTable, protocol.PresenceSubscribeAll, unsubscribe(none)}, true
	}
	return h, false
}

// listenTables are the tables of the listening topics.
var listenTables = [listenTopics]*bulk.Topic{event.Table(), &recordTable}
