package hostile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"deepstream-fast/codec/ws"
	"deepstream-fast/protocol"
)

func TestOddRequests(t *testing.T) {
	s := start(t, setup{})
	upgrade := func(extra string) string {
		return strings.TrimSuffix(upgradeRequest, "\r\n") + extra + "\r\n"
	}
	health := "GET /health-check HTTP/1.1\r\nHost: h\r\n"
	for _, test := range []struct {
		name, request string
		answers       []string // beginnings of the responses, in order; the last one closes unless it is a 101
	}{
		{"permessage-deflate offer", upgrade("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"), []string{"HTTP/1.1 101"}},
		{"subprotocol offer", upgrade("Sec-WebSocket-Protocol: mqtt, chat\r\n"), []string{"HTTP/1.1 101"}},
		{"upgrade with a body", upgrade("Content-Length: 5\r\n"), []string{"HTTP/1.1 400"}},
		{"upgrade of HTTP/1.0", strings.Replace(upgradeRequest, "HTTP/1.1", "HTTP/1.0", 1), []string{"HTTP/1.1 505"}},
		{"wrong version", strings.Replace(upgradeRequest, "Version: 13", "Version: 8", 1), []string{"HTTP/1.1 426"}},
		{"wrong path", strings.Replace(upgradeRequest, "/deepstream", "/elsewhere", 1), []string{"HTTP/1.1 404"}},
		{"pipelined", health + "\r\n" + health + "\r\n" + health + "Connection: close\r\n\r\n", []string{"HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 200"}},
		{"smuggled by length", health + "Content-Length: 30\r\n\r\n" + health + "\r\n", []string{"HTTP/1.1 200"}},
		{"smuggled by chunks", health + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n" + health + "\r\n", []string{"HTTP/1.1 400"}},
		{"two hosts", health + "Host: other\r\n\r\n", []string{"HTTP/1.1 400"}},
		{"folded line", health + "X: 1\r\n Content-Length: 5\r\n\r\n", []string{"HTTP/1.1 400"}},
		{"bare line feeds", "GET /health-check HTTP/1.1\nHost: h\n\n\r\n\r\n", []string{"HTTP/1.1 400"}},
		{"blank before colon", health + "Content-Length : 5\r\n\r\n", []string{"HTTP/1.1 400"}},
		{"PROXY line", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + health + "\r\n", []string{"HTTP/1.1 400"}},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []string{"HTTP/1.1 "}},
		{"large head", health + "X: " + strings.Repeat("x", 9000) + "\r\n\r\n", []string{"HTTP/1.1 431"}},
		{"many fields", health + strings.Repeat("a: b\r\n", 200) + "\r\n", []string{"HTTP/1.1 431"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := s.dial(t)
			c.send([]byte(test.request))
			last := ""
			for _, want := range test.answers {
				head, err := c.head()
				if err != nil || !strings.HasPrefix(head, want) {
					t.Fatalf("answered %q, %v; want %q", head, err, want)
				}
				last = head
				for _, never := range []string{"Extensions:", "Protocol:"} {
					if strings.Contains(head, "Sec-WebSocket-"+never) {
						t.Errorf("negotiated what nobody here speaks: %q", head)
					}
				}
			}
			if strings.HasPrefix(last, "HTTP/1.1 101") {
				c.sendMessages(&protocol.Message{Topic: protocol.TopicConnection, Action: protocol.ConnectionChallenge, URL: []byte("x")})
				c.want(protocol.TopicConnection, protocol.ConnectionAccept)
				return
			}
			rest, err := io.ReadAll(c.r)
			if err != nil && !errors.Is(err, syscall.ECONNRESET) || bytes.Contains(rest, []byte("HTTP/1.1")) {
				t.Errorf("behind the last answer: %q, %v", rest, err)
			}
		})
	}
	s.login(t, "").alive()
}

