package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"deepstream-fast/auth"
)

// hook is a webhook that answers what it is told to, and what was asked of it.
type hook struct {
	*httptest.Server

	mu       sync.Mutex
	answers  []func(http.ResponseWriter, *http.Request) // the last one stays
	requests []request
}

type request struct {
	method, path, body string
	header             http.Header
}

func newHook(t *testing.T, answers ...func(http.ResponseWriter, *http.Request)) *hook {
	h := &hook{answers: answers}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.requests = append(h.requests, request{r.Method, r.URL.Path, string(body), r.Header.Clone()})
		answer := h.answers[0]
		if len(h.answers) > 1 {
			h.answers = h.answers[1:]
		}
		h.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

// asked returns the requests so far.
func (h *hook) asked() []request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.requests
}

// says returns an answer.
func says(status int, contentType, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func redirects(status int, to string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(status)
	}
}

// hangsUp ends the connection without an answer.
func hangsUp(w http.ResponseWriter, _ *http.Request) {
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = c.Close()
	}
}

const typeJSON = "application/json; charset=utf-8"

func newWebhook(t *testing.T, o Options, endpoint string) *Webhook {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	o.URL = u
	if o.Permitted == nil {
		o.Permitted = []int{200}
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Pool == nil {
		o.Pool = auth.NewPool(auth.PoolOptions{Workers: 4})
		t.Cleanup(o.Pool.Close)
	}
	w, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func ask(w *Webhook, r *auth.Request) auth.Result {
	answer := make(chan auth.Result)
	go w.Authenticate(r, func(r auth.Result) { answer <- r }) // ends with the answer
	return <-answer
}

func login(data string) *auth.Request {
	return &auth.Request{RemoteAddr: "192.0.2.1:5", Data: []byte(data)}
}

func words(r auth.Result) string {
	switch {
	case r.Valid:
		return fmt.Sprintf("%q %s %s %s", r.ID, r.ClientData, r.ServerData, r.Token)
	case r.Unknown:
		return "nothing"
	}
	return "invalid " + string(r.ClientData)
}

// The outcomes of spec/auth.md §6. silent is what remains when refusals are left to others.
func TestOutcomes(t *testing.T) {
	for _, tt := range []struct {
		name         string
		status       int
		contentType  string
		body         string
		want, silent string
	}{
		{"text", 200, "text/plain", "alice", `"alice"   `, ""},
		{"JSON text", 200, typeJSON, `"al\u0069ce"`, `"alice"   `, ""},
		{"empty", 200, "", "", `""   `, ""},
		{"object", 200, typeJSON, `{"id":"a","clientData":{"x":1},"serverData":[2],"token":"t","username":"ignored"}`, `"a" {"x":1} [2] "t"`, ""},
		{"number as id", 200, "application/vnd.x+json", `{"id":12345678901}`, `"12345678901"   `, ""},
		{"no id", 200, typeJSON, `{}`, `""   `, ""},
		{"valid", 200, typeJSON, `{"isValid":true,"id":"a"}`, `"a"   `, ""},
		{"not valid", 200, typeJSON, `{"isValid":false,"id":"a","clientData":"no","serverData":"secret"}`, `invalid "no"`, "nothing"},
		{"null is not valid", 200, typeJSON, `{"isValid":null,"id":"a"}`, `invalid `, "nothing"},
		{"unclear", 200, typeJSON, `{"isValid":0,"id":"a"}`, `invalid `, "nothing"},
		{"id is an object", 200, typeJSON, `{"id":{}}`, `invalid `, "nothing"},
		{"false", 200, typeJSON, `false`, `invalid `, "nothing"},
		{"array", 200, typeJSON, `["alice"]`, `invalid `, "nothing"},
		{"broken JSON", 200, typeJSON, `alice`, `invalid `, "nothing"},
		{"refused", 401, "", "", `invalid `, "nothing"},
		{"refused with text", 401, "text/plain", "no way\n", `invalid {"error":"no way"}`, "nothing"},
		{"refused with JSON text", 401, typeJSON, `"no way"`, `invalid {"error":"no way"}`, "nothing"},
		{"refused with an object", 403, typeJSON, `{"reason":"x","n":1e3}`, `invalid {"reason":"x","n":1e3}`, "nothing"},
		{"refused with secrets", 403, typeJSON, `{"reason":"x","serverData":"secret","token":"secret"}`, `invalid {"reason":"x"}`, "nothing"},
		{"refused with a number", 403, typeJSON, `7`, `invalid `, "nothing"},
		{"refused with broken JSON", 403, typeJSON, `{`, `invalid {"error":"{"}`, "nothing"},
		{"server error", 500, "text/plain", "oops", `invalid {"error":"oops"}`, "nothing"},
		{"redirect to nowhere", 302, "", "", `invalid `, "nothing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHook(t, says(tt.status, tt.contentType, tt.body))
			if got := words(ask(newWebhook(t, Options{Report: true}, h.URL), login(`{}`))); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if tt.silent == "" {
				tt.silent = tt.want
			}
			if got := words(ask(newWebhook(t, Options{}, h.URL), login(`{}`))); got != tt.silent {
				t.Errorf("without reports: %s, want %s", got, tt.silent)
			}
		})
	}
}

func TestRequestCarriesWhatWasPromoted(t *testing.T) {
	h := newHook(t, says(200, "", ""))
	w := newWebhook(t, Options{Promote: []string{"authorization", "x-n", "x-zero", "x-object", "x-line"}}, h.URL+"/login?key=1")
	r := login(`{"authorization":"Bearer x","x-n":7,"x-zero":0,"x-object":{},"x-line":"a\r\nevil: 1","other":"é"}`)
	r.Headers = func(yield func(string, string) bool) {
		_ = yield("referer", "https://a.example/") && yield("cookie", "a=1") && yield("cookie", "b=2")
	}
	ask(w, r)
	got := h.asked()[0]
	if got.method != "POST" || got.path != "/login" || got.header.Get("Content-Type") != "application/json; charset=utf-8" || got.header.Get("Accept") != "application/json" {
		t.Errorf("asked with %+v", got)
	}
	for name, want := range map[string]string{"Authorization": "Bearer x", "X-N": "7", "X-Zero": "", "X-Object": "", "X-Line": "", "Evil": "", "Other": ""} {
		if got.header.Get(name) != want {
			t.Errorf("header %s is %q, want %q", name, got.header.Get(name), want)
		}
	}
	var body, want any
	_ = json.Unmarshal([]byte(got.body), &body)
	_ = json.Unmarshal([]byte(`{"connectionData":{"remoteAddress":"192.0.2.1","headers":{"referer":"https://a.example/","cookie":"a=1, b=2"},
		"referer":"https://a.example/"},"authData":`+string(r.Data)+`}`), &want)
	if fmt.Sprint(body) != fmt.Sprint(want) || want == nil {
		t.Errorf("asked\n%s, want\n%v", got.body, want)
	}
	ask(w, &auth.Request{Data: []byte(`{"a":1}`)})
	if got := h.asked()[1].body; got != `{"connectionData":{},"authData":{"a":1}}` {
		t.Errorf("asked %s", got)
	}
}

func TestRetriesUpToTheAttempts(t *testing.T) {
	const exceeded = `invalid {"error":"AUTH_RETRY_ATTEMPTS_EXCEEDED"}`
	ok, busy := says(200, "text/plain", "alice"), says(503, "text/plain", "secret trouble")
	for _, tt := range []struct {
		name     string
		attempts int
		answers  []func(http.ResponseWriter, *http.Request)
		want     string
		requests int
	}{
		{"none needed", 3, []func(http.ResponseWriter, *http.Request){ok}, `"alice"   `, 1},
		{"status", 3, []func(http.ResponseWriter, *http.Request){busy, busy, ok}, `"alice"   `, 3},
		{"hang up", 3, []func(http.ResponseWriter, *http.Request){hangsUp, ok}, `"alice"   `, 2},
		{"the last one", 2, []func(http.ResponseWriter, *http.Request){busy, busy, ok}, `"alice"   `, 3},
		{"too many", 1, []func(http.ResponseWriter, *http.Request){busy, busy, ok}, exceeded, 2},
		{"none", 0, []func(http.ResponseWriter, *http.Request){busy, ok}, exceeded, 1},
		{"hang ups", 1, []func(http.ResponseWriter, *http.Request){hangsUp}, exceeded, 2},
		{"a permitted status that is to be retried", 1, []func(http.ResponseWriter, *http.Request){says(202, "", ""), ok}, `"alice"   `, 2},
		{"too large", 1, []func(http.ResponseWriter, *http.Request){says(200, "text/plain", strings.Repeat("x", responseBytesMax+1)), ok}, `"alice"   `, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHook(t, tt.answers...)
			w := newWebhook(t, Options{Permitted: []int{200, 202}, Retry: []int{503, 202}, Attempts: tt.attempts, Report: true}, h.URL)
			if got := words(ask(w, login(`{}`))); got != tt.want || len(h.asked()) != tt.requests {
				t.Errorf("%s after %d requests, want %s after %d", got, len(h.asked()), tt.want, tt.requests)
			}
		})
	}
}

