// Package memory is a store.Store in RAM: for tests, and for a server whose storage is "none". It
// follows the same contract as a store on disk, except that nothing outlives the process.
//
// # Invariants
//   - Writes are applied and completed by one goroutine, in order of submission.
//   - The bytes kept never exceed Options.BytesMax; a write that would is answered ErrFull.
//
// Cost: a map entry of about 100 bytes beside name and data. Stability: internal, may change.
package memory

import (
	"bytes"
	"sync"
	"sync/atomic"
	"time"

	"deepstream-fast/store"
	"deepstream-fast/store/internal/async"
)

// Options configures a Store. The zero value is the documented default.
type Options struct {
	Discard            bool             // keep nothing: every write succeeds, every name is absent
	BytesMax           int              // of names and data kept; default 256 MiB
	QueueBytesMax      int              // of writes that wait; default 64 MiB
	ReadsMax           int              // reads that wait; default 65,536
	TombstoneRetention time.Duration    // default 7 days
	Now                func() time.Time // default time.Now
}

func (o Options) withDefaults() Options {
	o.BytesMax = orDefault(o.BytesMax, 256<<20)
	o.QueueBytesMax = orDefault(o.QueueBytesMax, 64<<20)
	o.ReadsMax = orDefault(o.ReadsMax, 64<<10)
	o.TombstoneRetention = orDefault(o.TombstoneRetention, 7*24*time.Hour)
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func orDefault[T int | time.Duration](v, byDefault T) T {
	if v == 0 {
		return byDefault
	}
	return v
}

type entry struct {
	record  store.Record
	expires time.Time // of a tombstone
}

func (e *entry) size(name string) int { return len(name) + len(e.record.Data) }

// Store keeps records in a map.
type Store struct {
	// Set by New, then constant.
	opts    Options
	queue   *async.Writes
	readers *async.Readers
	stopped chan struct{} // closed when the writer has completed everything

	// Safe from any goroutine.
	writes, conflicts, errs, commits, swept atomic.Uint64
	ack, commit, load                       store.Histogram

	mu      sync.RWMutex // guards the fields below; a leaf, never held across a callback
	records map[string]entry
	bytes   int

	// Owned by the writer.
	outcomes  []store.Outcome
	lastSweep time.Time
}

var _ store.Store = (*Store)(nil)

// New returns an empty store. Close stops its goroutines.
func New(opts Options) *Store {
	opts = opts.withDefaults()
	s := &Store{
		opts:      opts,
		queue:     async.NewWrites(opts.QueueBytesMax),
		readers:   async.NewReaders(1, opts.ReadsMax),
		stopped:   make(chan struct{}),
		records:   map[string]entry{},
		lastSweep: opts.Now(),
	}
	go s.run() // ends after Close of the queue; Close waits for stopped
	return s
}

// Submit implements store.Store.
func (s *Store) Submit(writes []store.Write, done func([]store.Outcome)) error {
	return s.queue.Push(writes, done)
}

// Get implements store.Store.
func (s *Store) Get(name []byte, done func(store.Record, error)) error {
	if err := store.ValidateName(name); err != nil {
		return err
	}
	asked := time.Now()
	return s.readers.Do(func() {
		s.mu.RLock()
		r := s.recordLocked(name)
		s.mu.RUnlock()
		r.Data = bytes.Clone(r.Data)
		s.load.Observe(time.Since(asked))
		done(r, nil)
	})
}

// Head implements store.Store.
func (s *Store) Head(name []byte, done func(store.Head, error)) error {
	return s.HeadBulk([][]byte{name}, func(heads []store.Head, err error) { done(heads[0], err) })
}

// HeadBulk implements store.Store.
func (s *Store) HeadBulk(names [][]byte, done func([]store.Head, error)) error {
	if err := store.ValidateNames(names); err != nil {
		return err
	}
	asked := time.Now()
	return s.readers.Do(func() {
		heads := make([]store.Head, len(names))
		s.mu.RLock()
		for i, name := range names {
			heads[i] = s.recordLocked(name).Head
		}
		s.mu.RUnlock()
		s.load.Observe(time.Since(asked))
		done(heads, nil)
	})
}

func (s *Store) recordLocked(name []byte) store.Record {
	if e, ok := s.records[string(name)]; ok {
		return e.record
	}
	return store.Record{Head: store.Absent}
}

// Stats implements store.Store.
func (s *Store) Stats() store.Stats {
	return store.Stats{
		QueueBytes: s.queue.Bytes(),
		QueueReads: s.readers.Len(),
		Writes:     s.writes.Load(),
		Conflicts:  s.conflicts.Load(),
		Errors:     s.errs.Load(),
		Busy:       s.queue.Busy() + s.readers.Busy(),
		Commits:    s.commits.Load(),
		Swept:      s.swept.Load(),
		Ack:        s.ack.Quantiles(),
		Commit:     s.commit.Quantiles(),

		AckTimes:    s.ack.Latency(),
		CommitTimes: s.commit.Latency(),
		LoadTimes:   s.load.Latency(),
	}
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.readers.Close()
	s.queue.Close()
	<-s.stopped
	return nil
}

// run is the writer.
func (s *Store) run() {
	defer close(s.stopped)
	for range s.queue.Ready() {
		subs, closed := s.queue.Take()
		for i := range subs {
			s.apply(&subs[i])
		}
		if closed {
			return
		}
		if now := s.opts.Now(); now.Sub(s.lastSweep) >= time.Minute {
			s.lastSweep = now
			s.sweep(now)
		}
	}
}

// apply carries out one submission and completes it.
func (s *Store) apply(sub *async.Submission) {
	start := time.Now()
	s.outcomes = s.outcomes[:0]
	s.mu.Lock()
	for i := range sub.Writes {
		s.outcomes = append(s.outcomes, s.applyLocked(&sub.Writes[i]))
	}
	s.mu.Unlock()
	s.commits.Add(1)
	s.commit.Observe(time.Since(start))
	s.ack.Observe(time.Since(sub.At))
	s.queue.Release(sub.Size)
	sub.Done(s.outcomes)
}

func (s *Store) applyLocked(w *store.Write) store.Outcome {
	old, known := s.records[string(w.Name)]
	if !known {
		old.record.Head = store.Absent
	}
	if !w.Expects(old.record.Head) {
		s.conflicts.Add(1)
		return store.Outcome{Token: w.Token, Err: store.ErrConflict, Head: old.record.Head}
	}
	out := store.Outcome{Token: w.Token, Head: w.Head()}
	if s.opts.Discard {
		s.writes.Add(1)
		return out
	}
	e := entry{record: store.Record{Head: w.Head()}}
	if w.Deleted {
		e.expires = s.opts.Now().Add(s.opts.TombstoneRetention)
	} else {
		e.record.Data = bytes.Clone(w.Data)
	}
	name := string(w.Name)
	grown := e.size(name)
	if known {
		grown -= old.size(name)
	}
	if grown > 0 && s.bytes+grown > s.opts.BytesMax {
		s.errs.Add(1)
		return store.Outcome{Token: w.Token, Err: store.ErrFull, Head: old.record.Head}
	}
	s.bytes += grown
	s.records[name] = e
	s.writes.Add(1)
	return out
}

// sweep forgets the tombstones that have expired.
func (s *Store) sweep(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, e := range s.records {
		if e.record.State == store.StateDeleted && !e.expires.After(now) {
			s.bytes -= e.size(name)
			delete(s.records, name)
			s.swept.Add(1)
		}
	}
}
