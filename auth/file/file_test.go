package file

import (
	"errors"
	"strings"
	"testing"

	"deepstream-fast/auth"
	"deepstream-fast/auth/password"
)

var md5 = password.Scheme{Digest: "md5", Iterations: 100, KeyLength: 32}

// table has a user of each kind. Theirs are the vectors of spec/auth.md §4.3 and of the Argon2 reference.
var table = Table{
	"userA": {Password: "CKgFpPLJX1+FezZR8bMsP+8wQR+WG0z7AZYRy9nz5KY=DzI79/e3yJ0Y0UvNENMXaQ==",
		ClientData: []byte(`{"color":"red"}`), ServerData: []byte(`{"role":"admin"}`)},
	"argon":  {Password: "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", ClientData: auth.Null, ServerData: auth.Null},
	"broken": {Password: "password", ClientData: auth.Null, ServerData: auth.Null},
}

func newUsers(t *testing.T, o Options) *Users {
	t.Helper()
	o.Pool = auth.NewPool(auth.PoolOptions{})
	t.Cleanup(o.Pool.Close)
	u, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// ask returns what u says, in words.
func ask(u *Users, data string) string {
	answer := make(chan auth.Result)
	go u.Authenticate(&auth.Request{Data: []byte(data)}, func(r auth.Result) { answer <- r }) // ends with the answer
	r := <-answer
	switch {
	case r.Valid:
		return r.ID + " " + string(r.ClientData) + " " + string(r.ServerData)
	case r.Unknown:
		return "nothing"
	}
	return "invalid " + string(r.ClientData)
}

const missing = `invalid {"error":"missing authentication parameter: username or/and password"}`

// The decisions of spec/auth.md §4.4, and those of §2 when refusals are left to others.
func TestDecisions(t *testing.T) {
	reporting := newUsers(t, Options{Table: table, Scheme: md5, Report: true})
	silent := newUsers(t, Options{Table: table, Scheme: md5})
	for _, tt := range []struct{ data, reported, silent string }{
		{`{"username":"userA","password":"userAPass"}`, `userA {"color":"red"} {"role":"admin"}`, ""},
		{`{"username":"argon","password":"password"}`, `argon null null`, ""},
		{`{"username":"userA","password":"wrong"}`, "invalid ", "nothing"},
		{`{"username":"argon","password":"Password"}`, "invalid ", "nothing"},
		{`{"username":"broken","password":"password"}`, "invalid ", "nothing"},
		{`{"username":"nobody","password":"x"}`, "nothing", "nothing"},
		{`{"username":"constructor","password":"x"}`, "nothing", "nothing"}, // a member of every JavaScript object
		{`{"username":"","password":""}`, "nothing", "nothing"},
		{`{"username":"userA"}`, missing, "nothing"},
		{`{"password":"x"}`, missing, "nothing"},
		{`{}`, missing, "nothing"},
		{`{"username":"userA","password":7}`, missing, "nothing"},
		{`{"username":["userA"],"password":"userAPass"}`, missing, "nothing"},
	} {
		if tt.silent == "" {
			tt.silent = tt.reported
		}
		if got := ask(reporting, tt.data); got != tt.reported {
			t.Errorf("%s: %q, want %q", tt.data, got, tt.reported)
		}
		if got := ask(silent, tt.data); got != tt.silent {
			t.Errorf("%s without reports: %q, want %q", tt.data, got, tt.silent)
		}
	}
}

func TestClearText(t *testing.T) {
	u := newUsers(t, Options{Table: Table{"a": {Password: "x", ClientData: auth.Null}}, Report: true})
	for data, want := range map[string]string{
		`{"username":"a","password":"x"}`: "a null ",
		`{"username":"a","password":"y"}`: "invalid ",
		`{"username":"b","password":"x"}`: "nothing",
	} {
		if got := ask(u, data); got != want {
			t.Errorf("%s: %q, want %q", data, got, want)
		}
	}
	if s := u.pool.Stats(); s.Finished != 0 {
		t.Errorf("clear text went to a worker: %+v", s)
	}
}

// Whether a user exists must not be told by the time that an answer takes: the work is the same.
func TestUnknownUsersCostTheSame(t *testing.T) {
	for name, o := range map[string]Options{
		"official": {Table: table, Scheme: md5},
		"argon2id": {Table: Table{"argon": table["argon"]}},
	} {
		u := newUsers(t, o)
		ask(u, `{"username":"nobody","password":"x"}`)
		if s := u.pool.Stats(); s.Finished != 1 {
			t.Errorf("%s: an unknown user took no worker: %+v", name, s)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		o    Options
		want error
	}{
		{Options{}, ErrEmpty},
		{Options{Table: Table{"a": {Password: "$argon2id$x"}}}, password.ErrArgon},
	} {
		if _, err := New(tt.o); !errors.Is(err, tt.want) {
			t.Errorf("got %v, want %v", err, tt.want)
		}
	}
	if _, err := New(Options{Table: table, Scheme: password.Scheme{Digest: "md5"}}); err == nil {
		t.Error("a scheme without iterations is accepted")
	}
}

func TestParseTable(t *testing.T) {
	got, mistakes := ParseTable(map[string]any{
		"alice": map[string]any{"password": "x", "clientData": map[string]any{"n": int64(1)}, "serverData": []any{true, nil}},
		"bob":   map[string]any{"password": "y", "clientData": nil},
	})
	if len(mistakes) > 0 || string(got["alice"].ClientData) != `{"n":1}` || string(got["alice"].ServerData) != `[true,null]` ||
		string(got["bob"].ClientData) != "null" || string(got["bob"].ServerData) != "null" {
		t.Errorf("read %+v, %v", got, mistakes)
	}
	for _, tt := range []struct {
		document any
		want     string
	}{
		{nil, ": expected users by name"},
		{map[string]any{}, ": the table is empty"},
		{map[string]any{"a": "x"}, "a: expected a section"},
		{map[string]any{"a": map[string]any{}}, `a: key "password" is missing`},
		{map[string]any{"a": map[string]any{"password": 5}}, "a.password: expected a text"},
		{map[string]any{"a": map[string]any{"password": "x", "clientData": func() {}}}, "a.clientData: has no JSON form"},
		{map[string]any{"a": map[string]any{"password": "x", "role": 1}}, "a.role: has no effect"},
	} {
		_, mistakes := ParseTable(tt.document)
		if len(mistakes) != 1 {
			t.Errorf("%v: %+v", tt.document, mistakes)
			continue
		}
		m := mistakes[0]
		where := m.User
		if m.Key != "" {
			where += "." + m.Key
		}
		if got := where + ": " + m.Message; !strings.HasPrefix(got, tt.want) || m.Harmless != (m.Key == "role") {
			t.Errorf("%v: %q, want %q", tt.document, got, tt.want)
		}
	}
}
