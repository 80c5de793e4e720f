package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"deepstream-fast/codec/ws"
)

func TestTLSEcho(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			e, _ := startSecure(t, nil)
			c := dialWSS(t, e, version)
			c.sendText(ws.Binary, "echo:one")
			c.want(ws.Binary, "one")
			c.sendText(ws.Ping, "p")
			c.want(ws.Pong, "p")
			for _, n := range []int{0, 125, 65535, 65536, corkFrameMax - 1, corkFrameMax, corkBytes + 1, 3 << 20} {
				c.sendText(ws.Binary, fmt.Sprintf("big:%d", n))
				c.sendText(ws.Binary, "echo:behind")
				if f, err := c.next(); err != nil || len(f.payload) != n {
					t.Fatalf("big:%d: %d bytes, %v", n, len(f.payload), err)
				}
				c.want(ws.Binary, "behind")
			}
			large := strings.Repeat("0123456789abcdef", 1<<16-1) // one message of nearly 1 MiB in 64 records
			c.sendText(ws.Binary, "echo:"+large)
			c.want(ws.Binary, large)
			if s := e.Stats(); s.Handshakes != 1 || s.HandshakesFailed != 0 {
				t.Errorf("stats %+v", s)
			}
			eventually(t, "nobody is blocked", func() bool { return e.Stats().Blocked == 0 })
		})
	}
}

func TestTLSByteByByte(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			e, _ := startSecure(t, nil)
			c := dialTLS(t, e, clientTLS(version), func(n net.Conn) net.Conn { return dribble{n} }).upgrade()
			c.sendText(ws.Binary, "echo:a")
			c.sendText(ws.Binary, "echo:b")
			c.want(ws.Binary, "a")
			c.want(ws.Binary, "b")
		})
	}
}

// The client's end of the handshake, its request, and three records of messages in one segment.
func TestTLSDataWithTheLastFlight(t *testing.T) {
	e, _ := startSecure(t, nil)
	var h *holder
	c := dialTLS(t, e, clientTLS(tls.VersionTLS13), func(n net.Conn) net.Conn { h = &holder{Conn: n}; return h })
	c.send([]byte(upgradeRequest))
	for _, s := range []string{"echo:1", "echo:2", "echo:3"} {
		c.sendText(ws.Binary, s)
	}
	if err := h.release(); err != nil {
		t.Fatal(err)
	}
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 101") {
		t.Fatalf("got %q", head)
	}
	for _, s := range []string{"1", "2", "3"} {
		c.want(ws.Binary, s)
	}
}

func TestTLSResumes(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			e, _ := startSecure(t, nil)
			config := clientTLS(version)
			config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
			for i := range 3 {
				c := dialTLS(t, e, config, nil).upgrade() // what is read brings the ticket along
				if got := c.Conn.(*tls.Conn).ConnectionState(); got.DidResume != (i > 0) {
					t.Errorf("connection %d resumed: %v", i, got.DidResume)
				}
				_ = c.Close()
			}
			if s := e.Stats(); s.Handshakes != 3 || s.Resumed != 2 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

func TestTLSProtocolNegotiation(t *testing.T) {
	e, _ := startSecure(t, nil)
	c := dialTLS(t, e, clientTLS(tls.VersionTLS13), nil)
	if p := c.Conn.(*tls.Conn).ConnectionState().NegotiatedProtocol; p != "http/1.1" {
		t.Errorf("negotiated %q", p)
	}
	for name, change := range map[string]func(*tls.Config){
		"only HTTP/2": func(c *tls.Config) { c.NextProtos = []string{"h2"} },
		"TLS 1.1":     func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 },
	} {
		config := clientTLS(tls.VersionTLS12)
		change(config)
		err := tls.Client(dial(t, e).Conn, config).Handshake()
		if err == nil || !strings.Contains(err.Error(), "remote error") {
			t.Errorf("%s: %v, want an alert", name, err)
		}
	}
	eventually(t, "both are counted", func() bool { return e.Stats().HandshakesFailed == 2 })
}

