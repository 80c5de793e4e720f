package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"regexp"
	"strings"
	"sync"

	lsm "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"deepstream-fast/store"
)

// database is the folder opened once. A Store whose disk failed goes through several.
type database struct {
	lsm      *lsm.DB
	disk     *disk
	readOnly bool
	replaced chan struct{} // closed when the store has another one, or none
}

// lockDir takes the lock of the folder, and creates the folder first if create is set.
func lockDir(opts *Options, create bool) (*lsm.Lock, error) {
	if create {
		if err := opts.fs.MkdirAll(opts.Dir, 0o755); err != nil {
			return nil, fmt.Errorf("store: create folder: %w", err)
		}
	} else if _, err := opts.fs.Stat(opts.Dir); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	lock, err := lsm.LockDirectory(opts.Dir, opts.fs)
	if err != nil {
		return nil, fmt.Errorf("store: folder %s is in use by another process, or cannot be locked: %w", opts.Dir, err)
	}
	return lock, nil
}

// openDatabase opens the folder with the lock held, recovers it, and checks that it is readable as
// far as that can be told without reading the records. sealed is called if the disk fails later.
func openDatabase(opts *Options, lock *lsm.Lock, cache *lsm.Cache, readOnly bool, sealed func()) (*database, error) {
	d := &disk{FS: opts.fs, dir: opts.Dir, sealed: sealed, logBytes: int64(opts.memTableBytes), syncs: opts.syncs}
	log := &logger{log: opts.Log, disk: d}
	engine, err := lsm.Open(opts.Dir, lsmOptions(opts, log, lock, cache, readOnly))
	if err != nil {
		if cause := d.Err(); cause != nil {
			err = cause
		}
		return nil, explain(opts.Dir, err)
	}
	db := &database{lsm: engine, disk: d, readOnly: readOnly, replaced: make(chan struct{})}
	if err := db.verify(); err != nil {
		_ = db.close() // nothing was written: the reason to refuse is the better error
		return nil, explain(opts.Dir, err)
	}
	return db, nil
}

// close closes the database. On a sealed disk its errors are of a world that does not exist.
func (db *database) close() error {
	if db == nil {
		return nil
	}
	err := db.lsm.Close()
	if cause := db.disk.Err(); cause != nil {
		return fmt.Errorf("store: close: %w", cause)
	}
	return err
}

// verify reads the format and the properties of every table.
func (db *database) verify() error {
	if err := db.verifyFormat(); err != nil {
		return err
	}
	if _, err := db.lsm.SSTables(lsm.WithProperties()); err != nil {
		return err
	}
	return db.disk.Err()
}

// verifyFormat reads the number of the format, and writes it into a new folder.
func (db *database) verifyFormat() error {
	v, closer, err := db.lsm.Get(formatKey)
	switch {
	case errors.Is(err, lsm.ErrNotFound) && db.readOnly:
		return nil // a folder whose very first write failed
	case errors.Is(err, lsm.ErrNotFound):
		return db.lsm.Set(formatKey, binary.AppendUvarint(nil, format), lsm.Sync)
	case err != nil:
		return err
	}
	defer closer.Close()
	n, size := binary.Uvarint(v)
	if size <= 0 {
		return fmt.Errorf("%w: format % x", store.ErrCorrupt, v)
	}
	if n > format {
		return fmt.Errorf("the folder has format %d, this program knows formats up to %d: use a newer program", n, format)
	}
	return nil
}

func lsmOptions(opts *Options, log *logger, lock *lsm.Lock, cache *lsm.Cache, readOnly bool) *lsm.Options {
	o := &lsm.Options{
		FS:                          log.disk,
		Lock:                        lock,
		Cache:                       cache,
		ReadOnly:                    readOnly,
		FormatMajorVersion:          lsm.FormatNewest,
		MemTableSize:                opts.memTableBytes,
		MemTableStopWritesThreshold: memTablesMax,
		BytesPerSync:                1 << 20,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		MaxOpenFiles:                openFilesMax,
		CompactionConcurrencyRange:  func() (lower, upper int) { return 1, 1 },
		Logger:                      log,
		EventListener: &lsm.EventListener{
			BackgroundError: func(err error) { log.Errorf("background: %v", err) },
			DataCorruption:  log.corrupt,
		},
	}
	for i := range o.Levels {
		o.Levels[i].BlockSize = 8 << 10
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10) // absent names cost no block
	}
	return o
}

