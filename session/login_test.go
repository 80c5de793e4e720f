package session

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"deepstream-fast/auth"
)

// elsewhereAuth lets everybody in, from a goroutine that races with the return of Authenticate.
type elsewhereAuth struct{}

func (elsewhereAuth) Authenticate(r *auth.Request, done func(auth.Result)) {
	id := r.Header("x-test")
	go done(auth.Result{Valid: true, ID: id}) // ends at once: done does not wait
}

// A judgement may come from any goroutine at any moment; none may be lost. Under the race detector
// this also proves that the two sides meet under a lock. The header of the handshake is there, long
// after its bytes have left the read buffer.
func TestLoginJudgedOnAnotherGoroutine(t *testing.T) {
	o := defaults(2)
	o.session.Auth = elsewhereAuth{}
	r := startRig(t, o)
	for i := range 50 {
		name := fmt.Sprint("c", i)
		r.connect(name)
		if err := r.client(name).Send("CONNECTION CHALLENGE", "AUTH REQUEST data=`{}`"); err != nil {
			t.Fatal(err)
		}
		lines, err := r.client(name).Await("AUTH")
		if got := strings.Join(lines, ", "); err != nil || got != "CONNECTION ACCEPT, AUTH AUTH_SUCCESSFUL" {
			t.Fatalf("login %d: %s, %v", i, got, err)
		}
	}
	r.fence()
	users := 0
	for _, h := range r.holdings() {
		users += h.Users
	}
	if users != 1 {
		t.Fatalf("%d users online, want the one that the header names", users)
	}
}

// Presence sends user ids to everybody who asks, so that their size is bounded.
func TestOverlongUserIDIsRefused(t *testing.T) {
	r := startRig(t, defaults(1))
	r.connect("a")
	for _, tt := range []struct {
		bytes int
		want  string
	}{
		{userIDBytesMax + 1, "a <- AUTH AUTH_UNSUCCESSFUL"},
		{userIDBytesMax, "a <- AUTH AUTH_SUCCESSFUL"},
	} {
		r.send("a", "CONNECTION CHALLENGE") // of no effect the second time
		r.fence()
		r.send("a", fmt.Sprintf("AUTH REQUEST data=`{%q:%q}`", "username", strings.Repeat("u", tt.bytes)))
		if got := strings.Join(r.fence(), ", "); got != tt.want {
			t.Errorf("an id of %d bytes: got %q, want %q", tt.bytes, got, tt.want)
		}
	}
}

// A session ends when it has to: at once if its credentials are over already, and piece by piece if it
// lasts longer than a timer may.
func TestSessionsExpire(t *testing.T) {
	o := defaults(1)
	o.session.Auth = &scriptedAuth{}
	o.node = func(n *Node) { n.expirySpanMax = time.Millisecond }
	r := startRig(t, o)
	for i, lasts := range []time.Duration{-time.Hour, 300 * time.Millisecond} {
		name := fmt.Sprint("c", i)
		r.connect(name)
		began := time.Now()
		r.send(name, "CONNECTION CHALLENGE", fmt.Sprintf("AUTH REQUEST data=`{%q:%q}`", "lasts", lasts))
		lines, err := r.client(name).AwaitClose()
		if got := strings.Join(lines, ", "); err != nil || got != "CONNECTION ACCEPT, AUTH AUTH_SUCCESSFUL, closed 1008 session expired" {
			t.Fatalf("%v: got %s, %v", lasts, got, err)
		}
		if lasted := time.Since(began); lasted < lasts {
			t.Errorf("%v: ended after %v", lasts, lasted)
		}
		if n := r.node.Stats().Expired; n != uint64(i+1) {
			t.Errorf("%d sessions expired", n)
		}
	}
}

// pendingAuth keeps attempts without ever judging them.
type pendingAuth chan *auth.Request

func (p pendingAuth) Authenticate(r *auth.Request, _ func(auth.Result)) { p <- r }

// Work for a client that has gone need not be done: whoever judges can ask.
func TestAttemptsOfClosedConnectionsAreAbandoned(t *testing.T) {
	o, pending := defaults(1), make(pendingAuth, 1)
	o.session.Auth = pending
	r := startRig(t, o)
	r.connect("a")
	r.send("a", "CONNECTION CHALLENGE", "AUTH REQUEST data=`{}`")
	q := <-pending
	if q.Abandoned() {
		t.Error("abandoned while the connection is open")
	}
	names := 0
	for range q.Headers {
		names++
	}
	if names == 0 || q.RemoteAddr == "" {
		t.Errorf("%d header fields, address %q", names, q.RemoteAddr)
	}
	r.close("a")
	r.settle()
	if !q.Abandoned() {
		t.Error("not abandoned when the connection has gone")
	}
}
