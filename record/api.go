package record

import (
	"time"

	"deepstream-fast/protocol"
	"deepstream-fast/record/cache"
)

// Kinds of timers, passed to Out.StartTimer and back to Fired. They are below TimerKinds.
const (
	timerLoads uint8 = iota // the oldest load may be overdue
	timerSaves              // the oldest save may be overdue
	timerRetry              // a failed save may be tried again
	TimerKinds
)

// Out carries out what a Home decides. No method calls back into the Home, and each copies what it
// keeps: names, messages and data die on return. Send, Broadcast, DropSubscribers and Unsubscribe
// reach any one loop in the order of the calls.
type Out interface {
	// Send delivers m to a connection; one that is gone is no error.
	Send(to protocol.ConnID, m *protocol.Message)
	// Broadcast publishes m to every subscriber of name but one. full is the whole new document if m
	// is a PATCH_MULTI, for clients that do not know the action, else nil.
	Broadcast(name []byte, except protocol.ConnID, m *protocol.Message, full []byte)
	// DropSubscribers ends all subscriptions to name that exist now, without a message, but for those of
	// the connections in spared: they have asked for the name again and are going to be answered.
	DropSubscribers(name []byte, spared []protocol.ConnID)
	// Unsubscribe ends a subscription whose request failed.
	Unsubscribe(conn protocol.ConnID, name []byte)
	// HasSubscribers reports whether any loop has subscribers of name.
	HasSubscribers(name []byte) bool

	// Load asks the store for a record; the answer comes by Loaded. LoadHeads asks for the versions of
	// names, answered by HeadsLoaded in their order. Save keeps s, answered by Saved; saves of one name
	// take effect in the order of the calls. False means that the store takes no more: nothing will come.
	Load(name []byte, token uint64) bool
	LoadHeads(names [][]byte, token uint64) bool
	Save(s *Save, token uint64) bool

	// NotifyDone says that all names of the Notify with this token were seen to.
	NotifyDone(token uint64)

	// StartTimer arranges for Fired(kind) once, after the given time. There is at most one timer of a
	// kind, and none is ever stopped.
	StartTimer(after time.Duration, kind uint8)
}

// Cache holds what a Home knows. *cache.Cache is one; names are copied, and a view returned by Get is
// valid until the next call of another method.
type Cache interface {
	// Get returns what is known: a record, or with Exists false that there is none. ok is false if
	// nothing is known.
	Get(name []byte) (e cache.Entry, ok bool)
	// Put notes a record, PutAbsent that there is none. Either may evict other entries that are not
	// pinned, not this one, and keeps its pins.
	Put(name []byte, version int32, data []byte)
	PutAbsent(name []byte)
	// Pin exempts an entry from eviction until Unpin. Pins are counted.
	Pin(name []byte)
	Unpin(name []byte)
	// Remove forgets an entry that is not pinned.
	Remove(name []byte)
}

// Judge decides what a permission rule can only say with the record at hand. old is nil if there is no
// record, next what the record would become, nil unless the request writes. It returns 0 to allow, else
// the action that answers: MESSAGE_DENIED or MESSAGE_PERMISSION_ERROR. It runs on the home loop, keeps
// nothing, and does not call the Home. A nil Judge allows.
type Judge func(old, next []byte) protocol.Action

// Request is a READ, HEAD or DELETE of one name.
type Request struct {
	From          protocol.ConnID
	Name          []byte
	CorrelationID []byte // for a denial; nil if absent
	Judge         Judge
	Refused       func() // called when Judge or Create has refused the request; nil: nobody wants to know
}

// Subscribe is one name of a SUBSCRIBECREATEANDREAD or SUBSCRIBEANDREAD. The connection is subscribed
// already.
type Subscribe struct {
	Request
	Action protocol.Action
	Fresh  bool            // this request subscribed it: undo that if it fails
	Create protocol.Action // 0: may create the record; else what answers if it is missing
}

// Write is an UPDATE, PATCH, ERASE, PATCH_MULTI, CREATEANDUPDATE or CREATEANDPATCH.
type Write struct {
	Request
	Action     protocol.Action // as sent; what it means is the Home's business
	Version    int32
	HasVersion bool
	WantsAck   bool
	Path       []byte          // nil if absent
	Data       []byte          // nil if absent
	Create     protocol.Action // as in Subscribe

	checked validity
}

// Save is what the store shall keep: a record, or the tombstone of one.
type Save struct {
	Name    []byte
	Version int32
	Data    []byte // nil if Deleted
	Deleted bool
}

// Loaded is what the store said about a record. Data is not kept.
type Loaded struct {
	Exists  bool // false for a tombstone as well
	Version int32
	Data    []byte
	Err     error // then the rest means nothing
}

// Snapshot is a record as Inspect shows it. Its Data dies when the callback returns.
type Snapshot struct {
	Version int32  // -1 if there is no record
	Data    []byte // nil if there is no record
	// Failed is 0, or RECORD_LOAD_ERROR or STORAGE_RETRIEVAL_TIMEOUT if nobody knows.
	Failed protocol.Action
}

// Stats are the current sizes of a Home, for monitoring and leak tests, and counts since the start.
type Stats struct {
	Transitions    int // names with something pending
	Queued         int // requests that wait
	QueuedBytes    int
	Loads, Saves   int // in flight, those given up included for saves
	Unsaved        int // records to be saved again
	CacheOnlyBytes int

	Refused  uint64 // requests over a limit
	Timeouts uint64 // loads and saves given up
	Lost     uint64 // failed saves that nobody tries again
}
