package engine

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"deepstream-fast/codec/ws"
)

// startWeb is startHub with net/http behind it: everything but /inline leaves the reactor and is answered
// with what came.
func startWeb(t *testing.T, change func(*Options), handler http.HandlerFunc) (*Engine, *http.Server) {
	t.Helper()
	if handler == nil {
		handler = func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				http.Error(w, "body: "+err.Error(), http.StatusBadRequest)
				return
			}
			fmt.Fprintf(w, "%s %s %d", r.Method, r.URL.Path, len(body))
		}
	}
	ln := NewListener(&net.TCPAddr{})
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 2 * time.Second, IdleTimeout: patience, MaxHeaderBytes: ws.HeadBytesMax,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	e, _ := startHub(t, func(o *Options) {
		o.Handoff = ln.Take
		plain := o.HTTP
		o.HTTP = func(h *ws.Head) Response {
			if string(h.Path) == "/inline" {
				return plain(h)
			}
			return Response{}
		}
		if change != nil {
			change(o)
		}
	})
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; err != http.ErrServerClosed {
			t.Errorf("net/http ended with %v", err)
		}
	})
	return e, server
}

// answer reads one whole response.
func (c *client) answer() (status int, body string) {
	c.t.Helper()
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatalf("response: %v", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatalf("body: %v", err)
	}
	return res.StatusCode, string(b)
}

func (c *client) wantAnswer(status int, body string) {
	c.t.Helper()
	if s, b := c.answer(); s != status || b != body {
		c.t.Fatalf("answered %d %q, want %d %q", s, abbreviate(b), status, body)
	}
}