// A webhook that does not answer costs its timeout and no more.
func TestSilentHookCostsItsTimeout(t *testing.T) {
	release := make(chan struct{})
	h := newHook(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	w := newWebhook(t, Options{Timeout: time.Millisecond, Report: true}, h.URL)
	if got := words(ask(w, login(`{}`))); got != `invalid {"error":"AUTH_RETRY_ATTEMPTS_EXCEEDED"}` {
		t.Errorf("got %s", got)
	}
}

// The end of the server ends pauses and requests.
func TestEndOfTheServerEndsRequests(t *testing.T) {
	life, end := context.WithCancel(context.Background())
	h := newHook(t, func(http.ResponseWriter, *http.Request) { end() })
	w := newWebhook(t, Options{Permitted: []int{201}, Retry: []int{200}, Attempts: 1000, Interval: time.Hour, Timeout: time.Hour, Life: life}, h.URL)
	if got := words(ask(w, login(`{}`))); got != "nothing" {
		t.Errorf("got %s", got)
	}
}

func TestRedirects(t *testing.T) {
	elsewhere := newHook(t, says(200, "text/plain", "elsewhere"))
	here := newHook(t, redirects(307, "/second"), redirects(302, elsewhere.URL+"/third"))
	w := newWebhook(t, Options{Promote: []string{"authorization"}, Report: true}, here.URL+"/first")
	if got := words(ask(w, login(`{"authorization":"secret"}`))); got != `"elsewhere"   ` {
		t.Fatalf("got %s", got)
	}
	first, second, third := here.asked()[0], here.asked()[1], elsewhere.asked()[0]
	if first.method != "POST" || second.method != "GET" || second.path != "/second" || second.body != "" || second.header.Get("Authorization") != "secret" {
		t.Errorf("within the host: %+v", second)
	}
	if third.method != "GET" || third.path != "/third" || third.body != "" || third.header.Get("Authorization") != "" {
		t.Errorf("to another host: %+v", third)
	}
	for name, to := range map[string]string{"too many": "/again", "a file": "file:///etc/passwd", "gopher": "gopher://localhost/"} {
		h := newHook(t, redirects(301, to))
		w := newWebhook(t, Options{Report: true}, h.URL)
		if got := ask(w, login(`{}`)); got.Valid || len(h.asked()) > 3 {
			t.Errorf("%s: %s after %d requests", name, words(got), len(h.asked()))
		}
	}
}

func TestRedirectsKeepTLS(t *testing.T) {
	w := newWebhook(t, Options{}, "https://a.example/")
	from, err := http.NewRequest(http.MethodPost, "https://a.example/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for to, allowed := range map[string]bool{"https://b.example/": true, "http://a.example/": false, "ftp://a.example/": false, "https:///": false} {
		u, _ := url.Parse(to)
		if _, err := w.redirected(from, u); (err == nil) != allowed {
			t.Errorf("%s: %v", to, err)
		}
	}
}

// Logins at the same time don't exceed the pool, and connections are used again.
func TestConcurrencyAndReuse(t *testing.T) {
	var now, most atomic.Int64
	var mu sync.Mutex
	conns := map[string]bool{}
	h := newHook(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		conns[r.RemoteAddr] = true
		mu.Unlock()
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		defer now.Add(-1)
		_, _ = io.WriteString(w, "alice")
	})
	w := newWebhook(t, Options{}, h.URL)
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() { // ends with the answer
			if got := ask(w, login(`{}`)); got.ID != "alice" {
				t.Errorf("got %s", words(got))
			}
		})
	}
	all.Wait()
	if most.Load() > 4 || len(conns) > 4 {
		t.Errorf("%d requests at a time on %d connections, at most 4", most.Load(), len(conns))
	}
}

