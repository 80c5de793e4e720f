// Package stored knows users by records: auth type "storage". The record "<table>/<user name>" is a
// normal one,
//
//	{"username": "alice", "password": "…", "clientData": {"id": "<uuid>"}, "serverData": {"created": 1700000000000}}
//
// which clients with the right to may read and write like any other: rules must protect the table.
//
// # Invariants
//   - Two first logins at the same time make one user: who comes second is checked against the first.
//   - The password is checked by the Pool, and an unknown name costs what a known one does.
//   - A record that can't be understood lets nobody in.
//
// Cost: one read of the storage and the password check; a new user one write more. Stability: the
// record is stable, the Go API internal, may change. Source: spec/auth.md §5.
package stored

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tidwall/gjson"

	"deepstream-fast/auth"
	"deepstream-fast/auth/password"
)

// usernameBytesMax bounds a user name, which becomes part of a record's. A longer one is unknown.
const usernameBytesMax = 4 << 10

// Record is what is kept under a name.
type Record struct {
	Exists  bool
	Data    []byte // JSON text; the receiver owns it
	Version int32  // of a record that was deleted, too; -1: there never was one
}

// Users is where the records are. Its methods don't block, and call done once, on any goroutine,
// perhaps before they return.
type Users interface {
	Load(name string, done func(Record, error))
	// Create makes data version 1 of the record, unless somebody has changed it since found was
	// loaded. It owns data.
	Create(name string, found Record, data []byte, done func(created bool, err error))
}

// Options configures an Authenticator.
type Options struct {
	Users  Users
	Table  string // first part of the records' names
	Create bool   // whoever is unknown becomes a user
	Scheme password.Scheme
	Report bool // tell the client what was wrong, instead of leaving it to the next handler
	Pool   *auth.Pool
	Log    *slog.Logger
}

// Authenticator implements auth.Authenticator.
type Authenticator struct {
	// Set by New, then constant.
	opts    Options
	unknown *password.Hash // a decoy for who has no record
	report  *auth.Reporter
}

