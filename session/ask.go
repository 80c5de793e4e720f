package session

import (
	"slices"

	"deepstream-fast/engine"
	"deepstream-fast/protocol"
	"deepstream-fast/record"
	"deepstream-fast/registry"
)

// What the loop of a connection asks the homes of names for in its name, and what homes do about it.

// askedName is one name of an ask.
type askedName struct {
	name   []byte
	ref    registry.TopicRef
	fresh  bool            // this request subscribed it
	create protocol.Action // what answers if it is missing; 0: create it
}

// ask is what one request wants of one home: mail that is immutable once sent.
type ask struct {
	action        protocol.Action
	from          protocol.ConnID
	correlationID []byte
	names         []askedName
	receipt       *receipt
	refused       *refusedNames
	request       *bulkRequest // that waits for the home; owned by the loop of from
}

// unread is a connection whose request to read a name has not been taken by the name's home.
type unread struct {
	conn  protocol.ConnID
	fresh bool // the request subscribed it
}

// askHome has a home deal with names, which die on return.
func (r *records) askHome(home int, b *bulkRequest, names []askedName) {
	a := ask{action: b.m.Action, from: b.peer.ID, correlationID: b.m.CorrelationID, names: names, receipt: b.receipt, refused: b.refused}
	if a.receipt != nil {
		a.receipt.left++
	}
	if home == r.l.id {
		r.take(&a)
		return
	}
	sent := a.clone()
	if b.raw != nil {
		sent.request = b
		b.credits++
	}
	if sent.reads() {
		for i := range sent.names {
			n := &sent.names[i]
			r.unread[n.ref] = append(r.unread[n.ref], unread{conn: a.from, fresh: n.fresh})
		}
	}
	r.asks[home] = append(r.asks[home], sent)
	r.l.sendPacket(home) // that there is a first subscriber comes before
	r.l.eng.Post(home, engine.Mail{Kind: mailRecordAsk, Body: sent})
}

// reads reports whether every name of a is going to be answered.
func (a *ask) reads() bool {
	return a.action != protocol.RecordNotify && a.action != protocol.RecordSubscribe
}

// clone returns a copy of a that owns its bytes.
func (a *ask) clone() *ask {
	size := len(a.correlationID)
	for i := range a.names {
		size += len(a.names[i].name)
	}
	c, text := *a, make([]byte, 0, size)
	own := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		n := len(text)
		text = append(text, b...)
		return text[n:len(text):len(text)]
	}
	c.correlationID = own(a.correlationID)
	c.names = slices.Clone(a.names)
	for i := range c.names {
		c.names[i].name = own(c.names[i].name)
	}
	return &c
}

// taken carries out an ask of another loop and says so. The report stands in the mail where later
// decisions of this home begin to count for the connection.
func (r *records) taken(a *ask) {
	origin := a.from.Loop()
	r.l.eng.Post(origin, r.note(origin))
	r.take(a)
}

func (r *records) note(origin int) engine.Mail {
	m := engine.Mail{Kind: mailRecordSeen, Topic: uint32(r.l.id)}
	if r.busy() {
		m.Gen = 1
		r.busyTold |= 1 << origin
	}
	return m
}

// take carries out an ask about names at home here. A new subscriber hears of a provider before it hears
// of the record: spec/listen.md §6.
func (r *records) take(a *ask) {
	r.tellProviders(a)
	switch a.action {
	case protocol.RecordSubscribe:
		r.report(a.receipt)
	case protocol.RecordSubscribeAndHead:
		r.home.SubscribeHead(a.from, r.listOf(a))
		r.report(a.receipt)
	case protocol.RecordNotify:
		r.serial++
		r.notices[r.serial] = a.receipt
		r.home.Notify(a.from, r.serial, r.listOf(a))
	default:
		for i := range a.names {
			n := &a.names[i]
			q := record.Subscribe{
				Request: record.Request{From: a.from, Name: n.name, CorrelationID: a.correlationID},
				Action:  a.action, Fresh: n.fresh, Create: n.create,
			}
			if n.create != 0 {
				q.Refused = r.l.refuses(a.refused)
			}
			r.home.SubscribeRead(q)
		}
	}
	clear(r.names)
}

// listOf returns the names of a, valid until the next call.
func (r *records) listOf(a *ask) [][]byte {
	r.names = r.names[:0]
	for i := range a.names {
		r.names = append(r.names, a.names[i].name)
	}
	return r.names
}

// tellProviders tells a new subscriber which of its names are provided.
func (r *records) tellProviders(a *ask) {
	if r.l.node.patterns[listenRecord].Load() == 0 {
		return
	}
	for i := range a.names {
		if n := &a.names[i]; n.fresh && r.l.listen[listenRecord].HasProvider(n.name) {
			m := protocol.Message{Topic: protocol.TopicRecord, Action: protocol.RecordSubscriptionHasProvider, Name: n.name}
			r.out.Send(a.from, &m)
		}
	}
}

// seen notes that a home has taken the oldest ask of this loop: what it decides from now on concerns
// the connection.
func (r *records) seen(home int, busy bool) {
	a := r.asks[home][0]
	r.asks[home][0] = nil
	r.asks[home] = r.asks[home][1:]
	if len(r.asks[home]) == 0 {
		r.asks[home] = nil
	}
	if busy {
		r.busyHomes |= 1 << home
	}
	if a.request != nil {
		a.request.credits--
	}
	if !a.reads() {
		return
	}
	for i := range a.names {
		ref := a.names[i].ref
		list := r.unread[ref]
		if len(list) == 1 {
			delete(r.unread, ref)
			continue
		}
		first := slices.IndexFunc(list, func(u unread) bool { return u.conn == a.from }) // a later ask has its own
		r.unread[ref] = slices.Delete(list, first, first+1)
	}
}

// isUnread reports whether a request of a connection to read ref is on its way to its home.
func (r *records) isUnread(ref registry.TopicRef, id protocol.ConnID) bool {
	return slices.ContainsFunc(r.unread[ref], func(u unread) bool { return u.conn == id })
}
