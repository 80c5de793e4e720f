package record

import (
	"hash/maphash"

	"deepstream-fast/protocol"
	"deepstream-fast/record/cache"
)

// NameBytesMax is the longest name. A request for a longer one, or for the empty one, fails.
const NameBytesMax = cache.NameBytesMax

// Home decides about the records of one home loop. Its methods run on that loop's goroutine only;
// slices passed in are not kept.
type Home struct {
	// Set by NewHome, then constant.
	opts     Options
	out      Out
	cache    Cache
	seed     maphash.Seed
	hashMask uint64 // all ones; 0 in tests that want every transition in one chain

	// Owned by the home loop.
	transitions map[uint64]*transition // by hash of the name, chained
	pool        []*transition          // idle ones for reuse, at most poolMax
	opPool      []*op                  // likewise
	asks        asks
	loads       watch // asks for records and heads
	saves       watch
	retries     watch
	stats       Stats

	// Scratch, valid within one call.
	msg      protocol.Message
	toSave   Save
	doc      []byte // the patched document
	versions []protocol.NameVersion
	names    [][]byte
	group    []*transition
	spared   []protocol.ConnID
}

// NewHome returns a Home that knows what c knows. opts must be valid.
func NewHome(opts Options, c Cache, out Out) *Home {
	h := &Home{
		opts:        opts.withDefaults(),
		out:         out,
		cache:       c,
		seed:        maphash.MakeSeed(), // spreads the index, decides nothing: replays do not depend on it
		hashMask:    ^uint64(0),
		transitions: map[uint64]*transition{},
	}
	h.loads = watch{kind: timerLoads, after: h.opts.LoadTimeout}
	h.saves = watch{kind: timerSaves, after: h.opts.SaveTimeout}
	h.retries = watch{kind: timerRetry, after: h.opts.SaveRetry}
	return h
}

// Stats returns the current sizes. O(1).
func (h *Home) Stats() Stats { return h.stats }

// Read answers a READ with READ_RESPONSE or RECORD_NOT_FOUND.
// Hot path: 0 allocs, see BenchmarkRead.
func (h *Home) Read(r Request) { h.request(opRead, protocol.RecordRead, r) }

// Head answers a HEAD with HEAD_RESPONSE.
func (h *Home) Head(r Request) { h.request(opHead, protocol.RecordHead, r) }

// Delete deletes a record, which need not exist: DELETE_SUCCESS to the requester, DELETED to the other
// subscribers, and nobody is subscribed any more.
func (h *Home) Delete(r Request) { h.request(opDelete, protocol.RecordDelete, r) }

func (h *Home) request(kind opKind, action protocol.Action, r Request) {
	h.submit(&op{kind: kind, Write: Write{Request: r, Action: action}})
}

// Inspect shows a record to f, once, in the order of the requests: at once if the record is known, else
// when it is loaded. f must not call the Home.
func (h *Home) Inspect(name []byte, f func(Snapshot)) {
	h.submit(&op{kind: opInspect, inspect: f, Write: Write{Request: Request{Name: name}}})
}

// SubscribeRead answers with READ_RESPONSE. A missing record is created if the action says so, else it
// is answered with version -1 and no members.
// Hot path: 0 allocs, see BenchmarkSubscribeRead.
func (h *Home) SubscribeRead(s Subscribe) {
	h.submit(&op{kind: opSubscribe, fresh: s.Fresh, Write: Write{Request: s.Request, Action: s.Action, Create: s.Create}})
}

// SubscribeHead answers the names of a SUBSCRIBEANDHEAD with their versions: those known, the missing
// ones with -1 among them, in one HEAD_RESPONSE_BULK at once, if there are any; the others as soon as
// they are, in more of them or by HEAD_RESPONSE. Answers held back to be merged would be older than
// updates their subscriber has seen, and a client that is told a version below its own drops its copy.
func (h *Home) SubscribeHead(from protocol.ConnID, names [][]byte) {
	o := op{kind: opHeads, Write: Write{Request: Request{From: from}, Action: protocol.RecordSubscribeAndHead}}
	h.versions, h.group = h.versions[:0], h.group[:0]
	for _, o.Name = range names {
		if e, ok := h.known(o.Name); ok {
			h.versions = append(h.versions, protocol.NameVersion{Name: o.Name, Version: e.Version})
			continue
		}
		if t := h.enqueue(&o); t != nil && t.state == idle {
			t.state = loading
			h.group = append(h.group, t)
		}
	}
	h.tellVersions(from)
	for group := h.group; len(group) > 0; {
		n := min(len(group), h.opts.HeadsPerLoadMax)
		h.loadHeads(from, group[:n])
		group = group[n:]
	}
	h.group = drop(h.group)
}

