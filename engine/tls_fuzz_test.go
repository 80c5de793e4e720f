package engine

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"deepstream-fast/codec/ws"
	"deepstream-fast/protocol"
)

// FuzzTLS sends garbage to a TLS port: instead of a handshake, behind a ClientHello, and as records
// behind a handshake. The server must let go of the connection, and serve the next one.
func FuzzTLS(f *testing.F) {
	here, there := net.Pipe()
	go func() { _ = tls.Client(there, clientTLS(tls.VersionTLS13)).Handshake() }() // ends when here is closed
	hello := make([]byte, 16<<10)
	n, err := here.Read(hello)
	if err != nil {
		f.Fatal(err)
	}
	_ = here.Close()
	hello = hello[:n]

	for where := range uint8(3) {
		f.Add(where, []byte{})
		f.Add(where, []byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
		f.Add(where, hello)
		f.Add(where, hello[:50])
		f.Add(where, []byte{22, 3, 1, 0, 1, 1, 22, 3, 1, 0, 0, 22, 3, 1, 0xff, 0xff})
		f.Add(where, bytes.Repeat([]byte{20, 3, 3, 0, 1, 1}, 40))       // change_cipher_spec
		f.Add(where, bytes.Repeat([]byte{21, 3, 3, 0, 2, 1, 0}, 20))    // close_notify in the clear
		f.Add(where, append([]byte{23, 3, 3, 0, 30}, hello[:40]...))    // data nobody can read
		f.Add(where, append([]byte{23, 3, 3, 0x48, 1}, hello[:400]...)) // a record too large
		f.Add(where, []byte("PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n"))
	}
	e := startForFuzzing(f)
	f.Fuzz(func(t *testing.T, where uint8, input []byte) {
		c := dial(t, e)
		switch where % 3 {
		case 1:
			_, _ = c.Write(hello)
		case 2:
			secured := tls.Client(c.Conn, clientTLS(tls.VersionTLS13+uint16(where/3%2)-1))
			if err := secured.Handshake(); err != nil {
				t.Fatalf("a good handshake: %v", err)
			}
		}
		_, _ = c.Write(input)
		_ = c.Conn.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, c.Conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the server does not let go")
		}
		if n := e.Stats().Panics; n != 0 {
			t.Fatalf("%d panics", n)
		}
		awaitNoHandshakes(t, e)
	})
}

// startForFuzzing returns a server of one loop whose handler does nothing.
func startForFuzzing(f *testing.F) *Engine {
	e, err := Start(Options{
		Host: "127.0.0.1", Loops: 1, TLS: serverTLS(), CloseTimeout: 100 * time.Millisecond,
		Upgrade:    func(*ws.Head) int { return 0 },
		HTTP:       func(*ws.Head) Response { return Response{Status: 200} },
		NewHandler: func(l *Loop) Handler { return &hub{l: l, hubs: &hubs{}, conns: map[protocol.ConnID]*Conn{}} },
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = e.Stop(ctx)
	})
	return e
}
