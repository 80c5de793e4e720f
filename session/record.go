package session

import (
	"bytes"
	"cmp"
	"math/bits"
	"time"

	"deepstream-fast/bulk"
	"deepstream-fast/codec"
	"deepstream-fast/engine"
	"deepstream-fast/fanout"
	"deepstream-fast/listen"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
	"deepstream-fast/record"
	"deepstream-fast/record/cache"
	"deepstream-fast/registry"
)

// recordSpace is the first byte of a record's registry key.
const recordSpace = 'r'

// timerRecord is the base of a record home's timers, behind those of the listening topics.
const timerRecord = timerListen + listenTopics<<4

// Kinds of engine.Mail of the RECORD topic. None is droppable: a lost update would be a gap.
const (
	mailRecordUpdate      = 0x40 + iota // a publication for the subscribers of this loop
	mailRecordMulti                     // one of a PATCH_MULTI; Body is the frame for old clients
	mailRecordAnswer                    // a frame for the connection that asked
	mailRecordDrop                      // all subscriptions of a name end
	mailRecordUnsubscribe               // one subscription, of the name in Frame, ends
	mailRecordRequest                   // Body is a *recordRequest for a name at home here
	mailRecordAsk                       // Body is an *ask about names at home here
	mailRecordSeen                      // the oldest ask of this loop was taken; Gen: the home is busy
	mailRecordRelaxed                   // the home is not busy any more; Gen is its loop
	mailRecordWork                      // a turn is wanted
	mailRecordSubmit                    // the collected saves are due
	mailRecordSaved                     // Body is a *saveBatch the store is done with
	mailRecordLoaded                    // Body is a *loadedRecord
	mailRecordHeads                     // Body is a *loadedHeads
)

var recordTable = bulk.Topic{
	Topic:    protocol.TopicRecord,
	Space:    recordSpace,
	Denied:   protocol.RecordMessageDenied,
	Failed:   protocol.RecordMessagePermissionError,
	Invalid:  protocol.RecordInvalidMessageData,
	Multiple: protocol.RecordMultipleSubscriptions,
}

// records is the RECORD topic on one loop: the home of its share of the names, the way to the store,
// and what the loop's own connections have asked of the homes.
//
// A request is judged and checked on its sender's loop and travels to the home of its name as one piece
// of mail, so that those of one connection keep their order per name. What a home decides travels back
// the same way: answers, updates and the end of subscriptions of one name reach a loop in the order in
// which they were decided.
//
// A subscription begins on the connection's loop, before its home knows. Until the home has taken the
// request, what it decides does not concern that connection: updates pass it by, for its snapshot will
// be newer, and a deletion does not end its subscription, for it will be answered with a new record.
// The home says when it takes a request, in front of the answers; see unread.
type records struct {
	// Set by newRecords, then constant.
	l       *Loop
	home    *record.Home
	cache   *cache.Cache // of home, to be counted
	fan     *fanout.Fanout
	out     recordOut
	storage *storage // nil: nothing outlives the process
	waiting int      // loads in flight from which on this home counts as busy

	// As a home.
	busyTold uint64              // loops that were told that this home is busy
	notices  map[uint64]*receipt // of the NOTIFYs in progress
	serial   uint64              // of the latest

	// For the connections of this loop: see ask.go and subscribe.go.
	asks      [][]*ask // by home: sent and not yet taken, oldest first
	unread    map[registry.TopicRef][]unread
	busyHomes uint64
	bulks     []protocol.ConnID // connections with a request in progress, in turn
	heldBytes int
	parts     [][]askedName // scratch, by home

	key                []byte   // scratch
	names              [][]byte // scratch
	slots, modern, old []uint32 // scratch
}

func newRecords(l *Loop) *records {
	o := &l.node.opts
	r := &records{
		l:       l,
		waiting: max(loadsMax/o.Loops, 1),
		notices: map[uint64]*receipt{},
		asks:    make([][]*ask, o.Loops),
		unread:  map[registry.TopicRef][]unread{},
		parts:   make([][]askedName, o.Loops),
	}
	r.out = recordOut{r, clock{l, timerRecord}}
	r.fan = fanout.New(l.id, l.node.table, l.subs, recordOutput{r})
	if o.Store != nil {
		r.storage = newStorage(l.eng, o.Store)
	}
	kept := cache.New(cache.Options{BytesMax: max(o.CacheBytesMax/int64(o.Loops), 1)})
	limits := recordLimits(o)
	limits.Parses = &l.parses
	r.home, r.cache = record.NewHome(limits, kept, r.out), kept
	return r
}

