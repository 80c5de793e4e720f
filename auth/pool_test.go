package auth

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// from returns an attempt of the given address.
func from(addr string) *Request { return &Request{RemoteAddr: addr} }

// gate holds up one worker until it is opened.
type gate chan struct{}

func (g gate) work() Result { <-g; return Result{Valid: true} }

// log collects what happened, in order.
type log struct {
	mu    sync.Mutex
	lines []string
}

func (l *log) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, ", ")
}

// submit gives p an attempt that notes its name when it is worked on and how it ended.
func submit(p *Pool, l *log, addr, name string) {
	p.Submit(from(addr), func() Result { l.add("%s", name); return Result{Valid: true} }, func(r Result) {
		if !r.Valid {
			l.add("%s: %s", name, r.ClientData)
		}
	})
}

// Who waits takes turns by address: a hundred attempts of one address are not all before the one of
// another that came after them.
func TestPoolServesAddressesInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, hold, l := NewPool(PoolOptions{Workers: 1}), make(gate), &log{}
		p.Submit(from("10.0.0.9:1"), hold.work, func(Result) {})
		synctest.Wait()
		for i := range 3 {
			submit(p, l, fmt.Sprintf("10.0.0.1:%d", i), fmt.Sprint("a", i))
		}
		submit(p, l, "10.0.0.2:5", "b0")
		submit(p, l, "[2001:db8::1]:5", "c0")
		submit(p, l, "[2001:db8::2]:6", "c1") // of the same network
		submit(p, l, "[::ffff:10.0.0.2]:7", "b1")
		close(hold)
		synctest.Wait()
		if want := "a0, b0, c0, a1, b1, c1, a2"; l.String() != want {
			t.Errorf("got  %s\nwant %s", l, want)
		}
		p.Close()
		if s := p.Stats(); s.Finished != 8 || s.Queued != 0 || s.Running != 0 || s.Workers != 1 {
			t.Errorf("counted %+v", s)
		}
	})
}

// A full queue takes its room from the address that has most of it.
func TestPoolMakesRoomForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, hold, l := NewPool(PoolOptions{Workers: 1, QueueMax: 4}), make(gate), &log{}
		p.Submit(from("10.0.0.9:1"), hold.work, func(Result) {})
		synctest.Wait()
		for i := range 6 {
			submit(p, l, "10.0.0.1:1", fmt.Sprint("a", i))
		}
		const busy = `{"error":"too many logins are waiting, try again later"}`
		if want := "a4: " + busy + ", a5: " + busy; l.String() != want {
			t.Fatalf("over the limit: %s", l)
		}
		l.lines = nil
		submit(p, l, "10.0.0.2:1", "b0") // a3 goes
		submit(p, l, "10.0.0.2:1", "b1") // a2 goes
		submit(p, l, "10.0.0.2:1", "b2") // has as many as the other: its own is refused
		submit(p, l, "10.0.0.3:1", "c0") // of two who have two each, one loses one
		if got := l.String(); got != "a3: "+busy+", a2: "+busy+", b2: "+busy+", a1: "+busy && got != "a3: "+busy+", a2: "+busy+", b2: "+busy+", b1: "+busy {
			t.Errorf("gave up %s", got)
		}
		l.lines = nil
		close(hold)
		synctest.Wait()
		if got := l.String(); !strings.HasPrefix(got, "a0, b0, c0, ") {
			t.Errorf("worked on %s", got)
		}
		p.Close()
		if s := p.Stats(); s.Rejected != 3 || s.Displaced != 3 || s.Finished != 5 {
			t.Errorf("counted %+v", s)
		}
	})
}

func TestPoolWithAnAddressEachRefusesTheNewcomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, hold, l := NewPool(PoolOptions{Workers: 1, QueueMax: 2}), make(gate), &log{}
		p.Submit(from("10.0.0.9:1"), hold.work, func(Result) {})
		synctest.Wait()
		for i := range 3 {
			submit(p, l, fmt.Sprintf("10.0.1.%d:1", i), fmt.Sprint(i))
		}
		if !strings.HasPrefix(l.String(), "2: ") {
			t.Errorf("got %s", l)
		}
		close(hold)
		p.Close()
	})
}

