package session

import (
	"fmt"
	"strings"
	"testing"

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
