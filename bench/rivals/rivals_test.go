package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"deepstream-fast/bench"
	"deepstream-fast/bench/load"
)

// newRig returns a rig of nothing that is not pinned, which ends with the test.
func newRig(t *testing.T) *bench.Rig {
	t.Helper()
	rig, err := bench.NewRig(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rig.Close)
	rig.Limit(time.Minute)
	return rig
}

// Every rival delivers everything, once and in order, one by one, with a full window and at a rate, and
// can be weighed. uWebSockets is among them where its sources are.
func TestRivalsDeliver(t *testing.T) {
	rig := newRig(t)
	servers := []bench.Server{nats, centrifuge, centrifugeDelay}
	adds := []func(*bench.Rig) (string, error){addNATS, addCentrifuge}
	if os.Getenv(uwsSources) != "" {
		servers, adds = append(servers, uws), append(adds, addUWS)
	}
	for _, add := range adds {
		version, err := add(rig)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(version, " ") || strings.HasSuffix(version, " unknown") {
			t.Errorf("version %q", version)
		}
	}
	for _, s := range servers {
		for _, c := range []bench.Case{
			{Server: s, Subscribers: 7, Mode: bench.Saturated, PayloadBytes: 1024},
			{Server: s, Subscribers: 3, Mode: bench.Paced},
			{Server: s, Subscribers: 3, Mode: bench.Rate, Every: 500 * time.Microsecond, Window: 64},
		} {
			t.Run(c.String(), func(t *testing.T) {
				b, err := rig.Begin(c)
				if err != nil {
					t.Fatal(err)
				}
				defer b.End()
				if sample, err := b.Measure(200, 0); err != nil || sample.CPU <= 0 || sample.P99 <= 0 {
					t.Errorf("%+v, %v", sample, err)
				}
			})
		}
		t.Run("server="+string(s)+"/memory", func(t *testing.T) {
			if _, err := rig.Weigh(s, 5, 300); err != nil {
				t.Error(err)
			}
		})
	}
}

// Who fails is named with the case, and the others are measured all the same.
func TestFailuresAreNamed(t *testing.T) {
	const broken bench.Server = "broken"
	rig := newRig(t)
	program, err := build(rig, "centrifuge")
	if err != nil {
		t.Fatal(err)
	}
	rig.AddSpeaking(bench.Fast, load.Centrifuge, func(port string) []string { return []string{program, "127.0.0.1:" + port} })
	rig.Add(broken, func(string) []string { return []string{"false"} })
	p := plan{
		rig: rig, servers: []bench.Server{broken, bench.Fast}, share: 0.5, duration: 20 * time.Millisecond, warm: time.Millisecond,
		modes: []bench.Mode{bench.Paced, bench.Rate}, payloads: []int{64}, subs: []int{2}, conns: 2, names: 2,
	}
	p.tables = newFanoutTables(p.servers)
	p.runFanout()
	var got strings.Builder
	if err := p.write(&got); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| load | fast CPU µs/delivery | broken ÷ fast |",
		"| load | messages/s | fast p99 µs | broken ÷ fast |",
		"| resident memory of | fast bytes | broken ÷ fast |",
		"\n* broken: paced, 2 subscribers, 64 B: bench: start broken: the process ended\n",
		"\n* broken: rate, 2 subscribers, 64 B: ",
		"\n* broken: memory: ",
	} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("%q is missing", want)
		}
	}
	if n := strings.Count(got.String(), "1× failed |\n"); n != 5 { // a load, a rate, three of memory
		t.Errorf("%d cells say that it failed", n)
	}
	if len(p.failures) != 3 {
		t.Errorf("failures: %q", p.failures)
	}
	if t.Failed() {
		t.Log(got.String())
	}
}

func TestUWSIsLeftOutWithoutItsSources(t *testing.T) {
	for sources, want := range map[string][]bench.Server{"": {bench.Fast, nats}, "/sources": {bench.Fast, uws, nats}} {
		t.Setenv(uwsSources, sources)
		p := plan{servers: []bench.Server{bench.Fast, uws, nats}}
		p.leaveOut()
		if !slices.Equal(p.servers, want) {
			t.Errorf("%s=%q: %v", uwsSources, sources, p.servers)
		}
	}
}

func TestUWSSaysWhereItsSourcesAre(t *testing.T) {
	t.Setenv(uwsSources, t.TempDir())
	if _, err := addUWS(newRig(t)); err == nil || !strings.Contains(err.Error(), "git clone --recursive") {
		t.Errorf("got %v", err)
	}
}
