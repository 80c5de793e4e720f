package pebble

import (
	"fmt"

	lsm "github.com/cockroachdb/pebble/v2"
)

// sweepIfDue collects expired tombstones, sweepMax at a time; if there are more, it is due again on
// the next turn, behind the writes that wait. Owned by the committer.
func (s *Store) sweepIfDue() {
	now := s.opts.Now()
	if s.refusal() != nil || now.Sub(s.lastSweep) < s.opts.SweepInterval {
		return
	}
	swept, more, err := s.sweep()
	if err != nil {
		s.opts.Log.Warn("storage cannot collect deleted records", "folder", s.opts.Dir, "cause", err)
	}
	s.swept.Add(swept)
	if more {
		s.wakeCommitter()
		return
	}
	s.lastSweep = now
}

// sweep removes up to sweepMax expired tombstones and returns how many, and whether there are more.
func (s *Store) sweep() (swept uint64, more bool, err error) {
	upper := appendTombstoneKey(nil, s.opts.Now(), nil)
	it, err := s.db.lsm.NewIter(&lsm.IterOptions{LowerBound: []byte{format, spaceTombstone}, UpperBound: upper})
	if err != nil {
		return 0, false, err
	}
	ops := s.db.lsm.NewBatch()
	for it.First(); it.Valid() && err == nil; it.Next() {
		if ops.Count() >= 2*sweepMax {
			more = true
			break
		}
		var collected bool
		if collected, err = s.collect(ops, it.Key()); collected {
			swept++
		}
	}
	if err = firstError(err, it.Close()); err != nil {
		return 0, false, err
	}
	if err := s.apply(ops); err != nil {
		return 0, false, err
	}
	return swept, more, nil
}

// collect adds to ops what removes the tombstone behind key, a 't' key, and reports whether it is
// still there: the name may have been written since, or deleted once more.
func (s *Store) collect(ops *lsm.Batch, key []byte) (collected bool, err error) {
	expiry, name, err := decodeTombstoneKey(key)
	if err != nil {
		return false, err
	}
	_, current, err := s.db.head(name)
	if err != nil {
		return false, fmt.Errorf("tombstone of %q: %w", name, err)
	}
	if current.Equal(expiry) { // of a live record it is the zero time
		collected = true
		err = ops.Delete(appendKey(nil, spaceVersion, name), nil)
	}
	return collected, firstError(err, ops.Delete(key, nil))
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