// Nobody waits for a client that has gone; a panic concerns its attempt only; what comes after the end
// is refused. done is called in each case.
func TestPoolCallsDoneInAnyCase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, hold, l := NewPool(PoolOptions{Workers: 1, LowPriority: true}), make(gate), &log{}
		p.Submit(from("a"), hold.work, func(r Result) { l.add("held %v", r.Valid) })
		synctest.Wait()
		gone := from("b")
		p.Submit(gone, func() Result { l.add("worked for nobody"); return Result{} }, func(r Result) { l.add("gone %v", r.Valid) })
		p.Submit(from("b"), func() Result { panic("password123") }, func(r Result) { l.add("panic %s", r.ClientData) })
		submit(p, l, "c", "after")
		gone.Abandon()
		close(hold)
		synctest.Wait()
		stuck := make(gate)
		p.Submit(from("d"), stuck.work, func(r Result) { l.add("last %v", r.Valid) })
		synctest.Wait()
		submit(p, l, "e", "queued")
		go func() { // ends with the pool
			p.Close()
			l.add("closed")
		}()
		synctest.Wait()
		submit(p, l, "f", "late")
		close(stuck)
		synctest.Wait()
		want := `held true, gone false, panic {"error":"authentication failed"}, after, ` +
			`queued: {"error":"the server is shutting down"}, late: {"error":"the server is shutting down"}, last true, closed`
		if l.String() != want {
			t.Errorf("got  %s\nwant %s", l, want)
		}
		if s := p.Stats(); s.Abandoned != 1 || s.Panics != 1 || s.Finished != 4 {
			t.Errorf("counted %+v", s)
		}
	})
}

// However attempts come and go, each is judged once, and the books are balanced. Under the race
// detector this also proves that nothing is shared without the lock.
func TestPoolUnderLoad(t *testing.T) {
	p := NewPool(PoolOptions{Workers: 4, QueueMax: 16})
	const clients, each = 8, 500
	var done sync.WaitGroup
	var mu sync.Mutex
	judged := map[bool]int{}
	done.Add(clients * each)
	for c := range clients {
		go func() { // ends when it has submitted its share
			for i := range each {
				r := from(fmt.Sprintf("10.0.%d.1:1", (c*i)%5))
				if i%7 == 0 {
					r.Abandon()
				}
				p.Submit(r, func() Result { return Result{Valid: true} }, func(r Result) {
					mu.Lock()
					judged[r.Valid]++
					mu.Unlock()
					done.Done()
				})
			}
		}()
	}
	done.Wait()
	p.Close()
	s := p.Stats()
	if uint64(judged[true]) != s.Finished || uint64(judged[false]) != s.Rejected+s.Displaced+s.Abandoned || judged[true]+judged[false] != clients*each {
		t.Errorf("judged %v, counted %+v", judged, s)
	}
	if s.Queued != 0 || s.Running != 0 {
		t.Errorf("left over: %+v", s)
	}
}

func TestGroupIsTheNetworkOfAnAddress(t *testing.T) {
	for _, tt := range []struct{ remote, group string }{
		{"192.0.2.1:80", "192.0.2.1/32"},
		{"192.0.2.1", "192.0.2.1/32"},
		{"[::ffff:192.0.2.1]:80", "192.0.2.1/32"},
		{"[2001:db8:1:2:3:4:5:6]:80", "2001:db8:1:2::/64"},
		{"[fe80::1%eth0]:80", "fe80::/64"},
		{"", "invalid Prefix"},
		{"@", "invalid Prefix"},
	} {
		if got := groupOf(tt.remote).String(); got != tt.group {
			t.Errorf("%q: %s, want %s", tt.remote, got, tt.group)
		}
	}
}

// BenchmarkSubmit is what a login costs its loop while the queue is full of other addresses.
func BenchmarkSubmit(b *testing.B) {
	p, hold := NewPool(PoolOptions{Workers: 1}), make(gate)
	p.Submit(from("10.0.0.9:1"), hold.work, func(Result) {})
	for i := range QueueMaxDefault + 1 {
		p.Submit(from(fmt.Sprintf("10.1.%d.%d:1", i>>8%16, i%256)), func() Result { return Result{} }, func(Result) {})
	}
	r, done := from("10.1.0.1:1"), func(Result) {}
	b.ReportAllocs()
	for b.Loop() {
		p.Submit(r, hold.work, done)
	}
	b.StopTimer()
	close(hold)
	p.Close()
}