// New returns an Authenticator.
func New(o Options) (*Authenticator, error) {
	if err := o.Scheme.Validate(); err != nil {
		return nil, err
	}
	if o.Table == "" {
		return nil, errors.New("auth: the table of users has no name")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &Authenticator{opts: o, unknown: o.Scheme.Decoy(), report: auth.NewReporter(o.Log)}
	if o.Scheme.Digest == "" { // new users get Argon2id, whatever the old ones have
		a.unknown = password.ArgonDecoy()
	}
	return a, nil
}

// login is one attempt on its way.
type login struct {
	a    *Authenticator
	r    *auth.Request
	c    auth.Credentials
	name string // of the record
	done func(auth.Result)

	created bool // somebody else was quicker: no second try
}

// Authenticate implements auth.Authenticator.
func (a *Authenticator) Authenticate(r *auth.Request, done func(auth.Result)) {
	c := auth.CredentialsOf(r.Data)
	if !c.HasUsername || !c.HasPassword {
		done(a.refuse(auth.Refusal(missing(c))))
		return
	}
	l := &login{a: a, r: r, c: c, name: a.opts.Table + "/" + c.Username, done: done}
	if c.Username == "" || len(c.Username) > usernameBytesMax {
		l.unknown()
		return
	}
	a.opts.Users.Load(l.name, l.loaded)
}

// missing words what is missing as the official server does.
func missing(c auth.Credentials) string {
	word := func(there bool, name string) string {
		if there {
			return "false"
		}
		return name
	}
	return "missing authentication parameters: " + word(c.HasUsername, "username") + " " + word(c.HasPassword, "password")
}

// refuse returns result, or no opinion if refusals are not to be told.
func (a *Authenticator) refuse(result auth.Result) auth.Result {
	if !a.opts.Report {
		return auth.Unknown
	}
	return result
}

// loaded goes on with the record.
func (l *login) loaded(rec Record, err error) {
	switch {
	case err != nil:
		l.a.report.Warn("load", "a user's record can't be read", "error", err)
		l.done(auth.Refusal("Error retrieving user from storage"))
	case rec.Exists:
		l.check(rec.Data)
	case l.a.opts.Create && !l.created && l.c.Password != "":
		l.register(rec)
	default:
		l.unknown()
	}
}

// unknown does for nobody the work that is done for a user.
func (l *login) unknown() {
	l.a.opts.Pool.Submit(l.r, func() auth.Result {
		l.a.unknown.Matches(l.c.Password)
		return auth.Unknown
	}, l.done)
}

// check compares the password with that of the record.
func (l *login) check(data []byte) {
	u, ok := l.a.parse(data)
	if !ok {
		l.a.report.Warn("record", "a user's record is not of the right form", "table", l.a.opts.Table)
	}
	judge := func() auth.Result {
		if !u.hash.Matches(l.c.Password) {
			return l.a.refuse(auth.Result{})
		}
		id := u.id
		if id == "" {
			id = l.c.Username
		}
		return auth.Result{Valid: true, ID: id, ClientData: u.clientData, ServerData: u.serverData}
	}
	if u.hash.Slow() {
		l.a.opts.Pool.Submit(l.r, judge, l.done)
		return
	}
	l.done(judge())
}

// user is what a record says.
type user struct {
	hash                   *password.Hash
	id                     string
	clientData, serverData []byte
}

// parse reads a record. One that is not a user's has a password that nothing matches.
func (a *Authenticator) parse(data []byte) (u user, ok bool) {
	u = user{hash: a.unknown}
	if !gjson.ValidBytes(data) {
		return u, false
	}
	doc := gjson.ParseBytes(data)
	secret := doc.Get("password")
	if !doc.IsObject() || secret.Type != gjson.String {
		return u, false
	}
	hash, err := a.opts.Scheme.Parse(secret.Str)
	u.hash, u.id = hash, doc.Get("clientData.id").String()
	u.clientData, u.serverData = rawOf(doc.Get("clientData")), rawOf(doc.Get("serverData"))
	return u, err == nil
}

func rawOf(v gjson.Result) []byte {
	if !v.Exists() {
		return auth.Null
	}
	return []byte(v.Raw)
}

// newUser is the record of a user who registers, in the official server's order of members.
type newUser struct {
	Username   string          `json:"username"`
	Password   string          `json:"password"`
	ClientData json.RawMessage `json:"clientData"`
	ServerData json.RawMessage `json:"serverData"`
}

// register makes a user of somebody unknown.
func (l *login) register(found Record) {
	var data []byte
	l.a.opts.Pool.Submit(l.r, func() auth.Result {
		stored, err := l.a.opts.Scheme.New(l.c.Password)
		if err != nil {
			return auth.Refusal("Error creating user")
		}
		id := newID()
		u := newUser{Username: l.c.Username, Password: stored,
			ClientData: fmt.Appendf(nil, `{"id":%q}`, id),
			ServerData: fmt.Appendf(nil, `{"created":%d}`, time.Now().UnixMilli())}
		if data, err = json.Marshal(&u); err != nil {
			return auth.Refusal("Error creating user")
		}
		return auth.Result{Valid: true, ID: id, ClientData: u.ClientData, ServerData: u.ServerData}
	}, func(result auth.Result) {
		if !result.Valid {
			l.done(result)
			return
		}
		l.a.opts.Users.Create(l.name, found, data, func(created bool, err error) { l.registered(result, created, err) })
	})
}

// registered ends a registration, or goes on with the record of who was quicker.
func (l *login) registered(result auth.Result, created bool, err error) {
	switch {
	case err != nil:
		l.a.report.Warn("create", "a user's record can't be written", "error", err)
		l.done(auth.Refusal("Error creating user"))
	case created:
		l.a.opts.Log.Info("new user "+result.ID, "event", "REGISTERING_USER")
		l.done(result)
	default:
		l.created = true
		l.a.opts.Users.Load(l.name, l.loaded)
	}
}

// newID returns a random UUID, version 4.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
