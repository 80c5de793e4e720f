package pebble

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"deepstream-fast/store"
)

// Durability says what a write without an error has survived. The names are those of the
// configuration, storage.options.durability.
type Durability string

// The durabilities. Whatever is chosen, writes of one store are lost, if at all, from the end: no
// write is kept while an earlier one is missing.
const (
	DurabilityAck      Durability = "ack"      // done is called after fsync: survives kill -9 and power loss
	DurabilityInterval Durability = "interval" // fsync every SyncInterval: a crash loses at most that
	DurabilityNone     Durability = "none"     // fsync when the system likes to: a crash may lose seconds
)

// Limits and times that nobody has needed to configure.
const (
	batchBytesMax    = 4 << 20 // of one commit, unless a single Submit is larger
	memTableBytesMax = 4 << 20
	memTablesMax     = 8   // with the above, bounds what a start has to replay
	sweepMax         = 512 // tombstones collected in one commit: a few milliseconds of reading
	openFilesMax     = 1000
	probeSpareBytes  = 4 << 20 // that must be free beyond the logs before a full disk is tried again
)

// Options configures a Store. The zero value of everything but Dir is the documented default.
type Options struct {
	Dir        string // created if missing; storage.options.path
	Durability Durability

	SyncInterval       time.Duration // of DurabilityInterval; default 20 ms
	QueueBytesMax      int           // of writes that wait, by store.Write.Size; default 64 MiB
	Readers            int           // goroutines that read; default 4
	ReadsMax           int           // reads that wait; default 65,536
	CacheBytes         int64         // of blocks; default 64 MiB
	TombstoneRetention time.Duration // default 7 days
	SweepInterval      time.Duration // between collections; default 1 minute
	ProbeInterval      time.Duration // between looks whether a failed disk is back; default 1 s

	Log *slog.Logger     // default: discards
	Now func() time.Time // of tombstones; default time.Now

	// Tests make the disk fail, rotate logs often, and have no time.
	fs            vfs.FS // default: the file system of the machine
	memTableBytes uint64 // default memTableBytesMax
	scrubTime     time.Duration

	syncs *store.Histogram // of all databases that this folder is opened as, one after the other
}

// Validate returns an error that names the configuration key, or nil.
func (o *Options) Validate() error {
	switch {
	case o.Dir == "":
		return errors.New("store: storage.options.path is empty")
	case o.Durability != "" && o.Durability != DurabilityAck && o.Durability != DurabilityInterval && o.Durability != DurabilityNone:
		return fmt.Errorf("store: storage.options.durability is %q, not ack, interval or none", o.Durability)
	case o.SyncInterval < 0:
		return fmt.Errorf("store: storage.options.syncInterval is %v", o.SyncInterval)
	case o.QueueBytesMax < 0 || o.Readers < 0 || o.ReadsMax < 0 || o.CacheBytes < 0 ||
		o.TombstoneRetention < 0 || o.SweepInterval < 0 || o.ProbeInterval < 0:
		return errors.New("store: negative limit")
	}
	return nil
}

func (o Options) withDefaults() Options {
	setDefault(&o.Durability, DurabilityAck)
	setDefault(&o.SyncInterval, 20*time.Millisecond)
	setDefault(&o.QueueBytesMax, 64<<20)
	setDefault(&o.Readers, 4)
	setDefault(&o.ReadsMax, 64<<10)
	setDefault(&o.CacheBytes, 64<<20)
	setDefault(&o.TombstoneRetention, 7*24*time.Hour)
	setDefault(&o.SweepInterval, time.Minute)
	setDefault(&o.ProbeInterval, time.Second)
	setDefault(&o.Log, slog.New(slog.DiscardHandler))
	setDefault(&o.fs, vfs.Default)
	setDefault(&o.memTableBytes, memTableBytesMax)
	setDefault(&o.scrubTime, scrubTimeMax)
	if o.syncs == nil {
		o.syncs = &store.Histogram{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
