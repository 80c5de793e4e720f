package httpapi

import "sync/atomic"

// Refusal is why a request was not carried out.
type Refusal uint8

// The refusals.
const (
	RefusedNotReady   Refusal = iota // the server starts or stops: 503
	RefusedBusy                      // RequestsMax, or the node's limit: 503
	RefusedMemory                    // MemoryBytesMax: 503
	RefusedOrigin                    // origin or host: 403
	RefusedMethod                    // 405
	RefusedNotFound                  // no such path: 404
	RefusedMediaType                 // 415
	RefusedBody                      // too large, too slow, or no JSON: 400
	RefusedMessage                   // no command, or an invalid one: 400
	RefusedLogin                     // wrong credentials: 401
	RefusedLoginLate                 // the authentication took too long: 503
	RefusedPermission                // a read by GET was denied: 403
	RefusedUpgrade                   // a WebSocket on a connection that was used for requests: it is closed
	RefusedRate                      // MessageBurst and MessageInterval: 429
	Refusals                         // their number
)

var refusalNames = [Refusals]string{
	"not_ready", "busy", "memory", "origin", "method", "not_found", "media_type", "body", "message", "login", "login_late", "permission", "upgrade", "rate",
}

// String returns a short name, for metrics.
func (r Refusal) String() string {
	if r < Refusals {
		return refusalNames[r]
	}
	return "unknown"
}

type counters struct {
	classes  [6]atomic.Uint64
	refused  [Refusals]atomic.Uint64
	commands atomic.Uint64
	timeouts atomic.Uint64
	logins   atomic.Uint64
	declined atomic.Uint64
	panics   atomic.Uint64
	running  atomic.Int64
	inFlight atomic.Int64
	memory   atomic.Int64
}

// Stats are sums since the start, and what is there now.
type Stats struct {
	Classes  [6]uint64 // answers by the first digit of their status
	Refused  [Refusals]uint64
	Commands uint64 // carried out
	Timeouts uint64 // commands without an answer in time
	Logins   uint64 // successful, on the path for logins
	Declined uint64 // refused there
	Panics   uint64
	InFlight int   // requests being served
	Running  int   // of these, with commands being carried out
	Memory   int64 // bytes of bodies, commands and answers
}

// Stats returns the current numbers.
func (s *Server) Stats() Stats {
	c := &s.stats
	st := Stats{
		Commands: c.commands.Load(), Timeouts: c.timeouts.Load(), Logins: c.logins.Load(), Declined: c.declined.Load(), Panics: c.panics.Load(),
		InFlight: int(c.inFlight.Load()), Running: int(c.running.Load()), Memory: c.memory.Load(),
	}
	for i := range st.Classes {
		st.Classes[i] = c.classes[i].Load()
	}
	for i := range st.Refused {
		st.Refused[i] = c.refused[i].Load()
	}
	return st
}
