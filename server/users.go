package server

import (
	"errors"
	"sync/atomic"

	"deepstream-fast/auth/stored"
	"deepstream-fast/session"
	"deepstream-fast/store"
)

// userRecords lets package stored keep users in the storage, beside the homes of the records. It
// implements stored.Users.
type userRecords struct {
	store store.Store
	node  atomic.Pointer[session.Node] // told of new users; set before the first login
}

// Load implements stored.Users.
func (u *userRecords) Load(name string, done func(stored.Record, error)) {
	err := u.store.Get([]byte(name), func(r store.Record, err error) {
		done(stored.Record{Exists: r.State == store.StateLive, Data: r.Data, Version: r.Version}, err)
	})
	if err != nil {
		done(stored.Record{}, err)
	}
}

// Create implements stored.Users: the home of the record learns of it before done is called.
func (u *userRecords) Create(name string, found stored.Record, data []byte, done func(bool, error)) {
	w := store.Write{Name: []byte(name), Data: data, Version: 1, Check: true, Expect: found.Version}
	err := u.store.Submit([]store.Write{w}, func(outcomes []store.Outcome) {
		err := outcomes[0].Err
		if errors.Is(err, store.ErrConflict) {
			done(false, nil)
			return
		}
		if node := u.node.Load(); err == nil && node != nil {
			node.Refresh([]byte(name))
		}
		done(err == nil, err)
	})
	if err != nil {
		done(false, err)
	}
}