func TestTLSClientHello(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	c := s.dial(t)
	c.send([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x00", 500)))
	_ = c.SetReadDeadline(time.Now().Add(8 * time.Second))
	if _, err := io.ReadAll(c.r); err != nil {
		t.Errorf("still open after 8 s: %v", err)
	}
}

func TestBadFrames(t *testing.T) {
	s := start(t, setup{})
	for name, test := range map[string]struct {
		bytes []byte
		code  int
	}{
		"unmasked":              {[]byte{0x82, 0x01, 'x'}, 1002},
		"reserved bit":          {[]byte{0xc2, 0x80, 0, 0, 0, 0}, 1002},
		"reserved opcode":       {[]byte{0x83, 0x80, 0, 0, 0, 0}, 1002},
		"fragmented ping":       {[]byte{0x09, 0x80, 0, 0, 0, 0}, 1002},
		"long ping":             {[]byte{0x89, 0xfe, 0, 126, 0, 0, 0, 0}, 1002},
		"orphan continuation":   {[]byte{0x80, 0x80, 0, 0, 0, 0}, 1002},
		"63-bit length":         {[]byte{0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, 1009},
		"64-bit length":         {[]byte{0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, 1002},
		"long form of 1":        {[]byte{0x82, 0xfe, 0, 1, 0, 0, 0, 0, 0}, 1002},
		"close with one byte":   {maskedFrame(ws.Close, []byte{3}), 1002},
		"close with code 1005":  {maskedFrame(ws.Close, []byte{3, 0xed}), 1002},
		"text of invalid UTF-8": {maskedFrame(ws.Text, []byte{0xff}), 1003},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.login(t, "")
			c.send(test.bytes)
			c.wantClose(test.code)
		})
	}
}

func TestPortInUse(t *testing.T) {
	s := start(t, setup{})
	in := s.innocents(t)
	_, port, _ := net.SplitHostPort(s.addr)
	second := launch(t, setup{http: "port = " + port})
	second.wantExit(1)
	if log := second.log.String(); !strings.Contains(log, "address already in use") || !strings.Contains(log, port) {
		t.Errorf("the reason is not clear: %s", log)
	}
	in.end(time.Second)
}

func TestWrongConfiguration(t *testing.T) {
	for name, test := range map[string]struct {
		setup setup
		want  string
	}{
		"unknown key":        {setup{http: "maxBackpresure = 5"}, "maxBackpressure"},
		"not TOML":           {setup{root: "= ="}, "conf.toml"},
		"out of range":       {setup{websocket: `maxMessageSize = "2GiB"`}, "maxMessageSize"},
		"host nobody has":    {setup{host: "203.0.113.77"}, "203.0.113.77"},
		"too many conns":     {setup{http: "maxConnections = 16777216", files: 300}, "maxConnections"},
		"listening patterns": {setup{root: "[listen]\nmaxPatternLength = 0"}, "maxPatternLength"},
		"rematch interval":   {setup{root: "[listen]\nrematchInterval = \"x\""}, "rematchInterval"},
	} {
		t.Run(name, func(t *testing.T) {
			s := launch(t, test.setup)
			s.wantExit(1)
			if log := s.log.String(); !strings.Contains(log, test.want) || strings.Contains(log, "goroutine ") {
				t.Errorf("%q is not in the answer: %s", test.want, log)
			}
		})
	}
}

func TestIPv6(t *testing.T) {
	for host, dial := range map[string][]string{"::1": {"::1"}, "::": {"::1", "127.0.0.1"}, "localhost": {"localhost"}} {
		t.Run(host, func(t *testing.T) {
			s := start(t, setup{host: host})
			_, port, _ := net.SplitHostPort(s.addr)
			for _, d := range dial {
				s.addr = net.JoinHostPort(d, port)
				s.login(t, "").alive()
			}
		})
	}
}

// Under load, SIGTERM delivers what was acknowledged, says 1001 and ends with 0.
func TestShutdownUnderLoad(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	const subs = 50
	done := make(chan error, subs)
	for range subs {
		c := s.login(t, "")
		c.subscribe("load")
		go func() { // ends with the connection
			for seq := 0; ; seq++ {
				m, err := c.next()
				var cl closed
				switch {
				case errors.As(err, &cl) && cl.code == 1001:
					done <- nil
					return
				case err != nil:
					done <- fmt.Errorf("after %d events: %w", seq, err)
					return
				case string(m.Data) != fmt.Sprint(seq):
					done <- fmt.Errorf("got event %s, want %d", m.Data, seq)
					return
				}
			}
		}()
	}
	pub := s.login(t, "")
	go func() { // ends when the server hangs up
		pace := time.NewTicker(100 * time.Microsecond) // so that readers without a CPU of their own keep up
		defer pace.Stop()
		for i := 0; ; i++ {
			<-pace.C
			if _, err := pub.Write(frameOf(emit("load", fmt.Sprint(i)))); err != nil {
				return
			}
		}
	}()
	<-time.After(200 * time.Millisecond)
	began := time.Now()
	s.signal(syscall.SIGTERM)
	for range subs {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	s.wantExit(0)
	t.Logf("gone after %v", time.Since(began))
	if time.Since(began) > 6*time.Second {
		t.Errorf("shutdown took %v", time.Since(began))
	}
}

// Clients that never answer the close do not hold up a shutdown for longer than its limit.
func TestShutdownOfTheDeaf(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for range 100 {
		s.login(t, "").subscribe("e")
		s.dial(t)
	}
	began := time.Now()
	s.signal(syscall.SIGTERM)
	s.wantExit(0)
	t.Logf("gone after %v", time.Since(began))
}

func TestSecondSignal(t *testing.T) {
	s := launch(t, setup{})
	s.awaitListening()
	for range 20 {
		s.login(t, "")
	}
	s.signal(syscall.SIGTERM)
	eventually(t, "the shutdown begins", func() bool { return strings.Contains(s.log.String(), "shutting down") })
	began := time.Now()
	s.signal(syscall.SIGTERM)
	s.wantExit(1)
	if took := time.Since(began); took > 4*time.Second { // less than the shutdown may take
		t.Errorf("took %v", took)
	}
}

// shutdownTimeout is a promise: it holds when a loop has no time to listen.
func TestShutdownOfABusyLoop(t *testing.T) {
	s := launch(t, setup{shutdown: "1s"})
	s.awaitListening()
	c := s.bomb(t, scale(3000))
	_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	_, err := c.await(protocol.TopicEvent, protocol.EventSubscribe)
	t.Logf("when the signal comes, the subscriber has: %v", err)
	s.signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(3 * time.Second):
		t.Errorf("still there after 3 s, with a shutdownTimeout of 1 s:\n%s", tail(s.log.String()))
	}
}
