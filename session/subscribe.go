package session

import (
	"deepstream-fast/bulk"
	"deepstream-fast/codec"
	"deepstream-fast/engine"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
)

// Requests about many names are worked off in slices, so that a list of a million stalls no loop, asks
// no store for more than it takes, and fills nobody's backlog with answers faster than they are taken.
// Names up to sliceNamesMin are one slice; a longer list waits between two until
//   - every home has taken its part of the last slice, and none has too many loads in flight,
//   - the peer has taken most of what it was sent.
//
// What the connection sends on this topic meanwhile waits behind, in order.
const (
	sliceNamesMin   = 16        // at 1 MiB a record, as many as a backlog of the default size takes
	sliceNamesMax   = 1 << 10   // of one request, and of all requests of a loop in one turn
	sliceBytes      = 1 << 20   // that the answers to a slice should have
	backlogBytesMax = 256 << 10 // that a peer may owe us when its next slice begins
	heldBytesMax    = 64 << 20  // of requests that wait on one loop; further ones are carried out at once
)

// bulkRequest is a request about a list of names that is worked off.
type bulkRequest struct {
	// Set by start, then constant.
	peer bulk.Peer
	m    *protocol.Message
	raw  []byte // what m is a view of; nil if all names are one slice

	// Owned by the loop of peer.
	it      protocol.NamesIter
	decided *wait // what was decided about names before; nil: nothing
	left    int   // names to come
	allowed int   // names so far that were
	acked   bool
	receipt *receipt      // nil: the ack does not wait for the homes
	refused *refusedNames // nil: so far homes refuse none

	size    int  // of the next slice
	sent    int  // bytes answered since the last one began
	credits int  // homes that have not taken their part yet
	held    held // what came later
	mixed   bool // there are messages of other topics in it, so that all that come are held
}

// start begins a request about a list of names.
func (r *records) start(peer bulk.Peer, s *conn, m *protocol.Message) {
	if m.Names.Len() > r.l.node.opts.BulkNamesMax {
		r.l.bulk.Invalid(&recordTable, peer, m, nil)
		return
	}
	b := &bulkRequest{peer: peer, m: m, left: m.Names.Len(), size: sliceNamesMin, decided: r.l.gate.decided}
	waits := r.ackWaits(m.Action)
	if b.left > sliceNamesMin || waits {
		raw := codec.Append(nil, m)
		if waits {
			b.receipt = &receipt{peer: peer.ID, raw: raw, left: 1}
		}
		if b.left > sliceNamesMin && r.heldBytes+len(raw) <= heldBytesMax {
			r.keep(s, b, raw)
		}
	}
	b.it = b.m.Names.Iter()
	switch m.Action {
	case protocol.RecordSubscribeCreateAndRead, protocol.RecordSubscribeAndRead:
		// Before anything else, so that no snapshot overtakes it: spec/records.md §4.3.
		b.acked = true
		r.ackEcho(peer.ID, m)
	case protocol.RecordSubscribeAndHead:
		if b.left == 0 {
			r.l.reply = protocol.Message{Topic: protocol.TopicRecord, Action: protocol.RecordHeadResponseBulk}
			r.l.Reply(peer.ID, &r.l.reply)
		}
	}
	if b.raw == nil {
		r.finish(b)
		return
	}
	r.slice(b, b.size)
}

// ackWaits reports whether a request is acknowledged after all homes have done their part: what a NOTIFY
// asks for is done then, and of a provider a subscriber hears before. Source: spec/listen.md §6.
func (r *records) ackWaits(a protocol.Action) bool {
	switch a {
	case protocol.RecordNotify:
		return true
	case protocol.RecordSubscribe, protocol.RecordSubscribeAndHead:
		return r.l.node.patterns[listenRecord].Load() > 0
	}
	return false
}

// keep makes b outlive the message it came in.
func (r *records) keep(s *conn, b *bulkRequest, raw []byte) {
	m := new(protocol.Message)
	if _, err := codec.Decode(m, raw); err != nil {
		return // not of our own encoding; then it is done at once
	}
	b.m, b.raw = m, raw
	s.bulk = b
	r.heldBytes += len(raw)
	r.bulks = append(r.bulks, b.peer.ID)
	r.l.eng.PostSelf(engine.Mail{Kind: mailRecordWork}) // a read alone has no end of turn
}

// finish carries out what is left of b without a pause.
func (r *records) finish(b *bulkRequest) {
	for first := true; first || b.left > 0; first = false {
		r.slice(b, sliceNamesMax)
	}
}

