package session

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"deepstream-fast/auth"
	"deepstream-fast/listen"
	"deepstream-fast/permission"
	"deepstream-fast/record"
	"deepstream-fast/record/cache"
	"deepstream-fast/rpc"
	"deepstream-fast/store"
)

// Options configures a Node. Zero values stand for the documented defaults.
type Options struct {
	Loops int // the engine's number of loops

	UnauthenticatedTimeout time.Duration // a connection must have logged in by then; negative: never mind
	AuthAttemptsMax        int           // failed logins until the connection is closed; 0: 3
	LogInvalidAuthData     bool          // write refused credentials into the log

	MessageBytesMax int // one message without a names list; 0: 1 MiB
	BulkNamesMax    int // names of one message; 0: 1,000,000

	// Limits of one connection; 0: none. What is beyond is denied, and counted.
	SubscriptionsMax int           // of all topics
	CallsMax         int           // RPCs that wait for their answers
	MessageBurst     int           // messages that may come at once
	MessageInterval  time.Duration // in which another one may come

	Events, RPC, Presence, Records bool // topics switched on

	RequestsMax int // requests without a connection at a time, see Do; 0: 4096

	ProvideRequestorName bool // tell RPC providers who asked
	ProvideRequestorData bool // and hand them the requestor's clientData

	HideAnonymous   bool // presence does not announce "open"
	PatternBytesMax int  // listen pattern length; 0: 1024
	Listen          listen.Options
	Calls           rpc.Options
	Record          record.Options     // of each home; what is 0 is that home's share of the node's limits
	CacheBytesMax   int64              // for records, all homes; 0: 256 MiB
	Store           store.Store        // nil: records live as long as the process, and never outgrow the cache
	Auth            auth.Authenticator // nil: auth.Open
	Permission      permission.Checker // nil: permission.None
	Log             *slog.Logger
}

// Validate returns an error that names the first option out of range.
func (o Options) Validate() error {
	if o.Loops < 1 {
		return errors.New("session: Loops must be at least 1")
	}
	if o.AuthAttemptsMax < 0 || o.MessageBytesMax < 0 || o.BulkNamesMax < 0 || o.PatternBytesMax < 0 ||
		o.SubscriptionsMax < 0 || o.CallsMax < 0 || o.MessageInterval < 0 || o.MessageBurst < 0 {
		return errors.New("session: limits must not be negative")
	}
	if o.CacheBytesMax < 0 || o.CacheBytesMax > cache.BytesMaxLimit {
		return fmt.Errorf("cache.options.maxBytes: %d is not between 0 and %d", o.CacheBytesMax, int64(cache.BytesMaxLimit))
	}
	return errors.Join(o.Calls.Validate(), o.Record.Validate())
}

func (o Options) withDefaults() Options {
	o.UnauthenticatedTimeout = cmp.Or(o.UnauthenticatedTimeout, 180*time.Second)
	o.AuthAttemptsMax = cmp.Or(o.AuthAttemptsMax, 3)
	o.MessageBytesMax = cmp.Or(o.MessageBytesMax, 1<<20)
	o.BulkNamesMax = cmp.Or(o.BulkNamesMax, 1_000_000)
	o.PatternBytesMax = cmp.Or(o.PatternBytesMax, 1024)
	o.RequestsMax = cmp.Or(o.RequestsMax, 4096)
	o.CacheBytesMax = cmp.Or(o.CacheBytesMax, cache.BytesMaxDefault)
	if o.Auth == nil {
		o.Auth = auth.Open{}
	}
	if o.Permission == nil {
		o.Permission = permission.None{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}
