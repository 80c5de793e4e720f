package engine

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"deepstream-fast/codec/ws"
	"deepstream-fast/protocol"
)

// hub is a Handler for tests: messages are commands of one letter and an argument.
//
//	echo:x      comes back
//	all:x       goes to every connection of every loop
//	many:n:x    comes back n times
//	panic       panics
//	big:n       comes back as n bytes
//	remote      comes back as the peer's address
//	detach:x    goes to hubs.detached, with x as what was read already
//	wait        stops the loop until somebody has taken from hubs.waiting twice
type hub struct {
	l     *Loop
	hubs  *hubs
	conns map[protocol.ConnID]*Conn
	fired []uint64
}

// hubs is what the hubs of one engine share.
type hubs struct {
	mu       sync.Mutex
	byLoop   map[int]*hub
	opened   int
	closed   int
	released int
	class    Class // set before the start
	detached chan net.Conn
	waiting  chan struct{}
}

func (h *hub) Open(c *Conn, _ *ws.Handshake) {
	h.l.Trust(c)
	h.conns[c.ID()] = c
	h.hubs.mu.Lock()
	h.hubs.opened++
	h.hubs.mu.Unlock()
}

func (h *hub) Message(c *Conn, payload []byte, text bool) {
	cmd, arg, _ := strings.Cut(string(payload), ":")
	switch cmd {
	case "echo":
		h.l.Send(c, h.ofTurn(ws.AppendFrame(nil, ws.Binary, []byte(arg))), Reply)
	case "many":
		var n int
		var s string
		fmt.Sscanf(arg, "%d:%s", &n, &s)
		for range n {
			h.l.Send(c, h.ofTurn(ws.AppendFrame(nil, ws.Binary, []byte(s))), Reply)
		}
	case "big":
		var n int
		fmt.Sscanf(arg, "%d", &n)
		h.l.Send(c, ws.AppendFrame(nil, ws.Binary, make([]byte, n)), Reply)
	case "all":
		f := ws.AppendFrame(nil, ws.Binary, []byte(arg))
		h.deliver(f)
		for i := range h.l.engine.loops {
			if i != h.l.ID() {
				h.l.Post(i, Mail{Frame: f})
			}
		}
	case "remote":
		h.l.Send(c, ws.AppendFrame(nil, ws.Binary, []byte(c.RemoteAddr())), Reply)
	case "detach":
		conn, err := h.l.detachTLS(c, []byte(arg))
		if err != nil {
			panic(err)
		}
		h.hubs.detached <- conn
	case "wait":
		h.hubs.waiting <- struct{}{}
		h.hubs.waiting <- struct{}{}
	case "panic":
		panic("as asked")
	}
}

func (h *hub) deliver(f []byte) {
	var slots []uint32
	for _, c := range h.conns {
		slots = append(slots, c.Slot())
	}
	h.l.SendAll(slots, NoSlot, h.ofTurn(f), h.hubs.class)
}

// ofTurn returns f in memory of the turn.
func (h *hub) ofTurn(f []byte) []byte { return append(h.l.Room(len(f)), f...) }

func (h *hub) Close(c *Conn) {
	delete(h.conns, c.ID())
	h.hubs.mu.Lock()
	h.hubs.closed++
	h.hubs.mu.Unlock()
}

// Release takes three slices, so that slots are seen to wait for it.
func (h *hub) Release(c *Conn, _ int) bool {
	h.hubs.mu.Lock()
	defer h.hubs.mu.Unlock()
	h.hubs.released++
	return h.hubs.released%3 != 0
}

func (h *hub) Mail(m *Mail)              { h.deliver(m.Frame) }
func (h *hub) Fired(_ uint8, key uint64) { h.fired = append(h.fired, key) }
func (h *hub) TurnEnd(bool) bool         { return false }

func startHub(t *testing.T, change func(*Options)) (*Engine, *hubs) {
	t.Helper()
	return startHubOf(t, Broadcast, change)
}

