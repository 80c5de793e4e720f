package stored

import (
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/tidwall/gjson"

	"deepstream-fast/auth"
	"deepstream-fast/auth/password"
)

// memory keeps users in a map, with the compare-and-set of a store.
type memory struct {
	mu      sync.Mutex
	records map[string]Record
	fail    error
	loaded  func() // called after each load, before done
}

func newMemory() *memory { return &memory{records: map[string]Record{}} }

func (m *memory) get(name string) Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.records[name]
	if !ok {
		r.Version = -1
	}
	return r
}

func (m *memory) Load(name string, done func(Record, error)) {
	r := m.get(name)
	go func() { // ends with done
		if m.loaded != nil {
			m.loaded()
		}
		done(r, m.fail)
	}()
}

func (m *memory) Create(name string, found Record, data []byte, done func(bool, error)) {
	m.mu.Lock()
	current, ok := m.records[name]
	if !ok {
		current.Version = -1
	}
	created := m.fail == nil && current.Version == found.Version && !current.Exists
	if created {
		m.records[name] = Record{Exists: true, Data: data, Version: 1}
	}
	m.mu.Unlock()
	go done(created, m.fail) // ends with done
}

// fast is a scheme that costs little.
var fast = password.Scheme{Digest: "sha256", Iterations: 10, KeyLength: 20}

const secretHash = "gShhRC4OAd/qSWYTWEevbVBfRNQ=c2FsdHNhbHQ=" // of "secret", spec/auth.md §4.3

