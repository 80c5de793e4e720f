package session

import (
	"deepstream-fast/engine"
	"deepstream-fast/internal/invariant"
	"deepstream-fast/record"
	"deepstream-fast/store"
)

const (
	submitBytesMax = 4 << 20  // of saves collected for one commit
	textBytes      = 64 << 10 // names and data of saves are copied into chunks of this size
	batchesKept    = 8
)

// storage is a home's way to the store, which is never waited for: questions are asked at once, saves
// are collected until the next turn, and every answer comes back as mail. Owned by the loop.
type storage struct {
	// Set by newStorage, then constant.
	eng   *engine.Loop
	store store.Store

	batch    *saveBatch   // being collected, nil: none
	text     []byte       // chunk that is being filled
	pool     []*saveBatch // at most batchesKept
	refusing bool         // the store took nothing last time: each save is tried for itself
	asked    int          // questions not answered yet
	saving   int          // saves not answered yet
}

// saveBatch is saves that are submitted together. The store has it from submit to done, else the loop.
type saveBatch struct {
	writes []store.Write
	bytes  int
	err    error   // of all
	errs   []error // of each; nil: none failed
}

// loadedRecord and loadedHeads are answers of the store.
type (
	loadedRecord struct {
		record.Loaded
		token uint64
	}
	loadedHeads struct {
		versions []int32
		err      error
		token    uint64
	}
)

func newStorage(eng *engine.Loop, s store.Store) *storage { return &storage{eng: eng, store: s} }

// pending counts what the store has not answered.
func (st *storage) pending() int { return st.asked + st.saving }

// load asks for a record; name is kept.
func (st *storage) load(name []byte, token uint64) bool {
	a := &loadedRecord{token: token}
	return st.ask(st.store.Get(name, func(got store.Record, err error) {
		a.Loaded = record.Loaded{Exists: got.State == store.StateLive, Version: got.Version, Data: got.Data, Err: err}
		st.eng.PostSelf(engine.Mail{Kind: mailRecordLoaded, Body: a})
	}))
}

// loadHeads asks for versions; names is kept.
func (st *storage) loadHeads(names [][]byte, token uint64) bool {
	a := &loadedHeads{token: token}
	return st.ask(st.store.HeadBulk(names, func(heads []store.Head, err error) {
		a.err = err
		a.versions = make([]int32, len(heads))
		for i, h := range heads {
			a.versions[i] = versionOf(h)
		}
		st.eng.PostSelf(engine.Mail{Kind: mailRecordHeads, Body: a})
	}))
}

func (st *storage) ask(err error) bool {
	if err == nil {
		st.asked++
	}
	return err == nil
}

// versionOf returns the version clients know: a tombstone's is nobody's business.
func versionOf(h store.Head) int32 {
	if h.State != store.StateLive {
		return store.Absent.Version
	}
	return h.Version
}

// save collects s, or returns false if the store is known to take nothing.
func (st *storage) save(s *record.Save, token uint64) bool {
	w := store.Write{Version: s.Version, Deleted: s.Deleted, Token: token}
	w.Name, w.Data = st.own(s.Name), st.own(s.Data)
	if st.refusing {
		b := st.newBatch()
		b.writes = append(b.writes, w)
		if !st.give(b) {
			return false
		}
		st.saving++
		return true
	}
	if st.batch == nil {
		st.batch = st.newBatch()
		st.eng.PostSelf(engine.Mail{Kind: mailRecordSubmit})
	}
	st.batch.writes = append(st.batch.writes, w)
	if st.batch.bytes += w.Size(); st.batch.bytes >= submitBytesMax {
		st.submit()
	}
	st.saving++
	return true
}

// own copies b into memory that lives as long as some save refers to it.
func (st *storage) own(b []byte) []byte {
	if len(b) > textBytes/4 {
		return append([]byte(nil), b...)
	}
	if cap(st.text)-len(st.text) < len(b) {
		st.text = make([]byte, 0, textBytes)
	}
	n := len(st.text)
	st.text = append(st.text, b...)
	return st.text[n:len(st.text):len(st.text)]
}

// submit hands over what was collected. If the store does not take it, the home hears of that by mail.
func (st *storage) submit() {
	b := st.batch
	if b == nil {
		return
	}
	st.batch = nil
	if !st.give(b) {
		st.eng.PostSelf(engine.Mail{Kind: mailRecordSaved, Body: b})
	}
}

// give submits b and reports whether the store has taken it.
func (st *storage) give(b *saveBatch) bool {
	b.err = st.store.Submit(b.writes, func(outcomes []store.Outcome) {
		b.note(outcomes)
		st.eng.PostSelf(engine.Mail{Kind: mailRecordSaved, Body: b})
	})
	st.refusing = b.err != nil
	return b.err == nil
}

// note keeps what failed of outcomes, on a goroutine of the store.
func (b *saveBatch) note(outcomes []store.Outcome) {
	for i := range outcomes {
		if invariant.Enabled {
			invariant.Assert(outcomes[i].Token == b.writes[i].Token, "session: outcome %d is of another save", i)
		}
		if outcomes[i].Err == nil {
			continue
		}
		if b.errs == nil {
			b.errs = make([]error, len(outcomes))
		}
		b.errs[i] = outcomes[i].Err
	}
}

// saved tells the home what became of a batch.
func (r *records) saved(b *saveBatch) {
	r.storage.saving -= len(b.writes)
	for i := range b.writes {
		err := b.err
		if err == nil && b.errs != nil {
			err = b.errs[i]
		}
		r.home.Saved(b.writes[i].Token, err)
	}
	r.storage.recycle(b)
}

func (st *storage) newBatch() *saveBatch {
	n := len(st.pool)
	if n == 0 {
		return &saveBatch{}
	}
	b := st.pool[n-1]
	st.pool = st.pool[:n-1]
	return b
}

func (st *storage) recycle(b *saveBatch) {
	if len(st.pool) == batchesKept || cap(b.writes) > sliceNamesMax {
		return
	}
	clear(b.writes)
	*b = saveBatch{writes: b.writes[:0]}
	st.pool = append(st.pool, b)
}

// cloneList copies names into one allocation of text.
func cloneList(names [][]byte) [][]byte {
	size := 0
	for _, name := range names {
		size += len(name)
	}
	text, list := make([]byte, 0, size), make([][]byte, len(names))
	for i, name := range names {
		n := len(text)
		text = append(text, name...)
		list[i] = text[n:len(text):len(text)]
	}
	return list
}