func startHubOf(t *testing.T, class Class, change func(*Options)) (*Engine, *hubs) {
	t.Helper()
	hs := &hubs{byLoop: map[int]*hub{}, class: class, detached: make(chan net.Conn, 1), waiting: make(chan struct{})}
	o := Options{
		Host: "127.0.0.1", Loops: 2, CloseTimeout: 200 * time.Millisecond,
		Upgrade: func(h *ws.Head) int {
			if string(h.Path) != "/deepstream" {
				return 404
			}
			return 0
		},
		HTTP: func(h *ws.Head) Response {
			return Response{Status: 200, Type: "text/plain", Body: "hello " + string(h.Path)}
		},
		NewHandler: func(l *Loop) Handler {
			h := &hub{l: l, hubs: hs, conns: map[protocol.ConnID]*Conn{}}
			hs.byLoop[l.ID()] = h
			return h
		},
	}
	if change != nil {
		change(&o)
	}
	e, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = e.Stop(ctx)
	})
	return e, hs
}

func TestEchoWholeFragmentedAndInterleaved(t *testing.T) {
	e, _ := startHub(t, nil)
	c := dialWS(t, e)
	c.sendText(ws.Binary, "echo:one")
	c.want(ws.Binary, "one")

	fragment := func(op ws.Opcode, s string, fin bool) []byte {
		b := masked(op, s)
		if !fin {
			b[0] &^= 0x80
		}
		return b
	}
	c.send(fragment(ws.Binary, "ec", false))
	c.sendText(ws.Ping, "between")
	c.want(ws.Pong, "between")
	c.send(fragment(ws.Continuation, "ho:t", false))
	c.send(fragment(ws.Continuation, "wo", true))
	c.want(ws.Binary, "two")

	for _, b := range masked(ws.Binary, "echo:byte by byte") {
		c.send([]byte{b})
	}
	c.want(ws.Binary, "byte by byte")

	c.send(append(masked(ws.Binary, "echo:3"), masked(ws.Binary, "echo:4")...))
	c.want(ws.Binary, "3")
	c.want(ws.Binary, "4")
}

// Mail that was posted ahead is handled before bytes that were there first, since the loop cannot know that
// they were.
func TestPostAheadComesBeforeWhatIsRead(t *testing.T) {
	e, hs := startHub(t, func(o *Options) { o.Loops = 1 })
	first, second := dialWS(t, e), dialWS(t, e)
	first.sendText(ws.Binary, "wait")
	<-hs.waiting
	second.sendText(ws.Binary, "echo:read")
	e.loops[0].PostAhead(Mail{Frame: ws.AppendFrame(nil, ws.Binary, []byte("ahead"))})
	<-hs.waiting
	second.want(ws.Binary, "ahead")
	second.want(ws.Binary, "read")
}

// As long as some news has not been handled, the next read comes after more of it.
func TestNewsStayNewsUntilAllIsHandled(t *testing.T) {
	var b mailbox
	b.putNews(make([]Mail, 2))
	for range 2 {
		if b.take() == nil || !b.news.Load() {
			t.Fatal("two mails were put, and somebody has forgotten about them")
		}
	}
	if b.take() != nil || b.news.Load() {
		t.Error("there is mail in an empty box")
	}
}

func TestUpgradeAndFirstFrameInOneRead(t *testing.T) {
	e, _ := startHub(t, nil)
	c := dial(t, e)
	c.send(append([]byte(upgradeRequest), masked(ws.Binary, "echo:early")...))
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 101") {
		t.Fatalf("got %q", head)
	}
	c.want(ws.Binary, "early")
}

