// Package auth answers the question "who is this?" for one login attempt. Each way of knowing is an
// Authenticator; session asks one at a time per connection and counts the failures. Open lets
// everybody in; the others are packages below this one: file (a table of users), stored (users as
// records), webhook and jwt. A Chain asks several in order, a Swappable can be given another one
// while clients log in, and a Pool is where everything that takes time happens.
//
// # Invariants
//   - done is called exactly once per attempt, on any goroutine.
//   - An Authenticator called on a loop never blocks there: work that takes time is moved elsewhere
//     by the Authenticator itself, bounded in number.
//   - Whoever can't tell refuses: no error, overflow or panic ever lets somebody in.
//   - ServerData never leaves the server, credentials are never logged.
//
// Cost: Open answers at once. What the others cost is in their packages; a Pool bounds how much of it
// happens at a time. Stability: internal, may change.
package auth

import (
	"encoding/json"
	"iter"
	"sync/atomic"
	"time"

	"github.com/tidwall/gjson"
)

// The two ids of somebody without a name. Both spellings are the official server's and differ in
// effect: presence announces the first and never counts the second.
const (
	IDOpen      = "open" // type none, no user name given
	IDAnonymous = "OPEN" // any other type that lets in without an id
)

// DataBytesMax bounds the credentials of one attempt, because many attempts may wait at a time. A
// token with hundreds of claims has a tenth of it.
const DataBytesMax = 64 << 10

// Request is one login attempt. Its bytes are valid until done was called. It must not be copied.
type Request struct {
	RemoteAddr string
	Header     func(name string) string  // request header of the handshake, lower-case name; "" if absent; nil: none
	Headers    iter.Seq2[string, string] // all of them, names in lower case; nil: none
	URL        string                    // of a request to the HTTP API; empty elsewhere
	Data       []byte                    // credentials: a valid JSON object

	abandoned atomic.Bool
}

// Abandon says that nobody waits for the judgement any more: work not begun need not be done. done is
// called all the same. Safe for concurrent use.
func (r *Request) Abandon() { r.abandoned.Store(true) }

// Abandoned reports whether Abandon was called. Safe for concurrent use.
func (r *Request) Abandoned() bool { return r.abandoned.Load() }

// HeaderValue returns a request header of the handshake by its lower-case name, "" if there is none.
func (r *Request) HeaderValue(name string) string {
	if r.Header == nil {
		return ""
	}
	return r.Header(name)
}

// Result is the judgement of an attempt. The zero value is a refusal without data.
type Result struct {
	Valid   bool
	Unknown bool // not Valid, and no opinion either: the next Authenticator may know better

	ID         string    // empty: IDAnonymous
	ClientData []byte    // JSON text for the client, success or not; nil: none
	ServerData []byte    // JSON text for permission rules; nil: none
	Token      []byte    // JSON text that a login over the HTTP API is answered with; nil: none
	Expires    time.Time // the session ends then; zero: never
}

// Unknown is the answer of an Authenticator that has none.
var Unknown = Result{Unknown: true}

// Null is the JSON text that the official server has for data that a user does not have.
var Null = []byte("null")

// Refusal returns a refusal that tells the client why: clientData is {"error": reason}.
func Refusal(reason string) Result {
	data, err := json.Marshal(map[string]string{"error": reason})
	if err != nil { // a map of texts always has a JSON form
		return Result{}
	}
	return Result{ClientData: data}
}

// Authenticator judges login attempts. Implementations are safe for concurrent use.
type Authenticator interface {
	// Authenticate calls done once with its judgement, before it returns or later.
	Authenticate(r *Request, done func(Result))
}

// Open lets everybody in under the name they give: auth type "none".
type Open struct {
	AnonymousID string // if set, everybody's id, whatever name they give
}

// Authenticate implements Authenticator. The id is credentials.username as JavaScript turns it into
// text if it is truthy there, else IDOpen.
func (o Open) Authenticate(r *Request, done func(Result)) {
	if o.AnonymousID != "" {
		done(Result{Valid: true, ID: o.AnonymousID})
		return
	}
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

// Credentials are the user name and password of an attempt.
type Credentials struct {
	Username, Password       string
	HasUsername, HasPassword bool // they are there, and texts
}

// CredentialsOf reads them from the data of an attempt.
func CredentialsOf(data []byte) Credentials {
	var c Credentials
	name, secret := gjson.GetBytes(data, "username"), gjson.GetBytes(data, "password")
	c.HasUsername, c.HasPassword = name.Type == gjson.String, secret.Type == gjson.String
	if c.HasUsername {
		c.Username = name.Str
	}
	if c.HasPassword {
		c.Password = secret.Str
	}
	return c
}
