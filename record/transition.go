package record

import (
	"bytes"
	"hash/maphash"
	"strings"

	"deepstream-fast/internal/invariant"
	"deepstream-fast/protocol"
	"deepstream-fast/record/cache"
)

type state uint8

const (
	idle     state = iota // saves may be in flight; requests are decided at once
	loading               // waits for Loaded or HeadsLoaded
	settling              // waits for its saves: what follows reads the store
	deleting              // waits for its tombstone
	stuck                 // its tombstone is overdue; requests fail until the store says what became of it
)

// transition is what is pending for one name: requests that wait, saves in flight, a failed save.
type transition struct {
	name  []byte
	hash  uint64
	chain *transition // with the same hash

	state       state
	first, last *op // requests that wait, in order
	writes      int // of them

	head      int32 // the version, while headKnown
	headKnown bool  // from HeadsLoaded, until the queue is done with

	saving int    // saves in flight
	latest uint64 // token of the last one
	pinned bool   // by this transition: saving > 0 or dirty
	dirty  bool   // the store may not have what the cache has
	retry  ask    // place among the retries
}

// need is what a request waits for.
type need uint8

const (
	nothing need = iota // it is done
	needData
	needHead
	needSaves
	needTombstone
)

func (t *transition) busy() bool { return t.state != idle || t.first != nil }

func (h *Home) find(name []byte) *transition {
	for t := h.transitions[h.hash(name)]; t != nil; t = t.chain {
		if bytes.Equal(t.name, name) {
			return t
		}
	}
	return nil
}

func (h *Home) hash(name []byte) uint64 { return maphash.Bytes(h.seed, name) & h.hashMask }

// open makes the transition of a name that has none.
func (h *Home) open(name []byte) *transition {
	var t *transition
	if n := len(h.pool); n > 0 {
		t = h.pool[n-1]
		h.pool = h.pool[:n-1]
	} else {
		t = &transition{}
		t.retry.t = t
	}
	t.name, t.hash = append(t.name[:0], name...), h.hash(name)
	t.chain = h.transitions[t.hash]
	h.transitions[t.hash] = t
	h.stats.Transitions++
	return t
}

// settle ends t if nothing is pending.
func (h *Home) settle(t *transition) {
	if t.pinned && t.saving == 0 && !t.dirty {
		t.pinned = false
		h.cache.Unpin(t.name)
	}
	if t.busy() || t.saving > 0 || t.dirty {
		return
	}
	if head := h.transitions[t.hash]; head != t {
		for head.chain != t {
			head = head.chain
		}
		head.chain = t.chain
	} else if t.chain != nil {
		h.transitions[t.hash] = t.chain
	} else {
		delete(h.transitions, t.hash)
	}
	h.stats.Transitions--
	t.chain = nil
	if len(h.pool) < poolMax && cap(t.name) <= keepBytes {
		h.pool = append(h.pool, t)
	}
}

// look returns what is known of name; where there is no store, not knowing it means that it is missing.
func (h *Home) look(name []byte) (cache.Entry, bool) {
	e, ok := h.cache.Get(name)
	if !ok && !h.stored(name) {
		return cache.Entry{Version: protocol.AnyVersion}, true
	}
	return e, ok
}

// known is look for a request that comes now: nothing is known while others wait.
func (h *Home) known(name []byte) (cache.Entry, bool) {
	if t := h.find(name); t != nil && t.busy() {
		return cache.Entry{}, false
	}
	return h.look(name)
}

// stored reports whether the store keeps name.
func (h *Home) stored(name []byte) bool {
	return !h.opts.NoStorage && !hasPrefix(name, h.opts.ExclusionPrefixes)
}

func hasPrefix(name []byte, prefixes []string) bool {
	for _, p := range prefixes {
		if len(name) >= len(p) && strings.HasPrefix(string(name[:len(p)]), p) {
			return true
		}
	}
	return false
}

// submit decides o, or lets it wait for what it needs.
func (h *Home) submit(o *op) {
	if len(o.Name) == 0 || len(o.Name) > NameBytesMax {
		h.fail(o, protocol.RecordLoadError)
		return
	}
	t, n := h.find(o.Name), nothing
	first := t == nil || !t.busy()
	if first {
		if n = h.run(o); n == nothing {
			return
		}
	}
	if t = h.enqueue(o); t != nil && first && !h.block(t, n) {
		h.advance(t)
	}
}

// advance decides the requests that wait, in order, up to one that has to wait for something else.
func (h *Home) advance(t *transition) {
	t.state = idle
	for t.first != nil {
		if n := h.run(t.first); n == nothing {
			h.dequeue(t)
		} else if h.block(t, n) {
			return
		}
	}
	t.headKnown = false
	h.settle(t)
}