func TestPlainOnTheTLSPort(t *testing.T) {
	e, _ := startSecure(t, nil)
	c := dial(t, e)
	c.send([]byte("GET /health-check HTTP/1.1\r\nHost: h\r\n\r\n"))
	answer, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != 400 || !answer.Close || string(body) != wrongPortMessage {
		t.Errorf("got %v %q", answer, body)
	}
	if _, err := c.r.ReadByte(); err != io.EOF {
		t.Errorf("after the answer: %v, want the end", err)
	}
	garbage := dial(t, e)
	garbage.send([]byte{0, 1, 2})
	if _, err := garbage.r.ReadByte(); err == nil {
		t.Error("garbage was answered")
	}
	if n := e.Stats().WrongProtocol; n != 2 {
		t.Errorf("%d counted, want 2", n)
	}
}

func TestTLSOnThePlainPort(t *testing.T) {
	e, _ := startHub(t, nil)
	err := tls.Client(dial(t, e).Conn, clientTLS(tls.VersionTLS13)).Handshake()
	var alert tls.AlertError
	var op *net.OpError
	if !errors.As(err, &alert) && (!errors.As(err, &op) || op.Op != "remote error") {
		t.Errorf("got %v, want an alert", err)
	}
	if n := e.Stats().WrongProtocol; n != 1 {
		t.Errorf("%d counted, want 1", n)
	}
}

