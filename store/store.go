package store

import (
	"errors"
	"fmt"
)

// Limits of one write and of one call. They are part of the format on disk and not configurable.
const (
	NameBytesMax   = 64 << 10 // bytes of a name, at least 1
	DataBytesMax   = 16 << 20 // bytes of a record's JSON
	SubmitBytesMax = 32 << 20 // Size of all writes of one Submit
	HeadBulkMax    = 1 << 20  // names of one HeadBulk
)

// What a Store answers besides errors of the world. Test with errors.Is.
var (
	ErrBusy     = errors.New("store: queue is full")
	ErrClosed   = errors.New("store: closed")
	ErrConflict = errors.New("store: version is not the expected one")
	ErrTooLarge = errors.New("store: over a size limit")
	ErrVersion  = errors.New("store: version is negative")
	ErrFull     = errors.New("store: memory limit reached")
	ErrReadOnly = errors.New("store: read-only until the disk takes writes again")
	ErrCorrupt  = errors.New("store: corrupt")
)

// Absent is the Head of a name the store knows nothing about.
var Absent = Head{Version: -1}

// State is what the store holds under a name.
type State uint8

// The states of a name. A record that was deleted is StateDeleted until its tombstone is collected.
const (
	StateAbsent State = iota
	StateLive
	StateDeleted
)

// Head is what the store knows of a record without its data. The Version of a tombstone is that of
// the deletion; of an absent name it is -1.
type Head struct {
	Version int32
	State   State
}

// Record is a Head with its data, which is nil unless the record is live. The receiver owns Data.
type Record struct {
	Head
	Data []byte
}

// Write is one change of one record. The store keeps Name and Data, without copying them, until
// done has been called: nobody may change them in the meantime.
type Write struct {
	Name    []byte
	Data    []byte // JSON text, not checked; ignored if Deleted
	Version int32  // of the record after this write, 0 or more
	Deleted bool   // leave a tombstone with Version

	// Check makes this a compare-and-set: it fails with ErrConflict unless the version of the name,
	// or of its tombstone, is Expect; -1 stands for a name the store knows nothing about.
	Check  bool
	Expect int32

	Token uint64 // the caller's, returned in the Outcome
}

// Size returns what w counts for in queues and limits: its bytes, the name twice, and a fixed part.
func (w *Write) Size() int { return 2*len(w.Name) + len(w.Data) + 64 }

// Expects reports whether w may be applied to a name that is at h.
func (w *Write) Expects(h Head) bool { return !w.Check || w.Expect == h.Version }

// Head returns the head of the record after w.
func (w *Write) Head() Head {
	if w.Deleted {
		return Head{Version: w.Version, State: StateDeleted}
	}
	return Head{Version: w.Version, State: StateLive}
}

// Outcome is the fate of one write. Err is nil as soon as the write is as durable as the store was
// configured to make it. After ErrConflict, Head says what the store holds instead.
type Outcome struct {
	Token uint64
	Err   error
	Head  Head
}

// Store keeps records. All methods but Close may be called from any goroutine and never wait for
// the disk. If one returns an error, nothing was accepted and done will not be called. Otherwise
// done is called exactly once, on a goroutine of the store: it must not block and must not call
// Close. Close may not be called twice.
type Store interface {
	// Submit queues writes, which it keeps until done has been called. They share one commit, in
	// order; one that fails its Check does not stop the others. The outcomes are in the order of
	// writes and die when done returns. All writes of one name come from one goroutine at a time,
	// or their order is undefined.
	Submit(writes []Write, done func([]Outcome)) error

	// Get reads a record, Head its version and state. name is kept until done has been called.
	Get(name []byte, done func(Record, error)) error
	Head(name []byte, done func(Head, error)) error

	// HeadBulk reads the heads of up to HeadBulkMax names, in the order of names, at one moment.
	// names is kept until done has been called; done owns the heads.
	HeadBulk(names [][]byte, done func([]Head, error)) error

	Stats() Stats

	// Close refuses what comes later, completes what was accepted, and waits for that.
	Close() error
}

// Validate returns nil if every Store must accept writes, else ErrTooLarge or ErrVersion with the
// reason, and the size of all writes.
func Validate(writes []Write) (size int, err error) {
	for i := range writes {
		w := &writes[i]
		if err := ValidateName(w.Name); err != nil {
			return 0, err
		}
		if len(w.Data) > DataBytesMax {
			return 0, fmt.Errorf("%w: data of %d bytes, at most %d", ErrTooLarge, len(w.Data), DataBytesMax)
		}
		if w.Version < 0 {
			return 0, fmt.Errorf("%w: %d", ErrVersion, w.Version)
		}
		size += w.Size()
	}
	if size > SubmitBytesMax {
		return 0, fmt.Errorf("%w: %d bytes in one submit, at most %d", ErrTooLarge, size, SubmitBytesMax)
	}
	return size, nil
}

// ValidateName returns nil if name is 1 to NameBytesMax bytes, else ErrTooLarge with the reason.
func ValidateName(name []byte) error {
	if len(name) == 0 || len(name) > NameBytesMax {
		return fmt.Errorf("%w: name of %d bytes, 1 to %d", ErrTooLarge, len(name), NameBytesMax)
	}
	return nil
}

// ValidateNames is ValidateName for the names of a HeadBulk, and limits how many there are.
func ValidateNames(names [][]byte) error {
	if len(names) > HeadBulkMax {
		return fmt.Errorf("%w: %d names, at most %d", ErrTooLarge, len(names), HeadBulkMax)
	}
	for _, name := range names {
		if err := ValidateName(name); err != nil {
			return err
		}
	}
	return nil
}
