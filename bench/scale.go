package bench

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"deepstream-fast/bench/load"
)

const (
	scaleSpare   = 3 << 10 // descriptors beside those of connections; the server keeps 2,048 of them free
	scaleWorkers = 32      // connections that log in or subscribe at the same time

	scaleServer Server = "fast-scale"
	// scalePatience makes the server wait for those who have logged in until everybody has: the driver's
	// connections send no heartbeats.
	scalePatience = `
[[connectionEndpoints]]
type = "ws-binary"
options = { heartbeatInterval = "1h" }
`
)

// ScaleCase is many connections with many subscriptions each.
type ScaleCase struct {
	Conns  int
	Subs   int // of all together
	Shared int // connections that subscribe to the same names; default 1: nobody shares
}

func (c ScaleCase) validate() error {
	if c.Conns < 1 || c.Subs < c.Conns || c.Shared < 0 {
		return fmt.Errorf("bench: %d connections with %d subscriptions, shared by %d: want at least one each", c.Conns, c.Subs, c.Shared)
	}
	return nil
}

// names returns what connection i subscribes to.
func (c ScaleCase) names(i int) []string { return OwnNames(i/cmp.Or(c.Shared, 1), c.Subs/c.Conns) }

// Phase is what one part of a scale run took of the server.
type Phase struct {
	Name    string
	Elapsed time.Duration
	CPU     time.Duration
	RSS     int64 // afterwards
	Peak    int64 // of the resident memory while it went on
}

// Scale connects everybody, subscribes everybody, and then has everybody come back at once: all
// connections are reset, and log in and subscribe again while the server still sees to the old ones.
func (r *Rig) Scale(c ScaleCase) ([]Phase, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	// During the storm the server may have every connection twice.
	if err := raiseFileLimitTo(uint64(2*c.Conns + scaleSpare)); err != nil {
		return nil, err
	}
	if err := r.AddConfigured(scaleServer, configOf(Fast)+scalePatience, "{}"); err != nil {
		return nil, err
	}
	p, err := r.Start(scaleServer)
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	s := &scaleRun{scale: c, process: p, conns: make([]*load.Conn, c.Conns)}
	defer s.reset()
	if err := s.all(); err != nil {
		return s.phases, fmt.Errorf("bench: scale: %w\n%s", err, p.Stderr())
	}
	return s.phases, nil
}

// scaleRun is one run of a ScaleCase.
type scaleRun struct {
	scale   ScaleCase
	process *Process
	conns   []*load.Conn
	phases  []Phase
}

func (s *scaleRun) all() error {
	nothing := func() error { return nil }
	subscribe := func() error { return s.each(s.subscribe) }
	for _, p := range []struct {
		name string
		do   func() error
	}{
		{"start", nothing},
		{"connect", func() error { return s.each(s.dial) }},
		{"subscribe", subscribe},
		{"storm", func() error {
			s.reset()
			if err := s.each(s.dial); err != nil {
				return err
			}
			return subscribe()
		}},
	} {
		if err := s.phase(p.name, p.do); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// phase measures do.
func (s *scaleRun) phase(name string, do func() error) error {
	if err := s.process.forgetPeak(); err != nil {
		return err
	}
	before, err := s.process.CPU()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := do(); err != nil {
		return err
	}
	elapsed := time.Since(start)
	after, err := s.process.CPU()
	if err != nil {
		return err
	}
	rss, err := s.process.RSS()
	if err != nil {
		return err
	}
	peak, err := s.process.peak()
	if err != nil {
		return err
	}
	s.phases = append(s.phases, Phase{Name: name, Elapsed: elapsed, CPU: after - before, RSS: rss, Peak: max(peak, rss)})
	return nil
}

// each has scaleWorkers workers do every connection once.
func (s *scaleRun) each(do func(i int) error) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var workers sync.WaitGroup
	for range scaleWorkers {
		workers.Go(func() { // ends with the work, or at the first error of anybody
			for i := next.Add(1) - 1; int(i) < s.scale.Conns && failed.Load() == nil; i = next.Add(1) - 1 {
				if err := do(int(i)); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	workers.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *scaleRun) dial(i int) (err error) {
	s.conns[i], err = load.Dial(s.process.Addr, i, time.Minute)
	return err
}

func (s *scaleRun) subscribe(i int) error { return s.conns[i].Subscribe(s.scale.names(i)...) }

// reset ends all connections.
func (s *scaleRun) reset() {
	for _, c := range s.conns {
		if c != nil {
			c.Close()
		}
	}
}

// forgetPeak makes peak begin anew. Source: proc(5), clear_refs.
func (p *Process) forgetPeak() error {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}

// peak returns the most resident bytes since forgetPeak.
func (p *Process) peak() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("bench: no VmHWM of pid %d", p.cmd.Process.Pid)
}

// raiseFileLimitTo sees to it that this process and those it starts may open so many files. The hard
// limit can be raised by a privileged process only.
func raiseFileLimitTo(files uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("bench: file limit: %w", err)
	}
	hard := limit.Max
	limit.Max = max(limit.Max, files)
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("bench: %d files are needed and the hard limit is %d: raise it (ulimit -Hn, LimitNOFILE=) or use fewer connections: %w", files, hard, err)
	}
	return nil
}

// WriteScale prints the medians of several runs of c as Markdown, with the costs of one connection, of
// one subscription and of one that comes back.
func WriteScale(w io.Writer, c ScaleCase, runs [][]Phase) error {
	lines := []string{
		tableLine([]string{"phase", "seconds", "CPU seconds", "RSS MiB", "peak RSS MiB"}),
		"|" + strings.Repeat("---|", 5),
	}
	pick := func(i int, of func(Phase) float64) []float64 {
		var out []float64
		for _, r := range runs {
			out = append(out, of(r[i]))
		}
		return out
	}
	mib := func(n int64) float64 { return float64(n) / (1 << 20) }
	for i, p := range runs[0] {
		lines = append(lines, tableLine([]string{
			p.Name,
			spread(pick(i, func(p Phase) float64 { return p.Elapsed.Seconds() }), 2),
			spread(pick(i, func(p Phase) float64 { return p.CPU.Seconds() }), 2),
			spread(pick(i, func(p Phase) float64 { return mib(p.RSS) }), 1),
			spread(pick(i, func(p Phase) float64 { return mib(p.Peak) }), 1),
		}))
	}
	per := func(name string, digits int, of func(r []Phase) float64) {
		var out []float64
		for _, r := range runs {
			out = append(out, of(r))
		}
		lines = append(lines, fmt.Sprintf("* %s: %s", name, spread(out, digits)))
	}
	conns, subs := float64(c.Conns), float64(c.Subs/c.Conns*c.Conns)
	lines = append(lines, "")
	per("RSS bytes per connection", 0, func(r []Phase) float64 { return float64(r[1].RSS-r[0].RSS) / conns })
	per("RSS bytes per subscription", 1, func(r []Phase) float64 { return float64(r[2].RSS-r[1].RSS) / subs })
	per("CPU µs per login", 1, func(r []Phase) float64 { return r[1].CPU.Seconds() * 1e6 / conns })
	per("CPU µs per subscription", 3, func(r []Phase) float64 { return r[2].CPU.Seconds() * 1e6 / subs })
	per("CPU µs per connection that comes back, its subscriptions included", 1, func(r []Phase) float64 { return r[3].CPU.Seconds() * 1e6 / conns })
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}