func post(path string, n int) []byte {
	return append(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", path, n), bytes.Repeat([]byte("x"), n)...)
}

func TestHandOffServesWholeRequests(t *testing.T) {
	e, _ := startWeb(t, nil, nil)
	c := dial(t, e)
	for _, n := range []int{200_000, 0, 5} { // the first leaves the loop, the others find it gone
		c.send(post("/a", n))
		c.wantAnswer(200, fmt.Sprintf("POST /a %d", n))
	}
	c.send([]byte("POST /chunks HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;note=x\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nX-Sum: 1\r\n\r\n"))
	c.wantAnswer(200, "POST /chunks 19")
	if s := e.HTTPStats(); s.Connections != 1 || s.HandedOff != 1 || s.Refused != 0 {
		t.Errorf("counted %+v", s)
	}
	_ = c.Close()
	eventually(t, "the connection counts no more", func() bool { return e.HTTPStats().Connections == 0 && e.conns.Load() == 0 })
}

// What was read before the hand-off is not read twice and not lost, however it was cut.
func TestHandOffReplaysEveryCut(t *testing.T) {
	e, _ := startWeb(t, nil, nil)
	request := append(post("/cut", 40), "GET /next HTTP/1.1\r\nHost: h\r\n\r\n"...)
	for cut := 1; cut < len(request); cut += 7 {
		c := dial(t, e)
		c.send(request[:cut])
		c.send(request[cut:])
		c.wantAnswer(200, "POST /cut 40")
		c.wantAnswer(200, "GET /next 0")
	}
}

func TestHandOffKeepsThePipelinesOrder(t *testing.T) {
	e, _ := startWeb(t, nil, nil)
	c := dial(t, e)
	inline := "GET /inline HTTP/1.1\r\nHost: h\r\n\r\n"
	c.send([]byte(inline + inline + string(post("/a", 3)) + string(post("/b", 70_000)) + "GET /c HTTP/1.1\r\nHost: h\r\n\r\n"))
	for _, want := range []string{"hello /inline", "hello /inline", "POST /a 3", "POST /b 70000", "GET /c 0"} {
		c.wantAnswer(200, want)
	}
}

func TestHandOffContinues(t *testing.T) {
	e, _ := startWeb(t, nil, nil)
	c := dial(t, e)
	c.send([]byte("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"))
	if h := c.head(); !strings.HasPrefix(h, "HTTP/1.1 100") {
		t.Fatalf("got %q", h)
	}
	c.send([]byte("abc"))
	c.wantAnswer(200, "POST /a 3")
}

func TestHandOffHalfClosed(t *testing.T) {
	e, _ := startWeb(t, nil, nil)
	c := dial(t, e)
	c.send(post("/a", 3))
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.wantAnswer(200, "POST /a 3")
	eventually(t, "it is gone", func() bool { return e.HTTPStats().Connections == 0 })
}

// smuggled are requests that two servers could cut differently, or could not agree on.
var smuggled = map[string]struct {
	request string
	flaw    ws.Flaw
}{
	"length and chunks":       {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ws.FlawTwoLengths},
	"chunks and length":       {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", ws.FlawTwoLengths},
	"two lengths":             {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", ws.FlawLength},
	"the same length twice":   {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", ws.FlawLength},
	"list of lengths":         {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4, 4\r\n\r\nabcd", ws.FlawLength},
	"signed length":           {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +4\r\n\r\nabcd", ws.FlawLength},
	"endless length":          {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", ws.FlawLength},
	"unknown coding":          {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", ws.FlawCoding},
	"coding list":             {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", ws.FlawCoding},
	"chunked twice":           {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ws.FlawCoding},
	"chunks of HTTP/1.0":      {"POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ws.FlawCoding},
	"folded field":            {"POST / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n", ws.FlawFolded},
	"blank before the colon":  {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 4\r\n\r\nabcd", ws.FlawFieldName},
	"blank in the name":       {"POST / HTTP/1.1\r\nHost: h\r\nContent Length: 4\r\n\r\nabcd", ws.FlawFieldName},
	"no colon":                {"POST / HTTP/1.1\r\nHost: h\r\nnonsense\r\n\r\n", ws.FlawFieldName},
	"lines with LF only":      {"POST / HTTP/1.1\nHost: h\nContent-Length: 0\n\n", ws.FlawLineEnd},
	"one line with LF only":   {"POST / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", ws.FlawLineEnd},
	"bare CR":                 {"POST / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", ws.FlawLineEnd},
	"zero byte":               {"POST / HTTP/1.1\r\nHost: h\r\nX: \x00\r\n\r\n", ws.FlawLineEnd},
	"two hosts":               {"POST / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", ws.FlawHost},
	"another protocol":        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ws.FlawVersion},
	"no version":              {"GET /\r\n\r\n", ws.FlawSyntax},
	"head of 9 KiB":           {"GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 9<<10) + "\r\n\r\n", ws.FlawSize},
	"chunk without digits":    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n", ws.FlawChunk},
	"chunk line with LF":      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", ws.FlawChunk},
	"chunk size with a sign":  {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", ws.FlawChunk},
	"chunk longer than said":  {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", ws.FlawChunk},
	"huge chunk":              {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc", ws.FlawChunk},
	"length in the trailer":   {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\n\r\n", ws.FlawChunk},
	"trailer with LF":         {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n", ws.FlawLineEnd},
	"trailer without an end":  {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + strings.Repeat("y", 9<<10), ws.FlawSize},
	"chunk note without end":  {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;" + strings.Repeat("n", 300) + "\r\nabc\r\n0\r\n\r\n", ws.FlawChunk},
	"control char in a chunk": {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;\x01\r\nabc\r\n0\r\n\r\n", ws.FlawChunk},
}

// A request in doubt is refused, as the first on its connection, which the loop reads, as well as behind
// one that net/http has served; what follows on the connection is never looked at, and nobody else
// notices.
func TestSmugglingIsRefused(t *testing.T) {
	var mu sync.Mutex
	served := map[string]int{}
	e, _ := startWeb(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		mu.Lock()
		served[r.URL.Path]++
		mu.Unlock()
	})
	other := dialWS(t, e)
	const behind = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
	for name, tt := range smuggled {
		for _, first := range []string{"", "POST /first HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"} {
			before := e.HTTPStats().Flaws[tt.flaw]
			c := dial(t, e)
			c.send([]byte(first))
			if first != "" {
				c.wantAnswer(200, "")
			}
			_, _ = c.Write([]byte(tt.request + behind)) // the end may be refused by a reset
			res, err := http.ReadResponse(c.r, nil)
			if err != nil || res.StatusCode < 400 || !res.Close {
				t.Errorf("%s (behind %q): %v, %v", name, first, res, err)
			}
			rest, _ := io.ReadAll(c.r)
			if bytes.Contains(rest, []byte("HTTP/1.1")) {
				t.Errorf("%s (behind %q): answered twice: %q", name, first, rest)
			}
			if got := e.HTTPStats().Flaws[tt.flaw] - before; got != 1 {
				t.Errorf("%s (behind %q): counted %d times as %v", name, first, got, tt.flaw)
			}
		}
	}
	mu.Lock()
	if served["/first"] != len(smuggled) || len(served) != 1 {
		t.Errorf("served %v, want %d times /first and nothing else", served, len(smuggled))
	}
	mu.Unlock()
	other.sendText(ws.Binary, "echo:still here")
	other.want(ws.Binary, "still here")
}

// Whoever sends a head too slowly is let go, by the loop and by net/http.
func TestSlowHeadsEnd(t *testing.T) {
	e, _ := startWeb(t, func(o *Options) { o.HeadTimeout = 2 * time.Second }, nil)
	used := dial(t, e)
	used.send(post("/a", 1))
	used.wantAnswer(200, "POST /a 1")
	fresh := dial(t, e)
	for _, c := range []*client{fresh, used} {
		c.send([]byte("GET /slow HTTP/1.1\r\nHost"))
		if b, err := io.ReadAll(c.r); err != nil || bytes.Contains(b, []byte(" 200 ")) {
			t.Errorf("%q, %v", b, err)
		}
	}
	if n := e.Stats().HeadTimeouts; n != 1 {
		t.Errorf("%d head timeouts of the loops", n)
	}
}

func TestHandOffHasALimit(t *testing.T) {
	e, _ := startWeb(t, func(o *Options) { o.HTTPConnectionsMax = 3 }, nil)
	var held []*client
	for range 3 {
		c := dial(t, e)
		c.send(post("/a", 1))
		c.wantAnswer(200, "POST /a 1")
		held = append(held, c)
	}
	late := dial(t, e)
	late.send(post("/a", 1))
	if h := late.head(); !strings.HasPrefix(h, "HTTP/1.1 503") {
		t.Fatalf("one too many: %q", h)
	}
	dialWS(t, e).sendText(ws.Binary, "echo:x") // others are not concerned
	_ = held[0].Close()
	eventually(t, "there is room", func() bool { return e.HTTPStats().Connections == 2 })
	c := dial(t, e)
	c.send(post("/a", 1))
	c.wantAnswer(200, "POST /a 1")
	if s := e.HTTPStats(); s.Refused != 1 || s.HandedOff != 4 {
		t.Errorf("counted %+v", s)
	}
}

// A connection that is not a socket of the reactor is served and counted alike.
func TestHandOffOfAnotherConnection(t *testing.T) {
	e, _ := startWeb(t, nil, nil)
	ours, theirs := net.Pipe()
	if !e.HandOff(theirs, []byte("POST /pipe HTTP/1.1\r\nHost: h\r\nContent-Le")) {
		t.Fatal("refused")
	}
	c := &client{t: t, Conn: ours, r: bufio.NewReader(ours)}
	c.send([]byte("ngth: 2\r\n\r\nab"))
	c.wantAnswer(200, "POST /pipe 2")
	if n := e.HTTPStats().Connections; n != 1 || e.conns.Load() != 1 {
		t.Errorf("%d connections, %d in all", n, e.conns.Load())
	}
	_ = ours.Close()
	eventually(t, "it counts no more", func() bool { return e.conns.Load() == 0 })
}

// Stop waits for requests that are served, and for those who sit idle not at all.
func TestStopAwaitsRequests(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	e, server := startWeb(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			close(entered)
			<-leave
		}
	})
	idle, busy := dial(t, e), dial(t, e)
	idle.send(post("/short", 1))
	idle.wantAnswer(200, "")
	busy.send(post("/long", 1))
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	go server.Shutdown(ctx) // ends with the test
	stopped := make(chan error, 1)
	go func() { stopped <- e.Stop(ctx) }()
	if b, err := io.ReadAll(idle.r); err != nil || len(b) > 0 {
		t.Errorf("idle connection: %q, %v", b, err)
	}
	close(leave)
	busy.wantAnswer(200, "")
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// One who does not finish is cut off when the time is over, and that is said.
func TestStopCutsOffRequests(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	defer close(leave)
	e, _ := startWeb(t, nil, func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-leave
	})
	c := dial(t, e)
	c.send(post("/long", 1))
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	if err := e.Stop(ctx); err == nil || !strings.Contains(err.Error(), "1 connections were cut off") {
		t.Errorf("stopped with %v", err)
	}
}

// An idle WebSocket costs no goroutine, whatever HTTP does beside it; an HTTP connection costs one.
func TestGoroutinesFollowHTTPConnectionsOnly(t *testing.T) {
	const webSockets, web = 1000, 300
	e, _ := startWeb(t, nil, nil)
	c := dial(t, e)
	c.send(post("/a", 1))
	c.wantAnswer(200, "POST /a 1")
	before := runtime.NumGoroutine()
	for range webSockets {
		dialWS(t, e)
	}
	eventually(t, "no goroutine for a WebSocket", func() bool { return runtime.NumGoroutine() <= before+10 })
	for range web {
		c := dial(t, e)
		c.send(post("/a", 1))
		c.wantAnswer(200, "POST /a 1")
	}
	// net/http also reads ahead while a request is served.
	eventually(t, "at most two per HTTP connection", func() bool { return runtime.NumGoroutine() <= before+10+2*web })
	if s := e.HTTPStats(); s.Connections != web+1 {
		t.Errorf("%+v", s)
	}
}

// BenchmarkHandOff is a connection that sends one request and goes.
func BenchmarkHandOff(b *testing.B) {
	ln := NewListener(&net.TCPAddr{})
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go server.Serve(ln) // ends with the benchmark
	defer server.Close()
	e, err := Start(Options{
		Host: "127.0.0.1", Loops: 1, Handoff: ln.Take, HTTP: func(*ws.Head) Response { return Response{} },
		NewHandler: func(l *Loop) Handler { return &hub{l: l, hubs: &hubs{}} },
	})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Stop(context.Background())
	request, answer := post("/a", 2), make([]byte, 4<<10)
	for b.Loop() {
		c, err := net.Dial("tcp", e.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		_, _ = c.Write(request)
		if _, err := c.Read(answer); err != nil {
			b.Fatal(err)
		}
		_ = c.Close()
	}
}
