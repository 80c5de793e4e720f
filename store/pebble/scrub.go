package pebble

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	lsm "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// scrubTimeMax is how long opening a folder may read tables: it is seconds for gigabytes, and a server
// that starts has better to do. What is left is found when it is read, and by Check.
const scrubTimeMax = 2 * time.Second

// scrub compares the blocks of all tables with their checksums, the newest tables first, for as long as
// Options allow. Without it a damaged record would be found when somebody asks for it, months later and with
// backups that hold the damage.
func (db *database) scrub(opts *Options) error {
	deadline := time.Now().Add(opts.scrubTime)
	levels, err := db.lsm.SSTables()
	if err != nil {
		return err
	}
	skipped := 0
	for _, tables := range levels {
		for i := range tables {
			if time.Now().After(deadline) {
				skipped++
				continue
			}
			if err := db.scrubTable(opts, tables[i].FileNum.String()); err != nil {
				return err
			}
		}
	}
	if skipped > 0 {
		opts.Log.Info("storage: too much to verify all of it before the start; the check command does",
			"event", "INFO", "folder", opts.Dir, "tablesSkipped", skipped)
	}
	return nil
}

// scrubTable verifies one table, unless a compaction has just replaced it.
func (db *database) scrubTable(opts *Options, number string) error {
	name := number + ".sst"
	file, err := db.disk.Open(opts.fs.PathJoin(opts.Dir, name), vfs.SequentialReadsOption)
	if errors.Is(err, fs.ErrNotExist) && !db.uses(number) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	readable, err := sstable.NewSimpleReadable(file)
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", name, err), file.Close())
	}
	table, err := sstable.NewReader(context.Background(), readable, sstable.ReaderOptions{Comparer: lsm.DefaultComparer})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err) // it has closed readable
	}
	if err := errors.Join(table.ValidateBlockChecksums(), table.Close()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// uses reports whether a table is still part of the database.
func (db *database) uses(number string) bool {
	levels, err := db.lsm.SSTables()
	if err != nil {
		return true
	}
	for _, tables := range levels {
		for i := range tables {
			if tables[i].FileNum.String() == number {
				return true
			}
		}
	}
	return false
}