// Bounds of all homes together, where the operator has set none. A home gets its share, but never less
// than lets it work.
const (
	queueMaxAll      = 1 << 21
	queueBytesMaxAll = 256 << 20
	queueBytesMin    = 2 * cache.DataBytesMax
	savesMaxAll      = 1 << 19
	unsavedMaxAll    = 1 << 17
	loadsMax         = 4096 // half of what a home may ask for at once
)

// recordLimits returns the limits of one home of o.Loops.
func recordLimits(o *Options) record.Options {
	share := func(all, least int) int { return max(all/o.Loops, least) }
	r := o.Record
	r.NoStorage = o.Store == nil
	r.QueueMax = cmp.Or(r.QueueMax, share(queueMaxAll, 1<<12))
	r.QueueBytesMax = cmp.Or(r.QueueBytesMax, share(queueBytesMaxAll, queueBytesMin))
	r.SavesMax = cmp.Or(r.SavesMax, share(savesMaxAll, 1<<12))
	r.UnsavedMax = cmp.Or(r.UnsavedMax, share(unsavedMaxAll, 1<<10))
	r.CacheOnlyBytesMax = cmp.Or(r.CacheOnlyBytesMax, int(max(o.CacheBytesMax/int64(o.Loops), 1<<20)))
	return r
}

// recordMessage handles one RECORD message on the sender's loop.
func (l *Loop) recordMessage(peer bulk.Peer, s *conn, m *protocol.Message) (known bool) {
	switch m.Action {
	case protocol.RecordSubscribeCreateAndRead, protocol.RecordSubscribeAndRead,
		protocol.RecordSubscribeAndHead, protocol.RecordSubscribe, protocol.RecordNotify:
		l.records.start(peer, s, m)
	case protocol.RecordUnsubscribe:
		l.bulk.Unsubscribe(&recordTable, peer, m, recordObserver{l})
	case protocol.RecordRead, protocol.RecordHead:
		if l.bulk.Allowed(&recordTable, peer, m, m.Name) {
			l.records.request(peer, m, 0, nil, false)
		}
	case protocol.RecordDelete:
		l.records.delete(peer, m)
	case protocol.RecordUpdate, protocol.RecordPatch, protocol.RecordErase, protocol.RecordPatchMulti,
		protocol.RecordCreateAndUpdate, protocol.RecordCreateAndPatch:
		l.records.write(peer, m)
	default:
		return l.listenMessage(listenRecord, &recordTable, peer, s, m)
	}
	return true
}

// recordObserver lets listening know of record subscriptions that end.
type recordObserver struct{ l *Loop }

// Subscribed implements bulk.Observer.
func (o recordObserver) Subscribed(protocol.ConnID, []byte, bool) {}

// Unsubscribed implements bulk.Observer.
func (o recordObserver) Unsubscribed(_ protocol.ConnID, name []byte, edge bool) {
	if edge {
		o.l.reportEdge(listenRecord, name, false)
	}
}

// write asks for the permissions of a write and hands it on. What it is, not how it calls itself, has to
// be allowed.
func (r *records) write(peer bulk.Peer, m *protocol.Message) {
	creates := m.Action == protocol.RecordCreateAndUpdate || m.Action == protocol.RecordCreateAndPatch
	q := permission.Question{
		User: peer.User, Topic: protocol.TopicRecord, Action: writes(m),
		Name: m.Name, Data: m.Data, Path: m.Path, Create: creates,
	}
	if why := r.verdict(&q); why != 0 {
		r.refuse(peer, why, m, m.Name)
		return
	}
	judge := r.l.gate.rejudge(&q)
	create := protocol.Action(0)
	if creates {
		q.Action = protocol.RecordCreate
		create = r.verdict(&q)
	}
	r.request(peer, m, create, judge, q.Valid)
}

// delete asks for the permission of a DELETE and hands it on.
func (r *records) delete(peer bulk.Peer, m *protocol.Message) {
	q := permission.Question{User: peer.User, Topic: protocol.TopicRecord, Action: m.Action, Name: m.Name}
	if why := r.verdict(&q); why != 0 {
		r.refuse(peer, why, m, m.Name)
		return
	}
	r.request(peer, m, 0, r.l.gate.rejudge(&q), false)
}

