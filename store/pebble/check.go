package pebble

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	lsm "github.com/cockroachdb/pebble/v2"

	"deepstream-fast/store"
)

// Report is what Check found in a folder.
type Report struct {
	Records    int
	Tombstones int
	DataBytes  int64 // of the records' JSON
}

// Check verifies the folder of a store that nobody has open: every block against its checksum, the
// order of the engine's levels, every key and value against the format, and that each head has its
// data and the reverse. It changes nothing. The error names the damaged file or the first name that
// is inconsistent, and contains store.ErrCorrupt.
func Check(opts Options) (Report, error) {
	if err := opts.Validate(); err != nil {
		return Report{}, err
	}
	opts = opts.withDefaults()
	lock, err := lockDir(&opts, false)
	if err != nil {
		return Report{}, err
	}
	if err := verifyFiles(opts.fs, opts.Dir); err != nil {
		return Report{}, errors.Join(explain(opts.Dir, err), lock.Close())
	}
	cache := lsm.NewCache(opts.CacheBytes)
	defer cache.Unref()
	db, err := openDatabase(&opts, lock, cache, true, func() {})
	if err != nil {
		return Report{}, errors.Join(err, lock.Close())
	}
	c := checker{db: db}
	if err = c.run(); err != nil {
		err = explain(opts.Dir, err)
	}
	return c.Report, errors.Join(err, db.close(), lock.Close())
}

type checker struct {
	Report
	db *database
}

// run walks heads and data in step: both are sorted by name.
func (c *checker) run() error {
	if err := c.db.lsm.CheckLevels(nil); err != nil {
		return err
	}
	heads, err := c.db.lsm.NewIter(spaceBounds(spaceVersion))
	if err != nil {
		return err
	}
	data, err := c.db.lsm.NewIter(spaceBounds(spaceData))
	if err != nil {
		return errors.Join(err, heads.Close())
	}
	data.First()
	for heads.First(); heads.Valid() && err == nil; heads.Next() {
		err = c.checkHead(heads, data)
	}
	if err == nil && data.Valid() {
		err = fmt.Errorf("%w: data of %q has no head", store.ErrCorrupt, data.Key()[prefixBytes:])
	}
	if err = errors.Join(err, heads.Close(), data.Close()); err != nil {
		return err
	}
	return c.checkTombstones()
}

// checkHead checks one head, and the data at the other iterator if it is live.
func (c *checker) checkHead(heads, data *lsm.Iterator) error {
	name := heads.Key()[prefixBytes:]
	h, _, err := decodeHead(heads.Value())
	if err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	if h.State == store.StateDeleted {
		c.Tombstones++
		return nil // data that it might have comes up as data without a head
	}
	if !data.Valid() || !bytes.Equal(data.Key()[prefixBytes:], name) {
		return fmt.Errorf("%w: head of %q has no data", store.ErrCorrupt, name)
	}
	version, json, err := decodeData(data.Value())
	if err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	if version != h.Version {
		return fmt.Errorf("%w: %q has version %d and data of version %d", store.ErrCorrupt, name, h.Version, version)
	}
	c.Records++
	c.DataBytes += int64(len(json))
	data.Next()
	return nil
}

// checkTombstones checks that every tombstone will be collected.
func (c *checker) checkTombstones() error {
	it, err := c.db.lsm.NewIter(spaceBounds(spaceTombstone))
	if err != nil {
		return err
	}
	found := 0
	for it.First(); it.Valid() && err == nil; it.Next() {
		var expiry, current time.Time
		var name []byte
		if expiry, name, err = decodeTombstoneKey(it.Key()); err != nil {
			break
		}
		if _, current, err = c.db.head(name); current.Equal(expiry) {
			found++
		}
	}
	if err = errors.Join(err, it.Close()); err == nil && found != c.Tombstones {
		err = fmt.Errorf("%w: %d tombstones, %d of them to be collected", store.ErrCorrupt, c.Tombstones, found)
	}
	return err
}