// block begins what the first request of t waits for. If that is not to be had, the request fails, and
// with a load all that wait for it, and block returns false.
func (h *Home) block(t *transition, n need) bool {
	switch n {
	case needData:
		return h.load(t)
	case needHead:
		t.state = loading
		h.group = append(h.group[:0], t)
		ok := h.askHeads(t.first.From, h.group)
		if !ok {
			h.failQueue(t, protocol.RecordLoadError)
		}
		h.group = drop(h.group)
		return ok
	case needTombstone:
		return h.bury(t)
	case needSaves:
		t.state = settling
	}
	return true
}

// load asks the store for the record of t.
func (h *Home) load(t *transition) bool {
	a := h.asks.open(askLoad, t)
	if !h.out.Load(t.name, a.token) {
		h.asks.close(a)
		h.failQueue(t, protocol.RecordLoadError)
		return false
	}
	t.state = loading
	h.loads.add(h.out, a)
	h.stats.Loads++
	return true
}

// loadHeads asks the store for the versions of a group, and fails what waits for them if it must.
func (h *Home) loadHeads(from protocol.ConnID, group []*transition) {
	if h.askHeads(from, group) {
		return
	}
	for _, t := range group {
		h.failAll(t, protocol.RecordLoadError)
	}
}

func (h *Home) askHeads(from protocol.ConnID, group []*transition) bool {
	h.names = h.names[:0]
	for _, t := range group {
		h.names = append(h.names, t.name)
	}
	a := h.asks.open(askHeads, nil)
	ok := h.out.LoadHeads(h.names, a.token)
	h.names = drop(h.names)
	if !ok {
		h.asks.close(a)
		for _, t := range group {
			t.state = idle
		}
		return false
	}
	a.from, a.group = from, append(a.group, group...)
	h.loads.add(h.out, a)
	h.stats.Loads++
	return true
}

// endLoad closes the ask of a load. Whoever waits for it must be seen to next.
func (h *Home) endLoad(a *ask) {
	h.stats.Loads--
	h.asks.close(a)
}

// loadOverdue gives up a load; its answer finds nobody.
func (h *Home) loadOverdue(a *ask) {
	h.stats.Timeouts++
	t, group := a.t, a.group
	h.endLoad(a)
	if t != nil {
		h.failAll(t, protocol.RecordStorageRetrievalTimeout)
	}
	for _, t := range group {
		h.failAll(t, protocol.RecordStorageRetrievalTimeout)
	}
}

// failAll fails every request that waits for t, and unblocks it.
func (h *Home) failAll(t *transition, why protocol.Action) {
	h.failQueue(t, why)
	t.state, t.headKnown = idle, false
	h.settle(t)
}

func (h *Home) failQueue(t *transition, why protocol.Action) {
	for t.first != nil {
		h.fail(t.first, why)
		h.dequeue(t)
	}
}

// keep puts a record into the cache and sees to it that the store gets it, or returns false and
// changes nothing. o is who wants to know.
func (h *Home) keep(o *op, version int32, data []byte) bool {
	if !h.stored(o.Name) {
		return h.keepHere(o.Name, version, data)
	}
	t := h.find(o.Name)
	if t == nil {
		t = h.open(o.Name)
	}
	if !h.save(t, o, &Save{Version: version, Data: data}) {
		h.settle(t)
		return false
	}
	h.cache.Put(t.name, version, data)
	h.pin(t)
	return true
}

// keepHere is keep where the cache is all there is.
func (h *Home) keepHere(name []byte, version int32, data []byte) bool {
	e, _ := h.cache.Get(name)
	grown := len(data) - len(e.Data)
	if !e.Exists {
		grown += len(name)
	}
	if grown > 0 && h.stats.CacheOnlyBytes+grown > h.opts.CacheOnlyBytesMax {
		h.stats.Refused++
		return false
	}
	h.stats.CacheOnlyBytes += grown
	h.cache.Put(name, version, data)
	if !e.Exists {
		h.cache.Pin(name)
	}
	return true
}

func (h *Home) pin(t *transition) {
	if !t.pinned {
		t.pinned = true
		h.cache.Pin(t.name)
	}
}

// save asks the store to keep s under the name of t; o, if any, is told what came of it.
func (h *Home) save(t *transition, o *op, s *Save) bool {
	if h.stats.Saves >= h.opts.SavesMax {
		h.stats.Refused++
		return false
	}
	a := h.asks.open(askSave, t)
	h.toSave = *s
	h.toSave.Name = t.name
	ok := h.out.Save(&h.toSave, a.token)
	h.toSave = Save{}
	if !ok {
		h.asks.close(a)
		return false
	}
	a.tombstone = s.Deleted
	if o != nil {
		a.from, a.wantsAck = o.From, o.WantsAck
		a.correlationID = append(a.correlationID, o.CorrelationID...)
	}
	t.saving++
	t.latest = a.token
	h.stats.Saves++
	h.saves.add(h.out, a)
	return true
}

