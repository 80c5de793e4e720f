package session

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"deepstream-fast/auth"
	"deepstream-fast/internal/testkit"
	"deepstream-fast/permission"
)

// prefixRules is a Checker whose rules are in the names: those that begin with deny are denied, with
// fail can't be judged. The user "nobody" is denied whatever has no name.
type prefixRules struct{}

func (prefixRules) Check(q *permission.Question) permission.Answer {
	switch name := string(q.Name); {
	case strings.HasPrefix(name, "deny"), q.Name == nil && q.User.ID == "nobody":
		return permission.Deny
	case strings.HasPrefix(name, "fail"):
		return permission.Failed
	}
	return permission.Allow
}

// scriptedAuth is an Authenticator that does what the credentials say:
//
//	{"username": "u", "clientData": …, "serverData": …}  lets in
//	{"password": "wrong", "clientData": …}               refuses
//	{"wait": "key", …}                                   decides when verdict(key) is called
//	{"lasts": "100ms", …}                                lets in for so long
type scriptedAuth struct {
	mu      sync.Mutex // guards waiting
	waiting map[string]func()
	asked   int
}

func (a *scriptedAuth) Authenticate(r *auth.Request, done func(auth.Result)) {
	c := gjson.ParseBytes(r.Data)
	result := auth.Result{
		Valid: c.Get("password").Str != "wrong", ID: c.Get("username").Str,
		ClientData: rawOf(c.Get("clientData")), ServerData: rawOf(c.Get("serverData")),
	}
	if lasts := c.Get("lasts"); lasts.Exists() {
		result.Expires = time.Now().Add(testkit.Must(time.ParseDuration(lasts.Str)))
	}
	a.mu.Lock()
	a.asked++
	key := c.Get("wait").Str
	if key != "" {
		if a.waiting == nil {
			a.waiting = map[string]func(){}
		}
		a.waiting[key] = func() { done(result) }
	}
	a.mu.Unlock()
	if key == "" {
		done(result)
	}
}

func rawOf(v gjson.Result) []byte {
	if !v.Exists() {
		return nil
	}
	return []byte(v.Raw)
}

// verdict ends the wait of a login.
func (a *scriptedAuth) verdict(t testing.TB, key string) {
	t.Helper()
	a.mu.Lock()
	done, ok := a.waiting[key]
	delete(a.waiting, key)
	a.mu.Unlock()
	if !ok {
		t.Fatalf("no login waits under %q", key)
	}
	done()
}
