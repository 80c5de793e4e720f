// Package file knows users by a table: auth type "file". The table usually is a users.yml of the
// official server, which is read as it is.
//
// # Invariants
//   - A table is read once and never changes; a new one makes a new Users.
//   - Passwords are checked by the Pool, unless they are kept in clear text.
//   - A name that is not in the table costs what one in it costs.
//   - Only entries of the table are users: no name means anything by itself.
//
// Cost: the password check, one lookup. Stability: the table is stable, the Go API internal, may
// change. Source: spec/auth.md §4.
package file

import (
	"errors"
	"fmt"

	"deepstream-fast/auth"
	"deepstream-fast/auth/password"
)

// Options configures Users.
type Options struct {
	Table  Table
	Scheme password.Scheme // of the passwords that do not say it themselves
	Report bool            // tell the client what was wrong, instead of leaving it to the next handler
	Pool   *auth.Pool
}

// Users is a table to log in by. It implements auth.Authenticator.
type Users struct {
	// Set by New, then constant.
	pool    *auth.Pool
	report  bool
	users   map[string]user
	unknown *password.Hash // a decoy for who is not in the table
}

type user struct {
	hash                   *password.Hash
	clientData, serverData []byte
}

// ErrEmpty says that a table has no users.
var ErrEmpty = errors.New("auth: the users table is empty")

// New returns the Users of a table. Entries whose password nothing can match are users who can't log in.
func New(o Options) (*Users, error) {
	if err := o.Scheme.Validate(); err != nil {
		return nil, err
	}
	if len(o.Table) == 0 {
		return nil, ErrEmpty
	}
	u := &Users{pool: o.Pool, report: o.Report, users: make(map[string]user, len(o.Table)), unknown: o.Scheme.Decoy()}
	argon := 0
	for name, entry := range o.Table {
		hash, err := o.Scheme.Parse(entry.Password)
		if errors.Is(err, password.ErrArgon) {
			return nil, fmt.Errorf("auth: user %q: %w", name, err)
		}
		if password.IsArgon(entry.Password) {
			argon++
		}
		u.users[name] = user{hash, entry.ClientData, entry.ServerData}
	}
	if argon > len(o.Table)/2 { // an unknown user takes as long as most of the known ones
		u.unknown = password.ArgonDecoy()
	}
	return u, nil
}

// Len returns the number of users.
func (u *Users) Len() int { return len(u.users) }

// Authenticate implements auth.Authenticator.
func (u *Users) Authenticate(r *auth.Request, done func(auth.Result)) {
	c := auth.CredentialsOf(r.Data)
	if !c.HasUsername || !c.HasPassword {
		done(u.refuse(auth.Refusal("missing authentication parameter: username or/and password")))
		return
	}
	entry, known := u.users[c.Username]
	if !known {
		entry.hash = u.unknown
	}
	judge := func() auth.Result {
		switch matches := entry.hash.Matches(c.Password); {
		case !known:
			return auth.Unknown
		case !matches:
			return u.refuse(auth.Result{})
		}
		return auth.Result{Valid: true, ID: c.Username, ClientData: entry.clientData, ServerData: entry.serverData}
	}
	if entry.hash.Slow() {
		u.pool.Submit(r, judge, done)
		return
	}
	done(judge())
}

// refuse returns result, or no opinion if refusals are not to be told.
func (u *Users) refuse(result auth.Result) auth.Result {
	if !u.report {
		return auth.Unknown
	}
	return result
}
