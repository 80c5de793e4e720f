package session

import (
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"deepstream-fast/codec/ws"
	"deepstream-fast/engine"
	"deepstream-fast/protocol"
	"deepstream-fast/registry"
)

// recordOutput is where the deliveries of records go.
type recordOutput struct{ r *records }

// Room implements fanout.Output.
func (o recordOutput) Room(n int) []byte { return o.r.l.eng.Room(n) }

// SendAll implements fanout.Output.
func (o recordOutput) SendAll(slots []uint32, except uint32, frame []byte) {
	o.r.sendAll(o.r.fan.About, slots, except, frame)
}

// PostFanout implements fanout.Output.
func (o recordOutput) PostFanout(loop int, ref registry.TopicRef, except protocol.ConnID, frame []byte) {
	o.r.post(loop, engine.Mail{
		Kind: mailRecordUpdate, About: o.r.fan.About, Conn: except, Topic: ref.ID, Gen: ref.Gen, Frame: frame,
	})
}

// sendAll queues a frame for subscribers of this loop.
func (r *records) sendAll(about protocol.Kind, slots []uint32, except uint32, frame []byte) {
	r.l.tally.delivered(about, r.l.eng.SendAll(slots, except, frame, engine.Broadcast))
}

// Send implements record.Out. All a home sends to one connection answers a request of it.
func (o recordOut) Send(to protocol.ConnID, m *protocol.Message) {
	o.l.complain(to, m)
	if to.Loop() != o.l.id {
		o.l.tally.answered(m)
		o.r.post(to.Loop(), engine.Mail{Kind: mailRecordAnswer, Conn: to, Frame: o.r.fan.Frame(m)})
		return
	}
	if c := o.l.eng.Conn(to); c != nil && c.IsOpen() {
		o.l.tally.answered(m)
		o.r.answer(c, o.r.fan.Local(m))
	}
}

// answer queues an answer, and counts it against the pace of the request it may belong to.
func (r *records) answer(c *engine.Conn, frame []byte) {
	r.l.eng.Send(c, frame, engine.Reply)
	if b := r.l.conns.at(c.Slot()).bulk; b != nil {
		b.sent += len(frame)
	}
}

// Broadcast implements record.Out.
func (o recordOut) Broadcast(name []byte, except protocol.ConnID, m *protocol.Message, full []byte) {
	key := o.r.keyOf(name)
	if full == nil {
		o.r.fan.Publish(key, except, m)
		return
	}
	o.r.publishMulti(key, except, m, full)
}

// publishMulti delivers a PATCH_MULTI, as an UPDATE to clients that do not know the action.
func (r *records) publishMulti(key []byte, except protocol.ConnID, m *protocol.Message, full []byte) {
	ref, mask, ok := r.l.node.table.Find(key)
	if !ok || mask == 0 {
		return
	}
	patch := r.fan.Frame(m)
	update := r.fan.Frame(&protocol.Message{
		Topic: m.Topic, Action: protocol.RecordUpdate, Name: m.Name, Version: m.Version, HasVersion: true, Data: full,
	})
	about := protocol.KindOf(m.Topic, m.Action)
	for ; mask != 0; mask &= mask - 1 {
		loop := bits.TrailingZeros64(mask)
		if loop == r.l.id {
			r.sendMulti(about, r.l.subs.Subscribers(ref), r.slotOf(except), patch, update)
			continue
		}
		r.post(loop, engine.Mail{
			Kind: mailRecordMulti, About: about, Conn: except, Topic: ref.ID, Gen: ref.Gen, Frame: patch, Body: update,
		})
	}
}

// sendMulti sends each of two frames to those who understand it.
func (r *records) sendMulti(about protocol.Kind, slots []uint32, except uint32, patch, update []byte) {
	r.modern, r.old = r.modern[:0], r.old[:0]
	for _, slot := range slots {
		if r.l.conns.at(slot).modern {
			r.modern = append(r.modern, slot)
		} else {
			r.old = append(r.old, slot)
		}
	}
	r.sendAll(about, r.modern, except, patch)
	r.sendAll(protocol.KindOf(protocol.TopicRecord, protocol.RecordUpdate), r.old, except, update)
}

