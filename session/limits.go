package session

import (
	"time"

	"deepstream-fast/bulk"
	"deepstream-fast/codec/ws"
	"deepstream-fast/engine"
	"deepstream-fast/event"
	"deepstream-fast/protocol"
)

// limitKind is what a connection may be refused for.
type limitKind uint8

const (
	limitSubscriptions limitKind = iota // more than it may hold
	limitCalls                          // more RPCs without an answer than it may have
	limitMessages                       // messages faster than it may send
	limitClosed                         // far faster: it was closed
	limitKinds
)

// NamesPerMessage is how many names of a list cost one message more under a rate, by whatever way they come.
const NamesPerMessage = 100

// rateDebtBursts is how many denied messages, in bursts, close a connection.
const rateDebtBursts = 10

// limits counts what is bounded per connection. Nothing is kept for limits that are not set. Owned by the
// loop of the connections.
type limits struct {
	calls map[protocol.ConnID]int // RPCs that wait for their answers
	paid  []time.Duration         // by slot: when everything sent so far will have been sent at the rate allowed
}

// begin forgets what an earlier connection of slot has sent.
func (l *limits) begin(slot uint32) {
	if int(slot) < len(l.paid) {
		l.paid[slot] = 0
	}
}

// Limited implements bulk.Out.
func (l *Loop) Limited() { l.limited(limitSubscriptions) }

// limited counts a refusal.
func (l *Loop) limited(kind limitKind) { l.node.stats.limited[kind].Add(1) }

// mayCall counts one more RPC of a connection, or reports that it has too many.
func (l *Loop) mayCall(id protocol.ConnID) bool {
	most := l.node.opts.CallsMax
	if most == 0 {
		return true
	}
	if l.limits.calls[id] >= most {
		l.limited(limitCalls)
		return false
	}
	if l.limits.calls == nil {
		l.limits.calls = map[protocol.ConnID]int{}
	}
	l.limits.calls[id]++
	return true
}

// callEnded counts one less, on the loop of the connection.
func (l *Loop) callEnded(id protocol.ConnID) {
	l.at(id.Loop(), func(l *Loop) {
		if l.limits.calls[id]--; l.limits.calls[id] <= 0 {
			delete(l.limits.calls, id)
		}
	})
}

// inRate reports whether a connection may send m now. What lets go of something, or answers others, is
// never denied; but who goes on sending far too much is closed.
func (l *Loop) inRate(c *engine.Conn, s *conn, m *protocol.Message) bool {
	o := &l.node.opts
	if o.MessageBurst == 0 {
		return true
	}
	for int(c.Slot()) >= len(l.limits.paid) {
		l.limits.paid = append(l.limits.paid, 0)
	}
	paid, now := &l.limits.paid[c.Slot()], l.eng.Now()
	burst := o.MessageInterval * time.Duration(o.MessageBurst)
	*paid = max(*paid, now) + o.MessageInterval*time.Duration(1+m.Names.Len()/NamesPerMessage)
	switch debt := *paid - now; {
	case debt <= burst:
		return true
	case debt > rateDebtBursts*burst:
		l.limited(limitClosed)
		l.eng.Close(c, ws.ClosePolicyViolation, "too many messages")
		return false
	}
	if asks := questionsOf(s.user, m); asks.count == 0 {
		return true
	}
	l.limited(limitMessages)
	l.deny(bulk.Peer{ID: s.id, User: s.user}, m)
	return false
}

// deny refuses all that m asks for.
func (l *Loop) deny(peer bulk.Peer, m *protocol.Message) {
	t := tableOf(m.Topic)
	if m.Names.Len() == 0 {
		l.bulk.Denied(t, peer, m, m.Name)
		return
	}
	it := m.Names.Iter()
	for it.Next() {
		l.bulk.Denied(t, peer, m, it.Name())
	}
}

// tableOf returns the table of a topic that asks for permissions.
func tableOf(topic protocol.Topic) *bulk.Topic {
	switch topic {
	case protocol.TopicEvent:
		return event.Table()
	case protocol.TopicRPC:
		return &rpcTable
	case protocol.TopicPresence:
		return &presenceTable
	}
	return &recordTable
}
