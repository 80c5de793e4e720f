// Command rivals prints how deepstream-fast compares with other servers, on the same CPU and under the
// same driver. The official one, the npm package @deepstream/server: acknowledged writes, and 10,000 records
// read by one client. That one, the C floors, uWebSockets, Centrifuge and NATS over WebSockets: CPU per delivery
// of events, their latency at half of our own saturation, and memory.
//
//	bench/rivals/run -runs 10
//	bench/rivals/run -runs 10 -inflight "" -reads 0        # events and memory only
//	bench/rivals/run -runs 10 -inflight "" -reads 0 -conns 0 -modes rate -servers fast,f2,centrifuge
//
// Ours keeps every write on disk before it acknowledges it; the official one, with the cache it comes
// with, keeps nothing. It runs on Node with its default HTTP service; the native alternative, which is
// in no registry, is replaced by an empty package. Contestants take turns within a run, each on a fresh
// process, warmed up for as long as -warm says. A contestant that loses an acknowledgement, a record or an
// event, or that stalls, is named with the case and missing there; the others go on, and the command fails at
// the end. No process lives longer than -limit beyond its measurement.
//
// The folder is a module of its own, so that nothing of the server's build or tests depends on it.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	share          float64        // of our saturation, in mode rate
	servers        []bench.Server // of events and memory
	conns, names   int
	writers        int
	bytes, reads   int
	details        bool

	table    bench.Comparison // of records
	tables   fanoutTables
	failures []string // one line for each; there are no more than measurements
}

func run() error {
	p := plan{table: bench.Comparison{Base: string(official)}}
	runs := flag.Int("runs", 10, "how often everything is measured")
	limit := flag.Duration("limit", 2*time.Minute, "how long a process may live beyond -warm and -time before it is killed")
	if err := p.parse(); err != nil {
		return fmt.Errorf("rivals: %w", err)
	}
	if *runs < 1 || p.duration <= 0 || p.warm <= 0 || *limit <= 0 || p.conns < 0 || p.names < 1 || flag.NArg() > 0 {
		return fmt.Errorf("rivals: -runs, -time, -warm, -limit and -names must be positive, and there are no arguments")
	}
	p.leaveOut()
	p.tables = newFanoutTables(p.servers)
	var err error
	if p.rig, err = bench.NewRig(true, p.built()...); err != nil {
		return err
	}
	defer p.rig.Close()
	p.rig.Limit(p.warm + p.duration + *limit)
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
		p.run()
	}
	fmt.Printf("%s; %s. An fdatasync takes %v; %d alternating runs of %v.\n`%s`\n\n", bench.Machine(), versions, sync, *runs, p.duration, bench.Command("bench/rivals/run"))
	if err := p.write(os.Stdout); err != nil {
		return err
	}
	if n := len(p.failures); n > 0 {
		return fmt.Errorf("rivals: %d measurements failed", n)
	}
	return nil
}