// clientHello returns the first bytes that a client sends.
func clientHello(t *testing.T) []byte {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	go func() { // ends when here is closed
		_ = tls.Client(there, clientTLS(tls.VersionTLS13)).Handshake()
		_ = there.Close()
	}()
	b := make([]byte, 16<<10)
	n, err := here.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// Clients that begin a handshake and fall silent make way, and hold up nobody.
func TestSilentHandshakesMakeWay(t *testing.T) {
	e, _ := startSecure(t, func(o *Options) { o.HandshakesMax, o.Loops = 4, 1 })
	hello := clientHello(t)
	var silent []*client
	for range 20 {
		c := dial(t, e)
		c.send(hello)
		var answered [1]byte
		if _, err := io.ReadFull(c.r, answered[:]); err != nil { // so it waits for its client now
			t.Fatal(err)
		}
		silent = append(silent, c)
	}
	for range 20 { // these have no goroutine at all
		c := dial(t, e)
		c.send(hello[:len(hello)-1])
		silent = append(silent, c)
	}
	for range 5 {
		c := dialWSS(t, e, tls.VersionTLS13)
		c.sendText(ws.Binary, "echo:x")
		c.want(ws.Binary, "x")
	}
	// 16 silent ones had to go for their like, and one for the first who was serious.
	if s := e.Stats(); s.HandshakesShed < 16 || s.HandshakesShed > 21 || s.HandshakeTimeouts != 0 {
		t.Errorf("stats %+v", s)
	}
	for _, c := range silent {
		_ = c.Close()
	}
	awaitNoHandshakes(t, e)
}

// With everybody computing there is nobody to make way, and newcomers are refused.
func TestHandshakesAreShed(t *testing.T) {
	p := newHandshakes(2)
	if !p.admit() || !p.admit() || p.admit() {
		t.Fatal("two of three were to be admitted")
	}
	first, second := &handshake{more: make(chan struct{}, 1)}, &handshake{more: make(chan struct{}, 1)}
	p.acquire(first)
	p.pause(first)
	p.acquire(second)
	p.pause(second)
	if !p.admit() || !errors.Is(first.given(), errShed) || second.given() != nil {
		t.Fatal("the one that waited longest was to make way")
	}
	p.leave(first)
	p.resume(second)
	p.release(second)
	if p.admit() {
		t.Fatal("the room of the one that left was given away twice")
	}
	p.leave(second)
	if !p.admit() || p.waiting.Len() != 0 {
		t.Fatal("there was room again")
	}
}

func awaitNoHandshakes(t *testing.T, e *Engine) {
	t.Helper()
	eventually(t, "no handshake is under way", func() bool {
		e.handshakes.mu.Lock()
		defer e.handshakes.mu.Unlock()
		return e.handshakes.underWay == 0 && e.handshakes.waiting.Len() == 0 && len(e.handshakes.compute) == 0 && e.unsecured.used.Load() == 0
	})
}

func TestHandshakeTimeout(t *testing.T) {
	e, _ := startSecure(t, func(o *Options) { o.HandshakeTimeout = 200 * time.Millisecond })
	hello := clientHello(t)
	for _, sent := range [][]byte{nil, hello[:3], hello[:100], hello} {
		c := dial(t, e)
		c.send(sent)
		_, _ = io.Copy(io.Discard, c.r) // to its end, in whatever way; for ever would fail by the deadline below
	}
	if n := e.Stats().HandshakeTimeouts; n != 4 {
		t.Errorf("%d timeouts, want 4", n)
	}
	awaitNoHandshakes(t, e)
}

// What a client sends while its handshake waits for CPU is bounded.
func TestTooMuchBeforeTheHandshakeIsDone(t *testing.T) {
	e, _ := startSecure(t, nil)
	for range cap(e.handshakes.compute) { // everybody computes
		e.handshakes.compute <- struct{}{}
	}
	c := dial(t, e)
	c.send(clientHello(t))
	c.send(make([]byte, handshakeBytesMax/2))
	eventually(t, "half of what is possible has arrived", func() bool { return e.unsecured.used.Load() > handshakeBytesMax/2 })
	if s := e.Stats(); s.HandshakesShed != 0 || s.Connections() != 1 {
		t.Errorf("stats %+v", s)
	}
	_, _ = c.Write(make([]byte, handshakeBytesMax/2))
	eventually(t, "it is refused", func() bool { s := e.Stats(); return s.HandshakesShed == 1 && s.Connections() == 0 })
	for range cap(e.handshakes.compute) {
		<-e.handshakes.compute
	}
	awaitNoHandshakes(t, e)
}

// And so is what all of them send.
func TestTooMuchBeforeAllHandshakes(t *testing.T) {
	e, _ := startSecure(t, nil)
	e.unsecured.add(handshakesBytesMax - 100)
	c := dial(t, e)
	c.send(clientHello(t)[:50])
	eventually(t, "it is taken", func() bool { return e.unsecured.used.Load() > handshakesBytesMax-100 })
	d := dial(t, e)
	d.send(clientHello(t)[:60])
	if _, err := d.r.ReadByte(); err == nil {
		t.Error("the bytes of another one were taken")
	}
	if n := e.Stats().HandshakesShed; n != 1 {
		t.Errorf("%d shed, want 1", n)
	}
	e.unsecured.add(100 - handshakesBytesMax)
	_ = c.Close()
	awaitNoHandshakes(t, e)
}

// The server says close_notify wherever it ends a connection in order.
func TestCloseNotify(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			e, hs := startSecure(t, nil)
			dialRecorded := func() (*client, *recorder) {
				var r *recorder
				c := dialTLS(t, e, clientTLS(version), func(n net.Conn) net.Conn { r = &recorder{Conn: n}; return r }).upgrade()
				return c, r
			}
			end := func(after string, c *client, r *recorder) {
				t.Helper()
				if _, err := c.r.ReadByte(); err != io.EOF || !r.saidBye() {
					t.Errorf("after %s: %v, close_notify %v", after, err, r.saidBye())
				}
			}
			asked, r := dialRecorded()
			asked.sendText(ws.Close, "\x03\xe8bye")
			asked.wantClose(ws.CloseNormal)
			end("our close frame", asked, r)

			half, r := dialRecorded()
			half.sendText(ws.Binary, "echo:last")
			if err := half.Conn.(*tls.Conn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			half.want(ws.Binary, "last")
			end("our close_notify", half, r)

			fin, r := dialRecorded()
			fin.sendText(ws.Binary, "echo:last")
			if err := r.Conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			fin.want(ws.Binary, "last")
			end("our FIN", fin, r)
			eventually(t, "the handler is told of all", func() bool {
				hs.mu.Lock()
				defer hs.mu.Unlock()
				return hs.closed == 3
			})
		})
	}
}

func TestStopOverTLS(t *testing.T) {
	e, _ := startSecure(t, nil)
	var clients []*client
	for range 10 {
		clients = append(clients, dialWSS(t, e, tls.VersionTLS13))
	}
	unfinished := dial(t, e)
	unfinished.send(clientHello(t))
	clients[0].sendText(ws.Binary, "all:last words")
	for _, c := range clients {
		c.want(ws.Binary, "last words")
	}
	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		stopped <- e.Stop(ctx)
	}()
	for _, c := range clients {
		c.wantClose(ws.CloseGoingAway)
		if _, err := c.Conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after the goodbye: %v, want a clean end", err)
		}
		_ = c.Close()
	}
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	awaitNoHandshakes(t, e)
}