// verdict returns 0, or the action that refuses what q asks for.
func (r *records) verdict(q *permission.Question) protocol.Action {
	return refusal(&recordTable, r.l.gate.Check(q))
}

// refuse answers one name of m with an error action.
func (r *records) refuse(peer bulk.Peer, why protocol.Action, m *protocol.Message, name []byte) {
	r.l.reply = protocol.Message{
		Topic: protocol.TopicRecord, Action: why, OriginalAction: m.Action, IsError: true,
		Name: name, IsWriteAck: m.IsWriteAck,
	}
	if len(m.CorrelationID) > 0 {
		r.l.reply.CorrelationID = m.CorrelationID
	}
	r.l.Reply(peer.ID, &r.l.reply)
}

// recordRequest is a request about one name on its way to another loop; buf owns its bytes.
type recordRequest struct {
	record.Write
	buf []byte
}

// request hands a request about one name to the home of the name. create is what answers if it would
// have to create a record and may not; valid says that the data is known to be JSON.
func (r *records) request(peer bulk.Peer, m *protocol.Message, create protocol.Action, judge record.Judge, valid bool) {
	w := record.Write{
		Request: record.Request{From: peer.ID, Name: m.Name, CorrelationID: m.CorrelationID, Judge: judge},
		Action:  m.Action, Version: m.Version, HasVersion: m.HasVersion, WantsAck: m.IsWriteAck,
		Path: m.Path, Data: m.Data, Create: create,
	}
	if valid {
		w.MarkValid()
	}
	w.Validate() // here, so that a document is read through on its sender's loop
	home := r.l.node.home(m.Name)
	if create != 0 || judge != nil {
		w.Refused = refusedAt(r.l.node.loops[home], m)
	}
	if home == r.l.id {
		r.carryOut(&w)
		return
	}
	q := &recordRequest{Write: w, buf: make([]byte, 0, len(m.Name)+len(m.CorrelationID)+len(m.Path)+len(m.Data))}
	for _, field := range []*[]byte{&q.Name, &q.CorrelationID, &q.Path, &q.Data} {
		*field = q.own(*field)
	}
	r.l.eng.Post(home, engine.Mail{Kind: mailRecordRequest, Body: q})
}

// own returns b in q's memory, and nil for nil.
func (q *recordRequest) own(b []byte) []byte {
	if b == nil {
		return nil
	}
	n := len(q.buf)
	q.buf = append(q.buf, b...)
	return q.buf[n:len(q.buf):len(q.buf)]
}

// carryOut hands a request to the home.
func (r *records) carryOut(w *record.Write) {
	switch w.Action {
	case protocol.RecordRead:
		r.home.Read(w.Request)
	case protocol.RecordHead:
		r.home.Head(w.Request)
	case protocol.RecordDelete:
		r.home.Delete(w.Request)
	default:
		r.home.Write(*w)
	}
}

// mail handles the mail of the RECORD topic.
func (r *records) mail(m *engine.Mail) {
	switch m.Kind {
	case mailRecordUpdate, mailRecordMulti, mailRecordAnswer:
		r.arrived(m)
	case mailRecordDrop:
		spared, _ := m.Body.([]protocol.ConnID)
		r.drop(registry.TopicRef{ID: m.Topic, Gen: m.Gen}, spared)
	case mailRecordUnsubscribe:
		r.unsubscribe(m.Conn, m.Frame)
	case mailRecordRequest:
		r.carryOut(&m.Body.(*recordRequest).Write)
	case mailRecordAsk:
		r.taken(m.Body.(*ask))
	case mailRecordSeen:
		r.seen(int(m.Topic), m.Gen != 0)
	case mailRecordRelaxed:
		r.busyHomes &^= 1 << m.Gen
	case mailRecordWork:
		r.cutOff()
	case mailRecordSubmit:
		r.storage.submit()
	case mailRecordSaved:
		r.saved(m.Body.(*saveBatch))
	case mailRecordLoaded:
		a := m.Body.(*loadedRecord)
		r.storage.asked--
		r.home.Loaded(a.token, a.Loaded)
	case mailRecordHeads:
		a := m.Body.(*loadedHeads)
		r.storage.asked--
		r.home.HeadsLoaded(a.token, a.versions, a.err)
	}
}

