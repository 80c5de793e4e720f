package engine

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"deepstream-fast/codec/ws"
)

// oneConn is a listener with one connection.
type oneConn chan net.Conn

func (l oneConn) Accept() (net.Conn, error) {
	if c, ok := <-l; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l oneConn) Close() error   { return nil }
func (l oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// net/http goes on with a connection in the middle of its stream: behind bytes that were read already,
// records that had arrived with them, and a record of which only a part had.
func TestDetachTLS(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			e, hs := startSecure(t, nil)
			var h *holder
			c := dialTLS(t, e, clientTLS(version), func(n net.Conn) net.Conn { h = &holder{Conn: n, open: true}; return h }).upgrade()
			request := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n" }
			h.open = false
			c.sendText(ws.Binary, "detach:"+request("/read")[:20])
			c.send([]byte(request("/read")[20:]))
			c.send([]byte(request("/arrived")))
			whole := len(h.held)
			c.send([]byte(request("/partly")))
			cut := whole + (len(h.held)-whole)/2
			rest := h.held[cut:]
			h.held = h.held[:cut]
			if err := h.release(); err != nil {
				t.Fatal(err)
			}
			conn := <-hs.detached
			if conn.RemoteAddr().String() != h.Conn.LocalAddr().String() {
				t.Errorf("remote address %v", conn.RemoteAddr())
			}
			if _, err := h.Conn.Write(rest); err != nil {
				t.Fatal(err)
			}
			listener := make(oneConn, 1)
			listener <- conn
			close(listener)
			_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, "path "+r.URL.Path)
			}))
			c.send([]byte(request("/later")))
			answers := bufio.NewReader(c.Conn)
			for _, path := range []string{"/read", "/arrived", "/partly", "/later"} {
				answer, err := http.ReadResponse(answers, nil)
				if err != nil {
					t.Fatalf("%s: %v", path, err)
				}
				body, _ := io.ReadAll(answer.Body)
				if string(body) != "path "+path {
					t.Errorf("%s: got %q", path, body)
				}
			}
			eventually(t, "the engine has forgotten it", func() bool { return e.conns.Load() == 0 })
			_ = conn.Close()
			if _, err := answers.ReadByte(); err != io.EOF {
				t.Errorf("after its end: %v, want a clean one", err)
			}
		})
	}
}

// A connection that has not taken its answers stays where they are.
func TestDetachTLSRefusesTheSlow(t *testing.T) {
	e, _ := startSecure(t, nil)
	c := dialWSS(t, e, tls.VersionTLS13)
	_ = c.Conn.(*tls.Conn).NetConn().(*net.TCPConn).SetReadBuffer(64 << 10)
	c.sendText(ws.Binary, "big:8000000")
	eventually(t, "it is blocked", func() bool { return e.Stats().Blocked == 1 })
	for i := range e.loops {
		eventuallyOn(t, e, i, nil, func(l *Loop) bool {
			for _, slot := range l.blocked {
				if _, err := l.detachTLS(l.conns.at(slot), nil); err != ErrBehind {
					t.Errorf("got %v, want %v", err, ErrBehind)
				}
			}
			return true
		})
	}
	c.sendText(ws.Binary, "echo:"+strings.Repeat("z", 10))
	if f, err := c.next(); err != nil || len(f.payload) != 8_000_000 {
		t.Fatalf("%d bytes, %v", len(f.payload), err)
	}
	c.want(ws.Binary, strings.Repeat("z", 10))
}