// Write carries out one write, and answers it as its kind and outcome ask for.
// Hot path: 0 allocs, see BenchmarkUpdate and BenchmarkPatch.
func (h *Home) Write(w Write) {
	o := op{kind: opWrite, Write: w}
	o.Validate()
	o.normalise(h.opts.HotPathPrefixes)
	if o.invalid != 0 {
		h.refuse(&o, o.invalid, cache.Entry{})
		return
	}
	h.submit(&o)
}

// Notify says that the store's records of names were changed by somebody else: what is known of them
// is forgotten, and their subscribers are told what the store has now. Afterwards it calls
// Out.NotifyDone with token, which may be before Notify returns.
func (h *Home) Notify(from protocol.ConnID, token uint64, names [][]byte) {
	n := &notice{token: token, left: len(names) + 1}
	o := op{kind: opNotify, notice: n, Write: Write{Request: Request{From: from}, Action: protocol.RecordNotify}}
	for _, o.Name = range names {
		o.reloaded = false
		h.submit(&o)
	}
	h.noticed(n)
}

// noticed counts one name of n as done.
func (h *Home) noticed(n *notice) {
	if n.left--; n.left == 0 {
		h.out.NotifyDone(n.token)
	}
}

// Loaded takes the store's answer to Out.Load. One that nobody waits for any more is ignored.
func (h *Home) Loaded(token uint64, r Loaded) {
	a := h.asks.find(token, askLoad)
	if a == nil {
		return
	}
	t := a.t
	h.loads.answer(a)
	h.endLoad(a)
	switch {
	case r.Err != nil || r.Exists && (len(r.Data) == 0 || len(r.Data) > cache.DataBytesMax || r.Version < 0):
		h.failAll(t, protocol.RecordLoadError)
	case r.Exists && !isNull(r.Data):
		h.cache.Put(t.name, r.Version, r.Data)
		h.advance(t)
	default:
		h.cache.PutAbsent(t.name)
		h.advance(t)
	}
}

// HeadsLoaded takes the store's answer to Out.LoadHeads: a version for each name, in order, -1 where
// there is no record. One that nobody waits for any more is ignored.
func (h *Home) HeadsLoaded(token uint64, versions []int32, err error) {
	a := h.asks.find(token, askHeads)
	if a == nil {
		return
	}
	from, group := a.from, a.group
	a.group = nil
	h.loads.answer(a)
	h.endLoad(a)
	if err != nil || len(versions) != len(group) {
		for _, t := range group {
			h.failAll(t, protocol.RecordLoadError)
		}
		return
	}
	h.versions = h.versions[:0]
	for i, t := range group {
		t.state = idle
		if t.head, t.headKnown = versions[i], true; t.head < 0 {
			h.cache.PutAbsent(t.name)
		}
		if o := t.first; o.kind == opHeads && o.From == from {
			h.versions = append(h.versions, protocol.NameVersion{Name: t.name, Version: versions[i]})
			h.dequeue(t)
		}
	}
	h.tellVersions(from)
	for _, t := range group {
		h.advance(t)
	}
}

// Saved takes the store's answer to Out.Save.
func (h *Home) Saved(token uint64, err error) {
	if a := h.asks.find(token, askSave); a != nil {
		h.endSave(a, err)
	}
}

// Fired takes a timer of Out.
func (h *Home) Fired(kind uint8) {
	switch kind {
	case timerLoads:
		h.loads.fired(h.out, h.loadOverdue)
	case timerSaves:
		h.saves.fired(h.out, h.saveOverdue)
	case timerRetry:
		h.retries.fired(h.out, h.retry)
	}
}
