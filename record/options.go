package record

import (
	"cmp"
	"fmt"
	"time"

	"deepstream-fast/lazyjson"
)

// Options are the limits of one Home. The zero value of a field is its default.
type Options struct {
	LoadTimeout time.Duration // without an answer of the store to any load; default 2 s (record.storageRetrievalTimeout)
	SaveTimeout time.Duration // without an answer to any save: then the writer is told that it failed; default 10 s
	SaveRetry   time.Duration // until a failed save is tried again; default 1 s

	NoStorage         bool     // there is no store: every name is as if excluded
	ExclusionPrefixes []string // of names never loaded or saved (record.storageExclusionPrefixes)
	HotPathPrefixes   []string // of names that setData writes unconditionally (record.storageHotPathPrefixes)

	// Parses counts the documents that writes make the Home look into; nil: nobody asks.
	Parses *lazyjson.Counters

	// RecordBytesMax bounds the JSON of a record; a write beyond gets INVALID_MESSAGE_DATA. Default,
	// and at most, 16 MiB.
	RecordBytesMax int

	// A request beyond one of these is answered with RECORD_UPDATE_ERROR if it writes, else with
	// RECORD_LOAD_ERROR, and counted in Stats.Refused.
	WritesPerRecordMax int // that wait for one record; default 1024
	QueueMax           int // requests that wait for any record; default 1<<20
	QueueBytesMax      int // that they hold; default 64 MiB
	SavesMax           int // in flight; default 1<<18

	// CacheOnlyBytesMax bounds names and data that exist in the cache only. Default 1 GiB.
	CacheOnlyBytesMax int
	// UnsavedMax bounds the records whose save has failed and that are kept until it succeeds. Beyond
	// it a record is left to eviction, after which the store's older version counts. Default 1<<16.
	UnsavedMax int
	// HeadsPerLoadMax bounds the names of one LoadHeads. Default 8192.
	HeadsPerLoadMax int
}

// Validate returns an error that names the first option out of range.
func (o Options) Validate() error {
	for _, f := range []struct {
		key string
		bad bool
	}{
		{"storageRetrievalTimeout", o.LoadTimeout < 0},
		{"saveTimeout", o.SaveTimeout < 0},
		{"saveRetry", o.SaveRetry < 0},
		{"recordBytesMax", o.RecordBytesMax < 0 || o.RecordBytesMax > lazyjson.DocBytesMax},
		{"writesPerRecordMax", o.WritesPerRecordMax < 0},
		{"queueMax", o.QueueMax < 0},
		{"queueBytesMax", o.QueueBytesMax < 0},
		{"savesMax", o.SavesMax < 0},
		{"cacheOnlyBytesMax", o.CacheOnlyBytesMax < 0},
		{"unsavedMax", o.UnsavedMax < 0},
		{"headsPerLoadMax", o.HeadsPerLoadMax < 0},
	} {
		if f.bad {
			return fmt.Errorf("record.%s: out of range", f.key)
		}
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.Parses == nil {
		o.Parses = new(lazyjson.Counters)
	}
	o.LoadTimeout = cmp.Or(o.LoadTimeout, 2*time.Second)
	o.SaveTimeout = cmp.Or(o.SaveTimeout, 10*time.Second)
	o.SaveRetry = cmp.Or(o.SaveRetry, time.Second)
	o.RecordBytesMax = cmp.Or(o.RecordBytesMax, lazyjson.DocBytesMax)
	o.WritesPerRecordMax = cmp.Or(o.WritesPerRecordMax, 1024)
	o.QueueMax = cmp.Or(o.QueueMax, 1<<20)
	o.QueueBytesMax = cmp.Or(o.QueueBytesMax, 64<<20)
	o.SavesMax = cmp.Or(o.SavesMax, 1<<18)
	o.CacheOnlyBytesMax = cmp.Or(o.CacheOnlyBytesMax, 1<<30)
	o.UnsavedMax = cmp.Or(o.UnsavedMax, 1<<16)
	o.HeadsPerLoadMax = cmp.Or(o.HeadsPerLoadMax, 8192)
	return o
}