func TestProtocolErrorsCloseWithTheirCode(t *testing.T) {
	unmasked := ws.AppendFrame(nil, ws.Binary, []byte("echo:x"))
	rsv := masked(ws.Binary, "echo:x")
	rsv[0] |= 0x40
	// Only the header of a message too big is sent: it is refused before any payload is there.
	tooBig := []byte{0x82, 0x80 | 127, 0, 0, 0, 0, 0, 0x20, 0, 1, 1, 2, 3, 4}
	for name, tt := range map[string]struct {
		bytes []byte
		code  ws.CloseCode
	}{
		"unmasked":              {unmasked, ws.CloseProtocolError},
		"reserved bit":          {rsv, ws.CloseProtocolError},
		"lone continuation":     {masked(ws.Continuation, "x"), ws.CloseProtocolError},
		"too big by its header": {tooBig, ws.CloseMessageTooBig},
		"text not UTF-8":        {masked(ws.Text, "\xff"), ws.CloseInvalidPayload},
		"close 1005 on wire":    {masked(ws.Close, "\x03\xed"), ws.CloseProtocolError},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := startHub(t, nil)
			c := dialWS(t, e)
			c.sendText(ws.Binary, "echo:before")
			c.send(tt.bytes)
			c.want(ws.Binary, "before")
			c.wantClose(tt.code)
			eventually(t, "the connection is gone", func() bool { return e.Stats().Connections() == 0 })
			if e.Stats().ProtocolErrors != 1 {
				t.Errorf("%d protocol errors counted, want 1", e.Stats().ProtocolErrors)
			}
		})
	}
}

func TestCloseIsEchoed(t *testing.T) {
	e, hs := startHub(t, nil)
	c := dialWS(t, e)
	c.sendText(ws.Close, "\x03\xe8bye")
	c.wantClose(ws.CloseNormal)
	eventually(t, "the handler is told once", func() bool {
		hs.mu.Lock()
		defer hs.mu.Unlock()
		return hs.closed == 1 && hs.released == 3
	})
}

