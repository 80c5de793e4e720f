package bench

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"deepstream-fast/bench/load"
)

// BenchmarkFanoutE2E is the table of cmd/fanout as Go benchmarks: ns/op is per published message.
func BenchmarkFanoutE2E(b *testing.B) {
	servers := []Server{Fast, F1, F2}
	rig, err := NewRig(true, servers...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(rig.Close)
	for _, subs := range []int{10, 100, 1000} {
		for _, mode := range []Mode{Saturated, Paced, Rate} {
			for _, server := range servers { // innermost: they share the neighbours' weather
				c := Case{Server: server, Subscribers: subs, Mode: mode}
				b.Run(c.String(), func(b *testing.B) { measureFanout(b, rig, c) })
			}
		}
	}
}

func measureFanout(b *testing.B, rig *Rig, c Case) {
	bout, err := rig.Begin(c)
	if err != nil {
		b.Fatal(err)
	}
	defer bout.End()
	b.ResetTimer()
	s, err := bout.Measure(b.N, 0)
	b.StopTimer()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(s.CPU, "server-cpu-ns/delivery")
	b.ReportMetric(s.PerSecond, "deliveries/s")
	b.ReportMetric(float64(s.P50.Nanoseconds())/1e3, "p50-us")
	b.ReportMetric(float64(s.P99.Nanoseconds())/1e3, "p99-us")
}

// The floors deliver everything, in order and once; the fleet checks that. Frames of 60 KB with a
// full window are more than the sockets take, so the backlog and the early flush are on the way.
func TestFloorsDeliverEverything(t *testing.T) {
	rig, err := NewRig(false, F1, F2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rig.Close)
	for _, server := range []Server{F1, F2} {
		for _, tc := range []struct {
			name     string
			opts     load.Options
			run      load.Load
			messages int
		}{
			{"small", load.Options{Subscribers: 20}, load.Load{Window: 128}, 3000},
			{"one by one", load.Options{Subscribers: 3, Publishers: 2}, load.Load{Window: 1}, 200},
			{"backlog", load.Options{Subscribers: 3, PayloadBytes: 60_000}, load.Load{Window: 512}, 1200},
		} {
			t.Run(string(server)+"/"+tc.name, func(t *testing.T) {
				p, err := rig.Start(server)
				if err != nil {
					t.Fatal(err)
				}
				defer p.Stop()
				tc.opts.Addr = p.Addr
				fleet, err := load.DialFleet(tc.opts)
				if err != nil {
					t.Fatal(err)
				}
				defer fleet.Close()
				tc.run.Messages = tc.messages
				r, err := fleet.Run(tc.run)
				if err != nil {
					t.Fatalf("%v\n%s", err, p.Stderr())
				}
				if want := tc.messages * tc.opts.Subscribers; r.Deliveries != want {
					t.Errorf("%d deliveries, want %d", r.Deliveries, want)
				}
				cpu, err := p.CPU()
				if err != nil || cpu <= 0 || cpu > time.Minute {
					t.Errorf("CPU %v, %v", cpu, err)
				}
				rss, err := p.RSS()
				if err != nil || rss < 64<<10 {
					t.Errorf("RSS %d, %v", rss, err)
				}
			})
		}
	}
}

func TestStopEndsTheProcess(t *testing.T) {
	rig, err := NewRig(false, F2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rig.Close)
	p, err := rig.Start(F2)
	if err != nil {
		t.Fatal(err)
	}
	p.Stop()
	p.Stop()
	if _, err := load.Dial(p.Addr, 0, time.Second); err == nil {
		t.Error("somebody still answers")
	}
	if _, err := p.CPU(); err == nil {
		t.Error("the process still has a CPU clock")
	}
}

func TestRigRefusesAnUnknownServer(t *testing.T) {
	if _, err := NewRig(false, "f3"); err == nil || !strings.Contains(err.Error(), `unknown server "f3"`) {
		t.Fatalf("got %v", err)
	}
}

func TestTableShowsMediansAndRatios(t *testing.T) {
	table := Table{Servers: []Server{Fast, F2}}
	for i, cpu := range []float64{100, 400, 200} {
		c := Case{Server: Fast, Mode: Saturated, Subscribers: 10}
		table.Add(c, Sample{CPU: cpu * 1.5, PerSecond: 2e6, P99: time.Duration(i) * time.Millisecond})
		c.Server = F2
		table.Add(c, Sample{CPU: cpu, PerSecond: 3e6, P99: time.Millisecond})
	}
	var got strings.Builder
	if err := table.Write(&got); err != nil {
		t.Fatal(err)
	}
	want := `| load | subscribers | fast CPU µs/delivery | f2 CPU µs/delivery | fast / f2 | fast p99 µs | fast k deliveries/s | f2 p99 µs | f2 k deliveries/s |
|---|---|---|---|---|---|---|---|---|
| saturated | 10 | 0.300 (0.150–0.600) | 0.200 (0.100–0.400) | 1.50 | 1000 | 2000 | 1000 | 3000 |
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var tl tail
	for i := range 20_000 {
		fmt.Fprintf(&tl, "line %d\n", i)
	}
	if s := tl.String(); len(s) != stderrMax || !strings.HasSuffix(s, "line 19999\n") {
		t.Errorf("kept %d bytes ending in %q", len(s), s[max(0, len(s)-20):])
	}
}
