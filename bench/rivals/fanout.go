package main

import (
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"

	"deepstream-fast/bench"
	"deepstream-fast/bench/load"
)

// nats is a NATS server with a WebSocket port, see the folder of that name.
const nats bench.Server = "nats"

// built returns the servers that the rig makes itself.
func (p *plan) built() []bench.Server {
	all := []bench.Server{bench.FastAck, bench.Fast}
	for _, s := range p.servers {
		if s != nats && s != official && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// addRivals tells the rig how to start the others, as far as they take part, and returns their versions.
func (p *plan) addRivals() (versions string, err error) {
	var all []string
	if slices.Contains(p.servers, nats) {
		if err := addNATS(p.rig); err != nil {
			return "", err
		}
		all = append(all, "nats-server "+moduleVersion("github.com/nats-io/nats-server/v2"))
	}
	if slices.Contains(p.servers, official) || len(p.inFlight) > 0 || p.reads > 0 {
		version, err := addOfficial(p.rig)
		if err != nil {
			return "", err
		}
		all = append(all, version)
	}
	return strings.Join(all, ", "), nil
}

// addNATS builds the server and tells the rig how to start it.
func addNATS(rig *bench.Rig) error {
	program := rig.Path("nats")
	if out, err := exec.Command("go", "build", "-o", program, "./nats").CombinedOutput(); err != nil {
		return fmt.Errorf("rivals: build nats: %w\n%s", err, out)
	}
	rig.AddSpeaking(nats, load.NATS, func(port string) []string { return []string{program, "127.0.0.1:" + port} })
	return nil
}

// moduleVersion returns the version of a module that this one requires.
func moduleVersion(path string) string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", path).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// runFanout measures events and memory once.
func (p *plan) runFanout() error {
	for _, mode := range p.modes {
		for _, payload := range p.payloads {
			for _, n := range p.subs {
				for _, s := range p.servers { // innermost: they share the neighbours' weather
					c := bench.Case{Server: s, Mode: mode, Subscribers: n, PayloadBytes: payload}
					if err := p.measureEvents(c); err != nil {
						return err
					}
				}
			}
		}
	}
	if p.conns == 0 {
		return nil
	}
	for _, s := range p.servers {
		if s == bench.F1 || s == bench.F2 {
			continue // a floor keeps nothing that is worth weighing, and few names
		}
		w, err := p.rig.Weigh(s, p.conns, p.conns)
		if err != nil {
			return err
		}
		p.memory.Add(s, w)
	}
	return nil
}

func (p *plan) measureEvents(c bench.Case) error {
	b, err := p.rig.Begin(c)
	if err != nil {
		return err
	}
	defer b.End()
	s, err := warmed(p.warm, p.duration, func(d time.Duration) (bench.Sample, error) { return b.Measure(0, d) })
	if err != nil {
		return fmt.Errorf("%v: events: %w", c, err)
	}
	p.events.Add(fmt.Sprintf("%s, %d subscribers, %d B", c.Mode, c.Subscribers, c.PayloadBytes), string(c.Server), s)
	return nil
}

// write prints the tables of what was measured.
func (p *plan) write(w io.Writer) error {
	if len(p.inFlight) > 0 || p.reads > 0 {
		if err := p.table.Write(w); err != nil {
			return err
		}
	}
	if len(p.subs) > 0 {
		fmt.Fprintln(w)
		if err := p.events.Write(w); err != nil {
			return err
		}
	}
	if p.conns == 0 {
		return nil
	}
	fmt.Fprintln(w)
	return p.memory.Write(w)
}