func newAuthenticator(t *testing.T, o Options) *Authenticator {
	t.Helper()
	o.Pool = auth.NewPool(auth.PoolOptions{})
	t.Cleanup(o.Pool.Close)
	if o.Table == "" {
		o.Table = "Users"
	}
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func ask(a *Authenticator, data string) auth.Result {
	answer := make(chan auth.Result)
	go a.Authenticate(&auth.Request{Data: []byte(data)}, func(r auth.Result) { answer <- r }) // ends with the answer
	return <-answer
}

// words returns a result as one line.
func words(r auth.Result) string {
	switch {
	case r.Valid:
		return r.ID + " " + string(r.ClientData) + " " + string(r.ServerData)
	case r.Unknown:
		return "nothing"
	}
	return "invalid " + string(r.ClientData)
}

func TestDecisions(t *testing.T) {
	m := newMemory()
	for name, data := range map[string]string{
		"alice":  `{"username":"alice","password":"` + secretHash + `","clientData":{"id":"42","x":1},"serverData":{"role":"admin"}}`,
		"bob":    `{"password":"` + secretHash + `"}`,
		"argon":  `{"password":"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4","clientData":{"id":"a"}}`,
		"list":   `["secret"]`,
		"number": `{"password":7}`,
		"text":   `"secret"`,
		"broken": `{"password":"sec`,
		"short":  `{"password":"secret"}`,
	} {
		m.records["Users/"+name] = Record{Exists: true, Data: []byte(data), Version: 3}
	}
	m.records["Users/gone"] = Record{Version: 9}
	var complaints strings.Builder
	reporting := newAuthenticator(t, Options{Users: m, Scheme: fast, Report: true, Log: slog.New(slog.NewTextHandler(&complaints, nil))})
	silent := newAuthenticator(t, Options{Users: m, Scheme: fast})
	for _, tt := range []struct{ data, reported, silent string }{
		{`{"username":"alice","password":"secret"}`, `42 {"id":"42","x":1} {"role":"admin"}`, ""},
		{`{"username":"bob","password":"secret"}`, `bob null null`, ""},
		{`{"username":"argon","password":"password"}`, `a {"id":"a"} null`, ""},
		{`{"username":"alice","password":"Secret"}`, "invalid ", "nothing"},
		{`{"username":"nobody","password":"secret"}`, "nothing", "nothing"},
		{`{"username":"gone","password":"secret"}`, "nothing", "nothing"},
		{`{"username":"","password":"secret"}`, "nothing", "nothing"},
		{`{"username":"` + strings.Repeat("x", usernameBytesMax+1) + `","password":"secret"}`, "nothing", "nothing"},
		{`{"username":"list","password":"secret"}`, "invalid ", "nothing"},
		{`{"username":"number","password":"7"}`, "invalid ", "nothing"},
		{`{"username":"text","password":"secret"}`, "invalid ", "nothing"},
		{`{"username":"broken","password":"sec"}`, "invalid ", "nothing"},
		{`{"username":"short","password":"secret"}`, "invalid ", "nothing"},
		{`{"username":"alice"}`, `invalid {"error":"missing authentication parameters: false password"}`, "nothing"},
		{`{"password":"x"}`, `invalid {"error":"missing authentication parameters: username false"}`, "nothing"},
		{`{}`, `invalid {"error":"missing authentication parameters: username password"}`, "nothing"},
	} {
		if tt.silent == "" {
			tt.silent = tt.reported
		}
		if got := words(ask(reporting, tt.data)); got != tt.reported {
			t.Errorf("%.60s: %q, want %q", tt.data, got, tt.reported)
		}
		if got := words(ask(silent, tt.data)); got != tt.silent {
			t.Errorf("%.60s without reports: %q, want %q", tt.data, got, tt.silent)
		}
	}
	if got := complaints.String(); !strings.Contains(got, "not of the right form") || strings.Contains(got, "sec") {
		t.Errorf("logged %q", got)
	}
}

func TestFailingStorage(t *testing.T) {
	m := newMemory()
	m.fail = errors.New("disk on fire")
	for _, report := range []bool{true, false} {
		a := newAuthenticator(t, Options{Users: m, Scheme: fast, Create: true, Report: report})
		if got := words(ask(a, `{"username":"a","password":"b"}`)); got != `invalid {"error":"Error retrieving user from storage"}` {
			t.Errorf("got %q", got)
		}
	}
	m = newMemory()
	a := newAuthenticator(t, Options{Users: brokenWrites{m}, Scheme: fast, Create: true})
	if got := words(ask(a, `{"username":"a","password":"b"}`)); got != `invalid {"error":"Error creating user"}` {
		t.Errorf("got %q", got)
	}
}

// brokenWrites is a storage that can be read.
type brokenWrites struct{ *memory }

func (brokenWrites) Create(_ string, _ Record, _ []byte, done func(bool, error)) {
	done(false, errors.New("read-only"))
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestCreateUser(t *testing.T) {
	for name, scheme := range map[string]password.Scheme{"official": fast, "argon2id": {}} {
		m := newMemory()
		m.records["Users/again"] = Record{Version: 7} // deleted
		a := newAuthenticator(t, Options{Users: m, Scheme: scheme, Create: true, Report: true})
		for _, user := range []string{"new", "again"} {
			login := `{"username":"` + user + `","password":"secret"}`
			first := ask(a, login)
			doc := gjson.ParseBytes(m.get("Users/" + user).Data)
			if !first.Valid || !uuid.MatchString(first.ID) || doc.Get("clientData.id").Str != first.ID || doc.Get("username").Str != user ||
				doc.Get("serverData.created").Num < 1.6e12 || string(first.ClientData) != doc.Get("clientData").Raw || string(first.ServerData) != doc.Get("serverData").Raw {
				t.Errorf("%s, %s: %s, record %s", name, user, words(first), doc)
			}
			if stored := doc.Get("password").Str; stored == "" || strings.Contains(stored, "secret") || password.IsArgon(stored) != (name == "argon2id") {
				t.Errorf("%s: stored %q", name, stored)
			}
			if again := ask(a, login); words(again) != words(first) {
				t.Errorf("%s: %s, then %s", name, words(first), words(again))
			}
			if wrong := ask(a, `{"username":"`+user+`","password":"Secret"}`); words(wrong) != "invalid " {
				t.Errorf("%s: a wrong password: %s", name, words(wrong))
			}
		}
		if empty := ask(a, `{"username":"careless","password":""}`); !empty.Unknown || m.get("Users/careless").Exists {
			t.Errorf("%s: an empty password: %s", name, words(empty))
		}
	}
}

// Two first logins at the same moment: one creates the user, the other is checked against that.
func TestCreateUserOnce(t *testing.T) {
	for _, tt := range []struct{ second, want string }{{"secret", "same"}, {"other", "invalid "}} {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory()
			var both sync.WaitGroup
			both.Add(2)
			m.loaded = func() { both.Done(); both.Wait() } // neither goes on before both have found nothing
			pool := auth.NewPool(auth.PoolOptions{Workers: 2})
			a, err := New(Options{Users: &once{memory: m}, Table: "Users", Scheme: fast, Create: true, Report: true, Pool: pool})
			if err != nil {
				t.Fatal(err)
			}
			answers := make(chan auth.Result, 2)
			for _, secret := range []string{"secret", tt.second} {
				a.Authenticate(&auth.Request{Data: []byte(`{"username":"a","password":"` + secret + `"}`)}, func(r auth.Result) { answers <- r })
			}
			x, y := <-answers, <-answers
			if !x.Valid {
				x, y = y, x
			}
			got := words(y)
			if got == words(x) {
				got = "same"
			}
			if !x.Valid || got != tt.want {
				t.Errorf("%s and %s, want %s", words(x), words(y), tt.want)
			}
			pool.Close()
		})
	}
}

// once lets the meeting of the first two loads happen only for these.
type once struct {
	*memory
	mu    sync.Mutex
	loads int
}

func (o *once) Load(name string, done func(Record, error)) {
	o.mu.Lock()
	o.loads++
	meet := o.loads <= 2
	o.mu.Unlock()
	r := o.get(name)
	go func() { // ends with done
		if meet {
			o.loaded()
		}
		done(r, nil)
	}()
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("a table without a name is accepted")
	}
	if _, err := New(Options{Table: "t", Scheme: password.Scheme{Digest: "x"}}); err == nil {
		t.Error("an unknown digest is accepted")
	}
}
