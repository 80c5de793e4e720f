package pebble

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	lsm "github.com/cockroachdb/pebble/v2"

	"deepstream-fast/store"
	"deepstream-fast/store/internal/async"
)

// run is the committer: the only goroutine that writes, opens and replaces the database.
func (s *Store) run() {
	defer close(s.stopped)
	flush := newTicker(s.opts.SyncInterval, s.opts.Durability == DurabilityInterval)
	defer flush.Stop()
	sweep := newTicker(s.opts.SweepInterval, true)
	defer sweep.Stop()
	probe := newTicker(s.opts.ProbeInterval, true)
	defer probe.Stop()
	for {
		select {
		case <-s.queue.Ready():
			subs, closed := s.queue.Take()
			s.commitAll(subs)
			if closed {
				s.syncIfNeeded()
				return
			}
		case <-flush.C:
			s.syncIfNeeded()
		case <-s.wake:
			s.replaceIfSealed()
		case <-probe.C:
			s.recoverIfPossible()
		case <-sweep.C:
		}
		s.sweepIfDue()
	}
}

// newTicker returns a ticker that ticks only if it is wanted.
func newTicker(d time.Duration, wanted bool) *time.Ticker {
	t := time.NewTicker(d)
	if !wanted {
		t.Stop()
	}
	return t
}

// commitAll commits subs in as few batches as the limit of their size permits.
func (s *Store) commitAll(subs []async.Submission) {
	for len(subs) > 0 {
		n, size := 1, subs[0].Size
		for n < len(subs) && size+subs[n].Size <= batchBytesMax {
			size += subs[n].Size
			n++
		}
		s.commitGroup(subs[:n])
		subs = subs[n:]
	}
}

// commitGroup makes subs durable with one commit and completes them.
func (s *Store) commitGroup(subs []async.Submission) {
	start := time.Now()
	outcomes, err := s.write(subs)
	if err != nil {
		for i := range outcomes {
			outcomes[i].Err = err // a conflict was judged against writes that may not exist
		}
		s.errs.Add(uint64(len(outcomes)))
	}
	now := time.Now()
	s.commit.Observe(now.Sub(start))
	for i := range subs {
		sub := &subs[i]
		n := len(sub.Writes)
		s.ack.Observe(now.Sub(sub.At))
		s.queue.Release(sub.Size)
		sub.Done(outcomes[:n:n])
		outcomes = outcomes[n:]
	}
}

// write applies subs to the database as one batch. It returns an outcome per write, and an error if
// none of them can be relied on.
func (s *Store) write(subs []async.Submission) ([]store.Outcome, error) {
	b := &s.batch
	if err := s.refusal(); err != nil {
		return b.refuse(subs), err
	}
	b.begin(s.db, s.opts.Now().Add(s.opts.TombstoneRetention))
	for i := range subs {
		for j := range subs[i].Writes {
			b.add(&subs[i].Writes[j])
		}
	}
	b.encode()
	if b.err != nil {
		s.replaceIfSealed() // which may be why a version could not be read
		return b.outcomes, b.err
	}
	if err := s.apply(b.ops); err != nil {
		return b.outcomes, err
	}
	s.writes.Add(uint64(len(b.outcomes) - b.conflicts))
	s.conflicts.Add(uint64(b.conflicts))
	return b.outcomes, nil
}

// apply commits ops with the configured durability, or returns store.ErrReadOnly with the cause
// after the database has been replaced by one to read from.
func (s *Store) apply(ops *lsm.Batch) error {
	if ops.Empty() {
		return nil
	}
	options := lsm.NoSync
	if s.opts.Durability == DurabilityAck {
		options = lsm.Sync
	}
	if err := ops.Commit(options); err != nil {
		s.db.disk.seal(err) // Pebble has no use for a commit pipeline after that
	}
	s.replaceIfSealed()
	if err := s.refusal(); err != nil {
		return err
	}
	s.commits.Add(1)
	if s.opts.Durability == DurabilityAck {
		s.syncs.Add(1)
	}
	s.unsynced = s.opts.Durability == DurabilityInterval
	return nil
}

// syncIfNeeded makes all commits of DurabilityInterval durable.
func (s *Store) syncIfNeeded() {
	if !s.unsynced || s.refusal() != nil {
		return
	}
	if err := s.db.lsm.LogData(nil, lsm.Sync); err != nil {
		s.db.disk.seal(err)
	}
	s.unsynced = false
	s.syncs.Add(1)
	s.replaceIfSealed()
}

// batch builds one commit. It is reused: the slices keep their capacity.
type batch struct {
	db        *database
	ops       *lsm.Batch // of db
	expiry    time.Time  // of the tombstones in it
	outcomes  []store.Outcome
	conflicts int
	err       error // a version could not be read: nothing of the batch may be committed

	// heads holds what the writes so far have made of their names, from the first compare-and-set
	// on: until then nobody asks.
	heads   map[string]store.Head
	written []written
}

