package session

import (
	"slices"

	"deepstream-fast/bulk"
	"deepstream-fast/codec"
	"deepstream-fast/engine"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
	"deepstream-fast/record"
	"deepstream-fast/registry"
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

	it      protocol.NamesIter
	decided *wait // what was decided about names before; nil: nothing
	left    int   // names to come
	allowed int   // names so far that were
	acked   bool
	receipt *receipt      // nil: the ack does not wait for the homes
	refused *refusedNames // nil: so far homes refuse none

	size    int      // of the next slice
	sent    int      // bytes answered since the last one began
	credits int      // homes that have not taken their part yet
	held    [][]byte // messages that came later, encoded
	mixed   bool     // there are some of other topics, so that all that come are held
}

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

// start begins a request about a list of names.
func (r *records) start(peer bulk.Peer, s *conn, m *protocol.Message) {
	if m.Names.Len() > r.l.node.opts.BulkNamesMax {
		r.l.bulk.Invalid(&recordTable, peer, m, nil)
		return
	}
	b := &bulkRequest{peer: peer, m: m, left: m.Names.Len(), size: sliceNamesMin, decided: r.l.gate.passing}
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
	defer r.l.gate.pass(r.l.gate.pass(b.decided))
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

// hold keeps a message until the request before it is done, and reports false if that is so now: for want
// of room it is carried out at once, and as much as needed of what waits behind it.
func (r *records) hold(c *engine.Conn, s *conn, m *protocol.Message) bool {
	raw := codec.Append(nil, m)
	for r.heldBytes+len(raw)+heldBytesExtra > r.l.node.heldBytesMax && s.bulk != nil && c.IsOpen() {
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
	s.bulk.held = append(s.bulk.held, raw)
	s.bulk.mixed = s.bulk.mixed || m.Topic != protocol.TopicRecord
	r.heldBytes += len(raw) + heldBytesExtra
	return true
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

// takeOver has messages wait for b that waited for permission before.
func (r *records) takeOver(b *bulkRequest, held [][]byte, n int) {
	b.held, b.mixed = behind(b.held, held), true
	r.heldBytes += n
}

// behind returns what waits with more behind it: without a copy if it is the first.
func behind(held, more [][]byte) [][]byte {
	if len(held) == 0 {
		return more
	}
	return append(held, more...)
}

// heldBytes returns what held counts for.
func heldBytes(held [][]byte) (n int) {
	for _, raw := range held {
		n += len(raw) + heldBytesExtra
	}
	return n
}

// release ends a request that is done, and carries out what waited for it, up to another long list: the
// rest waits for that then. It reports whether there is more to do in another turn.
func (r *records) release(c *engine.Conn, s *conn) (more bool) {
	b := s.bulk
	r.heldBytes -= len(b.raw)
	b.raw = nil
	for budget := heldPerTurn; len(b.held) > 0; budget-- {
		if budget == 0 || !c.IsOpen() { // then closed takes care of the rest
			return budget == 0
		}
		raw := b.held[0]
		b.held[0] = nil
		b.held = b.held[1:]
		r.heldBytes -= len(raw) + heldBytesExtra
		var m protocol.Message
		if _, err := codec.Decode(&m, raw); err != nil {
			continue // not of our own encoding
		}
		s.bulk = nil
		switch r.l.admit(c, s, &m); {
		case s.bulk != nil:
			s.bulk.held, s.bulk.mixed = behind(s.bulk.held, b.held), s.bulk.mixed || b.mixed
			return false
		case s.wait != nil:
			n := heldBytes(b.held)
			r.heldBytes -= n
			r.l.gate.takeOver(s.wait, b.held, n)
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
	for _, raw := range b.held {
		r.heldBytes -= len(raw) + heldBytesExtra
		var m protocol.Message
		if _, err := codec.Decode(&m, raw); err != nil {
			continue
		}
		if before == nil || before.over || !r.l.gate.hold(before, &m) {
			before = r.l.gate.outlive(b.peer, &m)
		}
	}
}