func TestPlainHTTP(t *testing.T) {
	e, _ := startHub(t, func(o *Options) { o.HeadTimeout = 2 * time.Second })
	body := func(c *client, n int) string {
		b := make([]byte, n)
		if _, err := c.r.Read(b); err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	c := dial(t, e)
	for range 2 { // keep-alive, the second one split in the middle of the head
		c.send([]byte("GET /a HTTP/1.1\r\nHo"))
		c.send([]byte("st: h\r\n\r\n"))
		if h := c.head(); !strings.HasPrefix(h, "HTTP/1.1 200 OK\r\n") || strings.Contains(h, "close") {
			t.Fatalf("got %q", h)
		}
		if got := body(c, 8); got != "hello /a" {
			t.Fatalf("body %q", got)
		}
	}
	for request, want := range map[string]string{
		"GET /a HTTP/1.0\r\n\r\n":                                                 "HTTP/1.1 200",
		"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n":                 "HTTP/1.1 200",
		"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nGET ":            "HTTP/1.1 200",
		strings.Replace(upgradeRequest, "/deepstream", "/elsewhere", 1):           "HTTP/1.1 404",
		"\x16\x03\x01 garbage\r\n\r\n":                                            "HTTP/1.1 400",
		"GET /a HTTP/1.1\r\nX: " + strings.Repeat("x", headBytesMax) + "\r\n\r\n": "HTTP/1.1 431",
	} {
		c := dial(t, e)
		c.send([]byte(request))
		if h := c.head(); !strings.HasPrefix(h, want) || !strings.Contains(h, "Connection: close") {
			t.Errorf("%q: got %q", abbreviate(request), h)
		}
	}
	half := dial(t, e)
	half.send([]byte("GET / HTTP/1.1\r\n"))
	if _, err := half.r.ReadByte(); err == nil {
		t.Error("a half head was answered")
	}
	if e.Stats().HeadTimeouts == 0 {
		t.Error("no head timeout counted")
	}
	eventually(t, "all are gone", func() bool { return e.Stats().Connections() == 0 })
}

func TestDeliveriesAreGatheredAndOrdered(t *testing.T) {
	e, _ := startHub(t, nil)
	c := dialWS(t, e)
	before := e.Stats().Writes
	c.sendText(ws.Binary, "many:1000:x")
	for range 1000 {
		c.want(ws.Binary, "x")
	}
	if n := e.Stats().Writes - before; n > 20 {
		t.Errorf("1000 small frames took %d writes", n)
	}
	var batch []byte
	for i := range 500 {
		batch = append(batch, masked(ws.Binary, fmt.Sprintf("all:%d", i))...)
	}
	d := dialWS(t, e) // on the other loop
	c.send(batch)
	for i := range 500 {
		c.want(ws.Binary, fmt.Sprint(i))
		d.want(ws.Binary, fmt.Sprint(i))
	}
}

func TestLargeFramesArriveWhole(t *testing.T) {
	e, _ := startHub(t, nil)
	c := dialWS(t, e)
	for _, n := range []int{0, 125, 126, 65535, 65536, corkFrameMax - 1, corkFrameMax, 3 << 20} {
		c.sendText(ws.Binary, fmt.Sprintf("big:%d", n))
		c.sendText(ws.Binary, "echo:behind")
		f, err := c.next()
		if err != nil || len(f.payload) != n {
			t.Fatalf("big:%d: %d bytes, %v", n, len(f.payload), err)
		}
		c.want(ws.Binary, "behind")
	}
	eventually(t, "nobody is blocked any more", func() bool { return e.Stats().Blocked == 0 })
}

// A stalled subscriber is cut off at its budget while a good one gets everything.
func TestSlowConsumerIsCutOffAlone(t *testing.T) {
	e, _ := startHub(t, func(o *Options) { o.OutboundBytesMax = 256 << 10 })
	stalled, good, publisher := dialWS(t, e), dialWS(t, e), dialWS(t, e)
	_ = stalled.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	payload := strings.Repeat("y", 4000)
	for sent := 0; e.Stats().SlowClosed == 0; sent++ {
		if sent > 20_000 {
			t.Fatal("80 MB went to somebody who does not read")
		}
		publisher.sendText(ws.Binary, "all:"+payload)
		good.want(ws.Binary, payload)
		publisher.want(ws.Binary, payload)
	}
	publisher.sendText(ws.Binary, "all:after")
	good.want(ws.Binary, "after")
	if s := e.Stats(); s.SlowClosed != 1 || s.DroppedFrames != 0 {
		t.Errorf("stats %+v: want one slow consumer closed and nothing dropped", s)
	}
	eventually(t, "only two are left", func() bool { return e.Stats().Connections() == 2 && e.Stats().Blocked == 0 })
}

// Who reads late gets every frame as it was when it was sent, small ones, which are copied, and large ones,
// which are shared, though later turns have used the memory of their frames again.
func TestSlowPeerGetsWhatWasSent(t *testing.T) {
	e, _ := startHub(t, func(o *Options) { o.OutboundBytesMax = 64 << 20 })
	slow, publisher := dialWS(t, e), dialWS(t, e)
	_ = slow.Conn.(*net.TCPConn).SetReadBuffer(64 << 10)
	message := func(i int) string {
		return fmt.Sprintf("%08d", i) + strings.Repeat(string(rune('a'+i%26)), i*37%6000)
	}
	const messages = 5000
	for i := range messages {
		publisher.sendText(ws.Binary, "all:"+message(i))
		publisher.want(ws.Binary, message(i))
	}
	if e.Stats().Blocked == 0 {
		t.Fatal("nobody is slow")
	}
	for i := range messages {
		slow.want(ws.Binary, message(i))
	}
	eventually(t, "nobody is slow any more", func() bool { return e.Stats().Blocked == 0 })
}

func TestDroppingPoliciesLoseWholeFramesOnly(t *testing.T) {
	for policy, newest := range map[SlowPolicy]bool{SlowDropNew: false, SlowDropOldest: true} {
		t.Run(fmt.Sprint("newest=", newest), func(t *testing.T) {
			e, _ := startHubOf(t, Droppable, func(o *Options) { o.OutboundBytesMax, o.SlowPolicy = 128<<10, policy })
			slow, publisher := dialWS(t, e), dialWS(t, e)
			_ = slow.Conn.(*net.TCPConn).SetReadBuffer(64 << 10)
			pad := strings.Repeat("z", 2000)
			last := 0
			for ; e.Stats().DroppedFrames < 200; last++ {
				publisher.sendText(ws.Binary, fmt.Sprintf("all:%08d%s", last, pad))
				if _, err := publisher.next(); err != nil {
					t.Fatal(err)
				}
			}
			// The slow one reads now: intact frames in ascending order, with a gap, and all that were not dropped.
			publisher.sendText(ws.Binary, "echo:done") // in a turn behind the one that may still be dropping
			publisher.want(ws.Binary, "done")
			dropped := int(e.Stats().DroppedFrames)
			previous := -1
			for frames := 0; frames+dropped < last; frames++ {
				f, err := slow.next()
				if err != nil {
					t.Fatalf("%d read + %d dropped, %d sent: %v", frames, dropped, last, err)
				}
				var n int
				if _, err := fmt.Sscanf(f.payload[:8], "%d", &n); err != nil || n <= previous || f.payload[8:] != pad {
					t.Fatalf("frame %q after number %d: %v", abbreviate(f.payload), previous, err)
				}
				previous = n
			}
			if (previous == last-1) != newest {
				t.Errorf("the last frame read is %d of %d", previous, last)
			}
			eventually(t, "nobody is slow any more", func() bool { return e.Stats().Blocked == 0 })
			publisher.sendText(ws.Binary, "all:over")
			slow.want(ws.Binary, "over")
			if e.Stats().SlowClosed != 0 {
				t.Error("the slow consumer was closed")
			}
		})
	}
}

func TestBlockedForTooLong(t *testing.T) {
	e, _ := startHub(t, func(o *Options) { o.OutboundBytesMax, o.SlowTimeout = 64<<20, 100*time.Millisecond })
	stalled := dialWS(t, e)
	_ = stalled.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	stalled.sendText(ws.Binary, "big:30000000")
	eventually(t, "it is cut off", func() bool { return e.Stats().SlowClosed == 1 })
}

func TestSilentConnectionEnds(t *testing.T) {
	e, _ := startHub(t, func(o *Options) { o.HeartbeatInterval = 100 * time.Millisecond })
	c := dialWS(t, e)
	if _, err := c.next(); err == nil {
		t.Error("got a frame")
	}
	if e.Stats().HeartbeatTimeouts != 1 {
		t.Errorf("stats %+v", e.Stats())
	}
}

func TestStopSaysGoodbyeBehindWhatIsQueued(t *testing.T) {
	e, hs := startHub(t, nil)
	var clients []*client
	for range 20 {
		clients = append(clients, dialWS(t, e))
	}
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
		_ = c.Close()
	}
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if hs.closed != 20 {
		t.Errorf("%d handlers were told, want 20", hs.closed)
	}
	if _, err := net.Dial("tcp", e.Addr().String()); err == nil {
		t.Error("somebody still listens")
	}
}

