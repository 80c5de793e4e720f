// Command profile records CPU, heap, mutex and block profiles and an execution trace of the server while it
// fans out events to few and to many, takes record writes, and has idle connections, CPU and heap profiles of
// the steps of the hot path, and merges the CPU profiles of work into one for go build -pgo.
//
// What it writes does not say on which machine or in which folder it was made, and can be committed.
//
//	go run ./bench/cmd/profile -time 10s
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"deepstream-fast/bench"
	"deepstream-fast/bench/load"
)

const (
	profiled        bench.Server = "fast-profiled"     // keeps nothing
	profiledAck     bench.Server = "fast-ack-profiled" // keeps records
	idleConns                    = 2000
	contentionTime               = 2 * time.Second
	traceSeconds                 = "0.1" // a trace of a busy server grows by megabytes per second
	requestPatience              = 2 * time.Minute
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	duration := flag.Duration("time", 10*time.Second, "how long each CPU profile takes")
	dir := flag.String("dir", "profiles", "where the profiles go")
	pgo := flag.String("pgo", "", "file to write the merged CPU profile to; empty: none")
	flag.Parse()
	if *duration < time.Second || flag.NArg() > 0 {
		return fmt.Errorf("profile: -time must be at least a second, and there are no arguments")
	}
	rig, err := bench.NewRig(true, bench.Fast, bench.FastAck)
	if err != nil {
		return err
	}
	defer rig.Close()
	r := &recorder{dir: *dir, duration: *duration, web: &http.Client{Timeout: requestPatience}}
	for _, s := range []struct {
		name         string
		server, like bench.Server
		begin        func(*bench.Rig) (work func(time.Duration) error, end func(), err error)
	}{
		{"fanout", profiled, bench.Fast, events(bench.Case{Subscribers: 100})},
		{"narrow", profiled, bench.Fast, events(bench.Case{Subscribers: 10, PayloadBytes: 1 << 10})},
		{"records", profiledAck, bench.FastAck, records},
		{"idle", profiled, bench.Fast, idle},
	} {
		addr, err := rig.AddProfiled(s.server, s.like)
		if err != nil {
			return err
		}
		work, end, err := s.begin(rig)
		if err != nil {
			return err
		}
		err = r.record(s.name, addr, work)
		end()
		if err != nil {
			return fmt.Errorf("profile: %s: %w", s.name, err)
		}
	}
	if err := r.steps(); err != nil {
		return fmt.Errorf("profile: steps: %w", err)
	}
	if *pgo == "" {
		return nil
	}
	return merge(*pgo, r.path("fanout.cpu.pprof"), r.path("narrow.cpu.pprof"), r.path("records.cpu.pprof"), r.path("micro.cpu.pprof"))
}

// events is a fan-out, saturated.
func events(c bench.Case) func(rig *bench.Rig) (work func(time.Duration) error, end func(), err error) {
	c.Server, c.Mode = profiled, bench.Saturated
	return func(rig *bench.Rig) (work func(time.Duration) error, end func(), err error) {
		b, err := rig.Begin(c)
		if err != nil {
			return nil, nil, err
		}
		return func(d time.Duration) error { _, err := b.Measure(0, d); return err }, b.End, nil
	}
}

// records is acknowledged writes of 64 clients, 8 in flight each.
func records(rig *bench.Rig) (work func(time.Duration) error, end func(), err error) {
	b, err := rig.BeginWrites(bench.WriteCase{Server: profiledAck, Writers: 64, InFlight: 8})
	if err != nil {
		return nil, nil, err
	}
	return func(d time.Duration) error { _, err := b.Measure(0, d); return err }, b.End, nil
}

// idle is connections that say nothing.
func idle(rig *bench.Rig) (work func(time.Duration) error, end func(), err error) {
	p, err := rig.Start(profiled)
	if err != nil {
		return nil, nil, err
	}
	var conns []*load.Conn
	end = func() {
		p.Stop()
		for _, c := range conns {
			c.Close()
		}
	}
	for i := range idleConns {
		c, err := load.Dial(p.Addr, i, requestPatience)
		if err != nil {
			end()
			return nil, nil, err
		}
		conns = append(conns, c)
	}
	return func(d time.Duration) error { <-time.After(d); return nil }, end, nil
}

// recorder fetches profiles into a folder.
type recorder struct {
	dir      string
	duration time.Duration
	web      *http.Client
}

func (r *recorder) path(name string) string { return filepath.Join(r.dir, name) }

// record fetches all profiles of the server at addr, each while work works.
func (r *recorder) record(scenario, addr string, work func(time.Duration) error) error {
	seconds := func(d time.Duration) string { return fmt.Sprintf("?seconds=%d", int(d.Seconds())) }
	for _, p := range []struct {
		file, url string
		busy      time.Duration
	}{
		{"cpu.pprof", "profile" + seconds(r.duration), r.duration},
		{"heap.pprof", "heap", 0},
		{"mutex.pprof", "mutex" + seconds(contentionTime), contentionTime},
		{"block.pprof", "block" + seconds(contentionTime), contentionTime},
		{"trace", "trace?seconds=" + traceSeconds, time.Second},
	} {
		worked := make(chan error, 1)
		go func() { // ends after a time; waited for below
			if p.busy == 0 {
				worked <- nil
				return
			}
			worked <- work(p.busy)
		}()
		err := r.fetch("http://"+addr+"/debug/pprof/"+p.url, r.path(scenario+"."+p.file))
		if failed := <-worked; err == nil {
			err = failed
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *recorder) fetch(url, path string) error {
	answer, err := r.web.Get(url)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s: %s", url, answer.Status, body)
	}
	if err != nil {
		return err
	}
	if strings.HasSuffix(path, ".pprof") {
		if body, err = nameless(body); err != nil {
			return fmt.Errorf("%s: %w", url, err)
		}
	}
	return os.WriteFile(path, body, 0o644)
}

// steps profiles the steps of a publication, in one process and without sockets.
func (r *recorder) steps() error {
	scratch, err := os.MkdirTemp("", "deepstream-profile-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	cpu, heap := filepath.Join(scratch, "cpu"), filepath.Join(scratch, "heap")
	out, err := exec.Command("go", "test", "-trimpath", "-run", "-", "-bench", "Micro/(publish|decode|encode)", "-benchtime", "2s",
		"-cpuprofile", cpu, "-memprofile", heap, "-o", filepath.Join(scratch, "bench.test"), "./bench").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go test: %w\n%s", err, out)
	}
	for name, path := range map[string]string{"micro.cpu.pprof": cpu, "micro.heap.pprof": heap} {
		data, err := os.ReadFile(path)
		if err == nil {
			data, err = nameless(data)
		}
		if err == nil {
			err = os.WriteFile(r.path(name), data, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// nameless takes the paths of programs and libraries out of a profile, which was made of a program built
// without paths of sources.
func nameless(data []byte) ([]byte, error) {
	p, err := profile.ParseData(data)
	if err != nil {
		return nil, err
	}
	for _, m := range p.Mapping {
		m.File = filepath.Base(m.File)
	}
	var b bytes.Buffer
	err = p.Write(&b)
	return b.Bytes(), err
}

// merge adds up CPU profiles.
func merge(to string, from ...string) error {
	var all []*profile.Profile
	for _, path := range from {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		p, err := profile.ParseData(data)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, p)
	}
	sum, err := profile.Merge(all)
	if err != nil {
		return fmt.Errorf("profile: merge: %w", err)
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	return errors.Join(sum.Write(f), f.Close())
}
