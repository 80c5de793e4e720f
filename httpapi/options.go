package httpapi

import (
	"cmp"
	"log/slog"
	"net"
	"net/http"
	"time"

	"deepstream-fast/auth"
	"deepstream-fast/session"
)

// Options configures a Server. Zero values stand for the documented defaults.
type Options struct {
	Addr    net.Addr           // that connections come in on, for the logs of net/http
	Node    *session.Node      // carries commands out; needed with API
	Auth    auth.Authenticator // needed with API
	API     *API               // nil: nothing but Mounts is served
	Mounts  []Mount            // asked before API
	Origins Origins
	Ready   func() bool // false: every request is answered with 503; nil: always true

	BodyBytesMax   int   // one body, inflated; 0: 1 MiB
	AnswerBytesMax int   // answers to the commands of one request; 0: 32 MiB
	MemoryBytesMax int64 // bodies, commands and answers of all requests; 0: 128 MiB
	RequestsMax    int   // requests with commands at a time; 0: 1024

	HeadTimeout time.Duration // a request head must be complete by then; 0: 5 s
	BodyTimeout time.Duration // and its body; 0: 30 s
	IdleTimeout time.Duration // a connection may wait for its next request so long; 0: 60 s

	Now func() time.Time // for MessageInterval; nil: time.Now
	Log *slog.Logger
}

// API configures commands, logins and reads.
type API struct {
	AuthPath           string        // of logins; empty: none
	PostPath           string        // of commands
	GetPath            string        // below which records are read
	AllowAuthData      bool          // commands may bring credentials, not only a token
	LogInvalidAuthData bool          // write refused credentials into the log
	RequestTimeout     time.Duration // of carrying commands out, and of a login; 0: 20 s
	CommandsMax        int           // of one request; 0: as many as its body holds

	// Of one connection: commands and reads, not logins. Requests beyond are refused with 429.
	MessageBurst    int           // messages that may come at once; 0: no limit
	MessageInterval time.Duration // in which another one may come
}

// Mount is a Handler for GET and HEAD of a path, or anything below it.
type Mount struct {
	Path    string
	Handler http.Handler
}

func (o Options) withDefaults() Options {
	o.BodyBytesMax = cmp.Or(o.BodyBytesMax, 1<<20)
	o.AnswerBytesMax = cmp.Or(o.AnswerBytesMax, 32<<20)
	o.MemoryBytesMax = cmp.Or(o.MemoryBytesMax, 128<<20)
	o.RequestsMax = cmp.Or(o.RequestsMax, 1024)
	o.HeadTimeout = cmp.Or(o.HeadTimeout, 5*time.Second)
	o.BodyTimeout = cmp.Or(o.BodyTimeout, 30*time.Second)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, 60*time.Second)
	if o.API != nil {
		api := *o.API
		api.RequestTimeout = cmp.Or(api.RequestTimeout, 20*time.Second)
		o.API = &api
	}
	if o.Ready == nil {
		o.Ready = func() bool { return true }
	}
	if o.Addr == nil {
		o.Addr = &net.TCPAddr{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// longest returns how long a request may take, from its head to the last byte of an ordinary answer.
func (o *Options) longest() time.Duration {
	d := o.HeadTimeout + o.BodyTimeout + writeGrace
	if o.API != nil {
		d += 2 * o.API.RequestTimeout // a login and the commands
	}
	return d
}