// slotOf returns the slot of a connection of this loop, or that of nobody.
func (r *records) slotOf(id protocol.ConnID) uint32 {
	if id != 0 && id.Loop() == r.l.id {
		return id.Slot()
	}
	return engine.NoSlot
}

// readers returns the subscribers of ref on this loop that may hear of an update which another loop has
// decided: not those whose request to read the record was still under way then. Their answer will be
// newer. The view is valid until the registry changes, or the next call.
func (r *records) readers(ref registry.TopicRef) []uint32 {
	slots := r.l.subs.Subscribers(ref)
	early := r.unread[ref]
	if len(early) == 0 {
		return slots
	}
	r.slots = append(r.slots[:0], slots...)
	r.slots = slices.DeleteFunc(r.slots, func(slot uint32) bool {
		return slices.ContainsFunc(early, func(u unread) bool { return u.fresh && u.conn == r.l.conns.at(slot).id })
	})
	return r.slots
}

// DropSubscribers implements record.Out.
func (o recordOut) DropSubscribers(name []byte, spared []protocol.ConnID) {
	ref, mask, ok := o.l.node.table.Find(o.r.keyOf(name))
	if !ok {
		return
	}
	own := uint64(1) << o.l.id
	for others := mask &^ own; others != 0; others &= others - 1 {
		m := engine.Mail{Kind: mailRecordDrop, Topic: ref.ID, Gen: ref.Gen}
		if len(spared) > 0 {
			m.Body = slices.Clone(spared)
		}
		o.l.eng.Post(bits.TrailingZeros64(others), m)
	}
	if mask&own != 0 {
		o.r.drop(ref, spared)
	}
}

// drop ends the subscriptions to ref that existed when its home decided so, but for spared ones. A
// request to read it that the home had not taken by then begins a new one.
func (r *records) drop(ref registry.TopicRef, spared []protocol.ConnID) {
	key := r.l.node.table.Key(ref)
	if key == nil {
		return
	}
	r.key = append(r.key[:0], key...)
	r.slots = append(r.slots[:0], r.l.subs.Subscribers(ref)...)
	edge := false
	for _, slot := range r.slots {
		s := r.l.conns.at(slot)
		if s.phase == phaseOpen && !r.isUnread(ref, s.id) && !slices.Contains(spared, s.id) { // a closed one is being released
			edge = r.l.subs.Unsubscribe(slot, r.key).Edge || edge
		}
	}
	if edge {
		r.l.reportEdge(listenRecord, r.key[1:], false)
	}
}

// Unsubscribe implements record.Out.
func (o recordOut) Unsubscribe(conn protocol.ConnID, name []byte) {
	if conn.Loop() == o.l.id {
		o.r.unsubscribe(conn, name)
		return
	}
	o.l.eng.Post(conn.Loop(), engine.Mail{Kind: mailRecordUnsubscribe, Conn: conn, Frame: slices.Clone(name)})
}

// unsubscribe ends a subscription whose request has failed, unless the connection has asked again.
func (r *records) unsubscribe(id protocol.ConnID, name []byte) {
	c, s := r.l.eng.Conn(id), r.l.conns.at(id.Slot())
	if c == nil || s.phase != phaseOpen {
		return
	}
	key := r.keyOf(name)
	ref, _, ok := r.l.node.table.Find(key)
	if !ok || r.isUnread(ref, id) {
		return
	}
	if r.l.subs.Unsubscribe(id.Slot(), key).Edge {
		r.l.reportEdge(listenRecord, name, false)
	}
}

// arrived delivers what a home on another loop has sent.
func (r *records) arrived(m *engine.Mail) {
	r.l.node.inflow[r.l.id].bytes.Add(-mailSize(m))
	r.cutOff()
	ref := registry.TopicRef{ID: m.Topic, Gen: m.Gen}
	switch m.Kind {
	case mailRecordUpdate:
		if slots := r.readers(ref); len(slots) > 0 {
			r.sendAll(m.About, slots, r.slotOf(m.Conn), m.Frame)
		}
	case mailRecordMulti:
		r.sendMulti(m.About, r.readers(ref), r.slotOf(m.Conn), m.Frame, m.Body.([]byte))
	case mailRecordAnswer:
		if c := r.l.eng.Conn(m.Conn); c != nil && c.IsOpen() {
			r.answer(c, m.Frame)
		}
	}
}

