package hostile

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"deepstream-fast/protocol"
)

// innocents are a publisher and two subscribers, on different loops if there are any, who do what a
// well-behaved application does while somebody else attacks.
type innocents struct {
	t    testing.TB
	stop chan struct{}
	wg   sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	delays  []time.Duration
	failure error
}

const (
	innocentPeriod = 4 * time.Millisecond
	memoryPatience = 20 * time.Second // for memory to return
	slack          = 5                // how much slower the machine may be than it was when limits were set
)

// innocents starts them. end stops them and judges what they saw.
func (s *server) innocents(t testing.TB) *innocents {
	t.Helper()
	in := &innocents{t: t, stop: make(chan struct{})}
	pub := s.login(t, "")
	for range 2 {
		sub := s.login(t, "")
		sub.subscribe("innocent")
		in.wg.Go(func() { in.listen(sub) }) // ends with the last event, or the deadline of sub
	}
	in.wg.Go(func() { in.publish(pub) }) // ends with stop
	return in
}

func (in *innocents) publish(c *client) {
	tick := time.NewTicker(innocentPeriod)
	defer tick.Stop()
	for seq := 0; ; seq++ {
		last := false
		select {
		case <-in.stop:
			last = true
		case <-tick.C:
		}
		data := fmt.Sprintf("[%d,%d,%t]", seq, time.Now().UnixNano(), last)
		if _, err := c.Write(frameOf(emit("innocent", data))); err != nil {
			in.fail(fmt.Errorf("publisher: %w", err))
			return
		}
		if last {
			return
		}
	}
}

func (in *innocents) listen(c *client) {
	for want := 0; ; want++ {
		m, err := c.await(protocol.TopicEvent, protocol.EventEmit)
		if err != nil {
			in.fail(fmt.Errorf("subscriber after %d events: %w", want, err))
			return
		}
		var seq int
		var sent int64
		var last bool
		if _, err := fmt.Sscanf(string(m.Data), "[%d,%d,%t]", &seq, &sent, &last); err != nil || seq != want {
			in.fail(fmt.Errorf("subscriber: event %s, want number %d", m.Data, want))
			return
		}
		in.mu.Lock()
		in.delays = append(in.delays, time.Duration(time.Now().UnixNano()-sent))
		in.mu.Unlock()
		if last {
			return
		}
	}
}

func (in *innocents) fail(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.failure == nil {
		in.failure = err
	}
}

// end stops them. Every event must have arrived, in order, and none much later than worst.
func (in *innocents) end(worst time.Duration) {
	in.t.Helper()
	close(in.stop)
	in.wg.Wait()
	if in.failure != nil {
		in.t.Errorf("an innocent client noticed: %v", in.failure)
		return
	}
	slices.Sort(in.delays)
	at := func(q float64) time.Duration { return in.delays[int(q*float64(len(in.delays)-1))] }
	in.t.Logf("innocents: %d deliveries, p50 %v, p99 %v, max %v", len(in.delays), at(.5), at(.99), at(1))
	if at(1) > slack*worst && !instrumented {
		in.t.Errorf("an innocent delivery took %v, at most %v is allowed", at(1), slack*worst)
	}
}

// memoryReturns waits until the server's memory and descriptors are back near what they were.
func (s *server) memoryReturns(t testing.TB, before, files int) {
	t.Helper()
	began := time.Now()
	limit := before + before/2 + 48*mib
	deadline := time.Now().Add(memoryPatience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		now, peak := s.memory()
		if (now <= limit || instrumented) && s.files() <= files {
			t.Logf("memory: %s before, %s peak, %s after %v", size(before), size(peak), size(now), time.Since(began).Round(time.Millisecond))
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("memory: %s before, %s peak, still %s after %v; descriptors %d before, %d now", size(before), size(peak), size(now), memoryPatience, files, s.files())
			return
		}
		<-tick.C
	}
}

func size(n int) string { return strconv.Itoa(n/mib) + " MiB" }
