package httpapi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"deepstream-fast/auth"
	"deepstream-fast/fuzz/peer"
	"deepstream-fast/session"
)

// handClock is a clock that a test moves.
type handClock struct{ passed atomic.Int64 }

func (c *handClock) now() time.Time          { return time.Unix(1e9, c.passed.Load()) }
func (c *handClock) advance(d time.Duration) { c.passed.Add(int64(d)) }

// counted counts the judgements of an Authenticator.
type counted struct {
	scripted
	judged *atomic.Int32
}

func (c counted) Authenticate(r *auth.Request, done func(auth.Result)) {
	c.judged.Add(1)
	c.scripted.Authenticate(r, done)
}

// kept is one connection with a request after the other on it.
type kept struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func (r *rig) keep() *kept {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.eng.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(peer.Patience))
	return &kept{r.t, conn, bufio.NewReader(conn)}
}

// ask sends a request and returns its answer, from which the connection must stay usable.
func (k *kept) ask(method, path, body string, fields ...string) (*http.Response, string) {
	k.t.Helper()
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: h\r\n", method, path)
	if method == "POST" {
		head += fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	for _, field := range fields {
		head += field + "\r\n"
	}
	if _, err := io.WriteString(k.conn, head+"\r\n"+body); err != nil {
		k.t.Fatal(err)
	}
	res, err := http.ReadResponse(k.in, &http.Request{Method: method})
	if err != nil {
		k.t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil || res.Close {
		k.t.Fatalf("%s %s: closed %v, %v", method, path, res.Close, err)
	}
	return res, string(text)
}

// want sends a request and compares the status, and Retry-After in seconds, 0 if there is to be none.
func (k *kept) want(status, wait int, method, path, body string, fields ...string) {
	k.t.Helper()
	after := ""
	if wait > 0 {
		after = fmt.Sprint(wait)
	}
	if res, text := k.ask(method, path, body, fields...); res.StatusCode != status || res.Header.Get("Retry-After") != after {
		k.t.Errorf("%s %s %.60s: %d, Retry-After %q, want %d, %q: %s", method, path, body, res.StatusCode, res.Header.Get("Retry-After"), status, after, text)
	}
}

// emits returns a request of n commands.
func emits(n int) string {
	const emit = `{"topic":"event","action":"emit","eventName":"e"}`
	return `{"body":[` + strings.Repeat(emit+",", n-1) + emit + `]}`
}

// paced starts a rig whose connections may send burst messages at once, and another one every second.
func paced(t *testing.T, burst int, change func(*Options)) (*rig, *handClock) {
	clock := &handClock{}
	return startRig(t, func(o *Options, _ *session.Options) {
		o.API.MessageBurst, o.API.MessageInterval, o.Now = burst, time.Second, clock.now
		if change != nil {
			change(o)
		}
	}), clock
}

// Commands and reads count, also those that fail; what is refused does not, nor what is no message.
func TestMessageRate(t *testing.T) {
	r, clock := paced(t, 3, nil)
	k := r.keep()
	k.want(200, 0, "POST", "/api", emits(1))
	k.want(404, 0, "GET", "/api/record/none", "")
	k.want(404, 0, "HEAD", "/api/record/none", "")
	for range 3 {
		k.want(429, 1, "POST", "/api", emits(1))
		k.want(429, 1, "GET", "/api/record/none", "")
	}
	res, text := k.ask("POST", "/api", emits(2))
	if text != "Too many messages on this connection. Try again in 2 s.\r\n\r\n" || res.Header.Get("Retry-After") != "2" ||
		res.Header.Get("Content-Type") != "text/plain; charset=utf-8" || res.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%q %v", text, res.Header)
	}
	for range 5 { // these are no messages
		k.want(200, 0, "POST", "/api/auth", `{"username":"u"}`)
		k.want(401, 0, "POST", "/api/auth", `{"password":"wrong"}`)
		k.want(400, 0, "POST", "/api", `{"body":[]}`)
		k.want(400, 0, "GET", "/api", "")
		k.want(404, 0, "GET", "/none", "")
	}
	clock.advance(time.Second - 1)
	k.want(429, 1, "POST", "/api", emits(1))
	clock.advance(1)
	k.want(200, 0, "POST", "/api", emits(1))
	k.want(429, 1, "POST", "/api", emits(1))
	r.keep().want(200, 0, "POST", "/api", emits(3)) // another connection is nobody's debtor
	if s := r.server.Stats(); s.Refused[RefusedRate] != 9 || s.Commands != 7 || s.Running != 0 {
		t.Errorf("counted %+v", s)
	}
}

// Time that passes without a request is no credit beyond the burst.
func TestIdleConnectionsSaveNothing(t *testing.T) {
	r, clock := paced(t, 2, nil)
	k := r.keep()
	k.want(200, 0, "POST", "/api", emits(1))
	clock.advance(time.Hour)
	k.want(200, 0, "POST", "/api", emits(1))
	k.want(200, 0, "POST", "/api", emits(1))
	k.want(429, 1, "POST", "/api", emits(1))
}

// A request larger than the burst gets through when nothing is owed, once, and is paid off then.
func TestLargeRequestsArePaidOff(t *testing.T) {
	r, clock := paced(t, 3, nil)
	k := r.keep()
	k.want(200, 0, "POST", "/api", emits(100))
	k.want(429, 98, "POST", "/api", emits(1))
	k.want(429, 100, "POST", "/api", emits(100))
	clock.advance(97 * time.Second)
	k.want(429, 1, "POST", "/api", emits(1))
	k.want(429, 3, "POST", "/api", emits(4))
	clock.advance(time.Second)
	k.want(200, 0, "POST", "/api", emits(1))
	k.want(429, 3, "POST", "/api", emits(4))
	clock.advance(3 * time.Second)
	k.want(200, 0, "POST", "/api", emits(4))
}

func TestListsOfNamesCostMore(t *testing.T) {
	names := `"` + strings.Repeat(`","`, 199) + `"` // 200 of them
	r, _ := paced(t, 5, nil)
	for _, list := range []string{
		`{"topic":"presence","action":"query","names":[` + names + `]}`,
		`{"topic":"record","action":"notify","recordNames":[` + names + `]}`,
	} {
		k := r.keep()
		k.want(200, 0, "POST", "/api", `{"body":[`+list+`]}`)
		k.want(429, 1, "POST", "/api", `{"body":[`+list+`]}`)
		k.want(200, 0, "POST", "/api", emits(2))
		k.want(429, 1, "POST", "/api", emits(1))
	}
}

func TestMessagesOf(t *testing.T) {
	list := func(n int) string { return `[` + strings.TrimSuffix(strings.Repeat(`"", `, n), ", ") + `]` }
	for commands, want := range map[string]int{
		` [1]`:                              1,
		`[1, [2], "x" ,{}]`:                 4,
		`[{"names":` + list(99) + `}]`:      1,
		`[{"names":` + list(100) + `}]`:     2,
		`[{},{"names":` + list(1000) + `}]`: 12,
		`[{"recordNames":` + strings.ReplaceAll(list(300), " ", "") + `,"names":` + list(100) + `}]`: 5,
		`[{"data":` + list(1000) + `}]`:                        1,
		`[{"names":"` + strings.Repeat("x", 1000) + `"}]`:      1,
		`[{"n\u0061mes":` + list(250) + `}]`:                   3,
		`[` + list(1000) + `]`:                                 1,
		`[{"data":{"names":` + list(1000) + `},"names":null}]`: 1,
	} {
		if got := messagesOf([]byte(commands)); got != want {
			t.Errorf("%.60s: %d, want %d", commands, got, want)
		}
	}
}

// Credentials are judged for who is in the rate alone, and guessing them is charged.
func TestTheRateComesBeforeCredentials(t *testing.T) {
	var judged atomic.Int32
	r, clock := paced(t, 2, func(o *Options) { o.Auth = counted{judged: &judged} })
	const guess = `{"authData":{"password":"guess"},"body":[{"topic":"presence","action":"query"}]}`
	k := r.keep()
	k.want(401, 0, "POST", "/api", guess)
	k.want(401, 0, "GET", "/api/record/r", "", "Authorization: Bearer guess")
	for range 5 {
		k.want(429, 1, "POST", "/api", guess)
		k.want(429, 1, "GET", "/api/record/r", "", "Authorization: Bearer guess")
	}
	clock.advance(time.Second)
	k.want(401, 0, "POST", "/api", guess)
	if n := judged.Load(); n != 3 {
		t.Errorf("%d were judged, want 3", n)
	}
}

func TestAccountsAreSmall(t *testing.T) {
	r := startRig(t, nil)
	if r.server.http.ConnContext != nil {
		t.Error("without a limit a connection has an account")
	}
	const conns, budget = 10_000, 100
	held := make([]context.Context, conns)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range held {
		held[i] = openAccount(t.Context(), nil)
	}
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(held)
	if bytes := (after.TotalAlloc - before.TotalAlloc) / conns; bytes == 0 || bytes > budget {
		t.Errorf("%d bytes per connection, want at most %d", bytes, budget)
	}
}
