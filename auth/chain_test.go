package auth

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// fixed answers every attempt with itself.
type fixed Result

func (f fixed) Authenticate(_ *Request, done func(Result)) { done(Result(f)) }

// later answers on another goroutine.
type later Result

func (l later) Authenticate(_ *Request, done func(Result)) { go done(Result(l)) } // ends at once

// closing notes that it was closed.
type closing struct {
	fixed
	closed *int
	err    error
}

func (c closing) Close() error { *c.closed++; return c.err }

// ask returns the judgement of an attempt and fails if there is not exactly one.
func ask(t *testing.T, a Authenticator, data string) Result {
	t.Helper()
	answers := make(chan Result, 2)
	a.Authenticate(&Request{Data: []byte(data)}, func(r Result) { answers <- r })
	r := <-answers
	select {
	case more := <-answers:
		t.Errorf("a second answer: %+v", more)
	default:
	}
	return r
}

// The first opinion counts, for or against: spec/auth.md §2.
func TestFirstOpinionOfAChainCounts(t *testing.T) {
	valid, invalid, unknown := Result{Valid: true, ID: "v"}, Result{ClientData: []byte(`1`)}, Unknown
	for _, tt := range []struct {
		name  string
		links []Authenticator
		id    string
		data  string
		stats string
	}{
		{"nobody", nil, "", "", ""},
		{"one", []Authenticator{fixed(valid)}, "v", "", "file 1/0/0"},
		{"none knows", []Authenticator{fixed(unknown), later(unknown)}, "", "", "file 0/0/2"},
		{"the second knows", []Authenticator{fixed(unknown), later(valid), fixed(invalid)}, "v", "", "file 1/0/1"},
		{"a refusal ends it", []Authenticator{later(unknown), fixed(invalid), fixed(valid)}, "", "1", "file 0/1/1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := NewMeter()
			var links []Link
			for _, a := range tt.links {
				links = append(links, Link{"file", a})
			}
			s := NewSwappable(NewChain(m, links...))
			r := ask(t, s, `{}`)
			if r.Valid != (tt.id != "") || r.ID != tt.id || string(r.ClientData) != tt.data {
				t.Errorf("got %+v", r)
			}
			stats := s.Stats(m)
			if f := stats.Types[1]; tt.stats != "" && tt.stats != "file "+strings.Join([]string{itoa(f.Valid), itoa(f.Refused), itoa(f.Unknown)}, "/") {
				t.Errorf("counted %+v, want %s", f, tt.stats)
			}
			if stats.Attempts() != 1 || stats.Pending != 0 || (stats.Successes == 1) != r.Valid {
				t.Errorf("counted %+v", stats)
			}
		})
	}
}

func itoa(n uint64) string { return string(rune('0' + n)) }

func TestChainCloses(t *testing.T) {
	var closed int
	broken := errors.New("broken")
	c := NewChain(NewMeter(), Link{"file", fixed{}}, Link{"http", closing{closed: &closed, err: broken}}, Link{"none", closing{closed: &closed}})
	if err := c.Close(); closed != 2 || !errors.Is(err, broken) {
		t.Errorf("closed %d, %v", closed, err)
	}
}

func TestSwappableReplacesForNewAttempts(t *testing.T) {
	hold, answers := make(chan struct{}), make(chan Result, 2)
	old := authFunc(func(_ *Request, done func(Result)) {
		go func() { <-hold; done(Result{Valid: true, ID: "old"}) }() // ends when hold is closed
	})
	s := NewSwappable(old)
	s.Authenticate(&Request{}, func(r Result) { answers <- r })
	if was := s.Use(fixed{Valid: true, ID: "new"}); was == nil {
		t.Error("the old one is lost")
	}
	if r := ask(t, s, `{}`); r.ID != "new" {
		t.Errorf("got %+v", r)
	}
	if n := s.Stats(NewMeter()).Pending; n != 1 {
		t.Errorf("%d pending", n)
	}
	close(hold)
	if r := <-answers; r.ID != "old" {
		t.Errorf("got %+v", r)
	}
}

type authFunc func(*Request, func(Result))

func (f authFunc) Authenticate(r *Request, done func(Result)) { f(r, done) }

func TestLargeCredentialsAreRefused(t *testing.T) {
	s := NewSwappable(Open{})
	data := `{"a":"` + strings.Repeat("x", DataBytesMax-8) + `"}`
	if r := ask(t, s, data); !r.Valid {
		t.Errorf("%d bytes: %s", len(data), r.ClientData)
	}
	if r := ask(t, s, data+" "); r.Valid || !strings.Contains(string(r.ClientData), "too large") {
		t.Errorf("a byte more: %+v", r)
	}
}

func TestOpenWithAnID(t *testing.T) {
	if r := ask(t, Open{AnonymousID: "guest"}, `{"username":"admin"}`); !r.Valid || r.ID != "guest" {
		t.Errorf("got %+v", r)
	}
}

func TestCredentials(t *testing.T) {
	for _, tt := range []struct {
		data string
		want Credentials
	}{
		{`{"username":"a","password":"b"}`, Credentials{"a", "b", true, true}},
		{`{"username":"","password":""}`, Credentials{"", "", true, true}},
		{`{"username":1,"password":null}`, Credentials{}},
		{`{"username":{"a":1},"password":["x"]}`, Credentials{}},
		{`{}`, Credentials{}},
	} {
		if got := CredentialsOf([]byte(tt.data)); got != tt.want {
			t.Errorf("%s: %+v", tt.data, got)
		}
	}
}

func TestReporterWritesAuthErrorsOncePerSecond(t *testing.T) {
	var out strings.Builder
	r := NewReporter(slog.New(slog.NewTextHandler(&out, nil)))
	r.Warn("c", "what happened", "status", 500)
	r.Warn("c", "what happened", "status", 500)
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `msg="what happened" event=AUTH_ERROR status=500`) {
		t.Errorf("wrote %q", got)
	}
}