// written is a write that its check has let through, and its place among those of the batch.
type written struct {
	*store.Write
	at int
}

// begin empties b for a commit to db.
func (b *batch) begin(db *database, expiry time.Time) {
	if b.db == db {
		b.ops.Reset()
	} else {
		b.db, b.ops = db, db.lsm.NewBatch(lsm.WithMaxRetainedSizeBytes(2*batchBytesMax))
	}
	b.expiry = expiry
	b.outcomes, b.conflicts, b.err = b.outcomes[:0], 0, nil
	b.heads = nil
	clear(b.written)
	b.written = b.written[:0]
}

// refuse returns the outcomes of writes that are not going to be carried out, without their error.
func (b *batch) refuse(subs []async.Submission) []store.Outcome {
	b.outcomes = b.outcomes[:0]
	for i := range subs {
		for _, w := range subs[i].Writes {
			b.outcomes = append(b.outcomes, store.Outcome{Token: w.Token})
		}
	}
	return b.outcomes
}

// add appends the outcome of w, and w itself unless its check fails.
func (b *batch) add(w *store.Write) {
	if w.Check && b.err == nil {
		head, err := b.head(w.Name)
		if err != nil {
			b.err = fmt.Errorf("store: compare version of %q: %w", w.Name, err)
		} else if !w.Expects(head) {
			b.conflicts++
			b.outcomes = append(b.outcomes, store.Outcome{Token: w.Token, Err: store.ErrConflict, Head: head})
			return
		}
	}
	b.outcomes = append(b.outcomes, store.Outcome{Token: w.Token, Head: w.Head()})
	b.written = append(b.written, written{w, len(b.written)})
	if b.heads != nil {
		b.heads[string(w.Name)] = w.Head()
	}
}

// head returns the head of name as the batch so far leaves it.
func (b *batch) head(name []byte) (store.Head, error) {
	if b.heads == nil {
		b.heads = make(map[string]store.Head, len(b.written))
		for _, w := range b.written {
			b.heads[string(w.Name)] = w.Head()
		}
	}
	if h, ok := b.heads[string(name)]; ok {
		return h, nil
	}
	h, _, err := b.db.head(name)
	return h, err
}

// encode appends the operations of all writes, encoded in place, in the order of their keys: Pebble's
// skip list looks for the place of a key from that of the one before. Of several writes of one name the last one counts; nobody could have seen the others.
// Hot path: 0 allocs, see TestBatchAllocs.
func (b *batch) encode() {
	b.sort()
	kept := b.written[:0]
	for i, w := range b.written {
		if i+1 == len(b.written) || !bytes.Equal(w.Name, b.written[i+1].Name) {
			kept = append(kept, w)
		}
	}
	deleted := false
	for _, w := range kept {
		b.setData(w.Write)
		deleted = deleted || w.Deleted
	}
	for _, w := range kept {
		if !deleted {
			break
		}
		b.setTombstone(w.Write)
	}
	for _, w := range kept {
		b.setHead(w.Write)
	}
}

// sort puts the writes in the order of their names, those of one name as they came.
func (b *batch) sort() {
	slices.SortFunc(b.written, func(x, y written) int {
		if c := bytes.Compare(x.Name, y.Name); c != 0 {
			return c
		}
		return cmp.Compare(x.at, y.at)
	})
}

func (b *batch) setData(w *store.Write) {
	if w.Deleted {
		op := b.ops.DeleteDeferred(prefixBytes + len(w.Name))
		appendKey(op.Key[:0], spaceData, w.Name)
		b.finish(op)
		return
	}
	var headerBuf [dataHeaderBytesMax]byte
	header := appendDataHeader(headerBuf[:0], w.Version)
	op := b.ops.SetDeferred(prefixBytes+len(w.Name), len(header)+len(w.Data))
	appendKey(op.Key[:0], spaceData, w.Name)
	copy(op.Value[copy(op.Value, header):], w.Data)
	b.finish(op)
}

func (b *batch) setTombstone(w *store.Write) {
	if !w.Deleted {
		return
	}
	op := b.ops.SetDeferred(prefixBytes+expiryBytes+len(w.Name), 0)
	appendTombstoneKey(op.Key[:0], b.expiry, w.Name)
	b.finish(op)
}

func (b *batch) setHead(w *store.Write) {
	var headBuf [headBytesMax]byte
	head := appendHead(headBuf[:0], w.Head(), b.expiry)
	op := b.ops.SetDeferred(prefixBytes+len(w.Name), len(head))
	appendKey(op.Key[:0], spaceVersion, w.Name)
	copy(op.Value, head)
	b.finish(op)
}

func (b *batch) finish(op *lsm.DeferredBatchOp) {
	b.err = errors.Join(b.err, op.Finish())
}
