package bench

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"deepstream-fast/bench/load"
)

// collectors are settings of GOGC: never, as we set it, and at every hundredth of growth.
var collectors = []struct{ name, env string }{{"off", "GOGC=off"}, {"default", "GOGC=200"}, {"often", "GOGC=1"}}

const collectTime = 5 * time.Second

// BenchmarkCollections reports what collecting garbage does to the latency of events to 100 subscribers at
// half of what saturates the server, while it holds a million other subscriptions of distinct names: the
// quantiles with and without collections, and what the collector says of itself.
func BenchmarkCollections(b *testing.B) {
	rig := fastRig(b)
	every := halfSaturated(b, rig)
	for _, gc := range collectors {
		b.Run("subs=100/load=half/held=1000000/gc="+gc.name, func(b *testing.B) {
			for range b.N {
				collections(b, rig, gc.env, every)
			}
		})
	}
}

// halfSaturated returns the interval between messages that half saturates the server.
func halfSaturated(b *testing.B, rig *Rig) time.Duration {
	b.Helper()
	const subscribers = 100
	bout, err := rig.Begin(Case{Server: Fast, Mode: Saturated, Subscribers: subscribers})
	if err != nil {
		b.Fatal(err)
	}
	defer bout.End()
	s, err := bout.Measure(0, time.Second)
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(2 * subscribers / s.PerSecond * float64(time.Second))
}

func collections(b *testing.B, rig *Rig, collector string, every time.Duration) {
	p := startFast(b, rig, "GODEBUG=gctrace=1", collector)
	conns := dialConns(b, p, subConns)
	defer func() { end(p, conns) }()
	for i, c := range conns {
		if err := c.Subscribe(names20(i, true)...); err != nil {
			b.Fatalf("%v\n%s", err, p.Stderr())
		}
	}
	fleet, err := load.DialFleet(load.Options{Addr: p.Addr, Subscribers: 100})
	if err != nil {
		b.Fatal(err)
	}
	defer fleet.Close()
	shape := load.Load{Window: DefaultWindow, Every: every, Duration: warmUp}
	if _, err := fleet.Run(shape); err != nil {
		b.Fatal(err)
	}
	before, _ := lastCollection(p.Stderr())
	shape.Duration = collectTime
	r, err := fleet.Run(shape)
	if err != nil {
		b.Fatal(err)
	}
	for _, q := range []float64{0.5, 0.99, 0.999} {
		b.ReportMetric(float64(r.Latency.Quantile(q).Nanoseconds())/1e3, fmt.Sprintf("p%g-us", 100*q))
	}
	b.ReportMetric(float64(r.Deliveries)/r.Elapsed.Seconds(), "deliveries/s")
	var n int
	var pause, assist time.Duration
	for line := range strings.Lines(p.Stderr()) {
		if c, err := parseCollection(line); err == nil && c.Number > before.Number {
			n++
			pause, assist = max(pause, c.Pause), assist+c.Assist
		}
	}
	b.ReportMetric(float64(n), "collections")
	b.ReportMetric(float64(pause.Nanoseconds())/1e3, "longest-pause-us")
	b.ReportMetric(float64(assist.Nanoseconds())/1e3, "assists-us")
}