func TestConnectionLimit(t *testing.T) {
	e, _ := startHub(t, func(o *Options) { o.ConnectionsMax = 5 })
	eventually(t, "the probes are gone", func() bool { return e.conns.Load() == 0 })
	for range 5 {
		dialWS(t, e)
	}
	c := dial(t, e)
	_, _ = c.Write([]byte(upgradeRequest))
	if _, err := c.r.ReadByte(); err == nil {
		t.Error("the sixth connection was served")
	}
	if e.Stats().Refused != 1 {
		t.Errorf("%d refusals counted", e.Stats().Refused)
	}
}

// Slots, timers, backlogs and lists are empty again after churn.
func TestNothingIsLeftBehind(t *testing.T) {
	e, hs := startHub(t, nil)
	for range 5 {
		var wg sync.WaitGroup
		for i := range 60 {
			c := dial(t, e)
			wg.Go(func() {
				defer c.Close()
				switch i % 4 {
				case 0:
					_, _ = c.Write([]byte("GET /half"))
				case 1:
					_, _ = c.Write([]byte(upgradeRequest))
					_, _ = c.Write(masked(ws.Binary, "echo:never read"))
				case 2:
					_, _ = c.Write([]byte(upgradeRequest))
					_, _ = c.Write(masked(ws.Binary, "cut in the middle")[:9])
				case 3:
					_, _ = c.Write([]byte(upgradeRequest + strings.Repeat("\xff\x00garbage", 1000)))
				}
			})
		}
		wg.Wait()
	}
	eventually(t, "everybody is gone", func() bool { return e.conns.Load() == 0 })
	for i := range e.loops {
		done := make(chan string, 1)
		eventuallyOn(t, e, i, hs, func(l *Loop) bool {
			if len(l.dead)+len(l.blocked)+len(l.nodes)+len(l.frames)+l.wheel.Len() > 0 {
				return false
			}
			if free, slots := len(l.conns.free), len(l.conns.chunks)*chunkConns; free != slots {
				return false
			}
			done <- fmt.Sprint(len(l.conns.chunks))
			return true
		})
		if chunks := <-done; chunks != "1" {
			t.Errorf("loop %d has %s chunks of connections: slots were not reused", i, chunks)
		}
	}
	if e.partial.Used() != 0 {
		t.Errorf("%d bytes of partial messages are still accounted for", e.partial.Used())
	}
}