// A reader that is slow gets everything, in order, out of its backlog; one that stalls is cut off.
func TestSlowReadersOverTLS(t *testing.T) {
	e, _ := startSecure(t, func(o *Options) { o.OutboundBytesMax = 32 << 20 })
	slow := dialTLS(t, e, clientTLS(tls.VersionTLS13), func(n net.Conn) net.Conn {
		_ = n.(*net.TCPConn).SetReadBuffer(64 << 10)
		return n
	}).upgrade()
	publisher := dialWSS(t, e, tls.VersionTLS12)
	sent := 0
	for ; e.Stats().Blocked == 0 || sent%1000 != 0; sent++ {
		payload := fmt.Sprintf("%07d", sent) + strings.Repeat("s", 100+sent%4000)
		publisher.sendText(ws.Binary, "all:"+payload)
		publisher.want(ws.Binary, payload)
	}
	for i := range sent {
		slow.want(ws.Binary, fmt.Sprintf("%07d", i)+strings.Repeat("s", 100+i%4000))
	}
	eventually(t, "nobody is blocked", func() bool { return e.Stats().Blocked == 0 })

	stalled, hs := startSecure(t, func(o *Options) { o.OutboundBytesMax = 256 << 10 })
	dialWSS(t, stalled, tls.VersionTLS13)
	publisher = dialWSS(t, stalled, tls.VersionTLS13)
	payload := strings.Repeat("y", 4000)
	for n := 0; stalled.Stats().SlowClosed == 0; n++ {
		if n > 20_000 {
			t.Fatal("80 MB went to somebody who does not read")
		}
		publisher.sendText(ws.Binary, "all:"+payload)
		publisher.want(ws.Binary, payload)
	}
	eventually(t, "the handler is told", func() bool {
		hs.mu.Lock()
		defer hs.mu.Unlock()
		return hs.closed == 1
	})
}

func TestBrokenRecords(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			e, _ := startSecure(t, nil)
			c := dialWSS(t, e, version)
			under := c.Conn.(*tls.Conn).NetConn()
			if _, err := under.Write(append([]byte{23, 3, 3, 0, 40}, make([]byte, 40)...)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.r.ReadByte(); err == nil || !strings.Contains(err.Error(), "bad record MAC") {
				t.Errorf("got %v, want bad_record_mac", err)
			}
			eventually(t, "it is gone", func() bool { s := e.Stats(); return s.Connections() == 0 && s.ProtocolErrors == 1 })
		})
	}
}

// Nothing is left of connections that end anywhere, and no goroutine of those that stay.
func TestTLSLeavesNothingBehind(t *testing.T) {
	e, _ := startSecure(t, nil)
	hello := clientHello(t)
	for cut := range len(hello) / 50 {
		c := dial(t, e)
		c.send(hello[:cut*50])
		_ = c.Close()
	}
	for i := range 30 {
		c := dial(t, e)
		c.send(hello)
		if i%2 == 0 {
			_ = c.Conn.(*net.TCPConn).SetLinger(0)
		}
		_ = c.Close()
		w := dialWSS(t, e, tls.VersionTLS13)
		_, _ = w.Conn.(*tls.Conn).NetConn().Write([]byte{23, 3, 3, 1, 0, 9})
		_ = w.Conn.(*tls.Conn).NetConn().Close()
	}
	eventually(t, "everybody is gone", func() bool { return e.conns.Load() == 0 })
	awaitNoHandshakes(t, e)
	before := runtime.NumGoroutine()
	var idle []*client
	for range 50 {
		idle = append(idle, dialWSS(t, e, tls.VersionTLS13))
	}
	awaitNoHandshakes(t, e)
	eventually(t, "no goroutines per connection", func() bool { return runtime.NumGoroutine() <= before+5 })
	for _, c := range idle {
		_ = c.Close()
	}
	eventually(t, "everybody is gone again", func() bool { return e.conns.Load() == 0 })
}
