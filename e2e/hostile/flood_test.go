package hostile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"deepstream-fast/codec"
	"deepstream-fast/codec/ws"
	"deepstream-fast/protocol"
)

// attack is something many strangers do to the server while the innocents go on.
type attack struct {
	name  string
	setup setup
	worst time.Duration // an innocent delivery may take
	run   func(t *testing.T, s *server)
}

// scale divides the size of floods under instrumentation, which is slow.
func scale(n int) int {
	if instrumented {
		return n / 20
	}
	return n
}

func TestAttacksHurtNoInnocents(t *testing.T) {
	for _, a := range attacks {
		t.Run(a.name, a.stage)
	}
}

// stage runs an attack beside innocents.
func (a attack) stage(t *testing.T) {
	s := start(t, a.setup)
	before, _ := s.memory()
	files := s.files()
	in := s.innocents(t)
	t.Run("attack", func(t *testing.T) { a.run(t, s) }) // its end closes its connections
	in.end(a.worst)
	s.login(t, "").alive()
	s.memoryReturns(t, before, files+16)
}

var attacks = []attack{
	{"half-open upgrades", setup{}, time.Second, func(t *testing.T, s *server) {
		for range scale(9000) {
			s.dial(t).send([]byte(upgradeRequest[:len(upgradeRequest)-2]))
		}
	}},
	{"heads that drip", setup{}, time.Second, func(t *testing.T, s *server) {
		var conns []*client
		for range 200 {
			conns = append(conns, s.dial(t))
		}
		for _, b := range []byte(upgradeRequest[:60]) {
			for _, c := range conns {
				c.send([]byte{b})
			}
		}
	}},
	{"killed mid-frame", setup{}, time.Second, func(t *testing.T, s *server) {
		half := frameOf(emit("e", fmt.Sprintf("%q", strings.Repeat("x", 100_000))))
		for range scale(500) {
			c := s.login(t, "")
			c.send(half[:rand.N(len(half))])
			_ = c.Conn.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
	}},
	{"garbage", setup{}, time.Second, func(t *testing.T, s *server) {
		rnd := rand.NewChaCha8([32]byte{1})
		b := make([]byte, mib)
		_, _ = rnd.Read(b)
		for i := range 60 {
			c := s.dial(t)
			switch i % 3 {
			case 0: // instead of a head
				_, _ = c.Write(b)
			case 1: // instead of frames
				_ = c.tryUpgrade()
				_, _ = c.Write(b)
			case 2: // instead of messages
				_ = c.tryUpgrade()
				_, _ = c.Write(maskedFrame(ws.Binary, b[i:i+100_000]))
			}
			_ = c.Close()
		}
	}},
	{"empty fragments", setup{}, time.Second, func(t *testing.T, s *server) {
		c := s.login(t, "")
		c.send([]byte{0x02, 0x80, 0, 0, 0, 0})
		c.send(bytes.Repeat([]byte{0x00, 0x80, 0, 0, 0, 0}, scale(1_000_000)))
		c.send([]byte{0x80, 0x80, 0, 0, 0, 0})
		c.alive()
	}},
	{"large headers that stall", setup{}, time.Second, func(t *testing.T, s *server) {
		head := append(binary.BigEndian.AppendUint64([]byte{0x82, 0x80 | 127}, 16*mib), mask[:]...)
		p := codec.Append(nil, subscribeTo("a"))
		for range 1000 {
			c := s.login(t, "")
			c.send(append(head[:len(head):len(head)], p...))
		}
	}},
	{"ping flood", setup{}, time.Second, func(t *testing.T, s *server) {
		c := s.login(t, "")
		go func() { _, _ = c.Write(bytes.Repeat(maskedFrame(ws.Ping, []byte("p")), scale(500_000))) }() // ends with c
		for range scale(500_000) {
			if op, _, err := c.frame(); err != nil || op != ws.Pong {
				t.Fatal(op, err)
			}
		}
	}},
	{"close flood", setup{}, time.Second, func(t *testing.T, s *server) {
		for range scale(3000) { // and lingers
			c := s.upgrade(t)
			c.send(bytes.Repeat(maskedFrame(ws.Close, []byte{0x03, 0xe8}), 20))
		}
	}},
	{"bad frames that linger", setup{}, time.Second, func(t *testing.T, s *server) {
		for range scale(6000) {
			s.upgrade(t).send([]byte{0xff, 0xff})
		}
	}},
	{"connection storm", setup{}, time.Second, func(t *testing.T, s *server) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range scale(2000) {
					if c, err := net.DialTimeout("tcp", s.addr, patience); err == nil {
						_ = c.(*net.TCPConn).SetLinger(0)
						_ = c.Close()
					}
				}
			})
		}
		wg.Wait()
	}},
	{"reconnects in the middle of a fan-out", setup{}, time.Second, func(t *testing.T, s *server) {
		pub := s.login(t, "")
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			b := frameOf(emit("fan", `"`+strings.Repeat("x", 2000)+`"`))
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := pub.Write(b); err != nil {
					t.Error(err)
					return
				}
			}
		})
		for i := range scale(1500) {
			c := s.login(t, "u"+fmt.Sprint(i%50))
			c.sendMessages(subscribeTo("fan", "fan2"))
			if i%2 == 0 {
				_ = c.Conn.(*net.TCPConn).SetLinger(0)
			}
			_ = c.Close()
		}
		close(stop)
		wg.Wait()
	}},
	{"subscribers that never read", setup{}, time.Second, func(t *testing.T, s *server) {
		var subs []*client
		for range 100 {
			c := s.login(t, "")
			c.subscribe("never")
			subs = append(subs, c)
		}
		pub := s.login(t, "")
		for range scale(300) {
			pub.sendMessages(emit("never", `"`+strings.Repeat("x", 30_000)+`"`))
		}
		pub.alive()
		for _, c := range subs {
			_ = c.Close()
		}
	}},
	{"a million names", setup{}, 2 * time.Second, func(t *testing.T, s *server) {
		c := s.login(t, "")
		began := time.Now()
		c.subscribe(numbered("n", scale(1_000_000))...)
		t.Logf("subscribed after %v", time.Since(began))
	}},
	{"duplicate names", setup{}, time.Second, func(t *testing.T, s *server) {
		c := s.login(t, "")
		names := make([]string, 100_000)
		for i := range names {
			names[i] = "the same name over and over again"
		}
		c.sendMessages(subscribeTo(names...))
		for range len(names) - 1 {
			c.want(protocol.TopicEvent, protocol.EventMultipleSubscriptions)
		}
		c.want(protocol.TopicEvent, protocol.EventSubscribe)
	}},
	{"long names", setup{}, time.Second, func(t *testing.T, s *server) {
		c := s.login(t, "")
		var names []string
		for i := range 200 {
			names = append(names, fmt.Sprint(i, strings.Repeat("n", 60<<10)))
		}
		c.subscribe(names...)
		pub := s.login(t, "")
		pub.sendMessages(emit(names[7], "7"))
		if m := c.want(protocol.TopicEvent, protocol.EventEmit); string(m.Name) != names[7] {
			t.Errorf("got %d bytes of name", len(m.Name))
		}
	}},
	{"odd JSON", setup{}, time.Second, func(t *testing.T, s *server) {
		sub, pub := s.login(t, ""), s.login(t, "")
		sub.subscribe("json")
		deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
		for _, bad := range []string{deep(400_000), "NaN", strings.Repeat("[", 1_000_000), "", "{\"a\":1,}", "\"\xff\n\""} {
			pub.sendMessages(emit("json", bad))
		}
		for _, good := range []string{deep(1000), strings.Repeat("9", 1_000_000), "-1e999999999", `"` + strings.Repeat("x", 1_000_000) + `"`} {
			pub.sendMessages(emit("json", good))
			if m := sub.want(protocol.TopicEvent, protocol.EventEmit); string(m.Data) != good {
				t.Fatalf("got %.50s, want %.50s", m.Data, good)
			}
		}
		pub.alive()
	}},
	{"calls nobody answers", setup{root: "[rpc]\nackTimeout = 200\nresponseTimeout = 400"}, time.Second, func(t *testing.T, s *server) {
		callStorm(t, s, func(m *protocol.Message) []*protocol.Message { return nil }, protocol.RPCAcceptTimeout)
	}},
	{"calls answered twice", setup{}, time.Second, func(t *testing.T, s *server) {
		callStorm(t, s, func(m *protocol.Message) []*protocol.Message {
			r := &protocol.Message{Topic: protocol.TopicRPC, Action: protocol.RPCResponse, Name: m.Name, CorrelationID: m.CorrelationID, Data: []byte("1")}
			return []*protocol.Message{r, r, r}
		}, protocol.RPCResponse)
	}},
	{"calls rejected for ever", setup{}, time.Second, func(t *testing.T, s *server) {
		callStorm(t, s, func(m *protocol.Message) []*protocol.Message {
			r := &protocol.Message{Topic: protocol.TopicRPC, Action: protocol.RPCReject, Name: m.Name, CorrelationID: m.CorrelationID}
			return []*protocol.Message{r, r}
		}, protocol.RPCNoRPCProvider)
	}},
	{"text frames", setup{}, time.Second, func(t *testing.T, s *server) {
		for range 50 {
			c := s.upgrade(t)
			c.send(maskedFrame(ws.Text, []byte("{}")))
			c.wantClose(1003)
		}
	}},
}

