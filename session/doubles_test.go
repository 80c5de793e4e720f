package session

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"deepstream-fast/auth"
	"deepstream-fast/internal/testkit"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
	"deepstream-fast/store"
)

// prefixRules is an Inquirer whose rules are in the names. Those that begin
//
//	with deny   are denied
//	with fail   can't be judged
//	with ask    are allowed if the record "rights" has a true member of the name
//	with own    are allowed unless the record of that name has a member "locked"
//
// The user "nobody" is denied whatever has no name, everybody what is in denied, and "admin" nothing.
type prefixRules struct{ denied []string }

func (p prefixRules) Check(q *permission.Question) permission.Answer {
	switch name := string(q.Name); {
	case q.User.ID == "admin":
		return permission.Allow
	case strings.HasPrefix(name, "deny"), q.Name == nil && q.User.ID == "nobody", slices.Contains(p.denied, name):
		return permission.Deny
	case strings.HasPrefix(name, "fail"):
		return permission.Failed
	case strings.HasPrefix(name, "ask"), strings.HasPrefix(name, "own"):
		return permission.Pending
	}
	return permission.Allow
}

func (prefixRules) MayPend(protocol.Topic, protocol.Action) bool { return true }

func (prefixRules) Inquire(q *permission.Question) permission.Inquiry { return &prefixInquiry{q: q} }

// prefixInquiry is a decision of prefixRules that reads one record.
type prefixInquiry struct {
	q      *permission.Question
	answer permission.Answer
	loaded bool
}

func (i *prefixInquiry) Next() (permission.Answer, []string) {
	switch {
	case i.loaded:
		return i.answer, nil
	case strings.HasPrefix(string(i.q.Name), "own"):
		return permission.Pending, []string{string(i.q.Name)}
	}
	return permission.Pending, []string{"rights"}
}

func (i *prefixInquiry) Loaded(name string, data []byte, err error) {
	i.loaded = true
	switch {
	case err != nil:
		i.answer = permission.Failed
	case name == "rights" && gjson.GetBytes(data, string(i.q.Name)).Bool(), name != "rights" && !gjson.GetBytes(data, "locked").Exists():
		i.answer = permission.Allow
	}
}

// heldStore answers no Get before open is closed.
type heldStore struct {
	store.Store
	open chan struct{}
}

func (s *heldStore) Get(name []byte, done func(store.Record, error)) error {
	return s.Store.Get(name, func(r store.Record, err error) {
		go func() {
			<-s.open
			done(r, err)
		}()
	})
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