// step goes on with what is done in slices and reports whether there is more to do at once.
func (r *records) step() (more bool) {
	if r.busyTold != 0 && !r.busy() {
		for ; r.busyTold != 0; r.busyTold &= r.busyTold - 1 {
			r.l.eng.Post(bits.TrailingZeros64(r.busyTold), engine.Mail{Kind: mailRecordRelaxed, Gen: uint32(r.l.id)})
		}
		more = true // the mail goes out with the next turn
	}
	return r.bulkStep() || more
}

// busy reports whether this home should not be asked for many more records.
func (r *records) busy() bool { return r.home.Stats().Loads >= r.waiting }

// pending counts what this loop has begun and not finished.
func (r *records) pending() int {
	s := r.home.Stats()
	n := s.Transitions + s.Queued + s.Loads + s.Saves + len(r.unread) + len(r.bulks) + r.heldBytes + len(r.notices)
	for _, asks := range r.asks {
		n += len(asks)
	}
	if r.storage != nil {
		n += r.storage.pending()
	}
	return n
}

// receipt is a request on its way through the homes whose ack waits for all of them.
type receipt struct {
	peer protocol.ConnID
	raw  []byte // the request

	left int // reports to come; owned by the loop of peer
}

// NotifyDone implements record.Out.
func (o recordOut) NotifyDone(token uint64) {
	n := o.r.notices[token]
	delete(o.r.notices, token)
	o.r.report(n)
}

// report says that this home has done its part; nil waits for nobody.
func (r *records) report(n *receipt) {
	switch {
	case n == nil:
	case n.peer.Loop() == r.l.id:
		r.reported(n)
	default:
		r.l.on(n.peer.Loop(), func(l *Loop) { l.records.reported(n) })
	}
}

// reported takes one report, and acknowledges after the last. A NOTIFY is echoed.
func (r *records) reported(n *receipt) {
	if n.left--; n.left > 0 {
		return
	}
	var m protocol.Message
	if _, err := codec.Decode(&m, n.raw); err != nil {
		return // not of our own encoding
	}
	if m.Action == protocol.RecordNotify {
		r.ackEcho(n.peer, &m)
	} else {
		r.ack(n.peer, &m)
	}
}

// ackEcho acknowledges a request by echoing it, as the official server does for some actions.
func (r *records) ackEcho(to protocol.ConnID, m *protocol.Message) {
	r.l.reply = protocol.Message{
		Topic: protocol.TopicRecord, Action: m.Action, IsAck: true, Names: m.Names, CorrelationID: m.CorrelationID,
	}
	r.l.Reply(to, &r.l.reply)
}

// ack acknowledges a request.
func (r *records) ack(to protocol.ConnID, m *protocol.Message) {
	r.l.reply = protocol.Message{Topic: protocol.TopicRecord, Action: m.Action, IsAck: true, CorrelationID: m.CorrelationID}
	r.l.Reply(to, &r.l.reply)
}

// recordOut carries out what a record home decides.
type recordOut struct {
	r *records
	clock
}

// StartTimer implements record.Out.
func (o recordOut) StartTimer(after time.Duration, kind uint8) { o.start(after, kind, 0) }

// HasSubscribers implements record.Out.
func (o recordOut) HasSubscribers(name []byte) bool {
	_, mask, _ := o.l.node.table.Find(o.r.keyOf(name))
	return mask != 0
}

// Load implements record.Out.
func (o recordOut) Load(name []byte, token uint64) bool {
	return o.r.storage.load(bytes.Clone(name), token)
}

// LoadHeads implements record.Out.
func (o recordOut) LoadHeads(names [][]byte, token uint64) bool {
	return o.r.storage.loadHeads(cloneList(names), token)
}

// Save implements record.Out.
func (o recordOut) Save(s *record.Save, token uint64) bool { return o.r.storage.save(s, token) }

// keyOf returns the registry key of a record. It is valid until the next call.
func (r *records) keyOf(name []byte) []byte {
	r.key = append(append(r.key[:0], recordSpace), name...)
	return r.key
}

// providerChanged tells the subscribers of a record that it got or lost its provider.
func (r *records) providerChanged(name []byte, has bool) {
	m := protocol.Message{Topic: protocol.TopicRecord, Action: listen.Record.HasNoProvider, Name: name}
	if has {
		m.Action = listen.Record.HasProvider
	}
	r.fan.Publish(r.keyOf(name), 0, &m)
}
