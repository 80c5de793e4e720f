// Package auth answers the question "who is this?" for one login attempt. Each way of knowing is an
// Authenticator; session asks one at a time per connection and counts the failures.
//
// # Invariants
//   - done is called exactly once per attempt, on any goroutine.
//   - An Authenticator called on a loop never blocks there: work that takes time is moved elsewhere
//     by the Authenticator itself, bounded in number.
//   - ServerData never leaves the server, credentials are never logged.
//
// Stability: internal, may change.
package auth

import (
	"github.com/tidwall/gjson"
)

// The two ids of somebody without a name. Both spellings are the official server's and differ in
// effect: presence announces the first and never counts the second.
const (
	IDOpen      = "open" // type none, no user name given
	IDAnonymous = "OPEN" // any other type that lets in without an id
)

// Request is one login attempt. Its bytes are valid until done was called.
type Request struct {
	RemoteAddr string
	Header     func(name string) string // request header of the handshake, lower-case name; "" if absent
	Data       []byte                   // credentials: a valid JSON object
}

// Result is the judgement of an attempt.
type Result struct {
	Valid      bool
	ID         string // empty: IDAnonymous
	ClientData []byte // JSON text for the client, success or not; nil: none
	ServerData []byte // JSON text for permission rules; nil: none
	Token      []byte // JSON text that a login over the HTTP API is answered with; nil: none
}

// Authenticator judges login attempts. Implementations are safe for concurrent use.
type Authenticator interface {
	// Authenticate calls done once with its judgement, before it returns or later.
	Authenticate(r *Request, done func(Result))
}

// Open lets everybody in under the name they give: auth type "none".
type Open struct{}

// Authenticate implements Authenticator. The id is credentials.username as JavaScript turns it into
// text if it is truthy there, else IDOpen.
func (Open) Authenticate(r *Request, done func(Result)) {
	done(Result{Valid: true, ID: userName(gjson.GetBytes(r.Data, "username"))})
}

func userName(v gjson.Result) string {
	switch v.Type {
	case gjson.String:
		if v.Str != "" {
			return v.Str
		}
	case gjson.Number:
		if v.Num != 0 {
			return v.String()
		}
	case gjson.True:
		return "true"
	case gjson.JSON:
		if v.IsObject() {
			return "[object Object]"
		}
		return v.Raw
	}
	return IDOpen
}