// eventuallyOn polls a condition on a loop's own goroutine.
func eventuallyOn(t *testing.T, e *Engine, loop int, _ *hubs, ok func(*Loop) bool) {
	t.Helper()
	eventually(t, "the loop is empty", func() bool {
		answer := make(chan bool, 1)
		probe := onLoop{func(l *Loop) { answer <- ok(l) }}
		if err := (*e.loops[loop].el.Load()).Execute(context.Background(), probe.runnable(e.loops[loop])); err != nil {
			t.Fatal(err)
		}
		return <-answer
	})
}

// Every connection that is gone has ended for exactly one reason.
func TestEndingsAreCounted(t *testing.T) {
	e, _ := startHub(t, func(o *Options) { o.HeartbeatInterval = time.Second; o.HeadTimeout = time.Minute })
	wait := func(why Ending) {
		t.Helper()
		deadline, tick := time.Now().Add(patience), time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for e.Stats().Ended[why] != 1 {
			if <-tick.C; time.Now().After(deadline) {
				t.Fatalf("%v is not counted once: %+v", why, e.Stats().Ended)
			}
		}
	}
	dialWS(t, e).Close()
	wait(EndedByPeer)
	dial(t, e).send([]byte("GET / HTTP/1.0\r\n\r\n"))
	wait(EndedRequest)
	dialWS(t, e).send([]byte{0xff, 0xff}) // reserved bits
	wait(EndedProtocol)
	dialWS(t, e)
	wait(EndedSilence)
	left := dial(t, e)
	left.send([]byte("GET ")) // so that it is known when the server stops
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := e.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	s, sum, turns := e.Stats(), uint64(0), uint64(0)
	for why := range Endings {
		if why.String() == "" || why.String() == "unknown" {
			t.Errorf("reason %d has no name", why)
		}
		sum += s.Ended[why]
	}
	if sum != s.Closed || s.Ended[EndedDrain] != s.Closed-4 {
		t.Errorf("%d closed, but by reason %+v", s.Closed, s.Ended)
	}
	for _, n := range s.Turns {
		turns += n
	}
	if turns == 0 || s.TurnTime <= 0 {
		t.Errorf("%d turns took %v", turns, s.TurnTime)
	}
}

func TestTurnsAreCountedByDuration(t *testing.T) {
	var c counters
	for i, bound := range TurnBounds {
		c.took(bound)
		c.took(bound + 1)
		if got := c.turns[i].Load(); got != min(uint64(i), 1)+1 {
			t.Errorf("up to %v: %d turns", bound, got)
		}
	}
	if got := c.turns[len(TurnBounds)].Load(); got != 1 {
		t.Errorf("beyond: %d turns", got)
	}
}
