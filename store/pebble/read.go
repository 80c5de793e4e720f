package pebble

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	lsm "github.com/cockroachdb/pebble/v2"

	"deepstream-fast/store"
)

// Get implements store.Store.
func (s *Store) Get(name []byte, done func(store.Record, error)) error {
	if err := store.ValidateName(name); err != nil {
		return err
	}
	asked := time.Now()
	return s.readers.Do(func() {
		var r store.Record
		err := s.read(func(db *database) (err error) {
			r, err = db.record(name)
			return err
		})
		s.load.Observe(time.Since(asked))
		done(r, err)
	})
}

// Head implements store.Store.
func (s *Store) Head(name []byte, done func(store.Head, error)) error {
	if err := store.ValidateName(name); err != nil {
		return err
	}
	asked := time.Now()
	return s.readers.Do(func() {
		var h store.Head
		err := s.read(func(db *database) (err error) {
			h, _, err = db.head(name)
			return err
		})
		s.load.Observe(time.Since(asked))
		done(h, err)
	})
}

// HeadBulk implements store.Store.
func (s *Store) HeadBulk(names [][]byte, done func([]store.Head, error)) error {
	if err := store.ValidateNames(names); err != nil {
		return err
	}
	asked := time.Now()
	return s.readers.Do(func() {
		var heads []store.Head
		err := s.read(func(db *database) (err error) {
			heads, err = db.heads(names)
			return err
		})
		s.load.Observe(time.Since(asked))
		done(heads, err)
	})
}

// read runs f on the database. A database whose disk has been sealed may miss files that it thinks
// it has written: if f fails on one, it runs again on the next database, which the committer opens
// at once and which, being read-only, cannot be sealed.
func (s *Store) read(f func(*database) error) error {
	for {
		db, err := s.readOnce(f)
		if err == nil || db == nil || db.disk.Err() == nil {
			if err != nil {
				s.errs.Add(1)
			}
			return err
		}
		<-db.replaced
	}
}

func (s *Store) readOnce(f func(*database) error) (*database, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return nil, s.refusal()
	}
	err := f(s.db)
	if err != nil && (lsm.IsCorruptionError(err) || errors.Is(err, store.ErrCorrupt)) {
		err = fmt.Errorf("store: %w", newDamage(err))
	}
	return s.db, err
}

// record returns the record of name with a copy of its data.
func (db *database) record(name []byte) (store.Record, error) {
	v, closer, err := db.lsm.Get(appendKey(nil, spaceData, name))
	if errors.Is(err, lsm.ErrNotFound) {
		// Absent or deleted. If it has been created since, the next Get sees it: this one was earlier.
		h, _, err := db.head(name)
		if h.State == store.StateLive {
			h = store.Absent
		}
		return store.Record{Head: h}, err
	}
	if err != nil {
		return store.Record{}, err
	}
	defer closer.Close()
	version, data, err := decodeData(v)
	if err != nil {
		return store.Record{}, err
	}
	return store.Record{Head: store.Head{Version: version, State: store.StateLive}, Data: bytes.Clone(data)}, nil
}

// head returns the head of name, and the expiry of its tombstone if it is one.
func (db *database) head(name []byte) (store.Head, time.Time, error) {
	v, closer, err := db.lsm.Get(appendKey(nil, spaceVersion, name))
	if errors.Is(err, lsm.ErrNotFound) {
		return store.Absent, time.Time{}, nil
	}
	if err != nil {
		return store.Absent, time.Time{}, err
	}
	defer closer.Close()
	return decodeHead(v)
}

// heads returns the heads of names, in their order, by one walk over the version keys.
func (db *database) heads(names [][]byte) ([]store.Head, error) {
	order := make([]int32, len(names))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return bytes.Compare(names[a], names[b]) })
	it, err := db.lsm.NewIter(spaceBounds(spaceVersion))
	if err != nil {
		return nil, err
	}
	defer it.Close()
	heads := make([]store.Head, len(names))
	var key []byte
	for _, i := range order {
		key = appendKey(key[:0], spaceVersion, names[i])
		if !it.Valid() || bytes.Compare(it.Key(), key) < 0 {
			it.SeekGE(key) // starts from where it stands
		}
		heads[i] = store.Absent
		if it.Valid() && bytes.Equal(it.Key(), key) {
			if heads[i], _, err = decodeHead(it.Value()); err != nil {
				return nil, err
			}
		}
	}
	return heads, it.Error()
}

// spaceBounds limits an iterator to one space.
func spaceBounds(space byte) *lsm.IterOptions {
	return &lsm.IterOptions{LowerBound: []byte{format, space}, UpperBound: []byte{format, space + 1}}
}
