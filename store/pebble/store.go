package pebble

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	lsm "github.com/cockroachdb/pebble/v2"

	"deepstream-fast/store"
	"deepstream-fast/store/internal/async"
)

// Store keeps records in a folder. Loops submit; the committer writes; a pool reads.
type Store struct {
	// Set by Open, then constant.
	opts    Options
	lock    *lsm.Lock  // on the folder, from Open to Close
	cache   *lsm.Cache // of blocks; survives the databases below
	queue   *async.Writes
	readers *async.Readers
	stopped chan struct{} // closed when the committer has completed everything
	wake    chan struct{} // holds a token if the committer has more to do than writes

	// Safe from any goroutine.
	degraded                                       atomic.Pointer[error] // why Submit refuses, or nil
	writes, conflicts, errs, commits, syncs, swept atomic.Uint64
	ack, commit, load                              store.Histogram

	// mu guards db: readers hold it shared for one read, the committer exclusively to replace db.
	// While it is held nothing else is locked, but for what a log line about damage takes.
	mu sync.RWMutex
	db *database // nil only if the folder could not be opened again, not even for reading

	// Owned by the committer.
	batch     batch
	unsynced  bool // DurabilityInterval: there were commits since the last fsync
	lastSweep time.Time
}

var _ store.Store = (*Store)(nil)

// Open opens the folder, or creates an empty one. It refuses one that another process has open, is
// of a newer format, or is corrupt; the error then names the file and the way out. What a crash
// left behind is recovered, which takes well below 5 s: at most memTablesMax*memTableBytesMax of log.
func Open(opts Options) (*Store, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	opts.Dir = filepath.Clean(opts.Dir)
	lock, err := lockDir(&opts, true)
	if err != nil {
		return nil, err
	}
	s := &Store{
		opts:      opts,
		lock:      lock,
		cache:     lsm.NewCache(opts.CacheBytes),
		queue:     async.NewWrites(opts.QueueBytesMax),
		stopped:   make(chan struct{}),
		wake:      make(chan struct{}, 1),
		lastSweep: opts.Now(),
	}
	if s.db, err = s.openFirst(); err != nil {
		s.cache.Unref()
		return nil, errors.Join(err, lock.Close())
	}
	s.readers = async.NewReaders(opts.Readers, opts.ReadsMax)
	go s.run() // ends after Close of the queue; Close waits for stopped
	return s, nil
}

// openFirst opens a folder that may have been at rest: if so, exactly as the store left it.
func (s *Store) openFirst() (*database, error) {
	if err := verifyFiles(s.opts.fs, s.opts.Dir); err != nil {
		return nil, explain(s.opts.Dir, err)
	}
	if err := removeInventory(s.opts.fs, s.opts.Dir); err != nil {
		return nil, fmt.Errorf("store: folder %s: %w", s.opts.Dir, err)
	}
	db, err := openDatabase(&s.opts, s.lock, s.cache, false, s.wakeCommitter)
	if err != nil {
		return nil, err
	}
	if err := db.scrub(&s.opts); err != nil {
		_ = db.close() // nothing was written: the reason to refuse is the better error
		return nil, explain(s.opts.Dir, err)
	}
	return db, nil
}

func (s *Store) wakeCommitter() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Submit implements store.Store. While the disk takes no writes it answers store.ErrReadOnly with
// the cause.
func (s *Store) Submit(writes []store.Write, done func([]store.Outcome)) error {
	if err := s.refusal(); err != nil {
		s.errs.Add(uint64(len(writes)))
		return err
	}
	return s.queue.Push(writes, done)
}

// refusal returns why writes are refused, or nil.
func (s *Store) refusal() error {
	if err := s.degraded.Load(); err != nil {
		return *err
	}
	return nil
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
		Syncs:      s.syncs.Load(),
		Swept:      s.swept.Load(),
		Degraded:   s.refusal(),
		Ack:        s.ack.Quantiles(),
		Commit:     s.commit.Quantiles(),

		AckTimes:    s.ack.Latency(),
		CommitTimes: s.commit.Latency(),
		SyncTimes:   s.opts.syncs.Latency(),
		LoadTimes:   s.load.Latency(),
	}
}

// Close implements store.Store. Whatever the durability, what was completed is on disk afterwards.
func (s *Store) Close() error {
	s.readers.Close() // first: a read on a sealed disk waits for the committer
	s.queue.Close()
	<-s.stopped
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.db.close()
	if s.db = nil; err == nil && s.refusal() == nil {
		err = writeInventory(s.opts.fs, s.opts.Dir)
	}
	s.cache.Unref()
	return errors.Join(err, s.lock.Close())
}

// Backup makes a consistent copy of the store in dir, which must not exist, while the store goes
// on. It holds everything completed before the call and opens like any folder of a store. On the
// same file system it is made of hard links and costs next to no space at first. Backup waits for
// the disk: it is not for loops. Safe from any goroutine.
func (s *Store) Backup(dir string) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return s.refusal()
	}
	var options []lsm.CheckpointOption
	if !s.db.readOnly {
		options = append(options, lsm.WithFlushedWAL())
	}
	if err := s.db.lsm.Checkpoint(dir, options...); err != nil {
		return fmt.Errorf("store: back up %s to %s: %w", s.opts.Dir, dir, err)
	}
	if err := s.db.disk.Err(); err != nil {
		return fmt.Errorf("store: back up %s to %s: incomplete, remove it: %w", s.opts.Dir, dir, err)
	}
	if err := writeInventory(s.opts.fs, dir); err != nil {
		return fmt.Errorf("store: back up %s to %s: incomplete, remove it: %w", s.opts.Dir, dir, err)
	}
	return nil
}