// Nothing of credentials or of the endpoint's query gets into the log.
func TestLogsNoSecrets(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	for _, answer := range []func(http.ResponseWriter, *http.Request){hangsUp, says(500, "text/plain", "oops"), says(200, typeJSON, `{"id":[]}`)} {
		h := newHook(t, answer)
		ask(newWebhook(t, Options{Log: log, Promote: []string{"authorization"}}, h.URL+"/?key=secret"), login(`{"authorization":"secret"}`))
	}
	got := out.String()
	for _, want := range []string{"can't be asked", "will not be asked again", "status=500", "oops", "not understood"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in the log", want)
		}
	}
	if strings.Contains(got, "secret") || strings.Count(got, "AUTH_ERROR") != strings.Count(got, "\n") {
		t.Errorf("logged %s", got)
	}
}

func TestNewRefuses(t *testing.T) {
	good, ftp := &url.URL{Scheme: "http", Host: "a"}, &url.URL{Scheme: "ftp", Host: "a"}
	for _, o := range []Options{
		{}, {URL: ftp, Permitted: []int{200}, Timeout: 1}, {URL: &url.URL{Scheme: "http"}, Permitted: []int{200}, Timeout: 1},
		{URL: good, Timeout: 1}, {URL: good, Permitted: []int{200}}, {URL: good, Permitted: []int{200}, Timeout: 1, Attempts: -1},
		{URL: good, Permitted: []int{200}, Timeout: 1, Promote: []string{"a b"}}, {URL: good, Permitted: []int{200}, Timeout: 1, Promote: []string{""}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("accepted %+v", o)
		}
	}
}