// slice carries out up to n names of b.
func (r *records) slice(b *bulkRequest, n int) {
	b.sent = 0
	defer r.l.gate.decideBy(r.l.gate.decideBy(b.decided))
	for ; n > 0 && b.left > 0; n-- {
		b.left--
		if b.it.Next() {
			r.judge(b, b.it.Name())
		}
	}
	over := b.left == 0 && (b.allowed > 0 || b.m.Names.Len() == 0)
	if b.left == 0 && !over && b.raw != nil { // else route sees it, as it judged all names
		r.l.tally.refusedWhole(b.m)
	}
	if b.left == 0 && b.refused != nil {
		b.refused.add(&r.l.tally, b.m.Names.Len()-b.allowed)
	}
	// SUBSCRIBE has no answers that would show how far it has come.
	early := b.m.Action == protocol.RecordSubscribeAndHead && b.allowed > 0
	if !b.acked && b.receipt == nil && (early || over) {
		b.acked = true
		r.ack(b.peer.ID, b.m)
	}
	for home := range r.parts {
		if len(r.parts[home]) > 0 {
			r.askHome(home, b, r.parts[home])
			clear(r.parts[home])
			r.parts[home] = r.parts[home][:0]
		}
	}
	if b.receipt != nil && over {
		r.reported(b.receipt)
	}
}

// judge decides about one name of b, subscribes it, and puts it down for its home.
func (r *records) judge(b *bulkRequest, name []byte) {
	asked := askedName{name: name}
	home := r.l.node.home(name)
	what := b.m.Action
	q := permission.Question{User: b.peer.User, Topic: protocol.TopicRecord, Name: name}
	if what == protocol.RecordSubscribeCreateAndRead {
		what = protocol.RecordRead
		q.Action = protocol.RecordCreate
		asked.create = r.verdict(&q)
	}
	q.Action = what
	if why := r.verdict(&q); why != 0 {
		r.refuse(b.peer, why, b.m, name)
		return
	}
	if b.m.Action == protocol.RecordNotify {
		b.allowed++
		r.parts[home] = append(r.parts[home], asked)
		return
	}
	key := r.keyOf(name)
	if r.l.bulk.Full(b.peer, key) {
		r.refuse(b.peer, recordTable.Denied, b.m, name)
		return
	}
	b.allowed++
	if asked.create != 0 && b.refused == nil {
		b.refused = newRefusedNames(b.m)
	}
	res, err := r.l.subs.Subscribe(b.peer.ID.Slot(), key)
	if err != nil || len(name) == 0 {
		if res.Changed { // the empty name is no name
			r.l.subs.Unsubscribe(b.peer.ID.Slot(), key)
		}
		r.refuse(b.peer, recordTable.Invalid, b.m, name)
		return
	}
	asked.ref, asked.fresh = res.Ref, res.Changed
	if !res.Changed {
		r.repeated(b, name)
	} else if res.Edge {
		r.l.reportEdge(listenRecord, name, true)
	}
	if b.m.Action != protocol.RecordSubscribe || b.receipt != nil {
		r.parts[home] = append(r.parts[home], asked)
	}
}

// repeated tells a client that it is subscribed already. Source: spec/records.md §4.3, §4.5.
func (r *records) repeated(b *bulkRequest, name []byte) {
	original := protocol.RecordSubscribe
	if b.m.Action == protocol.RecordSubscribeAndHead {
		original = b.m.Action
	}
	r.l.reply = protocol.Message{
		Topic: protocol.TopicRecord, Action: recordTable.Multiple, Name: name, OriginalAction: original,
	}
	r.l.Reply(b.peer.ID, &r.l.reply)
}

// bulkStep gives every request in progress its next slice, as far as the turn goes, and reports whether
// one could go on at once.
func (r *records) bulkStep() (more bool) {
	budget := sliceNamesMax
	for range len(r.bulks) {
		id := r.bulks[0]
		r.bulks = r.bulks[1:]
		c, s := r.l.eng.Conn(id), r.l.conns.at(id.Slot())
		if c == nil || !c.IsOpen() || s.bulk == nil || s.bulk.peer.ID != id {
			continue // closed takes care of what is left
		}
		switch ready := s.bulk.left > 0 && r.ready(c, s.bulk); {
		case ready && budget <= 0:
			more = true
		case ready:
			budget -= r.nextSlice(s.bulk)
			more = true // what it has to wait for, it finds out in the next turn
		}
		if s.bulk.left > 0 {
			r.bulks = append(r.bulks, id)
			continue
		}
		if r.release(c, s) {
			r.bulks = append(r.bulks, id)
			more = true
		}
	}
	return more
}

// ready reports whether the next slice of b may begin.
func (r *records) ready(c *engine.Conn, b *bulkRequest) bool {
	return b.credits == 0 && r.busyHomes == 0 && !r.busy() && c.Backlog() <= backlogBytesMax
}

// nextSlice carries out a slice of about sliceBytes of answers, judging by the last one.
func (r *records) nextSlice(b *bulkRequest) (names int) {
	size := min(4*b.size, sliceNamesMax)
	if b.sent > 0 {
		size = min(size, max(b.size*sliceBytes/b.sent, 1))
	}
	b.size = min(size, b.left)
	r.slice(b, b.size)
	return b.size
}
