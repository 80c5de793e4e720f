// Command rivals prints how deepstream-fast compares with other servers, on the same CPU and under the
// same driver. The official one, the npm package @deepstream/server: acknowledged writes, and 10,000 records
// read by one client. That one, NATS over WebSockets and the C floors: events, and memory.
//
//	bench/rivals/run -runs 10
//	bench/rivals/run -runs 10 -inflight "" -reads 0        # events and memory only
//
// Ours keeps every write on disk before it acknowledges it; the official one, with the cache it comes
// with, keeps nothing. It runs on Node with its default HTTP service; the native alternative, which is
// in no registry, is replaced by an empty package. Contestants take turns within a run, each on a fresh
// process, warmed up for as long as -warm says. It fails when a server loses an acknowledgement, a
// record or an event.
//
// The folder is a module of its own, so that nothing of the server's build or tests depends on it.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"deepstream-fast/bench"
)

// official is the server that ours is compared with.
const official bench.Server = "official"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// plan is what a run measures.
type plan struct {
	rig            *bench.Rig
	duration, warm time.Duration
	inFlight, subs []int
	payloads       []int
	modes          []bench.Mode
	servers        []bench.Server // of events and memory
	conns          int
	writers        int
	bytes, reads   int
	table, events  bench.Comparison
	memory         bench.MemoryTable
}

func run() error {
	p := plan{table: bench.Comparison{Base: string(official)}, events: bench.Comparison{Base: string(bench.Fast)}}
	runs := flag.Int("runs", 10, "how often everything is measured")
	flag.DurationVar(&p.duration, "time", 2*time.Second, "how long one measurement writes or publishes")
	flag.DurationVar(&p.warm, "warm", 2*time.Second, "how long a server works before it is measured")
	flag.IntVar(&p.writers, "writers", 64, "connections that write")
	flag.IntVar(&p.bytes, "bytes", 200, "bytes of JSON text per document")
	flag.IntVar(&p.reads, "reads", 5, "how often one measurement reads the 10,000 records; 0: none")
	inFlight := flag.String("inflight", "1,8", "writes of a connection in flight, each of another record; empty: no writes")
	subs := flag.String("subs", "10,100,1000", "numbers of subscribers of an event; empty: no events")
	payloads := flag.String("payload", "64,1024", "bytes of JSON text of an event")
	modes := flag.String("modes", "saturated,paced", "loads of events: saturated, paced, rate")
	servers := flag.String("servers", "fast,f1,f2,nats,official", "who delivers events and is weighed, in the order of their turns; fast is what the others are related to")
	flag.IntVar(&p.conns, "conns", 1000, "connections, and names that each subscribes to, of which the memory is measured once per run; 0: not")
	flag.Parse()
	for s := range strings.SplitSeq(*servers, ",") {
		p.servers = append(p.servers, bench.Server(s))
	}
	for m := range strings.SplitSeq(*modes, ",") {
		p.modes = append(p.modes, bench.Mode(m))
	}
	var err error
	if p.payloads, err = numbers(*payloads); err != nil {
		return fmt.Errorf("rivals: -payload: %w", err)
	}
	if p.inFlight, err = numbers(*inFlight); err != nil {
		return fmt.Errorf("rivals: -inflight: %w", err)
	}
	if p.subs, err = numbers(*subs); err != nil {
		return fmt.Errorf("rivals: -subs: %w", err)
	}
	if *runs < 1 || p.duration <= 0 || p.warm <= 0 || flag.NArg() > 0 {
		return fmt.Errorf("rivals: -runs, -time and -warm must be positive, and there are no arguments")
	}
	if p.rig, err = bench.NewRig(true, p.built()...); err != nil {
		return err
	}
	defer p.rig.Close()
	versions, err := p.addRivals()
	if err != nil {
		return err
	}
	sync, err := p.rig.SyncTime()
	if err != nil {
		return err
	}
	for i := range *runs {
		fmt.Fprintf(os.Stderr, "run %d/%d\n", i+1, *runs)
		if err := p.run(); err != nil {
			return fmt.Errorf("rivals: %w", err)
		}
	}
	fmt.Printf("%s; %s. An fdatasync takes %v; %d alternating runs of %v.\n`%s`\n\n", bench.Machine(), versions, sync, *runs, p.duration, bench.Command("bench/rivals/run"))
	return p.write(os.Stdout)
}

func numbers(list string) (out []int, err error) {
	for text := range strings.SplitSeq(list, ",") {
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

// addOfficial tells the rig how to start the official server and returns what it is made of.
func addOfficial(rig *bench.Rig) (versions string, err error) {
	dir, err := filepath.Abs("official")
	if err != nil {
		return "", fmt.Errorf("rivals: %w", err)
	}
	program := filepath.Join(dir, "node_modules", "@deepstream", "server", "dist", "bin", "deepstream")
	rig.Add(official, func(port string) []string {
		return []string{"node", program, "start", "-c", filepath.Join(dir, "config.yml"), "--host", "127.0.0.1", "--port", port}
	})
	node, err := exec.Command("node", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("rivals: node --version: %w", err)
	}
	server, err := exec.Command("node", program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("rivals: the official server is not installed, start bench/rivals/run: %w", err)
	}
	return fmt.Sprintf("@deepstream/server %s on Node %s", strings.TrimSpace(string(server)), strings.TrimSpace(string(node))), nil
}

// run measures everything once.
func (p *plan) run() error {
	for _, n := range p.inFlight {
		for _, s := range contestants {
			if err := p.measureWrites(s, n); err != nil {
				return err
			}
		}
	}
	for _, s := range contestants {
		if err := p.measureReads(s); err != nil {
			return err
		}
	}
	return p.runFanout()
}

var contestants = []bench.Server{official, bench.FastAck}

func (p *plan) measureWrites(server bench.Server, inFlight int) error {
	b, err := p.rig.BeginWrites(bench.WriteCase{Server: server, Writers: p.writers, InFlight: inFlight, Bytes: p.bytes})
	if err != nil {
		return err
	}
	defer b.End()
	s, err := warmed(p.warm, p.duration, func(d time.Duration) (bench.Sample, error) { return b.Measure(0, d) })
	if err != nil {
		return fmt.Errorf("%s: writes: %w", server, err)
	}
	p.table.Add(fmt.Sprintf("acknowledged writes of %d × %d in flight", p.writers, inFlight), string(server), s)
	return nil
}

// Records that one client reads, and who has written them.
const (
	readWriters = 16
	readRecords = 10_000 / readWriters
)

func (p *plan) measureReads(server bench.Server) error {
	if p.reads == 0 {
		return nil
	}
	b, err := p.rig.BeginWrites(bench.WriteCase{Server: server, Writers: readWriters, InFlight: 16, Records: readRecords, Bytes: p.bytes})
	if err != nil {
		return err
	}
	defer b.End()
	if err := b.Fill(); err != nil {
		return fmt.Errorf("%s: fill: %w", server, err)
	}
	if _, err := b.MeasureReads(1); err != nil {
		return fmt.Errorf("%s: first read: %w", server, err)
	}
	s, err := b.MeasureReads(p.reads)
	if err != nil {
		return fmt.Errorf("%s: reads: %w", server, err)
	}
	p.table.Add("10,000 records, one message", string(server), s)
	return nil
}

// warmed measures after a first time that does not count, for the sake of the rival's compiler.
func warmed(warm, d time.Duration, measure func(time.Duration) (bench.Sample, error)) (bench.Sample, error) {
	if s, err := measure(warm); err != nil {
		return s, err
	}
	return measure(d)
}