// parse reads the flags that say what is measured.
func (p *plan) parse() (err error) {
	flag.DurationVar(&p.duration, "time", 2*time.Second, "how long one measurement writes or publishes")
	flag.DurationVar(&p.warm, "warm", 2*time.Second, "how long a server works before it is measured")
	flag.IntVar(&p.writers, "writers", 64, "connections that write")
	flag.IntVar(&p.bytes, "bytes", 200, "bytes of JSON text per document")
	flag.IntVar(&p.reads, "reads", 5, "how often one measurement reads the 10,000 records; 0: none")
	inFlight := flag.String("inflight", "1,8", "writes of a connection in flight, each of another record; empty: no writes")
	subs := flag.String("subs", "10,100,1000", "numbers of subscribers of an event; empty: no events")
	payloads := flag.String("payload", "64,1024", "bytes of JSON text of an event")
	modes := flag.String("modes", "saturated,paced,rate", "loads of events: saturated, paced, rate")
	flag.Float64Var(&p.share, "share", 0.5, "what everybody gets in mode rate: this share of what we do saturated")
	servers := flag.String("servers", "fast,f1,f2,uws,centrifuge,centrifuge-delay,nats,official", "who delivers events and is weighed, in the order of their turns; fast is what the others are related to")
	flag.IntVar(&p.conns, "conns", 1000, "connections of which the memory is measured once per run; 0: no memory")
	flag.IntVar(&p.names, "names", 1000, "names that each of them subscribes to")
	flag.BoolVar(&p.details, "details", false, "also print throughput and latency of every load and contestant")
	flag.Parse()
	for s := range strings.SplitSeq(*servers, ",") {
		p.servers = append(p.servers, bench.Server(s))
	}
	for m := range strings.SplitSeq(*modes, ",") {
		p.modes = append(p.modes, bench.Mode(m))
	}
	if !slices.Contains(p.servers, bench.Fast) {
		return fmt.Errorf("-servers: %s must be among them", bench.Fast)
	}
	if !(p.share > 0 && p.share <= 1) {
		return fmt.Errorf("-share: %g is not above 0 and at most 1", p.share)
	}
	if p.payloads, err = numbers(*payloads); err != nil {
		return fmt.Errorf("-payload: %w", err)
	}
	if p.inFlight, err = numbers(*inFlight); err != nil {
		return fmt.Errorf("-inflight: %w", err)
	}
	if p.subs, err = numbers(*subs); err != nil {
		return fmt.Errorf("-subs: %w", err)
	}
	return nil
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
func (p *plan) run() {
	for _, n := range p.inFlight {
		row := fmt.Sprintf("acknowledged writes of %d × %d in flight", p.writers, n)
		p.alternate(&p.table, row, contestants, func(s bench.Server) (bench.Sample, error) { return p.measureWrites(s, n) })
	}
	if p.reads > 0 {
		p.alternate(&p.table, "10,000 records, one message", contestants, p.measureReads)
	}
	p.runFanout()
}

// alternate has servers take turns under one load, so that they share the neighbours' weather. It returns the
// samples of those that did not fail, and adds them to the table if nobody did: its i-th samples belong together.
func (p *plan) alternate(table *bench.Comparison, row string, servers []bench.Server, measure func(bench.Server) (bench.Sample, error)) map[bench.Server]bench.Sample {
	samples := map[bench.Server]bench.Sample{}
	for _, s := range servers {
		sample, err := measure(s)
		if err != nil {
			p.note(row, s, err)
			continue
		}
		samples[s] = sample
	}
	if len(samples) < len(servers) {
		return samples
	}
	for _, s := range servers {
		table.Add(row, string(s), samples[s])
	}
	return samples
}

// note keeps what went wrong: its first line for the end, all of it at once.
func (p *plan) note(row string, server bench.Server, err error) {
	text := fmt.Sprintf("%s: %s: %v", server, row, err)
	fmt.Fprintln(os.Stderr, text)
	first, _, _ := strings.Cut(text, "\n")
	p.failures = append(p.failures, first)
}

var contestants = []bench.Server{official, bench.FastAck}

func (p *plan) measureWrites(server bench.Server, inFlight int) (bench.Sample, error) {
	b, err := p.rig.BeginWrites(bench.WriteCase{Server: server, Writers: p.writers, InFlight: inFlight, Bytes: p.bytes})
	if err != nil {
		return bench.Sample{}, err
	}
	defer b.End()
	return warmed(p.warm, p.duration, func(d time.Duration) (bench.Sample, error) { return b.Measure(0, d) })
}

// Records that one client reads, and who has written them.
const (
	readWriters = 16
	readRecords = 10_000 / readWriters
)

func (p *plan) measureReads(server bench.Server) (s bench.Sample, err error) {
	b, err := p.rig.BeginWrites(bench.WriteCase{Server: server, Writers: readWriters, InFlight: 16, Records: readRecords, Bytes: p.bytes})
	if err != nil {
		return s, err
	}
	defer b.End()
	if err := b.Fill(); err != nil {
		return s, fmt.Errorf("fill: %w", err)
	}
	if _, err := b.MeasureReads(1); err != nil {
		return s, fmt.Errorf("first read: %w", err)
	}
	return b.MeasureReads(p.reads)
}

// warmed measures after a first time that does not count, for the sake of the rival's compiler.
func warmed(warm, d time.Duration, measure func(time.Duration) (bench.Sample, error)) (bench.Sample, error) {
	if s, err := measure(warm); err != nil {
		return s, err
	}
	return measure(d)
}
