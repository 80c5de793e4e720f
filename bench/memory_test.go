package bench

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"deepstream-fast/bench/load"
	"deepstream-fast/protocol"
)

const (
	idleConns    = 10_000
	subConns     = 1_000
	subsPerConn  = 1_000
	dialTimeout  = 10 * time.Second
	garbageBatch = 256              // health checks in one write
	garbageTime  = 60 * time.Second // for them to add up to a collection
)

// BenchmarkIdleConnections reports what one logged-in connection that says nothing adds to the
// server's resident memory: at once, garbage of the logins included, and some seconds later.
func BenchmarkIdleConnections(b *testing.B) {
	rig := fastRig(b)
	for range b.N {
		p := startFast(b, rig)
		before := rss(b, p)
		conns := dialConns(b, p, idleConns)
		b.ReportMetric(float64(rss(b, p)-before)/idleConns, "RSS-bytes/conn")
		b.ReportMetric(float64(settled(b, p)-before)/idleConns, "settled-RSS-bytes/conn")
		end(p, conns)
	}
}

// BenchmarkSubscriptionsRSS reports what one of a million subscriptions adds to the resident memory
// of the server, beyond its connection: names of 20 bytes, each had by one connection or by all.
// It also reports the CPU of a garbage collection at that size.
func BenchmarkSubscriptionsRSS(b *testing.B) {
	rig := fastRig(b)
	for _, names := range []string{"distinct", "shared"} {
		b.Run(fmt.Sprintf("conns=%d/names=%d/kind=%s", subConns, subsPerConn, names), func(b *testing.B) {
			for range b.N {
				subscriptions(b, rig, names == "distinct")
			}
		})
	}
}

func subscriptions(b *testing.B, rig *Rig, distinct bool) {
	p := startFast(b, rig, "GODEBUG=gctrace=1")
	conns := dialConns(b, p, subConns)
	defer func() { end(p, conns) }()
	before := rss(b, p)
	for i, c := range conns {
		if err := c.Subscribe(names20(i, distinct)...); err != nil {
			b.Fatalf("%v\n%s", err, p.Stderr())
		}
	}
	after := rss(b, p)
	for i, c := range conns {
		mustKnow(b, c, names20(i, distinct)[subsPerConn-1])
	}
	b.ReportMetric(float64(after-before)/(subConns*subsPerConn), "RSS-bytes/sub")
	gc := provokeCollection(b, p)
	b.ReportMetric(float64(gc.CPU.Microseconds())/1e3, "gc-cpu-ms")
	b.ReportMetric(float64(gc.Heap>>20), "gc-heap-MiB")
}

// names20 returns the names of connection i, 20 bytes each.
func names20(i int, distinct bool) []string {
	if !distinct {
		i = 0
	}
	return OwnNames(i, subsPerConn)
}

// mustKnow fails unless c is subscribed to name: only then does the server refuse a second time.
func mustKnow(b *testing.B, c *load.Conn, name string) {
	b.Helper()
	refusal := fmt.Sprintf("action %d", protocol.EventMultipleSubscriptions)
	if err := c.Subscribe(name); err == nil || !strings.HasSuffix(err.Error(), refusal) {
		b.Fatalf("subscribing to %s again: %v, want %s", name, err, refusal)
	}
}

// provokeCollection asks for the health check, which leaves a few hundred bytes of garbage, until the
// server has collected once more.
func provokeCollection(b *testing.B, p *Process) Collection {
	b.Helper()
	conn, err := net.Dial("tcp", p.Addr)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(garbageTime))
	const request = "GET /health-check HTTP/1.1\r\nHost: bench\r\n\r\n"
	batch := []byte(strings.Repeat(request, garbageBatch))
	answers := bufio.NewReader(conn)
	before, _ := lastCollection(p.Stderr())
	for {
		if _, err := conn.Write(batch); err != nil {
			b.Fatalf("no collection provoked: %v\n%s", err, p.Stderr())
		}
		for range garbageBatch {
			answer, err := http.ReadResponse(answers, nil)
			if err != nil {
				b.Fatalf("no collection provoked: %v\n%s", err, p.Stderr())
			}
			_ = answer.Body.Close()
		}
		if gc, ok := lastCollection(p.Stderr()); ok && gc.Number > before.Number {
			return gc
		}
	}
}

func fastRig(b *testing.B) *Rig {
	b.Helper()
	rig, err := NewRig(true, Fast)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(rig.Close)
	return rig
}

func startFast(b *testing.B, rig *Rig, env ...string) *Process {
	b.Helper()
	p, err := rig.Start(Fast, env...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.Stop)
	return p
}

func dialConns(b *testing.B, p *Process, n int) []*load.Conn {
	b.Helper()
	conns := make([]*load.Conn, 0, n)
	b.Cleanup(func() { closeAll(conns) })
	for i := range n {
		c, err := load.Dial(p.Addr, i, dialTimeout)
		if err != nil {
			b.Fatalf("%v\n%s", err, p.Stderr())
		}
		conns = append(conns, c)
	}
	return conns
}

func rss(b *testing.B, p *Process) int64 {
	b.Helper()
	n, err := p.RSS()
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func end(p *Process, conns []*load.Conn) {
	p.Stop()
	closeAll(conns)
}

func closeAll(conns []*load.Conn) {
	for _, c := range conns {
		c.Close()
	}
}

func TestNamesHave20Bytes(t *testing.T) {
	seen := map[string]bool{}
	for i := range 3 {
		for _, n := range names20(i, true) {
			seen[n] = true
			if len(n) != 20 {
				t.Fatalf("%q has %d bytes", n, len(n))
			}
		}
	}
	if len(seen) != 3*subsPerConn {
		t.Errorf("%d distinct names, want %d", len(seen), 3*subsPerConn)
	}
}

func TestLastCollection(t *testing.T) {
	const trace = "starting\n" +
		"gc 1 @0.011s 2%: 0.02+1.0+0.01 ms clock, 0.04+0.1/0.5/0.3+0.06 ms cpu, 4->5->2 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 2 P\n" +
		"gc 2 @0.5s 1%: 0.02+3.0+0.01 ms clock, 0.5+1/2/3+0.25 ms cpu, 190->191->95 MB, 200 MB goal, 0 MB stacks, 0 MB globals, 2 P (forced)\n" +
		"gc 3 @0.9s 1%: 0.02+3.0+0.0"
	got, ok := lastCollection(trace)
	want := Collection{Number: 2, CPU: 6750 * time.Microsecond, Assist: time.Millisecond, Pause: 20 * time.Microsecond, Heap: 95 << 20}
	if !ok || got != want {
		t.Errorf("got %+v, %v; want %+v", got, ok, want)
	}
	if _, ok := lastCollection("gc pause\n"); ok {
		t.Error("found a collection where there is none")
	}
}
