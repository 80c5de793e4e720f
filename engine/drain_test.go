package engine

import (
	"context"
	"net"
	"testing"
	"time"

	"deepstream-fast/codec/ws"
)

// A permission for a part of the way makes a part of the connections leave, and nobody else notices.
func TestConnectionsLeaveInPortions(t *testing.T) {
	e, _ := startHub(t, func(o *Options) { o.Loops = 1 })
	eventually(t, "the probes are gone", func() bool { return e.conns.Load() == 0 })
	var clients []*client
	for range 8 {
		clients = append(clients, dialWS(t, e))
	}
	for step := 1; step <= 4; step++ {
		e.allowDrain(step, 4)
		gone, rest := clients[:2], clients[2:]
		for _, c := range gone { // slots are taken in the order they are told
			c.wantClose(ws.CloseGoingAway)
		}
		for _, c := range rest {
			c.sendText(ws.Binary, "echo:here")
			c.want(ws.Binary, "here")
		}
		clients = rest
	}
}

// With the time for it, Stop takes many permissions; still everybody leaves with a close frame.
func TestStopTellsOneAfterTheOther(t *testing.T) {
	e, hs := startHub(t, func(o *Options) { o.DrainTimeout = time.Hour })
	var clients []*client
	for range 200 { // a tenth of a second at drainPerSecond
		clients = append(clients, dialWS(t, e))
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
	if hs.closed != 200 {
		t.Errorf("%d handlers were told, want 200", hs.closed)
	}
	for i, l := range e.loops {
		if steps := l.drain.quota; !l.drain.all || steps != l.drain.total {
			t.Errorf("loop %d: %+v: not everybody was allowed to leave", i, l.drain)
		}
	}
}

// The time to stop is the upper bound, however slowly the connections were to leave.
func TestStopDoesNotOutstayItsTime(t *testing.T) {
	e, _ := startHub(t, func(o *Options) { o.DrainTimeout = time.Hour })
	c := dialWS(t, e)
	e.conns.Add(1 << 20) // a drain of minutes
	defer e.conns.Add(-1 << 20)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- e.Stop(ctx) }()
	c.wantClose(ws.CloseGoingAway)
	_ = c.Close()
	select {
	case <-stopped:
	case <-time.After(patience):
		t.Fatal("Stop does not return")
	}
}

// keeper holds a listening socket, as a service manager does.
func keeper(t *testing.T) (*net.TCPListener, func() net.Listener) {
	t.Helper()
	held, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = held.Close() })
	tcp := held.(*net.TCPListener)
	return tcp, func() net.Listener {
		file, err := tcp.File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		ln, err := net.FileListener(file)
		if err != nil {
			t.Fatal(err)
		}
		return ln
	}
}

// On a listener that somebody keeps, whoever comes between two engines waits and is served by the second.
func TestNobodyIsRefusedBetweenTwoEngines(t *testing.T) {
	held, inherit := keeper(t)
	first, _ := startHub(t, func(o *Options) { o.Listener = inherit() })
	if first.Addr().String() != held.Addr().String() {
		t.Fatalf("listens on %s, not on %s", first.Addr(), held.Addr())
	}
	before := dialWS(t, first)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- first.Stop(ctx) }()
	before.wantClose(ws.CloseGoingAway)
	_ = before.Close()
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	between := dial(t, first) // nobody accepts now
	between.send([]byte(upgradeRequest))
	second, _ := startHub(t, func(o *Options) { o.Listener = inherit() })
	if head := between.head(); head[:12] != "HTTP/1.1 101" {
		t.Fatalf("answered %q", head)
	}
	between.sendText(ws.Binary, "echo:patience")
	between.want(ws.Binary, "patience")
	if n := second.Stats().Upgrades; n != 1 {
		t.Errorf("%d upgrades", n)
	}
}

// Whoever was accepted and has not asked yet when the engine stops gets his answer and a close frame.
func TestALateRequestIsAnsweredWithACloseFrame(t *testing.T) {
	_, inherit := keeper(t)
	e, _ := startHub(t, func(o *Options) { o.Listener, o.CloseTimeout = inherit(), patience })
	eventually(t, "the probes are gone", func() bool { return e.conns.Load() == 0 })
	late := dial(t, e)
	late.send([]byte(upgradeRequest[:20]))
	eventually(t, "accepted", func() bool { return e.Stats().BytesIn >= 20 })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- e.Stop(ctx) }()
	eventually(t, "the loops have looked", func() bool { return e.Draining() })
	late.send([]byte(upgradeRequest[20:]))
	if head := late.head(); head[:12] != "HTTP/1.1 101" {
		t.Fatalf("answered %q", head)
	}
	late.wantClose(ws.CloseGoingAway)
	_ = late.Close()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestAListenerThatIsNotTCP(t *testing.T) {
	ln, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if _, err := Start(Options{Listener: ln}); err == nil {
		t.Error("a Unix socket was taken")
	}
}

// stuck blocks in the middle of a message until it is told to go on.
type stuck struct {
	*hub
	inside, goOn chan struct{}
}

func (s *stuck) Message(*Conn, []byte, bool) {
	s.inside <- struct{}{}
	<-s.goOn
}

func TestPulseStopsWithALoop(t *testing.T) {
	s := &stuck{inside: make(chan struct{}), goOn: make(chan struct{})}
	e, _ := startHub(t, func(o *Options) {
		fresh := o.NewHandler
		o.NewHandler = func(l *Loop) Handler {
			h := fresh(l)
			if l.ID() != 0 {
				return h
			}
			s.hub = h.(*hub)
			return s
		}
	})
	if !e.Pulse() {
		t.Fatal("the first call has nothing to complain about")
	}
	eventually(t, "all turn", e.Pulse)
	clients := []*client{dialWS(t, e), dialWS(t, e)} // one on each loop
	for _, c := range clients {
		c.sendText(ws.Binary, "echo:x")
	}
	<-s.inside
	seen := s.l.stats.pulses.Load()
	e.Pulse()
	for range 3 {
		if e.Pulse() {
			t.Error("a stuck loop has a pulse")
		}
	}
	if n := s.l.stats.pulses.Load(); n != seen {
		t.Errorf("%d turns more of a stuck loop", n-seen)
	}
	close(s.goOn)
	eventually(t, "it goes on", e.Pulse)
}