// endSave closes the ask of a save: its writer hears of it, the transition goes on.
func (h *Home) endSave(a *ask, err error) {
	t := a.t
	h.saves.answer(a)
	h.stats.Saves--
	t.saving--
	if a.token == t.latest {
		h.setDirty(t, err != nil)
	}
	if !a.tombstone && !a.overdue && a.wantsAck {
		h.answerSave(a, err == nil)
	}
	tombstone, from, overdue := a.tombstone, a.from, a.overdue
	h.asks.close(a)
	switch {
	case tombstone:
		h.buried(t, from, overdue, err)
	case t.state == settling: // which it may be again
		h.advance(t)
	default:
		h.settle(t)
	}
}

// saveOverdue tells the writer that its save failed. The entry stays pinned until the store has
// answered: if it was evicted, the name might be loaded as it was before.
func (h *Home) saveOverdue(a *ask) {
	h.stats.Timeouts++
	t := a.t
	a.overdue = true
	switch {
	case a.tombstone:
		h.fail(t.first, protocol.RecordDeleteError)
		h.dequeue(t)
		h.failQueue(t, protocol.RecordStorageRetrievalTimeout)
		t.state = stuck
	case a.wantsAck:
		h.answerSave(a, false)
	}
	if t.state == settling {
		h.failAll(t, protocol.RecordStorageRetrievalTimeout)
	}
}

// bury begins the deletion that the first request of t asks for.
func (h *Home) bury(t *transition) bool {
	e, _ := h.cache.Get(t.name)
	if !h.save(t, t.first, &Save{Version: e.Version, Deleted: true}) {
		h.fail(t.first, protocol.RecordDeleteError)
		h.dequeue(t)
		return false
	}
	h.pin(t)
	t.state = deleting
	return true
}

// buried ends a deletion. One that the store carried out too late is one all the same, only the
// requester was told otherwise.
func (h *Home) buried(t *transition, from protocol.ConnID, overdue bool, err error) {
	if err == nil {
		h.cache.PutAbsent(t.name)
		if !overdue {
			h.tell(from, protocol.RecordDeleteSuccess, t.name)
		}
		h.gone(t.name, from)
	} else if !overdue {
		h.fail(t.first, protocol.RecordDeleteError)
	}
	if t.state == deleting {
		h.dequeue(t)
	}
	h.advance(t)
}

// gone publishes that there is no record of name any more.
func (h *Home) gone(name []byte, except protocol.ConnID) {
	h.out.Broadcast(name, except, h.message(protocol.RecordDeleted, name), nil)
	h.out.DropSubscribers(name, h.awaiting(name))
}

// awaiting returns the connections whose requests to subscribe to name wait in its queue. The list is
// valid until the next call.
func (h *Home) awaiting(name []byte) []protocol.ConnID {
	h.spared = h.spared[:0]
	if t := h.find(name); t != nil {
		for o := t.first; o != nil; o = o.next {
			if o.kind == opSubscribe || o.kind == opHeads {
				h.spared = append(h.spared, o.From)
			}
		}
	}
	return h.spared
}

// setDirty notes whether the store may lack what the cache has of t, and sees to it that it gets it.
func (h *Home) setDirty(t *transition, dirty bool) {
	switch {
	case dirty && !t.dirty && h.stats.Unsaved >= h.opts.UnsavedMax:
		h.stats.Lost++
	case dirty:
		if !t.dirty {
			t.dirty = true
			h.stats.Unsaved++
		}
		if !t.retry.watched {
			h.retries.add(h.out, &t.retry)
		}
	case t.dirty:
		t.dirty = false
		h.stats.Unsaved--
		h.retries.remove(&t.retry)
	}
}

// retry saves what the store may lack, unless a save is in flight, whose outcome counts.
func (h *Home) retry(a *ask) {
	t := a.t
	if t.saving == 0 {
		e, ok := h.cache.Get(t.name)
		invariant.Assert(ok && e.Exists && t.pinned, "record: %q is dirty but not pinned", t.name)
		if h.save(t, nil, &Save{Version: e.Version, Data: e.Data}) {
			return
		}
	}
	h.retries.add(h.out, a)
}

// forget drops what is known of name; the store will be asked again.
func (h *Home) forget(name []byte) {
	if t := h.find(name); t != nil {
		h.setDirty(t, false)
		if t.pinned {
			t.pinned = false
			h.cache.Unpin(name)
		}
		h.settle(t)
	}
	h.cache.Remove(name)
}