// callStorm makes many calls to two providers and expects each to end with the given action.
func callStorm(t *testing.T, s *server, answer func(*protocol.Message) []*protocol.Message, end protocol.Action) {
	t.Helper()
	calls := scale(10_000)
	const names = 8 // on every home
	for range 2 {
		p := s.login(t, "")
		p.sendMessages(&protocol.Message{Topic: protocol.TopicRPC, Action: protocol.RPCProvide, CorrelationID: []byte("p"), Names: list(numbered("rpc", names))})
		p.want(protocol.TopicRPC, protocol.RPCProvide)
		go func() { // ends with p, when the test closes it
			for {
				m, err := p.await(protocol.TopicRPC, protocol.RPCRequest)
				if err != nil {
					return
				}
				if r := answer(m); r != nil {
					if _, err := p.Write(frameOf(r...)); err != nil {
						return
					}
				}
			}
		}()
	}
	c := s.login(t, "")
	go func() { // ends with the last call
		for i := range calls {
			m := &protocol.Message{Topic: protocol.TopicRPC, Action: protocol.RPCRequest, Name: fmt.Append(nil, "rpc", i%names), CorrelationID: fmt.Append(nil, "c", i), Data: []byte("1")}
			if _, err := c.Write(frameOf(m)); err != nil {
				return
			}
		}
	}()
	for i := range calls {
		if _, err := c.await(protocol.TopicRPC, end); err != nil {
			t.Fatalf("after %d of %d calls: %v", i, calls, err)
		}
	}
}