// FuzzAnswer: whatever a webhook answers, there is no panic, a refusal carries no server data, and what
// a client is told is JSON.
func FuzzAnswer(f *testing.F) {
	f.Add(200, typeJSON, `{"id":"a","clientData":{"x":1},"serverData":[2],"token":"t"}`)
	f.Add(200, typeJSON, `"alice"`)
	f.Add(200, "text/plain", "alice")
	f.Add(200, typeJSON, `{"isValid":false,"clientData":null}`)
	f.Add(403, typeJSON, `{"serverData":1,"reason":"é"}`)
	f.Add(403, "text/html", "<p>")
	w := &Webhook{opts: Options{Permitted: []int{200}, Report: true}, report: auth.NewReporter(nil)}
	f.Fuzz(func(t *testing.T, status int, contentType, body string) {
		r := w.judge(answer{status: status, contentType: contentType, body: []byte(body)})
		if r.Valid && status != 200 || !r.Valid && (r.ServerData != nil || r.Token != nil || r.ID != "") {
			t.Fatalf("%d %q: %+v", status, body, r)
		}
		for _, data := range [][]byte{r.ClientData, r.ServerData, r.Token} {
			if data != nil && !gjson.ValidBytes(data) {
				t.Fatalf("%d %q: %q is not JSON", status, body, data)
			}
		}
		if !r.Valid && gjson.GetBytes(r.ClientData, "serverData").Exists() {
			t.Fatalf("%q: the client is told the server data: %s", body, r.ClientData)
		}
	})
}