// inflowBytesMax bounds the record mail that waits for one loop.
const inflowBytesMax = 256 << 20

// inflow is the record mail on its way to one loop. It must not lose a single update, and it must not
// grow without limit either: beyond that, those who would have got the mail are disconnected, and read
// everything again when they are back. Safe for concurrent use.
type inflow struct {
	bytes   atomic.Int64
	overrun atomic.Bool // cuts is not empty

	mu   sync.Mutex // guards cuts; a leaf
	cuts map[cut]struct{}
}

// cut is whom mail that was left out was for: the subscribers of a name, or one connection.
type cut struct {
	ref  registry.TopicRef
	conn protocol.ConnID
}

// mailSize returns what a piece of record mail counts for.
func mailSize(m *engine.Mail) int64 {
	const envelope = 96
	n := envelope + len(m.Frame)
	if update, ok := m.Body.([]byte); ok {
		n += len(update)
	}
	return int64(n)
}

// post sends m to another loop, or notes whom it was for if that is too far behind.
func (r *records) post(loop int, m engine.Mail) {
	in := &r.l.node.inflow[loop]
	if n := mailSize(&m); in.bytes.Add(n) > r.l.node.inflowBytesMax {
		in.bytes.Add(-n)
		r.l.node.stats.overruns.Add(1)
		if in.leaveOut(&m) {
			r.l.eng.Post(loop, engine.Mail{Kind: mailRecordWork})
		}
		return
	}
	r.l.eng.Post(loop, m)
}

// leaveOut notes whom m was for, and reports whether it is the first since take.
func (in *inflow) leaveOut(m *engine.Mail) (first bool) {
	whom := cut{conn: m.Conn}
	if m.Kind != mailRecordAnswer {
		whom = cut{ref: registry.TopicRef{ID: m.Topic, Gen: m.Gen}}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if first = in.cuts == nil; first {
		in.cuts = map[cut]struct{}{}
	}
	in.cuts[whom] = struct{}{}
	in.overrun.Store(true)
	return first
}

// take returns whom to disconnect.
func (in *inflow) take() map[cut]struct{} {
	in.mu.Lock()
	defer in.mu.Unlock()
	cuts := in.cuts
	in.cuts = nil
	in.overrun.Store(false)
	return cuts
}

// cutOff disconnects those for whom mail was left out.
func (r *records) cutOff() {
	in := &r.l.node.inflow[r.l.id]
	if !in.overrun.Load() {
		return
	}
	for whom := range in.take() {
		if whom.conn != 0 {
			r.disconnect(whom.conn)
			continue
		}
		for _, slot := range r.l.subs.Subscribers(whom.ref) {
			r.disconnect(r.l.conns.at(slot).id)
		}
	}
}

func (r *records) disconnect(id protocol.ConnID) {
	if c := r.l.eng.Conn(id); c != nil {
		r.l.eng.Close(c, ws.CloseInternalError, "the server is overloaded")
	}
}

// understandsMulti reports whether a client that announced itself with m knows PATCH_MULTI. Source:
// spec/records.md §5.4.
func understandsMulti(m *protocol.Message) bool {
	return string(m.SDKType) == "javascript" && atLeast(string(m.SDKVersion), [...]int{7, 1, 0})
}

// atLeast reports whether a version such as 7.1.0 is least or newer. What follows the numbers counts
// for nothing; what has none is older than everything.
func atLeast(version string, least [3]int) bool {
	for _, want := range least {
		text, rest, _ := strings.Cut(version, ".")
		end := strings.IndexFunc(text, func(c rune) bool { return c < '0' || c > '9' })
		if end >= 0 {
			text, rest = text[:end], ""
		}
		got, err := strconv.Atoi(text)
		if err != nil {
			return false
		}
		if got != want {
			return got > want
		}
		version = rest
	}
	return true
}