// explain says of an error met while opening or checking what is damaged and what can be done.
func explain(dir string, err error) error {
	if !isDamage(err) {
		return fmt.Errorf("store: folder %s: %w", dir, err)
	}
	return fmt.Errorf("store: folder %s: %w; restore it from a backup, or move it away to start empty", dir, newDamage(err))
}

// isDamage reports whether err says that a file is not as it was written. Pebble does not mark all
// such errors.
func isDamage(err error) bool {
	return lsm.IsCorruptionError(err) || errors.Is(err, store.ErrCorrupt) || errors.Is(err, fs.ErrNotExist) ||
		strings.Contains(err.Error(), sizeMismatch) || strings.Contains(err.Error(), badOptions)
}

// What Pebble says of a table that is not as long as it was, and of an OPTIONS file it cannot read.
const (
	sizeMismatch = "size mismatch"
	badOptions   = "invalid key=value syntax"
)

// damage is an error about a damaged file. It is a store.ErrCorrupt.
type damage struct {
	file  string
	cause error
}

func newDamage(cause error) *damage { return &damage{damagedFile(cause), cause} }

func (d *damage) Error() string {
	cause, _, _ := strings.Cut(d.cause.Error(), "\n") // Pebble appends what is for programs
	return fmt.Sprintf("damaged file %s: %s", d.file, cause)
}

func (d *damage) Unwrap() []error { return []error{store.ErrCorrupt, d.cause} }

var (
	// fileName finds the name of a file in the text of an error, which often has no other place for it.
	fileName = regexp.MustCompile(`\b((MANIFEST|OPTIONS)-\d+|\d{6,}\.(log|sst)|marker\.[a-z.-]+\d+\S*\w)`)

	// fileNumber finds the number of a file in the text of an error that has no name.
	fileNumber = regexp.MustCompile(`\b(table|file|wal|log) (\d+)`)
)

// damagedFile returns the name of the file that err is about.
func damagedFile(err error) string {
	text := err.Error() + details(err)
	if name := fileName.FindString(text); name != "" {
		return name
	}
	m := fileNumber.FindStringSubmatch(text)
	switch {
	case strings.Contains(text, badOptions):
		return "OPTIONS-*, the newest"
	case m == nil:
		return "not known"
	case m[1] == "table" || m[1] == "file":
		return fmt.Sprintf("%06s.sst", m[2])
	default:
		return fmt.Sprintf("%06s.log", m[2])
	}
}

// details returns what Pebble attaches to err without making it part of the text.
func details(err error) (text string) {
	if d, ok := err.(interface{ ErrorDetail() string }); ok {
		text = " " + d.ErrorDetail()
	}
	if one, ok := err.(interface{ Unwrap() error }); ok && one.Unwrap() != nil {
		text += details(one.Unwrap())
	}
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, next := range several.Unwrap() {
			text += details(next)
		}
	}
	return text
}

// logger passes on what Pebble has to say. Its messages are for those who look for them: what an
// operator must know is logged by the store, once.
type logger struct {
	log  *slog.Logger
	disk *disk

	mu       sync.Mutex          // guards reported; a leaf
	reported map[string]struct{} // damaged files, each logged once; at most one per file of the folder
}

func (l *logger) Infof(format string, args ...any) {}

func (l *logger) Errorf(format string, args ...any) {
	l.log.Debug("storage engine", "message", fmt.Sprintf(format, args...))
}

// Fatalf is called when Pebble would rather die. It goes on with a sealed disk, so that nothing it
// does afterwards can do harm, and the committer replaces it.
func (l *logger) Fatalf(format string, args ...any) {
	l.disk.seal(fmt.Errorf(format, args...))
}

// corrupt is told of blocks that fail their checksum.
func (l *logger) corrupt(info lsm.DataCorruptionInfo) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.reported[info.Path]; known {
		return
	}
	if l.reported == nil {
		l.reported = map[string]struct{}{}
	}
	l.reported[info.Path] = struct{}{}
	l.log.Error("storage is damaged: records in this file are unreadable, restore a backup", "file", info.Path, "cause", info.Details)
}
