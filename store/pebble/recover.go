package pebble

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"deepstream-fast/store"
)

// probeName is the file that finds out whether a failed disk takes writes again.
const probeName = "probe.tmp"

// replaceIfSealed makes the store read-only if the disk has failed: writes are refused, and the
// database gives way to one that shows exactly what reached the disk. Owned by the committer.
func (s *Store) replaceIfSealed() {
	if s.refusal() != nil || s.db.disk.Err() == nil {
		return
	}
	cause := s.db.disk.Err()
	err := fmt.Errorf("%w: %w", store.ErrReadOnly, cause)
	s.degraded.Store(&err)
	s.opts.Log.Error("storage takes no writes, only reads, until the disk does again", "folder", s.opts.Dir, "cause", cause)
	if err := s.replace(true); err != nil {
		s.opts.Log.Error("storage cannot be read either", "folder", s.opts.Dir, "cause", err)
	}
}

// recoverIfPossible makes a read-only store writable again if the disk is back.
func (s *Store) recoverIfPossible() {
	if s.refusal() == nil || s.probe() != nil {
		return
	}
	if err := s.replace(false); err != nil {
		// The disk failed once more. A second line in the log would say nothing new.
		_ = s.replace(true)
		return
	}
	s.degraded.Store(nil)
	s.opts.Log.Info("storage takes writes again", "folder", s.opts.Dir)
}

// replace closes the database and opens the folder again. Reads wait meanwhile, as long as it takes
// to replay the log. If it fails, there is no database.
func (s *Store) replace(readOnly bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.db
	_ = old.close() // what it could not write is known, and why
	db, err := openDatabase(&s.opts, s.lock, s.cache, readOnly, s.wakeCommitter)
	s.db = db
	s.unsynced = false
	if old != nil {
		close(old.replaced)
	}
	return err
}

// probe writes what opening the folder is going to write: all that the logs hold, and some more.
func (s *Store) probe() error {
	fs, path := s.opts.fs, s.opts.fs.PathJoin(s.opts.Dir, probeName)
	need, err := s.logBytes()
	if err != nil {
		return err
	}
	file, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	chunk := make([]byte, 1<<20)
	for need += probeSpareBytes; need > 0 && err == nil; need -= int64(len(chunk)) {
		_, err = file.Write(chunk)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close(), fs.Remove(path))
}

// logBytes returns the size of all logs in the folder.
func (s *Store) logBytes() (size int64, err error) {
	names, err := s.opts.fs.List(s.opts.Dir)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".log") {
			continue
		}
		info, err := s.opts.fs.Stat(s.opts.fs.PathJoin(s.opts.Dir, name))
		if err != nil {
			return 0, err
		}
		size += info.Size()
	}
	return size, nil
}
